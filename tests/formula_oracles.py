"""Readers of what formulas are printed as, which know nothing of the package: Wolfram Language and MathML."""

from __future__ import annotations

import math
import operator
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

# Wolfram Language: a Pratt parser to nested tuples (head, argument, …), and an evaluator -----------------------------

TOKEN = re.compile(
    r"\(\*.*?\*\)|\s+|(?P<number>\d+(?:\.\d*)?`?(?:\*\^-?\d+)?)|(?P<name>[A-Za-z$][A-Za-z0-9$]*_?)"
    r"|(?P<sign>:=|<=|>=|==|!=|&&|\|\||[-+*/^.<>=;,\[\]{}()])",
    re.DOTALL,
)
LEVELS = {":=": 1, "=": 1, ";": 0, "||": 2, "&&": 3, "+": 6, "-": 6, "*": 7, "/": 7, ".": 8, "^": 9}
LEVELS |= dict.fromkeys(["<", ">", "<=", ">=", "==", "!="], 5)
RIGHT = {"^", "=", ":="}
CLOSING = {"[": "]", "{": "}", "(": ")"}


def tokens(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        match = TOKEN.match(text, place)
        assert match, f"not Wolfram Language: {text[place : place + 40]!r}"
        place = match.end()
        if match.lastgroup:
            yield match.lastgroup, match[0]
    yield "sign", "end"


class Reader:
    def __init__(self, text: str) -> None:
        self.tokens = list(tokens(text))

    def take(self) -> tuple[str, str]:
        return self.tokens.pop(0)

    @property
    def next(self) -> str:
        return self.tokens[0][1]

    def expression(self, level: int = -1) -> Any:
        left = self.first()
        while self.next in LEVELS and LEVELS[self.next] > level - (self.next in RIGHT):
            _, sign = self.take()
            ends = sign == ";" and self.next in ("end", "]")
            left = (sign, left, None if ends else self.expression(LEVELS[sign]))
        return left

    def first(self) -> Any:
        kind, text = self.take()
        if kind == "number":
            return number(text)
        if text == "-":
            return ("neg", self.expression(LEVELS["*"] - 1))
        if kind == "name":
            value: Any = text
            while self.next == "[":
                self.take()
                value = ("call", value, self.arguments("]"))
            return value
        assert text in ("{", "("), text
        inner = self.arguments(CLOSING[text])
        return ("list", inner) if text == "{" else inner[0]

    def arguments(self, closing: str) -> list[Any]:
        found = []
        while self.next != closing:
            found.append(self.expression())
            if self.next == ",":
                self.take()
        self.take()
        return found


def number(text: str) -> Any:
    """A literal: exact without a backquote."""
    if text.isdigit():
        return int(text)
    assert "`" in text, f"{text} may be read with more digits than a double has"
    return float(text.replace("`", "").replace("*^", "e"))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{"Exp": np.exp, "Log": np.log, "Tanh": np.tanh, "Sin": np.sin, "Cos": np.cos, "Tan": np.tan, "Sqrt": np.sqrt},
    **{"Sinh": np.sinh, "Cosh": np.cosh, "ArcTan": np.arctan, "ArcSinh": np.arcsinh, "ArcTanh": np.arctanh},
    **{"Abs": np.abs, "Sign": np.sign, "Floor": np.floor, "Erf": np.vectorize(math.erf)},
    **{"Max": lambda *a: np.max(a[0] if len(a) == 1 else np.broadcast_arrays(*a), axis=0), "Transpose": np.transpose},
    **{"Min": lambda *a: np.min(np.broadcast_arrays(*a), axis=0), "DiagonalMatrix": np.diag},
    **{"Total": lambda a: np.sum(a, axis=0), "IdentityMatrix": np.eye},
    **{"Part": lambda a, i: a[int(i) - 1], "Outer": lambda _, a, b: np.multiply.outer(a, b)},
    **{"UnitVector": lambda n, i: np.eye(int(n))[int(i) - 1], "ConstantArray": lambda v, n: np.full(n.astype(int), v)},
    **{"Join": lambda *parts: np.concatenate([np.asarray(p) for p in parts])},
}
OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    **{"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": operator.pow},
    **{"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "==": operator.eq},
    **{"&&": operator.and_, "||": operator.or_, ".": lambda a, b: np.asarray(a) @ np.asarray(b)},
}


