"""The project's own file: exact round trips, and no damaged file is taken for a sound one."""

import json
import random
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import sympy
from hypothesis import given

import neuralgebra as na
import strategies
from neuralgebra.errors import LoadError, NeuralgebraError, ResourceError, UnsupportedError
from neuralgebra.files import limits, native
from neuralgebra.files.native_fields import LAYERS, LINEAR
from neuralgebra.functions import activation as activations
from neuralgebra.network.layers import Layer
from neuralgebra.network.linear import Linear

RNG = np.random.default_rng(0)
X = sympy.Symbol("x", real=True)


def subclasses(base: type) -> Iterator[str]:
    for kind in base.__subclasses__():
        if kind.__module__.startswith("neuralgebra.network."):  # others are on the way only
            yield kind.__name__
            yield from subclasses(kind)


def one(layer: Layer, *sizes: int) -> na.Network:
    return na.Network.from_layer(layer, *sizes)


def affine(weight: Linear) -> na.Network:
    return one(na.Affine(weight, RNG.normal(size=weight.rows)), weight.columns)


NETWORKS = {
    "identity": na.Network.identity(3, ["a", "a; system('b')", "\udcff\x1b ü"]),
    "dense": affine(na.Dense(RNG.normal(size=(2, 3)))),
    "dense float32": one(na.Affine(RNG.normal(size=(2, 3)).astype(np.float32)), 3),
    "mixed": one(na.Affine(np.ones((1, 2), np.float32), np.array([0.1])), 2),
    "diagonal": affine(na.Diagonal(np.array([1e-310, -0.0, 1e308]))),
    "kronecker": affine(na.Kronecker(RNG.normal(size=(2, 3)), 2, 4)),
    "blocks": affine(na.BlockDiagonal((na.Dense(np.ones((1, 2))), na.BlockDiagonal((na.Diagonal(np.ones(2)),))))),
    "convolution": affine(na.Convolution(RNG.normal(size=(2, 2)), np.array([[0, 1], [1, -1], [2, 0]]), 3)),
    "spread": affine(na.Spread(RNG.normal(size=(2, 3)))),
    "product": affine(na.Product((na.Dense(RNG.normal(size=(2, 3))), na.Diagonal(RNG.normal(size=3))))),
    "transposed": affine(na.Transposed(na.Dense(RNG.normal(size=(2, 3))))),
    "batched": affine(na.Batched(na.Transposed(na.Spread(RNG.normal(size=(2, 3)))), 2)),
    "one function": one(na.Elementwise("gelu"), 2),
    "blocks of functions": one(na.Elementwise((("tanh", 1), ("relu", 2))), 3),
    "parameters": one(na.Elementwise(na.activation("elu", alpha=0.1)), 2),
    "integers and fractions": one(na.Elementwise(na.activation("hardsigmoid", slope=Fraction(1, 3), offset=1)), 2),
    "per coordinate": one(na.Elementwise(na.activation("prelu", slope=[0.1, 1, Fraction(2, 7)])), 3),
    "multiply": one(na.Multiply(), 3, 3),
    "matrix product": one(na.Multiply((2, 1, 3, 2)), 6, 12),
    "maximum": one(na.Maximum([[0, 1], [2, 1]]), 3),
    "softmax": one(na.Softmax(2, True), 4),
    "power product": na.Network.from_layers([(np.ones((1, 2)), [0.5])], kind="multiplicative"),
    "mixing": one(na.Mixing("tanh", np.ones((2, 2)), np.zeros(2)), 2),
    "select": one(na.Select([2, 0, 0]), 3),
    "shared": na.stack(affine(na.Dense(np.eye(2))), na.Network.from_layers([(np.eye(2), None)])),
    "shapes": na.Network.from_layers(
        [(np.ones((6, 4)), None)], input_shape=(2, 2), output_shape=(1, 6), output_names=list("abcdef")
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_comes_back_equal(name: str) -> None:
    f = NETWORKS[name]
    data = native.write(f)
    g = native.read(data, "f")
    assert g == f
    assert g.dtype == f.dtype
    assert (g.input_names, g.output_names) == (f.input_names, f.output_names)
    assert (g.input_shape, g.output_shape) == (f.input_shape, f.output_shape)
    assert [a.tobytes() for a in g.arrays] == [a.tobytes() for a in f.arrays]
    assert native.write(g) == data


@given(strategies.networks())
def test_any_network_comes_back_equal(f: na.Network) -> None:
    data = native.write(f)
    assert native.read(data, "f") == f
    assert native.write(native.read(data, "f")) == data


def test_every_kind_of_layer_and_matrix_is_in_the_tables_and_tried() -> None:
    assert set(LAYERS) == {name for name in subclasses(Layer) if not name.startswith("_")}
    assert set(LINEAR) == set(subclasses(Linear))
    nodes = [node.layer for f in NETWORKS.values() for node in f.nodes]
    assert {type(layer).__name__ for layer in nodes} == set(LAYERS)
    assert {type(layer.weight).__name__ for layer in nodes if isinstance(layer, na.Affine)} == set(LINEAR)


def test_every_activation_comes_back_equal() -> None:
    for name in na.activations():
        f = na.Network.function(name)
        assert native.read(native.write(f), "f") == f


def test_shared_arrays_stay_shared_and_equal_ones_apart() -> None:
    weight = np.eye(3)
    weight.flags.writeable = False
    for second, count in ((weight, 1), (weight.copy(), 2)):
        f = na.Network.from_layers([(weight, None), (second, None)])
        g = native.read(native.write(f), "f")
        assert len(safetensors.numpy.load(native.write(f))) == len(g.arrays) == len(f.arrays) == count
        assert g.parameter_count == f.parameter_count


def test_the_file_is_a_safetensors_file() -> None:
    tensors = safetensors.numpy.load(native.write(NETWORKS["dense"]))
    assert sorted(map(np.shape, tensors.values())) == [(2,), (2, 3)]


def test_a_strange_layer_is_not_written() -> None:
    class Strange(na.Select):
        pass

    with pytest.raises(UnsupportedError, match="Strange"):
        native.write(one(Strange([1, 0]), 2))


def nested(depth: int) -> na.Network:
    weight: Linear = na.Dense(np.ones((1, 1)))
    for _ in range(depth):
        weight = na.BlockDiagonal((weight,))
    return affine(weight)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: na.Network.identity(1, ["a" * 2000]), ResourceError, "2000 received; at most 1024"),
        (lambda: na.Network.function(na.activation("power", p=2**60)), UnsupportedError, "activations.p: 11529"),
        (lambda: nested(40), ResourceError, "inside one another"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    make: Callable[[], na.Network], error: type[NeuralgebraError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        native.write(make())
    assert "damaged" not in str(caught.value)


def test_a_header_that_could_not_be_read_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADER_BYTES", 300)
    with pytest.raises(ResourceError, match="bytes of the header"):
        native.write(NETWORKS["dense"])


def test_a_function_that_was_replaced_is_still_written(own: Callable[[Any], None]) -> None:
    own(X * sympy.exp(-(X**2)))
    f = na.Network.function("own")
    own(X * sympy.exp(-2 * X**2))
    with pytest.raises(UnsupportedError, match="another function"):
        native.read(native.write(f), "f")


# Files made by hand -------------------------------------------------------------------------------------------------


def parts(f: na.Network) -> tuple[dict[str, Any], dict[str, Any], bytes]:
    """Header without metadata, description, and data of a file."""
    data = native.write(f)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header.pop("__metadata__")["neuralgebra"]), data[8 + length :]


def summed(document: dict[str, Any], header: dict[str, Any], data: bytes) -> dict[str, Any]:
    """The description with a checksum that fits, as far as the tensors can be read."""
    rest = {name: item for name, item in document.items() if name != "checksum"}
    head = json.dumps(header).encode()
    try:
        tensors = safetensors.numpy.load(struct.pack("<Q", len(head)) + head + data)
    except safetensors.SafetensorError:
        tensors = {}
    return {**rest, "checksum": native._checksum(rest, tensors)}


def packed(header: dict[str, Any], document: Any, data: bytes) -> bytes:
    text = document if isinstance(document, str) else json.dumps(summed(document, header, data))
    head = json.dumps({"__metadata__": {"neuralgebra": text}, **header}).encode()
    return struct.pack("<Q", len(head)) + head + data


def refused(data: bytes, error: type[NeuralgebraError] = LoadError) -> str:
    with pytest.raises(error) as caught:
        native.read(data, "f\x1b.safetensors")
    message = str(caught.value)
    assert type(caught.value) is error
    assert len(message.splitlines()) <= 3
    assert "\x1b" not in message
    assert message.startswith("f\\x1b.safetensors")
    return message


BASE = na.Network.from_layers([(np.ones((2, 3)), [1.0, 2.0]), (np.ones((1, 2)), None)], "elu")

Change = Callable[[dict[str, Any]], object]
CHANGES: list[tuple[Change, str]] = [
    (lambda d: d.pop("nodes"), "custom"),
    (lambda d: d.update(extra=1), "extra"),
    (lambda d: d.update(format="1"), "format"),
    (lambda d: d.update(format=True), "format"),
    (lambda d: d.update(format=None), "format"),
    (lambda d: d.update(nodes={}), "nodes"),
    (lambda d: d.update(nodes=[3]), "node 1"),
    (lambda d: d.update(custom=[]), "custom"),
    (lambda d: d.update(input_size=0), "input_size"),
    (lambda d: d.update(input_size=-3), "input_size"),
    (lambda d: d.update(input_size=3.0), "input_size"),
    (lambda d: d.update(input_size=4), "4"),
    (lambda d: d.update(input_size=True), "input_size"),
    (lambda d: d.update(output=4), "output"),
    (lambda d: d.update(output=-1), "output"),
    (lambda d: d.update(input_names=["a"]), "3 expected"),
    (lambda d: d.update(input_names=["a", "a", "b"]), "more than once"),
    (lambda d: d.update(input_names=["a", 1, "b"]), "input_names"),
    (lambda d: d.update(input_names="abc"), "input_names"),
    (lambda d: d.update(input_shape=[-1, -3]), "input_shape"),
    (lambda d: d.update(input_shape=[2, 3]), "shape"),
    (lambda d: d["nodes"][0].update(layer="Nothing"), "Nothing"),
    (lambda d: d["nodes"][0].update(layer=["Affine"]), "layer"),
    (lambda d: d["nodes"][0].update(layer="Select"), "indices"),
    (lambda d: d["nodes"][0].update(inputs=[]), "inputs"),
    (lambda d: d["nodes"][0].update(inputs=[1]), "places below 1"),
    (lambda d: d["nodes"][0].update(inputs=[-1]), "inputs"),
    (lambda d: d["nodes"][0].update(inputs=[0, 0]), "1 of them"),
    (lambda d: d["nodes"][0].update(inputs=0), "inputs"),
    (lambda d: d["nodes"][0].pop("inputs"), "inputs"),
    (lambda d: d["nodes"][0].pop("bias"), "bias"),
    (lambda d: d["nodes"][0].update(bias=None), "no layer uses"),
    (lambda d: d["nodes"][0].update(bias="nothing"), "nothing"),
    (lambda d: d["nodes"][0].update(bias="1.weight.weight"), "bias of shape"),
    (lambda d: d["nodes"][0].update(weight="1.weight.weight"), "linear"),
    (lambda d: d["nodes"][0]["weight"].update(linear="Full"), "Full"),
    (lambda d: d["nodes"][0]["weight"].update(weight="1.bias"), "(out, in)"),
    (lambda d: d["nodes"][0]["weight"].update(linear="Kronecker", before=0, after=1), "positive"),
    (lambda d: d["nodes"][0]["weight"].update(linear="Kronecker", before=2, after=1), "a bias of shape"),
    (
        lambda d: d["nodes"][0].update(weight={"linear": "Batched", "inner": d["nodes"][0]["weight"], "copies": 0}),
        "positive",
    ),
    (
        lambda d: d["nodes"][0].update(weight={"linear": "Batched", "inner": d["nodes"][0]["weight"], "copies": 2}),
        "a bias of",
    ),
    (lambda d: d["nodes"][0].update(weight={"linear": "Product", "factors": []}), "at least one"),
    (
        lambda d: d["nodes"][0].update(weight={"linear": "Product", "factors": [d["nodes"][0]["weight"]] * 2}),
        "rows of the second",
    ),
    (lambda d: d["nodes"][0].update(weight={"linear": "Transposed", "inner": "1.weight.weight"}), "linear"),
    (lambda d: d["nodes"][1].update(activations=[]), "activations"),
    (lambda d: d["nodes"][1].update(activations="elu"), "activations"),
    (lambda d: d["nodes"][1]["activations"].append(d["nodes"][1]["activations"][0]), "coordinates"),
    (lambda d: d["nodes"][1]["activations"][0].append(1), "activations"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(activation=3), "activation"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={}), "alpha"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={"alpha": 1, "name": 2}), "alpha"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={"alpha": "1"}), "a number"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={"alpha": "1/0"}), "a number"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={"alpha": 10**400}), "a number"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={"alpha": True}), "a number"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={"alpha": []}), "at least one"),
    (lambda d: d["nodes"][1]["activations"][0][0].update(parameters={"alpha": [1.0]}), "2 coordinates"),
    (lambda d: d["nodes"].append({"layer": "Softmax", "inputs": [3], "group": 0, "log": False}), "positive"),
    (lambda d: d["nodes"].append({"layer": "Softmax", "inputs": [3], "group": None, "log": 0}), "true or false"),
    (lambda d: d["nodes"].append({"layer": "Multiply", "inputs": [3], "shape": None}), "2 of them"),
    (lambda d: d["nodes"].append({"layer": "Multiply", "inputs": [3, 3], "shape": [1, 1]}), "four numbers"),
    (lambda d: d["nodes"].append({"layer": "Select", "inputs": [3], "indices": "1.bias"}), "integers"),
]


