"""From cells to layers: the weights of a plain network, rounded once, and how far it is from what it stands for.

After each hidden layer every value that is still needed is an exact affine form of the neurons of that layer. What a
cell of the next layer takes is an affine map of such forms, so a form again: its numbers, rounded once to the dtype,
are the weights. The errors of rounding, of cells and of their arguments add up::

    argument of a neuron       |Δz| ≤ Σ |W - exact| max|a| + |b - exact|, and Σ |W| |Δa| in the later layers of a cell
    a neuron                   |Δa| ≤ max|σ'| |Δz|
    a value behind a cell      |Δv| ≤ error of the cell + gain · |Δ argument| + Σ |C| |Δa|
    an affine map of values    |Δ(W v)| ≤ |W| |Δv|

The sums of what is never negative are floats, raised by more than their rounding errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.cells import Cell
from neuralgebra.algebra.schedule import Schedule
from neuralgebra.algebra.sensitivity import Range
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import Rationals, above, ends, exactly
from neuralgebra.errors import ResourceError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.forms import Form, carried, identity, padded
from neuralgebra.network.layers import Affine, Concatenate
from neuralgebra.network.network import Network

__all__ = ["Assembled", "Reach", "assembled", "raised"]

_K = Rationals()
_EVEN = ("cos", "square", "abs", "gaussian")
_MORE = 1e-9  # more than the rounding errors of sums of a million terms


@dataclass(frozen=True)
class Reach:
    """What the neurons of a layer can be.

    Parameters
    ----------
    low, high : ndarray, shape (neurons,)
        Ends of their arguments.
    size : ndarray, shape (neurons,)
        What their absolute values do not exceed.
    slope : ndarray, shape (neurons,)
        What the absolute values of their slopes do not exceed.
    margin : ndarray, shape (neurons,)
        By how much their arguments may leave the range, and still the last two hold.
    """

    low: np.ndarray
    high: np.ndarray
    size: np.ndarray
    slope: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True)
class Assembled:
    """A plain network with what is known of it.

    Parameters
    ----------
    layers : tuple of (ndarray, ndarray)
        The pairs (A₁, b₁), …, (A_L, b_L), in the dtype.
    error : ndarray, shape (m,)
        What the errors of its outputs as real numbers do not exceed, for inputs in the box.
    inputs : ndarray, shape (n,)
        What the absolute values of the inputs do not exceed.
    reaches : tuple of Reach
        What the neurons of each hidden layer can be.
    """

    layers: tuple[tuple[np.ndarray, np.ndarray], ...]
    error: np.ndarray
    inputs: np.ndarray
    reaches: tuple[Reach, ...]


@dataclass(frozen=True)
class _Value:
    """A value as it can be read at one stage."""

    form: Form
    error: np.ndarray


@dataclass(frozen=True)
class _Block:
    """A hidden layer of a cell, what the cell is applied to, and the neurons of the layer before."""

    place: int
    cell: Cell
    arguments: _Value
    given: tuple[int, ...]
    index: int = 1
    neurons: Form = None

    @property
    def last(self) -> bool:
        return self.index == self.cell.depth


def assembled(
    network: Network,
    function: Activation,
    cells: Mapping[int, Cell],
    hands: Mapping[int, Cell],
    schedule: Schedule,
    ranges: Sequence[tuple[np.ndarray, np.ndarray]],
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
        Proven ends of the values at all places.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    Assembled
        The layers, with the bounds.
    """
    return _Assembly(network, function, cells, hands, schedule, ranges, dtype).run()


