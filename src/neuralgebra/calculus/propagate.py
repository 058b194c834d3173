"""One propagation rule per kind of layer, in the algebra of jets; a table, run on every kind of number.

Products are Cauchy products. Everything else uses the Euler operator E = Σ tᵢ ∂/∂tᵢ, for which E(σ∘z) = (σ'∘z)·E z,
coefficient by coefficient::

    |α| a_α = Σ_{0<β≤α} |β| z_β (σ'∘z)_{α-β}

one recurrence for every index set: Jacobian, Hessian, a direction to order n, one mixed partial.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.jet import Jet, convolve
from neuralgebra.functions.activation import Activation, Chain, activation
from neuralgebra.functions.polynomial import Monomial, Polynomial
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

__all__ = ["RULES", "compose", "propagate"]

# Up to this order the levels of σ'∘z come from the derivative polynomials themselves, whose accuracy is that of the
# catalogue; above it from products of the chain, whose cost grows with the square of the order only.
_DIRECT = 3


def propagate(k: Any, network: Network, x: Jet) -> Jet:
    """Return the jet of the output, given the jet of the input.

    Parameters
    ----------
    k : Kind
        The kind of number of the jet.
    network : Network
        The function.
    x : Jet
        Levels of shape (K_l, ..., n).

    Returns
    -------
    Jet
        Levels of shape (K_l, ..., m).
    """
    jets: list[Jet | None] = [x]
    last_use = _last_uses(network)
    for place, node in enumerate(network.nodes, 1):
        k.at(place)
        arguments = [jets[i] for i in node.inputs]
        jet = RULES[type(node.layer)](k, node.layer, *arguments)
        jets.append(Jet(jet.indices, tuple(_kept(k, jet, level) for level in range(len(jet.levels)))))
        for i in {i for i in node.inputs if last_use[i] == place}:
            jets[i] = None
    result = jets[network.output]
    assert result is not None
    return result


def _kept(k: Any, jet: Jet, level: int) -> Value | None:
    array = jet.levels[level]
    return None if array is None else k.keep(array, "", jet.indices.levels[level])


def _last_uses(network: Network) -> dict[int, int]:
    uses = {i: place for place, node in enumerate(network.nodes, 1) for i in node.inputs}
    return {**uses, network.output: len(network.nodes) + 1}


# Rules ------------------------------------------------------------------------------------------------------------


def _affine(k: Any, layer: Any, x: Jet) -> Jet:
    y = x.map(lambda level: layer.weight.apply(k, level))
    if layer.bias is None:
        return y
    return Jet(y.indices, (y.value + k.weight(layer.bias), *y.levels[1:]))


def _elementwise(k: Any, layer: Elementwise, z: Jet) -> Jet:
    if layer.only is not None:
        return compose(k, layer.only, z)
    start, parts = 0, []
    for function, size in layer.activations:
        end = start + int(size or 0)
        parts.append(compose(k, function, z.map(lambda a, i=start, j=end: a[..., i:j])))  # type: ignore[misc]
        start = end
    return _concatenate(k, Concatenate(), *parts)


def _multiply(k: Any, layer: Multiply, u: Jet, v: Jet) -> Jet:
    product = None if layer.shape is None else functools.partial(_contract, k, layer.shape)
    levels = []
    for order in range(len(u.levels)):
        terms = [
            convolve(k, u.indices, j, u.levels[j], order - j, v.levels[order - j], product) for j in range(order + 1)
        ]
        levels.append(_sum(terms))
    return Jet(u.indices, tuple(levels))


def _contract(k: Any, shape: tuple[int, int, int, int], u: Value, v: Value) -> Value:
    batch, p, q, r = shape
    left = k.reshape(u, (*u.shape[:-1], batch, p, q))
    right = k.reshape(v, (*v.shape[:-1], batch, q, r))
    product = left @ right
    return k.reshape(product, (*product.shape[:-3], batch * p * r))


def _maximum(k: Any, layer: Maximum, x: Jet) -> Jet:
    """Tournament: the derivatives of max(a, b) are those of b where b > a, else of a; the first wins a tie."""
    rounds = [x.map(lambda a, i=group: k.take(a, i, -1)) for group in layer.groups.T]  # type: ignore[misc]
    return functools.reduce(lambda a, b: _larger(k, a, b), rounds)


def _larger(k: Any, a: Jet, b: Jet) -> Jet:
    levels: list[Value | None] = [k.keep(k.largest(a.value, b.value), "max")]
    for u, v in zip(a.levels[1:], b.levels[1:], strict=True):
        known = u if v is None else v
        if known is None:
            levels.append(None)
            continue
        of_a, of_b = (k.zeros(tuple(known.shape)) if level is None else level for level in (u, v))
        levels.append(k.where_greater(b.value, a.value, of_b, of_a))
    return Jet(a.indices, tuple(levels))


def _softmax(k: Any, layer: Softmax, z: Jet) -> Jet:
    """Solve sᵢ' = sᵢ qᵢ', qᵢ' = zᵢ' - Σ sⱼ zⱼ' with q = ln s, level by level."""
    size = z.value.shape[-1]
    group = layer.group or size
    z = z.map(lambda a: k.reshape(a, (*a.shape[:-1], size // group, group)))
    q: list[Value | None] = [_log_softmax(k, z.value)]
    s: list[Value | None] = [k.exp(q[0])]
    for order in range(1, len(z.levels)):
        mean = _euler(k, z, order, s.__getitem__)
        if mean is not None:
            mean = k.broadcast(-k.total(mean, -1)[..., None], tuple(mean.shape))
        q.append(_sum([z.levels[order], mean]))
        s.append(_euler(k, Jet(z.indices, tuple(q)), order, s.__getitem__))
    result = Jet(z.indices, tuple(q if layer.log else s))
    return result.map(lambda a: k.reshape(a, (*a.shape[:-2], size)))


def _log_softmax(k: Any, z: Value) -> Value:
    if k.floating:
        z = z - k.xp.max(z, axis=-1, keepdims=True)
    return z - k.log(k.total(k.exp(z), -1)[..., None])


def _euler(k: Any, z: Jet, order: int, slope: Callable[[int], Value | None]) -> Value | None:
    """Return (1/n) Σ_{j=1..n} j · z_j · slope(n-j), level n = order of a function with that slope along z."""
    terms = []
    for j in range(1, order + 1):
        term = convolve(k, z.indices, j, z.levels[j], order - j, slope(order - j))
        terms.append(term if term is None or j == order else term * k.number(Fraction(j, order)))
    return _sum(terms)


def _mixing(k: Any, layer: Any, x: Jet) -> Jet:
    """Compose f ∘ affine ∘ f⁻¹."""
    if isinstance(layer, PowerProduct):
        function, inverse = activation("exp"), activation("log")
    else:
        function, inverse = layer.function, layer.inverse
    return compose(k, function, _affine(k, layer, compose(k, inverse, x)))


def _concatenate(k: Any, layer: Concatenate, *parts: Jet) -> Jet:
    del layer
    levels = [_joined(k, [p.levels[n] for p in parts], parts) for n in range(len(parts[0].levels))]
    return Jet(parts[0].indices, tuple(levels))


def _joined(k: Any, levels: list[Value | None], parts: tuple[Jet, ...]) -> Value | None:
    known = [a for a in levels if a is not None]
    if not known:
        return None
    sizes = [tuple(a.shape[:-1]) for a in known]
    lead = tuple(0 if 0 in axis else max(axis) for axis in zip(*sizes, strict=True))
    full = [
        k.zeros((*lead, p.value.shape[-1])) if a is None else k.broadcast(a, (*lead, a.shape[-1]))
        for a, p in zip(levels, parts, strict=True)
    ]
    return k.concat(full, -1)


def _select(k: Any, layer: Select, x: Jet) -> Jet:
    return x.map(lambda level: k.take(level, layer.indices, -1))


def _sum(terms: list[Value | None]) -> Value | None:
    known = [t for t in terms if t is not None]
    return functools.reduce(operator.add, known) if known else None


RULES: dict[type[Layer], Callable[..., Jet]] = {
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


# Activations ------------------------------------------------------------------------------------------------------


def compose(k: Any, function: Activation, z: Jet) -> Jet:
    """Return the jet of σ∘z.

    Parameters
    ----------
    k : Kind
        The kind of number.
    function : Activation
        σ.
    z : Jet
        Levels of shape (K_l, ..., n).

    Returns
    -------
    Jet
        Levels of the same shapes.
    """
    series = _Series(k, function, z)
    value = series.chain.polynomial(function.row.value)
    return Jet(z.indices, (value, *(series.level(function.row.value, n) for n in range(1, len(z.levels)))))


class _Series:
    """Levels of polynomials in the chain along a jet, each computed when first asked for."""

    def __init__(self, k: Any, function: Activation, z: Jet) -> None:
        self.k, self.row, self.z = k, function.row, z
        self.chain = Chain(k, function, z.value)
        self.direct = len(z.levels) - 1 <= _DIRECT
        self._known: dict[tuple[Any, int], Value | None] = {}

    def level(self, polynomial: Polynomial, order: int) -> Value | None:
        """Return one level of a polynomial in z and the chain."""
        return self._once(polynomial, order, self._polynomial) if polynomial else None

    def _once(self, key: Any, order: int, compute: Callable[[Any, int], Value | None]) -> Value | None:
        if (key, order) not in self._known:
            self._known[key, order] = compute(key, order)
        return self._known[key, order]

    def _polynomial(self, polynomial: Polynomial, order: int) -> Value | None:
        if order == 0:
            return self.chain.polynomial(polynomial)
        if self.direct:
            return self._integral(polynomial.derivative(self.row.slope), order)
        terms = []
        for monomial, coefficient in polynomial:
            term = self._once(monomial, order, self._monomial)
            terms.append(term if term is None or coefficient == 1 else term * self.k.number(coefficient))
        return _sum(terms)

    def _monomial(self, monomial: Monomial, order: int) -> Value | None:
        if not monomial:
            return None
        if order == 0:
            return self.chain.monomial(monomial)
        (name, exponent), *others = monomial
        if exponent == 1 and not others:
            return self.z.levels[order] if name == "z" else self._integral(self.row.slope(name), order)
        rest = ((name, exponent - 1), *others) if exponent > 1 else tuple(others)
        first: Monomial = ((name, 1),)
        terms = []
        for j in range(order + 1):
            u, v = self._once(first, j, self._monomial), self._once(rest, order - j, self._monomial)
            terms.append(convolve(self.k, self.z.indices, j, u, order - j, v))
        return _sum(terms)

    def _integral(self, slope: Polynomial, order: int) -> Value | None:
        """Return a level of the function whose derivative with respect to z is given."""
        return _euler(self.k, self.z, order, functools.partial(self.level, slope))
