"""Rust: one module, no crates, no unsafe code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from neuralgebra.code.program import Function
from neuralgebra.code.returning import Returning
from neuralgebra.code.statements import Access, Buffer

__all__ = ["Rust"]

_ONE = ("exp", "sqrt", "sin", "cos", "tan", "tanh", "sinh", "cosh")
_HOST = {"log": "ln", "log1p": "ln_1p", "expm1": "exp_m1", "absolute": "abs", "arctan": "atan", "arcsin": "asin"}
_MORE = {"arccos": "acos", "arcsinh": "asinh", "arccosh": "acosh", "isinf": "is_infinite", "isnan": "is_nan"}
_ALLOWED = "#[allow(non_upper_case_globals, non_snake_case, dead_code, unused_parens, clippy::all)]"


class Rust(Returning):
    """The table of Rust."""

    key = "rust"
    title = "Rust"
    suffix = ".rs"
    types: ClassVar = {"float64": "f64", "float32": "f32"}
    loop = ("for {i} in 0..{n}usize {{", "}")
    value = "let {name}: {type} = {value};"
    variable = "let mut {name}: {type} = {value};"
    array = "let mut {name} = [0.0 as {type}; {size}];"
    assign = "{target} = {value};"
    update = "{target} += {value};"
    reserved = frozenset("as dyn move ref super mod crate main box abstract become final override".split())  # noqa: SIM905
    functions: ClassVar = {
        **{name: f"({{0}}).{name}()" for name in _ONE},
        **{name: f"({{0}}).{host}()" for name, host in {**_HOST, **_MORE}.items()},
        "hypot": "({0}).hypot({1})",
        "copysign": "({0}).copysign({1})",
        "power": "({0}).powf({1})",
        "maximum": "(if {0} > {1} {{ {0} }} else {{ {1} }})",
        "minimum": "(if {0} < {1} {{ {0} }} else {{ {1} }})",
        "select": "(if {0} {{ {1} }} else {{ {2} }})",
        "bitwise_or": "({0} || {1})",
        "bitwise_and": "({0} && {1})",
        "logical_not": "(!({0}))",
    }
    argument = "{name}: {type}"
    function_tail = "}"
    result = "({taken},)"
    helper_head = f"{_ALLOWED}\nfn {{name}}({{arguments}}) -> {{type}} {{{{"
    helper_result = "{value}"
    check_head = f"{_ALLOWED}\npub fn {{name}}() -> usize {{{{\n    let mut wrong = 0;"
    check_points = ("    for point in 0..{count}usize {{", "    }")
    check_call = "        let ({taken},) = {name}({given});"
    check_entries = (
        "        for i in 0..{count}usize {{\n"
        "            wrong += !(({got}[{step}*i] - {wanted}[{count}*point + i]).abs() <= {bound}[point]) as usize;\n"
        "        }}"
    )
    check_tail = "    wrong\n}"

    def number(self, value: float) -> str:
        """Return a literal of the type."""
        return f"{super().number(value)}_{self.type}"

    def place(self, access: Access, indices: Sequence[str]) -> str:
        """Return a place, which on the way must not become negative: what is added comes first."""
        terms = super().place(access, indices)
        if not terms.startswith("-") and " - " not in terms:
            return terms
        parts = terms.replace(" - ", " + -").split(" + ")
        return " + ".join(sorted(parts, key=lambda part: part.startswith("-"))).replace("+ -", "- ")

    def opened(self, function: Function) -> str:
        """Return the first line of a function."""
        given = ", ".join(f"{self.buffer(b)}: &[{self.type}]" for b in function.inputs)
        taken = ", ".join(f"[{self.type}; {b.size}]" for b in function.outputs)
        return f"{_ALLOWED}\n#[allow(unused_variables)]\npub fn {self.function(function)}({given}) -> ({taken},) {{"

    def part(self, array: str, size: int) -> str:
        """Return the argument of one point among those of all."""
        return f"&{array}[{size}*point..{size}*(point + 1)]"

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        said = f'println!("{self.name}: {{}} of the results are wrong", {self.name}_check());'
        return ["#[cfg(neuralgebra_main)]", f"fn main() {{ {said} }}"] if self.program.checks else []

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array."""
        kind = "usize" if buffer.values is not None and buffer.values.dtype.kind == "i" else self.type
        return [_ALLOWED, f"static {self.buffer(buffer)}: [{kind}; {buffer.size}] = [", *self.rows(buffer), "];"]
