"""Products by three neurons, where the third derivative of an activation vanishes and the second does not.

With s(t) = c σ(b + h t), of which what is constant and linear in t does not count,

    s(u + v) - s(u) - s(v) = c h² σ″(b) u v + c h⁴ σ⁗(b) (4 u³ v + 6 u² v² + 4 u v³) / 24 + …

where σ‴(b) = 0. The best c is not the one that the first term asks for: it makes the error less than half as large.
"""

from __future__ import annotations

import functools

import flint
import numpy as np
from scipy.optimize import minimize_scalar

from neuralgebra.algebra.gate import FLAT, STEPS, Gate, column, derivatives_at, zeros
from neuralgebra.algebra.hulls import Hulls, hulls
from neuralgebra.algebra.schemes import Scheme
from neuralgebra.arithmetic.rationals import Rationals, above
from neuralgebra.functions.activation import Activation
from neuralgebra.network.network import Network

__all__ = ["spread", "tripled"]

_K = Rationals()
_PIECES, _ORDERS, _TIGHT = 256, (4, 8, 12), 1.05
_NODES = np.cos(np.pi * np.arange(17) / 16)
_FORMS, _SIGNS = ((0.5, 0.5), (0.5, 0.0), (0.0, 0.5)), (1, -1, -1)


@functools.lru_cache(maxsize=256)
def tripled(function: Activation, tol: float, dtype: np.dtype, worst: float = 12) -> Scheme | None:
    """Return the product by three neurons whose error and roundings stay below a tolerance, with the largest steps.

    Parameters
    ----------
    function : Activation
        σ, smooth.
    tol : float
        What both together may come to.
    dtype : dtype
        In which it is executed.
    worst : float
        Roundings of a neuron and its argument, in half units of the last place.

    Returns
    -------
    Scheme or None
        None where no three neurons reach it.
    """
    unit = worst * float(np.finfo(dtype).eps)
    places = [b for b in zeros(function, 3) if abs(derivatives_at(function, b)[2]) > FLAT]
    for b in sorted(places, key=lambda b: abs(derivatives_at(function, b)[0] / derivatives_at(function, b)[2])):
        bias = float(dtype.type(b))
        for h in STEPS:
            c, error = _fitted(function, bias, h)
            gate = _gate(function, bias, h, c)
            roundings = 1.5 * unit * gate.weight  # of three neurons; two have half as large arguments
            if error + roundings <= 0.97 * tol:
                return _proven(gate)
            if roundings > tol:
                break
    return None


def _fitted(function: Activation, b: float, h: float) -> tuple[float, float]:
    """Return the best c, and about how far the product is off."""
    u, v = np.meshgrid(_NODES, _NODES)
    sums = [column(function, (b, h, 0), t) for t in (u + v, u, v)]
    product, first = sums[0] - sums[1] - sums[2], 1 / (h**2 * derivatives_at(function, b)[2])

    def error(factor: float) -> float:
        return float(np.ptp(factor * first * product - u * v)) / 2

    reach, options = min(4 * error(1.0), 0.5), {"xatol": 1e-3 * error(1.0)}
    found = minimize_scalar(error, bounds=(1 - reach, 1 + reach), method="bounded", options=options)
    return float(found.x * first), float(found.fun)


def _gate(function: Activation, b: float, h: float, c: float) -> Gate:
    """Return the neuron that is nearly 2 t² + a t, for t in [-1, 1]."""
    value, slope = derivatives_at(function, b)[:2]
    t = Network.identity(1)
    target = t**2 * 2.0 + t * float(2 * c * h * slope)
    return Gate(function, (b,), (2 * h,), (c,), float(-c * value), target)


def _proven(gate: Gate) -> Scheme:
    """Return the product by a gate, moved by the middle of its error."""
    difference, edges = gate.network() - gate.target, np.linspace(-1, 1, _PIECES + 1)
    for order in _ORDERS:
        found = hulls(difference, edges, order)
        low, high = spread(found)
        if found.largest <= _TIGHT * abs(found.attained).max():
            break
    # The neurons alone are s without its constant d, which counts once with each sign, -d in all.
    constant = -gate.constant - (low + high) / 2
    moved = _K.scalar(constant) + _K.scalar(gate.constant)
    error = max(_K.scalar(high) + moved, -_K.scalar(low) - moved, flint.fmpq(0))
    return Scheme(gate, _FORMS, _SIGNS, constant, above(error))


def spread(error: Hulls) -> tuple[float, float]:
    """Return ends of e((u + v)/2) - e(u/2) - e(v/2) for |u|, |v| ≤ 1.

    Parameters
    ----------
    error : Hulls
        Those of e on an even number of pieces of [-1, 1], all of one width.
    """
    count = len(error.low)
    half = np.arange(count // 4, count - count // 4)
    total = half[:, None] + half - count // 2  # the sum of two pieces is in this one and the next
    low = np.minimum(error.low[total], error.low[total + 1]) - error.high[half][:, None] - error.high[half]
    high = np.maximum(error.high[total], error.high[total + 1]) - error.low[half][:, None] - error.low[half]
    more = 1e-15 * (abs(error.low).max() + abs(error.high).max())
    return float(low.min() - 4 * more), float(high.max() + 4 * more)
