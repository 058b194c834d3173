"""Kinks: where a derivative has a jump, found and named, or taken from both sides.

A piecewise smooth network has one-sided derivatives along every direction. Along x + t v, t → 0+, each unit leaves its
kink to the side of the first Taylor coefficient that does not vanish; so the jet along v, with every chain evaluated
on that side, is the one-sided Taylor series. Of several competitors for a maximum that are equal, the one whose series
is the larger wins.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, is_array, is_concrete, quiet, to_numpy
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets, inner, part, rounds
from neuralgebra.calculus.run import accept, evaluate
from neuralgebra.calculus.series import Series
from neuralgebra.errors import KinkError, UnsupportedError, UsageError, shown
from neuralgebra.functions.activation import Activation, Chain
from neuralgebra.network.bound import Bound
from neuralgebra.network.layers import Elementwise, Maximum, Mixing
from neuralgebra.network.network import Network

__all__ = ["KINKS", "check_choice", "one_sided", "one_sided_jacobian", "smooth"]

KINKS = ("choose", "raise", "interval")


def check_choice(kinks: str, allowed: tuple[str, ...] = KINKS) -> None:
    """Raise UsageError unless a word for what happens at kinks is known, and UnsupportedError if not for this."""
    if kinks not in KINKS:
        raise UsageError(f"kinks={shown(kinks)!r} received; one of {', '.join(KINKS)} expected.")
    if kinks not in allowed:
        raise UnsupportedError(
            f'kinks="{kinks}" received; a mixed derivative has no one-sided values. '
            f'jacobian(x, kinks="{kinks}") and taylor(x, v, order, kinks="{kinks}") give those along directions.'
        )


def smooth(network: Network, x: Any, dtype: Any, kinks: str, order: int) -> tuple[Arrays, Value]:
    """Return the kind of points and the points, accepted; with kinks="raise" none of them is at a kink."""
    if kinks == "choose":
        return accept(network, x, dtype)
    check_choice(kinks, ("choose", "raise"))
    k, x = accept(network, x, dtype)
    _refuse_kinks(k, network, x, order)
    return k, x


# Finding them -----------------------------------------------------------------------------------------------------


def _refuse_kinks(k: Any, network: Network, x: Value, order: int) -> None:
    """Raise KinkError if some unit stands at a kink that a derivative of an order can see."""
    if is_array(x) and not is_concrete(x):
        raise UsageError('kinks="raise" received while a function is compiled or mapped; ask outside of it.')
    points = k.reshape(x, (-1, x.shape[-1]))
    (at_kink,) = evaluate(network, k, points, lambda k, points: [_any_touched(k, network, points, order)])
    if not bool(k.xp.any(at_kink)):
        return
    row = int(np.nonzero(to_numpy(at_kink))[0][0])
    with quiet():
        place, text, touched = next(t for t in _all_touched(k, network, points[row : row + 1, :], order) if t[2].any())
    unit = int(np.nonzero(to_numpy(touched)[0, 0])[0][0])
    raise KinkError(
        f"node {place} ({network.nodes[place - 1].layer}), unit {unit + 1}, is at {text} "
        f"at point {row + 1} of {points.shape[0]}: derivative {order} has no one value there.\n"
        'jacobian, jvp and taylor with kinks="interval" give the one-sided ones, kinks="choose" those of the catalogue.'
    )


def _any_touched(k: Any, network: Network, points: Value, order: int) -> Value:
    """Return at which points some unit stands at a kink, (N,)."""
    found = k.xp.zeros(points.shape[0], dtype=k.xp.bool, device=k.device)
    for _, _, touched in _all_touched(k, network, points, order):
        found = found | k.xp.any(touched[0, ...], axis=-1)
    return found


def _all_touched(k: Any, network: Network, points: Value, order: int) -> Iterator[tuple[int, str, Value]]:
    """Yield places, what units may be at there, and which units are at which points, (1, N, units)."""
    jets = Jets(k, network, Jet(IndexSet.full(1, 0), [points[None, ...]]))
    jets.run(0, keep=True)
    for place in range(1, len(network.nodes) + 1):
        for text, touched in _touched(k, jets, place, order):
            yield place, text, touched


def _touched(k: Any, jets: Jets, place: int, order: int) -> Iterator[tuple[str, Value]]:
    """Yield what a unit of a node may be at, and which units are, (1, N, units)."""
    layer, arguments = jets.network.nodes[place - 1].layer, jets.inputs(place)
    if isinstance(layer, Elementwise):
        for function, i, j in layer.blocks:
            z = arguments[0] if layer.only is not None else part(arguments[0], i, j)
            yield from _at_points(k, function, z.value, order)
    elif isinstance(layer, Mixing):
        function, inverse, _, v = inner(k, layer, 0, arguments[0])
        yield from _at_points(k, inverse, arguments[0].value, order)
        yield from _at_points(k, function, v.value, order)
    elif isinstance(layer, Maximum) and order:
        entrants = [jet.value for jet in rounds(k, layer, arguments[0])]
        best = functools.reduce(k.maximum, entrants)
        fresh = _first_mention(layer.groups)
        equal = (k.xp.astype(a == best, k.dtype) * k.weight(f) for a, f in zip(entrants, fresh, strict=True))
        yield "a tie of its maximum", functools.reduce(operator.add, equal) > 1


def _first_mention(groups: np.ndarray) -> np.ndarray:
    """Return 1 where a group names a coordinate for the first time, (size, out): shorter groups repeat one."""
    again = [[index in group[:place] for place, index in enumerate(group)] for group in groups.tolist()]
    return 1.0 - np.array(again, dtype=float).T


def _at_points(k: Any, function: Activation, z: Value, order: int) -> Iterator[tuple[str, Value]]:
    for at, lowest in function.points(k):
        if lowest <= order:
            yield f"the kink of {function}", z == at


# One side ---------------------------------------------------------------------------------------------------------


class OneSided(Series):
    """Levels of a chain on the side of its kinks that the argument goes to."""

    def __init__(self, k: Any, function: Activation, z: Jet) -> None:
        self.exact = Chain(k, function, z.value)
        super().__init__(k, function, Jet(z.indices, [_approached(k, function, z), *z.levels[1:]]))

    def function(self, function: Activation, order: int) -> Value | None:
        """Return one level of a function with this chain; its value is that at the point itself."""
        return super().function(function, order) if order else self.exact.polynomial(function.row.value)


def _approached(k: Any, function: Activation, z: Jet) -> Value:
    """Return the argument, one step of the normal numbers past the kinks that it is at."""
    value, points = z.value, function.points(k)
    if not points:
        return value
    side = _leading(k, z.levels[1:], value)
    for at, _ in points:
        kink = k.fill(value, float(at) if isinstance(at, int | float) else at)
        step = k.xp.finfo(value.dtype).smallest_normal  # smaller ones are 0 to XLA, and to PyTorch when told so
        near = k.xp.where(side > 0, k.fill(value, float(step)), -float(step))
        beyond = k.xp.where(kink == 0, near, k.xp.nextafter(kink, k.xp.where(side > 0, k.fill(value, np.inf), -np.inf)))
        value = k.xp.where((z.value == at) & (side != 0), beyond, value)
    return value


def _leading(k: Any, levels: list[Value | None], like: Value) -> Value:
    """Return the first of some levels that is not zero, coordinate by coordinate."""
    result = k.xp.zeros_like(like)
    for level in reversed(levels):
        if level is not None:
            result = k.xp.where(level != 0, level, result)
    return result


class Sided(Arrays):
    """Arrays whose functions are taken on one side of their kinks."""

    composition = OneSided

    def rivals(self, a: Jet, b: Jet, order: int) -> tuple[Value, Any]:
        """Return what is greater than what where b beats a along the direction, up to an order."""
        zero = self.xp.zeros_like(a.value)
        margins = []
        for u, v in zip(a.levels[: order + 1], b.levels[: order + 1], strict=True):
            margins.append((zero if v is None else v) - (zero if u is None else u))
        return _leading(self, margins, zero), 0.0


def one_sided(network: Network, x: Value, v: Value, order: int) -> tuple[Value, Value]:
    """Return the derivatives d^k/dt^k f(x + t v) for t → 0 from below and from above.

    Parameters
    ----------
    network : Network
        f.
    x : array, shape (..., n)
        Points.
    v : array, shape (..., n)
        Directions.
    order : int
        Highest order.

    Returns
    -------
    tuple of two arrays, shape (order + 1, ..., m)
        From the left, and from the right.
    """
    k, axes = Arrays.of(x), len(x.shape)

    def compute(_: Any, points: Value, along: Value) -> list[Value]:
        return [_along(network, points, along * sign, order, sign) for sign in (-1.0, 1.0)]

    sides = evaluate(network, k, x, compute, v)
    left, right = (k.permute(side, (axes - 1, *range(axes - 1), axes)) for side in sides)
    return left, right


def one_sided_jacobian(network: Network, directions: np.ndarray | None, x: Any, dtype: Any) -> tuple[Value, Value]:
    """Return the Jacobian along each input, or the rows of directions, from the left and from the right.

    Parameters
    ----------
    network : Network
        f.
    directions : ndarray, shape (K, n), optional
        The unit vectors wanted; all by default.
    x : array_like, shape (..., n)
        Points.
    dtype : str or None
        What to compute in.

    Returns
    -------
    tuple of two arrays, shape (..., m, K)
        One-sided derivatives.
    """
    k, x = accept(network, x, dtype)
    rows = np.eye(network.input_size) if directions is None else directions
    shape = tuple(x.shape)
    sides = [one_sided(network, x, k.broadcast(k.weight(row), shape), 1) for row in rows]
    left, right = (k.concat([side[1, ..., None] for side in column], -1) for column in zip(*sides, strict=True))
    return left, right


def _along(network: Network, x: Value, v: Value, order: int, sign: float) -> Value:
    """Return the derivatives along v to one side, (N, order + 1, m)."""
    k = Sided(x).with_values(network.by_identity if isinstance(network, Bound) else {})
    indices = IndexSet.full(1, order)
    given = [x[None, ...], v[None, ...], *[None] * (order - 1)][: order + 1]
    levels = Jets(k, network, Jet(indices, given)).run(order).levels
    zero, factor, results = k.zeros((1, x.shape[0], network.output_size)), 1.0, []
    for n, level in enumerate(levels):
        factor *= sign * max(1, n) if n else 1.0
        results.append(zero if level is None else k.broadcast(level, tuple(zero.shape)) * factor)
    return k.permute(k.concat(results, 0), (1, 0, 2))
