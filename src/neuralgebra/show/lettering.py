"""Short texts of a picture: runs with their rise and size, how wide they are, and names as data.

No font is opened: widths are estimated, on the wide side, from the classes of letters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from neuralgebra.errors import shown

__all__ = [
    "Label",
    "Run",
    "cut",
    "ends",
    "joined",
    "lower",
    "plain",
    "text_of",
    "upper",
    "variable",
    "visible",
    "width",
]

_NARROW, _WIDE = frozenset("iljtfrI.,:;'|!()[]/ ·′-"), frozenset("mwMWℝ@%…→∘×+=")
_SMALL = 0.7


class Run(NamedTuple):
    """Letters of one size on one line.

    Parameters
    ----------
    text : str
        The letters.
    rise : float
        How high above the base line, in sizes of the text.
    scale : float
        Size, in sizes of the text.
    italic : bool
        Whether they are slanted, as variables are.
    over : bool
        Whether they start where the run before starts, as an exponent above an index does.
    """

    text: str
    rise: float = 0.0
    scale: float = 1.0
    italic: bool = False
    over: bool = False


Label: TypeAlias = tuple[Run, ...]
"""A text as its runs."""


def plain(text: str) -> Label:
    """Return a text as it is."""
    return (Run(text),)


def lower(text: str) -> Label:
    """Return a subscript."""
    return (Run(text, -0.2, _SMALL),) if text else ()


def upper(text: str) -> Label:
    """Return a superscript."""
    return (Run(text, 0.38, _SMALL),) if text else ()


def variable(letter: str, index: str = "") -> Label:
    """Return a slanted letter with a subscript."""
    return (Run(letter, italic=True), *lower(index))


def joined(*labels: Label | str) -> Label:
    """Return labels and plain texts one after another."""
    return tuple(run for label in labels for run in (plain(label) if isinstance(label, str) else label))


def text_of(label: Label) -> str:
    """Return the letters of a label."""
    return "".join(run.text for run in label)


def visible(text: str) -> str:
    """Return a text with what cannot be seen or would turn its direction escaped: controls, marks, surrogates."""
    return "".join(c if c.isprintable() else shown(c) for c in text)


def cut(text: str, limit: int) -> str:
    """Return a visible text, its end left out where it is longer than a limit."""
    text = visible(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def width(label: Label, size: float) -> float:
    """Return about how wide a label is, in the unit of its size."""
    return size * ends(label)[-1][1]


def ends(label: Label, advance: Callable[[Run], float] | None = None) -> list[tuple[float, float]]:
    """Return where each run starts, and how far the label reaches then, in sizes of the text."""
    start = reach = 0.0
    found = [(0.0, 0.0)] if not label else []
    for run in label:
        start = start if run.over else reach
        reach = max(reach, start + (advance or _estimated)(run))
        found.append((start, reach))
    return found


def _estimated(run: Run) -> float:
    return run.scale * sum(map(_advance, run.text))


def _advance(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    if letter in _NARROW:
        return 0.34
    return 0.9 if letter in _WIDE else 0.72 if letter.isupper() else 0.54
