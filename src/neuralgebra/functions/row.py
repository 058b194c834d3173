"""Rows of the catalogue: what is stated of a function, and the derivatives that follow.

The derivative of an activation is an activation again, on the same chain: tanh' is c, tanh'' is -2tc.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import InputError, UnsupportedError, shown
from neuralgebra.functions.polynomial import Polynomial

__all__ = ["AFTER", "HIGHEST", "Definition", "Element", "Kink", "Number", "Part", "Row", "parsed", "resolved"]

Definition = Callable[[Any, Value, Mapping[str, Any]], Value]
"""(kind, argument, parameters) -> value, with + * and the functions of the kind only."""

Stated = float | str | Callable[[Mapping[str, Any]], Any]
"""A number, or the parameter that holds it ("-x" is minus the parameter x), or a function of the parameters."""

Number = int | float | Fraction

AFTER = "∘"
"""Between the names of a composition: log∘exp is log after exp."""

HIGHEST = 32
"""Highest order of a derivative that is a function of its own."""

_ONE = Polynomial({(): 1})


@dataclass(frozen=True)
class Element:
    """One function of a chain.

    Parameters
    ----------
    name : str
        The variable that stands for it in polynomials.
    derivative : Polynomial
        Its derivative, a polynomial in z, the chain and the parameters.
    definition : callable
        What it is, (kind, z, parameters) -> value; runs on symbols and balls.
    stable : callable, optional
        The same on floating-point arrays, accurate over the whole range, where the definition is not.
    turning : tuple of float or None
        Where it changes between rising and falling; () is monotone, None unknown (wide balls are then put through
        the definition).
    relation : Polynomial, optional
        What it equals in terms of other elements, for Taylor coefficients beyond the value: sech² = 1 - tanh², of
        which the derivatives, unlike the value, do not cancel, and which costs half of the recurrence.
    """

    name: str
    derivative: Polynomial
    definition: Definition
    stable: Definition | None = None
    turning: tuple[float, ...] | None = None
    relation: Polynomial | None = None


@dataclass(frozen=True)
class Kink:
    """A point where a derivative jumps.

    Parameters
    ----------
    at : float or str or callable
        The point, or the parameter that holds it, or a function of the parameters.
    order : int or callable
        The lowest derivative that jumps; 0 is a jump of the value itself.
    chosen : float or str or callable
        The value given to that derivative at the point; None where the derivatives of lower order have been taken
        away: there this function, its value at the point, or only one of its derivatives may jump.
    """

    at: Stated
    order: int | Callable[[Mapping[str, Any]], int]
    chosen: Stated | None


@dataclass(frozen=True, eq=False)
class Part:
    """One function of a composition.

    Parameters
    ----------
    row : Row
        The function.
    names : mapping of str to str
        What its chain functions and parameters are called in the composition.
    """

    row: Row
    names: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Row:
    """One row of the catalogue.

    Parameters
    ----------
    name : str
        Name of the function.
    value : Polynomial
        The function as a polynomial in z, its chain and its parameters.
    chain : tuple of Element
        The chain functions.
    parameters : mapping of str to float
        Default parameters; an int or a Fraction stays exact on symbols and balls.
    domain, range : tuple of float
        Ends of the open or closed interval of arguments, and of values at the default parameters.
    kinks : tuple of Kink
        Where a derivative jumps.
    inverse : str or callable, optional
        The row of the inverse function, on the values that this function takes; with parameters a function of those
        of this row, parameters -> (row, parameters), or None where there is none.
    names : mapping of str to str
        Format -> name in that format.
    stabilised : bool
        Whether floating-point accuracy through saturation has been taken care of.
    cases : bool
        Whether it was made of cases, of which nobody has checked that all kinks are stated.
    fault : callable, optional
        Parameters -> what is wrong with them, or None.
    fingerprint : str
        What tells a registered function from another of the same name; empty for rows of the catalogue.
    base : Row, optional
        The function that this one is a derivative of.
    order : int
        The order of that derivative; 0 for a function that is none.
    parts : tuple of Part
        The functions that a composition is put together from, the one that is applied first before the others.
    """

    name: str
    value: Polynomial
    chain: tuple[Element, ...] = ()
    parameters: Mapping[str, Number] = field(default_factory=dict)
    domain: tuple[float, float] = (-np.inf, np.inf)
    range: tuple[float, float] = (-np.inf, np.inf)
    kinks: tuple[Kink, ...] = ()
    inverse: str | Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]] | None] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    stabilised: bool = True
    cases: bool = False
    fault: Callable[[Mapping[str, Any]], str | None] | None = None
    fingerprint: str = ""
    base: Row | None = None
    order: int = 0
    parts: tuple[Part, ...] = ()

    @functools.cached_property
    def elements(self) -> Mapping[str, Element]:
        """Chain functions by name."""
        return {element.name: element for element in self.chain}

    @functools.cached_property
    def places(self) -> Mapping[str, tuple[int, str]]:
        """The part that each chain function of a composition belongs to, and what it is called there."""
        return {part.names[e.name]: (i, e.name) for i, part in enumerate(self.parts) for e in part.row.chain}

    def derivative_name(self, order: int) -> str:
        """Return the name of the derivative of an order: tanh', tanh'', tanh^(3), …."""
        base, order = self.name if self.base is None else self.base.name, self.order + order
        base = f"({base})" if order and AFTER in base else base
        return base + "'" * order if order <= 2 else f"{base}^({order})"

    def is_element(self, name: str) -> bool:
        """Return whether the function is this very element of its chain."""
        return self.value == Polynomial({((name, 1),): 1})

    def slope(self, variable: str) -> Polynomial:
        """Return the derivative of one variable with respect to z."""
        if variable == "z":
            return _ONE
        if variable in self.elements:
            return self.elements[variable].derivative
        return Polynomial({})

    @functools.cached_property
    def _derivatives(self) -> dict[int, Polynomial]:
        return {0: self.value}

    def derivative(self, order: int) -> Polynomial:
        """Return the derivative of an order as a polynomial in z and the chain."""
        if self.base is not None:
            return self.base.derivative(self.order + order)
        known = self._derivatives
        for n in range(1, order + 1):
            if n not in known:  # threads may find the same one twice, each at its place
                known[n] = known[n - 1].derivative(self.slope)
        return known[order]

    @functools.cached_property
    def _differentiated(self) -> dict[int, Row]:
        return {0: self}

    def differentiated(self, order: int) -> Row:
        """Return the derivative of an order as a row of its own, always the same object.

        It has the chain, parameters and domain of this one; no range or inverse is stated. A place
        where only lower derivatives jump stays a kink, of order 0.
        """
        if not isinstance(order, int | np.integer) or isinstance(order, bool) or order < 0:
            raise InputError(f"derivative of order {shown(repr(order))} received; a whole number from 0 is expected.")
        if self.base is not None:
            return self.base.differentiated(self.order + int(order))
        if order not in self._differentiated:
            self._differentiated.setdefault(int(order), self._derived(int(order)))
        return self._differentiated[int(order)]

    def _derived(self, order: int) -> Row:
        if order > HIGHEST:
            raise UnsupportedError(
                f"derivative of order {shown(order)} of {self.name} received; at most {HIGHEST} is covered: "
                "the formula grows with every order."
            )
        return replace(
            self,
            name=self.derivative_name(order),
            value=self.derivative(order),
            range=(-np.inf, np.inf),
            kinks=tuple(_lowered(kink, order) for kink in self.kinks),
            inverse=None,
            names={},
            base=self,
            order=order,
        )


