"""The derivative of an activation is an activation: named, kept, differentiated again, equal to what the base gives."""

import pickle
from typing import Any

import flint
import jax
import mpmath
import numpy as np
import pytest
import sympy
import torch

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.errors import InputError, LoadError, UnsupportedError
from neuralgebra.files import native
from neuralgebra.functions import catalogue
from neuralgebra.functions.activation import (
    _ROWS,
    Activation,
    Kink,
    Row,
    activation,
    found,
    register,
    registered,
    resolved,
)
from neuralgebra.functions.custom import register_expression
from neuralgebra.functions.row import HIGHEST
from neuralgebra.network.layers import Elementwise, Mixing
from oracles_functions import derivatives

jax.config.update("jax_enable_x64", True)

ROWS = {row.name: row for row in catalogue.SMOOTH + catalogue.PIECEWISE}
OTHERS: dict[str, dict[str, Any]] = {
    "power": {"p": 0.5},
    "leaky_relu": {"slope": -0.5},
    "elu": {"alpha": 0.3},
    "celu": {"alpha": 2.5},
    "hardtanh": {"low": -0.5, "high": 2.0},
    "hardsigmoid": {"slope": -0.25, "offset": 0.1875},
    "softshrink": {"width": 1.25},
}
CASES = [activation(name) for name in ROWS] + [activation(name, **given) for name, given in OTHERS.items()]
POINTS = np.array([-7.25, -3.5, -1.625, -0.8125, -0.1875, 0.1875, 0.40625, 0.9375, 1.375, 2.75, 6.5])
every_case = pytest.mark.parametrize("function", CASES, ids=str)
every_row = pytest.mark.parametrize("name", ROWS)


def inside(function: Activation) -> np.ndarray:
    low, high = function.row.domain
    return POINTS[(low < POINTS) & (high > POINTS)]


def edges(function: Activation) -> np.ndarray:
    """Points inside, kinks, and far ones."""
    kinks = [float(at) for at, _ in function.points(Arrays(np.zeros(1)))]
    low, high = function.row.domain
    x = np.array([*POINTS, *kinks, 0.0, -0.0, 30.0, -30.0, 100.0, -100.0])
    return x[(low < x) & (high > x)]


def named(function: Activation, order: int) -> Activation:
    return activation(f"{function.name}^({order})", **dict(function.parameters))


# Values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@every_case
def test_values_are_those_of_the_textbook_differentiated(function: Activation, order: int) -> None:
    derived, x, kind = named(function, order), inside(function), Balls(240)
    expected = [derivatives(function.name, dict(function.parameters), z, order)[order] for z in x]
    with kind.precision():
        for ball, value in zip(derived(kind, kind.weight(x)), expected, strict=True):
            error = abs(float(ball - flint.arb(mpmath.nstr(value, 50))))
            assert error <= 1e-20 * float(1 + abs(value)), (ball, value)
    floats = np.array(expected, dtype=float)
    np.testing.assert_allclose(derived(Arrays(x), x), floats, rtol=1e-9, atol=1e-25 + 1e-11 * abs(floats).max())


