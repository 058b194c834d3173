"""Formulas on a box: they are the network there, and no error exceeds its proven bound."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from boxes import boxes, inside, net
from neuralgebra.errors import InputError, NotCertifiedError, UnsupportedError
from neuralgebra.formula import rounding
from neuralgebra.formula.reduction import Reduction
from neuralgebra.formula.simplify import box_of
from oracles_exact import evaluate, exact, linear_networks
from strategies import after, networks
from test_formula import run

# Formulas on a box ------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.data())
def test_the_formula_on_a_box_is_the_network_there(data):
    f = data.draw(networks(inputs=2, depth=3))
    box = data.draw(boxes(2))
    form = f.formula(1, box=box)
    x = inside(box, 1)[4]
    values = run(form.text(), f.input_names, x)
    jacobian = f.jacobian(x)
    scale = max(1.0, np.abs(jacobian).max(), np.abs(f(x)).max())
    for i, y in enumerate(f.output_names):
        assert abs(values[y] - f(x)[i]) <= 1e-11 * scale
        for j, u in enumerate(f.input_names):
            assert abs(values[f"d{y}_d{u}"] - jacobian[i, j]) <= 1e-10 * scale


def test_a_formula_on_a_box_is_short_and_says_what_it_is():
    f = net("relu", sizes=(3, 16, 16, 1))
    form = f.formula(box=[(0, 0.1)] * 3)
    lines = form.text().splitlines()
    assert len(form) < len(f.formula()) / 4
    assert lines[0] == "# on 0.0 <= x1 <= 0.1, 0.0 <= x2 <= 0.1, 0.0 <= x3 <= 0.1"
    assert lines[1] == f"# units: {form.simplification.restriction.summary()}"
    assert lines[2].startswith("# every error there is at most ")
    assert 0 < form.bound < 1e-13
    assert form.latex().splitlines()[0] == "%" + lines[0][1:]
    assert f.formula().bound is None
    assert f.formula(1, box=[(0, 0.1)] * 3).bound is None
    wide = net(sizes=(30, 4, 1)).formula(box=[(0, 1)] * 30)
    assert wide.text().splitlines()[0] == "# on a box of 30 inputs"


def test_a_narrow_layer_is_not_multiplied_out_into_a_longer_formula():
    f = na.Network.from_layers([(np.full((1, 8), 0.3), [9.0]), (np.full((8, 1), 0.7), None)], "relu")
    form = f.formula(box=[(0, 1)] * 8)
    assert form.simplification.network.parameter_count == 8 + 1 + 8
    assert form.simplification.restriction.kept == 0


def worst(f, form, x):
    """How far a formula is from the network at points, beyond the rounding errors of both evaluations."""
    truth = f(x)
    found = form.simplification.network(x)
    return np.max(np.abs(found - truth), initial=0.0) - 1e-13 * max(1.0, np.abs(truth).max())


ACTIVATIONS = ("relu", "tanh", "sigmoid", "softplus", "gelu", "silu", "elu", "selu", "abs", "hardtanh", "sin", "square",
               "gaussian", "hardswish", "softsign", "leaky_relu", "exp", "mish")  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("tol", [0.3, 1e-3, 1e-8])
def test_no_error_exceeds_the_bound_at_ten_thousand_points(activation, tol):
    f = net(activation, seed=2, sizes=(2, 5, 4, 2), scale=0.6)
    box = [(-1.0, 1.0), (0.0, 2.0)]
    form = f.formula(box=box, tol=tol)
    assert form.bound <= tol
    assert worst(f, form, inside(box, 10_000)) <= form.bound


@settings(max_examples=40)
@given(st.data())
def test_no_error_exceeds_the_bound_of_any_network(data):
    f = data.draw(networks(inputs=2, depth=3))
    box = data.draw(boxes(2))
    form = f.formula(box=box, digits=data.draw(st.integers(1, 5)))
    if form.bound is not None:
        assert worst(f, form, inside(box, 300)) <= form.bound


@settings(max_examples=30)
@given(st.data())
def test_no_exact_error_exceeds_the_bound(data):
    """Of piecewise linear networks in fractions, where nothing is excused by rounding."""
    f = data.draw(linear_networks())
    box = data.draw(boxes(2))
    form = f.formula(box=box, digits=data.draw(st.integers(1, 17)))
    for x in inside(box, 3):
        found, truth = evaluate(form.simplification.network, exact(x)), evaluate(f, exact(x))
        assert max(abs(a - b) for a, b in zip(found, truth, strict=True)) <= Fraction(form.bound)


@pytest.mark.parametrize("digits", [1, 2, 4, 17])
def test_the_bound_of_an_affine_network_is_the_largest_error(digits):
    """On a box around 0 it is attained at a corner: nothing is given away."""
    f = net(sizes=(3, 2))
    form = f.formula(box=[(-2, 2)] * 3, digits=digits)
    (weight, bias), (coarse, shift) = f.layers_list()[0], form.simplification.network.layers_list()[0]
    errors = [
        sum(2 * abs(Fraction(a) - Fraction(b)) for a, b in zip(*rows, strict=True)) + abs(Fraction(c) - Fraction(d))
        for rows, c, d in zip(
            zip(weight.tolist(), coarse.tolist(), strict=True), bias.tolist(), shift.tolist(), strict=True
        )
    ]
    assert max(errors) <= Fraction(form.bound)
    assert form.bound == pytest.approx(float(max(errors)), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("layer", [na.Softmax(), na.Softmax(log=True), na.Maximum([[0, 1, 2], [1, 2, 3]])])
def test_bounds_hold_behind_other_layers(layer):
    """All numbers that are rounded stand before the layer, so that its own part of the bound counts."""
    rng = np.random.default_rng(4)
    box = [(-1, 1), (-1, 1)]
    for digits in (1, 2, 3):
        weight = np.round(rng.normal(size=(4, 2)), 1) + 0.4 * 10.0**-digits * rng.choice([-1, 1], size=(4, 2))
        f = after(na.Network.from_layers([(weight, None)]), layer)
        form = f.formula(box=box, digits=digits)
        error = worst(f, form, inside(box, 10_000))
        assert form.bound / 20 < error <= form.bound


def test_bounds_hold_for_products_and_are_unknown_for_others():
    f, g = net("tanh", sizes=(2, 3, 2)), net("sigmoid", seed=1, sizes=(2, 3, 2))
    box = [(-1, 1), (-1, 1)]
    form = (f * g).formula(box=box, digits=2)
    assert form.bound / 100 < worst(f * g, form, inside(box, 10_000)) <= form.bound
    power = after(f * f + 1, na.PowerProduct([[1.5, 0.5]]))
    assert power.formula(box=box, digits=2).bound is None
    with pytest.raises(UnsupportedError, match="PowerProduct 2→1 has no bound"):
        power.formula(box=box, tol=0.1)


def test_a_jump_within_reach_is_part_of_the_bound():
    f = na.Network.from_layers([([[1.0]], [-0.123456]), ([[1.0]], None)], "step")
    near, far = f.formula(box=[(-1, 1)], digits=2), f.formula(box=[(0.5, 1)], digits=2)
    assert (near.bound >= 1, far.bound) == (True, 0.0)
    assert worst(f, near, np.array([[0.1215]])) > 0.9
    with pytest.raises(NotCertifiedError, match="with every digit the bound on this box is 1"):
        (f @ na.Network.from_layers([([[1 / 3]], [1 / 700])])).formula(box=[(-1, 1)], tol=0.5)


def test_a_range_outside_of_the_domain_has_no_bound():
    f = na.Network.from_layers([([[1.0]], [0.123456]), ([[1.0]], None)], "log")
    assert f.formula(box=[(-1, 1)], digits=2).bound is None
    assert f.formula(box=[(1, 2)], digits=2).bound < 0.01
    with pytest.raises(NotCertifiedError, match="with every digit the bound on this box is inf"):
        (f @ na.Network.from_layers([([[1 / 3]], [1 / 7])])).formula(box=[(-1, 1)], tol=1)


# The tests would see a bound that is not one ----------------------------------------------------------------------


def forgets(name):
    """A bound with a mistake that people make."""
    part = rounding._propagated

    def without_bias(rounded, errors, sizes):
        cut = rounded.errors.copy()
        cut[0] = 0
        return part(rounding.Rounded(rounded.numbers, cut), errors, sizes)

    def without_weights(rounded, errors, sizes):
        cut = rounded.errors.copy()
        cut[1:] = 0
        return part(rounding.Rounded(rounded.numbers, cut), errors, sizes)

    def without_earlier_layers(rounded, errors, sizes):
        return part(rounded, errors * 0, sizes)

    def with_sizes_of_one(rounded, errors, sizes):
        return part(rounded, errors, np.minimum(sizes, 1.0))

    return locals()[name]


@pytest.mark.parametrize("mistake", ["without_bias", "without_weights", "without_earlier_layers", "with_sizes_of_one"])
def test_a_bound_that_forgets_a_term_is_caught(mistake, monkeypatch):
    """By the very check of the property tests, on one of a few networks."""
    monkeypatch.setattr(rounding, "_propagated", forgets(mistake))
    box = [(-4.0, 4.0)]
    caught = 0
    for seed in range(12):
        f = net("relu", seed, sizes=(1, 2, 1))
        form = f.formula(box=box, digits=1)
        caught += worst(f, form, inside(box, 1000)) > form.bound
    assert caught >= 3


def test_a_bound_with_the_slope_of_a_point_is_caught(monkeypatch):
    """The slope counts over the whole range: that of sin at 0 alone would be 1, that of x² would be 0."""
    unit = rounding._unit
    zero = rounding._K.scalar(0)
    monkeypatch.setattr(rounding, "_unit", lambda k, f, ends, error: unit(k, f, (zero, zero), error))
    f = na.Network.from_layers([([[1.26]], None), ([[1.0]], None)], "square")
    form = f.formula(box=[(-4, 4)], digits=1)
    assert worst(f, form, inside([(-4.0, 4.0)], 100)) > form.bound


# The shortest -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("tol", [1.0, 0.1, 1e-3, 1e-6])
def test_the_formula_within_a_tolerance_is_not_longer_than_with_equal_digits(activation, tol):
    f = net(activation, seed=7, sizes=(3, 6, 1))
    box = [(-1, 1)] * 3
    equal = next(form for d in range(1, 18) if (form := f.formula(box=box, digits=d)).bound <= tol)
    form = f.formula(box=box, tol=tol)
    assert len(form.text()) <= 1.02 * len(equal.text())
    assert form.bound > tol / 100


def test_weights_that_do_not_matter_are_left_out_and_their_units_with_them():
    f = na.Network.from_layers([([[1.0, 1e-9], [2.0, 1.0]], None), ([[1.0, 1e-7]], [0.5])], "tanh")
    form = f.formula(box=[(-1, 1)] * 2, tol=1e-3)
    assert form.text().splitlines()[2:] == [
        "# every error there is at most 1.006e-07, proven; up to 1 digit, 4 of 7 numbers left out",
        "a1_1 = tanh(x1)",
        "y1 = a1_1 + 0.5",
    ]
    assert form.bound <= 1e-3


def test_a_network_that_is_constant_within_the_tolerance():
    f = na.Network.from_layers([([[1e-5]], [0.25]), ([[1.0]], None)], "tanh")
    text = f.formula(box=[(0, 1)], tol=1e-3).text().splitlines()
    assert text[-1].startswith("y1 = ")
    assert "x1" not in text[-1]


# Bad input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tol", [0, -1.0, np.nan, np.inf, "a", True, None])
def test_a_tolerance_that_makes_no_sense_is_refused(tol):
    if tol is None:
        with pytest.raises(InputError, match="without a box received"):
            net().formula(tol=1)
    else:
        with pytest.raises(InputError, match="a positive number expected"):
            net().formula(box=[(0, 1)] * 2, tol=tol)


def test_a_tolerance_with_digits_or_for_derivatives_is_refused():
    with pytest.raises(InputError, match="one of them expected"):
        net().formula(box=[(0, 1)] * 2, tol=1, digits=3)
    with pytest.raises(UnsupportedError, match="for values, not for derivatives"):
        net().formula(1, box=[(0, 1)] * 2, tol=1)


def test_a_tolerance_below_what_float64_can_give_is_refused_with_what_it_can():
    with pytest.raises(NotCertifiedError, match=r"tol=1e-30 received; with every digit the bound on this box is \d"):
        net("relu", sizes=(2, 8, 8, 1)).formula(box=[(0, 0.1)] * 2, tol=1e-30)
    assert net("tanh").formula(box=[(0, 1)] * 2, tol=1e-30).bound == 0.0


def check_ranges(f, box):
    """Every argument of every stage lies in its range: values are computed stage by stage, in float64."""
    found = Reduction(f, box_of(f, box))
    x = inside(box, 50)
    variables = np.concatenate([np.ones((len(x), 1)), x], axis=1)
    for stage in found.stages:
        arguments = [variables[:, : len(form)] @ form.astype(float) for form in stage.arguments]
        for z, known in zip(arguments, stage.ranges, strict=True):
            low, high = (
                np.where(known.known, e.astype(float), s) for e, s in ((known.low, -np.inf), (known.high, np.inf))
            )
            slack = 1e-9 * np.maximum(1, np.abs(z))
            assert (z >= low - slack).all()
            assert (z <= high + slack).all()
        layer = na.Network.from_layer(stage.layer, *(a.shape[1] for a in arguments))
        variables = np.concatenate([variables, layer(np.concatenate(arguments, axis=1))], axis=1)
    return found


@settings(max_examples=40)
@given(st.data())
def test_every_range_holds(data):
    check_ranges(data.draw(networks(inputs=2, depth=4)), data.draw(boxes(2)))


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "relu6", "softshrink", "step", "hardsigmoid"])
def test_every_range_of_a_deep_network_holds(activation):
    f = net(activation, seed=3, sizes=(2, 6, 6, 6, 1), scale=0.7)
    assert check_ranges(f, [(-0.5, 0.5), (0.25, 1.0)]).stages


def test_what_units_have_in_common_cancels():
    """tanh(x + 1/4) + tanh(1/4 - x) is never small here: ranges of both units alone would not tell."""
    layers = [([[1.0], [-1.0]], [0.25, 0.25]), ([[1.0, 1.0]], [-0.4]), ([[1.0]], None)]
    f = na.Network.from_layers(layers, ["tanh", "relu"])
    box = [(-0.2, 0.2)]
    low = sum(np.tanh([0.25 - 0.2, 0.25 - 0.2])) - 0.4
    assert low < 0 < f([[-0.2], [0.0], [0.2]]).min()
    assert [r.name for r in f.restricted(box).removed] == ["a2_1"]


def test_what_is_printed_is_within_the_bound():
    f = net("softplus", seed=3, sizes=(2, 4, 2))
    box = [(-1.0, 1.0), (0.0, 2.0)]
    form = f.formula(box=box, tol=1e-2)
    for x in inside(box, 20):
        values = run(form.text(), f.input_names, x)
        assert max(abs(values[y] - v) for y, v in zip(f.output_names, f(x), strict=True)) <= form.bound
