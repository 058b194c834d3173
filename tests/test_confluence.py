"""Strategies of rewriting end, and lead to the same form in whichever order places and laws are taken."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from diagrams import after, diagrams, points

W, B = [[1.0, 2.0], [3.0, -1.0]], [0.5, -0.25]
IDENTITY = na.Network.identity(2)
PAIRS = na.Maximum([[0, 1], [1, 0]])
SINH = na.Mixing("sinh", W, B)


@given(diagrams(longest=7), st.integers(0, 1000), st.sampled_from(["additive", "multiplicative", "simplified"]))
@settings(max_examples=100)
def test_any_order_of_laws_leads_to_the_same_form(drawn: tuple[na.Network, str], seed: int, strategy: str) -> None:
    f, domain = drawn
    g, h = f.rewrite(strategy, domain=domain).result, f.rewrite(strategy, domain=domain, seed=seed).result
    assert [str(n.layer) for n in g.nodes] == [str(n.layer) for n in h.nodes]
    assert [n.inputs for n in g.nodes] == [n.inputs for n in h.nodes]
    for a, b in zip(g.arrays, h.arrays, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_ranges_pass_multiplicative_layers() -> None:
    """x + softplus(x) stays known to be positive when its sum is a product, so that either order cancels exp∘log."""
    x = na.Network.identity(1)
    residual = na.Network.from_layer(na.Affine([[1.0, 1.0]]), 2) @ na.stack(x, na.Network.function("softplus", 1))
    f = after(residual, na.Elementwise("log"), na.Elementwise("exp"))
    one, other = (f.rewrite("multiplicative", domain="R>0", seed=s).result for s in (None, 0))
    assert [str(n.layer) for n in one.nodes] == [str(n.layer) for n in other.nodes]
    assert str(one.nodes[-1].layer) == "log"


CRITICAL = {
    "exp waits for log-softmax before it passes a maximum": (
        "additive", "R", after(IDENTITY, na.Affine(W), na.Softmax(log=True), na.Elementwise("exp"), PAIRS)),
    "exp and asinh meet at a maximum": (
        "additive", "R>0", after(IDENTITY, na.PowerProduct(W), PAIRS, SINH)),
    "exp and asinh meet between two maxima": (
        "additive", "R>0", after(IDENTITY, na.PowerProduct(W), PAIRS, na.Maximum([[0, 0], [1, 0]]), SINH)),
    "exp after log is cancelled before log passes a maximum": (
        "additive", "R>0", after(IDENTITY, PAIRS, na.Elementwise("log"), na.Elementwise("exp"))),
    "relu is composed with log, but not with log after softplus": (
        "simplified", "R", after(IDENTITY, *(na.Elementwise(name) for name in ("softplus", "log", "relu")))),
}  # fmt: skip


@pytest.mark.parametrize(("strategy", "domain", "f"), CRITICAL.values(), ids=CRITICAL)
def test_laws_that_compete_wait_for_each_other(strategy: str, domain: str, f: na.Network) -> None:
    result = f.rewrite(strategy, domain=domain).result
    assert all(f.rewrite(strategy, domain=domain, seed=seed).result == result for seed in range(20))
    x = points(domain, 2)
    np.testing.assert_allclose(result(x), f(x), rtol=1e-12)


ENDLESS = {
    "falling exponentials at a maximum": (
        "multiplicative", {"base": 0.5}, after(IDENTITY, na.Affine(W), PAIRS, na.Affine(W))),
    "mixing by a function and by its inverse": (
        "additive", {}, after(IDENTITY, SINH, PAIRS, na.Mixing("asinh", W))),
    "a unit that is a wire": (
        "simplified", {"domain": "R>0"}, after(IDENTITY, na.Elementwise([("relu", 1), ("tanh", 1)]))),
}  # fmt: skip


@pytest.mark.parametrize(("strategy", "options", "f"), ENDLESS.values(), ids=ENDLESS)
def test_strategies_end(strategy: str, options: dict[str, Any], f: na.Network) -> None:
    result = f.rewrite(strategy, **options).result
    x = points("R>0", 2) / 8
    np.testing.assert_allclose(result(x), f(x), rtol=1e-9)
