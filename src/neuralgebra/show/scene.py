"""A picture as a list of lines, circles, rectangles and texts; what draws it needs to know nothing else.

Lengths are in points, y points down. Colours are hexadecimal. The renderings are `svg`, here, and PNG and PDF, in
``show.canvas``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from xml.sax.saxutils import escape, quoteattr

from neuralgebra.show.lettering import Label, ends, visible

__all__ = [
    "BLACK",
    "Circle",
    "Group",
    "Line",
    "Part",
    "Path",
    "Point",
    "Rectangle",
    "Scene",
    "Style",
    "Text",
    "shifted",
]

BLACK = "#000000"
Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Style:
    """How a shape is drawn.

    Parameters
    ----------
    stroke, fill : str, optional
        Colours of outline and inside; None is none.
    width : float
        Of the outline.
    dash : tuple of float
        Lengths of dashes and gaps; () is a solid line.
    """

    stroke: str | None = BLACK
    fill: str | None = None
    width: float = 1.0
    dash: tuple[float, ...] = ()


LINE = Style()


@dataclass(frozen=True)
class Line:
    """A straight line."""

    start: Point
    end: Point
    style: Style = LINE


@dataclass(frozen=True)
class Path:
    """A line through points; curved, each three points after the first are a cubic Bézier segment."""

    points: tuple[Point, ...]
    style: Style = LINE
    curved: bool = False
    closed: bool = False


@dataclass(frozen=True)
class Circle:
    """A circle."""

    center: Point
    radius: float
    style: Style = LINE


@dataclass(frozen=True)
class Rectangle:
    """A rectangle, given by its upper left corner, with round corners of a radius."""

    corner: Point
    width: float
    height: float
    radius: float = 0.0
    style: Style = LINE


@dataclass(frozen=True)
class Text:
    """A label whose base line starts, has its middle or ends at a point.

    Parameters
    ----------
    at : (float, float)
        The point.
    label : tuple of Run
        The runs of letters.
    size : float
        Size of the letters.
    anchor : {"start", "middle", "end"}
        What stands at the point.
    color : str
        Colour of the letters.
    upright : bool
        False turns the text a quarter to the left, about the point.
    halo : bool
        Whether lines that pass behind the letters are kept from them by a white margin.
    """

    at: Point
    label: Label
    size: float = 12.0
    anchor: str = "middle"
    color: str = BLACK
    upright: bool = True
    halo: bool = False


@dataclass(frozen=True)
class Group:
    """Parts that belong together.

    Parameters
    ----------
    parts : tuple of Part
        What is in it.
    kind : str
        What it shows, one word of ours.
    title : str
        What a reader is told who points at it; any text.
    """

    parts: tuple[Part, ...]
    kind: str = ""
    title: str = ""


Part: TypeAlias = Line | Path | Circle | Rectangle | Text | Group


@dataclass(frozen=True)
class Scene:
    """A picture: its size and its parts, from back to front.

    Parameters
    ----------
    width, height : float
        In points.
    parts : tuple of Part
        The parts.
    title : str
        What it shows, in a few words.
    description : str
        What it shows, for those who cannot see it.
    """

    width: float
    height: float
    parts: tuple[Part, ...]
    title: str = field(default="")
    description: str = field(default="")

    def svg(self) -> str:
        """Return the picture as SVG: one text, equal for equal pictures, without scripts, styles and references."""
        w, h = _number(self.width), _number(self.height)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{w}pt" height="{h}pt" viewBox="0 0 {w} {h}" '
            'fill="none" stroke-linecap="round" stroke-linejoin="round" font-family="serif">'
        )
        back = f'<rect width="{w}" height="{h}" fill="#ffffff"/>'
        words = [f"<{tag}>{_escaped(text)}</{tag}>" for tag, text in self._words() if text]
        return "\n".join([head, *words, back, *(line for part in self.parts for line in _lines(part)), "</svg>\n"])

    def _words(self) -> tuple[tuple[str, str], ...]:
        return ("title", self.title), ("desc", self.description)

    def flat(self) -> Iterator[Line | Path | Circle | Rectangle | Text]:
        """Yield the shapes and texts, from back to front, without their groups."""
        stack: list[Part] = list(reversed(self.parts))
        while stack:
            part = stack.pop()
            if isinstance(part, Group):
                stack.extend(reversed(part.parts))
            else:
                yield part


def _number(value: float) -> str:
    """Return a length with at most two decimals."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _escaped(text: str) -> str:
    return escape(visible(text))


