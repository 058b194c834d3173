"""Every derivative inside the transformations of PyTorch and JAX, and differentiated again by them."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys

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
    """All in one graph, which is compiled once."""
    f, ask = NETWORKS[network], QUESTIONS[name]
    numbers, along = ask(f, X), jax.numpy.asarray(V)
    transformed = jax.jit(
        lambda x: (
            ask(f, x),
            jax.vmap(lambda x: ask(f, x))(x),
            jax.jvp(lambda x: ask(f, x), (x[0],), (along,))[1],
        )
    )
    whole, each, found = transformed(jax.numpy.asarray(X))
    close(whole, numbers)
    close(np.moveaxis(each, 0, 1) if name == "taylor" else each, numbers)
    close(found, quotient(lambda x: ask(f, x), X[0], np.array(V)))


# JAX compiles each step of each shape by itself here, which takes as many seconds as the whole graphs together.
STEPWISE = ("value", "hessian", "taylor")


@pytest.mark.parametrize("name", [q if q in STEPWISE else pytest.param(q, marks=pytest.mark.long) for q in QUESTIONS])
def test_vmap_and_derivatives_again_under_jax_step_by_step(name):
    f, ask = WIDE, QUESTIONS[name]
    each = jax.vmap(lambda x: ask(f, x))(jax.numpy.asarray(X))
    close(np.moveaxis(each, 0, 1) if name == "taylor" else each, ask(f, X))
    _, found = jax.jvp(lambda x: ask(f, x), (jax.numpy.asarray(X[0]),), (jax.numpy.asarray(V),))
    close(found, quotient(lambda x: ask(f, x), X[0], np.array(V)))


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_vmap_and_derivatives_again_under_torch(name, network):
    f, ask = NETWORKS[network], QUESTIONS[name]
    each = torch.func.vmap(lambda x: ask(f, x))(torch.tensor(X))
    close(each.movedim(0, 1) if name == "taylor" else each, ask(f, X))
    x, along = torch.tensor(X[0], requires_grad=True), torch.tensor(V, dtype=torch.float64)
    _, found = torch.func.jvp(lambda x: ask(f, x), (x.detach(),), (along,))
    close(found, quotient(lambda x: ask(f, x), X[0], np.array(V)))
    result = ask(f, x)
    weights = torch.tensor(np.random.default_rng(1).normal(size=tuple(result.shape)))
    (gradient,) = torch.autograd.grad((result * weights).sum(), x)
    expected = quotient(lambda x: (ask(f, x) * weights.numpy()).sum(), X[0], np.array(V))
    close(gradient @ along, expected)


# torch.compile ------------------------------------------------------------------------------------------------------


def compiled(function, backend="aot_eager"):
    torch._dynamo.reset()
    return torch.compile(function, backend=backend, fullgraph=True)


FEW = ("value", "hessian", "hvp", "derivatives", "some of many")
OTHERS = [pytest.param(name, marks=pytest.mark.long) for name in QUESTIONS if name not in FEW]


@pytest.mark.parametrize("name", [*FEW, *OTHERS])
def test_one_graph_and_its_gradient_under_torch_compile(name):
    others = {
        "derivatives": lambda f, x: torch.cat([d.flatten() for d in f.derivatives(x)]),
        "some of many": lambda f, x: f.derivative(x, [(1, 0, 0), (0, 2, 0)])[0, 2, 0],
    }
    ask = {**QUESTIONS, **others}[name]
    x = torch.tensor(X, requires_grad=True)
    expected, found = ask(F, x), compiled(lambda x: ask(F, x))(x)
    assert found.dtype == torch.float64
    close(found.detach(), expected.detach())
    weights = torch.tensor(np.random.default_rng(1).normal(size=tuple(expected.shape)))
    ours, theirs = (torch.autograd.grad((y * weights).sum(), x)[0] for y in (found, expected))
    close(ours, theirs)


def bound():
    numbers = {name: torch.tensor(np.array(a), requires_grad=True) for name, a in F.parameters().items()}
    return F.with_parameters(numbers), list(numbers.values())


def loss(f, x):
    return (f.laplacian(x) ** 2).sum() + f(x).sum()


@pytest.mark.parametrize("given", ["as an argument", "from outside"])
def test_gradients_in_the_weights_under_torch_compile(given):
    f, weights = bound()
    x = torch.tensor(X)
    step = compiled(loss if given == "as an argument" else lambda x: loss(f, x))
    arguments = (f, x) if given == "as an argument" else (x,)
    for _ in range(2):
        ours, theirs = step(*arguments), loss(f, x)
        close(ours.detach(), theirs.detach())
        for a, b in zip(torch.autograd.grad(ours, weights), torch.autograd.grad(theirs, weights), strict=True):
            close(a, b)
        with torch.no_grad():
            for weight in weights:
                weight *= 1.25


def test_a_compiled_function_of_one_network_is_compiled_again_for_another():
    x = torch.tensor(X)
    step = compiled(lambda f, x: f.jacobian(x))
    for f in (F, WIDE, F):
        close(step(f, x), f.jacobian(X))


def test_networks_and_methods_are_compiled_as_they_are():
    x = torch.tensor(X)
    close(compiled(F)(x), F(X))
    close(compiled(F.hessian)(x), F.hessian(X))
    close(compiled(torch.func.vmap(F.jacobian))(x), F.jacobian(X))
    close(
        compiled(F.parameter_vjp)(x, torch.ones(5, 2, dtype=torch.float64))["1.bias"],
        F.parameter_vjp(X, np.ones((5, 2)))["1.bias"],
    )


def test_weights_are_bound_outside_of_a_graph():
    f, x = F, torch.tensor(X)

    def inside(weights, x):
        return loss(f.with_parameters(weights), x)

    weights = {name: torch.tensor(2 * a) for name, a in f.parameters().items()}
    torch._dynamo.reset()
    close(torch.compile(inside, backend="aot_eager")(weights, x), inside(weights, x))
    with pytest.raises(torch._dynamo.exc.Unsupported, match="call it before the function that is compiled"):
        compiled(inside)(weights, x)


# All other tests of this file have torch first, so that order by itself is in the long run only.
ORDERS = [
    "neuralgebra, torch",
    "torch._dynamo, neuralgebra",
    pytest.param("torch, neuralgebra", marks=pytest.mark.long),
]


@pytest.mark.parametrize("order", ORDERS)
def test_torch_may_come_first_or_last(order):
    program = """if True:
        import importlib, sys
        for name in sys.argv[1].split(", "):
            na = importlib.import_module(name)
        import neuralgebra as na
        f = na.Network.from_layers([([[1.0, 2.0]], None), ([[1.0]], None)])
        import torch
        method = torch.compile(f.hessian, backend="eager", fullgraph=True)
        step = torch.compile(lambda x: f.jacobian(x), backend="eager", fullgraph=True)
        assert (step(torch.zeros(3, 2)) == torch.tensor([1.0, 2.0])).all() and not method(torch.zeros(2)).any()
        assert (f.jacobian([0, 0]) == [1, 2]).all()
    """
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, order], check=True)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="the default backend of torch.compile needs a C++ compiler")
@pytest.mark.parametrize("f", [WIDE, pytest.param(F, marks=pytest.mark.long)], ids=["tanh", "gelu"])
def test_the_default_backend_of_torch_compile(f):
    """It writes C++ and compiles it, which takes half a minute for the larger network."""
    x = torch.tensor(X)
    close(compiled(lambda x: f.hessian(x), "inductor")(x), f.hessian(X))


def quotient(function, x, v, h=1e-3):
    """Derivative along v by Richardson's rule from central differences: error h⁶."""
    central = [(function(x + s * v) - function(x - s * v)) / (2 * s) for s in (h, 2 * h, 4 * h)]
    first = [(4 * a - b) / 3 for a, b in itertools.pairwise(central)]
    return (16 * first[0] - first[1]) / 15
