"""Write docs/derivative-accuracy.md: the errors of values and derivatives to order 6 (measured; about three minutes).

The error of each number is divided by u·M: u is the unit roundoff of the dtype, M the majorant of the number, which
`neuralgebra.arithmetic.majorant` defines. Exact numbers are the midpoints of 128-bit balls. All weights and points are
float32 numbers, so that both dtypes compute the same thing.
"""

from __future__ import annotations

import argparse
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import _derivative_cases
import numpy as np

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.majorant import Majorant, Measured
from neuralgebra.calculus.derivatives import jets

ORDER = 6
LOW = 4  # jets up to this order are computed in another way than longer ones
DTYPES = ("float64", "float32")
THINNED = 5  # one row of so many is measured on JAX
MARGIN = 2.0**12  # for each order: so far from underflow and overflow a number has to be
PAGE = Path(__file__).parent / "derivative-accuracy.md"
TEXT = """\
# Accuracy of derivatives

Made by `python docs/make_derivative_accuracy.py`.

Errors are given in units of u·M. u is the unit roundoff, 2⁻⁵³ in float64 and 2⁻²⁴ in float32. M is the *majorant* of a
number: the rules of differentiation themselves, run on absolute values by another kind of number,
`src/neuralgebra/arithmetic/majorant.py`. It is the sum of two things:

- the *size*: |w| for a weight, an input or a number, A + B for a ± b, A·B for a·b, |W|·X for W x, |c(z)| for a function
  of a chain, that of the chosen one for a case or maximum;
- the *shift*: how far the number moves, at first order and in units of u, when the argument z of each function of a
  chain is off by u times its own majorant: |c'(z)| times the majorant of z for c(z), and from there on the product rule
  on sizes, A·Q + P·B for a·b with shifts P and Q.

A figure of one or two is a rounding of the last operation. To first order in u, figures s and t of operands become at
most max(s, t) + 1 in a sum and s + t + 1 in a product: a figure counts the roundings along the longest path that did
not cancel, whatever weights and points are. The relative error is M / |f| times the figure; M / |f| is 1 where nothing
cancels, and the last column of the tables shows what it commonly is. Where layers cancel by design, layer norm or
logarithms and powers of sums, M grows with the order far beyond the errors, and figures near 0 say so.

Exact numbers are the midpoints of 128-bit balls. Weights and points are float32 numbers, so that all dtypes compute
the same. Each row has {points} random points and counts all partial derivatives by two inputs: values, Jacobians and
Hessians by the questions `f(x)`, `f.jacobian(x)`, `f.hessian(x)`, by `f.derivatives(x, 4)` and `f.derivatives(x, 6)`,
and on NumPy by every other way that `f.plan` lists (adjoint, forward, layer sum, jets); orders 3 and 4 by both,
higher ones by the longer call of `f.derivatives`. Arguments of activations reach to about ±100, far into saturation.
No point lies outside a domain, which arguments fill to within a thousandth of its ends, nor on a kink, where a
derivative is a matter of choice. Left out of order n are numbers with majorants below 2¹²⁽ⁿ⁺¹⁾ times the smallest
normal number, since underflow is an error of another kind, and points with one above 2⁻¹²⁽ⁿ⁺¹⁾ times the largest
number.
{counted}.

## The worst

{summary}

These are places where nothing cancels, M ≈ |f|, and every factor brings its own error. Near z = 0 the derivatives of
tanh of order 1, 3, 5 are 1, -2 and 16 times sech(z)², its square and its cube; sech(z)² times its weight may be off by
4 u, and so they are by up to 4, 8 and 12 u. The same holds for sigmoid, and one order later for softplus and lisht,
z tanh(z). Depth adds little: the majorant contains it.

## Activations

V σ(W x + b): each of four units by itself, and their weighted sum. Columns: order and bits, on NumPy; 0 is no error at
all, since most of these derivatives are zero. The last column is the median of M / |f| at orders 0, 2 and 6.

{activations}

## Layers

Behind a dense layer with tanh; products with a second one with sin, powers and mixing behind exp, softmax behind none.

{layers}
"""


