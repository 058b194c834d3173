"""Plain layers without approximation: the same function, within the certificate, with as many neurons as counted."""

from __future__ import annotations

import itertools
import math

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.algebra.plain import Plain
from neuralgebra.algebra.relations import _LAWS, one_sided, relation
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.errors import InputError, ResourceError, UnsupportedError, UsageError
from oracles import evaluate
from strategies import arrays

BOX = [(-1.0, 1.0), (-0.5, 2.0)]


def net(activation: str, *sizes: int, seed: int = 0) -> na.Network:
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(pairs, activation)


def inside(box: list[tuple[float, float]], count: int = 10) -> np.ndarray:
    """Corners and random points of a box, in single precision."""
    low, high = np.array(box).T
    points = np.random.default_rng(1).uniform(low, high, size=(count, len(box)))
    return np.vstack([list(itertools.product(*box)), points]).astype(np.float32).astype(float)


def expect_within(f: na.Network, plain: Plain, box: list[tuple[float, float]] = BOX) -> None:
    """Real numbers, to 60 digits, and executions are no farther from f than the certificates say."""
    real, any_ = plain.certificate, plain.execution
    assert real is not None
    assert any_ is not None
    layers = [node.layer for node in plain.network.nodes]
    assert {type(layer) for layer in layers} <= {na.Affine, na.Elementwise}
    assert len({layer.only for layer in layers if isinstance(layer, na.Elementwise)}) <= 1
    x = inside(box)
    executed = plain.network(x.astype(plain.network.dtype))
    with mpmath.workdps(60):
        for point, result in zip(x, executed, strict=True):
            given_ = [mpmath.mpf(v) for v in point]
            exact, plain_ = evaluate(f, given_), evaluate(plain.network, given_)
            for a, b, c, small, large in zip(exact, plain_, result.tolist(), real.bounds, any_.bounds, strict=True):
                assert abs(b - a) <= small + 1e-50
                assert abs(mpmath.mpf(c) - a) <= large
                assert small <= large


# Relations --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "by"), _LAWS)
def test_relations_hold_at_every_argument(name: str, by: str) -> None:
    function, other, k = na.activation(name), na.activation(by), Balls(300)
    found = relation(function, other)
    assert found is not None
    with k.precision():
        z = k.weight(np.concatenate([np.linspace(-9, 9, 73), np.random.default_rng(0).normal(size=20)]))
        terms = [k.scalar(c) * other(k, k.scalar(a) * z + k.scalar(b)) for a, b, c in found.terms]
        difference = sum(terms, k.scalar(found.constant)) - function(k, z)
    assert all(abs(d) <= found.error + 1e-80 for d in difference)


@given(
    st.integers(-(10**8), 10**8).map(lambda v: v / 96),
    st.sampled_from(["relu", "leaky_relu", "elu", "hardswish", "abs"]),
)
def test_one_neuron_is_the_identity_from_an_argument_on(low: float, name: str) -> None:
    found, k = one_sided(na.activation(name), low), Balls(300)
    assert found is not None
    ((a, b, c),) = found.terms
    with k.precision():
        z = k.weight(np.array([low, low + 0.1, low + abs(low) + 1]))
        value = c * na.activation(name)(k, a * z + k.scalar(b)) + k.scalar(found.constant)
        assert all(abs(v - w) < 1e-70 for v, w in zip(value, z, strict=True))


# Families ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [((2, 3, 1), (2, 4, 1)), ((2, 3, 4, 1), (2, 2, 2, 1))])
@pytest.mark.parametrize("names", [("cos", "cos"), ("sin", "cos"), ("sin", "sin"), ("exp", "exp")])
def test_products_of_a_family_are_exact_at_equal_depth(
    names: tuple[str, str], sizes: tuple[tuple[int, ...], ...]
) -> None:
    f, g = (net(name, *size, seed=i) for i, (name, size) in enumerate(zip(names, sizes, strict=True)))
    if names[0] == "exp":
        f, g = (h @ na.Network.from_layers([(0.1 * np.eye(2), None)]) for h in (f, g))
    plain = (f * g).plain(names[1] if names == ("sin", "cos") else None, BOX)
    expect_within(f * g, plain)
    n, m = (size[-2] for size in sizes)
    pairs = n * m if names[0] == "exp" else 2 * n * m
    assert len(plain.layers_list()[-2][0]) == pairs + n + m  # the biases of the last layers need both again
    assert plain.depth == len(sizes[0]) - 2


