"""Derivatives along directions, and single derivatives of any order."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.adjoint import adjoint
from neuralgebra.calculus.choice import multi_index
from neuralgebra.calculus.indices import IndexSet, MultiIndex, factorial
from neuralgebra.calculus.jet import Jet, filled
from neuralgebra.calculus.kinks import check_choice, one_sided, smooth
from neuralgebra.calculus.limits import checked_order, refuse_long, refuse_wide
from neuralgebra.calculus.origin import start
from neuralgebra.calculus.propagate import Jets
from neuralgebra.calculus.run import evaluate, labelled
from neuralgebra.calculus.strategies import levels_of
from neuralgebra.errors import ShapeError, UsageError
from neuralgebra.network.network import Network

__all__ = ["derivative", "hvp", "jvp", "pulled", "pushed", "taylor", "vjp"]


def jvp(network: Network, x: Any, v: Any, *, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return J v = d/dt f(x + t v) at t = 0.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    v : array_like, shape (n,) or (..., n)
        Directions, one for all points or one for each.
    kinks : {"choose", "raise", "interval"}
        What happens where a derivative has a jump: the chosen value of the catalogue is returned, relu'(0) = 0 and the
        first of equal maxima; or KinkError names layer and unit; or both one-sided
        derivatives come back, (from the left, from the right) along v.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m)
        Directional derivatives.

    Raises
    ------
    ShapeError
        When v fits neither.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[1]], None)], "exp")
    >>> f.jvp([0, 0], [1, 1])
    array([3.])
    """
    levels = taylor(network, x, v, 1, kinks=kinks, dtype=dtype)
    return tuple(side[1, ...] for side in levels) if kinks == "interval" else levels[1, ...]


