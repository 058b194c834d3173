"""Fits of values and gradients against JENN and SMT, of values against scikit-learn and PyTorch, and swarms.

All in one process, one thread of linear algebra each, in turns. Errors are root mean squares on fresh points, relative
to the deviation of the function; errors and seconds are medians of several seeds, each with other points and another
start. Peers have the network, the data and the time that they want, with their defaults and with what their
documentation shows. Ours is fitted with its defaults, to its end and stopped after fewer iterations.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "NEURALGEBRA_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from _fit_data import LENNARD_JONES, PROBLEMS, Problem  # noqa: E402
from _fit_iris import SWARMS, iris  # noqa: E402
from _fit_peers import VALUES_ONLY, WITH_GRADIENTS  # noqa: E402
from _report import number, table  # noqa: E402

import neuralgebra as na  # noqa: E402

STEPS = {"lm": (10, 20, 30, 50, 80, 130, 200, 320, 500), "lbfgs": (25, 50, 100, 200, 400)}
IRIS_SEEDS = 10
Timed = tuple[float, float]
"""Error and seconds."""


def main() -> None:
    """Print the tables."""
    options = arguments()
    sections = {"gradients": gradients, "values": values, "forces": forces, "iris": swarms}
    warnings.simplefilter("ignore")
    print(machine(), end="\n\n")
    for name in options.table:
        head, rows = sections[name](options)
        print(table(head, rows, options.markdown), end="\n\n", flush=True)


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--table", type=words, default=["gradients", "values", "forces", "iris"], help="some of these")
    parser.add_argument("--only", type=words, help=f"problems, some of {','.join(p.key for p in PROBLEMS)}")
    parser.add_argument("--seeds", type=int, help="how many, instead of those of each problem")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds that any fit may take")
    parser.add_argument("--peers", type=words, help=f"some of {','.join([*WITH_GRADIENTS, *VALUES_ONLY])}")
    return parser.parse_args()


def words(text: str) -> list[str]:
    """Return the words of a list with commas."""
    return text.split(",")


def machine() -> str:
    """Return what the numbers depend on, and which packages are missing."""
    packages = {"numpy": "numpy", "jenn": "jenn", "smt": "smt", "scikit-learn": "sklearn", "torch": "torch"}
    packages["pyswarms"] = "pyswarms"
    found = [f"{name} {version(name)}" if find_spec(m) else f"{name} missing" for name, m in packages.items()]
    return f"Python {platform.python_version()}, {', '.join(found)}; {platform.machine()}, one thread"


def chosen(options: argparse.Namespace) -> list[tuple[Problem, range]]:
    """Return the problems with their seeds."""
    picked = [p for p in PROBLEMS if not options.only or p.key in options.only]
    return [(p, range(options.seeds or p.seeds)) for p in picked]


def asked(options: argparse.Namespace, name: str, package: str) -> bool:
    """Whether a peer is asked for, and there."""
    return bool(find_spec(package)) and (not options.peers or name in options.peers)


# Values and gradients ---------------------------------------------------------------------------------------------


def gradients(options: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Return the comparison on values and gradients."""
    head = ["function", "peer", "network, rows", "its error", "s", "ours in a tenth", "s", "ours at the end", "s"]
    head += ["error", "time", "peer in that time"]
    rows = []
    for problem, seeds in chosen(options):
        curve = ours_over_time(problem, seeds, True, options.limit)
        for name, (fit, given, part) in WITH_GRADIENTS.items():
            if not asked(options, name, "smt" if fit.__name__ == "genn" else fit.__name__):
                continue
            rows.append(compared(problem, seeds, curve, name, fit, given, part, options.limit))
            print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    return head, rows


def compared(
    problem: Problem, seeds: range, curve: list[Timed], name: str, fit: Any, given: dict, part: Any, limit: float
) -> list[str]:
    """Return one line: a peer as it is used, ours in a tenth of its time and to the end, the peer in our time."""
    trial = part(given, 0.01)
    for _ in range(2):  # the first one imports
        rate = 100 * median(problem, seeds[:1], lambda *data: fit(problem, *data, **trial))[1]
    share = min(1.0, limit / rate)
    error, seconds = median(
        problem, seeds, lambda *data: fit(problem, *data, **(given if share == 1 else part(given, share)))
    )
    tenth = [timed for timed in curve if timed[1] <= seconds / 10]
    best, end = (tenth or [(np.nan, np.nan)])[-1], curve[-1]
    early, _ = median(
        problem, seeds, lambda *data: fit(problem, *data, **part(given, share * min(1.0, end[1] / seconds)))
    )
    shown = name if share == 1 else f"{name} (stopped at {100 * share:.2g} % of its iterations)"
    cells = [error, seconds, *best, *end]
    return [
        problem.title, shown, problem.shape, *map(digits, cells), digits(error / end[0]), number(seconds / end[1]),
        digits(early),
    ]  # fmt: skip


