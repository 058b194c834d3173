"""Hulls of polynomials in chains: they hold all values, and no more, for balls and intervals."""

from __future__ import annotations

import functools
import math
from typing import Any

import flint
import numpy as np
import pytest
import sympy

import neuralgebra as na
import neuralgebra.functions.catalogue  # fills the table
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.functions import turning as room
from neuralgebra.functions.activation import Activation, Chain, activation, registered
from neuralgebra.functions.turning import Turning, hull, turning
from oracles_functions import TURNS

K = Intervals()
OTHERS = [("leaky_relu", {"slope": -0.5}), ("elu", {"alpha": 0.3}), ("celu", {"alpha": 2.5}), ("power", {"p": 0.5})]
OTHERS += [("hardsigmoid", {"slope": -0.25, "offset": 0.1}), ("softshrink", {"width": 1.25}), ("power", {"p": -1.5})]
CASES = [activation(name) for name in sorted(registered())] + [activation(n, **given) for n, given in OTHERS]
every_case = pytest.mark.parametrize("function", CASES, ids=str)


def sets(function: Activation, many: int = 12, reach: float = 9.0) -> np.ndarray:
    """Intervals in the domain, (many, 2): wide, narrow, and with ends at kinks."""
    low, high = (float(np.clip(end, -reach, reach)) for end in function.row.domain)
    rng = np.random.default_rng(7)
    middles = rng.uniform(low, high, many)
    radii = rng.choice([1e-9, 1e-3, 0.3, 3.0], many)
    ends = np.stack([middles - radii, middles + radii], 1).clip(low, high)
    kinks = [[low, float(np.asarray(at, dtype=float))] for at, _ in function.points(Floats())]
    kinks = [pair for pair in kinks if low < pair[1] < high]
    ends = np.concatenate([ends, kinks, np.array(kinks)[:, ::-1] * [1, 0] + [0, high]]) if kinks else ends
    ends = ends[(ends[:, 0] > function.row.domain[0]) & (ends[:, 1] < function.row.domain[1])]
    if function.name == "cbrt":  # its slope is infinite at 0
        ends = ends[(ends[:, 0] > 0) | (ends[:, 1] < 0)]
    return ends[ends[:, 0] <= ends[:, 1]]


class Floats:
    """Parameters as they are."""

    def number(self, value: Any) -> float:
        return float(value)


@functools.cache
def samples(function: Activation, order: int, low: float, high: float, many: int = 33) -> np.ndarray:
    """The ends between which values at points are, as 200-bit balls give them."""
    k = Balls(200)
    points = np.linspace(low, high, many).clip(low, high)
    with k.precision():
        return function.derivative(k, k.weight(points), order)


def outside(value: flint.arb, low: float, high: float) -> bool:
    return bool(value < flint.arb(low) or value > flint.arb(high))


def check_values(function: Activation, order: int, ends: np.ndarray | None = None) -> Interval:
    """Values at points are in the hull."""
    ends = sets(function) if ends is None else ends
    found = function.derivative(K, Interval(ends[:, 0], ends[:, 1]), order)
    assert not np.isnan([found.low, found.high]).any()
    for (a, b), low, high in zip(ends, found.low, found.high, strict=True):
        values = samples(function, order, float(a), float(b))
        assert not any(outside(v, low, high) for v in values), (a, b)
    return found


@every_case
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_hull_holds_all_values(function: Activation, order: int) -> None:
    found, ends = check_values(function, order), sets(function)
    for (a, b), low, high in zip(ends, found.low, found.high, strict=True):
        values = [float(v) for v in samples(function, order, float(a), float(b))]
        span, size = max(values) - min(values), max(map(abs, values))
        jumps = any(a <= float(np.asarray(at)) <= b for at, _ in function.points(Floats()))
        if not jumps:  # of a smooth function 33 samples miss the extremes by little
            assert high - low <= 1.05 * span + 1e-11 * size + 1e-13, (a, b)


