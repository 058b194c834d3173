"""Activations as Pfaffian functions.

A *chain* is a short list of functions c₁(z), c₂(z), … each of whose derivatives is a polynomial in z and the chain;
an activation is a polynomial in z and its chain. Example, tanh: t' = c, c' = -2tc with c = sech². One row of the
catalogue states this, and from it follow every derivative, the Taylor recurrence, the formula and the enclosure, for
every kind of number.

The chain is chosen so that the value and the first two derivatives are sums without cancellation beyond the
condition of the function itself: sech² is a chain function of its own, not 1 - tanh².
"""

from __future__ import annotations

import difflib
import functools
import itertools
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import quiet
from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import InputError, UnsupportedError, shown
from neuralgebra.functions.polynomial import Monomial, Polynomial

__all__ = ["Activation", "Chain", "Element", "Kink", "Row", "activation", "register", "registered", "resolved"]

Definition = Callable[[Any, Value, Mapping[str, Any]], Value]
"""(kind, argument, parameters) -> value, with + * and the functions of the kind only."""

Stated = float | str | Callable[[Mapping[str, Any]], Any]
"""A number, or the parameter that holds it ("-x" is minus the parameter x), or a function of the parameters."""

Number = int | float | Fraction
Parameter = Number | tuple[Number, ...]

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
    """

    name: str
    derivative: Polynomial
    definition: Definition
    stable: Definition | None = None
    turning: tuple[float, ...] | None = None


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
        The value given to that derivative at the point.
    """

    at: Stated
    order: int | Callable[[Mapping[str, Any]], int]
    chosen: Stated


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
    turning : tuple of float or None
        Points between which the function is monotone, whatever the parameters; None: not stated.
    kinks : tuple of Kink
        Where a derivative jumps.
    inverse : str, optional
        The row of the inverse function, on the values that this function takes.
    names : mapping of str to str
        Format -> name in that format.
    stabilised : bool
        Whether floating-point accuracy through saturation has been taken care of.
    fingerprint : str
        What tells a registered function from another of the same name; empty for rows of the catalogue.
    """

    name: str
    value: Polynomial
    chain: tuple[Element, ...] = ()
    parameters: Mapping[str, Number] = field(default_factory=dict)
    domain: tuple[float, float] = (-np.inf, np.inf)
    range: tuple[float, float] = (-np.inf, np.inf)
    turning: tuple[float, ...] | None = ()
    kinks: tuple[Kink, ...] = ()
    inverse: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    stabilised: bool = True
    fingerprint: str = ""

    @functools.cached_property
    def elements(self) -> Mapping[str, Element]:
        """Chain functions by name."""
        return {element.name: element for element in self.chain}

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
    def _derivatives(self) -> list[Polynomial]:
        return [self.value]

    def derivative(self, order: int) -> Polynomial:
        """Return the derivative of an order as a polynomial in z and the chain."""
        while len(self._derivatives) <= order:
            self._derivatives.append(self._derivatives[-1].derivative(self.slope))
        return self._derivatives[order]


@dataclass(frozen=True)
class Activation:
    """A scalar function σ with its parameters, applied coordinate by coordinate.

    Parameters
    ----------
    row : Row
        Its row of the catalogue.
    parameters : tuple of (str, float or tuple of float)
        Name and value of each parameter; a tuple holds one value per coordinate.
    """

    row: Row = field(repr=False)
    name: str = field(init=False)
    parameters: tuple[tuple[str, Parameter], ...] = ()

    def __post_init__(self) -> None:
        unknown = dict(self.parameters).keys() - self.row.parameters.keys()
        if unknown:
            raise InputError(
                f"parameter '{shown(min(unknown))}' received for {self.row.name}; "
                f"{sorted(self.row.parameters) or 'no parameters'} expected."
            )
        given = {**self.row.parameters, **dict(self.parameters)}
        object.__setattr__(self, "name", self.row.name)
        object.__setattr__(self, "parameters", tuple(sorted(given.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.name, self.parameters, self.row.fingerprint)

    def __str__(self) -> str:
        changed = [(n, v) for n, v in self.parameters if v != self.row.parameters[n]]
        return self.name + (f"({', '.join(f'{n}={_short(v)}' for n, v in changed)})" if changed else "")

    def constants(self, kind: Any) -> dict[str, Any]:
        """Return the parameters as numbers of a kind."""
        return {
            n: kind.weight(np.array(v, dtype=float)) if isinstance(v, tuple) else kind.number(v)
            for n, v in self.parameters
        }

    def __call__(self, kind: Any, z: Value) -> Value:
        """Return σ(z), coordinate by coordinate."""
        return self.derivative(kind, z, 0)

    def derivative(self, kind: Any, z: Value, order: int) -> Value:
        """Return the derivative of an order, σ⁽ⁿ⁾(z), coordinate by coordinate.

        Parameters
        ----------
        kind : Kind
            The kind of number that z is.
        z : array
            Arguments, any shape (..., n); n is the number of coordinates if a parameter has one value for each.
        order : int
            0 for the function itself.

        Returns
        -------
        array
            Values, shaped as z.

        Examples
        --------
        >>> from neuralgebra.arithmetic.symbols import Symbols
        >>> import numpy, sympy
        >>> z = numpy.array([sympy.Symbol("x")], dtype=object)
        >>> activation("relu").derivative(Symbols(), z, 1)[0]
        Piecewise((1, x > 0), (0, True))
        """

        def exact(z: Value) -> Value:
            return Chain(kind, self, z).polynomial(self.row.derivative(order))

        with quiet():
            if order == 0 and self.row.turning is not None and _encloses(kind):
                return kind.enclose(exact, z, self.row.turning, self.row.domain)
            return exact(z)

    def points(self, kind: Any) -> list[tuple[Any, int]]:
        """Return place and order of each kink, as numbers of a kind."""
        constants, given = self.constants(kind), dict(self.parameters)
        return [(resolved(kink.at, constants), resolved(kink.order, given)) for kink in self.row.kinks]


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
    """

    def __init__(self, kind: Any, activation: Activation, z: Value) -> None:
        self.kind, self.activation, self.z = kind, activation, z
        self.values: dict[str, Any] = {"z": z, **activation.constants(kind)}
        self.parameters = dict(self.values)

    def variable(self, name: str) -> Value:
        """Return the value of z, a parameter or a chain function."""
        if name not in self.values:
            element = self.activation.row.elements[name]
            self.values[name] = self.kind.keep(self._evaluate(element), name)
        return self.values[name]

    def _evaluate(self, element: Element) -> Value:
        if self.kind.floating:
            formula = element.stable or element.definition
            if not element.derivative:
                return formula(self.kind, self.z, self.parameters)
            return self.kind.differentiable(
                lambda z: formula(self.kind, z, self.parameters),
                lambda z: Chain(self.kind, self.activation, z).polynomial(element.derivative),
                self.z,
            )
        if element.turning is not None and _encloses(self.kind):
            return self.kind.enclose(
                lambda z: element.definition(self.kind, z, self.parameters),
                self.z,
                element.turning,
                self.activation.row.domain,
            )
        return element.definition(self.kind, self.z, self.parameters)

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


