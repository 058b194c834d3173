"""Structured matrices: linear maps that keep their structure and are never made dense behind the user's back.

Each runs on every kind of number through ``apply(k, x)``, on the last axis of x, and so does its transpose through
``adjoint(k, y)``. The arrays of a map reach the kind as the very objects that `arrays` names, so that a kind may put
other numbers in their place.

========================  =============================================  ==========================================
map                       matrix                                         defined in
========================  =============================================  ==========================================
``Dense``                 W                                              here
``Diagonal``              diag(w)                                        here
``Spread``                diagonal matrices, one below the other         here
``Kronecker``             I ⊗ W ⊗ I                                      here
``Convolution``           one kernel on patches                          ``network.convolution``
``BlockDiagonal``         maps side by side                              ``network.composed``
``Batched``               I ⊗ map                                        ``network.composed``
``Product``               maps one after another                         ``network.composed``
``Transposed``            the transpose of a map                         ``network.composed``
========================  =============================================  ==========================================
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import DtypeError, InputError, ShapeError

__all__ = [
    "Dense",
    "Diagonal",
    "Kronecker",
    "Linear",
    "Spread",
    "attributes",
    "contraction",
    "digest",
    "frozen",
    "full",
    "identity",
    "is_identity",
    "matrix",
    "restored",
    "turned",
]


def frozen(values: Any, what: str = "weights") -> np.ndarray:
    """Return a read-only float array; a finite float32 or float64 array stays as it is, integers become float64."""
    array = np.asarray(values)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype not in (np.float32, np.float64):
        raise DtypeError(f"{what} of dtype {array.dtype} received; float32 or float64 expected.")
    if not np.isfinite(array).all():
        raise InputError(f"{what} with NaN or infinity received; finite numbers expected.")
    if not _stays(array):
        array = array.copy()
        array.flags.writeable = False
    return array


def _stays(array: Any) -> bool:
    """Return whether the memory of an array is read-only all the way down: a view may look at memory that changes."""
    while isinstance(array, np.ndarray):
        if array.flags.writeable:
            return False
        array = array.base
    return array is None or isinstance(array, bytes)


def restored(kind: type, values: dict[str, Any]) -> Any:
    """Return a matrix or a layer from its attributes, for copies and pickles: arrays that were one stay one."""
    new: Any = object.__new__(kind)
    for value in values.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    vars(new).update(values)
    return new


def attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes of a matrix or a layer, without what was computed when first asked for."""
    kind = type(thing)
    return {n: v for n, v in vars(thing).items() if not isinstance(getattr(kind, n, None), cached_property)}


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


def full(weight: Any, axes: str = "(out, in)") -> np.ndarray:
    """Return an array of two axes, read-only."""
    array = frozen(weight)
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(f"a weight of shape {array.shape} received; {axes} expected, both at least 1.")
    return array


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
        return restored, (type(self), attributes(self))

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

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the image of y under the transpose, (..., rows) -> (..., columns)."""
        raise NotImplementedError

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return the derivative of Σₛ ⟨yₛ, W xₛ⟩ with respect to each of `arrays`, in their order.

        Shapes are (..., s, columns) and (..., s, rows), with equal leading axes, -> (..., *array.shape) each.
        """
        raise NotImplementedError

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Linear:
        """Return the map times a constant, in the same structure; `by` multiplies an array by the constant."""
        raise NotImplementedError

    def dense(self) -> np.ndarray:
        """Return the matrix, (rows, columns)."""
        raise NotImplementedError

    def cost(self) -> int:
        """Return the number of multiplications of one application."""
        return self.count

    @property
    def count(self) -> int:
        """Number of numbers that define the map."""
        return sum(a.size for a in self.arrays)


def turned(k: Any, x: Value) -> Value:
    """Return an array with its last two axes exchanged."""
    n = len(x.shape)
    return k.permute(x, (*range(n - 2), n - 1, n - 2))


def contraction(k: Any, y: Value, out: int, x: Value, inner: int, after: int) -> Value:
    """Return Σ y xᵀ, (..., s, b·out·after) and (..., s, b·in·after) -> (..., out, in)."""
    return _middle(k, y, out, after) @ turned(k, _middle(k, x, inner, after))


