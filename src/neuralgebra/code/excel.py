"""A workbook that computes a network and its derivatives: every number is a cell, every step a formula.

The first sheet has the inputs, which a person changes, and the values; further sheets the derivatives, the weights and
the steps on the way. The sheet "check" compares what the workbook itself computes at some points, on sheets of their
own, with what is to come out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from neuralgebra.code.cells import Memory, evaluated, separated
from neuralgebra.code.formulas import Area, Formulas, called, cell_name
from neuralgebra.code.program import Function, Program, Result
from neuralgebra.code.selftest import Check, Checked, points_for
from neuralgebra.code.statements import Access, Buffer, Loop
from neuralgebra.code.workbook import Book, Sheet
from neuralgebra.errors import ResourceError

__all__ = ["Excel"]

CELLS, COLUMNS = 300_000, 16_000
"""Cells of a workbook, and columns of a sheet, that are written at most."""

_WIDEST = 1_000
_SHEETS = {
    "y": ("value", "values"),
    "jac": ("Jacobian", "first derivatives: row output, column input"),
    "hess": ("Hessian", "second derivatives of each output: row and column are the inputs"),
    "third": ("third derivatives", "third derivatives of each output: rows and column are the inputs"),
    "jv": ("J v", "product of the Jacobian and the direction v"),
    "jtw": ("w J", "gradient of the outputs weighted by w"),
    "hv": ("w H v", "product of the Hessian of the outputs, weighted by w, and the direction v"),
}
_WORDS = {"x": "inputs", "v": "direction", "w": "weights"}


class Excel(Formulas):
    """A workbook of the highest order that was asked for, and of products."""

    def __init__(self, program: Program, name: str) -> None:
        super().__init__(program, name)
        self._constants_at: dict[float, str] = {}
        self._rows: dict[str, int] = {}
        self._widest: dict[str, int] = {}
        self._expect_small()  # before a self-test is computed

    # What is written ----------------------------------------------------------------------------------------------

    @cached_property
    def parts(self) -> list[tuple[Function, list[Loop]]]:
        """The functions that are written, as loops of one assignment each."""
        products = [f for f in self.program.functions if f.suffix in ("jvp", "vjp", "hvp")]
        orders = [f for f in self.program.functions if f not in products]
        return [(f, separated(f, self)) for f in (*orders[-1:], *products)]

    @cached_property
    def results(self) -> dict[Buffer, Result]:
        """What they give."""
        return {b: r for f, _ in self.parts for b, r in zip(f.outputs, f.results, strict=True)}

    @cached_property
    def tested(self) -> list[Check]:
        """The self-tests of these functions."""
        written = {f.suffix for f, _ in self.parts}
        return [c for c in self.program.checks if c.function.suffix in written]

    @property
    def size(self) -> int:
        """How many cells with numbers there will be."""
        steps = sum(math.prod(loop.extents) for _, loops in self.parts for loop in loops)
        copies = 1 + (self.tested[0].points if self.tested else 0)
        compared = sum(4 * r.count * c.points for c in self.tested for r in c.results)
        return steps * copies + compared + sum(b.size for b in self._weights)

    @property
    def _weights(self) -> list[Buffer]:
        return [b for b in self.program.constants if b.values is not None and b.values.dtype.kind != "i"]

    def content(self) -> bytes:
        """Return the bytes of the workbook."""
        self._expect_small()
        points = range(self.tested[0].points if self.tested else 0)
        copies = [f"check {p + 1}" for p in points]
        sheets = [_SHEETS[r.name][0] for r in self.results.values()]
        self.book = Book(self._title, [*sheets, *(["check"] if self.tested else []), "weights", "steps", *copies])
        self._write_weights()
        self._write_results(self._given(0))
        comparisons = [row for p in points for row in self._compared(p, copies[p])]
        if self.tested:
            self._write_check(comparisons)
        self._write_numbers()
        return self.book.data()

    @property
    def _title(self) -> str:
        m, n = self.program.network.shape
        return f"{self.name}: {n} input{'s' * (n > 1)}, {m} output{'s' * (m > 1)}"

    def _expect_small(self) -> None:
        """Refuse what would be too large."""
        widest = max(self.program.network.shape)
        if widest > COLUMNS:
            raise ResourceError(f"the workbook would have {widest:,} columns; at most {COLUMNS:,} are written.")
        if self.size > CELLS:
            raise ResourceError(
                f"the workbook would have {self.size:,} cells; at most {CELLS:,} are written.\n"
                "Lower the order, or take a language with loops, such as c."
            )

    def _given(self, point: int) -> dict[str, np.ndarray]:
        """Return the arguments at a point of the self-test, or those that stand in a workbook without one."""
        network = self.program.network
        given = {"v": np.ones(network.input_size), "w": np.ones(network.output_size)}
        if not self.tested:
            given["x"] = points_for(network)[0]
        for check in self.tested:
            for buffer, values in zip(check.function.inputs, check.given, strict=True):
                assert values.values is not None
                given[buffer.name] = values.values.reshape(check.points, -1)[point]
        used = {b.name for f, _ in self.parts for b in f.inputs}
        return {name: given[name] for name in ("x", "v", "w") if name in used}

    # Weights ------------------------------------------------------------------------------------------------------

    def _write_weights(self) -> None:
        sheet = self._headed("weights", "weights of the network, and other numbers that the formulas need", "array")
        for buffer in self._weights:
            assert buffer.values is not None
            area = self._area("weights", buffer, self._width(buffer))
            for place, value in enumerate(buffer.values.tolist()):
                sheet.number(*area.cell(place), value)

    def items(self, buffer: Buffer) -> list[str]:
        """Return the entries of an array as its cells hold them, bit for bit."""
        assert buffer.values is not None
        return [repr(value) for value in buffer.values.tolist()]

    def _width(self, buffer: Buffer) -> int:
        """Return how many numbers of a constant stand in a row: as in the array of the network that it is."""
        for array in self.program.network.arrays:
            if array.size == buffer.size and array.astype(self.dtype).tobytes() == buffer.values.tobytes():  # type: ignore[union-attr]
                return min(_WIDEST, int(array.shape[-1]))
        return _square(buffer.size)

    def constant_at(self, value: float) -> str:
        """Return the cell of a number that has too many digits for a formula."""
        if value not in self._constants_at:
            row = self._rows["weights"] + len(self._constants_at)
            self._constants_at[value] = f"weights!{cell_name(row, 2)}"
        return self._constants_at[value]

    def _write_numbers(self) -> None:
        """Write the numbers that had too many digits for a formula."""
        sheet, row = self.book.sheets["weights"], self._rows["weights"]
        for number, value in enumerate(self._constants_at):
            sheet.text(row + number, 0, "" if number else "numbers", "name")
            sheet.number(row + number, 1, number + 1, "count")
            sheet.number(row + number, 2, value)
        self._number_columns("weights")

    # Steps --------------------------------------------------------------------------------------------------------

    def _headed(self, name: str, note: str, what: str) -> Sheet:
        """Return a sheet of arrays with its first rows."""
        sheet = self.book.sheets[name]
        sheet.text(0, 0, self._title, "title")
        sheet.text(1, 0, note, "note")
        sheet.text(2, 0, what, "first")
        sheet.text(2, 1, "row", "head")
        sheet.freeze(3, 2)
        self._rows[name], self._widest[name] = 3, 0
        return sheet

    def _number_columns(self, name: str) -> None:
        """Write the numbers of the columns above the arrays of a sheet."""
        sheet = self.book.sheets[name]
        for column in range(self._widest[name]):
            sheet.number(2, column + 2, column + 1, "head")
        sheet.columns(0, 0, 18)
        sheet.columns(1, 1, 5)
        sheet.columns(2, self._widest[name] + 1, 15)

    def _area(self, name: str, buffer: Buffer, width: int, label: str = "") -> Area:
        """Return a new area below all others of a sheet, with its labels."""
        sheet, row = self.book.sheets[name], self._rows[name]
        rows = -(-buffer.size // width)
        sheet.text(row, 0, label or buffer.name, "name")
        for number in range(rows if rows > 1 else 0):
            sheet.number(row + number, 1, number + 1, "count")
        self._rows[name] += rows + 1
        self._widest[name] = max(self._widest[name], width)
        self.areas[buffer] = Area(name, row, 2, width)
        return self.areas[buffer]

    def _write_steps(self, name: str, given: dict[str, np.ndarray], known: dict[str, Area]) -> Memory:
        """Write the formulas of all functions; arguments and results are where it is known, or on the same sheet."""
        memory: dict[Buffer, np.ndarray] = {}
        for function, loops in self.parts:
            placed = set[Buffer]()
            for buffer in (*function.inputs, *function.outputs):
                if buffer.name in known:
                    self.areas[buffer] = known[buffer.name]
                    placed.add(buffer)
            for buffer in function.inputs:
                memory[buffer] = given[buffer.name]
                if buffer not in placed:
                    known[buffer.name] = self._area(name, buffer, min(buffer.size, _WIDEST))
                    for place, value in enumerate(given[buffer.name].tolist()):
                        self.book.sheets[name].number(*known[buffer.name].cell(place), value, "input")
            evaluated(loops, memory)
            for loop in loops:
                self._write_loop(name, loop, memory, placed)
        self._number_columns(name)
        return memory

    def _write_loop(self, name: str, loop: Loop, memory: Memory, placed: set[Buffer]) -> None:
        (a,) = loop.body
        assert isinstance(a.target, Access)
        buffer = a.target.buffer
        if buffer not in placed and buffer.role != "input":
            self._area(name, buffer, self._width_of(buffer, a.target, loop.extents))
            placed.add(buffer)
        area = self.areas[buffer]
        sheet, style = self.book.sheets[area.sheet], "number" if area.sheet == name else "result"
        for place, formulas in self.cells(loop, area.sheet):
            text = formulas[0] if len(formulas) == 1 else self._of_pieces(name, buffer, formulas, a.reduction, area)
            sheet.formula(*area.cell(place), text, float(memory[buffer][place]), style)

    def _of_pieces(self, name: str, buffer: Buffer, formulas: Sequence[str], reduction: str, target: Area) -> str:
        """Write the pieces of a sum or a maximum in cells of their own; return the formula that joins them."""
        pieces = Buffer(buffer.name, len(formulas), "local")
        area = self._area(
            target.sheet if target.sheet == name else name, pieces, len(formulas), f"{buffer.name} pieces"
        )
        for place, text in enumerate(formulas):
            self.book.sheets[area.sheet].formula(*area.cell(place), text, "")
        cells = f"{cell_name(*area.cell(0))}:{cell_name(*area.cell(len(formulas) - 1))}"
        return f"{'SUM' if reduction == 'sum' else 'MAX'}({called(target.sheet, area.sheet, cells)})"

    def _width_of(self, buffer: Buffer, target: Access, extents: Sequence[int]) -> int:
        """Return how many numbers of an array stand in a row: as many as its last index has values."""
        if buffer in self.results:
            return self.results[buffer].shape[-1] if self.results[buffer].entries is None else _square(buffer.size)
        along = [n for n, stride in zip(extents, target.strides, strict=False) if stride == 1]
        width = along[0] if along and buffer.size % along[0] == 0 else buffer.size
        return min(_WIDEST, width)

    # Arguments and results ----------------------------------------------------------------------------------------

    def _axes(self, result: Result) -> list[tuple[str, ...]]:
        """Return the names along each axis of a result."""
        network = self.program.network
        of_inputs = [network.input_names] * (len(result.shape) - 1)
        return [network.input_names if result.name in ("jtw", "hv") else network.output_names, *of_inputs]

    def _write_results(self, given: dict[str, np.ndarray]) -> None:
        """Write the arguments, which a person changes, the steps, and the results."""
        known = self._write_arguments(given)
        for result in self.results.values():
            known[result.name] = self._result_area(result, self._rows["value"])
        self._headed("steps", "every step from the arguments on the sheet 'value' to the results", "array")
        self._write_steps("steps", given, known)

    def _write_arguments(self, given: dict[str, np.ndarray]) -> dict[str, Area]:
        network, sheet = self.program.network, self.book.sheets["value"]
        sheet.text(0, 0, self._title, "title")
        sheet.text(1, 0, "Yellow cells are arguments: change them, and all sheets follow.", "note")
        if self.tested:
            sheet.text(2, 0, "self-test", "name")
            sheet.formula(2, 1, "check!B3", "OK", "verdict")
        known, row = dict[str, Area](), 4
        for name, values in given.items():
            names = network.output_names if name == "w" else network.input_names
            known[name] = Area("value", row + 1, 1, len(values))
            sheet.text(row, 0, _WORDS[name], "first")
            sheet.text(row + 1, 0, name, "name")
            for column, (word, value) in enumerate(zip(names, values.tolist(), strict=True), 1):
                sheet.text(row, column, word, "head")
                sheet.number(row + 1, column, value, "input")
            row += 3
        sheet.columns(0, 0, 12)
        for column, words in enumerate(
            itertools.zip_longest(network.input_names, network.output_names, fillvalue=""), 1
        ):
            sheet.columns(column, column, _wide(words))
        self._rows["value"] = row
        return known

    def _result_area(self, result: Result, row: int) -> Area:
        """Write the labels of a result; return where its numbers go."""
        title, note = _SHEETS[result.name]
        sheet, names = self.book.sheets[title], self._axes(result)
        lead = max(1, len(names) - 1)
        if result.name == "y":
            sheet.text(row, 0, "outputs", "first")
        else:
            row = 3
            sheet.text(0, 0, f"{title} of {self._title}", "title")
            sheet.text(1, 0, note, "note")
            sheet.freeze(4, lead)
            for column in range(lead):
                sheet.text(3, column, ("output", "input", "input")[column] if len(names) > 1 else "", "first")
                sheet.columns(column, column, _wide(names[column]))
        for column, word in enumerate(names[-1], lead):
            sheet.text(row, column, word, "head")
            if result.name != "y":
                sheet.columns(column, column, _wide([word]))
        for number, words in enumerate(_combined(names[:-1]) if len(names) > 1 else [(result.name,)]):
            for column, word in enumerate(words):
                sheet.text(row + 1 + number, column, word, "name")
        return Area(title, row + 1, lead, result.shape[-1], result.entries)

    # The self-test ------------------------------------------------------------------------------------------------

    def _compared(self, point: int, name: str) -> Iterator[tuple[int, str, str, float, float, float]]:
        """Write the steps at a point of the self-test; yield point, label, cell, its value, what it is to be, bound."""
        self._headed(name, f"the steps at point {point + 1} of the self-test", "array")
        memory = self._write_steps(name, self._given(point), {})
        for check in self.tested:
            for tested in check.results:
                yield from self._entries(point, tested, memory)

    def _entries(
        self, point: int, tested: Checked, memory: Memory
    ) -> Iterator[tuple[int, str, str, float, float, float]]:
        result = self.results[tested.result]
        assert tested.wanted.values is not None
        assert tested.bounds.values is not None
        wanted = tested.wanted.values.reshape(-1, tested.count)[point].tolist()
        bound = float(tested.bounds.values[point])
        for number, value in enumerate(wanted):
            place = number * tested.step
            at = self.cell(tested.result, place, "check")
            yield point, self._label(result, place), at, float(memory[tested.result][place]), value, bound

    def _label(self, result: Result, place: int) -> str:
        """Return what an entry of a result is called: y1, dy1/dx1, d2y1/dx1 dx2, …."""
        flat = place if result.entries is None else int(result.entries[place])
        indices = np.unravel_index(flat, result.shape)
        first, *others = (names[i] for names, i in zip(self._axes(result), indices, strict=True))
        if result.name not in ("y", "jac", "hess", "third"):
            return f"{_SHEETS[result.name][0]}: {first}"
        order = str(len(others)) if len(others) > 1 else ""
        return f"d{order}{first}/" + " ".join(f"d{o}" for o in others) if others else first

    def _write_check(self, rows: Sequence[tuple[int, str, str, float, float, float]]) -> None:
        sheet, last = self.book.sheets["check"], len(rows) + 5
        sheet.text(0, 0, f"self-test of {self._title}", "title")
        sheet.text(1, 0, "Entries are right when they are no further off than rounding can explain.", "note")
        sheet.text(2, 0, "verdict", "name")
        wrong = sum(not abs(got - wanted) <= bound for _, _, _, got, wanted, bound in rows)
        count = f"SUM(F6:F{last})"
        sheet.formula(2, 1, f'IF({count}=0,"OK",{count})', wrong or "OK", "verdict")
        for column, word in enumerate(("point", "entry", "computed here", "wanted", "bound", "wrong")):
            sheet.text(4, column, word, "first" if column < 2 else "head")
        for row, (point, label, at, got, wanted, bound) in enumerate(rows, 5):
            sheet.number(row, 0, point + 1, "count")
            sheet.text(row, 1, label, "name")
            sheet.formula(row, 2, at, got)
            sheet.number(row, 3, wanted)
            sheet.number(row, 4, bound)
            within = f"IF(ISNUMBER(C{row + 1}),IF(ABS(C{row + 1}-D{row + 1})<=E{row + 1},0,1),1)"
            sheet.formula(row, 5, within, float(not abs(got - wanted) <= bound))
        sheet.freeze(5, 2)
        sheet.columns(0, 0, 8)
        sheet.columns(1, 1, _wide([label for _, label, *_ in rows]))
        sheet.columns(2, 4, 15)
        sheet.columns(5, 5, 8)


def _combined(names: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """Yield all combinations of names, the last changing first."""
    for indices in np.ndindex(*map(len, names)):
        yield tuple(axis[i] for axis, i in zip(names, indices, strict=True))


def _wide(names: Sequence[str]) -> float:
    """Return the width of columns that hold names and numbers, in characters."""
    return min(40, max(15, *(len(name) + 2 for name in names)))


def _square(size: int) -> int:
    """Return the side of a square array, or the size of another."""
    side = math.isqrt(size)
    return side if side * side == size else min(size, _WIDEST)
