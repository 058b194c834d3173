"""Losses of networks on values and derivatives: against loops, difference quotients and each other."""

import itertools
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.calculus.targets import Targets
from neuralgebra.fitting.layout import Layout
from neuralgebra.fitting.objective import Objective
from neuralgebra.fitting.rows import Rows

V = ((),)


def partial(*alpha: int) -> Any:
    return (tuple(alpha),)


# inputs, outputs, targets, operators as combinations of them, bounds, along directions
CASES: dict[str, Any] = {
    "value": (3, 2, [V], None, None, False),
    "value and gradient": (3, 1, [V, partial(0), partial(1), partial(2)], None, None, False),
    "some partials": (4, 1, [partial(0), partial(2), partial(1)], None, None, False),
    "one partial": (3, 2, [partial(1)], None, None, False),
    "jacobian of two": (5, 2, [V, *(partial(i) for i in range(5))], None, None, False),
    "second": (2, 2, [V, partial(0, 0), partial(0, 1)], None, None, False),
    "third": (2, 1, [partial(0, 0, 1)], None, None, False),
    "laplacian": (3, 1, [tuple((i, i) for i in range(3))], None, None, False),
    "operators": (2, 1, [V, partial(0), partial(1, 1)], np.array([[1.0, 2, 0], [0, -1, 0.5]]), None, False),
    "along": (3, 2, [partial(0)], None, None, True),
    "twice along": (3, 2, [partial(0, 0)], None, None, True),
    "bounds": (2, 1, [V, partial(0), partial(1)], None, [0, 1, -1], False),
    "bounds and many": (3, 1, [V, partial(0), partial(1), partial(2)], None, [0, 1, -1, 0], False),
}
COUNT = 40


def made(name: str, function: str = "tanh", seed: int = 0, **options: Any) -> tuple[Objective, np.ndarray]:
    rng = np.random.default_rng(seed)
    n, m, sums, mixing, bounds, along = CASES[name]
    sizes = [n, 6, 5, m]
    pairs = [(rng.normal(size=(b, a)) / np.sqrt(a), rng.normal(size=b) / 3) for a, b in itertools.pairwise(sizes)]
    layout = Layout(na.Network.from_layers(pairs, function))
    mixing = np.eye(len(sums)) if mixing is None else mixing
    shape = (COUNT, len(mixing), m)
    weights = rng.uniform(0.5, 2, shape) * (rng.random(shape) > 0.2)
    rows = Rows(
        rng.normal(size=(COUNT, n)), Targets(tuple(sums), 1 if along else n), mixing, rng.normal(size=shape), weights,
        np.zeros(len(mixing)) if bounds is None else np.array(bounds), tuple(range(len(mixing))),
        rng.normal(size=(COUNT, 1, n)) if along else None,
    )  # fmt: skip
    return Objective(layout, (rows,), **options), layout.pack(layout.arrays)


def by_loops(objective: Objective, theta: np.ndarray) -> float:
    """Add up the loss one number at a time, every derivative asked of the network by itself."""
    total, f = 0.0, objective.layout.network(theta)
    for rows in objective.parts:
        for p, x in enumerate(rows.points):
            for t, mix in enumerate(rows.mixing):
                result = np.zeros(f.output_size)
                for factor, terms in zip(mix, rows.targets.sums, strict=True):
                    for alpha in terms:
                        if rows.directions is None:
                            orders = tuple(alpha.count(i) for i in range(f.input_size))
                            result += factor * f.derivative(x, orders)
                        else:
                            result += factor * f.taylor(x, rows.directions[p, 0], len(alpha))[-1]
                for r, y, w in zip(result, rows.values[p, t], rows.weights[p, t], strict=True):
                    met = (rows.bounds[t] > 0 and r > y) or (rows.bounds[t] < 0 and r < y)
                    total += 0.0 if met else w * (r - y) ** 2 / 2
    return total + objective.decay / 2 * float(sum(np.sum(a**2) for a in f.arrays if a.ndim == 2))


