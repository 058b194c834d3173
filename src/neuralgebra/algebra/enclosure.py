"""Proven ranges of a network and of its derivatives on a box."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.relaxation import Relaxation
from neuralgebra.algebra.search import Bounding, Found, Goal, search
from neuralgebra.algebra.sensitivity import Range
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.derivatives import value
from neuralgebra.calculus.differentiate import diff
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.errors import InputError, NotCertifiedError, shown
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.network import Network

__all__ = ["Enclosure", "bounding", "derivative", "enclose", "expect_whole", "largest", "ranges"]

_HIGHEST = 4
_PARTS = 64  # of the box of a network that is compiled
_CLOSE = 0.01  # of the range seen: bounds that are closer are not improved


@dataclass(frozen=True)
class Enclosure:
    """Proven ranges of all values or derivatives of one order on a box.

    Parameters
    ----------
    low, high : ndarray, shape (m,), (m, n), (m, n, n), …
        Ends, for each output and the inputs by which it is differentiated.
    order : int
        The order of the derivatives.
    box : Box
        Where.
    """

    low: np.ndarray
    high: np.ndarray
    order: int
    box: Box

    @property
    def width(self) -> np.ndarray:
        """How far the ends are apart."""
        return np.asarray(self.high - self.low)


def enclose(network: Network, box: Any, order: int = 0, *, boxes: int = 200) -> Enclosure:
    """Return proven ranges of all outputs, or of all their derivatives of one order, on a box.

    low ≤ ∂ᵏfᵢ/∂xⱼ… ≤ high everywhere in the box, for the real numbers that the weights stand for. At a kink the
    derivatives on all sides count.

    Parameters
    ----------
    network : Network
        f, with n inputs and m outputs.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input.
    order : int
        0 for values, 1 for the Jacobian, 2 for the Hessian; at most 4.
    boxes : int
        Into how many parts the box may be cut to make the ranges narrower; 1 for none.

    Returns
    -------
    Enclosure
        With ``.low`` and ``.high``.

    Raises
    ------
    InputError
        For an order or a number of boxes that is none.
    NotCertifiedError
        When something has no bound on the box: a logarithm of what may be 0, say.

    Notes
    -----
    Linear bounds of all neurons (see `Relaxation`) on boxes that are halved where the bounds are worst.

    Examples
    --------
    >>> f = Network.from_layers([([[1.0], [2.0]], [0.5, 0.0]), ([[1.0, -1.0]], None)], "tanh")
    >>> found = enclose(f, [(-1, 1)])
    >>> print(found.low.round(2), found.high.round(2))
    [-0.06] [0.77]
    """
    place = box_of(network, box)
    expect_whole("order", order, 0, _HIGHEST)
    expect_whole("boxes", boxes, 1)
    target = derivative(network, order)
    m, forms = target.output_size, np.eye(target.output_size)
    found = largest(target, np.concatenate([forms, -forms]), place, Goal(_relative, boxes))
    low, high = -found.upper[m:], found.upper[:m]
    _expect_bounds(network, low, high, place, found)
    shape = (network.output_size, *[network.input_size] * order)
    return Enclosure(low.reshape(shape), high.reshape(shape), order, place)


def derivative(network: Network, order: int) -> Network:
    """Return the network of all derivatives of an order, of shape (m, n, …, n), row-major."""
    return functools.reduce(lambda f, _: diff(f), range(order), network)


def _relative(best: np.ndarray) -> np.ndarray:
    """Return a part of the range seen, for largest values of f and of -f."""
    spread = best[: len(best) // 2] + best[len(best) // 2 :]
    return np.asarray(_CLOSE * np.concatenate([spread, spread]))


def expect_whole(name: str, number: Any, least: int, most: float = np.inf) -> None:
    """Raise an error for what is no whole number in a range."""
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
    if not (whole and least <= number <= most):
        expected = f"a whole number from {least}" + (f" to {most}" if most < np.inf else "")
        raise InputError(f"{name}={shown(repr(number))} received; {expected} expected.")


def _expect_bounds(network: Network, low: np.ndarray, high: np.ndarray, box: Box, found: Found) -> None:
    if np.isfinite(low).all() and np.isfinite(high).all():
        return
    widest = (found.high - found.low).max(axis=1, initial=0.0).argmax() if len(found.low) else 0
    part = Box(*(tuple(end[widest].tolist()) for end in (found.low, found.high))) if len(found.low) else box
    raise NotCertifiedError(
        f"no bound is found where {shown(part.text(network.input_names))}: a function may leave its domain there, or "
        "values overflow.\nA smaller box expected, or more boxes."
    )


# Boxes ------------------------------------------------------------------------------------------------------------


def largest(network: Network, forms: np.ndarray, box: Box, goal: Goal) -> Found:
    """Return what is found of the largest values of linear forms of the outputs on a box.

    Parameters
    ----------
    network : Network
        Any network.
    forms : ndarray, shape (forms, m)
        Factors.
    box : Box
        Where.
    goal : Goal
        When the search is over.

    Returns
    -------
    Found
        Of the search.
    """

    def values(points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray(value(network, points) @ forms.T)

    return search(bounding(elementary(network), forms), values, box, goal)


def bounding(network: Network, forms: np.ndarray) -> Bounding:
    """Return the bounds of linear forms of the outputs of an elementary network, as a function of boxes."""

    def bound(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = Relaxation(network, low, high).bounds(forms)
        return found.upper, found.slopes

    return bound


def ranges(network: Network, box: Box) -> tuple[list[Range], Box | None]:
    """Return proven ends of the values at all places of an elementary network.

    Parameters
    ----------
    network : Network
        An elementary network.
    box : Box
        Where.

    Returns
    -------
    list of (ndarray, ndarray)
        For each place, of shape (size,).
    Box or None
        A part of the box on which something has no bound.
    """
    low, high = np.array(box.low)[None], np.array(box.high)[None]
    span = np.where(high > low, high - low, 1.0)
    while len(low) < _PARTS:
        low, high = _halved(low, high, span)
    found = _by_balls(network, box)
    hull = [(np.full(a.shape, np.inf), np.full(a.shape, -np.inf)) for a, _ in found]
    for last in (False, False, False, True):  # what has no bound is halved again
        relaxed = Relaxation(network, low, high).ranges
        open_parts = ~np.logical_and.reduce([(np.isfinite(a) & np.isfinite(b)).all(axis=1) for a, b in relaxed])
        kept = np.flatnonzero(~open_parts | last)
        hull = [_union(known, (a[kept], b[kept])) for known, (a, b) in zip(hull, relaxed, strict=True)]
        low, high = low[open_parts], high[open_parts]
        if last or not len(low):
            break
        low, high = _halved(low, high, span)
    part = Box(tuple(low[0].tolist()), tuple(high[0].tolist())) if len(low) else None
    return [(np.maximum(a, c), np.minimum(b, d)) for (a, b), (c, d) in zip(hull, found, strict=True)], part


def _union(known: Range, parts: Range) -> Range:
    """Return ranges that hold known ones and those on parts of the box, (parts, size)."""
    return (
        np.minimum(known[0], parts[0].min(axis=0, initial=np.inf)),
        np.maximum(known[1], parts[1].max(axis=0, initial=-np.inf)),
    )


def _halved(low: np.ndarray, high: np.ndarray, span: np.ndarray) -> Range:
    """Return the halves of boxes along their longest sides, as parts of a span."""
    rows, along = np.arange(len(low)), np.argmax((high - low) / span, axis=1)
    middle = low[rows, along] / 2 + high[rows, along] / 2
    first, second = high.copy(), low.copy()
    first[rows, along] = second[rows, along] = middle
    return np.concatenate([low, second]), np.concatenate([first, high])


def _by_balls(network: Network, box: Box) -> list[Range]:
    """Return proven ends of the values at all places."""
    k = Balls()
    with k.precision():
        x = Jet(IndexSet.full(network.input_size, 0), [k.interval(np.array(box.low), np.array(box.high))[None, None]])
        jets = Jets(k, network, x)
        jets.run(0, keep=True)
        values = [jet.value[0, 0] for jet in jets.jets if jet is not None]
        pairs = [[ends(v) if v.is_finite() else (-np.inf, np.inf) for v in value] for value in values]
    return [(np.array([a for a, _ in pair]), np.array([b for _, b in pair])) for pair in pairs]
