"""A program run on any kind of number: what is emitted, without a language and without rounding.

On balls it tells the formula from its rounding: the balls of the program and those of the network must overlap.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.code.program import Function, Program
from neuralgebra.code.record import Primitive
from neuralgebra.code.statements import Access, Assignment, Buffer, Call, Expression, Load, Number, Scalar

__all__ = ["interpreted"]

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
}
_NAMES = {
    "absolute": "abs",
    "arctan": "atan",
    "arcsin": "asin",
    "arccos": "acos",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}
# condition(a, b) as "first > second": which argument is first, and whether yes and no change places.
_ORDER = {"greater": (0, False), "less": (1, False), "greater_equal": (1, True), "less_equal": (0, True)}


def interpreted(program: Program, function: Function, k: Any, given: Sequence[Value]) -> list[Value]:
    """Return the results of a function of a program on one kind of number.

    Parameters
    ----------
    program : Program
        The program.
    function : Function
        One of its functions.
    k : Kind
        The kind of number.
    given : sequence of array
        The arguments, flat, of that kind.

    Returns
    -------
    list of array
        The results, flat.
    """
    memory: dict[Buffer, Any] = dict(zip(function.inputs, given, strict=True))
    for buffer in (*function.outputs, *function.locals):
        memory[buffer] = np.full(buffer.size, None, dtype=object)
    for buffer in program.constants:
        assert buffer.values is not None
        memory[buffer] = buffer.values if buffer.values.dtype.kind == "i" else k.weight(buffer.values)
    for loop in function.loops:
        turn = _Turn(k, memory)
        for a in loop.body:
            turn.assign(a, loop.extents)
    return [memory[buffer] for buffer in function.outputs]


class _Turn:
    """All turns of one loop at once: scalars are arrays over its box.

    Parameters
    ----------
    k : Kind
        The kind of number.
    memory : dict of Buffer to array
        All arrays.
    """

    def __init__(self, k: Any, memory: dict[Buffer, Any]) -> None:
        self.k, self.memory, self.scalars = k, memory, dict[str, Value]()

    def assign(self, a: Assignment, extents: tuple[int, ...]) -> None:
        """Compute an assignment at all points of the box."""
        box = (*extents, a.depth) if a.reduction else extents
        value = np.broadcast_to(np.asarray(self.value(a.value, box), dtype=object), box)
        if a.reduction == "sum":
            value = np.sum(value, axis=-1)
            value = value if a.start is None else value + self.value(a.start, extents)
        elif a.reduction == "max":
            value = _reduce(self.k.maximum, value)
        if isinstance(a.target, Scalar):
            self.scalars[a.target.name] = np.asarray(value, dtype=object)
        else:
            self.memory[a.target.buffer][self.places(a.target, extents)] = np.asarray(value, dtype=object)[()]

    def places(self, access: Access, box: tuple[int, ...]) -> np.ndarray:
        """Return the places of an access at all points of a box."""
        grid = np.indices(box, sparse=True)
        places = np.full(box, access.offset)
        for stride, index in zip(access.strides, grid, strict=False):
            places = places + stride * index
        if access.table is not None:
            places = places + access.step * self.memory[access.table.buffer][self.places(access.table, box)]
        return places

    def value(self, e: Expression, box: tuple[int, ...]) -> Any:
        """Return an expression at all points of a box."""
        if isinstance(e, Load):
            return self.memory[e.access.buffer][self.places(e.access, box)]
        if isinstance(e, Scalar):
            known = self.scalars[e.name]
            return known if known.ndim == len(box) else known[..., None]
        if isinstance(e, Number):
            return self.k.number(e.value if e.exact is None else Fraction(e.exact))
        return self.call(e, box)

    def call(self, e: Call, box: tuple[int, ...]) -> Any:
        """Return a function of expressions."""
        if e.function == "select":
            condition, yes, no = e.arguments
            return self.select(condition, yes, no, box)
        arguments = [self.value(a, box) for a in e.arguments]
        if isinstance(e.function, Primitive):
            return e.function.definition(self.k, *arguments)
        if e.function in _ARITHMETIC:
            return _ARITHMETIC[e.function](*arguments)
        return getattr(self.k, _NAMES.get(e.function, e.function))(*arguments)

    def select(self, condition: Expression, yes: Expression, no: Expression, box: tuple[int, ...]) -> Any:
        """Return one of two expressions, or on balls the hull of both where the condition is not decided."""
        assert isinstance(condition, Call)
        name, parts = condition.function, condition.arguments
        if name == "bitwise_or":
            return self.select(parts[0], yes, Call("select", (parts[1], yes, no)), box)
        if name == "bitwise_and":
            return self.select(parts[0], Call("select", (parts[1], yes, no)), no, box)
        if name == "logical_not":
            return self.select(parts[0], no, yes, box)
        first, swapped = _ORDER[name]
        a, b = (self.value(p, box) for p in (parts[first], parts[1 - first]))
        cases = [self.value(c, box) for c in ((no, yes) if swapped else (yes, no))]
        return self.k.where_greater(a, b, *cases)


def _reduce(function: Callable[[Value, Value], Value], value: np.ndarray) -> Value:
    result = value[..., 0]
    for i in range(1, value.shape[-1]):
        result = function(result, value[..., i])
    return result
