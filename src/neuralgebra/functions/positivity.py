"""Whether a function is positive for positive arguments: proven by intervals, refuted on an interval, or left open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.intervals import Interval, Intervals

__all__ = ["Positivity", "positivity"]

_NEAR = 2.0**-40
_LEAST = math.ulp(0.0)
_ROUNDS, _MOST = 24, 4096
_ORDERS = 4  # of the first derivative at 0 that is looked at


@dataclass(frozen=True)
class Positivity:
    """What is known of the sign of a function for x > 0.

    Parameters
    ----------
    holds : bool or None
        True: positive wherever it is defined, which is proven. False: not. None: neither proven nor refuted.
    low, high : float
        Where it is not positive, if it is not.
    proven : bool
        Whether that is proven, and not only so at sampled points.
    """

    holds: bool | None
    low: float = math.nan
    high: float = math.nan
    proven: bool = True

    def where(self) -> str:
        """Return the interval as a text."""
        if math.isinf(self.high):
            return "all x > 0" if self.low == 0 else f"x >= {self.low:.5g}"
        if self.low == self.high:
            return f"x = {self.low:.5g}"
        return f"0 < x <= {self.high:.5g}" if self.low == 0 else f"{self.low:.5g} <= x <= {self.high:.5g}"


def positivity(function: Any) -> Positivity:
    """Return whether a function is positive on the positive numbers of its domain.

    Parameters
    ----------
    function : Activation
        The function.

    Returns
    -------
    Positivity
        With an interval where it is not positive, if one has been found.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> import neuralgebra.functions.catalogue
    >>> positivity(activation("tanh")).holds, positivity(activation("sin")).where()
    (True, '3.1416 <= x <= 6.2832')
    """
    first, last = max(function.row.domain[0], 0.0), function.row.domain[1]
    if last <= 0:
        return Positivity(False, 0.0, math.inf)
    return _proven(function, first, last) or _sampled(function, first, last)


def _hull(function: Any, low: np.ndarray, high: np.ndarray) -> Interval:
    value: Interval = function(Intervals(), Interval(low, high))
    return value


def _proven(function: Any, first: float, last: float) -> Positivity | None:
    """Return what a bisection of the half-line proves; None where it does not end."""
    ends = np.array([first, *(e for e in _powers() if first < e < last), last])
    low, high = np.maximum(ends[:-1], _LEAST), ends[1:]
    for _ in range(_ROUNDS):
        value = _hull(function, low, high)
        wrong = np.flatnonzero(value.high <= 0)
        if len(wrong):
            return _widened(function, low[wrong[0]], high[wrong[0]], first, last)
        left = ~((value.low > 0) | ((low == _LEAST) & np.array([h <= _NEAR and _at_zero(function, h) for h in high])))
        low, high = low[left], high[left]
        if not len(low):
            return Positivity(True)
        if len(low) > _MOST or np.any(_narrow(low, high)):
            return None
        middle = _middle(low, high)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
        order = np.argsort(low)
        low, high = low[order], high[order]
    return None


def _powers() -> np.ndarray:
    powers: np.ndarray = np.ldexp(1.0, np.arange(-40, 41))
    return powers


def _middle(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    middle: np.ndarray = np.where(np.isinf(high), np.maximum(low, 1.0) * 2.0**20, low + (high - low) / 2)
    return middle


def _narrow(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    narrow: np.ndarray = np.isfinite(high) & (high - low <= 1e-7 * high)
    return narrow


def _at_zero(function: Any, end: float) -> bool:
    """Return whether the first derivative that does not vanish at 0 is positive up to an end."""
    balls = Balls(256)
    for order in range(_ORDERS):
        with balls.precision():
            at = function.derivative(balls, balls.weight(np.array([0.0])), order)[0]
        if not bool(at == 0):
            rising = function.derivative(Intervals(), Interval(np.array([0.0]), np.array([end])), order)
            return bool(at > 0 and rising.low[0] > 0)
    return False


def _widened(function: Any, low: float, high: float, first: float, last: float) -> Positivity:
    """Return an interval where the function is not positive, as wide as bisection proves it."""

    def holds(a: float, b: float) -> bool:
        return a >= b or bool(_hull(function, np.array([a]), np.array([b])).high[0] <= 0)

    start = max(first, _LEAST)
    return Positivity(
        False,
        first if holds(start, low) else _edge(lambda x: holds(x, low), low, start),
        last if holds(high, last) else _edge(lambda x: holds(high, x), high, min(last, 1e6 * max(high, 1.0))),
    )


def _edge(holds: Any, inside: float, outside: float) -> float:
    """Return how far from inside to outside something holds."""
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def _sampled(function: Any, first: float, last: float) -> Positivity:
    """Return what balls at points tell, which do not underflow."""
    x = np.unique(np.concatenate([np.geomspace(1e-12, 1e6, 401), np.linspace(0, 100, 401)]))
    x, balls = x[(x > first) & (x < last)], Balls(256)
    with balls.precision():
        value = function(balls, balls.weight(x))
    wrong = np.flatnonzero([bool(v <= 0) for v in value])
    if not len(wrong):
        return Positivity(None, proven=False)
    run = wrong[: np.argmax(np.append(np.diff(wrong), 2) > 1) + 1]
    return Positivity(False, float(x[run[0]]), float(x[run[-1]]), proven=False)