@pytest.mark.parametrize(("change", "word"), CHANGES)
def test_a_description_that_does_not_fit_is_refused(change: Change, word: str) -> None:
    header, document, data = parts(BASE)
    assert native.read(packed(header, document, data), "f") == BASE
    change(document)
    assert word in refused(packed(header, document, data))


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "null", '{"format": 1, "format": 1}', '{"format": NaN}', '{"format": 1e999}'),
        *("[" * 100_000, '{"format": ' + "9" * 5000 + "}"),
    ],
)
def test_a_description_that_is_no_json_object_is_refused(text: str) -> None:
    header, _, data = parts(BASE)
    refused(packed(header, text, data))


def test_limits_are_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    header, document, data = parts(BASE)
    large = {**document, "input_size": 1 << 40, "output": 0, "nodes": []}
    assert "coordinates" in refused(packed(header, large, data), ResourceError)
    doubled = [{"layer": "Concatenate", "inputs": [i, i]} for i in range(60)]
    assert "coordinates" in refused(packed({}, {**document, "nodes": doubled}, b""), ResourceError)
    nested: dict[str, Any] = {"linear": "Dense", "weight": "1.weight.weight"}
    for _ in range(40):
        nested = {"linear": "BlockDiagonal", "blocks": [nested]}
    deep = {"layer": "Affine", "inputs": [0], "weight": nested, "bias": None}
    assert "inside one another" in refused(packed(header, {**document, "nodes": [deep]}, data), ResourceError)
    monkeypatch.setattr(limits, "COORDINATES", 5)
    hidden = na.Product((na.Dense(np.ones((1, 6))), na.Dense(np.ones((6, 2)))))
    with pytest.raises(ResourceError, match="6 received; at most 5"):
        native.write(affine(hidden))
    monkeypatch.setattr(limits, "NODES", 2)
    assert "layers" in refused(packed(header, document, data), ResourceError)
    monkeypatch.setattr(limits, "HEADER_BYTES", 100)
    assert "header" in refused(packed(header, document, data), ResourceError)


