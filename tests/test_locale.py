"""A locale that writes 1,5 for 1.5 changes nothing that is written: neither code nor formulas nor files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path("/usr/share/i18n/locales/de_DE")
WRITES = """
import locale, pathlib, sys
locale.setlocale(locale.LC_ALL, "")
print(f"{1.5:n}")
import neuralgebra as na
from neuralgebra.cli import run
from neuralgebra.code.emit import LANGUAGES

f = na.Network.from_layers([([[0.5, -1.25e-3], [1.5, 2e10]], [0.1, 0.2]), ([[1.5, -2.5]], [0.75])], "tanh")
folder = pathlib.Path(sys.argv[1])
for language in LANGUAGES:
    text = f.code(language, order=2)
    (folder / language).write_bytes(text if isinstance(text, bytes) else text.encode())
formula = f.formula(order=1)
for notation in ("text", "latex", "mathml", "mathematica"):
    (folder / notation).write_text(str(getattr(formula, notation)()))
f.save(folder / "f.onnx")
(folder / "points.csv").write_text("x1,x2\\n0.5,1.5\\n-0.25,2e-3\\n")
arguments = ["diff", folder / "f.onnx", folder / "points.csv", "-o", folder / "derivatives.csv"]
assert run([str(a) for a in arguments]) == 0
"""


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process in a German locale, made for this test."""
    if shutil.which("localedef") is None or not SOURCES.exists():
        pytest.skip("the sources of locales, from which localedef makes a German one, are not installed")
    folder = tmp_path_factory.mktemp("locales")
    made = ["localedef", "-i", "de_DE", "-f", "UTF-8", str(folder / "de_DE.UTF-8")]
    subprocess.run(made, check=True, capture_output=True)
    return {"LOCPATH": str(folder), "LC_ALL": "de_DE.UTF-8"}


def written(folder: Path, changes: dict[str, str]) -> tuple[str, dict[str, bytes]]:
    """How a process in an environment prints 1.5, and the files that it writes."""
    folder.mkdir()
    command, environment = [sys.executable, "-c", WRITES, str(folder)], {**os.environ, **changes}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[0], {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_locale_never_changes_a_decimal_point(german: dict[str, str], tmp_path: Path) -> None:
    comma, found = written(tmp_path / "german", german)
    point, expected = written(tmp_path / "plain", {"LC_ALL": "C"})
    assert (comma, point) == ("1,5", "1.5")
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
