"""The steps of a traced computation, how long each array is needed, and how much memory they take."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from neuralgebra.calculus.trace import POINTS, Step, Tape, Traced

__all__ = ["Schedule", "sized"]


class Schedule:
    """The steps that results depend on, and the lifetimes of arrays.

    Parameters
    ----------
    tape : Tape
        What was written down.
    inputs : int
        How many arguments there are; they have the first places.
    results : tuple of Traced or array
        What comes out.
    """

    def __init__(self, tape: Tape, inputs: int, results: tuple[Any, ...]) -> None:
        self.inputs, self.results = inputs, results
        self.dtype, self.arrays, self.ordered = tape.dtype, tape.arrays, tape.ordered
        self.steps = _needed(tape, results)
        self.roots, self.last_use = _lifetimes(self.steps, tape, results)
        self.direct = _direct(self.steps, results)
        computed = {step.result for step in self.steps if not (step.view or step.check)}
        self.owned = frozenset(computed.difference(self.direct))

    def rows(self, step: int, block: int) -> int:
        """Return how many points make a block.

        A step computes so many bytes on average, and all of them as many as there are weights, which every block reads;
        but what is needed at a time fits into a block. Where nothing is computed for each point, nothing is gained by
        small blocks.
        """
        fixed, each = self.footprint
        bytes_ = self.work * self.dtype.itemsize
        enough = max(self.calls * step, self.weights) // bytes_ if bytes_ else block
        return max(1, min(enough, (block - fixed) // max(1, each)))

    @functools.cached_property
    def weights(self) -> int:
        """Bytes of arrays that are the same for all points."""
        constants = {id(a): a.nbytes for step in self.steps for a in step.arguments if isinstance(a, np.ndarray)}
        return sum(constants.values())

    @functools.cached_property
    def calls(self) -> int:
        """Number of steps that compute something."""
        return sum(not step.view for step in self.steps)

    @functools.cached_property
    def footprint(self) -> tuple[int, int]:
        """Bytes needed at a time, at most: for any number of points, and for each of them."""
        live, most = [0, 0], [0, 0]
        for at, step in enumerate(self.steps):
            live = [a + b for a, b in zip(live, self._numbers(step.result), strict=True)]
            most = max(most, live, key=operator.itemgetter(1))
            for root in self.done(at):
                live = [a - b for a, b in zip(live, self._numbers(root), strict=True)]
        return most[0] * self.dtype.itemsize, most[1] * self.dtype.itemsize

    @functools.cached_property
    def work(self) -> int:
        """Numbers computed for each point."""
        return sum(self._numbers(step.result)[1] for step in self.steps if not step.view)

    def _numbers(self, place: int) -> tuple[int, int]:
        """Return the size of an array that does not depend on the number of points, and the size for each point."""
        if place not in self.owned:
            return 0, 0
        shape = self.arrays[place].shape
        size = math.prod(sized(shape, 1))
        return (0, size) if math.prod(shape) > size else (size, 0)

    def done(self, at: int) -> Iterator[int]:
        """Yield the arrays that have memory which nobody needs after a step."""
        return iter(self._ending.get(at, ()))

    @functools.cached_property
    def _ending(self) -> dict[int, list[int]]:
        """The arrays that have memory, by the last step that needs them."""
        found: dict[int, set[int]] = {}
        for at, step in enumerate(self.steps):
            for place in (step.result, *_places(step.arguments)):
                found.setdefault(max(at, self.last_use[self.roots[place]]), set()).add(self.roots[place])
        return {at: sorted(roots) for at, roots in found.items()}

    def overwritten(self, at: int) -> int | None:
        """Return the place of an argument that the result of a step may take the memory of."""
        step = self.steps[at]
        function, places = step.function, _places(step.arguments)
        if not isinstance(function, np.ufunc) or function.signature:
            return None
        shape, dtype = self.arrays[step.result].shape, self.arrays[step.result].dtype
        for p in places:
            others = [self.roots[q] for q in places if q != p]
            alike = self.arrays[p].shape == shape and self.arrays[p].dtype == dtype
            if alike and p in self.owned and self.last_use[p] == at and p not in others:
                return p
        return None


def _places(arguments: Sequence[Any]) -> list[int]:
    return [a.place for a in arguments if isinstance(a, Traced)]


def sized(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return a shape with a number of points in it."""
    return tuple(n // POINTS * count if n and n % POINTS == 0 else n for n in shape)


def _needed(tape: Tape, results: tuple[Any, ...]) -> list[Step]:
    """Return the steps that the results depend on, and the checks."""
    wanted = set(_places(results))
    kept = []
    for step in reversed(tape.steps):
        if step.result in wanted or step.check:
            kept.append(step)
            wanted.update(_places(step.arguments))
    return kept[::-1]


def _lifetimes(steps: Sequence[Step], tape: Tape, results: tuple[Any, ...]) -> tuple[list[int], list[int]]:
    """Return whose memory each array is in, and the last step that needs an array or a view of it."""
    roots, last = list(range(len(tape.arrays))), [-1] * len(tape.arrays)
    for at, step in enumerate(steps):
        places = _places(step.arguments)
        if step.view and places:
            roots[step.result] = roots[places[0]]
        for place in places:
            last[place] = last[roots[place]] = at
    for place in _places(results):
        last[place] = last[roots[place]] = len(steps)
    return roots, last


def _direct(steps: Sequence[Step], results: tuple[Any, ...]) -> dict[int, int]:
    """Return the arrays that are results and nothing else, written where the caller wants them."""
    places = [r.place if isinstance(r, Traced) and r.shape[:1] == (POINTS,) else None for r in results]
    used = {place for step in steps for place in _places(step.arguments)}
    computed = {step.result for step in steps if not step.view}
    return {p: i for i, p in enumerate(places) if p in computed - used and places.count(p) == 1}
