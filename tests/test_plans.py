"""Ways to derivatives: all of them give the same numbers, and the cheapest by honest counts is taken."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.calculus import strategies
from neuralgebra.calculus.costs import Costs
from neuralgebra.calculus.plans import WAYS, planned
from neuralgebra.calculus.run import for_all
from oracles_calculus import agree, along, bilaplacian, contracted, diagonal, exact
from strategies import after, arrays, networks, points
from zoo import NETWORKS

K = Arrays(np.zeros(1))
SECOND = ("jacobian", "hessian", "hessian_diagonal", "laplacian")


@st.composite
def narrow(draw: Callable) -> na.Network:
    """Networks behind an affine layer of fewer units than inputs."""
    units = draw(st.integers(1, 2))
    inputs = draw(st.integers(units + 1, 5))
    layer = na.Affine(draw(arrays((units, inputs))), draw(st.none() | arrays((units,))))
    return draw(networks(inputs=units)) @ na.Network.from_layer(layer, inputs)


def computed(way: object, f: na.Network, x: np.ndarray, *given: np.ndarray) -> list[np.ndarray]:
    with quiet():
        return [for_all(K, r, len(x)) for r in way.compute(K, f, x, *given)]


def definition(quantity: str, derivatives: list[np.ndarray]) -> list[np.ndarray]:
    """What a quantity is, for each array that its ways return."""
    match quantity:
        case "jacobian":
            return derivatives[:2]
        case "hessian":
            return derivatives[:3]
        case "hessian_diagonal":
            return [diagonal(derivatives[2])]
        case "laplacian":
            return [diagonal(derivatives[2]).sum(axis=-1)]
    return [bilaplacian(derivatives[4])]


def expect_all_ways(f: na.Network, x: np.ndarray, quantity: str, derivatives: list[np.ndarray]) -> None:
    for way in planned(f, quantity).ways:
        for ours, theirs in zip(computed(way, f, x), definition(quantity, derivatives), strict=True):
            agree(ours, theirs, derivatives)


@settings(max_examples=25)
@given(st.data())
def test_every_way_is_the_full_jet(data: st.DataObject) -> None:
    f = data.draw(networks() | narrow())
    x = data.draw(points(f.input_size))
    derivatives = exact(f, x, 2)
    for quantity in SECOND:
        expect_all_ways(f, x, quantity, derivatives)


@settings(max_examples=15)
@given(st.data())
def test_every_way_to_the_bilaplacian_is_the_full_jet(data: st.DataObject) -> None:
    f = data.draw(networks() | narrow())
    x = data.draw(points(f.input_size, rows=1))
    expect_all_ways(f, x, "biharmonic", exact(f, x, 4))


@settings(max_examples=20)
@given(st.data())
def test_every_way_along_some_inputs(data: st.DataObject) -> None:
    f = data.draw(networks() | narrow())
    x = data.draw(points(f.input_size))
    inputs = data.draw(st.lists(st.integers(0, f.input_size - 1), min_size=1, unique=True))
    rows = np.eye(f.input_size)[inputs]
    derivatives = exact(f, x, 2)
    first = np.stack([along(derivatives[1], u) for u in rows], axis=-1)
    second = np.stack([np.stack([along(derivatives[2], u, v) for u in rows], axis=-1) for v in rows], axis=-1)
    for quantity in ("jacobian", "hessian"):
        for way in planned(f, quantity, len(rows)).ways:
            results = computed(way, f, x, rows)
            for ours, theirs in zip(results, (derivatives[0], first, second), strict=False):
                agree(ours, theirs, derivatives)
    for way in planned(f, "hessian_diagonal").ways:
        agree(computed(way, f, x, rows)[0], diagonal(second), derivatives)


@settings(max_examples=20)
@given(st.data())
def test_every_way_to_an_operator_of_order_two(data: st.DataObject) -> None:
    f = data.draw(networks() | narrow())
    x = data.draw(points(f.input_size))
    lower = data.draw(arrays((f.input_size, f.input_size)))
    derivatives = exact(f, x, 2)
    for matrix in (lower + lower.T, np.outer(lower[0], lower[0]), 0 * lower):
        for way in planned(f, "laplacian").ways:
            agree(computed(way, f, x, matrix)[0], contracted(derivatives[2], matrix), derivatives)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_way_through_every_layer(name: str) -> None:
    rng = np.random.default_rng(4)
    f = NETWORKS[name] @ na.Network.from_layers([(rng.normal(size=(4, 5)) / 3, rng.normal(size=4) / 3)])
    x = rng.normal(size=(1, 5))
    names = [way.name for quantity in WAYS for way in planned(f, quantity).ways]
    assert sum("behind layer 1" in n for n in names) == 6
    derivatives = exact(f, x, 4)
    for quantity in WAYS:
        expect_all_ways(f, x, quantity, derivatives)


# Costs ------------------------------------------------------------------------------------------------------------


def chain(*sizes: int) -> na.Network:
    rng = np.random.default_rng(0)
    return na.Network.from_layers([(rng.normal(size=(b, a)), None) for a, b in itertools.pairwise(sizes)])


def costs(f: na.Network, quantity: str) -> dict[str, int]:
    return {way.name: way.cost for way in f.plan(quantity).ways}


def test_costs_of_a_chain_by_hand() -> None:
    """3-5-4-2: 15 + 5 + 20 + 4 + 8 = 52 a value, 37 of them behind layer 1, 25 of these before the last tanh."""
    f = chain(3, 5, 4, 2)
    value, inner, carried, curved = 15 + 5 + 20 + 4 + 8, 5 + 20 + 4 + 8, 5 + 20, 5 + 4
    adjoint = value + 2 * inner
    assert costs(f, "jacobian") == {"adjoint": adjoint, "forward": value + 3 * inner + 3 * curved}
    assert costs(f, "hessian") == {
        "layer sum": adjoint + 3 * carried + (3 + 2 * 6) * curved,
        "jets": value + 9 * inner + (3 + 3 * 6) * curved,
    }
    assert costs(f, "hessian_diagonal") == {"layer sum": adjoint + 3 * carried + (3 + 2 * 3) * curved}
    assert costs(f, "laplacian") == {
        "layer sum": adjoint + 3 * carried + (3 + 2) * curved,
        "collapsed jets": value + 4 * inner + (2 * 3 + 2) * curved,
    }
    assert costs(f, "biharmonic") == {
        "collapsed jets": value + (3 + 6 + 3 + 1) * inner + (6 * 6 + 8 * 3) * curved,
        "jets": value + (3 + 6 + 9 + 6) * inner + (12 * 9 + 9 * 3) * curved,
    }
    assert (Costs(f).value, adjoint, f.plan("hessian").cost) == (52, 126, 336)


def test_costs_behind_the_first_layer_by_hand() -> None:
    """6-2-3: 12 + 2 + 6 = 20 a value, 8 of them behind layer 1, none before the last tanh."""
    f = chain(6, 2, 3)
    adjoint = 20 + 3 * 8
    behind = {q: costs(f, q) for q in SECOND}
    assert behind["jacobian"]["forward behind layer 1"] == 20 + 2 * 8 + 2 * 2 + 3 * 2 * 6
    assert behind["hessian"]["layer sum behind layer 1"] == adjoint + (2 + 3 * 3) * 2 + 3 * (2 * 2 * 6 + 2 * 6 * 6)
    assert behind["hessian_diagonal"]["layer sum behind layer 1"] == adjoint + (2 + 3 * 3) * 2 + 3 * (2 * 2 * 6 + 2 * 6)
    assert behind["laplacian"]["layer sum behind layer 1"] == adjoint + (2 + 3) * 2
    assert behind["laplacian"]["collapsed jets behind layer 1"] == 20 + 3 * 8 + (2 * 2 + 2) * 2
    assert costs(f, "biharmonic")["collapsed jets behind layer 1"] == 20 + (2 + 3 + 2 + 1) * 8 + (6 * 3 + 8 * 2) * 2


def test_cost_of_each_layer_by_hand() -> None:
    f = na.Network.identity(4)
    assert Costs(f).value == Costs(f[[0, 1]]).value == 0
    assert Costs(after(f, na.Softmax())).value == Costs(after(f, na.Elementwise("sin"))).value == 4
    assert Costs(after(f, na.Maximum([[0, 1], [2, 3]]))).value == 0
    assert Costs(after(f, na.PowerProduct(np.ones((2, 4))))).value == 2 * 4 + 2 + 4
    assert Costs(f * f).value == 4
    assert Costs(na.Network.from_layer(na.Multiply((1, 2, 2, 2)), 4, 4) @ na.stack(f, f)).value == 1 * 2 * 2 * 2
    assert Costs(after(f, na.Affine(na.Kronecker(np.ones((3, 2)), 2, 1)))).value == 3 * 2 * 2


def test_more_inputs_cost_the_first_layer_only() -> None:
    def wide(inputs: int) -> na.Network:
        shapes = itertools.pairwise((inputs, 128, 128, 1))
        return na.Network.from_layers([(np.ones((b, a), np.float32), None) for a, b in shapes])

    few, many = wide(10_000), wide(100_000)
    for quantity in ("laplacian", "biharmonic"):
        plans = few.plan(quantity), many.plan(quantity)
        assert all(p.way.name.endswith("behind layer 1") for p in plans)
        assert plans[1].cost - plans[0].cost == 128 * 90_000
    x = np.linspace(0, 1e-4, 100_000, dtype=np.float32)
    slope, tanh = 128 * 128, np.tanh(x.sum(dtype=float))
    inner = np.tanh(128 * tanh)
    expected = slope * len(x) * (1 - inner**2) * (-2 * tanh * (1 - tanh**2) - 2 * inner * 128 * (1 - tanh**2) ** 2)
    np.testing.assert_allclose(many.laplacian(x), [expected], rtol=1e-3)


def test_a_plan_is_printed_with_every_way() -> None:
    lines = str(chain(6, 2, 3).plan("laplacian")).splitlines()
    assert lines[0] == "laplacian: layer sum behind layer 1, 54 multiplications a point"
    assert [line[:31].rstrip() for line in lines[1:]] == [
        "→ layer sum behind layer 1",
        "  collapsed jets behind layer 1",
        "  layer sum",
        "  collapsed jets",
    ]
    assert lines[1].split()[6:9] == ["54", "1.00", "trace"]
    assert lines[2].split()[5:8] == ["56", "1.04", "2"]
    assert len({line.index(".") for line in lines[1:]}) == 1
    assert "1,073" in str(chain(3, 5, 4, 2).plan("biharmonic"))


def test_an_unknown_quantity_is_refused_with_the_known_ones() -> None:
    with pytest.raises(na.errors.UsageError, match="gradient received; one of jacobian, hessian, hessian_diagonal"):
        chain(3, 2).plan("gradient")


def test_weights_of_another_library_are_not_factored() -> None:
    f = chain(6, 2, 3)
    bound = f.with_parameters({"1.weight": torch.tensor(f.parameters()["1.weight"])})
    assert set(costs(bound, "laplacian")) == {"layer sum", "collapsed jets"}
    assert set(costs(bound, "hessian")) == set(costs(f, "hessian"))


# Numbers of very different size ------------------------------------------------------------------------------------


@pytest.mark.parametrize("s", [1e-3, 1e-8, 1e-12, 1e-100])
def test_units_with_small_weights_keep_their_digits(s: float) -> None:
    """The second output depends on the second unit alone."""
    w = np.array([[1.0, 0.3, -0.2], [0.4 * s, -0.7 * s, 0.9 * s]])
    f = na.Network.from_layers([(w, [0.1, 0.2]), (np.eye(2), None)], "exp")
    x, scales = np.array([0.3, 0.1, 0.2]), np.array([1.0, 2.0, 3.0])
    y, square = f(x), w**2
    assert "behind layer 1" in f.plan("laplacian").way.name
    np.testing.assert_allclose(f.laplacian(x), y * square.sum(1), rtol=1e-13)
    np.testing.assert_allclose(f.operator(x, np.diag(scales)), y * (square @ scales), rtol=1e-13)
    if s > 1e-50:
        np.testing.assert_allclose(f.biharmonic(x), y * square.sum(1) ** 2, rtol=1e-12)


@pytest.mark.parametrize("s", [1e-8, 1e-16, 1e-300])
def test_small_coefficients_of_an_operator_keep_their_digits(s: float) -> None:
    f = na.Network.from_layers([(np.eye(2), None), (np.eye(2), None)], "exp")
    np.testing.assert_allclose(f.operator([0.0, 0.0], np.diag([1.0, s])), [1.0, s], rtol=1e-13)


def test_large_coefficients_do_not_overflow_on_the_way() -> None:
    small = na.Network.from_layers([([[1e-3]], None), ([[1e-3]], None)], "exp")
    np.testing.assert_allclose(small.operator([0.0], [[1.7e308]]), 1.7e299, rtol=1e-13)


# Many inputs --------------------------------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.data())
def test_directions_in_parts_are_all_directions(data: st.DataObject) -> None:
    f = data.draw(networks(inputs=3) | narrow())
    x = data.draw(points(f.input_size))
    derivatives = exact(f, x, 2)
    with mock.patch.object(strategies, "_NUMBERS", data.draw(st.sampled_from([1, 2 * max(f.sizes)]))):
        for quantity in ("jacobian", "hessian_diagonal", "laplacian"):
            expect_all_ways(f, x, quantity, derivatives)
        f.memory.clear()
        rows = [1, 0] if f.input_size > 1 else [0]
        agree(f.jacobian(x, inputs=rows), derivatives[1][..., rows], derivatives)


def test_the_diagonal_of_an_image_needs_no_jacobian_of_a_layer_as_a_whole() -> None:
    side = 48
    places = np.arange(side * side).reshape(side, side)
    windows = np.stack([places[i : i + side - 2, j : j + side - 2].ravel() for i in range(3) for j in range(3)], axis=1)
    kernel = np.random.default_rng(0).normal(size=(8, 9))
    layer = na.Affine(na.Convolution(kernel, windows, side * side))
    f = after(after(na.Network.identity(side * side), layer), na.Elementwise("tanh"))
    f = after(f, na.Affine(np.random.default_rng(1).normal(size=(1, f.output_size))))
    x = np.random.default_rng(2).normal(size=side * side)
    f.jacobian(x)  # what is set up once
    tracemalloc.start()
    try:
        diagonal = f.hessian_diagonal(x)
        assert 2 * tracemalloc.get_traced_memory()[1] < 8 * side * side * max(f.sizes)
    finally:
        tracemalloc.stop()
    np.testing.assert_allclose(f.laplacian(x), diagonal.sum(-1), rtol=1e-10)
    for i in (0, 500, 2303):
        unit = np.eye(1, side * side, i)[0]
        np.testing.assert_allclose(f.hvp(x, unit)[0, i], diagonal[0, i], rtol=1e-10)


def test_directions_of_the_first_layer_are_taken_at_once_however_many_inputs_there_are() -> None:
    rng = np.random.default_rng(0)
    f = na.Network.from_layers([(rng.normal(size=(8, 300_000)) * 1e-3, None), (rng.normal(size=(1, 8)), None)], "tanh")
    assert f.plan("laplacian").way.name == "layer sum behind layer 1"
    f.laplacian(np.zeros((2, 300_000)))
    (program,) = f.memory["programs"].values()
    assert program is not None  # a computation in parts is run anew for each point, and has no steps to remember