@pytest.mark.parametrize("function", ["tanh", "softplus", "silu"])
@pytest.mark.parametrize("name", CASES)
def test_the_loss_is_that_of_its_definition(name: str, function: str) -> None:
    objective, theta = made(name, function, decay=0.01)
    assert objective.loss(theta) == pytest.approx(by_loops(objective, theta), rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_difference_quotients(name: str) -> None:
    objective, theta = made(name, decay=0.01)
    loss, gradient = objective.gradient(theta)
    steps = 1e-6 * np.eye(len(theta))
    quotients = [(objective.loss(theta + h) - objective.loss(theta - h)) / 2e-6 for h in steps]
    assert loss == pytest.approx(objective.loss(theta), rel=1e-13)
    np.testing.assert_allclose(gradient, quotients, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_normal_equations_belong_to_residuals_and_gradient(name: str) -> None:
    objective, theta = made(name, decay=0.01)
    loss, matrix, right = objective.normal(theta)
    r, j = objective.jacobian(theta)
    assert loss == pytest.approx(r @ r / 2, rel=1e-12)
    np.testing.assert_allclose(matrix, j.T @ j, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(right, j.T @ r, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(right, objective.gradient(theta)[1], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_many_networks_at_once_are_each_by_itself(name: str) -> None:
    objective, theta = made(name, decay=0.01)
    thetas = theta + np.linspace(-0.3, 0.3, 5)[:, None]
    wanted = [objective.loss(t) for t in thetas]
    np.testing.assert_allclose(objective.losses(thetas), wanted, rtol=1e-12)
    single = objective.losses(thetas.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, wanted, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_batches_add_up_to_all(name: str) -> None:
    objective, theta = made(name, decay=0.01)
    order = np.random.default_rng(1).permutation(COUNT).reshape(4, -1)
    parts = [objective.gradient(theta, chosen) for chosen in order]
    loss, gradient = objective.gradient(theta)
    assert np.mean([p[0] for p in parts]) == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(np.mean([p[1] for p in parts], axis=0), gradient, rtol=1e-11, atol=1e-12)


def test_nothing_depends_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits of sums over 5,000 points with one thread and with three."""
    rng = np.random.default_rng(0)
    f = na.Network.from_layers([(rng.normal(size=(30, 3)), None), (rng.normal(size=(1, 30)), None)])
    x, y = rng.normal(size=(5000, 3)), rng.normal(size=(5000, 1, 1))
    rows = Rows(x, Targets((V,), 3), np.eye(1), y, np.ones_like(y), np.zeros(1), (0,))
    layout = Layout(f)
    found = []
    for threads in "13":
        monkeypatch.setenv("NEURALGEBRA_THREADS", threads)
        loss, gradient = Objective(layout, (rows,)).gradient(layout.pack(layout.arrays))
        found.append((loss, gradient.tobytes()))
    assert found[0] == found[1]


def test_some_numbers_stay() -> None:
    """Only what is trainable is in θ, and the rest keeps its value."""
    rng = np.random.default_rng(0)
    f = na.Network.from_layers([(rng.normal(size=(4, 2)), rng.normal(size=4)), (rng.normal(size=(1, 4)), [0.5])])
    layout = Layout(f, ("3.weight",))
    assert layout.size == 4
    g = layout.network(np.arange(4.0))
    assert g.parameters()["1.weight"] is f.parameters()["1.weight"]
    np.testing.assert_array_equal(g.parameters()["3.weight"], [[0, 1, 2, 3]])
    rows = Rows(
        rng.normal(size=(9, 2)), Targets((V,), 2), np.eye(1), np.zeros((9, 1, 1)), np.ones((9, 1, 1)), np.zeros(1), (0,)
    )
    objective = Objective(layout, (rows,))
    _, gradient = objective.gradient(np.arange(4.0))
    quotients = [
        (objective.loss(np.arange(4.0) + h) - objective.loss(np.arange(4.0) - h)) / 2e-6 for h in 1e-6 * np.eye(4)
    ]
    np.testing.assert_allclose(gradient, quotients, rtol=1e-6)


def test_cross_entropy_is_minus_the_logarithm_of_the_softmax() -> None:
    rng = np.random.default_rng(0)
    f = na.Network.from_layers([(rng.normal(size=(5, 4)), None), (rng.normal(size=(3, 5)), None)])
    x, labels = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    y = np.eye(3)[labels][:, None, :]
    rows = Rows(x, Targets((V,), 4), np.eye(1), y, np.ones_like(y), np.zeros(1), (0,))
    layout = Layout(f)
    objective, theta = Objective(layout, (rows,), loss_name="cross_entropy"), layout.pack(layout.arrays)
    logits = f(x)
    wanted = sum(np.log(np.exp(z).sum()) - z[c] for z, c in zip(logits, labels, strict=True))
    assert objective.loss(theta) == pytest.approx(wanted, rel=1e-12)
    quotients = [(objective.loss(theta + h) - objective.loss(theta - h)) / 2e-6 for h in 1e-6 * np.eye(len(theta))]
    np.testing.assert_allclose(objective.gradient(theta)[1], quotients, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(objective.losses(np.stack([theta, theta + 0.1])), [wanted, objective.loss(theta + 0.1)])
