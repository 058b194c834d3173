"""Questions about derivatives against sums over full derivatives on balls."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from oracles_calculus import agree, along, bilaplacian, contracted, diagonal, exact, partials, weighed
from strategies import after, arrays, networks, points


def drawn(data: st.DataObject, order: int) -> tuple[na.Network, np.ndarray, list[np.ndarray]]:
    """A network, two points and all derivatives there."""
    f = data.draw(networks())
    x = data.draw(points(f.input_size))
    return f, x, exact(f, x, order)


def vectors(data: st.DataObject, size: int) -> np.ndarray:
    """One vector for all points, or one for each."""
    return data.draw(arrays((size,)) | arrays((2, size)))


@settings(max_examples=25)
@given(st.data())
def test_jvp_and_vjp_are_products_with_the_jacobian(data: st.DataObject) -> None:
    f, x, derivatives = drawn(data, 1)
    v, w = vectors(data, f.input_size), vectors(data, f.output_size)
    agree(f.jvp(x, v), along(derivatives[1], v), derivatives)
    agree(f.vjp(x, w), weighed(derivatives[1], w), derivatives)


@settings(max_examples=25)
@given(st.data())
def test_hvp_is_the_product_with_the_hessian(data: st.DataObject) -> None:
    f, x, derivatives = drawn(data, 2)
    v, w = vectors(data, f.input_size), vectors(data, f.output_size)
    product = along(derivatives[2], v)
    agree(f.hvp(x, v), product, derivatives)
    agree(f.hvp(x, v, w), weighed(product, w), derivatives)


@settings(max_examples=25)
@given(st.data())
def test_taylor_is_the_contraction_of_all_derivatives_along_v(data: st.DataObject) -> None:
    order = data.draw(st.integers(0, 4))
    f, x, derivatives = drawn(data, order)
    v = vectors(data, f.input_size)
    expected = np.stack([along(d, *[v] * n) for n, d in enumerate(derivatives)])
    agree(f.taylor(x, v, order), expected, derivatives)


@settings(max_examples=25)
@given(st.data())
def test_single_derivatives_in_every_form(data: st.DataObject) -> None:
    f, x, derivatives = drawn(data, 4)
    orders = st.integers(0, 2)
    alphas = st.lists(orders, min_size=f.input_size, max_size=f.input_size).map(tuple).filter(lambda a: sum(a) <= 4)
    wanted = data.draw(st.lists(alphas, min_size=1, max_size=3))
    alpha = wanted[0]
    expected = partials(derivatives, {alpha: 1.0})
    named = {name: n for name, n in zip(f.input_names, alpha, strict=True) if n}
    for form in (alpha, list(alpha), np.array(alpha), named):
        agree(f.derivative(x, form), expected, derivatives)
    several = f.derivative(x, [*wanted, alpha])
    assert list(several) == list(dict.fromkeys(wanted))
    for key, value in several.items():
        agree(value, partials(derivatives, {key: 1.0}), derivatives)


def test_names_and_no_orders_at_all() -> None:
    f = na.Network.from_layers([([[1.0, 2.0]], None), ([[1.0], [3.0]], None)], "exp", input_names=["a", "b"])
    value = math.exp(0.25 + 2 * 0.5) * np.array([1.0, 3.0])
    x = [0.25, 0.5]
    np.testing.assert_allclose(f.derivative(x, "b"), 2 * value, rtol=1e-14)
    np.testing.assert_allclose(f.derivative(x, {"b": 2, "a": 1}), 4 * value, rtol=1e-14)
    np.testing.assert_allclose(f.derivative(x, (0, 0)), value, rtol=1e-14)
    np.testing.assert_allclose(f.derivative(x, {}), value, rtol=1e-14)
    both = f.derivative(x, (name for name in "ab"))
    np.testing.assert_allclose([both[1, 0], both[0, 1]], [value, 2 * value], rtol=1e-14)
    assert f.derivative(x, iter([])) == {}
    np.testing.assert_allclose(f.operator(x, {"b": 2.0, (0, 1): 0.5}), 5 * value, rtol=1e-14)


@settings(max_examples=25)
@given(st.data())
def test_operator_of_a_matrix(data: st.DataObject) -> None:
    f, x, derivatives = drawn(data, 2)
    n = f.input_size
    matrix, each = data.draw(arrays((n, n))), data.draw(arrays((2, n, n)))
    for a in (matrix, np.outer(matrix[0], matrix[0]), -np.eye(n), np.zeros((n, n)), each):
        agree(f.operator(x, a), contracted(derivatives[2], a), derivatives)


@settings(max_examples=25)
@given(st.data())
def test_operator_of_mixed_orders(data: st.DataObject) -> None:
    f, x, derivatives = drawn(data, 3)
    alphas = st.sampled_from([a for a in itertools.product(range(4), repeat=f.input_size) if sum(a) <= 3])
    operator = data.draw(st.dictionaries(alphas, st.integers(-4, 4).map(float), min_size=1, max_size=5))
    agree(f.operator(x, operator), partials(derivatives, operator), derivatives)


@settings(max_examples=25)
@given(st.data())
def test_traces_of_the_hessian_and_of_the_fourth_derivative(data: st.DataObject) -> None:
    f, x, derivatives = drawn(data, 4)
    agree(f.hessian_diagonal(x), diagonal(derivatives[2]), derivatives)
    agree(f.laplacian(x), contracted(derivatives[2], np.eye(f.input_size)), derivatives)
    agree(f.biharmonic(x), bilaplacian(derivatives[4]), derivatives)
    for ours, theirs in zip(f.derivatives(x, 4), derivatives, strict=True):
        agree(ours, theirs, derivatives)


@settings(max_examples=25)
@given(st.data())
def test_some_outputs_and_inputs_by_name_and_position(data: st.DataObject) -> None:
    f, x, derivatives = drawn(data, 2)
    some = data.draw(st.lists(st.integers(0, f.input_size - 1), min_size=1, unique=True))
    outputs = data.draw(st.lists(st.integers(0, f.output_size - 1), min_size=1, max_size=3))
    rows, columns = [f.output_names[i] for i in outputs], [f.input_names[i] for i in some]
    first = derivatives[1][:, outputs][..., some]
    second = derivatives[2][:, outputs][..., some, :][..., some]
    for chosen in ({"outputs": outputs, "inputs": columns}, {"outputs": rows, "inputs": some}):
        agree(f.jacobian(x, **chosen), first, derivatives)
        agree(f.hessian(x, **chosen), second, derivatives)
    agree(f.jacobian(x, inputs=columns[0]), derivatives[1][..., some[:1]], derivatives)
    agree(f.hessian(x, outputs=outputs[0] - f.output_size), derivatives[2][:, outputs[:1]], derivatives)


def test_only_the_outputs_and_inputs_wanted_are_computed() -> None:
    wide = na.Network.from_layers([(np.ones((3, 400)), None), (np.ones((500, 3)), None)])
    assert wide.jacobian(np.zeros(400), inputs=[7], outputs="y3").tolist() == [[3.0]]
    many = na.Network.from_layers([(np.ones((1, 30_000)), None)])
    one = after(many, na.Elementwise("exp"))
    assert one.hessian(np.zeros(30_000), inputs=["x9"]).tolist() == [[[1.0]]]
    assert one.derivative(np.zeros(30_000), {"x9": 2}) == one.operator(np.zeros(30_000), {"x9": 1.0}) == 1
    with pytest.raises(na.errors.ResourceError, match=r"6\.7 GiB"):
        one.hessian(np.zeros(30_000))