def test_powers_have_the_multinomial_number_of_neurons() -> None:
    f = net("exp", 2, 3, 1)
    for n in (2, 3, 4):
        plain = (f**n).plain(domain=BOX)
        expect_within(f**n, plain)
        assert plain.neurons == math.comb(3 + n, n) - 1  # the constant needs none


def test_frequencies_that_are_multiples_of_one_are_a_convolution() -> None:
    f = na.Network.from_layers([(np.arange(1.0, 6.0)[:, None], None), (np.ones((1, 5)), None)], "cos")
    g = na.Network.from_layers([(np.arange(1.0, 4.0)[:, None], None), (np.ones((1, 3)), None)], "cos")
    plain = (f * g).plain()
    assert sorted(plain.layers_list()[0][0].ravel()) == list(range(1, 9))  # and the frequency 0 is a constant
    x = np.linspace(-3, 3, 50)[:, None]
    np.testing.assert_allclose(plain.network(x), (f * g)(x), atol=1e-13)


def test_several_outputs_are_multiplied_in_pairs() -> None:
    f, g = net("cos", 2, 3, 2), net("cos", 2, 2, 2, seed=1)
    expect_within(f * g, (f * g).plain(domain=BOX))
    h = f[0] * g
    expect_within(h, h.plain(domain=BOX))


def test_a_constant_factor_is_no_product() -> None:
    f, c = net("tanh", 2, 3, 1), na.Network.from_layers([(np.zeros((1, 2)), [2.5])])
    plain = (f * c).plain()
    assert plain.neurons == 3
    np.testing.assert_array_equal(plain.layers_list()[1][0], 2.5 * f.layers_list()[1][0])


# Depth ------------------------------------------------------------------------------------------------------------

EXACT = ("relu", "leaky_relu", "softplus", "gelu", "silu", "square")


@pytest.mark.parametrize("name", EXACT)
def test_sums_of_unequal_depth_are_exact(name: str) -> None:
    f, g = net(name, 2, 3, 2, 1), net(name, 2, 4, 1, seed=1)
    expect_within(f + g, (f + g).plain(domain=BOX))
    x = inside(BOX)
    np.testing.assert_allclose((f + g).plain().network(x), (f + g)(x), rtol=1e-9, atol=1e-9)


def test_values_are_handed_on_where_it_costs_least() -> None:
    wide_input = net("relu", 20, 2, 1)
    deep = net("relu", 20, 3, 3, 3, 1)
    box = [(0.0, 1.0)] * 20
    assert (deep + wide_input).plain(domain=box).neurons == 9 + 2 + 2  # one value through two layers
    narrow = net("relu", 1, 3, 3, 3, 1)
    wide = net("relu", 1, 9, 5)
    both = na.stack(narrow, wide)
    assert both.plain(domain=[(0.0, 1.0)]).neurons == 9 + 2 + 9  # the input through two layers, not five outputs


def test_maxima_and_absolute_values_are_exact_in_relu() -> None:
    f = na.Network.from_layer(na.Maximum([[0, 1, 2], [1, 1, 3]]), 4) @ net("abs", 2, 3, 4)
    expect_within(f, f.plain("relu", BOX))
    clip = na.Network.function("hardtanh", 2) @ net("relu", 2, 3, 2)
    expect_within(clip, clip.plain("relu", BOX))


@pytest.mark.parametrize(("name", "by"), [("tanh", "sigmoid"), ("sigmoid", "tanh"), ("relu", "leaky_relu")])
def test_one_activation_stands_for_another(name: str, by: str) -> None:
    f = net(name, 2, 3, 4, 2)
    for dtype in ("float64", "float32"):
        plain = f.plain(by, BOX, dtype=dtype)
        assert plain.network.dtype == dtype
        expect_within(f, plain)


