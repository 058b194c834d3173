"""The equations of a network in matrix form: values, Jacobians, adjoints and Hessian, layer by layer."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from neuralgebra.errors import ResourceError, UnsupportedError
from neuralgebra.formula import matrices as m
from neuralgebra.formula.matrices import Matrix
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Layer,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.network.linear import Dense
from neuralgebra.network.network import Network

__all__ = ["Equation", "MatrixForm", "matrix_form"]

_LETTERS = {Affine: "z", Elementwise: "a", Multiply: "p", Softmax: "s"}
_LARGEST = 1_000_000
_ELSE = "f.formula(order).text() writes it line by line."

Equation = tuple[Matrix, Matrix]
"""What is defined, and by what."""


@dataclass
class _Step:
    """A layer with its value and the places that it takes."""

    value: Matrix
    layer: Layer
    inputs: tuple[int, ...]
    place: int


@dataclass
class MatrixForm:
    """The equations of a network in matrix form.

    Parameters
    ----------
    network : Network
        f.
    values, jacobians, adjoints : list of Equation
        In the order in which they are computed.
    jacobian : Matrix or None
        ∂y/∂x; None where it was not asked for.
    hessian : list of Matrix or None
        The terms of ∂²y[o]/∂x²; empty if it is zero.
    numbers : dict of str to ndarray
        Weights and biases by name.
    functions : dict
        (activation, order) of each function that occurs, to its place among those of one name.
    """

    network: Network
    values: list[Equation] = field(default_factory=list)
    jacobians: list[Equation] = field(default_factory=list)
    adjoints: list[Equation] = field(default_factory=list)
    jacobian: Matrix | None = None
    hessian: list[Matrix] | None = None
    numbers: dict[str, np.ndarray] = field(default_factory=dict)
    functions: dict[tuple[Activation, int], int] = field(default_factory=dict)

    @property
    def equations(self) -> list[Equation]:
        """All equations in the order in which they are computed."""
        return [*self.values, *self.jacobians, *self.adjoints]


def matrix_form(network: Network, order: int) -> MatrixForm:
    """Return the equations of value and derivatives up to an order.

    Parameters
    ----------
    network : Network
        f.
    order : int
        0, 1 or 2.

    Returns
    -------
    MatrixForm
        The equations.

    Raises
    ------
    UnsupportedError
        For an order above 2, and for a layer that matrices do not describe.
    ResourceError
        For a structured matrix that is too large with its zeros.
    """
    if order > 2:
        raise UnsupportedError(f"order {order} received; matrices have 0, 1 or 2. {_ELSE}")
    if not network.nodes:
        raise UnsupportedError("the network has no layers; there is nothing to write as matrices.")
    return _Layered(network, order).form


class _Layered:
    """The walk over a network."""

    def __init__(self, network: Network, order: int) -> None:
        self.network, self.order, self.form = network, order, MatrixForm(network)
        self.steps: list[_Step] = []
        self.places = {0: 0}
        self.count: Counter[str] = Counter()
        self.values = [m.name("x", network.input_size)]
        for place, node in enumerate(network.nodes, 1):
            inputs = tuple(self.places[i] for i in node.inputs)
            *before, last = _simple(node.layer)
            for layer in before:
                self._add(layer, inputs, place, False)
                inputs = (len(self.steps),)
            self._add(last, inputs, place, place == network.output)
            self.places[place] = len(self.steps)
        self.output = self.places[network.output]
        self.users = Counter(i for step in self.steps for i in set(step.inputs))
        if order >= 1:
            self._jacobians()
        if order == 2:
            self._hessian()

    # Values ---------------------------------------------------------------------------------------------------------

    def _add(self, layer: Layer, inputs: tuple[int, ...], place: int, last: bool) -> None:
        """Add a step: its value and the equation of it; the last one is y."""
        letter = _LETTERS.get(type(layer), "v")
        self.count[letter] += 1
        size = layer.sizes([self.values[i].rows for i in inputs])
        value = m.name("y" if last else f"{letter}{self.count[letter]}", size)
        self.steps.append(_Step(value, layer, inputs, place))
        self.values.append(value)
        self.form.values.append((value, self._value(self.steps[-1])))

    def _value(self, step: _Step) -> Matrix:
        layer, arguments = step.layer, [self.values[i] for i in step.inputs]
        match layer:
            case Affine():
                image = m.product(self._weight(layer), arguments[0])
                return _sure(m.plus([image, *([self._bias(layer)] if layer.bias is not None else [])]))
            case Select():
                return _sure(m.product(self._selection(layer, arguments[0].rows), arguments[0]))
            case Elementwise():
                return self._functions(layer, 0, arguments[0])
            case Multiply(shape=None):
                return m.hadamard(*arguments)
            case Concatenate():
                return m.stack(arguments)
            case Softmax(log=False) if layer.group in (None, arguments[0].rows):
                return m.softmax(arguments[0])
        raise UnsupportedError(f"place {step.place} is {layer}, which the matrix form does not have. {_ELSE}")

    def _weight(self, layer: Affine) -> Matrix:
        number, weight = self.count["z"], layer.weight
        if not isinstance(weight, Dense) and weight.rows * weight.columns > _LARGEST:
            raise ResourceError(
                f"a matrix {weight.rows}×{weight.columns} with its zeros would be written; the limit is {_LARGEST:,} "
                f"numbers.\nIts structure keeps {weight.count:,}: {_ELSE}"
            )
        return self._numbers(f"W{number}", weight.dense())

    def _numbers(self, word: str, array: np.ndarray) -> Matrix:
        self.form.numbers[word] = array
        return m.name(word, *array.shape)

    def _bias(self, layer: Affine) -> Matrix:
        return self._numbers(f"b{self.count['z']}", layer.bias)

    def _selection(self, layer: Select, size: int) -> Matrix:
        return self._numbers(f"E{self.count['v']}", np.eye(size)[layer.indices])

    def _functions(self, layer: Elementwise, order: int, argument: Matrix) -> Matrix:
        """Return the derivative of an order of the functions of a layer, coordinate by coordinate."""
        found = []
        for which, start, stop in layer.blocks:
            if any(isinstance(v, tuple) for _, v in which.parameters):
                raise UnsupportedError(f"{which} has one parameter for each coordinate. {_ELSE}")
            self._count_function(which, order)
            found.append(m.function(which, order, m.rows(argument, start, stop or argument.rows)))
        return m.stack(found)

    def _count_function(self, which: Activation, order: int) -> None:
        functions = self.form.functions
        if (which, order) not in functions:
            known = {w for w, _ in functions if w.row.name == which.row.name}
            numbers = {w: n for (w, _), n in functions.items()}
            functions[which, order] = numbers.get(which, len(known) + 1)

    # Jacobians ------------------------------------------------------------------------------------------------------

    def _jacobians(self) -> None:
        """Add J of each value: named where it is needed more than once."""
        self.jacobian: list[Matrix | None] = [None]
        needed = {i for i, _ in self._curved()} if self.order == 2 else set()
        for place, step in enumerate(self.steps, 1):
            found = self._jacobian(step)
            repeated = self.users[place] > 1 or place in needed
            if found is not None and found.kind != "name" and repeated and place != self.output:
                left = m.name(f"J{step.value.data}", found.rows, found.columns)
                self.form.jacobians.append((left, found))
                found = left
            self.jacobian.append(found)
        whole = self.jacobian[self.output]
        self.form.jacobian = self._explicit(whole)

    def _jacobian(self, step: _Step) -> Matrix | None:
        inner = [self.jacobian[i] for i in step.inputs]
        if isinstance(step.layer, Concatenate):
            return m.stack(self._explicit(j) for j in inner)
        return m.plus([m.product(slope, j) for slope, j in zip(self._slopes(step), inner, strict=True)])

    def _explicit(self, found: Matrix | None) -> Matrix:
        return self._identity(self.network.input_size) if found is None else found

    def _identity(self, size: int) -> Matrix:
        return self._numbers(f"I{size}", np.eye(size))

    def _slopes(self, step: _Step) -> list[Matrix]:
        """Return the derivative of a step by each argument."""
        layer, arguments = step.layer, [self.values[i] for i in step.inputs]
        match layer:
            case Affine() | Select():
                whole = self.form.values[self.steps.index(step)][1]
                return [(whole.parts[0] if whole.kind == "sum" else whole).parts[0]]
            case Elementwise():
                return [m.diagonal(self._functions(layer, 1, arguments[0]))]
            case Multiply():
                return [m.diagonal(arguments[1]), m.diagonal(arguments[0])]
        s = step.value
        return [m.less(m.diagonal(s), _sure(m.product(s, m.transposed(s))))]

    # Adjoints and Hessian -------------------------------------------------------------------------------------------

    def _curved(self) -> Iterator[tuple[int, int]]:
        """Yield (argument, place) of the steps that are not affine."""
        for place, step in enumerate(self.steps, 1):
            if isinstance(step.layer, Softmax):
                raise UnsupportedError(f"place {step.place} is {step.layer}: no Hessian in matrix form. {_ELSE}")
            curved = isinstance(step.layer, Elementwise) and any(
                which.row.derivative(2) for which, _ in step.layer.activations
            )
            if curved or isinstance(step.layer, Multiply):
                yield from ((i, place) for i in step.inputs)

    def _hessian(self) -> None:
        curved = {place for _, place in self._curved()}
        adjoints = self._adjoints(curved)
        self.form.hessian = []
        for place in sorted(curved):
            step, size = self.steps[place - 1], self.steps[place - 1].value.rows
            weight = None if place == self.output and self.network.output_size == 1 else m.row(adjoints[place], size)
            self.form.hessian += self._terms(step, weight)

    def _terms(self, step: _Step, weight: Matrix | None) -> Iterator[Matrix]:
        """Yield Jᵀ M J of one step; the weight None is 1."""
        inner = [self.jacobian[i] for i in step.inputs]
        if isinstance(step.layer, Multiply):
            middle = None if weight is None else m.diagonal(weight)
            yield from (_around(self._explicit(a), middle, b) for a, b in (inner, inner[::-1]))
        elif isinstance(step.layer, Elementwise):
            second = self._functions(step.layer, 2, self.values[step.inputs[0]])
            around = m.diagonal(second if weight is None else m.hadamard(weight, second))
            yield _around(inner[0], around, inner[0])

    def _adjoints(self, curved: set[int]) -> dict[int, Matrix | None]:
        """Return Λ of each value, from the output back."""
        collected: dict[int, list[Matrix | None]] = defaultdict(list, {self.output: [None]})
        found: dict[int, Matrix | None] = {}
        for place in range(self.output, min(curved, default=self.output + 1) - 1, -1):
            step = self.steps[place - 1]
            whole = m.plus(collected[place])
            if whole is not None and whole.kind != "name" and (place in curved or len(step.inputs) > 1):
                left = m.name(f"Λ{step.value.data}", whole.rows, whole.columns)
                self.form.adjoints.append((left, whole))
                whole = left
            found[place] = whole
            for i, part in zip(step.inputs, self._through(step, whole), strict=True):
                collected[i].append(part)
        return found

    def _through(self, step: _Step, adjoint: Matrix | None) -> list[Matrix | None]:
        """Return what a step hands on to each argument."""
        if not isinstance(step.layer, Concatenate):
            return [m.product(adjoint, slope) for slope in self._slopes(step)]
        ends = np.cumsum([0, *(self.values[i].rows for i in step.inputs)])
        whole = self._identity(self.network.output_size) if adjoint is None else adjoint
        return [m.columns(whole, int(a), int(b)) for a, b in itertools.pairwise(ends)]


def _around(left: Matrix | None, middle: Matrix | None, right: Matrix | None) -> Matrix:
    return _sure(m.product(None if left is None else m.transposed(left), middle, right))


def _sure(found: Matrix | None) -> Matrix:
    assert found is not None
    return found


def _simple(layer: Layer) -> tuple[Layer, ...]:
    """Return the layers that a layer is made of."""
    if isinstance(layer, PowerProduct):
        return Elementwise("log"), Affine(layer.weight, layer.bias), Elementwise("exp")
    if isinstance(layer, Mixing):
        return Elementwise(layer.inverse), Affine(layer.weight, layer.bias), Elementwise(layer.function)
    return (layer,)
