"""The table of activations: one row each. To add one, add a row.

Columns are those of `Row`; the variables are

==========  =======================================================================================
z           the argument
y           the function itself, where it is a chain function
t, c        tanh(z) and sech(z)²
s, n, d     sigmoid(z), sigmoid(-z) and their common slope ±d; u = tanh(z/2), so d' = -d·u
e, E        an exponential; E is 0 where z > 0
H, B        1 where z > 0; 1 inside a band
S           a slope with one constant for each piece
r           a reciprocal
g, w        a density, and a constant
==========  =======================================================================================

The chosen values at kinks are those of PyTorch 2.13.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.errors import shown
from neuralgebra.functions import special
from neuralgebra.functions.activation import Definition, Element, Kink, Row, register
from neuralgebra.functions.polynomial import Polynomial, variables

__all__: list[str] = []

# Two constants of Klambauer et al., "Self-normalizing neural networks" (2017), to 30 digits.
SELU_ALPHA = Fraction("1.67326324235437728481704299167")
SELU_SCALE = Fraction("1.05070098735548049341933498529")
SELU_LEFT = SELU_SCALE * SELU_ALPHA
# The cubic term of the tanh form of gelu, Hendrycks and Gimpel (2016).
GELU_CUBE = Fraction("0.044715")
POWER_LISTED = 4  # so many derivatives of a power are chain functions of their own, exact at 0 and at infinity

INF = math.inf
ZERO = Polynomial({})
z, y, t, c, s, n, d, u, e, E, H, B, S, r, g, w, h = variables("z y t c s n d u e E H B S r g w h")
L, D, q, v1, v2 = variables("L D q v1 v2")
phi, Phi, alpha, slope, low, high, offset = variables("phi Phi alpha slope low high offset")


def _root(k: Any) -> Any:
    """Return 2·sqrt(2/π)."""
    return 2 * math.sqrt(2 / math.pi) if k.floating else 2 * k.sqrt(2 / (k.number(1) * k.pi))


def _of_gelu_inner(function: Callable[..., Any]) -> Definition:
    """Return the function of w, where gelu_tanh(z) = z·sigmoid(w) and w = 2·sqrt(2/π)·(z + 0.044715 z³)."""
    return lambda k, z, p: function(k, _root(k) * (z * (1 + k.number(GELU_CUBE) * z * z)), p)


def _sigmoid(k: Any, z: Any, _: Any) -> Any:
    return 1 / (1 + k.exp(-z))


def _sigmoid_slope(k: Any, z: Any, _: Any) -> Any:
    return k.exp(-z) / (1 + k.exp(-z)) ** 2


def _tanh_half(k: Any, z: Any, _: Any) -> Any:
    return k.tanh(z / 2)


def _power_derivative(order: int) -> Element:
    """Return the chain function that is the derivative of an order of z^p: p(p-1)…·z^(p-order)."""

    def factor(k: Any, p: Any) -> Any:
        return math.prod((p["p"] - i for i in range(order)), start=k.number(1))

    def definition(k: Any, z: Any, p: Any) -> Any:
        return factor(k, p) * k.power(z, p["p"] - order)

    def stable(k: Any, z: Any, p: Any) -> Any:
        return special.scaled_power(k, z, p["p"] - order, factor(k, p))

    (itself, following) = variables(f"y{order} y{order + 1}")
    return Element(f"y{order}", following if order < POWER_LISTED else itself * w * r, definition, stable, turning=())


def _scaled_exp(k: Any, z: Any, factor: Any) -> Any:
    """Return factor·exp(z)."""
    return special.scaled_exp(k, z, factor) if k.floating else factor * k.exp(z)


def _with_left(name: str, derivative: Polynomial, right: Callable[[Any, Any], Any], left: Definition) -> Element:
    """Return the chain function that is right(z) where z > 0, else left(z); arrays never see left of a positive z."""

    def exact(k: Any, z: Any, p: Any) -> Any:
        return k.where_greater(z, 0, right(k, z), left(k, z, p))

    def stable(k: Any, z: Any, p: Any) -> Any:
        return k.where_greater(z, 0, right(k, z), left(k, k.minimum(z, 0), p))

    return Element(name, derivative, exact, stable, turning=(0.0,))


def _elu_order(p: Any) -> int:
    """Return the order of the kink of elu: 2 if alpha is 1, for every coordinate."""
    return 2 if np.all(np.equal(p["alpha"], 1)) else 1


def _sinh_chain() -> tuple[Element, Element]:
    return (
        Element("s", c, lambda k, z, p: k.sinh(z), special.sinh, turning=()),
        Element("c", s, lambda k, z, p: k.cosh(z), special.cosh, turning=(0.0,)),
    )


# Parameters -------------------------------------------------------------------------------------------------------


def _each(function: Callable[..., Any], *values: Any) -> Any:
    """Apply a function to parameters, coordinate by coordinate where they have one value for each."""
    sizes = [len(v) for v in values if isinstance(v, tuple)]
    if not sizes:
        return function(*values)
    columns = [v if isinstance(v, tuple) else (v,) * sizes[0] for v in values]
    return tuple(function(*row) for row in zip(*columns, strict=True))


def _quotient(a: Any, b: Any) -> Any:
    """Return a/b, exact where both numbers are."""
    return Fraction(a) / b if isinstance(a, int | Fraction) and isinstance(b, int | Fraction) else float(a) / float(b)


def _of_affine(p: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "affine", {
        "slope": _each(_quotient, 1, p["slope"]),
        "offset": _each(lambda a, b: -_quotient(b, a), p["slope"], p["offset"]),
    }


def _of_power(p: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "power", {"p": _each(_quotient, 1, p["p"])}


def _of_leaky(name: str) -> Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]] | None]:
    def inverse(p: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
        if np.any(np.less_equal(p["slope"], 0)):
            return None
        return name, {"slope": _each(_quotient, 1, p["slope"])}

    return inverse


def _same_base(name: str) -> Callable[[Mapping[str, Any]], tuple[str, Mapping[str, Any]]]:
    return lambda p: (name, {"base": p["base"]})


def _base(p: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a base."""
    wrong = any(b <= 0 or b == 1 for b in np.ravel(p["base"]))
    return f"base={shown(p['base'])} received; a positive number other than 1 is expected." if wrong else None


