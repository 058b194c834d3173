"""Functions of the catalogue as ONNX operators: one operator where there is one, else a formula of several.

A derivative, and a function without either, is written as the polynomial in its chain.

onnxruntime has no float64 kernels for some operators, and attributes are float32 numbers; in float64 a formula of
other operators is preferred, where one is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuralgebra.files.onnx_expressions import NO_DOUBLE, Expressions
from neuralgebra.files.onnx_graph import Graph, Term
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.catalogue import GELU_CUBE, SELU_LEFT, SELU_SCALE

__all__ = ["applied"]


@dataclass(frozen=True)
class _Operator:
    """An operator for a function.

    Parameters
    ----------
    name : str
        Its name.
    attributes : mapping of str to str
        Attribute -> parameter of the function.
    since : int
        First opset that has it.
    fixed : mapping of str to Any
        Attributes with a fixed value.
    """

    name: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    since: int = 0
    fixed: Mapping[str, Any] = field(default_factory=dict)


_OPERATORS: Mapping[str, _Operator] = {
    "abs": _Operator("Abs"),
    "arctan": _Operator("Atan"),
    "asinh": _Operator("Asinh"),
    "atanh": _Operator("Atanh"),
    "celu": _Operator("Celu", {"alpha": "alpha"}),
    "cos": _Operator("Cos"),
    "cosh": _Operator("Cosh"),
    "elu": _Operator("Elu", {"alpha": "alpha"}),
    "erf": _Operator("Erf"),
    "exp": _Operator("Exp"),
    "gelu": _Operator("Gelu", since=20),
    "gelu_tanh": _Operator("Gelu", since=20, fixed={"approximate": "tanh"}),
    "hardsigmoid": _Operator("HardSigmoid", {"alpha": "slope", "beta": "offset"}),
    "hardswish": _Operator("HardSwish", since=14),
    "leaky_relu": _Operator("LeakyRelu", {"alpha": "slope"}),
    "log": _Operator("Log"),
    "mish": _Operator("Mish", since=18),
    "reciprocal": _Operator("Reciprocal"),
    "relu": _Operator("Relu"),
    "selu": _Operator("Selu", fixed={"alpha": float(SELU_LEFT / SELU_SCALE), "gamma": float(SELU_SCALE)}),
    "sigmoid": _Operator("Sigmoid"),
    "sign": _Operator("Sign"),
    "sin": _Operator("Sin"),
    "sinh": _Operator("Sinh"),
    "softplus": _Operator("Softplus"),
    "softshrink": _Operator("Shrink", {"bias": "width", "lambd": "width"}),
    "softsign": _Operator("Softsign"),
    "sqrt": _Operator("Sqrt"),
    "tan": _Operator("Tan"),
    "tanh": _Operator("Tanh"),
}

Formula = Callable[[Term, Mapping[str, Any]], Term]


def _leaky(z: Term, p: Mapping[str, Any]) -> Term:
    return z.max(0) + z.min(0).of("Mul", p["slope"])


def _mish(z: Term, p: Mapping[str, Any]) -> Term:
    """Return z·n/(n + 2) with n = e(e + 2) and e = exp(z), which is z·tanh(softplus(z)); n is so large beyond z = 20
    that the quotient is 1."""
    e = z.min(20).of("Exp")
    n = e * (e + 2)
    return z * (n / (n + 2))


def _gelu_tanh(z: Term, p: Mapping[str, Any]) -> Term:
    inner = 2 * math.sqrt(2 / math.pi) * (z * (1 + float(GELU_CUBE) * (z * z)))
    return z * inner.of("Sigmoid")


def _cbrt(z: Term, p: Mapping[str, Any]) -> Term:
    """Return sign(z)·|z|^(1/3), with a step of Newton's method for what the exponent is off by."""
    a = abs(z).max(float(np.finfo(z.graph.dtype).tiny))
    y = a ** (1 / 3)
    return z.of("Sign") * (y - (y - a / (y * y)) / 3)


def _inner_elu(z: Term, p: Mapping[str, Any]) -> Term:
    return z.max(0) + z.min(0).expm1().of("Mul", p["alpha"])


