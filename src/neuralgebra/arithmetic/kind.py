"""The interface of a kind of number, and what object arrays share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

__all__ = ["Kind", "ObjectKind", "Value"]

Value = Any
"""An array of one kind: ndarray, torch.Tensor, jax.Array, or an object array of symbols or balls."""

Exact = int | float | Fraction


class Kind(Protocol):
    """A kind of number: what the rules of the package may ask of it."""

    floating: bool
    in_loops: bool
    """Whether every step becomes a loop of a program: few steps are better than few numbers."""

    huge: float | None
    """Number in place of inf where a product with 0 may follow; None where there is no inf."""

    def number(self, value: Exact) -> Any:
        """Return an exact number as a scalar of this kind."""

    def primitive(self, activation: Any, element: Any, z: Value) -> Value:
        """Return a chain function as a step of its own, where every step becomes a loop."""

    def weight(self, array: np.ndarray) -> Value:
        """Return an array of weights as an array of this kind, shape kept."""

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T``: (out, in), (..., in) -> (..., out)."""

    def rmatvec(self, weight: np.ndarray, y: Value) -> Value:
        """Return ``y @ weight``: (out, in), (..., out) -> (..., in)."""

    def linear(self, weight: Any, x: Value) -> Value:
        """Return the image of x under a structured matrix, (..., in) -> (..., out)."""

    def rlinear(self, weight: Any, y: Value) -> Value:
        """Return the image of y under the transpose of a structured matrix, (..., out) -> (..., in)."""

    def take(self, x: Value, indices: np.ndarray, axis: int) -> Value:
        """Return the entries of x at integer indices along one axis."""

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Return the parts joined along one axis."""

    def total(self, x: Value, axis: int) -> Value:
        """Return the sum along one axis, which disappears."""

    def dot(self, a: Value, b: Value) -> Value:
        """Return the sum of products along the last axis, which disappears."""

    def broadcast(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x repeated to a shape."""

    def zeros(self, shape: tuple[int, ...]) -> Value:
        """Return zeros of a shape."""

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x in another shape, row-major."""

    def permute(self, x: Value, axes: tuple[int, ...]) -> Value:
        """Return x with its axes in another order."""

    def fill(self, like: Value, value: Any) -> Value:
        """Return a value repeated to the shape of an array."""

    def keep(self, x: Value, label: str, keys: Sequence[tuple[int, ...]] = ((),)) -> Value:
        """Return x, perhaps under a name: formulas turn it into a let-line.

        `label` is "" for the result of a node and the element for a chain function; `keys` are the multi-indices
        along the first axis.
        """

    def at(self, place: int) -> None:
        """Take notice that the node at a place is computed next."""

    def bounded(self, x: Value) -> bool:
        """Return whether x is known to hold no ±inf and no NaN; then plain products will do."""

    def times(self, x: Value, factor: Value) -> Value:
        """Return x·factor where a vanishing factor wins over an infinite x."""

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`, coordinate by coordinate."""

    def band(self, z: Value, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Value:
        """Return `below` where z <= low, `above` where z >= high, `inside` elsewhere."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Elementary functions: exp, log, tanh, …."""


class ObjectKind:
    """What symbols and balls share: NumPy object arrays, functions coordinate by coordinate."""

    floating = False
    by_rows = False
    in_loops = False
    huge: float | None = None

    def scalar(self, value: Exact) -> Any:
        """Return an exact number as one object."""
        raise NotImplementedError

    def number(self, value: Exact) -> Any:
        """Return an exact number as a scalar of this kind."""
        return self.scalar(value)

    def weight(self, array: np.ndarray) -> Value:
        """Return an array of weights as an object array, shape kept."""
        return self.each(self.scalar, np.asarray(array))

    def each(self, function: Callable[..., Any], *arrays: Value) -> Value:
        """Apply a function coordinate by coordinate, with broadcasting."""
        result = np.frompyfunc(function, len(arrays), 1)(*arrays)
        return result if isinstance(result, np.ndarray) else np.array(result, dtype=object)[()]

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T``: (out, in), (..., in) -> (..., out)."""
        return np.matmul(x, np.swapaxes(self.weight(weight), -1, -2))

    def rmatvec(self, weight: np.ndarray, y: Value) -> Value:
        """Return ``y @ weight``: (out, in), (..., out) -> (..., in)."""
        return np.matmul(y, self.weight(weight))

    def linear(self, weight: Any, x: Value) -> Value:
        """Return the image of x under a structured matrix, (..., in) -> (..., out)."""
        return weight.apply(self, x)

    def rlinear(self, weight: Any, y: Value) -> Value:
        """Return the image of y under the transpose of a structured matrix, (..., out) -> (..., in)."""
        return weight.adjoint(self, y)

    def take(self, x: Value, indices: np.ndarray, axis: int) -> Value:
        """Return the entries of x at integer indices along one axis."""
        return np.take(x, indices, axis=axis)

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Return the parts joined along one axis."""
        return np.concatenate(parts, axis=axis)

    def total(self, x: Value, axis: int) -> Value:
        """Return the sum along one axis, which disappears."""
        return np.sum(x, axis=axis)

    def dot(self, a: Value, b: Value) -> Value:
        """Return the sum of products along the last axis, which disappears."""
        return np.sum(a * b, axis=-1)

    def broadcast(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x repeated to a shape."""
        return np.broadcast_to(x, shape)

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x in another shape, row-major."""
        return np.reshape(x, shape)

    def permute(self, x: Value, axes: tuple[int, ...]) -> Value:
        """Return x with its axes in another order."""
        return np.transpose(x, axes)

    def zeros(self, shape: tuple[int, ...]) -> Value:
        """Return zeros of a shape."""
        return np.full(shape, self.scalar(0), dtype=object)

    def fill(self, like: Value, value: Any) -> Value:
        """Return a value repeated to the shape of an array."""
        return np.broadcast_to(np.asarray(value, dtype=object), like.shape)

    def at(self, place: int) -> None:
        """Do nothing; formulas override this."""

    def keep(self, x: Value, label: str, keys: Sequence[tuple[int, ...]] = ((),)) -> Value:
        """Return x; formulas override this."""
        del label, keys
        return x

    def bounded(self, x: Value) -> bool:
        """Return whether x is known to hold no ±inf and no NaN: objects stand for numbers."""
        del x
        return True

    def times(self, x: Value, factor: Value) -> Value:
        """Return x·factor."""
        return x * factor

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`, coordinate by coordinate."""
        raise NotImplementedError

    def band(self, z: Value, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Value:
        """Return `below` where z <= low, `above` where z >= high, `inside` elsewhere."""
        return self.where_greater(z, low, self.where_greater(high, z, inside, above), below)

    def step(self, x: Value) -> Value:
        """Return 1 where x > 0, else 0."""
        return self.where_greater(x, 0, 1, 0)

    def largest(self, a: Value, b: Any) -> Value:
        """Return the larger of both; symbols write it in another way than the cases of an activation."""
        return self.maximum(a, b)

    def maximum(self, a: Value, b: Any) -> Value:
        """Return the larger of both."""
        return self.where_greater(a, b, a, b)

    def minimum(self, a: Value, b: Any) -> Value:
        """Return the smaller of both."""
        return self.where_greater(b, a, a, b)

    def clip(self, z: Value, low: Any, high: Any) -> Value:
        """Return z brought into [low, high]."""
        return self.band(z, low, high, low, z, high)

    def abs(self, x: Value) -> Value:
        """Return |x|."""
        return self.where_greater(x, 0, x, -x)
