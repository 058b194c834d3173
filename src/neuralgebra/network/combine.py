"""Networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import UsageError, shown
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Concatenate, Select
from neuralgebra.network.network import Network, check_inputs

__all__ = ["parallel", "stack"]


def stack(*networks: Network) -> Network:
    """Return x ↦ (f(x), g(x), …), the outputs one after another.

    Parameters
    ----------
    *networks : Network
        Networks with equally many inputs.

    Returns
    -------
    Network
        One network; what the parts share is computed once.

    Raises
    ------
    ShapeError
        When the numbers of inputs differ.
    """
    _check(networks, "stack")
    first = networks[0]
    check_inputs(networks)
    builder = Builder(first.input_size)
    places = [builder.append(f.nodes, f.output, 0) for f in networks]
    return first._close(builder, builder.add(Concatenate(), *places), output_names=_joined(networks, "output_names"))


def parallel(*networks: Network) -> Network:
    """Return (x, y, …) ↦ (f(x), g(y), …), each network on its own inputs.

    Parameters
    ----------
    *networks : Network
        Networks.

    Returns
    -------
    Network
        One network on the inputs side by side.
    """
    _check(networks, "parallel")
    ends = np.cumsum([0, *(f.input_size for f in networks)])
    builder = Builder(int(ends[-1]))
    places = [
        builder.append(f.nodes, f.output, builder.add(Select(np.arange(i, j)), 0))
        for f, i, j in zip(networks, ends, ends[1:], strict=False)
    ]
    place = builder.add(Concatenate(), *places)
    inputs, outputs = _joined(networks, "input_names"), _joined(networks, "output_names")
    return Network(builder.nodes, place, builder.sizes[0], input_names=inputs, output_names=outputs)


def _joined(networks: Sequence[Network], attribute: str) -> tuple[str, ...] | None:
    """Return all names in order, or None when some name occurs twice."""
    names = tuple(name for f in networks for name in getattr(f, attribute))
    return names if len(set(names)) == len(names) else None


def _check(networks: Sequence[Any], name: str) -> None:
    if not networks:
        raise UsageError(f"{name}() received nothing; at least one network expected.")
    for f in networks:
        if not isinstance(f, Network):
            hint = f" Write {name}(*networks)." if isinstance(f, list | tuple) else ""
            raise UsageError(f"{name}() received {shown(type(f).__name__)}; networks expected.{hint}")
