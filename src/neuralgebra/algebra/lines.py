"""Lines below and above activations on ranges, planes below and above products, proven.

The slope of the upper line is that of the upper envelope of the graph at the middle of the range, found from samples;
the lower one likewise. Whatever the slope m, the offset is a proven bound of σ(z) - m z. On a piece of the range where
σ bends in one direction only it is reached at the ends, or lies below a tangent::

    σ convex:    σ(z) - m z ≤ max at the ends
    σ concave:   σ(z) - m z ≤ σ(c) - m c + |σ'(c) - m| max|z - c|       for any c, best where σ'(c) = m

Infima are suprema of -σ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuralgebra.algebra.sensitivity import Range
from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.signs import Piece, signs
from neuralgebra.network.layers import Elementwise
from neuralgebra.network.units import functions_of

__all__ = ["Lines", "affine", "between", "defined", "planes", "product", "reach", "straight"]

_K = Intervals()
_FLOATS = Arrays(np.zeros(1))
_HALF = 8  # samples on each side of the middle
_STEPS = 30  # of bisection


@dataclass(frozen=True)
class Lines:
    """Linear functions below and above.

    Parameters
    ----------
    slope_low, slope_high : tuple of ndarray, each of shape (boxes, size)
        One for each argument.
    low, high : ndarray, shape (boxes, size)
        Constants.
    """

    slope_low: tuple[np.ndarray, ...]
    slope_high: tuple[np.ndarray, ...]
    low: np.ndarray
    high: np.ndarray


def reach(layer: Elementwise, low: np.ndarray, high: np.ndarray) -> Range:
    """Return the range of each activation on ranges of its argument, of shape (boxes, size)."""
    (least, largest) = _by_function(layer, low, high, lambda f, a, b: _hull(f, a, b), 2)
    return least, largest


def straight(layer: Elementwise, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return whether each activation is a line on a range of its argument."""
    (found,) = _by_function(layer, low, high, lambda f, a, b: (_straight(f, a, b),), 1)
    return found


