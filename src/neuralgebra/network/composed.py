"""Structured matrices made of others: side by side, one after another, transposed, repeated."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import ShapeError
from neuralgebra.network.linear import Dense, Diagonal, Kronecker, Linear, matrix

__all__ = ["Batched", "BlockDiagonal", "Product", "Transposed", "batched", "transpose"]


def _gradients(k: Any, maps: Iterable[Linear], inputs: Iterable[Value], outputs: Iterable[Value]) -> tuple[Value, ...]:
    """Return the gradients of maps, given what goes into each of them from either side."""
    return tuple(g for m, x, y in zip(maps, inputs, outputs, strict=True) for g in m.gradient(k, x, y))


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
        parts = self._parts(x, [b.columns for b in self.blocks])
        return k.concat([b.apply(k, part) for b, part in zip(self.blocks, parts, strict=True)], axis=-1)

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the images under the transposes side by side, (..., Σ out) -> (..., Σ in)."""
        parts = self._parts(y, [b.rows for b in self.blocks])
        return k.concat([b.adjoint(k, part) for b, part in zip(self.blocks, parts, strict=True)], axis=-1)

    def _parts(self, x: Value, sizes: list[int]) -> list[Value]:
        ends = np.cumsum([0, *sizes])
        return [x[..., i:j] for i, j in itertools.pairwise(ends)]

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return the gradients of the blocks."""
        inputs = self._parts(x, [b.columns for b in self.blocks])
        outputs = self._parts(y, [b.rows for b in self.blocks])
        return _gradients(k, self.blocks, inputs, outputs)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> BlockDiagonal:
        """Return the map with every block times a constant."""
        return BlockDiagonal(tuple(b.multiplied(by) for b in self.blocks))

    def cost(self) -> int:
        """Return the number of multiplications of one application."""
        return sum(b.cost() for b in self.blocks)

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        out = np.zeros(self.shape, dtype=np.result_type(*(a.dtype for a in self.arrays)))
        row = column = 0
        for block in self.blocks:
            out[row : row + block.rows, column : column + block.columns] = block.dense()
            row, column = row + block.rows, column + block.columns
        return out


@dataclass(frozen=True, eq=False)
class Product(Linear):
    """The product of maps, kept as its factors.

    Parameters
    ----------
    factors : tuple of Linear
        The maps, applied from right to left; a product among them counts as its factors.
    """

    factors: tuple[Linear, ...]

    def __post_init__(self) -> None:
        given = map(matrix, self.factors)
        factors = tuple(f for m in given for f in (m.factors if isinstance(m, Product) else (m,)))
        if not factors:
            raise ShapeError("no factors received; at least one expected.")
        for after, before in itertools.pairwise(factors):
            if after.columns != before.rows:
                raise ShapeError(
                    f"factors of shapes {after.shape} and {before.shape} received; "
                    f"{after.columns} rows of the second expected."
                )
        object.__setattr__(self, "factors", factors)
        object.__setattr__(self, "rows", factors[0].rows)
        object.__setattr__(self, "columns", factors[-1].columns)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays of all factors."""
        return tuple(a for f in self.factors for a in f.arrays)

    def structure(self) -> tuple[Any, ...]:
        """Return the digests of the factors."""
        return tuple(f.digest for f in self.factors)

    def apply(self, k: Any, x: Value) -> Value:
        """Return the image, the last factor applied first."""
        return functools.reduce(lambda z, f: f.apply(k, z), reversed(self.factors), x)

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the image under the transpose, that of the first factor applied first."""
        return functools.reduce(lambda z, f: f.adjoint(k, z), self.factors, y)

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return the gradients of the factors, each between those before and those after it."""
        inputs = [*itertools.accumulate(self.factors[:0:-1], lambda z, f: f.apply(k, z), initial=x)]
        outputs = itertools.accumulate(self.factors[:-1], lambda z, f: f.adjoint(k, z), initial=y)
        return _gradients(k, self.factors, reversed(inputs), outputs)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Product:
        """Return the product with its first factor times a constant."""
        first, *others = self.factors
        return Product((first.multiplied(by), *others))

    def dense(self) -> np.ndarray:
        """Return the product multiplied out."""
        result: np.ndarray = functools.reduce(operator.matmul, [f.dense() for f in self.factors])
        return result

    def cost(self) -> int:
        """Return the number of multiplications of one application."""
        return sum(f.cost() for f in self.factors)


