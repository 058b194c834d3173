"""ONNX written: what a runtime computes from it, and the very network when it is read again."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralgebra.errors import InputError, ResourceError, UnsupportedError
from neuralgebra.files import limits
from neuralgebra.files.onnx_describe import KEY
from neuralgebra.files.onnx_expressions import Expressions
from neuralgebra.files.onnx_graph import Graph, Term
from neuralgebra.files.onnx_read import read
from neuralgebra.files.onnx_write import NEWEST, OLDEST, message, without_kernel, write
from neuralgebra.functions.activation import _ROWS, Activation, Row, activation, register, registered
from neuralgebra.functions.catalogue import LOGISTIC, SIGMOID, s, z
from neuralgebra.network.composed import Batched, BlockDiagonal, Product, Transposed
from neuralgebra.network.convolution import Convolution
from neuralgebra.network.layers import (
    Affine,
    Elementwise,
    Layer,
    Maximum,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.network.linear import Dense, Diagonal, Kronecker, Linear, Spread
from neuralgebra.network.network import Network
from onnx_oracles import evaluated, run, session, value
from strategies import linear_maps

NAMES = sorted(registered())
DTYPES = ["float32", "float64"]


def points(row_name: str, dtype: str) -> np.ndarray:
    low, high = registered()[row_name].domain
    low, high = max(low + 0.02, -6.0), min(high - 0.02, 6.0)
    return np.linspace(low, high, 64).reshape(16, 4).astype(dtype)


def checked(data: bytes) -> bytes:
    onnx.checker.check_model(onnx.load_model_from_string(data), full_check=True)
    return data


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_each_function_is_written_and_computed(name: str, dtype: str) -> None:
    f = Network.function(name, 4)
    x = points(name, dtype)
    for opset in (OLDEST, 20, 24):
        data = checked(write(f, dtype, opset))
        again = read(data)
        assert again == f
        runs = name not in without_kernel(f, dtype, opset)
        y = run(data, x)[0] if runs else evaluated(data, x)
        tolerance = {"float32": 2e-6, "float64": 2e-14}[dtype]
        if name in ("gelu", "erf"):
            tolerance = 1e-6  # the tail of 1 + erf; onnx's evaluator has erf in float32 only
        np.testing.assert_allclose(y, value(f, x), rtol=20 * tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
def test_functions_without_kernel_are_those_that_do_not_run(name: str) -> None:
    f = Network.function(name, 4)
    data = write(f, "float64")
    if without_kernel(f, "float64"):
        with pytest.raises(Exception, match=r"(?i)not.?implemented"):
            session(data)
    else:
        session(data)
    assert without_kernel(f, "float32") == []


@pytest.mark.parametrize("name", NAMES)
def test_without_the_remark_it_is_the_same_function(name: str) -> None:
    f = Network.function(name, 4)
    for dtype in DTYPES:
        model = message(f, dtype)
        del model.metadata_props[:]
        x = points(name, dtype)
        tolerance = {"float32": 2e-5, "float64": 1e-13}[dtype]
        np.testing.assert_allclose(
            value(read(model.SerializeToString()), x), value(f, x), rtol=tolerance, atol=tolerance
        )


SMALL = [1e-300, 1e-20, 1.1e-16, 3e-16, 1e-12, 1e-6, 1e-3, 0.3]
FINE: dict[str, list[float]] = {
    "atanh": [*(-v for v in SMALL), *SMALL, 0.7, 0.999, 1 - 1e-12, -0.9],
    "logit": [*SMALL, 0.26, 0.4999999, 0.5 + 1e-12, 0.74, 0.9, 1 - 1e-12],
    "logsigmoid": [-700, -40, -36.5, -1, -1e-12, 1e-12, 0.5, 20, 36.5, 37.5, 40, 700],
    "softplus": [-700, -40, -37.5, -36.5, -20, -0.5, -1e-12, 1e-12, 1, 36.5, 40, 700],
}


@pytest.mark.parametrize("name", FINE)
def test_small_values_keep_their_digits(name: str) -> None:
    f, x = Network.function(name, 1), np.array(FINE[name])[:, None]
    for opset in (OLDEST, 24):
        model = message(f, "float64", opset)
        np.testing.assert_allclose(run(checked(model.SerializeToString()), x)[0], value(f, x), rtol=2e-15)
        assert read(model.SerializeToString()) == f
        del model.metadata_props[:]
        np.testing.assert_allclose(value(read(model.SerializeToString()), x), value(f, x), rtol=4e-15)


def test_the_logarithm_of_a_small_softplus() -> None:
    f = Network.function("log", 1) @ Network.function("softplus", 1)
    x = np.array([[-40.0], [-700.0], [3.0]])
    np.testing.assert_allclose(run(write(f, "float64"), x)[0], value(f, x), rtol=1e-15)


def test_logarithms_in_definitions_of_ones_own_keep_their_digits() -> None:
    graph = Graph(np.dtype(np.float64), 20)
    last = Expressions().log1p(Term(graph, "x"))
    last.of("Identity")
    graph.nodes[-1].output[0] = "y"
    shape = [onnx.helper.make_tensor_value_info(name, 11, ["N", 1]) for name in "xy"]
    made = onnx.helper.make_graph(graph.nodes, "g", shape[:1], shape[1:], graph.initializers())
    imports = [onnx.helper.make_opsetid("", 20)]
    data = onnx.helper.make_model(made, opset_imports=imports, ir_version=9).SerializeToString()
    x = np.array([[-1.0, *(-v for v in SMALL), 0, *SMALL, 0.9, 1, 3, 1e17, 1e300, np.inf]]).T
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(run(data, x)[0], np.log1p(x), rtol=1e-15)


PARAMETERS = [
    ("leaky_relu", {"slope": 0.3}),
    ("leaky_relu", {"slope": (0.1, 0.2, 0.3, 0.4)}),
    ("prelu", {"slope": (0.1, 0.2, 0.3, 0.4)}),
    ("elu", {"alpha": 1.3}),
    ("elu", {"alpha": (0.5, 1.0, 1.5, 2.0)}),
    ("celu", {"alpha": 0.7}),
    ("hardtanh", {"low": -0.5, "high": 0.25}),
    ("hardtanh", {"low": (-1.0, -0.5, -2.0, 0.0), "high": 0.25}),
    ("hardsigmoid", {"slope": 0.2, "offset": 0.5}),
    ("hardsigmoid", {"slope": (0.1, 0.2, 0.3, 0.4)}),
    ("softshrink", {"width": 0.75}),
    ("softshrink", {"width": (0.1, 0.2, 0.3, 0.4)}),
    ("power", {"p": Fraction(3, 2)}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "parameters"), PARAMETERS)
def test_parameters(name: str, parameters: dict[str, object], dtype: str) -> None:
    f = Network.function(activation(name, **parameters), 4)
    x = points(name, dtype)
    data = checked(write(f, dtype))
    assert read(data) == f
    tolerance = {"float32": 1e-6, "float64": 1e-15}[dtype]
    np.testing.assert_allclose(run(data, x)[0], value(f, x), rtol=10 * tolerance, atol=tolerance)


RNG = np.random.default_rng(11)
PATCHES = np.array([[-1, 0, 1], [0, 1, 2], [1, 2, 3], [2, 3, -1]])


def composed() -> list[Linear]:
    """Every simple matrix, transposed, repeated and both; and products of them."""
    convolution = Convolution(RNG.normal(size=(2, 3)), PATCHES, 4)
    one_sided = Convolution(RNG.normal(size=(2, 2)), np.array([[0, 1], [0, 2], [0, 3], [0, 0], [0, 1], [0, 2]]), 4)
    simple = [
        Dense(RNG.normal(size=(2, 3))),
        Diagonal(RNG.normal(size=3)),
        Kronecker(RNG.normal(size=(3, 2)), 2, 3),
        Kronecker(np.array([[0.5]]), 1, 4),
        Spread(RNG.normal(size=(2, 3))),
        convolution,
        one_sided,
        BlockDiagonal((Dense(RNG.normal(size=(1, 3))), convolution)),
        Product((convolution, Dense(RNG.normal(size=(4, 2))))),
    ]
    transposed = [Transposed(m) for m in simple]
    return [
        *simple[4:5],
        *transposed,
        *(Batched(m, 2) for m in simple + transposed),
        Batched(Batched(convolution, 2), 2),
    ]


LAYERS: list[tuple[Layer, tuple[int, ...]]] = [
    (Affine(RNG.normal(size=(3, 4)), RNG.normal(size=3)), (4,)),
    (Affine(RNG.normal(size=(3, 4))), (4,)),
    (Affine(Diagonal(RNG.normal(size=4)), np.zeros(4)), (4,)),
    (Affine(Kronecker(RNG.normal(size=(3, 2)), 2, 3), RNG.normal(size=18)), (12,)),
    (Affine(Kronecker(np.array([[1.0, -1.0]]), 1, 4)), (8,)),
    (Affine(Kronecker(np.array([[0.5]]), 1, 4), RNG.normal(size=4)), (4,)),
    (Affine(BlockDiagonal((Dense(RNG.normal(size=(2, 3))), Diagonal(RNG.normal(size=2))))), (5,)),
    (Affine(Convolution(RNG.normal(size=(2, 3)), PATCHES, 4), RNG.normal(size=8)), (4,)),
    (Affine(Convolution(RNG.normal(size=(2, 3)), PATCHES[1:3], 4)), (4,)),
    *((Affine(m, RNG.normal(size=m.rows)), (m.columns,)) for m in composed()),
    (Elementwise(((activation("tanh"), 2), (activation("elu", alpha=0.5), 1), (activation("gaussian"), 3))), (6,)),
    (Multiply(), (3, 3)),
    (Multiply((2, 3, 2, 4)), (12, 16)),
    (Maximum(np.array([[0, 1, 2], [2, 3, 3]])), (4,)),
    (Softmax(), (4,)),
    (Softmax(3), (6,)),
    (Softmax(2, log=True), (6,)),
    (PowerProduct(RNG.normal(size=(3, 2)), RNG.normal(size=3)), (2,)),
    (Mixing(activation("sinh"), RNG.normal(size=(3, 2)), RNG.normal(size=3)), (2,)),
    (Select(np.array([3, 0, 0, 1])), (4,)),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("layer", "sizes"), LAYERS, ids=lambda v: str(v))
def test_each_layer_comes_back_and_is_computed(layer: Layer, sizes: tuple[int, ...], dtype: str) -> None:
    f = Network.from_layer(layer, *sizes)
    x = np.random.default_rng(1).uniform(0.1, 2, (5, f.input_size)).astype(dtype)
    for opset in (OLDEST, 17, 24):
        data = checked(write(f, dtype, opset))
        again = read(data)
        assert again == f if dtype == "float64" else len(again.nodes) == len(f.nodes)
        y = run(data, x)[0] if not without_kernel(f, dtype, opset) else evaluated(data, x)
        tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
        np.testing.assert_allclose(y, value(again, x), rtol=tolerance, atol=tolerance)
        assert again.dtype == dtype or not again.arrays
        model = onnx.load_model_from_string(data)
        del model.metadata_props[:]
        plain = read(model.SerializeToString())
        np.testing.assert_allclose(value(plain, x), value(again, x), rtol=tolerance, atol=tolerance)
        assert plain.dtype == dtype or not plain.arrays


@settings(max_examples=30)
@given(st.integers(1, 4).flatmap(lambda n: linear_maps(n, depth=2)))
def test_any_matrix_comes_back_and_is_computed(m: Linear) -> None:
    f = Network.from_layer(Affine(m), m.columns)
    x = np.random.default_rng(1).normal(size=(3, m.columns))
    data = checked(write(f))
    assert read(data) == f
    np.testing.assert_allclose(run(data, x)[0], x @ m.dense().T, atol=1e-13)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A chain of full layers, with a branch beside it."""
    dtype = draw(st.sampled_from(DTYPES))
    sizes = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    pairs = [
        (rng.normal(size=(m, n)).astype(dtype), rng.normal(size=m).astype(dtype) if draw(st.booleans()) else None)
        for n, m in itertools.pairwise(sizes)
    ]
    functions = draw(st.lists(st.sampled_from(NAMES), min_size=len(pairs), max_size=len(pairs)))
    f = Network.from_layers(pairs, functions[:-1], functions[-1])
    g = Network.from_layers([(rng.normal(size=(1, sizes[0])).astype(dtype), None)], output=draw(st.sampled_from(NAMES)))
    f = draw(st.sampled_from([f, f * g, f + g, f - g, f @ Network.identity(sizes[0])]))
    texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5)
    names = draw(st.lists(texts, min_size=f.output_size, max_size=f.output_size, unique=True))
    return f.rename(outputs=names)


