"""What both views of a network share: sizes, wires and small shapes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from neuralgebra.show.items import Item
from neuralgebra.show.layout import Box, Placement
from neuralgebra.show.lettering import Label, cut, joined, plain, width
from neuralgebra.show.scene import BLACK, Circle, Line, Part, Path, Point, Rectangle, Style, Text
from neuralgebra.show.sketch import Names, Sketch

__all__ = [
    "FONT",
    "SMALL",
    "Area",
    "View",
    "centered",
    "count",
    "dots",
    "kind",
    "name_labels",
    "node",
    "pill",
    "widest",
    "wire",
]

FONT, SMALL = 12.0, 10.0
WHITE = "#ffffff"
THIN = Style(BLACK, width=0.9)
Area: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom."""


@dataclass(frozen=True)
class View:
    """A way to draw a network.

    Parameters
    ----------
    sketch : Sketch
        What is drawn.
    names : Names
        What weights and functions are called.
    """

    sketch: Sketch
    names: Names

    merged: ClassVar[bool] = False
    most: ClassVar[int] = 24  # columns
    wrapped: ClassVar[float | None] = None  # width at which a chain goes on in the next row

    def box(self, item: Item) -> Box:
        """Return the room that an item needs."""
        raise NotImplementedError

    def paint(self, item: Item, at: Point, box: Box, placement: Placement) -> Iterator[Part]:
        """Yield the wires that lead to an item, and the item."""
        raise NotImplementedError

    def area(self, item: Item, at: Point, box: Box) -> Area:
        """Return what an item covers, with the weights before it and the labels above."""
        raise NotImplementedError

    def title(self, item: Item) -> str:
        """Return all of what is cut in the picture."""
        if item.layer is None:
            names = self.sketch.output_names if item.inputs else self.sketch.input_names
            return count(item.hidden) if item.hidden else ", ".join(names[:100])
        return str(item.layer)


def count(hidden: int) -> str:
    """Return how many layers are left out."""
    return f"{hidden:,} layer{'s' * (hidden != 1)}"


def kind(item: Item) -> str:
    """Return what an item is, in one word."""
    if item.layer is not None:
        return type(item.layer).__name__.lower()
    return "dots" if item.hidden else "output" if item.inputs else "input"


def centered(at: Point, label: Label, size: float = FONT, color: str = BLACK) -> Text:
    """Return a label with its middle at a point."""
    return Text((at[0], at[1] + 0.34 * size), label, size, "middle", color)


def node(at: Point, radius: float, sign: str, style: Style) -> Iterator[Part]:
    """Yield the circle of an operation with its sign: + − × · in it."""
    solid = Style(style.stroke, WHITE, 1.1)
    yield Circle(at, radius, solid)
    (x, y), r = at, radius * 0.55
    if sign == "·":
        yield Circle(at, radius * 0.22, Style(None, style.stroke))
        return
    bars = {"+": [(r, 0.0), (0.0, r)], "−": [(r, 0.0)], "×": [(0.75 * r, 0.75 * r), (0.75 * r, -0.75 * r)]}[sign]
    yield from (Line((x - a, y - b), (x + a, y + b), Style(style.stroke, width=1.1)) for a, b in bars)


def pill(at: Point, w: float, h: float, lines: Sequence[Label], style: Style = THIN, size: float = FONT) -> list[Part]:
    """Return a round box with lines of text."""
    box = Rectangle((at[0] - w / 2, at[1] - h / 2), w, h, min(h / 2, 10.0), Style(style.stroke, WHITE, 1.0))
    first = at[1] - (len(lines) - 1) * (size + 2) / 2
    return [box, *(centered((at[0], first + i * (size + 2)), line, size) for i, line in enumerate(lines))]


def dots(at: Point, flat: bool = False) -> list[Part]:
    """Return three dots, one below the other or side by side."""
    steps = [(d, 0.0) if flat else (0.0, d) for d in (-5.0, 0.0, 5.0)]
    return [Circle((at[0] + a, at[1] + b), 1.2, Style(None, BLACK)) for a, b in steps]


def wire(points: Sequence[Point], style: Style = THIN) -> Iterator[Part]:
    """Yield a line through points, straight along each height and bent between two."""
    straight = [p for i, p in enumerate(points) if i in (0, len(points) - 1) or p[1] != points[i - 1][1]
                or p[1] != points[i + 1][1]]  # fmt: skip
    if len(straight) > 1 and straight[0] != straight[-1]:
        flat = all(p[1] == straight[0][1] for p in straight)
        yield Line(straight[0], straight[-1], style) if flat else Path(_bent(straight), style, curved=True)


def _bent(points: Sequence[Point]) -> tuple[Point, ...]:
    found = [points[0]]
    for (a, b), (c, d) in itertools.pairwise(points):
        half = (a + c) / 2
        found += [(half, b), (half, d), (c, d)]
    return tuple(found)


def name_labels(names: Sequence[str], limit: int) -> list[Label]:
    """Return names as labels, each cut to a limit; a number at the end of x1 is a subscript."""
    return [_name(cut(name, limit)) for name in names]


def _name(name: str) -> Label:
    stem = name.rstrip("0123456789")
    if len(stem) == 1 and stem.isalpha():
        return joined(*(_slanted(stem, name[1:])))
    return plain(name)


def _slanted(letter: str, index: str) -> Iterable[Label]:
    first, *rest = joined(plain(letter), plain(index)) if index else plain(letter)
    yield (first._replace(italic=True),)
    yield tuple(run._replace(rise=-0.2, scale=0.7) for run in rest)


def widest(labels: Iterable[Label], size: float = FONT) -> float:
    """Return the width of the widest label."""
    return max((width(label, size) for label in labels), default=0.0)
