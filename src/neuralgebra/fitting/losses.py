"""What is minimised, for the rows of one computation: values, their slopes by what the network gives, residuals.

All run on arrays and on what traces them.
"""

from __future__ import annotations

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
    """Return -Σ y ln softmax(T) of each row: T are logits, y probabilities, one weight for a row."""
    del bounds
    weights = roots * roots
    shifted = t - k.top(t)
    powers = np.exp(shifted)
    sums = k.total(powers, -1)[..., None]
    rest = np.log(sums) - shifted
    return weights * y * rest, weights * (powers / sums - y)


LOSSES: Mapping[str, Loss] = {"squares": Loss(_squares, True), "cross_entropy": Loss(_cross_entropy, False)}
"""By the names that people use."""
