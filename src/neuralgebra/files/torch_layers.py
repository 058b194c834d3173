"""What the activations and layers of PyTorch do to a network under construction; PyTorch itself is not imported.

Each function has the name and the arguments that it has in ``torch.nn.functional``; constants arrive as NumPy arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import ShapeError, UnsupportedError, shown
from neuralgebra.files.tape import Tape, Tensor, windows
from neuralgebra.files.torch_values import axis_of, check_eval, each, image, part, per_channel, refuse, tensor
from neuralgebra.functions.activation import activation
from neuralgebra.network.layers import Elementwise, Softmax

__all__ = ["ACTIVATIONS", "LAYERS"]

SOFTPLUS_GAP = 2.1e-9
"""The largest jump of PyTorch's Softplus that is taken for the function without one; at the usual threshold 20."""


# Activations --------------------------------------------------------------------------------------------------------


def _named(name: str) -> Callable[..., Any]:
    """Return a function without parameters; `out` and the like are refused by its signature."""

    def function(tape: Tape, input: Tensor, inplace: bool = False) -> Tensor:
        return tape.function(name, tensor(input))

    return function


def _leaky_relu(tape: Tape, input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    return tape.function(activation("leaky_relu", slope=negative_slope), tensor(input))


def _prelu(tape: Tape, input: Tensor, weight: np.ndarray) -> Tensor:
    x = tensor(input)
    if weight.size == 1:
        return tape.function(activation("prelu", slope=weight.item()), x)
    return tape.function(activation("prelu", slope=per_channel(weight, x).tolist()), x)


def _rrelu(
    tape: Tape, input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    check_eval("RReLU", training)
    return _leaky_relu(tape, input, (lower + upper) / 2)


def _elu(tape: Tape, input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return tape.function(activation("elu", alpha=alpha), tensor(input))


def _celu(tape: Tape, input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return tape.function(activation("celu", alpha=alpha), tensor(input))


def _gelu(tape: Tape, input: Tensor, approximate: str = "none") -> Tensor:
    return tape.function({"none": "gelu", "tanh": "gelu_tanh"}[approximate], tensor(input))


def _softplus(tape: Tape, input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return log(1 + e^{βz})/β; PyTorch gives z where βz > threshold, which differs by less than e^{-threshold}/β."""
    if not beta or -threshold - math.log(abs(beta)) > math.log(SOFTPLUS_GAP):
        raise UnsupportedError(
            f"Softplus(beta={shown(beta)}, threshold={shown(threshold)}) received: above the threshold PyTorch gives "
            f"the argument itself, {SOFTPLUS_GAP} or more away from Softplus.\n"
            "A higher threshold, such as the usual 20 for beta=1, expected."
        )
    layer = Elementwise("softplus")
    tape.thresholds[id(layer)] = threshold
    return tape.scaled(tape.add(layer, tape.scaled(tensor(input), beta)), 1 / beta)


def _softshrink(tape: Tape, input: Tensor, lambd: float = 0.5) -> Tensor:
    return tape.function(activation("softshrink", width=lambd), tensor(input))


def _hardtanh(tape: Tape, input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    return tape.function(activation("hardtanh", low=min_val, high=max_val), tensor(input))


def _clamp(tape: Tape, input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    bounds = [b for b in (min, max) if b is not None]
    if not bounds or not all(isinstance(b, int | float) for b in bounds):
        raise UnsupportedError("clamp received bounds that are not numbers; numbers expected.")
    if len(bounds) == 2:
        return _hardtanh(tape, input, min, max)
    sign = 1.0 if max is None else -1.0  # min(z, b) = b - relu(b - z)
    above = tape.function("relu", tape.shifted(tape.scaled(tensor(input), sign), -sign * bounds[0]))
    return tape.shifted(tape.scaled(above, sign), bounds[0])


def _softmax(tape: Tape, input: Tensor, dim: int | None = None, **_: Any) -> Tensor:
    return _grouped(tape, input, dim, False)


def _log_softmax(tape: Tape, input: Tensor, dim: int | None = None, **_: Any) -> Tensor:
    return _grouped(tape, input, dim, True)


def _softmin(tape: Tape, input: Tensor, dim: int | None = None, **_: Any) -> Tensor:
    return _grouped(tape, tape.scaled(tensor(input), -1.0), dim, False)


def _grouped(tape: Tape, input: Any, dim: int | None, log: bool) -> Tensor:
    x = tensor(input)
    axis = len(x.shape) - 1 if dim is None and len(x.shape) == 1 else axis_of(x, dim)
    if axis != len(x.shape) - 1:
        raise UnsupportedError(f"softmax over axis {dim} of a sample of shape {x.shape}; the last axis expected.")
    return tape.add(Softmax(None if x.shape[-1] == x.size else x.shape[-1], log), x)


def _glu(tape: Tape, input: Tensor, dim: int = -1) -> Tensor:
    x = tensor(input)
    axis = 1 + axis_of(x, dim)
    left, right = (tape.rearranged(x, part(axis, 2, i)) for i in (0, 1))
    return tape.product(left, tape.function("sigmoid", right))


# Layers -------------------------------------------------------------------------------------------------------------


def _linear(tape: Tape, input: Tensor, weight: np.ndarray, bias: np.ndarray | None = None) -> Tensor:
    y = tape.along(weight, tensor(input))
    return y if bias is None else tape.shifted(y, bias)


def _identity(tape: Tape, input: Tensor, *_: Any, **__: Any) -> Tensor:
    return tensor(input)


def _dropout(tape: Tape, input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    if p:
        check_eval("Dropout", training)
    return tensor(input)


def _batch_norm(
    tape: Tape,
    input: Tensor,
    running_mean: np.ndarray | None,
    running_var: np.ndarray | None,
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return the affine map; the mean is taken off first, so that none of its digits are lost."""
    check_eval("BatchNorm", training)
    if running_mean is None or running_var is None:
        raise UnsupportedError(
            "BatchNorm without running statistics received; its result depends on the other samples."
        )
    x = tensor(input)
    scale = 1 / np.sqrt(running_var.astype(float) + eps)
    scale = (scale if weight is None else scale * weight).astype(running_var.dtype)
    centred = tape.shifted(x, -per_channel(running_mean, x).reshape(x.shape))
    y = tape.scaled(centred, per_channel(scale, x).reshape(x.shape))
    return y if bias is None else tape.shifted(y, per_channel(bias, x).reshape(x.shape))


def _layer_norm(
    tape: Tape,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    eps: float = 1e-5,
) -> Tensor:
    x = tensor(input)
    flat = _last_axes(x, tuple(normalized_shape))
    centred = tape.sum(flat, _mean_of_last(tape, flat), -1.0)
    return _divided_by_root(tape, centred, x.shape, weight, bias, eps)


def _rms_norm(
    tape: Tape,
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: np.ndarray | None = None,
    eps: float | None = None,
) -> Tensor:
    x = tensor(input)
    eps = float(np.finfo(tape.dtype).eps) if eps is None else eps
    return _divided_by_root(tape, _last_axes(x, tuple(normalized_shape)), x.shape, weight, None, eps)


def _last_axes(x: Tensor, normalized: tuple[int, ...]) -> Tensor:
    """Return a tensor with its last axes, the normalised ones, as one."""
    lead = x.shape[: len(x.shape) - len(normalized)]
    if (*lead, *normalized) != x.shape:
        raise ShapeError(f"a sample of shape {x.shape} received; normalised are its last axes, {normalized}.")
    return Tensor(x.place, (*lead, math.prod(normalized)))


def _mean_of_last(tape: Tape, x: Tensor) -> Tensor:
    return tape.along(np.full((1, x.shape[-1]), 1 / x.shape[-1], tape.dtype), x)


def _divided_by_root(tape: Tape, x: Tensor, shape: tuple[int, ...], weight: Any, bias: Any, eps: float) -> Tensor:
    """Return x/√(mean of x² + eps), scaled and shifted."""
    mean = tape.shifted(_mean_of_last(tape, tape.function("square", x)), eps)
    y = tape.product(x, tape.function(activation("power", p=-0.5), mean))
    y = Tensor(y.place, shape)
    y = y if weight is None else tape.scaled(y, weight)
    return y if bias is None else tape.shifted(y, bias)


def _convolution(rank: int) -> Callable[..., Any]:
    def function(
        tape: Tape,
        input: Tensor,
        weight: np.ndarray,
        bias: np.ndarray | None = None,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> Tensor:
        x = image(input, rank)
        if padding_mode != "zeros":
            raise UnsupportedError(f"padding_mode={shown(padding_mode)!r} received; 'zeros' expected.")
        size, dilation = weight.shape[2:], each(dilation, rank)
        places, out = windows(x.shape[1:], size, each(stride, rank), _padding(padding, size, dilation), dilation)
        y = tape.convolution(x, weight, places, groups, out)
        return y if bias is None else tape.shifted(y, bias.reshape(-1, *(1,) * rank))

    return function


def _padding(padding: Any, size: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(size, dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(p, p) for p in each(0 if padding == "valid" else padding, len(size))]


def _max_pool(rank: int) -> Callable[..., Any]:
    def function(
        tape: Tape,
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Tensor:
        refuse(ceil_mode=ceil_mode, return_indices=return_indices)
        x, size = image(input, rank), each(kernel_size, rank)
        steps, dilation = each(stride or kernel_size, rank), each(dilation, rank)
        return tape.maximum(x, *windows(x.shape[1:], size, steps, _padding(padding, size, dilation), dilation))

    return function


def _average_pool(rank: int) -> Callable[..., Any]:
    def function(
        tape: Tape,
        input: Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        pairs = _padding(padding, each(kernel_size, rank), each(1, rank))
        refuse(ceil_mode=ceil_mode, count_include_pad_False=not count_include_pad and pairs != [(0, 0)] * rank)
        x, size = image(input, rank), each(kernel_size, rank)
        places, out = windows(x.shape[1:], size, each(stride or kernel_size, rank), pairs, each(1, rank))
        return tape.average(x, places, 1 / (divisor_override or math.prod(size)), out)

    return function


def _adaptive_average_pool(rank: int) -> Callable[..., Any]:
    def function(tape: Tape, input: Tensor, output_size: Any) -> Tensor:
        x = image(input, rank)
        out = [n if m is None else m for n, m in zip(x.shape[1:], each(output_size, rank), strict=True)]
        if any(n % m for n, m in zip(x.shape[1:], out, strict=True)):
            raise UnsupportedError(
                f"adaptive pooling of {x.shape[1:]} to {tuple(out)}; divisors of the sizes expected."
            )
        size = tuple(n // m for n, m in zip(x.shape[1:], out, strict=True))
        return tensor(_average_pool(rank)(tape, x, size))

    return function


PLAIN = {
    "abs": "abs",
    "arctan": "arctan",
    "asinh": "asinh",
    "atan": "arctan",
    "cos": "cos",
    "erf": "erf",
    "exp": "exp",
    "hardsigmoid": "hardsigmoid",
    "hardswish": "hardswish",
    "log": "log",
    "log_sigmoid": "logsigmoid",
    "logsigmoid": "logsigmoid",
    "mish": "mish",
    "reciprocal": "reciprocal",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "sin": "sin",
    "sinh": "sinh",
    "softsign": "softsign",
    "sqrt": "sqrt",
    "square": "square",
    "tan": "tan",
    "tanh": "tanh",
    "tanhshrink": "tanhshrink",
}
"""Function without parameters -> its name in the catalogue."""

ACTIVATIONS: dict[str, Callable[..., Any]] = {
    **{name: _named(row) for name, row in PLAIN.items()},
    "celu": _celu,
    "elu": _elu,
    "gelu": _gelu,
    "hardtanh": _hardtanh,
    "leaky_relu": _leaky_relu,
    "prelu": _prelu,
    "rrelu": _rrelu,
    "softplus": _softplus,
    "softshrink": _softshrink,
}
"""Functions of each coordinate."""

LAYERS: dict[str, Callable[..., Any]] = {
    **{f"adaptive_avg_pool{rank}d": _adaptive_average_pool(rank) for rank in (1, 2, 3)},
    **{f"avg_pool{rank}d": _average_pool(rank) for rank in (1, 2, 3)},
    **{f"conv{rank}d": _convolution(rank) for rank in (1, 2, 3)},
    **{f"max_pool{rank}d": _max_pool(rank) for rank in (1, 2, 3)},
    "batch_norm": _batch_norm,
    "clamp": _clamp,
    "clip": _clamp,
    "dropout": _dropout,
    "glu": _glu,
    "identity": _identity,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "log_softmax": _log_softmax,
    "rms_norm": _rms_norm,
    "softmax": _softmax,
    "softmin": _softmin,
}
"""Functions of several coordinates."""
