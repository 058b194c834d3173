"""Structured matrices: linear maps that keep their structure and are never made dense behind the user's back.

Each runs on every kind of number through ``apply(k, x)``, on the last axis of x.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import DtypeError, InputError, ShapeError

__all__ = ["BlockDiagonal", "Convolution", "Dense", "Diagonal", "Kronecker", "Linear", "frozen", "matrix"]


def frozen(values: Any, what: str = "weights") -> np.ndarray:
    """Return a read-only float array; a finite float32 or float64 array stays as it is, integers become float64."""
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype not in (np.float32, np.float64):
        raise DtypeError(f"{what} of dtype {array.dtype} received; float32 or float64 expected.")
    if not np.isfinite(array).all():
        raise InputError(f"{what} with NaN or infinity received; finite numbers expected.")
    if array.flags.writeable or array.base is not None:  # a read-only view may look at memory that changes
        array = array.copy()
        array.flags.writeable = False
    return array


def digest(*parts: Any) -> bytes:
    """Return a short hash of arrays and texts: dtype, shape and bytes decide."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            state.update(f"{part.dtype.str}{part.shape}".encode() + np.ascontiguousarray(part).tobytes())
        else:
            state.update(part if isinstance(part, bytes) else repr(part).encode())
        state.update(b"\0")
    return state.digest()


class Linear:
    """A linear map from `columns` to `rows` coordinates; equal content is equal."""

    rows: int
    columns: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (out, in)."""
        return self.rows, self.columns

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays of numbers that make up the map."""
        raise NotImplementedError

    def structure(self) -> tuple[Any, ...]:
        """Return what besides the arrays defines the map."""
        return ()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self))  # type: ignore[arg-type]

    @cached_property
    def digest(self) -> bytes:
        """Hash of the content."""
        return digest(type(self).__name__, *self.structure(), *self.arrays)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Linear) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def apply(self, k: Any, x: Value) -> Value:
        """Return the image of x, (..., columns) -> (..., rows)."""
        raise NotImplementedError

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Linear:
        """Return the map with a function applied to every entry, in the same structure; 0 must stay 0."""
        raise NotImplementedError

    def dense(self) -> np.ndarray:
        """Return the matrix, (rows, columns)."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """Number of numbers that define the map."""
        return sum(a.size for a in self.arrays)


@dataclass(frozen=True, eq=False)
class Dense(Linear):
    """A full matrix W.

    Parameters
    ----------
    weight : ndarray, shape (out, in)
        Its entries.
    """

    weight: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", frozen(self.weight))
        if self.weight.ndim != 2 or 0 in self.weight.shape:
            raise ShapeError(f"a weight of shape {self.weight.shape} received; (out, in) expected, both at least 1.")
        object.__setattr__(self, "rows", self.weight.shape[0])
        object.__setattr__(self, "columns", self.weight.shape[1])

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The matrix."""
        return (self.weight,)

    def apply(self, k: Any, x: Value) -> Value:
        """Return W x, (..., in) -> (..., out)."""
        return k.matvec(self.weight, x)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Dense:
        """Return the matrix with a function applied to every entry."""
        return Dense(function(self.weight))

    def dense(self) -> np.ndarray:
        """Return W."""
        return self.weight


@dataclass(frozen=True, eq=False)
class Diagonal(Linear):
    """A diagonal matrix.

    Parameters
    ----------
    entries : ndarray, shape (n,)
        The diagonal.
    """

    entries: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", frozen(self.entries))
        if self.entries.ndim != 1 or not self.entries.size:
            raise ShapeError(f"a diagonal of shape {self.entries.shape} received; (n,) expected.")
        object.__setattr__(self, "rows", self.entries.size)
        object.__setattr__(self, "columns", self.entries.size)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The diagonal."""
        return (self.entries,)

    def apply(self, k: Any, x: Value) -> Value:
        """Return each coordinate times its entry, (..., n) -> (..., n)."""
        return x * k.weight(self.entries)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Diagonal:
        """Return the diagonal with a function applied to every entry."""
        return Diagonal(function(self.entries))

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        return np.diag(self.entries)


@dataclass(frozen=True, eq=False)
class Kronecker(Linear):
    """The matrix I_before ⊗ W ⊗ I_after: W applied along the middle of three axes.

    Parameters
    ----------
    weight : ndarray, shape (out, in)
        W.
    before, after : int
        Sizes of the identities: (before·in·after) coordinates become (before·out·after).
    """

    weight: np.ndarray
    before: int = 1
    after: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", Dense(self.weight).weight)
        object.__setattr__(self, "before", int(self.before))
        object.__setattr__(self, "after", int(self.after))
        if min(self.before, self.after) < 1:
            raise ShapeError(f"before={self.before}, after={self.after} received; at least 1 each expected.")
        out, inner = self.weight.shape
        object.__setattr__(self, "rows", self.before * out * self.after)
        object.__setattr__(self, "columns", self.before * inner * self.after)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The matrix W."""
        return (self.weight,)

    def structure(self) -> tuple[Any, ...]:
        """Return the sizes of the identities."""
        return self.before, self.after

    def apply(self, k: Any, x: Value) -> Value:
        """Return the image, (..., before·in·after) -> (..., before·out·after)."""
        out, inner = self.weight.shape
        batch = tuple(x.shape[:-1])
        if (out, inner) == (1, 1):
            return x * k.weight(self.weight[0])
        blocks = k.weight(self.weight) @ k.reshape(x, (*batch, self.before, inner, self.after))
        return k.reshape(blocks, (*batch, self.rows))

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Kronecker:
        """Return the map with a function applied to every entry of W."""
        return Kronecker(function(self.weight), self.before, self.after)

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        middle = np.kron(self.weight, np.eye(self.after, dtype=self.weight.dtype))
        return np.kron(np.eye(self.before, dtype=self.weight.dtype), middle)


