"""Printers whose numbers read back to the same bits: the shortest decimal of each double."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from neuralgebra.errors import shown
from neuralgebra.formula.letform import Let, LetForm
from neuralgebra.formula.terms import Order, is_flat, rounded, settled, shortest

__all__ = [
    "latex_expression",
    "latex_legend",
    "latex_lines",
    "latex_name",
    "text_expression",
    "text_legend",
    "text_lines",
]


_GREEK = {"Phi": r"\Phi", "phi": r"\varphi"}
_LONGEST = 200


# Printers ---------------------------------------------------------------------------------------------------------


class _Ordered:
    """Sums in the order in which their names were introduced, constants last."""

    times = ""

    def __init__(self, names: Iterable[Any], settings: dict[str, Any]) -> None:
        super().__init__(settings)  # type: ignore[call-arg]
        self._order = Order(names)
        self._names: dict[Any, str] = {}

    def line(self, expr: Any, digits: int | None) -> str:
        """Return an expression with its numbers rounded to digits; a sum as long as a layer is wide quickly."""
        flat = expr.is_Add and all(map(is_flat, expr.args))
        return self._flat(expr, digits) if flat else str(self.doprint(settled(expr, digits)))  # type: ignore[attr-defined]

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        """Return a sum; one of numbers times names without SymPy's questions."""
        if not all(map(is_flat, expr.args)):
            return str(super()._print_Add(expr, order=order))  # type: ignore[misc]
        return self._flat(expr, None)

    def _flat(self, expr: Any, digits: int | None) -> str:
        """Return a sum of numbers times names, of names and of numbers."""
        terms = [self._signed(term, digits) for term in self._as_ordered_terms(expr)]
        (minus, first), *others = [term for term in terms if term[1] != "0"] or [(False, "0")]
        start = ("-" + self.times.replace("*", "") if minus else "") + first
        return start + "".join((" - " if minus else " + ") + text for minus, text in others)

    def _signed(self, term: Any, digits: int | None) -> tuple[bool, str]:
        """Return whether a number, a name or their product has a minus, and the rest of it."""
        if term.is_Symbol:
            return False, self._named(term)
        number, *names = term.args if term.is_Mul else (term,)
        minus, text = rounded(number, digits)
        if not names:
            return minus, self.number(text)
        name = self.times.join([self._named(symbol) for symbol in names])
        return minus, name if text == "1" else "0" if text == "0" else f"{self.number(text)}{self.times}{name}"

    def _named(self, symbol: Any) -> str:
        if symbol not in self._names:
            self._names[symbol] = str(self._print(symbol))  # type: ignore[attr-defined]
        return self._names[symbol]

    def number(self, text: str) -> str:
        """Return a number that is not negative in the notation."""
        return text

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
        del order
        return self._order.terms(expr)


class _Text(_Ordered, StrPrinter):  # type: ignore[misc]
    """SymPy's text, with shortest round-trip numbers."""

    times = "*"

    def _print_Float(self, expr: Any) -> str:
        return shortest(expr)


class _Latex(_Ordered, LatexPrinter):  # type: ignore[misc]
    """SymPy's LaTeX, with shortest round-trip numbers."""

    times = " "

    def _print_Float(self, expr: Any) -> str:
        return self.number(shortest(expr))

    def number(self, text: str) -> str:
        """Return a number with a power of ten for its exponent."""
        mantissa, _, exponent = text.partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa

    def parenthesize_super(self, s: str) -> str:
        """Return a base in brackets where its exponent would be taken for that of a part."""
        return rf"\left({s}\right)" if "^" in s or s.startswith(r"\frac") else s

    def _needs_mul_brackets(self, expr: Any, first: bool = False, last: bool = False) -> bool:
        return bool(expr.is_Float and expr < 0 and not first) or super()._needs_mul_brackets(expr, first, last)


def text_lines(form: LetForm, digits: int | None = None) -> list[str]:
    """Return one line "name = expression" for each let."""
    printer = _Text(form.names, {"full_prec": False})
    return [f"{line.symbol.name} = {printer.line(line.expression, digits)}" for line in form.lines]


def latex_lines(form: LetForm, digits: int | None = None) -> list[str]:
    r"""Return one line "name &= expression" for each let."""
    names = _latex_names(form)
    printer = _Latex(form.names, {"symbol_names": names})
    return [f"{names[line.symbol]} &= {printer.line(line.expression, digits)}" for line in form.lines]


def text_expression(expression: Any, digits: int | None = None) -> str:
    """Return an expression in one variable as text."""
    return _Text(expression.free_symbols, {"full_prec": False}).line(expression, digits)


def latex_expression(expression: Any, digits: int | None = None) -> str:
    """Return an expression in one variable as LaTeX."""
    return _Latex(expression.free_symbols, {}).line(expression, digits)


# Names ------------------------------------------------------------------------------------------------------------


def text_legend(form: LetForm) -> list[str]:
    """Return a comment for each name that is not printed as it is; printable characters are shown, others escaped."""
    return [f"# {new} stands for the {what} {_cut(old)!r}" for old, new, what in form.safe]


def latex_legend(form: LetForm) -> list[str]:
    """Return a comment of ASCII characters for each name that is not printed as it is."""
    lines = (f"% {new} stands for the {what} '{shown(old, _LONGEST)}'" for old, new, what in form.safe)
    return [line.replace("…", "...") for line in lines]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _latex_names(form: LetForm) -> dict[sympy.Symbol, str]:
    """Return names in LaTeX, different for different symbols: one that is taken gives way to the plain identifier."""
    names: dict[sympy.Symbol, str] = {}
    heads: dict[tuple[str, str], str] = {}
    outputs = [(line.symbol, line) for line in form.lines if line.output is not None and not line.keys]
    between = [(line.symbol, line) for line in form.lines if line.output is None or line.keys]
    taken: set[str] = set()
    for symbol, line in [*((s, None) for s in form.inputs), *outputs, *between]:
        name = latex_name(symbol.name) if line is None else _latex_name(line, form, names, heads)
        names[symbol] = _upright(symbol.name) if name in taken else name
        taken.add(names[symbol])
        if line is not None and not line.keys:
            heads[line.stem, line.unit] = names[symbol]
    return names


def latex_name(name: str) -> str:
    r"""Return a safe identifier in LaTeX: x12 -> x_{12}, longer words upright."""
    word = name.rstrip("0123456789_")
    index = name[len(word) :].strip("_")
    if name.endswith("_"):
        return _upright(name)
    head = word if len(word) == 1 else _upright(word)
    return f"{head}_{{{index}}}" if index else head


def _upright(name: str) -> str:
    return rf"\mathrm{{{name}}}".replace("_", r"\_")


def _latex_name(line: Let, form: LetForm, names: dict[sympy.Symbol, str], heads: dict[tuple[str, str], str]) -> str:
    head = heads.get((line.stem, line.unit)) or _head(line)
    if not line.keys:
        return head
    order = len(line.keys)
    powers = Counter(names[form.inputs[i]] for i in line.keys)
    below = " ".join(rf"\partial {name}" + (f"^{{{n}}}" if n > 1 else "") for name, n in powers.items())
    power = f"^{{{order}}}" if order > 1 else ""
    return rf"\frac{{\partial{power} {head}}}{{{below}}}"


def _head(line: Let) -> str:
    """Return the name of what a line differentiates."""
    if not line.unit:
        return latex_name(line.stem)
    word = line.stem.rstrip("0123456789")
    letter = _GREEK.get(word, word if len(word) == 1 else _upright(word))
    return rf"{letter}^{{({line.stem[len(word) :]})}}_{{{line.unit}}}"
