"""Affine forms: every value of a network as an exact affine map of few variables, carried through its layers.

A form is an array of rationals of shape (1 + variables, coordinates): the constants in row 0, then the factors of each
variable. The first variables are the inputs; a layer that is not affine adds its outputs as further ones. Rows that
a form does not have are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.rationals import Rationals, nearest
from neuralgebra.errors import ResourceError
from neuralgebra.network.layers import Affine, Concatenate, Layer, Select
from neuralgebra.network.network import Network

__all__ = ["ZERO", "Form", "carried", "floats", "forms", "identity", "mapped", "padded"]

Form = Any
"""Rationals, (1 + variables, coordinates)."""

_K = Rationals()
ZERO = flint.fmpq(0)
_LIMIT = 5_000_000  # numbers of a form, some 100 bytes each


def identity(size: int, start: int = 1) -> Form:
    """Return the form of variables themselves, the first of them in row `start`."""
    form: Form = _K.zeros((start + size, size))
    form[start + np.arange(size), np.arange(size)] = flint.fmpq(1)
    return form


def padded(form: Form, rows: int) -> Form:
    """Return a form with zeros up to a number of rows."""
    return np.concatenate([form, _K.zeros((rows - len(form), form.shape[1]))])


def forms(
    network: Network,
    other: Callable[[int, Layer, list[Form]], Form],
    named: Callable[[Layer, Form], Form] = lambda _, form: form,
) -> list[Form]:
    """Return the forms at all places.

    Parameters
    ----------
    network : Network
        The network.
    other : callable
        (place, layer, forms of the arguments) -> form, for layers that are not affine.
    named : callable
        (layer, form) -> form, what becomes of a form behind an affine layer or wiring.

    Returns
    -------
    list of Form
        Starting with that of the input.

    Raises
    ------
    ResourceError
        When a form would not fit into memory.
    """
    found = [identity(network.input_size)]
    for place, node in enumerate(network.nodes, 1):
        arguments = [found[i] for i in node.inputs]
        _check_size(max(map(len, arguments)), network.sizes[place])
        form = carried(node.layer, arguments)
        found.append(other(place, node.layer, arguments) if form is None else named(node.layer, form))
    return found


def _check_size(rows: int, columns: int) -> None:
    if rows * columns > _LIMIT:
        raise ResourceError(
            f"{rows:,} times {columns:,} exact numbers would be needed; at most {_LIMIT:,} are covered.\n"
            "Ask about a smaller network, or a part of it."
        )


def carried(layer: Layer, arguments: Sequence[Form]) -> Form | None:
    """Return the form behind an affine layer or wiring, exactly; None for other layers."""
    match layer:
        case Affine():
            image = np.array(_K.linear(layer.weight, arguments[0]), dtype=object)
            if layer.bias is not None:
                image[0] = image[0] + _K.weight(layer.bias)
            return image
        case Select():
            return arguments[0][:, layer.indices]
        case Concatenate():
            rows = max(map(len, arguments))
            return np.concatenate([padded(a, rows) for a in arguments], axis=1)
    return None


def mapped(form: Form, slopes: Sequence[Any], offsets: Sequence[Any]) -> Form:
    """Return slope·form + offset, coordinate by coordinate."""
    result = form * np.array(slopes, dtype=object)
    result[0] = result[0] + np.array(offsets, dtype=object)
    return result


def floats(rationals: np.ndarray) -> np.ndarray:
    """Return the nearest doubles.

    Raises
    ------
    ResourceError
        When a number is beyond the largest double.
    """
    result = np.array([nearest(v) for v in rationals.flat]).reshape(rationals.shape)
    if np.isinf(result).any():
        raise ResourceError("a product of weights is beyond the largest number of float64, 1.8e308.")
    return result
