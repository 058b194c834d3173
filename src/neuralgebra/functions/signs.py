"""Where a polynomial in a chain is positive, and where it is negative: proven once, by balls and bisection.

The second derivative of an activation tells where it bends upwards, the derivative of a polynomial where that turns.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.functions.chain import Chain
from neuralgebra.functions.polynomial import Polynomial

__all__ = ["Piece", "signs"]

_SHELLS = 10  # up to 2¹⁰ on both sides of 0
_FINE = 2.0**-44  # of a piece, relative to its place, in which the sign may stay open
_MOST = 1000  # balls of one shell
_BITS = 128


@dataclass(frozen=True)
class Piece:
    """A closed interval of arguments.

    Parameters
    ----------
    low, high : float
        Its ends; neighbouring pieces share them.
    sign : int or None
        1, -1 or 0, the sign everywhere inside; None: not known.
    """

    low: float
    high: float
    sign: int | None


@functools.lru_cache(maxsize=4096)
def signs(function: Any, polynomial: Polynomial) -> tuple[Piece, ...]:
    """Return the pieces of the real line on which a polynomial in a chain has one sign.

    Parameters
    ----------
    function : Activation
        Whose chain and plain parameters are meant.
    polynomial : Polynomial
        In z, the chain and the parameters.

    Returns
    -------
    tuple of Piece
        From -∞ to ∞. Kinks of the function, zeros, and what is far away lie in pieces of no known sign; of a function
        of cases nothing is known.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> import neuralgebra.functions.catalogue
    >>> tanh = activation("tanh")
    >>> [(p.sign, round(p.low), round(p.high)) for p in signs(tanh, tanh.row.derivative(2)) if p.sign is not None]
    [(1, -1024, 0), (-1, 0, 1024)]
    """
    if function.row.cases:
        return (Piece(-math.inf, math.inf, None),)
    cuts = _kinks(function)
    inner = list(_inside(function, polynomial, cuts))
    low, high = (inner[0].low, inner[-1].high) if inner else (0.0, 0.0)
    beyond = 0 if not polynomial and not any(abs(end) > 2.0**_SHELLS for cut in cuts for end in cut) else None
    return tuple(_merged([Piece(-math.inf, low, beyond), *inner, Piece(high, math.inf, beyond)]))


def _kinks(function: Any) -> list[tuple[float, float]]:
    """Return small intervals that hold the kinks, in order."""
    k = Balls(_BITS)
    with k.precision():
        numbers = [k.scalar(place) for place, _ in function.points(k)]
        places = sorted(ends(number) for number in numbers if number.is_finite())
    return [(math.nextafter(a, -math.inf), math.nextafter(b, math.inf)) for a, b in places]


def _inside(function: Any, polynomial: Polynomial, cuts: list[tuple[float, float]]) -> list[Piece]:
    """Return pieces around 0, shell by shell, as far as the domain and the patience reach."""
    first, last = function.row.domain
    found: list[Piece] = []
    reach, complete = 0.0, True
    for limit in (1.0, *(2.0**n for n in range(1, _SHELLS + 1))):
        for low, high in ((-limit, -reach), (reach, limit)):
            pieces, done = _shell(function, polynomial, max(low, first), min(high, last), cuts)
            found, complete = (pieces + found if low < 0 else found + pieces), complete and done
        if not complete:
            break
        reach = limit
    return found


def _shell(
    function: Any, polynomial: Polynomial, low: float, high: float, cuts: list[tuple[float, float]]
) -> tuple[list[Piece], bool]:
    """Return the pieces of an interval, and whether they were few enough to be followed to the end."""
    if low >= high:
        return [], True
    inside = [(max(a, low), min(b, high)) for a, b in cuts if a < high and b > low]
    edges = [low, *itertools.chain(*inside), high]
    known = [Piece(a, b, None) for a, b in inside]
    waiting = np.array([(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if a < b]).reshape(-1, 2)
    used = len(waiting)
    while len(waiting) and used <= _MOST:
        found = _signs_on(function, polynomial, waiting)
        fine = waiting[:, 1] - waiting[:, 0] <= _FINE * np.maximum(1.0, abs(waiting).max(axis=1))
        done = fine | [sign is not None for sign in found]
        known += [Piece(a, b, found[i]) for i, (a, b) in enumerate(waiting.tolist()) if done[i]]
        rest = waiting[~done]
        middle = rest.mean(axis=1)
        waiting = np.concatenate([np.stack([rest[:, 0], middle], 1), np.stack([middle, rest[:, 1]], 1)])
        used += len(waiting)
    known += [Piece(a, b, None) for a, b in waiting.tolist()]
    return sorted(known, key=lambda piece: piece.low), not len(waiting)


def _signs_on(function: Any, polynomial: Polynomial, intervals: np.ndarray) -> list[int | None]:
    k = Balls(_BITS)
    with k.precision():
        chain = Chain(k, function, k.interval(*intervals.T))
        factors = [chain.polynomial(factor) for factor in _factors(polynomial)]
    return [_product([_sign(v) for v in values]) for values in zip(*factors, strict=True)]


def _factors(polynomial: Polynomial) -> list[Polynomial]:
    """Return the variables that divide all terms, each as often as it does, and the rest: there less cancels."""
    monomials = [dict(monomial) for monomial in polynomial.terms]
    common = {n: e for n in polynomial.variables if (e := min(m.get(n, 0) for m in monomials))}
    rest = {
        tuple((n, e - common.get(n, 0)) for n, e in monomial if e > common.get(n, 0)): coefficient
        for monomial, coefficient in polynomial
    }
    return [*(Polynomial({((n, 1),): 1}) for n, e in common.items() for _ in range(e)), Polynomial(rest)]


def _sign(value: flint.arb) -> int | None:
    return 1 if value > 0 else -1 if value < 0 else 0 if value == 0 else None


def _product(signs: list[int | None]) -> int | None:
    """Return the product of signs; None is not known."""
    known = [sign for sign in signs if sign is not None]
    return 0 if 0 in known else math.prod(known) if len(known) == len(signs) else None


def _merged(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces with neighbours of one sign as one."""
    result = [pieces[0]]
    for piece in pieces[1:]:
        last = result[-1]
        if piece.sign == last.sign:
            result[-1] = Piece(last.low, piece.high, piece.sign)
        else:
            result.append(piece)
    return result
