"""Symbols (SymPy): formulas. Names never pass through a parser; only objects are built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from sympy.core.add import _addsort

from neuralgebra.arithmetic.kind import ObjectKind, Value

__all__ = ["Quick", "Symbols", "exact_number", "flat_sum", "scaled"]


_LONG = 10**9


def exact_number(value: int | float | Fraction) -> sympy.Expr:
    """Return a number as SymPy holds it exactly: Integer, Rational, or a Float with all bits of the double.

    A fraction with a long denominator, such as the constants of selu, becomes a Float of 17 digits: it is to be read.
    """
    if isinstance(value, Fraction):
        exact = sympy.Rational(value.numerator, value.denominator)
        return exact if value.denominator < _LONG else sympy.Float(exact, 17)
    if isinstance(value, int | np.integer):
        return sympy.Integer(int(value))
    number = float(value)
    return sympy.Integer(int(number)) if number in (-1, 0, 1) else sympy.Float(number, 17)


class Symbols(ObjectKind):
    """SymPy expressions in object arrays."""

    def scalar(self, value: int | float | Fraction) -> sympy.Expr:
        """Return an exact number as one expression."""
        return exact_number(value)

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T`` with one flat sum per coordinate."""
        return _flat_sums(self.weight(weight), x)

    def rmatvec(self, weight: np.ndarray, y: Value) -> Value:
        """Return ``y @ weight`` with one flat sum per coordinate."""
        return _flat_sums(self.weight(weight).T, y)

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`."""
        return self.each(_where_greater, a, b, yes, no)

    def band(self, z: Value, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Value:
        """Return `below` where z <= low, `above` where z >= high, `inside` elsewhere."""
        return self.each(_band, z, low, high, below, inside, above)

    def largest(self, a: Value, b: Any) -> Value:
        """Return Max(a, b): unlike cases it may stand in the condition of further cases."""
        return self.each(lambda u, v: sympy.Max(u, v, evaluate=False), a, b)

    def abs(self, x: Value) -> Value:
        """Return |x|."""
        return self.each(sympy.Abs, x)

    def exp(self, x: Value) -> Value:
        """Return e^x; a decimal in the exponent stays there, where SymPy would round a factor of it."""
        return self.each(_exp, x)

    def expm1(self, x: Value) -> Value:
        """Return exp(x) - 1."""
        return self.each(lambda v: _exp(v) - 1, x)

    def log1p(self, x: Value) -> Value:
        """Return log(1 + x)."""
        return self.each(lambda v: sympy.log(1 + v), x)

    def hypot(self, a: Value, b: float) -> Value:
        """Return sqrt(a² + b²)."""
        return self.each(lambda v: sympy.sqrt(v**2 + exact_number(b) ** 2), a)

    def power(self, x: Value, exponent: Any) -> Value:
        """Return x to a constant power."""
        return self.each(lambda v, p: v**p, x, exponent)

    def ndtr(self, x: Value) -> Value:
        """Return Φ(x) = (1 + erf(x/√2))/2."""
        return self.each(lambda v: (1 + sympy.erf(v / sympy.sqrt(2))) / 2, x)

    @property
    def pi(self) -> sympy.Expr:
        """The number π."""
        return sympy.pi

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function = getattr(sympy, name)
        return lambda x: self.each(function, x)


def _exp(x: sympy.Expr) -> sympy.Expr:
    decimal = x.is_Add and any(term.is_Float for term in x.args)
    return sympy.exp(x, evaluate=not decimal)


def _band(z: sympy.Expr, low: Any, high: Any, below: Any, inside: Any, above: Any) -> sympy.Expr:
    if below == above:
        return sympy.Piecewise((inside, sympy.And(sympy.Gt(z, low), sympy.Lt(z, high))), (below, True))
    return sympy.Piecewise((below, sympy.Le(z, low)), (above, sympy.Ge(z, high)), (inside, True))


# Sums of numbers times names are put together without SymPy's simplifications, which take most of the time: there is
# nothing to simplify in them, and what comes out is what SymPy would have made.


def scaled(number: sympy.Expr, value: sympy.Expr) -> sympy.Expr:
    """Return number·value."""
    if number.is_Float:
        if value.is_Symbol:
            return sympy.Mul._from_args([number, value], is_commutative=True)
        factors = value.args if value.is_Mul else ()
        if factors and factors[0].is_Float:
            return sympy.Mul._from_args([number * factors[0], *factors[1:]], is_commutative=True)
        if factors and all(a.is_Symbol for a in factors):
            return sympy.Mul._from_args([number, *factors], is_commutative=True)
    return number * value


def flat_sum(terms: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return the sum of terms."""
    numbers = [term for term in terms if term.is_Number and term != 0]
    others = [term for term in terms if not term.is_Number]
    names = [_names(term) for term in others]
    if None in names or len(set(names)) < len(names) or len(numbers) > 1:
        return sympy.Add(*terms)
    if all(map(_is_scaled, others)):
        others.sort(key=_place)
    else:
        _addsort(others)
    return sympy.Add._from_args([*numbers, *others], is_commutative=True)


def _flat_sums(rows: Value, x: Value) -> Value:
    """Return ``x @ rows.T``."""
    flat = x.reshape(-1, x.shape[-1])
    out = np.empty((len(flat), len(rows)), dtype=object)
    for i, point in enumerate(flat):
        for j, row in enumerate(rows):
            out[i, j] = flat_sum([scaled(w, v) for w, v in zip(row, point, strict=True)])
    return out.reshape(*x.shape[:-1], len(rows)).view(Quick)


def _names(term: sympy.Expr) -> tuple[sympy.Symbol, ...] | None:
    """Return the names in a term that is a name, or a number times distinct names."""
    if term.is_Symbol:
        return (term,)
    plain = term.is_Mul and term.args[0].is_Number and all(a.is_Symbol for a in term.args[1:])
    return term.args[1:] if plain else None


def _is_scaled(term: sympy.Expr) -> bool:
    """Return whether a term that is a name, or a number times names, is a decimal times names."""
    return bool(term.is_Mul and term.args[0].is_Float)


def _place(term: sympy.Expr) -> tuple[Any, ...]:
    """Return what SymPy orders decimals times names by."""
    number, *names = term.args
    return len(names), number._mpf_, number._prec, *[name.name for name in names]


class Quick(np.ndarray[Any, Any]):
    """An array of names, flat sums and numbers: numbers are added to them and multiplied with them in few steps."""

    def __add__(self, other: Any) -> Any:
        return np.frompyfunc(_plus, 2, 1)(np.asarray(self), np.asarray(other))

    def __mul__(self, other: Any) -> Any:
        return np.frompyfunc(_times, 2, 1)(np.asarray(self), np.asarray(other))

    __rmul__ = __mul__


def _times(a: Any, b: Any) -> Any:
    """Return a·b: a decimal times a name without SymPy's questions."""
    return scaled(a, b) if isinstance(a, sympy.Float) and isinstance(b, sympy.Symbol) else a * b


def _plus(total: sympy.Expr, number: sympy.Expr) -> sympy.Expr:
    if not total.is_Add or total.args[0].is_Number or not number.is_Number or number == 0:
        return total + number
    return sympy.Add._from_args([number, *total.args], is_commutative=True)


def _where_greater(a: Any, b: Any, yes: Any, no: Any) -> sympy.Expr:
    """Return the two cases, as they stand where a or b is a sum: SymPy's canonical form of such a condition with
    decimal factors may never settle, and its attempt to merge cases inside cases may not end.
    """
    simple = all(not isinstance(v, sympy.Basic) or v.is_Atom for v in (a, b))
    condition = sympy.Gt(a, b, evaluate=simple)
    return sympy.Piecewise((yes, condition), (no, True), evaluate=simple)
