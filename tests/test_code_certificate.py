"""What is certain of a program, and that each of the three questions notices its own kind of error."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from code_oracles import networks, points
from neuralgebra.code import certificate, hosts
from neuralgebra.code.c import C
from neuralgebra.code.certificate import Certified, certify_program
from neuralgebra.code.hosts import host
from neuralgebra.errors import InputError

NAMES = ["tanh", "gelu", "relu", "product", "softmax output", "residual", "maximum", "quotient", "derivative"]


@pytest.mark.parametrize("name", NAMES)
def test_programs_are_certain(name: str) -> None:
    f = networks()[name]
    found = certify_program(f, "c", points(f))
    assert found.agrees, str(found)
    assert found.radius < 1e-50
    assert [quantity for quantity, _, _ in found.errors] == ["value", "Jacobian", "Hessian"]


def test_a_constant_that_is_printed_short_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    f = networks()["tanh"]
    monkeypatch.setattr(C, "number", lambda self, value: f"{value:.15g}")
    found = certify_program(f, "c", points(f))
    assert not found.same_bits
    assert found.overlap, "the formula is right"
    assert not found.agrees


def test_a_wrong_formula_is_noticed_on_balls(monkeypatch: pytest.MonkeyPatch) -> None:
    f = networks()["tanh"]
    right = certificate.interpreted

    def wrong(*arguments: Any) -> list[np.ndarray]:
        value, jacobian, hessian = right(*arguments)
        return [value, jacobian + jacobian * 2.0**-100, hessian]

    monkeypatch.setattr(certificate, "interpreted", wrong)
    found = certify_program(f, "c", points(f))
    assert found.same_bits
    assert not found.overlap
    assert not found.agrees


def test_a_wrong_run_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    f = networks()["tanh"]
    right = C.text
    monkeypatch.setattr(C, "text", lambda self: right(self).replace("tanh(", "1e-12 + tanh("))
    found = certify_program(f, "c", points(f))
    assert found.same_bits
    assert found.overlap
    assert not found.agrees
    assert max(error for _, error, _ in found.errors) > 100


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts.shutil, "which", lambda name: None)
    assert host("c") is None
    f = networks()["tanh"]
    found = certify_program(f, "c", points(f))
    assert found.agrees
    assert "not run" in str(found)


def test_what_the_compiler_says_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "text", lambda self: "no C\n")
    f = networks()["tanh"]
    with pytest.raises(InputError, match="error"):
        certify_program(f, "c", points(f))


def test_check_reports_the_program() -> None:
    f = networks()["tanh"]
    found = f.check(points(f), code="c")
    assert found.agrees
    assert "200-bit balls: they overlap" in str(found)
    assert found.plain()["program"]["agrees"] is True
    assert isinstance(found.program, Certified)
    broken = dataclasses.replace(found, program=dataclasses.replace(found.program, overlap=False))
    assert not broken.agrees
    assert "program" in broken.verdict
    assert f.check(points(f)).program is None


def test_float32_networks_are_certain_in_float32() -> None:
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(4, 2)).astype("f"), rng.normal(size=4).astype("f")), (np.ones((1, 4), "f"), None)]
    f = na.Network.from_layers(layers, "tanh")
    found = certify_program(f, "c", points(f))
    assert found.agrees, str(found)


def test_workbooks_are_examined_too() -> None:
    f = na.Network.from_layers([([[0.1234567890123456789, 1 / 3]], [1 / 7]), ([[2.0]], None)], "tanh")
    found = f.check(np.ones((2, 2)), code="excel").program
    assert found is not None
    assert (found.constants, found.same_bits, found.overlap)[1:] == (True, True)
