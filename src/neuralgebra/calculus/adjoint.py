"""The adjoint of each propagation rule: derivatives of Σ ⟨w_α, y_α⟩ by the coefficients of jets, and by the weights.

The adjoint of a Cauchy product by s is the correlation with s. So, for every set of indices::

    y = σ∘z      z̄_β = Σ_α (σ'∘z)_{α-β} ȳ_α
    y = u·v      ū_β = Σ_α v_{α-β} ȳ_α
    y = W x + b  x̄ = Wᵀ ȳ

Adjoints of order 0 along jets of order 0 are the rows of the Jacobian; the adjoint of the first coefficient along a
direction v is the Hessian times v.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.scatter import scatter
from neuralgebra.calculus import contraction
from neuralgebra.calculus.jet import Jet, correlate, total
from neuralgebra.calculus.propagate import Jets, inner, joined, part, rounds, series, softmax, tournament
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Layer,
    Maximum,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)

__all__ = ["ADJOINTS", "Dual", "adjoint", "node_adjoint"]

Dual = list[Value | None]
"""Adjoints of the levels of a jet: level l has shape (K_l, ..., n); None is zero."""

Visit = Callable[[Any, Jet, Dual], None]
"""Called with each affine map, its argument and the adjoint of its result: what weights need."""


def adjoint(k: Any, jets: Jets, seeds: Dual, stop: int = 0, visit: Visit | None = None) -> Mapping[int, Dual]:
    """Return the adjoints at all places, given that of the output.

    Parameters
    ----------
    k : Kind
        The kind of number.
    jets : Jets
        The jets at all places, kept. An axis for several seeds is an axis of length 1 of these.
    seeds : list of array or None
        Adjoint of each level of the output, shape (K_l, ..., m).
    stop : int
        Places before this one are not asked for.
    visit : callable, optional
        Called with each affine map, its argument and the adjoint of its result.

    Returns
    -------
    mapping of int to list of array or None
        Adjoints by place.
    """
    network = jets.network
    duals: dict[int, Dual] = {network.output: seeds}
    for place in range(len(network.nodes), max(stop, 0), -1):
        if place not in duals:
            continue
        node, inputs = network.nodes[place - 1], jets.inputs(place)
        results = node_adjoint(k, node.layer, inputs, duals[place], visit)
        for source, result in zip(node.inputs, results, strict=True):
            known = duals.get(source)
            duals[source] = result if known is None else [total(pair) for pair in zip(known, result, strict=True)]
    return duals


def node_adjoint(k: Any, layer: Layer, inputs: Sequence[Jet], dual: Dual, visit: Visit | None = None) -> Sequence[Dual]:
    """Return the adjoint of each argument of one layer, given that of its result."""
    rule = ADJOINTS[type(layer)]
    if visit is not None and isinstance(layer, Affine | PowerProduct | Mixing):
        return rule(k, layer, dual, *inputs, visit=visit)
    return rule(k, layer, dual, *inputs)


# Rules: (kind, layer, adjoint of the result, jets of the arguments) -> adjoint of each argument --------------------


def _affine(k: Any, layer: Any, dual: Dual, x: Jet, visit: Visit | None = None) -> tuple[Dual]:
    if visit is not None:
        visit(layer, x, dual)
    return ([None if w is None else k.rlinear(layer.weight, w) for w in dual],)


def _elementwise(k: Any, layer: Elementwise, dual: Dual, z: Jet) -> tuple[Dual]:
    if layer.only is not None:
        return (_through(k, layer.only, z, dual),)
    parts = []
    for function, i, j in layer.blocks:
        cut = [None if w is None else w[..., i:j] for w in dual]
        parts.append(_through(k, function, part(z, i, j), cut))
    sizes = [int(j or 0) - i for _, i, j in layer.blocks]
    return ([joined(k, levels, sizes) for levels in zip(*parts, strict=True)],)


def _through(k: Any, function: Activation, z: Jet, dual: Dual) -> Dual:
    """Return the adjoint of z ↦ σ∘z: the correlation with σ'∘z."""
    slope = function.differentiated()
    chain = series(k, function, z)
    return _correlated(k, z, lambda n: chain.function(slope, n), dual)


