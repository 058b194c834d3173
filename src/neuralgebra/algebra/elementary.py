"""Every layer in terms of three: affine maps, activations, products of pairs. The function stays the same, exactly.

==================  ==============================================================================================
layer               becomes
==================  ==============================================================================================
``Multiply``        the products of all pairs, and their sums; u·u is a square
``Maximum``         a tournament of max(a, b) = a + relu(b - a), ⌈log₂ size⌉ rounds
``Softmax``         exp(zᵢ - ln Σ exp zⱼ), a tournament of ln(eᵃ + eᵇ) = a + softplus(b - a); of two, sigmoid(z₁ - z₂)
``PowerProduct``    exp(W ln x + b)
``Mixing``          f(W f⁻¹(x) + b)
==================  ==============================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Layer,
    Maximum,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.network.linear import Kronecker, identity
from neuralgebra.network.network import Network

__all__ = ["elementary"]


def elementary(network: Network) -> Network:
    """Return the same function with affine maps, activations and products of pairs only.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    Network
        Its layers are ``Affine``, ``Elementwise``, ``Multiply()``, ``Select`` and ``Concatenate``.

    Examples
    --------
    >>> import neuralgebra as na
    >>> print(*(node.layer for node in elementary(na.Network.from_layer(na.Softmax(), 2)).nodes), sep=", ")
    Affine 2→1, sigmoid, Affine 1→2
    """
    builder, places = Builder(network.input_size), [0]
    for node in network.nodes:
        given = [places[i] for i in node.inputs]
        rule = _RULES.get(type(node.layer))
        places.append(builder.add(node.layer, *given) if rule is None else rule(builder, node.layer, *given))
    return network._close(builder, places[network.output], output_shape=network.output_shape)


def _multiply(b: Builder, layer: Any, left: int, right: int) -> int:
    if layer.shape is None:
        return b.add(Elementwise("square"), left) if left == right else b.add(layer, left, right)
    batch, p, q, r = layer.shape
    sizes = (batch, p, q, r)
    i, j, k, m = np.indices(sizes).reshape(4, -1)
    pairs = b.add(Select((i * p + j) * q + k), left), b.add(Select((i * q + k) * r + m), right)
    return b.add(Affine(Kronecker(np.ones((1, q)), batch * p, r)), b.add(Multiply(), *pairs))


def _maximum(b: Builder, layer: Any, place: int) -> int:
    return _tournament(b, "relu", [b.add(Select(column), place) for column in layer.groups.T])


def _tournament(b: Builder, gain: str, rivals: list[int]) -> int:
    """Return a + gain(b - a) of all rivals, in as few rounds as possible."""
    while len(rivals) > 1:
        rest = rivals[len(rivals) & ~1 :]
        rivals = [_larger(b, gain, *rivals[i : i + 2]) for i in range(0, len(rivals) - 1, 2)] + rest
    return rivals[0]


def _larger(b: Builder, gain: str, first: int, second: int) -> int:
    if first == second and gain == "relu":
        return first
    more = b.add(Elementwise(gain), _sum(b, (second, 1.0), (first, -1.0)))
    return _sum(b, (first, 1.0), (more, 1.0))


def _sum(b: Builder, *terms: tuple[int, float]) -> int:
    places, factors = zip(*terms, strict=True)
    return b.add(Affine(identity(b.sizes[places[0]], len(terms), factors)), b.add(Concatenate(), *places))


def _softmax(b: Builder, layer: Any, place: int) -> int:
    size = b.sizes[place]
    group = layer.group or size
    groups = size // group
    if group == 2:
        return _softmax_of_two(b, layer, place, groups)
    members = [b.add(Select(np.arange(groups) * group + i), place) for i in range(group)]
    total = b.add(Affine(Kronecker(np.ones((group, 1)), groups)), _tournament(b, "softplus", members))
    logarithm = _sum(b, (place, 1.0), (total, -1.0))
    return logarithm if layer.log else b.add(Elementwise("exp"), logarithm)


def _softmax_of_two(b: Builder, layer: Any, place: int, groups: int) -> int:
    """Return sigmoid(z₁ - z₂) and 1 - sigmoid(z₁ - z₂), or the logarithms of sigmoid(z₁ - z₂) and sigmoid(z₂ - z₁)."""
    if layer.log:
        both = b.add(Affine(Kronecker(np.array([[1.0, -1.0], [-1.0, 1.0]]), groups)), place)
        return b.add(Elementwise("logsigmoid"), both)
    first = b.add(Elementwise("sigmoid"), b.add(Affine(Kronecker(np.array([[1.0, -1.0]]), groups)), place))
    return b.add(Affine(Kronecker(np.array([[1.0], [-1.0]]), groups), np.tile([0.0, 1.0], groups)), first)


def _power_product(b: Builder, layer: Any, place: int) -> int:
    return b.add(Elementwise("exp"), b.add(_affine(layer), b.add(Elementwise("log"), place)))


def _mixing(b: Builder, layer: Any, place: int) -> int:
    return b.add(Elementwise(layer.function), b.add(_affine(layer), b.add(Elementwise(layer.inverse), place)))


def _affine(layer: Any) -> Affine:
    return Affine(layer.weight, layer.bias)


_RULES: dict[type[Layer], Callable[..., int]] = {
    Multiply: _multiply,
    Maximum: _maximum,
    Softmax: _softmax,
    PowerProduct: _power_product,
    Mixing: _mixing,
}
