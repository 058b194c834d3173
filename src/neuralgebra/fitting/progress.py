"""What a person sees of a run: a bar in a terminal, a line now and then in a log, nothing on standard output."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from neuralgebra.errors import UsageError, shown

__all__ = ["Display", "Extent", "Round", "display"]

LINES = 10.0
"""Seconds between lines in a log."""


@dataclass(frozen=True)
class Round:
    """What a callback is told of each round.

    Parameters
    ----------
    round : int
        Which round of its restart; 0 is the start.
    loss : float
        The loss after it.
    best : float
        The best loss of all restarts so far, the validation loss if there is one.
    seconds : float
        Since the run began, earlier parts of a resumed run included.
    restart : int
        Which restart, from 0.
    validation : float
        The validation loss, NaN if there is none.
    """

    round: int
    loss: float
    best: float
    seconds: float
    restart: int = 0
    validation: float = math.nan


@dataclass(frozen=True)
class Extent:
    """How much there is to do, as far as that is known.

    Parameters
    ----------
    restarts : int
        How many restarts.
    rounds : int, optional
        The most rounds of each.
    seconds : float, optional
        The most seconds of all.
    """

    restarts: int = 1
    rounds: int | None = None
    seconds: float | None = None

    def done(self, rounds: int, seconds: float) -> float | None:
        """Return which part of the run is over after so many rounds of all restarts, or None if that is not known."""
        parts = []
        if self.rounds is not None:
            parts.append(rounds / max(1, self.restarts * self.rounds))
        if self.seconds is not None:
            parts.append(seconds / self.seconds)
        return min(1.0, max(parts)) if parts else None

    def words(self, now: Round) -> str:
        """Return a round in words."""
        of = "" if self.rounds is None else f" of {self.rounds}"
        restart = "" if self.restarts == 1 else f", restart {now.restart + 1} of {self.restarts}"
        held = "" if math.isnan(now.validation) else f", validation {now.validation:.3e}"
        return f"round {now.round}{of}{restart}: loss {now.loss:.3e}{held}, best {now.best:.3e}"


class Display(Protocol):
    """Shows a run."""

    def show(self, now: Round, done: float | None) -> None:
        """Show a round, and which part of the run is over, if that is known."""

    def say(self, text: str) -> None:
        """Show a remark."""

    def end(self, text: str) -> None:
        """Show how it ended."""


@contextlib.contextmanager
def display(progress: bool | Literal["auto"], extent: Extent) -> Iterator[Display]:
    """Give what shows a run.

    Parameters
    ----------
    progress : bool or "auto"
        False: silence. True and "auto": a bar if standard error is a terminal, else a line now and then; with "auto"
        none for a run that is over before the first.
    extent : Extent
        How much there is to do.
    """
    if progress not in (True, False, "auto"):
        raise UsageError(f'progress={shown(repr(progress))} received; True, False or "auto" expected.')
    if not progress or sys.stderr is None:
        yield _Silence()
        return
    console = Console(stderr=True)
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        yield _Lines(extent, always=progress is True)
        return
    words, left = (TextColumn(f"{{task.{name}}}", markup=False) for name in ("description", "fields[left]"))
    columns = (words, BarColumn(16), TimeElapsedColumn(), left)
    shared = bool(sys.stdout and sys.stdout.isatty())  # then what is printed meanwhile goes above the bar
    with Progress(*columns, console=console, transient=True, redirect_stdout=shared) as bar:
        yield _Bar(bar, extent)


class _Silence:
    def show(self, now: Round, done: float | None) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def end(self, text: str) -> None:
        pass


class _Lines:
    """Plain lines; a log that cannot be written is no reason to end a run."""

    def __init__(self, extent: Extent, always: bool) -> None:
        self.extent, self.always = extent, always
        self.next, self.spoken = time.monotonic() + LINES, False
        self.last: Round | None = None

    def show(self, now: Round, done: float | None) -> None:
        self.last = now
        if time.monotonic() >= self.next:
            self.next = time.monotonic() + LINES
            left = _left(now.seconds, done)
            self.say(f"{self.extent.words(now)}, {now.seconds:.0f} s{', ' + left if left else ''}")

    def say(self, text: str) -> None:
        self.spoken = True
        with contextlib.suppress(OSError, ValueError):
            print(text, file=sys.stderr, flush=True)

    def end(self, text: str) -> None:
        if self.always or self.spoken or time.monotonic() >= self.next:  # who waits a moment needs no log of it
            self.say(text)


class _Bar:
    def __init__(self, bar: Progress, extent: Extent) -> None:
        self.bar, self.extent = bar, extent
        self.task: Any = bar.add_task("", total=None, left="")

    def show(self, now: Round, done: float | None) -> None:
        total = None if done is None else 1.0
        self.bar.update(
            self.task,
            description=self.extent.words(now),
            completed=done or 0.0,
            total=total,
            left=_left(now.seconds, done),
        )

    def say(self, text: str) -> None:
        self.bar.console.print(text, markup=False, highlight=False)

    def end(self, text: str) -> None:
        self.say(text)


def _left(seconds: float, done: float | None) -> str:
    """Return how long it may still take, in words."""
    if not done or seconds < 1:
        return ""
    return f"about {seconds * (1 / done - 1):.0f} s left at most"
