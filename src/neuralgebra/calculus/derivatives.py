"""Values and derivatives as numbers, for arrays of any library."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus import operators, strategies
from neuralgebra.calculus.choice import Choice, by_order, chosen, operator_matrix, variables
from neuralgebra.calculus.indices import MultiIndex, units
from neuralgebra.calculus.jet import total
from neuralgebra.calculus.kinks import check_choice, one_sided_jacobian, smooth
from neuralgebra.calculus.limits import refuse_giants, refuse_long, refuse_many, refuse_wide
from neuralgebra.calculus.origin import first_layer
from neuralgebra.calculus.plans import planned
from neuralgebra.calculus.run import accept, evaluate, for_all
from neuralgebra.network.network import Network

__all__ = [
    "biharmonic",
    "derivatives",
    "hessian",
    "hessian_diagonal",
    "jacobian",
    "jets",
    "laplacian",
    "operator",
    "value",
]


def value(network: Network, x: Any, *, dtype: Any = None) -> Value:
    """Return f(x).

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points. Arrays of NumPy, PyTorch, JAX keep library, dtype and device; lists and integers become the dtype of
        the network.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

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
    k, x = accept(network, x, dtype)
    return evaluate(network, k, x, lambda k, points: strategies.by_jets(k, network, points, 0), key=0)[0]


def jacobian(
    network: Network,
    x: Any,
    *,
    outputs: Choice = None,
    inputs: Choice = None,
    kinks: str = "choose",
    dtype: Any = None,
) -> Value:
    """Return the Jacobian J_ij = ∂f_i/∂x_j.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    outputs, inputs : int, str or sequence of them, optional
        Positions or names of the outputs i and inputs j wanted; all by default. Only these are computed.
    kinks : {"choose", "raise", "interval"}
        What happens where a derivative has a jump: the chosen value of the catalogue is returned, relu'(0) = 0 and the
        first of equal maxima; or KinkError names layer and unit; or both one-sided
        derivatives come back, (from the left, from the right) along each input.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

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
    >>> f.jacobian([1, 1], inputs="x2").round(7)
    array([[0.0903533]])
    """
    check_choice(kinks)
    if kinks == "interval":
        return one_sided_jacobian(*chosen(network, outputs, inputs), x, dtype)
    return _up_to(network, x, 1, outputs, inputs, kinks, dtype, alone=True)[0]


def hessian(
    network: Network,
    x: Any,
    *,
    outputs: Choice = None,
    inputs: Choice = None,
    kinks: str = "choose",
    dtype: Any = None,
) -> Value:
    """Return the Hessians H_ijk = ∂²f_i/∂x_j∂x_k.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    outputs, inputs : int, str or sequence of them, optional
        Positions or names of the outputs i and inputs j, k wanted; all by default. Only these are computed.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is returned, relu'(0) = 0 and the
        first of equal maxima; or KinkError names layer and unit; or see `taylor` for one-sided
        derivatives.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m, n, n)
        Second derivatives, symmetric bit for bit. Those of a piecewise-linear network are zero almost everywhere,
        and zero is what is returned.

    Raises
    ------
    ShapeError
        When the last axis is not n.
    DtypeError
        For a dtype other than float32, float64 and integers.
    ResourceError
        When one Hessian alone would not fit into memory; `hvp`, `hessian_diagonal` and `laplacian` will do.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 1], [1, 1]], [1, 1]), ([[1, 1]], None)], "sigmoid")
    >>> f.hessian([1, 1]).round(7)
    array([[[-0.0817831, -0.0817831],
            [-0.0817831, -0.0817831]]])
    """
    check_choice(kinks, ("choose", "raise"))
    return _up_to(network, x, 2, outputs, inputs, kinks, dtype, alone=True)[0]


def derivatives(network: Network, x: Any, order: int = 2, *, kinks: str = "choose", dtype: Any = None) -> list[Value]:
    """Return value, Jacobian, Hessian, … up to an order, computed together.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    order : int
        Highest order.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    list of array
        Derivatives of order r, shape (..., m, n, …, n) with r axes n.

    Raises
    ------
    UsageError
        For an order that is no integer, or negative.
    ResourceError
        When the derivatives at one point would not fit into memory.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.function("exp")
    >>> [float(d.ravel()[0]) for d in f.derivatives([0.0], 3)]
    [1.0, 1.0, 1.0, 1.0]
    """
    refuse_giants(network, order)
    if order in (1, 2):
        return _up_to(network, x, order, kinks=kinks, dtype=dtype)
    k, x = smooth(network, x, dtype, kinks, order)
    refuse_long(network, order, k.double)
    return evaluate(network, k, x, lambda k, points: strategies.by_jets(k, network, points, order), key=order)


