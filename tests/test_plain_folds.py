"""Sawtooth functions with any number of teeth in each layer: exact in rationals, and the smallest known."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.algebra.cells import Cell
from neuralgebra.algebra.quadratic import Quadratic, quadratic
from neuralgebra.algebra.wiring import folds, sawtooth
from neuralgebra.errors import UsageError

X, Y = na.Network.identity(2)


def evaluated(cell: Cell, arguments: list[Fraction]) -> Fraction:
    """The result of a cell in relu, in rationals."""
    values = arguments
    for step in cell.steps:
        z = [
            sum((v * frac(w) for v, w in zip(values, column, strict=True)), frac(b))
            for column, b in zip(step.layer.weight.T, step.layer.bias, strict=True)
        ]
        a = [max(v, Fraction(0)) for v in z]
        values = [
            sum((v * frac(w) for v, w in zip(a, column, strict=True)), frac(b))
            for column, b in zip(step.reading.weight.T, step.reading.bias, strict=True)
        ]
    return values[0]


def frac(value: flint.fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


TEETH = st.lists(st.integers(1, 5), min_size=1, max_size=5).filter(lambda t: math.prod(t) > 1)
UNIT = st.fractions(-1, 1)


RANGES = st.tuples(st.floats(-9, 9, width=16), st.floats(0.125, 8, width=16)).map(lambda p: (p[0], p[0] + p[1]))


def inside(ends: tuple[float, float], t: Fraction) -> Fraction:
    """The value in a range that t in [-1, 1] stands for."""
    low, high = map(Fraction, ends)
    return (low + high) / 2 + (high - low) / 2 * t


def units(of: Quadratic, arguments: list[Fraction]) -> list[Fraction]:
    """The values as numbers in [-1, 1]."""
    found = [frac(of.units.weight[i, i]) * v + frac(of.units.bias[i]) for i, v in enumerate(arguments)]
    assert all(abs(v) <= 1 for v in found)
    return found


@given(TEETH, RANGES, RANGES, UNIT, UNIT, st.booleans())
def test_the_error_of_a_product_is_what_the_last_teeth_leave(
    teeth: list[int], first: tuple[float, float], second: tuple[float, float], s: Fraction, t: Fraction, centred: bool
) -> None:
    of = quadratic([first, second], centred)
    cell, u, v = sawtooth(of, teeth), inside(first, s), inside(second, t)
    a, b = units(of, [u, v])
    left = [tooth(abs(s), teeth) for s in ((a + b) / 2, (a - b) / 2)]
    plus, minus = ((g - g * g) / math.prod(teeth) ** 2 for g in left)
    assert evaluated(cell, [u, v]) - u * v == frac(of.scale) * (plus - minus)
    assert abs(frac(of.scale) * (plus - minus)) <= Fraction(cell.error[0])
    if centred:
        assert frac(of.scale) <= Fraction((first[1] - first[0]) * (second[1] - second[0]) / 4) * Fraction(103, 100)


@given(TEETH, RANGES, UNIT, st.booleans())
def test_a_square_alone_is_moved_by_half_of_its_error(
    teeth: list[int], ends: tuple[float, float], t: Fraction, centred: bool
) -> None:
    of = quadratic([ends], centred)
    cell, v = sawtooth(of, teeth), inside(ends, t)
    g = tooth(abs(units(of, [v])[0]), teeth)
    error = frac(of.scale) * ((g - g * g) - Fraction(1, 8)) / math.prod(teeth) ** 2
    assert evaluated(cell, [v]) - v * v == error
    assert abs(error) <= Fraction(cell.error[0])


@pytest.mark.parametrize("tol", [1e-2, 1e-6])
def test_where_ranges_are_far_from_zero_only_their_widths_count(tol: float) -> None:
    near, far = ((X * Y).plain("relu", [(m - 1, m + 1), (n - 1, n + 1)], tol) for m, n in ((0, 0), (12, 45)))
    assert (far.neurons, far.depth) == (near.neurons, near.depth)
    x = np.random.default_rng(0).uniform([11, 44], [13, 46], size=(1000, 2))
    assert abs(far.network(x) - (X * Y)(x)).max() <= far.execution.bound


def tooth(x: Fraction, teeth: list[int]) -> Fraction:
    """Teeth of teeth, by their definition: up and down between whole numbers."""
    for p in teeth:
        whole, rest = divmod(x * p, 1)
        x = 1 - rest if whole % 2 else rest
    return x


@pytest.mark.parametrize("objective", ["parameters", "neurons", "depth"])
@pytest.mark.parametrize("pieces", [2.0, 5.0, 17.0, 40.0])
def test_folds_are_the_best_of_all(pieces: float, objective: str) -> None:
    def measured(teeth: tuple[int, ...]) -> int:
        widths = [4 * teeth[0], *(2 * q + 1 for q in teeth[1:])]
        sizes = [2, *widths, 1]
        counts = {
            "parameters": sum((a + 1) * b for a, b in itertools.pairwise(sizes)),
            "neurons": sum(widths),
            "depth": len(widths),
        }
        return counts[objective]

    every = (t for m in range(1, 5) for t in itertools.product(range(2, 7), repeat=m) if math.prod(t) >= pieces)
    best = min(map(measured, every))
    found = folds(pieces, 2, objective)
    assert math.prod(found) >= pieces
    assert measured(found) <= best


REFERENCE = {1e-1: (8, 33), 1e-2: (18, 105), 1e-3: (23, 135), 1e-4: (33, 193), 1e-6: (47, 285), 1e-8: (61, 405)}


@pytest.mark.parametrize("tol", REFERENCE)
def test_products_are_no_larger_than_the_best_known(tol: float) -> None:
    neurons, parameters = REFERENCE[tol]
    box = [(-1, 1)] * 2
    smallest = (X * Y).plain("relu", box, tol)
    assert smallest.network.parameter_count <= parameters
    assert (X * Y).plain("relu", box, tol, objective="neurons").neurons <= neurons
    shallow = (X * Y).plain("relu", box, max(tol, 1e-3), objective="depth")
    assert shallow.depth == 1
    x = np.random.default_rng(0).uniform(-1, 1, size=(1000, 2))
    for one in (smallest, shallow):
        assert abs(one.network(x) - (X * Y)(x)).max() <= one.execution.bound


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(UsageError, match=r"objective='speed' received; one of parameters, neurons, depth"):
        (X * Y).plain("relu", [(-1, 1)] * 2, 0.1, objective="speed")
