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

TERMS = 4
"""Terms of a sum that are added at a time."""


class Blocked(Language):
    """A language whose compilers vectorise loops of fixed length."""

    apart = True
    lanes = 8
    partial = "s"
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
        """Return sums that grow side by side: some terms at a time, and two rows of results where there are several."""
        *outer, n = loop.extents
        names, lane = [self.index(i) for i in range(len(outer))], self.index(len(outer) + 1)
        if not outer or n < self.lanes or a.depth < self.lanes or outer[-1] < 2:
            inner = self._rows(a, [[*names, lane]], n, depth + len(outer))
            return self.nest(list(zip(names, outer, strict=True)), inner, depth)
        *outer, rows = outer
        *names, row = names
        at = depth + len(outer)
        pair = [[*names, row, lane], [*names, f"{row} + 1", lane]]
        inner = self.strided(row, rows - rows % 2, 2, self._rows(a, pair, n, at + 1), at)
        if rows % 2:
            inner += self._rows(a, [[*names, str(rows - 1), lane]], n, at)
        return self.nest(list(zip(names, outer, strict=True)), inner, depth)

    def _rows(self, a: Assignment, rows: list[list[str]], n: int, at: int) -> list[str]:
        """Return the sums of one or two rows of results, given the indices of each."""
        lane, term = rows[0][-1], self.index(len(rows[0]) - 1)
        targets = [self.read(a.target, indices) for indices in rows]  # type: ignore[arg-type]
        start = [self.assign.format(target=t, value=self._start(a, i)) for t, i in zip(targets, rows, strict=True)]
        lines = self.nest([(lane, n)], [self.indent * (at + 1) + line for line in start], at)
        whole = a.depth - a.depth % TERMS if a.depth >= self.lanes else 0
        if whole:
            some = [term, *(f"{term} + {i}" for i in range(1, TERMS))]
            lines += self.strided(term, whole, TERMS, self._added(a, rows, some, n, at + 1), at)
        for index in range(whole, a.depth) if whole else ():
            lines += self._added(a, rows, [str(index)], n, at)
        if not whole:
            lines += self.nest([(term, a.depth)], self._added(a, rows, [term], n, at + 1), at)
        return lines

    def _added(self, a: Assignment, rows: list[list[str]], terms: list[str], n: int, at: int) -> list[str]:
        """Return the loop over results that adds some terms to each."""
        inner = []
        for indices in rows:
            value = " + ".join(self.express(a.value, [*indices, term], 3) for term in terms)
            target = self.read(a.target, indices)  # type: ignore[arg-type]
            inner.append(self.indent * (at + 1) + self.update.format(target=target, value=value))
        return self.nest([(rows[0][-1], n)], inner, at)

    def _by_terms(self, loop: Loop, a: Assignment, depth: int) -> list[str]:
        """Return sums of some neighbouring terms at a time."""
        count = len(loop.extents)
        names = [self.index(i) for i in range(count)]
        first, lane = self.index(count), self.index(count + 1)
        size, at = self.lanes, depth + count
        whole = a.depth - a.depth % size
        slot = self.entry.format(array=self.partial, place=lane)
        inner = [self.indent * at + self.zeros.format(type=self.type, name=self.partial, size=size)]
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


def _halved(language: Blocked, lanes: Sequence[int]) -> str:
    """Return the sum of partial sums, by halves."""
    if len(lanes) == 1:
        return language.entry.format(array=language.partial, place=language.first + lanes[0])
    middle = len(lanes) // 2
    return f"({_halved(language, lanes[:middle])} + {_halved(language, lanes[middle:])})"
