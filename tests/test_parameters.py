"""Networks with other weights, weights of other libraries, and derivatives by the weights."""

from __future__ import annotations

import copy
import functools
import itertools
import pickle
import subprocess
import sys
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.calculus.parameters import linearised
from neuralgebra.calculus.run import accept
from neuralgebra.calculus.targets import wanted
from neuralgebra.errors import DtypeError, InputError, ShapeError, UsageError
from neuralgebra.network.bound import Bound
from strategies import networks, points

jax.config.update("jax_enable_x64", True)

ALL = ["value", "jacobian", "hessian", "laplacian"]
QUESTIONS = {
    "value": lambda f, x: f(x),
    "jacobian": lambda f, x: f.jacobian(x),
    "one output": lambda f, x: f.jacobian(x, outputs=[1], inputs="x2"),
    "one-sided jacobian": lambda f, x: f.jacobian(x, kinks="interval")[0],
    "checked jacobian": lambda f, x: f.jacobian(x, kinks="raise"),
    "hessian": lambda f, x: f.hessian(x),
    "derivatives": lambda f, x: f.derivatives(x, 3)[3],
    "hessian_diagonal": lambda f, x: f.hessian_diagonal(x),
    "laplacian": lambda f, x: f.laplacian(x),
    "biharmonic": lambda f, x: f.biharmonic(x),
    "operator": lambda f, x: f.operator(x, np.arange(9.0).reshape(3, 3)),
    "third order operator": lambda f, x: f.operator(x, {(3, 0, 0): 1.0, (1, 1, 0): 2.0}),
    "jvp": lambda f, x: f.jvp(x, [1.0, 2.0, 3.0]),
    "vjp": lambda f, x: f.vjp(x, [1.0, 2.0]),
    "hvp": lambda f, x: f.hvp(x, [1.0, 2.0, 3.0]),
    "taylor": lambda f, x: f.taylor(x, [1.0, 2.0, 3.0], 3),
    "derivative": lambda f, x: f.derivative(x, (1, 1, 0)),
    "parameter_vjp": lambda f, x: f.parameter_vjp(x, [[1.0, 2.0]], "laplacian")["1.weight"],
    "parameter_jacobian": lambda f, x: f.parameter_jacobian(x, "jacobian"),
}


def chain(*sizes, seed=0, function="tanh"):
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(pairs, function)


def moved(f, seed=1, size=0.5):
    rng = np.random.default_rng(seed)
    return {name: a + size * rng.normal(size=a.shape) for name, a in f.parameters().items()}


def flat(arrays):
    return np.concatenate([np.asarray(a).ravel() for a in arrays.values()])


# Names and exchange ------------------------------------------------------------------------------------------------


