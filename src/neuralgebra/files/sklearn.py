"""Live scikit-learn estimators: multi-layer perceptrons, with the scalers around them; scikit-learn is not imported.

Everything affine is folded into the neighbouring layers, in float64. The one exception are features that lie far from
0 for their scale, such as a time in seconds since 1970: their offset, subtracted after the weights were applied, would
cancel most digits, and stays a layer of its own in front of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, UnsupportedError, UsageError, shown
from neuralgebra.network.builder import Builder
from neuralgebra.network.fold import fold
from neuralgebra.network.layers import Affine, Elementwise, Layer, Softmax
from neuralgebra.network.linear import Dense, Diagonal, frozen
from neuralgebra.network.network import Network

__all__ = ["from_sklearn"]

FAR = 2e3
"""Offset of a feature, in units of its scale, above which it is not folded in."""

FUNCTIONS: dict[str, Callable[[], Layer]] = {
    "exp": lambda: Elementwise("exp"),
    "identity": lambda: Elementwise("identity"),
    "logistic": lambda: Elementwise("sigmoid"),
    "relu": lambda: Elementwise("relu"),
    "softmax": Softmax,
    "tanh": lambda: Elementwise("tanh"),
}
"""Name of a function in scikit-learn -> layer."""


def from_sklearn(estimator: Any) -> Network:
    """Return a fitted scikit-learn estimator as a network.

    Parameters
    ----------
    estimator : sklearn estimator
        ``MLPRegressor`` or ``MLPClassifier``, a ``Pipeline`` of scalers before one, or a ``TransformedTargetRegressor``
        around one. Scalers are ``StandardScaler``, ``MinMaxScaler``, ``MaxAbsScaler`` and ``RobustScaler``.

    Returns
    -------
    Network
        For a regressor the function predict, for a classifier predict_proba. Features keep their names, if the
        estimator was fitted with names; the probability of a class c is called p_c. The weights keep the dtype that
        they were fitted in; where a float64 scaler is folded into them they are float64. Where a feature has an offset
        of more than 1000 times its scale, the scaler subtracts the offsets in a layer of its own.

    Raises
    ------
    UsageError
        For what is no estimator.
    InputError
        For an estimator that is not fitted.
    UnsupportedError
        For other estimators and steps; the message names them.

    Examples
    --------
    >>> from sklearn.neural_network import MLPRegressor  # doctest: +SKIP
    >>> from_sklearn(MLPRegressor(hidden_layer_sizes=(5,)).fit([[0.0], [1.0]], [0.0, 1.0]))  # doctest: +SKIP
    <Network 1 → 1: Affine 1→5 · relu · Affine 5→1; 16 parameters, float64>
    """
    layers, outputs = _read(estimator)
    parts = [list(part) for apart, part in itertools.groupby(layers, lambda layer: layer is None) if not apart]
    sizes = [layer.weight.columns for layer in layers if isinstance(layer, Affine)]
    size = sizes[0] if sizes else int(estimator.n_features_in_)
    folded = [node.layer for part in parts for node in fold(_chain(part, size)).nodes]
    network = _chain(folded, size, input_names=_features(estimator), output_names=outputs)
    network.memory["remarks"] = tuple(_remarks(estimator))
    return network


def _remarks(estimator: Any) -> Iterator[str]:
    """Yield what a formula says of the scalers around the network."""
    target = getattr(estimator, "transformer_", None)
    inner = getattr(estimator, "regressor_", estimator)
    names = [type(step).__name__ for _, step in getattr(inner, "steps", ()) if type(step).__name__.endswith("Scaler")]
    if names:
        yield f"{' and '.join(names)} of the inputs: part of the first layer; the inputs are raw values"
    if target is not None:
        yield f"{type(target).__name__} of the targets: part of the last layer; the outputs are raw values"


def _chain(layers: Sequence[Any], size: int, **names: Any) -> Network:
    builder, place = Builder(size), 0
    for layer in layers:
        place = builder.add(layer, place)
    return Network(builder.nodes, place, size, **names)


def _features(estimator: Any) -> list[str] | None:
    """Return the names of the features, where the estimator or a part of it keeps them."""
    parts = [step for _, step in getattr(estimator, "steps", ())] + [getattr(estimator, "regressor_", None)]
    for part in (estimator, *parts):
        names = getattr(part, "feature_names_in_", None)
        if names is not None:
            return [str(name) for name in names]
    return None


Layers = list[Layer | None]
"""Layers in order; what comes before None is not folded into what comes after."""

Read = tuple[Layers, "list[str] | None"]
"""Layers, and the names of the outputs, None for the default."""


def _read(estimator: Any) -> Read:
    kind = type(estimator)
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        name = shown(getattr(estimator, "__name__", kind.__name__))
        raise UsageError(f"{name} received; a fitted scikit-learn estimator expected.")
    if kind.__name__ not in READERS or not kind.__module__.startswith("sklearn."):
        raise UnsupportedError(
            f"{shown(kind.__name__)} of {shown(kind.__module__)} received; it is not covered.\n"
            f"Covered are {', '.join(sorted(READERS))}."
        )
    try:
        return READERS[kind.__name__](estimator)
    except AttributeError as error:
        if str(error.name).endswith("_"):  # what fit() sets
            raise InputError(f"{kind.__name__} that is not fitted received.\nCall its fit(X, y) first.") from None
        raise


# Perceptrons --------------------------------------------------------------------------------------------------------


def _perceptron(estimator: Any, pairs: Sequence[tuple[Any, Any]]) -> Layers:
    if estimator.activation not in FUNCTIONS:
        raise UnsupportedError(f"activation {shown(estimator.activation)!r} received; it is not covered.")
    functions = [estimator.activation] * (len(pairs) - 1) + [estimator.out_activation_]
    layers: Layers = []
    for (weight, bias), function in zip(pairs, functions, strict=True):
        layers += [Affine(Dense(frozen(weight).T), bias), FUNCTIONS[function]()]
    return layers


def _pairs(estimator: Any) -> list[tuple[Any, Any]]:
    return list(zip(estimator.coefs_, estimator.intercepts_, strict=True))


def _regressor(estimator: Any) -> Read:
    return _perceptron(estimator, _pairs(estimator)), None


def _classifier(estimator: Any) -> Read:
    """Return the probabilities; of two classes the first is sigmoid(-z), which is 1 - sigmoid(z)."""
    pairs, labels = _pairs(estimator), estimator.classes_
    if len(labels) < 2:
        raise UnsupportedError(
            f"MLPClassifier fitted to one class ({shown(labels[0])}) received; it says nothing about others.\n"
            "At least two classes expected."
        )
    if estimator.out_activation_ == "logistic" and estimator.n_outputs_ == 1:
        weight, bias = (np.asarray(part) for part in pairs[-1])
        pairs[-1] = (np.concatenate([-weight, weight], axis=1), np.concatenate([-bias, bias]))
    return _perceptron(estimator, pairs), [f"p_{label}" for label in labels]


# Scalers ------------------------------------------------------------------------------------------------------------


def _centred(estimator: Any, centre: Any, scale: Any) -> Read:
    """Return x ↦ (x - centre)/scale; None leaves a part out."""
    size = int(estimator.n_features_in_)
    factors = np.ones(size) if scale is None else 1 / np.asarray(scale, np.float64)
    shift = np.zeros(size) if centre is None else -np.asarray(centre, np.float64)
    if _is_far(shift * factors):
        return [Affine(Diagonal(np.ones(size)), shift), None, Affine(Diagonal(factors))], None
    return [Affine(Diagonal(factors), None if centre is None else shift * factors)], None


def _is_far(shift: np.ndarray) -> bool:
    return bool(np.abs(shift).max() > FAR)


def _standard(estimator: Any) -> Read:
    return _centred(estimator, estimator.mean_ if estimator.with_mean else None, estimator.scale_)


def _robust(estimator: Any) -> Read:
    return _centred(estimator, estimator.center_, estimator.scale_)


def _largest(estimator: Any) -> Read:
    if getattr(estimator, "clip", False):
        raise _clips(estimator)
    return _centred(estimator, None, estimator.scale_)


def _minimum_maximum(estimator: Any) -> Read:
    if estimator.clip:
        raise _clips(estimator)
    scale, shift = (np.asarray(part, np.float64) for part in (estimator.scale_, estimator.min_))
    return [Affine(Diagonal(scale), shift), *([None] if _is_far(shift) else [])], None


def _clips(estimator: Any) -> UnsupportedError:
    return UnsupportedError(f"{type(estimator).__name__}(clip=True) received; clip=False expected.")


def _function(estimator: Any) -> Read:
    if estimator.func is not None or estimator.inverse_func is not None:
        raise UnsupportedError(
            "FunctionTransformer with a function received; a program cannot be read.\n"
            "Fit without it, and compose the network with the function instead: f @ g."
        )
    return [], None


# Compositions -------------------------------------------------------------------------------------------------------


def _pipeline(estimator: Any) -> Read:
    layers: Layers = []
    names: list[str] | None = None
    for name, step in estimator.steps:
        if step is None or step == "passthrough":
            continue
        try:
            part, names = _read(step)
        except (UnsupportedError, InputError) as error:
            raise type(error)(f"step {shown(name)!r}: {error}") from None
        layers += part
    return layers, names


def _transformed_target(estimator: Any) -> Read:
    """Return the regressor, then the inverse of the scaling of its targets."""
    layers, names = _read(estimator.regressor_)
    (scaling, _) = _read(estimator.transformer_)
    return layers + [_inverse(layer) for layer in reversed(scaling) if layer is not None], names


def _inverse(layer: Layer) -> Affine:
    """Return the inverse of x ↦ D x + b."""
    if not isinstance(layer, Affine) or not isinstance(layer.weight, Diagonal):
        raise UnsupportedError(f"targets transformed by {layer} received; a scaler expected.")
    factors = 1 / layer.weight.entries
    return Affine(Diagonal(factors), None if layer.bias is None else -layer.bias * factors)


READERS: dict[str, Callable[[Any], Read]] = {
    "FunctionTransformer": _function,
    "MLPClassifier": _classifier,
    "MLPRegressor": _regressor,
    "MaxAbsScaler": _largest,
    "MinMaxScaler": _minimum_maximum,
    "Pipeline": _pipeline,
    "RobustScaler": _robust,
    "StandardScaler": _standard,
    "TransformedTargetRegressor": _transformed_target,
}
"""Class of an estimator -> its layers."""
