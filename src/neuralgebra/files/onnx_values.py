"""What flows through an ONNX graph while it is read: constants, tensors that depend on the input, and calls.

A tensor is held per sample: its batch axis is left out, and its coordinates are a vector of the network, row-major.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.errors import LoadError, ResourceError, UnsupportedError, shown
from neuralgebra.files import limits
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Layer, Select
from neuralgebra.network.linear import Diagonal, Kronecker

__all__ = ["ELEMENTS", "TOTAL", "Call", "Tally", "Tensor", "Value", "frozen_copy"]

ELEMENTS = 3 * 10**7
"""Most elements of an array that reading makes."""

TOTAL = 10**8
"""Most elements that reading makes altogether, beside one for each byte of the file."""


class Tally:
    """How many elements reading has made.

    Parameters
    ----------
    size : int
        Bytes of the file, which count as elements that are allowed anyway.
    """

    def __init__(self, size: int) -> None:
        self.size, self.count = size, 0

    def add(self, count: int, where: str) -> None:
        """Count elements that are about to be made; raise ResourceError when they are too many."""
        self.count += count
        if self.count > TOTAL + self.size:
            raise ResourceError(
                f"{where}: {self.count} elements made so far; at most {TOTAL + self.size} allowed.\n"
                "If this is meant, set neuralgebra.files.onnx_values.TOTAL to a higher value."
            )


@dataclass(frozen=True)
class Tensor:
    """A value that depends on the input.

    Parameters
    ----------
    place : int
        Its place in the network.
    shape : tuple of int
        Shape of one sample.
    lead : int
        1 when a batch axis stands before the shape, 0 when there is none.
    """

    place: int
    shape: tuple[int, ...]
    lead: int = 1

    @property
    def rank(self) -> int:
        """Number of axes, the batch axis included."""
        return len(self.shape) + self.lead

    @property
    def size(self) -> int:
        """Number of coordinates of one sample."""
        return math.prod(self.shape)

    @property
    def positions(self) -> np.ndarray:
        """The coordinate numbers in the shape of the tensor, with a batch axis of length 1 if it has one."""
        return np.arange(self.size).reshape((1,) * self.lead + self.shape)


Value = Tensor | np.ndarray


def frozen_copy(array: np.ndarray) -> np.ndarray:
    """Return a contiguous, read-only array of the same content."""
    result = np.ascontiguousarray(array)
    if result.flags.writeable:
        result = result.copy() if np.shares_memory(result, array) else result
        result.flags.writeable = False
    return result


@dataclass(frozen=True)
class Call:
    """One node of the graph with its arguments, and the network under construction.

    Parameters
    ----------
    op, name : str
        Operator and name of the node.
    opset : int
        Version of the operator set.
    attributes : dict
        Attributes of the node.
    arguments : sequence of Tensor, ndarray or None
        Values of the inputs; None where an optional one is left out.
    outputs, places : int
        How many outputs are wanted, and how many there are with those left out.
    builder : Builder
        Collects the layers.
    single : bool
        Whether the batch axis is declared to have length 1.
    dtype : dtype
        Floating dtype of the model, for weights that operators imply.
    kinds : frozenset of int
        Data types of the inputs, by their numbers in ONNX.
    tally : Tally
        Counts the elements that are made.
    """

    op: str
    name: str
    opset: int
    attributes: dict[str, Any]
    arguments: Sequence[Value | None]
    outputs: int
    places: int
    builder: Builder
    single: bool
    dtype: np.dtype
    kinds: frozenset[int]
    tally: Tally

    # Refusals ---------------------------------------------------------------------------------------------------

    @property
    def where(self) -> str:
        """The operator and the node, for messages."""
        return f"operator {shown(self.op)} of node {shown(self.name)!r}"

    def unsupported(self, received: str, expected: str) -> UnsupportedError:
        """Return the refusal of something that is valid."""
        return UnsupportedError(f"{self.where}: {received} received.\n{expected} expected.")

    def damaged(self, received: str, expected: str) -> LoadError:
        """Return the refusal of something that is not valid."""
        return LoadError(f"{self.where}: {received} received.\n{expected} expected.")

    # Arguments --------------------------------------------------------------------------------------------------

    def value(self, position: int) -> Value:
        """Return an input that must be there."""
        given = self.optional(position)
        if given is None:
            raise self.damaged(f"{len(self.arguments)} inputs", f"At least {position + 1}")
        return given

    def optional(self, position: int) -> Value | None:
        """Return an input, or None where it is left out."""
        return self.arguments[position] if position < len(self.arguments) else None

    def tensor(self, position: int = 0) -> Tensor:
        """Return an input that must depend on the input of the network."""
        given = self.value(position)
        return given if isinstance(given, Tensor) else self.promoted(given)

    def constant(self, position: int) -> np.ndarray | None:
        """Return an input that must be constant, or None where it is left out."""
        given = self.optional(position)
        if isinstance(given, Tensor):
            raise self.unsupported(f"input {position + 1} that depends on the input of the network", "A constant")
        return given

    def weights(self, position: int) -> np.ndarray:
        """Return a constant input of floating numbers."""
        given = self.constant(position)
        if given is None:
            raise self.damaged(f"{len(self.arguments)} inputs", f"At least {position + 1}")
        return self.floating(given)

    def floating(self, array: np.ndarray) -> np.ndarray:
        """Return an array that must hold floating numbers."""
        if array.dtype.kind != "f":
            raise self.unsupported(f"a constant of type {array.dtype} in arithmetic", "Floating numbers")
        return array

    def integers(self, position: int, attribute: str) -> list[int] | None:
        """Return integers given by an input or, as older opsets have it, by an attribute."""
        given = self.constant(position)
        found = self.attributes.get(attribute) if given is None else given.ravel().tolist()
        if found is None:
            return None
        found = list(found) if isinstance(found, list | tuple) else [found]
        if not all(type(i) is int for i in found):
            raise self.unsupported(f"{shown(found)} as {attribute}", "Known integers")
        return found

    def integer(self, attribute: str, default: int | None = None) -> int:
        """Return an attribute that is one integer."""
        return int(self._attribute(attribute, default, int))

    def number(self, attribute: str, default: float | None = None) -> float:
        """Return an attribute that is one number."""
        return float(self._attribute(attribute, default, int | float))

    def _attribute(self, attribute: str, default: Any, kind: Any) -> Any:
        given = self.attributes.get(attribute, default)
        if not isinstance(given, kind):
            raise self.damaged(f"attribute {attribute} = {shown(given)}", "A number")
        return given

    def axis(self, axis: int, rank: int) -> int:
        """Return a position among the axes from one that may count from the end."""
        if not -rank <= axis < rank:
            raise self.damaged(f"axis {axis} of {rank}", f"{-rank} to {rank - 1}")
        return axis % rank

    def sample_axis(self, axis: int, x: Tensor) -> int:
        """Return a position among the axes of one sample; the batch axis is refused."""
        position = self.axis(axis, x.rank) - x.lead
        if position < 0:
            raise self.batch()
        return position

    def batch(self) -> UnsupportedError:
        """Return the refusal of an operation that mixes samples."""
        return self.unsupported("an operation on the batch axis", "Samples that do not mix")

    # Layers -----------------------------------------------------------------------------------------------------

    def add(self, layer: Layer, *inputs: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
        """Return the result of a layer on tensors, shaped as the first one unless a shape is given."""
        first = inputs[0]
        place = self._placed(layer, *(x.place for x in inputs))
        return Tensor(place, first.shape if shape is None else shape, first.lead)

    def _placed(self, layer: Layer, *places: int) -> int:
        size = layer.sizes([self.builder.sizes[i] for i in places])
        limits.check("COORDINATES", size, f"{self.where}: coordinates")
        self.tally.add(size, self.where)
        return self.builder.add(layer, *places)

    def function(self, x: Tensor, name: Any) -> Tensor:
        """Return an activation of a tensor, coordinate by coordinate."""
        return self.add(Elementwise(name), x)

    def selected(self, x: Tensor, indices: np.ndarray, lead: int | None = None) -> Tensor:
        """Return the coordinates of a tensor at an array of positions, in the shape of that array."""
        lead = x.lead if lead is None else lead
        if not indices.size:
            raise self.unsupported("a tensor without elements", "At least one element")
        place = self._placed(Select(self.bounded(indices).ravel()), x.place)
        return Tensor(place, indices.shape[lead:], lead)

    def bounded(self, array: np.ndarray) -> np.ndarray:
        """Return an array that must not be too large."""
        self.sized(array.shape)
        return array

    def sized(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return a shape that must not be too large."""
        if math.prod(shape) > ELEMENTS:
            raise ResourceError(
                f"{self.where}: an array of shape {shown(tuple(shape))} received; at most {ELEMENTS} elements expected."
            )
        self.tally.add(math.prod(shape), self.where)
        return tuple(shape)

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """Return tensors laid one after another as one vector."""
        place = self._placed(Concatenate(), *(x.place for x in parts))
        return Tensor(place, (sum(x.size for x in parts),), parts[0].lead)

    def promoted(self, array: np.ndarray) -> Tensor:
        """Return a constant as a tensor, 0·x₁ + c, with a batch axis if the model has one."""
        array = self.bounded(self.floating(array))
        if not array.size:
            raise self.unsupported("a tensor without elements", "At least one element")
        first = self.builder.add(Select(np.zeros(1, dtype=int)), 0)
        weight = np.zeros((array.size, 1), array.dtype)
        return Tensor(self._placed(Affine(weight, array.ravel()), first), array.shape, 0)

    def scaled(self, x: Tensor, factors: np.ndarray) -> Tensor:
        """Return a tensor times constants of its shape."""
        flat = np.broadcast_to(self.floating(factors), x.shape).ravel()
        if np.all(flat == flat[0]):
            return self.add(Affine(Kronecker(flat[:1, None], 1, x.size)), x)
        return self.add(Affine(Diagonal(flat)), x)

    def shifted(self, x: Tensor, terms: np.ndarray, sign: float = 1) -> Tensor:
        """Return sign·x plus constants of its shape; 0 disappears, unless the layer before takes it as a bias."""
        flat = np.broadcast_to(self.floating(terms), x.shape).ravel()
        if sign == 1 and not flat.any() and not self._takes_bias(x):
            return x
        return self.add(Affine(Kronecker(np.array([[sign]], flat.dtype), 1, x.size), flat), x)

    def _takes_bias(self, x: Tensor) -> bool:
        layer = self.builder.nodes[x.place - 1].layer if x.place else None
        return isinstance(layer, Affine) and layer.bias is None

    def combined(self, parts: Sequence[Tensor], factors: Sequence[float]) -> Tensor:
        """Return a linear combination of tensors of one shape."""
        weight = Kronecker(np.array([factors], self.dtype), 1, parts[0].size)
        return self.add(Affine(weight), self.joined(parts), shape=parts[0].shape)

    def along(self, weight: np.ndarray, x: Tensor, axis: int, bias: np.ndarray | None = None) -> Tensor:
        """Return a matrix applied along one axis of each sample; the axis takes the number of its rows."""
        before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        if x.shape[axis] != weight.shape[1]:
            raise self.damaged(f"{x.shape[axis]} columns for a weight of {weight.shape[1]} rows", "Equal numbers")
        matrix: Any = frozen_copy(weight) if before == after == 1 else Kronecker(frozen_copy(weight), before, after)
        return self.add(Affine(matrix, bias), x, shape=(*x.shape[:axis], len(weight), *x.shape[axis + 1 :]))

    # Broadcasting -----------------------------------------------------------------------------------------------

    def broadcast(self, values: Sequence[Value]) -> list[Value]:
        """Return values in one shape; constants lose a batch axis of length 1."""
        lead = max(x.lead for x in values if isinstance(x, Tensor))
        rank = max(x.rank if isinstance(x, Tensor) else x.ndim for x in values)
        shapes = [self._aligned(x, rank, lead) for x in values]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            raise self.damaged(f"shapes {', '.join(map(str, shapes))}", "Shapes that can be broadcast") from None
        self.sized(shape)
        return [self._spread(x, s, shape, lead) for x, s in zip(values, shapes, strict=True)]

    def _aligned(self, x: Value, rank: int, lead: int) -> tuple[int, ...]:
        """Return the shape of one sample, filled up with axes of length 1 to the common rank."""
        if isinstance(x, Tensor) and x.lead:
            if x.rank != rank:
                raise self.batch()
            return x.shape
        full = (1,) * (rank - len(x.shape)) + tuple(x.shape)
        if lead and full[0] != 1:
            raise self.batch()
        return full[lead:]

    def _spread(self, x: Value, aligned: tuple[int, ...], shape: tuple[int, ...], lead: int) -> Value:
        if not isinstance(x, Tensor):
            return np.broadcast_to(x.reshape(aligned), shape)
        if aligned == shape:
            return Tensor(x.place, shape, lead)
        indices = np.broadcast_to(np.arange(x.size).reshape(aligned), shape)
        return Tensor(self.selected(x, indices, 0).place, shape, lead)

    def tensors(self, values: Sequence[Value]) -> list[Tensor]:
        """Return broadcast values as tensors, constants included."""
        lead = max(x.lead for x in values if isinstance(x, Tensor))
        return [x if isinstance(x, Tensor) else Tensor(self.promoted(x).place, tuple(x.shape), lead) for x in values]


Handler = Callable[[Call], Value | list[Value]]
"""(call) -> its outputs."""
