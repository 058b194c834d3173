"""The other side of `_worker.py`: start it, wait with a limit, ask for timings in turns."""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _workloads import Workload, partial_laplacian

OURS = "neuralgebra"
OWN = ["neuralgebra on torch", "neuralgebra on torch.compile", "neuralgebra on jax"]
# Seconds for all ways of a peer together, compilation included; the process is ended soon after.
LIMIT = 90.0
GRACE = 60.0
ROUNDS = 7
# No workload is timed longer than this, in seconds, beyond two rounds.
ENOUGH = 8.0
# With it every large block comes from the system and goes back to it: the resident set is what is held.
EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536"}


class Worker:
    """A process that answers one workload with one library.

    Parameters
    ----------
    peer : str
        The library.
    work : Workload
        The question.
    folder : Path
        Where results are written.
    way : str, optional
        The way of answering whose memory is measured; without it the fastest is found and timed.
    """

    def __init__(self, peer: str, work: Workload, folder: Path, *way: str) -> None:
        self.peer, self.file = peer, folder / f"{peer}.npz"
        words = [peer, work.key, work.dtype, str(work.points), str(self.file), str(LIMIT), *way]
        self.log = (folder / f"{peer}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("_worker.py")), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=os.environ | (EXACT if way else {}),
            text=True,
        )
        self.times: list[float] = []
        self.report = self._hear(LIMIT + GRACE)

    @property
    def alive(self) -> bool:
        """Whether it answered, and may be timed."""
        return "error" not in self.report

    @property
    def outcome(self) -> dict:
        """Its report, with the median of its times where it answered rightly."""
        return self.report | ({"seconds": statistics.median(self.times)} if self.times and self.alive else {})

    def time(self) -> None:
        """Take one timing."""
        self.process.stdin.write("time\n")
        self.process.stdin.flush()
        answer = self._hear(LIMIT + GRACE)
        if "seconds" in answer:
            self.times.append(answer["seconds"])
        else:
            self.report = answer

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.log.close()

    def _hear(self, limit: float) -> dict:
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        line = self.process.stdout.readline() if ready else ""
        if line:
            return json.loads(line)
        return {"error": self._last_words() if ready else f"no answer in {limit:.0f} s"}

    def _last_words(self) -> str:
        code = self.process.wait(timeout=GRACE)
        self.log.seek(0)
        lines = self.log.read().split("\n")
        return f"process ended ({code}): {next((line for line in reversed(lines) if line.strip()), '')}"[:160]


def measured(work: Workload, peers: list[str]) -> dict[str, dict]:
    """Return for each peer its seconds, its memory and its way, or its error."""
    with tempfile.TemporaryDirectory() as folder:
        workers = [Worker(peer, work, Path(folder)) for peer in peers]
        try:
            _compare(work, workers)
            _rounds([worker for worker in workers if worker.alive])
        finally:
            for worker in workers:
                worker.close()
    results = {worker.peer: worker.outcome for worker in workers}
    timed = [peer for peer, result in results.items() if "seconds" in result]
    best = sorted((peer for peer in timed if peer not in (OURS, *OWN)), key=lambda peer: results[peer]["seconds"])[:1]
    for peer in {OURS, *best} & set(timed):
        results[peer]["memory"] = memory(peer, work, results[peer]["way"])
    return results


def memory(peer: str, work: Workload, way: str = "") -> int | None:
    """Return the bytes that a call takes at its peak, beyond its inputs, measured in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        worker = Worker(peer, work, Path(folder), way)
        worker.close()
    return worker.report.get("memory")


def _rounds(workers: list[Worker]) -> None:
    """Time all in turns, so that noise falls on all alike."""
    for number in range(ROUNDS):
        if number >= 2 and sum(sum(worker.times) for worker in workers) > ENOUGH:
            return
        for worker in (worker for worker in workers if worker.alive):
            worker.time()


def _compare(work: Workload, workers: list[Worker]) -> None:
    """Turn those into errors whose numbers are not those of the first that answers all of it."""
    whole = [worker for worker in workers if worker.alive and not worker.report["part"] < 1]
    expected = _load(whole[0]) if whole else None
    for worker in workers:
        if not worker.alive:
            continue
        wanted = expected if worker.report["part"] == 1 else _part(work, worker.report["part"], expected)
        difference = max(map(_difference, _load(worker), wanted), default=np.inf)
        worker.report["difference"] = difference
        if not difference <= work.tolerance:
            worker.report["error"] = f"disagrees: {difference:.1e}"


def _part(work: Workload, part: float, expected: list[np.ndarray] | None) -> list[np.ndarray]:
    """Return what one must find who answers for a share of the points, or of the axes."""
    if work.question == "laplacian":
        return [partial_laplacian(work, round(part * work.sizes[0]))]
    return [array[: round(part * work.points)] for array in expected or ()]


def _load(worker: Worker) -> list[np.ndarray]:
    with np.load(worker.file) as arrays:
        return [arrays[name] for name in arrays.files]


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference, relative to the largest entry; columns of a Taylor series have each its own."""
    a, b = (np.asarray(c, "float64").reshape(-1, c.shape[-1] if c.ndim == 2 else 1) for c in (a, b))
    if a.size != b.size:
        return np.inf
    b = b.reshape(a.shape)
    return float((abs(a - b).max(0) / np.maximum(abs(b).max(0), np.finfo("float64").tiny)).max())
