"""Where multiplicative and mixing layers are defined: x ↦ e^b ∏ x_j^{W_ij} takes x > 0.

Numbers outside are refused, with their place; nothing is replaced by its absolute value or moved away from 0. A network
that is asked for it, `f.extended()`, gives NaN below 0, and at 0 the limit of the value: 0^w is 0 for w > 0,
1 for w = 0, inf for w < 0. Under a transformation, where numbers are not known, every network does that. Inside a
network 0 is what a small number has been rounded to: it is taken for its limit, and only what is below is refused.

Some functions that layers mix by give numbers where they take values twice, or where their inverse is another one,
as x² does for negative x. There f(W f⁻¹(x) + b) is no mixing, and is refused too; `f.extended()` gives it as it stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, is_concrete, quiet, to_numpy
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets, inner
from neuralgebra.errors import InputError
from neuralgebra.network.layers import Concatenate, Mixing, PowerProduct, Select
from neuralgebra.network.network import Network

__all__ = ["demands", "extended", "refuse_outside", "refuse_undefined"]

_REMEDY = "Pass data of the domain, or ask f.extended(), which gives NaN there."
_AS_IT_STANDS = "Pass data of the domain, or ask f.extended(), which computes f(W f⁻¹(x) + b) as it stands."
_FOLDED = frozenset({"square", "power", "tan", "reciprocal"})  # which give numbers beyond where they are one to one


def extended(network: Network) -> Network:
    """Return the network that gives NaN where a multiplicative or mixing layer is not defined, in place of an error.

    At 0 the value of a multiplicative layer is its limit, 0^w = 0 for w > 0, 1 for w = 0 and inf for w < 0.

    Parameters
    ----------
    network : Network
        f.

    Returns
    -------
    Network
        The same network; those that are made of it check again.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[0.5, 0.0]], None)], kind="multiplicative")
    >>> f.extended()([[4, -1], [4, 0], [0, 1]])
    array([[nan],
           [ 2.],
           [ 0.]])
    """
    return network.altered(checked=False)


def refuse_outside(network: Any, k: Arrays, x: Value) -> None:
    """Raise InputError if a number of the data is where a layer that takes it is not defined."""
    if not network.checked or not is_concrete(x):
        return
    for columns, layer in network.memory.once("domain", "inputs", lambda: demands(network)):
        values = k.take(x, columns, -1)
        outside = _outside(k, layer, values)
        if bool(k.xp.any(outside)):
            place = tuple(int(i) for i in np.argwhere(to_numpy(outside))[0])
            row = f"row {int(np.ravel_multi_index(place[:-1], outside.shape[:-1])) + 1}, " if place[:-1] else ""
            name = network.input_names[columns[place[-1]]]
            raise InputError(
                f"{row}column {name} is {float(to_numpy(values)[place]):g}; {_wants(layer)}.\n{_remedy(layer)}"
            )


def demands(network: Any) -> list[tuple[np.ndarray, PowerProduct | Mixing]]:
    """Return the inputs that go into a multiplicative or mixing layer unchanged, with the layer."""
    sources: dict[int, np.ndarray] = {0: np.arange(network.input_size)}
    found = []
    for place, node in enumerate(network.nodes, 1):
        known = [sources.get(i) for i in node.inputs]
        if isinstance(node.layer, Select) and known[0] is not None:
            sources[place] = known[0][node.layer.indices]
        elif isinstance(node.layer, Concatenate) and all(s is not None for s in known):
            sources[place] = np.concatenate([s for s in known if s is not None])
        elif isinstance(node.layer, PowerProduct | Mixing) and known[0] is not None:
            found.append((known[0], node.layer))
    return found


def _outside(k: Arrays, layer: PowerProduct | Mixing, values: Value) -> Value:
    """Return which numbers a layer is not defined for; NaN is none of them."""
    if isinstance(layer, PowerProduct):
        return values <= 0
    with quiet():
        inverse = layer.inverse(k, values)
    return (~k.xp.isfinite(inverse) & k.xp.isfinite(values)) | _off(k, values, _taken(layer))


def _beyond(k: Arrays, layer: PowerProduct | Mixing, values: Value) -> Value:
    """Return which numbers are outside of the closure of the domain of a layer."""
    if isinstance(layer, PowerProduct):
        return values < 0
    return (k.xp.isnan(layer.inverse(k, values)) & k.xp.isfinite(values)) | _off(k, values, _taken(layer))


def _off(k: Arrays, values: Value, ends: tuple[float, float]) -> Value:
    """Return which numbers are off an interval by more than the rounding of its ends."""
    room = 4 * float(k.xp.finfo(values.dtype).eps)
    low, high = ends
    return (values < low - room * abs(low)) | (values > high + room * abs(high))


def _taken(layer: Mixing) -> tuple[float, float]:
    """Return the ends of the numbers that a layer takes: where f⁻¹ is stated, of the values of f."""
    return _both(layer.inverse.row.domain, layer.function.row.range)


def _summed(layer: Mixing) -> tuple[float, float]:
    """Return the ends of the sums that f maps one to one: where f is stated, of the values of f⁻¹."""
    return _both(layer.function.row.domain, layer.inverse.row.range)


def _both(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return max(one[0], other[0]), min(one[1], other[1])


def _folds(layer: Any) -> bool:
    """Return whether a layer gives numbers where it is not defined."""
    functions = (layer.function, layer.inverse) if isinstance(layer, Mixing) else ()
    return any(letter.name in _FOLDED for function in functions for letter in function.letters)


def _remedy(layer: PowerProduct | Mixing) -> str:
    return _AS_IT_STANDS if _folds(layer) else _REMEDY


def _wants(layer: PowerProduct | Mixing) -> str:
    if isinstance(layer, PowerProduct):
        return f"{layer} takes x > 0"
    low, high = _taken(layer)
    return f"{layer} by {layer.function} takes what {layer.inverse} is defined for, {low:g} to {high:g}"


def refuse_undefined(network: Any, k: Arrays, x: Value, results: list[Value]) -> None:
    """Raise InputError if an inner layer was given a number outside of its domain, and gave NaN, or a number."""
    if not network.checked or k.complex or not all(is_concrete(r) for r in results) or not is_concrete(x):
        return
    rows = [k.xp.any(k.xp.isnan(k.reshape(r, (-1, *r.shape[len(x.shape) - 1 :]))), axis=None) for r in results]
    folds = network.memory.once("domain", "folds", lambda: any(_folds(node.layer) for node in network.nodes))
    if not folds and not any(bool(row) for row in rows):
        return
    points = k.reshape(x, (-1, x.shape[-1]))
    with quiet():
        jets = Jets(k, network, Jet(IndexSet.full(1, 0), [points[None, ...]]))
        jets.run(0, keep=True)
        for place, node in enumerate(network.nodes, 1):
            if isinstance(node.layer, PowerProduct | Mixing):
                _refuse_inside(k, jets, place, node.layer)


def _refuse_inside(k: Arrays, jets: Jets, place: int, layer: PowerProduct | Mixing) -> None:
    argument = jets.inputs(place)[0]
    values, remedy = argument.value[0, ...], _remedy(layer)
    _refuse_first(_beyond(k, layer, values), values, f"goes into node {place}; {_wants(layer)}", remedy)
    if isinstance(layer, Mixing):
        function, _, _, sums = inner(k, layer, 0, argument)
        totals = sums.value[0, ...]
        wrong = k.xp.isnan(function(k, totals)) & k.xp.isfinite(totals)
        _refuse_first(wrong, totals, f"is a sum of node {place}; {function} is not defined for it", remedy)
        low, high = _summed(layer)
        what = f"is a sum of node {place}; {function} is one to one from {low:g} to {high:g}"
        _refuse_first(_off(k, totals, (low, high)), totals, what, remedy)


def _refuse_first(wrong: Value, values: Value, what: str, remedy: str) -> None:
    places = np.argwhere(to_numpy(wrong))
    if len(places):
        row, unit = (int(i) for i in places[0])
        raise InputError(f"row {row + 1}, unit {unit + 1}: {float(to_numpy(values)[row, unit]):g} {what}.\n{remedy}")
