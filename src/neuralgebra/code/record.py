"""Program variables: a kind of number that writes down what is done to it, at one point.

The rules of the calculus are run once on these stand-ins. Weights are stand-ins too, so that nothing is multiplied out
before the program runs: what is emitted are the weights of the network and no products of them. Chain functions are
steps of their own; each language says later how it computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import quiet
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.trace import Recorder, Tape, Traced
from neuralgebra.functions.activation import Activation, Element
from neuralgebra.functions.row import AFTER

__all__ = ["Exact", "Primitive", "Recording", "Variables", "recorded"]


class Exact(float):
    """A floating-point number that stands for another number, of which it is the nearest."""

    exact: Fraction

    def __new__(cls, value: Fraction) -> Exact:
        """Return the nearest number to an exact one."""
        new = super().__new__(cls, float(value))
        new.exact = value
        return new


@dataclass(frozen=True, eq=False)
class Primitive:
    """A function that every language computes in a way of its own: a chain function, or one such as erf.

    Parameters
    ----------
    name : str
        What it is called.
    key : tuple
        What tells it from others.
    definition : callable
        (kind, *arguments) -> value: what it is, on symbols and balls.
    stable : callable
        The same for floating-point numbers.
    arguments : int
        How many there are.
    """

    name: str
    key: tuple[Any, ...]
    definition: Callable[..., Value]
    stable: Callable[..., Value]
    arguments: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Primitive) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


def _chain_function(activation: Activation, element: Element) -> tuple[Primitive, list[np.ndarray]]:
    """Return a chain function as a function of z and of the parameters that differ from unit to unit, and these."""
    given = dict(activation.parameters)
    varying = [n for n, v in given.items() if isinstance(v, tuple)]
    fixed = {n: v for n, v in given.items() if n not in varying}
    formula = element.stable or element.definition

    def computed(rule: Any) -> Callable[..., Value]:
        def function(k: Any, z: Value, *values: Value) -> Value:
            numbers = {n: k.number(v) for n, v in fixed.items()}
            return rule(k, z, {"z": z, **numbers, **dict(zip(varying, values, strict=True))})

        return function

    row = activation.row if activation.row.base is None else activation.row.base
    stem = row.name.replace(AFTER, "_")
    name = stem if row.is_element(element.name) else f"{stem}_{element.name}"
    key = (row.name, row.fingerprint, element.name, tuple(sorted(fixed.items())), tuple(varying))
    primitive = Primitive(name, key, computed(element.definition), computed(formula), 1 + len(varying))
    return primitive, [np.array(given[n], dtype=float) for n in varying]


class Variables(Recorder):
    """The kind of program variables.

    Parameters
    ----------
    tape : Tape
        Where steps are written down.
    weights : mapping of int to Traced
        The stand-ins of weights, by the identity of their arrays.
    natives : collection of str
        Functions that the language has, beyond the elementary ones.
    stems : mapping of int to str, optional
        What values at the places of the network are called.
    """

    by_rows = False
    in_loops = True

    def __init__(
        self,
        tape: Tape,
        weights: Mapping[int, Traced],
        natives: Collection[str] = (),
        stems: Mapping[int, str] | None = None,
    ) -> None:
        super().__init__(np.zeros(1, tape.dtype), tape)
        self.weights, self.natives, self.stems = weights, natives, stems or {}
        self.huge = None  # code is for finite points
        self.place, self.labels = 0, dict[int, str]()

    def at(self, place: int) -> None:
        """Take notice of the node that is computed next."""
        self.place = place

    def keep(self, x: Any, label: str, keys: Sequence[tuple[int, ...]] = ((),)) -> Any:
        """Return x, which is called as its node: z1, or dz1 for first derivatives."""
        stem, order = self.stems.get(self.place, ""), len(keys[0]) if len(keys) else 0
        if isinstance(x, Traced) and stem and not label:
            self.labels[x.place] = ("", "d", f"d{order}")[min(order, 2)] + stem
        return x

    def native(self, name: str) -> Callable[..., Any] | None:
        """Return a function that the language has."""
        return super().native(name) if name in self.natives else None

    def weight(self, array: np.ndarray) -> Any:
        """Return the stand-in of a weight; other arrays, such as unit matrices, as they are."""
        found = self.weights.get(id(array))
        return np.asarray(array, self.dtype) if found is None else found

    def number(self, value: int | float | Fraction) -> float:
        """Return an exact number, which is kept."""
        return Exact(value) if isinstance(value, Fraction) else float(value)

    def primitive(self, activation: Activation, element: Element, z: Any) -> Any:
        """Write a chain function down as a step."""
        function, parameters = _chain_function(activation, element)
        result = self.tape.add(function, (z, *parameters), z.shape)
        if z.place in self.labels:  # c1 is a function of z1
            self.labels[result.place] = element.name.lower() + self.labels[z.place][1:]
        return result

    def bounded(self, x: Any) -> bool:
        """Return True: points of programs are finite."""
        del x
        return True


@dataclass(frozen=True)
class Recording:
    """What was written down.

    Parameters
    ----------
    tape : Tape
        The steps.
    inputs : tuple of Traced
        The arguments.
    weights : mapping of int to ndarray
        The weights, by the place of their stand-ins.
    results : tuple of Traced or ndarray
        What comes out.
    labels : mapping of int to str
        What arrays are called, by their places.
    """

    tape: Tape
    inputs: tuple[Traced, ...]
    weights: Mapping[int, np.ndarray]
    results: tuple[Any, ...]
    labels: Mapping[int, str]


def recorded(
    compute: Callable[..., Sequence[Any]],
    arrays: Sequence[np.ndarray],
    sizes: Sequence[int],
    dtype: Any,
    natives: Collection[str] = (),
    stems: Mapping[int, str] | None = None,
) -> Recording:
    """Return a computation at one point, written down.

    Parameters
    ----------
    compute : callable
        (kind, points (1, n), others (1, …)) -> arrays with leading axis 1.
    arrays : sequence of ndarray
        The weights.
    sizes : sequence of int
        The size of each argument.
    dtype : dtype
        That of all numbers.
    natives : collection of str
        Functions that the language has, beyond the elementary ones.
    stems : mapping of int to str, optional
        What values at the places of the network are called.

    Returns
    -------
    Recording
        Steps, arguments, weights and results.
    """
    tape = Tape(np.dtype(dtype))
    inputs = tuple(tape.new((1, n)) for n in sizes)
    weights = {id(a): tape.new(a.shape) for a in arrays}
    kind = Variables(tape, weights, natives, stems)
    with quiet():
        results = tuple(compute(kind, *inputs))
    values = {weights[id(a)].place: a for a in arrays}
    return Recording(tape, inputs, values, results, kind.labels)