@given(networks(), st.sampled_from([OLDEST, 17, 20, NEWEST]))
def test_networks_come_back_bit_for_bit(f: Network, opset: int) -> None:
    data = write(f, opset=opset)
    again = read(data)
    assert again == f
    assert again.output_names == f.output_names
    assert write(again, opset=opset) == data
    for a, b in zip(f.arrays, again.arrays, strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def small() -> Network:
    layers = [([[1, 2], [3, 4], [5, 6]], [0.1, -0.2, 0.3]), ([[1, -1, 0.5]], None)]
    return Network.from_layers(layers, "softplus", input_names=["T", "p"], output_names=["rate"])


def test_a_function_of_ones_own_is_written_by_its_definition() -> None:
    register(Row("trial", z * s, (SIGMOID, *LOGISTIC)), replace=True)
    try:
        f = Network.function("trial", 2)
        x = np.linspace(-3, 3, 10).reshape(5, 2)
        data = checked(write(f))
        assert read(data) == f
        np.testing.assert_allclose(run(data, x)[0], value(f, x), rtol=1e-14)
    finally:
        _ROWS.pop("trial")


def test_weights_are_stored_as_they_are() -> None:
    weight = np.array([[-0.0, 1e-310, np.pi]])
    model = message(Network.from_layers([(weight, None)]))
    gemm = model.graph.node[0]
    assert (gemm.op_type, gemm.attribute[0].name, gemm.attribute[0].i) == ("Gemm", "transB", 1)
    assert model.graph.initializer[0].raw_data == weight.tobytes()


def test_shapes_and_names_come_back() -> None:
    f = Network.from_layers([(np.eye(6), None)], "tanh", input_shape=(1, 2, 3), input_names=list("abcdef"))
    again = read(write(f))
    assert (again.input_shape, again.input_names) == ((1, 2, 3), tuple("abcdef"))


def test_the_dtype_asked_for_is_written() -> None:
    assert read(write(small(), "float32")).dtype == np.float32
    narrow = Network.from_layers([(np.array([[0.1]], np.float32), None)])
    assert read(write(narrow, "float64")).arrays[0].item() == float(np.float32(0.1))


def test_the_identity_and_an_empty_batch() -> None:
    f = Network.identity(3)
    assert read(checked(write(f))) == f
    assert run(write(small()), np.zeros((0, 2)))[0].size == 0


@pytest.mark.parametrize(("dtype", "opset"), [("float16", None), ("int64", None), (None, 12), (None, NEWEST + 1)])
def test_what_cannot_be_written_is_refused(dtype: str | None, opset: int | None) -> None:
    with pytest.raises(UnsupportedError, match="received"):
        write(small(), dtype, opset)


def test_numbers_beyond_float32_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="1e\\+39"):
        write(Network.from_layers([([[1e39]], None)]), "float32")


