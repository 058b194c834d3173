"""From cells to layers: the weights of a plain network, rounded once, and how far it is from what it stands for.

After each hidden layer every value that is still needed is an exact affine form of the neurons of that layer. What a
cell of the next layer takes is an affine map of such forms, so a form again: its numbers, rounded once to the dtype,
are the weights. The errors of rounding, of cells and of their arguments add up::

    argument of a neuron       |Δz| ≤ Σ |W - exact| max|a| + |b - exact|        + γ (Σ |W| max|a| + |b|) + n · smallest
    a neuron                   |Δa| ≤ max|σ'| |Δz|                                + 2 k u max|σ| + k · smallest
    a value behind a cell      |Δv| ≤ error of the cell + gain · |Δ argument| + Σ |C| |Δa|
    an affine map of values    |Δ(W v)| ≤ |W| |Δv|

What stands on the right is for executions in floating point and left out for real numbers: u is the unit roundoff, n
the products of a row and its bias, γ = n u / (1 - n u), whatever the order of summation, with fused multiply-adds or
without (Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 3), k the units in the last place
within which activations are evaluated, 'smallest' the smallest number above 0. A value is what its form gives for the
neurons as they are executed, so a cell is applied to a value that is off, and not each of its neurons.

The sums of what is never negative are floats, raised by more than their rounding errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.cells import Cell, Map, Step
from neuralgebra.algebra.doubles import magnitudes
from neuralgebra.algebra.schedule import Schedule
from neuralgebra.algebra.sensitivity import Range, slope_of
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import Rationals, above, ends, exactly, nearest
from neuralgebra.errors import ResourceError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.forms import Form, carried, identity, padded
from neuralgebra.network.layers import Affine, Concatenate
from neuralgebra.network.network import Network

__all__ = ["ULPS", "Assembled", "assembled", "beyond", "raised", "through"]

ULPS = 4
"""Within so many units in the last place an activation is taken to be evaluated."""

_K = Rationals()
_EVEN = ("cos", "square", "abs", "gaussian")
_LEAST = 5e-324  # in place of a product that is too small for a number
_MORE = 1e-9  # more than the rounding errors of sums of a million terms


@dataclass(frozen=True)
class Assembled:
    """A plain network with what is known of it.

    Parameters
    ----------
    layers : tuple of (ndarray, ndarray)
        The pairs (A₁, b₁), …, (A_L, b_L), in the dtype.
    error : ndarray, shape (m,)
        What the errors of its outputs as real numbers do not exceed, for inputs in the box.
    executed : ndarray, shape (m,)
        What those of its executions do not exceed, for inputs that are numbers of the dtype.
    errors : dict of int to ndarray
        How far the values at places are off, at most, where cells are applied to them: within the ranges that the cells
        are made for, or the bounds mean nothing.
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    error: np.ndarray
    executed: np.ndarray
    errors: dict[int, np.ndarray]


@dataclass(frozen=True)
class _Value:
    """A value as it can be read at one stage.

    Parameters
    ----------
    form : Form
        In terms of the neurons of the stage.
    error : ndarray, shape (2, size)
        How far it is off, as real numbers and in executions.
    """

    form: Form
    error: np.ndarray


@dataclass(frozen=True)
class _Block:
    """A step of a cell, what it takes, and what the cell was applied to."""

    place: int
    cell: Cell
    index: int
    taken: _Value
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray

    @property
    def step(self) -> Step:
        return self.cell.steps[self.index]

    @property
    def last(self) -> bool:
        return self.index + 1 == self.cell.depth


def assembled(
    network: Network,
    function: Activation,
    cells: Mapping[int, Cell],
    hands: Mapping[int, Cell],
    schedule: Schedule,
    ranges: Sequence[Range],
    off: Mapping[int, np.ndarray],
    dtype: np.dtype,
) -> Assembled:
    """Return the layers of a plain network.

    Parameters
    ----------
    network : Network
        An elementary network.
    function : Activation
        σ.
    cells : mapping of int to Cell
        How the values at places behind activations and products are computed from their arguments.
    hands : mapping of int to Cell
        How the value at a place is handed on through one layer.
    schedule : Schedule
        The stages of all values.
    ranges : sequence of (ndarray, ndarray)
        Ends of the values at all places, proven, and wider by what they may be off.
    off : mapping of int to ndarray
        How far the values at places are off by themselves.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    Assembled
        The layers, with the bounds.
    """
    return _Assembly(network, function, cells, hands, schedule, ranges, off, dtype).run()


