"""Tables with columns of numbers and of text: CSV, Parquet, data frames, mappings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np

from neuralgebra.errors import InputError, LoadError, shown
from neuralgebra.files.csv_text import decoded, look_of, rows_of
from neuralgebra.files.table import parquet_frame, table_bytes

__all__ = ["Columns", "read_columns"]

_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})
_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Columns:
    """A table by columns.

    Parameters
    ----------
    where : str
        What it was read from, for messages.
    cells : mapping of str to sequence
        Texts or numbers, one sequence for each column.
    decimal : str
        The decimal sign of numbers written as text.
    notes : tuple of str
        What was found out about the file.
    """

    where: str
    cells: Mapping[str, Any]
    decimal: str = "."
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Names of the columns."""
        return list(self.cells)

    def texts(self, name: str) -> list[str]:
        """Return a column as texts without blanks around them, "" where a cell is missing."""
        return ["" if _absent(cell) else str(cell).strip() for cell in self.cells[name]]

    def numbers(self, name: str) -> np.ndarray:
        """Return a column as numbers, NaN where a cell is missing.

        Raises
        ------
        LoadError
            For a cell that is no finite number; the message names row and column.
        """
        column = self.cells[name]
        if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
            found = column.astype(np.float64)
        else:
            found = np.array([self._number(name, i, cell) for i, cell in enumerate(column, 1)], dtype=np.float64)
        if np.isinf(found).any():
            raise self._bad(name, int(np.flatnonzero(np.isinf(found))[0]) + 1, "infinity")
        return found

    def _number(self, name: str, row: int, cell: Any) -> float:
        if not isinstance(cell, str):
            if _absent(cell):
                return np.nan
            try:
                return float(cell)
            except (TypeError, ValueError):
                raise self._bad(name, row, cell) from None
        text = cell.strip()
        if text.lower() in _MISSING:
            return np.nan
        if self.decimal == "," and not _COMMA.fullmatch(text) and ("." in text or "," in text):
            raise self._bad(name, row, cell, "Numbers with a decimal comma stand beside others; write all in one way.")
        try:
            return float("x" if "_" in text else text.replace(",", "."))
        except ValueError:
            raise self._bad(name, row, cell) from None

    def _bad(self, name: str, row: int, cell: Any, hint: str = "") -> LoadError:
        text = f"{self.where}: row {row}, column {shown(name)!r}: {shown(repr(cell))}; a finite number expected."
        return LoadError(f"{text}\n{hint}" if hint else text)


def _absent(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)


def read_columns(source: Any) -> Columns:
    """Return a table by columns.

    Parameters
    ----------
    source : str, os.PathLike, data frame or mapping
        A CSV file (separated by comma, semicolon or tab, with a header; a decimal comma is understood beside semicolons
        and tabs), a Parquet file, "-" for CSV from standard input; a frame of pandas, polars or another library that
        narwhals knows; a mapping of names to columns.

    Returns
    -------
    Columns
        The table.

    Raises
    ------
    LoadError
        When a file cannot be read, or has no header.
    InputError
        When columns have different lengths, or one name.
    """
    if isinstance(source, str | os.PathLike):
        return _from_file(source)
    if isinstance(source, Mapping):
        return _checked("a mapping", {str(name): np.asarray(column) for name, column in source.items()})
    try:
        frame = nw.from_native(source, eager_only=True)
    except TypeError:
        kind = type(source).__name__
        raise InputError(f"{shown(kind)} received; observations, points with y, a table or a file expected.") from None
    return _from_frame(frame, "a table")


def _from_frame(frame: Any, where: str) -> Columns:
    return _checked(where, {str(name): _column(frame[name]) for name in frame.columns})


def _column(series: Any) -> Any:
    if not series.dtype.is_numeric():
        return series.to_list()
    missing = np.asarray(series.is_null().to_numpy(), dtype=bool)
    return np.where(missing, np.nan, np.asarray(series.to_numpy(), dtype=np.float64))


def _checked(where: str, cells: Mapping[str, Any]) -> Columns:
    lengths = {len(column) for column in cells.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(f"{where} with columns of {sorted(lengths)} rows received; one length of at least 1 expected.")
    return Columns(where, cells)


def _from_file(source: str | os.PathLike[str]) -> Columns:
    data, where = table_bytes(source)
    if data.startswith(b"PAR1"):
        return _from_frame(parquet_frame(data, where), where)
    return _from_csv(data, where)


def _from_csv(data: bytes, where: str) -> Columns:
    text = decoded(data, where)
    look = look_of(text)
    rows = [(line, row) for line, row in rows_of(text, look, where)]
    if len(rows) < 2:
        raise LoadError(f"{where}: {len(rows)} rows received; a header and at least one row expected.")
    header = _header(rows[0][1], where)
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise LoadError(f"{where}: line {line}: {len(row)} cells received; {len(header)} expected.")
    cells = dict(zip(header, (list(column) for column in zip(*(row for _, row in rows[1:]), strict=True)), strict=True))
    decimal = "," if look.delimiter != "," and _has_commas(cells) else "."
    names = {";": "semicolon", "\t": "tab", ",": "comma"}
    notes = []
    if look.delimiter != ",":
        notes.append(f"columns separated by {names[look.delimiter]}" + (", decimal comma" if decimal == "," else ""))
    if data.startswith(b"\xef\xbb\xbf"):
        notes.append("byte order mark at the start")
    return Columns(where, cells, decimal, tuple(notes))


def _has_commas(cells: Mapping[str, Sequence[str]]) -> bool:
    return any(_COMMA.fullmatch(cell.strip()) for column in cells.values() for cell in column)


def _header(row: Sequence[str], where: str) -> list[str]:
    names = [name.strip() for name in row]
    if any(_COMMA.fullmatch(n) or _like_number(n) for n in names):
        raise LoadError(f"{where}: the first row {shown(', '.join(names))} has numbers; names of the columns expected.")
    doubles = [name for i, name in enumerate(names) if name in names[:i]]
    if doubles:
        raise InputError(f"{where}: column {shown(doubles[0])!r} received more than once; distinct names expected.")
    return names


def _like_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.lower() not in ("nan", "inf", "infinity")