_FORMULAS: Mapping[str, Formula] = {
    "affine": lambda z, p: z.of("Mul", p["slope"]).of("Add", p["offset"]),
    "at_least": lambda z, p: z.max(p["bound"]),
    "at_most": lambda z, p: z.min(p["bound"]),
    "atanh": lambda z, p: z.atanh(),
    "celu": lambda z, p: z.max(0) + p["alpha"] * (z.min(0) / p["alpha"]).expm1(),
    "cbrt": _cbrt,
    "cosh": lambda z, p: 0.5 * (z.of("Exp") + (-z).of("Exp")),
    "cube": lambda z, p: z * z * z,
    "elu": _inner_elu,
    "exp_base": lambda z, p: z.of("Mul", _logarithm(p["base"])).of("Exp"),
    "expm1": lambda z, p: z.expm1(),
    "gaussian": lambda z, p: (-(z * z)).of("Exp"),
    "gelu_tanh": _gelu_tanh,
    "hardsigmoid": lambda z, p: (p["slope"] * z + p["offset"]).clip(0, 1),
    "hardswish": lambda z, p: z * (z / 6 + 0.5).clip(0, 1),
    "hardtanh": lambda z, p: z.clip(p["low"], p["high"]),
    "hill": lambda z, p: 1 / (1 + z ** _negative(p["n"])),
    "identity": lambda z, p: z,
    "leaky_relu": _leaky,
    "log_base": lambda z, p: z.of("Log").of("Div", _logarithm(p["base"])),
    "logit": lambda z, p: z.logit(),
    "logsigmoid": lambda z, p: -(-z).log1p_of_exp(),
    "mish": _mish,
    "power": lambda z, p: z ** p["p"],
    "relu6": lambda z, p: z.clip(0, 6),
    "relu_squared": lambda z, p: z.of("Relu") * z.of("Relu"),
    "selu": lambda z, p: float(SELU_SCALE) * z.max(0) + float(SELU_LEFT) * z.min(0).expm1(),
    "silu": lambda z, p: z * z.of("Sigmoid"),
    "sinh": lambda z, p: z.of("Tanh") * (0.5 * (z.of("Exp") + (-z).of("Exp"))),
    "softplus": lambda z, p: z.log1p_of_exp(),
    "softshrink": lambda z, p: z - z.clip(_negative(p["width"]), p["width"]),
    "softsign": lambda z, p: z / (1 + abs(z)),
    "square": lambda z, p: z * z,
    "step": lambda z, p: z.of("Sign").of("Relu"),
    "tan": lambda z, p: z.of("Sin") / z.of("Cos"),
    "tanhshrink": lambda z, p: z - z.of("Tanh"),
}


def _logarithm(value: Any) -> Any:
    return tuple(map(math.log, value)) if isinstance(value, tuple) else math.log(value)


def _negative(value: Any) -> Any:
    return tuple(-v for v in value) if isinstance(value, tuple) else -value


def applied(graph: Graph, function: Activation, x: str) -> str:
    """Return the value of a function of the catalogue, coordinate by coordinate.

    Parameters
    ----------
    graph : Graph
        Takes the nodes.
    function : Activation
        The function.
    x : str
        Name of its argument in the graph.

    Returns
    -------
    str
        Name of its value.
    """
    parameters, operator = dict(function.parameters), _OPERATORS.get(function.name)
    if function.name == "prelu" and graph.dtype.itemsize == 4:
        return graph.node("PRelu", x, graph.number([float(v) for v in _listed(parameters["slope"])]))
    if operator and _serves(graph, operator, function):
        numbers = {attribute: float(parameters[name]) for attribute, name in operator.attributes.items()}  # type: ignore[arg-type]
        return graph.node(operator.name, x, **numbers, **operator.fixed)
    if function.name in _FORMULAS or function.name == "prelu":
        return _FORMULAS.get(function.name, _leaky)(Term(graph, x), parameters).name
    return str(function(Expressions(graph.dtype), Term(graph, x)).name)


def _serves(graph: Graph, operator: _Operator, function: Activation) -> bool:
    """Return whether an operator can be used: known to the opset, and for float64 with a kernel and no attributes."""
    if graph.opset < operator.since or any(isinstance(v, tuple) for _, v in function.parameters):
        return False
    inexact = graph.dtype.itemsize == 8 and bool(operator.name in NO_DOUBLE or operator.attributes)
    return not (inexact and function.name in _FORMULAS)


def _listed(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
