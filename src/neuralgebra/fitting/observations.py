"""What is known of a function: values and derivatives at points, each with its weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, UsageError, shown
from neuralgebra.files.columns import labels_of
from neuralgebra.fitting.arrays import (
    columns_of,
    directions_of,
    outputs_of,
    partials_of,
    points_of,
    weights_of,
)  # fmt: skip
from neuralgebra.fitting.contradictions import Contradiction, contradictions
from neuralgebra.fitting.groups import Group
from neuralgebra.fitting.operators import VALUE, Operator, operator_of
from neuralgebra.fitting.sites import distinct
from neuralgebra.network import names

__all__ = ["Group", "Observations"]


@dataclass(frozen=True, eq=False)
class Observations:
    """Values and derivatives of a function at points; sums of observations hold what both do.

    Parameters
    ----------
    input_names, output_names : tuple of str
        Names.
    groups : tuple of Group
        Rows by operator; groups that hold the same array of points share it.
    notes : tuple of str
        What was found while they were read.

    Raises
    ------
    InputError
        When nothing is known, and for names that are not distinct.
    ShapeError
        When points have another number of coordinates than there are names, or values of columns.

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

    def __post_init__(self) -> None:
        for group in self.groups:
            names.checked(self.input_names, "x", group.points.shape[1], "input")
            names.checked(self.output_names, "y", group.values.shape[1], "output")
        if not any(group.known.any() for group in self.groups):
            raise InputError("observations of which nothing is known received; at least one number expected.")

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
        x : array_like or table, shape (N, n), or (N,) for one input
            Points; the columns of a table give the names of the inputs.
        values : array_like, shape (N, m), or (N,) for one output, or one number
            What is known there; NaN, None or masked where nothing is.
        of : str, tuple of int or mapping
            "value", the name of an input for the derivative by it, "x1 x2", "x1^2", "laplacian", orders by input
            (2, 0), or a sum of such with coefficients, {"x1^2": 1.0, "x2": -3.0}.
        along : array_like, shape (N, n) or (n,), optional
            Directions v, of any length but 0, for derivatives d^k/dt^k f(x + t v).
        order : int
            k.
        output : str, optional
            Of several outputs, the one that the values are of.
        weight : array_like, shape (N,) or (N, m), or one number, optional
            Weight of each square; 1 by default.
        sd : array_like, shape (N,) or (N, m), or one number, optional
            Standard deviation of each value, in its unit: its weight is 1/sd², and kinds are not balanced.
        bound : {-1, 0, 1}
            1 if the values are lower bounds, -1 if they are upper bounds.
        input_names, output_names : sequence of str, optional
            Names; x1, x2, … and y1, … by default.

        Returns
        -------
        Observations
            One group, with the rows of which something is known.

        Raises
        ------
        InputError
            For NaN or infinity in the points, weights below 0, deviations that are not above 0, unknown names, and
            when nothing is known.
        ShapeError
            When shapes do not fit.
        UsageError
            For arguments that do not go together.

        Examples
        --------
        >>> Observations.at([[0.0, 1.0], [2.0, 3.0]], 0.0, "laplacian", weight=[1.0, 2.0])
        <Observations of y1 by x1, x2: 2 × laplacian>
        """
        points = points_of(x)
        inputs = names.checked(_labels(input_names, x), "x", points.shape[1], "input")
        labels = _labels(output_names, values) if output is None else output_names
        values = columns_of(values, len(points))
        weights = weights_of(weight, sd, values)
        outputs, place = _outputs(labels, output, values.shape[1])
        if place is not None:
            values, weights = (_placed(a, place, len(outputs), f) for a, f in ((values, np.nan), (weights, 0.0)))
        directions = None if along is None else directions_of(along, points)
        group = Group(
            _operator(of, order, along is not None, inputs), points, values, weights, directions, sd is not None, bound
        )
        return cls(inputs, outputs, tuple(_kept([group])))

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
        y : array_like or table, shape (N,) or (N, m), optional
            Values; NaN, None or masked where they are not known.
        dydx : array_like, shape (N, n) or (N, m, n), optional
            First derivatives.
        d2ydx2 : array_like, shape (N, n, n) or (N, m, n, n), optional
            Second derivatives; a mixed one counts once, and may be given in one order or in both.
        sample_weight : array_like, shape (N,), or one number, optional
            Weight of each point.
        sd : array_like, shape (N,) or (N, m), or one number, optional
            Standard deviation of the values, in place of weights; those of derivatives are given by `at`.
        input_names, output_names : sequence of str, optional
            Names; x1, x2, … and y1, … by default.

        Returns
        -------
        Observations
            A group for each derivative, which share their points: those at which something is known.

        Raises
        ------
        InputError
            When nothing is known, and for numbers that are none.
        ShapeError
            When shapes do not fit.
        UsageError
            For sd beside weights, or without values.

        Examples
        --------
        >>> Observations.dense([[0.0, 1.0], [2.0, 3.0]], [5.0, 6.0], [[1.0, np.nan], [np.nan, np.nan]])
        <Observations of y1 by x1, x2: 2 × value, 1 × x1>
        """
        points = points_of(X)
        m = outputs_of(y, dydx, d2ydx2)
        inputs = names.checked(_labels(input_names, X), "x", points.shape[1], "input")
        outputs = names.checked(_labels(output_names, y), "y", m, "output")
        if sd is not None and (y is None or sample_weight is not None):
            raise UsageError("sd received beside sample_weight, or without y; y with one of them expected.")
        groups = []
        for alpha, values in partials_of(y, dydx, d2ydx2, (len(points), points.shape[1]), m):
            deviation = None if alpha else sd
            weights = weights_of(sample_weight, deviation, values)
            groups.append(Group(Operator(((alpha, 1.0),)), points, values, weights, None, deviation is not None))
        return cls(inputs, outputs, tuple(_kept(groups)))

    def __add__(self, other: object) -> Observations:
        if not isinstance(other, Observations):
            return NotImplemented
        if (self.input_names, self.output_names) != (other.input_names, other.output_names):
            theirs, ours = (shown(f"{', '.join(o.output_names)} by {', '.join(o.input_names)}") for o in (other, self))
            raise InputError(
                f"observations of {theirs} received; of {ours} expected.\nName inputs and outputs alike, with "
                "input_names= and output_names=."
            )
        return replace(self, groups=self.groups + other.groups, notes=self.notes + other.notes)

    def __repr__(self) -> str:
        parts = ", ".join(f"{count} × {kind}" for kind, count in self.kinds.items())
        return f"<Observations of {', '.join(self.output_names)} by {', '.join(self.input_names)}: {parts}>"

    @property
    def kinds(self) -> dict[str, int]:
        """How many numbers are known, by what they are."""
        found: Counter[str] = Counter()
        for g in self.groups:
            found[g.kind(self.input_names)] += int(g.known.sum())
        return dict(found)

    @property
    def numbers(self) -> int:
        """How many numbers are known."""
        return sum(self.kinds.values())

    @property
    def rows(self) -> int:
        """How many rows there are in all groups."""
        return sum(len(g.points) for g in self.groups)

    @cached_property
    def _shared(self) -> tuple[list[np.ndarray], list[int]]:
        """The different arrays of points, and which one each group has."""
        arrays = {id(g.points): g.points for g in self.groups}
        order = {key: place for place, key in enumerate(arrays)}
        return list(arrays.values()), [order[id(g.points)] for g in self.groups]

    @property
    def points(self) -> np.ndarray:
        """All points, (N, n); groups that share their points count once."""
        return np.concatenate(self._shared[0])

    @cached_property
    def _sites(self) -> tuple[np.ndarray, list[np.ndarray]]:
        """The distinct points, and the place among them of each row of each array of points."""
        points = self.points
        first, places = distinct(points)
        cuts = np.cumsum([len(a) for a in self._shared[0]])[:-1]
        return points[first], np.split(places, cuts)

    @property
    def sites(self) -> np.ndarray:
        """The distinct points, (D, n), in the order in which they appear."""
        return self._sites[0]

    def take(self, kept: Any) -> Observations:
        """Return all that is known at some of the distinct points.

        Parameters
        ----------
        kept : array_like, shape (k,) of int or (D,) of bool
            Which of `sites`.

        Returns
        -------
        Observations
            As many groups, some of which may have no rows.

        Raises
        ------
        InputError
            When nothing is known there.
        """
        sites, places = self._sites
        chosen = _mask(kept, len(sites))
        arrays, which = self._shared
        rows = [np.flatnonzero(chosen[at]) for at in places]
        points = [array[at] for array, at in zip(arrays, rows, strict=True)]
        groups = (g.chosen(rows[i], points[i]) for g, i in zip(self.groups, which, strict=True))
        return replace(self, groups=tuple(groups))

    def folds(self, count: int, rng: np.random.Generator) -> list[tuple[Observations, Observations]]:
        """Return pairs of what is fitted and what is held back: all that is known at one point goes together.

        Parameters
        ----------
        count : int
            How many, 2 or more; each distinct point is held back once.
        rng : numpy.random.Generator
            What chooses.

        Raises
        ------
        InputError
            When there are fewer distinct points.
        """
        size = len(self.sites)
        if not isinstance(count, int | np.integer) or count < 2:
            raise UsageError(f"{shown(repr(count))} folds received; a whole number of at least 2 expected.")
        if count > size:
            raise InputError(f"{count} folds of {size} distinct points received; at most as many folds expected.")
        which = np.empty(size, dtype=int)
        which[rng.permutation(size)] = np.arange(size) * count // size
        return [(self.take(which != k), self.take(which == k)) for k in range(count)]

    def split(self, fraction: float, rng: np.random.Generator) -> tuple[Observations, Observations]:
        """Return what is fitted, and what is known at a part of the distinct points, which is held back.

        Parameters
        ----------
        fraction : float
            Of the distinct points, those that are held back; at least one on either side.
        rng : numpy.random.Generator
            What chooses.

        Raises
        ------
        InputError
            When there are fewer than two distinct points.
        """
        if not 0 < fraction < 1:
            raise UsageError(f"fraction={shown(repr(fraction))} received; a number between 0 and 1 expected.")
        size = len(self.sites)
        if size < 2:
            raise InputError("one distinct point received to split; at least two expected.")
        held = np.zeros(size, dtype=bool)
        held[rng.permutation(size)[: min(max(1, round(fraction * size)), size - 1)]] = True
        return self.take(~held), self.take(held)

    def contradictions(self) -> tuple[Contradiction, ...]:
        """Return where different things are said of one output at one point, in the order of groups."""
        return contradictions(self.groups, self.input_names, self.output_names)

    def constant_inputs(self) -> tuple[str, ...]:
        """Return the names of inputs that have one value in all points."""
        spread = np.ptp(self.points, axis=0)
        return tuple(name for name, s in zip(self.input_names, spread, strict=True) if s == 0)

    def unknown_outputs(self) -> tuple[str, ...]:
        """Return the names of outputs of which nothing is known."""
        known = np.any([g.known.any(axis=0) for g in self.groups], axis=0)
        return tuple(name for name, k in zip(self.output_names, known, strict=True) if not k)


