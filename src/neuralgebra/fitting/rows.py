"""Observations as what one pass through a network compares: points with several derivatives each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.calculus.targets import Targets
from neuralgebra.fitting.observations import Group, Observations

__all__ = ["Rows", "rows_of"]

_PATTERNS = 8  # of known and missing numbers, beyond which all are computed


@dataclass(frozen=True, eq=False)
class Rows:
    """Points at which the same operators are compared with data.

    Parameters
    ----------
    points : ndarray, shape (N, n)
        The points.
    targets : Targets
        Sums of derivatives, of which the operators are made.
    mixing : ndarray, shape (t, t₀)
        Each operator as a combination of the targets.
    values : ndarray, shape (N, t, m)
        What is known; 0 where nothing is.
    weights : ndarray, shape (N, t, m)
        Weight of each square; 0 where nothing is known.
    bounds : ndarray, shape (t,)
        1 where values are lower bounds, -1 where they are upper bounds, 0 where they are equations.
    groups : tuple of int
        The group of observations that each operator comes from.
    directions : ndarray, shape (N, 1, n), optional
        Directions of each point, by which the targets are derivatives.
    """

    points: np.ndarray
    targets: Targets
    mixing: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    bounds: np.ndarray
    groups: tuple[int, ...]
    directions: np.ndarray | None = None

    @property
    def plain(self) -> bool:
        """Whether the operators are the targets themselves."""
        return np.array_equal(self.mixing, np.eye(len(self.mixing)))

    @cached_property
    def roots(self) -> np.ndarray:
        """The square roots of the weights, (N, t, m)."""
        return np.asarray(np.sqrt(self.weights))

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What a computation is given for each point: x, y, √w, and directions."""
        return (self.points, self.values, self.roots, *(() if self.directions is None else (self.directions,)))

    def chosen(self, at: np.ndarray) -> Rows:
        """Return some of the points, by their places."""
        directions = None if self.directions is None else self.directions[at]
        return Rows(
            self.points[at], self.targets, self.mixing, self.values[at], self.weights[at], self.bounds, self.groups,
            directions,
        )  # fmt: skip


def rows_of(observations: Observations) -> list[Rows]:
    """Return observations with as few passes as serve them: groups at the same points share one."""
    found: list[Rows] = []
    for members in _together(observations.groups):
        groups = [observations.groups[i] for i in members]
        found += _by_pattern(_joined(groups, members, len(observations.input_names)))
    return found


def _together(groups: Sequence[Group]) -> list[list[int]]:
    """Return the places of groups at the same points, operators along directions each by themselves."""
    found: list[list[int]] = []
    for i, group in enumerate(groups):
        if not len(group.points):
            continue
        for members in found:
            first = groups[members[0]]
            if not (first.operator.along or group.operator.along) and _same(first.points, group.points):
                members.append(i)
                break
        else:
            found.append([i])
    return found


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return one is other or (one.shape == other.shape and bool(np.array_equal(one, other)))


def _joined(groups: Sequence[Group], members: Sequence[int], n: int) -> Rows:
    first = groups[0]
    if first.operator.along:
        targets, mixing = Targets((((0,) * first.operator.along,),), 1), np.ones((1, 1))
    else:
        targets, mixing = _targets(groups, n)
    known = [np.isfinite(g.values) & (g.weights > 0) for g in groups]
    return Rows(
        first.points,
        targets,
        mixing,
        np.stack([np.where(k, g.values, 0.0) for k, g in zip(known, groups, strict=True)], 1),
        np.stack([np.where(k, g.weights, 0.0) for k, g in zip(known, groups, strict=True)], 1),
        np.array([g.bound for g in groups]),
        tuple(members),
        None if first.directions is None else first.directions[:, None, :],
    )


def _targets(groups: Sequence[Group], n: int) -> tuple[Targets, np.ndarray]:
    """Return the sums that operators are made of: a Laplacian as it is, others by their terms."""
    trace = tuple((i, i) for i in range(n))
    parts: list[dict[Any, float]] = []
    for group in groups:
        terms = dict(group.operator.terms)
        whole = n > 1 and set(terms) == set(trace) and len(set(terms.values())) == 1
        parts.append({trace: terms[trace[0]]} if whole else {(alpha,): c for alpha, c in terms.items()})
    sums = list(dict.fromkeys(s for part in parts for s in part))
    mixing = np.array([[part.get(s, 0.0) for s in sums] for part in parts])
    return Targets(tuple(sums), n), mixing


def _by_pattern(rows: Rows) -> list[Rows]:
    """Return rows apart by what is known, so that each pays only for its own derivatives."""
    known = np.asarray((rows.weights > 0).any(2))
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    if len(patterns) == 1 or len(patterns) > _PATTERNS:
        kept = known.any(1)
        return [rows if kept.all() else rows.chosen(np.flatnonzero(kept))]
    found = []
    for i, pattern in enumerate(patterns):
        if pattern.any():
            found.append(_without(rows.chosen(np.flatnonzero(which.ravel() == i)), pattern))
    return found


def _without(rows: Rows, kept: np.ndarray) -> Rows:
    """Return rows without the operators that nothing is known of."""
    mixing = rows.mixing[kept]
    used = mixing.any(0)
    sums = tuple(s for s, u in zip(rows.targets.sums, used, strict=True) if u)
    groups = tuple(g for g, u in zip(rows.groups, kept, strict=True) if u)
    targets = Targets(sums, rows.targets.variables)
    return Rows(
        rows.points, targets, mixing[:, used], rows.values[:, kept], rows.weights[:, kept], rows.bounds[kept], groups,
        rows.directions,
    )  # fmt: skip
