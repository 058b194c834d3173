"""Any function of one variable as neurons of one activation in one hidden layer, with a proven error.

In a smooth activation the neurons are σ(s (t - τ)) with equally spaced τ, their coefficients those of least squares
with Lawson's weights, by which the largest error becomes small, and without the directions in which they would only
grow (truncated singular values). Derivatives of σ itself are differences of neurons. In relu the function is
interpolated at knots: where it is curved more they lie closer, so that each piece is off by as much, |f″| Δ² / 8.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from neuralgebra.algebra.gate import Gate
from neuralgebra.algebra.hulls import SMOOTH, hulls, smoothness
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.differentiate import diff
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Affine, Elementwise
from neuralgebra.network.network import Network

__all__ = ["Knots", "fitted", "interpolated"]

_COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48)
_SCALES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
_CUTS = (1e-15, 1e-12, 1e-9, 1e-7, 1e-5, 1e-3)
_STEPS = [2.0**-k for k in range(1, 18)]
_LAWSON = 12
_MOST_KNOTS = 2000
_HALVINGS = 40  # of a piece with a kink: beyond that numbers do not tell its ends apart


@functools.lru_cache(maxsize=1024)
def fitted(function: Activation, target: Network, tol: float, dtype: np.dtype, worst: float = 12) -> Gate:
    """Return the gate with fewest neurons whose error and roundings stay below a tolerance, on [-1, 1].

    Parameters
    ----------
    function : Activation
        σ, smooth.
    target : Network
        The function, of one input and one output.
    tol : float
        What both together may come to; where no gate reaches it, the one that comes nearest is returned.
    dtype : dtype
        In which it is executed.
    worst : float
        Roundings of a neuron and its argument, in half units of the last place.

    Returns
    -------
    Gate
        The neurons.
    """
    nearest, least = None, np.inf

    def better(gate: Gate, error: float) -> bool:
        nonlocal nearest, least
        off = error + worst * float(np.finfo(dtype).eps) * gate.weight
        if off < least:
            nearest, least = gate, off
        return off == least <= tol and error <= tol * 0.9

    found = any(better(*one) for one in _differences(function, target))
    for count, scale in itertools.product(_COUNTS, () if found else _SCALES):
        fit = _Fit(function, target, count, scale, dtype)
        for cut in _CUTS if count >= 4 else _CUTS[:1]:
            gate, error = fit.gate(cut, least)
            if better(gate, error):
                return gate
            if error > least:  # it only grows with the cut
                break
    assert nearest is not None
    return nearest


class _Fit:
    """Equally spaced neurons for a function, at nodes on [-1, 1]."""

    def __init__(self, function: Activation, target: Network, count: int, scale: float, dtype: np.dtype) -> None:
        nodes = np.cos(np.pi * (np.arange(4 * count + 40) + 0.5) / (4 * count + 40))
        centres = np.linspace(-1, 1, count) * (1 + 1 / count) if count > 1 else np.array([-0.5])
        self.function, self.target, self.scale = function, target, scale
        self.bias = (-scale * centres).astype(dtype).astype(float)
        values = function(Arrays(nodes), self.bias + scale * nodes[:, None])
        self.matrix, self.wanted = np.concatenate([values, np.ones((len(nodes), 1))], axis=1), _at(target, nodes)

    def gate(self, cut: float, bound: float) -> tuple[Gate, float]:
        """Return the gate with the best coefficients, and about how far it is off; above a bound any are returned."""
        found = _lawson(self.matrix, self.wanted, cut, bound)
        error = float(abs(self.matrix @ found - self.wanted).max())
        rows = tuple(self.bias.tolist()), (self.scale,) * len(self.bias), tuple(found[:-1].tolist())
        return Gate(self.function, *rows, float(found[-1]), self.target), error


def _at(target: Network, nodes: np.ndarray) -> np.ndarray:
    return np.asarray(target(nodes[:, None])[:, 0])


def _differences(function: Activation, target: Network) -> Iterator[tuple[Gate, float]]:
    """Yield central differences of σ for one of its derivatives, target(t) = σ⁽ⁿ⁾(r t + m)."""
    layer, affine = target.nodes[-1].layer, target.nodes[0].layer
    if not isinstance(layer, Elementwise) or not isinstance(affine, Affine) or layer.only is None:
        return
    order = layer.only.row.order
    if not order or layer.only.base != function.base:
        return
    radius, middle = float(affine.weight.dense()[0, 0]), float(affine.bias[0])
    nodes = np.linspace(-1, 1, 101)[:, None]
    for pairs, step in itertools.product(range(-(-order // 2), 5), _STEPS):
        offsets = [i for i in range(-pairs, pairs + 1) if i or order % 2 == 0]
        biases = tuple(middle + i * step for i in offsets)
        factors = tuple((_finite(offsets, order) / step**order).tolist())
        gate = Gate(function, biases, (radius,) * len(offsets), factors, 0.0, target)
        yield gate, float(abs(gate.network()(nodes) - target(nodes)).max())


def _finite(offsets: Sequence[int], order: int) -> np.ndarray:
    """Return the factors of a finite difference with step 1, exact for polynomials of the highest degree possible."""
    powers = np.vander(np.array(offsets, dtype=float), len(offsets), increasing=True).T
    wanted = np.zeros(len(offsets))
    wanted[order] = math.factorial(order)
    return np.linalg.solve(powers, wanted)


def _lawson(matrix: np.ndarray, wanted: np.ndarray, cut: float, bound: float) -> np.ndarray:
    """Return coefficients whose largest error is small; those at hand where it cannot be below a bound."""
    sizes = abs(matrix).max(axis=0)
    sizes[sizes == 0] = 1.0
    scaled, weights = matrix / sizes, np.ones(len(wanted))
    best, least = np.zeros(matrix.shape[1]), np.inf
    for _ in range(_LAWSON):
        root = np.sqrt(weights)
        found = np.linalg.lstsq(scaled * root[:, None], wanted * root, rcond=cut)[0]
        errors = abs(scaled @ found - wanted)
        if errors.max() < least:
            best, least = found, errors.max()
        # The weighted mean is below the largest error of all coefficients.
        if not errors.max() or np.sqrt(np.mean(weights * errors**2)) > bound:
            break
        weights = weights * (errors + 1e-3 * errors.max())
        weights = weights / weights.mean()
    return np.asarray(best / sizes)


# Piecewise linear -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Knots:
    """A piecewise linear function in relu: d + Σ c_j relu(t - t_j) from t = -1 on, with its proven error.

    Parameters
    ----------
    knots : ndarray
        t_j, the first is -1.
    changes : ndarray
        c_j, by which the slope changes.
    constant : float
        d.
    error : float
        What the distance from the function does not exceed on [-1, 1].
    """

    knots: np.ndarray
    changes: np.ndarray
    constant: float
    error: float


@functools.lru_cache(maxsize=1024)
def interpolated(target: Network, tol: float) -> Knots:
    """Return a piecewise linear function with few pieces that is within a tolerance of a function on [-1, 1].

    Parameters
    ----------
    target : Network
        The function, of one input and one output, twice differentiable.
    tol : float
        What its error may come to; with the most knots that are tried the error may be larger.

    Returns
    -------
    Knots
        The piecewise linear function.
    """
    curvature = diff(diff(target, 0), 0)
    grid = np.linspace(-1, 1, 4001)
    density = np.sqrt(abs(curvature(grid[:, None])[:, 0])) + 1e-12
    mass = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * (grid[1] - grid[0]))])
    count = max(1, int(np.ceil(mass[-1] / np.sqrt(16 * tol))))
    around = _around_kinks(target, grid, tol)
    while True:
        count = min(count, _MOST_KNOTS)
        edges = np.interp(np.linspace(0, mass[-1], count + 1), mass, grid)
        edges[0], edges[-1] = -1.0, 1.0
        edges = np.union1d(edges, around)
        found = _knots(target, curvature, edges)
        if found.error <= tol or count == _MOST_KNOTS:
            return found
        count = max(count + 1, int(count * min(2.0, np.sqrt(found.error / tol))))


def _around_kinks(target: Network, grid: np.ndarray, tol: float) -> np.ndarray:
    """Return knots on both sides of each kink, so near that a jump of the slope between them is within a tolerance."""
    rough = np.flatnonzero(smoothness(target, grid) < SMOOTH)
    pieces = np.stack([grid[rough], grid[rough + 1]], axis=1)
    slope, narrow = diff(target, 0), [np.empty((0, 2))]
    for _ in range(_HALVINGS):
        if not len(pieces):
            break
        bounds = [hulls(slope, piece, order=0) for piece in pieces]
        jumps = np.array([float(b.high[0] - b.low[0]) for b in bounds])
        wide = jumps * (pieces[:, 1] - pieces[:, 0]) / 4 > tol / 8
        narrow.append(pieces[~wide])
        middles = pieces[wide].mean(axis=1)
        halves = np.concatenate([np.stack([pieces[wide, 0], middles], 1), np.stack([middles, pieces[wide, 1]], 1)])
        pieces = np.array([half for half in halves if smoothness(target, half)[0] < SMOOTH]).reshape(-1, 2)
    return np.unique(np.concatenate([*narrow, pieces]))


def _knots(target: Network, curvature: Network, edges: np.ndarray) -> Knots:
    """Return the function that interpolates between the knots, moved by half of its error where that has one sign."""
    bend = hulls(curvature, edges, order=1)
    # The interpolation of f is too large by f'' Δ²/8 at most, where f'' > 0.
    widths = np.nextafter((edges[1:] - edges[:-1]) ** 2 / 8, np.inf)
    low, high = np.minimum(bend.low, 0.0) * widths, np.maximum(bend.high, 0.0) * widths
    _let_kinks(target, edges, low, high)
    middle = (low.min() + high.max()) / 2
    values = target(edges[:, None])[:, 0] - middle
    slopes = np.diff(values) / np.diff(edges)
    changes = np.concatenate([slopes[:1], np.diff(slopes)])
    off = _distance(target, edges, changes, float(values[0]), middle)
    return Knots(edges[:-1], changes, float(values[0]), float(np.nextafter((high.max() - low.min()) / 2 + off, np.inf)))


def _let_kinks(target: Network, edges: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Widen the ends of the error where a slope jumps, to δ Δ/4 if it changes by δ at most, or a value does."""
    order = smoothness(target, edges)
    if (order > 1).all():
        return
    slopes, values = hulls(diff(target, 0), edges, order=0), hulls(target, edges, order=0)
    spread = np.where(order == 1, (slopes.high - slopes.low) * np.diff(edges) / 4, values.high - values.low)
    spread = np.nextafter(spread * (1 + 1e-12), np.inf)
    low[:], high[:] = np.where(order > 1, low, -spread), np.where(order > 1, high, spread)


def _distance(target: Network, edges: np.ndarray, changes: np.ndarray, constant: float, middle: float) -> float:
    """Return how far the function is from its values at the knots, at most: what its numbers were rounded by."""
    k = Balls()
    with k.precision():
        t = k.weight(edges)
        rises = np.cumsum(k.weight(changes)) * (t[1:] - t[:-1])
        values = np.cumsum(np.concatenate([k.weight(np.array([constant])), rises]))
        exact = _values(k, target, t) - k.scalar(middle)
        return float(max(ends(abs(d))[1] for d in values - exact))


def _values(k: Balls, target: Network, t: np.ndarray) -> np.ndarray:
    """Return a function at balls."""
    x = Jet(IndexSet.full(1, 0), [t[None, :, None]])
    return np.asarray(Jets(k, target, x).run(0).value[0, :, 0])
