"""Chain functions of log∘σ∘exp for elementary functions and pieces, as in `conjugate_forms`.

How they keep their digits is said in `conjugate_parts`; u = exp(z).
"""

from __future__ import annotations

import math
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.functions import special
from neuralgebra.functions.conjugate_parts import (
    LEFT,
    Parameters,
    bessel,
    expc,
    fraction,
    near_zero,
    series,
    sinhc,
    u_of,
    u_within,
    w_coth,
)

__all__: list[str] = []

# sinh, cosh, asinh ------------------------------------------------------------------------------------------------


def log_sinh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(sinh(u))."""
    left = k.minimum(z, 1.0) + k.log1p(sinhc(k.exp(2 * k.minimum(z, 0.4))))
    u = k.exp(k.maximum(z, 0.0))
    return k.xp.where(z < 0.4, left, u - math.log(2) + special.log1p(k, -k.exp(-2 * u)))


def sinh_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·coth(u)."""
    return 1 + w_coth(k, k.exp(z))


def sinh_rest(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·coth(u) - 1, cut off."""
    return w_coth(k, u_of(k, z))


def sinh_bend(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·coth(u) - (u/sinh(u))²."""
    low = k.exp(2 * k.minimum(z, 0.4))
    below = fraction(low, 3, 29)
    decay = u_over_sinh(k, z, p)
    return k.xp.where(
        z < 0.4, below * (2 + fraction(low, 5, 29) - below), sinh_slope(k, k.maximum(z, 0.0), p) - decay * decay
    )


def u_over_sinh(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/sinh(u)."""
    u = u_within(k, z)
    return 2 * u * k.exp(-u) / -k.expm1(-2 * u)


def log_cosh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(cosh(u))."""
    low = k.exp(2 * k.minimum(z, 0.7))
    left = k.log1p(series(low, [2 * n * (2 * n - 1) for n in range(1, 18)]))
    u = k.exp(k.maximum(z, 0.0))
    return k.xp.where(z < 0.7, left, u - math.log(2) + k.log1p(k.exp(-2 * u)))


def cosh_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·tanh(u)."""
    u = k.exp(z)
    return u * special.tanh(k, u, p)


def u_over_cosh(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/cosh(u)."""
    u = u_of(k, z)
    e = k.exp(-u)
    return 2 * u * e / (1 + e * e)


def _asinh(k: Any, z: Value) -> Value:
    """Return asinh(u), which is z + log(2) beyond z = 30."""
    low = k.minimum(z, 30.0)
    return k.asinh(k.exp(low)) + (z - low)


def log_asinh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(asinh(u))."""
    a = k.asinh(k.exp(k.minimum(z, 1.0)))
    left = k.minimum(z, 1.0) - k.log1p(sinhc(a * a))
    return near_zero(k, z, "asinh", k.xp.where(z < 1, left, k.log(_asinh(k, k.maximum(z, 1.0)))))


def asinh_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/(sqrt(1 + u²)·asinh(u))."""
    u = u_within(k, z, LEFT, 30.0)
    return u / (k.hypot(u, 1.0) * _asinh(k, k.maximum(z, LEFT)))


def asinh_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return u/(sqrt(1 + u²)·asinh(u)) - 1/(1 + u²)."""
    a = 2 * k.asinh(k.exp(k.minimum(z, 0.5)))
    off = special.sigmoid(k, -2 * z, p)
    return k.xp.where(z < 0.5, off * sinhc(a * a), asinh_slope(k, z, p) - off)


def sigmoid_of_double(k: Any, z: Value, p: Parameters) -> Value:
    """Return sigmoid(2z)."""
    return special.sigmoid(k, 2 * z, p)


def sigmoid_of_minus_double(k: Any, z: Value, p: Parameters) -> Value:
    """Return sigmoid(-2z)."""
    return special.sigmoid(k, -2 * z, p)


# arctan, tan, atanh -----------------------------------------------------------------------------------------------

_TAN1, _TANH1 = math.tan(1), math.tanh(1)


def log_arctan(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(arctan(u)), by arctan(u) - 1 = arctan((u - tan 1)/(1 + u·tan 1))."""
    low = u_within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(k.atan(low) / low)
    m = k.expm1(k.clip(z, 0.5, 40.0) - math.log(_TAN1))
    right = k.log1p(k.atan(_TAN1 * m / (1 + _TAN1**2 + _TAN1**2 * m)))
    return near_zero(k, z, "arctan", k.xp.where(z < 0, left, right))


def arctan_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/((1 + u²)·arctan(u)), where the first factor is even in z."""
    cut = k.maximum(z, LEFT)
    e = k.exp(-k.abs(cut))
    return e / ((1 + e * e) * k.atan(u_of(k, cut, 40.0)))


def arctan_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return u/((1 + u²)·arctan(u)) + tanh(z)."""
    a = 2 * k.atan(u_of(k, z, 0.0))
    return k.xp.where(z < 0, bessel(a * a, -1.0), arctan_slope(k, z, p) + special.tanh(k, z, p))


_TAN_UNIT = math.log(math.pi / 4)
_TAN_END = math.log(math.pi / 2)


def _beyond(z: Value, point: float) -> Value:
    """Return z - point, of which a part of few bits is subtracted first: without rounding where z is near."""
    coarse = round(point * 4096) / 4096
    return (z - coarse) - (point - coarse)


def _to_end(k: Any, z: Value) -> Value:
    """Return π/2 - u near the end of the domain."""
    return (-math.pi / 2) * k.expm1(_beyond(k.maximum(z, 0.0), _TAN_END))


def log_tan(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(tan(u)), by tan(u) = (1 + v)/(1 - v) with v = tan(u - π/4), and 1/tan(π/2 - u) near the end."""
    low = u_within(k, z, LEFT, -0.5)
    left = k.minimum(z, 0.0) + k.log(k.tan(low) / low)
    v = k.tan((math.pi / 4) * k.expm1(k.clip(z, -1.0, 0.0) - _TAN_UNIT))
    outside = k.xp.where(z < -1, left, 2 * special.atanh(k, v, p))
    return near_zero(k, z, "tan", k.xp.where(z < 0, outside, -k.log(k.tan(_to_end(k, z)))))


def tan_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return 2u/sin(2u), where sin(2u) = sin(π - 2u)."""
    w = 2 * k.exp(k.maximum(z, LEFT))
    return w / k.sin(k.xp.where(z < 0, k.minimum(w, 2.0), 2 * _to_end(k, z)))


def tan_bend(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1 - 2u·cot(2u)."""
    w = 2 * k.exp(z)
    near, end = k.minimum(w, 1.5), 2 * _to_end(k, z)
    far = k.xp.where(z < 0, -k.cos(w) / k.sin(k.maximum(w, 1.0)), k.cos(end) / k.sin(end))
    return k.xp.where(w < 1.5, fraction(near * near, 3, 31, -1.0), 1 + w * far)


def csch(k: Any, z: Value, _: Parameters) -> Value:
    """Return -1/sinh(z)."""
    return 2 * k.exp(z) / -k.expm1(2 * z)


def coth(k: Any, z: Value, _: Parameters) -> Value:
    """Return -coth(z)."""
    return (1 + k.exp(2 * z)) / -k.expm1(2 * z)


def log_atanh(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(atanh(u)), where 2·atanh(u) = log(1 + u) - log(1 - u)."""
    low = u_within(k, z, LEFT, -1.0)
    left = k.minimum(z, 0.0) + k.log(special.atanh(k, low, p) / low)
    m = k.expm1(k.clip(z, -2.0, -0.05) - math.log(_TANH1))
    middle = special.log1p(k, special.atanh(k, _TANH1 * m / ((1 - _TANH1**2) - _TANH1**2 * m), p))
    near = k.maximum(z, -1.0)
    right = k.log(0.5 * (k.log1p(k.exp(near)) - k.log(-k.expm1(near))))
    return k.xp.where(z < -1.2, left, k.xp.where(z < -0.1, middle, right))


def atanh_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return u/((1 - u²)·atanh(u))."""
    s = csch(k, k.maximum(z, LEFT), p)
    return s / k.asinh(s)


def atanh_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return (1 + u²)/(1 - u²) - u/((1 - u²)·atanh(u))."""
    a = k.asinh(csch(k, z, p))
    near = k.minimum(a, 2.0)
    return k.xp.where(a < 2, bessel(near * near, 1.0), coth(k, z, p) - atanh_slope(k, z, p))


# log1p, expm1 -----------------------------------------------------------------------------------------------------


def log_log1p(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(log1p(u))."""
    low = u_within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(k.log1p(low) / low)
    right = k.log(special.softplus(k, k.maximum(z, 0.5), p))
    return near_zero(k, z, "log1p", k.xp.where(z < 0, left, right))


def log1p_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return sigmoid(z)/softplus(z)."""
    cut = k.maximum(z, LEFT)
    return special.sigmoid(k, cut, p) / special.softplus(k, cut, p)


def log1p_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return sigmoid(z)/softplus(z) - sigmoid(-z)."""
    off = special.sigmoid(k, -z, p)
    near = special.softplus(k, k.minimum(z, 0.5), p)
    return k.xp.where(z < 0.5, off * expc(near), log1p_slope(k, z, p) - off)


def log_expm1(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(expm1(u))."""
    low = u_within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(k.expm1(low) / low)
    u = k.exp(k.maximum(z, 0.0))
    return near_zero(k, z, "expm1", k.xp.where(z < 0, left, u + special.log1p(k, -k.exp(-u))))


def expm1_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/(1 - exp(-u))."""
    u = k.exp(k.maximum(z, LEFT))
    return u / -k.expm1(-u)


def expm1_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1 - u/expm1(u)."""
    near = expc(u_of(k, z, 0.0))
    return k.xp.where(z < 0, near / (1 + near), 1 - u_over_expm1(k, z, p))


def u_over_expm1(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/expm1(u)."""
    u = u_within(k, z)
    return u * k.exp(-u) / -k.expm1(-u)


def cut_exp(k: Any, z: Value, _: Parameters) -> Value:
    """Return u, cut off."""
    return u_of(k, z)


# hardsigmoid, hardswish -------------------------------------------------------------------------------------------


def log_hardsigmoid(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(min(slope·u + offset, 1)), by 1 - (slope·u + offset) = (1 - offset)·(1 - exp(z - z₀))."""
    slope, offset = p["slope"], p["offset"]
    edge = _log(k, (1 - offset) / slope)
    inner = slope * k.exp(k.minimum(z, edge)) + offset
    near = special.log1p(k, (1 - offset) * k.expm1(k.minimum(z - edge, 0.0)))
    return k.xp.where(inner < 0.25, k.log(inner), near)


def _log(k: Any, value: Any) -> Any:
    return math.log(value) if isinstance(value, int | float) else k.log(value)


def below_edge(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1 where slope·u + offset < 1, else 0."""
    return _below(k, z, _log(k, (1 - p["offset"]) / p["slope"]))


def _below(k: Any, z: Value, edge: Any) -> Value:
    past = _beyond(z, edge) if isinstance(edge, float) else z - edge
    return k.where_greater(0.0, past, 1.0, 0.0)


def hardsigmoid_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return slope·u/(slope·u + offset)."""
    u = u_of(k, z, 40.0)
    return u * (p["slope"] / (p["slope"] * u + p["offset"]))


def hardsigmoid_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return offset/(slope·u + offset)."""
    return p["offset"] / (p["slope"] * u_of(k, z, 40.0) + p["offset"])


_LOG3 = math.log(3)


def log_hardswish_ratio(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(hardswish(u)/u) = log(min((u + 3)/6, 1))."""
    return special.log1p(k, 0.5 * k.expm1(k.minimum(z - _LOG3, 0.0)))


def below_three(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1 where u < 3, else 0."""
    return _below(k, z, _LOG3)


def share_of_three(k: Any, z: Value, p: Parameters) -> Value:
    """Return u/(u + 3)."""
    return special.sigmoid(k, z - _LOG3, p)


def rest_of_three(k: Any, z: Value, p: Parameters) -> Value:
    """Return 3/(u + 3)."""
    return special.sigmoid(k, _LOG3 - z, p)
