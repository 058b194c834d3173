"""Under PyTorch and JAX automatic differentiation gives our derivatives, at 0 and at kinks too."""

from __future__ import annotations

import functools

import jax
import numpy as np
import pytest
import torch

import neuralgebra as na
from strategies import after

jax.config.update("jax_enable_x64", True)

POINTS = {name: row for name, row in na.activations().items() if not row.fingerprint}


def points(row):
    low, high = row.domain
    inner = [0.0, -1.0, 1.0, 0.5, -3.0, 3.0, 6.0, -0.5, 0.25, 20.0, -20.0]
    return np.array([x for x in inner if low < x < high])


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("order", [1, 2])
def test_jax(name, order):
    f = na.Network.function(name, 1)
    x = points(POINTS[name])
    grad = jax.grad(lambda v: f(v[None])[0])
    function = grad if order == 1 else jax.grad(grad)
    ours = (f.jacobian if order == 1 else f.hessian)(x[:, None]).ravel()
    np.testing.assert_allclose(jax.vmap(function)(jax.numpy.asarray(x)), ours, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", POINTS)
def test_torch(name):
    f = na.Network.function(name, 1)
    x = torch.tensor(points(POINTS[name])[:, None], requires_grad=True)
    ours, second = f.jacobian(x.detach()).ravel(), f.hessian(x.detach()).ravel()
    y = f(x)
    if not y.requires_grad:
        return
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    torch.testing.assert_close(first.detach().ravel(), ours, rtol=1e-11, atol=1e-13)
    if first.requires_grad:
        (twice,) = torch.autograd.grad(first.sum(), x, allow_unused=True)
        twice = torch.zeros_like(x) if twice is None else twice
        torch.testing.assert_close(twice.ravel(), second, rtol=1e-11, atol=1e-13)


def test_transforms_of_both_libraries_compose():
    rng = np.random.default_rng(0)
    f = na.Network.from_layers([(rng.normal(size=(4, 3)), None), (rng.normal(size=(2, 4)), None)], "gelu")
    x = rng.normal(size=(5, 3))
    ours, hessian = f.jacobian(x), f.hessian(x)
    for transform in (torch.func.jacrev, torch.func.jacfwd):
        np.testing.assert_allclose(torch.func.vmap(transform(f))(torch.tensor(x)), ours, rtol=1e-12, atol=1e-13)
    found = torch.func.vmap(torch.func.hessian(f))(torch.tensor(x))
    np.testing.assert_allclose(found, hessian, rtol=1e-11, atol=1e-12)
    for transform in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(jax.jit(jax.vmap(transform(f)))(x), ours, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(jax.jit(jax.vmap(jax.hessian(f)))(x), hessian, rtol=1e-11, atol=1e-12)
    third = jax.vmap(jax.jacfwd(lambda v: f.hessian(v)))(jax.numpy.asarray(x))
    np.testing.assert_allclose(third, jax.vmap(jax.jacfwd(jax.hessian(f)))(x), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("x", [[1.0, 1.0, 1.0], [1.0, 2.0, 2.0], [2.0, 1.0, 2.0]])
def test_of_equal_maxima_the_first_is_differentiated(x):
    f = after(na.Network.identity(3), na.Maximum([[0, 1, 2]]))
    ours = f.jacobian(x)
    assert ours.tolist() == [[float(i == x.index(max(x))) for i in range(3)]]
    for transform in (torch.func.jacrev, torch.func.jacfwd):
        assert transform(f)(torch.tensor(x, dtype=torch.float64)).tolist() == ours.tolist()
    for transform in (jax.jacrev, jax.jacfwd):
        assert transform(f)(jax.numpy.asarray(x)).tolist() == ours.tolist()


@pytest.mark.parametrize("array", [np.asarray, torch.tensor, jax.numpy.asarray], ids=["numpy", "torch", "jax"])
def test_the_maximum_of_what_is_no_number_is_none(array):
    f = after(na.Network.identity(2), na.Maximum([[0, 1]]))
    assert np.isnan(np.asarray(f(array([[np.nan, 1.0], [1.0, np.nan]])))).all()
    traced = jax.jit(f)(jax.numpy.asarray([[np.nan, 1.0], [1.0, np.nan]]))
    assert np.isnan(traced).all()


@pytest.mark.parametrize("name", ["tanh", "softplus", "silu", "gelu", "erf", "relu"])
def test_forward_modes_of_torch_inside_one_another(name):
    f, x = na.Network.function(name), torch.tensor([0.3], dtype=torch.float64)
    ours = [d.ravel()[0] for d in f.derivatives(np.array([0.3]), 3)]
    forward, back = torch.func.jacfwd, torch.func.jacrev
    for modes in ((forward, forward), (forward, back), (forward, forward, forward), (forward, back, forward)):
        found = functools.reduce(lambda g, mode: mode(g), modes, f)(x)
        np.testing.assert_allclose(found.ravel()[0], ours[len(modes)], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(forward(forward(f.jacobian))(x).ravel()[0], ours[3], rtol=1e-12, atol=1e-15)
