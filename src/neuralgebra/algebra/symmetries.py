"""Symmetries of activations: one row for each law, σ(-z) = s σ(z) + c + d z, and σ(λ z) = λᵏ σ(z) for λ > 0.

From which networks of one hidden layer are equal only if their neurons are, up to these symmetries, is known for some:
Sussmann, "Uniqueness of the weights for minimal feedforward nets with a given input-output map" (1992), for tanh, and
so for sigmoid, which is a tanh, and softplus, whose derivative is a sigmoid; for arctan the logarithmic singularities
at (±i - b)/w are those of one neuron only, for relu and its like the kinks on w x + b = 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from neuralgebra.functions.activation import Activation

__all__ = ["Reflection", "degree", "independent", "reflection"]


@dataclass(frozen=True)
class Reflection:
    """What σ(-z) is: sign·σ(z) + constant + slope·z.

    Parameters
    ----------
    sign : {1, -1}
        Of σ(z).
    constant, slope : Fraction
        Of the affine part.
    """

    sign: int
    constant: Fraction = Fraction(0)
    slope: Fraction = Fraction(0)


_Law = Callable[[Mapping[str, Fraction]], "Reflection | None"]
_EVEN, _ODD = Reflection(1), Reflection(-1)
_ONE = Fraction(1)


def _leaky(p: Mapping[str, Fraction]) -> Reflection:
    return Reflection(1, slope=-1 - p["slope"])


def _clip(p: Mapping[str, Fraction]) -> Reflection | None:
    return _ODD if p["low"] == -p["high"] else None


def _hardsigmoid(p: Mapping[str, Fraction]) -> Reflection | None:
    return Reflection(-1, _ONE) if p["offset"] == Fraction(1, 2) else None


_REFLECTIONS: dict[str, _Law] = {
    **dict.fromkeys(("cos", "square", "abs", "gaussian", "lisht"), lambda p: _EVEN),
    **dict.fromkeys(
        ("tanh", "sin", "sinh", "asinh", "arctan", "tan", "atanh", "erf", "softsign", "tanhshrink", "sign"),
        lambda p: _ODD,
    ),
    **dict.fromkeys(("identity", "softshrink"), lambda p: _ODD),
    "sigmoid": lambda p: Reflection(-1, _ONE),
    "hardsigmoid": _hardsigmoid,
    "hardtanh": _clip,
    **dict.fromkeys(
        ("relu", "softplus", "gelu", "gelu_tanh", "silu", "hardswish"), lambda p: Reflection(1, slope=-_ONE)
    ),
    **dict.fromkeys(("leaky_relu", "prelu"), _leaky),
}
_DEGREES = {"relu": 1, "leaky_relu": 1, "prelu": 1, "abs": 1, "identity": 1, "square": 2, "sign": 0, "step": 0}
_INDEPENDENT = frozenset({"tanh", "sigmoid", "softplus", "arctan", "relu", "abs", "leaky_relu", "prelu"})


def reflection(function: Activation) -> Reflection | None:
    """Return what σ(-z) is in terms of σ(z), exactly; None where no law is known.

    Parameters
    ----------
    function : Activation
        σ, with plain parameters.

    Returns
    -------
    Reflection or None
        The law.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> reflection(activation("sigmoid"))
    Reflection(sign=-1, constant=Fraction(1, 1), slope=Fraction(0, 1))
    """
    law = _REFLECTIONS.get(function.name)
    return None if law is None else law(_numbers(function))


def degree(function: Activation) -> int | None:
    """Return k with σ(λ z) = λᵏ σ(z) for all λ > 0; None where there is none."""
    return _DEGREES.get(function.name)


def independent(function: Activation) -> bool:
    """Return whether neurons that differ up to symmetries are linearly independent, of each other and affine maps."""
    return function.name in _INDEPENDENT and abs(_numbers(function).get("slope", Fraction(0))) != 1


def _numbers(function: Activation) -> dict[str, Any]:
    return {name: Fraction(value) for name, value in function.parameters if not isinstance(value, tuple)}
