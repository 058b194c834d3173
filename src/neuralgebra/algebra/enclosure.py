"""Proven ranges of the values of a network on a box."""

from __future__ import annotations

import numpy as np

from neuralgebra.algebra.sensitivity import Range
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.network.box import Box
from neuralgebra.network.network import Network

__all__ = ["ranges"]


def ranges(network: Network, box: Box) -> list[Range]:
    """Return proven ends of the values at all places."""
    k = Balls()
    with k.precision():
        x = Jet(IndexSet.full(network.input_size, 0), [k.interval(np.array(box.low), np.array(box.high))[None, None]])
        jets = Jets(k, network, x)
        jets.run(0, keep=True)
        values = [jet.value[0, 0] for jet in jets.jets if jet is not None]
        pairs = [[ends(v) if v.is_finite() else (-np.inf, np.inf) for v in value] for value in values]
    return [(np.array([a for a, _ in pair]), np.array([b for _, b in pair])) for pair in pairs]
