"""What a person passes as points, values, derivatives and weights, checked and put into arrays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from neuralgebra.calculus.indices import MultiIndex
from neuralgebra.errors import InputError, ShapeError, UsageError, shown
from neuralgebra.files.columns import real

__all__ = [
    "columns_of", "directions_of", "merged", "outputs_of", "partials_of", "points_of", "values_of", "weights_of",
]  # fmt: skip

_EQUAL = 1e-6  # relative, between one mixed derivative in its two orders


def values_of(given: Any, what: str) -> np.ndarray:
    """Return a new float64 array; what is masked, None or NA becomes NaN.

    Parameters
    ----------
    given : array_like
        Real numbers.
    what : str
        What they are, for messages.

    Raises
    ------
    InputError
        For infinity, and for what is no real number.
    """
    mask = np.ma.getmaskarray(given) if np.ma.isMaskedArray(given) else None
    try:
        array = np.asarray(given.to_numpy() if hasattr(given, "to_numpy") else given)
        numbers = _floats(array)
    except Exception as error:  # each library has errors of its own
        raise InputError(f"{what} that are no numbers received ({shown(error)}); real numbers expected.") from None
    if mask is not None:
        numbers[mask] = np.nan
    _refuse(np.isinf(numbers), numbers, what, "finite numbers expected, NaN where nothing is known")
    return numbers


def _floats(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind in "biuf":
        return np.array(array, dtype=np.float64)
    if array.dtype.kind != "O":
        raise TypeError(f"dtype {array.dtype}")
    return np.array([real(cell) for cell in array.ravel()], dtype=np.float64).reshape(array.shape)


def _refuse(bad: np.ndarray, numbers: np.ndarray, what: str, expected: str) -> None:
    """Refuse an array with bad entries, naming the first of them."""
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        where = f"row {place[0] + 1}" + (f", column {place[1] + 1}" if len(place) == 2 else "") if place else "a number"
        raise InputError(f"{what}: {numbers[place]} received in {where}; {expected}.")


def points_of(x: Any) -> np.ndarray:
    """Return points as (N, n), (N,) is (N, 1)."""
    points = values_of(x, "points")
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or 0 in points.shape:
        raise ShapeError(f"points of shape {points.shape} received; (N, n) expected, at least one row and one input.")
    _refuse(np.isnan(points), points, "points", "finite numbers expected; leave out rows without a place")
    return points


def columns_of(given: Any, count: int) -> np.ndarray:
    """Return values as (N, m); (N,) is (N, 1), and one number stands for all rows."""
    array = values_of(given, "values")
    array = np.full((count, 1), array) if array.ndim == 0 else array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != count or not array.shape[1]:
        raise ShapeError(
            f"values of shape {array.shape} received for {count} points; ({count},) or ({count}, m) expected."
        )
    return array


def directions_of(along: Any, points: np.ndarray) -> np.ndarray:
    """Return directions as (N, n)."""
    directions = values_of(along, "directions")
    if directions.shape not in (points.shape, points.shape[1:]):
        raise ShapeError(
            f"directions of shape {directions.shape} received; {points.shape} or {points.shape[1:]} expected."
        )
    directions = np.array(np.broadcast_to(directions, points.shape))
    _refuse(np.isnan(directions), directions, "directions", "finite numbers expected")
    lengths = np.abs(directions).max(axis=1)
    _refuse(lengths == 0, lengths, "directions: length", "lengths above 0 expected; leave out such rows")
    return directions


def weights_of(weight: Any, sd: Any, values: np.ndarray) -> np.ndarray:
    """Return the weight of each square, 0 where nothing is known.

    Parameters
    ----------
    weight, sd : array_like, shape (), (N,) or (N, m), optional
        Weights, or the standard deviations σ of weights 1/σ²; what they say of unknown values is not looked at.
    values : ndarray, shape (N, m)
        NaN where nothing is known.
    """
    if weight is not None and sd is not None:
        raise UsageError("weights and sd received; one of them expected: the weight of sd is 1/sd².")
    known: np.ndarray = ~np.isnan(values)
    if weight is None and sd is None:
        return known.astype(np.float64)
    name, given = ("sd", sd) if weight is None else ("weights", weight)
    array = _broadcast(values_of(given, name), values.shape, name)
    if sd is None:
        _refuse(known & ~(array >= 0), array, name, "numbers of at least 0 expected")
        return np.where(known, array, 0.0)
    _refuse(known & ~(array > 0), array, name, "numbers above 0 expected")
    with np.errstate(all="ignore"):
        weights: np.ndarray = np.where(known, 1 / array**2, 0.0)
    lost = known & ~((weights > 0) & np.isfinite(weights))
    _refuse(lost, array, name, "numbers whose squares are doubles expected; give the values in other units")
    return weights


def _broadcast(array: np.ndarray, shape: tuple[int, ...], name: str) -> np.ndarray:
    if array.shape not in ((), shape[:1], shape):
        raise ShapeError(f"{name} of shape {array.shape} received; {shape[:1]} or {shape}, or one number, expected.")
    return np.broadcast_to(array[:, None] if array.ndim == 1 else array, shape)


# Dense arrays -----------------------------------------------------------------------------------------------------

_NOTHING = "points received at which nothing is known; y, dydx or d2ydx2 with a number expected."


def outputs_of(y: Any, dydx: Any, d2ydx2: Any) -> int:
    """Return the number of outputs that dense arrays speak of."""
    for array, axes in ((y, 1), (dydx, 2), (d2ydx2, 3)):
        if array is not None:
            shape = np.shape(array)
            return int(shape[1]) if len(shape) > axes else 1
    raise InputError(_NOTHING)


def partials_of(
    y: Any, dydx: Any, d2ydx2: Any, shape: tuple[int, int], m: int
) -> Iterator[tuple[MultiIndex, np.ndarray]]:
    """Yield each multi-index of which something is known, with its values, (N, m); mixed ones once.

    Parameters
    ----------
    y : array_like, shape (N,) or (N, m), optional
        Values.
    dydx : array_like, shape (N, n) or (N, m, n), optional
        First derivatives.
    d2ydx2 : array_like, shape (N, n, n) or (N, m, n, n), optional
        Second derivatives.
    shape : (int, int)
        N and n.
    m : int
        Number of outputs.
    """
    for order, (name, given) in enumerate((("y", y), ("dydx", dydx), ("d2ydx2", d2ydx2))):
        if given is None:
            continue
        array = _shaped(values_of(given, name), shape[0], m, (shape[1],) * order, name)
        for alpha in itertools.combinations_with_replacement(range(shape[1]), order):
            key: Any = (..., *alpha)
            values = array[key]
            if alpha != alpha[::-1]:
                key = (..., *alpha[::-1])
                values = merged(values, array[key], f"{name}[…, {alpha[0]}, {alpha[1]}]")
            if not np.isnan(values).all():
                yield alpha, np.ascontiguousarray(values)


def _shaped(array: np.ndarray, count: int, m: int, axes: tuple[int, ...], name: str) -> np.ndarray:
    full, short = (count, m, *axes), (count, *axes)
    if array.shape != full and (m > 1 or array.shape != short):
        raise ShapeError(
            f"{name} of shape {array.shape} received; {full if m > 1 else f'{short} or {full}'} expected, for {count} "
            f"points with {m} output{'s' * (m > 1)}."
        )
    return array.reshape(full)


def merged(one: np.ndarray, other: np.ndarray, name: str) -> np.ndarray:
    """Return what two arrays say of the same, either of which may lack numbers.

    Parameters
    ----------
    one, other : ndarray
        Numbers, NaN where nothing is known.
    name : str
        What they say, for messages.
    """
    both = ~(np.isnan(one) | np.isnan(other))
    apart = np.abs(one - other)
    far = both & (apart > _EQUAL * np.maximum(np.abs(one), np.abs(other))) & (apart > 1e-9 * _largest(one[both]))
    if far.any():
        row = int(np.argwhere(far)[0, 0])
        raise InputError(
            f"{name}: {one[far][0]} and {other[far][0]} received for one derivative, in row {row + 1}; equal numbers, "
            "in either order of the inputs, expected.\nLeave out one of them, with NaN."
        )
    return np.where(np.isnan(one), other, one)


def _largest(numbers: np.ndarray) -> float:
    return float(np.abs(numbers).max(initial=0.0))
