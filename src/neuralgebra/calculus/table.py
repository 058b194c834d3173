"""Tables of a bilinear product w_c += factor · u_a v_b, summed by any of the three."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value

__all__ = ["Table"]

LEFT, RIGHT, TARGET = 0, 1, 2


class Table:
    """The products u_a v_b that make up each w_c.

    Parameters
    ----------
    ways : sequence of (int, int, int, float)
        Places a, b, c and the factor.
    sizes : tuple of int
        How many u, v and w there are.
    by_rows : bool
        Whether products may be computed row by row, where a kind prefers this.
    """

    def __init__(self, ways: Sequence[Any], sizes: tuple[int, ...], by_rows: bool = False) -> None:
        self.ways, self.sizes, self.by_rows, self.count = ways, sizes, by_rows, len(ways)
        self._plans: dict[int, _Sum] = {}

    def multiply(self, k: Any, u: Value, v: Value, product: Any) -> Value | None:
        """Return w_c = Σ factor · product(u_a, v_b)."""
        return self._sum(TARGET)(k, u, v, product)

    def correlate(self, k: Any, u: Value, w: Value, product: Any) -> Value | None:
        """Return v_b = Σ factor · product(u_a, w_c): the adjoint of v ↦ u v."""
        return self._sum(RIGHT)(k, u, w, product)

    def _sum(self, by: int) -> _Sum:
        if by not in self._plans:
            self._plans[by] = _Sum(self, by)
        return self._plans[by]


class _Sum:
    """Products of picked rows, summed into groups; groups of equally many terms are computed at once."""

    def __init__(self, table: Table, by: int) -> None:
        first, second = (LEFT, RIGHT) if by == TARGET else (LEFT, TARGET)
        self.size = table.sizes[by]
        groups: dict[int, list[tuple[int, float, int]]] = {}
        for way in table.ways:
            groups.setdefault(way[by], []).append((way[first], way[3], way[second]))
        by_length: dict[int, list[int]] = {}
        for place in sorted(groups):
            by_length.setdefault(len(groups[place]), []).append(place)
        sizes = table.sizes[first], table.sizes[second]
        self.parts = [_Part([groups[p] for p in places], sizes) for places in by_length.values()]
        filled = [p for places in by_length.values() for p in places]
        self.order = _order(filled, self.size)
        gathers = any(part.left is not None or part.right is not None for part in self.parts)
        self.rows = groups if gathers and table.by_rows else None

    def _by_rows(self, k: Any, u: Value, v: Value, product: Any) -> Value:
        """Return the sums term by term, on rows as they stand in memory: half the traffic of gathering them."""
        sums: list[Value | None] = []
        for place in range(self.size):
            by_factor: dict[float, list[Value]] = {}
            for a, factor, b in (self.rows or {}).get(place, ()):
                by_factor.setdefault(factor, []).append(product(u[a : a + 1, ...], v[b : b + 1, ...]))
            parts = [(factor, functools.reduce(operator.add, terms)) for factor, terms in by_factor.items()]
            scaled = [part if factor == 1 else part * factor for factor, part in parts]
            sums.append(functools.reduce(operator.add, scaled) if scaled else None)
        like = next(s for s in sums if s is not None)
        zero = None if all(s is not None for s in sums) else k.zeros(tuple(like.shape))
        return k.concat([zero if s is None else s for s in sums], 0)

    def __call__(self, k: Any, u: Value, v: Value, product: Any) -> Value | None:
        if self.rows is not None and k.by_rows:
            return self._by_rows(k, u, v, product)
        parts = [part(k, u, v, product) for part in self.parts]
        if not parts:
            return None
        if self.order is None:
            return parts[0] if len(parts) == 1 else k.concat(parts, 0)
        if len(self.order) and self.order.max() == sum(p.shape[0] for p in parts):
            parts.append(k.zeros((1, *parts[0].shape[1:])))
        return k.take(k.concat(parts, 0), self.order, 0)


def _order(filled: list[int], size: int) -> np.ndarray | None:
    """Return which computed row each place takes, the row after the last one for none; None: as they stand."""
    if filled == list(range(size)):
        return None
    order = np.full(size, len(filled))
    order[filled] = np.arange(len(filled))
    return order


class _Part:
    """The groups of one length: (ways, members) places of both factors."""

    def __init__(self, groups: list[list[tuple[int, float, int]]], sizes: tuple[int, int]) -> None:
        array = np.array(groups, dtype=float).transpose(2, 1, 0)
        self.ways, self.members = array.shape[1:]
        self.left, self.right = (_picks(array[i].astype(int), n) for i, n in zip((0, 2), sizes, strict=True))
        self.factors = None if np.all(array[1] == 1) else array[1]

    def __call__(self, k: Any, u: Value, v: Value, product: Any) -> Value:
        terms = product(self._taken(k, u, self.left), self._taken(k, v, self.right))
        if self.factors is not None:
            terms = terms * k.weight(self.factors.reshape(-1, *(1,) * (len(terms.shape) - 1)))
        if self.ways == 1:
            return terms
        return k.total(k.reshape(terms, (self.ways, self.members, *terms.shape[1:])), 0)

    @staticmethod
    def _taken(k: Any, x: Value, places: np.ndarray | None) -> Value:
        return x if places is None else k.take(x, places, 0)


def _picks(places: np.ndarray, size: int) -> np.ndarray | None:
    """Return flat places, or None where each row is taken once in order."""
    flat = places.ravel()
    return None if len(flat) == size and np.array_equal(flat, np.arange(size)) else flat
