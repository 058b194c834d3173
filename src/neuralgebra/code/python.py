"""Python without dependencies: lists of numbers, and the module math."""

from __future__ import annotations

from typing import ClassVar

from neuralgebra.code.returning import Returning
from neuralgebra.code.templates import applied, words

__all__ = ["Python"]

# Where math raises an exception, arithmetic has a limit.
_LIMITS = """
import math


def exp_(x):
    return math.exp(x) if x < 709.782712893384 else (x if x != x else math.inf)


def log_(x):
    return math.log(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def over_(a, b):
    if b:
        return a/b
    return math.nan if a == 0 or a != a else math.copysign(math.inf, a)*math.copysign(1.0, b)


def power_(x, p):
    try:
        return math.pow(x, p)
    except (OverflowError, ValueError, ZeroDivisionError):
        return math.nan if x < 0 else math.inf
"""


class Python(Returning):
    """The table of Python."""

    key = "python"
    title = "Python"
    suffix = ".py"
    comment = "# {}"
    types: ClassVar = {"float64": "float"}
    loop = ("for {i} in range({n}):", "")
    value = variable = "{name} = {value}"
    array = "{name} = [0.0]*{size}"
    assign = "{target} = {value}"
    update = "{target} += {value}"
    reserved = words("range list len print tuple exp_ log_ over_ power_")
    functions: ClassVar = {
        **applied("math.{name}({{0}})", "log1p sqrt sin cos tan tanh erf erfc isinf isnan"),
        **applied("math.{name}({{0}})", "arctan arcsin arccos arcsinh arccosh"),
        "exp": "exp_({0})",
        "log": "log_({0})",
        "divide": "over_({0}, {1})",
        "absolute": "abs({0})",
        "hypot": "math.hypot({0}, {1})",
        "copysign": "math.copysign({0}, {1})",
        "power": "power_({0}, {1})",
        "maximum": "({1} if {0} < {1} else {0})",
        "minimum": "({1} if {0} > {1} else {0})",
        "select": "({1} if {0} else {2})",
        "bitwise_or": "({0} or {1})",
        "bitwise_and": "({0} and {1})",
        "logical_not": "(not {0})",
    }
    function_head = "def {name}({given}):"
    expected = (
        "{name} = [float(number) for number in {name}]\n"
        'if len({name}) != {size}:\n    raise ValueError("{size} numbers expected in {name}")'
    )
    result = "return {taken}"
    helper_head = "def {name}({arguments}):"
    helper_result = "return {value}"
    check_head = "def {name}():\n    wrong = 0"
    check_points = ("    for point in range({count}):", "")
    check_call = "        {taken} = {name}({given})"
    check_entries = (
        "        for i in range({count}):\n"
        "            wrong += not abs({got}[{at}] - {wanted}[{count}*point + i]) <= {bound}[point]"
    )
    check_tail = "    return wrong"
    part = "{array}[{size}*point:{size}*(point + 1)]"
    constants = ("{name} = [", "]")
    main = 'if __name__ == "__main__":\n    print(f"{name}: {{{name}_check()}} of the results are wrong")'

    def head(self) -> list[str]:
        """Return the lines before everything."""
        return [*super().head(), *_LIMITS.splitlines()]
