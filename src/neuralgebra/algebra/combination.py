"""Matrices of rational numbers, for what is not rounded yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.rationals import fraction, nearest
from neuralgebra.network.linear import Linear

__all__ = ["Combination"]


@dataclass(frozen=True, eq=False)
class Combination(Linear):
    """A full matrix of rational numbers; arrays take the nearest doubles, all other kinds the numbers themselves.

    Parameters
    ----------
    weight : ndarray of rational, shape (out, in)
        Its entries.
    """

    weight: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.weight.shape[0])
        object.__setattr__(self, "columns", self.weight.shape[1])

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """No arrays of trained numbers."""
        return ()

    def structure(self) -> tuple[Any, ...]:
        """Return the entries as text."""
        return self.weight.shape, tuple(map(str, self.weight.flat))

    def apply(self, k: Any, x: Value) -> Value:
        """Return the image of x, (..., in) -> (..., out)."""
        return k.matvec(self.dense(), x) if k.floating else x @ self._numbers(k).T

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the image of y under the transpose, (..., out) -> (..., in)."""
        return k.rmatvec(self.dense(), y) if k.floating else y @ self._numbers(k)

    def _numbers(self, k: Any) -> Value:
        return k.each(lambda v: k.scalar(fraction(v)), self.weight)

    def dense(self) -> np.ndarray:
        """Return the nearest doubles, (rows, columns)."""
        return np.array([nearest(v) for v in self.weight.flat]).reshape(self.weight.shape)