@every_case
@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_the_hull_is_in_the_naive_one_and_grows_with_the_set(function: Activation, order: int) -> None:
    ends = sets(function)
    chain = Chain(K, function, Interval(ends[:, 0], ends[:, 1]))
    polynomial = function.row.derivative(order)
    found, naive = hull(chain, polynomial), chain.polynomial(polynomial)
    assert (found.low >= naive.low).all()
    assert (found.high <= naive.high).all()
    width = ends[:, 1] - ends[:, 0]
    part = hull(Chain(K, function, Interval(ends[:, 0] + width * 0.25, ends[:, 1] - width * 0.125)), polynomial)
    slack = 1e-12 * np.maximum(np.abs(found.low), np.abs(found.high)) + 1e-300
    assert (part.low >= found.low - slack).all()
    assert (part.high <= found.high + slack).all()


@pytest.mark.parametrize("name", ["tanh", "gelu", "silu", "gelu_tanh", "softplus", "gaussian", "sin", "mish"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_sets_that_reach_far_out(name: str, order: int) -> None:
    ends = np.array([[-1e4, 1e4], [-3.0, 2000.0], [-1e5, 0.5], [900.0, 1e5], [-70.0, -60.0], [-20.0, 1e3]])
    found = check_values(activation(name), order, ends)
    if order:
        near = check_values(activation(name), order, np.array([[-50.0, 50.0]]))
        assert (found.high[:3] <= near.high + 1e-9).all()
        assert (found.low[:3] >= near.low - 1e-9).all()


@pytest.mark.parametrize("name", sorted(TURNS))
def test_where_functions_turn(name: str) -> None:
    function = activation(name)
    known = turning(function, function.row.value)
    if known is None:
        (element,) = (e for e in function.row.chain if function.row.is_element(e.name))
        assert element.turning == TURNS[name]
    else:
        inner = [place for place in known.turns if place[0] <= TURNS[name][0] <= place[1]]
        assert len(inner) == len(known.turns) == 1
        low, high, least, greatest = inner[0]
        assert high - low < 1e-12
        assert greatest - least < 1e-15


def test_known_hulls() -> None:
    def on(name: str, low: float, high: float, order: int = 0) -> Interval:
        return activation(name).derivative(K, Interval(np.array([low]), np.array([high])), order)

    slope = on("tanh", -1.0, 2.0, 1)
    assert slope.high == 1
    assert slope.low == pytest.approx(1 / math.cosh(2) ** 2, rel=1e-13)
    assert on("gelu", -3.0, 0.5).low == pytest.approx(-0.16997120747990369, rel=1e-14)
    assert on("square", -1.0, 2.0).low == 0
    assert on("lisht", -1.0, 2.0).low == 0
    assert on("tanh", -5.0, 5.0, 2).high == pytest.approx(4 / 27**0.5, rel=1e-14)
    assert on("sigmoid", -5.0, 5.0, 1).high == pytest.approx(0.25, rel=1e-14)
    assert on("hardswish", -5.0, 5.0, 1).low == pytest.approx(-0.5, rel=1e-14)
    assert on("relu", -1.0, 0.0).ends == (0.0, 0.0)
    assert on("relu", -1.0, 0.0, 1).ends == (0.0, 0.0)
    assert on("relu", 0.0, 1.0, 1).ends == (0.0, 1.0)
    assert on("softplus", 1000.0, 1001.0).low == pytest.approx(1000, rel=1e-14)
    assert on("sigmoid", -1001.0, -1000.0, 1).high < 1e-300


@pytest.mark.parametrize("name", ["tanh", "gelu", "elu", "softsign", "hardswish"])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_balls_and_intervals_agree(name: str, order: int) -> None:
    function, k = activation(name), Balls(128)
    ends = sets(function) + np.array([1e-3, 2e-3])  # off the kinks, which balls with a radius of 30 bits touch
    found = function.derivative(K, Interval(ends[:, 0], ends[:, 1]), order)
    with k.precision():
        balls = function.derivative(k, k.interval(*ends.T), order)
    radius = np.array([float(ball.rad()) for ball in balls])
    middle = np.array([float(ball.mid()) for ball in balls])
    slack = 1e-7 * (radius + np.abs(middle)) + 1e-8  # a radius has 30 bits
    assert (np.abs(middle - radius - found.low) <= slack).all()
    assert (np.abs(middle + radius - found.high) <= slack).all()


@pytest.mark.parametrize("order", [0, 1, 2])
def test_exact_balls_stay_exact(order: int) -> None:
    k = Balls(300)
    with k.precision():
        for name in ("gelu", "tanh", "softsign", "mish"):
            function, z = activation(name), k.weight(np.array([-0.5, 0.25, 3.0]))
            values = function.derivative(k, z, order)
            assert all(v.rel_accuracy_bits() > 280 for v in values)


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "celu"])
def test_parameters_of_units(name: str) -> None:
    parameter = next(iter(activation(name).row.parameters))
    several = activation(name, **{parameter: (0.25, 2.0, 0.5)})
    z = Interval(np.array([[-1.0, -1.0, 0.5]]), np.array([[2.0, 1.0, 1.0]]))
    for order in range(3):
        found = several.derivative(K, z, order)
        for unit, value in enumerate((0.25, 2.0, 0.5)):
            single = activation(name, **{parameter: value}).derivative(K, z[:, unit], order)
            np.testing.assert_allclose(found.low[:, unit], single.low, rtol=1e-14)
            np.testing.assert_allclose(found.high[:, unit], single.high, rtol=1e-14)


