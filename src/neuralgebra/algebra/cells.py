"""Cells: the neurons that compute one value of a network from others, in terms of one activation.

A cell is a chain of its own, exact numbers throughout: hidden layers, the first on the arguments, and a result that is
read from the last. Matrices are laid out as forms are, (in, out): rows of the matrix are what it takes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.relations import Relation
from neuralgebra.arithmetic.rationals import Rationals
from neuralgebra.network.forms import Form

__all__ = ["Cell", "Map", "of_relations", "together"]

_K = Rationals()
ZERO = flint.fmpq(0)


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
class Cell:
    """Neurons that compute a vector from a vector.

    Parameters
    ----------
    layers : tuple of Map
        Hidden layers, before the activation; the first acts on the argument.
    result : Map
        What is read from the last hidden layer.
    error : ndarray, shape (m,)
        What the errors of the result do not exceed, wherever the argument is in the range that the cell is made for.
    gain : ndarray, shape (m, n)
        How fast the exact result changes with the argument there, at most.
    reach : tuple of (ndarray, ndarray)
        Ends of the arguments of the neurons of each hidden layer but the first.
    """

    layers: tuple[Map, ...]
    result: Map
    error: np.ndarray
    gain: np.ndarray
    reach: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.layers)

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return sum(layer.size for layer in self.layers)


def together(cells: Sequence[Cell], arguments: Sequence[Sequence[int]], size: int) -> Cell:
    """Return cells of one depth, each of which takes some coordinates of one argument, as one cell.

    Parameters
    ----------
    cells : sequence of Cell
        One for each result.
    arguments : sequence of sequence of int
        Which coordinates of the common argument each one takes.
    size : int
        The number of coordinates of the common argument.

    Returns
    -------
    Cell
        Their results one after another.
    """
    layers = []
    for j in range(cells[0].depth):
        maps = [cell.layers[j] for cell in cells]
        layers.append(_placed(maps, arguments, size) if j == 0 else _diagonal(maps))
    gain = np.zeros((len(cells), size))
    for i, (cell, given) in enumerate(zip(cells, arguments, strict=True)):
        np.add.at(gain[i], list(given), cell.gain[0])
    error = np.concatenate([cell.error for cell in cells])
    reach = tuple(_ends([cell.reach[j] for cell in cells]) for j in range(cells[0].depth - 1))
    return Cell(tuple(layers), _diagonal([cell.result for cell in cells]), error, gain, reach)


def _ends(reaches: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    low, high = (np.concatenate(parts) for parts in zip(*reaches, strict=True))
    return low, high


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


def of_relations(relations: Sequence[Relation], gain: np.ndarray) -> Cell:
    """Return the cell of functions that are exact sums of neurons.

    Parameters
    ----------
    relations : sequence of Relation
        One for each coordinate.
    gain : ndarray, shape (n,)
        How fast each function changes, at most.
    """
    return together([_unit(one, g) for one, g in zip(relations, gain, strict=True)], *_each(len(relations)))


def _each(size: int) -> tuple[list[tuple[int]], int]:
    return [(i,) for i in range(size)], size


def _unit(one: Relation, gain: float) -> Cell:
    inner, offset, outer = (_rationals(column) for column in zip(*one.terms, strict=True))
    first = Map(inner[None, :], offset)
    result = Map(outer[:, None], _rationals([one.constant]))
    return Cell((first,), result, np.array([one.error]), np.array([[gain]]))


def _rationals(values: Any) -> np.ndarray:
    return np.array([_K.scalar(v) for v in values], dtype=object)
