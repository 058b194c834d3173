"""The questions the project began with, each answered with the numbers of its text."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import sympy
from sklearn.neural_network import MLPRegressor

import neuralgebra as na

# "When a network is trained, is it possible to get the corresponding mathematical expression?" -----------------------

CLOSED_FORM = na.Network.from_layers(
    [
        ([[0.903133, 2.16383, -0.280905], [-1.29072, 0.38487, -1.21005]], [-0.14805, 0.0879924]),
        ([[0.183235, 1.79141], [-0.915794, 0.477314]], [0.945874, 0.735348]),
        ([[-1.28238, -0.672629], [-0.897976, -1.08833]], [-1.07891, -0.309332]),
    ],
    "sigmoid",
    input_names=["x", "y", "z"],
)


def printed_answer(x, y, z):
    """The expression as the answer prints it, typed in by hand."""

    def e(v):
        return math.exp(v) if v < 700 else math.inf

    s1 = 1 / (1 + e(0.14805 - 0.903133 * x - 2.16383 * y + 0.280905 * z))
    s2 = 1 / (1 + e(-0.0879924 + 1.29072 * x - 0.38487 * y + 1.21005 * z))
    t1 = 1 / (1 + e(-0.945874 - 0.183235 * s1 - 1.79141 * s2))
    t2 = 1 / (1 + e(-0.735348 + 0.915794 * s1 - 0.477314 * s2))
    return [-1.07891 - 1.28238 * t1 - 0.672629 * t2, -0.309332 - 0.897976 * t1 - 1.08833 * t2]


POINTS = np.array([[5, -4000, 30], [10, 1e7, 100], [1, 2, 3], [-2, -2, -10], [0, 0, 0], [1e-9, 4, -1e3]])


def formula_agrees(f, points):
    x, y, z = names = sympy.symbols("x y z")
    lines, (results,) = f.formula().sympy()
    inline = f.formula().sympy(inline=True)
    for point in points:
        at = dict(zip(names, map(sympy.Float, point), strict=True))
        truth = f(point)
        for i in range(2):
            table = dict(at)
            for symbol, expression in lines:
                table[symbol] = expression.subs(table).evalf(30)
            np.testing.assert_allclose(float(results[i].subs(table)), truth[i], rtol=1e-14)
            np.testing.assert_allclose(float(inline[i].subs(at).evalf(30)), truth[i], rtol=1e-14)
    return x, y, z


def test_closed_form_of_the_trained_network():
    rng = np.random.default_rng(0)
    points = np.concatenate([POINTS, rng.normal(size=(20, 3)) * 5])
    for point in points:
        np.testing.assert_allclose(CLOSED_FORM(point), printed_answer(*point), rtol=1e-14)
    formula_agrees(CLOSED_FORM, points)


def test_the_dependence_far_out_is_weak_as_the_comment_says():
    assert np.abs(CLOSED_FORM.jacobian([5, -4000, 30])).max() < 1e-300
    assert np.abs(CLOSED_FORM.jacobian([1, 2, 3])).max() > 1e-4


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_closed_form_of_a_freshly_trained_network():
    x = np.array([[-2.0, -2.0, -10.0], [-2.0, -2.0, -9.5], [-2.0, -1.0, -9.0]])
    y = np.array([[-2.2, -2.3], [-2.2, -2.4], [-4.0, -1.23]])
    model = MLPRegressor(
        hidden_layer_sizes=(2, 2), activation="logistic", solver="lbfgs", max_iter=5000, alpha=0, random_state=1
    )
    f = na.from_sklearn(model.fit(x, y)).rename(inputs=["x", "y", "z"])
    np.testing.assert_allclose(f(x), y, atol=0.1)
    np.testing.assert_allclose(f(POINTS), model.predict(POINTS), rtol=1e-13)
    formula_agrees(f, POINTS)


# "Derivative of a neural network with respect to its inputs": all weights 1, bias 1, linear output without bias ------


def ones(*sizes, output="identity", bias_at_output=False, weights="out,in"):
    layers = []
    for number, (n, m) in enumerate(itertools.pairwise(sizes), 2):
        last = number == len(sizes)
        weight = np.ones((m, n) if weights == "out,in" else (n, m))
        layers.append((weight, None if last and not bias_at_output else np.ones(m)))
    return na.Network.from_layers(layers, "sigmoid", output, weights=weights)


def slope(z):
    return math.exp(-z) / (1 + math.exp(-z)) ** 2


@pytest.mark.parametrize("weights", ["out,in", "in,out"])
@pytest.mark.parametrize("point", [[1, 1], [1.0, 1.0], np.array([1, 1])])
def test_jacobian_of_the_all_ones_network(weights, point):
    jacobian = ones(2, 2, 1, weights=weights).jacobian(point)
    assert jacobian.shape == (1, 2)
    np.testing.assert_array_equal(jacobian.round(7), [[0.0903533, 0.0903533]])
    np.testing.assert_allclose(jacobian, 2 * slope(3), rtol=1e-15)


def test_two_hidden_layers_by_the_chain_rule():
    f = ones(2, 2, 2, 1)
    first = 1 / (1 + math.exp(-3))
    expected = 2 * slope(2 * first + 1) * 2 * slope(3)
    np.testing.assert_allclose(f.jacobian([1, 1]), [[expected, expected]], rtol=1e-14)
    assert "Σ_{i=1..2} W₃[i] sigmoid'(z₂[i]) Σ_{j=1..2} W₂[i,j] sigmoid'(z₁[j]) W₁[j,k]" in f.explain().text()


def test_a_sigmoid_output_by_the_chain_rule():
    f = ones(2, 2, 1, output="sigmoid", bias_at_output=True)
    first = 1 / (1 + math.exp(-3))
    expected = slope(2 * first + 1) * 2 * slope(3)
    np.testing.assert_allclose(f.jacobian([1, 1]), [[expected, expected]], rtol=1e-14)


def test_second_derivatives_by_the_sum_of_the_paper():
    """d²y/dx² = Σ aᵢ wᵢ² σ''(wᵢ x + bᵢ), Aarts and van der Veer (2001)."""
    rng = np.random.default_rng(7)
    a, w, b = rng.normal(size=(3, 5))
    f = na.Network.from_layers([(w[:, None], b), (a[None, :], None)], "sigmoid")
    for x in rng.normal(size=10):
        z = w * x + b
        second = np.exp(-z) * (np.exp(-z) - 1) / (1 + np.exp(-z)) ** 3
        np.testing.assert_allclose(f.hessian([x])[0, 0, 0], np.sum(a * w**2 * second), rtol=1e-12)


def test_the_second_derivative_is_not_zero_though_that_of_the_output_function_is():
    np.testing.assert_allclose(ones(2, 2, 1).hessian([1, 1]), 2 * slope(3) * -math.tanh(1.5), rtol=1e-14)


# "How to differentiate a feedforward neural network with respect to an input? … where is my mistake?" ----------------


def test_the_derivative_of_a_52_20_10_1_network_is_a_52_vector():
    rng = np.random.default_rng(4)
    (w1, b1), (w2, b2), (w3, b3) = [
        (rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m)) for n, m in ((52, 20), (20, 10), (10, 1))
    ]
    f = na.Network.from_layers([(w1, b1), (w2, b2), (w3, b3)], "tanh")
    x = rng.normal(size=52)
    z1 = w1 @ x + b1
    z2 = w2 @ np.tanh(z1) + b2
    expected = np.zeros(52)
    for k in range(52):  # the last line of the answer, its indices restored
        for i in range(10):
            inner = sum(w2[i, j] * (1 - math.tanh(z1[j]) ** 2) * w1[j, k] for j in range(20))
            expected[k] += w3[0, i] * (1 - math.tanh(z2[i]) ** 2) * inner
    np.testing.assert_allclose(f.jacobian(x), expected[None], rtol=1e-12)
    text = f.explain("jacobian").text()
    assert "∂y/∂x[k] = Σ_{i=1..10} W₃[i] tanh'(z₂[i]) Σ_{j=1..20} W₂[i,j] tanh'(z₁[j]) W₁[j,k]" in text
    assert "1×52    1×10        10×10        10×20        20×20        20×52" in text


# "I have two functions f(x) and g(x) … how can I write a neural net for f(x)g(x)?" -----------------------------------


def test_the_product_of_two_networks_is_a_network():
    f = na.Network.from_layers([([[1.0]], None)])
    g = f**2
    product = f * g
    x = np.linspace(-3, 3, 13)[:, None]
    np.testing.assert_allclose(product(x), x**3, rtol=1e-15)
    np.testing.assert_allclose(product.jacobian(x)[..., 0], 3 * x**2, rtol=1e-15)


def test_a_constant_factor_scales_the_last_pair_only():
    layers = [(np.ones((3, 2)), np.ones(3)), (np.ones((1, 3)), np.ones(1))]
    (a1, b1), (a2, b2) = (5 * na.Network.from_layers(layers, "tanh")).layers_list()
    assert (a1.tolist(), b1.tolist()) == (np.ones((3, 2)).tolist(), [1, 1, 1])
    assert (a2.tolist(), b2.tolist()) == ([[5, 5, 5]], [5])


# "Multiplicative neural networks" -----------------------------------------------------------------------------------


def test_a_multiplicative_layer_is_a_product_of_powers():
    rng = np.random.default_rng(3)
    w = rng.normal(size=(3, 3))
    f = na.Network.from_layers([(w, None)], kind="multiplicative")
    x = rng.uniform(0.5, 2, size=3)
    np.testing.assert_allclose(f(x), [math.prod(v**p for v, p in zip(x, row, strict=True)) for row in w], rtol=1e-14)
