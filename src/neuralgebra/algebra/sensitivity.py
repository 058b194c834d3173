"""How much an error at each place of an elementary network can change its outputs: adjoints of absolute values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neuralgebra.algebra.doubles import magnitudes
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Layer, Multiply, Select
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["Range", "gains", "sensitivities", "slope_of"]

Range = tuple[np.ndarray, np.ndarray]
"""Proven ends of a value, (low, high)."""


def gains(network: Network, ranges: Sequence[Range]) -> dict[int, np.ndarray]:
    """Return how fast the value behind each activation or product changes with its arguments, at most.

    Parameters
    ----------
    network : Network
        An elementary network.
    ranges : sequence of (ndarray, ndarray)
        Proven ends of the values at all places.

    Returns
    -------
    dict of int to ndarray
        For each place of such a layer the absolute values of the partial derivatives: of shape (size,) for activations,
        (2, size) for products.
    """
    found = {}
    for place, node in enumerate(network.nodes, 1):
        given = [ranges[i] for i in node.inputs]
        if isinstance(node.layer, Elementwise):
            found[place] = _slopes(node.layer, *given[0])
        elif isinstance(node.layer, Multiply):
            found[place] = np.array([np.maximum(*map(abs, given[i])) for i in (1, 0)])
    return found


def _slopes(layer: Elementwise, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    k = Balls()
    with k.precision():
        wide = k.interval(low, high)
        slopes = [slope_of(k, f, wide[i]) for i, f in enumerate(functions_of(layer, len(low)))]
        return np.array([ends(abs(s))[1] if s is not None and s.is_finite() else np.inf for s in slopes])


def slope_of(k: Balls, function: Activation, z: Any) -> Any:
    """Return how fast a function changes, as a ball; None where its value may jump."""
    if any(order == 0 and not (z < k.scalar(at) or z > k.scalar(at)) for at, order in function.points(k)):
        return None
    return function.derivative(k, np.array([z]), 1)[0]


def sensitivities(network: Network, gain: Mapping[int, np.ndarray]) -> list[np.ndarray]:
    """Return bounds of |∂output / ∂value| on the box, first order in the errors.

    Parameters
    ----------
    network : Network
        An elementary network.
    gain : mapping of int to ndarray
        What `gains` returns.

    Returns
    -------
    list of ndarray, shape (m, size)
        For each place.
    """
    m = network.output_size
    found = [np.zeros((m, size)) for size in network.sizes]
    found[network.output] = np.eye(m)
    for place in range(len(network.nodes), 0, -1):
        node = network.nodes[place - 1]
        parts = _back(node.layer, found[place], gain.get(place), [network.sizes[i] for i in node.inputs])
        for i, part in zip(node.inputs, parts, strict=True):
            found[i] = found[i] + part
    return found


def _back(layer: Layer, above: np.ndarray, gain: Any, sizes: Sequence[int]) -> list[np.ndarray]:
    """Return the sensitivities that a layer hands to its arguments."""
    match layer:
        case Affine():
            return [above @ magnitudes(layer.weight)]
        case Select():
            return [above @ np.eye(sizes[0])[layer.indices]]
        case Concatenate():
            return np.split(above, np.cumsum(sizes)[:-1], axis=1)
        case Elementwise():
            return [above * gain]
    return [above * one for one in gain]
