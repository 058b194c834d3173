"""Products of neurons that are sums of neurons: by partial fractions, and within an error at unchanged depth."""

from __future__ import annotations

import itertools

import flint
import mpmath
import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra import products, same_depth
from neuralgebra.algebra.fractions import fraction
from neuralgebra.algebra.same_depth import product_as_sum
from neuralgebra.errors import UnsupportedError
from oracles import evaluate

FUNCTIONS = {"sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)), "tanh": mpmath.tanh}
BOX = [(-2.0, 2.0)] * 2


def parallel(name: str, biases: list[float], signs: list[int], seed: int = 0) -> na.Network:
    rng = np.random.default_rng(seed)
    weight = np.outer(signs, [1.0, 0.5])
    return na.Network.from_layers([(weight, biases), (rng.normal(size=(1, len(signs))), rng.normal(size=1))], name)


def expect_equal(f: na.Network, plain: na.Network, bound: float, dtype: str = "float64") -> None:
    """In 60 digits at stored weights, no farther apart than the bound."""
    rng = np.random.default_rng(1)
    points = [*itertools.product([-2.0, 2.0], repeat=2), *rng.uniform(-2, 2, (6, 2)).astype(dtype).tolist()]
    with mpmath.workdps(60):
        for point in points:
            exact = [mpmath.mpf(x) for x in point]
            (u,), (v,) = evaluate(f, exact), evaluate(plain, exact)
            assert abs(u - v) <= bound


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("difference", [(1, 2), (-3, 1), (1, 50)])
def test_fractions(name: str, sign: int, difference: tuple[int, int]) -> None:
    found = fraction(name, flint.fmpq(*difference), sign)
    assert found is not None
    with mpmath.workdps(70):
        d, c, e = (mpmath.mpf(int(v.p)) / int(v.q) for v in found)
        sigma = FUNCTIONS[name]
        for z in (-3, mpmath.mpf("0.1"), 2):
            w = sign * (z - mpmath.mpf(difference[0]) / difference[1])  # z - sign·w = δ
            assert abs(sigma(z) * sigma(w) - d - c * sigma(z) - e * sigma(w)) < mpmath.mpf(10) ** -60


def test_close_arguments_and_other_functions_have_no_fractions() -> None:
    assert fraction("tanh", flint.fmpq(1, 1000), 1) is None
    assert fraction("softplus", flint.fmpq(1), 1) is None


@pytest.mark.parametrize("name", FUNCTIONS)
def test_products_of_parallel_neurons_take_no_new_ones(name: str) -> None:
    f, g = parallel(name, [0.3, -1.2], [1, -1]), parallel(name, [1.0, 2.0, -0.7], [1, 1, -1], 1)
    plain = (f * g).plain(name)
    assert (plain.neurons, plain.depth) == (5, 1)
    expect_equal(f * g, plain.network, 1e-14)
    proven = (f * g).plain(name, BOX, 1e-12)
    assert (proven.neurons, proven.depth) == (5, 1)
    assert proven.certificate is not None
    assert proven.certificate.bound < 1e-14
    expect_equal(f * g, proven.network, proven.certificate.bound)


def test_behind_equal_layers_too() -> None:
    first = na.Network.from_layers([(np.eye(2), None)], output="tanh")
    f, g = parallel("tanh", [0.5], [1]) @ first, parallel("tanh", [-0.5, 1.5], [1, -1]) @ first
    plain = (f * g).plain("tanh")
    assert (plain.neurons, plain.depth) == (5, 2)
    expect_equal(f * g, plain.network, 1e-14)


def test_equal_biases_go_to_a_gate() -> None:
    f = parallel("tanh", [0.5], [1])
    with pytest.raises(UnsupportedError):
        (f * f).plain("tanh")
    plain = (f * f).plain("tanh", BOX, 1e-6)
    assert plain.depth == 2
    expect_equal(f * f, plain.network, 1e-6)


def test_a_wrong_fraction_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "fraction", lambda name, d, sign: fraction(name, -d, sign))
    with pytest.raises(AssertionError):
        test_products_of_parallel_neurons_take_no_new_ones("tanh")


# At unchanged depth -----------------------------------------------------------------------------------------------


def single(name: str, weight: list[float], bias: float) -> na.Network:
    return na.Network.from_layers([([weight], [bias]), ([[1.5]], [0.25])], name)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus"])
def test_more_neurons_come_nearer(name: str) -> None:
    errors = [same_depth._guess(na.activation(name), -1.5, 1.5, pairs).error for pairs in (1, 3, 6)]
    assert errors[0] > 4 * errors[1] > 16 * errors[2]


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "gelu", "relu"])
def test_the_error_of_a_sum_is_proven(name: str) -> None:
    found = product_as_sum(na.activation(name), -1.0, 2.0, 2)
    neurons = na.Network.function(name)
    x = np.random.default_rng(0).uniform(-1, 2, (20000, 2))
    seen = abs(found.network(na.activation(name))(x) - neurons(x[:, :1]) * neurons(x[:, 1:])).max()
    assert seen <= found.error <= 1.5 * seen


@pytest.mark.parametrize(("name", "tol"), [("sigmoid", 1e-2), ("tanh", 0.2)])
def test_products_of_neurons_in_one_layer(name: str, tol: float) -> None:
    f, g = single(name, [1.0, 0.3], 0.2), single(name, [-0.4, 1.0], -0.3)
    plain = (f * g).plain(name, BOX, tol, objective="depth")
    assert plain.depth == 1
    assert plain.certificate is not None
    assert plain.certificate.bound <= tol
    expect_equal(f * g, plain.network, plain.certificate.bound)
    assert (f * g).plain(name, BOX, tol).depth == 2


def test_what_sums_do_not_reach_goes_to_gates() -> None:
    f, g = single("sigmoid", [1.0, 0.3], 0.2), single("sigmoid", [-0.4, 1.0], -0.3)
    plain = (f * g).plain("sigmoid", BOX, 1e-9, objective="depth")
    assert plain.depth == 2
    expect_equal(f * g, plain.network, 1e-9)


def test_an_error_that_is_not_counted_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    f, g = single("sigmoid", [1.0, 0.3], 0.2), single("sigmoid", [-0.4, 1.0], -0.3)
    same_depth.product_as_sum.cache_clear()
    monkeypatch.setattr(same_depth, "_error", lambda *given: 0.0)
    plain = (f * g).plain("sigmoid", BOX, 1e-3, objective="depth")
    assert plain.certificate is not None
    with pytest.raises(AssertionError):
        expect_equal(f * g, plain.network, plain.certificate.bound)
    same_depth.product_as_sum.cache_clear()
