"""What there is to bound and to refute for each kind of claim about a network on a box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.curvature import bends_upwards, jumps, kinked
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.enclosure import bounding, derivative
from neuralgebra.algebra.extrema import jacobian_norms, norms_of
from neuralgebra.algebra.norms import least_eigenvalue
from neuralgebra.algebra.pieces import values_of
from neuralgebra.algebra.relaxation import Relaxation
from neuralgebra.algebra.search import Bounding
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.intervals import Interval
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.derivatives import hessian, value
from neuralgebra.calculus.differentiate import diff
from neuralgebra.network.box import Box
from neuralgebra.network.network import Network

__all__ = ["Problem", "Witness", "convex", "lipschitz", "monotone", "values"]

_BITS = 200
_SAMPLES = 2000
_HALVINGS = 40
_TRIED = 4  # of the most promising points

Points = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Witness:
    """Points that refute a claim, and what they show."""

    points: Points
    reason: str


@dataclass(frozen=True)
class Problem:
    """A claim: that no function exceeds a level.

    Parameters
    ----------
    functions : int
        How many functions.
    bounding : callable
        Proven bounds of the functions on boxes.
    values : callable
        The functions at points, (points, n) -> (points, functions).
    level : float
        What they are claimed not to exceed.
    refute : callable
        (point or None, function) -> a proof of the contrary found from there, or from random points; None if there is
        none.
    """

    functions: int
    bounding: Bounding
    values: Callable[[np.ndarray], np.ndarray]
    level: float
    refute: Callable[[np.ndarray | None, int], Witness | None]


def _text(point: Sequence[float]) -> str:
    """Return a point for the eye; the witness has every digit."""
    return f"({', '.join(f'{v:.6g}' for v in point)})"


# Values -----------------------------------------------------------------------------------------------------------


def values(network: Network, forms: np.ndarray, level: float, strict: bool) -> Problem:
    """Return the claim that no linear form of the outputs exceeds a level, or reaches it."""

    def at(points: np.ndarray) -> np.ndarray:
        return np.asarray(_quietly(network, points) @ forms.T)

    def refute(point: np.ndarray | None, function: int) -> Witness | None:
        if point is None:
            return None
        form, place = forms[function], tuple(point.tolist())
        unit = int(np.flatnonzero(form)[0])
        ball = values_of(network, place, _BITS)[unit] * int(form[unit])
        if not ball.is_finite() or not (ball >= level if strict else ball > level):
            return None
        low, name = ends(ball)[0], network.output_names[unit]
        shows = f"{name} is at least {low:.6g}" if form[unit] > 0 else f"{name} is at most {0.0 - low:.6g}"
        return Witness((place,), f"{shows} at {_text(place)}")

    limit = float(np.nextafter(level, -np.inf)) if strict else level
    return Problem(len(forms), bounding(elementary(network), forms), at, limit, refute)


def _quietly(network: Network, points: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(value(network, points), dtype=float)


# Monotonicity -----------------------------------------------------------------------------------------------------


def monotone(network: Network, unit: int, sign: int, box: Box) -> Problem:
    """Return the claim that all outputs rise with an input, or fall where the sign is -1."""
    slope = diff(network, network.input_names[unit])
    forms = -sign * np.eye(network.output_size)
    proven = _where_continuous(network, bounding(elementary(slope), forms))

    def refute(point: np.ndarray | None, function: int) -> Witness | None:
        first, second = _pairs(box, point, np.eye(network.input_size)[unit])
        swap = (second[:, unit] < first[:, unit])[:, None]
        first, second = np.where(swap, second, first), np.where(swap, first, second)
        chosen = network[function]
        gap = sign * (_quietly(chosen, first) - _quietly(chosen, second))[:, 0]
        for a, b in _most(gap, first, second):
            (u,), (v,) = values_of(chosen, a, _BITS), values_of(chosen, b, _BITS)
            if (u - v) * sign > 0:
                moves = f"{'falls' if sign > 0 else 'rises'} by at least {ends((u - v) * sign)[0]:.3g}"
                where = f"{network.input_names[unit]} goes from {a[unit]:.6g} to {b[unit]:.6g} at {_text(a)}"
                return Witness((a, b), f"{chosen.output_names[0]} {moves} as {where}")
        return None

    return Problem(len(forms), proven, lambda points: _quietly(slope, points) @ forms.T, 0.0, refute)


def _where_continuous(network: Network, bound: Bounding) -> Bounding:
    """Return bounds that hold on boxes where no value of a unit jumps: elsewhere slopes say nothing."""
    itself = elementary(network)
    if not jumps(itself):
        return bound

    def bounded(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        upper, slopes = bound(low, high)
        return np.where(kinked(Relaxation(itself, low, high), 0)[:, None], np.inf, upper), slopes

    return bounded


def _pairs(box: Box, point: np.ndarray | None, direction: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of points of a box: one and others along a direction, or at random, along it if there is one."""
    low, high = np.array(box.low), np.array(box.high)
    if point is None:
        rng = np.random.default_rng(0)
        first, second = rng.uniform(low, high, (2, _SAMPLES, len(low)))
        return first, second if direction is None else np.where(direction != 0, second, first)
    assert direction is not None
    reach = (high - low).max() / max(abs(direction).max(), 1e-300)
    steps = reach * np.concatenate([s * 2.0 ** -np.arange(_HALVINGS) for s in (1.0, -1.0)])
    second = np.clip(point + steps[:, None] * direction, low, high)
    return np.broadcast_to(point, second.shape), second


