"""Bounds hold where values that are off leave the range of the exact ones: squares of squares, on a grid."""

from __future__ import annotations

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra.plain import Plain

ONE = na.Network.identity(1)
X, Y, Z = na.Network.identity(3)
# Powers of powers: each square is applied to what the one before has made too large.
POWERS = {"fourth": ((ONE**2) ** 2, 1), "eighth": (((ONE**2) ** 2) ** 2, 1), "three": (X * Y * Z, 3)}


def excess(f: na.Network, plain: Plain, n: int) -> float:
    """How far executions on a grid are beyond the bound, relative to it."""
    low, high = plain.certificate.box.low, plain.certificate.box.high
    x = np.stack(np.meshgrid(*(np.linspace(a, b, 2001 if n == 1 else 21) for a, b in zip(low, high, strict=True))), -1)
    x = x.reshape(-1, n)
    return float(abs(plain.network(x) - f(x)).max() / plain.execution.bound - 1)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "exp", "tanh", "cos", "softplus"])
@pytest.mark.parametrize("power", POWERS)
def test_bounds_hold_where_values_leave_the_range_of_the_exact_ones(power: str, name: str) -> None:
    f, n = POWERS[power]
    for tol in (1.5, 0.5, 0.1, 1e-2):
        assert excess(f, f.plain(name, [(-1, 1)] * n, tol), n) <= 0
