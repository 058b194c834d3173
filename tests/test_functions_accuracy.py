"""Every activation stays within its limits on NumPy, PyTorch and JAX: a thinned run of the benchmark."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from neuralgebra.functions.activation import Activation, activation

PATH = Path(__file__).parents[1] / "benchmarks" / "activation_accuracy.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("activation_accuracy", PATH)
    module = importlib.util.module_from_spec(spec)
    importlib.sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


accuracy = load()
FUNCTIONS = [function for function in accuracy.functions() if function.row.stabilised]


def thinned(x: np.ndarray, size: int) -> np.ndarray:
    """So many of the points, at random; always as many, since JAX compiles for each shape."""
    return np.sort(np.random.default_rng(2).choice(x, size, replace=False))


@pytest.fixture(scope="module")
def libraries() -> dict[str, Any]:
    return accuracy.libraries()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_errors_are_within_the_limits(function: Activation, dtype: str, libraries: dict[str, Any]) -> None:
    x = thinned(accuracy.points(function, dtype, density=60, seed=1), 100)
    found = list(accuracy.measure(function, x, libraries))
    assert len(found) == 3 * len(libraries)
    wrong = [result for result in found if not result[2] <= accuracy.limit(dtype, result[1])]
    assert not wrong


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_infinities_and_nan(function: Activation, libraries: dict[str, Any]) -> None:
    wrong = [
        text
        for dtype in ("float64", "float32")
        for library in libraries.values()
        for text in accuracy.at_infinity(function, dtype, library)
    ]
    assert not wrong


def test_the_measure_sees_an_error() -> None:
    """tanh' by 1 - tanh² and sigmoid off by 8 ulp are found."""
    x = np.array([0.5, 20.0])
    tanh, sigmoid = (next(f for f in FUNCTIONS if f.name == name) for name in ("tanh", "sigmoid"))
    slope, value = accuracy.exact(tanh, x)[1], accuracy.exact(sigmoid, x)[0]
    assert accuracy.ulps(1 - np.tanh(x) ** 2, slope, x)[1] > 1e10
    right = 1 / (1 + np.exp(-x))
    assert accuracy.ulps(right, value, x).max() < 2
    assert accuracy.ulps(right * (1 + 16 * 2.0**-53), value, x).min() > 8


@pytest.mark.parametrize(("name", "at", "order", "value"), [
    ("tanh", 20.0, 1, 1.69934170211663558369e-17),
    ("tanh", 300.0, 1, 1.06015862120172432654e-260),
    ("sigmoid", -700.0, 0, 9.859676543759770e-305),
    ("gelu", -37.0, 0, -2.11846135233409342439e-298),
    ("softplus", -100.0, 0, 3.720075976020836e-44),
    ("silu", -700.0, 0, -6.901773580631839e-302),
])  # fmt: skip
def test_saturation(name: str, at: float, order: int, value: float) -> None:
    function = next(f for f in FUNCTIONS if f.name == name)
    x = np.array([at])
    result = accuracy.evaluate(function, x, order, (np.asarray, np.asarray))
    assert result[0] == pytest.approx(value, rel=1e-12, abs=0)


@pytest.mark.parametrize("library", ["numpy", "torch", "jax"])
@pytest.mark.parametrize(
    ("name", "parameters", "at", "order"),
    [
        ("power", {"p": 0.5}, 1.1e-26, 2),
        ("power", {"p": (0.5, 0.5)}, 1.1e-26, 2),
        ("sqrt", {}, 1.1e-26, 2),
        ("sinh", {}, -89.12, 0),
        ("sinh", {}, 89.12, 1),
        ("asinh", {}, 1e15, 2),
        ("selu", {}, -87.5, 1),
        ("sigmoid", {}, -87.3, 0),
        ("tanh", {}, 44.0, 1),
    ],
)
def test_nothing_overflows_or_underflows_before_its_time(
    name: str, parameters: dict, at: float, order: int, library: str, libraries: dict[str, Any]
) -> None:
    function, x = activation(name, **parameters), np.array([at, at], dtype="float32")
    scalar = activation(name, **{key: np.max(value).item() for key, value in parameters.items()})
    reference = accuracy.exact(scalar, x)[order]
    assert reference.counts.all()
    errors = accuracy.ulps(accuracy.evaluate(function, x, order, libraries[library]), reference, x)
    assert (errors <= accuracy.limit("float32", order)).all()
