"""Tables of numbers for the command line: CSV and Parquet in, CSV, Parquet and JSON out."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import narwhals as nw
import numpy as np

from neuralgebra.errors import InputError, LoadError, MissingExtra, UsageError, shown
from neuralgebra.files import limits
from neuralgebra.files.atomic import write_atomic
from neuralgebra.files.csv_text import Look, decoded, look_of, rows_of
from neuralgebra.files.source import path_text, read_bytes

__all__ = ["is_parquet", "parquet_frame", "read_table", "table_bytes", "write_table"]

Table = tuple[np.ndarray, list[str]]

BACKENDS = ("pyarrow", "polars")


def read_table(path: str | os.PathLike[str], expected: Sequence[str] | None = None) -> Table:
    """Return the numbers of a table.

    Parameters
    ----------
    path : str or os.PathLike
        A CSV file (separated by comma, semicolon or tab, with or without a header), a Parquet file, or "-" for CSV
        from standard input.
    expected : sequence of str, optional
        Names of the columns wanted. A header must contain them all: they are taken by name, in this order, and others
        are left out; a name is compared as it stands, then without the blanks around it. Without a header the number
        of columns must be the same. By default all columns are taken.

    Returns
    -------
    numbers : ndarray, shape (rows, columns)
        The numbers, each the float64 nearest to what the file says: integers above 2^53 are rounded, in CSV and in
        Parquet alike.
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

    Notes
    -----
    The first row of a CSV file is a header when it contains the names wanted, when it holds no number, or when all its
    cells are quoted and those of the second row are not. Numbers that may be names, which are 0, 1, 2, … or 1, 2, 3, …
    and quoted ones, are refused, and so are numbers with a decimal comma or separated by blanks.
    """
    data, where = table_bytes(path)
    wanted = None if expected is None else list(expected)
    return (_read_parquet if is_parquet(data) else _read_csv)(data, where, wanted)


def table_bytes(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    """Return the bytes of a file, or of standard input for "-", and what messages call it."""
    name = path_text(path)
    data = _standard_input() if name == "-" else read_bytes(name)
    return data, "standard input" if name == "-" else shown(name)


def _standard_input() -> bytes:
    data = sys.stdin.buffer.read(limits.FILE_BYTES + 1)
    limits.check("FILE_BYTES", len(data), "standard input: bytes")
    return data


def is_parquet(data: bytes) -> bool:
    """Return whether a file has the marks of Parquet; one that was cut off has the first one, and no text after it."""
    return data.startswith(b"PAR1") and (data.endswith(b"PAR1") or b"\0" in data)


# CSV ----------------------------------------------------------------------------------------------------------------


def _read_csv(data: bytes, where: str, wanted: list[str] | None) -> Table:
    text = decoded(data, where)
    look = look_of(text)
    rows = rows_of(text, look, where)
    first = next(rows, None)
    if first is None:
        raise LoadError(f"{where}: no rows received; a header or numbers expected.")
    header = _header(first[1], where, wanted, look)
    if header is None:
        return _numbers(_again(first, rows), where, *_positions(len(first[1]), wanted, where))
    places, names = _places(header, wanted, where)
    return _numbers(rows, where, places, names, len(header))


def _again(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_like_numbers(cell: str) -> bool:
    """Return whether a cell is a number, or would be with another decimal mark or separator."""
    return all(_is_number(re.sub("[.,]", "", part)) for part in cell.split())


def _header(row: list[str], where: str, wanted: list[str] | None, look: Look) -> list[str] | None:
    """Return the names in the first row, or None if it holds numbers."""
    names = _names(row, wanted, look)
    if wanted is not None and set(wanted) <= set(names):
        return names
    cells = [cell.strip() for cell in row if cell.strip()]
    texts = [cell for cell in cells if not _is_number(cell)]
    if texts and all(map(_is_like_numbers, cells)):
        raise _no_separator(where, texts[0])
    if look.header or texts == cells != []:
        return names
    if texts:
        raise _mixed(where, texts[0])
    _refuse_names(cells, where, look)
    return None


def _names(row: list[str], wanted: list[str] | None, look: Look) -> list[str]:
    """Return the cells without blanks around them, unless they are wanted with them, or quoted."""
    if wanted is None:
        return row if look.header else [cell.strip() for cell in row]
    kept, given = set(wanted), set(row)
    return [cell if cell in kept or cell.strip() in given else cell.strip() for cell in row]


def _no_separator(where: str, text: str) -> LoadError:
    return LoadError(
        f"{where}: the first row looks like numbers, but {shown(text)!r} is none.\n"
        "Write decimals with a point, and separate the columns by comma, semicolon or tab."
    )


def _mixed(where: str, text: str) -> LoadError:
    return LoadError(
        f"{where}: the first row has numbers and the text {shown(text)!r}; all names or all numbers expected."
    )


def _refuse_names(cells: list[str], where: str, look: Look) -> None:
    """Refuse numbers that are more likely the names of columns: 0, 1, 2, … as pandas writes them, or quoted ones."""
    counted = len(cells) > 1 and cells == [str(i) for i in range(len(cells))]
    if cells and (counted or look.quotes):
        kind = "column numbers" if counted else "quoted names"
        raise LoadError(
            f"{where}: the first row {shown(', '.join(cells))} looks like {kind}; name the columns or remove the row.\n"
            "If they are values, write them without quotes and with a point, as 1.0."
        )


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
    raise MissingExtra("Parquet needs pyarrow or polars, and neither is installed: pip install pyarrow")


def parquet_frame(data: bytes, where: str) -> Any:
    """Return the frame that a Parquet file holds."""
    backend = _backend()
    try:
        return nw.read_parquet(io.BytesIO(data), backend=backend)
    except Exception as error:  # each library has errors of its own
        raise LoadError(f"{where}: the Parquet file cannot be read ({shown(error)}).") from None


def _read_parquet(data: bytes, where: str, wanted: list[str] | None) -> Table:
    frame = parquet_frame(data, where)
    _, names = _places(list(frame.columns), wanted, where)
    columns = [_column(frame[name], where, name) for name in names]
    return np.column_stack(columns) if columns else np.empty((len(frame), 0)), names


def _column(series: Any, where: str, name: str) -> np.ndarray:
    if not series.dtype.is_numeric():
        raise LoadError(f"{where}: column {shown(name)!r} of type {shown(series.dtype)} received; numbers expected.")
    try:
        missing = np.asarray(series.is_null().to_numpy(), dtype=bool)
        values = np.where(missing, np.nan, np.asarray(series.to_numpy(), dtype=np.float64))
    except Exception as error:  # each library has errors of its own
        raise LoadError(f"{where}: column {shown(name)!r}: {shown(error)}; numbers expected.") from None
    bad = np.flatnonzero(~np.isfinite(values))
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
        Where to; "-" is standard output. There, control characters in the header of CSV are escaped.
    format : {"csv", "json", "parquet"}
        CSV with a header; JSON as one object, name -> list; or Parquet. Floats are written so that they are read back
        bit for bit; names of CSV are quoted where they may be taken for something else. JSON has no infinity and NaN,
        so that these become the texts "inf", "-inf" and "nan".
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    UsageError
        For an unknown format.
    InputError
        When the columns have different lengths, or a name is no text that the format can hold.
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
    to_terminal = path_text(path) == "-"
    data = (TERMINAL if to_terminal else WRITERS)[format](arrays)
    if to_terminal:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        write_atomic(path, data, overwrite)


def _csv(columns: dict[str, np.ndarray]) -> bytes:
    _check_names(columns)
    return _csv_named(list(columns), columns)


def _csv_to_terminal(columns: dict[str, np.ndarray]) -> bytes:
    return _csv_named([_printable(name) for name in columns], columns)


def _csv_named(names: list[str], columns: dict[str, np.ndarray]) -> bytes:
    text = io.StringIO(newline="")
    text.write(",".join(_quoted(names)) + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(zip(*(map(repr, a.tolist()) for a in columns.values()), strict=True))
    return text.getvalue().encode()


_SPECIAL = frozenset('\t;,"\r\n\ufeff')


def _quoted(names: list[str]) -> list[str]:
    """Return the cells of a header: quoted where it is needed, all if one may be a number or has blanks around it."""
    every = any(not name or name != name.strip() or _is_number(name) for name in names)
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    return [q if every or set(name) & _SPECIAL else name for name, q in zip(names, quoted, strict=True)]


def _printable(name: str) -> str:
    """Return a name with what a terminal would obey, or cannot show, escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if "\0" in name or any("\ud800" <= c <= "\udfff" for c in name):
            raise InputError(
                f"column {shown(name)!r} received; a name of Unicode text expected.\n"
                "Rename it first, or write JSON, which escapes it."
            )


def _json(columns: dict[str, np.ndarray]) -> bytes:
    lists = {name: [v if math.isfinite(v) else repr(v) for v in a.tolist()] for name, a in columns.items()}
    return (json.dumps(lists, allow_nan=False) + "\n").encode()


def _parquet(columns: dict[str, np.ndarray]) -> bytes:
    _check_names(columns)
    file = io.BytesIO()
    nw.from_dict(columns, backend=_backend()).write_parquet(file)
    return file.getvalue()


WRITERS: dict[str, Callable[[dict[str, np.ndarray]], bytes]] = {"csv": _csv, "json": _json, "parquet": _parquet}
"""Format -> what makes the bytes."""

TERMINAL = {**WRITERS, "csv": _csv_to_terminal}
"""Format -> what makes the bytes for standard output."""
