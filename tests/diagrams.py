"""Random diagrams that fit together: layers on wires of which is known whether their numbers are positive."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Layer
from neuralgebra.network.linear import identity

# Function -> whether its values are positive on any argument; and on a positive one.
EVERYWHERE = {
    "tanh": False,
    "softplus": True,
    "sigmoid": True,
    "exp": True,
    "asinh": False,
    "silu": False,
    "relu": False,
}
ON_POSITIVE = {"tanh": True, "softplus": True, "sigmoid": True, "log": False, "sqrt": True, "relu": True, "silu": True,
               "arctan": True, "reciprocal": True}  # fmt: skip
MIXING = {"exp": True, "sinh": False}


def after(f: na.Network, *layers: Layer) -> na.Network:
    """Return layers, one after the other, behind a network."""
    for layer in layers:
        f = na.Network.from_layer(layer, f.output_size) @ f
    return f


def points(domain: str, size: int, count: int = 5) -> np.ndarray:
    """Return points of a domain, "R" or "R>0"."""
    x = np.random.default_rng(size).normal(size=(count, size)) / 2
    return np.exp(x) if domain == "R>0" else x


@st.composite
def diagrams(draw: Any, longest: int = 6, positive: bool | None = None) -> tuple[na.Network, str]:
    """Return a network of additive, multiplicative and mixing layers, functions, wiring; and the domain of x."""
    starts_positive = draw(st.booleans()) if positive is None else positive
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.integers(1, 4))
    builder = Builder(size)
    place, known = 0, starts_positive
    for _ in range(draw(st.integers(1, longest))):
        kinds = ["affine", "function", "function", "select", "join", "maximum", "residual"]
        kinds += ["power", "power", "mixing", "average"] if known else []
        kinds += [] if known else ["softmax"]
        place, known = _grown(draw, rng, builder, place, known, draw(st.sampled_from(kinds)))
    f = na.Network(builder.nodes, place, size)
    return f, "R>0" if starts_positive else "R"


def _grown(draw: Any, rng: Any, builder: Builder, place: int, known: bool, kind: str) -> tuple[int, bool]:
    """Add a layer; return its place, and whether its values are positive."""
    size = builder.sizes[place]
    rows = draw(st.integers(1, 4))
    weight = np.round(rng.normal(size=(rows, size)), 2) / size
    bias = np.round(rng.normal(size=rows), 2) if draw(st.booleans()) else None
    match kind:
        case "affine":
            return builder.add(na.Affine(weight, bias), place), False
        case "average":
            return builder.add(na.Affine(np.abs(weight) + 0.1, None if bias is None else np.abs(bias)), place), True
        case "power":
            return builder.add(na.PowerProduct(weight, bias), place), True
        case "mixing":
            name = draw(st.sampled_from(sorted(MIXING)))
            return builder.add(na.Mixing(name, weight, bias), place), MIXING[name]
        case "function":
            table = ON_POSITIVE if known else EVERYWHERE
            name = draw(st.sampled_from(sorted(table)))
            return builder.add(na.Elementwise(name), place), table[name]
        case "softmax":
            return builder.add(na.Softmax(log=draw(st.booleans())), place), False
        case "select":
            return builder.add(na.Select(rng.integers(0, size, rows)), place), known
        case "maximum":
            return builder.add(na.Maximum(rng.integers(0, size, (rows, 2))), place), known
        case "residual":
            other = builder.add(na.Elementwise("softplus" if known else "tanh"), place)
            both = builder.add(na.Concatenate(), place, other)
            return builder.add(na.Affine(identity(size, 2)), both), known
    other = builder.add(na.Elementwise("softplus"), place)
    return builder.add(na.Concatenate(), place, other), known
