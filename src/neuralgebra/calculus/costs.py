"""What derivatives cost: multiplications for each point."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from neuralgebra.calculus.layer_sum import CURVED, carriers
from neuralgebra.calculus.origin import first_layer
from neuralgebra.network.layers import Affine, Elementwise, Layer, Mixing, Multiply, PowerProduct, Softmax
from neuralgebra.network.network import Network

__all__ = ["Costs"]


@dataclass(frozen=True)
class Costs:
    """Multiplications of the parts of which every way to a derivative is made.

    Parameters
    ----------
    network : Network
        The function.
    """

    network: Network

    @cached_property
    def first(self) -> int:
        """The first affine layer, whose derivative is the same for all points; 0 where there is none."""
        layer = first_layer(self.network)
        return 0 if layer is None else layer.weight.cost()

    @cached_property
    def value(self) -> int:
        """One value: all layers."""
        return sum(map(self._layer, range(1, len(self.network.nodes) + 1)))

    @cached_property
    def inner(self) -> int:
        """One coefficient or one adjoint through all layers but the first."""
        return self.value - self.first

    @cached_property
    def carried(self) -> int:
        """One direction through the layers before the last curved one, without the first."""
        return sum(self._layer(p) for p in carriers(self.network) - {0}) - self.first

    @cached_property
    def curved(self) -> int:
        """Number of units with second derivatives."""
        nodes = self.network.nodes
        return sum(self._units(p) for p in range(1, len(nodes) + 1) if isinstance(nodes[p - 1].layer, CURVED))

    @property
    def units(self) -> int:
        """Number of units behind the first affine layer; 0 where there is none."""
        layer = first_layer(self.network)
        return 0 if layer is None else int(layer.weight.rows)

    def jets(self, coefficients: int, products: int) -> int:
        """Jets with so many coefficients beside the value: all through all layers, products at the curved units."""
        return self.value + coefficients * self.inner + products * self.curved

    def adjoints(self) -> int:
        """Values, and adjoints of all outputs."""
        return self.value + self.network.output_size * self.inner

    def layer_sum(self, directions: int, each: int) -> int:
        """Values, adjoints, Jacobians of all layers, and a number of multiplications for each curved unit."""
        return self.adjoints() + directions * self.carried + each * self.curved

    def _units(self, place: int) -> int:
        node = self.network.nodes[place - 1]
        return self.network.sizes[node.inputs[0]]

    def _layer(self, place: int) -> int:
        layer: Layer = self.network.nodes[place - 1].layer
        if isinstance(layer, Affine):
            return layer.weight.cost()
        if isinstance(layer, PowerProduct | Mixing):
            return layer.weight.cost() + sum(layer.weight.shape)
        if isinstance(layer, Multiply) and layer.shape is not None:
            batch, p, q, r = layer.shape
            return batch * p * q * r
        return self._units(place) if isinstance(layer, Elementwise | Multiply | Softmax) else 0
