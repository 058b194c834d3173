"""Chain functions on floating-point arrays, with relative accuracy over the whole range.

Each function here computes the same as the definition in its row of the catalogue, which is the oracle; it uses
elementary functions of the array library only. `e` is always the exponential of a non-positive number, so nothing
overflows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from neuralgebra.arithmetic.kind import Value

__all__: list[str] = []

Parameters = Mapping[str, Any]


def tanh(k: Any, z: Value, _: Parameters) -> Value:
    """Return tanh(z): near 0 by the eighth convergent of z/(1 + z²/(3 + …)), elsewhere as 1 - 2/(1 + exp(2|z|))."""
    native = k.native("tanh")
    if native is not None:
        return native(z)
    a = k.abs(z)
    near, w = a < 0.55, k.minimum(a * a, 0.3025)
    above = a * (2027025 + w * (270270 + w * (6930 + w * 36)))
    below = 2027025 + w * (945945 + w * (51975 + w * (630 + w)))
    fraction = k.xp.where(near, above, -2.0) / k.xp.where(near, below, 1 + k.exp(2 * a))
    return k.copysign(k.xp.where(near, fraction, 1 + fraction), z)


def atanh(k: Any, z: Value, _: Parameters) -> Value:
    """Return atanh(z)."""
    native = k.native("atanh")
    if native is not None:
        return native(z)
    a = k.abs(z)
    return 0.5 * k.sign(z) * k.log1p(2 * a / (1 - a))


def log1p(k: Any, z: Value) -> Value:
    """Return log(1 + z)."""
    native = k.native("log1p")
    return k.log1p(z) if native is None else native(z)


def scaled_exp(k: Any, z: Value, factor: Any) -> Value:
    """Return factor·exp(z), also where exp(z) alone underflows."""
    half = k.exp(0.5 * z)
    return factor * half * half


def scaled_power(k: Any, z: Value, exponent: Any, factor: Any) -> Value:
    """Return factor·z^exponent, also where the power alone overflows; a vanishing factor wins."""
    if isinstance(exponent, int | float) and exponent >= -1:
        return k.times(k.power(z, exponent), factor)
    below = 1.0 if isinstance(exponent, int | float) else k.step(-1.0 - exponent)
    return k.times(k.power(z, -below), k.times(k.power(z, exponent + below), factor))


def sinh(k: Any, z: Value, _: Parameters) -> Value:
    """Return sinh(z), which does not overflow before its time."""
    native = k.native("sinh")
    if native is not None:
        return native(z)
    far = k.sign(z) * scaled_exp(k, k.abs(z), 0.5)
    return k.xp.where(k.abs(z) > 40, far, k.sinh(k.clip(z, -40.0, 40.0)))


def cosh(k: Any, z: Value, _: Parameters) -> Value:
    """Return cosh(z), which does not overflow before its time."""
    native = k.native("cosh")
    if native is not None:
        return native(z)
    return scaled_exp(k, z, 0.5) + scaled_exp(k, -z, 0.5)


def sech2(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1/cosh(z)², with cosh(z) = (e + 1/e)/2: where that overflows, the result has long been 0."""
    e = k.exp(z)
    root = 2 / (e + 1 / e)
    return root * root


