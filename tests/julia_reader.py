"""A reader of Julia, independent of the writer: the grammar of tree-sitter, and numbers of NumPy with Julia's rules.

It stands in for Julia where that is not installed. What it does not know it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np


class Vector:
    """A vector that counts from 1 and has no place beyond its ends."""

    def __init__(self, numbers: Any, dtype: type) -> None:
        self.numbers = np.array(numbers, dtype)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            self._expect(place.start, place.stop)
            return Vector(self.numbers[place.start - 1 : place.stop], self.numbers.dtype.type)
        self._expect(place)
        number = self.numbers[place - 1]
        return int(number) if self.numbers.dtype == np.int64 else number

    def __setitem__(self, place: int, number: Any) -> None:
        self._expect(place)
        self.numbers[place - 1] = number

    def __len__(self) -> int:
        return len(self.numbers)

    def _expect(self, *places: int) -> None:
        if not all(type(p) is int and 1 <= p <= len(self.numbers) for p in places):
            raise IndexError(f"BoundsError: {places} in a vector of {len(self.numbers)}")


def _real(function: Callable[..., Any], inside: Callable[..., bool]) -> Callable[..., Any]:
    """A function that raises DomainError where Julia's does."""

    def guarded(*arguments: Any) -> Any:
        if not (inside(*arguments) or any(np.isnan(a) for a in arguments)):
            raise ArithmeticError(f"DomainError: {arguments}")
        return function(*arguments)

    return guarded


def _throw(error: Exception) -> None:
    raise error


_TYPES = {"Float64": np.float64, "Float32": np.float32, "Int": np.int64}
_NAMES = {
    **{n: getattr(np, n) for n in ("exp", "expm1", "sin", "cos", "tan", "tanh", "sinh", "cosh", "sign")},
    **{n: getattr(np, n) for n in ("hypot", "copysign", "isinf", "isnan")},
    **{f"a{n}": getattr(np, f"arc{n}") for n in ("tan", "sinh")},
    **{f"a{n}": _real(getattr(np, f"arc{n}"), lambda x: abs(x) <= 1) for n in ("sin", "cos", "tanh")},
    "acosh": _real(np.arccosh, lambda x: x >= 1),
    "log": _real(np.log, lambda x: x >= 0),
    "log1p": _real(np.log1p, lambda x: x >= -1),
    "sqrt": _real(np.sqrt, lambda x: x >= 0),
    "power_": _real(np.power, lambda x, p: x >= 0 or p == int(p)),
    "zeros": lambda kind, size: Vector(np.zeros(size), kind),
    "length": len,
    "DimensionMismatch": ValueError,
    "throw": _throw,
    "abs": abs,
    "NaN": np.nan,
    "Vector_": Vector,
    **_TYPES,
}
_WORDS = {"&&": "and", "||": "or", "!": "not "}


def _inner(node: Any) -> list[Any]:
    return [c for c in node.children if c.is_named and c.type != "line_comment"]


def _expression(node: Any) -> str:
    """A Julia expression as a Python expression."""
    kind, text = node.type, node.text.decode()
    if kind in ("identifier", "string_literal", "integer_literal"):
        return text
    if kind == "float_literal":
        return f"Float32({text.replace('f', 'e')})" if "f" in text else f"Float64({text})"
    if kind == "parenthesized_expression":
        return f"({_expression(_inner(node)[0])})"
    parts = [c.text.decode() if c.type == "operator" else _expression(c) for c in _inner(node)]
    if kind == "binary_expression":
        left, sign, right = parts
        return f"power_({left}, {right})" if sign == "^" else f"({left} {_WORDS.get(sign, sign)} {right})"
    if kind == "unary_expression":
        return f"({_WORDS.get(parts[0], parts[0])}{parts[1]})"
    if kind == "ternary_expression":
        return f"({parts[1]} if {parts[0]} else {parts[2]})"
    if kind == "call_expression":
        return "".join(parts)
    if kind in ("argument_list", "tuple_expression"):
        return f"({', '.join(parts)}{',' * (kind == 'tuple_expression')})"
    if kind == "index_expression":
        return f"Vector_({parts[1]}, {parts[0]})" if parts[0] in _TYPES else f"{parts[0]}{parts[1]}"
    if kind in ("vector_expression", "matrix_expression", "matrix_row") and (kind[0] == "v" or len(parts) == 1):
        return parts[0] if kind == "matrix_expression" else f"[{', '.join(parts)}]"
    if kind == "range_expression":
        return ":".join(parts)
    raise SyntaxError(f"{kind}: {text}")


def _statements(nodes: list[Any], depth: int) -> list[str]:
    return [line for node in nodes for line in _statement(node, "    " * depth, depth)]


def _statement(node: Any, space: str, depth: int) -> list[str]:
    """A Julia statement as lines of Python."""
    parts = _inner(node)
    if node.type in ("export_statement", "if_statement"):  # the self-test is called by name
        return []
    if node.type == "const_statement":
        return _statement(parts[0], space, depth)
    if node.type in ("assignment", "compound_assignment_expression"):
        target, sign, value = parts
        return [f"{space}{_expression(target)} {sign.text.decode()} {_expression(value)}"]
    if node.type == "return_statement":
        return [f"{space}return {_expression(parts[0])}"]
    if node.type == "for_statement":
        binding, *body = parts
        index, _, span = _inner(binding)
        first, last = map(_expression, _inner(span))
        return [f"{space}for {index.text.decode()} in range({first}, {last} + 1):", *_statements(body, depth + 1)]
    if node.type == "function_definition":
        signature, *body = parts
        return [f"{space}def {_expression(_inner(signature)[0])}:", *_statements(body, depth + 1)]
    return [space + _expression(node)]


def read(text: str) -> dict[str, Callable[..., Any]]:
    """The functions of a module in Julia."""
    import tree_sitter
    import tree_sitter_julia

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_julia.language()))
    spaced = re.sub(r"([-!*/^])\(", r"\1 (", text)  # this grammar takes 2.0/(x) for 2.0 times a call of /
    tree = parser.parse(spaced.encode())
    assert not tree.root_node.has_error
    (module,) = _inner(tree.root_node)
    assert module.type == "module_definition"
    scope: dict[str, Any] = dict(_NAMES)
    exec("\n".join(_statements(_inner(module)[1:], 0)), scope)
    return scope
