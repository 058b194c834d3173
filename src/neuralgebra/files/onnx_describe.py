"""The remark in a model of our own: which network it was written from, and the names of its coordinates.

The remark is JSON. Layers are lists, ["Affine", matrix, bias], that name the constants of the graph which hold their
arrays, so that no number is stored twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, shown
from neuralgebra.files import limits
from neuralgebra.files.matrices import MATRICES, Part, limited
from neuralgebra.files.onnx_graph import Graph
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.builder import Node
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
from neuralgebra.network.linear import Linear
from neuralgebra.network.network import Network

__all__ = ["KEY", "described", "restored"]

KEY = "neuralgebra"

Name = Callable[[np.ndarray], str]
"""Array -> name of the constant that holds it."""
Array = Callable[[str], np.ndarray]
"""Name of a constant -> array."""


def described(network: Network, graph: Graph) -> str:
    """Return the remark on a network whose arrays are constants of a graph.

    Parameters
    ----------
    network : Network
        The network.
    graph : Graph
        The graph that it was written into.

    Returns
    -------
    str
        JSON.

    Raises
    ------
    InputError
        For a name that is no text in UTF-8.
    """
    for name in (*network.input_names, *network.output_names):
        _check_text(name)
    nodes = [[_layer_text(node.layer, graph.constant), list(node.inputs)] for node in network.nodes]
    remark = {
        "input_names": list(network.input_names),
        "output_names": list(network.output_names),
        "input_shape": network.input_shape,
        "output_shape": network.output_shape,
        "size": network.input_size,
        "output": network.output,
        "nodes": nodes,
    }
    return json.dumps(remark, ensure_ascii=False, separators=(",", ":"))


def _check_text(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InputError(
            f"name {shown(name)!r} received, half of a pair of surrogates, which UTF-8 cannot hold.\n"
            "Another name expected; f.rename gives one."
        ) from None


def restored(remark: Mapping[str, Any], array: Array) -> Network:
    """Return the network that a remark describes; any error means that it describes none.

    Parameters
    ----------
    remark : dict
        The remark, as parsed from JSON.
    array : callable
        Name of a constant -> array.

    Returns
    -------
    Network
        The network.
    """
    nodes = [Node(_layer(layer, array), tuple(_integers(inputs))) for layer, inputs in remark["nodes"]]
    if any(not 0 <= i <= place for place, node in enumerate(nodes) for i in node.inputs):
        raise InputError("nodes out of order")
    shapes = [None if (s := remark[key]) is None else tuple(_integers(s)) for key in ("input_shape", "output_shape")]
    return Network(
        nodes,
        _integer(remark["output"]),
        _integer(remark["size"]),
        input_names=_names(remark["input_names"]),
        output_names=_names(remark["output_names"]),
        input_shape=shapes[0],
        output_shape=shapes[1],
    )


def _names(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(v, str) and len(v) <= limits.NAME_LENGTH for v in values):
        raise InputError("a list of names expected")
    return values


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise InputError("an integer expected")
    return value


def _integers(values: Any) -> list[int]:
    return [_integer(v) for v in values]


def _positive(value: Any) -> int:
    if _integer(value) < 1:
        raise InputError("a positive integer expected")
    return int(value)


# Layers -----------------------------------------------------------------------------------------------------------


def _layer_text(layer: Layer, name: Name) -> list[Any]:
    return [type(layer).__name__, *_LAYERS[type(layer).__name__][0](layer, name)]


def _layer(text: list[Any], array: Array) -> Layer:
    made: Layer = _LAYERS[text[0]][1](text[1:], array)
    return made


def _weighted_text(layer: Any, name: Name) -> list[Any]:
    return [_matrix_text(layer.weight, name), None if layer.bias is None else name(layer.bias)]


def _weighted(text: list[Any], array: Array) -> tuple[Linear, np.ndarray | None]:
    weight, bias = text
    return _matrix(weight, array), None if bias is None else array(bias)


def _mixing(text: list[Any], array: Array) -> Mixing:
    function, *weighted = text
    return Mixing(_function(function), *_weighted(weighted, array))


def _elementwise(text: list[Any], array: Array) -> Elementwise:
    return Elementwise(tuple((_function(f), None if n is None else _positive(n)) for f, n in text[0]))


def _multiply(text: list[Any], array: Array) -> Multiply:
    if text[0] is None:
        return Multiply()
    batch, p, q, r = map(_positive, text[0])
    return Multiply((batch, p, q, r))


def _softmax(text: list[Any], array: Array) -> Softmax:
    group, log = text
    return Softmax(None if group is None else _positive(group), log is True)


_LAYERS: Mapping[str, tuple[Callable[[Any, Name], list[Any]], Callable[[list[Any], Array], Layer]]] = {
    "Affine": (_weighted_text, lambda text, array: Affine(*_weighted(text, array))),
    "Concatenate": (lambda layer, name: [], lambda text, array: Concatenate()),
    "Elementwise": (lambda layer, name: [[[_function_text(f), n] for f, n in layer.activations]], _elementwise),
    "Maximum": (lambda layer, name: [name(layer.groups)], lambda text, array: Maximum(array(text[0]))),
    "Mixing": (lambda layer, name: [_function_text(layer.function), *_weighted_text(layer, name)], _mixing),
    "Multiply": (lambda layer, name: [layer.shape], _multiply),
    "PowerProduct": (_weighted_text, lambda text, array: PowerProduct(*_weighted(text, array))),
    "Select": (lambda layer, name: [name(layer.indices)], lambda text, array: Select(array(text[0]))),
    "Softmax": (lambda layer, name: [layer.group, layer.log], _softmax),
}


# Matrices ---------------------------------------------------------------------------------------------------------


def _matrix_text(matrix: Linear, name: Name) -> list[Any]:
    kind = type(matrix).__name__
    return [kind, *(_part_text(getattr(matrix, field), name) for field in MATRICES[kind][1])]


def _part_text(part: Any, name: Name) -> Any:
    if isinstance(part, Linear):
        return _matrix_text(part, name)
    if isinstance(part, tuple):
        return [_matrix_text(matrix, name) for matrix in part]
    return name(part) if isinstance(part, np.ndarray) else part


def _matrix(text: list[Any], array: Array) -> Linear:
    kind, parts = MATRICES[text[0]]
    made = kind(*(_PARTS[part](item, array) for part, item in zip(parts.values(), text[1:], strict=True)))
    return limited(made, "the remark")


_PARTS: Mapping[Part, Callable[[Any, Array], Any]] = {
    "floats": lambda item, array: array(item),
    "integers": lambda item, array: array(item),
    "positive": lambda item, array: _positive(item),
    "matrix": _matrix,
    "matrices": lambda item, array: tuple(_matrix(text, array) for text in item),
}


# Functions --------------------------------------------------------------------------------------------------------


def _function_text(function: Activation) -> list[Any]:
    return [function.name, {name: _number_text(value) for name, value in function.parameters}]


def _function(text: list[Any]) -> Activation:
    name, parameters = text
    return activation(name, **{n: _number(value) for n, value in parameters.items()})


def _number_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_number_text(v) for v in value]
    return str(value) if isinstance(value, Fraction) else value


def _number(value: Any) -> Any:
    """Return a parameter: a number as it stands, a text p/q as a fraction, a list as one for each coordinate."""
    if isinstance(value, list):
        return tuple(_number(v) for v in value)
    if isinstance(value, str):
        numerator, _, denominator = value[:100].partition("/")
        return Fraction(int(numerator), int(denominator or 1))
    if type(value) not in (int, float):
        raise InputError("a number expected")
    return value
