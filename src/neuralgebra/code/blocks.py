"""Sums in a form that compilers turn into vector instructions without leave to reorder them.

Sums for many neighbouring results grow side by side, term by term; a single sum of neighbouring numbers goes through a
short array of partial sums. Both are plain loops of fixed length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neuralgebra.code.fuse import reads
from neuralgebra.code.language import Language
from neuralgebra.code.statements import Access, Assignment, Loop

__all__ = ["Blocked"]


class Blocked(Language):
    """A language whose compilers vectorise loops of fixed length."""

    apart = True
    lanes = 8
    zeros: str = "{type} {name}[{size}] = {{0}};"

    def looped(self, loop: Loop, depth: int) -> list[str]:
        """Return one loop as lines."""
        a = loop.body[0]
        if a.reduction == "sum" and isinstance(a.target, Access) and len(loop.body) == 1:
            axis = len(loop.extents) - 1
            if axis >= 0 and loop.extents[axis] >= 4 and a.target.strides[axis] == 1 and _along(a, axis):
                return self._by_results(loop, a, depth)
            if a.depth >= 8 and _along(a, axis + 1):
                return self._by_terms(loop, a, depth)
        return super().looped(loop, depth)

    def _by_results(self, loop: Loop, a: Assignment, depth: int) -> list[str]:
        """Return sums that grow side by side, term by term."""
        *outer, n = loop.extents
        names, lane, term = (
            [self.index(i) for i in range(len(outer))],
            self.index(len(outer) + 1),
            self.index(len(outer)),
        )
        at = depth + len(outer)
        target = self.read(a.target, [*names, lane])  # type: ignore[arg-type]
        value = self.express(a.value, [*names, lane, term])
        start = self.indent * (at + 1) + self.assign.format(target=target, value=self._start(a, [*names, lane]))
        add = self.indent * (at + 2) + self.update.format(target=target, value=value)
        inner = [*self.nest([(lane, n)], [start], at), *self.nest([(term, a.depth), (lane, n)], [add], at)]
        return self.nest(list(zip(names, outer, strict=True)), inner, depth)

    def _by_terms(self, loop: Loop, a: Assignment, depth: int) -> list[str]:
        """Return sums of some neighbouring terms at a time."""
        count = len(loop.extents)
        names = [self.index(i) for i in range(count)]
        first, lane = self.index(count), self.index(count + 1)
        size, at = self.lanes, depth + count
        whole = a.depth - a.depth % size
        slot = self.entry.format(array="s", place=lane)
        inner = [self.indent * at + self.zeros.format(type=self.type, name="s", size=size)]
        for start, length in ((0, whole), (whole, a.depth % size)):
            if not length:
                continue
            long = length > size
            index = f"{first} + {lane}" if long else f"{start} + {lane}" if start else lane
            value = self.express(a.value, [*names, index])
            deep = at + 1 + long
            add = self.nest(
                [(lane, min(size, length))],
                [self.indent * deep + self.update.format(target=slot, value=value)],
                deep - 1,
            )
            inner += self.strided(first, length, size, add, at) if long else add
        target = self.read(a.target, names)  # type: ignore[arg-type]
        total = _halved(self, range(size))
        total = total if a.start is None else f"{self._start(a, names)} + {total}"
        inner.append(self.indent * at + self.assign.format(target=target, value=total))
        if not count:
            return self.braced([self.indent + line for line in inner], depth)
        return self.nest(list(zip(names, loop.extents, strict=True)), inner, depth)

    def _start(self, a: Assignment, indices: Sequence[str]) -> str:
        """Return what a sum is added to."""
        return self.number(0.0) if a.start is None else self.express(a.start, indices)

    def strided(self, index: str, n: int, step: int, inner: list[str], depth: int) -> list[str]:
        """Return lines inside a loop that goes by more than one."""
        raise NotImplementedError

    def braced(self, inner: list[str], depth: int) -> list[str]:
        """Return lines as a block with variables of its own."""
        raise NotImplementedError


def _along(a: Assignment, axis: int) -> bool:
    """Return whether all that is summed lies side by side along an index."""
    accesses = list(reads(replace(a, start=None)))
    tables = [t for t in (x.table for x in accesses) if t is not None]
    return all(x.strides[axis] in (0, 1) for x in accesses) and not any(t.strides[axis] for t in tables)


def _halved(language: Language, lanes: Sequence[int]) -> str:
    """Return the sum of partial sums, by halves."""
    if len(lanes) == 1:
        return language.entry.format(array="s", place=language.first + lanes[0])
    middle = len(lanes) // 2
    return f"({_halved(language, lanes[:middle])} + {_halved(language, lanes[middle:])})"