def evaluated(e: Any, scope: dict[str, Any]) -> Any:
    """The value of a parsed expression."""
    if isinstance(e, str):
        known = {"Pi": math.pi, "E": math.e, "True": True, "Times": None}
        return known[e] if e in known else scope[e]
    if not isinstance(e, tuple):
        return float(e)
    head, *rest = e
    if head == "neg":
        return -evaluated(rest[0], scope)
    if head == "list":
        return np.array([evaluated(part, scope) for part in rest[0]])
    if head == ";":
        evaluated(rest[0], scope)
        return None if rest[1] is None else evaluated(rest[1], scope)
    if head in ("=", ":="):
        return assigned(*rest, scope)
    if head == "call":
        return called(*rest, scope)
    return OPERATORS[head](*(evaluated(part, scope) for part in rest))


def assigned(target: Any, value: Any, scope: dict[str, Any]) -> Any:
    if isinstance(target, str):
        scope[target] = evaluated(value, scope)
        return scope[target]
    _, name, (pattern,) = target
    scope[name] = (pattern, value)
    return None


def called(name: str, arguments: list[Any], scope: dict[str, Any]) -> Any:
    if name == "Module":
        (_, local), body = arguments
        names = [part if isinstance(part, str) else part[1] for part in local]
        inside = {key: value for key, value in scope.items() if key not in names}
        return evaluated(body, inside)
    if name == "Piecewise":
        return piecewise(arguments, scope)
    if name in SPECIAL:
        return SPECIAL[name](arguments, scope)
    values = [evaluated(a, scope) for a in arguments]
    return applied(*scope[name], values[0], scope) if name in scope else FUNCTIONS[name](*values)


def mapped(arguments: list[Any], scope: dict[str, Any]) -> Any:
    function, values = arguments
    return np.array([applied(*scope[function], v, scope) for v in evaluated(values, scope)], dtype=float)


def table(arguments: list[Any], scope: dict[str, Any]) -> Any:
    body, (_, (index, count)) = arguments
    return np.array([evaluated(body, {**scope, index: i + 1}) for i in range(int(evaluated(count, scope)))])


def taken(arguments: list[Any], scope: dict[str, Any]) -> Any:
    start, stop = evaluated(arguments[-1], scope).astype(int)
    value = evaluated(arguments[0], scope)
    return value[:, start - 1 : stop] if "All" in arguments else value[start - 1 : stop]


SPECIAL = {"Map": mapped, "Table": table, "Take": taken}


def piecewise(arguments: list[Any], scope: dict[str, Any]) -> Any:
    value = evaluated(arguments[1], scope)
    for _, (then, condition) in reversed(arguments[0][1]):
        value = np.where(evaluated(condition, scope), evaluated(then, scope), value)
    return value


def applied(pattern: Any, body: Any, given: Any, scope: dict[str, Any]) -> Any:
    if isinstance(pattern, str):
        return evaluated(body, {**scope, pattern.rstrip("_"): given})
    names = [name.rstrip("_") for name in pattern[1]]
    assert len(names) == len(given)
    return evaluated(body, {**scope, **dict(zip(names, given, strict=True))})


def wolfram(text: str, x: Any, name: str = "f") -> Any:
    """What the function that a text defines gives at a point, as nested lists."""
    scope: dict[str, Any] = {}
    reader = Reader(text)
    with np.errstate(all="ignore"):
        while reader.next != "end":
            evaluated(reader.expression(), scope)
        return applied(*scope[name], np.asarray(x, dtype=float), scope)


