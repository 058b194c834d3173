"""A network as a picture: neuron by neuron, or layer by layer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from neuralgebra.errors import ResourceError, UsageError, shown
from neuralgebra.network.layers import Layer, Mixing, PowerProduct
from neuralgebra.network.network import Network
from neuralgebra.show.boxes import Boxes
from neuralgebra.show.items import Item, items_of, shortened, style_of
from neuralgebra.show.layout import Box, Placement, columns_of, placed, spread, wrapped
from neuralgebra.show.lettering import Label, plain, width
from neuralgebra.show.neurons import MOST, Neurons
from neuralgebra.show.picture import Picture
from neuralgebra.show.scene import Group, Line, Part, Point, Scene, Text, shifted
from neuralgebra.show.sketch import INPUT, Names, Sketch
from neuralgebra.show.view import SMALL, View

__all__ = ["LEVELS", "Drawing", "diagram", "draw", "in_notebook", "level_of"]

LEVELS = ("auto", "neurons", "layers")
_MARGIN = 16.0
_LINE = 16.0
_ITEMS = 500  # in one picture
_WORDS = 30  # layers that are put into words


def draw(
    network: Network,
    path: str | os.PathLike[str] | None = None,
    *,
    level: str = "auto",
    domains: Mapping[int, str] | None = None,
    overwrite: bool = False,
) -> Picture:
    """Draw a network.

    Sums are black, with a + in their nodes; products of powers are purple and dashed, with a ×; mixings by f are
    dash-dotted and carry the name f.

    Parameters
    ----------
    network : Network
        The network.
    path : str or os.PathLike, optional
        Where to save the picture too: .svg, .png or .pdf.
    level : {"auto", "neurons", "layers"}
        "neurons" shows each coordinate, a line for each weight that is not zero, and of more than 8 neurons the first
        five and the last; "layers" shows a box for each layer, and a wire with size and domain for each vector. "auto"
        is "neurons" for chains of at most 8 neurons in each layer.
    domains : mapping of int to str, optional
        For places of the network a text, such as "ℝ>0", that takes the place of the domain that is found.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    Picture
        With ``.svg`` and ``.save(path)``; shown by notebooks.

    Raises
    ------
    UsageError
        For an unknown level or ending.
    ResourceError
        When more than 500 layers would have to be shown.
    OutputError
        When the file exists and `overwrite` is false, or cannot be written.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], [5, 6]), ([[1, 1]], None)], "tanh")
    >>> f.draw()  # doctest: +ELLIPSIS
    <Picture ... pt: Network 2 to 1>
    """
    picture = Picture(diagram(Sketch.of(network, domains), level))
    if path is not None:
        picture.save(path, overwrite)
    return picture


def in_notebook(network: Network) -> str | None:
    """Return the picture that a notebook shows of a network, as SVG; None where it would be too large to look at."""
    try:
        found = draw(network)
    except ResourceError:
        return None
    return found.svg


def diagram(sketch: Sketch, level: str = "auto") -> Scene:
    """Return the scene of a sketch.

    Parameters
    ----------
    sketch : Sketch
        What is drawn.
    level : {"auto", "neurons", "layers"}
        How.

    Returns
    -------
    Scene
        The picture.
    """
    names = Names([sketch])
    view = view_of(sketch, names, level_of([sketch], level))
    drawing = Drawing.of(view)
    parts, bottom = list(drawing.parts()), drawing.bottom
    legend, bottom, wide = legend_of([sketch], names, drawing.left, bottom)
    right = max(drawing.right, drawing.left + wide)
    title = f"Network {sketch.sizes[0]} to {sketch.sizes[sketch.output]}"
    return framed([*parts, *legend], (drawing.left, drawing.top, right, bottom), title, described(sketch))


def level_of(sketches: Sequence[Sketch], level: str) -> str:
    """Return the level that "auto" stands for: neurons for narrow chains."""
    if level not in LEVELS:
        raise UsageError(f"level={shown(level)!r} received; {', '.join(map(repr, LEVELS))} expected.")
    if level != "auto":
        return level
    narrow = all(s.is_chain and max(s.sizes[w] for w in _wires(s)) <= MOST for s in sketches)
    return "neurons" if narrow else "layers"


def _wires(sketch: Sketch) -> list[int]:
    return [0, *(wire for wire, _, _ in sketch.nodes)]


def view_of(sketch: Sketch, names: Names, level: str) -> View:
    """Return the view of a level."""
    return (Neurons if level == "neurons" else Boxes)(sketch, names)


@dataclass(frozen=True)
class Drawing:
    """A sketch with its places.

    Parameters
    ----------
    view : View
        How items are drawn.
    items : tuple of Item
        What is drawn.
    boxes : mapping of int to Box
        Their sizes.
    placement : Placement
        Their places.
    """

    view: View
    items: tuple[Item, ...]
    boxes: Mapping[int, Box]
    placement: Placement

    @classmethod
    def of(cls, view: View) -> Drawing:
        """Return a drawing whose places are found for itself."""
        items = items_of(view.sketch, view.merged)
        items = shortened(items, columns_of([_bare(item) for item in items]), view.most)
        if len(items) > _ITEMS:
            raise ResourceError(
                f"{len(items):,} layers received that no dots can stand for; at most {_ITEMS:,} expected.\n"
                "Draw a part of the network, such as f[0]."
            )
        boxes = [view.box(item) for item in items]
        columns = columns_of(boxes)
        found = cls.at(view, items, columns, spread(boxes, columns))
        if view.wrapped is None or not view.sketch.is_chain:
            return found
        return replace(found, placement=wrapped(boxes, found.placement, view.wrapped))

    @classmethod
    def at(cls, view: View, items: Sequence[Item], columns: Mapping[int, int], middles: Mapping[int, float]) -> Drawing:
        """Return a drawing in given columns."""
        boxes = {item.key: view.box(item) for item in items}
        return cls(view, tuple(items), boxes, placed(list(boxes.values()), columns, middles))

    def areas(self) -> list[tuple[float, float, float, float]]:
        """Return what each item covers."""
        return [self.area(item) for item in self.items]

    def area(self, item: Item) -> tuple[float, float, float, float]:
        """Return what an item covers."""
        return self.view.area(item, self.placement.centers[item.key], self.boxes[item.key])

    @property
    def left(self) -> float:
        """The left end."""
        return min(min(a[0] for a in self.areas()), min(x for x, _ in self._points()))

    @property
    def right(self) -> float:
        """The right end."""
        return max(max(a[2] for a in self.areas()), max(x for x, _ in self._points()))

    @property
    def top(self) -> float:
        """The upper end."""
        return min(min(a[1] for a in self.areas()), min(y for _, y in self._points()) - 14)

    @property
    def bottom(self) -> float:
        """The lower end."""
        return max(max(a[3] for a in self.areas()), max(y for _, y in self._points()) + 6)

    def _points(self) -> Iterator[Point]:
        yield self.placement.centers[INPUT]
        for pieces in self.placement.routes.values():
            for piece in pieces:
                yield from piece

    def parts(self) -> Iterator[Part]:
        """Yield what is drawn, wires under the items."""
        over: list[Part] = []
        for item in self.items:
            *lines, body = self.view.paint(item, self.placement.centers[item.key], self.boxes[item.key], self.placement)
            yield from lines
            over.append(body)
        yield from over


def _bare(item: Item) -> Box:
    return Box(item.key, item.inputs, 0, 0)


def legend_of(sketches: Sequence[Sketch], names: Names, x: float, y: float) -> tuple[list[Part], float, float]:
    """Return the lines below a picture that say what letters and lines mean; where they end, and how wide they are."""
    parts: list[Part] = []
    wide = 0.0
    y += 4.0
    for label, whole in dict.fromkeys(line for sketch in sketches for line in names.legend(sketches)):
        y += _LINE
        parts.append(Group((Text((x, y), label, SMALL, "start"),), "legend", whole))
        wide = max(wide, width(label, SMALL))
    for layer, label in _kinds(sketches):
        y += _LINE
        style = style_of(layer)
        line = Line((x, y - 3.5), (x + 24, y - 3.5), style)
        parts.append(Group((line, Text((x + 30, y), label, SMALL, "start", style.stroke or "")), "legend"))
        wide = max(wide, 30 + width(label, SMALL))
    return parts, y, wide


def _kinds(sketches: Iterable[Sketch]) -> Iterator[tuple[Layer, Label]]:
    """Yield a layer of each kind that is not additive, and what it does."""
    layers = [layer for sketch in sketches for _, layer, _ in sketch.nodes]
    for kind, text in ((PowerProduct, "product of powers"), (Mixing, "mixing by f: f(W f⁻¹(x) + b)")):
        yield from ((layer, plain(text)) for layer in [x for x in layers if isinstance(x, kind)][:1])


def framed(parts: Sequence[Part], area: tuple[float, float, float, float], title: str, text: str) -> Scene:
    """Return the scene of parts within an area, with a margin."""
    left, top, right, bottom = area
    moved = tuple(shifted(part, _MARGIN - left, _MARGIN - top) for part in parts)
    return Scene(right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN, moved, title, text)


def described(sketch: Sketch) -> str:
    """Return a network in words, layer after layer, cut after some."""
    words = [f"{wire}: {layer} of {', '.join(map(str, inputs)) or 'nothing'}" for wire, layer, inputs in sketch.nodes]
    more = f"; and {len(words) - _WORDS:,} more" if len(words) > _WORDS else ""
    return f"Wire 0 is the input, wire {sketch.output} the output. " + "; ".join(words[:_WORDS]) + more + "."
