"""Activations from SymPy expressions: the derived chain gives what SymPy's own differentiation gives."""

import doctest
import pickle
from typing import Any

import array_api_strict
import jax
import numpy as np
import pytest
import sympy as sp
import torch

from neuralgebra import functions
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.errors import InputError, UnsupportedError
from neuralgebra.functions import catalogue  # noqa: F401  (fills the table)
from neuralgebra.functions.activation import Kink, activation, registered
from neuralgebra.functions.custom import LIMIT, register_expression

x, y = sp.Symbol("x", real=True), sp.Symbol("y")
half = sp.Rational(1, 2)
POINTS = np.array([0.3125, 0.6875, 1.375, 2.125])
EXPRESSIONS = [
    sp.Integer(3),
    x**3 / 3 - 2 * x,
    x * sp.tanh(x),
    x / (1 + sp.exp(-sp.Rational(17, 10) * x)),
    sp.exp(sp.exp(-(x**2))),
    sp.exp(x + sp.exp(-x)),
    (sp.sqrt(x**2 + 1) - 1) / 2 + x,
    (x + half) ** 2 * sp.exp(-x),
    (x**2 + 3) * (x - 1) * sp.sin(x),
    sp.log(1 + sp.exp(x)) / 2,
    x * sp.erf(x / sp.sqrt(2)),
    sp.erfc(x) * sp.cosh(x),
    (1 + x**2) ** sp.Rational(-3, 4),
    x ** sp.Rational(7, 2),
    x**-3 + x ** (-half),
    x**sp.pi,
    x**x,
    2**x,
    (2 + sp.sin(x)) ** x,
    0.3 * x + sp.pi * sp.cos(x) * sp.E,
    sp.atan(x) * sp.asinh(2 * x) - sp.acos(x / 3) + sp.asin(x / 4) * sp.acosh(3 + x) + sp.atanh(x / 5),
    sp.sinh(x) / (1 + sp.tan(x / 4) ** 2),
    sp.log(x, 2),
]
WITH_CASES = [
    sp.Piecewise((x, x > 1), (x * sp.exp(x - 1), True)),
    sp.Abs(x - 1) ** 3 + sp.Max(x, 1),
    sp.Min(sp.Max(x - 1, -half), half),
    x / (1 + sp.Abs(x)),
    sp.sign(x - 1) * x + sp.Heaviside(x - 1, 0),
    sp.Max(x, 2 * x - 1, 1 - x),
    sp.Piecewise(
        (0, x <= half), (sp.Piecewise((x**2, x < 1), (sp.sin(x) * x, True)), (x > half) & (x < 2)), (sp.log(x), True)
    ),
    sp.Piecewise((x**2, (x < half) | (x >= 2)), (sp.tanh(x), True)),
]
every_expression = pytest.mark.parametrize("expression", EXPRESSIONS + WITH_CASES, ids=str)


def registered_as(name: str, expression: Any) -> Any:
    register_expression(name, expression, x, kinks=(), replace=True)
    return activation(name)


def by_sympy(expression: sp.Expr, order: int) -> np.ndarray:
    slope = sp.diff(expression.subs(sp.Heaviside(x - 1, 0), sp.Piecewise((1, x > 1), (0, True))), x, order)
    return np.array([float(slope.subs(x, sp.Rational(float(p))).doit().evalf(30)) for p in POINTS])


