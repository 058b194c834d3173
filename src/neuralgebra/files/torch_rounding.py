"""What a module of PyTorch should give, and how far rounding may move it; PyTorch itself is not imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.derivatives import jets
from neuralgebra.network.network import Network

__all__ = ["expectation"]

ROUNDINGS = 1e3
"""Tolerance, in roundings of every weight and every intermediate result."""

TRIALS = 4


def expectation(network: Network, points: np.ndarray, thresholds: Mapping[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return values of a network as PyTorch gives them, and how much each may differ by rounding.

    The tolerance is measured: weights and results of all layers are changed at random, and the values move.

    Parameters
    ----------
    network : Network
        The network.
    points : ndarray, shape (rows, n)
        Points, in the dtype that PyTorch computes in.
    thresholds : mapping of int to float
        Identity of a softplus layer -> from which argument on PyTorch gives the argument itself.

    Returns
    -------
    values, tolerances : ndarray, shape (rows, m)
        Both float64.
    """
    info = np.finfo(points.dtype)
    size, least = ROUNDINGS * float(info.eps), float(info.tiny)
    exact = points.astype(np.float64)
    with quiet():
        values = jets(_Shaken(exact, network, thresholds), network, exact, 0)[0]
        shaken = [
            jets(_Shaken(exact, network, thresholds, size, least, seed), network, exact, 0)[0] for seed in range(TRIALS)
        ]
        moves = np.abs(np.array(shaken) - values).max(axis=0)
        return values, 2 * moves + size * np.abs(values)


class _Shaken(Arrays):
    """Float64 arrays whose weights and results are changed at random, as roundings and underflow change them.

    Parameters
    ----------
    x : ndarray
        The points.
    network : Network
        The network.
    thresholds : mapping of int to float
        As in `expectation`.
    size : float
        How much they are changed, relative to their own size.
    least : float
        What is added to them, about: the least normal number.
    seed : int
        Of the random numbers.
    """

    def __init__(
        self,
        x: np.ndarray,
        network: Network,
        thresholds: Mapping[int, float],
        size: float = 0.0,
        least: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__(x)
        self.random = np.random.default_rng(seed)
        self.limits = [thresholds.get(id(node.layer), np.inf) for node in network.nodes]
        self.size, self.least, self.place = size, least, 0

    def at(self, place: int) -> None:
        """Remember the layer that is run."""
        self.place = place

    def weight(self, array: np.ndarray) -> Value:
        """Return an array of weights, changed."""
        return self._changed(super().weight(array))

    def keep(self, x: Value, label: str, keys: Sequence[tuple[int, ...]] = ((),)) -> Value:
        """Return the result of a layer, changed."""
        if label:
            return x
        limit = self.limits[self.place - 1]
        if limit < np.inf:  # y = log(1 + exp z), whose inverse is z = y + log(1 - exp(-y))
            argument = x + np.log1p(-np.exp(-x))
            x = np.where(argument > limit, argument, x)
        return self._changed(x)

    def _changed(self, x: np.ndarray) -> np.ndarray:
        if not self.size:
            return x
        random = self.random.standard_normal(x.shape)
        return x * (1 + self.size * random) + self.least * np.abs(random)
