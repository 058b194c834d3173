"""Intervals of doubles, rounded outwards, in whole arrays: every result contains what the rules give for real numbers.

Sums move an end only where it was rounded, products by a number in any case, matrix products by an a priori bound.
Elementary functions take the ends to balls (python-flint) and back, outwards. NaN comes out of nothing; what has
no bound is [-∞, ∞], and where a function is undefined on a part of an interval, the rest counts.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.arithmetic import elementary
from neuralgebra.arithmetic.arrays import quiet
from neuralgebra.arithmetic.directed import Ends, matrix_product, products, quotients, sums, total
from neuralgebra.arithmetic.kind import ObjectKind, Value

__all__ = ["Interval", "Intervals"]

_MOST = 1 << 22  # numbers at once


class Interval:
    """Real numbers between two ends, in arrays; a plain array or number stands for itself.

    Parameters
    ----------
    low : ndarray of float64
        Lower ends, below ∞.
    high : ndarray of float64, optional
        Upper ends, above -∞; by default the lower ones, which makes exact numbers.

    Examples
    --------
    >>> x = Interval(np.array([1.0, -1.0]), np.array([2.0, 3.0]))
    >>> x * x
    Interval([1. 0.], [4. 9.])
    >>> (x / 3).low <= 1 / 3
    array([ True,  True])
    """

    __array_ufunc__ = None  # arrays leave the operators to this class
    __slots__ = ("high", "low")

    def __init__(self, low: Any, high: Any = None) -> None:
        self.low = np.asarray(low, dtype=np.float64)
        self.high = self.low if high is None or high is low else np.asarray(high, dtype=np.float64)

    @staticmethod
    def of(x: Any) -> Interval:
        """Return intervals as they are, exact numbers as the least interval that contains them."""
        if isinstance(x, Interval):
            return x
        if isinstance(x, int | Fraction) and x != float(x):
            return Interval(*elementary.between(x))
        return Interval(x)

    @property
    def ends(self) -> Ends:
        """Lower and upper ends."""
        return self.low, self.high

    @property
    def thin(self) -> bool:
        """Whether both ends are one array."""
        return self.low is self.high

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of each array."""
        return self.low.shape

    def __repr__(self) -> str:
        return f"Interval({self.low}, {self.high})"

    def each(self, function: Callable[[np.ndarray], np.ndarray]) -> Interval:
        """Return what a rearrangement makes of both ends."""
        low = function(self.low)
        return Interval(low, low if self.thin else function(self.high))

    def __getitem__(self, key: Any) -> Interval:
        return self.each(lambda a: a[key])

    def __neg__(self) -> Interval:
        return Interval(-self.low) if self.thin else Interval(-self.high, -self.low)

    def __abs__(self) -> Interval:
        if self.thin:
            return Interval(np.abs(self.low))
        return Interval(np.maximum(0.0, np.maximum(self.low, -self.high)), np.maximum(-self.low, self.high))

    def __add__(self, other: Any) -> Interval:
        b = Interval.of(other)
        with quiet():
            low, high = sums(self.low, b.low)
            return Interval(low, high if self.thin and b.thin else sums(self.high, b.high)[1])

    def __sub__(self, other: Any) -> Interval:
        return self + -Interval.of(other)

    def __rsub__(self, other: Any) -> Interval:
        return Interval.of(other) + -self

    def __mul__(self, other: Any) -> Interval:
        a, b = (abs(self),) * 2 if other is self else (self, Interval.of(other))
        with quiet():
            return Interval(*products(a.ends, b.ends))

    def __truediv__(self, other: Any) -> Interval:
        with quiet():
            return Interval(*quotients(self.ends, Interval.of(other).ends))

    def __rtruediv__(self, other: Any) -> Interval:
        return Interval.of(other) / self

    def __pow__(self, exponent: int) -> Interval:
        if exponent % 2 and not self.thin:
            return Interval((Interval(self.low) ** exponent).low, (Interval(self.high) ** exponent).high)
        return functools.reduce(lambda a, b: a * b, [self if exponent % 2 else abs(self)] * exponent)

    def __matmul__(self, other: Any) -> Interval:
        b = Interval.of(other)
        with quiet():
            if self.thin and b.finite:
                return Interval(*matrix_product(self.low, b.ends, left=True))
            if b.thin and self.finite:
                return Interval(*matrix_product(b.low, self.ends, left=False))
            terms = (self[..., :, j, None] * b[..., j, None, :] for j in range(b.shape[-2]))
            return functools.reduce(lambda a, b: a + b, terms)

    def __rmatmul__(self, other: Any) -> Interval:
        return Interval.of(other) @ self

    @property
    def finite(self) -> bool:
        """Whether all ends are finite."""
        return bool(np.isfinite(self.low).all() and (self.thin or np.isfinite(self.high).all()))

    __radd__ = __add__
    __rmul__ = __mul__


