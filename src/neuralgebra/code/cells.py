"""A function of a program for hosts without functions: every number has a place of its own, helpers are written out."""

from __future__ import annotations

import itertools
import math
from collections.abc import MutableMapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.code.fuse import inlined
from neuralgebra.code.language import Helper, Language
from neuralgebra.code.program import Function
from neuralgebra.code.record import Primitive
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

__all__ = ["evaluated", "places", "separated"]

Memory = MutableMapping[Buffer, np.ndarray]


def separated(function: Function, language: Language) -> list[Loop]:
    """Return the loops of a function with one assignment each, to an array; helpers of a language are written out.

    Parameters
    ----------
    function : Function
        A function of a program.
    language : Language
        Says which functions need helpers.

    Returns
    -------
    list of Loop
        Loops without scalars; the name of an array that was one says which helper it comes from.
    """
    found = []
    for loop in function.loops:
        expander = _Expander(language)
        body = tuple(a for old in loop.body for a in expander.assignments(old))
        found += _with_arrays(inlined(replace(loop, body=body)))
    return found


class _Expander:
    """Writes out the helpers that one loop calls.

    Parameters
    ----------
    language : Language
        Says which functions need helpers.
    """

    def __init__(self, language: Language) -> None:
        self.language, self.before, self._count = language, list[Assignment](), itertools.count(1)

    def assignments(self, a: Assignment) -> list[Assignment]:
        """Return an assignment after those of the helpers that it calls."""
        self.before = []
        new = a.rewritten(self.value)
        assert not (self.before and a.reduction)
        return [*self.before, new]

    def value(self, e: Expression) -> Expression:
        """Return an expression without helpers."""
        if not isinstance(e, Call):
            return e
        arguments = tuple(map(self.value, e.arguments))
        if not isinstance(e.function, Primitive) and e.function in self.language.known:
            return Call(e.function, arguments)
        helper = self.language.helper(e.function)
        short = helper.applied(arguments)
        return self.called(helper, arguments) if short is None else self.value(short)

    def called(self, helper: Helper, arguments: Sequence[Expression]) -> Expression:
        """Return the value of a helper, after its own numbers."""
        label, known = f"{helper.name}{next(self._count)}", dict[str, Expression]()
        limited = _overflows_on_the_way(helper.primitive)

        def put(e: Expression) -> Expression | None:
            if isinstance(e, Call) and e.function == "exp" and limited:
                return Call("limited_exp", tuple(replaced(a, put) for a in e.arguments))
            return known[e.name] if isinstance(e, Scalar) else None

        for name, argument in zip(helper.arguments, arguments, strict=True):
            known[name] = self.kept(f"{label} {name}", argument) if isinstance(argument, Call) else argument
        for a in helper.body:
            assert isinstance(a.target, Scalar)
            known[a.target.name] = self.kept(f"{label} {a.target.name}", self.value(replaced(a.value, put)))
        return self.value(replaced(helper.value, put))

    def kept(self, name: str, value: Expression) -> Scalar:
        """Return a new scalar that holds a value."""
        self.before.append(Assignment(Scalar(name), value))
        return Scalar(name)


def _overflows_on_the_way(primitive: Primitive) -> bool:
    """Return whether a function has finite values far out, on the way to which something overflows or is 1/0."""
    z = np.array([-800.0, 800.0])
    others = [np.ones(2)] * (primitive.arguments - 1)
    with np.errstate(all="ignore"):
        finite = bool(np.isfinite(primitive.stable(Arrays(z), z, *others)).all())
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise", under="ignore"):
            primitive.stable(Arrays(z), z, *others)
    except FloatingPointError:
        return finite
    return False


def _with_arrays(loop: Loop) -> list[Loop]:
    """Return a loop as loops of one assignment each, in which scalars are arrays over the box."""
    size = math.prod(loop.extents)
    strides = tuple(math.prod(loop.extents[i + 1 :]) for i in range(len(loop.extents)))
    known: dict[str, Access] = {}

    def load(e: Expression) -> Expression | None:
        return Load(known[e.name]) if isinstance(e, Scalar) else None

    found = []
    for a in loop.body:
        new = a.rewritten(lambda e: replaced(e, load))
        if isinstance(a.target, Scalar):
            known[a.target.name] = Access(Buffer(a.target.name, size, "local"), 0, strides)
            new = replace(new, target=known[a.target.name])
        found.append(Loop(loop.extents, (new,)))
    return found


# Numbers ------------------------------------------------------------------------------------------------------------


def places(access: Access, box: Sequence[int]) -> np.ndarray:
    """Return the place of an access at each point of a box.

    Parameters
    ----------
    access : Access
        A place in an array.
    box : sequence of int
        The extents of a loop, and of a sum in it.

    Returns
    -------
    ndarray
        Integers, of the shape of the box.
    """
    found = np.full(tuple(box), access.offset)
    for stride, index in zip(access.strides, np.indices(tuple(box), sparse=True), strict=False):
        found = found + stride * index
    if access.table is not None:
        values = access.table.buffer.values
        assert values is not None
        found = found + access.step * values[places(access.table, box)]
    return found


def evaluated(loops: Sequence[Loop], memory: Memory) -> None:
    """Run loops of one assignment each on arrays of NumPy.

    Parameters
    ----------
    loops : sequence of Loop
        What is computed.
    memory : mapping of Buffer to ndarray
        The arguments; all other arrays are added.
    """
    for loop in loops:
        (a,) = loop.body
        assert isinstance(a.target, Access)
        box = (*loop.extents, a.depth) if a.reduction else loop.extents
        with np.errstate(all="ignore"):
            value = np.broadcast_to(_value(a.value, box, memory), box)
            if a.reduction:
                value = np.sum(value, axis=-1) if a.reduction == "sum" else np.max(value, axis=-1)
            if a.start is not None:
                value = value + _value(a.start, loop.extents, memory)
        buffer = a.target.buffer
        memory.setdefault(buffer, np.full(buffer.size, np.nan))[places(a.target, loop.extents)] = value


_NAMES = {"select": "where", "largest": "maximum"}  # what NumPy calls them


def _value(e: Expression, box: Sequence[int], memory: Memory) -> Any:
    if isinstance(e, Load):
        buffer = e.access.buffer
        array = memory[buffer] if buffer.values is None else buffer.values
        return array[places(e.access, box)]
    if isinstance(e, Number):
        return e.value
    assert isinstance(e, Call)
    arguments = [_value(a, box, memory) for a in e.arguments]
    if e.function == "limited_exp":
        return np.exp(np.clip(arguments[0], -708, 709))
    return getattr(np, _NAMES.get(e.function, e.function))(*arguments)
