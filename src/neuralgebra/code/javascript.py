"""JavaScript: one script for browsers and for node, without dependencies."""

from __future__ import annotations

from typing import ClassVar

from neuralgebra.code.returning import Returning
from neuralgebra.code.statements import Buffer

__all__ = ["JavaScript"]

_ONE = ("exp", "log", "log1p", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "sign")
_ARC = {"arctan": "atan", "arcsin": "asin", "arccos": "acos", "arcsinh": "asinh", "arccosh": "acosh"}


class JavaScript(Returning):
    """The table of JavaScript."""

    key = "javascript"
    title = "JavaScript"
    suffix = ".js"
    types: ClassVar = {"float64": "number"}
    loop = ("for (let {i} = 0; {i} < {n}; {i}++) {{", "}")
    value = "const {name} = {value};"
    variable = "let {name} = {value};"
    array = "const {name} = new Float64Array({size});"
    assign = "{target} = {value};"
    update = "{target} += {value};"
    reserved = frozenset("arguments require module exports math console window number".split())  # noqa: SIM905
    functions: ClassVar = {
        **{name: f"Math.{name}({{0}})" for name in _ONE},
        **{name: f"Math.{host}({{0}})" for name, host in _ARC.items()},
        "absolute": "Math.abs({0})",
        "hypot": "Math.hypot({0}, {1})",
        "power": "Math.pow({0}, {1})",
        "maximum": "({0} > {1} ? {0} : {1})",
        "minimum": "({0} < {1} ? {0} : {1})",
        "select": "({0} ? {1} : {2})",
        "isinf": "(Math.abs({0}) === Infinity)",
        "isnan": "Number.isNaN({0})",
        "bitwise_or": "({0} || {1})",
        "bitwise_and": "({0} && {1})",
        "logical_not": "(!({0}))",
    }
    function_head = "function {name}({given}) {{"
    function_tail = "}"
    result = "return {{ {taken} }};"
    helper_head = "function {name}({arguments}) {{"
    helper_result = "return {value};"
    check_head = "function {name}() {{\n    let wrong = 0;"
    check_points = ("    for (let point = 0; point < {count}; point++) {{", "    }")
    check_call = "        const {{ {taken} }} = {name}({given});"
    check_entries = (
        "        for (let i = 0; i < {count}; i++) {{\n"
        "            wrong += !(Math.abs({got}[{step}*i] - {wanted}[{count}*point + i]) <= {bound}[point]);\n"
        "        }}"
    )
    check_tail = "    return wrong;\n}"

    def part(self, array: str, size: int) -> str:
        """Return the argument of one point among those of all."""
        return f"{array}.slice({size}*point, {size}*(point + 1))"

    def head(self) -> list[str]:
        """Return the lines before everything."""
        return [*super().head(), '"use strict";']

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        names = [self.function(f) for f in self.program.functions]
        check = f"{self.name}_check"
        names += [check] if self.program.checks else []
        lines = ['if (typeof module !== "undefined") {', f"    module.exports = {{ {', '.join(names)} }};"]
        if self.program.checks:
            said = f"console.log(`{self.name}: ${{{check}()}} of the results are wrong`)"
            lines.append(f"    if (require.main === module) {said};")
        return [*lines, "}"]

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array."""
        kind = "Int32Array" if buffer.values is not None and buffer.values.dtype.kind == "i" else "Float64Array"
        return [f"const {self.buffer(buffer)} = new {kind}([", *self.rows(buffer), "]);"]
