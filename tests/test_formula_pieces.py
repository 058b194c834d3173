"""Affine pieces: the map, the polytope, and what lies behind its sides, against fractions and linear programs."""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction

import flint
import numpy as np
import pytest
import scipy.optimize
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.rationals import Rationals, above, below, ends, fraction, nearest
from neuralgebra.errors import InputError, ResourceError, ShapeError, UnsupportedError
from neuralgebra.formula.segments import segments
from oracles_exact import LINEAR, evaluate, exact, line, linear_networks, pattern
from strategies import points


def mapped(piece: na.Network, x: list[Fraction]) -> list[Fraction]:
    """The exact affine map at a point."""
    numbers = piece.exact()
    return [b + sum(w * v for w, v in zip(row, x, strict=True))
            for row, b in zip(numbers["weight"].tolist(), numbers["bias"].tolist(), strict=True)]  # fmt: skip


def inside(piece: na.Network, x: list[Fraction]) -> bool:
    """Whether a point lies in the polytope, by the exact numbers."""
    numbers = piece.exact()
    rows = zip(numbers["A"].tolist(), numbers["c"].tolist(), strict=True)
    return all(sum(a * v for a, v in zip(row, x, strict=True)) <= c for row, c in rows)


def net(activation="relu", seed=0, sizes=(2, 6, 6, 2)):
    rng = np.random.default_rng(seed)
    layers = [(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(layers, activation)


@settings(max_examples=60)
@given(st.data())
def test_a_piece_is_the_network_at_its_point_exactly(data):
    f = data.draw(linear_networks())
    x = data.draw(points(2, rows=1))[0]
    piece = f.piece(x)
    assert mapped(piece, exact(x)) == evaluate(f, exact(x))
    assert inside(piece, exact(x))
    assert piece.contains(x)
    scale = max(1.0, np.abs(piece.weight).max())
    assert np.allclose(piece.weight, f.jacobian(x), rtol=0, atol=1e-13 * scale)


@settings(max_examples=60)
@given(st.data())
def test_a_piece_is_the_network_wherever_its_polytope_reaches_and_no_further(data):
    f = data.draw(linear_networks())
    x, *others = data.draw(points(2, rows=6))
    piece, at = f.piece(x), pattern(f, exact(x))
    for other in others:
        for step in (Fraction(1), Fraction(1, 8), Fraction(1, 128)):
            p = [a + step * (b - a) for a, b in zip(exact(x), exact(other), strict=True)]
            held = inside(piece, p)
            if held:
                assert mapped(piece, p) == evaluate(f, p)
            assert held or pattern(f, p) != at
            double = np.array([float(v) for v in p])
            assert piece.contains(double) == inside(piece, exact(double))


def test_ten_thousand_points_of_the_polytope():
    f = net(sizes=(2, 8, 8, 3))
    x = np.array([0.3, -0.2])
    piece = f.piece(x)
    cloud = x + np.random.default_rng(1).normal(size=(10_000, 2)) * 0.5
    held = piece.contains(cloud)
    assert 200 < held.sum() < 9_800
    assert np.array_equal(held, (cloud @ piece.A.T <= piece.c).all(axis=1))
    error = np.abs(f(cloud) - (cloud @ piece.weight.T + piece.bias)).max(axis=1)
    assert error[held].max() < 1e-13
    assert (error[~held] > 1e-13).mean() > 0.99


def facet(piece, k):
    """A point in the middle of a side, and how far the other sides are, by linear programming."""
    norms = np.linalg.norm(piece.A, axis=1)
    others = [j for j in range(len(piece.c)) if j != k]
    found = scipy.optimize.linprog(
        [0, 0, -1],
        A_ub=np.column_stack([piece.A, norms])[others],
        b_ub=piece.c[others],
        A_eq=[[*piece.A[k], 0]],
        b_eq=[piece.c[k]],
        bounds=[(-5, 5), (-5, 5), (0, 1)],
    )
    return (found.x[:2], found.x[2]) if found.status == 0 else (None, 0)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "abs", "hardtanh"])
