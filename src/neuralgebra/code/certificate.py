"""What is certain of a program: its constants, its formula apart from rounding, and its rounding where it runs.

Three questions that one comparison of numbers would mix up. The constants that are printed read back to the same bits.
The program and the network, both run on balls of 200 bits, overlap: the formula is right, whatever is rounded later.
The program where it runs is off by no more units of u·M than it has roundings (see `bounds`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.majorant import Majorant, Measured
from neuralgebra.calculus.derivatives import jets
from neuralgebra.code.bounds import roundings
from neuralgebra.code.emit import written
from neuralgebra.code.hosts import host
from neuralgebra.code.interpret import interpreted
from neuralgebra.code.language import Language
from neuralgebra.code.program import Program
from neuralgebra.network.network import Network

__all__ = ["Certified", "certify_program"]

BITS = 200
NAMES = ("value", "Jacobian", "Hessian", "third derivatives")
RADIUS = 1e-45


@dataclass(frozen=True)
class Certified:
    """What was found of one program.

    Parameters
    ----------
    language : str
        In what language.
    constants : int
        How many constants are printed; all of them read back to the same bits, or `same_bits` is False.
    same_bits : bool
        Whether they do.
    radius : float
        The largest radius of a ball of the program on balls, relative to max(1, |value|).
    overlap : bool
        Whether all these balls overlap those of the network.
    host : str
        What ran the program; "" if nothing did.
    errors : tuple of (str, float, int)
        Quantity, largest error in units of u·M, and how many its roundings allow.
    """

    language: str
    constants: int
    same_bits: bool
    radius: float
    overlap: bool
    host: str = ""
    errors: tuple[tuple[str, float, int], ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether everything is as it must be."""
        within = all(error <= limit for _, error, limit in self.errors)
        return self.same_bits and self.overlap and self.radius < RADIUS and within

    def plain(self) -> dict[str, Any]:
        """Return what was found as plain data."""
        errors = [{"quantity": q, "error": e, "limit": n} for q, e, n in self.errors]
        return {**vars(self), "errors": errors, "agrees": self.agrees}

    def __str__(self) -> str:
        bits = "read back to the same bits" if self.same_bits else "DO NOT read back to the same bits"
        balls = "overlap" if self.overlap else "DO NOT overlap"
        lines = [
            f"{self.language} program: all {self.constants} constants {bits}",
            f"{self.language} program and network on {BITS}-bit balls: they {balls}, radii below {self.radius:.0e}",
        ]
        lines += [
            f"{name:9} of {self.language} run by {self.host}: largest error {error:.2g} u·M, {limit} roundings counted"
            for name, error, limit in self.errors
        ]
        if not self.host:
            lines.append(f"{self.language} program: not run, no compiler or interpreter for it was found")
        return "\n".join(lines)


def certify_program(network: Network, language: str, x: np.ndarray, order: int = 2) -> Certified:
    """Return what is certain of the program of a network in a language.

    Parameters
    ----------
    network : Network
        f.
    language : str
        As for `code`.
    x : ndarray, shape (rows, n)
        Points.
    order : int
        Highest order of derivatives.

    Returns
    -------
    Certified
        Constants, formula, and rounding where it runs.
    """
    program = written(network, language, order)
    balls = Balls(BITS)
    with balls.precision():
        exact = jets(balls, network, balls.weight(x), order)
        radius, overlap = _on_balls(program.program, balls, x, exact)
        name, errors = _run(program, x, exact)
    constants = [b for b in program.program.constants if b.values is not None]
    same = all(_reads_back(program, b) for b in constants)
    return Certified(program.title, sum(b.size for b in constants), same, radius, overlap, name, errors)


def _reads_back(program: Language, buffer: Any) -> bool:
    """Return whether the printed entries of an array are its entries."""
    texts = [_plain(text) for text in program.items(buffer)]
    return bool(np.array(texts, dtype=buffer.values.dtype).tobytes() == buffer.values.tobytes())


def _plain(text: str) -> str:
    """Return a literal of any language as Python writes it."""
    text = re.sub(r"(_\w+|(?<=[0-9.])f0?)$|`[0-9.]*", "", text)
    return text.replace("*^", "e").replace("d", "e").replace("D", "e").replace("f", "e")


def _on_balls(program: Program, balls: Balls, x: np.ndarray, exact: Sequence[np.ndarray]) -> tuple[float, bool]:
    """Return the largest radius of the program on balls, and whether it overlaps the network there."""
    radius, overlap = 0.0, True
    for row, point in enumerate(x):
        results = interpreted(program, program.functions[len(exact) - 1], balls, [balls.weight(point)])
        for ours, theirs in zip(results, exact, strict=True):
            for a, b in zip(ours, theirs[row].ravel(), strict=True):
                radius = max(radius, float(a.rad()) / max(1.0, abs(float(b.mid()))))
                overlap = overlap and bool(a.overlaps(b))
    return radius, overlap


def _run(
    program: Language, x: np.ndarray, exact: Sequence[np.ndarray]
) -> tuple[str, tuple[tuple[str, float, int], ...]]:
    """Return what ran the program, and how far off its results are."""
    found = host(program.key)
    if found is None:
        return "", ()
    function = program.program.functions[len(exact) - 1]
    results = found.run(program, function, x)
    unit = float(np.finfo(program.dtype).eps) / 2
    sizes = jets(Majorant(), program.program.network, Measured(x), len(exact) - 1)
    errors = []
    for level, count in enumerate(roundings(function)):
        size = np.broadcast_to(Measured.of(sizes[level]).majorant, exact[level].shape)
        errors.append((NAMES[level], _largest(results[level], exact[level], unit * size), max(1, count)))
    return found.name, tuple(errors)


def _largest(got: np.ndarray, exact: np.ndarray, unit: np.ndarray) -> float:
    """Return the largest error in units; inf where a result is no number."""
    largest = 0.0
    for g, e, u in zip(got.ravel().tolist(), exact.ravel(), unit.ravel().tolist(), strict=True):
        error = float(abs(e - g).upper()) if np.isfinite(g) else np.inf
        largest = max(largest, error / u if u else (np.inf if error else 0.0))
    return largest
