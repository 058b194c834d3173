"""The normal form of a chain of layers: equal neurons are one, dead and constant ones are none, the rest is in order.

It is computed in rational numbers. A step is taken only where the result is made of numbers of the dtype of the
network, so that the normal form is the same function, and not only nearly; with `fits=always` every step is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.symmetries import degree, reflection
from neuralgebra.arithmetic.rationals import Rationals, nearest
from neuralgebra.errors import UnsupportedError
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Affine, Elementwise
from neuralgebra.network.network import Network
from neuralgebra.network.units import functions_of

__all__ = ["Form", "always", "form_of", "normal_form", "reduce"]

_K = Rationals()
_ZERO, _ONE = flint.fmpq(0), flint.fmpq(1)
# Functions made of + - * / and cases, whose values at rational numbers are rational.
_RATIONAL = frozenset(
    {"relu", "leaky_relu", "prelu", "abs", "square", "hardtanh", "relu6", "hardswish", "hardsigmoid", "step", "sign"}
)
Fits = Callable[[np.ndarray], bool]
"""Whether rational numbers may be stored."""


def always(numbers: np.ndarray) -> bool:
    """Return True."""
    del numbers
    return True


@dataclass
class Hidden:
    """A hidden layer: rows of weights, biases and functions, one of each for a unit."""

    weight: np.ndarray
    bias: np.ndarray
    functions: list[Activation]

    def pick(self, units: list[int]) -> None:
        """Keep some units, in this order."""
        self.weight, self.bias = self.weight[units], self.bias[units]
        self.functions = [self.functions[u] for u in units]

    def key(self, unit: int) -> tuple[Any, ...]:
        """Return what makes two units equal, and their order."""
        function = self.functions[unit]
        named = function.name, function.row.fingerprint, str(function.parameters)
        return *named, tuple(self.weight[unit]), self.bias[unit]


@dataclass
class Form:
    """A chain of layers of rational numbers: hidden ones, then x ↦ W h + b, plus L times the input of the first.

    Parameters
    ----------
    hidden : list of Hidden
        Layers with activations.
    weight, bias : ndarray of rational
        Of the last layer.
    linear : ndarray of rational or None
        L, where that is allowed: for one hidden layer.
    """

    hidden: list[Hidden]
    weight: np.ndarray
    bias: np.ndarray
    linear: np.ndarray | None = field(default=None)

    @property
    def key(self) -> tuple[Any, ...]:
        """What two forms have in common if and only if they are equal."""
        layers = [tuple(layer.key(u) for u in range(len(layer.functions))) for layer in self.hidden]
        linear = () if self.linear is None else tuple(map(tuple, self.linear))
        return tuple(layers), tuple(map(tuple, self.weight)), tuple(self.bias), linear


def normal_form(network: Network) -> Network:
    """Return an equal network with fewest neurons that symmetries of the activations give, in a canonical order.

    Layer by layer, neurons that are equal up to the symmetries of their activation become one: tanh(-z) = -tanh(z),
    sigmoid(-z) = 1 - sigmoid(z), cos(-z) = cos(z), relu(λz) = λ relu(z) for λ > 0. Neurons that nothing reads and those
    that are a rational constant are removed, affine layers are multiplied out, neurons are sorted. So networks that
    differ by such changes have equal normal forms, and equal digests. Every step is exact: where a sum of weights is
    no number of the dtype, the neurons stay as they are.

    Parameters
    ----------
    network : Network
        A chain of affine layers and activations.

    Returns
    -------
    Network
        The same function of real numbers.

    Raises
    ------
    UnsupportedError
        For a network that branches or has other layers; ``plain`` makes chains of many of them.

    Examples
    --------
    >>> f = Network.from_layers([([[1.0], [-1.0], [2.0]], [0.5, -0.5, 0.0]), ([[3.0, 1.0, 0.0]], None)], "tanh")
    >>> normal_form(f).layers_list()
    [(array([[1.]]), array([0.5])), (array([[2.]]), None)]
    """
    dtype = network.dtype

    def fits(numbers: np.ndarray) -> bool:
        return all(_K.scalar(v) == r for r, v in zip(np.ravel(numbers), _stored(numbers, dtype).flat, strict=True))

    form = form_of(network, fits)
    reduce(form, fits)
    return _network(form, dtype)._with(input_names=network.input_names, output_names=network.output_names)


def _stored(numbers: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return the nearest numbers of a dtype; infinite ones become 0, so that they are seen to be others."""
    with np.errstate(over="ignore"):
        found = np.array([nearest(v) for v in np.ravel(numbers)]).astype(dtype)
    return np.where(np.isfinite(found), found, 0).astype(dtype).reshape(np.shape(numbers))


