"""The command line as a person meets it: output, exit codes, messages, nothing lost."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

import neuralgebra as na
from neuralgebra.cli import main

EXAMPLES = Path(__file__).parent.parent / "examples"
MODEL, DATA = str(EXAMPLES / "diabetes.onnx"), str(EXAMPLES / "diabetes.csv")


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command; return exit code, output and error text."""

    def command(*arguments, stdin=None):
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as stop:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return stop.value.code, captured.out, captured.err

    return command


@pytest.fixture
def truth():
    f = na.load(MODEL)
    x = np.loadtxt(DATA, delimiter=",", skiprows=1)
    return f, x


def test_show(run):
    code, out, _ = run("show", MODEL)
    assert code == 0
    assert "10 inputs    age, sex, bmi" in out
    assert "73 parameters, float64" in out
    data = json.loads(run("show", MODEL, "--json")[1])
    assert data["outputs"] == ["progression"]
    assert [layer["layer"] for layer in data["layers"]] == ["Affine 10→6", "tanh", "Affine 6→1"]


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_eval_in_every_format_is_bit_exact(run, truth, tmp_path, kind):
    f, x = truth
    out = tmp_path / f"out.{kind}"
    assert run("eval", MODEL, DATA, "-o", out) == (0, "", "")
    if kind == "csv":
        found = np.loadtxt(out, delimiter=",", skiprows=1)
    elif kind == "json":
        found = np.array(json.loads(out.read_text())["progression"])
    else:
        found = pyarrow.parquet.read_table(out)["progression"].to_numpy()
    assert np.array_equal(found, f(x)[:, 0])


def test_eval_from_standard_input_to_the_terminal(run, truth):
    f, x = truth
    code, out, _ = run("eval", MODEL, "-", stdin=Path(DATA).read_bytes())
    assert code == 0
    assert np.array_equal(np.array(out.split()[1:], dtype=float), f(x)[:, 0])


def test_diff_names_every_derivative(run, truth):
    f, x = truth
    columns = json.loads(run("diff", MODEL, DATA, "--order", 2, "--json")[1])
    assert len(columns) == 10 + 55
    assert np.array_equal(columns["dprogression/dbmi"], f.jacobian(x)[:, 0, 2])
    assert np.array_equal(columns["d2progression/dagedbmi"], f.hessian(x)[:, 0, 0, 2])
    assert len(json.loads(run("diff", MODEL, DATA, "--json")[1])) == 10


def test_formula(run, tmp_path):
    code, out, _ = run("formula", MODEL, "--digits", 3)
    assert code == 0
    assert out.splitlines()[6] == "a1_1 = tanh(z1_1)"
    assert run("formula", MODEL, "--notation", "latex")[1].startswith("$$\\begin{aligned}")
    assert json.loads(run("formula", MODEL, "--order", 1, "--json")[1])["order"] == 1
    assert run("formula", MODEL, "--inline", "--digits", 2)[1].startswith("progression = ")
    target = tmp_path / "formula.txt"
    assert run("formula", MODEL, "-o", target)[0] == 0
    assert target.read_text() == run("formula", MODEL)[1]


def test_formula_beyond_the_limit_is_a_resource_error(run):
    code, out, err = run("formula", MODEL, "--inline", "--limit", 10)
    assert (code, out) == (6, "")
    assert "the limit is 10" in err


def test_check_finds_agreement_and_says_against_what(run):
    code, out, _ = run("check", MODEL, DATA)
    assert code == 0
    assert "onnxruntime" in out
    assert "128-bit balls" in out
    found = json.loads(run("check", MODEL, "--rows", 5, "--json")[1])["differences"]
    assert [d["quantity"] for d in found] == ["value", "value", "Jacobian", "Hessian"]
    assert all(d["largest"] < 1e-12 * max(1, d["scale"]) for d in found)


def test_check_finds_a_wrong_value(truth):
    f, x = truth
    wrong = (f + 1e-6).check(x, model=Path(MODEL).read_bytes())
    assert 0.9e-6 < wrong.differences[0].largest < 1.1e-6


