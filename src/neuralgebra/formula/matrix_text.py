"""The matrix form as text: equations with subscripts, then every number, row by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import sympy

from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.formula.layered import MatrixForm
from neuralgebra.formula.matrices import Matrix
from neuralgebra.functions.row import parsed

__all__ = ["MatrixText", "composed", "definition_of", "marked", "number", "subscripted"]

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_COMPOSED = 12  # so many layers are written as one expression


def subscripted(word: str) -> str:
    """Return a name with its numbers as subscripts: z₁."""
    return word.translate(_SUBSCRIPTS)


def number(value: float, digits: int | None) -> str:
    """Return a number with the shortest decimal that reads back, or rounded once."""
    return repr(float(value) if digits is None else float(f"{float(value):.{digits}g}"))


def marked(word: str, order: int) -> str:
    """Return the name of a derivative of a function, which may be one itself."""
    base, before = parsed(word)
    total = order + before
    return base + ("'" * total if total <= 2 else f"^({total})")


def definition_of(which: Any, order: int, symbol: Any) -> Any:
    """Return a function of the catalogue, or its derivative, as an expression."""
    return which.derivative(Symbols(), np.array([symbol], dtype=object), order)[0]


class MatrixText:
    """Matrices as text.

    Parameters
    ----------
    form : MatrixForm
        The equations; their functions have numbers where several share a name.
    """

    def __init__(self, form: MatrixForm) -> None:
        self.form = form

    def write(self, e: Matrix) -> str:
        """Return an expression."""
        return str(getattr(self, f"_{e.kind}")(e))

    def _within(self, e: Matrix) -> str:
        """Return a factor."""
        return f"({self.write(e)})" if e.kind in ("sum", "less", "hadamard") else self.write(e)

    def _name(self, e: Matrix) -> str:
        return subscripted(e.data)

    def _product(self, e: Matrix) -> str:
        vector = not e.columns
        return (" " if vector else " · ").join(map(self._within, e.parts))

    def _sum(self, e: Matrix) -> str:
        return " + ".join(map(self.write, e.parts))

    def _less(self, e: Matrix) -> str:
        return f"{self.write(e.parts[0])} - {self._within(e.parts[1])}"

    def _hadamard(self, e: Matrix) -> str:
        return " ∘ ".join(map(self._within, e.parts))

    def _diagonal(self, e: Matrix) -> str:
        return f"diag({self.write(e.parts[0])})"

    def _transposed(self, e: Matrix) -> str:
        inner = e.parts[0]
        return f"{self.write(inner)}ᵀ" if inner.kind == "name" else f"({self.write(inner)})ᵀ"

    def function(self, which: Any, order: int) -> str:
        """Return the name of a function; several of one name are numbered."""
        numbers = {n for (w, _), n in self.form.functions.items() if w.row.name == which.row.name}
        index = subscripted(str(self.form.functions[which, order])) if len(numbers) > 1 else ""
        return marked(which.row.name, order) + index

    def _function(self, e: Matrix) -> str:
        return f"{self.function(*e.data)}({self.write(e.parts[0])})"

    def _softmax(self, e: Matrix) -> str:
        return f"softmax({self.write(e.parts[0])})"

    def _stack(self, e: Matrix) -> str:
        return f"[{'; '.join(map(self.write, e.parts))}]"

    def _rows(self, e: Matrix) -> str:
        return f"{self._within(e.parts[0])}[{e.data[0]}..{e.data[1]}]"

    def _columns(self, e: Matrix) -> str:
        return f"{self._within(e.parts[0])}[:, {e.data[0]}..{e.data[1]}]"

    def _row(self, e: Matrix) -> str:
        if not e.parts:
            return "e[o]"
        inner = e.parts[0]
        return f"{self.write(inner)}ᵀ" if inner.rows == 1 else f"{self.write(inner)}[o]"

    def equation(self, left: str, right: Matrix) -> str:
        """Return an equation."""
        return f"{left} = {self.write(right)}"

    def hessian(self, terms: Sequence[Matrix]) -> list[str]:
        """Return the lines of the Hessian of one output."""
        left = f"∂²y{'[o]' if self.form.network.output_size > 1 else ''}/∂x²"
        if not terms:
            return [f"{left} = 0   no layer is curved"]
        first, *others = map(self.write, terms)
        return [f"{left} = {first}", *(f"{' ' * len(left)} + {other}" for other in others)]

    def lines(self) -> list[str]:
        """Return all equations."""
        form = self.form
        lines = [self.equation(subscripted(left.data), right) for left, right in form.values]
        whole = composed(form)
        lines += ["", f"y = {self.write(whole)}"] if whole is not None else []
        if form.jacobian is not None:
            lines += ["", *(self.equation(subscripted(left.data), right) for left, right in form.jacobians)]
            lines += [f"∂y/∂x = {self.write(form.jacobian)}"]
        if form.hessian is not None:
            lines += ["", *(self.equation(subscripted(left.data), right) for left, right in form.adjoints)]
            lines += self.hessian(form.hessian)
        return lines

    def numbers(self, digits: int | None) -> list[str]:
        """Return every weight and bias with its shape."""
        lines = []
        for word, array in self.form.numbers.items():
            lines += ["", f"{subscripted(word)}   {'×'.join(map(str, array.shape))}"]
            texts = [[number(v, digits) for v in row] for row in np.atleast_2d(array)]
            widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
            lines += ["  " + "  ".join(t.rjust(w) for t, w in zip(row, widths, strict=True)) for row in texts]
        return lines

    def definitions(self, written: Callable[[Any], str]) -> list[str]:
        """Return what each function is."""
        z = sympy.Symbol("z")
        pairs = [(f"{self.function(w, o)}(z)", written(definition_of(w, o, z))) for w, o in self.form.functions]
        lines = [f"{left} = {right}" for left, right in pairs if left != right]
        lines += [f"{word} = ∂{word[1:]}/∂x, {shape}" for word, shape in self._words(self.form.jacobians)]
        lines += [f"{word} = ∂y/∂{word[1:]}, {shape}" for word, shape in self._words(self.form.adjoints)]
        text = "\n".join(self.lines())
        lines += ["∘ and functions: element by element"] if re.search(r"[∘(]", text) else []
        lines += ["o = 1, …: the output; [o] is row o"] if "[o]" in text else []
        return [*lines, *(["e[o]: row o of the identity"] if "e[o]" in text else [])]

    def _words(self, equations: Sequence[tuple[Matrix, Matrix]]) -> list[tuple[str, str]]:
        return [(subscripted(left.data), left.shape) for left, _ in equations]


def composed(form: MatrixForm) -> Matrix | None:
    """Return y as one expression, W₂ σ(W₁ x + b₁) + b₂, where each value is used once and there are few layers."""
    values = {left.data: right for left, right in form.values}
    uses = [part.data for right in values.values() for part in _names(right) if part.data in values]
    if len(set(uses)) < len(uses) or not 1 < len(values) <= _COMPOSED:
        return None
    return _replaced(values["y"], values)


def _names(e: Matrix) -> list[Matrix]:
    return [e] if e.kind == "name" else [name for part in e.parts for name in _names(part)]


def _replaced(e: Matrix, values: dict[str, Matrix]) -> Matrix:
    if e.kind == "name":
        return _replaced(values[e.data], values) if e.data in values else e
    return Matrix(e.kind, e.rows, e.columns, tuple(_replaced(part, values) for part in e.parts), e.data)
