"""Every derivative inside the transformations of PyTorch and JAX, and differentiated again by them."""

from __future__ import annotations

import itertools

import jax
import numpy as np
import pytest
import torch

import neuralgebra as na

jax.config.update("jax_enable_x64", True)

rng = np.random.default_rng(0)
SIZES = ((4, 3), (3, 4), (2, 3))
F = na.Network.from_layers([(rng.normal(size=s), rng.normal(size=s[0])) for s in SIZES], "gelu")
WIDE = na.Network.from_layers([(rng.normal(size=s), rng.normal(size=s[0])) for s in ((2, 3), (2, 2))], "tanh")
X = rng.normal(size=(5, 3))
V = [1.0, -1.0, 0.5]

QUESTIONS = {
    "value": lambda f, x: f(x),
    "jacobian": lambda f, x: f.jacobian(x),
    "jacobian by some inputs": lambda f, x: f.jacobian(x, inputs=[2, 0]),
    "hessian": lambda f, x: f.hessian(x),
    "hessian_diagonal": lambda f, x: f.hessian_diagonal(x),
    "laplacian": lambda f, x: f.laplacian(x),
    "biharmonic": lambda f, x: f.biharmonic(x),
    "operator": lambda f, x: f.operator(x, [[1.0, 2.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]]),
    "jvp": lambda f, x: f.jvp(x, V),
    "vjp": lambda f, x: f.vjp(x, [1.0, 2.0]),
    "hvp": lambda f, x: f.hvp(x, V),
    "taylor": lambda f, x: f.taylor(x, V, 4),
    "derivative": lambda f, x: f.derivative(x, (1, 0, 2)),
}
NETWORKS = {"chain": F, "behind the first layer": WIDE}


def close(ours, theirs):
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_jit_vmap_and_derivatives_again_under_jax(name, network):
    f, ask = NETWORKS[network], QUESTIONS[name]
    numbers = ask(f, X)
    close(jax.jit(lambda x: ask(f, x))(X), numbers)
    each = jax.vmap(lambda x: ask(f, x))(jax.numpy.asarray(X))
    close(np.moveaxis(each, 0, 1) if name == "taylor" else each, numbers)
    along = jax.numpy.asarray(V)
    _, found = jax.jvp(lambda x: ask(f, x), (jax.numpy.asarray(X[0]),), (along,))
    close(found, quotient(lambda x: ask(f, x), X[0], np.array(V)))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_vmap_and_derivatives_again_under_torch(name, network):
    f, ask = NETWORKS[network], QUESTIONS[name]
    each = torch.func.vmap(lambda x: ask(f, x))(torch.tensor(X))
    close(each.movedim(0, 1) if name == "taylor" else each, ask(f, X))
    x = torch.tensor(X[0], requires_grad=True)
    result = ask(f, x)
    weights = torch.tensor(np.random.default_rng(1).normal(size=tuple(result.shape)))
    (gradient,) = torch.autograd.grad((result * weights).sum(), x)
    expected = quotient(lambda x: (ask(f, x) * weights.numpy()).sum(), X[0], np.array(V))
    close(gradient @ torch.tensor(V, dtype=torch.float64), expected)


def quotient(function, x, v, h=1e-3):
    """Derivative along v by Richardson's rule from central differences: error h⁶."""
    central = [(function(x + s * v) - function(x - s * v)) / (2 * s) for s in (h, 2 * h, 4 * h)]
    first = [(4 * a - b) / 3 for a, b in itertools.pairwise(central)]
    return (16 * first[0] - first[1]) / 15
