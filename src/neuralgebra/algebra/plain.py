"""Networks as plain layers (A₁, b₁), …, (A_L, b_L) with one activation between them.

What is exact is found first: functions that are sums of neurons of the activation, products of the cosine and
exponential families, values handed on by identity neurons. The rest is approximated by gates, on a box, within a
tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra.assembly import Assembled, assembled
from neuralgebra.algebra.cells import Cell, of_relations
from neuralgebra.algebra.certificate import Certificate, Execution
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.execution import ULPS, executed
from neuralgebra.algebra.products import expanded
from neuralgebra.algebra.relations import one_sided, relation
from neuralgebra.algebra.schedule import Schedule, scheduled
from neuralgebra.algebra.sensitivity import Range, gains
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.propagate import Jets
from neuralgebra.errors import NotCertifiedError, UnsupportedError, UsageError, shown
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.activation import activation as named
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.layers import Elementwise, Multiply
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["Plain", "plain"]


@dataclass(frozen=True)
class Plain:
    """A plain network, with what is proven of its distance from the network that it stands for.

    Parameters
    ----------
    network : Network
        Affine layers with one activation between them.
    certificate : Certificate or None
        About the real numbers; None where no box was given.
    execution : Certificate or None
        About any execution in the dtype of the network.
    """

    network: Network
    certificate: Certificate | None
    execution: Certificate | None

    def layers_list(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return the pairs (A₁, b₁), …, (A_L, b_L), each A of shape (out, in)."""
        return self.network.layers_list()

    @property
    def neurons(self) -> int:
        """The number of hidden neurons."""
        return sum(len(weight) for weight, _ in self.layers_list()[:-1])

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.layers_list()) - 1


def plain(
    network: Network,
    activation: str | Activation | None = None,
    domain: Any = None,
    tol: float | None = None,
    *,
    dtype: Any = None,
) -> Plain:
    """Return the network as plain layers with one activation between them.

    y = A_L σ(… σ(A₁ x + b₁) …) + b_L

    Parameters
    ----------
    network : Network
        f.
    activation : str or Activation, optional
        σ; by default the only one that f has.
    domain : sequence of (float, float), or mapping of str to them, optional
        Lowest and highest value of each input. Without it only what is exact everywhere is done.
    tol : float, optional
        What the error of no output may exceed anywhere in the domain, for any execution in the dtype.
    dtype : {"float32", "float64"}, optional
        Of the weights; by default that of f.

    Returns
    -------
    Plain
        With ``.network``, ``.layers_list()``, ``.certificate`` and ``.execution``.

    Raises
    ------
    UnsupportedError
        When f has several activations and none is given, or when something is not exact and no domain is given.
    NotCertifiedError
        When the tolerance cannot be reached.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1.0]], [0.5]), ([[2.0]], None)], "cos")
    >>> (f * f).plain().layers_list()
    [(array([[2.]]), array([1.])), (array([[2.]]), array([2.]))]
    """
    box = None if domain is None else box_of(network, domain)
    return _Compiler(network, _activation(network, activation), box, np.dtype(dtype or network.dtype)).run()


_BESIDE = ("identity", "square")  # what powers of networks are made of


def _activation(network: Network, given: str | Activation | None) -> Activation:
    """Return the activation that is asked for, or the only one of a network."""
    if given is not None:
        function: Activation = named(given) if isinstance(given, str) else given
        return function
    layers = [node.layer for node in network.nodes]
    every = {f: None for layer in layers if isinstance(layer, Elementwise) for f, _ in layer.activations}
    found: list[Activation] = [f for f in every if f.name not in _BESIDE] or list(every)
    if {f.name for f in found} == {"sin", "cos"}:
        found = [f for f in found if f.name == "cos"]
    if len(found) != 1:
        have = f"the activations {shown(', '.join(map(str, found)))}" if found else "no activation"
        raise UsageError(
            f"a network with {have} received; which one the layers are to have must be said: activation=…."
        )
    return found[0]