class Intervals(ObjectKind):
    """Intervals of doubles in arrays.

    All rules of jets run on them, and all functions of the catalogue.

    Examples
    --------
    >>> k = Intervals()
    >>> k.matvec(np.array([[1.0, -1.0]]), Interval(np.array([0.0, 0.0]), np.array([1.0, 2.0])))
    Interval([-2.], [1.])
    >>> k.tanh(Interval(np.array([-np.inf]), np.array([0.0])))
    Interval([-1.], [0.])
    """

    def scalar(self, value: Any) -> Interval:
        """Return an exact number as the least interval that contains it."""
        return Interval.of(value)

    def weight(self, array: np.ndarray) -> Interval:
        """Return an array of weights, shape kept."""
        return Interval(array)

    def interval(self, low: Value, high: Value) -> Interval:
        """Return all numbers between the ends, coordinate by coordinate."""
        return Interval(low, high)

    def matvec(self, weight: np.ndarray, x: Value) -> Interval:
        """Return ``x @ weight.T``: (out, in), (..., in) -> (..., out)."""
        return self._product(x, np.asarray(weight).T)

    def rmatvec(self, weight: np.ndarray, y: Value) -> Interval:
        """Return ``y @ weight``: (out, in), (..., out) -> (..., in)."""
        return self._product(y, np.asarray(weight))

    def _product(self, x: Interval, matrix: np.ndarray) -> Interval:
        """Return ``x @ matrix``."""
        flat = self.reshape(x, (-1, x.shape[-1])) @ Interval(matrix)
        return self.reshape(flat, (*x.shape[:-1], matrix.shape[1]))

    def take(self, x: Value, indices: np.ndarray, axis: int) -> Interval:
        """Return the entries of x at integer indices along one axis."""
        return Interval.of(x).each(lambda a: np.take(a, indices, axis=axis))

    def concat(self, parts: Sequence[Value], axis: int) -> Interval:
        """Return the parts joined along one axis."""
        known = [Interval.of(p) for p in parts]
        low = np.concatenate([p.low for p in known], axis)
        return Interval(low, low if all(p.thin for p in known) else np.concatenate([p.high for p in known], axis))

    def total(self, x: Value, axis: int) -> Interval:
        """Return the sum along one axis, which disappears."""
        with quiet():
            return Interval(*total(Interval.of(x).ends, axis))

    def dot(self, a: Value, b: Value) -> Interval:
        """Return the sum of products along the last axis, which disappears."""
        return self.total(a * b, -1)

    def broadcast(self, x: Value, shape: tuple[int, ...]) -> Interval:
        """Return x repeated to a shape."""
        return Interval.of(x).each(lambda a: np.broadcast_to(a, shape))

    def zeros(self, shape: tuple[int, ...]) -> Interval:
        """Return zeros of a shape."""
        return Interval(np.zeros(shape))

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Interval:
        """Return x in another shape, row-major."""
        return Interval.of(x).each(lambda a: np.reshape(a, shape))

    def permute(self, x: Value, axes: tuple[int, ...]) -> Interval:
        """Return x with its axes in another order."""
        return Interval.of(x).each(lambda a: np.transpose(a, axes))

    def fill(self, like: Value, value: Any) -> Interval:
        """Return a value repeated to the shape of an array."""
        return self.broadcast(value, like.shape)

    def where(self, chosen: np.ndarray, yes: Any, no: Any) -> Interval:
        """Return `yes` where it is chosen, else `no`."""
        a, b = Interval.of(yes), Interval.of(no)
        low = np.where(chosen, a.low, b.low)
        return Interval(low, low if a.thin and b.thin else np.where(chosen, a.high, b.high))

    def union(self, a: Any, b: Any) -> Interval:
        """Return the least interval that contains both."""
        a, b = Interval.of(a), Interval.of(b)
        return Interval(np.minimum(a.low, b.low), np.maximum(a.high, b.high))

    def meet(self, a: Any, b: Any) -> Interval:
        """Return what is in both."""
        a, b = Interval.of(a), Interval.of(b)
        return Interval(np.maximum(a.low, b.low), np.minimum(a.high, b.high))

    def ends(self, x: Interval) -> Interval | None:
        """Return both ends along a new first axis, None where all numbers are exact."""
        return None if x.thin else Interval(np.stack(x.ends))

    def within(self, x: Interval, low: float, high: float) -> np.ndarray:
        """Return whether intervals lie within [low, high]."""
        return (x.low >= low) & (x.high <= high)

    def meets(self, x: Interval, low: float, high: float) -> np.ndarray:
        """Return whether intervals have a number of [low, high]."""
        return (x.low <= high) & (x.high >= low)

    def part(self, x: Interval, low: float, high: float) -> Interval:
        """Return what intervals have in common with [low, high]; the nearest end if there is nothing."""
        return Interval(np.clip(x.low, low, high), np.clip(x.high, low, high))

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Interval:
        """Return `yes` where a > b, else `no`; the hull of both where undecided."""
        a, b = Interval.of(a), Interval.of(b)
        decided = self.where(a.low > b.high, yes, no)
        undecided = (a.low <= b.high) & (a.high > b.low)
        return self.where(undecided, self.union(yes, no), decided) if undecided.any() else decided

    def maximum(self, a: Value, b: Any) -> Interval:
        """Return the larger of both."""
        a, b = Interval.of(a), Interval.of(b)
        return Interval(np.maximum(a.low, b.low), np.maximum(a.high, b.high))

    def minimum(self, a: Value, b: Any) -> Interval:
        """Return the smaller of both."""
        a, b = Interval.of(a), Interval.of(b)
        return Interval(np.minimum(a.low, b.low), np.minimum(a.high, b.high))

    def abs(self, x: Value) -> Interval:
        """Return |x|."""
        return abs(Interval.of(x))

    def sign(self, x: Value) -> Interval:
        """Return the sign of x."""
        return Interval.of(x).each(np.sign)

    def power(self, x: Value, exponent: Any) -> Interval:
        """Return x to a constant power."""
        x, p = Interval.of(x), Interval.of(exponent)
        with quiet():
            return Interval(*elementary.power(x.ends, p.ends))

    def softmaxes(self, z: Interval) -> tuple[Interval, Interval]:
        """Return the logarithm of softmax, and softmax: 1/sᵢ = 1 + Σ exp(zⱼ - zᵢ), of which each is the hull."""
        size = z.shape[-1]
        units = np.array_split(np.arange(size), min(size, 1 + z.low.size * size // _MOST))
        others = self.concat([self._rivals(z, unit) for unit in units], -1)
        return -self.log1p(others), self.minimum(1 / (1 + others), 1.0)

    def _rivals(self, z: Interval, units: np.ndarray) -> Interval:
        """Return Σ exp(zⱼ - zᵢ) over all others j, for some i."""
        powers = self.exp(z[..., None, :] - z[..., units, None])
        return self.total(self.where(units[:, None] == np.arange(z.shape[-1]), 0.0, powers), -1)

    @property
    def pi(self) -> Interval:
        """The number π."""
        return Interval(*elementary.PI)

    def __getattr__(self, name: str) -> Callable[[Value], Interval]:
        function = elementary.function(name)
        return lambda x: _made(function, Interval.of(x))

    def mended(self, value: Interval, z: Interval, again: Callable[[Any, Value], Value]) -> Interval:
        """Return values with those that overflowed on the way computed again by balls, whose exponents have no end."""
        lost = ~(np.isfinite(value.low) & np.isfinite(value.high)) & np.isfinite(z.low) & np.isfinite(z.high)
        if value.shape != z.shape or not lost.any():
            return value
        low, high = value.low.copy(), value.high.copy()
        low[lost], high[lost] = elementary.by_balls(again, (z.low[lost], z.high[lost]))
        return Interval(low, high)


def _made(function: Callable[[Ends], Ends], x: Interval) -> Interval:
    with quiet():
        low, high = function(x.ends)
    return Interval(low, low if np.array_equal(low, high) else high)
