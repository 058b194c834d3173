"""Antiderivatives of networks as networks, where they close.

With respect to one input x every place of the network is looked at: what is affine in x with a slope that is a number,
v = s x + r, has the antiderivative x v - s x²/2; activations of it have F(v)/s, or x σ(v) where s is 0; affine maps,
selections and products with what does not depend on x are linear. Everything else is refused. Slopes are rational:
whether one is 0 is decided exactly, and nothing is rounded before the end.
"""

from __future__ import annotations

import math
import numbers
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.antiderivatives import antiderivative_of, times
from neuralgebra.algebra.combination import Combination
from neuralgebra.algebra.pieces import values_of
from neuralgebra.arithmetic.rationals import Rationals
from neuralgebra.errors import InputError, UnsupportedError, UsageError, shown
from neuralgebra.network.arguments import positions
from neuralgebra.network.builder import Builder
from neuralgebra.network.combine import stack
from neuralgebra.network.fold import fold
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Layer, Multiply, Select
from neuralgebra.network.linear import Diagonal
from neuralgebra.network.network import Network
from neuralgebra.network.units import subset

__all__ = ["antiderivative", "integrate", "reduced"]

_K = Rationals()


def antiderivative(network: Network, variable: str | int, base: float | None = 0.0) -> Network:
    """Return the antiderivative by one input as a network, F(x) = ∫ f dx_j from a base point to x_j.

    It closes for affine networks and for one hidden layer of most activations, for sums, stacks and products of these
    with what does not depend on the input. Σ a σ(w x + b) has the antiderivative Σ (a/w) Σ(w x + b) with Σ' = σ, for
    example softplus for sigmoid; a neuron with w = 0 becomes x σ(b). Coefficients a/w are rounded once, so neurons
    with a tiny w make large terms that cancel.

    Parameters
    ----------
    network : Network
        f, with m outputs.
    variable : str or int
        Name or position of the input.
    base : float or None
        Where F is 0; None leaves the constant of integration open, which is the smallest network.

    Returns
    -------
    Network
        F, with the inputs of f and m outputs.

    Raises
    ------
    UnsupportedError
        When the antiderivative is no network; the message names the place.
    InputError
        For an unknown input or a base that is no finite number.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1.0], [2.0]], None), ([[3.0, 4.0]], None)], "sigmoid")
    >>> f.antiderivative("x1", base=None)
    <Network 1 → 1: Affine 1→2 · softplus · Affine 2→1; 4 parameters, float64>
    >>> f.antiderivative("x1").diff("x1")([0.3]) - f([0.3])
    array([0.])
    """
    (place,) = _one(network, variable)
    found = _Search(network, place).antiderivative(network.output)
    if base is not None:
        found = _zero_at(found, place, _number(base, "base"))
    return _rounded(found, network.dtype)._with(output_names=None, output_shape=None)


def integrate(network: Network, variable: str | int, low: float, high: float) -> Network:
    """Return the integral over one input as a network of the other inputs, G = ∫ f dx_j from low to high.

    It is the difference of two values of the antiderivative, so it closes where `antiderivative` does.

    Parameters
    ----------
    network : Network
        f, with n ≥ 2 inputs and m outputs.
    variable : str or int
        Name or position of the input.
    low, high : float
        Ends; with low > high the sign changes.

    Returns
    -------
    Network
        G, with n - 1 inputs, which keep their names, and m outputs.

    Raises
    ------
    UnsupportedError
        When the antiderivative is no network.
    InputError
        For an unknown input or an end that is no finite number.
    UsageError
        For a network of one input: its integral is a number.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1.0, 1.0]], None), ([[1.0]], None)], "sin")      # sin(x1 + x2)
    >>> g = f.integrate("x1", 0, 1)
    >>> g.input_names, float((g([0.5]) - (np.cos(0.5) - np.cos(1.5))).round(14)[0])
    (('x2',), 0.0)
    """
    if network.input_size == 1:
        raise UsageError("a network of one input received; f.integral([(low, high)]) gives its integral, a number.")
    (place,) = _one(network, variable)
    ends = [_number(end, "end") for end in (low, high)]
    names = [name for i, name in enumerate(network.input_names) if i != place]
    found = _rounded(reduced(network, place, *ends), network.dtype)
    return found._with(input_names=names, input_shape=None, output_names=None, output_shape=None)


