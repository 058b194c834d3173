"""Arrays of any library that speaks the array API: values.

The library is the one of the array received; none is imported by name unless the array already came from it. What only
one of them has is in `libraries.py`; no other file of the core knows array libraries.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import array_api_compat
import numpy as np

from neuralgebra.arithmetic import libraries
from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import DtypeError, InputError

__all__ = ["LINE", "Arrays", "aligned", "as_array", "is_array", "is_concrete", "quiet", "to_numpy"]

LINE = 64
"""Bytes of a line of the cache."""

Differentiable = Callable[[Value], Value]

_FLOATS = ("float32", "float64", "complex64", "complex128")
_NATIVE = frozenset(map(np.dtype, _FLOATS))


class Arrays:
    """Arrays of one library, dtype and device.

    Parameters
    ----------
    x : array
        An array of that library, with a floating dtype.
    """

    floating = True
    complex = False
    in_loops = False
    values: Mapping[int, Any] = {}

    def __init__(self, x: Any) -> None:
        self.xp = array_api_compat.array_namespace(x)
        self.dtype = x.dtype
        self.device = array_api_compat.device(x)
        self.numpy = array_api_compat.is_numpy_namespace(self.xp)
        self.double = _name(x.dtype) in ("float64", "complex128")
        self.huge: float | None = None if self.complex else 1e290 if self.double else 1e26

    @staticmethod
    def of(x: Any) -> Arrays:
        """Return the kind of an array, which is made once for each type, dtype and device of NumPy and PyTorch."""
        if type(x).__module__ not in ("numpy", "torch"):
            return _kind(x)
        key = type(x), x.dtype, x.device
        if key not in _KINDS:
            _KINDS[key] = _kind(x)
        return _KINDS[key]

    @staticmethod
    def accept(x: Any, dtype: np.dtype, wanted: Any = None) -> tuple[Arrays, Any]:
        """Return the kind of x and x itself as a floating array; lists and integers take `dtype`.

        With `wanted`, the name of a dtype, x is converted to it first, whatever it is.
        """
        if wanted is None and (type(x), getattr(x, "dtype", None)) in _READY:
            return Arrays.of(x), x
        if isinstance(x, np.ndarray):
            x = _plain(x)
        elif not array_api_compat.is_array_api_obj(x):
            x = _from_python(x)
            x = x if x.dtype.kind == "c" else x.astype(dtype)
        xp, name = array_api_compat.array_namespace(x), _name(x.dtype)
        if wanted is not None:
            x = xp.astype(x, getattr(xp, _wanted(wanted, name)))
        elif name in _FLOATS:
            _ready(x)
        else:
            if name == "bool" or not xp.isdtype(x.dtype, "integral"):
                raise DtypeError(_refusal(name))
            x = xp.astype(x, getattr(xp, dtype.name))
        return Arrays.of(x), x

    def points(self, x: Any, dtype: np.dtype) -> Value:
        """Return points that stand beside an array of this library; lists and integers take `dtype`."""
        if array_api_compat.is_array_api_obj(x) and not isinstance(x, np.ndarray):
            self.expect_alike(x, "points of")
            return x
        return self.xp.asarray(np.array(Arrays.accept(x, dtype)[1]), device=self.device)

    def with_values(self, values: Mapping[int, Any]) -> Arrays:
        """Return the kind in which some weights, named by the identity of their arrays, have other values."""
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, values=values)
        return changed

    def shared(self, arrays: Sequence[Value]) -> list[np.ndarray] | None:
        """Return the memory of arrays as those of NumPy; None where more is asked of them than their numbers.

        That is where they are traced, differentiated, mapped or on a device of their own, or where weights may be.
        """
        if self.numpy or self.complex or self.values:
            return None
        found = [libraries.shared(_library(self.xp), a) for a in arrays]
        return None if any(a is None for a in found) else found  # type: ignore[return-value]

    def returned(self, result: np.ndarray) -> Value:
        """Return an array of NumPy that nobody else holds as one of this library, on its device."""
        return libraries.returned(_library(self.xp), result, self.device)

    @property
    def by_rows(self) -> bool:
        """Whether products of few coefficients are taken one by one: XLA makes one loop of them, but gathers first."""
        return _library(self.xp) == "jax"

    def number(self, value: int | float | Fraction) -> float:
        """Return an exact number as a Python scalar, which takes the dtype of its partner."""
        return float(value)

    def weight(self, array: np.ndarray) -> Value:
        """Return an array of weights, or the value it has here, in this library, dtype and device."""
        array = self.values.get(id(array), array)
        if self.numpy:
            return array.astype(self.dtype, copy=False)
        if not isinstance(array, np.ndarray):
            return self.xp.astype(array, self.dtype, copy=False)
        return self.xp.asarray(np.array(array), dtype=self.dtype, device=self.device)

    def like(self, x: Any) -> Value:
        """Return an array of a person as one of this library, dtype and device; another library is refused."""
        theirs = array_api_compat.is_array_api_obj(x) and not isinstance(x, np.ndarray)
        if theirs:
            self.expect_alike(x, "an array of")
        else:
            x = _from_python(x)
        name = _name(x.dtype)
        if name == "bool":
            raise DtypeError("values of type bool received; numbers are expected.")
        if "complex" in name and not self.complex:
            raise DtypeError(f"{name} received beside real points. Pass complex points, x + 0j, or real numbers.")
        return self.xp.astype(x, self.dtype) if theirs else self.xp.asarray(x, dtype=self.dtype, device=self.device)

    def expect_alike(self, x: Any, what: str) -> None:
        """Raise InputError for an array of another library or device."""
        other = Arrays(x)
        # Arrays under transformations of JAX are on no device.
        apart = None not in (other.device, self.device) and other.device != self.device
        if _library(other.xp) != _library(self.xp) or apart:
            raise InputError(
                f"{what} {_library(other.xp)} on {other.device} received beside arrays of "
                f"{_library(self.xp)} on {self.device}; one library and device expected."
            )

    def matvec(self, weight: np.ndarray, x: Value) -> Value:
        """Return ``x @ weight.T``: (out, in), (..., in) -> (..., out)."""
        return self._rows(x, self.xp.matrix_transpose(self.weight(weight)))

    def rmatvec(self, weight: np.ndarray, y: Value) -> Value:
        """Return ``y @ weight``: (out, in), (..., out) -> (..., in)."""
        return self._rows(y, self.weight(weight))

    def _rows(self, x: Value, matrix: Value) -> Value:
        """Return ``x @ matrix``, for NumPy as one product: it would make one for each leading index."""
        if not self.numpy or x.ndim < 3:
            return x @ matrix
        return (x.reshape(-1, x.shape[-1]) @ matrix).reshape(*x.shape[:-1], matrix.shape[-1])

    def linear(self, weight: Any, x: Value) -> Value:
        """Return the image of x under a structured matrix, (..., in) -> (..., out)."""
        return weight.apply(self, x)

    def rlinear(self, weight: Any, y: Value) -> Value:
        """Return the image of y under the transpose of a structured matrix, (..., out) -> (..., in)."""
        return weight.adjoint(self, y)

    def dot(self, a: Value, b: Value) -> Value:
        """Return the sum of products along the last axis, which disappears."""
        return self.xp.vecdot(a, b) if self.numpy else self.xp.sum(a * b, axis=-1)

    def top(self, x: Value) -> Value:
        """Return the maximum along the last axis, which stays with length 1."""
        return self.xp.max(x, axis=-1, keepdims=True)

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
        return x.reshape(shape) if self.numpy else self.xp.reshape(x, shape)

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

    def in_parts(self) -> None:
        """Do nothing."""

    def follow_order(self) -> None:
        """Do nothing: NumPy gives results the order in memory that arguments have."""

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
        """Return the larger of both, coordinate by coordinate; the first where they are equal, also to autodiff."""
        return self.maximum(a, b) if self.numpy else self.xp.where((b > a) | self.xp.isnan(b), b, a)

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
        attach = libraries.custom_derivative(_library(self.xp))
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
        return libraries.accurate_functions(_library(self.xp))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        function: Callable[..., Any] = getattr(self.xp, name)
        return function


class ComplexArrays(Arrays):
    """Complex arrays of one library: functions are evaluated by their definitions, and nothing is compared."""

    complex = True

    def _compared(self, *_: Any) -> Any:
        raise DtypeError(
            "complex input received where numbers are compared: relu and other functions in pieces, absolute values, "
            "maxima. Real input expected."
        )

    where_greater = band = maximum = minimum = largest = clip = step = _compared  # type: ignore[assignment]
    abs = sign = _compared

    def dot(self, a: Value, b: Value) -> Value:
        """Return the sum of products along the last axis, none of them conjugated."""
        return self.xp.sum(a * b, axis=-1)

    def top(self, x: Value) -> Value:
        """Return the maximum of the real parts along the last axis, which stays with length 1."""
        return self.xp.max(self.xp.real(x), axis=-1, keepdims=True)

    def hypot(self, a: Value, b: float) -> Value:
        """Return sqrt(a² + b²)."""
        return self.xp.sqrt(a * a + b * b)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ("erf", "erfc", "ndtr"):
            return self._special(name)
        return super().__getattr__(name)

    def _special(self, name: str) -> Callable[..., Any]:
        if not self.numpy:
            raise DtypeError(f"complex input received for {name}, which {_library(self.xp)} has for real numbers only.")
        import scipy.special

        function: Callable[..., Any] = getattr(scipy.special, name)
        return function


def _name(dtype: Any) -> str:
    return str(dtype).rsplit(".", 1)[-1]


def _wanted(dtype: Any, given: str) -> str:
    """Return the name of the dtype that numbers of a given one are to be computed in."""
    name = _name(np.dtype(dtype)) if isinstance(dtype, type | np.dtype) else _name(dtype)
    if name not in _FLOATS:
        raise DtypeError(f"dtype={name} received; one of {', '.join(_FLOATS)} expected.")
    if given == "bool" or ("complex" in given and "complex" not in name):
        raise DtypeError(f"{given} input received with dtype={name}, which cannot hold it. Convert it first.")
    return name


def _refusal(name: str) -> str:
    if name in ("float16", "bfloat16"):
        digits = 3 if name == "float16" else 2
        return (
            f"dtype {name} received: it holds {digits} digits, and derivatives would keep fewer. float32 or float64 "
            'expected.\nPass dtype="float32" to compute in float32.'
        )
    return (
        f"dtype {name} received; float32, float64, complex64, complex128, integers or lists are expected.\n"
        "Convert the input first, for example x.astype('float32')."
    )


_KINDS: dict[Any, Arrays] = {}
_READY: set[Any] = {(np.ndarray, dtype) for dtype in _NATIVE}
"""Types and dtypes whose arrays are taken as they are."""


def _kind(x: Any) -> Arrays:
    return (ComplexArrays if "complex" in str(x.dtype) else Arrays)(x)


def _ready(x: Any) -> None:
    """Remember that arrays of this type and dtype are taken as they are."""
    if type(x).__module__ == "torch" and type(x).__name__ == "Tensor":
        _READY.add((type(x), x.dtype))


def _plain(x: np.ndarray) -> np.ndarray:
    """Return an array of a subclass of NumPy's, or of another byte order, as a plain one."""
    if np.ma.is_masked(x):
        raise InputError("an array with masked entries received; numbers expected. Fill them or leave these rows out.")
    return np.asarray(x, x.dtype.newbyteorder("=") if x.dtype.kind in "iufc" else None)


