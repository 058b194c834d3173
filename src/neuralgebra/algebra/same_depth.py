"""Products of two neurons as sums of neurons, approximately: the depth does not change.

On a range of both arguments ::

    σ(u) σ(v) ≈ d + Σ_{i≤N} cᵢ σ(pᵢ u + qᵢ v + rᵢ)

Neurons come in pairs that u and v exchange. They are chosen one after another, each as the one that explains most of
what is left, then all of them are moved (variable projection; Golub and Pereyra, "The differentiation of
pseudo-inverses and nonlinear least squares problems whose variables separate", 1973). The error of the numbers that
came out is proven.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares

from neuralgebra.algebra.enclosure import largest as by_lines
from neuralgebra.algebra.enclosure import ranges
from neuralgebra.algebra.quadrature import largest as by_taylor
from neuralgebra.algebra.search import Goal
from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.functions.activation import Activation
from neuralgebra.network.box import Box
from neuralgebra.network.layers import Elementwise, Multiply
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["Sum", "product_as_sum", "sums_of"]

_K = Arrays(np.zeros(1))
_NODES = 20  # of Chebyshev in each argument
_SIZES, _ANGLES, _SHIFTS = (0.5, 1.0, 1.5), 12, 13
_ROUNDS = 300
_RIDGE = 1e-9  # keeps coefficients small where neurons become alike
_BOXES = 4000
_COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12)


@dataclass(frozen=True)
class Sum:
    """A product of two neurons as a sum of neurons.

    Parameters
    ----------
    inner : ndarray, shape (N, 3)
        pᵢ, qᵢ and rᵢ.
    outer : ndarray, shape (N,)
        cᵢ.
    constant : float
        d.
    error : float
        What the difference of both sides does not exceed on the range, proven.
    """

    inner: np.ndarray
    outer: np.ndarray
    constant: float
    error: float

    def network(self, function: Activation) -> Network:
        """Return (u, v) ↦ d + Σ cᵢ σ(pᵢ u + qᵢ v + rᵢ)."""
        first = self.inner[:, :2], self.inner[:, 2]
        return Network.from_layers([first, (self.outer[None], np.array([self.constant]))], function)


@functools.lru_cache(maxsize=256)
def product_as_sum(function: Activation, low: float, high: float, pairs: int) -> Sum:
    """Return σ(u) σ(v) as a sum of neurons, for u and v in one range.

    Parameters
    ----------
    function : Activation
        σ, with plain parameters.
    low, high : float
        Ends of the range.
    pairs : int
        Half the number of neurons.

    Returns
    -------
    Sum
        The neurons, and the proven error.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> found = product_as_sum(activation("sigmoid"), -1.0, 1.0, 3)
    >>> len(found.outer), found.error < 2e-3
    (6, True)
    """
    guess = _guess(function, low, high, pairs)
    return replace(guess, error=_error(function, guess, low, high))


@functools.lru_cache(maxsize=256)
def _guess(function: Activation, low: float, high: float, pairs: int) -> Sum:
    """Return the sum with the error that is seen where it was fitted."""
    fit = _Fit(function, low, high)
    inner = fit.moved(fit.chosen(pairs))
    return Sum(*fit.numbers(inner), float(abs(fit.residual(inner.ravel())).max()))


def sums_of(network: Network, function: Activation, box: Box, tol: float) -> Iterator[Sum]:
    """Yield what products of two neurons of an elementary network may be replaced with on a box, the shortest first.

    Parameters
    ----------
    network : Network
        An elementary network.
    function : Activation
        σ.
    box : Box
        Where.
    tol : float
        About what the error may come to.
    """
    products = any(isinstance(node.layer, Multiply) or node.layer == Elementwise("square") for node in network.nodes)
    units = [
        (node.inputs[0], unit)
        for place, node in enumerate(network.nodes, 1)
        if isinstance(node.layer, Elementwise)
        for unit, f in enumerate(functions_of(node.layer, network.sizes[place]))
        if f == function
    ]
    if not products or not units:
        return
    found, _ = ranges(network, box)
    low, high = (end(found[p][i][u] for p, u in units) for i, end in ((0, min), (1, max)))
    if np.isfinite(high - low) and low < high:
        for pairs in _COUNTS:
            if _guess(function, float(low), float(high), pairs).error <= tol:
                yield product_as_sum(function, float(low), float(high), pairs)


def _error(function: Activation, found: Sum, low: float, high: float) -> float:
    """Return what the error does not exceed on the range of both arguments."""
    neurons = Network.identity(2)._then(Elementwise(function))
    difference = neurons[0] * neurons[1] - found.network(function)
    box = Box((low, low), (high, high))
    if function.row.kinks:
        forms = np.array([[1.0], [-1.0]])
        return float(by_lines(difference, forms, box, Goal(lambda best: 0.1 * abs(best), _BOXES)).upper.max())
    return float(by_taylor(difference, box, 0.25).max())


class _Fit:
    """Points of the range, where sums are compared with the product; u ≤ v, since both may be exchanged."""

    def __init__(self, function: Activation, low: float, high: float) -> None:
        self.function, self.middle, self.radius = function, (low + high) / 2, (high - low) / 2
        nodes = self.middle + self.radius * np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
        self.u, self.v = (axis.ravel() for axis in np.meshgrid(nodes, nodes))
        kept = self.u <= self.v
        self.u, self.v = self.u[kept], self.v[kept]
        self.target = self._sigma(self.u) * self._sigma(self.v)

    def _sigma(self, z: np.ndarray, order: int = 0) -> np.ndarray:
        with quiet():
            return np.asarray(self.function.derivative(_K, z, order))

    def _pairs(self, inner: np.ndarray, order: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Return σ of p u + q v + r and of q u + p v + r, (pairs, points)."""
        p, q, r = inner.T[:, :, None]
        return self._sigma(p * self.u + q * self.v + r, order), self._sigma(q * self.u + p * self.v + r, order)

    def _columns(self, inner: np.ndarray) -> np.ndarray:
        first, second = self._pairs(inner)
        return np.asarray(np.vstack([np.ones(len(self.u)), first + second]).T)

    def chosen(self, pairs: int) -> np.ndarray:
        """Return pairs of neurons, (pairs, 3), one after another the one that explains most of what is left."""
        angles = np.pi * (np.arange(_ANGLES) + 0.5) / _ANGLES - np.pi / 4
        shifts = np.linspace(-1.5, 1.5, _SHIFTS) * max(self.radius, 1.0)
        grid = np.array([(s * np.cos(a), s * np.sin(a), r) for s in _SIZES for a in angles for r in shifts])
        grid[:, 2] -= self.middle * grid[:, :2].sum(axis=1)
        columns = self._columns(grid)
        sizes = np.linalg.norm(columns, axis=0)
        usable, taken = sizes > 1e-9 * sizes.max(), [0]
        for _ in range(pairs):
            known = columns[:, taken]
            left = self.target - known @ np.linalg.lstsq(known, self.target, rcond=1e-12)[0]
            gain = np.where(usable, abs(columns.T @ left) / np.maximum(sizes, 1e-300), -1.0)
            gain[taken] = -1.0
            taken.append(int(gain.argmax()))
        return np.asarray(grid[np.array(taken[1:]) - 1])

    def moved(self, inner: np.ndarray) -> np.ndarray:
        """Return the pairs where the sum of squares is least, of those nearby."""
        found = least_squares(self.residual, inner.ravel(), self._jacobian, max_nfev=_ROUNDS, x_scale="jac")
        return np.asarray(found.x.reshape(-1, 3))

    def _solved(self, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns with a ridge below them, and the coefficients."""
        columns = self._columns(inner)
        ridged = np.vstack([columns, _RIDGE * np.eye(columns.shape[1])])
        target = np.concatenate([self.target, np.zeros(columns.shape[1])])
        return ridged, np.linalg.lstsq(ridged, target, rcond=None)[0]

    def residual(self, theta: np.ndarray) -> np.ndarray:
        """Return what is left of the product."""
        ridged, c = self._solved(theta.reshape(-1, 3))
        return np.asarray(ridged @ c - np.concatenate([self.target, np.zeros(len(c))]))

    def _jacobian(self, theta: np.ndarray) -> np.ndarray:
        inner = theta.reshape(-1, 3)
        ridged, c = self._solved(inner)
        first, second = (slope * c[1:, None] for slope in self._pairs(inner, 1))
        moves = first * self.u + second * self.v, first * self.v + second * self.u, first + second
        columns = np.stack(moves, axis=1).reshape(theta.size, -1).T
        columns = np.vstack([columns, np.zeros((len(c), theta.size))])
        basis = np.linalg.qr(ridged)[0]
        return np.asarray(columns - basis @ (basis.T @ columns))

    def numbers(self, inner: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        """Return the neurons of all pairs, their coefficients and the constant."""
        c = self._solved(inner)[1]
        both = np.concatenate([inner, inner[:, [1, 0, 2]]])
        return both, np.concatenate([c[1:], c[1:]]), float(c[0])
