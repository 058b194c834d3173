"""log∘σ∘exp and exp∘σ∘log: the named functions, the stabilised rows, refusals, another base, and every storey."""

import functools
import math
import pickle
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import jax
import mpmath
import numpy as np
import onnxruntime
import pytest
import sympy
import torch
from mpmath import mpf

import neuralgebra as na
from code_hosts import expect_host, self_tests
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.errors import InputError, UnsupportedError
from neuralgebra.functions.activation import Activation, Chain, activation, registered
from neuralgebra.functions.conjugates import CONJUGATES, LIMITS, ROWS
from oracles_functions import FORMULAS

jax.config.update("jax_enable_x64", True)

ROWS_OF = {row.name: activation(row.name) for row in ROWS}
every_row = pytest.mark.parametrize("function", ROWS_OF.values(), ids=str)
ENDS = {"log∘tan∘exp": 0.45, "log∘atanh∘exp": -1e-3}
REFUSED = {"sin", "cos", "logit", "log", "log_base", "logsigmoid", "softshrink"}
POSITIVE = sorted(registered().keys() - REFUSED)
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in POSITIVE),
    ("leaky_relu", {"slope": -3.0}),
    ("elu", {"alpha": -2.0}),
    ("power", {"p": -1.5}),
    ("affine", {"slope": 2, "offset": 3}),
    ("affine", {"slope": 0.5, "offset": 0}),
    ("affine", {"slope": 0, "offset": 2}),
    ("affine", {"slope": 1, "offset": 1}),
    ("at_least", {"bound": 2.5}),
    ("at_least", {"bound": -1}),
    ("at_most", {"bound": 0.3}),
    ("hardtanh", {"low": 0.5, "high": 4.0}),
    ("hardtanh", {"low": -1, "high": 4.0}),
    ("hill", {"n": 2.5}),
    ("exp_base", {"base": 0.5}),
    ("exp_base", {"base": 10}),
    ("hardsigmoid", {"slope": 0.25, "offset": 0.1}),
    ("hardsigmoid", {"slope": 0.25, "offset": 1.5}),
    ("hardsigmoid", {"slope": 0.25, "offset": 0}),
    ("hardsigmoid", {"slope": 0, "offset": 0.25}),
]
every_variant = pytest.mark.parametrize(("name", "parameters"), VARIANTS, ids=lambda v: str(v))


def numbers(function: Activation) -> dict[str, Any]:
    return {n: mpf(Fraction(v).numerator) / Fraction(v).denominator for n, v in function.parameters}


def textbook(function: Activation, x: Any) -> Any:
    """σ(e^x), its logarithm taken; nothing here knows of chains or of stable forms."""
    return mpmath.log(FORMULAS[function.letters[1].name](mpmath.exp(x), **numbers(function)))


