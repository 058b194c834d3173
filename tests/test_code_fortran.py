"""Fortran: both forms compile without a warning, give derivatives within the counted roundings, and test themselves.

``pytest -s -k worst tests/test_code_fortran.py`` prints the largest errors of each order.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from code_oracles import NAMES, all_networks, counted, networks, packed, points, truth, units

pytestmark = pytest.mark.skipif(not shutil.which("gfortran"), reason="gfortran is not installed")

STRICT = ["-std=f2008", "-Wall", "-Wextra", "-Werror"]
SANITIZED = ["-g", "-fcheck=all", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
FORMS = {"fortran": ".f90", "fortran-fixed": ".f"}
SOME = ("tanh", "gelu", "softplus", "relu", "product", "maximum", "erf", "softmax output", "residual", "wide")
SUFFIXES = ("", "_jacobian", "_hessian", "_third")
WORDS = {name: f"n{i}" for i, name in enumerate(all_networks())}


def library(folder: Path, form: str, texts: dict[str, str], *flags: str) -> ctypes.CDLL:
    """One library of several files."""
    files = [f"{word}{FORMS[form]}" for word in texts]
    for file, text in zip(files, texts.values(), strict=True):
        (folder / file).write_text(text)
    subprocess.run(["gfortran", *STRICT, *flags, "-shared", "-fPIC", *files, "-o", "all.so"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "all.so"))


def symbol(lib: ctypes.CDLL, form: str, word: str, suffix: str) -> Callable[..., int]:
    """A procedure of a library, by the names that the compiler gives."""
    function: Callable[..., int] = lib[
        f"__{word}_module_MOD_{word}{suffix}" if form == "fortran" else f"{word}{suffix}_"
    ]
    return function


def call(function: Callable[..., int], given: list[np.ndarray], sizes: list[int], dtype: str) -> list[np.ndarray]:
    results = [np.full(size, np.nan, dtype) for size in sizes]
    arrays = [np.ascontiguousarray(a, dtype) for a in given] + results
    function(*(a.ctypes.data_as(ctypes.c_void_p) for a in arrays))
    return results


def errors(
    name: str, lib: ctypes.CDLL, form: str, order: int, dtype: str = "float64", pack: bool = False
) -> list[float]:
    """The largest error of each result of one procedure, in u·M."""
    x, wanted, sizes = truth(name)
    if pack:
        wanted, sizes = [packed(a) for a in wanted], [packed(a) for a in sizes]
    function = symbol(lib, form, WORDS[name], SUFFIXES[order])
    worst = [0.0] * (order + 1)
    for row in range(len(x)):
        got = call(function, [x[row]], [w[row].size for w in wanted[: order + 1]], dtype)
        for level, result in enumerate(got):
            size = sizes[level][min(row, len(sizes[level]) - 1)]
            worst[level] = max(worst[level], units(result, wanted[level][row], size, dtype))
    return worst


def expect_within(
    name: str, lib: ctypes.CDLL, form: str, order: int, dtype: str = "float64", pack: bool = False
) -> None:
    """Value and derivatives are within their counted roundings."""
    for level, error in enumerate(errors(name, lib, form, order, dtype, pack)):
        limit = counted(name, 3)[NAMES[level]]
        assert error <= max(limit, 4), f"{name}, {NAMES[level]} of order {order}: {error:.1f} u·M, {limit} counted"


def compiled(folder: Path, form: str, names: Iterable[str]) -> ctypes.CDLL:
    """A library of networks with derivatives to third order."""
    return library(folder, form, {WORDS[n]: all_networks()[n].code(form, 3, name=WORDS[n]) for n in names}, "-O0")


# Both forms share all but lines and constants: in fixed form some networks say enough.
CASES = [*(("fortran", name) for name in all_networks()), *(("fortran-fixed", name) for name in networks())]


@pytest.mark.parametrize(("form", "name"), CASES)
def test_orders_up_to_three_are_within_their_roundings(tmp_path: Path, form: str, name: str) -> None:
    lib = compiled(tmp_path, form, [name])
    for order in range(4):
        expect_within(name, lib, form, order)
    assert symbol(lib, form, WORDS[name], "_check")() == 0


@pytest.mark.parametrize("form", FORMS)
def test_worst_errors(tmp_path: Path, form: str) -> None:
    lib = compiled(tmp_path, form, networks())
    table = {name: errors(name, lib, form, 3) for name in networks()}
    for level, quantity in enumerate(NAMES):
        name = max(table, key=lambda n: table[n][level])
        limit = counted(name, 3)[quantity]
        print(f"{form}, order {level}: {table[name][level]:.2f} u·M ({name}; {limit} counted)")
        assert table[name][level] <= max(limit, 4)


@cache
def texts(form: str, way: str) -> dict[str, str]:
    options = {"packed": {"packed": True}, "float32": {"dtype": "float32"}, "unrolled": {"unroll": True}, "": {}}[way]
    return {WORDS[name]: networks()[name].code(form, 2, name=WORDS[name], **options) for name in SOME}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["packed", "float32", "unrolled", ""])
def test_other_forms(tmp_path: Path, form: str, way: str) -> None:
    flags = {"unrolled": ["-O0"], "": ["-O3", "-march=native"]}.get(way, ["-O2"])
    lib = library(tmp_path, form, texts(form, way), *flags)
    for name in SOME:
        expect_within(name, lib, form, 2, "float32" if way == "float32" else "float64", way == "packed")
        assert symbol(lib, form, WORDS[name], "_check")() == 0


@pytest.mark.parametrize("form", FORMS)
def test_products_with_vectors(tmp_path: Path, form: str) -> None:
    f = networks()["product"]
    text = f.code(form, 0, name="p", products=["jvp", "vjp", "hvp"])
    lib = library(tmp_path, form, {"p": text}, "-O2")
    x, rng = points(f, 1), np.random.default_rng(2)
    v, w = rng.normal(size=3), rng.normal(size=2)
    wanted = f.jvp(x[0], v), f.vjp(x[0], w), f.hvp(x[0], v, w)
    for name, given, result in zip(("jvp", "vjp", "hvp"), ([v], [w], [v, w]), wanted, strict=True):
        got = call(symbol(lib, form, "p", f"_{name}"), [x[0], *given], [result.size], "float64")[0]
        np.testing.assert_allclose(got, result, rtol=1e-13)
    assert symbol(lib, form, "p", "_check")() == 0


def expect_limits(text: str, form: str) -> None:
    """Lines end where the columns of a form do, and statements have no more lines than it allows."""
    columns, most = {"fortran": (132, 255), "fortran-fixed": (72, 19)}[form]
    run = 0
    for line in text.splitlines():
        assert len(line) <= columns or line.startswith("!")
        assert line.isascii()
        run = run + 1 if (line.endswith("&") if form == "fortran" else line.startswith("     &")) else 0
        assert run <= most


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["packed", "float32", "unrolled", ""])
def test_lines_and_statements_keep_their_limits(form: str, way: str) -> None:
    for text in texts(form, way).values():
        expect_limits(text, form)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("unroll", [False, True])
def test_large_sums_and_arrays_are_cut(tmp_path: Path, form: str, unroll: bool) -> None:
    rng = np.random.default_rng(6)
    size = (20, 130) if unroll else (30, 130)
    f = na.Network.from_layers(
        [(rng.normal(size=size), rng.normal(size=size[0])), (np.ones((1, size[0])), None)], "tanh"
    )
    text = f.code(form, 1, unroll=unroll)
    expect_limits(text, form)
    x = rng.normal(size=130)
    got = call(symbol(library(tmp_path, form, {"f": text}), form, "f", "_jacobian"), [x], [1, 130], "float64")
    np.testing.assert_allclose(got[0], f(x), rtol=1e-13)
    np.testing.assert_allclose(got[1], f.jacobian(x)[0], rtol=1e-11, atol=1e-13)


def test_fixed_form_has_nothing_that_threads_share_and_write() -> None:
    for way in ("packed", "unrolled", ""):
        for text in texts("fortran-fixed", way).values():
            assert not re.search(r"\b(save|module|use)\b", re.sub(r"!.*", "", text))
            for name in re.findall(r"common /\w+/ (.*)", text):
                for array in name.split(", "):
                    assert not re.search(rf"^\s*{array}\([^)]*\) =", text, re.MULTILINE)
            assert "subroutine" not in re.sub(r"recursive subroutine|end subroutine", "", text)


# The self-test --------------------------------------------------------------------------------------------------------


def driver(form: str) -> str:
    use, declared = ("  use f_module\n", "") if form == "fortran" else ("", "  integer, external :: f_check\n")
    return f"program main\n{use}  implicit none\n{declared}  print '(i0)', f_check()\nend program main\n"


def run(folder: Path, form: str, text: str, *flags: str) -> str:
    """What a program prints that runs the self-test."""
    (folder / f"f{FORMS[form]}").write_text(text)
    (folder / "main.f90").write_text(driver(form))
    command = ["gfortran", *STRICT, *flags, f"f{FORMS[form]}", "main.f90", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run([folder / "main"], capture_output=True, text=True, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["tanh", "softmax output", "maximum", "wide"])
def test_the_self_test_is_clean_under_sanitizers(tmp_path: Path, form: str, name: str) -> None:
    text = networks()[name].code(form, 3, products=["vjp", "hvp"])
    assert run(tmp_path, form, text, *SANITIZED) == "0"


@pytest.mark.parametrize("form", FORMS)
def test_the_self_test_notices_a_wrong_weight(tmp_path: Path, form: str) -> None:
    text = networks()["tanh"].code(form, 2)
    assert run(tmp_path, form, text, "-O1") == "0"
    start = {"fortran": r"w2\(0:15\) = \[", "fortran-fixed": r"data \(w2\(i\), i = 0, 15\)\s+(?:& )?/"}[form]
    first = re.search(rf"{start}(-?[0-9.]+)", text)
    assert first is not None
    wrong = text[: first.start(1)] + repr(float(first[1]) * (1 + 1e-9)) + text[first.end(1) :]
    assert int(run(tmp_path, form, wrong, "-O1")) > 0


# Numbers and names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_weights_read_back_to_the_same_bits(tmp_path: Path, form: str, dtype: str) -> None:
    largest = float(np.finfo(dtype).max)
    numbers = np.array([0.1, -1e-30, largest, 1 / 3, 123456789.123456789, -0.0, 1e22, 2.0**-100, -7.0], dtype)
    f = na.Network.from_layers([(np.eye(9), numbers.astype(float))])
    lib = library(tmp_path, form, {"f": f.code(form, 0, dtype=dtype)})
    (got,) = call(symbol(lib, form, "f", ""), [np.full(9, -0.0)], [9], dtype)
    assert got.tobytes() == numbers.tobytes()


HOSTILE = ['a; system("id"); //', "*/", "</script>", "ünïcode 漢字", "end module", "X1", "x1", "real", "&\nstop\n"]


@pytest.mark.parametrize("form", FORMS)
def test_names_from_files_are_data(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    outputs = [f"{n} y" for n in HOSTILE]
    f = na.Network.from_layers([(rng.normal(size=(9, 9)), None)], input_names=HOSTILE, output_names=outputs)
    text = f.code(form, 1, name='x"; system("id")')
    assert "system(" not in text
    assert not re.search(r"^\s*stop", text, re.MULTILINE)
    assert library(tmp_path, form, {"f": text})
    assert "x1_2 (X1)" in text


WORDS_OF_HOSTS = ["end", "Real", "y", "k", "z1", "z", "data", "exp", "hess", "check_x", "w1", "parts", "_", "é", "wp"]


@pytest.mark.parametrize("form", FORMS)
def test_any_name_compiles(tmp_path: Path, form: str) -> None:
    f = networks()["gelu"]
    codes = {f"s{i}": f.code(form, 2, name=name) for i, name in enumerate(WORDS_OF_HOSTS)}
    assert library(tmp_path, form, codes, "-O0")