def wolfram_lists(text: str, x: Any, name: str = "f") -> list[Any]:
    """The same for a list of arrays of different shapes."""
    scope: dict[str, Any] = {}
    evaluated(Reader(text).expression(), scope)
    pattern, body = scope[name]
    x = np.asarray(x, dtype=float)
    names = [p.rstrip("_") for p in pattern[1]] if isinstance(pattern, tuple) else []
    inside = dict(zip(names, x, strict=True)) if names else {pattern.rstrip("_"): x}
    _, _, (_, steps) = body
    with np.errstate(all="ignore"):
        while steps[0] == ";":
            _, last, steps = flat(steps)
            for step in last:
                evaluated(step, inside)
        return [evaluated(part, inside) for part in steps[1]]


def flat(steps: Any) -> tuple[str, list[Any], Any]:
    """The statements before the last, in order, and the last."""
    before, (_, rest, last) = [], steps
    while isinstance(rest, tuple) and rest[0] == ";":
        before.append(rest[2])
        rest = rest[1]
    return ";", [rest, *before[::-1]], last


# Presentation MathML -----------------------------------------------------------------------------------------------

MATH = "{http://www.w3.org/1998/Math/MathML}"
APPLY, INVISIBLE = "\u2061", "\u2062"
WORDS: dict[str, Callable[..., Any]] = {
    **{"exp": np.exp, "log": np.log, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "tan": np.tan, "cosh": np.cosh},
    **{"sinh": np.sinh, "atan": np.arctan, "asinh": np.arcsinh, "atanh": np.arctanh, "sign": np.sign},
    **{"floor": np.floor, "erf": np.vectorize(math.erf), "max": lambda *a: max(a), "min": lambda *a: min(a)},
}


def tag(e: ET.Element) -> str:
    return e.tag.removeprefix(MATH)


def key(e: ET.Element) -> str:
    """What tells one name from another."""
    return "".join(e.itertext()) if len(e) == 0 else f"{tag(e)}({','.join(map(key, e))})"


def mathml_rows(text: str) -> list[tuple[ET.Element, ET.Element]]:
    """Names and expressions of a table; an XML parser reads it."""
    root = ET.fromstring(text)
    assert tag(root) == "math"
    (table,) = root
    cells = [list(r) for r in table]
    return [(r[0][0], r[1][0]) for r in cells if len(r) == 2]


def mathml_remarks(text: str) -> list[str]:
    (table,) = ET.fromstring(text)
    return ["".join(r.itertext()) for r in table if len(r) == 1]


def mathml(text: str, inputs: dict[str, float]) -> dict[str, float]:
    """The value of every row, by the key of its name."""
    scope = dict(inputs)
    with np.errstate(all="ignore"):
        for name, right in mathml_rows(text):
            sign, *rest = right
            assert sign.text == "="
            assert key(name) not in scope, f"{key(name)} is said twice"
            scope[key(name)] = float(Parts(rest, scope).sum())
    return scope


