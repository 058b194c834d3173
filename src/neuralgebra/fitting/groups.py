"""Rows with one operator: at each point, what P(∂)f is known to be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuralgebra.errors import InputError, ShapeError, UsageError, shown
from neuralgebra.fitting.operators import Operator

__all__ = ["Group"]

_BOUNDS = {0: "", 1: ", at least", -1: ", at most"}


@dataclass(frozen=True, eq=False)
class Group:
    """Rows with one operator; the arrays are not copied.

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

    Raises
    ------
    ShapeError
        When shapes do not fit.
    InputError
        For infinity, NaN in points, directions or weights, weights below 0 or of what is not known.
    """

    operator: Operator
    points: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    directions: np.ndarray | None = None
    deviations: bool = False
    bound: int = 0

    def __post_init__(self) -> None:
        if self.bound not in _BOUNDS:
            raise UsageError(
                f"bound={shown(repr(self.bound))} received; 1 for lower bounds, -1 for upper bounds, 0 expected."
            )
        if bool(self.operator.along) != (self.directions is not None):
            raise UsageError("directions and a derivative along them expected, or neither.")
        self._check_shapes()
        self._check_numbers()

    def _check_shapes(self) -> None:
        shapes = [self.points.shape, self.values.shape, self.weights.shape]
        aside = self.points.shape if self.directions is None else self.directions.shape
        fit = [len(shape) for shape in shapes] == [2, 2, 2] and shapes[0][0] == shapes[1][0]
        if not fit or shapes[1] != shapes[2] or aside != shapes[0]:
            found = ", ".join(map(str, [*shapes, *([] if self.directions is None else [aside])]))
            raise ShapeError(
                f"points, values, weights and directions of shape {found} received; (N, n), (N, m), (N, m) and (N, n) "
                "expected."
            )
        if self.operator.inputs > shapes[0][1]:
            raise InputError(f"a derivative by input {self.operator.inputs} of {shapes[0][1]} received.")

    def _check_numbers(self) -> None:
        if not np.isfinite(self.points).all() or np.isinf(self.values).any():
            raise InputError("points or values that are not finite received; finite ones expected, NaN for no value.")
        if self.directions is not None and not np.isfinite(self.directions).all():
            raise InputError("directions that are not finite received; finite ones expected.")
        if not (np.isfinite(self.weights) & (self.weights >= 0)).all() or (self.weights[~self.known] != 0).any():
            raise InputError("weights below 0, not finite or of unknown values received; 0 or more expected.")

    @property
    def known(self) -> np.ndarray:
        """Whether each value is known, (N, m)."""
        known: np.ndarray = ~np.isnan(self.values)
        return known

    def kind(self, inputs: tuple[str, ...]) -> str:
        """Return what people call it: the name of the operator, and that values are bounds."""
        return self.operator.kind(inputs) + _BOUNDS[self.bound]

    def frozen(self) -> Group:
        """Make the arrays read-only and return the group."""
        for array in (self.points, self.values, self.weights, self.directions):
            if array is not None:
                array.flags.writeable = False
        return self

    def chosen(self, at: np.ndarray, points: np.ndarray | None = None) -> Group:
        """Return some of the rows; their points may be given, so that groups share them.

        Parameters
        ----------
        at : ndarray
            The rows, by their places.
        points : ndarray, optional
            `self.points[at]`.
        """
        directions = None if self.directions is None else self.directions[at]
        points = self.points[at] if points is None else points
        return replace(self, points=points, values=self.values[at], weights=self.weights[at], directions=directions)