def _encloses(kind: Any) -> bool:
    """Return whether values of a kind are sets, whose hull is to be found."""
    return not kind.floating and hasattr(kind, "enclose")


def resolved(value: Any, constants: Mapping[str, Any]) -> Any:
    """Return what a kink states, given the parameters."""
    if callable(value):
        return value(constants)
    if isinstance(value, str):
        return -constants[value[1:]] if value.startswith("-") else constants[value]
    return value


def _short(value: Parameter) -> str:
    return f"[{len(value)} values]" if isinstance(value, tuple) else f"{float(value):g}"


_ROWS: dict[str, Row] = {}
# Names that stand for layers where an activation is expected.
_WORDS = frozenset({"softmax"})


def register(row: Row, *, replace: bool = False) -> Row:
    """Add a row to the catalogue under its name; with `replace` it may take the place of a registered one."""
    known = _ROWS.get(row.name)
    if row.name in _WORDS or (known and not (replace and known.fingerprint)):
        raise InputError(f"activation '{shown(row.name)}' is registered already; choose another name.")
    _ROWS[row.name] = row
    return row


def registered() -> Mapping[str, Row]:
    """Return all rows by name."""
    return dict(_ROWS)


def activation(name: str, **parameters: Any) -> Activation:
    """Return a function of the catalogue by name.

    Parameters
    ----------
    name : str
        A name of the catalogue, for example "tanh".
    **parameters : float or sequence of float
        Its parameters; a sequence gives one value per coordinate.

    Returns
    -------
    Activation
        The function.

    Raises
    ------
    UnsupportedError
        For a name that is not in the catalogue.
    InputError
        For a parameter that the function does not have.

    Examples
    --------
    >>> str(activation("leaky_relu", slope=0.2))
    'leaky_relu(slope=0.2)'
    """
    if name not in _ROWS:
        near = difflib.get_close_matches(str(name), _ROWS, 3)
        raise UnsupportedError(
            f"activation '{shown(name)}' received; the catalogue has no such function.\n"
            + (f"Did you mean {' or '.join(near)}?" if near else "na.activations() lists them; na.register adds one.")
        )
    given = {n: _parameter(n, v) for n, v in parameters.items()}
    return Activation(_ROWS[name], tuple(given.items()))


def _parameter(name: str, value: Any) -> Parameter:
    values = value if isinstance(value, tuple) else (value,) if np.ndim(value) == 0 else tuple(value)
    try:
        numbers = tuple(v if type(v) in (int, Fraction) else float(v) for v in values)
    except (TypeError, ValueError):
        raise InputError(
            f"parameter '{shown(name)}' is {shown(repr(value))}; a number or one number per coordinate is expected."
        ) from None
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"parameter '{shown(name)}' is {shown(repr(value))}; finite numbers are expected.")
    return numbers[0] if np.ndim(value) == 0 else numbers


def _restored(name: str, parameters: tuple[tuple[str, Parameter], ...], fingerprint: str = "") -> Activation:
    found = activation(name, **dict(parameters))
    if found.row.fingerprint != fingerprint:
        raise UnsupportedError(
            f"activation '{shown(name)}' was another function when this network was pickled; register that one."
        )
    return found
