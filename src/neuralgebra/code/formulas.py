"""Formulas of a spreadsheet: for each number that a loop computes, the text of its cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from neuralgebra.code.cells import places
from neuralgebra.code.language import Language
from neuralgebra.code.statements import Access, Assignment, Buffer, Call, Expression, Load, Loop, walk
from neuralgebra.errors import UnsupportedError

__all__ = ["Area", "Formulas", "called", "cell_name"]

LENGTH, TERMS = 4000, 100
"""Characters and terms of one formula; Excel takes 8,192 and 255."""

_ARITHMETIC = {"add", "subtract", "multiply", "divide", "negative"}


@dataclass(frozen=True)
class Area:
    """Where the numbers of an array are: row by row, in cells of one sheet.

    Parameters
    ----------
    sheet : str
        The sheet.
    row, column : int
        The first cell, from 0.
    width : int
        Numbers in a row.
    entries : ndarray, optional
        For a packed array: which cells of the full one its entries take.
    """

    sheet: str
    row: int
    column: int
    width: int
    entries: np.ndarray | None = None

    def cell(self, place: int) -> tuple[int, int]:
        """Return row and column of a number."""
        flat = place if self.entries is None else int(self.entries[place])
        return self.row + flat // self.width, self.column + flat % self.width


@dataclass(frozen=True)
class _Range:
    """Cells that are a point, a part of a row, or a part of a column."""

    direction: str
    text: str


class Formulas(Language):
    """The formulas of Excel 2010 and later, and of LibreOffice."""

    key = "excel"
    title = "Excel workbook"
    suffix = ".xlsx"
    types: ClassVar = {"float64": "number"}
    infix: ClassVar = {"equal": "=", "not_equal": "<>"}
    functions: ClassVar = {
        "exp": "EXP({0})",
        "limited_exp": "EXP(MAX(-708,MIN(709,{0})))",
        "log": "LN({0})",
        **{name: f"{name.upper()}({{0}})" for name in ("sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign")},
        **{f"arc{name}": f"A{name.upper()}({{0}})" for name in ("tan", "sin", "cos", "sinh", "cosh")},
        "absolute": "ABS({0})",
        "power": "POWER({0},{1})",
        "maximum": "MAX({0},{1})",
        "largest": "MAX({0},{1})",
        "minimum": "MIN({0},{1})",
        "select": "IF({0},{1},{2})",
        "isinf": "FALSE",
        "isnan": "FALSE",
        "bitwise_or": "OR({0},{1})",
        "bitwise_and": "AND({0},{1})",
        "logical_not": "NOT({0})",
    }

    def __init__(self, program: Any, name: str) -> None:
        super().__init__(program, name)
        self.areas: dict[Buffer, Area] = {}
        self._reads: list[Access] = []

    # Expressions --------------------------------------------------------------------------------------------------

    def number(self, value: float) -> str:
        """Return a number; one of more than 15 digits, which are all that a formula can have, has a cell."""
        if not np.isfinite(value):
            raise UnsupportedError(f"the number {value} received; {self.title} has finite numbers only.")
        text = f"{value:.15g}".upper()
        return text if float(text) == value else self.constant_at(value)

    def constant_at(self, value: float) -> str:
        """Return the cell of a number that has too many digits for a formula."""
        raise NotImplementedError

    def read(self, access: Access, indices: Sequence[str]) -> str:
        """Return the mark for a number that is read."""
        del indices
        self._reads.append(access)
        return f"{{{len(self._reads) - 1}}}"

    def template(self, e: Expression, level: int = 0) -> tuple[str, list[Access]]:
        """Return an expression with a mark for each number that it reads, and where these are."""
        self._reads = []
        return self.express(e, (), level), self._reads

    # Cells --------------------------------------------------------------------------------------------------------

    def cell(self, buffer: Buffer, place: int, sheet: str) -> str:
        """Return the cell of a number, as it is called from a sheet."""
        area = self.areas[buffer]
        return called(sheet, area.sheet, cell_name(*area.cell(place)))

    def cells(self, loop: Loop, sheet: str) -> Iterator[tuple[int, list[str]]]:
        """Yield, for each number that a loop of one assignment computes, its place and its formula.

        Parameters
        ----------
        loop : Loop
            The loop.
        sheet : str
            Where the formulas stand.

        Yields
        ------
        place : int
            Place in the array.
        formula : list of str
            The formula; where that would be too long, the formulas of parts of a sum or a maximum.
        """
        (a,) = loop.body
        assert isinstance(a.target, Access)
        targets = places(a.target, loop.extents).ravel().tolist()
        if a.reduction:
            made: Iterator[list[str]] = self._reduced(a, loop.extents, sheet)
        else:
            made = ([text] for text in self._plain(a.value, loop.extents, sheet))
        yield from zip(targets, made, strict=True)

    def _plain(self, e: Expression, extents: Sequence[int], sheet: str, level: int = 0) -> Iterator[str]:
        template, reads = self.template(e, level)
        columns = [places(access, extents).ravel().tolist() for access in reads]
        for number in range(int(np.prod(extents))):
            yield template.format(*(self.cell(r.buffer, c[number], sheet) for r, c in zip(reads, columns, strict=True)))

    def _reduced(self, a: Assignment, extents: Sequence[int], sheet: str) -> Iterator[list[str]]:
        count = int(np.prod(extents))
        template, reads = self.template(a.value, 4)
        columns = [places(access, (*extents, a.depth)).reshape(count, a.depth) for access in reads]
        starts = iter([""] * count) if a.start is None else self._plain(a.start, extents, sheet, 3)
        for number, start in enumerate(starts):
            parts = [(r.buffer, c[number].tolist()) for r, c in zip(reads, columns, strict=True)]
            ranges = [self._range(buffer, where, sheet) for buffer, where in parts]
            short = _short(a, template, ranges)
            if short is not None:
                yield [f"{start}+{short}" if start else short]
            else:
                terms = [
                    template.format(*(self.cell(b, where[k], sheet) for b, where in parts)) for k in range(a.depth)
                ]
                yield _joined([*([start] if start else []), *terms], a.reduction)

    def _range(self, buffer: Buffer, where: Sequence[int], sheet: str) -> _Range:
        area = self.areas[buffer]
        cells = [area.cell(place) for place in where]
        (row, column), last = cells[0], cells[-1]
        directions = {
            "point": [(row, column)] * len(cells),
            "row": [(row, column + k) for k in range(len(cells))],
            "column": [(row + k, column) for k in range(len(cells))],
        }
        direction = next((d for d, wanted in directions.items() if cells == wanted), "")
        text = cell_name(row, column) if direction == "point" else f"{cell_name(row, column)}:{cell_name(*last)}"
        return _Range(direction, called(sheet, area.sheet, text))


def _short(a: Assignment, template: str, ranges: Sequence[_Range]) -> str | None:
    """Return a sum or a maximum as a function of ranges; None where there is no such function."""
    directions = {r.direction for r in ranges} - {"point"}
    if not directions or "" in directions:
        return None
    if a.reduction == "max":
        return f"MAX({ranges[0].text})" if isinstance(a.value, Load) else None
    factors = list(_factors(a.value))
    if all(isinstance(f, Load) for f in factors):
        return _product(
            [r.text for r in ranges if r.direction == "point"], [r for r in ranges if r.direction != "point"]
        )
    calls = [p.function for p in walk(a.value) if isinstance(p, Call)]
    if len(directions) == 1 and all(f in _ARITHMETIC for f in calls):
        return f"SUMPRODUCT({template.format(*(r.text for r in ranges))})"
    return None


def _product(points: Sequence[str], ranges: Sequence[_Range]) -> str | None:
    """Return the sum of products of ranges, times points."""
    if len({r.direction for r in ranges}) == 1:
        function = "SUM" if len(ranges) == 1 else "SUMPRODUCT"
        total = f"{function}({','.join(r.text for r in ranges)})"
    elif len(ranges) == 2:
        row, column = sorted(ranges, key=lambda r: r.direction, reverse=True)
        total = f"SUMPRODUCT(MMULT({row.text},{column.text}))"
    else:
        return None
    return "*".join([total, *points])


def _factors(e: Expression) -> Iterator[Expression]:
    if isinstance(e, Call) and e.function == "multiply":
        for argument in e.arguments:
            yield from _factors(argument)
    else:
        yield e


def _joined(terms: Sequence[str], reduction: str) -> list[str]:
    """Return terms as formulas of limited length, of which the sum or the maximum is wanted."""
    groups: list[list[str]] = [[]]
    length = 0
    for term in terms:
        if groups[-1] and (length + len(term) > LENGTH or len(groups[-1]) == TERMS):
            groups.append([])
            length = 0
        groups[-1].append(term)
        length += len(term) + 1
    return ["+".join(g) if reduction == "sum" else f"MAX({','.join(g)})" for g in groups]


@cache
def _letters(column: int) -> str:
    text = ""
    while column >= 0:
        text = chr(65 + column % 26) + text
        column = column // 26 - 1
    return text


def cell_name(row: int, column: int) -> str:
    """Return the name of a cell, such as B3."""
    return f"{_letters(column)}{row + 1}"


def _quoted(sheet: str) -> str:
    return sheet if sheet.isalpha() else f"'{sheet}'"


def called(here: str, sheet: str, text: str) -> str:
    """Return a cell or a range as it is called from a sheet."""
    return text if here == sheet else f"{_quoted(sheet)}!{text}"
