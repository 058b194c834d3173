"""What is known of a function: values and derivatives at points, each with its weight."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, ShapeError, UsageError, shown
from neuralgebra.fitting.operators import Operator, operator_of
from neuralgebra.network.names import default

__all__ = ["Group", "Observations"]


@dataclass(frozen=True, eq=False)
class Group:
    """Rows with one operator.

    Parameters
    ----------
    operator : Operator
        What is known of f at the points.
    points : ndarray, shape (N, n)
        Where.
    values : ndarray, shape (N, m)
        What it is, for each output; NaN where it is not known.
    weights : ndarray, shape (N, m)
        Weight of each square, 0 where nothing is known.
    directions : ndarray, shape (N, n), optional
        Of derivatives along a direction of each row.
    deviations : bool
        Whether the weights are 1/sd²: they are not balanced against other kinds of data.
    bound : int
        1 where the values are lower bounds, -1 where they are upper bounds, 0 where they are equations.
    """

    operator: Operator
    points: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    directions: np.ndarray | None = None
    deviations: bool = False
    bound: int = 0

    def chosen(self, at: np.ndarray) -> Group:
        """Return some of the rows."""
        directions = None if self.directions is None else self.directions[at]
        return replace(
            self, points=self.points[at], values=self.values[at], weights=self.weights[at], directions=directions
        )


@dataclass(frozen=True, eq=False)
class Observations:
    """Values and derivatives of a function at points; sums of observations hold what both do.

    Parameters
    ----------
    input_names, output_names : tuple of str
        Names.
    groups : tuple of Group
        Rows by operator.
    notes : tuple of str
        What was found while they were read.

    Examples
    --------
    >>> x = np.linspace(0, 1, 5)[:, None]
    >>> known = Observations.at(x, x**2) + Observations.at([[0.5], [2.0]], [1.0, 4.0], "x1")
    >>> known
    <Observations of y1 by x1: 5 × value, 2 × x1>
    """

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def at(
        cls,
        x: Any,
        values: Any,
        of: Any = "value",
        *,
        along: Any = None,
        order: int = 1,
        output: str | None = None,
        weight: Any = None,
        sd: Any = None,
        bound: int = 0,
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
    ) -> Observations:
        """Return what one operator makes of f at points.

        Parameters
        ----------
        x : array_like, shape (N, n), or (N,) for one input
            Points.
        values : array_like, shape (N, m), or (N,) for one output
            What is known there; NaN where nothing is.
        of : str, tuple of int or mapping
            "value", the name of an input for the derivative by it, "x1 x2", "x1^2", "laplacian", orders by input
            (2, 0), or a sum of such with coefficients, {"x1^2": 1.0, "x2": -3.0}.
        along : array_like, shape (N, n) or (n,), optional
            Directions, for derivatives d^k/dt^k f(x + t v).
        order : int
            k.
        output : str, optional
            Of several outputs, the one that the values are of.
        weight : array_like, shape (N,) or (N, m), optional
            Weight of each square; 1 by default.
        sd : array_like, shape (N,) or (N, m) or a number, optional
            Standard deviation of each value, in its unit: its weight is 1/sd², and kinds are not balanced.
        bound : {-1, 0, 1}
            1 if the values are lower bounds, -1 if they are upper bounds.
        input_names, output_names : sequence of str, optional
            Names; x1, x2, … and y1, … by default.

        Returns
        -------
        Observations
            One group.

        Raises
        ------
        InputError
            For NaN or infinity in the points, weights below 0, deviations that are not above 0, unknown names.
        ShapeError
            When shapes do not fit.
        """
        points = _points(x)
        inputs = _names(input_names, "x", points.shape[1])
        column = _columns(values, len(points), "values")
        outputs = _outputs(output_names, output, column.shape[1])
        directions = None if along is None else _directions(along, points)
        operator = operator_of(of, inputs) if along is None else Operator((), _order(order))
        if output is not None:
            column = _placed(column, outputs.index(output), len(outputs))
        weights = _weights(weight, sd, column)
        if bound not in (-1, 0, 1):
            raise UsageError(f"bound={shown(bound)} received; 1 for lower bounds, -1 for upper bounds, 0 expected.")
        return cls(inputs, outputs, (Group(operator, points, column, weights, directions, sd is not None, bound),))

    @classmethod
    def dense(
        cls,
        X: Any,
        y: Any = None,
        dydx: Any = None,
        d2ydx2: Any = None,
        *,
        sample_weight: Any = None,
        sd: Any = None,
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
    ) -> Observations:
        """Return values, first and second derivatives at the same points.

        Parameters
        ----------
        X : array_like or table, shape (N, n)
            Points; the columns of a table give the names of the inputs.
        y : array_like, shape (N,) or (N, m), optional
            Values; NaN or masked where they are not known.
        dydx : array_like, shape (N, n) or (N, m, n), optional
            First derivatives.
        d2ydx2 : array_like, shape (N, n, n) or (N, m, n, n), optional
            Second derivatives, of which each mixed one counts once.
        sample_weight : array_like, shape (N,), optional
            Weight of each point.
        sd : array_like, shape (N,) or (N, m) or a number, optional
            Standard deviation of the values.
        input_names, output_names : sequence of str, optional
            Names; x1, x2, … and y1, … by default.

        Returns
        -------
        Observations
            A group for each derivative; they share their points.

        Raises
        ------
        InputError
            When nothing is known, and for numbers that are none.
        ShapeError
            When shapes do not fit.
        """
        inputs = input_names if input_names is not None else _labels(X)
        points = _points(X)
        count, n = points.shape
        m = _outputs_of(y, dydx, d2ydx2)
        labels = output_names if output_names is not None else _labels(y)
        names = _names(inputs, "x", n), _names(labels, "y", m)
        groups = []
        for alpha, values in _parts(y, dydx, d2ydx2, count, n, m):
            deviation = sd if alpha == () else None
            weights = _weights(None if deviation is not None else sample_weight, deviation, values)
            groups.append(Group(Operator(((alpha, 1.0),)), points, values, weights, None, deviation is not None))
        if not any(np.isfinite(g.values).any() for g in groups):
            raise InputError("points received at which nothing is known; y, dydx or d2ydx2 with a number expected.")
        return cls(*names, tuple(groups))

    def __add__(self, other: object) -> Observations:
        if not isinstance(other, Observations):
            return NotImplemented
        if (self.input_names, self.output_names) != (other.input_names, other.output_names):
            theirs, ours = (shown(f"{', '.join(o.output_names)} by {', '.join(o.input_names)}") for o in (other, self))
            raise InputError(f"observations of {theirs} received; of {ours} expected.")
        return replace(self, groups=self.groups + other.groups, notes=self.notes + other.notes)

    def __repr__(self) -> str:
        parts = ", ".join(f"{count} × {kind}" for kind, count in self.kinds.items())
        return f"<Observations of {', '.join(self.output_names)} by {', '.join(self.input_names)}: {parts}>"

    @property
    def kinds(self) -> dict[str, int]:
        """How many numbers are known, by what they are."""
        found: Counter[str] = Counter()
        for g in self.groups:
            found[g.operator.kind(self.input_names)] += int(np.isfinite(g.values).sum())
        return dict(found)

    @property
    def numbers(self) -> int:
        """How many numbers are known."""
        return sum(self.kinds.values())

    @cached_property
    def _arrays(self) -> list[np.ndarray]:
        """The different arrays of points."""
        return list({id(g.points): g.points for g in self.groups}.values())

    @property
    def points(self) -> np.ndarray:
        """All points, (N, n); groups that share their points count once."""
        return np.concatenate(self._arrays)

    @cached_property
    def _sites(self) -> tuple[np.ndarray, dict[int, np.ndarray]]:
        """The distinct points, and the place of each row of each array among them."""
        distinct, places = np.unique(self.points, axis=0, return_inverse=True)
        ends = itertools.pairwise(itertools.accumulate((len(a) for a in self._arrays), initial=0))
        places = places.ravel()
        return distinct, {id(a): places[i:j] for a, (i, j) in zip(self._arrays, ends, strict=True)}

    def take(self, kept: np.ndarray) -> Observations:
        """Return all that is known at some of the distinct points, chosen by their places in ascending order."""
        distinct, places = self._sites
        chosen = np.zeros(len(distinct), bool)
        chosen[kept] = True
        rows = {key: np.flatnonzero(chosen[at]) for key, at in places.items()}
        points = {key: a[rows[key]] for key, a in ((id(a), a) for a in self._arrays)}
        groups = [replace(g.chosen(rows[id(g.points)]), points=points[id(g.points)]) for g in self.groups]
        return replace(self, groups=tuple(groups))

    def folds(self, count: int, rng: np.random.Generator) -> list[tuple[Observations, Observations]]:
        """Return pairs of what is fitted and what is held back: all that is known at one point goes together."""
        order = rng.permutation(len(self._sites[0]))
        if not 2 <= count <= len(order):
            raise UsageError(f"{count} folds of {len(order)} points received; from 2 to their number expected.")
        parts = np.array_split(order, count)
        return [(self.take(np.setdiff1d(order, part)), self.take(part)) for part in parts]

    def split(self, fraction: float, rng: np.random.Generator) -> tuple[Observations, Observations]:
        """Return what is fitted, and what is known at a part of the distinct points, which is held back."""
        order = rng.permutation(len(self._sites[0]))
        count = round(fraction * len(order))
        if not 0 < count < len(order):
            raise InputError(
                f"a part of {fraction:g} of {len(order)} points received to hold back; at least one on either side "
                "expected."
            )
        return self.take(order[count:]), self.take(order[:count])

    def contradictions(self) -> list[tuple[int, int, float]]:
        """Return where two rows of one group say different things of one point: group, row, largest difference."""
        found = []
        for place, g in enumerate(self.groups):
            if g.directions is not None or g.bound:
                continue
            _, first, which = np.unique(g.points, axis=0, return_index=True, return_inverse=True)
            apart = np.nan_to_num(np.abs(g.values - g.values[first][which.ravel()])).max(1)
            found += [(place, int(i), float(apart[i])) for i in np.flatnonzero(apart > 0)]
        return found


# Checks -----------------------------------------------------------------------------------------------------------


def _labels(table: Any) -> list[str] | None:
    """Return the names of the columns of a table, if it is one and they are texts."""
    columns = getattr(table, "columns", None)
    if columns is None or callable(columns) or not all(isinstance(c, str) for c in columns):
        name = getattr(table, "name", None)
        return [name] if isinstance(name, str) and hasattr(table, "to_numpy") else None
    return list(columns)


def _numbers(values: Any, what: str) -> np.ndarray:
    """Return numbers as float64; what is masked as NaN."""
    if np.ma.isMaskedArray(values):
        values = np.ma.filled(values.astype(float), np.nan)
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    try:
        array = np.array(values, dtype=np.float64) if not isinstance(values, np.ndarray) else values.astype(np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{what} that are no numbers received; real numbers expected.") from None
    if np.isinf(array).any():
        raise InputError(f"{what} with infinity received; finite numbers expected, NaN where nothing is known.")
    return array


def _points(x: Any) -> np.ndarray:
    points = _numbers(x, "points")
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim != 2 or 0 in points.shape:
        raise ShapeError(f"points of shape {points.shape} received; (N, n) expected, at least one row and one input.")
    if np.isnan(points).any():
        row, column = np.argwhere(np.isnan(points))[0]
        raise InputError(f"NaN received in row {row + 1}, column {column + 1} of the points; finite numbers expected.")
    return points


def _columns(values: Any, count: int, what: str) -> np.ndarray:
    array = _numbers(values, what)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != count or not array.shape[1]:
        raise ShapeError(
            f"{what} of shape {array.shape} received for {count} points; ({count},) or ({count}, m) expected."
        )
    return array


def _names(given: Any, prefix: str, size: int) -> tuple[str, ...]:
    names = tuple(default(prefix, size) if given is None else given)
    if len(names) != size or len(set(names)) != size or not all(isinstance(n, str) and n for n in names):
        raise InputError(f"names {shown(', '.join(map(str, names)))} received; {size} different ones expected.")
    return names


def _outputs(given: Any, output: str | None, columns: int) -> tuple[str, ...]:
    if output is None:
        return _names(given, "y", columns)
    names = _names(given, "y", len(given)) if given is not None else (output,)
    if output not in names or columns != 1:
        raise InputError(
            f"output={shown(output)!r} with {columns} columns received; one of {shown(', '.join(names))}, one column."
        )
    return names


def _placed(column: np.ndarray, place: int, size: int) -> np.ndarray:
    full = np.full((len(column), size), np.nan)
    full[:, place] = column[:, 0]
    return full


def _order(order: Any) -> int:
    if not isinstance(order, int | np.integer) or order < 1:
        raise UsageError(f"order={shown(order)} received; a whole number of at least 1 expected.")
    return int(order)


def _directions(along: Any, points: np.ndarray) -> np.ndarray:
    directions = _numbers(along, "directions")
    if directions.shape not in (points.shape, points.shape[1:]):
        raise ShapeError(
            f"directions of shape {directions.shape} received; {points.shape} or {points.shape[1:]} expected."
        )
    directions = np.array(np.broadcast_to(directions, points.shape))
    if np.isnan(directions).any() or not directions.any(1).all():
        raise InputError("directions with NaN or of length 0 received; finite ones expected.")
    return directions


def _weights(weight: Any, sd: Any, values: np.ndarray) -> np.ndarray:
    """Return the weight of each square, 0 where nothing is known."""
    if weight is not None and sd is not None:
        raise UsageError("weight and sd received; one of them expected: a weight is 1/sd².")
    given = np.ones(1) if weight is None and sd is None else _numbers(weight if sd is None else sd, "weights")
    if sd is not None:
        if not (given > 0).all():
            raise InputError("standard deviations that are not above 0 received; positive numbers expected.")
        given = 1 / given**2
    if np.isnan(given).any() or (given < 0).any():
        raise InputError("weights below 0 or NaN received; numbers of at least 0 expected.")
    given = given[:, None] if given.ndim == 1 and len(given) == len(values) else given
    try:
        full = np.broadcast_to(given, values.shape)
    except ValueError:
        raise ShapeError(
            f"weights of shape {given.shape} received; {values.shape[:1]} or {values.shape} expected."
        ) from None
    return np.where(np.isfinite(values), full, 0.0)


# Dense arrays -----------------------------------------------------------------------------------------------------


def _outputs_of(y: Any, dydx: Any, d2ydx2: Any) -> int:
    """Return the number of outputs that arrays speak of."""
    shapes = [(np.shape(a), axes) for a, axes in ((y, 1), (dydx, 2), (d2ydx2, 3)) if a is not None]
    if not shapes:
        raise InputError("points received at which nothing is known; y, dydx or d2ydx2 expected.")
    shape, axes = shapes[0]
    return int(shape[1]) if len(shape) > axes else 1


def _parts(y: Any, dydx: Any, d2ydx2: Any, count: int, n: int, m: int) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """Yield each multi-index with the values, (N, m)."""
    pairs: Iterable[tuple[str, Any, tuple[int, ...]]] = (("y", y, ()), ("dydx", dydx, (n,)), ("d2ydx2", d2ydx2, (n, n)))
    for name, given, axes in pairs:
        if given is None:
            continue
        array = _numbers(given, name)
        if array.shape not in ((count, m, *axes), (count, *axes) if m == 1 else None):
            wanted = f"{(count, *axes)} or {(count, m, *axes)}" if m == 1 else f"{(count, m, *axes)}"
            raise ShapeError(f"{name} of shape {array.shape} received; {wanted} expected.")
        array = array.reshape(count, m, *axes)
        for alpha in itertools.combinations_with_replacement(range(n), len(axes)):
            key: Any = (..., *alpha)
            values = array[key]
            if len(set(alpha)) > 1:
                key = (..., *alpha[::-1])
                values = _symmetric(values, array[key], name)
            if np.isfinite(values).any() or not alpha:
                yield alpha, np.ascontiguousarray(values)


def _symmetric(one: np.ndarray, other: np.ndarray, name: str) -> np.ndarray:
    """Return mixed derivatives, of which either order may be missing."""
    both = np.isfinite(one) & np.isfinite(other)
    if not np.allclose(one[both], other[both], rtol=1e-6, atol=1e-9 * np.abs(one[both]).max(initial=0.0)):
        raise InputError(f"{name} that is not symmetric received; equal mixed derivatives in either order expected.")
    return np.where(np.isfinite(one), one, other)
