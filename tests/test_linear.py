"""Structured matrices: each map, its transpose and its gradient against full matrices and plain loops."""

from __future__ import annotations

import copy
import functools
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
import pytest
import sympy
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.kind import ObjectKind, Value
from neuralgebra.arithmetic.scatter import Scatter, scatter
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.network.composed import batched, transpose
from neuralgebra.network.linear import Linear
from strategies import arrays, linear_maps

LIBRARIES: dict[str, Callable[..., Any]] = {
    "numpy": np.asarray,
    "torch": torch.asarray,
    "jax": jax.numpy.asarray,
}
each_library = pytest.mark.parametrize("library", LIBRARIES)


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> Iterator[None]:
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(np.asarray(a, dtype=float), b, rtol=1e-12, atol=1e-12)


@st.composite
def maps(draw: st.DrawFn) -> tuple[Linear, np.ndarray, np.ndarray]:
    """A map, and inputs and outputs of it in two groups of three."""
    m = draw(linear_maps(draw(st.integers(1, 4)), depth=2))
    return m, draw(arrays((2, 3, m.columns))), draw(arrays((2, 3, m.rows)))


RNG = np.random.default_rng(0)
PATCHES = [[0, 1, 2], [-1, 2, 0], [1, 1, -1], [0, 0, 3]]
CONVOLUTION = na.Convolution(RNG.normal(size=(2, 3)), PATCHES, 4)
KINDS = [
    na.Dense(RNG.normal(size=(2, 3))),
    na.Diagonal(RNG.normal(size=3)),
    na.Spread(RNG.normal(size=(2, 3))),
    na.Kronecker(RNG.normal(size=(3, 2)), 2, 3),
    na.Kronecker(RNG.normal(size=(3, 2)), 2, 1),
    na.Kronecker(RNG.normal(size=(1, 1)), 1, 3),
    CONVOLUTION,
    na.BlockDiagonal((na.Dense(RNG.normal(size=(1, 2))), CONVOLUTION)),
    na.Product((na.Dense(RNG.normal(size=(2, 8))), CONVOLUTION, na.Dense(RNG.normal(size=(4, 3))))),
    na.Transposed(CONVOLUTION),
    na.Batched(na.Spread(RNG.normal(size=(2, 3))), 2),
]


def each_kind(test: Callable[..., None]) -> Callable[..., None]:
    """Try one matrix of each kind besides random ones."""
    for m in KINDS:
        test = example((m, RNG.normal(size=(2, 3, m.columns)), RNG.normal(size=(2, 3, m.rows))))(test)
    return test


# The map and its transpose ----------------------------------------------------------------------------------------


@each_library
@settings(max_examples=10)
@given(maps())
@each_kind
def test_a_map_and_its_transpose_are_the_dense_matrix(library, case):
    m, x, y = case
    assert m.dense().shape == m.shape
    u, v = (LIBRARIES[library](a.copy()) for a in (x, y))
    k = Arrays(u)
    for found, like in ((m.apply(k, u), u), (m.adjoint(k, v), v)):
        assert type(found) is type(like)
        assert found.dtype == like.dtype
    close(m.apply(k, u), x @ m.dense().T)
    close(m.adjoint(k, v), y @ m.dense())
    close(m.apply(k, u[0, 0]), x[0, 0] @ m.dense().T)
    close(m.adjoint(k, v[0, 0]), y[0, 0] @ m.dense())
    close(np.sum(y * np.asarray(m.apply(k, u))), np.sum(np.asarray(m.adjoint(k, v)) * x))


@given(maps())
@each_kind
def test_balls_contain_the_exact_image(case):
    m, x, y = case
    balls, exact = Balls(64), Balls(2000)
    with exact.precision():
        expected = exact_dense(exact, m)
        images = exact.weight(x) @ expected.T, exact.weight(y) @ expected
    with balls.precision():
        found = m.apply(balls, balls.weight(x)), m.adjoint(balls, balls.weight(y))
    for ball, number in zip([*found[0].flat, *found[1].flat], [*images[0].flat, *images[1].flat], strict=True):
        assert ball.contains(number)
        assert ball.rad() < 1e-15


def exact_dense(k: ObjectKind, m: Linear) -> np.ndarray:
    """The matrix in the numbers of a kind, whose sums and products do not round."""
    out = k.zeros(m.shape)
    match m:
        case na.Product(factors=factors):
            return functools.reduce(np.matmul, [exact_dense(k, factor) for factor in factors])
        case na.Transposed(inner=inner):
            return exact_dense(k, inner).T
        case na.Batched(inner=inner, copies=copies):
            return exact_dense(k, na.BlockDiagonal((inner,) * copies))
        case na.BlockDiagonal(blocks=blocks):
            rows, columns = (np.cumsum([0, *(b.shape[i] for b in blocks)]) for i in (0, 1))
            for i, block in enumerate(blocks):
                out[rows[i] : rows[i + 1], columns[i] : columns[i + 1]] = exact_dense(k, block)
            return out
        case na.Convolution(kernel=kernel, patches=patches):
            for (i, j), w in np.ndenumerate(k.weight(kernel)):
                for position, patch in enumerate(patches):
                    if patch[j] >= 0:
                        out[i * len(patches) + position, patch[j]] += w
            return out
    return k.weight(m.dense())