def _labels(given: Any, table: Any) -> Any:
    return labels_of(table) if given is None else given


def _outputs(given: Any, output: str | None, columns: int) -> tuple[tuple[str, ...], int | None]:
    """Return the names of the outputs, and the place of the one that is meant."""
    if output is None:
        return names.checked(given, "y", columns, "output"), None
    known = names.checked([output] if given is None else given, "y", 1 if given is None else len(given), "output")
    if output not in known or columns != 1:
        raise InputError(
            f"output={shown(output)!r} with {columns} columns of values received; one column, and one of the outputs "
            f"{shown(', '.join(known))}, expected."
        )
    return known, known.index(output)


def _placed(column: np.ndarray, place: int, size: int, rest: float) -> np.ndarray:
    full = np.full((len(column), size), rest)
    full[:, place] = column[:, 0]
    return full


def _operator(of: Any, order: Any, directed: bool, inputs: Sequence[str]) -> Operator:
    if not isinstance(order, int | np.integer) or isinstance(order, bool) or order < 1:
        raise UsageError(f"order={shown(repr(order))} received; a whole number of at least 1 expected.")
    if not directed:
        if order != 1:
            raise UsageError(f"order={order} received without along=; of='x1^{order}' names a derivative by an input.")
        return operator_of(of, inputs)
    if of not in ("value", VALUE):
        raise UsageError(f"of={shown(repr(of))} and along= received; one of them expected.")
    return Operator((), int(order))


def _mask(kept: Any, size: int) -> np.ndarray:
    chosen, places = np.zeros(size, dtype=bool), np.asarray(kept)
    try:
        chosen[places if places.size else np.empty(0, dtype=int)] = True
    except IndexError:
        raise InputError(
            f"{shown(repr(kept))} received for places of {size} distinct points; whole numbers below {size}, or a "
            "truth value for each, expected."
        ) from None
    return chosen


def _kept(groups: Sequence[Group]) -> Iterable[Group]:
    """Yield groups of one array of points without the rows of which no group knows anything, read-only."""
    kept = np.any([g.known.any(axis=1) for g in groups], axis=0) if groups else np.ones(0, bool)
    if kept.any() and not any(g.weights.any() for g in groups):
        raise InputError("weights received that are all zero; at least one above zero expected.")
    points = groups[0].points[kept] if not kept.all() else groups[0].points if groups else None
    for group in groups:
        yield (group if kept.all() else group.chosen(np.flatnonzero(kept), points)).frozen()