class _Assembly:
    """The layers so far, and the values that can be read from the last one."""

    def __init__(
        self,
        network: Network,
        function: Activation,
        cells: Mapping[int, Cell],
        hands: Mapping[int, Cell],
        schedule: Schedule,
        ranges: Sequence[tuple[np.ndarray, np.ndarray]],
        dtype: np.dtype,
    ) -> None:
        self.network, self.function, self.cells, self.hands = network, function, cells, hands
        self.schedule, self.ranges, self.dtype = schedule, ranges, dtype
        self.layers: list[tuple[np.ndarray, np.ndarray]] = []
        self.reaches: list[Reach] = []
        self.size = np.maximum(*map(abs, ranges[0]))  # of what the next layer is applied to
        self.blocks: list[tuple[_Block, Form]] = []
        self.moved = np.zeros(0)
        size = network.input_size
        self.values = {0: _Value(identity(size), np.zeros(size))}

    def run(self) -> Assembled:
        inputs = self.size
        self._read(0)
        for stage in range(1, self.schedule.depth + 1):
            self._layer(stage)
            self._read(stage)
        result = self.values[self.network.output]
        error = raised(result.error + self._stored(result.form))
        return Assembled(tuple(self.layers), error, inputs, tuple(self.reaches))

    # One stage --------------------------------------------------------------------------------------------------

    def _read(self, stage: int) -> None:
        """Add the values that affine maps make of those at a stage."""
        for place, node in enumerate(self.network.nodes, 1):
            if place in self.cells or self.schedule.first[place] != stage:
                continue
            given = [self.values[i] for i in node.inputs]
            form = carried(node.layer, [v.form for v in given])
            self.values[place] = _Value(form, _through(node.layer, np.concatenate([v.error for v in given])))

    def _layer(self, stage: int) -> None:
        """Add a hidden layer, and keep what can be read from it."""
        jobs = self._jobs(stage)
        forms, moved, spans = zip(*map(self._arguments, jobs), strict=True)
        form, shift = np.concatenate(forms, axis=1), np.concatenate(moved)
        low, high = (np.concatenate(ends_) for ends_ in zip(*spans, strict=True))
        merged = _merged(self.function, form)
        kept = merged.kept
        shift = raised(self._stored(merged.form[:, kept]) + shift[kept])
        reach = reached(self.function, low[kept] - shift, high[kept] + shift, self.dtype)
        self.reaches.append(reach)
        self.moved, self.size = raised(reach.slope * shift), reach.size
        cuts = np.cumsum([f.shape[1] for f in forms])[:-1]
        self.blocks = list(zip(jobs, np.split(merged.neurons, cuts, axis=1), strict=True))
        self.values = {block.place: self._result(block, neurons) for block, neurons in self.blocks if block.last}

    def _jobs(self, stage: int) -> list[_Block]:
        """Return the parts of cells that make up the layer of a stage."""
        running = [replace(block, index=block.index + 1, neurons=n) for block, n in self.blocks if not block.last]
        for place in range(self.network.output + 1):
            first, last = self.schedule.first[place], self.schedule.last[place]
            if place in self.cells and first - self.cells[place].depth == stage - 1:
                given = self.network.nodes[place - 1].inputs
                running.append(_Block(place, self.cells[place], _joined([self.values[i] for i in given]), given))
            if first < stage <= last:
                running.append(_Block(place, self.hands[place], self.values[place], (place,)))
        return running

    def _arguments(self, block: _Block) -> tuple[Form, np.ndarray, Range]:
        """Return the arguments of the neurons of a block, how far they are off, and their range."""
        one = block.cell.layers[block.index - 1]
        if block.index > 1:
            return one(block.neurons), self._magnified(one.weight, block.neurons), block.cell.reach[block.index - 2]
        low, high = (np.concatenate([self.ranges[i][end] for i in block.given]) for end in (0, 1))
        error = block.arguments.error
        return one(block.arguments.form), np.zeros(one.size), _image(one, low - error, high + error)

    def _result(self, block: _Block, neurons: Form) -> _Value:
        """Return what is read from the last neurons of a cell."""
        cell = block.cell
        error = cell.error + _product(block.arguments.error, cell.gain.T)
        return _Value(cell.result(neurons), raised(error + self._magnified(cell.result.weight, neurons)))

    def _magnified(self, weight: np.ndarray, neurons: Form) -> np.ndarray:
        """Return Σ |W| |Δa| over the neurons of a block."""
        moved = np.array([self.moved[column != 0].sum() for column in neurons[1:].T])
        if not moved.any():
            return np.zeros(weight.shape[1])
        sizes = np.array([above(abs(v)) for v in weight.flat]).reshape(weight.shape)
        return raised(_product(raised(moved), sizes))

    def _stored(self, form: Form) -> np.ndarray:
        """Add the numbers of a form, rounded, as a layer; return how far its results are off."""
        form = padded(form, 1 + len(self.size))
        numbers = _rounded(form, self.dtype)
        exact = _K.weight(numbers.astype(np.float64))
        off = np.array([above(abs(a - b)) for a, b in zip(form.flat, exact.flat, strict=True)]).reshape(form.shape)
        self.layers.append((np.ascontiguousarray(numbers[1:].T), numbers[0]))
        distance: np.ndarray = off[0] + _product(self.size, off[1:])
        return distance


