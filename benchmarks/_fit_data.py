"""What the comparison of fits is about: functions with their gradients, points, networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A function to be learnt from its values and gradients at some points.

    Parameters
    ----------
    key, title : str
        For the command line, and for people.
    function : callable
        x (N, n) -> values (N,), gradients (N, n).
    box : tuple of float
        Least and greatest value of every input.
    sizes : tuple of int
        Inputs, hidden layers, one output.
    rows : int
        Number of points.
    seeds : int
        How many times it is done, each with other points and another start.
    """

    key: str
    title: str
    function: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    box: tuple[float, float]
    sizes: tuple[int, ...]
    rows: int
    seeds: int = 5

    @property
    def shape(self) -> str:
        """Sizes and rows, as people write them."""
        return f"{'-'.join(map(str, self.sizes))}, {self.rows:,}"

    def points(self, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return points of a Latin hypercube, their values and gradients."""
        rng = np.random.default_rng(seed)
        cells = np.stack([rng.permutation(self.rows) for _ in range(self.sizes[0])], 1)
        x = self.box[0] + (self.box[1] - self.box[0]) * (cells + rng.random(cells.shape)) / self.rows
        return x, *self.function(x)

    def fresh(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return 10,000 points that no fit has seen, their values and gradients."""
        x = np.random.default_rng(10**6).uniform(*self.box, (10_000, self.sizes[0]))
        return x, *self.function(x)


def sinusoid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x sin x, which JENN and SMT show."""
    return x[:, 0] * np.sin(x[:, 0]), np.sin(x) + x * np.cos(x)


def rastrigin(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ x² - 10 cos 2πx + 10."""
    return (x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum(1), 2 * x + 20 * np.pi * np.sin(2 * np.pi * x)


def rosenbrock(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """100 (b - a²)² + (1 - a)²."""
    a, b = x.T
    return 100 * (b - a * a) ** 2 + (1 - a) ** 2, np.stack([-400 * a * (b - a * a) - 2 * (1 - a), 200 * (b - a * a)], 1)


def branin(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Branin's function, both inputs brought to [0, 1]."""
    a, b = 15 * x[:, 0] - 5, 15 * x[:, 1]
    inner = b - 5.1 / (4 * np.pi**2) * a * a + 5 / np.pi * a - 6
    height = 10 * (1 - 1 / (8 * np.pi))
    by_a = 2 * inner * (5 / np.pi - 5.1 / (2 * np.pi**2) * a) - height * np.sin(a)
    return inner**2 + height * np.cos(a) + 10, 15 * np.stack([by_a, 2 * inner], 1)


_WAVES = np.random.default_rng(16).normal(size=(4, 16)) / 4


def ridges(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Four ridges in 16 inputs, Σ sin(2 a·x + k), and a product of two sums."""
    z = 2 * x @ _WAVES.T + np.arange(4)
    u, v = x[:, :8].mean(1), x[:, 8:].mean(1)
    cross = np.concatenate([np.repeat(v[:, None], 8, 1), np.repeat(u[:, None], 8, 1)], 1) / 8
    return np.sin(z).sum(1) + 4 * u * v, 2 * np.cos(z) @ _WAVES + 4 * cross


def lennard_jones(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """4 (r⁻¹² - r⁻⁶)."""
    r = x[:, 0]
    return 4 * (r**-12 - r**-6), (4 * (6 * r**-7 - 12 * r**-13))[:, None]


PROBLEMS = [
    Problem("sinusoid", "x sin x", sinusoid, (-2 * np.pi, 2 * np.pi), (1, 12, 12, 1), 30),
    Problem("rastrigin", "Rastrigin's function", rastrigin, (-1, 1), (2, 12, 12, 1), 100),
    Problem("rosenbrock", "Rosenbrock's function", rosenbrock, (-2, 2), (2, 12, 12, 1), 100),
    Problem("branin", "Branin's function", branin, (0, 1), (2, 12, 12, 1), 100),
    Problem("ridges", "smooth, 16 inputs", ridges, (-1, 1), (16, 32, 32, 1), 40_000, 1),
]
LENNARD_JONES = Problem("lj", "Lennard-Jones", lennard_jones, (0.95, 2.5), (1, 10, 10, 1), 100)
