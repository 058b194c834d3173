"""The ways to first and second derivatives; `plans.py` says what each costs and chooses.

Points are (N, n); results have leading axis N, or 1 where all points have the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.forms import Diagonal, Form, Full, symmetric
from neuralgebra.calculus.indices import IndexSet, Indices, units
from neuralgebra.calculus.jet import Jet, filled
from neuralgebra.calculus.layer_sum import gradients, layer_sum
from neuralgebra.calculus.origin import first_layer, start, tangents
from neuralgebra.calculus.propagate import Jets
from neuralgebra.network.linear import Dense
from neuralgebra.network.network import Network

__all__ = [
    "adjoint_jacobian",
    "blocks",
    "by_jets",
    "derivatives",
    "forward_jacobian",
    "full_hessian",
    "hessian_by_jets",
    "levels_of",
    "picked",
    "reduced_diagonal",
    "reduced_hessian",
    "reduced_jacobian",
    "sum_diagonal",
    "summed",
    "weighted_hessian",
]

_NUMBERS = 1 << 21  # of the Jacobian of a layer at one point, at a time

Directions = np.ndarray | None
"""Unit vectors as rows, (K, n); None stands for all of them."""


def blocks(k: Any, network: Network, count: int, reduced: bool = False) -> Iterator[slice]:
    """Yield which of many directions are taken at a time: the Jacobians of a layer by these fit into memory.

    Directions are those of the input, or, reduced, of the first layer.
    """
    size = max(1, _NUMBERS // max(network.sizes[reduced:]))
    if count > size:
        k.in_parts()
    return (slice(i, min(i + size, count)) for i in range(0, count, size))


def picked(network: Network, rows: Directions, cut: slice) -> Directions:
    """Return some of the rows of directions, None standing for all unit vectors."""
    if rows is not None:
        return rows[cut]
    n = network.input_size
    return None if cut == slice(0, n) else units(range(cut.start, cut.stop), n)


def levels_of(k: Any, network: Network, x: Value, indices: Indices, level: Value | None, place: int) -> Jet:
    """Return the jet of f, (K_l, N, m), given level 1 of the input or of the first layer, (K₁, N, n) or (K₁, 1, n)."""
    given = [x[None, ...], level, *[None] * (indices.order - 1)][: indices.order + 1]
    if place:
        return Jets(k, network, Jet(indices, given[:1]), level).run(indices.order)
    return Jets(k, network, Jet(indices, given)).run(indices.order)


def by_jets(k: Any, network: Network, x: Value, order: int) -> list[Value]:
    """Return all derivatives up to an order, (N, m, n, …, n), by jets in all directions."""
    place, level = start(k, network)
    jet = levels_of(k, network, x, IndexSet.full(network.input_size, order), level if order else None, place)
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
    count = network.input_size if directions is None else len(directions)
    parts = [
        _forward(k, network, x, *start(k, network, picked(network, directions, cut)))
        for cut in blocks(k, network, count)
    ]
    return [parts[0][0], parts[0][1] if len(parts) == 1 else k.concat([j for _, j in parts], -1)]


def reduced_jacobian(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value and Jacobian by one pass with a direction for each unit of the first layer."""
    layer: Any = first_layer(network)
    y, j = _forward(k, network, x, 1, k.weight(np.eye(layer.weight.rows))[:, None, :])
    return [y, _back(k, layer, j, directions)]


def _forward(k: Any, network: Network, x: Value, place: int, level: Value) -> list[Value]:
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


def summed(
    k: Any, network: Network, x: Value, place: int, level: Value, form: Form, weights: Value | None = None
) -> tuple[Value, Any, Value | None]:
    """Return value, adjoints and a form of the Hessian, given level 1 at a place, (K, N, n) or (K, 1, n)."""
    jets, duals = gradients(k, network, x, weights)
    value = _value(jets)
    layer_sum(jets, duals, place, level, [form])
    return value, duals, form.result()


def full_hessian(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return value, Jacobian and Hessian by the sum over layers, with directions in the input."""
    place, level = start(k, network, directions)
    count = level.shape[0]
    value, duals, h = summed(k, network, x, place, level, Full(k, count))
    return [value, _gradient(k, duals, directions), filled(k, h, 1, network.output_size, count, count)]


def weighted_hessian(k: Any, network: Network, x: Value, weights: Value) -> list[Value]:
    """Return the Hessian of Σ w_i f_i, (N, n, n), by the sum over layers with one adjoint."""
    place, level = start(k, network)
    count = level.shape[0]
    _, _, h = summed(k, network, x, place, level, Full(k, count), weights)
    return [filled(k, h, 1, 1, count, count)[:, 0, ...]]


def _in_first_layer(k: Any, network: Network, x: Value) -> tuple[Value, Any, Value]:
    """Return value, adjoints and the Hessian by the units of the first layer."""
    layer: Any = first_layer(network)
    count = layer.weight.rows
    value, duals, h = summed(k, network, x, 1, k.weight(np.eye(count))[:, None, :], Full(k, count))
    return value, duals, filled(k, h, 1, network.output_size, count, count)


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
    place, level = start(k, network, directions)
    jet = levels_of(k, network, x, IndexSet.full(level.shape[0], 2), level, place)
    return [derivatives(k, jet, n, level.shape[0], x.shape[0]) for n in range(3)]


def sum_diagonal(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return the diagonal of the Hessian by the sum over layers, with directions in the input."""
    count = network.input_size if directions is None else len(directions)
    parts = []
    for cut in blocks(k, network, count):
        place, level = start(k, network, picked(network, directions, cut))
        _, _, diagonal = summed(k, network, x, place, level, Diagonal(k, level.shape[0]))
        parts.append(filled(k, diagonal, network.output_size, level.shape[0], 1))
    return [k.permute(parts[0] if len(parts) == 1 else k.concat(parts, 1), (2, 0, 1))]


def reduced_diagonal(k: Any, network: Network, x: Value, directions: Directions = None) -> list[Value]:
    """Return the diagonal of the Hessian by the sum over layers, with directions in the first layer."""
    layer: Any = first_layer(network)
    _, _, h = _in_first_layer(k, network, x)
    half = k.permute(_back(k, layer, h, directions), (0, 1, 3, 2))
    return [k.dot(half, tangents(k, network, directions))]
