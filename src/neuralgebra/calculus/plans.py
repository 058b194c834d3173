"""Which way to a derivative: every way that there is, what it costs, and the cheapest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from neuralgebra.calculus import operators, strategies
from neuralgebra.calculus.costs import Costs
from neuralgebra.errors import UsageError, shown
from neuralgebra.network.bound import Bound
from neuralgebra.network.network import Network

__all__ = ["Plan", "Way", "plan", "planned"]


@dataclass(frozen=True)
class Way:
    """One way to a derivative.

    Parameters
    ----------
    name : str
        What it is.
    cost : int
        Multiplications for each point.
    remark : str
        What it does.
    compute : callable
        (kind, network, points) -> results.
    """

    name: str
    cost: int
    remark: str
    compute: Callable[..., Any] = field(repr=False)


@dataclass(frozen=True)
class Plan:
    """The ways to a derivative of one network, cheapest first.

    Parameters
    ----------
    quantity : str
        The derivative.
    ways : tuple of Way
        All that there are.
    """

    quantity: str
    ways: tuple[Way, ...]

    @property
    def way(self) -> Way:
        """The way that is taken."""
        return self.ways[0]

    @property
    def cost(self) -> int:
        """Its multiplications for each point."""
        return self.way.cost

    def __str__(self) -> str:
        wide = max(len(way.name) for way in self.ways)
        lines = [f"{self.quantity}: {self.way.name}, {self.cost:,} multiplications a point"]
        for way in self.ways:
            sign = "→" if way is self.way else " "
            ratio = f"{way.cost / max(1, self.cost):.2f}"
            lines.append(f"{sign} {way.name:<{wide}}  {way.cost:>13,}  {ratio:>6}  {way.remark}")
        return "\n".join(lines)


def plan(network: Network, quantity: str) -> Plan:
    """Return which way to a derivative is taken, and why: what each way costs.

    Parameters
    ----------
    network : Network
        f.
    quantity : {"jacobian", "hessian", "hessian_diagonal", "laplacian", "biharmonic"}
        The derivative.

    Returns
    -------
    Plan
        `.ways`, cheapest first, each with `.name`, `.cost` in multiplications for each point, and `.remark`;
        `print(plan)` shows them.

    Raises
    ------
    UsageError
        For another quantity.

    Examples
    --------
    >>> import neuralgebra as na, numpy as np
    >>> f = na.Network.from_layers([(np.ones((20, 5)), None), (np.ones((1, 20)), None)])
    >>> print(f.plan("jacobian"))
    jacobian: adjoint, 180 multiplications a point
    → adjoint            180    1.00  one pass back with 1 output
      forward            440    2.44  one pass with 5 directions
    """
    if not isinstance(quantity, str) or quantity not in WAYS:
        raise UsageError(f"quantity {shown(quantity)} received; one of {', '.join(WAYS)} expected.")
    return planned(network, quantity)


def planned(network: Network, quantity: str, directions: int | None = None) -> Plan:
    """Return the plan for a quantity in a number of directions, by default all; remembered by the network."""
    known: dict[Any, Plan] = network.memory
    key = ("plan", quantity, directions)
    if key not in known:
        count = network.input_size if directions is None else directions
        ways = sorted(WAYS[quantity](network, Costs(network), count), key=lambda way: way.cost)
        known[key] = Plan(quantity, tuple(ways))
    return known[key]


def _jacobian(network: Network, costs: Costs, n: int) -> Iterator[Way]:
    m, units = network.output_size, costs.units
    remark = f"one pass back with {m} output{'s' if m > 1 else ''}"
    yield Way("adjoint", costs.adjoints(), remark, strategies.adjoint_jacobian)
    yield Way("forward", costs.jets(n, n), f"one pass with {n} directions", strategies.forward_jacobian)
    if 0 < units < n:
        cost, remark = costs.jets(units, units) + m * units * n, f"one pass with {units} directions, then times W₁"
        yield Way("forward behind layer 1", cost, remark, strategies.reduced_jacobian)


def _hessian(network: Network, costs: Costs, n: int) -> Iterator[Way]:
    m, units = network.output_size, costs.units
    cost = costs.layer_sum(n, n + m * _pairs(n))
    yield Way("layer sum", cost, f"Σ Jᵀ diag(λσ″) J with {n} directions", strategies.full_hessian)
    if 0 < units < n:
        cost = costs.layer_sum(units, units + m * _pairs(units)) + m * units * n * (units + n)
        remark = f"with {units} directions, then W₁ᵀ H W₁"
        yield Way("layer sum behind layer 1", cost, remark, strategies.reduced_hessian)
    cost = costs.jets(n + _pairs(n), n + 3 * _pairs(n))
    yield Way("jets", cost, f"{n + _pairs(n)} Taylor coefficients forward", strategies.hessian_by_jets)


def _diagonal(network: Network, costs: Costs, n: int) -> Iterator[Way]:
    m, units = network.output_size, costs.units
    remark = f"diagonal of Σ Jᵀ diag(λσ″) J, {n} directions"
    yield Way("layer sum", costs.layer_sum(n, n * (1 + m)), remark, strategies.sum_diagonal)
    if 0 < units < n:
        cost = costs.layer_sum(units, units + m * _pairs(units)) + m * units * n * (units + 1)
        remark = f"with {units} directions, then the diagonal of W₁ᵀ H W₁"
        yield Way("layer sum behind layer 1", cost, remark, strategies.reduced_diagonal)


def _laplacian(network: Network, costs: Costs, n: int) -> Iterator[Way]:
    for count, reduced in _spaces(network, costs, n):
        where = " behind layer 1" if reduced else ""
        cost = costs.layer_sum(count, count + network.output_size)
        remark = f"trace of Σ Jᵀ diag(λσ″) J, {count} directions"
        yield Way(f"layer sum{where}", cost, remark, partial(operators.trace_by_sum, reduced))
        cost, remark = costs.jets(count + 1, 2 * count + 2), f"{count} directions and their sum forward"
        yield Way(f"collapsed jets{where}", cost, remark, partial(operators.trace_by_jets, reduced))


def _biharmonic(network: Network, costs: Costs, n: int) -> Iterator[Way]:
    for count, reduced in _spaces(network, costs, n):
        where = " behind layer 1" if reduced else ""
        coefficients = 2 * count + _pairs(count) + 1
        cost = costs.jets(coefficients, 6 * _pairs(count) + 8 * count)
        remark = f"{coefficients} numbers forward: 1, ∂ᵢ, ∂ᵢ∂ⱼ, ∂ᵢΔ, Δ² in {count} directions"
        yield Way(f"collapsed jets{where}", cost, remark, partial(operators.biharmonic, reduced))
    size = n + _pairs(n) + n * n + _pairs(n)
    cost, remark = costs.jets(size, 12 * n * n + 9 * n), f"{size} Taylor coefficients forward"
    yield Way("jets", cost, remark, operators.biharmonic_by_jets)


def _spaces(network: Network, costs: Costs, n: int) -> Iterator[tuple[int, bool]]:
    """Yield how many directions there are, in the input and behind the first layer."""
    yield n, False
    if 0 < costs.units < n and not isinstance(network, Bound):  # W Wᵀ is factored as numbers
        yield costs.units, True


def _pairs(n: int) -> int:
    return n * (n + 1) // 2


WAYS: dict[str, Callable[[Network, Costs, int], Iterator[Way]]] = {
    "jacobian": _jacobian,
    "hessian": _hessian,
    "hessian_diagonal": _diagonal,
    "laplacian": _laplacian,
    "biharmonic": _biharmonic,
}
