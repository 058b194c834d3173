"""Refusals: orders that are no orders, and derivatives that would not fit into memory."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from neuralgebra.calculus.indices import MultiIndex
from neuralgebra.errors import ResourceError, UsageError, shown
from neuralgebra.network.network import Network

__all__ = ["checked_order", "refuse_giants", "refuse_long", "refuse_many", "refuse_wide"]

_POINT_BYTES = 1 << 32
_PRODUCT_BYTES = 128  # for each product of two coefficients in the tables, about
_MOST_AXES = 60  # of 64 that an array of NumPy has: some are for points and outputs
_LONGEST = {True: 170, False: 34}  # n! is a number of float64, of float32


def checked_order(order: Any) -> int:
    """Return an order as an integer."""
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
        raise UsageError(f"order {shown(order)} received; an integer, at least 0, expected.")
    return int(order)


def refuse_giants(network: Network, order: Any, inputs: int | None = None) -> int:
    """Return an order if the derivatives up to it fit into memory at one point; else say what they need."""
    given: int = checked_order(order)
    n = inputs or network.input_size
    held = _bytes_of_all(network, given, n) if given < 1000 else math.inf
    if held > _POINT_BYTES:
        raise ResourceError(
            f"derivatives up to order {shown(order)} of {n} inputs need {_amount(held)} a point; the limit is "
            f"{_POINT_BYTES / 2**30:.0f} GiB.\nAlong one direction v, taylor(x, v, order) needs little; hvp(x, v), "
            "hessian_diagonal(x), laplacian(x) and derivative(x, α) give parts."
        )
    if given > _MOST_AXES:
        raise ResourceError(
            f"order {given} received; at most {_MOST_AXES} expected: an array has no axes for more.\n"
            "taylor(x, v, order) goes along one direction."
        )
    return given


def refuse_wide(network: Network, wanted: Iterable[MultiIndex]) -> None:
    """Raise ResourceError if the derivatives by some multi-indices do not fit into memory at one point."""
    counts = [Counter(index).values() for index in wanted]
    size = sum(math.prod(c + 1 for c in orders) for orders in counts)
    refuse_many(network, size, sum(math.prod((c + 1) * (c + 2) // 2 for c in orders) for orders in counts))


def refuse_many(network: Network, size: int, products: int) -> None:
    """Raise ResourceError if so many Taylor coefficients, and products of two, do not fit into memory at one point."""
    held = _bytes_of_jets(network, size, products)
    if held > _POINT_BYTES:
        raise ResourceError(
            f"these derivatives need {size:,} Taylor coefficients of each of {sum(network.sizes):,} units, and "
            f"{products:,} products of two: {_amount(held)} a point. taylor(x, v, order) goes along one direction."
        )


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


def _bytes_of_all(network: Network, order: int, n: int) -> int:
    """Return what all derivatives up to an order need: those of that order, or above order 2 the jets behind them."""
    result: int = 8 * network.output_size * n**order
    if order <= 2:
        return result
    return max(result, _bytes_of_jets(network, math.comb(n + order, order), math.comb(2 * n + order, order)))


def _bytes_of_jets(network: Network, coefficients: int, products: int) -> int:
    return max(8 * coefficients * max(network.sizes), _PRODUCT_BYTES * products)


def _amount(held: float) -> str:
    return f"{held / 2**30:,.1f} GiB" if held < 2.0**90 else "more memory than there is"
