"""Write src/neuralgebra/algebra/minimax.py: where the neurons of gates for t² are best placed.

The square is d + Σ c (σ(b + h t) + σ(b - h t)) on [-1, 1]. For given places (b, h) the coefficients with the least
largest error are found by Lawson's weights; the places minimise

    max |error| + ρ Σ |c| (max |σ| + max |σ' z|)

for several ρ, the roundoff that neurons and their arguments have, that of float32 and what a network behind the gate
magnifies it to; smaller ones need no table, there the steps are short and gates that cancel terms of the Taylor series
are as good. Values of σ have 100 bits. Simplices (Nelder and Mead) start at the neighbouring ρ, at random places,
seeded, and at the best of the table as it stands, so that it becomes better each time:
python tools/make_gates.py [seed] takes minutes. Nothing is certified here, each gate is proven where it is used.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from pathlib import Path

import flint
import numpy as np
from scipy.optimize import minimize

from neuralgebra.algebra.minimax import PLACES

PAGE = Path(__file__).parents[1] / "src" / "neuralgebra" / "algebra" / "minimax.py"
HEAD = '''\
"""Where the neurons of gates for t² are placed: numbers only, made by tools/make_gates.py.

Each row is a gate: b and h of its parts, σ(b + h t) + σ(b - h t), or σ(b + h t) alone where σ is even about b.
"""

__all__ = ["PLACES"]

Place = tuple[float, float]

PLACES: dict[str, tuple[tuple[Place, ...], ...]] = {
'''
ROUNDOFFS = (1e-9, 1e-7, 4e-7, 1.5e-6, 1e-5, 7e-5)
STARTS, STEPS = 5, {2: 300, 3: 450}
LAWSON, NODES = 10, 17
WIDEST, FARTHEST = 4.0, 7.0

Ball = flint.arb
ROOT, TANH = Ball(2).sqrt(), (2 / Ball.pi()).sqrt()


def logistic(z: Ball) -> Ball:
    """Return 1 / (1 + e^-z)."""
    return 1 / (1 + (-z).exp())


FUNCTIONS: dict[str, Callable[[Ball], Ball]] = {
    "sigmoid": logistic,
    "tanh": Ball.tanh,
    "softplus": lambda z: z.exp().log1p(),
    "silu": lambda z: z * logistic(z),
    "gelu": lambda z: z * (-z / ROOT).erfc() / 2,
    "gelu_tanh": lambda z: z * logistic(2 * TANH * (z + Ball("0.044715") * z**3)),
    "cos": Ball.cos,
}
CENTRES = {"cos": 0.0}  # about which σ is even: one neuron is a pair


class Search:
    """The best places of some parts of one activation."""

    def __init__(self, name: str, count: int) -> None:
        self.function, self.count, self.centre = FUNCTIONS[name], count, CENTRES.get(name)
        nodes = np.cos(np.pi * np.arange(NODES) / (2 * NODES - 1))
        self.nodes, self.wanted = [Ball(float(t)) for t in nodes], nodes**2

    def places(self, point: np.ndarray) -> list[tuple[float, float]]:
        """Return b and h of each part."""
        steps = np.exp(point[-self.count :]).tolist()
        biases = [self.centre] * self.count if self.centre is not None else point[: self.count].tolist()
        return list(zip(biases, steps, strict=True))

    def point(self, row: tuple[tuple[float, float], ...]) -> np.ndarray:
        """Return what gives b and h of each part."""
        biases, steps = zip(*row, strict=True)
        return np.concatenate([[] if self.centre is not None else biases, np.log(steps)])

    def value(self, point: np.ndarray, roundoff: float) -> float:
        """Return the logarithm of what is minimised."""
        places = self.places(point)
        if any(abs(b) > FARTHEST or h > WIDEST for b, h in places):
            return 1e3
        rows = [self.column(b, h) for b, h in places]
        coefficients, error = lawson(np.array([column for column, _ in rows]).T, self.wanted)
        weight = float(abs(coefficients) @ np.array([size for _, size in rows]))
        return float(np.log(error + roundoff * weight))

    def column(self, b: float, h: float) -> tuple[np.ndarray, float]:
        """Return the even part without its constant, and what roundings of the neurons are multiplied by."""
        bias, step, middle = Ball(b), Ball(h), self.function(Ball(b))
        pairs = [(self.function(bias + step * t), self.function(bias - step * t)) for t in self.nodes]
        column = np.array([float(p + q - 2 * middle) for p, q in pairs])
        values = np.array([[float(p), float(q)] for p, q in pairs])
        arguments = b + np.array([[float(t), -float(t)] for t in self.nodes]) * h
        slopes = abs(np.diff(values, axis=0) / np.diff(arguments, axis=0))
        sizes = abs(values).max(axis=0) + (slopes * abs(arguments[1:])).max(axis=0)
        size = float(sizes.sum())
        return (column / 2, size / 2) if self.centre is not None else (column, size)

    def run(self, standing: list[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
        """Return the best places for each roundoff."""
        found: list[np.ndarray] = []
        for roundoff in ROUNDOFFS:
            best = sorted(standing, key=lambda p: self.value(p, roundoff))[:2]
            starts = [*found[-1:], *best, *(self.random(rng, roundoff) for _ in range(STARTS))]
            found.append(min((self.descend(s, roundoff) for s in starts), key=lambda p: self.value(p, roundoff)))
        for i in reversed(range(len(ROUNDOFFS) - 1)):
            back = self.descend(found[i + 1], ROUNDOFFS[i])
            found[i] = min(back, found[i], key=lambda p: self.value(p, ROUNDOFFS[i]))
        return found

    def descend(self, start: np.ndarray, roundoff: float) -> np.ndarray:
        """Return a local minimum."""
        options = {"maxfev": STEPS[self.count], "xatol": 1e-7, "fatol": 1e-4}
        return np.asarray(minimize(self.value, start, (roundoff,), "Nelder-Mead", options=options).x)

    def random(self, rng: np.random.Generator, roundoff: float) -> np.ndarray:
        """Return a random start; steps are longer where roundings are larger."""
        longest = np.log(roundoff ** (1 / (4 * self.count + 2)) * 4)
        steps = longest + rng.uniform(-1.5, 0.3, self.count)
        return np.concatenate([[] if self.centre is not None else rng.uniform(-3, 1, self.count), steps])


def lawson(columns: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, float]:
    """Return coefficients whose largest error, but for a constant, is small; and that error."""
    sizes = abs(columns).max(axis=0)
    matrix, weights = np.column_stack([columns / sizes, np.ones(len(wanted))]), np.ones(len(wanted))
    best, least = np.zeros(columns.shape[1]), np.inf
    for _ in range(LAWSON):
        root = np.sqrt(weights)
        found = np.linalg.lstsq(matrix * root[:, None], wanted * root, rcond=None)[0]
        errors = matrix @ found - wanted
        if np.ptp(errors) / 2 < least:
            best, least = found[:-1] / sizes, float(np.ptp(errors)) / 2
        weights = weights * (abs(errors) + 1e-3 * abs(errors).max() + 1e-30)
        weights = weights / weights.mean()
    return best, least


def rows(name: str, seed: int) -> list[tuple[tuple[float, float], ...]]:
    """Return the gates of an activation, those with fewest neurons first."""
    rng = np.random.default_rng(seed)
    with flint.ctx.workprec(100):
        found = []
        for count in STEPS:
            search = Search(name, count)
            standing = [search.point(row) for row in PLACES.get(name, ()) if len(row) == count]
            found += [tuple(short(b, h) for b, h in search.places(p)) for p in search.run(standing, rng)]
    return list(dict.fromkeys(found))


def short(b: float, h: float) -> tuple[float, float]:
    """Return a bias of 20 bits behind the point, which float32 has, and a step of 6 bits."""
    mantissa, exponent = np.frexp(h)
    return round(b * 2.0**20) / 2.0**20, float(np.ldexp(np.round(mantissa * 64) / 64, exponent))


def main() -> None:
    """Search, and write the table."""
    names, seed = list(FUNCTIONS), int(*sys.argv[1:] or [0])
    with multiprocessing.Pool(2) as pool:
        tables = pool.starmap(rows, [(name, seed) for name in names], chunksize=1)
    lines = []
    for name, table in zip(names, tables, strict=True):
        lines.append(f'    "{name}": (\n')
        lines += [f"        ({', '.join(f'({b!r}, {h!r})' for b, h in row)}),\n" for row in table]
        lines.append("    ),\n")
    PAGE.write_text(HEAD + "".join(lines) + "}\n")


if __name__ == "__main__":
    main()
