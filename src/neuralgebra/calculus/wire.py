"""Wires: a kind of number whose values are nodes of a network under construction.

The rules of propagation and their adjoints, run on wires, write a network that computes derivatives. A value is an
affine combination of coordinates of nodes, Σ cᵢ·(coordinates of node i) + constants; structure is made of positions,
and a layer is written only when one is needed. Nothing is rounded: constants are combined where that is exact, and
elsewhere become nodes themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from neuralgebra.calculus.wiring import Term

__all__ = ["Wire"]


class _Kind(Protocol):
    def value(self, x: Any) -> Wire: ...

    def moved(self, x: Wire, change: Callable[[np.ndarray], np.ndarray]) -> Wire: ...

    def plus(self, x: Wire, y: Wire) -> Wire: ...

    def product(self, x: Wire, y: Wire) -> Wire: ...

    def contraction(self, x: Wire, y: Wire) -> Wire: ...


class Wire:
    """An affine combination of coordinates of nodes, in some shape.

    Parameters
    ----------
    k : Wires
        The network under construction.
    terms : tuple of Term
        Factors, places and positions, all of one shape.
    shift : ndarray
        Constants of that shape.
    factors : tuple of ndarray
        What constants are to be multiplied by, where the product would have to be rounded; there are no terms then.
    """

    __array_ufunc__ = None

    def __init__(
        self, k: _Kind, terms: tuple[Term, ...], shift: np.ndarray, factors: tuple[np.ndarray, ...] = ()
    ) -> None:
        for factor in factors:
            shift = np.where(factor == 0, 0.0, shift)
        self.k, self.shift, self.factors = k, shift, factors if shift.any() else ()
        self.terms = tuple(t for t in terms if (t.entries >= 0).any())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self.shift.shape

    @property
    def constant(self) -> bool:
        """Whether the value is the same everywhere."""
        return not self.terms

    @property
    def zero(self) -> bool:
        """Whether the value is known to be zero."""
        return self.constant and not self.shift.any()

    @property
    def numbers(self) -> bool:
        """Whether the value is an array of constants as it stands."""
        return self.constant and not self.factors

    @property
    def plain(self) -> bool:
        """Whether this is one term alone, or constants alone."""
        return self.constant or (len(self.terms) == 1 and not self.shift.any())

    def __getitem__(self, key: Any) -> Wire:
        return self.k.moved(self, lambda a: a[key])

    def __add__(self, other: Any) -> Wire:
        return self.k.plus(self, self.k.value(other))

    def __sub__(self, other: Any) -> Wire:
        return self + -self.k.value(other)

    def __rsub__(self, other: Any) -> Wire:
        return self.k.plus(-self, self.k.value(other))

    def __neg__(self) -> Wire:
        return Wire(self.k, tuple(t._replace(factor=-t.factor) for t in self.terms), 0 - self.shift, self.factors)

    def __mul__(self, other: Any) -> Wire:
        return self.k.product(self, self.k.value(other))

    def __matmul__(self, other: Any) -> Wire:
        return self.k.contraction(self, self.k.value(other))

    def __rmatmul__(self, other: Any) -> Wire:
        return self.k.contraction(self.k.value(other), self)

    __radd__, __rmul__ = __add__, __mul__
