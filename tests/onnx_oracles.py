"""Small ONNX models, and what onnxruntime or onnx's own evaluator says of them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from neuralgebra.calculus import derivatives
from neuralgebra.errors import PrecisionWarning
from neuralgebra.files.onnx_read import read
from neuralgebra.network.network import Network

TYPES = {"float32": onnx.TensorProto.FLOAT, "float64": onnx.TensorProto.DOUBLE}


def value(f: Network, x: np.ndarray) -> np.ndarray:
    """Our own values, in the dtype of x."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        return np.asarray(derivatives.value(f, x))


def node(op: str, inputs: str, outputs: str = "y", **attributes: Any) -> Any:
    """A node with inputs and outputs as words of one text; "-" is an input left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, outputs.split(), name=f"the_{op.lower()}_of_{outputs.split()[0]}", **attributes)


def model(
    nodes: Sequence[Any],
    shape: Sequence[int | str],
    opset: int,
    constants: Mapping[str, Any] | None = None,
    dtype: str = "float32",
    outputs: Sequence[str] = ("y",),
) -> bytes:
    """A model with input x of a shape, batch axis included."""
    arrays = {name: np.asarray(array) for name, array in (constants or {}).items()}
    arrays = {name: a.astype(dtype) if a.dtype.kind == "f" else a for name, a in arrays.items()}
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TYPES[dtype], list(shape))],
        [helper.make_tensor_value_info(name, TYPES[dtype], None) for name in outputs],
        [numpy_helper.from_array(a, name) for name, a in arrays.items()],
    )
    imports = [helper.make_opsetid("", opset)]
    made = helper.make_model(graph, opset_imports=imports, ir_version=max(helper.find_min_ir_version_for(imports), 4))
    return bytes(made.SerializeToString())


def session(data: bytes) -> onnxruntime.InferenceSession:
    """A session on one thread that keeps its warnings."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def run(data: bytes, x: np.ndarray) -> list[np.ndarray]:
    """Outputs of onnxruntime, or of onnx's evaluator where there is no kernel, each with its samples flattened."""
    try:
        results = session(data).run(None, {"x": x})
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented:
        results = ReferenceEvaluator(onnx.load_model_from_string(data)).run(None, {"x": x})
    rows = len(x) if x.ndim > 1 else 1
    return [np.asarray(y).reshape(rows, np.asarray(y).size // max(rows, 1)) for y in results]


def evaluated(data: bytes, x: np.ndarray) -> np.ndarray:
    """Output of onnx's reference evaluator."""
    with np.errstate(all="ignore"):
        return np.asarray(ReferenceEvaluator(onnx.load_model_from_string(data)).run(None, {"x": x})[0])


def agrees(data: bytes, shape: Sequence[int], dtype: str = "float32", low: float = -2.0, high: float = 2.0) -> Network:
    """Check the network read against onnxruntime on random samples of a shape; return it."""
    f = read(data)
    x = np.random.default_rng(5).uniform(low, high, (4, *shape)).astype(dtype)
    batch = onnx.load_model_from_string(data).graph.input[0].type.tensor_type.shape.dim[0].dim_value
    parts = [x[i : i + batch] for i in range(0, 4, batch)] if batch else [x]
    expected = np.concatenate([np.concatenate(run(data, part), axis=1) for part in parts])
    got = value(f, x.reshape(4, -1))
    tolerance = {"float32": 2e-5, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    assert f.dtype == dtype or not f.arrays
    return f
