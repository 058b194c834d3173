"""Proven ranges of a network of one input on the pieces of an interval, by Taylor polynomials of balls.

On a piece c + [-r, r] the value is Σ_{k≤p} a_k s^k + a_{p+1}(ξ) s^{p+1}: the first coefficients are those at c, the
last one is enclosed on the whole piece. Where large terms cancel, only the precision of the balls counts. A piece on
which a unit may be at a kink has p = 0, for a slope that jumps, or values as balls give them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.pieces import kinks_in
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.network.layers import Elementwise
from neuralgebra.network.network import Network

__all__ = ["SMOOTH", "Hulls", "hulls", "smoothness", "taylor"]

_BITS = 256
SMOOTH = 1000


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


def hulls(network: Network, edges: np.ndarray, order: int = 4) -> Hulls:
    """Return proven ranges of a network of one input and one output on pieces of an interval.

    Parameters
    ----------
    network : Network
        The function.
    edges : ndarray, shape (pieces + 1,)
        Ends of the pieces, in order.
    order : int
        p, the degree of the Taylor polynomials.

    Returns
    -------
    Hulls
        The ranges; infinite where nothing can be proven.

    Examples
    --------
    >>> found = hulls(Network.function("sin") - Network.function("identity"), np.linspace(-0.1, 0.1, 21))
    >>> print(f"{found.largest:.4f}, {0.1 - np.sin(0.1):.4f}")
    0.0002, 0.0002
    """
    middles = (edges[:-1] + edges[1:]) / 2
    radii = np.nextafter(np.maximum(edges[1:] - middles, middles - edges[:-1]), np.inf)
    k = Balls(_BITS)
    with k.precision():
        centre, radius = k.weight(middles), k.weight(radii)
        wide = k.each(lambda m, r: m + flint.arb(0, r), centre, radius)
        coefficients = taylor(k, network, centre, order)
        rest = taylor(k, network, wide, order + 1)[-1]
        start = [*coefficients[:3], k.zeros(centre.shape), k.zeros(centre.shape)][:3]
        swing = sum((abs(a) * radius**n for n, a in enumerate(coefficients[3:], 3)), k.zeros(centre.shape))
        swing = swing + abs(rest) * radius ** (order + 1)
        found = [_parabola(*numbers) for numbers in zip(*start, radius, swing, strict=True)]
        rough = _smoothness(k, network, wide)
        for i in np.flatnonzero(rough < SMOOTH):
            found[i] = _rough(k, network, centre[i : i + 1], wide[i : i + 1], radius[i], int(rough[i]))
        spans = [ends(v) if v.is_finite() else (-np.inf, np.inf) for v in found]
    attained = np.array([float(v.mid()) for v in coefficients[0]])
    return Hulls(edges, np.array([low for low, _ in spans]), np.array([high for _, high in spans]), attained)


def smoothness(network: Network, edges: np.ndarray) -> np.ndarray:
    """Return for each piece the order of the lowest derivative that may jump; SMOOTH where there is no kink."""
    functions = [f for node in network.nodes if isinstance(node.layer, Elementwise) for f, _ in node.layer.activations]
    if not any(f.row.kinks for f in functions):
        return np.full(len(edges) - 1, SMOOTH)
    k = Balls(_BITS)
    with k.precision():
        return _smoothness(k, network, k.interval(edges[:-1], edges[1:]))


def _smoothness(k: Balls, network: Network, wide: np.ndarray) -> np.ndarray:
    run = Jets(k, network, Jet(IndexSet.full(1, 0), [wide[None, :, None]]))
    run.run(0, keep=True)
    found = np.full(len(wide), SMOOTH)
    for node in network.nodes:
        if isinstance(node.layer, Elementwise):
            value = run.jets[node.inputs[0]]
            assert value is not None
            z = np.broadcast_to(value.value[0], (len(wide), value.value.shape[-1]))
            for touched, order in kinks_in(k, node.layer, z):
                found[touched] = np.minimum(found[touched], order)
    return found


def _rough(
    k: Balls, network: Network, centre: np.ndarray, wide: np.ndarray, radius: flint.arb, order: int
) -> flint.arb:
    """Return a ball that contains the values on a piece with a kink."""
    if order == 0:
        return taylor(k, network, wide, 0)[0][0]
    return taylor(k, network, centre, 0)[0][0] + taylor(k, network, wide, 1)[1][0] * flint.arb(0, 1) * radius


def _parabola(a: flint.arb, b: flint.arb, c: flint.arb, radius: flint.arb, swing: flint.arb) -> flint.arb:
    """Return a ball that contains a + b s + c s² ± swing for |s| ≤ radius."""
    hull = (a + b * radius + c * radius**2).union(a - b * radius + c * radius**2)
    if not abs(b) > 2 * abs(c) * radius:  # the vertex -b/(2c) may be inside
        hull = hull.union(a - b * b / (4 * c) if c > 0 or c < 0 else a)
        hull = hull if c > 0 or c < 0 else hull + flint.arb(0, 1) * (abs(b) * radius + abs(c) * radius**2)
    return hull + flint.arb(0, 1) * swing


def taylor(k: Any, network: Network, x: np.ndarray, order: int) -> list[np.ndarray]:
    """Return the Taylor coefficients of a network of one input and one output.

    Parameters
    ----------
    k : Kind
        The kind of number.
    network : Network
        The function.
    x : array, shape (points,)
        Where.
    order : int
        The highest order.

    Returns
    -------
    list of array, shape (points,)
        f⁽ⁿ⁾(x) / n! for each order.
    """
    one = k.weight(np.ones((1, len(x), 1)))
    given = [x[None, :, None], one, *[None] * (order - 1)][: order + 1]
    jet = Jets(k, network, Jet(IndexSet.full(1, order), given)).run(order)
    return [k.zeros(x.shape) if level is None else np.broadcast_to(level[0, :, 0], x.shape) for level in jet.levels]
