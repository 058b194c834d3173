"""Formulas that nobody could wait for are refused, with what there is instead."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import ResourceError


def net(*sizes: int) -> na.Network:
    rng = np.random.default_rng(0)
    return na.Network.from_layers([(rng.normal(size=(m, n)), None) for n, m in itertools.pairwise(sizes)], "tanh")


@pytest.mark.parametrize(("sizes", "order"), [((2, 3, 1), 9), ((2, 3, 1), 10**9), ((10, 6, 1), 5), ((40, 3, 2), 3)])
def test_orders_with_too_many_entries_are_refused(sizes: tuple[int, ...], order: int) -> None:
    with pytest.raises(ResourceError, match="taylor"):
        net(*sizes).formula(order)


@pytest.mark.parametrize(("sizes", "order"), [((2, 3, 1), 5), ((10, 6, 1), 3), ((100, 4, 1), 2)])
def test_others_are_written(sizes: tuple[int, ...], order: int) -> None:
    assert net(*sizes).formula(order).order == order