@settings(max_examples=30)
@given(st.data())
def test_affine_parts_of_every_structure_are_exact(data: st.DataObject) -> None:
    f = net("relu", 2, 3, 2) @ na.Network.from_layers([(data.draw(arrays((2, 2))), data.draw(arrays((2,))))])
    g = net("relu", 2, 2, 2, 2, seed=1)
    h = data.draw(st.sampled_from([f + g, f - g, na.stack(f, g), f[0] + g, g @ f, f @ g @ f]))
    expect_within(h, h.plain(domain=BOX))


# What is refused --------------------------------------------------------------------------------------------------


def test_what_is_not_exact_needs_a_domain() -> None:
    f = net("tanh", 2, 3, 1)
    for g in (f * f, f + net("tanh", 2, 3, 3, 1), f / (f * f + 1)):
        with pytest.raises(UnsupportedError, match="a domain and a tolerance expected"):
            g.plain("tanh")


def test_the_activation_must_be_known() -> None:
    with pytest.raises(UsageError, match="the activations tanh, relu received"):
        na.stack(net("tanh", 2, 3, 1), net("relu", 2, 3, 1)).plain()
    with pytest.raises(UsageError, match="no activation"):
        na.Network.from_layer(na.Softmax(), 3).plain()


BAD = {
    "a width above 0 expected": {"domain": [(0, 1), (2, 2)], "tol": 1e-3},
    "the low end first expected": {"domain": [(0, 1), (3, 2)], "tol": 1e-3},
    "two finite numbers expected": {"domain": [(0, 1), (0, np.inf)], "tol": 1e-3},
    "a box of 1 ranges received": {"domain": [(0, 1)], "tol": 1e-3},
    "tol=0 received": {"domain": BOX, "tol": 0},
    "tol=nan received": {"domain": BOX, "tol": np.nan},
    "tol='small' received": {"domain": BOX, "tol": "small"},
    "tol=0.1 without a domain": {"tol": 0.1},
    "float32 or float64 expected": {"domain": BOX, "tol": 0.1, "dtype": "float16"},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_questions_are_refused_with_what_is_expected(message: str) -> None:
    f = net("tanh", 2, 3, 1)
    with pytest.raises((InputError, UsageError), match=message):
        (f * f).plain("tanh", **BAD[message])


def test_activations_that_are_nowhere_curved_make_no_products() -> None:
    f = net("tanh", 2, 3, 1)
    with pytest.raises(UnsupportedError, match="neurons of hardtanh received, which is made of straight pieces"):
        (f * f).plain("hardtanh", BOX, 0.1)


def test_products_that_would_explode_are_refused_with_their_size() -> None:
    f = net("exp", 2, 20, 1)
    with pytest.raises(ResourceError, match="neurons; at most 1,000 are covered"):
        (f**200).plain()


def test_points_outside_of_the_domain_are_told() -> None:
    plain = net("relu", 2, 3, 1).plain(domain=BOX)
    assert plain.check_domain([[0, 0], [2, 0], [0, 2], [0, 2.5]]).tolist() == [True, False, True, False]
    assert net("relu", 2, 3, 1).plain().check_domain([[9.0, 9.0]]).all()


@pytest.mark.parametrize(("name", "product", "square"), [("relu_squared", 4, 2), ("square", 2, 1)])
def test_products_in_squares_are_exact(name: str, product: int, square: int) -> None:
    """Counts of Li, Tang and Yu, "PowerNet", 2019, for relu²."""
    u, v = na.Network.identity(2)
    for f, neurons, depth in ((u * v, product, 1), (u * u, square, 1), ((u * v) ** 2, product + square, 2)):
        plain = f.plain(name)
        assert (plain.neurons, plain.depth) == (neurons, depth)
        with mpmath.workdps(60):
            for point in ([0.3, -2.0], [-1.5, -0.25], [0.0, 1.0]):
                exact = [mpmath.mpf(v) for v in point]
                assert abs(evaluate(f, exact)[0] - evaluate(plain.network, exact)[0]) < mpmath.mpf(10) ** -55
    proven = (u * v).plain(name, [(-2, 2)] * 2, 1e-12)
    assert proven.certificate is not None
    assert proven.certificate.bound == 0
