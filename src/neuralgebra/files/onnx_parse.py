"""The bytes of an ONNX file as a message whose tensors lie in it: nothing else is ever opened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
from onnx import numpy_helper

from neuralgebra.errors import LoadError, UnsupportedError, shown
from neuralgebra.files import limits

__all__ = ["NEWEST", "OLDEST", "array", "attribute", "opsets", "parsed"]

OLDEST, NEWEST = 7, int(onnx.defs.onnx_opset_version())

_FLOATS = {onnx.TensorProto.FLOAT: np.float32, onnx.TensorProto.DOUBLE: np.float64}
_NARROW = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
_INTEGERS = {
    onnx.TensorProto.INT32: np.int32,
    onnx.TensorProto.INT64: np.int64,
    onnx.TensorProto.BOOL: np.bool_,
    onnx.TensorProto.UINT8: np.uint8,
    onnx.TensorProto.INT8: np.int8,
}


def parsed(data: bytes, where: str) -> Any:
    """Return the message that the bytes of a file hold.

    Parameters
    ----------
    data : bytes
        The whole file.
    where : str
        Its name, for messages.

    Returns
    -------
    onnx.ModelProto
        The model; no tensor of it refers to another file.

    Raises
    ------
    LoadError
        For bytes that are no ONNX model, and for tensors that lie in other files.
    ResourceError
        For a model of too many nodes.
    """
    if not data:
        raise LoadError(f"{shown(where)} is empty; an ONNX model expected.")
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError, RecursionError):
        raise LoadError(_no_model(data, where)) from None
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise LoadError(_no_model(data, where))
    _check_texts(model, where)
    _check_tensors(model, where)
    return model


def _check_texts(model: Any, where: str) -> None:
    """Refuse names that are not UTF-8, which protobuf hands out as bytes."""
    graph = model.graph
    values = (*graph.initializer, *graph.input, *graph.output, *_attributes(graph), *graph.node)
    names = [
        *(v.name for v in values),
        *(name for node in graph.node for name in (*node.input, *node.output, node.op_type, node.domain)),
        *(o.domain for o in model.opset_import),
    ]
    if not all(isinstance(name, str) for name in names):
        raise LoadError(f"{shown(where)}: names that are not UTF-8 received; the file is damaged.")


def _no_model(data: bytes, where: str) -> str:
    return (
        f"{shown(where)}: {len(data)} bytes received that are no ONNX model, or only part of one.\n"
        "Write or download the file again."
    )


def _check_tensors(model: Any, where: str) -> None:
    """Refuse tensors whose numbers lie in other files, wherever they stand, and graphs that are too large."""
    graphs = [model.graph, *(step.algorithm for step in model.training_info), *model.functions]
    graphs += [step.initialization for step in model.training_info]
    nodes = 0
    while graphs:
        graph = graphs.pop()
        nodes += len(graph.node)
        limits.check("NODES", nodes, f"{shown(where)}: nodes")
        for tensor in _tensors(graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
                raise LoadError(_external(tensor, where))
        graphs.extend(inner for a in _attributes(graph) for inner in (a.g, *a.graphs) if len(inner.node))


def _attributes(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield from node.attribute
    yield from getattr(graph, "attribute_proto", ())


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor of a graph or function, those inside attributes included, subgraphs not."""
    yield from getattr(graph, "initializer", ())
    yield from _parts(getattr(graph, "sparse_initializer", ()))
    for a in _attributes(graph):
        yield a.t
        yield from a.tensors
        yield from _parts((a.sparse_tensor, *a.sparse_tensors))
        for inner in (a.g, *a.graphs):  # subgraphs without nodes still hold tensors
            if not inner.node:
                yield from inner.initializer
                yield from _parts(inner.sparse_initializer)


def _parts(sparse: Iterable[Any]) -> Iterator[Any]:
    for tensor in sparse:
        yield tensor.values
        yield tensor.indices


