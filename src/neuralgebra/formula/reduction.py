"""What a network is on a box: an affine form of its inputs and of the few units that bend there.

The network is walked once, in exact rational arithmetic. Each layer that is not affine receives the exact form of its
argument, and from it a proven range; units that are one affine map over their range go into the form, rivals of a
maximum that never win leave it, and what is left becomes a stage, whose outputs are variables of the forms behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import Rationals, above, below, nearest
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import RULES
from neuralgebra.formula.ranges import Range, Ranges
from neuralgebra.formula.segments import Segment, affine_on
from neuralgebra.network import names as naming
from neuralgebra.network.box import Box
from neuralgebra.network.forms import Form, forms, identity, padded
from neuralgebra.network.layers import Affine, Elementwise, Layer, Maximum
from neuralgebra.network.network import Network
from neuralgebra.network.notation import stems
from neuralgebra.network.units import functions_of, subset

__all__ = ["Reduction", "Removed", "Stage", "contests", "outward"]

_K = Rationals()


@dataclass(frozen=True)
class Stage:
    """A layer that is not affine, on what is left of its units.

    Parameters
    ----------
    layer : Layer or None
        The layer; None for the identity, where a form is given a name.
    arguments : tuple of Form
        What it is applied to.
    ranges : tuple of Range
        What the arguments lie between.
    start : int
        Row of its first output in later forms.
    size : int
        How many outputs it has.
    """

    layer: Layer | None
    arguments: tuple[Form, ...]
    ranges: tuple[Range, ...]
    start: int
    size: int


@dataclass(frozen=True)
class Removed:
    """One unit that does not bend on the box, or a rival that never is the first maximum.

    Parameters
    ----------
    name : str
        The unit, as formulas name it.
    change : str
        What becomes of it: "= 0".
    reason : str
        The proven range that allows it: "-3.1 <= z1_2 <= -0.2".
    """

    name: str
    change: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} {self.change}, since {self.reason}"


class Reduction:
    """A network on a box.

    Parameters
    ----------
    network : Network
        The network.
    box : Box
        The box.
    fold : bool
        Whether affine layers are multiplied out; otherwise each is a stage of its own.
    """

    def __init__(self, network: Network, box: Box, fold: bool = True) -> None:
        self.network, self.box, self.fold = network, box, fold
        self.ranges = Ranges(_K.weight(np.array(box.low)), _K.weight(np.array(box.high)))
        self.stages: list[Stage] = []
        self.units: dict[int, list[Segment | None]] = {}
        self.rivals: dict[int, list[list[int]]] = {}
        self.removed: list[Removed] = []
        self._stems = stems(network)
        self._inputs = naming.safe((*network.input_names, *network.output_names))
        self.form = forms(network, self._other, *(() if fold else (self._named,)))[network.output]

    @property
    def inputs(self) -> int:
        """How many inputs there are."""
        return self.network.input_size

    @property
    def count(self) -> int:
        """How many numbers a formula shows, zeros left out."""
        return sum(int((part != 0).sum()) for part in self.parts)

    @property
    def parts(self) -> Iterator[Form]:
        """All forms whose numbers a formula shows."""
        for stage in self.stages:
            yield from stage.arguments
        yield self.form

    def _named(self, layer: Layer, form: Form) -> Form:
        """Return an affine layer as a stage of its own."""
        return self._stage(None, form) if isinstance(layer, Affine) else form

    def _other(self, place: int, layer: Layer, arguments: list[Form]) -> Form:
        match layer:
            case Elementwise():
                return self._elementwise(place, layer, arguments[0])
            case Maximum():
                return self._maximum(place, layer, arguments[0])
        return self._stage(layer, *arguments)

    def _stage(self, layer: Layer | None, *arguments: Form, ranges: Sequence[Range] | None = None) -> Form:
        """Add a stage and return the form of its outputs."""
        ranges = ranges or [self.ranges.of(a) for a in arguments]
        balls = _values(layer, [r.balls() for r in ranges])
        start = len(self.ranges) + 1
        self.stages.append(Stage(layer, arguments, tuple(ranges), start, len(balls)))
        self.ranges.add(layer, arguments[0], ranges[0], balls)
        return identity(len(balls), start)

    # Activations ------------------------------------------------------------------------------------------------

    def _elementwise(self, place: int, layer: Elementwise, form: Form) -> Form:
        size = form.shape[1]
        ranges = self.ranges.of(form)
        found = self.units[place] = self._segments(place, layer, ranges)
        kept = [unit for unit, segment in enumerate(found) if segment is None]
        rest = [unit for unit, segment in enumerate(found) if segment is not None]
        bent = self._bent(subset(layer, size, kept), form, ranges, kept) if kept else form[:, :0]
        rows = max(len(bent), len(form))
        result = _K.zeros((rows, size))
        result[:, kept] = padded(bent, rows)
        for unit in rest:
            segment: Any = found[unit]
            result[: len(form), unit] = form[:, unit] * segment.slope
            result[0, unit] += segment.offset
        return result

    def _bent(self, layer: Elementwise, form: Form, ranges: Range, kept: list[int]) -> Form:
        known = Range(ranges.low[kept], ranges.high[kept], ranges.known[kept])
        return self._stage(layer, form[:, kept], ranges=[known])

    def _segments(self, place: int, layer: Elementwise, ranges: Range) -> list[Segment | None]:
        """Return the affine map of each unit on its range, None where there is none."""
        low, high, known = ranges.low, ranges.high, ranges.known
        found: list[Segment | None] = []
        for unit, function in enumerate(functions_of(layer, len(known))):
            segment = affine_on(function, low[unit], high[unit]) if known[unit] else None
            found.append(segment)
            if segment is not None:
                argument = self._argument(place, unit)
                reason = f"{outward(low[unit], ROUND_FLOOR)} <= {argument} <= {outward(high[unit], ROUND_CEILING)}"
                self._remove(place, unit, f"= {_line(segment, argument)}", reason)
        return found

    def _remove(self, place: int, unit: int, change: str, reason: str) -> None:
        self.removed.append(Removed(f"{self._stems[place]}_{unit + 1}", change, reason))

    def _argument(self, place: int, unit: int) -> str:
        """Return what formulas call an argument of the node at a place."""
        source = self.network.nodes[place - 1].inputs[0]
        return f"{self._stems[source]}_{unit + 1}" if source else self._inputs[unit]

    # Maxima -----------------------------------------------------------------------------------------------------

    def _maximum(self, place: int, layer: Maximum, form: Form) -> Form:
        groups = self.rivals[place] = [self._left(place, i, g, form) for i, g in enumerate(layer.groups.tolist())]
        kept = [i for i, group in enumerate(groups) if len(group) > 1]
        bent = self._contests(form, [groups[i] for i in kept]) if kept else form[:, :0]
        rows = max(len(bent), len(form))
        result = padded(form[:, [group[0] for group in groups]], rows)
        result[:, kept] = padded(bent, rows)
        return result

    def _contests(self, form: Form, groups: list[list[int]]) -> Form:
        used = sorted({i for group in groups for i in group})
        return self._stage(contests(groups, used), form[:, used])

    def _left(self, place: int, unit: int, group: Sequence[int], form: Form) -> list[int]:
        """Return the rivals in a group that may be the first maximum somewhere."""
        rivals, left = list(dict.fromkeys(group)), []
        for at, rival in enumerate(rivals):
            over = self.ranges.of(form[:, [rival]] - form[:, rivals])
            high, known = over.high, over.known
            beaten = known & ((high < 0) | ((high <= 0) & (np.arange(len(rivals)) < at)))
            if not beaten.any():
                left.append(rival)
                continue
            best = int(np.flatnonzero(beaten)[0])
            margin = f"{self._argument(place, rival)} - {self._argument(place, rivals[best])}"
            reason = f"{margin} <= {outward(high[best], ROUND_CEILING)}"
            self._remove(place, unit, f"leaves {self._argument(place, rival)} out", reason)
        return left


def contests(groups: Sequence[Sequence[int]], used: Sequence[int]) -> Maximum:
    """Return the maximum over groups, whose members are counted among those that are used."""
    at = {old: new for new, old in enumerate(used)}
    size = max(map(len, groups))
    return Maximum(np.array([[at[i] for i in (*group, *[group[0]] * (size - len(group)))] for group in groups]))


def _values(layer: Layer | None, arguments: list[np.ndarray]) -> np.ndarray:
    """Return balls around the values of a layer."""
    if layer is None:
        return arguments[0]
    k = Balls()
    with k.precision():
        jets = [Jet(IndexSet.full(1, 0), [argument[None]]) for argument in arguments]
        found: np.ndarray = np.asarray(RULES[type(layer)](k, layer, 0, *jets), dtype=object)[0]
    return found


def _line(segment: Segment, argument: str) -> str:
    """Return an affine map as text."""
    slope, offset = nearest(segment.slope), nearest(segment.offset)
    if not slope:
        return f"{offset:.6g}"
    factor = "" if slope == 1 else "-" if slope == -1 else f"{slope:.6g}*"
    return f"{factor}{argument}" + (f" {'-' if offset < 0 else '+'} {abs(offset):.6g}" if offset else "")


def outward(end: Any, rounding: str = ROUND_CEILING) -> str:
    """Return an end of a range with few digits, never inside the range.

    Parameters
    ----------
    end : rational
        The exact end.
    rounding : {ROUND_CEILING, ROUND_FLOOR}
        For a high end, or for a low one; words of the module decimal.
    """
    exact = Decimal(below(end) if rounding == ROUND_FLOOR else above(end))
    return f"{float(Context(prec=4, rounding=rounding).create_decimal(exact)):g}"