@pytest.mark.parametrize("names", [{"input_names": ["T", "\udc80"]}, {"output_names": ["\udc80"]}])
def test_names_that_no_file_can_hold_are_refused(names: dict[str, list[str]]) -> None:
    with pytest.raises(InputError, match=r"name '\\\\?udc80' received"):
        write(Network.from_layers([([[1.0, 2.0]], None)], **names))


# A remark is believed only as far as it can be checked.


def edited(change: dict[str, object]) -> bytes:
    model = message(small())
    remark = {**json.loads(model.metadata_props[0].value), **change}
    onnx.helper.set_model_props(model, {KEY: json.dumps(remark)})
    return bytes(model.SerializeToString())


def test_a_model_edited_by_hand_is_read_as_it_stands() -> None:
    model = message(small())
    softplus = next(n for n in model.graph.node if n.op_type == "Max")  # part of softplus in float64
    softplus.op_type = "Min"
    data = model.SerializeToString()
    x = np.random.default_rng(0).normal(size=(5, 2))
    f = read(data)
    np.testing.assert_allclose(value(f, x), run(data, x)[0], atol=1e-13)
    assert f.input_names == ("T", "p")
    assert np.abs(value(f, x) - value(small(), x)).max() > 0.1


def test_weights_edited_by_hand_are_read() -> None:
    model = message(small())
    weight = np.array([[9.0, -1.0, 0.5]])
    next(t for t in model.graph.initializer if list(t.dims) == [1, 3]).raw_data = weight.tobytes()
    f = read(model.SerializeToString())
    assert f.nodes[-1].layer == Affine(weight)
    assert len(f.nodes) == 3


