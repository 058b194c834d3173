"""A traced computation, ready to run on blocks of points: no rule is looked up, no polynomial walked again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from neuralgebra.calculus.replay import WORKSPACE, Replay
from neuralgebra.calculus.schedule import Schedule
from neuralgebra.calculus.trace import POINTS, NotTraceable, Recorder, Tape, Unbounded

__all__ = ["Program", "traced"]

Compute = Callable[..., Sequence[Any]]

_SIZES = 6  # numbers of points whose steps stay bound to memory


def traced(
    compute: Compute, dtype: Any, sizes: Sequence[tuple[int, ...]], shared: Sequence[tuple[int, ...]] = ()
) -> Program | None:
    """Return a computation as a program; None if it cannot be traced.

    Parameters
    ----------
    compute : callable
        (kind, points (N, n), …, shared …) -> arrays.
    dtype : dtype
        That of the points.
    sizes : sequence of tuple of int
        Shape of each argument without its leading axis N.
    shared : sequence of tuple of int
        Shapes of further arguments, which have no axis N: all points have the same.

    Returns
    -------
    Program or None
        The same function of the same arguments.
    """
    tape = Tape(np.dtype(dtype))
    arguments = [tape.new(shape) for shape in (*((POINTS, *size) for size in sizes), *shared)]
    try:
        results = compute(Recorder(np.zeros(1, dtype), tape), *arguments)
    except NotTraceable:
        return None
    if any(_ambiguous(a.shape, 1) for a in tape.arrays) or any(_ambiguous(np.shape(a), 0) for a in _constants(tape)):
        return None
    return Program(Schedule(tape, len(arguments), tuple(results)))


def _constants(tape: Tape) -> Iterator[Any]:
    return (a for step in tape.steps for a in step.arguments if isinstance(a, np.ndarray))


def _ambiguous(shape: tuple[int, ...], points: int) -> bool:
    """Return whether more axes look like a number of points than can be one: a layer is as wide as that."""
    return sum(n > 0 and n % POINTS == 0 for n in shape) > points


class _Bound(threading.local):
    """Replays of a thread by number of points."""

    def __init__(self) -> None:
        self.replays: dict[int, Replay] = {}


class Program:
    """A computation as steps.

    Parameters
    ----------
    schedule : Schedule
        The steps.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self._bound = _Bound()

    def __call__(self, arguments: Sequence[np.ndarray], out: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """Return the results for points of any number, written to arrays if these are given.

        Raises
        ------
        Unbounded
            When the steps are not those for these numbers, or another program on this thread is interrupted.
        """
        if WORKSPACE.busy:
            raise Unbounded
        WORKSPACE.busy = True
        try:
            return self._replay(len(arguments[0]))(arguments, out)
        finally:
            WORKSPACE.busy = False

    def _replay(self, count: int) -> Replay:
        """Return the steps bound to memory of this thread for a number of points."""
        known = self._bound.replays
        if count in known:
            return known[count]
        replay = Replay(self.schedule, count)
        if replay.kept:
            if len(known) >= _SIZES:
                known.clear()
            known[count] = replay
        return replay
