"""Cells of products and squares, in smooth activations by gates and in relu by sawtooth functions.

In relu the square is interpolated at j/p: x² = I(x) - (t - t²)/p² with t in [0, 1], which makes p teeth while x
goes from 0 to 1, then t² in the same way, and so on. With q_k = 1 / (p₁ ⋯ p_k)² and t₀ = x

    S = I₁(x) + Σ_{k>1} q_{k-1} (I_k(t_{k-1}) - t_{k-1})

is too large by q_m (t_m - t_m²) ≤ q_m / 4, and by nothing else. Where all p are 2 it is x - Σ 4⁻ᵏ t_k: Yarotsky,
"Error bounds for approximations with deep ReLU networks" (2017); one layer is the piecewise linear interpolation.
The two squares of a product are both too large, so its error is no larger; they share the neuron that hands the sum on.
The first layer takes the absolute values too.
"""

from __future__ import annotations

import functools
import heapq
import itertools
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

__all__ = ["by_gate", "by_knots", "by_relation", "folds", "product_by_gate", "sawtooth", "shrunk"]

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
    forms: Sequence[Sequence[Any]],
    signs: Sequence[int],
    scale: flint.fmpq,
    teeth: Sequence[int],
    gains: Sequence[float],
) -> Cell:
    """Return the cell of scale · Σ ±s² for linear forms s in [-1, 1], in relu.

    The values between the steps are the teeth t_k of each s, and Σ ±S_k.

    Parameters
    ----------
    forms : sequence of sequence of rational
        For each s its factors of the arguments.
    signs : sequence of {1, -1}
        Whether its square is added or subtracted; of each sign at most one.
    scale : rational
        The factor of the sum.
    teeth : sequence of int
        p₁, …, p_m, one for each hidden layer.
    gains : sequence of float
        How fast the result changes with each argument, at most.

    Returns
    -------
    Cell
        Its error is at most scale / (4 p₁² ⋯ p_m²), half of it for a single square, which is moved by that much.
    """
    parts = [flint.fmpq(1)]
    for p in teeth:
        parts.append(parts[-1] / p**2)
    steps = [_first(forms, signs, teeth[0])]
    steps += [_next(signs, p, part) for p, part in zip(teeth[1:], parts[1:-1], strict=True)]
    end, error = steps[-1].reading, scale * parts[-1] / 4
    if len(signs) == 1:
        error = error / 2
    shift = error * signs[0] if len(signs) == 1 else flint.fmpq(0)
    last = Map(end.weight[:, -1:] * scale, end.bias[-1:] * scale - shift)
    steps[-1] = replace(steps[-1], reading=last, gain=steps[-1].gain[-1:] * above(scale))
    return Cell(tuple(steps), np.array([above(error)]), np.array([gains]))


def _first(forms: Sequence[Sequence[Any]], signs: Sequence[int], p: int) -> Step:
    """Return relu(±s - j/p), and the teeth of |s| and Σ ± its interpolated square as read from them."""
    weight, one = np.array(forms, dtype=object).T, _identity(len(signs))
    layer = Map(np.concatenate([weight, -weight] * p, axis=1), _starts(2 * len(signs), p))
    both = np.concatenate([one, one])
    tooth = np.concatenate([both * c for c in _zigzag(p)])
    total = np.concatenate([both * c for c in _chords(p)]) @ rationals(signs)[:, None]
    return Step(layer, _reading(tooth, total, 0), *_ends(signs), np.zeros((len(signs) + 1, len(weight))))


def _next(signs: Sequence[int], p: int, part: flint.fmpq) -> Step:
    """Return relu(t - j/p) for each tooth, and the sum + 1, and the next teeth and sum as read from them."""
    count, one, whole = len(signs), _identity(len(signs)), _identity(len(signs) + 1)
    layer = Map(
        np.concatenate([whole[:, :count]] * p + [whole[:, count:]], axis=1),
        np.concatenate([_starts(count, p), rationals([1])]),
    )
    tooth = np.concatenate([*(one * c for c in _zigzag(p)), 0 * one[:1]])
    more = _chords(p)
    more[0] = more[0] - 1
    total = np.concatenate([*(one * c for c in more), 0 * one[:1]]) @ rationals(signs)[:, None] * part
    total[-1, 0] = flint.fmpq(1)
    gain = np.diag([float(p)] * count + [1.0])
    gain[-1, :count] = above(part)
    return Step(layer, _reading(tooth, total, -1), *_ends(signs), gain)


def _starts(size: int, p: int) -> np.ndarray:
    """Return -j/p, j < p, each for a number of neurons."""
    return np.repeat(rationals([flint.fmpq(-j, p) for j in range(p)]), size)


def _zigzag(p: int) -> list[flint.fmpq]:
    """Return the factors of relu(x - j/p) of which p teeth are made, of height 1."""
    return [flint.fmpq(p), *(flint.fmpq(2 * p * (-1) ** j) for j in range(1, p))]


def _chords(p: int) -> list[flint.fmpq]:
    """Return the factors of relu(x - j/p) of which the function that is x² at j/p is made."""
    return [flint.fmpq(1, p), *[flint.fmpq(2, p)] * (p - 1)]


@functools.lru_cache(maxsize=1024)
def folds(pieces: float, squares: int, objective: str) -> tuple[int, ...]:
    """Return the teeth of the smallest sawtooth with enough pieces.

    Parameters
    ----------
    pieces : float
        What their product must reach.
    squares : int
        The number of squares.
    objective : {"parameters", "neurons", "depth"}
        What is to be small; where it is equal, the others.

    Returns
    -------
    tuple of int
        p₁, …, p_m.

    Examples
    --------
    >>> folds(5.0, 2, "parameters"), folds(5.0, 2, "neurons")
    ((5,), (2, 3))
    """
    order = _OBJECTIVES[objective]

    def costs(teeth: tuple[int, ...]) -> list[int]:
        return [_measures(teeth, squares)[i] for i in order]

    # The best teeth for each product that ends in a given number; larger products come later.
    best: dict[tuple[int, int], tuple[int, ...]] = {(p, p): (p,) for p in _TEETH}
    waiting = list(best)
    ended: list[tuple[int, ...]] = [(max(2, math.ceil(pieces)),)]
    while waiting:
        teeth = best[key := heapq.heappop(waiting)]
        if key[0] >= pieces:
            ended.append(teeth)
            continue
        for p in _TEETH:
            new, longer = (key[0] * p, p), (*teeth, p)
            if new not in best:
                heapq.heappush(waiting, new)
            if new not in best or costs(longer) < costs(best[new]):
                best[new] = longer
    return min(ended, key=costs)


_OBJECTIVES = {"parameters": (0, 1, 2), "neurons": (1, 0, 2), "depth": (2, 1, 0)}
_TEETH = range(2, 7)


def _measures(teeth: Sequence[int], squares: int) -> tuple[int, int, int]:
    """Return parameters, neurons and hidden layers of a sawtooth."""
    widths = [2 * squares * teeth[0], *(squares * p + 1 for p in teeth[1:])]
    parameters = sum((a + 1) * b for a, b in itertools.pairwise([squares, *widths, 1]))
    return parameters, sum(widths), len(teeth)


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
