"""One propagation rule per kind of layer, in the algebra of jets; a table, run on every kind of number.

Each rule gives one level of the result, from the levels of the arguments up to it. Products are Cauchy products.
Everything else uses the Euler operator E = Σ tᵢ ∂/∂tᵢ, for which E(σ∘z) = (σ'∘z)·E z, coefficient by coefficient::

    |α| a_α = Σ_{0<β≤α} |β| z_β (σ'∘z)_{α-β}

one recurrence for every set of indices: Jacobian, Hessian, a direction to order n, one mixed partial, an operator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus import contraction
from neuralgebra.calculus.jet import Jet, convolve, total
from neuralgebra.calculus.series import Series, euler
from neuralgebra.functions.activation import Activation, activation
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
from neuralgebra.network.network import Network

__all__ = ["RULES", "Jets", "inner", "joined", "part", "rounds", "series", "softmax", "tournament"]


class Jets:
    """The jets at all places of a network, computed level by level.

    Parameters
    ----------
    k : Kind
        The kind of number.
    network : Network
        The function.
    x : Jet
        The jet of the input: all its levels, or level 0 alone if the rest is known behind the first layer.
    first : array, optional
        Level 1 at place 1, where levels above it are zero.
    """

    def __init__(self, k: Any, network: Network, x: Jet, first: Value | None = None) -> None:
        self.k, self.network, self.first = k, network, first
        self.jets: list[Jet | None] = [x, *(Jet(x.indices, []) for _ in network.nodes)]
        self._last_use = _last_uses(network)

    def run(self, order: int, keep: bool = False) -> Jet:
        """Compute the levels up to an order at every place; without `keep` only the result stays."""
        for place in range(1, len(self.network.nodes) + 1):
            self.run_node(place, order)
            if not keep:
                self.release(place)
        return self.jets[self.network.output]  # type: ignore[return-value]

    def inputs(self, place: int) -> list[Jet]:
        """Return the jets of the arguments of the node at a place."""
        return [self.jets[i] for i in self.network.nodes[place - 1].inputs]  # type: ignore[misc]

    def run_node(self, place: int, order: int) -> None:
        """Compute the levels up to an order at one place, those that do not stand yet."""
        k, node, jet = self.k, self.network.nodes[place - 1], self.jets[place]
        assert jet is not None
        if len(jet.levels) > order:
            return
        k.at(place)
        inputs, rule = self.inputs(place), RULES[type(node.layer)]
        for n in range(len(jet.levels), order + 1):
            known = place == 1 and n > 0 and self.first is not None
            level = (self.first if n == 1 else None) if known else rule(k, node.layer, n, *inputs)
            jet.levels.append(None if level is None else k.keep(level, "", jet.indices.levels[n]))

    def release(self, place: int) -> None:
        """Forget the arguments of a node that no later node takes."""
        for i in self.network.nodes[place - 1].inputs:
            if self._last_use[i] == place:
                self.jets[i] = None


def _last_uses(network: Network) -> dict[int, int]:
    uses = {i: place for place, node in enumerate(network.nodes, 1) for i in node.inputs}
    return {**uses, network.output: len(network.nodes) + 1}


# Rules: (kind, layer, order, jets of the arguments) -> level of that order of the result ---------------------------


def _affine(k: Any, layer: Any, order: int, x: Jet) -> Value | None:
    level = x.levels[order]
    if level is None:
        return None
    y = k.linear(layer.weight, level)
    return y if order or layer.bias is None else y + k.weight(layer.bias)


def _elementwise(k: Any, layer: Elementwise, order: int, z: Jet) -> Value | None:
    if layer.only is not None:
        return series(k, layer.only, z).function(layer.only, order)
    parts = [(f, part(z, i, j)) for f, i, j in layer.blocks]
    levels = [series(k, f, jet).function(f, order) for f, jet in parts]
    return joined(k, levels, [jet.value.shape[-1] for _, jet in parts])


def series(k: Any, function: Activation, z: Jet) -> Series:
    """Return the chain of an activation along a jet; activations that share a chain share its levels."""
    base = function.base
    same = Jet(z.indices, z.levels)  # without what z remembers: arrays are freed at once where nothing refers back
    return z.once(base, lambda: getattr(k, "composition", Series)(k, base, same))  # type: ignore[no-any-return]


def part(x: Jet, start: int, end: int | None) -> Jet:
    """Return the coordinates from start to end of a jet, as many levels as stand."""
    result: Jet = x.once((start, end), lambda: Jet(x.indices, []))
    for level in x.levels[len(result.levels) :]:
        result.levels.append(None if level is None else level[..., start:end])
    return result


def _multiply(k: Any, layer: Multiply, order: int, u: Jet, v: Jet) -> Value | None:
    product = contraction.product(k, layer)
    pairs = ((j, order - j) for j in range(order + 1))
    return total(convolve(k, u.indices, i, u.levels[i], j, v.levels[j], product) for i, j in pairs)


def _maximum(k: Any, layer: Maximum, order: int, x: Jet) -> Value | None:
    return tournament(k, layer, x, order)[-1].levels[order]


def rounds(k: Any, layer: Maximum, x: Jet) -> list[Jet]:
    """Return the competitors of each round of the tournament, as many levels as stand."""
    jets: list[Jet] = x.once(layer, lambda: [Jet(x.indices, []) for _ in layer.groups.T])
    for jet, group in zip(jets, layer.groups.T, strict=True):
        for level in x.levels[len(jet.levels) :]:
            jet.levels.append(None if level is None else k.take(level, group, -1))
    return jets


def tournament(k: Any, layer: Maximum, x: Jet, order: int = 0) -> list[Jet]:
    """Return the best after each round, up to an order: where b > a it is b, else a, so that the first wins a tie."""
    best, *others = rounds(k, layer, x)
    result = [best]
    for other in others:
        known = best.once("larger", functools.partial(Jet, x.indices, []))
        for n in range(len(known.levels), order + 1):
            known.levels.append(_larger(k, n, best, other))
        best = known
        result.append(best)
    return result


def _larger(k: Any, order: int, a: Jet, b: Jet) -> Value | None:
    u, v = a.levels[order], b.levels[order]
    if order == 0:
        return k.keep(k.largest(u, v), "max")
    known: Any = v if u is None else u
    if known is None:
        return None
    of_a, of_b = (k.zeros(tuple(known.shape)) if level is None else level for level in (u, v))
    rivals = k.rivals(a, b, order) if hasattr(k, "rivals") else (b.value, a.value)
    return k.where_greater(*rivals, of_b, of_a)


def _softmax(k: Any, layer: Softmax, order: int, z: Jet) -> Value | None:
    log, plain = softmax(k, layer, order, z)
    level: Any = (log if layer.log else plain).levels[order]
    size = z.value.shape[-1]
    return None if level is None else k.reshape(level, (*level.shape[:-2], size))


def softmax(k: Any, layer: Softmax, order: int, z: Jet) -> tuple[Jet, Jet]:
    """Return q = ln s and s up to an order, in groups: sᵢ' = sᵢ qᵢ', qᵢ' = zᵢ' - Σ sⱼ zⱼ'.

    Their levels have shape (K_l, ..., groups, size of a group).
    """
    size = z.value.shape[-1]
    group = layer.group or size
    grouped, q, s = z.once(("softmax", group), lambda: tuple(Jet(z.indices, []) for _ in range(3)))
    for n in range(len(s.levels), order + 1):
        level = z.levels[n]
        grouped.levels.append(None if level is None else k.reshape(level, (*level.shape[:-1], size // group, group)))
        if n == 0:
            for jet, value in zip(
                (q, s), getattr(k, "softmaxes", functools.partial(_softmaxes, k))(grouped.value), strict=True
            ):
                jet.levels.append(value)
            continue
        mean = euler(k, grouped, n, s.levels.__getitem__)
        if mean is not None:
            mean = k.broadcast(-k.total(mean, -1)[..., None], tuple(mean.shape))
        q.levels.append(total([grouped.levels[n], mean]))
        s.levels.append(euler(k, q, n, s.levels.__getitem__))
    return q, s


def _softmaxes(k: Any, z: Value) -> tuple[Value, Value]:
    """Return the logarithm of softmax, and softmax."""
    if k.floating:
        z = z - k.top(z)
    log = z - k.log(k.total(k.exp(z), -1)[..., None])
    return log, k.exp(log)


def _mixing(k: Any, layer: Any, order: int, x: Jet) -> Value | None:
    function, _, _, v = inner(k, layer, len(x.levels) - 1, x)  # all that stand: one side of a kink asks for them
    return series(k, function, v).function(function, order)


def inner(k: Any, layer: Any, order: int, x: Jet) -> tuple[Activation, Activation, Jet, Jet]:
    """Return f, f⁻¹, u = f⁻¹∘x and v = W u + b of a mixing layer f(W f⁻¹(x) + b), up to an order."""
    exponential = isinstance(layer, PowerProduct)
    function = activation("exp") if exponential else layer.function
    inverse = activation("log") if exponential else layer.inverse
    u, v = x.once(id(layer), lambda: (Jet(x.indices, []), Jet(x.indices, [])))
    for n in range(len(v.levels), order + 1):
        level = series(k, inverse, x).function(inverse, n)
        if n == 0 and exponential and k.huge is not None:
            level = k.clip(level, -k.huge, k.huge)  # so that a zero weight makes 1 of 0 and of inf
        u.levels.append(level)
        v.levels.append(_affine(k, layer, n, u))
    return function, inverse, u, v


def _concatenate(k: Any, layer: Concatenate, order: int, *parts: Jet) -> Value | None:
    del layer
    return joined(k, [p.levels[order] for p in parts], [p.value.shape[-1] for p in parts])


def joined(k: Any, levels: Sequence[Value | None], sizes: Sequence[int]) -> Value | None:
    """Return parts of some sizes side by side on the last axis; None is zero."""
    known = [a for a in levels if a is not None]
    if not known:
        return None
    shapes = [tuple(a.shape[:-1]) for a in known]
    lead = tuple(0 if 0 in axis else max(axis) for axis in zip(*shapes, strict=True))
    full = [
        k.zeros((*lead, n)) if a is None else k.broadcast(a, (*lead, n)) for a, n in zip(levels, sizes, strict=True)
    ]
    return k.concat(full, -1)


def _select(k: Any, layer: Select, order: int, x: Jet) -> Value | None:
    level = x.levels[order]
    return None if level is None else k.take(level, layer.indices, -1)


RULES: dict[type[Layer], Callable[..., Value | None]] = {
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
