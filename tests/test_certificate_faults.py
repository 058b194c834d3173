"""Cases in which bounds were once too small, or claims were accepted that do not hold."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra.assembly import _reached
from neuralgebra.algebra.checker import check
from neuralgebra.algebra.pieces import values_of
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.errors import InputError, NotCertifiedError, ShapeError, UnsupportedError
from neuralgebra.files.certificates import certificate_text, load_certificate
from neuralgebra.network.layers import Elementwise

L = na.Network.from_layers


def error(p: Any, x: list[float]) -> float:
    """At least so far the stored network is from its reference, in real numbers."""
    difference = (values_of(p.network, x, 4000) - values_of(p.reference, x, 4000))[0]
    low, high = ends(abs(difference))
    return max(low, 0.0) if high >= low else 0.0


def neuron(scale: float, bias: float = 0.2, factor: float = 1.0, shift: float = 0.0) -> na.Network:
    return L([([[scale]], [bias]), ([[factor]], [shift])], "tanh")


def test_sums_for_products_keep_to_the_range_they_were_made_for() -> None:
    u = L([([[0.3]], None), ([[1.0]], None)], "tanh")
    v = L([([[3.0], [1.0]], [1.0, 0.0])])._then(Elementwise((("tanh", 1), ("sin", 1))))[0]
    p = (u * v).plain("tanh", [(-1, 1)], 0.01, objective="depth")
    assert max(error(p, [x]) for x in (-1.0, 0.0, 0.7, 1.0)) <= p.certificate.bound <= 0.01
    f = neuron(1.0) * neuron(0.5) * neuron(-0.7)
    p = f.plain("tanh", [(-1, 1)], 0.02, objective="depth")
    assert max(error(p, [x]) for x in np.linspace(-1, 1, 21).tolist()) <= p.certificate.bound <= 0.02


def test_gains_of_exact_products_belong_to_their_factors() -> None:
    w = 1 / 3 + 1 / 7
    u = L([([[w], [w * (1 + 1e-9)]], [0.25, 0.25]), ([[1e3, -1e3]], [0.0])], "square")
    v = L([([[0.5]], [0]), ([[2.0**-14]], [100.0])], "square")
    p = (u * v).plain("square", [(-1, 1)], dtype="float32")
    assert error(p, [1.0]) <= p.certificate.bound < 1e-3


def test_float32_may_overflow() -> None:
    with pytest.raises(NotCertifiedError):
        L([([[1e20]], None)]).plain("relu", [(-1e30, 1e30)], 1e46, dtype="float32")
    with pytest.raises(NotCertifiedError):
        L([([[1.0]], None), ([[1.0]], None)], "exp").plain("exp", [(-100, 100)], 1e40, dtype="float32")
    p = L([([[1.0]], None)]).plain("relu", [(1e25, 2e25)], 1e20, dtype="float32")
    for call in (lambda: p * p, lambda: 2.0**60 * p, lambda: 2.0**43 * p + 2.0**43 * p):
        with pytest.raises(NotCertifiedError):
            call()


def test_errors_of_products_are_kept_where_they_are_factors() -> None:
    w = -1.8829080367785338
    f = (
        neuron(w, -1.3598627632138234, 0.7875408171027013, -0.07019807560600658)
        * neuron(w, 2.6710908432617675, 1.3382795151279085, -0.4125214184622688)
        * neuron(w, -1.1129776799865065, 1.0414021981866897, -40.86356316261474)
    )
    p = f.plain("tanh", [(-1, 1)])
    assert max(error(p, [x]) for x in np.linspace(-1, 1, 41).tolist()) <= p.certificate.bound < 1e-12


@pytest.mark.parametrize("name", ["step", "sign", "relu'", "selu'", "hardswish'"])
def test_activations_that_jump_have_no_slope(name: str) -> None:
    """What is added to an argument may carry it over the jump, however little it is."""
    function = na.activation(name)
    places = [float(at) for at, order in function.points(Arrays(np.zeros(1))) if order == 0]
    low, high = np.array(places) - 1e-3, np.array(places) + 1e-3
    assert np.isinf(_reached(function, low, high)[1]).all()
    assert np.isfinite(_reached(function, high, high + 1e-3)[1]).all()


def test_what_jumps_is_not_made_of_neurons() -> None:
    big, w = 1e6, np.array([1.1, -0.7, 0.3, -0.9])
    c = -float(np.float32(big * w.sum()))
    f = L([(w[None].astype(np.float32), np.array([c], np.float32)), ([[1.0]], None)], "sin")
    with pytest.raises(UnsupportedError, match="straight pieces"):
        f.plain("step", [(big, big + 1)] * 4, 0.3, dtype="float32")
    g = L([([[1.0, 2.0], [-1.0, 1.0]], None), ([[1.0, 2.0]], None)], "step")
    with pytest.raises(NotCertifiedError, match="slope has no bound"):
        g.plain("step", [(-1, 1)] * 2)


def test_products_of_small_numbers_are_not_lost() -> None:
    f = L([([[0.1]], None), ([[2.0**900]], None)], "relu") @ L([([[0.1 * 2.0**-500]], None)])
    b = 2.0**-530
    p = f.plain("relu", [(-b, b)])
    assert 0 < error(p, [b]) <= p.certificate.bound


def test_what_has_no_bound_has_none_times_zero() -> None:
    p = L([([[1e200]], None), ([[1e-200]], None)], "relu").plain("relu", [(0, 1e110)])
    assert p.execution.bound == np.inf
    with pytest.raises(NotCertifiedError):
        0 * p


def test_one_neuron_for_the_identity_reaches_its_straight_part() -> None:
    x = na.Network.identity(1)
    f = (x + L([([[1.0]], None), ([[1.0]], None)], "hardswish")) * 2.0**60
    p = f.plain("hardswish", [(-1e-17, 1)])
    assert error(p, [-1e-17]) <= p.certificate.bound


def test_constants_that_the_dtype_does_not_hold_are_refused() -> None:
    p = na.Network.identity(1).plain("relu", [(0, 1)])
    for value in (np.int64(2**53 + 1), np.uint64(2**64 - 1), 10**400, float("nan")):
        with pytest.raises(InputError):
            p + value
    assert (p + np.float32(0.5)).network([0.25]) == 0.75


def test_compositions_that_do_not_fit_are_refused() -> None:
    x, y = na.Network.identity(2)
    q = (x * y).plain("tanh", [(-1, 1)] * 2, 1e-3)
    p = na.Network.identity(1).plain("relu", [(0, 1)])
    with pytest.raises(ShapeError, match="as many inputs as the inner"):
        q @ p


# The checker ------------------------------------------------------------------------------------------------------


def test_executions_are_of_a_dtype_that_holds_the_numbers(tmp_path: Path) -> None:
    p = L([([[1.5 + 0.99 * 2.0**-24]], None)]).plain("relu", [(1.334, 1.336)])
    document = json.loads(certificate_text(p))
    claim = document["certificates"][1]
    bound = 2.0**-24 * 2.005 * 1.01
    claim["execution"]["dtype"] = "float32"
    claim["bounds"], claim["decimal"] = [bound.hex()], [bound]
    (tmp_path / "c.json").write_text(json.dumps(document))
    found = load_certificate(tmp_path / "c.json")
    with pytest.raises((ValueError, InputError), match="executions in numbers of their dtype"):
        found.verify(5)


CHANGES: dict[str, Any] = {
    "negative ulps": lambda c: c["execution"].update(ulps=-(10**13)),
    "no bound": lambda c: c.update(bounds=[]),
    "a bound too much": lambda c: c.update(bounds=c["bounds"] * 2),
    "an inverted box": lambda c: c["box"].update(low=c["box"]["high"], high=c["box"]["low"]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_checker_alone_refuses_what_is_no_claim(change: Any) -> None:
    p = (na.Network.identity(1) ** 2).plain("tanh", [(-1, 1)], 1e-3)
    document = json.loads(certificate_text(p))
    change(document["certificates"][1])
    with pytest.raises(ValueError, match="expected"):
        check(json.dumps(document), 5)