def _joined(values: Sequence[_Value]) -> _Value:
    form = carried(Concatenate(), [v.form for v in values])
    return _Value(form, np.concatenate([v.error for v in values]))


def _through(layer: Any, error: np.ndarray) -> np.ndarray:
    """Return the errors behind an affine layer or wiring."""
    if isinstance(layer, Affine):
        return raised(_product(error, abs(layer.weight.dense().astype(np.float64)).T))
    return error if isinstance(layer, Concatenate) else error[layer.indices]


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
        value = function(k, k.weight(np.array([float(_nearest(column[0]))])))[0]
    exact = _K.scalar(float(_nearest(column[0]))) == column[0] and value.is_exact()
    return exactly(value) if exact else None


def _product(values: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return sums of products, (in,) and (in, out) -> (out,), in which 0 wins over infinity."""
    with np.errstate(invalid="ignore", over="ignore"):
        terms = np.where((factors == 0) | (values == 0)[:, None], 0.0, values[:, None] * factors)
    return np.asarray(terms.sum(axis=0))


def raised(sums: np.ndarray) -> np.ndarray:
    """Return sums of what is not negative, raised by more than their rounding errors and underflow."""
    with np.errstate(over="ignore"):
        return np.asarray(np.where(sums > 0, sums * (1 + _MORE) + 1e-290, 0.0))


def _rounded(form: Form, dtype: np.dtype) -> np.ndarray:
    """Return the nearest numbers of a dtype."""
    numbers = np.array([float(_nearest(v)) for v in form.flat]).reshape(form.shape)
    with np.errstate(over="ignore"):
        found = numbers.astype(dtype)
    if not np.isfinite(found).all():
        raise ResourceError(f"a weight of {abs(numbers).max():.3g} is needed, which {dtype} cannot hold.")
    return found


def _nearest(value: flint.fmpq) -> float:
    try:
        return int(value.p) / int(value.q)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


# Ranges -----------------------------------------------------------------------------------------------------------


def _image(one: Any, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a map makes of ranges, raised outwards."""
    weight = np.array([float(_nearest(v)) for v in one.weight.flat]).reshape(one.weight.shape)
    bias = np.array([_nearest(v) for v in one.bias])
    middle, radius = (low + high) / 2, (high - low) / 2
    center = bias + _signed(weight, middle)
    reach = raised(_product(radius, abs(weight)))
    reach = reach + _MORE * (abs(bias) + _product(abs(middle) + radius, abs(weight)))
    return center - reach, center + reach


def _signed(weight: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.asarray(values @ weight)


def reached(function: Activation, low: np.ndarray, high: np.ndarray, dtype: np.dtype) -> Reach:
    """Return what neurons can be whose arguments are in a range, and a little beyond.

    Parameters
    ----------
    function : Activation
        σ.
    low, high : ndarray, shape (neurons,)
        The range of each argument.
    dtype : dtype
        In which the network is executed: how much beyond.
    """
    margin = float(np.finfo(dtype).eps) ** 0.5 * (1 + np.maximum(abs(low), abs(high)))
    k = Balls()
    with k.precision():
        wide = k.interval(low - 2 * margin, high + 2 * margin)
        size, slope = (_sizes(function.derivative(k, wide, order)) for order in (0, 1))
    return Reach(low, high, size, slope, margin)


def _sizes(balls: np.ndarray) -> np.ndarray:
    return np.array([ends(abs(v))[1] if v.is_finite() else np.inf for v in balls])