def _middle(k: Any, x: Value, size: int, after: int) -> Value:
    """Return the middle of three axes first, (..., s, b·size·after) -> (..., size, s·b·after)."""
    *batch, samples, coordinates = x.shape
    before, n = samples * coordinates // (size * after), len(batch)
    blocks = k.permute(k.reshape(x, (*batch, before, size, after)), (*range(n), n + 1, n, n + 2))
    return k.reshape(blocks, (*batch, size, before * after))


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
        object.__setattr__(self, "weight", full(self.weight))
        object.__setattr__(self, "rows", self.weight.shape[0])
        object.__setattr__(self, "columns", self.weight.shape[1])

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The matrix."""
        return (self.weight,)

    def apply(self, k: Any, x: Value) -> Value:
        """Return W x, (..., in) -> (..., out)."""
        return k.matvec(self.weight, x)

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return Wᵀ y, (..., out) -> (..., in)."""
        return k.rmatvec(self.weight, y)

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return Σₛ yₛ xₛᵀ."""
        return (turned(k, y) @ x,)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Dense:
        """Return the matrix times a constant."""
        return Dense(by(self.weight))

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

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return each coordinate times its entry: the matrix is symmetric."""
        return self.apply(k, y)

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return Σₛ yₛ xₛ, coordinate by coordinate."""
        return (k.total(x * y, axis=-2),)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Diagonal:
        """Return the diagonal times a constant."""
        return Diagonal(by(self.entries))

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        return np.diag(self.entries)


@dataclass(frozen=True, eq=False)
class Spread(Linear):
    """Diagonal matrices one below the other: each coordinate is multiplied by each row of weights.

    Parameters
    ----------
    weight : ndarray, shape (r, n)
        The diagonals: n coordinates become r·n, row-major.
    """

    weight: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", full(self.weight, "(r, n)"))
        object.__setattr__(self, "rows", self.weight.size)
        object.__setattr__(self, "columns", self.weight.shape[1])

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The diagonals."""
        return (self.weight,)

    def apply(self, k: Any, x: Value) -> Value:
        """Return each coordinate times its weights, (..., n) -> (..., r·n)."""
        *batch, n = x.shape
        return k.reshape(k.reshape(x, (*batch, 1, n)) * k.weight(self.weight), (*batch, self.rows))

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the sums of the rows times their weights, (..., r·n) -> (..., n)."""
        return k.total(self._rows(k, y) * k.weight(self.weight), axis=-2)

    def _rows(self, k: Any, y: Value) -> Value:
        return k.reshape(y, (*y.shape[:-1], *self.weight.shape))

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return Σₛ yₛ xₛ, coordinate by coordinate of each row."""
        *batch, n = x.shape
        return (k.total(k.reshape(x, (*batch, 1, n)) * self._rows(k, y), axis=-3),)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Spread:
        """Return the diagonals times a constant."""
        return Spread(by(self.weight))

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        return np.vstack([np.diag(row) for row in self.weight])


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
        object.__setattr__(self, "weight", full(self.weight))
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
        return self._along(k, x, False)

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the image under the transpose, (..., before·out·after) -> (..., before·in·after)."""
        return self._along(k, y, True)

    def _along(self, k: Any, x: Value, back: bool) -> Value:
        """Return the middle of the three axes multiplied by W, or by its transpose."""
        new, old = reversed(self.weight.shape) if back else self.weight.shape
        batch = tuple(x.shape[:-1])
        if old == new == 1:
            return x * k.reshape(k.weight(self.weight), (1,))
        if self.after == 1:
            blocks = (k.rmatvec if back else k.matvec)(self.weight, k.reshape(x, (*batch, self.before, old)))
        else:
            weight = k.weight(self.weight)
            blocks = k.reshape(x, (*batch, self.before, old, self.after))
            blocks = (turned(k, weight) if back else weight) @ blocks
        return k.reshape(blocks, (*batch, self.before * new * self.after))

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return the sum of the gradients of all copies of W."""
        out, inner = self.weight.shape
        return (contraction(k, y, out, x, inner, self.after),)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Kronecker:
        """Return the map with W times a constant."""
        return Kronecker(by(self.weight), self.before, self.after)

    def cost(self) -> int:
        """Return the number of multiplications of one application."""
        return self.weight.size * self.before * self.after

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        middle = np.kron(self.weight, np.eye(self.after, dtype=self.weight.dtype))
        return np.kron(np.eye(self.before, dtype=self.weight.dtype), middle)


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
