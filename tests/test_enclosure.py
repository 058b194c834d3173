"""Proven ranges: lines, relaxations and enclosures against balls of 200 bits at points; planted mistakes are caught."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.algebra import lines, relaxation
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.enclosure import derivative, ranges
from neuralgebra.algebra.pieces import values_of
from neuralgebra.algebra.relaxation import Relaxation
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.errors import InputError, NotCertifiedError, ShapeError
from neuralgebra.functions.activation import registered
from neuralgebra.network.box import Box
from strategies import networks

NAMES = sorted(registered())
K = Balls(200)
RNG = np.random.default_rng(0)


def net(name: str, *sizes: int, seed: int = 0) -> na.Network:
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    layers = [(rng.normal(size=(b, a)) / np.sqrt(a), 0.3 * rng.normal(size=b)) for a, b in pairs]
    return na.Network.from_layers(layers, name)


def expect_inside(f: na.Network, low: np.ndarray, high: np.ndarray, points: np.ndarray) -> None:
    """No value in balls lies outside; what is outside entirely is a proven violation."""
    for point in points:
        for ball, a, b in zip(values_of(f, point.tolist()), low.ravel(), high.ravel(), strict=True):
            assert not ball < flint.arb(a)
            assert not ball > flint.arb(b)


def points_of(low: Any, high: Any, count: int = 4) -> np.ndarray:
    low, high = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    corners = RNG.integers(0, 2, (4, len(low)))
    return np.concatenate([RNG.uniform(low, high, (count, len(low))), np.where(corners, high, low)])


# Lines ------------------------------------------------------------------------------------------------------------


def expect_between(name: str, order: int, low: np.ndarray, high: np.ndarray) -> None:
    layer = na.Elementwise(na.activation(name).differentiated(order))
    found = lines.between(layer, low, high)
    function = layer.only
    assert function is not None
    with K.precision():
        for share in (0.0, 0.11, 0.37, 0.5, 0.83, 1.0):
            z = np.clip(low + share * (high - low), low, high)
            value = function(K, K.weight(z))
            for sign, slope, constant in ((1, found.slope_low[0], found.low), (-1, found.slope_high[0], found.high)):
                beside = value - K.weight(slope) * K.weight(z)
                for v, c in zip(beside.flat, constant.flat, strict=True):
                    assert not np.isfinite(c) or not (v - flint.arb(c)) * sign < 0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [0, 1])
def test_activations_lie_between_their_lines(name: str, order: int) -> None:
    rng = np.random.default_rng(1)
    domain = np.clip(na.activation(name).row.domain, -6, 6)
    ends = np.sort(rng.uniform(*domain, (30, 2)), axis=1)
    ends[:10, 1] = ends[:10, 0] + (domain[1] - ends[:10, 0]) * 1e-3
    ends[10:12] = np.clip([[0.0, 0.0], [-1.0, 1.0]], *domain)
    expect_between(name, order, ends[:, :1], ends[:, 1:])


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus", "sin", "relu", "exp"])
def test_lines_are_close(name: str) -> None:
    """Where a function bends in one direction the gap between both lines is about σ'' w² / 8 on each side."""
    low = np.array([[0.5], [0.5], [1.0]])
    high = low + np.array([[0.1], [0.01], [0.001]])
    layer = na.Elementwise(name)
    found = lines.between(layer, low, high)
    middle = (low + high) / 2
    gap = found.slope_high[0] * middle + found.high - found.slope_low[0] * middle - found.low
    assert (gap <= 0.3 * np.exp(high) * (high - low) ** 2 + 1e-14).all()


def test_a_line_is_itself() -> None:
    found = lines.between(na.Elementwise("relu"), np.array([[0.0, -3.0, -1.0]]), np.array([[2.0, 0.0, 3.0]]))
    assert found.slope_high[0].tolist() == [[1.0, 0.0, 0.75]]
    assert found.slope_low[0].tolist() == [[1.0, 0.0, 1.0]]
    assert found.low == pytest.approx(np.zeros((1, 3)), abs=1e-14)


@given(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4), st.floats(0, 1), st.floats(0, 1))
def test_products_lie_between_their_planes(ends: list[float], s: float, t: float) -> None:
    (a, b), (c, d) = sorted(ends[:2]), sorted(ends[2:])
    first, second = ((np.array([[x]]), np.array([[y]])) for x, y in ((a, b), (c, d)))
    found = lines.planes(first, second)
    u, v = (min(max(x + w * (y - x), x), y) for x, y, w in ((a, b, s), (c, d, t)))
    with K.precision():
        p, q = flint.arb(u), flint.arb(v)
        rest = p * q - flint.arb(found.slope_low[0].item()) * p - flint.arb(found.slope_low[1].item()) * q
        assert not rest < found.low.item()
        assert not rest > found.high.item()


# Relaxations ------------------------------------------------------------------------------------------------------


def single(f: na.Network) -> na.Network:
    """The same network with weights of single precision."""
    layers = [node.layer for node in f.nodes]
    parts = [
        na.Affine(x.weight.multiplied(lambda a: a.astype(np.float32)), None if x.bias is None else x.bias.astype("f4"))
        if isinstance(x, na.Affine)
        else x
        for x in layers
    ]
    nodes = [na.Node(x, node.inputs) for x, node in zip(parts, f.nodes, strict=True)]
    return na.Network(nodes, f.output, f.input_size)


@settings(max_examples=40)
@given(networks() | networks().map(single), st.integers(0, 2), st.floats(0.01, 1.0), st.integers(0, 100))
def test_no_value_or_derivative_leaves_its_enclosure(f: na.Network, order: int, width: float, seed: int) -> None:
    low = np.random.default_rng(seed).uniform(0.2, 1, f.input_size)
    try:
        found = f.enclose(list(zip(low, low + width, strict=True)), order, boxes=3)
    except NotCertifiedError:
        assume(False)
    assert found.low.shape == (f.output_size, *[f.input_size] * order)
    expect_inside(derivative(f, order), found.low, found.high, points_of(low, low + width, 2))


@settings(max_examples=30)
@given(networks(), st.floats(0.0, 1.0), st.integers(0, 100))
def test_no_value_on_the_way_leaves_its_range(f: na.Network, width: float, seed: int) -> None:
    g = elementary(f)
    low = np.random.default_rng(seed).uniform(0.2, 1, f.input_size)
    proven, _ = ranges(g, Box(tuple(low.tolist()), tuple((low + width).tolist())))
    for point in points_of(low, low + width, 2):
        for place, (a, b) in enumerate(proven):
            builder, last = g._open()
            del last
            part = g._close(builder, place)
            expect_inside(part, a, b, point[None])


# Large numbers that cancel: a bound without what is rounded is wrong here.
CANCELLING = na.Network.from_layers(
    [
        (np.array([[1e8, -1e8 / 3], [1e8, 1e8 / 7]]), np.array([1 / 3, -1 / 7])),
        (np.array([[1 / 3, -1 / 3], [1 / 7, 1 / 9]]), np.array([0.1, 0.7])),
        (np.array([[1.0, -1 / 3]]), np.array([0.3])),
    ],
    "leaky_relu",
)


def expect_sound(f: na.Network, width: float = 0.0) -> None:
    rng = np.random.default_rng(3)
    g = elementary(f)
    for _ in range(20):
        low = rng.uniform(-1, 1, f.input_size)
        high = low + width
        upper = Relaxation(g, low[None], high[None])._back(g.output, np.array([[1.0], [-1.0]])).upper[0]
        expect_inside(f, -upper[1:], upper[:1], points_of(low, high, 2))


@pytest.mark.parametrize("width", [0.0, 1e-9, 0.1])
def test_roundings_count(width: float) -> None:
    expect_sound(CANCELLING, width)
    expect_sound(net("tanh", 2, 8, 8, 1), width)


def products(seed: int) -> na.Network:
    """A network whose weights are products of matrices that nearly cancel each other."""
    matrix = np.random.default_rng(seed).normal(size=(4, 4)) + 1e4
    both = na.Product((na.Dense(matrix), na.Dense(np.linalg.inv(matrix))))
    return na.Network.from_layer(na.Affine(both), 4)[:1]


def expect_products_sound() -> None:
    for seed in range(20):
        point = np.random.default_rng(seed).normal(size=4)
        f = products(seed)
        found = Relaxation(elementary(f), point[None], point[None]).bounds(np.array([[1.0], [-1.0]])).upper[0]
        expect_inside(f, -found[1:], found[:1], point[None])


def test_weights_that_are_products_are_not_taken_for_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    expect_products_sound()
    relaxation._weights.cache_clear()
    monkeypatch.setattr(relaxation, "as_doubles", lambda weight: (weight.dense(), None))
    with pytest.raises(AssertionError):
        expect_products_sound()
    relaxation._weights.cache_clear()


def _no_bias(trail: Any, form: np.ndarray, place: int, argument: int) -> None:
    weight, *_ = trail.relaxation.weights[place]
    trail._collect(argument, form @ weight)


def _only_ends(function: Any, sign: int, slope: np.ndarray, a: np.ndarray, b: np.ndarray, piece: Any) -> np.ndarray:
    del piece
    ends = [lines._upper(function, sign, slope, lines.Interval(x)) for x in (a, b)]
    return np.maximum(*ends)


MISTAKES: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], na.Network, float]] = {
    "no roundings": (lambda m: m.setattr(relaxation, "_UNIT", 1e-200), CANCELLING, 0.0),
    "no bias": (lambda m: m.setattr(relaxation._Trail, "_affine", _no_bias), net("tanh", 2, 8, 1), 0.1),
    "no tangents": (lambda m: m.setattr(lines, "_on_piece", _only_ends), net("tanh", 2, 8, 1), 0.5),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_caught(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, f, width = MISTAKES[mistake]
    expect_sound(f, width)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        expect_sound(f, width)


def test_one_layer_of_relu_is_exact_where_no_unit_has_its_kink() -> None:
    f = na.Network.from_layers([([[1.0, 2.0], [1.0, -1.0]], [3.0, 2.0]), ([[1.0, -2.0]], [0.5])], "relu")
    found = f.enclose([(-0.5, 0.5), (-0.25, 0.75)], boxes=1)  # y = -0.5 - x1 + 4 x2
    assert found.low == pytest.approx([-2.0])
    assert found.high == pytest.approx([3.0])


# Enclosures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "sigmoid"])
@pytest.mark.parametrize("order", [0, 1])
def test_enclosures_are_tight(name: str, order: int) -> None:
    f = net(name, 2, 10, 10, 2)
    found = f.enclose([(-1, 1)] * 2, order, boxes=400)
    x = np.random.default_rng(0).uniform(-1, 1, (20000, 2))
    seen = f(x) if order == 0 else f.jacobian(x)
    assert (found.width <= 1.25 * (seen.max(axis=0) - seen.min(axis=0))).all()


def test_more_boxes_are_not_worse() -> None:
    f = net("tanh", 3, 12, 12, 2)
    widths = [f.enclose([(-1, 1)] * 3, boxes=n).width for n in (1, 30, 300)]
    assert (widths[0] > widths[1]).all()
    assert (widths[1] > widths[2]).all()


def test_a_point_is_a_box() -> None:
    f = net("gelu", 2, 5, 1)
    found = f.enclose([(0.5, 0.5), (0.25, 0.25)], 1)
    assert found.width.max() < 1e-13
    assert found.low == pytest.approx(f.jacobian([0.5, 0.25]), abs=1e-13)


def test_an_unbounded_function_is_refused_with_the_part_of_the_box() -> None:
    f = na.Network.function("log") @ na.Network.from_layers([([[1.0]], [0.5])])
    with pytest.raises(NotCertifiedError, match="<= x1 <= -0"):
        f.enclose([(-1, 1)])
    assert f.enclose([(0, 1)]).low == pytest.approx([np.log(0.5)], abs=1e-9)


@pytest.mark.parametrize("box", [[(1, 0)], [(0, np.inf)], [(0, np.nan)], [(0, 1), (0, 1)], "0:1"])
def test_bad_boxes_are_refused(box: Any) -> None:
    with pytest.raises((InputError, ShapeError)):
        net("tanh", 1, 2, 1).enclose(box)


@pytest.mark.parametrize(("order", "boxes"), [(5, 1), (-1, 1), (1.5, 1), (True, 1), (0, 0), (0, 2.5)])
def test_bad_numbers_are_refused(order: Any, boxes: Any) -> None:
    with pytest.raises(InputError, match="expected"):
        net("tanh", 1, 2, 1).enclose([(0, 1)], order, boxes=boxes)


def test_ranges_of_values_on_the_way_are_cut_where_something_has_no_bound() -> None:
    x = na.Network.identity(1)
    f = elementary(1 / (x * x - x + 0.3))  # the divisor is at least 0.05, which plain intervals do not see
    found, part = ranges(f, Box((-1.0,), (1.0,)))
    assert part is None
    assert found[f.output][1] < 25
    _, part = ranges(elementary(1 / (x - 0.5)), Box((-1.0,), (1.0,)))
    assert part is not None
    assert part.low[0] <= 0.5 <= part.high[0]
    with pytest.raises(NotCertifiedError, match="where "):
        (1 / (x - 0.5)).plain("tanh", [(-1, 1)], 1e-3)
