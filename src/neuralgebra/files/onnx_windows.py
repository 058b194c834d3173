"""ONNX operators of windows that slide over an image: convolution and pooling, in one to three dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neuralgebra.errors import shown
from neuralgebra.files.onnx_values import Call, Handler, Tensor, frozen_copy
from neuralgebra.network.composed import BlockDiagonal
from neuralgebra.network.convolution import Convolution
from neuralgebra.network.layers import Affine, Maximum
from neuralgebra.network.linear import Diagonal, Linear

__all__ = ["WINDOWS"]


@dataclass(frozen=True)
class _Windows:
    """Where the windows lie.

    Parameters
    ----------
    patches : ndarray, shape (positions, window)
        Place in one channel of each entry of each window; -1 is padding.
    shape : tuple of int
        Positions along each axis.
    overhang : ndarray of bool, shape (positions, window)
        Entries beyond the declared padding, which ceil_mode adds.
    """

    patches: np.ndarray
    shape: tuple[int, ...]
    overhang: np.ndarray


def _windows(call: Call, image: Sequence[int], kernel: Sequence[int]) -> _Windows:
    """Return the windows of a kernel over an image of given lengths."""
    rank = len(image)
    strides, dilations = _lengths(call, "strides", rank, 1), _lengths(call, "dilations", rank, 1)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = _pads(call, image, spans, strides)
    axes = [_axis(call, *row) for row in zip(image, kernel, spans, strides, dilations, pads, strict=True)]
    shape = tuple(len(places) for places, _ in axes)
    call.sized((math.prod(shape), math.prod(kernel)))
    places, outside, over = np.zeros((1, 1), np.int64), np.zeros((1, 1), bool), np.zeros((1, 1), bool)
    for length, (along, beyond) in zip(image, axes, strict=True):
        places = _product(places * length, along.clip(0, length - 1), np.add)
        outside = _product(outside, (along < 0) | (along >= length), np.logical_or)
        over = _product(over, beyond, np.logical_or)
    return _Windows(np.where(outside, -1, places), shape, over)


def _product(a: np.ndarray, b: np.ndarray, function: np.ufunc) -> np.ndarray:
    """Return the outer combination of (positions, window) arrays of two axes."""
    both = function(a[:, None, :, None], b[None, :, None, :])
    return np.asarray(both).reshape(len(a) * len(b), -1)


def _axis(
    call: Call, length: int, kernel: int, span: int, stride: int, dilation: int, pads: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of windows along one axis, (positions, kernel), and which lie beyond the padding."""
    room = length + sum(pads) - span
    count = room // stride + 1
    if call.attributes.get("ceil_mode"):
        count = -(-room // stride) + 1
        count -= (count - 1) * stride >= length + pads[0]
    if count < 1:
        raise call.damaged(f"{count} windows along an axis of length {length}", "At least one")
    call.sized((count, kernel))
    places = np.arange(count)[:, None] * stride + np.arange(kernel) * dilation - pads[0]
    return places, places >= length + pads[1]


def _lengths(call: Call, name: str, rank: int, default: int) -> list[int]:
    given = call.attributes.get(name) or [default] * rank
    if len(given) != rank or not all(type(n) is int and 1 <= n < 2**31 for n in given):
        raise call.damaged(f"{name} = {shown(given)}", f"{rank} positive integers")
    return list(given)


_AUTO_PAD = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def _pads(call: Call, image: Sequence[int], spans: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Return the padding before and after each axis."""
    rank, mode = len(image), call.attributes.get("auto_pad", "NOTSET")
    if mode not in _AUTO_PAD:
        raise call.damaged(f"auto_pad = {shown(mode)}", ", ".join(_AUTO_PAD))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (-(-n // stride) - 1) * stride + span - n)
            for n, span, stride in zip(image, spans, strides, strict=True)
        ]
        small = [(total // 2, total - total // 2) for total in totals]
        return small if mode == "SAME_UPPER" else [(b, a) for a, b in small]
    given = call.attributes.get("pads") or [0] * (2 * rank)
    if mode == "VALID":
        given = [0] * (2 * rank)
    if len(given) != 2 * rank or not all(type(n) is int and 0 <= n < 2**31 for n in given):
        raise call.damaged(f"pads = {shown(given)}", f"{2 * rank} integers from 0 up")
    return list(zip(given[:rank], given[rank:], strict=True))


def _image(call: Call) -> Tensor:
    x = call.tensor()
    if not 2 <= len(x.shape) <= 4:
        raise call.unsupported(f"samples of shape {x.shape}", "Channels and one to three axes")
    return x


def _convolution(call: Call) -> Tensor:
    x, weight = _image(call), call.weights(1)
    groups = call.integer("group", 1)
    fits = weight.ndim == len(x.shape) + 1 and groups >= 1 and len(weight) % groups == 0
    if not fits or weight.shape[1] * groups != x.shape[0] or not weight.size:
        raise call.damaged(f"a kernel of shape {weight.shape} in {groups} groups for samples {x.shape}", "A fit")
    if list(call.attributes.get("kernel_shape", weight.shape[2:])) != list(weight.shape[2:]):
        raise call.damaged("kernel_shape that differs from the kernel", "The same")
    windows = _windows(call, x.shape[1:], weight.shape[2:])
    layers = [_kernel(call, part, windows, x) for part in np.split(weight, groups)]
    matrix = layers[0] if groups == 1 else BlockDiagonal(tuple(layers))
    result = call.add(Affine(matrix), x, shape=(len(weight), *windows.shape))
    if call.optional(2) is None:
        return result
    bias = call.weights(2)
    if bias.shape != weight.shape[:1]:
        raise call.damaged(f"a bias of shape {bias.shape}", f"({len(weight)},)")
    return call.shifted(result, bias.reshape(-1, *(1,) * len(windows.shape)))


def _kernel(call: Call, weight: np.ndarray, windows: _Windows, x: Tensor) -> Linear:
    """Return the convolution of one group of channels."""
    channels, area = weight.shape[1], math.prod(x.shape[1:])
    call.sized((channels, *windows.patches.shape))
    patches = _over_channels(windows.patches, channels, area)
    patches = patches.transpose(1, 0, 2).reshape(len(windows.patches), -1)
    return Convolution(frozen_copy(weight.reshape(len(weight), -1)), patches, channels * area)


def _over_channels(patches: np.ndarray, channels: int, area: int) -> np.ndarray:
    """Return windows for each channel, (channels, positions, window); padding stays -1."""
    moved = patches + area * np.arange(channels)[:, None, None]
    return np.where(patches < 0, -1, moved)


def _pooling(call: Call) -> tuple[Tensor, _Windows, np.ndarray]:
    """Return the image, its windows in one channel, and those of all channels."""
    x = _image(call)
    if call.outputs > 1 or call.attributes.get("storage_order"):
        raise call.unsupported("use of the positions", "One output")
    windows = _windows(call, x.shape[1:], _lengths(call, "kernel_shape", len(x.shape) - 1, 0))
    call.sized((x.shape[0], *windows.patches.shape))
    patches = _over_channels(windows.patches, x.shape[0], math.prod(x.shape[1:]))
    return x, windows, patches.reshape(-1, patches.shape[-1])


def _maximum(call: Call) -> Tensor:
    x, windows, patches = _pooling(call)
    first = np.take_along_axis(patches, (patches >= 0).argmax(1)[:, None], 1)
    if (first < 0).any():
        raise call.unsupported("a window with nothing but padding", "At least one coordinate")
    groups = np.where(patches < 0, first, patches)
    return call.add(Maximum(groups), x, shape=(x.shape[0], *windows.shape))


def _average(call: Call) -> Tensor:
    """Return the sum of each window divided by its number of entries."""
    x, windows, patches = _pooling(call)
    counted = ~windows.overhang if call.integer("count_include_pad", 0) else windows.patches >= 0
    counts = counted.sum(1)
    if not counts.all():
        raise call.unsupported("a window with nothing but padding", "At least one coordinate")
    uniform = len(set(counts.tolist())) == 1
    kernel = np.full((1, patches.shape[1]), 1 / counts[0] if uniform else 1, call.dtype)
    result = call.add(Affine(Convolution(kernel, patches, x.size)), x, shape=(x.shape[0], *windows.shape))
    if uniform:
        return result
    factors = np.broadcast_to(1 / counts, (x.shape[0], len(counts))).ravel().astype(call.dtype)
    return call.add(Affine(Diagonal(factors)), result)


WINDOWS: Mapping[str, Handler] = {"AveragePool": _average, "Conv": _convolution, "MaxPool": _maximum}
