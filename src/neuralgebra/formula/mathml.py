"""Presentation MathML: the let-form as a table with one row for each line, valid XML whatever the names are."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

from neuralgebra.formula.letform import Let, LetForm
from neuralgebra.formula.walk import ATOM, CONDITION, Writer

__all__ = ["MathMLWriter", "identifier", "mathml", "mathml_table", "row"]

_GREEK = {"Phi": "Φ", "phi": "φ"}
_SIGNS = {">": "&gt;", "<": "&lt;", ">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}
_TIMES, _OF, _DOT = "<mo>&#x2062;</mo>", "<mo>&#x2061;</mo>", "<mo>⋅</mo>"
_DOTTED = re.compile("(<mrow>)?<mn>|(<msub>)?<mi>[A-Za-z_]{2}")
_ATTRIBUTES = 'xmlns="http://www.w3.org/1998/Math/MathML" display="block"'
_CELL = '<mtd columnalign="{0}" style="text-align: {0}">{1}</mtd>'
_LEGEND = '<mtr><mtd columnspan="2" columnalign="left" style="text-align: left"><mtext>{}</mtext></mtd></mtr>'
_NAMED = "exp log sin cos tan sinh cosh tanh erf erfc sign asin acos atan asinh acosh atanh"


class MathMLWriter(Writer):
    """Expressions in presentation MathML."""

    functions: ClassVar = {
        **{word: word for word in _NAMED.split()},
        **{"Abs": "abs", "Max": "max", "Min": "min", "floor": "floor", "ceiling": "ceil", "Pi": "π", "Exp1": "e"},
        **{"BooleanTrue": "true", "BooleanFalse": "false", "Not": "not"},
    }
    cases_bind: ClassVar = CONDITION  # a brace has no right end

    def number(self, text: str) -> str:
        """Return a number, with a power of ten for its exponent."""
        mantissa, _, exponent = text.partition("e")
        if not exponent:
            return f"<mn>{mantissa}</mn>"
        return _row(f"<mn>{mantissa}</mn>{_DOT}<msup><mn>10</mn>{self._integer(int(exponent))}</msup>")

    def _integer(self, value: int) -> str:
        return f"<mn>{value}</mn>" if value >= 0 else _row(f"<mo>−</mo><mn>{-value}</mn>")

    def bracketed(self, text: str) -> str:
        """Return something in brackets."""
        return _row(f"<mo>(</mo>{text}<mo>)</mo>")

    def negative(self, text: str) -> str:
        """Return something with a minus."""
        return _row(f"<mo>−</mo>{text}")

    def summed(self, terms: list[tuple[bool, str]]) -> str:
        """Return a sum."""
        (minus, first), *others = terms
        signs = (f"<mo>{'−' if m else '+'}</mo>{text}" for m, text in others)
        return _row(("<mo>−</mo>" if minus else "") + first + "".join(signs))

    def multiplied(self, factors: list[str]) -> str:
        """Return a product; there is a dot before numbers and words, and between fractions."""
        text = factors[0]
        for factor in factors[1:]:
            fractions = text.endswith("</mfrac>") and factor.startswith("<mfrac>")
            text += (_DOT if fractions or _DOTTED.match(factor) else _TIMES) + factor
        return _row(text)

    def divided(self, above: tuple[str, int], below: tuple[str, int]) -> str:
        """Return a fraction."""
        return f"<mfrac>{above[0]}{below[0]}</mfrac>"

    def raised(self, base: Any, exponent: Any) -> str:
        """Return a power."""
        text = self.write(base, ATOM)
        tall = text.startswith(("<msup>", "<mfrac>"))  # whose exponent would be taken for that of a part
        return f"<msup>{self.bracketed(text) if tall else text}{self.write(exponent)}</msup>"

    def constant(self, name: str) -> str:
        """Return a constant."""
        return f"<mi>{name}</mi>"

    def root(self, text: str) -> str:
        """Return a square root."""
        return f"<msqrt>{text}</msqrt>"

    def applied(self, name: str, arguments: list[str]) -> str:
        """Return a function of arguments."""
        if name == "exp" and "<mfrac>" not in arguments[0]:
            return f"<msup><mi>e</mi>{arguments[0]}</msup>"
        if name == "Abs":
            return _row(f"<mo>|</mo>{arguments[0]}<mo>|</mo>")
        inside = "<mo>,</mo>".join(arguments)
        return _row(f"<mi>{self.functions[name]}</mi>{_OF}{self.bracketed(inside)}")

    def cases(self, pairs: list[tuple[str, str]], otherwise: str) -> str:
        """Return cases behind a brace."""
        rows = [*pairs, (otherwise, "<mtext>otherwise</mtext>")]
        table = "".join(f"<mtr><mtd>{value}</mtd><mtd>{condition}</mtd></mtr>" for value, condition in rows)
        return _row(f"<mo>{{</mo><mtable>{table}</mtable>")

    def relation(self, sign: str, left: str, right: str) -> str:
        """Return a relation."""
        return _row(f"{left}<mo>{_SIGNS[sign]}</mo>{right}")

    def joined(self, word: str, parts: Iterable[str]) -> str:
        """Return conditions joined."""
        return _row(f"<mo>{'∧' if word == 'and' else '∨'}</mo>".join(parts))


def _row(text: str) -> str:
    return f"<mrow>{text}</mrow>"


def row(left: str, right: str) -> str:
    """Return the row of a table that says left = right."""
    return f"<mtr>{_CELL.format('right', left)}{_CELL.format('left', f'<mrow><mo>=</mo>{right}</mrow>')}</mtr>"


def mathml_table(rows: Iterable[str], remarks: Iterable[str] = ()) -> str:
    """Return the math element of a table, remarks before its rows.

    Parameters
    ----------
    rows : iterable of str
        As `row` gives them.
    remarks : iterable of str
        Texts of characters that print; they are escaped here.
    """
    legend = [_LEGEND.format(html.escape(remark)) for remark in remarks]
    return "\n".join([f'<math {_ATTRIBUTES}><mtable displaystyle="true">', *legend, *rows, "</mtable></math>"])


# Names ------------------------------------------------------------------------------------------------------------


def identifier(name: str) -> str:
    """Return a safe identifier: x12 is x with the index 12."""
    word = name.rstrip("0123456789_")
    index = name[len(word) :].strip("_")
    if not index or name.endswith("_"):
        return f"<mi>{name}</mi>"
    return f"<msub><mi>{word}</mi><mn>{index.replace('_', ',')}</mn></msub>"


def mathml_names(form: LetForm) -> dict[Any, str]:
    """Return the names of a let-form; one that is taken gives way to the plain identifier."""
    names: dict[Any, str] = {}
    heads: dict[tuple[str, str], str] = {}
    taken: set[str] = set()
    values = [line for line in form.lines if line.output is not None and not line.keys]
    others = [line for line in form.lines if line.output is None or line.keys]
    for symbol, line in [*((s, None) for s in form.inputs), *((a.symbol, a) for a in (*values, *others))]:
        name = identifier(symbol.name) if line is None else _name(line, form, names, heads)
        names[symbol] = f"<mi>{symbol.name}</mi>" if name in taken else name
        taken.add(names[symbol])
        if line is not None and not line.keys:
            heads[line.stem, line.unit] = names[symbol]
    return {symbol: names[symbol] for symbol in form.names}


def _name(line: Let, form: LetForm, names: dict[Any, str], heads: dict[tuple[str, str], str]) -> str:
    head = heads.get((line.stem, line.unit)) or _head(line)
    if not line.keys:
        return head
    power = f"<mn>{len(line.keys)}</mn>"
    top = f"<mo>∂</mo>{head}" if len(line.keys) == 1 else f"<msup><mo>∂</mo>{power}</msup>{head}"
    below = "".join(_by(names[form.inputs[i]], n) for i, n in Counter(line.keys).items())
    return f"<mfrac>{_row(top)}{_row(below)}</mfrac>"


def _by(name: str, order: int) -> str:
    return f"<mo>∂</mo>{name}" if order == 1 else f"<mo>∂</mo><msup>{name}<mn>{order}</mn></msup>"


def _head(line: Let) -> str:
    """Return the name of what a line differentiates: the layer above, the unit below."""
    if not line.unit:
        return identifier(line.stem)
    word = line.stem.rstrip("0123456789")
    place = f"<mtext>({line.stem[len(word) :]})</mtext>"
    return f"<msubsup><mi>{_GREEK.get(word, word)}</mi><mn>{line.unit}</mn>{place}</msubsup>"


def mathml(form: LetForm, digits: int | None, remarks: Iterable[str] = ()) -> str:
    """Return the let-form as a math element."""
    names = mathml_names(form)
    writer = MathMLWriter(names, digits)
    rows = (row(names[line.symbol], writer.line(line.expression)) for line in form.lines)
    return mathml_table(rows, remarks)
