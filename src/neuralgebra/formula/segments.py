"""Where an activation is affine: its segments between kinks, with exact slopes, and ranges on which nothing bends."""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import Rationals, exactly
from neuralgebra.functions.activation import Activation, resolved

__all__ = ["Segment", "Segments", "affine_on", "jumps", "obstacle", "segments"]

_K = Rationals()


@dataclass(frozen=True)
class Segment:
    """A range of arguments z on which a function is slope·z + offset.

    Parameters
    ----------
    low, high : rational or None
        Its ends; None is infinity.
    slope, offset : rational
        The affine map.
    """

    low: Any
    high: Any
    slope: Any
    offset: Any


@dataclass(frozen=True)
class Segments:
    """All segments of a piecewise linear function.

    Parameters
    ----------
    parts : tuple of Segment
        In order, from -∞ to ∞; their ends are the kinks.
    chosen : tuple of rational
        The slope given to each kink.
    """

    parts: tuple[Segment, ...]
    chosen: tuple[Any, ...]

    def at(self, z: Any) -> Segment:
        """Return the segment that counts at z: at a kink the one whose slope is chosen there, or the kink alone."""
        for left, right, chosen in zip(self.parts, self.parts[1:], self.chosen, strict=False):
            if z < left.high or (z == left.high and chosen == left.slope):
                return left
            if z == left.high and chosen != right.slope:
                return Segment(z, z, chosen, left.slope * z + left.offset - chosen * z)
        return self.parts[-1]


@functools.lru_cache(maxsize=1024)
def segments(function: Activation) -> Segments | None:
    """Return the segments of a function with plain parameters; None if it is not piecewise linear and continuous."""
    return None if obstacle(function) else _segments(function)


def obstacle(function: Activation) -> str:
    """Return why a function has no segments; "" if it has."""
    row = function.row
    if row.fingerprint:
        return "is a registered function, of which nobody stated that it is piecewise linear"
    if row.derivative(2):
        return "is curved" if row.kinks else "is smooth and curved"
    if any(order == 0 for _, order, _ in _kinks(function)):
        return "jumps, so that no closed piece exists"
    return ""


def _kinks(function: Activation) -> list[tuple[Any, int, Any]]:
    """Return place, order and chosen value of each kink, in order."""
    constants, given = function.constants(_K), dict(function.parameters)
    found = {}
    for kink in function.row.kinks:
        try:
            place = _K.scalar(resolved(kink.at, constants))
        except ZeroDivisionError:  # a function that is constant has no kink
            continue
        chosen = resolved(kink.chosen, constants)
        found[place] = (place, resolved(kink.order, given), None if chosen is None else _K.scalar(chosen))
    return [found[place] for place in sorted(found)]


def jumps(function: Activation, low: Any, high: Any) -> bool:
    """Return whether the values of a function jump somewhere in [low, high]."""
    return any(order == 0 and low <= place <= high for place, order, _ in _kinks(function))


def _segments(function: Activation) -> Segments:
    kinks = _kinks(function)
    ends = [None, *(place for place, _, _ in kinks), None]
    parts = [Segment(a, b, *_line(function, a, b)) for a, b in itertools.pairwise(ends)]
    joined, chosen = parts[:1], []
    for part, (_, _, value) in zip(parts[1:], kinks, strict=True):
        if value == part.slope == joined[-1].slope:
            joined[-1] = Segment(joined[-1].low, part.high, part.slope, part.offset)
        else:
            joined.append(part)
            chosen.append(value)
    return Segments(tuple(joined), tuple(chosen))


def _line(function: Activation, low: Any, high: Any) -> tuple[Any, Any]:
    """Return slope and offset between two kinks."""
    inside = (low + high) / 2 if None not in (low, high) else high - 1 if low is None is not high else (low or 0) + 1
    z = np.array([_K.scalar(inside)], dtype=object)
    value, slope = (_K.scalar(function.derivative(_K, z, order)[0]) for order in (0, 1))
    return slope, value - slope * z[0]


def affine_on(function: Activation, low: Any, high: Any) -> Segment | None:
    """Return the affine map that a function is on [low, high], with its chosen slopes at kinks; None if it is none.

    Parameters
    ----------
    function : Activation
        With plain parameters.
    low, high : rational
        The range.
    """
    known = segments(function)
    if known is not None:
        first = known.at(low)
        return first if first == known.at(high) else None
    if function.row.fingerprint or any(low <= place <= high for place, _, _ in _kinks(function)):
        return None
    return _straight(function, low, high)


def _straight(function: Activation, low: Any, high: Any) -> Segment | None:
    """Return the affine map of a function like elu, if its second derivative is exactly 0 over the range."""
    k = Balls()
    with k.precision():
        wide = np.array([flint.arb(low).union(flint.arb(high))], dtype=object)
        bend = function.derivative(k, wide, 2)[0]
        if not bend.is_zero():  # a ball around 0 is neither equal to it nor different
            return None
        z = np.array([wide[0].mid()], dtype=object)
        numbers = [z[0], *(flint.arb(function.derivative(k, z, order)[0]) for order in (0, 1))]
    if not all(number.is_exact() for number in numbers):
        return None
    at, value, slope = (exactly(number) for number in numbers)
    return Segment(low, high, slope, value - slope * at)
