"""Observations from tables: long, one number a row, or wide, one point a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, UsageError, shown
from neuralgebra.files.columns import Columns, read_columns
from neuralgebra.files.csv_columns import Texts
from neuralgebra.fitting.arrays import merged
from neuralgebra.fitting.groups import Group
from neuralgebra.fitting.observations import Observations
from neuralgebra.fitting.operators import VALUE, Operator, operator_of
from neuralgebra.fitting.sites import distinct
from neuralgebra.fitting.wide import Wide, spoken_of

__all__ = ["read_observations"]

_LONG = ("output", "derivative", "value", "weight", "sd")
"""Columns of long tables that are no coordinates."""

Names = list[str] | None


def read_observations(
    source: Any, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> Observations:
    """Return what a table knows of a function.

    Parameters
    ----------
    source : str, os.PathLike, data frame or mapping
        A file, CSV or Parquet, "-" for CSV from standard input, or a table in memory.
    inputs : sequence of str, optional
        Columns that are inputs; by default all that have no other part. What is named here is nothing else.
    outputs : sequence of str, optional
        Names of the outputs; by default those that a long table names, or y1; in a wide one those whose derivatives are
        there, else the last column.

    Returns
    -------
    Observations
        A group for each operator; the notes say what was found and what was left out.

    Raises
    ------
    LoadError
        For a cell that is no number; the message names row and column.
    InputError
        For derivatives by what is no input, for columns that are missing, and when nothing is known.

    Notes
    -----
    A long table has a column "value", and the coordinates of its points. Columns "output", "derivative" ("" or "value",
    "x1", "x1 x2", "x1^2 x2", "laplacian"), "weight" or "sd" are there where they are needed. A wide table has columns
    of inputs, outputs and derivatives "dy/dx1", "d2y/dx1 dx2", "d2y/dx1^2", as `neuralgebra diff` names them; it has no
    weights. Empty cells and NaN are values that are not known.

    Examples
    --------
    >>> read_observations({"x": [0.0, 1.0, 1.0], "derivative": ["", "", "x"], "value": [0.0, 1.0, 2.0]})
    <Observations of y1 by x: 2 × value, 1 × x>
    >>> read_observations({"x": [0.0, 1.0], "y": [0.0, 1.0], "dy/dx": [np.nan, 2.0]})
    <Observations of y by x: 2 × value, 1 × x>
    """
    known, said = _listed(inputs, "inputs"), _listed(outputs, "outputs")
    columns = read_columns(source, texts={"output", "derivative"} - {*(known or ()), *(said or ())})
    _check_given(columns, known, said)
    found = (_long if _is_long(columns, known, said) else _wide)(columns, known, said)
    return replace(found, notes=(*columns.notes, *found.notes))


def _listed(given: Sequence[str] | None, name: str) -> Names:
    if given is None:
        return None
    if isinstance(given, str) or not given or not all(isinstance(each, str) for each in given):
        raise UsageError(f"{name}={shown(repr(given))} received; a list of names expected.")
    return list(given)


def _check_given(columns: Columns, inputs: Names, outputs: Names) -> None:
    missing = [name for name in inputs or () if name not in columns.names]
    if missing:
        raise _missing(columns, missing[0])
    both = [name for name in inputs or () if name in (outputs or ())]
    if both:
        raise InputError(f"{shown(both[0])!r} received among inputs and outputs; one of them expected.")


def _missing(columns: Columns, name: str) -> InputError:
    return InputError(
        f"{columns.where}: columns {shown(', '.join(columns.names), 200)} received; {shown(name)!r} missing."
    )


def _is_long(columns: Columns, inputs: Names, outputs: Names) -> bool:
    """Return whether a column "value" holds the values of all operators, and is no input or output itself."""
    named = "value" in (*(inputs or ()), *(outputs or ()))
    return "value" in columns.names and not named and not any(n.startswith("dvalue/d") for n in columns.names)


def _points(columns: Columns, names: Sequence[str], kept: np.ndarray) -> np.ndarray:
    """Return the points of the rows that are kept."""
    if not names:
        raise InputError(
            f"{columns.where}: columns {shown(', '.join(columns.names), 200)} received; coordinates of points missing."
        )
    if "" in names:
        raise InputError(f"{columns.where}: a column without a name received. Name it, or choose inputs= by name.")
    points: np.ndarray = np.column_stack([columns.numbers(name) for name in names])[kept]
    if np.isnan(points).any():
        row, column = np.argwhere(np.isnan(points))[0]
        raise columns.error(
            int(np.flatnonzero(kept)[row]), names[column], "no number; every point needs all its coordinates."
        )
    return points


# Long tables --------------------------------------------------------------------------------------------------------


def _long(columns: Columns, inputs: Names, outputs: Names) -> Observations:
    names = inputs or [name for name in columns.names if name not in _LONG]
    parts = {name for name in _LONG if name in columns.names and name not in (inputs or ())}
    values = columns.numbers("value")
    kept = ~np.isnan(values)
    points = _points(columns, names, kept)
    said, place = _said(columns, "output" in parts, outputs, kept)
    operators, which = _operators(columns, "derivative" in parts, names, kept)
    weights = _weights(columns, parts, kept)
    if len(weights) and not weights.any():
        raise InputError(f"{columns.where}: weights received that are all zero; at least one above zero expected.")
    found = _Numbers(points, values[kept], weights, place, which)
    groups = tuple(found.groups(operators, len(said), "sd" in parts))
    return Observations(tuple(names), said, groups, tuple(_notes(columns, {*names, *parts}, int((~kept).sum()))))


def _notes(columns: Columns, used: set[str], empty: int) -> Iterator[str]:
    if empty:
        yield f"{empty} empty value{'s' * (empty > 1)} left out"
    rest = [name for name in columns.names if name not in used]
    if rest:
        yield f"columns left out: {shown(', '.join(rest), 200)}"


def _said(columns: Columns, named: bool, outputs: Names, kept: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    """Return the names of the outputs, and the place of each row's one among them."""
    if not named:
        if outputs is not None and len(outputs) != 1:
            raise InputError(
                f"{columns.where}: outputs {shown(', '.join(outputs))} received without a column 'output'; one "
                "expected."
            )
        return tuple(outputs or ["y1"]), np.zeros(int(kept.sum()), dtype=int)
    texts = columns.texts("output")
    known = tuple(outputs or [text for text in texts.distinct if text])
    for code, text in enumerate(texts.distinct):
        if text not in known and (texts.codes[kept] == code).any():
            raise columns.error(
                _row(texts, code, kept), "output", f"{shown(text)!r}; one of {shown(', '.join(known), 200)} expected."
            )
    places = np.array([known.index(text) if text in known else -1 for text in texts.distinct])
    return known, places[texts.codes[kept]]


