"""The matrix form in LaTeX, in MathML and in the Wolfram Language."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import sympy

from neuralgebra.formula.mathml import MathMLWriter, mathml_table, row
from neuralgebra.formula.matrices import Matrix
from neuralgebra.formula.matrix_text import MatrixText, definition_of, number
from neuralgebra.formula.printers import latex_expression
from neuralgebra.formula.wolfram import WolframWriter, wolfram_list, wolfram_names, wolfram_number

__all__ = ["MatrixLatex", "MatrixMathML", "MatrixWolfram"]

_NAME = re.compile(r"([JΛ]?)([A-Za-z]+?)(\d*)")


def split(word: str) -> tuple[str, str, str]:
    """Return whose derivative a name is, its letter and its number: ("J", "z", "1")."""
    found = _NAME.fullmatch(word)
    assert found
    return found[1], found[2], found[3]


class MatrixLatex(MatrixText):
    """Matrices as LaTeX."""

    def _name(self, e: Matrix) -> str:
        return self.word(e.data)

    def word(self, word: str) -> str:
        """Return a name: the layer in brackets above."""
        head, letter, index = split(word)
        name = f"{letter}^{{({index})}}" if index else letter
        return f"{'J' if head == 'J' else chr(92) + 'Lambda'}_{{{name}}}" if head else name

    def _product(self, e: Matrix) -> str:
        return r" \, ".join(map(self._within, e.parts))

    def _within(self, e: Matrix) -> str:
        inner = self.write(e)
        return rf"\left({inner}\right)" if e.kind in ("sum", "less", "hadamard") else inner

    def _hadamard(self, e: Matrix) -> str:
        return r" \circ ".join(map(self._within, e.parts))

    def _diagonal(self, e: Matrix) -> str:
        return rf"\operatorname{{diag}}\!\left({self.write(e.parts[0])}\right)"

    def _transposed(self, e: Matrix) -> str:
        inner = self.write(e.parts[0])
        bare = e.parts[0].kind == "name" and "^" not in inner.split("_")[0]
        return rf"{inner}^{{\top}}" if bare else rf"\left({inner}\right)^{{\top}}"

    def function(self, which: Any, order: int) -> str:
        """Return the name of a function."""
        name = MatrixText.function(self, which, order)
        word = re.match(r"\w*[A-Za-z]", name, re.ASCII)
        assert word
        upright = r"\sigma" if word[0] == "sigmoid" else r"\mathrm{" + word[0].replace("_", r"\_") + "}"
        rest = re.sub(r"\^\((\d+)\)", r"^{(\1)}", name[len(word[0]) :])
        index = "".join(str("₀₁₂₃₄₅₆₇₈₉".index(c)) for c in rest if c in "₀₁₂₃₄₅₆₇₈₉")
        marks = "".join(c for c in rest if c not in "₀₁₂₃₄₅₆₇₈₉")
        return (rf"{upright}_{{{index}}}" if index else upright) + marks

    def _function(self, e: Matrix) -> str:
        return rf"{self.function(*e.data)}\!\left({self.write(e.parts[0])}\right)"

    def _softmax(self, e: Matrix) -> str:
        return rf"\operatorname{{softmax}}\!\left({self.write(e.parts[0])}\right)"

    def _stack(self, e: Matrix) -> str:
        return _pmatrix(map(self.write, e.parts))

    def _rows(self, e: Matrix) -> str:
        return rf"\left[{self.write(e.parts[0])}\right]_{{{e.data[0]}..{e.data[1]}}}"

    def _columns(self, e: Matrix) -> str:
        return rf"\left[{self.write(e.parts[0])}\right]_{{:,{e.data[0]}..{e.data[1]}}}"

    def _row(self, e: Matrix) -> str:
        if not e.parts:
            return "e_{o}"
        inner = self.write(e.parts[0])
        return rf"\left({inner}\right)^{{\top}}" if e.parts[0].rows == 1 else rf"\left[{inner}\right]_{{o}}"

    def document(self, digits: int | None, inputs: Sequence[str]) -> str:
        """Return equations, functions and numbers as one aligned environment."""
        form, z = self.form, sympy.Symbol("z")
        lines = [rf"&\text{{inputs }} x: \quad {', '.join(inputs)}"]
        lines += [f"{self.word(left.data)} &= {self.write(right)}" for left, right in form.equations]
        if form.jacobian is not None:
            lines.append(rf"\frac{{\partial y}}{{\partial x}} &= {self.write(form.jacobian)}")
        if form.hessian is not None:
            y = "y_{o}" if form.network.output_size > 1 else "y"
            terms = " + ".join(map(self.write, form.hessian)) or "0"
            lines.append(rf"\frac{{\partial^{{2}} {y}}}{{\partial x^{{2}}}} &= {terms}")
        for which, order in form.functions:
            written = latex_expression(definition_of(which, order, z), digits)
            if (which.row.name, order) in (("tanh", 0), ("exp", 0), ("sin", 0), ("cos", 0)):
                continue
            lines.append(rf"{self.function(which, order)}(z) &= {written}")
        for word, array in form.numbers.items():
            rows = [" & ".join(self._number(v, digits) for v in r) for r in _columnwise(array)]
            lines.append(f"{self.word(word)} &= {_pmatrix(rows)}")
        return "$$\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$$"

    def _number(self, value: float, digits: int | None) -> str:
        mantissa, _, exponent = number(value, digits).partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def _pmatrix(rows: Iterable[str]) -> str:
    return "\\begin{pmatrix} " + r" \\ ".join(rows) + r" \end{pmatrix}"


def _columnwise(array: np.ndarray) -> np.ndarray:
    """Return a matrix; a vector is a column."""
    return array if array.ndim == 2 else array[:, None]


class MatrixMathML(MatrixText):
    """Matrices as presentation MathML."""

    def _name(self, e: Matrix) -> str:
        return self.word(e.data)

    def word(self, word: str) -> str:
        """Return a name with the layer as index."""
        head, letter, index = split(word)
        name = f"<msub><mi>{letter}</mi><mn>{index}</mn></msub>" if index else f"<mi>{letter}</mi>"
        return f"<msub><mi>{head}</mi>{name}</msub>" if head else name

    def _row_of(self, parts: Sequence[str], sign: str) -> str:
        return f"<mrow>{f'<mo>{sign}</mo>'.join(parts)}</mrow>"

    def _bracketed(self, text: str) -> str:
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"

    def _within(self, e: Matrix) -> str:
        return self._bracketed(self.write(e)) if e.kind in ("sum", "less", "hadamard") else self.write(e)

    def _product(self, e: Matrix) -> str:
        return self._row_of([self._within(p) for p in e.parts], "&#x2062;" if not e.columns else "⋅")

    def _sum(self, e: Matrix) -> str:
        return self._row_of([self.write(p) for p in e.parts], "+")

    def _less(self, e: Matrix) -> str:
        return self._row_of([self.write(e.parts[0]), self._within(e.parts[1])], "−")

    def _hadamard(self, e: Matrix) -> str:
        return self._row_of([self._within(p) for p in e.parts], "∘")

    def _applied(self, name: str, argument: str) -> str:
        return f"<mrow>{name}<mo>&#x2061;</mo>{self._bracketed(argument)}</mrow>"

    def _diagonal(self, e: Matrix) -> str:
        return self._applied("<mi>diag</mi>", self.write(e.parts[0]))

    def _softmax(self, e: Matrix) -> str:
        return self._applied("<mi>softmax</mi>", self.write(e.parts[0]))

    def _function(self, e: Matrix) -> str:
        return self._applied(f"<mi>{html.escape(self.function(*e.data))}</mi>", self.write(e.parts[0]))

    def _transposed(self, e: Matrix) -> str:
        return f"<msup>{self._bare(e.parts[0])}<mi>T</mi></msup>"

    def _bare(self, e: Matrix) -> str:
        return self.write(e) if e.kind == "name" else self._bracketed(self.write(e))

    def _stack(self, e: Matrix) -> str:
        return _table([[self.write(p)] for p in e.parts])

    def _rows(self, e: Matrix) -> str:
        return f"<msub>{self._bare(e.parts[0])}<mtext>{e.data[0]}..{e.data[1]}</mtext></msub>"

    def _columns(self, e: Matrix) -> str:
        return f"<msub>{self._bare(e.parts[0])}<mtext>:,{e.data[0]}..{e.data[1]}</mtext></msub>"

    def _row(self, e: Matrix) -> str:
        if not e.parts:
            return "<msub><mi>e</mi><mi>o</mi></msub>"
        inner = self._bare(e.parts[0])
        if e.parts[0].rows == 1:
            return f"<msup>{inner}<mi>T</mi></msup>"
        return f"<msub><mrow><mo>[</mo>{inner}<mo>]</mo></mrow><mi>o</mi></msub>"

    def document(self, digits: int | None, remarks: Sequence[str]) -> str:
        """Return equations, functions and numbers as one table."""
        form, z = self.form, sympy.Symbol("z")
        writer = MathMLWriter({z: "<mi>z</mi>"}, digits)
        rows = [row(self.word(left.data), self.write(right)) for left, right in form.equations]
        if form.jacobian is not None:
            rows.append(row(_partial("<mi>y</mi>", ""), self.write(form.jacobian)))
        if form.hessian is not None:
            y = "<msub><mi>y</mi><mi>o</mi></msub>" if form.network.output_size > 1 else "<mi>y</mi>"
            rows.append(
                row(_partial(y, "2"), self._row_of([self.write(t) for t in form.hessian] or ["<mn>0</mn>"], "+"))
            )
        for which, order in form.functions:
            left = self._applied(f"<mi>{html.escape(self.function(which, order))}</mi>", "<mi>z</mi>")
            rows.append(row(left, writer.line(definition_of(which, order, z))))
        for word, array in form.numbers.items():
            cells = [[self._number(writer, v, digits) for v in r] for r in _columnwise(array)]
            rows.append(row(self.word(word), _table(cells)))
        return mathml_table(rows, remarks)

    def _number(self, writer: MathMLWriter, value: float, digits: int | None) -> str:
        text = number(value, digits)
        return writer.negative(writer.number(text[1:])) if text.startswith("-") else writer.number(text)


def _table(cells: list[list[str]]) -> str:
    """Return a matrix in brackets."""
    rows = "".join(f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in cells_of_row)}</mtr>" for cells_of_row in cells)
    return f"<mrow><mo>(</mo><mtable>{rows}</mtable><mo>)</mo></mrow>"


def _partial(y: str, order: str) -> str:
    power = f"<mn>{order}</mn>"
    above = f"<msup><mo>∂</mo>{power}</msup>{y}" if order else f"<mo>∂</mo>{y}"
    below = f"<mo>∂</mo><msup><mi>x</mi>{power}</msup>" if order else "<mo>∂</mo><mi>x</mi>"
    return f"<mfrac><mrow>{above}</mrow><mrow>{below}</mrow></mfrac>"


class MatrixWolfram(MatrixText):
    """Matrices in the Wolfram Language: the definition of one function of a list."""

    def _name(self, e: Matrix) -> str:
        return self.word(e.data)

    def word(self, word: str) -> str:
        """Return a name: w1, jz1, la1."""
        head, letter, index = split(word)
        return {"J": "j", "Λ": "l", "": ""}[head] + letter.lower() + index

    def _product(self, e: Matrix) -> str:
        if e.columns and not e.parts[0].columns:  # a column times a row
            return f"Outer[Times, {self.write(e.parts[0])}, {self.write(e.parts[1].parts[0])}]"
        return " . ".join(map(self._within, e.parts))

    def _hadamard(self, e: Matrix) -> str:
        return "*".join(map(self._within, e.parts))

    def _diagonal(self, e: Matrix) -> str:
        return f"DiagonalMatrix[{self.write(e.parts[0])}]"

    def _transposed(self, e: Matrix) -> str:
        return f"Transpose[{self.write(e.parts[0])}]"

    def _function(self, e: Matrix) -> str:
        return f"Map[{self.defined[e.data]}, {self.write(e.parts[0])}]"

    def _softmax(self, e: Matrix) -> str:
        return f"softmax[{self.write(e.parts[0])}]"

    def _stack(self, e: Matrix) -> str:
        return f"Join[{', '.join(map(self.write, e.parts))}]"

    def _rows(self, e: Matrix) -> str:
        return f"Take[{self.write(e.parts[0])}, {{{e.data[0]}, {e.data[1]}}}]"

    def _columns(self, e: Matrix) -> str:
        return f"Take[{self.write(e.parts[0])}, All, {{{e.data[0]}, {e.data[1]}}}]"

    def _row(self, e: Matrix) -> str:
        return f"Part[{self.write(e.parts[0])}, o]" if e.parts else f"UnitVector[{e.rows}, o]"

    def document(self, digits: int | None, name: str) -> str:
        """Return the definition."""
        form = self.form
        words = [f"{w.row.name}_d{o}" if o else w.row.name for w, o in form.functions]
        used = [self.word(left.data) for left, _ in form.equations] + [self.word(word) for word in form.numbers]
        names = wolfram_names([*used, "x", "o", "softmax", name, *(_plain(w, n) for n, w in enumerate(words))])
        self.defined = dict(zip(form.functions, names[-len(words) :] if words else [], strict=True))
        lines = [f"{self.word(word)} = {_list(array, digits)};" for word, array in form.numbers.items()]
        lines += [self._definition(which, order, digits) for which, order in form.functions]
        soft = any(right.kind == "softmax" for _, right in form.values)
        lines += ["softmax[z_] := Exp[z - Max[z]]/Total[Exp[z - Max[z]]];"] if soft else []
        lines += [f"{self.word(left.data)} = {self.write(right)};" for left, right in form.equations]
        own = [*used, *self.defined.values(), *(["softmax"] if soft else [])]
        body = "\n".join(f"  {line}" for line in [*lines, f"{self._result()}]"])
        return f"{name}[x_] := Module[{wolfram_list(own)},\n{body}"

    def _definition(self, which: Any, order: int, digits: int | None) -> str:
        z = sympy.Symbol("z")
        written = WolframWriter({z: "z"}, digits).line(definition_of(which, order, z))
        return f"{self.defined[which, order]}[z_] := {written};"

    def _result(self) -> str:
        form = self.form
        results = ["y"]
        if form.jacobian is not None:
            results.append(self.write(form.jacobian))
        if form.hessian is not None:
            n, outputs = form.network.input_size, form.network.output_size
            terms = " + ".join(map(self.write, form.hessian)) or f"ConstantArray[0, {{{n}, {n}}}]"
            results.append(f"Table[{terms}, {{o, {outputs}}}]")
        return results[0] if len(results) == 1 else f"{{{', '.join(results)}}}"


def _plain(word: str, place: int) -> str:
    """Return a word of a function for the Wolfram Language; a derivative of a derivative is numbered."""
    marks = re.sub(r"[^A-Za-z0-9_]", "_", word).strip("_")
    return f"fn_{marks}" if marks[:1].isupper() or marks == word.strip("_") else f"fn_{marks}_{place}"


def _list(array: np.ndarray, digits: int | None) -> str:
    """Return nested lists."""
    if array.ndim == 0:
        text = number(float(array), digits)
        return f"-{wolfram_number(text[1:])}" if text.startswith("-") else wolfram_number(text)
    return f"{{{', '.join(_list(np.asarray(a), digits) for a in array)}}}"
