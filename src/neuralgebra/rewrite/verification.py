"""Derivations checked again: with numbers as balls at every step, with symbols where steps are small.

Every wire that ever stood is evaluated once at some points. A step says that two wires are equal; their balls, of 256
bits, have to meet. So a step costs what it added, and a law that is wrong is found at the step where it was applied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
import sympy

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.calculus.derivatives import jets
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import RULES
from neuralgebra.errors import NotCertifiedError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.builder import Node
from neuralgebra.network.network import Network
from neuralgebra.rewrite.graph import Graph
from neuralgebra.rewrite.ranges import POSITIVE, Range
from neuralgebra.rewrite.record import Record

__all__ = ["Verification", "verify"]

_BITS = 256
_ROUNDED = 2.0**-40  # relative to the sum of the absolute values that were added
_FINE = 2.0**-64  # relative radius up to which the meeting of balls says something
_VAST = 2.0**30
_SYMBOLS = 4  # coordinates of a wire, and nodes of a step, up to which symbols are tried
_NAMED = 6  # steps without numbers that a text lists
_POINT = IndexSet.full(1, 0)


@dataclass(frozen=True)
class Verification:
    """What a check of a derivation found.

    Parameters
    ----------
    steps : int
        How many were checked.
    points : int
        At how many points each.
    symbolic : int
        How many of them hold as formulas too.
    untested : tuple of int
        Steps at which no point gave numbers, from 1.
    """

    steps: int
    points: int
    symbolic: int
    untested: tuple[int, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every step was tested, and held."""
        return not self.untested

    def __str__(self) -> str:
        if not self.untested:
            return f"{_counted(self.steps)} at {self.points} points each, {self.symbolic} of them as formulas too"
        listed, more = ", ".join(map(str, self.untested[:_NAMED])), len(self.untested) - _NAMED
        text = f"{_counted(self.steps - len(self.untested))} at {self.points} points each, {self.symbolic} as formulas"
        return f"{text}; no numbers at steps {listed}" + (f" and {more} more" if more > 0 else "")


def _counted(steps: int) -> str:
    return "1 step holds" if steps == 1 else f"{steps} steps hold"


def verify(
    start: Network, domain: Range, records: Sequence[Record], points: int, *, symbols: bool, seed: int
) -> Verification:
    """Check every step of a derivation with numbers, and with symbols where it is small.

    Parameters
    ----------
    start : Network
        Where it starts.
    domain : Range
        What the input holds.
    records : sequence of Record
        The steps.
    points : int
        At how many points of its domain, drawn at random.
    symbols : bool
        Whether formulas are compared where steps are small.
    seed : int
        Of the points.

    Returns
    -------
    Verification
        What was checked.

    Raises
    ------
    NotCertifiedError
        When a step does not hold; the message names it.
    """
    walk = _Walk(start, domain, records, points, seed)
    symbolic = 0
    untested = []
    for number, record in enumerate(records, 1):
        if not walk.step(number, record):
            untested.append(number)
        symbolic += symbols and walk.as_formulas(record)
        walk.graph.redo(record.change, record.rule.interface)
    walk.end()
    return Verification(len(records), points, symbolic, tuple(untested))


