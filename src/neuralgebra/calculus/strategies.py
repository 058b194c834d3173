"""The ways to first and second derivatives; `plans.py` says what each costs and chooses.

Points are (N, n); results have leading axis N, or 1 where all points have the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.forms import Diagonal, Form, Full, symmetric
from neuralgebra.calculus.indices import IndexSet, Indices
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.layer_sum import gradients, layer_sum
from neuralgebra.calculus.origin import first_layer, tangents
from neuralgebra.calculus.propagate import Jets
from neuralgebra.network.linear import Dense
from neuralgebra.network.network import Network

__all__ = [
    "adjoint_jacobian",
    "by_jets",
    "derivatives",
    "forward_jacobian",
    "full_hessian",
    "hessian_by_jets",
    "levels_of",
    "reduced_diagonal",
    "reduced_hessian",
    "reduced_jacobian",
    "sum_diagonal",
    "summed",
]

Directions = np.ndarray | None
"""Unit vectors as rows, (K, n); None stands for all of them."""


def levels_of(k: Any, network: Network, x: Value, indices: Indices, level: Value | None, place: int) -> Jet:
    """Return the jet of f, (K_l, N, m), given level 1 of the input or of the first layer, (K₁, N, n) or (K₁, 1, n)."""
    given = [x[None, ...], level, *[None] * (indices.order - 1)][: indices.order + 1]
    if place:
        return Jets(k, network, Jet(indices, given[:1]), level).run(indices.order)
    return Jets(k, network, Jet(indices, given)).run(indices.order)


def by_jets(k: Any, network: Network, x: Value, order: int) -> list[Value]:
    """Return all derivatives up to an order, (N, m, n, …, n), by jets in all directions."""
    indices = IndexSet.full(network.input_size, order)
    place = int(first_layer(network) is not None)
    level = tangents(k, network, None)[:, None, :] if order else None
    jet = levels_of(k, network, x, indices, level, place)
    return [derivatives(k, jet, n, network.input_size, x.shape[0]) for n in range(order + 1)]


def derivatives(k: Any, jet: Jet, level: int, n: int, count: int) -> Value:
    """Return one level of a jet in n directions as derivatives, shape (N, m, n, …, n)."""
    m, array = jet.value.shape[-1], jet.levels[level]
    if array is None:
        return k.zeros((count, m, *(n,) * level))
    if level == 0:
        return array[0, ...]
    indices: Any = jet.indices
    if level > 1:
        array = array * k.weight(indices.factorials[level].reshape(-1, 1, 1))
    spread = k.take(array, indices.spread(level, n), 0)
    return k.permute(spread, (level, level + 1, *range(level)))


def forward_jacobian(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value and Jacobian by one pass with all directions."""
    place = int(first_layer(network) is not None)
    return _forward(k, network, x, tangents(k, network, directions)[:, None, :], place)


def reduced_jacobian(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value and Jacobian by one pass with a direction for each unit of the first layer."""
    layer: Any = first_layer(network)
    y, j = _forward(k, network, x, k.weight(np.eye(layer.weight.rows))[:, None, :], 1)
    return [y, _back(k, layer, j, directions)]


def _forward(k: Any, network: Network, x: Value, level: Value, place: int) -> list[Value]:
    jet = levels_of(k, network, x, IndexSet.full(level.shape[0], 1), level, place)
    return [jet.value[0, ...], derivatives(k, jet, 1, level.shape[0], x.shape[0])]


def _back(k: Any, layer: Any, j: Value, directions: Directions) -> Value:
    """Return derivatives by the input on the last axis, given those by the first layer."""
    y = k.rlinear(layer.weight, j)
    return _picked(k, y, directions)


def _picked(k: Any, y: Value, directions: Directions) -> Value:
    """Return the coordinates, on the last axis, that unit vectors pick: no product, in which 0·∞ would be NaN."""
    return y if directions is None else k.take(y, np.argmax(directions, axis=1), -1)


def adjoint_jacobian(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value and Jacobian by one pass backward with all outputs."""
    jets, duals = gradients(k, network, x)
    return [_value(jets), _gradient(k, duals, directions)]


def _value(jets: Jets) -> Value:
    return jets.jets[jets.network.output].value[0, 0, 0, ...]  # type: ignore[union-attr]


def _gradient(k: Any, duals: Any, directions: Directions) -> Value:
    rows = k.permute(duals[0][0][0, :, 0, ...], (1, 0, 2))
    return _picked(k, rows, directions)


def summed(k: Any, network: Network, x: Value, place: int, level: Value, form: Form) -> tuple[Value, Any, Value | None]:
    """Return value, adjoints and a form of the Hessian, given level 1 at a place, (K, N, n) or (K, 1, n)."""
    jets, duals = gradients(k, network, x)
    value = _value(jets)
    layer_sum(jets, duals, place, level, [form])
    return value, duals, form.result()


def full_hessian(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value, Jacobian and Hessian by the sum over layers, with directions in the input."""
    place = int(first_layer(network) is not None)
    level = tangents(k, network, directions)[:, None, :]
    count = level.shape[0]
    value, duals, h = summed(k, network, x, place, level, Full(k, count))
    h = k.zeros((1, network.output_size, count, count)) if h is None else h
    return [value, _gradient(k, duals, directions), h]


def _in_first_layer(k: Any, network: Network, x: Value) -> tuple[Value, Any, Value]:
    """Return value, adjoints and the Hessian by the units of the first layer."""
    layer: Any = first_layer(network)
    count = layer.weight.rows
    value, duals, h = summed(k, network, x, 1, k.weight(np.eye(count))[:, None, :], Full(k, count))
    return value, duals, k.zeros((1, network.output_size, count, count)) if h is None else h


def reduced_hessian(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value, Jacobian and Hessian by the sum over layers, with directions in the first layer: Wᵀ H W."""
    layer: Any = first_layer(network)
    value, duals, h = _in_first_layer(k, network, x)
    half = k.permute(_back(k, layer, h, directions), (0, 1, 3, 2))
    if isinstance(layer.weight, Dense) and directions is None:
        whole = half @ k.weight(layer.weight.weight)  # one small product a point: the transpose need not be copied
    else:
        whole = _back(k, layer, half, directions)
    return [value, _gradient(k, duals, directions), symmetric(k, whole)]


def hessian_by_jets(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value, Jacobian and Hessian by second-order jets."""
    place = int(first_layer(network) is not None)
    level = tangents(k, network, directions)
    jet = levels_of(k, network, x, IndexSet.full(level.shape[0], 2), level[:, None, :], place)
    return [derivatives(k, jet, n, level.shape[0], x.shape[0]) for n in range(3)]


def sum_diagonal(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return the diagonal of the Hessian by the sum over layers, with directions in the input."""
    place = int(first_layer(network) is not None)
    level = tangents(k, network, directions)[:, None, :]
    _, _, diagonal = summed(k, network, x, place, level, Diagonal(k, level.shape[0]))
    if diagonal is None:
        return [k.zeros((1, network.output_size, level.shape[0]))]
    return [k.permute(diagonal, (2, 0, 1))]


def reduced_diagonal(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return the diagonal of the Hessian by the sum over layers, with directions in the first layer."""
    layer: Any = first_layer(network)
    _, _, h = _in_first_layer(k, network, x)
    half = k.permute(_back(k, layer, h, directions), (0, 1, 3, 2))
    return [k.dot(half, tangents(k, network, directions))]
