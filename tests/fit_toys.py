"""Small problems and a small solver for tests of how a fit runs; worker processes import them by name."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import neuralgebra as na
from neuralgebra.fitting.checkpoints import Checkpoint, Folder, opened
from neuralgebra.fitting.driver import Outcome, run

SIZE = 6


@dataclass(frozen=True, eq=False)
class Rosenbrock:
    """Curved valleys, the least loss at `target`."""

    size: int = SIZE
    target: float = 1.0
    pause: float = 0.0

    @property
    def rows(self) -> int:
        return 2 * self.size

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return np.full(self.size, -np.inf), np.full(self.size, np.inf)

    def loss(self, theta: np.ndarray) -> float:
        return self.gradient(theta)[0]

    def gradient(self, theta: np.ndarray, chosen: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        del chosen
        if self.pause:
            time.sleep(self.pause)
        a, b = theta[:-1], theta[1:]
        steep, flat = b - a * a, self.target - a
        g = np.zeros(self.size)
        g[1:] += 20 * steep
        g[:-1] += -40 * a * steep - 2 * flat
        return float(10 * steep @ steep + flat @ flat), g

    def normal(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        raise NotImplementedError

    def losses(self, thetas: np.ndarray) -> np.ndarray:
        return np.array([self.loss(theta) for theta in thetas])


@dataclass(frozen=True)
class Momentum:
    """Noisy gradient descent with momentum; every number it draws moves the path."""

    rate: float = 1e-3
    noise: float = 1e-2
    iterations: int = 10_000
    stride: int = 5
    fault: int = -1  # a round that fails

    name = "momentum"

    def start(self, problem: Any, theta: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        first = theta + self.noise * rng.standard_normal(len(theta))
        state = {"theta": first, "velocity": np.zeros(len(theta)), "loss": problem.loss(first)}
        return _state(state, rounds=0, evaluations=1)

    def step(self, problem: Any, state: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
        if int(state["rounds"]) + 1 == self.fault:
            raise ArithmeticError("the round that fails")
        theta, velocity = state["theta"], state["velocity"]
        for _ in range(self.stride):
            noise = self.noise * rng.standard_normal(len(theta))
            velocity = 0.9 * velocity - self.rate * (problem.gradient(theta)[1] + noise)
            theta = theta + velocity
        after = {"theta": theta, "velocity": velocity, "loss": problem.loss(theta)}
        counts = int(state["rounds"]) + 1, int(state["evaluations"]) + self.stride + 1
        return _state(after, rounds=counts[0], evaluations=counts[1])

    def finished(self, state: Any) -> str | None:
        iterations = int(state["rounds"]) * self.stride
        return f"{iterations} iterations done" if iterations >= self.iterations else None


def _state(numbers: dict[str, Any], **counts: int) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in {**numbers, **counts}.items()}


def starts(count: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(5).uniform(-1, 1, (count, size))


def line(theta: np.ndarray) -> na.Network:
    """The network that a point of a toy stands for."""
    return na.Network.from_layers([(theta[None, :], None)])


def bits(outcome: Outcome) -> tuple[object, ...]:
    """All of an outcome that may not depend on time or workers."""
    history = outcome.history[:, [0, 2, 3]]
    endings = [(e.restart, e.loss, str(e.validation), e.rounds, e.reason) for e in outcome.restarts]
    found = (outcome.theta.tobytes(), outcome.loss, outcome.round, outcome.restart, history.tobytes())
    return (*found, outcome.evaluations, outcome.reason, endings)


def kept(folder: Path, interval: float = 1e-9, data: str = "the data") -> Folder:
    return Folder(folder, data, {"structure": "6-1"}, line, interval)


def long_run(folder: Path, workers: int, rounds: int, pause: float, seen: Path | None = None) -> Outcome:
    """Run for a while, or go on; `seen` tells how far it has come, also after the run was killed."""
    callback = None if seen is None else lambda now: (seen.write_text(str(now.seconds)), None)[1]
    problem, solver = Rosenbrock(pause=pause), Momentum(iterations=10**9)
    options: dict[str, Any] = {"workers": workers, "rounds": rounds, "folder": kept(folder, 0.02)}
    return run(problem, solver, starts(3), seed=7, callback=callback, progress=True, **options)


def kills(folder: Path, rounds: int, seed: int) -> list[float]:
    """Kill a run at random moments until it is through; return how many seconds of it were lost each time."""
    random, lost = np.random.default_rng(seed), []
    seen = folder.with_suffix(".seen")
    while True:
        child = os.fork()
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            found = long_run(folder, 1, rounds, 2e-4, seen)
            os._exit(0 if found.saved else 1)
        time.sleep(random.uniform(0.0, 0.4))
        os.kill(child, signal.SIGKILL)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) >= 0:
            return lost
        if seen.exists():
            with opened_again(folder) as checkpoint:
                known = 0.0 if checkpoint is None else float(checkpoint.head["seconds"])
            lost.append(float(seen.read_text() or known) - known)


@contextlib.contextmanager
def opened_again(folder: Path) -> Iterator[Checkpoint | None]:
    """Give the newest checkpoint of a run, whosever it is."""
    with opened(kept(folder), {}) as vault:
        vault._expect = lambda found, number: None  # type: ignore[method-assign]
        yield vault.load()


def waited_for(path: Path) -> None:
    """Wait for a file."""
    end = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.02)


def begun(*arguments: object) -> subprocess.Popen[str]:
    """Begin this file as a program."""
    script = Path(__file__)
    source = str(Path(na.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, str(script), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([source, str(script.parent)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(process: int) -> list[int]:
    """The processes that a process has begun."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(path.parent.name))
    return found


if __name__ == "__main__":
    what, folder, *numbers = sys.argv[1:]
    if what == "kills":
        print(json.dumps(kills(Path(folder), *map(int, numbers))))
    else:
        workers, rounds, pause = numbers
        outcome = long_run(Path(folder), int(workers), int(rounds), float(pause))
        print(json.dumps([outcome.stopped, outcome.saved, outcome.reason]))