def _lowered(kink: Kink, by: int) -> Kink:
    """Return the kink that a derivative has where the function has one."""
    order, chosen = kink.order, kink.chosen
    if callable(order):
        return Kink(kink.at, lambda p: max(order(p) - by, 0), lambda p: resolved(chosen, p) if order(p) >= by else None)
    return Kink(kink.at, max(order - by, 0), chosen if order >= by else None)


_MARKED = re.compile(r"(?P<base>[^'^]+)(?:(?P<primes>'+)|\^\((?P<order>[0-9]+)\))")


def parsed(name: str) -> tuple[str, int]:
    """Return the name of a function and the order of its derivative: "tanh'" is ("tanh", 1)."""
    match = _MARKED.fullmatch(name)
    if match is None:
        return name, 0
    base = match["base"].removeprefix("(").removesuffix(")") if AFTER in name else match["base"]
    # Python refuses to read thousands of digits; ten are too many for an order in any case.
    return base, len(match["primes"] or "") or int((match["order"] or "0")[:10])


def resolved(value: Any, constants: Mapping[str, Any]) -> Any:
    """Return what a kink states, given the parameters."""
    if callable(value):
        return value(constants)
    if isinstance(value, str):
        return -constants[value[1:]] if value.startswith("-") else constants[value]
    return value
