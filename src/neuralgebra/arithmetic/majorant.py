"""Majorants: what the rounding errors of a computation are measured by.

Every value a carries its size A ≥ |a|, the result of the same rules on absolute values, and its shift P: how far a
moves, at first order and in units of u, when the argument of every chain function on the way is off by u times its own
majorant. The majorant of a is M = A + P. The rules are those of dual numbers A + Pε, ε² = 0::

    value                              size           shift
    a number, a weight, an input w     |w|            0
    a ± b                              A + B          P + Q
    a·b, W x                           A·B, |W|·X     A·Q + P·B, |W|·P
    c(z), a function of a chain        |c(z)|         |c'(z)|·(size + shift of z), with the slope that its row states
    cases and maxima                   those of the case which the values choose

Let u be the unit roundoff. A sum of operands that are off by at most s·u and t·u times their majorants is off by at
most max(s, t) + 1 of u·M, a product by at most s + t + 1, a chain function by max(s, the error of its evaluation);
terms with u² are left out. So error / (u·M) counts roundings along the longest path of a computation, whatever the
numbers are. What is subtracted for safety and without effect on the result, the maximum in a softmax, is a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, Differentiable
from neuralgebra.arithmetic.kind import Value

__all__ = ["Majorant", "Measured"]


class Measured:
    """Values with size and shift; a plain array or number w beside it stands for w, |w|, 0.

    Parameters
    ----------
    value : ndarray
        Values.
    size : ndarray, optional
        What the same rules give on absolute values; the absolute values by default.
    shift : ndarray, optional
        How far the values move when arguments of functions are off; 0 by default.
    """

    __array_ufunc__ = None  # arrays leave the operators to this class
    __slots__ = ("shift", "size", "value")

    def __init__(self, value: Any, size: Any = None, shift: Any = None) -> None:
        self.value = value
        self.size = np.abs(value) if size is None else size
        self.shift = np.zeros(np.shape(value)) if shift is None else shift

    @staticmethod
    def of(x: Any) -> Measured:
        """Return measured values as they are, anything else with its absolute value."""
        return x if isinstance(x, Measured) else Measured(x)

    @property
    def majorant(self) -> np.ndarray:
        """Size and shift together."""
        majorant: np.ndarray = self.size + self.shift
        return majorant

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of each array."""
        shape: tuple[int, ...] = np.shape(self.value)
        return shape

    def __getitem__(self, key: Any) -> Measured:
        return Measured(self.value[key], self.size[key], self.shift[key])

    def __neg__(self) -> Measured:
        return Measured(-self.value, self.size, self.shift)

    def __add__(self, other: Any) -> Measured:
        b = Measured.of(other)
        return Measured(self.value + b.value, self.size + b.size, self.shift + b.shift)

    def __sub__(self, other: Any) -> Measured:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Measured:
        return self.__neg__().__add__(other)

    def __mul__(self, other: Any) -> Measured:
        b = Measured.of(other)
        return Measured(self.value * b.value, self.size * b.size, self.size * b.shift + self.shift * b.size)

    def __matmul__(self, other: Any) -> Measured:
        b = Measured.of(other)
        return Measured(self.value @ b.value, self.size @ b.size, self.size @ b.shift + self.shift @ b.size)

    def __rmatmul__(self, other: Any) -> Measured:
        return Measured.of(other) @ self

    __radd__ = __add__
    __rmul__ = __mul__


