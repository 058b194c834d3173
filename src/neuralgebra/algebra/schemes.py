"""Products and squares of values in [-1, 1] by the neurons of one gate, applied to several forms of them.

==========================  =========================================================================
s(t)                        u′ v′ is
==========================  =========================================================================
t²                          s((u′ + v′)/2) - s((u′ - v′)/2); the constant of s cancels
2 t² + a t, with any a      s((u′ + v′)/2) - s(u′/2) - s(v′/2); what is linear cancels
==========================  =========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralgebra.algebra.cells import Cell, Map, finite, rationals, single
from neuralgebra.algebra.gate import Gate, product_error
from neuralgebra.algebra.quadratic import Quadratic
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.rationals import Rationals, above, nearest
from neuralgebra.functions.activation import Activation

__all__ = ["Scheme", "by_scheme", "of_squares", "roundings"]

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


def by_scheme(of: Quadratic, scheme: Scheme, straight: Cell | None = None) -> Cell:
    """Return the cell of a product or a square.

    Parameters
    ----------
    of : Quadratic
        The function.
    scheme : Scheme
        The neurons of what is quadratic.
    straight : Cell, optional
        Neurons of the identity on [-1, 1], for what is linear; needed where that is not 0.
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
    cell = single(layer, reading, above(_K.scalar(finite(scheme.error, scheme.gate.function)) * of.scale), of.gains)
    return cell if straight is None else _with_linear(cell, of, straight)


def _with_linear(cell: Cell, of: Quadratic, straight: Cell) -> Cell:
    """Return the sum of a cell and what is linear."""
    size = sum(abs(a) for a in of.linear)
    line, scale = of.forms([of.linear / size]), size * of.scale
    (one,), (other,) = cell.steps, straight.steps
    form = other.layer(np.concatenate([line.bias[None], line.weight]))
    layer = Map(np.concatenate([one.layer.weight, form[1:]], axis=1), np.concatenate([one.layer.bias, form[0]]))
    reading = Map(
        np.concatenate([one.reading.weight, other.reading.weight * scale]),
        one.reading.bias + other.reading.bias * scale,
    )
    error = _K.scalar(float(cell.error[0])) + _K.scalar(float(straight.error[0])) * scale
    return single(layer, reading, above(error), of.gains)


def roundings(function: Activation, cell: Cell, ranges: Sequence[tuple[float, float]]) -> float:
    """Return about what an execution of a cell of one layer multiplies roundings by, Σ |c| (|σ| + |σ'| Σ |w v|).

    Parameters
    ----------
    function : Activation
        σ.
    cell : Cell
        The cell.
    ranges : sequence of (float, float)
        Of the values that it is applied to.
    """
    (step,), (low, high) = cell.steps, np.array(ranges).T
    weight, bias, outer = (_floats(a) for a in (step.layer.weight, step.layer.bias, step.reading.weight))
    middle, reach = (low + high) / 2 @ weight + bias, (high - low) / 2 @ abs(weight)
    z = np.array([middle - reach, middle, middle + reach])
    value, slope = (abs(function.derivative(Arrays(z), z, order)).max(axis=0) for order in (0, 1))
    terms = np.maximum(abs(low), abs(high)) @ abs(weight) + abs(bias)
    return float((value + slope * terms) @ abs(outer[:, 0]))


def _floats(values: np.ndarray) -> np.ndarray:
    return np.array([nearest(v) for v in values.flat]).reshape(values.shape)
