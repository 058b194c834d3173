"""Balls (python-flint): every result is an interval that contains the exact one.

The working precision of FLINT is global; `Balls.precision()` is the context in which a computation must run.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.kind import ObjectKind, Value

__all__ = ["Balls"]


_TURNING_RADIUS = 1e-12


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

    def enclose(
        self,
        function: Callable[[Value], Value],
        x: Value,
        turning: tuple[float, ...],
        domain: tuple[float, float] = (-math.inf, math.inf),
    ) -> Value:
        """Return the hull of a function over wide balls, given where it turns; tight, and exact balls stay exact.

        Balls that leave the domain, where the turning points say nothing, are put through the function as they are.
        """
        low, high = self.each(flint.arb.lower, x), self.each(flint.arb.upper, x)
        if np.all(low == high):
            return function(x)
        first, last = map(flint.arb, domain)
        if not all(a >= first and b <= last for a, b in zip(low.flat, high.flat, strict=True)):
            return function(x)
        result = function(low)
        result = self.each(flint.arb.union, result, function(high))
        for point in turning:
            near = flint.arb(point, _TURNING_RADIUS * max(1.0, abs(point)))
            inside = function(self.fill(x, near))
            result = self.each(lambda r, v, z, near=near: r.union(v) if z.overlaps(near) else r, result, inside, x)
        return result

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
        return lambda x: self.each(method, x)


def _where_greater(a: flint.arb, b: flint.arb, yes: flint.arb, no: flint.arb) -> flint.arb:
    if a > b:
        return flint.arb(yes)
    return flint.arb(no) if a <= b else flint.arb(yes).union(flint.arb(no))
