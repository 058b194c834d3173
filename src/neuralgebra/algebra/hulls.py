"""Proven ranges of a network of one input on the pieces of an interval, by Taylor polynomials of balls.

On a piece c + [-r, r] the value is Σ_{k≤p} a_k s^k + a_{p+1}(ξ) s^{p+1}: the first coefficients are those at c, the
last one is enclosed on the whole piece. Where large terms cancel, only the precision of the balls counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import flint
import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.network.network import Network

__all__ = ["Hulls", "hulls"]

_BITS = 256


@dataclass(frozen=True)
class Hulls:
    """Ranges on pieces.

    Parameters
    ----------
    edges : ndarray, shape (pieces + 1,)
        Ends of the pieces.
    low, high : ndarray, shape (pieces,)
        Ends of the values on each piece, proven.
    attained : ndarray, shape (pieces,)
        The value in the middle of each piece, rounded.
    """

    edges: np.ndarray
    low: np.ndarray
    high: np.ndarray
    attained: np.ndarray

    @property
    def largest(self) -> float:
        """What the absolute values do not exceed."""
        return float(max(-self.low.min(), self.high.max()))


def hulls(network: Network, low: float, high: float, pieces: int = 64, order: int = 4) -> Hulls:
    """Return proven ranges of a network of one input and one output on equal pieces of an interval.

    Parameters
    ----------
    network : Network
        The function.
    low, high : float
        The interval.
    pieces : int
        How many pieces.
    order : int
        p, the degree of the Taylor polynomials.

    Returns
    -------
    Hulls
        The ranges; infinite where nothing can be proven.

    Examples
    --------
    >>> found = hulls(Network.function("sin") - Network.function("identity"), -0.1, 0.1)
    >>> print(f"{found.largest:.4f}, {0.1 - np.sin(0.1):.4f}")
    0.0002, 0.0002
    """
    edges = np.linspace(low, high, pieces + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    radius = float(np.nextafter(max((edges[1:] - middles).max(), (middles - edges[:-1]).max()), np.inf))
    k = Balls(_BITS)
    with k.precision():
        centre = k.weight(middles)
        wide = k.each(lambda m: m + flint.arb(0, radius), centre)
        coefficients = _taylor(k, network, centre, order)
        rest = _taylor(k, network, wide, order + 1)[-1]
        swing = sum((abs(a) * flint.arb(radius) ** n for n, a in enumerate(coefficients[1:], 1)), k.zeros(centre.shape))
        swing = swing + abs(rest) * flint.arb(radius) ** (order + 1)
        found = [coefficients[0] - swing, coefficients[0] + swing]
        spans = [[ends(v) if v.is_finite() else (-np.inf, np.inf) for v in side] for side in found]
    attained = np.array([float(v.mid()) for v in coefficients[0]])
    return Hulls(edges, np.array([a for a, _ in spans[0]]), np.array([b for _, b in spans[1]]), attained)


def _taylor(k: Balls, network: Network, x: np.ndarray, order: int) -> list[np.ndarray]:
    """Return the coefficients up to an order at points, one array for each order."""
    one = k.weight(np.ones((1, len(x), 1)))
    given = [x[None, :, None], one, *[None] * (order - 1)][: order + 1]
    jet = Jets(k, network, Jet(IndexSet.full(1, order), given)).run(order)
    return [k.zeros(x.shape) if level is None else np.broadcast_to(level[0, :, 0], x.shape) for level in jet.levels]
