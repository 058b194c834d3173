"""What the documentation says is true: its code runs, and the output of the demo is the one shown."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import neuralgebra

ROOT = Path(__file__).parent.parent
MODULES = [m.name for m in pkgutil.walk_packages(neuralgebra.__path__, "neuralgebra.") if "__main__" not in m.name]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", ["neuralgebra", *MODULES])
def test_examples_in_docstrings_run(name):
    neuralgebra.api.bind()
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_examples_in_pages_run(page, monkeypatch, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)  # what they write stays there
    importlib.import_module("neuralgebra.functions.catalogue")  # which fills the rows that a page may add to
    activations = importlib.import_module("neuralgebra.functions.activation")
    monkeypatch.setattr(activations, "_ROWS", dict(activations._ROWS))
    assert doctest.testfile(str(page), module_relative=False).failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_readme_shows_what_the_demo_prints():
    """Every line but the measured differences, whose last digits depend on the machine."""
    out = subprocess.run([sys.executable, ROOT / "examples" / "demo.py"], capture_output=True, text=True, check=True)
    shown = re.search(r"prints\n\n```text\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)[1]

    def stable(text):
        return [re.sub(r"against .*", "", line) for line in text.strip("\n").splitlines()]

    assert stable(shown) == stable(out.stdout)


def test_the_version_of_the_changelog_is_that_of_the_package():
    assert f"[{neuralgebra.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
