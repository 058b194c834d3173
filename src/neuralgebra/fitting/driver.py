from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from neuralgebra.fitting.solver import generator


@dataclass(frozen=True)
class Outcome:
    theta: np.ndarray
    loss: float
    history: tuple
    reason: str
    restart: int
    rounds: int
    seconds: float
    evaluations: int
    warnings: tuple = ()
    stopped: bool = False
    state: dict | None = None


def run(
    problem,
    solver,
    starts,
    *,
    seed,
    workers=1,
    validation=None,
    patience=10,
    limit=None,
    folder=None,
    callback=None,
    progress="auto",
):
    t = time.perf_counter()
    best = None
    ev = 0
    for r, theta in enumerate(starts):
        st = solver.start(problem, theta, generator(seed, r, 0))
        h = []
        good = None
        wait = 0
        while not (why := solver.finished(st)):
            st = solver.step(problem, st, generator(seed, r, 1 + int(st["rounds"])))
            v = validation.loss(st["theta"]) if validation is not None else float("nan")
            h.append((int(st["rounds"]), time.perf_counter() - t, float(st["loss"]), v))
            if validation is not None:
                if good is None or v < good[0]:
                    good = (v, st)
                    wait = 0
                else:
                    wait += 1
                    if wait >= patience:
                        why = "stopped early"
                        break
        score, st = good if good else (float(st["loss"]), st)
        ev += int(st["evaluations"])
        if best is None or score < best[0]:
            best = (score, st, r, h, why)
    score, st, r, h, why = best
    return Outcome(
        st["theta"], float(st["loss"]), tuple(h), why, r, int(st["rounds"]), time.perf_counter() - t, ev, (), False, st
    )
