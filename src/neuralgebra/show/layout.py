"""Where the layers of a network stand: columns from left to right, with few crossings and straight wires.

Columns are by the longest path from the input. A wire that passes columns has a track of its own through each. Inside
the columns, layers and tracks are ordered by the barycentre of their neighbours (Sugiyama, Tagawa and Toda, 1981), and
then moved as near to their neighbours as their distances allow (least squares on an ordered line).
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from neuralgebra.show.scene import Point

__all__ = ["Box", "Placement", "columns_of", "placed", "spread", "wrapped"]

_SWEEPS = 8
_BETWEEN = 18.0  # from one layer to the next in a column

Cell = tuple[int, int]
"""A layer (its key, -1) or the track of a wire (its key, the column)."""


@dataclass(frozen=True)
class Box:
    """What is placed.

    Parameters
    ----------
    key : int
        Its name.
    inputs : tuple of int
        Keys of the boxes that it takes wires from.
    width, height : float
        Its size.
    lead : float
        How far from the column before it wants to stand.
    track : float
        How much room its wire needs across.
    """

    key: int
    inputs: tuple[int, ...]
    width: float
    height: float
    lead: float = 24.0
    track: float = 8.0


@dataclass(frozen=True)
class Placement:
    """Where everything is.

    Parameters
    ----------
    centers : mapping of int to (float, float)
        Of the boxes.
    routes : mapping of (int, int) to tuple of tuple of (float, float)
        For a box and the position of an argument, the pieces of the wire: from the right side of the box that gives
        it, through its tracks, to the left side of this one.
    """

    centers: Mapping[int, Point]
    routes: Mapping[tuple[int, int], tuple[tuple[Point, ...], ...]]


def columns_of(boxes: Sequence[Box]) -> dict[int, int]:
    """Return the column of each box: one more than the last of its inputs; inputs must come first."""
    columns: dict[int, int] = {}
    for box in boxes:
        columns[box.key] = max((columns[i] + 1 for i in box.inputs), default=0)
    return columns


def spread(boxes: Sequence[Box], columns: Mapping[int, int], last: int = 0) -> dict[int, float]:
    """Return where the middle of each column is, and under -1 where the last one ends."""
    widths: dict[int, float] = defaultdict(float)
    leads: dict[int, float] = defaultdict(float)
    for box in boxes:
        c = columns[box.key]
        widths[c], leads[c] = max(widths[c], box.width), max(leads[c], box.lead if c else 0.0)
    middles, x = {}, 0.0
    for c in range(max([last, *columns.values()]) + 1):
        x += leads[c]
        middles[c] = x + widths[c] / 2
        x += widths[c]
    return middles | {-1: x}


def placed(boxes: Sequence[Box], columns: Mapping[int, int], middles: Mapping[int, float]) -> Placement:
    """Return where boxes stand in given columns whose middles are known.

    Parameters
    ----------
    boxes : sequence of Box
        The boxes, inputs first.
    columns : mapping of int to int
        Of each box; its inputs stand in earlier ones.
    middles : mapping of int to float
        Of each column, from the left.

    Returns
    -------
    Placement
        The highest middle of a box or a track is at 0 or below.
    """
    found = _Layers(boxes, columns)
    if not all(box.inputs == (before.key,) for before, box in itertools.pairwise(boxes)):
        found.order()
    return Placement(
        {box.key: (middles[columns[box.key]], found.y[box.key, -1]) for box in boxes},
        {(b.key, i): (found.route(u, b.key, middles),) for b in boxes for i, u in enumerate(b.inputs)},
    )


def wrapped(boxes: Sequence[Box], placement: Placement, limit: float) -> Placement:
    """Return a chain in rows of about equal width, none wider than a limit unless one box is."""
    edges = [placement.centers[b.key][0] + b.width / 2 for b in boxes]
    total = edges[-1]
    count = math.ceil(total / limit)
    if count < 2:
        return placement
    rows = [min(int(count * (edge - 1e-9) / total), count - 1) for edge in edges]
    pitch = max(b.height for b in boxes) + _BETWEEN + 16
    starts = {row: placement.centers[boxes[i].key][0] - boxes[i].width / 2 - boxes[i].lead * (row > 0)
              for i, row in reversed(list(enumerate(rows)))}  # fmt: skip
    centers, routes = {}, {}
    for box, row, before in zip(boxes, rows, [0, *rows], strict=False):
        x, y = placement.centers[box.key]
        centers[box.key] = (x - starts[row], y + pitch * row)
        if box.inputs:
            (path,) = placement.routes[box.key, 0]
            here, there = (tuple((x - starts[r], y + pitch * r) for x, y in path) for r in (before, row))
            turn = ((there[-1][0] - box.lead, there[-1][1]), there[-1])
            routes[box.key, 0] = (here,) if row == before else (here, turn)
    return Placement(centers, routes)


@dataclass
class _Layers:
    """Boxes and tracks, column by column, and their heights."""

    boxes: Sequence[Box]
    columns: Mapping[int, int]
    cells: list[list[Cell]] = field(default_factory=list)
    y: dict[Cell, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.box = {box.key: box for box in self.boxes}
        self.cells = [[] for _ in range(max(self.columns.values()) + 1)]
        self.before: dict[Cell, list[Cell]] = defaultdict(list)
        self.after: dict[Cell, list[Cell]] = defaultdict(list)
        for box in self.boxes:
            self._add((box.key, -1), self.columns[box.key])
            for source in box.inputs:
                self._join(source, box.key)

    def _add(self, cell: Cell, column: int) -> None:
        self.cells[column].append(cell)
        self.y[cell] = 0.0

    def _join(self, source: int, target: int) -> None:
        """Lead a wire to a box; a wire has one track in a column, whoever takes it."""
        last: Cell = (source, -1)
        for column in range(self.columns[source] + 1, self.columns[target]):
            track = (source, column)
            if track not in self.y:
                self._add(track, column)
                self._link(last, track)
            last = track
        self._link(last, (target, -1))

    def _link(self, first: Cell, second: Cell) -> None:
        self.after[first].append(second)
        self.before[second].append(first)

    def route(self, source: int, target: int, middles: Mapping[int, float]) -> tuple[Point, ...]:
        between = range(self.columns[source] + 1, self.columns[target])
        start, end = self.box[source], self.box[target]
        first = (middles[self.columns[source]] + start.width / 2, self.y[source, -1])
        last = (middles[self.columns[target]] - end.width / 2, self.y[target, -1])
        tracks = ((middles[c], self.y.get((source, c), first[1])) for c in between)
        return (first, *tracks, last)

    def order(self) -> None:
        """Order the cells of each column, and find their heights."""
        best, fewest = [list(column) for column in self.cells], self._crossings()
        for sweep in range(_SWEEPS):
            self._sweep(forward=sweep % 2 == 0)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(column) for column in self.cells], crossings
        self.cells = best
        for column in self.cells:
            self._settle(column, dict.fromkeys(column, 0.0))
        for sweep in range(2 * _SWEEPS + 1):
            self._pull(forward=sweep % 2 == 0)

    def _sweep(self, forward: bool) -> None:
        neighbours = self.before if forward else self.after
        columns = self.cells if forward else self.cells[::-1]
        place = {cell: float(i) for column in columns for i, cell in enumerate(column)}
        for column in columns:
            middle = {cell: _mean([place[n] for n in neighbours[cell]], place[cell]) for cell in column}
            column.sort(key=middle.__getitem__)
            place |= {cell: float(i) for i, cell in enumerate(column)}

    def _crossings(self) -> int:
        place = {cell: i for column in self.cells for i, cell in enumerate(column)}
        total = 0
        for column in self.cells:
            ends = [place[n] for cell in column for n in sorted(self.after[cell], key=place.__getitem__)]
            total += _inversions(ends)
        return total

    def _pull(self, forward: bool) -> None:
        """Move the cells of each column towards their neighbours on one side, or on both in the end."""
        for column in self.cells if forward else self.cells[::-1]:
            wanted = {}
            for cell in column:
                near = self.before[cell] if forward else self.after[cell]
                wanted[cell] = _mean([self.y[n] for n in near or self.before[cell]], self.y[cell])
            self._settle(column, wanted)

    def _settle(self, column: Sequence[Cell], wanted: Mapping[Cell, float]) -> None:
        """Give the cells of a column the heights next to those wanted that keep order and distances."""
        offsets = [0.0]
        for first, second in itertools.pairwise(column):
            offsets.append(offsets[-1] + self._distance(first, second))
        free = _increasing([wanted[cell] - offset for cell, offset in zip(column, offsets, strict=False)])
        self.y |= {cell: value + offset for cell, value, offset in zip(column, free, offsets, strict=False)}

    def _distance(self, first: Cell, second: Cell) -> float:
        halves = (self.box[key].height if track < 0 else self.box[key].track for key, track in (first, second))
        return sum(halves) / 2 + _BETWEEN


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _inversions(values: Sequence[int]) -> int:
    """Return how many pairs are out of order, by a binary indexed tree."""
    tree, count = [0] * (max(values, default=0) + 2), 0
    for seen, value in enumerate(values):
        at, below = value + 1, 0
        while at:
            below += tree[at]
            at &= at - 1
        count += seen - below
        at = value + 1
        while at < len(tree):
            tree[at] += 1
            at += at & -at
    return count


def _increasing(values: Sequence[float]) -> list[float]:
    """Return the non-decreasing numbers nearest to given ones in the sense of least squares: pooled neighbours."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((value, 1))
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1] = (pools[-1][0] + total, pools[-1][1] + count)
    return [total / count for total, count in pools for _ in range(count)]