@dataclass(frozen=True, eq=False)
class BlockDiagonal(Linear):
    """Maps side by side, each on its own coordinates.

    Parameters
    ----------
    blocks : tuple of Linear
        The maps, in the order of their coordinates.
    """

    blocks: tuple[Linear, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(map(matrix, self.blocks)))
        if not self.blocks:
            raise ShapeError("no blocks received; at least one expected.")
        object.__setattr__(self, "rows", sum(b.rows for b in self.blocks))
        object.__setattr__(self, "columns", sum(b.columns for b in self.blocks))

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays of all blocks."""
        return tuple(a for b in self.blocks for a in b.arrays)

    def structure(self) -> tuple[Any, ...]:
        """Return the digests of the blocks."""
        return tuple(b.digest for b in self.blocks)

    def apply(self, k: Any, x: Value) -> Value:
        """Return the images side by side, (..., Σ in) -> (..., Σ out)."""
        ends = np.cumsum([0, *(b.columns for b in self.blocks)])
        parts = [b.apply(k, x[..., i:j]) for b, i, j in zip(self.blocks, ends, ends[1:], strict=False)]
        return k.concat(parts, axis=-1)

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> BlockDiagonal:
        """Return the map with a function applied to every entry of every block."""
        return BlockDiagonal(tuple(b.mapped(function) for b in self.blocks))

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        out = np.zeros(self.shape, dtype=np.result_type(*(a.dtype for a in self.arrays)))
        row = column = 0
        for block in self.blocks:
            out[row : row + block.rows, column : column + block.columns] = block.dense()
            row, column = row + block.rows, column + block.columns
        return out


@dataclass(frozen=True, eq=False)
class Convolution(Linear):
    """A convolution as patches taken by index and multiplied by one kernel.

    Parameters
    ----------
    kernel : ndarray, shape (out_channels, patch)
        One row per output channel.
    patches : ndarray of int, shape (positions, patch)
        Input coordinate of each entry of each patch; -1 is padding.
    size : int
        Number of input coordinates. Outputs are ordered channel by channel: (out_channels, positions), row-major.
    """

    kernel: np.ndarray
    patches: np.ndarray
    size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", Dense(self.kernel).weight)
        patches = np.array(self.patches, dtype=np.int64)
        object.__setattr__(self, "size", int(self.size))
        if patches.ndim != 2 or not len(patches) or patches.shape[1] != self.kernel.shape[1]:
            raise ShapeError(
                f"patches of shape {patches.shape} received; (positions, {self.kernel.shape[1]}) expected."
            )
        if patches.min() < -1 or patches.max() >= self.size:
            raise InputError(f"patch indices up to {patches.max()} received; -1 to {self.size - 1} expected.")
        patches.flags.writeable = False
        object.__setattr__(self, "patches", patches)
        object.__setattr__(self, "rows", self.kernel.shape[0] * len(patches))
        object.__setattr__(self, "columns", self.size)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The kernel."""
        return (self.kernel,)

    def structure(self) -> tuple[Any, ...]:
        """Return the wiring."""
        return digest(self.patches), self.size

    def apply(self, k: Any, x: Value) -> Value:
        """Return the image, (..., size) -> (..., out_channels·positions)."""
        batch = tuple(x.shape[:-1])
        padded = k.concat([x, k.zeros((*batch, 1))], axis=-1)
        index = np.where(self.patches < 0, self.size, self.patches)
        patches = k.take(padded, index.T, axis=-1)
        return k.reshape(k.weight(self.kernel) @ patches, (*batch, self.rows))

    def mapped(self, function: Callable[[np.ndarray], np.ndarray]) -> Convolution:
        """Return the map with a function applied to every entry of the kernel."""
        return Convolution(function(self.kernel), self.patches, self.size)

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        positions = len(self.patches)
        out = np.zeros((self.kernel.shape[0], positions, self.size + 1), dtype=self.kernel.dtype)
        for channel, kernel in enumerate(self.kernel):
            for position, patch in enumerate(self.patches):
                np.add.at(out[channel, position], patch, kernel)
        return out[..., : self.size].reshape(self.shape)


def matrix(weight: Any) -> Linear:
    """Return a structured matrix from one, or from a full array of shape (out, in)."""
    return weight if isinstance(weight, Linear) else Dense(weight)


def identity(size: int, copies: int = 1, factors: Any = None, dtype: np.dtype | type = np.float64) -> Kronecker:
    """Return [c₁I, c₂I, …]: the sum of `copies` blocks of `size` coordinates, each times its factor."""
    row = np.ones((1, copies), dtype) if factors is None else np.asarray([factors], dtype)
    return Kronecker(row, 1, size)


def is_identity(weight: Linear) -> bool:
    """Return whether a map is known to be the identity, from its structure."""
    if isinstance(weight, Diagonal):
        return bool(np.all(weight.entries == 1))
    if isinstance(weight, Kronecker):
        return weight.weight.shape[0] == weight.weight.shape[1] and bool(
            np.array_equal(weight.weight, np.eye(len(weight.weight)))
        )
    return False


def cost(weight: Linear) -> int:
    """Return the number of multiplications of one application."""
    if isinstance(weight, Kronecker):
        return weight.weight.size * weight.before * weight.after
    if isinstance(weight, Convolution):
        return weight.kernel.size * len(weight.patches)
    if isinstance(weight, BlockDiagonal):
        return sum(cost(b) for b in weight.blocks)
    return math.prod(weight.arrays[0].shape)
