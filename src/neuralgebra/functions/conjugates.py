"""The table of log∘σ∘exp: one row each, stabilised as the rows of the catalogue are.

With u = exp(z), log σ(u) has the derivative u·σ'(u)/σ(u), the elasticity of σ. The variables are

==========  =======================================================================================
y           the function, or what is left of it beside z
g           its derivative, or what is left of that beside 1
h           the rest of g' = ±g·h, accurate where its terms cancel
p           w·coth(w) - 1, or 1 - w·cot(w), at w = 2u or w = u
q, m        u·sigmoid(-u) and u·sigmoid(u)
n, s        sigmoid(-z), sigmoid(-w) and sigmoid(w), or the shares of a sum
e, c        u and u²
r           u/sinh(u), u/cosh(u) or u/expm1(u)
t, d        tanh(z) and a slope
==========  =======================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import sympy

from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.functions import conjugate_elementary as plain
from neuralgebra.functions import conjugate_forms as forms
from neuralgebra.functions import special
from neuralgebra.functions.activation import Definition, Element, Kink, Row, register
from neuralgebra.functions.catalogue import GELU_CUBE, INF, LOGISTIC, SECH2, TANH, ZERO, _root
from neuralgebra.functions.polynomial import Polynomial, variables

__all__ = ["CONJUGATES", "LIMITS", "ROWS"]

z, y, g, h, p, q, m, n, s, e, c, r, t, d, a, B = variables("z y g h p q m n s e c r t d a B")


def _of_u(function: Callable[[Any, Any], Any]) -> Definition:
    """Return the definition that is a function of u = exp(z)."""
    return lambda k, z, _: function(k, k.exp(z))


def _element(
    name: str,
    derivative: Polynomial,
    of_u: Callable[[Any, Any], Any],
    stable: Definition,
    turning: tuple[float, ...] | None = (),
) -> Element:
    """Return a chain function that is stated as a function of u."""
    return Element(name, derivative, _of_u(of_u), stable, turning)


# Parts that several rows share. In definitions exp(-u) is preferred to exp(u), which leaves the reach of balls.


def _on(k: Any, u: Any) -> Any:
    return 1 / (1 + k.exp(-u))


def _off(k: Any, u: Any) -> Any:
    return k.exp(-u) / (1 + k.exp(-u))


def _softplus(k: Any, u: Any) -> Any:
    return u + k.log1p(k.exp(-u))


def _tanh_slope(k: Any, u: Any) -> Any:
    return 4 * u * k.exp(-2 * u) / -k.expm1(-4 * u)


def _coth(k: Any, w: Any) -> Any:
    """Return w·coth(w)."""
    return w * (1 + k.exp(-2 * w)) / -k.expm1(-2 * w)


def _asinh_slope(k: Any, u: Any) -> Any:
    return u / (k.sqrt(1 + u * u) * k.asinh(u))


def _arctan_slope(k: Any, u: Any) -> Any:
    return u / ((1 + u * u) * k.atan(u))


def _csch(k: Any, u: Any) -> Any:
    return 2 * u / ((1 - u) * (1 + u))


def _log1p_slope(k: Any, u: Any) -> Any:
    return u / ((1 + u) * k.log1p(u))


def _expm1_slope(k: Any, u: Any) -> Any:
    return u / -k.expm1(-u)


def _u_over_expm1(k: Any, u: Any) -> Any:
    return u * k.exp(-u) / -k.expm1(-u)


def _density(k: Any, u: Any) -> Any:
    return k.exp(-u * u / 2) / k.sqrt(k.number(2) * k.pi)


def _erf_slope(k: Any, u: Any) -> Any:
    return 2 * u * k.exp(-u * u) / (k.sqrt(k.number(1) * k.pi) * k.erf(u))


def _inner(k: Any, u: Any, power: int = 0) -> Any:
    """Return 2·sqrt(2/π)·(u + 3^power·0.044715·u³), of which gelu_tanh(u) = u·sigmoid(…)."""
    return _root(k) * (u * (1 + 3**power * k.number(GELU_CUBE) * u * u))


def _of_inner(function: Callable[..., Any]) -> Definition:
    """Return the stable form of a function of the argument of the sigmoid in gelu_tanh."""
    root, cube = 2 * math.sqrt(2 / math.pi), float(GELU_CUBE)
    return lambda k, z, _: function(k, forms.gelu_tanh_inner(k, z, cube, root), _)


def _gelu_tanh_ratio(k: Any, z: Any, p: Any) -> Any:
    return forms.log_gelu_tanh_ratio(k, z, _of_inner(special.logsigmoid)(k, z, p))


def _gelu_tanh_slope(k: Any, z: Any, p: Any) -> Any:
    return _inner_slope(1)(k, z, p) * _of_inner(special.sigmoid_of_minus)(k, z, p)


def _gelu_tanh_off(k: Any, u: Any) -> Any:
    return _off(k, _inner(k, u))


def _gelu_tanh_bend(k: Any, u: Any) -> Any:
    return _inner(k, u, 2) - _inner(k, u, 1) ** 2 * _on(k, _inner(k, u))


def _gelu_tanh_rest(k: Any, z: Any, _: Any) -> Any:
    return forms.gelu_tanh_bend(k, z, float(GELU_CUBE), 2 * math.sqrt(2 / math.pi))


def _inner_slope(power: int) -> Definition:
    root, cube = 2 * math.sqrt(2 / math.pi), float(GELU_CUBE)
    return lambda k, z, _: forms.gelu_tanh_inner(k, z, cube, root, power)


def _half(k: Any, u: Any) -> Any:
    return _off(k, u) ** 2


def _u_over_sinh(k: Any, u: Any) -> Any:
    return 2 * u * k.exp(-u) / -k.expm1(-2 * u)


def _mish_bend(k: Any, u: Any) -> Any:
    w = _half(k, u)
    return 1 + u * _off(k, u) - 2 * u * _on(k, u) * (1 + w**2) / (1 - w**2)


def _ratio_of(k: Any, w: Any) -> Any:
    return (1 - w) / (1 + w)


Q = _element("q", q * (1 - m), lambda k, u: u * _off(k, u), forms.u_off, None)
M = _element("m", m * (1 + q), lambda k, u: u * _on(k, u), forms.u_on)
U = _element("e", e, lambda k, u: u, plain.cut_exp)
U2 = _element("c", 2 * c, lambda k, u: u * u, forms.square)
G_TANH = _element("g", -g * p, _tanh_slope, forms.tanh_slope)
P_TANH = _element("p", p + 1 - g * g, lambda k, u: _coth(k, 2 * u) - 1, forms.tanh_bend)

# The edge of hardsigmoid ----------------------------------------------------------------------------------------------


def _logarithm(value: Any) -> Any:
    """Return the logarithm of a number of any kind."""
    if isinstance(value, int | float | np.ndarray):
        return np.log(value)
    if isinstance(value, Interval):
        return Intervals().log(value)
    return value.log() if isinstance(value, flint.arb) else sympy.log(value)


def _edge(constants: Mapping[str, Any]) -> Any:
    """Return where slope·u + offset is 1."""
    return _logarithm((1 - constants["offset"]) / constants["slope"])


def _hardsigmoid(k: Any, z: Any, p: Any) -> Any:
    return k.log(k.minimum(p["slope"] * k.exp(z) + p["offset"], 1))


def _below(k: Any, z: Any, p: Any) -> Any:
    """Return 1 where hardsigmoid is below 1, else 0."""
    return k.where_greater(1, p["slope"] * k.exp(z) + p["offset"], 1, 0)


ROWS = (
    Row(
        "log∘tanh∘exp",
        y,
        (_element("y", g, lambda k, u: k.log(k.tanh(u)), forms.log_tanh), G_TANH, P_TANH),
        range=(-INF, 0),
        inverse="log∘atanh∘exp",
    ),
    Row(
        "log∘sigmoid∘exp",
        y,
        (_element("y", q, lambda k, u: -k.log1p(k.exp(-u)), forms.log_sigmoid), Q, M),
        range=(-math.log(2), 0),
    ),
    Row(
        "log∘silu∘exp",
        z + y,
        (_element("y", q, lambda k, u: -k.log1p(k.exp(-u)), forms.log_sigmoid), Q, M),
    ),
    Row(
        "log∘softplus∘exp",
        y,
        (
            _element("y", g, lambda k, u: k.log(_softplus(k, u)), forms.log_softplus),
            _element("g", g * (h + q), lambda k, u: u * _on(k, u) / _softplus(k, u), forms.softplus_slope),
            _element(
                "h",
                -g * (h + q),
                lambda k, u: (k.log1p(k.exp(-u)) + u * _off(k, u)) / _softplus(k, u),
                forms.softplus_rest,
            ),
            Q,
            M,
        ),
        range=(math.log(math.log(2)), INF),
    ),
    Row(
        "log∘gelu∘exp",
        z + y,
        (
            _element("y", g, lambda k, u: k.log(k.ndtr(u)), forms.log_ndtr),
            _element("g", g * (1 - c - g), lambda k, u: u * _density(k, u) / k.ndtr(u), forms.ndtr_slope, None),
            U2,
        ),
    ),
    Row(
        "log∘gelu_tanh∘exp",
        z + y,
        (
            Element(
                "y",
                g,
                _of_u(lambda k, u: -k.log1p(k.exp(-_inner(k, u)))),
                _gelu_tanh_ratio,
                turning=(),
            ),
            Element("g", n * h, _of_u(lambda k, u: _inner(k, u, 1) * _off(k, _inner(k, u))), _gelu_tanh_slope),
            Element("h", 4 * d - 3 * a - 2 * a * d * s - a**3 * n * s, _of_u(_gelu_tanh_bend), _gelu_tanh_rest),
            Element(
                "n", -a * n * s, _of_u(lambda k, u: _off(k, _inner(k, u))), _of_inner(special.sigmoid_of_minus), ()
            ),
            Element("s", a * n * s, _of_u(lambda k, u: _on(k, _inner(k, u))), _of_inner(special.sigmoid), ()),
            Element("a", d, _of_u(lambda k, u: _inner(k, u, 1)), _inner_slope(1), ()),
            Element("d", 4 * d - 3 * a, _of_u(lambda k, u: _inner(k, u, 2)), _inner_slope(2), ()),
        ),
    ),
    Row(
        "log∘mish∘exp",
        z + y,
        (
            _element("y", g, lambda k, u: k.log(_ratio_of(k, _half(k, u))), forms.log_mish_ratio),
            _element(
                "g",
                g * h,
                lambda k, u: u * _on(k, u) * 4 * _half(k, u) / (1 - _half(k, u) ** 2),
                forms.mish_slope,
                None,
            ),
            _element("h", q * (1 - m) + g * g - (1 + q - h) * (1 + q), _mish_bend, forms.mish_bend, None),
            Q,
            M,
        ),
    ),
    Row(
        "log∘tanhshrink∘exp",
        y,
        (
            _element("y", d, lambda k, u: k.log(u - k.tanh(u)), forms.log_tanhshrink),
            _element("d", -d * h, lambda k, u: u * k.tanh(u) ** 2 / (u - k.tanh(u)), forms.tanhshrink_slope),
            _element(
                "h",
                2 * g * p - d * h,
                lambda k, u: u * k.tanh(u) ** 2 / (u - k.tanh(u)) - 1 - 2 * _tanh_slope(k, u),
                forms.tanhshrink_rest,
                None,
            ),
            G_TANH,
            P_TANH,
        ),
    ),
    Row(
        "log∘lisht∘exp",
        z + y,
        (_element("y", g, lambda k, u: k.log(k.tanh(u)), forms.log_tanh), G_TANH, P_TANH),
    ),
    Row(
        "log∘sinh∘exp",
        y,
        (
            _element("y", g, lambda k, u: u + k.log(-k.expm1(-2 * u) / 2), plain.log_sinh),
            _element("g", h, _coth, plain.sinh_slope),
            _element("h", h + 2 * r * r * p, lambda k, u: _coth(k, u) - _u_over_sinh(k, u) ** 2, plain.sinh_bend),
            _element("p", h, lambda k, u: _coth(k, u) - 1, plain.sinh_rest),
            _element("r", -r * p, lambda k, u: _u_over_sinh(k, u), plain.u_over_sinh),
        ),
        inverse="log∘asinh∘exp",
    ),
    Row(
        "log∘cosh∘exp",
        y,
        (
            _element("y", g, lambda k, u: u + k.log((1 + k.exp(-2 * u)) / 2), plain.log_cosh),
            _element("g", g + r * r, lambda k, u: u * k.tanh(u), plain.cosh_slope),
            _element("r", r * (1 - g), lambda k, u: 2 * u * k.exp(-u) / (1 + k.exp(-2 * u)), plain.u_over_cosh, None),
        ),
        range=(0, INF),
    ),
    Row(
        "log∘asinh∘exp",
        y,
        (
            _element("y", g, lambda k, u: k.log(k.asinh(u)), plain.log_asinh),
            _element("g", -g * h, _asinh_slope, plain.asinh_slope),
            _element("h", 2 * n * s - g * h, lambda k, u: _asinh_slope(k, u) - 1 / (1 + u * u), plain.asinh_rest, None),
            _element("n", -2 * n * s, lambda k, u: 1 / (1 + u * u), plain.sigmoid_of_minus_double),
            Element("s", 2 * n * s, lambda k, z, _: 1 / (1 + k.exp(-2 * z)), plain.sigmoid_of_double, ()),
        ),
        inverse="log∘sinh∘exp",
    ),
    Row(
        "log∘arctan∘exp",
        y,
        (
            _element("y", g, lambda k, u: k.log(k.atan(u)), plain.log_arctan),
            _element("g", -g * h, _arctan_slope, plain.arctan_slope),
            Element("h", c - g * h, lambda k, z, _: _arctan_slope(k, k.exp(z)) + k.tanh(z), plain.arctan_rest),
            TANH,
            SECH2,
        ),
        range=(-INF, math.log(math.pi / 2)),
        inverse="log∘tan∘exp",
    ),
    Row(
        "log∘tan∘exp",
        y,
        (
            _element("y", g, lambda k, u: k.log(k.tan(u)), plain.log_tan),
            _element("g", g * p, lambda k, u: 2 * u / k.sin(2 * u), plain.tan_slope),
            _element("p", g * g + p - 1, lambda k, u: 1 - 2 * u * k.cos(2 * u) / k.sin(2 * u), plain.tan_bend),
        ),
        domain=(-INF, math.log(math.pi / 2)),
        inverse="log∘arctan∘exp",
    ),
    Row(
        "log∘atanh∘exp",
        y,
        (
            _element("y", g, lambda k, u: k.log(k.atanh(u)), plain.log_atanh),
            _element("g", g * h, lambda k, u: u / ((1 - u) * (1 + u) * k.atanh(u)), plain.atanh_slope),
            _element(
                "h",
                s * s - g * h,
                lambda k, u: (1 + u * u - u / k.atanh(u)) / ((1 - u) * (1 + u)),
                plain.atanh_rest,
            ),
            _element("s", s * t, _csch, plain.csch),
            _element("t", s * s, lambda k, u: (1 + u * u) / ((1 - u) * (1 + u)), plain.coth),
        ),
        domain=(-INF, 0),
        inverse="log∘tanh∘exp",
    ),
    Row(
        "log∘erf∘exp",
        y,
        (
            _element("y", g, lambda k, u: k.log(k.erf(u)), forms.log_erf),
            _element("g", -g * h, _erf_slope, forms.erf_slope),
            _element("h", 4 * c - g * h, lambda k, u: _erf_slope(k, u) - 1 + 2 * u * u, forms.erf_rest, None),
            U2,
        ),
        range=(-INF, 0),
    ),
    Row(
        "log∘log1p∘exp",
        y,
        (
            _element("y", g, lambda k, u: k.log(k.log1p(u)), plain.log_log1p),
            _element("g", -g * h, _log1p_slope, plain.log1p_slope),
            _element("h", d - g * h, lambda k, u: _log1p_slope(k, u) - 1 / (1 + u), plain.log1p_rest, None),
            *LOGISTIC,
        ),
        inverse="log∘expm1∘exp",
    ),
    Row(
        "log∘expm1∘exp",
        y,
        (
            _element("y", g, lambda k, u: u + k.log(-k.expm1(-u)), plain.log_expm1),
            _element("g", g * h, _expm1_slope, plain.expm1_slope),
            _element("h", r * (e - h), lambda k, u: 1 - _u_over_expm1(k, u), plain.expm1_rest),
            _element("r", r * (h - e), _u_over_expm1, plain.u_over_expm1),
            U,
        ),
        inverse="log∘log1p∘exp",
    ),
    Row(
        "log∘hardsigmoid∘exp",
        y,
        (
            Element("y", g * B, _hardsigmoid, plain.log_hardsigmoid, ()),
            Element(
                "g",
                g * n,
                lambda k, z, p: p["slope"] * k.exp(z) / (p["slope"] * k.exp(z) + p["offset"]),
                plain.hardsigmoid_slope,
                (),
            ),
            Element(
                "n",
                -g * n,
                lambda k, z, p: p["offset"] / (p["slope"] * k.exp(z) + p["offset"]),
                plain.hardsigmoid_rest,
                (),
            ),
            Element("B", ZERO, _below, plain.below_edge, ()),
        ),
        parameters={"slope": Fraction(1, 6), "offset": Fraction(1, 2)},
        range=(-math.log(2), 0),
        kinks=(Kink(_edge, 1, 0),),
    ),
    Row(
        "log∘hardswish∘exp",
        z + y,
        (
            Element("y", g * B, lambda k, z, _: k.log((k.minimum(k.exp(z), 3) + 3) / 6), plain.log_hardswish_ratio, ()),
            Element("g", g * n, lambda k, z, _: k.exp(z) / (k.exp(z) + 3), plain.share_of_three, ()),
            Element("n", -g * n, lambda k, z, _: 3 / (k.exp(z) + 3), plain.rest_of_three, ()),
            Element("B", ZERO, lambda k, z, _: k.where_greater(3, k.exp(z), 1, 0), plain.below_three, ()),
        ),
        kinks=(Kink(math.log(3), 1, 1),),
    ),
)

for _row in ROWS:
    register(_row)

LIMITS: Mapping[str, tuple[sympy.Expr, sympy.Expr]] = {
    **{row.name: (-sympy.oo, sympy.oo) for row in ROWS},
    **dict.fromkeys(("log∘tanh∘exp", "log∘erf∘exp"), (-sympy.oo, sympy.Integer(0))),
    **dict.fromkeys(("log∘sigmoid∘exp", "log∘hardsigmoid∘exp"), (-sympy.log(2), sympy.Integer(0))),
    "log∘softplus∘exp": (sympy.log(sympy.log(2)), sympy.oo),
    "log∘arctan∘exp": (-sympy.oo, sympy.log(sympy.pi / 2)),
    "log∘cosh∘exp": (sympy.Integer(0), sympy.oo),
}
"""Values at the ends of the domain, at the default parameters."""

CONJUGATES: Mapping[str, Row] = {row.name.split("∘")[1]: row for row in ROWS}
"""The rows by σ."""
