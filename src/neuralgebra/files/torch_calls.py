"""The functions and modules of PyTorch that can be read: one table of each; PyTorch itself is not imported.

A function has the name and the argument names that it has in PyTorch; a module is a call of one, with its attributes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import UnsupportedError, shown
from neuralgebra.files.tape import BATCH, Tape, Tensor
from neuralgebra.files.torch_layers import ACTIVATIONS, LAYERS
from neuralgebra.files.torch_values import Batch, axis_of, check_numbers, part, refuse, tensor
from neuralgebra.functions.activation import activation

__all__ = ["ALIASES", "FUNCTIONS", "MODULES", "call"]


def call(name: str, tape: Tape, *args: Any, **kwargs: Any) -> Any:
    """Return the result of a function of the table.

    Parameters
    ----------
    name : str
        Its name, with or without the underscore of operations in place.
    tape : Tape
        The network under construction.
    *args, **kwargs
        Its arguments, as in PyTorch.

    Returns
    -------
    object
        A tensor, or what else the function gives.

    Raises
    ------
    UnsupportedError
        For a function that the table does not have, or arguments that it does not take.
    """
    function = FUNCTIONS.get(name) or FUNCTIONS.get(name.rstrip("_"))
    if function is None:
        known = ", ".join(sorted(FUNCTIONS))
        raise UnsupportedError(f"function {shown(name)} received.\nFunctions that are covered: {known}.")
    try:
        inspect.signature(function).bind(tape, *args, **kwargs)
    except TypeError as error:
        raise UnsupportedError(f"{shown(name)}: {shown(error)}; such arguments are not covered.") from None
    return function(tape, *args, **kwargs)


# Arithmetic ---------------------------------------------------------------------------------------------------------


def _add(tape: Tape, input: Any, other: Any, *, alpha: float = 1.0) -> Any:
    check_numbers(input, other)
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        return tape.sum(input, other, alpha)
    if isinstance(input, Tensor):
        return tape.shifted(input, other * np.asarray(alpha, _dtype(tape, other)) if alpha != 1 else other)
    if isinstance(other, Tensor):
        return tape.shifted(tape.scaled(other, alpha) if alpha != 1 else other, input)
    return input + alpha * other


def _dtype(tape: Tape, other: Any) -> Any:
    return other.dtype if isinstance(other, np.ndarray) else tape.dtype


def _sub(tape: Tape, input: Any, other: Any, *, alpha: float = 1.0) -> Any:
    return _add(tape, input, other, alpha=-alpha)


def _mul(tape: Tape, input: Any, other: Any) -> Any:
    check_numbers(input, other)
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        return tape.function("square", input) if input == other else tape.product(input, other)
    if isinstance(input, Tensor):
        return tape.scaled(input, other)
    return tape.scaled(other, input) if isinstance(other, Tensor) else input * other


def _div(tape: Tape, input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    check_numbers(input, other)
    refuse(rounding_mode=rounding_mode)
    if isinstance(other, Tensor):
        return _mul(tape, input, tape.function("reciprocal", other))
    if not np.all(other):
        raise UnsupportedError("a division by 0 received.")
    return (
        tape.scaled(input, 1 / np.asarray(other, _dtype(tape, other))) if isinstance(input, Tensor) else input / other
    )


def _neg(tape: Tape, input: Any) -> Any:
    return _mul(tape, input, -1.0) if isinstance(input, Tensor) else -input


def _pow(tape: Tape, input: Any, exponent: Any) -> Any:
    check_numbers(input, exponent)
    if not isinstance(input, Tensor) and isinstance(exponent, int | float):
        return input**exponent
    if not isinstance(input, Tensor) or not isinstance(exponent, int | float):
        raise UnsupportedError("a power with a variable exponent received; a number expected.")
    if exponent != int(exponent):
        return tape.function(activation("power", p=float(exponent)), input)
    if exponent == 0:
        return tape.shifted(tape.scaled(input, 0.0), 1.0)
    power = tape.power(input, abs(int(exponent)))
    return power if exponent > 0 else tape.function("reciprocal", power)


def _matmul(tape: Tape, input: Any, other: Any) -> Any:
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        return tape.matrix_product(input, other)
    if isinstance(input, Tensor) and other.ndim == 2:
        return tape.along(other.T, input)
    raise UnsupportedError("a matrix product with a constant on the left, or one that is no matrix, received.")


def _addmm(tape: Tape, input: Any, mat1: Any, mat2: Any) -> Any:
    return _add(tape, _matmul(tape, mat1, mat2), input)


def _mean(tape: Tape, input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return _reduced(tape, input, dim, keepdim, lambda n: 1 / n)


def _sum(tape: Tape, input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    return _reduced(tape, input, dim, keepdim, lambda n: 1.0)


def _reduced(tape: Tape, input: Any, dim: Any, keepdim: bool, factor: Callable[[int], float]) -> Tensor:
    x = tensor(input)
    axes = sorted((axis_of(x, d) for d in (dim if isinstance(dim, tuple | list) else [dim])), reverse=True)
    for axis in axes:
        x = tape.along(np.full((1, x.shape[axis]), factor(x.shape[axis]), tape.dtype), x, axis)
    kept = tuple(n for i, n in enumerate(x.shape) if keepdim or i not in axes)
    return Tensor(x.place, kept)


# Wiring -------------------------------------------------------------------------------------------------------------


def _cat(tape: Tape, tensors: Sequence[Any], dim: int = 0) -> Tensor:
    parts = [tensor(x) for x in tensors]
    return tape.joined(parts, axis_of(parts[0], dim))


def _stack(tape: Tape, tensors: Sequence[Any], dim: int = 0) -> Tensor:
    return _cat(tape, [_unsqueeze(tape, x, dim) for x in tensors], dim)


def _reshape(tape: Tape, input: Tensor, *shape: Any) -> Tensor:
    sizes = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
    return tape.rearranged(tensor(input), lambda a: a.reshape([int(n) for n in sizes]))


def _flatten(tape: Tape, input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    def action(a: np.ndarray) -> np.ndarray:
        first, last = range(a.ndim)[start_dim], range(a.ndim)[end_dim]
        return a.reshape(*a.shape[:first], -1, *a.shape[last + 1 :])

    return tape.rearranged(tensor(input), action)


def _unflatten(tape: Tape, input: Tensor, dim: int, sizes: Any = None, unflattened_size: Any = None) -> Tensor:
    x, parts = tensor(input), tuple(sizes or unflattened_size)
    axis = 1 + axis_of(x, dim)
    return tape.rearranged(x, lambda a: a.reshape(*a.shape[:axis], *parts, *a.shape[axis + 1 :]))


def _transpose(tape: Tape, input: Tensor, dim0: int, dim1: int) -> Tensor:
    return tape.rearranged(tensor(input), lambda a: np.swapaxes(a, dim0, dim1))


def _permute(tape: Tape, input: Tensor, *dims: Any) -> Tensor:
    order = dims[0] if len(dims) == 1 and isinstance(dims[0], tuple | list) else dims
    return tape.rearranged(tensor(input), lambda a: np.transpose(a, order))


def _squeeze(tape: Tape, input: Tensor, dim: int | None = None) -> Tensor:
    x = tensor(input)
    if dim is not None and x.shape[axis_of(x, dim)] != 1:
        return x
    return tape.rearranged(x, lambda a: np.squeeze(a, dim))


def _unsqueeze(tape: Tape, input: Tensor, dim: int) -> Tensor:
    return tape.rearranged(tensor(input), lambda a: np.expand_dims(a, dim))


def _chunk(tape: Tape, input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    length = tensor(input).shape[axis_of(input, dim)]
    return _split(tape, input, -(-length // chunks), dim)


def _split(tape: Tape, input: Tensor, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
    x = tensor(input)
    axis = 1 + axis_of(x, dim)
    length = x.shape[axis - 1]
    ends = np.arange(0, length, split_size)[1:] if isinstance(split_size, int) else np.cumsum(split_size)[:-1]
    return tuple(tape.rearranged(x, part(axis, ends, i)) for i in range(len(ends) + 1))


def _getitem(tape: Tape, input: Any, key: Any) -> Any:
    if not isinstance(input, Tensor):
        return input[key]
    keys = key if isinstance(key, tuple) else (key,)
    if any(isinstance(k, Tensor) for k in keys):
        raise UnsupportedError("an index that depends on the input of the network received.")
    return tape.rearranged(input, lambda a: np.asarray(a[key]))


def _getattr(tape: Tape, input: Any, name: str) -> Any:
    attributes: dict[str, Callable[..., Any]] = {"shape": _size, "ndim": _dim}
    if name not in attributes:
        raise UnsupportedError(f"attribute {shown(name)!r} of a value received; shape and ndim are covered.")
    return attributes[name](tape, input)


def _size(tape: Tape, input: Tensor, dim: int | None = None) -> Any:
    sizes = (Batch(BATCH), *tensor(input).shape)
    return sizes if dim is None else sizes[dim]


def _dim(tape: Tape, input: Tensor) -> int:
    return 1 + len(tensor(input).shape)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **ACTIVATIONS,
    **LAYERS,
    "add": _add,
    "addmm": _addmm,
    "cat": _cat,
    "chunk": _chunk,
    "clone": LAYERS["identity"],
    "concat": _cat,
    "contiguous": LAYERS["identity"],
    "dim": _dim,
    "div": _div,
    "divide": _div,
    "flatten": _flatten,
    "getattr": _getattr,
    "getitem": _getitem,
    "iadd": _add,
    "imul": _mul,
    "isub": _sub,
    "itruediv": _div,
    "matmul": _matmul,
    "bmm": _matmul,
    "mean": _mean,
    "mul": _mul,
    "multiply": _mul,
    "neg": _neg,
    "negative": _neg,
    "permute": _permute,
    "pow": _pow,
    "reshape": _reshape,
    "size": _size,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "sub": _sub,
    "subtract": _sub,
    "sum": _sum,
    "transpose": _transpose,
    "true_divide": _div,
    "truediv": _div,
    "unflatten": _unflatten,
    "unsqueeze": _unsqueeze,
    "view": _reshape,
}
"""Name of a function or method -> what it does."""

ALIASES = frozenset(
    {
        *("chunk", "contiguous", "dropout", "flatten", "getitem", "identity", "permute", "reshape", "split"),
        *("squeeze", "transpose", "unflatten", "unsqueeze", "view"),
    }
)
"""Functions whose result may be the memory of their argument."""

_CONVOLUTION = ("weight", "bias", "stride", "padding", "dilation", "groups", "padding_mode")
_BATCH_NORM = ("running_mean", "running_var", "weight", "bias", "training", "eps")
_MAX_POOL = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE_POOL = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")

MODULES: dict[str, tuple[str, tuple[str, ...]]] = {
    **{f"AdaptiveAvgPool{rank}d": (f"adaptive_avg_pool{rank}d", ("output_size",)) for rank in (1, 2, 3)},
    **{f"BatchNorm{rank}d": ("batch_norm", _BATCH_NORM) for rank in (1, 2, 3)},
    **{f"Conv{rank}d": (f"conv{rank}d", _CONVOLUTION) for rank in (1, 2, 3)},
    **{f"Dropout{rank}": ("dropout", ("p", "training")) for rank in ("", "1d", "2d", "3d")},
    **{f"MaxPool{rank}d": (f"max_pool{rank}d", _MAX_POOL) for rank in (1, 2, 3)},
    "AlphaDropout": ("dropout", ("p", "training")),
    "AvgPool1d": ("avg_pool1d", _AVERAGE_POOL),
    "AvgPool2d": ("avg_pool2d", (*_AVERAGE_POOL, "divisor_override")),
    "AvgPool3d": ("avg_pool3d", (*_AVERAGE_POOL, "divisor_override")),
    "CELU": ("celu", ("alpha",)),
    "ELU": ("elu", ("alpha",)),
    "FeatureAlphaDropout": ("dropout", ("p", "training")),
    "Flatten": ("flatten", ("start_dim", "end_dim")),
    "GELU": ("gelu", ("approximate",)),
    "GLU": ("glu", ("dim",)),
    "Hardsigmoid": ("hardsigmoid", ()),
    "Hardswish": ("hardswish", ()),
    "Hardtanh": ("hardtanh", ("min_val", "max_val")),
    "Identity": ("identity", ()),
    "LayerNorm": ("layer_norm", ("normalized_shape", "weight", "bias", "eps")),
    "LeakyReLU": ("leaky_relu", ("negative_slope",)),
    "Linear": ("linear", ("weight", "bias")),
    "LogSigmoid": ("logsigmoid", ()),
    "LogSoftmax": ("log_softmax", ("dim",)),
    "Mish": ("mish", ()),
    "PReLU": ("prelu", ("weight",)),
    "RMSNorm": ("rms_norm", ("normalized_shape", "weight", "eps")),
    "RReLU": ("rrelu", ("lower", "upper", "training")),
    "ReLU": ("relu", ()),
    "ReLU6": ("relu6", ()),
    "SELU": ("selu", ()),
    "SiLU": ("silu", ()),
    "Sigmoid": ("sigmoid", ()),
    "Softmax": ("softmax", ("dim",)),
    "Softmin": ("softmin", ("dim",)),
    "Softplus": ("softplus", ("beta", "threshold")),
    "Softshrink": ("softshrink", ("lambd",)),
    "Softsign": ("softsign", ()),
    "Tanh": ("tanh", ()),
    "Tanhshrink": ("tanhshrink", ()),
    "Unflatten": ("unflatten", ("dim", "unflattened_size")),
}
"""Class of a module -> its function, and the attributes that are the arguments."""