# Between networks and forms ---------------------------------------------------------------------------------------


def form_of(network: Network, fits: Fits = always) -> Form:
    """Return a chain as a form, affine layers multiplied out where the product fits.

    Parameters
    ----------
    network : Network
        A chain of affine layers and activations.
    fits : callable
        Whether numbers may be stored.

    Returns
    -------
    Form
        The same function.

    Raises
    ------
    UnsupportedError
        For another network.
    """
    strange = [node.layer for node in network.nodes if not isinstance(node.layer, Affine | Elementwise)]
    if strange or not network.is_chain:
        what = f"contains {strange[0]}" if strange else "branches"
        raise UnsupportedError(f"this network {what}; a chain of affine layers and activations expected. See f.plain.")
    hidden: list[Hidden] = []
    weight, bias = _identity(network.input_size)
    for node in network.nodes:
        layer: Any = node.layer
        if isinstance(layer, Elementwise):
            hidden.append(Hidden(weight, bias, list(functions_of(layer, len(bias)))))
            weight, bias = _identity(len(bias))
            continue
        after = np.array(_K.linear(layer.weight, _identity(layer.weight.columns)[0]), dtype=object).T
        shift = _K.zeros((len(after),)) if layer.bias is None else _K.weight(layer.bias)
        merged = _K.product(weight.T, after.T).T, _K.product(bias, after.T) + shift
        if not all(map(fits, merged)):
            raise UnsupportedError(
                f"two affine layers whose product is not exact in {network.dtype} received; one expected.\n"
                "f.fold() multiplies them out and rounds."
            )
        weight, bias = merged
    return Form(hidden, weight, bias)


def _identity(size: int) -> tuple[np.ndarray, np.ndarray]:
    return _K.weight(np.eye(size)), _K.zeros((size,))


def _network(form: Form, dtype: np.dtype) -> Network:
    pairs = [(layer.weight, layer.bias) for layer in form.hidden] + [(form.weight, form.bias)]
    layers = [(_stored(w, dtype), _stored(b, dtype) if any(b) else None) for w, b in pairs]
    result = Network.from_layers(layers[:1])
    for layer, (weight, bias) in zip(form.hidden, layers[1:], strict=True):
        same = len(set(layer.functions)) == 1
        units = layer.functions[0] if same else [(function, 1) for function in layer.functions]
        result = result._then(Elementwise(units))._then(Affine(weight, bias))
    return result


# Reduction --------------------------------------------------------------------------------------------------------


def reduce(form: Form, fits: Fits = always, linear: bool = False) -> None:
    """Bring a form into its normal form.

    Parameters
    ----------
    form : Form
        What is changed.
    fits : callable
        Whether numbers may be stored.
    linear : bool
        Whether laws σ(-z) = ± σ(z) + c + d z with d ≠ 0 may be used, by a linear part of the form; for one hidden
        layer only.
    """
    if linear and len(form.hidden) == 1:
        form.linear = _K.zeros((len(form.bias), form.hidden[0].weight.shape[1]))
    before = None
    while before != (before := [len(layer.functions) for layer in form.hidden]):
        for place in range(len(form.hidden)):
            _Layer(form, place, fits).reduce()
        _drop_empty(form)
    if form.linear is not None and not form.hidden:
        form.weight, form.linear = form.weight + form.linear, None


def _drop_empty(form: Form) -> None:
    """Remove layers without units: what comes after is constant."""
    for place in reversed(range(len(form.hidden))):
        layer = form.hidden[place]
        if not layer.functions:
            after: Any = form.hidden[place + 1] if place + 1 < len(form.hidden) else form
            after.weight = _K.zeros((len(after.bias), layer.weight.shape[1]))
            del form.hidden[place]


