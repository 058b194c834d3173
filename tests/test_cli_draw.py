"""Pictures from the command line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import neuralgebra as na
from neuralgebra import cli
from pictures import chain, read

MODEL = str(Path(__file__).parent.parent / "examples" / "diabetes.onnx")


@pytest.fixture
def run(capsys):
    """Run a command; return exit code, output and error text."""

    def command(*arguments):
        code = cli.run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_a_model_is_drawn_to_the_terminal_and_to_a_file(run, tmp_path):
    code, out, error = run("draw", MODEL)
    assert (code, error) == (0, "")
    read(out)
    assert out == na.load(MODEL).draw().svg
    path = tmp_path / "net.svg"
    assert run("draw", MODEL, "-o", path) == (0, "", "")
    assert path.read_text("utf-8") == out


@pytest.mark.parametrize("level", ["neurons", "layers"])
def test_the_level_can_be_chosen(run, tmp_path, level):
    f = chain(3, 4, 1)
    f.save(tmp_path / "f.safetensors")
    assert run("draw", tmp_path / "f.safetensors", "--level", level)[1] == f.draw(level=level).svg


def test_a_file_is_replaced_only_when_told(run, tmp_path):
    path = tmp_path / "net.svg"
    path.write_text("mine")
    code, out, error = run("draw", MODEL, "-o", path)
    assert (code, out, path.read_text()) == (7, "", "mine")
    assert "--force" in error
    assert run("draw", MODEL, "-o", path, "--force")[0] == 0
    assert path.read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "net.jpg"], 2, ".svg, .png, .pdf expected"),
        (["-o", "net"], 2, "ending '' received"),
        (["--level", "units"], 2, "--level"),
        (["-o", "missing/net.svg"], 7, "folder does not exist"),
    ],
)
def test_what_makes_no_sense_is_refused(run, monkeypatch, tmp_path, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    found, out, error = run("draw", MODEL, *arguments)
    assert (found, out) == (code, "")
    assert message in error
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_other_formats_are_refused(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, error = run("draw", MODEL, "-o", tmp_path / "net.png")
    assert code == 4
    assert "pip install 'neuralgebra[plot]'" in error
    assert not list(tmp_path.iterdir())
