"""What stands in a picture: the layers of a sketch, its input and output, and dots for layers left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from neuralgebra.network.layers import Concatenate, Layer
from neuralgebra.show.scene import BLACK, Style
from neuralgebra.show.sketch import INPUT, Sketch, sign

__all__ = ["HIDDEN", "OUTPUT", "Item", "items_of", "quietened", "shortened", "style_of"]

OUTPUT, HIDDEN = -1, -2
"""Keys of the end and of the first dots, others below; a layer has the wire that it gives for its key."""

_PURPLE, _TEAL = "#9d4edd", "#0b7285"
_STYLES = {
    "PowerProduct": Style(_PURPLE, width=1.1, dash=(5.0, 2.5)),
    "Mixing": Style(_TEAL, width=1.1, dash=(6.0, 2.0, 1.2, 2.0)),
}


@dataclass(frozen=True)
class Item:
    """Something in a picture.

    Parameters
    ----------
    key : int
        Its name.
    layer : Layer, optional
        None for input, output and dots.
    inputs : tuple of int
        Keys of the items that it takes wires from.
    wires : tuple of int
        The wires that it takes, one for each input.
    size : int
        Number of coordinates of the wire that it gives, or takes if it is the output.
    covers : tuple of int
        Wires that it gives; more than one where it stands for several layers.
    hidden : int
        How many layers the dots stand for.
    """

    key: int
    layer: Layer | None
    inputs: tuple[int, ...]
    wires: tuple[int, ...]
    size: int
    covers: tuple[int, ...] = ()
    hidden: int = 0


def items_of(sketch: Sketch, merged: bool) -> list[Item]:
    """Return the items of a sketch, inputs first.

    Parameters
    ----------
    sketch : Sketch
        What is drawn.
    merged : bool
        Whether a sum or difference of vectors is one item: not one for laying side by side and one for adding.
    """
    items = [Item(INPUT, None, (), (), sketch.sizes[INPUT], (INPUT,))]
    items += [Item(w, layer, i, i, sketch.sizes[w], (w,)) for w, layer, i in sketch.nodes]
    items.append(Item(OUTPUT, None, (sketch.output,), (sketch.output,), sketch.sizes[sketch.output]))
    return _merged(items) if merged else items


def _merged(items: list[Item]) -> list[Item]:
    uses = Counter(key for item in items for key in item.inputs)
    joined = {i.key: i for i in items if isinstance(i.layer, Concatenate) and uses[i.key] == 1}
    found, gone = [], set()
    for item in items:
        before = joined.get(item.inputs[0]) if sign(item.layer) else None
        if before is not None and len(before.inputs) == item.layer.weight.weight.size:  # type: ignore[union-attr]
            gone.add(before.key)
            item = replace(item, inputs=before.inputs, wires=before.wires, covers=(before.key, item.key))
        found.append(item)
    return [item for item in found if item.key not in gone]


def shortened(items: Sequence[Item], columns: Mapping[int, int], most: int) -> list[Item]:
    """Return the items with dots in place of the middle columns, where there are more than `most`."""
    last = max(columns.values())
    if last + 1 <= most:
        return list(items)
    first, end = most // 2, last + 1 - most // 2
    left = [item for item in items if columns[item.key] < first]
    right = [item for item in items if columns[item.key] >= end]
    known = {item.key for item in right}
    lost = len(items) - len(left) - len(right)
    passing = _taken({item.key for item in left}, [i for i in items if columns[i.key] >= first])
    wires = tuple(passing)
    dots = Item(HIDDEN, None, wires, wires, passing[wires[0]], (), lost)
    later = [replace(i, inputs=tuple(k if k in known else HIDDEN for k in i.inputs)) for i in right]
    return [*left, dots, *later]


def quietened(items: Sequence[Item], columns: Mapping[int, int], runs: Sequence[range]) -> list[Item]:
    """Return the items of a chain with dots in place of those in some runs of columns."""
    found: list[Item] = []
    for item in items:
        run = next((i for i, run in enumerate(runs) if columns[item.key] in run), None)
        before = (found[-1].key,) if found else ()
        if run is None:
            found.append(replace(item, inputs=before))
        elif before == (HIDDEN - run,):
            found[-1] = replace(found[-1], size=item.size, hidden=found[-1].hidden + 1)
        else:
            found.append(Item(HIDDEN - run, None, before, item.wires, item.size, (), 1))
    return found


def _taken(keys: set[int], items: Sequence[Item]) -> dict[int, int]:
    """Return the wires among some that items take, with their sizes where they are known."""
    found: dict[int, int] = {}
    for item in items:
        for key in item.inputs:
            if key in keys:
                found.setdefault(key, item.size)
    return found


def style_of(layer: Layer | None) -> Style:
    """Return how the operation of a layer is drawn: colour and dashes say which it is."""
    return _STYLES.get(type(layer).__name__, Style(BLACK))