class _Layer:
    """One hidden layer of a form and the affine map after it."""

    def __init__(self, form: Form, place: int, fits: Fits) -> None:
        self.form, self.layer, self.fits = form, form.hidden[place], fits
        self.after: Any = form.hidden[place + 1] if place + 1 < len(form.hidden) else form

    def reduce(self) -> None:
        """Turn, scale and merge units, and remove those that do nothing."""
        for unit in range(len(self.layer.functions)):
            self._turn(unit)
            self._scale(unit)
        constant = [u for u in range(len(self.layer.functions)) if self._constant(u)]
        self._keep([u for u in range(len(self.layer.functions)) if u not in constant])
        self._merge()
        self._keep([u for u in range(len(self.layer.functions)) if any(self.after.weight[:, u])])

    def _keep(self, units: list[int]) -> None:
        self.layer.pick(units)
        self.after.weight = self.after.weight[:, units]

    def _leading(self, unit: int) -> flint.fmpq:
        """Return the first number of a unit that is not 0."""
        return next((v for v in (*self.layer.weight[unit], self.layer.bias[unit]) if v), _ZERO)

    def _turn(self, unit: int) -> None:
        """Put σ(-z) = s σ(z) + c + d z to use, so that the first weight is positive."""
        law = reflection(self.layer.functions[unit])
        if self._leading(unit) >= 0 or law is None or (law.slope and self.form.linear is None):
            return
        column = self.after.weight[:, unit]
        row, shift = -self.layer.weight[unit], -self.layer.bias[unit]
        slope = _K.scalar(law.slope)
        bias = self.after.bias + column * (_K.scalar(law.constant) + slope * shift)
        if not self.fits(bias):
            return
        self.after.bias = bias
        if law.slope:
            self.form.linear = self.form.linear + slope * np.outer(column, row)
        self.layer.weight[unit], self.layer.bias[unit] = row, shift
        self.after.weight[:, unit] = column * flint.fmpq(law.sign)

    def _scale(self, unit: int) -> None:
        """Put σ(λz) = λᵏ σ(z) to use, so that the first number is 1, or its mantissa where that does not fit."""
        power, size = degree(self.layer.functions[unit]), abs(self._leading(unit))
        if power is None or not size:
            return
        for factor in (size, _power_of_two(size)):
            row, shift = self.layer.weight[unit] / factor, self.layer.bias[unit] / factor
            column = self.after.weight[:, unit] * factor**power
            if self.fits(np.array([*row, shift, *column], dtype=object)):
                self.layer.weight[unit], self.layer.bias[unit] = row, shift
                self.after.weight[:, unit] = column
                return

    def _constant(self, unit: int) -> bool:
        """Put the value of a unit without input into the biases, if it is rational; return whether it was."""
        if any(self.layer.weight[unit]):
            return False
        value = _value(self.layer.functions[unit], self.layer.bias[unit])
        if value is None:
            return False
        bias = self.after.bias + self.after.weight[:, unit] * value
        if not self.fits(bias):
            return False
        self.after.bias = bias
        return True

    def _merge(self) -> None:
        """Sort units; add the columns of equal ones."""
        order = sorted(range(len(self.layer.functions)), key=self.layer.key)
        kept: list[int] = []
        for unit in order:
            if kept and self.layer.key(kept[-1]) == self.layer.key(unit):
                column = self.after.weight[:, kept[-1]] + self.after.weight[:, unit]
                if self.fits(column):
                    self.after.weight[:, kept[-1]] = column
                    continue
            kept.append(unit)
        self._keep(kept)


def _power_of_two(size: flint.fmpq) -> flint.fmpq:
    """Return the power of two with size/2 < 2^k ≤ size, or nearly."""
    return flint.fmpq(2) ** int(np.frexp(nearest(size))[1] - 1)


def _value(function: Activation, bias: flint.fmpq) -> flint.fmpq | None:
    """Return σ(b) if it is known to be rational."""
    law = reflection(function)
    if not bias and law is not None and law.sign == -1:
        return _K.scalar(law.constant) / flint.fmpq(2)
    if function.name in _RATIONAL:
        value: flint.fmpq = function(_K, np.array([bias], dtype=object))[0]
        return value
    return None
