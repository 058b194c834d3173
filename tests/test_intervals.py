"""Intervals contain what the rules give for real numbers: against fractions, balls and mpmath's intervals."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import flint
import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralgebra.arithmetic import directed, elementary, intervals, tables
from neuralgebra.arithmetic.intervals import Interval, Intervals

K = Intervals()
RNG = np.random.default_rng(5)

# Numbers of every size: subnormal, near overflow, exact, alike.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, 5e-324, -5e-324, 1.0, -1.0, 3.0, 0.1, 1 + 2.0**-52, 2.0**-1022, 1.7976931348623157e308]
)
PAIRS = st.lists(NUMBERS, min_size=2, max_size=2).map(sorted)


def exactly(x: float) -> Fraction | float:
    return Fraction(x) if math.isfinite(x) else x


def holds(interval: Interval, value: Fraction, place: Any = 0) -> bool:
    low, high = interval.low.ravel()[place], interval.high.ravel()[place]
    return bool(exactly(low) <= value <= exactly(high))


def one(low: float, high: float | None = None) -> Interval:
    return Interval(np.array([low])) if high is None else Interval(np.array([low]), np.array([high]))


# Rounding ---------------------------------------------------------------------------------------------------------


@given(NUMBERS)
def test_below_is_next_or_next_but_one(x: float) -> None:
    with np.errstate(over="ignore"):
        moved = directed.below(np.array([x]))[0]
    if x == 0:
        assert moved == 0
    else:
        near = math.nextafter(x, -math.inf)
        assert math.nextafter(near, -math.inf) <= moved <= near


@given(NUMBERS, NUMBERS)
def test_sums_are_rounded_outwards_only_where_they_are_rounded(a: float, b: float) -> None:
    found, exact = one(a) + one(b), Fraction(a) + Fraction(b)
    assert holds(found, exact)
    if math.isfinite(a + b) and Fraction(a + b) == exact:
        assert found.low == found.high


@given(NUMBERS, NUMBERS)
def test_products_and_quotients_of_numbers(a: float, b: float) -> None:
    assert holds(one(a) * one(b), Fraction(a) * Fraction(b))
    if b:
        assert holds(one(a) / one(b), Fraction(a) / Fraction(b))


@given(NUMBERS, st.integers(-40, 40), st.booleans())
def test_powers_of_2_multiply_exactly(a: float, n: int, minus: bool) -> None:
    factor = -(2.0**n) if minus else 2.0**n
    found, exact = one(a) * factor, Fraction(a) * Fraction(factor)
    assert holds(found, exact)
    if 1e-290 < abs(exact) < 1e290:
        assert found.low == found.high


def check_operators(a: list[float], b: list[float], parts: list[float]) -> None:
    """Every operator holds what it gives for numbers inside."""
    x, y = one(*a), one(*b)
    u, v = (Fraction(p) + Fraction(t) * (Fraction(q) - Fraction(p)) for (p, q), t in zip((a, b), parts, strict=True))
    results: list[tuple[Interval, Fraction]] = [
        (x + y, u + v),
        (x - y, u - v),
        (x * y, u * v),
        (x * x, u * u),
        (-x, -u),
        (abs(x), abs(u)),
        (x**2, u**2),
        (x**3, u**3),
        (2 - x, 2 - u),
        (Fraction(1, 3) * x, u / 3),
        (K.maximum(x, y), max(u, v)),
        (K.minimum(x, y), min(u, v)),
        (K.where_greater(x, y, x, 7), u if u > v else Fraction(7)),
        (K.step(x), Fraction(int(u > 0))),
        (K.sign(x), Fraction((u > 0) - (u < 0))),
        (K.clip(x, -1, 1), min(max(u, Fraction(-1)), Fraction(1))),
        (K.total(K.concat([x, y, x], 0), 0), u + v + u),
    ]
    if v:
        results.append((x / y, u / v))
    for number, (found, exact) in enumerate(results):
        assert not np.isnan(found.low).any(), number
        assert holds(found, exact), number


@given(PAIRS, PAIRS, st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 0.123]), min_size=2, max_size=2))
def test_operators_hold_what_they_give_for_numbers_inside(a, b, parts) -> None:
    check_operators(a, b, parts)


def test_an_exact_zero_wins_over_infinity() -> None:
    everything = one(-np.inf, np.inf)
    assert (one(0.0) * everything).ends == (0.0, 0.0)
    assert (one(0.0, 1.0) * everything).ends == (-np.inf, np.inf)
    assert (one(0.0, 1.0) * one(0.0, np.inf)).ends == (0.0, np.inf)
    assert (everything + everything).ends == (-np.inf, np.inf)
    assert (everything - everything).ends == (-np.inf, np.inf)
    assert (everything / everything).ends == (-np.inf, np.inf)


def test_quotients_by_what_may_be_zero() -> None:
    assert 0.5 - 1e-15 < (1 / one(0.0, 2.0)).low <= 0.5 < (1 / one(0.0, 2.0)).high == np.inf
    assert -np.inf == (1 / one(-2.0, 0.0)).low < -0.5 <= (1 / one(-2.0, 0.0)).high < -0.5 + 1e-15
    assert (1 / one(-1.0, 1.0)).ends == (-np.inf, np.inf)
    assert (one(0.0, 1.0) / one(0.0, 1.0)).ends == (0.0, np.inf)


def test_what_overflows_is_unbounded_on_one_side_only() -> None:
    largest = float(np.finfo(float).max)
    for found in (one(largest) + one(largest), one(largest) * one(2.0), one(largest) * one(3.0), one(largest) / 0.1):
        assert 1e308 < found.low < np.inf, found
        assert found.high == np.inf, found


# Matrices ---------------------------------------------------------------------------------------------------------


def check_matrices(rounds: int = 40) -> None:
    """Matrix products hold exact products, whatever the sizes of the numbers."""
    rng = np.random.default_rng(1)
    for step in range(rounds):
        out, inner = rng.integers(1, 9, 2)
        scale = (1.0, 1e-300, 1e290, 1e-160)[step % 4]
        weight = rng.normal(size=(out, inner)) * scale * 2.0 ** rng.integers(-30, 30, (out, inner))
        weight = weight.astype(np.float32) if step % 4 == 0 else weight
        weight[rng.uniform(size=weight.shape) < 0.2] = 0
        low = rng.normal(size=(3, inner))
        width = (0.0, 1e-18, 1.0)[step % 3]
        x = Interval(low) if width == 0 else Interval(low, low + width * abs(rng.normal(size=low.shape)))
        inside = [low, x.high, np.clip((low + x.high) / 2, low, x.high), np.where(low > 0, low, x.high)]
        for found, matrix in (
            (K.matvec(weight, x), weight),
            (K.reshape(Interval(np.asarray(weight)) @ x[..., None], (3, out)), weight),
        ):
            for point in inside:
                for row, column in np.ndindex(3, out):
                    terms = zip(matrix[column], point[row], strict=True)
                    exact = sum((Fraction(float(w)) * Fraction(float(v)) for w, v in terms), Fraction(0))
                    assert holds(found, exact, row * out + column), (step, row, column)


def test_matrix_products_hold_exact_products() -> None:
    check_matrices()


def test_matrix_products_are_tight() -> None:
    weight, low = RNG.normal(size=(6, 5)), RNG.normal(size=(4, 5))
    high = low + RNG.uniform(size=low.shape)
    found = K.matvec(weight, Interval(low, high))
    up, down = np.maximum(weight, 0), np.minimum(weight, 0)
    np.testing.assert_allclose(found.low, low @ up.T + high @ down.T, rtol=0, atol=1e-14)
    np.testing.assert_allclose(found.high, high @ up.T + low @ down.T, rtol=0, atol=1e-14)


def test_signs_survive_matrix_products() -> None:
    """Sums of terms that are not negative are not negative, and what is 0 stays 0."""
    weight = np.array([[1.0, 1 / 3, 0.7], [0.0, 0.0, 0.0], [1.0, -1.0, 0.0]])
    x = Interval(np.array([0.0, 0.0, 0.0]), np.array([1.0, 0.1, 1e-5]))
    found = K.matvec(weight, x)
    assert found.low[0] == 0 < found.high[0]
    assert (found.low[1], found.high[1]) == (0, 0)
    assert found.low[2] < 0 < found.high[2]
    assert (K.matvec(-weight, x).high[:2] == 0).all()


def test_matrices_of_intervals_and_infinite_ends() -> None:
    a, b = (Interval(low := RNG.normal(size=shape), low + 0.5) for shape in ((2, 3, 4), (2, 4, 2)))
    found = a @ b
    for u, v in ((a.low, b.low), (a.high, b.low), (a.low, b.high), (a.high, b.high)):
        assert ((found.low <= u @ v + 1e-12) & (u @ v - 1e-12 <= found.high)).all()
    x = Interval(np.array([-np.inf, 0.0, 1.0]), np.array([0.0, np.inf, 1.0]))
    found = K.matvec(np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0], [-2.0, 2.0, 0.0]]), x)
    np.testing.assert_allclose(found.low, [1, -np.inf, -np.inf, 0], rtol=1e-14)
    np.testing.assert_allclose(found.high, [1, 1, np.inf, np.inf], rtol=1e-14)
    huge = K.matvec(np.array([[1e308, 1e308, -1e308]]), Interval(np.full(3, 1e10)))
    assert (huge.low, huge.high) == (-np.inf, np.inf)


# Elementary functions ---------------------------------------------------------------------------------------------

FUNCTIONS = ["exp", "expm1", "log", "log1p", "sqrt", "tanh", "atanh", "sinh", "asinh", "atan", "erf", "ndtr"]
FUNCTIONS += ["cosh", "sin", "cos", "tan", "asin", "acos", "acosh"]
SLOW = {"atanh", "sinh", "asinh", "tan", "asin", "acos", "acosh"}
STARTS = {"log": 0.0, "sqrt": 0.0, "log1p": -1.0, "acosh": 1.0, "atanh": -1.0, "asin": -1.0, "acos": -1.0}
STOPS = {"atanh": 1.0, "asin": 1.0, "acos": 1.0}


def ball(name: str, x: float) -> flint.arb:
    if name == "ndtr":
        return (-flint.arb(x) / flint.arb(2).sqrt()).erfc() / 2
    result: flint.arb = getattr(flint.arb(x), name)()
    return result


def arguments(name: str, many: int) -> np.ndarray:
    rng = np.random.default_rng(many)
    tiny = 10.0 ** rng.uniform(-320, 0, many // 4)
    cells = np.concatenate([c + s * np.array([0, 1e-16, 1e-9]) for c in (0.03125, 0.34375, 0.65625) for s in (-1, 1)])
    parts = [rng.uniform(-40, 40, many), rng.normal(size=many), rng.uniform(-750, 750, many // 2), tiny, -tiny]
    x = np.concatenate([*parts, cells, [0, 1, -1, 0.5, 0.375, -0.375, 709, 710, -700, -745, 1e6, -1e6, 1e300, -1e300]])
    return x[(x >= STARTS.get(name, -np.inf)) & (x <= STOPS.get(name, np.inf))]


def check_elementary(name: str, many: int) -> None:
    """Bounds at points hold the values, and no interval between points is left."""
    x = arguments(name, many)
    found = getattr(K, name)(Interval(x))
    assert not np.isnan([found.low, found.high]).any()
    with flint.ctx.workprec(200):
        for point, low, high in zip(x, found.low, found.high, strict=True):
            value = ball(name, point)
            assert not value < flint.arb(low), (point, low)
            assert not value > flint.arb(high), (point, high)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bounds_of_elementary_functions_at_points(name: str) -> None:
    check_elementary(name, 60 if name in SLOW else 800)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bounds_of_elementary_functions_are_close(name: str) -> None:
    x = arguments(name, 200)
    x = x[np.abs(x) < (18 if name == "ndtr" else 30)]
    found = getattr(K, name)(Interval(x))
    finite = np.isfinite(found.low) & np.isfinite(found.high)
    assert finite.sum() >= len(x) - 2
    size = np.maximum(np.abs(found.low), np.abs(found.high))[finite]
    size = size + 1 if name in ("sin", "cos", "tan", "acos") else size  # zeros that are no doubles
    assert ((found.high - found.low)[finite] <= 1e-11 * size + 1e-319).all()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_wide_arguments(name: str) -> None:
    """The values at points inside lie between the bounds, which mpmath's intervals confirm to be the least."""
    rng = np.random.default_rng(2)
    low, high = max(STARTS.get(name, -6), -6), min(STOPS.get(name, 6), 6)
    ends = np.sort(rng.uniform(low, high, (30, 2)), axis=1)
    found = getattr(K, name)(Interval(ends[:, 0], ends[:, 1]))
    with flint.ctx.workprec(200):
        for (a, b), least, largest in zip(ends, found.low, found.high, strict=True):
            for point in np.linspace(a, b, 9).clip(a, b):
                value = ball(name, point)
                assert not value < flint.arb(least), (a, b, point)
                assert not value > flint.arb(largest), (a, b, point)
    if name in ("exp", "log", "sqrt", "sin", "cos"):
        for (a, b), least, largest in zip(ends, found.low, found.high, strict=True):
            known = getattr(mpmath.iv, name)(mpmath.iv.mpf([a, b]))
            np.testing.assert_allclose([least, largest], [float(known.a), float(known.b)], rtol=1e-12, atol=1e-13)