def _row(texts: Texts, code: int, kept: np.ndarray) -> int:
    return int(np.argmax((texts.codes == code) & kept))


def _operators(
    columns: Columns, named: bool, names: Sequence[str], kept: np.ndarray
) -> tuple[list[Operator], np.ndarray]:
    """Return the operators, and the place of each row's one among them."""
    if not named:
        return [VALUE], np.zeros(int(kept.sum()), dtype=int)
    texts = columns.texts("derivative")
    used = np.unique(texts.codes[kept])
    found: dict[Operator, int] = {}
    places = np.zeros(len(texts.distinct), dtype=int)
    for code in used:
        try:
            operator = operator_of(texts.distinct[code], names)
        except InputError as error:
            raise columns.error(_row(texts, int(code), kept), "derivative", str(error)) from None
        places[code] = found.setdefault(operator, len(found))
    return list(found), places[texts.codes[kept]]


def _weights(columns: Columns, parts: set[str], kept: np.ndarray) -> np.ndarray:
    """Return the weight of each row that is kept."""
    if {"weight", "sd"} <= parts:
        raise InputError(f"{columns.where}: columns 'weight' and 'sd' received; one of them expected.")
    name = next((name for name in ("weight", "sd") if name in parts), None)
    if name is None:
        return np.ones(int(kept.sum()))
    given = columns.numbers(name)[kept]
    with np.errstate(all="ignore"):
        weights = given if name == "weight" else np.where(given > 0, 1 / given**2, np.nan)
    good = np.isfinite(weights) & (weights >= 0) & ((weights > 0) | (name == "weight"))
    if not good.all():
        row = int(np.argmin(good))
        found = "an empty cell" if np.isnan(given[row]) else str(given[row])
        least = "at least 0" if name == "weight" else "above 0, whose square is a double,"
        raise columns.error(int(np.flatnonzero(kept)[row]), name, f"{found}; a number {least} expected.")
    return weights


