"""Names of columns as `neuralgebra diff` writes them, "dy/dx1" and "d2y/dx1 dx2", and what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from neuralgebra.calculus.indices import MultiIndex
from neuralgebra.errors import InputError, shown
from neuralgebra.fitting.operators import factors

__all__ = ["Wide", "spoken_of"]

_DERIVATIVE = re.compile(r"d.+/d.+", re.DOTALL)


@dataclass(frozen=True)
class Wide:
    """What the columns of a wide table are.

    Parameters
    ----------
    inputs, outputs : list of str
        Names.
    parts : mapping of str to (str, MultiIndex)
        The output, and what it is differentiated by, of each column that is no input.
    """

    inputs: list[str]
    outputs: list[str]
    parts: Mapping[str, tuple[str, MultiIndex]]


def spoken_of(
    columns: Sequence[str], inputs: list[str] | None, outputs: list[str] | None, where: str = "the table"
) -> Wide:
    """Return what columns are, by their names.

    Parameters
    ----------
    columns : sequence of str
        Their names.
    inputs, outputs : list of str, optional
        What is known of them. By default outputs are what derivatives are of, else the last column; inputs are
        the rest.
    where : str
        What messages call the table.

    Returns
    -------
    Wide
        Inputs, outputs and derivatives.

    Raises
    ------
    InputError
        For a derivative by what is no input.

    Examples
    --------
    >>> found = spoken_of(["t", "u", "du/dt", "d2u/dt^2"], None, None)
    >>> found.inputs, found.outputs, found.parts["d2u/dt^2"]
    (['t'], ['u'], ('u', (0, 0)))
    """
    named = {*(inputs or ()), *(outputs or ())}
    looks = [name for name in columns if name not in named and _DERIVATIVE.fullmatch(name)]
    plain = [name for name in columns if name not in looks]
    spoken = {name: reading[0] for name in looks if (reading := _reading(name, inputs or plain, outputs))}
    bases = set(spoken.values())
    known = outputs or list(dict.fromkeys(spoken.get(n, n) for n in columns if n in spoken or n in bases))
    known = known or [name for name in plain if name not in named][-1:]
    rest = inputs or [name for name in plain if name not in known and name not in bases]
    parts: dict[str, tuple[str, MultiIndex]] = {name: (name, ()) for name in columns if name in known}
    for name in looks:
        reading = _reading(name, rest, outputs)
        if reading is None:
            raise _unknown(name, rest, where)
        if reading[0] in known:
            parts[name] = reading
    return Wide(rest, known, parts)


def _unknown(name: str, inputs: Sequence[str], where: str) -> InputError:
    return InputError(
        f"{where}: column {shown(name)!r} received; a derivative by inputs expected, which are "
        f"{shown(', '.join(inputs), 200)}.\nRename it, or name it in inputs= if it is one."
    )


def _reading(name: str, inputs: Sequence[str], outputs: Sequence[str] | None) -> tuple[str, MultiIndex] | None:
    """Return output and multi-index that a name says; an output that is known counts before any other."""
    readings = list(_readings(name, inputs))
    return next((r for r in readings if r[0] in (outputs or ())), readings[0] if readings else None)


def _readings(name: str, inputs: Sequence[str]) -> Iterator[tuple[str, MultiIndex]]:
    for slash in (i for i, letter in enumerate(name) if letter == "/"):
        alpha = factors(name[slash + 1 :], inputs, sign="d")
        if alpha is None:
            continue
        for start in ("d",) if len(alpha) == 1 else (f"d{len(alpha)}", f"d^{len(alpha)}"):
            if name.startswith(start) and slash > len(start):
                yield name[len(start) : slash], alpha
