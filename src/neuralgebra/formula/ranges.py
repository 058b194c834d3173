"""What the variables of forms range over on a box, proven.

A form is bounded by the ranges of its variables. Where that is too coarse, outputs of activations are replaced, from
the last layer to the first, by lines that lie below or above them on their range, as the sign of their factor demands:
what several units have in common then cancels. The best bound on the way counts. Zhang et al., "Efficient neural
network robustness certification with general activation functions" (2018), do so in floating point; here all is exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import Rationals, above, ends, exactly, nearest
from neuralgebra.formula.segments import Segments, jumps, segments
from neuralgebra.functions.activation import Activation
from neuralgebra.network.forms import ZERO, Form
from neuralgebra.network.layers import Elementwise, Layer
from neuralgebra.network.units import functions_of

__all__ = ["Range", "Ranges", "ball", "lines"]

_K = Rationals()


@dataclass(frozen=True)
class Range:
    """Exact ends of what coordinates lie between.

    Parameters
    ----------
    low, high : ndarray of rational
        The ends; 0 where nothing is known.
    known : ndarray of bool
        Where they are ends.
    """

    low: np.ndarray
    high: np.ndarray
    known: np.ndarray

    def balls(self) -> Any:
        """Return balls around the ranges; of infinite radius where nothing is known."""
        return _K.each(ball, self.low, self.high, self.known)

    def sizes(self) -> np.ndarray:
        """Return doubles that the absolute values do not exceed."""
        pairs = zip(self.low, self.high, self.known, strict=True)
        return np.array([above(max(-a, b)) if known else np.inf for a, b, known in pairs])


@dataclass(frozen=True)
class _Lines:
    """Lines below and above the outputs of a layer, as functions of its argument."""

    form: Form
    start: int
    below: np.ndarray
    above: np.ndarray


class Ranges:
    """The ranges of all variables, rounded outwards to doubles where they are no rationals.

    Parameters
    ----------
    low, high : sequence of rational
        The ends, one for each input.
    """

    def __init__(self, low: Sequence[Any], high: Sequence[Any]) -> None:
        self.low, self.high, self.known = list(low), list(high), [True] * len(low)
        self._lines: list[_Lines] = []

    def __len__(self) -> int:
        return len(self.low)

    def add(self, layer: Layer | None, form: Form, argument: Range, values: Iterable[flint.arb]) -> None:
        """Add the outputs of a layer as variables.

        Parameters
        ----------
        layer : Layer or None
            The layer.
        form : Form
            Its argument.
        argument : Range
            What the argument lies between.
        values : iterable of ball
            What the outputs lie in; nothing is known of one whose ball is not finite.
        """
        start = len(self.low) + 1
        for value in values:
            found = _ends(value)
            self.known.append(found is not None)
            low, high = found or (ZERO, ZERO)
            self.low.append(low)
            self.high.append(high)
        if isinstance(layer, Elementwise) and argument.known.all() and all(self.known[start - 1 :]):
            outputs = zip(self.low[start - 1 :], self.high[start - 1 :], strict=True)
            pairs = lines(layer, argument, list(outputs))
            self._lines.append(_Lines(form, start, *np.array(pairs, dtype=object).transpose(1, 2, 0)))

    def of(self, form: Form) -> Range:
        """Return what the coordinates of a form lie between."""
        (low, high), known = self._interval(form), self._known(form)
        if self._lines and known.any() and len(form) > self._lines[0].start:
            here = np.flatnonzero(known)
            high[here] = self._lowest(form[:, here], high[here])
            low[here] = -self._lowest(-form[:, here], -low[here])
        return Range(low, high, known)

    def _known(self, form: Form) -> np.ndarray:
        unknown = ~np.array(self.known[: len(form) - 1], dtype=bool)
        return np.asarray(~(form[1:][unknown] != 0).any(axis=0))

    def _interval(self, form: Form) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends that follow from the ranges of the variables."""
        both = np.array([self.low[: len(form) - 1], self.high[: len(form) - 1]], dtype=object)
        products = _K.product(np.concatenate([both, both[::-1]], axis=1), np.concatenate(_signs(form[1:])[::-1]))
        return form[0] + products[0], form[0] + products[1]

    def _lowest(self, form: Form, bound: np.ndarray) -> np.ndarray:
        """Return the lowest of a bound and those with lines for the last layer, the last two, …."""
        for layer in reversed(self._lines):
            end = layer.start + layer.form.shape[1]
            factors = form[layer.start : end]
            if not len(factors) or not (factors != 0).any():
                continue
            form = self._replaced(form, factors, layer)
            bound = np.minimum(bound, self._interval(form)[1])
        return bound

    def _replaced(self, form: Form, factors: Form, layer: _Lines) -> Form:
        """Return a form that is nowhere below, without the outputs of a layer."""
        down, up = _signs(factors)
        slopes = up * layer.above[0][:, None] + down * layer.below[0][:, None]
        result = form.copy()
        result[layer.start : layer.start + len(factors)] = ZERO
        result[0] = result[0] + (up * layer.above[1][:, None] + down * layer.below[1][:, None]).sum(axis=0)
        result[: len(layer.form)] = result[: len(layer.form)] + _K.product(layer.form, slopes)
        return result

    def sizes(self, variables: int) -> np.ndarray:
        """Return doubles that the absolute values of the first variables do not exceed."""
        pairs = zip(self.low, self.high, self.known, strict=True)
        return np.array([above(max(-a, b)) if known else np.inf for a, b, known in pairs])[:variables]


