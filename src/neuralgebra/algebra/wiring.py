"""Cells of products and squares, in smooth activations by gates and in relu by sawtooth functions.

In relu the square of x in [0, 1] is x - Σ_{k≤m} 4⁻ᵏ Tᵏ(x), with the sawtooth T(x) = 2 relu(x) - 4 relu(x - ½): it is
too large by 4⁻ᵐ (g - g²) ≤ 4⁻⁽ᵐ⁺¹⁾, g = Tᵐ(x) in [0, 1], and nothing else: Yarotsky, "Error bounds for approximations
with deep ReLU networks" (2017). The two squares of a product are both too large, so its error is no larger; they share
the neuron that hands the sum on. The first layer takes the absolute values too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.cells import Cell, Map, Step, rationals, single
from neuralgebra.algebra.gate import Gate, product_error
from neuralgebra.algebra.relations import Relation
from neuralgebra.algebra.univariate import Knots
from neuralgebra.arithmetic.rationals import Rationals, above

__all__ = ["by_gate", "by_knots", "by_relation", "product_by_gate", "sawtooth", "shrunk"]

_K = Rationals()
HALF = flint.fmpq(1, 2)


def shrunk(size: float) -> flint.fmpq:
    """Return a number α of 9 bits with α·size < 1, by which arguments up to a size are brought into [-1, 1]."""
    if size == 0:
        return flint.fmpq(1)
    mantissa, exponent = math.frexp(size * (1 + 2.0**-12))
    return _K.scalar(math.ldexp(math.floor(256 / mantissa) / 256, -exponent))


def by_gate(gate: Gate, middle: float, radius: Any, scale: Any, gain: float) -> Cell:
    """Return the cell of scale · φ((v - middle) / radius), by a gate for φ on [-1, 1].

    Parameters
    ----------
    gate : Gate
        Neurons for φ.
    middle : float
        The middle of the range of v.
    radius : rational
        No less than half of its width.
    scale : rational
        By what the function is multiplied.
    gain : float
        How fast the result changes, at most.
    """
    factor = rationals(gate.factor) / _K.scalar(radius)
    layer = Map(factor[None, :], rationals(gate.bias) - factor * _K.scalar(middle))
    reading = Map(rationals(gate.coefficient)[:, None] * scale, rationals([gate.constant]) * scale)
    return single(layer, reading, above(_K.scalar(gate.error.largest) * scale), [gain])


def by_knots(found: Knots, middle: float, radius: Any, gain: float) -> Cell:
    """Return the cell of φ((v - middle) / radius), by a piecewise linear function in relu.

    Parameters
    ----------
    found : Knots
        The piecewise linear function.
    middle : float
        The middle of the range of v.
    radius : rational
        No less than half of its width.
    gain : float
        How fast the result changes, at most.
    """
    factor = 1 / _K.scalar(radius)
    size = len(found.knots)
    layer = Map(np.array([[factor] * size], dtype=object), -rationals(found.knots) - factor * _K.scalar(middle))
    reading = Map(rationals(found.changes)[:, None], rationals([found.constant]))
    return single(layer, reading, found.error, [gain])


def product_by_gate(gate: Gate, scales: tuple[flint.fmpq, flint.fmpq], gains: tuple[float, float]) -> Cell:
    """Return the cell of u·v for |α u| ≤ 1 and |β v| ≤ 1, by a gate for t².

    Parameters
    ----------
    gate : Gate
        Neurons for t².
    scales : tuple of rational
        α and β.
    gains : tuple of float
        What |v| and |u| do not exceed.
    """
    scale = 1 / (scales[0] * scales[1])
    factors = rationals(gate.factor)[None, :] * HALF
    both = [np.concatenate([factors * scales[0], sign * factors * scales[1]]) for sign in (1, -1)]
    layer = Map(np.concatenate(both, axis=1), rationals(gate.bias * 2))
    coefficients = rationals(gate.coefficient)[:, None] * scale
    reading = Map(np.concatenate([coefficients, -coefficients]), rationals([0]))
    return single(layer, reading, above(_K.scalar(product_error(gate.error)) * scale), gains)


# Sawtooth ---------------------------------------------------------------------------------------------------------


def sawtooth(
    forms: Sequence[Sequence[Any]], signs: Sequence[int], scale: flint.fmpq, depth: int, gains: Sequence[float]
) -> Cell:
    """Return the cell of scale · Σ ±s² for linear forms s in [-1, 1], in relu.

    The values between the steps are Tʲ(|s|) for each s, and Σ ±(|s| - Σ_{k≤j} 4⁻ᵏ Tᵏ(|s|)).

    Parameters
    ----------
    forms : sequence of sequence of rational
        For each s its factors of the arguments.
    signs : sequence of {1, -1}
        Whether its square is added or subtracted; of each sign at most one.
    scale : rational
        The factor of the sum.
    depth : int
        m, the number of hidden layers.
    gains : sequence of float
        How fast the result changes with each argument, at most.

    Returns
    -------
    Cell
        Its error is at most 4⁻⁽ᵐ⁺¹⁾ scale.
    """
    steps = [_first(forms, signs)] + [_next(signs, level) for level in range(2, depth + 1)]
    end = steps[-1].reading
    last = Map(end.weight[:, -1:] * scale, end.bias[-1:] * scale)
    steps[-1] = replace(steps[-1], reading=last, gain=steps[-1].gain[-1:] * above(scale))
    error = above(scale / flint.fmpq(4) ** (depth + 1))
    return Cell(tuple(steps), np.array([error]), np.array([gains]))


def _first(forms: Sequence[Sequence[Any]], signs: Sequence[int]) -> Step:
    """Return relu(±s) and relu(±s - ½), and T(|s|) and Σ ±(|s| - T/4) as read from them."""
    weight = np.array(forms, dtype=object).T
    layer = Map(
        np.concatenate([weight, -weight, weight, -weight], axis=1),
        rationals([0] * 2 * len(signs) + [-HALF] * 2 * len(signs)),
    )
    one, sign = _identity(len(signs)), rationals(signs)[:, None]
    tooth = np.concatenate([2 * one, 2 * one, -4 * one, -4 * one])
    total = (np.concatenate([one, one, 0 * one, 0 * one]) - tooth / flint.fmpq(4)) @ sign
    return Step(layer, _reading(tooth, total, 0), *_ends(signs), np.zeros((len(signs) + 1, len(weight))))


def _next(signs: Sequence[int], level: int) -> Step:
    """Return relu(g) and relu(g - ½) for each g, and the sum + 1, and the next teeth and sum as read from them."""
    count, one = len(signs), _identity(len(signs))
    whole = _identity(count + 1)
    layer = Map(
        np.concatenate([whole[:, :count], whole[:, :count], whole[:, count:]], axis=1),
        rationals([0] * count + [-HALF] * count + [1]),
    )
    tooth = np.concatenate([2 * one, -4 * one, 0 * one[:1]])
    total = -(tooth @ rationals(signs)[:, None]) / flint.fmpq(4) ** level
    total[-1, 0] = flint.fmpq(1)
    gain = np.diag([2.0] * count + [1.0])
    gain[-1, :count] = 2 * 4.0**-level
    return Step(layer, _reading(tooth, total, -1), *_ends(signs), gain)


def _identity(size: int) -> np.ndarray:
    return np.array([rationals([int(i == j) for j in range(size)]) for i in range(size)], dtype=object)


def _reading(tooth: np.ndarray, total: np.ndarray, constant: int) -> Map:
    return Map(np.concatenate([tooth, total], axis=1), rationals([0] * tooth.shape[1] + [constant]))


def _ends(signs: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of teeth and sum."""
    low = float(-(-1 in signs))
    return np.array([0.0] * len(signs) + [low]), np.array([1.0] * len(signs) + [float(1 in signs)])


def by_relation(cell: Cell, relation: Relation) -> Cell:
    """Return a cell of one activation as a cell of another, of which each neuron is an exact sum.

    Parameters
    ----------
    cell : Cell
        Of φ.
    relation : Relation
        φ(z) = d + Σ c σ(a z + b).
    """
    return replace(cell, steps=tuple(_replaced(step, relation) for step in cell.steps))


def _replaced(step: Step, relation: Relation) -> Step:
    terms = [rationals(term) for term in relation.terms]
    layer = Map(
        np.concatenate([step.layer.weight * a for a, _, _ in terms], axis=1),
        np.concatenate([step.layer.bias * a + b for a, b, _ in terms]),
    )
    weight, constant = step.reading.weight, rationals([relation.constant])[0]
    reading = Map(np.concatenate([weight * c for _, _, c in terms]), step.reading.bias + weight.sum(axis=0) * constant)
    return replace(step, layer=layer, reading=reading)
