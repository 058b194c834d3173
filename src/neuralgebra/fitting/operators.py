"""Linear differential operators with constant coefficients: what is known of a function at a point."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.calculus.indices import MultiIndex
from neuralgebra.errors import InputError, UsageError, shown

__all__ = ["VALUE", "Operator", "operator_of"]


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

    @property
    def order(self) -> int:
        """The highest order of a derivative in it."""
        return self.along or max(len(alpha) for alpha, _ in self.terms)

    def kind(self, inputs: Sequence[str]) -> str:
        """Return what people call it: "value", "x1", "x1 x2", "x1^2", "laplacian", "along v", a sum of such."""
        if self.along:
            return "along v" if self.along == 1 else f"along v^{self.along}"
        n = len(inputs)
        if n > 1 and dict(self.terms) == {(i, i): 1.0 for i in range(n)}:
            return "laplacian"
        parts = [_term(alpha, c, inputs, alone=len(self.terms) == 1) for alpha, c in self.terms]
        return " + ".join(parts).replace("+ -", "- ")


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
        "value" or ""; the name of an input; "x1 x2", "x1^2 x2"; "laplacian"; orders by input, (2, 0); a mapping of such
        names to coefficients, or of inputs to orders if all are whole.
    inputs : sequence of str
        Their names. A name of an input counts before any other reading of it.

    Returns
    -------
    Operator
        The operator.

    Raises
    ------
    InputError
        For an input that there is none of.

    Examples
    --------
    >>> operator_of("x t^2", ["x", "t"]).terms
    (((0, 1, 1), 1.0),)
    >>> operator_of({"x^2": 1.0, "t": -0.5}, ["x", "t"]).terms
    (((0, 0), 1.0), ((1,), -0.5))
    """
    if isinstance(of, Operator):
        return of
    if isinstance(of, str):
        return (
            _laplacian(len(inputs))
            if of == "laplacian" and of not in inputs
            else Operator(((_index(of, inputs), 1.0),))
        )
    if isinstance(of, Mapping):
        return _of_mapping(of, inputs)
    if isinstance(of, tuple) and all(isinstance(k, int | np.integer) and k >= 0 for k in of):
        if len(of) != len(inputs):
            raise InputError(f"orders {of} received for {len(inputs)} inputs; one order for each expected.")
        return Operator(((tuple(i for i, k in enumerate(of) for _ in range(int(k))), 1.0),))
    raise UsageError(
        f"of={shown(of)} received; a name such as 'x1', 'x1 x2', 'x1^2', 'laplacian', orders or a mapping expected."
    )


def _laplacian(n: int) -> Operator:
    return Operator(tuple(((i, i), 1.0) for i in range(n)))


def _of_mapping(of: Mapping[Any, Any], inputs: Sequence[str]) -> Operator:
    if of and all(isinstance(v, int | np.integer) and not isinstance(v, bool) and v >= 0 for v in of.values()):
        orders = sorted(_place(name, inputs) for name, k in of.items() for _ in range(int(k)))
        return Operator(((tuple(orders), 1.0),))
    terms: dict[MultiIndex, float] = {}
    for name, c in of.items():
        for alpha, factor in operator_of(name, inputs).terms:
            terms[alpha] = terms.get(alpha, 0.0) + factor * float(c)
    terms = {alpha: c for alpha, c in terms.items() if c}
    if not terms or not all(np.isfinite(c) for c in terms.values()):
        raise InputError(f"operator {shown(dict(of))} received; a sum with finite coefficients, not all 0, expected.")
    return Operator(tuple(terms.items()))


def _index(text: str, inputs: Sequence[str]) -> MultiIndex:
    """Return the multi-index of a name: "", "value", "f", "x1", "x1 x2", "x1^2 x2"."""
    name = text.strip()
    if name in inputs:
        return (list(inputs).index(name),)
    if name in ("", "value", "f"):
        return ()
    found: list[int] = []
    for part in name.split():
        match = re.fullmatch(r"(.+)\^([1-9]\d?)", part)
        base, power = (match[1], int(match[2])) if match and part not in inputs else (part, 1)
        found += [_place(base, inputs)] * power
    return tuple(sorted(found))


def _place(name: str, inputs: Sequence[str]) -> int:
    if name not in inputs:
        raise InputError(
            f"a derivative by {shown(repr(name))} received; one of the inputs {shown(', '.join(inputs))} expected."
        )
    return list(inputs).index(name)
