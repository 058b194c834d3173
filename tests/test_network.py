"""The algebra of networks: laws over random networks, and what a person may get wrong."""

from __future__ import annotations

import copy
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.errors import InputError, ShapeError, UnsupportedError, UsageError
from strategies import after, arrays, linear_maps, networks, points

close = np.testing.assert_allclose


def near(a: np.ndarray, b: np.ndarray) -> None:
    close(a, b, rtol=1e-12, atol=1e-12 * max(1.0, np.abs(b).max(initial=0)))


@st.composite
def pairs(draw):
    """Two networks that may be added, and points."""
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return draw(networks(n, m)), draw(networks(n, m)), draw(points(n))


@given(pairs(), st.integers(-30, 30).map(lambda v: v / 10))
def test_operators_are_those_of_functions(pair, c):
    f, g, x = pair
    near((f + g)(x), f(x) + g(x))
    near((f - g)(x), f(x) - g(x))
    near((f * g)(x), f(x) * g(x))
    near((-f)(x), -f(x))
    near((c * f)(x), c * f(x))
    near((f * c)(x), c * f(x))
    near((f + c)(x), f(x) + c)
    near((c - f)(x), c - f(x))
    near((f**2)(x), f(x) ** 2)
    near((f**3)(x), f(x) ** 3)
    near((f**0)(x), np.ones_like(f(x)))
    near((f**5)(x), f(x) ** 5)


@given(pairs())
def test_quotients_and_powers_of_a_positive_function(pair):
    f, g, x = pair
    p = g * g + 1
    near((f / p)(x), f(x) / p(x))
    near((2 / p)(x), 2 / p(x))
    near((p**-2)(x), p(x) ** -2.0)
    near((p**0.5)(x), p(x) ** 0.5)
    near((f / 4)(x), f(x) / 4)


@given(st.data())
def test_composition(data):
    g = data.draw(networks(2, 3))
    f = data.draw(networks(3))
    x = data.draw(points(2))
    near((f @ g)(x), f(g(x)))
    near((f @ g).jacobian(x), f.jacobian(g(x)) @ g.jacobian(x))
    h = data.draw(networks(f.output_size))
    assert (h @ f) @ g == h @ (f @ g)
    assert f @ na.Network.identity(3) == f


@given(pairs())
def test_derivatives_obey_the_product_rule(pair):
    f, g, x = pair
    expected = f.jacobian(x) * g(x)[..., None] + f(x)[..., None] * g.jacobian(x)
    near((f * g).jacobian(x), expected)


@given(pairs())
def test_stack_parallel_and_selection(pair):
    f, g, x = pair
    both = na.stack(f, g)
    near(both(x), np.concatenate([f(x), g(x)], -1))
    beside = na.parallel(f, g)
    near(beside(np.concatenate([x, x[::-1]], -1)), np.concatenate([f(x), g(x[::-1])], -1))
    for i in range(both.output_size):
        near(both[i](x), both(x)[..., [i]])
    near(both[::-1](x), both(x)[..., ::-1])
    near(both[-1](x), g(x)[..., [-1]])
    assert [h.output_size for h in both] == [1] * both.output_size


@given(pairs())
def test_what_is_shared_is_one_node(pair):
    f, g, _ = pair
    assert len(na.stack(f, f).nodes) <= len(f.nodes) + 1
    both = na.stack(f, g)
    assert len(na.stack(both, f).nodes) <= len(both.nodes) + 1
    assert len(set(both.nodes)) == len(both.nodes)


@given(networks())
def test_equality_hashing_pickling_copying(f):
    for twin in (pickle.loads(pickle.dumps(f)), copy.copy(f), copy.deepcopy(f)):
        assert twin == f
        assert hash(twin) == hash(f)
    assert f != f + 1
    assert f != f.rename(outputs=[f"o{i}" for i in range(f.output_size)])
    assert isinstance(repr(f), str)


@given(st.data())
def test_linear_maps_are_their_dense_matrices(data):
    columns = data.draw(st.integers(1, 4))
    m = data.draw(linear_maps(columns))
    x = data.draw(arrays((2, 3, columns)))
    expected = x @ m.dense().T
    assert m.dense().shape == m.shape
    close(m.apply(Arrays(x), x), expected, atol=1e-14)
    close(m.multiplied(lambda a: a * 3).dense(), 3 * m.dense(), atol=1e-14)
    balls = Balls(64)
    with balls.precision():
        exact = m.apply(balls, balls.weight(x))
    close(np.array([[[float(b.mid()) for b in row] for row in plane] for plane in exact]), expected, atol=1e-14)


