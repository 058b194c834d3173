"""Antiderivatives as networks, integrals as numbers: against quadrature of the textbook formulas with 30 digits."""

from __future__ import annotations

import itertools

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.algebra.antiderivatives import _DILOGARITHMS, _LAWS, ROUNDING, antiderivative_of
from neuralgebra.algebra.pieces import values_of
from neuralgebra.algebra.quadrature import largest
from neuralgebra.errors import InputError, NotCertifiedError, UnsupportedError, UsageError
from neuralgebra.network.box import box_of
from oracles import evaluate
from oracles_functions import FORMULAS
from strategies import arrays

INSIDE = {"log": (0.1, 3), "sqrt": (0.1, 3), "power": (0.1, 3), "reciprocal": (0.1, 3), "logit": (0.1, 0.9)}
INSIDE |= {"atanh": (-0.9, 0.9), "tan": (-1.4, 1.4)}
PARAMETERS = {
    "leaky_relu": {"slope": 0.3},
    "elu": {"alpha": 0.75},
    "celu": {"alpha": 0.75},
    "power": {"p": 2.5},
    "hardtanh": {"low": -0.75, "high": 1.5},
    "hardsigmoid": {"slope": 0.25, "offset": 0.375},
    "softshrink": {"width": 0.75},
}
KINKS = [-3.0, -1.5, -0.75, 0.0, 0.75, 1.5, 2.5, 3.0, 6.0]


def net(activation: str, *sizes: int, seed: int = 0) -> na.Network:
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(pairs, activation)


def number(f: na.Network, x: float) -> mpmath.mpf:
    """The middle of the ball that a network gives."""
    mantissa, exponent = values_of(f, [x])[0].mid().man_exp()
    return mpmath.mpf(int(mantissa)) * mpmath.mpf(2) ** int(exponent)


def quadrature(f, low: float, high: float) -> mpmath.mpf:
    """The integral with 30 digits, split where functions of the catalogue have kinks."""
    inside = [k for k in KINKS if low < k < high]
    return mpmath.quad(f, [low, *inside, high])


# The table --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_parameters", [False, True], ids=["defaults", "parameters"])
@pytest.mark.parametrize("name", _LAWS)
def test_rows_are_antiderivatives_of_the_textbook_formula(name: str, given_parameters: bool) -> None:
    parameters = PARAMETERS.get(name, {}) if given_parameters else {}
    function = na.activation(name, **parameters)
    found = antiderivative_of(function, 1)
    low, high = INSIDE.get(name, (-4.0, 7.0))
    ends = [low, *np.random.default_rng(1).uniform(low, high, size=3).tolist(), high]
    with mpmath.workdps(30):
        for a, b in itertools.pairwise(sorted(ends)):
            ratios = {n: v.as_integer_ratio() for n, v in function.parameters if not isinstance(v, tuple)}
            numbers = {n: mpmath.mpf(p) / q for n, (p, q) in ratios.items()}
            exact = quadrature(lambda z, numbers=numbers: FORMULAS[name](z, **numbers), a, b)
            digits = 15 if name in ROUNDING else 24
            assert abs(number(found, b) - number(found, a) - exact) < mpmath.mpf(10) ** -digits


def test_one_parameter_for_each_unit() -> None:
    slopes = [0.5, 0.25, -1.0]
    z = np.array([[-1.0, -2.0, -3.0]])
    found = antiderivative_of(na.activation("leaky_relu", slope=slopes), 3)
    np.testing.assert_allclose(found(z), z**2 * slopes / 2)
    bands = antiderivative_of(na.activation("hardsigmoid", slope=[0.5, 0.25], offset=[0.5, 0.25]), 2)
    np.testing.assert_allclose(bands.diff("x1")([[0.5, 0.5]])[..., 0], [0.75])


@pytest.mark.parametrize("name", sorted(_DILOGARITHMS))
def test_dilogarithms_are_refused_and_integrated_in_numbers(name: str) -> None:
    with pytest.raises(UnsupportedError, match="a dilogarithm"):
        antiderivative_of(na.activation(name), 1)
    found = na.Network.function(name).integral([(-1, 2)])
    with mpmath.workdps(30):
        assert abs(mpmath.mpf(found.value[0]) - quadrature(FORMULAS[name], -1, 2)) <= found.error[0] < 1e-11


# Networks ---------------------------------------------------------------------------------------------------------

CLOSED = ("tanh", "sigmoid", "sin", "cos", "exp", "relu", "leaky_relu", "gelu", "arctan", "abs", "square", "gaussian")


