"""Second derivatives as a sum over layers: H = Σ_l J_lᵀ M_l J_l.

J_l = ∂z_l/∂x is the Jacobian of the argument of node l, M_l = ∂²⟨λ_l, φ_l(z)⟩/∂z² the curvature of the node under its
adjoint λ_l: diag(λ_l σ''(z_l)) for an activation. One pass forward for the values, one backward for the adjoints, one
forward for the Jacobians, whose products are summed as they come: two of them are in memory, not all.

Source: for activations, Singla and Feizi, "Second-order provable defenses against adversarial attacks", ICML 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.adjoint import Dual, adjoint, node_adjoint
from neuralgebra.calculus.forms import Form
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets, part, series
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Elementwise, Layer, Mixing, Multiply, PowerProduct, Softmax
from neuralgebra.network.network import Network

__all__ = ["CURVED", "carriers", "gradients", "layer_sum"]

CURVED = (Elementwise, Multiply, Softmax, Mixing, PowerProduct)
"""Layers with second derivatives."""

_ORDER_ONE = IndexSet.full(1, 1)


def gradients(k: Any, network: Network, x: Value, weights: Value | None = None) -> tuple[Jets, Mapping[int, Dual]]:
    """Return values and adjoints at all places.

    Parameters
    ----------
    k : Kind
        The kind of number.
    network : Network
        The function.
    x : array, shape (N, n)
        Points.
    weights : array, shape (N, m), optional
        Weights of the outputs, of which the sum then stands for all m.

    Returns
    -------
    Jets
        Jets whose values stand, each of shape (1, 1, 1, N, n): outputs and directions have axes of their own.
    mapping of int to list
        The adjoint of every output by place, one array of shape (1, m, 1, N, n), or 1 for N where it is the same.
    """
    jets = Jets(k, network, Jet(_ORDER_ONE, [x[None, None, None, ...]]))
    jets.run(0, keep=True)
    m = network.output_size
    seeds = k.reshape(k.weight(np.eye(m)), (1, m, 1, 1, m)) if weights is None else weights[None, None, None, ...]
    return jets, adjoint(k, jets, [seeds])


def layer_sum(jets: Jets, duals: Mapping[int, Dual], place: int, tangents: Value, forms: Sequence[Form]) -> None:
    """Add the contributions of all layers to forms of the Hessian.

    Parameters
    ----------
    jets : Jets
        Values at all places; used up.
    duals : mapping of int to list
        Adjoints by place.
    place : {0, 1}
        Where the directions are given: at the input, or behind the first layer.
    tangents : array, shape (K, N, n), or (K, 1, n) where they are the same for all points
        Directions.
    forms : sequence of Form
        What is wanted.
    """
    network, needed = jets.network, carriers(jets.network)
    jets.jets[place].levels.append(tangents[None, None, ...])  # type: ignore[union-attr]
    for at, node in enumerate(network.nodes, 1):
        if isinstance(node.layer, CURVED) and at in duals and at > place:
            _contribute(jets.k, node.layer, jets.inputs(at), duals[at][0], forms)
        if at in needed and at > place:
            jets.run_node(at, 1)
        jets.release(at)


def carriers(network: Network) -> frozenset[int]:
    """Return the places whose Jacobians the sum needs: arguments of curved layers, and what these depend on."""
    needed: set[int] = set()
    for place in range(len(network.nodes), 0, -1):
        node = network.nodes[place - 1]
        if place in needed or isinstance(node.layer, CURVED):
            needed.update(node.inputs)
    return frozenset(needed)


def _contribute(k: Any, layer: Layer, inputs: Sequence[Jet], dual: Value, forms: Sequence[Form]) -> None:
    if isinstance(layer, Elementwise):
        (z,) = inputs
        for function, i, j in layer.blocks:
            whole = layer.only is not None
            cut = (z, dual) if whole else (part(z, i, j), dual[..., i:j])
            _diagonal(k, function, *cut, forms)
        return
    for jet, curved in zip(inputs, node_adjoint(k, layer, inputs, [None, dual]), strict=True):
        if curved[0] is not None and jet.levels[1] is not None:
            for form in forms:
                form.general(curved[0][0, ...], jet.levels[1][0, 0, ...])


def _diagonal(k: Any, function: Activation, z: Jet, dual: Value, forms: Sequence[Form]) -> None:
    second = function.differentiated(2)
    if not second.row.value or z.levels[1] is None:
        return
    weights = (dual * series(k, function, z).function(second, 0))[0, :, 0, ...]
    for form in forms:
        form.diagonal(weights, z.levels[1][0, 0, ...])
