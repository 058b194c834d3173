"""The network of a reduction: every affine form multiplied out, with the numbers that a formula shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neuralgebra.formula.reduction import Reduction, Stage
from neuralgebra.formula.rounding import Rounded
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Select
from neuralgebra.network.network import Network
from neuralgebra.network.units import subset

__all__ = ["emitted"]

Sources = list[tuple[np.ndarray, int]]
"""Which variables, counted as rows of forms, stand at which places."""


def emitted(reduction: Reduction, parts: Sequence[Rounded]) -> Network:
    """Return the network whose numbers are rounded ones, every affine form multiplied out.

    Parameters
    ----------
    reduction : Reduction
        The network on the box.
    parts : sequence of Rounded
        Its forms, rounded; units whose outputs nobody takes are left out.
    """
    builder, rest = Builder(reduction.inputs), iter(parts)
    sources: Sources = [(np.arange(1, reduction.inputs + 1), 0)]
    used = _used(parts)
    for stage in reduction.stages:
        _add(builder, sources, stage, [next(rest).numbers for _ in stage.arguments], used)
    network = reduction.network
    place = _argument(builder, sources, next(rest).numbers)
    return network._close(builder, place, output_shape=network.output_shape)


def _used(parts: Sequence[Rounded]) -> set[int]:
    """Return the variables that some form takes."""
    return {int(row) + 1 for part in parts for row in np.flatnonzero((part.numbers[1:] != 0).any(axis=1))}


def _add(builder: Builder, sources: Sources, stage: Stage, numbers: list[np.ndarray], used: set[int]) -> None:
    """Add a stage; of an activation just the units that are used."""
    units = [u for u in range(stage.size) if stage.start + u in used]
    if not units:
        return
    layer = stage.layer
    if layer is None or isinstance(layer, Elementwise):
        numbers = [numbers[0][:, units]]
        layer = layer and subset(layer, stage.size, units)
    else:
        units = list(range(stage.size))
    places = [_argument(builder, sources, n) for n in numbers]
    place = places[0] if layer is None else builder.add(layer, *places)
    sources.append((stage.start + np.array(units), place))


def _argument(builder: Builder, sources: Sources, numbers: np.ndarray) -> int:
    """Add an affine form of the variables that it needs; return its place."""
    factors = numbers[1:]
    used = np.flatnonzero((factors != 0).any(axis=1)) if factors.any() else np.array([0])
    picked = [builder.add(Select(here), place) for here, place in _picked(sources, used + 1)]
    place = builder.add(Concatenate(), *picked) if len(picked) > 1 else picked[0]
    weight, bias = factors[used].T, numbers[0] if numbers[0].any() else None
    chosen = weight.argmax(axis=1)
    if bias is None and np.array_equal(weight, np.eye(len(used))[chosen]):
        return builder.add(Select(chosen), place)
    return builder.add(Affine(weight, bias), place)


def _picked(sources: Sources, rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield which coordinates of which places some rows of a form stand for."""
    for variables, place in sources:
        here = np.flatnonzero(np.isin(variables, rows))
        if here.size:
            yield here, place
