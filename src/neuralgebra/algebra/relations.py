"""Activations in terms of another one, exactly: φ(z) = d + Σ c σ(a z + b).

One row for each pair. The numbers are rational; a row may name a parameter of either function, as p["slope"].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from neuralgebra.functions.activation import Activation

__all__ = ["Relation", "one_sided", "relation"]

Term = tuple[Any, Any, Any]
"""a, b, c."""


@dataclass(frozen=True)
class Relation:
    """A function as a sum of neurons: φ(z) = d + Σ c σ(a z + b).

    Parameters
    ----------
    terms : tuple of (number, number, number)
        a, b and c of each neuron.
    constant : number
        d.
    error : float
        What the difference of both sides does not exceed, where a number is not rational.
    """

    terms: tuple[Term, ...]
    constant: Any = 0
    error: float = 0.0


Parameters = Mapping[str, Any]
Law = Callable[[Parameters, Parameters], Relation]

_HALF, _FOURTH = Fraction(1, 2), Fraction(1, 4)
# π/2 to 60 digits: of sines and cosines the error is at most that of their argument.
_RIGHT = Fraction("1.57079632679489661923132169163975144209858469968755291048747")
_DIGITS = 1e-59


def _of(*terms: Term, constant: Any = 0) -> Law:
    return lambda p, q: Relation(terms, constant)


def _leaky_by_relu(p: Parameters, q: Parameters) -> Relation:
    del q
    return Relation(((1, 0, 1), (-1, 0, -p["slope"])))


def _relu_by_leaky(p: Parameters, q: Parameters) -> Relation:
    """(σ(z) + s σ(-z)) / (1 - s²)."""
    del p
    slope = q["slope"]
    scale = 1 / (1 - slope * slope)
    return Relation(((1, 0, scale), (-1, 0, slope * scale)))


def _abs_by_leaky(p: Parameters, q: Parameters) -> Relation:
    """(σ(z) + σ(-z)) / (1 - s)."""
    del p
    scale = 1 / (1 - q["slope"])
    return Relation(((1, 0, scale), (-1, 0, scale)))


def _identity_by_leaky(p: Parameters, q: Parameters) -> Relation:
    """(σ(z) - σ(-z)) / (1 + s)."""
    del p
    scale = 1 / (1 + q["slope"])
    return Relation(((1, 0, scale), (-1, 0, -scale)))


def _clip_by_relu(low: Any, high: Any, scale: Any = 1, shift: Any = 0) -> Relation:
    """relu(a z + b - low) - relu(a z + b - high) + low."""
    return Relation(((scale, shift - low, 1), (scale, shift - high, -1)), low)


_RELUS = ("relu", "leaky_relu", "prelu")
_ODD = ("relu", "softplus", "gelu", "gelu_tanh", "silu", "hardswish")  # σ(z) - σ(-z) = z
_STRAIGHT = {**dict.fromkeys((*_RELUS, "elu", "celu", "abs"), 0), "hardswish": 3}  # from there on σ(z) = z
_LAWS: dict[tuple[str, str], Law] = {
    ("tanh", "sigmoid"): _of((2, 0, 2), constant=-1),
    ("sigmoid", "tanh"): _of((_HALF, 0, _HALF), constant=_HALF),
    ("logsigmoid", "softplus"): _of((-1, 0, -1)),
    ("softplus", "logsigmoid"): _of((-1, 0, -1)),
    ("sin", "cos"): lambda p, q: Relation(((1, -_RIGHT, 1),), error=_DIGITS),
    ("cos", "sin"): lambda p, q: Relation(((1, _RIGHT, 1),), error=_DIGITS),
    ("abs", "relu"): _of((1, 0, 1), (-1, 0, 1)),
    ("hardtanh", "relu"): lambda p, q: _clip_by_relu(p["low"], p["high"]),
    ("relu6", "relu"): lambda p, q: _clip_by_relu(0, 6),
    ("softshrink", "relu"): lambda p, q: Relation(((1, -p["width"], 1), (-1, -p["width"], -1))),
    ("hardsigmoid", "relu"): lambda p, q: _clip_by_relu(0, 1, p["slope"], p["offset"]),
    ("square", "relu_squared"): _of((1, 0, 1), (-1, 0, 1)),
    ("identity", "relu_squared"): _of((1, 1, _FOURTH), (-1, -1, _FOURTH), (1, -1, -_FOURTH), (-1, 1, -_FOURTH)),
    ("identity", "square"): _of((1, _HALF, _HALF), (1, -_HALF, -_HALF)),
    **{("identity", name): _of((1, 0, 1), (-1, 0, -1)) for name in _ODD},
    **{("identity", leaky): _identity_by_leaky for leaky in _RELUS[1:]},
    **{(leaky, "relu"): _leaky_by_relu for leaky in _RELUS[1:]},
    **{("relu", leaky): _relu_by_leaky for leaky in _RELUS[1:]},
    **{("abs", leaky): _abs_by_leaky for leaky in _RELUS[1:]},
}


def relation(function: Activation, by: Activation) -> Relation | None:
    """Return a function as a sum of neurons of another one, exactly; None where no law is known.

    Parameters
    ----------
    function : Activation
        φ, with plain parameters.
    by : Activation
        σ, with plain parameters.

    Returns
    -------
    Relation or None
        φ(z) = d + Σ c σ(a z + b), for every z.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> relation(activation("tanh"), activation("sigmoid"))
    Relation(terms=((2, 0, 2),), constant=-1, error=0.0)
    """
    if function == by:
        return Relation(((1, 0, 1),))
    law = _LAWS.get((function.name, by.name))
    return None if law is None else law(_numbers(function), _numbers(by))


def _numbers(function: Activation) -> dict[str, Fraction]:
    return {name: Fraction(value) for name, value in function.parameters if not isinstance(value, tuple)}


def one_sided(by: Activation, low: float) -> Relation | None:
    """Return the identity on arguments from `low` on as one neuron; None where σ is nowhere straight.

    Parameters
    ----------
    by : Activation
        σ, with σ(z) = z from some z₀ on.
    low : float
        The least argument.

    Returns
    -------
    Relation or None
        σ(z + s) - s, with a short number s such that low + s ≥ z₀.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> one_sided(activation("relu"), -2.7)
    Relation(terms=((1, 2.703125, 1),), constant=-2.703125, error=0.0)
    """
    start = _STRAIGHT.get(by.name)
    if start is None:
        return None
    shift = 0.0 if low >= start else _short(math.nextafter(start - low, math.inf))
    return Relation(((1, shift, 1),), -shift if shift else 0)


def _short(value: float) -> float:
    """Return a number of 9 bits that is not below a value, and at most by a 256th of it above."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.ceil(mantissa * 512), exponent - 9)
