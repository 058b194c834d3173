"""Fewer loops and fewer arrays: loops over the same box become one, numbers used within one turn become scalars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from neuralgebra.code.statements import (
    Access,
    Assignment,
    Buffer,
    Call,
    Expression,
    Load,
    Loop,
    Scalar,
    changed,
    replaced,
    walk,
)

__all__ = ["fused", "inlined", "operations", "reads"]

_LONGEST = 10  # operations in one expression


def reads(assignment: Assignment) -> Iterator[Access]:
    """Yield the places that an assignment reads, tables left out."""
    return (p.access for e in assignment.expressions for p in walk(e) if isinstance(p, Load))


def operations(expression: Expression) -> int:
    """Return how many operations an expression has."""
    return sum(isinstance(part, Call) for part in walk(expression))


def fused(loops: Sequence[Loop], apart: bool) -> list[Loop]:
    """Return loops that do the same with less memory.

    Parameters
    ----------
    loops : sequence of Loop
        Loops with one assignment each; every array is written before it is read, each entry once.
    apart : bool
        Whether sums stay in loops of their own.

    Returns
    -------
    list of Loop
        Loops with scalars.
    """
    plain = _used(_outputs_in_place([_squeezed(loop) for loop in loops]))
    groups = _grouped(_used(_started(_used(_within_sums(plain)))), apart)
    return [inlined(loop) for loop in _with_scalars(groups)]


def _squeezed(loop: Loop) -> Loop:
    """Return a loop without the indices that have one value."""
    kept = [i for i, n in enumerate(loop.extents) if n != 1]
    axes = [*kept, *([len(loop.extents)] if loop.body[0].reduction else [])]
    return changed(replace(loop, extents=tuple(loop.extents[i] for i in kept)), lambda a: a.kept(axes))


def _outputs_in_place(loops: list[Loop]) -> list[Loop]:
    """Return loops in which what is only copied to an output is written there at once."""
    moved: dict[Buffer, Buffer] = {}
    kept = []
    for loop in loops:
        (a,) = loop.body
        source = a.value.access if isinstance(a.value, Load) else None
        target = a.target
        assert isinstance(target, Access)
        same = (
            target.buffer.role == "output"
            and source is not None
            and source.table is None
            and source.buffer.role == "local"
            and source.buffer.size == target.buffer.size
            and (source.offset, source.strides) == (target.offset, target.strides)
            and source.buffer not in moved
            and target.buffer not in moved.values()
        )
        if same and source is not None:
            moved[source.buffer] = target.buffer
        else:
            kept.append(loop)
    return [changed(loop, lambda a: replace(a, buffer=moved.get(a.buffer, a.buffer))) for loop in kept]


def _used(loops: list[Loop]) -> list[Loop]:
    """Return the loops whose results are read, or given back."""
    wanted: set[Buffer] = set()
    kept = []
    for loop in reversed(loops):
        (a,) = loop.body
        assert isinstance(a.target, Access)
        if a.target.buffer.role == "output" or a.target.buffer in wanted:
            kept.append(loop)
            wanted.update(access.buffer for access in reads(a))
    return kept[::-1]


def _within_sums(loops: list[Loop]) -> list[Loop]:
    """Return loops in which products that one sum alone reads, each once, are multiplied there."""
    readers = Counter(access.buffer for loop in loops for a in loop.body for access in reads(a))
    writers = Counter(loop.body[0].target.buffer for loop in loops)  # type: ignore[union-attr]
    producers: dict[Buffer, Loop] = {}
    result = []
    for loop in loops:
        (a,) = loop.body
        assert isinstance(a.target, Access)
        buffer = a.target.buffer
        if a.reduction == "sum":
            value = _multiplied(a.value, producers, (*loop.extents, a.depth))
            loop = replace(loop, body=(replace(a, value=value),))
        elif readers[buffer] == writers[buffer] == 1 and buffer.role == "local" and _is_simple(a.value):
            producers[buffer] = loop
        result.append(loop)
    return result


def _started(loops: list[Loop]) -> list[Loop]:
    """Return loops in which what is only added to a sum is where the sum starts: b + Σ w x."""
    readers = Counter(access.buffer for loop in loops for a in loop.body for access in reads(a))
    writers = Counter(loop.body[0].target.buffer for loop in loops)  # type: ignore[union-attr]
    sums: dict[Buffer, Loop] = {}
    result = []
    for loop in loops:
        (a,) = loop.body
        assert isinstance(a.target, Access)
        buffer = a.target.buffer
        found = _sum_and_rest(a.value, sums, loop) if not a.reduction else None
        if found is not None:
            (summed,), rest = found
            axes = (*a.target.strides, 0)
            loop = replace(loop, body=(replace(summed, target=replace(a.target, strides=axes), start=rest),))
        elif a.reduction == "sum" and readers[buffer] == writers[buffer] == 1 and buffer.role == "local":
            sums[buffer] = loop
        result.append(loop)
    return result


def _sum_and_rest(
    value: Expression, sums: dict[Buffer, Loop], loop: Loop
) -> tuple[tuple[Assignment, ...], Expression] | None:
    """Return the sum that a value adds something to, entry by entry, and what it adds."""
    if not isinstance(value, Call) or value.function != "add":
        return None
    for one, other in (value.arguments, value.arguments[::-1]):
        before = sums.get(one.access.buffer) if isinstance(one, Load) else None
        if before is None or not isinstance(one, Load) or before.extents != loop.extents:
            continue
        target = before.body[0].target
        if isinstance(target, Access) and _same(one.access, target) and before.body[0].start is None:
            return before.body, other
    return None


def _is_simple(value: Expression) -> bool:
    """Return whether a value is a number that is read, or a product of two."""
    return isinstance(value, Load) or (
        isinstance(value, Call) and value.function == "multiply" and operations(value) == 1
    )


def _multiplied(value: Expression, producers: dict[Buffer, Loop], extents: tuple[int, ...]) -> Expression:
    """Return the terms of a sum with what other loops compute for it put in."""

    def product(e: Expression) -> Expression | None:
        producer = producers.get(e.access.buffer) if isinstance(e, Load) else None
        moved = None if producer is None or not isinstance(e, Load) else _moved(producer, e.access, extents)
        return None if moved is None else _multiplied(moved, producers, extents)

    return replaced(value, product)


def _moved(producer: Loop, at: Access, extents: tuple[int, ...]) -> Expression | None:
    """Return what a loop computes as an expression in the indices of another, which reads each entry once."""
    (a,) = producer.body
    assert isinstance(a.target, Access)
    if at.table is not None or at.offset != a.target.offset:
        return None
    axes: list[int] = []
    for stride, extent in zip(a.target.strides, producer.extents, strict=True):
        found = [i for i, s in enumerate(at.strides) if s == stride and extents[i] == extent]
        if len(found) != 1:
            return None
        axes.append(found[0])
    again = [n for i, n in enumerate(extents) if at.strides[i] == 0]
    computed = operations(a.value) and any(n > 1 for n in again)  # more than once
    if computed or any(s and i not in axes for i, s in enumerate(at.strides)):
        return None

    def load(e: Expression) -> Expression | None:
        return Load(_spread(e.access, axes, len(extents))) if isinstance(e, Load) else None

    return replaced(a.value, load)


def _spread(access: Access, axes: list[int], count: int) -> Access:
    """Return an access in terms of other indices, given which of these its own are."""
    strides = [0] * count
    for axis, stride in zip(axes, access.strides, strict=True):
        strides[axis] = stride
    table = None if access.table is None else _spread(access.table, axes, count)
    return replace(access, strides=tuple(strides), table=table)


def _grouped(loops: list[Loop], apart: bool) -> list[Loop]:
    """Return loops joined with earlier ones over the same box, where all they need is there by then."""
    groups: list[list[Loop]] = []
    written: dict[Buffer, list[tuple[int, Access]]] = {}
    for loop in loops:
        (a,) = loop.body
        place = _place(groups, written, loop, apart)
        if place == len(groups):
            groups.append([])
        groups[place].append(loop)
        assert isinstance(a.target, Access)
        written.setdefault(a.target.buffer, []).append((place, a.target))
    return [Loop(g[0].extents, tuple(a for loop in g for a in loop.body)) for g in groups]


def _place(groups: list[list[Loop]], written: dict[Buffer, list[tuple[int, Access]]], loop: Loop, apart: bool) -> int:
    """Return the first group that a loop may join, or their number."""
    (a,) = loop.body
    earliest = 0
    for access in reads(a):
        for group, target in written.get(access.buffer, ()):
            pointwise = not a.reduction and _same(access, target)
            earliest = max(earliest, group if pointwise else group + 1)
    for place in range(earliest, len(groups)):
        first = groups[place][0]
        alone = apart and (a.reduction or first.body[0].reduction)
        if first.extents == loop.extents and not alone:
            return place
    return len(groups)


def _same(a: Access, b: Access) -> bool:
    """Return whether two places are the same at each index of a loop; one of them may have an index of a sum."""
    count = min(len(a.strides), len(b.strides))
    return a.offset == b.offset and a.table is None and a.strides[:count] == b.strides[:count]


def _with_scalars(groups: list[Loop]) -> list[Loop]:
    """Return loops in which arrays that are used in one turn of one loop only are scalars."""
    users: dict[Buffer, set[int]] = {}
    places: dict[Buffer, set[tuple[int, tuple[int, ...]]]] = {}
    for number, loop in enumerate(groups):
        for a in loop.body:
            assert isinstance(a.target, Access)
            for access in (a.target, *reads(a)):
                count = len(loop.extents)
                users.setdefault(access.buffer, set()).add(number)
                place = (-1, ()) if access.table else (access.offset, access.strides[:count])
                places.setdefault(access.buffer, set()).add(place)
                if any(access.strides[count:]):
                    places[access.buffer].add((-1, ()))
    single = {b for b, numbers in users.items() if b.role == "local" and len(numbers) == 1 and len(places[b]) == 1}
    return [_scalar(loop, single) for loop in groups]


def _scalar(loop: Loop, single: set[Buffer]) -> Loop:
    def load(e: Expression) -> Expression | None:
        return Scalar(e.access.buffer.name) if isinstance(e, Load) and e.access.buffer in single else None

    body = []
    for a in loop.body:
        assert isinstance(a.target, Access)
        target = Scalar(a.target.buffer.name) if a.target.buffer in single else a.target
        body.append(replace(a.rewritten(lambda e: replaced(e, load)), target=target))
    return replace(loop, body=tuple(body))


def inlined(loop: Loop) -> Loop:
    """Return a loop in which scalars that are used once stand where they are used, and unused ones are left out."""
    loop = _live(loop)
    uses = Counter(name for a in loop.body for e in a.expressions for name in _named(e))
    in_sums = {name for a in loop.body if a.reduction for name in _named(a.value)}
    known: dict[str, Expression] = {}
    body: list[Assignment] = []

    def scalar(e: Expression) -> Expression | None:
        return known.get(e.name) if isinstance(e, Scalar) else None

    for a in loop.body:
        new = a.rewritten(lambda e: replaced(e, scalar))
        if max(map(operations, new.expressions)) > _LONGEST:
            names = [n for e in a.expressions for n in _named(e) if n in known]
            body += [Assignment(Scalar(n), known.pop(n)) for n in names if n in known]
            new = a
        name = a.target.name if isinstance(a.target, Scalar) else ""
        if name and not (a.reduction or a.kept) and uses[name] == 1 and name not in in_sums:
            known[name] = new.value
        else:
            body.append(new)
    return replace(loop, body=tuple(body))


def _live(loop: Loop) -> Loop:
    """Return a loop without scalars that nothing reads."""
    needed: set[str] = set()
    body: list[Assignment] = []
    for a in reversed(loop.body):
        if not isinstance(a.target, Scalar) or a.target.name in needed:
            needed.update(name for e in a.expressions for name in _named(e))
            body.insert(0, a)
    return replace(loop, body=tuple(body))


def _named(expression: Expression) -> list[str]:
    return [p.name for p in walk(expression) if isinstance(p, Scalar)]
