"""Write a network as ONNX: standard operators only, so that any runtime computes it.

A table says how each kind of layer is written. Weights are stored as they are, bit for bit. The model
also says, as a remark, which network it was written from; see `neuralgebra.files.onnx_origin`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from neuralgebra.errors import UnsupportedError, shown
from neuralgebra.files.onnx_describe import KEY, described
from neuralgebra.files.onnx_expressions import NO_DOUBLE
from neuralgebra.files.onnx_functions import applied
from neuralgebra.files.onnx_graph import Graph
from neuralgebra.files.onnx_matrices import linear, split
from neuralgebra.functions.activation import Activation, activation
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
from neuralgebra.network.linear import Dense
from neuralgebra.network.network import Network

__all__ = ["DEFAULT_OPSET", "OLDEST", "message", "without_kernel", "write"]

DEFAULT_OPSET = 20
OLDEST, NEWEST = 13, int(onnx.defs.onnx_opset_version())

_TYPES = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}


def write(network: Network, dtype: str | None = None, opset: int | None = None) -> bytes:
    """Return a network as an ONNX model with input "x" of shape (N, n) and output "y" of shape (N, m).

    Parameters
    ----------
    network : Network
        The network.
    dtype : {"float32", "float64"}, optional
        Type of all numbers; that of the network by default.
    opset : int, optional
        Version of the operator set, 13 to the newest; 20 by default.

    Returns
    -------
    bytes
        The model; equal networks give equal bytes.

    Raises
    ------
    UnsupportedError
        For another dtype or opset, and for numbers that are too large for the dtype.
    InputError
        For a name that is no text in UTF-8.
    """
    return bytes(message(network, dtype, opset).SerializeToString(deterministic=True))


def message(network: Network, dtype: str | None = None, opset: int | None = None) -> Any:
    """Return a network as an ONNX model, not yet in bytes.

    Parameters
    ----------
    network : Network
        The network.
    dtype : {"float32", "float64"}, optional
        Type of all numbers; that of the network by default.
    opset : int, optional
        Version of the operator set.

    Returns
    -------
    onnx.ModelProto
        The model.

    Raises
    ------
    UnsupportedError
        For another dtype or opset, and for numbers that are too large for the dtype.
    InputError
        For a name that is no text in UTF-8.
    """
    kind, version = _checked(network, dtype, opset)
    graph = Graph(np.dtype(kind), version)
    names = _nodes(graph, network)
    remark = described(network, graph)
    imports = [helper.make_opsetid("", version)]
    model = helper.make_model(
        _graph(graph, network, names[network.output], _TYPES[kind]),
        opset_imports=imports,
        ir_version=helper.find_min_ir_version_for(imports),
        producer_name="neuralgebra",
    )
    helper.set_model_props(model, {KEY: remark})
    return model


def _checked(network: Network, dtype: str | None, opset: int | None) -> tuple[str, int]:
    kind = network.dtype.name if dtype is None else str(np.dtype(dtype).name)
    version = DEFAULT_OPSET if opset is None else opset
    if kind not in _TYPES:
        raise UnsupportedError(f"dtype {shown(kind)} received; float32 or float64 expected.")
    if not OLDEST <= version <= NEWEST:
        raise UnsupportedError(f"opset {shown(version)} received; {OLDEST} to {NEWEST} expected.")
    largest = max((float(np.abs(a).max()) for a in network.arrays if a.size), default=0.0)
    limit = float(np.finfo(kind).max)
    if largest > limit:
        raise UnsupportedError(f"numbers up to {largest:g} received; {kind} holds them only up to {limit:g}.")
    return kind, version


def _nodes(graph: Graph, network: Network) -> list[str]:
    """Write all nodes; return the name of the value at each place."""
    names = ["x"]
    for node in network.nodes:
        sizes = [network.sizes[i] for i in node.inputs]
        names.append(_layer(graph, node.layer, [names[i] for i in node.inputs], sizes))
    return names


def _graph(graph: Graph, network: Network, last: str, kind: int) -> Any:
    """Return the message of the graph, its output renamed to y."""
    if last == "x":
        last = graph.node("Identity", "x")
    for node in graph.nodes:
        for names in (node.input, node.output):
            names[:] = ["y" if name == last else name for name in names]
    return helper.make_graph(
        graph.nodes,
        "network",
        [helper.make_tensor_value_info("x", kind, ["N", network.input_size])],
        [helper.make_tensor_value_info("y", kind, ["N", network.output_size])],
        graph.initializers(),
    )


# Layers -----------------------------------------------------------------------------------------------------------

Writer = Callable[[Graph, Any, list[str], list[int]], str]
"""(graph, layer, names of inputs, sizes of inputs) -> name of the output."""


def _layer(graph: Graph, layer: Layer, inputs: list[str], sizes: list[int]) -> str:
    return LAYERS[type(layer)](graph, layer, inputs, sizes)


def _affine(graph: Graph, layer: Any, inputs: list[str], sizes: list[int]) -> str:
    """Write W x + b; a full matrix is one Gemm."""
    (x,) = inputs
    if isinstance(layer.weight, Dense):
        bias = () if layer.bias is None else (graph.constant(layer.bias),)
        return graph.node("Gemm", x, graph.constant(layer.weight.weight), *bias, transB=1)
    y = linear(graph, layer.weight, x)
    return y if layer.bias is None else graph.node("Add", y, graph.constant(layer.bias))


def _elementwise(graph: Graph, layer: Elementwise, inputs: list[str], sizes: list[int]) -> str:
    (x,) = inputs
    if layer.only is not None:
        return applied(graph, layer.only, x)
    parts = split(graph, x, [int(n or 0) for _, n in layer.activations])
    values = [applied(graph, function, part) for (function, _), part in zip(layer.activations, parts, strict=True)]
    return graph.node("Concat", *values, axis=1)


def _multiply(graph: Graph, layer: Multiply, inputs: list[str], sizes: list[int]) -> str:
    if layer.shape is None:
        return graph.node("Mul", *inputs)
    batch, p, q, r = layer.shape
    u, v = graph.reshaped(inputs[0], batch, p, q), graph.reshaped(inputs[1], batch, q, r)
    return graph.reshaped(graph.node("MatMul", u, v), batch * p * r)


def _maximum(graph: Graph, layer: Maximum, inputs: list[str], sizes: list[int]) -> str:
    groups = graph.node("Gather", inputs[0], graph.constant(layer.groups), axis=1)
    if graph.opset < 18:
        return graph.node("ReduceMax", groups, axes=[2], keepdims=0)
    return graph.node("ReduceMax", groups, graph.constant(np.array([2])), keepdims=0)


def _softmax(graph: Graph, layer: Softmax, inputs: list[str], sizes: list[int]) -> str:
    op = "LogSoftmax" if layer.log else "Softmax"
    if layer.group is None:
        return graph.node(op, inputs[0], axis=-1)
    groups = graph.reshaped(inputs[0], sizes[0] // layer.group, layer.group)
    return graph.reshaped(graph.node(op, groups, axis=-1), sizes[0])


def _mixing(graph: Graph, layer: Any, inputs: list[str], sizes: list[int]) -> str:
    product = isinstance(layer, PowerProduct)
    inverse = activation("log") if product else layer.inverse
    function = activation("exp") if product else layer.function
    inner = applied(graph, inverse, inputs[0])
    return applied(graph, function, _affine(graph, layer, [inner], sizes))


def _concatenate(graph: Graph, layer: Concatenate, inputs: list[str], sizes: list[int]) -> str:
    return graph.node("Concat", *inputs, axis=1)


def _select(graph: Graph, layer: Select, inputs: list[str], sizes: list[int]) -> str:
    return graph.node("Gather", inputs[0], graph.constant(layer.indices), axis=1)


LAYERS: Mapping[type[Layer], Writer] = {
    Affine: _affine,
    Concatenate: _concatenate,
    Elementwise: _elementwise,
    Maximum: _maximum,
    Mixing: _mixing,
    Multiply: _multiply,
    PowerProduct: _mixing,
    Select: _select,
    Softmax: _softmax,
}

# What runs where --------------------------------------------------------------------------------------------------


def without_kernel(network: Network, dtype: str | None = None, opset: int | None = None) -> list[str]:
    """Return the functions of a network that onnxruntime cannot compute in a dtype; none for float32.

    Parameters
    ----------
    network : Network
        The network.
    dtype : {"float32", "float64"}, optional
        Type of all numbers; that of the network by default.
    opset : int, optional
        Version of the operator set.

    Returns
    -------
    list of str
        Names of functions of the catalogue, sorted; such a model runs in float32, and in onnx's own evaluator.

    Raises
    ------
    UnsupportedError
        For another dtype or opset.
    """
    kind, version = _checked(network, dtype, opset)
    if kind == "float32":
        return []
    layers = [node.layer for node in network.nodes]
    functions = set(itertools.chain.from_iterable(map(_functions, layers)))
    return sorted({f.name for f in functions if _operators(f, version) & NO_DOUBLE})


def _functions(layer: Layer) -> list[Activation]:
    if isinstance(layer, Elementwise):
        return [function for function, _ in layer.activations]
    return [layer.function, layer.inverse] if isinstance(layer, Mixing) else []


def _operators(function: Activation, opset: int) -> set[str]:
    graph = Graph(np.dtype(np.float64), opset)
    applied(graph, function, "x")
    return {node.op_type for node in graph.nodes}
