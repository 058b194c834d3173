"""What people do with plain, certificates and claims by mistake, and functions that are steep or have kinks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra import cli
from neuralgebra.errors import (
    InputError,
    LoadError,
    OutputError,
    ResourceError,
    ShapeError,
    UnsupportedError,
    UsageError,
)

X = na.Network.identity(1)
F = na.Network.from_layers([([[1.0, 2.0], [0.5, -1]], [0.1, 0.2]), ([[1.0, -1.0]], None)], "tanh")
P = (X**2).plain("tanh", [(-1, 1)], 1e-5)


@pytest.mark.parametrize(("name", "domain", "tol"), [
    ("hardswish", (-4.0, 4.0), 1e-5), ("selu", (-4.0, 4.0), 1e-4), ("sqrt", (1e-4, 1.0), 1e-3),
    ("log", (1e-4, 1.0), 1e-2), ("reciprocal", (0.01, 1.0), 1e-2), ("atanh", (-0.999, 0.999), 1e-3),
])  # fmt: skip
def test_steep_functions_and_kinks_in_relu(name: str, domain: tuple[float, float], tol: float) -> None:
    f = na.Network.function(name)
    found = f.plain("relu", [domain], tol)
    near = np.clip(np.geomspace(1e-4, 1, 500) * domain[1], *domain)
    x = np.unique(np.concatenate([np.linspace(*domain, 5001), near]))[:, None]
    assert abs(found(x) - f(x)).max() <= found.execution.bound <= tol
    assert found.neurons < 400


def test_kinks_of_a_product_take_few_knots() -> None:
    a = na.Network.from_layers([([[1.0], [-1.5], [-0.5]], [0.6, -0.1, -0.1]), ([[0.5, 0.4, 0.1]], [-0.9])], "hardswish")
    b = na.Network.from_layers([([[2.7], [1.1], [1.4]], [-0.4, 0.3, 1.2]), ([[1.0, -0.2, -0.9]], [1.4])], "elu")
    found = (a * b).plain("relu", [(-2, 2)], 1e-3)
    x = np.linspace(-2, 2, 4001)[:, None]
    assert abs(found(x) - (a * b)(x)).max() <= found.execution.bound <= 1e-3
    assert found.neurons < 300


@pytest.mark.parametrize("name", ["log", "reciprocal", "logit", "tan", "atanh", "sqrt", "power"])
def test_activations_that_are_not_defined_everywhere_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"neurons of {name} received, which is not defined for all numbers"):
        (X**2).plain(name, [(-1, 1)], 1e-2)


@pytest.mark.parametrize("name", ["step", "identity", "abs", "sign", "hardtanh"])
def test_straight_activations_are_refused_at_once(name: str) -> None:
    with pytest.raises(UnsupportedError, match="made of straight pieces; a smooth activation, relu or leaky_relu exp"):
        (F * F).plain(name, [(0, 1)] * 2, 1e-3)


MISTAKES: dict[str, tuple[Any, type[Exception], str]] = {
    "an activation that is none": (lambda: X.plain(3), UsageError, "activation='?3'? received"),
    "no tolerance": (lambda: (F * F).plain("tanh", [(0, 1)] * 2), UsageError, "no tolerance received; tol= expected"),
    "a domain of a certified network": (lambda: P.plain("tanh", [(-1, 1)], 1e-3), UsageError, "a domain received"),
    "a domain in place of the tolerance": (lambda: P.plain("tanh", [(-1, 1)]), UsageError, "a domain received"),
    "a network beside @": (lambda: P @ X, UsageError, "Network received beside @"),
    "a network before @": (lambda: X @ P, UsageError, "Network received beside @"),
    "a quotient": (lambda: P / P, UsageError, "Plain received beside /|Certified received beside /"),
    "a division that rounds": (lambda: P / 3, UsageError, "division by 3 received, which rounds"),
    "a power that is none": (lambda: P**0.5, UsageError, "power 0.5 received; a whole number"),
    "2 to the power of a network": (lambda: 2**F, UsageError, "2 to the power of a network"),
    "saving a network": (lambda: na.save_certificate(P.network, "z.json"), UsageError, "Network received; what plain"),
    "a margin that is none": (lambda: na.save_certificate(P, "z.json", margin="a"), InputError, "margin='a'"),
    "a path that is none": (lambda: na.load_certificate(5), UsageError, "int received; the path"),
    "comparing with a number": (lambda: F.same_function(3), UsageError, "int received; a network"),
    "an inverted box": (lambda: F.same_function(F, [(1, 0)] * 2), InputError, "x1"),
    "inputs that are no number": (lambda: na.Network.identity("a"), ShapeError, "'a' inputs received"),
    "half an input": (lambda: na.Network.identity(2.5), ShapeError, "2.5 inputs received"),
    "a share that is none": (lambda: F.lipschitz([(0, 1)] * 2, share=0), InputError, "share=0 received"),
    "an output that is none": (lambda: X.certify("y9 <= 3", [(0, 1)]), UsageError, "of the output 'y9'; one of y1"),
    "a claim that is none": (lambda: X.certify("pretty", [(0, 1)]), UsageError, "one of these expected"),
    "too much to sort": (lambda: na.sorting(10**6), ResourceError, "at most 10,000"),
}


@pytest.mark.parametrize(("call", "error", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_explained(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_certified_networks_are_halved_and_raised_to_powers() -> None:
    x = np.linspace(-1, 1, 101)[:, None]
    for found, exact in ((P / 2, x**2 / 2), (P / -0.25, x**2 * -4), (P**3, x**6), (P**1, x**2)):
        error = abs(found(x) - exact).max()
        assert error <= found.execution.bound < 1e-3
        assert abs(found.reference(x) - exact).max() < 1e-12


def test_claims_that_hold_with_equality_where_nothing_is_rounded() -> None:
    for name in ("relu", "abs"):
        f = na.Network.function(name)
        assert f.certify("lipschitz <= 1", [(-1, 1)])
        assert f.lipschitz([(-1, 1)]).high == 1
        assert not f.certify("lipschitz <= 0.999", [(-1, 1)])


def test_a_claim_may_have_no_blank_before_its_sign() -> None:
    assert X.certify("y1<=1", [(-1, 1)])


# Files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def model(tmp_path: Path) -> str:
    (X**2).save(tmp_path / "q.onnx")
    return str(tmp_path / "q.onnx")


def plain(model: str, *arguments: str) -> int:
    return cli.run(["plain", model, "--activation", "tanh", "--box", "x1=-1:1", "--tol", "1e-3", *arguments])


def test_no_file_replaces_another_of_the_same_command(model: str, tmp_path: Path, capsys: Any) -> None:
    before, same = Path(model).read_bytes(), str(tmp_path / "same.onnx")
    assert plain(model, "-o", same, "--certificate", same, "--force") == 2
    assert plain(model, "--certificate", model, "--force") == 2
    assert "received for two files" in capsys.readouterr().err
    assert Path(model).read_bytes() == before
    assert not Path(same).exists()


def test_nothing_is_written_if_one_file_cannot_be(model: str, tmp_path: Path, capsys: Any) -> None:
    output = tmp_path / "zz.onnx"
    assert plain(model, "-o", str(output), "--certificate", str(tmp_path / "nodir" / "x.json")) == 7
    assert "no such folder" in capsys.readouterr().err
    assert not output.exists()


def test_exchanged_arguments_of_verify_are_told(model: str, tmp_path: Path, capsys: Any) -> None:
    na.save_certificate(P, tmp_path / "p.json")
    assert cli.run(["verify", model, str(tmp_path / "p.json")]) == 3
    assert "exchange both" in capsys.readouterr().err


def test_certificates_about_two_networks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    na.save_certificate(P, path)
    text = path.read_text()
    for part in ("network", "reference"):
        content = json.loads(text)
        content["certificates"][0][part] = "00" * 32
        path.write_text(json.dumps(content))
        with pytest.raises(LoadError, match="other networks than those of the file"):
            na.load_certificate(path)
    content = json.loads(text)
    del content["certificates"][1]
    path.write_text(json.dumps(content))
    with pytest.raises(LoadError, match="one about real numbers and one about executions"):
        na.load_certificate(path)
    path.write_text(text.replace('"ulps": 4', '"ulps": -4'))
    with pytest.raises(LoadError, match="whole number of ulps"):
        na.load_certificate(path)
    with pytest.raises(OutputError):
        na.save_certificate(P, path)
    path.write_text(text)
    with pytest.raises(UsageError, match="str received; a network"):
        na.load_certificate(path).expect(str(path))
