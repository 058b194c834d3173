"""log_β∘σ∘γ^·, which layers of another base than e bring, from the table of log∘σ∘exp.

log_β σ(γ^z) = (log∘σ∘exp)(z·ln γ)/ln β is as accurate, from end to end, as log∘σ∘exp is; function after function it is
not: tanh(10^2) is 1 in floating-point numbers, and 10^-400 is 0. The rows have the name and the parameters of what
would be put together from log_β, σ and γ^·, and take its place.
"""

from __future__ import annotations

from dataclasses import replace

from neuralgebra.functions.activation import Element, Row, found, register
from neuralgebra.functions.catalogue import ZERO, _base, _log_of_base
from neuralgebra.functions.composition import composed
from neuralgebra.functions.conjugates import CONJUGATES
from neuralgebra.functions.polynomial import variables
from neuralgebra.functions.row import AFTER

__all__ = ["BASED"]

z, L, n, w = variables("z L n w")

_TIMES = Row("·ln(base)", z * L, (Element("L", ZERO, _log_of_base),), parameters={"base": 2}, fault=_base)
_OVER = Row(
    "/ln(base)",
    z * w,
    (Element("w", ZERO, lambda k, z, p: 1 / _log_of_base(k, z, p)),),
    parameters={"base": 2},
    fault=_base,
)


_RAISED = Row("·n", n * z, parameters={"n": 1})


def _catalogue(name: str) -> Row:
    row = found(name)
    assert row is not None
    return row


def _based(name: str, *rows: Row) -> Row:
    """Return the row of log_β∘σ∘γ^·, given those that log∘σ∘exp is made of."""
    whole = composed(AFTER.join(("log_base", name, "exp_base")), (_OVER, *rows, _TIMES))
    return replace(whole, stabilised=True)


BASED = (
    *(_based(name, row) for name, row in CONJUGATES.items() if not row.kinks),
    _based("softsign", _catalogue("logsigmoid")),
    _based("hill", _catalogue("logsigmoid"), _RAISED),
)
"""The rows; those with kinks, whose place depends on the base, stay as they are put together."""

for _row in BASED:
    register(_row)
