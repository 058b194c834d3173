"""Absorption at the ends: a function becomes part of what goes in or comes out. These are no equations of functions.

At the inputs x = g(t), and the network takes t: g⁻¹ after it cancels. At the outputs v = h(y) is given in place of y.
"""

from __future__ import annotations

from neuralgebra.errors import UsageError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Elementwise
from neuralgebra.rewrite.graph import OUTPUT, Apply, Graph
from neuralgebra.rewrite.ranges import domain_of
from neuralgebra.rewrite.rules import Found, Rule

__all__ = ["absorbing"]


def absorbing(end: str, function: Activation) -> Rule:
    """Return the law that absorbs a function at an end, "inputs" or "outputs"."""
    inverse = function.inverse
    if inverse is None:
        raise UsageError(f"{function} received; a function with an inverse expected.")
    find, statement, condition = {
        "inputs": (_inputs, f"x = {inverse}(t), t goes in", f"every use of x begins with {function}"),
        "outputs": (_outputs, f"{inverse}(y) comes out", f"the last function is {function}"),
    }[end]
    return Rule(
        f"absorb {end}",
        statement,
        condition,
        lambda graph, wire: find(graph, wire, function, inverse),
        interface=end,
        by=function,
    )


def _inputs(graph: Graph, wire: int, function: Activation, inverse: Activation) -> Found:
    if wire:
        return None
    for user, _ in graph.users[0]:
        layer = None if user == OUTPUT else graph.layer(user)
        if not isinstance(layer, Elementwise) or any(f.letters[-1] != function for f, _ in layer.activations):
            return f"the input is taken without {function} by " + ("the output" if user == OUTPUT else f"wire {user}")
    return Apply(Elementwise(inverse), (0,))


def _outputs(graph: Graph, wire: int, function: Activation, inverse: Activation) -> Found:
    if wire != graph.output:
        return None
    layer = graph.layer(wire)
    if not isinstance(layer, Elementwise) or any(f.letters[0] != function for f, _ in layer.activations):
        return f"the last function at wire {wire} is not {function}"
    if not graph.ranges[wire].within(domain_of(inverse)):
        return f"wire {wire} is {graph.ranges[wire]}, {inverse} is not defined on all of it"
    return Apply(Elementwise(inverse), (wire,))
