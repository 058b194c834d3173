"""Linear differential operators with constant coefficients: what is known of a function at a point."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from neuralgebra.calculus.indices import MultiIndex
from neuralgebra.errors import InputError, UsageError, shown

__all__ = ["VALUE", "Operator", "factors", "operator_of"]

_POWER = re.compile(r"\^([1-9][0-9]?)(?= |$)")
_BLANKS = re.compile(r" +")
_FACTORS = 99


@dataclass(frozen=True)
class Operator:
    """P(∂) = Σ c_α ∂^α, or a derivative along a direction of each row.

    Parameters
    ----------
    terms : tuple of (MultiIndex, float)
        α, positions of inputs in ascending order, with c_α; () is the value.
    along : int
        k > 0 for the k-th derivative along directions; there are no terms then.

    Examples
    --------
    >>> Operator((((0, 0), 1.0), ((1, 1), 1.0))).kind(["x", "t"])
    'laplacian'
    >>> Operator((((0,), 2.0), ((1, 1), -1.0))).kind(["x", "t"])
    '2*x - t^2'
    """

    terms: tuple[tuple[MultiIndex, float], ...]
    along: int = 0

    def __post_init__(self) -> None:
        if bool(self.terms) == bool(self.along):
            raise UsageError(f"terms {self.terms} and along={self.along} received; one of them expected.")

    @property
    def order(self) -> int:
        """The highest order of a derivative in it."""
        return self.along or max(len(alpha) for alpha, _ in self.terms)

    @property
    def inputs(self) -> int:
        """How many inputs there are at least."""
        return max((i + 1 for alpha, _ in self.terms for i in alpha), default=0)

    def kind(self, inputs: Sequence[str]) -> str:
        """Return what people call it: "value", "x1", "x1 x2", "x1^2", "laplacian", "along v", a sum of such."""
        if self.along:
            return "along v" if self.along == 1 else f"along v^{self.along}"
        n = len(inputs)
        if n > 1 and dict(self.terms) == {(i, i): 1.0 for i in range(n)}:
            return "laplacian"
        parts = [_term(alpha, c, inputs, alone=len(self.terms) == 1) for alpha, c in self.terms]
        return " ".join([parts[0], *(f"- {p[1:]}" if p.startswith("-") else f"+ {p}" for p in parts[1:])])


def _term(alpha: MultiIndex, c: float, inputs: Sequence[str], alone: bool) -> str:
    name = " ".join(_power(inputs[i], alpha.count(i)) for i in dict.fromkeys(alpha)) or ("value" if alone else "f")
    if c == 1:
        return name
    return f"-{name}" if c == -1 else f"{c:g}*{name}"


def _power(name: str, count: int) -> str:
    return name if count == 1 else f"{name}^{count}"


VALUE = Operator((((), 1.0),))
"""f itself."""


def operator_of(of: Any, inputs: Sequence[str]) -> Operator:
    """Return the operator that a person names.

    Parameters
    ----------
    of : Operator, str, tuple of int or mapping
        "value" or ""; the name of an input; "x1 x2", "x1^2 x2"; "laplacian"; orders by input, (2, 0); a mapping of
        inputs to orders, which are whole, or of such names to coefficients.
    inputs : sequence of str
        Their names. A name of an input counts before any other reading of it.

    Returns
    -------
    Operator
        The operator; equal ones are equal objects, whatever they were called.

    Raises
    ------
    InputError
        For an input that there is none of.
    UsageError
        For anything else.

    Examples
    --------
    >>> operator_of("x t^2", ["x", "t"]).terms
    (((0, 1, 1), 1.0),)
    >>> operator_of({"x^2": 1.0, "t": -0.5}, ["x", "t"]).terms
    (((1,), -0.5), ((0, 0), 1.0))
    """
    if isinstance(of, Operator):
        return of
    if isinstance(of, str):
        return _summed(_named(of, inputs))
    if isinstance(of, Mapping):
        return _of_orders(of, inputs) if _are_orders(of, inputs) else _of_coefficients(of, inputs)
    if isinstance(of, tuple) and all(map(_is_order, of)):
        if len(of) != len(inputs):
            raise InputError(f"orders {of} received for {len(inputs)} inputs; one order for each expected.")
        return _of_orders(dict(zip(inputs, of, strict=True)), inputs)
    raise UsageError(
        f"of={shown(repr(of))} received; a name such as 'x1', 'x1 x2', 'x1^2' or 'laplacian', orders by input, or a "
        "mapping of names to numbers expected."
    )


def _is_order(k: Any) -> bool:
    return isinstance(k, Integral) and not isinstance(k, bool) and 0 <= int(k) <= _FACTORS


def _are_orders(of: Mapping[Any, Any], inputs: Sequence[str]) -> bool:
    return bool(of) and set(of) <= set(inputs) and all(map(_is_order, of.values()))


def _of_orders(orders: Mapping[str, Any], inputs: Sequence[str]) -> Operator:
    return Operator(((tuple(i for i, name in enumerate(inputs) for _ in range(int(orders.get(name, 0)))), 1.0),))


def _of_coefficients(of: Mapping[Any, Any], inputs: Sequence[str]) -> Operator:
    for name, c in of.items():
        if not isinstance(name, str) or not isinstance(c, Real) or not math.isfinite(c):
            raise UsageError(
                f"{shown(repr(name))}: {shown(repr(c))} received in an operator; names of derivatives with finite "
                "coefficients expected, as {'x1^2': 1.0, 'x2': -3.0}."
            )
    return _summed((alpha, factor * float(c)) for name, c in of.items() for alpha, factor in _named(name, inputs))


def _summed(terms: Iterable[tuple[MultiIndex, float]]) -> Operator:
    """Return the sum, its terms in one order, so that equal operators are equal."""
    found: dict[MultiIndex, float] = {}
    for alpha, c in terms:
        found[alpha] = found.get(alpha, 0.0) + c
    kept = [(alpha, c) for alpha, c in found.items() if c]
    if not kept:
        raise InputError("an operator without terms received; at least one coefficient that is not 0 expected.")
    return Operator(tuple(sorted(kept, key=lambda term: (len(term[0]), term[0]))))


def _named(text: str, inputs: Sequence[str]) -> Iterator[tuple[MultiIndex, float]]:
    """Yield the terms of "", "value", "x1", "x1 x2", "x1^2 x2" or "laplacian"."""
    name = text.strip(" ")
    alpha = factors(text, inputs) or factors(name, inputs)
    if alpha is not None:
        yield alpha, 1.0
    elif name in ("", "value", "f"):
        yield (), 1.0
    elif name == "laplacian":
        yield from (((i, i), 1.0) for i in range(len(inputs)))
    else:
        raise InputError(
            f"derivative {shown(name)!r} received; the inputs are {shown(', '.join(inputs), 200)}.\n"
            "Write their names with blanks between them, as 'x1', 'x1 x2' or 'x1^2'; 'value' or 'laplacian'."
        )


def factors(text: str, inputs: Sequence[str], sign: str = "") -> MultiIndex | None:
    """Return the multi-index that a text like "x1 x2^2" names, or None.

    Parameters
    ----------
    text : str
        Names of inputs, each with a power or without, with blanks between them.
    inputs : sequence of str
        Their names, which may contain blanks and carets themselves: of several readings, the one with the longest
        names counts.
    sign : str
        What stands before each name.

    Returns
    -------
    MultiIndex or None
        Positions of inputs in ascending order.

    Examples
    --------
    >>> factors("age body mass^2", ["body mass", "age"]), factors("dx dt", ["x", "t"], "d"), factors("y", ["x"])
    ((0, 0, 1), (0, 1), None)
    """
    places = {name: place for place, name in enumerate(inputs)}
    longest = sorted(filter(None, inputs), key=len, reverse=True)
    dead: set[int] = set()

    def read(start: int, depth: int) -> list[int] | None:
        if start in dead or depth > _FACTORS:
            return None
        for name in longest if text.startswith(sign, start) else ():
            if not text.startswith(name, start + len(sign)):
                continue
            end = start + len(sign) + len(name)
            power = _POWER.match(text, end)
            rest = after(power.end() if power else end, depth)
            if rest is not None:
                return [places[name]] * (int(power[1]) if power else 1) + rest
        dead.add(start)
        return None

    def after(end: int, depth: int) -> list[int] | None:
        if end == len(text):
            return []
        blanks = _BLANKS.match(text, end)
        return read(blanks.end(), depth + 1) if blanks else None

    found = read(0, 1)
    return None if found is None else tuple(sorted(found))
