"""Where the value of a composition is at a kink of one of its functions, as numbers of any kind."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.elementary import outward
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.errors import UnsupportedError

__all__ = ["places"]

_BITS = 256
_K = Balls(_BITS)


def places(kind: Any, parts: Sequence[Any]) -> list[tuple[Any, int]]:
    """Return place and order of each kink of a composition.

    Parameters
    ----------
    kind : Kind
        Of the numbers that are wanted.
    parts : sequence of Activation
        The functions, the one that is applied first before the others.

    Returns
    -------
    list of (number, int)
        Where the value of the parts before is at a kink of the next, found in balls by the inverse functions.

    Raises
    ------
    UnsupportedError
        Where a part before has no inverse.
    """
    convert = _converter(kind)
    return [(convert(place), order) for place, order in _exact(tuple(parts))]


@functools.lru_cache(maxsize=1024)
def _exact(parts: tuple[Any, ...]) -> list[tuple[np.ndarray, int]]:
    found: list[tuple[np.ndarray, int]] = []
    with _K.precision():
        for i, part in enumerate(parts):
            for at, order in part.points(_K):
                value = np.atleast_1d(_K.each(_K.scalar, np.asarray(at, dtype=object)))
                found += [(place, order) for place in _before(parts[:i], value)]
    return found


def _before(parts: Sequence[Any], value: np.ndarray) -> list[np.ndarray]:
    """Return the arguments at which a composition has a value; none where it never has."""
    values = [value]
    for part in reversed(parts):
        values = [argument for value in values for argument in _arguments(part, value)]
    return values


def _arguments(part: Any, value: np.ndarray) -> list[np.ndarray]:
    low, high = _range(part)
    if all(v <= low or v >= high for v in value):
        return []
    inverse = part.inverse
    if inverse is None:
        raise UnsupportedError(f"kinks behind {part} received; a function with an inverse is expected there.")
    units = [len(given) for _, given in part.parameters if isinstance(given, tuple)]
    value = np.broadcast_to(value, max([len(value), *units]))
    argument = inverse(_K, value)
    if not any(v.is_finite() for v in argument):
        return []
    back = part(_K, -argument)  # that of a square is the same number
    mirrored = all(b.is_finite() and b.overlaps(v) for b, v in zip(back, value, strict=True)) and np.any(argument != 0)
    return [-argument, argument] if mirrored else [argument]


def _range(part: Any) -> tuple[float, float]:
    """Return the range that a row states, which is that of the parameters it states."""
    given = dict(part.parameters)
    low, high = part.row.range if given == dict(part.row.parameters) else (-math.inf, math.inf)
    return low, high


def _converter(kind: Any) -> Callable[[np.ndarray], Any]:
    """Return what makes numbers of a kind of an array of balls: one number where there is one."""
    if isinstance(kind, Balls):
        return lambda place: place if len(place) > 1 else place[0]
    if isinstance(kind, Intervals):
        return _interval
    return lambda place: np.array([_nearest(v) for v in place]) if len(place) > 1 else _nearest(place[0])


def _nearest(value: flint.arb) -> float:
    return float(value.mid())


def _interval(place: np.ndarray) -> Interval:
    low, high = np.array([outward(v) for v in place]).T
    return Interval(low, high) if len(place) > 1 else Interval(low[0], high[0])
