"""Elementary functions of intervals of doubles: the ends go to balls (python-flint) and come back rounded outwards."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from fractions import Fraction

import flint
import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.directed import Ends

__all__ = ["PI", "between", "by_balls", "function", "outward", "power"]

_BITS = 80
_BALLS = Balls(_BITS)
_LINE = (-math.inf, math.inf)

# Functions that rise on their whole domain, with the range of their values.
RISING = {
    "exp": (0.0, math.inf),
    "expm1": (-1.0, math.inf),
    "log": _LINE,
    "log1p": _LINE,
    "sqrt": (0.0, math.inf),
    "tanh": (-1.0, 1.0),
    "atanh": _LINE,
    "sinh": _LINE,
    "asinh": _LINE,
    "atan": _LINE,
    "asin": _LINE,
    "acosh": (0.0, math.inf),
    "erf": (-1.0, 1.0),
    "ndtr": (0.0, 1.0),
}
_FAR = 2.0**20  # arguments beyond it are not reduced


def outward(ball: flint.arb) -> tuple[float, float]:
    """Return doubles next to the ends of a ball, outside of it; infinite where nothing is known."""
    low, high = ball.lower(), ball.upper()
    a, b = float(low), float(high)
    if not flint.arb(a) <= low:
        a = math.nextafter(a, -math.inf) if a == a else -math.inf
    if not flint.arb(b) >= high:
        b = math.nextafter(b, math.inf) if b == b else math.inf
    return a, b


def between(value: int | Fraction) -> tuple[float, float]:
    """Return doubles next to an exact number, or that number twice."""
    with _BALLS.precision():
        return outward(_BALLS.scalar(value))


def by_balls(function: Callable[[Balls, np.ndarray], np.ndarray], ends: Ends) -> Ends:
    """Return bounds of a function of a kind of number and arrays, over intervals."""
    with _BALLS.precision():
        found = [outward(ball) for ball in function(_BALLS, _BALLS.interval(*ends)).flat]
    low, high = np.array(found).reshape(-1, 2).T
    return low.reshape(ends[0].shape), high.reshape(ends[0].shape)


def _by_balls(apply: Callable[..., flint.arb], *arrays: Ends) -> Ends:
    """Return bounds of a function over intervals, coordinate by coordinate."""
    shape = np.broadcast_shapes(*(a.shape for ends in arrays for a in ends))
    columns = [[np.broadcast_to(a, shape).ravel().tolist() for a in ends] for ends in arrays]
    with _BALLS.precision():
        given = [map(_ball, *ends) for ends in columns]
        found = [outward(apply(*balls)) for balls in zip(*given, strict=True)]
    low, high = np.array(found).reshape(-1, 2).T
    return low.reshape(shape), high.reshape(shape)


def _ball(low: float, high: float) -> flint.arb:
    return flint.arb(low) if low == high else flint.arb(low).union(flint.arb(high))


def function(name: str) -> Callable[[Ends], Ends]:
    """Return an elementary function of intervals by name."""
    if name in SPECIAL:
        return SPECIAL[name]
    apply = functools.partial(_apply, name)
    if name.startswith("_") or not (hasattr(flint.arb, name) or name in RISING):
        raise AttributeError(name)
    return functools.partial(_rising, apply, RISING[name]) if name in RISING else functools.partial(_by_balls, apply)


def _apply(name: str, ball: flint.arb) -> flint.arb:
    if name == "ndtr":
        return (-ball / flint.arb(2).sqrt()).erfc() / 2
    return getattr(ball, name)()


def _rising(apply: Callable[[flint.arb], flint.arb], limits: tuple[float, float], ends: Ends) -> Ends:
    """Return bounds of a rising function: its values at the ends."""
    low, high = ends
    if low is high:
        low, high = _by_balls(apply, ends)
    else:
        low, high = _by_balls(apply, (low, low))[0], _by_balls(apply, (high, high))[1]
    return np.maximum(low, limits[0]), np.minimum(high, limits[1])


def _cosh(ends: Ends) -> Ends:
    low, high = ends
    least = np.where((low < 0) & (high > 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    most = np.maximum(-low, high)
    apply = functools.partial(_apply, "cosh")
    return np.maximum(_by_balls(apply, (least, least))[0], 1.0), _by_balls(apply, (most, most))[1]


def _wave(name: str, top: float, ends: Ends) -> Ends:
    """Return bounds of sine or cosine, whose tops lie at that part of a period."""
    low, high = _at_ends(name, ends)
    tops, bottoms = _passes(ends, top, 1.0), _passes(ends, top + 0.5, 1.0)
    return np.where(bottoms, -1.0, np.maximum(low, -1.0)), np.where(tops, 1.0, np.minimum(high, 1.0))


def _tan(ends: Ends) -> Ends:
    low, high = _at_ends("tan", ends)
    poles = _passes(ends, 0.25, 0.5)
    return np.where(poles, -np.inf, low), np.where(poles, np.inf, high)


def _at_ends(name: str, ends: Ends) -> Ends:
    return _hull([_by_balls(functools.partial(_apply, name), point) for point in _points(ends)])


def _points(ends: Ends) -> list[Ends]:
    return [(ends[0], ends[0])] if ends[0] is ends[1] else [(ends[0], ends[0]), (ends[1], ends[1])]


def _hull(parts: list[Ends]) -> Ends:
    lows, highs = zip(*parts, strict=True)
    return functools.reduce(np.minimum, lows), functools.reduce(np.maximum, highs)


def _passes(ends: Ends, phase: float, period: float) -> np.ndarray:
    """Return whether an interval may contain one of the places 2π(phase + k·period)."""
    low, high = ((np.clip(x, -_FAR, _FAR) / (2 * math.pi) - phase) / period for x in ends)
    error = 2.0**-30  # arguments are below 2²⁰, their rounding errors far below this
    within = np.floor(high + error) >= np.ceil(low - error)
    far = (ends[0] < -_FAR) | (ends[1] > _FAR)
    return (ends[0] < ends[1]) & (within | far)


def power(x: Ends, exponent: Ends) -> Ends:
    """Return bounds of powers; of negative numbers, where the exponent is an integer."""
    low, high = _hull([_by_balls(operator.pow, point, exponent) for point in _points(x)])
    across = (x[0] < 0) & (x[0] < x[1])
    if not across.any():
        return low, high
    wide = _by_balls(operator.pow, x, exponent)
    return np.where(across, wide[0], low), np.where(across, wide[1], high)


SPECIAL: dict[str, Callable[[Ends], Ends]] = {
    "cosh": _cosh,
    "sin": functools.partial(_wave, "sin", 0.25),
    "cos": functools.partial(_wave, "cos", 0.0),
    "tan": _tan,
}
with _BALLS.precision():
    PI = outward(flint.arb.pi())