def taylor(network: Network, x: Any, v: Any, order: int, *, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return the derivatives d^k/dt^k f(x + t v) at t = 0, k = 0, …, order.

    They come from the Taylor recurrences of the activations, whose cost grows with the square of the order.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    v : array_like, shape (n,) or (..., n)
        Directions, one for all points or one for each.
    order : int
        Highest order.
    kinks : {"choose", "raise", "interval"}
        What happens where a derivative has a jump: the chosen value of the catalogue is returned, relu'(0) = 0 and the
        first of equal maxima; or KinkError names layer and unit; or both one-sided
        derivatives come back, (from the left, from the right) along v.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (order + 1, ..., m)
        Derivatives; divided by k! they are the Taylor coefficients.

    Raises
    ------
    UsageError
        For an order that is no integer, or negative.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.function("exp")
    >>> f.taylor([0.0], [2.0], 4).ravel()
    array([ 1.,  2.,  4.,  8., 16.])
    """
    check_choice(kinks)
    order = checked_order(order)
    k, x = smooth(network, x, dtype, "choose" if kinks == "interval" else kinks, order)
    refuse_long(network, order, k.double)
    directions = _along(k, x, labelled(v, network.input_names, "x"), network.input_size, "v")
    if kinks == "interval":
        return one_sided(network, x, directions, order)
    indices = IndexSet.full(1, order)
    factorials = [float(math.factorial(n)) for n in range(order + 1)]

    def compute(k: Any, points: Value, along: Value) -> list[Value]:
        jet = levels_of(k, network, points, indices, along[None, ...], 0)
        zero = k.zeros((points.shape[0], network.output_size))
        levels = [zero if a is None else k.broadcast(a[0, ...], tuple(zero.shape)) for a in jet.levels]
        return [k.concat([(a * c)[:, None, :] for a, c in zip(levels, factorials, strict=True)], 1)]

    (result,) = evaluate(network, k, x, compute, directions, key=("taylor", order))
    axes = len(x.shape)
    return k.permute(result, (axes - 1, *range(axes - 1), axes))


def _along(k: Any, x: Value, v: Any, size: int, name: str) -> Value:
    """Return directions as one for each point, in the library and dtype of the points."""
    along = k.like(v)
    shapes = list(dict.fromkeys([(size,), (*x.shape[:-1], size)]))
    if tuple(along.shape) not in shapes:
        raise ShapeError(f"{name} of shape {tuple(along.shape)} received; {' or '.join(map(str, shapes))} expected.")
    return k.broadcast(along, (*x.shape[:-1], size))


def vjp(network: Network, x: Any, w: Any, *, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return Jᵀ w, the gradient of Σ w_i f_i.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    w : array_like, shape (m,) or (..., m)
        Weights of the outputs, the same for all points or one set for each.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., n)
        Gradients, for the price of about two values.

    Raises
    ------
    ShapeError
        When w fits neither.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], None)])
    >>> f.vjp([0, 0], [1, 1])
    array([4., 6.])
    """
    if w is None:
        raise UsageError("no weights w of the outputs received; jacobian(x) gives the gradients of all outputs.")
    return _pulled(network, x, None, w, kinks, dtype)


def hvp(network: Network, x: Any, v: Any, w: Any = None, *, kinks: str = "choose", dtype: Any = None) -> Value:
    """Return the Hessian of Σ w_i f_i times v.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    v : array_like, shape (n,) or (..., n)
        Directions, one for all points or one for each.
    w : array_like, shape (m,) or (..., m), optional
        Weights of the outputs; by default each output has a product of its own.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m, n), or (..., n) if w is given
        Products, for the price of about four values; no Hessian is made.

    Raises
    ------
    ShapeError
        When v or w do not fit.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[1]], None)], "exp")
    >>> f.hvp([0, 0], [1, 0])
    array([[1., 2.]])
    """
    if v is None:
        raise UsageError("no direction v received; hessian(x) gives the products with all unit vectors.")
    return _pulled(network, x, v, w, kinks, dtype)


def pushed(k: Any, points: Value, along: Value, network: Network) -> list[Value]:
    """Return J v as a computation, (N, m), of points and directions (N, n)."""
    jet = levels_of(k, network, points, IndexSet.full(1, 1), along[None, ...], 0)
    return [filled(k, jet.levels[1], 1, points.shape[0], network.output_size)[0, ...]]


def pulled(k: Any, points: Value, *given: Value, network: Network, along: bool, weighted: bool) -> list[Value]:
    """Return Jᵀ w or H v as a computation, (N, m, n), of points (N, n), directions (N, n) and weights (N, m).

    Parameters
    ----------
    k : Kind
        The kind of number.
    points : array, shape (N, n)
        Points.
    *given : array
        Directions if there are any, then weights of outputs if there are any.
    network : Network
        f.
    along : bool
        Whether directions are given.
    weighted : bool
        Whether weights are given, which leaves one axis of length 1 for m.

    Returns
    -------
    list of array
        The products.
    """
    m, n, rest = network.output_size, network.input_size, list(given)
    indices = IndexSet.full(1, int(along))
    start = [points[None, None, ...], *([rest.pop(0)[None, None, ...]] if along else [])]
    jets = Jets(k, network, Jet(indices, start))
    jets.run(indices.order, keep=True)
    seed = rest.pop()[None, None, ...] if weighted else k.reshape(k.weight(np.eye(m)), (1, m, 1, m))
    dual = adjoint(k, jets, [*[None] * indices.order, seed])[0][0]
    dual = filled(k, dual, 1, *seed.shape[1:-1], n)
    if not network.output:
        dual = dual * 1  # never the memory of the caller
    return [k.permute(dual[0, ...], (1, 0, 2))]


def _pulled(network: Network, x: Any, v: Any, w: Any, kinks: str, dtype: Any) -> Value:
    """Return the adjoint at the input of the value, or of the first coefficient along v, weighted by w."""
    k, x = smooth(network, x, dtype, kinks, 1 + (v is not None))
    m, n = network.output_size, network.input_size
    along = None if v is None else _along(k, x, labelled(v, network.input_names, "x"), n, "v")
    weights = None if w is None else _along(k, x, labelled(w, network.output_names, "y"), m, "w")
    others = [a for a in (along, weights) if a is not None]
    compute = functools.partial(pulled, network=network, along=v is not None, weighted=w is not None)
    (result,) = evaluate(network, k, x, compute, *others, key=("pulled", v is None, w is None))
    return result if w is None else result[..., 0, :]


def derivative(
    network: Network, x: Any, alpha: Any, *, kinks: str = "choose", dtype: Any = None
) -> Value | dict[tuple[int, ...], Value]:
    """Return ∂^α f for one multi-index or many.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (..., n)
        Points.
    alpha : tuple of int, mapping of str to int, str, or iterable of them
        One order for each input, (2, 1) for ∂³/∂x₁²∂x₂; or {"x1": 2, "x2": 1}; or a name for a first derivative.
        Of several, what they share is computed once.
    kinks : {"choose", "raise"}
        What happens where a derivative has a jump: the chosen value of the catalogue is taken, or KinkError names
        layer and unit.
    dtype : str, optional
        What to compute in, "float32" or "float64"; by default what the points are in.

    Returns
    -------
    array, shape (..., m), or dict of tuple to array
        The derivative; for several, one for each, by the tuple of its orders.

    Raises
    ------
    UsageError
        For orders that are no orders, or not one for each input.
    InputError
        For an unknown name.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[1]], None)], "exp")
    >>> f.derivative([0, 0], (2, 1)), f.derivative([0, 0], {"x2": 3})
    (array([2.]), array([8.]))
    >>> f.derivative([0, 0], [(1, 0), (0, 1)])
    {(1, 0): array([1.]), (0, 1): array([2.])}
    """
    if _is_one(network, alpha):
        index = multi_index(network, alpha)
        return _derivatives(network, x, [index], kinks, dtype)[0]
    if not hasattr(alpha, "__iter__"):
        raise UsageError(f"multi-index {alpha!r} received; a tuple, a mapping or an iterable of them expected.")
    indices = [multi_index(network, a) for a in alpha]
    if not indices:
        return {}
    keys = [tuple(index.count(i) for i in range(network.input_size)) for index in indices]
    return dict(zip(keys, _derivatives(network, x, indices, kinks, dtype), strict=True))


def _is_one(network: Network, alpha: Any) -> bool:
    if isinstance(alpha, str | Mapping):
        return True
    return (
        isinstance(alpha, tuple | list | np.ndarray)
        and bool(len(alpha))
        and all(np.ndim(a) == 0 and not isinstance(a, str | Mapping) for a in alpha)
    )


def _derivatives(network: Network, x: Any, wanted: list[MultiIndex], kinks: str, dtype: Any) -> list[Value]:
    refuse_wide(network, wanted)
    indices = network.memory.once("below", frozenset(wanted), lambda: IndexSet.below(wanted))
    k, x = smooth(network, x, dtype, kinks, indices.order)
    refuse_long(network, indices.order, k.double)

    def compute(k: Any, points: Value) -> list[Value]:
        place, level = start(k, network, indices.seeds(network.input_size)) if indices.order else (0, None)
        jet = levels_of(k, network, points, indices, level, place)
        return [coefficient(k, jet, index) * float(factorial(index)) for index in wanted]

    def coefficient(k: Any, jet: Jet, index: MultiIndex) -> Value:
        names = indices.places(len(index))
        return filled(k, jet.levels[len(index)], len(names), 1, network.output_size)[names[index], ...]

    return evaluate(network, k, x, compute, key=("derivative", tuple(wanted)))