def test_names_say_place_and_role():
    maps = (na.Kronecker(np.ones((2, 1)), 2), na.Product((np.ones((1, 3)), np.ones((3, 4)))), na.Diagonal([2.0]))
    f = functools.reduce(
        lambda f, w: na.Network.from_layer(na.Affine(w, np.zeros(w.rows)), w.columns) @ f, maps, na.Network.identity(2)
    )
    assert list(f.parameters()) == ["1.weight", "1.bias", "2.weight.0", "2.weight.1", "2.bias", "3.weight", "3.bias"]
    assert all(a is b for a, b in zip(f.parameters().values(), f.arrays, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        f.parameters()["1.weight"][:] = 0


def test_other_numbers_in_the_same_structure():
    f = chain(2, 4, 1)
    new = {"1.weight": np.ones((4, 2)), "3.bias": [7]}
    g = f.with_parameters(new)
    assert isinstance(g, na.Network)
    again = na.Network.from_layers([(np.ones((4, 2)), f.parameters()["1.bias"]), (f.parameters()["3.weight"], [7.0])])
    assert g == again
    assert f.with_parameters({}) == f


def test_a_shared_array_changes_at_all_its_places():
    weight = np.array([[0.5, -0.25], [1.0, 0.75]])
    weight.flags.writeable = False
    f = na.Network.from_layers([(weight, None), (na.Transposed(na.Dense(weight)), None)])
    assert list(f.parameters()) == ["1.weight"]
    new = np.array([[1.0, 2.0], [3.0, 4.0]])
    x = np.array([0.3, -0.2])
    np.testing.assert_allclose(f.with_parameters({"1.weight": new})(x), new.T @ np.tanh(new @ x))
    tied = f.with_parameters({"1.weight": torch.tensor(new)})
    np.testing.assert_allclose(tied(torch.tensor(x)), new.T @ np.tanh(new @ x))
    check_along(f, x[None], ALL)


def test_two_parameters_with_one_array_stay_two():
    f = chain(2, 2, 2)
    weight = f.parameters()["1.weight"]
    g = f.with_parameters({"3.weight": weight})
    assert list(g.parameters()) == list(f.parameters())
    assert g.with_parameters({"1.weight": np.zeros((2, 2))}).parameters()["3.weight"].tolist() == weight.tolist()


def test_nodes_stay_where_numbers_make_them_equal_or_nothing():
    f = na.Network.identity(2)
    f = na.stack(*(na.Network.from_layers([(np.full((2, 2), c), None), (np.eye(2) * c, None)]) @ f for c in (1.0, 2.0)))
    g = f.with_parameters({n: np.eye(2) for n in f.parameters()})
    assert list(g.parameters()) == list(f.parameters())
    assert g.with_parameters(f.parameters()) == f
    np.testing.assert_allclose(g([1.0, 2.0]), np.tanh([1.0, 2.0, 1.0, 2.0]))


def test_lists_and_integers_take_the_dtype_of_the_array():
    f = na.Network.from_layers([(np.ones((1, 2), np.float32), np.zeros(1, np.float32))])
    assert f.with_parameters({"1.bias": [1.5]}).dtype == np.float32
    assert f.with_parameters({"1.bias": np.array([1])}).dtype == np.float32
    assert f.with_parameters({"1.bias": np.array([1.5])}).dtype == np.float64


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"2.weight": 1}, InputError, "2.weight.*1.weight, 1.bias, 3.weight, 3.bias expected"),
        ({"1.weight": np.ones((2, 4))}, ShapeError, r"1.weight of shape \(2, 4\) received; \(4, 2\) expected"),
        ({"1.weight": torch.ones((2, 4))}, ShapeError, r"1.weight of shape \(2, 4\) received; \(4, 2\) expected"),
        ({"1.bias": [np.nan] * 4}, InputError, "1.bias with NaN"),
        ({"1.bias": ["a"] * 4}, DtypeError, "numbers are expected"),
        ({"1.bias": torch.ones(4, dtype=torch.int64)}, DtypeError, "1.bias of dtype torch.int64"),
        ({"1.bias": torch.ones(4), "3.bias": jnp.ones(1)}, InputError, "weights of jax.* beside arrays of torch"),
    ],
)
def test_what_does_not_fit_is_refused(params, error, message):
    with pytest.raises(error, match=message):
        chain(2, 4, 1).with_parameters(params)


# Weights of other libraries ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("sizes", [(3, 5, 4, 2), (3, 2, 4, 2)], ids=["wide", "narrow"])
def test_weights_of_torch_answer_like_those_of_numpy(question, sizes):
    """Behind a first layer of fewer units than inputs products of its weights must not be remembered."""
    f, x, ask = chain(*sizes), np.random.default_rng(2).normal(size=(4, 3)), QUESTIONS[question]
    ask(f, x)
    params = {n: torch.tensor(a, requires_grad=True) for n, a in moved(f).items()}
    found = ask(f.with_parameters(params), torch.tensor(x))
    expected = ask(f.with_parameters(moved(f)), x)
    np.testing.assert_allclose(found.detach(), expected, rtol=1e-9, atol=1e-10)
    torch.autograd.backward(found.sum())
    assert params["1.weight"].grad is not None


@pytest.mark.parametrize("question", ["value", "laplacian", "one output", "parameter_vjp"])
def test_derivatives_of_answers_by_points_and_weights_under_jax(question):
    f, x, ask = chain(3, 4, 2), np.random.default_rng(2).normal(size=(4, 3)), QUESTIONS[question]
    direction = moved(f, 3, 1.0)
    p, v = f.parameters(), np.random.default_rng(5).normal(size=x.shape)

    def loss(p, x):
        return (ask(f.with_parameters(p), x) ** 2).sum()

    by_p, by_x = jax.jit(jax.grad(loss, argnums=(0, 1)))({n: jnp.asarray(a) for n, a in p.items()}, jnp.asarray(x))
    slope = sum((by_p[n] * direction[n]).sum() for n in p) + (by_x * v).sum()
    quotient = differences(lambda h: loss({n: p[n] + h * direction[n] for n in p}, x + h * v))
    np.testing.assert_allclose(slope, quotient, rtol=1e-7)


