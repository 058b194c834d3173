"""Normal forms are the same function, to 60 digits, and as small as planted; verdicts of equality are proven."""

from __future__ import annotations

import itertools

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.algebra.normal_form import _RATIONAL, _value
from neuralgebra.algebra.symmetries import _DEGREES, _INDEPENDENT, _REFLECTIONS, degree, reflection
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.errors import ShapeError, UnsupportedError
from oracles import evaluate
from oracles_functions import FORMULAS

INSIDE = {"atanh": 0.9, "tan": 1.5}


def net(activation: str, *sizes: int, seed: int = 0) -> na.Network:
    """Weights with few bits, so that sums of some of them are doubles."""
    rng = np.random.default_rng(seed)
    pairs = [(rng.integers(-99, 99, (m, n)) / 16, rng.integers(-99, 99, m) / 16) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(pairs, activation)


def expect_same(f: na.Network, g: na.Network, digits: int = 45) -> None:
    with mpmath.workdps(60):
        for x in np.random.default_rng(0).normal(size=(4, f.input_size)).tolist():
            point = [mpmath.mpf(v) for v in x]
            for a, b in zip(evaluate(f, point), evaluate(g, point), strict=True):
                assert abs(a - b) <= mpmath.mpf(10) ** -digits * (1 + abs(a))


# The table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _REFLECTIONS)
def test_reflections_hold_in_balls(name: str) -> None:
    for parameters in ({}, {"slope": 0.375}) if name in ("leaky_relu", "prelu") else ({},):
        function, k = na.activation(name, **parameters), Balls(300)
        law = reflection(function)
        assert law is not None
        with k.precision():
            size = INSIDE.get(name, 9.0)
            z = k.weight(np.random.default_rng(0).uniform(-size, size, 40))
            right = law.sign * function(k, z) + k.scalar(law.constant) + k.scalar(law.slope) * z
            assert all(abs(a - b) < 1e-80 for a, b in zip(function(k, -z), right, strict=True))


@pytest.mark.parametrize("name", _DEGREES)
def test_positive_factors_come_out_in_balls(name: str) -> None:
    function, k = na.activation(name), Balls(300)
    with k.precision():
        z = k.weight(np.random.default_rng(0).uniform(-9, 9, 40))
        for factor in (0.1, 3.0):
            left, right = function(k, factor * z), k.scalar(factor) ** degree(function) * function(k, z)
            assert all(abs(a - b) < 1e-80 for a, b in zip(left, right, strict=True))


def test_bands_that_are_not_centred_have_no_symmetry() -> None:
    assert reflection(na.activation("hardtanh", low=-1, high=2)) is None
    assert reflection(na.activation("hardsigmoid", offset=0.25)) is None


@pytest.mark.parametrize("name", sorted(_RATIONAL))
def test_values_that_are_rational_are_those_of_the_textbook(name: str) -> None:
    function = na.activation(name)
    ratios = {n: v.as_integer_ratio() for n, v in function.parameters}
    for numerator in (-29, -8, -3, 0, 1, 2, 11, 25, 31):
        value = _value(function, flint.fmpq(numerator, 4))
        with mpmath.workdps(30):
            given_ = {n: mpmath.mpf(p) / q for n, (p, q) in ratios.items()}
            exact = FORMULAS[name](mpmath.mpf(numerator) / 4, **given_)
            assert abs(mpmath.mpf(int(value.p)) / int(value.q) - exact) < 1e-25


# Networks ---------------------------------------------------------------------------------------------------------


def disguised(f: na.Network, seed: int) -> na.Network:
    """The same function: units permuted, turned, split in two, and two that do nothing."""
    rng = np.random.default_rng(seed)
    layers = [[w.copy(), np.zeros(len(w)) if b is None else b.copy()] for w, b in f.layers_list()]
    functions = [node.layer.only for node in f.nodes if isinstance(node.layer, na.Elementwise)]
    for i, function in enumerate(functions):
        (w, b), (v, c) = layers[i], layers[i + 1]
        order = rng.permutation(np.r_[np.arange(len(w)), 0])  # unit 0 twice, its column halved
        share = np.where(order == 0, 0.5, 1.0)
        w, b, v = w[order], b[order], v[:, order] * share
        law, power = reflection(function), degree(function)
        if law is not None and not law.slope:
            signs = rng.choice([1.0, -1.0], len(w))
            turned = signs < 0
            c = c + v[:, turned].sum(axis=1) * float(law.constant)
            w, b, v = w * signs[:, None], b * signs, np.where(turned, v * law.sign, v)
        if power is not None:
            factors = 2.0 ** rng.integers(-3, 4, len(w))
            w, b, v = w * factors[:, None], b * factors, v * factors**-power
        dead = rng.integers(-9, 9, (1, w.shape[1])) / 4
        layers[i] = [np.concatenate([w, dead]), np.append(b, 1.0)]
        layers[i + 1] = [np.column_stack([v, np.zeros(len(v))]), c]
    return na.Network.from_layers(layers, functions)


@settings(max_examples=40)
@given(
    st.sampled_from(["tanh", "sigmoid", "cos", "relu", "softplus", "square", "abs", "gelu", "sin"]),
    st.sampled_from([(2, 3, 1), (1, 4, 2), (2, 3, 3, 2)]),
    st.integers(0, 99),
)
def test_disguises_fall(name: str, sizes: tuple[int, ...], seed: int) -> None:
    f = net(name, *sizes, seed=seed)
    hidden = disguised(f, seed)
    expect_same(f, hidden)
    first, second = f.normal_form(), hidden.normal_form()
    expect_same(f, first)
    assert first == second
    assert first.digest == second.digest
    assert first.normal_form() == first
    assert first.parameter_count <= f.parameter_count
    assert f.same_function(hidden).verdict == "equal"


def test_constants_go_into_the_bias() -> None:
    w = np.array([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])
    for name, biases, values in (("relu", [3, 1, -2], (3, 0)), ("sigmoid", [0, 1, 0], (0.5, 0.5))):
        f = na.Network.from_layers([(w, biases), ([[1.0, 1.0, 4.0]], [0.25])], name)
        ((first, _), (second, bias)) = f.normal_form().layers_list()
        assert (first.shape, second.shape) == ((1, 2), (1, 1))
        assert bias == [0.25 + values[0] + 4 * values[1]]
        expect_same(f, f.normal_form())
    irrational = na.Network.from_layers([(w, [1, 1, 1]), ([[1.0, 1.0, 4.0]], None)], "tanh")
    assert len(irrational.normal_form().layers_list()[0][0]) == 2  # tanh(1) is no number of the dtype


def test_a_network_that_is_constant_loses_its_layers() -> None:
    f = na.Network.from_layers([([[1.0], [-1.0]], None), ([[1.0, 1.0], [2.0, 2.0]], [1.0, -1.0]), ([[2.0, 3.0]], None)])
    f = na.Network.from_layers(f.layers_list(), ["tanh", "relu"])
    assert [layer.tolist() for layer in f.normal_form().nodes[0].layer.arrays] == [[[0.0]], [2.0]]


def test_sums_that_are_no_doubles_stay() -> None:
    f = na.Network.from_layers([([[1.0], [1.0]], None), ([[0.1, 0.2]], None)], "tanh")
    assert len(f.normal_form().layers_list()[0][0]) == 2
    near = na.Network.from_layers([([[1.0]], None), ([[0.1 + 0.2]], None)], "tanh")
    found = f.same_function(near)
    assert found.verdict == "different"  # by one rounding
    assert abs(found.difference[0]) < 1e-16
    tenths = [([[1.0], [1.0], [-1.0]], None), ([[0.1, 0.2, 0.2]], None)]
    only = na.Network.from_layers([([[1.0]], None), ([[0.1]], None)], "tanh")
    assert na.Network.from_layers(tenths, "tanh").same_function(only).verdict == "equal"


def test_names_and_dtype_stay() -> None:
    f = net("tanh", 2, 3, 1)
    layers = [(w.astype(np.float32), b.astype(np.float32)) for w, b in f.layers_list()]
    g = na.Network.from_layers(layers, "tanh", input_names=["a", "b"]).normal_form()
    assert (g.dtype, g.input_names) == (np.float32, ("a", "b"))


def test_affine_layers_are_multiplied_out_if_nothing_is_rounded() -> None:
    f = net("tanh", 2, 3, 1)
    doubled = na.Network.from_layers([(np.eye(1) * 2, None)]) @ f
    assert len(doubled.normal_form().nodes) == 3
    expect_same(doubled, doubled.normal_form())
    third = na.Network.from_layers([(np.eye(1) / 3, None)]) @ f @ na.Network.from_layers([(np.eye(2) / 3, None)])
    with pytest.raises(UnsupportedError, match="not exact in float64"):
        third.normal_form()


def test_what_is_no_chain_is_refused() -> None:
    f = net("tanh", 2, 3, 1)
    for g in (f * f, na.Network.from_layer(na.Softmax(), 2)):
        with pytest.raises(UnsupportedError, match=r"a chain of affine layers .* See f.plain"):
            g.normal_form()


# Equality ---------------------------------------------------------------------------------------------------------


def layers_of(rows: list[list[float]], column: list[float], bias: float = 0.0) -> tuple:
    weight = np.array(rows, dtype=float)
    return (weight[:, :1], weight[:, 1]), (np.array([column]), [bias])


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("relu", ([[1, 2], [-1, -2]], [1.0, -1.0]), ([[1, 0], [-1, 0]], [1.0, -1.0], 2.0)),  # both are z + 2
        ("softplus", ([[1, 2], [-1, -2]], [3.0, -3.0]), ([[3, 6], [-3, -6]], [1.0, -1.0])),  # both are 3 (z + 2)
        ("relu", ([[3, 1]], [1.0]), ([[9, 3]], [1 / 3])),
        ("abs", ([[3, 1]], [5.0]), ([[-3, -1]], [5.0])),
    ],
)
def test_linear_parts_and_scales_are_seen(name: str, first: tuple, second: tuple) -> None:
    f, g = (na.Network.from_layers(layers_of(*parts), name) for parts in (first, second))
    exact = name != "relu" or 1 / 3 not in second[1]
    assert f.same_function(g).verdict == ("equal" if exact else "different")


