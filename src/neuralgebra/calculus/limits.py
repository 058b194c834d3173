"""Refusals: orders that are no orders, and derivatives that would not fit into memory."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuralgebra.errors import ResourceError, UsageError, shown
from neuralgebra.network.network import Network

__all__ = ["checked_order", "refuse_giants", "refuse_long"]

_POINT_BYTES = 1 << 32
_LONGEST = {True: 170, False: 34}  # n! is a number of float64, of float32


def checked_order(order: Any) -> int:
    """Return an order as an integer."""
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
        raise UsageError(f"order {shown(order)} received; an integer, at least 0, expected.")
    return int(order)


def refuse_giants(network: Network, order: Any, inputs: int | None = None) -> int:
    """Return an order if the derivatives up to it fit into memory at one point; else say what they need."""
    given: int = checked_order(order)
    order, n = given, inputs or network.input_size
    coefficients = math.comb(n + order, order) if order < 1000 else math.inf
    held = 8 * coefficients * max(network.sizes) if order > 2 else 8 * network.output_size * n**order
    if held > _POINT_BYTES:
        raise ResourceError(
            f"derivatives up to order {shown(order)} of {n} inputs need {_amount(held)} a point; the limit is "
            f"{_POINT_BYTES / 2**30:.0f} GiB.\nAlong one direction v, taylor(x, v, order) needs little; hvp(x, v), "
            "hessian_diagonal(x), laplacian(x) and derivative(x, α) give parts."
        )
    return given


def refuse_long(network: Network, order: Any, double: bool = True) -> int:
    """Return an order if its coefficients and factorials are numbers of the dtype; else say what they need."""
    given: int = checked_order(order)
    longest, dtype = _LONGEST[double], "float64" if double else "float32"
    if given > longest:
        held = 8 * given**2 * sum(network.sizes)
        need = f"\nCoefficients and their products would need {_amount(held)} a point." if held > _POINT_BYTES else ""
        raise ResourceError(
            f"order {shown(order)} received; at most {longest} expected: {longest + 1}! is no {dtype}.{need}"
        )
    return given


def _amount(held: float) -> str:
    return f"{held / 2**30:,.1f} GiB" if held < 2.0**90 else "more memory than there is"
