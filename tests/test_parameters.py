"""Derivatives of values and of input derivatives by the weights."""

from __future__ import annotations

import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.calculus.targets import wanted
from neuralgebra.errors import ShapeError, UsageError
from oracles_weights import chain, check_along, flat, values_of
from strategies import networks, points

jax.config.update("jax_enable_x64", True)

ALL = ["value", "jacobian", "hessian", "laplacian"]


def test_against_jax_on_a_chain_written_in_jax():
    f, x = chain(2, 4, 3, 2), np.random.default_rng(0).normal(size=(3, 2))
    params = [(jnp.asarray(a), jnp.asarray(b)) for a, b in f.layers_list()]

    def plain(params, x):
        *inner, (a, b) = params
        for w, c in inner:
            x = jnp.tanh(w @ x + c)
        return a @ x + b

    def targets(params, x):
        h = jax.hessian(plain, 1)(params, x)
        rows = (plain(params, x)[:, None], jax.jacobian(plain, 1)(params, x), h.reshape(2, 4))
        return jnp.concatenate([*rows, jnp.trace(h, axis1=1, axis2=2)[:, None]], 1).T

    tree = jax.jit(jax.vmap(jax.jacobian(targets), (None, 0)))(params, x)
    expected = np.concatenate([np.reshape(a, (3, 8, 2, -1)) for pair in tree for a in pair], -1)
    np.testing.assert_allclose(f.parameter_jacobian(x, ALL), expected, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(f.parameter_jacobian(x, "laplacian"), expected[:, 7:], rtol=1e-9, atol=1e-11)
    some = f.parameter_jacobian(x, ["laplacian", "jacobian", "value"])
    np.testing.assert_allclose(some, expected[:, [7, 1, 2, 0]], rtol=1e-9, atol=1e-11)
    w = np.random.default_rng(1).normal(size=(3, 8, 2))
    np.testing.assert_allclose(flat(f.parameter_vjp(x, w, ALL)), np.einsum("ntm,ntmp->p", w, expected), rtol=1e-9)


def test_targets_are_the_derivatives():
    f, x = chain(2, 4, 2), np.random.default_rng(0).normal(size=(3, 2))
    found = values_of(f, x, [*ALL, (2, 1), {"x2": 3}, "x2"])
    h = np.moveaxis(f.hessian(x).reshape(3, 2, 4), 1, 2)
    parts = [f(x)[:, None], np.moveaxis(f.jacobian(x), 1, 2), h, f.laplacian(x)[:, None]]
    parts += [f.derivative(x, a)[:, None] for a in ((2, 1), (0, 3), (0, 1))]
    np.testing.assert_allclose(found, np.concatenate(parts, 1), rtol=1e-9, atol=1e-12)


LINEAR = {
    "dense": lambda w: na.Dense(w(3, 4)),
    "diagonal": lambda w: na.Diagonal(w(4)),
    "spread": lambda w: na.Spread(w(2, 4)),
    "kronecker": lambda w: na.Kronecker(w(3, 2), 1, 2),
    "kronecker of copies": lambda w: na.Kronecker(w(3, 2), 2, 1),
    "scale": lambda w: na.Kronecker(w(1, 1), 1, 4),
    "convolution": lambda w: na.Convolution(w(2, 3), [[-1, 0, 1], [0, 1, 2], [2, 3, -1]], 4),
    "blocks": lambda w: na.BlockDiagonal((na.Dense(w(2, 3)), na.Diagonal(w(1)))),
    "batched": lambda w: na.Batched(na.Product((w(3, 1), w(1, 2))), 2),
    "product": lambda w: na.Product((na.Kronecker(w(2, 3), 1, 1), na.Dense(w(3, 4)))),
    "transposed": lambda w: na.Transposed(na.Spread(w(2, 2))),
}


@pytest.mark.parametrize("place", ["first", "inner"])
@pytest.mark.parametrize("kind", LINEAR)
def test_every_matrix_against_difference_quotients(kind, place):
    rng = np.random.default_rng(0)
    weight = LINEAR[kind](lambda *shape: rng.normal(size=shape))
    layer = na.Network.from_layer(na.Affine(weight, rng.normal(size=weight.rows)), weight.columns)
    f = chain(weight.rows, 2, function="sin") @ na.Network.function("tanh", weight.rows) @ layer
    if place == "inner":
        f = f @ na.Network.function("sin", 4) @ chain(2, 4)
    check_along(f, rng.normal(size=(3, f.input_size)), [*ALL, (1,) * f.input_size])


LAYERS = {
    "power product": lambda w: na.PowerProduct(w(3, 4), w(3)),
    "mixing": lambda w: na.Mixing("exp", w(3, 4), w(3)),
    "mixing without bias": lambda w: na.Mixing("exp", w(3, 4)),
    "softmax": lambda w: na.Softmax(2),
    "log softmax": lambda w: na.Softmax(log=True),
    "maximum": lambda w: na.Maximum([[0, 1], [2, 3]]),
    "blocks of functions": lambda w: na.Elementwise((("sin", 1), ("relu", 1), ("gelu", 2))),
    "select": lambda w: na.Select([3, 1, 1]),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_against_difference_quotients(kind):
    rng = np.random.default_rng(3)
    layer = LAYERS[kind](lambda *shape: rng.normal(size=shape) / 2)
    f = na.Network.from_layer(layer, 4) @ (na.Network.function("softplus", 4) @ chain(2, 4) + 0.5)
    f = chain(f.output_size, 1, seed=4) @ (f * (na.Network.function("sin", f.output_size) @ f))
    check_along(f, rng.normal(size=(3, 2)), [*ALL, (2, 1)])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_networks_against_autodiff_of_torch(data):
    """By the weights, through another way to the derivatives by the inputs: the sum over layers."""
    f = data.draw(networks())
    x = data.draw(points(f.input_size))
    if not f.arrays:
        assert f.parameter_vjp(x, np.ones(f.output_size)) == {}
        return
    w = np.random.default_rng(0).normal(size=(2, 1 + f.input_size**2 + 1, f.output_size))
    p = {n: torch.tensor(a, requires_grad=True) for n, a in f.parameters().items()}
    g, at = f.with_parameters(p), torch.tensor(x)
    hessian = g.hessian(at).reshape(2, f.output_size, -1)
    rows = torch.cat([g(at)[:, None], hessian.movedim(1, 2), g.laplacian(at)[:, None]], 1)
    (rows * torch.tensor(w)).sum().backward()
    found = f.parameter_vjp(x, w, ["value", "hessian", "laplacian"])
    for name, tensor in p.items():
        expected = np.zeros(tensor.shape) if tensor.grad is None else tensor.grad
        np.testing.assert_allclose(found[name], expected, rtol=1e-7, atol=1e-7 * max(1, abs(w).max()))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_networks_product_and_jacobian_agree(data):
    f = data.draw(networks())
    x = data.draw(points(f.input_size, 4)).reshape(2, 2, -1)
    targets = data.draw(st.sampled_from([["value"], ["jacobian"], ["laplacian"], ["value", "laplacian"], ALL]))
    full = f.parameter_jacobian(x, targets)
    assert full.shape == (2, 2, wanted(f, targets).count, f.output_size, f.parameter_count)
    w = np.random.default_rng(0).normal(size=full.shape[:-1])
    found = f.parameter_vjp(x, w, targets)
    assert {n: a.shape for n, a in found.items()} == {n: a.shape for n, a in f.parameters().items()}
    expected = np.einsum("abtm,abtmp->p", w, full)
    joined = np.concatenate([np.zeros(0), *(a.ravel() for a in found.values())])
    np.testing.assert_allclose(joined, expected, rtol=1e-9, atol=1e-9 * max(1.0, abs(full).max(initial=0.0)))


def test_weights_of_targets_may_be_the_same_for_all_points():
    f, x = chain(2, 3, 2), np.random.default_rng(0).normal(size=(5, 2))
    w = np.array([1.0, -2.0])
    expected = flat(f.parameter_vjp(x, np.broadcast_to(w, (5, 1, 2))))
    for given_w in (w, w[None], np.broadcast_to(w, (5, 2)), w.tolist()):
        np.testing.assert_allclose(flat(f.parameter_vjp(x, given_w)), expected, rtol=1e-12)
    one = f.parameter_vjp(x[0], w, "x2")
    np.testing.assert_allclose(flat(one), np.einsum("tmp,m->p", f.parameter_jacobian(x[0], "x2"), w), rtol=1e-12)


def test_no_points_give_zero():
    f = chain(2, 3, 1)
    assert not flat(f.parameter_vjp(np.zeros((0, 2)), np.zeros((0, 1)), "laplacian")).any()
    assert f.parameter_jacobian(np.zeros((0, 2)), "laplacian").shape == (0, 1, 1, 13)


@pytest.mark.filterwarnings("ignore::neuralgebra.errors.PrecisionWarning")
def test_single_precision_stays():
    f, x = chain(2, 3, 1), np.ones((4, 2), np.float32)
    assert {a.dtype for a in f.parameter_vjp(x, np.ones(1), "laplacian").values()} == {np.dtype(np.float32)}
    assert f.parameter_jacobian(x, ALL).dtype == np.float32
    assert (
        f.parameter_jacobian(x, ALL, dtype="float64").dtype
        == f.parameter_vjp(x, [1.0], dtype="float64")["1.bias"].dtype
        == np.float64
    )
    np.testing.assert_allclose(f.parameter_jacobian(x, ALL), f.parameter_jacobian(x.astype(float), ALL), rtol=1e-4)


@pytest.mark.parametrize(("array", "jit"), [(jnp.asarray, jax.jit), (torch.tensor, lambda g: g)], ids=["jax", "torch"])
def test_points_of_other_libraries(array, jit):
    f, x = chain(2, 3, 1), np.random.default_rng(0).normal(size=(5, 2))
    w = np.random.default_rng(1).normal(size=(5, 4, 1))
    targets = ["value", "jacobian", "laplacian"]
    found = jit(lambda x, w: f.parameter_vjp(x, w, targets))(array(x), array(w))
    full = jit(lambda x: f.parameter_jacobian(x, targets))(array(x))
    assert type(full) is type(found["1.bias"]) is type(array(x))
    for name, expected in f.parameter_vjp(x, w, targets).items():  # jit sorts the keys
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)
    np.testing.assert_allclose(full, f.parameter_jacobian(x, targets), rtol=1e-12, atol=1e-15)


def test_points_that_are_known_beside_weights_that_are_traced():
    f, x = chain(2, 3, 1), jnp.ones((4, 2))
    p = {n: jnp.asarray(a) for n, a in f.parameters().items()}
    np.testing.assert_allclose(jax.jit(lambda p: f.with_parameters(p).laplacian(x))(p), f.laplacian(x), rtol=1e-12)
    np.testing.assert_allclose(jax.jit(lambda v: f.jvp(x, v))(jnp.ones(2)), f.jvp(x, [1.0, 1.0]), rtol=1e-12)


def test_inside_jit():
    f, x = chain(2, 3, 1), np.random.default_rng(0).normal(size=(5, 2))
    found = jax.jit(lambda f, x: f.parameter_vjp(x, [1.0], "laplacian"))(f, x)
    for name, expected in f.parameter_vjp(x, [1.0], "laplacian").items():
        np.testing.assert_allclose(found[name], expected, rtol=1e-12)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_memory_does_not_grow_with_the_number_of_points(threads, monkeypatch):
    monkeypatch.setenv("NEURALGEBRA_THREADS", threads)
    f = chain(2, 32, 32, 1)
    w = np.ones(1)

    def peak(count):
        x = np.random.default_rng(0).normal(size=(count, 2))
        f.parameter_vjp(x, w, "laplacian")
        tracemalloc.start()
        f.parameter_vjp(x, w, "laplacian")
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(80_000) < peak(20_000) + 60_000 * 8  # one more number for each point would be seen


def test_blocks_add_up(monkeypatch):
    f, x = chain(2, 16, 2), np.random.default_rng(0).normal(size=(999, 2))
    w = np.random.default_rng(1).normal(size=(999, 1, 2))
    expected = np.einsum("ntm,ntmp->p", w, f.parameter_jacobian(x, "laplacian"))
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("NEURALGEBRA_THREADS", threads)
        np.testing.assert_allclose(flat(f.parameter_vjp(x, w, "laplacian")), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([], "no targets"),
        ("hesian", "target 'hesian' received; one of value, jacobian, hessian, laplacian"),
        (3, "target 3 received"),
        ([(1, 0, 0)], "2 orders"),
        ((1, -1), "order -1"),
    ],
)
def test_targets_that_are_none(targets, message):
    with pytest.raises(UsageError, match=message):
        chain(2, 3, 1).parameter_jacobian(np.ones(2), targets)


