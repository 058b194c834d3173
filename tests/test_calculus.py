"""Jets: the rules against difference quotients with 60 digits, on arrays, symbols and balls alike."""

from __future__ import annotations

import gc
import itertools
import weakref

import array_api_strict
import flint
import jax
import numpy as np
import pandas
import polars
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.calculus.derivatives import jets
from neuralgebra.calculus.forms import Full
from neuralgebra.calculus.indices import IndexSet, factorial
from neuralgebra.calculus.jet import Jet, convolve
from neuralgebra.calculus.layer_sum import gradients, layer_sum
from neuralgebra.calculus.origin import first_layer, tangents
from neuralgebra.calculus.propagate import RULES
from neuralgebra.calculus.strategies import forward_jacobian
from oracles import derivative
from oracles_calculus import compose, propagate
from strategies import after, arrays, networks, points
from zoo import NETWORKS, activation_networks

jax.config.update("jax_enable_x64", True)


def majorant(values: np.ndarray) -> float:
    return max(1.0, float(np.abs(values).max(initial=0)))


@given(st.data())
def test_value_jacobian_hessian_against_difference_quotients(data: st.DataObject) -> None:
    f = data.draw(networks())
    x = data.draw(points(f.input_size, rows=1))[0]
    n = f.input_size
    value, jacobian, hessian = f(x), f.jacobian(x), f.hessian(x)
    assert value.shape == (f.output_size,)
    np.testing.assert_allclose(value, derivative(f, x, ()), rtol=1e-12, atol=1e-12 * majorant(value))
    for j in range(n):
        np.testing.assert_allclose(jacobian[:, j], derivative(f, x, (j,)), rtol=1e-10, atol=1e-10 * majorant(jacobian))
    for j, k in itertools.product(range(n), repeat=2):
        np.testing.assert_allclose(hessian[:, j, k], derivative(f, x, (j, k)), rtol=1e-9, atol=1e-9 * majorant(hessian))


@given(st.data())
def test_arrays_symbols_and_balls_run_the_same_rules(data: st.DataObject) -> None:
    f = data.draw(networks(inputs=2))
    x = data.draw(points(2, rows=1))[0]
    balls, symbols = Balls(128), Symbols()
    with balls.precision():
        exact = jets(balls, f, balls.weight(x), 2)
    names = sympy.symbols("x1 x2")
    formulas = jets(symbols, f, np.array(names, dtype=object), 2)
    numbers = f(x), f.jacobian(x), f.hessian(x)
    for number, ball, formula in zip(numbers, exact, formulas, strict=True):
        scale = majorant(number)
        for v, b, e in zip(number.flat, ball.flat, formula.flat, strict=True):
            assert abs(v - float(b.mid())) < 1e-11 * scale
            assert float(b.rad()) < 1e-25 * scale
            assert abs(sympy.N(e.subs(dict(zip(names, map(sympy.Float, x), strict=True))), 30) - v) < 1e-11 * scale


