"""What is measured: the networks, the points, the questions, and plain NumPy answers where a peer is cut short."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np

# Largest difference allowed, relative to the largest entry: first and second derivatives, then orders 4 and 8.
TOLERANCES = {"float64": {2: 1e-10, 4: 1e-9, 8: 1e-7}, "float32": {2: 1e-4, 4: 1e-3, 8: 1e-2}}

# The peers' users know that the first layer is linear and write what follows from it; we are asked as ever.
BY_HAND = "laplacian, peers by hand"


@dataclass(frozen=True)
class Workload:
    """A question to a network at some points.

    Parameters
    ----------
    key : str
        What `--only` selects: a number, and a letter where one workload has several rows.
    question : str
        Name of the question, as the peers know it.
    sizes : tuple of int
        Widths of the network, inputs first.
    points : int
        How many.
    order : int
        The order of the highest derivative.
    dtype : str
        float64 or float32.
    """

    key: str
    question: str
    sizes: tuple[int, ...]
    points: int
    order: int = 2
    dtype: str = "float64"

    def of(self, dtype: str) -> Workload:
        """Return the same question in another dtype."""
        return replace(self, dtype=dtype)

    def at(self, points: int) -> Workload:
        """Return the same question at another number of points."""
        return replace(self, points=points)

    @property
    def title(self) -> str:
        """The question, the network and the number of points in words."""
        return f"{self.question} {shape(self.sizes)}, N={self.points}"

    @property
    def unit(self) -> tuple[str, float]:
        """The unit of its times, and how many of it are a second."""
        return ("µs", 1e6) if self.points == 1 and max(self.sizes) < 100 else ("ms", 1e3)

    @property
    def tolerance(self) -> float:
        """The largest difference allowed, relative to the largest entry."""
        return TOLERANCES[self.dtype][self.order]

    @property
    def result_bytes(self) -> int:
        """Size of what is asked for."""
        n, m = self.sizes[0], self.sizes[-1]
        numbers = {
            "value": m,
            "jacobian": m * n,
            "hessian": m * n * n,
            "value+J+H": m * (1 + n + n * n),
            "J+H": m * (n + n * n),
            "taylor": m * (self.order + 1),
        }
        return self.points * numbers.get(self.question, m) * np.dtype(self.dtype).itemsize

    def layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return random weights (out, in) and biases, the same numbers in both dtypes; tanh does not saturate."""
        rng = np.random.default_rng(0)
        return [
            (self._rounded(rng.normal(size=(m, n)) / math.sqrt(n)), self._rounded(rng.normal(size=m)))
            for n, m in itertools.pairwise(self.sizes)
        ]

    def inputs(self) -> np.ndarray:
        """Return the points; for the latency of a call a single one, without a batch axis."""
        x = self._rounded(np.random.default_rng(1).normal(size=(self.points, self.sizes[0])))
        return x[0] if self.unit[0] == "µs" else x

    def directions(self) -> np.ndarray:
        """Return one direction for each point."""
        return self._rounded(np.random.default_rng(2).normal(size=(self.points, self.sizes[0])))

    def _rounded(self, array: np.ndarray) -> np.ndarray:
        return array.astype(np.float32).astype(self.dtype)


def shape(sizes: tuple[int, ...]) -> str:
    """Return 3-128×5-1 for 3-128-128-128-128-128-1."""
    runs = [(size, len(list(run))) for size, run in itertools.groupby(sizes)]
    return "-".join(f"{size}×{count}" if count > 2 else "-".join([str(size)] * count) for size, count in runs)


WORKLOADS = (
    Workload("1", "value+J+H", (3, 128, 128, 128, 128, 128, 1), 4096),
    Workload("2", "value+J+H", (52, 20, 10, 1), 4096),
    Workload("3", "J+H", (10, 64, 64, 10), 2048),
    Workload("4", "laplacian", (100, 256, 256, 256, 1), 512),
    Workload("5", "taylor", (2, 64, 64, 64, 64, 1), 4096, order=8),
    Workload("6", "biharmonic", (5, 128, 128, 128, 1), 1024, order=4),
    Workload("7a", "laplacian", (100_000, 128, 128, 1), 1),
    Workload("7b", "laplacian", (100_000, 128, 128, 1), 100),
    Workload("7c", BY_HAND, (100_000, 128, 128, 1), 1),
    Workload("7d", BY_HAND, (100_000, 128, 128, 1), 100),
    Workload("8a", "value", (2, 5, 1), 1),
    Workload("8b", "jacobian", (2, 5, 1), 1),
    Workload("8c", "hessian", (2, 5, 1), 1),
)


def partial_laplacian(work: Workload, count: int) -> np.ndarray:
    """Return the sum of the first second derivatives, by hand: what a peer that is extrapolated must find."""
    value, laplacian, jacobian = work.inputs(), 0.0, None
    for last, (a, b) in zip((*(False,) * (len(work.sizes) - 2), True), work.layers(), strict=True):
        value, laplacian = value @ a.T + b, laplacian @ a.T if jacobian is not None else 0.0
        jacobian = a.T[:count, None] if jacobian is None else jacobian @ a.T
        if not last:
            value = np.tanh(value)
            slope = 1 - value**2
            laplacian = slope * laplacian - 2 * value * slope * (jacobian**2).sum(0)
            jacobian = slope * jacobian
    return np.asarray(laplacian)
