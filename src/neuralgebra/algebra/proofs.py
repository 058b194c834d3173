"""What there is to bound and to refute for each kind of claim about a network on a box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.curvature import bends_upwards, breaks, broken, kinked
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.enclosure import bounding, derivative
from neuralgebra.algebra.extrema import jacobian_norms, norms_of, steepest
from neuralgebra.algebra.faces import Face
from neuralgebra.algebra.norms import least_eigenvalue
from neuralgebra.algebra.pieces import values_of
from neuralgebra.algebra.relaxation import Relaxation
from neuralgebra.algebra.search import Bounding
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.intervals import Interval
from neuralgebra.arithmetic.rationals import below, ends
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


def values(face: Face, forms: np.ndarray, level: Fraction, strict: bool) -> Problem:
    """Return the claim that no linear form of the outputs exceeds a level, or reaches it."""
    network = face.network

    def at(points: np.ndarray) -> np.ndarray:
        return np.asarray(_quietly(network, points) @ forms.T)

    def refute(point: np.ndarray | None, function: int) -> Witness | None:
        if point is None:
            return None
        form, place = forms[function], tuple(point.tolist())
        unit = int(np.flatnonzero(form)[0])
        ball = values_of(network, place, _BITS)[unit] * int(form[unit])
        if not ball.is_finite() or not _above(ball, level, strict):
            return None
        low, name = ends(ball)[0], network.output_names[unit]
        shows = f"{name} is at least {low:.6g}" if form[unit] > 0 else f"{name} is at most {0.0 - low:.6g}"
        whole = face.lifted(place)
        return Witness((whole,), f"{shows} at {_text(whole)}")

    return Problem(len(forms), bounding(elementary(network), forms), at, _not_above(level, strict), refute)


def _above(ball: flint.arb, level: Fraction, strict: bool = False) -> bool:
    """Return whether a ball is above a number, or reaches it where it must stay below."""
    with Balls(2 * _BITS).precision():
        limit = flint.arb(_rational(level))
        return bool(ball >= limit if strict else ball > limit)


def _rational(level: Fraction) -> flint.fmpq:
    return flint.fmpq(level.numerator, level.denominator)


def _not_above(level: Fraction, strict: bool = False) -> float:
    """Return the largest double that is not above a number, or below it."""
    found = below(_rational(level))
    return float(np.nextafter(found, -np.inf)) if strict and Fraction(found) == level else found


def _quietly(network: Network, points: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(value(network, points), dtype=float)


# Monotonicity -----------------------------------------------------------------------------------------------------


def monotone(face: Face, unit: int, sign: int) -> Problem:
    """Return the claim that all outputs rise with an input, or fall where the sign is -1."""
    network, box = face.network, face.box
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
                first_point, second_point = face.lifted(a), face.lifted(b)
                where = f"{network.input_names[unit]} goes from {a[unit]:.6g} to {b[unit]:.6g} at {_text(first_point)}"
                return Witness((first_point, second_point), f"{chosen.output_names[0]} {moves} as {where}")
        return None

    return Problem(len(forms), proven, lambda points: _quietly(slope, points) @ forms.T, 0.0, refute)


def _where_continuous(network: Network, bound: Bounding) -> Bounding:
    """Return bounds that hold on boxes where no unit jumps or ends: elsewhere slopes say nothing."""
    itself = elementary(network)
    if not breaks(itself):
        return bound

    def bounded(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        upper, slopes = bound(low, high)
        return np.where(broken(Relaxation(itself, low, high))[:, None], np.inf, upper), slopes

    return bounded


def _pairs(box: Box, point: np.ndarray | None, direction: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of points of a box: one and others along a direction, or at random, along it if there is one."""
    low, high = np.array(box.low), np.array(box.high)
    if point is None:
        shares = np.random.default_rng(0).uniform(0, 1, (2, _SAMPLES, len(low)))
        first, second = np.clip(low + (high / 2 - low / 2) * shares * 2, low, high)
        return first, second if direction is None else np.where(direction != 0, second, first)
    assert direction is not None
    reach = min((high / 2 - low / 2).max() * 2, 1e300) / max(abs(direction).max(), 1e-6)
    steps = reach * np.concatenate([s * 2.0 ** -np.arange(_HALVINGS) for s in (1.0, -1.0)])
    second = np.clip(point + steps[:, None] * direction, low, high)
    return np.broadcast_to(point, second.shape), second


def _most(gap: np.ndarray, *points: np.ndarray) -> list[tuple[tuple[float, ...], ...]]:
    """Return the points with the largest gaps above 0."""
    order = np.argsort(-np.nan_to_num(gap, nan=-np.inf))[:_TRIED]
    return [tuple(tuple(p[i].tolist()) for p in points) for i in order if 0 < gap[i] < np.inf]


# Convexity --------------------------------------------------------------------------------------------------------


def convex(face: Face, sign: int) -> Problem:
    """Return the claim that all outputs are convex, or concave where the sign is -1."""
    network, box = face.network, face.box
    n, m = network.input_size, network.output_size

    def at(points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            matrices = np.nan_to_num(np.asarray(hessian(network, points), dtype=float))
        return np.asarray(-np.linalg.eigvalsh(sign * matrices)[..., 0])

    def refute(point: np.ndarray | None, function: int) -> Witness | None:
        chosen = network[function]
        direction = None if point is None else _bending(chosen, point, sign)
        first, second = (_on_grid(p, box) for p in _pairs(box, point, direction))
        middle = first / 2 + second / 2  # exact: ends on a grid of 40 bits
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
    """Return points of the box with 40 bits; an input that has no such number in its range stays at its low end."""
    low, high = np.array(box.low), np.array(box.high)
    size = np.ldexp(1.0, np.frexp(np.maximum(abs(low), abs(high)))[1] - 40)
    first, last = np.ceil(low / size) * size, np.floor(high / size) * size
    return np.where(first > last, low, np.clip(np.round(points / size) * size, first, last))


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
        open_boxes = np.flatnonzero((lack > 0).any(axis=1) & ~kinked(relaxed, 1) & relaxed.defined)
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


def lipschitz(face: Face, level: Fraction) -> Problem:
    """Return the claim that outputs move by no more than a level times what inputs move, in Euclidean norms."""
    network, box = face.network, face.box

    def refute(point: np.ndarray | None, function: int) -> Witness | None:
        del function
        direction = None if point is None else steepest(_jacobian(network, point), 2)
        first, second = _pairs(box, point, direction)
        moved = np.linalg.norm(_quietly(network, first) - _quietly(network, second), axis=1)
        length = np.linalg.norm(first - second, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.where(length > 0, moved / length - float(level), -np.inf)
        for a, b in _most(gap, first, second):
            ratio = _ratio(network, a, b)
            if ratio is not None and _above(ratio, level):
                least = f"|f(a) - f(b)| is at least {ends(ratio)[0]:.6g} |a - b|"
                a, b = face.lifted(a), face.lifted(b)
                return Witness((a, b), f"{least} for a = {_text(a)}, b = {_text(b)}")
        return None

    return Problem(1, norms_of(network, 2), jacobian_norms(network, 2), _not_above(level), refute)


def _jacobian(network: Network, point: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.nan_to_num(_quietly(derivative(network, 1), point)).reshape(network.output_size, -1)
    return found


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