def bits(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == object:
        return [str(v) if isinstance(v, sympy.Basic) else (v.mid().str(80), v.rad().str(80)) for v in value.ravel()]
    return np.asarray(value).tobytes()


@every_case
def test_values_are_those_of_the_base_bit_for_bit(function: Activation) -> None:
    x = edges(function)
    arrays = [x, x.astype("float32"), torch.tensor(x), jax.numpy.asarray(x)]
    pairs: list[tuple[Any, Any]] = [(Arrays(values), values) for values in arrays]
    pairs += [
        (Symbols(), np.array(sympy.symbols("u v"), dtype=object)),
        (Balls(100), Balls(100).weight(inside(function))),
    ]
    for kind, z in pairs:
        for order, further in ((1, 0), (1, 2), (2, 1), (3, 0)):
            derived = named(function, order)
            assert bits(derived.derivative(kind, z, further)) == bits(function.derivative(kind, z, order + further))


@pytest.mark.parametrize("order", [1, 2])
@every_row
def test_automatic_differentiation_gives_the_next_derivative(name: str, order: int) -> None:
    x = edges(activation(name))
    f, ours = na.Network.function(named(activation(name), order)), activation(name)
    grad = jax.grad(lambda v: f(v[None])[0])
    third = jax.vmap(grad if order == 2 else jax.grad(grad))(jax.numpy.asarray(x))
    np.testing.assert_allclose(third, ours.derivative(Arrays(x), x, 3), rtol=1e-11, atol=1e-13)
    z = torch.tensor(x[:, None], requires_grad=True)
    y = f(z)
    if y.requires_grad:
        (slope,) = torch.autograd.grad(y.sum(), z)
        expected = ours.derivative(Arrays(x), x, order + 1)
        np.testing.assert_allclose(slope.numpy().ravel(), expected, rtol=1e-11, atol=1e-13)


# Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "canonical"), [
    ("tanh'", "tanh'"), ("tanh''", "tanh''"), ("tanh'''", "tanh^(3)"), ("tanh^(3)", "tanh^(3)"),
    ("tanh^(1)", "tanh'"), ("tanh^(02)", "tanh''"), ("tanh^(0)", "tanh"), ("gelu_tanh''''", "gelu_tanh^(4)"),
])  # fmt: skip
def test_names(given: str, canonical: str) -> None:
    derived = activation(given)
    assert derived.name == str(derived) == canonical
    assert activation(canonical) == derived
    assert activation(canonical).row is derived.row


def test_parameters_are_those_of_the_base() -> None:
    assert str(activation("elu'", alpha=0.5)) == "elu'(alpha=0.5)"
    per_unit = activation("prelu", slope=[0.5, 2.0])
    assert per_unit.differentiated() == activation("prelu'", slope=(0.5, 2.0))
    assert per_unit.differentiated().base == per_unit
    x = np.array([[-1.0, -1.0], [1.0, 1.0]])
    np.testing.assert_array_equal(per_unit.differentiated()(Arrays(x), x), [[0.5, 2.0], [1.0, 1.0]])
    with pytest.raises(InputError, match="'beta' received for elu'"):
        activation("elu'", beta=1.0)


@every_row
def test_orders_add_and_rows_are_one_object(name: str) -> None:
    function = activation(name)
    assert function.differentiated(0) is function
    assert function.row.differentiated(0) is function.row
    twice = function.differentiated().differentiated()
    assert twice.row is function.differentiated(2).row is found(f"{name}''")
    assert (twice.row.order, twice.row.base) == (2, function.row)
    assert twice.base == function == function.base
    assert twice.base.row is function.row
    assert twice.differentiated(0) is twice
    assert twice.row.differentiated(np.int64(1)).name == f"{name}^(3)"
    assert twice not in (function, function.differentiated(), function.differentiated(3))


def test_what_a_derivative_does_not_have() -> None:
    row = activation("sinh'").row
    assert (row.range, row.inverse, row.names) == ((-np.inf, np.inf), None, {})
    assert row.chain is activation("sinh").row.chain
    assert activation("log'").row.domain == (0, np.inf)
    with pytest.raises(InputError, match="Mixing by sinh'"):
        Mixing("sinh'", np.eye(2))


def test_the_list_of_functions_holds_no_derivatives() -> None:
    before = registered()
    activation("tanh^(7)")
    assert registered() == before
    assert all(row.order == 0 and row.base is None for row in na.activations().values())


def test_a_vanishing_derivative_is_the_constant_0() -> None:
    f = na.Network.function("relu''", 2)
    np.testing.assert_array_equal(f([[-1.0, 0.0], [2.0, 3.0]]), np.zeros((2, 2)))
    np.testing.assert_array_equal(f.jacobian([1.0, 2.0]), np.zeros((2, 2)))