def reduced(network: Network, place: int, low: float, high: float) -> Network:
    """Return the integral over one input as a network of the others, in which nothing is rounded but what rows round.

    Parameters
    ----------
    network : Network
        The function, of n ≥ 2 inputs.
    place : int
        Position of the input.
    low, high : float
        Ends.

    Returns
    -------
    Network
        The integral, n - 1 inputs; some of its matrices are rational.

    Raises
    ------
    UnsupportedError
        When the antiderivative is no network.
    """
    found = _Search(network, place).antiderivative(network.output)
    left, right = (found @ _fixed(found, place, end, kept=False) for end in (low, high))
    return right - left


def _rounded(network: Network, dtype: np.dtype) -> Network:
    """Return a network with numbers of a dtype in the place of rational ones, affine layers merged."""
    builder, places = Builder(network.input_size), [0]
    for node in network.nodes:
        layer = _cast(node.layer, dtype) if isinstance(node.layer, Affine) else node.layer
        places.append(builder.add(layer, *(places[i] for i in node.inputs)))
    return fold(network._close(builder, places[network.output]))


def _cast(layer: Affine, dtype: np.dtype) -> Affine:
    weight = layer.weight
    if isinstance(weight, Combination):
        weight = Diagonal(np.diag(weight.dense()))
    weight = weight.multiplied(lambda a: a.astype(dtype))
    return Affine(weight, None if layer.bias is None else layer.bias.astype(dtype))


def _one(network: Network, variable: Any) -> list[int]:
    places = positions(variable, network.input_names, "input")
    if len(places) != 1:
        raise UsageError(f"{len(places)} inputs received; one expected. Integrate by one after another.")
    return places


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise InputError(f"{what}={shown(repr(value))} received; a finite number expected.")
    return float(value)


def _fixed(network: Network, place: int, value: float, kept: bool) -> Network:
    """Return the map that puts a number in one input; the input is received all the same, or is not."""
    matrix, shift = np.eye(network.input_size, dtype=network.dtype), np.zeros(network.input_size, network.dtype)
    matrix[place, place], shift[place] = 0, value
    matrix = matrix if kept else np.delete(matrix, place, axis=1)
    return Network.from_layer(Affine(matrix, shift), matrix.shape[1])


def _zero_at(found: Network, place: int, base: float) -> Network:
    if found.input_size > 1:
        return found - found @ _fixed(found, place, base, kept=True)
    constants = np.array([float(v.mid()) for v in values_of(found, [base])])
    if not np.isfinite(constants).all():
        raise InputError(f"base={base!r} received, where the antiderivative is no finite number; another expected.")
    return found - constants if constants.any() else found


