"""Sorting networks and medians: against NumPy on all zero-one inputs, on ties and in relu."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra import sorting
from neuralgebra.errors import InputError


@pytest.mark.parametrize("size", range(1, 12))
def test_all_zeros_and_ones_are_sorted(size: int) -> None:
    """A network of comparators that sorts these sorts everything (Knuth, 5.3.4, the zero-one principle)."""
    x = np.array(list(itertools.product([0.0, 1.0], repeat=size)))
    assert (na.sorting(size)(x) == np.sort(x, axis=1)).all()


@pytest.mark.parametrize("size", [1, 2, 3, 6, 9, 16, 31])
def test_numbers_and_ties_are_sorted(size: int) -> None:
    x = np.random.default_rng(size).normal(size=(200, size))
    x[:100] = np.round(x[:100])
    assert (na.sorting(size)(x) == np.sort(x, axis=1)).all()
    assert (na.median(size)(x)[:, 0] == np.median(x, axis=1)).all()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8])
def test_in_relu_integers_are_sorted_exactly(size: int) -> None:
    x = np.random.default_rng(size).integers(-1000, 1000, (300, size)).astype(float)
    for f, expected in ((na.sorting(size), np.sort(x, axis=1)), (na.median(size), np.median(x, axis=1)[:, None])):
        assert (f.plain("relu").network(x) == expected).all()


@pytest.mark.parametrize(
    ("size", "comparators", "stages"), [(2, 1, 1), (4, 5, 3), (8, 19, 6), (16, 63, 10), (7, 16, 6)]
)
def test_sizes(size: int, comparators: int, stages: int) -> None:
    """The counts of Knuth, 5.3.4, for merge exchange."""
    found = list(sorting._stages(size))
    assert (sum(map(len, found)), len(found)) == (comparators, stages)
    plain = na.sorting(size).plain("relu")
    assert (plain.depth, plain.neurons <= 2 * size * stages) == (stages, True)
    assert na.median(size).plain("relu").neurons <= plain.neurons


def test_a_lost_comparator_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = list(sorting._stages(6))
    monkeypatch.setattr(sorting, "_stages", lambda size: stages[:-1])
    with pytest.raises(AssertionError):
        test_all_zeros_and_ones_are_sorted(6)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, "3"])
def test_bad_sizes_are_refused(size: Any) -> None:
    with pytest.raises(InputError, match="a whole number from 1"):
        na.sorting(size)
    with pytest.raises(InputError, match="a whole number from 1"):
        na.median(size)
