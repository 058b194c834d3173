"""Which outputs, inputs, multi-indices and operators a person asks for, checked and put into one form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import as_array, is_array, is_concrete
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.indices import MultiIndex, units
from neuralgebra.calculus.limits import refuse_long
from neuralgebra.errors import InputError, ShapeError, UsageError, shown
from neuralgebra.network.arguments import positions
from neuralgebra.network.bound import Bound
from neuralgebra.network.linear import frozen
from neuralgebra.network.network import Network

__all__ = ["Choice", "by_order", "chosen", "multi_index", "operator_matrix", "variables"]

Choice = int | str | Sequence[int | str] | None


def chosen(network: Network, outputs: Choice, inputs: Choice) -> tuple[Network, np.ndarray | None]:
    """Return the network of some outputs, and the unit vectors of some inputs, (K, n); None stands for all."""
    if outputs is not None and isinstance(network, Bound):
        network = network[outputs]
    elif outputs is not None:
        places, whole = tuple(positions(outputs, network.output_names)), network
        network = network.memory.once("outputs", places, lambda: whole[list(places)])
    return network, None if inputs is None else units(variables(network, inputs), network.input_size)


def variables(network: Network, inputs: Any) -> list[int]:
    """Return the positions of inputs given by position or name, each once."""
    found = positions(inputs, network.input_names, "input")
    if len(set(found)) < len(found):
        raise InputError(f"inputs {shown(inputs)} received; each at most once expected.")
    return found


def multi_index(network: Network, alpha: Any, limited: Callable[[Network, Any], int] = refuse_long) -> MultiIndex:
    """Return a multi-index as a sorted tuple of variables.

    Parameters
    ----------
    network : Network
        The function.
    alpha : sequence of int, str or mapping
        One order for each input, (2, 1); or {"x": 2, "y": 1}; or a name alone, for a first derivative.
    limited : callable
        (network, order) -> order as an integer, or an error.

    Returns
    -------
    MultiIndex
        (0, 0, 1) for (2, 1).
    """
    if isinstance(alpha, str):
        alpha = {alpha: 1}
    if isinstance(alpha, Mapping):
        found = variables(network, list(alpha)) if alpha else []
        orders = dict(zip(found, alpha.values(), strict=True))
    else:
        if not isinstance(alpha, Sequence | np.ndarray) or len(alpha) != network.input_size:
            raise UsageError(
                f"multi-index {shown(alpha)} received; {network.input_size} orders, one for each of "
                f"{', '.join(network.input_names[:8])}, or a mapping of names to orders expected."
            )
        orders = dict(enumerate(alpha))
    given = {i: limited(network, n) for i, n in sorted(orders.items())}
    limited(network, sum(given.values()))
    return tuple(i for i, n in given.items() for _ in range(n))


def by_order(network: Network, operator: Mapping[Any, float]) -> Iterator[dict[MultiIndex, float]]:
    """Yield the parts of one order each of an operator {α: p_α}."""
    parts: dict[int, dict[MultiIndex, float]] = {}
    for alpha, factor in operator.items():
        index = multi_index(network, alpha)
        part = parts.setdefault(len(index), {})
        part[index] = part.get(index, 0.0) + _factor(factor)
    if not parts:
        raise UsageError("an operator without terms received; {multi-index: factor} expected.")
    yield from parts.values()


def _factor(given: Any) -> float:
    known = _is_number(given) if is_array(given) else True
    try:
        factor = float(given) if known else None
    except (TypeError, ValueError):
        factor = None
    if factor is None:
        raise InputError(
            f"factor {shown(repr(given))} received; a real number expected.\n"
            "A matrix of second order, operator(x, a), may have one a for each point, and be differentiated by a."
        )
    if not np.isfinite(factor):
        raise InputError(f"factor {factor} received; finite numbers expected.")
    return factor


def operator_matrix(k: Any, network: Network, x: Value, matrix: Any) -> tuple[Any, bool]:
    """Return a matrix of coefficients made symmetric, and whether it is the same for all points."""
    n, batch = network.input_size, tuple(x.shape[:-1])
    matrix = as_array(matrix)
    shape = tuple(matrix.shape)
    if shape == (n, n) and _is_number(matrix):
        constant = frozen(matrix, "coefficients").astype(np.float64)
        return constant / 2 + constant.T / 2, True
    if shape not in ((n, n), (*batch, n, n)):
        raise ShapeError(f"coefficients of shape {shape} received; {(n, n)} or {(*batch, n, n)} expected.")
    points = k.broadcast(k.like(matrix), (*batch, n, n))
    axes = tuple(range(len(batch)))
    return (points + k.permute(points, (*axes, len(batch) + 1, len(batch)))) * 0.5, False


def _is_number(matrix: Any) -> bool:
    """Return whether the entries are known and nothing will be differentiated by them."""
    return not is_array(matrix) or (is_concrete(matrix) and not getattr(matrix, "requires_grad", False))