@given(st.data())
def test_fold_keeps_the_function_and_leaves_no_two_dense_layers_in_a_row(data):
    f = data.draw(networks())
    x = data.draw(points(f.input_size))
    for _ in range(2):
        f = after(f, na.Affine(data.draw(linear_maps(f.output_size)), None))
    g = f.fold()
    near(g(x), f(x))
    for node in g.nodes:
        users = [other for other in g.nodes if g.nodes.index(node) + 1 in other.inputs]
        if len(users) == 1 and is_dense(node.layer):
            assert not is_dense(users[0].layer)
    assert g.input_names == f.input_names


def test_fold_of_scalings_with_biases():
    rng = np.random.default_rng(0)
    f = na.Network.from_layers([(rng.normal(size=(2, 3)), rng.normal(size=2))])
    scaler = na.Affine(na.Diagonal(rng.normal(size=3)), rng.normal(size=3))
    unscaler = na.Affine(na.Diagonal(rng.normal(size=2)), rng.normal(size=2))
    whole = after(f @ na.Network.from_layer(scaler, 3), unscaler)
    x = rng.normal(size=(4, 3))
    assert len(whole.fold().nodes) == 1
    near(whole.fold()(x), whole(x))


def is_dense(layer):
    return isinstance(layer, na.Affine) and isinstance(layer.weight, na.Dense | na.Diagonal)


def test_fold_and_scaling_never_make_structure_dense():
    convolution = na.Convolution(np.ones((2, 2)), np.array([[i, i + 1] for i in range(999)]), 1000)
    f = after(after(na.Network.identity(1000), na.Affine(na.Diagonal(np.arange(1000) + 1.0))), na.Affine(convolution))
    for g in (f.fold(), f * np.arange(1998.0), (f + 1).fold()):
        assert g.parameter_count < 10_000
        x = np.ones(1000)
    near((f * np.arange(1998.0))(x), f(x) * np.arange(1998.0))


def test_scaling_rounds_once_and_loses_nothing():
    small = na.Network.from_layers([([[1.23456789e-20]], None)])
    assert (1e-300 * small * 1e300)([1.0])[0] == pytest.approx(1.23456789e-20, rel=1e-15)
    assert (na.Network.from_layers([([[49.0]], None)]) / 49)([1.0]) == 1
    inner = na.Network.from_layers([([[0.1]], [0.2])], output="tanh")
    mixed = na.Network.from_layer(na.Affine(np.float32([[0.3]])), 1) @ inner
    np.testing.assert_allclose((0.1 * mixed)([1.0]), 0.1 * mixed([1.0]), rtol=1e-15)


def test_scaling_goes_into_the_last_layer_when_the_output_is_linear():
    layers = [([[1.0, 2.0]], [3.0]), ([[4.0], [5.0]], [6.0, 7.0])]
    linear = na.Network.from_layers(layers, "tanh")
    scaled = 2 * linear
    assert len(scaled.nodes) == len(linear.nodes)
    assert scaled.layers_list()[-1][0].tolist() == [[8], [10]]
    assert scaled.layers_list()[-1][1].tolist() == [12, 14]
    assert (linear * np.array([1.0, 10.0])).layers_list()[-1][0].tolist() == [[4], [50]]
    assert (linear + np.array([1.0, 10.0])).layers_list()[-1][1].tolist() == [7, 17]
    bent = na.Network.from_layers(layers, "tanh", output="sigmoid")
    assert len((2 * bent).nodes) == len(bent.nodes) + 1
    assert linear.layers_list()[-1][0].tolist() == [[4], [5]]


def test_numpy_scalars_stand_on_either_side():
    f = na.Network.from_layers([([[1.0, 2.0]], None)])
    for scalar in (2, 2.0, np.float64(2), np.int64(2), np.float32(2)):
        assert isinstance(scalar * f, na.Network)
        assert (scalar * f)([1.0, 1.0]).tolist() == [6.0]
        assert (scalar + f)([1.0, 1.0]).tolist() == [5.0]
        assert (scalar - f)([1.0, 1.0]).tolist() == [-1.0]
        assert (scalar / f)([1.0, 1.0]).tolist() == [2 / 3]


