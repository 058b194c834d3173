"""Folding affine layers into one another."""

from __future__ import annotations

from typing import TypeGuard

import numpy as np

from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Affine, Layer
from neuralgebra.network.linear import Dense, Diagonal, Linear
from neuralgebra.network.network import Network

__all__ = ["fold", "merged"]


def fold(network: Network) -> Network:
    """Return the network with affine layers merged into those after them, B(A x + a) + b = (BA) x + (Ba + b).

    Scalings of inputs and outputs disappear in the weights. The products are computed in float64 and rounded once to
    the dtype of the network: equal as a real function to the last bit of the weights, not bit for bit.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    Network
        The same function with no two dense or diagonal layers in a row; a layer that several others use stays, and so
        does structure: convolutions, Kronecker products and blocks are not made dense.
    """
    builder, places = Builder(network.input_size), [0]
    uses = np.bincount([i for node in network.nodes for i in node.inputs] + [network.output], minlength=1)
    for node in network.nodes:
        layer, inputs = node.layer, tuple(places[i] for i in node.inputs)
        source = node.inputs[0]
        before = builder.nodes[inputs[0] - 1] if inputs[0] else None
        if before and uses[source] == 1 and _foldable(layer) and _foldable(before.layer):
            layer, inputs = merged(layer, before.layer, network.dtype), before.inputs
        places.append(builder.add(layer, *inputs))
    return network._close(builder, places[network.output], output_shape=network.output_shape)


def _foldable(layer: Layer) -> TypeGuard[Affine]:
    """Return whether a layer may be multiplied out: structure that is more than a diagonal is kept."""
    return isinstance(layer, Affine) and isinstance(layer.weight, Dense | Diagonal)


def merged(after: Affine, before: Affine, dtype: np.dtype) -> Affine:
    """Return one affine map after another, B(A x + a) + b, rounded once to a dtype; dense or diagonal weights."""
    bias = None if before.bias is None else after.weight.dense().astype(np.float64) @ before.bias
    if after.bias is not None:
        bias = after.bias if bias is None else bias + after.bias
    return Affine(_product(after.weight, before.weight, dtype), None if bias is None else bias.astype(dtype))


def _product(after: Linear, before: Linear, dtype: np.dtype) -> Linear:
    if isinstance(after, Diagonal) and isinstance(before, Diagonal):
        return Diagonal((after.entries.astype(np.float64) * before.entries).astype(dtype))
    return Dense((after.dense().astype(np.float64) @ before.dense()).astype(dtype))