def test_behind_every_facet_lies_another_piece(activation):
    f = net(activation, seed=3)
    piece = f.piece([0.1, 0.2])
    crossed = 0
    for k, row in enumerate(piece.A):
        middle, room = facet(piece, k)
        if room < 1e-4:
            continue
        crossed += 1
        step = 1e-6 * row / np.linalg.norm(row)
        assert piece.contains(middle - step)
        assert not piece.contains(middle + step)
        before, behind = (pattern(f, exact(middle + s)) for s in (-step, step))
        assert sum(a != b for a, b in zip(before, behind, strict=True)) == 1
        assert piece.units[k] not in f.piece(middle + step).units
    assert crossed >= 3


KINKS = {
    "relu": [0.0], "leaky_relu": [0.0], "prelu": [0.0], "abs": [0.0], "hardtanh": [-1.0, 1.0], "relu6": [0.0, 6.0],
    "softshrink": [-0.5, 0.5], "hardsigmoid": [-3.0, 3.0],
}  # fmt: skip


@pytest.mark.parametrize(("name", "at"), [(n, k) for n, kinks in KINKS.items() for k in kinks])
def test_at_a_kink_the_slope_is_the_chosen_one(name, at):
    f = na.Network.function(name)
    piece = f.piece([at])
    assert piece.weight.tolist() == f.jacobian([at]).tolist()
    assert mapped(piece, [Fraction(at)]) == [line(name, Fraction(at))]
    assert piece.contains([at])
    around = [at - 0.25, at + 0.25]
    held = piece.contains(np.array(around)[:, None]).tolist()
    assert held == [pytest.approx(f.jacobian([p])[0, 0]) == piece.weight[0, 0] for p in around]


def test_the_derivative_of_abs_at_0_belongs_to_no_neighbour_and_its_piece_is_a_point():
    piece = na.Network.function("abs").piece([0.0])
    assert (piece.A.tolist(), piece.c.tolist()) == ([[-1.0], [1.0]], [0.0, 0.0])
    assert piece.contains([[0.0], [5e-324], [-5e-324]]).tolist() == [True, False, False]


def test_of_equal_maxima_the_first_counts():
    layer = na.Maximum([[1, 0, 0]])
    f = na.Network.from_layer(layer, 2)
    piece = f.piece([1.0, 1.0])
    assert piece.weight.tolist() == f.jacobian([1.0, 1.0]).tolist() == [[0.0, 1.0]]
    assert (piece.A.tolist(), piece.c.tolist(), piece.units) == ([[1.0, -1.0]], [0.0], ("x1 <= x2",))


@pytest.mark.parametrize("name", LINEAR)
def test_segments_are_the_textbook_lines(name):
    parts = segments(na.activation(name)).parts
    for z in [Fraction(k, 8) for k in range(-60, 60)]:
        q = Rationals().scalar(z)
        part = next(p for p in parts if (p.low is None or p.low <= q) and (p.high is None or q <= p.high))
        assert fraction(part.slope * q + part.offset) == line(name, z)


def test_parameters_for_each_unit_and_slopes_that_do_not_bend():
    slopes = na.activation("prelu", slope=[0.5, 1.0])
    f = na.Network.from_layer(na.Elementwise(slopes), 2)
    piece = f.piece([-1.0, -1.0])
    assert piece.weight.tolist() == [[0.5, 0.0], [0.0, 1.0]]
    assert piece.units == ("x1 <= 0",)


def test_each_side_is_stated_once_and_a_unit_that_never_changes_states_none():
    weight = [[1.0, 1.0], [2.0, 2.0], [0.5, 0.5], [0.0, 0.0]]
    f = na.Network.from_layers([(weight, [1.0, 1.0, 1.0, -1.0]), (np.ones((1, 4)), None)], "relu")
    piece = f.piece([1.0, 1.0])
    assert piece.units == ("z1_2 >= 0",)
    assert (piece.A.tolist(), piece.c.tolist()) == ([[-2.0, -2.0]], [1.0])


