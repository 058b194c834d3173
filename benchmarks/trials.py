"""Trials of certificates: random networks made plain, their errors searched at random points and by adversaries.

An adversary climbs: from the worst points so far to worse ones nearby, while every sum is taken in a random order and
every activation is off by up to 4 units in the last place, to either side. A violation is an error beyond the bound for
executions. Usage: python benchmarks/trials.py [--points 1000000] [--adversarial 100000] [--seed 0]
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable

import numpy as np

import neuralgebra as na
from neuralgebra.errors import NotCertifiedError, UnsupportedError

ACTIVATIONS = ("tanh", "sigmoid", "gelu", "softplus", "silu", "cos", "relu", "leaky_relu")
OTHERS = ("elu", "hardtanh", "softsign", "abs", "hardswish", "softshrink", "relu_squared", "step", "tanh", "relu")
EXPRESSIONS: tuple[Callable[[na.Network, na.Network], na.Network], ...] = (
    lambda f, g: f * g,
    lambda f, g: f**2 + g,
    lambda f, g: f * g - f,
    lambda f, g: f**3,
)
BOX = [(-1.0, 1.0), (-0.5, 1.5)]
EACH = 5000  # points of a network at random, a tenth of which by adversaries
ROUNDS, BEST = 10, 50


def main() -> None:
    """Print what was tried, violations, and how tight the bounds are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--adversarial", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    done, tried, violations, ratios = 0, 0, 0, []
    while done < options.points or tried < options.adversarial:
        f, plain = sample(rng)
        x = points(rng, EACH)
        errors = error(f, plain, x, plain.network)
        worst, count = climbed(rng, f, plain, x[np.argsort(errors)[-BEST:]])
        done, tried = done + len(x), tried + count
        violations += int((errors > plain.execution.bound).sum() + (worst > plain.execution.bound))
        ratios.append((plain.execution.bound / max(worst, errors.max()), plain.network.dtype.name))
    print(f"{len(ratios)} networks, {done:,} random and {tried:,} adversarial trials: {violations} violations")
    for dtype in ("float32", "float64"):
        found = [r for r, kind in ratios if kind == dtype]
        print(f"{dtype}: bound over largest error {np.median(found):.3g} (median), {max(found):.3g} (largest)")


def sample(rng: np.random.Generator) -> tuple[na.Network, object]:
    """A random expression of random networks, and its plain layers."""
    while True:
        name, dtype = rng.choice(ACTIVATIONS), rng.choice(["float32", "float64"])
        f, g = (net(rng, name, depth) for depth in rng.integers(1, 3, 2))
        tol = 10.0 ** -rng.uniform(0.5, 3 if dtype == "float32" else 9)
        if rng.random() < 0.25:  # of other functions, with kinks and jumps, and of derivatives
            f, tol = net(rng, rng.choice(OTHERS), 1), 10.0 ** -rng.uniform(-1, 2.5)
            f = f.diff("x1") if rng.random() < 0.3 else f
        try:
            h = EXPRESSIONS[rng.integers(len(EXPRESSIONS))](f, g)
            return h, h.plain(name, BOX, tol, dtype=dtype)
        except (NotCertifiedError, UnsupportedError):
            continue


def net(rng: np.random.Generator, name: str, depth: int) -> na.Network:
    """A random network of two inputs."""
    sizes = [2, *rng.integers(1, 7, depth), 1]
    pairs = [(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m) / 2) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(pairs, name)


def points(rng: np.random.Generator, count: int) -> np.ndarray:
    """Random points of the box, in single precision."""
    return rng.uniform(*np.array(BOX).T, size=(count, 2)).astype(np.float32).astype(float)


def error(f: na.Network, plain: object, x: np.ndarray, run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The differences at points; f in double precision is off by far less than any of the bounds."""
    return abs(run(x.astype(plain.network.dtype)).astype(float) - f(x))[:, 0]


def climbed(rng: np.random.Generator, f: na.Network, plain: object, x: np.ndarray) -> tuple[float, int]:
    """The largest error that is found by going from the worst points to worse ones nearby."""
    best, step, count = error(f, plain, x, adversary(rng, plain)), 0.1, len(x)
    low, high = np.array(BOX).T
    for _ in range(ROUNDS):
        moved = np.clip(x + step * rng.normal(size=x.shape), low, high).astype(np.float32).astype(float)
        found = error(f, plain, moved, adversary(rng, plain))
        x, best = np.where((found > best)[:, None], moved, x), np.maximum(best, found)
        step, count = step * 0.7, count + len(x)
    return float(best.max()), count


def adversary(rng: np.random.Generator, plain: object) -> Callable[[np.ndarray], np.ndarray]:
    """An execution of the layers that the certificate covers, and nobody wants."""
    pairs, dtype = plain.layers_list(), plain.network.dtype
    function = plain.network.nodes[1].layer.only

    def run(a: np.ndarray) -> np.ndarray:
        for i, (weight, bias) in enumerate(pairs):
            terms = np.concatenate([a[:, None] * weight, np.broadcast_to(bias[:, None], (len(a), len(bias), 1))], 2)
            z = np.zeros(terms.shape[:2], dtype)
            for j in rng.permutation(terms.shape[2]):
                z = z + terms[:, :, j]
            if i < len(pairs) - 1:
                exact = na.Network.function(function, len(bias))(z.astype(float)).astype(dtype)
                off = rng.choice([-3, 3], exact.shape) * np.spacing(abs(exact))
                a = (exact + off).astype(dtype)
        return z

    return run


if __name__ == "__main__":
    main()
