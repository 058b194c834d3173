"""Chain functions of log∘σ∘exp on floating-point arrays, with relative accuracy over the whole line.

Throughout u = exp(z). These means keep the digits:

* far to the left log σ(u) is z + log(σ(u)/u), and the second term vanishes;
* near z = 0, where the error of u shows most, it is a polynomial in z, and where it has a zero z₀ farther away, it is
  log1p(σ(u) - 1), where σ(u) - 1 is a function of u - u₀ = u₀·expm1(z - z₀) that does not cancel;
* differences such as w·coth(w) - 1, which vanish with u, are continued fractions or series with terms of one sign.

What only ever multiplies a function that has underflowed is cut off at z = 8, where u = 2981, lest inf·0 arise; what
is a quotient of two vanishing numbers on the left is cut off at z = -40, where it has its limit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.functions import special
from neuralgebra.functions.conjugate_tables import NEAR

__all__: list[str] = []

Parameters = Mapping[str, Any]

LEFT, RIGHT = -40.0, 8.0


def _u(k: Any, z: Value, high: float = RIGHT) -> Value:
    """Return exp(z), cut off above."""
    return k.exp(k.minimum(z, high))


def _within(k: Any, z: Value, low: float = LEFT, high: float = RIGHT) -> Value:
    """Return exp(z), cut off on both sides."""
    return k.exp(k.clip(z, low, high))


def _fraction(w: Value, first: int, last: int, sign: float = 1.0) -> Value:
    """Return w/(first ± w/(first + 2 ± …)), the continued fraction of w·coth(w) - 1 and its tails, at the square."""
    tail = 0.0 * w
    for odd in range(last, first - 2, -2):
        tail = w / (odd + sign * tail)
    return tail


def _series(w: Value, divisors: list[int], sign: float = 1.0) -> Value:
    """Return w/d₁·(1 ± w/d₂·(1 ± …))."""
    total = 1 + 0.0 * w
    for divisor in reversed(divisors[1:]):
        total = 1 + sign * (w / divisor) * total
    return w / divisors[0] * total


def _sinhc(w: Value) -> Value:
    """Return sinh(a)/a - 1 at w = a²."""
    return _series(w, [2 * n * (2 * n + 1) for n in range(1, 18)])


def _bessel(w: Value, sign: float) -> Value:
    """Return cosh(a) - sinh(a)/a at w = a², or sin(a)/a - cos(a) with the other sign."""
    return _series(w, [3, *(2 * n * (2 * n + 3) for n in range(1, 16))], sign)


def _expc(a: Value) -> Value:
    """Return expm1(a)/a - 1."""
    return _series(a, list(range(2, 22)))


def _near(k: Any, z: Value, name: str, outside: Value) -> Value:
    """Return the polynomial of a function where it serves, else the value that is given."""
    reach, coefficients = NEAR[name]
    return k.xp.where(k.abs(z) < reach, special.horner(k, coefficients, k.clip(z, -reach, reach)), outside)


def _coth(k: Any, w: Value) -> Value:
    """Return w·coth(w) - 1 for w >= 0."""
    near = k.minimum(w, 2.0)
    e = k.exp(-2 * w)
    far = k.maximum(w, 1.0)
    return k.xp.where(w < 2, _fraction(near * near, 3, 31), far - 1 + 2 * k.minimum(far, 400.0) * e / (1 - e))


# sigmoid, silu, softplus ------------------------------------------------------------------------------------------


def log_sigmoid(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(sigmoid(u))."""
    return -k.log1p(k.exp(-k.exp(z)))


