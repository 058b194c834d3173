"""What a law is: a statement, a side condition, and how it is found at a wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from neuralgebra.functions.activation import Activation
from neuralgebra.rewrite.graph import Graph, Term

__all__ = ["Found", "Match", "Rule"]

Found: TypeAlias = Term | str | None
"""What a wire equals by a law; or why the law does not hold there; or None where there is nothing to say."""


@dataclass(frozen=True)
class Rule:
    """A law between networks.

    Parameters
    ----------
    name : str
        What it is called.
    statement : str
        Both sides.
    condition : str
        When it holds; "" always.
    find : callable
        (graph, wire) -> what the wire equals, or why not, or None.
    converse : str
        The name of the law read from right to left; "" if it is not one of the table.
    rounds : bool
        Whether numbers are computed anew, and rounded.
    interface : str
        "inputs" or "outputs" where the law changes what goes in or comes out; "" for equations.
    by : Activation, optional
        The function that the law speaks of, where it is one of many.
    """

    name: str
    statement: str
    condition: str
    find: Callable[[Graph, int], Found]
    converse: str = ""
    rounds: bool = False
    interface: str = ""
    by: Activation | None = None

    @property
    def at_input(self) -> bool:
        """Whether the law may speak of the wire of the input."""
        return self.interface == "inputs" or self.name == "insert"

    def __str__(self) -> str:
        name = self.name if self.by is None else f"{self.name} by {self.by}"
        return f"{name}: {self.statement}" + (f", {self.condition}" if self.condition else "")


@dataclass(frozen=True)
class Match:
    """Where a law applies, or nearly.

    Parameters
    ----------
    rule : str
        The name of the law.
    at : int
        The wire.
    applies : bool
        Whether its condition holds.
    reason : str
        Why not.
    """

    rule: str
    at: int
    applies: bool = True
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.rule} at wire {self.at}" + ("" if self.applies else f" does not apply: {self.reason}")
