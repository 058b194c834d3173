"""The textbook formula of every activation, on mpmath numbers. Nothing here knows of chains."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
from mpmath import mpf


def clip(z: Any, low: Any, high: Any) -> Any:
    return max(low, min(high, z))


def sigmoid(z: Any) -> Any:
    return 1 / (1 + mpmath.exp(-z))


def gelu_tanh(z: Any) -> Any:
    return z / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (z + mpf("0.044715") * z**3)))


def selu(z: Any) -> Any:
    scale, alpha = mpf("1.05070098735548049341933498529"), mpf("1.67326324235437728481704299167")
    return scale * (z if z > 0 else alpha * (mpmath.exp(z) - 1))


# name -> function of the argument and the parameters
FORMULAS: dict[str, Callable[..., Any]] = {
    "identity": lambda z: z,
    "tanh": lambda z: mpmath.sinh(z) / mpmath.cosh(z),
    "sigmoid": sigmoid,
    "softplus": lambda z: mpmath.log(1 + mpmath.exp(z)),
    "logsigmoid": lambda z: mpmath.log(sigmoid(z)),
    "gelu": lambda z: z * mpmath.erfc(-z / mpmath.sqrt(2)) / 2,
    "gelu_tanh": gelu_tanh,
    "silu": lambda z: z * sigmoid(z),
    "mish": lambda z: z * mpmath.tanh(mpmath.log(1 + mpmath.exp(z))),
    "tanhshrink": lambda z: z - mpmath.tanh(z),
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "sinh": lambda z: (mpmath.exp(z) - mpmath.exp(-z)) / 2,
    "cosh": lambda z: (mpmath.exp(z) + mpmath.exp(-z)) / 2,
    "log1p": lambda z: mpmath.log(1 + z),
    "expm1": lambda z: mpmath.exp(z) - 1,
    "exp_base": lambda z, base: mpmath.exp(z * mpmath.log(base)),
    "log_base": lambda z, base: mpmath.log(z) / mpmath.log(base),
    "affine": lambda z, slope, offset: slope * z + offset,
    "cube": lambda z: z * z * z,
    "cbrt": lambda z: mpmath.sign(z) * mpmath.root(abs(z), 3),
    "hill": lambda z, n: 1 / (1 + mpmath.exp(-n * mpmath.log(z))),
    "at_least": lambda z, bound: max(z, bound),
    "at_most": lambda z, bound: min(z, bound),
    "asinh": lambda z: mpmath.log(z + mpmath.sqrt(z * z + 1)),
    "arctan": mpmath.atan,
    "tan": lambda z: mpmath.sin(z) / mpmath.cos(z),
    "atanh": lambda z: mpmath.log((1 + z) / (1 - z)) / 2,
    "logit": lambda z: mpmath.log(z) - mpmath.log(1 - z),
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "square": lambda z: z * z,
    "reciprocal": lambda z: 1 / z,
    "power": lambda z, p: mpmath.exp(p * mpmath.log(z)),
    "lisht": lambda z: z * mpmath.sinh(z) / mpmath.cosh(z),
    "gaussian": lambda z: mpmath.exp(-z * z),
    "erf": mpmath.erf,
    "relu": lambda z: max(z, mpf(0)),
    "relu_squared": lambda z: max(z, mpf(0)) ** 2,
    "leaky_relu": lambda z, slope: z if z > 0 else slope * z,
    "prelu": lambda z, slope: z if z > 0 else slope * z,
    "elu": lambda z, alpha: z if z > 0 else alpha * (mpmath.exp(z) - 1),
    "selu": selu,
    "celu": lambda z, alpha: z if z > 0 else alpha * (mpmath.exp(z / alpha) - 1),
    "softsign": lambda z: z / (1 + abs(z)),
    "hardtanh": lambda z, low, high: clip(z, low, high),
    "relu6": lambda z: clip(z, mpf(0), mpf(6)),
    "hardsigmoid": lambda z, slope, offset: clip(slope * z + offset, mpf(0), mpf(1)),
    "hardswish": lambda z: z * clip(z + 3, mpf(0), mpf(6)) / 6,
    "abs": abs,
    "sign": mpmath.sign,
    "step": lambda z: mpf(1) if z > 0 else mpf(0),
    "softshrink": lambda z, width: z - width if z > width else z + width if z < -width else mpf(0),
}


def derivatives(name: str, parameters: dict[str, Any], z: float, order: int) -> list[Any]:
    """The function and its derivatives up to an order at one point, by numerical differentiation at 60 digits."""
    with mpmath.workdps(60):
        values = {
            n: mpf(v.numerator) / v.denominator if isinstance(v, Fraction) else mpf(v) for n, v in parameters.items()
        }
        return list(mpmath.diffs(lambda t: FORMULAS[name](t, **values), mpf(z), order))


# Where the value turns between rising and falling, of those functions for which it does; from the literature.
TURNS: dict[str, tuple[float, ...]] = {
    "gelu": (-0.7517915246935645,),
    "gelu_tanh": (-0.7524614220710162,),
    "silu": (-1.2784645427610738,),
    "mish": (-1.1924312145154430,),
    "square": (0.0,),
    "lisht": (0.0,),
    "gaussian": (0.0,),
    "cosh": (0.0,),
    "leaky_relu": (0.0,),
    "prelu": (0.0,),
    "elu": (0.0,),
    "hardswish": (-1.5,),
    "abs": (0.0,),
}
