"""The units of an elementwise layer, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Elementwise

__all__ = ["functions_of", "subset"]


def functions_of(layer: Elementwise, size: int) -> Iterator[Activation]:
    """Yield the function of each unit, with its own parameters."""
    for function, start, end in layer.blocks:
        for unit in range((size if end is None else end) - start):
            yield _picked(function, [unit], plain=True)


def _picked(function: Activation, units: Sequence[int], plain: bool = False) -> Activation:
    """Return a function with the parameters of some of its units."""
    if not any(isinstance(value, tuple) for _, value in function.parameters):
        return function
    given = tuple(
        (name, (value[units[0]] if plain else tuple(value[u] for u in units)) if isinstance(value, tuple) else value)
        for name, value in function.parameters
    )
    return Activation(function.row, given)


def subset(layer: Elementwise, size: int, units: Sequence[int]) -> Elementwise:
    """Return the layer of some of its units, which are in order."""
    if len(units) == size:
        return layer
    blocks = []
    for function, start, end in layer.blocks:
        inside = [u - start for u in units if start <= u < (size if end is None else end)]
        if inside:
            blocks.append((_picked(function, inside), len(inside)))
    return Elementwise(tuple(blocks))
