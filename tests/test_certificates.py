"""Certificates as values: they propagate, and they are written and read without a change."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra import cli
from neuralgebra.algebra.certificate import Certificate, Execution
from neuralgebra.algebra.certified import Certified
from neuralgebra.errors import InputError, LoadError, NotCertifiedError, OutputError, UsageError
from neuralgebra.network.box import Box

Run = Callable[..., tuple[int, str, str]]
SIGMA = {"tanh": mpmath.tanh, "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)), "cos": mpmath.cos}


def square(low: float = -1.0, high: float = 1.0, tol: float = 1e-5, activation: str = "tanh", **options: Any) -> Any:
    """x² as plain layers."""
    return (na.Network.identity(1) ** 2).plain(activation, [(low, high)], tol, **options)


def value(network: na.Network, x: Any) -> Any:
    """Return what a network gives in 60 digits, layer by layer: a walk of its own."""
    places = [[mpmath.mpf(float(v)) for v in x]]
    for node in network.nodes:
        first, layer = places[node.inputs[0]], node.layer
        match layer:
            case na.Affine():
                weight, bias = layer.weight.dense(), np.zeros(layer.weight.rows) if layer.bias is None else layer.bias
                rows = zip(weight.tolist(), bias.tolist(), strict=True)
                places.append([mpmath.fdot(row, first) + b for row, b in rows])
            case na.Elementwise():
                name = layer.activations[0][0].name
                places.append([z * z if name == "square" else SIGMA[name](z) for z in first])
            case na.Multiply():
                places.append([u * v for u, v in zip(first, places[node.inputs[1]], strict=True)])
            case na.Select():
                places.append([first[i] for i in layer.indices])
            case na.Concatenate():
                places.append([v for i in node.inputs for v in places[i]])
            case _:
                raise AssertionError(layer)
    return places[network.output]


# Propagation ------------------------------------------------------------------------------------------------------


@st.composite
def approximations(draw: st.DrawFn) -> Certified:
    """A network with one hidden layer, which another one stands for: some weights moved, and bounds of that."""
    seed, size = draw(st.integers(0, 2**31)), draw(st.sampled_from([1e-2, 1e-6]))
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=(3, 2)), rng.normal(size=3)), (rng.normal(size=(1, 3)), rng.normal(size=1))]
    f = na.Network.from_layers(pairs, "tanh")
    (a, b), (c, d) = pairs
    g = na.Network.from_layers([(a, b), (c + size * rng.uniform(-1, 1, size=c.shape), d)], "tanh")
    box, bound = Box((-1.0, -1.0), (1.0, 1.0)), 3.0 * size  # |tanh| <= 1, three neurons
    hashes = g.digest.hex(), f.digest.hex()
    real = Certificate((bound,), box, *hashes)
    return Certified(g, real, Certificate((bound + 1e-12,), box, *hashes, Execution("float64", 4)), f)


@settings(max_examples=5, deadline=None)
@given(approximations(), approximations(), st.sampled_from([0.5, -2.0, 1.0, 0.0]), st.integers(0, 2**31))
def test_bounds_of_combinations_hold(f: Certified, g: Certified, c: float, seed: int) -> None:
    outer = square(-40.0, 40.0, 1e-2)
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.uniform(-1, 1, size=(3, 2)), [[1.0, 1.0]]])
    with mpmath.workdps(60):
        for p in (f + g, f - g, f * g, f * f, c * f, f + c, 1 - g, -f, outer @ f, (f * g) - f):
            assert p.certificate is not None and p.execution is not None  # noqa: PT018
            for x in points:
                off = abs(value(p.network, x)[0] - value(p.reference, x)[0])
                assert off <= p.certificate.bound
                executed = mpmath.mpf(float(p.network(x)[0]))
                assert abs(executed - value(p.reference, x)[0]) <= p.execution.bound


def test_bounds_of_combinations_are_what_the_rules_say() -> None:
    f, g = square(tol=1e-4), square(tol=1e-6)
    a, b = f.certificate.bound, g.certificate.bound
    for p, bound in ((f + g, a + b), (f - g, a + b), (2 * f, 2 * a), (f * g, a + b + a * b), (f + 1, a)):
        assert p.certificate is not None
        assert bound <= p.certificate.bound <= 1.01 * bound
    wide = square(-2, 2, 1e-4)
    composed = (wide @ f).certificate
    assert composed is not None
    assert wide.certificate.bound + 2 * a <= composed.bound <= wide.certificate.bound + 2.01 * a


def test_both_kinds_are_kept_apart() -> None:
    p = square(dtype="float32", tol=1e-3)
    for made in (p + p, p * p, 2 * p):
        assert made.certificate is not None and made.execution is not None  # noqa: PT018
        assert made.certificate.execution is None
        assert made.execution.execution == Execution("float32", 4)
        assert made.certificate.bound < made.execution.bound


def test_plain_again() -> None:
    p = square(tol=1e-5) * square(tol=1e-5)
    again = p.plain("tanh", 1e-4)
    assert again.reference == p.reference
    x = np.linspace(-1, 1, 401)[:, None]
    assert again.execution is not None
    assert abs(again.network(x) - x**4).max() <= again.execution.bound <= 1.3e-4
    assert all(name in ("tanh",) for name in {f.name for n in again.network.nodes for f in _functions(n.layer)})


def _functions(layer: Any) -> list[Any]:
    return [f for f, _ in layer.activations] if isinstance(layer, na.Elementwise) else []


def test_boxes_are_met_and_misfits_refused() -> None:
    both = square(-1, 0.5) + square(-0.25, 2)
    assert both.certificate is not None
    assert both.certificate.box == Box((-0.25,), (0.5,))
    with pytest.raises(InputError, match="boxes that meet"):
        square(-1, 0) + square(1, 2)
    with pytest.raises(NotCertifiedError, match="larger one outside"):
        square(-1, 1) @ square(-2, 2)
    with pytest.raises(InputError, match="one dtype"):
        square(tol=1e-3) + square(tol=1e-3, dtype="float32")
    with pytest.raises(InputError, match="float32 holds"):
        square(tol=1e-3, dtype="float32") * 0.1
    with pytest.raises(UsageError, match="a number expected"):
        square() + "1"
    x = na.Network.identity(1)
    with pytest.raises(UsageError, match="without certificates"):
        (x + x).plain("relu") * 2


# Text -------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0, allow_infinity=False, allow_nan=False), min_size=1, max_size=3),
    st.lists(
        st.tuples(*[st.floats(allow_nan=False, allow_infinity=False)] * 2).map(lambda p: tuple(sorted(p))),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from([None, Execution("float32", 4), Execution("float64", 0)]),
)
def test_text_is_read_back_exactly(bounds: list[float], ranges: list[Any], execution: Execution | None) -> None:
    box = Box(tuple(a for a, _ in ranges), tuple(b for _, b in ranges))
    certificate = Certificate(tuple(bounds), box, "0123", "cdef", execution)
    found = Certificate.from_json(certificate.to_json())
    assert found == certificate
    assert [v.hex() for v in found.bounds] == [v.hex() for v in bounds]


GOOD = Certificate((0.5,), Box((-1.0,), (1.0,)), "0a", "0b", Execution("float64", 4)).to_json()
BAD = {
    "": None,
    "not JSON": "{",
    "a list": "[]",
    "deep": "[" * 100_000,
    "a key is missing": ("reference", None),
    "a version": ("version", 2),
    "a version that is true": ("version", True),
    "a decimal": ("bounds", ["0.5"]),
    "a number": ("bounds", [0.5]),
    "no bounds": ("bounds", []),
    "infinity": ("bounds", ["inf"]),
    "a negative bound": ("bounds", ["-0x1.0000000000000p-1"]),
    "another decimal": ("decimal", [0.25]),
    "an inverted box": ("box", {"low": ["0x1.8000000000000p+0"], "high": ["0x1.0000000000000p+0"]}),
    "a box of two lengths": ("box", {"low": [], "high": ["0x1.0000000000000p+0"]}),
    "a hash": ("network", "../../etc"),
    "a dtype": ("execution", {"dtype": "float16", "ulps": 4}),
    "ulps": ("execution", {"dtype": "float64", "ulps": -1}),
    "more": ("execution", {"dtype": "float64", "ulps": 4, "more": 1}),
}


@pytest.mark.parametrize("case", BAD)
def test_other_texts_are_refused(case: str) -> None:
    change = BAD[case]
    document = json.loads(GOOD)
    if isinstance(change, tuple):
        document[change[0]] = change[1]
        if change[1] is None:
            del document[change[0]]
    with pytest.raises(InputError) as caught:
        Certificate.from_json(json.dumps(document) if isinstance(change, tuple) else change or "")
    assert len(str(caught.value).splitlines()) <= 3


def test_weaker_bounds() -> None:
    certificate = Certificate.from_json(GOOD)
    assert 0.55 <= certificate.weaker(0.1).bound <= 0.5501
    for margin in (-0.1, math.nan, math.inf):
        with pytest.raises(InputError, match="margin"):
            certificate.weaker(margin)


# Files ------------------------------------------------------------------------------------------------------------


def test_files_hold_all(tmp_path: Path) -> None:
    path, p = tmp_path / "cert.json", square()
    na.save_certificate(p, path, margin=0.0)
    found = na.load_certificate(path)
    hashes = {part: getattr(found, part)["sha256"] for part in ("network", "reference")}
    assert found.certificates == tuple(replace(c, **hashes) for c in (p.certificate, p.execution))
    found.expect(p.network)
    found.expect(p.reference, "reference")
    with pytest.raises(OutputError, match="exists"):
        na.save_certificate(p, path)
    na.save_certificate(p * p, path, overwrite=True)
    with pytest.raises(NotCertifiedError, match="another network"):
        na.load_certificate(path).expect(p.network)
    x = na.Network.identity(1)
    with pytest.raises(UsageError, match="without certificates"):
        na.save_certificate((x + x).plain("relu"), path, overwrite=True)


def test_one_unit_in_the_last_place_is_another_network(tmp_path: Path) -> None:
    path, p = tmp_path / "cert.json", square()
    na.save_certificate(p, path)
    layers = [(a.copy(), b) for a, b in p.layers_list()]
    layers[1][0][0, 0] = np.nextafter(layers[1][0][0, 0], np.inf)
    with pytest.raises(NotCertifiedError, match="factor of"):
        na.load_certificate(path).expect(na.Network.from_layers(layers, "tanh"))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(format="other"),
        lambda d: d.update(certificates=[]),
        lambda d: d.update(more=1),
        lambda d: d["network"].pop("values"),
        lambda d: d["network"].update(sha256="0"),
        lambda d: d["network"]["values"][0].update(of=[5]),
        lambda d: d["certificates"][0].update(version=3),
        lambda d: d.update(network=[]),
        lambda d: d.update(certificates=5),
    ],
)
def test_damaged_files_are_refused(change: Callable[[Any], Any], tmp_path: Path) -> None:
    path = tmp_path / "cert.json"
    na.save_certificate(square(), path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(LoadError):
        na.load_certificate(path)


def test_what_the_checker_does_not_know_is_not_decided(tmp_path: Path) -> None:
    path = tmp_path / "cert.json"
    na.save_certificate(na.Network.function("mish").plain("tanh", [(-1, 1)], 1e-2), path)
    with pytest.raises(NotCertifiedError, match="mish"):
        na.load_certificate(path).verify()


# The command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; return exit code, output and error text."""

    def command(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_commands(run: Run, tmp_path: Path) -> None:
    f, g, cert = tmp_path / "f.safetensors", tmp_path / "g.onnx", tmp_path / "cert.json"
    (na.Network.identity(1) ** 2).save(f)
    options = ("--activation", "gelu", "--box", "x1=-1:1", "--tol", "1e-4", "--dtype", "float64")
    code, _, error = run("plain", f, *options, "-o", g, "--certificate", cert)
    assert (code, error) == (0, "")
    code, said, _ = run("verify", cert, g, "--reference", f)
    assert code == 0
    assert [line.count("verified") for line in said.splitlines()] == [1, 1]
    assert "as real numbers" in said.splitlines()[0]
    code, said, _ = run("verify", cert, g, "--json")
    assert [entry["state"] for entry in json.loads(said)] == ["verified", "verified"]
    code, _, error = run("verify", cert, f)
    assert (code, "another network" in error) == (5, True)
    assert run("verify", cert, g, "--reference", g)[0] == 5
    assert run("verify", cert, g, "--seconds", "0")[0] == 5
    assert run("verify", g, g)[0] == 3
    assert run("plain", f, *options, "--certificate", cert)[0] == 7
    assert run("plain", f, "--activation", "square", "--certificate", tmp_path / "other.json")[0] == 2
    rows = tmp_path / "rows.csv"
    rows.write_text("x1\n0.5\n2\n-3\n")
    code, said, error = run("eval", g, rows, "--certificate", cert)
    assert (code, len(said.splitlines())) == (0, 4)
    assert error == "warning: 2 of 3 rows are outside the certified domain, row 2 first.\n"
    rows.write_text("x1\n0.5\n")
    assert run("eval", g, rows, "--certificate", cert)[2] == ""
