"""What is kept of a step."""

from __future__ import annotations

from dataclasses import dataclass

from neuralgebra.rewrite.graph import Change
from neuralgebra.rewrite.rules import Rule

__all__ = ["Record"]


@dataclass(frozen=True)
class Record:
    """What is kept of a step.

    Parameters
    ----------
    rule : Rule
        The law.
    at : int
        The wire.
    change : Change
        What became of it.
    """

    rule: Rule
    at: int
    change: Change
