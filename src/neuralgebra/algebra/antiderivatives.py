"""Antiderivatives of the activations, as networks of functions of the catalogue: F' = f.

One row for each function, made of exact operations; factors like 1/3 are rational. Two rows need other numbers and
round them once: gaussian √π/2, and hardsigmoid the end of its band. The constant of integration is whatever makes the
row short.

What is not in the table has no antiderivative in functions of the catalogue: those of softplus, silu, mish, lisht and
logsigmoid are dilogarithms, that of gelu_tanh is no named function at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.algebra.combination import Combination
from neuralgebra.arithmetic.rationals import Rationals
from neuralgebra.errors import UnsupportedError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Affine
from neuralgebra.network.network import Network

__all__ = ["ROUNDING", "antiderivative_of", "times"]

Law = Callable[[Network, Network, dict[str, Any]], Network]
"""(z, f(z), parameters of f) -> F(z), coordinate by coordinate."""

ROUNDING = frozenset({"gaussian", "hardsigmoid"})
"""Functions whose rows round a number."""

_DILOGARITHMS = frozenset({"softplus", "logsigmoid", "silu", "mish", "lisht"})


def antiderivative_of(function: Activation, size: int) -> Network:
    """Return an antiderivative of an activation, coordinate by coordinate.

    Parameters
    ----------
    function : Activation
        f, a function of the catalogue or the derivative of one.
    size : int
        Number of coordinates.

    Returns
    -------
    Network
        F, size → size, with F' = f where f is continuous.

    Raises
    ------
    UnsupportedError
        When F is no network of functions of the catalogue.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> antiderivative_of(activation("sigmoid"), 2)
    <Network 2 → 2: softplus; 0 parameters, float64>
    """
    if function.row.order:
        return Network.function(function.base.differentiated(function.row.order - 1), size)
    law = _LAWS.get(function.name)
    if law is None:
        raise UnsupportedError(_reason(function))
    given = {name: _values(value) for name, value in function.parameters}
    return law(Network.identity(size), Network.function(function, size), given)


def times(network: Network, factors: np.ndarray) -> Network:
    """Return a network whose outputs are multiplied by rational numbers, which are not rounded.

    Parameters
    ----------
    network : Network
        With m outputs.
    factors : ndarray of rational, shape (m,)
        The numbers.

    Returns
    -------
    Network
        With one more layer, of a matrix of rational numbers; it cannot be saved.
    """
    matrix = np.diag(factors)
    matrix[matrix == 0] = Rationals().scalar(0)
    result: Network = network._then(Affine(Combination(matrix)))
    return result


def _reason(function: Activation) -> str:
    known = "a dilogarithm" if function.name in _DILOGARITHMS else "not in the table of antiderivatives"
    return (
        f"the antiderivative of {function} asked for; it is {known}, no network of functions of the catalogue.\n"
        "f.integral(box) gives integrals over boxes as numbers, with a proven error."
    )


def _values(value: Any) -> Any:
    return np.array(value, dtype=float) if isinstance(value, tuple) else value


def _rounded(value: Any) -> Any:
    return np.asarray(value, dtype=float)


def _over(network: Network, divisor: Any) -> Network:
    """Return a network divided by exact numbers, one or one for each output."""
    divisors = np.broadcast_to(np.asarray(divisor, dtype=object), (network.output_size,))
    return times(network, np.array([1 / Rationals().scalar(Fraction(d)) for d in divisors], dtype=object))


def _of(name: str, z: Network, **parameters: Any) -> Network:
    return Network.function(name, z.output_size, **parameters) @ z


def _square(z: Network) -> Network:
    return _of("square", z)


def _log_cosh(z: Network) -> Network:
    """ln(2 cosh z) = softplus(2z) - z."""
    return _of("softplus", z * 2) - z


def _ramps(z: Network, low: Any, high: Any) -> Network:
    """Return the antiderivative of clip(z, low, high)."""
    inner = _square(_of("relu", z - _rounded(low))) - _square(_of("relu", z - _rounded(high)))
    result: Network = inner / 2 + z * _rounded(low)
    return result


def _gelu(z: Network, f: Network, p: dict[str, Any]) -> Network:
    """((z² - 1) Φ + z φ) / 2, in which Φ and φ are put together from derivatives of z Φ."""
    del p
    return (z * f - _of("gelu'", z) - z * _of("gelu''", z) - _of("gelu'''", z)) / 2


def _exact(value: Any) -> Any:
    return np.array([Fraction(v) for v in np.atleast_1d(np.array(value, dtype=object))], dtype=object)


def _power(z: Network, f: Network, p: dict[str, Any]) -> Network:
    if np.any(np.equal(p["p"], -1)):
        raise UnsupportedError("the antiderivative of power(p=-1) asked for; write it as reciprocal, whose is log.")
    return _over(z * f, _exact(p["p"]) + 1)


def _hardsigmoid(z: Network, f: Network, p: dict[str, Any]) -> Network:
    """f²/2 changes by f f' = slope·f inside of the band and stays outside of it, where f is 0 or 1."""
    slope, offset = _exact(p["slope"]), _exact(p["offset"])
    if np.any(slope <= 0):
        raise UnsupportedError("the antiderivative of hardsigmoid with a slope that is not positive asked for.")
    return _over(_square(f), 2 * slope) + _of("relu", z - _rounded((1 - offset) / slope))