@dataclass(frozen=True, eq=False)
class Transposed(Linear):
    """The transpose of a map; `transpose` gives a simpler form where there is one.

    Parameters
    ----------
    inner : Linear
        The map.
    """

    inner: Linear

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", matrix(self.inner))
        object.__setattr__(self, "rows", self.inner.columns)
        object.__setattr__(self, "columns", self.inner.rows)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays of the map."""
        return self.inner.arrays

    def structure(self) -> tuple[Any, ...]:
        """Return the digest of the map."""
        return (self.inner.digest,)

    def apply(self, k: Any, x: Value) -> Value:
        """Return the image under the transpose of the map."""
        return self.inner.adjoint(k, x)

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the image under the map."""
        return self.inner.apply(k, y)

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return the gradients of the map, x and y exchanged."""
        return self.inner.gradient(k, y, x)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Transposed:
        """Return the transpose of the map times a constant."""
        return Transposed(self.inner.multiplied(by))

    def dense(self) -> np.ndarray:
        """Return the transposed matrix."""
        return self.inner.dense().T

    def cost(self) -> int:
        """Return the number of multiplications of one application."""
        return self.inner.cost()


@dataclass(frozen=True, eq=False)
class Batched(Linear):
    """The matrix I ⊗ W: one map on each of several groups of consecutive coordinates.

    Parameters
    ----------
    inner : Linear
        W.
    copies : int
        Size of the identity.
    """

    inner: Linear
    copies: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "inner", matrix(self.inner))
        object.__setattr__(self, "copies", int(self.copies))
        if self.copies < 1:
            raise ShapeError(f"copies={self.copies} received; at least 1 expected.")
        object.__setattr__(self, "rows", self.copies * self.inner.rows)
        object.__setattr__(self, "columns", self.copies * self.inner.columns)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arrays of the map."""
        return self.inner.arrays

    def structure(self) -> tuple[Any, ...]:
        """Return the digest of the map and the number of copies."""
        return self.inner.digest, self.copies

    def apply(self, k: Any, x: Value) -> Value:
        """Return the images side by side, (..., copies·in) -> (..., copies·out)."""
        images = self.inner.apply(k, k.reshape(x, (*x.shape[:-1], self.copies, self.inner.columns)))
        return k.reshape(images, (*x.shape[:-1], self.rows))

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the images under the transpose side by side, (..., copies·out) -> (..., copies·in)."""
        images = self.inner.adjoint(k, k.reshape(y, (*y.shape[:-1], self.copies, self.inner.rows)))
        return k.reshape(images, (*y.shape[:-1], self.columns))

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return the gradients of the map, summed over the copies."""
        *batch, samples, _ = x.shape
        inputs = k.reshape(x, (*batch, samples * self.copies, self.inner.columns))
        return self.inner.gradient(k, inputs, k.reshape(y, (*batch, samples * self.copies, self.inner.rows)))

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Batched:
        """Return the copies of the map times a constant."""
        return Batched(self.inner.multiplied(by), self.copies)

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        inner = self.inner.dense()
        return np.kron(np.eye(self.copies, dtype=inner.dtype), inner)

    def cost(self) -> int:
        """Return the number of multiplications of one application."""
        return self.copies * self.inner.cost()


def transpose(linear: Linear) -> Linear:
    """Return the transpose of a map in its simplest form, of the same arrays.

    Parameters
    ----------
    linear : Linear
        The map.

    Returns
    -------
    Linear
        Its transpose: only matrices with arrays of their own stand under `Transposed`, and symmetric ones do not.
    """
    match linear:
        case Diagonal() | Kronecker(weight=np.ndarray(size=1)):
            return linear
        case Transposed(inner=inner):
            return inner
        case Product(factors=factors):
            return Product(tuple(map(transpose, reversed(factors))))
        case BlockDiagonal(blocks=blocks):
            return BlockDiagonal(tuple(map(transpose, blocks)))
        case Batched(inner=inner, copies=copies):
            return batched(transpose(inner), copies)
    return Transposed(linear)


def batched(linear: Linear, copies: int) -> Linear:
    """Return I ⊗ W in its simplest form, of the same arrays.

    Parameters
    ----------
    linear : Linear
        W.
    copies : int
        Size of the identity.

    Returns
    -------
    Linear
        W itself for one copy; full matrices become Kronecker products.
    """
    match linear:
        case _ if copies == 1:
            return linear
        case Dense(weight=weight):
            return Kronecker(weight, copies)
        case Kronecker(weight=weight, before=before, after=after):
            return Kronecker(weight, copies * before, after)
        case Batched(inner=inner, copies=before):
            return Batched(inner, copies * before)
    return Batched(linear, copies)
