"""MATLAB and Octave: a function file; the number of results that are asked for says the order."""

from __future__ import annotations

from typing import ClassVar

from neuralgebra.code.program import Function
from neuralgebra.code.returning import Returning
from neuralgebra.code.statements import Buffer

__all__ = ["Matlab"]

_ONE = ("exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh", "erf", "erfc", "sign")
_ARC = {
    "arctan": "atan",
    "arcsin": "asin",
    "arccos": "acos",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
}
_PICK = ["function r = pick_(c, a, b)", "    if c", "        r = a;", "    else", "        r = b;", "    end", "end"]


class Matlab(Returning):
    """The table of MATLAB."""

    key = "matlab"
    title = "MATLAB"
    suffix = ".m"
    comment = "% {}"
    first = 1
    types: ClassVar = {"float64": "double"}
    loop = ("for {i} = 0:{last}", "end")
    value = variable = "{name} = {value};"
    assign = "{target} = {value};"
    array = "{name} = zeros({size}, 1);"
    update = "{target} = {target} + {value};"
    entry = "{array}({place})"
    infix: ClassVar = {"not_equal": "~="}
    reserved = frozenset("end function persistent pick_ data_ zeros nargin nargout isempty fprintf pi".split())  # noqa: SIM905
    functions: ClassVar = {
        **{name: f"{name}({{0}})" for name in _ONE},
        **{name: f"{host}({{0}})" for name, host in _ARC.items()},
        "absolute": "abs({0})",
        "hypot": "hypot({0}, {1})",
        "power": "({0})^({1})",
        "maximum": "max({0}, {1})",
        "minimum": "min({0}, {1})",
        "select": "pick_({0}, {1}, {2})",
        "isinf": "isinf({0})",
        "isnan": "isnan({0})",
        "bitwise_or": "({0} || {1})",
        "bitwise_and": "({0} && {1})",
        "logical_not": "(~({0}))",
    }
    function_head = "function [{taken}] = {name}_({given})"
    function_tail = "end"
    result = ""
    helper_head = "function r_ = {name}({arguments})"
    helper_result = "r_ = {value};"
    check_head = "function wrong = {name}()\n    d_ = data_();\n    wrong = 0;"
    check_points = ("    for point = 0:{last}", "    end")
    check_call = "        [{taken}] = {name}_({given});"
    check_entries = (
        "        for i = 0:{last}\n"
        "            e_ = abs({got}({step}*i + 1) - d_.{wanted}({count}*point + i + 1));\n"
        "            wrong = wrong + ~(e_ <= d_.{bound}(point + 1));\n"
        "        end"
    )
    check_tail = "    return\nend"

    def part(self, array: str, size: int) -> str:
        """Return the argument of one point among those of all."""
        return f"d_.{array}({size}*point + 1:{size}*(point + 1))"

    def prepared(self, function: Function) -> list[str]:
        """Return what a function does first: it fetches the constants."""
        names = [self.buffer(b) for b in function.constants]
        return ["d_ = data_();", *(f"{name} = d_.{name};" for name in names)] if names else []

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array, inside of the function that keeps them."""
        rows = [f"{row} ..." for row in self.rows(buffer, 3 * self.indent)]
        return [f"{2 * self.indent}d.{self.buffer(buffer)} = [ ...", *rows, f"{2 * self.indent}];"]

    def assembled(self, constants: list[list[str]], helpers: list[list[str]], functions: list[list[str]]) -> str:
        """Return the parts of the program in order: a function file begins with its function."""
        checks = [line for b in self.check_constants() for line in self.constant(b)]
        kept = [line for c in constants for line in c]
        data = [
            "function d_ = data_()",
            "    persistent d",
            "    if isempty(d)",
            *kept,
            *checks,
            "    end",
            "    d_ = d;",
        ]
        tested = self.write_check(self.program.checks) if self.program.checks else []
        parts = [[*self.head(), *self._main()], *functions, *helpers, tested, _PICK, [*data, "end"]]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def _main(self) -> list[str]:
        """Return the function that the file is called by."""
        orders = [f for f in self.program.functions if f.suffix not in ("jvp", "vjp", "hvp")]
        taken = self.taken(orders[-1])
        lines = [f"function [{taken}] = {self.name}(x, what, varargin)"]
        if self.program.checks:
            lines += [
                "    if ischar(x)",
                f"        {self.taken(orders[0])} = {self.name}_check();",
                "        return",
                "    end",
            ]
        for function in self.program.functions:
            if function not in orders:
                call = f"{self.taken(orders[0])} = {self.function(function)}_(x, varargin{{:}});"
                test = f"nargin > 1 && strcmp(what, '{function.suffix}')"
                lines += [f"    if {test}", f"        {call}", "        return", "    end"]
        for number, function in enumerate(orders):
            call = f"[{self.taken(function)}] = {self.function(function)}_(x);"
            word = "if" if not number else "elseif"
            last = number == len(orders) - 1
            lines += ["    else" if last and number else f"    {word} nargout <= {number + 1}", f"        {call}"]
        return [*lines, "    end", "end"]