class Majorant:
    """Measured float64 arrays of NumPy; in functions of a chain, and there alone, plain arrays stay plain."""

    floating = True
    complex = False
    in_loops = False
    huge: float | None = None

    def __init__(self) -> None:
        self.base = Arrays(np.zeros(1))

    @property
    def xp(self) -> Majorant:
        """The namespace that chain functions ask for `where`."""
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["base"], name)

    def linear(self, weight: Any, x: Value) -> Value:
        """Return the image of x under a structured matrix, (..., in) -> (..., out)."""
        return weight.apply(self, x)

    def rlinear(self, weight: Any, y: Value) -> Value:
        """Return the image of y under the transpose of a structured matrix, (..., out) -> (..., in)."""
        return weight.adjoint(self, y)

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T``: (out, in), (..., in) -> (..., out)."""
        return _product(self.base.matvec, weight, x)

    def rmatvec(self, weight: np.ndarray, y: Value) -> Value:
        """Return ``y @ weight``: (out, in), (..., out) -> (..., in)."""
        return _product(self.base.rmatvec, weight, y)

    def dot(self, a: Value, b: Value) -> Value:
        """Return the sum of products along the last axis, which disappears."""
        return self.total(a * b, -1)

    def top(self, x: Value) -> Value:
        """Return the maximum of the values along the last axis, as numbers."""
        return self.base.top(_value(x))

    def take(self, x: Value, indices: np.ndarray, axis: int) -> Value:
        """Return the entries of x at integer indices along one axis."""
        return _each(partial(self.base.take, indices=indices, axis=axis), x)

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Return the parts joined along one axis."""
        return _each(lambda *arrays: self.base.concat(arrays, axis), *parts)

    def total(self, x: Value, axis: int) -> Value:
        """Return the sum along one axis, which disappears."""
        return _each(partial(self.base.total, axis=axis), x)

    def broadcast(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x repeated to a shape."""
        return _each(partial(self.base.broadcast, shape=shape), x)

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x in another shape, row-major."""
        return _each(partial(self.base.reshape, shape=shape), x)

    def permute(self, x: Value, axes: tuple[int, ...]) -> Value:
        """Return x with its axes in another order."""
        return _each(partial(self.base.permute, axes=axes), x)

    def fill(self, like: Value, value: Any) -> Value:
        """Return a value repeated to the shape of an array."""
        return self.broadcast(value, like.shape)

    def keep(self, x: Value, label: str, keys: Sequence[tuple[int, ...]] = ((),)) -> Value:
        """Return x measured: sums of plain arrays would not know their sizes."""
        del label, keys
        return Measured.of(x)

    def bounded(self, x: Value) -> bool:
        """Return whether x is known to hold no ±inf and no NaN."""
        return self.base.bounded(_value(x))

    def times(self, x: Value, factor: Value) -> Value:
        """Return x·factor; measured values are finite."""
        return x * factor if isinstance(x, Measured) else self.base.times(x, factor)

    def where(self, chosen: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where it is chosen, else `no`; plain if both are."""
        if isinstance(yes, Measured) or isinstance(no, Measured):
            return _each(partial(np.where, chosen), yes, no)
        return np.where(chosen, yes, no)

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`, coordinate by coordinate."""
        return self.where(_value(a) > _value(b), yes, no)

    def band(self, z: Value, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Value:
        """Return `below` where z <= low, `above` where z >= high, `inside` elsewhere."""
        z = _value(z)
        return self.where(z >= high, above, self.where(z <= low, below, inside))

    def largest(self, a: Value, b: Any) -> Value:
        """Return the larger of both, coordinate by coordinate."""
        return self.where_greater(b, a, b, a)

    def step(self, x: Value) -> Value:
        """Return 1 where x > 0, else 0, as numbers."""
        return self.base.step(_value(x))

    def sign(self, x: Value) -> Value:
        """Return the sign of x, as numbers."""
        return np.sign(_value(x))

    def abs(self, x: Value) -> Value:
        """Return |x|."""
        return Measured(np.abs(x.value), x.size, x.shift) if isinstance(x, Measured) else np.abs(x)

    def exp(self, x: Value) -> Value:
        """Return e^x."""
        return self.differentiable(np.exp, np.exp, x)

    def log(self, x: Value) -> Value:
        """Return the natural logarithm of x."""
        return self.differentiable(np.log, np.reciprocal, x)

    def differentiable(self, function: Differentiable, slope: Differentiable, x: Value) -> Value:
        """Return function(x), of which the majorant of x makes |slope(x)| times as much shift."""
        if not isinstance(x, Measured):
            return function(x)
        return Measured(function(x.value), shift=np.abs(_value(slope(x.value))) * x.majorant)


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Measured) else x


def _each(function: Callable[..., Any], *arrays: Any) -> Measured:
    """Return a linear function, without negative factors, of values and of what they carry."""
    known = [Measured.of(a) for a in arrays]
    parts = ([getattr(a, name) for a in known] for name in ("value", "size", "shift"))
    return Measured(*(function(*part) for part in parts))


def _product(function: Callable[..., Any], weight: np.ndarray, x: Any) -> Measured:
    """Return a matrix times x."""
    x = Measured.of(x)
    return Measured(function(weight, x.value), *(function(np.abs(weight), part) for part in (x.size, x.shift)))
