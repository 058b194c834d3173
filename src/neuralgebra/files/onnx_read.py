"""Read ONNX: the graph of operators becomes a network, exactly.

The batch is axis 0; what remains of each tensor is a vector, row-major. Operators are looked up in one table.
A file of our own also says which network it was written from; that is believed only if writing that network gives
the very graph in the file.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, LoadError, ShapeError, UnsupportedError, shown
from neuralgebra.files import limits, onnx_parse, onnx_schema
from neuralgebra.files.onnx_operators import HANDLERS
from neuralgebra.files.onnx_origin import names_of, origin
from neuralgebra.files.onnx_values import Call, Tally, Tensor, Value
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Concatenate, Select
from neuralgebra.network.network import Network

__all__ = ["read"]

_FLOATS = {1: np.float32, 11: np.float64, 10: np.float32, 16: np.float32}


def read(data: bytes, where: str = "model") -> Network:
    """Return the network of an ONNX model.

    Parameters
    ----------
    data : bytes
        The whole file. Opsets 7 to the newest are read; tensors that lie in other files are refused.
    where : str
        Its name, for messages.

    Returns
    -------
    Network
        The same function of one sample: the batch axis, which is the first, is left out; samples that are not
        vectors are flattened row-major and their shape is kept as a remark. Weights keep their dtype; float16 and
        bfloat16 are widened to float32. Several inputs are laid side by side, and so are several outputs.

    Raises
    ------
    LoadError
        For bytes that are no ONNX model, or a damaged one.
    UnsupportedError
        For a valid model that is no network of the project; the message names operator and node.
    ResourceError
        For a model beyond the limits of `neuralgebra.files.limits`.
    """
    try:
        model = onnx_parse.parsed(data, where)
        opsets = onnx_parse.opsets(model, where)
        return origin(model) or _Reader(model, opsets, where).network()
    except UnicodeDecodeError:
        raise LoadError(f"{shown(where)}: text that is not UTF-8 received; a damaged ONNX model.") from None
    except MemoryError:
        raise UnsupportedError(f"{shown(where)}: the model does not fit into memory.") from None


@dataclass(frozen=True)
class _Input:
    name: str
    shape: tuple[int, ...]
    lead: int
    single: bool

    @property
    def size(self) -> int:
        return math.prod(self.shape)


class _Reader:
    """Walks over the nodes of a graph, which are sorted, and adds the layers they stand for."""

    def __init__(self, model: Any, opsets: dict[str, int], where: str) -> None:
        self.model, self.graph, self.opsets, self.where = model, model.graph, opsets, where
        if self.graph.sparse_initializer:
            raise UnsupportedError(f"{shown(where)}: sparse weights received; dense ones expected.")
        self.initializers = self._unique(self.graph.initializer, "weight")
        declared = [v for n, v in self._unique(self.graph.input, "input").items() if n not in self.initializers]
        self.inputs = [self._input(v) for v in declared]
        self.size = sum(i.size for i in self.inputs)
        limits.check("COORDINATES", self.size, f"{shown(where)}: inputs")
        if not self.size:
            raise UnsupportedError(f"{shown(where)}: no inputs received; at least one expected.")
        kinds = [v.type.tensor_type.elem_type for v in declared]
        self.dtype, self.kinds = np.dtype(_FLOATS[kinds[0]]), frozenset(kinds)
        self.builder = Builder(self.size)
        self.values: dict[str, Value] = {}
        self.tally = Tally(model.ByteSize())

    def _unique(self, entries: Any, what: str) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for entry in entries:
            if entry.name in result:
                raise LoadError(f"{shown(self.where)}: {what} {shown(entry.name)!r} received twice; once expected.")
            result[entry.name] = entry
        return result

    # The whole ------------------------------------------------------------------------------------------------------

    def network(self) -> Network:
        """Return the network."""
        self._lay_inputs()
        needed = sorted(self._needed())
        last = {name: number for number in needed for name in self.graph.node[number].input}
        last |= {o.name: len(self.graph.node) for o in self.graph.output}
        for number in needed:
            node = self.graph.node[number]
            self._evaluate(node, number)
            for name in (n for n in node.input if last[n] == number):
                self.values.pop(name, None)
        outputs = [self._output(o.name) for o in self.graph.output]
        place = self.builder.add(Concatenate(), *(x.place for x in outputs))
        inputs, names = self._names(self.inputs), self._names(self._outputs(outputs))
        shapes = (self._shape(self.inputs), self._shape(outputs))
        inputs, names = names_of(self.model, self.size, self.builder.sizes[place]) or (inputs, names)
        return Network(
            self.builder.nodes, place, self.size,
            input_names=inputs, output_names=names, input_shape=shapes[0], output_shape=shapes[1],
        )  # fmt: skip

    def _lay_inputs(self) -> None:
        starts = itertools.accumulate((i.size for i in self.inputs), initial=0)
        for i, start in zip(self.inputs, starts, strict=False):
            place = self.builder.add(Select(np.arange(start, start + i.size)), 0)
            self.values[i.name] = Tensor(place, i.shape, i.lead)

    def _shape(self, parts: Sequence[Any]) -> tuple[int, ...] | None:
        return parts[0].shape if len(parts) == 1 and len(parts[0].shape) != 1 else None

    def _outputs(self, outputs: Sequence[Tensor]) -> list[_Input]:
        return [_Input(o.name, x.shape, 1, False) for o, x in zip(self.graph.output, outputs, strict=True)]

    def _names(self, parts: Sequence[_Input]) -> list[str] | None:
        """Return names of coordinates from those of several inputs or outputs; of one, the default names."""
        if len(parts) == 1:
            return None
        names = [p.name if p.size == 1 else f"{p.name}_{i + 1}" for p in parts for i in range(p.size)]
        return names if len(set(names)) == len(names) else None

    # Inputs and outputs ---------------------------------------------------------------------------------------------

    def _input(self, value: Any) -> _Input:
        name = shown(value.name)
        if not value.type.HasField("tensor_type"):
            raise UnsupportedError(f"input {name!r} that is no tensor received; a tensor of numbers expected.")
        kind = value.type.tensor_type
        if kind.elem_type not in _FLOATS:
            raise UnsupportedError(f"input {name!r} of data type {kind.elem_type} received; floating numbers expected.")
        if not kind.HasField("shape") or not kind.shape.dim:
            raise UnsupportedError(f"input {name!r} without axes received; (samples, coordinates) expected.")
        dims = [d.dim_value if d.HasField("dim_value") else None for d in kind.shape.dim]
        if len(dims) == 1 and dims[0]:
            return _Input(value.name, self._lengths(name, dims), 0, False)
        return _Input(value.name, self._lengths(name, dims[1:]), 1, dims[0] == 1)

    def _lengths(self, name: str, dims: Sequence[int | None]) -> tuple[int, ...]:
        if any(n is None or n <= 0 for n in dims):
            raise UnsupportedError(
                f"input {name!r} with lengths {shown([n or '?' for n in dims])} received.\n"
                "A fixed length of every axis but the first expected; export the model with fixed lengths."
            )
        return tuple(n for n in dims if n is not None)

    def _output(self, name: str) -> Tensor:
        if name not in self.values:
            self.values[name] = self._initial(name, "the output")
        value = self.values[name]
        if not isinstance(value, Tensor):
            raise UnsupportedError(f"output {shown(name)!r} does not depend on the input; a function expected.")
        return value

    # Nodes ----------------------------------------------------------------------------------------------------------

    def _needed(self) -> set[int]:
        """Return the numbers of the nodes that the outputs need; the order of all nodes is checked."""
        if not self.graph.output:
            raise LoadError(f"{shown(self.where)}: no output received; at least one expected.")
        givers = self._givers()
        needed: set[int] = set()
        waiting = [o.name for o in self.graph.output]
        while waiting:
            number = givers.get(waiting.pop())
            if number is not None and number not in needed:
                needed.add(number)
                waiting.extend(self.graph.node[number].input)
        return needed

    def _givers(self) -> dict[str, int]:
        givers: dict[str, int] = {}
        known = {*self.values, *self.initializers}
        for number, node in enumerate(self.graph.node):
            for name in filter(None, node.input):
                if name not in known and name not in givers:
                    raise LoadError(
                        f"node {self._label(node, number)} uses {shown(name)!r}, which no input, weight or earlier "
                        "node gives.\nNodes in order, without cycles, expected."
                    )
            for name in filter(None, node.output):
                if name in known or name in givers:
                    raise LoadError(f"node {self._label(node, number)} gives {shown(name)!r} a second time.")
                givers[name] = number
        return givers

    def _label(self, node: Any, number: int) -> str:
        return f"{shown(node.name or f'number {number + 1}')!r} ({shown(node.op_type)})"

    def _evaluate(self, node: Any, number: int) -> None:
        domain = "" if node.domain in ("", "ai.onnx") else f"{node.domain}:"
        handler = HANDLERS.get(domain + node.op_type)
        if handler is None:
            raise UnsupportedError(
                f"{shown(self.where)}: operator {shown(domain + node.op_type)} of node "
                f"{shown(node.name or f'number {number + 1}')!r} received; it is not supported.\n"
                f"Supported are {shown(', '.join(k for k in HANDLERS if ':' not in k), 600)}."
            )
        call = self._call(node, number)
        result = self._handled(handler, call, node)
        results = result if isinstance(result, list) else [result]
        for name, value in zip(node.output, results, strict=False):
            self.values[name] = value

    def _handled(self, handler: Any, call: Call, node: Any) -> Any:
        try:
            onnx_schema.check(node, self._version(node.domain, call.where), call.where)
            with np.errstate(all="ignore"):  # what overflows is refused as a weight
                return self._counted(handler(call), call)
        except (LoadError, ShapeError) as error:
            raise LoadError(f"{shown(self.where)}: {error}" if isinstance(error, LoadError) else
                            f"{shown(self.where)}: {call.where}: {error}") from None  # fmt: skip
        except UnsupportedError as error:
            raise UnsupportedError(f"{shown(self.where)}: {error}") from None
        except InputError as error:
            raise LoadError(f"{shown(self.where)}: {call.where}: {error}") from None
        except (ValueError, IndexError, TypeError, OverflowError):
            raise LoadError(f"{shown(self.where)}: {call.where}: inputs received that do not fit together.") from None

    def _version(self, domain: str, where: str) -> int:
        """Return the version of an operator set."""
        known = "" if domain == "ai.onnx" else domain
        if known not in self.opsets:
            raise LoadError(f"{where}: no version of the operator set {shown(domain)} received; one expected.")
        return self.opsets[known]

    def _counted(self, result: Any, call: Call) -> Any:
        """Return a result whose elements are counted, if it is an array with memory of its own."""
        if isinstance(result, np.ndarray) and result.base is None and not any(result is a for a in call.arguments):
            self.tally.add(result.size, call.where)
        return result

    def _call(self, node: Any, number: int) -> Call:
        name = node.name or f"number {number + 1}"
        arguments = [self._argument(n, name) if n else None for n in node.input]
        attributes = {a.name: onnx_parse.attribute(a) for a in node.attribute}
        outputs = len([n for n in node.output if n])
        single = all(i.single for i in self.inputs)
        return Call(
            node.op_type, name, self.opsets[""], attributes, arguments, outputs, len(node.output), self.builder, single,
            self.dtype, self.kinds, self.tally,
        )  # fmt: skip

    def _argument(self, name: str, node: str) -> Value:
        if name not in self.values:
            self.values[name] = self._initial(name, f"node {shown(node)!r}")
        return self.values[name]

    def _initial(self, name: str, user: str) -> Value:
        if name not in self.initializers:
            raise LoadError(f"{user} uses {shown(name)!r}, which nothing gives.")
        return onnx_parse.array(self.initializers[name])