class Parts:
    """The children of a row, read as a sum of products of applied functions."""

    def __init__(self, parts: list[ET.Element], scope: dict[str, float]) -> None:
        self.parts, self.scope = list(parts), scope

    @property
    def sign(self) -> str:
        return (self.parts[0].text or "") if self.parts and tag(self.parts[0]) == "mo" else ""

    def condition(self) -> bool:
        if any(tag(p) == "mo" and p.text in "∧∨" for p in self.parts):
            return self.joined()
        at = next(i for i, p in enumerate(self.parts) if tag(p) == "mo" and p.text in "<>≤≥=≠")
        left, right = (Parts(side, self.scope).sum() for side in (self.parts[:at], self.parts[at + 1 :]))
        return {"<": left < right, ">": left > right, "≤": left <= right, "≥": left >= right}[self.parts[at].text or ""]

    def joined(self) -> bool:
        word = next(p.text for p in self.parts if tag(p) == "mo" and p.text in "∧∨")
        values = [truth(p, self.scope) for p in self.parts if tag(p) != "mo"]
        return all(values) if word == "∧" else any(values)

    def sum(self) -> float:
        total = 0.0
        first = True
        while self.parts and (first or self.sign in "+−"):
            minus = self.sign == "−"
            if self.sign in ("+", "−"):
                self.parts.pop(0)
            total += -self.product() if minus else self.product()
            first = False
        assert not self.parts, key(self.parts[0])
        return total

    def product(self) -> float:
        value = self.factor()
        while self.sign in (INVISIBLE, "⋅"):
            self.parts.pop(0)
            value *= self.factor()
        return value

    def factor(self) -> float:
        head = self.parts.pop(0)
        if self.sign == APPLY:
            self.parts.pop(0)
            opening, *rest, _ = list(self.parts.pop(0))
            assert opening.text == "("
            return float(WORDS[head.text or ""](*(Parts(p, self.scope).sum() for p in split(rest))))
        if tag(head) == "mo" and head.text in ("(", "|"):
            inside, self.parts = self.parts[:-1], []
            value = Parts(inside, self.scope).sum()
            return abs(value) if head.text == "|" else value
        if tag(head) == "mo" and head.text == "{":
            return cases(self.parts.pop(0), self.scope)
        return element(head, self.scope)


def split(parts: list[ET.Element]) -> list[list[ET.Element]]:
    groups: list[list[ET.Element]] = [[]]
    for part in parts:
        if tag(part) == "mo" and part.text == ",":
            groups.append([])
        else:
            groups[-1].append(part)
    return groups


def truth(e: ET.Element, scope: dict[str, float]) -> bool:
    """A condition, within brackets or not."""
    parts = list(e)
    if tag(parts[0]) == "mo" and parts[0].text == "(":
        return truth(parts[1], scope)
    return Parts(parts, scope).condition()


def cases(table: ET.Element, scope: dict[str, float]) -> float:
    for value, condition in table:
        if tag(condition[0]) == "mtext" or truth(condition[0], scope):
            return element(value[0], scope)
    raise AssertionError("no case holds")


def element(e: ET.Element, scope: dict[str, float]) -> float:
    """The value of one element."""
    if key(e) in scope:
        return scope[key(e)]
    match tag(e):
        case "mn":
            return float(e.text or "")
        case "mi":
            return {"π": math.pi, "e": math.e}[e.text or ""]
        case "mfrac":
            return element(e[0], scope) / element(e[1], scope)
        case "msqrt":
            return math.sqrt(Parts(list(e), scope).sum())
        case "msup":
            return literal(e) or element(e[0], scope) ** element(e[1], scope)
        case "mrow":
            return literal(e) or Parts(list(e), scope).sum()
    raise AssertionError(f"{tag(e)} has no value")


def literal(e: ET.Element) -> float | None:
    """A decimal with a power of ten, read as one number."""
    if tag(e) != "mrow" or len(e) != 3 or key(e[1]) != "⋅" or key(e[2][0] if len(e[2]) else e[2]) != "10":
        return None
    exponent = "".join(e[2][1].itertext()).replace("−", "-")
    return float(f"{e[0].text}e{exponent}")


def mathml_numbers(text: str) -> list[float]:
    """Every number of the right sides, without those in names."""
    found: list[float] = []
    for _, right in mathml_rows(text):
        collect(right, found)
    return found


def collect(e: ET.Element, found: list[float]) -> None:
    if tag(e) in ("msub", "msubsup") or (tag(e) == "mfrac" and "∂" in key(e)):
        return
    if (value := literal(e)) is not None:
        found.append(value)
    elif tag(e) == "mn":
        found.append(float(e.text or ""))
    else:
        for part in e:
            collect(part, found)