def test_a_network_that_is_affine_is_seen_to_be() -> None:
    f = na.Network.from_layers(layers_of([[1, 2], [-1, -2]], [3.0, -3.0]), "relu")  # 3 (z + 2)
    for g in (na.Network.from_layers([([[3.0]], [6.0])]), na.Network.from_layers(layers_of([[1, 0]], [0.0]), "relu")):
        expected = "equal" if g.nodes[0].layer.bias[0] == 6 else "different"
        assert f.same_function(g).verdict == g.same_function(f).verdict == expected


def test_different_functions_have_a_point() -> None:
    f, g = net("tanh", 2, 3, 3, 1), net("tanh", 2, 3, 3, 1, seed=1)
    found = f.same_function(g, [(0, 1), (-1, 1)])
    assert found.verdict == "different"
    assert 0 <= found.point[0] <= 1
    with mpmath.workdps(40):
        point = [mpmath.mpf(v) for v in found.point]
        exact = evaluate(f, point)[0] - evaluate(g, point)[0]
    assert found.difference[0] <= exact <= found.difference[1]
    assert found.difference[0] * found.difference[1] > 0
    assert found.bound >= abs(exact)


def test_the_bound_of_a_small_difference_is_small() -> None:
    f = net("tanh", 2, 3, 1) @ na.Network.from_layers([(np.eye(2) / 8, None)])
    found = f.same_function(f + 2.0**-30, [(-1, 1)] * 2)
    assert (found.verdict, 2.0**-30 <= found.bound < 2.0**-29) == ("different", True)


