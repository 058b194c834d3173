"""Drawing a network operation by operation, on tensors with a shape; their batch axis comes first and is left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.errors import ShapeError, UnsupportedError, shown
from neuralgebra.network.builder import Builder
from neuralgebra.network.composed import BlockDiagonal
from neuralgebra.network.convolution import Convolution
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Layer, Maximum, Multiply, Select
from neuralgebra.network.linear import Dense, Diagonal, Kronecker, identity

__all__ = ["BATCH", "Tape", "Tensor", "windows"]

BATCH = 7
"""Samples in the sketch that `Tape.rearranged` makes: a number that no program is likely to mention."""


@dataclass(frozen=True)
class Tensor:
    """A value that depends on the input of the network.

    Parameters
    ----------
    place : int
        Its place in the network.
    shape : tuple of int
        Shape of one sample, flattened row-major.
    """

    place: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of coordinates of one sample."""
        return math.prod(self.shape)


class Tape:
    """The network under construction.

    Parameters
    ----------
    size : int
        Number of inputs.
    dtype : dtype
        Floating dtype of the weights that operations imply.

    Attributes
    ----------
    thresholds : dict of int to float
        Identity of a softplus layer -> from which argument on the program that is read gives the argument itself.
    """

    def __init__(self, size: int, dtype: Any) -> None:
        self.builder = Builder(size)
        self.dtype = np.dtype(dtype)
        self.thresholds: dict[int, float] = {}

    def add(self, layer: Layer, *inputs: Tensor, shape: tuple[int, ...] | None = None) -> Tensor:
        """Return the result of a layer; its shape is that of the first input unless one is given."""
        place = self.builder.add(layer, *(x.place for x in inputs))
        return Tensor(place, inputs[0].shape if shape is None else shape)

    def function(self, name: str | Any, x: Tensor) -> Tensor:
        """Return an activation, coordinate by coordinate."""
        return self.add(Elementwise(name), x)

    # Affine -----------------------------------------------------------------------------------------------------

    def along(self, weight: np.ndarray, x: Tensor, axis: int = -1) -> Tensor:
        """Return a matrix (out, in) applied along one axis."""
        axis = self.axis(axis, x)
        before, after = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
        if x.shape[axis] != weight.shape[1]:
            raise ShapeError(
                f"a tensor with shape {x.shape} for one sample received; {weight.shape[1]} values expected."
            )
        matrix: Any = Dense(weight) if before == after == 1 else Kronecker(weight, before, after)
        return self.add(Affine(matrix), x, shape=(*x.shape[:axis], len(weight), *x.shape[axis + 1 :]))

    def axis(self, axis: int, x: Tensor) -> int:
        """Return a position among the axes of a sample from one that may count from the end."""
        if not -len(x.shape) <= axis < len(x.shape):
            raise ShapeError(f"axis {axis} received for a sample of shape {x.shape}.")
        return axis % len(x.shape)

    def scaled(self, x: Tensor, factors: Any) -> Tensor:
        """Return the product with constants, broadcast."""
        x, flat = self._with_constants(x, factors)
        uniform = bool(np.all(flat == flat[0]))
        return self.add(Affine(identity(x.size, 1, flat[:1], flat.dtype) if uniform else Diagonal(flat)), x)

    def shifted(self, x: Tensor, terms: Any) -> Tensor:
        """Return the sum with constants, broadcast."""
        x, flat = self._with_constants(x, terms)
        return self.add(Affine(identity(x.size, dtype=flat.dtype), flat), x) if flat.any() else x

    def _with_constants(self, x: Tensor, constants: Any) -> tuple[Tensor, np.ndarray]:
        """Return both in one shape, the constants flattened."""
        array = np.asarray(constants, self.dtype if np.ndim(constants) == 0 else None)
        if array.ndim > len(x.shape):
            if array.ndim > len(x.shape) + 1 or array.shape[0] != 1:
                raise _batch(f"constants of shape {array.shape} with a sample of shape {x.shape}")
            array = array[0]
        shape = np.broadcast_shapes(x.shape, array.shape)
        return self.spread(x, shape), np.broadcast_to(array, shape).ravel()

    def sum(self, a: Tensor, b: Tensor, factor: float = 1.0) -> Tensor:
        """Return a + factor·b, broadcast."""
        a, b = self.together(a, b)
        row = identity(a.size, 2, [1.0, factor], self.dtype)
        return self.add(Affine(row), self.add(Concatenate(), a, b), shape=a.shape)

    # Wiring -----------------------------------------------------------------------------------------------------

    def together(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return two tensors broadcast to one shape."""
        if len(a.shape) != len(b.shape):
            raise _batch(f"samples of shape {a.shape} and {b.shape}")
        shape = np.broadcast_shapes(a.shape, b.shape)
        return self.spread(a, shape), self.spread(b, shape)

    def spread(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return a tensor repeated to a larger shape, as NumPy broadcasts."""
        return self.select(x, np.broadcast_to(np.arange(x.size).reshape(x.shape), shape))

    def select(self, x: Tensor, coordinates: np.ndarray) -> Tensor:
        """Return coordinates of a tensor, in the shape of the array that lists them."""
        return self.add(Select(coordinates.ravel()), x, shape=coordinates.shape)

    def joined(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        """Return tensors laid one after another along an axis of the sample."""
        axis = self.axis(axis, parts[0])
        ends = np.cumsum([0, *(x.size for x in parts)])
        grids = [np.arange(x.size).reshape(x.shape) + start for x, start in zip(parts, ends, strict=False)]
        flat = self.add(Concatenate(), *parts, shape=(int(ends[-1]),))
        return self.select(flat, np.concatenate(grids, axis))

    def rearranged(self, x: Tensor, action: Callable[[np.ndarray], np.ndarray]) -> Tensor:
        """Return what an action on arrays with a batch axis does to the coordinates of a sample.

        Parameters
        ----------
        x : Tensor
            The tensor.
        action : callable
            It receives coordinate numbers, shape (batch, *shape), and moves or leaves out some.

        Returns
        -------
        Tensor
            The result, for any batch.

        Raises
        ------
        UnsupportedError
            When the action treats samples differently or mixes them.
        """
        sketch = np.arange(BATCH * x.size).reshape(BATCH, *x.shape)
        result = np.asarray(action(sketch))
        starts = x.size * np.arange(BATCH).reshape((-1,) + (1,) * max(result.ndim - 1, 0))
        if not result.ndim or len(result) != BATCH or not np.array_equal(result, result[:1] + starts):
            raise _batch("an operation that moves values between samples")
        return self.select(x, result[0])

    # Products ---------------------------------------------------------------------------------------------------

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """Return a·b, broadcast."""
        return self.add(Multiply(), *self.together(a, b))

    def power(self, x: Tensor, exponent: int) -> Tensor:
        """Return x^exponent for a positive exponent, by squaring."""
        if exponent == 1:
            return x
        square = self.function("square", self.power(x, exponent // 2))
        return self.product(square, x) if exponent % 2 else square

    def matrix_product(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the product of matrices on the last two axes, (*, p, q) and (*, q, r)."""
        fits = len(a.shape) == len(b.shape) >= 2 and a.shape[:-2] == b.shape[:-2] and a.shape[-1] == b.shape[-2]
        if not fits:
            raise ShapeError(f"samples of shape {a.shape} and {b.shape} received; (*, p, q) and (*, q, r) expected.")
        (*lead, p, q), r = a.shape, b.shape[-1]
        return self.add(Multiply((math.prod(lead), p, q, r)), a, b, shape=(*lead, p, r))

    # Windows ----------------------------------------------------------------------------------------------------

    def convolution(
        self, x: Tensor, weight: np.ndarray, places: np.ndarray, groups: int, out: tuple[int, ...]
    ) -> Tensor:
        """Return the kernels (channels, channels/groups, *window) applied at places (positions, window)."""
        channels, space = weight.shape[1], math.prod(x.shape[1:])
        if x.shape[0] != channels * groups:
            raise ShapeError(f"a sample of shape {x.shape} received; {channels * groups} channels expected.")
        patches = _for_channels(places, channels, space).transpose(1, 0, 2).reshape(len(places), -1)
        kernels = weight.reshape(groups, len(weight) // groups, -1)
        blocks = tuple(Convolution(kernel, patches, channels * space) for kernel in kernels)
        matrix = blocks[0] if groups == 1 else BlockDiagonal(blocks)
        return self.add(Affine(matrix), x, shape=(len(weight), *out))

    def average(self, x: Tensor, places: np.ndarray, factor: float, out: tuple[int, ...]) -> Tensor:
        """Return factor times the sum of each window, channel by channel."""
        patches = _for_channels(places, x.shape[0], math.prod(x.shape[1:])).reshape(-1, places.shape[1])
        kernel = np.full((1, places.shape[1]), factor, self.dtype)
        return self.add(Affine(Convolution(kernel, patches, x.size)), x, shape=(x.shape[0], *out))

    def maximum(self, x: Tensor, places: np.ndarray, out: tuple[int, ...]) -> Tensor:
        """Return the maximum of each window, channel by channel."""
        groups = _for_channels(places, x.shape[0], math.prod(x.shape[1:])).reshape(-1, places.shape[1])
        inside = np.where(groups < 0, groups.max(axis=1, keepdims=True), groups)
        return self.add(Maximum(inside), x, shape=(x.shape[0], *out))


def _for_channels(places: np.ndarray, channels: int, space: int) -> np.ndarray:
    """Return places of one channel for all of them, (channels, positions, window); -1 stays padding."""
    starts = space * np.arange(channels)[:, None, None]
    return np.where(places < 0, -1, places + starts)


def windows(
    shape: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return what each position of a window covers, and how many positions there are.

    Parameters
    ----------
    shape : sequence of int
        Extent of the space along each axis.
    size, stride : sequence of int
        Of the window, along each axis.
    padding : sequence of (int, int)
        Before and after, along each axis.
    dilation : sequence of int
        Of the window, along each axis.

    Returns
    -------
    places : ndarray of int, shape (positions, entries)
        Row-major numbers of the points covered; -1 outside.
    out : tuple of int
        Number of positions along each axis.

    Raises
    ------
    ShapeError
        When the window does not fit.
    """
    axes = [_window(*of_axis) for of_axis in zip(shape, size, stride, padding, dilation, strict=True)]
    rank = len(axes)
    total, inside = np.zeros((1,) * 2 * rank, dtype=int), np.ones((1,) * 2 * rank, dtype=bool)
    for i, grid in enumerate(axes):
        view = [1] * 2 * rank
        view[i], view[rank + i] = grid.shape
        total = total + grid.reshape(view) * math.prod(shape[i + 1 :])
        inside = inside & ((grid >= 0) & (grid < shape[i])).reshape(view)
    out = tuple(len(grid) for grid in axes)
    return np.where(inside, total, -1).reshape(math.prod(out), -1), out


def _window(extent: int, size: int, stride: int, padding: tuple[int, int], dilation: int) -> np.ndarray:
    """Return the points of one axis that each position covers, (positions, size)."""
    count = (extent + sum(padding) - dilation * (size - 1) - 1) // stride + 1
    if count < 1:
        raise ShapeError(f"a window of {size} received on an axis of {extent}; it does not fit.")
    return np.arange(count)[:, None] * stride - padding[0] + np.arange(size) * dilation


def _batch(received: str) -> UnsupportedError:
    return UnsupportedError(f"{shown(received)} received.\nOperations that treat every sample alike are expected.")
