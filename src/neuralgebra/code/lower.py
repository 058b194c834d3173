"""From steps on arrays to loops over numbers.

Views are resolved by NumPy itself: a stand-in of one byte per number is viewed as the step says, and its strides and
its start are those of the access.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuralgebra.calculus.trace import Step, Traced
from neuralgebra.code.record import Exact, Primitive, Recording
from neuralgebra.code.statements import Access, Assignment, Buffer, Call, Expression, Load, Loop, Number, changed

__all__ = ["lowered"]


@dataclass(frozen=True)
class _View:
    """An array as part of a buffer: `stand_in` has its shape, its strides and its start."""

    buffer: Buffer
    base: np.ndarray
    stand_in: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stand_in.shape

    def through(self, function: Callable[..., Any], *arguments: Any) -> _View | None:
        """Return a view of the view; None where a copy would be needed."""
        viewed = function(self.stand_in, *arguments)
        if viewed.size and not np.may_share_memory(viewed, self.base):
            return None
        return _View(self.buffer, self.base, viewed)

    def access(self) -> Access:
        """Return where its entry at each index is."""
        start = self.stand_in.__array_interface__["data"][0] - self.base.__array_interface__["data"][0]
        return Access(self.buffer, start, self.stand_in.strides)


def _whole(buffer: Buffer, shape: tuple[int, ...]) -> _View:
    base = np.empty(buffer.size, np.int8)
    return _View(buffer, base, base.reshape(shape))


@dataclass(frozen=True)
class _Truth:
    """Truth values, which are not stored: they are computed where they are asked for."""

    shape: tuple[int, ...]
    at: Callable[[tuple[int, ...]], Expression]


Operand = _View | Number | _Truth

TRUTHS = frozenset(
    {
        *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal"),
        *("isinf", "isnan", "bitwise_or", "bitwise_and", "logical_not"),
    }
)


class _Lowering:
    """The loops of a recording.

    Parameters
    ----------
    recording : Recording
        Steps on arrays.
    inputs : sequence of Buffer
        The arguments.
    weights : mapping of int to Buffer
        The weights, by the identity of their arrays.
    table : callable
        ndarray -> Buffer for constants that are no weights.
    """

    def __init__(
        self,
        recording: Recording,
        inputs: Sequence[Buffer],
        weights: dict[int, Buffer],
        table: Callable[[np.ndarray], Buffer],
    ) -> None:
        self.tape, self.table = recording.tape, table
        self.loops: list[Loop] = []
        self.operands: dict[int, Operand] = {}
        self._sources: dict[Buffer, tuple[_View, np.ndarray]] = {}
        self._count = itertools.count(1)
        for stand_in, buffer in zip(recording.inputs, inputs, strict=True):
            self.operands[stand_in.place] = _whole(buffer, stand_in.shape)
        for place, array in recording.weights.items():
            self.operands[place] = _whole(weights[id(array)], array.shape)
        self.names: dict[Buffer, str] = {}
        for step in _needed(recording):
            operand = self.operands[step.result] = self._lower(step)
            label = recording.labels.get(step.result)
            if label and isinstance(operand, _View) and operand.buffer.role == "local":
                self.names.setdefault(operand.buffer, label)

    # Operands -----------------------------------------------------------------------------------------------------

    def operand(self, a: Any) -> Operand:
        """Return an argument of a step as a view or a number."""
        if isinstance(a, Traced):
            return self.operands[a.place]
        array = np.asarray(a)
        if array.size and (array == array.flat[0]).all():
            exact = a.exact if isinstance(a, Exact) else None
            return Number(float(array.flat[0]), exact)
        return _whole(self.table(np.ascontiguousarray(array)), array.shape)

    def _load(self, operand: Operand, shape: tuple[int, ...]) -> Expression:
        """Return the entry of an operand at each index of a shape that it is broadcast to."""
        if isinstance(operand, Number):
            return operand
        if isinstance(operand, _Truth):
            return operand.at(shape)
        return Load(_View(operand.buffer, operand.base, np.broadcast_to(operand.stand_in, shape)).access())

    def _number(self, operand: Operand, shape: tuple[int, ...]) -> Expression:
        """Return the entry of an operand as a number: truth values are 1 or 0."""
        value = self._load(operand, shape)
        return Call("select", (value, Number(1.0), Number(0.0))) if isinstance(operand, _Truth) else value

    def _new(self, shape: tuple[int, ...]) -> _View:
        size = int(np.prod(shape, dtype=object))
        return _whole(Buffer(f"q{next(self._count)}", size, "local"), shape)

    def _assign(self, shape: tuple[int, ...], value: Expression, reduction: str = "", depth: int = 0) -> _View:
        """Write a value at each index of a shape into a new array."""
        target = self._new(shape)
        self._put(target, value, reduction, depth)
        return target

    def _put(self, target: _View, value: Expression, reduction: str = "", depth: int = 0) -> None:
        access = target.access()
        if reduction:
            access = Access(access.buffer, access.offset, (*access.strides, 0))
        self.loops.append(Loop(target.shape, (Assignment(access, value, reduction, depth),)))

    def copied(self, operand: Operand, shape: tuple[int, ...], target: Buffer) -> None:
        """Write an operand into a buffer."""
        self._put(_whole(target, shape), self._number(operand, shape))

    def written(self, operand: Operand, shape: tuple[int, ...], entries: np.ndarray | None, target: Buffer) -> None:
        """Write an operand, or some of its entries, into a buffer."""
        if isinstance(operand, _View) and (entries is not None or operand.buffer in self._sources):
            self.picked(operand, np.arange(target.size) if entries is None else entries, target)
        elif entries is not None:
            self.picked(operand, entries, target)
        else:
            self.copied(operand, shape, target)

    def picked(self, operand: Operand, entries: np.ndarray, target: Buffer) -> None:
        """Write some entries of an operand, by their flat places, into a buffer."""
        if not isinstance(operand, _View):
            self._put(_whole(target, entries.shape), self._load(operand, entries.shape))
            return
        places = _places(operand).ravel()[entries]
        buffer = operand.buffer
        while buffer in self._sources:  # what was taken by a table is taken from where it stood
            view, taken = self._sources[buffer]
            buffer, places = view.buffer, taken[places]
        whole = _whole(buffer, (buffer.size,))
        regular = _progression(places)
        if regular is not None and regular[1] > 0:
            cut = whole.through(lambda s: s[regular[0] :: regular[1]][: len(places)])
            assert cut is not None
            self._put(_whole(target, entries.shape), self._load(cut, entries.shape))
        else:
            self._put(_whole(target, entries.shape), Load(self._gathered(whole, places, 0)))

    # Steps --------------------------------------------------------------------------------------------------------

    def _lower(self, step: Step) -> Operand:
        function, arguments = step.function, step.arguments
        shape = self.tape.arrays[step.result].shape
        if step.view:
            return self._viewed(function, self.operand(arguments[0]), arguments[1:], shape)
        if isinstance(function, np.ufunc) and function.signature:
            return getattr(self, f"_{function.__name__}")(*map(self.operand, arguments), shape)  # type: ignore[no-any-return]
        if isinstance(function, np.ufunc | Primitive):
            return self._elementwise(function, [self.operand(a) for a in arguments], shape)
        return getattr(self, function.__name__)(*arguments, shape=shape)  # type: ignore[no-any-return]

    def _viewed(self, function: Any, x: Operand, arguments: Sequence[Any], shape: tuple[int, ...]) -> Operand:
        if isinstance(x, Number):
            return x
        if isinstance(x, _Truth):
            x = self._assign(x.shape, self._number(x, x.shape))
        if function in (np.reshape, np.broadcast_to):
            arguments = [shape]
        view = x.through(function, *arguments)
        if view is not None:
            return view
        copy = self._assign(x.shape, self._load(x, x.shape)).through(function, *arguments)
        assert copy is not None
        return copy

    def _elementwise(self, function: Any, operands: Sequence[Operand], shape: tuple[int, ...]) -> Operand:
        truth = getattr(function, "__name__", "") in TRUTHS
        load = self._load if truth else self._number

        def value(at: tuple[int, ...]) -> Expression:
            return _operation(function, [load(o, at) for o in operands])

        if truth:
            return _Truth(shape, value)
        return self._assign(shape, value(shape))

    def _matmul(self, a: Operand, b: Operand, shape: tuple[int, ...]) -> Operand:
        assert isinstance(a, _View) or isinstance(b, _View)
        if _is_unit(a) and isinstance(b, _View) and len(b.shape) == 2:
            return b
        *batch, p, r = shape
        q = a.shape[-1] if isinstance(a, _View) else b.shape[-2]  # type: ignore[union-attr]
        left, right = ((*batch, p, q), (*batch, q, r))
        if isinstance(a, _View):
            a = _View(a.buffer, a.base, np.broadcast_to(a.stand_in, left)[..., :, None, :])
        if isinstance(b, _View):
            b = _View(b.buffer, b.base, np.swapaxes(np.broadcast_to(b.stand_in, right), -1, -2)[..., None, :, :])
        return self._contracted(a, b, (*batch, p, r), q)

    def _vecdot(self, a: Operand, b: Operand, shape: tuple[int, ...]) -> Operand:
        depth = max(o.shape[-1] for o in (a, b) if isinstance(o, _View))
        return self._contracted(a, b, shape, depth)

    def _contracted(self, a: Operand, b: Operand, shape: tuple[int, ...], depth: int) -> Operand:
        full = (*shape, depth)
        value = _operation(np.multiply, [self._load(a, full), self._load(b, full)])
        return self._reduced(value, "sum", shape, depth)

    def _reduced(self, value: Expression, reduction: str, shape: tuple[int, ...], depth: int) -> Operand:
        if depth == 1:
            return self._assign(shape, _without_last(value))
        return self._assign(shape, value, reduction, depth)

    def _along(self, a: Any, axis: int, shape: tuple[int, ...], reduction: str) -> Operand:
        x = self.operand(a)
        assert isinstance(x, _View)
        last = _View(x.buffer, x.base, np.moveaxis(x.stand_in, axis, -1))
        inner, depth = last.shape[:-1], last.shape[-1]
        result = self._reduced(self._load(last, last.shape), reduction, inner, depth)
        return result.through(np.reshape, shape) or result  # type: ignore[union-attr]

    def _sum(self, x: Any, axis: int, keepdims: bool, *, shape: tuple[int, ...]) -> Operand:
        del keepdims
        return self._along(x, axis, shape, "sum")

    def _max(self, x: Any, axis: int, keepdims: bool, *, shape: tuple[int, ...]) -> Operand:
        del keepdims
        return self._along(x, axis, shape, "max")

    def _taken(self, a: Any, indices: np.ndarray, axis: int, *, shape: tuple[int, ...]) -> Operand:
        x = self.operand(a)
        if not isinstance(x, _View):
            return x
        regular = _progression(np.asarray(indices))
        if regular is not None:
            start, step = regular
            key = (slice(None),) * axis + (slice(start, None, step),)
            view = x.through(lambda s: s[key])
            assert view is not None
            count = len(indices)
            cut = view.through(lambda s: s[(slice(None),) * axis + (slice(0, count),)])
            assert cut is not None
            return cut
        result = self._assign(shape, Load(self._gathered(x, np.asarray(indices), axis)))
        self._sources[result.buffer] = x, np.take(_places(x), indices, axis).ravel()
        return result

    def _gathered(self, x: _View, indices: np.ndarray, axis: int) -> Access:
        """Return the access that takes the place along one axis from a table."""
        access, count = x.access(), indices.ndim
        before, after = access.strides[:axis], access.strides[axis + 1 :]
        table = _whole(self.table(indices.astype(np.int64)), indices.shape).access()
        of_table = (*(0,) * axis, *table.strides, *(0,) * len(after))
        strides = (*before, *(0,) * count, *after)
        return Access(access.buffer, access.offset, strides, Access(table.buffer, 0, of_table), access.strides[axis])

    def _concatenated(self, axis: int, *parts: Any, shape: tuple[int, ...]) -> Operand:
        target, at, start = self._new(shape), axis % len(shape), 0
        for part in parts:
            count = (part.shape if isinstance(part, Traced) else np.shape(part))[at]
            key = (slice(None),) * at + (slice(start, start + count),)
            cut = target.through(lambda s, key=key: s[key])
            assert cut is not None
            self._put(cut, self._load(self.operand(part), cut.shape))
            start += count
        return target

    def _either(self, condition: Any, yes: Any, no: Any, *, shape: tuple[int, ...]) -> Operand:
        chosen = self._load(self.operand(condition), shape)
        values = [self._number(self.operand(a), shape) for a in (yes, no)]
        if isinstance(chosen, Number):
            return self._assign(shape, values[0] if chosen.value else values[1])
        return self._assign(shape, Call("select", (chosen, *values)))

    def _filled(self, value: Any, *, shape: tuple[int, ...]) -> Operand:
        del shape
        return Number(float(value))

    def _converted(self, x: Any, *, shape: tuple[int, ...]) -> Operand:
        del shape
        return self.operand(x)


def _operation(function: Any, values: list[Expression]) -> Expression:
    """Return an operation on expressions, the simplest that is exact."""
    name = function if isinstance(function, Primitive) else function.__name__
    if name == "multiply":
        for one, other in (values, values[::-1]):
            if one == Number(1.0):
                return other
            if one == Number(-1.0):
                return Call("negative", (other,))
    if name == "power" and values[1] == Number(2.0):
        return Call("multiply", (values[0], values[0]))
    if name in ("bitwise_and", "bitwise_or"):
        for one, other in (values, values[::-1]):
            if isinstance(one, Number):
                return one if bool(one.value) == (name == "bitwise_or") else other
    if name == "maximum" and not isinstance(values[1], Number):
        name = "largest"  # of two that may be no number, and not of one and a constant
    if name in ("true_divide", "divide"):
        name = "divide"
    return Call(name, tuple(values))


def _places(view: _View) -> np.ndarray:
    """Return the place in its buffer of each entry of a view."""
    access = view.access()
    indices = np.indices(view.shape, sparse=True)
    start = np.full(view.shape, access.offset)
    return sum((stride * i for stride, i in zip(access.strides, indices, strict=True)), start=start)


def _without_last(value: Expression) -> Expression:
    """Return an expression in which the last index is 0."""
    if isinstance(value, Load):
        return Load(value.access.kept(list(range(len(value.access.strides) - 1))))
    if isinstance(value, Call):
        return Call(value.function, tuple(map(_without_last, value.arguments)))
    return value


def _is_unit(a: Operand) -> bool:
    if not isinstance(a, _View):
        return False
    values = a.buffer.values
    if values is None or a.buffer.role != "table" or len(a.shape) != 2 or a.shape[0] != a.shape[1]:
        return False
    return bool(np.array_equal(values.reshape(a.shape), np.eye(a.shape[0])))


def _progression(indices: np.ndarray) -> tuple[int, int] | None:
    """Return start and step of indices that are an arithmetic progression; None if they are none."""
    if indices.ndim != 1:
        return None
    steps = np.diff(indices)
    if not len(steps):
        return int(indices[0]), 1
    return (int(indices[0]), int(steps[0])) if steps[0] and (steps == steps[0]).all() else None


def _needed(recording: Recording) -> Iterator[Step]:
    """Yield the steps that the results depend on."""
    wanted = {r.place for r in recording.results if isinstance(r, Traced)}
    kept = []
    for step in reversed(recording.tape.steps):
        if step.result in wanted:
            kept.append(step)
            wanted.update(a.place for a in step.arguments if isinstance(a, Traced))
    return reversed(kept)


def lowered(
    recording: Recording,
    inputs: Sequence[Buffer],
    weights: dict[int, Buffer],
    table: Callable[[np.ndarray], Buffer],
    outputs: Sequence[tuple[Buffer, np.ndarray | None]],
) -> list[Loop]:
    """Return the loops of a recording.

    Parameters
    ----------
    recording : Recording
        Steps on arrays, and results.
    inputs : sequence of Buffer
        The arguments.
    weights : dict of int to Buffer
        The weights, by the identity of their arrays.
    table : callable
        ndarray -> Buffer for constants that are no weights.
    outputs : sequence of (Buffer, ndarray or None)
        Where the results go, and which of their entries, flat: None is all.

    Returns
    -------
    list of Loop
        One assignment each, no index of a single value left out yet.
    """
    lowering = _Lowering(recording, inputs, weights, table)
    for result, (buffer, entries) in zip(recording.results, outputs, strict=True):
        operand = lowering.operand(result)
        shape = tuple(result.shape if isinstance(result, Traced) else np.shape(result))
        lowering.written(operand, shape, entries, buffer)
    return _renamed(lowering.loops, lowering.names, [b.name for b in (*inputs, *weights.values())])


def _renamed(loops: Sequence[Loop], names: dict[Buffer, str], others: Sequence[str]) -> list[Loop]:
    """Return loops whose local arrays have names that tell what they hold, and that no others have."""
    taken = Counter(others)
    new: dict[Buffer, Buffer] = {}
    for buffer, name in names.items():
        taken[name] += 1
        new[buffer] = replace(buffer, name=name if taken[name] == 1 else f"{name}_{taken[name]}")
    return [changed(loop, lambda a: replace(a, buffer=new.get(a.buffer, a.buffer))) for loop in loops]
