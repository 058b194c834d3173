"""What all notations share: the order of the terms of a sum, numbers rounded once, products as fractions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy

from neuralgebra.arithmetic.symbols import exact_number, flat_sum, scaled

__all__ = ["Order", "fraction_of", "is_flat", "rounded", "settled", "shortest"]


class Order:
    """The order in which names were introduced; constants come last.

    Parameters
    ----------
    names : iterable of sympy.Symbol
        In their order.
    """

    def __init__(self, names: Iterable[Any]) -> None:
        self._place = {symbol: place for place, symbol in enumerate(names)}

    def terms(self, expression: Any) -> list[Any]:
        """Return the terms of a sum, sorted."""
        return sorted(expression.args, key=self._key)

    def _key(self, term: Any) -> tuple[Any, ...]:
        if term.is_Symbol:
            return 0, [self._place.get(term, 0)], ()
        if is_flat(term) and term.is_Mul:
            return 0, sorted([self._place.get(symbol, 0) for symbol in term.args[1:]]), ()
        if term.is_number:
            return (1,)
        return 0, sorted(self._place.get(s, 0) for s in term.free_symbols), term.sort_key()


def is_flat(term: Any) -> bool:
    """Return whether a term is a decimal or an integer, a name, or such a number times distinct names."""
    if not term.is_Mul:
        return bool(term.is_Symbol or term.is_Float or term.is_Integer)
    number, *names = term.args
    return bool((number.is_Float or number.is_Integer) and all(name.is_Symbol for name in names))


def rounded(number: Any, digits: int | None) -> tuple[bool, str]:
    """Return whether a decimal or an integer is negative, and its size: 1 for all that settles there."""
    if not number.is_Float:
        return bool(number < 0), str(abs(number))
    value = float(number) if digits is None else float(f"{float(number):.{digits}g}")
    return value < 0, "1" if value in (-1, 1) else repr(abs(value))


def shortest(number: Any) -> str:
    """Return the shortest decimal that reads back to the same double."""
    return repr(float(number)) if number.is_Float else str(number)


def settled(expression: Any, digits: int | None) -> Any:
    """Return an expression with every Float rounded once to its digits; what then is -1, 0 or 1 is an integer."""
    if expression.is_Float:
        return _settled_number(expression, digits)
    if not expression.args:
        return expression
    parts = [settled(a, digits) for a in expression.args]
    if all(new is old for new, old in zip(parts, expression.args, strict=True)):
        return expression
    if expression.is_Mul and len(parts) == 2 and parts[0].is_Number:
        return scaled(*parts)
    return flat_sum(parts) if expression.is_Add else expression.func(*parts)


def _settled_number(number: sympy.Float, digits: int | None) -> sympy.Expr:
    value = float(number)
    if digits is not None:
        value = float(f"{value:.{digits}g}")
    if value in (-1, 0, 1) and number != 0:
        return exact_number(value)
    return number if digits is None else sympy.Float(f"{value:.{digits}g}", max(15, digits))


def fraction_of(product: Any) -> tuple[list[Any], list[Any]]:
    """Return the factors above and below the line of a product, or of what is one alone; no number is computed."""
    above: list[Any] = []
    below: list[Any] = []
    for factor in sympy.Mul.make_args(product):
        power = factor.exp if factor.is_Pow else None
        if factor.is_Rational and not factor.is_Integer:
            above += [sympy.Integer(factor.p)] if factor.p != 1 else []
            below.append(sympy.Integer(factor.q))
        elif power is not None and power.is_number and power.is_negative:
            below.append(sympy.Pow(factor.base, -power, evaluate=False) if power != -1 else factor.base)
        else:
            above.append(factor)
    return above, below