def check_poles() -> None:
    """Across a pole nothing bounds the tangent."""
    for low, high in (
        (1.0, 2.0),
        (-2.0, -1.0),
        (1.5707963267948966, 1.5707963267948968),
        (0.0, 100.0),
        (-1e300, 1e300),
    ):
        found = K.tan(one(low, high))
        assert (found.low, found.high) == (-np.inf, np.inf), (low, high)
    assert np.isfinite(K.tan(one(2.0, 4.0)).ends).all()


def test_tangents_across_poles() -> None:
    check_poles()


def test_infinite_arguments_and_values_outside_of_domains() -> None:
    everything = one(-np.inf, np.inf)
    limits = {"exp": (0, np.inf), "tanh": (-1, 1), "ndtr": (0, 1), "erf": (-1, 1), "sin": (-1, 1), "cosh": (1, np.inf)}
    for name, expected in limits.items():
        assert getattr(K, name)(everything).ends == expected, name
    for name in FUNCTIONS:
        for x in (everything, one(-3.0, -2.0), one(-2.0, 2.0), one(0.0, np.inf), one(-np.inf)):
            found = getattr(K, name)(x)
            assert not np.isnan([found.low, found.high]).any(), (name, x)
            assert (found.low <= found.high).all(), (name, x)
    assert K.log(one(-1.0, 1.0)).ends == (-np.inf, 0)
    assert K.sqrt(one(-1.0, 4.0)).low == 0
    assert K.log(one(0.0)).ends == (-np.inf, np.inf)


