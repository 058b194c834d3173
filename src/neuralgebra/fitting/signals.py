"""Signals that end a run in good order."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator, Sequence

__all__ = ["caught"]


@contextlib.contextmanager
def caught(numbers: Sequence[int]) -> Iterator[list[str]]:
    """Give a list that has the name of the first signal once it has come; then, and in the end, all is as before.

    Outside of the main thread nothing is caught, and neither is a signal that is ignored.

    Parameters
    ----------
    numbers : sequence of int
        The signals.
    """
    came: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in before.items() if handler not in (None, signal.SIG_IGN)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def first(number: int, frame: object) -> None:
        del frame
        came.append(signal.Signals(number).name)
        restore()

    try:
        for number in before:
            signal.signal(number, first)
        yield came
    finally:
        restore()
