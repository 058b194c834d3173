"""Jets on intervals enclose values and derivatives: of random networks, of all layers and all functions."""

from __future__ import annotations

import itertools
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
import neuralgebra.functions.catalogue
from neuralgebra.arithmetic import directed
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.arithmetic.rationals import Rationals, fraction
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.functions.activation import activation, registered
from strategies import networks

K = Intervals()


def jets(k: Any, f: na.Network, x: Any, order: int) -> list[Any]:
    """The levels at the output, for points or boxes of shape (many, n)."""
    given = [x[None, ...], k.weight(np.eye(f.input_size))[:, None, :], *[None] * order]
    return Jets(k, f, Jet(IndexSet.full(f.input_size, order), given[: order + 1])).run(order).levels


def boxes(seed: int, size: int, many: int = 3) -> Interval:
    rng = np.random.default_rng(seed)
    middle, radius = rng.uniform(-2, 2, (many, size)), rng.choice([0.0, 1e-6, 0.1, 1.0], (many, size))
    return Interval(middle - radius, middle + radius)


def inner(box: Interval, seed: int) -> np.ndarray:
    part = np.random.default_rng(seed).uniform(0, 1, box.shape)
    return np.clip(box.low + part * (box.high - box.low), box.low, box.high)


def check_inside(found: list[Any], values: list[Any]) -> None:
    """Every ball touches the interval in its place; zero levels are None for both."""
    for level, exact in zip(found, values, strict=True):
        if level is None:
            assert exact is None
            continue
        assert not np.isnan([level.low, level.high]).any()
        shape = np.broadcast_shapes(level.shape, exact.shape)
        ends = (np.broadcast_to(a, shape).ravel() for a in level.ends)
        for low, high, value in zip(*ends, np.broadcast_to(exact, shape).flat, strict=True):
            assert not value < flint.arb(float(low)), (low, high, value)
            assert not value > flint.arb(float(high)), (low, high, value)


def check_network(f: na.Network, seed: int, order: int = 2) -> None:
    box = boxes(seed, f.input_size)
    found, k = jets(K, f, box, order), Balls(200)
    for number in range(2):
        with k.precision():
            check_inside(found, jets(k, f, k.weight(inner(box, number)), order))


@settings(max_examples=150)
@given(networks(), st.integers(0, 10**6))
def test_derivatives_at_points_are_in_the_enclosure(f: na.Network, seed: int) -> None:
    check_network(f, seed)


@settings(max_examples=75)
@given(networks(), st.integers(0, 10**6))
def test_smaller_boxes_have_smaller_enclosures(f: na.Network, seed: int) -> None:
    box = boxes(seed, f.input_size)
    a, b = inner(box, 1), inner(box, 2)
    for large, small in zip(
        jets(K, f, box, 2), jets(K, f, Interval(np.minimum(a, b), np.maximum(a, b)), 2), strict=True
    ):
        if large is not None:
            slack = 1e-12 * (1 + np.maximum(np.abs(large.low), np.abs(large.high)))
            assert (small.low >= large.low - slack).all()
            assert (small.high <= large.high + slack).all()


@pytest.mark.parametrize("name", sorted(registered()))
def test_every_function(name: str) -> None:
    f, k = na.Network.function(name), Balls(200)
    low, high = (float(np.clip(end, -5, 5)) for end in activation(name).row.domain)
    rng = np.random.default_rng(3)
    ends = np.sort(rng.uniform(low, high, (2, 20, 1)), axis=0)
    found = jets(K, f, Interval(ends[0], ends[1]), 3)
    for number in range(4):
        with k.precision():
            check_inside(found, jets(k, f, k.weight(inner(Interval(ends[0], ends[1]), number)), 3))


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_piecewise_linear_networks_against_rationals(seed: int) -> None:
    rng, k = np.random.default_rng(seed), Rationals()
    sizes = rng.integers(1, 5, 4)
    layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    f = na.Network.from_layers(layers, str(rng.choice(["relu", "abs", "hardtanh", "leaky_relu", "identity"])))
    box = boxes(seed, f.input_size)
    found = jets(K, f, box, 1)
    for number in range(3):
        exact = jets(k, f, k.weight(inner(box, number)), 1)
        for level, value in zip(found, exact, strict=True):
            low, high = (np.broadcast_to(a, value.shape).ravel().tolist() for a in level.ends)
            assert all(a <= fraction(v) <= b for a, v, b in zip(low, value.flat, high, strict=True))


def test_the_value_of_one_layer_is_the_hull() -> None:
    rng = np.random.default_rng(0)
    weight, low = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    f = na.Network.from_layers([(weight, None)], output="tanh")
    box = Interval(low, low + 0.5)
    found = jets(K, f, box, 0)[0]
    top = np.where(weight > 0, box.high[:, None, :], box.low[:, None, :])
    np.testing.assert_allclose(found.high[0], np.tanh((top * weight).sum(-1)), rtol=1e-12)


def test_monotone_networks_keep_their_sign() -> None:
    """No rounding makes a slope that is not negative look negative."""
    rng = np.random.default_rng(0)
    layers = [(abs(rng.normal(size=shape)), rng.normal(size=shape[0])) for shape in ((16, 3), (16, 16), (1, 16))]
    box = Interval(np.full((1, 3), -3.0), np.full((1, 3), 3.0))
    for name in ("relu", "tanh", "sigmoid", "softplus", "elu"):
        slopes = jets(K, na.Network.from_layers(layers, name), box, 1)[1]
        assert (slopes.low >= 0).all(), name


def test_float32_weights_are_exact() -> None:
    weight = np.array([[0.1, 0.2]], dtype=np.float32)
    f = na.Network.from_layers([(weight, None)])
    x = np.array([[0.5, 0.25]])
    found = jets(K, f, Interval(x), 0)[0]
    exact = float(weight[0, 0]) * 0.5 + float(weight[0, 1]) * 0.25
    assert found.low <= exact <= found.high
    assert found.high - found.low < 1e-15


def test_a_dropped_error_bound_is_seen(monkeypatch) -> None:
    rng = np.random.default_rng(2)
    f = na.Network.from_layers([(rng.normal(size=(30, 30)), None)])
    k, x = Balls(200), rng.normal(size=(4, 30))

    def check() -> None:
        with k.precision():
            check_inside(jets(K, f, Interval(x), 0), jets(k, f, k.weight(x), 0))

    check()
    monkeypatch.setattr(directed, "_UNIT", 0.0)
    with pytest.raises(AssertionError):
        check()
