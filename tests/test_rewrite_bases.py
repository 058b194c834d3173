"""Rewriting of networks that mix by other functions than exp: powers of any base, sinh, cube."""

import itertools
from typing import Any

import numpy as np
import pytest

import neuralgebra as na


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
