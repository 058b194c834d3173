"""Bounds of smooth functions at doubles by tables of Taylor polynomials, whose coefficients come from balls.

The line is cut into cells of length 1/16 around multiples of it, from which the argument differs by r, |r| ≤ 1/32,
without rounding. There is ``f = Σ_{k≤d} c_k r^k + c_{d+1}(ξ) r^{d+1}``. By Horner's rule in doubles the sum is off by
at most Σ γ_{2k+1} |c_k||r|^k (Higham, "Accuracy and stability of numerical algorithms", 2002, section 5.1), the rounded
coefficients add u Σ |c_k||r|^k, and the last term is bounded by balls on the whole cell. All of this is at most
A + B|r| with two numbers of each cell, and a function that vanishes at 0 keeps its relative accuracy there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import flint
import numpy as np

from neuralgebra.arithmetic.directed import Ends, above, below

__all__ = ["Table"]

_CELLS = 16  # in a unit
_HALF = 1 / 32
_UNIT = 2.0**-53
_UNDERFLOW = 1e-320  # more than 2d times the least double
_BITS = 128


@dataclass(frozen=True)
class Table:
    """Taylor polynomials of a function on an interval.

    Parameters
    ----------
    function : callable
        From power series of balls to power series of balls.
    low, high : float
        Ends of the interval, multiples of 1/16.
    degree : int
        d.
    """

    function: Callable[[flint.arb_series], flint.arb_series]
    low: float
    high: float
    degree: int

    def __call__(self, x: np.ndarray) -> Ends:
        """Return bounds of the values at points of the interval."""
        coefficients, constant, slope = self._numbers
        place = np.rint(x * _CELLS)
        r = x - place / _CELLS
        cell = (place - self.low * _CELLS).astype(np.intp)
        value = np.take(coefficients[-1], cell)
        for row in coefficients[-2::-1]:
            value *= r
            value += np.take(row, cell)
        error = np.take(constant, cell) + np.abs(r) * np.take(slope, cell)
        return below(value - error), above(value + error)

    @cached_property
    def _numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coefficients, by degree and cell, and the bounds A and B of the errors in each cell."""
        places = range(round(self.low * _CELLS), round(self.high * _CELLS) + 1)
        cap, flint.ctx.cap = flint.ctx.cap, self.degree + 2
        try:
            with flint.ctx.workprec(_BITS):
                cells = [self._cell(flint.arb(place) / _CELLS) for place in places]
        finally:
            flint.ctx.cap = cap
        coefficients, constant, slope = zip(*cells, strict=True)
        return np.ascontiguousarray(np.array(coefficients).T), np.array(constant), np.array(slope)

    def _cell(self, centre: flint.arb) -> tuple[list[float], float, float]:
        exact = self._series(centre)[:-1]
        rest = abs(self._series(centre + flint.arb(0, _HALF))[-1]) * flint.arb(_HALF) ** self.degree
        first, *others = (abs(c) * ((2 * k + 3) * _UNIT) + c.rad() for k, c in enumerate(exact))
        slope = rest + sum((error * flint.arb(_HALF) ** k for k, error in enumerate(others)), flint.arb(0))
        constant = 0.0 if exact[0] == 0 else _up(first) + _UNDERFLOW
        return [float(c.mid()) for c in exact], constant, _up(slope)

    def _series(self, centre: flint.arb) -> list[flint.arb]:
        found = list(self.function(flint.arb_series([centre, 1], self.degree + 2)))
        return found + [flint.arb(0)] * (self.degree + 2 - len(found))


def _up(bound: flint.arb) -> float:
    return float(bound.upper()) * (1 + 1e-9)
