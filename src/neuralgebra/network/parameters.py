"""The arrays of a network by name, and networks with other numbers in the same structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, ShapeError, shown
from neuralgebra.network.builder import Node
from neuralgebra.network.layers import Layer
from neuralgebra.network.linear import Linear, attributes, frozen, restored
from neuralgebra.network.network import Network

__all__ = ["by_name", "check_names", "check_shape", "exchanged", "hollow", "names"]


def by_name(network: Network) -> dict[str, np.ndarray]:
    """Return the arrays of numbers by name, in their order."""
    return dict(zip(names(network), network.arrays, strict=True))


def names(network: Network) -> tuple[str, ...]:
    """Return the name of each array of a network, in their order; remembered by the network."""
    if "names" not in network.memory:
        found: dict[int, str] = {}
        for place, node in enumerate(network.nodes, 1):
            for name, array in _named(node.layer):
                found.setdefault(id(array), f"{place}.{name}")
        network.memory["names"] = tuple(found[id(a)] for a in network.arrays)
    return network.memory["names"]  # type: ignore[no-any-return]


def _named(layer: Any) -> list[tuple[str, np.ndarray]]:
    """Return the arrays of a layer by role."""
    if not layer.arrays:
        return []
    inner = layer.weight.arrays
    several = len(inner) > 1
    roles = [f"weight.{i}" if several else "weight" for i in range(len(inner))]
    return list(zip([*roles, "bias"], layer.arrays, strict=False))


def check_names(network: Network, given: Mapping[str, Any]) -> None:
    """Raise InputError for a name that no array has."""
    known = names(network)
    strange = [name for name in given if name not in known]
    if strange:
        raise InputError(
            f"a parameter named {shown(repr(strange[0]))} received; one of {shown(', '.join(known), 300)} expected."
        )


def check_shape(name: str, shape: tuple[int, ...], array: np.ndarray) -> None:
    """Raise ShapeError unless a value has the shape of the array that it replaces."""
    if tuple(shape) != array.shape:
        raise ShapeError(f"{name} of shape {tuple(shape)} received; {array.shape} expected.")


def exchanged(network: Network, arrays: Mapping[str, np.ndarray]) -> Network:
    """Return a network with other numbers in the same structure.

    Parameters
    ----------
    network : Network
        f.
    arrays : mapping of str to ndarray
        Arrays by name; integers take the dtype of the array they replace.

    Returns
    -------
    Network
        Its nodes stand at the same places, also where their numbers make them equal to others or to the identity.
    """
    known = by_name(network)
    given = {name: _value(name, value, known[name]) for name, value in arrays.items()}
    new: dict[int, np.ndarray] = {}
    taken: set[int] = set()
    for name, old in known.items():
        array = given.get(name, old)
        if id(array) in taken:  # of two parameters that received one array, each stays one of its own
            array = frozen(array.copy())
        taken.add(id(array))
        new[id(old)] = array
    return _renewed(network, new)


def hollow(network: Network) -> Network:
    """Return the structure with NaN for every number, remembered by the network.

    It stands for a network whose numbers are elsewhere: what does not look there gives NaN, not a wrong number.
    """
    if "hollow" not in network.memory:
        nothing = {id(a): np.broadcast_to(np.nan, a.shape) for a in network.arrays}
        network.memory["hollow"] = _renewed(network, nothing)
    return network.memory["hollow"]  # type: ignore[no-any-return]


def _renewed(network: Network, arrays: Mapping[int, np.ndarray]) -> Network:
    return network.altered(nodes=tuple(Node(_with(node.layer, arrays), node.inputs) for node in network.nodes))


def _value(name: str, value: np.ndarray, old: np.ndarray) -> np.ndarray:
    check_shape(name, value.shape, old)
    return frozen(value.astype(old.dtype) if value.dtype.kind in "iub" else value, name)


def _with(thing: Any, arrays: Mapping[int, np.ndarray]) -> Any:
    """Return a layer, a matrix or a part of one with arrays exchanged, by their identity."""
    if isinstance(thing, np.ndarray):
        return arrays.get(id(thing), thing)
    if isinstance(thing, tuple):
        return tuple(_with(part, arrays) for part in thing)
    if isinstance(thing, Layer | Linear) and thing.arrays:
        return _copy(thing, arrays)
    return thing


def _copy(thing: Layer | Linear, arrays: Mapping[int, np.ndarray]) -> Any:
    """Return a layer or a matrix with arrays exchanged, without what was computed from the old ones."""
    return restored(type(thing), {n: _with(v, arrays) for n, v in attributes(thing).items()})
