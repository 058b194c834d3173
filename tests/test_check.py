"""check() says what it compared with, and finds what is wrong."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.files import onnx_write


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


def test_a_float32_network_is_run_in_float32():
    found = net("tanh", np.float32).check(POINTS)
    assert "float32" in found.differences[0].against
    assert found.differences[0].largest < 1e-6


@pytest.mark.parametrize("quantity", ["value", "jacobian", "hessian"])
def test_a_wrong_derivative_is_found(monkeypatch, quantity):
    from neuralgebra.files import check

    right = getattr(check, quantity)
    monkeypatch.setattr(check, quantity, lambda f, x: right(f, x) * (1 + 1e-9))
    place = {"value": 1, "jacobian": 2, "hessian": 3}[quantity]
    found = net("tanh").check(POINTS).differences
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
