"""Polynomials with exact rational coefficients in named variables.

An activation is a polynomial in its argument ``z`` and the functions of its chain; so is each of its derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

__all__ = ["Monomial", "Polynomial", "variables"]

Monomial = tuple[tuple[str, int], ...]
"""Variables with their exponents, sorted by name; () is 1."""


class Polynomial:
    """An immutable polynomial: monomials and their rational coefficients.

    Parameters
    ----------
    terms : mapping of monomial to int or Fraction
        Zero coefficients are dropped.
    """

    __slots__ = ("__dict__", "terms")

    def __init__(self, terms: Mapping[Monomial, int | Fraction]) -> None:
        self.terms = {m: Fraction(c) for m, c in sorted(terms.items()) if c}

    @cached_property
    def variables(self) -> frozenset[str]:
        """Names that occur."""
        return frozenset(name for monomial in self.terms for name, _ in monomial)

    def __iter__(self) -> Iterator[tuple[Monomial, Fraction]]:
        return iter(self.terms.items())

    def __bool__(self) -> bool:
        return bool(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polynomial) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(self.terms.items()))

    def __reduce__(self) -> tuple[type[Polynomial], tuple[dict[Monomial, Fraction]]]:
        return Polynomial, (self.terms,)  # hashes of names differ from process to process

    def __repr__(self) -> str:
        return " + ".join(_term(m, c) for m, c in self) or "0"

    def __add__(self, other: Polynomial | int | Fraction) -> Polynomial:
        terms = dict(self.terms)
        for monomial, coefficient in _polynomial(other):
            terms[monomial] = terms.get(monomial, Fraction(0)) + coefficient
        return Polynomial(terms)

    def __mul__(self, other: Polynomial | int | Fraction) -> Polynomial:
        terms: dict[Monomial, Fraction] = {}
        for m, a in self:
            for n, b in _polynomial(other):
                key = _times(m, n)
                terms[key] = terms.get(key, Fraction(0)) + a * b
        return Polynomial(terms)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Polynomial:
        return self * -1

    def __sub__(self, other: Polynomial | int | Fraction) -> Polynomial:
        return self + -1 * _polynomial(other)

    def __rsub__(self, other: Polynomial | int | Fraction) -> Polynomial:
        return _polynomial(other) - self

    def __truediv__(self, other: int | Fraction) -> Polynomial:
        return self * (Fraction(1) / Fraction(other))

    def __pow__(self, exponent: int) -> Polynomial:
        result = Polynomial({(): 1})
        for _ in range(exponent):
            result = result * self
        return result

    def substituted(self, of: Callable[[str], Polynomial]) -> Polynomial:
        """Return the polynomial with a polynomial in place of each variable."""
        result = Polynomial({})
        for monomial, coefficient in self:
            term = Polynomial({(): coefficient})
            for name, exponent in monomial:
                term = term * of(name) ** exponent
            result = result + term
        return result

    def derivative(self, of: Callable[[str], Polynomial]) -> Polynomial:
        """Return the derivative, given the derivative of each variable: Σ ∂p/∂v · v'."""
        terms: dict[Monomial, Fraction] = {}
        for monomial, coefficient in self:
            for name, exponent in monomial:
                rest = tuple((n, e - (n == name)) for n, e in monomial if e > (n == name))
                for factor, slope in of(name):
                    key = _times(rest, factor)
                    terms[key] = terms.get(key, Fraction(0)) + coefficient * exponent * slope
        return Polynomial(terms)


def variables(names: str) -> tuple[Polynomial, ...]:
    """Return one variable for each name in a text separated by blanks."""
    return tuple(Polynomial({((name, 1),): 1}) for name in names.split())


def _polynomial(value: Any) -> Polynomial:
    return value if isinstance(value, Polynomial) else Polynomial({(): value})


def _times(m: Monomial, n: Monomial) -> Monomial:
    exponents = dict(m)
    for name, e in n:
        exponents[name] = exponents.get(name, 0) + e
    return tuple(sorted(exponents.items()))


def _term(monomial: Monomial, coefficient: Fraction) -> str:
    factors = [f"{n}^{e}" if e > 1 else n for n, e in monomial]
    return "*".join(factors if factors and coefficient == 1 else [str(coefficient), *factors])
