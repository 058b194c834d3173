"""The ways to Σ a_ij ∂ᵢ∂ⱼ, for one matrix or one for each point, and to Δ².

With A = Σ s_k v_k v_kᵀ, s_k = ±1, the operator is Σ s_k ∂_{v_k}². Behind the first layer z = W x + b it is that of
W A Wᵀ, which needs no more directions than there are units, whatever the number of inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.forms import Contraction, Trace
from neuralgebra.calculus.indices import Collapsed, IndexSet, Indices, MultiIndex
from neuralgebra.calculus.jet import filled, total
from neuralgebra.calculus.origin import first_layer, start
from neuralgebra.calculus.strategies import blocks, levels_of, picked, summed
from neuralgebra.network.network import Network

__all__ = ["biharmonic", "biharmonic_by_jets", "by_operator", "contracted", "trace_by_jets", "trace_by_sum"]

_COLUMNS = 1 << 14
_BALANCING = 40  # each halves the exponents that are left

Matrix = np.ndarray | None
"""Symmetric, (n, n); None stands for the identity."""


def _directions(network: Network, reduced: bool, matrix: Matrix) -> tuple[Matrix, np.ndarray]:
    """Return directions as rows, None for all unit vectors, and their signs."""
    if matrix is None and not reduced:
        return None, np.ones(network.input_size)
    return _factor(network, reduced, matrix)


def _directed(k: Any, network: Network, reduced: bool, rows: Matrix) -> tuple[int, Value]:
    """Return a place, and directions at it, (K, 1, n): in the input, or those of the first layer."""
    return (1, k.weight(rows)[:, None, :]) if reduced else start(k, network, rows)


def _factor(network: Network, reduced: bool, matrix: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return rows v_k and signs s_k with Σ s_k v_k v_kᵀ = A, or W A Wᵀ; remembered by the network."""

    def factored() -> tuple[np.ndarray, np.ndarray]:
        scales, product = _gram(network, matrix) if reduced else (1.0, np.asarray(matrix, dtype=np.float64))
        rows, signs = _rows(product)
        return rows * scales, signs

    key = (reduced, None if matrix is None else matrix.tobytes())
    return network.memory.once("factors", key, factored)  # type: ignore[no-any-return]


