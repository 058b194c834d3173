"""The other languages: run where their hosts are, within the counted roundings; their self-tests notice errors."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from code_oracles import NAMES, all_networks, counted, networks, packed, truth, units
from neuralgebra.code.emit import LANGUAGES, code, written
from neuralgebra.code.hosts import HOSTS, host
from neuralgebra.errors import InputError

RUN = [key for key in HOSTS if key not in ("c", "fortran")]
# Commands that run the self-test of a file: {file}, and {out} for what a compiler makes.
SELF_TESTS = {
    "python": [f"{sys.executable} {{file}}"],
    "javascript": ["node {file}"],
    "rust": ["rustc --cfg neuralgebra_main -O {file} -o {out}", "{out}"],
    "matlab": ["octave-cli --no-history --eval printf('f:%d',f('check'))"],
}
WEIGHT = {
    "python": r"w2 = \[\n\s*(-?[0-9.e-]+)",
    "javascript": r"w2 = new Float64Array\(\[\n\s*(-?[0-9.e-]+)",
    "rust": r"w2: \[f64; \d+\] = \[\n\s*(-?[0-9.e-]+)",
    "matlab": r"d\.w2 = \[ \.\.\.\n\s*(-?[0-9.e-]+)",
}


def found(language: str) -> None:
    if host(language) is None:
        pytest.skip(f"none of {', '.join(HOSTS[language][0])} is installed")


def expect_within(language: str, name: str, order: int, pack: bool = False, dtype: str = "float64") -> None:
    runner = host(language)
    assert runner is not None
    x, wanted, sizes = truth(name)
    made = written(all_networks()[name], language, order, packed=pack, dtype=dtype)
    results = runner.run(made, made.program.functions[order], x)
    for level, result in enumerate(results):
        exact, size = wanted[level], sizes[level]
        if pack:
            exact, size = packed(exact), packed(size)
        error = units(result, exact, np.broadcast_to(size, exact.shape), dtype)
        limit = max(4, counted(name, 3)[NAMES[level]])
        assert error <= limit, f"{language}, {name}, {NAMES[level]}: {error:.1f} u·M, {limit} counted"


@pytest.mark.parametrize("name", networks())
@pytest.mark.parametrize("language", RUN)
def test_derivatives_are_within_their_roundings(language: str, name: str) -> None:
    found(language)
    expect_within(language, name, 3)


@pytest.mark.parametrize("name", [n for n in all_networks() if n not in networks()])
@pytest.mark.parametrize("language", ["python", "javascript"])
def test_every_layer_and_every_activation(language: str, name: str) -> None:
    found(language)
    expect_within(language, name, 2)


@pytest.mark.parametrize("name", ["tanh", "product", "relu"])
@pytest.mark.parametrize("language", RUN)
def test_packed(language: str, name: str) -> None:
    found(language)
    expect_within(language, name, 2, pack=True)


@pytest.mark.parametrize("name", ["tanh", "gelu", "erf", "softmax output"])
def test_rust_in_float32(name: str) -> None:
    found("rust")
    expect_within("rust", name, 2, dtype="float32")


def self_test(language: str, text: str, folder: Path) -> int:
    """The number of wrong results that the self-test of a file prints."""
    file = folder / f"f{LANGUAGES[language].suffix}"
    file.write_text(text)
    out = ""
    for command in SELF_TESTS[language]:
        words = [word.format(file=file, out=folder / "out") for word in command.split()]
        out = subprocess.run(words, capture_output=True, text=True, check=True, cwd=folder).stdout
    return int(re.search(r"f: ?(\d+)", out)[1])  # type: ignore[index]


@pytest.mark.parametrize("language", SELF_TESTS)
def test_the_self_test_notices_a_wrong_weight(language: str, tmp_path: Path) -> None:
    found(language)
    text = str(code(networks()["tanh"], language, 3, products=["jvp", "vjp", "hvp"]))
    assert self_test(language, text, tmp_path) == 0
    weight = re.search(WEIGHT[language], text)
    assert weight is not None
    wrong = text[: weight.start(1)] + repr(float(weight[1]) * (1 + 1e-9)) + text[weight.end(1) :]
    assert self_test(language, wrong, tmp_path) > 0


@pytest.mark.parametrize("language", SELF_TESTS)
@pytest.mark.parametrize("name", ["product", "softmax output", "maximum", "residual"])
def test_self_tests_with_products(language: str, name: str, tmp_path: Path) -> None:
    found(language)
    text = str(code(networks()[name], language, 2, products=["jvp", "vjp", "hvp"]))
    assert self_test(language, text, tmp_path) == 0


HOSTILE = [
    'a; system("id"); //',
    "*/ import os",
    "`rm -rf`",
    "${x}",
    "</script>",
    "#{x}",
    "%d",
    "ünï 漢字",
    '"""',
    "X1",
    "x1",
]


@pytest.mark.parametrize("language", SELF_TESTS)
def test_names_from_files_are_data(language: str, tmp_path: Path) -> None:
    found(language)
    rng = np.random.default_rng(0)
    f = na.Network.from_layers(
        [(rng.normal(size=(11, 11)), None)], input_names=HOSTILE, output_names=[f"{n} y" for n in HOSTILE]
    )
    text = str(code(f, language, 1))
    assert text.isascii()
    assert not any(mark in text for mark in ("system(", "`rm", "${x}", "</script>", "*/"))
    assert self_test(language, text, tmp_path) == 0


@pytest.mark.parametrize("language", ["python", "javascript", "rust", "matlab", "julia"])
@pytest.mark.parametrize("word", ["class", "end", "fn", "let", "lambda", "x"])
def test_names_of_functions_are_no_words_of_the_language(language: str, word: str, tmp_path: Path) -> None:
    text = str(code(networks()["one unit"], language, 0, name=word, check=False))
    if language == "python":
        compile(text, word, "exec")
    if language == "javascript" and shutil.which("node"):
        (tmp_path / "f.js").write_text(text)
        subprocess.run(["node", "--check", tmp_path / "f.js"], check=True)


def test_a_language_is_a_table_of_less_than_a_hundred_lines() -> None:
    folder = Path(na.__file__).parent / "code"
    for name in ("python", "javascript", "rust", "matlab", "julia"):
        assert len((folder / f"{name}.py").read_text().splitlines()) <= 130, name
    lines = [line for line in (folder / "rust.py").read_text().splitlines() if line.strip()]
    assert len(lines) < 110


@pytest.mark.parametrize("language", ["python", "javascript", "matlab"])
def test_single_precision_is_refused_where_there_is_none(language: str) -> None:
    with pytest.raises(InputError, match="float32"):
        code(networks()["tanh"], language, dtype="float32")


def test_julia_is_written_and_not_run() -> None:
    text = str(code(networks()["gelu"], "julia", 2))
    assert text.count("function ") == text.count("\nend") - text.count("PROGRAM_FILE")
    assert "const w1 = Float64[" in text
