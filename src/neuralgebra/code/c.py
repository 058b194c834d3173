"""C99: one file, nothing allocated, nothing needed but the mathematical library."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from neuralgebra.code.blocks import Blocked
from neuralgebra.code.language import Helper
from neuralgebra.code.program import Function
from neuralgebra.code.selftest import Check
from neuralgebra.code.statements import Buffer

__all__ = ["C"]

_ONE = ("exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "erf", "erfc")
_ARC = {
    "arctan": "atan",
    "arcsin": "asin",
    "arccos": "acos",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}


class C(Blocked):
    """The table of C."""

    key = "c"
    title = "C99"
    suffix = ".c"
    comment = "/* {} */"
    loop = ("for (int {i} = 0; {i} < {n}; {i}++) {{", "}")
    value = "const {type} {name} = {value};"
    variable = "{type} {name} = {value};"
    array = "{type} {name}[{size}];"
    assign = "{target} = {value};"
    update = "{target} += {value};"
    functions: ClassVar = {
        **{name: f"{name}({{0}})" for name in _ONE},
        **{name: f"{host}({{0}})" for name, host in _ARC.items()},
        "absolute": "fabs({0})",
        "hypot": "hypot({0}, {1})",
        "copysign": "copysign({0}, {1})",
        "power": "pow({0}, {1})",
        "maximum": "({0} > {1} ? {0} : {1})",
        "minimum": "({0} < {1} ? {0} : {1})",
        "select": "({0} ? {1} : {2})",
        "isinf": "isinf({0})",
        "isnan": "isnan({0})",
        "bitwise_or": "({0} || {1})",
        "bitwise_and": "({0} && {1})",
        "logical_not": "(!({0}))",
    }

    def head(self) -> list[str]:
        """Return the lines before everything."""
        first, *others = self.preface()
        lines = [f"/* {first}", *(f" * {line}".rstrip() for line in others), " */", "#include <math.h>"]
        return [*lines, "", *(f"{self.signature(f)};" for f in self.program.functions), *self._declared_check()]

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
        return f"void {self.function(function)}({', '.join([*given, *taken])})"

    def write_function(self, function: Function) -> list[str]:
        """Return the definition of a function."""
        arrays = [self.array.format(type=self.type, name=self.buffer(b), size=b.size) for b in function.locals]
        return [
            f"{self.signature(function)} {{",
            *(f"{self.indent}(void){self.buffer(b)};" for b in function.unused),
            *(self.indent + line for line in arrays),
            *self.body(function.loops),
            "}",
        ]

    def write_check(self, checks: Sequence[Check]) -> list[str]:
        """Return the function that runs the self-test and counts the entries that are not within their bounds."""
        lines = [
            "/* Returns how many results of the self-test are further off than rounding can explain: 0. */",
            f"int {self.name}_check(void) {{",
            "    int wrong = 0;",
        ]
        for check in checks:
            outputs = [f"{self.type} {self.buffer(b)}[{b.size}];" for b in check.function.outputs]
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
