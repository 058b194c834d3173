"""How long formulas take: let-forms and their texts, matrices, and how large the inlined formulas would be.

Times are seconds, each the best of a few runs in one process. Sizes of inlined formulas are counted, nothing is built.
Usage: python benchmarks/formula.py [--markdown] [--orders 0,1] [--only 10-90-90-1,5-50-50-50-50-50-50-5]
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from _report import number, table

import neuralgebra as na

SIZES = ("3-2-2-2", "52-20-10-1", "10-90-90-1", "100-90-10-1", "5-50-50-50-50-50-50-5")
NOTATIONS = ("text", "latex", "mathml", "mathematica")
HEAD = ["network", "order", "parameters", "lines", "let-form", *NOTATIONS, "matrices", "text kB", "inlined nodes"]
ENOUGH = 1.0


def main() -> None:
    """Print the table."""
    options = arguments()
    rows = [row(sizes, order) for sizes in options.only for order in options.orders]
    print("Times in s.\n")
    print(table(HEAD, rows, options.markdown))


def arguments() -> argparse.Namespace:
    """Return what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--orders", type=lambda text: [int(v) for v in text.split(",")], default=[0, 1])
    parser.add_argument("--only", type=lambda text: text.split(","), default=SIZES)
    return parser.parse_args()


def network(sizes: str) -> na.Network:
    """Return a tanh network of random weights."""
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(map(int, sizes.split("-")))
    return na.Network.from_layers([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairs], "tanh")


def row(sizes: str, order: int) -> list[str]:
    """Return the times of one network and order."""
    f = network(sizes)
    made, form = timed(lambda: _made(f, order))
    written = [timed(lambda notation=notation: form.written(notation)) for notation in NOTATIONS]
    matrices, _ = timed(lambda: f.formula(order).matrix())
    size, nodes = len(written[0][1]) / 1e3, form.inlined_size()
    times = [made, *(seconds for seconds, _ in written), matrices]
    return [
        sizes,
        str(order),
        f"{f.parameter_count:,}",
        f"{len(form):,}",
        *map(number, times),
        number(size),
        f"{nodes:.3g}",
    ]


def _made(f: na.Network, order: int) -> Any:
    form = f.formula(order)
    len(form)  # makes it
    return form


def timed(ask: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least seconds of a few runs, and the answer."""
    times: list[float] = []
    while not times or (len(times) < 5 and sum(times) < ENOUGH):
        start = time.perf_counter()
        answer = ask()
        times.append(time.perf_counter() - start)
    return min(times), answer


if __name__ == "__main__":
    main()
