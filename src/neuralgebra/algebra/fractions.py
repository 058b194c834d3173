"""Products of sigmoids, and of tanhs, with parallel arguments as sums of the two: partial fractions.

With w = z - δ::

    σ(z) σ(w) = σ(z) / (1 - e^δ) + σ(w) / (1 - e⁻ᵟ)        tanh z tanh w = 1 - (tanh z - tanh w) / tanh δ

Where the second one is σ(-w) = 1 - σ(w) or tanh(-w) = -tanh w, so is its product.
"""

from __future__ import annotations

import flint

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import exactly

__all__ = ["DIGITS", "Fraction", "fraction"]

Fraction = tuple[flint.fmpq, flint.fmpq, flint.fmpq]
"""d, c and e of a product d + c σ(z) + e σ(w)."""

_LEAST = flint.fmpq(1, 100)  # with a smaller δ the terms are large and cancel each other
_BITS = 300
DIGITS = 1e-80
"""What the sum of a product is off by, at most: numbers are rounded to more digits."""


def fraction(name: str, difference: flint.fmpq, sign: int) -> Fraction | None:
    """Return the product of two neurons with parallel arguments as a sum of both.

    Parameters
    ----------
    name : str
        "sigmoid" or "tanh"; of any other function there is no such sum.
    difference : rational
        δ = z - sign·w.
    sign : {1, -1}
        Whether the arguments are parallel or opposite.

    Returns
    -------
    tuple of three rationals or None
        d, c and e with σ(z) σ(w) = d + c σ(z) + e σ(w); None where δ is close to 0.

    Examples
    --------
    >>> d, c, e = fraction("tanh", flint.fmpq(1), 1)
    >>> d, round(float(c.p) / float(c.q), 3), round(float(e.p) / float(e.q), 3)
    (1, -1.313, 1.313)
    """
    if name not in ("sigmoid", "tanh") or abs(difference) < _LEAST:
        return None
    k = Balls(_BITS)
    one = flint.fmpq(1)
    with k.precision():
        delta = flint.arb(difference)
        if name == "tanh":
            slope = exactly((1 / delta.tanh()).mid())
            return (one, -slope, slope) if sign > 0 else (-one, slope, slope)
        c, e = (exactly((1 / (1 - x.exp())).mid()) for x in (delta, -delta))
        return (flint.fmpq(0), c, e) if sign > 0 else (-e, one - c, e)
