"""Building a let-form: equal nodes become one (hash-consing)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralgebra.errors import ShapeError
from neuralgebra.functions.polynomial import variables
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Layer, Select
from neuralgebra.network.linear import is_identity

__all__ = ["Builder", "Node", "is_nothing"]

(_ARGUMENT,) = variables("z")


@dataclass(frozen=True)
class Node:
    """A layer applied to earlier nodes.

    Parameters
    ----------
    layer : Layer
        The map.
    inputs : tuple of int
        Places of its arguments: 0 is the input of the network, i + 1 the node i.
    """

    layer: Layer
    inputs: tuple[int, ...]


class Builder:
    """Collects nodes; adding a node that stands already returns its place.

    Parameters
    ----------
    size : int
        Number of input coordinates.
    """

    def __init__(self, size: int) -> None:
        self.nodes: list[Node] = []
        self.sizes = [size]
        self._places: dict[Node, int] = {}

    def add(self, layer: Layer, *inputs: int) -> int:
        """Add a layer on the nodes at given places; return its place."""
        sizes = [self.sizes[i] for i in inputs]
        size = layer.sizes(sizes)
        if is_nothing(layer, sizes):
            return inputs[0]
        node = self._merged(layer, inputs)
        if node not in self._places:
            self.sizes.append(size)
            self.nodes.append(node)
            self._places[node] = len(self.nodes)
        return self._places[node]

    def equate(self, place: int, layer: Layer, *inputs: int) -> None:
        """Let a layer on the nodes at given places be a node that stands already: both are the same function."""
        self._places.setdefault(Node(layer, inputs), place)

    def _merged(self, layer: Layer, inputs: Sequence[int]) -> Node:
        """Put a bias into the affine layer before it, when that layer has none: exact."""
        before = self.nodes[inputs[0] - 1] if inputs[0] else None
        if (
            isinstance(layer, Affine)
            and layer.bias is not None
            and is_identity(layer.weight)
            and before is not None
            and isinstance(before.layer, Affine)
            and before.layer.bias is None
        ):
            return Node(Affine(before.layer.weight, layer.bias), before.inputs)
        return Node(layer, tuple(inputs))

    def append(self, nodes: Sequence[Node], output: int, at: int) -> int:
        """Add the nodes of a network whose input is the node at a place; return the place of its output."""
        places = [at]
        for node in nodes:
            if not all(0 <= i < len(places) for i in node.inputs):
                raise ShapeError(
                    f"{node.layer} is applied to places {node.inputs}; 0 to {len(places) - 1} stand before."
                )
            places.append(self.add(node.layer, *(places[i] for i in node.inputs)))
        if not 0 <= output < len(places):
            raise ShapeError(f"output place {output} received; 0 to {len(places) - 1} expected.")
        return places[output]

    def pruned(self, output: int) -> tuple[tuple[Node, ...], int]:
        """Return the nodes that an output needs, renumbered, and its new place."""
        places = self.renumbered(output)
        kept = [place for place in places if place]
        nodes = tuple(Node(self.nodes[p - 1].layer, tuple(places[i] for i in self.nodes[p - 1].inputs)) for p in kept)
        return nodes, places[output]

    def renumbered(self, output: int) -> dict[int, int]:
        """Return the new places of the nodes that an output needs, in order."""
        needed = {output}
        for place in range(len(self.nodes), 0, -1):
            if place in needed:
                needed.update(self.nodes[place - 1].inputs)
        return {0: 0, **{old: new + 1 for new, old in enumerate(sorted(needed - {0}))}}


def is_nothing(layer: Layer, sizes: Sequence[int]) -> bool:
    """Return whether a layer is the identity on inputs of these sizes."""
    if isinstance(layer, Concatenate):
        return len(sizes) == 1
    if isinstance(layer, Select):
        return len(layer.indices) == sizes[0] and np.array_equal(layer.indices, np.arange(sizes[0]))
    if isinstance(layer, Elementwise):
        return layer.only is not None and layer.only.row.value == _ARGUMENT
    return isinstance(layer, Affine) and layer.bias is None and is_identity(layer.weight)
