"""What may be wrong with data before a network is fitted to them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import KDTree

from neuralgebra.fitting.observations import Group, Observations

__all__ = ["alarms"]

_NEIGHBOURS = 12  # values about a point, by which a slope is estimated, and at least twice the inputs
_POINTS = 400  # at which slopes are estimated, at most
_FAR = 0.25  # residual of a local plane, relative to what it explains, above which a slope is not known
_ENOUGH = 8  # slopes that are known
_AGREE = (0.5, 2.0)  # derivatives over slopes, in the middle of all points


def alarms(observations: Observations) -> list[str]:
    """Return warnings: inputs that are constant, derivatives that contradict the values.

    At each point with a first derivative a plane is laid through the values about it; where it fits them, its slope is
    a difference quotient in many directions. Derivatives that are several times as large, or of the other sign, in
    the middle of all points, have another unit or belong to another input.

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
    count = max(_NEIGHBOURS, 2 * n + 2)
    if values is None or len(values[0]) < 2 * count:
        return
    tree = KDTree(values[0])
    for i, variable in enumerate(observations.input_names):
        slopes = _known(observations, (i,), output)
        if slopes is None:
            continue
        ratio = _ratio(tree, values, slopes, i, count)
        if ratio is not None and not _AGREE[0] <= ratio <= _AGREE[1]:
            yield (
                f"d{name}/d{variable} is {ratio:.3g} times what the values of {name} about its points tell: "
                "another sign, unit or input?"
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


def _ratio(
    tree: KDTree, values: tuple[np.ndarray, ...], slopes: tuple[np.ndarray, ...], i: int, count: int
) -> float | None:
    """Return the median of derivatives over slopes of local planes, where these are known; None where too few are."""
    x, y = values
    chosen = np.unique(np.linspace(0, len(slopes[0]) - 1, min(_POINTS, len(slopes[0]))).astype(int))
    _, near = tree.query(slopes[0][chosen], k=count)
    ratios = []
    for point, data, about in zip(slopes[0][chosen], slopes[1][chosen], near, strict=True):
        plane = np.concatenate([x[about] - point, np.ones((count, 1))], 1)
        solution, _, rank, _ = np.linalg.lstsq(plane, y[about], rcond=1e-6)
        rest = y[about] - plane @ solution
        whole = y[about] - y[about].mean()
        if rank == plane.shape[1] and rest @ rest < _FAR**2 * (whole @ whole) and abs(solution[i]) > 0.1:
            ratios.append(data / solution[i])
    return float(np.median(ratios)) if len(ratios) >= _ENOUGH else None
