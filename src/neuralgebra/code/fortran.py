"""Fortran 2008: a module in free form, or subroutines in fixed form that may be pasted into any file.

Lines are written without limit first; each form then breaks them where its columns end.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

import numpy as np

from neuralgebra.code.blocks import Blocked
from neuralgebra.code.language import Helper
from neuralgebra.code.program import Function, Program
from neuralgebra.code.selftest import Check
from neuralgebra.code.statements import Buffer, Call, Number

__all__ = ["Fixed", "Fortran", "Free"]

_SAME = ("exp", "log", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "erf", "erfc")
_ARC = {f"arc{name}": f"a{name}" for name in ("tan", "sin", "cos", "sinh", "cosh", "tanh")}
_EQUAL = {"equal": "({0} <= {1} .and. {0} >= {1})", "not_equal": "(.not. ({0} <= {1} .and. {0} >= {1}))"}
_INTRINSIC = "abs aimag all any bessel_j0 cmplx conjg count dble dim dot_product epsilon gamma huge hypot index int \
kind len log10 log_gamma logical matmul max maxval merge min minval mod mvbits nint not null pack product radix range \
real scale scan selected_real_kind shape sign size spacing sum tiny transfer transpose trim ubound unpack verify wp"


class Fortran(Blocked):
    """What both forms share."""

    comment = "! {}"
    indent = "  "
    loop = ("do {i} = 0, {last}", "end do")
    value = variable = "{name} = {value}"
    assign = "{target} = {value}"
    update = "{target} = {target} + {value}"
    zeros = "{name} = 0"
    partial = "parts"
    entry = "{array}({place})"
    functions: ClassVar = {
        **{name: f"{name}({{0}})" for name in _SAME},
        **{name: f"{host}({{0}})" for name, host in _ARC.items()},
        **_EQUAL,
        "absolute": "abs({0})",
        "hypot": "hypot({0}, {1})",
        "copysign": "sign({0}, {1})",
        "power": "({0})**({1})",
        "maximum": "merge({1}, {0}, {0} < {1})",
        "minimum": "merge({1}, {0}, {0} > {1})",
        "select": "merge({1}, {2}, {0})",
        "isinf": "(abs({0}) > huge({0}))",
        "isnan": "(.not. ({0} <= {0}))",
        "bitwise_or": "({0} .or. {1})",
        "bitwise_and": "({0} .and. {1})",
        "logical_not": "(.not. ({0}))",
    }
    reserved: ClassVar[Collection[str]] = frozenset(
        [*_INTRINSIC.split(), *_SAME, *_ARC.values(), *"ijklmn", "parts", "point", "wrong"]
    )
    purity: ClassVar[str] = ""
    entries: ClassVar[int]
    continuations: ClassVar[int]

    def __init__(self, program: Program, name: str) -> None:
        super().__init__(program, name)
        own = {self.name, f"{self.name}_check", *(self.function(f) for f in program.functions)}
        self.avoided = {*self.reserved, *own}
        self._taken |= own

    # Expressions --------------------------------------------------------------------------------------------------

    def _call(self, e: Call, indices: Sequence[str], level: int) -> str:
        if e.function in _EQUAL:  # compilers warn of real numbers that are compared with ==
            return _EQUAL[e.function].format(*(self.express(a, indices, 3) for a in e.arguments))
        if e.function == "power" and isinstance(e.arguments[1], Number) and e.arguments[1].value.is_integer():
            return f"({self.express(e.arguments[0], indices)})**({int(e.arguments[1].value)})"
        return super()._call(e, indices, level)

    def strided(self, index: str, n: int, step: int, inner: list[str], depth: int) -> list[str]:
        """Return lines inside a loop that goes by more than one."""
        space = self.indent * depth
        return [f"{space}do {index} = 0, {n - 1}, {step}", *inner, f"{space}end do"]

    def braced(self, inner: list[str], depth: int) -> list[str]:
        """Return lines as they are: all variables are declared at the top."""
        return inner

    # Procedures ---------------------------------------------------------------------------------------------------

    def procedure(self, head: str, given: list[str], declared: list[str], body: list[str]) -> list[str]:
        """Return a procedure: its first line, what is declared for arguments, for arrays, and what it does."""
        kind = "function" if " function " in f" {head}" else "subroutine"
        name = head.split("(")[0].split()[-1]
        inside = [*self.before(body), *given, *self.variables(body), *declared, *body]
        return [head, *(self.indent + line for line in inside), f"end {kind} {name}"]

    def before(self, body: list[str]) -> list[str]:
        """Return what a procedure declares before its arguments."""
        del body
        return []

    def variables(self, body: list[str]) -> list[str]:
        """Return the declarations of the scalars that lines assign, and of the indices of their loops."""
        numbers = dict.fromkeys(m[1] for line in body if (m := re.match(r"\s*(\w+) = ", line)))
        whole = dict.fromkeys(m[1] for line in body if (m := re.match(r"\s*do (\w+) = ", line)))
        names = [f"{n}(0:{self.lanes - 1})" if n == self.partial else n for n in numbers if n not in ("wrong", "value")]
        return [*self.declared("integer", list(whole)), *self.declared(self.type, names)]

    def declared(self, kind: str, names: Sequence[str]) -> list[str]:
        """Return declarations, some names at a time."""
        return [f"{kind} :: {', '.join(names[i : i + 8])}" for i in range(0, len(names), 8)]

    def arrays(self, buffers: Sequence[Buffer]) -> list[str]:
        """Return names of arrays with their bounds."""
        return [f"{self.buffer(b)}(0:{b.size - 1})" for b in buffers]

    def write_helper(self, helper: Helper) -> list[str]:
        """Return the definition of a helper."""
        body = [line for a in helper.body for line in self.assignment(a, (), 0)]
        body.append(f"value = {self.express(helper.value)}")
        names = [self.scalar(n) for n in helper.arguments]
        unused = [n for n in names if not re.search(rf"\b{n}\b", "\n".join(body))]
        given = [f"{self.type}, intent(in) :: {', '.join(names)}", f"{self.type} :: value"]
        head = f"{self.purity}function {helper.name}({', '.join(names)}) result(value)"
        return self.procedure(head, given, [], [*(f"if (kind({n}) < 0) return" for n in unused), *body])

    def write_function(self, function: Function) -> list[str]:
        """Return the definition of a function."""
        names = ", ".join(self.buffer(b) for b in (*function.inputs, *function.outputs))
        given = [f"{self.type}, intent(in) :: {', '.join(self.arrays(function.inputs))}"]
        given += [f"{self.type}, intent(out) :: {', '.join(self.arrays(function.outputs))}"]
        unused = [f"if (size({self.buffer(b)}) < 0) return" for b in function.unused]
        locals_ = self.declared(self.type, self.arrays(function.locals))
        # Without "recursive" compilers may keep large arrays between calls, which threads would share.
        head = f"{self.purity}recursive subroutine {self.function(function)}({names})"
        return self.procedure(head, given, locals_, [*unused, *self.body(function.loops, 0)])

    def write_check(self, checks: Sequence[Check]) -> list[str]:
        """Return the function that runs the self-test and counts the entries that are not within their bounds."""
        outputs = {self.buffer(b): b for check in checks for b in check.function.outputs}
        body = ["wrong = 0", *(line for check in checks for line in self._checked(check))]
        arrays = self.declared(self.type, self.arrays(list(outputs.values())))
        lines = self.procedure(f"recursive function {self.name}_check() result(wrong)", self.of_check(), arrays, body)
        return ["! How many results of the self-test are further off than rounding can explain: 0.", *lines]

    def of_check(self) -> list[str]:
        """Return what the self-test declares."""
        return ["integer :: wrong"]

    def _checked(self, check: Check) -> Iterator[str]:
        """Yield the lines that call one function at all points and compare."""
        inputs = zip(check.given, check.function.inputs, strict=True)
        given = [f"{self.buffer(g)}({b.size}*point:{b.size}*point + {b.size - 1})" for g, b in inputs]
        names = ", ".join([*given, *(self.buffer(b) for b in check.function.outputs)])
        yield f"do point = 0, {check.points - 1}"
        yield f"  call {self.function(check.function)}({names})"
        for r in check.results:
            got, wanted = f"{self.buffer(r.result)}({r.step}*i)", f"{self.buffer(r.wanted)}({r.count}*point + i)"
            yield f"  do i = 0, {r.count - 1}"
            yield f"    if (.not. abs({got} - {wanted}) <= {self.buffer(r.bounds)}(point)) wrong = wrong + 1"
            yield "  end do"
        yield "end do"

    # Lines --------------------------------------------------------------------------------------------------------

    def preface(self) -> list[str]:
        """Return what stands at the top of every file."""
        return [*super().preface(), "", "An array of shape a x b x c may be declared (c, b, a) where it is passed."]

    def finished(self, lines: Sequence[str]) -> str:
        """Return lines as the text of a file, each within its columns."""
        return "\n".join(part for line in lines for part in self.statement(line)) + "\n"

    def statement(self, line: str) -> list[str]:
        """Return a line within its columns; a sum with too many continuation lines becomes two statements."""
        parts = self.broken(line) if line and not line.startswith("!") else [line]
        cut = _middle(line) if len(parts) > self.continuations + 1 else 0
        if not cut:
            return parts
        target = line.split(" = ")[0]
        return [*self.statement(line[:cut]), *self.statement(f"{target} = {target.strip()}{line[cut:]}")]

    def broken(self, line: str) -> list[str]:
        """Return a line within its columns."""
        raise NotImplementedError

    def pieces(self, buffer: Buffer) -> Iterator[tuple[int, list[str]]]:
        """Yield the entries of a constant, as many as one statement can hold, with the place of the first."""
        items = self.items(buffer)
        return ((i, items[i : i + self.entries]) for i in range(0, len(items), self.entries))


class Free(Fortran):
    """A module in free form."""

    key = "fortran"
    title = "Fortran 2008"
    suffix = ".f90"
    types: ClassVar = {"float64": "real(wp)", "float32": "real(wp)"}
    purity, entries, continuations = "pure ", 1000, 255

    def number(self, value: float) -> str:
        """Return a literal of the type."""
        return f"{super().number(value)}_wp"

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array; a long one is made of parts."""
        assert buffer.values is not None
        kind, name = "integer" if buffer.values.dtype.kind == "i" else self.type, self.buffer(buffer)
        pieces = list(self.pieces(buffer))
        if len(pieces) == 1:
            return [f"{kind}, parameter :: {name}(0:{buffer.size - 1}) = [{', '.join(pieces[0][1])}]"]
        names = [self.named((buffer, i), f"{name}_{n}") for n, (i, _) in enumerate(pieces, 1)]
        lines = [
            f"{kind}, parameter :: {part}({len(items)}) = [{', '.join(items)}]"
            for part, (_, items) in zip(names, pieces, strict=True)
        ]
        return [*lines, f"{kind}, parameter :: {name}(0:{buffer.size - 1}) = [{', '.join(names)}]"]

    def head(self) -> list[str]:
        """Return the lines before everything."""
        names = [*map(self.function, self.program.functions), *([f"{self.name}_check"] if self.program.checks else [])]
        return [
            *self.remarks(self.preface()),
            f"module {self.name}_module",
            f"  use, intrinsic :: iso_fortran_env, only: wp => real{self.dtype.itemsize * 8}",
            "  implicit none",
            "  private",
            f"  public :: {', '.join(names)}",
        ]

    def assembled(self, constants: list[list[str]], helpers: list[list[str]], functions: list[list[str]]) -> str:
        """Return the parts of the program in order."""
        checks = self.program.checks
        data = [*constants, *map(self.constant, dict.fromkeys(b for check in checks for b in check.constants))]
        procedures = [*helpers, *functions, *([self.write_check(checks)] if checks else [])]
        inside = ["", *(line for lines in data for line in lines), *([""] if data else []), "contains"]
        for lines in procedures:
            inside += ["", *lines]
        indented = [line if line in ("", "contains") else f"  {line}" for line in inside]
        return self.finished([*self.head(), *indented, "", f"end module {self.name}_module"])

    def broken(self, line: str) -> list[str]:
        """Return a line within 132 columns."""
        lines, space = [], " " * (len(line) - len(line.lstrip()) + 4)
        while len(line) > 132:
            cut = line.rfind(" ", len(space), 131)
            lines.append(f"{line[:cut]} &")
            line = space + line[cut + 1 :]
        return [*lines, line]