def test_powers() -> None:
    x = np.array([0.5, 1.0, 2.0, 1e-3])
    for exponent in (0.5, -1.5, 3, 2, Fraction(1, 3)):
        found = K.power(Interval(x, x + 0.25), K.number(exponent))
        for i, base in enumerate(x):
            for inner in (base, base + 0.1, base + 0.25):
                assert found.low[i] <= inner ** float(exponent) * (1 + 1e-14)
                assert found.high[i] >= inner ** float(exponent) * (1 - 1e-14)
    across = K.power(one(-1.0, 2.0), K.number(2))
    assert across.low <= 0
    assert across.high >= 4
    assert not np.isfinite(K.power(one(-1.0, 2.0), K.number(0.5)).ends).any()


def test_numbers_that_are_no_doubles() -> None:
    for value in (Fraction(1, 3), 2**60 + 1, -(Fraction(10) ** 30) / 7):
        found = K.number(value)
        low, high = float(found.low), float(found.high)
        assert Fraction(low) < value < Fraction(high)
        assert math.nextafter(low, math.inf) == high
    assert K.pi.low < K.pi.high == math.nextafter(float(K.pi.low), 4)
    with flint.ctx.workprec(100):
        assert flint.arb(float(K.pi.low)) < flint.arb.pi() < flint.arb(float(K.pi.high))


