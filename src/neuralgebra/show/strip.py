"""A derivation as a numbered strip: one picture below the other, with what changes marked.

What stays has one place in all pictures. Its column is the middle of those it could have in the union of all pictures,
so that the layers that take the place of one stand around where that one was.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from neuralgebra.errors import UsageError
from neuralgebra.rewrite.derivation import Derivation
from neuralgebra.show.diagram import Drawing, framed, legend_of, level_of, view_of
from neuralgebra.show.items import HIDDEN, OUTPUT, Item, items_of, quietened
from neuralgebra.show.layout import spread
from neuralgebra.show.lettering import Label, cut, joined, plain, variable, width
from neuralgebra.show.picture import Picture
from neuralgebra.show.scene import Group, Part, Rectangle, Scene, Style, Text, shifted
from neuralgebra.show.sketch import INPUT, Names, Sketch
from neuralgebra.show.view import FONT, Area, dots

__all__ = ["NEW", "REPLACED", "derived", "strip"]

REPLACED = Style("#8a6d00", "#fff3bf", 1.0, (4.0, 3.0))
"""Behind what the next step replaces: dashed."""
NEW = Style("#1864ab", "#d0ebff", 1.0)
"""Behind what the last step brought: solid."""

_MOST, _INDENT, _BETWEEN, _CAPTION, _QUIET = 40, 34.0, 44.0, 70, 3
Panel = tuple[Sketch, Iterable[int] | None]


def strip(panels: Sequence[Panel], captions: Sequence[str], *, level: str = "auto", most: int = _MOST) -> Picture:
    """Draw the steps from one network to another.

    Parameters
    ----------
    panels : sequence of (Sketch, iterable of int or None)
        The network after each step, the start first, with the wires that are marked: those that the panel before does
        not have as new, those that the panel after does not have as replaced. None marks all of both.
    captions : sequence of str
        What each step does, one less than there are panels.
    level : {"auto", "neurons", "layers"}
        How each network is drawn; "auto" is "neurons" if all are narrow chains.
    most : int
        Panels that are drawn; of more, the middle ones are left out and counted.

    Returns
    -------
    Picture
        The strip.

    Raises
    ------
    UsageError
        When captions do not fit the panels.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], None)], kind="multiplicative")
    >>> g = f.to_additive()
    >>> strip([(Sketch.of(f), None), (Sketch.of(g), None)], ["M = exp ∘ A ∘ log"])  # doctest: +ELLIPSIS
    <Picture ... pt: 2 networks that are equal>
    """
    if len(captions) != len(panels) - 1:
        raise UsageError(f"{len(captions)} captions received for {len(panels)} panels; one less than panels expected.")
    if most < 2:
        raise UsageError(f"most={most} received; at least 2 expected.")
    kept = [i for i in range(len(panels)) if i < (most + 1) // 2 or i >= len(panels) - most // 2]
    sketches, marks = [panels[i][0] for i in kept], {i: _marks(panels, i) for i in kept}
    level, names = level_of(sketches, level), Names(sketches)
    active = frozenset(wire for i in kept for wires in marks[i] for wire in wires)
    drawings = _drawings(sketches, names, level, active)
    pages = [_Page(d, i, *marks[i], captions[i - 1] if i else "") for d, i in zip(drawings, kept, strict=True)]
    return Picture(_stacked(pages, names, len(panels)))


def derived(derivation: Derivation, *, level: str = "auto", most: int = _MOST, every_step: bool = True) -> Picture:
    """Draw the steps of a derivation, each with its law.

    Parameters
    ----------
    derivation : Derivation
        The steps.
    level, most : str, int
        As for `strip`.
    every_step : bool
        Whether each step has a picture, or each run of steps by one law.

    Returns
    -------
    Picture
        The strip.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], None)] * 2, kind="multiplicative")
    >>> derived(f.rewrite("additive"))  # doctest: +ELLIPSIS
    <Picture ... pt: 5 networks that are equal>
    """
    steps, stops = derivation.steps, [0, *derivation.stops(every_step)]
    found = _sketches(derivation, {derivation.records_done(i) for i in stops})
    captions = [f"{steps[i - 1].rule}: {steps[i - 1].statement}" for i in stops[1:]]
    return strip([(found[derivation.records_done(i)], None) for i in stops], captions, level=level, most=most)


def _sketches(derivation: Derivation, wanted: set[int]) -> dict[int, Sketch]:
    """Return the network after some numbers of records."""
    graph, found = derivation.graph(0), dict[int, Sketch]()
    for done in range(len(derivation.records) + 1):
        if done in wanted:
            found[done] = Sketch.of(graph)
        if done < len(derivation.records):
            record = derivation.records[done]
            graph.redo(record.change, record.rule.interface)
    return found


def _marks(panels: Sequence[Panel], i: int) -> tuple[frozenset[int], frozenset[int]]:
    """Return the marked wires that the next panel no longer has, and those that the last did not have."""
    here = _wires(panels[i][0])
    given = panels[i][1]
    marked = here if given is None else here.intersection(given)
    after = _wires(panels[i + 1][0]) if i + 1 < len(panels) else here
    before = _wires(panels[i - 1][0]) if i else here
    return marked - after, marked - before


def _wires(sketch: Sketch) -> frozenset[int]:
    return frozenset(wire for wire, _, _ in sketch.nodes)


def _drawings(sketches: Sequence[Sketch], names: Names, level: str, active: frozenset[int]) -> list[Drawing]:
    """Return the drawings of sketches in common columns, those far from the active wires left out."""
    views = [view_of(sketch, names, level) for sketch in sketches]
    all_items = [items_of(view.sketch, view.merged) for view in views]
    common = _common(all_items)
    if common is None:
        return [Drawing.of(view) for view in views]
    if all(sketch.is_chain for sketch in sketches):
        all_items, common = _quiet(all_items, common, active)
    boxes = [view.box(item) for view, items in zip(views, all_items, strict=True) for item in items]
    middles = spread(boxes, common)
    return [Drawing.at(view, items, common, middles) for view, items in zip(views, all_items, strict=True)]


def _quiet(
    all_items: Sequence[list[Item]], columns: Mapping[int, int], active: frozenset[int]
) -> tuple[list[list[Item]], dict[int, int]]:
    """Return chains, and the columns, with dots for columns between ends and marks in which nothing happens."""
    last = columns[OUTPUT]
    near = {0, 1, 2, last - 2, last - 1, last, *(columns[w] + d for w in active for d in (-1, 0, 1))}
    runs = [r for r in _gaps(sorted(c for c in near if 0 <= c <= last)) if len(r) > _QUIET]
    kept = [c for c in range(last + 1) if not any(c in run[1:] for run in runs)]
    place = {c: i for i, c in enumerate(kept)}
    found = {key: place[c] for key, c in columns.items() if c in place}
    dots = {HIDDEN - i: place[run[0]] for i, run in enumerate(runs)}
    return [quietened(items, columns, runs) for items in all_items], found | dots


def _gaps(columns: Sequence[int]) -> list[range]:
    return [range(a + 1, b) for a, b in itertools.pairwise(columns)]


def _common(all_items: Sequence[Sequence[Item]]) -> dict[int, int] | None:
    """Return a column for each key that does for all networks; None if what is before and after changes."""
    inputs: dict[int, dict[int, None]] = defaultdict(dict)
    for items in all_items:
        for item in items:
            inputs[item.key].update(dict.fromkeys(item.inputs))
    order = _sorted(inputs)
    if order is None:
        return None
    early = {INPUT: 0}
    for key in order:
        early[key] = max((early[i] + 1 for i in inputs[key]), default=0)
    late = dict.fromkeys(order, early[OUTPUT])
    for key in reversed(order):
        for source in inputs[key]:
            late[source] = min(late[source], late[key] - 1)
    late[INPUT] = 0
    return {key: (early[key] + late[key]) // 2 for key in order}


def _sorted(inputs: Mapping[int, Iterable[int]]) -> list[int] | None:
    """Return the keys, inputs first; None where they go in a circle."""
    waiting = {key: len(tuple(sources)) for key, sources in inputs.items()}
    users: dict[int, list[int]] = defaultdict(list)
    for key, sources in inputs.items():
        for source in sources:
            users[source].append(key)
    ready = [key for key, count in waiting.items() if not count]
    for key in ready:  # which grows
        for user in users[key]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return ready if len(ready) == len(inputs) else None


@dataclass(frozen=True)
class _Page:
    """A panel with its number, what is marked, and the step that led to it."""

    drawing: Drawing
    number: int
    replaced: frozenset[int]
    new: frozenset[int]
    caption: str

    def parts(self) -> Iterator[Part]:
        """Yield the marks, and the network over them."""
        marks = [(area, NEW, "new") for area in self._areas(self.new, 3.0)]
        marks += [(area, REPLACED, "replaced") for area in self._areas(self.replaced, 0.0)]
        for (left, top, right, bottom), style, kind in sorted(marks, key=lambda mark: mark[0][0] - mark[0][2]):
            yield Group((Rectangle((left, top), right - left, bottom - top, 8.0, style),), kind)
        for (left, top, right, bottom), style, _ in marks:
            yield Rectangle((left, top), right - left, bottom - top, 8.0, replace(style, fill=None))
        yield from self.drawing.parts()

    def _areas(self, wires: frozenset[int], more: float) -> Iterator[Area]:
        """Yield the outline of each connected part of some wires."""
        groups: list[set[int]] = []
        areas: dict[int, Area] = {}
        for item in self.drawing.items:
            if not wires.intersection(item.covers):
                continue
            areas[item.key] = self.drawing.area(item)
            near = [group for group in groups if group.intersection(item.inputs)]
            groups = [group for group in groups if group not in near] + [{item.key}.union(*near)]
        for group in groups:
            sides = list(zip(*(areas[key] for key in group), strict=True))
            yield min(sides[0]) - more, min(sides[1]) - more, max(sides[2]) + more, max(sides[3]) + more


def _stacked(pages: Sequence[_Page], names: Names, count: int) -> Scene:
    parts: list[Part] = []
    y, left = 0.0, min(page.drawing.left for page in pages)
    right = max(page.drawing.right for page in pages)
    for before, page in zip([None, *pages], pages, strict=False):
        if before is not None:
            right = max(right, left + _between(parts, page, before.number, left, y))
            y += _BETWEEN
        top, bottom = page.drawing.top - 4, page.drawing.bottom + 4
        inner = tuple(shifted(part, 0.0, y - top) for part in page.parts())
        parts.append(Group(inner, "panel", f"Network {page.number + 1}"))
        parts.append(Text((left - _INDENT + 4, y - top + 4), plain(f"({page.number + 1})"), FONT, "start"))
        y += bottom - top
    sketches = [page.drawing.view.sketch for page in pages]
    legend, y, wide = legend_of(sketches, names, left, y)
    area = (left - _INDENT, 0.0, max(right, left + wide), y)
    title = f"{count} networks that are equal"
    return framed([*parts, *legend], area, title, "; ".join(page.caption for page in pages if page.caption))


def _between(parts: list[Part], page: _Page, last: int, x: float, y: float) -> float:
    """Add the sign between two panels, and say by which law, or how many are left out; return how wide it is."""
    middle = y + _BETWEEN / 2 + 4
    skipped = page.number - last - 1
    if skipped:
        parts.extend(dots((x - _INDENT + 14, middle - 4)))
        text = f"{skipped} panels left out, then by "
    else:
        parts.append(
            Text((x - _INDENT + 14, middle + 2), plain("→" if page.caption.startswith("absorb") else "="), 20.0)
        )
        text = "by "
    label = joined(text, _formula(cut(page.caption, _CAPTION)))
    parts.append(Group((Text((x, middle), label, FONT, "start"),), "caption", page.caption))
    return width(label, FONT)


_INDEXED = re.compile(r"\b(?:([A-Za-z])_([A-Za-z0-9]+)\b|([A-Za-z]+)_\{([^{}]*)\})")


def _formula(text: str) -> Label:
    """Return a text with A_W, and Mix_{f,W}, as a name with a subscript."""
    pieces = _INDEXED.split(text)
    words = [plain(word) for word in pieces[::5]]
    indexed = zip(pieces[1::5], pieces[2::5], pieces[3::5], pieces[4::5], strict=True)
    letters = [variable(a or c, b or d) for a, b, c, d in indexed]
    return joined(*itertools.chain.from_iterable(itertools.zip_longest(words, letters, fillvalue=())))
