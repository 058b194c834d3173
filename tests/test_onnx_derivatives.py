"""Derivatives of activations as ONNX: what onnxruntime computes is what the package computes, saturation included."""

from typing import Any

import numpy as np
import onnx
import pytest
import sympy
from onnx.reference import ReferenceEvaluator

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.files.onnx_graph import Graph
from neuralgebra.files.onnx_read import read
from neuralgebra.files.onnx_write import OLDEST, message, without_kernel, write
from neuralgebra.functions import catalogue
from neuralgebra.functions.activation import _ROWS, Activation, Chain, activation
from neuralgebra.functions.custom import register_expression
from neuralgebra.network.layers import Elementwise
from onnx_oracles import run, session

ROWS = {row.name: row for row in catalogue.SMOOTH + catalogue.PIECEWISE}
PER_UNIT: dict[str, dict[str, Any]] = {
    "power": {"p": (0.5, 2.0, 3.0, 1.0)},
    "leaky_relu": {"slope": (0.5, 1.0, -2.0, 0.0)},
    "prelu": {"slope": (0.5, 1.0, -2.0, 0.0)},
    "elu": {"alpha": (0.3, 1.0, 2.0, -1.0)},
    "celu": {"alpha": (0.5, 1.0, 2.0, 3.0)},
    "hardtanh": {"low": (-0.5, -1.0, -2.0, 0.0), "high": 3.0},
    "hardsigmoid": {"slope": (0.5, 1.0, -2.0, 3.0)},
    "softshrink": {"width": (0.5, 1.0, 2.0, 3.0)},
}
CASES = [activation(name) for name in ROWS] + [activation(name, **given) for name, given in PER_UNIT.items()]
CASES.append(activation("power", p=0.5))
ULPS = 16


def points(function: Activation, dtype: str) -> np.ndarray:
    """Arguments densely, in saturation, at 0, and at every kink; ends of the domain belong to it where they are 0."""
    low, high = function.row.domain
    if function.name == "tan":
        low, high = low + 1e-3, high - 1e-3
    kinks = [at for place, _ in function.points(Arrays(np.zeros(1))) for at in np.ravel(place)]
    far = [100, -100, 88, -88, 1e-3, -1e-3, 1e-8, -1e-8, 0.0]
    near = np.linspace(max(low, -2) + 1e-6, min(high, 2) - 1e-6, 301)
    x = np.unique(np.concatenate([np.linspace(-30, 30, 1201), far, near, kinks]).astype(dtype))
    return np.repeat(x[((low < x) & (x < high)) | ((x == 0) & (low == 0))][:, None], 4, axis=1)