def test_functions_of_cases_are_taken_term_by_term() -> None:
    """Nobody has checked that their kinks are stated."""
    x = sympy.Symbol("x", real=True)
    na.register("jumping", sympy.Piecewise((x**2, x < 1), (x * sympy.tanh(x) - 5, True)), x, kinks=(), replace=True)
    function = activation("jumping")
    assert turning(function, function.row.value) is None
    found = function(K, Interval(np.array([0.5]), np.array([1.5])))
    assert found.low < 0.9 * np.tanh(0.9) - 5
    assert found.high >= 1


def test_functions_without_cases_are_as_good_as_those_of_the_table() -> None:
    x = sympy.Symbol("x", real=True)
    na.register("bell", x * sympy.exp(-(x**2)), x, replace=True)
    found = activation("bell")(K, Interval(np.array([-3.0]), np.array([2.0])))
    assert found.high == pytest.approx((2 * math.e) ** -0.5, rel=1e-13)
    assert found.low == pytest.approx(-((2 * math.e) ** -0.5), rel=1e-13)


# Seen to fail -----------------------------------------------------------------------------------------------------


def without_turns(function: Any, polynomial: Any) -> Turning | None:
    known = turning(function, polynomial)
    return known and Turning(known.first, known.last, ())


def everywhere(function: Any, polynomial: Any) -> Turning | None:
    known = turning(function, polynomial)
    return known and Turning(-math.inf, math.inf, known.turns)


def in_the_middle(function: Any, polynomial: Any, slope: Any, piece: Any) -> tuple[float, float]:
    middle = np.array([(piece.low + piece.high) / 2])
    value = room._at(function, polynomial, middle + 0.25)
    return float(value.low), float(value.high)


@pytest.mark.parametrize(
    ("place", "wrong", "name", "order"),
    [
        ("turning", without_turns, "gelu", 0),
        ("turning", without_turns, "tanh", 2),
        ("_bounds", in_the_middle, "silu", 1),
    ],
)
def test_planted_mistakes_are_seen(monkeypatch, place, wrong, name, order) -> None:
    function = activation(name)
    check_values(function, order)
    turning.cache_clear()
    monkeypatch.setattr(room, place, wrong)
    try:
        with pytest.raises(AssertionError):
            check_values(function, order, np.array([[-4.0, 4.0], [-9.0, 1.0]]))
    finally:
        turning.cache_clear()
