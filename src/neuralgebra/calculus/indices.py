"""Which coefficients a jet carries, and how they multiply: graded algebras with a table for each pair of levels.

A multi-index is the sorted tuple of the variables it differentiates by: (0, 0, 2) is ∂³/∂t₀²∂t₂. An `IndexSet` is a
downward-closed set of them, the algebra of polynomials truncated to it. A `Collapsed` set carries just what one
operator P(∂) = Σ p_α ∂^α needs: the product rule of P(∂) involves the derivatives of the polynomial P only, so above
the middle order the functionals (∂^β P)(∂) take the place of the monomials. For the Laplacian these are 1, ∂ᵢ, Δ; for
Δ² in d variables 1, ∂ᵢ, ∂ᵢ∂ⱼ, ∂ᵢΔ, Δ²: 27 numbers instead of 126 for d = 5.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from neuralgebra.calculus.table import Table

__all__ = ["Collapsed", "IndexSet", "Indices", "MultiIndex", "factorial", "units"]

MultiIndex = tuple[int, ...]

_FEW = 128  # coefficients, whose products may be steps of their own


def factorial(index: MultiIndex) -> int:
    """Return α! = ∏ αᵢ!."""
    return math.prod(math.factorial(c) for c in Counter(index).values())


def units(places: Sequence[int], n: int) -> np.ndarray:
    """Return the unit vectors of some of n coordinates as rows."""
    rows = np.zeros((len(places), n))
    rows[range(len(places)), list(places)] = 1
    return rows


class Indices:
    """A graded algebra of coefficients; objects are compared by identity.

    Parameters
    ----------
    levels : tuple of tuples of MultiIndex
        The coefficients of order 0, 1, 2, ….
    """

    def __init__(self, levels: Iterable[Iterable[MultiIndex]]) -> None:
        self.levels = tuple(map(tuple, levels))
        self.order = len(self.levels) - 1
        self.size = sum(map(len, self.levels))
        self._tables: dict[tuple[int, int], Table] = {}
        self._places: dict[int, dict[MultiIndex, int]] = {}

    def places(self, level: int) -> dict[MultiIndex, int]:
        """Return the place of each multi-index in its level."""
        if level not in self._places:
            self._places[level] = {index: place for place, index in enumerate(self.levels[level])}
        return self._places[level]

    def table(self, first: int, second: int) -> Table:
        """Return how coefficients of two levels multiply into the level first + second."""
        if (first, second) not in self._tables:
            sizes = tuple(len(self.levels[n]) for n in (first, second, first + second))
            self._tables[first, second] = Table(tuple(self._ways(first, second)), sizes, self.size <= _FEW)
        return self._tables[first, second]

    def _ways(self, first: int, second: int) -> Iterator[tuple[int, int, int, float]]:
        """Yield the places of u, v and their product, and the factor of that product."""
        raise NotImplementedError

    def seeds(self, variables: int) -> np.ndarray:
        """Return level 1 of the variables themselves, shape (K₁, variables)."""
        raise NotImplementedError


class IndexSet(Indices):
    """A downward-closed set of multi-indices, sorted by order; coefficients are normalised, a_α = ∂^α f / α!."""

    @staticmethod
    @functools.lru_cache(maxsize=64)
    def full(variables: int, order: int) -> IndexSet:
        """Return all multi-indices in a number of variables up to an order."""
        return IndexSet(itertools.combinations_with_replacement(range(variables), n) for n in range(order + 1))

    @staticmethod
    def below(indices: Iterable[MultiIndex]) -> IndexSet:
        """Return the smallest downward-closed set that contains given multi-indices."""
        found = {tuple(sorted(i)) for i in indices} | {()}
        order = max(map(len, found))
        for size in range(order, 0, -1):
            found |= {i[:j] + i[j + 1 :] for i in found if len(i) == size for j in range(size)}
        return IndexSet(sorted(i for i in found if len(i) == n) for n in range(order + 1))

    @functools.cached_property
    def factorials(self) -> tuple[np.ndarray, ...]:
        """The number α! for each multi-index, level by level."""
        return tuple(np.array([factorial(index) for index in level], dtype=float) for level in self.levels)

    def spread(self, level: int, n: int) -> np.ndarray:
        """Return the place of ∂ᵢ∂ⱼ… for each entry (i, j, …) of the full array of derivatives by n variables."""
        if not level:
            return np.zeros((), dtype=int)
        places = self.places(level)
        grown = [[places[tuple(sorted((*index, i)))] for i in range(n)] for index in self.levels[level - 1]]
        spread: np.ndarray = np.array(grown)[self.spread(level - 1, n)]
        return spread

    def seeds(self, variables: int) -> np.ndarray:
        """Return level 1 of the variables themselves, shape (K₁, variables)."""
        return units([index[0] for index in self.levels[1]], variables)

    def _ways(self, first: int, second: int) -> Iterator[tuple[int, int, int, float]]:
        left, right = self.places(first), self.places(second)
        for place, alpha in enumerate(self.levels[first + second]):
            for beta in within(alpha, first):
                yield left[beta], right[minus(alpha, beta)], place, 1


class Collapsed(Indices):
    """What the product rule of one operator P(∂) = Σ p_α ∂^α of one order involves.

    Levels up to the middle hold monomials, normalised; a level l above it holds, for multi-indices β of order
    n - l, the functionals Σ_α p_α α!/… a_{α-β}, that is ℓ_β(a) = ℓ(t^β a) with ℓ(a) = Σ p_α α! a_α. The last level
    is P(∂)f itself.

    Parameters
    ----------
    operator : mapping of MultiIndex to float
        p_α, all α of one order n.
    """

    def __init__(self, operator: Mapping[MultiIndex, float]) -> None:
        self.weights = {tuple(sorted(a)): p * factorial(a) for a, p in operator.items() if p}
        monomials = IndexSet.below(self.weights).levels
        top = len(monomials) - 1
        self.middle = top // 2
        super().__init__(monomials[n] if n <= self.middle else monomials[top - n] for n in range(top + 1))

    def seeds(self, variables: int) -> np.ndarray:
        """Return level 1 of the variables themselves, shape (K₁, variables)."""
        if self.middle:
            return units([index[0] for index in self.levels[1]], variables)
        total = np.zeros((1, variables))
        total[0, [index[0] for index in self.weights]] = list(self.weights.values())
        return total

    def _ways(self, first: int, second: int) -> Iterator[tuple[int, int, int, float]]:
        left, right, targets = self.places(first), self.places(second), self.levels[first + second]
        for place, beta in enumerate(targets):
            if first + second <= self.middle:
                for gamma in within(beta, first):
                    yield left[gamma], right[minus(beta, gamma)], place, 1
            elif max(first, second) > self.middle:
                yield from self._mixed(first, second, place, beta)
            else:
                yield from self._weighted(first, second, place, beta)

    def _mixed(self, first: int, second: int, place: int, beta: MultiIndex) -> Iterator[tuple[int, int, int, float]]:
        """Yield the ways of a monomial times a functional: ℓ_β(t^γ v) = ℓ_{β+γ}(v)."""
        low, high = min(first, second), max(first, second)
        above = self.places(high)
        for place_of_gamma, gamma in enumerate(self.levels[low]):
            key = tuple(sorted(beta + gamma))
            if key in above:
                pair = (place_of_gamma, above[key])
                yield (*(pair if first == low else pair[::-1]), place, 1)

    def _weighted(self, first: int, second: int, place: int, beta: MultiIndex) -> Iterator[tuple[int, int, int, float]]:
        """Yield the ways of two monomials: ℓ_β(t^γ t^δ) = p_{β+γ+δ} (β+γ+δ)!."""
        left, right = self.places(first), self.places(second)
        for alpha, weight in self.weights.items():
            if Counter(alpha) >= Counter(beta):
                rest = minus(alpha, beta)
                for gamma in within(rest, first):
                    yield left[gamma], right[minus(rest, gamma)], place, weight


def minus(alpha: MultiIndex, beta: MultiIndex) -> MultiIndex:
    """Return α - β, for β ≤ α."""
    rest = list(alpha)
    for variable in beta:
        rest.remove(variable)
    return tuple(rest)


def within(alpha: MultiIndex, size: int) -> Iterator[MultiIndex]:
    """Yield the multi-indices β ≤ α of an order, each once, sorted."""
    if not size:
        yield ()
    elif size <= len(alpha):
        first = alpha[0]
        count = alpha.count(first)
        for taken in range(min(count, size), -1, -1):
            yield from ((first,) * taken + rest for rest in within(alpha[count:], size - taken))
