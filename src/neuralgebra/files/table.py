"""Tables of numbers for the command line: CSV and Parquet in, CSV, Parquet and JSON out."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import narwhals as nw
import numpy as np

from neuralgebra.errors import InputError, LoadError, MissingExtra, UsageError, shown
from neuralgebra.files import limits
from neuralgebra.files.atomic import write_atomic
from neuralgebra.files.source import path_text, read_bytes

__all__ = ["read_table", "write_table"]

Table = tuple[np.ndarray, list[str]]

BACKENDS = ("pyarrow", "polars")
DELIMITERS = ("\t", ";", ",")  # a comma may be a decimal comma between semicolons


def read_table(path: str | os.PathLike[str], expected: Sequence[str] | None = None) -> Table:
    """Return the numbers of a table.

    Parameters
    ----------
    path : str or os.PathLike
        A CSV file (separated by comma, semicolon or tab, with or without a header), a Parquet file, or "-" for CSV
        from standard input.
    expected : sequence of str, optional
        Names of the columns wanted. A header must contain them all: they are taken by name, in this order, and others
        are left out. Without a header the number of columns must be the same. By default all columns are taken.

    Returns
    -------
    numbers : ndarray, shape (rows, columns)
        The numbers, float64.
    names : list of str
        Names of the columns; x1, x2, … where the file has none.

    Raises
    ------
    LoadError
        When the file cannot be read, or holds something else than finite numbers; the message names row and column.
    InputError
        When columns are missing or too many.
    MissingExtra
        For Parquet without pyarrow or polars.
    """
    name = path_text(path)
    data = _standard_input() if name == "-" else read_bytes(name)
    where = "standard input" if name == "-" else shown(name)
    wanted = None if expected is None else list(expected)
    return (_read_parquet if data.startswith(b"PAR1") else _read_csv)(data, where, wanted)


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(limits.FILE_BYTES + 1)
    limits.check("FILE_BYTES", len(data), "standard input: bytes")
    return data


# CSV ----------------------------------------------------------------------------------------------------------------


def _read_csv(data: bytes, where: str, wanted: list[str] | None) -> Table:
    text = _decoded(data, where)
    rows = _rows(text, _delimiter(text), where)
    first = next(rows, None)
    if first is None:
        raise LoadError(f"{where}: no rows received; a header or numbers expected.")
    header = _header(first[1], where, wanted)
    if header is None:
        return _numbers(_again(first, rows), where, *_positions(len(first[1]), wanted, where))
    places, names = _places(header, wanted, where)
    return _numbers(rows, where, places, names, len(header))


def _decoded(data: bytes, where: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise LoadError(f"{where}: UTF-16 text received; UTF-8 expected.\nSave the table as CSV UTF-8.")
    if b"\0" in data:
        raise LoadError(f"{where}: a binary file received; CSV or Parquet expected.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LoadError(f"{where}: line {line} is no UTF-8 text.\nSave the table as CSV UTF-8.") from None


def _delimiter(text: str) -> str:
    """Return the first of the known separators that divides the first row."""
    for delimiter in DELIMITERS:
        try:
            row = next(filter(any, csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)), [])
        except csv.Error:
            continue
        if len(row) > 1:
            return delimiter
    return ","


def _rows(text: str, delimiter: str, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield number of the line and cells of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if len(row) > 1 or any(map(str.strip, row)):
                yield reader.line_num, row
    except csv.Error as error:
        raise LoadError(f"{where}: line {reader.line_num}: {shown(error)}; CSV expected.") from None


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _header(row: list[str], where: str, wanted: list[str] | None) -> list[str] | None:
    """Return the names in the first row, or None if it holds numbers."""
    cells = [cell.strip() for cell in row]
    if wanted is not None and set(wanted) <= set(cells):
        return cells
    numbers = [_is_number(cell) for cell in cells if cell]
    if not any(numbers):
        return cells if numbers else None
    if not all(numbers):
        text = next(cell for cell in cells if cell and not _is_number(cell))
        raise LoadError(
            f"{where}: the first row has numbers and the text {shown(text)!r}; all names or all numbers expected."
        )
    return None


def _places(header: list[str], wanted: list[str] | None, where: str) -> tuple[list[int], list[str]]:
    """Return the positions of the columns wanted, and their names."""
    names = header if wanted is None else wanted
    counts = Counter(header)
    missing = [name for name in names if name not in counts]
    if missing:
        raise InputError(
            f"{where}: columns {shown(', '.join(header), 200)} received; {shown(', '.join(missing), 200)} missing.\n"
            "Name the columns as the inputs of the network are named, or leave out the header."
        )
    doubles = [name for name in names if counts[name] > 1]
    if doubles:
        raise InputError(f"{where}: column {shown(doubles[0])!r} received more than once; distinct names expected.")
    places = {name: place for place, name in enumerate(header)}
    return [places[name] for name in names], list(names)


def _positions(width: int, wanted: list[str] | None, where: str) -> tuple[list[int], list[str], int]:
    """Return positions, names and number of the columns of a table without header."""
    names = [f"x{i + 1}" for i in range(width)] if wanted is None else wanted
    if len(names) != width:
        raise InputError(
            f"{where}: {width} columns without a header received; {len(names)} expected "
            f"({shown(', '.join(names), 200)}).\n"
            "A header with these names chooses among more columns."
        )
    return list(range(width)), names, width


def _numbers(rows: Iterator[Any], where: str, places: list[int], names: list[str], width: int) -> Table:
    numbers = array("d")
    for line, row in rows:
        if len(row) != width:
            raise LoadError(f"{where}: line {line}: {len(row)} cells received; {width} expected.")
        try:
            values = [float(row[place]) for place in places]
            exact = all(map(math.isfinite, values))
        except ValueError:
            exact = False
        if not exact or any("_" in row[place] for place in places):
            raise _bad_cell(where, line, names, [row[place] for place in places])
        numbers.extend(values)
    return np.array(numbers, dtype=np.float64).reshape(-1, len(places)), names


def _bad_cell(where: str, line: int, names: list[str], cells: list[str]) -> LoadError:
    for name, cell in zip(names, cells, strict=True):
        if not _is_number(cell) or "_" in cell or not math.isfinite(float(cell)):
            hint = "\nWrite decimals with a point." if "," in cell else ""
            found = f"{shown(cell)!r}" if cell.strip() else "an empty cell"
            return LoadError(f"{where}: line {line}, column {shown(name)!r}: {found}; a finite number expected.{hint}")
    raise AssertionError


# Parquet ------------------------------------------------------------------------------------------------------------


def _backend() -> Any:
    for name in BACKENDS:
        if find_spec(name) is not None:
            return name
    raise MissingExtra("Parquet needs pyarrow or polars, and neither is installed: pip install neuralgebra[parquet]")


def _read_parquet(data: bytes, where: str, wanted: list[str] | None) -> Table:
    backend = _backend()
    try:
        frame = nw.read_parquet(io.BytesIO(data), backend=backend)
    except Exception as error:  # each library has errors of its own
        raise LoadError(f"{where}: the Parquet file cannot be read ({shown(error)}).") from None
    _, names = _places(list(frame.columns), wanted, where)
    columns = [_column(frame[name], where, name) for name in names]
    return np.column_stack(columns) if columns else np.empty((len(frame), 0)), names


def _column(series: Any, where: str, name: str) -> np.ndarray:
    if not series.dtype.is_numeric():
        raise LoadError(f"{where}: column {shown(name)!r} of type {shown(series.dtype)} received; numbers expected.")
    values = np.array(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values) | np.asarray(series.is_null().to_numpy(), dtype=bool))
    if bad.size:
        raise LoadError(
            f"{where}: row {bad[0] + 1}, column {shown(name)!r}: {values[bad[0]]}; a finite number expected."
        )
    return values


# Writing ------------------------------------------------------------------------------------------------------------


def write_table(
    columns: Mapping[str, Any], path: str | os.PathLike[str], format: str = "csv", overwrite: bool = False
) -> None:
    """Write columns of numbers, whole or not at all.

    Parameters
    ----------
    columns : mapping of str to array, shape (rows,)
        The columns by name, in order.
    path : str or os.PathLike
        Where to; "-" is standard output.
    format : {"csv", "json", "parquet"}
        CSV with a header; JSON as one object, name -> list; or Parquet. Numbers are written so that they are read back
        bit for bit; JSON has no infinity and NaN, so that these become the texts "inf", "-inf" and "nan".
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    UsageError
        For an unknown format.
    InputError
        When the columns have different lengths.
    OutputError
        When the file exists and `overwrite` is false, or cannot be written; nothing is changed then.
    MissingExtra
        For Parquet without pyarrow or polars.
    """
    if format not in WRITERS:
        raise UsageError(f"format={shown(format)!r} received; {', '.join(WRITERS)} expected.")
    arrays = {name: np.asarray(column) for name, column in columns.items()}
    if len({a.shape for a in arrays.values()}) > 1 or any(a.ndim != 1 for a in arrays.values()):
        shapes = ", ".join(f"{shown(name)} {a.shape}" for name, a in arrays.items())
        raise InputError(f"columns of shape {shapes} received; one length expected.")
    data = WRITERS[format](arrays)
    if path_text(path) == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomic(path, data, overwrite)


def _csv(columns: dict[str, np.ndarray]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(repr, a.tolist()) for a in columns.values()), strict=True))
    return text.getvalue().encode("utf-8", "surrogateescape")


def _json(columns: dict[str, np.ndarray]) -> bytes:
    lists = {name: [v if math.isfinite(v) else repr(v) for v in a.tolist()] for name, a in columns.items()}
    return (json.dumps(lists, allow_nan=False) + "\n").encode()


def _parquet(columns: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    nw.from_dict(columns, backend=_backend()).write_parquet(file)
    return file.getvalue()


WRITERS: dict[str, Callable[[dict[str, np.ndarray]], bytes]] = {"csv": _csv, "json": _json, "parquet": _parquet}
"""Format -> what makes the bytes."""
