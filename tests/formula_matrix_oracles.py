"""Readers of the matrix form as text, LaTeX and MathML, which know nothing of the package."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import numpy as np

from formula_oracles import MATH, key, literal, tag

SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
Functions = dict[str, Callable[[Any], Any]]


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


def base(functions: Functions) -> dict[str, Any]:
    return {
        "diag": np.diag,
        "outer": np.outer,
        "softmax": softmax,
        "cat": lambda *parts: np.concatenate(parts),
        **functions,
    }


def python(text: str) -> str:
    """The text of an expression as Python: every product of matrices is @."""
    text = text.translate(SUBSCRIPTS).replace("·", "@").replace("∘", "*")
    text = re.sub(r"([A-Za-z]\w*)'", r"\1_d1", re.sub(r"([A-Za-z]\w*)''", r"\1_d2", text))
    text = re.sub(r"\[:, (\d+)\.\.(\d+)\]", lambda m: f"{{:,{int(m[1]) - 1}:{m[2]}}}", text)
    text = re.sub(r"\[(\d+)\.\.(\d+)\]", lambda m: f"{{{int(m[1]) - 1}:{m[2]}}}", text)
    text = re.sub(r"\b(\w+) @ (\1)ᵀ", r"outer(\1, \1)", text)
    text = re.sub(r"(?<=[\w)}\]]) (?=[\w(\[])", " @ ", text).replace("e[o]", "unit[o]").replace("[o]", "{o}")
    while re.search(r"\[[^\[\]]*\]", text):
        text = re.sub(r"\[([^\[\]]*)\]", lambda m: f"cat({m[1].replace(';', ',')})", text)
    text = re.sub(r"([\w]+)ᵀ", lambda m: f"flat({m[1]}.T)", text)
    return re.sub(r"\((?P<in>[^()]*)\)ᵀ", r"(\g<in>).T", text).replace("{", "[").replace("}", "]")


def flat(a: np.ndarray) -> np.ndarray:
    """The only row of a matrix is a vector where it is multiplied element by element."""
    return a


def numbers_of_text(text: str) -> dict[str, np.ndarray]:
    """W1, b1, … as they are listed, of the shapes that are stated."""
    found = {}
    for head, block in re.findall(r"\n(\w+)   ([\d×]+)\n", text.translate(SUBSCRIPTS)):
        shape = tuple(map(int, block.split("×")))
        start = text.translate(SUBSCRIPTS).index(f"\n{head}   {block}\n") + len(f"\n{head}   {block}\n")
        rows = text[start:].split("\n\n")[0].splitlines()
        array = np.array([[float(v) for v in row.split()] for row in rows])
        assert array.size == np.prod(shape)
        assert array.shape == (shape if len(shape) == 2 else (1, shape[0]))
        found[head] = array.reshape(shape)
    return found


def read_text(text: str, x: np.ndarray, functions: Functions, outputs: int) -> dict[str, Any]:
    """The value of every equation; the Hessian as H."""
    scope: dict[str, Any] = {**base(functions), **numbers_of_text(text), "x": x, "flat": flat, "unit": np.eye(outputs)}
    equations = text.split("\nwhere\n")[0].replace("\n           +", " +").replace("\n        +", " +")
    for line in equations.splitlines():
        if line.startswith("#") or " = " not in line:
            continue
        left, right = line.split(" = ")
        if left.startswith("∂²"):
            scope["H"] = hessian(right, scope, outputs)
        else:
            word = "J" if left.startswith("∂") else left.translate(SUBSCRIPTS)
            value = eval(python(right), scope)
            assert word not in scope or word == "y"
            scope[word] = value
    return scope


def hessian(right: str, scope: dict[str, Any], outputs: int) -> np.ndarray:
    n = len(scope["x"])
    if right.startswith("0"):
        return np.zeros((outputs, n, n))
    code = re.sub(r"diag\(flat\((\w+)\.T\)", r"diag(\1[0]", python(right))
    return np.array([eval(code, {**scope, "o": o}) for o in range(outputs)])


def latex_to_text(text: str) -> str:
    """An expression in LaTeX in the signs of the text."""
    text = text.replace(r"\sigma", "sigmoid")
    text = re.sub(r"\\mathrm\{(\w+)\}", r"\1", text.replace(r"\_", "_"))
    text = text.replace(r"\operatorname{diag}", "diag").replace(r"\operatorname{softmax}", "softmax").replace(r"\!", "")
    text = re.sub(r"([A-Za-z])\^\{\((\d+)\)\}", r"\1\2", text)
    text = re.sub(r"J_\{(\w+)\}", r"J\1", re.sub(r"\\Lambda_\{(\w+)\}", r"Λ\1", text))
    text = re.sub(r"\\left\[([^\[\]]*?)\\right\]_\{o\}", r"\1[o]", text).replace("e_{o}", "e[o]")
    text = re.sub(r"\\left\[([^\[\]]*?)\\right\]_\{:,(\d+)\.\.(\d+)\}", r"\1[:, \2..\3]", text)
    text = re.sub(r"\\left\[([^\[\]]*?)\\right\]_\{(\d+)\.\.(\d+)\}", r"\1[\2..\3]", text)
    text = re.sub(r"\\left\((\w+)\\right\)\^\{\\top\}", r"\1ᵀ", text).replace(r"^{\top}", "ᵀ")
    text = re.sub(r"\\begin\{pmatrix\} (.*?) \\end\{pmatrix\}", lambda m: f"[{m[1].replace(chr(92) * 2, ';')}]", text)
    return text.replace(r"\left(", "(").replace(r"\right)", ")").replace(r" \, ", " · ").replace(r"\circ", "∘")


def read_latex(text: str, x: np.ndarray, functions: Functions, outputs: int) -> dict[str, Any]:
    """The value of every equation in LaTeX."""
    scope: dict[str, Any] = {**base(functions), "x": x, "flat": flat, "unit": np.eye(outputs)}
    lines = [line.split(" &= ") for line in text.removesuffix("\n\\end{aligned}$$").split(" \\\\\n") if " &= " in line]
    for left, right in lines:
        if "(z)" not in left and re.fullmatch(r"\\begin\{pmatrix\}[-\d. &\\cdot^{}]*\\end\{pmatrix\}", right):
            scope[latex_to_text(left)] = latex_matrix(right, left)
    for left, right in lines:
        word, code = latex_to_text(left), latex_to_text(right)
        if "(z)" in left or word in scope:
            continue
        if "partial^{2}" in left:
            scope["H"] = hessian(code, scope, outputs)
        else:
            scope["J" if "partial" in left else word] = eval(python(code), scope)
    return scope


def latex_matrix(text: str, word: str) -> np.ndarray:
    inside = text.removeprefix(r"\begin{pmatrix} ").removesuffix(r" \end{pmatrix}")
    inside = re.sub(r" \\cdot 10\^\{(-?\d+)\}", r"e\1", inside)
    array = np.array([[float(v) for v in row.split("&")] for row in inside.split(r"\\")])
    return array[:, 0] if word.startswith("b") else array


def read_mathml(text: str, x: np.ndarray, functions: Functions, outputs: int) -> dict[str, Any]:
    """The value of every row of MathML."""
    (whole,) = ET.fromstring(text)
    rows = [(r[0][0], r[1][0][1]) for r in whole if len(r) == 2]
    scope: dict[str, Any] = {**base(functions), "x": x, "unit": np.eye(outputs)}
    for left, right in rows:
        if tag(right) == "mrow" and len(right) == 3 and tag(right[1]) == "mtable" and list(right.iter(f"{MATH}mn")):
            cells = [[decimal(cell[0]) for cell in row] for row in right[1]]
            if all(None not in cells_of_row for cells_of_row in cells):
                array = np.array(cells)
                scope[key(left)] = array[:, 0] if key(left).startswith("msub(b") else array
    for left, right in rows:
        if key(left).startswith("mfrac(mrow(msup"):
            terms = [{**scope, "o": o} for o in range(outputs)]
            n = len(x)
            scope["H"] = (
                np.array([valued(right, s) for s in terms]) if key(right) != "mrow(0)" else np.zeros((outputs, n, n))
            )
        elif key(left).startswith("mfrac"):
            scope["J"] = valued(right, scope)
        elif key(left) not in scope and "mrow((,z,))" not in key(left):
            scope[key(left)] = valued(right, scope)
    return scope


def decimal(cell: ET.Element) -> float | None:
    """A number with or without a minus."""
    if tag(cell) == "mrow" and key(cell[0]) == "−" and len(cell) == 2:
        inner = decimal(cell[1])
        return None if inner is None else -inner
    if tag(cell) == "mn":
        return float(cell.text or "")
    return literal(cell)


def valued(e: ET.Element, scope: dict[str, Any]) -> Any:
    """The value of an element."""
    if key(e) in scope:
        return scope[key(e)]
    match tag(e):
        case "msup":
            inner = valued(e[0], scope)
            return inner[0] if inner.shape[0] == 1 and scope.get("row") else inner.T
        case "msub":
            if key(e[1]) == "o":
                return scope["unit"][scope["o"]] if key(e[0]) == "e" else valued(e[0], scope)[scope["o"]]
            start, stop = map(int, (e[1].text or "").removeprefix(":,").split(".."))
            inner = valued(e[0], scope)
            return inner[:, start - 1 : stop] if (e[1].text or "").startswith(":") else inner[start - 1 : stop]
    return rowed(list(e), scope)


def rowed(parts: list[ET.Element], scope: dict[str, Any]) -> Any:
    if len(parts) == 1:
        return valued(parts[0], scope)
    if key(parts[0]) == "[":
        return rowed(parts[1:-1], scope)
    if key(parts[0]) == "(":
        if tag(parts[1]) == "mtable":
            return np.concatenate([valued(r[0][0], scope) for r in parts[1]])
        return rowed(parts[1:-1], scope)
    if key(parts[1]) == "\u2061":
        inner = {**scope, "row": True} if key(parts[0]) == "diag" else scope
        return scope[key(parts[0]).replace("''", "_d2").replace("'", "_d1")](rowed(list(parts[2])[1:-1], inner))
    value = valued(parts[0], scope)
    for sign, part in zip(parts[1::2], parts[2::2], strict=True):
        other = valued(part, scope)
        value = {
            "+": lambda a, b: a + b,
            "−": lambda a, b: a - b,
            "∘": lambda a, b: a * b,
        }.get(key(sign), times)(value, other)
    return value


def times(a: Any, b: Any) -> Any:
    """A product of matrices; a column times a row is one too."""
    return np.outer(a, b) if np.ndim(a) == np.ndim(b) == 1 else a @ b