def ours_over_time(problem: Problem, seeds: range, slopes: bool, limit: float) -> list[Timed]:
    """Return median errors and seconds after more and more iterations, the last one with all defaults."""

    def fitted(x: np.ndarray, y: np.ndarray, dydx: np.ndarray, seed: int, **options: Any) -> Any:
        return na.fit(
            x, y, dydx=dydx if slopes else None, hidden=problem.sizes[1:-1], seed=seed, progress=False, **options
        )

    x, *data = problem.points(0)
    few = fitted(x[:50], *(a[:50] for a in data), 0, iterations=2)  # what is made once for a process
    del few
    solver = fitted(x, *data, 0, iterations=1).fit_report().solver
    found = [
        median(problem, seeds, lambda *data: fitted(*data, iterations=count))  # noqa: B023
        for count in STEPS[solver]
    ]
    return [*found, median(problem, seeds, lambda *data: fitted(*data, limit=limit))]


def median(problem: Problem, seeds: range, fit: Callable[..., Any]) -> Timed:
    """Return the medians of errors and seconds."""
    fresh, wanted, _ = problem.fresh()
    found = []
    for seed in seeds:
        data = problem.points(seed)
        start = time.perf_counter()
        f = fit(*data, seed)
        seconds = time.perf_counter() - start
        error = np.sqrt(np.mean((np.ravel(f(fresh)) - wanted) ** 2)) / wanted.std()
        found.append((float(error), seconds))
    return statistics.median(e for e, _ in found), statistics.median(s for _, s in found)


def digits(value: float) -> str:
    """Return two digits that count."""
    return "–" if np.isnan(value) else f"{value:.2g}" if value >= 1e-3 else f"{value:.1e}"


# Values only ------------------------------------------------------------------------------------------------------


def values(options: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Return the comparison on values, each peer in our time and in ten times as much."""
    head = [
        "function",
        "peer",
        "network, rows",
        "ours",
        "s",
        "peer in that time",
        "error",
        "peer in ten times",
        "error",
    ]
    rows = []
    for problem, seeds in chosen(options):
        error, seconds = ours_over_time(problem, seeds, False, options.limit)[-1]
        for name, (package, fit) in VALUES_ONLY.items():
            if not asked(options, name, package):
                continue
            found = [
                median(problem, seeds, lambda x, y, _, seed: fit(problem, x, y, seconds * k, seed))[0]  # noqa: B023
                for k in (1, 10)
            ]
            cells = [cell for e in found for cell in (digits(e), digits(e / error))]
            rows.append([problem.title, name, problem.shape, digits(error), digits(seconds), *cells])
            print("  ".join(rows[-1]), file=sys.stderr, flush=True)
    return head, rows


# Energies and forces, and iris ------------------------------------------------------------------------------------


def forces(options: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Return the largest errors of energies and forces of Lennard-Jones on fresh points, relative to their ranges."""
    head = ["function", "network, rows", "seed", "largest force error", "largest energy error", "s"]
    x, _, _ = LENNARD_JONES.points(0)
    x = np.linspace(*LENNARD_JONES.box, LENNARD_JONES.rows)[:, None]
    fresh = np.linspace(*LENNARD_JONES.box, 20_001)[:, None]
    wanted, force = LENNARD_JONES.function(fresh)
    y, dydx = LENNARD_JONES.function(x)
    rows = []
    for seed in range(options.seeds or 10):
        start = time.perf_counter()
        f = na.fit(x, y, dydx=dydx, hidden=LENNARD_JONES.sizes[1:-1], seed=seed, progress=False)
        seconds = time.perf_counter() - start
        errors = [abs(f.jacobian(fresh)[:, 0] - force), abs(f(fresh)[:, 0] - wanted)]
        largest = [e.max() / np.ptp(w) for e, w in zip(errors, (force, wanted), strict=True)]
        rows.append([LENNARD_JONES.title, LENNARD_JONES.shape, str(seed), *map(digits, [*largest, seconds])])
    return head, rows


def swarms(options: argparse.Namespace) -> tuple[list[str], list[list[str]]]:
    """Return the comparison of swarms, in turns."""
    if not find_spec("sklearn"):
        return ["iris", ""], [["", "needs scikit-learn"]]
    x, classes = iris()
    names = [name for name in SWARMS if name == "neuralgebra" or find_spec("pyswarms")]
    found: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
    for seed in range(options.seeds or IRIS_SEEDS):
        for name in names:
            start = time.perf_counter()
            right = SWARMS[name](x, classes, seed)
            found[name].append((right, time.perf_counter() - start))
    times = {name: statistics.median(s for _, s in result) for name, result in found.items()}
    rows = []
    for name, result in found.items():
        rights = sorted(right for right, _ in result)
        median_right = statistics.median(rights)
        rows.append(
            [f"iris {x.shape[1]}-20-3", name, f"{median_right:g} of {len(x)}", f"{rights[0]} to {rights[-1]}",
             digits(times[name]), digits(times[name] / times["neuralgebra"])]
        )  # fmt: skip
    return ["data", "swarm", "right, median", "right", "s", "time / ours"], rows


if __name__ == "__main__":
    main()
