"""Where propagation starts: at the input, or behind the first affine layer, whose derivative is the same everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.network.layers import Affine
from neuralgebra.network.linear import Dense
from neuralgebra.network.network import Network

__all__ = ["first_layer", "start", "tangents"]


def first_layer(network: Network) -> Affine | None:
    """Return the affine layer that alone takes the input, if there is one: it stands at place 1."""
    users = [node for node in network.nodes if 0 in node.inputs]
    layer = users[0].layer if len(users) == 1 and network.output else None
    return layer if isinstance(layer, Affine) else None


def start(k: Any, network: Network, directions: np.ndarray | None = None) -> tuple[int, Value]:
    """Return where derivatives along directions start, place 0 or 1, and level 1 of the jets there, (K, 1, n₁)."""
    return int(first_layer(network) is not None), tangents(k, network, directions)[:, None, :]


def tangents(k: Any, network: Network, directions: np.ndarray | None) -> Value:
    """Return the images of directions under the first layer, or the directions where there is none.

    Parameters
    ----------
    k : Kind
        The kind of number.
    network : Network
        The function.
    directions : ndarray, shape (K, n), optional
        Directions; the unit vectors by default.

    Returns
    -------
    array, shape (K, n₁)
        The same for all points.
    """
    layer = first_layer(network)
    if layer is not None and directions is None and isinstance(layer.weight, Dense):
        return k.permute(k.weight(layer.weight.weight), (1, 0))
    rows = k.weight(np.eye(network.input_size) if directions is None else directions)
    return rows if layer is None else k.linear(layer.weight, rows)
