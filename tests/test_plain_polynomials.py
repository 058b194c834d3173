"""Polynomials and products of many factors: their values against 60 digits, how many products, and plain layers."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial import Chebyshev, Legendre, Polynomial

import neuralgebra as na
from neuralgebra.algebra import compiler, polynomials
from neuralgebra.errors import InputError, ResourceError, ShapeError, UsageError
from oracles import evaluate

UNIT = 2.0**-52
COEFFICIENTS = st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=24)
DOMAINS = st.tuples(st.floats(-5, 5, width=16), st.floats(0.5, 9, width=16)).map(lambda p: (p[0], p[0] + p[1]))


def expect_values(f: na.Network, wanted: Callable[[mpmath.mpf], mpmath.mpf], domain: tuple[float, float]) -> None:
    """The network is the function, but for what its coefficients were rounded by."""
    with mpmath.workdps(60):
        points = [mpmath.mpf(x) for x in np.linspace(*domain, 9)]
        exact = [wanted(x) for x in points]
        size = max(map(abs, exact)) + max(abs(mpmath.mpf(float(a))) for array in f.arrays for a in array.flat)
        for x, y in zip(points, exact, strict=True):
            assert abs(evaluate(f, [x])[0] - y) <= 1000 * UNIT * size


@given(COEFFICIENTS, DOMAINS)
def test_monomials_are_what_their_coefficients_say(c: list[float], domain: tuple[float, float]) -> None:
    expect_values(na.polynomial(c, domain), lambda x: mpmath.polyval(c[::-1], x), domain)


@given(COEFFICIENTS, DOMAINS, DOMAINS)
def test_polynomials_of_numpy_keep_their_domain_and_window(
    c: list[float], domain: tuple[float, float], window: tuple[float, float]
) -> None:
    def wanted(x: mpmath.mpf) -> mpmath.mpf:
        (a, b), (d, e) = domain, window
        return mpmath.polyval(c[::-1], d + (x - a) * (mpmath.mpf(e) - d) / (mpmath.mpf(b) - a))

    expect_values(na.polynomial(Polynomial(c, domain, window)), wanted, domain)


def chebyshev(c: list[float], domain: tuple[float, float]) -> Callable[[mpmath.mpf], mpmath.mpf]:
    """Σ c_k cos(k arccos t)."""
    a, b = map(mpmath.mpf, domain)
    return lambda x: mpmath.re(sum(v * mpmath.cos(k * mpmath.acos((2 * x - a - b) / (b - a))) for k, v in enumerate(c)))


@given(COEFFICIENTS, DOMAINS)
def test_series_of_chebyshev_are_cosines(c: list[float], domain: tuple[float, float]) -> None:
    expect_values(na.polynomial(Chebyshev(c, domain)), chebyshev(c, domain), domain)


def test_a_series_may_be_used_on_another_interval() -> None:
    c, domain = [1.0, -2.0, 0.5, 3.0, 1.0, 1.0], (-1.0, 1.0)
    f = na.polynomial(Chebyshev(c, domain), (0.25, 0.5))
    expect_values(f, chebyshev(c, domain), (0.25, 0.5))
    assert np.array(f.nodes[0].layer.weight.dense()) == 8


FAULTS: dict[str, tuple[object, str, object]] = {
    "coefficients in the wrong order": (polynomials, "_in_chebyshev", lambda p: [p[k] for k in range(p.degree() + 1)]),
    "coefficients in single precision": (polynomials, "nearest", lambda v: float(np.float32(int(v.p) / int(v.q)))),
    "what is subtracted at T_{m-k} is left out": (
        polynomials._Splitting,
        "terms",
        lambda s, c, whole=polynomials._Splitting.terms: whole(
            s, [*c[:4], *(v if k else 0 * v for k, v in enumerate(c[4:]))]
        ),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_caught(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    c = [1.0, -2.0, 0.5, 3.0, 0.1, 1.0, 0.7]
    expect_values(na.polynomial(Chebyshev(c)), chebyshev(c, (-1, 1)), (-1, 1))
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError):
        expect_values(na.polynomial(Chebyshev(c)), chebyshev(c, (-1, 1)), (-1, 1))


# Sizes ------------------------------------------------------------------------------------------------------------


def depth(f: na.Network) -> int:
    """How many products and squares follow each other at most."""
    depths = [0]
    for node in f.nodes:
        depths.append(max(depths[i] for i in node.inputs) + isinstance(node.layer, na.Multiply | na.Elementwise))
    return depths[f.output]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 15, 16, 31, 64, 100])
def test_few_products_follow_each_other(n: int) -> None:
    f = na.polynomial(Chebyshev(np.random.default_rng(n).normal(size=n + 1)))
    products = sum(isinstance(node.layer, na.Multiply) for node in f.nodes)
    squares = sum(isinstance(node.layer, na.Elementwise) for node in f.nodes)
    assert products <= max(0, n // 4) + (n > 2)
    assert squares <= math.log2(n)
    assert depth(f) == math.ceil(math.log2(n))


@given(st.integers(1, 40))
def test_products_are_multiplied_in_pairs(n: int) -> None:
    f = na.product(*na.Network.identity(n))
    x = np.random.default_rng(n).normal(size=(5, n))
    assert f(x)[:, 0] == pytest.approx(x.prod(axis=1), rel=1e-13)
    assert depth(f) == math.ceil(math.log2(n))


def test_one_output_of_a_factor_serves_all() -> None:
    two = na.Network.identity(2)
    assert na.product(two, two[0], two)([2.0, 3.0]).tolist() == [8.0, 18.0]


@pytest.mark.parametrize("k", [1, 2, 3, 6, 7, 15, 23, 64, 100])
def test_powers_are_few_squares_and_products(k: int) -> None:
    f = na.Network.identity(1) ** k
    assert f([1.5])[0] == pytest.approx(1.5**k, rel=1e-13)
    assert len(f.nodes) == k.bit_length() + k.bit_count() - 2
    assert depth(f) == math.ceil(math.log2(k))


# Plain layers -----------------------------------------------------------------------------------------------------

X = np.linspace(-1, 1, 401)[:, None]
SERIES = Chebyshev.interpolate(lambda x: np.exp(x) * np.cos(2 * x), 12)


@pytest.mark.parametrize(
    ("activation", "tol", "neurons"), [("tanh", 1e-6, 27), ("relu", 1e-3, 109), ("gelu", 1e-3, 27), ("cos", 1e-5, 27)]
)
def test_polynomials_become_few_neurons(activation: str, tol: float, neurons: int) -> None:
    f = na.polynomial(SERIES)
    plain = f.plain(activation, [(-1, 1)], tol)
    assert plain.neurons <= neurons
    assert abs(plain.network(X) - SERIES(X)).max() <= plain.execution.bound + 1e-14 <= 1.01 * tol


@given(st.lists(st.floats(-3, 3, width=16), min_size=2, max_size=9), DOMAINS)
def test_bounds_hold_for_polynomials(c: list[float], domain: tuple[float, float]) -> None:
    f = na.polynomial(Chebyshev(c, domain))
    plain = f.plain("relu", [domain], 1e-2)
    x = np.random.default_rng(0).uniform(*domain, size=(300, 1))
    assert abs(plain.network(x) - f(x)).max() <= plain.execution.bound + 1e-13 <= 1.01e-2


# Bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "domain", "error", "message"),
    [
        ([], None, InputError, r"coefficients \[\] received; a sequence of real numbers expected"),
        ([1j], None, InputError, "real numbers expected"),
        ([[1.0]], None, InputError, "real numbers expected"),
        ([1.0, math.nan], None, InputError, "2 coefficients received; finite numbers expected"),
        ([0.0] * 1002, None, InputError, "1,002 coefficients received; .* a degree up to 1,000"),
        (
            Legendre([1.0]),
            None,
            UsageError,
            "polynomial of Legendre received; (?s:.*)Chebyshev of numpy.polynomial expected",
        ),
        ("1 + x", None, UsageError, "polynomial of str received"),
        ([1.0], (1.0, 1.0), InputError, r"domain \(1.0, 1.0\) received; two finite numbers expected"),
        ([1.0], (0.0, math.inf), InputError, "two finite numbers expected"),
        ([1.0], (0.0, 1.0, 2.0), InputError, "two finite numbers expected"),
        ([1.0], 3.0, InputError, "two finite numbers expected"),
    ],
)
def test_what_is_no_polynomial_is_refused(p: object, domain: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        na.polynomial(p, domain)


def test_what_is_no_factor_is_refused() -> None:
    with pytest.raises(UsageError, match="received nothing; networks expected"):
        na.product()
    with pytest.raises(UsageError, match="received float; networks expected"):
        na.product(na.Network.identity(1), 2.0)
    with pytest.raises(ShapeError, match="equally many inputs expected"):
        na.product(na.Network.identity(1), na.Network.identity(2))


def test_products_too_large_to_wait_for_are_refused_with_their_size() -> None:
    f = na.product(*na.Network.identity(200))
    with pytest.raises(ResourceError, match=r"6,383 neurons in 40 layers .* 2,471,366 numbers; at most 2,000,000"):
        f.plain("relu", [(-1, 1)] * 200, 1e-2)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_sizes_are_predicted(activation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    f = na.product(*na.Network.identity(5))
    plain = f.plain(activation, [(-1, 1)] * 5, 1e-2)
    widths = [len(b) for _, b in plain.layers_list()]
    monkeypatch.setattr(compiler, "_MOST_NUMBERS", plain.network.parameter_count)
    f.plain(activation, [(-1, 1)] * 5, 1e-2)
    monkeypatch.setattr(compiler, "_MOST_NUMBERS", plain.network.parameter_count - 1)
    with pytest.raises(ResourceError, match=f"{sum(widths) - 1} neurons in {len(widths) - 1} layers received"):
        f.plain(activation, [(-1, 1)] * 5, 1e-2)
