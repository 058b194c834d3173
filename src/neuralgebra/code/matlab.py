"""MATLAB and Octave: a function file; the number of results that are asked for says the order."""

from __future__ import annotations

from typing import ClassVar

from neuralgebra.code.program import Function
from neuralgebra.code.returning import Returning
from neuralgebra.code.statements import Buffer
from neuralgebra.code.templates import TERNARY, applied, words

__all__ = ["Matlab"]

# Names with capitals are never those of a network. Beyond their domains functions would give complex numbers.
_LOCAL = """function r = Pick(c, a, b), if c, r = a; else, r = b; end, end
function r = Real(r), if ~isreal(r), r = NaN; end, end
function k = Constants(), persistent K, if isempty(K), K = Made(); end, k = K; end
function K = Made()
    K = struct();"""


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
    reserved = words("zeros double numel error ischar isempty isreal strcmp nargin nargout varargin what")
    functions: ClassVar = {
        **applied("{name}({{0}})", "exp expm1 sin cos tan tanh sinh cosh erf erfc sign isinf isnan arctan arcsinh"),
        **applied("Real({name}({{0}}))", "log log1p sqrt arcsin arccos arccosh arctanh"),
        "absolute": "abs({0})",
        "hypot": "hypot({0}, {1})",
        "power": "Real(({0})^({1}))",
        **TERNARY,
        "maximum": "Pick({0} < {1}, {1}, {0})",
        "minimum": "Pick({0} > {1}, {1}, {0})",
        "select": "Pick({0}, {1}, {2})",
        "logical_not": "(~({0}))",
    }
    constants = ("    K.{name} = [ ...", "    ];")
    function_head = "function [{taken}] = {name}_({given})"
    function_tail = check_tail = "end"
    expected = "{name} = double({name});\nif numel({name}) ~= {size}, error('{size} numbers expected in {name}'); end"
    helper_head = "function R = {name}({arguments})"
    helper_result = "R = {value};"
    check_head = "function wrong = {name}()\n    K = Constants();\n    wrong = 0;"
    check_points = ("    for point = 0:{last}", "    end")
    check_call = "        [{taken}] = {name}_({given});"
    check_entries = (
        "        for i = 0:{last}, e = abs({got}({at} + 1) - K.{wanted}({count}*point + i + 1));\n"
        "            wrong = wrong + ~(e <= K.{bound}(point + 1));\n        end"
    )
    checking = "{name}('check')"
    part = "K.{array}({size}*point + 1:{size}*point + {size})"

    def prepared(self, function: Function) -> list[str]:
        """Return what a function does first: it also fetches the constants."""
        names = [self.buffer(b) for b in function.constants]
        return [*super().prepared(function), "K = Constants();", *(f"{name} = K.{name};" for name in names)]

    def rows(self, buffer: Buffer, indent: str | None = None) -> list[str]:
        """Return the entries of a constant array in rows, which go on in the next line."""
        return [f"{self.indent}{row} ..." for row in super().rows(buffer, indent)]

    def usage(self, function: Function, given: str, taken: str) -> str:
        """Return how a function is called, in one line for a person."""
        words = given.replace(", ", f", '{function.suffix}', ", 1)
        return f"[{taken}] = {self.name}({words})"

    def assembled(self, constants: list[list[str]], helpers: list[list[str]], functions: list[list[str]]) -> str:
        """Return the parts of the program in order: a function file begins with its function."""
        kept = [line for some in [*constants, *map(self.constant, self.check_constants())] for line in some]
        tested = self.write_check(self.program.checks) if self.program.checks else []
        parts = [[*self.head(), *self._main()], *functions, *helpers, tested, [_LOCAL, *kept, "end"]]
        return "\n\n".join("\n".join(part) for part in parts if part) + "\n"

    def _main(self) -> list[str]:
        cases = [("ischar(x)", f"y = {self.name}_check();")] if self.program.checks else []
        for n, f in enumerate(self.program.functions, start=1):
            if len(f.inputs) > 1:
                call = f"y = {self.function(f)}_(x, varargin{{:}});"
                cases.append((f"nargin > 1 && strcmp(what, '{f.suffix}')", call))
            else:
                taken = self.taken(f)
                cases.append((f"nargin < 2 && nargout <= {n}", f"[{taken}] = {self.function(f)}_(x);"))
        lines = [f"    {'else' * (n > 0)}if {test}\n        {call}" for n, (test, call) in enumerate(cases)]
        lines.append("    else, error('no such product'); end")
        return [f"function [{taken}] = {self.name}(x, what, varargin)", *lines, "end"]
