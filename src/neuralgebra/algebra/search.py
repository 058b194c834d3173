"""Branch and bound: the largest values of functions on a box, between values that are attained and proven bounds.

The boxes with the largest bounds are halved, many at once, along the input on which the bound depends most, until the
bounds are close to the largest values that were seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neuralgebra.arithmetic.arrays import quiet
from neuralgebra.network.box import Box

__all__ = ["Bounding", "Found", "Goal", "search"]

Bounding = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Boxes (low, high), each (boxes, n) -> what each function does not exceed there, (boxes, functions), and how that
bound changes with each input, (boxes, functions, n)."""

_BATCH = 32  # boxes that are halved at once


@dataclass(frozen=True)
class Goal:
    """When a search is over.

    Parameters
    ----------
    close : callable
        Largest values seen, (functions,) -> how far the bounds may be above them.
    boxes : int
        Most boxes to be bounded.
    level : float
        Boxes on which no function is above it are done.
    refutes : callable, optional
        (point, function) -> whether a value above the level is proven there; then the search is over.
    """

    close: Callable[[np.ndarray], np.ndarray]
    boxes: int
    level: float = -np.inf
    refutes: Callable[[np.ndarray, int], bool] | None = None


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Parameters
    ----------
    upper : ndarray, shape (functions,)
        Proven: no value on the box is larger.
    value : ndarray, shape (functions,)
        The largest values seen, in floating point.
    points : ndarray, shape (functions, n)
        Where.
    low, high : ndarray, shape (remaining, n)
        The boxes of which a bound is not close enough.
    refuted : bool
        Whether a value above the level is proven, at the point of the function whose value is largest.
    boxes : int
        How many were bounded.
    """

    upper: np.ndarray
    value: np.ndarray
    points: np.ndarray
    low: np.ndarray
    high: np.ndarray
    refuted: bool
    boxes: int


@dataclass(frozen=True)
class _Open:
    """Boxes with what is proven on them."""

    low: np.ndarray
    high: np.ndarray
    upper: np.ndarray
    slopes: np.ndarray

    def __getitem__(self, chosen: np.ndarray | slice) -> _Open:
        return _Open(self.low[chosen], self.high[chosen], self.upper[chosen], self.slopes[chosen])

    def __add__(self, other: _Open) -> _Open:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return _Open(*(np.concatenate(pair) for pair in pairs))

    def corners(self) -> np.ndarray:
        """Return where the bounds are largest, (boxes · functions, n)."""
        chosen = np.where(self.slopes > 0, self.high[:, None], self.low[:, None])
        return np.asarray(chosen).reshape(-1, self.low.shape[1])

    def cuts(self, leading: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return along which input the bound of the leading function depends most, and the middle of its range."""
        rows, width = np.arange(len(self.low)), self.high - self.low
        gain = np.nan_to_num(abs(self.slopes[rows, leading]) * width)
        relative = width / np.maximum(width.max(axis=1, keepdims=True), 1e-300)
        along = np.argmax(gain + (1e-3 * gain.max(axis=1, keepdims=True) + 1e-300) * relative, axis=1)
        return along, self.low[rows, along] / 2 + self.high[rows, along] / 2

    def halves(self, along: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the halves of all boxes."""
        rows = np.arange(len(self.low))
        low, high = np.concatenate([self.low] * 2), np.concatenate([self.high] * 2)
        high[rows, along] = middle
        low[len(rows) + rows, along] = middle
        return low, high


def search(bounding: Bounding, values: Callable[[np.ndarray], np.ndarray], box: Box, goal: Goal) -> Found:
    """Return proven bounds of the largest values on a box.

    Parameters
    ----------
    bounding : callable
        Proven bounds on boxes.
    values : callable
        Values at points, (points, n) -> (points, functions).
    box : Box
        Where.
    goal : Goal
        When the search is over.

    Returns
    -------
    Found
        The bounds, the largest values seen, and what remains.
    """
    with quiet():
        return _Search(bounding, values, goal).run(box)


class _Search:
    """The open boxes, and the best points so far."""

    def __init__(self, bounding: Bounding, values: Callable[[np.ndarray], np.ndarray], goal: Goal) -> None:
        self.bounding, self.values, self.goal = bounding, values, goal
        self.boxes, self.refuted = 0, False

    def run(self, box: Box) -> Found:
        low, high = np.array(box.low)[None], np.array(box.high)[None]
        first = _Open(low, high, *self.bounding(low, high))
        self.best, self.done = np.full((2, first.upper.shape[1]), -np.inf)
        self.points = np.repeat(low, len(self.best), axis=0)
        self._look(first)
        waiting, stuck = self._remaining(first), first[:0]
        while len(waiting.low) and self.boxes < self.goal.boxes and not self.refuted:
            excess = waiting.upper - self._enough()
            order = np.argsort(-(excess / self._scale(excess)).max(axis=1), kind="stable")
            small, halves = self._halved(waiting[order[:_BATCH]], excess[order[:_BATCH]].argmax(axis=1))
            stuck, waiting = stuck + small, self._remaining(waiting[order[_BATCH:]] + halves)
        waiting = waiting + stuck
        upper = np.maximum(self.done, waiting.upper.max(axis=0, initial=-np.inf))
        return Found(upper, self.best, self.points, waiting.low, waiting.high, self.refuted, self.boxes)

    def _halved(self, boxes: _Open, leading: np.ndarray) -> tuple[_Open, _Open]:
        """Return the boxes that are too small to be halved, and the halves of all others."""
        along, middle = boxes.cuts(leading)
        rows = np.arange(len(along))
        small = (middle <= boxes.low[rows, along]) | (middle >= boxes.high[rows, along])
        if small.all():
            return boxes, boxes[:0]
        low, high = boxes[~small].halves(along[~small], middle[~small])
        halves = _Open(low, high, *self.bounding(low, high))
        self._look(halves)
        return boxes[small], halves

    def _look(self, boxes: _Open) -> None:
        """Look at the middles and corners of boxes."""
        self.boxes += len(boxes.low)
        points = np.concatenate([boxes.low / 2 + boxes.high / 2, boxes.corners()])
        values = np.nan_to_num(self.values(points), nan=-np.inf, posinf=-np.inf)
        rows, functions = values.argmax(axis=0), np.arange(len(self.best))
        better = values[rows, functions] > self.best
        self.best = np.where(better, values[rows, functions], self.best)
        self.points = np.where(better[:, None], points[rows], self.points)
        if self.goal.refutes is not None and better.any():
            worst = int(self.best.argmax())
            self.refuted = self.best[worst] > self.goal.level and self.goal.refutes(self.points[worst], worst)

    def _enough(self) -> np.ndarray:
        """Return up to where bounds are of no further interest."""
        return np.asarray(np.maximum(self.goal.level, self.best + self.goal.close(self.best)))

    def _scale(self, excess: np.ndarray) -> np.ndarray:
        """Return by what the excess of each function is measured: by the largest."""
        return np.asarray(np.maximum(np.where(np.isfinite(excess), excess, 0.0).max(axis=0), 1e-300))

    def _remaining(self, boxes: _Open) -> _Open:
        """Drop the boxes that are done."""
        done: np.ndarray = np.all(boxes.upper <= self._enough(), axis=1)
        self.done = np.maximum(self.done, boxes.upper[done].max(axis=0, initial=-np.inf))
        return boxes[~done]
