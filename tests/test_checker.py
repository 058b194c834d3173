"""The independent checker: what holds is verified, what does not is not, and a checker with a gap is found out."""

from __future__ import annotations

import ast
import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra import checker
from neuralgebra.algebra.certificate import Certificate, Execution
from neuralgebra.algebra.certified import Certified
from neuralgebra.files.certificates import certificate_text
from neuralgebra.network.box import Box

SOURCE = Path(checker.__file__)
ONE = [(-1.0, 1.0)]


def cube(activation: str, tol: float, dtype: str = "float64") -> Any:
    """x · x² on [-1, 1]."""
    x = na.Network.identity(1)
    return (x * x**2).plain(activation, ONE, tol, dtype=dtype)


def product(activation: str, tol: float, dtype: str = "float64") -> Any:
    """x · y on [-1, 1]²."""
    x, y = na.Network.identity(2)
    return (x * y).plain(activation, ONE * 2, tol, dtype=dtype)


def states(text: str, seconds: float = 20.0) -> list[str]:
    """Return what the checker says of both claims."""
    return [verdict.state for verdict in checker.check(text, seconds)]


def changed(text: str, change: Callable[[dict[str, Any]], None], hashed: bool = True) -> str:
    """Return a certificate with something else in it, its hashes renewed or not."""
    document = json.loads(text)
    change(document)
    for part in ("network", "reference") if hashed else ():
        section = document[part]
        content = {key: section[key] for key in ("inputs", "values", "outputs")}
        written = json.dumps(content, sort_keys=True, separators=(",", ":"))
        section["sha256"] = hashlib.sha256(written.encode()).hexdigest()
    return json.dumps(document)


def bounded(text: str, *bounds: float) -> str:
    """Return a certificate with these bounds."""

    def change(document: dict[str, Any]) -> None:
        for certificate, bound in zip(document["certificates"], bounds, strict=True):
            certificate["bounds"] = [float(bound).hex()]

    return changed(text, change)


# What it is -------------------------------------------------------------------------------------------------------


def test_it_is_short_and_stands_alone() -> None:
    assert len(SOURCE.read_text().splitlines()) < 300
    imported = set()
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert not node.level
            imported.add(node.module.split(".")[0])
    assert imported - set(sys.stdlib_module_names) == {"flint"}


