"""Which way round weights are stored: so that most products run along memory."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from neuralgebra.code.fuse import reads
from neuralgebra.code.statements import Access, Buffer, Loop, changed

__all__ = ["arranged"]


def arranged(bodies: Sequence[Sequence[Loop]], shapes: Mapping[Buffer, tuple[int, ...]]) -> list[list[Loop]]:
    """Return loops with matrices stored by columns where most work reads them along columns.

    Parameters
    ----------
    bodies : sequence of sequence of Loop
        The loops of all functions.
    shapes : mapping of Buffer to tuple of int
        The shapes of matrices.

    Returns
    -------
    list of list of Loop
        The loops of all functions.
    """
    work: dict[Buffer, list[int]] = defaultdict(lambda: [0, 0])
    for buffer, count, direction in (found for body in bodies for found in _directions(body, shapes)):
        work[buffer][direction] += count
    wanted = {b for b, (along_rows, along_columns) in work.items() if along_columns > along_rows}
    fixed = {b for body in bodies for b in _crooked(body, shapes)}
    turned = {b: _turned(b, shapes[b]) for b in wanted - fixed}

    def access(a: Access) -> Access:
        return _turned_access(a, turned[a.buffer], shapes[a.buffer]) if a.buffer in turned else a

    return [[changed(loop, access) for loop in body] for body in bodies]


def _directions(body: Sequence[Loop], shapes: Mapping[Buffer, tuple[int, ...]]) -> Iterator[tuple[Buffer, int, int]]:
    """Yield the matrices that sums read, how often, and whether the last index of the loop runs along columns."""
    for loop in body:
        for a in loop.body:
            for access in reads(a) if a.reduction and loop.extents else ():
                if access.buffer in shapes and access.table is None:
                    columns = shapes[access.buffer][1]
                    stride = access.strides[len(loop.extents) - 1]
                    if stride and columns > 1:
                        yield access.buffer, math.prod(loop.extents) * a.depth, int(stride == columns)


def _crooked(body: Sequence[Loop], shapes: Mapping[Buffer, tuple[int, ...]]) -> Iterator[Buffer]:
    """Yield the matrices with an access that does not stay in its rows and columns: places in the flat array."""
    for loop in body:
        for a in loop.body:
            box = (*loop.extents, a.depth) if a.reduction else loop.extents
            yield from (x.buffer for x in reads(a) if x.buffer in shapes and not _straight(x, box, shapes[x.buffer][1]))


def _straight(a: Access, box: tuple[int, ...], columns: int) -> bool:
    """Return whether each index of an access runs along rows or along columns, and the latter stay inside one row."""
    steps = [(s, 0, n - 1) for s, n in zip(a.strides, box, strict=False)]
    if a.table is not None:
        values = a.table.buffer.values
        assert values is not None
        steps.append((a.step, int(values.min()), int(values.max())))
    along = [(s * low, s * high) for s, low, high in steps if s % columns]
    start = a.offset % columns
    return start + sum(map(min, along)) >= 0 and start + sum(map(max, along)) < columns


def _turned(buffer: Buffer, shape: tuple[int, ...]) -> Buffer:
    assert buffer.values is not None
    return replace(buffer, values=buffer.values.reshape(shape).T.ravel())


def _turned_access(a: Access, buffer: Buffer, shape: tuple[int, ...]) -> Access:
    """Return the same place in the transpose."""
    rows, columns = shape

    def moved(place: int) -> int:
        row, column = divmod(place, columns)
        return column * rows + row

    strides = tuple(moved(s) if s >= 0 else -moved(-s) for s in a.strides)
    return replace(a, buffer=buffer, offset=moved(a.offset), strides=strides, step=moved(a.step))
