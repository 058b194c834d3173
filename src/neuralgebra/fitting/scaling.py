"""Inputs and outputs on a scale of 1, derivatives along with them, folded into the network when the fit is done.

x = a + s x',    y = c + d y',    ∂^α y = d ∏ s_i^{-α_i} ∂'^α y'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from neuralgebra.fitting.observations import Group, Observations
from neuralgebra.fitting.operators import VALUE, Operator
from neuralgebra.network.fold import fold
from neuralgebra.network.layers import Affine
from neuralgebra.network.linear import Diagonal
from neuralgebra.network.network import Network

__all__ = ["Factors", "Scaling", "balance", "balanced", "counted"]


@dataclass(frozen=True, eq=False)
class Scaling:
    """Shifts and scales of inputs and outputs.

    Parameters
    ----------
    start, size : ndarray, shape (n,)
        a and s.
    middle, height : ndarray, shape (m,)
        c and d.
    """

    start: np.ndarray
    size: np.ndarray
    middle: np.ndarray
    height: np.ndarray

    @staticmethod
    def of(observations: Observations) -> Scaling:
        """Return means and standard deviations; where only derivatives are known, what these make of those of x.

        A row of weight 2 counts as two rows, one of weight 0 as none.
        """
        points = np.concatenate([g.points for g in observations.groups])
        counts = np.concatenate([_counts(g).mean(1) for g in observations.groups])
        start, size = _moments(points, counts)
        known = [_known(observations, i, size) for i in range(len(observations.output_names))]
        return Scaling(start, size, np.array([c for c, _ in known]), np.array([d for _, d in known]))

    @staticmethod
    def none(inputs: int, outputs: int) -> Scaling:
        """Return the scaling that changes nothing."""
        return Scaling(np.zeros(inputs), np.ones(inputs), np.zeros(outputs), np.ones(outputs))

    def scaled(self, observations: Observations) -> Observations:
        """Return observations of y' as a function of x'."""
        points: dict[int, np.ndarray] = {}

        def at(x: np.ndarray) -> np.ndarray:
            return points.setdefault(id(x), (x - self.start) / self.size)

        return replace(observations, groups=tuple(self._group(g, at) for g in observations.groups))

    def _group(self, group: Group, at: Callable[[np.ndarray], np.ndarray]) -> Group:
        operator, factor, constant = self.operator(group.operator)
        values = (group.values - constant * self.middle) * (factor / self.height)
        weights = group.weights * (self.height / factor) ** 2 if group.deviations else group.weights
        directions = None if group.directions is None else group.directions / self.size
        return replace(
            group, operator=operator, points=at(group.points), values=values, weights=weights, directions=directions
        )

    def operator(self, operator: Operator) -> tuple[Operator, float, float]:
        """Return P' = κ P by x' with its largest coefficient 1, κ, and what P makes of the constant 1."""
        if operator.along:
            return operator, 1.0, 0.0
        terms = [(alpha, c / np.prod(self.size[list(alpha)])) for alpha, c in operator.terms]
        largest = max(abs(c) for _, c in terms)
        constant = dict(operator.terms).get((), 0.0)
        return Operator(tuple((alpha, float(c / largest)) for alpha, c in terms)), float(1 / largest), constant

    def unscaled(self, network: Network) -> Network:
        """Return y as a function of x, the scales folded into the first and last layers."""
        n, m = network.input_size, network.output_size
        first, last = network, network
        if self.start.any() or (self.size != 1).any():
            before = Network.from_layer(Affine(Diagonal(1 / self.size), -self.start / self.size), n)
            first = network @ before
        last = first
        if self.middle.any() or (self.height != 1).any():
            last = Network.from_layer(Affine(Diagonal(self.height), self.middle), m) @ first
        return fold(last)


def _counts(group: Group) -> np.ndarray:
    """Return how many rows each number counts for, (N, m)."""
    return group.known.astype(float) if group.deviations or group.bound else group.weights


def _moments(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column, 1 where it is constant."""
    if not counts.any():
        counts = np.ones(len(values))
    mean = np.average(values, axis=0, weights=counts)
    found = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=counts))
    least = 1e-14 * np.abs(values).max(0, initial=0.0)
    return mean, np.where(found > least, found, 1.0)


def _column(group: Group, output: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what is known of an output, and how many rows each number counts for."""
    counts = _counts(group)[:, output]
    return group.values[counts > 0, output], counts[counts > 0]


def _known(observations: Observations, output: int, size: np.ndarray) -> tuple[float, float]:
    """Return middle and height of an output: of its values, or of what its derivatives make of the spread of x."""
    groups = [g for g in observations.groups if not g.bound]
    columns = [_column(g, output) for g in groups if g.operator == VALUE]
    column, counts = (np.concatenate(parts) for parts in zip(*columns, strict=True)) if columns else (np.zeros(0),) * 2
    middle = 0.0
    if len(column):
        (middle,), (height,) = (a.tolist() for a in _moments(column[:, None], counts))
        if np.ptp(column) > 1e-14 * np.abs(column).max():
            return middle, height
    changes = [c for c in (_change(g, output, size) for g in groups) if c > 0]
    return middle, float(np.sqrt(np.mean(np.square(changes)))) if changes else 1.0


def _change(group: Group, output: int, size: np.ndarray) -> float:
    """Return the root mean square of what derivatives of one kind make of a step of the spread of x."""
    values, counts = _column(group, output)
    if not len(values) or group.operator == VALUE:
        return 0.0
    if group.operator.along:
        factor = 1 / max(1e-300, float(np.sqrt(np.mean((group.directions / size) ** 2))))
        scale = factor**group.operator.along
    else:
        alpha, coefficient = max(group.operator.terms, key=lambda term: len(term[0]))
        scale = float(np.prod(size[list(alpha)])) / abs(coefficient)
    return float(np.sqrt(np.average(values**2, weights=counts))) * scale


Factors = Mapping[Operator, np.ndarray]
"""What the weights of each operator are multiplied by, one number for each output."""


def counted(observations: Observations) -> float:
    """Return how many numbers are known; one of weight 2 counts as two."""
    return float(sum(_counts(g).sum() for g in observations.groups if not g.bound))


def balance(observations: Observations) -> Factors:
    """Return factors of weights with which every kind of data has mean square 1.

    Parameters
    ----------
    observations : Observations
        Scaled.

    Returns
    -------
    mapping of Operator to ndarray, shape (m,)
        The factors; 1 for bounds and for what has standard deviations.
    """
    found: dict[Operator, np.ndarray] = {}
    for operator in dict.fromkeys(g.operator for g in observations.groups):
        groups = [g for g in observations.groups if g.operator == operator and not g.bound and not g.deviations]
        sums = sum(((g.weights * np.where(g.known, g.values, 0.0) ** 2).sum(0) for g in groups), np.zeros(1))
        counts = sum((g.weights.sum(0) for g in groups), np.zeros(1))
        squares = np.broadcast_to(sums / np.where(counts > 0, counts, 1), (len(observations.output_names),))
        found[operator] = np.where(squares > 1e-20, 1 / np.maximum(squares, 1e-20), 1.0)
    return found


def balanced(observations: Observations, factors: Factors) -> Observations:
    """Return scaled observations with weights multiplied by factors, where they are not those of deviations."""
    groups = [
        g if g.deviations or g.bound else replace(g, weights=g.weights * factors.get(g.operator, 1.0))
        for g in observations.groups
    ]
    return replace(observations, groups=tuple(groups))