def test_float32_networks_stay_float32():
    f = na.Network.from_layers([(np.ones((1, 2), np.float32), None)])
    for g in (2 * f, f + 1.5, f * f, f / f, f + f, na.stack(f, f), f**3, f @ na.parallel(f, f)):
        assert g.dtype == np.float32
        assert g(np.ones(g.input_size, np.float32)).dtype == np.float32


def test_layers_list_and_both_conventions():
    a1, b1, a2 = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [7.0, 8.0], [[9.0, 10.0]]
    f = na.Network.from_layers([(a1, b1), (a2, None)], "tanh")
    (w1, c1), (w2, c2) = f.layers_list()
    assert (w1.tolist(), c1.tolist(), w2.tolist(), c2) == (a1, b1, a2, None)
    assert na.Network.from_layers(f.layers_list(), "tanh") == f
    transposed = [(np.array(a1).T, b1), (np.array(a2).T, None)]
    assert na.Network.from_layers(transposed, "tanh", weights="in,out") == f
    assert repr(f) == "<Network 3 → 1: Affine 3→2 · tanh · Affine 2→1; 10 parameters, float64>"
    with pytest.raises(UnsupportedError, match="contains Multiply"):
        (f * f).layers_list()


def test_multiplicative_chain():
    f = na.Network.from_layers([([[1, -1]], [np.log(3.0)])], kind="multiplicative")
    close(f([4.0, 2.0]), [6.0])
    assert f.layers_list()[0][0].tolist() == [[1, -1]]


def test_names():
    f = na.Network.from_layers([(np.eye(2), None)], input_names=["age", "bmi"], output_names=["a", "b"])
    assert f["b"].output_names == ("b",)
    assert f[["b", 0]].output_names == ("b", "a")
    assert f[[0, 0]].output_names == ("y1", "y2")
    assert f.rename(outputs=["u", "v"]).output_names == ("u", "v")
    assert (f + 1).input_names == ("age", "bmi")
    assert na.parallel(f, f).input_names == ("x1", "x2", "x3", "x4")
    assert na.stack(f, f.rename(outputs=["c", "d"])).output_names == ("a", "b", "c", "d")


