"""How tight proven ranges are: their width over that of what is seen at random points, on networks of many kinds.

Plain intervals (in balls, as jets run on them), one box with linear bounds, and the box cut into parts. Run
`python benchmarks/enclosures.py [MODEL] [--markdown]`; of a MODEL, an ACAS Xu network with normalised inputs say, the
first output is enclosed around the origin.
"""

import argparse
import functools
import itertools
import time

import numpy as np

import neuralgebra as na
from neuralgebra.algebra.enclosure import derivative
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets

POINTS = 200_000
PARTS = (1, 200, 2000)
HEAD = ("network", "box", "of", "intervals", *(f"{n} boxes" if n > 1 else "1 box" for n in PARTS), "seconds")


def chain(name: str, *sizes: int, output: str = "identity") -> na.Network:
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(sizes)
    layers = [(rng.normal(size=(b, a)) / np.sqrt(a), 0.3 * rng.normal(size=b)) for a, b in pairs]
    return na.Network.from_layers(layers, name, output=output)


def networks() -> dict[str, na.Network]:
    """Return the networks, with weights of variance 1/n."""
    f, g = chain("tanh", 2, 20, 1), chain("sigmoid", 2, 20, 1)
    return {
        "tanh 2-20-1": f,
        "tanh 3-20-20-20-1": chain("tanh", 3, 20, 20, 20, 1),
        "sigmoid 3-20-20-1": chain("sigmoid", 3, 20, 20, 1),
        "gelu 2-30-30-1": chain("gelu", 2, 30, 30, 1),
        "softplus 4-20-20-1": chain("softplus", 4, 20, 20, 1),
        "sin 2-20-20-1": chain("sin", 2, 20, 20, 1),
        "relu 2-20-20-1": chain("relu", 2, 20, 20, 1),
        "relu 5-50×6-1": chain("relu", 5, *[50] * 6, 1),
        "softmax 3-20-3": chain("tanh", 3, 20, 3, output="softmax")[0],
        "product of tanh and sigmoid": f * g,
        "quotient": f / (g * g + 1),
    }


def by_balls(network: na.Network, radius: float) -> float:
    """Return the width of the first output in plain intervals."""
    k = Balls()
    with k.precision():
        ends = np.full(network.input_size, radius)
        jet = Jet(IndexSet.full(network.input_size, 0), [k.interval(-ends, ends)[None, None]])
        ball = Jets(k, network, jet).run(0).value[0, 0, 0]
        return float(ball.upper() - ball.lower()) if ball.is_finite() else np.inf


def seen(network: na.Network, radius: float) -> float:
    rng = np.random.default_rng(0)
    values = network(rng.uniform(-radius, radius, (POINTS, network.input_size)))[:, 0]
    return float(values.max() - values.min())


def row(name: str, network: na.Network, radius: float, order: int) -> tuple[str, ...]:
    target = derivative(network, order)[0]
    spread = seen(target, radius)
    widths, box = [by_balls(target, radius)], [(-radius, radius)] * network.input_size
    for parts in PARTS:
        start = time.perf_counter()
        widths.append(target.enclose(box, boxes=parts).width[0])
    seconds = time.perf_counter() - start
    what = ("value", "∂y/∂x1", "∂²y/∂x1²")[order]
    return name, f"±{radius:g}", what, *(f"{w / spread:.3g}" for w in widths), f"{seconds:.2f}"


def first_output(path: str) -> list[tuple[str, ...]]:
    """Return certified over sampled ranges of the first output of a model."""
    network = na.load(path)[0]
    rows = []
    for radius, parts in ((0.02, 2000), (0.02, 20_000), (0.05, 2000), (0.05, 20_000)):
        spread, box = seen(network, radius), [(-radius, radius)] * network.input_size
        start = time.perf_counter()
        width = network.enclose(box, boxes=parts).width[0]
        seconds = time.perf_counter() - start
        plain = by_balls(network, radius) / spread
        rows.append((f"±{radius:g}", f"{parts}", f"{plain:.3g}", f"{width / spread:.3f}", f"{seconds:.1f}"))
    return rows


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], markdown: bool) -> str:
    if markdown:
        rule = ["---" if i == 0 else "---:" for i in range(len(head))]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in (head, *rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    show = functools.partial(table, markdown=given.markdown)
    if given.model:
        print(show(("box", "boxes", "intervals", "certified / sampled", "seconds"), first_output(given.model)))
        return
    values = [row(name, f, r, 0) for name, f in networks().items() for r in (0.1, 1.0)]
    smooth = ("tanh 2-20-1", "gelu 2-30-30-1", "product of tanh and sigmoid")
    slopes = [row(name, networks()[name], 1.0, order) for name in smooth for order in (1, 2)]
    print(show(HEAD, values + slopes))


if __name__ == "__main__":
    main()
