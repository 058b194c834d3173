"""Rational numbers (python-flint): nothing is rounded, for what is made of sums, products and cases."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.kind import ObjectKind, Value

__all__ = ["Rationals", "above", "below", "ends", "exactly", "fraction", "nearest"]


class Rationals(ObjectKind):
    """Exact rational numbers in object arrays.

    Examples
    --------
    >>> k = Rationals()
    >>> k.matvec(np.array([[0.5, 0.25]]), k.weight(np.array([3.0, 0.125])))
    array([49/32], dtype=object)
    """

    def scalar(self, value: int | float | Fraction) -> flint.fmpq:
        """Return an exact number as one rational."""
        if isinstance(value, flint.fmpq):
            return value
        if isinstance(value, int | np.integer):
            return flint.fmpq(int(value))
        return flint.fmpq(*(value if isinstance(value, Fraction) else float(value)).as_integer_ratio())

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T`` by FLINT's matrix product."""
        return self.product(x, self.weight(weight).T)

    def rmatvec(self, weight: np.ndarray, y: Value) -> Value:
        """Return ``y @ weight`` by FLINT's matrix product."""
        return self.product(y, self.weight(weight))

    def product(self, x: Value, matrix: Value) -> Value:
        """Return ``x @ matrix``."""
        flat, shape = x.reshape(-1, x.shape[-1]), (*x.shape[:-1], matrix.shape[1])
        if not flat.size or not matrix.size:
            return self.zeros(shape)
        product = flint.fmpq_mat(flat.tolist()) * flint.fmpq_mat(matrix.tolist())
        return np.array(product.tolist(), dtype=object).reshape(shape)

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`."""
        return self.each(lambda u, v, s, t: self.scalar(s if u > v else t), a, b, yes, no)

    def sign(self, x: Value) -> Value:
        """Return the sign of x."""
        return self.each(lambda v: flint.fmpq((v > 0) - (v < 0)), x)


def exactly(point: flint.arb) -> flint.fmpq:
    """Return a ball of radius 0 as a rational."""
    mantissa, exponent = point.man_exp()
    return flint.fmpq(mantissa) * flint.fmpq(2) ** int(exponent)


def fraction(value: flint.fmpq) -> Fraction:
    """Return a rational as Python has it."""
    return Fraction(int(value.p), int(value.q))


def nearest(value: flint.fmpq) -> float:
    """Return the nearest double; ±inf beyond the largest."""
    try:
        return int(value.p) / int(value.q)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def above(value: flint.fmpq) -> float:
    """Return the smallest double that is not below a rational."""
    return 0.0 - below(-value)  # never -0.0


def below(value: flint.fmpq) -> float:
    """Return the largest double that is not above a rational."""
    found = nearest(value)
    if np.isinf(found):
        return found if found < 0 else float(np.finfo(np.float64).max)
    exceeds = flint.fmpq(*found.as_integer_ratio()) > value
    return math.nextafter(found, -math.inf) if exceeds else found


_FAR = 1100  # exponents beyond it are out of the range of doubles, and would make rationals of any size


def ends(ball: flint.arb) -> tuple[float, float]:
    """Return the doubles next to the ends of a finite ball, outside of it."""
    return _down(ball.lower()), 0.0 - _down(-ball.upper())


def _down(point: flint.arb) -> float:
    mantissa, exponent = map(int, point.man_exp())
    size = mantissa.bit_length() + exponent
    if not mantissa or abs(size) <= _FAR:
        return below(exactly(point))
    if mantissa > 0:
        return float(np.finfo(np.float64).max) if size > 0 else 0.0
    return float(-np.inf) if size > 0 else -5e-324