LIES: list[dict[str, object]] = [
    {"nodes": []},
    {"output": 1},
    {"output": -1},
    {"size": 3},
    {"size": 10**12},
    {"size": None},
    {"nodes": [[["Affine", ["Dense", "c2"], None], [0]]]},
    {"nodes": [[["Affine", ["Dense", "c1"], "c2"], [0]], [["Elementwise", [[["tanh", {}], None]]], [1]]]},
    {"nodes": [[["Exec", "1"], [0]]]},
    {"nodes": "text"},
    {"nodes": [[["Affine", ["Kronecker", "c1", 10**15, 10**15], None], [0]]]},
    {"nodes": [[["Affine", ["Batched", ["Dense", "c1"], 10**15], None], [0]]]},
    {"nodes": [[["Affine", ["Product", []], None], [0]]]},
    {"nodes": [[["Affine", ["Transposed", "c1"], None], [0]]]},
    {"nodes": [[["Affine", ["Dense", "c1", "c1"], None], [0]]]},
    {"nodes": [[["Elementwise", [[["hardsigmoid", {"slope": "1/0"}], None]]], [0]]]},
    {"input_names": [1, 2]},
    {"output_names": None},
    {"input_shape": ["a"]},
]


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_a_remark_that_lies_is_not_believed(lie: dict[str, object]) -> None:
    f, x = read(edited(lie)), np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(value(f, x), value(small(), x), atol=1e-13)
    assert f.output_names == (("y1",) if {"input_names", "output_names"} & lie.keys() else ("rate",))


def test_a_product_hides_no_large_vector(monkeypatch: pytest.MonkeyPatch) -> None:
    product = Product((Dense(np.ones((1, 6))), Dense(np.ones((6, 2)))))
    data = write(Network.from_layer(Affine(product), 2))
    monkeypatch.setattr(limits, "COORDINATES", 5)
    with pytest.raises(ResourceError, match="6 received; at most 5"):
        read(data)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "1e999"])
def test_a_remark_that_is_no_remark_is_left_alone(text: str) -> None:
    model = message(small())
    onnx.helper.set_model_props(model, {KEY: text})
    assert read(model.SerializeToString()).input_names == ("x1", "x2")


@settings(max_examples=20)
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_blocks_of_functions(names: list[str]) -> None:
    blocks = tuple((Activation(registered()[name]), i + 1) for i, name in enumerate(names))
    f = Network.from_layer(Elementwise(blocks), sum(n for _, n in blocks))
    assert read(write(f)) == f