def sigmoid(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1/(1 + exp(-z)); beyond z = 40 it is 1, and in the lower tail it underflows gradually."""
    e = k.exp(k.minimum(z, 40.0))
    return e / (1 + e)


def sigmoid_of_minus(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1/(1 + exp(z))."""
    return sigmoid(k, -z, p)


def sigmoid_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return exp(-z)/(1 + exp(-z))², the derivative of the sigmoid."""
    e = k.exp(-k.abs(z))
    root = 1 + e
    return e / (root * root)


def tanh_half(k: Any, z: Value, _: Parameters) -> Value:
    """Return tanh(z/2)."""
    return tanh(k, 0.5 * z, _)


def softplus(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(1 + exp(z))."""
    return k.maximum(z, 0.0) + k.log1p(k.exp(-k.abs(z)))


def logsigmoid(k: Any, z: Value, p: Parameters) -> Value:
    """Return -log(1 + exp(-z))."""
    return -softplus(k, -z, p)


def mish_tanh(k: Any, z: Value, _: Parameters) -> Value:
    """Return tanh(softplus(z)) = ((1 + e^z)² - 1)/((1 + e^z)² + 1)."""
    e = k.exp(-k.abs(z))
    return k.xp.where(z > 0, (1 + 2 * e) / (1 + 2 * e * (1 + e)), e * (e + 2) / (e * (e + 2) + 2))


def mish_sech2(k: Any, z: Value, _: Parameters) -> Value:
    """Return sech(softplus(z))² with sech = 2(1 + e^z)/(1 + (1 + e^z)²)."""
    e = k.exp(-k.abs(z))
    positive, negative = e * (1 + e) / (1 + 2 * e * (1 + e)), (1 + e) / (e * (e + 2) + 2)
    root = 2 * k.xp.where(z > 0, positive, negative)
    return root * root


def tanhshrink(k: Any, z: Value, _: Parameters) -> Value:
    """Return z - tanh(z); near 0 by its continued fraction z³/(3 + z²·…), where the difference cancels."""
    w = k.minimum(z * z, 1.0)
    tail = 0.0 * w
    for odd in range(21, 3, -2):
        tail = w / (odd + tail)
    return k.xp.where(k.abs(z) < 1, z * w / (3 + tail + w), z - tanh(k, z, _))


def softsign(k: Any, z: Value, _: Parameters) -> Value:
    """Return z/(1 + |z|)."""
    a = k.abs(z)
    large = k.maximum(a, 1.0)
    return k.xp.where(a > 1, k.sign(z) / (1 + 1 / large), z / (1 + a))


# erfcx(t)·(1 + 2t) for t >= 0 is smooth in y = (t - K)/(t + K): its interpolant in 25 Chebyshev points, from 60 digits,
# in powers of y, where its terms do not cancel (after Shepherd and Laframboise, Math. Comp. 36 (1981) 249-253).
ERFCX_SHIFT = 3.75
ERFCX_POLYNOMIAL = (
    1.2375126308378275,
    -0.14024059858554697,
    0.003585415485463775,
    0.08227673849014516,
    -0.10880393014171785,
    0.09230432116037876,
    -0.058693398590212366,
    0.028362277418940665,
    -0.009746579552504244,
    0.0017556258530017257,
    0.0002937136342850081,
    -0.0002901540809795271,
    5.1649211390702855e-05,
    2.2384240314224437e-05,
    -1.1444412439171722e-05,
    -9.735619015182663e-07,
    1.752057970166318e-06,
    -5.721597255990987e-08,
    -2.591069687796658e-07,
    2.3261913276696566e-08,
    3.8965452548985966e-08,
    -3.743568033634583e-09,
    -5.28428697963142e-09,
    3.110310719839165e-10,
    4.434959070009628e-10,
)


def horner(k: Any, coefficients: tuple[float, ...], y: Value) -> Value:
    """Return the value of a polynomial, lowest coefficient first; NumPy needs one buffer for it."""
    value = 0.0 * y + coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        if k.numpy:
            value *= y
            value += coefficient
        else:
            value = value * y + coefficient
    return value


def _erfcx(k: Any, t: Value) -> Value:
    """Return exp(t²)·erfc(t) for 0 <= t <= 40."""
    y = (t - ERFCX_SHIFT) / (t + ERFCX_SHIFT)
    return horner(k, ERFCX_POLYNOMIAL, y) / (1 + 2 * t)


def ndtr(k: Any, z: Value, p: Parameters) -> Value:
    """Return Φ(z) = erfc(-z/√2)/2 with relative accuracy in the lower tail, gradual underflow included."""
    a = k.abs(z)
    tail = 0.5 * _erfcx(k, k.minimum(a * math.sqrt(0.5), 40.0)) * k.exp(-0.5 * z * z)
    near = 0.5 + 0.5 * erf(k, z * math.sqrt(0.5), p)
    return k.xp.where(a < 1, near, k.xp.where(z > 0, 1 - tail, tail))


def softshrink(k: Any, z: Value, p: Parameters) -> Value:
    """Return z - clip(z, -width, width)."""
    return z - k.clip(z, -p["width"], p["width"])


def hypot_reciprocal(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1/sqrt(1 + z²) without overflow."""
    return 1 / k.hypot(z, 1.0)


def normal_density(k: Any, z: Value, _: Parameters) -> Value:
    """Return exp(-z²/2)/sqrt(2π)."""
    return k.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))


def logit(k: Any, z: Value, _: Parameters) -> Value:
    """Return log(z/(1-z)), which near 1/2 is 2·atanh(2z - 1)."""
    near = 2 * atanh(k, 2 * k.clip(z, 0.25, 0.75) - 1, _)
    return k.xp.where(k.abs(z - 0.5) < 0.25, near, k.log(z) - k.log1p(-z))


def erf(k: Any, z: Value, _: Parameters) -> Value:
    """Return erf(z); within ±1 by the series 2/√π·exp(-z²)·Σ z(2z²)ⁿ/(1·3·…·(2n+1)), whose terms have one sign."""
    native = k.native("erf")
    if native is not None:
        return native(z)
    near, total = k.clip(z, -1.0, 1.0), 1.0
    for odd in range(47, 1, -2):
        total = 1 + total * (2 * near * near) / odd
    density = k.exp(-z * z)
    far = 1 - _erfcx(k, k.minimum(k.abs(z), 40.0)) * density
    return k.xp.where(k.abs(z) < 1, 2 / math.sqrt(math.pi) * near * density * total, k.sign(z) * far)


def erfc(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1 - erf(z) with relative accuracy in the upper tail."""
    return 2 * ndtr(k, -math.sqrt(2) * z, p)


def erf_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return 2·exp(-z²)/sqrt(π)."""
    return k.exp(-z * z) * (2 / math.sqrt(math.pi))


def cbrt(k: Any, z: Value, _: Parameters) -> Value:
    """Return the real cube root: by the logarithm, and a step of Newton's method on a number within 2^±60 of 1."""
    a = k.abs(z)
    near = k.where_greater(a, 0.0, a * k.where_greater(1.0, a, 2.0**60, 2.0**-60), 1.0)
    y = k.exp(k.log(near) / 3)
    y = y - (y - near / (y * y)) / 3
    y = y * k.where_greater(1.0, a, 2.0**-20, 2.0**20)
    return k.sign(z) * k.xp.where(a < 2 * a, y, a)


def cbrt_slope(k: Any, z: Value, _: Parameters) -> Value:
    """Return the derivative of the cube root."""
    y = cbrt(k, z, _)
    return 1 / (3 * y) / y


def cbrt_bend(k: Any, z: Value, _: Parameters) -> Value:
    """Return the second derivative of the cube root."""
    y = cbrt(k, z, _)
    return (-2 / 9) / (y * y) / z


def hill(k: Any, z: Value, p: Parameters) -> Value:
    """Return zⁿ/(1 + zⁿ)."""
    low, high = _hill_powers(k, z, p["n"])
    return k.xp.where(z > 1, 1 / (1 + high), low / (1 + low))


def _hill_powers(k: Any, z: Value, n: Any) -> tuple[Value, Value]:
    """Return zⁿ where z < 1 and z⁻ⁿ where z > 1."""
    return k.power(k.minimum(z, 1.0), n), k.power(k.maximum(z, 1.0), -n)


def hill_off(k: Any, z: Value, p: Parameters) -> Value:
    """Return 1/(1 + zⁿ)."""
    low, high = _hill_powers(k, z, p["n"])
    return k.xp.where(z > 1, high / (1 + high), 1 / (1 + low))


def hill_ratio(k: Any, z: Value, p: Parameters) -> Value:
    """Return zⁿ⁻¹/(1 + zⁿ)."""
    low, high = _hill_powers(k, z, p["n"])
    left = k.power(k.minimum(z, 1.0), p["n"] - 1) / (1 + low)
    return k.xp.where(z > 1, 1 / (1 + high) / k.maximum(z, 1.0), left)


def hill_bend(k: Any, z: Value, p: Parameters) -> Value:
    """Return the derivative of zⁿ⁻¹/(1 + zⁿ), zⁿ⁻²·(n - 1 - zⁿ)/(1 + zⁿ)²."""
    n = p["n"]
    low, high = _hill_powers(k, z, n)
    near, far = k.minimum(z, 1.0), k.maximum(z, 1.0)
    left = k.times(k.power(near, n - 2), n - 1) - k.power(near, 2 * n - 2)
    right = ((n - 1) * high - 1) / far / far
    return k.xp.where(z > 1, right / (1 + high) / (1 + high), left / (1 + low) / (1 + low))


def step(k: Any, z: Value, _: Parameters) -> Value:
    """Return 1 where z > 0, else 0; NaN stays."""
    return k.xp.where(z != z, z, k.step(z))
