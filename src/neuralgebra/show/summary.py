"""What a network is, for a terminal and as data."""

from __future__ import annotations

from typing import Any

from neuralgebra.errors import shown
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
        With keys inputs, outputs, dtype, parameters, layers; a layer has kind, arguments, size and parameters.
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
                "arguments": list(node.inputs),
                "size": network.sizes[place],
                "parameters": sum(a.size for a in node.layer.arrays),
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
    head = [
        f"{network.input_size} inputs    {_names(network.input_names)}",
        f"{network.output_size} outputs   {_names(network.output_names)}",
        f"{network.parameter_count:,} parameters, {network.dtype}",
        "",
        "place  layer                      of        size  parameters",
    ]
    rows = [
        f"{layer['place']:>5}  {layer['layer'][:26]:<26} {_places(layer['arguments']):<8} "
        f"{layer['size']:>5}  {layer['parameters']:>10,}"
        for layer in summary(network)["layers"]
    ]
    return "\n".join([*head, *rows])


def _names(names: tuple[str, ...]) -> str:
    text = ", ".join(shown(name, 30) for name in names[:10])
    return f"{text}, … ({len(names)})" if len(names) > 10 else text


def _places(places: list[int]) -> str:
    return ", ".join("input" if p == 0 else str(p) for p in places[:4])
