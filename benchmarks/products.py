"""Products as plain networks: how many neurons a tolerance takes, and how near the proven bounds are to the errors.

For x·x² and x·y on a box, in relu, tanh, sigmoid, gelu and cos: hidden neurons, parameters, hidden layers, the largest
error measured at random points and on a grid, executed in the dtype by NumPy, and the two proven bounds, about the real
numbers and about any execution. What is refused is shown with what can be proven.
"""

from __future__ import annotations

import argparse
import re

import numpy as np
from _report import table

import neuralgebra as na
from neuralgebra.errors import NotCertifiedError

ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "cos")
TOLERANCES = {"float32": [1e-1, 1e-2, 1e-3, 1e-4, 1e-5], "float64": [10.0**-k for k in range(1, 13)]}
HEAD = [
    "function",
    "activation",
    "dtype",
    "tolerance",
    "neurons",
    "parameters",
    "layers",
    "error",
    "proven",
    "executed",
]


def problems() -> dict[str, tuple[na.Network, list[tuple[float, float]]]]:
    """The functions, each with its box."""
    x, (a, b) = na.Network.identity(1), na.Network.identity(2)
    return {
        "x·x² on [-1, 1]": (x * x**2, [(-1.0, 1.0)]),
        "xy on [-1, 1]²": (a * b, [(-1.0, 1.0)] * 2),
        "xy on [-5, 5]²": (a * b, [(-5.0, 5.0)] * 2),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--only", help="an activation")
    options = parser.parse_args()
    rows = []
    for name, (f, box) in problems().items():
        for activation in [options.only] if options.only else ACTIVATIONS:
            for dtype, tolerances in TOLERANCES.items():
                rows += [row(name, f, box, activation, dtype, tol) for tol in tolerances]
    print(table(HEAD, rows, options.markdown))


def row(name: str, f: na.Network, box: list, activation: str, dtype: str, tol: float) -> list[str]:
    """One line of the table."""
    start = [name, activation, dtype, f"{tol:.0e}"]
    try:
        plain = f.plain(activation, box, tol, dtype=dtype)
    except NotCertifiedError as error:
        return [*start, "–", "–", "–", "–", "–", "refused: " + re.search(r"received; (\S+)", str(error))[1]]
    sizes = [plain.neurons, plain.network.parameter_count, plain.depth]
    bounds = [measured(f, plain, box), plain.certificate.bound, plain.execution.bound]
    return [*start, *map(str, sizes), *(f"{b:.2e}" for b in bounds)]


def measured(f: na.Network, plain: object, box: list) -> float:
    """The largest difference at random points and on a grid."""
    low, high = np.array(box).T
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, 257) for a, b in box)), -1).reshape(-1, len(box))
    x = np.vstack([grid, np.random.default_rng(0).uniform(low, high, size=(100_000, len(box)))])
    x = x.astype(plain.network.dtype)
    return float(abs(plain.network(x).astype(float) - f(x.astype(float))).max())


if __name__ == "__main__":
    main()