def test_a_difference_too_small_to_be_met_is_proven_by_the_theorem() -> None:
    """Two neurons that cancel but for a part that no double at the points shows, even in 200 bits."""
    f = na.Network.from_layers([([[1.0], [1.0]], [100.0, 700.0]), ([[0.0, 1.0]], None)], "tanh")
    g = na.Network.from_layers([([[1.0], [1.0]], [100.0, 701.0]), ([[0.0, 1.0]], None)], "tanh")
    found = f.same_function(g)
    assert (found.verdict, found.point) == ("different", None)
    assert "normal forms" in found.reason


def test_what_no_theorem_covers_is_undecided() -> None:
    """Of erf no theorem is used; and that 701 is not 700 does not show in 200 bits."""
    f = na.Network.from_layers([([[1.0]], [700.0]), ([[1.0]], None)], "erf")
    g = na.Network.from_layers([([[1.0]], [701.0]), ([[1.0]], None)], "erf")
    assert f.same_function(g).verdict == "undecided"
    branching = na.Network.function("tanh") * na.Network.function("tanh")
    squared = na.Network.function("square") @ na.Network.function("tanh")
    assert branching.same_function(squared).verdict == "undecided"
    assert branching.same_function(squared, [(-1, 1)]).bound < 1e-6
    assert branching.same_function(branching).verdict == "equal"


def test_shapes_must_be_equal() -> None:
    with pytest.raises(ShapeError, match="one shape expected"):
        net("tanh", 2, 3, 1).same_function(net("tanh", 1, 3, 1))


def test_independence_is_claimed_only_where_it_is_so() -> None:
    """Sines of one frequency are dependent, so are exponentials; those of the table are not."""
    rng = np.random.default_rng(0)
    weight, bias, x = rng.uniform(0.5, 2, (5, 1)), rng.normal(size=5), rng.normal(size=(200, 1)) * 3
    for name in _INDEPENDENT:
        f = na.Network.from_layers([(weight, bias), (np.eye(5), None)], name)
        columns = np.concatenate([f(x), x, np.ones_like(x)], axis=1)
        assert np.linalg.svd(columns, compute_uv=False)[-1] > 1e-6
    assert not {"sin", "cos", "exp", "square"} & _INDEPENDENT
