"""What the values at the places of a network are called: z1, a1, z2, …, in formulas and in programs."""

from __future__ import annotations

from collections import Counter

from neuralgebra.network.layers import Affine, Elementwise, Maximum, Multiply, Softmax
from neuralgebra.network.network import Network

__all__ = ["stems"]

_STEMS = {Affine: "z", Elementwise: "a", Multiply: "p", Maximum: "m", Softmax: "s"}


def stems(network: Network) -> dict[int, str]:
    """Return a letter and a number for each place: z1, a1, z2, …."""
    count: Counter[str] = Counter()
    stems = {0: "x"}
    for place, node in enumerate(network.nodes, 1):
        letter = _STEMS.get(type(node.layer), "v")
        count[letter] += 1
        stems[place] = f"{letter}{count[letter]}"
    return stems
