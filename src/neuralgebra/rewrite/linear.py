"""Laws of layers with weights: additive, multiplicative and mixing ones, softmax, sums of products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neuralgebra.functions.activation import Activation, compose
from neuralgebra.network.fold import merged
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.network.linear import Dense, Diagonal, identity
from neuralgebra.rewrite.graph import Apply, Graph, Term
from neuralgebra.rewrite.ranges import POSITIVE, REAL, image
from neuralgebra.rewrite.rules import Found
from neuralgebra.rewrite.words import one_to_one

__all__ = [
    "added",
    "additive",
    "fused",
    "log_sum_exp",
    "mixed",
    "mixed_by",
    "multiplicative",
    "multiplied",
    "normalised",
    "of_exponentials",
    "product",
    "unmixed",
]

_TERMS = 1_000_000  # numbers of the matrix of a log-sum-exp


def _function(name: str | Activation) -> Elementwise:
    return Elementwise(name)


# One kind of layer by another: the same weight objects ---------------------------------------------------------------


def additive(graph: Graph, wire: int) -> Found:
    """M_W = exp ∘ A_W ∘ ln, on positive numbers, where M is defined."""
    layer = graph.layer(wire)
    if not isinstance(layer, PowerProduct):
        return None
    return Apply.to(_function("exp"), Affine(layer.weight, layer.bias), _function("log"), graph.before(wire))


def multiplicative(graph: Graph, wire: int) -> Found:
    """A_W = ln ∘ M_W ∘ exp."""
    layer = graph.layer(wire)
    if not isinstance(layer, Affine):
        return None
    return Apply.to(_function("log"), PowerProduct(layer.weight, layer.bias), _function("exp"), graph.before(wire))


def added(graph: Graph, wire: int) -> Found:
    """ln ∘ M_W ∘ exp = A_W."""
    outer = graph.layer(wire)
    middle = graph.before(wire) if isinstance(outer, Elementwise) and outer.only else None
    layer = graph.layer(middle) if middle else None
    inner = graph.layer(graph.before(middle)) if isinstance(layer, PowerProduct) and middle else None
    if not isinstance(inner, Elementwise) or inner.only is None or not isinstance(layer, PowerProduct) or not middle:
        return None
    assert isinstance(outer, Elementwise)
    assert outer.only is not None
    first, *beyond = outer.only.letters[::-1]
    last, *rest = inner.only.letters
    if first.name != "log" or last.name != "exp":
        return None
    start: Term = graph.before(graph.before(middle))
    term: Term = Apply(Affine(layer.weight, layer.bias), (_before(rest, start),))
    return _beyond(beyond, term)


def _before(rest: list[Activation], term: Term) -> Term:
    """Return functions, outermost first, applied to a term."""
    return Apply(_function(compose(rest)), (term,)) if rest else term


def _beyond(rest: list[Activation], term: Term) -> Term:
    """Return functions, innermost first, applied to a term."""
    return _before(rest[::-1], term)


def unmixed(graph: Graph, wire: int) -> Found:
    """Mix_{f,W} = f ∘ A_W ∘ f⁻¹."""
    layer = graph.layer(wire)
    if not isinstance(layer, Mixing):
        return None
    inner = Apply.to(Affine(layer.weight, layer.bias), _function(layer.inverse), graph.before(wire))
    return Apply.to(_function(layer.function), inner)


def mixed_by(function: Activation) -> Callable[[Graph, int], Found]:
    """A_W = f⁻¹ ∘ Mix_{f,W} ∘ f, for a bijection f of the real numbers onto its range."""

    def find(graph: Graph, wire: int) -> Found:
        layer = graph.layer(wire)
        if not isinstance(layer, Affine):
            return None
        inverse = function.inverse
        if inverse is None or not REAL.within(one_to_one(function)):
            return f"{function} received; a bijection of the real numbers onto its values is needed"
        mix = Mixing(function, layer.weight, layer.bias)
        return Apply.to(_function(inverse), mix, _function(function), graph.before(wire))

    return find


def multiplied(graph: Graph, wire: int) -> Found:
    """exp ∘ A_W ∘ ln = M_W."""
    outer = graph.layer(wire)
    only = outer.only if isinstance(outer, Elementwise) else None
    return mixed(graph, wire) if only is not None and only.letters[-1].name == "exp" else None


def mixed(graph: Graph, wire: int) -> Found:
    """f ∘ A_W ∘ f⁻¹ = Mix_{f,W}, and M_W for f = exp."""
    outer = graph.layer(wire)
    middle = graph.before(wire) if isinstance(outer, Elementwise) and outer.only else None
    layer = graph.layer(middle) if middle else None
    inner = graph.before(middle) if isinstance(layer, Affine) and middle else None
    first = graph.layer(inner) if inner else None
    if not isinstance(first, Elementwise) or not first.only or not isinstance(layer, Affine) or inner is None:
        return None
    assert isinstance(outer, Elementwise)
    assert outer.only is not None
    function, *beyond = outer.only.letters[::-1]
    inverse, *before = first.only.letters
    if function.inverse != inverse:
        return None
    if function.row.domain != (-np.inf, np.inf):
        return f"{function} is no function of all real numbers, which the sums at wire {middle} may be"
    exponential = function.name == "exp"
    mix = PowerProduct(layer.weight, layer.bias) if exponential else Mixing(function, layer.weight, layer.bias)
    return _beyond(beyond, Apply(mix, (_before(before, graph.before(inner)),)))


def fused(graph: Graph, wire: int) -> Found:
    """A_V ∘ A_W = A_{VW} with bias V b + c; so for multiplicative layers, and for mixing by one function."""
    after = graph.layer(wire)
    if not isinstance(after, Affine | PowerProduct | Mixing):
        return None
    middle = graph.before(wire)
    before = graph.layer(middle)
    if type(before) is not type(after) or (isinstance(after, Mixing) and after.function != before.function):  # type: ignore[union-attr]
        return None
    assert isinstance(before, Affine | PowerProduct | Mixing)
    if isinstance(after, Mixing) and not REAL.within(one_to_one(after.function)):
        return f"{after.function} does not map R one to one, and the sums at wire {middle} may be any numbers"
    if not all(isinstance(layer.weight, Dense | Diagonal) for layer in (after, before)):
        return f"the weight at wire {wire} or {middle} has a structure that is kept"
    if len(graph.users[middle]) > 1:
        return f"wire {middle} is taken by others too"
    dtype = np.result_type(*after.arrays, *before.arrays)
    both = merged(Affine(after.weight, after.bias), Affine(before.weight, before.bias), dtype)
    arguments = (both.weight, both.bias)
    layer = Mixing(after.function, *arguments) if isinstance(after, Mixing) else type(after)(*arguments)
    return Apply(layer, (graph.before(middle),))


# Softmax ----------------------------------------------------------------------------------------------------------


def normalised(graph: Graph, wire: int) -> Found:
    """Softmax ∘ ln = z / Σ z, and log-softmax ∘ ln its logarithm, for z > 0."""
    layer = graph.layer(wire)
    inner = graph.layer(graph.before(wire)) if isinstance(layer, Softmax) else None
    if not isinstance(layer, Softmax) or not isinstance(inner, Elementwise) or inner.only is None:
        return None
    last, *rest = inner.only.letters
    if last.name != "log":
        return None
    start = graph.before(graph.before(wire))
    z, values = _before(rest, start), image(compose(rest), graph.ranges[start])
    if not values.within(POSITIVE):
        return f"what log takes at wire {graph.before(wire)} is {values}, the rule needs z > 0"
    shares = _shares(z, graph.sizes[wire], layer.group or graph.sizes[wire], graph.network.dtype)
    return Apply(_function("log"), (shares,)) if layer.log else shares


def _shares(z: Term, size: int, group: int, dtype: np.dtype) -> Apply:
    groups = size // group
    ones = np.kron(np.eye(groups, dtype=dtype), np.ones((1, group), dtype))
    inverse = Apply.to(_function("reciprocal"), Affine(ones), z)
    return Apply(Multiply(), (z, Apply(Select(np.repeat(np.arange(groups), group)), (inverse,))))


def of_exponentials(graph: Graph, wire: int) -> Found:
    """z / Σ z after exp is softmax."""
    node = graph.nodes.get(wire)
    if node is None or not isinstance(node.layer, Multiply):
        return None
    z, spread = node.inputs
    layer, size = graph.layer(z), graph.sizes[z]
    if not isinstance(layer, Elementwise) or layer.only is None or layer.only.letters[0].name != "exp":
        return None
    for group in range(1, size + 1):
        if size % group == 0 and _is(graph, spread, _shares(z, size, group, graph.network.dtype).inputs[1]):
            rest = layer.only.letters[1:]
            start: Term = graph.before(z)
            return Apply(Softmax(None if group == size else group), (_before(list(rest), start),))
    return None


def _is(graph: Graph, wire: int, term: Term) -> bool:
    if isinstance(term, int):
        return wire == term
    node = graph.nodes.get(wire)
    if node is None or not _same(node.layer, term.layer) or len(node.inputs) != len(term.inputs):
        return False
    return all(_is(graph, i, t) for i, t in zip(node.inputs, term.inputs, strict=True))


def _same(one: object, other: object) -> bool:
    if isinstance(one, Affine) and isinstance(other, Affine) and one.bias is None:
        return one.weight.shape == other.weight.shape and np.array_equal(one.weight.dense(), other.weight.dense())
    return one == other


# Sums of products, products of exponentials ---------------------------------------------------------------------------


def log_sum_exp(graph: Graph, wire: int) -> Found:
    """ln Σ_k v_k exp(z_k) = LSE_k(z_k + ln v_k), for v_k ≥ 0; LSE(z) = z₁ - log-softmax(z)₁."""
    outer = graph.layer(wire)
    middle = graph.before(wire) if isinstance(outer, Elementwise) and outer.only else None
    layer = graph.layer(middle) if middle else None
    inner = graph.layer(graph.before(middle)) if isinstance(layer, Affine) and middle else None
    if not isinstance(inner, Elementwise) or inner.only is None or not isinstance(layer, Affine) or middle is None:
        return None
    assert isinstance(outer, Elementwise)
    assert outer.only is not None
    first, *beyond = outer.only.letters[::-1]
    last, *rest = inner.only.letters
    if first.name != "log" or last.name != "exp":
        return None
    refusal = _not_positive(layer, middle)
    if refusal:
        return refusal
    start: Term = graph.before(graph.before(middle))
    return _beyond(beyond, _sums(layer, _before(rest, start)))


def _not_positive(layer: Affine, wire: int) -> str | None:
    """Return why the logarithm of a sum is none of exponentials."""
    if layer.weight.rows * (layer.weight.columns + 1) * layer.weight.columns > _TERMS:
        return f"the sums at wire {wire} have more than {_TERMS:,} numbers when written as terms"
    v = layer.weight.dense()
    bias = np.zeros(len(v)) if layer.bias is None else layer.bias
    for name, array in (("factor", v), ("constant", bias[:, None])):
        if (array < 0).any():
            i, k = np.argwhere(array < 0)[0]
            return f"{name} {array[i, k]:g} of term {k + 1} of sum {i + 1} at wire {wire}; the rule needs v > 0"
    empty = ~(v > 0).any(axis=1) & (bias == 0)
    return f"sum {int(np.argmax(empty)) + 1} at wire {wire} is 0; the rule needs v > 0" if empty.any() else None


def _sums(layer: Affine, z: Term) -> Term:
    """Return the logarithms of sums, each a group of terms z_k + ln v_k; shorter sums repeat a term with its share."""
    v = layer.weight.dense()
    bias = np.zeros(len(v), v.dtype) if layer.bias is None else layer.bias
    rows = [_terms(row, constant) for row, constant in zip(v, bias, strict=True)]
    if len({len(weight) for weight, _ in rows}) == 1:
        return _grouped(np.concatenate([w for w, _ in rows]), np.concatenate([b for _, b in rows]), len(rows), z)
    return Apply(Concatenate(), tuple(_grouped(weight, logs, 1, z) for weight, logs in rows))


def _terms(row: np.ndarray, constant: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the terms of one sum as rows of an affine map of z, and its bias."""
    places = np.flatnonzero(row)
    weight = np.eye(len(row), dtype=row.dtype)[places]
    logs = np.log(row[places])
    if constant:
        weight = np.concatenate([weight, np.zeros_like(row)[None]])
        logs = np.append(logs, np.log(constant)).astype(row.dtype)
    return weight, logs


def _grouped(weight: np.ndarray, logs: np.ndarray, sums: int, z: Term) -> Term:
    size = len(logs) // sums
    terms = Apply(Affine(weight, logs), (z,))
    firsts = Select(np.arange(0, len(logs), size))
    both = Apply(
        Concatenate(), (Apply(firsts, (terms,)), Apply.to(firsts, Softmax(None if sums == 1 else size, True), terms))
    )
    return Apply(Affine(identity(sums, 2, [1.0, -1.0], weight.dtype)), (both,))


def product(graph: Graph, wire: int) -> Found:
    """exp(u) · exp(v) = exp(u + v)."""
    node = graph.nodes.get(wire)
    if node is None or not isinstance(node.layer, Multiply) or node.layer.shape is not None:
        return None
    terms = []
    for i in node.inputs:
        layer = graph.layer(i)
        if not isinstance(layer, Elementwise) or layer.only is None or layer.only.letters[0].name != "exp":
            return None
        terms.append(_before(list(layer.only.letters[1:]), graph.before(i)))
    total = Affine(identity(graph.sizes[wire], 2, [1.0, 1.0], graph.network.dtype))
    return Apply.to(_function("exp"), total, Apply(Concatenate(), tuple(terms)))
