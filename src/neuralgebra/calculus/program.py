"""A traced computation, ready to run on blocks of points: no rule is looked up, no polynomial walked again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.calculus.replay import WORKSPACE, Replay
from neuralgebra.calculus.schedule import Schedule
from neuralgebra.calculus.trace import POINTS, NotTraceable, Recorder, Tape, Unbounded

__all__ = ["Program", "traced"]

Compute = Callable[..., Sequence[Any]]

_SIZES = 6  # numbers of points whose steps stay bound to memory


def traced(compute: Compute, dtype: Any, sizes: Sequence[tuple[int, ...]]) -> Compute:
    """Return a computation as a program, or as it is if it cannot be traced.

    Parameters
    ----------
    compute : callable
        (kind, points (N, n), …) -> arrays.
    dtype : dtype
        That of the points.
    sizes : sequence of tuple of int
        Shape of each argument without its leading axis N.

    Returns
    -------
    callable
        The same function of the same arguments.
    """
    tape = Tape(np.dtype(dtype))
    arguments = [tape.new((POINTS, *shape)) for shape in sizes]
    try:
        results = compute(Recorder(np.zeros(1, dtype), tape), *arguments)
    except NotTraceable:
        return compute
    return Program(Schedule(tape, len(arguments), tuple(results)), compute)


class Program:
    """A computation as steps.

    Parameters
    ----------
    schedule : Schedule
        The steps.
    compute : callable
        The computation itself, for numbers that are not finite.
    """

    def __init__(self, schedule: Schedule, compute: Compute) -> None:
        self.schedule, self.compute = schedule, compute
        self._bound = threading.local()

    def __call__(self, k: Arrays, *arguments: np.ndarray, out: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """Return the results for points of any number, written to arrays if these are given."""
        if WORKSPACE.busy:  # a signal has interrupted another program on this thread
            return list(self.compute(k, *arguments))
        WORKSPACE.busy = True
        try:
            return self._replay(len(arguments[0]))(arguments, out)
        except Unbounded:
            return list(self.compute(k, *arguments))
        finally:
            WORKSPACE.busy = False

    def _replay(self, count: int) -> Replay:
        """Return the steps bound to memory of this thread for a number of points."""
        known: dict[Any, Replay] = self._bound.__dict__
        if count in known:
            return known[count]
        replay = Replay(self.schedule, count)
        if replay.kept:
            if len(known) >= _SIZES:
                known.clear()
            known[count] = replay
        return replay
