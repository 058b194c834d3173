"""One row, every kind of number: arrays of four libraries, symbols and balls agree."""

from collections.abc import Callable
from typing import Any

import array_api_strict
import flint
import jax
import numpy as np
import pytest
import sympy
import torch

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.functions import catalogue
from neuralgebra.functions.activation import Activation, Chain, activation
from oracles_functions import TURNS

CASES = [activation(row.name) for row in catalogue.SMOOTH + catalogue.PIECEWISE]
every_case = pytest.mark.parametrize("function", CASES, ids=str)
LIBRARIES: dict[str, Callable[..., Any]] = {
    "torch": torch.asarray,
    "jax": jax.numpy.asarray,
    "strict": array_api_strict.asarray,
}
X = sympy.Symbol("x", real=True)


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> None:
    jax.config.update("jax_enable_x64", True)


def sample(function: Activation, dtype: str = "float64") -> np.ndarray:
    low, high = (float(np.clip(end, -6.0, 6.5)) for end in function.row.domain)
    return np.linspace(low, high, 14, dtype=dtype)[1:-1].reshape(3, 4)


def on_numpy(function: Activation, x: np.ndarray, order: int) -> np.ndarray:
    return function.derivative(Arrays(x), x, order)


# Arrays -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES)
@every_case
def test_the_same_numbers_in_every_library(function: Activation, library: str) -> None:
    for dtype, rtol in (("float64", 2e-14), ("float32", 2e-5)):
        x = sample(function, dtype)
        z = LIBRARIES[library](x.copy())
        for order in range(3):
            result = function.derivative(Arrays(z), z, order)
            expected = on_numpy(function, x, order)
            assert type(result) is type(z)
            assert result.shape == x.shape
            assert result.dtype == z.dtype
            assert expected.dtype == dtype
            values = np.from_dlpack(result)
            np.testing.assert_allclose(values, expected, rtol=rtol, atol=rtol * abs(expected).max())


@every_case
def test_the_argument_is_not_changed_and_empty_arrays_pass(function: Activation) -> None:
    x = sample(function)
    before = x.copy()
    for order in range(3):
        on_numpy(function, x, order)
        assert on_numpy(function, np.zeros((0, 3)), order).shape == (0, 3)
    np.testing.assert_array_equal(x, before)


@every_case
def test_jit_gives_the_same_numbers(function: Activation) -> None:
    x = jax.numpy.asarray(sample(function))
    for order in range(3):
        eager = function.derivative(Arrays(x), x, order)
        traced = jax.jit(lambda z, order=order: function.derivative(Arrays(z), z, order))(x)
        scale = float(abs(eager).max())
        np.testing.assert_allclose(traced, eager, rtol=1e-13, atol=1e-14 * scale)


# Symbols ----------------------------------------------------------------------------------------------------------


@every_case
def test_the_formula_has_the_values_of_the_arrays(function: Activation) -> None:
    x = sample(function).ravel()[::3]
    for order in range(4):
        formula = function.derivative(Symbols(), np.array([X], dtype=object), order)[0]
        values = [float(sympy.sympify(formula).subs(X, sympy.Rational(float(p))).evalf(30)) for p in x]
        expected = on_numpy(function, x, order)
        np.testing.assert_allclose(values, expected, rtol=1e-11, atol=1e-13 * (1 + abs(expected).max()))


P = sympy.Piecewise


@pytest.mark.parametrize(("name", "parameters", "order", "formula"), [
    ("relu", {}, 0, P((X, X > 0), (0, True))),
    ("relu", {}, 1, P((1, X > 0), (0, True))),
    ("leaky_relu", {"slope": 0.25}, 0, P((X, X > 0), (sympy.Float(0.25, 17) * X, True))),
    ("elu", {}, 0, P((X, X > 0), (sympy.exp(X) - 1, True))),
    ("elu", {}, 3, P((0, X > 0), (sympy.exp(X), True))),
    ("hardtanh", {}, 0, P((-1, X <= -1), (1, X >= 1), (X, True))),
    ("hardtanh", {}, 1, P((1, (X > -1) & (X < 1)), (0, True))),
    ("relu6", {}, 0, P((0, X <= 0), (6, X >= 6), (X, True))),
    ("hardsigmoid", {}, 0, P((0, X / 6 + sympy.Rational(1, 2) <= 0), (1, X / 6 + sympy.Rational(1, 2) >= 1),
                             (X / 6 + sympy.Rational(1, 2), True))),
    ("hardswish", {}, 0, P((0, X <= -3), (X, X >= 3), (X * (X + 3) / 6, True))),
    ("softshrink", {}, 1, P((1, sympy.Abs(X) > sympy.Float(0.5, 17)), (0, True))),
    ("softsign", {}, 0, X / (1 + sympy.Abs(X))),
    ("tanh", {}, 1, 1 / sympy.cosh(X) ** 2),
    ("power", {"p": 3}, 1, 3 * X**2),
    ("silu", {}, 0, X / (1 + sympy.exp(-X))),
])  # fmt: skip
def test_formulas_are_the_textbook_ones(name: str, parameters: dict, order: int, formula: sympy.Expr) -> None:
    assert activation(name, **parameters).derivative(Symbols(), np.array([X], dtype=object), order)[0] == formula