@every_expression
def test_derivatives_are_those_of_sympy(expression: sp.Expr) -> None:
    function, kind = registered_as("custom", expression), Balls(200)
    for order in range(4):
        expected = by_sympy(expression, order)
        np.testing.assert_allclose(function.derivative(Arrays(POINTS), POINTS, order), expected, rtol=1e-11, atol=1e-12)
        with kind.precision():
            balls = function.derivative(kind, kind.weight(POINTS), order)
        np.testing.assert_allclose([float(ball) for ball in balls], expected, rtol=1e-14, atol=1e-14)
        formula = sp.S(function.derivative(Symbols(), np.array([x], dtype=object), order)[0])
        values = [float(formula.subs(x, sp.Rational(float(p))).evalf(30)) for p in POINTS]
        np.testing.assert_allclose(values, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("enter", [torch.asarray, jax.numpy.asarray, array_api_strict.asarray])
@every_expression
def test_every_library_takes_it(expression: sp.Expr, enter: Any) -> None:
    jax.config.update("jax_enable_x64", True)
    function, z = registered_as("custom", expression), enter(POINTS.copy())
    for order in range(2):
        result = function.derivative(Arrays(z), z, order)
        expected = function.derivative(Arrays(POINTS), POINTS, order)
        np.testing.assert_allclose(np.from_dlpack(result), expected, rtol=1e-12)


@every_expression
def test_a_wide_ball_contains_the_values(expression: sp.Expr) -> None:
    function, kind = registered_as("custom", expression), Balls(128)
    with kind.precision():
        wide = function(kind, kind.interval(POINTS[:1], POINTS[-1:]))[0]
        assert all(wide.contains(value) or wide.overlaps(value) for value in function(kind, kind.weight(POINTS)))


def test_the_chain_is_short() -> None:
    sizes = {sp.tanh(x): 1, x * sp.exp(-(x**2)): 1, 1 / (1 + sp.exp(-x)): 2, sp.sqrt(1 + x**2): 2, x**5: 0}
    for expression, size in sizes.items():
        assert len(registered_as("custom", expression).row.chain) == size


def test_products_of_sums_are_not_multiplied_out() -> None:
    """(x - 1)^9 near 1 would lose every digit."""
    function, z = registered_as("custom", (x - 1) ** 9), np.array([1 + 2.0**-20])
    assert function(Arrays(z), z)[0] == pytest.approx(2.0**-180, rel=1e-12, abs=0)


def test_a_branch_not_taken_does_no_harm() -> None:
    function = registered_as("custom", sp.Piecewise((x, x > 0), (sp.exp(x) - 1, True)))
    z = np.array([-2.0, 5000.0])
    for order in range(3):
        result = function.derivative(Arrays(z), z, order)
        np.testing.assert_allclose(result, [np.exp(-2) - (order == 0), (5000, 1, 0)[order]], rtol=1e-15)


def test_maximum_with_a_constant_has_slope_of_the_constant_at_the_tie() -> None:
    z = np.array([0.0])
    assert registered_as("custom", sp.Max(x, 0)).derivative(Arrays(z), z, 1)[0] == 0


def test_what_the_row_states() -> None:
    row = register_expression("roof", 1 - sp.Abs(x), x, domain=(-1, 1), kinks=[Kink(0, 1, 0)], replace=True)
    assert registered()["roof"] is row
    assert (row.domain, row.cases, row.stabilised) == ((-1.0, 1.0), True, False)
    assert activation("roof").points(Arrays(POINTS)) == [(0, 1)]
    assert pickle.loads(pickle.dumps(activation("roof"))) == activation("roof")


REFUSED: list[tuple[Any, type[Exception], str]] = [
    ("x*tanh(x)", InputError, "text is never parsed"),
    (3, InputError, "SymPy expression is expected"),
    (x > 0, InputError, "SymPy expression is expected"),
    (x * y, InputError, "y in the expression"),
    (sp.Abs(x), InputError, "kinks"),
    (sp.Piecewise((x, x > 0)), InputError, "must be True"),
    (sp.Heaviside(x), InputError, "Heaviside"),
    (sp.gamma(x), UnsupportedError, r"gamma\(x\) is not covered"),
    (sp.floor(x), UnsupportedError, "not covered"),
    (sp.Piecewise((x, sp.Ne(x, 0)), (1, True)), UnsupportedError, "not covered"),
    (sp.I * x, UnsupportedError, "not covered"),
    (sp.oo * x, UnsupportedError, "not covered"),
    (x**100, UnsupportedError, "at most 64"),
    (sum(sp.exp(sp.sin(k * x)) for k in range(2, 12)), UnsupportedError, f"at most {LIMIT} functions"),
]


@pytest.mark.parametrize(("expression", "error", "text"), REFUSED, ids=lambda value: str(value)[:30])
def test_refusals(expression: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        register_expression("refused", expression, x)
    assert "refused" not in registered()


def test_other_refusals() -> None:
    with pytest.raises(InputError, match=r"sympy\.Symbol"):
        register_expression("refused", x, "x")
    with pytest.raises(InputError, match="letters"):
        register_expression("a; b", x, x)
    with pytest.raises(InputError, match="ascending"):
        register_expression("refused", x, x, domain=(1, 1))
    with pytest.raises(InputError, match="registered already"):
        register_expression("tanh", x, x)


@pytest.mark.parametrize("module", [functions.activation, functions.custom], ids=lambda module: module.__name__)
def test_examples(module: Any) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
