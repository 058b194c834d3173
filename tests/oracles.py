"""Independent, slow, simple ways to the same numbers. Nothing here uses jets or chains."""

from __future__ import annotations

import mpmath
import numpy as np

import neuralgebra as na

# The textbook formula of each function that the random networks use, on mpmath numbers.
FUNCTIONS = {
    "identity": lambda z: z,
    "tanh": mpmath.tanh,
    "sigmoid": lambda z: 1 / (1 + mpmath.exp(-z)),
    "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
    "silu": lambda z: z / (1 + mpmath.exp(-z)),
    "gelu": lambda z: z * mpmath.ncdf(z),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "arctan": mpmath.atan,
    "gaussian": lambda z: mpmath.exp(-z * z),
    "asinh": mpmath.asinh,
    "square": lambda z: z * z,
    "exp": mpmath.exp,
    "log": mpmath.log,
    "relu": lambda z: z if z > 0 else z * 0,
    "relu_squared": lambda z: z * z if z > 0 else z * 0,
    "leaky_relu": lambda z: z if z > 0 else z * mpmath.mpf(0.01),
    "elu": lambda z: z if z > 0 else mpmath.expm1(z),
    "hardtanh": lambda z: max(-1, min(1, z)),
    "softsign": lambda z: z / (1 + abs(z)),
    "abs": abs,
    "step": lambda z: mpmath.mpf(z > 0),
    "reciprocal": lambda z: 1 / z,
}


def evaluate(f: na.Network, x: list) -> list:
    """The network with plain loops over dense matrices, on mpmath numbers."""
    values = [list(x)]
    for node in f.nodes:
        values.append(_layer(node.layer, *(values[i] for i in node.inputs)))
    return values[f.output]


def _layer(layer: object, *inputs: list) -> list:
    x = inputs[0]
    match layer:
        case na.Affine():
            return _affine(layer, x)
        case na.Elementwise():
            blocks = [(a.name, len(x) if n is None else n) for a, n in layer.activations]
            names = [name for name, n in blocks for _ in range(n)]
            return [FUNCTIONS[name](v) for name, v in zip(names, x, strict=True)]
        case na.Multiply(shape=None):
            return [a * b for a, b in zip(*inputs, strict=True)]
        case na.Maximum():
            return [max(x[i] for i in group) for group in layer.groups]
        case na.Softmax():
            return _softmax(layer, x)
        case na.PowerProduct():
            return [mpmath.exp(v) for v in _affine(layer, [mpmath.log(v) for v in x])]
        case na.Mixing():
            inner = _affine(layer, [FUNCTIONS[layer.inverse.name](v) for v in x])
            return [FUNCTIONS[layer.function.name](v) for v in inner]
        case na.Concatenate():
            return [v for part in inputs for v in part]
        case na.Select():
            return [x[i] for i in layer.indices]
    raise AssertionError(layer)


def _affine(layer: na.Affine, x: list) -> list:
    weight = layer.weight.dense()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias
    return [
        mpmath.fsum([mpmath.mpf(float(b)), *(mpmath.mpf(float(w)) * v for w, v in zip(row, x, strict=True))])
        for row, b in zip(weight, bias, strict=True)
    ]


def _softmax(layer: na.Softmax, x: list) -> list:
    size = layer.group or len(x)
    out = []
    for start in range(0, len(x), size):
        exps = [mpmath.exp(v) for v in x[start : start + size]]
        out += [mpmath.log(e / sum(exps)) if layer.log else e / sum(exps) for e in exps]
    return out


def derivative(f: na.Network, x: np.ndarray, variables: tuple[int, ...]) -> list[float]:
    """The mixed partial of every output by central difference quotients with 60 digits."""
    with mpmath.workdps(60):
        point = [mpmath.mpf(float(v)) for v in x]
        return [float(v) for v in _quotient(f, point, variables)]


def _quotient(f: na.Network, x: list, variables: tuple[int, ...]) -> list:
    if not variables:
        return evaluate(f, x)
    step = mpmath.mpf(2) ** -40
    first, *rest = variables
    sides = []
    for sign in (1, -1):
        moved = list(x)
        moved[first] += sign * step
        sides.append(_quotient(f, moved, tuple(rest)))
    return [(a - b) / (2 * step) for a, b in zip(*sides, strict=True)]
