"""Plain layers from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra import cli

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; return exit code, output and error text."""

    def command(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    """Two tanh networks of two inputs."""
    rng = np.random.default_rng(0)
    for name in ("f", "g"):
        pairs = [(rng.normal(size=(4, 2)), rng.normal(size=4)), (rng.normal(size=(1, 4)), None)]
        na.Network.from_layers(pairs, "tanh").save(tmp_path / f"{name}.onnx")
    return tmp_path / "f.onnx", tmp_path / "g.onnx"


def test_a_product_of_two_models_becomes_one(run: Run, models: tuple[Path, Path], tmp_path: Path) -> None:
    f, g = models
    out = tmp_path / "fg.onnx"
    code, said, _ = run("plain", f, "--times", g, "--box", "x1=-1:1,x2=0:1", "--tol", "1e-6", "-o", out)
    assert code == 0
    assert said.splitlines()[0].startswith("<Network 2 → 1: Affine 2→8 · tanh · Affine 8→4 · tanh")
    assert "as real numbers" in said.splitlines()[1]
    x = np.random.default_rng(1).uniform([-1, 0], [1, 1], size=(50, 2))
    assert abs(na.load(out)(x) - na.load(f)(x) * na.load(g)(x)).max() <= 1e-6
    code, _, error = run("plain", f, "-o", out)
    assert (code, "the file exists" in error) == (7, True)


def test_refusals_have_their_exit_codes(run: Run, models: tuple[Path, Path]) -> None:
    f, g = models
    assert run("plain", f, "--times", g)[0] == 4  # not exact, and no domain
    assert run("plain", f, "--times", g, "--tol", "1e-6")[0] == 2
    code, _, error = run("plain", f, "--times", g, "--box", "x1=-1:1,x2=0:1", "--tol", "1e-13", "--dtype", "float32")
    assert code == 5
    assert "is what is proven" in error
