"""Boxes that have no width in some inputs: there a network is a function of the other ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neuralgebra.network.box import Box
from neuralgebra.network.network import Network

__all__ = ["Face", "face"]


@dataclass(frozen=True)
class Face:
    """A network of those inputs only that a box lets change.

    Parameters
    ----------
    network : Network
        The function of these inputs.
    box : Box
        Their ranges.
    lift : callable
        Their values -> those of all inputs.
    """

    network: Network
    box: Box
    lift: Callable[[np.ndarray], np.ndarray]

    @property
    def point(self) -> bool:
        """Whether no input may change."""
        return self.box.low == self.box.high

    def lifted(self, x: Sequence[float]) -> tuple[float, ...]:
        """Return the values of all inputs."""
        return tuple(self.lift(np.array(x)).tolist())


def face(network: Network, box: Box) -> Face:
    """Return a network without the inputs that a box fixes; the network itself if it fixes all of them, or none.

    Parameters
    ----------
    network : Network
        f.
    box : Box
        Where.

    Returns
    -------
    Face
        With its box, and the way back.
    """
    low, high = np.array(box.low), np.array(box.high)
    free = np.flatnonzero(low < high)
    if len(free) in (0, len(low)):
        return Face(network, box, lambda x: x)

    def lift(x: np.ndarray) -> np.ndarray:
        whole = np.broadcast_to(low, (*x.shape[:-1], len(low))).copy()
        whole[..., free] = x
        return whole

    names = [network.input_names[i] for i in free]
    pair = np.eye(len(low))[:, free], np.where(low < high, 0.0, low)
    inner = Network.from_layers([pair], input_names=names)
    return Face(network @ inner, Box(tuple(low[free].tolist()), tuple(high[free].tolist())), lift)
