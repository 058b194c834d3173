"""A network number by number, exactly: what certificates are about, and what no library is needed to read.

The values of a network are numbered: the inputs first, then sums w₁ v₁ + … + b, products of two values, and functions
of one. Factors of 0 are left out. Numbers are hexadecimal, so nothing is rounded, or fractions p/q::

    {"inputs": 2, "outputs": [4],
     "values": [{"sum": ["0x1.0p-1", "0x1.8p+0"], "of": [0, 1], "bias": "0x0.0p+0"},
                {"function": "tanh", "order": 0, "parameters": {}, "of": [2]},
                {"product": 2, "of": [0, 3]}],
     "sha256": "…"}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.elementary import elementary
from neuralgebra.arithmetic.rationals import Rationals, nearest
from neuralgebra.network.forms import carried, identity
from neuralgebra.network.layers import Concatenate, Elementwise, Multiply, Select
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["difference", "scalars", "written"]

_K = Rationals()


def scalars(network: Network) -> dict[str, Any]:
    """Return a network value by value, as JSON has it.

    Parameters
    ----------
    network : Network
        Any network.

    Returns
    -------
    dict
        inputs, values, outputs, and the hash of these.

    Examples
    --------
    >>> f = Network.from_layers([([[0.5, 0.0]], [3.0])])
    >>> scalars(f)["values"]
    [{'sum': ['0x1.0000000000000p-1'], 'of': [0], 'bias': '0x1.8000000000000p+1'}]
    """
    simple = elementary(network)
    values: list[dict[str, Any]] = []
    places = [list(range(simple.input_size))]
    for node in simple.nodes:
        given = [places[i] for i in node.inputs]
        if isinstance(node.layer, Select | Concatenate):
            flat = [i for place in given for i in place]
            places.append(flat if isinstance(node.layer, Concatenate) else [flat[i] for i in node.layer.indices])
            continue
        start = simple.input_size + len(values)
        values.extend(_values(node.layer, given))
        places.append(list(range(start, simple.input_size + len(values))))
    content = {"inputs": simple.input_size, "values": values, "outputs": places[simple.output]}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return content | {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def _values(layer: Any, given: Sequence[list[int]]) -> Iterator[dict[str, Any]]:
    """Yield the outputs of a layer."""
    if isinstance(layer, Elementwise):
        for function, i in zip(functions_of(layer, len(given[0])), given[0], strict=True):
            parameters = {name: written(value) for name, value in function.constants(_K).items()}
            yield {"function": function.base.name, "order": function.row.order, "parameters": parameters, "of": [i]}
    elif isinstance(layer, Multiply):
        yield from ({"product": 2, "of": [i, j]} for i, j in zip(*given, strict=True))
    else:
        form = np.array(carried(layer, [identity(len(given[0]))]))
        for column in form.T:
            used = [i for i, w in enumerate(column[1:]) if w != 0]
            factors = [written(column[1 + i]) for i in used]
            yield {"sum": factors, "of": [given[0][i] for i in used], "bias": written(column[0])}


def written(value: Any) -> str:
    """Return a rational as text, exactly: hexadecimal where a double holds it, else p/q."""
    double = nearest(value)
    exact = np.isfinite(double) and flint.fmpq(*double.as_integer_ratio()) == value
    return double.hex() if exact else f"{value.p}/{value.q}"


def difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str | None:
    """Return in what two networks, value by value, differ first; None if they are the same bit for bit."""
    for name in ("inputs", "outputs"):
        if ours[name] != theirs[name]:
            return f"{name} {ours[name]} and {theirs[name]}"
    if len(ours["values"]) != len(theirs["values"]):
        return f"{len(ours['values'])} and {len(theirs['values'])} values"
    pairs = enumerate(zip(ours["values"], theirs["values"], strict=True), ours["inputs"])
    return next((f"value {i}: {_first(a, b)}" for i, (a, b) in pairs if a != b), None)


def _first(a: dict[str, Any], b: dict[str, Any]) -> str:
    """Return what differs first in two values."""
    if a.keys() != b.keys() or "sum" not in a or a["of"] != b["of"]:
        return f"{a} and {b}"
    pairs = zip([*a["sum"], a["bias"]], [*b["sum"], b["bias"]], [*a["of"], "bias"], strict=True)
    return next(f"factor of {i}: {u} and {v}" if i != "bias" else f"bias: {u} and {v}" for u, v, i in pairs if u != v)