class _Compiler:
    """One network on its way to plain layers."""

    def __init__(self, network: Network, function: Activation, box: Box | None, dtype: np.dtype) -> None:
        self.network, self.function, self.box, self.dtype = network, function, box, dtype
        self.simple = expanded(elementary(network), function)
        sizes = self.simple.sizes
        self.ranges = [(np.zeros(n), np.zeros(n)) for n in sizes] if box is None else _ranges(self.simple, box)
        self.gains = gains(self.simple, self.ranges)

    def run(self) -> Plain:
        """Return the plain network."""
        cells = {p: self._cell(p) for p, n in enumerate(self.simple.nodes, 1) if _computes(n.layer)}
        schedule = self._schedule(cells)
        hands = {
            place: self._hand(place)
            for place, (first, last) in enumerate(zip(schedule.first, schedule.last, strict=True))
            if first < last
        }
        made = assembled(self.simple, self.function, cells, hands, schedule, self.ranges, self.dtype)
        return self._result(made)

    def _schedule(self, cells: dict[int, Cell]) -> Schedule:
        arguments = [(), *(node.inputs for node in self.simple.nodes)]
        latencies = [cells[p].depth if p in cells else 0 for p in range(len(arguments))]
        costs = [self._hand_cost(p) * size for p, size in enumerate(self.simple.sizes)]
        return scheduled(arguments, latencies, costs, self.simple.output)

    def _hand_cost(self, place: int) -> int:
        if self.box is not None and one_sided(self.function, 0.0):
            return 1
        exact = relation(named("identity"), self.function)
        return 1 if exact is None else len(exact.terms)

    # Cells ------------------------------------------------------------------------------------------------------

    def _cell(self, place: int) -> Cell:
        layer = self.simple.nodes[place - 1].layer
        if isinstance(layer, Elementwise):
            functions = list(functions_of(layer, self.simple.sizes[place]))
            found = [relation(f, self.function) for f in functions]
            missing = [f for f, r in zip(functions, found, strict=True) if r is None]
            if not missing:
                return of_relations([r for r in found if r is not None], self.gains[place])
            raise self._refused(f"{missing[0]} as neurons of {self.function}")
        raise self._refused(f"a product as neurons of {self.function}")

    def _hand(self, place: int) -> Cell:
        """Return identity neurons for the value at a place."""
        size, lows = self.simple.sizes[place], self.ranges[place][0]
        found = [None if self.box is None else one_sided(self.function, float(low)) for low in lows]
        found = [relation(named("identity"), self.function) if r is None else r for r in found]
        if any(r is None for r in found):
            raise self._refused(f"a value handed on through a layer of {self.function}")
        return of_relations([r for r in found if r is not None], np.ones(size))

    def _refused(self, what: str) -> Exception:
        if self.box is None:
            return UnsupportedError(f"{what} is not exact; a domain and a tolerance expected: plain(σ, domain, tol).")
        return NotCertifiedError(f"{what} is not covered.")

    # Result -----------------------------------------------------------------------------------------------------

    def _result(self, made: Assembled) -> Plain:
        plain = Network.from_layers(
            made.layers,
            self.function,
            input_names=self.network.input_names,
            output_names=self.network.output_names,
            input_shape=self.network.input_shape,
            output_shape=self.network.output_shape,
        )
        if self.box is None:
            return Plain(plain, None, None)
        real = made.error
        any_ = real + executed(made, self.dtype)
        return Plain(plain, self._certificate(plain, real), self._certificate(plain, any_, self._execution()))

    def _execution(self) -> Execution:
        return Execution(self.dtype.name, ULPS)

    def _certificate(self, plain: Network, bounds: np.ndarray, execution: Execution | None = None) -> Certificate:
        assert self.box is not None
        hashes = plain.digest.hex(), self.network.digest.hex()
        upper = np.where(bounds > 0, np.nextafter(bounds, np.inf), 0.0)
        return Certificate(tuple(upper.tolist()), self.box, *hashes, execution)


def _computes(layer: Any) -> bool:
    return isinstance(layer, Elementwise | Multiply)


def _ranges(network: Network, box: Box) -> list[Range]:
    """Return proven ends of the values at all places."""
    k = Balls()
    with k.precision():
        x = Jet(IndexSet.full(network.input_size, 0), [k.interval(np.array(box.low), np.array(box.high))[None, None]])
        jets = Jets(k, network, x)
        jets.run(0, keep=True)
        values = [jet.value[0, 0] for jet in jets.jets if jet is not None]
        pairs = [[ends(v) if v.is_finite() else (-np.inf, np.inf) for v in value] for value in values]
    return [(np.array([a for a, _ in pair]), np.array([b for _, b in pair])) for pair in pairs]


def _ends_of(ranges: Sequence[Range], places: Sequence[int]) -> Range:
    low, high = (np.concatenate([ranges[i][end] for i in places]) for end in (0, 1))
    return low, high