def test_a_point_is_in_its_own_piece_where_float64_sees_it_on_the_other_side():
    third = 1 / 3
    f = na.Network.from_layers([([[third, -third]], [0.0]), ([[1.0]], None)], "relu")
    x = np.array([1.0, 1.0 - 2**-53])
    assert f.piece(x).weight.tolist() == [[third, -third]]
    assert f.piece(x).contains(x)
    assert not f.piece(x).contains(x[::-1])


def test_numbers_are_rounded_once():
    f = net(seed=5)
    piece = f.piece([0.5, 0.5])
    numbers = piece.exact()
    for name in ("weight", "bias", "A", "c"):
        found = getattr(piece, name)
        assert found.tolist() == np.vectorize(float)(numbers[name]).tolist()
    assert not all(float(w) == w for w in numbers["weight"].ravel())


def test_a_piece_as_network_formula_and_text():
    f = na.Network.from_layers(
        [([[1.0, 1.0], [1.0, -1.0]], [0.0, -0.5]), ([[2.0, 3.0]], [1.0])], "relu", input_names=["a b", "class"]
    )
    piece = f.piece([1.0, 1.0])
    assert piece.network()([1.0, 1.0]).tolist() == f([1.0, 1.0]).tolist() == [5.0]
    assert piece.network().input_names == ("a b", "class")
    assert piece.formula().text().splitlines()[-1] == "y1 = 2.0*a_b + 2.0*class_ + 1"
    assert piece.text().splitlines()[-3:] == [
        "where",
        "  -a_b - class_ <= 0     z1_1 >= 0",
        "  a_b - class_ <= 0.5    z1_2 <= 0",
    ]
    assert repr(piece) == "<Piece 2 → 1: 2 sides>"
    assert str(na.Network.from_layers([([[2.0]], [0.1])]).piece([3.0])) == "y1 = 2.0*x1 + 0.1\neverywhere"
    short = net(seed=5).piece([0.5, 0.5]).text(digits=3)
    assert max(len(number.strip("0.")) for number in re.findall(r"\d+\.\d+", short)) <= 4