@dataclass(frozen=True)
class _Numbers:
    """Single numbers: points (N, n), and for each number its value, weight, and places of output and operator."""

    points: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    output: np.ndarray
    operator: np.ndarray

    def groups(self, operators: Sequence[Operator], m: int, deviations: bool) -> Iterator[Group]:
        """Yield a group for each operator: what is said of one point, for different outputs, is one row.

        Groups with the same points share them.
        """
        first, site = distinct(self.points)
        row = site + len(first) * _repetition((site * len(operators) + self.operator) * m + self.output)
        shared: dict[bytes, np.ndarray] = {}
        for place, operator in enumerate(operators):
            at = np.flatnonzero(self.operator == place)
            keys, rows = np.unique(row[at], return_inverse=True)
            points = shared.setdefault(keys.tobytes(), self.points[first[keys % len(first)]])
            values, weights = np.full((len(keys), m), np.nan), np.zeros((len(keys), m))
            values[rows, self.output[at]] = self.values[at]
            weights[rows, self.output[at]] = self.weights[at]
            yield Group(operator, points, values, weights, None, deviations).frozen()


def _repetition(keys: np.ndarray) -> np.ndarray:
    """Return how often each key has come before."""
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order], prepend=-1))
    before = np.empty(len(keys), dtype=int)
    before[order] = np.arange(len(keys)) - np.repeat(starts, np.diff(starts, append=len(keys)))
    return before


# Wide tables --------------------------------------------------------------------------------------------------------


def _wide(columns: Columns, inputs: Names, outputs: Names) -> Observations:
    wide = spoken_of(columns.names, inputs, outputs, columns.where)
    said = [n for n in wide.outputs if n not in columns.names and n not in {o for o, _ in wide.parts.values()}]
    if said:
        raise _missing(columns, said[0])
    found = _tables(columns, wide)
    known = np.any([~np.isnan(values).all(axis=1) for values in found.values()], axis=0)
    points = _points(columns, wide.inputs, known)
    groups = tuple(
        Group(operator, points, v[known], (~np.isnan(v[known])).astype(float)).frozen()
        for operator, v in found.items()
        if not np.isnan(v).all()
    )
    used = {*wide.inputs, *wide.parts}
    empty = sum(int(np.isnan(columns.numbers(name)).sum()) for name in wide.parts)
    return Observations(tuple(wide.inputs), tuple(wide.outputs), groups, tuple(_notes(columns, used, empty)))


def _tables(columns: Columns, wide: Wide) -> dict[Operator, np.ndarray]:
    """Return the values of each operator, (rows, m)."""
    found: dict[Operator, np.ndarray] = {}
    for name, (output, alpha) in wide.parts.items():
        values, place = columns.numbers(name), wide.outputs.index(output)
        table = found.setdefault(Operator(((alpha, 1.0),)), np.full((len(values), len(wide.outputs)), np.nan))
        table[:, place] = merged(table[:, place], values, f"{columns.where}: {shown(name)!r}")
    return found