def test_numbers_that_are_not_finite_are_refused() -> None:
    header, document, data = parts(BASE)
    for bad in (np.nan, np.inf):
        changed = np.frombuffer(data, np.float64).copy()
        changed[3] = bad
        assert "finite" in refused(packed(header, document, changed.tobytes()))


def test_a_file_without_architecture_lists_its_tensors() -> None:
    message = refused(safetensors.numpy.save({"fc1.weight": np.ones((2, 2), np.float16)}), UnsupportedError)
    assert "fc1.weight" in message
    assert "na.from_torch" in message


def test_no_flipped_bit_is_taken_for_a_weight_or_a_name() -> None:
    data = native.write(NETWORKS["shapes"])
    for position in range(8, len(data)):
        flipped = bytearray(data)
        flipped[position] ^= 1 << position % 8
        try:
            found = native.read(bytes(flipped), "f")
        except (LoadError, UnsupportedError):
            continue
        assert found == NETWORKS["shapes"]  # a blank that became another


def test_depth_is_refused() -> None:
    header, document, data = parts(BASE)
    before, after = json.dumps({**document, "output": 0}).split('"output": 0')
    for depth in range(500, 1000):
        refused(packed(header, before + '"output": ' + "[" * depth + "]" * depth + after, data))


def test_a_newer_format_asks_for_a_newer_version() -> None:
    header, document, data = parts(BASE)
    assert "newer version" in refused(packed(header, {**document, "format": 2}, data), UnsupportedError)


