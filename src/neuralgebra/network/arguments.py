"""What a person passes in to make or index a network, checked and put into one form."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, ShapeError, UsageError, shown
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.activation import activation as named
from neuralgebra.network.layers import Affine, Elementwise, Layer, Mixing, PowerProduct, Softmax
from neuralgebra.network.linear import Dense, Linear, frozen

__all__ = ["chain", "positions", "shape"]


def chain(
    layers: Sequence[Any], activation: Any, output: Any, kind: str, weights: str, base: float | None = None
) -> list[Any]:
    """Return the layers of a chain: maps from pairs (A, b), with functions between them."""
    if weights not in ("out,in", "in,out"):
        raise InputError(f'weights={shown(weights)!r} received; "out,in" or "in,out" expected.')
    if kind not in ("additive", "multiplicative"):
        raise InputError(f'kind={shown(kind)!r} received; "additive" or "multiplicative" expected.')
    if base is not None and kind == "additive":
        raise UsageError(f"base={shown(base)} received with kind='additive'; with kind='multiplicative' expected.")
    make = Affine if kind == "additive" else PowerProduct if base is None else _of_base(base)
    maps = [make(*_pair(pair, i, weights)) for i, pair in enumerate(layers)]
    if not maps:
        raise InputError("no layers received; at least one pair (A, b) expected.")
    _check(maps, weights)
    functions = [*_hidden(activation, len(maps) - 1), output]
    return [layer for pair in zip(maps, map(_function, functions), strict=True) for layer in pair]


def _of_base(base: float) -> Callable[..., Mixing]:
    """Return what makes layers base^b ∏ x^W."""
    power = named("exp_base", base=base)
    return lambda weight, bias: Mixing(power, weight, bias)


def _pair(pair: Any, number: int, weights: str) -> tuple[Linear, Any]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise InputError(
            f"layer {number + 1}: {shown(type(pair).__name__)} received; a pair (A, b) expected, b may be None.\n"
            "Layers of other kinds become networks by na.Network.from_layer(layer, input_size), to be joined by @."
        )
    weight, bias = pair
    if isinstance(weight, Linear):
        if weights == "in,out":
            raise InputError(f'layer {number + 1}: a structured matrix is (out, in); weights="in,out" was received.')
        return weight, bias
    array = frozen(weight)
    return Dense(array if weights == "out,in" else array.T), bias


def _check(maps: Sequence[Any], weights: str) -> None:
    for number, (before, after) in enumerate(itertools.pairwise(maps), 2):
        if before.weight.rows != after.weight.columns:
            other = "in,out" if weights == "out,in" else "out,in"
            raise ShapeError(
                f"layer {number - 1} of shape {before.weight.shape} (out, in) gives {before.weight.rows} values, "
                f"layer {number} of shape {after.weight.shape} takes {after.weight.columns}.\n"
                f'If the weights are stored the other way round, pass weights="{other}".'
            )


def _hidden(activation: Any, count: int) -> list[Any]:
    if isinstance(activation, str | Activation):
        _function(activation)  # a name that is not known is refused, also where no hidden layer needs it
        return [activation] * count
    functions = list(activation)
    if len(functions) != count:
        raise ShapeError(f"{len(functions)} activations received; {count} expected, one for each hidden layer.")
    return functions


def _function(function: Any) -> Layer:
    if isinstance(function, Layer):
        return function
    return Softmax() if function == "softmax" else Elementwise(function)


def positions(key: Any, names: Sequence[str], what: str = "output") -> list[int]:
    """Return the positions that an index, a name, a slice or a list of them stands for."""
    if isinstance(key, slice):
        found = list(range(len(names)))[key]
    else:
        keys = key.tolist() if isinstance(key, np.ndarray) else key
        found = [_position(k, names, what) for k in (keys if isinstance(keys, list | tuple) else [keys])]
    if not found:
        raise InputError(f"an empty selection received; at least one {what} expected.")
    return found


def _position(key: Any, names: Sequence[str], what: str) -> int:
    if isinstance(key, str):
        if key in names:
            return names.index(key)
        raise InputError(f"{what} {shown(key)!r} received; the {what}s are {shown(', '.join(names))}.")
    try:
        if isinstance(key, bool | np.bool_):
            raise TypeError
        return int(range(len(names))[key])
    except (IndexError, TypeError):
        raise InputError(
            f"{what} {shown(key)} received; 0 to {len(names) - 1} or a name, or a list of these, expected."
        ) from None


def shape(given: Sequence[int] | None, size: int) -> tuple[int, ...] | None:
    """Return a remembered shape as a tuple of integers, checked against the number of coordinates."""
    if given is None:
        return None
    result = tuple(int(n) for n in given)
    if math.prod(result) != size:
        raise ShapeError(f"shape {result} received for {size} coordinates; their product must be {size}.")
    return result
