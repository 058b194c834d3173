"""Jets: truncated Taylor polynomials of a batch, and their products.

A jet holds, level by level, the coefficients that its indices name; the array of level l has shape (K_l, ..., n), K_l
the number of indices of order l. A level that is identically zero is None. Levels are computed one after another and
never change once they stand.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.indices import Indices

__all__ = ["Jet", "convolve", "correlate", "filled", "total"]


@dataclass(eq=False)
class Jet:
    """Taylor coefficients of a vector, level by level.

    Parameters
    ----------
    indices : Indices
        Which coefficients.
    levels : list of array or None
        Those computed so far: level l has shape (K_l, ..., n); None is zero. Level 0 is never None.
    memo : dict
        What functions of this jet have in common: the chains of activations, parts.
    """

    indices: Indices
    levels: list[Value | None]
    memo: dict[Any, Any] = field(default_factory=dict)

    @property
    def value(self) -> Value:
        """The zeroth coefficient, shape (1, ..., n)."""
        return self.levels[0]

    def once(self, key: Any, make: Any) -> Any:
        """Return what `make()` gives, computed when first asked for."""
        if key not in self.memo:
            self.memo[key] = make()
        return self.memo[key]


def convolve(
    k: Any, indices: Indices, first: int, u: Value | None, second: int, v: Value | None, product: Any = operator.mul
) -> Value | None:
    """Return the part Σ_{|β|=first, |γ|=second, β+γ=α} u_β v_γ of a product's level first + second.

    Parameters
    ----------
    k : Kind
        The kind of number.
    indices : Indices
        The indices of both factors.
    first : int
        The level of u.
    u : array or None
        Shape (K_first, ..., n).
    second : int
        The level of v.
    v : array or None
        Shape (K_second, ..., n).
    product : callable
        A bilinear map of coefficients; multiplication by default.

    Returns
    -------
    array or None
        Shape (K_{first+second}, ..., n); None is zero.
    """
    if u is None or v is None:
        return None
    if first == 0 or second == 0:
        return product(u, v)
    return indices.table(first, second).multiply(k, u, v, product)


def correlate(
    k: Any, indices: Indices, first: int, u: Value | None, second: int, w: Value | None, product: Any = operator.mul
) -> Value | None:
    """Return the adjoint of `convolve` in v: Σ_{|β|=first, β+γ=α} u_β w_α for each |γ| = second.

    Parameters
    ----------
    k : Kind
        The kind of number.
    indices : Indices
        The indices of all.
    first : int
        The level of u.
    u : array or None
        Shape (K_first, ..., n).
    second : int
        The level of the result.
    w : array or None
        The adjoint of the level first + second, shape (K_{first+second}, ..., n).
    product : callable
        The adjoint of the bilinear map in v; multiplication by default.

    Returns
    -------
    array or None
        Shape (K_second, ..., n); None is zero.
    """
    if u is None or w is None:
        return None
    if first == 0:
        return product(u, w)
    return indices.table(first, second).correlate(k, u, w, product)


def filled(k: Any, level: Value | None, *shape: int) -> Value:
    """Return a level as an array: zeros of a shape where it is None."""
    return k.zeros(shape) if level is None else level


def total(terms: Iterable[Value | None]) -> Value | None:
    """Return the sum of terms of which None is zero."""
    known = [t for t in terms if t is not None]
    return functools.reduce(operator.add, known) if known else None
