"""Points in, numbers out: what is accepted, and batches in blocks over threads.

NumPy batches are cut into blocks that fit the cache, and the blocks run on all cores, with single-threaded linear
algebra inside: beyond the result, memory does not grow with the number of points. Arrays of other libraries that are in
the memory of the processor, and of which nothing but their numbers is asked, are read there by NumPy. All others, those
that are traced, mapped, differentiated or on a device of their own, are computed with as a whole by their library.
"""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import threadpoolctl

from neuralgebra.arithmetic.arrays import Arrays, aligned, quiet
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.domain import refuse_outside, refuse_undefined
from neuralgebra.calculus.program import Program, traced
from neuralgebra.calculus.trace import Unbounded
from neuralgebra.errors import InputError, PrecisionWarning, ShapeError, UsageError, shown
from neuralgebra.network.bound import Bound
from neuralgebra.network.names import default
from neuralgebra.network.network import Network

__all__ = ["accept", "added", "evaluate", "for_all", "labelled", "single_threaded"]

Compute = Callable[..., Sequence[Value]]
"""(kind, points (N, n), …) -> arrays with leading axis N, or 1 where all points have the same."""

# Threads take turns at Python: a step must compute for longer than a turn takes, about 5 µs, and should stay in cache.
_STEP_BYTES = 3 << 16  # that a step computes, on average
_BLOCK_BYTES = 1 << 24  # that are needed at a time, at most
_UNKNOWN = 1 << 14  # numbers at all nodes for a block of points, where the steps are not known
_ALONE = 1 << 17  # numbers in all, below which a second thread costs more than it gives
_SHARES = 8  # of a batch that is added up: threads take them one after another
_PARTS = 4  # of a block, below which a share is not worth its steps


def evaluate(
    network: Any, k: Any, x: Value, compute: Compute, *others: Value, key: Any = None, shared: Sequence[Value] = ()
) -> list[Value]:
    """Return what `compute` gives for all points.

    Parameters
    ----------
    network : Network or Bound
        What is evaluated; it remembers the steps.
    k : Arrays
        The kind of the points.
    x : array, shape (..., n)
        Points, accepted.
    compute : callable
        (kind, points (N, n), others (N, …), shared …) -> arrays with leading axis N or 1.
    *others : array
        Further arrays, cut along with the points: leading axes are those of x.
    key : hashable, optional
        What computation it is: with it the steps are remembered for NumPy arrays, so that the rules are run once.
    shared : sequence of array
        Further arrays of NumPy, the same for all points.

    Returns
    -------
    list of array
        The results, leading axes those of x.
    """
    given = (x, *others)
    if key is not None and (numbers := k.shared(given)) is not None:
        kind = Arrays.of(numbers[0])
        found = _evaluated(network, kind, numbers, compute, key, aligned, shared)
        if network.multiplicative:
            refuse_undefined(network, kind, numbers[0], found)
        return [k.returned(r) for r in found]
    found = _evaluated(network, k, given, compute, key, np.empty, shared)
    if network.multiplicative:
        refuse_undefined(network, k, x, found)
    return found


def _evaluated(
    network: Any,
    k: Any,
    given: Sequence[Value],
    compute: Compute,
    key: Any,
    empty: Callable[..., np.ndarray],
    shared: Sequence[Value],
) -> list[Value]:
    batch, flat = tuple(given[0].shape[:-1]), tuple(given)
    count = math.prod(batch)
    if len(batch) != 1:
        flat = tuple(k.reshape(a, (count, *a.shape[len(batch) :])) for a in flat)
    task = _Task(network, k, compute, flat, key, shared)
    if k.numpy and count > 1 and task.pays(count):
        results = _in_blocks(task, flat, empty)
    else:
        with quiet():
            results = task(flat)
        if task.program is None or count != 1:
            results = [_owned(for_all(k, r, count)) for r in results]
    return results if len(batch) == 1 else [k.reshape(r, (*batch, *r.shape[1:])) for r in results]


