"""neuralgebra fit DATA -o MODEL."""

from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra import cli


def table(path: Path, separator: str = ",", decimal: str = ".", mark: str = "") -> Path:
    """Write 90 rows, a third of each kind, of y = sin(2a) b."""
    x = np.random.default_rng(0).uniform(-1, 1, (90, 2))
    lines = [separator.join(["a", "b", "derivative", "value"])]
    for i, (a, b) in enumerate(x):
        value = (np.sin(2 * a) * b, 2 * np.cos(2 * a) * b, np.sin(2 * a))[i % 3]
        numbers = [repr(float(v)).replace(".", decimal) for v in (a, b, value)]
        lines.append(separator.join([*numbers[:2], ("", "a", "b")[i % 3], numbers[2]]))
    path.write_text(mark + "\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(("separator", "decimal", "mark"), [(",", ".", ""), (";", ",", "\ufeff"), ("\t", ".", "")])
def test_a_table_becomes_a_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], separator: str, decimal: str, mark: str
) -> None:
    data, model = table(tmp_path / "data.csv", separator, decimal, mark), tmp_path / "f.onnx"
    assert cli.run(["fit", str(data), "--hidden", "8", "--solver", "lm", "-o", str(model)]) == 0
    printed = capsys.readouterr().out
    assert "90 numbers" in printed
    assert ("decimal comma" in printed) == (decimal == ",")
    f = na.load(model)
    assert f.input_names == ("a", "b")
    assert abs(f([0.5, 0.5])[0] - np.sin(1.0) / 2) < 0.02


def test_nothing_is_overwritten_and_bad_calls_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, model = table(tmp_path / "data.csv"), tmp_path / "f.onnx"
    model.write_text("mine")
    call = ["fit", str(data), "-o", str(model)]
    assert cli.run(call) == 7
    assert model.read_text() == "mine"
    assert cli.run(["fit", str(data), "-o", str(data)]) == 2
    assert cli.run(["fit", str(data), "-o", str(tmp_path / "g.onnx"), "--hidden", "a,b"]) == 2
    assert cli.run(["fit", str(data), "-o", str(tmp_path / "g.onnx"), "--inputs", "c"]) == 3
    assert cli.run(["fit", str(tmp_path / "none.csv"), "-o", str(tmp_path / "g.onnx")]) == 3
    said = capsys.readouterr().err
    assert "sizes such as 20,10" in said
    assert not (tmp_path / "g.onnx").exists()


def test_a_folder_keeps_the_run(tmp_path: Path) -> None:
    data, folder = table(tmp_path / "data.csv"), tmp_path / "run"
    call = ["fit", str(data), "--hidden", "4", "--iterations", "30", "--folder", str(folder)]
    assert cli.run([*call, "-o", str(tmp_path / "f.onnx")]) == 0
    assert cli.run([*call, "-o", str(tmp_path / "g.onnx")]) == 0
    assert (tmp_path / "f.onnx").read_bytes() == (tmp_path / "g.onnx").read_bytes()
    assert cli.run([*call, "--seed", "1", "-o", str(tmp_path / "h.onnx")]) == 3
    assert not (tmp_path / "h.onnx").exists()
