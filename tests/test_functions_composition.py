"""Compositions of activations: their chain against mpmath, their kinks, names and files."""

import math
import pickle
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
import neuralgebra.functions.catalogue
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.errors import KinkError, UnsupportedError
from neuralgebra.functions.activation import Activation, activation, compose, found
from neuralgebra.functions.composition import letters
from oracles_functions import FORMULAS

SMOOTH = (
    "tanh",
    "sigmoid",
    "softplus",
    "gelu",
    "silu",
    "mish",
    "sin",
    "cos",
    "exp",
    "arctan",
    "asinh",
    "gaussian",
    "square",
)
WORDS = st.lists(st.sampled_from(SMOOTH), min_size=2, max_size=4)


def by_formula(names: list[str], x: Any) -> Any:
    for name in reversed(names):
        x = FORMULAS[name](x)
    return x


@given(WORDS, st.floats(-1.5, 1.5))
@settings(max_examples=60)
def test_derivatives_up_to_order_4(names: list[str], x: float) -> None:
    function, kind = compose([activation(n) for n in names]), Balls(200)
    with mpmath.workdps(60):
        expected = mpmath.taylor(lambda t: by_formula(names, t), mpmath.mpf(x), 4)
        for order in range(5):
            with kind.precision():
                ball = function.derivative(kind, kind.weight(np.array([x])), order)[0]
            exact = expected[order] * mpmath.factorial(order)
            assert abs(float(ball - flint.arb(mpmath.nstr(exact, 50)))) <= 1e-12 * float(1 + abs(exact)), order


@given(WORDS, st.floats(-1.5, 1.5))
@settings(max_examples=60)
def test_arrays_agree_with_the_parts_one_after_another(names: list[str], x: float) -> None:
    whole, parts = na.Network.function("∘".join(names)), na.Network.identity(1)
    for name in reversed(names):
        parts = na.Network.function(name) @ parts
    for one, other in zip(whole.derivatives([x], 2), parts.derivatives([x], 2), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12 * (1 + abs(other).max()))


def test_parameters_are_numbered_from_the_outermost() -> None:
    word = compose([activation("leaky_relu", slope=0.25), activation("exp"), activation("leaky_relu", slope=0.5)])
    assert str(word) == "leaky_relu∘exp∘leaky_relu(slope=0.25, slope2=0.5)"
    assert [str(f) for f in word.letters] == ["leaky_relu(slope=0.25)", "exp", "leaky_relu(slope=0.5)"]
    np.testing.assert_allclose(na.Network.function(word)([-2.0]), [np.exp(-1.0)], rtol=1e-15)
    each = compose([activation("leaky_relu", slope=(0.25, 0.75)), activation("tanh")])
    np.testing.assert_allclose(na.Network.function(each, 2)([-2, -2]), np.array([0.25, 0.75]) * np.tanh(-2), rtol=1e-15)


def test_compositions_are_flat_and_the_identity_takes_no_part() -> None:
    inner = compose([activation("tanh"), activation("exp")])
    assert compose([activation("log"), inner]) == compose(
        [compose([activation("log"), activation("tanh")]), activation("exp")]
    )
    assert compose([activation("identity"), activation("tanh")]) == activation("tanh")
    assert compose([activation("identity")]) == activation("identity")


def test_letters_keep_parentheses_together() -> None:
    assert letters("log∘(tanh∘exp)'∘exp") == ["log", "(tanh∘exp)'", "exp"]


def test_the_derivative_of_a_composition_has_a_name() -> None:
    word = activation("log∘tanh∘exp")
    slope = word.differentiated(2)
    assert slope.name == "(log∘tanh∘exp)''"
    assert found(slope.name) is slope.row
    assert compose([slope, activation("sin")]).name == "(log∘tanh∘exp)''∘sin"
    assert [f.name for f in compose([slope, activation("sin")]).letters] == ["(log∘tanh∘exp)''", "sin"]


def test_names_that_stand_for_nothing() -> None:
    for name in ("log∘nothing", "∘", "log∘", "(log∘tanh", "log∘tanh)'"):
        with pytest.raises(UnsupportedError, match="the catalogue has no such function"):
            activation(name)
    with pytest.raises(UnsupportedError, match="at most 12"):
        activation("∘".join(["tanh"] * 13))


