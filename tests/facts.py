"""Observations as a list of facts, whatever groups they are in."""

from collections.abc import Iterator
from typing import Any

from neuralgebra.fitting.observations import Observations


def facts(observations: Observations) -> list[Any]:
    """Return what is known, number by number, sorted."""
    return sorted(_facts(observations))


def _facts(observations: Observations) -> Iterator[Any]:
    for g in observations.groups:
        for i, point in enumerate(g.points.tolist()):
            direction = () if g.directions is None else tuple(g.directions[i].tolist())
            for o, output in enumerate(observations.output_names):
                value, weight = float(g.values[i, o]), float(g.weights[i, o])
                if value == value:
                    kind = g.operator.kind(observations.input_names)
                    yield tuple(point), output, kind, direction, value, weight, g.deviations, g.bound
                else:
                    assert weight == 0
