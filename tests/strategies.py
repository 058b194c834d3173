"""Hypothesis strategies: random well-typed networks, layer by layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.network.layers import Layer
from neuralgebra.network.linear import Linear

SMOOTH = ("tanh", "sigmoid", "softplus", "silu", "gelu", "sin", "arctan", "gaussian", "asinh", "square")
KINKED = ("relu", "leaky_relu", "elu", "hardtanh", "softsign", "abs")
POSITIVE = ("exp", "softplus", "sigmoid")


def arrays(shape: tuple[int, ...], scale: float = 1.0) -> st.SearchStrategy[np.ndarray]:
    """Arrays of short decimals in [-scale, scale]: they shrink to readable numbers."""
    size = int(np.prod(shape))
    entry = st.integers(-100, 100).map(lambda v: v / 100 * scale)
    return st.lists(entry, min_size=size, max_size=size).map(lambda v: np.array(v).reshape(shape))


SIMPLE = ("dense", "diagonal", "kronecker", "spread", "convolution")
COMPOSED = ("block", "batched", "product", "transposed")


@st.composite
def linear_maps(draw: Callable, columns: int, depth: int = 1) -> Linear:
    """Structured matrices of every kind that take a number of coordinates."""
    kind = draw(st.sampled_from(SIMPLE + COMPOSED if depth else SIMPLE))
    if kind == "diagonal":
        return na.Diagonal(draw(arrays((columns,))))
    if kind == "kronecker":
        inner = draw(divisors(columns))
        after = draw(divisors(columns // inner))
        weight = draw(arrays((draw(st.integers(1, 3)), inner)))
        return na.Kronecker(weight, columns // inner // after, after)
    if kind == "spread":
        return na.Spread(draw(arrays((draw(st.integers(1, 2)), columns))))
    if kind == "convolution":
        patches = draw(st.lists(st.lists(st.integers(-1, columns - 1), min_size=2, max_size=2), min_size=1, max_size=3))
        return na.Convolution(draw(arrays((2, 2))), np.array(patches), columns)
    if kind == "block" and columns > 1:
        cut = draw(st.integers(1, columns - 1))
        return na.BlockDiagonal(tuple(draw(linear_maps(n, depth - 1)) for n in (cut, columns - cut)))
    if kind == "batched":
        copies = draw(divisors(columns))
        return na.Batched(draw(linear_maps(columns // copies, depth - 1)), copies)
    if kind == "product":
        before = draw(linear_maps(columns, depth - 1))
        return na.Product((na.Dense(draw(arrays((2, before.rows)))), before))
    if kind == "transposed":
        return na.Transposed(draw(maps_onto(columns, depth - 1)))
    return na.Dense(draw(arrays((draw(st.integers(1, 3)), columns))))


@st.composite
def maps_onto(draw: Callable, rows: int, depth: int = 1) -> Linear:
    """Structured matrices of every kind that give a number of coordinates."""
    kind = draw(st.sampled_from(SIMPLE + COMPOSED if depth else SIMPLE))
    if kind == "diagonal":
        return na.Diagonal(draw(arrays((rows,))))
    if kind == "kronecker":
        out = draw(divisors(rows))
        after = draw(divisors(rows // out))
        return na.Kronecker(draw(arrays((out, draw(st.integers(1, 2))))), rows // out // after, after)
    if kind == "spread":
        copies = draw(divisors(rows))
        return na.Spread(draw(arrays((copies, rows // copies))))
    if kind == "convolution":
        positions = draw(divisors(rows))
        patch = st.lists(st.integers(-1, 2), min_size=2, max_size=2)
        patches = draw(st.lists(patch, min_size=positions, max_size=positions))
        return na.Convolution(draw(arrays((rows // positions, 2))), np.array(patches), 3)
    if kind == "block" and rows > 1:
        cut = draw(st.integers(1, rows - 1))
        return na.BlockDiagonal(tuple(draw(maps_onto(n, depth - 1)) for n in (cut, rows - cut)))
    if kind == "batched":
        copies = draw(divisors(rows))
        return na.Batched(draw(maps_onto(rows // copies, depth - 1)), copies)
    if kind == "product":
        after = draw(maps_onto(rows, depth - 1))
        return na.Product((after, na.Dense(draw(arrays((after.columns, 2))))))
    if kind == "transposed":
        return na.Transposed(draw(linear_maps(rows, depth - 1)))
    return na.Dense(draw(arrays((rows, draw(st.integers(1, 3))))))


def divisors(n: int) -> st.SearchStrategy[int]:
    """Divisors of a number."""
    return st.sampled_from([d for d in range(1, n + 1) if n % d == 0])


@st.composite
def affines(draw: Callable, columns: int) -> na.Affine:
    """Affine layers of every structure, with and without bias."""
    weight = draw(linear_maps(columns))
    return na.Affine(weight, draw(st.none() | arrays((weight.rows,))))


@st.composite
def elementwises(draw: Callable, size: int, names: tuple[str, ...] = SMOOTH + KINKED) -> na.Elementwise:
    """One activation, or two on blocks of coordinates."""
    if size > 1 and draw(st.booleans()):
        cut = draw(st.integers(1, size - 1))
        return na.Elementwise(tuple((draw(st.sampled_from(names)), n) for n in (cut, size - cut)))
    return na.Elementwise(draw(st.sampled_from(names)))


@st.composite
def networks(draw: Callable, inputs: int | None = None, outputs: int | None = None, depth: int = 2) -> na.Network:
    """Networks that branch, with every kind of layer; positive where a multiplicative layer needs it."""
    size = inputs or draw(st.integers(1, 3))
    f = na.Network.identity(size)
    for _ in range(draw(st.integers(1, depth))):
        f = draw(grown(f))
    if outputs is not None:
        f = na.Network.from_layers([(draw(arrays((outputs, f.output_size))), None)]) @ f
    return f


@st.composite
def grown(draw: Callable, f: na.Network) -> na.Network:
    """A network with one more layer of a random kind."""
    kind = draw(st.sampled_from(["affine", "elementwise", "multiply", "maximum", "softmax", "power", "mixing", "wire"]))
    size = f.output_size
    if kind == "affine":
        return after(f, draw(affines(size)))
    if kind == "elementwise":
        return after(f, draw(elementwises(size)))
    if kind == "multiply":
        return f * after(f, draw(elementwises(size)))
    if kind == "maximum":
        groups = draw(st.lists(st.lists(st.integers(0, size - 1), min_size=3, max_size=3), min_size=1, max_size=2))
        return after(f, na.Maximum(groups))
    if kind == "softmax":
        return after(f, na.Softmax(log=draw(st.booleans())))
    if kind in ("power", "mixing"):
        positive = after(f, na.Elementwise("softplus")) + 0.5
        weight, bias = draw(arrays((2, size))), draw(st.none() | arrays((2,)))
        layer = na.PowerProduct(weight, bias) if kind == "power" else na.Mixing("exp", weight, bias)
        return after(positive, layer)
    chosen = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=3))
    return na.stack(after(f, na.Select(chosen)), f)


def after(f: na.Network, layer: Layer) -> na.Network:
    """The layer applied to the outputs of f."""
    return na.Network.from_layer(layer, f.output_size) @ f


def points(size: int, rows: int = 2) -> st.SearchStrategy[np.ndarray]:
    """Points off the kinks of short decimals: distinct odd multiples of 1/2048."""
    entry = st.integers(-3000, 3000).map(lambda v: (2 * v + 1) / 2048)
    several = st.lists(entry, min_size=rows * size, max_size=rows * size, unique=True)
    return several.map(lambda v: np.array(v).reshape(rows, size))
