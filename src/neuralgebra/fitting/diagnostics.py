"""What may be wrong with data before a network is fitted to them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from neuralgebra.fitting.observations import Group, Observations

__all__ = ["alarms"]

_NEIGHBOURS = 8  # values about a point, by which a slope is estimated, and at least three for each input
_POINTS = 400  # at which slopes are estimated, at most
_FAR = 0.6  # residual of a local plane, relative to what it explains, above which a slope is not known
_RANK = 1e-6  # smallest over largest singular value of a plane that is one
_ENOUGH = 8  # slopes that are known
_ALIKE, _AGAINST = 0.8, -0.5  # cosines of derivatives and slopes, from which they differ by a factor, or in sign
_FACTOR = 3.0  # that is no matter of accuracy any more


def alarms(observations: Observations) -> list[str]:
    """Return warnings: inputs that are constant, derivatives that contradict the values.

    At each point with a first derivative a plane is laid through the values about it; where it fits them, its slope is
    a difference quotient in many directions. Derivatives that go against these slopes, or with them but several times
    as large, have another sign or another unit.

    Parameters
    ----------
    observations : Observations
        Scaled: inputs and outputs have a spread of 1.

    Returns
    -------
    list of str
        Sentences.
    """
    spread = np.ptp(observations.points, axis=0)
    constant = [n for n, s in zip(observations.input_names, spread, strict=True) if s == 0]
    found = [f"{name} has one value in all rows: the network cannot know how it matters" for name in constant]
    for output, name in enumerate(observations.output_names):
        found += _contradictions(observations, output, name)
    return found


def _contradictions(observations: Observations, output: int, name: str) -> Iterator[str]:
    values = _known(observations, (), output)
    n = len(observations.input_names)
    count = max(_NEIGHBOURS, 3 * n + 2)
    if values is None or len(values[0]) < 2 * count:
        return
    tree, planes = KDTree(values[0]), None
    for i, variable in enumerate(observations.input_names):
        slopes = _known(observations, (i,), output)
        if slopes is None:
            continue
        if planes is None or not np.array_equal(planes.points, slopes[0]):  # most often all have the same points
            planes = _Planes.about(slopes[0], tree, values[1], count)
        found = _compared(slopes[1][planes.chosen], planes.slopes[:, i])
        if found is None:
            continue
        cosine, ratio = found
        if cosine < _AGAINST or (cosine > _ALIKE and not 1 / _FACTOR < ratio < _FACTOR):
            yield (
                f"d{name}/d{variable} is {np.copysign(ratio, cosine):.2g} times what the values of {name} about its "
                "points tell: another sign or unit?"
            )


def _known(observations: Observations, alpha: tuple[int, ...], output: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return points and values of one derivative of an output."""
    groups = [g for g in observations.groups if g.operator.terms == ((alpha, 1.0),) and not g.bound]
    parts = [_finite(group, output) for group in groups]
    if not parts:
        return None
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


def _finite(group: Group, output: int) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(group.values[:, output])
    return group.points[known], group.values[known, output]


@dataclass(frozen=True, eq=False)
class _Planes:
    """Local planes through values.

    Parameters
    ----------
    points : ndarray, shape (N, n)
        Points of derivatives.
    chosen : ndarray of int, shape (C,)
        Those of them about which planes fit the values.
    slopes : ndarray, shape (C, n)
        Of these planes.
    """

    points: np.ndarray
    chosen: np.ndarray
    slopes: np.ndarray

    @staticmethod
    def about(points: np.ndarray, tree: KDTree, y: np.ndarray, count: int) -> _Planes:
        """Return the planes about some of the points."""
        chosen = np.unique(np.linspace(0, len(points) - 1, min(_POINTS, len(points))).astype(int))
        _, near = tree.query(points[chosen], k=count)
        offsets = tree.data[near] - points[chosen][:, None, :]
        solution, met = _least_squares(np.concatenate([offsets, np.ones((*near.shape, 1))], 2), y[near])
        return _Planes(points, chosen[met], solution[met, :-1])


def _compared(data: np.ndarray, slope: np.ndarray) -> tuple[float, float] | None:
    """Return the cosine of derivatives and slopes, and the ratio of their sizes; None if there are too few."""
    if len(data) < _ENOUGH:
        return None
    sizes = np.sqrt(data @ data), np.sqrt(slope @ slope)
    if not min(sizes) > 0:
        return None
    return float(data @ slope / (sizes[0] * sizes[1])), float(sizes[0] / sizes[1])


def _least_squares(planes: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients, (N, n + 1), of local planes, (N, c, n + 1), and where these are known and fit."""
    u, s, v = np.linalg.svd(planes, full_matrices=False)
    whole = s[:, -1] > _RANK * s[:, 0]
    along = np.einsum("ncs,nc->ns", u, data)
    solution = np.einsum("ns,nsi->ni", along / np.where(s > 0, s, 1.0), v)
    rest = data - np.einsum("nci,ni->nc", planes, solution)
    about = data - data.mean(1, keepdims=True)
    return solution, whole & ((rest**2).sum(1) < _FAR**2 * (about**2).sum(1))
