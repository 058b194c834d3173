"""The network of what is left on a box: the same weights, fewer of them, nothing multiplied out unless it is exact."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np

from neuralgebra.arithmetic.rationals import Rationals, nearest
from neuralgebra.errors import ResourceError
from neuralgebra.formula.reduction import Reduction, contests
from neuralgebra.formula.segments import Segment
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Layer, Maximum, Select
from neuralgebra.network.linear import Dense, Diagonal, Linear, identity
from neuralgebra.network.network import Network
from neuralgebra.network.units import subset

__all__ = ["rebuilt"]

_K = Rationals()


def rebuilt(reduction: Reduction) -> Network:
    """Return the network without the units that a reduction found to be affine, equal to it on the box exactly.

    Parameters
    ----------
    reduction : Reduction
        What was found.

    Returns
    -------
    Network
        The smaller network.
    """
    return _Rebuilt(reduction).network()


class _Rebuilt:
    """Builds places of the old network on demand, each with just the coordinates that are asked for."""

    def __init__(self, reduction: Reduction) -> None:
        self.reduction, self.old = reduction, reduction.network
        self.dtype = self.old.dtype
        self.builder = Builder(self.old.input_size)
        self.units = {place: self._representable(found) for place, found in reduction.units.items()}
        self.needed = self._needed()
        self.bent: dict[int, tuple[int, list[int]]] = {}

    def network(self) -> Network:
        place = self.take(self.old.output, range(self.old.output_size))
        return self.old._close(self.builder, place, output_shape=self.old.output_shape)

    def _representable(self, found: Sequence[Segment | None]) -> list[Segment | None]:
        """Return the segments whose numbers the dtype of the network holds."""
        return [s if s and self._fits([s.slope, s.offset]) else None for s in found]

    def _fits(self, numbers: Sequence[Any]) -> bool:
        rounded = ((v, self._rounded(v)) for v in numbers)
        return all(np.isfinite(r) and _K.scalar(float(r)) == v for v, r in rounded)

    def _rounded(self, number: Any) -> Any:
        with np.errstate(over="ignore"):
            return self.dtype.type(nearest(number))

    # What is needed ---------------------------------------------------------------------------------------------

    def _needed(self) -> list[set[int]]:
        """Return the coordinates that are needed at each place."""
        needed: list[set[int]] = [set() for _ in self.old.sizes]
        needed[self.old.output] = set(range(self.old.output_size))
        for place in range(len(self.old.nodes), 0, -1):
            if needed[place]:
                for source, rows in self._sources(place, sorted(needed[place])):
                    needed[source].update(rows)
        return needed

    def _sources(self, place: int, rows: list[int]) -> list[tuple[int, list[int]]]:
        """Return which coordinates of which places some coordinates of a place are made of."""
        node = self.old.nodes[place - 1]
        layer, first = node.layer, node.inputs[0]
        match layer:
            case Affine(weight=Dense() | Diagonal()):
                return [(first, self._columns(layer, first, rows)[0])]
            case Select():
                return [(first, layer.indices[rows].tolist())]
            case Concatenate():
                return self._split(place, rows)
            case Elementwise():
                return [(first, [r for r in rows if not _constant(self.units[place][r])])]
            case Maximum():
                return [(first, [i for r in rows for i in self.reduction.rivals[place][r]])]
        return [(source, list(range(self.old.sizes[source]))) for source in node.inputs]

    def _columns(self, layer: Affine, source: int, rows: Sequence[int]) -> tuple[list[int], list[int]]:
        """Return the columns of a weight that some rows need, and those whose coordinate is constant and counts."""
        weight = layer.weight.dense()[list(rows)]
        constant = self._constants(source)
        used = np.flatnonzero((weight != 0).any(axis=0)).tolist() if source else list(range(weight.shape[1]))
        columns = [c for c in used if c not in constant]
        return sorted(columns, key=lambda c: self._order(source, c)), [c for c in used if constant.get(c, 0) != 0]

    def _order(self, place: int, row: int) -> bool:
        """Return False for what a node computes, True for what passes it by: so they stand in their new place."""
        if place in self.reduction.rivals:
            return len(self.reduction.rivals[place][row]) == 1
        return place in self.units and self.units[place][row] is not None

    def _constants(self, place: int) -> dict[int, Any]:
        """Return the coordinates of a place that are constant on the box, with their values."""
        found = self.units.get(place, ())
        return {i: s.offset for i, s in enumerate(found) if s is not None and _constant(s)}

    def _split(self, place: int, rows: Sequence[int]) -> list[tuple[int, list[int]]]:
        """Return places and coordinates of what rows of a concatenation come from."""
        inputs = self.old.nodes[place - 1].inputs
        ends = [0, *itertools.accumulate(self.old.sizes[i] for i in inputs)]
        return [(s, [r - a for r in rows if a <= r < b]) for s, a, b in zip(inputs, ends, ends[1:], strict=False)]

    # Taking -----------------------------------------------------------------------------------------------------

    def take(self, place: int, rows: Sequence[int]) -> int:
        """Return the new place of some coordinates of an old place, in that order."""
        rows = list(rows)
        if not place:
            return self._select(0, rows)
        node = self.old.nodes[place - 1]
        match node.layer:
            case Affine(weight=Dense() | Diagonal()):
                return self._affine(node.layer, node.inputs[0], rows)
            case Select():
                return self.take(node.inputs[0], node.layer.indices[rows].tolist())
            case Concatenate():
                return self._concatenated(place, rows)
            case Elementwise():
                return self._elementwise(place, node.layer, rows)
            case Maximum():
                return self._maximum(place, rows)
        arguments = [self.take(i, range(self.old.sizes[i])) for i in node.inputs]
        return self._select(self.builder.add(node.layer, *arguments), rows)

    def _select(self, place: int, rows: Sequence[int]) -> int:
        return self.builder.add(Select(np.array(rows, dtype=int)), place)

    def _joined(self, rows: Sequence[int], parts: Sequence[tuple[list[int], int]]) -> int:
        """Return parts, which hold some of the rows each, as one place in the order of the rows."""
        held = [row for part, _ in parts for row in part]
        place = self.builder.add(Concatenate(), *(p for _, p in parts)) if len(parts) > 1 else parts[0][1]
        at = {row: position for position, row in enumerate(held)}
        return self._select(place, [at[row] for row in rows])

    def _concatenated(self, place: int, rows: Sequence[int]) -> int:
        inputs = self.old.nodes[place - 1].inputs
        starts = [0, *itertools.accumulate(self.old.sizes[i] for i in inputs)]
        parts = []
        for (source, wanted), start in zip(self._split(place, rows), starts, strict=False):
            if wanted:
                wanted = list(dict.fromkeys(wanted))
                parts.append(([start + r for r in wanted], self.take(source, wanted)))
        return self._joined(rows, parts)

    def _constant(self, values: Sequence[Any]) -> int:
        """Return constants as a place."""
        bias = np.array([self._rounded(v) for v in values], dtype=self.dtype)
        return self.builder.add(Affine(np.zeros((len(bias), 1), self.dtype), bias), self._select(0, [0]))

    # Activations and maxima -------------------------------------------------------------------------------------

    def _elementwise(self, place: int, layer: Elementwise, rows: Sequence[int]) -> int:
        found, distinct = self.units[place], list(dict.fromkeys(rows))
        parts = []
        bent = [r for r in distinct if found[r] is None]
        lines = [r for r in distinct if found[r] is not None and not _constant(found[r])]
        constants = [r for r in distinct if _constant(found[r])]
        if bent:
            parts.append((bent, self._bent(place, layer, bent)))
        if lines:
            parts.append((lines, self._lines(place, [(r, found[r]) for r in lines])))
        if constants:
            parts.append((constants, self._constant([found[r].offset for r in constants])))  # type: ignore[union-attr]
        return self._joined(rows, parts)

    def _bent(self, place: int, layer: Elementwise, rows: Sequence[int]) -> int:
        """Return units that stay, from the one node that computes all of them that are needed."""
        if place not in self.bent:
            units = [u for u in sorted(self.needed[place]) if self.units[place][u] is None]
            source = self.take(self.old.nodes[place - 1].inputs[0], units)
            self.bent[place] = self.builder.add(subset(layer, self.old.sizes[place], units), source), units
        return self._from_bent(place, rows)

    def _from_bent(self, place: int, rows: Sequence[int]) -> int:
        new, units = self.bent[place]
        return self._select(new, [units.index(r) for r in rows])

    def _lines(self, place: int, found: Sequence[tuple[int, Any]]) -> int:
        """Return units that are affine: their arguments, scaled and shifted where they are not the same."""
        source = self.take(self.old.nodes[place - 1].inputs[0], [r for r, _ in found])
        slopes, offsets = (
            np.array([self._rounded(getattr(s, n)) for _, s in found], dtype=self.dtype) for n in ("slope", "offset")
        )
        scaled = source if np.all(slopes == 1) else self.builder.add(Affine(Diagonal(slopes)), source)
        return scaled if not offsets.any() else self.builder.add(Affine(self._one(len(found)), offsets), scaled)

    def _one(self, size: int) -> Linear:
        return identity(size, dtype=self.dtype)

    def _maximum(self, place: int, rows: Sequence[int]) -> int:
        groups, source = self.reduction.rivals[place], self.old.nodes[place - 1].inputs[0]
        distinct = list(dict.fromkeys(rows))
        single, several = ([r for r in distinct if (len(groups[r]) > 1) is many] for many in (False, True))
        parts = []
        if several:
            parts.append((several, self._contested(place, source, several)))
        if single:
            parts.append((single, self.take(source, [groups[r][0] for r in single])))
        return self._joined(rows, parts)

    def _contested(self, place: int, source: int, rows: Sequence[int]) -> int:
        if place not in self.bent:
            units = [u for u in sorted(self.needed[place]) if len(self.reduction.rivals[place][u]) > 1]
            groups = [self.reduction.rivals[place][u] for u in units]
            used = sorted({i for group in groups for i in group})
            self.bent[place] = self.builder.add(contests(groups, used), self.take(source, used)), units
        return self._from_bent(place, rows)

    # Affine layers ----------------------------------------------------------------------------------------------

    def _affine(self, layer: Affine, source: int, rows: Sequence[int]) -> int:
        columns, constants = self._columns(layer, source, rows)
        whole = list(rows) == list(range(layer.weight.rows)) and columns == list(range(layer.weight.columns))
        if whole:
            return self._merged(layer, self.take(source, columns))
        weight = layer.weight.dense()[rows]
        bias = None if layer.bias is None else layer.bias[rows]
        first, *rest = self._biases(weight, bias, [(c, self._constants(source)[c]) for c in constants])
        if not columns:  # nothing but constants is left
            weight, place = np.zeros((len(weight), 1), weight.dtype), self._select(0, [0])
        else:
            weight, place = weight[:, columns], self.take(source, columns)
        place = self._merged(Affine(weight, first), place)
        for more in rest:
            place = self.builder.add(Affine(self._one(len(weight)), more), place)
        return place

    def _biases(self, weight: np.ndarray, bias: np.ndarray | None, constants: Sequence[Any]) -> list[Any]:
        """Return arrays of the dtype that add up to the bias and what constants contribute, exactly."""
        if not constants:
            return [bias]
        total = _K.zeros((len(weight),)) if bias is None else _K.weight(bias)
        for column, value in constants:
            total = total + _K.weight(weight[:, column]) * value
        terms: list[np.ndarray] = []
        while not terms or (total != 0).any():
            terms.append(np.array([self._rounded(v) for v in total], dtype=self.dtype))
            if not ((np.isfinite(terms[-1]).all() and terms[-1].any()) or not (total != 0).any()):
                raise ResourceError(f"a weight times a constant unit is beyond the range of {self.dtype}.")
            total = total - _K.weight(terms[-1])
        return terms

    def _merged(self, after: Affine, place: int) -> int:
        """Add an affine layer, multiplied into the one before it where no number is rounded."""
        before = self.builder.nodes[place - 1] if place else None
        if before is not None and _plain(before.layer) and _plain(after):
            found = self._product(after, before.layer)
            if found is not None and found.weight.count <= after.weight.count + before.layer.weight.count:
                return self.builder.add(found, *before.inputs)
        return self.builder.add(after, place)

    def _product(self, after: Affine, before: Any) -> Affine | None:
        """Return the product of two affine layers, if the dtype holds its numbers."""
        second = _K.weight(after.weight.dense())
        weight = _K.product(second, _K.weight(before.weight.dense()))
        bias = _K.zeros((len(second),)) if after.bias is None else _K.weight(after.bias)
        if before.bias is not None:
            bias = bias + _K.product(second, _K.weight(before.bias)[:, None])[:, 0]
        if not self._fits([*weight.flat, *bias]):
            return None
        rounded = [np.array([self._rounded(v) for v in a.flat], self.dtype).reshape(a.shape) for a in (weight, bias)]
        return Affine(rounded[0], rounded[1] if rounded[1].any() else None)


def _constant(segment: Segment | None) -> bool:
    return segment is not None and segment.slope == 0


def _plain(layer: Layer) -> TypeGuard[Affine]:
    return isinstance(layer, Affine) and isinstance(layer.weight, Dense | Diagonal)