def _most(gap: np.ndarray, *points: np.ndarray) -> list[tuple[tuple[float, ...], ...]]:
    """Return the points with the largest gaps above 0."""
    order = np.argsort(-np.nan_to_num(gap, nan=-np.inf))[:_TRIED]
    return [tuple(tuple(p[i].tolist()) for p in points) for i in order if gap[i] > 0]


# Convexity --------------------------------------------------------------------------------------------------------


def convex(network: Network, sign: int, box: Box) -> Problem:
    """Return the claim that all outputs are convex, or concave where the sign is -1."""
    n, m = network.input_size, network.output_size

    def at(points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            matrices = np.nan_to_num(np.asarray(hessian(network, points), dtype=float))
        return np.asarray(-np.linalg.eigvalsh(sign * matrices)[..., 0])

    def refute(point: np.ndarray | None, function: int) -> Witness | None:
        chosen = network[function]
        direction = None if point is None else _bending(chosen, point, sign)
        first, second = (_on_grid(p, box) for p in _pairs(box, point, direction))
        middle = (first + second) / 2  # exact: ends on a grid of 40 bits
        ends_mean = (_quietly(chosen, first) + _quietly(chosen, second)) / 2
        gap = sign * (_quietly(chosen, middle) - ends_mean)[:, 0]
        for a, c, b in _most(gap, first, middle, second):
            (u,), (v,), (w,) = (values_of(chosen, x, _BITS) for x in (a, c, b))
            above = (v - (u + w) / 2) * sign
            if above > 0:
                where = f"{'above' if sign > 0 else 'below'} its chord by at least {ends(above)[0]:.3g}"
                return Witness(
                    (a, c, b), f"{chosen.output_names[0]} is {where} at {_text(c)}, from {_text(a)} to {_text(b)}"
                )
        return None

    return Problem(m, _convexity(network, sign, (m, n, n)), at, 0.0, refute)


def _on_grid(points: np.ndarray, box: Box) -> np.ndarray:
    """Return points of the box with 40 bits."""
    low, high = np.array(box.low), np.array(box.high)
    size = 2.0 ** (np.ceil(np.log2(max(abs(low).max(), abs(high).max(), 1e-300))) - 40)
    inside = np.ceil(low / size) * size, np.floor(high / size) * size
    return np.asarray(np.clip(np.round(points / size) * size, *inside))


def _bending(network: Network, point: np.ndarray, sign: int) -> np.ndarray:
    """Return the direction of the least eigenvalue of the Hessian."""
    with np.errstate(all="ignore"):
        matrix = np.nan_to_num(np.asarray(hessian(network, point), dtype=float)[0])
    return np.asarray(np.linalg.eigh(sign * matrix)[1][:, 0])


def _convexity(network: Network, sign: int, shape: tuple[int, int, int]) -> Bounding:
    """Return 0 where an output is proven to bend upwards on a box, what eigenvalues lack elsewhere."""
    itself, second = elementary(network), elementary(derivative(network, 2))
    entries = np.eye(int(np.prod(shape)))
    forms = np.concatenate([entries, -entries])

    def bound(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        relaxed = Relaxation(itself, low, high)
        lack = np.stack([np.where(bends_upwards(relaxed, i, sign), 0.0, np.inf) for i in range(shape[0])], axis=1)
        open_boxes = np.flatnonzero((lack > 0).any(axis=1) & ~kinked(relaxed, 1))
        if len(open_boxes):
            above, below = np.split(
                Relaxation(second, low[open_boxes], high[open_boxes]).bounds(forms).upper, 2, axis=1
            )
            matrices = Interval(-below, above).each(lambda a: a.reshape(-1, *shape))
            least = [least_eigenvalue(matrices[:, i] * float(sign)) for i in range(shape[0])]
            lack[open_boxes] = np.minimum(lack[open_boxes], np.maximum(0.0, -np.stack(least, axis=1)))
        return lack, np.ones((*lack.shape, low.shape[1]))

    return bound


# Lipschitz --------------------------------------------------------------------------------------------------------


def lipschitz(network: Network, level: float, box: Box) -> Problem:
    """Return the claim that outputs move by no more than a level times what inputs move, in Euclidean norms."""

    def refute(point: np.ndarray | None, function: int) -> Witness | None:
        del function
        direction = None if point is None else _steepest(network, point)
        first, second = _pairs(box, point, direction)
        moved = np.linalg.norm(_quietly(network, first) - _quietly(network, second), axis=1)
        length = np.linalg.norm(first - second, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.where(length > 0, moved / length - level, -np.inf)
        for a, b in _most(gap, first, second):
            ratio = _ratio(network, a, b)
            if ratio is not None and ratio > level:
                least = f"|f(a) - f(b)| is at least {ends(ratio)[0]:.6g} |a - b|"
                return Witness((a, b), f"{least} for a = {_text(a)}, b = {_text(b)}")
        return None

    return Problem(1, norms_of(network, 2), jacobian_norms(network, 2), level, refute)


def _steepest(network: Network, point: np.ndarray) -> np.ndarray:
    matrix = np.nan_to_num(_quietly(derivative(network, 1), point)).reshape(network.output_size, -1)
    return np.asarray(np.linalg.svd(matrix)[2][0])


def _ratio(network: Network, a: Sequence[float], b: Sequence[float]) -> Any:
    """Return |f(a) - f(b)| / |a - b| as a ball."""
    k = Balls(_BITS)
    with k.precision():
        moved = values_of(network, a, _BITS) - values_of(network, b, _BITS)
        span = k.weight(np.array(a)) - k.weight(np.array(b))
        if not all(v.is_finite() for v in moved):
            return None
        squares = (sum((v * v for v in vector), flint.arb(0)) for vector in (moved, span))
        return (next(squares) / next(squares)).sqrt()
