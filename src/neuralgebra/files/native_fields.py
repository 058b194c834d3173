"""The fields of the project's own file: tables of layers and of matrices, and a decoder for each kind of field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.calculus.derivatives import value
from neuralgebra.errors import InputError, LoadError, NeuralgebraError, UnsupportedError, shown
from neuralgebra.files import limits, matrices
from neuralgebra.functions.activation import Activation, Row, activation, found
from neuralgebra.network.builder import Node
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Layer,
    Maximum,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.network.network import Network

__all__ = ["LAYERS", "LINEAR", "REMARKS", "Reader", "samples"]

Decoder = Callable[["Reader", Any, str], Any]


def samples(row: Row) -> list[float]:
    """Return values of a function, its parameters at their defaults, at three points of its domain."""
    low, high = max(row.domain[0], -3.0), min(row.domain[1], 3.0)
    points = low + (high - low) * np.array([[0.21], [0.52], [0.83]])
    values: list[float] = value(Network.function(Activation(row)), points)[:, 0].tolist()
    return values


class Reader:
    """Turns the description into layers; whatever does not fit is refused with its place."""

    def __init__(self, tensors: dict[str, np.ndarray], where: str) -> None:
        self.tensors, self.where = tensors, where
        self.used: set[str] = set()
        self.custom: dict[str, Any] = {}
        self.depth = 0

    def fail(self, at: str, received: str, expected: str) -> Any:
        """Refuse something of the file."""
        raise LoadError(f"{self.where}: {at}: {received} received; {expected} expected.\nThe file is damaged.")

    def check(self, fits: bool, at: str, item: Any, expected: str) -> None:
        """Refuse an item of the file unless it fits."""
        if not fits:
            self.fail(at, _text(item), expected)

    def network(self, document: dict[str, Any]) -> Network:
        """Return the network that a document describes."""
        expected = {"format", "input_size", "output", "custom", "nodes", *REMARKS}
        self.check(document.keys() == expected, "the network", sorted(document), ", ".join(sorted(expected)))
        self.custom = document["custom"]
        self.check(isinstance(self.custom, dict), "custom", self.custom, "a table")
        nodes = document["nodes"]
        self.check(isinstance(nodes, list), "nodes", nodes, "a list")
        limits.check("NODES", len(nodes), f"{self.where}: layers")
        sizes = [self.size(_positive(self, document["input_size"], "input_size"), "input_size")]
        built = [self.node(item, sizes) for item in nodes]
        output = _whole(self, document["output"], "output")
        self.check(output < len(sizes), "output", output, f"at most {len(sizes) - 1}")
        remarks = {name: REMARKS[name](self, document[name], name) for name in REMARKS}
        return Network(built, output, sizes[0], **remarks)

    def size(self, size: int, at: str) -> int:
        """Return a number of coordinates that must not be too large."""
        limits.check("COORDINATES", size, f"{self.where}: {at}: coordinates")
        return size

    def node(self, item: Any, sizes: list[int]) -> Node:
        """Return a node, and append its size."""
        at = f"node {len(sizes)}"
        self.check(isinstance(item, dict), at, item, "a table")
        rest = dict(item)
        inputs = _wholes(self, rest.pop("inputs", None), f"{at}.inputs")
        self.check(max(inputs) < len(sizes), f"{at}.inputs", inputs, f"places below {len(sizes)}")
        layer: Layer = self.build(rest, at, "layer", LAYERS)
        arity = LAYERS[type(layer).__name__][1]
        self.check(arity in (0, len(inputs)), f"{at}.inputs", inputs, f"{arity} of them")
        sizes.append(self.size(self.guarded(at, lambda: layer.sizes([sizes[i] for i in inputs])), at))
        return Node(layer, tuple(inputs))

    def build(self, item: Any, at: str, tag: str, table: dict[str, Any]) -> Any:
        """Return the layer or matrix that a table of the file describes."""
        kind = str(item.get(tag)) if isinstance(item, dict) else ""
        self.check(kind in table, at, item, f'"{tag}" among {", ".join(table)}')
        maker, decoders = table[kind][0], table[kind][-1]
        self.check(item.keys() == {tag, *decoders}, at, sorted(item), ", ".join([tag, *decoders]))
        fields = {name: decoder(self, item[name], f"{at}.{name}") for name, decoder in decoders.items()}
        return self.guarded(at, lambda: maker(**fields))

    def guarded(self, at: str, action: Callable[[], Any]) -> Any:
        """Return the result of an action; name the place if it refuses."""
        try:
            return action()
        except NeuralgebraError as error:
            raise LoadError(f"{self.where}: {at}: {error}") from None

    def tensor(self, item: Any, at: str, kind: str) -> np.ndarray:
        """Return the tensor of a name; kind is "f" for floats, "i" for integers."""
        self.check(isinstance(item, str) and item in self.tensors, at, item, "the name of a tensor of the file")
        array = self.tensors[item]
        fits = array.dtype.kind == kind and array.size > 0
        if not fits:
            expected = "integers" if kind == "i" else "floats"
            self.fail(at, f"tensor {shown(item)!r} of dtype {array.dtype} and shape {array.shape}", expected)
        self.used.add(item)
        return array


def _text(item: Any) -> str:
    """Return an item of the file as it stands there."""
    try:
        return shown(json.dumps(item))
    except RecursionError:
        return "a list or table of great depth"


def _floats(reader: Reader, item: Any, at: str) -> np.ndarray:
    return reader.tensor(item, at, "f")


def _integers(reader: Reader, item: Any, at: str) -> np.ndarray:
    return reader.tensor(item, at, "i")


def _whole(reader: Reader, item: Any, at: str) -> int:
    reader.check(type(item) is int and 0 <= item < 1 << 53, at, item, "a whole number")
    return int(item)


def _positive(reader: Reader, item: Any, at: str) -> int:
    reader.check(_whole(reader, item, at) > 0, at, item, "a positive number")
    return int(item)


def _list(part: Decoder) -> Decoder:
    def decode(reader: Reader, item: Any, at: str) -> tuple[Any, ...]:
        reader.check(isinstance(item, list) and bool(item), at, item, "a list with at least one entry")
        return tuple(part(reader, entry, at) for entry in item)

    return decode


def _quadruple(reader: Reader, item: Any, at: str) -> tuple[Any, ...]:
    numbers: tuple[Any, ...] = _list(_positive)(reader, item, at)
    reader.check(len(numbers) == 4, at, item, "four numbers")
    return numbers


def _optional(part: Decoder) -> Decoder:
    return lambda reader, item, at: None if item is None else part(reader, item, at)


def _flag(reader: Reader, item: Any, at: str) -> bool:
    reader.check(isinstance(item, bool), at, item, "true or false")
    return bool(item)


def _name(reader: Reader, item: Any, at: str) -> str:
    reader.check(isinstance(item, str), at, item, "a text")
    limits.check("NAME_LENGTH", len(item), f"{reader.where}: {at}: letters")
    return str(item)


def _linear(reader: Reader, item: Any, at: str) -> Any:
    reader.depth += 1
    limits.check("DEPTH", reader.depth, f"{reader.where}: {at}: matrices inside one another")
    result = reader.build(item, at, "linear", LINEAR)
    reader.depth -= 1
    return matrices.limited(result, f"{reader.where}: {at}")


def _block(reader: Reader, item: Any, at: str) -> tuple[Activation, int | None]:
    reader.check(isinstance(item, list) and len(item) == 2, at, item, "a function and a number of coordinates")
    return _function(reader, item[0], at), _optional(_positive)(reader, item[1], at)


def _blocks(reader: Reader, item: Any, at: str) -> tuple[Any, ...]:
    blocks: tuple[Any, ...] = _list(_block)(reader, item, at)
    reader.check(len(blocks) == 1 or all(n for _, n in blocks), at, item, "a number of coordinates for each function")
    return blocks


def _function(reader: Reader, item: Any, at: str) -> Activation:
    fits = isinstance(item, dict) and item.keys() == {"activation", "parameters"}
    reader.check(fits and isinstance(item["activation"], str), at, item, "activation and parameters")
    name, given = item["activation"], item["parameters"]
    row: Row | None = reader.guarded(at, lambda: found(name))
    if row is None:
        raise UnsupportedError(
            f"{reader.where}: {at}: activation {shown(name)!r} received; the catalogue has no such function.\n"
            "If it is your own, na.register it first; a newer version of neuralgebra may have it."
        )
    _check_custom(reader, row, at)
    fits = isinstance(given, dict) and given.keys() == row.parameters.keys()
    reader.check(fits, at, given, f"the parameters {', '.join(sorted(row.parameters)) or '(none)'} of {name}")
    values = {n: _parameter(reader, v, f"{at}.{shown(n)}") for n, v in given.items()}
    result: Activation = reader.guarded(at, lambda: activation(name, **values))
    return result


def _check_custom(reader: Reader, row: Row, at: str) -> None:
    """Refuse another function of the same name."""
    stored = reader.custom.get(row.name)
    if stored is None and row.stabilised:
        return
    texts = _list(_name)(reader, stored, f"custom.{shown(row.name)}")
    numbers = reader.guarded(at, lambda: [_hex(text) for text in texts])
    if len(numbers) != 3 or not np.allclose(samples(row), numbers, 1e-9, 1e-9, equal_nan=True):
        raise UnsupportedError(
            f"{reader.where}: {at}: activation {shown(row.name)!r} of the file is another function than the one "
            "registered here.\nRegister the function that the file was written with."
        )


def _hex(text: str) -> float:
    try:
        return float.fromhex(text)
    except (ValueError, OverflowError):
        raise InputError(f"{shown(text)!r} received; a number in hexadecimal notation expected.") from None


def _parameter(reader: Reader, item: Any, at: str) -> Any:
    if isinstance(item, list):
        return _list(_number)(reader, item, at)
    return _number(reader, item, at)


def _number(reader: Reader, item: Any, at: str) -> int | float | Fraction:
    if isinstance(item, str) and re.fullmatch(r"-?[0-9]{1,300}/[1-9][0-9]{0,299}", item, re.ASCII):
        return Fraction(item)
    fits = type(item) is float or (type(item) is int and abs(item) < 1 << 53)
    reader.check(fits, at, item, "a number")
    number: int | float = item
    return number


_weighted: dict[str, Decoder] = {"weight": _linear, "bias": _optional(_floats)}

_PARTS: dict[matrices.Part, Decoder] = {
    "floats": _floats,
    "integers": _integers,
    "positive": _positive,
    "matrix": _linear,
    "matrices": _list(_linear),
}

LINEAR: dict[str, tuple[type, dict[str, Decoder]]] = {
    name: (kind, {field: _PARTS[part] for field, part in parts.items()})
    for name, (kind, parts) in matrices.MATRICES.items()
}
"""Kind of matrix -> class, and its fields in the file."""

LAYERS: dict[str, tuple[type, int, dict[str, Decoder]]] = {
    "Affine": (Affine, 1, _weighted),
    "PowerProduct": (PowerProduct, 1, _weighted),
    "Mixing": (Mixing, 1, {"function": _function, **_weighted}),
    "Elementwise": (Elementwise, 1, {"activations": _blocks}),
    "Multiply": (Multiply, 2, {"shape": _optional(_quadruple)}),
    "Maximum": (Maximum, 1, {"groups": _integers}),
    "Softmax": (Softmax, 1, {"group": _optional(_positive), "log": _flag}),
    "Concatenate": (Concatenate, 0, {}),
    "Select": (Select, 1, {"indices": _integers}),
}
"""Kind of layer -> class, number of inputs (0: any), and its fields in the file."""

_wholes = _list(_whole)
REMARKS: dict[str, Decoder] = {
    "input_names": _list(_name),
    "output_names": _list(_name),
    "input_shape": _optional(_list(_positive)),
    "output_shape": _optional(_list(_positive)),
}
