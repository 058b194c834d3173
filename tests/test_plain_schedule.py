"""Layers in terms of three, and the stages of values: against the definition, and against trying all stages."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.schedule import Schedule, scheduled
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Multiply, Select
from strategies import networks, points


@given(st.data())
def test_elementary_networks_are_the_same_function_with_three_kinds_of_layer(data: st.DataObject) -> None:
    f = data.draw(networks())
    g = elementary(f)
    assert all(isinstance(n.layer, Affine | Elementwise | Multiply | Select | Concatenate) for n in g.nodes)
    assert all(n.layer.shape is None for n in g.nodes if isinstance(n.layer, Multiply))
    x = data.draw(points(f.input_size))
    np.testing.assert_allclose(g(x), f(x), rtol=1e-9, atol=1e-9)
    assert g.output_names == f.output_names


@pytest.mark.parametrize("shape", [(1, 2, 3, 2), (2, 1, 2, 3), (3, 2, 1, 1)])
def test_products_of_matrices_become_products_of_pairs(shape: tuple[int, int, int, int]) -> None:
    batch, p, q, r = shape
    f = na.Network.from_layer(na.Multiply(shape), batch * p * q, batch * q * r)
    x = np.random.default_rng(0).normal(size=(5, f.input_size))
    np.testing.assert_allclose(elementary(f)(x), f(x), rtol=1e-13)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
def test_maxima_take_as_few_rounds_as_possible(size: int) -> None:
    f = na.Network.from_layer(na.Maximum([list(range(size))]), size)
    g = elementary(f)
    assert sum(isinstance(n.layer, Elementwise) for n in g.nodes) == size - 1
    x = np.random.default_rng(size).normal(size=(20, size))
    np.testing.assert_allclose(g(x), f(x), atol=1e-15)


# Stages -----------------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], list[int], list[int]]:
    """Small graphs in which every place leads to the last."""
    count = draw(st.integers(2, 5))
    arguments: list[tuple[int, ...]] = [()]
    for v in range(1, count):
        chosen = draw(st.sets(st.integers(0, v - 1), min_size=1, max_size=2))
        arguments.append(tuple(sorted(chosen)))
    loose = [u for u in range(count - 1) if not any(u in given for given in arguments)]
    arguments[-1] = tuple(sorted({*arguments[-1], *loose}))
    latencies = [0, *draw(st.lists(st.integers(0, 2), min_size=count - 1, max_size=count - 1))]
    costs = draw(st.lists(st.integers(1, 5), min_size=count, max_size=count))
    return arguments, latencies, costs


def cost(arguments: list[tuple[int, ...]], latencies: list[int], costs: list[int], first: tuple[int, ...]) -> float:
    """Neurons that hand values on, when each is computed at its stage and used by all later ones; ∞ if it cannot be."""
    depth, last = max(first), list(first)
    last[-1] = depth
    for v, given_ in enumerate(arguments):
        for u in given_:
            if first[u] > first[v] - latencies[v]:
                return np.inf
            last[u] = max(last[u], first[v] - latencies[v])
    return sum(c * (e - s) for c, e, s in zip(costs, last, first, strict=True))


@given(graphs())
def test_stages_cost_least_among_all_of_least_depth(graph: tuple[list[tuple[int, ...]], list[int], list[int]]) -> None:
    arguments, latencies, costs = graph
    found: Schedule = scheduled(arguments, latencies, costs, len(arguments) - 1)
    feasible = [
        stages
        for stages in itertools.product(range(found.depth + 1), repeat=len(arguments))
        if stages[0] == 0 and cost(arguments, latencies, costs, stages) < np.inf
    ]
    assert found.first in feasible
    handed = sum(c * (e - s) for c, e, s in zip(costs, found.last, found.first, strict=True))
    assert handed == cost(arguments, latencies, costs, found.first)
    assert handed == min(cost(arguments, latencies, costs, s) for s in feasible if s[-1] == found.depth)
    shorter = [s for s in feasible if s[-1] < found.depth]
    assert not shorter
