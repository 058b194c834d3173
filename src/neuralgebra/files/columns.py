"""Tables with columns of numbers and of texts: CSV, Parquet, data frames, mappings."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np

from neuralgebra.errors import InputError, LoadError, ShapeError, shown
from neuralgebra.files.csv_columns import Texts, number, read_csv_columns
from neuralgebra.files.table import is_parquet, parquet_frame, table_bytes

__all__ = ["Columns", "absent", "labels_of", "read_columns", "real"]

_FINITE = "a finite number expected."


@dataclass(frozen=True)
class Columns:
    """A table by columns.

    Parameters
    ----------
    where : str
        What it was read from, for messages.
    cells : mapping of str to ndarray, Texts, list or None
        Numbers, with NaN where they are missing; texts; what a frame holds otherwise; None for a column of a file that
        is neither of the texts asked for nor numbers.
    place : callable
        The name of a row, by its number from 0: "line 7".
    bad : callable
        The error that names the first cell of a column that is no number.
    decimal : str
        The decimal sign of texts.
    notes : tuple of str
        What was found out about the file.
    """

    where: str
    cells: Mapping[str, Any]
    place: Callable[[int], str]
    bad: Callable[[str], LoadError] | None = None
    decimal: str = "."
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.cells)

    def error(self, row: int, name: str, text: str) -> LoadError:
        """Return an error that names row and column."""
        return LoadError(f"{self.where}: {self.place(row)}, column {shown(name)!r}: {text}")

    def texts(self, name: str) -> Texts:
        """Return a column as texts without blanks around them, "" where a cell is missing."""
        column = self.cells[name]
        if isinstance(column, Texts):
            return column
        cells = column.tolist() if isinstance(column, np.ndarray) else column
        return Texts.of("" if absent(cell) else str(cell) for cell in cells)

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as numbers, NaN where a cell is missing.

        Parameters
        ----------
        name : str
            Of the column.

        Raises
        ------
        LoadError
            For a cell that is no finite number; the message names row and column.
        """
        column = self.cells[name]
        if isinstance(column, Texts):
            found = [number(text, self.decimal) for text in column.distinct]
            numbers = self._all([found[code] for code in column.codes], name, column)
        elif column is None:
            assert self.bad is not None  # only columns of CSV files are None
            raise self.bad(name)
        else:
            numbers = column if isinstance(column, np.ndarray) else self._all(map(_real, column), name, column)
        infinite = np.flatnonzero(np.isinf(numbers))
        if infinite.size:
            raise self.error(int(infinite[0]), name, f"{numbers[infinite[0]]}; {_FINITE}")
        return numbers

    def _all(self, found: Iterable[float | None], name: str, cells: Any) -> np.ndarray:
        numbers = list(found)
        if None in numbers:
            row = numbers.index(None)
            cell = cells.distinct[cells.codes[row]] if isinstance(cells, Texts) else cells[row]
            raise self.error(row, name, f"{shown(repr(cell))}; {_FINITE}")
        return np.array(numbers, dtype=np.float64)


def absent(cell: Any) -> bool:
    """Return whether a cell of a frame holds nothing: None, NaN, NA or NaT."""
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)


def real(cell: Any) -> float:
    """Return a cell as a number, NaN where it is missing.

    Raises
    ------
    TypeError
        For anything but a real number.
    """
    if absent(cell):
        return np.nan
    if not isinstance(cell, Real | Decimal | np.bool_):
        raise TypeError(repr(cell))
    return float(cell)


def _real(cell: Any) -> float | None:
    try:
        return real(cell)
    except (TypeError, ValueError, OverflowError):
        return None


def labels_of(table: Any) -> list[str] | None:
    """Return the names of the columns of a table, or of a series, if it is one and they are texts."""
    columns, name = getattr(table, "columns", None), getattr(table, "name", None)
    if columns is not None and not callable(columns):
        found = list(columns)
        return found if found and all(isinstance(label, str) for label in found) else None
    return [name] if isinstance(name, str) and name and hasattr(table, "to_numpy") else None


