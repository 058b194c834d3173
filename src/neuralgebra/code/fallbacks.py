"""Functions that some languages lack, by functions that all have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.code.record import Primitive
from neuralgebra.functions import special

__all__ = ["FALLBACKS"]


def _log1p(k: Any, x: Value) -> Value:
    """Return log(1 + x), by the quotient of two errors that cancel (Kahan)."""
    u = 1 + x
    return k.xp.where(u == 1, x, k.log(u) * x / k.xp.where(u == 1, 1.0, u - 1))


def _expm1(k: Any, x: Value) -> Value:
    """Return exp(x) - 1: 2·tanh(x/2)/(1 - tanh(x/2)) near 0, where the difference would cancel."""
    t = special.tanh(k, 0.5 * k.clip(x, -1.0, 1.0), {})
    return k.xp.where(k.abs(x) < 1, 2 * t / (1 - t), k.exp(x) - 1)


def _sinh(k: Any, x: Value) -> Value:
    """Return sinh(x) = (e + e/(1 + e))/2 with e = expm1(|x|), from where it is exp(|x|)/2 by halves."""
    a = k.abs(x)
    e = k.expm1(k.minimum(a, 20.0))
    return k.copysign(k.xp.where(a < 20, 0.5 * (e + e / (1 + e)), special.scaled_exp(k, a, 0.5)), x)


def _hypot(k: Any, x: Value, y: Value) -> Value:
    """Return sqrt(x² + y²) without overflow."""
    a, b = k.abs(x), k.abs(y)
    large, small = k.maximum(a, b), k.minimum(a, b)
    ratio = small / k.xp.where(large == 0, 1.0, large)
    return large * k.sqrt(1 + ratio * ratio)


def _largest(k: Any, a: Value, b: Value) -> Value:
    """Return the larger of both, the first of equal ones; whichever is no number, if one is."""
    return k.xp.where((a >= b) | k.xp.isnan(a), a, b)


def _sign(k: Any, x: Value) -> Value:
    return k.xp.where(x > 0, 1.0, k.xp.where(x < 0, -1.0, x))


def _copysign(k: Any, x: Value, y: Value) -> Value:
    return k.xp.where(y < 0, -k.abs(x), k.abs(x))


def _square(k: Any, x: Value) -> Value:
    del k
    return x * x


def _reciprocal(k: Any, x: Value) -> Value:
    del k
    return 1 / x


def _without_parameters(rule: Callable[..., Value]) -> Callable[..., Value]:
    return lambda k, z: rule(k, z, {})


_RULES: dict[str, tuple[Callable[..., Value], int]] = {
    "log1p": (_log1p, 1),
    "expm1": (_expm1, 1),
    "hypot": (_hypot, 2),
    "largest": (_largest, 2),
    "sign": (_sign, 1),
    "copysign": (_copysign, 2),
    "square": (_square, 1),
    "reciprocal": (_reciprocal, 1),
    "erf": (_without_parameters(special.erf), 1),
    "tanh": (_without_parameters(special.tanh), 1),
    "sinh": (_sinh, 1),
    "cosh": (_without_parameters(special.cosh), 1),
    "arctanh": (_without_parameters(special.atanh), 1),
    "ndtr": (_without_parameters(special.ndtr), 1),
}

FALLBACKS = {name: Primitive(name, (name,), rule, rule, count) for name, (rule, count) in _RULES.items()}
