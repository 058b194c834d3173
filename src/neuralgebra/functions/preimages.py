"""Where the value of a composition is at a kink of one of its functions, as numbers of any kind."""

from __future__ import annotations

import functools
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
                place = _before(parts[:i], np.atleast_1d(_K.each(_K.scalar, np.asarray(at, dtype=object))))
                found += [] if place is None else [(place, order)]
    return found


def _before(parts: Sequence[Any], value: np.ndarray) -> np.ndarray | None:
    """Return the argument at which a composition has a value; None where it never has."""
    for part in reversed(parts):
        low, high = part.row.range
        if all(v <= low or v >= high for v in value):
            return None
        inverse = part.inverse
        if inverse is None:
            raise UnsupportedError(f"kinks behind {part} received; a function with an inverse is expected there.")
        value = inverse(_K, value)
    return value


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
