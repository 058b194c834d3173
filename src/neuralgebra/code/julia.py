"""Julia: functions on vectors, without packages."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from neuralgebra.code.returning import Returning
from neuralgebra.code.statements import Buffer

__all__ = ["Julia"]

_ONE = ("exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "hypot", "copysign")
_ARC = {
    "arctan": "atan",
    "arcsin": "asin",
    "arccos": "acos",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}


class Julia(Returning):
    """The table of Julia."""

    key = "julia"
    title = "Julia"
    suffix = ".jl"
    comment = "# {}"
    first = 1
    types: ClassVar = {"float64": "Float64", "float32": "Float32"}
    loop = ("for {i} in 0:{last}", "end")
    value = variable = "{name} = {value}"
    array = "{name} = zeros({type}, {size})"
    assign = "{target} = {value}"
    update = "{target} += {value}"
    reserved = frozenset("end begin function module using export struct mutable const zeros abs pi im".split())  # noqa: SIM905
    functions: ClassVar = {
        **{name: f"{name}({{0}}, {{1}})" if name in ("hypot", "copysign") else f"{name}({{0}})" for name in _ONE},
        **{name: f"{host}({{0}})" for name, host in _ARC.items()},
        "absolute": "abs({0})",
        "sign": "sign({0})",
        "power": "({0})^({1})",
        "maximum": "({0} > {1} ? {0} : {1})",
        "minimum": "({0} < {1} ? {0} : {1})",
        "select": "({0} ? {1} : {2})",
        "isinf": "isinf({0})",
        "isnan": "isnan({0})",
        "bitwise_or": "({0} || {1})",
        "bitwise_and": "({0} && {1})",
        "logical_not": "(!({0}))",
    }
    function_head = "function {name}({given})"
    function_tail = "end"
    result = "return ({taken},)"
    helper_head = "function {name}({arguments})"
    helper_result = "return {value}"
    check_head = "function {name}()\n    wrong = 0"
    check_points = ("    for point in 0:{last}", "    end")
    check_call = "        ({taken},) = {name}({given})"
    check_entries = (
        "        for i in 0:{last}\n"
        "            wrong += !(abs({got}[{step}*i + 1] - {wanted}[{count}*point + i + 1]) <= {bound}[point + 1])\n"
        "        end"
    )
    check_tail = "    return wrong\nend"

    def number(self, value: float) -> str:
        """Return a literal of the type."""
        text = super().number(value)
        return text if self.dtype == np.float64 else text.replace("e", "f") if "e" in text else f"{text}f0"

    def part(self, array: str, size: int) -> str:
        """Return the argument of one point among those of all."""
        return f"{array}[{size}*point + 1:{size}*(point + 1)]"

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        said = f'println("{self.name}: ", {self.name}_check(), " of the results are wrong")'
        return ["if abspath(PROGRAM_FILE) == @__FILE__", f"    {said}", "end"] if self.program.checks else []

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array."""
        kind = "Int" if buffer.values is not None and buffer.values.dtype.kind == "i" else self.type
        return [f"const {self.buffer(buffer)} = {kind}[", *self.rows(buffer), "]"]