def errors(y: np.ndarray, function: Activation, order: int, x: np.ndarray) -> np.ndarray:
    """Difference in units of rounding, each term of the derivative and its condition taken for the scale."""
    with np.errstate(all="ignore"):
        ours = function.derivative(Arrays(x), x, order)
        wide = x.astype(float)
        chain = Chain(Arrays(wide), function, wide)
        terms = function.row.derivative(order).terms.items()
        scale = sum(abs(float(c)) * np.abs(chain.monomial(m) if m else 1.0) for m, c in terms)
        scale = scale + np.abs(wide * function.derivative(Arrays(wide), wide, order + 1))
        limits = np.finfo(x.dtype)
        error = np.abs(y.astype(float) - ours) / (limits.eps / 2 * scale + limits.tiny)
    return np.where(np.isfinite(ours), error, np.where(np.isnan(ours), np.isnan(y), ours == y) - 1.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("function", CASES, ids=str)
def test_onnxruntime_computes_what_the_package_computes(function: Activation, order: int, dtype: str) -> None:
    f, x = na.Network.function(function.differentiated(order), 4), points(function, dtype)
    assert not without_kernel(f, dtype)
    for opset in (OLDEST, 24):
        data = write(f, dtype, opset)
        onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
        (y,) = session(data).run(None, {"x": x})
        assert y.dtype == dtype
        found = errors(y, function, order, x)
        worst = np.unravel_index(np.nanargmax(np.abs(found)), found.shape)
        assert np.all(np.abs(found) <= ULPS), (x[worst], y[worst], found[worst])
        assert read(data) == f


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("function", CASES, ids=str)
def test_the_reference_evaluator_computes_the_same(function: Activation, order: int) -> None:
    x = points(function, "float64")[::40]
    model = message(na.Network.function(function.differentiated(order), 4), "float64")
    with np.errstate(all="ignore"):
        (y,) = ReferenceEvaluator(model).run(None, {"x": x})
    assert np.all(np.abs(errors(y, function, order, x)) <= ULPS)


@pytest.mark.parametrize(("name", "x"), [
    ("relu'", 0.0), ("abs'", 0.0), ("hardtanh'", 1.0), ("hardswish'", 3.0), ("hardswish'", -3.0), ("relu6'", 6.0),
    ("softshrink'", 0.5), ("elu''", 0.0), ("celu''", 0.0), ("selu'", 0.0), ("leaky_relu'", 0.0), ("softsign''", 0.0),
])  # fmt: skip
def test_values_at_kinks_are_the_chosen_ones(name: str, x: float) -> None:
    for dtype in ("float32", "float64"):
        at = np.array([[x]], dtype=dtype)
        (y,) = run(write(na.Network.function(name), dtype), at)
        assert y.item() == activation(name)(Arrays(at), at).item()


def test_tails_keep_their_digits() -> None:
    x = np.array([[-300.0], [300.0], [-20.0], [20.0]])
    slopes = np.array([1.06015862120172432654e-260] * 2 + [1.69934170211663558369e-17] * 2)
    (y,) = session(write(na.Network.function("tanh'"))).run(None, {"x": x})
    np.testing.assert_allclose(y[:, 0], slopes, rtol=1e-13)


def test_a_function_and_its_derivatives_share_operators() -> None:
    blocks = [activation("sigmoid'"), activation("sigmoid''")]
    alone = [len(message(na.Network.function(b)).graph.node) for b in blocks]
    f = na.Network.function("sigmoid'") + na.Network.function("sigmoid''")
    exponentials = [n for n in message(f).graph.node if n.op_type == "Exp"]
    assert len(exponentials) == 1
    assert len(message(f).graph.node) < sum(alone)


def test_equal_nodes_are_one() -> None:
    graph = Graph(np.dtype(np.float64), 20)
    first = graph.node("LeakyRelu", "x", alpha=0.5)
    assert graph.node("LeakyRelu", "x", alpha=0.5) == first
    assert graph.node("LeakyRelu", "x", alpha=0.25) != first
    assert graph.node("LeakyRelu", first, alpha=0.5) != first
    assert len(graph.nodes) == 3


def test_several_derivatives_in_one_layer() -> None:
    layer = Elementwise(((activation("tanh'"), 1), (activation("gelu''"), 2), (activation("elu'", alpha=0.5), 1)))
    f, x = na.Network.from_layer(layer, 4), np.linspace(-3, 3, 20).reshape(5, 4)
    data = write(f)
    assert read(data) == f
    np.testing.assert_allclose(run(data, x)[0], f(x), rtol=1e-13)


u = sympy.Symbol("u", real=True)
OWN = [
    u * sympy.tanh(u) + sympy.erf(u),
    sympy.acos(u / 40) + sympy.asin(u / 40) * sympy.cosh(u / 9),
    sympy.log(1 + u**2) / (1 + sympy.exp(-u)) + sympy.sinh(u / 5) * sympy.atan(u),
    sympy.Piecewise((u * sympy.exp(u), u < 0), (sympy.sin(u), True)),
    sympy.Max(u, 1) ** 2 + sympy.Heaviside(u - 2, 0) * u + sympy.tan(u / 50) * sympy.pi,
    sympy.acosh(sympy.sqrt(u**2 + 2)) * 2**u,
    sympy.Integer(3),
]


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("expression", OWN, ids=str)
def test_functions_of_ones_own(expression: Any, order: int) -> None:
    try:
        register_expression("own", expression, u, kinks=())
        f, x = na.Network.function(activation("own").differentiated(order)), np.linspace(-6, 6, 97)[:, None]
        data = write(f, "float64", 20)
        assert read(data) == f
        np.testing.assert_allclose(run(data, x)[0], f(x), rtol=1e-11, atol=1e-11)
    finally:
        _ROWS.pop("own")


SCALED = {
    "dense": na.Dense(np.array([[0.3, 0.7]])),
    "dense back": na.Transposed(na.Dense(np.array([[0.3], [0.7]]))),
    "batched": na.Batched(na.Dense(np.array([[0.3]])), 2),
    "batched rows": na.Batched(na.Product((na.Dense(np.array([[0.3], [0.2]])), na.Diagonal([0.9]))), 2),
}


@pytest.mark.parametrize("name", SCALED)
def test_a_scaling_beside_a_product_keeps_its_digits(name: str) -> None:
    """onnxruntime makes one of both, with the factor in float32."""
    weight, rng = SCALED[name], np.random.default_rng(0)
    f = na.Network.from_layer(na.Affine(weight), 2)
    f = f @ na.Network.from_layer(na.Affine(na.Kronecker(np.array([[1 / 3]]), 1, 2)), 2)
    f = na.Network.from_layer(na.Affine(na.Kronecker(np.array([[1 / 7]]), 1, f.output_size)), f.output_size) @ f
    f = na.Network.function("silu", f.output_size) @ f
    x = rng.normal(size=(5, 2))
    np.testing.assert_allclose(run(write(f), x)[0], f(x), rtol=1e-12)
