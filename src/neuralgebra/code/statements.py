"""What is emitted: loops over arrays, in which numbers are assigned; no language yet.

A program is a list of *loops*, each over a box of integers (its extents), with assignments inside. An assignment
computes an expression at each point of the box, or the sum or the maximum of one over a further index, and puts it into
an array, or into a scalar that lives as long as one turn of the loop. Where an array is read or written is an affine
function of the indices, or one with a table of integers in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = [
    "Access",
    "Assignment",
    "Buffer",
    "Call",
    "Expression",
    "Load",
    "Loop",
    "Number",
    "Scalar",
    "changed",
    "replaced",
    "walk",
]


@dataclass(frozen=True, eq=False)
class Buffer:
    """A flat array of a program; compared by identity.

    Parameters
    ----------
    name : str
        What it is called; a language may have to rename it.
    size : int
        How many numbers it holds.
    role : {"input", "output", "weight", "table", "local"}
        Where they come from; the values of a weight or a table are known.
    values : ndarray, optional
        Those values, flat; integers are positions.
    """

    name: str
    size: int
    role: str
    values: np.ndarray | None = None


@dataclass(frozen=True)
class Access:
    """A place in an array: offset + Σ strides·indices + step·table[…].

    Parameters
    ----------
    buffer : Buffer
        The array.
    offset : int
        Its place where all indices are 0.
    strides : tuple of int
        One for each index of the loop, then one for the index of a sum.
    table : Access, optional
        A place in a table of integers.
    step : int
        What the integer is multiplied by.
    """

    buffer: Buffer
    offset: int
    strides: tuple[int, ...]
    table: Access | None = None
    step: int = 0

    def kept(self, axes: list[int]) -> Access:
        """Return the access with some of the indices, the others being 0."""
        table = None if self.table is None else self.table.kept(axes)
        return replace(self, strides=tuple(self.strides[a] for a in axes), table=table)


@dataclass(frozen=True)
class Load:
    """The number at a place of an array."""

    access: Access


@dataclass(frozen=True)
class Scalar:
    """A number that lives as long as one turn of a loop."""

    name: str


@dataclass(frozen=True)
class Number:
    """A constant.

    Parameters
    ----------
    value : float
        As a floating-point number.
    exact : Fraction, optional
        What it stands for, where that is another number.
    """

    value: float
    exact: Fraction | None = None


@dataclass(frozen=True)
class Call:
    """A function of expressions: an operation such as "add", or an elementary or chain function.

    Parameters
    ----------
    function : str or object
        Name of an operation, or a `Primitive`.
    arguments : tuple of Expression
        What it is applied to.
    """

    function: Any
    arguments: tuple[Expression, ...]


Expression = Load | Scalar | Number | Call


@dataclass(frozen=True)
class Assignment:
    """target = value, or start + the sum, or the maximum, of values over a further index from 0 to depth - 1.

    Parameters
    ----------
    target : Access or Scalar
        Where the result goes.
    value : Expression
        What is computed.
    reduction : {"", "sum", "max"}
        Whether it is one value, a sum or a maximum.
    depth : int
        How many values.
    start : Expression, optional
        What a sum is added to; the further index does not occur in it.
    kept : bool
        Whether a scalar stays one, even if it is used once.
    """

    target: Access | Scalar
    value: Expression
    reduction: str = ""
    depth: int = 0
    start: Expression | None = None
    kept: bool = False

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What is computed: the value, and the start of a sum if there is one."""
        return (self.value,) if self.start is None else (self.value, self.start)

    def rewritten(self, change: Callable[[Expression], Expression]) -> Assignment:
        """Return the assignment with its expressions changed."""
        return replace(self, value=change(self.value), start=None if self.start is None else change(self.start))


@dataclass(frozen=True)
class Loop:
    """Assignments at each point of a box of integers.

    Parameters
    ----------
    extents : tuple of int
        Its sizes; () is a single point.
    body : tuple of Assignment
        What is assigned, in order.
    """

    extents: tuple[int, ...]
    body: tuple[Assignment, ...]


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all its parts."""
    yield expression
    if isinstance(expression, Call):
        for argument in expression.arguments:
            yield from walk(argument)


def replaced(expression: Expression, change: Callable[[Expression], Expression | None]) -> Expression:
    """Return an expression with those parts changed for which `change` gives another; others are searched."""
    new = change(expression)
    if new is not None:
        return new
    if isinstance(expression, Call):
        return Call(expression.function, tuple(replaced(a, change) for a in expression.arguments))
    return expression


def changed(loop: Loop, access: Callable[[Access], Access]) -> Loop:
    """Return a loop in which every access is changed by a function."""

    def load(e: Expression) -> Expression | None:
        return Load(access(e.access)) if isinstance(e, Load) else None

    body = []
    for a in loop.body:
        target = access(a.target) if isinstance(a.target, Access) else a.target
        body.append(replace(a.rewritten(lambda e: replaced(e, load)), target=target))
    return replace(loop, body=tuple(body))
