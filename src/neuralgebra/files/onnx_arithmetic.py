"""ONNX operators of arithmetic: sums, products, matrix products, normalisation, reductions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neuralgebra.files.onnx_values import Call, Handler, Tensor, Value
from neuralgebra.functions.activation import activation
from neuralgebra.network.builder import Node
from neuralgebra.network.composed import BlockDiagonal
from neuralgebra.network.layers import Affine, Elementwise, Maximum, Multiply
from neuralgebra.network.linear import Kronecker, Linear

__all__ = ["ARITHMETIC", "larger", "powered", "product"]

_EPSILON = float(np.float32(1e-5))  # the default of the operator set


# Sums and products ------------------------------------------------------------------------------------------------


def _pair(call: Call, constants: Callable[[Any, Any], Any]) -> tuple[Value, Value] | np.ndarray:
    """Return two broadcast arguments, or the result where both are constant."""
    a, b = call.value(0), call.value(1)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return _constant(call, constants, a, b)
    left, right = call.broadcast((a, b))
    return left, right


def _constant(call: Call, function: Callable[..., Any], *arrays: np.ndarray) -> np.ndarray:
    """Return an operation of constants; the number of samples is not known."""
    if any(a.dtype == object for a in arrays):
        raise call.batch()
    try:
        call.sized(np.broadcast_shapes(*(a.shape for a in arrays)))
        return np.asarray(function(*arrays))
    except (TypeError, ValueError):
        raise call.damaged("constants that do not fit together", "Equal types and shapes") from None


def _add(call: Call) -> Value:
    match _pair(call, operator.add):
        case Tensor() as a, Tensor() as b:
            return call.combined((a, b), (1, 1))
        case (Tensor() as x, np.ndarray() as c) | (np.ndarray() as c, Tensor() as x):
            return call.shifted(x, c)
        case both:
            return np.asarray(both)


def _subtract(call: Call) -> Value:
    match _pair(call, operator.sub):
        case Tensor() as a, Tensor() as b:
            return call.combined((a, b), (1, -1))
        case Tensor() as x, np.ndarray() as c:
            return call.shifted(x, -call.floating(c))
        case np.ndarray() as c, Tensor() as x:
            return call.shifted(x, c, sign=-1)
        case both:
            return np.asarray(both)


def _multiply(call: Call) -> Value:
    match _pair(call, operator.mul):
        case Tensor() as a, Tensor() as b:
            return product(call, a, b)
        case (Tensor() as x, np.ndarray() as c) | (np.ndarray() as c, Tensor() as x):
            return call.scaled(x, c)
        case both:
            return np.asarray(both)


def _divide(call: Call) -> Value:
    match _pair(call, _quotient):
        case Tensor() as a, Tensor() as b:
            return product(call, a, call.function(b, "reciprocal"))
        case Tensor() as x, np.ndarray() as c:
            if not c.all():
                raise call.damaged("a divisor 0", "Divisors other than 0")
            return call.scaled(x, 1 / call.floating(c))
        case np.ndarray() as c, Tensor() as x:
            return call.scaled(call.function(x, "reciprocal"), c)
        case both:
            return np.asarray(both)


def _quotient(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Divide constants; integers are rounded towards 0."""
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not b.all():
        raise ValueError
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)), a.dtype)


def _negate(call: Call) -> Value:
    x = call.value(0)
    return call.scaled(x, np.array(-1, call.dtype)) if isinstance(x, Tensor) else _constant(call, operator.neg, x)


def _sum(call: Call) -> Value:
    values = [call.value(i) for i in range(max(1, len(call.arguments)))]
    if all(isinstance(v, np.ndarray) for v in values):
        return _constant(call, lambda *arrays: sum(arrays[1:], arrays[0]), *values)  # type: ignore[arg-type]
    parts = call.broadcast(values)
    tensors = [v for v in parts if isinstance(v, Tensor)]
    result = tensors[0] if len(tensors) == 1 else call.combined(tensors, [1] * len(tensors))
    for constant in (v for v in parts if not isinstance(v, Tensor)):
        result = call.shifted(result, constant)
    return result


