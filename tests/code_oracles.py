"""What programs in other languages are compared with: derivatives from full jets on balls, and their majorants."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

import neuralgebra as na
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.majorant import Majorant, Measured
from neuralgebra.calculus.derivatives import jets
from neuralgebra.code.bounds import roundings
from neuralgebra.code.program import Program, program
from strategies import after
from zoo import NETWORKS, activation_networks

BITS = 200
NAMES = ("y", "jac", "hess", "third")


@cache
def networks() -> dict[str, na.Network]:
    """Networks that every language must be able to write, small ones of many kinds."""
    rng = np.random.default_rng(5)

    def chain(*sizes: int, activation: str = "tanh", output: str = "identity") -> na.Network:
        layers = [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
        return na.Network.from_layers(layers, activation, output=output)

    f, g = chain(3, 4, 4, 2), chain(3, 5, 2, activation="sigmoid")
    residual = f + na.Network.from_layers([(rng.normal(size=(2, 3)), None)])
    return {
        "tanh": f,
        **{name: chain(3, 4, 2, activation=name) for name in ("gelu", "softplus", "mish", "sin", "erf", "silu")},
        "relu": chain(3, 6, 4, 2, activation="relu"),
        "softmax output": chain(3, 4, 3, output="softmax"),
        "product": f * g,
        "quotient": f / (g * g + 1),
        "residual": residual,
        "composition": chain(2, 3, 2) @ f,
        "derivative": chain(3, 4, 1).diff(),
        "maximum": after(chain(3, 4, 4), na.Maximum([[0, 1], [2, 3]])),
        "one unit": chain(1, 1, 1),
        "wide": chain(2, 17, 11, 1),
        "identity": na.Network.identity(2),
        "selected": chain(3, 7) @ na.Network.from_layer(na.Select([2, 0, 1]), 3),
        "square, permuted": chain(12, 12) @ na.Network.from_layer(na.Select([*range(5, 12), *range(5)][::-1]), 12),
        "linear": chain(3, 2),
    }


@cache
def all_networks() -> dict[str, na.Network]:
    """Those, one for every kind of layer, and one for every activation."""
    layers = {f"layer {name}": f for name, f in NETWORKS.items()}
    return {**networks(), **layers, **{f"activation {name}": f for name, f in activation_networks().items()}}


def points(f: na.Network, rows: int = 3) -> np.ndarray:
    """Points off the kinks, in float32."""
    rng = np.random.default_rng(7)
    return rng.uniform(-0.9, 0.9, size=(rows, f.input_size)).astype(np.float32).astype(np.float64)


def exact(f: na.Network, x: np.ndarray, order: int) -> list[np.ndarray]:
    """Derivatives of order 0, 1, … at all points as balls."""
    balls = Balls(BITS)
    with balls.precision():
        return jets(balls, f, balls.weight(x), order)


def majorants(f: na.Network, x: np.ndarray, order: int) -> list[np.ndarray]:
    """The majorants of derivatives of order 0, 1, …."""
    return [Measured.of(p).majorant for p in jets(Majorant(), f, Measured(x), order)]


@cache
def truth(name: str) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Points of a network, its derivatives to third order there as balls, and their majorants."""
    f = all_networks()[name]
    x = points(f)
    return x, exact(f, x, 3), majorants(f, x, 3)


def packed(array: np.ndarray) -> np.ndarray:
    """The entries i ≤ j ≤ … of an array (N, m, n, …, n), by loops."""
    n, order = array.shape[-1], array.ndim - 2
    if order < 2:
        return array
    keys = itertools.combinations_with_replacement(range(n), order)
    return np.stack([array[(slice(None), slice(None), *key)] for key in keys], axis=-1)


def units(got: np.ndarray, wanted: np.ndarray, majorant: np.ndarray, dtype: str = "float64") -> float:
    """The largest error, in units of u·M."""
    unit = float(np.finfo(dtype).eps) / 2
    flat = zip(np.ravel(got), np.ravel(wanted), np.ravel(np.broadcast_to(majorant, np.shape(wanted))), strict=True)
    errors = [(_error(float(g), w), unit * float(m)) for g, w, m in flat]
    return max(0.0 if error == 0 else error / (size or 1e-320) for error, size in errors)


def _error(got: float, wanted: object) -> float:
    return float(abs(wanted - got).upper()) if np.isfinite(got) else np.inf  # type: ignore[operator]


@cache
def counted(name: str, order: int) -> dict[str, int]:
    """How many units each result of a network's program may be off, by name of the result."""
    made: Program = program(all_networks()[name], order)
    found: dict[str, int] = {}
    for function in made.functions:
        for buffer, count in zip(function.outputs, roundings(function), strict=True):
            found[buffer.name] = max(count, found.get(buffer.name, 0))
    return found
