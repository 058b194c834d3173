"""Rewriting of networks that mix by other functions than exp: powers of any base, sinh, cube."""

import itertools
from typing import Any

import mpmath
import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.functions.conjugate_bases import BASED


def net(activation: str = "tanh", sizes: tuple[int, ...] = (3, 4, 2), **options: Any) -> na.Network:
    rng = np.random.default_rng(3)
    layers = [(rng.normal(size=(m, n)) / 2, rng.normal(size=m) / 2) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(layers, activation, **options)


def mixing(name: str) -> na.Network:
    rng = np.random.default_rng(4)
    layers = [na.Mixing(name, rng.normal(size=(m, n)) / 2, rng.normal(size=m) / 2) for n, m in ((3, 4), (4, 2))]
    return na.Network.from_layer(layers[1], 4) @ na.Network.from_layer(layers[0], 3)


X = np.exp(np.random.default_rng(5).normal(size=(6, 3)))


@pytest.mark.parametrize("base", [10, 2.5, 0.5])
def test_absorption_takes_logarithms_of_the_base(base: float) -> None:
    f = net(kind="multiplicative", base=base)
    derivation = f.rewrite("additive", absorb=True)
    twin = derivation.result
    assert [type(node.layer).__name__ for node in twin.nodes] == ["Affine", "Elementwise", "Affine"]
    assert [step.rule for step in derivation if "absorb" in step.rule] == [
        f"absorb inputs by log_base(base={base:g})",
        f"absorb outputs by exp_base(base={base:g})",
    ]
    scale = np.log(base)
    np.testing.assert_allclose(twin(np.log(X) / scale), np.log(f(X)) / scale, rtol=1e-12, atol=1e-13)
    assert derivation.verify().holds
    assert twin.to_multiplicative(absorb=True, base=base) == f


@pytest.mark.parametrize(("name", "inverse"), [("sinh", np.arcsinh), ("cube", np.cbrt)])
def test_absorption_takes_the_inverse_of_what_mixes(name: str, inverse: Any) -> None:
    f = mixing(name)
    twin = f.to_additive(absorb=True)
    assert [type(node.layer).__name__ for node in twin.nodes] == ["Affine", "Affine"]
    np.testing.assert_allclose(twin(inverse(X)), inverse(f(X)), rtol=1e-12)


SIGMA = {
    "tanh": mpmath.tanh,
    "sigmoid": lambda u: 1 / (1 + mpmath.exp(-u)),
    "softplus": lambda u: mpmath.log1p(mpmath.exp(u)),
    "softsign": lambda u: u / (1 + u),
    "hill": lambda u: u / (1 + u),
    "silu": lambda u: u / (1 + mpmath.exp(-u)),
}


@pytest.mark.parametrize("base", [10, 0.5])
@pytest.mark.parametrize("name", SIGMA)
def test_the_activation_of_another_base_is_stable(name: str, base: float) -> None:
    """The plain formula gives -inf at 10^-400, and 0 for -1e-87; the condition is that of the argument."""
    layer = net(name, kind="multiplicative", base=base).to_additive().nodes[2].layer
    assert str(layer) == f"log_base∘{name}∘exp_base(base={base}, base2={base})"
    places = [-400.0, -20.0, -3.0, -0.5, 0.1, 1.0, 1.5, 2.0, 2.4]
    x = np.array(places if base > 1 else [-3 * p for p in places])
    f = na.Network.from_layer(layer, 1)
    with mpmath.workdps(1100):
        power = mpmath.log(base)
        exact = [mpmath.log(SIGMA[name](mpmath.exp(power * p))) / power for p in map(mpmath.mpf, x)]
    slope = np.abs(f.jacobian(x[:, None]).ravel() * x)
    for found, true, condition in zip(f(x[:, None]).ravel(), exact, slope, strict=True):
        assert abs(mpmath.mpf(float(found)) - true) <= 8 * 2.0**-53 * (abs(true) + condition) + 1e-300


@pytest.mark.parametrize("name", [row.name for row in BASED])
def test_rows_of_another_base_are_the_conjugates(name: str) -> None:
    function = na.activation(name, base=10, base2=10)
    s = na.conjugate(name.split("∘")[1], base=10)
    x = np.array([-30.0, -2.0, -0.3, 0.2, 0.9, 2.0])
    x = x[x < s.domain[1]]
    for order in range(3):
        np.testing.assert_allclose(
            na.Network.from_layer(na.Elementwise(function.differentiated(order)), 1)(x[:, None]).ravel(),
            s.derivative(x, order),
            rtol=1e-11,
            atol=1e-300,
        )


def test_two_bases_are_two() -> None:
    f = na.Network.from_layer(na.Elementwise(na.activation("log_base∘tanh∘exp_base", base=10, base2=2)), 1)
    assert f([0.3]) == pytest.approx(np.log10(np.tanh(2**0.3)), rel=1e-14)


@pytest.mark.parametrize(("base", "sigma", "name"), [
    (10, "at_least", "relu"), (0.5, "at_least", "at_most(bound=0)"), (0.5, "at_most", "relu"),
    (10, "square", "affine(slope=2)"), (2.5, "reciprocal", "affine(slope=-1)"),
    (10, "hill", "log_base∘hill∘exp_base(base=10, base2=10)"),
])  # fmt: skip
def test_names_in_another_base(base: float, sigma: str, name: str) -> None:
    f = net(sigma, kind="multiplicative", base=base)
    steps = f.rewrite("additive")
    assert str(steps.result.nodes[2].layer) == name
    assert steps.verify().holds
    assert steps.result.to_multiplicative(base=base) == f


@pytest.mark.parametrize("base", [10, 0.5])
@pytest.mark.parametrize("sigma", ["relu", "tanh", "hardtanh", "at_most"])
def test_there_and_back_in_another_base(base: float, sigma: str) -> None:
    f = net(sigma)
    g = f.to_multiplicative(base=base)
    np.testing.assert_allclose(g(X), f(X), rtol=1e-11)
    assert g.to_additive() == f


def test_hill_of_another_order_and_base() -> None:
    f = na.Network.from_layer(na.Elementwise(na.activation("log_base∘hill∘exp_base", base=10, n=2.5, base2=10)), 1)
    assert f([0.3]) == pytest.approx(np.log10(1 / (1 + 10 ** (-2.5 * 0.3))), rel=1e-14)
    assert f([-400]) == pytest.approx(-1000, rel=1e-14)
