"""neuralgebra rewrite: what is printed and written, and exit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra import cli

F = na.Network.from_layers([([[1.0, 2.0]], [3.0]), ([[4.0]], None)], "tanh", kind="multiplicative")


@pytest.fixture
def model(tmp_path: Path) -> str:
    F.save(tmp_path / "f.safetensors")
    return str(tmp_path / "f.safetensors")


def test_steps_are_printed_and_files_written(model: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    twin, steps = str(tmp_path / "twin.onnx"), str(tmp_path / "steps.json")
    arguments = ["rewrite", model, "--to", "additive", "--absorb", "--check", "-o", twin, "--derivation", steps]
    assert cli.run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1. additive at wire 1: M_W = exp ∘ A_W ∘ ln, x > 0, where M is defined"
    assert lines[-2].startswith("8 steps hold at 4 points each")
    assert lines[-1] == "<Network 2 → 1: Affine 2→1 · log∘tanh∘exp · Affine 1→1; 4 parameters, float64>"
    x = np.array([[0.5, 2.0]])
    np.testing.assert_allclose(na.load(twin)(np.log(x)), np.log(F(x)), rtol=1e-12, atol=1e-14)
    assert na.load_derivation(steps, F).result == F.to_additive(absorb=True)
    assert cli.run(arguments) == 7
    assert "--force" in capsys.readouterr().err
    assert cli.run([*arguments, "--force"]) == 0


def test_latex_and_domain(model: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["rewrite", model, "--to", "additive", "--latex"]) == 0
    assert capsys.readouterr().out.startswith(r"\begin{aligned}")
    f = na.Network.function("exp") @ na.Network.function("log")
    f.save(tmp_path / "g.safetensors")
    for domain, nodes in (("R>0", 0), ("0.5:2", 0), ("R", 1)):
        path = tmp_path / f"{nodes}{len(domain)}.onnx"
        assert cli.run(["rewrite", str(tmp_path / "g.safetensors"), "--domain", domain, "-o", str(path)]) == 0
        assert len(na.load(path).nodes) == nodes


@pytest.mark.parametrize(("arguments", "code", "message"), [
    (["--to", "sideways"], 2, "sideways"),
    (["--domain", "positive"], 3, "domain positive received"),
    (["--domain", "2:1"], 3, "two numbers in ascending order"),
    (["--absorb"], 2, "absorb=True received with simplified"),
])  # fmt: skip
def test_bad_arguments(
    arguments: list[str], code: int, message: str, model: str, capsys: pytest.CaptureFixture
) -> None:
    assert cli.run(["rewrite", model, *arguments]) == code
    assert message in capsys.readouterr().err
