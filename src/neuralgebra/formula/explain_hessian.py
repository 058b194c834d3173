"""The second derivative of one network, written out: the sum over its layers, in matrix form and in index form."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from neuralgebra.formula.layered import MatrixForm
from neuralgebra.formula.matrices import Matrix
from neuralgebra.formula.matrix_notations import MatrixLatex
from neuralgebra.formula.matrix_text import MatrixText, subscripted

__all__ = ["HessianExplanation", "aligned"]

_ZERO = "0   every activation is piecewise linear: its second derivative is 0 wherever it exists"


class Definitions(Protocol):
    """What states the values of a network."""

    def definitions(self) -> list[str]:
        """Return them as text."""

    def latex_definitions(self) -> list[str]:
        """Return them as LaTeX."""


@dataclass(frozen=True)
class HessianExplanation:
    """The Hessian of a chain of layers, ready to print.

    Parameters
    ----------
    form : MatrixForm
        Jacobians J, adjoints Λ and the terms of the Hessian.
    values : Definitions
        What z₁, a₁, … are.
    """

    form: MatrixForm
    values: Definitions

    def __str__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return self.latex()

    @property
    def _outputs(self) -> int:
        return self.form.network.output_size

    def text(self) -> str:
        """Return definitions, matrix form with a shape under every factor, and index form, as text."""
        named, inner = self.form.jacobians, self.form.adjoints
        lines = [*self.values.definitions(), "", "matrix form"]
        for (left, right), what in [*((e, "∂{}/∂x") for e in named), *((e, "∂y/∂{}") for e in inner)]:
            word = subscripted(left.data)
            lines += _shaped(self._text, f"{word} = {what.format(word[1:])}", left.shape, right)
        head = "∂²y[o]/∂x²" if self._outputs > 1 else "∂²y/∂x²"
        return "\n".join([*lines, *self._terms(head), "", "index form", *self._indexed()])

    @property
    def _text(self) -> MatrixText:
        return MatrixText(self.form)

    def _terms(self, head: str) -> list[str]:
        """Return the terms of the Hessian, one below the other, with their shapes."""
        terms, n = self.form.hessian or [], self.form.network.input_size
        if not terms:
            return [f"  {head} = {_ZERO}"]
        first, *others = terms
        lines = _shaped(self._text, head, f"{n}×{n}", first)
        for term in others:
            lines += _shaped(self._text, "", "", term, len(head))
        return [*lines, *(["  [o] is row o of a matrix, e[o] that of the identity"] if self._outputs > 1 else [])]

    # Index form -----------------------------------------------------------------------------------------------------

    @property
    def _row(self) -> str:
        """The index of the output; none where y is a sum, whose only row of weights has none either."""
        _, last = self.form.values[-1]
        return "o" if self._outputs > 1 else "1" if last.kind == "function" else ""

    def _indexed(self) -> list[str]:
        o, lines = self._row, []
        for left, right in self.form.jacobians:
            lines.append(f"  {subscripted(left.data)}[i,k] = {self._entries(right, 'i', 'k')}")
        for left, right in self.form.adjoints:
            lines.append(f"  {subscripted(left.data)}[{_pair(o, 'i')}] = {self._entries(right, o, 'i')}")
        head = f"∂²y{'[o]' if o == 'o' else ''}/∂x[k]∂x[l]"
        terms = [self._term(term) for term in self.form.hessian or []] or [_ZERO]
        lines.append(f"  {head} = {terms[0]}")
        return [*lines, *(f"  {' ' * len(head)} + {term}" for term in terms[1:])]

    def _entries(self, e: Matrix, row: str, column: str) -> str:
        """Return the entry of a product of matrices and diagonals; one of diagonals alone is zero beside its own."""
        factors = e.parts if e.kind == "product" else (e,)
        if all(factor.kind == "diagonal" for factor in factors):
            unit = [f"I[{row},{column}]"] if row else []
            return " ".join([*unit, *(self._entry(factor.parts[0], column) for factor in factors)])
        names, text = _index_names({row, column}), []
        last = max(i for i, factor in enumerate(factors) if factor.kind != "diagonal")
        for i, factor in enumerate(factors):
            if factor.kind == "diagonal":
                text.append(self._entry(factor.parts[0], row))
                continue
            following = column if i == last else next(names)
            text += [] if following == column else [f"Σ_{{{following}=1..{factor.columns}}}"]
            text.append(f"{self._text.write(factor)}[{_pair(row, following)}]")
            row = following
        return " ".join(text)

    def _entry(self, vector: Matrix, index: str) -> str:
        """Return the entry of a vector of slopes."""
        if vector.kind == "hadamard":
            return " ".join(self._entry(part, index) for part in vector.parts)
        if vector.kind == "row":
            word = self._text.write(vector.parts[0]) if vector.parts else "I"
            return f"{word}[{_pair(self._row, index)}]"
        inner = self._text.write(vector.parts[0])
        return f"{self._text.function(*vector.data)}({inner}[{index}])"

    def _term(self, term: Matrix) -> str:
        """Return Σ over the units of one layer: the curvature times two entries of its Jacobian."""
        middle, right = term.parts[-2], term.parts[-1]
        word = self._text.write(right)
        curvature = self._entry(middle.parts[0], "i")
        return f"Σ_{{i=1..{middle.rows}}} {curvature} {word}[i,k] {word}[i,l]"

    # LaTeX ----------------------------------------------------------------------------------------------------------

    def latex(self) -> str:
        r"""Return definitions and matrix form, with a shape under every factor, as LaTeX."""
        writer = MatrixLatex(self.form)
        lines = self.values.latex_definitions()
        for left, right in [*self.form.jacobians, *self.form.adjoints]:
            word = left.data[1:]
            above, below = (writer.word(word), "x") if left.data[0] == "J" else ("y", writer.word(word))
            partial = rf"\frac{{\partial {above}}}{{\partial {below}}}"
            lines.append(f"{writer.word(left.data)} &= {partial} = {_braced(writer, right)}")
        y = "y_{o}" if self._outputs > 1 else "y"
        first, *others = [_braced(writer, term) for term in self.form.hessian or []] or ["0"]
        lines.append(rf"\frac{{\partial^{{2}} {y}}}{{\partial x^{{2}}}} &= {first}")
        return aligned([*lines, *(f"&\\quad + {other}" for other in others)])


def aligned(lines: Sequence[str]) -> str:
    """Return lines as a LaTeX aligned environment."""
    return "$$\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$$"


def _index_names(taken: set[str]) -> Iterator[str]:
    letters = itertools.chain("jmpqrstuvw", (f"j{n}" for n in itertools.count(1)))
    return (letter for letter in letters if letter not in taken)


def _pair(row: str, column: str) -> str:
    return f"{row},{column}" if row else column


def _shaped(writer: MatrixText, head: str, shape: str, e: Matrix, width: int = 0) -> list[str]:
    """Return an equation and, below it, the shape of every factor; without a head a further term."""
    factors = e.parts if e.kind == "product" else (e,)
    texts, shapes = [writer.write(f) for f in factors], [f.shape for f in factors]
    widths = [max(len(t), len(s)) for t, s in zip(texts, shapes, strict=True)]
    first = " · ".join(t.center(w) for t, w in zip(texts, widths, strict=True))
    second = "   ".join(s.center(w) for s, w in zip(shapes, widths, strict=True))
    left = f"  {head} = " if head else f"  {' ' * width} + "
    return [
        f"{left}{first}".rstrip(),
        f"  {shape.center(len(left) - 5) if head else ' ' * (len(left) - 5)}   {second}".rstrip(),
    ]


def _braced(writer: MatrixLatex, e: Matrix) -> str:
    factors = e.parts if e.kind == "product" else (e,)
    shapes = [f.shape.replace("×", r"\times ") for f in factors]
    return r" \, ".join(rf"\underbrace{{{writer.write(f)}}}_{{{s}}}" for f, s in zip(factors, shapes, strict=True))
