"""Bounds of sums, products and quotients of doubles, on arrays: rounded to nearest, and then moved where it matters.

Nothing is assumed but IEEE 754 arithmetic with + - * /, rounded to nearest. A matrix product may be summed up in any
order, and with fused operations.

Sources: Rump, Zimmermann, Boldo and Melquiond, "Computing predecessor and successor in rounding to nearest", BIT 49
(2009); Knuth for the error of a sum; Rump, "Fast and parallel interval arithmetic", BIT 39 (1999), for matrices;
Higham, "Accuracy and stability of numerical algorithms" (2002), chapter 3, for the errors of inner products.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

__all__ = ["Ends", "above", "below", "matrix_product", "products", "quotients", "sums", "total"]

Ends = tuple[np.ndarray, np.ndarray]
"""Lower and upper bounds; the same array twice where nothing is rounded."""

_UNIT = 2.0**-53
_PHI = _UNIT * (1 + 2 * _UNIT)
_SMALLEST = 5e-324
_LARGEST = float(np.finfo(np.float64).max)


def below(x: np.ndarray) -> np.ndarray:
    """Return doubles below x, next or next but one; 0 and -∞ stay, and ∞ becomes the largest double."""
    moved: np.ndarray = np.abs(x, out=np.empty(x.shape))
    moved *= _PHI
    moved += _SMALLEST
    np.subtract(x, moved, out=moved)
    for place, value in ((0.0, 0.0), (np.inf, _LARGEST)):
        here = x == place
        if here.any():
            moved[here] = value
    return moved


def above(x: np.ndarray) -> np.ndarray:
    """Return doubles above x, next or next but one; 0 and ∞ stay, and -∞ becomes the least double."""
    moved: np.ndarray = 0.0 - below(-x)  # never -0.0
    return moved


def sums(a: np.ndarray, b: np.ndarray) -> Ends:
    """Return bounds of a + b, for lower ends below ∞ or upper ends above -∞."""
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    if not error.any():
        return total, total
    # The error is NaN where something is infinite; then both bounds move, and infinite ends stay.
    return np.where(error >= 0, total, below(total)), np.where(error <= 0, total, above(total))


def products(a: Ends, b: Ends) -> Ends:
    """Return bounds of the products of all numbers between the ends; an exact 0 wins over ∞."""
    if _scales(a) or _scales(b):
        found = _exact_scaling(*(a, b) if _scales(b) else (b, a))
        if found is not None:
            return found
    return _hull([_nonzero(np.multiply, x, y) for x in _distinct(a) for y in _distinct(b)])


def quotients(a: Ends, b: Ends) -> Ends:
    """Return bounds of the quotients of all numbers between the ends, as far as they exist."""
    if _scales(b) and np.isfinite(1 / b[0]).all():
        return products(a, (1 / b[0],) * 2)
    signed = np.where(b[0] == 0, 0.0, b[0]), np.where(b[1] == 0, -0.0, b[1])  # 0 as the limit from inside
    divisors = signed[:1] if b[0] is b[1] else signed
    low, high = _hull([_nonzero(np.divide, x, y) for x in _distinct(a) for y in divisors])
    across = ((b[0] < 0) & (b[1] > 0)) | ((b[0] == 0) & (b[1] == 0))
    return np.where(across, -np.inf, low), np.where(across, np.inf, high)


def _distinct(ends: Ends) -> tuple[np.ndarray, ...]:
    return ends[:1] if ends[0] is ends[1] else ends


def _scales(ends: Ends) -> bool:
    """Return whether the factor is one power of 2, or its negative."""
    return ends[0] is ends[1] and ends[0].size == 1 and abs(np.frexp(ends[0])[0].item()) == 0.5


def _exact_scaling(ends: Ends, factor: Ends) -> Ends | None:
    """Return the product with a power of 2, None where it is too small or too large to be exact."""
    scaled = [x * factor[0] for x in _distinct(ends)]
    for x, y in zip(_distinct(ends), scaled, strict=True):
        if not np.all((np.abs(y) >= 1e-300) & (np.abs(y) < np.inf) | (x == 0) | np.isinf(x)):
            return None
    low, high = scaled[0], scaled[-1]
    return (low, high) if factor[0].item() > 0 else (high, low)


def _nonzero(operation: Callable[..., np.ndarray], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return x∘y; what is too small for a double as the smallest one with its sign, what is no number as 0 if so."""
    found = operation(x, y)
    small = ~(np.abs(found) > 0)
    return np.where(small, np.sign(x) * np.sign(y) * _SMALLEST, found) if small.any() else found


def _hull(corners: list[np.ndarray]) -> Ends:
    return below(functools.reduce(np.minimum, corners)), above(functools.reduce(np.maximum, corners))


def total(ends: Ends, axis: int) -> Ends:
    """Return bounds of sums along an axis."""
    low, high = (_total(x, axis) for x in ends)
    return -_bounded(-low[0], low[1]), _bounded(*high)


def _total(x: np.ndarray, axis: int) -> Ends:
    """Return the sum and a bound of its error."""
    return np.sum(x, axis=axis), np.sum(np.abs(x), axis=axis) * ((x.shape[axis] + 2) * _UNIT)


def _bounded(value: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return an upper bound of what differs from a value by no more than an error; ∞ where there is none."""
    moved = np.where(error > 0, above(value + error), value)
    return np.where(np.isnan(moved), np.inf, moved)


def matrix_product(weight: np.ndarray, ends: Ends, left: bool) -> Ends:
    """Return bounds of weight @ x, or x @ weight, for all x between finite ends.

    With x in m ± r the product is W m ± |W| r, and |fl(W m) - W m| ≤ γ_n |W||m| + n η/2.
    """
    times = functools.partial(_times, left=left)
    n = weight.shape[-1] if left else weight.shape[-2]
    middle, radius = _balls(ends)
    gamma = (n + 2) * _UNIT  # γ_n = n u/(1 - n u) is below it for n < 10⁷
    spread = np.where((radius > 0) | (middle != 0), (radius + gamma * np.abs(middle)) * (1 + 8 * _UNIT) + 1e-323, 0.0)
    error = times(np.abs(weight), spread) * (1 + 4 * gamma) + 4 * n * _SMALLEST
    value = times(weight, middle)
    value = np.where(np.isfinite(value), value, np.nan)
    low, high = -_bounded(-value, error), _bounded(value, error)
    near = 16 * gamma * np.abs(value) + 16 * n * _SMALLEST
    if (((low < 0) & (low > -near)) | ((high > 0) & (high < near))).any():
        negative, positive = _signs(times, weight, ends)
        low, high = np.where(negative, low, np.maximum(low, 0.0)), np.where(positive, high, np.minimum(high, 0.0))
    return low, high


def _signs(times: Callable[..., np.ndarray], weight: np.ndarray, ends: Ends) -> Ends:
    """Return whether the product has a term that may be negative, and one that may be positive."""
    up, down, falling, rising = (a.astype(np.float32) for a in (weight > 0, weight < 0, ends[0] < 0, ends[1] > 0))
    return times(up, falling) + times(down, rising) > 0, times(up, rising) + times(down, falling) > 0


def _times(weight: np.ndarray, x: np.ndarray, left: bool) -> np.ndarray:
    product: np.ndarray = weight @ x if left else x @ weight
    return product


def _balls(ends: Ends) -> Ends:
    """Return middles and radii."""
    low, high = ends
    if low is high:
        return low, np.zeros(low.shape)
    middle = 0.5 * low + 0.5 * high
    return middle, above(np.maximum(high - middle, middle - low))
