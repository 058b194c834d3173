"""Layers written by index: gathers, sums, scalings, products and images of coordinates of a network being built.

Coordinates are named by the place of their node and an array of positions in it, -1 for a zero. No number is computed:
a weight is stored as it was given, or with other weights as a product of maps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.exact import exact_product
from neuralgebra.network.builder import Builder
from neuralgebra.network.composed import Batched, BlockDiagonal, Product, Transposed, batched
from neuralgebra.network.convolution import Convolution
from neuralgebra.network.layers import Affine, Concatenate, Multiply, Select
from neuralgebra.network.linear import Dense, Diagonal, Kronecker, Linear, Spread, identity
from neuralgebra.network.network import Network

__all__ = ["Term", "Wiring", "distinct", "exact_image", "is_sum", "readable"]


class Term(NamedTuple):
    """A factor times coordinates of one node, in the shape of their positions; -1 is a zero."""

    factor: float
    place: int
    entries: np.ndarray


class Wiring:
    """A network with room for further nodes.

    Parameters
    ----------
    network : Network
        Its nodes stand at their own places.
    """

    def __init__(self, network: Network) -> None:
        self.builder = Builder(network.input_size)
        self.builder.append(network.nodes, network.output, 0)
        self.dtype = network.dtype

    def affine(self, weight: Linear, place: int, bias: np.ndarray | None = None) -> int:
        """Add an affine layer; a cheap map without bias before it becomes a factor of its own."""
        before = self.builder.nodes[place - 1] if place else None
        if before and isinstance(before.layer, Affine) and before.layer.bias is None and _cheap(before.layer.weight):
            weight, (place,) = Product((weight, before.layer.weight)), before.inputs
        return self.builder.add(Affine(weight, None if bias is None else self.stored(bias)), place)

    def parts(self, term: Term) -> list[Term]:
        """Return the terms of a node that is a sum; itself otherwise."""
        term = self.resolved(term)
        layer: Any = self.builder.nodes[term.place - 1].layer if term.place else None
        if not isinstance(layer, Affine) or layer.bias is not None or not is_sum(layer.weight):
            return [term]
        weight: Any = layer.weight
        factors = exact_product(np.asarray(term.factor), weight.weight[0].astype(np.float64), self.dtype)
        if factors is None:
            return [term]
        (source,) = self.builder.nodes[term.place - 1].inputs
        moved = [np.where(term.entries < 0, -1, term.entries + i * weight.after) for i in range(len(factors))]
        return [self.resolved(Term(float(c), source, index)) for c, index in zip(factors, moved, strict=True)]

    def stored(self, numbers: Any) -> np.ndarray:
        """Return numbers as an array of the dtype of the network."""
        return np.asarray(numbers).astype(self.dtype)

    def resolved(self, term: Term) -> Term:
        """Return the same coordinates at the node that they come from: wiring does not stand in between."""
        while term.place and (inner := self._inside(term)):
            term = inner
        return term

    def _inside(self, term: Term) -> Term | None:
        node, index = self.builder.nodes[term.place - 1], term.entries
        if isinstance(node.layer, Select):
            return Term(term.factor, node.inputs[0], np.where(index < 0, -1, node.layer.indices[index]))
        if not isinstance(node.layer, Concatenate):
            return None
        alive = index[index >= 0]
        ends = np.cumsum([self.builder.sizes[i] for i in node.inputs])
        part = int(np.searchsorted(ends, alive.min(), "right")) if alive.size else 0
        start = ends[part] - self.builder.sizes[node.inputs[part]]
        if alive.size and alive.max() >= ends[part]:
            return None
        return Term(term.factor, node.inputs[part], np.where(index < 0, -1, index - start))

    def gathered(self, place: int, index: np.ndarray) -> int:
        """Return the place of some coordinates of a node, -1 for a zero."""
        _, place, flat = self.resolved(Term(1.0, place, index.ravel()))
        if (flat >= 0).all():
            return self.builder.add(Select(flat), place)
        return self.affine(Convolution(self.stored([[1]]), flat[:, None], self.builder.sizes[place]), place)

    def joined(self, places: Sequence[int]) -> int:
        """Return the place of nodes one after another."""
        return self.builder.add(Concatenate(), *places)

    def constant(self, values: np.ndarray) -> int:
        """Return the place of constants."""
        nothing = Convolution(self.stored([[1]]), np.full((values.size, 1), -1), self.builder.sizes[0])
        return self.affine(nothing, 0, values.ravel())

    def combined(self, terms: Sequence[Term], shift: np.ndarray) -> int:
        """Return the place of a sum of terms and constants of one shape."""
        bias = shift.ravel() if shift.any() else None
        if not terms:
            return self.constant(shift)
        if len(terms) == 1 and terms[0].factor == 1:
            place = self.gathered(*terms[0][1:])
            return place if bias is None else self.shifted(place, bias)
        return self._sum(terms, bias, shift.size)

    def shifted(self, place: int, bias: np.ndarray) -> int:
        """Return the place of a node plus constants."""
        return self.builder.add(Affine(identity(bias.size, dtype=self.dtype), self.stored(bias)), place)

    def _sum(self, terms: Sequence[Term], bias: np.ndarray | None, size: int) -> int:
        if len(terms) > 1 and len({t.place for t in terms}) == 1:
            patches = np.stack([t.entries.ravel() for t in terms], 1)
            kernel = self.stored([[t.factor for t in terms]])
            return self.affine(Convolution(kernel, patches, self.builder.sizes[terms[0].place]), terms[0].place, bias)
        alive = [np.flatnonzero(t.entries.ravel() >= 0) for t in terms]
        source = self.joined([self.gathered(t.place, t.entries.ravel()[a]) for t, a in zip(terms, alive, strict=True)])
        if all(len(a) == size for a in alive):
            weight: Linear = identity(size, len(terms), [t.factor for t in terms], self.dtype)
            return self.affine(weight, source, bias)
        patches, start = np.full((size, len(terms)), -1), 0
        for column, a in enumerate(alive):
            patches[a, column] = np.arange(start, start + len(a))
            start += len(a)
        if bias is None and all(t.factor == 1 for t in terms) and np.all((patches >= 0).sum(1) <= 1):
            return self.gathered(source, patches.max(1))
        return self.affine(Convolution(self.stored([[t.factor for t in terms]]), patches, start), source, bias)

    def summed(self, term: Term, axis: int) -> Term:
        """Return the sums along one axis."""
        index = np.moveaxis(term.entries, axis, -1)
        rows = _compacted(index.reshape(-1, index.shape[-1]))
        if rows.shape[1] == 1:
            return term._replace(entries=rows.reshape(index.shape[:-1]))
        place = self.affine(self._ones(term, axis, rows), term.place)
        return Term(term.factor, place, np.arange(len(rows)).reshape(index.shape[:-1]))

    def _ones(self, term: Term, axis: int, rows: np.ndarray) -> Linear:
        """Return the map that sums: a Kronecker product where all coordinates are summed in order."""
        size, terms = self.builder.sizes[term.place], term.entries.shape[axis]
        ones = self.stored(np.ones((1, rows.shape[1])))
        if np.array_equal(term.entries.ravel(), np.arange(size)):
            after = int(np.prod(term.entries.shape[axis % term.entries.ndim + 1 :]))
            return Kronecker(ones, size // terms // after, after)
        return Convolution(ones, rows, size)

    def scaled(self, term: Term, factors: np.ndarray) -> Term:
        """Return coordinates times constants, with broadcasting."""
        shape = np.broadcast_shapes(term.entries.shape, factors.shape)
        index, weights = np.broadcast_to(term.entries, shape), np.broadcast_to(factors, shape)
        alive = (index >= 0) & (weights != 0)
        if 2 * alive.sum() > alive.size and (term.entries >= 0).all():
            weight = self._regular(term.entries.size, factors, shape)
            if weight is not None:
                place = self.affine(weight, self.gathered(term.place, term.entries))
                return Term(term.factor, place, np.arange(alive.size).reshape(shape))
        place = self.affine(Diagonal(self.stored(weights[alive])), self.gathered(term.place, index[alive]))
        return Term(term.factor, place, _numbered(alive))

    def _regular(self, size: int, factors: np.ndarray, shape: tuple[int, ...]) -> Linear | None:
        """Return the scaling where each row has the same coordinates, or the same constants."""
        n, total = shape[-1], int(np.prod(shape))
        if size == n and factors.size == total:
            return Spread(self.stored(factors.reshape(-1, n))) if total > n else Diagonal(self.stored(factors.ravel()))
        if factors.size == n and factors.shape[-1] == n and size == total:
            return batched(Diagonal(self.stored(factors.ravel())), total // n)
        return None

    def multiplied(self, u: Term, v: Term, factor: float) -> Term:
        """Return the products of coordinates of one shape, each pair multiplied once and none with a zero."""
        alive = (u.entries >= 0) & (v.entries >= 0)
        (p, i), (q, j) = sorted(((u.place, u.entries[alive]), (v.place, v.entries[alive])), key=lambda pair: pair[0])
        first, back = distinct(i * self.builder.sizes[q] + j)
        place = self.builder.add(Multiply(), self.gathered(p, i[first]), self.gathered(q, j[first]))
        index = np.full(alive.shape, -1)
        index[alive] = back
        return Term(factor, place, index)

    def contracted(self, u: Term, v: Term, factor: float) -> Term:
        """Return the matrix products of the last two axes; what one factor has alone becomes rows or columns."""
        lead = np.broadcast_shapes(u.entries.shape[:-2], v.entries.shape[:-2])
        axes, (p, q), r = range(len(lead)), u.entries.shape[-2:], v.entries.shape[-1]
        i, j = (t.entries.reshape(*(1,) * (len(lead) + 2 - t.entries.ndim), *t.entries.shape) for t in (u, v))
        rows = [a for a in axes if j.shape[a] < lead[a]]
        columns = [a for a in axes if i.shape[a] < lead[a]]
        both = [a for a in axes if a not in (*rows, *columns)]
        sizes = [[lead[a] for a in part] for part in (both, rows, columns)]
        batch, m, n = map(math.prod, sizes)
        left = i.transpose(*both, *rows, *columns, -2, -1) if lead else i
        right = j.transpose(*both, *rows, -2, *columns, -1) if lead else j
        place = self.builder.add(
            Multiply((batch, m * p, q, n * r)), self.gathered(u.place, left), self.gathered(v.place, right)
        )
        index = np.arange(batch * m * p * n * r).reshape(*sizes[0], *sizes[1], p, *sizes[2], r)
        order = [*both, *rows, len(lead), *columns, len(lead) + 1]
        return Term(factor, place, index.transpose(np.argsort(order)))

    def imaged(self, weight: Linear, term: Term) -> Term:
        """Return the images of the rows of coordinates, each row of them once and none of zeros."""
        *lead, columns = term.entries.shape
        rows = term.entries.reshape(-1, columns)
        alive = (rows >= 0).any(1)
        first, back = distinct(rows[alive])
        taken = self.gathered(term.place, rows[alive][first])
        place = self.affine(batched(weight, len(first)), taken)
        index = np.full((len(rows), weight.rows), -1)
        index[alive] = back[:, None] * weight.rows + np.arange(weight.rows)
        return Term(term.factor, place, index.reshape(*lead, weight.rows))


def _cheap(weight: Linear) -> bool:
    """Return whether a map costs no more than reading and writing."""
    return weight.cost() <= sum(weight.shape) and not is_sum(weight)


def is_sum(weight: Linear) -> bool:
    """Return whether a map is [c₁I, c₂I, …]."""
    return isinstance(weight, Kronecker) and weight.before == weight.weight.shape[0] == 1 < weight.weight.shape[1]


def distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each distinct row stands first, in that order, and which of these each row is."""
    _, first, back = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return first[order], rank[back.reshape(-1)]


