"""Hosts for the tests of generated code: many programs in one process, and a reader that stands in for Julia."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from julia_reader import Vector, read
from neuralgebra.code.emit import LANGUAGES
from neuralgebra.code.hosts import HOSTS, host
from neuralgebra.code.language import Language

TESTED = ("python", "javascript", "rust", "matlab", "julia")
NONE = {"c": "NAN", "python": "float('nan')", "javascript": "NaN", "rust": "f64::NAN", "matlab": "NaN", "julia": "NaN"}
# A line that prints what a self-test counts, what stands before all these lines and after them, and commands.
CHECKS = {
    "python": ("", "import {0}\nprint('{0}', {0}.{0}_check())", "", [f"{sys.executable} driver.py"]),
    "javascript": ("", "console.log('{0}', require('./{0}.js').{0}_check());", "", ["node driver.js"]),
    "matlab": ("", "printf('%s %d\\n', '{0}', {0}('check'));", "", ["octave-cli --no-history driver.m"]),
    "rust": (
        "fn main() {{",
        '    println!("{0} {{}}", {0}::{0}_check());',
        "}}",
        ["rustc driver.rs -o driver", "./driver"],
    ),
}


def expect_host(language: str) -> None:
    """Skip the test where nothing runs a language."""
    if language == "julia":
        pytest.importorskip("tree_sitter_julia", reason="tree-sitter-julia, which reads Julia here, is not installed")
    elif host(language) is None:
        pytest.skip(f"{' or '.join(HOSTS[language][0])}, which runs {language}, is not installed")


def computed(language: str, jobs: Sequence[tuple[Language, Any]]) -> list[list[list[np.ndarray]]]:
    """For each program and each of its calls the results at all points."""
    if language == "julia":
        return [[_by_reader(program, function, given) for function, given in calls] for program, calls in jobs]
    found = host(language)
    assert found is not None
    return found.run_all(jobs)


def _by_reader(program: Language, function: Any, given: Sequence[np.ndarray]) -> list[np.ndarray]:
    call, kind = read(program.text())[program.function(function)], program.dtype.type
    with np.errstate(all="ignore"):
        rows = [call(*(Vector(numbers, kind) for numbers in row)) for row in zip(*given, strict=True)]
    return [np.array([row[i].numbers for row in rows]) for i in range(len(function.outputs))]


def self_tests(language: str, texts: dict[str, str], folder: Path) -> dict[str, int]:
    """How many results are wrong in each of several programs, by their names."""
    if language == "julia":
        with np.errstate(all="ignore"):
            return {name: int(read(text)[f"{name}_check"]()) for name, text in texts.items()}
    suffix, (before, line, after, commands) = LANGUAGES[language].suffix, CHECKS[language]
    for name, text in texts.items():
        (folder / f"{name}{suffix}").write_text(text)
    modules = [f"mod {name};" for name in texts] if language == "rust" else []
    lines = [*modules, before.format(), *(line.format(name) for name in texts), after.format()]
    (folder / f"driver{suffix}").write_text("\n".join(lines))
    said = "".join(run(command, folder) for command in commands)
    return {name: int(count) for name, count in re.findall(r"^(\w+) (\d+)$", said, re.MULTILINE)}


def run(command: str, folder: Path) -> str:
    """What a command of words between spaces prints."""
    done = subprocess.run(command.split(" "), capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr[:500]
    return done.stdout


def planted(text: str, change: Callable[[str], str]) -> str:
    """A program with the first number of the first matrix changed."""
    found = re.search(r"^.*\bw1\b.*\[[ .]*\n\s*(-?[0-9][0-9.e+-]*)", text, re.MULTILINE)
    assert found is not None
    return text[: found.start(1)] + change(found[1]) + text[found.end(1) :]
