"""Values and derivatives as numbers, for arrays of any library."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.jet import IndexSet, Jet
from neuralgebra.calculus.propagate import propagate
from neuralgebra.errors import InputError, PrecisionWarning, ResourceError, ShapeError, UsageError, shown
from neuralgebra.network.names import default
from neuralgebra.network.network import Network

__all__ = ["hessian", "input_jet", "jacobian", "jets", "matrices", "value"]

_BLOCK_BYTES = 1 << 22
_POINT_BYTES = 1 << 32


def value(network: Network, x: Any) -> Value:
    """Return f(x).

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points. Arrays of NumPy, PyTorch, JAX keep library, dtype and device; lists and integers become the dtype of
        the network.

    Returns
    -------
    array, shape (..., m)
        Values.

    Raises
    ------
    ShapeError
        When the last axis is not n.
    DtypeError
        For a dtype other than float32, float64 and integers.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 1], [1, 1]], [1, 1]), ([[1, 1]], None)], "sigmoid")
    >>> f([1, 1]).round(7)
    array([1.9051483])
    """
    result = _blocks(network, x, 0)[0]
    return result if network.output else result * 1  # never the memory of the caller


def jacobian(network: Network, x: Any) -> Value:
    """Return the Jacobian J_ij = ∂f_i/∂x_j.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.

    Returns
    -------
    array, shape (..., m, n)
        First derivatives. At a kink they are the chosen values of the catalogue, for example relu'(0) = 0.

    Raises
    ------
    ShapeError
        When the last axis is not n.
    DtypeError
        For a dtype other than float32, float64 and integers.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 1], [1, 1]], [1, 1]), ([[1, 1]], None)], "sigmoid")
    >>> f.jacobian([1, 1]).round(7)
    array([[0.0903533, 0.0903533]])
    """
    return _blocks(network, x, 1)[1]


def hessian(network: Network, x: Any) -> Value:
    """Return the Hessians H_ijk = ∂²f_i/∂x_j∂x_k.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.

    Returns
    -------
    array, shape (..., m, n, n)
        Second derivatives, symmetric bit for bit. Those of a piecewise-linear network are zero.

    Raises
    ------
    ShapeError
        When the last axis is not n.
    DtypeError
        For a dtype other than float32, float64 and integers.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 1], [1, 1]], [1, 1]), ([[1, 1]], None)], "sigmoid")
    >>> f.hessian([1, 1]).round(7)
    array([[[-0.0817831, -0.0817831],
            [-0.0817831, -0.0817831]]])
    """
    return _blocks(network, x, 2)[2]


def jets(k: Any, network: Network, x: Value, order: int) -> list[Value]:
    """Return value, Jacobian, Hessian, … up to an order, on any kind of number.

    Parameters
    ----------
    k : Kind
        The kind of number.
    network : Network
        f.
    x : array, shape (..., n)
        Points, of that kind.
    order : int
        Highest order.

    Returns
    -------
    list of array
        Derivatives of order r, shape (..., m, n, …, n) with r axes n.
    """
    jet = propagate(k, network, input_jet(k, x, IndexSet.full(network.input_size, order)))
    return [matrices(k, jet, level, network.input_size, tuple(x.shape[:-1])) for level in range(order + 1)]


def input_jet(k: Any, x: Value, indices: IndexSet) -> Jet:
    """Return the jet of the variables themselves: x + t, one direction for each coordinate."""
    levels: list[Value | None] = [x[None, ...]] + [None] * indices.order
    if indices.order:
        n = x.shape[-1]
        eye = np.eye(n, dtype=int)[[index[0] for index in indices.levels[1]]]
        levels[1] = k.reshape(k.weight(eye), (len(eye), *(1,) * (len(x.shape) - 1), n))
    return Jet(indices, tuple(levels))


def matrices(k: Any, jet: Jet, level: int, n: int, batch: tuple[int, ...]) -> Value:
    """Return one level of a full jet as derivatives, shape (batch, m, n, …, n)."""
    m = jet.value.shape[-1]
    array = jet.levels[level]
    if array is None:
        return k.zeros((*batch, m, *(n,) * level))
    if level == 0:
        array = array[0, ...]
        return array if tuple(array.shape) == (*batch, m) else k.broadcast(array, (*batch, m))
    if level > 1:
        array = array * k.weight(jet.indices.factorials(level).reshape((-1, *(1,) * (len(array.shape) - 1))))
    full = k.broadcast(array, (len(jet.indices.levels[level]), *batch, m))
    spread = k.take(full, jet.indices.spread(level, n), 0)
    axes = (*range(level, level + len(batch) + 1), *range(level))
    return k.permute(spread, axes)


def _blocks(network: Network, x: Any, order: int) -> list[Value]:
    """Return value and derivatives; NumPy batches run in blocks that fit the cache."""
    k, x = accept(network, x)
    batch = tuple(x.shape[:-1])
    _refuse_giants(network, order)
    indices = IndexSet.full(network.input_size, order)
    rows = max(1, _BLOCK_BYTES // (8 * indices.size * max(network.sizes)))
    with quiet():
        if not k.numpy or math.prod(batch) <= rows:
            return jets(k, network, x, order)
        flat = x.reshape(-1, x.shape[-1])
        parts = [jets(k, network, flat[i : i + rows], order) for i in range(0, len(flat), rows)]
    results = [np.concatenate(level) for level in zip(*parts, strict=True)]
    return [level.reshape(*batch, *level.shape[1:]) for level in results]


def _columns(network: Network, x: Any) -> Any:
    """Return a data frame as an array whose columns are the inputs, matched by name; anything else as it is."""
    if isinstance(x, Network):
        raise UsageError("a Network received as x; numbers expected. Write f @ g for the composition f(g(x)).")
    if not (hasattr(x, "columns") and hasattr(x, "to_numpy")):
        return x
    missing = [name for name in network.input_names if name not in list(x.columns)]
    if not missing:
        return x[list(network.input_names)].to_numpy()
    if network.input_names == default("x", network.input_size):
        return x.to_numpy()
    raise InputError(
        f"a table with columns {shown(', '.join(map(str, x.columns)))} received; {shown(', '.join(missing))} missing.\n"
        "Name the columns as the inputs, f.input_names, or pass x.to_numpy() in their order."
    )


def _refuse_giants(network: Network, order: int) -> None:
    numbers = math.comb(network.input_size + order, order) * max(network.sizes)
    if 8 * numbers > _POINT_BYTES:
        raise ResourceError(
            f"derivatives up to order {order} of {network.input_size} inputs need {8 * numbers / 2**30:.1f} GiB "
            f"a point; the limit is {_POINT_BYTES / 2**30:.0f} GiB."
        )


def accept(network: Network, x: Any) -> tuple[Arrays, Value]:
    """Return the kind of x and x as a floating array with n coordinates on its last axis."""
    k, x = Arrays.accept(_columns(network, x), network.dtype)
    if not len(x.shape) or x.shape[-1] != network.input_size:
        raise ShapeError(
            f"x of shape {tuple(x.shape)} received; (..., {network.input_size}) expected, one column for each of "
            f"{', '.join(network.input_names[:8])}{' …' if network.input_size > 8 else ''}."
        )
    if not k.double and network.arrays and network.dtype == np.float64:
        warnings.warn(
            "float32 input: the float64 weights of this network are rounded to float32. Pass float64 to keep them.",
            PrecisionWarning,
            stacklevel=4,
        )
    return k, x
