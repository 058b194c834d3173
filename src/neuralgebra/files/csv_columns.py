"""CSV files as columns of numbers and of texts, with a decimal point or a decimal comma."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from neuralgebra.errors import LoadError, shown
from neuralgebra.files.csv_text import Look, decoded, look_of, rows_of

__all__ = ["CsvColumns", "Texts", "number", "read_csv_columns"]

_CHUNK = 1 << 9
_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none"})
_NAMES = {";": "semicolons", "\t": "tabs", ",": "commas"}


@dataclass(frozen=True)
class Texts:
    """A column of texts.

    Parameters
    ----------
    distinct : tuple of str
        Each text once, in the order in which they appear.
    codes : ndarray of int, shape (rows,)
        The place of each row's text among them.
    """

    distinct: tuple[str, ...]
    codes: np.ndarray

    @staticmethod
    def of(cells: Iterable[str]) -> Texts:
        """Return cells as a column, without the blanks around them."""
        builder = _TextBuilder()
        builder.add(cells)
        return builder.column()


@dataclass(frozen=True)
class CsvColumns:
    """A CSV file by columns.

    Parameters
    ----------
    header : tuple of str
        Names of the columns, without blanks around them.
    columns : tuple of ndarray, Texts or None
        Numbers, NaN where a cell is empty; texts that were asked for; None for a column that is not all numbers.
    lines : sequence of int
        The line in which each row ends.
    decimal : str
        The decimal sign.
    notes : tuple of str
        What was found out about the file.
    where, text, look
        The file itself, from which a cell that is no number is found.
    """

    header: tuple[str, ...]
    columns: tuple[Any, ...]
    lines: Sequence[int]
    decimal: str
    notes: tuple[str, ...]
    where: str
    text: str = field(repr=False)
    look: Look

    def bad(self, name: str) -> LoadError:
        """Return the error that names the first cell of a column that is no number."""
        known = self.decimal == "," or self.look.delimiter == ","
        readings = [self._first(self.header.index(name), sign) for sign in (self.decimal if known else ".,")]
        line, cell = max(readings, key=lambda found: found[0])  # the decimal sign that goes further is the one meant
        where = f"{self.where}: line {line}, column {shown(name)!r}"
        return LoadError(f"{where}: {shown(cell)!r}; a finite number expected.{self._hint(cell)}")

    def _first(self, place: int, decimal: str) -> tuple[int, str]:
        """Return line and text of the first cell of a column that is no number."""
        for line, row in islice(rows_of(self.text, self.look, self.where), 1, None):
            if (value := number(row[place], decimal)) is None or math.isinf(value):
                return line, row[place]
        raise AssertionError

    def _hint(self, cell: str) -> str:
        if "." in cell and self.decimal == ",":
            return "\nOther numbers have a decimal comma: write all with one decimal sign, and none between thousands."
        if "," not in cell:
            return ""
        alone = self.look.delimiter == ","
        return "\nWrite decimals with a point" + (
            "." if alone else " or all with a comma, and nothing between thousands."
        )


def number(cell: str, decimal: str = ".") -> float | None:
    """Return the number that a cell says, NaN for an empty one, None for any other text.

    Parameters
    ----------
    cell : str
        Blanks around it do not count; "NaN", "NA" and "null" are empty too.
    decimal : {".", ","}
        The decimal sign; the other one is in no number.
    """
    text = cell.strip()
    if text.lower() in _MISSING:
        return math.nan
    if "_" in text or (decimal == "," and "." in text):
        return None
    try:
        return float(text.replace(decimal, "."))
    except ValueError:
        return None


class _TextBuilder:
    """Collects cells, each different one kept once."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}
        self.codes = array("q")

    def add(self, cells: Iterable[str]) -> None:
        seen = self.seen
        self.codes.extend(seen.setdefault(cell, len(seen)) for cell in cells)

    def column(self) -> Texts:
        stripped: dict[str, int] = {}
        places = [stripped.setdefault(text.strip(), len(stripped)) for text in self.seen]
        return Texts(tuple(stripped), np.array(places, dtype=int)[np.array(self.codes, dtype=int)])