def test_damaged_headers_are_refused() -> None:
    header, document, data = parts(BASE)
    whole = packed(header, document, data)
    refused(struct.pack("<Q", 1 << 63) + whole[8:])
    refused(struct.pack("<Q", len(whole)) + whole[8:])
    refused(struct.pack("<Q", 100_000) + b"[" * 100_000)
    refused(whole + b"PK\x03\x04")
    refused(whole[:-1])
    refused(packed({**header, "extra": {"dtype": "F64", "shape": [0], "data_offsets": [0, 0]}}, document, data))
    shifted = {name: {**t, "data_offsets": [o + 8 for o in t["data_offsets"]]} for name, t in header.items()}
    refused(packed(shifted, document, b"\0" * 8 + data))
    wrong = {name: {**t, "shape": [1 << 40, 1 << 40]} for name, t in header.items()}
    refused(packed(wrong, document, data))
    half = {
        name: {**t, "dtype": "F16", "shape": [4 * n for n in t["shape"][:1]] + t["shape"][1:]}
        for name, t in header.items()
    }
    assert "F16" in refused(packed(half, document, data))
    head = packed(header, document, data)[8:].replace(b'"1.bias":', b'"1.bias":1,"1.bias":', 1)
    assert "twice" in refused(struct.pack("<Q", head.index(b"}}", head.index(b'"3.w')) + 2) + head)


