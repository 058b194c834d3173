"""Values and derivatives to order 6 against 128-bit balls, in units of u·M: a thinned run of what the page measures."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.arithmetic.majorant import Majorant, Measured
from neuralgebra.calculus.derivatives import jets
from neuralgebra.calculus.propagate import RULES
from neuralgebra.calculus.strategies import by_jets
from neuralgebra.network.linear import Linear

DOCS = Path(__file__).parents[1] / "docs"
U = 2.0**-53


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


cases = load("_derivative_cases")
accuracy = load("make_derivative_accuracy")
CASES = [accuracy.Case(*case) for make in (cases.activations, cases.layers) for case in make(8)]
NUMPY = (np.asarray, np.asarray)
# The page has at most 4.7 for orders 0 to 2 and 12 above: products of up to three sech², each off by up to 4 u·M.
LIMITS = np.array([8.0] * 3 + [16.0] * 4)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_errors_are_within_the_limits(case: accuracy.Case) -> None:
    for dtype in accuracy.DTYPES:
        errors = accuracy.measured(case, dtype, NUMPY, every=dtype == "float64")
        assert np.all(errors <= LIMITS), (dtype, np.round(errors, 1))


@pytest.mark.parametrize("dtype", accuracy.DTYPES)
@pytest.mark.parametrize("order", range(7))
def test_nearly_all_numbers_count(order: int, dtype: str) -> None:
    shares = [np.isfinite(accuracy.unit(case, order, dtype)).mean() for case in CASES]
    assert np.mean(shares) > 0.9
    assert min(shares) > 0.25  # exp and sinh overflow float32 from 88 on


def test_every_activation_and_kind_of_layer_is_there() -> None:
    names = {case.name for case in CASES}
    assert {name for name, row in na.activations().items() if not row.fingerprint} <= names
    layers = [node.layer for case in CASES for node in case.network.nodes]
    assert {type(layer) for layer in layers} == set(RULES)
    kinds = {kind for kind in Linear.__subclasses__() if kind.__module__.startswith("neuralgebra.network.")}
    assert {type(layer.weight) for layer in layers if isinstance(layer, na.Affine)} >= kinds


@pytest.mark.parametrize("order", range(7))
def test_inputs_off_by_their_last_bits_are_seen(order: int) -> None:
    case = next(case for case in CASES if case.name == "affine, dense")
    wrong = accuracy.Case(case.name, case.network, case.points * (1 + 256 * U))
    wrong.__dict__.update(exact=case.exact, majorants=case.majorants)
    assert accuracy.measured(wrong, "float64", NUMPY, every=False)[order] > LIMITS[order]


# The majorant itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_majorants_go_with_the_plain_values_and_are_no_smaller(case: accuracy.Case) -> None:
    known = accuracy.majorants(case.network, case.points)
    for result, plain in zip(known, case.network.derivatives(case.points, 6), strict=True):
        fits = np.isfinite(result.majorant) & np.isfinite(plain)
        assert np.all((np.abs(result.value - plain) <= 16 * U * result.majorant)[fits])
        assert np.all((np.abs(result.value) <= (1 + 64 * U) * result.majorant)[fits])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_way_has_the_same_majorant(case: accuracy.Case) -> None:
    kind, x = Majorant(), Measured(case.points[:4] / 8)
    expected = by_jets(kind, case.network, x, 2)
    for quantity, order in (("jacobian", 1), ("hessian", 2)):
        wanted = Measured.of(expected[order]).majorant
        for way in case.network.plan(quantity).ways:
            found = Measured.of(way.compute(kind, case.network, x)[order]).majorant
            np.testing.assert_allclose(np.broadcast_to(found, wanted.shape), wanted, rtol=1e-12, err_msg=way.name)


def test_the_majorant_of_tanh_by_hand() -> None:
    w, b, x = 3.0, -1.0, 0.25
    f = na.Network.from_layer(na.Affine([[w]], [b]), 1)
    f = na.Network.from_layer(na.Elementwise("tanh"), 1) @ f
    t, z = np.tanh(w * x + b), abs(w * x) + abs(b)
    c = 1 - t * t
    value, slope, curvature = (r.majorant.item() for r in jets(Majorant(), f, Measured(np.array([[x]])), 2))
    shift = 2 * abs(t) * c * z
    np.testing.assert_allclose(value, abs(t) + c * z, rtol=1e-14)
    np.testing.assert_allclose(slope, w * (c + shift), rtol=1e-14)
    np.testing.assert_allclose(curvature, 2 * w * w * (abs(t) * c + abs(t) * shift + c * z * c), rtol=1e-14)


def test_sums_that_cancel_keep_their_majorant() -> None:
    a, b = Measured(np.array([3.0]), shift=np.array([1.0])), Measured(np.array([2.0]), shift=np.array([0.5]))
    for result, value, size, shift in (
        (a - b, 1, 5, 1.5),
        (a * -b, -6, 6, 3.5),
        (2 - a, -1, 5, 1),
        (np.array([[-2.0]]) @ a, -6, 6, 2),
    ):
        assert (result.value.item(), result.size.item(), result.shift.item()) == (value, size, shift)


def test_cases_follow_the_values() -> None:
    k, a, b = Majorant(), Measured(np.array([-1.0, 2.0]), np.array([9.0, 8.0])), Measured(np.array([0.5, 0.5]))
    assert k.largest(a, b).majorant.tolist() == [0.5, 8.0]
    assert k.where_greater(a, 0, a, -1.0).majorant.tolist() == [1.0, 8.0]
    assert k.band(a, 0, 1, 3, b, a).majorant.tolist() == [3.0, 8.0]
