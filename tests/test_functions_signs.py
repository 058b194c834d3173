"""Signs of polynomials in chains, proven by balls, against 60 digits at points."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

import neuralgebra as na
import neuralgebra.functions.catalogue
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.functions.activation import Chain, registered
from neuralgebra.functions.signs import signs

NAMES = sorted(registered())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [1, 2])
def test_the_sign_is_that_at_every_point(name: str, order: int) -> None:
    function = na.activation(name)
    polynomial = function.row.derivative(order)
    pieces = signs(function, polynomial)
    assert (pieces[0].low, pieces[-1].high) == (-math.inf, math.inf)
    assert all(a.high == b.low for a, b in itertools.pairwise(pieces))
    rng, k = np.random.default_rng(0), Balls(400)
    for piece in pieces:
        if piece.sign is None:
            continue
        span = max(piece.low, -1e3), min(piece.high, 1e3)
        with k.precision():
            z = k.weight(np.array([*span, *rng.uniform(*span, 5)]))
            values = Chain(k, function, z).polynomial(polynomial)
        assert all(v.is_zero() if piece.sign == 0 else v * piece.sign > 0 for v in values)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_open_near_0_is_small(name: str) -> None:
    function = na.activation(name)
    low, high = np.clip(function.row.domain, -8, 8)
    pieces = signs(function, function.row.derivative(2))
    spans = [(max(p.low, low), min(p.high, high)) for p in pieces if p.sign is None]
    assert sum(max(b - a, 0.0) for a, b in spans) < 1e-9


@pytest.mark.parametrize(
    ("name", "zeros"), [("tanh", [0.0]), ("gelu", [-math.sqrt(2), math.sqrt(2)]), ("sigmoid", [0.0]), ("exp", [])]
)
def test_where_functions_bend(name: str, zeros: list[float]) -> None:
    function = na.activation(name)
    inner = [p for p in signs(function, function.row.derivative(2)) if p.sign is None][1:-1]
    assert len(inner) == len(zeros)
    assert all(p.low <= zero <= p.high for p, zero in zip(inner, zeros, strict=True))


def test_a_kink_is_no_part_of_a_piece_with_a_sign() -> None:
    function = na.activation("hardtanh", low=-0.25, high=3.0)
    inner = [p for p in signs(function, function.row.derivative(2)) if p.sign is None]
    assert [any(p.low < place < p.high for p in inner) for place in (-0.25, 3.0)] == [True, True]