def _correlated(k: Any, z: Jet, level: Callable[[int], Value | None], dual: Dual, product: Any = None) -> Dual:
    """Return the adjoint of multiplication by a jet, given by its levels."""
    result: Dual = []
    top = len(dual) - 1
    extra = () if product is None else (product,)
    for n in range(top + 1):
        terms = [
            correlate(k, z.indices, i, level(i), n, dual[n + i], *extra)
            for i in range(top - n + 1)
            if dual[n + i] is not None
        ]
        result.append(total(terms))
    return result


def _multiply(k: Any, layer: Multiply, dual: Dual, u: Jet, v: Jet) -> tuple[Dual, Dual]:
    left, right = contraction.left_adjoint(k, layer), contraction.right_adjoint(k, layer)
    of_u = _correlated(k, u, v.levels.__getitem__, dual, left)
    return of_u, _correlated(k, v, u.levels.__getitem__, dual, right)


def _maximum(k: Any, layer: Maximum, dual: Dual, x: Jet) -> tuple[Dual]:
    """Send the adjoint back through the tournament, to the winner of each round."""
    entrants = rounds(k, layer, x)
    best = tournament(k, layer, x)
    shares: list[Dual] = []
    for a, b in zip(best[-2::-1], entrants[:0:-1], strict=True):
        shares.append([None if w is None else _where(k, b, a, w, winner=True) for w in dual])
        dual = [None if w is None else _where(k, b, a, w, winner=False) for w in dual]
    shares = [dual, *reversed(shares)]
    size = x.value.shape[-1]
    targets = layer.groups.T.ravel()
    return ([_scattered(k, levels, targets, size) for levels in zip(*shares, strict=True)],)


def _where(k: Any, b: Jet, a: Jet, w: Value, winner: bool) -> Value:
    zero = k.zeros(tuple(w.shape))
    return k.where_greater(b.value, a.value, w, zero) if winner else k.where_greater(b.value, a.value, zero, w)


def _scattered(k: Any, shares: Sequence[Value | None], targets: Any, size: int) -> Value | None:
    return None if shares[0] is None else scatter(k, k.concat(list(shares), -1), targets, size)


def _softmax(k: Any, layer: Softmax, dual: Dual, z: Jet) -> tuple[Dual]:
    """Return q̄ - s·Σq̄ per group, with q = ln s and q̄ = s·s̄ for the softmax itself."""
    size = z.value.shape[-1]
    group = layer.group or size
    _, s = softmax(k, layer, len(dual) - 1, z)
    grouped = [None if w is None else k.reshape(w, (*w.shape[:-1], size // group, group)) for w in dual]
    q = grouped if layer.log else _correlated(k, s, s.levels.__getitem__, grouped)
    sums = [None if w is None else k.total(w, -1)[..., None] for w in q]
    means = _correlated(k, s, s.levels.__getitem__, sums)
    result = [total([a, None if b is None else -b]) for a, b in zip(q, means, strict=True)]
    return ([None if a is None else k.reshape(a, (*a.shape[:-2], size)) for a in result],)


def _mixing(k: Any, layer: Any, dual: Dual, x: Jet, visit: Visit | None = None) -> tuple[Dual]:
    function, inverse, u, v = inner(k, layer, len(dual) - 1, x)
    (of_u,) = _affine(k, layer, _through(k, function, v, dual), u, visit)
    return (_through(k, inverse, x, of_u),)


def _concatenate(k: Any, layer: Concatenate, dual: Dual, *parts: Jet) -> list[Dual]:
    del k, layer
    result, start = [], 0
    for jet in parts:
        end = start + jet.value.shape[-1]
        result.append([None if w is None else w[..., start:end] for w in dual])
        start = end
    return result


def _select(k: Any, layer: Select, dual: Dual, x: Jet) -> tuple[Dual]:
    size = x.value.shape[-1]
    return ([None if w is None else scatter(k, w, layer.indices, size) for w in dual],)


ADJOINTS: dict[type[Layer], Callable[..., Sequence[Dual]]] = {
    Affine: _affine,
    Elementwise: _elementwise,
    Multiply: _multiply,
    Maximum: _maximum,
    Softmax: _softmax,
    PowerProduct: _mixing,
    Mixing: _mixing,
    Concatenate: _concatenate,
    Select: _select,
}