def defined(layer: Elementwise, low: np.ndarray, high: np.ndarray, least: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Return whether each activation is defined on a range of its argument, given the range of its values.

    It is where the range lies in the domain, or beside it and the values are bounded: 1/z is for z < 0.
    """
    found = np.ones(low.shape, dtype=bool)
    for function, start, end in layer.blocks:
        if function.row.domain != (-np.inf, np.inf):
            part = (slice(None), slice(start, end))
            found[part] = _defined(function.row.domain, *(x[part] for x in (low, high, least, most)))
    return found


def _defined(
    domain: tuple[float, float], low: np.ndarray, high: np.ndarray, least: np.ndarray, most: np.ndarray
) -> np.ndarray:
    inside = (low >= domain[0]) & (high <= domain[1])
    beside = np.logical_and.reduce([(low > end) | (high < end) for end in domain])
    return np.asarray(np.isfinite(least) & np.isfinite(most) & (inside | beside))


def between(layer: Elementwise, low: np.ndarray, high: np.ndarray) -> Lines:
    """Return lines between which each activation lies on a range of its argument."""
    a, b, c, d = _by_function(layer, low, high, _lines, 4)
    return Lines((a,), (b,), c, d)


def affine(weight: np.ndarray, bias: np.ndarray | None, low: np.ndarray, high: np.ndarray) -> Range:
    """Return the range of W x + b on ranges of x."""
    found = _K.matvec(weight, Interval(low, high))
    found = found if bias is None else found + bias
    return found.low, found.high


def product(first: Range, second: Range) -> Range:
    """Return the range of products of coordinates."""
    found = Interval(*first) * Interval(*second)
    return found.low, found.high


def planes(first: Range, second: Range) -> Lines:
    """Return the planes between which products of coordinates lie: |(u - u₀)(v - v₀)| ≤ r s."""
    (u, r), (v, s) = _centered(*first), _centered(*second)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = np.nextafter(r * s, np.inf)
        offset = Interval(-spread, spread) - Interval(u) * Interval(v)
    known = np.isfinite(spread)
    low, high = product(first, second)
    slopes = np.where(known, v, 0.0), np.where(known, u, 0.0)
    return Lines(slopes, slopes, np.where(known, offset.low, low), np.where(known, offset.high, high))


def _centered(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    with np.errstate(invalid="ignore", over="ignore"):
        middle = low / 2 + high / 2
        return middle, np.nextafter(np.maximum(high - middle, middle - low), np.inf)


def _by_function(
    layer: Elementwise, low: np.ndarray, high: np.ndarray, compute: Callable[..., tuple[np.ndarray, ...]], count: int
) -> list[np.ndarray]:
    """Compute something for all units of one function at a time."""
    units: dict[Activation, list[int]] = {}
    for unit, function in enumerate(functions_of(layer, low.shape[1])):
        units.setdefault(function, []).append(unit)
    if len(units) == 1:
        return [part.reshape(low.shape) for part in compute(*units, low.ravel(), high.ravel())]
    results: list[np.ndarray] = [np.zeros(low.shape) for _ in range(count)]
    for function, chosen in units.items():
        shape = low[:, chosen].shape
        parts = compute(function, low[:, chosen].ravel(), high[:, chosen].ravel())
        for result, part in zip(results, parts, strict=True):
            result[:, chosen] = part.reshape(shape)
    return results


def _hull(function: Activation, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = function(_K, Interval(low, high))
    return np.asarray(found.low), np.asarray(found.high)


# Lines ------------------------------------------------------------------------------------------------------------


def _lines(function: Activation, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return slopes of the lower and upper lines, and their constants."""
    least, largest = _hull(function, low, high)
    below, above = _slopes(function, low, high)
    lower = -_supremum(function, -1, below, low, high)
    upper = _supremum(function, 1, above, low, high)
    for slope, offset, flat in ((below, lower, least), (above, upper, largest)):
        known = np.isfinite(offset)
        slope[~known] = 0.0
        offset[~known] = flat[~known]
    return below, above, lower, upper


def _slopes(function: Activation, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return good slopes of a lower and an upper line."""
    share = np.arange(-_HALF, _HALF + 1) / (2 * _HALF)
    with np.errstate(all="ignore"):
        width = high - low
        z = (low / 2 + high / 2)[:, None] + width[:, None] * share
        y = _floats(function, z)
        below, above = -_envelope(-y, width), _envelope(y, width)
        line = _straight(function, low, high)
        exact = _floats(function, z[:, _HALF], 1)
        usable = np.isfinite(width) & (width > 1e-10 * np.maximum(abs(low), abs(high)))
        pair = (np.where(line, exact, np.where(usable, slope, 0.0)) for slope in (below, above))
        lower, upper = (np.where(np.isfinite(slope), slope, 0.0) for slope in pair)
    return lower, upper


def _envelope(y: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Return the slope at the middle of the concave envelope of samples."""
    left, middle, right = y[:, :_HALF], y[:, _HALF], y[:, _HALF + 1 :]
    distance = np.arange(_HALF, 0, -1.0)[:, None] + np.arange(1.0, _HALF + 1)
    share = np.arange(_HALF, 0, -1.0)[:, None] / distance
    chords = left[:, :, None] + (right[:, None] - left[:, :, None]) * share
    best = np.argmax(chords.reshape(len(y), -1), axis=1)
    i, j = np.divmod(best, _HALF)
    rows = np.arange(len(y))
    concave = chords[rows, i, j] <= middle
    i, j = np.where(concave, _HALF - 1, i), np.where(concave, 0, j)
    return np.asarray((right[rows, j] - left[rows, i]) / (distance[i, j] * width / (2 * _HALF)))


def _floats(function: Activation, z: np.ndarray, order: int = 0) -> np.ndarray:
    with quiet():
        return np.asarray(function.derivative(_FLOATS, z, order))


def _straight(function: Activation, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return whether a function is a line on ranges."""
    if function.row.derivative(2):
        return np.zeros(low.shape, dtype=bool)
    found = np.ones(low.shape, dtype=bool)
    for place, order in function.points(_FLOATS):
        found &= (high <= place) | (low >= place) if order else (high < place) | (low > place)
    return found


# Offsets ----------------------------------------------------------------------------------------------------------


def _supremum(function: Activation, sign: int, slope: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return what sign·(σ(z) - m z) does not exceed on ranges."""
    best = np.full(low.shape, -np.inf)
    for piece in signs(function, function.row.derivative(2)):
        a, b = np.maximum(low, piece.low), np.minimum(high, piece.high)
        rows = np.flatnonzero(a <= b)
        if len(rows):
            found = _on_piece(function, sign, slope[rows], a[rows], b[rows], piece)
            best[rows] = np.maximum(best[rows], np.where(np.isnan(found), np.inf, found))
    return best


def _on_piece(
    function: Activation, sign: int, slope: np.ndarray, a: np.ndarray, b: np.ndarray, piece: Piece
) -> np.ndarray:
    if piece.sign is None:
        return _anywhere(function, sign, slope, a, b)
    if piece.sign * sign < 0:
        return _tangent(function, sign, slope, a, b)
    first, last = (_upper(function, sign, slope, Interval(x)) for x in (a, b))
    return np.asarray(np.maximum(first, last))


def _upper(function: Activation, sign: int, slope: np.ndarray, z: Interval) -> np.ndarray:
    """Return the upper end of sign·(σ(z) - m z)."""
    found = function(_K, z) - z * slope
    return np.asarray(found.high if sign > 0 else -found.low)


def _tangent(function: Activation, sign: int, slope: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the upper end where sign·σ is concave: on the tangent at the place where its slope is m."""
    low, high = a, b
    for _ in range(_STEPS):
        middle = low / 2 + high / 2
        rising = sign * (_floats(function, middle, 1) - slope) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    c = Interval(high)
    off = abs(function.derivative(_K, c, 1) - slope)
    span = _K.maximum(Interval(b) - c, c - Interval(a))
    return np.asarray((Interval(_upper(function, sign, slope, c)) + off * span).high)


def _anywhere(function: Activation, sign: int, slope: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the upper end where it is not known how the function bends: of its values, or from its slopes."""
    wide, jumps = Interval(a, b), any(order == 0 for _, order in function.points(_FLOATS))
    upper = _upper(function, sign, slope, wide)
    if jumps or not wide.finite:
        return upper
    c = Interval(a / 2 + b / 2)
    swing = (function.derivative(_K, wide, 1) - slope) * (wide - c)
    swung = Interval(_upper(function, sign, slope, c)) + (swing if sign > 0 else -swing)
    return np.asarray(np.fmin(upper, swung.high))
