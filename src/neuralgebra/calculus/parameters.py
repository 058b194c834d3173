"""Derivatives by the weights, of values and of derivatives by the inputs, in closed form.

A jet carries the coefficients a_α of f at a point, and every target is linear in them. With the adjoints z̄_α of the
coefficients of z = W x + b the derivative of Σ ⟨w, targets⟩ is, for every set of coefficients::

    by W:  Σ_α z̄_α x_αᵀ        by b:  z̄_0

summed over the places that share an array. One pass forward, one pass back: no derivative by the inputs is made
explicit, none is made by difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.adjoint import Dual, adjoint
from neuralgebra.calculus.jet import Jet, total
from neuralgebra.calculus.limits import refuse_long
from neuralgebra.calculus.origin import first_layer
from neuralgebra.calculus.propagate import Jets
from neuralgebra.calculus.run import accept, added, evaluate
from neuralgebra.calculus.targets import Targets, wanted
from neuralgebra.errors import ShapeError
from neuralgebra.network.bound import parameters
from neuralgebra.network.network import Network

__all__ = ["gradient_rows", "linearised", "parameter_jacobian", "parameter_vjp", "target_values"]

Gradient = Callable[[Any, Any, Jet, Dual], Iterator[tuple[np.ndarray, Value]]]
"""(kind, layer, argument, adjoint of the result) -> each array of the layer with the derivative by it."""


def parameter_vjp(network: Network, x: Any, w: Any, targets: Any = "value", *, dtype: Any = None) -> dict[str, Value]:
    """Return the gradient of Σ w·T by the weights, for targets T: values and derivatives of f.

    G = Σ_points Σ_ti w_ti ∂T_ti/∂θ

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    w : array_like, shape (..., t, m) or (t, m)
        Weights of the t targets of each output, one set for each point or the same for all. Of a single target the
        axis t may be left out.
    targets : str, multi-index or list of them
        "value", "jacobian" (n targets), "hessian" (n², row by row), "laplacian", or a multi-index α for ∂^α f: one
        order for each input, (2, 0); {"x": 2}; the name of an input. Those of a list stand one after another.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    dict of str to array
        By the names of `parameters`, each of the shape of its array, summed over all points. Beyond these, memory
        does not grow with the number of points.

    Raises
    ------
    ShapeError
        When w does not fit.
    UsageError
        For a target that is none.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[3]], None)], "exp")
    >>> f.parameter_vjp([0, 0], [1])
    {'1.weight': array([[0., 0.]]), '3.weight': array([[1.]])}
    >>> f.parameter_vjp([0, 0], [1], "laplacian")
    {'1.weight': array([[ 6., 12.]]), '3.weight': array([[5.]])}
    """
    goal = wanted(network, targets)
    k, x = accept(network, x, dtype)
    refuse_long(network, goal.indices.order, k.double)
    weights, count = _weights(k, x, w, (goal.count, network.output_size)), math.prod(x.shape[:-1])

    def compute(k: Any, points: Value, w: Value) -> list[Value]:
        return linearised(network, k, points, goal)[1](w)

    flat = [k.reshape(a, (count, *a.shape[len(x.shape) - 1 :])) for a in (x, weights)]
    gradients = added(network, k, compute, *flat, key=("parameter_vjp", goal))
    return dict(zip(parameters(network), gradients, strict=True))


def _weights(k: Any, x: Value, w: Any, shape: tuple[int, int]) -> Value:
    """Return weights of the targets as one set for each point."""
    weights, batch = k.like(w), tuple(x.shape[:-1])
    given = tuple(weights.shape)
    if shape[0] == 1 and given in (shape[1:], (*batch, shape[1])):
        weights = weights[..., None, :]
    elif given not in (shape, (*batch, *shape)):
        raise ShapeError(f"w of shape {given} received; {shape} or {(*batch, *shape)} expected.")
    return k.broadcast(weights, (*batch, *shape))


def parameter_jacobian(network: Network, x: Any, targets: Any = "value", *, dtype: Any = None) -> Value:
    """Return the derivatives of targets by the weights, J_tip = ∂T_ti/∂θ_p, at each point.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    targets : str, multi-index or list of them
        "value", "jacobian" (n targets), "hessian" (n², row by row), "laplacian", or a multi-index α for ∂^α f: one
        order for each input, (2, 0); {"x": 2}; the name of an input. Those of a list stand one after another.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., t, m, P)
        For t targets of m outputs. The P numbers are those of `parameters`, each array flattened, row-major.

    Raises
    ------
    UsageError
        For a target that is none.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[3]], None)], "exp")
    >>> f.parameter_jacobian([0, 0], ["value", "laplacian"])
    array([[[ 0.,  0.,  1.]],
    <BLANKLINE>
           [[ 6., 12.,  5.]]])
    """
    asked = wanted(network, targets)
    distinct = tuple(dict.fromkeys(asked.sums))
    goal = asked.part(distinct)
    k, x = accept(network, x, dtype)
    refuse_long(network, asked.indices.order, k.double)
    m = network.output_size
    numbers = sum(a.size for a in network.arrays)

    def compute(k: Any, points: Value) -> list[Value]:
        _, parts = gradient_rows(network, k, points, goal)
        shape = points.shape[0], len(distinct) * m
        flat = [k.reshape(p, (*p.shape[:2], a.size)) for p, a in zip(parts, network.arrays, strict=True)]
        return [k.concat([k.zeros((*shape, 0)), *(k.broadcast(p, (*shape, p.shape[-1])) for p in flat)], -1)]

    (result,) = evaluate(network, k, x, compute, key=("parameter_jacobian", goal))
    result = k.reshape(result, (*x.shape[:-1], len(distinct), m, numbers))
    places = np.array([distinct.index(s) for s in asked.sums])
    return result if distinct == asked.sums else k.take(result, places, len(x.shape) - 1)


def gradient_rows(
    network: Network, k: Any, x: Value, targets: Targets, directions: Value | None = None
) -> tuple[Value, list[Value]]:
    """Return targets, and their derivatives by each array of the network at each point.

    Parameters
    ----------
    network : Network
        f.
    k : Kind
        The kind of the points; its weights may have values of their own.
    x : array, shape (N, n)
        Points.
    targets : Targets
        What is wanted.
    directions : array, shape (N, d, n), optional
        As for `linearised`.

    Returns
    -------
    array, shape (N, t, m)
        The targets T.
    list of array, shape (N, t·m, *shape)
        The derivatives by each array, N or t·m perhaps 1 where they are the same.
    """
    seeds, m = targets.count * network.output_size, network.output_size
    unit = k.weight(np.eye(seeds).reshape(seeds, 1, targets.count, m))
    jets = _jets(k, network, x, targets, directions)
    known = _gradients(k, jets, targets.seeds(k, k.permute(unit, (0, 1, 3, 2))), _each)
    output: Any = jets.jets[network.output]
    values = k.permute(targets.read(k, output)[0, ...], (0, 2, 1))
    return values, [known[id(a)] if id(a) in known else k.zeros((1, 1, *a.shape)) for a in network.arrays]


def target_values(network: Network, k: Any, x: Value, targets: Targets, directions: Value | None = None) -> Value:
    """Return targets, (S, N, t, m), for the S members of an ensemble, or S = 1: as for `linearised`."""
    jets = _jets(k, network, x, targets, directions)
    output: Any = jets.jets[network.output]
    return k.permute(targets.read(k, output), (0, 1, 3, 2))


def linearised(
    network: Network, k: Any, x: Value, targets: Targets, directions: Value | None = None
) -> tuple[Value, Callable[[Value], list[Value]]]:
    """Return targets, and the map from their adjoints to the gradient by the weights: one pass forward for both.

    Parameters
    ----------
    network : Network
        f.
    k : Kind
        The kind of the points; its weights may have values of their own.
    x : array, shape (N, n)
        Points.
    targets : Targets
        What is wanted.
    directions : array, shape (N, d, n), optional
        The variables of the targets are the parameters of x + Σ_i t_i v_i, for d directions of each point; by default
        they are the inputs.

    Returns
    -------
    array, shape (N, t, m)
        The targets T.
    callable
        w, shape (N, t, m) -> the gradients of Σ w·T, one for each array of the network, summed over the points.
    """
    jets = _jets(k, network, x, targets, directions)

    def pull(w: Value) -> list[Value]:
        seeds = targets.seeds(k, k.permute(w, (0, 2, 1))[None, ...])
        known = _gradients(k, jets, seeds, _summed)
        return [known[id(a)] if id(a) in known else k.zeros(a.shape) for a in network.arrays]

    output: Any = jets.jets[network.output]
    return k.permute(targets.read(k, output)[0, ...], (0, 2, 1)), pull


def _jets(k: Any, network: Network, x: Value, targets: Targets, directions: Value | None = None) -> Jets:
    """Return the jets at all places, (K_l, 1, N, n): the axis of length 1 is that of seeds."""
    indices, levels = targets.indices, [x[None, None, ...]]
    if indices.order and directions is None:
        levels.append(k.weight(indices.seeds(network.input_size))[:, None, None, :])
    elif indices.order:
        along = np.argmax(indices.seeds(targets.variables), axis=1)
        levels.append(k.permute(k.take(directions, along, 1), (1, 0, 2))[:, None, ...])
    jets = Jets(k, network, Jet(indices, [*levels, *[None] * (indices.order - 1)]))
    jets.run(indices.order, keep=True)
    return jets


def _gradients(k: Any, jets: Jets, seeds: Dual, gradient: Gradient) -> dict[int, Value]:
    """Return the derivatives by the arrays, by their identity; what is missing is zero."""
    known: dict[int, Value] = {}

    def visit(layer: Any, x: Jet, dual: Dual) -> None:
        for array, part in gradient(k, layer, x, dual):
            known[id(array)] = total([known.get(id(array)), part])

    first = first_layer(jets.network)
    duals = adjoint(k, jets, seeds, int(first is not None), visit)
    if first is not None:  # the adjoint of the input itself is not asked for
        visit(first, jets.inputs(1)[0], duals[1])
    return known


def _pairs(x: Jet, dual: Dual) -> list[tuple[Value, Value]]:
    """Return the levels of argument and adjoint where neither is zero."""
    return [(u, w) for u, w in zip(x.levels, dual, strict=True) if u is not None and w is not None]


def _summed(k: Any, layer: Any, x: Jet, dual: Dual) -> Iterator[tuple[np.ndarray, Value]]:
    """Yield derivatives summed over the points."""
    for u, w in _pairs(x, dual):
        yield from zip(layer.weight.arrays, layer.weight.gradient(k, *_samples(k, u, w)), strict=True)
    if layer.bias is not None and dual[0] is not None:
        yield layer.bias, k.total(_flat(k, dual[0]), 0)


def _samples(k: Any, u: Value, w: Value) -> tuple[Value, Value]:
    """Return one level of argument and adjoint as samples; what all points share is paired with a sum over them."""
    if u.shape[2] < w.shape[2]:
        w = k.total(w, 2)
    elif w.shape[2] < u.shape[2]:
        u = k.total(u, 2)
    return _flat(k, u), _flat(k, w)


def _flat(k: Any, x: Value) -> Value:
    return k.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _each(k: Any, layer: Any, x: Jet, dual: Dual) -> Iterator[tuple[np.ndarray, Value]]:
    """Yield derivatives for each point and seed, (N, S, ...), N perhaps 1."""
    pairs = _pairs(x, dual)
    if pairs:
        u, w = (_beside(k, levels) for levels in zip(*pairs, strict=True))
        lead = (max(u.shape[0], w.shape[0]), w.shape[1])
        full = [k.broadcast(a, (*lead, *a.shape[2:])) for a in (u, w)]
        yield from zip(layer.weight.arrays, layer.weight.gradient(k, *full), strict=True)
    if layer.bias is not None and dual[0] is not None:
        yield layer.bias, k.permute(dual[0][0, ...], (1, 0, 2))


def _beside(k: Any, levels: tuple[Value, ...]) -> Value:
    """Return levels (K_l, S, N, n) as samples of each point and seed, (N, S, ΣK_l, n)."""
    points = max(a.shape[2] for a in levels)
    full = [k.broadcast(a, (*a.shape[:2], points, a.shape[3])) for a in levels]
    return k.permute(k.concat(full, 0) if len(full) > 1 else full[0], (2, 1, 0, 3))