def test_it_runs_alone(tmp_path: Path) -> None:
    copy, certificate = tmp_path / "alone.py", tmp_path / "cert.json"
    copy.write_text(SOURCE.read_text())
    certificate.write_text(certificate_text(cube("gelu", 1e-6)))
    done = subprocess.run([sys.executable, "-I", copy, certificate, "20"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == [
        "real numbers: verified",
        "executions in float64: verified",
    ]
    certificate.write_text(bounded(certificate.read_text(), 1e-9, 1e-9))
    assert subprocess.run([sys.executable, "-I", copy, certificate], capture_output=True, check=False).returncode == 5


# What holds is verified -------------------------------------------------------------------------------------------

CASES = [
    ("relu", 1e-2, "float64"),
    ("relu", 1e-2, "float32"),
    ("tanh", 1e-6, "float64"),
    ("tanh", 1e-3, "float32"),
    ("sigmoid", 1e-6, "float64"),
    ("sigmoid", 1e-3, "float32"),
    ("cos", 1e-6, "float64"),
    ("cos", 1e-3, "float32"),
    ("gelu", 1e-7, "float64"),
    ("gelu", 1e-3, "float32"),
    ("silu", 1e-4, "float64"),
]


@pytest.mark.parametrize(("activation", "tol", "dtype"), CASES)
def test_products_are_verified(activation: str, tol: float, dtype: str) -> None:
    assert states(certificate_text(cube(activation, tol, dtype))) == ["verified", "verified"]


@pytest.mark.parametrize(("activation", "tol"), [("relu", 0.2), ("sigmoid", 1e-6), ("gelu", 1e-6)])
def test_products_in_two_variables_are_verified(activation: str, tol: float) -> None:
    assert states(certificate_text(product(activation, tol))) == ["verified", "verified"]


def test_what_is_made_of_certified_layers_is_verified() -> None:
    f = cube("tanh", 1e-5)
    assert states(certificate_text(f * f - f * 0.5 + 1)) == ["verified", "verified"]
    wide = (na.Network.identity(1) ** 2).plain("gelu", [(-2, 2)], 1e-4)
    assert states(certificate_text(wide @ f)) == ["verified", "verified"]


@pytest.mark.parametrize("name", sorted(checker.FUNCTIONS))
def test_functions_are_those_of_the_catalogue(name: str) -> None:
    function = na.Network.function(name)
    with flint.ctx.workprec(120):
        for order in (0, 1):
            coefficients = checker.series(name, order, flint.arb(0.75), 4)
            for k, value in enumerate(coefficients):
                exact = function.derivative([0.75], (order + k,))[0] / math.factorial(k)
                assert float(value) == pytest.approx(exact, rel=1e-12, abs=1e-14)


# What does not hold is not ----------------------------------------------------------------------------------------


def error(p: Any) -> float:
    """Return the largest error that is seen at points of the box."""
    x = np.linspace(-1, 1, 2001)[:, None]
    return float(abs(p.network(x) - p.reference(x)).max())


@pytest.mark.parametrize(("activation", "tol", "dtype"), CASES[:6])
def test_bounds_below_the_error_are_refuted(activation: str, tol: float, dtype: str) -> None:
    p = cube(activation, tol, dtype)
    text = certificate_text(p)
    bound = 0.95 * error(p)
    real, executed = states(bounded(text, bound, bound / 2), 3)
    assert real == "refuted"
    assert executed != "verified"  # refuted, unless roundings could make up for the error


def test_a_changed_number_is_caught() -> None:
    text = certificate_text(cube("tanh", 1e-6))

    def one_ulp(document: dict[str, Any]) -> None:
        value = document["network"]["values"][-1]
        value["sum"][0] = float(np.nextafter(float.fromhex(value["sum"][0]), np.inf)).hex()

    def sign(document: dict[str, Any]) -> None:
        value = document["network"]["values"][-1]
        value["sum"][0] = (-float.fromhex(value["sum"][0])).hex()

    def bias(document: dict[str, Any]) -> None:
        value = document["reference"]["values"]
        value.append({"sum": ["0x1.0p+0"], "of": document["reference"]["outputs"], "bias": "0x1.0p-19"})
        document["reference"]["outputs"] = [document["reference"]["inputs"] + len(value) - 1]

    for change in (one_ulp, sign, bias):
        with pytest.raises(ValueError, match="hash"):
            checker.check(changed(text, change, hashed=False))
    assert states(changed(text, sign)) == ["refuted", "refuted"]
    assert states(changed(text, bias)) == ["refuted", "refuted"]


def test_one_unit_in_the_last_place_breaks_a_tight_bound() -> None:
    """g = x and f = x, bound 0: any other weight is a difference."""
    f = na.Network.from_layers([([[1.0]], [0.0])])
    p = f.plain("relu", ONE, 1e-3)
    text = bounded(certificate_text(p, 0), 0.0, 1e-15)
    assert states(text)[0] == "verified"

    def one_ulp(document: dict[str, Any]) -> None:
        value = document["network"]["values"][-1]
        value["sum"][0] = float(np.nextafter(float.fromhex(value["sum"][0]), np.inf)).hex()

    assert states(changed(text, one_ulp))[0] == "refuted"


def test_values_are_made_of_earlier_ones() -> None:
    def ahead(document: dict[str, Any]) -> None:
        document["network"]["values"][0]["of"] = [-1]

    with pytest.raises(ValueError, match="earlier"):
        checker.check(changed(certificate_text(cube("cos", 1e-3)), ahead))


def test_without_time_nothing_is_verified() -> None:
    assert states(certificate_text(cube("cos", 1e-3)), 0.0) == ["not decided", "not decided"]


# A checker with a gap ---------------------------------------------------------------------------------------------


def claims(g: na.Network, f: na.Network, bound: float, dtype: str = "float32") -> str:
    """Return a certificate that claims one bound of both kinds on [-1, 1]ⁿ."""
    box = Box((-1.0,) * g.input_size, (1.0,) * g.input_size)
    made = [
        Certificate((bound,) * g.output_size, box, g.digest.hex(), f.digest.hex(), execution)
        for execution in (None, Execution(dtype, 4))
    ]
    return certificate_text(Certified(g, made[0], made[1], f), 0.0)


def without(kind: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Return the mistake of a checker that forgets the rounding of sums, products or functions."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        right = checker.moves

        def wrong(found: str, *arguments: Any) -> Any:
            slopes, size, relative, absolute = right(found, *arguments)
            return (slopes, size, 0 * relative, 0) if found == kind else (slopes, size, relative, absolute)

        patch.setattr(checker, "moves", wrong)

    return plant


def no_remainder(patch: pytest.MonkeyPatch) -> None:
    right = checker.series

    def wrong(name: str, order: int, z: Any, length: int) -> Any:
        return right(name, order, z, length) if z.is_exact() else [flint.arb(0)] * length

    patch.setattr(checker, "series", wrong)


def nothing_cut(patch: pytest.MonkeyPatch) -> None:
    """Products lose what is above the degree."""
    right = checker.product

    def wrong(first: Any, second: Any, degree: int) -> Any:
        low = [model[0][: degree // 2 + 1] for model in (first, second)]
        return right((low[0], first[1]), (low[1], second[1]), degree)

    patch.setattr(checker, "product", wrong)


SUM = na.Network.from_layers([(np.float32([[0.1, 0.3, 0.7]]), np.float32([0.2]))])
TIMES, TANH = na.Network.from_layer(na.Multiply(), 1, 1), na.Network.function("tanh")
TWELVE = na.Network.identity(1) ** 12


@pytest.mark.parametrize(
    ("plant", "text"),
    [
        (no_remainder, claims(na.Network.from_layers([([[0.0]], [1.0])]), na.Network.function("cos"), 0.1, "float64")),
        (without("sum"), claims(SUM, SUM, 2e-8)),
        (without("product"), claims(TIMES, TIMES, 2e-8)),
        (without("function"), claims(TANH, TANH, 2e-7)),
        (nothing_cut, claims(na.Network.from_layers([([[0.0]], [0.0])]), TWELVE, 0.9, "float64")),
    ],
)
def test_planted_mistakes_are_seen(
    plant: Callable[[pytest.MonkeyPatch], None], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each text has a claim that is wrong, see below; with the mistake the checker would verify it."""
    assert states(text, 2.0) != ["verified", "verified"]
    plant(monkeypatch)
    assert states(text, 2.0) == ["verified", "verified"]


def test_those_claims_are_wrong() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(4000, 3)).astype(np.float32)
    wide, narrow = x.astype(float), [np.float64(np.float32(w)) for w in (0.1, 0.3, 0.7, 0.2)]
    exact = wide @ np.array(narrow[:3]) + narrow[3]
    assert abs(SUM(x)[:, 0].astype(float) - exact).max() > 2e-8
    assert abs((x[:, 0] * x[:, 1]).astype(float) - wide[:, 0] * wide[:, 1]).max() > 2e-8
    assert 4 * np.spacing(np.float32(0.76)) > 2e-7  # an execution may be off by so much at the end of the range
    assert 1 - math.cos(1) > 0.1
    assert 1.0**12 > 0.9


@pytest.mark.parametrize("name", ["sin", "tanh", "gelu", "softplus"])
def test_models_contain_the_function(name: str) -> None:
    """At points of a part so wide that what is cut off is seen."""
    with flint.ctx.workprec(120):
        low, high = Fraction(1, 8), Fraction(9, 8)
        part = checker.Part([low], [high])
        terms, faint = part.smooth(name, 0, part.inputs[0])
        assert sum(map(abs, faint.values())) > 1e-14
        for t in (-1, Fraction(-1, 3), Fraction(1, 2), Fraction(7, 8), 1):
            x = checker.number((low + high) / 2 + t * (high - low) / 2)
            value = sum((v * checker.number(Fraction(t)) ** k for k, by in enumerate(terms) for v in by.values()))
            exact = checker.series(name, 0, x, 1)[0]
            assert (value + flint.arb(0, 1) * sum(map(abs, faint.values()))).contains(exact)


def test_roundings_are_carried_on() -> None:
    """16 tanh(x): an execution may be off by 16 times 4 units in the last place of tanh, 3.8e-6."""
    g = na.Network.from_layers([([[1.0]], None), (np.float32([[16.0]]), None)], "tanh")
    assert states(claims(g, g, 3e-6), 2.0)[1] != "verified"
    assert states(claims(g, g, 8e-6), 2.0)[1] == "verified"
