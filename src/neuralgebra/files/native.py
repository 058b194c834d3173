"""The project's own file: a safetensors file that carries the network beside its numbers.

The tensors are the distinct arrays, bit for bit. The entry ``neuralgebra`` of the metadata is one JSON text::

    {"format": 1, "input_size": 2, "output": 2,
     "input_names": [...], "output_names": [...], "input_shape": null, "output_shape": null,
     "custom": {}, "checksum": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
     "nodes": [{"layer": "Affine", "inputs": [0],
                "weight": {"linear": "Dense", "weight": "1.weight.weight"}, "bias": "1.bias"},
               {"layer": "Elementwise", "inputs": [1],
                "activations": [[{"activation": "tanh", "parameters": {}}, null]]}]}

A text in the place of an array is the name of a tensor. Parameters are integers, floats, fractions such as "1/6", or
one of them per coordinate. ``custom`` holds values of the functions that the user registered, so that another function
of the same name is noticed. ``checksum`` is a hash of the rest of the text and of all tensors. Arrays that layers
share are stored once, and are shared again when read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from neuralgebra.errors import InputError, LoadError, UnsupportedError, shown
from neuralgebra.files import limits
from neuralgebra.files.native_fields import LAYERS, LINEAR, REMARKS, Reader, samples
from neuralgebra.functions.activation import Activation
from neuralgebra.network.builder import Node
from neuralgebra.network.layers import Elementwise, Mixing
from neuralgebra.network.linear import Linear, digest
from neuralgebra.network.network import Network

__all__ = ["FORMAT", "KEY", "read", "write"]

KEY = "neuralgebra"
CHECKSUM = "checksum"
FORMAT = 1
_DESERIALIZE: Any = safetensors.deserialize

DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8")}


# Writing ------------------------------------------------------------------------------------------------------------


def write(network: Network) -> bytes:
    """Return a network as the bytes of a safetensors file.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    bytes
        The file; a network gives the same bytes each time, and so does the one that is read from them.

    Raises
    ------
    UnsupportedError
        For a kind of layer that the format does not have, or a number that it cannot hold.
    ResourceError
        For more than ``files.limits`` allows to be read, such as a name of 2000 letters.
    """
    writer = _Writer()
    document = {
        "format": FORMAT,
        "input_size": network.input_size,
        "output": network.output,
        **{name: _plain(getattr(network, name)) for name in REMARKS},
        "custom": _custom(network),
        "nodes": [writer.node(node, place) for place, node in enumerate(network.nodes, 1)],
    }
    _check_readable(document, writer.tensors)
    document[CHECKSUM] = _checksum(document, writer.tensors)
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    data = safetensors.numpy.save(writer.tensors, {KEY: text})
    limits.check("HEADER_BYTES", int.from_bytes(data[:8], "little"), "the network: bytes of the header")
    return data


def _check_readable(document: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
    """Refuse what reading would refuse, except functions that are not registered here, or no longer."""
    try:
        Reader(tensors, "the network").network(document)
    except UnsupportedError:
        pass
    except LoadError as error:
        raise UnsupportedError(f"{str(error).splitlines()[0]}\nA .safetensors file cannot hold it.") from None


def _checksum(document: dict[str, Any], tensors: dict[str, np.ndarray]) -> str:
    """Return a hash of all that the file says, so that no flipped bit passes for a weight."""
    parts = [part for name in sorted(tensors) for part in (name, _little(tensors[name]))]
    return digest(json.dumps(document, separators=(",", ":")), *parts).hex()


def _little(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


class _Writer:
    """Collects tensors while the layers are put into words."""

    def __init__(self) -> None:
        self.tensors: dict[str, np.ndarray] = {}
        self.names: dict[int, str] = {}

    def node(self, node: Node, place: int) -> dict[str, Any]:
        head = {"layer": type(node.layer).__name__, "inputs": list(node.inputs)}
        return head | self.fields(node.layer, LAYERS, str(place))

    def fields(self, item: Any, table: dict[str, Any], at: str) -> dict[str, Any]:
        kind = type(item).__name__
        if kind not in table:
            raise UnsupportedError(f"{shown(kind)} received; a .safetensors file holds {', '.join(table)}.")
        return {name: self.value(getattr(item, name), f"{at}.{name}") for name in table[kind][-1]}

    def value(self, item: Any, at: str) -> Any:
        if isinstance(item, np.ndarray):
            return self.tensor(item, at)
        if isinstance(item, Linear):
            return {"linear": type(item).__name__} | self.fields(item, LINEAR, at)
        if isinstance(item, Activation):
            return {"activation": item.name, "parameters": {n: _plain(v) for n, v in item.parameters}}
        if isinstance(item, tuple):
            return [self.value(part, f"{at}.{i}") for i, part in enumerate(item)]
        return _plain(item)

    def tensor(self, array: np.ndarray, at: str) -> str:
        """Return the name of the tensor that holds an array; one that several layers share is stored once."""
        name = self.names.setdefault(id(array), at)
        self.tensors[name] = np.ascontiguousarray(array)
        return name


def _plain(item: Any) -> Any:
    """Return a number, a text, or a tuple of them, as JSON has it; a fraction becomes a text."""
    if item is None or isinstance(item, str | bool):
        return item
    if isinstance(item, tuple):
        return [_plain(part) for part in item]
    if isinstance(item, Fraction):
        return str(item.numerator) + "/" + str(item.denominator)
    return int(item) if isinstance(item, int | np.integer) else float(item)


def _custom(network: Network) -> dict[str, list[str]]:
    """Return values of the functions that are not part of the package, by name."""
    layers = [node.layer for node in network.nodes]
    functions = [a for layer in layers if isinstance(layer, Elementwise) for a, _ in layer.activations]
    functions += [layer.function for layer in layers if isinstance(layer, Mixing)]
    rows = {a.name: a.row for a in functions if not a.row.stabilised}
    return {name: [v.hex() for v in samples(rows[name])] for name in sorted(rows)}


# Reading ------------------------------------------------------------------------------------------------------------


def read(data: bytes, where: str) -> Network:
    """Return the network in the bytes of a safetensors file.

    Parameters
    ----------
    data : bytes
        The file.
    where : str
        Its name, for messages.

    Returns
    -------
    Network
        Equal to the one that was written.

    Raises
    ------
    LoadError
        When the file is damaged or does not describe a network.
    UnsupportedError
        When it is a safetensors file without a description of the network, when it uses an activation that is not
        registered, or when a newer version of the package wrote it.
    ResourceError
        When it asks for more than ``files.limits`` allows.
    """
    try:
        return _read(data, shown(where))
    except (LoadError, UnsupportedError):
        raise
    except InputError as error:
        raise LoadError(f"{shown(where)}: {error}") from None


def _read(data: bytes, where: str) -> Network:
    header = _header(data, where)
    document = _document(header, where)
    given = document.pop(CHECKSUM, None)
    reader = Reader(_tensors(data, where), where)
    network = reader.network(document)
    unused = sorted(reader.tensors.keys() - reader.used)
    if unused:
        reader.fail("the file", f"tensor {shown(unused[0])!r} that no layer uses", "only tensors of the network")
    if given != _checksum(document, reader.tensors):
        raise LoadError(
            f"{where}: the checksum does not fit the content.\nThe file is damaged: copy or download it again."
        )
    return network


def _header(data: bytes, where: str) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > len(data) - 8:
        raise LoadError(
            f"{where}: {len(data)} bytes received; the file says that its header alone has {length}.\n"
            "The file is damaged or cut off: copy or download it again."
        )
    limits.check("HEADER_BYTES", length, f"{where}: bytes of the header")
    header = _json(data[8 : 8 + length], f"{where}: the header")
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise LoadError(f"{where}: the header is no table of tensors. The file is damaged.")
    return header


def _document(header: dict[str, Any], where: str) -> Any:
    text = header.get("__metadata__", {}).get(KEY)
    if not isinstance(text, str):
        names = sorted(name for name in header if name != "__metadata__")
        raise UnsupportedError(
            f"{where}: a safetensors file of {len(names)} tensors received ({shown(', '.join(names), 120)}).\n"
            "It holds weights, but not the network that they belong to.\n"
            "Build the network, na.Network.from_layers or na.from_torch, with these weights; f.save writes both."
        )
    document = _json(text.encode("utf-8", "surrogatepass"), f"{where}: the description of the network")
    version = document.get("format") if isinstance(document, dict) else None
    if type(version) is int and version > FORMAT:
        raise UnsupportedError(
            f"{where}: format {shown(version)} received; this version of neuralgebra reads format {FORMAT}.\n"
            "Install a newer version of neuralgebra."
        )
    if version != FORMAT or type(version) is not int:
        raise LoadError(f"{where}: format {shown(version)} received; {FORMAT} expected. The file is damaged.")
    return document


def _json(text: bytes, what: str) -> Any:
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{what} is no valid JSON ({shown(error)}).\nThe file is damaged.") from None


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, item in pairs:
        if key in result:
            raise ValueError(f"key {shown(key)!r} twice")
        result[key] = item
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _tensors(data: bytes, where: str) -> dict[str, np.ndarray]:
    """Return the tensors of a file; the library checks that they lie side by side and fill it."""
    try:
        items = _DESERIALIZE(data)
    except (safetensors.SafetensorError, ValueError, OverflowError) as error:
        raise LoadError(f"{where}: {shown(error)}.\nThe file is damaged.") from None
    return {name: _tensor(name, item, where) for name, item in items}


def _tensor(name: str, item: Any, where: str) -> np.ndarray:
    if item["dtype"] not in DTYPES:
        raise LoadError(
            f"{where}: tensor {shown(name)!r} of dtype {shown(item['dtype'])}; {', '.join(DTYPES)} expected."
        )
    stored = np.frombuffer(item["data"], DTYPES[item["dtype"]]).reshape(item["shape"])
    array = np.array(stored, stored.dtype.newbyteorder("="))  # memory of its own, so that layers may share it
    array.flags.writeable = False
    return array