# What is measured -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """A network and points; what is exact of it is computed when first asked for."""

    name: str
    network: na.Network
    points: np.ndarray

    @cached_property
    def exact(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Derivatives of order 0 to 6, each as the sum of two float64 arrays."""
        kind = Balls(128)
        with kind.precision(), quiet():
            results = jets(kind, self.network, kind.weight(self.points), ORDER)
            for result, majorant in zip(results, self.majorants, strict=True):
                self._expect_known(result, majorant)
            return [tuple(halves(result)) for result in results]

    def _expect_known(self, balls: np.ndarray, majorant: np.ndarray) -> None:
        """Raise where a ball is too wide to tell errors: cancellation beyond 128 bits, or a point at a kink."""
        radius = np.array([float(ball.rad()) for ball in balls.flat]).reshape(balls.shape)
        if np.any((radius > 2.0**-70 * majorant) & (majorant > np.finfo(float).tiny)):
            raise ArithmeticError(f"{self.name}: balls of 128 bits are too wide")

    @cached_property
    def majorants(self) -> list[np.ndarray]:
        """Majorant of each derivative."""
        return [p.majorant for p in majorants(self.network, self.points)]


def halves(balls: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the float64 arrays next to the midpoints and to what then is left."""
    head = np.array([float(ball) for ball in balls.flat]).reshape(balls.shape)
    finite = np.where(np.isfinite(head), head, 0.0)
    yield head
    yield np.array([float(b.mid() - h) for b, h in zip(balls.flat, finite.flat, strict=True)]).reshape(balls.shape)


def majorants(network: na.Network, x: np.ndarray) -> list[Measured]:
    """Return the derivatives of order 0 to 6 with their majorants, by jets."""
    kind, given = Majorant(), Measured(x)
    with quiet():
        low, high = (jets(kind, network, given, order) for order in (LOW, ORDER))
    return [Measured.of(p) for p in (*low, *high[LOW + 1 :])]


# Measurement ------------------------------------------------------------------------------------------------------

Library = tuple[Callable[[np.ndarray], Any], Callable[[Any], np.ndarray]]


def libraries() -> dict[str, Library]:
    """Return how an array enters and leaves each library."""
    import jax
    import torch

    jax.config.update("jax_enable_x64", True)
    return {
        "NumPy": (np.asarray, np.asarray),
        "PyTorch": (torch.asarray, lambda a: a.numpy()),
        "JAX": (jax.numpy.asarray, np.asarray),
    }


def computed(network: na.Network, x: Any, every: bool) -> Iterator[tuple[int, Any]]:
    """Yield order and result of each question that gives values or derivatives; `every` adds the ways not taken."""
    name = str(x.dtype).rsplit(".", 1)[-1]
    yield 0, network(x, dtype=name)
    yield 1, network.jacobian(x, dtype=name)
    yield 2, network.hessian(x, dtype=name)
    for order in (LOW, ORDER):
        yield from enumerate(network.derivatives(x, order, dtype=name))
    for quantity, order in (("jacobian", 1), ("hessian", 2)) if every else ():
        for way in network.plan(quantity).ways:
            yield order, way.compute(Arrays(x), network, x)[order]


def measured(case: Case, dtype: str, library: Library, every: bool) -> list[float]:
    """Return the worst error of each order, in u·M."""
    enter, leave = library
    worst = [0.0] * (ORDER + 1)
    units = [unit(case, order, dtype) for order in range(ORDER + 1)]
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("error")
        for order, result in computed(case.network, enter(case.points.astype(dtype)), every):
            error = distance(leave(result).astype(np.float64), case.exact[order], units[order])
            worst[order] = max(worst[order], error)
    return worst


def unit(case: Case, order: int, dtype: str) -> np.ndarray:
    """Return u·M; infinity where numbers may underflow, and at points where they may overflow."""
    margin = MARGIN ** (order + 1)
    limits, majorant, value = np.finfo(dtype), case.majorants[order], case.exact[order][0]
    with quiet():
        largest = np.max([m.reshape(len(m), -1).max(axis=1) for m in case.majorants[: order + 1]], axis=0)
        fits = (largest <= float(limits.max) / margin).reshape(-1, *(1,) * (order + 1))
        counts = fits & (((majorant == 0) & (value == 0)) | (majorant >= float(limits.tiny) * margin))
        return np.where(counts, majorant * float(limits.eps) / 2, np.inf)


def distance(result: np.ndarray, exact: tuple[np.ndarray, np.ndarray], unit: np.ndarray) -> float:
    """Return the largest error in such units."""
    head, tail = exact
    errors = np.abs((result - head) - tail)
    ratios = np.where(errors == 0, 0.0, errors / unit)[np.isfinite(unit)]
    return float(np.where(np.isnan(ratios), np.inf, ratios).max(initial=0.0))


# The page ---------------------------------------------------------------------------------------------------------


@dataclass
class Report:
    """What is found, row by row."""

    libraries: dict[str, Library]
    worst: dict[tuple[str, str], list[tuple[float, str]]] = field(default_factory=dict)
    counted: dict[str, list[int]] = field(default_factory=lambda: {dtype: [0, 0] for dtype in DTYPES})

    def table(self, cases: Iterable[Case]) -> str:
        """Return the table of some cases."""
        orders = [f"{order}, {dtype[-2:]}" for dtype in DTYPES for order in range(ORDER + 1)]
        head = ["", *orders, "M / \\|f\\|"]
        rows = [self.row(case, place) for place, case in enumerate(cases)]
        return "\n".join(map(line, [head, ["---"] * len(head), *rows]))

    def row(self, case: Case, place: int) -> list[str]:
        """Return the cells of one case: errors on NumPy, and how large majorants are beside the numbers."""
        for dtype, name in itertools.product(DTYPES, self.libraries):
            if name != "JAX" or place % THINNED == 0:
                self.note((name, dtype), case.name, measured(case, dtype, self.libraries[name], name == "NumPy"))
        for dtype in DTYPES:
            units = [np.isfinite(unit(case, order, dtype)) for order in range(ORDER + 1)]
            self.counted[dtype][0] += sum(int(u.sum()) for u in units)
            self.counted[dtype][1] += sum(u.size for u in units)
        cells = [f"{e:.1f}" if e else "0" for dtype in DTYPES for e in self.last["NumPy", dtype]]
        return [case.name, *cells, " / ".join(generosity(case, order) for order in (0, 2, ORDER))]

    def note(self, key: tuple[str, str], name: str, errors: list[float]) -> None:
        """Keep the errors of a case, and the worst of all."""
        self.last[key] = errors
        known = self.worst.setdefault(key, [(0.0, "")] * (ORDER + 1))
        self.worst[key] = [max(k, (e, name), key=lambda pair: pair[0]) for k, e in zip(known, errors, strict=True)]

    @cached_property
    def last(self) -> dict[tuple[str, str], list[float]]:
        """The errors of the last case, by library and dtype."""
        return {}

    def summary(self) -> str:
        """Return the table of the worst errors of each library."""
        head = ["", *(f"order {order}" for order in range(ORDER + 1))]
        rows = [
            [f"{name}, {dtype}" + " †" * (name == "JAX"), *(f"{e:.1f} {of}" for e, of in found)]
            for (name, dtype), found in sorted(
                self.worst.items(), key=lambda item: list(self.libraries).index(item[0][0])
            )
        ]
        return "\n".join(map(line, [head, ["---"] * len(head), *rows]))

    def share(self) -> str:
        """Return how many numbers count."""
        (a, b), (c, d) = (self.counted[dtype] for dtype in DTYPES)
        return f"{100 * a / b:.1f} % of all numbers count in float64, {100 * c / d:.1f} % in float32"


def generosity(case: Case, order: int) -> str:
    """Return the median of M / |f|, where f is not 0."""
    value, majorant = np.abs(case.exact[order][0]), case.majorants[order]
    with quiet():
        ratios = (majorant / value)[(value > 0) & np.isfinite(majorant)]
    median = float(np.median(ratios)) if len(ratios) else 0.0
    return (
        "-" if not median else f"{median:.1f}" if median < 10 else f"{median:.0f}" if median < 1e5 else f"{median:.0e}"
    )


def line(cells: list[str]) -> str:
    """Return a line of a table."""
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=240, help="random points for each row")
    options = parser.parse_args()
    report = Report(libraries())
    both = (_derivative_cases.activations, _derivative_cases.layers)
    tables = [report.table(itertools.starmap(Case, cases(options.points))) for cases in both]
    summary = report.summary() + f"\n\n† Every {THINNED}th row, since JAX compiles each operation."
    text = TEXT.format(
        summary=summary, activations=tables[0], layers=tables[1], points=options.points, counted=report.share()
    )
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