class _Assembly:
    """The layers so far, and the values that can be read from the last one."""

    def __init__(
        self,
        network: Network,
        function: Activation,
        cells: Mapping[int, Cell],
        hands: Mapping[int, Cell],
        schedule: Schedule,
        ranges: Sequence[Range],
        off: Mapping[int, np.ndarray],
        dtype: np.dtype,
    ) -> None:
        self.network, self.function, self.cells, self.hands = network, function, cells, hands
        self.schedule, self.ranges, self.off, self.dtype = schedule, ranges, off, dtype
        self.layers: list[tuple[np.ndarray, np.ndarray]] = []
        self.blocks: list[_Block] = []
        self.size = np.maximum(*map(abs, ranges[0]))  # of what the next layer is applied to
        size = network.input_size
        self.values = {0: _Value(identity(size), np.zeros((2, size)))}
        self.errors: dict[int, np.ndarray] = {}

    def run(self) -> Assembled:
        self._read(0)
        for stage in range(1, self.schedule.depth + 1):
            self._layer(stage)
            self._read(stage)
        result = self.values[self.network.output]
        error, executed = raised(result.error + self._stored(result.form))
        return Assembled(tuple(self.layers), error, executed, self.errors)

    # One stage --------------------------------------------------------------------------------------------------

    def _read(self, stage: int) -> None:
        """Add the values that affine maps make of those at a stage."""
        for place, node in enumerate(self.network.nodes, 1):
            if place in self.cells or self.schedule.first[place] != stage:
                continue
            given = [self.values[i] for i in node.inputs]
            form = carried(node.layer, [v.form for v in given])
            error = through(node.layer, np.concatenate([v.error for v in given], axis=1))
            self.values[place] = _Value(form, raised(error + self.off[place]) if place in self.off else error)

    def _layer(self, stage: int) -> None:
        """Add a hidden layer, and keep what can be read from it."""
        jobs = self._jobs(stage)
        forms = [block.step.layer(block.taken.form) for block in jobs]
        spans = [_image(b.step.layer, b.low - b.taken.error[1], b.high + b.taken.error[1]) for b in jobs]
        merged = _merged(self.function, np.concatenate(forms, axis=1))
        kept = merged.kept
        low, high = (np.concatenate(sides)[kept] for sides in zip(*spans, strict=True))
        shift = raised(self._stored(merged.form[:, kept]))
        self.size, slope = _reached(self.function, low - shift[1], high + shift[1])
        moved = _scaled(slope, shift)
        moved[1] += ULPS * (_unit(self.dtype) * 2 * self.size + _smallest(self.dtype))
        moved[1] += beyond(self.size + moved[1], self.dtype)
        cuts = np.cumsum([f.shape[1] for f in forms])[:-1]
        read = [
            self._result(block, neurons, raised(moved))
            for block, neurons in zip(jobs, np.split(merged.neurons, cuts, axis=1), strict=True)
        ]
        self.values = {b.place: v for b, v in zip(jobs, read, strict=True) if b.last}
        self.blocks = [
            replace(b, index=b.index + 1, taken=v, low=b.step.low, high=b.step.high)
            for b, v in zip(jobs, read, strict=True)
            if not b.last
        ]

    def _jobs(self, stage: int) -> list[_Block]:
        """Return the steps of cells that make up the layer of a stage."""
        running = list(self.blocks)
        for place in range(self.network.output + 1):
            first, last = self.schedule.first[place], self.schedule.last[place]
            if place in self.cells and first - self.cells[place].depth == stage - 1:
                running.append(self._begun(place, self.cells[place], self.network.nodes[place - 1].inputs))
            if first < stage <= last:
                running.append(self._begun(place, self.hands[place], (place,)))
        return running

    def _begun(self, place: int, cell: Cell, given: Sequence[int]) -> _Block:
        """Return the first step of a cell."""
        values = [self.values[i] for i in given]
        for i, value in zip(given, values, strict=True):
            self.errors[i] = np.maximum(self.errors.get(i, 0.0), value.error[1])
        form = carried(Concatenate(), [v.form for v in values])
        error = np.concatenate([v.error for v in values], axis=1)
        low, high = (np.concatenate([self.ranges[i][end] for i in given]) for end in (0, 1))
        return _Block(place, cell, 0, _Value(form, error), low, high, error)

    def _result(self, block: _Block, neurons: Form, moved: np.ndarray) -> _Value:
        """Return what is read behind a step."""
        step, cell = block.step, block.cell
        error = _magnified(step.reading, neurons, moved)
        if block.index:
            error = error + _product(block.taken.error, step.gain.T)
        if block.last:
            error = error + cell.error + _product(block.first, cell.gain.T)
        return _Value(step.reading(neurons), raised(error))

    def _stored(self, form: Form) -> np.ndarray:
        """Add the numbers of a form, rounded, as a layer; return how far its results are off, (2, out)."""
        form = padded(form, 1 + len(self.size))
        numbers = _rounded(form, self.dtype)
        sizes = abs(numbers.astype(np.float64))
        exact = _K.weight(numbers.astype(np.float64))
        off = np.array([above(abs(a - b)) for a, b in zip(form.flat, exact.flat, strict=True)]).reshape(form.shape)
        self.layers.append((np.ascontiguousarray(numbers[1:].T), numbers[0]))
        real = off[0] + _product(self.size, off[1:])
        terms = np.count_nonzero(numbers, axis=0)
        gamma = terms * _unit(self.dtype) / (1 - terms * _unit(self.dtype))
        total = sizes[0] + _product(self.size, sizes[1:])
        rounding = gamma * (1 + 8 * _unit(self.dtype)) * total + terms * _smallest(self.dtype)
        return np.array([real, real + rounding + beyond(total, self.dtype)])


