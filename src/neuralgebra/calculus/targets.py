"""What a fit compares with data: values and derivatives, as sums of coefficients of one jet.

A target is one number for each output: the value, an entry of the Jacobian or of the Hessian, the Laplacian, ∂^α f.
All targets asked for come from one set of coefficients, the smallest that holds them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.scatter import Scatter
from neuralgebra.calculus.choice import multi_index
from neuralgebra.calculus.indices import Collapsed, IndexSet, Indices, MultiIndex, factorial
from neuralgebra.calculus.jet import Jet
from neuralgebra.errors import UsageError, shown
from neuralgebra.network.network import Network

__all__ = ["Targets", "wanted"]

Sum = tuple[MultiIndex, ...]
"""A sum of derivatives ∂^α."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Targets as sums of derivatives, and the coefficients that they are made of.

    Parameters
    ----------
    sums : tuple of tuple of MultiIndex
        Each target.
    variables : int
        Number of inputs n.
    """

    sums: tuple[Sum, ...]
    variables: int

    @property
    def count(self) -> int:
        """Number of targets."""
        return len(self.sums)

    @cached_property
    def indices(self) -> Indices:
        """The smallest algebra that holds them: with a trace alone of order 2 a collapsed one."""
        if {s for s in self.sums if len(s[0]) > 1} == {self._trace}:
            return Collapsed(dict.fromkeys(self._trace, 1.0))
        return IndexSet.below(alpha for s in self.sums for alpha in s)

    def part(self, sums: tuple[Sum, ...]) -> Targets:
        """Return some of the targets; the object itself where they are all."""
        if sums == self.sums:
            return self
        return self._parts.setdefault(sums, Targets(sums, self.variables))

    @cached_property
    def _parts(self) -> dict[tuple[Sum, ...], Targets]:
        return {}

    @property
    def _trace(self) -> Sum:
        return tuple((i, i) for i in range(self.variables))

    @cached_property
    def _terms(self) -> list[tuple[int, int, float]]:
        """Target, place among all coefficients, and factor of each term."""
        starts = [*itertools.accumulate((len(level) for level in self.indices.levels), initial=0)]
        if isinstance(self.indices, Collapsed):
            # Its last level is the trace itself, and those below hold plain coefficients.
            return [(t, starts[len(s[0])] + (s[0][0] if len(s[0]) == 1 else 0), 1.0) for t, s in enumerate(self.sums)]
        return [
            (t, starts[len(a)] + self.indices.places(len(a))[a], float(factorial(a)))
            for t, s in enumerate(self.sums)
            for a in s
        ]

    @cached_property
    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        targets, places, factors = zip(*self._terms, strict=True)
        return np.array(targets), np.array(places), np.array(factors)

    @cached_property
    def _scatters(self) -> tuple[Scatter, Scatter]:
        targets, places, _ = self._table
        return Scatter(targets, self.count), Scatter(places, self.indices.size)

    def read(self, k: Any, jet: Jet) -> Value:
        """Return the targets, (..., t), of a jet with levels (K_l, ...)."""
        _, places, factors = self._table
        shape = tuple(jet.value.shape[1:])
        rows = [
            k.zeros((len(names), *shape)) if a is None else k.broadcast(a, (len(names), *shape))
            for names, a in zip(self.indices.levels, jet.levels, strict=True)
        ]
        coefficients = k.permute(k.concat(rows, 0), (*range(1, len(shape) + 1), 0))
        return self._scatters[0](k, k.take(coefficients, places, -1) * k.weight(factors))

    def seeds(self, k: Any, w: Value) -> list[Value]:
        """Return the adjoints of the levels, (K_l, ...), given those of the targets, (..., t)."""
        targets, _, factors = self._table
        rows = self._scatters[1](k, k.take(w, targets, -1) * k.weight(factors))
        axes = len(rows.shape)
        first = k.permute(rows, (axes - 1, *range(axes - 1)))
        ends = [*itertools.accumulate(map(len, self.indices.levels), initial=0)]
        return [first[i:j, ...] for i, j in itertools.pairwise(ends)]


def wanted(network: Network, targets: Any) -> Targets:
    """Return the targets that a person names, remembered by the network.

    Parameters
    ----------
    network : Network
        f.
    targets : str, multi-index or list of them
        "value", "jacobian" (n targets), "hessian" (n², row by row), "laplacian", or a multi-index α for ∂^α: one
        order for each input, (2, 0); {"x": 2}; the name of an input.

    Returns
    -------
    Targets
        All of them, one after another.
    """
    many = targets if isinstance(targets, list) else [targets]
    if not many:
        raise UsageError("no targets received; 'value', 'jacobian', 'hessian', 'laplacian', (2, 0), … expected.")
    sums = tuple(s for target in many for s in _sums(network, target))
    return network.memory.once("targets", sums, lambda: Targets(sums, network.input_size))  # type: ignore[no-any-return]


def _sums(network: Network, target: Any) -> list[Sum]:
    n = network.input_size
    if isinstance(target, str) and target in _NAMED and target in network.input_names:
        raise UsageError(
            f"target {target!r} received, which is also an input: rename it, or ask for {{{target!r}: 1}}."
        )
    if isinstance(target, str) and target in _NAMED:
        return list(_NAMED[target](n))
    if isinstance(target, str) and target not in network.input_names:
        raise UsageError(
            f"target {shown(repr(target))} received; one of {', '.join(_NAMED)}, a multi-index or the name of an input "
            "expected."
        )
    if not isinstance(target, str | tuple | Mapping):
        raise UsageError(f"target {shown(repr(target))} received; a name, a tuple of orders or a mapping expected.")
    return [(multi_index(network, target),)]


_NAMED: dict[str, Any] = {
    "value": lambda n: [((),)],
    "jacobian": lambda n: [((i,),) for i in range(n)],
    "hessian": lambda n: [((min(i, j), max(i, j)),) for i in range(n) for j in range(n)],
    "laplacian": lambda n: [tuple((i, i) for i in range(n))],
}
