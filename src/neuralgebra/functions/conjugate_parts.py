"""What the chain functions of log∘σ∘exp on floating-point arrays are made of.

Throughout u = exp(z). These means keep the digits:

* far to the left log σ(u) is z + log(σ(u)/u), and the second term vanishes;
* near z = 0, where the error of u shows most, it is a polynomial in z, and where it has a zero z₀ farther away, it is
  log1p(σ(u) - 1), where σ(u) - 1 is a function of u - u₀ = u₀·expm1(z - z₀) that does not cancel;
* differences such as w·coth(w) - 1, which vanish with u, are continued fractions or series with terms of one sign.

What only ever multiplies a function that has underflowed is cut off at z = 8, where u = 2981, lest inf·0 arise; what
is a quotient of two vanishing numbers on the left is cut off at z = -40, where it has its limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.functions import special
from neuralgebra.functions.conjugate_tables import NEAR

__all__ = [
    "LEFT",
    "RIGHT",
    "Parameters",
    "bessel",
    "expc",
    "fraction",
    "near_zero",
    "series",
    "sinhc",
    "u_of",
    "u_within",
    "w_coth",
]

Parameters = Mapping[str, Any]

LEFT, RIGHT = -40.0, 8.0


def u_of(k: Any, z: Value, high: float = RIGHT) -> Value:
    """Return exp(z), cut off above."""
    return k.exp(k.minimum(z, high))


def u_within(k: Any, z: Value, low: float = LEFT, high: float = RIGHT) -> Value:
    """Return exp(z), cut off on both sides."""
    return k.exp(k.clip(z, low, high))


def fraction(w: Value, first: int, last: int, sign: float = 1.0) -> Value:
    """Return w/(first ± w/(first + 2 ± …)), the continued fraction of w·coth(w) - 1 and its tails, at the square."""
    tail = 0.0 * w
    for odd in range(last, first - 2, -2):
        tail = w / (odd + sign * tail)
    return tail


def series(w: Value, divisors: list[int], sign: float = 1.0) -> Value:
    """Return w/d₁·(1 ± w/d₂·(1 ± …))."""
    total = 1 + 0.0 * w
    for divisor in reversed(divisors[1:]):
        total = 1 + sign * (w / divisor) * total
    return w / divisors[0] * total


def sinhc(w: Value) -> Value:
    """Return sinh(a)/a - 1 at w = a²."""
    return series(w, [2 * n * (2 * n + 1) for n in range(1, 18)])


def bessel(w: Value, sign: float) -> Value:
    """Return cosh(a) - sinh(a)/a at w = a², or sin(a)/a - cos(a) with the other sign."""
    return series(w, [3, *(2 * n * (2 * n + 3) for n in range(1, 16))], sign)


def expc(a: Value) -> Value:
    """Return expm1(a)/a - 1."""
    return series(a, list(range(2, 22)))


def near_zero(k: Any, z: Value, name: str, outside: Value) -> Value:
    """Return the polynomial of a function where it serves, else the value that is given."""
    reach, coefficients = NEAR[name]
    return k.xp.where(k.abs(z) < reach, special.horner(k, coefficients, k.clip(z, -reach, reach)), outside)


def w_coth(k: Any, w: Value) -> Value:
    """Return w·coth(w) - 1 for w >= 0."""
    near = k.minimum(w, 2.0)
    e = k.exp(-2 * w)
    far = k.maximum(w, 1.0)
    return k.xp.where(w < 2, fraction(near * near, 3, 31), far - 1 + 2 * k.minimum(far, 400.0) * e / (1 - e))
