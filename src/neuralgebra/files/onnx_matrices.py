"""Structured matrices in an ONNX graph, each applied along the last axis.

A table says how each kind is written, another how its transpose is, where `transpose` gives no simpler form.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neuralgebra.files.onnx_graph import Graph
from neuralgebra.network.composed import Batched, BlockDiagonal, Product, Transposed, transpose
from neuralgebra.network.convolution import Convolution
from neuralgebra.network.linear import Dense, Diagonal, Kronecker, Linear, Spread

__all__ = ["linear", "split"]

Lead = tuple[int, ...]
"""Sizes of the axes between the samples and the last axis."""


def linear(graph: Graph, weight: Linear, x: str, lead: Lead = ()) -> str:
    """Write the image of a value, (N, *lead, columns) -> (N, *lead, rows).

    Parameters
    ----------
    graph : Graph
        The graph.
    weight : Linear
        The map.
    x : str
        Name of the value.
    lead : tuple of int
        Sizes of the axes between the samples and the last axis.

    Returns
    -------
    str
        Name of the image.
    """
    return _WRITERS[type(weight)](graph, weight, x, lead)


def split(graph: Graph, x: str, sizes: Sequence[int]) -> list[str]:
    """Write the parts of a value along the last axis.

    Parameters
    ----------
    graph : Graph
        The graph.
    x : str
        Name of the value.
    sizes : sequence of int
        Their sizes.

    Returns
    -------
    list of str
        Their names.
    """
    return graph.split_node("Split", len(sizes), x, graph.constant(np.array(sizes)), axis=-1)


def _dense(graph: Graph, weight: Dense, x: str, lead: Lead) -> str:
    return _rows(graph, x, graph.constant(weight.weight), (*lead, *weight.shape), transposed=True)


def _dense_back(graph: Graph, weight: Dense, y: str, lead: Lead) -> str:
    return _rows(graph, y, graph.constant(weight.weight), (*lead, *weight.shape[::-1]), transposed=False)


def _rows(graph: Graph, x: str, matrix: str, sizes: Lead, transposed: bool) -> str:
    """Write a product with a matrix, (N, *lead, columns) -> (N, *lead, rows), sizes = (*lead, rows, columns).

    onnxruntime fuses a MatMul with a scaling beside it and rounds the factor to float32; never a Gemm or a Reshape.
    """
    *lead, rows, columns = sizes
    if not lead:
        return graph.node("Gemm", x, matrix, transB=1) if transposed else graph.node("Gemm", x, matrix)
    matrix = graph.node("Transpose", matrix, perm=[1, 0]) if transposed else matrix
    return graph.reshaped(graph.node("MatMul", graph.reshaped(x, *lead, columns), matrix), *lead, rows)


def _diagonal(graph: Graph, weight: Diagonal, x: str, lead: Lead) -> str:
    return graph.node("Mul", x, graph.constant(weight.entries))


def _spread(graph: Graph, weight: Spread, x: str, lead: Lead) -> str:
    rows = graph.node("Mul", graph.reshaped(x, *lead, 1, weight.columns), graph.constant(weight.weight))
    return graph.reshaped(rows, *lead, weight.rows)


def _spread_back(graph: Graph, weight: Spread, y: str, lead: Lead) -> str:
    rows = graph.node("Mul", graph.reshaped(y, *lead, *weight.weight.shape), graph.constant(weight.weight))
    return _total(graph, rows, lead)


def _total(graph: Graph, x: str, lead: Lead) -> str:
    """Write the sum along the last axis but one."""
    return graph.node("ReduceSum", x, graph.constant(np.array([len(lead) + 1])), keepdims=0)


def _kronecker(graph: Graph, weight: Kronecker, x: str, lead: Lead) -> str:
    name = graph.constant(weight.weight)
    if weight.weight.size == 1:
        return graph.node("Mul", x, name)
    blocks = graph.reshaped(x, *lead, weight.before, weight.weight.shape[1], weight.after)
    return graph.reshaped(graph.node("MatMul", name, blocks), *lead, weight.rows)


def _kronecker_back(graph: Graph, weight: Kronecker, y: str, lead: Lead) -> str:
    turned = graph.node("Transpose", graph.constant(weight.weight), perm=[1, 0])
    blocks = graph.reshaped(y, *lead, weight.before, weight.weight.shape[0], weight.after)
    return graph.reshaped(graph.node("MatMul", turned, blocks), *lead, weight.columns)


def _convolution(graph: Graph, weight: Convolution, x: str, lead: Lead) -> str:
    """Take the patches, from the coordinates and a 0 for the padding, and multiply them by the kernel."""
    if (weight.patches < 0).any():
        x = _padded(graph, x, lead)
    taken = graph.node("Gather", x, graph.constant(weight.patches), axis=-1)
    n = len(lead) + 1
    taken = graph.node("Transpose", taken, perm=[*range(n), n + 1, n])
    return graph.reshaped(graph.node("MatMul", graph.constant(weight.kernel), taken), *lead, weight.rows)


def _padded(graph: Graph, x: str, lead: Lead) -> str:
    """Write a value with a 0 after its coordinates, where the index -1 finds it."""
    axes = len(lead) + 2
    return graph.node("Pad", x, graph.constant(np.eye(1, 2 * axes, 2 * axes - 1, dtype=np.int64)[0]))


def _convolution_back(graph: Graph, weight: Convolution, y: str, lead: Lead) -> str:
    """Multiply by the transposed kernel, and add what stands in the patches to the coordinates they were taken from."""
    turned = graph.node("Transpose", graph.constant(weight.kernel), perm=[1, 0])
    channels = graph.reshaped(y, *lead, len(weight.kernel), len(weight.patches))
    x = graph.reshaped(graph.node("MatMul", turned, channels), *lead, weight.patches.size)
    for table, padded in weight.scatter.tables:
        x = _padded(graph, x, lead) if padded else x
        x = _total(graph, graph.node("Gather", x, graph.constant(table), axis=-1), lead)
    return x


def _blocks(graph: Graph, weight: BlockDiagonal, x: str, lead: Lead) -> str:
    parts = split(graph, x, [block.columns for block in weight.blocks])
    values = [linear(graph, block, part, lead) for block, part in zip(weight.blocks, parts, strict=True)]
    return graph.node("Concat", *values, axis=-1)


def _batched(graph: Graph, weight: Batched, x: str, lead: Lead) -> str:
    inner = (*lead, weight.copies)
    images = linear(graph, weight.inner, graph.reshaped(x, *inner, weight.inner.columns), inner)
    return graph.reshaped(images, *lead, weight.rows)


def _product(graph: Graph, weight: Product, x: str, lead: Lead) -> str:
    return functools.reduce(lambda z, factor: linear(graph, factor, z, lead), reversed(weight.factors), x)


def _transposed(graph: Graph, weight: Transposed, x: str, lead: Lead) -> str:
    simple = transpose(weight.inner)
    if isinstance(simple, Transposed):
        return _BACK[type(simple.inner)](graph, simple.inner, x, lead)
    return linear(graph, simple, x, lead)


_Table = Mapping[type[Linear], Callable[[Graph, Any, str, Lead], str]]

_WRITERS: _Table = {
    Batched: _batched,
    BlockDiagonal: _blocks,
    Convolution: _convolution,
    Dense: _dense,
    Diagonal: _diagonal,
    Kronecker: _kronecker,
    Product: _product,
    Spread: _spread,
    Transposed: _transposed,
}

_BACK: _Table = {
    Convolution: _convolution_back,
    Dense: _dense_back,
    Kronecker: _kronecker_back,
    Spread: _spread_back,
}
