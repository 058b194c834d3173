"""Structured matrices as doubles, and how far these may be off."""

from __future__ import annotations

import numpy as np

from neuralgebra.algebra.combination import Combination
from neuralgebra.arithmetic.majorant import Majorant, Measured
from neuralgebra.network.linear import Dense, Diagonal, Kronecker, Linear, Spread

__all__ = ["as_doubles", "magnitudes"]

_UNIT = 2.0**-53
_SMALLEST = 5e-324


def as_doubles(weight: Linear) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a matrix as doubles, and what its numbers differ from these by, at most; None where they are the same.

    Products and sums of weights are no doubles in general, and those of single precision no singles.

    Parameters
    ----------
    weight : Linear
        The matrix.

    Returns
    -------
    ndarray, shape (out, in)
        The nearest doubles, or about those.
    ndarray or None, shape (out, in)
        Upper bounds of the differences.
    """
    if isinstance(weight, Dense | Diagonal | Kronecker | Spread):
        return weight.dense().astype(np.float64), None
    if isinstance(weight, Combination):
        dense = weight.dense()
        return dense, abs(dense) * (2 * _UNIT) + _SMALLEST
    image = weight.apply(Majorant(), Measured(np.eye(weight.columns)))
    return image.value.T, image.size.T * (8 * max(weight.rows, weight.columns) * _UNIT) + _SMALLEST


def magnitudes(weight: Linear) -> np.ndarray:
    """Return what the absolute values of the numbers of a matrix do not exceed, (out, in)."""
    dense, off = as_doubles(weight)
    return np.asarray(abs(dense) if off is None else np.nextafter(abs(dense) + off, np.inf))
