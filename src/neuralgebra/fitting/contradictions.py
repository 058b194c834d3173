"""Where observations say different things of one number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from neuralgebra.fitting.groups import Group
from neuralgebra.fitting.sites import distinct

__all__ = ["Contradiction", "contradictions"]


@dataclass(frozen=True)
class Contradiction:
    """Different things that are said of one number.

    Parameters
    ----------
    kind : str
        Of which: "value", "x1", ….
    output : str
        Of which output.
    point : tuple of float
        Where.
    values : tuple of float
        What is said, each once, in ascending order.
    """

    kind: str
    output: str
    point: tuple[float, ...]
    values: tuple[float, ...]


def contradictions(
    groups: Sequence[Group], inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> tuple[Contradiction, ...]:
    """Return where different values are given of one operator and one output at one point, along one direction.

    Parameters
    ----------
    groups : sequence of Group
        All that is known; bounds contradict nothing here.
    inputs, outputs : tuple of str
        Their names.

    Returns
    -------
    tuple of Contradiction
        By operator, output and point, in the order of the rows.
    """
    found: list[Contradiction] = []
    for operator in dict.fromkeys(g.operator for g in groups if not g.bound):
        alike = [g for g in groups if g.operator == operator and not g.bound]
        for place, output in enumerate(outputs):
            said = [Contradiction(operator.kind(inputs), output, *pair) for pair in _apart(alike, place)]
            found.extend(said)
    return tuple(found)


def _apart(groups: Sequence[Group], output: int) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Yield points with the different values that one output has there."""
    known = [g.known[:, output] for g in groups]
    values = np.concatenate([g.values[k, output] for g, k in zip(groups, known, strict=True)])
    where = np.concatenate([_places(g)[k] for g, k in zip(groups, known, strict=True)])
    if not len(values):
        return
    _, sites = distinct(where)
    order = np.argsort(sites, kind="stable")
    starts = np.flatnonzero(np.diff(sites[order], prepend=-1))
    apart = np.maximum.reduceat(values[order], starts) > np.minimum.reduceat(values[order], starts)
    ends = np.append(starts[1:], len(order))
    for start, end in zip(starts[apart], ends[apart], strict=True):
        rows = order[start:end]
        point = where[rows[0], : groups[0].points.shape[1]]
        yield tuple(point.tolist()), tuple(np.unique(values[rows]).tolist())


def _places(group: Group) -> np.ndarray:
    """Return points, each with its direction if there are any."""
    return group.points if group.directions is None else np.concatenate((group.points, group.directions), axis=1)
