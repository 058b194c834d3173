"""The compilation of a network to plain layers: cells for activations and products, as exact as they must be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neuralgebra.algebra.assembly import Assembled, assembled
from neuralgebra.algebra.cells import Cell, of_relation, together
from neuralgebra.algebra.cells import of_squares as of_exact_squares
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.enclosure import ranges
from neuralgebra.algebra.gate import Gate, chosen
from neuralgebra.algebra.products import expanded
from neuralgebra.algebra.quadratic import Quadratic, quadratic, shrunk
from neuralgebra.algebra.relations import one_sided, relation
from neuralgebra.algebra.same_depth import Sum
from neuralgebra.algebra.schedule import Schedule, scheduled
from neuralgebra.algebra.schemes import Scheme, by_scheme, of_squares, roundings
from neuralgebra.algebra.sensitivity import Range, gains, sensitivities
from neuralgebra.algebra.triples import tripled
from neuralgebra.algebra.univariate import fitted, interpolated
from neuralgebra.algebra.wiring import by_gate, by_knots, by_relation, folds, sawtooth
from neuralgebra.arithmetic.rationals import Rationals, nearest
from neuralgebra.errors import NotCertifiedError, ResourceError, UnsupportedError, UsageError, shown
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.activation import activation as named
from neuralgebra.network.box import Box
from neuralgebra.network.layers import Elementwise, Multiply
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["Compiler"]

_PIECEWISE = ("relu", "leaky_relu", "prelu")
# The share of the tolerance for gates, the rest is for what is rounded; and how large the roundings of a neuron are
# taken to be, in half units of the last place: more where the gates behind it magnify them.
_ATTEMPTS = ((0.995, 12.0), (0.7, 12.0), (0.7, 600.0), (0.7, 3e4), (0.4, 2e5), (0.2, 1e6))
_WIDENINGS, _WIDEST = 6, 0.01  # of ranges by errors of values: how often, and by which part of them at first
_HOPELESS = 1e6  # times the tolerance: further attempts would not come so far
_FEW = 4  # neurons of a product that centred ranges make no fewer
_MOST_NUMBERS = 2_000_000  # of the layers
_ONE = Rationals().scalar(1)


class Compiler:
    """One network on its way to plain layers.

    Parameters
    ----------
    network : Network
        f.
    function : Activation
        The activation of the layers.
    box : Box or None
        Where tolerances hold.
    dtype : dtype
        float32 or float64.
    tol : float or None
        The largest error.
    objective : str
        What products in relu are to have few of.
    approximately : Sum, optional
        What products of two neurons are replaced with.
    """

    def __init__(
        self,
        network: Network,
        function: Activation,
        box: Box | None,
        dtype: np.dtype,
        tol: float | None,
        objective: str = "parameters",
        approximately: Sum | None = None,
    ) -> None:
        self.network, self.function, self.box, self.dtype, self.tol = network, function, box, dtype, tol
        self.objective = objective
        expansion = expanded(elementary(network), function, approximately)
        self.simple, self.off = expansion.network, expansion.errors
        self.proven, self.open = (_nowhere(self.simple), None) if box is None else ranges(self.simple, box)
        self._widen([np.zeros(size) for size in self.simple.sizes])
        self.units = sum(self.simple.sizes[p] for p, n in enumerate(self.simple.nodes, 1) if _computes(n.layer))
        self.share, self.care = 0.0, 0.0

    def _widen(self, slack: Sequence[np.ndarray]) -> None:
        """Let values be off by some slack: cells are made for ranges that are wider by it."""
        self.slack = slack
        self.ranges = [(low - s, high + s) for (low, high), s in zip(self.proven, slack, strict=True)]
        self.gains = _ones(self.simple) if self.box is None else gains(self.simple, self.ranges)
        self._expect_defined()
        self.sensitivities = sensitivities(self.simple, self.gains)

    def _expect_defined(self) -> None:
        """Raise an error where a function may leave its domain on the box, or its slope has no bound."""
        for place, gain in self.gains.items():
            layer = self.simple.nodes[place - 1].layer
            if not np.isfinite(gain).all() and isinstance(layer, Elementwise):
                unit = int(np.flatnonzero(~np.isfinite(gain))[0])
                function = list(functions_of(layer, len(gain)))[unit]
                low, high = (end[unit] for end in self.ranges[self.simple.nodes[place - 1].inputs[0]])
                raise NotCertifiedError(
                    f"{function} of an argument in [{low:.6g}, {high:.6g}] received; nothing narrower is proven of it, "
                    f"and there the function is not defined, or its slope has no bound{self._where()}.\n"
                    "A smaller domain expected."
                )

    def _where(self) -> str:
        return "" if self.open is None else f": where {shown(self.open.text(self.network.input_names))}"

    def run(self) -> Assembled:
        """Return the layers of the largest share of the tolerance for gates that leaves enough for the rest."""
        if self.tol is None:
            return self._made()
        least = math.inf
        for share, self.care in _ATTEMPTS:
            if (inherent := self._inherent()) > self.tol:
                least = inherent
                break
            self.share = share / max(1, self.units)
            made = self._made()
            least = min(least, float(made.executed.max()))
            if least <= self.tol:
                return made
            if least > _HOPELESS * self.tol:
                break
        raise NotCertifiedError(
            f"tol={self.tol:g} received; {least:.3g} is what is proven of plain layers of {self.function} in "
            f"{self.dtype} on this domain.\nA larger tolerance, float64 or a smaller domain expected."
        )

    def _inherent(self) -> float:
        """Return about what the outputs are off by, whatever the gates."""
        shares = [self.sensitivities[place] @ off for place, off in self.off.items()]
        return float(max((share.max() for share in shares), default=0.0))

    def _made(self) -> Assembled:
        """Return layers in which no value leaves the range that the cells behind it are made for."""
        if self.tol is not None:
            self._widen([self._allowed(place) for place in range(len(self.proven))])
        for _ in range(_WIDENINGS):
            made = self._assembled()
            errors = [made.errors.get(place, np.zeros(size)) for place, size in enumerate(self.simple.sizes)]
            if self.box is None or all((e <= s).all() for e, s in zip(errors, self.slack, strict=True)):
                return made
            if not all(np.isfinite(e).all() for e in errors):
                break
            self._widen([np.where(e > s, 2 * e, s) for e, s in zip(errors, self.slack, strict=True)])
        return replace(made, executed=np.full_like(made.executed, math.inf), error=np.full_like(made.error, math.inf))

    def _allowed(self, place: int) -> np.ndarray:
        """Return about how far a value may be off: by the tolerance, if the outputs depend on it as on themselves."""
        assert self.tol is not None
        if place == 0:
            return self.slack[0]
        low, high = self.proven[place]
        share = self.tol * self.share / np.maximum(self.sensitivities[place].max(axis=0), 1e-300)
        return np.asarray(np.minimum(2 * share, _WIDEST * np.maximum(abs(low), abs(high))))

    def _assembled(self) -> Assembled:
        cells = {p: self._cell(p) for p, n in enumerate(self.simple.nodes, 1) if _computes(n.layer)}
        schedule = self._schedule(cells)
        hands = {
            place: self._hand(place)
            for place, (first, last) in enumerate(zip(schedule.first, schedule.last, strict=True))
            if first < last
        }
        self._expect_small(_widths(cells, hands, schedule))
        return assembled(self.simple, self.function, cells, hands, schedule, self.ranges, self.off, self.dtype)

    def _expect_small(self, widths: Sequence[int]) -> None:
        """Raise an error where the layers would hold too many numbers."""
        pairs = itertools.pairwise([self.network.input_size, *widths, self.network.output_size])
        count = sum((n + 1) * m for n, m in pairs)
        if count > _MOST_NUMBERS:
            raise ResourceError(
                f"{sum(widths):,} neurons in {len(widths):,} layers received, which hold {count:,} numbers; at most "
                f"{_MOST_NUMBERS:,} are covered.\nFewer factors or a larger tolerance expected."
            )

    def _schedule(self, cells: dict[int, Cell]) -> Schedule:
        arguments = [(), *(node.inputs for node in self.simple.nodes)]
        latencies = [cells[p].depth if p in cells else 0 for p in range(len(arguments))]
        costs = [self._hand_cost(p) * size for p, size in enumerate(self.simple.sizes)]
        return scheduled(arguments, latencies, costs, self.simple.output)

    def _hand_cost(self, place: int) -> int:
        if self.box is not None and one_sided(self.function, 0.0):
            return 1
        exact = relation(named("identity"), self.function)
        return 1 if exact is None else len(exact.terms)

    # Cells ------------------------------------------------------------------------------------------------------

    def _cell(self, place: int) -> Cell:
        layer, size = self.simple.nodes[place - 1].layer, self.simple.sizes[place]
        if isinstance(layer, Multiply):
            return self._products(place)
        assert isinstance(layer, Elementwise)
        cells = [self._unit(place, i, f) for i, f in enumerate(functions_of(layer, size))]
        return together(cells, [(i,) for i in range(size)], size)

    def _unit(self, place: int, unit: int, function: Activation) -> Cell:
        found, gain = relation(function, self.function), float(self.gains[place][unit])
        if found is not None:
            return of_relation(found, gain)
        if self.tol is None:
            raise self._refused(f"{function} as neurons of {self.function}")
        self._expect_curved(str(function))
        low, high = self._ends(self.simple.nodes[place - 1].inputs[0], unit)
        if function.name == "square":
            return self._quadratic([(low, high)], self._tolerance(place, unit))
        return self._univariate(function, low, high, self._tolerance(place, unit), gain)

    def _univariate(self, function: Activation, low: float, high: float, tol: float, gain: float) -> Cell:
        """Return the cell of any function on a range."""
        middle, size = (low + high) / 2, (high - low) / 2 + abs(low + high) * 2.0**-50
        radius = nearest(1 / shrunk(size))
        if not function.row.domain[0] < middle - radius <= middle + radius < function.row.domain[1]:
            radius = size * (1 + 2.0**-40)  # no short number, but one that stays where the function is defined
        target = Network.function(function) @ Network.from_layers([([[radius]], [middle])])
        if self.function.name in _PIECEWISE:
            found = relation(named("relu"), self.function)
            assert found is not None
            return by_relation(by_knots(interpolated(target, tol), middle, radius, gain), found)
        return by_gate(fitted(self.function, target, tol, self.dtype, self.care), middle, radius, _ONE, gain)

    def _ends(self, place: int, unit: int) -> tuple[float, float]:
        low, high = self.ranges[place]
        return float(low[unit]), float(high[unit])

    def _products(self, place: int) -> Cell:
        size, given = self.simple.sizes[place], self.simple.nodes[place - 1].inputs
        square = relation(named("square"), self.function)
        if square is not None:
            exact = [of_exact_squares(square, gain) for gain in self.gains[place].T.tolist()]
            return together(exact, [(i, size + i) for i in range(size)], 2 * size)
        if self.box is None or self.tol is None:
            raise self._refused(f"a product as neurons of {self.function}")
        self._expect_curved("a product")
        cells = [self._quadratic([self._ends(p, i) for p in given], self._tolerance(place, i)) for i in range(size)]
        return together(cells, [(i, size + i) for i in range(size)], 2 * size)

    def _expect_curved(self, what: str) -> None:
        """Raise an error for an activation that nothing is approximated with: straight, or not defined everywhere."""
        row = self.function.row
        if row.domain != (-math.inf, math.inf):
            fault = "which is not defined for all numbers; one that is"
        elif row.derivative(2) or self.function.name in _PIECEWISE:
            return
        else:
            fault = "which is made of straight pieces; a smooth activation, relu or leaky_relu"
        raise UnsupportedError(f"{what} as neurons of {self.function} received, {fault} expected.")

    def _quadratic(self, ranges: Sequence[tuple[float, float]], tol: float) -> Cell:
        """Return the cell of the product of two values in given ranges, or of the square of one."""
        if self.function.name in _PIECEWISE:
            return self._teeth(quadratic(ranges), tol)
        wide = quadratic(ranges, centred=False)
        cells = [by_scheme(wide, next(self._schemes(wide, tol)))]
        near = quadratic(ranges)
        if cells[0].neurons > _FEW and any(near.linear):
            straight = self._straight(tol / 2 / float(nearest(sum(abs(a) for a in near.linear) * near.scale)))
            cells += [by_scheme(near, scheme, straight) for scheme in self._schemes(near, tol / 2)]
        return min(cells, key=lambda cell: self._rank(cell, ranges, tol))

    def _schemes(self, of: Quadratic, tol: float) -> Iterator[Scheme]:
        """Yield neurons for what is quadratic, the fewest first."""
        tol = tol / float(nearest(of.scale))
        gate = chosen(self.function, tol, self.dtype, True, worst=self.care)
        three = tripled(self.function, tol, self.dtype, self.care) if len(of.squares) == 2 <= gate.neurons else None
        if three is not None:
            yield three
        yield of_squares(gate, of)

    def _rank(self, cell: Cell, ranges: Sequence[tuple[float, float]], tol: float) -> tuple[bool, float]:
        """Return whether a cell is too far off, then how far; else how many neurons it has."""
        off = float(cell.error[0]) + self.care * float(np.finfo(self.dtype).eps) * roundings(
            self.function, cell, ranges
        )
        return (True, off) if off > tol else (False, cell.neurons)

    def _teeth(self, of: Quadratic, tol: float) -> Cell:
        squares = len(of.squares)
        pieces = math.sqrt(float(nearest(of.scale)) / (tol * (8 if squares == 1 else 4))) * (1 - 1e-12)
        found = relation(named("relu"), self.function)
        assert found is not None
        return by_relation(sawtooth(of, folds(pieces, squares, self.objective)), found)

    def _tolerance(self, place: int, unit: int) -> float:
        """Return how far a value may be off: a share of the tolerance, by how much the outputs depend on it."""
        assert self.tol is not None
        return self.tol * self.share / float(max(self.sensitivities[place][:, unit].max(), 1e-300))

    def _hand(self, place: int) -> Cell:
        """Return identity neurons for the value at a place."""
        size, (low, high) = self.simple.sizes[place], self.ranges[place]
        cells = [self._hand_unit(place, i, float(low[i]), float(high[i])) for i in range(size)]
        return together(cells, [(i,) for i in range(size)], size)

    def _hand_unit(self, place: int, unit: int, low: float, high: float) -> Cell:
        found = None if self.box is None else one_sided(self.function, low)
        found = relation(named("identity"), self.function) if found is None else found
        if found is not None:
            return of_relation(found, 1.0)
        if self.tol is None:
            raise self._refused(f"a value handed on through a layer of {self.function}")
        alpha = shrunk(max(-low, high))
        gate = self._identity(self._tolerance(place, unit) * float(nearest(alpha)))
        return by_gate(gate, 0.0, 1 / alpha, 1 / alpha, 1.0)

    def _identity(self, tol: float) -> Gate:
        return chosen(self.function, tol, self.dtype, False, worst=self.care)

    def _straight(self, tol: float) -> Cell:
        """Return the cell of the identity on [-1, 1]."""
        found = relation(named("identity"), self.function)
        return by_gate(self._identity(tol), 0.0, _ONE, _ONE, 1.0) if found is None else of_relation(found, 1.0)

    def _refused(self, what: str) -> Exception:
        if self.box is None:
            return UnsupportedError(f"{what} is not exact; a domain and a tolerance expected: plain(σ, domain, tol).")
        if self.tol is None:
            return UsageError(f"{what} is not exact, and no tolerance received; tol= expected: plain(σ, domain, tol).")
        return NotCertifiedError(f"{what} is not covered.")


def _widths(cells: Mapping[int, Cell], hands: Mapping[int, Cell], schedule: Schedule) -> list[int]:
    """Return how many neurons each hidden layer has, before equal ones are merged."""
    found = [0] * schedule.depth
    for place, cell in cells.items():
        for stage, step in enumerate(cell.steps, schedule.first[place] - cell.depth):
            found[stage] += step.layer.size
    for place, cell in hands.items():
        for stage in range(schedule.first[place], schedule.last[place]):
            found[stage] += cell.neurons
    return found


def _computes(layer: Any) -> bool:
    return isinstance(layer, Elementwise | Multiply)


def _nowhere(network: Network) -> list[Range]:
    """Return ranges that stand for none: without a domain no bound is asked for."""
    return [(np.zeros(size), np.zeros(size)) for size in network.sizes]


def _ones(network: Network) -> dict[int, np.ndarray]:
    """Return gains that stand for none."""
    sizes = zip(network.sizes[1:], network.nodes, strict=True)
    shapes = [(n, node.layer) for n, node in sizes]
    return {p: np.ones((2, n) if isinstance(x, Multiply) else n) for p, (n, x) in enumerate(shapes, 1) if _computes(x)}