class _Task:
    """A computation on arrays: by its program, if it has one, or as it stands.

    Parameters
    ----------
    network : Network or Bound
        What is evaluated.
    k : Arrays
        The kind of the arrays.
    compute : callable
        The computation.
    arrays : sequence of array
        What it is given; leading axis N.
    key : hashable or None
        What computation it is.
    shared : sequence of array
        What it is given besides, the same for all points.
    """

    def __init__(
        self, network: Any, k: Any, compute: Compute, arrays: Sequence[Value], key: Any, shared: Sequence[Value] = ()
    ) -> None:
        self.k, self.compute, self.network, self.shared = k, compute, network, tuple(shared)
        self.program: Program | None = None
        if k.numpy and key is not None and not k.complex:
            sizes, others = [a.shape[1:] for a in arrays], [a.shape for a in shared]
            self.program = network.memory.once(
                "programs", (key, k.dtype.char), lambda: _traced(compute, k.dtype, sizes, others)
            )

    def __call__(self, arrays: Sequence[Value], out: Sequence[np.ndarray] | None = None) -> list[Value]:
        """Return the results, which a program writes to arrays if these are given."""
        if self.program is not None:
            try:
                return self.program((*arrays, *self.shared), out)
            except Unbounded:
                pass
        return list(self.compute(self.k, *arrays, *self.shared))

    def pays(self, count: int) -> bool:
        """Return whether so many points are worth blocks and threads."""
        return count * self.numbers > _ALONE or count > self.rows

    @property
    def numbers(self) -> int:
        """How many numbers are computed for a point."""
        return 3 * sum(self.network.sizes) if self.program is None else self.program.schedule.work

    @functools.cached_property
    def rows(self) -> int:
        """How many points make a block."""
        if self.program is None:
            return max(1, _UNKNOWN // int(sum(self.network.sizes)))
        return self.program.schedule.rows(_STEP_BYTES, _BLOCK_BYTES)


def _traced(
    compute: Compute, dtype: np.dtype, sizes: Sequence[tuple[int, ...]], shared: Sequence[tuple[int, ...]]
) -> Program | None:
    with quiet():
        return traced(compute, dtype, sizes, shared)


def _owned(result: Value) -> Value:
    """Return a result that shares its memory with nothing else: steps may give views of arrays that they keep."""
    return result.copy() if isinstance(result, np.ndarray) and result.base is not None else result


def for_all(k: Any, result: Value, count: int) -> Value:
    """Return a result that may be the same for all points as one for each."""
    if result.shape[0] == count:
        return result
    full = k.broadcast(result, (count, *result.shape[1:]))
    return full.copy() if isinstance(full, np.ndarray) else full * 1  # entries that share no memory


def _in_blocks(task: _Task, arrays: Sequence[np.ndarray], empty: Callable[..., np.ndarray]) -> list[Value]:
    count, workers = len(arrays[0]), threads()
    rows = min(task.rows, -(-count // workers))
    target = _Target(count, empty)

    def block(start: int) -> None:
        with quiet():
            target.put(start, rows, task, [a[start : start + rows] for a in arrays])

    starts = range(0, count, rows)
    with single_threaded():
        if workers == 1 or len(starts) == 1:
            for start in starts:
                block(start)
        else:
            _spread(workers, block, starts)
    return target.arrays


class _Target:
    """The arrays that blocks write their results to, made when the first one is there."""

    def __init__(self, count: int, empty: Callable[..., np.ndarray]) -> None:
        self.count, self.empty, self.arrays = count, empty, list[Any]()
        self._lock = threading.Lock()

    def put(self, start: int, rows: int, task: _Task, arrays: Sequence[np.ndarray]) -> None:
        """Compute a block and write it where it belongs."""
        out = [a[start : start + rows] for a in self.arrays]
        results = task(arrays, out or None)
        with self._lock:
            if not self.arrays:
                self.arrays = [self.empty((self.count, *r.shape[1:]), r.dtype) for r in results]
        for array, result, written in zip(self.arrays, results, out or self.arrays, strict=True):
            if result is not written:
                array[start : start + rows] = result


def added(
    network: Any,
    k: Any,
    compute: Compute,
    *arrays: Value,
    key: Any = None,
    shared: Sequence[Value] = (),
    shares: int = _SHARES,
) -> list[Value]:
    """Return the sums over all points of what `compute` gives as sums over some.

    Parameters
    ----------
    network : Network or Bound
        What is evaluated; it remembers the steps.
    k : Arrays
        The kind of the arrays.
    compute : callable
        (kind, arrays …, shared …) -> arrays that do not have the leading axis N.
    *arrays : array
        Points and others, leading axis N.
    key : hashable, optional
        What computation it is: with it the steps are remembered for NumPy arrays, so that the rules are run once.
    shared : sequence of array
        Further arrays, the same for all points: weights that are not those of the network.
    shares : int
        Into how many parts the points are cut, at most, which threads take one after another.

    Returns
    -------
    list of array
        The sums. Batches are cut in the same way and added up in the same order however many threads there are.
    """
    if key is not None and not shared and (numbers := k.shared(arrays)) is not None:
        return [k.returned(s) for s in added(network, Arrays.of(numbers[0]), compute, *numbers, key=key)]
    task = _Task(network, k, compute, arrays, key, shared)
    if not k.numpy:
        return task(arrays)
    count = len(arrays[0])
    size = max(-(-count // shares), _ALONE // max(1, task.numbers), task.rows // _PARTS)

    def share(start: int) -> list[np.ndarray]:
        with quiet():
            return _sum_of_blocks(task, [a[start : start + size] for a in arrays])

    starts, workers = range(0, max(1, count), max(1, size)), threads()
    with single_threaded():
        alone = workers == 1 or len(starts) == 1
        sums = [share(start) for start in starts] if alone else _spread(workers, share, starts)
    return [functools.reduce(operator.add, parts) for parts in zip(*sums, strict=True)]


def _sum_of_blocks(task: _Task, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    rows = task.rows
    sums = [np.array(a) for a in task([a[:rows] for a in arrays])]
    for start in range(rows, len(arrays[0]), rows):
        for known, part in zip(sums, task([a[start : start + rows] for a in arrays]), strict=True):
            known += part
    return sums


def threads() -> int:
    """Return how many threads share a batch: NEURALGEBRA_THREADS, or one for each core this process may use."""
    given = os.environ.get("NEURALGEBRA_THREADS", "")
    if given.isdecimal() and int(given):
        return int(given)
    if given:
        raise UsageError(f"NEURALGEBRA_THREADS={shown(given)} received; a number of threads, at least 1, expected.")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    # Blocks free and take the same few MiB again and again. glibc gives freed memory back to the system, and takes it
    # page by page, until it has seen one large block freed; so it sees one.
    np.empty((1 << 25) - (1 << 16), np.uint8)
    return ThreadPoolExecutor(workers, thread_name_prefix="neuralgebra")


def _spread(workers: int, function: Callable[[int], Any], starts: Sequence[int]) -> list[Any]:
    """Return what a function gives for each start, computed by threads."""
    try:
        return list(_pool(workers).map(function, starts))
    except Exception:
        raise
    except BaseException:  # an interrupt may have come while the pool held its locks
        _pool.cache_clear()
        raise


class _Limit:
    """Linear algebra on one thread while any batch runs: the setting is one for the whole process."""

    def __init__(self) -> None:
        self.lock, self.users = threading.Lock(), 0
        self.limiter: Any = None

    @functools.cached_property
    def controller(self) -> Any:
        return threadpoolctl.ThreadpoolController().select(user_api="blas")

    def enter(self) -> None:
        with self.lock:
            if not self.users:
                self.limiter = self.controller.limit(limits=1)
            self.users += 1

    def leave(self) -> None:
        with self.lock:
            self.users -= 1
            if not self.users:
                self.limiter.restore_original_limits()


_LIMIT = _Limit()


def _forked() -> None:
    """Forget, in a child, the threads that only its parent has, and what they held."""
    _pool.cache_clear()
    users = _LIMIT.users
    _LIMIT.lock, _LIMIT.users = threading.Lock(), 0
    if users:
        _LIMIT.limiter.restore_original_limits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """Run linear algebra on the calling threads only."""
    _LIMIT.enter()
    try:
        yield
    finally:
        _LIMIT.leave()


# Points -----------------------------------------------------------------------------------------------------------


def accept(network: Network, x: Any, dtype: Any = None) -> tuple[Arrays, Value]:
    """Return the kind of x and x as a floating array with n coordinates on its last axis."""
    x = labelled(x, network.input_names, "x")
    k, x = network.accept(x, dtype) if isinstance(network, Bound) else Arrays.accept(x, network.dtype, dtype)
    if not len(x.shape) or x.shape[-1] != network.input_size:
        raise ShapeError(
            f"x of shape {tuple(x.shape)} received; (..., {network.input_size}) expected, one column for each of "
            f"{', '.join(network.input_names[:8])}{' …' if network.input_size > 8 else ''}."
        )
    if dtype is None and not k.double and network.arrays and network.dtype == np.float64:
        warnings.warn(
            "float32 input: the float64 weights of this network are rounded to float32. Pass float64 to keep them.",
            PrecisionWarning,
            stacklevel=_outside(),
        )
    if network.multiplicative:
        refuse_outside(network, k, x)
    return k, x if network.output else x * 1  # no answer is the memory of the caller


def labelled(x: Any, names: Sequence[str], prefix: str) -> Any:
    """Return a data frame or a series as an array in the order of names, matched by its labels; anything else as it is.

    Labels that are numbers, or any where the names are the default ones, count by position.
    """
    if type(x) is np.ndarray:
        return x
    if isinstance(x, Network | Bound):
        raise UsageError("a Network received as x; numbers expected. Write f @ g for the composition f(g(x)).")
    labels = getattr(x, "columns", getattr(x, "index", None))
    if not hasattr(x, "to_numpy") or labels is None or callable(labels):
        return x
    missing = [name for name in names if name not in list(labels)]
    if not missing:
        return x[list(names)].to_numpy()
    if tuple(names) == default(prefix, len(names)) or not any(isinstance(label, str) for label in labels):
        return x.to_numpy()
    raise InputError(
        f"a table with labels {shown(', '.join(map(str, labels)))} received; {shown(', '.join(missing))} missing.\n"
        "Name them as f.input_names, for weights of outputs f.output_names, or pass .to_numpy() in that order."
    )


def _outside() -> int:
    """Return the stack level, for `accept`, of the first caller outside the package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("neuralgebra."):
        level, frame = level + 1, frame.f_back
    return level
