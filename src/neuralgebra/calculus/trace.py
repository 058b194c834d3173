"""Arrays that write down what is done to them: a computation on NumPy arrays as a list of steps.

A trace runs the rules once, on stand-ins that have a shape and no numbers. What depends on the points becomes a step;
what does not, such as products of weights, is computed there and then. The number of points is a large prime, so that
shapes tell where it occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from neuralgebra.arithmetic.arrays import Arrays

__all__ = ["POINTS", "NotTraceable", "Recorder", "Step", "Tape", "Traced", "Unbounded"]

POINTS = 1_000_003

Shape = tuple[int, ...]


class NotTraceable(Exception):
    """A function of arrays that a trace does not know."""


class Unbounded(Exception):
    """An array with infinities or NaN where the steps were written down for finite numbers."""


@dataclass(frozen=True)
class Step:
    """One call: which function, of what, and what comes out.

    Parameters
    ----------
    function : callable
        (arguments …, out=array for the result), or, for a view, arguments -> result.
    arguments : tuple
        Traced arrays and constants.
    result : int
        Place of the result.
    view : bool
        Whether the result shares the memory of the first argument.
    check : bool
        Whether there is no result.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    result: int
    view: bool = False
    check: bool = False


class Tape:
    """The steps of a computation, in order.

    Parameters
    ----------
    dtype : dtype
        That of all numbers.
    """

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.steps: list[Step] = []
        self.arrays: list[Traced] = []
        self.ordered = False  # whether results have the order in memory that arguments have; else they are row-major

    def new(self, shape: Shape, floating: bool = True) -> Traced:
        """Return a stand-in of a shape."""
        self.arrays.append(Traced(self, len(self.arrays), shape, floating))
        return self.arrays[-1]

    def add(
        self, function: Any, arguments: Sequence[Any], result: Shape, floating: bool = True, **kind: bool
    ) -> Traced:
        """Write down a step whose result has a shape; return the stand-in of it."""
        made = self.new(result, floating)
        self.steps.append(Step(function, tuple(arguments), made.place, **kind))
        return made


class Traced(NDArrayOperatorsMixin):
    """A stand-in for an array: a place on the tape and a shape.

    Parameters
    ----------
    tape : Tape
        Where steps are written down.
    place : int
        Place of the array.
    shape : tuple of int
        Its shape.
    floating : bool
        False for truth values.
    """

    def __init__(self, tape: Tape, place: int, shape: Shape, floating: bool) -> None:
        self.tape, self.place, self.shape, self.floating = tape, place, shape, floating

    @property
    def dtype(self) -> np.dtype:
        """That of the numbers, or truth values."""
        return self.tape.dtype if self.floating else np.dtype(bool)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Traced:
        del out  # in place or not, the result is a new one here
        if method != "__call__" or options or ufunc.nout > 1:
            raise NotTraceable(ufunc.__name__)
        shapes = [_shape(a) for a in inputs]
        if ufunc.signature:
            shape = _CONTRACTIONS[ufunc.__name__](*shapes) if ufunc.__name__ in _CONTRACTIONS else _unknown(ufunc)
        else:
            shape = np.broadcast_shapes(*shapes)
        dtypes = [getattr(a, "dtype", float if isinstance(a, float) else type(a)) for a in inputs]
        result = ufunc.resolve_dtypes((*dtypes, None))[-1]
        return self.tape.add(ufunc, inputs, shape, result.kind != "b")

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        del types
        rule = _FUNCTIONS.get(function.__name__)
        if rule is None:
            raise NotTraceable(function.__name__)
        return rule(self.tape, *arguments, **options)

    def __getitem__(self, key: Any) -> Traced:
        if any(isinstance(part, list | np.ndarray | Traced) for part in (key if isinstance(key, tuple) else (key,))):
            raise NotTraceable("indices that are no view")
        stand_in = np.broadcast_to(np.int8(0), self.shape)
        return self.tape.add(_item, (self, key), stand_in[key].shape, self.floating, view=True)

    def reshape(self, *shape: Any) -> Traced:
        """Return the array in another shape."""
        return _reshape(self.tape, self, shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape)

    def astype(self, dtype: Any, copy: bool = True) -> Traced:
        """Return the array with another dtype."""
        if np.dtype(dtype) != self.tape.dtype:
            raise NotTraceable(f"astype {dtype}")
        if not copy and self.floating:
            return self
        return self.tape.add(_converted, (self,), self.shape)


def _shape(a: Any) -> Shape:
    return a.shape if isinstance(a, Traced) else np.shape(a)


def _item(x: np.ndarray, key: Any) -> Any:
    return x[key]


def _converted(x: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, x)


def _unknown(function: Any) -> Shape:
    raise NotTraceable(function.__name__)


def _matmul(a: Shape, b: Shape) -> Shape:
    if min(len(a), len(b)) < 2:
        raise NotTraceable("matmul of a vector")
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])


def _vecdot(a: Shape, b: Shape) -> Shape:
    return np.broadcast_shapes(a, b)[:-1]


_CONTRACTIONS: dict[str, Callable[[Shape, Shape], Shape]] = {"matmul": _matmul, "vecdot": _vecdot}

# Functions: (tape, arguments of NumPy) -> stand-in ----------------------------------------------------------------


