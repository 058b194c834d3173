"""What a solver is, what it solves, and the random numbers of its rounds.

A solver remembers nothing: all it knows is in a state of plain arrays, and a round is a pure function of the state and
of the round's random numbers. A run that goes on from a saved state therefore ends with the same bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from neuralgebra.errors import UsageError, shown

__all__ = ["FOLDS", "SPLIT", "STARTS", "Problem", "Solver", "State", "generator", "state"]

State = Mapping[str, np.ndarray]
"""Everything a solver remembers, arrays of float64, float32, int64 or bool only, numbers with shape ().

Always there: ``theta``, (P,) float64, the point the solver stands for; ``loss``, its loss; ``rounds`` and
``evaluations`` so far. Perhaps ``current``, the present loss of a solver whose ``theta`` is its best point, and
``score``, by which points are compared in place of the loss.
"""


STARTS, FOLDS, SPLIT = 1 << 20, 1 << 21, 1 << 22
"""Rounds that no run reaches: their random numbers make starts, folds, and what is held back, each its own."""


class Problem(Protocol):
    """A loss of P numbers θ that is to be small."""

    @property
    def size(self) -> int:
        """How many numbers are sought, P."""

    @property
    def rows(self) -> int:
        """How many numbers are compared with data."""

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest θ, (P,) each, infinite where there is none."""

    def loss(self, theta: np.ndarray) -> float:
        """Return the loss of θ, (P,)."""

    def gradient(self, theta: np.ndarray, chosen: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Return loss and gradient, (P,), of all data or of a chosen minibatch."""

    def normal(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the loss, JᵀJ and Jᵀr of residuals r and their Jacobian J."""

    def losses(self, thetas: np.ndarray) -> np.ndarray:
        """Return the losses of many θ, (S, P) -> (S,), computed at once and in their dtype."""


class Solver(Protocol):
    """A way to make a loss small: a frozen dataclass of options."""

    @property
    def name(self) -> str:
        """How people call it."""

    def start(self, problem: Problem, theta: np.ndarray, rng: np.random.Generator) -> State:
        """Return the state before the first round, from where the search begins, (P,)."""

    def step(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state after one more round."""

    def finished(self, state: State) -> str | None:
        """Return why there is nothing more to do, in words, or None."""


def state(theta: np.ndarray, loss: float, before: State | None = None, evaluations: int = 1, **others: Any) -> State:
    """Return a state: what every solver remembers, counted on from the one before, and what is its own."""
    rounds = 0 if before is None else int(before["rounds"]) + 1
    total = evaluations + (0 if before is None else int(before["evaluations"]))
    common = {"theta": theta, "loss": float(loss), "rounds": rounds, "evaluations": total}
    return {name: np.array(value) for name, value in {**common, **others}.items()}


def generator(seed: int, restart: int, round: int) -> np.random.Generator:
    """Return the random numbers of one round: a function of these three numbers alone.

    Parameters
    ----------
    seed : int
        The seed of the fit, from 0 to 2⁶⁴ - 1.
    restart : int
        Which restart, from 0 to 2³² - 1.
    round : int
        Which round, from 0 to 2³² - 1.

    Examples
    --------
    >>> bool(generator(7, 0, 3).random() == generator(7, 0, 3).random())
    True
    """
    for name, number, bits in (("seed", seed, 64), ("restart", restart, 32), ("round", round, 32)):
        if not 0 <= number < 2**bits:
            raise UsageError(f"{name}={shown(number)} received; a whole number from 0 to 2**{bits} - 1 expected.")
    return np.random.Generator(np.random.Philox(key=int(seed) + (int(restart) << 64) + (int(round) << 96)))