def _signs(form: Form) -> tuple[Form, Form]:
    """Return what of a form is below zero, and what is above."""
    negative, positive = (_K.each(lambda v, s=s: v if s * v > 0 else ZERO, form) for s in (-1, 1))
    return negative, positive


def ball(low: Any, high: Any, known: Any = True) -> flint.arb:
    """Return a ball around a range."""
    return flint.arb(low).union(flint.arb(high)) if known else flint.arb(0, np.inf)


def _ends(value: flint.arb) -> tuple[Any, Any] | None:
    """Return doubles around a ball, as rationals."""
    if not value.is_finite():
        return None
    low, high = ends(value)
    return (_K.scalar(low), _K.scalar(high)) if np.isfinite([low, high]).all() else None


# Lines ------------------------------------------------------------------------------------------------------------

Line = tuple[Any, Any]
"""Slope and offset."""


def lines(layer: Elementwise, argument: Range, values: Sequence[tuple[Any, Any]]) -> list[tuple[Line, Line]]:
    """Return a line below and a line above each unit on its range.

    Parameters
    ----------
    layer : Elementwise
        The units.
    argument : Range
        Their ranges.
    values : sequence of (rational, rational)
        What their values lie between.

    Returns
    -------
    list of (line, line)
        Slopes and offsets.
    """
    functions = functions_of(layer, len(values))
    k = Balls()
    with k.precision():
        units = zip(functions, argument.low, argument.high, values, strict=True)
        return [_unit(k, function, low, high, value) for function, low, high, value in units]


def _unit(k: Balls, function: Activation, low: Any, high: Any, values: tuple[Any, Any]) -> tuple[Line, Line]:
    parts = segments(function)
    if parts is not None:
        return _broken(parts, low, high)
    level = (ZERO, values[0]), (ZERO, values[1])
    tilted = None if jumps(function, low, high) else _tilted(k, function, low, high)
    return level if tilted is None or tilted[1][1] - tilted[0][1] >= values[1] - values[0] else tilted


def _broken(parts: Segments, low: Any, high: Any) -> tuple[Line, Line]:
    """Return lines of a piecewise linear function: differences to a line are extreme at ends and kinks."""
    places = [low, *(part.high for part in parts.parts[:-1] if low < part.high < high), high]
    spans = list(itertools.pairwise(places))
    slopes = [parts.at((a + b) / 2).slope for a, b in spans]
    values = [part.slope * z + part.offset for z in places for part in [parts.at(z)]]
    chord = _K.scalar(nearest((values[-1] - values[0]) / (high - low))) if high > low else ZERO
    longest = slopes[max(range(len(spans)), key=lambda i: spans[i][1] - spans[i][0])]
    under, over = (longest if slopes == sorted(slopes, reverse=r) else chord for r in (False, True))
    offsets = {s: [v - s * z for z, v in zip(places, values, strict=True)] for s in (under, over)}
    return (under, min(offsets[under])), (over, max(offsets[over]))


def _tilted(k: Balls, function: Activation, low: Any, high: Any) -> tuple[Line, Line] | None:
    """Return parallel lines by the mean value theorem, σ(z) = σ(c) + σ'(somewhere) (z - c)."""
    wide = np.array([ball(low, high)], dtype=object)
    slope = function.derivative(k, wide, 1)[0]
    if not np.isfinite(float(slope.mid())):
        return None
    middle = exactly(wide[0].mid())
    tilt = _K.scalar(float(slope.mid()))
    value = function(k, np.array([flint.arb(middle)], dtype=object))[0]
    rest = _ends(value - flint.arb(tilt * middle) + (slope - flint.arb(tilt)) * (wide[0] - flint.arb(middle)))
    return None if rest is None else ((tilt, rest[0]), (tilt, rest[1]))
