"""Derivatives of order 30 along a direction: as accurate as their recurrences allow, at a cost that grows as order².

Errors are stated of Taylor coefficients a_n = f⁽ⁿ⁾/n!, in units u = 2⁻⁵³, in three ways:

* relative to the majorant M of the computation, the same rules on absolute values, as all accuracy is stated here;
* below the radii that ball arithmetic of 53 bits gives: bounds of all rounding errors of the same recurrences;
* relative to the smallest geometric majorant C sⁿ ≥ |a_n|, with 1/s about the radius of convergence: the errors of all
  orders matter alike for the value of the series there, and an a_n that happens to be small promises nothing.

What they are compared with knows nothing of chains and recurrences: power series of FLINT, to 200 digits.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import flint
import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.majorant import Majorant, Measured
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from oracles_calculus import propagate
from strategies import after

ORDER = 30
UNIT = 2.0**-53
ROWS = {name: row for name, row in na.activations().items() if not row.fingerprint}
SMOOTH = sorted(name for name, row in ROWS.items() if not row.kinks)
# Of those with parameters the formula is that of other ones, and cbrt has an infinite slope at 0.
ENTIRE_LINE = [
    name
    for name in SMOOTH
    if ROWS[name].domain == (-math.inf, math.inf) and not ROWS[name].parameters and name != "cbrt"
]


def _sigmoid(z: flint.arb_series) -> flint.arb_series:
    return 1 / (1 + (-z).exp())


def _tanh(z: flint.arb_series) -> flint.arb_series:
    return 1 - 2 / ((2 * z).exp() + 1)


def _gelu_tanh(z: flint.arb_series) -> flint.arb_series:
    return z * _sigmoid((8 / flint.arb.pi()).sqrt() * (z + z**3 * flint.arb(44715) / 10**6))


FORMULAS: dict[str, Callable[[flint.arb_series], flint.arb_series]] = {
    "identity": lambda z: z,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda z: (1 + z.exp()).log(),
    "logsigmoid": lambda z: -(1 + (-z).exp()).log(),
    "gelu": lambda z: z * (-z / flint.arb(2).sqrt()).erfc() / 2,
    "gelu_tanh": _gelu_tanh,
    "silu": lambda z: z * _sigmoid(z),
    "mish": lambda z: z * _tanh((1 + z.exp()).log()),
    "tanhshrink": lambda z: z - _tanh(z),
    "sin": flint.arb_series.sin,
    "cos": flint.arb_series.cos,
    "sinh": lambda z: (z.exp() - (-z).exp()) / 2,
    "asinh": lambda z: (z + (z * z + 1).sqrt()).log(),
    "arctan": flint.arb_series.atan,
    "tan": flint.arb_series.tan,
    "atanh": lambda z: ((1 + z) / (1 - z)).log() / 2,
    "logit": lambda z: z.log() - (1 - z).log(),
    "exp": flint.arb_series.exp,
    "log": flint.arb_series.log,
    "sqrt": flint.arb_series.sqrt,
    "square": lambda z: z * z,
    "reciprocal": lambda z: 1 / z,
    "power": lambda z: (z.log() * 5 / 2).exp(),
    "lisht": lambda z: z * _tanh(z),
    "gaussian": lambda z: (-z * z).exp(),
    "erf": flint.arb_series.erf,
    "cosh": lambda z: (z.exp() + (-z).exp()) / 2,
    "log1p": lambda z: (1 + z).log(),
    "expm1": lambda z: z.exp() - 1,
    "exp_base": lambda z: (z * flint.arb(2.5).log()).exp(),
    "log_base": lambda z: z.log() / flint.arb(2.5).log(),
    "affine": lambda z: z * 3 / 2 + flint.arb(0.5),
    "cube": lambda z: z**3,
    "cbrt": lambda z: (z.log() / 3).exp(),
    "hill": lambda z: 1 / (1 + (-z.log() * 3 / 2).exp()),
}


def alone(name: str) -> na.Network:
    """σ(t/2 + start), inside every domain; no power that is a polynomial."""
    low, high = ROWS[name].domain
    start = 0.4 if low == 0 or high < 2 else 0.7
    function = na.activation(name, **{p: value + 0.5 for p, value in ROWS[name].parameters.items()})
    return after(na.Network.from_layers([([[0.5]], [start])]), na.Elementwise(function))


def deep(name: str) -> na.Network:
    """2-8-8-1."""
    rng = np.random.default_rng(0)
    first, second = (
        (rng.normal(size=(8, 2)) / 1.5, rng.normal(size=8)),
        (rng.normal(size=(8, 8)) / 3, rng.normal(size=8)),
    )
    return na.Network.from_layers([first, second, (rng.normal(size=(1, 8)), None)], name)


@contextlib.contextmanager
def thirty_terms() -> Iterator[None]:
    """A context in which FLINT's power series have terms up to order 30."""
    before, flint.ctx.cap = flint.ctx.cap, ORDER + 1
    try:
        yield
    finally:
        flint.ctx.cap = before


def curve(f: na.Network, x: np.ndarray, v: np.ndarray) -> list[flint.arb]:
    """Taylor coefficients of f(x + t v) to 200 digits, by FLINT's power series and textbook formulas."""
    with Balls(700).precision(), thirty_terms():
        values = [flint.arb_series([flint.arb(float(a)), flint.arb(float(b))]) for a, b in zip(x, v, strict=True)]
        for node in f.nodes:
            if isinstance(node.layer, na.Elementwise):
                values = [FORMULAS[node.layer.only.name](z) for z in values]
            else:
                weight, bias = node.layer.weight.dense(), node.layer.bias
                rows = [sum(flint.arb(float(w)) * z for w, z in zip(row, values, strict=True)) for row in weight]
                values = rows if bias is None else [z + float(b) for z, b in zip(rows, bias, strict=True)]
        (result,) = values
        found = [result[n] for n in range(ORDER + 1)]
        assert all(c.rad() < 1e-190 for c in found)
        return found


