"""Claims about a network on a box: proven, refuted with a point, or undecided with what remains.

A claim says that functions never exceed a level: the values themselves, derivatives with another sign, norms of the
Jacobian, or how far the Hessian is from having no eigenvalue below 0. Branch and bound proves it box by box. Values at
one, two or three points refute it, in balls of 200 bits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.algebra.enclosure import expect_whole
from neuralgebra.algebra.faces import Face, face
from neuralgebra.algebra.proofs import Problem, Witness, convex, lipschitz, monotone, values
from neuralgebra.algebra.search import Goal, search
from neuralgebra.arithmetic.arrays import quiet
from neuralgebra.errors import UsageError, shown
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.network import Network

__all__ = ["Verdict", "certify"]


@dataclass(frozen=True)
class Verdict:
    """What came out of a claim.

    Parameters
    ----------
    claim : str
        What was claimed.
    verdict : {"proven", "refuted", "undecided"}
        For the real numbers that the weights stand for.
    box : Box
        Where.
    witness : tuple of tuple of float
        Points that refute the claim; empty otherwise.
    reason : str
        What they show.
    remaining : tuple of Box
        Where it is undecided.
    boxes : int
        On how many parts of the box bounds were computed.
    """

    claim: str
    verdict: str
    box: Box
    witness: tuple[tuple[float, ...], ...]
    reason: str
    remaining: tuple[Box, ...]
    boxes: int

    def __bool__(self) -> bool:
        return self.verdict == "proven"

    def __str__(self) -> str:
        return f"{self.claim}: {self.verdict}" + (f", {self.reason}" if self.reason else "")


def certify(network: Network, claim: str, box: Any, *, boxes: int = 2000) -> Verdict:
    """Return whether a claim about a network holds everywhere on a box, with a proof.

    Parameters
    ----------
    network : Network
        f.
    claim : str
        One of these, for all outputs, or for one whose name stands in front ("y1 convex")::

            increasing in x1       decreasing in x1        monotone increasing in x1
            convex                 concave
            non-negative           positive                non-positive             negative
            <= 3                   >= -1                   < 3                      > -1
            bounded by 5           lipschitz <= 2

        Increasing means never decreasing. The norm of "lipschitz" is the Euclidean one.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input.
    boxes : int
        On how many parts of the box bounds may be computed.

    Returns
    -------
    Verdict
        True if and only if it is proven.

    Raises
    ------
    UsageError
        For another claim, and for an input or output that the network does not have.
    InputError
        For a number of boxes that is none.

    Examples
    --------
    >>> f = Network.from_layers([([[1.0], [2.0]], [0.5, 0.0]), ([[1.0, 3.0]], None)], "tanh")
    >>> print(certify(f, "increasing in x1", [(-1, 1)]))
    increasing in x1: proven
    >>> print(certify(f, "y1 <= 3", [(-1, 1)]))
    y1 <= 3: refuted, y1 is at least 3.79723 at (1)
    """
    place, text = box_of(network, box), str(claim)
    expect_whole("boxes", boxes, 1)
    chosen, make, parts = _read(network, text)
    free = face(chosen, place)
    problem = make(chosen, free, *parts)
    if problem is None:
        return Verdict(text, "proven", place, (), "", (), 0)
    with quiet():
        tried = (problem.refute(None, i) for i in range(problem.functions))
        witness = next((w for w in tried if w is not None and _inside(w, place)), None)
    if witness is None:
        return _searched(problem, text, place, free, boxes)
    return Verdict(text, "refuted", place, witness.points, witness.reason, (), 0)


def _inside(witness: Witness, box: Box) -> bool:
    return all(a <= v <= b for x in witness.points for a, v, b in zip(box.low, x, box.high, strict=True))


def _searched(problem: Problem, claim: str, box: Box, free: Face, boxes: int) -> Verdict:
    """Return what branch and bound comes to."""
    known: list[Witness] = []

    def refutes(point: np.ndarray, function: int) -> bool:
        witness = problem.refute(point, function)
        known.extend([] if witness is None or not _inside(witness, box) else [witness])
        return bool(known)

    found = search(problem.bounding, problem.values, free.box, Goal(_never, boxes, problem.level, refutes))
    if known:
        return Verdict(claim, "refuted", box, known[0].points, known[0].reason, (), found.boxes)
    parts = zip(found.low.tolist(), found.high.tolist(), strict=True)
    remaining = tuple(Box(free.lifted(low), free.lifted(high)) for low, high in parts)
    span = np.array(free.box.high) / 2 - np.array(free.box.low) / 2
    share = np.prod((found.high / 2 - found.low / 2) / np.where(span > 0, span, 1.0), axis=1).sum()
    verdict = "proven" if (found.upper <= problem.level).all() else "undecided"
    reason = f"after {found.boxes} boxes on {100 * share:.3g} % of the box" if remaining else ""
    return Verdict(claim, verdict, box, (), reason, remaining, found.boxes)


def _never(best: np.ndarray) -> np.ndarray:
    """Return how close bounds are to come to what was seen: only the level counts."""
    return np.full_like(best, -np.inf)


# What is claimed --------------------------------------------------------------------------------------------------

_FORMS = """one of these expected, after the name of an output or not: increasing in INPUT, decreasing in INPUT, convex,
concave, non-negative, positive, non-positive, negative, <= 3, >= 3, < 3, > 3, bounded by 3, lipschitz <= 3."""
_NUMBER = r"([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,4})?)"
_SIGNS = {"non-negative": ">= 0", "nonnegative": ">= 0", "positive": "> 0"}
_SIGNS |= {"non-positive": "<= 0", "nonpositive": "<= 0", "negative": "< 0"}
_UNICODE = str.maketrans({"≤": "<=", "≥": ">="})


_Make = Callable[..., Problem | None]


def _read(network: Network, claim: str) -> tuple[Network, _Make, tuple[str, ...]]:
    """Return of which outputs a claim speaks, what makes its problem, and its parts."""
    text = claim.strip().translate(_UNICODE)
    starts = {name: re.match(re.escape(name) + r"(?=\s|[<>])", text) for name in network.output_names}
    named = [(network[name], text[len(name) :]) for name, start in starts.items() if start is not None]
    readings = [(f, *reading) for f, rest in [(network, text), *named] if (reading := _reading(rest)) is not None]
    if len(readings) > 1:
        raise UsageError(
            f"claim {shown(claim)!r} received, which has two meanings; another name of the output expected."
        )
    if not readings:
        raise UsageError(_fault(network, claim, text))
    return readings[0]


def _fault(network: Network, claim: str, text: str) -> str:
    """Return what is said of a claim that none of the forms fits: perhaps the name of the output is the fault."""
    start = re.match(r"\s*(\S+?)\s*(?=[<>]|\s\S)", text)
    if start is not None and _reading(text[start.end() :]) is not None:
        known = shown(", ".join(network.output_names))
        return f"claim {shown(claim)!r} received, of the output {shown(start[1])!r}; one of {known} expected."
    return f"claim {shown(claim)!r} received;\n{_FORMS}"


def _reading(text: str) -> tuple[_Make, tuple[str, ...]] | None:
    """Return what makes the problem of a claim without the name of an output, and its parts."""
    text = _SIGNS.get(text.strip().lower(), text.strip())
    for pattern, make in _CLAIMS:
        match = re.fullmatch(pattern, text, re.IGNORECASE)
        if match is not None:
            return make, match.groups()
    return None


def _monotone(network: Network, free: Face, direction: str, name: str) -> Problem | None:
    if name not in network.input_names:
        known = shown(", ".join(network.input_names))
        raise UsageError(f"a claim about the input {shown(name)!r} received; one of {known} expected.")
    if free.point or name not in free.network.input_names:
        return None
    return monotone(free, free.network.input_names.index(name), 1 if direction.lower() == "increasing" else -1)


def _convex(network: Network, free: Face, direction: str) -> Problem | None:
    del network
    return None if free.point else convex(free, 1 if direction.lower() == "convex" else -1)


def _bounded(network: Network, free: Face, number: str) -> Problem:
    rows = np.eye(network.output_size)
    return values(free, np.concatenate([rows, -rows]), Fraction(number), strict=False)


def _compared(network: Network, free: Face, relation: str, number: str) -> Problem:
    sign = 1 if relation[0] == "<" else -1
    return values(free, sign * np.eye(network.output_size), sign * Fraction(number), strict=len(relation) == 1)


def _lipschitz(network: Network, free: Face, number: str) -> Problem | None:
    del network
    if Fraction(number) < 0:
        raise UsageError(f"lipschitz <= {number} received; a number from 0 expected.")
    return None if free.point else lipschitz(free, Fraction(number))


_CLAIMS: tuple[tuple[str, _Make], ...] = (
    (r"(?:monoton\w* )?(increasing|decreasing) in (.+)", _monotone),
    (r"(convex|concave)", _convex),
    (rf"bounded by {_NUMBER}", _bounded),
    (rf"(<=|>=|<|>)\s*{_NUMBER}", _compared),
    (rf"lipschitz(?:\s*<=)?\s*{_NUMBER}", _lipschitz),
)
