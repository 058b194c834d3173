"""na.fit from data to network: what it promises, by each solver, and what it refuses."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import FitWarning, InputError, UsageError
from neuralgebra.fitting.scaling import Scaling, balance, balanced

Known = na.Observations


def wave(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * x[:, 0]) * np.cos(x[:, 1]) + x[:, 0]


def slopes(x: np.ndarray) -> np.ndarray:
    first = 2 * np.cos(2 * x[:, 0]) * np.cos(x[:, 1]) + 1
    return np.stack([first, -np.sin(2 * x[:, 0]) * np.sin(x[:, 1])], 1)


def plane(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.5, 1.5, (count, 2))


def mixed(count: int = 150) -> na.Observations:
    """One third of the rows knows y, one third dy/dx1, one third dy/dx2."""
    x = plane(count)
    a, b, c = (x[i::3] for i in range(3))
    return Known.at(a, wave(a)) + Known.at(b, slopes(b)[:, 0], "x1") + Known.at(c, slopes(c)[:, 1], "x2")


def quiet_fit(*arguments: Any, **options: Any) -> na.Network:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)
        return na.fit(*arguments, progress=False, **options)


def error(f: na.Network, function: Any = wave, count: int = 2000) -> float:
    x = plane(count, seed=1)
    return float(np.sqrt(np.mean((f(x)[:, 0] - function(x)) ** 2)))


SOLVERS = [
    ("auto", {}, 2e-3),
    ("lm", {"decay": 0.0, "iterations": 60}, 2e-2),
    ("lbfgs", {"iterations": 600}, 2e-2),
    ("adam", {"epochs": 400, "batch": 50}, 0.15),
    ("swarm", {"particles": 60, "iterations": 400, "hidden": (6,)}, 0.35),
    ("evolution", {"population": 40, "generations": 150, "hidden": (4,)}, 0.6),
]


@pytest.mark.parametrize(("solver", "options", "least"), SOLVERS, ids=[s for s, _, _ in SOLVERS])
def test_values_and_derivatives_at_different_points(solver: str, options: dict, least: float) -> None:
    f = quiet_fit(mixed(), solver=solver, **{"hidden": (15,), **options})
    assert error(f) < least
    assert error(f.diff("x2"), lambda x: slopes(x)[:, 1]) < 3 * least


def test_derivatives_say_more_than_values_alone() -> None:
    x = plane(40)
    both, values = (quiet_fit(x, wave(x), dydx=d, hidden=(12,)) for d in (slopes(x), None))
    assert error(both) < error(values) / 3


def test_second_derivatives_directions_and_operators() -> None:
    """A function known by its Laplacian, a derivative along directions, and one value."""
    x = plane(120)
    v = np.random.default_rng(2).normal(size=x.shape)
    laplacian = -5 * np.sin(2 * x[:, 0]) * np.cos(x[:, 1])
    known = (
        Known.at(x, laplacian, "laplacian")
        + Known.at(x, (slopes(x) * v).sum(1), along=v)
        + Known.at(x, laplacian - 3 * wave(x), {"x1^2": 1.0, "x2^2": 1.0, "value": -3.0})
    )
    f = quiet_fit(known, hidden=(15,))
    assert error(f) < 1e-2


@pytest.mark.parametrize("factor", [1e-30, 1e-3, 1e30])
def test_the_unit_of_the_data_does_not_matter(factor: float) -> None:
    x = plane(80)
    one = quiet_fit(x, wave(x), dydx=slopes(x), hidden=(8,), iterations=30)
    other = quiet_fit(x * [1e3, 1], wave(x) * factor, dydx=slopes(x) * factor / [1e3, 1], hidden=(8,), iterations=30)
    at = plane(50, seed=3)
    np.testing.assert_allclose(other(at * [1e3, 1]) / factor, one(at), rtol=1e-3, atol=1e-4)


def test_scaled_derivatives_are_those_of_the_scaled_function() -> None:
    """Each group of scaled observations is what its operator makes of y' as a function of x'."""
    x = plane(200) * [3.0, 0.2] + [5.0, -1.0]
    rng = np.random.default_rng(0)
    f = na.Network.from_layers([(rng.normal(size=(5, 2)), rng.normal(size=5)), (rng.normal(size=(1, 5)), [2.0])])
    v = rng.normal(size=x.shape)
    h = f.hessian(x)[:, 0]
    known = (
        Known.dense(x, f(x), dydx=f.jacobian(x), d2ydx2=h)
        + Known.at(x, (f.jacobian(x)[:, 0] * v).sum(1), along=v)
        + Known.at(x, 2 * h[:, 0, 0] - 3 * f(x)[:, 0], {"x1^2": 2.0, "value": -3.0})
    )
    scaling = Scaling.of(known)
    n, m = (
        na.Affine(np.diag(s), t)
        for s, t in ((scaling.size, scaling.start), (1 / scaling.height, -scaling.middle / scaling.height))
    )
    g = na.Network.from_layer(m, 1) @ f @ na.Network.from_layer(n, 2)
    for group in scaling.scaled(known).groups:
        if group.operator.along:
            found = g.jvp(group.points, group.directions)
        else:
            orders = [(c, tuple(alpha.count(i) for i in range(2))) for alpha, c in group.operator.terms]
            found = sum(c * g.derivative(group.points, o) for c, o in orders)
        np.testing.assert_allclose(found, group.values, rtol=1e-9, atol=1e-9)
    back = scaling.unscaled(g)
    np.testing.assert_allclose(back(x), f(x), rtol=1e-12)
    assert len(back.nodes) == 3


def test_kinds_are_balanced_and_deviations_are_not() -> None:
    x = plane(50)
    known = Known.dense(x, wave(x), dydx=100 * slopes(x))
    factors = balance(known)
    for group in balanced(known, factors).groups:
        assert np.mean(group.weights * group.values**2) == pytest.approx(1)
    measured = Known.at(x, wave(x), sd=0.5)
    (group,) = balanced(measured, balance(measured)).groups
    np.testing.assert_array_equal(group.weights, 4.0)


def test_decay_is_found_from_noisy_data() -> None:
    """With noise of 0.3 the fit is nearer to the truth than the data are, without anything held back."""
    x = plane(150)
    y = wave(x) + 0.3 * np.random.default_rng(5).normal(size=150)
    found, plain = (quiet_fit(x, y, hidden=(20, 10), **o) for o in ({}, {"decay": 0.0, "iterations": 200}))
    assert error(found) < 0.15
    assert error(found) < error(plain) / 2
    assert found.fit_report().decay > 1e-4


def test_the_same_seed_gives_the_same_bits() -> None:
    known = mixed()
    options = {"hidden": (6,), "iterations": 20, "restarts": 3}
    fits = [quiet_fit(known, seed=7, workers=w, **options) for w in (1, 1, 2)]
    assert len({pickle.dumps([a.tobytes() for a in f.arrays]) for f in fits}) == 1
    assert quiet_fit(known, seed=8, **options) != fits[0]


def test_a_run_that_was_stopped_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    known, options = mixed(), {"hidden": (6,), "iterations": 60, "decay": 0.01}
    whole = quiet_fit(known, **options)
    part = quiet_fit(known, folder=tmp_path / "run", callback=lambda now: now.round == 2, **options)
    assert part.fit_report().stopped
    assert part.fit_report().saved
    assert part != whole
    assert quiet_fit(known, folder=tmp_path / "run", **options) == whole
    assert na.load(tmp_path / "run" / "best.safetensors")(plane(5)).shape == (5, 1)
    with pytest.raises(InputError, match="data"):
        quiet_fit(mixed(90), folder=tmp_path / "run", **options)
    with pytest.raises(InputError, match="hidden"):
        quiet_fit(known, folder=tmp_path / "run", **{**options, "hidden": (7,)})


def test_early_stopping_holds_points_back() -> None:
    x = plane(120)
    y = wave(x) + 0.5 * np.random.default_rng(5).normal(size=120)
    f = quiet_fit(x, y, hidden=(30,), decay=0.0, validation=0.3, patience=5)
    report = f.fit_report()
    assert "stopped early" in report.reason
    assert report.kinds[0].held_back is not None
    assert "held back" in str(report)
    assert report.numbers == 84


def test_classes_by_cross_entropy_end_with_probabilities() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0], [3, 0], [0, 3]])
    labels = rng.integers(0, 3, 150)
    x = centres[labels] + rng.normal(size=(150, 2)) / 2
    f = quiet_fit(x, np.eye(3)[labels], hidden=(6,), loss="cross_entropy", iterations=200)
    np.testing.assert_allclose(f(x).sum(1), 1)
    assert (f(x).argmax(1) == labels).mean() > 0.97


def test_cross_validation_errs_by_what_was_not_fitted() -> None:
    x = plane(90)
    noise = np.random.default_rng(5).normal(size=90)
    found = na.cross_validate(x, wave(x) + 0.3 * noise, folds=3, hidden=(10,), progress=False)
    (kind,) = found.kinds
    assert len(found.reports) == 3
    assert kind.error < 0.3 < kind.held_back < 1
    assert "3 folds" in str(found)


def test_what_is_given_to_judge_is_what_is_reported() -> None:
    """Beside points that only tell when to stop, the error held back is that of the observations that were given."""
    x, fresh = plane(80), plane(40, seed=9)
    judged = Known.at(fresh, wave(fresh) + 5)
    f = quiet_fit(Known.at(x, wave(x)), hidden=(6,), iterations=20, validation=0.2, held_back=judged)
    wanted = np.sqrt(np.mean((f(fresh)[:, 0] - wave(fresh) - 5) ** 2))
    assert f.fit_report().kinds[0].held_back == pytest.approx(wanted)


def test_what_may_be_wrong_is_said() -> None:
    x = plane(200)
    with pytest.warns(FitWarning, match=r"dy1/dx1 is -[01]\.?\d* times"):
        na.fit(x, wave(x), dydx=slopes(x) * [-1, 1], hidden=(8,), iterations=5, progress=False)
    with pytest.warns(FitWarning, match="5 numbers for 33 weights"):
        na.fit(x[:5], wave(x[:5]), hidden=(8,), iterations=5, progress=False)
    with pytest.warns(FitWarning, match="x2 has one value"):
        na.fit(x * [1, 0], wave(x), hidden=(8,), iterations=5, progress=False)
    twice = np.concatenate([x, x[:1]])
    with pytest.warns(FitWarning, match="at .* is "):
        na.fit(twice, np.append(wave(x), 7.0), hidden=(8,), iterations=5, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        na.fit(x, wave(x), dydx=slopes(x), hidden=(8,), iterations=5, progress=False)


def test_one_row_and_derivatives_alone() -> None:
    assert quiet_fit([[1.0]], [2.0], hidden=(2,), iterations=30)([1.0])[0] == pytest.approx(2.0, abs=1e-3)
    x = plane(100)
    f = quiet_fit(Known.dense(x, dydx=slopes(x)), hidden=(12,))
    assert error(f.diff("x1"), lambda p: slopes(p)[:, 0]) < 0.02


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "sgd"}, "one of auto, lm"),
        ({"solver": "lm", "particles": 3}, "particles received for solver lm"),
        ({"solver": "lm", "accuracy": -1}, "accuracy=-1"),
        ({"hidden": (0,)}, "sizes of at least 1"),
        ({"decay": -1}, "decay=-1"),
        ({"validation": 1.5}, "validation=1.5"),
        ({"loss": "absolute"}, "loss="),
        ({"restarts": 0}, "restarts=0"),
        ({"seed": -1}, "seed=-1"),
        ({"activation": ["tanh", "tanh", "tanh"]}, "3 activations received for 2 hidden layers"),
        ({"solver": "lm", "loss": "cross_entropy"}, "lbfgs"),
    ],
)
def test_options_that_do_not_exist(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        na.fit(plane(20), wave(plane(20)), progress=False, **options)


def test_what_is_no_data() -> None:
    with pytest.raises(UsageError, match="without y"):
        na.fit(plane(5))
    with pytest.raises(UsageError, match="beside observations"):
        na.fit(mixed(), wave(plane(5)))
    with pytest.raises(InputError, match="not fitted in this session"):
        na.Network.identity(2).fit_report()