def bad_cases():
    return {
        "missing file": (["show", "nope.onnx"], 3, "no such file"),
        "directory": (["show", "."], 3, "folder"),
        "empty file": (["show", "empty.onnx"], 3, "empty"),
        "truncated file": (["show", "cut.onnx"], 3, "cut.onnx"),
        "text": (["show", "text.onnx"], 3, "text.onnx"),
        "keras file": (["show", "keras.h5"], 4, "ONNX"),
        "pickle": (["show", "model.pkl"], 4, "from_sklearn"),
        "missing data": (["eval", MODEL, "nope.csv"], 3, "nope.csv"),
        "missing columns": (["eval", MODEL, "narrow.csv"], 3, "missing"),
        "too few columns without header": (["eval", MODEL, "bare.csv"], 3, "10"),
        "text in a cell": (["eval", MODEL, "word.csv"], 3, "word.csv"),
        "NaN in a cell": (["diff", MODEL, "nan.csv"], 3, "bmi"),
        "unknown command": (["transmogrify"], 2, "transmogrify"),
        "unknown option": (["show", MODEL, "--colour"], 2, "--colour"),
        "order 3": (["diff", MODEL, DATA, "--order", "3"], 2, "--order"),
        "output folder missing": (["eval", MODEL, DATA, "-o", "no/such/out.csv"], 7, "no/such"),
        "output exists": (["eval", MODEL, DATA, "-o", "empty.onnx"], 7, "empty.onnx"),
    }


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, table = Path(MODEL).read_bytes(), Path(DATA).read_text().splitlines()
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "cut.onnx").write_bytes(model[: len(model) // 2])
    (tmp_path / "text.onnx").write_text("this is no model\n" * 20)
    (tmp_path / "keras.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04\x95" + bytes(100))
    (tmp_path / "narrow.csv").write_text("age,sex\n1,2\n")
    (tmp_path / "bare.csv").write_text("1,2,3\n")
    cells = table[1].split(",")
    (tmp_path / "word.csv").write_text("\n".join([table[0], ",".join(["tall", *cells[1:]])]))
    (tmp_path / "nan.csv").write_text("\n".join([table[0], ",".join([*cells[:2], "nan", *cells[3:]])]))
    return tmp_path


@pytest.mark.parametrize("name", bad_cases())
def test_bad_input_is_one_clear_error(run, folder, name):
    arguments, expected, text = bad_cases()[name]
    before = {p: p.read_bytes() for p in folder.iterdir()}
    code, out, err = run(*arguments)
    assert code == expected
    assert out == ""
    assert text in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= (3 if expected != 2 else 4)
    assert {p: p.read_bytes() for p in folder.iterdir()} == before


def test_zero_rows_give_zero_rows(run, folder):
    (folder / "none.csv").write_text(Path(DATA).read_text().splitlines()[0] + "\n")
    assert run("eval", MODEL, "none.csv")[:2] == (0, "progression\n")


def test_overwriting_must_be_asked_for(run, folder):
    (folder / "old.csv").write_text("old")
    assert run("eval", MODEL, DATA, "-o", "old.csv")[0] == 7
    assert (folder / "old.csv").read_text() == "old"
    assert run("eval", MODEL, DATA, "-o", "old.csv", "--force")[0] == 0
    assert (folder / "old.csv").read_text().startswith("progression\n")


def test_our_own_fault_is_said_without_a_traceback(run, monkeypatch):
    def broken(path):
        raise RuntimeError("boom")

    monkeypatch.setattr(na.api, "resolve", lambda name: broken)
    code, _, err = run("show", MODEL)
    assert code == 1
    assert "our fault" in err
    assert "Traceback" not in err
    with pytest.raises(RuntimeError):
        main(["--debug", "show", MODEL])


def test_help_is_instant_and_a_closed_pipe_is_quiet():
    command = [sys.executable, "-c", "from neuralgebra.cli import main; main()"]
    heavy = (
        "import sys; sys.argv=['n','--help']\nfrom neuralgebra.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    )
    heavy += "print({'numpy','sympy','onnx','scipy','torch'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout
    assert out.endswith("set()\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*command, "formula", MODEL, "--order", "2"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert b"Traceback" not in done.stderr
    assert b"error" not in done.stderr
