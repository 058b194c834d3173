"""Activations from SymPy expressions: the chain is derived, and every service follows from it.

The generators of the chain are the subexpressions that are not polynomials: exp(g), tanh(g), 1/g, g^q, |g|, …. The
derivative of each is a polynomial in z and the generators, by the chain rule and the SymPy class' own derivative;
a new subexpression there becomes a generator in turn, until none is new. Expressions for which this does not end,
such as gamma(x), are refused. Numbers that are not rational become constant generators.

A ``Piecewise`` becomes a sum over its branches; a generator of a branch is held at 0 outside of it, so that what it
does there, overflow perhaps, does not matter.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import InputError, UnsupportedError, shown
from neuralgebra.functions import special
from neuralgebra.functions.activation import Element, Kink, Row, register
from neuralgebra.functions.polynomial import Polynomial

__all__ = ["register_expression"]

LIMIT = 24  # generators; a chain that is closed at all is closed far below
HIGHEST_POWER = 64

# SymPy class -> function of the kinds; the second, where there is one, serves floating-point arrays.
FUNCTIONS: dict[Any, tuple[str, Callable[..., Value] | None]] = {
    sympy.Abs: ("abs", None),
    sympy.acos: ("acos", None),
    sympy.acosh: ("acosh", None),
    sympy.asin: ("asin", None),
    sympy.asinh: ("asinh", None),
    sympy.atan: ("atan", None),
    sympy.atanh: ("atanh", special.atanh),
    sympy.cos: ("cos", None),
    sympy.cosh: ("cosh", None),
    sympy.erf: ("erf", special.erf),
    sympy.erfc: ("erfc", special.erfc),
    sympy.exp: ("exp", None),
    sympy.log: ("log", None),
    sympy.sign: ("sign", None),
    sympy.sin: ("sin", None),
    sympy.sinh: ("sinh", None),
    sympy.tan: ("tan", None),
    sympy.tanh: ("tanh", special.tanh),
}
CASES = (sympy.Abs, sympy.Heaviside, sympy.Max, sympy.Min, sympy.Piecewise, sympy.sign)
CONDITIONS = (sympy.Gt, sympy.Ge, sympy.Lt, sympy.Le, sympy.And, sympy.Or, sympy.Not)
STRUCTURE = (sympy.Add, sympy.Mul, sympy.Pow, sympy.Rational, sympy.Float, *CASES, *CONDITIONS)
CONSTANTS = (sympy.pi, sympy.E, sympy.true)


@dataclass(frozen=True)
class Masked:
    """A generator within one branch: `inner` where the last guard holds and none before it, else 0."""

    guards: tuple[Any, ...]
    inner: Any


def register_expression(
    name: str,
    expression: Any,
    symbol: Any,
    *,
    domain: tuple[float, float] = (-math.inf, math.inf),
    kinks: Sequence[Kink] | None = None,
    replace: bool = False,
) -> Row:
    """Register a function given as a SymPy expression.

    Parameters
    ----------
    name : str
        Name of the new function: letters, digits and underscores.
    expression : sympy.Expr
        The function; text is refused.
    symbol : sympy.Symbol
        Its argument, the only symbol in it.
    domain : tuple of float
        Ends of the open interval of arguments.
    kinks : sequence of Kink, optional
        Where a derivative jumps; has to be given, if only as (), for an expression with cases.
    replace : bool
        Whether a function registered under this name gives way.

    Returns
    -------
    Row
        The new row of the catalogue; accuracy through saturation is not taken care of.

    Raises
    ------
    InputError
        For what is no expression in the one symbol, and for cases without stated kinks.
    UnsupportedError
        For functions without a closed chain, or that the kinds of number do not have.

    Examples
    --------
    >>> x = sympy.Symbol("x", real=True)
    >>> register_expression("bent", (sympy.sqrt(x**2 + 1) - 1) / 2 + x, x, replace=True).derivative(1)
    1 + 1/2*c1*c2*z
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", str(name)):
        raise InputError(f"name '{shown(name)}' received; letters, digits and underscores are expected.")
    _check(expression, symbol)
    if kinks is None and expression.has(*CASES):
        raise InputError(
            f"{shown(expression)} has cases, and where its derivatives jump is not stated.\n"
            "Pass kinks=[Kink(place, order, chosen)], or kinks=() if all derivatives are continuous."
        )
    if not domain[0] < domain[1]:
        raise InputError(f"domain {domain} received; two numbers in ascending order are expected.")
    builder = Builder(symbol)
    value = builder.polynomial(expression)
    row = Row(
        name,
        value,
        builder.chain(),
        domain=(float(domain[0]), float(domain[1])),
        kinks=tuple(kinks or ()),
        stabilised=False,
        cases=expression.has(*CASES),
        fingerprint=sympy.srepr(expression.xreplace({symbol: sympy.Symbol("z")})),
    )
    return register(row, replace=replace)


