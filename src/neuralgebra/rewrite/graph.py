"""The working form of a network under rewriting: wires with numbers that stay, and laws that say what a wire equals.

A law replaces one wire: it says that the wire equals a term in earlier wires. All that took the old wire then takes the
new one. Nothing else changes, so a step costs what the term costs, however long the network is.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from neuralgebra.calculus.domain import demands
from neuralgebra.network.builder import Node, is_nothing
from neuralgebra.network.layers import Elementwise, Layer
from neuralgebra.network.network import Network
from neuralgebra.rewrite.ranges import REAL, Range, image, required, through

__all__ = ["OUTPUT", "Apply", "Change", "Graph", "Term", "natural_domain"]

OUTPUT = -1
"""Who takes the wire that the network returns."""


@dataclass(frozen=True)
class Apply:
    """A layer applied to terms."""

    layer: Layer
    inputs: tuple[Any, ...]

    @classmethod
    def to(cls, *path: Layer | Term) -> Term:
        """Return the last of a path, a term, with the layers before it applied, the first of them last."""
        *layers, term = path
        for layer in reversed(layers):
            term = cls(layer, (term,))  # type: ignore[arg-type]
        return term  # type: ignore[return-value]


Term: TypeAlias = int | Apply
"""A wire, or a layer applied to terms."""


@dataclass(frozen=True)
class Change:
    """What a step did: a wire was replaced.

    Parameters
    ----------
    old, new : int
        The wires.
    added : tuple of (int, Node)
        Wires that are new, in their order.
    uses : tuple of (int, int)
        Who takes the new wire in place of the old one: wire and position of the argument.
    """

    old: int
    new: int
    added: tuple[tuple[int, Node], ...]
    uses: tuple[tuple[int, int], ...]


class Graph:
    """A network whose wires can be replaced.

    Parameters
    ----------
    network : Network
        Where it starts: wire 0 is the input, wire i the value at place i.
    domain : Range
        What the input holds.
    """

    def __init__(self, network: Network, domain: Range) -> None:
        self.network, self.output = network, network.output
        self.nodes: dict[int, Node] = {}
        self.sizes, self.ranges = {0: network.input_size}, {0: domain}
        self.users: dict[int, dict[tuple[int, int], None]] = {0: {}}
        self._known: dict[Node, int] = {}
        self._next = len(network.nodes) + 1
        for place, node in enumerate(network.nodes, 1):
            self._insert(place, node)
        self.users[self.output][OUTPUT, 0] = None

    # Looking

    def layer(self, wire: int) -> Layer | None:
        """Return the layer that gives a wire; None for the input."""
        return self.nodes[wire].layer if wire in self.nodes else None

    def before(self, wire: int) -> int:
        """Return the first argument of the layer that gives a wire."""
        return self.nodes[wire].inputs[0]

    def needed(self, wire: int) -> Range:
        """Return the numbers on which all that take a wire are defined."""
        found: Range | None = None
        for user, position in self.users[wire]:
            wants = REAL if user == OUTPUT else required(self.nodes[user].layer, position)
            found = wants if found is None else found.union(wants)
        return REAL if found is None else found

    @property
    def live(self) -> list[int]:
        """The wires that the output needs, arguments before what takes them; the order depends on the wiring alone."""
        found, seen = [], {0}
        stack: list[tuple[int, Iterator[int]]] = [(self.output, iter(self._inputs(self.output)))]
        seen.add(self.output)
        while stack:
            wire, rest = stack[-1]
            fresh = next((i for i in rest if i not in seen), None)
            if fresh is None:
                stack.pop()
                found.append(wire)
            else:
                seen.add(fresh)
                stack.append((fresh, iter(self._inputs(fresh))))
        return [wire for wire in found if wire]

    def _inputs(self, wire: int) -> tuple[int, ...]:
        return self.nodes[wire].inputs if wire else ()

    def to_network(self) -> Network:
        """Return the network as it stands."""
        live = self.live
        places = {0: 0, **{wire: i for i, wire in enumerate(live, 1)}}
        nodes = [Node(self.nodes[w].layer, tuple(places[i] for i in self.nodes[w].inputs)) for w in live]
        return Network(nodes, places[self.output], self.network.input_size, **self.network.parts()[3])

    # Changing

    def replace(self, old: int, term: Term, interface: str = "") -> Change:
        """Let all that takes a wire take the value of a term instead; at an end, let the interface change."""
        first = self._next
        added: list[tuple[int, Node]] = []
        new = self._built(term, added)
        uses = tuple(use for use in self.users[old] if use[0] == OUTPUT or use[0] < first)
        change = Change(old, new, tuple(added), uses if interface != "outputs" else ((OUTPUT, 0),))
        self._relate(old, new, interface)
        self._redirect(change.old, change.new, change.uses)
        return change

    def redo(self, change: Change, interface: str = "") -> None:
        """Do again what a change did, on a graph that stands where it stood."""
        for wire, node in change.added:
            self._insert(wire, node)
            self._next = max(self._next, wire + 1)
        self._relate(change.old, change.new, interface)
        self._redirect(change.old, change.new, change.uses)

    def _relate(self, old: int, new: int, interface: str) -> None:
        """Note what a new input holds: what becomes of the numbers of the old one."""
        if interface != "inputs":
            return
        layer = self.nodes[new].layer
        assert isinstance(layer, Elementwise)
        assert layer.only is not None
        inverse = layer.only.inverse
        assert inverse is not None
        self.ranges[0], self.ranges[new] = image(inverse, self.ranges[0]), self.ranges[0]

    def _built(self, term: Term, added: list[tuple[int, Node]]) -> int:
        """Return the wire of a term; terms are as deep as laws, which are short."""
        if isinstance(term, int):
            return term
        inputs = tuple(self._built(i, added) for i in term.inputs)
        if is_nothing(term.layer, [self.sizes[i] for i in inputs]):
            return inputs[0]
        node = Node(term.layer, inputs)
        if node not in self._known:
            added.append((self._next, node))
            self._insert(self._next, node)
            self._next += 1
        return self._known[node]

    def _insert(self, wire: int, node: Node) -> None:
        self.nodes[wire] = node
        self.sizes[wire] = node.layer.sizes([self.sizes[i] for i in node.inputs])
        self.ranges[wire] = through(node.layer, [self.ranges[i] for i in node.inputs])
        self.users[wire] = {}
        self._known.setdefault(node, wire)
        for position, i in enumerate(node.inputs):
            self.users[i][wire, position] = None

    def _redirect(self, old: int, new: int, uses: Sequence[tuple[int, int]]) -> None:
        if old == new:
            return
        for user, position in uses:
            del self.users[old][user, position]
            self.users[new][user, position] = None
            if user == OUTPUT:
                self.output = new
            else:
                self._rewire(user, position, new)
        self._forget(old)

    def _rewire(self, user: int, position: int, new: int) -> None:
        node = self.nodes[user]
        if self._known.get(node) == user:
            del self._known[node]
        inputs = (*node.inputs[:position], new, *node.inputs[position + 1 :])
        self.nodes[user] = Node(node.layer, inputs)
        self._known.setdefault(self.nodes[user], user)

    def _forget(self, wire: int) -> None:
        """Take wires that nobody takes any more from the users of their arguments; their nodes stay known."""
        waiting = [wire]
        while waiting:
            wire = waiting.pop()
            if not wire or self.users[wire]:
                continue
            node = self.nodes[wire]
            if self._known.get(node) == wire:
                del self._known[node]
            for position, i in enumerate(node.inputs):
                if (wire, position) in self.users[i]:
                    del self.users[i][wire, position]
                    waiting.append(i)


def natural_domain(network: Network) -> Range:
    """Return what the input holds by the signature of the layers: multiplicative ones take positive numbers."""
    columns = [REAL] * network.input_size
    for places, layer in demands(network):
        for i in places:
            columns[i] = columns[i].meet(required(layer))
    return functools.reduce(Range.union, columns)
