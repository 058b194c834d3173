"""What a fit tells about itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["FitReport", "Kind"]


@dataclass(frozen=True)
class Kind:
    """One kind of data, of one output.

    Parameters
    ----------
    name : str
        Output and operator: "y1", "dy1/dx1", ….
    count : int
        How many numbers are known.
    weight : float
        What each square was multiplied by to balance the kinds, in the scaled units of the fit.
    rms : float
        Root mean square of the data, about their mean for values, in their own unit.
    error : float
        Root mean square of what the fit leaves, in the same unit.
    held_back : float, optional
        The same on rows that were held back.
    """

    name: str
    count: int
    weight: float
    rms: float
    error: float
    held_back: float | None = None


@dataclass(frozen=True)
class FitReport:
    """How a network was fitted, and how well.

    Parameters
    ----------
    solver : str
        Name of the method, or of the methods one after another.
    reason : str
        Why it ended.
    loss : float
        ½ Σ w r² in the scaled units of the fit.
    rounds, evaluations : int
        Of the restart that won.
    seconds : float
        Of all.
    restart : int
        Which start won.
    weights, numbers : int
        Numbers sought, and numbers compared with data.
    decay : float
        Of the squares of the weights, in the scaled units of the fit.
    kinds : tuple of Kind
        Each kind of data.
    history : tuple of tuple
        (round, seconds, loss, loss on rows held back or NaN).
    notes, warnings : tuple of str
        What was found in the data, and what may be wrong.
    stopped : bool
        Whether it was stopped before its end.
    saved : bool
        Whether a folder holds all of it, so that the same call goes on.
    """

    solver: str
    reason: str
    loss: float
    rounds: int
    evaluations: int
    seconds: float
    restart: int
    weights: int
    numbers: int
    decay: float
    kinds: tuple[Kind, ...]
    history: Sequence[tuple[int, float, float, float]] = field(repr=False, default=())
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    stopped: bool = False
    saved: bool = False

    def __str__(self) -> str:
        head = (
            f"{self.solver}: {self.reason}; {self.rounds} rounds, {self.evaluations} evaluations, "
            f"{self.seconds:.2f} s; {self.weights} weights, {self.numbers} numbers"
        )
        return "\n".join([head, *_table(self.kinds), *self.notes, *(f"warning: {w}" for w in self.warnings)])


def _table(kinds: Sequence[Kind]) -> list[str]:
    held = any(k.held_back is not None for k in kinds)
    rows = [["data", "numbers", "weight", "rms", "error", "error/rms", *(["held back"] if held else [])]]
    for k in kinds:
        relative = f"{k.error / k.rms:.2e}" if k.rms else "-"
        row = [k.name, str(k.count), f"{k.weight:.3g}", f"{k.rms:.4g}", f"{k.error:.3g}", relative]
        rows.append([*row, *([f"{k.held_back:.3g}" if k.held_back is not None else "-"] if held else [])])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  " + "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths, strict=True)))
        for r in rows
    ]