def test_lists_and_numpy_points_become_those_of_the_weights():
    f = chain(2, 3, 1)
    params = {n: torch.tensor(a, dtype=torch.float32) for n, a in f.parameters().items()}
    g = f.with_parameters(params)
    assert g([0.5, 1.0]).dtype == torch.float32
    assert g(np.array([0.5, 1.0])).dtype == torch.float64
    with pytest.raises(InputError, match=r"points of jax.* beside arrays of torch"):
        g(jnp.ones(2))


def test_some_weights_may_stay_numbers():
    f = chain(2, 3, 1)
    bias = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    f.with_parameters({"1.bias": bias}).laplacian(torch.ones((5, 2), dtype=torch.float64)).sum().backward()
    expected = f.with_parameters({"1.bias": np.zeros(3)}).parameter_vjp(np.ones((5, 2)), [1.0], "laplacian")
    np.testing.assert_allclose(bias.grad, expected["1.bias"], rtol=1e-12)


def test_a_bound_network_goes_back_to_numbers_and_refuses_the_rest():
    f = chain(2, 3, 2)
    new = moved(f)
    g = f.with_parameters({n: torch.tensor(a, requires_grad=True) for n, a in new.items()})
    assert g.network() == f.with_parameters(new) == g.with_parameters(new)
    assert "weights of torch" in repr(g)
    assert g.shape == f.shape
    assert pickle.loads(pickle.dumps(g)).network() == copy.deepcopy(g).network() == g.network()
    assert g.plan("laplacian").way.name == "layer sum"
    for name in ("formula", "save", "rename", "fold", "layers_list"):
        with pytest.raises(
            UsageError, match=rf"{name} asked of a network with weights of another library(.|\n)*network\(\)"
        ):
            getattr(g, name)()
    with pytest.raises(AttributeError):
        g.nonsense  # noqa: B018
    with pytest.raises(UsageError, match="Network received as x"):
        f(g)


def test_a_bound_network_never_shows_the_numbers_of_the_network_it_came_from():
    f = chain(2, 3, 1)
    g = f.with_parameters({n: torch.tensor(a) for n, a in f.parameters().items()})
    assert all(np.isnan(a).all() for node in g.nodes for a in node.layer.arrays)
    assert all(np.isfinite(a).all() for a in f.arrays)


def test_outputs_chosen_by_name():
    f = chain(2, 3, 2).rename(outputs=["u", "v"])
    g = f.with_parameters({n: torch.tensor(a) for n, a in moved(f).items()})
    x = np.ones((3, 2))
    expected = f.with_parameters(moved(f))["v"].jacobian(x)
    np.testing.assert_allclose(g["v"].jacobian(torch.tensor(x)), expected, rtol=1e-12)
    assert g["v"].output_names == ("v",)
    for seed in (3, 4):
        numbers = moved(f, seed)
        g = f.with_parameters({n: torch.tensor(a) for n, a in numbers.items()})
        expected = f.with_parameters(numbers).jacobian(x, outputs="v")
        np.testing.assert_allclose(g.jacobian(torch.tensor(x), outputs="v"), expected, rtol=1e-12)


def test_equal_layers_with_different_values_are_not_confused():
    pair = [na.Network.from_layer(na.PowerProduct(np.full((1, 2), c)), 2) for c in (1.0, 2.0)]
    f = na.stack(*pair)
    equal = f.with_parameters({n: np.ones((1, 2)) for n in f.parameters()})
    g = equal.with_parameters({n: torch.full((1, 2), c) for n, c in zip(f.parameters(), (1.0, 2.0), strict=True)})
    assert g(torch.tensor([2.0, 3.0])).tolist() == pytest.approx([6.0, 36.0])


# Pytrees of JAX ----------------------------------------------------------------------------------------------------


def test_a_network_is_a_pytree():
    f = chain(2, 3, 1)
    leaves, structure = jax.tree.flatten(f)
    assert [a.shape for a in leaves] == [a.shape for a in f.parameters().values()]
    assert jax.tree.unflatten(structure, leaves) == f
    assert isinstance(jax.tree.unflatten(structure, [object()] * 4), Bound)
    assert isinstance(jax.tree.unflatten(structure, [None] * 4), Bound)
    assert jax.tree.map(lambda a: 2 * a, f) == f.with_parameters({n: 2 * a for n, a in f.parameters().items()})
    paths = [path[0].key for path, _ in jax.tree_util.tree_flatten_with_path(f)[0]]
    assert paths == list(f.parameters())


