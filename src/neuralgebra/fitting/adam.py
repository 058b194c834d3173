"""Adam: steps along running means of the gradients of some rows at a time.

Source: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.errors import UsageError, shown
from neuralgebra.fitting.solver import State, state

__all__ = ["Adam"]


@dataclass(frozen=True)
class Adam:
    """Gradient steps on minibatches, the rate falling to 0 along a half cosine; a round is an epoch or more.

    Parameters
    ----------
    epochs : int
        Passes through the points.
    batch : int
        Points of a step, at most.
    rate : float
        Learning rate at the start.
    means : tuple of float
        How much of the means of gradients and of their squares is kept at each step.
    least : float
        Added to the root of the mean square.
    """

    epochs: int = 1000
    batch: int = 128
    rate: float = 1e-2
    means: tuple[float, float] = (0.9, 0.999)
    least: float = 1e-8
    name = "adam"

    def __post_init__(self) -> None:
        if self.epochs < 1 or self.batch < 1 or not self.rate > 0:
            raise UsageError(
                f"epochs={shown(self.epochs)}, batch={shown(self.batch)}, rate={shown(self.rate)} received; "
                "positive numbers expected."
            )
        if not all(0 <= b < 1 for b in self.means):
            raise UsageError(f"means={shown(self.means)} received; two numbers from 0 to below 1 expected.")

    def start(self, problem: Any, theta: np.ndarray, rng: Any) -> State:
        """Return the state before the first round."""
        del rng
        zero = np.zeros(problem.size)
        loss = problem.loss(theta)
        return state(theta, loss, epochs=0, steps=0, present=theta, first=zero, second=zero)

    def step(self, problem: Any, known: State, rng: np.random.Generator) -> State:
        """Return the state after some epochs: as many as make 50 steps."""
        n = problem.points
        size = min(self.batch, n)
        per_epoch = -(-n // size)
        theta, first, second = (np.array(known[name]) for name in ("present", "first", "second"))
        steps, epochs = int(known["steps"]), int(known["epochs"])
        count = min(max(1, 50 // per_epoch), self.epochs - epochs)
        low, high = problem.bounds
        for _ in range(count):
            order = rng.permutation(n)
            for start in range(0, n, size):
                _, g = problem.gradient(theta, order[start : start + size])
                steps += 1
                theta = np.clip(theta - self._move(g, first, second, steps, self.epochs * per_epoch), low, high)
        loss = problem.loss(theta)
        better = loss < float(known["loss"])
        best, least = (theta, loss) if better else (known["theta"], float(known["loss"]))
        return state(
            best, least, known, evaluations=count * per_epoch + 1, epochs=epochs + count, steps=steps, present=theta,
            first=first, second=second, current=loss,
        )  # fmt: skip

    def _move(self, g: np.ndarray, first: np.ndarray, second: np.ndarray, step: int, steps: int) -> np.ndarray:
        """Return the step, and keep the means up to date."""
        for mean, value, kept in zip((first, second), (g, g * g), self.means, strict=True):
            mean *= kept
            mean += (1 - kept) * value
        rate = self.rate / 2 * (1 + np.cos(np.pi * min(1.0, step / steps)))
        one, two = (mean / (1 - kept**step) for mean, kept in zip((first, second), self.means, strict=True))
        return np.asarray(rate * one / (np.sqrt(two) + self.least))

    def finished(self, known: State) -> str | None:
        """Return why the fit ends, if it does."""
        return f"{self.epochs} epochs done" if int(known["epochs"]) >= self.epochs else None
