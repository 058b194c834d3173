"""Gates: a few neurons of one activation that are nearly a given function of one variable t in [-1, 1].

φ(t) ≈ d + Σ c_j σ(b_j + h_j t)

For squares the neurons come in pairs ±h, so that only the even part of σ counts, c (σ(b + h t) + σ(b - h t)), whose
Taylor series is Σ 2 c σ⁽²ᵏ⁾(b) (h t)²ᵏ / (2k)!. Where σ⁗(b) = 0 one pair is off by O(h⁴) only; several pairs cancel
further terms. Where σ'(b) = 0 a single neuron is a square already, to O(h). The identity is made of the odd part in the
same way, best where σ'''(b) = 0.

Products are differences of two squares, u v = s((u + v)/2) - s((u - v)/2), of one and the same gate. With p and q the
two arguments, |p| + |q| ≤ 1 where |u|, |v| ≤ 1: so the error of the product is known from that of a function of one
variable.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from neuralgebra.algebra.hulls import Hulls, hulls, taylor
from neuralgebra.algebra.minimax import PLACES
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.errors import UnsupportedError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.network import Network

__all__ = ["FLAT", "STEPS", "Gate", "chosen", "column", "derivatives_at", "product_error", "zeros"]

_TERMS = 10  # of Taylor series, by which gates are fitted
_NODES = np.cos(np.pi * (np.arange(40) + 0.5) / 40)
STEPS = [m * 2.0**-k for k in range(34) for m in (2, 1.75, 1.5, 1.25)]  # short numbers, whose products are exact
_ORDERS, _TIGHT = (4, 8, 12), 1.05  # of Taylor polynomials, and how tight bounds are to be
_TUNING = 16  # by what the choice of a bias makes errors smaller, at most
_EVEN = 1e-12  # what derivatives of odd order are below where σ is even
_LONG = 0.25  # steps that are too long for Taylor series
_FAR, FLAT = 8.0, 1e-2  # where biases are looked for, and how curved σ must be there


@dataclass(frozen=True)
class Gate:
    """Neurons that are nearly a function of t in [-1, 1].

    Parameters
    ----------
    function : Activation
        σ.
    bias, factor, coefficient : tuple of float
        b, h and c of each neuron.
    constant : float
        d.
    target : Network
        φ.
    """

    function: Activation
    bias: tuple[float, ...]
    factor: tuple[float, ...]
    coefficient: tuple[float, ...]
    constant: float
    target: Network

    @property
    def neurons(self) -> int:
        """The number of neurons."""
        return len(self.bias)

    def network(self) -> Network:
        """Return the gate as a network of one input."""
        first = (np.array(self.factor)[:, None], np.array(self.bias))
        return Network.from_layers([first, (np.array([self.coefficient]), np.array([self.constant]))], self.function)

    @functools.cached_property
    def error(self) -> Hulls:
        """Proven ranges of the error on pieces of [-1, 1]."""
        difference, edges = self.network() - self.target, np.linspace(-1, 1, 1 + max(64, 16 * self.neurons))
        for order in _ORDERS:
            found = hulls(difference, edges, order)
            if found.largest <= _TIGHT * abs(found.attained).max():
                break
        return found

    @property
    def weight(self) -> float:
        """Σ |c| (max|σ| + |σ' z|), by which the roundings of an execution are multiplied."""
        k, b, h = Arrays(np.zeros(1)), np.array(self.bias), np.array(self.factor)
        ends = np.array([[b - h], [b + h]])
        sizes = abs(self.function(k, ends)) + abs(self.function.derivative(k, ends, 1) * ends)
        return float(np.abs(self.coefficient) @ sizes.max(axis=0)[0])


def product_error(error: Hulls) -> float:
    """Return what the error of u·v for |u|, |v| ≤ 1 does not exceed, made of squares with a given error.

    Parameters
    ----------
    error : Hulls
        That of the square on [-1, 1].
    """
    nearest = np.minimum(abs(error.edges[:-1]), abs(error.edges[1:]))
    nearest[(error.edges[:-1] < 0) & (error.edges[1:] > 0)] = 0.0
    order = np.argsort(nearest, kind="stable")
    lowest = np.minimum.accumulate(error.low[order])
    highest = np.maximum.accumulate(error.high[order])
    # The pieces that q with |q| ≤ 1 - |p| can be in are the first ones in the order of their distance from 0.
    reach = np.searchsorted(nearest[order], 1 - nearest + 1e-12, side="right") - 1
    both = np.maximum(error.high - lowest[reach], highest[reach] - error.low)
    return float(np.nextafter(both.max() * (1 + 1e-15), np.inf))


# Choice -----------------------------------------------------------------------------------------------------------

Part = tuple[float, float, int]
"""b, h and the sign of the mirrored neuron σ(b - h t): 1 for the even part of σ, -1 for the odd part, 0 for none."""


@functools.lru_cache(maxsize=256)
def chosen(function: Activation, tol: float, dtype: np.dtype, even: bool, most: int = 3, worst: float = 12) -> Gate:
    """Return the gate for t², or for t, with fewest neurons whose error and roundings stay below a tolerance.

    Parameters
    ----------
    function : Activation
        σ, smooth.
    tol : float
        What both together may come to; where no gate reaches it, the one that comes nearest is returned.
    dtype : dtype
        In which it is executed.
    even : bool
        Whether t² is wanted, not t.
    most : int
        At most so many pairs of neurons.
    worst : float
        Roundings of a neuron and its argument, in half units of the last place: 12 is what is proven, 1 what happens.

    Returns
    -------
    Gate
        Of those with as few neurons the one with the largest steps, whose roundings matter least.

    Raises
    ------
    UnsupportedError
        For an activation that is nowhere curved.
    """
    nearest, least = None, math.inf
    for family, h in _families(function, even, most):
        for parts in (_stretched(family, h), None):
            if parts is None:
                parts = _tuned(function, family, h, dtype, even)
            gate, error = _fitted(function, parts, even)
            roundings = worst * float(np.finfo(dtype).eps) * gate.weight
            if error <= tol / 2 and error + roundings <= tol:
                return gate
            if error + roundings < least:
                nearest, least = gate, error + roundings
            if error / _TUNING + roundings > max(least, tol):
                break
    if nearest is None:
        what = "squares" if even else "values handed on"
        raise UnsupportedError(f"{what} made of {function} received; a smooth activation, relu or leaky_relu expected.")
    return nearest


def _stretched(family: Sequence[Part], h: float) -> list[Part]:
    """Return the parts of a family with a step."""
    return [(b, h * factor, sign) for b, factor, sign in family]


def _families(function: Activation, even: bool, most: int) -> Iterator[tuple[tuple[Part, ...], float]]:
    """Yield families of gates with steps, those with fewest neurons first, with h as multiples of the step."""
    sign = 1 if even else -1
    order = 2 if even else 1
    flat = zeros(function, 1) if even else [0.0] * int(derivatives_at(function, 0.0)[0] == 0)
    places = [*zeros(function, 4 if even else 3), 0.0, _steepest(function, order)]
    flat, useful = (
        [b for b in dict.fromkeys(found) if abs(derivatives_at(function, b)[order]) > FLAT] for found in (flat, places)
    )
    useful.sort(key=lambda b: abs(derivatives_at(function, b)[0] / derivatives_at(function, b)[order]))
    for n in range(1, most + 1):
        single = [b for b in flat if n == 1 or (even and _symmetric(function, b))]
        families = [tuple((b, float(i), 0) for i in range(1, n + 1)) for b in single]
        families += [tuple((b, float(i), sign) for i in range(1, n + 1)) for b in useful]
        yield from itertools.product(families, STEPS)
        yield from ((row, 1.0) for row in _placed(function, n) if even)


def _placed(function: Activation, count: int) -> list[tuple[Part, ...]]:
    """Return the gates for t² of the table that have a number of parts."""
    rows = PLACES.get(function.name, ())
    return [tuple((b, h, int(not _symmetric(function, b))) for b, h in row) for row in rows if len(row) == count]


def _symmetric(function: Activation, b: float) -> bool:
    """Return whether σ is even about a place."""
    return bool((abs(derivatives_at(function, b)[1:10:2]) < _EVEN).all())


def _steepest(function: Activation, order: int) -> float:
    """Return where a derivative is largest near 0."""
    grid = np.linspace(-2, 2, 257)
    return float(grid[abs(function.derivative(Arrays(grid), grid, order)).argmax()])


@functools.lru_cache(maxsize=4096)
def derivatives_at(function: Activation, b: float) -> np.ndarray:
    """Return the derivatives at a place, by the recurrence of Taylor series: polynomials in a chain would grow.

    Parameters
    ----------
    function : Activation
        σ.
    b : float
        The place.
    """
    coefficients = taylor(Arrays(np.zeros(1)), Network.function(function), np.array([b]), 2 * _TERMS)
    return np.array([math.factorial(n) * float(a[0]) for n, a in enumerate(coefficients)])


@functools.lru_cache(maxsize=64)
def zeros(function: Activation, order: int) -> list[float]:
    """Return the zeros of a derivative near 0.

    Parameters
    ----------
    function : Activation
        σ.
    order : int
        Of the derivative.
    """
    k, grid = Arrays(np.zeros(1)), np.linspace(-_FAR, _FAR, 1601)

    def value(z: Any) -> Any:
        return function.derivative(k, np.atleast_1d(np.asarray(z, dtype=float)), order)

    values = value(grid)
    exact: list[float] = grid[values == 0].tolist()
    crossing = np.flatnonzero(values[:-1] * values[1:] < 0)
    return exact + [float(brentq(lambda z: value(z)[0], grid[i], grid[i + 1], xtol=1e-15)) for i in crossing]


def _tuned(function: Activation, family: Sequence[Part], h: float, dtype: np.dtype, even: bool) -> list[Part]:
    """Return the parts with a step, and a bias at which a small term of one order makes up for those of the next."""
    base = family[0][0]
    if not family[0][2] or base == 0 or any(b != base for b, _, _ in family):
        return _stretched(family, h)

    def parts(b: float) -> list[Part]:
        return [(float(dtype.type(b)), h * factor, sign) for _, factor, sign in family]

    width = min(h * family[-1][1], 1.0) ** 2 / 4
    bounds = (base - width, base + width)
    found = minimize_scalar(lambda b: _fitted(function, parts(b), even)[1], bounds=bounds, method="bounded")
    return parts(float(found.x))


def _fitted(function: Activation, parts: Sequence[Part], even: bool) -> tuple[Gate, float]:
    """Return the gate with the best coefficients for given neurons, and about how far it is off."""
    columns = [column(function, part) for part in parts]
    wanted = _NODES**2 if even else _NODES
    scales = [abs(column).max() for column in columns]
    matrix = np.array([*(c / s for c, s in zip(columns, scales, strict=True)), np.ones_like(_NODES)]).T
    if not even:
        matrix = matrix[:, :-1]
    found = np.linalg.lstsq(matrix, wanted, rcond=None)[0]
    error = float(abs(matrix @ found - wanted).max())
    coefficients = [float(c / s) for c, s in zip(found, scales, strict=False)]
    rows = [row for part, c in zip(parts, coefficients, strict=True) for row in _neurons(part, c)]
    at_zero = sum(c * derivatives_at(function, b)[0] for b, _, c in rows)
    constant = float((found[-1] if even else 0.0) - at_zero)
    b, h, c = zip(*rows, strict=True)
    target = Network.function("square") if even else Network.identity(1)
    return Gate(function, b, h, c, constant, target), error


def column(function: Activation, part: Part, t: np.ndarray = _NODES) -> np.ndarray:
    """Return σ(b + h t) ± σ(b - h t), without what is constant: no large numbers cancel.

    Parameters
    ----------
    function : Activation
        σ.
    part : (float, float, int)
        b, h and the sign of the mirrored neuron.
    t : ndarray
        Where.
    """
    b, h, sign = part
    derivatives = derivatives_at(function, b)
    if h > _LONG:
        k, sides = Arrays(t), b + h * np.array([t, -t])
        first, second = function(k, sides)
        return np.asarray(first + sign * second - (1 + sign) * derivatives[0])
    powers = range(1, len(derivatives)) if not sign else range(2 if sign > 0 else 1, len(derivatives), 2)
    terms = [derivatives[n] * h**n / math.factorial(n) * (1 + abs(sign)) * t**n for n in powers]
    return np.asarray(sum(terms))


def _neurons(part: Part, c: float) -> list[tuple[float, float, float]]:
    b, h, sign = part
    return [(b, h, c), (b, -h, sign * c)] if sign else [(b, h, c)]
