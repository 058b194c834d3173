"""The numbers of a network that a fit may change, as one vector θ."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.errors import UsageError
from neuralgebra.network.network import Network
from neuralgebra.network.parameters import by_name, check_names, exchanged, hollow

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """Trainable arrays of a network, one after another, each row-major.

    Parameters
    ----------
    template : Network
        The structure, and the numbers that stay as they are.
    trainable : tuple of str
        Names of `Network.parameters` that θ holds; all of them where it is empty.
    """

    template: Network
    trainable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_names(self.template, dict.fromkeys(self.trainable))
        names = tuple(n for n in by_name(self.template) if not self.trainable or n in self.trainable)
        object.__setattr__(self, "trainable", names)
        if not names:
            raise UsageError(
                f"{self.template!r} received, which has no numbers to fit; a network with weights expected."
            )

    @cached_property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The trainable arrays of the template, in the order of θ."""
        known = by_name(self.template)
        return tuple(known[name] for name in self.trainable)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """Where each array begins in θ, and where the last one ends."""
        return tuple(itertools.accumulate((a.size for a in self.arrays), initial=0))

    @property
    def size(self) -> int:
        """Number P of numbers in θ."""
        return self.ends[-1]

    @cached_property
    def is_weight(self) -> np.ndarray:
        """Whether each number of θ is one of a matrix, shape (P,); the others are biases."""
        return np.concatenate(
            [np.full(a.size, not n.endswith("bias")) for n, a in zip(self.trainable, self.arrays, strict=True)]
        )

    def pack(self, arrays: Iterable[np.ndarray]) -> np.ndarray:
        """Return arrays as θ, (P,)."""
        return np.concatenate([np.ravel(a) for a in arrays])

    def unpack(self, theta: np.ndarray) -> list[np.ndarray]:
        """Return θ, (..., P), as views of the shape (..., *shape) of each array."""
        parts = zip(itertools.pairwise(self.ends), self.arrays, strict=True)
        return [theta[..., i:j].reshape(*theta.shape[:-1], *a.shape) for (i, j), a in parts]

    def network(self, theta: np.ndarray) -> Network:
        """Return the network that θ stands for."""
        return exchanged(self.template, dict(zip(self.trainable, self.unpack(np.array(theta)), strict=True)))

    # The structure with numbers of its own for what θ holds -----------------------------------------------------------

    @cached_property
    def structure(self) -> Network:
        """The template without its numbers."""
        return hollow(self.template)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """Where the trainable arrays are among the arrays of the network."""
        names = list(by_name(self.template))
        return tuple(names.index(name) for name in self.trainable)

    @cached_property
    def members(self) -> frozenset[int]:
        """Identities of the trainable arrays of `structure`."""
        arrays = self.structure.arrays
        return frozenset(id(arrays[place]) for place in self.places)

    def values(self, given: Sequence[Any]) -> dict[int, Any]:
        """Return a value for each array of `structure`, by identity: those given for the trainable ones."""
        values: list[Any] = list(self.template.arrays)
        for place, value in zip(self.places, given, strict=True):
            values[place] = value
        return {id(a): v for a, v in zip(self.structure.arrays, values, strict=True)}