def u_off(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·sigmoid(-u)."""
    u = _u(k, z)
    e = k.exp(-u)
    return u * e / (1 + e)


def u_on(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·sigmoid(u), cut off."""
    u = _u(k, z)
    return u / (1 + k.exp(-u))


_LOG_LOG2 = math.log(math.log(2))


def log_softplus(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(softplus(u))."""
    low = k.log1p(0.5 * k.expm1(_u(k, z, 0.0)))  # log(cosh(u/2)) + u/2, of which softplus(u) is log(2) more
    left = _LOG_LOG2 + k.log1p(low / math.log(2))
    u = k.exp(k.maximum(z, 0.0))
    return _near(k, z, "softplus", k.xp.where(z < 0, left, k.maximum(z, 0.0) + k.log1p(k.log1p(k.exp(-u)) / u)))


def softplus_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·sigmoid(u)/softplus(u)."""
    u = _u(k, z)
    e = k.exp(-u)
    return u / ((1 + e) * (u + k.log1p(e)))


def softplus_rest(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1 - u·sigmoid(u)/softplus(u)."""
    u = _u(k, z)
    e = k.exp(-u)
    rest = k.log1p(e)
    return (rest + u * e / (1 + e)) / (u + rest)


# tanh, lisht, tanhshrink, mish ------------------------------------------------------------------------------------


def log_tanh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(tanh(u))."""
    low = _within(k, z, LEFT, -0.5)
    left = k.minimum(z, 0.0) + k.log(special.tanh(k, low, _) / low)
    e = k.exp(-2 * k.exp(k.maximum(z, -1.0)))
    return _near(k, z, "tanh", k.xp.where(z < -1, left, -2 * special.atanh(k, e, _)))


def tanh_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return 2u/sinh(2u)."""
    u = _within(k, z)
    return 4 * u * k.exp(-2 * u) / -k.expm1(-4 * u)


def tanh_bend(k: Any, z: Value, _: Parameters) -> Value:
    """Return 2u·coth(2u) - 1, cut off."""
    return _coth(k, 2 * _u(k, z))


def log_tanhshrink(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(u - tanh(u))."""
    low = k.exp(2 * k.minimum(z, 0.0))
    left = 3 * z - k.log((3 + _fraction(low, 5, 25)) * (1 + _fraction(low, 3, 25)))
    u = k.exp(k.maximum(z, 0.0))
    right = k.maximum(z, 0.0) + special.log1p(k, -special.tanh(k, u, _) / u)
    return _near(k, z, "tanhshrink", k.xp.where(z < 0, left, right))


def tanhshrink_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·tanh(u)²/(u - tanh(u))."""
    low = k.exp(2 * k.minimum(z, 0.4))
    u = k.exp(k.clip(z, 0.0, -LEFT))
    t = special.tanh(k, u, _)
    return k.xp.where(z < 0.4, (3 + _fraction(low, 5, 29)) / (1 + _fraction(low, 3, 29)), u * t * t / (u - t))


def tanhshrink_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·tanh(u)²/(u - tanh(u)) - 1 - 4u/sinh(2u)."""
    low = k.exp(2 * k.minimum(z, 0.4))
    below, beyond = _fraction(low, 3, 29), _fraction(low, 5, 29)
    left = (beyond + below * (1 + 2 * beyond - 2 * below)) / (1 + below)
    u, cut = k.exp(k.maximum(z, 0.0)), _within(k, z, 0.0)
    t = special.tanh(k, u, p)
    right = (t - cut * special.sech2(k, cut, p)) / (u - t) - 2 * tanh_slope(k, z, p)
    return k.xp.where(z < 0.4, left, right)


def _half(k: Any, u: Value) -> Value:
    """Return 1/(1 + e^u)², of which tanh(softplus(u)) = (1 - w)/(1 + w)."""
    e = k.exp(-u)
    n = e / (1 + e)
    return n * n


def log_mish_ratio(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(tanh(softplus(u)))."""
    w = _half(k, _u(k, z))
    return _near(k, z, "mish", -k.log1p(2 * w / (1 - w)))


def mish_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return 2·u·sigmoid(u)/sinh(2·softplus(u))."""
    w = _half(k, _u(k, z))
    return u_on(k, z, p) * (4 * w / (1 - w * w))


def mish_bend(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1 + u·sigmoid(-u) - 2·u·sigmoid(u)·coth(2·softplus(u)), cut off."""
    w = _half(k, _u(k, z))
    outside = 1 + u_off(k, z, p) - 2 * u_on(k, z, p) * ((1 + w * w) / (1 - w * w))
    return _near(k, z, "mish_bend", outside)


# gelu, erf --------------------------------------------------------------------------------------------------------


def log_ndtr(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(Φ(u))."""
    return _near(k, z, "ndtr", special.log1p(k, -special.ndtr(k, -_u(k, z), p)))


def ndtr_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·φ(u)/Φ(u)."""
    u = _u(k, z)
    return u * special.normal_density(k, u, p) / special.ndtr(k, u, p)


def square(k: Any, z: Value, _: Parameters) -> Value:
    """Return u², cut off."""
    return k.exp(2 * k.minimum(z, RIGHT))


def log_gelu_tanh_ratio(k: Any, z: Value, outside: Value) -> Value:
    """Return log(gelu_tanh(u)/u)."""
    return _near(k, z, "gelu_tanh", outside)


def gelu_tanh_bend(k: Any, z: Value, cube: float, root: float) -> Value:
    """Return w'' - w'²·sigmoid(w), where gelu_tanh(u) = u·sigmoid(w) and ' is by z; cut off."""
    inner, slope, bend = (gelu_tanh_inner(k, z, cube, root, power) for power in range(3))
    return _near(k, z, "gelu_tanh_bend", bend - slope * slope * special.sigmoid(k, inner, {}))


def gelu_tanh_inner(k: Any, z: Value, cube: float, root: float, power: int = 0) -> Value:
    """Return root·(u + 3^power·cube·u³), cut off."""
    u = _u(k, z)
    return root * (u * (1 + 3**power * cube * u * u))


def log_erf(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(erf(u))."""
    low = _within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(special.erf(k, low, p) / low)
    right = special.log1p(k, -special.erfc(k, _within(k, z, -1.0), p))
    return _near(k, z, "erf", k.xp.where(z < 0, left, right))


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
    return k.xp.where(z < 0, 1 / _erf_series(low, 3), _erf_slope(k, _within(k, z, -1.0), p))


def erf_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return 2u·exp(-u²)/(√π·erf(u)) - 1 + 2u², cut off."""
    low = k.exp(2 * k.minimum(z, 0.0))
    third = _erf_series(low, 5)
    first = 1 + 2 * low / 3 * third
    u = _within(k, z, -1.0)
    return k.xp.where(z < 0, 2 * low * (first - third / 3) / first, _erf_slope(k, u, p) - 1 + 2 * u * u)


# sinh, cosh, asinh ------------------------------------------------------------------------------------------------


def log_sinh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(sinh(u))."""
    left = k.minimum(z, 1.0) + k.log1p(_sinhc(k.exp(2 * k.minimum(z, 0.4))))
    u = k.exp(k.maximum(z, 0.0))
    return k.xp.where(z < 0.4, left, u - math.log(2) + special.log1p(k, -k.exp(-2 * u)))


def sinh_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·coth(u)."""
    return 1 + _coth(k, k.exp(z))


def sinh_rest(k: Any, z: Value, _: Parameters) -> Value:
    """Return u·coth(u) - 1, cut off."""
    return _coth(k, _u(k, z))


def sinh_bend(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·coth(u) - (u/sinh(u))²."""
    low = k.exp(2 * k.minimum(z, 0.4))
    below = _fraction(low, 3, 29)
    decay = u_over_sinh(k, z, p)
    return k.xp.where(
        z < 0.4, below * (2 + _fraction(low, 5, 29) - below), sinh_slope(k, k.maximum(z, 0.0), p) - decay * decay
    )


def u_over_sinh(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/sinh(u)."""
    u = _within(k, z)
    return 2 * u * k.exp(-u) / -k.expm1(-2 * u)


def log_cosh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(cosh(u))."""
    low = k.exp(2 * k.minimum(z, 0.7))
    left = k.log1p(_series(low, [2 * n * (2 * n - 1) for n in range(1, 18)]))
    u = k.exp(k.maximum(z, 0.0))
    return k.xp.where(z < 0.7, left, u - math.log(2) + k.log1p(k.exp(-2 * u)))


def cosh_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return u·tanh(u)."""
    u = k.exp(z)
    return u * special.tanh(k, u, p)


def u_over_cosh(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/cosh(u)."""
    u = _u(k, z)
    e = k.exp(-u)
    return 2 * u * e / (1 + e * e)


def _asinh(k: Any, z: Value) -> Value:
    """Return asinh(u), which is z + log(2) beyond z = 30."""
    low = k.minimum(z, 30.0)
    return k.asinh(k.exp(low)) + (z - low)


def log_asinh(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(asinh(u))."""
    a = k.asinh(k.exp(k.minimum(z, 1.0)))
    left = k.minimum(z, 1.0) - k.log1p(_sinhc(a * a))
    return _near(k, z, "asinh", k.xp.where(z < 1, left, k.log(_asinh(k, k.maximum(z, 1.0)))))


def asinh_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/(sqrt(1 + u²)·asinh(u))."""
    u = _within(k, z, LEFT, 30.0)
    return u / (k.hypot(u, 1.0) * _asinh(k, k.maximum(z, LEFT)))


def asinh_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return u/(sqrt(1 + u²)·asinh(u)) - 1/(1 + u²)."""
    a = 2 * k.asinh(k.exp(k.minimum(z, 0.5)))
    off = special.sigmoid(k, -2 * z, p)
    return k.xp.where(z < 0.5, off * _sinhc(a * a), asinh_slope(k, z, p) - off)


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
    low = _within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(k.atan(low) / low)
    m = k.expm1(k.clip(z, 0.5, 40.0) - math.log(_TAN1))
    right = k.log1p(k.atan(_TAN1 * m / (1 + _TAN1**2 + _TAN1**2 * m)))
    return _near(k, z, "arctan", k.xp.where(z < 0, left, right))


def arctan_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/((1 + u²)·arctan(u)), where the first factor is even in z."""
    cut = k.maximum(z, LEFT)
    e = k.exp(-k.abs(cut))
    return e / ((1 + e * e) * k.atan(_u(k, cut, 40.0)))


def arctan_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return u/((1 + u²)·arctan(u)) + tanh(z)."""
    a = 2 * k.atan(_u(k, z, 0.0))
    return k.xp.where(z < 0, _bessel(a * a, -1.0), arctan_slope(k, z, p) + special.tanh(k, z, p))


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
    low = _within(k, z, LEFT, -0.5)
    left = k.minimum(z, 0.0) + k.log(k.tan(low) / low)
    v = k.tan((math.pi / 4) * k.expm1(k.clip(z, -1.0, 0.0) - _TAN_UNIT))
    outside = k.xp.where(z < -1, left, 2 * special.atanh(k, v, p))
    return _near(k, z, "tan", k.xp.where(z < 0, outside, -k.log(k.tan(_to_end(k, z)))))


def tan_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return 2u/sin(2u), where sin(2u) = sin(π - 2u)."""
    w = 2 * k.exp(k.maximum(z, LEFT))
    return w / k.sin(k.xp.where(z < 0, k.minimum(w, 2.0), 2 * _to_end(k, z)))


def tan_bend(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1 - 2u·cot(2u)."""
    w = 2 * k.exp(z)
    near, end = k.minimum(w, 1.5), 2 * _to_end(k, z)
    far = k.xp.where(z < 0, -k.cos(w) / k.sin(k.maximum(w, 1.0)), k.cos(end) / k.sin(end))
    return k.xp.where(w < 1.5, _fraction(near * near, 3, 31, -1.0), 1 + w * far)


def csch(k: Any, z: Value, _: Parameters) -> Value:
    """Return -1/sinh(z)."""
    return 2 * k.exp(z) / -k.expm1(2 * z)


def coth(k: Any, z: Value, _: Parameters) -> Value:
    """Return -coth(z)."""
    return (1 + k.exp(2 * z)) / -k.expm1(2 * z)


def log_atanh(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(atanh(u)), where 2·atanh(u) = log(1 + u) - log(1 - u)."""
    low = _within(k, z, LEFT, -1.0)
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
    return k.xp.where(a < 2, _bessel(near * near, 1.0), coth(k, z, p) - atanh_slope(k, z, p))


# log1p, expm1 -----------------------------------------------------------------------------------------------------


def log_log1p(k: Any, z: Value, p: Parameters) -> Value:
    """Return log(log1p(u))."""
    low = _within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(k.log1p(low) / low)
    right = k.log(special.softplus(k, k.maximum(z, 0.5), p))
    return _near(k, z, "log1p", k.xp.where(z < 0, left, right))


def log1p_slope(k: Any, z: Value, p: Parameters) -> Value:
    """Return sigmoid(z)/softplus(z)."""
    cut = k.maximum(z, LEFT)
    return special.sigmoid(k, cut, p) / special.softplus(k, cut, p)


def log1p_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return sigmoid(z)/softplus(z) - sigmoid(-z)."""
    off = special.sigmoid(k, -z, p)
    near = special.softplus(k, k.minimum(z, 0.5), p)
    return k.xp.where(z < 0.5, off * _expc(near), log1p_slope(k, z, p) - off)


def log_expm1(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(expm1(u))."""
    low = _within(k, z, LEFT, 0.0)
    left = k.minimum(z, 0.0) + k.log(k.expm1(low) / low)
    u = k.exp(k.maximum(z, 0.0))
    return _near(k, z, "expm1", k.xp.where(z < 0, left, u + special.log1p(k, -k.exp(-u))))


def expm1_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/(1 - exp(-u))."""
    u = k.exp(k.maximum(z, LEFT))
    return u / -k.expm1(-u)


def expm1_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1 - u/expm1(u)."""
    near = _expc(_u(k, z, 0.0))
    return k.xp.where(z < 0, near / (1 + near), 1 - u_over_expm1(k, z, p))


def u_over_expm1(k: Any, z: Value, _: Parameters) -> Value:
    """Return u/expm1(u)."""
    u = _within(k, z)
    return u * k.exp(-u) / -k.expm1(-u)


def cut_exp(k: Any, z: Value, _: Parameters) -> Value:
    """Return u, cut off."""
    return _u(k, z)


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
    inner = p["slope"] * _u(k, z, 40.0)
    return inner / (inner + p["offset"])


def hardsigmoid_rest(k: Any, z: Value, p: Parameters) -> Value:
    """Return offset/(slope·u + offset)."""
    return p["offset"] / (p["slope"] * _u(k, z, 40.0) + p["offset"])


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
