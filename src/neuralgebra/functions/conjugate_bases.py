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

z, L, w = variables("z L w")

_TIMES = Row("·ln(base)", z * L, (Element("L", ZERO, _log_of_base),), parameters={"base": 2}, fault=_base)
_OVER = Row(
    "/ln(base)",
    z * w,
    (Element("w", ZERO, lambda k, z, p: 1 / _log_of_base(k, z, p)),),
    parameters={"base": 2},
    fault=_base,
)


def _based(name: str, row: Row) -> Row:
    """Return the row of log_β∘σ∘γ^·, given that of log∘σ∘exp."""
    whole = composed(AFTER.join(("log_base", name, "exp_base")), (_OVER, row, _TIMES))
    return replace(whole, stabilised=True)


_ROWS = {name: row for name, row in CONJUGATES.items() if not row.kinks}
_softsign = found("logsigmoid")
assert _softsign is not None
BASED = tuple(_based(name, row) for name, row in {**_ROWS, "softsign": _softsign}.items())
"""The rows; those with kinks, whose place depends on the base, stay as they are put together."""

for _row in BASED:
    register(_row)
