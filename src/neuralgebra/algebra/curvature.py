"""Convexity on boxes, proven by how the units bend.

With λ the adjoint of the value behind a unit and J the Jacobian of its argument, the second derivative of a network
without products is a sum over its units::

    H = Σ λ σ''(z) Jᵀ J           at a kink of σ, where its slope jumps by δ, λ δ Jᵀ J on the surface z = kink

which is positive where all λ σ'' and λ δ are, whatever J is.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from neuralgebra.algebra.relaxation import Relaxation
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Layer, Multiply, Select
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["bends_upwards", "breaks", "broken", "kinked"]

_K = Intervals()
_FLOATS = Arrays(np.zeros(1))


def breaks(network: Network) -> bool:
    """Return whether some unit of an elementary network jumps somewhere, or is not defined everywhere."""
    functions = [f for node in network.nodes if isinstance(node.layer, Elementwise) for f, _ in node.layer.activations]
    return any(f.row.domain != (-np.inf, np.inf) or _jumps(f) for f in functions)


def _jumps(function: Activation) -> bool:
    return any(order == 0 for f in functions_of(Elementwise(function), 1) for _, order in f.points(_FLOATS))


def broken(relaxation: Relaxation) -> np.ndarray:
    """Return on which boxes a unit may jump or not be defined, (boxes,): there slopes prove nothing."""
    return kinked(relaxation, 0) | ~relaxation.defined


def kinked(relaxation: Relaxation, order: int) -> np.ndarray:
    """Return on which boxes the argument of a unit may be at a kink of some order, or of a lower one, (boxes,)."""
    found = np.zeros(relaxation.boxes, dtype=bool)
    for node in relaxation.network.nodes:
        if isinstance(node.layer, Elementwise):
            low, high = relaxation.ranges[node.inputs[0]]
            for unit, function in enumerate(functions_of(node.layer, low.shape[1])):
                for place, jump in function.points(_FLOATS):
                    if jump <= order:
                        found |= (low[:, unit] <= place) & (high[:, unit] >= place)
    return found


def bends_upwards(relaxation: Relaxation, output: int, sign: int) -> np.ndarray:
    """Return on which boxes every unit makes sign times an output bend upwards, or not at all.

    Parameters
    ----------
    relaxation : Relaxation
        An elementary network on boxes.
    output : int
        Which output.
    sign : {1, -1}
        -1 for concave.

    Returns
    -------
    ndarray of bool, shape (boxes,)
        Whether it is proven.
    """
    network = relaxation.network
    adjoints: dict[int, Interval] = {}
    row = np.zeros((relaxation.boxes, network.output_size))
    row[:, output] = sign
    adjoints[network.output] = Interval(row)
    fine = relaxation.defined.copy()
    for place in range(len(network.nodes), 0, -1):
        if place not in adjoints:
            continue
        node, adjoint = network.nodes[place - 1], adjoints.pop(place)
        given = [Interval(*relaxation.ranges[i]) for i in node.inputs]
        fine &= _bends(node.layer, adjoint, given)
        for i, part in zip(node.inputs, _back(node.layer, adjoint, given), strict=True):
            adjoints[i] = adjoints[i] + part if i in adjoints else part
    return fine


def _bends(layer: Layer, adjoint: Interval, given: Sequence[Interval]) -> np.ndarray:
    """Return on which boxes a layer bends upwards."""
    if isinstance(layer, Elementwise):
        units = enumerate(functions_of(layer, adjoint.shape[1]))
        parts = [_unit_bends(function, adjoint[:, i], given[0][:, i]) for i, function in units]
        return np.asarray(np.logical_and.reduce(parts))
    if isinstance(layer, Multiply):  # straight only where it does not count, or a factor is a constant
        idle = (adjoint.low == 0) & (adjoint.high == 0)
        return np.asarray((idle | (given[0].low == given[0].high) | (given[1].low == given[1].high)).all(axis=1))
    return np.ones(adjoint.shape[0], dtype=bool)


def _unit_bends(function: Activation, adjoint: Interval, z: Interval) -> np.ndarray:
    """Return on which boxes λ σ'' and all λ δ are not below 0."""
    fine = (adjoint * function.derivative(_K, z, 2)).low >= 0
    for place, order in function.points(_FLOATS):
        inside = (z.low <= place) & (z.high >= place)
        idle = (adjoint.low == 0) & (adjoint.high == 0)
        fine &= ~inside | idle | (order > 1) | ((order == 1) & ((adjoint * _jump(function, place)).low >= 0))
    return np.asarray(fine)


def _jump(function: Activation, place: float) -> Interval:
    """Return by how much the slope jumps."""
    sides = np.array([np.nextafter(place, -np.inf), np.nextafter(place, np.inf)])
    slopes = function.derivative(_K, Interval(sides), 1)
    found: Interval = slopes[1] - slopes[0]
    return found


def _back(layer: Layer, adjoint: Interval, given: Sequence[Interval]) -> list[Interval]:
    """Return the adjoints of the arguments of a layer."""
    match layer:
        case Affine():
            return [_K.rlinear(layer.weight, adjoint)]
        case Select():
            spread = np.zeros((given[0].shape[1], len(layer.indices)))
            spread[layer.indices, np.arange(len(layer.indices))] = 1.0
            return [_K.matvec(spread, adjoint)]
        case Concatenate():
            cuts = np.cumsum([0, *(g.shape[1] for g in given)])
            return [adjoint[:, i:j] for i, j in itertools.pairwise(cuts)]
        case Elementwise():
            units = enumerate(functions_of(layer, adjoint.shape[1]))
            slopes = [function.derivative(_K, given[0][:, i : i + 1], 1) for i, function in units]
            return [adjoint * _K.concat(slopes, 1)]
    return [adjoint * given[1], adjoint * given[0]]
