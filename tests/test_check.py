"""check() says what it compared with, and finds what is wrong."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import onnx
import pytest

import neuralgebra as na
from neuralgebra.files import onnx_read, onnx_write
from neuralgebra.files.check import Difference


def net(activation, dtype=np.float64):
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(3, 2)).astype(dtype), None), (rng.normal(size=(2, 3)).astype(dtype), None)]
    return na.Network.from_layers(layers, activation)


POINTS = np.random.default_rng(1).normal(size=(25, 2))


def test_agreement_in_float64():
    found = net("tanh").check(POINTS)
    assert [d.quantity for d in found.differences] == ["value", "value", "Jacobian", "Hessian"]
    assert [d.rows for d in found.differences] == [25, 20, 20, 20]
    assert all(d.largest < 1e-14 for d in found.differences)
    assert found.remarks == ()
    assert found.agrees
    assert str(found).splitlines()[-1].startswith("agree within rounding")


def test_what_onnxruntime_lacks_in_float64_is_compared_in_float32_and_said():
    found = net("gelu").check(POINTS)
    assert "float32" in found.differences[0].against
    assert 0 < found.differences[0].largest < 1e-6
    assert found.remarks == ("onnxruntime has no float64 gelu: compared in float32",)
    assert "note: onnxruntime has no float64 gelu" in str(found)


def test_a_file_without_kernel_runs_in_the_reference_evaluator_and_it_is_said():
    f = net("gelu")
    found = f.check(POINTS, model=onnx_write.write(f, "float64"))
    assert "reference evaluator" in found.differences[0].against
    assert found.differences[0].largest < 1e-6
    assert "onnxruntime cannot run" in found.remarks[0]
    assert found.agrees


def test_a_float32_network_is_run_in_float32():
    found = net("tanh", np.float32).check(POINTS)
    assert "float32" in found.differences[0].against
    assert found.differences[0].largest < 1e-6
    assert [d.eps for d in found.differences] == [2**-23, 2**-52, 2**-52, 2**-52]
    assert found.agrees


@pytest.mark.parametrize("quantity", ["value", "jacobian", "hessian"])
def test_a_wrong_derivative_is_found(monkeypatch, quantity):
    from neuralgebra.files import check

    right = getattr(check, quantity)
    monkeypatch.setattr(check, quantity, lambda f, x: right(f, x) * (1 + 1e-9))
    place = {"value": 1, "jacobian": 2, "hessian": 3}[quantity]
    checked = net("tanh").check(POINTS)
    found = checked.differences
    assert [d.within(checked.tolerance) for d in found[1:]] == [i != place for i in (1, 2, 3)]
    assert not checked.agrees
    assert str(checked).splitlines()[-1].startswith("DISAGREE: more than 10000 · eps")
    assert checked.verdict.endswith(f"{found[place].quantity} against 128-bit balls")
    assert dataclasses.replace(checked, tolerance=1e8).agrees
    assert found[place].largest > 1e-10
    assert all(d.largest < 1e-13 for i, d in enumerate(found) if i > 0 and i != place)


def test_without_onnxruntime_the_rest_is_checked(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = net("tanh").check(POINTS)
    assert [d.quantity for d in found.differences] == ["value", "Jacobian", "Hessian"]
    assert "pip install onnxruntime" in found.remarks[0]


def test_kinks_and_exact_zeros_agree_with_balls():
    f = net("relu")
    found = f.check(np.zeros((3, 2)))
    assert [d.largest for d in found.differences[1:]] == [0, 0, 0]


def graph(inputs, outputs, nodes, weights=()):
    shapes = {**inputs, **outputs}
    info = {n: onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in shapes.items()}
    tensors = [onnx.numpy_helper.from_array(np.asarray(w, np.float32), n) for n, w in weights]
    made = onnx.helper.make_graph(nodes, "g", [info[n] for n in inputs], [info[n] for n in outputs], tensors)
    opset = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(made, opset_imports=opset, ir_version=8).SerializeToString()


NODE = onnx.helper.make_node
FOREIGN = {
    "two outputs": graph(
        {"x": ["N", 3]}, {"a": ["N", 3], "b": ["N", 3]}, [NODE("Tanh", ["x"], ["a"]), NODE("Relu", ["x"], ["b"])]
    ),
    "two inputs": graph({"x": ["N", 2], "w": ["N", 2]}, {"y": ["N", 2]}, [NODE("Add", ["x", "w"], ["y"])]),
    "one sample without batch axis": graph({"x": [3]}, {"y": [3]}, [NODE("Tanh", ["x"], ["y"])]),
    "fixed batch of three": graph({"x": [3, 2]}, {"y": [3, 2]}, [NODE("Tanh", ["x"], ["y"])]),
    "batch of one, as an image": graph(
        {"x": [1, 1, 2, 2]}, {"y": [1, 4]}, [NODE("Flatten", ["x"], ["h"]), NODE("Tanh", ["h"], ["y"])]
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_models_of_every_signature_agree(name):
    f = onnx_read.read(FOREIGN[name])
    x = np.random.default_rng(0).normal(size=(7, f.input_size))
    found = f.check(x, model=FOREIGN[name])
    assert found.differences[0].largest < 1e-6
    wrong = f[::-1] if f.output_size > 1 else f + 1
    assert wrong.check(x, model=FOREIGN[name]).differences[0].largest > 1e-3


def test_nan_is_never_hidden():
    f = na.Network.function("log", 1)
    checked = f.check([[1.0], [-1.0], [2.0]])
    assert not dataclasses.replace(checked, tolerance=np.inf).agrees
    found = checked.differences
    assert np.isnan(found[0].largest) or found[0].largest == np.inf
    assert np.isnan(found[1].largest)


def test_no_rows():
    assert [d.largest for d in net("tanh").check(np.zeros((0, 2))).differences] == [0, 0, 0, 0]


@pytest.mark.parametrize("largest", [np.nan, np.inf, 1e-11, 3e-12])
def test_what_is_beyond_rounding_never_agrees(largest):
    assert not Difference("value", "x", 1, largest, 0.5).within(1e4)


def test_the_bound_grows_with_the_largest_entry_and_the_precision():
    assert Difference("value", "x", 1, 2.2e-12, 0.5).within(1e4)
    assert Difference("value", "x", 1, 2.2e-9, 1e3).within(1e4)
    assert Difference("value", "x", 1, 1e-3, 1, 2**-23).within(1e4)
    assert not Difference("value", "x", 1, 1e-3, 1).within(1e4)
    assert not Difference("value", "x", 1, np.nan, np.nan).within(np.inf)


def test_one_point_is_one_point():
    assert "1 point:" in str(net("tanh").check(POINTS[:1]))
