"""Products by three neurons, and from the middles of ranges: proven against 60 digits, executed, and how small."""

from __future__ import annotations

import contextlib

import mpmath
import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra import compiler, schemes, triples
from neuralgebra.algebra.schemes import Scheme
from neuralgebra.algebra.triples import tripled
from neuralgebra.errors import NotCertifiedError
from oracles import FUNCTIONS

FLOAT64 = np.dtype("float64")
X, Y = na.Network.identity(2)
SQUARE = [(-1.0, 1.0), (-1.0, 1.0)]
FAR = [(11.0, 13.0), (44.0, 46.0)]


def largest(scheme: Scheme) -> float:
    """The largest error found for u v, with 60 digits."""
    gate, sigma, t = scheme.gate, FUNCTIONS[scheme.gate.function.name], np.linspace(-1, 1, 33)
    with mpmath.workdps(60):
        b, h, c = (mpmath.mpf(row[0]) for row in (gate.bias, gate.factor, gate.coefficient))
        known = {t: c * sigma(b + h * mpmath.mpf(t)) for t in {float(s) for s in (t[:, None] + t).flat / np.array(2.0)}}
        known |= {s / 2: c * sigma(b + h * mpmath.mpf(s) / 2) for s in t.tolist()}
        found = [
            known[(u + v) / 2]
            - known[u / 2]
            - known[v / 2]
            + mpmath.mpf(scheme.constant)
            - mpmath.mpf(u) * mpmath.mpf(v)
            for u in t.tolist()
            for v in t.tolist()
        ]
        return float(max(map(abs, found)))


@pytest.mark.parametrize("tol", [0.3, 1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "gelu", "silu"])
def test_what_is_proven_of_three_neurons_holds_and_is_tight(name: str, tol: float) -> None:
    scheme = tripled(na.activation(name), tol, FLOAT64)
    assert scheme is not None
    error = largest(scheme)
    assert error <= scheme.error <= 1.1 * error
    assert scheme.error <= tol


@pytest.mark.parametrize(
    ("name", "tol"), [("gelu", 1e-8), ("silu", 1e-8), ("softplus", 1e-7), ("sigmoid", 1e-6), ("tanh", 1e-6)]
)
def test_three_neurons_are_a_product_as_far_as_the_dtype_allows(name: str, tol: float) -> None:
    plain = (X * Y).plain(name, SQUARE, tol)
    assert plain.neurons == 3
    x = np.random.default_rng(0).uniform(-1, 1, size=(100_000, 2))
    assert abs(plain.network(x) - (X * Y)(x)).max() <= plain.execution.bound <= tol
    assert tripled(na.activation(name), tol / 1e4, FLOAT64) is None


def test_where_nothing_vanishes_there_are_no_three_neurons() -> None:
    assert tripled(na.activation("exp"), 1.0, FLOAT64) is None


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_what_is_missing_in_the_proof_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = triples.spread
    for part in (lambda e: (whole(e)[0] / 2, whole(e)[1]), lambda e: (whole(e)[0], whole(e)[1] / 2)):
        tripled.cache_clear()
        monkeypatch.setattr(triples, "spread", part)
        scheme = tripled(na.activation(name), 1e-2, FLOAT64)
        assert scheme is not None
        assert largest(scheme) > scheme.error
    tripled.cache_clear()


# Ranges far from zero ---------------------------------------------------------------------------------------------

BEST = {"tanh": (1e-9, 5), "sigmoid": (1e-9, 6), "softplus": (1e-9, 6), "gelu": (1e-8, 5)}


@pytest.mark.parametrize("name", BEST)
def test_products_of_what_is_far_from_zero_are_as_accurate_as_their_widths_allow(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tol, neurons = BEST[name]
    plain = (X * Y).plain(name, FAR, tol)
    assert plain.neurons <= neurons
    x = np.vstack(
        [np.random.default_rng(0).uniform(*np.array(FAR).T, size=(100_000, 2)), [[12, 45], [11, 44], [13, 46]]]
    )
    assert abs(plain.network(x) - (X * Y)(x)).max() <= plain.execution.bound <= tol
    assert abs(plain.network([12.0, 45.0])[0] - 540) <= 1e-8 * 540
    monkeypatch.setattr(compiler, "_FEW", 1000)
    with contextlib.suppress(NotCertifiedError):
        assert (X * Y).plain(name, FAR, tol).neurons > neurons


def test_squares_of_what_is_far_from_zero_too() -> None:
    f, box = na.Network.identity(1) ** 2, [(999.0, 1001.0)]
    plain = f.plain("tanh", box, 1e-6)
    x = np.linspace(999, 1001, 10_001)[:, None]
    assert abs(plain.network(x) - f(x)).max() <= plain.execution.bound <= 1e-6


def test_what_is_linear_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    def bound() -> float:
        plain = (X * Y).plain("tanh", FAR, 1e-9)
        x = np.random.default_rng(0).uniform(*np.array(FAR).T, size=(1000, 2))
        return float(abs(plain.network(x) - (X * Y)(x)).max() - plain.execution.bound)

    assert bound() <= 0
    monkeypatch.setattr(schemes, "_with_linear", lambda cell, of, straight: cell)
    assert bound() > 0
