"""How a fit runs: rounds until the end, restarts beside each other, the best point kept, checkpoints, Ctrl-C.

Each restart is a deterministic function of problem, solver, seed and starting point. Who computes it, in which slices,
and how often it was saved and resumed changes no bit of it; only a limit of seconds, an interrupt or a callback, which
end it at some moment, do.
"""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Literal

import numpy as np

from neuralgebra.calculus.run import single_threaded
from neuralgebra.errors import InputError, ResourceError, ShapeError, UsageError, shown
from neuralgebra.fitting.checkpoints import Folder, Vault, fingerprint, opened, versions
from neuralgebra.fitting.progress import Display, Extent, Round, display
from neuralgebra.fitting.restarts import Job, Restart, Row, Search, Start, packed, unpacked
from neuralgebra.fitting.signals import caught
from neuralgebra.fitting.solver import Problem, Solver, State
from neuralgebra.fitting.workers import Crew, crew

__all__ = ["Ending", "Outcome", "run"]


@dataclass(frozen=True)
class Ending:
    """How one restart ended.

    Parameters
    ----------
    restart : int
        Which one.
    loss, validation : float
        The losses at its best point; `validation` is NaN if there is none.
    rounds : int
        How many it had.
    reason : str
        Why it ended; empty if it was cut off.
    """

    restart: int
    loss: float
    validation: float
    rounds: int
    reason: str


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found.

    Parameters
    ----------
    theta : ndarray
        The best point of the best restart, (P,).
    loss, validation : float
        The losses there; `validation` is NaN if there is none.
    round : int
        The round that it was found in.
    history : ndarray
        Of the best restart: round, its seconds of computing, loss, validation loss, (K, 4).
    reason : str
        Why the run ended.
    restart : int
        The best restart, from 0; of equally good ones the first.
    seconds : float
        How long the run took, earlier parts of a resumed run included.
    evaluations : int
        Of the loss, in all restarts.
    warnings : tuple of str
        What should be known of the run.
    stopped : bool
        Whether it was interrupted, by a signal or by the callback.
    saved : bool
        Whether the folder holds all of it; False without a folder.
    restarts : tuple of Ending
        How each restart ended.
    state : mapping of str to ndarray
        What the solver of the best restart remembers.
    """

    theta: np.ndarray
    loss: float
    validation: float
    round: int
    history: np.ndarray
    reason: str
    restart: int
    seconds: float
    evaluations: int
    warnings: tuple[str, ...]
    stopped: bool
    saved: bool
    restarts: tuple[Ending, ...]
    state: State


def run(
    problem: Problem,
    solver: Solver,
    starts: np.ndarray | Sequence[np.ndarray],
    *,
    seed: int = 0,
    workers: int = 1,
    validation: Problem | None = None,
    patience: int = 20,
    rounds: int | None = None,
    seconds: float | None = None,
    folder: Folder | None = None,
    callback: Callable[[Round], object] | None = None,
    progress: bool | Literal["auto"] = "auto",
    signals: Sequence[int] = (signal.SIGINT,),
) -> Outcome:
    """Return the best point that a solver finds from some starting points.

    Parameters
    ----------
    problem : Problem
        Whose loss is to be small.
    solver : Solver
        How.
    starts : array_like
        Starting points, (R, P), one for each restart.
    seed : int
        Of all random numbers.
    workers : int
        Over how many processes the restarts are spread; the result is the same bits for any number.
    validation : Problem, optional
        Whose loss decides which point is best, and when to stop early.
    patience : int
        A restart ends after so many rounds without a better validation loss.
    rounds : int, optional
        The most rounds of a restart.
    seconds : float, optional
        When to stop. A run that is ended by it may end elsewhere the next time, and says so.
    folder : Folder, optional
        Where to keep the run. One that was kept there goes on; both limits count from its first beginning.
    callback : callable, optional
        Called with a `Round` after each; the run stops if it returns True. Several workers report about twice a second.
    progress : bool or "auto"
        Whether to show the run on standard error.
    signals : sequence of int
        What ends the run in good order, in the main thread only: the first one after the present rounds, with a
        checkpoint; after that they do what they did before.

    Returns
    -------
    Outcome
        The point and how it was found.

    Raises
    ------
    InputError
        When the folder keeps another run, or one of other versions.
    OutputError
        When another run uses the folder, or nothing can be written there.
    KeyboardInterrupt
        At a second Ctrl-C, and at the first one before anything was computed.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> class Square:
    ...     size, rows, bounds = 2, 2, (np.full(2, -np.inf), np.full(2, np.inf))
    ...     def loss(self, theta):
    ...         return float(theta @ theta) / 2
    >>> @dataclass(frozen=True)
    ... class Halving:
    ...     name = "halving"
    ...     def start(self, problem, theta, rng):
    ...         zero = np.array(0)
    ...         return {"theta": theta, "loss": np.array(problem.loss(theta)), "rounds": zero, "evaluations": zero}
    ...     def step(self, problem, state, rng):
    ...         return self.start(problem, state["theta"] / 2, rng) | {"rounds": state["rounds"] + 1}
    ...     def finished(self, state):
    ...         return "converged: small" if state["loss"] < 1e-6 else None
    >>> outcome = run(Square(), Halving(), [[1.0, 2.0], [3.0, 4.0]], progress=False)
    >>> outcome.restart, outcome.reason, outcome.history.shape
    (0, 'converged: small', (12, 4))
    """
    points = _points(starts, problem)
    for name, value, least in (("seed", seed, 0), ("workers", workers, 1), ("patience", patience, 1)):
        _check_whole(name, value, least)
    _check_limits(rounds, seconds)
    search = Search(problem, solver, int(seed), validation, patience, rounds)
    extent = Extent(len(points), rounds, seconds)
    with contextlib.ExitStack() as stack:
        vault = stack.enter_context(opened(folder, _identity(search, points, folder))) if folder else None
        shown_by = stack.enter_context(display(progress, extent))
        signalled = stack.enter_context(caught(signals))
        lead = _Run(search, points, extent, vault, shown_by, callback, signalled)
        stack.enter_context(single_threaded())
        found = lead.outcome(stack.enter_context(crew(search, min(workers, len(points)))))
    return replace(found, stopped=found.stopped or bool(signalled))  # no signal is lost that came in the last moment


def _points(starts: Any, problem: Problem) -> np.ndarray:
    points = np.array(starts, np.float64)
    if points.ndim != 2 or points.shape[1] != problem.size or not len(points):
        raise ShapeError(f"starts of shape {points.shape} received; (restarts, {problem.size}) expected.")
    return points


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise UsageError(f"{name}={shown(repr(value))} received; a whole number, at least {least}, expected.")


def _check_limits(rounds: int | None, seconds: float | None) -> None:
    if rounds is not None:
        _check_whole("rounds", rounds, 1)
    if seconds is not None and not seconds > 0:
        raise UsageError(f"seconds={shown(repr(seconds))} received; a number of seconds, more than 0, expected.")


def _identity(search: Search, points: np.ndarray, folder: Folder) -> dict[str, str]:
    """Return all that must be the same for a run to go on with the same bits."""
    solver = search.solver
    names: list[str] = [f.name for f in fields(solver)] if is_dataclass(solver) else []
    return {
        "data": folder.data,
        "solver": solver.name,
        **{f"{solver.name}.{name}": _text(getattr(solver, name)) for name in names},
        **{name: _text(value) for name, value in folder.about.items()},
        "seed": str(search.seed),
        "restarts": str(len(points)),
        "numbers sought": str(search.problem.size),
        "starting points": fingerprint(points),
        "validation": "no" if search.validation is None else f"patience {search.patience}",
        **versions(),
    }


def _text(value: object) -> str:
    if isinstance(value, np.ndarray):
        return fingerprint(value)
    return str(value.item()) if isinstance(value, np.generic) else str(value)


def _by_restart(arrays: Mapping[str, np.ndarray], restarts: int) -> dict[int, dict[str, np.ndarray]]:
    """Return the arrays of a checkpoint by restart and by name."""
    names = {name: name.partition(".") for name in arrays}
    numbers = {str(number): number for number in range(restarts)}
    if unknown := next((name for name, (head, *_) in names.items() if head not in numbers), None):
        raise InputError(f"a checkpoint with {shown(unknown)} received; arrays of {restarts} restarts expected.")
    found: dict[int, dict[str, np.ndarray]] = {}
    for name, (head, _, rest) in sorted(names.items(), key=lambda item: numbers[item[1][0]]):
        found.setdefault(numbers[head], {})[rest] = arrays[name]
    return found


# The run ----------------------------------------------------------------------------------------------------------


class _Run:
    """What is known of all restarts while they are computed."""

    def __init__(
        self,
        search: Search,
        points: np.ndarray,
        extent: Extent,
        vault: Vault | None,
        shown_by: Display,
        callback: Callable[[Round], object] | None,
        signalled: list[str],
    ) -> None:
        self.search, self.points, self.extent = search, points, extent
        self.vault, self.display, self.callback, self.signalled = vault, shown_by, callback, signalled
        self.restarts: dict[int, Restart] = {}
        self.rows: dict[int, list[Row]] = {}
        self.best = math.inf
        self.said = 0
        self.called_off = self.saved = False
        self.before = 0.0
        self.begun = time.monotonic()
        if vault is not None:
            self._resume(vault)
        self.due = time.monotonic() + (vault.folder.interval if vault else math.inf)

    # Going on

    def _resume(self, vault: Vault) -> None:
        checkpoint = vault.load()
        if checkpoint is None:
            return
        for number, arrays in _by_restart(checkpoint.arrays, len(self.points)).items():
            self.restarts[number], self.rows[number] = unpacked(number, arrays, self.points.shape[1])
        self.best = min((self._judged(row) for rows in self.rows.values() for row in rows), default=math.inf)
        self.before = float(checkpoint.head["seconds"])
        self.saved = True
        self._remarks()
        self.display.say(f"goes on after {self._total_rounds()} rounds, {self.before:.0f} s")

    def _keep(self) -> None:
        """Write a checkpoint and the best network."""
        if self.vault is None or not self.restarts:
            return
        if not self.saved:
            self.saved = self.vault.save({"seconds": self.seconds}, self._arrays())
        best = self._winner()
        self.vault.save_best((best.number, best.round), best.theta)
        self._remarks()
        self.due = time.monotonic() + self.vault.folder.interval

    def _arrays(self) -> dict[str, np.ndarray]:
        named = {number: packed(restart, self.rows[number]) for number, restart in sorted(self.restarts.items())}
        return {f"{number}.{name}": array for number, arrays in named.items() for name, array in arrays.items()}

    def _remarks(self) -> None:
        """Show what the folder has to say, once."""
        texts = self.vault.warnings if self.vault else []
        for text in texts[self.said :]:
            self.display.say(text)
        self.said = len(texts)

    # Rounds

    @property
    def seconds(self) -> float:
        """Return how long the run has taken, earlier parts included."""
        return self.before + time.monotonic() - self.begun

    @property
    def _left(self) -> float:
        return math.inf if self.extent.seconds is None else self.extent.seconds - self.seconds

    def _halted(self) -> bool:
        return bool(self.signalled) or self.called_off or (self._left <= 0 and bool(self.restarts))

    def outcome(self, workers: Crew) -> Outcome:
        """Compute until the end, and return it."""
        try:
            self._compute(workers)
        except Exception:
            self._keep()
            raise
        if not self.restarts:
            raise KeyboardInterrupt
        self.saved = self.saved and self._left > 0  # that the limit is reached has to be saved too
        self._keep()
        found = self._outcome()
        self.display.end(f"{found.reason}; best {found.loss:.6e} of round {found.round}, {found.seconds:.1f} s")
        return found

    def _compute(self, workers: Crew) -> None:
        """Give each restart some rounds in turn, until all have ended or there is a reason to stop."""
        jobs = [self.restarts.get(number, Start(number, point)) for number, point in enumerate(self.points)]
        waiting = deque(job for job in jobs if not self._ended(job))
        while True:
            while waiting and workers.free and not self._halted():
                workers.send(waiting.popleft(), max(0.0, self._left))
            if not workers.away:
                return
            for restart, rows in self._received(workers):
                self._take(restart, rows)
                waiting.extend([] if self._ended(restart) else [restart])
            if time.monotonic() >= self.due:
                self._keep()

    def _received(self, workers: Crew) -> list[tuple[Restart, list[Row]]]:
        try:
            return workers.receive()
        except ResourceError:
            if self.signalled:  # what ends this process may have ended its workers too
                return []
            raise

    def _ended(self, job: Job) -> str | None:
        return None if isinstance(job, Start) else self.search.ended(job)

    def _take(self, restart: Restart, rows: list[Row]) -> None:
        """Remember and show what a restart has come to."""
        self.restarts[restart.number] = restart
        self.rows.setdefault(restart.number, []).extend(rows)
        self.saved = self.saved and not rows
        done = self.extent.done(self._total_rounds(), self.seconds)
        for row in rows:
            judged = self._judged(row)
            self.best = judged if judged < self.best else self.best
            now = Round(row[0], row[2], self.best, self.seconds, restart.number, row[3])
            self.display.show(now, done)
            self.called_off |= self.callback is not None and _is_true(self.callback(now))

    def _judged(self, row: Row) -> float:
        loss = row[3] if self.search.validation is not None else row[2]
        return loss if math.isfinite(loss) else math.inf

    def _total_rounds(self) -> int:
        return sum(restart.rounds for restart in self.restarts.values())

    # The end

    def _winner(self) -> Restart:
        validated = self.search.validation is not None
        return min(self.restarts.values(), key=lambda restart: restart.key(validated))

    def _outcome(self) -> Outcome:
        best = self._winner()
        stopped = bool(self.signalled) or self.called_off
        return Outcome(
            _fixed(best.theta),
            best.loss,
            best.validation,
            best.round,
            _fixed(np.array(self.rows[best.number], np.float64)),
            self._reason(best, stopped),
            best.number,
            self.seconds,
            sum(int(restart.state["evaluations"]) for restart in self.restarts.values()),
            tuple(self._warnings()),
            stopped,
            self.saved,
            tuple(self._endings()),
            best.state,
        )

    def _reason(self, best: Restart, stopped: bool) -> str:
        if stopped:
            by = self.signalled[0] if self.signalled else "the callback"
            return f"interrupted by {by} after round {best.rounds}"
        if self._cut():
            return f"stopped after {self.extent.seconds:g} s, in round {best.rounds}"
        return self.search.ended(best) or ""

    def _cut(self) -> bool:
        """Return whether a restart has not come to its own end."""
        return len(self.restarts) < len(self.points) or not all(map(self.search.ended, self.restarts.values()))

    def _endings(self) -> Iterator[Ending]:
        for number, restart in sorted(self.restarts.items()):
            reason = self.search.ended(restart) or ""
            yield Ending(number, restart.loss, restart.validation, restart.rounds, reason)

    def _warnings(self) -> Iterator[str]:
        yield from self.vault.warnings if self.vault else ()
        for ending in self._endings():
            if ending.reason.startswith("diverged"):
                kept = self.restarts[ending.restart].round
                yield f"restart {ending.restart} {ending.reason}; its best point, of round {kept}, is kept"
        if self._left <= 0 and self._cut():
            yield "a limit of seconds ended the run: the next one may end elsewhere"
        if unbegun := len(self.points) - len(self.restarts):
            yield f"{unbegun} of {len(self.points)} restarts were not begun"


def _is_true(answer: object) -> bool:
    return isinstance(answer, bool | np.bool_) and bool(answer)


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
