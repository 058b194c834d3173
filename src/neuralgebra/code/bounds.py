"""How far the results of a program may be from the exact ones: its roundings, counted.

Errors are in units of u·M, u the unit roundoff and M the majorant of a number (see `arithmetic.majorant`). A sum of
operands with s and t units has at most max(s, t) + 1, a product or quotient s + t + 1, a function of a chain max(s, e),
where e is the error of its evaluation; a sum of K terms one unit for each addition, in whatever order. The count is
that of the program that is emitted; terms with u² are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

from neuralgebra.code.program import Function
from neuralgebra.code.statements import Access, Assignment, Call, Expression, Load, Number, Scalar

__all__ = ["EVALUATION", "roundings"]

EVALUATION = 16
"""Condition-scaled ulp that a chain function may be off when a host evaluates it."""

_FREE = frozenset({"negative", "absolute", "select", "maximum", "largest", "minimum", "sign", "copysign"})


def roundings(function: Function) -> list[int]:
    """Return, for each result of a function, how many units of u·M it may be off.

    Parameters
    ----------
    function : Function
        A function of a program.

    Returns
    -------
    list of int
        One count for each of its outputs.
    """
    counts: dict[object, int] = {}
    for loop in function.loops:
        for a in loop.body:
            target = a.target.buffer if isinstance(a.target, Access) else a.target
            counts[target] = max(counts.get(target, 0), _assigned(a, counts))
    return [counts.get(buffer, 0) for buffer in function.outputs]


def _assigned(a: Assignment, counts: Mapping[object, int]) -> int:
    value = max(_count(e, counts) for e in a.expressions)
    return value + a.depth if a.reduction == "sum" else value


def _count(e: Expression, counts: Mapping[object, int]) -> int:
    if isinstance(e, Load):
        return counts.get(e.access.buffer, 0)
    if isinstance(e, Scalar):
        return counts.get(e, 0)
    if isinstance(e, Number):
        return int(e.exact is not None)
    known = [_count(a, counts) for a in e.arguments]
    if e.function in _FREE:
        return max(known)
    if e.function in ("add", "subtract"):
        return max(known) + 1
    if e.function in ("multiply", "divide"):
        return sum(known) + 1
    return max(*known, EVALUATION) if isinstance(e, Call) else 0
