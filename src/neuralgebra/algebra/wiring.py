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

from neuralgebra.algebra.cells import Cell, Map, Step, finite, rationals, single
from neuralgebra.algebra.gate import Gate
from neuralgebra.algebra.quadratic import Quadratic
from neuralgebra.algebra.relations import Relation
from neuralgebra.algebra.univariate import Knots
from neuralgebra.arithmetic.rationals import Rationals, above, below

__all__ = ["by_gate", "by_knots", "by_relation", "folds", "sawtooth"]

_K = Rationals()


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
    return single(layer, reading, above(_K.scalar(finite(gate.error.largest, gate.function)) * scale), [gain])


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


# Sawtooth ---------------------------------------------------------------------------------------------------------


def sawtooth(of: Quadratic, teeth: Sequence[int]) -> Cell:
    """Return the cell of a product or a square, in relu.

    The values between the steps are the teeth t_k of each form s that is squared, and Σ ±S_k, with what is linear.

    Parameters
    ----------
    of : Quadratic
        The function.
    teeth : sequence of int
        p₁, …, p_m, one for each hidden layer.

    Returns
    -------
    Cell
        Its error is at most scale / (4 p₁² ⋯ p_m²), half of it for a single square, which is moved by that much.
    """
    parts = [flint.fmpq(1)]
    for p in teeth:
        parts.append(parts[-1] / p**2)
    signs = (1, -1)[: len(of.squares)]
    sums = _sums(of, signs)
    steps = [_first(of, signs, teeth[0], sums)]
    steps += [_next(signs, p, part, sums) for p, part in zip(teeth[1:], parts[1:-1], strict=True)]
    end, error = steps[-1].reading, of.scale * parts[-1] / 4
    constant = of.constant * of.scale
    if len(signs) == 1:
        error = error / 2
        constant -= error
    last = Map(end.weight[:, -1:] * of.scale, end.bias[-1:] * of.scale + constant)
    steps[-1] = replace(steps[-1], reading=last, gain=steps[-1].gain[-1:] * above(of.scale))
    return Cell(tuple(steps), np.array([above(error)]), np.array([of.gains]))


def _sums(of: Quadratic, signs: Sequence[int]) -> tuple[flint.fmpq, flint.fmpq]:
    """Return ends of Σ ±S_k with what is linear."""
    swing = sum((abs(a) for a in of.linear), flint.fmpq(0))
    return -swing - (-1 in signs), swing + (1 in signs)


def _first(of: Quadratic, signs: Sequence[int], p: int, sums: tuple[flint.fmpq, flint.fmpq]) -> Step:
    """Return relu(±s - j/p), and the teeth of |s| and the sum as read from them."""
    forms, one = of.forms(of.squares), _identity(len(signs))
    layer = Map(
        np.concatenate([forms.weight, -forms.weight] * p, axis=1),
        np.tile(np.concatenate([forms.bias, -forms.bias]), p) + _starts(2 * len(signs), p),
    )
    both = np.concatenate([one, one])
    tooth = np.concatenate([both * c for c in _zigzag(p)])
    total = np.concatenate([both * c for c in _chords(p)]) @ rationals(signs)[:, None]
    total[: 2 * len(signs), 0] += np.concatenate([of.slopes, -of.slopes])
    return Step(layer, _reading(tooth, total, 0), *_ends(signs, sums), np.zeros((len(signs) + 1, len(forms.weight))))


def _next(signs: Sequence[int], p: int, part: flint.fmpq, sums: tuple[flint.fmpq, flint.fmpq]) -> Step:
    """Return relu(t - j/p) for each tooth, and the sum + what it is above 0 by, and the next teeth and sum."""
    count, one, whole = len(signs), _identity(len(signs)), _identity(len(signs) + 1)
    layer = Map(
        np.concatenate([whole[:, :count]] * p + [whole[:, count:]], axis=1),
        np.concatenate([_starts(count, p), rationals([-sums[0]])]),
    )
    tooth = np.concatenate([*(one * c for c in _zigzag(p)), 0 * one[:1]])
    more = _chords(p)
    more[0] = more[0] - 1
    total = np.concatenate([*(one * c for c in more), 0 * one[:1]]) @ rationals(signs)[:, None] * part
    total[-1, 0] = flint.fmpq(1)
    gain = np.diag([float(p)] * count + [1.0])
    gain[-1, :count] = above(part)
    return Step(layer, _reading(tooth, total, sums[0]), *_ends(signs, sums), gain)


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


def _reading(tooth: np.ndarray, total: np.ndarray, constant: Any) -> Map:
    return Map(np.concatenate([tooth, total], axis=1), rationals([0] * tooth.shape[1] + [constant]))


def _ends(signs: Sequence[int], sums: tuple[flint.fmpq, flint.fmpq]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of teeth and sum."""
    return np.array([0.0] * len(signs) + [below(sums[0])]), np.array([1.0] * len(signs) + [above(sums[1])])


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
