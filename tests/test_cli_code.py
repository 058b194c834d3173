"""neuralgebra code and neuralgebra check --code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from neuralgebra.cli import run

MODEL = str(Path(__file__).parents[1] / "examples" / "diabetes.onnx")


def test_code_goes_to_the_terminal_or_to_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["code", MODEL, "--language", "c", "--order", "1"]) == 0
    text = capsys.readouterr().out
    assert "void f_jacobian(" in text
    assert "void f_hessian(" not in text
    target = tmp_path / "model.c"
    assert run(["code", MODEL, "--order", "1", "-o", str(target)]) == 0  # the ending says the language
    assert target.read_text() == text


def test_nothing_is_overwritten_without_being_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "model.c"
    target.write_text("mine")
    assert run(["code", MODEL, "-o", str(target)]) == 7
    assert target.read_text() == "mine"
    assert run(["code", MODEL, "-o", str(target), "--force"]) == 0
    assert "f_hessian" in target.read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-o", "x.zzz"], 2, "no language is known by its ending"),
        (["-l", "cobol"], 4, "cobol"),
        (["-l", "c", "--order", "4"], 2, "order"),
        (["-l", "c", "--product", "zvp"], 2, "product"),
    ],
)
def test_wrong_calls(words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["code", MODEL, *words]) == code
    assert said in capsys.readouterr().err


def test_options_reach_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--name", "net", "--packed", "--product", "hvp", "--no-check", "--dtype", "float32", "--order", "2"]
    assert run(["code", MODEL, "-l", "c", *words]) == 0
    text = capsys.readouterr().out
    assert re.search(r"void net_hessian\(const float x\[restrict 10\].* float hess\[restrict 55\]\)", text)
    assert "void net_hvp(" in text
    assert "check" not in text


def test_check_examines_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", MODEL, "--rows", "3", "--code", "c"]) == 0
    assert "constants read back to the same bits" in capsys.readouterr().out
    assert run(["check", MODEL, "--rows", "3", "--code", "c", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["program"]["overlap"] is True


def test_the_ending_of_a_file_counts_beside_an_interface(tmp_path: Path) -> None:
    model = str(Path(__file__).parent.parent / "examples" / "diabetes.onnx")
    assert run(["code", model, "--interface", "casadi", "-o", str(tmp_path / "f.py")]) == 4
    assert run(["code", model, "--interface", "casadi", "-o", str(tmp_path / "f.c")]) == 0
    assert not (tmp_path / "f.py").exists()
