"""The networks and points at which `make_derivative_accuracy.py` measures: each activation, each kind of layer.

All weights and points are float32 numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

import neuralgebra as na
from neuralgebra.network.layers import Layer

Named = tuple[str, na.Network, np.ndarray]

UNITS = 4
VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("power", {"p": 0.5}),
    ("power", {"p": 3}),
    ("power", {"p": -1.5}),
    ("elu", {"alpha": 0.3}),
    ("celu", {"alpha": 2.5}),
    ("hardsigmoid", {"slope": 0.2}),
    ("softshrink", {"width": 1.25}),
)


def rounded(array: Any) -> np.ndarray:
    """Return an array of float32 numbers, as float64."""
    return np.asarray(array, dtype=np.float32).astype(np.float64)


def after(network: na.Network, *layers: Layer) -> na.Network:
    """Return layers applied to the outputs of a network."""
    for layer in layers:
        network = na.Network.from_layer(layer, network.output_size) @ network
    return network


def affine(rng: np.random.Generator, columns: int, rows: int = UNITS, scale: float = 1.0) -> na.Affine:
    """Return a dense affine layer."""
    return na.Affine(rounded(scale * rng.normal(size=(rows, columns))), rounded(scale * rng.normal(size=rows)))


def scattered(rng: np.random.Generator, count: int, scales: tuple[float, ...]) -> np.ndarray:
    """Return points in the plane, normally distributed, equally many of each scale."""
    each = -(-count // len(scales))
    return rounded(np.concatenate([s * rng.normal(size=(each, 2)) for s in scales]))[:count]


# Activations: V σ(W x + b), V one row for each unit and one for their weighted sum --------------------------------


def activations(count: int, seed: int = 0) -> Iterator[Named]:
    """Yield a network with each activation of the catalogue, some again with other parameters."""
    plain = [(name, {}) for name, row in na.activations().items() if not row.fingerprint]
    for name, parameters in (*plain, *VARIANTS):
        function, rng = na.activation(name, **parameters), np.random.default_rng(seed)
        first, points = within(rng, count, function.row.domain)
        last = na.Affine(np.vstack([np.eye(UNITS), rounded(rng.normal(size=UNITS))]))
        network = after(na.Network.from_layer(first, 2), na.Elementwise(function), last)
        yield str(function), network, points


def within(rng: np.random.Generator, count: int, domain: tuple[float, float]) -> tuple[na.Affine, np.ndarray]:
    """Return W x + b and points x at which all its values lie in a domain, some near its ends."""
    low, high = domain
    if math.isinf(low):
        return affine(rng, 2), scattered(rng, count, (0.1, 1.0, 10.0, 40.0))
    if math.isinf(high):
        positive = rounded(np.abs(rng.normal(size=(UNITS, 2))))
        return na.Affine(positive, np.zeros(UNITS)), rounded(10 ** rng.uniform(-2, 2, (count, 2)))
    weight = rng.normal(size=(UNITS, 2))
    weight *= (1 - 2.0**-10) * (high - low) / 2 / np.abs(weight).sum(axis=1, keepdims=True)
    points = rng.uniform(-1, 1, (count, 2))
    points[::2] = np.sign(points[::2]) * (1 - 10 ** rng.uniform(-6, 0, (len(points[::2]), 2)))
    return na.Affine(rounded(weight), rounded(np.full(UNITS, (low + high) / 2))), rounded(points)


# Layers: each kind behind a small network -------------------------------------------------------------------------


def layers(count: int, seed: int = 0) -> Iterator[Named]:
    """Yield a network with each kind of layer."""
    for name, network in {**matrices(seed), **products(seed), **others(seed)}.items():
        yield name, network, scattered(np.random.default_rng(seed), count, (0.1, 1.0, 4.0))


def inner(rng: np.random.Generator, name: str = "tanh", scale: float = 1.0) -> na.Network:
    """Return two inputs through a dense layer and an activation."""
    return after(na.Network.from_layer(affine(rng, 2, scale=scale), 2), na.Elementwise(name))


def matrices(seed: int) -> dict[str, na.Network]:
    """Return affine layers of every structure."""
    rng = np.random.default_rng(seed)
    w, b = rounded(rng.normal(size=(UNITS, UNITS))), rounded(rng.normal(size=UNITS))
    maps = {
        "dense": w,
        "diagonal": na.Diagonal(w[0]),
        "spread": na.Spread(w[:2]),
        "Kronecker": na.Kronecker(w[:2, :2], 1, 2),
        "block diagonal": na.BlockDiagonal((na.Dense(w[:1, :3]), na.Diagonal(w[0, :1]))),
        "convolution": na.Convolution(w[:2, :3], [[-1, 0, 1], [1, 2, 3]], UNITS),
        "batched": na.Batched(na.Dense(w[:3, :2]), 2),
        "product": na.Product((na.Dense(w), na.Diagonal(w[0]), na.Dense(w.T))),
        "transposed": na.Transposed(na.Convolution(w[:2, :2], [[-1, 0], [1, 2]], 3)),
    }
    biases = dict.fromkeys(("dense", "diagonal", "Kronecker"), b)
    start = inner(rng)
    return {f"affine, {name}": after(start, na.Affine(m, biases.get(name))) for name, m in maps.items()}


def products(seed: int) -> dict[str, na.Network]:
    """Return layers that multiply."""
    rng = np.random.default_rng(seed)
    start, other, positive = inner(rng), inner(rng, "sin"), inner(rng, "exp", 0.5)
    w, b = rounded(rng.normal(size=(UNITS, UNITS))), rounded(rng.normal(size=UNITS))
    return {
        "multiply, entry by entry": start * other,
        "multiply, matrices": na.Network.from_layer(na.Multiply((1, 2, 2, 2)), UNITS, UNITS) @ na.stack(start, other),
        "power product": after(positive, na.PowerProduct(w, b)),
        "mixing, exp": after(positive, na.Mixing("exp", w)),
        "mixing, sqrt": after(positive, na.Mixing("sqrt", np.abs(w), np.abs(b))),
        "layer norm": normalised(after(start, affine(rng, UNITS))),
    }


def normalised(z: na.Network) -> na.Network:
    """Return (z - mean) / sqrt(variance + 1/1024)."""
    centred = after(z, na.Affine(np.eye(UNITS) - 1 / UNITS))
    root = na.Elementwise(na.activation("power", p=-0.5))
    mean = na.Affine(np.full((UNITS, UNITS), 1 / UNITS), np.full(UNITS, 2.0**-10))
    return centred * after(centred, na.Elementwise("square"), mean, root)


def others(seed: int) -> dict[str, na.Network]:
    """Return layers that compare, choose, join, and what is deep."""
    rng = np.random.default_rng(seed)
    start, other = inner(rng), inner(rng, "sin")
    logits = na.Network.from_layer(affine(rng, 2, scale=4.0), 2)
    blocks = na.Elementwise((("tanh", 1), ("sin", 2), ("softplus", 1)))
    units = na.Elementwise(na.activation("elu", alpha=[0.25, 0.5, 1.5, 2.0]))
    deep = [na.Elementwise("tanh"), affine(rng, UNITS)] * 4
    return {
        "maximum": after(start, na.Maximum([[0, 1, 2], [2, 3, 3]])),
        "softmax": after(logits, na.Softmax()),
        "softmax, groups": after(logits, na.Softmax(2)),
        "log-softmax": after(logits, na.Softmax(log=True)),
        "select": after(start, na.Select([3, 0, 0])),
        "concatenate": na.stack(start, other),
        "residual": start + after(start, affine(rng, UNITS), na.Elementwise("tanh")),
        "elementwise, blocks": after(start, affine(rng, UNITS), blocks),
        "elementwise, per unit": after(start, affine(rng, UNITS), units),
        "five dense layers, tanh": after(na.Network.from_layer(affine(rng, 2), 2), *deep),
    }