def _check(expression: Any, symbol: Any) -> None:
    """Refuse what is not an expression in the symbol, made of known functions."""
    if not isinstance(expression, sympy.Expr):
        raise InputError(
            f"{shown(repr(expression))} received; a SymPy expression is expected, and text is never parsed.\n"
            "Build it from objects: x = sympy.Symbol('x'); expression = x * sympy.tanh(x)."
        )
    if not isinstance(symbol, sympy.Symbol):
        raise InputError(f"symbol {shown(repr(symbol))} received; a sympy.Symbol is expected.")
    strange = sorted(map(str, expression.free_symbols - {symbol}))
    if strange:
        raise InputError(f"{shown(', '.join(strange))} in the expression; {symbol} is the only symbol expected.")
    for node in sympy.preorder_traversal(expression):
        _check_node(node, symbol)


def _check_node(node: Any, symbol: Any) -> None:
    if node == symbol or node in CONSTANTS or isinstance(node, sympy.Tuple):
        return
    if isinstance(node, sympy.Piecewise) and node.args[-1].cond != sympy.true:
        raise InputError(f"{shown(node)} is undefined where no condition holds; the last one must be True.")
    if isinstance(node, sympy.Heaviside) and node.args[1] != 0:
        raise InputError(f"{shown(node)} is {node.args[1]} at 0; Heaviside(…, 0) is expected.")
    if isinstance(node, sympy.log) and len(node.args) != 1:
        raise UnsupportedError(f"{shown(node)}: only the natural logarithm is known.")
    if not isinstance(node, STRUCTURE) and node.func not in FUNCTIONS:
        known = ", ".join(sorted(cls.__name__ for cls in FUNCTIONS))
        raise UnsupportedError(f"{shown(node)} is not covered; these functions are: {known}.")


