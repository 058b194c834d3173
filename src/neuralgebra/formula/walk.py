"""A printer of expressions for notations that SymPy's printers do not serve: brackets by precedence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import sympy
from sympy.core.relational import Relational

from neuralgebra.errors import UnsupportedError, shown
from neuralgebra.formula.terms import Order, fraction_of, is_flat, rounded, settled

__all__ = ["ATOM", "CONDITION", "POWER", "PRODUCT", "Writer"]

CONDITION, SUM, PRODUCT, POWER, ATOM = range(5)

_RELATIONS = {sympy.Gt: ">", sympy.Lt: "<", sympy.Ge: ">=", sympy.Le: "<=", sympy.Eq: "==", sympy.Ne: "!="}


class Writer:
    """Expressions in a notation.

    Parameters
    ----------
    names : mapping of sympy.Symbol to str
        Names in the notation, in the order in which sums have them.
    digits : int, optional
        Significant digits of decimals; all by default.
    """

    functions: ClassVar[Mapping[str, str]] = {}
    cases_bind: ClassVar[int] = ATOM

    def __init__(self, names: Mapping[Any, str], digits: int | None = None) -> None:
        self.names, self.digits, self.order = names, digits, Order(names)

    def line(self, expression: Any) -> str:
        """Return an expression, its decimals rounded once."""
        if expression.is_Add and all(map(is_flat, expression.args)):
            return self._sum(expression)[0]
        return self.write(settled(expression, self.digits))

    def write(self, expression: Any, level: int = CONDITION) -> str:
        """Return an expression, in brackets if it binds less than a level."""
        text, binds = self._written(expression)
        return self.bracketed(text) if binds < level else text

    def _written(self, e: Any) -> tuple[str, int]:
        """Return the text of an expression and how strongly it binds."""
        if e.is_Symbol:
            return self.names[e], ATOM
        if e.is_Float or e.is_Integer:
            minus, text = rounded(e, self.digits)
            return (self.negative(self.number(text)), SUM) if minus else (self.number(text), ATOM)
        if e.is_Add:
            return self._sum(e)
        if e.is_Mul or e.is_Rational:
            return self._product(e)
        if e.is_Pow:
            return self._power(e)
        return self._other(e)

    def _other(self, e: Any) -> tuple[str, int]:
        if isinstance(e, sympy.Piecewise):
            *cases, (last, always) = e.args
            if always != sympy.true:
                raise UnsupportedError(f"cases without a last one for all others received: {shown(e)}.")
            pairs = [(self.write(value), self.write(condition)) for value, condition in cases]
            return self.cases(pairs, self.write(last)), self.cases_bind
        if isinstance(e, Relational):
            sides = [self.write(side, SUM) for side in (e.lhs, e.rhs)]
            return self.relation(_RELATIONS[type(e)], *sides), CONDITION
        if isinstance(e, sympy.And | sympy.Or):
            parts = [self.bracketed(self.write(a)) for a in e.args]
            return self.joined("and" if isinstance(e, sympy.And) else "or", parts), CONDITION
        return self._named(e), ATOM

    def _named(self, e: Any) -> str:
        """Return a constant or a function of arguments."""
        name = e.func.__name__ if e.args else type(e).__name__
        if name not in self.functions:
            raise UnsupportedError(f"{shown(e)} has no name in this notation; f.formula().text() writes it.")
        if not e.args:
            return self.constant(self.functions[name])
        return self.applied(name, [self.write(a) for a in e.args])

    def _sum(self, e: Any) -> tuple[str, int]:
        """Return a sum; its terms in the order of their names."""
        terms = [self._term(term) for term in self.order.terms(e)]
        return self.summed([term for term in terms if term[1] != self.number("0")] or [(False, self.number("0"))]), SUM

    def _term(self, term: Any) -> tuple[bool, str]:
        """Return whether a term is subtracted, and what is."""
        if is_flat(term) and term.is_Mul:
            minus, text = rounded(term.args[0], self.digits)
            names = [self.names[symbol] for symbol in term.args[1:]]
            factors = names if text == "1" else [self.number(text), *names]
            return minus, factors[0] if len(factors) == 1 else self.multiplied(factors)
        if term.as_coeff_Mul()[0].is_negative:
            return True, self.write(-term, PRODUCT)
        return False, self.write(term, PRODUCT)

    def _product(self, e: Any) -> tuple[str, int]:
        number, _ = e.as_coeff_Mul()
        if number.is_negative:
            return self.negative(self.write(-e, PRODUCT)), SUM
        above, below = fraction_of(e)
        if not below:
            return self.multiplied([self.write(factor, PRODUCT) for factor in above]), PRODUCT
        return self.divided(self._factors(above), self._factors(below)), PRODUCT

    def _factors(self, factors: list[Any]) -> tuple[str, int]:
        """Return a product of factors, and how strongly it binds."""
        if not factors:
            return self.number("1"), ATOM
        if len(factors) == 1:
            return self._written(factors[0])
        return self.multiplied([self.write(factor, PRODUCT) for factor in factors]), PRODUCT

    def _power(self, e: Any) -> tuple[str, int]:
        if e.exp.is_number and e.exp.is_negative:
            return self._product(e)
        if e.exp == sympy.Rational(1, 2):
            return self.root(self.write(e.base)), ATOM
        return self.raised(e.base, e.exp), POWER

    # What a notation states -----------------------------------------------------------------------------------------

    def number(self, text: str) -> str:
        """Return a number that is not negative, given as the shortest decimal."""
        raise NotImplementedError

    def bracketed(self, text: str) -> str:
        """Return something in brackets."""
        raise NotImplementedError

    def negative(self, text: str) -> str:
        """Return something with a minus."""
        raise NotImplementedError

    def summed(self, terms: list[tuple[bool, str]]) -> str:
        """Return a sum of terms, each with whether it is subtracted."""
        raise NotImplementedError

    def multiplied(self, factors: list[str]) -> str:
        """Return a product."""
        raise NotImplementedError

    def divided(self, above: tuple[str, int], below: tuple[str, int]) -> str:
        """Return a fraction, given the text of each part and how strongly it binds."""
        raise NotImplementedError

    def raised(self, base: Any, exponent: Any) -> str:
        """Return a power."""
        raise NotImplementedError

    def constant(self, name: str) -> str:
        """Return a constant such as π."""
        return name

    def root(self, text: str) -> str:
        """Return a square root."""
        raise NotImplementedError

    def applied(self, name: str, arguments: list[str]) -> str:
        """Return a function of arguments; its name is that of SymPy."""
        raise NotImplementedError

    def cases(self, pairs: list[tuple[str, str]], otherwise: str) -> str:
        """Return (value, condition) one by one, and the value otherwise."""
        raise NotImplementedError

    def relation(self, sign: str, left: str, right: str) -> str:
        """Return left > right, or another relation."""
        raise NotImplementedError

    def joined(self, word: str, parts: Iterable[str]) -> str:
        """Return conditions joined by "and" or "or"."""
        raise NotImplementedError
