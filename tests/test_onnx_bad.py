"""ONNX files that are damaged, hostile or beyond what can be read: a clear refusal each time, and nothing else."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from neuralgebra.errors import LoadError, NeuralgebraError, ResourceError, ShapeError, UnsupportedError
from neuralgebra.files import limits, onnx_values
from neuralgebra.files.onnx_read import read
from neuralgebra.files.onnx_write import write
from neuralgebra.network.network import Network
from onnx_oracles import model, node

W = np.arange(12.0).reshape(4, 3)
ALLOWED = (LoadError, UnsupportedError, ShapeError, ResourceError)


def refused(data: bytes, kind: type[NeuralgebraError], *words: str) -> None:
    """Check the kind of refusal, its words and its length."""
    with pytest.raises(kind) as caught:
        read(data, "net.onnx")
    text = str(caught.value)
    assert type(caught.value) is kind
    assert all(word in text for word in words), text
    assert text.count("\n") <= 2
    assert text.isprintable() or text.replace("\n", "").isprintable()


def ours() -> bytes:
    return write(Network.from_layers([(W.T, np.ones(3)), (np.ones((1, 3)), None)], "tanh"), "float32")


def theirs() -> bytes:
    nodes = [node("MatMul", "x W", "a"), node("Add", "a b", "c"), node("Relu", "c", "d"), node("Reshape", "d s")]
    return model(nodes, ["N", 4], 13, {"W": W, "b": np.ones(3), "s": np.array([-1, 3])})


def changed(change: Callable[[Any], None], data: bytes | None = None) -> bytes:
    m = onnx.load_model_from_string(data or theirs())
    change(m)
    return bytes(m.SerializeToString())


# No model at all --------------------------------------------------------------------------------------------------


def test_empty() -> None:
    refused(b"", LoadError, "net.onnx", "empty")


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"<!DOCTYPE html><html><body>404</body></html>", "no ONNX model"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "no ONNX model"),
        (b"\x00", "no ONNX model"),
        (b"\x93NUMPY\x01\x00", "no ONNX model"),
        (b"PK\x03\x04" + b"\x00" * 50, "no ONNX model"),
        (onnx.ModelProto(ir_version=8).SerializeToString(), "no ONNX model"),
    ],
)
def test_other_files(data: bytes, word: str) -> None:
    refused(data, LoadError, word)


@pytest.mark.parametrize("data", [ours(), theirs()], ids=["ours", "theirs"])
def test_truncated_anywhere(data: bytes) -> None:
    for end in range(0, len(data), 7):
        with pytest.raises(ALLOWED):
            read(data[:end])


def test_random_bytes() -> None:
    rng = np.random.default_rng(0)
    for size in rng.integers(1, 400, 300):
        with pytest.raises(ALLOWED):
            read(rng.bytes(int(size)))


@pytest.mark.parametrize("data", [ours(), theirs()], ids=["ours", "theirs"])
def test_flipped_bytes_give_a_network_or_a_refusal(data: bytes) -> None:
    rng = np.random.default_rng(1)
    refusals = 0
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(rng.integers(1, 4)):
            damaged[rng.integers(len(data))] = rng.integers(256)
        try:
            read(bytes(damaged))
        except ALLOWED:
            refusals += 1
    assert refusals > 200


# Other files are never opened ---------------------------------------------------------------------------------------


def outside(tensor: Any, location: str) -> None:
    tensor.data_location = TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    for key, value in (("location", location), ("offset", "0"), ("length", "48")):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value


def in_initializer(m: Any, location: str) -> None:
    outside(m.graph.initializer[0], location)


def in_constant(m: Any, location: str) -> None:
    tensor = numpy_helper.from_array(W.astype("f"), "W")
    outside(tensor, location)
    del m.graph.initializer[0]
    m.graph.node.insert(0, helper.make_node("Constant", [], ["W"], value=tensor))


def in_sparse(m: Any, location: str) -> None:
    sparse = m.graph.sparse_initializer.add()
    sparse.values.CopyFrom(numpy_helper.from_array(np.ones(1, "f"), "s"))
    sparse.dims.append(3)
    outside(sparse.values, location)


def _branch(tensor: Any, nodes: list[Any]) -> Any:
    output = [helper.make_tensor_value_info("o", 1, [1])]
    return helper.make_graph(nodes, "branch", [], output, [tensor])


def in_branch(m: Any, location: str) -> None:
    tensor = numpy_helper.from_array(np.ones(1, "f"), "o")
    outside(tensor, location)
    m.graph.node.append(helper.make_node("If", ["d"], ["e"], then_branch=_branch(tensor, [])))


def in_branch_with_nodes(m: Any, location: str) -> None:
    tensor = numpy_helper.from_array(np.ones(1, "f"), "p")
    outside(tensor, location)
    graph = _branch(tensor, [helper.make_node("Identity", ["p"], ["o"])])
    m.graph.node.append(helper.make_node("If", ["d"], ["e"], then_branch=graph))


def in_function(m: Any, location: str) -> None:
    tensor = numpy_helper.from_array(np.ones(1, "f"), "o")
    outside(tensor, location)
    inner = helper.make_node("Constant", [], ["o"], value=tensor)
    m.functions.append(helper.make_function("own", "F", [], ["o"], [inner], [helper.make_opsetid("", 13)]))


PLACES = [in_initializer, in_constant, in_sparse, in_branch, in_branch_with_nodes, in_function]


@pytest.mark.parametrize("location", ["weights.bin", "/etc/passwd", "../secret", "", "\\\\host\\share", "NUL"])
@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_refused(
    place: Callable[[Any, str], None], location: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.bin").write_bytes(W.astype("f").tobytes())
    monkeypatch.chdir(tmp_path)
    opened: list[Any] = []
    watching = [True]
    sys.addaudithook(lambda event, args: opened.append(args) if watching[0] and event == "open" else None)
    refused(changed(lambda m: place(m, location)), LoadError, "another file", "never opened")
    watching[0] = False
    assert not [args for args in opened if "weights" in str(args) or "passwd" in str(args)]


def test_external_keys_without_the_flag_are_refused() -> None:
    def change(m: Any) -> None:
        m.graph.initializer[0].external_data.add().key = "__class__"

    refused(changed(change), LoadError, "another file")


# Damaged models -----------------------------------------------------------------------------------------------------


def test_cycle() -> None:
    nodes = [node("Add", "x b", "a"), node("Tanh", "a", "b"), node("Identity", "a")]
    refused(model(nodes, ["N", 2], 13), LoadError, "the_add", "'b'", "without cycles")


def test_undefined_input_and_output() -> None:
    refused(model([node("Add", "x nothing")], ["N", 2], 13), LoadError, "the_add", "'nothing'")
    refused(model([node("Tanh", "x", "z")], ["N", 2], 13), LoadError, "'y'")


def test_a_name_given_twice() -> None:
    refused(model([node("Tanh", "x"), node("Exp", "x")], ["N", 2], 13), LoadError, "'y'", "second time")
    refused(model([node("Tanh", "x", "x"), node("Exp", "x")], ["N", 2], 13), LoadError, "'x'", "second time")


@pytest.mark.parametrize(
    "change",
    [
        lambda t: setattr(t, "raw_data", t.raw_data[:-1]),
        lambda t: setattr(t, "raw_data", t.raw_data + b"\0\0\0\0"),
        lambda t: t.ClearField("raw_data"),
        lambda t: t.dims.__setitem__(0, 2**40),
        lambda t: t.dims.__setitem__(0, -4),
        lambda t: t.dims.extend([2**31, 2**31]),
        lambda t: setattr(t, "data_type", TensorProto.DOUBLE),
    ],
)
def test_weights_that_do_not_fill_their_shape(change: Callable[[Any], None]) -> None:
    refused(changed(lambda m: change(m.graph.initializer[0])), LoadError, "'W'")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_no_numbers(bad: float) -> None:
    data = model([node("MatMul", "x W")], ["N", 4], 13, {"W": np.where(W == 5, bad, W)})
    refused(data, LoadError, "the_matmul", "NaN or infinity")


WRONG: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "inner lengths": ([node("MatMul", "x W")], {"W": np.ones((5, 2))}),
    "gemm axes": ([node("Gemm", "x W")], {"W": np.ones(4)}),
    "bias": ([node("Gemm", "x W b")], {"W": W, "b": np.ones(4)}),
    "broadcast": ([node("Add", "x b")], {"b": np.ones(3)}),
    "axis": ([node("Softmax", "x", axis=7)], {}),
    "reshape": ([node("Reshape", "x s")], {"s": np.array([-1, 5])}),
    "gather": ([node("Gather", "x i", axis=1)], {"i": np.array([9])}),
    "perm": ([node("Transpose", "x", perm=[0, 0])], {}),
    "split": ([node("Split", "x s", "y z", axis=1)], {"s": np.array([1, 1])}),
    "few inputs": ([node("MatMul", "x")], {}),
    "no inputs": ([node("Relu", "")], {}),
    "divisor": ([node("Div", "x c")], {"c": np.zeros(4)}),
    "variance": ([node("BatchNormalization", "x c c c v")], {"c": np.ones(4), "v": -np.ones(4)}),
    "attribute": ([node("LeakyRelu", "x", alpha="text")], {}),
    "alpha": ([node("Gelu", "x", approximate="other")], {}),
    "constants": ([node("Add", "a b", "c"), node("Add", "x c")], {"a": np.ones(2), "b": np.ones(3)}),
}


@pytest.mark.parametrize("name", WRONG)
def test_operators_used_wrongly(name: str) -> None:
    nodes, constants = WRONG[name]
    with pytest.raises((LoadError, UnsupportedError)) as caught:
        read(model(nodes, ["N", 4], 20, constants), "net.onnx")
    assert f"operator {nodes[0].op_type} of node '{nodes[0].name}'" in str(caught.value)
    assert str(caught.value).count("\n") <= 2


# What the operator set does not have ----------------------------------------------------------------------------------

LEARNED = {"W": W, "k": np.ones((1, 1, 3)), "c": np.ones(4), "a": np.array([1]), "p": np.array([0, 1, 0, 0])}
# name: (node, opset, shape of a sample, words of the refusal)
FOREIGN: dict[str, tuple[Any, int, list[int], tuple[str, ...]]] = {
    "misspelt": (node("Conv", "x k", pad=[1, 1]), 17, [1, 5], ("'pad'", "pads")),
    "of torch": (node("LeakyRelu", "x", slope=0.3), 17, [4], ("'slope'", "alpha")),
    "typed": (node("Gemm", "x W", alpha=1), 17, [4], ("alpha", "INT", "FLOAT")),
    "list": (node("Softmax", "x", axis=[1]), 17, [4], ("axis", "INTS", "INT")),
    "missing": (node("Concat", "x x"), 17, [4], ("axis",)),
    "not yet": (node("Split", "x", "y z", axis=1, num_outputs=2), 13, [4], ("'num_outputs'",)),
    "no more": (node("Squeeze", "x", axes=[1]), 17, [1, 4], ("'axes'",)),
    "more inputs": (node("Relu", "x x"), 17, [4], ("2 inputs", "1")),
    "fewer inputs": (node("Add", "x"), 17, [4], ("1 inputs", "2")),
    "a hole": (node("Add", "- x"), 17, [4], ("input 1",)),
    "a hole in a list": (node("Concat", "x - x", axis=1), 17, [4], ("input 2",)),
    "more outputs": (node("Relu", "x", "y z"), 17, [4], ("2 outputs", "1")),
    "axes twice": (node("ReduceSum", "x a", axes=[1]), 13, [4], ("'axes'",)),
    "padding": (node("Pad", "x p", mode="banana"), 17, [4], ("banana",)),
    "wrapping": (node("Pad", "x p", mode="wrap"), 18, [4], ("wrap",)),
    "auto_pad": (node("Conv", "x k", auto_pad="banana"), 17, [1, 5], ("banana",)),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_nodes_that_the_operator_set_does_not_have(name: str) -> None:
    given, opset, shape, words = FOREIGN[name]
    data = model([given], ["N", *shape], opset, LEARNED)
    refused(data, LoadError, "net.onnx", f"operator {given.op_type} of node '{given.name}'", *words)


def test_an_attribute_given_twice() -> None:
    twice = node("LeakyRelu", "x", alpha=0.3)
    twice.attribute.append(helper.make_attribute("alpha", 0.4))
    refused(model([twice], ["N", 4], 17), LoadError, "the_leakyrelu_of_y", "alpha", "twice")


@pytest.mark.parametrize(("op", "opset"), [("Gelu", 13), ("Mish", 17), ("HardSwish", 13), ("Swish", 23)])
def test_operators_of_later_sets(op: str, opset: int) -> None:
    refused(model([node(op, "x")], ["N", 4], opset), UnsupportedError, f"operator {op} of node", str(opset))


def test_an_operator_set_without_version() -> None:
    scaler = helper.make_node("Scaler", ["x"], ["y"], name="s", domain="ai.onnx.ml", offset=[0.0], scale=[2.0])
    refused(model([scaler], ["N", 4], 17), LoadError, "operator Scaler of node 's'", "ai.onnx.ml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.graph.input.append(m.graph.input[0]), ("'x'", "twice")),
        (lambda m: m.graph.initializer.append(m.graph.initializer[0]), ("'W'", "twice")),
        (lambda m: m.opset_import.append(helper.make_opsetid("ai.onnx", 17)), ("twice",)),
    ],
)
def test_what_stands_there_twice(change: Callable[[Any], Any], words: tuple[str, ...]) -> None:
    refused(changed(change), LoadError, "net.onnx", *words)


@pytest.mark.parametrize(
    ("opset", "outputs", "attributes"),
    [(13, "y z", {}), (18, "y z", {}), (18, "y z", {"num_outputs": 3})],
    ids=["uneven", "neither", "other count"],
)
def test_parts_that_do_not_fit(opset: int, outputs: str, attributes: dict[str, Any]) -> None:
    data = model([node("Split", "x", outputs, axis=1, **attributes)], ["N", 5], opset)
    refused(data, LoadError, "the_split_of_y", "parts")


def test_more_lengths_than_parts() -> None:
    data = model([node("Split", "x s", "y z", axis=1)], ["N", 6], 17, {"s": np.array([2, 2, 2])})
    refused(data, LoadError, "the_split_of_y", "3 parts", "2")


# Valid, but not ours ------------------------------------------------------------------------------------------------

BEYOND: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "unknown": ([node("NonZero", "x")], {}),
    "recurrent": ([node("LSTM", "x W W")], {"W": np.ones((1, 4, 4))}),
    "domain": ([helper.make_node("Gelu", ["x"], ["y"], name="the_gelu_of_y", domain="com.microsoft")], {}),
    "training": ([node("Dropout", "x r t")], {"r": np.array(0.5), "t": np.array(True)}),
    "mask": ([node("Dropout", "x", "z y")], {}),
    "batch softmax": ([node("Softmax", "x", axis=0)], {}),
    "batch transpose": ([node("Transpose", "x")], {}),
    "batch concat": ([node("Concat", "x x", axis=0)], {}),
    "batch gather": ([node("Gather", "x i", axis=0)], {"i": np.array([0])}),
    "batch slice": ([node("Slice", "x i j k")], {"i": np.array([0]), "j": np.array([1]), "k": np.array([0])}),
    "batch reduce": ([node("ReduceSum", "x")], {}),
    "batch reshape": ([node("Reshape", "x s")], {"s": np.array([-1, 2])}),
    "batch flatten": ([node("Flatten", "x", axis=0)], {}),
    "batch bias": ([node("Add", "x c")], {"c": np.ones((3, 4))}),
    "batch matmul": ([node("MatMul", "W x")], {"W": np.ones((2, 4))}),
    "batch gemm": ([node("Gemm", "x W", transA=1)], {"W": W}),
    "batch unsqueeze": ([node("Unsqueeze", "x a")], {"a": np.array([0])}),
    "batch squeeze": ([node("Squeeze", "x a")], {"a": np.array([0])}),
    "jump": ([node("ThresholdedRelu", "x", alpha=1.0)], {}),
    "hard shrink": ([node("Shrink", "x", lambd=0.5)], {}),
    "rounding": ([node("Cast", "x", to=TensorProto.INT64)], {}),
    "narrower": ([node("Cast", "x", to=TensorProto.FLOAT16)], {}),
    "narrower still": ([node("Cast", "x", to=TensorProto.BFLOAT16)], {}),
    "samples in a row": ([node("Reshape", "x s", "r"), node("Softmax", "r", axis=1)], {"s": np.array([1, -1])}),
    "bounds": ([node("Clip", "x a b")], {"a": np.array(1.0), "b": np.array(-1.0)}),
    "integers": ([node("Mul", "x i")], {"i": np.array([2])}),
}


@pytest.mark.parametrize("name", BEYOND)
def test_what_is_not_covered_names_operator_and_node(name: str) -> None:
    nodes, constants = BEYOND[name]
    domain = "com.microsoft:" if nodes[0].domain else ""
    data = model(nodes, ["N", 4], 20, constants)
    refused(data, UnsupportedError, f"operator {domain}{nodes[0].op_type} of node '{nodes[0].name}'")


@pytest.mark.parametrize(
    ("change", "kind", "word"),
    [
        (lambda m: setattr(m.opset_import[0], "version", 999), UnsupportedError, "999"),
        (lambda m: setattr(m.opset_import[0], "version", 6), UnsupportedError, "operator set 6"),
        (lambda m: m.ClearField("opset_import"), LoadError, "no version"),
        (lambda m: setattr(m.opset_import[0], "domain", "other"), LoadError, "no version"),
        (lambda m: m.graph.ClearField("output"), LoadError, "no output"),
        (lambda m: m.graph.ClearField("input"), UnsupportedError, "no inputs"),
        (lambda m: setattr(m.graph.input[0].type.tensor_type, "elem_type", 7), UnsupportedError, "data type 7"),
        (lambda m: m.graph.input[0].type.tensor_type.ClearField("shape"), UnsupportedError, "without axes"),
        (lambda m: m.graph.input[0].type.tensor_type.shape.dim[1].Clear(), UnsupportedError, "fixed length"),
        (lambda m: m.graph.input[0].type.sequence_type.SetInParent(), UnsupportedError, "no tensor"),
        (lambda m: setattr(m.graph.output[0], "name", "W"), UnsupportedError, "does not depend"),
        (lambda m: setattr(m.graph.initializer[0], "data_type", TensorProto.STRING), UnsupportedError, "STRING"),
    ],
)
def test_models_of_another_kind(change: Callable[[Any], Any], kind: type[NeuralgebraError], word: str) -> None:
    refused(changed(change), kind, word)


# Bombs ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [2**62, 10**9])
def test_lengths_beyond_memory(length: int) -> None:
    def change(m: Any) -> None:
        m.graph.input[0].type.tensor_type.shape.dim[1].dim_value = length

    refused(changed(change), ResourceError, "net.onnx")


BOMBS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "expand": ([node("Expand", "x s")], {"s": np.array([1, 10**6, 10**6, 4])}),
    "fill": ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": np.array([10**6, 10**6])}),
    "range": ([node("Range", "a b c", "d"), node("Gather", "x d", axis=1)],
              {"a": np.array(0), "b": np.array(10**12), "c": np.array(1)}),
    "pad": ([node("Pad", "x p")], {"p": np.array([0, 10**12, 0, 0])}),
    "outer": ([node("Add", "u v", "w"), node("Add", "x w")], {"u": np.ones((1, 20_000)), "v": np.ones((20_000, 1))}),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_operators_beyond_memory(name: str) -> None:
    nodes, constants = BOMBS[name]
    with pytest.raises(ALLOWED):
        read(model(nodes, ["N", 4], 13, constants))


def test_growth_beyond_memory() -> None:
    chain = []
    for i, name in enumerate(["a", "b", "c", "y"]):
        before = ["x", "a", "b", "c"][i]
        chain += [node("Reshape", f"{before} s", f"{before}_column"), node("MatMul", f"{before}_column W", name)]
    constants = {"W": np.ones((1, 1000)), "s": np.array([0, -1, 1])}
    refused(model(chain, ["N", 1], 13, constants), ResourceError, "the_matmul_of_c", "1000000000")


def test_growth_in_small_steps() -> None:
    """Each array is within the limits; all of them are not."""
    nodes = [node("Expand", f"x s{i}", f"e{i}") for i in range(16)]
    nodes += [node("Reshape", f"e{i} t{i}", f"r{i}") for i in range(16)]
    nodes += [node("ReduceMax", f"r{i} a", f"m{i}") for i in range(16)]
    nodes += [node("Concat", " ".join(f"m{i}" for i in range(16)), axis=1)]
    constants = {f"s{i}": np.array([1, 9_000_000 + i, 1]) for i in range(16)}
    constants |= {f"t{i}": np.array([0, 9_000_000 + i]) for i in range(16)} | {"a": np.array([1])}
    refused(model(nodes, ["N", 1, 1], 18, constants), ResourceError, "the_expand", "TOTAL")


def test_the_total_grows_with_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_values, "TOTAL", 0)
    assert read(theirs()).output_size == 3
    data = model([node("Expand", "x s")], ["N", 1, 1], 13, {"s": np.array([1, 10_000, 1])})
    refused(data, ResourceError, "the_expand", "TOTAL")


def test_constants_that_are_not_used_any_more_are_dropped() -> None:
    nodes = [node("Neg", "c", "c0"), *(node("Neg", f"c{i}", f"c{i + 1}") for i in range(200)), node("Add", "x c200")]
    data = model(nodes, ["N", 100_000], 13, {"c": np.ones(100_000)})
    tracemalloc.start()
    read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 * 400_000 / 2


def test_pooling_beyond_memory() -> None:
    data = model([node("MaxPool", "x", kernel_shape=[1], pads=[2**30, 0])], ["N", 1, 4], 13)
    with pytest.raises(ALLOWED):
        read(data)


def test_too_many_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "NODES", 3)
    refused(theirs(), ResourceError, "nodes", "4")


def test_text_from_the_file_is_escaped() -> None:
    nodes = [helper.make_node("Evil\x1b[31m\n" + "z" * 500, ["x"], ["y"], name="<script>\n\u202e")]
    refused(model(nodes, ["N", 2], 13), UnsupportedError, r"\x1b[31m\n", r"\u202e")


def test_text_that_is_not_utf8() -> None:
    refused(theirs().replace(b"the_add", b"the\xff\xfedd"), LoadError, "UTF-8")