class Builder:
    """Turns expressions into polynomials in z and generators, and collects the generators.

    Parameters
    ----------
    symbol : sympy.Symbol
        The argument.
    """

    def __init__(self, symbol: sympy.Symbol) -> None:
        self.symbol = symbol
        self.names: dict[Any, str] = {symbol: "z"}
        self.keys: dict[str, Any] = {}
        self.slopes: dict[str, Polynomial] = {"z": Polynomial({(): 1})}

    def chain(self) -> tuple[Element, ...]:
        """Return the chain that the generators met so far need, closed under differentiation."""
        elements: list[Element] = []
        while len(elements) < len(self.keys):
            name = list(self.keys)[len(elements)]
            elements.append(Element(name, self.slope(name), functools.partial(_defined, self.keys[name], self.symbol)))
        return tuple(elements)

    def generator(self, key: Any) -> Polynomial:
        """Return the variable that stands for a generator."""
        if key not in self.names:
            if len(self.keys) == LIMIT:
                raise UnsupportedError(
                    f"no chain of at most {LIMIT} functions is closed under differentiation; needed next: {shown(key)}."
                )
            self.names[key] = f"c{len(self.keys) + 1}"
            self.keys[self.names[key]] = key
        return Polynomial({((self.names[key], 1),): 1})

    def slope(self, name: str) -> Polynomial:
        """Return the derivative of one variable."""
        if name not in self.slopes:
            self.slopes[name] = self._differentiated(self.keys[name])
        return self.slopes[name]

    def derivative(self, expression: Any) -> Polynomial:
        """Return the derivative of an expression."""
        return self.polynomial(expression).derivative(self.slope)

    # Expressions to polynomials

    def polynomial(self, e: Any) -> Polynomial:
        """Return an expression as a polynomial in z and generators."""
        if e == self.symbol:
            return Polynomial({(("z", 1),): 1})
        if isinstance(e, sympy.Rational):
            return Polynomial({(): Fraction(int(e.p), int(e.q))})
        if not e.has(self.symbol):
            return self.generator(e)
        if isinstance(e, sympy.Add):
            return functools.reduce(operator.add, map(self.polynomial, e.args))
        if isinstance(e, sympy.Mul):
            return functools.reduce(operator.mul, map(self._factor, e.args))
        if isinstance(e, sympy.Pow):
            return self._power(*e.as_base_exp())
        if isinstance(e, sympy.Piecewise):
            return self._piecewise(e)
        return self.generator(e)

    def _factor(self, e: Any) -> Polynomial:
        """Return a factor; a sum is a generator of its own, so that products are not multiplied out."""
        return self.generator(e) if isinstance(e, sympy.Add) else self.polynomial(e)

    def _power(self, base: Any, exponent: Any) -> Polynomial:
        if not exponent.is_Rational:
            return self.generator(base**exponent)
        whole, part = divmod(exponent, 1)
        if abs(whole) > HIGHEST_POWER:
            raise UnsupportedError(f"exponent {exponent} received; at most {HIGHEST_POWER} is covered.")
        factor = self._factor(base) if whole > 0 else self.generator(1 / base) if whole < 0 else Polynomial({(): 1})
        return factor ** abs(int(whole)) * (self.generator(base**part) if part else 1)

    def _piecewise(self, e: sympy.Piecewise) -> Polynomial:
        result = Polynomial({})
        guards: tuple[Any, ...] = ()
        for branch, condition in e.args:
            guards = (*guards, condition)
            result = result + self._masked(self.polynomial(branch), guards)
        return result

    def _masked(self, polynomial: Polynomial, guards: tuple[Any, ...]) -> Polynomial:
        """Return a polynomial as it is within a branch, and 0 outside."""
        result = Polynomial({})
        for monomial, coefficient in polynomial:
            keys = [(self.keys[name], exponent) for name, exponent in monomial if name != "z"]
            term = Polynomial({tuple((n, k) for n, k in monomial if n == "z"): coefficient})
            for key, exponent in keys or [(sympy.Integer(1), 1)]:
                term = term * self.generator(Masked(guards, key)) ** exponent
            result = result + term
        return result

    # Derivatives of generators

    def _differentiated(self, key: Any) -> Polynomial:
        if isinstance(key, Masked):
            inner = Polynomial({}) if key.inner == 1 else self.slope(self.names[key.inner])
            return self._masked(inner, key.guards)
        if not key.has(self.symbol) or isinstance(key, sympy.sign | sympy.Heaviside):
            return Polynomial({})
        if isinstance(key, sympy.Add):
            return self.derivative(key)
        if isinstance(key, sympy.Max | sympy.Min):
            return self._extremum_differentiated(key)
        if isinstance(key, sympy.Pow):
            return self._power_differentiated(key)
        return self.polynomial(key.fdiff()) * self.derivative(key.args[0])

    def _extremum_differentiated(self, key: Any) -> Polynomial:
        first, rest = _parted(key, self.symbol)
        difference = first - rest if isinstance(key, sympy.Max) else rest - first
        chosen = self.generator(sympy.Heaviside(difference, 0))
        return chosen * self.derivative(first) + (1 - chosen) * self.derivative(rest)

    def _power_differentiated(self, key: sympy.Pow) -> Polynomial:
        """Return (b^e)' = b^e·(e'·log b + e·b'/b)."""
        base, exponent = key.as_base_exp()
        itself = self.generator(key)
        if exponent == -1:
            return -itself * itself * self.derivative(base)
        result = Polynomial({})
        if exponent.has(self.symbol):
            result = itself * self.derivative(exponent) * self.polynomial(sympy.log(base))
        if base.has(self.symbol):
            result = result + itself * self._factor(exponent) * self.polynomial(1 / base) * self.derivative(base)
        return result


def _parted(e: Any, symbol: sympy.Symbol) -> tuple[Any, Any]:
    """Return a maximum or minimum as that of two; at a tie the second is taken, a constant if there is one."""
    first = next(arg for arg in sympy.ordered(e.args) if arg.has(symbol))
    return first, e.func(*(arg for arg in e.args if arg != first))


# Expressions on a kind of number -----------------------------------------------------------------------------------


