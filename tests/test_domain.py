"""Multiplicative and mixing layers outside of their domain: an error that names the place, or NaN when asked."""

import warnings
from typing import Any

import jax
import numpy as np
import pytest
import torch

import neuralgebra as na
from neuralgebra.errors import InputError

F = na.Network.from_layers(
    [([[0.5, -1.0, 2.0], [1.0, 0.0, 0.25]], [0.1, -0.2]), ([[1.0, 2.0]], None)],
    "tanh",
    kind="multiplicative",
    input_names=["a", "b", "c"],
)
INNER = na.Network.from_layer(na.PowerProduct([[1.0, 2.0]]), 2) @ na.Network.from_layers([([[1, 1], [1, -1]], None)])
QUESTIONS = {
    "value": lambda f, x: f(x),
    "jacobian": lambda f, x: f.jacobian(x),
    "hessian": lambda f, x: f.hessian(x),
    "derivatives": lambda f, x: f.derivatives(x, 2),
    "laplacian": lambda f, x: f.laplacian(x),
    "jvp": lambda f, x: f.jvp(x, x),
    "taylor": lambda f, x: f.taylor(x, x, 3),
    "kinks": lambda f, x: f.jacobian(x, kinks="raise"),
    "parameter_vjp": lambda f, x: f.parameter_vjp(x, np.ones((len(x), 1))),
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize("wrong", [-1.5, 0.0, -0.0])
def test_data_outside_are_refused_with_row_and_column(question: Any, wrong: float) -> None:
    x = np.ones((4, 3))
    x[2, 1] = wrong
    with pytest.raises(InputError, match=rf"row 3, column b is {wrong:g}; PowerProduct 3→2 takes x > 0"):
        question(F, x)


@pytest.mark.filterwarnings("ignore::neuralgebra.errors.PrecisionWarning")
@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor, jax.numpy.asarray], ids=["numpy", "torch", "jax"])
def test_arrays_of_all_libraries_are_looked_at(library: Any) -> None:
    with pytest.raises(InputError, match="column c is -2"):
        F(library([1.0, 1.0, -2.0]))


def test_a_single_point_has_no_row() -> None:
    with pytest.raises(InputError, match=r"^column a is -1;"):
        F([-1, 1, 1])
    with pytest.raises(InputError, match=r"^row 5, column a"):
        F(np.where(np.arange(6).reshape(2, 3, 1) == 4, -1.0, np.ones(3)))


def test_data_reach_the_layer_through_wiring() -> None:
    x = na.Network.identity(3)
    f = na.Network.from_layer(na.PowerProduct([[1.0, 1.0]]), 2) @ na.stack(x[2], x[0])
    assert f([2, -1, 3])[0] == pytest.approx(6)
    with pytest.raises(InputError, match="column x3 is -3"):
        f([2, -1, -3])


def test_inner_numbers_outside_are_named() -> None:
    with pytest.raises(InputError, match=r"row 2, unit 2: -1 goes into node 2; PowerProduct 2→1 takes x > 0"):
        INNER([[3, 1], [1, 2], [5, 6]])
    with pytest.raises(InputError, match=r"row 1, unit 2: -1 goes into node 2"):
        INNER.jacobian([1, 2])
    np.testing.assert_allclose(INNER([[3, 1]]), [[16]])


def test_many_points_are_looked_at_too() -> None:
    x = np.random.default_rng(0).uniform(0.1, 1, (100_000, 2)) + np.array([1, 0])
    x[70_001] = [0, 1]
    with pytest.raises(InputError, match=r"row 70002, unit 2: -1"):
        INNER(x)


def test_nan_in_the_data_is_no_fault() -> None:
    assert np.isnan(F([1, np.nan, 1])).all()
    assert np.isnan(INNER([1, np.nan])).all()


