"""Jets: truncated Taylor polynomials of a batch, over any downward-closed set of multi-indices.

A multi-index is the sorted tuple of the variables it differentiates by: (0, 0, 2) is ∂³/∂t₀²∂t₂. A jet holds, level
by level, the *normalised* coefficients a_α = ∂^α f / α!; the array of level l has shape (K_l, ..., n), K_l the number
of multi-indices of order l. A level that is identically zero is None.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value

__all__ = ["IndexSet", "Jet", "MultiIndex", "convolve", "factorial"]

MultiIndex = tuple[int, ...]


def factorial(index: MultiIndex) -> int:
    """Return α! = ∏ αᵢ!."""
    return math.prod(math.factorial(c) for c in Counter(index).values())


@dataclass(frozen=True)
class IndexSet:
    """A downward-closed set of multi-indices, sorted by order.

    Parameters
    ----------
    levels : tuple of tuples of MultiIndex
        The multi-indices of order 0, 1, 2, ….
    """

    levels: tuple[tuple[MultiIndex, ...], ...]

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def full(variables: int, order: int) -> IndexSet:
        """Return all multi-indices in a number of variables up to an order."""
        return IndexSet(
            tuple(tuple(itertools.combinations_with_replacement(range(variables), n)) for n in range(order + 1))
        )

    @staticmethod
    def below(indices: Iterable[MultiIndex]) -> IndexSet:
        """Return the smallest downward-closed set that contains given multi-indices."""
        found = {tuple(sorted(i)) for i in indices} | {()}
        order = max(len(i) for i in found)
        for size in range(order, 0, -1):
            found |= {i[:j] + i[j + 1 :] for i in found if len(i) == size for j in range(size)}
        return IndexSet(tuple(tuple(sorted(i for i in found if len(i) == n)) for n in range(order + 1)))

    @property
    def order(self) -> int:
        """The highest order."""
        return len(self.levels) - 1

    @property
    def size(self) -> int:
        """How many multi-indices there are."""
        return sum(map(len, self.levels))

    @functools.cache  # noqa: B019 (index sets are few and small)
    def places(self, level: int) -> dict[MultiIndex, int]:
        """Return the place of each multi-index in its level."""
        return {index: place for place, index in enumerate(self.levels[level])}

    @functools.cache  # noqa: B019
    def factorials(self, level: int) -> np.ndarray:
        """Return α! for each multi-index of a level."""
        return np.array([factorial(index) for index in self.levels[level]])

    @functools.cache  # noqa: B019
    def spread(self, level: int, n: int) -> np.ndarray:
        """Return the place of ∂ᵢ∂ⱼ… for each entry (i, j, …) of the full array of derivatives by n variables."""
        places = self.places(level)
        entries = [places[tuple(sorted(index))] for index in np.ndindex(*(n,) * level)]
        return np.array(entries).reshape((n,) * level)

    @functools.cache  # noqa: B019
    def splits(self, first: int, second: int) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
        """Return all ways β + γ = α with |β| = first, |γ| = second.

        The α with equally many ways form a group, whose places of β and of γ have shape (ways, members); the last
        result puts the groups, one after another, into the order of the level.
        """
        left, right = self.places(first), self.places(second)
        groups: dict[int, list[tuple[int, list[tuple[int, int]]]]] = {}
        for place, alpha in enumerate(self.levels[first + second]):
            ways = [(left[b], right[_minus(alpha, b)]) for b in sorted(set(itertools.combinations(alpha, first)))]
            groups.setdefault(len(ways), []).append((place, ways))
        members = [np.array([ways for _, ways in group]).transpose(2, 1, 0) for group in groups.values()]
        order = np.argsort(np.array([place for group in groups.values() for place, _ in group]))
        return [(beta, gamma) for beta, gamma in members], order


def _minus(alpha: MultiIndex, beta: MultiIndex) -> MultiIndex:
    return tuple(sorted((Counter(alpha) - Counter(beta)).elements()))


@dataclass(frozen=True)
class Jet:
    """Normalised Taylor coefficients of a vector, level by level.

    Parameters
    ----------
    indices : IndexSet
        Which coefficients.
    levels : tuple of array or None
        Level l has shape (K_l, ..., n); None is zero. Level 0 is never None.
    """

    indices: IndexSet
    levels: tuple[Value | None, ...]

    @property
    def value(self) -> Value:
        """The zeroth coefficient, shape (1, ..., n)."""
        return self.levels[0]

    def map(self, function: Callable[[Value], Value]) -> Jet:
        """Return the jet with a linear function applied to every level."""
        return Jet(self.indices, tuple(None if a is None else function(a) for a in self.levels))


def convolve(
    k: Any, indices: IndexSet, first: int, u: Value | None, second: int, v: Value | None, product: Any = None
) -> Value | None:
    """Return the part Σ_{|β|=first, |γ|=second, β+γ=α} u_β v_γ of a product's level first + second.

    Parameters
    ----------
    k : Kind
        The kind of number.
    indices : IndexSet
        The index set of both factors.
    first : int
        The level of u.
    u : array or None
        Shape (K_first, ..., n).
    second : int
        The level of v.
    v : array or None
        Shape (K_second, ..., n).
    product : callable, optional
        A bilinear map of coefficients; multiplication by default.

    Returns
    -------
    array or None
        Shape (K_{first+second}, ..., n); None is zero.
    """
    if u is None or v is None:
        return None
    multiply = product or _multiply
    if first == 0 or second == 0:
        return multiply(u, v)
    groups, order = indices.splits(first, second)
    parts = [k.total(multiply(k.take(u, beta, 0), k.take(v, gamma, 0)), 0) for beta, gamma in groups]
    if len(parts) == 1:
        return parts[0]
    return k.take(k.concat(parts, 0), order, 0)


def _multiply(u: Value, v: Value) -> Value:
    return u * v
