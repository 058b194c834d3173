"""Chains at an argument: the functions of a chain, evaluated once, and polynomials in them, in every kind of number.

Kinds whose values are sets evaluate a chain function at the ends of each set and where the function turns.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.functions.polynomial import Monomial, Polynomial
from neuralgebra.functions.row import Element, Row

__all__ = ["Chain", "between", "encloses"]


class Chain:
    """The chain functions of one activation at one argument, evaluated when first asked for.

    Parameters
    ----------
    kind : Kind
        The kind of number.
    activation : Activation
        The function.
    z : array
        Its argument, any shape.
    names : mapping of str to str, optional
        What the kind calls its functions, where not by their own names.
    """

    def __init__(self, kind: Any, activation: Any, z: Value, names: Mapping[str, str] = MappingProxyType({})) -> None:
        self.kind, self.activation, self.z, self.names = kind, activation, z, names
        self.parts: list[Chain] = []
        self.values: dict[str, Any] = {"z": z, **activation.constants(kind)}
        self.parameters = dict(self.values)

    def variable(self, name: str) -> Value:
        """Return the value of z, a parameter or a chain function."""
        if name not in self.values:
            if self.activation.row.parts:
                self.values[name] = self._of_its_part(name)
            else:
                value = self._evaluate(self.activation.row.elements[name])
                self.values[name] = self.kind.keep(value, self.names.get(name, name))
        return self.values[name]

    def _of_its_part(self, name: str) -> Value:
        """Return a chain function of a composition, which is one of a part at the value of the part before."""
        place, own = self.activation.row.places[name]
        while len(self.parts) <= place:
            activation = self.activation.parts[len(self.parts)]
            before = self.parts[-1] if self.parts else None
            z = self.z if before is None else before.polynomial(before.activation.row.value)
            names = self.activation.row.parts[len(self.parts)].names
            self.parts.append(Chain(self.kind, activation, z, names))
        return self.parts[place].variable(own)

    def _evaluate(self, element: Element) -> Value:
        if self.kind.in_loops:  # of a program, in which chain functions are steps of their own
            return self.kind.primitive(self.activation, element, self.z)
        if self.kind.floating and self.kind.complex:
            return element.definition(self.kind, self.z, self.parameters)
        if self.kind.floating:
            formula = element.stable or element.definition
            if not element.derivative:
                return formula(self.kind, self.z, self.parameters)
            return self.kind.differentiable(
                lambda z: formula(self.kind, z, self.parameters),
                lambda z: Chain(self.kind, self.activation, z).polynomial(element.derivative),
                self.z,
            )
        if not encloses(self.kind):
            return element.definition(self.kind, self.z, self.parameters)
        if element.turning is None or self.ends is None:
            return self._defined(element, self.z)
        return self._hull(element, element.turning)

    @functools.cached_property
    def ends(self) -> Chain | None:
        """The chain at both ends of z, along a new first axis; None where z holds no wide sets."""
        points = self.kind.ends(self.z) if encloses(self.kind) else None
        return None if points is None else Chain(self.kind, self.activation, points)

    def _hull(self, element: Element, turning: tuple[float, ...]) -> Value:
        """Return a chain function between its ends, given where it turns; outside of the domain nothing is given."""
        assert self.ends is not None
        row = self.activation.row
        turns = [(low, high, self._defined(element, _place(self.kind, low, high))) for low, high in _near(row, turning)]
        tight = between(self.kind, self.ends.variable(element.name), self.z, turns)
        inside = self.kind.within(self.z, *row.domain)
        if inside.all():
            return tight
        return self.kind.where(inside, tight, self._defined(element, self.z))

    def _defined(self, element: Element, z: Value) -> Value:
        """Return the definition at sets; what overflows on the way is computed anew where the kind knows how."""
        value = element.definition(self.kind, z, self.parameters)
        if not hasattr(self.kind, "mended"):
            return value
        return self.kind.mended(value, z, lambda k, z: element.definition(k, z, self.activation.constants(k)))

    def polynomial(self, polynomial: Polynomial) -> Value:
        """Return the value of a polynomial in z, the chain and the parameters."""
        terms = [self._term(monomial, coefficient) for monomial, coefficient in polynomial]
        result = functools.reduce(operator.add, terms) if terms else self.kind.number(0)
        return result if getattr(result, "shape", None) == self.z.shape else self.kind.fill(self.z, result)

    def _term(self, monomial: Monomial, coefficient: Any) -> Any:
        value = self.monomial(monomial)
        if value is None:
            return self.kind.number(coefficient)
        return value if coefficient == 1 else -value if coefficient == -1 else value * self.kind.number(coefficient)

    def monomial(self, monomial: Monomial) -> Any:
        """Return the product of the factors in turns, c z d z …, so that none overflows where the product does not."""
        factors = _in_turns(monomial)
        if not factors:
            return None
        safe = "z" in factors and factors[0] != "z" and not self._bounded
        product = self._times_safely if safe else lambda value, name: value * self.variable(name)
        return functools.reduce(product, factors[1:], self.variable(factors[0]))

    def _times_safely(self, product: Any, name: str) -> Any:
        """Multiply so that the limit 0 of a product of chain functions wins over an infinite z."""
        if name == "z":
            return self.kind.times(self.z, product)
        return self.kind.times(product, self.variable(name))

    @functools.cached_property
    def _bounded(self) -> bool:
        return bool(self.kind.bounded(self.z))


@functools.cache
def _in_turns(monomial: Monomial) -> tuple[str, ...]:
    """Return the factors of a monomial, those other than z and those that are z alternately."""
    exponents = dict(monomial)
    times_z = ["z"] * exponents.pop("z", 0)
    turns = range(max(exponents.values(), default=0))
    names = [name for turn in turns for name, exponent in exponents.items() if turn < exponent]
    mixed = itertools.chain.from_iterable(itertools.zip_longest(names, times_z))
    return tuple(name for name in mixed if name is not None)


def encloses(kind: Any) -> bool:
    """Return whether values of a kind are sets, whose hull is to be found."""
    return not kind.floating and hasattr(kind, "ends")


def between(kind: Any, ends: Value, z: Value, turns: Iterable[tuple[float, float, Value]]) -> Value:
    """Return the hull of a function over sets.

    Parameters
    ----------
    kind : Kind
        Of sets.
    ends : array
        Its values at both ends, along the first axis.
    z : array
        The sets.
    turns : iterable of (float, float, array)
        The places where it turns or jumps, each between two numbers, and the values there.

    Returns
    -------
    array
        The hull, shaped as z.
    """
    result = kind.union(ends[0, ...], ends[1, ...])
    for low, high, value in turns:
        here = kind.meets(z, low, high)
        if here.any():
            result = kind.where(here, kind.union(result, value), result)
    return result


def _near(row: Row, turning: tuple[float, ...]) -> list[tuple[float, float]]:
    """Return turning points, with their neighbours where the function may jump."""
    if not row.kinks:
        return [(place, place) for place in turning]
    return [(math.nextafter(place, -math.inf), math.nextafter(place, math.inf)) for place in turning]


def _place(kind: Any, low: float, high: float) -> Value:
    ends = np.array([low])
    return kind.interval(ends, ends if low == high else np.array([high]))