@given(st.data())
def test_symbols_have_the_entries_as_coefficients(data):
    m = data.draw(linear_maps(data.draw(st.integers(1, 3))))
    for size, image, expected in ((m.columns, m.apply, m.dense()), (m.rows, m.adjoint, m.dense().T)):
        names = sympy.symbols(f"x:{size}")
        found = image(Symbols(), np.array([names], dtype=object))
        assert found.shape == (1, len(expected))
        close([[sympy.diff(value, name) for name in names] for value in found[0]], expected)


# Gradients --------------------------------------------------------------------------------------------------------


class Replacing(Arrays):
    """NumPy arrays in which other numbers stand for some of the weights, known by their identity."""

    def __init__(self, x: np.ndarray, m: Linear, place: int, array: np.ndarray) -> None:
        super().__init__(x)
        self.known = {id(a): array if i == place else a for i, a in enumerate(m.arrays)}

    def weight(self, array: np.ndarray) -> Value:
        return self.known[id(array)]


@given(maps())
@each_kind
def test_gradients_are_difference_quotients(case):
    m, x, y = case
    rng = np.random.default_rng(0)
    for place, (array, gradient) in enumerate(zip(m.arrays, m.gradient(Arrays(x), x, y), strict=True)):
        along = rng.normal(size=array.shape)
        changed = m.apply(Replacing(x, m, place, array + along), x)
        expected = np.sum(y * (changed - m.apply(Arrays(x), x)), axis=(1, 2))
        assert gradient.shape == (2, *array.shape)
        close(np.sum((gradient * along).reshape(2, -1), axis=1), expected)
        changed = m.adjoint(Replacing(y, m, place, array + along), y)
        close(np.sum(x * (changed - m.adjoint(Arrays(y), y)), axis=(1, 2)), expected)


@given(maps())
@each_kind
def test_gradients_are_those_of_a_loop(case):
    m, x, y = case
    for place, (array, gradient) in enumerate(zip(m.arrays, m.gradient(Arrays(x), x, y), strict=True)):
        for index in np.ndindex(array.shape):
            one = np.zeros(array.shape)
            one[index] = 1
            slope = image(m, place, one) - image(m, place, 0 * one)
            for group in range(2):
                expected = sum(y[group, s] @ slope @ x[group, s] for s in range(3))
                close(gradient[group][index], expected)


def image(m: Linear, place: int, array: np.ndarray) -> np.ndarray:
    """The matrix with another array at a place."""
    unit = np.eye(m.columns)
    return m.apply(Replacing(unit, m, place, array), unit).T


@settings(max_examples=10)
@given(maps())
@each_kind
def test_gradients_agree_on_all_kinds_of_number(case):
    m, x, y = case
    expected = m.gradient(Arrays(x), x, y)
    balls = Balls(64)
    for make in (torch.asarray, jax.numpy.asarray):
        u, v = make(x.copy()), make(y.copy())
        for found, array in zip(m.gradient(Arrays(u), u, v), expected, strict=True):
            assert type(found) is type(u)
            assert found.dtype == u.dtype
            close(found, array)
    with balls.precision():
        for found, array in zip(m.gradient(balls, balls.weight(x), balls.weight(y)), expected, strict=True):
            close(balls.each(lambda b: float(b.mid()), found), array)
    for found, array in zip(m.gradient(Arrays(x), x[1], y[1]), expected, strict=True):
        close(found, array[1])


@given(st.data())
def test_gradients_of_symbols(data):
    m = data.draw(linear_maps(data.draw(st.integers(1, 3))))
    k, x = Symbols(), np.array([sympy.symbols(f"x:{m.columns}")], dtype=object)
    y = data.draw(arrays((1, m.rows)))
    values = data.draw(arrays((1, m.columns)))
    at = dict(zip(x[0], values[0], strict=True))
    for found, array in zip(m.gradient(k, x, k.weight(y)), m.gradient(Arrays(values), values, y), strict=True):
        close([sympy.sympify(value).subs(at) for value in found.flat], array.ravel())


# Forms ------------------------------------------------------------------------------------------------------------


@given(maps())
@each_kind
def test_a_map_is_equal_to_its_copies_only(case):
    m, _, _ = case
    for twin in (pickle.loads(pickle.dumps(m)), copy.copy(m), copy.deepcopy(m)):
        assert twin == m
        assert hash(twin) == hash(m)
        assert twin.shape == m.shape
    for other in (na.Transposed(m), na.Batched(m, 2), na.Batched(m, 3), na.Transposed(na.Transposed(m))):
        assert other != m
    assert na.Batched(m, 2) != na.Batched(m, 3)


