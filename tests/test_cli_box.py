"""Formulas on a box from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra import cli

EXAMPLES = Path(__file__).parent.parent / "examples"
MODEL, DATA = str(EXAMPLES / "diabetes.onnx"), str(EXAMPLES / "diabetes.csv")


@pytest.fixture
def run(capsys):
    """Run a command; return exit code, output and error text."""

    def command(*arguments):
        code = cli.run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


@pytest.fixture
def model(tmp_path):
    """Save a relu network of two inputs; return its path."""
    layers = [([[1.0, 1.0], [1.0, -1.0]], [0.0, -9.0]), ([[2.0, 3.0]], [1.0])]
    na.Network.from_layers(layers, "relu").save(tmp_path / "f.safetensors")
    return tmp_path / "f.safetensors"


def test_a_box_in_words_shrinks_the_formula(run, model):
    code, out, _ = run("formula", model, "--box", "x2=0:2,x1=-1:1")
    assert code == 0
    assert out.splitlines() == [
        "# on -1.0 <= x1 <= 1.0, 0.0 <= x2 <= 2.0",
        "# units: 1 removed (1 constant), 1 kept",
        "# exact there; up to 1 digit, 0 of 4 numbers left out",
        "z1_1 = x1 + x2",
        "a1_1 = Piecewise((z1_1, z1_1 > 0), (0, True))",
        "y1 = 2.0*a1_1 + 1",
    ]


def test_the_ranges_of_a_table_are_a_box_and_the_bound_holds_at_its_rows(run):
    code, out, _ = run("formula", MODEL, "--box", DATA, "--tol", "1", "--json")
    found = json.loads(out)
    assert code == 0
    assert 0.1 < found["bound"] <= 1
    assert found["removed"] == []
    x = np.loadtxt(DATA, delimiter=",", skiprows=1)
    f = na.load(MODEL)
    form = f.formula(box=list(zip(x.min(axis=0), x.max(axis=0), strict=True)), tol=1)
    assert form.text().splitlines() == found["lines"]
    assert np.abs(form.simplification.network(x) - f(x)).max() <= found["bound"]


def test_what_was_removed_is_said_as_data(run, model):
    found = json.loads(run("formula", model, "--box", "x1=-1:1,x2=0:2", "--json")[1])
    assert found["removed"] == ["a1_2 = 0, since -12 <= z1_2 <= -8"]
    assert "bound" not in json.loads(run("formula", model, "--json")[1])


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--box", "x1=0:1"], 3, "no range of 'x2'"),
        (["--box", "x1=1:0,x2=0:1"], 3, "the low end first expected"),
        (["--box", "x1=0:1,x2=0:inf"], 3, "two finite numbers expected"),
        (["--box", "missing.csv"], 3, "missing.csv"),
        (["--tol", "1"], 3, "without a box received"),
        (["--box", "x1=0:1,x2=0:1", "--tol", "0"], 3, "a positive number expected"),
        (["--box", "x1=0:1,x2=0:1", "--tol", "nan"], 3, "a positive number expected"),
        (["--box", "x1=0:1,x2=0:1", "--tol", "1", "--digits", "3"], 3, "one of them expected"),
        (["--box", "x1=0:1,x2=0:1", "--tol", "1", "--order", "1"], 4, "not for derivatives"),
        (["--box"], 2, "requires an argument"),
        (["--tol", "a"], 2, "not a valid float"),
    ],
)
def test_what_makes_no_sense_is_refused(run, model, options, code, message):
    found, out, error = run("formula", model, *options)
    assert (found, out) == (code, "")
    assert message in error
    assert "Traceback" not in error


def test_a_tolerance_that_cannot_be_proven_has_its_own_exit_code(run, tmp_path):
    layers = [([[1 / 3]], [9.0]), ([[1 / 3]], None)]
    na.Network.from_layers(layers, "relu").save(tmp_path / "f.safetensors")
    code, _, error = run("formula", tmp_path / "f.safetensors", "--box", "x1=0:1", "--tol", "1e-300")
    assert code == 5
    assert "with every digit the bound" in error


def test_a_table_without_rows_is_refused(run, model, tmp_path):
    (tmp_path / "empty.csv").write_text("x1,x2\n")
    code, _, error = run("formula", model, "--box", tmp_path / "empty.csv")
    assert code == 3
    assert "a table without rows" in error
