"""Arrays of any library that speaks the array API: values.

The one file of the core that knows array libraries. The library is the one of the array received; none is imported
by name unless the array already came from it.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import array_api_compat
import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import DtypeError, InputError

__all__ = ["Arrays", "quiet"]

Differentiable = Callable[[Value], Value]

_FLOATS = ("float32", "float64")


class Arrays:
    """Arrays of one library, dtype and device.

    Parameters
    ----------
    x : array
        An array of that library, with a floating dtype.
    """

    floating = True

    def __init__(self, x: Any) -> None:
        self.xp = array_api_compat.array_namespace(x)
        self.dtype = x.dtype
        self.device = array_api_compat.device(x)
        self.numpy = array_api_compat.is_numpy_namespace(self.xp)
        self.double = str(x.dtype).endswith("64")

    @staticmethod
    def accept(x: Any, dtype: np.dtype) -> tuple[Arrays, Any]:
        """Return the kind of x and x itself as a floating array; lists and integers take `dtype`."""
        if not array_api_compat.is_array_api_obj(x):
            x = _from_python(x).astype(dtype)
        xp = array_api_compat.array_namespace(x)
        name = str(x.dtype).rsplit(".", 1)[-1]
        if name in _FLOATS:
            return Arrays(x), x
        if name == "bool" or not xp.isdtype(x.dtype, "integral"):
            raise DtypeError(
                f"dtype {name} received; float32, float64, integers or lists are expected.\n"
                "Convert the input first, for example x.astype('float32')."
            )
        x = xp.astype(x, getattr(xp, dtype.name))
        return Arrays(x), x

    def number(self, value: int | float | Fraction) -> float:
        """Return an exact number as a Python scalar, which takes the dtype of its partner."""
        return float(value)

    def weight(self, array: np.ndarray) -> Value:
        """Return an array of weights in this library, dtype and device."""
        if self.numpy:
            return array.astype(self.dtype, copy=False)
        return self.xp.asarray(np.array(array), dtype=self.dtype, device=self.device)

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T``: (out, in), (..., in) -> (..., out)."""
        return x @ self.xp.matrix_transpose(self.weight(weight))

    def take(self, x: Value, indices: np.ndarray, axis: int) -> Value:
        """Return the entries of x at integer indices along one axis (any shape of indices on axis 0 or -1)."""
        if self.numpy:
            return np.take(x, indices, axis=axis)
        flat = self.xp.take(x, self.xp.asarray(np.array(indices).ravel(), device=self.device), axis=axis)
        at = axis % x.ndim
        return self.xp.reshape(flat, (*x.shape[:at], *indices.shape, *x.shape[at + 1 :]))

    def concat(self, parts: Sequence[Value], axis: int) -> Value:
        """Return the parts joined along one axis."""
        return self.xp.concat(list(parts), axis=axis)

    def total(self, x: Value, axis: int) -> Value:
        """Return the sum along one axis, which disappears."""
        return self.xp.sum(x, axis=axis, dtype=self.dtype)

    def broadcast(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x repeated to a shape."""
        return self.xp.broadcast_to(x, shape)

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        """Return x in another shape, row-major."""
        return self.xp.reshape(x, shape)

    def permute(self, x: Value, axes: tuple[int, ...]) -> Value:
        """Return x with its axes in another order."""
        return self.xp.permute_dims(x, axes)

    def zeros(self, shape: tuple[int, ...]) -> Value:
        """Return zeros of a shape."""
        return self.xp.zeros(shape, dtype=self.dtype, device=self.device)

    def fill(self, like: Value, value: Any) -> Value:
        """Return a value repeated to the shape of an array."""
        if isinstance(value, float):
            return self.xp.full_like(like, value)
        return self.xp.broadcast_to(value, like.shape)

    def at(self, place: int) -> None:
        """Do nothing."""

    def keep(self, x: Value, label: str, keys: Sequence[tuple[int, ...]] = ((),)) -> Value:
        """Return x."""
        del label, keys
        return x

    def bounded(self, x: Value) -> bool:
        """Return whether x is known to hold no ±inf and no NaN; only NumPy arrays are looked at."""
        return self.numpy and bool(np.isfinite(x).all())

    def times(self, x: Value, factor: Value) -> Value:
        """Return x·factor where a vanishing factor wins over an infinite x."""
        factor = self._array(factor)
        vanishes = (factor == 0) & self.xp.isinf(x)
        return self.xp.where(vanishes, 0.0, x * self.xp.where(vanishes, 1.0, factor))

    def power(self, x: Value, exponent: Any) -> Value:
        """Return x to a constant power."""
        return x**exponent

    def step(self, x: Value) -> Value:
        """Return 1 where x > 0, else 0."""
        return self.xp.astype(x > 0, self.dtype)

    def where_greater(self, a: Value, b: Any, yes: Any, no: Any) -> Value:
        """Return `yes` where a > b, else `no`, coordinate by coordinate."""
        return self.xp.where(a > b, self._array(yes), no)

    def band(self, z: Value, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Value:
        """Return `below` where z <= low, `above` where z >= high, `inside` elsewhere, NaN included."""
        return self.xp.where(z >= high, above, self.xp.where(z <= low, self._array(below), inside))

    def maximum(self, a: Value, b: Any) -> Value:
        """Return the larger of both, coordinate by coordinate; NaN where either is."""
        return self.xp.maximum(a, b)

    def largest(self, a: Value, b: Any) -> Value:
        """Return the larger of both, coordinate by coordinate."""
        return self.maximum(a, b)

    def minimum(self, a: Value, b: Any) -> Value:
        """Return the smaller of both, coordinate by coordinate; NaN where either is."""
        return self.xp.minimum(a, b)

    def clip(self, z: Value, low: Any, high: Any) -> Value:
        """Return z brought into [low, high]."""
        return self.minimum(self.maximum(z, low), high)

    def hypot(self, a: Value, b: float) -> Value:
        """Return sqrt(a² + b²) without overflow."""
        return self.xp.hypot(a, self.xp.full_like(a, b))

    def differentiable(self, function: Differentiable, slope: Differentiable, x: Value) -> Value:
        """Return function(x) such that automatic differentiation of the library uses the slope that is stated.

        Through the accurate evaluation itself, with its |x| and its branches, it would be wrong at 0 and at kinks.
        """
        attach = _custom_derivative(_library(self.xp))
        return function(x) if attach is None else attach(function, slope, x)

    def _array(self, value: Any) -> Value:
        """Return a Python number as an array without axes; arrays as they are."""
        if isinstance(value, int | float):
            return self.xp.asarray(value, dtype=self.dtype, device=self.device)
        return value

    def native(self, name: str) -> Callable[..., Any] | None:
        """Return a function of the library that is accurate over the whole range, if it has one: erf, tanh, …."""
        return self._accurate.get(name)

    @functools.cached_property
    def _accurate(self) -> dict[str, Callable[..., Any]]:
        return _accurate_functions(_library(self.xp))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self.xp, name)
        return function


def _from_python(x: Any) -> np.ndarray:
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise InputError(f"rows of different length received; (..., n) numbers are expected ({error}).") from None
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise DtypeError(f"values of type {array.dtype} received; numbers are expected.")
    if array.dtype.kind == "b":
        raise DtypeError("values of type bool received; numbers are expected.")
    return array


def _library(xp: Any) -> str:
    return str(xp.__name__).replace("array_api_compat.", "").split(".")[0]


@functools.cache
def _accurate_functions(library: str) -> dict[str, Callable[..., Any]]:
    """Functions that the array API lacks, or that not every library computes well."""
    if library == "torch":
        import torch

        return {"erf": torch.special.erf, "tanh": torch.tanh, "atanh": torch.atanh}  # sinh, cosh overflow early
    if library == "jax":
        import jax

        return {"erf": jax.scipy.special.erf, "sinh": jax.numpy.sinh, "cosh": jax.numpy.cosh}
    if library != "numpy":
        return {}
    import scipy.special

    own = {"tanh": np.tanh, "atanh": np.arctanh, "sinh": np.sinh, "cosh": np.cosh}
    return {"erf": scipy.special.erf, **own}


@functools.cache
def _custom_derivative(library: str) -> Callable[[Differentiable, Differentiable, Value], Value] | None:
    """Return (function, slope, x) -> function(x) with that derivative, for libraries that differentiate."""
    if library == "jax":
        import jax

        def attach(function: Differentiable, slope: Differentiable, x: Value) -> Value:
            stated = jax.custom_jvp(function)
            stated.defjvp(lambda at, along: (stated(*at), slope(*at) * along[0]))
            return stated(x)

        return attach
    if library == "torch":
        import torch

        class Stated(torch.autograd.Function):  # type: ignore[misc]
            generate_vmap_rule = True

            @staticmethod
            def forward(x: Any, function: Any, slope: Any) -> Any:
                del slope
                return function(x)

            @staticmethod
            def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
                del output
                ctx.save_for_backward(inputs[0])
                ctx.save_for_forward(inputs[0])
                ctx.slope = inputs[2]

            @staticmethod
            def backward(ctx: Any, gradient: Any) -> Any:
                return gradient * ctx.slope(ctx.saved_tensors[0]), None, None

            @staticmethod
            def jvp(ctx: Any, along: Any, *_: Any) -> Any:
                return ctx.slope(ctx.saved_tensors[0]) * along

        return lambda function, slope, x: Stated.apply(x, function, slope)
    return None


def quiet() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which NumPy does not warn: limits at ±inf are part of the functions."""
    return np.errstate(all="ignore")
