"""Taylor polynomials with proven remainders on small boxes, in balls.

On a piece c + [-r, r] a function is Σ_{|α|≤p} a_α s^α + Σ_{|α|=p+1} a_α(ξ) s^α: the first coefficients are those at c,
the last ones are enclosed on the whole piece. Where a kink may lie in a piece only p ≤ 0 is used: the function is
Lipschitz there, and its slopes are in the hull of those of both sides (Clarke, "Optimization and nonsmooth analysis",
1983); where it may jump only its range, p = -1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.elementary import elementary
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.calculus.indices import IndexSet, MultiIndex
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.network.layers import Elementwise
from neuralgebra.network.network import Network

__all__ = ["Form", "Pieces", "integral_of", "kinks_in", "range_of", "values_of"]

_ORDERS = {1: 15, 2: 7, 3: 5}  # p, by the number of inputs
_LEAST = 3

Form = Callable[[MultiIndex, Sequence[flint.arb], bool], flint.arb]
"""(α, r, whether the coefficient depends on s) -> what stands for s^α, |s| ≤ r."""


def integral_of(index: MultiIndex, radius: Sequence[flint.arb], varies: bool) -> flint.arb:
    """Return ∫ s^α over |s| ≤ r; where the coefficient varies and s^α changes its sign, a ball of ∫ |s^α|."""
    exponents = Counter(index)
    size = math.prod(
        (2 * r ** (exponents[i] + 1) / (exponents[i] + 1) for i, r in enumerate(radius)), start=flint.arb(1)
    )
    if all(e % 2 == 0 for e in exponents.values()):
        return size
    return flint.arb(0, 1) * size if varies else flint.arb(0)


def range_of(index: MultiIndex, radius: Sequence[flint.arb], varies: bool) -> flint.arb:
    """Return a ball of all s^α, |s| ≤ r."""
    del varies
    size = math.prod((radius[i] for i in index), start=flint.arb(1))
    if not index:
        return size
    low = 0 * size if all(e % 2 == 0 for e in Counter(index).values()) else -size
    return low.union(size)


class Pieces:
    """Enclosures of a function on boxes.

    Parameters
    ----------
    network : Network
        The function, n inputs and m outputs.
    k : Balls
        The kind of number; calls run in its precision.
    """

    def __init__(self, network: Network, k: Balls) -> None:
        self.network, self.k = elementary(network), k
        self.order = _ORDERS.get(network.input_size, _LEAST)
        self.indices = IndexSet.full(network.input_size, self.order + 1)

    def sums(self, low: np.ndarray, high: np.ndarray, form: Form) -> np.ndarray:
        """Return Σ a_α form(α) on boxes, from the tightest of the expansions that hold there.

        Parameters
        ----------
        low, high : ndarray of ball, shape (boxes, n)
            Their ends, exact.
        form : callable
            What stands for s^α.

        Returns
        -------
        ndarray of ball, shape (boxes, m)
            The sums.
        """
        middle, radius = (low + high) / 2, (high - low) / 2
        outer, smooth = self._outer(self.k.interval(low, high))
        inner = self._levels(middle, self.order)[0]
        best: np.ndarray = self._sum([], outer[0], radius, form)
        for p in (0, self.order):
            sums = self._sum(inner[: p + 1], outer[p + 1], radius, form)
            holds = (smooth >= 1 + (p > 0))[:, None]
            best = self.k.each(_tighter, best, sums, holds)
        return best

    def _sum(self, levels: list[np.ndarray], last: np.ndarray, radius: np.ndarray, form: Form) -> np.ndarray:
        """Return Σ a_α form(α) over levels at the middle and one on the whole box."""
        total: np.ndarray = self.k.zeros(last.shape[1:])
        for n, level in enumerate([*levels, last]):
            varies = n == len(levels)
            terms = np.array([[form(i, r, varies) for r in radius] for i in self.indices.levels[n]], dtype=object)
            total = total + np.sum(level * terms[:, :, None], axis=0)
        return total

    def _outer(self, wide: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the coefficients enclosed on boxes, and for each box 2: smooth, 1: a kink, 0: perhaps a jump."""
        levels, run = self._levels(wide, self.order + 1)
        smooth = np.full(len(wide), 2)
        for node in self.network.nodes:
            if isinstance(node.layer, Elementwise):
                value: Any = run.jets[node.inputs[0]]
                for touched, order in kinks_in(self.k, node.layer, value.value[0]):
                    smooth[touched] = np.minimum(smooth[touched], min(order, 1))
        return levels, smooth

    def _levels(self, x: np.ndarray, order: int) -> tuple[list[np.ndarray], Jets]:
        """Return the coefficients at points, (K, boxes, m) for each order, and the jets of all places."""
        shape = (*x.shape[:1], self.network.output_size)
        seeds = np.broadcast_to(self.k.weight(np.eye(x.shape[1]))[:, None, :], (x.shape[1], *x.shape))
        levels = [x[None], seeds, *[None] * order][: order + 1]
        run = Jets(self.k, self.network, Jet(IndexSet.full(x.shape[1], order), levels))
        found = run.run(order, keep=True).levels
        counts = map(len, self.indices.levels)
        return [
            self.k.zeros((n, *shape)) if level is None else np.broadcast_to(level, (n, *shape))
            for n, level in zip(counts, found, strict=False)
        ], run


def kinks_in(k: Balls, layer: Elementwise, z: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Yield for each kink in which boxes some unit may be there, and its order; z has the shape (boxes, size)."""
    for function, start, end in layer.blocks:
        part = z[:, start:end]
        for point, order in function.points(k):
            touched = k.each(lambda v, p: not (v < p or v > p), part, np.asarray(point, dtype=object))
            yield np.any(touched.astype(bool), axis=1), int(order)


def _tighter(old: flint.arb, new: flint.arb, holds: bool) -> flint.arb:
    return new if holds and _radius(new) < _radius(old) else old


def _radius(ball: flint.arb) -> float:
    return float(ball.rad()) if ball.is_finite() else math.inf


def values_of(network: Network, x: Sequence[float], bits: int = 200) -> np.ndarray:
    """Return a network at a point in balls.

    Parameters
    ----------
    network : Network
        The function.
    x : sequence of float
        The point.
    bits : int
        Precision.

    Returns
    -------
    ndarray of ball, shape (m,)
        Its values.
    """
    k = Balls(bits)
    with k.precision():
        jet = Jet(IndexSet.full(network.input_size, 0), [k.weight(np.asarray(x, dtype=float))[None]])
        value: np.ndarray = Jets(k, network, jet).run(0).value[0]
    return value
