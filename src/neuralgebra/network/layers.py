"""The kinds of layer; each is an immutable map between vectors.

========================  =============================================  ==========================================
layer                     map                                            remark
========================  =============================================  ==========================================
``Affine``                x ↦ W x + b                                    W structured
``Elementwise``           xᵢ ↦ σᵢ(xᵢ)                                    one activation, or blocks of coordinates
``Multiply``              (u, v) ↦ u·v, batched matrix product           Hadamard by default
``Maximum``               x ↦ maxima of groups                           first argmax
``Softmax``               x ↦ e^{xᵢ}/Σ e^{xⱼ} per group                  or its logarithm
``PowerProduct``          x ↦ e^{b} ∏ xⱼ^{Wᵢⱼ}                           x > 0
``Mixing``                x ↦ f(W f⁻¹(x) + b)                            f with an inverse in the catalogue
``Concatenate``           (u, v, …) ↦ one vector                         wiring
``Select``                x ↦ coordinates of x                           wiring
========================  =============================================  ==========================================
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import neuralgebra.functions.catalogue
import neuralgebra.functions.conjugate_bases  # noqa: F401  (layers name functions, so the tables must be filled)
from neuralgebra.errors import InputError, ShapeError, shown
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.linear import Linear, attributes, digest, frozen, matrix, restored

__all__ = [
    "Affine",
    "Concatenate",
    "Elementwise",
    "Layer",
    "Maximum",
    "Mixing",
    "Multiply",
    "PowerProduct",
    "Select",
    "Softmax",
]


class Layer:
    """A map from one or more vectors to one; equal content is equal."""

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the output size for given input sizes, or raise ShapeError."""
        raise NotImplementedError

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Arrays of trained numbers."""
        return ()

    def structure(self) -> tuple[Any, ...]:
        """Return what besides the arrays defines the layer."""
        return ()

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (type(self), attributes(self))

    @cached_property
    def digest(self) -> bytes:
        """Hash of the content."""
        return digest(type(self).__name__, *self.structure(), *self.arrays)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Layer) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return type(self).__name__

    def _expect(self, inputs: Sequence[int], *expected: int) -> None:
        if tuple(inputs) != expected:
            raise ShapeError(f"{self} received {_sizes(inputs)}; {_sizes(expected)} expected.")

    def _one(self, inputs: Sequence[int]) -> int:
        if len(inputs) != 1:
            raise ShapeError(f"{self} received {len(inputs)} arguments; one expected.")
        return inputs[0]


def _sizes(sizes: Sequence[int]) -> str:
    return " and ".join(f"{n} coordinate{'s' * (n != 1)}" for n in sizes)


class _Weighted(Layer):
    """What Affine, PowerProduct and Mixing share: a structured matrix and a bias or None."""

    weight: Linear | Any
    bias: Any

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", matrix(self.weight))
        if self.bias is not None:
            object.__setattr__(self, "bias", frozen(self.bias, "bias"))
            if self.bias.shape != (self.weight.rows,):
                raise ShapeError(
                    f"a bias of shape {self.bias.shape} received for a weight of shape {self.weight.shape}; "
                    f"({self.weight.rows},) expected."
                )

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """Weight arrays, then the bias if there is one."""
        return self.weight.arrays if self.bias is None else (*self.weight.arrays, self.bias)

    def structure(self) -> tuple[Any, ...]:
        """Return the structure of the matrix, and whether there is a bias."""
        return self.weight.digest, self.bias is None

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the number of rows."""
        self._expect(inputs, self.weight.columns)
        return self.weight.rows

    def __str__(self) -> str:
        return f"{type(self).__name__} {self.weight.columns}→{self.weight.rows}"


@dataclass(frozen=True, eq=False)
class Affine(_Weighted):
    """The affine map x ↦ W x + b.

    Parameters
    ----------
    weight : Linear or array_like, shape (out, in)
        W.
    bias : array_like, shape (out,), optional
        b.
    """

    weight: Linear | Any
    bias: Any = None


@dataclass(frozen=True, eq=False)
class PowerProduct(_Weighted):
    """The multiplicative layer x ↦ e^{b} ∏ x_j^{W_ij}, for x > 0.

    Parameters
    ----------
    weight : Linear or array_like, shape (out, in)
        Exponents.
    bias : array_like, shape (out,), optional
        b, the logarithms of the factors.
    """

    weight: Linear | Any
    bias: Any = None


