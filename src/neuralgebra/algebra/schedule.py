"""When each value of a network is computed, so that as few neurons as possible only hand values on.

A plain network computes in stages: stage ℓ is what can be read, by affine maps, from the neurons of hidden layer ℓ. A
value that is needed later than it is made must be handed on by identity neurons in every layer between. With s the
stage at which a value can first be read, E that of its last use, d the hidden layers that its own computation takes,
and c the neurons that hand it on through one layer::

    minimise  Σ c_v (E_v - s_v)    subject to    s_u ≤ s_v - d_v ≤ E_u  for v computed from u,   s_v ≤ E_v

The matrix of this linear program is that of differences, totally unimodular: its vertices are integers. It is the
retiming of circuits with fewest registers, Leiserson and Saxe, "Retiming synchronous circuitry" (1991).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

__all__ = ["Schedule", "scheduled"]


@dataclass(frozen=True)
class Schedule:
    """Stages of the values at all places.

    Parameters
    ----------
    first : tuple of int
        Where each value can first be read.
    last : tuple of int
        Where it is used last.
    depth : int
        The number of hidden layers.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    depth: int


def scheduled(
    arguments: Sequence[Sequence[int]], latencies: Sequence[int], costs: Sequence[float], output: int
) -> Schedule:
    """Return the stages of least cost in the least number of hidden layers.

    Parameters
    ----------
    arguments : sequence of sequence of int
        For each place the earlier places that its value is computed from; place 0 is the input and has none.
    latencies : sequence of int
        How many hidden layers the computation at each place takes.
    costs : sequence of float
        How many neurons hand the value at each place on through one layer.
    output : int
        The place of the result.

    Returns
    -------
    Schedule
        The stages.

    Examples
    --------
    The input is one number, and place 1, of three numbers, takes two layers; both are needed at place 2.

    >>> scheduled([(), (0,), (0, 1)], [0, 2, 0], [1, 3, 3], 2)
    Schedule(first=(0, 2, 2), last=(2, 2, 2), depth=2)
    """
    depth = _longest(arguments, latencies)[output]
    count = len(arguments)
    edges = [(u, v) for v, given in enumerate(arguments) for u in given]
    rows = [(u, v, -latencies[v]) for u, v in edges]  # s_u - s_v ≤ -d_v
    rows += [(v, count + u, latencies[v]) for u, v in edges]  # s_v - E_u ≤ d_v
    rows += [(v, count + v, 0) for v in range(count)]  # s_v - E_v ≤ 0
    signs = np.tile([1.0, -1.0], len(rows))
    places = np.array([[a, b] for a, b, _ in rows]).ravel()
    matrix = coo_array((signs, (np.repeat(np.arange(len(rows)), 2), places)), (len(rows), 2 * count))
    found = linprog(
        [-c for c in costs] + list(costs),
        A_ub=matrix.tocsr(),
        b_ub=[limit for _, _, limit in rows],
        bounds=[(0, 0), *[(0, depth)] * (2 * count - 1)],
        method="highs-ds",
    )
    stages = np.rint(found.x).astype(int).tolist()
    return Schedule(tuple(stages[:count]), tuple(stages[count:]), depth)


def _longest(arguments: Sequence[Sequence[int]], latencies: Sequence[int]) -> list[int]:
    """Return the least number of hidden layers after which each value can be read."""
    stages: list[int] = []
    for given, latency in zip(arguments, latencies, strict=True):
        stages.append(latency + max((stages[u] for u in given), default=0))
    return stages