_LAWS: dict[str, Law] = {
    "identity": lambda z, f, p: _square(z) / 2,
    "tanh": lambda z, f, p: _log_cosh(z),
    "sigmoid": lambda z, f, p: _of("softplus", z),
    "gelu": _gelu,
    "tanhshrink": lambda z, f, p: _square(z) / 2 - _log_cosh(z),
    "sin": lambda z, f, p: -_of("cos", z),
    "cos": lambda z, f, p: _of("sin", z),
    "sinh": lambda z, f, p: _of("sinh'", z),
    "asinh": lambda z, f, p: z * f - _of("sqrt", _square(z) + 1),
    "arctan": lambda z, f, p: z * f - _of("log", _square(z) + 1) / 2,
    "tan": lambda z, f, p: -_of("log", _of("cos", z)),
    "atanh": lambda z, f, p: z * f + _of("log", 1 - _square(z)) / 2,
    "logit": lambda z, f, p: z * f + _of("log", 1 - z),
    "exp": lambda z, f, p: f,
    "log": lambda z, f, p: z * f - z,
    "sqrt": lambda z, f, p: _over(z * f, Fraction(3, 2)),
    "square": lambda z, f, p: _over(z * f, 3),
    "reciprocal": lambda z, f, p: _of("log", z),
    "power": _power,
    "gaussian": lambda z, f, p: _of("erf", z) * (math.sqrt(math.pi) / 2),
    "erf": lambda z, f, p: z * f + _of("erf'", z) / 2,
    # Kinked functions: squares of relu, or z·f/2 where f(λz) = λ f(z) for λ > 0.
    "relu": lambda z, f, p: _square(f) / 2,
    "leaky_relu": lambda z, f, p: z * f / 2,
    "prelu": lambda z, f, p: z * f / 2,
    "abs": lambda z, f, p: z * f / 2,
    "step": lambda z, f, p: _of("relu", z),
    "sign": lambda z, f, p: _of("abs", z),
    "elu": lambda z, f, p: _square(_of("relu", z)) / 2 + (f - _of("relu", z)) + _of("relu", -z) * _rounded(p["alpha"]),
    "celu": lambda z, f, p: (
        _square(_of("relu", z)) / 2
        + (f - _of("relu", z)) * _rounded(p["alpha"])
        + _of("relu", -z) * _rounded(p["alpha"])
    ),
    "softsign": lambda z, f, p: _of("abs", z) - _of("log", _of("abs", z) + 1),
    "softshrink": lambda z, f, p: _square(f) / 2,
    "hardtanh": lambda z, f, p: _ramps(z, p["low"], p["high"]),
    "relu6": lambda z, f, p: _ramps(z, 0, 6),
    "hardsigmoid": _hardsigmoid,
    "hardswish": lambda z, f, p: z * f / 2 - (hard := _of("hardsigmoid", z) - 0.5) * _square(hard) * 6,
}
