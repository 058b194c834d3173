"""Largest and smallest values, and Lipschitz constants, on a box: between what is attained and what is proven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra import norms
from neuralgebra.algebra.curvature import breaks, broken, kinked
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.enclosure import derivative, expect_whole, largest
from neuralgebra.algebra.faces import face
from neuralgebra.algebra.pieces import values_of
from neuralgebra.algebra.relaxation import Relaxation
from neuralgebra.algebra.search import Bounding, Goal, search
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.intervals import Interval
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.derivatives import jacobian
from neuralgebra.errors import InputError, UsageError, shown
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.network import Network

__all__ = ["Extremum", "jacobian_norms", "lipschitz", "maximum", "minimum", "norms_of", "steepest"]

_NORMS = (1, 2, np.inf)


@dataclass(frozen=True)
class Extremum:
    """Between which numbers an extreme value on a box lies, proven.

    Parameters
    ----------
    low, high : float
        Its ends.
    point : tuple of float
        Where a value is attained that makes one of them: the low end of a maximum, the high end of a minimum.
    boxes : int
        On how many parts of the box bounds were computed.
    """

    low: float
    high: float
    point: tuple[float, ...]
    boxes: int

    @property
    def width(self) -> float:
        """How far the ends are apart."""
        return self.high - self.low


def maximum(network: Network, box: Any, output: Any = None, *, tol: float = 1e-6, boxes: int = 2000) -> Extremum:
    """Return the largest value of an output on a box, between two proven ends.

    low ≤ max f ≤ high, by branch and bound; low is attained at the point, as balls of 200 bits prove.

    Parameters
    ----------
    network : Network
        f.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input.
    output : int or str, optional
        Which output; needed if there are several.
    tol : float
        How close the ends are to be.
    boxes : int
        On how many parts of the box bounds may be computed; then the ends are what is proven until then.

    Returns
    -------
    Extremum
        The ends and the point.

    Raises
    ------
    InputError
        For a tolerance or a number of boxes that is none.
    UsageError
        When there are several outputs and none is named.

    Examples
    --------
    >>> f = Network.from_layers([([[1.0], [2.0]], [0.5, 0.0]), ([[1.0, -1.0]], None)], "tanh")
    >>> found = maximum(f, [(-1, 1)])
    >>> print(f"{found.low:.5f} {found.high:.5f} at x1 = {found.point[0]:.2f}")
    0.76635 0.76635 at x1 = -0.44
    """
    return _extremum(network, box, output, tol, boxes, 1)


def minimum(network: Network, box: Any, output: Any = None, *, tol: float = 1e-6, boxes: int = 2000) -> Extremum:
    """Return the smallest value of an output on a box, between two proven ends.

    low ≤ min f ≤ high, by branch and bound; high is attained at the point, as balls of 200 bits prove.

    Parameters
    ----------
    network : Network
        f.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input.
    output : int or str, optional
        Which output; needed if there are several.
    tol : float
        How close the ends are to be.
    boxes : int
        On how many parts of the box bounds may be computed; then the ends are what is proven until then.

    Returns
    -------
    Extremum
        The ends and the point.

    Raises
    ------
    InputError
        For a tolerance or a number of boxes that is none.
    UsageError
        When there are several outputs and none is named.

    Examples
    --------
    >>> f = Network.from_layers([([[1.0], [-1.0]], None), ([[1.0, 1.0]], [0.25])], "relu")
    >>> found = minimum(f, [(-1, 2)])
    >>> print(f"{found.low:.5f} {found.high:.5f}")
    0.25000 0.25000
    """
    found = _extremum(network, box, output, tol, boxes, -1)
    return Extremum(-found.high, -found.low, found.point, found.boxes)


def _extremum(network: Network, box: Any, output: Any, tol: float, boxes: int, sign: int) -> Extremum:
    place, close = box_of(network, box), _tolerance(tol)
    expect_whole("boxes", boxes, 1)
    chosen = network[_output_of(network, output)]
    found = largest(chosen, np.array([[float(sign)]]), place, Goal(lambda best: close + 0 * best, boxes))
    point = tuple(found.points[0].tolist())
    (ball,) = values_of(chosen, point)
    low, high = ends(ball) if ball.is_finite() else (-np.inf, np.inf)
    return Extremum(low if sign > 0 else -high, float(found.upper[0]), point, found.boxes)


def _output_of(network: Network, output: Any) -> Any:
    """Return the output that is named, or the only one."""
    if output is not None:
        return output
    if network.output_size > 1:
        raise UsageError(
            f"a network with the outputs {shown(', '.join(network.output_names))} received; which of them must be said."
        )
    return 0


def _tolerance(tol: Any, name: str = "tol") -> float:
    """Return a tolerance that is one."""
    if isinstance(tol, bool) or not isinstance(tol, int | float | np.number) or not 0 < tol < np.inf:
        raise InputError(f"{name}={shown(repr(tol))} received; a positive number expected.")
    return float(tol)


# Lipschitz constants ----------------------------------------------------------------------------------------------


def lipschitz(network: Network, box: Any, norm: float = 2, *, share: float = 0.01, boxes: int = 1000) -> Extremum:
    """Return the least Lipschitz constant on a box, between two proven ends.

    low ≤ sup |f(x) - f(y)| / |x - y| = sup ‖J‖ ≤ high, by branch and bound on the Jacobian; x and y are in the box, so
    inputs that it fixes do not count. Where a value jumps there is no such constant, and high is infinite.

    Parameters
    ----------
    network : Network
        f.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input.
    norm : {2, 1, inf}
        Which norm measures inputs and outputs.
    share : float
        Up to which part of the constant the ends may be apart.
    boxes : int
        On how many parts of the box bounds may be computed; then the ends are what is proven until then.

    Returns
    -------
    Extremum
        The ends and the point at which ‖J‖ is the low one.

    Raises
    ------
    InputError
        For a share, norm or number of boxes that is none.

    Examples
    --------
    >>> f = Network.from_layers([([[3.0]], None), ([[2.0]], None)], "tanh")
    >>> found = lipschitz(f, [(-1, 1)])
    >>> print(f"{found.low:.2f} {found.high:.2f}")
    6.00 6.00
    """
    place, close = box_of(network, box), _tolerance(share, "share")
    expect_whole("boxes", boxes, 1)
    if isinstance(norm, bool) or not isinstance(norm, int | float) or norm not in _NORMS:
        raise InputError(f"norm={shown(repr(norm))} received; 1, 2 or inf expected.")
    free = face(network, place)
    if free.point:
        return Extremum(0.0, 0.0, place.low, 0)
    goal = Goal(lambda best: close * np.maximum(best, 0.0), boxes)
    found = search(norms_of(free.network, norm), jacobian_norms(free.network, norm), free.box, goal)
    point = _smooth(free.network, found.points[0], free.box)
    return Extremum(_attained(free.network, point, norm), float(found.upper[0]), free.lifted(point), found.boxes)


def jacobian_norms(network: Network, order: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return the norm of the Jacobian as a function of points, (points, n) -> (points, 1)."""

    def values(points: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            found = np.nan_to_num(np.asarray(jacobian(network, points), dtype=float))
        return np.asarray(np.linalg.norm(found, order, axis=(1, 2))[:, None])

    return values


def norms_of(network: Network, order: float) -> Bounding:
    """Return the bounds of the norm of the Jacobian; there is none where a value may jump or a function end."""
    target, itself = elementary(derivative(network, 1)), elementary(network)
    entries = np.eye(network.output_size * network.input_size)
    forms = np.concatenate([entries, -entries])

    def bound(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = Relaxation(target, low, high).bounds(forms)
        above, below = np.split(found.upper, 2, axis=1)
        matrices = Interval(-below, above).each(lambda a: a.reshape(len(low), network.output_size, -1))
        size = norms.norm(matrices, order)
        if breaks(itself):
            size = np.where(broken(Relaxation(itself, low, high)), np.inf, size)
        return size[:, None], abs(found.slopes).sum(axis=1)[:, None]

    return bound


def _smooth(network: Network, point: np.ndarray, box: Box) -> tuple[float, ...]:
    """Return a point, or one close to it, at which no unit is at a kink."""
    rng, itself = np.random.default_rng(0), elementary(network)
    low, high = np.array(box.low), np.array(box.high)
    for shift in (0.0, 1e-9, 1e-7, 1e-5):
        near = np.clip(point + shift * (high - low) * rng.uniform(-1, 1, len(low)), low, high)
        if not kinked(Relaxation(itself, near[None], near[None]), 1).any():
            return tuple(near.tolist())
    return tuple(point.tolist())


def _attained(network: Network, point: tuple[float, ...], order: float) -> float:
    """Return what the norm of the Jacobian at a point is at least, by balls."""
    entries = values_of(derivative(network, 1), point).reshape(network.output_size, network.input_size)
    here = np.array(point)[None]
    if not all(v.is_finite() for v in entries.flat) or kinked(Relaxation(elementary(network), here, here), 1).any():
        return 0.0
    middle = np.array([float(v.mid()) for v in entries.flat]).reshape(entries.shape)
    k = Balls(200)
    with k.precision():
        direction = k.weight(steepest(middle, order))
        image = entries @ direction
        size = _size(k, image, order) / _size(k, direction, order)
        return max(0.0, ends(size)[0])


def steepest(matrix: np.ndarray, order: float) -> np.ndarray:
    """Return a direction in which a matrix magnifies most."""
    if order == 2:
        return np.asarray(np.linalg.svd(matrix)[2][0])
    if order == 1:
        return np.asarray(np.eye(matrix.shape[1])[abs(matrix).sum(axis=0).argmax()])
    row = matrix[abs(matrix).sum(axis=1).argmax()]
    return np.asarray(np.where(row < 0, -1.0, 1.0))


def _size(k: Balls, vector: np.ndarray, order: float) -> Any:
    if order == 2:
        return sum((v * v for v in vector), k.scalar(0)).sqrt()
    sizes = [abs(v) for v in vector]
    if order == 1:
        return sum(sizes, k.scalar(0))
    largest_size = sizes[0]
    for size in sizes[1:]:
        largest_size = largest_size.max(size)
    return largest_size
