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
from neuralgebra.arithmetic.directed import Ends, above, below, quotients
from neuralgebra.arithmetic.tables import Table

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
_MORE = 2.0**-51
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
    if name.startswith("_") or not (hasattr(flint.arb, name) or name in RISING):
        raise AttributeError(name)
    if name in RISING:
        return functools.partial(_rising, AT_POINTS.get(name) or functools.partial(_exactly, name), RISING[name])
    return functools.partial(_by_balls, functools.partial(_apply, name))


def _apply(name: str, ball: flint.arb) -> flint.arb:
    if name == "ndtr":
        return (-ball / flint.arb(2).sqrt()).erfc() / 2
    return getattr(ball, name)()


def _exactly(name: str, x: np.ndarray) -> Ends:
    """Return bounds of a function at points, by balls."""
    return _by_balls(functools.partial(_apply, name), (x, x))


def _rising(at: Callable[[np.ndarray], Ends], limits: tuple[float, float], ends: Ends) -> Ends:
    """Return bounds of a rising function: its values at the ends."""
    low, high = at(ends[0]) if ends[0] is ends[1] else (at(ends[0])[0], at(ends[1])[1])
    return np.maximum(low, limits[0]), np.minimum(high, limits[1])


def _cosh(ends: Ends) -> Ends:
    low, high = ends
    least = np.where((low < 0) & (high > 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    most = least if low is high else np.maximum(-low, high)
    return _rising(_cosh_at, (1.0, math.inf), (least, most))


def _wave(name: str, top: float, ends: Ends) -> Ends:
    """Return bounds of sine or cosine, whose tops lie at that part of a period."""
    low, high = _hull([AT_POINTS[name](x) for x in _points(ends)])
    tops, bottoms = _passes(ends, top, 1.0), _passes(ends, top + 0.5, 1.0)
    return np.where(bottoms, -1.0, np.maximum(low, -1.0)), np.where(tops, 1.0, np.minimum(high, 1.0))


def _tan(ends: Ends) -> Ends:
    low, high = _hull([_exactly("tan", x) for x in _points(ends)])
    poles = _passes(ends, 0.25, 0.5)
    return np.where(poles, -np.inf, low), np.where(poles, np.inf, high)


def _points(ends: Ends) -> Ends | tuple[np.ndarray]:
    return ends[:1] if ends[0] is ends[1] else ends


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
    low, high = _hull([_by_balls(operator.pow, (point, point), exponent) for point in _points(x)])
    across = (x[0] < 0) & (x[0] < x[1])
    if not across.any():
        return low, high
    wide = _by_balls(operator.pow, x, exponent)
    return np.where(across, wide[0], low), np.where(across, wide[1], high)


# Whole arrays of points -----------------------------------------------------------------------------------------------


def _tabulated(name: str, table: Table, x: np.ndarray) -> Ends:
    """Return bounds at points by a table; beyond it by the limits of the function if it has any, else by balls."""
    low, high = table(np.clip(x, table.low, table.high))
    before, after = x < table.low, x > table.high
    limits = RISING.get(name, _LINE)
    outside = before & (limits[0] == -math.inf) | after & (limits[1] == math.inf)
    low, high = np.where(before, limits[0], low), np.where(after, limits[1], high)
    return _completed(name, x, low, high, outside)


def _completed(name: str, x: np.ndarray, low: np.ndarray, high: np.ndarray, missing: np.ndarray) -> Ends:
    """Return bounds, where they are missing by balls."""
    if missing.any():
        low[missing], high[missing] = _exactly(name, x[missing])
    return low, high


_LN2 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_SMALL_EXP = Table(lambda s: s.exp(), -0.375, 0.375, 8)
_SMALL_EXPM1 = Table(lambda s: s.exp() - 1, -0.375, 0.375, 9)


def _exp(x: np.ndarray) -> Ends:
    """Return bounds of eˣ = 2ⁿ eʳ.

    The first part of ln 2 has 33 bits, so n times it is exact; both parts together are off by less than 2⁻⁸⁵. Each of
    two subtractions is off by at most u·0.36, n times the second part by u·2⁻²¹: eʳ changes by less than a part u.
    """
    n = np.rint(np.clip(x, -700.0, 709.0) * (1 / _LN2[0]))
    r = (np.clip(x, -700.0, 709.0) - n * _LN2[0]) - n * _LN2[1]
    low, high = _SMALL_EXP(r)
    low, high = (np.ldexp(end, n.astype(np.intc)) for end in (low * (1 - _MORE), high * (1 + _MORE)))
    low, high = np.where(x < -700.0, 0.0, low), np.where(x > 709.0, np.inf, high)
    return np.where(x == 0, 1.0, low), np.where(x == 0, 1.0, high)


def _expm1(x: np.ndarray) -> Ends:
    small, (low, high) = np.abs(x) <= 0.375, _exp(x)
    near = _SMALL_EXPM1(np.where(small, x, 0.0))
    return np.where(small, near[0], below(low - 1)), np.where(small, near[1], above(high - 1))


def _sqrt(x: np.ndarray) -> Ends:
    """Return bounds of the square root, which IEEE 754 rounds correctly."""
    found = np.sqrt(x)
    return below(np.where(x >= 0, found, -np.inf)), above(np.where(x >= 0, found, np.inf))


def _cosh_at(x: np.ndarray) -> Ends:
    low, high = _exp(np.abs(x))
    low = np.maximum(low, 1.0)  # from here on e + 1/e rises
    low, high = below(low + below(1 / low)) / 2, above(high + above(1 / high)) / 2
    return np.where(x == 0, 1.0, low), np.where(x == 0, 1.0, high)


def _log1p(x: np.ndarray) -> Ends:
    """Return bounds of log(1 + x), which is y + log(1 + c) for any y, with c = (x - (eʸ - 1))/eʸ."""
    y = np.log1p(x)
    low, high = _expm1(np.where(np.isfinite(y), y, 0.0))
    divisor = np.maximum(below(1 + low), 0.0), above(1 + high)
    return _corrected("log1p", x, y, quotients((below(x - high), above(x - low)), divisor))


def _log(x: np.ndarray) -> Ends:
    """Return bounds of log(x), which is y + log(1 + c) for any y, with c = (x - eʸ)/eʸ."""
    y, near = np.log(x), (x >= 0.5) & (x <= 2)
    low, high = _exp(np.where(np.isfinite(y), y, 0.0))
    far = _corrected("log", np.where(near, 2.0, x), y, quotients((below(x - high), above(x - low)), (low, high)))
    close = _log1p(np.where(near, x - 1, 0.0))
    return np.where(near, close[0], far[0]), np.where(near, close[1], far[1])


def _corrected(name: str, x: np.ndarray, y: np.ndarray, c: Ends) -> Ends:
    """Return bounds of y + log(1 + c), where c - c² ≤ log(1 + c) ≤ c."""
    close = (c[0] > -1e-10) & (c[1] < 1e-10)
    low, high = below(y + (c[0] - 1e-9 * np.abs(c[0]))), above(y + c[1])
    return _completed(name, x, low, high, ~close)


def _ndtr_series(s: flint.arb_series) -> flint.arb_series:
    return (s / -flint.arb(2).sqrt()).erfc() / 2


def _tanh_series(s: flint.arb_series) -> flint.arb_series:
    return 1 - 2 / ((2 * s).exp() + 1)


TABLES = {
    "tanh": Table(_tanh_series, -20.0, 20.0, 11),
    "ndtr": Table(_ndtr_series, -38.5, 9.0, 13),
    "erf": Table(lambda s: s.erf(), -6.0, 6.0, 11),
    "atan": Table(lambda s: s.atan(), -32.0, 32.0, 11),
    "sin": Table(lambda s: s.sin(), -32.0, 32.0, 9),
    "cos": Table(lambda s: s.cos(), -32.0, 32.0, 9),
}
AT_POINTS: dict[str, Callable[[np.ndarray], Ends]] = {
    **{name: functools.partial(_tabulated, name, table) for name, table in TABLES.items()},
    "exp": _exp,
    "expm1": _expm1,
    "log1p": _log1p,
    "log": _log,
    "sqrt": _sqrt,
}
SPECIAL: dict[str, Callable[[Ends], Ends]] = {
    "cosh": _cosh,
    "sin": functools.partial(_wave, "sin", 0.25),
    "cos": functools.partial(_wave, "cos", 0.0),
    "tan": _tan,
}
with _BALLS.precision():
    PI = outward(flint.arb.pi())
