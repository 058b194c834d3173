"""C99: one file, nothing allocated, nothing needed but the mathematical library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from neuralgebra.code.blocks import Blocked
from neuralgebra.code.language import Helper
from neuralgebra.code.program import Function, Program
from neuralgebra.code.record import Primitive
from neuralgebra.code.selftest import Check
from neuralgebra.code.statements import Buffer, Call, Loop, walk
from neuralgebra.code.templates import ARC, TERNARY, applied

__all__ = ["C"]

STACK = 1 << 18
"""Bytes of arrays that a function has on the stack, at most."""

_ONE = "exp log log1p expm1 sqrt sin cos tan tanh sinh cosh erf erfc"

# exp(x) = 2^k exp(r), x = k ln 2 + r, k the nearest integer, which the addition of 1.5·2^52 leaves in the low bits.
_EXP = r"""
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__) && !defined(__FAST_MATH__) && !defined(NEURALGEBRA_LIBM)
/* exp and tanh in plain arithmetic, for vector instructions; -DNEURALGEBRA_LIBM takes those of the library. */
static inline double exp_(double x) {
    const double c = x < -746.0 ? -746.0 : (x > 710.0 ? 710.0 : x);
    const double shifted = c*1.4426950408889634 + 6755399441055744.0;
    const double k = shifted - 6755399441055744.0;
    const double r = (c - k*0.6931471803691238) - k*1.9082149292705877e-10;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    const int64_t n = (int64_t)(bits << 32) >> 32, half = n >> 1;
    const uint64_t low = (uint64_t)(half + 1023) << 52, high = (uint64_t)(n - half + 1023) << 52;
    double a, b, p = 1.6059043836821613e-10;
    memcpy(&a, &low, sizeof a);
    memcpy(&b, &high, sizeof b);
    p = p*r + 2.08767569878681e-09;
    p = p*r + 2.505210838544172e-08;
    p = p*r + 2.755731922398589e-07;
    p = p*r + 2.7557319223985893e-06;
    p = p*r + 2.48015873015873e-05;
    p = p*r + 0.0001984126984126984;
    p = p*r + 0.001388888888888889;
    p = p*r + 0.008333333333333333;
    p = p*r + 0.041666666666666664;
    p = p*r + 0.16666666666666666;
    p = p*r + 0.5;
    p = 1.0 + (r + r*r*p);
    return x != x ? x : p*a*b;
}
"""


class C(Blocked):
    """The table of C."""

    key = "c"
    title = "C99"
    suffix = ".c"
    comment = "/* {} */"
    reserved = frozenset(
        {
            *("main", "asm", "near", "far", "bool", "complex", "imaginary", *_ONE.split(), *ARC.values()),
            *("cbrt", "exp2", "log2", "hypot", "pow"),
        }
    )
    linkage = ""
    loop = ("for (int {i} = 0; {i} < {n}; {i}++) {{", "}")
    value = "const {type} {name} = {value};"
    variable = "{type} {name} = {value};"
    array = "{type} {name}[{size}];"
    assign = "{target} = {value};"
    update = "{target} += {value};"
    functions: ClassVar = {
        **applied("{name}({{0}})", f"{_ONE} isinf isnan"),
        **applied("{name}({{0}})", " ".join(ARC)),
        "absolute": "fabs({0})",
        "hypot": "hypot({0}, {1})",
        "copysign": "copysign({0}, {1})",
        "power": "pow({0}, {1})",
        **TERNARY,
    }

    def __init__(self, program: Program, name: str) -> None:
        super().__init__(program, name)
        extents = [loop.extents for f in program.functions for loop in f.loops if _has_functions(loop)]
        self.vector = self.dtype == np.float64 and any(e and e[-1] >= self.lanes for e in extents)
        if self.dtype == np.float32:
            self.templates = {name: _single(text) for name, text in self.templates.items()}
        if self.vector:
            self.templates = {**self.templates, "exp": "exp_({0})", "tanh": "tanh_({0})"}
            self._taken |= {"exp_", "tanh_"}

    def head(self) -> list[str]:
        """Return the lines before everything."""
        first, *others = self.preface()
        lines = [f"/* {first}", *(f" * {line}".rstrip() for line in others), " */", "#include <math.h>"]
        lines += [
            f"/* {self.function(f)} keeps its arrays in static memory: one call at a time. */" for f in self._large()
        ]
        lines += self._vector_functions() if self.vector else []
        return [*lines, "", *(f"{self.signature(f)};" for f in self.program.functions), *self._declared_check()]

    def _vector_functions(self) -> list[str]:
        """Return exp and tanh in plain arithmetic, where vector instructions are there to be used."""
        function = Plain(self.program, self.name).helper("tanh")
        body = [line for a in function.body for line in self.assignment(a, (), 1)]
        tanh = ["static inline double tanh_(double z) {", *body, f"    return {self.express(function.value)};", "}"]
        return [*_EXP.splitlines(), *tanh, "#else", "#define exp_ exp", "#define tanh_ tanh", "#endif"]

    def _declared_check(self) -> list[str]:
        return [f"int {self.name}_check(void);"] if self.program.checks else []

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array."""
        assert buffer.values is not None
        kind = "int" if buffer.values.dtype.kind == "i" else self.type
        return [f"static const {kind} {self.buffer(buffer)}[{buffer.size}] = {{", *self.rows(buffer), "};"]

    def write_helper(self, helper: Helper) -> list[str]:
        """Return the definition of a helper."""
        arguments = ", ".join(f"{self.type} {name}" for name in helper.arguments)
        return [
            f"static {self.type} {helper.name}({arguments}) {{",
            *(line for a in helper.body for line in self.assignment(a, (), 1)),
            f"{self.indent}return {self.express(helper.value)};",
            "}",
        ]

    def signature(self, function: Function) -> str:
        """Return how a function is called."""
        given = [f"const {self.type} {self.buffer(b)}[restrict {b.size}]" for b in function.inputs]
        taken = [f"{self.type} {self.buffer(b)}[restrict {b.size}]" for b in function.outputs]
        return f"{self.linkage}void {self.function(function)}({', '.join([*given, *taken])})"

    def write_function(self, function: Function) -> list[str]:
        """Return the definition of a function."""
        storage = self._storage(function.locals)
        arrays = [
            storage + self.array.format(type=self.type, name=self.buffer(b), size=b.size) for b in function.locals
        ]
        return [
            f"{self.signature(function)} {{",
            *(f"{self.indent}(void){self.buffer(b)};" for b in function.unused),
            *(self.indent + line for line in arrays),
            *self.body(function.loops),
            "}",
        ]

    def _large(self) -> list[Function]:
        return [f for f in self.program.functions if self._storage(f.locals)]

    def _storage(self, buffers: Sequence[Buffer]) -> str:
        """Return where arrays live: on the stack, unless they would fill that of a thread."""
        return "static " if sum(b.size for b in buffers) * self.dtype.itemsize > STACK else ""

    def write_check(self, checks: Sequence[Check]) -> list[str]:
        """Return the function that runs the self-test and counts the entries that are not within their bounds."""
        lines = [
            "/* Returns how many results of the self-test are further off than rounding can explain: 0. */",
            f"int {self.name}_check(void) {{",
            "    int wrong = 0;",
        ]
        for check in checks:
            storage = self._storage(check.function.outputs)
            outputs = [f"{storage}{self.type} {self.buffer(b)}[{b.size}];" for b in check.function.outputs]
            given = [
                f"&{self.buffer(g)}[{b.size}*point]" for g, b in zip(check.given, check.function.inputs, strict=True)
            ]
            call = ", ".join([*given, *(self.buffer(b) for b in check.function.outputs)])
            lines += [
                f"    for (int point = 0; point < {check.points}; point++) {{",
                f"        {' '.join(outputs)}",
                f"        {self.function(check.function)}({call});",
            ]
            for r in check.results:
                got = f"{self.buffer(r.result)}[{_scaled(r.step, 'i')}]"
                wanted = f"{self.buffer(r.wanted)}[{r.count}*point + i]"
                lines += [
                    f"        for (int i = 0; i < {r.count}; i++) {{",
                    f"            if (!(fabs({got} - {wanted}) <= {self.buffer(r.bounds)}[point])) wrong++;",
                    "        }",
                ]
            lines.append("    }")
        return [*lines, "    return wrong;", "}"]

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        if not self.program.checks:
            return []
        return [
            "#ifdef NEURALGEBRA_MAIN",
            "#include <stdio.h>",
            "int main(void) {",
            f"    const int wrong = {self.name}_check();",
            f'    printf("{self.name}: %d of the results are wrong\\n", wrong);',
            "    return wrong != 0;",
            "}",
            "#endif",
        ]

    def strided(self, index: str, n: int, step: int, inner: list[str], depth: int) -> list[str]:
        """Return lines inside a loop that goes by more than one."""
        space = self.indent * depth
        return [f"{space}for (int {index} = 0; {index} < {n}; {index} += {step}) {{", *inner, space + "}"]

    def braced(self, inner: list[str], depth: int) -> list[str]:
        """Return lines as a block with variables of its own."""
        return [self.indent * depth + "{", *inner, self.indent * depth + "}"]

    def number(self, value: float) -> str:
        """Return a literal of the type."""
        return super().number(value) + ("f" if self.dtype == np.float32 else "")


def _scaled(step: int, index: str) -> str:
    return index if step == 1 else f"{step}*{index}"


def _single(text: str) -> str:
    """Return the template of a function for float."""
    return re.sub(r"^([a-z][a-z0-9]*)\(", lambda m: m[0] if m[1] in ("isinf", "isnan") else f"{m[1]}f(", text)


def _has_functions(loop: Loop) -> bool:
    """Return whether chain functions are evaluated in a loop."""
    parts = (p for a in loop.body for e in a.expressions for p in walk(e))
    return any(isinstance(p, Call) and isinstance(p.function, Primitive) for p in parts)


class Plain(C):
    """C without functions of its library that are written out here."""

    functions: ClassVar = {name: text for name, text in C.functions.items() if name != "tanh"}
