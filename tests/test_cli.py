"""The command line as a person meets it: output, exit codes, messages, nothing lost."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

import neuralgebra as na
from neuralgebra import cli

PROCESS = [sys.executable, "-c", "from neuralgebra.cli import main; main()"]
EXAMPLES = Path(__file__).parent.parent / "examples"
MODEL, DATA = str(EXAMPLES / "diabetes.onnx"), str(EXAMPLES / "diabetes.csv")


@pytest.fixture
def run(capsys, monkeypatch):
    """Run a command; return exit code, output and error text."""

    def command(*arguments, stdin=None):
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = cli.run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

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


def test_show_as_data_has_fields_to_compute_with(run, tmp_path):
    leaky = na.activation("leaky_relu", slope=0.25)
    f = na.Network.from_layers([(np.ones((3, 2)), None), ([[1.0, 2.0, 3.0]], [1.0])], leaky)
    f.save(tmp_path / "f.safetensors")
    first, second, third = json.loads(run("show", tmp_path / "f.safetensors", "--json")[1])["layers"]
    assert (first["kind"], first["weight"], first["bias"]) == ("Affine", {"kind": "Dense", "shape": [3, 2]}, False)
    assert second["activations"] == [{"name": "leaky_relu", "parameters": {"slope": 0.25}, "coordinates": None}]
    assert (third["weight"]["shape"], third["bias"]) == ([1, 3], True)


def test_show_counts_one_as_one_and_escapes_what_a_terminal_obeys(run, tmp_path):
    f = na.Network.from_layers([([[2.0]], None)], input_names=["a\x1b[31m"], output_names=["y\n"])
    f.save(tmp_path / "f.safetensors")
    out = run("show", tmp_path / "f.safetensors")[1]
    assert out.splitlines()[:3] == ["1 input     a\\x1b[31m", "1 output    y\\n", "1 parameter, float64"]


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
    assert np.array_equal(columns["d2progression/dage dbmi"], f.hessian(x)[:, 0, 0, 2])
    assert len(json.loads(run("diff", MODEL, DATA, "--json")[1])) == 10


@pytest.fixture
def named(tmp_path):
    """Save a network with names of its inputs, and a table for it; return both paths."""

    def save(*inputs, outputs=("y",)):
        weight = np.arange(1.0, 1 + len(inputs) * len(outputs)).reshape(len(outputs), len(inputs))
        layers = [(weight, None), (np.eye(len(outputs)), None)]
        f = na.Network.from_layers(layers, input_names=inputs, output_names=outputs)
        f.save(tmp_path / "named.safetensors")
        (tmp_path / "named.csv").write_text(",".join(["0.25"] * len(inputs)))
        return tmp_path / "named.safetensors", tmp_path / "named.csv"

    return save


def test_no_derivative_is_lost_when_names_run_together(run, named):
    model, data = named("a", "ad", "b", "db")
    columns = json.loads(run("diff", model, data, "--order", 2, "--json")[1])
    assert len(columns) == 4 + 10
    hessian = na.load(model).hessian(np.full(4, 0.25))[0]
    assert columns["d2y/da ddb"] == [hessian[0, 3]]
    assert columns["d2y/dad db"] == [hessian[1, 2]]


def test_derivatives_that_would_have_one_name_are_refused(run, named):
    model, data = named("b", "a/db", outputs=("y", "y/da"))
    code, out, err = run("diff", model, data)
    assert (code, out) == (3, "")
    assert "'dy/da/db'" in err


def test_a_terminal_is_not_given_parquet(run, monkeypatch):
    monkeypatch.setattr(type(sys.stdout), "isatty", lambda self: True, raising=False)
    code, out, err = run("eval", MODEL, DATA, "--format", "parquet")
    assert (code, out) == (2, "")
    assert "-o" in err


def test_the_format_may_be_said_where_the_ending_says_none(run, tmp_path):
    assert run("eval", MODEL, DATA, "--format", "csv", "-o", tmp_path / "out")[0] == 0
    assert (tmp_path / "out").read_text().startswith("progression\n")
    assert run("eval", MODEL, DATA, "-o", tmp_path / "OUT.JSON")[0] == 0
    json.loads((tmp_path / "OUT.JSON").read_text())


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


def test_check_ends_with_a_verdict(run):
    code, out, _ = run("check", MODEL, DATA)
    assert (code, out.splitlines()[-1][:21]) == (0, "agree within rounding")
    code, out, _ = run("check", MODEL, DATA, "--tolerance", 0)
    assert (code, out.splitlines()[-1][:8]) == (5, "DISAGREE")
    code, out, _ = run("check", MODEL, DATA, "--tolerance", 0, "--json")
    assert (code, json.loads(out)["agrees"]) == (5, False)


def test_check_as_data_has_no_bare_nan(run, tmp_path):
    f = na.Network.function("log", 1)
    f.save(tmp_path / "log.safetensors")
    code, out, _ = run("check", tmp_path / "log.safetensors", "--rows", 9, "--json")

    def refuse(text):
        raise AssertionError(text)

    assert code == 5
    assert "nan" in {d["largest"] for d in json.loads(out, parse_constant=refuse)["differences"]}


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
        "output exists": (["eval", MODEL, DATA, "-o", "word.csv"], 7, "give --force to replace it"),
        "formula exists": (["formula", MODEL, "-o", "text.onnx"], 7, "give --force to replace it"),
        "output is a folder": (["eval", MODEL, DATA, "--format", "csv", "-o", "."], 7, "folder"),
        "unknown ending": (["eval", MODEL, DATA, "-o", "o.xyz"], 2, "'.xyz' received; .csv, .json, .parquet"),
        "no ending": (["diff", MODEL, DATA, "-o", "out"], 2, "no ending received; .csv"),
        "two formats": (["eval", MODEL, DATA, "--json", "--format", "csv"], 2, "one of them"),
        "inlined beyond the limit": (["formula", MODEL, "--inline", "--limit", "10"], 6, "with --limit"),
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
    (tmp_path / "bare.csv").write_text("1.5,2,3\n")
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
    assert "overwrite=" not in err
    assert "limit=" not in err
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
        cli.run(["--debug", "show", MODEL])


def test_help_is_instant_and_a_closed_pipe_is_quiet():
    heavy = "import sys\nfrom neuralgebra.cli import run\nassert run(['--help']) == 0\n"
    heavy += "print({'numpy','sympy','onnx','scipy','torch'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout
    assert out.endswith("set()\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROCESS, "formula", MODEL, "--order", "2"], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_process_ends_with_its_code_whatever_the_libraries_leave_behind(tmp_path):
    """The clean-up of the interpreter, in which threads of pyarrow and polars abort the process, is left out."""
    table = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": [1.0]}), table)
    left = "import atexit; atexit.register(print, 'clean-up of the interpreter')\n"
    command = [sys.executable, "-c", left + PROCESS[2], "eval", MODEL, table]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")
    assert done.stdout == ""


def test_the_process_says_what_went_wrong_with_debug(tmp_path):
    broken = "import neuralgebra as na\nna.api.resolve = None\n"
    command = [sys.executable, "-c", broken + PROCESS[2], "--debug", "show", MODEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().endswith("TypeError: 'NoneType' object is not callable")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["show", MODEL], ["eval", MODEL, DATA], ["formula", MODEL], ["--help"]])
def test_a_full_disk_is_not_our_fault(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([*PROCESS, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 7
    assert done.stderr.startswith("error: standard output: cannot be written (No space left on device).")
    assert len(done.stderr.splitlines()) == 2


def test_a_closed_output_is_not_our_fault():
    command = " ".join(shlex.quote(part) for part in [*PROCESS, "eval", MODEL, DATA])
    done = subprocess.run(f"{command} >&-", shell=True, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 7
    assert done.stderr.startswith("error: standard output is closed")


def test_help_names_every_exit_code(run):
    codes = {error.exit_code for error in vars(na.errors).values() if hasattr(error, "exit_code")}
    assert all(f"{code} " in run("--help")[1] for code in codes)


@pytest.mark.parametrize("module", ["neuralgebra", "neuralgebra.cli"])
def test_the_package_runs_as_a_module(module):
    found = subprocess.run([sys.executable, "-m", module, "show", MODEL], capture_output=True, text=True, check=True)
    assert found.stdout == subprocess.run([*PROCESS, "show", MODEL], capture_output=True, text=True, check=True).stdout
    assert found.stdout
    assert subprocess.run([sys.executable, "-m", module, "show", "nowhere.onnx"], capture_output=True).returncode == 3
