"""Products and squares of values in [-1, 1] by the neurons of one gate, applied to several forms of them.

==========================  =========================================================================
s(t)                        u′ v′ is
==========================  =========================================================================
t²                          s((u′ + v′)/2) - s((u′ - v′)/2); the constant of s cancels
2 t² + a t, with any a      s((u′ + v′)/2) - s(u′/2) - s(v′/2); what is linear cancels
==========================  =========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuralgebra.algebra.cells import Cell, Map, rationals, single
from neuralgebra.algebra.gate import Gate, product_error
from neuralgebra.algebra.quadratic import Quadratic
from neuralgebra.arithmetic.rationals import Rationals, above

__all__ = ["Scheme", "by_scheme", "of_squares"]

_K = Rationals()


@dataclass(frozen=True)
class Scheme:
    """Σ ±s(form) + constant, nearly u′ v′ or u′².

    Parameters
    ----------
    gate : Gate
        s.
    forms : tuple of tuple of float
        The factors of u′ and v′ in each form.
    signs : tuple of {1, -1}
        The sign of each s.
    constant : float
        The number.
    error : float
        What the distance does not exceed.
    """

    gate: Gate
    forms: tuple[tuple[float, ...], ...]
    signs: tuple[int, ...]
    constant: float
    error: float


def of_squares(gate: Gate, of: Quadratic) -> Scheme:
    """Return the product or the square by a gate for t².

    Parameters
    ----------
    gate : Gate
        Neurons for t².
    of : Quadratic
        Whether it is one value or two.
    """
    if len(of.squares) == 1:
        return Scheme(gate, of.squares, (1,), gate.constant, gate.error.largest)
    return Scheme(gate, of.squares, (1, -1), 0.0, product_error(gate.error))


def by_scheme(of: Quadratic, scheme: Scheme) -> Cell:
    """Return the cell of a product or a square.

    Parameters
    ----------
    of : Quadratic
        The function.
    scheme : Scheme
        The neurons.
    """
    forms, factors, biases = of.forms(scheme.forms), rationals(scheme.gate.factor), rationals(scheme.gate.bias)
    weight = [column[:, None] * factors for column in forms.weight.T]
    bias = [shift * factors + biases for shift in forms.bias]
    coefficients = rationals(scheme.gate.coefficient)[:, None] * of.scale
    reading = Map(
        np.concatenate([sign * coefficients for sign in scheme.signs]),
        rationals([(_K.scalar(scheme.constant) + of.constant) * of.scale]),
    )
    layer = Map(np.concatenate(weight, axis=1), np.concatenate(bias))
    return single(layer, reading, above(_K.scalar(scheme.error) * of.scale), of.gains)