def test_softmax_of_many_is_that_of_few(monkeypatch) -> None:
    z = Interval(low := RNG.normal(size=(3, 2, 5)), low + 0.5)
    expected = K.softmaxes(z)
    monkeypatch.setattr(intervals, "_MOST", 40)
    for a, b in zip(expected, K.softmaxes(z), strict=True):
        np.testing.assert_array_equal(a.ends, b.ends)


def test_softmax_is_tight() -> None:
    z = Interval(np.array([[-1.0, 0.0, 2.0]]), np.array([[0.5, 0.25, 900.0]]))
    log, plain = K.softmaxes(z)
    assert plain.low[0, 2] <= 1 / (1 + np.exp(-1.5) + np.exp(-1.75)) <= plain.low[0, 2] * (1 + 1e-13)
    assert plain.high[0, 0] * (1 - 1e-13) <= 1 / (1 + np.exp(1.5) + np.exp(-0.5)) <= plain.high[0, 0]
    assert plain.low[0, 0] == 0
    assert plain.high[0, 2] == 1
    assert log.low[0, 0] <= -900
    assert (log.high <= 0).all()


# Seen to fail -----------------------------------------------------------------------------------------------------


def nearest(ball: flint.arb) -> tuple[float, float]:
    return float(ball), float(ball)


