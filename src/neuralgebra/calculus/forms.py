"""What is wanted of a Hessian Σ_l J_lᵀ M_l J_l: all of it, its diagonal, or its contraction with a matrix.

Each form adds up contributions: `diagonal` for a curvature M = diag(c), `general` for any other, given as M J. Shapes:
c (m, N, n), J (K, N, n), M J (m, K, N, n), with K directions; N is 1 where a quantity is the same for all points.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import total

__all__ = ["Contraction", "Diagonal", "Form", "Full", "Trace"]

# So few directions are multiplied pair by pair; more of them as matrices.
_PAIRWISE = 4


class Form:
    """A sum of contributions.

    Parameters
    ----------
    k : Kind
        The kind of number.
    directions : int
        K.
    """

    def __init__(self, k: Any, directions: int) -> None:
        self.k, self.directions = k, directions
        self.parts: list[Value] = []

    def diagonal(self, c: Value, j: Value) -> None:
        """Add Jᵀ diag(c) J."""
        raise NotImplementedError

    def general(self, mj: Value, j: Value) -> None:
        """Add Jᵀ (M J)."""
        raise NotImplementedError

    def result(self) -> Value | None:
        """Return the sum; None is zero."""
        return total(self.parts)


class Full(Form):
    """All of it: (N, m, K, K), symmetric bit for bit."""

    def __init__(self, k: Any, directions: int) -> None:
        super().__init__(k, directions)
        few = directions <= _PAIRWISE and not k.in_loops
        self.pairs = IndexSet.full(directions, 2).levels[2] if few else ()
        self.packed: list[Value] = []

    def diagonal(self, c: Value, j: Value) -> None:
        """Add Jᵀ diag(c) J."""
        if self.pairs:
            self._pairwise([c * j[i, None, ...] for i in range(self.directions)], j)
        elif self.k.in_loops:
            self.general(c[:, None, ...] * j[None, ...], j)
        elif j.shape[1] == 1 and c.shape[1] > 1:
            self._constant(c, j)
        elif 2 * c.shape[0] > self.directions:
            self._by_products(c, j)
        else:
            self.general(c[:, None, ...] * j[None, ...], j)

    def general(self, mj: Value, j: Value) -> None:
        """Add Jᵀ (M J)."""
        if self.pairs:
            return self._pairwise([mj[:, i, ...] for i in range(self.directions)], j)
        if self.k.in_loops:
            return self._packed(mj, j)
        k, (m, count, points, n) = self.k, mj.shape
        rows = k.reshape(k.permute(mj, (2, 0, 1, 3)), (points, m * count, n))
        product = rows @ k.permute(j, (1, 2, 0))
        return self.parts.append(k.reshape(product, (product.shape[0], m, count, count)))

    def _pairwise(self, mj: list[Value], j: Value) -> None:
        """Add M J times J for each pair of directions, (pairs, m, N)."""
        k = self.k
        products = [k.dot(mj[a], j[b, None, ...])[None, ...] for a, b in self.pairs]
        self.parts.append(k.concat(products, 0))

    def _packed(self, mj: Value, j: Value) -> None:
        """Add M J times J for each pair of directions, as one sum over units."""
        first, second = np.triu_indices(self.directions)
        products = self.k.dot(self.k.take(mj, first, 1), self.k.take(j, second, 0)[None, ...])
        self.packed.append(self.k.permute(products, (2, 0, 1)))

    def _constant(self, c: Value, j: Value) -> None:
        """Add Jᵀ diag(c) J for one J: a product with all its products of two columns."""
        k, (m, points, n), count = self.k, c.shape, self.directions
        squares = k.reshape(j[:, None, 0, :] * j[None, :, 0, :], (count * count, n))
        product = c @ k.permute(squares, (1, 0))
        self.parts.append(k.permute(k.reshape(product, (m, points, count, count)), (1, 0, 2, 3)))

    def _by_products(self, c: Value, j: Value) -> None:
        """Add Jᵀ diag(c) J, packed, for many outputs: the products of two columns serve them all."""
        k, count = self.k, self.directions
        first, second = np.triu_indices(count)
        squares = k.take(j, first, 0) * k.take(j, second, 0)
        self.packed.append(k.permute(c, (1, 0, 2)) @ k.permute(squares, (1, 2, 0)))

    def result(self) -> Value | None:
        """Return the sum."""
        h, packed = total(self.parts), total(self.packed)
        if self.pairs:
            return None if h is None else self.k.permute(self.k.take(h, _unpacked(self.directions), 0), (3, 2, 0, 1))
        return total(
            [
                None if h is None else symmetric(self.k, h),
                None if packed is None else self.k.take(packed, _unpacked(self.directions), -1),
            ]
        )


class Diagonal(Form):
    """Its diagonal: (m, K, N)."""

    def diagonal(self, c: Value, j: Value) -> None:
        """Add the diagonal of Jᵀ diag(c) J."""
        self.parts.append(self.k.dot(c[:, None, ...], (j * j)[None, ...]))

    def general(self, mj: Value, j: Value) -> None:
        """Add the diagonal of Jᵀ (M J)."""
        self.parts.append(self.k.dot(mj, j[None, ...]))


class Trace(Form):
    """Its trace Σ s_k H_kk with signs: (m, N).

    Parameters
    ----------
    k : Kind
        The kind of number.
    directions : int
        K.
    signs : ndarray, shape (K,), optional
        s; 1 by default.
    """

    def __init__(self, k: Any, directions: int, signs: np.ndarray | None = None) -> None:
        super().__init__(k, directions)
        plain = signs is None or bool(np.all(signs == 1))
        self.signs = None if plain else k.weight(np.reshape(np.asarray(signs), (-1, 1, 1)))

    def _signed(self, j: Value) -> Value:
        return j if self.signs is None else j * self.signs

    def diagonal(self, c: Value, j: Value) -> None:
        """Add the trace of Jᵀ diag(c) J."""
        self.parts.append(self.k.dot(c, self.k.total(self._signed(j) * j, 0)[None, ...]))

    def general(self, mj: Value, j: Value) -> None:
        """Add the trace of Jᵀ (M J)."""
        self.parts.append(self.k.total(self.k.dot(mj, self._signed(j)[None, ...]), 1))


class Contraction(Form):
    """Its contraction Σ a_ij H_ij with one matrix for each point: (m, N).

    Parameters
    ----------
    k : Kind
        The kind of number.
    directions : int
        K.
    matrix : array, shape (N, K, K)
        The matrices a.
    """

    def __init__(self, k: Any, directions: int, matrix: Value) -> None:
        super().__init__(k, directions)
        self.matrix = matrix

    def _weighted(self, j: Value) -> Value:
        """Return a J, (K, N, n)."""
        return self.k.permute(self.matrix @ self.k.permute(j, (1, 0, 2)), (1, 0, 2))

    def diagonal(self, c: Value, j: Value) -> None:
        """Add the contraction of Jᵀ diag(c) J."""
        self.parts.append(self.k.dot(c, self.k.total(self._weighted(j) * j, 0)[None, ...]))

    def general(self, mj: Value, j: Value) -> None:
        """Add the contraction of Jᵀ (M J)."""
        self.parts.append(self.k.total(self.k.dot(mj, self._weighted(j)[None, ...]), 1))


def symmetric(k: Any, h: Value) -> Value:
    """Return a symmetric matrix, on the last two axes, with its upper half on both sides of the diagonal."""
    count = h.shape[-1]
    first, second = np.indices((count, count))
    mirrored = count * np.minimum(first, second) + np.maximum(first, second)
    return k.take(k.reshape(h, (*h.shape[:-2], count * count)), mirrored, -1)


def _unpacked(count: int) -> np.ndarray:
    """Return the place of each pair (i, j) among the pairs i ≤ j."""
    table = np.empty((count, count), dtype=int)
    first, second = np.triu_indices(count)
    table[first, second] = table[second, first] = np.arange(len(first))
    return table
