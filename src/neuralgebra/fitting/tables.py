"""Observations from tables: long, one number a row, or wide, one point a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, shown
from neuralgebra.files.columns import Columns, read_columns
from neuralgebra.fitting.observations import Group, Observations
from neuralgebra.fitting.operators import Operator, operator_of

__all__ = ["read_observations"]

_LONG = ("output", "derivative", "value", "weight", "sd")
"""Columns of long tables that are no coordinates."""


def read_observations(
    source: Any, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> Observations:
    """Return what a table knows of a function.

    Parameters
    ----------
    source : str, os.PathLike, data frame or mapping
        A file, CSV or Parquet, or a table in memory. Long: the coordinates of a point, "value", and where they are
        needed "output", "derivative" ("", "value", "x1", "x1 x2", "x1^2", "laplacian"), "weight" or "sd". Wide: inputs,
        outputs y and derivatives "dy/dx1", "d2y/dx1^2", "d2y/dx1 dx2".
    inputs : sequence of str, optional
        Names of the inputs; by default all columns that are nothing else.
    outputs : sequence of str, optional
        Names of the outputs; by default those that the table names, or, in a wide one, those that derivatives speak of,
        else the last column.

    Returns
    -------
    Observations
        A group for each operator; empty cells are left out.

    Raises
    ------
    LoadError
        For a cell that is no number.
    InputError
        For derivatives by what is no input, and for columns that are missing.
    """
    columns = read_columns(source)
    for name in [*(inputs or ()), *(outputs or ())]:
        if name not in columns.names and not (name in (outputs or ()) and "output" in columns.names):
            raise InputError(f"column {shown(name)!r} missing; {shown(', '.join(columns.names), 200)} received.")
    long = "value" in columns.names and "value" not in (*(inputs or ()), *(outputs or ()))
    read = _long if long else _wide
    found = read(columns, list(inputs) if inputs else None, list(outputs) if outputs else None)
    return replace(found, notes=(*columns.notes, *found.notes))


def _points(columns: Columns, names: Sequence[str]) -> np.ndarray:
    if not names:
        raise InputError(f"{columns.where}: no columns of inputs received; the coordinates of the points expected.")
    points = np.column_stack([columns.numbers(name) for name in names])
    if np.isnan(points).any():
        row, column = np.argwhere(np.isnan(points))[0]
        where = f"{columns.where}: row {row + 1}, column {shown(names[column])!r}"
        raise InputError(f"{where} is empty; every point needs all coordinates.")
    return points


def _long(columns: Columns, inputs: list[str] | None, outputs: list[str] | None) -> Observations:
    names = inputs or [name for name in columns.names if name not in _LONG]
    points, values = _points(columns, names), columns.numbers("value")
    count = len(values)
    of = columns.texts("output") if "output" in columns.names else ["y1" if outputs is None else outputs[0]] * count
    kinds = columns.texts("derivative") if "derivative" in columns.names else [""] * count
    known = outputs or list(dict.fromkeys(of))
    strange = next((i for i, name in enumerate(of) if name not in known), None)
    if strange is not None:
        where = f"{columns.where}: row {strange + 1}"
        raise InputError(f"{where}: output {shown(of[strange])!r}; one of {shown(', '.join(known))} expected.")
    weights, deviations = _long_weights(columns, values)
    operators = {kind: operator_of(kind, names) for kind in dict.fromkeys(kinds)}
    which = np.array([list(operators).index(kind) for kind in kinds])
    place = np.array([known.index(name) for name in of])
    groups = []
    for i, operator in enumerate(operators.values()):
        at = np.flatnonzero((which == i) & np.isfinite(values))
        if len(at):
            groups.append(_spread(operator, points[at], place[at], values[at], weights[at], len(known), deviations))
    return _observations(columns, names, known, groups, int(np.isnan(values).sum()))


def _long_weights(columns: Columns, values: np.ndarray) -> tuple[np.ndarray, bool]:
    if "sd" in columns.names:
        deviations = columns.numbers("sd")
        known = np.isfinite(values)
        if not (deviations[known] > 0).all():
            raise InputError(f"{columns.where}: standard deviations that are not above 0; positive numbers expected.")
        return np.where(known, 1 / np.where(known, deviations, 1) ** 2, 0.0), True
    weights = columns.numbers("weight") if "weight" in columns.names else np.ones(len(values))
    weights = np.where(np.isnan(weights), 1.0, weights)
    if (weights < 0).any():
        raise InputError(f"{columns.where}: weights below 0; numbers of at least 0 expected.")
    return weights, False


def _spread(
    operator: Operator, points: np.ndarray, place: np.ndarray, values: np.ndarray, weights: np.ndarray, m: int, sd: bool
) -> Group:
    """Return rows of single outputs as a group with a column for each."""
    full, sizes = np.full((len(points), m), np.nan), np.zeros((len(points), m))
    rows = np.arange(len(points))
    full[rows, place], sizes[rows, place] = values, weights
    return Group(operator, points, full, sizes, None, sd)


def _wide(columns: Columns, inputs: list[str] | None, outputs: list[str] | None) -> Observations:
    spoken = {name: parts for name in columns.names if (parts := _derivative(name)) is not None}
    known = outputs or list(dict.fromkeys(base for base, _ in spoken.values()))
    if not known:
        known = [n for n in columns.names if n not in (inputs or ()) and n not in ("weight", "sd")][-1:]
    spoken = {name: parts for name, parts in spoken.items() if parts[0] in known and name not in (inputs or ())}
    names = inputs or [n for n in columns.names if n not in known and n not in spoken and n not in ("weight", "sd")]
    points = _points(columns, names)
    weights, deviations = _long_weights(columns, np.zeros(len(points)))
    table: dict[Operator, np.ndarray] = {}
    empty = 0
    for name, (base, kind) in {**{n: (n, "") for n in known if n in columns.names}, **spoken}.items():
        values = columns.numbers(name)
        empty += int(np.isnan(values).sum())
        full = table.setdefault(operator_of(kind, names), np.full((len(points), len(known)), np.nan))
        full[:, known.index(base)] = values
    groups = [
        Group(op, points, v, np.where(np.isfinite(v), weights[:, None], 0.0), None, deviations)
        for op, v in table.items()
    ]
    return _observations(columns, names, known, groups, empty)


def _derivative(name: str) -> tuple[str, str] | None:
    """Return output and operator that the name of a column speaks of: "d2y/dx1 dx2" is ("y", "x1 x2")."""
    upper, slash, lower = name.partition("/")
    if not slash or not upper.startswith("d") or not lower.startswith("d"):
        return None
    digits = len(upper[1:]) - len(upper[1:].lstrip("0123456789"))
    base = upper[1 + digits :].lstrip("^ ")
    parts = [part[1:] for part in lower.split() if part.startswith("d")]
    return (base, " ".join(parts)) if base and len(parts) == len(lower.split()) else None


def _observations(
    columns: Columns, names: Sequence[str], outputs: Sequence[str], groups: Sequence[Group], empty: int
) -> Observations:
    if not any(np.isfinite(g.values).any() for g in groups):
        raise InputError(f"{columns.where}: no number of any output received; values or derivatives expected.")
    notes = (f"{empty} empty cells left out",) if empty else ()
    return Observations(tuple(names), tuple(outputs), tuple(groups), notes)
