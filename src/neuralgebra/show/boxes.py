"""The view that shows each layer as a box, and each vector as one wire with its size and domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

from neuralgebra.network.layers import (
    Concatenate,
    Elementwise,
    Maximum,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.show.items import OUTPUT, Item, items_of, style_of
from neuralgebra.show.layout import Box, Placement
from neuralgebra.show.lettering import Label, cut, joined, plain, width
from neuralgebra.show.scene import BLACK, Group, Part, Path, Point, Rectangle, Style, Text
from neuralgebra.show.sketch import INPUT, domain_label, sign, weighted
from neuralgebra.show.view import (
    FONT,
    SMALL,
    WHITE,
    Area,
    View,
    count,
    dots,
    kind,
    name_labels,
    node,
    pill,
    widest,
    wire,
)

__all__ = ["Boxes"]

_RADIUS, _LINE, _NAME, _NAMES = 8.0, 14.0, 18, 5


class Boxes(View):
    """The view at the level of layers."""

    merged = True
    most = 32
    wrapped = 900.0

    # Sizes ------------------------------------------------------------------------------------------------------

    def box(self, item: Item) -> Box:
        """Return the room that an item needs."""
        labels = [self._domain(w) for w in item.wires]
        lead = max([20.0, *(width(label, SMALL) + 19 for label in labels)])
        lead += 0.0 if self.sketch.is_chain else 16.0
        lines, w = self.lines(item), 2 * _RADIUS
        h = max(20.0, len(lines) * _LINE + 8)
        if item.key in (INPUT, OUTPUT):
            w = widest(lines) + 6
        elif item.hidden:
            w = max(40.0, width(plain(count(item.hidden)), SMALL))
        elif isinstance(item.layer, Concatenate):
            w, h = 5.0, 16.0 * max(2, len(item.inputs))
        elif not _round(item):
            w = max(
                30.0, widest(lines) + (26 if weighted(item.layer) else 18) + max(0.0, self._overhang(item) - _RADIUS)
            )
        return Box(item.key, item.inputs, w, h, lead, 8.0)

    def lines(self, item: Item) -> list[Label]:
        """Return the text of an item, line by line."""
        layer, matrix = item.layer, weighted(item.layer)
        if _round(item) or item.hidden or isinstance(layer, Concatenate):
            return []
        if layer is None:
            return _ends(self.sketch.output_names if item.key == OUTPUT else self.sketch.input_names)
        if matrix:
            return [label for label in (self.names.weight(matrix), self.names.bias(matrix)) if label]
        match layer:
            case Elementwise():
                return self._functions(layer)
            case Softmax():
                name = plain("log softmax" if layer.log else "softmax")
                return [name] if layer.group is None else [name, plain(f"groups of {layer.group}")]
            case Maximum():
                per = layer.groups.shape[1]
                return [plain("max"), plain(f"groups of {per}")]
            case Multiply(shape):
                return [plain("A·B"), plain("{1}×{2}, {2}×{3}".format(*shape))] if shape else []
            case Select():
                chosen = [str(i + 1) for i in layer.indices[:4].tolist()]
                return [plain("select"), plain(", ".join(chosen) + (", …" if len(layer.indices) > 4 else ""))]
        return [plain(cut(str(layer), _NAME))]

    def _functions(self, layer: Elementwise) -> list[Label]:
        if layer.only is not None:
            return [self.names.function(layer.only)]
        lines = [joined(self.names.function(f), f" ×{n}") for f, n in layer.activations]
        return lines if len(lines) <= 4 else [*lines[:3], plain(f"… {len(lines) - 3} more")]

    def _domain(self, wire_in: int) -> Label:
        return domain_label(self.sketch.domains.get(wire_in, "ℝ"), self.sketch.sizes[wire_in])

    def area(self, item: Item, at: Point, box: Box) -> Area:
        """Return what an item covers."""
        left, high = self._overhang(item) + 6, box.height / 2 + 6
        return at[0] - box.width / 2 - left, at[1] - high, at[0] + box.width / 2 + 3, at[1] + high

    # Painting ---------------------------------------------------------------------------------------------------

    def paint(self, item: Item, at: Point, box: Box, placement: Placement) -> Iterator[Part]:
        """Yield the wires that lead to an item, and the item."""
        routes = [placement.routes[item.key, i] for i in range(len(item.inputs))]
        for position, dy in enumerate(_ports(item, box, [pieces[-1][-2][1] for pieces in routes])):
            yield Group(tuple(self._wire(item, position, routes[position], dy)), "wire")
        yield Group(tuple(self._body(item, at, box)), kind(item), self.title(item))

    def _wire(self, item: Item, position: int, pieces: Sequence[Sequence[Point]], dy: float) -> Iterator[Part]:
        label = self._domain(item.wires[position])
        x, y = pieces[0][0]
        *others, last = ((pieces[0][0], (x + width(label, SMALL) + 9, y), *pieces[0][1:]), *pieces[1:])
        for piece in others:
            yield from wire(piece)
            yield from _head(piece[-1])
        end = (last[-1][0] - self._overhang(item), last[-1][1] + dy)
        yield from wire([*last[:-1], (end[0] - 5, end[1])])
        yield from _head(end)
        if (item.key, position) in self._labelled:
            yield Text((x + 7, y - 5), label, SMALL, "start")

    @cached_property
    def _labelled(self) -> frozenset[tuple[int, int]]:
        """For each wire the first that takes it."""
        found: dict[int, tuple[int, int]] = {}
        for item in items_of(self.sketch, self.merged):
            for position, key in enumerate(item.wires):
                found.setdefault(key, (item.key, position))
        return frozenset(found.values())

    def _overhang(self, item: Item) -> float:
        """Return how far the sign of an operation stands out to the left."""
        if isinstance(item.layer, Mixing):
            return width(self.names.function(item.layer.function), SMALL) / 2 + 4
        return _RADIUS if weighted(item.layer) and not _round(item) else 0.0

    def _body(self, item: Item, at: Point, box: Box) -> Iterator[Part]:
        layer, style, lines = item.layer, style_of(item.layer), self.lines(item)
        if item.key in (INPUT, OUTPUT):
            yield from _names(item, at, box, lines)
        elif item.hidden:
            yield from dots(at, flat=True)
            yield Text((at[0], at[1] + 18), plain(count(item.hidden)), SMALL)
        elif _round(item):
            yield from node(at, _RADIUS, sign(item.layer) or "·", style)
        elif weighted(layer):
            yield from self._operation(item, at, box, lines)
        elif isinstance(layer, Concatenate):
            yield Rectangle((at[0] - 2.5, at[1] - box.height / 2), 5, box.height, 2, Style(None, BLACK))
        else:
            yield from pill(at, box.width, box.height, lines)

    def _operation(self, item: Item, at: Point, box: Box, lines: list[Label]) -> Iterator[Part]:
        style, layer = style_of(item.layer), item.layer
        left, top = at[0] - box.width / 2, at[1] - box.height / 2
        yield Rectangle((left, top), box.width, box.height, 3, Style(style.stroke, WHITE, style.width, style.dash))
        if isinstance(layer, PowerProduct):
            yield Rectangle((left + 2.5, top + 2.5), box.width - 5, box.height - 5, 2, Style(style.stroke, width=0.6))
        first = at[1] - (len(lines) - 1) * _LINE / 2
        for i, line in enumerate(lines):
            size = SMALL if i else FONT
            yield Text((at[0] + 3, first + i * _LINE + 0.34 * size), line, size, color=style.stroke or BLACK)
        if isinstance(layer, Mixing):
            name = self.names.function(layer.function)
            yield from pill((left, at[1]), width(name, SMALL) + 8, 15, [name], style, SMALL)
        else:
            yield from node((left, at[1]), _RADIUS, "×" if isinstance(layer, PowerProduct) else "+", style)


def _round(item: Item) -> bool:
    """Return whether an item is a sign in a circle: a sum of wires, or a product coordinate by coordinate."""
    product = isinstance(item.layer, Multiply) and item.layer.shape is None
    return product or (len(item.inputs) > 1 and bool(sign(item.layer)))


def _ends(names: Sequence[str]) -> list[Label]:
    if len(names) <= _NAMES:
        return name_labels(names, _NAME)
    return [*name_labels(names[: _NAMES - 2], _NAME), plain("⋮"), *name_labels(names[-1:], _NAME)]


def _names(item: Item, at: Point, box: Box, lines: Sequence[Label]) -> Iterator[Part]:
    first = item.key == INPUT
    x = at[0] + (box.width / 2 - 5) * (1 if first else -1)
    for i, line in enumerate(lines):
        y = at[1] + (i - (len(lines) - 1) / 2) * _LINE + 4
        yield Text((x, y), line, FONT, "end" if first else "start")


def _ports(item: Item, box: Box, heights: Sequence[float]) -> list[float]:
    """Return how far above or below its middle each wire reaches an item; in any order where that does not matter."""
    n = len(item.inputs)
    room = box.height - 8 if not _round(item) else 1.2 * _RADIUS
    step = min(16.0, room / max(n - 1, 1))
    order = sorted(range(n), key=lambda i: heights[i]) if _round(item) and sign(item.layer) != "−" else list(range(n))
    return [(order.index(i) - (n - 1) / 2) * step for i in range(n)]


def _head(at: Point) -> Iterator[Part]:
    """Yield the tip of an arrow to the right."""
    x, y = at
    yield Path(((x, y), (x - 6, y - 2.8), (x - 6, y + 2.8)), Style(None, BLACK), closed=True)
