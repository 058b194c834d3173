"""Kinks: refused by name, or one-sided derivatives, against one-sided difference quotients and by hand."""

from __future__ import annotations

import itertools
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import neuralgebra as na
from strategies import after

jax.config.update("jax_enable_x64", True)

KINKED = {name: row for name, row in na.activations().items() if row.kinks and not row.fingerprint}


def quotient(f, x, v, h=2.0**-20):
    """(f(x + h v) - f(x))/h; exact for piecewise linear functions of short binary numbers."""
    return (f(x + h * v) - f(x)) / h


def hinge() -> na.Network:
    """Return relu(x1) - 2 relu(-x1 + x2)."""
    return na.Network.from_layers([([[1.0, 0.0], [-1.0, 1.0]], None), ([[1.0, -2.0]], None)], "relu")


def test_one_sided_jacobian_of_a_hinge():
    left, right = hinge().jacobian([0.0, 0.0], kinks="interval")
    assert left.tolist() == [[2.0, 0.0]]
    assert right.tolist() == [[1.0, -2.0]]
    assert hinge().jacobian([0.0, 0.0]).tolist() == [[0.0, 0.0]]


def test_away_from_kinks_both_sides_are_the_jacobian():
    x = np.array([[0.5, 1.0], [-0.25, 0.75]])
    left, right = hinge().jacobian(x, kinks="interval")
    assert np.array_equal(left, right)
    assert np.array_equal(left, hinge().jacobian(x, kinks="raise"))


@pytest.mark.parametrize("name", KINKED)
def test_both_sides_of_every_kink_of_the_catalogue(name):
    f = na.Network.function(name)
    function = na.activation(name)
    for at, order in function.points(_floats()):
        left, right = f.taylor([float(at)], [1.0], order + 1, kinks="interval")
        h, sides = 1e-6, []
        for side, found in ((-1, left), (1, right)):
            near = f.taylor([float(at) + side * h], [1.0], order + 1)
            np.testing.assert_allclose(found[1:], near[1:], rtol=1e-4, atol=1e-5)
            assert found[0] == f([float(at)])
            sides.append(near[order])
        assert abs(sides[0] - sides[1]) > 1e-3  # it is a kink


def _floats():
    from neuralgebra.arithmetic.arrays import Arrays

    return Arrays(np.zeros(1))


def test_composition_follows_the_direction_through_several_kinks():
    rng = np.random.default_rng(3)
    weights = [rng.integers(-3, 4, size=s).astype(float) for s in ((4, 2), (3, 4), (2, 3))]
    f = na.Network.from_layers([(w, None) for w in weights], "relu")  # all units are at their kink at 0
    x = np.zeros(2)
    for v in ([1.0, 0.0], [0.0, -1.0], [1.0, 2.0], [-3.0, 1.0]):
        left, right = f.jvp(x, v, kinks="interval")
        assert np.array_equal(right, quotient(f, x, np.array(v)))
        assert np.array_equal(left, -quotient(f, x, -np.array(v)))


@pytest.mark.parametrize("layer", [na.Elementwise("relu"), na.Maximum([[0, 1]])], ids=["relu", "maximum"])
def test_the_first_coefficient_that_does_not_vanish_decides(layer):
    """The positive part of t - 5 t², of t² and of t² - 5 t³."""
    z = na.Network.identity(1)
    square = z * z
    expected = {
        z - 5 * square: ([0.0, 0.0, 0.0, 0.0], [0.0, 1.0, -10.0, 0.0]),
        square: ([0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 2.0, 0.0]),
        square - 5 * square * z: ([0.0, 0.0, 2.0, -30.0], [0.0, 0.0, 2.0, -30.0]),
    }
    for inner, sides in expected.items():
        f = after(na.stack(inner, inner * 0), layer)[0]
        for found, known in zip(f.taylor([0.0], [1.0], 3, kinks="interval"), sides, strict=True):
            np.testing.assert_allclose(found[:, 0], known, atol=1e-300)


def test_equal_maxima_go_with_the_larger_series():
    f = after(na.Network.from_layers([([[1.0], [-2.0], [1.0]], None)]), na.Maximum([[0, 1, 2], [0, 0, 0]]))
    left, right = f.jacobian([0.0], kinks="interval")
    assert left.tolist() == [[-2.0], [1.0]]
    assert right.tolist() == [[1.0], [1.0]]
    square = na.Network.function("square")
    g = after(na.stack(square, square * 0), na.Maximum([[1, 0]]))  # equal up to order 1
    assert g.taylor([0.0], [1.0], 2, kinks="interval")[1].ravel().tolist() == [0.0, 0.0, 2.0]


def test_raise_names_layer_unit_and_point():
    x = np.array([[1.0, 2.0], [1.0, 1.0]])
    with pytest.raises(na.errors.KinkError, match=r"node 2 \(relu\), unit 2, is at the kink of relu at point 2 of 2"):
        hinge().jacobian(x, kinks="raise")
    with pytest.raises(na.errors.KinkError, match="derivative 2"):
        hinge().hessian(x[1], kinks="raise")
    with pytest.raises(na.errors.KinkError, match="unit 2"):
        hinge().jvp(torch.tensor(x), [1.0, 0.0], kinks="raise")
    f = after(na.Network.identity(2), na.Maximum([[0, 1], [1, 1]]))
    with pytest.raises(na.errors.KinkError, match="unit 1, is at a tie"):
        f.jacobian([1.0, 1.0], kinks="raise")
    assert f.jacobian([1.0, 2.0], kinks="raise").tolist() == [[0.0, 1.0], [0.0, 1.0]]


