"""Cells: the neurons that compute one value of a network from others, in terms of one activation.

A cell is a chain of steps, each a hidden layer and what is read from it: values in between, or the result. All numbers
are exact. Matrices are laid out as forms are, (in, out): rows are what they take.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra.relations import Relation
from neuralgebra.arithmetic.rationals import Rationals
from neuralgebra.errors import NotCertifiedError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.forms import Form

__all__ = ["Cell", "Map", "Step", "finite", "of_relation", "of_squares", "rationals", "single", "together"]

_K = Rationals()


@dataclass(frozen=True)
class Map:
    """An affine map with rational numbers.

    Parameters
    ----------
    weight : ndarray of rational, shape (in, out)
        Factors.
    bias : ndarray of rational, shape (out,)
        Constants.
    """

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, form: Form) -> Form:
        """Return the map of a form, (1 + variables, in) -> (1 + variables, out)."""
        result = _K.product(form, self.weight)
        result[0] = result[0] + self.bias
        return result

    @property
    def size(self) -> int:
        """The number of results."""
        return len(self.bias)


@dataclass(frozen=True)
class Step:
    """One hidden layer of a cell.

    Parameters
    ----------
    layer : Map
        From what is taken to the arguments of the neurons.
    reading : Map
        From the neurons to the values.
    low, high : ndarray, shape (values,)
        Ends of the values; of a last step they are not used.
    gain : ndarray, shape (values, taken)
        How fast the values change with what is taken, at most; of a first step it is not used.
    """

    layer: Map
    reading: Map
    low: np.ndarray
    high: np.ndarray
    gain: np.ndarray


@dataclass(frozen=True)
class Cell:
    """Neurons that compute a vector from a vector.

    Parameters
    ----------
    steps : tuple of Step
        Hidden layers; the first acts on the argument, and from the last the result is read.
    error : ndarray, shape (m,)
        What the errors of the result do not exceed, wherever the argument is in the range that the cell is made for.
    gain : ndarray, shape (m, n)
        How fast the exact result changes with the argument there, at most.
    """

    steps: tuple[Step, ...]
    error: np.ndarray
    gain: np.ndarray

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.steps)

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return sum(step.layer.size for step in self.steps)


def together(cells: Sequence[Cell], arguments: Sequence[Sequence[int]], size: int) -> Cell:
    """Return cells of one depth, each of which takes some coordinates of one argument, as one cell.

    Parameters
    ----------
    cells : sequence of Cell
        With one result each.
    arguments : sequence of sequence of int
        Which coordinates of the common argument each one takes.
    size : int
        The number of coordinates of the common argument.

    Returns
    -------
    Cell
        Their results one after another.
    """
    steps = []
    for j in range(cells[0].depth):
        parts = [cell.steps[j] for cell in cells]
        layers = [part.layer for part in parts]
        layer = _diagonal(layers) if j else _placed(layers, arguments, size)
        low, high = (np.concatenate([getattr(part, end) for part in parts]) for end in ("low", "high"))
        gain = _blocks([part.gain for part in parts]) if j else np.zeros((len(low), size))
        steps.append(Step(layer, _diagonal([part.reading for part in parts]), low, high, gain))
    gain = np.zeros((len(cells), size))
    for i, (cell, given) in enumerate(zip(cells, arguments, strict=True)):
        np.add.at(gain[i], list(given), cell.gain[0])
    return Cell(tuple(steps), np.concatenate([cell.error for cell in cells]), gain)


def _placed(maps: Sequence[Map], arguments: Sequence[Sequence[int]], size: int) -> Map:
    """Return maps of some coordinates each as one map of all of them."""
    columns = []
    for one, given in zip(maps, arguments, strict=True):
        weight = _K.zeros((size, one.size))
        for row, place in zip(one.weight, given, strict=True):
            weight[place] = weight[place] + row
        columns.append(weight)
    return Map(np.concatenate(columns, axis=1), np.concatenate([one.bias for one in maps]))


def _diagonal(maps: Sequence[Map]) -> Map:
    """Return maps side by side, each on its own coordinates."""
    ends = np.cumsum([0, *(len(one.weight) for one in maps)])
    return _placed(maps, [range(i, j) for i, j in itertools.pairwise(ends)], int(ends[-1]))


def _blocks(gains: Sequence[np.ndarray]) -> np.ndarray:
    """Return matrices along the diagonal of one."""
    result = np.zeros(np.sum([g.shape for g in gains], axis=0))
    row = column = 0
    for one in gains:
        result[row : row + len(one), column : column + one.shape[1]] = one
        row, column = row + len(one), column + one.shape[1]
    return result


def of_relation(one: Relation, gain: float) -> Cell:
    """Return the cell of a function that is an exact sum of neurons.

    Parameters
    ----------
    one : Relation
        The sum.
    gain : float
        How fast the function changes, at most.
    """
    inner, offset, outer = (rationals(column) for column in zip(*one.terms, strict=True))
    reading = Map(outer[:, None], rationals([one.constant]))
    return single(Map(inner[None, :], offset), reading, one.error, [gain])


def of_squares(square: Relation, gains: Sequence[float]) -> Cell:
    """Return the cell of a product where the square is an exact sum of neurons: u v = ((u + v)/2)² - ((u - v)/2)².

    Parameters
    ----------
    square : Relation
        The sum.
    gains : (float, float)
        How fast the product changes with each argument, at most.
    """
    inner, offset, outer = (rationals(column) for column in zip(*square.terms, strict=True))
    layer = np.array([[*inner, *inner], [*inner, *-inner]], dtype=object) / 2
    reading = Map(np.concatenate([outer, -outer])[:, None], rationals([0]))
    return single(Map(layer, np.concatenate([offset, offset])), reading, 2 * square.error, gains)


def single(layer: Map, reading: Map, error: float, gain: Sequence[float]) -> Cell:
    """Return the cell of one hidden layer and one result.

    Parameters
    ----------
    layer, reading : Map
        Its two maps.
    error : float
        What its error does not exceed.
    gain : sequence of float
        How fast the exact result changes with each argument, at most.
    """
    unused = np.zeros(1)
    step = Step(layer, reading, unused, unused, np.zeros((1, len(layer.weight))))
    return Cell((step,), np.array([error]), np.array([gain]))


def rationals(values: Iterable[Any]) -> np.ndarray:
    """Return numbers as rationals."""
    return np.array([_K.scalar(v) for v in values], dtype=object)


def finite(error: float, function: Activation) -> float:
    """Return an error that is a number.

    Raises
    ------
    NotCertifiedError
        Where nothing is proven of it.
    """
    if not math.isfinite(error):
        raise NotCertifiedError(f"neurons of {function} have no proven error on the range that is needed; another one?")
    return error