BAD = {
    "layers that do not fit": (
        lambda f: na.Network.from_layers([(np.ones((2, 3)), None), (np.ones((3, 1)), None)]),
        ShapeError,
        r'\(2, 3\).*gives 2 values.*\(3, 1\) takes 1.*\n.*weights="in,out"',
    ),
    "sum of sizes 2 and 3": (lambda f: f + na.stack(f, f[0]), ShapeError, r"\(2, 2\) and \(3, 2\)"),
    "different inputs": (lambda f: f + na.Network.identity(3), ShapeError, r"\(2, 2\) and \(3, 3\)"),
    "stack of different inputs": (lambda f: na.stack(f, na.Network.identity(3)), ShapeError, "equally many inputs"),
    "composition": (lambda f: f @ na.Network.identity(3), ShapeError, "gives 3 values"),
    "bias": (lambda f: na.Affine(np.ones((2, 3)), np.ones(3)), ShapeError, r"\(3,\) received.*\(2,\) expected"),
    "NaN weight": (lambda f: na.Affine([[np.nan]]), InputError, "finite"),
    "text weight": (lambda f: na.Affine([["a"]]), InputError, "float32 or float64"),
    "a vector as weight": (lambda f: na.Affine([1.0, 2.0]), ShapeError, r"\(2,\)"),
    "unknown activation": (lambda f: na.Network.function("tahn"), UnsupportedError, "Did you mean .*tanh"),
    "unknown parameter": (lambda f: na.activation("tanh", alpha=1), InputError, "alpha"),
    "unknown convention": (lambda f: na.Network.from_layers([([[1]], None)], weights="io"), InputError, "io"),
    "unknown kind": (lambda f: na.Network.from_layers([([[1]], None)], kind="mult"), InputError, "mult"),
    "no layers": (lambda f: na.Network.from_layers([]), InputError, "no layers"),
    "no pair": (lambda f: na.Network.from_layers([np.ones((2, 2))]), InputError, "pair"),
    "wrong number of activations": (
        lambda f: na.Network.from_layers([([[1]], None)] * 3, ["tanh"]),
        ShapeError,
        "1 activations received; 2",
    ),
    "double name": (lambda f: f.rename(inputs=["a", "a"]), InputError, "more than once"),
    "one text as names": (lambda f: f.rename(inputs="ab"), InputError, "list of 2"),
    "too few names": (lambda f: f.rename(inputs=["a"]), ShapeError, "1 input names"),
    "unknown output": (lambda f: f["z"], InputError, "y1, y2"),
    "output out of range": (lambda f: f[2], InputError, "0 to 1"),
    "empty selection": (lambda f: f[[]], InputError, "empty"),
    "text as summand": (lambda f: f + "a", UsageError, "str"),
    "matrix as factor": (lambda f: f * np.ones((2, 2)), ShapeError, r"\(2, 2\)"),
    "division by zero": (lambda f: f / 0, InputError, "by 0"),
    "a network as exponent": (lambda f: f**f, UsageError, "exp @"),
    "assignment": (lambda f: setattr(f, "output", 0), UsageError, "immutable"),
    "nothing to stack": (lambda f: na.stack(), UsageError, "nothing"),
    "Mixing by a number": (lambda f: na.Mixing(3, [[1.0]]), InputError, "function 3 received; a name, or what"),
    "Elementwise of a number": (lambda f: na.Elementwise([(3, 2)]), InputError, "function 3 received"),
    "a layer among pairs": (
        lambda f: na.Network.from_layers([na.Mixing("sinh", [[1.0]])]),
        InputError,
        r"na\.Network\.from_layer\(layer",
    ),
    "Mixing without inverse": (lambda f: na.Mixing("relu", [[1.0]]), InputError, "inverse"),
    "blocks that do not fit": (
        lambda f: na.Network.from_layer(na.Elementwise((("tanh", 1), ("relu", 2))), 4),
        ShapeError,
        "3 coordinates expected",
    ),
    "per-unit parameters that do not fit": (
        lambda f: na.Network.function("prelu", 3, slope=[0.1, 0.2]),
        ShapeError,
        "2 values of slope",
    ),
    "selection out of range": (lambda f: na.Network.from_layer(na.Select([2]), 2), ShapeError, "coordinates 2 to 2"),
    "softmax groups": (lambda f: na.Network.from_layer(na.Softmax(2), 3), ShapeError, "multiple"),
    "contraction": (lambda f: na.Multiply((1, 2, 3)), ShapeError, r"\(1, 2, 3\)"),
    "no copies": (lambda f: na.Kronecker([[1.0]], 0, 1), ShapeError, "before=0"),
    "no repetition": (lambda f: na.Batched(na.Dense([[1.0]]), 0), ShapeError, "copies=0"),
    "factors that do not fit": (
        lambda f: na.Product((na.Dense(np.ones((2, 3))), na.Dense(np.ones((2, 3))))),
        ShapeError,
        r"\(2, 3\) and \(2, 3\) received; 3 rows",
    ),
    "no factors": (lambda f: na.Product(()), ShapeError, "no factors"),
    "a vector to spread": (lambda f: na.Spread([1.0]), ShapeError, r"\(1,\) received; \(r, n\)"),
    "no patches": (lambda f: na.Convolution([[1.0]], np.zeros((0, 1), int), 2), ShapeError, r"\(0, 1\)"),
    "identity of another size": (
        lambda f: na.Network.from_layer(na.Affine(na.Diagonal(np.ones(3))), 5),
        ShapeError,
        "3 coordinates expected",
    ),
    "a block of another size": (
        lambda f: na.Network.from_layer(na.Elementwise((("tanh", 3),)), 5),
        ShapeError,
        "3 coordinates expected",
    ),
    "negative place": (lambda f: na.Network((na.Node(na.Select([0]), (-2,)),), 1, 1), ShapeError, r"places \(-2,\)"),
    "later place": (lambda f: na.Network((na.Node(na.Select([0]), (3,)),), 1, 1), ShapeError, r"places \(3,\)"),
    "output place": (lambda f: na.Network((), 4, 1), ShapeError, "output place 4"),
    "no inputs": (lambda f: na.Network((), 0, 0), ShapeError, "0 inputs"),
    "two arguments of one": (lambda f: na.Network.from_layer(na.Select([0]), 1, 1), ShapeError, "2 arguments"),
    "softmax of nothing": (lambda f: na.Softmax(0), ShapeError, "groups of 0"),
    "giant exponent": (lambda f: f**1e300, UsageError, "at most"),
    "a constant that the dtype cannot hold": (
        lambda f: na.Network.from_layers([(np.ones((1, 1), np.float32), None)]) * 1e-50,
        InputError,
        "cannot hold",
    ),
    "a list of networks": (lambda f: na.stack([f, f]), UsageError, r"stack\(\*networks\)"),
    "function with parameters twice": (
        lambda f: na.Network.function(na.activation("elu"), 1, alpha=2.0),
        UsageError,
        "further parameters",
    ),
    "layers_list of a maximum": (
        lambda f: na.Network.from_layer(na.Maximum([[0, 1]]), 2).layers_list(),
        UnsupportedError,
        "contains Maximum",
    ),
    "input shape": (lambda f: na.Network((), 0, 4, input_shape=(3, 1)), ShapeError, r"\(3, 1\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_mistakes_are_named(name):
    make, error, message = BAD[name]
    f = na.Network.from_layers([(np.eye(2), None)])
    with pytest.raises(error, match=message) as caught:
        make(f)
    assert len(str(caught.value).splitlines()) <= 3


def test_weights_cannot_be_changed_through_views_copies_or_lists():
    weight = np.ones((1, 1))
    view = weight.view()
    view.flags.writeable = False
    f = na.Network.from_layers([(view, None)])
    blocks = [na.Dense([[1.0]])]
    g = na.Network.from_layer(na.Affine(na.BlockDiagonal(blocks)), 1)
    weight[0, 0], _ = 7, blocks.append(blocks[0])
    assert f([1.0]) == g([1.0]) == [1.0]
    for twin in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f)):
        with pytest.raises(ValueError, match="read-only"):
            twin.layers_list()[0][0][0, 0] = 7
    x = np.ones(2)
    y = na.Network.identity(2)(x)
    y += 1
    assert x.tolist() == [1, 1]