@functools.cache
def truth(function: Activation, x: float) -> list[Any]:
    """The value and three derivatives, by central differences at so many digits that nothing cancels."""
    steep, u = function.letters[1].name in ("erf", "gelu"), math.exp(min(x, 6.5))
    digits = int(60 + 1.4 * abs(min(x, 0)) + (u * u / 2 if steep else u))  # those that a saturated value lies below 1
    with mpmath.workdps(3 * digits):
        h = mpf(10) ** (-digits // 2)
        f = [textbook(function, mpf(x) + i * h) for i in range(-2, 3)]
        return [
            f[2],
            (8 * (f[3] - f[1]) - (f[4] - f[0])) / (12 * h),
            (16 * (f[3] + f[1]) - (f[4] + f[0]) - 30 * f[2]) / (12 * h * h),
            (f[4] - 2 * f[3] + 2 * f[1] - f[0]) / (2 * h**3),
        ]


# The rows ---------------------------------------------------------------------------------------------------------

PLACES = (
    -1000.0,
    -300.0,
    -36.5,
    -9.2,
    -4.3,
    -1.7,
    -0.98,
    -0.41,
    -0.13,
    -1e-3,
    0.0,
    2e-3,
    0.16,
    0.44,
    0.75,
    1.3,
    2.2,
    4.1,
)
FAR = (5.5, 6.3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_row
def test_values_and_two_derivatives_against_mpmath(function: Activation, dtype: str) -> None:
    """From -1000 on; where exp(exp(x)) is too much for central differences, limits are tested below."""
    steep = function.letters[1].name in ("erf", "gelu")
    places = PLACES[2:-1] if steep else (*PLACES, *FAR)  # mpmath takes minutes for their error function beyond
    x = np.array([p for p in places if p < ENDS.get(function.name, np.inf)], dtype)
    unit, tiny = float(np.finfo(dtype).eps) / 2, float(np.finfo(dtype).tiny)
    for order, limit in ((0, 4.0 if dtype == "float64" else 8.0), (1, 16.0), (2, 16.0)):
        result = function.derivative(Arrays(x), x, order)
        for place, value in zip(x.tolist(), result.tolist(), strict=True):
            exact = truth(function, place)
            if tiny < abs(exact[order]) < np.finfo(dtype).max:
                scale = abs(exact[order]) + abs(place * exact[order + 1])
                assert abs(mpf(value) - exact[order]) <= limit * unit * scale, (place, order, value)
            else:
                assert abs(value) <= 2 * tiny or abs(value) > 1e30, (place, order, value)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_row
def test_far_to_the_right_the_asymptote(function: Activation, dtype: str) -> None:
    """Of each function by the leading term of its expansion; nothing is NaN."""
    x = np.array([8.0, 20.0, 88.0, 700.0, 1000.0], dtype)
    if function.name in ENDS:
        return
    double = x.astype(float)
    with np.errstate(over="ignore"):
        u = np.exp(double)
        expected = {
            **dict.fromkeys(("softplus", "silu", "gelu", "gelu_tanh", "mish", "lisht", "hardswish"), double),
            "tanhshrink": double + np.log1p(-1 / u),
            **dict.fromkeys(("sinh", "cosh"), u - np.log(2)),
            "expm1": u,
            "asinh": np.log(double + np.log(2)),
            "log1p": np.log(double),
            "arctan": np.log(np.pi / 2) + np.log1p(-2 / np.pi / u),
        }.get(function.letters[1].name, 0 * double)
    with np.errstate(all="ignore"):
        result = function(Arrays(x), x).astype(float)
        big = expected > np.finfo(dtype).max
    tolerance = 1e-3 if function.letters[1].name == "log1p" else 1e-6
    np.testing.assert_allclose(result[~big], expected[~big], rtol=tolerance, atol=1e-38)
    assert np.isposinf(result[big]).all()
    for order in (1, 2):
        assert not np.isnan(function.derivative(Arrays(x), x, order)).any()


@pytest.mark.parametrize(("name", "constant"), [("erf", math.log(2 / math.sqrt(math.pi))), ("gelu", -math.log(2))])
def test_far_to_the_left_the_asymptote(name: str, constant: float) -> None:
    s, x = na.conjugate(name), np.array([-1000.0, -300.0])
    np.testing.assert_allclose(s(x), x + constant, rtol=2e-16)
    np.testing.assert_array_equal(s.derivative(x), [1.0, 1.0])
    np.testing.assert_allclose(s.derivative(x, 2), 0, atol=1e-120)


SLOPES = {
    "tanh": (1, 0), "sigmoid": (0, 0), "silu": (1, 1), "softplus": (0, 1), "gelu": (1, 1), "gelu_tanh": (1, 1),
    "mish": (1, 1), "tanhshrink": (3, 1), "lisht": (2, 1), "sinh": (1, math.inf), "cosh": (0, math.inf),
    "asinh": (1, 0), "arctan": (1, 0), "tan": (1, None), "atanh": (1, None), "erf": (1, 0), "log1p": (1, 0),
    "expm1": (1, math.inf), "hardsigmoid": (0, 0), "hardswish": (1, 1),
}  # fmt: skip


@pytest.mark.parametrize("library", [np.asarray, torch.asarray, jax.numpy.asarray])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@every_row
def test_limits_at_infinity(function: Activation, dtype: str, library: Callable[..., Any]) -> None:
    sigma, x = function.letters[1].name, library(np.array([-np.inf, np.inf], dtype))
    value, slope, bend = (np.asarray(function.derivative(Arrays(x), x, order)) for order in range(3))
    ends = [0] if function.name in ENDS else [0, 1]
    for end in ends:
        limit = float(LIMITS[function.name][end])
        assert value[end] == pytest.approx(limit, rel=1e-6 if dtype == "float32" else 1e-15)
        assert slope[end] == SLOPES[sigma][end]
        assert bend[end] == (np.inf if SLOPES[sigma][end] == np.inf else 0)
    nan = library(np.array([np.nan], dtype))
    assert np.isnan(np.asarray(function(Arrays(nan), nan))[0])


@every_row
def test_derivatives_up_to_order_6(function: Activation) -> None:
    kind = Balls(320)
    x = np.array([p for p in (-3.5, -1.25, -0.3125, 0.1875, 0.8125, 1.625) if p < ENDS.get(function.name, np.inf)])
    for place in x:
        with mpmath.workdps(100):
            expected = list(mpmath.diffs(lambda t: textbook(function, t), mpf(place), 6))
        with kind.precision():
            z = kind.weight(np.array([place]))
            for order, value in enumerate(expected):
                exact = function.derivative(kind, z, order)[0]
                error = abs(float(exact - flint.arb(mpmath.nstr(value, 50))))
                assert error <= 1e-20 * float(1 + abs(value)), (place, order)
                at = np.array([place])
                result = function.derivative(Arrays(at), at, order)[0]
                assert result == pytest.approx(float(value), rel=1e-8, abs=1e-9 * float(1 + max(map(abs, expected))))


@every_row
def test_each_chain_function_has_its_stated_derivative(function: Activation) -> None:
    kind, x = Balls(400), np.array([p for p in (-3.5, -0.75, 0.25, 1.375) if p < ENDS.get(function.name, np.inf)])
    with kind.precision():
        step = kind.scalar(2.0**-100)
        middle, left, right = (Chain(kind, function, kind.weight(x) + s * step) for s in (0, -1, 1))
        for element in function.row.chain:
            slope = (right.variable(element.name) - left.variable(element.name)) / (2 * step)
            error = slope - middle.polynomial(element.derivative)
            assert all(abs(float(e)) < 1e-40 for e in np.broadcast_to(error, x.shape)), element.name


@every_row
def test_chain_functions_turn_where_they_are_said_to(function: Activation) -> None:
    x = np.linspace(-9, min(ENDS.get(function.name, 6.0), 6.0), 701)
    chain = Chain(Arrays(x), function, x)
    for element in function.row.chain:
        value = np.broadcast_to(chain.variable(element.name), x.shape)
        for low, high in zip((-np.inf, *(element.turning or ())), (*(element.turning or ()), np.inf), strict=True):
            steps = np.diff(value[(x > low) & (x < high)]) / np.abs(value).max()
            steps = steps[np.abs(steps) > 1e-13]
            assert element.turning is None or (steps > 0).all() or (steps < 0).all(), element.name


@every_row
def test_stable_forms_are_what_the_definitions_say(function: Activation) -> None:
    """Also of chain functions that the first two derivatives do not reach, where they are not cut off."""
    x, kind = np.linspace(-6, min(ENDS.get(function.name, 3.0), 3.0), 91), Balls(400)
    chain = Chain(Arrays(x), function, x)
    with kind.precision():
        exact = Chain(kind, function, kind.weight(x))
        for element in function.row.chain:
            wanted = np.array([float(v) for v in np.broadcast_to(exact.variable(element.name), x.shape)])
            np.testing.assert_allclose(chain.variable(element.name), wanted, rtol=3e-13, atol=1e-18)


@pytest.mark.parametrize("row", [row for row in ROWS if row.inverse], ids=lambda row: row.name)
def test_the_inverse_undoes_the_function(row: Any) -> None:
    function = activation(row.name)
    x = np.array([p for p in (-20.0, -3.0, -1.0, -0.3, 0.2, 0.9) if p < ENDS.get(row.name, np.inf)])
    y = function(Arrays(x), x)
    np.testing.assert_allclose(function.inverse(Arrays(x), y), x, rtol=1e-9, atol=1e-12)
    assert function.inverse.inverse == function


@pytest.mark.parametrize("name", [row.name for row in ROWS])
def test_wide_balls_and_intervals_contain_the_values(name: str) -> None:
    f = na.Network.function(name)
    last = ENDS.get(name, 5.0)
    rng = np.random.default_rng(4)
    left = -12.0 if name == "log∘tanhshrink∘exp" else -30.0  # where u - tanh(u) is taken by intervals of 80 bits
    for low, high in [*np.sort(rng.uniform(-8, last, (3, 2)), axis=1), (left, last)]:
        x = np.linspace(low, high, 101)[:, None]
        for order, values in enumerate(f.derivatives(x, 1)):
            found = f.enclose({"x1": (low, high)}, order=order)
            values, slack = values.reshape(-1), 1e-12 * (1 + np.abs(values).max())
            assert np.ravel(found.low)[0] <= values.min() + slack
            assert np.ravel(found.high)[0] >= values.max() - slack
            if order == 0:
                assert np.ravel(found.high)[0] - np.ravel(found.low)[0] <= 1.05 * (values.max() - values.min()) + 1e-9


@pytest.mark.parametrize("name", ["log∘tanh∘exp", "log∘softplus∘exp", "log∘gelu∘exp", "log∘arctan∘exp", "log∘erf∘exp"])
def test_derivatives_of_the_libraries_are_ours(name: str) -> None:
    """A gradient through the branches of the stable form would be NaN or 0."""
    function, x = activation(name), np.array([-1000.0, -40.0, -0.5, 0.0, 0.3, 2.0, 9.0, 1000.0])
    wanted = function.derivative(Arrays(x), x, 1)
    z = torch.tensor(x, requires_grad=True)
    np.testing.assert_allclose(torch.autograd.grad(function(Arrays(z), z).sum(), z)[0].numpy(), wanted, rtol=1e-13)
    slopes = jax.grad(lambda z: function(Arrays(z), z).sum())(jax.numpy.asarray(x))
    np.testing.assert_allclose(np.asarray(slopes), wanted, rtol=1e-13)
    bends = jax.vmap(jax.grad(jax.grad(lambda z: function(Arrays(z), z))))(jax.numpy.asarray(x))
    np.testing.assert_allclose(np.asarray(bends), function.derivative(Arrays(x), x, 2), rtol=1e-12)


# What they are called ---------------------------------------------------------------------------------------------


def test_every_function_of_the_catalogue_is_named_has_a_row_or_is_refused() -> None:
    own = {name for name, row in registered().items() if not row.fingerprint}  # not those of other tests
    for name in own:
        if name in REFUSED:
            with pytest.raises(InputError, match="<= 0 for"):
                na.conjugate(name)
        else:
            s = na.conjugate(name)
            assert s.stabilised
            assert s.positive is True
            assert s.known == (name not in CONJUGATES)


@every_variant
def test_values_are_those_of_the_formula(name: str, parameters: dict[str, Any]) -> None:
    sigma = activation(name, **parameters)
    for base in (math.e, 2.0, 0.5):
        s = na.conjugate(sigma, base=base)
        last = {"tan": 0.45, "atanh": -0.01}.get(name, 2.5)
        for x in (-2.75, -1.125, -0.25, 0.3125, 1.5, 2.25):
            place = x / math.log(base)
            if x > last:
                continue
            with mpmath.workdps(50):
                power = mpf(base) ** mpf(place) if base != math.e else mpmath.exp(mpf(place))
                value = FORMULAS[name](power, **numbers(sigma))
                wanted = mpmath.log(value) / (mpmath.log(base) if base != math.e else 1)
            assert s(np.array([place]))[0] == pytest.approx(float(wanted), rel=1e-13, abs=1e-13)


@pytest.mark.parametrize(("name", "parameters"), [
    *((name, {}) for name in registered() if name not in ("log", "log_base", "logit", "atanh", "tan")),
    ("affine", {"slope": 2, "offset": 0.5}), ("affine", {"slope": -1, "offset": 0}),
    ("affine", {"slope": 0, "offset": 0.5}), ("affine", {"slope": 0.3, "offset": 0}),
    ("at_least", {"bound": -0.5}), ("at_most", {"bound": 0.25}), ("hardtanh", {"low": -0.25, "high": 0.75}),
    ("leaky_relu", {"slope": 0.25}), ("hill", {"n": 2}),
], ids=str)  # fmt: skip
def test_back_to_a_multiplicative_network(name: str, parameters: dict[str, Any]) -> None:
    sigma = activation(name, **parameters)
    for base in (math.e, 3.0, 0.5):
        s = na.conjugate(sigma, "multiplicative", base=base)
        for y in (-0.75, -0.125, 0.25, 1.25):
            if y <= sigma.row.domain[0]:
                continue
            with mpmath.workdps(50):
                logarithm = mpmath.log(base) if base != math.e else mpf(1)
                x = float(mpmath.exp(y * logarithm))
                value = FORMULAS[name](mpmath.log(mpf(x)) / logarithm, **numbers(sigma))
                wanted = mpmath.exp(value * logarithm)
            assert s(np.array([x]))[0] == pytest.approx(float(wanted), rel=1e-12)


@pytest.mark.parametrize(("name", "parameters", "conjugate"), [
    ("relu", {}, "identity"), ("softsign", {}, "logsigmoid"), ("hill", {"n": 2}, "logsigmoid∘affine(slope=2)"),
    ("affine", {"slope": 1, "offset": 1}, "softplus"), ("at_least", {"bound": 1}, "relu"),
    ("at_least", {"bound": -2}, "identity"), ("square", {}, "affine(slope=2)"), ("exp", {}, "exp"),
    ("hardtanh", {}, "at_most(bound=0)"), ("gaussian", {}, "affine∘exp∘affine(slope=-1, slope2=2)"),
    ("step", {}, "affine(slope=0)"), ("tanh", {}, "log∘tanh∘exp"), ("cbrt", {}, "affine(slope=0.333333)"),
], ids=str)  # fmt: skip
def test_known_names(name: str, parameters: dict[str, Any], conjugate: str) -> None:
    assert na.conjugate(name, **parameters).name == conjugate


@pytest.mark.parametrize(("name", "conjugate"), [
    ("relu", "at_least"), ("softplus", "affine(offset=1)"), ("logsigmoid", "hill"), ("identity", "identity"),
    ("relu6", "hardtanh(high=403.429, low=1)"), ("tanh", "exp∘affine∘hill(n=2, offset=-1, slope=2)"),
])  # fmt: skip
def test_known_names_back(name: str, conjugate: str) -> None:
    s = na.conjugate(name, "multiplicative")
    assert s.name == conjugate
    assert s.known


@pytest.mark.parametrize("name", POSITIVE)
def test_back_and_forth_is_the_function_on_positive_numbers(name: str) -> None:
    there = na.conjugate(name)
    back = na.conjugate(there.activation, "multiplicative")
    if name in CONJUGATES:
        assert back.activation == activation(name)
    last = {"tan": 1.5, "atanh": 0.99}.get(name, 3.0)
    x = np.array([p for p in (0.0625, 0.5, 0.96875, 1.25, 3.0) if p <= last])
    np.testing.assert_allclose(back(x), activation(name)(Arrays(x), x), rtol=1e-12)


def test_negation_becomes_the_reciprocal() -> None:
    assert na.conjugate("affine", "multiplicative", slope=-1).name == "reciprocal"
    assert na.conjugate("reciprocal").name == "affine(slope=-1)"


def test_one_value_for_each_coordinate() -> None:
    s = na.conjugate("power", p=(2, 0.5))
    np.testing.assert_allclose(s(np.array([[1.0, 1.0]])), [[2.0, 0.5]])
    with pytest.raises(UnsupportedError, match="not one function for all coordinates"):
        na.conjugate("at_least", bound=(2.0, -1.0))


# Slips that are easily made -----------------------------------------------------------------------------------------


def test_that_of_tanh_is_no_flipped_softplus_and_that_of_softsign_is_one() -> None:
    x = np.linspace(-10, 10, 20001)
    flipped = na.Network.function("logsigmoid")(x[:, None])[:, 0]
    apart = np.abs(na.conjugate("tanh")(x) - flipped)
    assert apart.max() == pytest.approx(0.4245, abs=1e-4)
    assert x[apart.argmax()] == pytest.approx(0.14, abs=0.01)
    np.testing.assert_array_equal(na.conjugate("softsign")(x), flipped)


def test_that_of_sigmoid_is_no_sigmoid() -> None:
    assert na.conjugate("sigmoid").range == (-sympy.log(2), 0)


def test_a_base_below_1_turns_bounds_around() -> None:
    assert na.conjugate("at_least", base=2.0).name == "relu"
    assert na.conjugate("at_least", base=0.5).name == "at_most(bound=0)"
    x = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(na.conjugate("at_least", base=0.5)(x), np.minimum(x, 0))


def test_the_directions_are_two_functions() -> None:
    x = np.array([0.5, 2.0])
    np.testing.assert_allclose(na.conjugate("tanh", "multiplicative")(x), np.exp(np.tanh(np.log(x))), rtol=1e-14)
    np.testing.assert_allclose(na.conjugate("tanh")(x), np.log(np.tanh(np.exp(x))), atol=1e-15)


# Formula, limits, range -------------------------------------------------------------------------------------------


@every_variant
def test_the_formula_is_the_function(name: str, parameters: dict[str, Any]) -> None:
    s = na.conjugate(activation(name, **parameters))
    x = sympy.Symbol("x", real=True)
    for place in (-1.25, -0.375) if name == "atanh" else (-1.25, 0.375):
        assert float(s.formula.subs(x, sympy.Rational(place)).evalf(20)) == pytest.approx(float(s(place)), rel=1e-12)
    assert s.latex()


@pytest.mark.parametrize("name", POSITIVE)
def test_limits_and_range(name: str) -> None:
    s = na.conjugate(name)
    low, high = s.domain
    x = np.linspace(max(low, -600), min(high, 6.5), 4001)[1:-1]
    value = s(x)
    ends = [float(limit) for limit in s.limits]
    assert value[0] == pytest.approx(ends[0], abs=1e-2) or (np.isinf(ends[0]) and abs(value[0]) > 100)
    assert value[-1] == pytest.approx(ends[1], abs=1e-2) or (np.isinf(ends[1]) and abs(value[-1]) > 0.2)
    assert float(s.range[0]) - 1e-12 <= value.min()
    assert value.max() <= float(s.range[1]) + 1e-12
    assert sorted(ends) == [float(end) for end in s.range]


# Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda: na.conjugate("sin"), InputError, "for 3.1416 <= x <= 6.2832"),
    (lambda: na.conjugate("cos"), InputError, "for 1.5708 <= x <= 4.7124"),
    (lambda: na.conjugate("softshrink"), InputError, "for 0 < x <= 0.5"),
    (lambda: na.conjugate("log"), InputError, "for 0 < x <= 1"),
    (lambda: na.conjugate("logsigmoid"), InputError, "for all x > 0"),
    (lambda: na.conjugate("affine", offset=-1), InputError, "for 0 < x <= 1"),
    (lambda: na.conjugate("affine", slope=-1, offset=1), InputError, "for x >= 1"),
    (lambda: na.conjugate("at_most", bound=-1), InputError, "for all x > 0"),
    (lambda: na.conjugate("hardsigmoid", offset=-0.5), InputError, "for 0 < x <= 3"),
    (lambda: na.conjugate("tanh'''"), InputError, "log∘σ∘exp takes its logarithm"),
    (lambda: na.conjugate("tanh", "sideways"), InputError, "'additive' or 'multiplicative'"),
    (lambda: na.conjugate("tanh", base=1), InputError, "positive number other than 1"),
    (lambda: na.conjugate("tanh", base=-2.0), InputError, "positive number other than 1"),
    (lambda: na.conjugate("tanh", base=math.inf), InputError, "positive number other than 1"),
    (lambda: na.conjugate("tanh", base="2"), InputError, "positive number other than 1"),
    (lambda: na.conjugate("exp_base", base=1.0, direction="additive"), InputError, "other than 1"),
    (lambda: na.conjugate(activation("exp_base", base=-1)), InputError, "base=-1 received"),
    (lambda: na.conjugate("hill", n=-1), InputError, "n=-1 received"),
    (lambda: na.conjugate(activation("elu"), alpha=2), InputError, "beside the activation elu"),
    (lambda: na.conjugate("tahn"), UnsupportedError, "Did you mean"),
])  # fmt: skip
def test_refusals(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text.replace("(", r"\(")):
        call()


