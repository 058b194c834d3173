"""Derivatives as networks: the numbers of the propagation rules, without a weight rounded, and what f has shared."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.exact import exact_product, exact_sum
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.calculus.costs import Costs
from neuralgebra.calculus.derivatives import jets
from neuralgebra.calculus.wires import Wires
from neuralgebra.calculus.wiring import is_sum
from neuralgebra.errors import InputError, ResourceError, UnsupportedError, UsageError
from neuralgebra.network.layers import Affine, Elementwise, Layer
from onnx_oracles import run
from strategies import after, networks, points

RNG = np.random.default_rng(7)
W = RNG.normal(size=(4, 4))


def chain(*sizes: int, activation: str = "tanh", dtype: type = np.float64) -> na.Network:
    rng = np.random.default_rng(sum(sizes))
    steps = itertools.pairwise(sizes)
    pairs = [(rng.normal(size=(m, n)).astype(dtype), rng.normal(size=m).astype(dtype)) for n, m in steps]
    return na.Network.from_layers(pairs, activation)


def networks_of_every_layer() -> dict[str, na.Network]:
    inner = na.Network.from_layers([(W, RNG.normal(size=4)), (W.T, None)], "tanh")
    positive = na.Network.function("softplus", 4) @ inner
    maps = {
        "dense": W[:3],
        "diagonal": na.Diagonal(W[0]),
        "kronecker": na.Kronecker(W[:3, :2], 1, 2),
        "repeated": na.Kronecker(W[:3, :2], 2, 1),
        "spread": na.Spread(W[:2]),
        "block": na.BlockDiagonal((na.Dense(W[:1, :2]), na.Diagonal(W[0, :2]))),
        "convolution": na.Convolution(W[:2, :3], [[-1, 0, 0], [1, 2, 3]], 4),
        "batched": na.Batched(na.Convolution(W[:2, :2], [[-1, 0], [1, 0]], 2), 2),
        "product": na.Product((W[:2], na.Diagonal(W[0]), W)),
        "transposed": na.Transposed(na.Convolution(W[:2, :2], [[-1, 0], [1, 0]], 2)),
    }
    layers: dict[str, Layer] = {
        **{name: na.Affine(weight, None) for name, weight in maps.items()},
        "maximum": na.Maximum([[0, 1, 2], [2, 3, 3]]),
        "softmax": na.Softmax(),
        "groups": na.Softmax(2),
        "log softmax": na.Softmax(2, log=True),
        "select": na.Select([3, 0, 0]),
        "several": na.Elementwise((("tanh", 1), ("relu", 2), ("exp", 1))),
        "per unit": na.Elementwise(na.activation("prelu", slope=[0.1, 0.2, 0.3, 0.4])),
        "square": na.Elementwise("square"),
    }
    own = {name: after(inner, layer) for name, layer in layers.items()}
    # Once more in the middle: what comes after has to be carried through.
    middle = {f"inner {name}": na.Network.function("sin", f.output_size) @ f for name, f in own.items()}
    return {
        **own,
        **middle,
        "power product": after(positive, na.PowerProduct(W, RNG.normal(size=4))),
        "mixing": after(positive, na.Mixing("exp", W)),
        "mixing sqrt": after(positive, na.Mixing("sqrt", np.abs(W))),
        "hadamard": inner * positive,
        "contraction": na.Network.from_layer(na.Multiply((2, 1, 2, 1)), 4, 4) @ na.stack(inner, positive),
        "matrices": na.Network.from_layer(na.Multiply((1, 2, 2, 2)), 4, 4) @ na.stack(inner, positive),
        "concatenate": na.stack(inner, positive),
    }


NETWORKS = networks_of_every_layer()


def close(a: Any, b: Any, digits: int = 10) -> None:
    np.testing.assert_allclose(a, b, rtol=10.0**-digits, atol=10.0**-digits * max(1, np.abs(b).max(initial=0)))


# Numbers ------------------------------------------------------------------------------------------------------------


@given(st.data())
def test_jacobian_and_hessian_as_networks_have_the_numbers_of_the_rules(data: st.DataObject) -> None:
    f = data.draw(networks(depth=3))
    x = data.draw(points(f.input_size))
    jacobian, hessian, first = f.jacobian(x), f.hessian(x), f.diff()
    close(first(x).reshape(jacobian.shape), jacobian)
    close(first.diff()(x).reshape(hessian.shape), hessian, 9)
    close(first.jacobian(x).reshape(hessian.shape), hessian, 9)
    j = data.draw(st.integers(0, f.input_size - 1))
    close(f.diff(j)(x), jacobian[..., j])
    close(f.diff(f.input_names[j]).jacobian(x), hessian[..., j], 9)


@given(st.data())
@settings(max_examples=25)
def test_a_partial_derivative_of_any_order_as_a_network(data: st.DataObject) -> None:
    f = data.draw(networks(inputs=2))
    x = data.draw(points(2))
    alpha = {"x1": data.draw(st.integers(0, 3)), "x2": data.draw(st.integers(0, 2))}
    close(f.diff(alpha)(x), f.derivative(x, alpha), 7)


@pytest.mark.parametrize("order", [4, 7])
@pytest.mark.parametrize("activation", ["tanh", "gelu", "exp", "relu"])
def test_high_orders_stay_small(activation: str, order: int) -> None:
    f, x = chain(2, 4, 3, 1, activation=activation), np.array([[0.3, -0.2]])
    d = f.diff({"x1": order - 1, "x2": 1})
    close(d(x), f.derivative(x, (order - 1, 1)), 9)
    assert len(d.nodes) < 6 * order**2


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_on_balls_without_a_rounded_weight(name: str) -> None:
    """On balls of 256 bits: a product of two weights in double precision would be off by 1e-17."""
    f, k = NETWORKS[name], Balls(256)
    with k.precision():
        x = k.weight(np.array([0.3, -0.7, 0.2, 0.9]))
        _, *wanted = jets(k, f, x, 2)
        for d, whole in zip((f.diff(), f.diff().diff()), wanted, strict=True):
            (result,) = jets(k, d, x, 0)
            for a, b in zip(result.flat, whole.flat, strict=True):
                assert a.overlaps(b)
                assert float(a.rad()) < 1e-65 * max(1.0, abs(float(b.mid())))


@given(st.data())
@settings(max_examples=25)
def test_balls_and_symbols_agree(data: st.DataObject) -> None:
    f = data.draw(networks(inputs=2))
    x = data.draw(points(2, rows=1))[0]
    d, balls, symbols = f.diff(), Balls(256), Symbols()
    with balls.precision():
        wanted = jets(balls, f, balls.weight(x), 1)[1].ravel()
        (result,) = jets(balls, d, balls.weight(x), 0)
        assert all(a.overlaps(b) for a, b in zip(result, wanted, strict=True))
    names = sympy.symbols("x1 x2")
    (formulas,) = jets(symbols, d, np.array(names, dtype=object), 0)
    values = [float(e.subs(dict(zip(names, map(sympy.Float, x), strict=True)))) for e in formulas]
    close(values, f.jacobian(x).ravel())


def test_the_derivative_in_float32_stays_float32() -> None:
    f, x = chain(3, 4, 2, dtype=np.float32), np.ones(3, np.float32)
    assert f.diff().diff().dtype == np.float32
    assert f.diff().diff()(x).dtype == np.float32


# Shape --------------------------------------------------------------------------------------------------------------


def test_one_hidden_layer_keeps_its_shape_with_another_activation() -> None:
    f = chain(3, 5, 2)
    for order, name in enumerate(["tanh'", "tanh''", "tanh^(3)"], 1):
        d = f.diff(*["x2"] * order)
        first, middle, last = (node.layer for node in d.nodes)
        assert d.is_chain
        assert first == f.nodes[0].layer
        assert middle == Elementwise(name)
        assert isinstance(last, Affine)
        assert last.weight.shape == (2, 5)
    assert [str(node.layer) for node in chain(3, 5, 1).diff().nodes] == ["Affine 3→5", "tanh'", "Affine 5→3"]


def test_names_and_shapes() -> None:
    f = chain(2, 3, 2).rename(["u", "v"], ["a", "b"])
    d = f.diff()
    assert (d.output_names, d.output_shape) == (("da_du", "da_dv", "db_du", "db_dv"), (2, 2))
    assert d.diff().output_names[:3] == ("d2a_du_du", "d2a_du_dv", "d2a_dv_du")
    assert d.diff().output_shape == (2, 2, 2)
    assert f.diff("v", "u").output_names == ("d2a_du_dv", "d2b_du_dv")
    assert f.diff("u").diff("u", "v") == f.diff({"u": 2, "v": 1})
    assert f.diff("u").output_shape is None
    assert d.input_names == f.input_names


def test_names_are_distinct_whatever_the_names_of_f() -> None:
    f = na.Network.from_layers([(W[:2, :3], None)]).rename(["c", "b_dc", "x"], ["a", "a_db"])
    assert len(set(f.diff().output_names)) == 6
    g = na.Network.from_layers([(W[:2, :1], None)]).rename(["x"], ["dy_dx", "y"])
    assert g.diff().output_names == ("d2y_dx_dx", "dy_dx")
    twice = na.Network.from_layers([(W[:1, :2], None)]).rename(["x_dx", "x"], ["y"])
    assert len(set(twice.diff().diff().output_names)) == 4


def test_constants() -> None:
    f, x = na.Network.from_layers([(W[:2], W[:2, 0])]), RNG.normal(size=(3, 4))
    assert np.array_equal(f.diff()(x), np.broadcast_to(W[:2].ravel(), (3, 8)))
    assert np.array_equal(f.diff()(x * np.inf), np.broadcast_to(W[:2].ravel(), (3, 8)))
    assert not f.diff().diff()(x).any()
    assert not f.diff("x1", "x1")(x).any()
    same = na.Network.identity(4)
    assert np.array_equal(same.diff()(x), np.broadcast_to(np.eye(4).ravel(), (3, 16)))
    assert np.array_equal(same.diff("x2")(x), np.broadcast_to(np.eye(4)[1], (3, 4)))
    assert f.diff({}) is f
    assert f.diff((0, 0, 0, 0)) is f


def test_kinks_have_the_values_of_the_catalogue() -> None:
    relu, corner = na.Network.function("relu", 3), np.array([-1.0, 0.0, 2.0])
    assert np.array_equal(relu.diff()(corner).reshape(3, 3), np.diag([0.0, 0.0, 1.0]))
    assert not relu.diff().diff()(corner).any()
    largest = after(na.Network.identity(3), na.Maximum([[0, 1, 2]]))
    for x in ([1, 1, 0], [0, 1, 1], [1, 1, 1], [2, 1, 2], [0, 1, 2]):
        assert np.array_equal(largest.diff()(x), np.eye(3)[np.argmax(x)]), x
        assert np.array_equal(largest.diff()(x), largest.jacobian(x)[0]), x


# What is shared -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_what_the_derivative_shares_with_f_stands_once(name: str) -> None:
    f = NETWORKS[name]
    both = na.stack(f, f.diff())
    assert both.nodes[: len(f.nodes)] == f.nodes
    assert len(both.nodes) <= len(f.nodes) + len(f.diff().nodes)  # with the one that puts both side by side
    x = RNG.normal(size=(3, 4))
    value, jacobian = np.split(both(x), [f.output_size], axis=1)
    close(value, f(x))
    close(jacobian, f.jacobian(x).reshape(3, -1))


def test_each_chain_is_evaluated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Arrays, "exp", _counted("exp", calls), raising=False)
    f = chain(3, 4, 4, 2, activation="exp")
    na.stack(f, f.diff(), f.diff().diff())(np.zeros(3))
    assert calls == ["exp"] * 2
    power = NETWORKS["power product"]
    assert not [n for n in na.stack(power, power.diff()).nodes if n.layer == Elementwise("exp")]


def _counted(name: str, calls: list[str]) -> Callable[..., Any]:
    def function(self: Arrays, x: Any) -> Any:
        calls.append(name)
        return getattr(self.xp, name)(x)

    return function


def test_a_gradient_costs_about_two_values() -> None:
    f = chain(100, 64, 64, 1)
    assert Costs(na.stack(f, f.diff())).value < 2.1 * Costs(f).value
    assert max(f.diff().sizes) == 100


def test_a_wide_jacobian_goes_forward_and_a_narrow_first_layer_is_used() -> None:
    for sizes in ((2, 6, 6, 9), (9, 6, 2, 9), (9, 2, 7)):
        f, x = chain(*sizes), RNG.normal(size=(3, sizes[0]))
        close(f.diff()(x), f.jacobian(x).reshape(3, -1))
        assert Costs(f.diff()).value <= 2 * f.plan("jacobian").cost


def test_blocks_of_functions_stay_one_layer() -> None:
    f = NETWORKS["inner several"]
    kinds = [node.layer for node in f.diff().nodes if isinstance(node.layer, Elementwise)]
    assert na.Elementwise((("tanh'", 1), ("relu'", 2), ("exp", 1))) in kinds


# Closure ------------------------------------------------------------------------------------------------------------

F, G = chain(3, 4, 2), chain(3, 2, 2, activation="sin")
OPERATIONS: dict[str, Callable[[na.Network], na.Network]] = {
    "f + g": lambda f: f + G,
    "f - g": lambda f: f - G,
    "f · g": lambda f: f * G,
    "f / g": lambda f: f / (G + 3),
    "1 / f": lambda f: 1 / (f * f + 1),
    "f ** 3": lambda f: f**3,
    "3 f - 1": lambda f: 3 * f - 1,
    "h after f": lambda f: chain(2, 3, 1) @ f,
    "f after h": lambda f: f @ chain(2, 3),
    "stack": lambda f: na.stack(f, G, f),
    "parallel": lambda f: na.parallel(f, G),
    "part": lambda f: f[1],
    "fold": lambda f: f.fold(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_can_be_differentiated(name: str) -> None:
    f = OPERATIONS[name](F)
    x = RNG.normal(size=(2, f.input_size))
    close(f.diff()(x).reshape(2, *f.shape), f.jacobian(x))
    close(f.diff().diff()(x).reshape(2, *f.shape, f.input_size), f.hessian(x), 9)


def test_derivatives_can_be_computed_with() -> None:
    x = RNG.normal(size=(2, 3))
    gradient = F[0].diff()
    close((gradient + F[1].diff())(x), F.jacobian(x).sum(1))
    close((gradient * gradient)(x), F.jacobian(x)[:, 0] ** 2)
    close((F.diff() @ gradient)(x), F.jacobian(gradient(x)).reshape(2, -1))
    close(F.diff().fold()(x), F.diff()(x))
    close(F.diff()["dy2_dx1"](x)[:, 0], F.jacobian(x)[:, 1, 0])
    laplacian = sum((F.diff(i, i) for i in range(1, 3)), F.diff(0, 0))
    close(laplacian(x), F.laplacian(x))
    residual = operator.sub(F.diff({"x1": 2}), F.diff("x2") * F)
    close(residual(x), F.hessian(x)[:, :, 0, 0] - F.jacobian(x)[:, :, 1] * F(x))


# Files --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in NETWORKS if not name.startswith("inner") or "maximum" in name])
def test_files_hold_a_function_with_its_derivatives(name: str, tmp_path: Path) -> None:
    f, x = NETWORKS[name], RNG.normal(size=(5, 4))
    whole = na.stack(f, f.diff(), f.diff().diff())
    for path in (tmp_path / "f.onnx", tmp_path / "f.safetensors"):
        whole.save(path)
        assert na.load(path) == whole
    wanted = np.concatenate([d.reshape(5, -1) for d in f.derivatives(x, 2)], 1)
    close(run((tmp_path / "f.onnx").read_bytes(), x)[0], wanted)


def test_formula_and_explanation_of_a_derivative() -> None:
    f = na.Network.from_layers([([[2.0, -1.0]], None), ([[3.0]], None)], "sin")
    assert "6.0*" in str(f.diff("x1").formula())
    assert "tanh'" in str(chain(2, 3, 1).diff().explain())


# Refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "error", "message"),
    [
        (("w",), InputError, "the inputs are x1, x2, x3"),
        ((3,), InputError, "0 to 2 or a name"),
        ((1.5,), InputError, "0 to 2 or a name"),
        (({"x1": -1},), UsageError, "order -1"),
        (({"x1": 1.5},), UsageError, "order 1.5"),
        (({"x1": 1, 0: 1},), InputError, "each at most once"),
        (((1, 2),), UsageError, "3 orders, one for each of"),
        ((["x1", "x1"],), UsageError, "names one by one"),
        (({"x1": 33},), UnsupportedError, "at most 32"),
        (("x1",) * 33, UnsupportedError, "at most 32 is covered as a network"),
    ],
)
def test_what_is_no_derivative_is_refused(variables: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        F.diff(*variables)


def test_a_jacobian_that_is_too_wide_is_refused() -> None:
    f = na.Network.function("tanh", 20_000)
    with pytest.raises(ResourceError, match="400,000,000"):
        f.diff()
    assert f.diff(3).output_size == 20_000


# Exact arithmetic ---------------------------------------------------------------------------------------------------

DOUBLES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-4, 4).map(float)


@given(DOUBLES, DOUBLES, st.sampled_from(["float32", "float64"]))
@settings(max_examples=300)
def test_sums_and_products_are_given_only_where_they_are_exact(a: float, b: float, dtype: str) -> None:
    kind = np.dtype(dtype)
    for function, true in ((exact_sum, Fraction(a) + Fraction(b)), (exact_product, Fraction(a) * Fraction(b))):
        result = function(np.array([a]), np.array([b]), kind)
        if result is not None:
            assert Fraction(float(result[0])) == true
            assert float(kind.type(result[0])) == result[0]
    small = float(np.float32(np.clip(b, -1e30, 1e30)))
    if a in (0, 1, -1, 2, -2) and (small == 0 or abs(small) > 1e-30):
        assert exact_product(np.array([a]), np.array([small]), kind) is not None


def test_constants_that_would_be_rounded_are_kept_apart() -> None:
    k = Wires(na.Network.identity(1))
    tenth, seventh = k.weight(np.array([0.1])), k.weight(np.array([1 / 7]))
    assert (tenth * seventh).factors
    assert not (tenth + k.weight(np.array([1e-20]))).numbers
    assert (tenth * k.weight(np.array([0.5]))).numbers
    assert (tenth - tenth).zero
    x = k.wire(0, (1,))
    assert len((x + x + x).terms) == 1
    assert (x - x).zero


def test_sums_of_sums_become_one_layer() -> None:
    """The third derivative has the terms of Leibniz' rule, with their integers."""
    d = chain(2, 3, 3, 1).diff({"x1": 3})
    sums = [n.layer.weight for n in d.nodes if isinstance(n.layer, Affine) and is_sum(n.layer.weight)]
    assert sorted(sums[-1].weight.ravel()) == [1, 1, 2]


def test_products_of_weights_that_vanish_are_zeros() -> None:
    """0.1·0.7 is rounded, so that the factors stand side by side; in the other direction they are all 0."""
    entries = [([0.1, 0.3], [0.7, 0.9]), ([0.3, 0.1], [0.9, 0.7])]
    identity = na.Network.identity(2)
    chains = [after(after(identity, Affine(na.Diagonal(d))), Affine(na.Diagonal(e))) for d, e in entries]
    f = na.stack(*(g[0] for g in chains))
    assert f.diff("x2")([3.0, 5.0]).tolist() == [0.0, 0.0]
    assert f.diff("x1")([3.0, 5.0]) == pytest.approx([0.07, 0.27])
    assert f.diff()([3.0, 5.0]) == pytest.approx([0.07, 0.0, 0.27, 0.0])
