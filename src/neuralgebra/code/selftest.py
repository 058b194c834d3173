"""The self-test beside a program: points, what its functions give there, and how far off they may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.majorant import Majorant, Measured
from neuralgebra.code.bounds import roundings
from neuralgebra.code.program import Function, Program
from neuralgebra.code.statements import Buffer
from neuralgebra.errors import InputError, ShapeError
from neuralgebra.network.network import Network

__all__ = ["Check", "Checked", "checked", "points_for"]

POINTS = 2
ROOM = 256
"""How many times the error of single precision, scaled, a result may be off."""
LISTED = 400
"""Entries of one result at one point that are listed; of more, every second, third, …."""


@dataclass(frozen=True)
class Checked:
    """What one result is compared with.

    Parameters
    ----------
    result : Buffer
        The output of the function.
    step : int
        Every so many entries are listed.
    count : int
        How many are listed at each point.
    wanted : Buffer
        Those entries at all points, one point after another.
    bounds : Buffer
        How far off they may be, one number for each point.
    """

    result: Buffer
    step: int
    count: int
    wanted: Buffer
    bounds: Buffer


@dataclass(frozen=True)
class Check:
    """The test of one function.

    Parameters
    ----------
    function : Function
        The function.
    points : int
        How many points there are.
    given : tuple of Buffer
        Its arguments at all points, one point after another.
    results : tuple of Checked
        What is compared.
    """

    function: Function
    points: int
    given: tuple[Buffer, ...]
    results: tuple[Checked, ...]

    @property
    def constants(self) -> tuple[Buffer, ...]:
        """All its arrays of numbers."""
        return (*self.given, *(b for r in self.results for b in (r.wanted, r.bounds)))


def points_for(network: Network, count: int = POINTS) -> np.ndarray:
    """Return points at which a network has finite values: random ones, positive where they must be."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(count, network.input_size)).astype(np.float32).astype(np.float64)
    for points in (normal, np.abs(normal) + 0.5, 0.25 + 0.5 * rng.random(normal.shape)):
        rounded = points.astype(np.float32).astype(np.float64)
        if np.isfinite(_values(network.extended(), rounded)).all():
            return rounded
    raise InputError("no points found at which the network is finite; pass some, points=[[…], …].")


def _values(network: Network, points: np.ndarray) -> np.ndarray:
    with quiet():
        return np.asarray(network(points))


def checked(program: Program, points: Any = None) -> Program:
    """Return a program with a self-test.

    Parameters
    ----------
    program : Program
        Functions.
    points : array_like, shape (P, n), optional
        Where they are tested; some random points by default.

    Returns
    -------
    Program
        The same with `checks`.
    """
    network = program.network
    x = points_for(network) if points is None else _accepted(network, points)
    x = x.astype(program.dtype).astype(np.float64)
    rng = np.random.default_rng(1)
    shared = {"x": x}
    for name, size in (("v", network.input_size), ("w", network.output_size)):
        shared[name] = rng.normal(size=(len(x), size)).astype(np.float32).astype(np.float64)
    given = {name: _constant(f"check_{name}", array, program.dtype) for name, array in shared.items()}
    results: dict[str, Checked] = {}
    for function in reversed(program.functions):  # the highest order gives the lower ones too
        if any(b.name not in results for b in function.outputs):
            results |= _results(program, function, shared)
    checks = [_check(function, len(x), given, results) for function in program.functions]
    return replace(program, checks=tuple(checks))


def _accepted(network: Network, points: Any) -> np.ndarray:
    """Return the points of a person, (P, n), at which the network must be finite."""
    x = np.atleast_2d(np.asarray(points, float))
    if x.ndim != 2 or x.shape[1] != network.input_size or not len(x):
        raise ShapeError(f"points of shape {np.shape(points)} received; (P, {network.input_size}) expected.")
    if not (np.isfinite(x).all() and np.isfinite(_values(network, x)).all()):
        raise InputError("points received at which the network is not finite; others expected for the self-test.")
    return x


def _check(function: Function, points: int, given: dict[str, Buffer], results: dict[str, Checked]) -> Check:
    compared = tuple(replace(results[b.name], result=b) for b in function.outputs)
    return Check(function, points, tuple(given[b.name] for b in function.inputs), compared)


def _results(program: Program, function: Function, shared: dict[str, np.ndarray]) -> dict[str, Checked]:
    """Return what the results of a function are compared with, by their names."""
    given = [shared[b.name] for b in function.inputs]
    values = _run(function, Arrays(np.zeros(1)), given)
    single = _run(function, Arrays(np.zeros(1, np.float32)), [a.astype(np.float32) for a in given])
    sizes = _run(function, Majorant(), [Measured(a) for a in given])
    unit = float(np.finfo(program.dtype).eps) / 2
    found = {}
    for at, buffer in enumerate(function.outputs):
        entries, shape = function.results[at].entries, (len(given[0]), buffer.size)
        value, rough, size = (
            np.broadcast_to(_rows(a, entries), shape) for a in (values[at], single[at], Measured.of(sizes[at]).majorant)
        )
        counted = 2 * _count(program, buffer.name) * unit * size.max(1)
        found[buffer.name] = _checked(program, buffer, value, np.fmin(counted, _observed(value, rough, unit)))
    return found


def _observed(value: np.ndarray, rough: np.ndarray, unit: float) -> np.ndarray:
    """Return what rounding makes of results, with room to spare, from how far single precision is off at each point.

    Roundings that are counted multiply with the depth of a network, those that happen do not: bounds that are only
    counted would let deep networks pass whatever they give.
    """
    single = float(np.finfo(np.float32).eps) / 2
    gap = np.abs(value - rough.astype(np.float64)).max(1) / single + np.abs(value).max(1)
    return np.where(np.isfinite(gap), ROOM * unit * gap, np.inf)


def _count(program: Program, name: str) -> int:
    """Return the roundings of a result, in that function which has the most."""
    counts = [
        count
        for function in program.functions
        for buffer, count in zip(function.outputs, roundings(function), strict=True)
        if buffer.name == name
    ]
    return max(1, *counts)


def _checked(program: Program, buffer: Buffer, value: np.ndarray, bounds: np.ndarray) -> Checked:
    step = -(-value.shape[1] // LISTED)
    listed, name = value[:, ::step], f"check_{buffer.name}"
    largest, least = float(np.finfo(program.dtype).max), float(np.finfo(program.dtype).tiny)
    if not (np.abs(listed) <= largest).all():
        raise InputError(
            f"{name[6:]} is not finite in {program.dtype} at the points of the self-test.\n"
            "Pass others, points=[[…], …], or leave the self-test out, check=False."
        )
    bounds = np.clip(np.nan_to_num(bounds, nan=largest), least, largest)
    wanted = _constant(name, listed, program.dtype)
    return Checked(buffer, step, listed.shape[1], wanted, _constant(f"{name}_bound", bounds, program.dtype))


def _run(function: Function, k: Any, given: Sequence[Any]) -> Sequence[Any]:
    with quiet():
        return function.compute(k, *given)


def _rows(array: Any, entries: np.ndarray | None) -> np.ndarray:
    """Return a result as one row of entries for each point, or one row where it is the same for all."""
    flat = np.asarray(array).reshape(len(array), -1)
    return flat if entries is None else flat[:, entries]


def _constant(name: str, array: np.ndarray, dtype: np.dtype) -> Buffer:
    return Buffer(name, array.size, "table", np.asarray(array).astype(dtype).ravel())