@every_case
def test_no_condition_within_a_condition(function: Activation) -> None:
    for order in range(3):
        formula = function.derivative(Symbols(), np.array([X], dtype=object), order)[0]
        for piecewise in sympy.sympify(formula).atoms(sympy.Piecewise):
            for value, condition in piecewise.args:
                assert not value.has(sympy.Piecewise)
                assert not condition.has(sympy.Piecewise, sympy.ITE)


# Balls ------------------------------------------------------------------------------------------------------------


def intervals(function: Activation) -> list[tuple[float, float]]:
    low, high = (float(np.clip(end, -9.0, 9.0)) for end in function.row.domain)
    rng = np.random.default_rng(3)
    ends = np.sort(rng.uniform(low, high, (12, 2)), axis=1)
    found = [
        (a, b) for a, b in [*ends.tolist(), (low, high)] if a > function.row.domain[0] and b < function.row.domain[1]
    ]
    if function.name == "cbrt":  # its slope is infinite at 0
        return [(a, b) for a, b in [*found, (0.01, 9.0), (-9.0, -0.01)] if a > 0 or b < 0]
    return found


@every_case
def test_a_wide_ball_contains_what_it_must(function: Activation) -> None:
    kind = Balls(128)
    for low, high in intervals(function):
        points = np.unique(
            [*np.linspace(low, high, 41)[1:-1], *(t for t in TURNS.get(function.name, ()) if low < t < high)]
        )
        for order in range(4):
            with kind.precision():
                wide = function.derivative(kind, kind.interval(np.array([low]), np.array([high])), order)[0]
                exact = function.derivative(kind, kind.weight(points), order)
            assert wide.is_finite()  # a NaN ball overlaps everything
            assert all(wide.overlaps(value) for value in exact)


@pytest.mark.parametrize("function", [f for f in CASES if f.name not in ("sin", "cos")], ids=str)
def test_the_value_of_a_wide_ball_is_the_hull_of_its_values(function: Activation) -> None:
    """A radius has 30 bits; no more than that is given away."""
    kind = Balls(128)
    for low, high in intervals(function):
        turning = [t for t in TURNS.get(function.name, ()) if low < t < high]
        with kind.precision():
            ball = kind.interval(np.array([low]), np.array([high]))
            points = np.array([ball[0].lower(), ball[0].upper(), *map(kind.scalar, turning)])
            wide, values = function(kind, ball)[0], [float(value) for value in function(kind, points)]
            best, given = max(values) - min(values), 2 * float(wide.rad())
        assert best * (1 - 1e-8) - 1e-12 <= given <= best * (1 + 1e-8) + 1e-11


@every_case
def test_the_chain_functions_of_a_wide_ball_are_finite(function: Activation) -> None:
    kind = Balls(128)
    for low, high in intervals(function):
        with kind.precision():
            chain = Chain(kind, function, kind.interval(np.array([low]), np.array([high])))
            values = [chain.variable(element.name) for element in function.row.chain if element.turning is not None]
            assert all(flint.arb(np.ravel(value)[0]).is_finite() for value in values)


def test_a_ball_across_a_kink_holds_both_slopes() -> None:
    kind = Balls(64)
    with kind.precision():
        z = kind.interval(np.array([-1.0]), np.array([1.0]))
        for name, low, high in (("relu", 0, 1), ("abs", -1, 1), ("leaky_relu", 0.01, 1), ("elu", 0.368, 1)):
            slope = activation(name).derivative(kind, z, 1)[0]
            assert slope.contains(flint.arb(low)), name
            assert slope.contains(flint.arb(high)), name


WIDE = {
    "power": [(-1.0, 1.0), (-2.0, -0.5)],
    "tan": [(1.0, 2.0)],
    "atanh": [(-2.0, 2.0)],
    "logit": [(-0.5, 0.5)],
    "log": [(-1.0, 1.0)],
    "reciprocal": [(-1.0, 1.0)],
}


@pytest.mark.parametrize(("name", "interval"), [(n, i) for n, several in WIDE.items() for i in several])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_balls_that_leave_the_domain_are_never_enclosed_too_tightly(name, interval, order):
    """Whatever the function is there: the enclosure is not finite, or it contains every finite sample."""
    balls = Balls(64)
    x = np.linspace(*interval, 41)
    with balls.precision():
        wide = activation(name).derivative(
            balls, balls.interval(np.array([interval[0]]), np.array([interval[1]])), order
        )[0]
        samples = activation(name).derivative(balls, balls.weight(x), order)
        assert not wide.is_finite() or all(wide.overlaps(s) for s in samples if s.is_finite())
