"""How far any execution of a plain network in floating point can be from its real numbers.

In every layer, with η the errors of what it is applied to, u the unit roundoff, n the products of a row and its bias,
γ = n u / (1 - n u) and k the ulps within which activations are evaluated::

    argument of a neuron    ζ ≤ |W| η + γ (|W| (max|a| + η) + |b|) + n · smallest number
    a neuron                η ≤ max|σ'| ζ + 2 k u max|σ| + k · smallest number

whatever the order of summation, with fused multiply-adds or without: Higham, "Accuracy and stability of numerical
algorithms" (2002), chapter 3. Inputs are numbers of the dtype, and gradual underflow is on.
"""

from __future__ import annotations

import math

import numpy as np

from neuralgebra.algebra.assembly import Assembled, raised

__all__ = ["ULPS", "executed"]

ULPS = 4
"""Within so many units in the last place an activation is taken to be evaluated."""


def executed(plain: Assembled, dtype: np.dtype, ulps: int = ULPS) -> np.ndarray:
    """Return what the rounding errors of the outputs do not exceed, for inputs in the box.

    Parameters
    ----------
    plain : Assembled
        The network.
    dtype : dtype
        float32 or float64, in which it is executed.
    ulps : int
        k.

    Returns
    -------
    ndarray, shape (m,)
        The bounds; infinite where arguments may leave the range for which slopes are known.
    """
    info = np.finfo(dtype)
    unit, tiny = float(info.eps) / 2, float(info.smallest_subnormal)
    moved, size = np.zeros_like(plain.inputs), plain.inputs
    for (weight, bias), reach in zip(plain.layers, plain.reaches, strict=False):
        shift = _summed(weight, bias, size, moved, unit, tiny)
        inside = shift <= reach.margin
        moved = raised(np.where(inside, reach.slope * shift + ulps * (2 * unit * reach.size + tiny), math.inf))
        size = reach.size
    return _summed(*plain.layers[-1], size, moved, unit, tiny)


def _summed(
    weight: np.ndarray, bias: np.ndarray, size: np.ndarray, moved: np.ndarray, unit: float, tiny: float
) -> np.ndarray:
    """Return the errors of W a + b."""
    factors = abs(weight.astype(np.float64))
    terms = np.count_nonzero(weight, axis=1) + np.count_nonzero(bias[:, None], axis=1)
    gamma = terms * unit / (1 - terms * unit)
    with np.errstate(invalid="ignore"):
        carried = np.where(factors == 0, 0.0, factors * moved).sum(axis=1)
        sums = np.where(factors == 0, 0.0, factors * (size + moved)).sum(axis=1) + abs(bias.astype(np.float64))
    return np.asarray(raised(carried + gamma * sums + terms * tiny))
