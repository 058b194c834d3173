"""Rewriting never uses more of a domain than numbers keep to: 1/x and x^3 go on where the catalogue's domain ends."""

from typing import Any

import numpy as np
import pytest

import neuralgebra as na

X = np.array([[-2.0], [-0.5], [0.5], [2.0], [4.0]])
GOING_ON = {"reciprocal": {}, "square": {}, "x^2": {"p": 2}, "x^3": {"p": 3}, "tan": {}}


def function(name: str) -> na.Network:
    given: dict[str, Any] = GOING_ON[name]
    return na.Network.from_layer(na.Elementwise(na.activation("power" if given else name, **given)), 1)


@pytest.mark.parametrize("name", GOING_ON)
@pytest.mark.parametrize("outer", ["relu", "abs", "leaky_relu"])
def test_the_range_of_a_function_is_not_that_of_its_domain_alone(name: str, outer: str) -> None:
    f = na.Network.function(outer) @ function(name)
    steps = f.rewrite("simplified")
    np.testing.assert_array_equal(steps.result(X), f(X))
    assert steps.verify().holds


@pytest.mark.parametrize("name", GOING_ON)
def test_what_takes_a_wire_does_not_ask_for_its_domain(name: str) -> None:
    f = function(name) @ na.Network.function("exp") @ na.Network.function("log")
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(f.rewrite("simplified").result(X), f(X), rtol=1e-14)


def test_where_numbers_end_with_the_domain_it_is_used() -> None:
    f = na.Network.function("relu") @ na.Network.function("sqrt")
    assert f.rewrite("simplified").result == na.Network.function("sqrt")
    positive = na.Network.function("relu") @ na.Network.function("reciprocal")
    assert positive.rewrite("simplified", domain="R>0").result == na.Network.function("reciprocal")
