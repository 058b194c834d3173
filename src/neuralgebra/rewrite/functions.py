"""Laws of functions, coordinate by coordinate: composition, cancellation, names, and how they pass other layers."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from neuralgebra.functions.activation import Activation, compose
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Maximum, Select, Softmax
from neuralgebra.network.linear import Diagonal
from neuralgebra.rewrite.graph import OUTPUT, Apply, Graph, Term
from neuralgebra.rewrite.ranges import POSITIVE, Range, direction, image, through
from neuralgebra.rewrite.rules import Found
from neuralgebra.rewrite.words import Word, cancelled, known, of_layer, on_words, one_to_one, without_identity

__all__ = [
    "cancel",
    "composed",
    "composed_from_inside",
    "gather",
    "identity",
    "inserted",
    "named",
    "passed",
    "pooled",
    "softmaxes",
    "split",
    "unpooled",
]

Letters = Collection[str] | None
"""Names of the functions that a law may move; None: all."""


def elementwise(graph: Graph, wire: int) -> Elementwise | None:
    """Return the layer of a wire if it is one of functions."""
    layer = graph.layer(wire)
    return layer if isinstance(layer, Elementwise) else None


def composed(graph: Graph, wire: int) -> Found:
    """g after f is one function."""
    outer = elementwise(graph, wire)
    inner = elementwise(graph, graph.before(wire)) if outer else None
    if outer is None or inner is None:
        return None
    layer = on_words((outer, inner), graph.sizes[wire], lambda word: word)
    return layer if not isinstance(layer, Elementwise) else Apply(layer, graph.nodes[graph.before(wire)].inputs)


def composed_from_inside(graph: Graph, wire: int) -> Found:
    """g after f is one function, once f is one with what is before it: some compositions are not to be had."""
    outer, inner = elementwise(graph, wire), elementwise(graph, graph.before(wire)) if wire in graph.nodes else None
    if outer is None or inner is None or isinstance(composed(graph, graph.before(wire)), Apply):
        return None
    return composed(graph, wire)


def split(graph: Graph, wire: int) -> Found:
    """A composition is its outermost function after the others."""
    layer = elementwise(graph, wire)
    words = of_layer(layer, graph.sizes[wire]) if layer else []
    if layer is None or layer.only is None or len(words[0]) < 2:
        return None
    (first, *rest) = words[0]
    return Apply.to(Elementwise(first), Elementwise(compose(rest)), graph.before(wire))


def cancel(graph: Graph, wire: int) -> Found:
    """A function after its inverse is a wire."""
    outer = elementwise(graph, wire)
    if outer is None:
        return None
    wanted, before = graph.needed(wire), graph.before(wire)
    alone = _on_word(graph, wire, lambda word, start: cancelled(word, graph.ranges[start], wanted))
    inner = elementwise(graph, before)
    if isinstance(alone, Apply | int) or inner is None:
        return _with_number(alone, before)
    start = graph.before(before)
    layer = on_words((outer, inner), graph.sizes[wire], lambda word: cancelled(word, graph.ranges[start], wanted))
    return Apply(layer, (start,)) if isinstance(layer, Elementwise) else _with_number(layer or alone, start)


def _with_number(found: Found, wire: int) -> Found:
    """Return what was found; a reason that is about the wire of the arguments says which one it is."""
    return found.replace("the wire is", f"wire {wire} is") if isinstance(found, str) else found


def _on_word(graph: Graph, wire: int, rule: Callable[[Word, int], Word | str | None]) -> Found:
    outer = elementwise(graph, wire)
    if outer is None:
        return None
    start = graph.before(wire)
    layer = on_words((outer,), graph.sizes[wire], lambda word: rule(word, start))
    return Apply(layer, (start,)) if isinstance(layer, Elementwise) else layer


def inserted(function: Activation) -> Callable[[Graph, int], Found]:
    """A wire is f⁻¹ after f."""

    def find(graph: Graph, wire: int) -> Found:
        inverse = function.inverse
        if inverse is None:
            return f"{function} has no inverse in the catalogue"
        if not graph.ranges[wire].within(one_to_one(function)):
            return f"wire {wire} is {graph.ranges[wire]}, {function} is one to one on {one_to_one(function)}"
        return Apply.to(Elementwise(inverse), Elementwise(function), wire)

    return find


def identity(graph: Graph, wire: int) -> Found:
    """A function that is the identity on what it is given is a wire."""
    return _on_word(graph, wire, lambda word, start: without_identity(word, graph.ranges[start]))


def named(graph: Graph, wire: int) -> Found:
    """A word that is a known function has its name; a word that others would join is not yet one."""
    if elementwise(graph, wire) is None:
        return None
    neighbours = [graph.before(wire), *(user for user, _ in graph.users[wire] if user != OUTPUT)]
    if any(elementwise(graph, w) for w in neighbours):
        return None
    return _on_word(graph, wire, lambda word, start: known(word, graph.ranges[start]))


# Past wiring and maxima -------------------------------------------------------------------------------------------


def _innermost(graph: Graph, wire: int, letters: Letters) -> tuple[Activation, list[Activation]] | str | None:
    """Return the one function applied first at a wire, and the functions after it, innermost first."""
    layer = elementwise(graph, wire)
    if layer is None:
        return None
    if layer.only is None:
        return None if letters is not None else f"wire {wire} has several functions; the rule needs one for all units"
    *rest, first = layer.only.letters
    if letters is not None and first.name not in letters:
        return None
    if any(isinstance(value, tuple) for _, value in first.parameters):
        return f"{first.name} at wire {wire} has a parameter for each unit; the rule needs one for all"
    return first, rest[::-1]


def _outermost(graph: Graph, wire: int, letters: Letters) -> tuple[Activation, Term] | str | None:
    """Return the one function applied last at a wire, and the term before it."""
    layer = elementwise(graph, wire)
    if layer is None:
        return None
    if layer.only is None:
        return f"wire {wire} has several functions; the rule needs one for all units"
    last, *rest = layer.only.letters
    if letters is not None and last.name not in letters:
        return None
    if any(isinstance(value, tuple) for _, value in last.parameters):
        return f"{last.name} at wire {wire} has a parameter for each unit; the rule needs one for all"
    inner: Term = graph.before(wire)
    return last, Apply(Elementwise(compose(rest)), (inner,)) if rest else inner


def _outside(rest: list[Activation], term: Term) -> Term:
    return Apply(Elementwise(compose(rest[::-1])), (term,)) if rest else term


def passed(letters: Letters = None) -> Callable[[Graph, int], Found]:
    """f after wiring is wiring after f: the functions are applied before coordinates are chosen or joined."""

    def find(graph: Graph, wire: int) -> Found:
        found = _innermost(graph, wire, letters)
        if not isinstance(found, tuple):
            return found if found and isinstance(graph.layer(graph.before(wire)), Select | Concatenate) else None
        first, rest = found
        node = graph.nodes.get(graph.before(wire))
        if node is None or not isinstance(node.layer, Select | Concatenate):
            return None
        inputs = tuple(Apply(Elementwise(first), (i,)) for i in node.inputs)
        return _outside(rest, Apply(node.layer, inputs))

    return find


def gather(letters: Letters = None) -> Callable[[Graph, int], Found]:
    """Wiring after f is f after wiring, where all that is joined has the same f outermost."""

    def find(graph: Graph, wire: int) -> Found:
        node = graph.nodes.get(wire)
        if node is None or not isinstance(node.layer, Select | Concatenate):
            return None
        found = [_outermost(graph, i, letters) for i in node.inputs]
        if any(f is None for f in found):
            return None
        pairs = [f for f in found if isinstance(f, tuple)]
        if len(pairs) < len(found) or len({f for f, _ in pairs}) > 1:
            return f"what is joined at wire {wire} has several functions; the rule needs one for all"
        return Apply(Elementwise(pairs[0][0]), (Apply(node.layer, tuple(term for _, term in pairs)),))

    return find


def pooled(letters: Letters = None) -> Callable[[Graph, int], Found]:
    """A maximum after f is f after the maximum where f rises, after the minimum where it falls."""

    def find(graph: Graph, wire: int) -> Found:
        layer = graph.layer(wire)
        found = _outermost(graph, graph.before(wire), letters) if isinstance(layer, Maximum) else None
        if not isinstance(layer, Maximum) or not isinstance(found, tuple):
            return found if isinstance(found, str) else None
        function, term = found
        values = _range(graph, graph.before(wire), term)
        sign = direction(function, values)
        if not sign:
            return f"{function} before the maximum at wire {wire} is not known to rise or fall on its argument"
        return Apply.to(Elementwise(function), _extremum(layer, sign, values, graph.sizes[graph.before(wire)], term))

    return find


def _range(graph: Graph, wire: int, term: Term) -> Range:
    """Return the range of the argument of the outermost function at a wire."""
    values = graph.ranges[graph.before(wire)]
    return through(term.layer, [values]) if isinstance(term, Apply) else values


def unpooled(letters: Letters = None) -> Callable[[Graph, int], Found]:
    """f after a maximum is the maximum after f where f rises, the minimum where it falls."""

    def find(graph: Graph, wire: int) -> Found:
        node = graph.nodes.get(graph.before(wire)) if wire in graph.nodes else None
        if node is None or not isinstance(node.layer, Maximum):
            return None
        found = _innermost(graph, wire, letters)
        if not isinstance(found, tuple):
            return found
        function, rest = found
        values = graph.ranges[node.inputs[0]]
        sign = direction(function, values)
        if not sign:
            return f"{function} after the maximum at wire {wire} is not known to rise or fall on its argument"
        inner = Apply(Elementwise(function), node.inputs)
        return _outside(rest, _extremum(node.layer, sign, image(function, values), graph.sizes[node.inputs[0]], inner))

    return find


def _extremum(layer: Maximum, sign: int, values: Range, size: int, term: Term) -> Term:
    """Return the maxima of groups, or their minima: min x = 1/max(1/x) of positive numbers, else -max(-x)."""
    if sign > 0:
        return Apply(layer, (term,))
    reciprocals = isinstance(term, Apply) and term.layer == Elementwise("reciprocal")  # whose reciprocals lead back
    if values.within(POSITIVE) and not reciprocals:
        return Apply.to(Elementwise("reciprocal"), layer, Elementwise("reciprocal"), term)
    inner, outer = (Affine(Diagonal(-np.ones(n))) for n in (size, len(layer.groups)))
    return Apply.to(outer, layer, inner, term)


def softmaxes(graph: Graph, wire: int) -> Found:
    """ln after softmax is log-softmax, exp after log-softmax is softmax."""
    found = _innermost(graph, wire, ("log", "exp"))
    node = graph.nodes.get(graph.before(wire)) if isinstance(found, tuple) else None
    if node is None or not isinstance(node.layer, Softmax) or not isinstance(found, tuple):
        return None
    first, rest = found
    if (first.name == "log") == node.layer.log:
        return None
    return _outside(rest, Apply(Softmax(node.layer.group, log=not node.layer.log), node.inputs))