def levels(k: Any, f: na.Network, x: Any, v: Any) -> list[Any]:
    """The coefficients by our recurrences, on some kind of number."""
    jet = propagate(k, f, Jet(IndexSet.full(1, ORDER), [x[None], v[None]] + [None] * (ORDER - 1)))
    return [None if level is None else level[0, 0] for level in jet.levels]


def radii(f: na.Network, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Bounds of the rounding errors of our recurrences: the radii of their balls of 53 bits."""
    balls = Balls(53)
    with balls.precision():
        return np.array([0.0 if a is None else float(a.rad()) for a in levels(balls, f, *map(balls.weight, (x, v)))])


def sizes(f: na.Network, x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The majorants of our recurrences."""
    measured = levels(Majorant(), f, Measured(x), Measured(v))
    return np.array([0.0 if a is None else float(a.majorant) for a in measured])


def compared(f: na.Network, x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Exact coefficients, and errors of those in double precision."""
    ours = f.taylor(x, v, ORDER)[:, 0]
    assert ours.dtype == np.float64
    exact = curve(f, x, v)
    with Balls(700).precision():
        scaled = [flint.arb(float(o)) / math.factorial(n) for n, o in enumerate(ours)]
        errors = np.array([abs(float((a - b).mid())) for a, b in zip(scaled, exact, strict=True)])
        return np.array([float(c.mid()) for c in exact]), errors


def geometric(a: np.ndarray) -> np.ndarray:
    """The smallest C sⁿ ≥ |a_n| whose rate s is that of the second half of the coefficients."""
    orders = np.arange(len(a))
    tail = [abs(a[n]) ** (1 / n) for n in orders[len(a) // 2 :] if a[n]]
    rate = max(tail, default=1.0)
    return rate**orders * np.max(np.abs(a) / rate**orders)


def expect_accurate(f: na.Network, x: list[float], v: list[float], units: int, of_series: int) -> None:
    point = f, np.array(x), np.array(v)
    a, errors = compared(*point)
    assert np.abs(a[: ORDER // 2]).max() > 1e-3
    assert (errors <= units * UNIT * sizes(*point)).all()
    assert (errors <= of_series * UNIT * geometric(a)).all()
    # Balls round outwards and arrays to nearest, but where arrays take a stable formula of their own, they need not
    # stay within the radii of another formula: two units of the coefficient itself are for that.
    assert (errors <= radii(*point) + 2 * UNIT * np.abs(a)).all()


@pytest.mark.parametrize("name", SMOOTH)
def test_every_smooth_activation(name: str) -> None:
    """At most 3.0 u·M (sinh) and 41 u of the series (asinh) are seen; n additions without cancellation give n u."""
    # log(base) is rounded once and stands in a_n to the power n
    expect_accurate(alone(name), [0.1], [1.0], ORDER if name == "exp_base" else 6, 2 * ORDER)


@pytest.mark.parametrize("name", ENTIRE_LINE)
def test_a_network_of_two_hidden_layers(name: str) -> None:
    """At most 0.6 u·M (sin) and 14 u of the series (sigmoid) are seen."""
    expect_accurate(deep(name), [0.1, -0.2], [0.6, 0.8], 2, ORDER)


def test_derivatives_and_coefficients_of_what_is_known() -> None:
    rate = na.Network.function("exp")
    np.testing.assert_allclose(rate.taylor([0.5], [0.75], 30)[:, 0], np.exp(0.5) * 0.75 ** np.arange(31), rtol=1e-14)
    sine = na.Network.function("sin").taylor([0.0], [2.0], 30)[:, 0]
    np.testing.assert_allclose(sine, [2.0**n * (0, 1, 0, -1)[n % 4] for n in range(31)], rtol=1e-14)
    pole = na.Network.function("reciprocal").taylor([2.0], [1.0], 30)[:, 0]
    np.testing.assert_allclose(pole, [(-1) ** n * math.factorial(n) / 2 ** (n + 1) for n in range(31)], rtol=1e-14)
    top = rate.taylor([0.0], [1.0], 170)[:, 0]
    np.testing.assert_allclose(top[:150], 1.0, rtol=1e-13)


# Cost -------------------------------------------------------------------------------------------------------------


def work(f: na.Network, order: int) -> tuple[int, int]:
    """How many steps a program has, and how many numbers they compute for a point."""
    x = np.full(f.input_size, 0.1)
    f.memory.clear()
    f.taylor(x, x, order)
    (program,) = f.memory["programs"].values()
    return program.schedule.calls, program.schedule.work


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.derivative(1)])
def test_the_cost_grows_with_the_square_of_the_order(name: str) -> None:
    """σ of a curve none of whose coefficients vanish."""
    low, high = ROWS[name].domain
    inner = na.Network.from_layers([([[0.5]], [0.25]), ([[0.125]], [0.4 if low == 0 or high < 2 else 0.7])], "sin")
    f = after(inner, na.Elementwise(name))
    for half, whole in zip(work(f, ORDER // 2), work(f, ORDER), strict=True):
        assert whole < 4.5 * half
