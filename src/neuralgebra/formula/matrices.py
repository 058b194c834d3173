"""The matrix form: a network layer by layer, its Jacobian as products, its Hessian as a sum of products.

Vectors are columns. With J_p = ∂p/∂x and Λ_p = ∂y/∂p for the value p at some place,

    ∂²y[o]/∂x² = Σ J_zᵀ diag(Λ_a[o] ∘ σ''(z)) J_z  +  Σ J_uᵀ diag(Λ_p[o]) J_v + J_vᵀ diag(Λ_p[o]) J_u

over all activations a = σ(z), and over all products p = u ∘ v.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from neuralgebra.errors import UnsupportedError

__all__ = [
    "Matrix",
    "columns",
    "diagonal",
    "function",
    "hadamard",
    "less",
    "name",
    "plus",
    "product",
    "row",
    "rows",
    "softmax",
    "stack",
    "transposed",
]


@dataclass(frozen=True)
class Matrix:
    """An expression in matrices.

    Parameters
    ----------
    kind : str
        What it is made by.
    rows, columns : int
        Its shape; columns are 0 for a vector.
    parts : tuple of Matrix
        What it is made of.
    data : object
        The name, or the function and the order of its derivative, or the first and the last row.
    """

    kind: str
    rows: int
    columns: int
    parts: tuple[Matrix, ...] = ()
    data: Any = None

    @property
    def shape(self) -> str:
        """The shape as text."""
        return f"{self.rows}×{self.columns}" if self.columns else str(self.rows)


def name(word: str, rows: int, columns: int = 0) -> Matrix:
    """Return a name: a letter for what it is, then that of the place."""
    return Matrix("name", rows, columns, data=word)


def product(*factors: Matrix | None) -> Matrix | None:
    """Return a product; None is the identity."""
    flat: list[Matrix] = []
    for factor in factors:
        if factor is not None:
            flat += factor.parts if factor.kind == "product" else [factor]
    if len(flat) < 2:
        return flat[0] if flat else None
    return Matrix("product", flat[0].rows, flat[-1].columns, tuple(flat))


def plus(terms: Iterable[Matrix | None]) -> Matrix | None:
    """Return a sum; None alone is the identity."""
    found = list(terms)
    if len(found) == 1:
        return found[0]
    given = [term for term in found if term is not None]
    if len(given) < len(found):
        raise UnsupportedError("the inputs themselves are added to a value; f.formula(order).text() writes it.")
    parts = [part for term in given for part in (term.parts if term.kind == "sum" else (term,))]
    return Matrix("sum", given[0].rows, given[0].columns, tuple(parts))


def less(a: Matrix, b: Matrix) -> Matrix:
    """Return a - b."""
    return Matrix("less", a.rows, a.columns, (a, b))


def hadamard(a: Matrix, b: Matrix) -> Matrix:
    """Return the product element by element."""
    return Matrix("hadamard", a.rows, a.columns, (a, b))


def diagonal(vector: Matrix) -> Matrix:
    """Return the diagonal matrix of a vector."""
    return Matrix("diagonal", vector.rows, vector.rows, (vector,))


def transposed(a: Matrix) -> Matrix:
    """Return the transpose; that of a vector is a row."""
    return Matrix("transposed", a.columns or 1, a.rows, (a,))


def function(which: Any, order: int, argument: Matrix) -> Matrix:
    """Return an activation, or its derivative of an order, element by element."""
    return Matrix("function", argument.rows, argument.columns, (argument,), (which, order))


def softmax(argument: Matrix) -> Matrix:
    """Return softmax."""
    return Matrix("softmax", argument.rows, 0, (argument,))


def stack(parts: Iterable[Matrix]) -> Matrix:
    """Return matrices or vectors one below the other."""
    found = tuple(parts)
    return found[0] if len(found) == 1 else Matrix("stack", sum(p.rows for p in found), found[0].columns, found)


def rows(a: Matrix, start: int, stop: int) -> Matrix:
    """Return rows start + 1 to stop."""
    return a if (start, stop) == (0, a.rows) else Matrix("rows", stop - start, a.columns, (a,), (start + 1, stop))


def columns(a: Matrix, start: int, stop: int) -> Matrix:
    """Return columns start + 1 to stop."""
    return Matrix("columns", a.rows, stop - start, (a,), (start + 1, stop))


def row(a: Matrix | None, size: int) -> Matrix:
    """Return row o, as a vector; that of the identity is e[o]."""
    return Matrix("row", size, 0, () if a is None else (a,))
