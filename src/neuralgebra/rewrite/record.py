"""What is kept of a step."""

from __future__ import annotations

from dataclasses import dataclass

from neuralgebra.rewrite.graph import Change
from neuralgebra.rewrite.rules import Rule

__all__ = ["Record", "recorded"]


@dataclass(frozen=True)
class Record:
    """What is kept of a step.

    Parameters
    ----------
    rule, statement, condition, converse : str
        The law.
    at : int
        The wire.
    change : Change
        What became of it.
    rounds : bool
        Whether numbers were computed anew.
    interface : str
        "inputs" or "outputs" where what goes in or comes out has changed.
    """

    rule: str
    statement: str
    condition: str
    converse: str
    at: int
    change: Change
    rounds: bool = False
    interface: str = ""


def recorded(rule: Rule, at: int, change: Change) -> Record:
    """Return what is kept of a law at a wire and what it did."""
    return Record(rule.name, rule.statement, rule.condition, rule.converse, at, change, rule.rounds, rule.interface)