z = sympy.Symbol("z", real=True)


def test_of_a_user_proven_positive() -> None:
    na.register("bent_up", sympy.sqrt(1 + z**2) + z / 2, z, replace=True)
    s = na.conjugate("bent_up")
    assert (s.name, s.known, s.stabilised, s.positive) == ("log∘bent_up∘exp", False, False, True)
    x = np.array([-3.0, 0.5, 2.0])
    np.testing.assert_allclose(s(x), np.log(np.sqrt(1 + np.exp(2 * x)) + np.exp(x) / 2), rtol=1e-14)
    slope = (s(x + 1e-6) - s(x - 1e-6)) / 2e-6
    np.testing.assert_allclose(s.derivative(x), slope, rtol=1e-8)


def test_of_a_user_that_vanishes_at_0() -> None:
    """z² underflows where z does not: the first derivative that does not vanish decides."""
    na.register("vanishing", z**2 * (1 + z), z, replace=True)
    s = na.conjugate("vanishing")
    assert s.positive is True
    np.testing.assert_allclose(s([0.0]), [math.log(2)], rtol=1e-15)


def test_of_a_user_neither_proven_nor_refuted() -> None:
    na.register("falling", sympy.exp(-z) / (1 + z**2), z, replace=True)
    assert na.conjugate("falling").positive is None


