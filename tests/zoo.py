"""A network for every kind of layer and for every activation."""

from __future__ import annotations

import numpy as np

import neuralgebra as na
from strategies import after


def layers_of_every_kind() -> dict[str, na.Network]:
    rng = np.random.default_rng(1)
    w = rng.normal(size=(4, 4))
    kinds = {
        "dense": na.Affine(w, rng.normal(size=4)),
        "diagonal": na.Affine(na.Diagonal(w[0])),
        "kronecker": na.Affine(na.Kronecker(w[:3, :2], 1, 2), rng.normal(size=6)),
        "repeated": na.Affine(na.Kronecker(w[:3, :2], 2, 1)),
        "block": na.Affine(na.BlockDiagonal((na.Dense(w[:1, :2]), na.Diagonal(w[0, :2])))),
        "convolution": na.Affine(na.Convolution(w[:2, :3], [[-1, 0, 1], [1, 2, 3]], 4)),
        "maximum": na.Maximum([[0, 1, 2], [2, 3, 3]]),
        "softmax": na.Softmax(),
        "groups": na.Softmax(2),
        "log softmax": na.Softmax(2, log=True),
        "select": na.Select([3, 0, 0]),
        "several": na.Elementwise((("tanh", 1), ("relu", 2), ("sin", 1))),
        "per unit": na.Elementwise(na.activation("prelu", slope=[0.1, 0.2, 0.3, 0.4])),
    }
    positive = {
        "power product": na.PowerProduct(w, rng.normal(size=4)),
        "mixing": na.Mixing("exp", w),
        "mixing sqrt": na.Mixing("sqrt", np.abs(w)),
    }
    inner = na.Network.from_layers([(w, None)])
    shifted = na.Network.function("exp", 4) @ inner
    matmul = na.Network.from_layer(na.Multiply((2, 1, 2, 1)), 4, 4) @ na.stack(inner, shifted)
    square = na.Network.from_layer(na.Multiply((1, 2, 2, 2)), 4, 4) @ na.stack(inner, shifted)
    return {
        **{k: after(inner, v) for k, v in kinds.items()},
        **{k: after(shifted, v) for k, v in positive.items()},
        "hadamard": inner * shifted,
        "contraction": matmul,
        "matrix product": square,
        "concatenate": na.stack(inner, shifted),
    }


NETWORKS = layers_of_every_kind()


def activation_networks() -> dict[str, na.Network]:
    """Every activation behind an affine layer whose values lie in every domain, off every kink."""
    inner = na.Network.from_layers([([[0.25, 0.125], [-0.125, 0.25]], [0.4, 0.45])])
    return {name: after(inner, na.Elementwise(name)) for name, row in na.activations().items() if not row.fingerprint}
