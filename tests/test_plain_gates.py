"""Gates and products as plain layers: proven errors against 60 digits, executions against adversaries, and sizes."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.algebra import assembly, hulls, schemes
from neuralgebra.algebra.compiler import Compiler
from neuralgebra.algebra.gate import Gate, chosen, product_error
from neuralgebra.algebra.plain import Plain
from neuralgebra.algebra.relations import relation
from neuralgebra.algebra.univariate import fitted, interpolated
from neuralgebra.errors import NotCertifiedError
from neuralgebra.network.box import box_of
from oracles import FUNCTIONS, evaluate

SMOOTH = ("sigmoid", "tanh", "softplus", "gelu", "gelu_tanh", "silu", "cos", "sin", "exp", "mish", "arctan", "erf")
FLOAT64, FLOAT32 = np.dtype("float64"), np.dtype("float32")
TWO = na.Network.identity(2)
PRODUCT = TWO[0] * TWO[1]


def net(activation: str, *sizes: int, seed: int = 0, dtype: str = "float64") -> na.Network:
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=(m, n)), rng.normal(size=m) / 2) for n, m in itertools.pairwise(sizes)]
    pairs = [((a / np.sqrt(a.shape[1])).astype(dtype), b.astype(dtype)) for a, b in pairs]
    return na.Network.from_layers(pairs, activation)


# One variable -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "gelu", "sin", "softplus", "gaussian"])
def test_hulls_hold_every_value_and_little_more(name: str) -> None:
    f = net(name, 1, 4, 1) - na.Network.function("square")
    found = hulls.hulls(f, np.linspace(-1.0, 1.5, 41))
    with mpmath.workdps(60):
        for low, high, a, b in zip(found.edges, found.edges[1:], found.low, found.high, strict=False):
            values = [evaluate(f, [mpmath.mpf(t)])[0] for t in np.linspace(low, high, 7)]
            assert a <= min(values) <= max(values) <= b
            assert b - a <= 1.1 * float(max(values) - min(values)) + 1e-4


def values(one: Gate, points: np.ndarray) -> list[mpmath.mpf]:
    sigma = FUNCTIONS[one.function.name]
    rows = [tuple(map(mpmath.mpf, row)) for row in zip(one.bias, one.factor, one.coefficient, strict=True)]
    return [mpmath.mpf(one.constant) + sum(c * sigma(b + h * mpmath.mpf(t)) for b, h, c in rows) for t in points]


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("name", sorted(set(SMOOTH) & set(FUNCTIONS)))
def test_gates_are_within_their_proven_error_and_it_is_tight(name: str, even: bool) -> None:
    if not even and relation(na.activation("identity"), na.activation(name)):
        return  # its identity is exact
    points = np.linspace(-1, 1, 201)
    for tol, dtype in ((1e-2, FLOAT32), (1e-6, FLOAT64), (1e-9, FLOAT64)):
        one = chosen(na.activation(name), tol, dtype, even)
        with mpmath.workdps(60):
            wanted = [mpmath.mpf(t) ** (2 if even else 1) for t in points]
            error = float(max(abs(a - b) for a, b in zip(values(one, points), wanted, strict=True)))
        assert error <= one.error.largest <= 1.05 * error + 1e-20
        if even:
            p, q = np.random.default_rng(0).uniform(-1, 1, size=(2, 400))
            u, v = np.concatenate([p, [1, 1, -1, 1, 0]]), np.concatenate([q, [1, -1, -1, 0, 1]])
            with mpmath.workdps(60):
                squares = values(one, (u + v) / 2), values(one, (u - v) / 2)
                exact = [mpmath.mpf(s) ** 2 - mpmath.mpf(t) ** 2 for s, t in zip((u + v) / 2, (u - v) / 2, strict=True)]
                errors = [abs(s - t - e) for s, t, e in zip(*squares, exact, strict=True)]
            assert float(max(errors)) <= product_error(one.error) <= 1.5 * float(max(errors))


def test_fewest_neurons_come_first_and_reach_what_the_reference_reaches() -> None:
    assert chosen(na.activation("cos"), 1e-3, FLOAT64, True).neurons == 1  # its pair is one neuron
    assert chosen(na.activation("gelu"), 1e-3, FLOAT64, True).neurons == 1  # where its slope is 0
    assert chosen(na.activation("sigmoid"), 1e-9, FLOAT64, True).neurons == 2
    assert chosen(na.activation("tanh"), 1e-9, FLOAT64, False).neurons == 1


def measured(one: Gate, dtype: np.dtype) -> float:
    """The largest error of u·v by two squares, executed by NumPy."""
    u, v = np.random.default_rng(0).uniform(-1, 1, size=(2, 200_000)).astype(dtype)
    b, h, c = (np.array(row, dtype) for row in (one.bias, one.factor, one.coefficient))
    first = np.concatenate([np.stack([h, h], 1), np.stack([h, -h], 1)]) / 2
    f = na.Network.from_layers([(first.astype(dtype), np.tile(b, 2)), (np.append(c, -c)[None], None)], one.function)
    return float(abs(f(np.stack([u, v], 1))[:, 0].astype(float) - u.astype(float) * v.astype(float)).max())


@pytest.mark.parametrize(
    ("name", "pairs", "dtype", "bound"),
    [
        ("sigmoid", 1, FLOAT64, 3e-11),
        ("softplus", 1, FLOAT64, 3e-11),
        ("sigmoid", 2, FLOAT64, 1e-12),
        ("softplus", 2, FLOAT64, 1e-12),
        ("gelu", 1, FLOAT32, 8e-6),
    ],
)
def test_products_as_accurate_as_the_dtype_allows(name: str, pairs: int, dtype: np.dtype, bound: float) -> None:
    one = chosen(na.activation(name), 0.0, dtype, True, most=pairs, worst=1.0)
    assert one.neurons == 2 * pairs
    assert measured(one, dtype) <= bound


# Any function -----------------------------------------------------------------------------------------------------

TEXTBOOK: dict[str, tuple[Callable[[mpmath.mpf], mpmath.mpf], float, float]] = {
    "exp": (mpmath.exp, 1.5, -0.5),
    "log": (mpmath.log, 0.5, 1.0),
    "reciprocal": (lambda z: 1 / z, 2.0, 3.0),
    "sigmoid": (lambda z: 1 / (1 + mpmath.exp(-z)), 4.0, 0.5),
    "tanh'": (lambda z: mpmath.sech(z) ** 2, 2.0, 0.25),
    "tanh''": (lambda z: -2 * mpmath.tanh(z) * mpmath.sech(z) ** 2, 2.0, 0.25),
}


def target(name: str) -> tuple[na.Network, list[mpmath.mpf], np.ndarray]:
    """φ(r t + m) as a network, its values to 60 digits, and the points t."""
    function, radius, middle = TEXTBOOK[name]
    points = np.linspace(-1, 1, 301)
    with mpmath.workdps(60):
        wanted = [function(mpmath.mpf(radius) * mpmath.mpf(t) + mpmath.mpf(middle)) for t in points]
    return na.Network.function(name) @ na.Network.from_layers([([[radius]], [middle])]), wanted, points


@pytest.mark.parametrize("by", ["tanh", "softplus", "gelu"])
@pytest.mark.parametrize("name", TEXTBOOK)
def test_any_function_as_neurons_is_within_its_proven_error(name: str, by: str) -> None:
    f, wanted, points = target(name)
    for tol in (1e-2, 1e-5):
        one = fitted(na.activation(by), f, tol, FLOAT64)
        with mpmath.workdps(60):
            error = float(max(abs(a - b) for a, b in zip(values(one, points), wanted, strict=True)))
        assert error <= one.error.largest <= 1.1 * error
        assert error <= tol


@pytest.mark.parametrize("name", TEXTBOOK)
def test_piecewise_linear_functions_are_within_their_proven_error_with_few_pieces(name: str) -> None:
    f, wanted, points = target(name)
    for tol in (1e-1, 1e-3):
        found = interpolated(f, tol)
        pieces = found.constant + (np.maximum(points[:, None] - found.knots, 0) * found.changes).sum(axis=1)
        error = max(abs(float(mpmath.mpf(a) - b)) for a, b in zip(pieces, wanted, strict=True))
        assert error <= found.error <= tol
        curvature = f.diff("x1").diff("x1")(points[:, None])[:, 0]
        least = np.sqrt(abs(curvature)).mean() * 2 / (4 * np.sqrt(tol))
        assert len(found.knots) <= 4 * least + 5


# Networks ---------------------------------------------------------------------------------------------------------


def executed(plain: na.Network, x: np.ndarray, seed: int) -> np.ndarray:
    """The layers in their dtype: sums in random order, activations off by up to 4 units in the last place."""
    rng, dtype = np.random.default_rng(seed), plain.dtype
    pairs, a = plain.layers_list(), x.astype(dtype)
    for i, (weight, bias) in enumerate(pairs):
        order = rng.permutation(weight.shape[1] + 1)
        terms = np.concatenate([a[:, None, :] * weight, np.broadcast_to(bias[:, None], (len(a), *bias.shape, 1))], 2)
        z = np.zeros(terms.shape[:2], dtype)
        for j in order:
            z = z + terms[:, :, j]
        if i < len(pairs) - 1:
            a = na.Network.function(plain.nodes[1].layer.only, len(bias))(z.astype(np.float64)).astype(dtype)
            sign = np.where(rng.random(a.shape) < 0.5, -1, 1) * rng.integers(2, 4, a.shape)
            a = (a + sign * np.spacing(abs(a))).astype(dtype)
    return z.astype(float)


def expect_within(f: na.Network, plain: Plain, box: list[tuple[float, float]], count: int = 12) -> float:
    """Real numbers and executions are no farther from f than certified; return certified over true of the former."""
    assert plain.certificate is not None
    assert plain.execution is not None
    low, high = np.array(box).T
    x = np.random.default_rng(5).uniform(low, high, size=(count, len(box)))
    x = np.vstack([list(itertools.product(*box)), x]).astype(plain.network.dtype).astype(float)
    with mpmath.workdps(60):
        exact = np.array([evaluate(f, [mpmath.mpf(v) for v in point]) for point in x])
        real = np.array([evaluate(plain.network, [mpmath.mpf(v) for v in point]) for point in x])
        error = abs(real - exact).max(axis=0)
        assert all(error <= np.array(plain.certificate.bounds) + 1e-50)
        for seed in range(3):
            assert all(abs(executed(plain.network, x, seed) - exact).max(axis=0) <= np.array(plain.execution.bounds))
    return max(plain.certificate.bounds) / float(max(error) + 1e-300)


TARGETS = ("sigmoid", "tanh", "softplus", "gelu", "silu", "cos", "exp", "relu", "leaky_relu", "square")


@pytest.mark.parametrize("size", [1.0, 5.0])
@pytest.mark.parametrize("name", TARGETS)
def test_the_product_of_two_inputs(name: str, size: float) -> None:
    box = [(-size, size)] * 2
    for tol, dtype in ((1e-1, "float32"), (1e-4, "float64"), (1e-8, "float64")):
        plain = PRODUCT.plain(name, box, tol, dtype=dtype)
        assert plain.execution.bound <= tol
        tightness = expect_within(PRODUCT, plain, box)
        assert tightness < 1.5 or "relu" in name or plain.certificate.bound < 1e-14


def test_the_bound_of_products_in_relu_is_attained() -> None:
    plain = PRODUCT.plain("relu", [(-1, 1)] * 2, 1e-3)
    x = np.stack(np.meshgrid(*[np.linspace(-1, 1, 801)] * 2), -1).reshape(-1, 2)
    error = abs(plain.network(x) - PRODUCT(x)).max()
    assert error <= plain.certificate.bound <= 1.05 * error


@pytest.mark.parametrize(("size", "tol", "parameters"), [(5.0, 0.085, 135), (1.0, 1e-6, 285)])
def test_products_in_relu_are_no_larger_than_the_best_known(size: float, tol: float, parameters: int) -> None:
    plain = PRODUCT.plain("relu", [(-size, size)] * 2, tol)
    assert plain.network.parameter_count <= parameters
    assert plain.certificate.bound <= tol


def test_twelve_times_forty_five_by_a_sigmoid_gate() -> None:
    plain = PRODUCT.plain("sigmoid", [(0, 12), (0, 45)], 12 * 45 * 1e-8)
    assert abs(plain.network([12.0, 45.0])[0] / 540 - 1) < 1e-8


@settings(max_examples=25)
@given(st.data())
def test_products_powers_and_sums_of_networks(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["tanh", "sigmoid", "gelu", "softplus", "relu", "silu", "cos"]))
    f = net(name, 2, data.draw(st.integers(1, 4)), 1)
    g = net(name, 2, 3, data.draw(st.integers(1, 3)), 1, seed=1)
    build: Callable[[], na.Network] = data.draw(
        st.sampled_from([lambda: f * g, lambda: f**2 + g, lambda: f * g - g, lambda: f**3, lambda: na.stack(f * g, g)])
    )
    h, box = build(), [(-1.0, 1.0), (0.0, 0.5)]
    dtype, tol = data.draw(st.sampled_from([("float64", 1e-3), ("float64", 1e-6), ("float32", 0.3)]))
    plain = h.plain(name, box, tol, dtype=dtype)
    assert plain.execution.bound <= tol
    expect_within(h, plain, box, count=4)


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu"])
def test_no_value_leaves_the_range_that_the_cells_behind_it_are_made_for(name: str) -> None:
    f, box = PRODUCT * PRODUCT * TWO[0], [(-2.0, 2.0)] * 2
    for tol in (5.0, 0.1, 1e-4):
        compiler = Compiler(f, na.activation(name), box_of(f, box), FLOAT64, tol)
        expect_within(f, f.plain(name, box, tol), box)
        compiler.run()
        made = compiler._made()
        places = [p for p in made.errors if p]
        assert any(made.errors[p].max() > 0 for p in places)
        for place in places:
            (low, high), (proven, top) = compiler.ranges[place], compiler.proven[place]
            assert (low <= proven - made.errors[place]).all()
            assert (high >= top + made.errors[place]).all()


QUOTIENTS = {
    "a derivative": (lambda: net("tanh", 2, 5, 1).diff("x1"), "tanh", 1e-7),
    "a second derivative": (lambda: net("tanh", 2, 4, 1).diff("x1", "x2"), "sigmoid", 1e-4),
    "a reciprocal": (lambda: 1 / (net("tanh", 2, 3, 1) + 6), "tanh", 1e-5),
    "a quotient": (lambda: net("tanh", 2, 3, 1) / (net("sigmoid", 2, 3, 1) ** 2 + 2), "relu", 1e-2),
    "softmax": (lambda: na.Network.from_layer(na.Softmax(), 3) @ net("tanh", 2, 3, 3), "sigmoid", 1e-2),
    "another activation": (lambda: net("gelu", 2, 4, 1), "tanh", 1e-4),
    "maxima": (lambda: na.Network.from_layer(na.Maximum([[0, 1, 2]]), 3) @ net("relu", 2, 3, 3), "leaky_relu", 1e-9),
}


@pytest.mark.parametrize("name", QUOTIENTS)
def test_everything_else_becomes_plain_too(name: str) -> None:
    build, activation, tol = QUOTIENTS[name]
    f, box = build(), [(-1.0, 1.0), (0.0, 0.5)]
    plain = f.plain(activation, box, tol)
    assert plain.execution.bound <= tol
    x = np.random.default_rng(5).uniform(*np.array(box).T, size=(200, 2))
    assert (abs(plain.network(x) - f(x)).max(axis=0) <= np.array(plain.execution.bounds) + 1e-14).all()


def test_multiplicative_networks_become_plain_where_they_are_defined() -> None:
    f = na.Network.from_layers([([[0.5, 1.0], [1.0, -1.0]], [0.1, 0.2])], kind="multiplicative")
    plain = f.plain("relu", [(0.5, 2.0)] * 2, 1e-2)
    x = np.random.default_rng(5).uniform(0.5, 2, size=(200, 2))
    assert (abs(plain.network(x) - f(x)).max(axis=0) <= plain.execution.bounds).all()
    with pytest.raises(NotCertifiedError, match=r"log of an argument in \[-1, 2\]"):
        f.plain("relu", [(-1.0, 2.0)] * 2, 1e-2)


def test_roundings_of_one_function_are_not_magnified_beyond_measure_by_the_next() -> None:
    f = na.Network.from_layers([([[0.5, 1.0], [1.0, -1.0]], [0.1, 0.2])], kind="multiplicative")
    plain = f.plain("tanh", [(0.5, 2.0)] * 2, 1e-4)
    assert plain.neurons <= 80
    x = np.random.default_rng(5).uniform(0.5, 2, size=(2000, 2))
    assert (abs(plain.network(x) - f(x)).max(axis=0) <= plain.execution.bounds).all()
    assert plain.execution.bound <= 1e-4


def test_a_divisor_that_may_vanish_is_refused() -> None:
    with pytest.raises(NotCertifiedError, match=r"reciprocal of an argument in \[-1, 1\]"):
        (1 / TWO[0]).plain("tanh", [(-1, 1)] * 2, 1e-2)


def test_two_trained_networks_become_one_that_onnxruntime_runs(tmp_path) -> None:  # type: ignore[no-untyped-def]
    onnxruntime = pytest.importorskip("onnxruntime")
    f, g = net("tanh", 2, 20, 1), net("tanh", 2, 20, 1, seed=1)
    plain = (f * g).plain("tanh", [(-1, 1)] * 2, 1e-6)
    plain.network.save(tmp_path / "product.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "product.onnx")
    x = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    (y,) = session.run(None, {session.get_inputs()[0].name: x})
    assert abs(y - f(x) * g(x)).max() <= plain.execution.bound <= 1e-6


def test_a_tolerance_below_what_the_dtype_can_give_is_refused_with_what_it_can() -> None:
    with pytest.raises(NotCertifiedError, match=r"tol=1e-12 received; [0-9.e-]+ is what is proven .* float32"):
        PRODUCT.plain("tanh", [(-1, 1)] * 2, 1e-12, dtype="float32")


# Planted faults ---------------------------------------------------------------------------------------------------


def expect_product() -> None:
    expect_within(PRODUCT, PRODUCT.plain("tanh", [(-1, 1)] * 2, 1e-8), [(-1.0, 1.0)] * 2, count=60)


def expect_hull() -> None:
    f = net("tanh", 1, 4, 1)
    found = hulls.hulls(f, np.linspace(-1.0, 1.0, 9))
    assert (found.low <= f(found.edges[:-1, None])[:, 0]).all()
    assert (found.high >= f(found.edges[:-1, None])[:, 0]).all()


def expect_one_neuron() -> None:
    one = np.ones((1, 1), np.float32)
    f = na.Network.from_layers([(one, None), (one, None)], "tanh")
    expect_within(f, f.plain(domain=[(-1.0, 1.0)]), [(-1.0, 1.0)], count=40)


def expect_exact(name: str, *sizes: int, of: int = 1) -> None:
    f = net(name, *sizes, seed=2, dtype="float32")
    for _ in range(of - 1):
        f = f @ net(name, sizes[0], 3, sizes[0], seed=3, dtype="float32")
    box = [(-1.0, 1.0)] * sizes[0]
    expect_within(f, f.plain(domain=box), box, count=40)


FAULTS: dict[str, tuple[object, str, object, Callable[[], None]]] = {
    "the error of the gate is left out": (schemes, "product_error", lambda error: 0.0, expect_product),
    "a product has the error of one square": (schemes, "product_error", lambda e: e.largest / 2, expect_product),
    "the remainder of Taylor's formula is left out": (
        hulls,
        "taylor",
        lambda k, f, x, order, plain=hulls.taylor: [*plain(k, f, x, 1)[:1], *[k.zeros(x.shape)] * order],
        expect_hull,
    ),
    "roundings are left out": (assembly, "_unit", lambda dtype: 0.0, lambda: expect_exact("relu", 2, 30, 30, 1)),
    "weights count as exact": (assembly, "above", lambda value: 0.0, lambda: expect_exact("tanh", 2, 5, 1, of=2)),
    "activations count as exact": (assembly, "ULPS", 0, expect_one_neuron),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, name, changed, check = FAULTS[fault]
    check()
    monkeypatch.setattr(module, name, changed)
    with pytest.raises(AssertionError):
        check()
