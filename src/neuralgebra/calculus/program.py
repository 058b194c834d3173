"""A traced computation, ready to run on blocks of points: no rule is looked up, no polynomial walked again.

The steps of one number of points are closures over the places of their arguments. An array is forgotten after its last
use, and a function of numbers writes over an argument that nobody needs any more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.calculus.trace import POINTS, NotTraceable, Recorder, Step, Tape, Traced, Unbounded, taken

__all__ = ["Program", "traced"]

Compute = Callable[..., Sequence[Any]]

Closure = Callable[[list[Any]], None]

_SIZES = 8  # numbers of points whose closures are kept
_LARGE = 1 << 12  # arrays of so many numbers are forgotten as soon as possible; smaller ones are not worth it


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
    tape = Tape(dtype)
    arguments = [tape.new((POINTS, *shape)) for shape in sizes]
    try:
        results = compute(Recorder(np.zeros(1, dtype), tape), *arguments)
    except NotTraceable:
        return compute
    return Program(tape, len(arguments), tuple(results), compute)


class Program:
    """The steps of a computation.

    Parameters
    ----------
    tape : Tape
        What was written down.
    inputs : int
        How many arguments there are; they have the first places.
    results : tuple of Traced or array
        What comes out.
    compute : callable
        The computation itself, for numbers that are not finite.
    """

    def __init__(self, tape: Tape, inputs: int, results: tuple[Any, ...], compute: Compute) -> None:
        self.inputs, self.results, self.compute = inputs, results, compute
        self.steps, self.shapes = _needed(tape, results), [a.shape for a in tape.arrays]
        self.last_use, self.roots, self.owned = _lifetimes(self.steps, tape, inputs, results)
        self._bound: dict[int, list[Closure]] = {}

    def __call__(self, k: Arrays, *arguments: np.ndarray, out: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """Return the results for points of any number, written to arrays if these are given."""
        closures = self._closures(len(arguments[0]))
        slots: list[Any] = [*arguments, *[None] * (len(self.shapes) - len(arguments)), out]
        try:
            for run in closures:
                run(slots)
        except Unbounded:
            return list(self.compute(k, *arguments))
        return [slots[r.place] if isinstance(r, Traced) else r.copy() for r in self.results]

    def _closures(self, count: int) -> list[Closure]:
        closures = self._bound.get(count)
        if closures is None:
            if len(self._bound) >= _SIZES:
                self._bound.clear()
            closures = self._bound[count] = [self._closure(i, step, count) for i, step in enumerate(self.steps)]
        return closures

    def _closure(self, at: int, step: Step, count: int) -> Closure:
        """Return a step for a number of points, as a function of the list of all arrays."""
        places = [a.place if isinstance(a, Traced) else None for a in step.arguments]
        if step.function is np.reshape:
            return _reshaped(places[0], _sized(dict(step.options)["shape"], count), step.result)
        options = {name: _sized(value, count) if name == "shape" else value for name, value in step.options}
        large = math.prod(_sized(self.shapes[step.result], count)) >= _LARGE
        dead = tuple(p for p in set(places) if p is not None and self.last_use[p] == at and p >= self.inputs)
        over = self._overwritten(at, step) if large else None
        final = self._final(step) if large else None
        if not options and over is None and final is None and not (large and dead):
            return _plain(step.function, places, step.arguments, step.result)
        return _general(step.function, places, step.arguments, options, step.result, over, final, dead)

    def _final(self, step: Step) -> int | None:
        """Return which result a step computes, if it can write it to an array that is given."""
        if not isinstance(step.function, np.ufunc) and step.function is not taken:
            return None
        places = [r.place if isinstance(r, Traced) else None for r in self.results]
        return places.index(step.result) if step.result in places else None

    def _overwritten(self, at: int, step: Step) -> int | None:
        """Return the place of an argument that the result may take the memory of."""
        if not isinstance(step.function, np.ufunc) or step.function.signature:
            return None
        for a in step.arguments:
            if isinstance(a, Traced) and self._free(at, a.place) and a.shape == self.shapes[step.result] and a.floating:
                return a.place
        return None

    def _free(self, at: int, place: int) -> bool:
        """Return whether an array owns its memory and nobody needs it, or a view of it, after a step."""
        return place in self.owned and self.last_use[self.roots[place]] == at and self.roots[place] == place


def _needed(tape: Tape, results: tuple[Any, ...]) -> list[Step]:
    """Return the steps that the results depend on, and the checks."""
    wanted = {r.place for r in results if isinstance(r, Traced)}
    kept = []
    for step in reversed(tape.steps):
        if step.result in wanted or (tape.arrays[step.result].shape == () and step.function.__name__ == "_finite"):
            kept.append(step)
            wanted.update(a.place for a in step.arguments if isinstance(a, Traced))
    return kept[::-1]


def _lifetimes(
    steps: Sequence[Step], tape: Tape, inputs: int, results: tuple[Any, ...]
) -> tuple[list[int], list[int], frozenset[int]]:
    """Return the last step that needs each array or a view of it, whose memory it is, and which own theirs."""
    roots = list(range(len(tape.arrays)))
    owned = set()
    for step in steps:
        first = next((a for a in step.arguments if isinstance(a, Traced)), None)
        if step.view and first is not None:
            roots[step.result] = roots[first.place]
        elif not step.view and step.function is not np.broadcast_to:
            owned.add(step.result)
    last = [-1] * len(tape.arrays)
    for at, step in enumerate(steps):
        for a in step.arguments:
            if isinstance(a, Traced):
                last[a.place] = at
                last[roots[a.place]] = at
    for r in results:
        if isinstance(r, Traced):
            last[r.place] = last[roots[r.place]] = len(steps)
    return last, roots, frozenset(owned)


def _sized(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    return tuple(n // POINTS * count if n and n % POINTS == 0 else n for n in shape)


def _plain(function: Any, places: Sequence[int | None], given: Sequence[Any], result: int) -> Closure:
    """Return a step of one or two arguments without options."""
    if len(places) == 1 and places[0] is not None:
        return _unary(function, places[0], result)
    if len(places) == 2 and places[0] is not None:
        if places[1] is None:
            return _right_constant(function, places[0], given[1], result)
        return _binary(function, places[0], places[1], result)
    return _general(function, places, given, {}, result, None, None, ())


def _reshaped(a: Any, shape: tuple[int, ...], result: int) -> Closure:
    def step(slots: list[Any]) -> None:
        slots[result] = slots[a].reshape(shape)

    return step


def _unary(function: Any, a: int, result: int) -> Closure:
    def step(slots: list[Any]) -> None:
        slots[result] = function(slots[a])

    return step


def _binary(function: Any, a: int, b: int, result: int) -> Closure:
    def step(slots: list[Any]) -> None:
        slots[result] = function(slots[a], slots[b])

    return step


def _right_constant(function: Any, a: int, constant: Any, result: int) -> Closure:
    def step(slots: list[Any]) -> None:
        slots[result] = function(slots[a], constant)

    return step


def _general(
    function: Any,
    places: Sequence[int | None],
    given: Sequence[Any],
    options: dict[str, Any],
    result: int,
    over: int | None,
    final: int | None,
    dead: tuple[int, ...],
) -> Closure:
    """Return a step of any arguments, which writes to the array of a result or over an argument if told so, and
    forgets those not needed again."""
    pairs = tuple(zip(places, given, strict=True))

    def step(slots: list[Any]) -> None:
        arguments = [value if place is None else slots[place] for place, value in pairs]
        if final is not None and slots[-1] is not None:
            value = function(*arguments, out=slots[-1][final])
        elif over is not None:
            value = function(*arguments, out=slots[over])
        else:
            value = function(*arguments, **options)
        for place in dead:
            slots[place] = None
        slots[result] = value

    return step