def test_the_table_has_a_rule_for_every_kind_of_layer_and_the_test_a_network() -> None:
    used = {type(node.layer) for f in NETWORKS.values() for node in f.nodes}
    assert used == set(RULES)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_on_every_library(name: str) -> None:
    f = NETWORKS[name]
    x = np.random.default_rng(2).normal(size=(3, 2, 4))
    value, jacobian, hessian = f(x), f.jacobian(x), f.hessian(x)
    assert (value.shape, jacobian.shape) == ((3, 2, f.output_size), (3, 2, f.output_size, 4))
    assert hessian.shape == (3, 2, f.output_size, 4, 4)
    for make in (torch.tensor, jax.numpy.asarray, array_api_strict.asarray):
        arrays_ = make(x)
        for ours, question in ((value, f), (jacobian, f.jacobian), (hessian, f.hessian)):
            theirs = question(arrays_)
            assert type(theirs) is type(arrays_)
            np.testing.assert_allclose(np.asarray(theirs), ours, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_against_jax(name: str) -> None:
    f = NETWORKS[name]
    x = np.random.default_rng(3).normal(size=4)
    np.testing.assert_allclose(f.jacobian(x), jax.jacfwd(f)(jax.numpy.asarray(x)), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(f.hessian(x), jax.hessian(f)(jax.numpy.asarray(x)), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", [*NETWORKS, *activation_networks()])
def test_every_layer_and_every_activation_on_arrays_symbols_and_balls(name: str) -> None:
    f = {**NETWORKS, **activation_networks()}[name]
    x = np.random.default_rng(6).uniform(-0.5, 0.5, size=f.input_size)
    numbers = f(x), f.jacobian(x), f.hessian(x)
    balls, names = Balls(128), sympy.symbols(f.input_names)
    with balls.precision():
        exact = jets(balls, f, balls.weight(x), 2)
    formulas = jets(Symbols(), f, np.array(names, dtype=object), 2)
    at = dict(zip(names, map(sympy.Float, x), strict=True))
    for number, ball, formula in zip(numbers, exact, formulas, strict=True):
        for v, b, e in zip(number.flat, ball.flat, formula.flat, strict=True):
            assert b.rad() < 1e-25
            assert abs(v - float(b.mid())) < 1e-12 * max(1, abs(v))
            assert abs(float(sympy.sympify(e).xreplace(at).evalf(30)) - v) < 1e-12 * max(1, abs(v))


SMOOTH = sorted(name for name, row in na.activations().items() if not row.kinks)


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("order", [3, 6])
def test_taylor_recurrence_of_every_smooth_activation(name: str, order: int) -> None:
    """σ(z(t)) along z = z₀ + t/2 + t²/8, against σ⁽ⁿ⁾ of the catalogue summed by Faà di Bruno through polynomials."""
    low, high = na.activations()[name].domain
    start = 0.4 if low == 0 or high < 2 else 0.7
    balls = Balls(200)
    indices = IndexSet.full(1, order)
    with balls.precision():
        coefficients = [start, 0.5, 0.125] + [None] * (order - 2)
        levels = tuple(None if c is None else balls.weight(np.array([[c]])) for c in coefficients)
        ours = compose(balls, na.activation(name), Jet(indices, levels))
        step = flint.arb_series([0, 0.5, 0.125], prec=order + 1)
        theirs, power = flint.arb_series([0], prec=order + 1), flint.arb_series([1], prec=order + 1)
        for n in range(order + 1):
            slope = na.activation(name).derivative(balls, balls.weight(np.array([start])), n)[0]
            theirs += power * slope / int(np.prod(range(1, n + 1)))
            power *= step
        for n in range(order + 1):
            level = ours.levels[n]
            found = flint.arb(0) if level is None else level[0, 0]
            assert found.overlaps(theirs[n]), (n, found, theirs[n])
            assert found.rad() < 1e-30


@given(st.data())
def test_product_rule_of_jets_over_any_downward_closed_set(data: st.DataObject) -> None:
    """convolve() against the definition: loops over all pairs of multi-indices."""
    tuples = st.lists(st.integers(0, 2), max_size=3).map(lambda v: tuple(sorted(v)))
    indices = IndexSet.below(data.draw(st.lists(tuples, min_size=1, max_size=3)))
    k = Arrays(np.zeros(1))
    u, v = ([data.draw(arrays((len(level), 1))) for level in indices.levels] for _ in range(2))
    for total in range(indices.order + 1):
        ours = sum(convolve(k, indices, j, u[j], total - j, v[total - j]) for j in range(total + 1))
        for place, alpha in enumerate(indices.levels[total]):
            expected = 0.0
            for a, b in itertools.product(itertools.chain(*indices.levels), repeat=2):
                if tuple(sorted(a + b)) == alpha:
                    expected += u[len(a)][indices.places(len(a))[a], 0] * v[len(b)][indices.places(len(b))[b], 0]
            np.testing.assert_allclose(ours[place, 0], expected, rtol=1e-14, atol=1e-14)


def test_index_sets_are_downward_closed() -> None:
    indices = IndexSet.below([(0, 0, 1), (2,)])
    assert indices.levels == (((),), ((0,), (1,), (2,)), ((0, 0), (0, 1)), ((0, 0, 1),))
    assert factorial((0, 0, 1, 2, 2, 2)) == 12
    assert IndexSet.full(3, 2).size == 10


@given(st.data())
def test_mixed_partials_of_order_four(data: st.DataObject) -> None:
    f = data.draw(networks(inputs=2, depth=1))
    x = data.draw(points(2, rows=1))[0]
    full, box = IndexSet.full(2, 4), IndexSet.below([(0, 0, 1, 1)])
    k = Balls(128)
    with k.precision():
        start = k.weight(x)
        one = propagate(k, f, variables(k, start, full))
        other = propagate(k, f, variables(k, start, box))
    a, b = one.levels[4], other.levels[4]
    if a is None or b is None:
        assert a is b
        return
    for u, v in zip(a[full.places(4)[0, 0, 1, 1]].flat, b[0].flat, strict=True):
        assert u.overlaps(v)


def variables(k: Balls, x: np.ndarray, indices: IndexSet) -> Jet:
    levels = [x[None], k.weight(np.eye(len(x)))] + [None] * (indices.order - 1)
    return Jet(indices, tuple(levels))


def test_hessians_are_symmetric_bit_for_bit_and_blocks_change_nothing() -> None:
    rng = np.random.default_rng(5)
    f = na.Network.from_layers([(rng.normal(size=(40, 6)), None), (rng.normal(size=(2, 40)), None)], "tanh")
    x = rng.normal(size=(3000, 6))
    hessian = f.hessian(x)
    assert np.array_equal(hessian, hessian.swapaxes(-1, -2))
    np.testing.assert_allclose(hessian[2000:2003], f.hessian(x[2000:2003]), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(f.jacobian(x)[-1], f.jacobian(x[-1]), rtol=1e-13, atol=1e-14)


def test_dtypes() -> None:
    f = na.Network.from_layers([([[1, 2], [3, 4]], [0.5, 0.5]), ([[1, 1]], None)], "tanh")
    assert f([1, 2]).dtype == np.float64
    single = na.Network.from_layers([(np.ones((1, 2), np.float32), None)])
    assert single([1, 2]).dtype == single([1.0, 2.0]).dtype == np.float32
    assert f(np.array([[1, 2]])).shape == (1, 1)
    with pytest.warns(na.errors.PrecisionWarning, match="float32"):
        assert f(np.array([1, 2], dtype=np.float32)).dtype == np.float32
    with pytest.raises(na.errors.DtypeError, match="float16"):
        f(np.array([1, 2], dtype=np.float16))
    with pytest.raises(na.errors.DtypeError, match="bool"):
        f([True, False])
    with pytest.raises(na.errors.DtypeError, match="numbers"):
        f(["a", "b"])
    with pytest.raises(na.errors.ShapeError, match=r"\(3,\) received; \(\.\.\., 2\) expected"):
        f([1.0, 2.0, 3.0])


@pytest.mark.parametrize("library", [pandas, polars])
def test_data_frames_are_matched_by_name(library):
    f = na.Network.from_layers([([[1.0, 10.0]], None)], input_names=["a", "b"])
    table = library.DataFrame({"b": [1.0, 2.0], "other": [0.0, 0.0], "a": [5.0, 6.0]})
    assert f(table).tolist() == [[15], [26]]
    assert f.jacobian(table).shape == (2, 1, 2)
    with pytest.raises(na.errors.InputError, match="a missing"):
        f(library.DataFrame({"b": [1.0], "c": [2.0]}))
    assert f.rename(inputs=["x1", "x2"])(library.DataFrame({"b": [1.0], "c": [2.0]})).tolist() == [[21]]


def test_a_network_as_argument_is_refused_with_the_operator_for_it():
    f = na.Network.identity(2)
    with pytest.raises(na.errors.UsageError, match="f @ g"):
        f(f)


def test_empty_batches_have_the_right_shape() -> None:
    f = na.Network.from_layers([([[1.0, 2.0]], None), ([[1.0], [2.0]], None)])
    assert f(np.zeros((0, 2))).shape == (0, 2)
    assert f.jacobian(np.zeros((0, 2))).shape == (0, 2, 2)
    assert f.hessian(np.zeros((4, 0, 2))).shape == (4, 0, 2, 2, 2)


def test_the_derivative_of_a_maximum_is_chosen_not_blended():
    steep = na.Network.from_layers([([[1e20], [1.0]], None)])
    assert after(steep, na.Maximum([[0, 1]])).jacobian([-1.0]) == [[1.0]]
    pole = after(na.Network.from_layer(na.Elementwise((("reciprocal", 1), ("identity", 1))), 2), na.Maximum([[0, 1]]))
    x = np.array([[-0.0, 5.0]])
    with quiet():  # backward it would be 0·∞, which is NaN as everywhere
        assert forward_jacobian(Arrays(x), pole, x)[1].tolist() == [[[0, 1]]]


def test_first_argmax_counts_at_a_tie() -> None:
    f = after(na.Network.identity(3), na.Maximum([[0, 1, 2]]))
    assert f.jacobian([5.0, 5.0, 1.0]).tolist() == [[1, 0, 0]]
    assert f.jacobian([1.0, 5.0, 5.0]).tolist() == [[0, 1, 0]]


@settings(max_examples=25)
@given(st.data())
def test_the_network_is_differentiable_again_under_torch(data: st.DataObject) -> None:
    f = data.draw(networks(inputs=2))
    x = torch.tensor(data.draw(points(2, rows=1))[0])
    theirs, ours = torch.func.jacrev(f)(x).numpy(), f.jacobian(x.numpy())
    np.testing.assert_allclose(theirs, ours, rtol=1e-8, atol=1e-8 * majorant(ours))


def test_chosen_inputs_are_not_touched_by_infinite_derivatives_of_the_others() -> None:
    """ln x₁ + x₂ at x₁ = 0."""
    log, identity = na.Network.function("log"), na.Network.identity(2)
    f = log @ identity[0] + identity[1]
    assert f.jacobian([0.0, 1.0], inputs="x2").tolist() == [[1.0]]


def test_the_laplacian_over_some_inputs() -> None:
    f = na.Network.from_layers([(np.random.default_rng(0).normal(size=(4, 3)), None), (np.ones((2, 4)), None)])
    x = np.random.default_rng(1).normal(size=(5, 3))
    diagonal = f.hessian_diagonal(x)
    np.testing.assert_allclose(f.laplacian(x, inputs=["x3", 0]), diagonal[..., 0] + diagonal[..., 2], rtol=1e-12)
    with pytest.raises(na.errors.InputError, match="each at most once"):
        f.laplacian(x, inputs=["x1", 0])


@pytest.mark.parametrize("name", NETWORKS)
def test_jets_are_freed_without_the_collector_of_cycles(name: str) -> None:
    f = NETWORKS[name]
    k, x = Arrays(np.zeros(1)), np.full((2, f.input_size), 0.3)
    used, duals = gradients(k, f, x)
    layer_sum(used, duals, int(first_layer(f) is not None), tangents(k, f, None)[:, None, :], [Full(k, f.input_size)])
    known = [used, *gradients(k, f, x)[0].jets]
    seen = [weakref.ref(thing) for thing in known if thing is not None]
    gc.disable()
    try:
        del used, duals, known
        assert not any(reference() for reference in seen)
    finally:
        gc.enable()
