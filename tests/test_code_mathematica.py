"""Wolfram Language: what Mathics computes is within the counted roundings, and the self-test notices errors.

``pytest -s -k worst tests/test_code_mathematica.py`` prints the largest errors of each order. Mathics runs where it is
on the path or named by NEURALGEBRA_MATHICS: ``python3 -m venv mathics; mathics/bin/pip install Mathics3 packaging``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from code_oracles import NAMES, all_networks, counted, networks, truth, units
from neuralgebra.errors import InputError

MATHICS = os.environ.get("NEURALGEBRA_MATHICS") or shutil.which("mathics")
needs_mathics = pytest.mark.skipif(not MATHICS, reason="Mathics is not on the path, nor named by NEURALGEBRA_MATHICS")
SOME = ("tanh", "gelu", "softplus", "relu", "softmax output", "product", "maximum", "residual", "layer power product")
SUFFIXES = ("", "Jacobian", "Hessian", "Third")
ONE = 2.0**200  # numbers are printed as integers, times this


def run(folder: Path, script: str) -> list[str]:
    """The lines that a script prints."""
    assert MATHICS
    (folder / "main.m").write_text(script)
    done = subprocess.run([MATHICS, "-f", str(folder / "main.m")], capture_output=True, text=True, cwd=folder)
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def listed(x: np.ndarray) -> str:
    """A list of numbers as they are written there."""
    return "{" + ", ".join(repr(float(v)).replace("e", "`*^") if "e" in repr(float(v)) else f"{v}`" for v in x) + "}"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[list[np.ndarray]]]:
    """For each network and order: what the function of that order gives, flat."""
    folder, lines = tmp_path_factory.mktemp("wl"), []
    for i, name in enumerate(SOME):
        (folder / f"n{i}.wl").write_text(all_networks()[name].code("mathematica", 3, name=f"n{i}", check=False))
        lines.append(f'Get["{folder}/n{i}.wl"]')
        for suffix in SUFFIXES:
            value = f"n{i}{suffix}[{listed(truth(name)[0][0])}]"
            lines.append(f"Print[Map[Round[{ONE!r}*Flatten[{{#}}]] &, {value if suffix else f'{{{value}}}'}]]")
    printed = iter(run(folder, "\n".join(lines).replace(repr(ONE), "2.^200")))
    found: dict[str, list[list[np.ndarray]]] = {}
    for name in SOME:
        found[name] = []
        for _ in SUFFIXES:
            groups = re.findall(r"\{([^{}]*)\}", next(printed))
            found[name].append([np.array([int(n) / 2**200 for n in g.split(",")]) for g in groups])
    return found


def errors(name: str, got: list[np.ndarray]) -> list[float]:
    """The largest error of each result of one function, in u·M."""
    _, wanted, sizes = truth(name)
    return [units(a, wanted[level][0], sizes[level][0]) for level, a in enumerate(got)]


@needs_mathics
@pytest.mark.parametrize("order", range(4))
@pytest.mark.parametrize("name", SOME)
def test_orders_up_to_three_are_within_their_roundings(
    results: dict[str, list[list[np.ndarray]]], name: str, order: int
) -> None:
    assert len(results[name][order]) == order + 1
    for level, error in enumerate(errors(name, results[name][order])):
        limit = counted(name, 3)[NAMES[level]]
        assert error <= max(limit, 4), f"{NAMES[level]}: {error:.1f} u·M, {limit} counted"


@needs_mathics
def test_worst_errors(results: dict[str, list[list[np.ndarray]]]) -> None:
    table = {name: errors(name, results[name][3]) for name in SOME}
    for level, quantity in enumerate(NAMES):
        name = max(table, key=lambda n: table[n][level])
        limit = counted(name, 3)[quantity]
        print(f"mathematica, order {level}: {table[name][level]:.2f} u·M ({name}; {limit} counted)")
        assert table[name][level] <= max(limit, 4)


@needs_mathics
def test_the_self_test_and_the_products(tmp_path: Path) -> None:
    f = networks()["product"]
    text = f.code("mathematica", 1, products=["jvp", "vjp", "hvp"])
    first = re.search(r"w2 = \{\n\s*(-?[0-9.]+)`", text)
    assert first is not None
    wrong = text.replace(first[1], repr(float(first[1]) * (1 + 1e-9)), 1).replace('"f`"', '"g`"')
    for name, source in (("f", text), ("g", wrong)):
        (tmp_path / f"{name}.wl").write_text(source)
    x, v, w = truth("product")[0][0], np.array([0.5, -1.25, 2.0]), np.array([0.75, -0.5])
    calls = [f"fJvp[{listed(x)}, {listed(v)}]", f"fVjp[{listed(x)}, {listed(w)}]"]
    calls.append(f"fHvp[{listed(x)}, {listed(v)}, {listed(w)}]")
    printed = run(
        tmp_path,
        f'Get["{tmp_path}/f.wl"]\nPrint[f`fCheck[]]\n'
        + "".join(f"Print[Round[2.^200*f`{call}]]\n" for call in calls)
        + f'Get["{tmp_path}/g.wl"]\nPrint[g`fCheck[] > 0]\n',
    )
    assert (printed[0], printed[-1]) == ("0", "True")
    for line, wanted in zip(printed[1:4], (f.jvp(x, v), f.vjp(x, w), f.hvp(x, v, w)), strict=True):
        got = [int(n) / 2**200 for n in line.strip("{}").split(",")]
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


@needs_mathics
def test_mathics_reads_the_same_bits(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=200) * 10.0 ** rng.integers(-30, 30, size=200)
    text = na.Network.from_layers([(np.eye(200)[:, :1], numbers)]).code("mathematica", 0, check=False)
    (tmp_path / "f.wl").write_text(text)
    (line,) = run(tmp_path, f'Get["{tmp_path}/f.wl"]\nPrint[Round[2.^200*f`Private`b1]]\n')
    assert [int(n) / 2**200 for n in line.strip("{}").split(",")] == numbers.tolist()


def test_printed_numbers_mean_the_same_bits() -> None:
    numbers = np.array([0.1, -1e-300, 5e-324, 1.7976931348623157e308, 1 / 3, 123456789.123456789, 1e22, 2.0**-1074])
    text = na.Network.from_layers([(np.eye(8), numbers)]).code("mathematica", 0, check=False)
    body = re.search(r"b1 = \{(.*?)\}", text, re.DOTALL)
    assert body is not None
    items = [item.strip() for item in body[1].split(",")]
    assert all(re.fullmatch(r"-?\d+(\.\d*)?`(\*\^-?\d+)?", item) for item in items)
    got = np.array([float(item.replace("`*^", "e").rstrip("`")) for item in items])
    assert got.tobytes() == numbers.tobytes()


def test_names_have_no_underscores() -> None:
    text = networks()["product"].code("mathematica", 3, name="my_net_2", products=["hvp"])
    body = text[text.index("*)") :]
    assert not re.search(r"\w_[^,\]]", body)  # x_ is a pattern
    assert "myNetN2Hessian[x_] :=" in body
    assert "myNetN2Hvp[x_, v_, w_] :=" in body
    assert "myNetN2Check[] :=" in body


HOSTILE = ['a; system("id"); //', "*) Quit[]; (*", "`Private`", "ünïcode 漢字", "Module", "X1", "x1", "E", "n" * 300]


def test_names_from_files_are_data() -> None:
    f = na.Network.from_layers([(np.eye(9), None)], input_names=HOSTILE, output_names=[f"{n} y" for n in HOSTILE])
    text = f.code("mathematica", 1, name='x"; Quit[]; (*')
    assert text.isascii()
    assert text.count("(*") == text.count("*)") == 1
    assert not re.search(r"\bQuit\b|system", text[text.index("*)") :])
    assert "x1_2 (X1)" in text


def test_numbers_are_doubles() -> None:
    f = na.Network.from_layers([(np.eye(2, dtype=np.float32) / 3, None)])
    assert f.dtype == np.float32
    assert f"{float(np.float32(1) / 3)!r}`" in f.code("mathematica", 0)
    with pytest.raises(InputError, match="float32"):
        f.code("mathematica", 0, dtype="float32")