PRODUCT = na.Network.from_layer(na.Multiply(), 2, 2) @ na.Network.from_layers([(np.ones((4, 2)), None)])
REFUSED = {
    "place 2, tanh, is smooth and curved": net("tanh"),
    "place 2, elu, is curved": net("elu"),
    "place 2, sign, jumps": net("sign"),
    "place 2, step, jumps": net("step"),
    "place 2, relu', jumps": net("relu'"),
    "place 2, hardswish, is curved": net("hardswish"),
    "place 4, Multiply, is not piecewise": PRODUCT,
    "place 1, Softmax, is not piecewise": na.Network.from_layer(na.Softmax(), 2),
    "place 1, PowerProduct 1→1, is not piecewise": na.Network.from_layer(na.PowerProduct([[2.0]]), 1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_not_piecewise_linear_is_named(message):
    f = REFUSED[message]
    with pytest.raises(UnsupportedError, match=message):
        f.piece(np.ones(f.input_size))


def test_a_registered_function_is_not_trusted_to_be_piecewise_linear(monkeypatch):
    activations = __import__("neuralgebra.functions.activation", fromlist=["x"])
    monkeypatch.setattr(activations, "_ROWS", dict(activations._ROWS))
    x = sympy.Symbol("x")
    na.register("my_line", 2 * x, x)
    with pytest.raises(UnsupportedError, match="registered"):
        na.Network.function("my_line").piece([1.0])


@pytest.mark.parametrize("x", [[1.0], [[1.0, 2.0]], 1.0, [1.0, 2.0, 3.0]])
def test_a_point_of_another_shape_is_refused(x):
    with pytest.raises(ShapeError, match=r"\(2,\) expected"):
        net().piece(x)


@pytest.mark.parametrize("x", [[np.nan, 0.0], [np.inf, 0.0], ["a", "b"], [1j, 0.0], [None, 1.0]])
def test_a_point_that_is_not_finite_and_real_is_refused(x):
    with pytest.raises(InputError, match=r"(finite|real) numbers expected"):
        net().piece(x)


def test_points_to_ask_for_may_be_anything_of_the_right_size():
    piece = net().piece([0.1, 0.2])
    assert piece.contains([np.nan, 0.0]) == piece.contains([np.inf, 0.0]) == np.False_
    assert piece.contains(np.zeros((3, 4, 2))).shape == (3, 4)
    assert piece.contains(np.zeros((0, 2))).shape == (0,)
    with pytest.raises(ShapeError, match=r"\(\.\.\., 2\) expected"):
        piece.contains([1.0])
    with pytest.raises(InputError, match="real numbers expected"):
        piece.contains(["a", "b"])


def test_points_and_sides_of_any_size_are_told_apart():
    f = na.Network.from_layers([([[1e-310]], [-1e-10]), ([[1.0]], None)], "relu")
    piece = f.piece([0.0])
    assert piece.contains([[1e300], [1e299]]).tolist() == [
        Fraction(1e-310) * Fraction(x) <= Fraction(1e-10) for x in (1e300, 1e299)
    ]
    steep = na.Network.from_layers([([[1e300]], [1.0]), ([[1.0]], None)], "relu").piece([1.0])
    assert steep.contains([[1e300], [-1e300]]).tolist() == [True, False]


def test_a_network_whose_forms_would_not_fit_is_refused():
    f = na.Network.from_layers([(np.ones((3000, 2000)), None)], "relu")
    with pytest.raises(ResourceError, match="2,001 times 3,000 exact numbers"):
        f.piece(np.ones(2000))


def test_numbers_beyond_float64_are_refused():
    f = na.Network.from_layers([([[1e200]], None), ([[1e200]], None)], "relu")
    with pytest.raises(ResourceError, match="beyond the largest number"):
        f.piece([1.0])


def test_a_network_of_float32_has_its_exact_piece():
    rng = np.random.default_rng(2)
    layers = [(rng.normal(size=(5, 2)).astype(np.float32), None), (rng.normal(size=(1, 5)).astype(np.float32), None)]
    f = na.Network.from_layers(layers, "relu")
    x = [0.5, -0.25]
    assert mapped(f.piece(x), exact(x)) == evaluate(f, exact(x))
    assert f.piece(x).network()(x)[0] == pytest.approx(float(evaluate(f, exact(x))[0]), rel=1e-15)


@given(st.fractions(max_denominator=10**30) | st.floats(allow_nan=False, allow_infinity=False).map(Fraction))
def test_ends_are_rounded_outwards(value):
    q = Rationals().scalar(value)
    assert Fraction(below(q)) <= value <= Fraction(above(q))
    assert math.nextafter(below(q), math.inf) >= above(q)
    assert nearest(q) == float(value)


def test_ends_beyond_the_largest_double():
    k = Rationals()
    largest = float(np.finfo(np.float64).max)
    huge = k.scalar(Fraction(10) ** 400)
    assert (below(huge), above(huge), below(-huge), above(-huge)) == (largest, np.inf, -np.inf, -largest)
    assert (below(-k.scalar(Fraction(1, 10**400))), above(k.scalar(Fraction(1, 10**400)))) == (-5e-324, 5e-324)


def test_ends_of_balls_of_any_exponent():
    largest = float(np.finfo(np.float64).max)
    with flint.ctx.workprec(300):
        huge, tiny = flint.arb(10**30).exp(), flint.arb(-(10**30)).exp()
    assert (ends(huge), ends(-huge)) == ((largest, np.inf), (-np.inf, -largest))
    assert (ends(tiny), ends(-tiny)) == ((0.0, 5e-324), (-5e-324, 0.0))
    assert ends(flint.arb(0)) == (0.0, 0.0)
    low, high = ends(flint.arb(1, 0.25))
    assert low <= 0.75 < low + 1e-9
    assert high - 1e-9 < 1.25 <= high