def operators_of_tenths() -> None:
    for a in ([0.1, 0.2], [-0.3, 0.7], [1e16, 1e16 + 2]):
        check_operators(a, [0.1, 0.3], [0.0, 0.0])
        check_operators(a, [-0.7, 0.3], [1.0, 1.0])


def check_table() -> None:
    """A short polynomial with a bound of what it leaves out."""
    x = np.linspace(-4, 4, 301)
    found = tables.Table(lambda s: s.sin(), -4.0, 4.0, 4)(x)
    with flint.ctx.workprec(200):
        for point, low, high in zip(x, *found, strict=True):
            assert flint.arb(low) <= flint.arb(point).sin() <= flint.arb(high), point


PLANTED: list[tuple[Any, str, Any, Callable[[], None]]] = [
    (intervals, "sums", lambda a, b: (a + b, a + b), operators_of_tenths),
    (directed, "below", lambda x: x, operators_of_tenths),
    (directed, "_UNIT", 0.0, check_matrices),
    (directed, "_balls", lambda ends: ((ends[0] + ends[1]) / 2, 0 * ends[0]), check_matrices),
    (elementary, "_passes", lambda ends, phase, period: np.zeros(ends[0].shape, dtype=bool), check_poles),
    (elementary, "outward", nearest, lambda: check_elementary("asinh", 40)),
    (elementary, "_LN2", (elementary._LN2[0], 0.0), lambda: check_elementary("exp", 800)),
    (tables, "_up", lambda bound: 0.0, check_table),
    (tables, "_CELLS", 8, lambda: check_elementary("tanh", 100)),
]


@pytest.mark.parametrize(("module", "name", "wrong", "check"), PLANTED, ids=[name for _, name, _, _ in PLANTED])
def test_planted_mistakes_are_seen(monkeypatch, module, name, wrong, check) -> None:
    check()
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises((AssertionError, IndexError)):
        check()