@pytest.mark.parametrize(("name", "text"), [
    ("tanh^(x)", r"'tanh\^\(x\)' received.*\nDerivatives are written tanh', tanh'', tanh\^\(3\)"),
    ("tanh^(-1)", "Derivatives are written"), ("tanh'^(2)", "Derivatives are written"),
    ("tanh^3", "Derivatives are written"), ("'", "Derivatives are written"), ("^(2)", "Derivatives are written"),
    ("tanh^(२)", "Derivatives are written"), ("foo'", "na.activations\\(\\) lists them"),
    ("tahn'", "Did you mean .*tanh"), ("tanh'\n", "Derivatives are written"),
    ("tanh^(33)", "of order 33 of tanh received; at most 32 is covered: the formula grows"),
    ("tanh^(1000000)", "of order 1000000 of tanh"), ("tanh" + "'" * 100, "order 100"),
    ("tanh^(" + "9" * 10_000 + ")", "at most 32"),
])  # fmt: skip
def test_names_that_are_refused(name: str, text: str) -> None:
    with pytest.raises(UnsupportedError, match=text):
        activation(name)
    with pytest.raises(UnsupportedError):
        na.Network.from_layers([(np.eye(2), None), (np.eye(2), None)], name)


@pytest.mark.parametrize("order", [-1, 1.0, True, "1", None])
def test_orders_that_are_refused(order: Any) -> None:
    with pytest.raises(InputError, match="a whole number from 0 is expected"):
        activation("tanh'").differentiated(order)


def test_the_highest_order_counts_from_the_base() -> None:
    assert activation("tanh").differentiated(HIGHEST).row.order == HIGHEST
    with pytest.raises(UnsupportedError, match="order 33 of tanh received"):
        activation("tanh^(3)").differentiated(HIGHEST - 2)


def test_nothing_is_registered_under_the_name_of_a_derivative() -> None:
    for row in (activation("tanh'").row, Row("mine^(2)", catalogue.z)):
        with pytest.raises(InputError, match="the name of a derivative"):
            register(row, replace=True)


# Kinks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("function", [f for f in CASES if f.row.kinks], ids=str)
def test_kinks_stay_and_lose_the_order(function: Activation, order: int) -> None:
    kind, derived = Arrays(np.zeros(1)), function.differentiated(order)
    assert derived.points(kind) == [(at, max(n - order, 0)) for at, n in function.points(kind)]
    for (at, lowest), kink, (_, before) in zip(
        derived.points(kind), derived.row.kinks, function.points(kind), strict=True
    ):
        x, chosen = np.array([at - 1e-7, at, at + 1e-7]), resolved(kink.chosen, dict(function.parameters))
        assert (chosen is None) == (before < order)
        if chosen is not None:
            assert derived.derivative(Arrays(x), x, lowest)[1] == pytest.approx(float(chosen), rel=1e-15, abs=1e-15)
            for lower in range(lowest + 1):
                left, _, right = derived.derivative(Arrays(x), x, lower)
                assert (abs(left - right) > 0.01) == (lower == lowest)


def test_a_place_below_whose_order_was_differentiated_may_hold_a_value_of_its_own() -> None:
    x = np.array([-1e-9, 0.0, 1e-9])
    np.testing.assert_allclose(activation("softsign^(3)")(Arrays(x), x), [6, 0, 6], rtol=1e-7)


# Copies and files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 3])
@every_row
def test_derivatives_come_back_from_pickles_and_files(name: str, order: int) -> None:
    derived = activation(name, **OTHERS.get(name, {})).differentiated(order)
    again = pickle.loads(pickle.dumps(derived))
    assert again == derived
    assert again.row is derived.row
    assert hash(again) == hash(derived)
    f = na.Network.from_layer(Elementwise(derived), 3)
    assert native.read(native.write(f), "file") == f == pickle.loads(pickle.dumps(f))
    assert (
        len({na.Network.from_layer(Elementwise(g), 3) for g in (derived, derived.base, derived.differentiated())}) == 3
    )


def test_files_with_absurd_orders_are_refused() -> None:
    data = native.write(na.Network.function("tanh^(3)"))
    with pytest.raises(LoadError, match=r"order 99 of tanh received"):
        native.read(_lengthened(data, b"tanh^(3)", b"tanh^(99)"), "file")
    with pytest.raises(UnsupportedError, match=r"activation .*tanh\^\(x\)"):
        native.read(data.replace(b"tanh^(3)", b"tanh^(x)"), "file")


