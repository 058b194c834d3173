"""Sums of coordinates by target, as a few gathers: the transpose of a selection, on every kind of number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value

__all__ = ["Scatter", "scatter"]


def scatter(k: Any, x: Value, indices: np.ndarray, size: int) -> Value:
    """Return the coordinates of x summed by target, (..., n) -> (..., size).

    Parameters
    ----------
    k : Kind
        The kind of number of x.
    x : array
        The coordinates, on the last axis.
    indices : ndarray of int, shape (n,)
        Target of each coordinate; one with a negative target is left out.
    size : int
        Number of targets.

    Returns
    -------
    array
        ``out[..., i]`` is the sum of ``x[..., j]`` over all j with ``indices[j] == i``.
    """
    return Scatter(indices, size)(k, x)


class Scatter:
    """The tables of a scatter, for one list of targets that is used often.

    Each table says which coordinates are added up, (terms, sums). One is enough unless a few targets receive far more
    than the others: their coordinates are first added in groups, so that the tables never outgrow the coordinates.

    Parameters
    ----------
    indices : ndarray of int, shape (n,)
        Target of each coordinate; one with a negative target is left out.
    size : int
        Number of targets.
    """

    def __init__(self, indices: np.ndarray, size: int) -> None:
        self.tables = tuple(_tables(np.asarray(indices), size))

    def __call__(self, k: Any, x: Value) -> Value:
        """Return the sums, (..., n) -> (..., size)."""
        for table, padded in self.tables:
            x = _summed(k, x, table, padded)
        return x


def _summed(k: Any, x: Value, table: np.ndarray, padded: bool) -> Value:
    if padded:
        x = k.concat([x, k.zeros((*x.shape[:-1], 1))], axis=-1)
    if len(table) == 1:
        return k.take(x, table[0], axis=-1)
    return k.total(k.take(x, table, axis=-1), axis=-2)


def _tables(indices: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, bool]]:
    """Give each table, and whether it uses the 0 that stands after the coordinates."""
    count = len(indices)
    sources = np.argsort(indices, kind="stable")
    sources = sources[indices[sources] >= 0]
    targets = indices[sources]
    width = 2 * (1 + len(targets) // size)
    while np.bincount(targets, minlength=1).max() > width:
        groups = np.cumsum(_ranks(targets) % width == 0) - 1
        yield _table(sources, groups, groups[-1] + 1, count)
        count = groups[-1] + 1
        sources, targets = np.arange(count), targets[np.searchsorted(groups, np.arange(count))]
    yield _table(sources, targets, size, count)


def _table(sources: np.ndarray, slots: np.ndarray, size: int, padding: int) -> tuple[np.ndarray, bool]:
    """Return the sources of each slot, of slots in ascending order, filled up with the padding."""
    ranks = _ranks(slots)
    table = np.full((ranks.max(initial=0) + 1, size), padding)
    table[ranks, slots] = sources
    return table, bool((table == padding).any())


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return how many equal values stand before each, of values in ascending order."""
    ranks: np.ndarray = np.arange(len(values)) - np.searchsorted(values, values)
    return ranks
