"""Printers whose numbers read back to the same bits: the shortest decimal of each double."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from neuralgebra.formula.letform import Let, LetForm

__all__ = ["latex_lines", "text_lines"]


_GREEK = {"Phi": r"\Phi", "phi": r"\varphi"}


def _shortest(number: sympy.Float, digits: int | None) -> str:
    value = float(number)
    return repr(value if digits is None else float(f"{value:.{digits}g}"))


class _Ordered:
    """Sums in the order in which their names were introduced, constants last."""

    def __init__(self, form: LetForm, digits: int | None, settings: dict[str, Any]) -> None:
        super().__init__(settings)  # type: ignore[call-arg]
        self.digits = digits
        names = (*form.inputs, *(line.symbol for line in form.lines))
        self._place = {symbol: place for place, symbol in enumerate(names)}

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
        del order
        return sorted(expr.args, key=self._key)

    def _key(self, term: Any) -> tuple[Any, ...]:
        if term.is_number:
            return (1,)
        return 0, sorted(self._place.get(s, 0) for s in term.free_symbols), term.sort_key()


class _Text(_Ordered, StrPrinter):  # type: ignore[misc]
    """SymPy's text, with shortest round-trip numbers."""

    def _print_Float(self, expr: Any) -> str:
        return _shortest(expr, self.digits)


class _Latex(_Ordered, LatexPrinter):  # type: ignore[misc]
    """SymPy's LaTeX, with shortest round-trip numbers."""

    def _print_Float(self, expr: Any) -> str:
        mantissa, _, exponent = _shortest(expr, self.digits).partition("e")
        if not exponent:
            return mantissa
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}"

    def _needs_mul_brackets(self, expr: Any, first: bool = False, last: bool = False) -> bool:
        return bool(expr.is_Float and expr < 0 and not first) or super()._needs_mul_brackets(expr, first, last)


def text_lines(form: LetForm, digits: int | None = None) -> list[str]:
    """Return one line "name = expression" for each let."""
    printer = _Text(form, digits, {"full_prec": False})
    return [f"{line.symbol.name} = {printer.doprint(line.expression)}" for line in form.lines]


def latex_lines(form: LetForm, digits: int | None = None) -> list[str]:
    r"""Return one line "name &= expression" for each let."""
    names = {line.symbol: _latex_name(line, form) for line in form.lines}
    printer = _Latex(form, digits, {"symbol_names": {**_input_names(form), **names}})
    return [f"{names[line.symbol]} &= {printer.doprint(line.expression)}" for line in form.lines]


def _input_names(form: LetForm) -> Mapping[sympy.Symbol, str]:
    return {symbol: latex_name(symbol.name) for symbol in form.inputs}


def latex_name(name: str) -> str:
    """Return a safe identifier in LaTeX: x12 -> x_{12}, longer words upright."""
    word = name.rstrip("0123456789_")
    index = name[len(word) :].strip("_")
    head = word if len(word) == 1 else rf"\mathrm{{{word}}}".replace("_", r"\_")
    return f"{head}_{{{index}}}" if index else head


def _latex_name(line: Let, form: LetForm) -> str:
    if line.unit:
        word = line.stem.rstrip("0123456789")
        number = line.stem[len(word) :]
        letter = _GREEK.get(word, word)
        head = rf"{letter}^{{({number})}}_{{{line.unit}}}"
    else:
        head = latex_name(line.stem)
    if not line.keys:
        return head
    order = len(line.keys)
    below = " ".join(rf"\partial {latex_name(form.inputs[i].name)}" for i in line.keys)
    power = f"^{{{order}}}" if order > 1 else ""
    return rf"\frac{{\partial{power} {head}}}{{{below}}}"
