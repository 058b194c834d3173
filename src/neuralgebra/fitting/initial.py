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

# Over what width σ goes from one end to the other, in that of tanh.
_WIDTHS = {"tanh": 1.0, "sigmoid": 2.0, "erf": 1.0, "arctan": 1.0, "softsign": 1.0}
_STEEPEST = 6.0  # in units of the spread of the inputs
_REACH = 1.0  # from the middle of the inputs to where units still stand, likewise
_DENSITY = 0.25  # of the steepness at which units that stand side by side just meet


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
    """Return θ at random, (P,): weights of variance gain²/n, biases that spread the units over the data.

    Sigmoids of the first layer that are many for the inputs, as those of one input always are, are made steeper, and
    have their places all over the inputs (D. Nguyen, B. Widrow, IJCNN 1990): a wavy function is then met much sooner.
    """
    parts, name = [], _name(layout.template)
    gain, steep = _GAINS.get(name, 1.0), _WIDTHS.get(name, 0.0)
    spread = 0.5
    for number, (key, array) in enumerate(zip(layout.trainable, layout.arrays, strict=True)):
        if key.endswith("bias"):
            parts.append(rng.uniform(-1, 1, array.shape) * spread)
            spread = 0.5
            continue
        fan = array.shape[-1] if array.ndim > 1 else 1
        weight = rng.normal(size=array.shape) * (gain / np.sqrt(fan))
        length = steep * min(_DENSITY * len(array) ** (1 / fan), _STEEPEST)
        if number == 0 and array.ndim == 2 and length > steep:
            weight *= length / np.maximum(np.linalg.norm(weight, axis=1, keepdims=True), 1e-12)
            spread = _REACH * length
        parts.append(weight)
    return np.asarray(layout.pack(parts))


def _name(network: Network) -> str:
    """Return the name of the first activation that is known here."""
    names = [str(getattr(node.layer, "only", None)) for node in network.nodes]
    return next((n for n in names if n in _GAINS or n in _WIDTHS), "")