def test_structures_are_equal_whatever_the_numbers():
    f = chain(2, 3, 1)
    same = [f.with_parameters(moved(f)), jax.tree.map(np.float32, f)]
    others = [chain(2, 3, 1, function="sin"), f.rename(inputs=["u", "v"]), chain(2, 4, 1)]
    structure = jax.tree.structure(f)
    assert all(jax.tree.structure(g) == structure and hash(jax.tree.structure(g)) == hash(structure) for g in same)
    assert all(jax.tree.structure(g) != structure for g in others)


def test_gradient_by_the_network_itself():
    f, x = chain(2, 4, 1), np.random.default_rng(0).normal(size=(6, 2))

    def loss(net, x):
        return (net.laplacian(x) ** 2).sum()

    gradient = jax.grad(loss)(f, x)
    expected = f.parameter_vjp(x, 2 * f.laplacian(x), "laplacian")
    np.testing.assert_allclose(flat(gradient.parameters()), flat(expected), rtol=1e-9, atol=1e-12)
    better = jax.tree.map(lambda a, g: a - 0.001 * g, f, gradient)
    assert isinstance(better, na.Network)
    assert loss(better, x) < loss(f, x)
    assert jax.jit(loss)(f, x) == pytest.approx(loss(f, x))


def test_a_step_of_an_optimiser_under_jit():
    f, x = chain(2, 4, 1), np.random.default_rng(0).normal(size=(6, 2))
    traced = []

    def loss(net, x):
        return (net.laplacian(x) ** 2).sum()

    @jax.jit
    def step(net, x):
        traced.append(net)
        return jax.tree.map(lambda a, g: a - 0.001 * g, net, jax.grad(loss)(net, x))

    first = step(f, x)
    expected = jax.tree.map(lambda a, g: a - 0.001 * g, f, jax.grad(loss)(f, x))
    np.testing.assert_allclose(flat(first.parameters()), flat(expected.parameters()), rtol=1e-12)
    last = functools.reduce(lambda net, _: step(net, x), range(5), first)
    assert len(traced) == 2  # one with the network, one with what came out
    assert loss(last.network(), x) < loss(first.network(), x) < loss(f, x)


def test_a_bound_network_is_a_pytree():
    f = chain(2, 3, 1)
    g = f.with_parameters({n: jnp.asarray(a) for n, a in f.parameters().items()})
    assert jax.tree.map(lambda a, b: a + b, g, g).network() == jax.tree.map(lambda a: a + a, f)
    several = jax.tree.map(lambda a: jnp.stack([a, 2 * a]), g)
    values = jax.vmap(lambda net: net(jnp.ones(2)))(several)
    np.testing.assert_allclose(values, [f(np.ones(2)), jax.tree.map(lambda a: 2 * a, f)(np.ones(2))])


def test_jax_is_not_imported_and_may_come_late():
    program = """if True:
        import sys
        import neuralgebra as na
        f = na.Network.from_layers([([[1.0, 2.0]], None)])
        f([0.0, 0.0])
        assert "jax" not in sys.modules
        import jax
        assert jax.tree.leaves(f)[0] is f.arrays[0]
    """
    subprocess.run([sys.executable, "-c", program], check=True)


# Derivatives by the weights ----------------------------------------------------------------------------------------


def differences(function, h=2e-4):
    """The derivative of a function of one number at 0, of order h⁶."""
    a, b, c = ((function(s * h) - function(-s * h)) / (2 * s * h) for s in (1, 2, 3))
    return 1.5 * a - 0.6 * b + 0.1 * c


def evaluated(f, x, targets):
    k, x = accept(f, x)
    return linearised(f, k, x, wanted(f, targets))[0]


def check_along(f, x, targets, rtol=1e-6):
    """Compare with difference quotients along a random direction of all weights."""
    p, direction = f.parameters(), moved(f.with_parameters({n: 0 * a for n, a in f.parameters().items()}), 7, 1.0)
    found = f.parameter_jacobian(x, targets) @ flat(direction)
    quotient = differences(lambda h: evaluated(f.with_parameters({n: p[n] + h * direction[n] for n in p}), x, targets))
    np.testing.assert_allclose(found, quotient, rtol=rtol, atol=rtol * max(1.0, abs(quotient).max()))


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
    found = evaluated(f, x, [*ALL, (2, 1), {"x2": 3}, "x2"])
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

    assert peak(20_000) < peak(2_000) + 20_000 * 8  # one more number for each point would be seen


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
