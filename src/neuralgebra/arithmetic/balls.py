"""Balls (python-flint): every result is an interval that contains the exact one.

The working precision of FLINT is global; `Balls.precision()` is the context in which a computation must run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.kind import ObjectKind, Value

__all__ = ["Balls"]


class Balls(ObjectKind):
    """Real balls in object arrays.

    Parameters
    ----------
    bits : int
        Working precision.
    """

    def __init__(self, bits: int = 128) -> None:
        self.bits = bits

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which a computation with these balls must run."""
        manager: contextlib.AbstractContextManager[Any] = flint.ctx.workprec(self.bits)
        return manager

    def scalar(self, value: int | float | Fraction) -> flint.arb:
        """Return an exact number as one ball."""
        if isinstance(value, flint.arb):
            return value
        if isinstance(value, Fraction):
            return flint.arb(flint.fmpq(value.numerator, value.denominator))
        return flint.arb(int(value) if isinstance(value, int | np.integer) else float(value))

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T`` by FLINT's matrix product."""
        return self._product(x, self.weight(weight).T)

    def rmatvec(self, weight: np.ndarray, y: Value) -> Value:
        """Return ``y @ weight`` by FLINT's matrix product."""
        return self._product(y, self.weight(weight))

    def _product(self, x: Value, matrix: Value) -> Value:
        """Return ``x @ matrix``."""
        flat, shape = x.reshape(-1, x.shape[-1]), (*x.shape[:-1], matrix.shape[1])
        if not len(flat):
            return self.zeros(shape)
        product = flint.arb_mat(flat.tolist()) * flint.arb_mat(matrix.tolist())
        return np.array(product.tolist(), dtype=object).reshape(shape)

    def interval(self, low: Value, high: Value) -> Value:
        """Return the balls that contain [low, high], coordinate by coordinate."""
        return self.each(lambda a, b: self.scalar(a).union(self.scalar(b)), low, high)

    def ends(self, x: Value) -> Value | None:
        """Return both ends along a new first axis, None where all balls are exact."""
        x = self._balls(x)
        if all(map(flint.arb.is_exact, x.flat)):
            return None
        return np.stack([self.each(flint.arb.lower, x), self.each(flint.arb.upper, x)])

    def within(self, x: Value, low: float, high: float) -> np.ndarray:
        """Return whether balls lie within [low, high]."""
        inside: np.ndarray = self.each(lambda v: bool(v >= low and v <= high), x).astype(bool)
        return inside

    def meets(self, x: Value, low: float, high: float) -> np.ndarray:
        """Return whether balls may have a number of [low, high]."""
        touching: np.ndarray = self.each(lambda v: not (v < low or v > high), x).astype(bool)
        return touching

    def part(self, x: Value, low: float, high: float) -> Value:
        """Return balls that contain what balls have in common with [low, high]; the nearest end if there is nothing."""
        return self.interval(
            *(self.clip(end, low, high) for end in (self.each(flint.arb.lower, x), self.each(flint.arb.upper, x)))
        )

    def where(self, chosen: np.ndarray, yes: Value, no: Value) -> Value:
        """Return `yes` where it is chosen, else `no`."""
        return np.where(chosen, yes, no)

    def union(self, a: Value, b: Value) -> Value:
        """Return balls that contain both."""
        return self.each(flint.arb.union, a, b)

    def meet(self, a: Value, b: Value) -> Value:
        """Return balls that contain what is in both; of one that is not finite nothing is used."""
        return self.each(_meet, a, b)

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`; the hull of both where undecided."""
        return self.each(_where_greater, a, b, yes, no)

    def maximum(self, a: Value, b: Any) -> Value:
        """Return the larger of both."""
        return self.each(lambda u, v: u.max(v), a, b)

    def minimum(self, a: Value, b: Any) -> Value:
        """Return the smaller of both."""
        return self.each(lambda u, v: u.min(v), a, b)

    def hypot(self, a: Value, b: float) -> Value:
        """Return sqrt(a² + b²)."""
        return self.each(lambda v: (v * v + self.scalar(b) ** 2).sqrt(), a)

    def power(self, x: Value, exponent: Any) -> Value:
        """Return x to a constant power."""
        return self.each(lambda v, p: v**p, x, exponent)

    def abs(self, x: Value) -> Value:
        """Return |x|."""
        return self.each(abs, x)

    def ndtr(self, x: Value) -> Value:
        """Return Φ(x) = erfc(-x/√2)/2."""
        return self.each(lambda v: (-v / flint.arb(2).sqrt()).erfc() / 2, x)

    def sign(self, x: Value) -> Value:
        """Return the sign of x."""
        return self.each(flint.arb.sgn, x)

    @property
    def pi(self) -> flint.arb:
        """The number π."""
        return flint.arb.pi()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        method = getattr(flint.arb, name)
        return lambda x: self.each(method, self._balls(x))

    def _balls(self, x: Value) -> Value:
        """Return balls as they are, and other numbers as balls: FLINT's methods do not look at what they are given."""
        first = x.flat[0] if isinstance(x, np.ndarray) and x.size else x
        return x if isinstance(first, flint.arb | np.ndarray) else self.each(self.scalar, x)


def _meet(a: flint.arb, b: flint.arb) -> flint.arb:
    if not b.is_finite() or b.contains(a):  # rounds nothing
        return a
    return a.intersection(b) if a.is_finite() else b


def _where_greater(a: flint.arb, b: flint.arb, yes: flint.arb, no: flint.arb) -> flint.arb:
    if a > b:
        return flint.arb(yes)
    return flint.arb(no) if a <= b else flint.arb(yes).union(flint.arb(no))