def test_a_function_registered_anew_is_another_function():
    x = sympy.Symbol("x")
    na.register("made_anew", x**2, x)
    f = na.Network.function("made_anew")
    pickled = pickle.dumps(f)
    na.register("made_anew", x**3, x, replace=True)
    g = na.Network.function("made_anew")
    assert f != g
    assert (f + g)([2.0]) == [12.0]
    with pytest.raises(UnsupportedError, match="another function"):
        pickle.loads(pickled)
    for name in ("tanh", "softmax"):
        with pytest.raises(InputError, match="already"):
            na.register(name, x**2, x, replace=True)


def test_weights_cannot_be_changed_from_outside():
    weight = np.ones((1, 1))
    f = na.Network.from_layers([(weight, None)])
    weight[0, 0] = 7
    assert f([1.0]).tolist() == [1.0]
    with pytest.raises(ValueError, match="read-only"):
        f.layers_list()[0][0][0, 0] = 7


def test_import_is_light_and_a_pickle_opens_in_a_fresh_process(tmp_path):
    f = na.Network.from_layers([([[2.0]], None)])
    (tmp_path / "f.pickle").write_bytes(pickle.dumps(f))
    code = (
        "import sys, neuralgebra; heavy = {'numpy', 'torch', 'jax', 'sympy', 'onnx', 'scipy'} & set(sys.modules);"
        "assert not heavy, heavy; import pickle;"
        f"assert pickle.load(open({str(tmp_path / 'f.pickle')!r}, 'rb'))([3.0]).tolist() == [6.0]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_names_exist():
    for name in na.__all__:
        assert getattr(na, name) is not None
    assert set(na.__all__) <= set(dir(na))
    with pytest.raises(AttributeError, match="nonsense"):
        na.nonsense  # noqa: B018


def test_the_stubs_are_those_of_the_tables():
    stubs = runpy.run_path(str(Path(__file__).parent.parent / "tools" / "make_stubs.py"))["STUBS"]
    for path, make in stubs.items():
        assert path.read_text() == make(), "run: python tools/make_stubs.py"
