"""Recognise a model of our own: the remark in it is believed only as far as it can be checked."""

from __future__ import annotations

import json
import math
from typing import Any

from neuralgebra.errors import NeuralgebraError
from neuralgebra.files import limits, onnx_parse
from neuralgebra.files.onnx_describe import KEY, restored
from neuralgebra.files.onnx_write import message
from neuralgebra.network.network import Network

__all__ = ["names_of", "origin"]

_TYPES = {1: "float32", 11: "float64"}


def origin(model: Any) -> Network | None:
    """Return the network that a model was written from, or None.

    The remark of the model is believed only if writing the network that it describes gives the very graph of the
    model, so that a model edited by hand, or one that lies, is never misread.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.

    Returns
    -------
    Network or None
        The network.
    """
    remark = _remark(model)
    if remark is None or not _inputs_agree(model, remark.get("size")):
        return None
    try:
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        network = restored(remark, lambda name: onnx_parse.array(constants[name]))
        kind = _TYPES[model.graph.input[0].type.tensor_type.elem_type]
        again = message(network, kind, model.opset_import[0].version)
    except (NeuralgebraError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError):
        return None
    same = again.graph == model.graph and list(again.opset_import) == list(model.opset_import)
    return network if same and not model.functions else None


def names_of(model: Any, inputs: int, outputs: int) -> tuple[list[str], list[str]] | None:
    """Return the names of the coordinates that the remark of a model gives, if they are as many as there should be.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.
    inputs, outputs : int
        Numbers of coordinates.

    Returns
    -------
    tuple of (list of str, list of str) or None
        Names of inputs and of outputs.
    """
    remark = _remark(model) or {}
    names = [remark.get("input_names"), remark.get("output_names")]
    for given, count in zip(names, (inputs, outputs), strict=True):
        if not isinstance(given, list) or len(given) != count or len(set(map(str, given))) != count:
            return None
        if not all(isinstance(name, str) and len(name) <= limits.NAME_LENGTH for name in given):
            return None
    return names[0], names[1]  # type: ignore[return-value]


def _remark(model: Any) -> dict[str, Any] | None:
    texts = [entry.value for entry in model.metadata_props if entry.key == KEY]
    if len(texts) != 1 or len(texts[0]) > limits.HEADER_BYTES:
        return None
    try:
        remark = json.loads(texts[0])
    except (ValueError, RecursionError):
        return None
    return remark if isinstance(remark, dict) else None


def _inputs_agree(model: Any, size: Any) -> bool:
    """Return whether the one input of a model has as many coordinates as the remark says, before they are named."""
    if len(model.graph.input) != 1:
        return False
    dims = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    return type(size) is int and len(dims) == 1 and math.prod(dims) == size <= limits.COORDINATES