def _up_to(
    network: Network,
    x: Any,
    order: int,
    outputs: Choice = None,
    inputs: Choice = None,
    kinks: str = "choose",
    dtype: Any = None,
    alone: bool = False,
) -> list[Value]:
    """Return value, Jacobian and, for order 2, Hessian by the cheapest way, or the last of them alone."""
    network, rows = chosen(network, outputs, inputs)
    quantity = ("jacobian", "hessian")[order - 1]
    way = planned(network, quantity, None if rows is None else len(rows)).way
    if order == 2:
        refuse_giants(network, 2, None if rows is None else len(rows))
    k, x = smooth(network, x, dtype, kinks, order)
    key = (way.name, quantity, alone, None if rows is None else rows.tobytes())
    first = order if alone else 0
    return evaluate(network, k, x, lambda k, points: way.compute(k, network, points, rows)[first:], key=key)


def hessian_diagonal(network: Network, x: Any, *, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return the second derivatives ∂²f_i/∂x_j² alone.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m, n)
        The diagonals of the Hessians.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[1]], None)], "exp")
    >>> f.hessian_diagonal([0, 0])
    array([[1., 4.]])
    """
    return _single(network, x, "hessian_diagonal", 2, kinks, dtype)


def laplacian(network: Network, x: Any, *, inputs: Choice = None, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return the Laplacian Δf_i = Σ_j ∂²f_i/∂x_j².

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    inputs : int, str or sequence of them, optional
        Positions or names of the inputs j of the sum, those of space and not of time; all by default.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m)
        The traces of the Hessians. Behind a first layer of fewer units than inputs the cost does not depend on the
        number of inputs: see ``f.plan("laplacian")``.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[1]], None)], "exp")
    >>> f.laplacian([0, 0])
    array([5.])
    >>> f.laplacian([0, 0], inputs="x2")
    array([4.])
    """
    if inputs is not None:
        n = network.input_size
        return operator(network, x, np.diag(units(variables(network, inputs), n).sum(0)), kinks=kinks, dtype=dtype)
    return _single(network, x, "laplacian", 2, kinks, dtype)


def biharmonic(network: Network, x: Any, *, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return Δ²f_i = Σ_jk ∂⁴f_i/∂x_j²∂x_k².

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m)
        Laplacians of the Laplacian.

    Raises
    ------
    ResourceError
        When its Taylor coefficients would not fit into memory at one point.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[1]], None)], "exp")
    >>> f.biharmonic([0, 0]).round(12)
    array([25.])
    """
    layer: Any = first_layer(network)
    count = min(network.input_size, network.input_size if layer is None else layer.weight.rows)
    refuse_many(network, 1 + count * (count + 5) // 2, count * (3 * count + 11))
    return _single(network, x, "biharmonic", 4, kinks, dtype)


def _single(network: Network, x: Any, quantity: str, order: int, kinks: str, dtype: Any) -> Value:
    way = planned(network, quantity).way
    k, x = smooth(network, x, dtype, kinks, order)
    return evaluate(network, k, x, lambda k, points: way.compute(k, network, points), key=(way.name, quantity))[0]


def operator(network: Network, x: Any, coefficients: Any, *, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return Σ_jk a_jk ∂²f_i/∂x_j∂x_k, or Σ_α p_α ∂^α f_i, without the derivatives one by one.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    coefficients : array_like, shape (n, n) or (..., n, n), or mapping of tuple of int to float
        The matrix a, the same for all points or one for each; or {α: p_α} with multi-indices α of any order, one
        entry for each input: {(2, 0): 1, (1, 1): -1}.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m)
        The operator applied to each output.

    Raises
    ------
    ShapeError
        For a matrix or a multi-index of another size.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[1]], None)], "exp")
    >>> f.operator([0, 0], [[0, 1], [1, 0]])
    array([4.])
    >>> f.operator([0, 0], {(3, 0): 1, (0, 1): 1})
    array([3.])
    """
    if isinstance(coefficients, Mapping):
        parts = list(by_order(network, coefficients))
        refuse_wide(network, itertools.chain.from_iterable(parts))
        order = max(len(alpha) for part in parts for alpha in part)
        k, x = smooth(network, x, dtype, kinks, order)
        refuse_long(network, order, k.double)
        return total(_by_jets(k, network, x, part) for part in parts)
    k, x = smooth(network, x, dtype, kinks, 2)
    matrix, constant = operator_matrix(k, network, x, coefficients)
    if not constant:
        return evaluate(
            network, k, x, lambda k, points, a: operators.contracted(k, network, points, a), matrix, key="operator"
        )[0]
    way, key = planned(network, "laplacian").way, ("operator", matrix.tobytes())
    return evaluate(network, k, x, lambda k, points: way.compute(k, network, points, matrix), key=key)[0]


def _by_jets(k: Any, network: Network, x: Value, part: Mapping[MultiIndex, float]) -> Value:
    if () in part:
        return value(network, x, dtype=x.dtype) * part[()]
    key = ("operator", tuple(part.items()))
    return evaluate(network, k, x, lambda k, points: operators.by_operator(k, network, points, part), key=key)[0]


def jets(k: Any, network: Network, x: Value, order: int) -> list[Value]:
    """Return value, Jacobian, Hessian, … up to an order, on any kind of number, by jets in all directions.

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
    batch = tuple(x.shape[:-1])
    count = math.prod(batch)
    results = strategies.by_jets(k, network, k.reshape(x, (count, x.shape[-1])), order)
    return [k.reshape(for_all(k, r, count), (*batch, *r.shape[1:])) for r in results]
