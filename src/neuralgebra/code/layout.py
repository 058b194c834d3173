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
    turned = {b: _turned(b, shapes[b]) for b, (along_rows, along_columns) in work.items() if along_columns > along_rows}

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