def test_a_kink_of_higher_order_concerns_higher_derivatives_only():
    f = na.Network.function("elu")
    assert f.jacobian([0.0], kinks="raise").tolist() == [[1.0]]
    with pytest.raises(na.errors.KinkError, match="elu"):
        f.hessian([0.0], kinks="raise")
    assert [side[2].item() for side in f.taylor([0.0], [1.0], 2, kinks="interval")] == [1.0, 0.0]


def test_words_that_are_not_known_are_refused():
    with pytest.raises(na.errors.UsageError, match="choose, raise, interval"):
        hinge().jacobian([0.0, 0.0], kinks="ignore")
    with pytest.raises(na.errors.UnsupportedError, match="taylor"):
        hinge().hessian([0.0, 0.0], kinks="interval")


def test_under_torch_results_stay_there():
    left, right = hinge().jacobian(torch.zeros(3, 2, dtype=torch.float64), kinks="interval")
    assert isinstance(left, torch.Tensor)
    assert left.shape == right.shape == (3, 1, 2)


@pytest.mark.parametrize("array", [np.zeros, jnp.zeros, torch.zeros], ids=["numpy", "jax", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_sides_of_zero_in_every_library(array, dtype):
    dtype = getattr(torch, dtype) if array is torch.zeros else dtype
    for x in (array((1,), dtype=dtype), array((2, 1), dtype=dtype)):
        left, right = na.Network.function("relu").jacobian(x, kinks="interval")
        assert (np.asarray(left) == 0).all()
        assert (np.asarray(right) == 1).all()


@pytest.mark.parametrize("layer", [na.PowerProduct(np.ones((1, 2))), na.Mixing("exp", np.ones((1, 2)))])
def test_behind_multiplicative_layers(layer):
    """(1 + relu(x₁))·(1 + relu(x₂)) at 0 along (1, 2): derivatives 0 | 3 and 0 | 4."""
    f = after(na.Network.function("relu", 2) + 1, layer)
    left, right = f.taylor([0.0, 0.0], [1.0, 2.0], 2, kinks="interval")
    np.testing.assert_allclose(left.ravel(), [1, 0, 0], atol=1e-14)
    np.testing.assert_allclose(right.ravel(), [1, 3, 4], atol=1e-14)


QUESTIONS = {
    "derivatives": lambda f, x, **k: f.derivatives(x, 3, **k),
    "first": lambda f, x, **k: f.derivatives(x, 1, **k),
    "hessian_diagonal": lambda f, x, **k: f.hessian_diagonal(x, **k),
    "laplacian": lambda f, x, **k: f.laplacian(x, **k),
    "some": lambda f, x, **k: f.laplacian(x, inputs=0, **k),
    "biharmonic": lambda f, x, **k: f.biharmonic(x, **k),
    "operator": lambda f, x, **k: f.operator(x, np.eye(2), **k),
    "terms": lambda f, x, **k: f.operator(x, {(1, 0): 1.0}, **k),
    "vjp": lambda f, x, **k: f.vjp(x, [1.0], **k),
    "hvp": lambda f, x, **k: f.hvp(x, [1.0, 0.0], **k),
    "derivative": lambda f, x, **k: f.derivative(x, (1, 1), **k),
    "many": lambda f, x, **k: f.derivative(x, ["x1"], **k),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_can_be_told_to_refuse_kinks(name):
    ask = QUESTIONS[name]
    with pytest.raises(na.errors.KinkError, match=r"node 2 \(relu\), unit 2"):
        ask(hinge(), [1.0, 1.0], kinks="raise")
    ask(hinge(), [1.0, 2.0], kinks="raise")
    ask(hinge(), [1.0, 1.0], kinks="choose")
    with pytest.raises(na.errors.UnsupportedError, match="along directions"):
        ask(hinge(), [1.0, 1.0], kinks="interval")


@pytest.mark.parametrize("kinks", ["raise", "interval"])
def test_memory_does_not_grow_with_the_number_of_points(kinks):
    rng = np.random.default_rng(0)
    sizes = (3, 64, 64, 64, 1)
    f = na.Network.from_layers([(rng.normal(size=(m, n)), None) for n, m in itertools.pairwise(sizes)], "relu")

    def peak(count):
        x = rng.normal(size=(count, 3))
        tracemalloc.start()
        try:
            f.jvp(x, [1.0, 2.0, 3.0], kinks=kinks)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10_000)  # what is set up once
    assert peak(40_000) < peak(10_000) + 30_000 * 8 * 16  # results and directions; the units would be 200 numbers


@pytest.mark.filterwarnings("ignore")  # what is broken off is compiled piece by piece, and warned about
def test_kinks_are_looked_for_outside_of_what_is_compiled():
    asked = torch.compile(lambda x: hinge().jacobian(x, kinks="raise"), backend="eager")
    assert asked(torch.tensor([[1.0, 2.0]], dtype=torch.float64)).tolist() == [[[3.0, -2.0]]]
    with pytest.raises(na.errors.KinkError, match="unit 2"):
        asked(torch.ones((1, 2), dtype=torch.float64))
    with pytest.raises(na.errors.UsageError, match="ask outside of it"):
        jax.jit(lambda x: hinge().jacobian(x, kinks="raise"))(jnp.ones((3, 2)))
