"""Products that are sums of neurons, found before anything is approximated.

Where both factors are affine maps of neurons, u = p + Σ A σ(z) and v = q + Σ B τ(w), and each σ(z)·τ(w) is a sum of
neurons of z and w, the product is a sum of neurons at the same depth::

    cos z cos w = ½ cos(z - w) + ½ cos(z + w)        sin z sin w = ½ cos(z - w) - ½ cos(z + w)
    sin z cos w = ½ sin(z - w) + ½ sin(z + w)        exp z exp w = exp(z + w)

Of sigmoid and tanh the product of two neurons with parallel arguments is a sum of the two, by partial fractions::

    σ(z) σ(z - δ) = σ(z) / (1 - e^δ) + σ(z - δ) / (1 - e⁻ᵟ)

and where the arguments are opposite too, since σ(-z) = 1 - σ(z) (see `fractions`). Any other product can be a sum
within an error (see `same_depth`).

Otherwise nothing is rounded but constants: new arguments are sums of the old ones, and products of weights stay
products of matrices. A square is a product with itself; neurons that come out equal are merged later.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra.assembly import raised, through
from neuralgebra.algebra.combination import Combination
from neuralgebra.algebra.fractions import DIGITS, Fraction, fraction
from neuralgebra.algebra.same_depth import Sum
from neuralgebra.arithmetic.rationals import Rationals, above, nearest
from neuralgebra.errors import ResourceError
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.builder import Builder, Node
from neuralgebra.network.forms import ZERO, Form, carried, identity, padded
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Multiply, Select
from neuralgebra.network.linear import identity as identities
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["Expansion", "expanded"]

_K = Rationals()
_BOUNDED = ("sigmoid", "tanh", "sin", "cos")  # by 1
_MOST = 1000  # neurons of one product

_Pair = tuple[int, int]
_Pairs = dict[_Pair, Form]
"""Factors of the products of two neurons, for each output."""


@dataclass(frozen=True)
class _Term:
    """c·φ(α z + β w + γ)."""

    factor: Any
    function: Activation
    alpha: float
    beta: float
    gamma: float


_RULES: dict[tuple[str, str], tuple[tuple[float, str, int, int], ...]] = {
    ("cos", "cos"): ((0.5, "cos", 1, -1), (0.5, "cos", 1, 1)),
    ("sin", "sin"): ((0.5, "cos", 1, -1), (-0.5, "cos", 1, 1)),
    ("sin", "cos"): ((0.5, "sin", 1, -1), (0.5, "sin", 1, 1)),
    ("cos", "sin"): ((-0.5, "sin", 1, -1), (0.5, "sin", 1, 1)),
    ("exp", "exp"): ((1.0, "exp", 1, 1),),
}
"""c, φ, α and β of the terms."""
_FAMILIES = {"cos": ("cos", "sin"), "sin": ("cos", "sin"), "exp": ("exp",)}
"""The functions whose products are sums of functions of the same family, for each activation."""


@dataclass(frozen=True)
class Expansion:
    """A network in which products are sums of neurons.

    Parameters
    ----------
    network : Network
        An elementary network.
    errors : dict of int to ndarray
        How far the values at places are from those of the network that was expanded, at most, if their arguments are
        right: what is not exact.
    """

    network: Network
    errors: dict[int, np.ndarray]


@dataclass(frozen=True)
class _Unit:
    """A neuron: its function, the places of its argument and of its value, and which coordinate it is."""

    function: Activation
    argument: int
    value: int
    index: int
    given: bool
    """Whether the network had it before."""


def expanded(network: Network, function: Activation, approximately: Sum | None = None) -> Expansion:
    """Return the same function with products and squares of neurons of a family as sums of neurons.

    Parameters
    ----------
    network : Network
        An elementary network.
    function : Activation
        The activation.
    approximately : Sum, optional
        What other products of two of its neurons are replaced with.

    Returns
    -------
    Expansion
        An elementary network. Products that are no such sums stay, but those with a constant.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[2.0]], [1.0]), ([[3.0]], None)], "cos")
    >>> g = expanded(f * f, na.activation("cos")).network
    >>> print([str(node.layer) for node in g.nodes if isinstance(node.layer, na.Elementwise)])
    ['cos']
    """
    return _Expansion(network, function, approximately).run()


class _Expansion:
    """A network in the making, with what each place is as an affine form of inputs and neurons."""

    def __init__(self, network: Network, function: Activation, approximately: Sum | None) -> None:
        self.network, self.function, self.approximately = network, function, approximately
        self.builder = Builder(network.input_size)
        self.units: list[_Unit | None] = [None] * network.input_size
        self.given = False
        self.forms: dict[int, Form] = {0: identity(network.input_size)}
        self.errors: dict[int, np.ndarray] = {}
        self.off: dict[int, np.ndarray] = {}
        """How far forms of places are from what they stand for, where products before them are not exact."""
        self.moved: set[int] = set()
        """Places whose values depend on such products."""

    def run(self) -> Expansion:
        places = [0]
        for node in self.network.nodes:
            places.append(self._node(node, [places[i] for i in node.inputs]))
        last = places[self.network.output]
        network = self.network._close(self.builder, last, output_shape=self.network.output_shape)
        new = self.builder.renumbered(last)
        return Expansion(network, {new[place]: off for place, off in self.errors.items() if place in new})

    def _node(self, node: Node, given: Sequence[int]) -> int:
        found = None
        if isinstance(node.layer, Multiply) or _is_square(node.layer):
            found = self._product(given[0], given[-1])
        if found is not None:
            return found
        self.given = True
        place = self._add(node.layer, *given)
        self.given = False
        return place

    def _add(self, layer: Any, *given: int) -> int:
        """Add a layer, and note what its place is."""
        place = self.builder.add(layer, *given)
        if place not in self.forms:
            rows = 1 + len(self.units)
            form = carried(layer, [padded(self.forms[i], rows) for i in given])
            self.forms[place] = self._variables(layer, given[0], place) if form is None else form
            if self.moved.intersection(given):
                self.moved.add(place)
            if form is not None and any(i in self.off for i in given):
                sizes = [self.off.get(i, np.zeros(self.builder.sizes[i])) for i in given]
                self.off[place] = through(layer, np.concatenate(sizes)[None])[0]
        return place

    def _variables(self, layer: Any, argument: int, place: int) -> Form:
        start, size = 1 + len(self.units), self.builder.sizes[place]
        functions = list(functions_of(layer, size)) if isinstance(layer, Elementwise) else [None] * size
        given = self.given
        self.units += [None if f is None else _Unit(f, argument, place, i, given) for i, f in enumerate(functions)]
        return identity(size, start)

    # Products ---------------------------------------------------------------------------------------------------

    def _product(self, left: int, right: int) -> int | None:
        """Return the place of u·v as a sum; None if it is none.

        u v = (u - p)(v - q) + p v + q (u - p)
        """
        u, v = (padded(self.forms[i], 1 + len(self.units)) for i in (left, right))
        rough = [i for i in (left, right) if i in self.off]
        if not (u[1:] != 0).any() and left not in rough:
            return self._scaled(right, u[0])
        if not (v[1:] != 0).any() and right not in rough:
            return self._scaled(left, v[0])
        lost = self._lost(left, right, u, v) if rough else np.zeros(self.builder.sizes[left])
        found = None if lost is None else self._neurons(_pairs(u[1:], v[1:]), self.builder.sizes[left], lost)
        if found is None:
            return None
        parts = [found]
        if (u[0] != 0).any():
            parts.append(self._scaled(right, u[0]))
        if (v[0] != 0).any():
            parts.append(self._combined(u[1:] * v[0]))
        size = self.builder.sizes[left]
        return self._add(Affine(identities(size, len(parts))), self._add(Concatenate(), *parts))

    def _lost(self, left: int, right: int, u: Form, v: Form) -> np.ndarray | None:
        """Return what a product of forms that are off is off by; None where values have no bound."""
        sizes = []
        for place, form in ((left, u), (right, v)):
            used = np.flatnonzero((form[1:] != 0).any(axis=1)).tolist()
            if any(self.units[i] is None or self._unit(i).function.name not in _BOUNDED for i in used):
                return None
            total = np.array([above(sum(map(abs, column), ZERO)) for column in form.T])
            sizes.append((raised(total), self.off.get(place, np.zeros(len(total)))))
        (a, off_a), (b, off_b) = sizes
        return raised(a * off_b + b * off_a + off_a * off_b)

    def _scaled(self, place: int, factors: Form) -> int:
        diagonal = _K.zeros((len(factors), len(factors)))
        np.fill_diagonal(diagonal, factors)
        return self._add(Affine(Combination(diagonal)), place)

    def _combined(self, factors: Form) -> int:
        """Return the place of sums of neurons, given by factors of shape (variables, coordinates)."""
        used = np.flatnonzero((factors != 0).any(axis=1)).tolist()
        neurons = [self._neuron(i) for i in used]
        return self._add(Affine(Combination(factors[used].T)), self._add(Concatenate(), *neurons))

    def _unit(self, variable: int) -> _Unit:
        unit = self.units[variable]
        assert unit is not None
        return unit

    def _neurons(self, pairs: _Pairs, size: int, lost: np.ndarray) -> int | None:
        """Return the place of Σ_ij A_io B_jo σ_i(z_i) τ_j(w_j) for each o, if it is a sum of neurons.

        What it stands for is off by as much as is lost already.
        """
        if any(self.units[i] is None for pair in pairs for i in pair):
            return None
        family = _FAMILIES.get(self.function.name, ())
        if all(self._unit(i).function.name in family for pair in pairs for i in pair):
            return self._by_terms({pair: self._terms(*pair) for pair in pairs}, pairs, lost)
        fractions = {pair: self._fraction(*pair) for pair in pairs}
        if all(fraction is not None for fraction in fractions.values()):
            return self._by_fractions(fractions, pairs, size, lost)  # type: ignore[arg-type]
        if self.approximately is None or not all(self._as_fitted(i) for pair in pairs for i in pair):
            return None
        inner, outer = self.approximately.inner.tolist(), self.approximately.outer.tolist()
        terms = [_Term(_K.scalar(c), self.function, *numbers) for c, numbers in zip(outer, inner, strict=True)]
        constant = _K.scalar(self.approximately.constant)
        return self._by_terms(dict.fromkeys(pairs, terms), pairs, lost, constant, self.approximately.error)

    def _as_fitted(self, variable: int) -> bool:
        """Return whether the argument of a neuron has the range for which the sum of a product was made."""
        unit = self._unit(variable)
        return unit.function == self.function and unit.given and unit.argument not in self.moved

    # Sums of new neurons ----------------------------------------------------------------------------------------

    def _terms(self, i: int, j: int) -> list[_Term]:
        rule = _RULES[self._unit(i).function.name, self._unit(j).function.name]
        return [_Term(_K.scalar(c), activation(name), alpha, beta, 0.0) for c, name, alpha, beta in rule]

    def _by_terms(
        self,
        terms: dict[_Pair, list[_Term]],
        pairs: _Pairs,
        lost: np.ndarray,
        constant: Any = ZERO,
        error: float = 0.0,
    ) -> int:
        """Return the place of Σ_ij A_io B_jo (d + Σ c φ(α z_i + β w_j + γ)), where each sum may be off by an error."""
        listed = sorted(
            ((i, j, term) for (i, j), found in terms.items() for term in found), key=lambda t: t[2].function.name
        )
        self._expect_few(len(listed), len(pairs))
        blocks = [(f, len(list(same))) for f, same in itertools.groupby(term.function for _, _, term in listed)]
        neurons = self._add(Elementwise(tuple(blocks)), self._arguments(listed))
        weight = np.array([pairs[i, j] * term.factor for i, j, term in listed], dtype=object)
        total = sum(pairs.values()) * constant
        off = np.array([above(sum((abs(f[o]) for f in pairs.values()), ZERO)) * error for o in range(len(lost))])
        return self._noted(Combination(weight.T), total, neurons, raised(off) + lost)

    def _noted(self, weight: Combination, constant: Form, place: int, off: np.ndarray) -> int:
        """Add an affine map whose constants are rounded, and note how far it is off."""
        if not (constant != 0).any():
            found = self._add(Affine(weight), place)
        else:
            bias = np.array([nearest(v) for v in constant])
            found = self._add(Affine(weight, bias), place)
            exact = _K.weight(bias)
            off = off + np.array([above(abs(a - b)) for a, b in zip(constant, exact, strict=True)])
        if off.any():
            self.errors[found] = self.off[found] = np.nextafter(off, np.inf)
            self.moved.add(found)
        return found

    def _expect_few(self, count: int, pairs: int) -> None:
        if count > _MOST:
            raise ResourceError(
                f"a product of sums with {pairs:,} pairs of neurons received, {count:,} neurons; "
                f"at most {_MOST:,} are covered.\nAn activation whose products are approximated, as tanh, takes fewer."
            )

    def _arguments(self, terms: Sequence[tuple[int, int, _Term]]) -> int:
        """Return the place of α z_i + β w_j + γ for each term."""
        needed = sorted({variable for i, j, _ in terms for variable in (i, j)})
        column = {variable: at for at, variable in enumerate(needed)}
        units = [self._unit(variable) for variable in needed]
        chosen = [self._add(Select(np.array([unit.index])), unit.argument) for unit in units]
        weight = _K.zeros((len(terms), len(needed)))
        for row, (i, j, term) in zip(weight, terms, strict=True):
            row[column[i]] += _K.scalar(term.alpha)
            row[column[j]] += _K.scalar(term.beta)
        bias = np.array([term.gamma for _, _, term in terms])
        return self._add(Affine(Combination(weight), bias if bias.any() else None), self._add(Concatenate(), *chosen))

    # Sums of the neurons themselves -----------------------------------------------------------------------------

    def _fraction(self, i: int, j: int) -> Fraction | None:
        """Return the product of two neurons as d + c σ(z) + e σ(w), if their arguments are parallel."""
        first, second = self._unit(i), self._unit(j)
        z, w = (padded(self.forms[u.argument], 1 + len(self.units))[:, u.index] for u in (first, second))
        if any(u.argument in self.moved for u in (first, second)):
            return None
        for sign in (1, -1):
            if first.function == second.function and (z[1:] == sign * w[1:]).all():
                return fraction(first.function.name, z[0] - sign * w[0], sign)
        return None

    def _by_fractions(self, fractions: dict[_Pair, Fraction], pairs: _Pairs, size: int, lost: np.ndarray) -> int:
        """Return the place of Σ_ij A_io B_jo (d + c σ_i + e σ_j)."""
        total = _K.zeros((1 + len(self.units), size))
        for (i, j), (d, c, e) in fractions.items():
            total[0] += pairs[i, j] * d
            total[1 + i] += pairs[i, j] * c
            total[1 + j] += pairs[i, j] * e
        used = np.flatnonzero((total[1:] != 0).any(axis=1)).tolist()
        neurons = self._add(Concatenate(), *(self._neuron(i) for i in used))
        off = np.array([above(size) for size in sum(abs(factor) for factor in pairs.values())]) * DIGITS
        return self._noted(Combination(total[1:][used].T), total[0], neurons, raised(off) + lost)

    def _neuron(self, variable: int) -> int:
        unit = self._unit(variable)
        return self._add(Select(np.array([unit.index])), unit.value)


def _pairs(a: Form, b: Form) -> _Pairs:
    """Return A_io B_jo for each pair of variables for which some are not 0."""
    left, right = (np.flatnonzero((factors != 0).any(axis=1)).tolist() for factors in (a, b))
    return {(i, j): a[i] * b[j] for i in left for j in right if ((a[i] != 0) & (b[j] != 0)).any()}


def _is_square(layer: Any) -> bool:
    return isinstance(layer, Elementwise) and layer.only == activation("square")
