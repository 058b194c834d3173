"""The view that shows each coordinate: a line for each weight, a node for each function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays
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
from neuralgebra.network.linear import Linear
from neuralgebra.show.items import OUTPUT, Item, style_of
from neuralgebra.show.layout import Box, Placement
from neuralgebra.show.lettering import plain, text_of, visible, width
from neuralgebra.show.scene import BLACK, Circle, Group, Line, Part, Point, Rectangle, Style, Text
from neuralgebra.show.sketch import INPUT, domain_label, weighted
from neuralgebra.show.view import (
    FONT,
    SMALL,
    THIN,
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

__all__ = ["MOST", "Neurons", "rows"]

MOST = 8
"""Neurons of a layer that are all shown."""

_PITCH, _RADIUS, _NAME = 28.0, 8.0, 10
Rows: TypeAlias = tuple[int | None, ...]


def rows(size: int) -> Rows:
    """Return the coordinates that are shown, None where dots stand for the others."""
    return tuple(range(size)) if size <= MOST else (0, 1, 2, 3, 4, None, size - 1)


class Neurons(View):
    """The view at the level of neurons."""

    # Sizes ------------------------------------------------------------------------------------------------------

    def box(self, item: Item) -> Box:
        """Return the room that an item needs."""
        sizes = [self.sketch.sizes[w] for w in item.wires] or [item.size]
        high = max(_height(n) for n in (item.size, *sizes))
        return Box(item.key, item.inputs, self._width(item), high + 14, _lead(item), _height(item.size))

    def _width(self, item: Item) -> float:
        if item.key in (INPUT, OUTPUT):
            names = self.sketch.input_names if item.key == INPUT else self.sketch.output_names
            return widest(name_labels([names[i] for i in rows(item.size) if i is not None], _NAME)) + 12
        match item.layer:
            case None:
                return max(30.0, width(plain(count(item.hidden)), SMALL))
            case Elementwise():
                return max(26.0, widest(self.names.function(f) for f, _ in item.layer.activations) + 14)
            case Mixing():
                return width(self.names.function(item.layer.function), SMALL) + 12
            case Softmax() | Multiply() if _title(item):
                return width(plain(_title(item)), SMALL) + 10 if item.size == 1 else 22.0
            case Maximum():
                return 34.0
            case Select() | Concatenate():
                return 5.0
        return 2 * _RADIUS

    def area(self, item: Item, at: Point, box: Box) -> Area:
        """Return what an item covers, with the weights before it and the labels above."""
        reach = box.lead - 4 if weighted(item.layer) else 6.0
        high = (box.height - 14) / 2
        above, below = (18.0 if weighted(item.layer) else 4.0), (16.0 if item.layer is None else 3.0)
        layer = weighted(item.layer)
        right = max(box.width / 2 + 5, width(self.names.bias(layer), SMALL) / 2 + 4 if layer else 0.0)
        return at[0] - box.width / 2 - reach, at[1] - high - above, at[0] + right, at[1] + high + below

    # Painting ---------------------------------------------------------------------------------------------------

    def paint(self, item: Item, at: Point, box: Box, placement: Placement) -> Iterator[Part]:
        """Yield the wires that lead to an item, and the item."""
        lines: list[Part] = []
        for position in range(len(item.inputs)):
            lines += self._arrive(item, position, at, box, placement)
        if lines:
            yield Group(tuple(lines), "wires")
        edges = tuple(self._edges(item, at, box, placement))
        if edges:
            yield Group(edges, "edges")
        yield Group(tuple(self._body(item, at, box, placement)), kind(item), self.title(item))

    def _arrive(self, item: Item, position: int, at: Point, box: Box, placement: Placement) -> Iterator[Part]:
        """Yield the straight wires, from where they start to where weights, or the item, begin."""
        (path,) = placement.routes[item.key, position]
        size = self.sketch.sizes[item.wires[position]]
        shown = rows(size)
        stop = self._stop(item, at, box)
        for i, dy in zip(shown, _offsets(len(shown)), strict=True):
            if i is not None:
                points = [(x, y + dy) for x, y in path[:-1]]
                end = (stop, (path[-1][1] if stop == path[-1][0] else path[-2][1]) + dy)
                yield from wire([*points, end])
                if end[0] == stop != path[-1][0] and stop > path[-2][0] + 1:
                    yield Circle(end, 1.5, Style(None, BLACK))

    def _stop(self, item: Item, at: Point, box: Box) -> float:
        """Return where weights begin, or the item where its wires lead straight to it."""
        left = at[0] - box.width / 2
        return left if _straight(item) else left - _lead(item)

    def _edges(self, item: Item, at: Point, box: Box, placement: Placement) -> Iterator[Part]:
        if _straight(item):
            return
        left, stop = at[0] - box.width / 2, self._stop(item, at, box)
        for position, wire_in in enumerate(item.wires):
            (path,) = placement.routes[item.key, position]
            size, y = self.sketch.sizes[wire_in], path[-2][1]
            sources = dict(zip(rows(size), _offsets(len(rows(size))), strict=True))
            targets = dict(zip(rows(item.size), _offsets(len(rows(item.size))), strict=True))
            style = style_of(item.layer) if weighted(item.layer) else THIN
            for i, j in self._pairs(item, position):
                yield Line((stop, y + sources[i]), (left, at[1] + targets[j]), style)

    def _pairs(self, item: Item, position: int) -> Iterator[tuple[int, int]]:
        """Yield pairs of shown coordinates of an input and of the output that are joined."""
        source = [i for i in rows(self.sketch.sizes[item.wires[position]]) if i is not None]
        target = [j for j in rows(item.size) if j is not None]
        layer, with_matrix = item.layer, weighted(item.layer)
        before = sum(self.sketch.sizes[w] for w in item.wires[:position])
        joined: set[tuple[int, int]] = set()
        if with_matrix:
            there = _there(with_matrix.weight, source, target)
            joined = {(i, j) for a, i in enumerate(source) for b, j in enumerate(target) if there[a, b]}
        elif isinstance(layer, Maximum):
            joined = {(int(i), j) for j in target for i in layer.groups[j]}
        elif isinstance(layer, Select):
            joined = {(int(layer.indices[j]), j) for j in target}
        elif isinstance(layer, Concatenate):
            joined = {(i, before + i) for i in source}
        yield from sorted((i, j) for i, j in joined if i in source and j in target)

    def _body(self, item: Item, at: Point, box: Box, placement: Placement) -> Iterator[Part]:
        if item.key in (INPUT, OUTPUT):
            yield from self._end(item, at, box)
        elif item.hidden:
            shown = rows(item.size)
            for i, dy in zip(shown, _offsets(len(shown)), strict=True):
                yield from dots((at[0], at[1] + dy), flat=True) if i is not None else ()
            yield Text((at[0], at[1] + _height(item.size) / 2 + 8), plain(count(item.hidden)), SMALL)
        elif isinstance(item.layer, Softmax) or (isinstance(item.layer, Multiply) and item.layer.shape):
            yield from _blocks(item, at, box)
        else:
            yield from self._nodes(item, at, box)
            yield from self._labels(item, at, box, placement)

    def _end(self, item: Item, at: Point, box: Box) -> Iterator[Part]:
        first = item.key == INPUT
        names = self.sketch.input_names if first else self.sketch.output_names
        x = at[0] + box.width / 2 * (1 if first else -1)
        shown = rows(item.size)
        for i, dy in zip(shown, _offsets(len(shown)), strict=True):
            if i is None:
                yield from dots((x, at[1] + dy))
                continue
            yield Circle((x, at[1] + dy), 2.2, Style(None, BLACK))
            (label,) = name_labels([names[i]], _NAME)
            text = Text((x - 9 if first else x + 9, at[1] + dy + 4), label, FONT, "end" if first else "start", BLACK)
            yield Group((text,), "name", visible(names[i])) if text_of(label) != names[i] else text
        if domain := self.sketch.domains.get(INPUT if first else self.sketch.output):
            below = at[1] + _height(item.size) / 2 + 10
            anchor = "end" if first else "start"
            yield Text((x + (2 if first else -2), below), domain_label(domain, item.size), SMALL, anchor)

    def _nodes(self, item: Item, at: Point, box: Box) -> Iterator[Part]:
        shown = rows(item.size)
        for i, dy in zip(shown, _offsets(len(shown)), strict=True):
            place = (at[0], at[1] + dy)
            yield from dots(place) if i is None else self._node(item, i, place, box)

    def _node(self, item: Item, i: int, at: Point, box: Box) -> Iterator[Part]:
        layer, style = item.layer, style_of(item.layer)
        match layer:
            case Elementwise():
                function = next(f for f, start, end in layer.blocks if start <= i and (end is None or i < end))
                yield from pill(at, box.width, 20, [self.names.function(function)])
            case Mixing():
                yield from pill(at, box.width, 18, [self.names.function(layer.function)], style, SMALL)
            case Maximum():
                yield from pill(at, box.width, 20, [plain("max")])
            case Select() | Concatenate():
                yield Circle(at, 2.2, Style(None, BLACK))
            case _:
                sign = "×" if isinstance(layer, PowerProduct) else "·" if isinstance(layer, Multiply) else "+"
                yield from node(at, _RADIUS, sign, style)

    def _labels(self, item: Item, at: Point, box: Box, placement: Placement) -> Iterator[Part]:
        """Yield the weight above its lines, and the bias above the nodes."""
        layer = weighted(item.layer)
        if layer is None:
            return
        color = style_of(layer).stroke or BLACK
        top_in, top_out = (_height(n) / 2 - _PITCH / 2 for n in (self.sketch.sizes[item.wires[0]], item.size))
        middle = at[0] - box.width / 2 - box.lead / 2
        first, last = placement.routes[item.key, 0][0][-2][1] - top_in, at[1] - top_out
        yield Text(
            (middle, (first + last) / 2 - 7 - 9 * abs(first - last) / box.lead),
            self.names.weight(layer),
            FONT,
            color=color,
            halo=not self.sketch.is_chain,
        )
        if label := self.names.bias(layer):
            yield Text((at[0], at[1] - top_out - _RADIUS - 6), label, SMALL, color=color)


def _straight(item: Item) -> bool:
    """Return whether coordinates keep their places: there is nothing to mix."""
    return not (weighted(item.layer) or isinstance(item.layer, Maximum | Select | Concatenate))


def _lead(item: Item) -> float:
    if weighted(item.layer):
        return 60.0
    return 18.0 if _straight(item) else 42.0


def _height(size: int) -> float:
    return len(rows(size)) * _PITCH


def _offsets(count: int) -> list[float]:
    return [(i - (count - 1) / 2) * _PITCH for i in range(count)]


def _title(item: Item) -> str:
    if isinstance(item.layer, Softmax):
        return "log softmax" if item.layer.log else "softmax"
    return "A·B" if isinstance(item.layer, Multiply) and item.layer.shape else ""


def _blocks(item: Item, at: Point, box: Box) -> Iterator[Part]:
    """Yield a box over the coordinates that act together."""
    high, text = box.height - 22, _title(item)
    tall = high > width(plain(text), SMALL) + 8
    style = Style(BLACK, WHITE, 1.0)
    if not tall and item.size > 1:
        text = "".join(word[0] for word in text.split()) if text != "A·B" else text
    yield Rectangle((at[0] - box.width / 2, at[1] - high / 2), box.width, high, 8, style)
    turned = tall and item.size > 1
    shift = (3.5, 0.0) if turned else (0.0, 3.5)
    yield Text((at[0] + shift[0], at[1] + shift[1]), plain(text), SMALL, upright=not turned)
    yield from _rules(item, at, box, high)


def _rules(item: Item, at: Point, box: Box, high: float) -> Iterator[Part]:
    """Yield lines between the groups of a softmax."""
    group = item.layer.group if isinstance(item.layer, Softmax) else None
    if not group or item.size > MOST:
        return
    for end in range(group, item.size, group):
        y = at[1] + _offsets(item.size)[end] - _PITCH / 2
        yield Line((at[0] - box.width / 2, y), (at[0] + box.width / 2, y))


def _there(weight: Linear, source: Sequence[int], target: Sequence[int]) -> np.ndarray:
    """Return which entries of a matrix are not zero, (source, target): its columns are images of unit vectors."""
    units = np.zeros((len(source), weight.columns))
    units[np.arange(len(source)), list(source)] = 1
    images: np.ndarray = np.asarray(weight.apply(Arrays.of(units), units))[:, list(target)]
    there: np.ndarray = images != 0
    return there