def test_nan_when_asked() -> None:
    g = F.extended()
    assert np.isnan(g([[1, -1, 1], [1, 1, 1]])).tolist() == [[True], [False]]
    assert np.isnan(g.jacobian([1, -1, 1])).any()
    assert np.isnan(INNER.extended()([1, 2])).all()
    np.testing.assert_array_equal(g([[1.0, 2.0, 3.0]]), F([[1.0, 2.0, 3.0]]))


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor, jax.numpy.asarray], ids=["numpy", "torch", "jax"])
def test_at_zero_a_power_is_its_limit(library: Any) -> None:
    g = na.Network.from_layer(na.PowerProduct([[0.5, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]), 2).extended()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.asarray(g(library([0.0, 2.0]))).tolist() == [0, 2, np.inf, 1]
        assert np.asarray(g(library([np.inf, 2.0]))).tolist() == [np.inf, 2, 0, 1]


def test_a_zero_weight_behind_an_underflow() -> None:
    """tanh of a product underflows to 0, and the weight of that unit is 0."""
    f = na.Network.from_layers([(np.eye(2) * 400, None), ([[0.0, 1.0]], None)], "tanh", kind="multiplicative")
    assert f([0.1, 1.0])[0] == pytest.approx(np.tanh(1))


def test_mixing_asks_for_the_domain_of_the_inverse() -> None:
    f = na.Network.from_layer(na.Mixing("tanh", [[0.5, 0.5]]), 2)
    with pytest.raises(
        InputError, match=r"column x2 is 1; Mixing 2→1 by tanh takes what atanh is defined for, -1 to 1"
    ):
        f([0.5, 1.0])
    with pytest.raises(InputError, match=r"column x1 is -2"):
        f([-2, 0.5])
    root = na.Network.from_layer(na.Mixing("sqrt", [[1.0, -1.0]]), 2)
    assert root([3, 0])[0] == 3
    with pytest.raises(InputError, match=r"row 1, unit 1: -5 is a sum of node 1; sqrt is not defined for it"):
        root([2, 3])


@pytest.mark.parametrize(("name", "x", "message"), [
    ("sqrt", [-8, 1], r"column x1 is -8; Mixing 2→1 by sqrt takes what square is defined for, 0 to inf"),
    ("reciprocal", [-2, 4], r"column x1 is -2; Mixing 2→1 by reciprocal takes what reciprocal is defined for, 0 to"),
    ("arctan", [1, 2], r"column x2 is 2; Mixing 2→1 by arctan takes what tan is defined for, -1.57"),
    ("square", [1, 4], r"unit 1: -3 is a sum of node 1; square is one to one from 0 to inf"),
    ("reciprocal", [1, 1], r"unit 1: -1 is a sum of node 1; reciprocal is one to one from 0 to inf"),
    ("tan", [1e9, -1e9], r"unit 1: 4.71239 is a sum of node 1; tan is one to one from -1.5708 to 1.5708"),
])  # fmt: skip
def test_mixing_refuses_what_its_function_takes_twice(name: str, x: Any, message: str) -> None:
    f = na.Network.from_layer(na.Mixing(name, [[1.0, -2.0]]), 2)
    for question in (lambda: f(x), lambda: f.jacobian(x), lambda: f([x, x])):
        with pytest.raises(InputError, match=message):
            question()
    assert np.isfinite(f.extended()(x)).all()


@pytest.mark.filterwarnings("ignore::neuralgebra.errors.PrecisionWarning")
def test_rounding_at_the_ends_of_a_mixing_is_no_fault() -> None:
    f = na.Network.from_layer(na.Mixing("arctan", [[0.5]]), 1) @ na.Network.function("arctan")
    assert np.isfinite(f(np.array([[1e30], [-1e30]]))).all()
    assert np.isfinite(f(np.array([[1e30]], dtype=np.float32))).all()


@pytest.mark.filterwarnings("ignore::neuralgebra.errors.PrecisionWarning")
def test_nothing_is_looked_at_under_a_transformation() -> None:
    assert np.isnan(jax.jit(lambda x: F(x))(jax.numpy.asarray([1.0, -1.0, 1.0]))).all()


def test_networks_without_such_layers_give_what_they_gave() -> None:
    assert np.isnan(na.Network.function("log")([-1.0])).all()
    assert not na.Network.function("log").multiplicative


def test_bound_networks_check_too() -> None:
    bound = F.with_parameters({n: torch.tensor(v, requires_grad=True) for n, v in F.parameters().items()})
    with pytest.raises(InputError, match="column b is -1"):
        bound([1, -1, 1])
