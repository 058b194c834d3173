"""ONNX operators that are functions of one number, as functions of the catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neuralgebra.errors import shown
from neuralgebra.files.onnx_arithmetic import larger, powered
from neuralgebra.files.onnx_values import Call, Handler, Tensor, Value
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.functions.catalogue import SELU_ALPHA, SELU_SCALE
from neuralgebra.network.layers import Softmax

__all__ = ["ACTIVATIONS"]

# Operators that are one function of the catalogue as they stand.
_PLAIN = {
    "Abs": "abs", "Asinh": "asinh", "Atan": "arctan", "Atanh": "atanh", "Cos": "cos", "Cosh": "cosh", "Erf": "erf",
    "Exp": "exp", "HardSwish": "hardswish", "Log": "log", "Mish": "mish", "Relu": "relu", "Sigmoid": "sigmoid",
    "Sign": "sign", "Sin": "sin", "Sinh": "sinh", "Softplus": "softplus", "Softsign": "softsign", "Tan": "tan",
    "Tanh": "tanh",
}  # fmt: skip
# Roundings and roots that constants may be put through: one IEEE operation each.
_ON_CONSTANTS: Mapping[str, Callable[..., Any]] = {"Abs": np.abs, "Sqrt": np.sqrt, "Reciprocal": np.reciprocal}


def _plain(name: str) -> Handler:
    def handler(call: Call) -> Value:
        x = call.value(0)
        if isinstance(x, Tensor):
            return call.function(x, name)
        if call.op not in _ON_CONSTANTS or x.dtype.kind != "f":
            raise call.unsupported("a constant", "An input that depends on that of the network")
        return np.asarray(_ON_CONSTANTS[call.op](x))

    return handler


def _with(parameters: Callable[[Call], Activation]) -> Handler:
    return lambda call: call.function(call.tensor(), parameters(call))


def _float32(value: float) -> float:
    """Return a default of the operator set, which is a float32 number."""
    return float(np.float32(value))


def _selu(call: Call) -> Tensor:
    """Return selu, or gamma·elu where the constants are not those of selu to float32 precision."""
    alpha, gamma = call.number("alpha", float(SELU_ALPHA)), call.number("gamma", float(SELU_SCALE))
    if _float32(alpha) == _float32(float(SELU_ALPHA)) and _float32(gamma) == _float32(float(SELU_SCALE)):
        return call.function(call.tensor(), "selu")
    x = call.function(call.tensor(), activation("elu", alpha=alpha))
    return call.scaled(x, np.array(gamma, call.dtype))


def _hardsigmoid(call: Call) -> Activation:
    slope = call.number("alpha", _float32(0.2))
    if not slope:
        raise call.unsupported("alpha = 0, a constant function", "Another slope")
    return activation("hardsigmoid", slope=slope, offset=call.number("beta", 0.5))


def _gelu(call: Call) -> Activation:
    kind = call.attributes.get("approximate", "none")
    if kind not in ("none", "tanh"):
        raise call.damaged(f"approximate = {shown(kind)}", '"none" or "tanh"')
    return activation("gelu" if kind == "none" else "gelu_tanh")


def _swish(call: Call) -> Tensor:
    """Return x·sigmoid(alpha·x) as silu(alpha·x)/alpha."""
    x, alpha = call.tensor(), call.number("alpha", 1.0)
    if alpha == 1:
        return call.function(x, "silu")
    if not alpha:
        return call.scaled(x, np.array(0.5, call.dtype))
    inner = call.function(call.scaled(x, np.array(alpha, call.dtype)), "silu")
    return call.scaled(inner, np.array(1 / alpha, call.dtype))


def _prelu(call: Call) -> Value:
    x, slope = call.broadcast((call.tensor(), call.weights(1)))
    flat = np.asarray(slope).ravel()
    uniform = np.all(flat == flat[0])
    given = float(flat[0]) if uniform else tuple(flat.tolist())
    return call.function(call.tensors([x])[0], activation("prelu", slope=given))


def _shrink(call: Call) -> Activation:
    bias, width = call.number("bias", 0.0), call.number("lambd", 0.5)
    if bias != width or width < 0:
        raise call.unsupported(f"bias = {bias:g}, lambd = {width:g}", "Equal numbers from 0 up: soft shrinking")
    return activation("softshrink", width=width)


def _thresholded(call: Call) -> Activation:
    alpha = call.number("alpha", 1.0)
    if alpha:
        raise call.unsupported(f"alpha = {alpha:g}, a function with a jump", "alpha = 0, which is relu")
    return activation("relu")


def _clip(call: Call) -> Value:
    """Return the argument brought between bounds; bounds at the end of the number range are none."""
    x, low, high = call.value(0), _bound(call, 1, "min"), _bound(call, 2, "max")
    if not isinstance(x, Tensor):
        return np.clip(x, low, high).astype(x.dtype)
    if low is None or high is None:
        return _one_sided(call, x, low, high)
    if low > high:
        raise call.unsupported(f"bounds {low:g} and {high:g}", "The lower one first")
    if low == high:
        return call.shifted(call.scaled(x, np.array(0, call.dtype)), np.array(low, call.dtype))
    if (low, high) == (0, 6):
        return call.function(x, "relu6")
    return call.function(x, activation("hardtanh", low=low, high=high))


def _bound(call: Call, position: int, name: str) -> float | None:
    given = call.constant(position)
    number = call.attributes.get(name) if given is None else given.item() if given.size == 1 else math.nan
    if number is None or abs(number) >= np.finfo(call.dtype).max:
        return None
    if math.isnan(number):
        raise call.damaged(f"{name} that is not a number", "One number")
    return float(number)


def _one_sided(call: Call, x: Tensor, low: float | None, high: float | None) -> Tensor:
    for bound, sign in ((low, 1), (high, -1)):
        if bound is not None:
            return larger(call, call.broadcast([x, np.array(bound, call.dtype)]), sign)
    return x


def _power(call: Call) -> Value:
    x, exponent = call.value(0), call.constant(1)
    if exponent is None or not exponent.size or not np.all(exponent == exponent.flat[0]):
        raise call.unsupported("exponents that differ", "One constant exponent")
    if not isinstance(x, Tensor):
        raise call.unsupported("a constant base", "One that depends on the input of the network")
    if exponent.size > 1:
        x = call.tensors(call.broadcast((x, exponent)))[0]
    p = float(exponent.flat[0])
    if p == int(p) if math.isfinite(p) else False:
        return _whole_power(call, x, int(p))
    return call.function(x, "sqrt" if p == 0.5 else activation("power", p=p))


def _whole_power(call: Call, x: Tensor, p: int) -> Tensor:
    if not -64 <= p <= 64:
        raise call.unsupported(f"exponent {p}", "At most 64")
    if p == 0:
        return call.shifted(call.scaled(x, np.array(0, call.dtype)), np.array(1, call.dtype))
    result = powered(call, x, abs(p))
    return call.function(result, "reciprocal") if p < 0 else result


def _softmax(log: bool) -> Handler:
    def handler(call: Call) -> Value:
        x = call.tensor()
        modern = call.opset >= 13
        axis = call.sample_axis(call.integer("axis", -1 if modern else 1), x)
        if not modern:
            size = math.prod(x.shape[axis:])
            return call.add(Softmax(None if size == x.size else size, log), x)
        if axis == len(x.shape) - 1:
            return call.add(Softmax(None if x.shape[-1] == x.size else x.shape[-1], log), x)
        return _inner_softmax(call, x, axis, log)

    return handler


def _inner_softmax(call: Call, x: Tensor, axis: int, log: bool) -> Tensor:
    """Bring the axis to the end and back."""
    moved = call.selected(x, np.moveaxis(x.positions, axis + x.lead, -1))
    size = moved.shape[-1]
    result = call.add(Softmax(None if size == x.size else size, log), moved)
    return call.selected(result, np.moveaxis(result.positions, -1, axis + x.lead))


ACTIVATIONS: Mapping[str, Handler] = {
    **{op: _plain(name) for op, name in _PLAIN.items()},
    "Celu": _with(lambda call: activation("celu", alpha=call.number("alpha", 1.0))),
    "Clip": _clip,
    "Elu": _with(lambda call: activation("elu", alpha=call.number("alpha", 1.0))),
    "Gelu": _with(_gelu),
    "HardSigmoid": _with(_hardsigmoid),
    "LeakyRelu": _with(lambda call: activation("leaky_relu", slope=call.number("alpha", _float32(0.01)))),
    "LogSoftmax": _softmax(log=True),
    "PRelu": _prelu,
    "Pow": _power,
    "Reciprocal": _plain("reciprocal"),
    "Selu": _selu,
    "Shrink": _with(_shrink),
    "Softmax": _softmax(log=False),
    "Sqrt": _plain("sqrt"),
    "Swish": _swish,
    "ThresholdedRelu": _with(_thresholded),
}
