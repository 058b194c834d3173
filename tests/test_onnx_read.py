"""ONNX read: each operator against onnxruntime, over opsets."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from neuralgebra.errors import UnsupportedError
from neuralgebra.files.onnx_read import read
from neuralgebra.network.composed import BlockDiagonal
from neuralgebra.network.convolution import Convolution
from neuralgebra.network.layers import Affine, Elementwise, Maximum, Softmax
from neuralgebra.network.linear import Dense, Diagonal, Kronecker
from onnx_oracles import agrees, model, node, run, value

RNG = np.random.default_rng(3)
W, B = RNG.normal(size=(4, 3)), RNG.normal(size=3)
OPSETS = (7, 9, 11, 13, 17, 24)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_the_common_chain(opset: int, dtype: str, batch: Any) -> None:
    nodes = [
        node("Sub", "x mean", "a"),
        node("Div", "a scale", "b"),
        node("Flatten", "b", "c"),
        node("MatMul", "c W", "d"),
        node("Add", "d B", "e"),
        node("Tanh", "e", "f"),
        node("Gemm", "f V C", "g", transB=1),
        node("Sigmoid", "g", "h"),
        node("Identity", "h", "i"),
        node("Softmax", "i", axis=1),
    ]
    constants = {
        "mean": np.zeros(1), "scale": np.full(4, 2.0), "W": W, "B": B,
        "V": RNG.normal(size=(5, 3)), "C": RNG.normal(size=5),
    }  # fmt: skip
    f = agrees(model(nodes, [batch, 1, 4], opset, constants, dtype), (1, 4), dtype)
    kinds = [type(n.layer) for n in f.nodes]
    assert kinds == [Affine, Affine, Elementwise, Affine, Elementwise, Softmax]
    assert isinstance(f.nodes[0].layer.weight, Kronecker)  # a scaling, not folded
    np.testing.assert_array_equal(f.nodes[1].layer.weight.weight, W.T.astype(dtype))
    np.testing.assert_array_equal(f.nodes[1].layer.bias, B.astype(dtype))
    assert f.input_shape == (1, 4)


PLAIN = {
    "Abs": 7, "Asinh": 9, "Atan": 7, "Atanh": 9, "Cos": 7, "Elu": 7, "Erf": 9, "Exp": 7, "HardSigmoid": 7,
    "HardSwish": 14, "LeakyRelu": 7, "Log": 7, "Mish": 18, "Neg": 7, "Reciprocal": 7, "Relu": 7, "Selu": 7,
    "Sigmoid": 7, "Sign": 9, "Sin": 7, "Sinh": 9, "Softplus": 7, "Softsign": 7, "Sqrt": 7, "Tan": 7, "Tanh": 7,
    "Gelu": 20, "Celu": 12, "Swish": 24, "Softmax": 7, "LogSoftmax": 7, "Identity": 7, "Dropout": 7,
}  # fmt: skip
DOMAINS = {"Log": (0.1, 3), "Sqrt": (0.1, 3), "Reciprocal": (0.2, 3), "Tan": (-1, 1), "Atanh": (-0.9, 0.9)}


@pytest.mark.parametrize(("op", "since"), PLAIN.items())
def test_functions(op: str, since: int) -> None:
    low, high = DOMAINS.get(op, (-4, 4))
    for opset in [o for o in OPSETS if o >= since]:
        agrees(model([node(op, "x")], ["N", 5], opset), (5,), low=low, high=high)


ATTRIBUTES: list[tuple[str, int, dict[str, Any]]] = [
    ("LeakyRelu", 7, {"alpha": 0.3}),
    ("Elu", 7, {"alpha": 1.7}),
    ("Celu", 12, {"alpha": 0.6}),
    ("Selu", 7, {"alpha": 1.5, "gamma": 1.2}),
    ("HardSigmoid", 7, {"alpha": 1 / 6, "beta": 0.4}),
    ("Gelu", 20, {"approximate": "tanh"}),
    ("Swish", 24, {"alpha": 0.7}),
    ("Shrink", 9, {"bias": 0.4, "lambd": 0.4}),
    ("ThresholdedRelu", 10, {"alpha": 0.0}),
    ("Clip", 7, {"min": -0.5, "max": 0.7}),
    ("Clip", 7, {"min": 0.0, "max": 6.0}),
    ("Clip", 7, {"min": 0.0}),
    ("Clip", 7, {"max": 0.3}),
    ("Clip", 7, {}),
]


@pytest.mark.parametrize(("op", "since", "attributes"), ATTRIBUTES)
def test_functions_with_parameters(op: str, since: int, attributes: dict[str, Any]) -> None:
    for opset in [o for o in OPSETS if o >= since and (op != "Clip" or o < 11)]:
        agrees(model([node(op, "x", **attributes)], ["N", 5], opset), (5,), low=-4, high=7)


def test_selu_with_its_own_constants_is_selu() -> None:
    attributes = {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}
    for given in ({}, attributes):
        assert read(model([node("Selu", "x", **given)], ["N", 2], 13)).nodes[0].layer == Elementwise("selu")


SLOPES = {"scalar": np.array(0.2), "row": np.array([0.1, 0.2, 0.3]), "one": np.array([0.4])}
# name: (nodes, shape of a sample, constants, first opset, last opset)
CASES: dict[str, tuple[Sequence[Any], tuple[int, ...], dict[str, Any], int, int]] = {
    **{f"prelu {k}": ([node("PRelu", "x s")], (3,), {"s": s}, 7, 24) for k, s in SLOPES.items()},
    "clip inputs": ([node("Clip", "x a b")], (3,), {"a": np.array(-0.5), "b": np.array(1.0)}, 11, 24),
    "clip low": ([node("Clip", "x a")], (3,), {"a": np.array(-0.5)}, 11, 24),
    "clip relu": ([node("Clip", "x a")], (3,), {"a": np.array(0.0)}, 11, 24),
    "clip high": ([node("Clip", "x - b")], (3,), {"b": np.array(0.5)}, 11, 24),
    "max constant": ([node("Max", "x c")], (3,), {"c": B}, 8, 24),
    "min constant": ([node("Min", "x c")], (3,), {"c": B}, 8, 24),
    "max zero": ([node("Max", "x c")], (3,), {"c": np.array(0.0)}, 8, 24),
    "max tensors": ([node("Neg", "x", "a"), node("Exp", "x", "b"), node("Max", "x a b")], (3,), {}, 8, 24),
    "min tensors": ([node("Neg", "x", "a"), node("Min", "x a")], (3,), {}, 8, 24),
    "add broadcast": ([node("Add", "x c")], (2, 3), {"c": RNG.normal(size=(1, 2, 1))}, 7, 24),
    "add expands": ([node("Add", "c x")], (1, 3), {"c": RNG.normal(size=(4, 1))}, 7, 24),
    "add self": ([node("Add", "x x")], (3,), {}, 7, 24),
    "sub from": ([node("Sub", "c x")], (3,), {"c": B}, 7, 24),
    "sub tensors": ([node("Tanh", "x", "a"), node("Sub", "x a")], (3,), {}, 7, 24),
    "mul vector": ([node("Mul", "x c")], (3,), {"c": B}, 7, 24),
    "mul tensors": ([node("Tanh", "x", "a"), node("Mul", "x a")], (3,), {}, 7, 24),
    "mul spread": ([node("ReduceSum", "x", "a", axes=[2]), node("Mul", "a x")], (2, 3), {}, 7, 11),
    "square": ([node("Mul", "x x")], (3,), {}, 7, 24),
    "silu": ([node("Sigmoid", "x", "a"), node("Mul", "x a")], (3,), {}, 7, 24),
    "div of": ([node("Exp", "x", "a"), node("Div", "c a")], (3,), {"c": B}, 7, 24),
    "div tensors": ([node("Exp", "x", "a"), node("Div", "x a")], (3,), {}, 7, 24),
    "sum": ([node("Tanh", "x", "a"), node("Sum", "x c a")], (3,), {"c": B}, 8, 24),
    "mean": ([node("Tanh", "x", "a"), node("Mean", "x a c")], (3,), {"c": B}, 8, 24),
    "pow 2": ([node("Pow", "x p")], (3,), {"p": np.array(2.0)}, 7, 24),
    "pow 3": ([node("Pow", "x p")], (3,), {"p": np.array([3.0])}, 7, 24),
    "pow -2": ([node("Pow", "x p")], (3,), {"p": np.array(-2.0)}, 7, 24),
    "pow 0": ([node("Pow", "x p")], (3,), {"p": np.array(0.0)}, 7, 24),
    "pow 1/2": ([node("Exp", "x", "a"), node("Pow", "a p")], (3,), {"p": np.array(0.5)}, 7, 24),
    "pow 0.7": ([node("Exp", "x", "a"), node("Pow", "a p")], (3,), {"p": np.array(0.7)}, 7, 24),
    "gemm": ([node("Gemm", "x W C", alpha=0.5, beta=2.0)], (4,), {"W": W, "C": B[None]}, 7, 24),
    "gemm scalar": ([node("Gemm", "x W C", transB=1)], (4,), {"W": W.T, "C": np.array(0.5)}, 7, 24),
    "gemm alone": ([node("Gemm", "x W")], (4,), {"W": W}, 11, 24),
    "gemm residual": (
        [node("Gemm", "x W C", "a"), node("Gemm", "x V a", beta=0.5)],
        (4,), {"W": W, "C": B, "V": RNG.normal(size=(4, 3))}, 7, 24,
    ),
    "matmul right": ([node("MatMul", "x W")], (2, 5, 4), {"W": W}, 7, 24),
    "matmul left": ([node("MatMul", "W x")], (3, 2), {"W": W}, 7, 24),
    "matmul vector": ([node("MatMul", "x w")], (2, 4), {"w": W[:, 0]}, 7, 24),
    "matmul stack": ([node("MatMul", "x W")], (2, 3, 4), {"W": RNG.normal(size=(2, 4, 5))}, 7, 24),
    "matmul stack left": ([node("MatMul", "W x")], (2, 3, 4), {"W": RNG.normal(size=(2, 5, 3))}, 7, 24),
    "matmul tensors": (
        [node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "x t", "s"), node("MatMul", "s x")],
        (2, 3), {}, 7, 24,
    ),
    "weight transposed": ([node("Transpose", "W", "V"), node("MatMul", "x V")], (3,), {"W": W}, 7, 24),
    "flatten": ([node("Flatten", "x", axis=1)], (2, 3, 4), {}, 7, 24),
    "transpose": ([node("Transpose", "x", perm=[0, 2, 3, 1])], (2, 3, 4), {}, 7, 24),
    "reshape": ([node("Reshape", "x s", "a"), node("Softmax", "a", axis=2)], (6,), {"s": np.array([-1, 2, 3])}, 7, 24),
    "reshape 0": ([node("Reshape", "x s")], (2, 3), {"s": np.array([0, -1])}, 7, 24),
    "cast": ([node("Cast", "x", to=1)], (3,), {}, 7, 24),
    "concat": ([node("Tanh", "x", "a"), node("Concat", "x a", axis=1)], (2, 3), {}, 7, 24),
    "concat inner": ([node("Tanh", "x", "a"), node("Concat", "x a x", axis=-1)], (2, 3), {}, 11, 24),
    "gather": ([node("Gather", "x i", axis=1)], (5,), {"i": np.array([[3, 0], [-1, 0]])}, 11, 24),
    "gather one": ([node("Gather", "x i", axis=2)], (5, 2), {"i": np.array(1)}, 7, 24),
    "batchnorm": (
        [node("BatchNormalization", "x s b m v", epsilon=1e-3)],
        (3,), {"s": B, "b": B + 1, "m": B - 1, "v": B**2}, 7, 24,
    ),
    "batchnorm image": (
        [node("BatchNormalization", "x s b m v")],
        (3, 2, 2), {"s": B, "b": B + 1, "m": B - 1, "v": B**2}, 7, 24,
    ),
    "layernorm": ([node("LayerNormalization", "x s b")], (2, 3), {"s": B, "b": B + 1}, 17, 24),
    "layernorm axis": (
        [node("LayerNormalization", "x s", axis=1)], (2, 3), {"s": RNG.normal(size=(2, 3))}, 17, 24,
    ),
    "softmax last": ([node("Softmax", "x", axis=-1)], (2, 3), {}, 13, 24),
    "softmax coerced": ([node("Softmax", "x")], (2, 3), {}, 7, 12),
    "softmax coerced 2": ([node("Softmax", "x", axis=2)], (2, 3), {}, 7, 12),
    "softmax inner": ([node("Softmax", "x", axis=1)], (2, 3), {}, 13, 24),
    "conv": ([node("Conv", "x k c")], (2, 5, 5), {"k": RNG.normal(size=(3, 2, 3, 3)), "c": B}, 7, 24),
    "conv options": (
        [node("Conv", "x k", strides=[2, 1], pads=[1, 0, 2, 1], dilations=[1, 2])],
        (2, 6, 5), {"k": RNG.normal(size=(3, 2, 3, 2))}, 7, 24,
    ),
    "conv groups": (
        [node("Conv", "x k c", group=2, pads=[1, 1])],
        (4, 5), {"k": RNG.normal(size=(6, 2, 3)), "c": RNG.normal(size=6)}, 7, 24,
    ),
    "conv same": (
        [node("Conv", "x k", auto_pad="SAME_UPPER", strides=[2, 2])],
        (1, 5, 4), {"k": RNG.normal(size=(1, 1, 2, 3))}, 7, 24,
    ),
    "conv 3d": ([node("Conv", "x k")], (1, 3, 3, 3), {"k": RNG.normal(size=(2, 1, 2, 2, 2))}, 7, 24),
    "maxpool": ([node("MaxPool", "x", kernel_shape=[2, 2], strides=[2, 1], pads=[1, 0, 0, 1])], (2, 5, 4), {}, 7, 24),
    "maxpool ceil": ([node("MaxPool", "x", kernel_shape=[3], strides=[2], ceil_mode=1)], (2, 6), {}, 10, 24),
    "averagepool": ([node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 0, 0, 1])], (2, 5, 4), {}, 7, 24),
    "averagepool pad": (
        [node("AveragePool", "x", kernel_shape=[2, 2], pads=[1, 0, 0, 1], count_include_pad=1)], (2, 5, 4), {}, 7, 24,
    ),
    "averagepool same": ([node("AveragePool", "x", kernel_shape=[2], auto_pad="SAME_LOWER")], (2, 5), {}, 7, 24),
    "global average": ([node("GlobalAveragePool", "x")], (2, 3, 4), {}, 7, 24),
    "global maximum": ([node("GlobalMaxPool", "x")], (2, 3, 4), {}, 7, 24),
    "reduce mean": ([node("ReduceMean", "x", axes=[1, -1], keepdims=0)], (2, 3, 4), {}, 11, 17),
    "reduce max": ([node("ReduceMax", "x a", keepdims=0)], (2, 3, 4), {"a": np.array([2])}, 18, 24),
    "reduce min": ([node("ReduceMin", "x", axes=[1])], (2, 3), {}, 7, 17),
    "reduce sum": ([node("ReduceSum", "x a")], (2, 3, 4), {"a": np.array([1])}, 13, 24),
    "pad": ([node("Pad", "x p c")], (2, 3), {"p": np.array([0, 1, 0, 0, 0, 2]), "c": np.array(0.5)}, 11, 24),
    "pad reflect": ([node("Pad", "x p", mode="reflect")], (2, 3), {"p": np.array([0, 0, 1, 0, 0, 2])}, 11, 24),
    "pad old": ([node("Pad", "x", pads=[0, 1, 0, 2], value=0.5)], (3,), {}, 7, 10),
    "slice old": ([node("Slice", "x", starts=[1], ends=[9], axes=[1])], (5,), {}, 7, 9),
    "slice": (
        [node("Slice", "x s e a t")],
        (5,), {"s": np.array([-1]), "e": np.array([-(2**62)]), "a": np.array([1]), "t": np.array([-2])}, 10, 24,
    ),
    "split old": ([node("Split", "x", "a b", axis=1, split=[2, 3]), node("Concat", "b a", axis=1)], (5,), {}, 7, 12),
    "split": (
        [node("Split", "x s", "a b", axis=1), node("Concat", "b a", axis=1)], (5,), {"s": np.array([2, 3])}, 13, 24,
    ),
    "split equal": ([node("Split", "x", "a b", axis=1), node("Mul", "a b")], (6,), {}, 7, 17),
    "split count": (
        [node("Split", "x", "a b", axis=1, num_outputs=2), node("Concat", "b a", axis=1)], (5,), {}, 18, 24,
    ),
    "unsqueeze old": ([node("Unsqueeze", "x", "a", axes=[1]), node("Squeeze", "a", axes=[1])], (5,), {}, 7, 12),
    "unsqueeze": ([node("Unsqueeze", "x i", "a"), node("Squeeze", "a i")], (5,), {"i": np.array([1])}, 13, 24),
    "expand": ([node("Expand", "x s")], (1, 3), {"s": np.array([1, 4, 1])}, 8, 24),
    "constant": (
        [node("Constant", "", "c", value=numpy_helper.from_array(B.astype("f"))), node("Add", "x c")], (3,), {}, 7, 24,
    ),
    "constant number": ([node("Constant", "", "c", value_float=0.3), node("Mul", "x c")], (3,), {}, 12, 24),
    "constants folded": ([node("Mul", "W s", "V"), node("Neg", "V", "U"), node("MatMul", "x U")],
                         (4,), {"W": W, "s": np.array(3.0)}, 7, 24),
    "symbolic shape": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n", axis=0),
            node("Unsqueeze", "n first", "n1"),
            node("Concat", "n1 rest", "shape", axis=0),
            node("Reshape", "x shape"),
        ],
        (2, 3), {"zero": np.array(0), "first": np.array([0]), "rest": np.array([-1])}, 13, 24,
    ),
    "flat size": (
        [
            node("Shape", "x", "s"),
            node("Slice", "s one many", "rest"),
            node("ReduceProd", "rest", "size", keepdims=1),
            node("Concat", "minus size", "shape", axis=0),
            node("Reshape", "x shape"),
        ],
        (2, 3), {"one": np.array([1]), "many": np.array([9]), "minus": np.array([-1])}, 11, 24,
    ),
    "class token": (
        [
            node("Shape", "x", "s"),
            node("Slice", "s zero one", "n"),
            node("Concat", "n tail", "shape", axis=0),
            node("Expand", "token shape", "t"),
            node("Concat", "t x", axis=1),
        ],
        (2, 3),
        {"zero": np.array([0]), "one": np.array([1]), "tail": np.array([1, 3]), "token": RNG.normal(size=(1, 1, 3))},
        11, 24,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operators(name: str) -> None:
    nodes, shape, constants, first, last = CASES[name]
    for opset in [o for o in OPSETS if first <= o <= last]:
        for batch in ("N", 1):
            agrees(model(nodes, [batch, *shape], opset, constants), shape)
    if not any(n.op_type in ("Cast", "Constant") for n in nodes):
        agrees(model(nodes, ["N", *shape], max(o for o in OPSETS if o <= last), constants, "float64"), shape, "float64")


STRUCTURES = {
    "conv": Convolution, "conv groups": BlockDiagonal, "matmul right": Kronecker, "mul vector": Diagonal,
    "gemm": Dense, "averagepool pad": Convolution, "batchnorm": Diagonal,
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), STRUCTURES.items())
def test_structure_is_kept(name: str, kind: type) -> None:
    nodes, shape, constants, _, last = CASES[name]
    f = read(model(nodes, ["N", *shape], min(last, 17), constants))
    assert any(isinstance(n.layer, Affine) and isinstance(n.layer.weight, kind) for n in f.nodes)
    assert not any(
        isinstance(n.layer, Affine) and isinstance(n.layer.weight, Dense) and kind is not Dense for n in f.nodes
    )


def test_pooling_is_a_maximum_and_silu_is_one_function() -> None:
    nodes, shape, constants, *_ = CASES["maxpool"]
    assert [type(n.layer) for n in read(model(nodes, ["N", *shape], 13, constants)).nodes] == [Maximum]
    nodes, shape, constants, *_ = CASES["silu"]
    assert [n.layer for n in read(model(nodes, ["N", *shape], 13, constants)).nodes] == [Elementwise("silu")]


def test_subtracting_0_disappears_and_a_bias_of_zeros_stays() -> None:
    f = read(model([node("Sub", "x z", "a"), node("Gemm", "a W z3")], ["N", 4], 13,
                   {"z": np.zeros(4), "W": W, "z3": np.zeros(3)}))  # fmt: skip
    assert len(f.nodes) == 1
    assert f.nodes[0].layer.bias is not None


def test_weights_may_be_listed_as_inputs() -> None:
    m = onnx.load_model_from_string(model([node("Gemm", "x W B")], ["N", 4], 7, {"W": W, "B": B}))
    m.graph.input.insert(0, helper.make_tensor_value_info("W", 1, [4, 3]))
    m.graph.input.append(helper.make_tensor_value_info("B", 1, [3]))
    m.ir_version = 3
    agrees(m.SerializeToString(), (4,))


def test_a_model_for_one_sample_may_drop_the_batch_axis() -> None:
    constants = {"s": np.array([-1]), "t": np.array([1, 2, 3]), "W": RNG.normal(size=(3, 4))}
    nodes = [node("Reshape", "x s", "a"), node("Reshape", "a t", "b"), node("MatMul", "b W")]
    agrees(model(nodes, [1, 6], 13, constants), (6,))
    with pytest.raises(UnsupportedError, match="batch axis"):
        read(model(nodes, ["N", 6], 13, constants))


def test_one_sample_may_be_laid_in_a_row() -> None:
    constants = {"s": np.array([1, -1])}
    nodes = [node("Reshape", "x s", "a"), node("Softmax", "a", axis=1)]
    agrees(model(nodes, [1, 2, 3], 13, constants), (2, 3))
    with pytest.raises(UnsupportedError, match="batch axis"):
        read(model(nodes, ["N", 2, 3], 13, constants))


def test_a_model_without_batch_axis() -> None:
    data = model(
        [node("MatMul", "W x", "a"), node("Add", "a b", "c"), node("Tanh", "c")], [3], 13, {"W": W, "b": W[:, 0]}
    )
    f, x = read(data), RNG.normal(size=3).astype("f")
    np.testing.assert_allclose(value(f, x), run(data, x)[0].ravel(), rtol=1e-5)


def test_samples_that_are_numbers() -> None:
    f = read(model([node("Exp", "x")], ["N"], 13))
    assert (f.input_size, f.input_shape) == (1, ())


def test_several_inputs_and_outputs_are_laid_side_by_side() -> None:
    m = onnx.load_model_from_string(
        model([node("Concat", "age x", "a", axis=1), node("Gemm", "a W", "p"), node("Exp", "age", "q")],
              ["N", 3], 13, {"W": W}, outputs=("p", "q"))
    )  # fmt: skip
    m.graph.input.insert(0, helper.make_tensor_value_info("age", 1, ["N", 1]))
    f = read(m.SerializeToString())
    assert f.input_names == ("age", "x_1", "x_2", "x_3")
    assert f.output_names == ("p_1", "p_2", "p_3", "q")
    x = RNG.normal(size=4)
    np.testing.assert_allclose(value(f, x), [*(x @ W.astype("f")), np.exp(x[0])], rtol=1e-6)


@pytest.mark.parametrize("kind", [onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16])
def test_half_weights_are_widened_exactly(kind: int) -> None:
    graph = helper.make_graph(
        [node("MatMul", "x W")], "g",
        [helper.make_tensor_value_info("x", kind, ["N", 2])], [helper.make_tensor_value_info("y", kind, None)],
        [helper.make_tensor("W", kind, [2, 1], [0.1, -3.0])],
    )  # fmt: skip
    f = read(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())
    assert f.dtype == np.float32
    expected = np.float32(np.float16(0.1)) if kind == onnx.TensorProto.FLOAT16 else 0.10009765625
    assert f.arrays[0].tolist() == [[expected, -3.0]]


HALVES = {onnx.TensorProto.FLOAT16: float(np.float16(0.1)), onnx.TensorProto.BFLOAT16: 0.10009765625}


@pytest.mark.parametrize(("kind", "expected"), HALVES.items())
def test_constants_are_rounded_by_a_cast(kind: int, expected: float) -> None:
    nodes = [node("Cast", "c", "h", to=kind), node("Cast", "h", "d", to=1), node("Mul", "x d")]
    f = read(model(nodes, ["N", 1], 13, {"c": np.array([0.1])}))
    assert f.arrays[0].tolist() == [[float(np.float32(expected))]]


@pytest.mark.parametrize("given", [*HALVES, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE])
def test_casts_of_what_depends_on_the_input_keep_its_precision(given: int) -> None:
    wide = {given, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE} - (
        {1} if given == onnx.TensorProto.DOUBLE else set()
    )
    for to in (*HALVES, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE):
        m = onnx.load_model_from_string(model([node("Cast", "x", to=to)], ["N", 2], 13))
        m.graph.input[0].type.tensor_type.elem_type = given
        if to in wide:
            assert read(m.SerializeToString()).input_size == 2
        else:
            with pytest.raises(UnsupportedError, match="of node 'the_cast_of_y': a cast to"):
                read(m.SerializeToString())


def test_a_part_that_nobody_wants() -> None:
    """An output left out still takes its share."""
    data = model([helper.make_node("Split", ["x"], ["y", ""], axis=1)], ["N", 6], 13)
    f, x = read(data), RNG.normal(size=(2, 6))
    np.testing.assert_array_equal(value(f, x), x[:, :3])


def test_output_shapes_are_remembered() -> None:
    f = read(model([node("Transpose", "x", perm=[0, 2, 1])], ["N", 2, 3], 13))
    assert (f.input_shape, f.output_shape) == ((2, 3), (3, 2))


def test_what_no_output_needs_is_not_read() -> None:
    nodes = [node("Tanh", "x"), node("NonZero", "x", "dead")]
    assert len(read(model(nodes, ["N", 2], 13)).nodes) == 1


def exported(name: str, opset: int) -> tuple[bytes, tuple[int, ...]]:
    """A module of PyTorch as its own exporter writes it, with a symbolic number of samples."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    torch.manual_seed(0)

    class Attention(nn.Module):  # type: ignore[misc,name-defined]
        """Two heads of self-attention with residual and norm."""

        def __init__(self) -> None:
            super().__init__()
            self.project, self.norm = nn.Linear(4, 12), nn.LayerNorm(4)

        def forward(self, x: Any) -> Any:
            parts = self.project(x).chunk(3, -1)
            q, k, v = (part.view(x.shape[0], 3, 2, 2).transpose(1, 2) for part in parts)
            weights = torch.softmax(q @ k.transpose(-1, -2) / 2**0.5, -1)
            return self.norm(x + (weights @ v).transpose(1, 2).reshape(x.shape[0], 3, 4))

    modules: dict[str, tuple[Any, tuple[int, ...]]] = {
        "dense": (nn.Sequential(nn.Linear(3, 5), nn.SiLU(), nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 2)), (3,)),
        "functions": (
            nn.Sequential(nn.Linear(3, 4), nn.Hardswish(), nn.Mish(), nn.LeakyReLU(0.2), nn.PReLU(), nn.Softplus(),
                          nn.ReLU6(), nn.Hardtanh(), nn.Softsign(), nn.Tanhshrink(), nn.LogSigmoid(), nn.Softmax(-1)),
            (3,),
        ),
        "norms": (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ELU(0.5), nn.LayerNorm(4), nn.Dropout(), nn.ELU()),
            (3,),
        ),
        "image": (
            nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Conv2d(4, 4, 3, groups=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)),
            (1, 8, 8),
        ),
        "attention": (Attention(), (3, 4)),
    }  # fmt: skip
    module, shape = modules[name]
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (torch.zeros(2, *shape),), file, input_names=["x"], output_names=["y"],
            dynamic_axes={"x": {0: "N"}}, opset_version=opset, dynamo=False,
        )  # fmt: skip
    return file.getvalue(), shape


@pytest.mark.parametrize("opset", [11, 14, 17, 20])
@pytest.mark.parametrize("name", ["dense", "functions", "norms", "image", "attention"])
def test_a_torch_export(name: str, opset: int) -> None:
    agrees(*exported(name, opset))