class _Search:
    """The places of a network, their slopes in one input, and their antiderivatives."""

    def __init__(self, network: Network, variable: int) -> None:
        self.network = network
        self.input = Network.identity(network.input_size)[variable]
        self.slopes = [np.array([flint.fmpq(int(i == variable)) for i in range(network.input_size)], dtype=object)]
        for node in network.nodes:
            self.slopes.append(_slopes(node.layer, [self.slopes[i] for i in node.inputs]))

    def value(self, place: int) -> Network:
        """Return what stands at a place."""
        return Network(self.network.nodes, place, self.network.input_size)

    def antiderivative(self, place: int) -> Network:
        """Return the antiderivative of what stands at a place."""
        slopes = self.slopes[place]
        if all(s is not None for s in slopes):
            return self._of_affine(self.value(place), slopes)
        node = self.network.nodes[place - 1]
        rule = _RULES.get(type(node.layer))
        if rule is None:
            raise _refusal(node.layer, "no rule is known for it")
        result: Network = rule(self, node.layer, *node.inputs)
        return result

    def _of_affine(self, v: Network, slopes: np.ndarray) -> Network:
        product = _spread(self.input, v.output_size) * v
        if not slopes.any():
            return product
        return product - times(_spread(self.input**2, v.output_size), slopes / flint.fmpq(2))

    def of_map(self, layer: Affine, place: int) -> Network:
        """W ∫u + b x."""
        found = self.antiderivative(place)._then(Affine(layer.weight))
        return found if layer.bias is None else found + self.input._then(Affine(layer.bias[:, None]))

    def of_several(self, layer: Concatenate, *places: int) -> Network:
        """Each by itself."""
        del layer
        return stack(*(self.antiderivative(place) for place in places))

    def of_choice(self, layer: Select, place: int) -> Network:
        """Those chosen."""
        return self.antiderivative(place)._then(layer)

    def of_product(self, layer: Multiply, left: int, right: int) -> Network:
        """A factor that does not depend on the input stays."""
        for still, moving in ((left, right), (right, left)):
            if layer.shape is None and all(s == 0 for s in self.slopes[still]):
                return self.value(still) * self.antiderivative(moving)
        raise _refusal(layer, "both factors depend on the input")

    def of_activation(self, layer: Elementwise, place: int) -> Network:
        """F(v)/s, or x σ(v) where the slope is 0."""
        slopes = self.slopes[place]
        if any(s is None for s in slopes):
            raise _refusal(layer, "its argument is not affine in the input")
        groups = [
            [u for u in range(start, len(slopes) if end is None else end) if (slopes[u] == 0) == still]
            for _, start, end in layer.blocks
            for still in (False, True)
        ]
        parts = [self._of_units(layer, place, units) for units in groups if units]
        order = np.argsort([u for units in groups for u in units])
        return stack(*parts)._then(Select(order))

    def _of_units(self, layer: Elementwise, place: int, units: list[int]) -> Network:
        """Return the antiderivative of units of one function, all of whose slopes are 0, or none."""
        slopes = self.slopes[place][units]
        ((function, _),) = subset(layer, len(self.slopes[place]), units).activations
        z = self.value(place)._then(Select(np.array(units)))
        if slopes[0] == 0:
            return _spread(self.input, len(units)) * z._then(Elementwise(function))
        return times(antiderivative_of(function, len(units)) @ z, 1 / slopes)


_RULES: dict[type[Layer], Any] = {
    Affine: _Search.of_map,
    Concatenate: _Search.of_several,
    Elementwise: _Search.of_activation,
    Multiply: _Search.of_product,
    Select: _Search.of_choice,
}


def _refusal(layer: Layer, reason: str) -> UnsupportedError:
    return UnsupportedError(
        f"the antiderivative of {layer} asked for: {reason}.\n"
        "f.integral(box) gives integrals over boxes as numbers, with a proven error."
    )


def _spread(network: Network, size: int) -> Network:
    return network._then(Select(np.zeros(size, dtype=int)))


def _slopes(layer: Layer, given: list[np.ndarray]) -> np.ndarray:
    """Return the slope of each coordinate in the input, a rational number; None where it is no constant."""
    if isinstance(layer, Affine):
        return _mapped(layer, given[0])
    if isinstance(layer, Select):
        return np.asarray(given[0][layer.indices])
    if isinstance(layer, Concatenate):
        return np.concatenate(given)
    if isinstance(layer, Elementwise):
        return np.array([s if s == 0 else None for s in given[0]], dtype=object)
    still = all(s == 0 for slopes in given for s in slopes)
    size = layer.sizes([len(slopes) for slopes in given])
    return np.array([flint.fmpq(0) if still else None] * size, dtype=object)


def _mapped(layer: Affine, given: np.ndarray) -> np.ndarray:
    known = np.array([flint.fmpq(0) if s is None else s for s in given], dtype=object)
    slopes = _K.linear(layer.weight, known)
    lost = (layer.weight.dense()[:, [s is None for s in given]] != 0).any(axis=1)
    return np.array([None if u else s for u, s in zip(lost, slopes, strict=True)], dtype=object)