def test_of_a_user_refuted() -> None:
    na.register("dipping", (z - 2) ** 2 - sympy.Rational(1, 4), z, replace=True)
    with pytest.raises(InputError, match=r"dipping\(x\) <= 0 for 1.5 <= x <= 2.5"):
        na.conjugate("dipping")


# Other storeys ----------------------------------------------------------------------------------------------------


def network(name: str) -> na.Network:
    rng = np.random.default_rng(7)
    layers = [(0.5 * rng.normal(size=(3, 2)), rng.normal(size=3) - 1.5), (rng.normal(size=(1, 3)), rng.normal(size=1))]
    return na.Network.from_layers(layers, activation=name)


EVERYWHERE = [*(row.name for row in ROWS), "logsigmoid∘affine", "affine∘exp∘affine"]


def test_python_code_computes_what_the_network_does(tmp_path: Path) -> None:
    texts = {f"f{i}": network(name).code("python", order=2, name=f"f{i}") for i, name in enumerate(EVERYWHERE)}
    assert set(self_tests("python", texts, tmp_path).values()) == {0}


@pytest.mark.parametrize("language", ["c", "fortran", "javascript", "rust", "matlab", "julia"])
def test_code_of_every_language_has_valid_names(language: str) -> None:
    text = network("log∘tanh∘exp").code(language, order=2)
    assert text.isascii()
    assert "log_tanh_exp" in text