class _Walk:
    """A derivation, gone through with the values of all wires."""

    def __init__(self, start: Network, domain: Range, records: Sequence[Record], points: int, seed: int) -> None:
        self.k, self.graph = Balls(_BITS), Graph(start, domain)
        self.exact = not any(record.rule.rounds for record in records)
        drawn = sample(domain, (points, start.input_size), np.random.default_rng(seed))
        self.values: dict[int, Value] = {0: self.k.weight(drawn)}
        for wire, node in self.graph.nodes.items():
            self._evaluate(wire, node)
        self.output = self.values[self.graph.output]

    def _evaluate(self, wire: int, node: Node) -> None:
        with self.k.precision():
            self.values[wire] = applied(self.k, node, [self.values[i] for i in node.inputs])

    def step(self, number: int, record: Record) -> bool:
        """Check that a step replaces a wire by an equal one; return whether there were numbers."""
        change, old, by = record.change, self.values[record.change.old], record.rule.by
        if record.rule.interface == "inputs":
            self.values[0] = self._of(by, old)
        for wire, node in change.added:
            self._evaluate(wire, node)
        new = self.values[change.new]
        if record.rule.interface == "outputs":
            self.output, old = new, self._of(by and by.inverse, old)
        if new.shape != old.shape:
            raise NotCertifiedError(
                f"{self._named(number, record)}: {old.shape[-1]} coordinates became {new.shape[-1]}."
            )
        room = self._room(record, change.new) if record.rule.rounds else None
        tested = self._compared(number, record, old, new, room)
        if record.rule.rounds:  # what follows was computed from the old numbers
            self.values[change.new] = old
        return tested

    def _of(self, function: Activation | None, values: Value) -> Value:
        assert function is not None
        with self.k.precision():
            return function(self.k, values)

    def _compared(self, number: int, record: Record, old: Value, new: Value, room: Value | None) -> bool:
        tested = False
        for index in np.ndindex(old.shape):
            a, b = old[index], new[index]
            if a.is_finite() and not b.is_finite() and self._ordinary(record, index[0]):
                raise NotCertifiedError(
                    f"{self._named(number, record)}: wire {record.change.old} is {float(a.mid()):.17g} and becomes no "
                    "number at a point of the domain."
                )
            if not (a.is_finite() and b.is_finite()):
                continue
            with self.k.precision():
                allowed = flint.arb(0, 0 if room is None else float(room[index].abs_upper()) * _ROUNDED)
                apart = (a - b) + allowed
                scale = max(float(a.abs_upper()), float(b.abs_upper()), 1e-300)
            if not apart.contains(0):
                raise NotCertifiedError(
                    f"{self._named(number, record)}: wire {record.change.old} is {float(a.mid()):.17g} and becomes "
                    f"{float(b.mid()):.17g} at a point of the domain."
                )
            tested = tested or float((a - b).rad()) <= _FINE * scale
        return tested

    def _ordinary(self, record: Record, point: int) -> bool:
        """Return whether a step is given numbers of which it should make numbers, neither vast nor inexact."""
        if record.rule.interface == "inputs":  # not every x is an f⁻¹(t)
            return False
        added = dict(record.change.added)
        given = {i for node in added.values() for i in node.inputs if i not in added}
        numbers = (v for i in given for v in self.values[i][point])
        return all(v.is_finite() and float(v.abs_upper()) < _VAST and v.rel_accuracy_bits() > 64 for v in numbers)

    def _named(self, number: int, record: Record) -> str:
        return f"step {number}, {record.rule.name} at wire {record.at} ({record.rule.statement}), does not hold"

    def _room(self, record: Record, wire: int) -> Value:
        """Return the size of what is added up in computing the new wire: what rounded numbers may change."""
        added = dict(record.change.added)
        sizes: dict[int, Value] = {}
        with self.k.precision():
            for w in (*added, wire):
                node = added.get(w) or self.graph.nodes[w]
                sizes[w] = _majorant(self.k, node, [sizes.get(i, self._around(i)) for i in node.inputs], self.values[w])
        return sizes[wire]

    def _around(self, wire: int) -> Value:
        return self.k.abs(self.values[wire]) + 1

    def end(self) -> None:
        """Compare the network at the end with the value that the steps lead to."""
        with self.k.precision():
            found = jets(self.k, self.graph.to_network(), self.values[0], 0)[0]
        for a, b in zip(self.output.ravel(), np.asarray(found).ravel(), strict=True):
            if a.is_finite() and b.is_finite() and not self._near(a, b):
                raise NotCertifiedError(
                    f"the network at the end gives {float(b.mid()):.17g}, the steps {float(a.mid()):.17g}."
                )

    def _near(self, a: flint.arb, b: flint.arb) -> bool:
        return bool((a - b).contains(0)) or not self.exact

    # Symbols

    def as_formulas(self, record: Record) -> bool:
        """Return whether both sides of a step are one formula, as far as SymPy sees; only for small steps."""
        change = record.change
        if record.rule.interface or record.rule.rounds or len(change.added) > _SYMBOLS:
            return False
        added = dict(change.added)
        old_node = self.graph.nodes.get(change.old)
        ends = {i for _, node in change.added for i in node.inputs if i not in added} | {change.new} - added.keys()
        if old_node is None or max(self.graph.sizes[w] for w in {change.old, *ends}) > _SYMBOLS:
            return False
        known = {w: _symbols(w, self.graph.sizes[w], self.graph.ranges[w]) for w in ends}
        old = self._formula(change.old, dict(known), {}, _SYMBOLS)
        new = self._formula(change.new, dict(known), added, _SYMBOLS)
        if old is None or new is None:
            return False
        return all(_equal(a, b) for a, b in zip(old.ravel(), new.ravel(), strict=True))

    def _formula(self, wire: int, known: dict[int, Value], added: dict[int, Node], depth: int) -> Value | None:
        """Return the formula of a wire in those of some earlier ones; None if these are farther away than that."""
        if wire not in known:
            node = added.get(wire) or self.graph.nodes.get(wire)
            if node is None or not depth:
                return None
            inputs = [self._formula(i, known, added, depth - 1) for i in node.inputs]
            if any(i is None for i in inputs):
                return None
            known[wire] = applied(Symbols(), node, inputs)
        return known[wire]


def applied(k: Any, node: Node, values: list[Value]) -> Value:
    """Return the value of a node on those of its arguments, (N, n)."""
    arguments = [Jet(_POINT, [value[None, ...]]) for value in values]
    result = RULES[type(node.layer)](k, node.layer, 0, *arguments)
    assert result is not None
    return result[0]


def _majorant(k: Balls, node: Node, sizes: list[Value], value: Value) -> Value:
    """Return the sum of absolute values that a node adds up, or the value of a node that adds nothing."""
    weight = getattr(node.layer, "weight", None)
    if weight is None:
        return k.abs(value) + sizes[0].max(axis=-1, keepdims=True) * 0 + 1
    bias = 0 if node.layer.bias is None else k.abs(k.weight(node.layer.bias))  # type: ignore[attr-defined]
    total = np.matmul(sizes[0], k.weight(np.abs(weight.dense())).T) + bias
    return total * (1 + k.abs(value))


def _symbols(wire: int, size: int, values: Range) -> Value:
    positive = True if values.within(POSITIVE) else None
    return np.array(
        [[sympy.Symbol(f"w{wire}_{i + 1}", real=True, positive=positive) for i in range(size)]], dtype=object
    )


def _equal(one: Any, other: Any) -> bool:
    return bool(one == other or sympy.simplify(sympy.expand_log(one - other)) == 0)


def sample(domain: Range, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Return random numbers of a range: around 0 on the whole line, around 1 on half of it."""
    if np.isfinite(domain.low) and np.isfinite(domain.high):
        return rng.uniform(domain.low, domain.high, shape)
    if np.isfinite(domain.low):
        return domain.low + np.exp(rng.normal(size=shape))
    return domain.high - np.exp(rng.normal(size=shape)) if np.isfinite(domain.high) else rng.normal(size=shape)
