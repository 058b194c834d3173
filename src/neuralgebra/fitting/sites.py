"""Distinct points: which rows of an array are equal."""

from __future__ import annotations

import numpy as np

__all__ = ["distinct"]

_ODD = np.uint64(0x9E3779B97F4A7C15)


def distinct(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are equal; 0.0 and -0.0 are.

    Parameters
    ----------
    points : ndarray, shape (N, n)
        Finite numbers.

    Returns
    -------
    first : ndarray, shape (D,)
        The row in which each distinct point appears first, in ascending order.
    places : ndarray, shape (N,)
        The place of each row among them.

    Examples
    --------
    >>> first, places = distinct(np.array([[2.0, 1.0], [0.0, 0.0], [2.0, 1.0]]))
    >>> first.tolist(), places.tolist()
    ([0, 1], [0, 1, 0])
    """
    rows = np.add(points, 0.0, order="C", dtype=np.float64)  # -0.0 becomes 0.0
    first, places = _by_appearance(_hash(rows))
    if not np.array_equal(rows[first][places], rows):  # two points with one hash
        first, places = _by_appearance(np.unique(rows, axis=0, return_inverse=True)[1].ravel())
    return first, places


def _hash(rows: np.ndarray) -> np.ndarray:
    """Return a number for each row, equal for equal rows: sorting them is far quicker than sorting rows."""
    found = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.view(np.uint64).T:
        found = (found ^ column) * _ODD
        found ^= found >> np.uint64(32)
    return found


def _by_appearance(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, first, places = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[places]
