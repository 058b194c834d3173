"""Algebras of coefficients: collapsed ones against all coefficients, and their tables against loops."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.calculus.indices import Collapsed, IndexSet, Indices, MultiIndex, factorial
from neuralgebra.calculus.jet import convolve, correlate
from neuralgebra.calculus.table import Table
from oracles_calculus import agree, exact, partials, products
from strategies import networks, points


class ByRows(Arrays):
    """The kind that takes products row by row."""

    by_rows = True


K, ROWS = Arrays(np.zeros(1)), ByRows(np.zeros(1))
Polynomial = dict[MultiIndex, float]
"""Coefficients of a truncated polynomial by multi-index."""


@st.composite
def operators(draw: Callable, variables: int) -> Polynomial:
    """Operators Σ p_α ∂^α of one order, 1 to 5, with integers p_α."""
    order = draw(st.integers(1, 5))
    alphas = list(itertools.combinations_with_replacement(range(variables), order))
    chosen = draw(st.dictionaries(st.sampled_from(alphas), st.integers(-3, 3).map(float), min_size=1, max_size=4))
    assume(any(chosen.values()))
    return chosen


@st.composite
def polynomials(draw: Callable, variables: int, order: int) -> Polynomial:
    """Polynomials with integer coefficients, so that sums of products are exact."""
    alphas = [a for n in range(order + 1) for a in itertools.combinations_with_replacement(range(variables), n)]
    values = draw(st.lists(st.integers(-5, 5).map(float), min_size=len(alphas), max_size=len(alphas)))
    return dict(zip(alphas, values, strict=True))


def multiplied(u: Polynomial, v: Polynomial, order: int) -> Polynomial:
    """The product by its definition."""
    result: Polynomial = {}
    for (a, x), (b, y) in itertools.product(u.items(), v.items()):
        if len(a) + len(b) <= order:
            key = tuple(sorted(a + b))
            result[key] = result.get(key, 0.0) + x * y
    return result


def functional(p: Polynomial, beta: MultiIndex, u: Polynomial) -> float:
    """ℓ_β(u) = P(∂)(t^β u) at 0."""
    return sum(p[a] * factorial(a) * c for a, c in multiplied({beta: 1.0}, u, 99).items() if a in p)


def collapsed(indices: Collapsed, p: Polynomial, u: Polynomial) -> list[np.ndarray]:
    """The levels of a jet in a collapsed algebra, by their definition."""
    levels = []
    for n, names in enumerate(indices.levels):
        values = [u[b] if n <= indices.middle else functional(p, b, u) for b in names]
        levels.append(np.array(values)[:, None])
    return levels


def product(indices: Indices, u: list[np.ndarray], v: list[np.ndarray]) -> list[np.ndarray]:
    """The product of two jets by the tables; every level of it has a way."""
    levels = []
    for n in range(indices.order + 1):
        terms = [convolve(K, indices, j, u[j], n - j, v[n - j]) for j in range(n + 1)]
        levels.append(sum(t for t in terms if t is not None))
    return levels


@settings(max_examples=25)
@given(st.data())
def test_collapsing_is_a_homomorphism(data: st.DataObject) -> None:
    variables = data.draw(st.integers(1, 3))
    p = data.draw(operators(variables))
    indices = Collapsed(p)
    u, v = (data.draw(polynomials(variables, indices.order)) for _ in range(2))
    ours = product(indices, collapsed(indices, p, u), collapsed(indices, p, v))
    theirs = collapsed(indices, p, multiplied(u, v, indices.order))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)
    assert theirs[-1] == [[functional(p, (), multiplied(u, v, 99))]]


@settings(max_examples=25)
@given(st.data())
def test_operators_of_networks_are_sums_of_partial_derivatives(data: st.DataObject) -> None:
    f = data.draw(networks())
    x = data.draw(points(f.input_size, rows=1))
    p = data.draw(operators(f.input_size))
    by_orders = {tuple(a.count(i) for i in range(f.input_size)): c for a, c in p.items()}
    derivatives = exact(f, x, len(next(iter(p))))
    agree(f.operator(x, by_orders), partials(derivatives, by_orders), derivatives)


def laplacian(n: int) -> Polynomial:
    return {(i, i): 1.0 for i in range(n)}


def bilaplacian(n: int) -> Polynomial:
    return {(i, i, j, j): 1.0 + (i != j) for i in range(n) for j in range(i, n)}


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_how_many_coefficients_and_multiplications(n: int) -> None:
    assert Collapsed(laplacian(n)).size == n + 2
    assert Collapsed(bilaplacian(n)).size == 1 + n + n * (n + 1) // 2 + n + 1
    # u·Δv + v·Δu + 2 Σ ∂ᵢu ∂ᵢv, uᵢv + u vᵢ, u v
    assert products(Collapsed(laplacian(n))) == (2 + n) + 2 * n + 1


def test_twenty_seven_numbers_instead_of_a_hundred_and_twenty_six() -> None:
    assert Collapsed(bilaplacian(5)).size == 27
    assert IndexSet.full(5, 4).size == 126


@settings(max_examples=25)
@given(st.data())
def test_a_collapsed_algebra_is_never_larger(data: st.DataObject) -> None:
    p = data.draw(operators(3))
    used = {a: c for a, c in p.items() if c}
    assert Collapsed(p).size <= IndexSet.below(used).size


# Tables -----------------------------------------------------------------------------------------------------------


@st.composite
def tables(draw: Callable) -> Table:
    """Any products u_a v_b of integers, with factors, summed into any places."""
    sizes = tuple(draw(st.integers(1, 4)) for _ in range(3))
    places = st.tuples(*(st.integers(0, n - 1) for n in sizes), st.sampled_from([1.0, 2.0, -3.0]))
    return Table(tuple(draw(st.lists(places, min_size=1, max_size=9))), sizes, draw(st.booleans()))


def matrices(count: int) -> st.SearchStrategy[np.ndarray]:
    """2×2 matrices: their product tells which factor came first."""
    entries = st.lists(st.integers(-5, 5).map(float), min_size=4 * count, max_size=4 * count)
    return entries.map(lambda v: np.array(v).reshape(count, 2, 2))


@settings(max_examples=25)
@given(st.data())
def test_tables_are_loops_over_their_ways(data: st.DataObject) -> None:
    table = data.draw(tables())
    u, v, w = (data.draw(matrices(n)) for n in table.sizes)
    multiply, correlated = np.zeros_like(w), np.zeros_like(v)
    for a, b, c, factor in table.ways:
        multiply[c] += factor * u[a] @ v[b]
        correlated[b] += factor * u[a] @ w[c]
    for k in (K, ROWS):
        np.testing.assert_array_equal(table.multiply(k, u, v, operator.matmul), multiply)
        np.testing.assert_array_equal(table.correlate(k, u, w, operator.matmul), correlated)
    assert table.count == len(table.ways)


@settings(max_examples=25)
@given(st.data())
def test_correlation_is_the_adjoint_of_multiplication(data: st.DataObject) -> None:
    table = data.draw(tables())
    u, v, w = (data.draw(matrices(n)) for n in table.sizes)
    left = np.sum(table.multiply(K, u, v, operator.mul) * w)
    assert left == np.sum(v * table.correlate(K, u, w, operator.mul))


def test_a_table_without_ways_is_zero() -> None:
    table = Table((), (1, 1, 1))
    one = np.ones((1, 1))
    assert table.multiply(K, one, one, operator.mul) is None
    assert table.correlate(K, one, one, operator.mul) is None


@settings(max_examples=25)
@given(st.data())
def test_correlation_is_the_adjoint_in_every_algebra(data: st.DataObject) -> None:
    """⟨u·v, w⟩ = ⟨v, u⋆w⟩, summed over all levels."""
    variables = data.draw(st.integers(1, 3))
    p = data.draw(operators(variables))
    indices = data.draw(st.sampled_from([Collapsed(p), IndexSet.below(p), IndexSet.full(variables, 3)]))
    u, v, w = ([data.draw(matrices(len(level)))[:, 0] for level in indices.levels] for _ in range(3))
    left = sum(np.sum(a * b) for a, b in zip(product(indices, u, v), w, strict=True))
    pairs = [(i, j) for i in range(indices.order + 1) for j in range(indices.order + 1 - i)]
    terms = [(v[j], correlate(K, indices, i, u[i], j, w[i + j])) for i, j in pairs]
    assert left == sum(np.sum(b * a) for b, a in terms if a is not None)