@dataclass(frozen=True, eq=False)
class Mixing(_Weighted):
    """The layer x ↦ f(W f⁻¹(x) + b); f = identity is Affine, f = exp is PowerProduct.

    Parameters
    ----------
    function : Activation or str
        f; its row must name an inverse.
    weight : Linear or array_like, shape (out, in)
        W.
    bias : array_like, shape (out,), optional
        b.
    """

    function: Activation | Any
    weight: Linear | Any
    bias: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "function", _activation(self.function))
        if self.function.inverse is None:
            raise InputError(f"Mixing by {self.function} received; a function with an inverse is expected.")

    @property
    def inverse(self) -> Activation:
        """The inverse of f."""
        inverse = self.function.inverse
        assert inverse is not None
        return inverse

    def structure(self) -> tuple[Any, ...]:
        """Return f and the structure of the matrix."""
        return (*_identity(self.function), *super().structure())


@dataclass(frozen=True, eq=False)
class Elementwise(Layer):
    """An activation on each coordinate.

    Parameters
    ----------
    activations : Activation, str or sequence of (Activation, size)
        One function for all coordinates, or blocks of consecutive coordinates with one function each.
    """

    activations: Any

    def __post_init__(self) -> None:
        blocks: Any = self.activations
        if isinstance(blocks, Activation | str):
            blocks = ((blocks, None),)
        blocks = tuple((_activation(a), None if n is None else int(n)) for a, n in blocks)
        if not blocks or (len(blocks) > 1 and any(n is None for _, n in blocks)):
            raise ShapeError(f"{len(blocks)} blocks received; a function, or a size for each of several, expected.")
        merged: list[tuple[Activation, int | None]] = []
        for function, size in blocks:
            per_unit = any(isinstance(v, tuple) for _, v in function.parameters)
            if merged and merged[-1][0] == function and not per_unit and size is not None and merged[-1][1] is not None:
                merged[-1] = (function, merged[-1][1] + size)
            else:
                merged.append((function, size))
        object.__setattr__(self, "activations", tuple(merged))

    @property
    def only(self) -> Activation | None:
        """The function, if one serves all coordinates."""
        (function, _), *others = self.activations
        return None if others else function

    @cached_property
    def blocks(self) -> tuple[tuple[Activation, int, int | None], ...]:
        """Each function with the first coordinate it is applied to and the one after the last."""
        ends = list(itertools.accumulate((n or 0 for _, n in self.activations), initial=0))
        if self.only is not None:
            return ((self.only, 0, self.activations[0][1]),)
        return tuple((f, i, i + int(n or 0)) for (f, n), i in zip(self.activations, ends, strict=False))

    def structure(self) -> tuple[Any, ...]:
        """Return functions, parameters and block sizes."""
        return tuple((*_identity(a), n if len(self.activations) > 1 else None) for a, n in self.activations)

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the input size."""
        size = self._one(inputs)
        if self.activations[0][1] is not None:
            self._expect(inputs, sum(n or 0 for _, n in self.activations))
        for function, n in self.activations:
            _check_parameters(function, n or size)
        return size

    def __str__(self) -> str:
        return ", ".join(str(a) + (f" ×{n}" if len(self.activations) > 1 else "") for a, n in self.activations)


@dataclass(frozen=True, eq=False)
class Multiply(Layer):
    """The product of two inputs: coordinate by coordinate, or as a batched matrix product.

    Parameters
    ----------
    shape : tuple of int, optional
        (batch, p, q, r): the inputs are batch·p·q and batch·q·r coordinates, row-major, the output batch·p·r.
        By default the inputs have one size and are multiplied coordinate by coordinate.
    """

    shape: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.shape is None:
            return
        sizes = tuple(int(n) for n in self.shape)
        if len(sizes) != 4 or min(sizes) < 1:
            raise ShapeError(f"Multiply of shape {sizes} received; (batch, p, q, r), each at least 1, expected.")
        object.__setattr__(self, "shape", sizes)

    def structure(self) -> tuple[Any, ...]:
        """Return the shape of the contraction."""
        return (self.shape,)

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the output size."""
        if self.shape is None:
            self._expect(inputs, *([*inputs[:1]] * 2))
            return inputs[0]
        batch, p, q, r = self.shape
        self._expect(inputs, batch * p * q, batch * q * r)
        return batch * p * r