def _from_python(x: Any) -> np.ndarray:
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise InputError(f"rows of different length received; (..., n) numbers are expected ({error}).") from None
    if array.dtype == object or array.dtype.kind not in "biufc":
        raise DtypeError(f"values of type {array.dtype} received; numbers are expected.")
    if array.dtype.kind == "b":
        raise DtypeError("values of type bool received; numbers are expected.")
    return array


def _library(xp: Any) -> str:
    return str(xp.__name__).replace("array_api_compat.", "").split(".")[0]


def as_array(x: Any, dtype: np.dtype | None = None) -> Any:
    """Return an array of any library as it is, and lists of numbers as a NumPy array, of a dtype if one is given."""
    if array_api_compat.is_array_api_obj(x):
        return x
    array = _from_python(x)
    return array if dtype is None else array.astype(dtype)


def is_array(x: Any) -> bool:
    """Return whether x is an array of real floating numbers of any library."""
    if not array_api_compat.is_array_api_obj(x) or callable(getattr(x, "aval_method", None)):
        return False
    return bool(array_api_compat.array_namespace(x).isdtype(x.dtype, "real floating"))


def to_numpy(x: Any) -> np.ndarray:
    """Return an array of any library as one of NumPy."""
    if array_api_compat.is_torch_array(x):
        x = x.detach().cpu()
    return np.asarray(x)


def is_concrete(x: Any) -> bool:
    """Return whether x is an array of real floating numbers that are known: not one under a transformation."""
    return is_array(x) and not libraries.is_tracer(_library(array_api_compat.array_namespace(x)), x)


def aligned(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return new memory that starts at a multiple of 64 bytes: JAX takes such arrays as they are, others it copies."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    array: np.ndarray = memory[start : start + size].view(dtype).reshape(shape)
    return array


def quiet() -> contextlib.AbstractContextManager[Any]:
    """Return a context in which NumPy does not warn: limits at ±inf are part of the functions."""
    return np.errstate(all="ignore")
