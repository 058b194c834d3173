"""A program without loops: every number a scalar, every weight a literal, for networks of a few units."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import reduce

from neuralgebra.code.fuse import inlined
from neuralgebra.code.statements import (
    Access,
    Assignment,
    Buffer,
    Call,
    Expression,
    Load,
    Loop,
    Number,
    Scalar,
    replaced,
)
from neuralgebra.errors import ResourceError

__all__ = ["unrolled"]

LIMIT = 20_000
"""Terms that are written out at most."""

PART = 40
"""Terms of a sum in one line."""

Indices = tuple[int, ...]


def unrolled(loops: Sequence[Loop]) -> list[Loop]:
    """Return loops written out as one list of assignments.

    Parameters
    ----------
    loops : sequence of Loop
        Loops.

    Returns
    -------
    list of Loop
        One, over a single point.

    Raises
    ------
    ResourceError
        When there would be too many terms.
    """
    size = sum(math.prod(loop.extents) * max(1, a.depth) for loop in loops for a in loop.body)
    if size > LIMIT:
        raise ResourceError(
            f"unrolled code would have {size:,} terms; at most {LIMIT:,} are written out.\n"
            "Leave unroll out: loops over arrays of weights have no limit."
        )
    body = [
        assignment
        for loop in loops
        for indices in itertools.product(*map(range, loop.extents))
        for a in loop.body
        for assignment in _at(a, indices)
    ]
    return [inlined(Loop((), tuple(body)))]


def _at(a: Assignment, indices: Indices) -> Iterator[Assignment]:
    """Yield an assignment at one point of its loop; of a long sum each part, of a maximum each round."""
    target = _place(a.target, indices) if isinstance(a.target, Access) else _named(a.target, indices)
    if not a.reduction:
        yield Assignment(target, _value(a.value, indices))
        return
    terms = [_value(a.value, (*indices, i)) for i in range(a.depth)]
    if a.start is not None:
        terms.insert(0, _value(a.start, indices))
    name, size = ("add", PART) if a.reduction == "sum" else ("largest", 2)
    word = target.name if isinstance(target, Scalar) else f"{target.buffer.name}_{target.offset + 1}"
    for number in itertools.count(1):
        if len(terms) <= size:
            break
        part = Scalar(f"{word}_part{number}")
        yield Assignment(part, reduce(lambda x, y: Call(name, (x, y)), terms[:size]), kept=True)
        terms = [part, *terms[size:]]
    yield Assignment(target, reduce(lambda x, y: Call(name, (x, y)), terms))


def _value(e: Expression, indices: Indices) -> Expression:
    def change(part: Expression) -> Expression | None:
        if isinstance(part, Load):
            buffer, place = part.access.buffer, _number(part.access, indices)
            if buffer.values is not None:
                return Number(float(buffer.values[place]))
            return _element(buffer, place)
        return _named(part, indices) if isinstance(part, Scalar) else None

    return replaced(e, change)


def _place(access: Access, indices: Indices) -> Access | Scalar:
    place = _number(access, indices)
    return _scalar(access.buffer, place) if access.buffer.role == "local" else Access(access.buffer, place, ())


def _element(buffer: Buffer, place: int) -> Expression:
    return _scalar(buffer, place) if buffer.role == "local" else Load(Access(buffer, place, ()))


def _scalar(buffer: Buffer, place: int) -> Scalar:
    return Scalar(f"{buffer.name}_{place + 1}")


def _named(scalar: Scalar, indices: Indices) -> Scalar:
    return Scalar("_".join([scalar.name, *(str(i + 1) for i in indices)]))


def _number(access: Access, indices: Indices) -> int:
    """Return a place as a number."""
    place = access.offset + sum(s * i for s, i in zip(access.strides, indices, strict=False))
    if access.table is not None:
        values = access.table.buffer.values
        assert values is not None
        place += access.step * int(values[_number(access.table, indices)])
    return place
