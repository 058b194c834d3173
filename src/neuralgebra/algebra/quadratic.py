"""Products and squares of values in ranges: scaled to [-1, 1], with what is linear in them apart.

With u = m + u′/α and v = n + v′/β, where u′ and v′ are in [-1, 1],

    u v = (u′ v′ + n β u′ + m α v′ + m n α β) / (α β)        u² = (u′² + 2 m α u′ + m² α²) / α²

so that errors of a gate for u′ v′ are multiplied by the widths of the ranges, and not by how far they are from 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.cells import Map, rationals
from neuralgebra.arithmetic.rationals import Rationals

__all__ = ["Quadratic", "quadratic", "shrunk"]

_K = Rationals()
_BITS = 8  # of centres behind the first of the radius


@dataclass(frozen=True)
class Quadratic:
    """scale · (u′ v′ + Σ linear · (u′, v′) + constant) of two values, or scale · (u′² + linear u′ + constant) of one.

    Parameters
    ----------
    units : Map
        From the values to u′ and v′ in [-1, 1].
    linear : ndarray of rational
        The factors of u′ and v′.
    constant, scale : rational
        The numbers.
    gains : sequence of float
        How fast the result changes with each value, at most.
    """

    units: Map
    linear: np.ndarray
    constant: Any
    scale: Any
    gains: Sequence[float]

    def forms(self, weights: Sequence[Sequence[float]]) -> Map:
        """Return affine forms of the values, given by their factors of u′ and v′."""
        factors = np.array([rationals(row) for row in weights], dtype=object).T
        return Map(_K.product(self.units.weight, factors), _K.product(self.units.bias[None], factors)[0])

    @property
    def squares(self) -> tuple[tuple[float, ...], ...]:
        """The factors of u′ and v′ in the forms whose squares, of alternating signs, add up to u′ v′ or u′²."""
        return ((1.0,),) if self.units.size == 1 else ((0.5, 0.5), (0.5, -0.5))

    @property
    def slopes(self) -> np.ndarray:
        """The factors of these forms in what is linear."""
        signs = np.array([[1, 1], [1, -1]]) if self.units.size == 2 else np.array([[1]])
        return np.asarray(self.linear @ rationals(signs.flat).reshape(signs.shape))


def quadratic(ranges: Sequence[tuple[float, float]], centred: bool = True) -> Quadratic:
    """Return the product of two values in given ranges, or the square of one.

    Parameters
    ----------
    ranges : sequence of (float, float)
        Ends of one or two values.
    centred : bool
        Whether each is taken from the middle of its range, or from 0.

    Returns
    -------
    Quadratic
        The same function.
    """
    middles, factors = zip(*(_unit(low, high, centred) for low, high in ranges), strict=True)
    sizes = [max(abs(low), abs(high)) for low, high in ranges]
    m, a = rationals(middles), rationals(factors)
    weight = _K.zeros((len(a), len(a)))
    np.fill_diagonal(weight, a)
    crossed = (m * a)[::-1] if len(a) == 2 else 2 * m * a
    constant, scale = m[0] * a[0] * m[-1] * a[-1], 1 / (a[0] * a[-1])
    gains = sizes[::-1] if len(sizes) == 2 else [2 * sizes[0]]
    return Quadratic(Map(weight, -m * a), crossed, constant, scale, gains)


def _unit(low: float, high: float, centred: bool) -> tuple[float, flint.fmpq]:
    """Return m and α with |α (v - m)| < 1, both short numbers."""
    radius = (high - low) / 2
    step = math.ldexp(1.0, math.frexp(radius)[1] - _BITS) if radius else 1.0
    middle = round((low + high) / 2 / step) * step if centred else 0.0
    return middle, shrunk(max(high - middle, middle - low))


def shrunk(size: float) -> flint.fmpq:
    """Return a number α of 9 bits with α·size < 1, by which arguments up to a size are brought into [-1, 1]."""
    if size == 0:
        return flint.fmpq(1)
    mantissa, exponent = math.frexp(size * (1 + 2.0**-12))
    return _K.scalar(math.ldexp(math.floor(256 / mantissa) / 256, -exponent))
