"""Hulls of polynomials in a chain over sets: the values at the ends, and where the polynomial turns.

Where a polynomial turns is found once, from the signs of its derivative; beyond the reach of that search the
polynomial is taken term by term, on sets that are cut off there. The hull is never wider than term by term.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.elementary import outward
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.arithmetic.kind import Value
from neuralgebra.functions.chain import Chain, between
from neuralgebra.functions.polynomial import Polynomial
from neuralgebra.functions.signs import Piece, signs

__all__ = ["Turning", "hull", "turning"]

_BITS = 128


@dataclass(frozen=True)
class Turning:
    """Where a polynomial in a chain turns or jumps, as far as it is known.

    Parameters
    ----------
    first, last : float
        The ends of what is known.
    turns : tuple of (float, float, float, float)
        Each place between two numbers, and bounds of the values there; between places the polynomial is monotone.
    """

    first: float
    last: float
    turns: tuple[tuple[float, float, float, float], ...]


def hull(chain: Chain, polynomial: Polynomial) -> Value:
    """Return the value of a polynomial in a chain; values that are sets are the hull, but for rounding.

    Parameters
    ----------
    chain : Chain
        The chain at its argument.
    polynomial : Polynomial
        In z, the chain and the parameters.

    Returns
    -------
    array
        Values, shaped as the argument.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> import neuralgebra.functions.catalogue
    >>> gelu, k = activation("gelu"), Intervals()
    >>> chain = Chain(k, gelu, Interval(np.array([-3.0]), np.array([0.5])))
    >>> hull(chain, gelu.row.value), chain.polynomial(gelu.row.value)
    (Interval([-0.16997121], [0.34573123]), Interval([-2.07438738], [0.34573123]))
    """
    naive = chain.polynomial(polynomial)
    known = None if chain.ends is None else turning(chain.activation.base, polynomial)
    if chain.ends is None or known is None:
        return naive
    kind, z, activation = chain.kind, chain.z, chain.activation
    limits = known.first, known.last
    inside = (
        Chain(kind, activation, kind.clip(chain.ends.z, *limits)) if any(map(math.isfinite, limits)) else chain.ends
    )
    turns = [(low, high, kind.interval(*values)) for low, high, *values in known.turns]
    result, found = between(kind, inside.polynomial(polynomial), z, turns), kind.meets(z, *limits)
    for low, high in ((-math.inf, known.first), (known.last, math.inf)):
        here = kind.meets(z, low, high) & ~kind.within(z, *limits)
        if here.any():
            beyond = Chain(kind, activation, kind.part(z, low, high)).polynomial(polynomial)
            result = kind.where(here, kind.where(found, kind.union(result, beyond), beyond), result)
            found = found | here
    return kind.meet(result, naive)


@functools.lru_cache(maxsize=4096)
def turning(function: Any, polynomial: Polynomial) -> Turning | None:
    """Return where a polynomial in a chain turns; None where the polynomial itself tells its hull, or nothing is found.

    Parameters
    ----------
    function : Activation
        Whose chain and parameters are meant.
    polynomial : Polynomial
        In z, the chain and the parameters.

    Returns
    -------
    Turning or None
        The places.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> import neuralgebra.functions.catalogue
    >>> silu = activation("silu")
    >>> [(round(low, 6), round(value, 6)) for low, _, value, _ in turning(silu, silu.row.value).turns]
    [(-1.278465, -0.278465)]
    """
    if any(isinstance(value, tuple) for _, value in function.parameters) or _is_known(function, polynomial):
        return None
    slope = polynomial.derivative(function.row.slope)
    pieces = signs(function, slope)
    if len(pieces) == 1 and pieces[0].sign is None:
        return None
    first, last = (-math.inf if end.sign is not None else None for end in (pieces[0], pieces[-1]))
    open_pieces = [p for p in pieces if p.sign is None and math.isfinite(p.low) and math.isfinite(p.high)]
    return Turning(
        pieces[0].high if first is None else -math.inf,
        pieces[-1].low if last is None else math.inf,
        tuple((p.low, p.high, *_bounds(function, polynomial, slope, p)) for p in open_pieces),
    )


def _is_known(function: Any, polynomial: Polynomial) -> bool:
    """Return whether a polynomial is, but for constants, 1 or z or one chain function of known turning points."""
    constants = dict(function.parameters)
    factors = [(name, n) for monomial, _ in polynomial for name, n in monomial if name not in constants]
    if len(polynomial.terms) != 1 or not factors:
        return not factors
    (name, exponent), *others = factors
    known = name == "z" or function.row.elements[name].turning is not None
    return exponent == 1 and not others and known


def _bounds(function: Any, polynomial: Polynomial, slope: Polynomial, piece: Piece) -> tuple[float, float]:
    """Return bounds of the values on a short piece: term by term, and by the slope where there is no kink."""
    kind, z = Intervals(), Interval(np.array([piece.low]), np.array([piece.high]))
    cuts = [piece.low, 0.0, piece.high] if piece.low < 0 < piece.high else [piece.low, piece.high]
    parts = Interval(np.array(cuts[:-1]), np.array(cuts[1:]))
    values = Chain(kind, function, parts).polynomial(polynomial)
    low, high = values.low.min(), values.high.max()
    if any(at.low <= piece.high and at.high >= piece.low for at, _ in _kinks(kind, function)):
        return low, high
    middle = np.array([piece.low / 2 + piece.high / 2])
    rise = Chain(kind, function, z).polynomial(slope) * (z - middle) + _at(function, polynomial, middle)
    return max(low, rise.low.item()), min(high, rise.high.item())


def _kinks(kind: Intervals, function: Any) -> list[tuple[Interval, Any]]:
    return [(Interval.of(at), order) for at, order in function.points(kind)]


def _at(function: Any, polynomial: Polynomial, point: np.ndarray) -> Interval:
    """Return the value at a point."""
    balls = Balls(_BITS)
    with balls.precision():
        return Interval(*outward(Chain(balls, function, balls.weight(point)).polynomial(polynomial)[0]))
