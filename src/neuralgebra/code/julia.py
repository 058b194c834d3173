"""Julia: a module of functions on vectors, without packages."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from neuralgebra.code.returning import Returning
from neuralgebra.code.templates import TERNARY, applied, words

__all__ = ["Julia"]


class Julia(Returning):
    """The table of Julia."""

    key = "julia"
    title = "Julia"
    suffix = ".jl"
    comment = "# {}"
    first = 1
    types: ClassVar = {"float64": "Float64", "float32": "Float32"}
    whole = "Int"
    loop = ("for {i} in 0:{last}", "end")
    value = variable = "{name} = {value}"
    array = "{name} = zeros({type}, {size})"
    assign = "{target} = {value}"
    update = "{target} += {value}"
    reserved = words("zeros length throw println im int")
    functions: ClassVar = {
        **applied("{name}({{0}})", "exp log log1p expm1 sqrt sin cos tan tanh sinh cosh sign isinf isnan"),
        **applied("{name}({{0}})", "arctan arcsin arccos arcsinh arccosh arctanh"),
        "absolute": "abs({0})",
        "hypot": "hypot({0}, {1})",
        "copysign": "copysign({0}, {1})",
        "power": "({0})^({1})",
        **TERNARY,
    }
    constants = ("const {name} = {type}[", "]")
    function_head = "function {name}({given})"
    function_tail = "end"
    expected = 'length({name}) == {size} || throw(DimensionMismatch("{size} numbers expected in {name}"))'
    result = "return ({taken},)"
    helper_head = "function {name}({arguments})"
    helper_result = "return {value}"
    check_head = "function {name}()\n    wrong = 0"
    check_points = ("    for point in 0:{last}", "    end")
    check_call = "        ({taken},) = {name}({given})"
    check_entries = (
        "        for i in 0:{last}\n"
        "            wrong += !(abs({got}[{at} + 1] - {wanted}[{count}*point + i + 1]) <= {bound}[point + 1])\n"
        "        end"
    )
    check_tail = "    return wrong\nend"
    part = "{array}[{size}*point + 1:{size}*point + {size}]"
    main = (
        "if abspath(PROGRAM_FILE) == @__FILE__\n"
        '    println("{name}: ", {name}_check(), " of the results are wrong")\nend'
    )

    def number(self, value: float) -> str:
        """Return a literal of the type."""
        text = super().number(value)
        return text if self.dtype == np.float64 else text.replace("e", "f") if "e" in text else f"{text}f0"

    # Two files in one session would overwrite each other's constants if they were not in modules.

    def head(self) -> list[str]:
        """Return the lines before everything."""
        names = [self.function(f) for f in self.program.functions]
        names += [f"{self.name}_check"] if self.program.checks else []
        module = f"{self.name.capitalize()}Network"
        usage = self.remarks(["", f'include("{self.name}.jl"); using .{module}'])
        return [*super().head(), *usage, f"module {module}", f"export {', '.join(names)}"]

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        return [*super().tail(), "end"]