# A product of x and σ(x) that the catalogue holds as one function.
_GATED = {("sigmoid",): "silu", ("tanh", "softplus"): "mish"}


def product(call: Call, a: Tensor, b: Tensor) -> Tensor:
    """Return the product of two tensors of one shape, as a function of the catalogue where it is one."""
    if a.place == b.place:
        return call.function(a, "square")
    for x, gate in ((a, b), (b, a)):
        for names, gated in _GATED.items():
            if _is_function(call, gate.place, names, x.place):
                return call.function(x, gated)
    return call.add(Multiply(), a, b)


def _is_function(call: Call, place: int, names: tuple[str, ...], of: int) -> bool:
    """Return whether a place is these functions, outermost first, with default parameters, of another place."""
    for name in names:
        node: Node | None = call.builder.nodes[place - 1] if place else None
        if node is None or not isinstance(node.layer, Elementwise) or node.layer.only != activation(name):
            return False
        (place,) = node.inputs
    return place == of


def powered(call: Call, x: Tensor, exponent: int) -> Tensor:
    """Return a positive integer power by squaring."""
    if exponent == 1:
        return x
    square = call.function(powered(call, x, exponent // 2), "square")
    return call.add(Multiply(), square, x) if exponent % 2 else square


def _extreme(sign: int) -> Handler:
    function = np.maximum if sign > 0 else np.minimum

    def handler(call: Call) -> Value:
        values = [call.value(i) for i in range(max(1, len(call.arguments)))]
        constants = [v for v in values if isinstance(v, np.ndarray)]
        if len(constants) == len(values):
            return _constant(call, lambda *arrays: function.reduce(np.broadcast_arrays(*arrays)), *constants)
        return larger(call, call.broadcast(values), sign) if len(values) > 1 else values[0]

    return handler


def larger(call: Call, values: list[Value], sign: int = 1) -> Tensor:
    """Return the maximum of broadcast values, or the minimum as -max(-x, -y)."""
    bound = next((v for v in values if isinstance(v, np.ndarray)), None)
    if sign > 0 and len(values) == 2 and bound is not None and not bound.any():
        return call.function(next(v for v in values if isinstance(v, Tensor)), "relu")
    parts = call.tensors([v if sign > 0 else _negated(call, v) for v in values])
    groups = np.arange(len(parts) * parts[0].size).reshape(len(parts), -1).T
    result = call.add(Maximum(groups), call.joined(parts), shape=parts[0].shape)
    return result if sign > 0 else _negated(call, result)


def _negated(call: Call, x: Any) -> Any:
    return call.scaled(x, np.array(-1, call.dtype)) if isinstance(x, Tensor) else -call.floating(x)


# Matrix products --------------------------------------------------------------------------------------------------


def _gemm(call: Call) -> Value:
    x, weight = call.value(0), call.weights(1)
    if not isinstance(x, Tensor):
        raise call.unsupported("a constant first input", "One that depends on the input of the network")
    if x.rank != 2 or weight.ndim != 2:
        raise call.damaged(f"inputs of {x.rank} and {weight.ndim} axes", "Two axes each")
    if call.integer("transA", 0):
        raise call.unsupported("transA = 1", "Samples along the first axis")
    weight = weight if call.integer("transB", 0) else weight.T
    alpha, beta = call.number("alpha", 1.0), call.number("beta", 1.0)
    result = call.along(weight, x, len(x.shape) - 1)
    if alpha != 1:
        result = call.scaled(result, np.array(alpha, weight.dtype))
    return result if call.optional(2) is None or not beta else _plus(call, result, call.value(2), beta)


def _plus(call: Call, x: Tensor, term: Value, factor: float) -> Value:
    """Return x + factor·term, where the term is broadcast to the shape of x."""
    a, b = call.broadcast((x, term))
    if a.shape != x.shape or not isinstance(a, Tensor):
        raise call.damaged(f"a third input of shape {tuple(term.shape)}", f"One that fits {x.shape}")
    if isinstance(b, Tensor):
        return call.combined((a, b), (1, factor))
    return call.add(_bias(call, x, call.floating(b) * b.dtype.type(factor)), a)


def _bias(call: Call, x: Tensor, terms: np.ndarray) -> Affine:
    return Affine(Kronecker(np.ones((1, 1), terms.dtype), 1, x.size), terms.ravel())


def _matmul(call: Call) -> Value:
    match call.value(0), call.value(1):
        case Tensor() as a, Tensor() as b:
            return _contraction(call, a, b)
        case Tensor() as x, np.ndarray() as weight:
            return _from_right(call, x, call.floating(weight))
        case np.ndarray() as weight, Tensor() as x:
            return _from_left(call, call.floating(weight), x)
        case a, b:
            return _constant_product(call, np.asarray(a), np.asarray(b))


def _constant_product(call: Call, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the product of constants, accumulated in float64 and rounded once."""
    a, b = call.floating(a), call.floating(b)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise call.unsupported(f"constants of shapes {a.shape} and {b.shape}", "Two matrices that fit")
    call.sized((len(a), b.shape[1]))
    return (a.astype(np.float64) @ b.astype(np.float64)).astype(a.dtype)


def _from_right(call: Call, x: Tensor, weight: np.ndarray) -> Tensor:
    """Return x @ weight."""
    if not x.shape:
        raise call.batch()
    weight = _squeezed(weight, x.rank)
    if weight.ndim == 1:
        result = call.along(weight[None], x, len(x.shape) - 1)
        return Tensor(result.place, x.shape[:-1], x.lead)
    if weight.ndim == 2:
        return call.along(weight.T, x, len(x.shape) - 1)
    return _blockwise(call, x, [w.T for w in _matrices(call, weight, x)], x.shape[-2], 1, -1)


def _from_left(call: Call, weight: np.ndarray, x: Tensor) -> Tensor:
    """Return weight @ x."""
    if len(x.shape) < min(2, x.rank):
        raise call.batch()
    weight = _squeezed(weight, x.rank)
    axis = max(len(x.shape) - 2, 0)
    if weight.ndim == 1:
        result = call.along(weight[None], x, axis)
        return Tensor(result.place, x.shape[:axis] + x.shape[axis + 1 :], x.lead)
    if weight.ndim == 2:
        return call.along(weight, x, axis)
    return _blockwise(call, x, list(_matrices(call, weight, x)), 1, x.shape[-1], -2)


def _squeezed(weight: np.ndarray, rank: int) -> np.ndarray:
    """Return a weight without leading axes of length 1, which change nothing."""
    while weight.ndim > 2 and weight.shape[0] == 1 and weight.ndim <= rank:
        weight = weight[0]
    return weight


def _matrices(call: Call, weight: np.ndarray, x: Tensor) -> np.ndarray:
    """Return a stack of matrices, one for each place of the leading axes of x."""
    if weight.shape[:-2] != x.shape[:-2]:
        raise call.unsupported(f"a weight of shape {weight.shape} for {x.shape}", "Equal leading axes")
    return weight.reshape(-1, *weight.shape[-2:])


def _blockwise(call: Call, x: Tensor, weights: list[np.ndarray], before: int, after: int, axis: int) -> Tensor:
    """Return x with one matrix for each block of coordinates."""
    if weights[0].shape[1] != x.shape[axis]:
        raise call.damaged(f"shape {x.shape} for a weight of shape {weights[0].shape}", "Equal inner lengths")
    blocks: list[Linear] = [Kronecker(np.ascontiguousarray(w), before, after) for w in weights]
    shape = list(x.shape)
    shape[axis] = len(weights[0])
    return call.add(Affine(BlockDiagonal(tuple(blocks))), x, shape=tuple(shape))


def _contraction(call: Call, a: Tensor, b: Tensor) -> Tensor:
    """Return the matrix product of two tensors."""
    if min(len(a.shape), len(b.shape)) < 2 or a.lead != b.lead or a.shape[:-2] != b.shape[:-2]:
        raise call.unsupported(f"samples of shapes {a.shape} and {b.shape}", "Matrices with equal leading axes")
    (p, q), r = a.shape[-2:], b.shape[-1]
    if b.shape[-2] != q:
        raise call.damaged(f"samples of shapes {a.shape} and {b.shape}", "Equal inner lengths")
    layer = Multiply((math.prod(a.shape[:-2]), p, q, r))
    return call.add(layer, a, b, shape=(*a.shape[:-1], r))


# Normalisation and reductions -------------------------------------------------------------------------------------


def _batch_normalization(call: Call) -> Tensor:
    """Return ((x - mean) · scale/√(var + ε)) + B; the factor is rounded once."""
    if call.attributes.get("training_mode") or call.outputs > 1 or not call.integer("spatial", 1):
        raise call.unsupported("training mode or spatial = 0", "Inference, one output")
    x = call.tensor()
    scale, bias, mean, variance = (call.weights(i) for i in range(1, 5))
    if not x.shape or {a.shape for a in (scale, bias, mean, variance)} != {x.shape[:1]}:
        raise call.damaged(f"samples of shape {x.shape} for {scale.shape} channels", "Equal numbers")
    squared = variance.astype(np.float64) + call.number("epsilon", _EPSILON)
    if not (squared > 0).all():
        raise call.damaged("a variance that is not positive", "Positive variances")
    factor = (scale / np.sqrt(squared)).astype(scale.dtype)
    channels = (-1, *(1,) * (len(x.shape) - 1))
    centred = call.shifted(x, -mean.reshape(channels))
    return call.shifted(call.scaled(centred, factor.reshape(channels)), bias.reshape(channels))


def _layer_normalization(call: Call) -> Value:
    x = call.tensor()
    start = call.sample_axis(call.integer("axis", -1), x)
    if call.outputs > 1:
        raise call.unsupported("more than one output", "One output")
    size = math.prod(x.shape[start:])
    flat = Tensor(x.place, (x.size // size, size), x.lead)
    mean = np.full((1, size), 1 / size, call.dtype)
    centred = call.combined((flat, _spread(call, call.along(mean, flat, 1), flat)), (1, -1))
    variance = call.along(mean, call.function(centred, "square"), 1)
    variance = call.shifted(variance, np.array(call.number("epsilon", _EPSILON), call.dtype))
    root = call.function(call.function(variance, "sqrt"), "reciprocal")
    normal = call.add(Multiply(), centred, _spread(call, root, flat))
    result = call.scaled(Tensor(normal.place, x.shape, x.lead), call.weights(1))
    return result if call.optional(2) is None else call.shifted(result, call.weights(2))


def _spread(call: Call, x: Tensor, like: Tensor) -> Tensor:
    indices = np.broadcast_to(np.arange(x.size).reshape(x.shape), like.shape)
    return Tensor(call.selected(x, indices, 0).place, like.shape, like.lead)


def _reduced(call: Call) -> tuple[Tensor, tuple[int, ...]]:
    """Return a tensor as (rest, reduced) and the shape of the result."""
    x = call.tensor()
    axes = call.integers(1, "axes")
    if not axes:
        if call.integer("noop_with_empty_axes", 0):
            raise call.unsupported("noop_with_empty_axes = 1", "Axes")
        axes = list(range(x.rank))
    chosen = sorted({call.sample_axis(a, x) for a in axes})
    others = [a for a in range(len(x.shape)) if a not in chosen]
    indices = np.arange(x.size).reshape(x.shape).transpose(*others, *chosen)
    keep = call.integer("keepdims", 1)
    shape = tuple(1 if a in chosen else n for a, n in enumerate(x.shape) if keep or a not in chosen)
    flat = call.selected(x, indices.reshape(math.prod(x.shape[a] for a in others), -1), 0)
    return Tensor(flat.place, flat.shape, x.lead), shape


def _linear_reduction(weight: Callable[[int], float]) -> Handler:
    def handler(call: Call) -> Value:
        x, shape = _reduced(call)
        row = np.full((1, x.shape[1]), weight(x.shape[1]), call.dtype)
        return Tensor(call.along(row, x, 1).place, shape, x.lead)

    return handler


def _reduced_maximum(sign: int) -> Handler:
    def handler(call: Call) -> Value:
        x, shape = _reduced(call)
        source = x if sign > 0 else _negated(call, x)
        result = call.add(Maximum(np.arange(x.size).reshape(x.shape)), source, shape=shape)
        return result if sign > 0 else _negated(call, result)

    return handler


def _reduced_product(call: Call) -> Value:
    """Multiply constants, such as lengths of axes."""
    x = call.constant(0)
    if x is None or x.dtype == object:
        raise call.batch()
    axes = call.integers(1, "axes")
    where = None if not axes else tuple(call.axis(a, x.ndim) for a in axes)
    return np.asarray(np.prod(x, axis=where, keepdims=bool(call.integer("keepdims", 1)), dtype=x.dtype))


def _scaler(call: Call) -> Value:
    """Return (x - offset) · scale, from the operator set ai.onnx.ml."""
    x = call.tensor()
    offset, scale = (np.asarray(call.attributes.get(n, d), call.dtype) for n, d in (("offset", [0]), ("scale", [1])))
    return call.scaled(call.shifted(x, -offset), scale)


def global_average(call: Call) -> Tensor:
    """Return the mean of each channel."""
    x = call.tensor()
    if len(x.shape) < 2:
        raise call.damaged(f"samples of shape {x.shape}", "Channels and at least one more axis")
    size = math.prod(x.shape[1:])
    flat = Tensor(x.place, (x.shape[0], size), x.lead)
    mean = call.along(np.full((1, size), 1 / size, call.dtype), flat, 1)
    return Tensor(mean.place, (x.shape[0], *(1,) * (len(x.shape) - 1)), x.lead)


def global_maximum(call: Call) -> Tensor:
    """Return the maximum of each channel."""
    x = call.tensor()
    if len(x.shape) < 2:
        raise call.damaged(f"samples of shape {x.shape}", "Channels and at least one more axis")
    groups = np.arange(x.size).reshape(x.shape[0], -1)
    return call.add(Maximum(groups), x, shape=(x.shape[0], *(1,) * (len(x.shape) - 1)))


ARITHMETIC: Mapping[str, Handler] = {
    "Add": _add,
    "BatchNormalization": _batch_normalization,
    "Div": _divide,
    "Gemm": _gemm,
    "GlobalAveragePool": global_average,
    "GlobalMaxPool": global_maximum,
    "LayerNormalization": _layer_normalization,
    "MatMul": _matmul,
    "Max": _extreme(1),
    "Mean": lambda call: call.scaled(_as_tensor(call, _sum(call)), np.array(1 / len(call.arguments), call.dtype)),
    "Min": _extreme(-1),
    "Mul": _multiply,
    "Neg": _negate,
    "ReduceMax": _reduced_maximum(1),
    "ReduceMean": _linear_reduction(lambda size: 1 / size),
    "ReduceMin": _reduced_maximum(-1),
    "ReduceProd": _reduced_product,
    "ReduceSum": _linear_reduction(lambda size: 1),
    "Sub": _subtract,
    "Sum": _sum,
    "ai.onnx.ml:Scaler": _scaler,
}


def _as_tensor(call: Call, x: Value) -> Tensor:
    return x if isinstance(x, Tensor) else call.promoted(x)
