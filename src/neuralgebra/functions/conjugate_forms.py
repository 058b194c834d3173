"""Chain functions of log∘σ∘exp for activations, on floating-point arrays, accurate over the whole line.

How they keep their digits is said in `conjugate_parts`; u = exp(z).
"""

from __future__ import annotations

import math
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.functions import special
from neuralgebra.functions.conjugate_parts import LEFT, RIGHT, Parameters, fraction, near_zero, u_of, u_within, w_coth

__all__: list[str] = []

# sigmoid, silu, softplus ------------------------------------------------------------------------------------------


def log_sigmoid(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(sigmoid(u))."""
    return -k.log1p(k.exp(-k.exp(z)))


def u_off(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·sigmoid(-u)."""
    u = u_of(k, z)
    e = k.exp(-u)
    return u * e / (1 + e)


def u_on(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·sigmoid(u), cut off."""
    u = u_of(k, z)
    return u / (1 + k.exp(-u))


_LOG_LOG2 = math.log(math.log(2))


def log_softplus(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(softplus(u))."""
    low = k.log1p(0.5 * k.expm1(u_of(k, z, 0.0)))  # log(cosh(u/2)) + u/2, of which softplus(u) is log(2) more
    left = _LOG_LOG2 + k.log1p(low / math.log(2))
    u = k.exp(k.maximum(z, 0.0))
    return near_zero(k, z, "softplus", k.xp.where(z < 0, left, k.maximum(z, 0.0) + k.log1p(k.log1p(k.exp(-u)) / u)))


def softplus_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·sigmoid(u)/softplus(u)."""
    u = u_of(k, z)
    e = k.exp(-u)
    return u / ((1 + e) * (u + k.log1p(e)))


def softplus_rest(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1 - u·sigmoid(u)/softplus(u)."""
    u = u_of(k, z)
    e = k.exp(-u)
    rest = k.log1p(e)
    return (rest + u * e / (1 + e)) / (u + rest)


# tanh, lisht, tanhshrink, mish ------------------------------------------------------------------------------------


def log_tanh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(tanh(u))."""
    low = u_within(k, z, LEFT, -0.5)
    left = k.minimum(z, 0.0) + k.log(special.tanh(k, low, _) / low)
    e = k.exp(-2 * k.exp(k.maximum(z, -1.0)))
    return near_zero(k, z, "tanh", k.xp.where(z < -1, left, -2 * special.atanh(k, e, _)))


def tanh_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return 2u/sinh(2u)."""
    u = u_within(k, z)
    e = k.exp(-u)
    return 4 * u * e * e / -k.expm1(-4 * u)  # e² alone would underflow before its time


def tanh_bend(k: Any, z: Value, _: Parameters) -> Value:
    """Return 2u·coth(2u) - 1, cut off."""
    return w_coth(k, 2 * u_of(k, z))


def log_tanhshrink(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(u - tanh(u))."""
    low = k.exp(2 * k.minimum(z, 0.0))
    left = 3 * z - k.log((3 + fraction(low, 5, 25)) * (1 + fraction(low, 3, 25)))
    u = k.exp(k.maximum(z, 0.0))
    right = k.maximum(z, 0.0) + special.log1p(k, -special.tanh(k, u, _) / u)
    return near_zero(k, z, "tanhshrink", k.xp.where(z < 0, left, right))


def tanhshrink_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·tanh(u)²/(u - tanh(u))."""
    low = k.exp(2 * k.minimum(z, 0.4))
    u = k.exp(k.clip(z, 0.0, -LEFT))
    t = special.tanh(k, u, _)
    return k.xp.where(z < 0.4, (3 + fraction(low, 5, 29)) / (1 + fraction(low, 3, 29)), u * t * t / (u - t))


def tanhshrink_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·tanh(u)²/(u - tanh(u)) - 1 - 4u/sinh(2u)."""
    low = k.exp(2 * k.minimum(z, 0.4))
    below, beyond = fraction(low, 3, 29), fraction(low, 5, 29)
    left = (beyond + below * (1 + 2 * beyond - 2 * below)) / (1 + below)
    u, cut = k.exp(k.maximum(z, 0.0)), u_within(k, z, 0.0)
    t = special.tanh(k, u, p)
    right = (t - cut * special.sech2(k, cut, p)) / (u - t) - 2 * tanh_slope(k, z, p)
    return k.xp.where(z < 0.4, left, right)


def _off(k: Any, u: Value) -> Value:
    """Return n = 1/(1 + e^u), of which tanh(softplus(u)) = (1 - n²)/(1 + n²)."""
    e = k.exp(-u)
    return e / (1 + e)


def log_mish_ratio(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(tanh(softplus(u)))."""
    n = _off(k, u_of(k, z))
    return near_zero(k, z, "mish", -k.log1p(2 * n * n / ((1 - n) * (1 + n))))


def mish_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return 2·u·sigmoid(u)/sinh(2·softplus(u))."""
    n = _off(k, u_of(k, z))
    return 4 * u_on(k, z, p) * n * n / (1 - (n * n) ** 2)


def mish_bend(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1 + u·sigmoid(-u) - 2·u·sigmoid(u)·coth(2·softplus(u)), cut off."""
    n = _off(k, u_of(k, z))
    outside = 1 + u_off(k, z, p) - 2 * u_on(k, z, p) * ((1 + (n * n) ** 2) / (1 - (n * n) ** 2))
    return near_zero(k, z, "mish_bend", outside)


# gelu, erf --------------------------------------------------------------------------------------------------------


def log_ndtr(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(Φ(u))."""
    return near_zero(k, z, "ndtr", special.log1p(k, -special.ndtr(k, -u_of(k, z), p)))


def ndtr_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·φ(u)/Φ(u)."""
    u = u_of(k, z)
    return u * special.normal_density(k, u, p) / special.ndtr(k, u, p)


def square(k: Any, z: Value, _: Parameters) -> Value:
    """Return u², cut off."""
    return k.exp(2 * k.minimum(z, RIGHT))


def log_gelu_tanh_ratio(k: Any, z: Value, outside: Value) -> Value:
    """Return log(gelu_tanh(u)/u)."""
    return near_zero(k, z, "gelu_tanh", outside)


def gelu_tanh_bend(k: Any, z: Value, cube: float, root: float) -> Value:
    """Return w'' - w'²·sigmoid(w), where gelu_tanh(u) = u·sigmoid(w) and ' is by z; cut off."""
    inner, slope, bend = (gelu_tanh_inner(k, z, cube, root, power) for power in range(3))
    return near_zero(k, z, "gelu_tanh_bend", bend - slope * slope * special.sigmoid(k, inner, {}))


def gelu_tanh_inner(k: Any, z: Value, cube: float, root: float, power: int = 0) -> Value:
    """Return root·(u + 3^power·cube·u³), cut off."""
    u = u_of(k, z)
    return root * (u * (1 + 3**power * cube * u * u))


def log_erf(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(erf(u))."""
    low = u_within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(special.erf(k, low, p) / low)
    right = special.log1p(k, -special.erfc(k, u_within(k, z, -1.0), p))
    return near_zero(k, z, "erf", k.xp.where(z < 0, left, right))


def _erf_series(w: Value, first: int) -> Value:
    """Return 1 + 2w/first·(1 + 2w/(first + 2)·(…)), for w <= 1."""
    total = 1 + 0.0 * w
    for odd in range(51, first - 2, -2):
        total = 1 + 2 * w / odd * total
    return total


def _erf_slope(k: Any, u: Value, p: Parameters) -> Value:
    return u * special.erf_slope(k, u, p) / special.erf(k, u, p)


def erf_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return 2u·exp(-u²)/(√π·erf(u))."""
    low = k.exp(2 * k.minimum(z, 0.0))
    return k.xp.where(z < 0, 1 / _erf_series(low, 3), _erf_slope(k, u_within(k, z, -1.0), p))


def erf_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return 2u·exp(-u²)/(√π·erf(u)) - 1 + 2u², cut off."""
    low = k.exp(2 * k.minimum(z, 0.0))
    third = _erf_series(low, 5)
    first = 1 + 2 * low / 3 * third
    u = u_within(k, z, -1.0)
    return k.xp.where(z < 0, 2 * low * (first - third / 3) / first, _erf_slope(k, u, p) - 1 + 2 * u * u)