def _reshape(tape: Tape, x: Any, shape: Any = None, /, newshape: Any = None, **options: Any) -> Traced:
    del options
    shape = tuple(shape if newshape is None else newshape)
    known = int(np.prod([n for n in shape if n != -1], dtype=object))
    full = tuple(int(np.prod(x.shape, dtype=object)) // max(1, known) if n == -1 else n for n in shape)
    return tape.add(np.reshape, (x,), full, x.floating, view=True)


def _transpose(tape: Tape, x: Any, axes: Any = None) -> Traced:
    order = tuple(range(x.ndim))[::-1] if axes is None else tuple(axes)
    return tape.add(np.transpose, (x, order), tuple(x.shape[i] for i in order), x.floating, view=True)


def _exchanged(tape: Tape, x: Any, first: int, second: int) -> Traced:
    order = list(range(x.ndim))
    order[first], order[second] = order[second], order[first]
    return _transpose(tape, x, order)


def _broadcast_to(tape: Tape, x: Any, shape: Any) -> Traced:
    return tape.add(np.broadcast_to, (x,), tuple(shape), x.floating, view=True)


def _take(tape: Tape, x: Any, indices: Any, axis: int) -> Traced:
    at = axis % x.ndim
    shape = (*x.shape[:at], *_shape(indices), *x.shape[at + 1 :])
    if len(indices) == 1 and np.ndim(indices) == 1:  # one row is a view
        key = (slice(None),) * at + (slice(int(indices[0]), int(indices[0]) + 1),)
        return tape.add(_item, (x, key), shape, x.floating, view=True)
    return tape.add(_taken, (x, indices, at), shape, x.floating)


def _taken(x: np.ndarray, indices: np.ndarray, axis: int, out: np.ndarray) -> None:
    x.take(indices, axis, out, "clip")  # indices are known to be good: NumPy is much faster when it need not refuse any


def _concatenate(tape: Tape, parts: Any, axis: int = 0) -> Traced:
    if len(parts) == 1 and isinstance(parts[0], Traced):
        return parts[0]
    first, at = _shape(parts[0]), axis % len(_shape(parts[0]))
    size = sum(_shape(p)[at] for p in parts)
    return tape.add(_concatenated, (axis, *parts), (*first[:at], size, *first[at + 1 :]))


def _concatenated(axis: int, *parts: np.ndarray, out: np.ndarray) -> None:
    np.concatenate(parts, axis, out)


def _reduced(function: Any) -> Callable[..., Traced]:
    def rule(tape: Tape, x: Any, axis: int, keepdims: bool = False, **options: Any) -> Traced:
        del options  # a dtype, which is that of x
        at = axis % x.ndim
        shape = (*x.shape[:at], *((1,) if keepdims else ()), *x.shape[at + 1 :])
        return tape.add(function, (x, axis, keepdims), shape)

    return rule


def _sum(x: np.ndarray, axis: int, keepdims: bool, out: np.ndarray) -> None:
    np.add.reduce(x, axis, out=out, keepdims=keepdims)


def _max(x: np.ndarray, axis: int, keepdims: bool, out: np.ndarray) -> None:
    np.maximum.reduce(x, axis, out=out, keepdims=keepdims)


def _where(tape: Tape, condition: Any, yes: Any, no: Any) -> Traced:
    shape = np.broadcast_shapes(_shape(condition), _shape(yes), _shape(no))
    return tape.add(_either, (condition, yes, no), shape)


def _either(condition: np.ndarray, yes: Any, no: Any, out: np.ndarray) -> None:
    np.copyto(out, no)
    np.copyto(out, yes, where=condition)


def _full_like(tape: Tape, x: Any, value: Any, **options: Any) -> Traced:
    del options
    return tape.add(_filled, (value,), x.shape)


def _filled(value: Any, out: np.ndarray) -> None:
    out.fill(value)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "broadcast_to": _broadcast_to,
    "concatenate": _concatenate,
    "full_like": _full_like,
    "matrix_transpose": lambda tape, x: _exchanged(tape, x, -1, -2),
    "max": _reduced(_max),
    "amax": _reduced(_max),
    "reshape": _reshape,
    "sum": _reduced(_sum),
    "swapaxes": _exchanged,
    "take": _take,
    "transpose": _transpose,
    "where": _where,
}


class Recorder(Arrays):
    """The kind of stand-ins for NumPy arrays.

    Parameters
    ----------
    x : ndarray
        An array of the dtype that the points will have.
    tape : Tape
        Where steps are written down.
    """

    by_rows = True

    def __init__(self, x: np.ndarray, tape: Tape) -> None:
        super().__init__(x)
        self.tape = tape

    def zeros(self, shape: tuple[int, ...]) -> Any:
        """Return zeros of a shape, which may contain the number of points."""
        if all(n % POINTS for n in shape):
            return super().zeros(shape)
        return self.tape.add(_filled, (0.0,), shape)

    def broadcast(self, x: Any, shape: tuple[int, ...]) -> Any:
        """Return x repeated to a shape, which may contain the number of points."""
        if isinstance(x, Traced) or all(n % POINTS for n in shape):
            return super().broadcast(x, shape)
        return self.tape.add(np.broadcast_to, (x,), shape, view=True)

    def follow_order(self) -> None:
        """Let results of functions of each number have the order in memory that their arguments have."""
        self.tape.ordered = True

    def in_parts(self) -> None:
        """Refuse: what is written down stands in memory as a whole."""
        raise NotTraceable("a computation in parts")

    def bounded(self, x: Any) -> bool:
        """Write down that finite numbers are expected here."""
        if isinstance(x, Traced):
            self.tape.add(_finite, (x,), (), check=True)
            return True
        return super().bounded(x)


def _finite(x: np.ndarray, out: None) -> None:
    del out
    if not np.isfinite(x).all():
        raise Unbounded