def _order(p: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the order of hill."""
    wrong = any(n <= 0 for n in np.ravel(p["n"]))
    return f"n={shown(p['n'])} received for hill; a positive number is expected." if wrong else None


def _ends(p: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the ends of hardtanh."""
    wrong = np.any(np.greater(p["low"], p["high"]))
    return f"low={shown(p['low'])}, high={shown(p['high'])} received; low <= high is expected." if wrong else None


def _width(p: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the width of softshrink."""
    wrong = np.any(np.less(p["width"], 0))
    return f"width={shown(p['width'])} received for softshrink; a number from 0 on is expected." if wrong else None


def _log_of_base(k: Any, z: Any, p: Any) -> Any:
    base = p["base"]
    return math.log(base) if isinstance(base, int | float) else k.log(base)


def _hill(k: Any, z: Any, p: Any) -> Any:
    return 1 / (1 + k.power(z, -p["n"]))


def _hill_ratio(k: Any, z: Any, p: Any) -> Any:
    """Return hill(z)/z."""
    return k.power(z, p["n"] - 1) / (1 + k.power(z, p["n"]))


def _hill_growth(order: int) -> Element:
    """Return the chain function (n - 1)/z^order, which for n = 1 is 0 also at z = 0."""

    def stable(k: Any, z: Any, p: Any) -> Any:
        return k.times(1 / z**order, p["n"] - 1)

    (itself, following) = variables(f"v{order} v{order + 1}")
    derivative = -order * (following if order < POWER_LISTED else itself * r)
    return Element(f"v{order}", derivative, lambda k, z, p: (p["n"] - 1) / z**order, stable)


def _hill_bend(k: Any, z: Any, p: Any) -> Any:
    """Return the derivative of hill(z)/z."""
    ratio = _hill_ratio(k, z, p)
    return (p["n"] - 1) * k.power(z, p["n"] - 2) / (1 + k.power(z, p["n"])) - p["n"] * ratio * ratio


# Chains that several rows share -----------------------------------------------------------------------------------

TANH = Element("t", c, lambda k, z, p: k.tanh(z), special.tanh, turning=())
SECH2 = Element("c", -2 * t * c, lambda k, z, p: 1 / k.cosh(z) ** 2, special.sech2, (0.0,), 1 - t * t)
SIGMOID = Element("s", d, _sigmoid, special.sigmoid, turning=())
LOGISTIC = (
    Element("d", -d * u, _sigmoid_slope, special.sigmoid_slope, (0.0,), (1 - u * u) / 4),
    Element("u", 2 * d, _tanh_half, special.tanh_half, turning=()),
)
SINE = Element("s", c, lambda k, z, p: k.sin(z))
COSINE = Element("c", -s, lambda k, z, p: k.cos(z))
RECIPROCAL = Element("r", -r * r, lambda k, z, p: 1 / z)
STEP = Element("H", ZERO, lambda k, z, p: k.step(z), turning=())
SIGN = Element("s", ZERO, lambda k, z, p: k.sign(z), turning=())
LEAKY = (
    Element("y", S, lambda k, z, p: k.where_greater(z, 0, z, p["slope"] * z), turning=(0.0,)),
    Element("S", ZERO, lambda k, z, p: k.where_greater(z, 0, 1, p["slope"])),
)

SMOOTH = (
    Row("identity", z, inverse="identity", names={"onnx": "Identity", "torch": "Identity", "sklearn": "identity"}),
    Row(
        "tanh",
        t,
        (TANH, SECH2),
        range=(-1, 1),
        inverse="atanh",
        names={"onnx": "Tanh", "torch": "Tanh", "sklearn": "tanh"},
    ),
    Row(
        "sigmoid",
        s,
        (SIGMOID, *LOGISTIC),
        range=(0, 1),
        inverse="logit",
        names={"onnx": "Sigmoid", "torch": "Sigmoid", "sklearn": "logistic"},
    ),
    Row(
        "softplus",
        y,
        (Element("y", s, lambda k, z, p: k.log1p(k.exp(z)), special.softplus, turning=()), SIGMOID, *LOGISTIC),
        range=(0, INF),
        names={"onnx": "Softplus", "torch": "Softplus"},
    ),
    Row(
        "logsigmoid",
        y,
        (
            Element("y", n, lambda k, z, p: -k.log1p(k.exp(-z)), special.logsigmoid, turning=()),
            Element("n", -d, lambda k, z, p: _sigmoid(k, -z, p), special.sigmoid_of_minus, turning=()),
            *LOGISTIC,
        ),
        range=(-INF, 0),
        names={"torch": "LogSigmoid"},
    ),
    Row(
        "gelu",
        z * Phi,
        (
            Element("Phi", phi, lambda k, z, p: k.ndtr(z), special.ndtr, turning=()),
            Element(
                "phi",
                -z * phi,
                lambda k, z, p: k.exp(-z * z / 2) / k.sqrt(k.number(2) * k.pi),
                special.normal_density,
                turning=(0.0,),
            ),
        ),
        range=(-0.16997120747990369, INF),
        names={"onnx": "Gelu", "torch": "GELU"},
    ),
    Row(
        "gelu_tanh",
        z * s,
        (
            Element(
                "s",
                d * (_w := g + 3 * GELU_CUBE * g * z**2),
                _of_gelu_inner(_sigmoid),
                _of_gelu_inner(special.sigmoid),
                turning=(),
            ),
            Element(
                "d", -d * u * _w, _of_gelu_inner(_sigmoid_slope), _of_gelu_inner(special.sigmoid_slope), turning=(0.0,)
            ),
            Element("u", 2 * d * _w, _of_gelu_inner(_tanh_half), _of_gelu_inner(special.tanh_half), turning=()),
            Element("g", ZERO, lambda k, z, p: _root(k)),
        ),
        range=(-0.17004075057125408, INF),
        names={"torch": "GELU"},
    ),
    Row(
        "silu",
        z * s,
        (SIGMOID, *LOGISTIC),
        range=(-0.27846454276107380, INF),
        names={"onnx": "Swish", "torch": "SiLU"},
    ),
    Row(
        "mish",
        z * t,
        (
            Element("t", c * s, lambda k, z, p: k.tanh(k.log1p(k.exp(z))), special.mish_tanh, turning=()),
            Element(
                "c", -2 * t * c * s, lambda k, z, p: 1 / k.cosh(k.log1p(k.exp(z))) ** 2, special.mish_sech2, turning=()
            ),
            SIGMOID,
            *LOGISTIC,
        ),
        range=(-0.30884341301725240, INF),
        names={"onnx": "Mish", "torch": "Mish"},
    ),
    Row(
        "tanhshrink",
        y,
        (Element("y", t * t, lambda k, z, p: z - k.tanh(z), special.tanhshrink, turning=()), TANH, SECH2),
        names={"torch": "Tanhshrink"},
    ),
    Row("sin", s, (SINE, COSINE), range=(-1, 1), names={"onnx": "Sin"}),
    Row("cos", c, (SINE, COSINE), range=(-1, 1), names={"onnx": "Cos"}),
    Row(
        "sinh",
        s,
        _sinh_chain(),
        inverse="asinh",
        names={"onnx": "Sinh"},
    ),
    Row("cosh", c, _sinh_chain(), range=(1, INF), names={"onnx": "Cosh"}),
    Row(
        "asinh",
        y,
        (
            Element("y", r, lambda k, z, p: k.asinh(z), turning=()),
            Element("r", -z * r**3, lambda k, z, p: 1 / k.sqrt(1 + z * z), special.hypot_reciprocal, turning=(0.0,)),
        ),
        inverse="sinh",
        names={"onnx": "Asinh"},
    ),
    Row(
        "arctan",
        y,
        (
            Element("y", r, lambda k, z, p: k.atan(z), turning=()),
            Element("r", -2 * z * r**2, lambda k, z, p: 1 / (1 + z * z), turning=(0.0,)),
        ),
        range=(-math.pi / 2, math.pi / 2),
        inverse="tan",
        names={"onnx": "Atan"},
    ),
    Row(
        "tan",
        t,
        (Element("t", 1 + t * t, lambda k, z, p: k.tan(z), turning=()),),
        domain=(-math.pi / 2, math.pi / 2),
        inverse="arctan",
        names={"onnx": "Tan"},
    ),
    Row(
        "atanh",
        y,
        (
            Element("y", r, lambda k, z, p: k.atanh(z), special.atanh, turning=()),
            Element("r", 2 * z * r**2, lambda k, z, p: 1 / ((1 - z) * (1 + z)), turning=(0.0,)),
        ),
        domain=(-1, 1),
        inverse="tanh",
        names={"onnx": "Atanh"},
    ),
    Row(
        "logit",
        y,
        (
            Element("y", r, lambda k, z, p: k.log(z / (1 - z)), special.logit, turning=()),
            Element("r", (2 * z - 1) * r**2, lambda k, z, p: 1 / (z * (1 - z)), turning=(0.5,)),
        ),
        domain=(0, 1),
        inverse="sigmoid",
    ),
    Row(
        "exp",
        e,
        (Element("e", e, lambda k, z, p: k.exp(z), turning=()),),
        range=(0, INF),
        inverse="log",
        names={"onnx": "Exp"},
    ),
    Row(
        "log",
        y,
        (Element("y", r, lambda k, z, p: k.log(z), turning=()), RECIPROCAL),
        domain=(0, INF),
        inverse="exp",
        names={"onnx": "Log"},
    ),
    Row(
        "log1p",
        y,
        (
            Element("y", r, lambda k, z, p: k.log1p(z), lambda k, z, p: special.log1p(k, z), turning=()),
            Element("r", -r * r, lambda k, z, p: 1 / (1 + z), turning=()),
        ),
        domain=(-1, INF),
        inverse="expm1",
    ),
    Row(
        "expm1",
        y,
        (
            Element("y", e, lambda k, z, p: k.expm1(z), turning=()),
            Element("e", e, lambda k, z, p: k.exp(z), turning=()),
        ),
        range=(-1, INF),
        inverse="log1p",
    ),
    Row(
        "exp_base",
        y,
        (
            Element("y", h * h * L, lambda k, z, p: k.power(p["base"], z), turning=()),
            # its square root, so that derivatives do not overflow where the function alone does
            Element("h", h * L / 2, lambda k, z, p: k.power(p["base"], z / 2), turning=()),
            Element("L", ZERO, _log_of_base),
        ),
        parameters={"base": 2},
        fault=_base,
        range=(0, INF),
        inverse=_same_base("log_base"),
    ),
    Row(
        "log_base",
        y,
        (
            Element("y", w * r, lambda k, z, p: k.log(z) / _log_of_base(k, z, p), turning=()),
            Element("w", ZERO, lambda k, z, p: 1 / _log_of_base(k, z, p)),
            RECIPROCAL,
        ),
        parameters={"base": 2},
        fault=_base,
        domain=(0, INF),
        inverse=_same_base("exp_base"),
    ),
    Row(
        "affine",
        slope * z + offset,
        parameters={"slope": 1, "offset": 0},
        inverse=_of_affine,
    ),
    Row("cube", z**3, inverse="cbrt"),
    Row(
        "cbrt",
        y,
        (
            Element("y", r, lambda k, z, p: k.sign(z) * k.power(k.abs(z), k.number(Fraction(1, 3))), special.cbrt, ()),
            Element(
                "r",
                B,
                lambda k, z, p: k.power(k.abs(z), k.number(Fraction(-2, 3))) / 3,
                special.cbrt_slope,
            ),
            Element(
                "B",
                -45 * B * r**3 * y**3,
                lambda k, z, p: k.sign(z) * k.power(k.abs(z), k.number(Fraction(-5, 3))) * k.number(Fraction(-2, 9)),
                special.cbrt_bend,
            ),
        ),
        inverse="cube",
    ),
    Row(
        "hill",
        h,
        (
            Element("h", L * q * s, _hill, special.hill, turning=()),
            Element("q", -L * q * s, lambda k, z, p: 1 / (1 + k.power(z, p["n"])), special.hill_off, turning=()),
            Element("s", D, _hill_ratio, special.hill_ratio),
            Element("D", D * v1 - 2 * L * s * D - v2 * s, _hill_bend, special.hill_bend),
            *(_hill_growth(order) for order in range(1, POWER_LISTED + 1)),
            Element("L", ZERO, lambda k, z, p: p["n"] + 0),
            RECIPROCAL,
        ),
        parameters={"n": 1},
        fault=_order,
        domain=(0, INF),
        range=(0, 1),
    ),
    Row(
        "sqrt",
        s,
        (
            Element("s", r, lambda k, z, p: k.sqrt(z), turning=()),
            Element("r", -2 * r**3, lambda k, z, p: 1 / (2 * k.sqrt(z)), turning=()),
        ),
        domain=(0, INF),
        range=(0, INF),
        inverse="square",
        names={"onnx": "Sqrt"},
    ),
    Row("square", z * z, range=(0, INF), inverse="sqrt"),
    Row(
        "reciprocal",
        r,
        (RECIPROCAL,),
        domain=(0, INF),
        range=(0, INF),
        inverse="reciprocal",
        names={"onnx": "Reciprocal"},
    ),
    Row(
        "power",
        variables("y0")[0],
        (
            *(_power_derivative(order) for order in range(POWER_LISTED + 1)),
            Element("w", ZERO, lambda k, z, p: p["p"] - POWER_LISTED),
            RECIPROCAL,
        ),
        parameters={"p": 2},
        domain=(0, INF),
        range=(0, INF),
        inverse=_of_power,
        names={"onnx": "Pow"},
    ),
    Row("lisht", z * t, (TANH, SECH2), range=(0, INF)),
    Row(
        "gaussian",
        g,
        (Element("g", -2 * z * g, lambda k, z, p: k.exp(-z * z), turning=(0.0,)),),
        range=(0, 1),
    ),
    Row(
        "erf",
        y,
        (
            Element("y", g, lambda k, z, p: k.erf(z), special.erf, turning=()),
            Element(
                "g",
                -2 * z * g,
                lambda k, z, p: 2 * k.exp(-z * z) / k.sqrt(k.number(1) * k.pi),
                special.erf_slope,
                turning=(0.0,),
            ),
        ),
        range=(-1, 1),
        names={"onnx": "Erf"},
    ),
)

PIECEWISE = (
    Row(
        "relu",
        y,
        (Element("y", H, lambda k, z, p: k.maximum(z, 0), turning=()), STEP),
        range=(0, INF),
        kinks=(Kink(0, 1, 0),),
        names={"onnx": "Relu", "torch": "ReLU", "sklearn": "relu"},
    ),
    Row(
        "relu_squared",
        y * y,
        (Element("y", H, lambda k, z, p: k.maximum(z, 0)), STEP),
        range=(0, INF),
        kinks=(Kink(0, 2, 0),),
    ),
    Row(
        "leaky_relu",
        y,
        LEAKY,
        parameters={"slope": 0.01},
        kinks=(Kink(0, 1, "slope"),),
        inverse=_of_leaky("leaky_relu"),
        names={"onnx": "LeakyRelu", "torch": "LeakyReLU"},
    ),
    Row(
        "prelu",
        y,
        LEAKY,
        parameters={"slope": 0.25},
        kinks=(Kink(0, 1, "slope"),),
        inverse=_of_leaky("prelu"),
        names={"onnx": "PRelu", "torch": "PReLU"},
    ),
    Row(
        "elu",
        y,
        (
            _with_left("y", S, lambda k, z: z, lambda k, z, p: p["alpha"] * k.expm1(z)),
            _with_left("S", E, lambda k, z: k.number(1), lambda k, z, p: _scaled_exp(k, z, p["alpha"])),
            _with_left("E", E, lambda k, z: k.number(0), lambda k, z, p: _scaled_exp(k, z, p["alpha"])),
        ),
        parameters={"alpha": 1},
        range=(-1, INF),
        kinks=(Kink(0, _elu_order, "alpha"),),
        names={"onnx": "Elu", "torch": "ELU"},
    ),
    Row(
        "selu",
        y,
        (
            _with_left("y", S, lambda k, z: k.number(SELU_SCALE) * z, lambda k, z, p: k.number(SELU_LEFT) * k.expm1(z)),
            _with_left(
                "S", E, lambda k, z: k.number(SELU_SCALE), lambda k, z, p: _scaled_exp(k, z, k.number(SELU_LEFT))
            ),
            _with_left("E", E, lambda k, z: k.number(0), lambda k, z, p: _scaled_exp(k, z, k.number(SELU_LEFT))),
        ),
        range=(-float(SELU_LEFT), INF),
        kinks=(Kink(0, 1, float(SELU_LEFT)),),
        names={"onnx": "Selu", "torch": "SELU"},
    ),
    Row(
        "celu",
        y,
        (
            _with_left("y", S, lambda k, z: z, lambda k, z, p: p["alpha"] * k.expm1(z / p["alpha"])),
            _with_left("S", E, lambda k, z: k.number(1), lambda k, z, p: k.exp(z / p["alpha"])),
            _with_left(
                "E", E * w, lambda k, z: k.number(0), lambda k, z, p: _scaled_exp(k, z / p["alpha"], 1 / p["alpha"])
            ),
            Element("w", ZERO, lambda k, z, p: 1 / p["alpha"]),
        ),
        parameters={"alpha": 1},
        range=(-1, INF),
        kinks=(Kink(0, 2, lambda p: 1 / p["alpha"]),),
        names={"onnx": "Celu", "torch": "CELU"},
    ),
    Row(
        "softsign",
        y,
        (
            Element("y", r * r, lambda k, z, p: z / (1 + k.abs(z)), special.softsign, turning=()),
            Element("r", -s * r * r, lambda k, z, p: 1 / (1 + k.abs(z)), turning=(0.0,)),
            SIGN,
        ),
        range=(-1, 1),
        kinks=(Kink(0, 2, 0),),
        names={"onnx": "Softsign", "torch": "Softsign"},
    ),
    Row(
        "hardtanh",
        y,
        (
            Element("y", B, lambda k, z, p: k.clip(z, p["low"], p["high"]), turning=()),
            Element("B", ZERO, lambda k, z, p: k.band(z, p["low"], p["high"], 0, 1, 0)),
        ),
        parameters={"low": -1, "high": 1},
        fault=_ends,
        range=(-1, 1),
        kinks=(Kink("low", 1, 0), Kink("high", 1, 0)),
        names={"onnx": "Clip", "torch": "Hardtanh"},
    ),
    Row(
        "at_least",
        y,
        (
            Element("y", H, lambda k, z, p: k.maximum(z, p["bound"]), turning=()),
            Element("H", ZERO, lambda k, z, p: k.where_greater(z, p["bound"], 1, 0), turning=()),
        ),
        parameters={"bound": 1},
        range=(1, INF),
        kinks=(Kink("bound", 1, 0),),
    ),
    Row(
        "at_most",
        y,
        (
            Element("y", H, lambda k, z, p: k.minimum(z, p["bound"]), turning=()),
            Element("H", ZERO, lambda k, z, p: k.where_greater(p["bound"], z, 1, 0), turning=()),
        ),
        parameters={"bound": 1},
        range=(-INF, 1),
        kinks=(Kink("bound", 1, 0),),
    ),
    Row(
        "relu6",
        y,
        (
            Element("y", B, lambda k, z, p: k.clip(z, 0, 6), turning=()),
            Element("B", ZERO, lambda k, z, p: k.band(z, 0, 6, 0, 1, 0)),
        ),
        range=(0, 6),
        kinks=(Kink(0, 1, 0), Kink(6, 1, 0)),
        names={"torch": "ReLU6"},
    ),
    Row(
        "hardsigmoid",
        y,
        (
            Element("y", slope * B, lambda k, z, p: k.clip(p["slope"] * z + p["offset"], 0, 1), turning=()),
            Element("B", ZERO, lambda k, z, p: k.band(p["slope"] * z, -p["offset"], 1 - p["offset"], 0, 1, 0)),
        ),
        parameters={"slope": Fraction(1, 6), "offset": Fraction(1, 2)},
        range=(0, 1),
        kinks=(
            Kink(lambda p: (0 - p["offset"]) / p["slope"], 1, 0),
            Kink(lambda p: (1 - p["offset"]) / p["slope"], 1, 0),
        ),
        names={"onnx": "HardSigmoid", "torch": "Hardsigmoid"},
    ),
    Row(
        "hardswish",
        y,
        (
            Element("y", S, lambda k, z, p: k.band(z, -3, 3, 0, z * (z + 3) / 6, z), turning=(-1.5,)),
            Element("S", B / 3, lambda k, z, p: k.band(z, -3, 3, 0, (2 * z + 3) / 6, 1), turning=(-3.0, 3.0)),
            Element("B", ZERO, lambda k, z, p: k.band(z, -3, 3, 0, 1, 0)),
        ),
        range=(-0.375, INF),
        kinks=(Kink(-3, 1, 0), Kink(3, 1, 1)),
        names={"onnx": "HardSwish", "torch": "Hardswish"},
    ),
    Row(
        "abs",
        y,
        (Element("y", s, lambda k, z, p: k.abs(z), turning=(0.0,)), SIGN),
        range=(0, INF),
        kinks=(Kink(0, 1, 0),),
        names={"onnx": "Abs"},
    ),
    Row("sign", s, (SIGN,), range=(-1, 1), kinks=(Kink(0, 0, 0),), names={"onnx": "Sign"}),
    Row(
        "step",
        H,
        (Element("H", ZERO, lambda k, z, p: k.step(z), special.step, turning=()),),
        range=(0, 1),
        kinks=(Kink(0, 0, 0),),
    ),
    Row(
        "softshrink",
        y,
        (
            Element(
                "y",
                B,
                lambda k, z, p: k.band(z, -p["width"], p["width"], z + p["width"], 0, z - p["width"]),
                special.softshrink,
                turning=(),
            ),
            Element("B", ZERO, lambda k, z, p: k.where_greater(k.abs(z), p["width"], 1, 0)),
        ),
        parameters={"width": 0.5},
        fault=_width,
        kinks=(Kink("-width", 1, 0), Kink("width", 1, 0)),
        names={"onnx": "Shrink", "torch": "Softshrink"},
    ),
)

for _row in SMOOTH + PIECEWISE:
    register(_row)