def _compacted(rows: np.ndarray) -> np.ndarray:
    """Return rows of positions with their zeros last, and no column of zeros alone."""
    width = max(1, int((rows >= 0).sum(1).max()))
    if width == rows.shape[1]:
        return rows
    order = np.argsort(rows < 0, axis=1, kind="stable")
    return np.take_along_axis(rows, order, 1)[:, :width]


def _numbered(alive: np.ndarray) -> np.ndarray:
    index = np.full(alive.shape, -1)
    index[alive] = np.arange(alive.sum())
    return index


def readable(weight: Linear) -> bool:
    """Return whether each entry of a matrix is a stored number or 0, so that columns are read off without rounding."""
    match weight:
        case Dense() | Diagonal() | Spread() | Kronecker():
            return True
        case Convolution(patches=patches):
            ordered = np.sort(patches, axis=1)
            return not ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()
        case Transposed(inner=inner) | Batched(inner=inner):
            return readable(inner)
        case BlockDiagonal(blocks=blocks):
            return all(map(readable, blocks))
    return False


def exact_image(weight: Linear, rows: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """Return the images of rows of numbers, (r, columns) -> (r, rows), or None where they might be rounded."""
    if (np.count_nonzero(rows, axis=1) > 1).any() or not readable(weight):
        return None
    if isinstance(weight, Dense):
        images = weight.weight.T[np.argmax(rows != 0, axis=1)].astype(np.float64)
    else:
        units = (rows != 0).astype(np.float64)
        images = weight.apply(Arrays(units), units)
    return exact_product(rows.sum(1, keepdims=True), images, dtype)