def test_weights_of_targets_that_do_not_fit():
    f = chain(2, 3, 1)
    with pytest.raises(ShapeError, match=r"w of shape \(4,\) received; \(2, 1\) or \(5, 2, 1\) expected"):
        f.parameter_vjp(np.ones((5, 2)), np.ones(4), "jacobian")
    with pytest.raises(ShapeError, match="w of shape"):
        f.parameter_vjp(np.ones((5, 2)), np.ones((5, 1)), "jacobian")


def test_gradients_at_complex_points():
    f = chain(2, 3, 1)
    x = np.array([[0.1 + 0.2j, -0.3], [0.4, 0.5 - 0.1j]])
    ours, all_of_them = flat(f.parameter_vjp(x, np.ones((2, 1)))), f.parameter_jacobian(x)
    np.testing.assert_allclose(ours, all_of_them.sum(axis=(0, 1, 2)), rtol=1e-13)


def test_the_order_of_a_target_is_limited_by_the_dtype():
    f = na.Network.from_layers([(np.ones((1, 2), np.float32), None)])
    for question in (f.parameter_jacobian, lambda x, t: f.parameter_vjp(x, [1.0], t)):
        with pytest.raises(na.errors.ResourceError, match="at most 34"):
            question(np.zeros(2, np.float32), (40, 0))