# Functions of the user ----------------------------------------------------------------------------------------------


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    rows = dict(na.activations())
    monkeypatch.setattr(activations, "_ROWS", rows)

    def define(expression: Any) -> None:
        rows.pop("own", None)
        if expression is not None:
            na.register("own", expression, X)

    return define


def test_a_function_of_the_user_must_be_registered(own: Callable[[Any], None]) -> None:
    own(X * sympy.exp(-(X**2)))
    f = na.Network.function("own", 2)
    data = native.write(f)
    assert native.read(data, "f") == f
    own(None)
    message = refused(data, UnsupportedError)
    assert "'own'" in message
    assert "na.register" in message


def test_another_function_of_the_same_name_is_noticed(own: Callable[[Any], None]) -> None:
    own(X * sympy.exp(-(X**2)))
    data = native.write(one(na.Mixing("tanh", [[1.0]]), 1) @ na.Network.function("own"))
    own(X * sympy.exp(-2 * X**2))
    assert "another function" in refused(data, UnsupportedError)


# Mutations ----------------------------------------------------------------------------------------------------------

WORDS = [
    b"0",
    b"-1",
    b"1e999",
    b"NaN",
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"true",
    b"9" * 40,
    b"1.5",
    b'\\"',
    b"F32",
    b"I64",
]


def mutated(data: bytes, random_source: random.Random) -> bytes:
    """The file with some bytes changed, moved, repeated or replaced by words of its own language."""
    changed = bytearray(data)
    for _ in range(random_source.randint(1, 3)):
        i = random_source.randrange(len(changed))
        j = min(len(changed), i + random_source.randint(1, 8))
        match random_source.randrange(5):
            case 0:
                changed[i] ^= 1 << random_source.randrange(8)
            case 1:
                changed[i:j] = random_source.choice(WORDS)
            case 2:
                del changed[i:j]
            case 3:
                changed[i:i] = changed[i:j]
            case 4:
                changed[i] = random_source.randrange(256)
        changed = changed or bytearray(b"\0")
    if random_source.random() < 0.5:  # a header of the right length, so that its content is looked at
        end = changed.rfind(b"}}") + 2
        changed[:8] = struct.pack("<Q", end - 8 if end > 8 else 0)
    return bytes(changed)


@pytest.mark.parametrize(
    "name", ["blocks of functions", "convolution", "per coordinate", "mixing", "matrix product", "shapes"]
)
def test_no_mutation_raises_another_error(name: str) -> None:
    random_source = random.Random(name)
    data = native.write(NETWORKS[name])
    refusals = 0
    for _ in range(1000):
        try:
            native.read(mutated(data, random_source), "f")
        except (LoadError, UnsupportedError, ResourceError):
            refusals += 1
    assert refusals > 500
