"""Networks before the fit: structure, and weights that keep the scale of 1 from layer to layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import UsageError, shown
from neuralgebra.functions.activation import Activation
from neuralgebra.network.network import Network

__all__ = ["network_of", "start"]

# Variance of σ'(z) for z of variance 1 is about 1/gain²: what keeps gradients from vanishing or growing.
_GAINS = {
    "relu": 2.0**0.5,
    "leaky_relu": 2.0**0.5,
    "sigmoid": 4.0,
    "softplus": 2.0,
    "gelu": 1.5,
    "silu": 1.6,
    "relu_squared": 1.0,
}


def network_of(sizes: Sequence[int], function: Any, names: tuple[tuple[str, ...], tuple[str, ...]]) -> Network:
    """Return a chain of affine layers with an activation between them, all weights 0.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers, outputs.
    function : Activation or str or sequence of them
        One for all hidden layers, or one for each.
    names : tuple of tuple of str
        Of inputs and of outputs.

    Returns
    -------
    Network
        The structure.
    """
    hidden = sizes[1:-1]
    if any(not isinstance(h, int | np.integer) or h < 1 for h in hidden):
        raise UsageError(f"hidden={shown(tuple(hidden))} received; sizes of at least 1, such as (20, 10), expected.")
    layers = [(np.zeros((m, n)), np.zeros(m)) for n, m in itertools.pairwise(map(int, sizes))]
    chosen = [function] * len(hidden) if isinstance(function, str | Activation) else list(function)
    if len(chosen) != len(hidden):
        raise UsageError(
            f"{len(chosen)} activations received for {len(hidden)} hidden layers; one, or one each, expected."
        )
    return Network.from_layers(layers, chosen, input_names=names[0], output_names=names[1])


def start(layout: Any, rng: np.random.Generator) -> np.ndarray:
    """Return θ at random, (P,): weights of variance gain²/n, biases that spread the units over the data."""
    parts = []
    function = _gain(layout.template)
    for name, array in zip(layout.trainable, layout.arrays, strict=True):
        if name.endswith("bias"):
            parts.append(rng.uniform(-1, 1, array.shape) * 0.5)
        else:
            fan = array.shape[-1] if array.ndim > 1 else 1
            parts.append(rng.normal(size=array.shape) * (function / np.sqrt(fan)))
    return np.asarray(layout.pack(parts))


def _gain(network: Network) -> float:
    names = [str(getattr(node.layer, "only", None)) for node in network.nodes]
    return next((_GAINS[n] for n in names if n in _GAINS), 1.0)
