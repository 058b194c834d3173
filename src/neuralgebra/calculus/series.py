"""Taylor series of activations along a jet, by recurrence: the cost grows with the square of the order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.jet import Jet, convolve, total
from neuralgebra.functions.activation import Activation, Chain
from neuralgebra.functions.polynomial import Monomial, Polynomial
from neuralgebra.functions.turning import hull

__all__ = ["Series", "euler"]

# Up to this order the levels of σ∘z come from its derivatives and the powers of z - z₀, which all functions of z share;
# above it from products of the chain, whose cost grows with the square of the order only.
DIRECT = 4


def euler(k: Any, z: Jet, order: int, slope: Callable[[int], Value | None]) -> Value | None:
    """Return (1/n) Σ_{j=1..n} j · z_j · slope(n-j), level n = order of a function with that slope along z."""
    terms = []
    for j in range(1, order + 1):
        term = convolve(k, z.indices, j, weighted(k, z, j), order - j, slope(order - j))
        terms.append(term)
    result = total(terms)
    return result if result is None or order == 1 else result * k.number(Fraction(1, order))


def weighted(k: Any, z: Jet, level: int) -> Value | None:
    """Return j·z_j, level j of the Euler operator."""
    coefficient = z.levels[level]
    if level == 1 or coefficient is None:
        return coefficient
    return z.once(("euler", level), lambda: coefficient * k.number(level))


class Series:
    """Levels of polynomials in a chain along a jet, each computed when first asked for.

    Parameters
    ----------
    k : Kind
        The kind of number.
    function : Activation
        Any function with that chain.
    z : Jet
        The argument.
    """

    def __init__(self, k: Any, function: Activation, z: Jet) -> None:
        self.k, self.row, self.z = k, function.row, z
        self.chain = Chain(k, function, z.value)
        self.direct = z.indices.order <= DIRECT
        self._known: dict[tuple[Any, int], Value | None] = {}

    def function(self, function: Activation, order: int) -> Value | None:
        """Return one level of a function with this chain."""
        return self.level(function.row.value, order)

    def level(self, polynomial: Polynomial, order: int) -> Value | None:
        """Return one level of a polynomial in z and the chain; level 0 always as an array, of hulls if of sets."""
        if order == 0:
            return self._once(polynomial, 0, lambda p, _: hull(self.chain, p))
        return self._once(polynomial, order, self._polynomial) if polynomial else None

    def _once(self, key: Any, order: int, compute: Callable[[Any, int], Value | None]) -> Value | None:
        if (key, order) not in self._known:
            self._known[key, order] = compute(key, order)
        return self._known[key, order]

    def _slope(self, polynomial: Polynomial, order: int) -> Value | None:
        return self.level(polynomial, order) if polynomial else None

    def _polynomial(self, polynomial: Polynomial, order: int) -> Value | None:
        if self.direct:
            return self._expanded(polynomial, order)
        terms = []
        for monomial, coefficient in polynomial:
            term = self._once(monomial, order, self._monomial)
            terms.append(term if term is None or coefficient == 1 else term * self.k.number(coefficient))
        return total(terms)

    def _expanded(self, polynomial: Polynomial, order: int) -> Value | None:
        """Return a level of p(z₀ + δ) = Σₙ p⁽ⁿ⁾(z₀)/n! · δⁿ."""
        terms = []
        for n in range(1, order + 1):
            polynomial = polynomial.derivative(self.row.slope)
            power = self._once(("power", n), order, self._power) if polynomial else None
            if power is not None:
                terms.append(power * self._once((polynomial, n), 0, self._coefficient))
        return total(terms)

    def _coefficient(self, key: tuple[Polynomial, int], _: int) -> Value:
        polynomial, n = key
        value = self.level(polynomial, 0)
        return value if n == 1 else value * self.k.number(Fraction(1, math.factorial(n)))

    def _power(self, key: tuple[str, int], order: int) -> Value | None:
        """Return a level of δⁿ; those below n are zero."""
        n = key[1]
        if n == 1:
            return self.z.levels[order]
        if n % 2 == 0:
            return self._squared([self._factor(n // 2, j) for j in range(order)], order)
        pairs = [(j, order - j) for j in range(1, order)]
        return total(
            convolve(self.k, self.z.indices, i, self._factor(1, i), j, self._factor(n - 1, j)) for i, j in pairs
        )

    def _factor(self, n: int, order: int) -> Value | None:
        return self._once(("power", n), order, self._power) if order >= n else None

    def _monomial(self, monomial: Monomial, order: int) -> Value | None:
        if not monomial:
            return None
        if order == 0:
            return self.chain.monomial(monomial)
        (name, exponent), *others = monomial
        if exponent == 1 and not others:
            return self._element(name, order)
        if exponent == 2 and not others:
            return self._square(((name, 1),), order)
        rest = ((name, exponent - 1), *others) if exponent > 1 else tuple(others)
        first: Monomial = ((name, 1),)
        terms = []
        for j in range(order + 1):
            u, v = self._once(first, j, self._monomial), self._once(rest, order - j, self._monomial)
            terms.append(convolve(self.k, self.z.indices, j, u, order - j, v))
        return total(terms)

    def _element(self, name: str, order: int) -> Value | None:
        if name == "z":
            return self.z.levels[order]
        relation = self.row.elements[name].relation if name in self.row.elements else None
        if relation is None:
            return self._integral(self.row.slope(name), order)
        return self._polynomial(relation, order)

    def _square(self, monomial: Monomial, order: int) -> Value | None:
        """Return a level of a square, whose products come in equal pairs."""
        return self._squared([self._once(monomial, j, self._monomial) for j in range(order + 1)], order)

    def _squared(self, levels: Sequence[Value | None], order: int) -> Value | None:
        """Return a level of the square of what has these levels, zero beyond them."""
        k, indices = self.k, self.z.indices
        pairs = [(j, order - j) for j in range((order + 1) // 2) if order - j < len(levels)]
        half = total(convolve(k, indices, i, levels[i], j, levels[j]) for i, j in pairs)
        twice = None if half is None else half + half
        if order % 2:
            return twice
        middle = order // 2
        return total([twice, convolve(k, indices, middle, levels[middle], middle, levels[middle])])

    def _integral(self, slope: Polynomial, order: int) -> Value | None:
        """Return a level of the function whose derivative with respect to z is given."""
        return euler(self.k, self.z, order, functools.partial(self._slope, slope))
