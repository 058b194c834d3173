"""What a network is, for a terminal and as data."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from neuralgebra.errors import shown
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Elementwise, Layer
from neuralgebra.network.linear import Linear
from neuralgebra.network.network import Network

__all__ = ["summary", "summary_text"]


def summary(network: Network) -> dict[str, Any]:
    """Return inputs, outputs, layers and parameters as plain data, fit for JSON.

    Parameters
    ----------
    network : Network
        f.

    Returns
    -------
    dict
        With keys inputs, outputs, input_shape, output_shape, dtype, parameters, layers. A layer has place, layer (a
        text to read), kind, arguments, size, parameters, and what defines it: a matrix or an array of indices by its
        shape, a bias by whether there is one, functions by name and parameters.
    """
    return {
        "inputs": list(network.input_names),
        "outputs": list(network.output_names),
        "input_shape": network.input_shape,
        "output_shape": network.output_shape,
        "dtype": str(network.dtype),
        "parameters": network.parameter_count,
        "layers": [
            {
                "place": place,
                "layer": str(node.layer),
                "kind": type(node.layer).__name__,
                "arguments": list(node.inputs),
                "size": network.sizes[place],
                "parameters": sum(a.size for a in node.layer.arrays),
                **_definition(node.layer),
            }
            for place, node in enumerate(network.nodes, 1)
        ],
    }


def summary_text(network: Network) -> str:
    """Return the summary as text, names escaped.

    Parameters
    ----------
    network : Network
        f.

    Returns
    -------
    str
        One line for each layer.
    """
    counts = [_count(network.input_size, "input"), _count(network.output_size, "output")]
    width = max(map(len, counts)) + 4
    head = [
        f"{counts[0]:<{width}}{_names(network.input_names)}",
        f"{counts[1]:<{width}}{_names(network.output_names)}",
        f"{_count(network.parameter_count, 'parameter')}, {network.dtype}",
        "",
        "place  layer                      of        size  parameters",
    ]
    rows = [
        f"{layer['place']:>5}  {_line(layer['layer'], 26):<26} {_places(layer['arguments']):<8} "
        f"{layer['size']:>5}  {layer['parameters']:>10,}"
        for layer in summary(network)["layers"]
    ]
    return "\n".join([*head, *rows])


def _definition(layer: Layer) -> dict[str, Any]:
    """Return the fields of a layer as plain data."""
    if isinstance(layer, Elementwise):
        return {"activations": [{**_plain(function), "coordinates": n} for function, n in layer.activations]}
    return {
        f.name: getattr(layer, f.name) is not None if f.name == "bias" else _plain(getattr(layer, f.name))
        for f in fields(layer)  # type: ignore[arg-type]
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Linear):
        return {"kind": type(value).__name__, "shape": list(value.shape)}
    if isinstance(value, Activation):
        return {"name": value.name, "parameters": dict(value.parameters)}
    return {"shape": list(value.shape)} if isinstance(value, np.ndarray) else value


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _line(text: str, width: int) -> str:
    """Return a text with control characters escaped, cut to a width."""
    text = "".join(c if c.isprintable() else shown(c) for c in text)
    return text if len(text) <= width else text[: width - 1] + "…"


def _names(names: tuple[str, ...]) -> str:
    text = ", ".join(shown(name, 30) for name in names[:10])
    return f"{text}, … ({len(names)})" if len(names) > 10 else text


def _places(places: list[int]) -> str:
    return ", ".join("input" if p == 0 else str(p) for p in places[:4])
