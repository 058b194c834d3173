"""The table of places for gates of t²: short numbers, fitted as well as they are proven, better than without it."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra import gate
from neuralgebra.algebra.gate import Gate, chosen, product_error
from neuralgebra.algebra.minimax import PLACES
from oracles import FUNCTIONS

FLOAT32 = np.dtype("float32")
X, Y = na.Network.identity(2)


def values(one: Gate, points: np.ndarray) -> list[mpmath.mpf]:
    sigma = FUNCTIONS[one.function.name]
    rows = [tuple(map(mpmath.mpf, row)) for row in zip(one.bias, one.factor, one.coefficient, strict=True)]
    return [mpmath.mpf(one.constant) + sum(c * sigma(b + h * mpmath.mpf(t)) for b, h, c in rows) for t in points]


@pytest.mark.parametrize("name", sorted(set(PLACES) & set(FUNCTIONS)))
def test_places_are_numbers_of_float32_and_their_gates_as_good_as_estimated(name: str) -> None:
    points = np.linspace(-1, 1, 161)
    for row in PLACES[name]:
        numbers = np.array(row)
        assert (numbers == numbers.astype(np.float32)).all()
        parts = tuple((b, h, int(name != "cos")) for b, h in row)
        assert parts in gate._placed(na.activation(name), len(row))
        one, estimated = gate._fitted(na.activation(name), parts, True)
        with mpmath.workdps(40):
            error = max(abs(a - mpmath.mpf(t) ** 2) for a, t in zip(values(one, points), points, strict=True))
        assert error <= one.error.largest <= 1.05 * float(error) + 1e-15
        assert estimated == pytest.approx(one.error.largest, rel=0.2, abs=1e-13)


def measured(one: Gate) -> float:
    """The largest error of u·v by two squares, executed by NumPy in float32."""
    u, v = np.random.default_rng(0).uniform(-1, 1, size=(2, 100_000)).astype(FLOAT32)
    b, h, c = (np.array(row, FLOAT32) for row in (one.bias, one.factor, one.coefficient))
    first = np.concatenate([np.stack([h, h], 1), np.stack([h, -h], 1)]) / 2
    f = na.Network.from_layers([(first.astype(FLOAT32), np.tile(b, 2)), (np.append(c, -c)[None], None)], one.function)
    return float(abs(f(np.stack([u, v], 1))[:, 0].astype(float) - u.astype(float) * v.astype(float)).max())


# Neurons of a product, and what its error must not exceed; what gates with equally spaced steps have is beside it.
BEST = {
    "softplus": (8, 2e-6),  # 3.3e-6
    "silu": (8, 2e-6),  # 4.1e-6
    "gelu": (8, 2e-6),  # 2.6e-6
    "gelu_tanh": (8, 2e-6),  # 4.4e-6
    "cos": (4, 2e-5),  # 1.2e-4
}


@pytest.mark.parametrize("name", BEST)
def test_products_in_float32_are_as_accurate_as_the_best_known(name: str) -> None:
    neurons, bound = BEST[name]
    one = chosen(na.activation(name), 0.0, FLOAT32, True, most=2, worst=1.0)
    assert 2 * one.neurons == neurons
    assert measured(one) <= bound
    assert product_error(one.error) <= bound


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "gelu", "silu"])
def test_what_is_proven_of_products_in_float32_is_below_what_it_is_without_the_table(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def proven() -> float:
        one = chosen(na.activation(name), 0.0, FLOAT32, True)
        return one.error.largest + 12 * 2.0**-23 * one.weight

    chosen.cache_clear()
    least = proven()
    monkeypatch.setattr(gate, "PLACES", {})
    chosen.cache_clear()
    assert least < 0.7 * proven()
    chosen.cache_clear()