def _rows(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows v_k and signs s_k with Σ s_k v_k v_kᵀ = A.

    The eigenvectors are those of D⁻¹ A D⁻¹, with D such that the largest entry of each row is 1: a coordinate whose
    entries are all small may be the only one that an output depends on.
    """
    scales = np.ones(len(matrix))
    for _ in range(_BALANCING):
        largest = np.abs(matrix / scales / scales[:, None]).max(axis=1)
        scales = scales * np.sqrt(np.where(largest > 0, largest, 1.0))
    values, vectors = np.linalg.eigh(matrix / scales / scales[:, None])
    kept = np.abs(values) > len(values) * np.finfo(np.float64).eps * np.abs(values).max(initial=0.0)
    kept[np.argmax(np.abs(values))] = True
    rows = vectors.T[kept] * np.sqrt(np.abs(values[kept]))[:, None] * scales
    return rows, np.where(values[kept] < 0, -1.0, 1.0)


def _gram(network: Network, matrix: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return scales d and M with W A Wᵀ = diag(d) M diag(d): the rows of W/d are of size 1, so that nothing overflows.

    Without A, W is copied some columns at a time.
    """
    layer: Any = first_layer(network)
    weight = layer.weight.dense()
    scales = np.abs(weight).max(axis=1).astype(np.float64)
    scales[scales == 0] = 1.0
    if matrix is not None:
        scaled = weight / scales[:, None]
        return scales, scaled @ matrix @ scaled.T
    parts = np.split(weight, range(_COLUMNS, weight.shape[1], _COLUMNS), axis=1)
    product = np.zeros((len(weight), len(weight)))
    for part in (part / scales[:, None] for part in parts):
        product += part @ part.T
    return scales, product


def trace_by_sum(reduced: bool, k: Any, network: Network, x: Value, matrix: Matrix = None) -> list[Value]:
    """Return Σ a_ij ∂ᵢ∂ⱼ f, (N, m), by the sum over layers."""
    rows, signs = _directions(network, reduced, matrix)
    traces = []
    for cut in blocks(k, network, len(signs), reduced):
        place, level = _directed(k, network, reduced, picked(network, rows, cut))
        traces.append(summed(k, network, x, place, level, Trace(k, level.shape[0], signs[cut]))[2])
    trace = total(traces)
    return [k.permute(filled(k, trace, network.output_size, 1), (1, 0))]


def contracted(k: Any, network: Network, x: Value, matrix: Value) -> list[Value]:
    """Return Σ a_ij ∂ᵢ∂ⱼ f, (N, m), by the sum over layers, for one matrix a for each point, (N, n, n)."""
    place, level = start(k, network)
    _, _, trace = summed(k, network, x, place, level, Contraction(k, level.shape[0], matrix))
    return [k.permute(filled(k, trace, network.output_size, 1), (1, 0))]


def trace_by_jets(reduced: bool, k: Any, network: Network, x: Value, matrix: Matrix = None) -> list[Value]:
    """Return Σ a_ij ∂ᵢ∂ⱼ f, (N, m), by collapsed jets."""
    rows, signs = _directions(network, reduced, matrix)
    place, level = _directed(k, network, reduced, rows)
    key = ("trace", signs.tobytes())
    operator: dict[MultiIndex, float] = {(i, i): float(s) for i, s in enumerate(signs)}
    return _top(k, network, x, _collapsed(network, key, operator), level, place)


def biharmonic(reduced: bool, k: Any, network: Network, x: Value) -> list[Value]:
    """Return Δ²f, (N, m), by collapsed jets."""
    rows, signs = _directions(network, reduced, None)
    place, level = _directed(k, network, reduced, rows)
    count = len(signs)
    operator: dict[MultiIndex, float] = {(i, i, j, j): 1.0 + (i < j) for i in range(count) for j in range(i, count)}
    return _top(k, network, x, _collapsed(network, ("biharmonic", count), operator), level, place)


def by_operator(k: Any, network: Network, x: Value, operator: Mapping[MultiIndex, float]) -> list[Value]:
    """Return Σ p_α ∂^α f, (N, m), by collapsed jets, all α of one order."""
    if not any(operator.values()):
        return [k.zeros((1, network.output_size))]
    indices = _collapsed(network, ("operator", tuple(sorted(operator.items()))), operator)
    place, level = start(k, network, indices.seeds(network.input_size))
    return _top(k, network, x, indices, level, place)


def _collapsed(network: Network, key: Any, operator: Mapping[MultiIndex, float]) -> Indices:
    return network.memory.once("collapsed", key, lambda: Collapsed(operator))  # type: ignore[no-any-return]


def _top(k: Any, network: Network, x: Value, indices: Indices, level: Value, place: int) -> list[Value]:
    top = levels_of(k, network, x, indices, level, place).levels[indices.order]
    return [filled(k, top, 1, 1, network.output_size)[0, ...]]


def biharmonic_by_jets(k: Any, network: Network, x: Value) -> list[Value]:
    """Return Δ²f, (N, m), by the Taylor coefficients of all ∂ᵢ²∂ⱼ²."""
    n = network.input_size
    indices = IndexSet.below([(i, i, j, j) for i in range(n) for j in range(i, n)])
    place, level = start(k, network)
    top = levels_of(k, network, x, indices, level, place).levels[4]
    if top is None:
        return [k.zeros((1, network.output_size))]
    twice = np.array([1.0 + (a[0] != a[-1]) for a in indices.levels[4]])
    return [k.total(top * k.weight((indices.factorials[4] * twice).reshape(-1, 1, 1)), 0)]
