"""Functions with kinks and jumps as plain layers: bounds that know of them, or refusals."""

from __future__ import annotations

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra import hulls, univariate
from neuralgebra.errors import NotCertifiedError, UnsupportedError
from neuralgebra.functions.catalogue import PIECEWISE

X = na.Network.identity(1)
BOX = [(-1.0, 1.0)]
NAMES = [row.name for row in PIECEWISE]


def kinked(name: str) -> na.Network:
    return na.Network.function(name) @ (4.0 * X + 0.2)


def expect_held(f: na.Network, activation: str, tol: float) -> bool:
    """Every certificate holds at many points, next to kinks too; return whether there is one."""
    try:
        plain = f.plain(activation, BOX, tol)
    except (NotCertifiedError, UnsupportedError):
        return False
    assert plain.certificate is not None
    x = np.concatenate([np.linspace(-1, 1, 40001), -0.05 + np.linspace(-1e-3, 1e-3, 2001)])[:, None]
    assert abs(f(x) - plain.network(x)).max() <= plain.certificate.bound + 1e-12
    return True


@pytest.mark.parametrize("name", NAMES)
def test_in_relu(name: str) -> None:
    assert expect_held(kinked(name), "relu", 1e-2) == (name not in ("step", "sign"))


@pytest.mark.parametrize("name", ["relu", "abs", "step", "sign", "hardswish"])
@pytest.mark.parametrize("tol", [2.5, 0.9])
def test_in_tanh(name: str, tol: float) -> None:
    assert expect_held(kinked(name), "tanh", tol) == (name not in ("step", "sign"))


@pytest.mark.parametrize("name", ["relu", "softshrink", "leaky_relu"])
def test_slopes_that_jump_are_refused(name: str) -> None:
    f = na.Network.from_layers([([[1.0], [-2.0]], [0.1, 0.3]), ([[1.0, 1.5]], None)], name)
    assert not expect_held(f.diff(), "relu", 1e-2)


def test_forgotten_kinks_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    univariate.interpolated.cache_clear()
    for module in (hulls, univariate):
        monkeypatch.setattr(module, "smoothness", lambda network, edges: np.full(len(edges) - 1, hulls.SMOOTH))
    monkeypatch.setattr(hulls, "_smoothness", lambda k, network, wide: np.full(len(wide), hulls.SMOOTH))
    with pytest.raises(AssertionError):
        all(expect_held(kinked(name), "relu", 1e-2) for name in NAMES)
    univariate.interpolated.cache_clear()
