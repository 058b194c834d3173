"""What is minimised, for the rows of one computation: values, their slopes by what the network gives, residuals.

All run on arrays and on what traces them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value

__all__ = ["LOSSES", "Loss"]


@dataclass(frozen=True)
class Loss:
    """A function of results T, data y and roots of weights √w, all (..., t, m).

    Parameters
    ----------
    value : callable
        (kind, T, y, √w, bounds) -> what is added up over all rows, any shape with leading axis N, and the slope by T.
    squares : bool
        Whether it is half the sum of squares of √w (T - y), which least squares takes apart.
    """

    value: Callable[[Any, Value, Value, Value, np.ndarray], tuple[Value, Value]]
    squares: bool


def residuals(k: Any, t: Value, y: Value, roots: Value, bounds: np.ndarray) -> Value:
    """Return √w (T - y), with 0 where a bound holds."""
    r = roots * (t - y)
    if not bounds.any():
        return r
    lower, upper = (np.where(bounds == sign, 0.0, np.inf)[:, None] for sign in (1, -1))
    return np.maximum(np.minimum(r, k.weight(lower)), k.weight(-upper))


def _squares(k: Any, t: Value, y: Value, roots: Value, bounds: np.ndarray) -> tuple[Value, Value]:
    r = residuals(k, t, y, roots, bounds)
    return r * r * 0.5, roots * r


def _cross_entropy(k: Any, t: Value, y: Value, roots: Value, bounds: np.ndarray) -> tuple[Value, Value]:
    """Return -Σ y ln softmax(T) of each row: T are logits, y probabilities, weights one for each.

    Column by column: NumPy goes through short rows one by one, slowly.
    """
    del bounds
    columns = range(t.shape[-1])
    weights = [(roots[..., i] * roots[..., i]) for i in columns]
    top = functools.reduce(np.maximum, [t[..., i] for i in columns])
    shifted = [t[..., i] - top for i in columns]
    powers = [np.exp(z) for z in shifted]
    total = functools.reduce(np.add, powers)
    logarithm = np.log(total)
    value = functools.reduce(np.add, [weights[i] * y[..., i] * (logarithm - shifted[i]) for i in columns])
    slopes = [(weights[i] * (powers[i] / total - y[..., i]))[..., None] for i in columns]
    return value, k.concat(slopes, -1)


LOSSES: Mapping[str, Loss] = {"squares": Loss(_squares, True), "cross_entropy": Loss(_cross_entropy, False)}
"""By the names that people use."""
