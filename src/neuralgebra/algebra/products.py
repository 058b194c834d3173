"""Products that are sums of neurons, found before anything is approximated.

Where both factors are affine maps of neurons, u = p + Σ A σ(z) and v = q + Σ B τ(w), and each σ(z)·τ(w) is a sum of
neurons of z and w, the product is a sum of neurons at the same depth::

    cos z cos w = ½ cos(z - w) + ½ cos(z + w)        sin z sin w = ½ cos(z - w) - ½ cos(z + w)
    sin z cos w = ½ sin(z - w) + ½ sin(z + w)        exp z exp w = exp(z + w)

Nothing is rounded: the new arguments are sums of the old ones, and products of weights stay products of matrices. A
square is a product with itself; neurons that come out equal are merged later, where weights are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra.combination import Combination
from neuralgebra.arithmetic.rationals import Rationals
from neuralgebra.errors import ResourceError
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.builder import Builder, Node
from neuralgebra.network.forms import Form, carried, identity, padded
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Multiply, Select
from neuralgebra.network.linear import identity as identities
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["expanded"]

_K = Rationals()
_MOST = 1000  # pairs of neurons of one product

Term = tuple[float, str, int, int]
"""c, φ, α, β of a term c·φ(α z + β w)."""

_RULES: dict[tuple[str, str], tuple[Term, ...]] = {
    ("cos", "cos"): ((0.5, "cos", 1, -1), (0.5, "cos", 1, 1)),
    ("sin", "sin"): ((0.5, "cos", 1, -1), (-0.5, "cos", 1, 1)),
    ("sin", "cos"): ((0.5, "sin", 1, -1), (0.5, "sin", 1, 1)),
    ("cos", "sin"): ((-0.5, "sin", 1, -1), (0.5, "sin", 1, 1)),
    ("exp", "exp"): ((1.0, "exp", 1, 1),),
}
_FAMILIES = {"cos": ("cos", "sin"), "sin": ("cos", "sin"), "exp": ("exp",)}
"""The functions whose products are sums of functions of the same family, for each activation."""


@dataclass(frozen=True)
class _Unit:
    """A neuron: its function, the places of its argument and of its value, and which coordinate it is."""

    function: str
    argument: int
    value: int
    index: int


def expanded(network: Network, function: Activation) -> Network:
    """Return the same function with products and squares of neurons of a family as sums of neurons.

    Parameters
    ----------
    network : Network
        An elementary network.
    function : Activation
        The activation.

    Returns
    -------
    Network
        An elementary network. Products that are no such sums stay, but those with a constant.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[2.0]], [1.0]), ([[3.0]], None)], "cos")
    >>> g = expanded(f * f, na.activation("cos"))
    >>> print([str(node.layer) for node in g.nodes if isinstance(node.layer, na.Elementwise)])
    ['cos']
    """
    return _Expansion(network, _FAMILIES.get(function.name, ())).run()


class _Expansion:
    """A network in the making, with what each place is as an affine form of inputs and neurons."""

    def __init__(self, network: Network, family: Sequence[str]) -> None:
        self.network, self.family = network, family
        self.builder = Builder(network.input_size)
        self.units: list[_Unit | None] = [None] * network.input_size
        self.forms: dict[int, Form] = {0: identity(network.input_size)}

    def run(self) -> Network:
        places = [0]
        for node in self.network.nodes:
            places.append(self._node(node, [places[i] for i in node.inputs]))
        last = places[self.network.output]
        return self.network._close(self.builder, last, output_shape=self.network.output_shape)

    def _node(self, node: Node, given: Sequence[int]) -> int:
        found = None
        if isinstance(node.layer, Multiply) or _is_square(node.layer):
            found = self._product(given[0], given[-1])
        return self._add(node.layer, *given) if found is None else found

    def _add(self, layer: Any, *given: int) -> int:
        """Add a layer, and note what its place is."""
        place = self.builder.add(layer, *given)
        if place not in self.forms:
            rows = 1 + len(self.units)
            form = carried(layer, [padded(self.forms[i], rows) for i in given])
            self.forms[place] = self._variables(layer, given[0], place) if form is None else form
        return place

    def _variables(self, layer: Any, argument: int, place: int) -> Form:
        start, size = 1 + len(self.units), self.builder.sizes[place]
        functions = [f.name for f in functions_of(layer, size)] if isinstance(layer, Elementwise) else [""] * size
        self.units += [_Unit(f, argument, place, i) if f in self.family else None for i, f in enumerate(functions)]
        return identity(size, start)

    # Products ---------------------------------------------------------------------------------------------------

    def _product(self, left: int, right: int) -> int | None:
        """Return the place of u·v as a sum; None if it is none.

        u v = (u - p)(v - q) + p v + q (u - p)
        """
        u, v = (padded(self.forms[i], 1 + len(self.units)) for i in (left, right))
        if not (u[1:] != 0).any():
            return self._scaled(right, u[0])
        if not (v[1:] != 0).any():
            return self._scaled(left, v[0])
        if not self._covered(u, v):
            return None
        parts = [self._pairs(u[1:], v[1:])]
        if (u[0] != 0).any():
            parts.append(self._scaled(right, u[0]))
        if (v[0] != 0).any():
            parts.append(self._combined(u[1:] * v[0]))
        size = self.builder.sizes[left]
        return self._add(Affine(identities(size, len(parts))), self._add(Concatenate(), *parts))

    def _covered(self, u: Form, v: Form) -> bool:
        return all(self.units[i] is not None for form in (u, v) for i in _used(form[1:]))

    def _scaled(self, place: int, factors: Form) -> int:
        diagonal = _K.zeros((len(factors), len(factors)))
        np.fill_diagonal(diagonal, factors)
        return self._add(Affine(Combination(diagonal)), place)

    def _combined(self, factors: Form) -> int:
        """Return the place of sums of neurons, given by factors of shape (variables, coordinates)."""
        used = _used(factors)
        neurons = [self._add(Select(np.array([self._unit(i).index])), self._unit(i).value) for i in used]
        return self._add(Affine(Combination(factors[used].T)), self._add(Concatenate(), *neurons))

    def _pairs(self, a: Form, b: Form) -> int:
        """Return the place of Σ_i Σ_j A_io B_jo σ_i(z_i) τ_j(w_j) for each o."""
        left, right = _used(a), _used(b)
        count = len(left) * len(right)
        if count > _MOST:
            raise ResourceError(
                f"a product of sums of {len(left):,} and {len(right):,} neurons received, {count:,} pairs; "
                f"at most {_MOST:,} are covered.\nAn activation whose products are approximated, as tanh, takes fewer."
            )
        pairs = [(i, j) for i in left for j in right if ((a[i] != 0) & (b[j] != 0)).any()]
        terms = sorted(((i, j, t) for i, j in pairs for t in self._rule(i, j)), key=lambda term: term[2][1])
        names = [name for _, _, (_, name, _, _) in terms]
        blocks = tuple((name, names.count(name)) for name in dict.fromkeys(names))
        neurons = self._add(Elementwise(blocks), self._arguments(terms))
        weight = np.array([a[i] * b[j] * _K.scalar(c) for i, j, (c, *_) in terms], dtype=object)
        return self._add(Affine(Combination(weight.T)), neurons)

    def _rule(self, i: int, j: int) -> tuple[Term, ...]:
        return _RULES[self._unit(i).function, self._unit(j).function]

    def _unit(self, variable: int) -> _Unit:
        unit = self.units[variable]
        assert unit is not None
        return unit

    def _arguments(self, terms: Sequence[tuple[int, int, Term]]) -> int:
        """Return the place of α z_i + β w_j for each term."""
        needed = sorted({variable for i, j, _ in terms for variable in (i, j)})
        column = {variable: at for at, variable in enumerate(needed)}
        units = [self._unit(variable) for variable in needed]
        chosen = [self._add(Select(np.array([unit.index])), unit.argument) for unit in units]
        weight = np.zeros((len(terms), len(needed)))
        for row, (i, j, (_, _, alpha, beta)) in zip(weight, terms, strict=True):
            row[column[i]] += alpha
            row[column[j]] += beta
        return self._add(Affine(weight), self._add(Concatenate(), *chosen))


def _used(factors: Form) -> list[int]:
    """Return which variables have a factor that is not zero."""
    return np.flatnonzero((factors != 0).any(axis=1)).tolist()


def _is_square(layer: Any) -> bool:
    return isinstance(layer, Elementwise) and layer.only == activation("square")
