"""Who computes the rounds: this process, or several beside each other. The results are the same bits."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import traceback
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from neuralgebra.calculus.run import single_threaded
from neuralgebra.errors import NeuralgebraError, ResourceError, UsageError, shown
from neuralgebra.fitting.restarts import Job, Restart, Row, Search

__all__ = ["Crew", "crew"]

SLICE = 0.5
"""Seconds that a process computes before it reports."""

Report = tuple[Restart, list[Row]]


class Crew(Protocol):
    """Takes jobs while it is free, and reports."""

    @property
    def free(self) -> bool:
        """Whether it takes one more job."""

    @property
    def away(self) -> bool:
        """Whether there is a job to wait for."""

    def send(self, job: Job, seconds: float) -> None:
        """Have some rounds of a restart computed, for about so many seconds at most."""

    def receive(self) -> list[Report]:
        """Wait, and return what is done."""


@contextlib.contextmanager
def crew(search: Search, workers: int) -> Iterator[Crew]:
    """Give a crew of some workers; in the end none of them is left.

    Parameters
    ----------
    search : Search
        What they compute.
    workers : int
        How many there are; 1 is this process itself.
    """
    if workers == 1 or multiprocessing.current_process().daemon:  # a daemon may not have processes
        yield _Alone(search)
        return
    processes = _Processes()
    try:
        processes.begin(search, workers)
        yield processes
    finally:
        processes.end()


class _Alone:
    """This process; it reports after each round."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.jobs: list[Job] = []

    @property
    def free(self) -> bool:
        return not self.jobs

    @property
    def away(self) -> bool:
        return bool(self.jobs)

    def send(self, job: Job, seconds: float) -> None:
        del seconds
        self.jobs.append(job)

    def receive(self) -> list[Report]:
        return [self.search.advance(self.jobs.pop())]


class _Processes:
    """Fresh processes, each at the other end of a pipe; a pipe that breaks tells each side that the other is gone."""

    def __init__(self) -> None:
        self.processes: dict[Connection, BaseProcess] = {}
        self.busy: dict[Connection, Job] = {}

    def begin(self, search: Search, workers: int) -> None:
        context = multiprocessing.get_context("spawn")
        with _without_interrupts():
            for _ in range(workers):
                here, there = context.Pipe()
                process = context.Process(target=_work, args=(there, search), daemon=True)
                try:
                    process.start()
                except (OSError, RuntimeError):
                    raise
                except Exception as error:  # what pickling says, in classes of its own
                    raise _not_sent(error) from None
                self.processes[here] = process
                there.close()

    @property
    def free(self) -> bool:
        return len(self.busy) < len(self.processes)

    @property
    def away(self) -> bool:
        return bool(self.busy)

    def send(self, job: Job, seconds: float) -> None:
        connection = next(c for c in self.processes if c not in self.busy)
        self.busy[connection] = job
        with contextlib.suppress(OSError):  # one that is dead is met when its report is read
            connection.send((job, min(seconds, SLICE)))

    def receive(self) -> list[Report]:
        ready = wait(list(self.busy))
        return [self._report(connection) for connection in list(self.busy) if connection in ready]

    def _report(self, connection: Connection) -> Report:
        job = self.busy.pop(connection)
        try:
            answer = connection.recv()
        except (EOFError, OSError):
            process = self.processes.pop(connection)
            process.join(1.0)
            raise _dead(process.exitcode, job.number) from None
        if isinstance(answer, BaseException):
            raise answer
        report: Report = answer
        return report

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()  # at the end they only wait, and at a second Ctrl-C nobody waits for them
        for connection, process in self.processes.items():
            process.join()
            connection.close()


def _not_sent(error: Exception) -> UsageError:
    return UsageError(
        f"a problem that cannot be sent to other processes received ({shown(error)}).\n"
        "Functions and classes that modules define expected; workers=1 needs no other process."
    )


def _dead(code: int | None, restart: int) -> ResourceError:
    return ResourceError(
        f"a worker process ended (exit code {code}) during restart {restart}.\n"
        'Enough memory expected, and in a script that the call stands below: if __name__ == "__main__":\n'
        "workers=1 computes everything in this process."
    )


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that never see Ctrl-C, which a terminal sends to all; this one sees it a moment later."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its own start would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Connection, search: Search) -> None:
    """Answer jobs until the other side closes or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with single_threaded(), contextlib.suppress(EOFError, OSError):
        while True:
            _send(connection, _answer(search, *connection.recv()))


def _answer(search: Search, job: Job, seconds: float) -> Any:
    try:
        return search.advance(job, seconds)
    except Exception as error:
        if not isinstance(error, NeuralgebraError):
            error.add_note(f"In a worker process:\n{traceback.format_exc()}")
        return error


def _send(connection: Connection, answer: Any) -> None:
    try:
        connection.send(answer)
    except OSError:
        raise
    except Exception as error:  # what pickling says, in classes of its own
        connection.send(RuntimeError(f"a worker process could not send its answer {answer!r}: {error}"))