def _lines(part: Part) -> Iterator[str]:
    """Yield a part as elements."""
    match part:
        case Group():
            yield f"<g class={quoteattr(part.kind)}>" if part.kind else "<g>"
            if part.title:
                yield f"<title>{_escaped(part.title)}</title>"
            for inner in part.parts:
                yield from _lines(inner)
            yield "</g>"
        case Text():
            yield _text(part)
        case _:
            yield f"<{_shape(part)}{_attributes(part.style)}/>"


def _shape(part: Line | Path | Circle | Rectangle) -> str:
    n = _number
    match part:
        case Line((a, b), (c, d)):
            return f'line x1="{n(a)}" y1="{n(b)}" x2="{n(c)}" y2="{n(d)}"'
        case Circle((x, y), radius):
            return f'circle cx="{n(x)}" cy="{n(y)}" r="{n(radius)}"'
        case Rectangle((x, y), width, height, radius):
            corner = f' rx="{n(radius)}"' if radius else ""
            return f'rect x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}"{corner}'
        case _:
            return f'path d="{_outline(part)}"'


def _outline(path: Path) -> str:
    points = [f"{_number(x)} {_number(y)}" for x, y in path.points]
    return f"M{points[0]}{'C' if path.curved else 'L'}{' '.join(points[1:])}{'Z' if path.closed else ''}"


def _attributes(style: Style) -> str:
    """Return what differs from no outline of width 1 and no inside."""
    dash = " ".join(map(_number, style.dash))
    found = {
        "stroke": style.stroke,
        "fill": style.fill,
        "stroke-width": _number(style.width) if style.stroke and style.width != 1 else None,
        "stroke-dasharray": dash or None,
        "stroke-linecap": "butt" if dash else None,
    }
    return "".join(f' {name}="{value}"' for name, value in found.items() if value)


def _text(text: Text) -> str:
    x, y = map(_number, text.at)
    turn = "" if text.upright else f' transform="rotate(-90 {x} {y})"'
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    halo = ' stroke="#ffffff" stroke-width="3" paint-order="stroke"' if text.halo else ""
    head = f'<text x="{x}" y="{y}" font-size="{_number(text.size)}"{anchor} fill="{text.color}"{halo}{turn}>'
    rises = [0.0, *(run.rise for run in text.label)]
    runs = (_run(text.label, i, rises[i], text.size) for i in range(len(text.label)))
    return head + "".join(runs) + "</text>"


def _run(label: Label, i: int, last: float, size: float) -> str:
    run, places = label[i], ends(label)
    shift, back = _number((last - run.rise) * size), places[i][0] - places[i - 1][1]
    found = {
        "dx": _number(back * size) if run.over else None,
        "dy": shift if shift != "0" else None,
        "font-size": _number(run.scale * size) if run.scale != 1 else None,
        "font-style": "italic" if run.italic else None,
    }
    named = "".join(f' {name}="{value}"' for name, value in found.items() if value)
    return f"<tspan{named}>{_escaped(run.text)}</tspan>" if named else _escaped(run.text)


def shifted(part: Part, dx: float, dy: float) -> Part:
    """Return a part somewhere else."""

    def moved(point: Point) -> Point:
        return point[0] + dx, point[1] + dy

    match part:
        case Group():
            return replace(part, parts=tuple(shifted(inner, dx, dy) for inner in part.parts))
        case Line():
            return replace(part, start=moved(part.start), end=moved(part.end))
        case Path():
            return replace(part, points=tuple(map(moved, part.points)))
        case Circle():
            return replace(part, center=moved(part.center))
        case Rectangle():
            return replace(part, corner=moved(part.corner))
        case Text():
            return replace(part, at=moved(part.at))
