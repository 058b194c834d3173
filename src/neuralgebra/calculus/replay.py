"""The steps of a program bound to memory, for one number of points on one thread.

Every array has its place in one piece of memory before the first number is computed: a place is taken again as soon
as nobody needs what stands there, so that little memory is used and stays in the cache, and views are made once.
What is left of a step is one call.
"""

from __future__ import annotations

import bisect
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import LINE, aligned
from neuralgebra.calculus.schedule import Schedule, sized
from neuralgebra.calculus.trace import Step, Traced

__all__ = ["WORKSPACE", "Replay"]

_SMALL = 1 << 14  # bytes of an argument, which are copied sooner than views are made of them
_BYTES = 1 << 26  # address space for each thread; only what is used takes memory


class _Workspace(threading.local):
    """The memory of a thread, which all programs share, and whether one of them is using it."""

    def __init__(self) -> None:
        self.bytes = aligned((_BYTES,), np.uint8)
        self.busy = False


WORKSPACE = _Workspace()


class _Places:
    """Which bytes of the workspace are taken: the lowest that are free are taken first."""

    def __init__(self) -> None:
        self.free = [(0, _BYTES)]
        self.taken: dict[int, list[tuple[int, int]]] = {}

    def take(self, owner: int, size: int) -> int | None:
        """Return where so many bytes are free, and take them; None if they are not."""
        size = -(-max(1, size) // LINE) * LINE
        for i, (start, length) in enumerate(self.free):
            if length >= size:
                self.free[i : i + 1] = [(start + size, length - size)] if length > size else []
                self.taken.setdefault(owner, []).append((start, size))
                return start
        return None

    def hand_over(self, owner: int, heir: int) -> None:
        """Give the bytes of one to another."""
        self.taken[heir] = self.taken.pop(owner, [])

    def give_back(self, owner: int) -> None:
        """Make the bytes of an owner free."""
        for start, size in self.taken.pop(owner, ()):
            i = bisect.bisect(self.free, (start, size))
            if i < len(self.free) and self.free[i][0] == start + size:
                size += self.free.pop(i)[1]
            if i and sum(self.free[i - 1]) == start:
                start, size = self.free[i - 1][0], size + self.free[i - 1][1]
                i -= 1
                del self.free[i]
            self.free.insert(i, (start, size))


class Replay:
    """The steps of a program, bound.

    Parameters
    ----------
    schedule : Schedule
        The steps and the lifetimes of their arrays.
    count : int
        Number of points.
    """

    def __init__(self, schedule: Schedule, count: int) -> None:
        self._schedule, self._count, self._places = schedule, count, _Places()
        self.kept = True  # all arrays are in the workspace: to keep the steps costs no memory
        self._runs: list[Callable[[], Any]] = []
        self._given: list[Any] = [None] * schedule.inputs
        self._targets: list[Any] = [None] * len(schedule.results)
        self._arrays: dict[int, Any] = {i: _Later(partial(self._given.__getitem__, i)) for i in range(schedule.inputs)}
        self._copies = dict(self._kept(schedule.arrays[: schedule.inputs]))
        self._arrays.update(self._copies)
        for at, step in enumerate(schedule.steps):
            self._bind(at, step)
            for root in schedule.done(at):
                self._places.give_back(root)
        direct = {i: (sized(schedule.arrays[p].shape, count), schedule.dtype) for p, i in schedule.direct.items()}
        self._direct = [direct.get(i) for i in range(len(schedule.results))]
        self._results = [self._arrays.get(r.place) if isinstance(r, Traced) else r for r in schedule.results]
        del self._arrays

    def __call__(self, arguments: Sequence[np.ndarray], out: Sequence[np.ndarray] | None) -> list[np.ndarray]:
        """Return the results, written to arrays if these are given."""
        self._given[:] = arguments
        for i, copy in self._copies.items():
            np.copyto(copy, arguments[i])
        self._targets[:] = [np.empty(*like) if like else None for like in self._direct] if out is None else out
        try:
            for run in self._runs:
                run()
            pairs = zip(self._targets, self._results, self._direct, strict=True)
            return [target if direct else _put(_now(result), target) for target, result, direct in pairs]
        finally:  # what the caller has passed in is not kept
            self._given[:] = [None] * len(self._given)
            self._targets[:] = [None] * len(self._targets)

    def _kept(self, arguments: Sequence[Traced]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield memory for arguments that are copied, so that their views are made once: shared ones and small ones."""
        for i, a in enumerate(arguments):
            shape = sized(a.shape, self._count)
            if shape == a.shape or math.prod(shape) * a.dtype.itemsize <= _SMALL:
                yield i, np.empty(shape, a.dtype)

    def _bind(self, at: int, step: Step) -> None:
        """Turn a step into a call, or into a view."""
        arguments = [self._argument(a) for a in step.arguments]
        if step.view:
            self._arrays[step.result] = self._view(step, arguments)
            return
        out = None if step.check else self._output(at, step)
        self._arrays[step.result] = out
        self._runs.append(_call(step.function, arguments, out))

    def _argument(self, a: Any) -> Any:
        if isinstance(a, Traced):
            return self._arrays[a.place]
        return np.asarray(a, self._schedule.dtype) if type(a) is float else a

    def _view(self, step: Step, arguments: Sequence[Any]) -> Any:
        """Return a view, or the copy that a view of scattered numbers must be."""
        given, function = arguments[0], step.function
        if function in (np.reshape, np.broadcast_to):
            arguments = [given, sized(self._schedule.arrays[step.result].shape, self._count)]
        if isinstance(given, _Later):
            return _Later(partial(_viewed, function, arguments))
        view: np.ndarray = function(*arguments)
        if not isinstance(step.arguments[0], Traced) or not view.size or np.may_share_memory(view, given):
            return view
        copy = self._new(step.result)
        self._runs.append(partial(np.copyto, copy.reshape(given.shape), given))
        return copy

    def _output(self, at: int, step: Step) -> Any:
        """Return where a step writes to: to a result, over an argument that is not needed again, or to a new place."""
        if step.result in self._schedule.direct:
            return _Later(partial(self._targets.__getitem__, self._schedule.direct[step.result]))
        over = self._schedule.overwritten(at)
        if over is None:
            return self._new(step.result, self._order(step))
        self._places.hand_over(over, step.result)
        return self._arrays[over]

    def _order(self, step: Step) -> tuple[int, ...] | None:
        """Return the axes of a result as they stand in memory, widest steps first; None for row-major."""
        if not (self._schedule.ordered and isinstance(step.function, np.ufunc)) or step.function.signature:
            return None
        shape = self._schedule.arrays[step.result].shape
        alike = [self._arrays[a.place] for a in step.arguments if isinstance(a, Traced) and a.shape == shape]
        known = next((a for a in alike if isinstance(a, np.ndarray)), None)
        return None if known is None else tuple(np.argsort([-s for s in known.strides], kind="stable").tolist())

    def _new(self, place: int, order: tuple[int, ...] | None = None) -> np.ndarray:
        traced = self._schedule.arrays[place]
        shape = sized(traced.shape, self._count)
        if order is not None:
            return self._memory(place, tuple(shape[i] for i in order)).transpose(np.argsort(order))
        return self._memory(place, shape)

    def _memory(self, place: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return row-major memory that nobody uses."""
        traced = self._schedule.arrays[place]
        size = math.prod(shape) * traced.dtype.itemsize
        start = self._places.take(self._schedule.roots[place], size)
        if start is None:
            self.kept = False
            return np.empty(shape, traced.dtype)
        return WORKSPACE.bytes[start : start + size].view(traced.dtype).reshape(shape)


class _Later:
    """An array that is there when the steps run: an argument, a view of one, or where a result goes.

    Parameters
    ----------
    get : callable
        () -> array.
    """

    def __init__(self, get: Callable[[], Any]) -> None:
        self.get = get


def _now(a: Any) -> Any:
    return a.get() if isinstance(a, _Later) else a


def _viewed(function: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    return function(arguments[0].get(), *arguments[1:])


def _call(function: Callable[..., Any], arguments: Sequence[Any], out: Any) -> Callable[[], Any]:
    """Return a step as a function of nothing."""
    if any(isinstance(a, _Later) for a in (*arguments, out)):
        return partial(_called, function, arguments, out)
    if isinstance(function, np.ufunc) and function not in (np.maximum, np.minimum):
        return partial(function, *arguments, out)  # a keyword takes longer
    return partial(function, *arguments, out=out)


def _called(function: Callable[..., Any], arguments: Sequence[Any], out: Any) -> None:
    function(*map(_now, arguments), out=_now(out))


def _put(result: np.ndarray, target: np.ndarray | None) -> np.ndarray:
    """Return the numbers of a result in an array of its own."""
    if target is None:
        return result.copy()
    target[...] = result
    return target