def test_javascript_computes_what_the_network_does(tmp_path: Path) -> None:
    expect_host("javascript")
    texts = {f"f{i}": network(name).code("javascript", order=2, name=f"f{i}") for i, name in enumerate(EVERYWHERE[:6])}
    assert set(self_tests("javascript", texts, tmp_path).values()) == {0}


@pytest.mark.parametrize("name", EVERYWHERE)
def test_files_keep_the_network(name: str, tmp_path: Path) -> None:
    f, x = network(name), np.random.default_rng(1).normal(size=(5, 2)) / 3
    f.save(tmp_path / "f.safetensors")
    again = na.load(tmp_path / "f.safetensors")
    for one, other in zip(f.derivatives(x, 2), again.derivatives(x, 2), strict=True):
        np.testing.assert_array_equal(one, other)
    assert pickle.loads(pickle.dumps(activation(name))) == activation(name)


@pytest.mark.parametrize("name", [n for n in EVERYWHERE if n not in ("log∘asinh∘exp", "log∘arctan∘exp")])
def test_onnxruntime_computes_what_the_network_does(name: str, tmp_path: Path) -> None:
    """There is no double precision of Atan and Asinh there."""
    f, x = network(name), np.random.default_rng(1).normal(size=(5, 2)) / 3
    f.save(tmp_path / "f.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "f.onnx")
    (value,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(value, f(x), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_formulas(name: str) -> None:
    formula = network(name).formula(order=1, digits=3)
    assert "∘" not in formula.text()
    assert formula.latex()


def test_ends_of_the_range_are_the_outer_limits() -> None:
    """log(1 + 5e-324 exp(x)) is 0 up to where exp overflows, and rises beyond."""
    assert na.conjugate("affine", slope=5e-324, offset=1).range == (0, sympy.oo)


def test_bounds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(InputError, match=r"low=3, high=2 received; low <= high is expected"):
        na.activation("hardtanh", low=3, high=2)
    with pytest.raises(InputError, match=r"width=-1 received for softshrink"):
        na.activation("softshrink", width=-1)


@pytest.mark.parametrize(("formula", "additive", "multiplicative"), [
    (z**2 / (1 + z) + 1, (0, sympy.oo), None),
    (z / (1 + z), (-sympy.oo, 0), (sympy.E, sympy.E)),
    (2 + sympy.sin(z), (sympy.log(2), sympy.nan), (sympy.nan, sympy.nan)),
    (1 + sympy.exp(-z), (sympy.log(2), 0), (sympy.oo, sympy.E)),
])  # fmt: skip
def test_limits_of_a_registered_function_are_those_of_its_formula(formula, additive, multiplicative):
    """σ(inf) in floats is not the limit: z/(1 + z) gives 0 there."""
    na.register("limited", formula, z, replace=True)
    assert na.conjugate("limited").limits == additive
    if multiplicative is not None:
        assert na.conjugate("limited", "multiplicative").limits == multiplicative
