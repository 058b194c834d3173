"""Derivatives from full jets on balls, and what is made of them by loops over their definition."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis
import numpy as np

import neuralgebra as na
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.calculus.derivatives import jets
from neuralgebra.calculus.indices import Indices
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets, series


def exact(f: na.Network, x: np.ndarray, order: int) -> list[np.ndarray]:
    """All derivatives up to an order, rounded once; examples at a kink, where balls hold both sides, are rejected."""
    balls = Balls(128)
    with balls.precision():
        results = jets(balls, f, balls.weight(np.atleast_2d(x)), order)
    if any(float(b.rad()) > 1e-18 * max(1.0, abs(float(b.mid()))) for r in results for b in r.flat):
        hypothesis.reject()
    return [np.array([float(b.mid()) for b in r.flat]).reshape(r.shape) for r in results]


def along(array: np.ndarray, *directions: np.ndarray) -> np.ndarray:
    """Σ_jk… A_ijk… u_j v_k …, for each point; directions have shape (n,) or (N, n)."""
    for v in reversed(directions):
        weights = np.broadcast_to(v, (array.shape[0], array.shape[-1]))
        terms = (array[..., j] * weights[:, j].reshape(-1, *(1,) * (array.ndim - 2)) for j in range(array.shape[-1]))
        array = np.sum(list(terms), axis=0)
    return array


def weighed(array: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Σ_i w_i A_i…, for each point; weights have shape (m,) or (N, m)."""
    return along(np.moveaxis(array, 1, -1), w)


def contracted(hessian: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Σ_jk a_jk H_ijk, for one matrix or one for each point."""
    n = hessian.shape[-1]
    matrices = np.broadcast_to(matrix, (len(hessian), n, n))
    pairs = itertools.product(range(n), repeat=2)
    return np.sum([matrices[:, j, k, None] * hessian[..., j, k] for j, k in pairs], axis=0)


def diagonal(hessian: np.ndarray) -> np.ndarray:
    """∂²f/∂x_j², for each j."""
    return np.stack([hessian[..., j, j] for j in range(hessian.shape[-1])], axis=-1)


def bilaplacian(fourth: np.ndarray) -> np.ndarray:
    """Σ_jk ∂⁴f/∂x_j²∂x_k²."""
    pairs = itertools.product(range(fourth.shape[-1]), repeat=2)
    return np.sum([fourth[..., j, j, k, k] for j, k in pairs], axis=0)


def partials(derivatives: list[np.ndarray], operator: dict[tuple[int, ...], float]) -> np.ndarray:
    """Σ p_α ∂^α f, α with one order for each variable."""
    total = np.zeros_like(derivatives[0])
    for alpha, factor in operator.items():
        index = tuple(i for i, n in enumerate(alpha) for _ in range(n))
        total += factor * derivatives[len(index)][(slice(None), slice(None), *index)]
    return total


def agree(ours: object, theirs: np.ndarray, derivatives: list[np.ndarray], tolerance: float = 1e-9) -> None:
    """Assert equal shapes, and numbers equal up to a tolerance relative to the largest derivative."""
    largest = max([1.0, *(float(np.abs(d).max(initial=0)) for d in derivatives)])
    array = np.asarray(ours)
    assert array.shape == theirs.shape
    np.testing.assert_allclose(array, theirs, rtol=tolerance, atol=tolerance * largest)


def propagate(k: Any, f: na.Network, x: Jet) -> Jet:
    """The jet of the output, given that of the input."""
    return Jets(k, f, x).run(x.indices.order)


def compose(k: Any, function: na.Activation, z: Jet) -> Jet:
    """The jet of σ∘z."""
    chain = series(k, function, z)
    return Jet(z.indices, [chain.function(function, n) for n in range(len(z.levels))])


def products(indices: Indices) -> int:
    """Number of multiplications of a product of two jets."""
    pairs = itertools.product(range(indices.order + 1), repeat=2)
    return sum(indices.table(i, j).count for i, j in pairs if i + j <= indices.order)
