"""One library at one workload, in a process of its own: it answers and is timed, or says what memory it takes.

It reads commands, one a line, and writes one JSON object a line; the library's own printing goes elsewhere. With a WAY
of answering it measures the memory of that way; without, it finds the fastest, and keeps the result in the file.
Usage: python benchmarks/_worker.py PEER KEY DTYPE POINTS RESULT_FILE SECONDS [WAY]
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from _workloads import WORKLOADS, Workload

MODULES = {"torch": "_torch", "torch.compile": "_torch"}
EAGER = ("neuralgebra", "torch", "neuralgebra on torch")
# A timing is the mean of as many calls as this takes.
LEAST = 0.01


class Late(Exception):
    """The time for this way of answering is over."""


def main() -> None:
    """Answer, report, then time on demand until the input ends."""
    say = _channel()
    # A peer that wants more fails by itself, instead of taking others with it.
    resource.setrlimit(resource.RLIMIT_DATA, (_memory() // 2,) * 2)
    peer, key, dtype, points, target, limit, *way = sys.argv[1:]
    work = next(w for w in WORKLOADS if w.key == key).of(dtype).at(int(points))
    try:
        if way:
            say({"memory": memory(once(peer, work, way[0]))})
            return
        ask, report = prepared(peer, work, float(limit))
        keep(ask(), Path(target))
    except Exception as error:
        say({"error": short(error)})
        return
    say(report)
    for _ in sys.stdin:
        say({"seconds": timing(ask) / report["part"]})


def _channel() -> Callable[[dict], None]:
    """Return a writer to what was standard output, and send what libraries print to standard error."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message: dict) -> None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()

    return say


def prepared(peer: str, work: Workload, limit: float) -> tuple[Callable[[], Any], dict]:
    """Return the fastest way to answer, once it has done all that happens once in a process, and a report."""
    module = importlib.import_module(_module(peer))
    ways, tried, best, end = {}, {}, None, time.monotonic() + limit
    with within(limit):
        ways = module.variants(peer, work)
    if not ways:
        raise NotImplementedError("not offered")
    for name, ask in ways.items():
        tried[name] = first = _tried(ask, end - time.monotonic())
        if isinstance(first, float) and (best is None or first < tried[best]):
            best = name
    if best is None:
        raise RuntimeError(next(iter(tried.values())))
    return ways[best], {"way": best, "tried": tried, "part": getattr(ways[best], "part", 1.0)}


def _module(peer: str) -> str:
    return "_ours" if peer.startswith("neuralgebra") else MODULES.get(peer, "_jax")


def once(peer: str, work: Workload, way: str) -> Callable[[], Any]:
    """Return one way to answer, after all that happens once in a process: compilation, or an answer at one point."""
    module = importlib.import_module(_module(peer))
    if peer in EAGER:
        module.variants(peer, work.at(min(work.points, 2)))[way]()
        return module.variants(peer, work)[way]
    ask = module.variants(peer, work)[way]
    ask()
    return ask


def _tried(ask: Callable[[], Any], limit: float) -> float | str:
    """Return the seconds of a second call, or why there are none."""
    try:
        with within(limit):
            ask()
            return timing(ask)
    except Exception as error:
        return short(error)


@contextmanager
def within(limit: float):
    """Raise Late when the block takes more than so many seconds."""

    def late(*_: Any) -> None:
        raise Late(f"more than {limit:.0f} s to compile")

    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, max(limit, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def short(error: Exception) -> str:
    """Return an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:160]


def timing(ask: Callable[[], Any]) -> float:
    """Return the seconds of a call, the mean of several where one is short."""
    count, start = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - start < LEAST:
        ask()
        count += 1
    return (time.perf_counter() - start) / count


def keep(result: Any, target: Path) -> None:
    """Write the result for the comparison."""
    parts = result if isinstance(result, tuple) else (result,)
    np.savez(target, *(np.asarray(part) for part in parts))


def memory(ask: Callable[[], Any]) -> int:
    """Return the bytes that one call takes at its peak, its result included."""
    gc.collect()
    # Free memory goes back to the system first: what an earlier call left in the heap would hide what this one takes.
    ctypes.CDLL(None).malloc_trim(0)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = ask()
    peak = _status("VmHWM") - before
    del result
    return max(peak, 0)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _status(field: str) -> int:
    """Return a line of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


if __name__ == "__main__":
    main()
