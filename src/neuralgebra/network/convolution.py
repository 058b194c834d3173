"""Convolutions as structured matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.scatter import Scatter
from neuralgebra.errors import InputError, ShapeError
from neuralgebra.network.linear import Linear, contraction, digest, full, turned

__all__ = ["Convolution"]


@dataclass(frozen=True, eq=False)
class Convolution(Linear):
    """A convolution as patches taken by index and multiplied by one kernel.

    Parameters
    ----------
    kernel : ndarray, shape (out_channels, patch)
        One row per output channel.
    patches : ndarray of int, shape (positions, patch)
        Input coordinate of each entry of each patch; -1 is padding.
    size : int
        Number of input coordinates. Outputs are ordered channel by channel: (out_channels, positions), row-major.
    """

    kernel: np.ndarray
    patches: np.ndarray
    size: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernel", full(self.kernel))
        patches = np.array(self.patches, dtype=np.int64)
        object.__setattr__(self, "size", int(self.size))
        if patches.ndim != 2 or not len(patches) or patches.shape[1] != self.kernel.shape[1]:
            raise ShapeError(
                f"patches of shape {patches.shape} received; (positions, {self.kernel.shape[1]}) expected."
            )
        if patches.min() < -1 or patches.max() >= self.size:
            raise InputError(f"patch indices up to {patches.max()} received; -1 to {self.size - 1} expected.")
        patches.flags.writeable = False
        object.__setattr__(self, "patches", patches)
        object.__setattr__(self, "rows", self.kernel.shape[0] * len(patches))
        object.__setattr__(self, "columns", self.size)

    @property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The kernel."""
        return (self.kernel,)

    def structure(self) -> tuple[Any, ...]:
        """Return the wiring."""
        return digest(self.patches), self.size

    def apply(self, k: Any, x: Value) -> Value:
        """Return the image, (..., size) -> (..., out_channels·positions)."""
        images = k.weight(self.kernel) @ self._taken(k, x)
        return k.reshape(images, (*x.shape[:-1], self.rows))

    def _taken(self, k: Any, x: Value) -> Value:
        """Return the patches of x, (..., size) -> (..., patch, positions)."""
        if self._padded:
            x = k.concat([x, k.zeros((*x.shape[:-1], 1))], axis=-1)
        return k.take(x, self._sources, axis=-1)

    @cached_property
    def _padded(self) -> bool:
        return bool((self.patches < 0).any())

    @cached_property
    def _sources(self) -> np.ndarray:
        return np.where(self.patches < 0, self.size, self.patches).T

    def adjoint(self, k: Any, y: Value) -> Value:
        """Return the image under the transpose, (..., out_channels·positions) -> (..., size)."""
        *batch, _ = y.shape
        channels = k.reshape(y, (*batch, len(self.kernel), len(self.patches)))
        patches = turned(k, k.weight(self.kernel)) @ channels
        return self.scatter(k, k.reshape(patches, (*batch, self.patches.size)))

    @cached_property
    def scatter(self) -> Scatter:
        """The sums that bring the entries of the patches back to the coordinates."""
        return Scatter(self.patches.T.ravel(), self.size)

    def gradient(self, k: Any, x: Value, y: Value) -> tuple[Value, ...]:
        """Return the sum of the gradients at all positions."""
        patch, positions = self._sources.shape
        taken = k.reshape(self._taken(k, x), (*x.shape[:-1], patch * positions))
        return (contraction(k, y, len(self.kernel), taken, patch, positions),)

    def multiplied(self, by: Callable[[np.ndarray], np.ndarray]) -> Convolution:
        """Return the map with the kernel times a constant."""
        return Convolution(by(self.kernel), self.patches, self.size)

    def cost(self) -> int:
        """Return the number of multiplications of one application."""
        return self.kernel.size * len(self.patches)

    def dense(self) -> np.ndarray:
        """Return the matrix with its zeros."""
        positions = len(self.patches)
        out = np.zeros((self.kernel.shape[0], positions, self.size + 1), dtype=self.kernel.dtype)
        for channel, kernel in enumerate(self.kernel):
            for position, patch in enumerate(self.patches):
                np.add.at(out[channel, position], patch, kernel)
        return out[..., : self.size].reshape(self.shape)
