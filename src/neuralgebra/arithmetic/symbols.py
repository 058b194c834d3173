"""Symbols (SymPy): formulas. Names never pass through a parser; only objects are built."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from neuralgebra.arithmetic.kind import ObjectKind, Value

__all__ = ["Symbols", "exact_number", "rounded"]


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


def rounded(array: np.ndarray, digits: int | None) -> np.ndarray:
    """Return the array with every entry rounded to a number of significant digits; integers stay."""
    if digits is None or np.asarray(array).dtype.kind in "iu":
        return array
    result: np.ndarray = np.vectorize(lambda v: float(f"{v:.{digits}g}"), otypes=[float])(np.asarray(array, float))
    return result


class Symbols(ObjectKind):
    """SymPy expressions in object arrays.

    Parameters
    ----------
    digits : int, optional
        Weights are rounded to this many significant digits; all 17 are kept by default.
    """

    def __init__(self, digits: int | None = None) -> None:
        self.digits = digits

    def scalar(self, value: int | float | Fraction) -> sympy.Expr:
        """Return an exact number as one expression."""
        return exact_number(value)

    def weight(self, array: np.ndarray) -> Value:
        """Return weights as expressions, rounded where asked."""
        return super().weight(rounded(np.asarray(array), self.digits))

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T`` with one flat sum per coordinate."""
        rows = self.weight(weight)
        flat = x.reshape(-1, x.shape[-1])
        out = np.empty((len(flat), len(rows)), dtype=object)
        for i, point in enumerate(flat):
            for j, row in enumerate(rows):
                out[i, j] = sympy.Add(*[_term(w, v) for w, v in zip(row, point, strict=True)])
        return out.reshape(*x.shape[:-1], len(rows))

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`."""
        return self.each(lambda u, v, y, n: sympy.Piecewise((y, sympy.Gt(u, v)), (n, True)), a, b, yes, no)

    def band(self, z: Value, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Value:
        """Return `below` where z <= low, `above` where z >= high, `inside` elsewhere."""
        return self.each(_band, z, low, high, below, inside, above)

    def abs(self, x: Value) -> Value:
        """Return |x|."""
        return self.each(sympy.Abs, x)

    def expm1(self, x: Value) -> Value:
        """Return exp(x) - 1."""
        return self.each(lambda v: sympy.exp(v) - 1, x)

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


def _band(z: sympy.Expr, low: Any, high: Any, below: Any, inside: Any, above: Any) -> sympy.Expr:
    if below == above:
        return sympy.Piecewise((inside, sympy.And(sympy.Gt(z, low), sympy.Lt(z, high))), (below, True))
    return sympy.Piecewise((below, sympy.Le(z, low)), (above, sympy.Ge(z, high)), (inside, True))


def _term(weight: sympy.Expr, value: sympy.Expr) -> sympy.Expr:
    """Return weight·value; the common case, a number times a name, without SymPy's simplifications."""
    if value.is_Symbol and weight.is_Float:
        return sympy.Mul._from_args([weight, value])
    return weight * value
