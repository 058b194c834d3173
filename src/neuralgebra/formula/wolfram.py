"""Wolfram Language: the let-form as the definition of one function."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from neuralgebra.errors import InputError, shown
from neuralgebra.formula.letform import LetForm
from neuralgebra.formula.walk import ATOM, POWER, PRODUCT, Writer

__all__ = ["WolframWriter", "definition", "wolfram_legend", "wolfram_list", "wolfram_names", "wolfram_number"]

_WORDS = "exp log tanh sin cos tan sinh cosh erf erfc sign floor".split()  # noqa: SIM905
_INVERSE = "sin cos tan sinh cosh tanh".split()  # noqa: SIM905
_LONGEST = 200
_WIDTH = 100


class WolframWriter(Writer):
    """Expressions in the Wolfram Language."""

    functions: ClassVar = {
        **{word: word.title() for word in _WORDS},
        **{f"a{word}": f"Arc{word.title()}" for word in _INVERSE},
        **{"Abs": "Abs", "Max": "Max", "Min": "Min", "ceiling": "Ceiling", "Pi": "Pi", "Exp1": "E"},
        **{"BooleanTrue": "True", "BooleanFalse": "False", "Not": "Not"},
    }

    def number(self, text: str) -> str:
        """Return an integer, or a number of machine precision."""
        return wolfram_number(text)

    def bracketed(self, text: str) -> str:
        """Return something in brackets."""
        return f"({text})"

    def negative(self, text: str) -> str:
        """Return something with a minus."""
        return f"-{text}"

    def summed(self, terms: list[tuple[bool, str]]) -> str:
        """Return a sum."""
        (minus, first), *others = terms
        return ("-" if minus else "") + first + "".join(f" {'-' if m else '+'} {text}" for m, text in others)

    def multiplied(self, factors: list[str]) -> str:
        """Return a product."""
        return "*".join(factors)

    def divided(self, above: tuple[str, int], below: tuple[str, int]) -> str:
        """Return a fraction on one line."""
        parts = ((*above, PRODUCT), (*below, POWER))
        return "/".join(text if binds >= level else self.bracketed(text) for text, binds, level in parts)

    def raised(self, base: Any, exponent: Any) -> str:
        """Return a power."""
        return f"{self.write(base, ATOM)}^{self.write(exponent, POWER)}"

    def root(self, text: str) -> str:
        """Return a square root."""
        return f"Sqrt[{text}]"

    def applied(self, name: str, arguments: list[str]) -> str:
        """Return a function of arguments."""
        return f"{self.functions[name]}[{', '.join(arguments)}]"

    def cases(self, pairs: list[tuple[str, str]], otherwise: str) -> str:
        """Return cases."""
        return f"Piecewise[{{{', '.join(f'{{{v}, {c}}}' for v, c in pairs)}}}, {otherwise}]"

    def relation(self, sign: str, left: str, right: str) -> str:
        """Return a relation."""
        return f"{left} {sign} {right}"

    def joined(self, word: str, parts: Iterable[str]) -> str:
        """Return conditions joined."""
        return (" && " if word == "and" else " || ").join(parts)


def wolfram_number(text: str) -> str:
    """Return the shortest decimal of a double as a number of machine precision, an integer as it is.

    The backquote after the digits keeps 17 of them from being read as a number of higher precision.
    """
    if text.isdigit():
        return text
    digits, _, exponent = text.partition("e")
    return f"{digits}`*^{int(exponent)}" if exponent else f"{digits}`"


def wolfram_names(words: Sequence[str]) -> list[str]:
    """Return a name of letters and digits for each identifier, distinct: z1_2 is z1N2, dy_dx is dyDx.

    Parameters
    ----------
    words : sequence of str
        Identifiers of ASCII letters, digits and underscores, which are patterns in the Wolfram Language.

    Returns
    -------
    list of str
        Names; one that is an identifier already stays.
    """
    taken = {word for word in words if "_" not in word}
    names = []
    for word in words:
        name = candidate = re.sub("_+(.?)", _joined, word)
        number = 1
        while "_" in word and candidate in taken:
            number += 1
            candidate = f"{name}N{number}"
        taken.add(candidate)
        names.append(candidate)
    return names


def _joined(match: re.Match[str]) -> str:
    return match[1].upper() if match[1].isalpha() else f"N{match[1]}"


def definition(form: LetForm, digits: int | None, name: str) -> str:
    """Return the let-form as a function of a list: it gives {y1, …}, or {value, Jacobian, …} from order 1 on."""
    if not re.fullmatch("[A-Za-z][A-Za-z0-9]*", name):
        raise InputError(f"name {shown(name)!r} received; letters and digits, a letter first, expected.")
    names = _names(form, name)
    writer = WolframWriter(names, digits)
    values = {line.symbol: writer.line(line.expression) for line in form.lines}
    arguments = ", ".join(f"{names[s]}_" for s in form.inputs)
    head = f"{name}[{{{arguments}}}] := "
    if len(form.results) == 1 and all(line.output is not None for line in form.lines):
        return head + _listed(form.results[0], values)
    lines = [f"  {names[symbol]} = {text};" for symbol, text in values.items()]
    results = [_listed(result, names) for result in form.results]
    last = results[0] if len(results) == 1 else f"{{{', '.join(results)}}}"
    own = wolfram_list([names[line.symbol] for line in form.lines])
    return "\n".join([f"{head}Module[{own},", *lines, f"  {last}]"])


def wolfram_list(names: Iterable[str]) -> str:
    """Return a list of names, on several lines where it is long."""
    return "{" + "\n    ".join(textwrap.wrap(", ".join(names), _WIDTH)) + "}"


def _names(form: LetForm, function: str = "") -> dict[Any, str]:
    """Return the name of each symbol; none is that of the function."""
    symbols = form.names
    words = [symbol.name for symbol in symbols]
    found = wolfram_names([f"{word}_" if word == function else word for word in words])
    return dict(zip(symbols, found, strict=True))


def _listed(entries: np.ndarray, names: Any) -> str:
    """Return nested lists."""
    return f"{{{', '.join(names[e] if not isinstance(e, np.ndarray) else _listed(e, names) for e in entries)}}}"


def wolfram_legend(form: LetForm) -> list[str]:
    """Return a comment of ASCII characters for each input and output that is not printed under its own name."""
    names = {symbol.name: name for symbol, name in _names(form).items()}
    listed = [(old, names[new], what) for old, new, what in form.safe]
    return [comment(f"{new} stands for the {what} '{shown(old, _LONGEST)}'") for old, new, what in listed]


def comment(text: str) -> str:
    """Return a comment that nothing in the text ends: the signs that do are written with a space between."""
    safe = text.replace("…", "...").replace("*", "* ").replace("(", "( ")
    return f"(* {safe} *)"