def _external(tensor: Any, where: str) -> str:
    places = [entry.value for entry in tensor.external_data if entry.key == "location"]
    return (
        f"{shown(where)}: the numbers of tensor {shown(tensor.name)!r} lie in another file, "
        f"{shown(places[0] if places else '')!r}.\nA model in one file expected; other files are never opened.\n"
        "Save it with the weights inside: onnx.save(onnx.load(path), new_path)."
    )


def array(tensor: Any) -> np.ndarray:
    """Return the numbers of a tensor message; float16 and bfloat16 are widened to float32, which is exact.

    Parameters
    ----------
    tensor : onnx.TensorProto
        The message.

    Returns
    -------
    ndarray
        Its numbers.

    Raises
    ------
    LoadError
        When they do not fill the shape.
    UnsupportedError
        For types other than floating numbers, integers and truth values.
    """
    name, kind = shown(tensor.name), tensor.data_type
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise LoadError(_external(tensor, "tensor"))
    if kind not in {**_FLOATS, **_INTEGERS} and kind not in _NARROW:
        raise UnsupportedError(
            f"tensor {name!r} of data type {_type_name(kind)} received; floating numbers, or integers for shapes, "
            "expected."
        )
    _check_extent(tensor)
    try:
        result = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise LoadError(f"tensor {name!r} of shape {shown(list(tensor.dims))} is damaged: {shown(error)}") from None
    return np.asarray(result, np.float32 if kind in _NARROW else None)


def _type_name(kind: int) -> str:
    return str(onnx.TensorProto.DataType.Name(kind)) if kind in onnx.TensorProto.DataType.values() else str(kind)


_BYTES = {**{k: np.dtype(v).itemsize for k, v in {**_FLOATS, **_INTEGERS}.items()}, **dict.fromkeys(_NARROW, 2)}


def _check_extent(tensor: Any) -> None:
    """Refuse a tensor whose numbers do not fill its shape, before anything is allocated."""
    dims = list(tensor.dims)
    size = math.prod(dims)
    if min(dims, default=0) < 0:
        raise LoadError(f"tensor {shown(tensor.name)!r} of shape {shown(dims)} received; lengths from 0 up expected.")
    stored = len(tensor.raw_data) // _BYTES[tensor.data_type] if tensor.HasField("raw_data") else _listed(tensor)
    whole = not tensor.HasField("raw_data") or len(tensor.raw_data) % _BYTES[tensor.data_type] == 0
    if stored != size or not whole:
        raise LoadError(
            f"tensor {shown(tensor.name)!r} holds {stored} numbers; {size} expected for shape {shown(dims)}."
        )


def _listed(tensor: Any) -> int:
    return max(len(tensor.float_data), len(tensor.double_data), len(tensor.int32_data), len(tensor.int64_data))


def attribute(message: Any) -> Any:
    """Return the content of an attribute: a number, a text, an array, a list of these, or None for anything else."""
    kinds = onnx.AttributeProto
    match message.type:
        case kinds.FLOAT:
            return message.f
        case kinds.INT:
            return message.i
        case kinds.STRING:
            return message.s.decode("utf-8", "backslashreplace")
        case kinds.TENSOR:
            return array(message.t)
        case kinds.FLOATS:
            return list(message.floats)
        case kinds.INTS:
            return list(message.ints)
    return None


def opsets(model: Any, where: str) -> dict[str, int]:
    """Return the version of each operator set; that of the standard one must be known to us."""
    given = [("" if o.domain == "ai.onnx" else o.domain, o.version) for o in model.opset_import]
    versions = dict(given)
    if len(versions) < len(given):
        raise LoadError(f"{shown(where)}: the version of an operator set received twice; once expected.")
    if "" not in versions:
        raise LoadError(f"{shown(where)}: no version of the operator set received; {OLDEST} to {NEWEST} expected.")
    if not OLDEST <= versions[""] <= NEWEST:
        raise UnsupportedError(
            f"{shown(where)}: operator set {versions['']} received; {OLDEST} to {NEWEST} expected.\n"
            "onnx.version_converter converts between them."
        )
    return versions
