"""One restart: rounds of a solver from one starting point, a deterministic function that knows of no other restart."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuralgebra.errors import InputError
from neuralgebra.fitting.solver import Problem, Solver, State, generator

__all__ = ["Job", "Restart", "Row", "Search", "Start", "packed", "unpacked"]

Row = tuple[int, float, float, float]
"""Round, seconds of computing until then, loss, validation loss (NaN if there is none)."""

GROWTH = 1e6
"""A loss that is so many times that of the start, and of θ = 0, will not come back."""


@dataclass(frozen=True, eq=False)
class Start:
    """A restart before its first round.

    Parameters
    ----------
    number : int
        Which restart it is.
    theta : ndarray
        Where it begins, (P,).
    """

    number: int
    theta: np.ndarray


@dataclass(frozen=True, eq=False)
class Restart:
    """A restart after some rounds.

    Parameters
    ----------
    number : int
        Which it is.
    state : mapping of str to ndarray
        What its solver remembers.
    theta : ndarray
        Its best point so far, (P,).
    loss : float
        The loss there.
    score : float
        What points are compared by: the loss, unless the solver has better.
    validation : float
        The validation loss there, NaN if there is none.
    round : int
        When it was found.
    scale : float
        What a loss is measured by that grows: the larger one of those of the start and of θ = 0.
    seconds : float
        How long it has computed.
    """

    number: int
    state: State
    theta: np.ndarray
    loss: float
    score: float
    validation: float
    round: int
    scale: float
    seconds: float

    @property
    def rounds(self) -> int:
        """How many rounds are done."""
        return int(self.state["rounds"])

    def key(self, validated: bool) -> tuple[float, int]:
        """Return what the best of several restarts is the least in: its loss, then its number."""
        return _finite(self.validation if validated else self.score), self.number


Job = Start | Restart


@dataclass(frozen=True)
class Search:
    """What all restarts share.

    Parameters
    ----------
    problem : Problem
        Whose loss is to be small.
    solver : Solver
        How it is made small.
    seed : int
        Of all random numbers.
    validation : Problem, optional
        Whose loss decides which point is best.
    patience : int
        A restart ends after so many rounds without a better validation loss.
    rounds : int, optional
        How many rounds a restart has at most.
    """

    problem: Problem
    solver: Solver
    seed: int = 0
    validation: Problem | None = None
    patience: int = 20
    rounds: int | None = None

    def advance(self, job: Job, seconds: float = 0.0) -> tuple[Restart, list[Row]]:
        """Return a restart after more rounds, as many as begin within some seconds, at least one, and their rows."""
        begun = time.perf_counter()
        with np.errstate(all="ignore"):  # a search that diverges says so by its reason
            restart, rows = self._begin(job) if isinstance(job, Start) else (job, [])
            while self.ended(restart) is None and not (rows and time.perf_counter() - begun > seconds):
                restart, row = self._round(restart)
                rows.append(row)
        return restart, rows

    def ended(self, restart: Restart) -> str | None:
        """Return why a restart does not go on, or None."""
        return (
            self._diverged(restart)
            or self.solver.finished(restart.state)
            or self._out_of_patience(restart)
            or (f"{restart.rounds} rounds done" if self._all_rounds(restart) else None)
        )

    def _begin(self, start: Start) -> tuple[Restart, list[Row]]:
        begun = time.perf_counter()
        state = self.solver.start(self.problem, start.theta, generator(self.seed, start.number, 0))
        theta, loss, score, validation = self._point(state)
        zero = float(self.problem.loss(np.clip(np.zeros(len(theta)), *self.problem.bounds)))
        scale = max((x for x in (loss, zero) if math.isfinite(x)), default=math.inf)
        seconds = time.perf_counter() - begun
        restart = Restart(start.number, state, theta, loss, score, validation, 0, scale, seconds)
        return restart, [(0, seconds, loss, validation)]

    def _round(self, restart: Restart) -> tuple[Restart, Row]:
        begun = time.perf_counter()
        rng = generator(self.seed, restart.number, restart.rounds + 1)
        state = self.solver.step(self.problem, restart.state, rng)
        theta, loss, score, validation = self._point(state)
        seconds = restart.seconds + time.perf_counter() - begun
        after = replace(restart, state=state, seconds=seconds)
        better = replace(after, theta=theta, loss=loss, score=score, validation=validation, round=after.rounds)
        validated = self.validation is not None
        after = better if better.key(validated) < restart.key(validated) else after
        return after, (after.rounds, seconds, loss, validation)

    def _point(self, state: State) -> tuple[np.ndarray, float, float, float]:
        """Return a copy of the point that a state stands for, its loss, what it is judged by, its validation loss."""
        theta = np.array(state["theta"], np.float64)
        validation = math.nan if self.validation is None else float(self.validation.loss(theta))
        return theta, float(state["loss"]), float(state.get("score", state["loss"])), validation

    def _diverged(self, restart: Restart) -> str | None:
        state, place = restart.state, f"diverged in round {restart.rounds}"
        present = float(state.get("current", state["loss"]))  # a solver that stands for its best point tells both
        if math.isnan(present):
            return f"{place}: the loss is not a number"
        if broken := next((name for name, array in state.items() if _has_nan(array)), None):
            return f"{place}: {broken} holds what is not a number"
        if math.isinf(present) and math.isfinite(restart.loss):
            return f"{place}: the loss is infinite"
        if GROWTH * restart.scale < present < math.inf:
            return f"{place}: the loss has grown to {present:.3g}"
        return None

    def _out_of_patience(self, restart: Restart) -> str | None:
        waited = restart.rounds - restart.round
        if self.validation is None or waited < self.patience:
            return None
        return f"stopped early: no better validation loss in {waited} rounds, since round {restart.round}"

    def _all_rounds(self, restart: Restart) -> bool:
        return self.rounds is not None and restart.rounds >= self.rounds


def _has_nan(array: np.ndarray) -> bool:
    array = np.asarray(array)
    return array.dtype.kind == "f" and bool(np.isnan(array).any())


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


# As arrays --------------------------------------------------------------------------------------------------------

_NUMBERS = ("loss", "score", "validation", "scale", "seconds")


def packed(restart: Restart, rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Return a restart and its history as arrays by name."""
    numbers = {name: np.array(getattr(restart, name), np.float64) for name in _NUMBERS}
    state = {f"state.{name}": np.asarray(array) for name, array in restart.state.items()}
    history = np.array(rows, np.float64).reshape(-1, 4)
    return {"theta": restart.theta, "round": np.array(restart.round, np.int64), "history": history, **numbers, **state}


def unpacked(number: int, arrays: Mapping[str, np.ndarray], size: int) -> tuple[Restart, list[Row]]:
    """Return what `packed` was given; `size` is that of θ."""
    state = {name.removeprefix("state."): array for name, array in arrays.items() if name.startswith("state.")}
    try:
        for known in (arrays, state):
            if known["theta"].shape != (size,) or known["theta"].dtype != np.float64:
                raise ValueError(f"theta is {known['theta'].dtype} of shape {known['theta'].shape}")
        numbers = {name: float(arrays[name]) for name in _NUMBERS}
        counts = [int(state[name]) for name in ("rounds", "evaluations")]
        if min(counts) < 0 or "loss" not in state:
            raise ValueError(f"a state of {', '.join(state)}")
        rows = [(int(r), float(s), float(x), float(v)) for r, s, x, v in arrays["history"].reshape(-1, 4)]
        restart = Restart(number, state, arrays["theta"], round=int(arrays["round"]), **numbers)
    except (LookupError, TypeError, ValueError) as error:
        raise InputError(f"no state of a search with {size} numbers received ({error}).") from None
    return restart, rows