@given(maps())
@each_kind
def test_simplest_forms_are_the_same_map_of_the_same_arrays(case):
    m, _, _ = case
    ids = {id(a) for a in m.arrays}
    for simple, expected in (
        (transpose(m), m.dense().T),
        (transpose(transpose(m)), m.dense()),
        (batched(m, 1), m.dense()),
        (batched(m, 3), np.kron(np.eye(3), m.dense())),
        (transpose(batched(m, 3)), np.kron(np.eye(3), m.dense().T)),
    ):
        close(simple.dense(), expected)
        assert {id(a) for a in simple.arrays} == ids
        assert isinstance(hash(simple), int)


def test_simplest_forms():
    w = na.Dense(np.ones((2, 3))).weight
    dense, diagonal, spread = na.Dense(w), na.Diagonal([1.0, 2.0]), na.Spread(np.ones((2, 2)))
    kronecker = na.Kronecker(w, 2, 5)
    assert transpose(dense) == na.Transposed(dense)
    assert transpose(na.Transposed(dense)) is dense
    assert transpose(diagonal) is diagonal
    assert transpose(kronecker) == na.Transposed(kronecker)
    assert transpose(na.Product((dense.dense(), na.Diagonal(np.ones(3))))) == na.Product(
        (na.Diagonal(np.ones(3)), na.Transposed(dense))
    )
    assert transpose(na.BlockDiagonal((dense, diagonal))) == na.BlockDiagonal((na.Transposed(dense), diagonal))
    assert transpose(na.Batched(spread, 4)) == na.Batched(na.Transposed(spread), 4)
    assert batched(dense, 1) is dense
    assert batched(dense, 4) == na.Kronecker(w, 4)
    assert batched(kronecker, 4) == na.Kronecker(w, 8, 5)
    assert batched(na.Batched(spread, 2), 3) == na.Batched(spread, 6)
    nested = na.Product((na.Product((diagonal, dense)), na.Product((na.Diagonal(np.ones(3)),))))
    assert nested.factors == (diagonal, dense, na.Diagonal(np.ones(3)))
    assert nested.count == 11


class Counted(ObjectKind):
    """Things that are multiplied and added, and only counted."""

    def __init__(self) -> None:
        self.count = 0

    def scalar(self, value: Any) -> Any:
        return self

    def __mul__(self, other: Any) -> Any:
        self.count += 1
        return self

    def __add__(self, other: Any) -> Any:
        return self


@given(maps())
@each_kind
def test_the_cost_is_the_number_of_multiplications(case):
    m, _, _ = case
    for image, size in ((m.apply, m.columns), (m.adjoint, m.rows)):
        k = Counted()
        image(k, k.zeros((1, size)))
        assert m.cost() == k.count


@given(maps())
@each_kind
def test_a_multiple_of_a_map(case):
    m, _, _ = case
    multiple = m.multiplied(lambda a: a * -3)
    close(multiple.dense(), -3 * m.dense())
    assert type(multiple) is type(m)


def test_a_scaled_product_stays_one_layer_of_the_same_arrays():
    inner, outer = na.Dense(np.ones((3, 2))), na.Dense(np.ones((1, 3)))
    f = na.Network.from_layer(na.Affine(na.Product((outer, inner)), [1.0]), 2)
    scaled = 2 * f
    (node,) = scaled.nodes
    assert node.layer.weight.factors == (na.Dense(np.full((1, 3), 2.0)), inner)
    assert scaled([1.0, 1.0]).tolist() == [14.0]


# Scatter ----------------------------------------------------------------------------------------------------------


@st.composite
def targets(draw: st.DrawFn) -> tuple[np.ndarray, int]:
    size = draw(st.integers(1, 12))
    last = draw(st.integers(-1, size - 1))
    return np.array(draw(st.lists(st.integers(-1, last), min_size=1, max_size=60))), size


@each_library
@settings(max_examples=20)
@given(targets())
def test_scatter_is_a_loop(library, case):
    indices, size = case
    x = np.arange(1.0, 2 * len(indices) + 1).reshape(2, -1)
    expected = np.zeros((2, size))
    for j, i in enumerate(indices):
        if i >= 0:
            expected[:, i] += x[:, j]
    u = LIBRARIES[library](x.copy())
    np.testing.assert_array_equal(np.asarray(scatter(Arrays(u), u, indices, size)), expected)
    objects = scatter(Symbols(), Symbols().weight(x), indices, size)
    assert objects.astype(float).tolist() == expected.tolist()


def test_a_permutation_is_one_plain_gather():
    ((table, padded),) = Scatter(np.array([2, 0, 1]), 3).tables
    assert table.tolist() == [[1, 2, 0]]
    assert not padded


@pytest.mark.parametrize(("sources", "size"), [(30_000, 1), (30_000, 30_000), (30_000, 100), (100, 30_000)])
def test_tables_do_not_outgrow_the_coordinates_when_one_target_receives_all(sources, size):
    tables = Scatter(np.zeros(sources, int), size).tables
    assert sum(table.size for table, _ in tables) <= 4 * (sources + size)