@pytest.mark.parametrize(("word", "places"), [
    (("relu", "log"), [1.0]),
    (("hardtanh", "exp"), [0.0]),
    (("log", "hardtanh", "exp"), [0.0]),
    (("relu", "logit"), [0.5]),
    (("tanh", "relu"), [0.0]),
])  # fmt: skip
def test_kinks_are_where_the_inner_functions_reach_them(word: tuple[str, ...], places: list[float]) -> None:
    function = compose([activation(name) for name in word])
    assert [at for at, _ in function.points(Arrays.of(np.zeros(1)))] == pytest.approx(places)
    balls = Balls(128)
    with balls.precision():
        assert [float(at) for at, _ in function.points(balls)] == pytest.approx(places)
    with pytest.raises(KinkError):
        na.Network.function(function).jacobian(places, kinks="raise")


@pytest.mark.parametrize(
    ("word", "places"),
    [
        (["relu", activation("affine", offset=-4), "square"], [[-2], [2]]),
        (["abs", "log", activation("power", p=2)], [[-1], [1]]),
        (["relu", activation("affine", offset=-4), "square", "exp"], [[math.log(2)]]),
        (["relu", "square"], []),
        (["relu", activation("affine", offset=(-1, -4)), "square"], [[-1, -2], [1, 2]]),
        (["relu", activation("affine", offset=(-1, -4))], [[1, 4]]),
        (["relu", activation("exp_base", base=0.5)], []),
    ],
)
def test_kinks_behind_even_functions_and_functions_for_each_unit(word: list[Any], places: list[Any]) -> None:
    function = compose([activation(f) if isinstance(f, str) else f for f in word])
    found = sorted(np.atleast_1d(at).tolist() for at, _ in function.points(Arrays.of(np.zeros(1))))
    np.testing.assert_allclose(found, places)


def test_kinks_behind_a_function_without_inverse_are_refused() -> None:
    """The range that a row states is that of the parameters that it states: max(x, -5) takes the value 0."""
    with pytest.raises(UnsupportedError, match="kinks behind sin"):
        compose([activation("relu"), activation("sin")])
    with pytest.raises(UnsupportedError, match="kinks behind at_least"):
        compose([activation("leaky_relu"), activation("at_least", bound=-5)])


def test_functions_of_a_composition_are_those_that_it_was_made_of() -> None:
    x = sympy.Symbol("x")
    na.register("replaced_part", x + 1, x)
    made = compose([activation("log"), activation("replaced_part")])
    na.register("replaced_part", x + 5, x, replace=True)
    assert made.letters[1].row.fingerprint in made.row.fingerprint
    np.testing.assert_array_equal(made.letters[1](Arrays.of(np.zeros(1)), np.array([1.0])), [2.0])


@pytest.mark.parametrize("name", ["log∘gelu∘exp", "tanh∘tanh", "relu∘log"])
def test_files_and_code_know_compositions(name: str, tmp_path: Any) -> None:
    f = na.Network.function(name, 2)
    for ending in ("safetensors", "onnx"):
        f.save(tmp_path / f"f.{ending}")
        assert na.load(tmp_path / f"f.{ending}") == f
    assert pickle.loads(pickle.dumps(f)) == f
    assert f.check(np.array([[0.5, 1.5]])).agrees
    assert f.check(np.array([[0.5, 1.5]]), code="python").agrees


def test_intervals_hold_the_values_of_a_composition() -> None:
    f = na.Network.function("silu∘sin", 1)
    found = f.enclose([(-3, 3)])
    values = f(np.linspace(-3, 3, 1001)[:, None])
    assert found.low[0] <= values.min()
    assert values.max() <= found.high[0]
    assert found.high[0] - found.low[0] < 1.1 * np.ptp(values)


def test_an_activation_of_one_letter_is_its_own_letter() -> None:
    tanh = activation("tanh")
    assert tanh.letters == (tanh,)
    assert isinstance(compose([tanh]), Activation)