def _unit(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps) / 2


def _smallest(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).smallest_subnormal)


def beyond(sizes: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return infinity where a number of some size, or a sum of that size on the way, may overflow; 0 elsewhere."""
    with np.errstate(over="ignore", invalid="ignore"):
        safe = raised(sizes) * (1 + 1e-6) < float(np.finfo(dtype).max)
    return np.where(safe, 0.0, np.inf)


def _scaled(slope: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return slope times shift, in which 0 wins over infinity, and no product of others is 0."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        found = slope * shift
    here = (slope > 0) & (shift > 0)
    return np.where(here, np.maximum(found, _LEAST), 0.0)


def through(layer: Any, error: np.ndarray) -> np.ndarray:
    """Return the errors behind an affine layer or wiring."""
    if isinstance(layer, Affine):
        return raised(_product(error, magnitudes(layer.weight).T))
    return error if isinstance(layer, Concatenate) else error[:, layer.indices]


def _magnified(reading: Map, neurons: Form, moved: np.ndarray) -> np.ndarray:
    """Return Σ |C| |Δa| over the neurons of a block."""
    own = np.array([moved[:, column != 0].sum(axis=1) for column in neurons[1:].T]).T
    sizes = np.array([above(abs(v)) for v in reading.weight.flat]).reshape(reading.weight.shape)
    return raised(_product(raised(own), sizes))


@dataclass(frozen=True)
class _Merged:
    """The neurons of a layer, each once.

    Parameters
    ----------
    form : Form
        The arguments of all.
    kept : ndarray of int
        Those that become neurons.
    neurons : Form, shape (1 + kept, all)
        What each is, as a form of those that are kept.
    """

    form: Form
    kept: np.ndarray
    neurons: Form


def _merged(function: Activation, form: Form) -> _Merged:
    """Return the neurons with these arguments: of equal ones the first, and constants that are exact as numbers."""
    if function.name in _EVEN:
        form = np.concatenate([_upright(column)[:, None] for column in form.T], axis=1)
    keys = [tuple(map(str, column)) for column in form.T]
    constants = {key: _constant(function, column) for key, column in zip(keys, form.T, strict=True)}
    distinct = [key for key in dict.fromkeys(keys) if constants[key] is None] or keys[:1]
    position = {key: at for at, key in enumerate(distinct)}
    neurons = _K.zeros((1 + len(distinct), len(keys)))
    for column, key in enumerate(keys):
        if key in position:
            neurons[1 + position[key], column] = flint.fmpq(1)
        else:
            neurons[0, column] = constants[key]
    return _Merged(form, np.array([keys.index(key) for key in distinct]), neurons)


def _upright(column: Form) -> Form:
    """Return z or -z, whichever has its first factor above 0."""
    first = next((v for v in (*column[1:], column[0]) if v != 0), flint.fmpq(0))
    return -column if first < 0 else column


def _constant(function: Activation, column: Form) -> flint.fmpq | None:
    """Return the value of a neuron that is the same everywhere, where it is a number; None for any other."""
    if (column[1:] != 0).any():
        return None
    k = Balls()
    with k.precision():
        value = function(k, k.weight(np.array([float(nearest(column[0]))])))[0]
    exact = _K.scalar(float(nearest(column[0]))) == column[0] and value.is_exact()
    return exactly(value) if exact else None


def _product(values: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return sums of products, (..., in) and (in, out) -> (..., out), in which 0 wins over infinity."""
    with np.errstate(invalid="ignore", over="ignore"):
        nothing = (factors == 0) | (values == 0)[..., None]
        terms = values[..., None] * factors
        terms = np.where(
            nothing, 0.0, np.where(terms == 0, _LEAST * np.sign(values[..., None]) * np.sign(factors), terms)
        )
    return np.asarray(terms.sum(axis=-2))


def raised(sums: np.ndarray) -> np.ndarray:
    """Return sums of what is not negative, raised by more than their rounding errors and underflow."""
    with np.errstate(over="ignore"):
        found = np.where(sums == 0, 0.0, sums * (1 + _MORE) + 1e-290)
    return np.asarray(np.where(np.isnan(found), np.inf, found))


def _rounded(form: Form, dtype: np.dtype) -> np.ndarray:
    """Return the nearest numbers of a dtype."""
    numbers = np.array([nearest(v) for v in form.flat]).reshape(form.shape)
    with np.errstate(over="ignore"):
        found = numbers.astype(dtype)
    if not np.isfinite(found).all():
        raise ResourceError(f"a weight of {abs(numbers).max():.3g} is needed, which {dtype} cannot hold.")
    return found


# Ranges -----------------------------------------------------------------------------------------------------------


def _image(one: Map, low: np.ndarray, high: np.ndarray) -> Range:
    """Return what a map makes of ranges, raised outwards."""
    weight = np.array([nearest(v) for v in one.weight.flat]).reshape(one.weight.shape)
    bias = np.array([nearest(v) for v in one.bias])
    middle, radius = low / 2 + high / 2, high / 2 - low / 2
    if not np.isfinite(radius).all():  # a value before has no bound
        return np.full_like(bias, -np.inf), np.full_like(bias, np.inf)
    center = bias + middle @ weight
    reach = raised(_product(radius, abs(weight)))
    reach = reach + _MORE * (abs(bias) + _product(abs(middle) + radius, abs(weight)))
    return center - reach, center + reach


def _reached(function: Activation, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what the absolute values of neurons and of their slopes do not exceed, given where their arguments are."""
    k = Balls()
    with k.precision():
        wide = k.interval(low, high)
        size, slope = (_sizes(function.derivative(k, wide, order)) for order in (0, 1))
        jumps = [slope_of(k, function, z) is None for z in wide]
    return size, np.where(jumps, np.inf, slope)


def _sizes(balls: np.ndarray) -> np.ndarray:
    return np.array([ends(abs(v))[1] if v.is_finite() else np.inf for v in balls])