@settings(max_examples=40)
@given(st.data())
def test_the_derivative_of_the_antiderivative_is_the_network(data: st.DataObject) -> None:
    """Weights in the variable may be 0, activations mixed, inputs passed by."""
    names = data.draw(st.lists(st.sampled_from(CLOSED), min_size=2, max_size=2))
    layers = [
        (data.draw(arrays((4, 2))), data.draw(arrays((4,)))),
        (data.draw(arrays((2, 4))), data.draw(arrays((2,)))),
    ]
    first, second = (na.Network.from_layer(na.Affine(*pair), n) for pair, n in zip(layers, (2, 4), strict=True))
    f = second @ na.Network.from_layer(na.Elementwise([(n, 2) for n in names]), 4) @ first
    f = data.draw(
        st.sampled_from([f, f + na.Network.identity(2), na.stack(f, first), f[0] * na.Network.identity(2)[1]])
    )
    x = np.random.default_rng(0).normal(size=(5, 2))
    for base in (0.0, None, -0.7):
        found = f.antiderivative("x1", base)
        assert found.shape == f.shape
        scale = 1 + 1e2 * abs(f(x)).max()
        np.testing.assert_allclose(found.diff("x1")(x), f(x), atol=1e-13 * scale)
        if base is not None:
            np.testing.assert_array_equal(found(x * [0, 1] + [base, 0]), np.zeros((5, f.output_size)))


def test_a_neuron_that_is_constant_in_the_input_is_multiplied_by_it() -> None:
    f = na.Network.from_layers([([[0.0, 2.0]], [1.0]), ([[3.0]], None)], "softplus")  # no antiderivative is needed
    found = f.antiderivative("x1")
    x = np.array([[2.0, 0.3], [-1.5, 0.1]])
    np.testing.assert_array_equal(found(x), x[:, :1] * f(x))


def test_units_keep_their_order_where_some_are_constant() -> None:
    (weight, bias), last = net("tanh", 2, 5, 5).layers_list()
    f = na.Network.from_layers([(weight * [[0, 1], [1, 1], [0, 1], [1, 0], [1, 1]], bias), last], "tanh")
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(f.antiderivative("x1").diff("x1")(x), f(x), atol=1e-13)


def test_of_one_input_it_is_as_wide_as_the_network() -> None:
    (first, bias), (second, _) = net("sigmoid", 1, 8, 2).layers_list()
    f = na.Network.from_layers([(first, bias), (second, None)], "sigmoid")
    for base in (0.0, 0.5):
        found = f.antiderivative("x1", base)
        assert [a.shape for a, b in found.layers_list()] == [(8, 1), (2, 8)]
        assert abs(found([base])).max() < 1e-13


def test_the_dtype_stays() -> None:
    layers = [(np.ones((3, 2), np.float32), np.ones(3, np.float32)), (np.ones((1, 3), np.float32), None)]
    f = na.Network.from_layers(layers, "tanh")
    assert f.antiderivative("x2").dtype == np.float32
    assert f.integrate("x2", 0, 1).dtype == np.float32


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "sin", "exp", "gelu"])
def test_integrals_over_one_input_are_networks_of_the_others(name: str) -> None:
    f = na.Network.from_layers(net(name, 3, 4, 2).layers_list(), name, input_names=["a", "b", "c"])
    found = f.integrate("b", -0.5, 1.25)
    assert found.input_names == ("a", "c")
    nodes, weights = np.polynomial.legendre.leggauss(60)
    t = 0.375 + 0.875 * nodes
    for a, c in [(0.1, -0.3), (1.0, 0.5)]:
        exact = 0.875 * weights @ f(np.stack([0 * t + a, t, 0 * t + c], 1))
        np.testing.assert_allclose(found([a, c]), exact, atol=1e-12)
        np.testing.assert_allclose(f.integrate("b", 1.25, -0.5)([a, c]), -exact, atol=1e-12)


def test_what_does_not_close_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"sigmoid asked for: its argument is not affine .*\n.*f.integral"):
        net("sigmoid", 2, 3, 3, 1).antiderivative("x1")
    with pytest.raises(UnsupportedError, match="both factors depend"):
        (net("sigmoid", 2, 3, 1) * net("sigmoid", 2, 3, 1, seed=1)).antiderivative("x1")
    with pytest.raises(UnsupportedError, match="Softmax"):
        na.Network.from_layer(na.Softmax(), 2).antiderivative("x1")
    with pytest.raises(InputError, match="'y' received"):
        net("sigmoid", 2, 3, 1).antiderivative("y")
    with pytest.raises(InputError, match="base=nan"):
        net("sigmoid", 2, 3, 1).antiderivative("x1", float("nan"))
    with pytest.raises(UsageError, match="one input received"):
        net("sigmoid", 1, 3, 1).integrate("x1", 0, 1)
    with pytest.raises(InputError, match="no finite number"):
        na.Network.function("reciprocal").antiderivative("x1")


# Numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(1, 5, 1), (1, 4, 4, 1)])
@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "sin", "relu", "elu"])
def test_integrals_of_one_input_against_thirty_digits(name: str, sizes: tuple[int, ...]) -> None:
    f = net(name, *sizes)
    found = f.integral([(-1.5, 1.0)], 1e-9)
    points = np.linspace(-1.5, 1.0, 2001)
    kinks = [-1.5, 1.0]
    if name in ("relu", "elu"):  # where the slope jumps, by bisection
        kinks = _kinks_of(f, points)
    with mpmath.workdps(25):
        exact = mpmath.quad(lambda x: evaluate(f, [x])[0], kinks)
        assert abs(mpmath.mpf(found.value[0]) - exact) <= found.error[0] + 1e-13
    assert found.error[0] <= 1e-9 * max(1, abs(found.value[0]))


def _kinks_of(f: na.Network, points: np.ndarray) -> list[float]:
    """The ends, and where the argument of an activation changes its sign."""
    found = {points[0], points[-1]}
    for node in f.nodes:
        if isinstance(node.layer, na.Elementwise):
            inner = na.Network(f.nodes, node.inputs[0], 1)
            signs = np.sign(inner(points[:, None]))
            for i, unit in zip(*np.nonzero(np.diff(signs, axis=0)), strict=True):
                low, high = points[i], points[i + 1]
                for _ in range(60):
                    middle = (low + high) / 2
                    same = np.sign(inner([middle])[unit]) == signs[i, unit]
                    low, high = (middle, high) if same else (low, middle)
                found.add(low)
    return sorted(found)


def test_a_kink_is_not_passed_over() -> None:
    """A Taylor polynomial of |x| on both sides of 0 would give 0 or 1/2."""
    found = na.Network.function("abs").integral([(-0.3, 1)], 1e-10)
    assert abs(found.value[0] - (0.09 + 1) / 2) <= found.error[0] < 1e-10
    step = na.Network.function("step").integral([(-0.3, 1)], 1e-6)
    assert abs(step.value[0] - 1) <= step.error[0] < 1e-6
    band = na.Network.function("hardtanh'").integral([(-3, 0.5)], 1e-6)
    assert abs(band.value[0] - 1.5) <= band.error[0]
    top = (na.Network.from_layer(na.Maximum([[0, 1]]), 2)).integral([(0, 1), (0, 1)], 1e-3)
    assert abs(top.value[0] - 2 / 3) <= top.error[0] < 1e-3


@pytest.mark.parametrize(("name", "tol"), [("tanh", 1e-9), ("exp", 1e-9), ("softplus", 1e-6), ("gaussian", 1e-6)])
def test_integrals_over_boxes_against_gauss(name: str, tol: float) -> None:
    f = net(name, 2, 4, 2)
    found = f.integral({"x2": (0, 1), "x1": (-1, 0.5)}, tol)
    nodes, weights = np.polynomial.legendre.leggauss(80)
    a, b = np.meshgrid(-0.25 + 0.75 * nodes, 0.5 + 0.5 * nodes, indexing="ij")
    exact = np.einsum("i,j,ijk->k", 0.75 * weights, 0.5 * weights, f(np.stack([a, b], -1)))
    assert np.all(abs(found.value - exact) <= found.error + 1e-12)
    assert np.all(found.error <= tol * np.maximum(1, abs(found.value)))


def test_in_three_inputs_two_antiderivatives_close_for_sines() -> None:
    f = net("sin", 3, 6, 1)
    found = f.integral([(0, 1)] * 3)
    layers = f.layers_list()
    with mpmath.workdps(40):  # inclusion and exclusion of the threefold antiderivative of sin, cos
        (w, b), (c, d) = layers
        exact = mpmath.mpf(float(d[0]))
        for row, shift, factor in zip(w.tolist(), b.tolist(), c[0].tolist(), strict=True):
            total = sum(
                (-1) ** (3 - sum(corner)) * mpmath.cos(mpmath.fdot(row, corner) + shift)
                for corner in itertools.product((0, 1), repeat=3)
            )
            exact += mpmath.mpf(factor) * total / mpmath.fprod(row)
        assert abs(found.value[0] - exact) <= found.error[0] < 1e-12


def test_boxes_without_volume_and_bad_questions() -> None:
    f = net("tanh", 2, 3, 1)
    assert f.integral([(1, 1), (0, 1)]).value[0] == 0
    for tol in (0, -1, float("nan"), "small", True):
        with pytest.raises(InputError, match="a number above 0 expected"):
            f.integral([(0, 1)] * 2, tol)
    with pytest.raises(InputError, match="low end first"):
        f.integral([(1, 0)] * 2)
    with pytest.raises(NotCertifiedError, match="an error of inf is proven"):
        na.Network.function("reciprocal").integral([(-1, 1)])


@pytest.mark.parametrize("name", ["tanh", "relu", "sin"])
def test_largest_values_are_bounded_tightly(name: str) -> None:
    f = net(name, 2, 5, 2)
    bound = largest(f, box_of(f, [(-1, 1), (0, 2)]))
    sampled = abs(f(np.random.default_rng(0).uniform([-1, 0], [1, 2], size=(20000, 2)))).max(axis=0)
    assert np.all(bound >= sampled)
    assert bound.max() <= 1.3 * sampled.max()
