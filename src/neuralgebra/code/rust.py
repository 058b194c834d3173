"""Rust: one module, no crates, no unsafe code."""

from __future__ import annotations

from typing import ClassVar

from neuralgebra.code.program import Function
from neuralgebra.code.returning import Returning
from neuralgebra.code.statements import Buffer
from neuralgebra.code.templates import applied, words

__all__ = ["Rust"]

_METHODS = {"log": "ln", "log1p": "ln_1p", "expm1": "exp_m1", "absolute": "abs", "isinf": "is_infinite"}
_ALLOWED = "non_upper_case_globals, non_snake_case, dead_code, unused_parens, unused_variables, clippy::all"
STACK = 1000
"""Numbers of an array on the stack, of which there is little; a larger one is a vector."""


class Rust(Returning):
    """The table of Rust."""

    key = "rust"
    title = "Rust"
    suffix = ".rs"
    types: ClassVar = {"float64": "f64", "float32": "f32"}
    whole = "usize"
    loop = ("for {i} in 0..{n}usize {{", "}")
    value = "let {name}: {type} = {value};"
    variable = "let mut {name}: {type} = {value};"
    array = "let mut {name} = [0.0 as {type}; {size}];"
    assign = "{target} = {value};"
    update = "{target} += {value};"
    reserved = words("main")
    functions: ClassVar = {
        **applied("({{0}}).{name}()", "exp sqrt sin cos tan tanh sinh cosh arctan arcsin arccos arcsinh arccosh"),
        **{name: f"({{0}}).{method}()" for name, method in _METHODS.items()},
        "isnan": "({0}).is_nan()",
        "hypot": "({0}).hypot({1})",
        "copysign": "({0}).copysign({1})",
        "power": "({0}).powf({1})",
        "maximum": "(if {0} < {1} {{ {1} }} else {{ {0} }})",
        "minimum": "(if {0} > {1} {{ {1} }} else {{ {0} }})",
        "select": "(if {0} {{ {1} }} else {{ {2} }})",
        "bitwise_or": "({0} || {1})",
        "bitwise_and": "({0} && {1})",
        "logical_not": "(!({0}))",
    }
    constants = ("static {name}: [{type}; {size}] = [", "];")
    argument = "{name}: {type}"
    function_tail = "}"
    expected = "assert_eq!({name}.len(), {size});"
    result = "({taken},)"
    helper_head = "fn {name}({arguments}) -> {type} {{"
    helper_result = "{value}"
    check_head = "pub fn {name}() -> usize {{\n    let mut wrong = 0;"
    check_points = ("    for point in 0..{count}usize {{", "    }}")
    check_call = "        let ({taken},) = {name}({given});"
    check_entries = (
        "        for i in 0..{count}usize {{\n"
        "            wrong += !(({got}[{at}] - {wanted}[{count}*point + i]).abs() <= {bound}[point]) as usize;\n"
        "        }}"
    )
    check_tail = "    wrong\n}"
    part = "&{array}[{size}*point..{size}*point + {size}]"
    main = (
        '#[cfg(neuralgebra_main)]\nfn main() {{ println!("{name}: {{}} of the results are wrong", {name}_check()); }}'
    )

    def head(self) -> list[str]:
        """Return the lines before everything."""
        return [*super().head(), f"#![allow({_ALLOWED})]", "#![forbid(unsafe_code)]"]

    def number(self, value: float) -> str:
        """Return a literal of the type."""
        return f"{super().number(value)}_{self.type}"

    def made(self, buffer: Buffer) -> str:
        """Return how an array is made: a large one not on the stack."""
        text = super().made(buffer)
        return text.replace("[0.0", "vec![0.0", 1) if buffer.size > STACK else text

    def opened(self, function: Function) -> str:
        """Return the first line of a function."""
        given = ", ".join(f"{self.buffer(b)}: &[{self.type}]" for b in function.inputs)
        taken = ", ".join(
            f"Vec<{self.type}>" if b.size > STACK else f"[{self.type}; {b.size}]" for b in function.outputs
        )
        return f"pub fn {self.function(function)}({given}) -> ({taken},) {{"
