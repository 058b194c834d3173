"""What all languages share: loops, assignments and expressions as text. A language is a table on top of this."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from neuralgebra.code.fallbacks import FALLBACKS
from neuralgebra.code.fuse import fused, operations
from neuralgebra.code.lower import lowered
from neuralgebra.code.program import Function, Program
from neuralgebra.code.record import Primitive, recorded
from neuralgebra.code.selftest import Check
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
    walk,
)
from neuralgebra.code.templates import KEYWORDS
from neuralgebra.errors import UnsupportedError
from neuralgebra.network import names as naming

__all__ = ["Helper", "Language"]

INFIX = {
    "add": ("+", 3),
    "subtract": ("-", 3),
    "multiply": ("*", 4),
    "divide": ("/", 4),
    "greater": (">", 2),
    "greater_equal": (">=", 2),
    "less": ("<", 2),
    "less_equal": ("<=", 2),
    "equal": ("==", 2),
    "not_equal": ("!=", 2),
}
_UNARY, _ATOM = 5, 6
_WIDTH = 116


class Helper:
    """A function of numbers that the functions of a program call.

    Parameters
    ----------
    name : str
        Its name in the language.
    primitive : Primitive
        What it computes.
    arguments : tuple of str
        Names of its arguments.
    body : tuple of Assignment
        Scalars, one after another.
    value : Expression
        What it returns.
    """

    def __init__(
        self,
        name: str,
        primitive: Primitive,
        arguments: tuple[str, ...],
        body: tuple[Assignment, ...],
        value: Expression,
    ) -> None:
        self.name, self.primitive, self.arguments, self.body, self.value = name, primitive, arguments, body, value

    def applied(self, arguments: Sequence[Expression]) -> Expression | None:
        """Return its value at arguments, if it is but another name for one function."""
        if self.body or operations(self.value) > 1:
            return None
        given = dict(zip(self.arguments, arguments, strict=True))
        return replaced(self.value, lambda e: given[e.name] if isinstance(e, Scalar) else None)


class Language:
    """A language, with templates as attributes; an object of it writes one program.

    Parameters
    ----------
    program : Program
        What is written.
    name : str
        Name of the functions.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str]
    comment: ClassVar[str] = "// {}"
    types: ClassVar[Mapping[str, str]] = {"float64": "double", "float32": "float"}
    apart: ClassVar[bool] = False
    first: ClassVar[int] = 0
    indent: ClassVar[str] = "    "
    loop: ClassVar[tuple[str, str]]
    value: ClassVar[str]
    variable: ClassVar[str]
    array: ClassVar[str]
    assign: ClassVar[str]
    update: ClassVar[str]
    entry: ClassVar[str] = "{array}[{place}]"
    call: ClassVar[str] = "{name}({arguments})"
    infix: ClassVar[Mapping[str, str]] = MappingProxyType({})
    negation: ClassVar[str] = "-"
    checking: ClassVar[str] = ""
    functions: ClassVar[Mapping[str, str]]
    reserved: ClassVar[Collection[str]] = frozenset()

    def __init__(self, program: Program, name: str) -> None:
        own = {b.name for f in program.functions for b in (*f.inputs, *f.outputs)}
        called = {word.lower() for text in self.functions.values() for word in re.findall(r"[A-Za-z]\w*", text)}
        unfit = {"point", "wrong", *KEYWORDS, *own, *called, *self.reserved}
        self.program, self.name = program, f"{name}_" if name.lower() in unfit else name
        self.dtype = program.dtype
        self.type = self.types[self.dtype.name]
        self.templates: Mapping[str, str] = self.functions
        self.avoided: Collection[str] = self.reserved
        self._names: dict[Any, str] = {}
        self._count_of_sums, self._sums_share_a_block = itertools.count(1), False
        self._taken = {w.lower() for w in self.reserved} | called | {name.lower()}

    # Names --------------------------------------------------------------------------------------------------------

    def named(self, thing: Any, wish: str) -> str:
        """Return the name of something, close to a wish: no reserved word, and different from all others."""
        if thing not in self._names:
            word = naming.safe([wish])[0]
            for number in itertools.count(2):
                if word.lower() not in self._taken:
                    break
                word = f"{naming.safe([wish])[0]}_{number}"
            self._taken.add(word.lower())
            self._names[thing] = word
        return self._names[thing]

    def buffer(self, buffer: Buffer) -> str:
        """Return the name of an array; those of functions may be called alike."""
        if buffer.role in ("weight", "table"):
            return self.named(buffer, buffer.name)
        return f"{buffer.name}_" if buffer.name in self.avoided else buffer.name

    def function(self, function: Function) -> str:
        """Return the name of a function."""
        return f"{self.name}_{function.suffix}" if function.suffix else self.name

    # Numbers and places -------------------------------------------------------------------------------------------

    def number(self, value: float) -> str:
        """Return a number that reads back to the same bits."""
        text = repr(float(value)) if self.dtype == np.float64 else str(np.float32(value))
        return text if any(c in text for c in ".en") else f"{text}.0"

    def integer(self, value: int) -> str:
        """Return an entry of a table of places."""
        return str(value)

    def place(self, access: Access, indices: Sequence[str]) -> str:
        """Return the place of an access as an expression in the indices, never negative on the way: additions first."""
        terms = [_term(s, i) for s, i in zip(access.strides, indices, strict=False) if s]
        if access.table is not None:
            inner = self.read(access.table, indices)
            terms.append(inner if access.step == 1 else f"{access.step}*{inner}")
        offset = access.offset + self.first
        if offset or not terms:
            terms.append(str(offset))
        terms.sort(key=lambda term: term.startswith("-"))
        return " + ".join(terms).replace("+ -", "- ")

    def read(self, access: Access, indices: Sequence[str]) -> str:
        """Return an entry of an array."""
        return self.entry.format(array=self.buffer(access.buffer), place=self.place(access, indices))

    # Expressions --------------------------------------------------------------------------------------------------

    def express(self, e: Expression, indices: Sequence[str] = (), level: int = 0) -> str:
        """Return an expression as text, in parentheses where what is around it binds closer."""
        if isinstance(e, Load):
            return self.read(e.access, indices)
        if isinstance(e, Scalar):
            return self.scalar(e.name)
        if isinstance(e, Number):
            text = self.number(e.value)
            return f"({text})" if text.startswith("-") and level else text
        return self._call(e, indices, level)

    def scalar(self, name: str) -> str:
        """Return the name of a scalar."""
        return f"{name}_" if name in self.avoided else name

    def _call(self, e: Call, indices: Sequence[str], level: int) -> str:
        name = e.function
        opposite = _opposite(e.arguments[1]) if name == "add" else None
        if opposite is not None:  # a + b·(-2) is a - b·2, a + (-b) is a - b
            return self._call(Call("subtract", (e.arguments[0], opposite)), indices, level)
        if name in INFIX and name not in self.templates:
            sign, own = INFIX[name]
            left, right = (self.express(a, indices, own + i) for i, a in enumerate(e.arguments))
            sign = self.infix.get(name, sign)
            tight = own == 4 and level >= 3
            text = f"{left}{sign}{right}" if tight or own == 4 else f"{left} {sign} {right}"
            return f"({text})" if own < level else text
        if name == "negative":
            text = self.negation + self.express(e.arguments[0], indices, _UNARY)
            return f"({text})" if level > 2 else text
        if isinstance(name, Primitive) or name not in self.templates:
            short = self.helper(name).applied(e.arguments)
            if short is not None:
                return self.express(short, indices, level)
        arguments = [self.express(a, indices) for a in e.arguments]
        if isinstance(name, Primitive) or name not in self.templates:
            return self.call.format(name=self.helper(name).name, arguments=", ".join(arguments))
        return self.templates[name].format(*arguments)

    # Helpers ------------------------------------------------------------------------------------------------------

    @cached_property
    def _helpers(self) -> dict[Any, Helper]:
        return {}

    def helper(self, function: Any) -> Helper:
        """Return the helper for a chain function, or for a function that the language does not have."""
        if function not in self._helpers:
            if not isinstance(function, Primitive) and function not in FALLBACKS:
                raise UnsupportedError(f"the function {function} received; {self.title} has no such function.")
            self._helpers[function] = self._made(function)
        return self._helpers[function]

    def helpers(self) -> list[Helper]:
        """Return all helpers that the program needs, those that others call first."""
        order: dict[Any, Helper] = {}

        def visit(function: Any) -> None:
            if function in order or not (isinstance(function, Primitive) or function not in self.known):
                return
            helper = self.helper(function)
            for value in (*(a.value for a in helper.body), helper.value):
                for part in walk(value):
                    if isinstance(part, Call):
                        visit(part.function)
            if helper.body or operations(helper.value) > 1:
                order[function] = helper

        for function in sorted(self.program.called, key=str):
            visit(function)
        return list(order.values())

    @property
    def known(self) -> Collection[str]:
        """Operations and functions that need no helper."""
        return {*INFIX, "negative", *self.templates}

    def _made(self, function: Any) -> Helper:
        primitive = function if isinstance(function, Primitive) else FALLBACKS[function]
        count = primitive.arguments
        names = ("z", "p", "q", "r")[:count]
        inputs = [Buffer(n, 1, "input") for n in names]
        out = Buffer("result", 1, "output")
        natives = {n for n in self.templates if n != function}
        recording = recorded(lambda k, *a: [primitive.stable(k, *a)], (), [1] * count, self.dtype, natives)
        loops = fused(lowered(recording, inputs, {}, _no_table, [(out, None)]), apart=False)
        (loop,) = loops
        *body, last = (_scalars(a) for a in loop.body)
        return Helper(self.named(function, primitive.name), primitive, names, tuple(body), last.value)

    # Text ---------------------------------------------------------------------------------------------------------

    def content(self) -> str | bytes:
        """Return what stands in the file: a text, or the bytes of one that is none."""
        return self.text()

    def text(self) -> str:
        """Return the whole program."""
        helpers = [self.write_helper(helper) for helper in self.helpers()]
        functions = [self.write_function(function) for function in self.program.functions]
        constants = [self.constant(buffer) for buffer in self.program.constants]
        return self.assembled(constants, helpers, functions)

    def assembled(self, constants: list[list[str]], helpers: list[list[str]], functions: list[list[str]]) -> str:
        """Return the parts of the program in order."""
        parts = [self.head(), [line for c in constants for line in c], *helpers, *functions, self.checks(), self.tail()]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def head(self) -> list[str]:
        """Return the lines before everything."""
        return self.remarks(self.preface())

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        return []

    def checks(self) -> list[str]:
        """Return the self-test, if there is one."""
        if not self.program.checks:
            return []
        lines = [line for buffer in self.check_constants() for line in self.constant(buffer)]
        return [*lines, "", *self.write_check(self.program.checks)]

    def check_constants(self) -> list[Buffer]:
        """Return the arrays of the self-test, each once."""
        return list({b: None for check in self.program.checks for b in check.constants})

    def write_check(self, checks: Sequence[Check]) -> list[str]:
        """Return the function that runs the self-test and counts the entries that are not within their bounds."""
        raise NotImplementedError

    def remarks(self, lines: Sequence[str]) -> list[str]:
        """Return lines as comments."""
        return [self.comment.format(line).rstrip() for line in lines]

    def preface(self) -> list[str]:
        """Return what stands at the top of every file."""
        network = self.program.network
        m, n = network.shape
        lines = [f"{self.name}: R^{n} -> R^{m}, written by neuralgebra.", ""]
        for function in self.program.functions:
            given, taken = ([self.buffer(b) for b in part] for part in (function.inputs, function.outputs))
            lines.append(self.usage(function, ", ".join(given), ", ".join(taken)))
        if self.program.checks and self.checking:
            lines.append(f"{self.checking.format(name=self.name)} -> how many results of the self-test are wrong: 0")
        lines += ["", "arrays are flat, row by row:"]
        lines += [f"  {text}" for text in self._shapes()]
        lines.append("")
        for what, names in (("inputs ", network.input_names), ("outputs", network.output_names)):
            safe = naming.safe(names)
            shown = [s if s == o else f"{s} ({_ascii(o)})" for s, o in zip(safe, names, strict=True)]
            lines += _filled(f"{what}: ", shown)
        return lines

    def usage(self, function: Function, given: str, taken: str) -> str:
        """Return how a function is called, in one line for a person."""
        return f"{self.function(function)}({given}) -> {taken}"

    def _shapes(self) -> list[str]:
        """Return what the arguments hold, each once."""
        network, found = self.program.network, dict[str, str]()
        words = {"x": f"{network.input_size} inputs", "v": "a direction of inputs", "w": "weights of the outputs"}
        for function in self.program.functions:
            found |= {b.name: words[b.name] for b in function.inputs}
            for buffer, result in zip(function.outputs, function.results, strict=True):
                size = " x ".join(map(str, result.shape))
                packed = f", entries i <= j only: {result.size}" if result.entries is not None else ""
                found[self.buffer(buffer)] = f"{result.what}, {size}{packed}"
        return [f"{name}: {what}" for name, what in found.items()]

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array."""
        raise NotImplementedError

    def write_helper(self, helper: Helper) -> list[str]:
        """Return the definition of a helper."""
        raise NotImplementedError

    def write_function(self, function: Function) -> list[str]:
        """Return the definition of a function."""
        raise NotImplementedError

    def items(self, buffer: Buffer) -> list[str]:
        """Return the entries of a constant array as text."""
        values = buffer.values
        assert values is not None
        convert: Callable[[Any], str] = self.integer if values.dtype.kind == "i" else self.number
        return [convert(v) for v in values.tolist()]

    def rows(self, buffer: Buffer, indent: str | None = None) -> list[str]:
        """Return the entries of a constant array in rows."""
        return _filled("", self.items(buffer), self.indent if indent is None else indent)

    # Statements ---------------------------------------------------------------------------------------------------

    def body(self, loops: Sequence[Loop], depth: int = 1) -> list[str]:
        """Return loops as lines."""
        return [line for loop in loops for line in self.looped(loop, depth)]

    def looped(self, loop: Loop, depth: int) -> list[str]:
        """Return one loop as lines."""
        self._sums_share_a_block = not loop.extents or sum(bool(a.reduction) for a in loop.body) > 1
        indices = [self.index(i) for i in range(len(loop.extents))]
        inner = [line for a in loop.body for line in self.assignment(a, indices, depth + len(indices))]
        return self.nest(list(zip(indices, loop.extents, strict=True)), inner, depth)

    def nest(self, axes: Sequence[tuple[str, int]], inner: list[str], depth: int) -> list[str]:
        """Return lines inside loops over some indices."""
        opening = [
            self.indent * (depth + i) + self.loop[0].format(i=index, n=n, last=n - 1)
            for i, (index, n) in enumerate(axes)
        ]
        closing = [self.indent * (depth + i) + self.loop[1] for i in reversed(range(len(axes)))]
        return [*opening, *inner, *(line for line in closing if line.strip())]

    def index(self, number: int) -> str:
        """Return the name of an index."""
        return "ijklmn"[number] if number < 6 else f"i{number}"

    def assignment(self, a: Assignment, indices: Sequence[str], depth: int) -> list[str]:
        """Return an assignment as lines."""
        space = self.indent * depth
        if a.reduction:
            return self.accumulated(a, indices, depth)
        value = self.express(a.value, indices)
        if isinstance(a.target, Scalar):
            return [space + self.value.format(type=self.type, name=self.scalar(a.target.name), value=value)]
        return [space + self.assign.format(target=self.read(a.target, indices), value=value)]

    def accumulated(self, a: Assignment, indices: Sequence[str], depth: int) -> list[str]:
        """Return a sum or a maximum as lines."""
        space, index = self.indent * depth, self.index(len(indices))
        within = [*indices, index]
        name = self.scalar(a.target.name) if isinstance(a.target, Scalar) else self._accumulator()
        if a.reduction == "sum":
            start = self.number(0.0) if a.start is None else self.express(a.start, indices)
            step = self.update.format(target=name, value=self.express(a.value, within))
        else:
            start = self.express(_at_zero(a.value, len(indices)), indices)
            larger = Call("largest", (Scalar(name), a.value))
            step = self.assign.format(target=name, value=self.express(larger, within))
        lines = [space + self.variable.format(type=self.type, name=name, value=start)]
        lines += self.nest([(index, a.depth)], [self.indent * (depth + 1) + step], depth)
        if isinstance(a.target, Scalar):
            return lines
        return [*lines, space + self.assign.format(target=self.read(a.target, indices), value=name)]

    def _accumulator(self) -> str:
        """Return the name of a sum, one of its own where several stand in one block."""
        return f"sum{next(self._count_of_sums)}" if self._sums_share_a_block else "s"


def _term(stride: int, index: str) -> str:
    text = f"({index})" if " " in index and stride != 1 else index
    return text if stride == 1 else f"-{text}" if stride == -1 else f"{stride}*{text}"


def _opposite(e: Expression) -> Expression | None:
    """Return the opposite of a negative number, of a product with one, or of an opposite; None for anything else."""
    if isinstance(e, Number) and e.value < 0:
        return Number(-e.value, None if e.exact is None else -e.exact)
    if isinstance(e, Call) and e.function == "negative":
        return e.arguments[0]
    if isinstance(e, Call) and e.function == "multiply":
        last = _opposite(e.arguments[1])
        if isinstance(e.arguments[1], Number) and last is not None:
            return Call("multiply", (e.arguments[0], last))
    return None


def _at_zero(e: Expression, axis: int) -> Expression:
    """Return an expression with the index of a sum at 0."""
    if isinstance(e, Load):
        return Load(e.access.kept(list(range(axis))))
    if isinstance(e, Call):
        return Call(e.function, tuple(_at_zero(a, axis) for a in e.arguments))
    return e


def _scalars(a: Assignment) -> Assignment:
    """Return an assignment of a helper, whose arguments are numbers."""

    def change(e: Expression) -> Expression:
        if isinstance(e, Load):
            return Scalar(e.access.buffer.name)
        if isinstance(e, Call):
            return Call(e.function, tuple(map(change, e.arguments)))
        return e

    return Assignment(a.target, change(a.value))


def _no_table(array: np.ndarray) -> Buffer:
    raise UnsupportedError(f"a table of shape {array.shape} received in a function of one number.")


def _ascii(text: str) -> str:
    """Return a name from outside as letters that no comment of any language ends with."""
    return "".join(c if c.isascii() and (c.isalnum() or c in " _.-") else "?" for c in text[:60])


def _filled(start: str, items: Sequence[str], indent: str = "") -> list[str]:
    """Return items, with commas between them, in lines of limited width."""
    lines, line = list[str](), indent + start
    for number, item in enumerate(items):
        text = item + ("," if number + 1 < len(items) else "")
        if len(line) + len(text) + 1 > _WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent + " " * len(start)
        line += text + " "
    return [*lines, line.rstrip()]
