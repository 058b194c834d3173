"""JavaScript: one script for browsers and for node, without dependencies."""

from __future__ import annotations

from typing import ClassVar

from neuralgebra.code.returning import Returning
from neuralgebra.code.templates import TERNARY, applied, words

__all__ = ["JavaScript"]


class JavaScript(Returning):
    """The table of JavaScript."""

    key = "javascript"
    title = "JavaScript"
    suffix = ".js"
    types: ClassVar = {"float64": "Float64Array"}
    whole = "Int32Array"
    loop = ("for (let {i} = 0; {i} < {n}; {i}++) {{", "}")
    value = "const {name} = {value};"
    variable = "let {name} = {value};"
    array = "const {name} = new {type}({size});"
    assign = "{target} = {value};"
    update = "{target} += {value};"
    reserved = words("exports require console")
    functions: ClassVar = {
        **applied("Math.{name}({{0}})", "exp log log1p sqrt sin cos tan tanh sinh cosh sign"),
        **applied("Math.{name}({{0}})", "arctan arcsin arccos arcsinh arccosh"),
        "absolute": "Math.abs({0})",
        "hypot": "Math.hypot({0}, {1})",
        "power": "Math.pow({0}, {1})",
        "isinf": "(Math.abs({0}) === Infinity)",
        "isnan": "Number.isNaN({0})",
        **TERNARY,
    }
    constants = ("const {name} = new {type}([", "]);")
    function_head = "function {name}({given}) {{"
    function_tail = "}"
    expected = 'if ({name}.length !== {size}) throw new RangeError("{size} numbers expected in {name}");'
    result = "return {{ {taken} }};"
    helper_head = "function {name}({arguments}) {{"
    helper_result = "return {value};"
    check_head = "function {name}() {{\n    let wrong = 0;"
    check_points = ("    for (let point = 0; point < {count}; point++) {{", "    }}")
    check_call = "        const {{ {taken} }} = {name}({given});"
    check_entries = (
        "        for (let i = 0; i < {count}; i++) {{\n"
        "            wrong += !(Math.abs({got}[{at}] - {wanted}[{count}*point + i]) <= {bound}[point]);\n"
        "        }}"
    )
    check_tail = "    return wrong;\n}"
    part = "{array}.slice({size}*point, {size}*point + {size})"
    main = "if (typeof require === 'function' && require.main === module) {{\n\
    console.log(`{name}: ${{{name}_check()}} of the results are wrong`);\n}}"

    # Names at the top of a script belong to all scripts of a page; those inside of a function do not.

    def head(self) -> list[str]:
        """Return the lines before everything."""
        return [*super().head(), "(function () {", '"use strict";']

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        names = [self.function(f) for f in self.program.functions]
        names += [f"{self.name}_check"] if self.program.checks else []
        given = ["if (typeof module === 'object') module.exports = All;", "else Object.assign(globalThis, All);"]
        return [f"const All = {{ {', '.join(names)} }};", *given, *super().tail(), "})();"]
