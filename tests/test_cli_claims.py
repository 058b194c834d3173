"""neuralgebra enclose and certify: what is printed, and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra import cli


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("claims") / "model.onnx"
    f = na.Network.from_layers(
        [([[1.0, 0.5], [0.25, -2.0]], [0.1, 0.2]), ([[1.0, 0.5]], [0.3])],
        "tanh",
        input_names=["load", "an angle"],
        output_names=["stress"],
    )
    f.save(path)
    return str(path)


BOX = "load=-1:1,an angle=0:0.5"


def test_ranges_are_those_of_python(model: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["enclose", model, "--box", BOX]) == 0
    found = na.load(model).enclose([(-1, 1), (0, 0.5)])
    low, high = found.low.item(), found.high.item()
    assert capsys.readouterr().out == f"{low!r} <= stress <= {high!r}\n"


def test_derivatives_have_names(model: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["enclose", model, "--box", BOX, "--order", "1", "--boxes", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [r["name"] for r in found["ranges"]] == ["dstress_dload", "dstress_dan angle"]
    slopes = na.load(model).jacobian(np.random.default_rng(0).uniform([-1, 0], [1, 0.5], (500, 2)))[:, 0]
    for j, r in enumerate(found["ranges"]):
        assert r["low"] <= slopes[:, j].min()
        assert r["high"] >= slopes[:, j].max()


@pytest.mark.parametrize(
    ("claim", "code", "says"),
    [
        ("increasing in load", 0, "increasing in load: proven\n"),
        ("stress increasing in an angle", 5, "stress increasing in an angle: refuted, stress falls by at least"),
        ("<= 0.5", 5, "<= 0.5: refuted, stress is at least"),
        ("bounded by 5", 0, "bounded by 5: proven\n"),
    ],
)
def test_claims(model: str, claim: str, code: int, says: str, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["certify", model, claim, "--box", BOX]) == code
    assert capsys.readouterr().out.startswith(says)


def test_what_remains_is_listed(model: str, capsys: pytest.CaptureFixture) -> None:
    top = na.load(model).maximum([(-1, 1), (0, 0.5)], tol=1e-12).low
    assert cli.run(["certify", model, f"<= {top + 1e-13!r}", "--box", BOX, "--boxes", "1"]) == 5
    first, *rest = capsys.readouterr().out.splitlines()
    assert "undecided" in first
    assert rest
    assert "load" in rest[0]
    assert cli.run(["certify", model, f"<= {top + 1e-13!r}", "--box", BOX, "--boxes", "1", "--json"]) == 5
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], found["remaining"]) == ("undecided", rest)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["certify", "fine", "--box", BOX], 2, "one of these expected"),
        (["certify", "increasing in mass", "--box", BOX], 2, "load, an angle expected"),
        (["certify", "convex", "--box", "load=1:-1,an angle=0:1"], 3, "the low end first"),
        (["certify", "convex"], 2, "--box"),
        (["enclose", "--box", BOX, "--order", "7"], 2, "--order"),
    ],
)
def test_wrong_calls(model: str, arguments: list[str], code: int, says: str, capsys: pytest.CaptureFixture) -> None:
    command, *rest = arguments
    assert cli.run([command, model, *rest]) == code
    assert says in capsys.readouterr().err


def test_a_missing_model_is_said(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert cli.run(["certify", str(tmp_path / "none.onnx"), "convex", "--box", BOX]) == 3
    assert "none.onnx" in capsys.readouterr().err
