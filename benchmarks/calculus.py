"""Value, Jacobian and Hessian of whole batches, against PyTorch and JAX on the same machine in the same run.

Every time is the median of several runs, in turns; ratios above 1 mean that neuralgebra on NumPy arrays is faster.
Usage: python benchmarks/calculus.py [--markdown]
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable

import jax
import numpy as np
import torch

import neuralgebra as na

jax.config.update("jax_enable_x64", True)

CASES = {
    "4-32-32-2": ((4, 32, 32, 2), 1024),
    "52-20-10-1": ((52, 20, 10, 1), 512),
    "3-128-128-1": ((3, 128, 128, 1), 1024),
}
ROUNDS = 7


def layers(sizes: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random weights, scaled so that tanh neither saturates nor is linear."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]


def jax_questions(pairs: list, x: np.ndarray) -> dict[str, Callable[[], object]]:
    """The best of JAX: jit of vmap of jacfwd, jacrev, hessian."""
    weights = [(jax.numpy.asarray(a), jax.numpy.asarray(b)) for a, b in pairs]

    def f(v):
        for a, b in weights[:-1]:
            v = jax.numpy.tanh(a @ v + b)
        return weights[-1][0] @ v + weights[-1][1]

    points = jax.numpy.asarray(x)
    jacobian = jax.jacrev if pairs[-1][0].shape[0] <= x.shape[1] else jax.jacfwd
    functions = {"value": f, "Jacobian": jacobian(f), "Hessian": jax.hessian(f)}
    compiled = {name: jax.jit(jax.vmap(g)) for name, g in functions.items()}
    return {name: (lambda g=g: g(points).block_until_ready()) for name, g in compiled.items()}


def torch_questions(pairs: list, x: np.ndarray) -> dict[str, Callable[[], object]]:
    """torch.func: vmap of jacrev, hessian."""
    weights = [(torch.tensor(a), torch.tensor(b)) for a, b in pairs]

    def f(v):
        for a, b in weights[:-1]:
            v = torch.tanh(a @ v + b)
        return weights[-1][0] @ v + weights[-1][1]

    points = torch.tensor(x)
    functions = {"value": f, "Jacobian": torch.func.jacrev(f), "Hessian": torch.func.hessian(f)}
    return {name: (lambda g=g: torch.vmap(g)(points)) for name, g in functions.items()}


def median_times(questions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each, measured in turns so that noise falls on all alike."""
    for ask in questions.values():
        ask()
    times: dict[str, list[float]] = {name: [] for name in questions}
    for _ in range(ROUNDS):
        for name, ask in questions.items():
            start = time.perf_counter()
            ask()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(t) for name, t in times.items()}


def rows() -> list[list[str]]:
    """One row for each network and quantity."""
    table = []
    for name, (sizes, count) in CASES.items():
        pairs = layers(sizes)
        f = na.Network.from_layers(pairs, "tanh")
        x = np.random.default_rng(1).normal(size=(count, sizes[0]))
        ours = {
            "value": lambda f=f, x=x: f(x),
            "Jacobian": lambda f=f, x=x: f.jacobian(x),
            "Hessian": lambda f=f, x=x: f.hessian(x),
        }
        peers = {"jax": jax_questions(pairs, x), "torch": torch_questions(pairs, x)}
        for quantity, ask in ours.items():
            for peer in peers.values():
                np.testing.assert_allclose(np.asarray(peer[quantity]()), ask(), rtol=1e-9, atol=1e-10)
            t = median_times({"us": ask, **{p: q[quantity] for p, q in peers.items()}})
            table.append(
                [
                    name,
                    str(count),
                    quantity,
                    *(f"{1e3 * t[k]:.2f}" for k in ("us", "jax", "torch")),
                    f"{t['jax'] / t['us']:.2f}",
                    f"{t['torch'] / t['us']:.2f}",
                ]
            )
    return table


def main() -> None:
    """Print the table."""
    head = ["network", "points", "quantity", "neuralgebra ms", "jax.jit ms", "torch.func ms", "jax / us", "torch / us"]
    separator = " | " if "--markdown" in sys.argv else "  "
    table = [head, *rows()]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for number, row in enumerate(table):
        line = separator.join(
            cell.ljust(w) if i in (0, 2) else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        print(f"| {line} |" if "--markdown" in sys.argv else line)
        if number == 0 and "--markdown" in sys.argv:
            print("|" + "|".join("---" if i in (0, 2) else "---:" for i in range(len(head))) + "|")


if __name__ == "__main__":
    main()
