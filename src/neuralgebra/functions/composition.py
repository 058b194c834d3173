"""Compositions of activations: log∘tanh∘exp is log after tanh after exp.

The chain of a composition is that of its parts, each at the value of the part before it; the chain rule makes their
derivatives polynomials again. A part that is registered as a composition of its own, because its formula is accurate
where the parts one after another are not, stays whole.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.functions.polynomial import Polynomial, variables
from neuralgebra.functions.row import AFTER, Element, Kink, Part, Row

__all__ = ["composed", "letters", "parameter_names"]


def letters(name: str) -> list[str]:
    """Return the names in a composition, outermost first; parentheses hold together.

    Parameters
    ----------
    name : str
        The name, for example "log∘tanh∘exp".

    Returns
    -------
    list of str
        The names of its parts.

    Examples
    --------
    >>> letters("log∘(tanh∘exp)'∘exp")
    ['log', "(tanh∘exp)'", 'exp']
    """
    found, depth = [""], 0
    for mark in name:
        depth += (mark == "(") - (mark == ")")
        if mark == AFTER and not depth:
            found.append("")
        else:
            found[-1] += mark
    return found


def parameter_names(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Return what the parameters of each row are called in their composition: slope, slope2, … from the outermost."""
    taken: set[str] = set()
    return [{name: _fresh(name, taken) for name in row.parameters} for row in rows]


def _fresh(name: str, taken: set[str]) -> str:
    numbered = (f"{name}{i}" if i > 1 else name for i in range(1, len(taken) + 2))
    chosen = next(n for n in numbered if n not in taken)
    taken.add(chosen)
    return chosen


def composed(name: str, rows: Sequence[Row]) -> Row:
    """Return the row of a composition.

    Parameters
    ----------
    name : str
        Its name.
    rows : sequence of Row
        Its parts, outermost first.

    Returns
    -------
    Row
        Its floating-point accuracy is that of the parts, one after another.
    """
    parameters = parameter_names(rows)
    given = {
        whole: row.parameters[own] for row, names in zip(rows, parameters, strict=True) for own, whole in names.items()
    }
    taken = {"z", *given}
    parts, chain = [], []
    value, slope = variables("z")[0], Polynomial({(): 1})
    for row, names in zip(reversed(rows), reversed(parameters), strict=True):
        part = Part(row, names | {e.name: _fresh(e.name, taken) for e in row.chain})
        translated = functools.partial(_translated, part, value)
        chain += [_element(element, part, translated, slope) for element in row.chain]
        parts.append(part)
        value, slope = translated(row.value), translated(row.derivative(1)) * slope
    return Row(
        name,
        value,
        tuple(chain),
        parameters=given,
        domain=_domain(parts),
        kinks=tuple(_kink(kink) for row in rows for kink in row.kinks),
        range=(-math.inf, math.inf) if rows[0].parameters else rows[0].range,
        stabilised=False,
        cases=any(row.cases for row in rows),
        fingerprint=AFTER.join(row.fingerprint for row in rows).strip(AFTER),
        parts=tuple(parts),
    )


def _translated(part: Part, inner: Polynomial, polynomial: Polynomial) -> Polynomial:
    """Return a polynomial in the chain of a part as one in the chain of the whole, the part applied to `inner`."""

    def of(name: str) -> Polynomial:
        return inner if name == "z" else variables(part.names[name])[0]

    return polynomial.substituted(of)


def _element(element: Element, part: Part, translated: Callable[..., Polynomial], slope: Polynomial) -> Element:
    relation = None if element.relation is None else translated(element.relation)
    derivative = translated(element.derivative) * slope
    return Element(part.names[element.name], derivative, _by_its_part, relation=relation)


def _by_its_part(k: Any, z: Value, p: Mapping[str, Any]) -> Value:
    raise AssertionError("a chain function of a composition is evaluated by the chain of its part")


def _kink(kink: Kink) -> Kink:
    """Return a kink of a part as one of the whole, whose place `Activation.points` finds."""
    return Kink(math.nan, kink.order, None)


def _domain(parts: Sequence[Part]) -> tuple[float, float]:
    """Return where the first function is defined, cut off where its values would leave the domain of the second, …."""
    first, *others = parts
    if not others or first.row.parameters:
        return first.row.domain
    low, high = _domain(others)
    if low <= first.row.range[0] and first.row.range[1] <= high:
        return first.row.domain
    return _PREIMAGES.get((first.row.name, low, high), first.row.domain)


# (function, interval of its values) -> the interval of its arguments
_PREIMAGES = {
    ("log", 0.0, math.inf): (1.0, math.inf),
    ("tanh", 0.0, math.inf): (0.0, math.inf),
    ("sinh", 0.0, math.inf): (0.0, math.inf),
    ("identity", 0.0, math.inf): (0.0, math.inf),
}