def _lengthened(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace in the head of a safetensors file, whose length comes first."""
    size = int.from_bytes(data[:8], "little")
    head = data[8 : 8 + size].rstrip().replace(old, new)
    return len(head).to_bytes(8, "little") + head + data[8 + size :]


def test_derivatives_of_ones_own_function() -> None:
    x = sympy.Symbol("x", real=True)
    expression = x * sympy.exp(-(x**2)) + sympy.atan(x)
    try:
        register_expression("own", expression, x)
        derived, points = activation("own''"), np.linspace(-2, 2, 9)
        values = [float(expression.diff(x, 2).subs(x, p)) for p in points]
        np.testing.assert_allclose(derived(Arrays(points), points), values, rtol=1e-12, atol=1e-15)
        pickled, f = pickle.dumps(derived), na.Network.function(derived, 2)
        data = native.write(f)
        assert pickle.loads(pickled) == derived
        assert native.read(data, "file") == f
        register_expression("own", x * sympy.exp(-(x**2)), x, replace=True)
        assert activation("own''") != derived
        assert na.Network.function("own''", 2) != f
        with pytest.raises(UnsupportedError, match=r"own''.* was another function"):
            pickle.loads(pickled)
        with pytest.raises(UnsupportedError, match=r"own''.* another function"):
            native.read(data, "file")
        del _ROWS["own"]
        with pytest.raises(UnsupportedError, match="own''"):
            native.read(data, "file")
    finally:
        _ROWS.pop("own", None)


def test_stated_kinks_of_ones_own_function_lose_the_order() -> None:
    x = sympy.Symbol("x", real=True)
    try:
        register_expression("own", sympy.Max(x, 0) ** 2, x, kinks=[Kink(0, 2, 0)])
        assert activation("own'").points(Arrays(np.zeros(1))) == [(0, 1)]
    finally:
        _ROWS.pop("own", None)


# What is printed --------------------------------------------------------------------------------------------------


def test_formulas() -> None:
    assert str(na.Network.function("tanh'").formula()) == "y1 = cosh(x1)**(-2)"
    assert r"y_{1} &= \frac{1}{\cosh^{2}{\left(x_{1} \right)}}" in na.Network.function("tanh'").formula().latex()
    assert str(na.Network.function("relu''").formula()) == "y1 = 0"
    x = sympy.Symbol("x")
    for name in ("tanh", "gelu", "mish", "celu"):
        (formula,) = activation(f"{name}'")(Symbols(), np.array([x], dtype=object))
        (base,) = activation(name)(Symbols(), np.array([x], dtype=object))
        for at in (-1.25, 0.75):
            assert float((base.diff(x) - formula).subs(x, at).evalf(30)) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(("name", "slope", "latex"), [
    ("tanh", "tanh'", r"\mathrm{tanh}'"), ("tanh'", "tanh''", r"\mathrm{tanh}''"),
    ("tanh''", "tanh^(3)", r"\mathrm{tanh}^{(3)}"), ("sigmoid'", "sigmoid''", r"\sigma''"),
    ("gelu_tanh^(3)", "gelu_tanh^(4)", r"\mathrm{gelu\_tanh}^{(4)}"), ("tanh^(32)", "tanh^(33)", "^{(33)}"),
])  # fmt: skip
def test_the_chain_rule_names_the_next_derivative(name: str, slope: str, latex: str) -> None:
    f = na.Network.from_layers([(np.ones((2, 2)), None), (np.ones((1, 2)), None)], name)
    text = f.explain().text()
    assert f"a₁ = {name}(z₁)" in text
    assert f"diag({slope}(z₁))" in text
    assert f" {slope}(z₁[i])" in text
    assert f"{latex}(z^{{(1)}})" in f.explain().latex()
    assert rf"{latex}\!\left(z^{{(1)}}_{{i}}\right)" in f.explain().latex()