@dataclass(frozen=True, eq=False)
class Maximum(Layer):
    """The maximum of each group of coordinates; at a tie the first counts.

    Parameters
    ----------
    groups : array_like of int, shape (out, size)
        Coordinates of each group; a shorter group repeats one of its own.
    """

    groups: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", _indices(self.groups, 2, "groups of shape (out, size)"))

    def structure(self) -> tuple[Any, ...]:
        """Return the groups."""
        return (digest(self.groups),)

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the number of groups."""
        _check_indices(self.groups, self._one(inputs), self)
        return len(self.groups)


@dataclass(frozen=True, eq=False)
class Softmax(Layer):
    """Softmax of consecutive groups of coordinates, or its logarithm.

    Parameters
    ----------
    group : int, optional
        Size of a group; all coordinates by default.
    log : bool
        Return the logarithm.
    """

    group: int | None = None
    log: bool = False

    def __post_init__(self) -> None:
        if self.group is not None and (not isinstance(self.group, int | np.integer) or self.group < 1):
            raise ShapeError(f"groups of {self.group} received; an integer, at least 1, expected.")
        object.__setattr__(self, "group", None if self.group is None else int(self.group))

    def structure(self) -> tuple[Any, ...]:
        """Return group size and form."""
        return self.group, self.log

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the input size."""
        size = self._one(inputs)
        if self.group is not None and size % self.group:
            raise ShapeError(f"{size} coordinates received; a multiple of the group size {self.group} expected.")
        return size

    def __str__(self) -> str:
        name = "LogSoftmax" if self.log else "Softmax"
        return name if self.group is None else f"{name}(groups of {self.group})"


@dataclass(frozen=True, eq=False)
class Concatenate(Layer):
    """The inputs one after another."""

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the sum of the sizes."""
        return sum(inputs)


@dataclass(frozen=True, eq=False)
class Select(Layer):
    """Some coordinates, in a given order; repetition is allowed.

    Parameters
    ----------
    indices : array_like of int, shape (out,)
        Their positions.
    """

    indices: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "indices", _indices(self.indices, 1, "indices of shape (out,)"))

    def structure(self) -> tuple[Any, ...]:
        """Return the positions."""
        return (digest(self.indices),)

    def sizes(self, inputs: Sequence[int]) -> int:
        """Return the number of positions."""
        _check_indices(self.indices, self._one(inputs), self)
        return len(self.indices)

    def __str__(self) -> str:
        return f"Select {len(self.indices)}"


def _activation(function: Activation | str) -> Activation:
    if not isinstance(function, Activation | str):
        raise InputError(f"function {shown(repr(function))} received; a name, or what na.activation gives, expected.")
    return activation(function) if isinstance(function, str) else function


def _identity(function: Activation) -> tuple[Any, ...]:
    """Return what tells a function from every other: equal parameters are the same, be they written 1 or 1.0."""
    return function.name, function.row.fingerprint, tuple((n, _ratio(v)) for n, v in function.parameters)


def _ratio(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_ratio, value))
    return value.as_integer_ratio() if math.isfinite(value) else float(value)


def _check_parameters(function: Activation, size: int) -> None:
    for name, value in function.parameters:
        if isinstance(value, tuple) and len(value) != size:
            raise ShapeError(f"{len(value)} values of {name} received for {size} coordinates; one each expected.")


def _indices(values: Any, ndim: int, expected: str) -> np.ndarray:
    array = np.array(values)
    if array.ndim != ndim or array.dtype.kind not in "iu" or not array.size:
        raise ShapeError(f"integer array of shape {array.shape} and dtype {array.dtype} received; {expected} expected.")
    array = array.astype(np.int64)
    array.flags.writeable = False
    return array


def _check_indices(indices: np.ndarray, size: int, layer: Layer) -> None:
    if indices.min() < 0 or indices.max() >= size:
        raise ShapeError(f"{layer} takes coordinates {indices.min()} to {indices.max()}; it received {size}.")