class Fixed(Fortran):
    """Subroutines in fixed form, with constants in a COMMON block that nothing writes."""

    key = "fortran-fixed"
    title = "Fortran 2008 in fixed form"
    suffix = ".f"
    types: ClassVar = {"float64": "double precision", "float32": "real"}
    entries, continuations = 34, 19

    def named(self, thing: object, wish: str) -> str:
        """Return the name of something; that of a function is known in the whole of a user's program."""
        return super().named(thing, wish if isinstance(thing, Buffer) else f"{self.name}_{wish}")

    def number(self, value: float) -> str:
        """Return a literal of the type."""
        text = super().number(value)
        return text if self.dtype == np.float32 else text.replace("e", "d") if "e" in text else f"{text}d0"

    def before(self, body: list[str]) -> list[str]:
        """Return what a procedure declares before its arguments: functions, and the constants."""
        text = "\n".join(body)
        used = [h.name for h in self._helpers.values() if re.search(rf"\b{h.name}\(", text)]
        return ["implicit none", *self.declared(self.type, used), *self.commons(self.program.constants)]

    def of_check(self) -> list[str]:
        """Return what the self-test declares."""
        return [*super().of_check(), *self.commons(self._of_checks(), "v")]

    def commons(self, buffers: Sequence[Buffer], block: str = "w") -> list[str]:
        """Return the declarations of constants; numbers and places have blocks of their own."""
        lines = []
        for kind, letter in ((self.type, block), ("integer", "t")):
            some = [b for b in buffers if b.values is not None and (b.values.dtype.kind == "i") == (letter == "t")]
            lines += self.declared(kind, self.arrays(some))
            names = [self.buffer(b) for b in some]
            lines += [f"common /{self.name}_{letter}/ {', '.join(names[i : i + 8])}" for i in range(0, len(names), 8)]
        return lines

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the statements that give a constant its values."""
        name = self.buffer(buffer)
        return [f"data ({name}(i), i = {i}, {i + len(p) - 1}) /{', '.join(p)}/" for i, p in self.pieces(buffer)]

    def _of_checks(self) -> list[Buffer]:
        return list(dict.fromkeys(b for check in self.program.checks for b in check.constants))

    def assembled(self, constants: list[list[str]], helpers: list[list[str]], functions: list[list[str]]) -> str:
        """Return the parts of the program in order."""
        checks, tested = self.program.checks, self._of_checks()
        procedures = [*functions, *helpers, *([self.write_check(checks)] if checks else []), *self.frame()]
        data = [*constants, *map(self.constant, tested)]
        if data:
            declared = ["implicit none", "integer :: i", *self.commons(self.program.constants)]
            lines = [*declared, *self.commons(tested, "v"), *(line for part in data for line in part)]
            procedures.append([f"block data {self.name}_data", *(f"  {line}" for line in lines), "end block data"])
        return self.finished([*self.head(), *(line for p in procedures for line in ("", *p))])

    def frame(self) -> list[list[str]]:
        """Return the subroutines that a host calls."""
        return []

    def broken(self, line: str) -> list[str]:
        """Return a line within columns 7 to 72."""
        lines, column = [], "      "
        while len(line) > 66:
            cut = line.rfind(" ", len(line) - len(line.lstrip()) + 1, 67)
            cut = cut if cut > 20 else 66
            lines.append((column + line[:cut]).rstrip())
            column, line = "     &", line[cut:]
        return [*lines, column + line if line else ""]


def _middle(line: str) -> int:
    """Return where a sum that is assigned can be cut into two sums, about in its middle; 0 where it cannot."""
    depth, places = 0, []
    start = line.find(" = ") + 3
    for i in range(start, len(line) - 3) if start > 2 else ():
        depth += (line[i] == "(") - (line[i] == ")")
        if depth == 0 and line[i : i + 3] in (" + ", " - "):
            places.append(i)
    return min(places, key=lambda i: abs(2 * i - len(line)), default=0)