def _defined(key: Any, symbol: sympy.Symbol, k: Any, z: Value, _: Any) -> Value:
    """Evaluate a generator; the definition of its chain function."""
    return _walk(key, symbol, k, z)


def _walk(e: Any, symbol: sympy.Symbol, k: Any, z: Value) -> Any:
    """Evaluate an expression on a kind of number."""
    if e == symbol:
        return z
    if isinstance(e, Masked):
        return _guarded(e.guards, _walk(e.inner, symbol, k, z), symbol, k, z)
    if not e.free_symbols and (k.floating or (e.is_number and not e.args)):
        return _constant(e, k)
    if isinstance(e, sympy.Piecewise):
        return _pieces(list(e.args), symbol, k, z)
    if isinstance(e, sympy.Max | sympy.Min) and e.has(symbol):
        parts = [_walk(part, symbol, k, z) for part in _parted(e, symbol)]
        return (k.maximum if isinstance(e, sympy.Max) else k.minimum)(*parts)
    return _applied(e, [_walk(argument, symbol, k, z) for argument in e.args], k)


def _constant(e: Any, k: Any) -> Any:
    if isinstance(e, sympy.Rational):
        return k.number(Fraction(int(e.p), int(e.q)) if e.q != 1 else int(e))
    if k.floating or isinstance(e, sympy.Float):
        return k.number(float(e))
    return k.pi + 0 if e == sympy.pi else k.exp(k.number(1))


def _applied(e: Any, values: list[Any], k: Any) -> Any:
    """Apply the outermost operation of an expression to its evaluated arguments."""
    if isinstance(e, sympy.Add | sympy.Mul):
        return functools.reduce(operator.add if isinstance(e, sympy.Add) else operator.mul, values)
    if isinstance(e, sympy.Pow):
        return _powered(e, values[0], values[1], k)
    if isinstance(e, sympy.Heaviside):
        return k.step(values[0])
    name, stable = FUNCTIONS[e.func]
    return stable(k, values[0], {}) if stable and k.floating else getattr(k, name)(values[0])


def _powered(e: sympy.Pow, base: Any, exponent: Any, k: Any) -> Any:
    if e.exp.is_Integer:
        return base ** int(e.exp) if e.exp > 0 else 1 / base ** -int(e.exp)
    if e.exp == sympy.Rational(1, 2):
        return k.sqrt(base)
    if e.exp.is_number:
        return k.power(base, exponent)
    if e.base.is_number:
        return k.exp(exponent * (math.log(base) if k.floating else k.log(base)))
    return k.exp(exponent * k.log(base))


def _pieces(branches: list[Any], symbol: sympy.Symbol, k: Any, z: Value) -> Any:
    (branch, condition), *others = branches
    value = _walk(branch, symbol, k, z)
    return _chosen(condition, value, _pieces(others, symbol, k, z), symbol, k, z) if others else value


def _guarded(guards: Iterable[Any], value: Any, symbol: sympy.Symbol, k: Any, z: Value) -> Any:
    """Return the value where the last guard holds and none before it, else 0."""
    *before, last = guards
    zero = k.number(0)
    result = _chosen(last, value, zero, symbol, k, z)
    for guard in reversed(before):
        result = _chosen(guard, zero, result, symbol, k, z)
    return result


def _chosen(condition: Any, yes: Any, no: Any, symbol: sympy.Symbol, k: Any, z: Value) -> Any:
    """Return `yes` where a condition holds, else `no`."""
    if condition == sympy.true:
        return yes
    if isinstance(condition, sympy.Not):
        return _chosen(condition.args[0], no, yes, symbol, k, z)
    if isinstance(condition, sympy.And | sympy.Or):
        first, *others = condition.args
        rest = _chosen(condition.func(*others), yes, no, symbol, k, z)
        both = (rest, no) if isinstance(condition, sympy.And) else (yes, rest)
        return _chosen(first, *both, symbol, k, z)
    a, b = (_walk(side, symbol, k, z) for side in condition.args)
    if isinstance(condition, sympy.Gt | sympy.Le):
        return k.where_greater(a, b, *((yes, no) if isinstance(condition, sympy.Gt) else (no, yes)))
    return k.where_greater(b, a, *((yes, no) if isinstance(condition, sympy.Lt) else (no, yes)))