class _NumberBuilder:
    """Collects cells as numbers, and the decimal signs in them; gives up at a cell that is none."""

    def __init__(self, comma: bool) -> None:
        self.signs = "." + "," * comma
        self.found: set[str] = set()
        self.parts: list[np.ndarray] | None = []

    def add(self, cells: Sequence[str]) -> None:
        if self.parts is None:
            return
        text = "\n".join(cells)
        self.found.update(sign for sign in ".," if sign in text)
        part = None
        if len(self.found) < 2 and self.found <= set(self.signs) and "_" not in text:
            part = _floats(cells, "," if "," in self.found else ".")
        if part is None:
            self.parts = None
        else:
            self.parts.append(part)

    def column(self, decimal: str) -> np.ndarray | None:
        """Return the numbers, or None if there are others, or their decimal sign is another."""
        return np.concatenate(self.parts) if self.parts and self.found <= {decimal} else None


def _floats(cells: Sequence[str], decimal: str) -> np.ndarray | None:
    """Return cells as finite numbers, each different one read once; None if there are others."""
    distinct = list(dict.fromkeys(cells))
    often = len(distinct) < len(cells) / 2  # coordinates of points come again in long tables
    found = _read(distinct if often else cells, decimal)
    if found is None or np.isinf(found).any():
        return None
    if not often:
        return found
    values = dict(zip(distinct, found.tolist(), strict=True))
    return np.fromiter(map(values.__getitem__, cells), np.float64, len(cells))


def _read(cells: Sequence[str], decimal: str) -> np.ndarray | None:
    points = cells if decimal == "." else [cell.replace(",", ".") for cell in cells]
    try:
        return np.fromiter(map(float, points), np.float64, len(points))
    except ValueError:
        slow = [number(cell) for cell in points]
        return None if None in slow else np.array(slow, dtype=np.float64)


def read_csv_columns(data: bytes, where: str, texts: Collection[str]) -> CsvColumns:
    """Return a CSV file by columns.

    Parameters
    ----------
    data : bytes
        UTF-8 text with a header.
    where : str
        What messages call it.
    texts : collection of str
        Names of columns that are texts, whatever they look like.

    Returns
    -------
    CsvColumns
        The table, of at least one row.

    Raises
    ------
    LoadError
        When there is no header or no row, and for rows of different lengths.
    """
    text = decoded(data, where)
    look = look_of(text)
    rows = rows_of(text, look, where)
    header = _header(next(rows, None), look, where)
    comma = look.delimiter != ","
    builders = [_TextBuilder() if name in texts else _NumberBuilder(comma) for name in header]
    lines = array("q")
    for chunk in iter(lambda: list(islice(rows, _CHUNK)), []):
        _check_widths(chunk, len(header), where)
        lines.extend(line for line, _ in chunk)
        for builder, column in zip(builders, zip(*(row for _, row in chunk), strict=True), strict=True):
            builder.add(column)
    if not lines:
        raise LoadError(f"{where}: a header without rows received; at least one row expected.")
    numeric = [b for b in builders if isinstance(b, _NumberBuilder) and b.parts]
    decimal = "," if any("," in b.found for b in numeric) else "."
    columns = tuple(b.column() if isinstance(b, _TextBuilder) else b.column(decimal) for b in builders)
    notes = tuple(_notes(data, look.delimiter, decimal))
    return CsvColumns(header, columns, lines, decimal, notes, where, text, look)


def _notes(data: bytes, delimiter: str, decimal: str) -> Iterator[str]:
    if delimiter != ",":
        yield f"columns separated by {_NAMES[delimiter]}" + (", decimal comma" if decimal == "," else "")
    if data.startswith(b"\xef\xbb\xbf"):
        yield "byte order mark at the start"


def _check_widths(chunk: Sequence[tuple[int, list[str]]], width: int, where: str) -> None:
    if {len(row) for _, row in chunk} != {width}:
        line, row = next((line, row) for line, row in chunk if len(row) != width)
        raise LoadError(f"{where}: line {line}: {len(row)} cells received; {width} expected.")


def _header(first: tuple[int, list[str]] | None, look: Look, where: str) -> tuple[str, ...]:
    if first is None:
        raise LoadError(f"{where}: no rows received; a header and at least one row expected.")
    names = tuple(name.strip() for name in first[1])
    if not look.header and any(_is_finite(name) for name in names):
        raise LoadError(
            f"{where}: the first row {shown(', '.join(names), 200)} has numbers; names of the columns expected.\n"
            "Names that are numbers are written in quotes."
        )
    return names


def _is_finite(name: str) -> bool:
    return any((value := number(name, sign)) is not None and math.isfinite(value) for sign in ".,")