def read_columns(source: Any, texts: Collection[str] = ()) -> Columns:
    """Return a table by columns; blanks around their names are left out.

    Parameters
    ----------
    source : str, os.PathLike, data frame or mapping
        A CSV file (separated by comma, semicolon or tab, with a header; beside semicolons and tabs a decimal comma is
        understood), a Parquet file, "-" for CSV from standard input; a frame of pandas, polars or another library that
        narwhals knows; a mapping of names to columns.
    texts : collection of str
        Names of columns that are texts, whatever they look like.

    Returns
    -------
    Columns
        The table, of at least one row.

    Raises
    ------
    LoadError
        When a file cannot be read, or has no header.
    InputError
        When columns have different lengths, or one name.
    """
    if isinstance(source, str | os.PathLike):
        return _from_file(source, texts)
    if isinstance(source, Mapping):
        return _columns("a mapping", {name: _plain(str(name), column) for name, column in source.items()})
    try:
        frame = nw.from_native(source, eager_only=True)
    except TypeError:
        raise InputError(
            f"{shown(type(source).__name__)} received; a file, a data frame or a mapping of columns expected.\n"
            "Collect a lazy frame first; give points and values as arrays by Observations.dense."
        ) from None
    except Exception as error:  # narwhals refuses frames with columns of one name
        raise InputError(f"{shown(type(source).__name__)} received that cannot be read: {shown(error)}.") from None
    return _from_frame(frame, "a table")


def _from_frame(frame: Any, where: str) -> Columns:
    return _columns(where, {name: _series(frame[name]) for name in frame.columns})


def _series(series: Any) -> Any:
    if not series.dtype.is_numeric():
        return series.to_list()
    missing = np.asarray(series.is_null().to_numpy(), dtype=bool)
    return np.where(missing, np.nan, np.asarray(series.to_numpy(), dtype=np.float64))


def _plain(name: str, column: Any) -> Any:
    """Return a column of a mapping as numbers, or as a list."""
    mask = np.ma.getmaskarray(column) if np.ma.isMaskedArray(column) else None
    try:
        array = np.asarray(column)
    except Exception as error:  # each library has errors of its own
        raise InputError(f"column {shown(name)!r} that is no array received ({shown(error)}).") from None
    if array.ndim != 1:
        raise ShapeError(f"column {shown(name)!r} of shape {array.shape} received; (rows,) expected.")
    if array.dtype.kind not in "biuf":
        return array.tolist() if array.dtype.kind in "OU" else list(array)
    return np.where(False if mask is None else mask, np.nan, array.astype(np.float64))


def _columns(where: str, cells: Mapping[Any, Any]) -> Columns:
    lengths = sorted({len(column) for column in cells.values()})
    if len(lengths) != 1 or lengths == [0]:
        raise InputError(
            f"{where} with columns of {', '.join(map(str, lengths)) or 'no'} rows received; one length of at least 1 "
            "expected."
        )
    stripped = [str(name).strip() for name in cells]
    return Columns(where, dict(zip(_distinct(stripped, where), cells.values(), strict=True)), _row)


def _row(row: int) -> str:
    return f"row {row + 1}"


def _distinct(names: list[str], where: str) -> list[str]:
    doubles = [name for name, count in Counter(names).items() if count > 1]
    if doubles:
        raise InputError(f"{where}: column {shown(doubles[0])!r} received more than once; distinct names expected.")
    return names


def _from_file(source: str | os.PathLike[str], texts: Collection[str]) -> Columns:
    data, where = table_bytes(source)
    if is_parquet(data):
        return _from_frame(parquet_frame(data, where), where)
    table = read_csv_columns(data, where, texts)
    _distinct(list(table.header), where)
    cells = dict(zip(table.header, table.columns, strict=True))
    return Columns(where, cells, lambda row: f"line {table.lines[row]}", table.bad, table.decimal, table.notes)
