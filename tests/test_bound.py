"""Networks with other weights, weights of other libraries, networks as pytrees."""

from __future__ import annotations

import copy
import functools
import pickle
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import neuralgebra as na
from neuralgebra.errors import DtypeError, InputError, ShapeError, UsageError
from neuralgebra.network.bound import Bound
from oracles_weights import chain, check_along, differences, flat, moved

jax.config.update("jax_enable_x64", True)

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
    check_along(f, x[None], ["value", "jacobian", "hessian", "laplacian"])


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


# Copies ------------------------------------------------------------------------------------------------------------


COPIES = {
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    **{f"pickle {n}": lambda f, n=n: pickle.loads(pickle.dumps(f, n)) for n in range(2, pickle.HIGHEST_PROTOCOL + 1)},
}


def tied():
    """A network in which one array is used twice."""
    weight = np.array([[0.5, -0.25], [1.0, 0.75]])
    weight.flags.writeable = False
    return na.Network.from_layers([(weight, None), (na.Transposed(na.Dense(weight)), None)])


@pytest.mark.parametrize("way", COPIES)
def test_copies_share_what_the_original_shares(way):
    f, x = tied(), np.array([[0.3, -0.2]])
    f.hessian(x)
    g = COPIES[way](f)
    assert g == f
    assert list(g.parameters()) == ["1.weight"]
    assert not any(a.flags.writeable for a in g.arrays)
    np.testing.assert_array_equal(g.hessian(x), f.hessian(x))
    assert g.with_parameters(g.parameters()).arrays[0] is g.arrays[0]


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_networks_with_weights_of_torch(way):
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)
    f = tied().with_parameters({"1.weight": weight})
    np.testing.assert_allclose(COPIES[way](f)([[0.3, -0.2]]), f([[0.3, -0.2]]))


@pytest.mark.parametrize("way", COPIES)
def test_copies_keep_nodes_that_numbers_make_equal(way):
    pair = [na.Network.from_layers([(np.full((2, 2), c), None)]) for c in (1.0, 2.0)]
    f = na.stack(*pair)
    g = COPIES[way](f.with_parameters({n: np.eye(2) for n in f.parameters()}))
    assert list(g.parameters()) == list(f.parameters())


def test_the_carry_of_a_loop_is_a_network_with_weights_of_jax():
    f, x = chain(2, 3, 1), jnp.ones((4, 2))
    start = f.with_parameters({n: jnp.asarray(a) for n, a in f.parameters().items()})

    def step(net, _):
        gradient = jax.grad(lambda net: (net(x) ** 2).sum())(net)
        return jax.tree.map(lambda a, g: a - 0.01 * g, net, gradient), None

    found = jax.lax.scan(step, start, None, length=3)[0].network()
    expected = functools.reduce(lambda net, _: step(net, _)[0], range(3), start).network()
    np.testing.assert_allclose(flat(found.parameters()), flat(expected.parameters()), rtol=1e-12)
