"""Derivations: the steps of a rewriting, each with its law, its place and what it did; replayed, verified, inverted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from neuralgebra.errors import ResourceError
from neuralgebra.network.network import Network
from neuralgebra.rewrite.graph import Graph
from neuralgebra.rewrite.notation import derivation_latex
from neuralgebra.rewrite.ranges import Range
from neuralgebra.rewrite.record import Record
from neuralgebra.rewrite.verification import Verification, verify

__all__ = ["VERSION", "Derivation", "Step"]

VERSION = 1
"""Of the text form."""

_LINES = 200


@dataclass(frozen=True)
class Step:
    """One step of a derivation.

    Parameters
    ----------
    derivation : Derivation
        Whose step it is.
    number : int
        Which one, from 1.
    """

    derivation: Derivation
    number: int

    @property
    def record(self) -> Record:
        """What is kept of it."""
        records = self.derivation.records
        return records[-self.number] if self.derivation.reversed else records[self.number - 1]

    @property
    def rule(self) -> str:
        """The name of the law."""
        rule = self.record.rule
        name = (rule.converse or f"{rule.name}, from right to left") if self.derivation.reversed else rule.name
        return name if rule.by is None else f"{name} by {rule.by}"

    @property
    def statement(self) -> str:
        """Both sides of the law."""
        left, equals, right = self.record.rule.statement.partition(" = ")
        return f"{right}{equals}{left}" if self.derivation.reversed and equals else self.record.rule.statement

    @property
    def place(self) -> int:
        """The wire that is replaced: its number in the network at the start, or a later one for a new wire."""
        change = self.record.change
        return change.new if self.derivation.reversed else change.old

    @property
    def condition(self) -> str:
        """When the law holds; "" always."""
        return self.record.rule.condition

    @property
    def before(self) -> Network:
        """The network before the step."""
        return self.derivation.network(self.number - 1)

    @property
    def after(self) -> Network:
        """The network after the step."""
        return self.derivation.network(self.number)

    def __str__(self) -> str:
        what = f"{self.number}. {self.rule} at wire {self.place}: {self.statement}"
        return what + (f", {self.condition}" if self.condition else "")


@dataclass(frozen=True, eq=False)
class Derivation:
    """The steps from one network to another.

    Parameters
    ----------
    start : Network
        Where the laws were applied first.
    domain : Range
        What its input holds.
    records : tuple of Record
        The steps.
    reversed : bool
        Whether it is read from the end.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], [5, 6]), ([[7, 8]], None)], "tanh", kind="multiplicative")
    >>> d = f.rewrite("additive")
    >>> print(d)
    1. additive at wire 1: M_W = exp ∘ A_W ∘ ln, x > 0, where M is defined
    2. additive at wire 3: M_W = exp ∘ A_W ∘ ln, x > 0, where M is defined
    3. compose at wire 2: g after f = g∘f
    4. compose at wire 7: g after f = g∘f
    >>> d.result
    <Network 2 → 1: log · Affine 2→2 · log∘tanh∘exp · Affine 2→1 · exp; 8 parameters, float64>
    >>> d.result.nodes[1].layer.weight is f.nodes[0].layer.weight
    True
    """

    start: Network
    domain: Range
    records: tuple[Record, ...]
    reversed: bool = False

    def graph(self, count: int) -> Graph:
        """Return the working form after so many records."""
        graph = Graph(self.start, self.domain)
        for record in self.records[:count]:
            graph.redo(record.change, record.rule.interface)
        return graph

    def records_done(self, number: int) -> int:
        """Return how many records are done after so many steps: read from the end, fewer and fewer."""
        return len(self.records) - number if self.reversed else number

    def network(self, number: int) -> Network:
        """Return the network after so many steps."""
        count = self.records_done(number)
        return self.graph(count).to_network() if count else self.start

    @cached_property
    def result(self) -> Network:
        """The network at the end."""
        return self.network(len(self.records))

    @property
    def steps(self) -> Sequence[Step]:
        """The steps in their order."""
        return [Step(self, i) for i in range(1, len(self.records) + 1)]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, number: int) -> Step:
        return self.steps[number]

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps)) or "nothing to do"

    def __repr__(self) -> str:
        return f"<Derivation of {len(self.records)} steps for x in {self.domain}>"

    def inverse(self) -> Derivation:
        """Return the steps from the end to the start, each law from right to left."""
        return Derivation(self.start, self.domain, self.records, not self.reversed)

    def verify(self, points: int = 4, *, symbols: bool = True, seed: int = 0) -> Verification:
        """Check every step with numbers, and with symbols where it is small.

        Parameters
        ----------
        points : int
            At how many points of the domain, drawn at random.
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

        Examples
        --------
        >>> import neuralgebra as na
        >>> f = na.Network.from_layers([([[1, 2]], [3]), ([[4]], None)], "tanh", kind="multiplicative")
        >>> print(f.rewrite("additive").verify())
        4 steps hold at 4 points each, 4 of them as formulas too
        """
        return verify(self.start, self.domain, self.records, points, symbols=symbols, seed=seed)

    def latex(self, *, every_step: bool = False) -> str:
        """Return the derivation as lines of LaTeX, each with the law that leads to it.

        Parameters
        ----------
        every_step : bool
            Whether steps by one law in a row have a line each; by default one for all of them.

        Returns
        -------
        str
            An ``aligned`` environment; weights keep their numbers.

        Raises
        ------
        ResourceError
            For more than 200 lines.
        """
        stops = [0, *self.stops(every_step)]
        if len(stops) > _LINES:
            raise ResourceError(f"{len(stops)} lines would be needed; at most {_LINES} are covered.")
        return derivation_latex([self.network(i) for i in stops], [self.steps[i - 1].rule for i in stops[1:]])

    def stops(self, every_step: bool = False) -> list[int]:
        """Return how many steps are done at the end of each run of steps by one law, or after every step."""
        rules = [step.rule for step in self.steps]
        return [i for i in range(1, len(rules) + 1) if every_step or i == len(rules) or rules[i] != rules[i - 1]]

    def to_json(self) -> str:
        """Return laws and places as text, with hashes of the networks at both ends; `na.load_derivation` reads it.

        Returns
        -------
        str
            JSON; the steps are repeated on the network that they belong to when it is read.
        """
        content = {
            "neuralgebra": "derivation",
            "version": VERSION,
            "start": self.start.digest.hex(),
            "end": self.graph(len(self.records)).to_network().digest.hex(),
            "domain": [self.domain.low.hex(), self.domain.high.hex(), self.domain.with_low, self.domain.with_high],
            "reversed": self.reversed,
            "steps": [_step_text(record) for record in self.records],
        }
        return json.dumps(content, indent=1, ensure_ascii=False)


def _step_text(record: Record) -> dict[str, Any]:
    text: dict[str, Any] = {"rule": record.rule.name, "at": record.at}
    if record.rule.by is not None:
        text["by"] = [record.rule.by.name, [[n, _exact(v)] for n, v in record.rule.by.parameters]]
    return text


def _exact(value: Any) -> Any:
    """Return a parameter as text that loses nothing."""
    if isinstance(value, tuple):
        return [_exact(v) for v in value]
    return value.hex() if isinstance(value, float) else str(value)
