"""The let-form: every intermediate value under a name, each line short, the whole as long as the network is large."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.symbols import Quick, Symbols
from neuralgebra.calculus.derivatives import jets
from neuralgebra.calculus.indices import MultiIndex, factorial
from neuralgebra.network import names as naming
from neuralgebra.network.layers import Elementwise, Layer, Maximum
from neuralgebra.network.network import Network
from neuralgebra.network.notation import stems

__all__ = ["Let", "LetForm", "let_form"]


@dataclass(frozen=True)
class Let:
    """One line: a name, what it stands for, and its place in the notation of derivatives.

    Parameters
    ----------
    symbol : sympy.Symbol
        The name.
    expression : sympy.Expr
        In terms of inputs and earlier names.
    stem, unit, keys : str, str, MultiIndex
        ∂^keys stem_unit.
    output : int or None
        The output that the line belongs to; None for what lies between.
    """

    symbol: sympy.Symbol
    expression: sympy.Expr
    stem: str
    unit: str
    keys: MultiIndex
    output: int | None = None


@dataclass(frozen=True)
class LetForm:
    """Lines and results of a let-form.

    Parameters
    ----------
    network : Network
        The function.
    inputs : tuple of sympy.Symbol
        Its arguments.
    lines : tuple of Let
        In the order in which they are computed.
    results : tuple of ndarray of object
        Value, Jacobian, …: shapes (m,), (m, n), (m, n, n), in the names of the lines.
    safe : sequence of (str, str, str)
        What is not printed under its own name: the name, the identifier that stands for it, and what it is.
    """

    network: Network
    inputs: tuple[sympy.Symbol, ...]
    lines: tuple[Let, ...]
    results: tuple[np.ndarray, ...]
    safe: Sequence[tuple[str, str, str]] = ()

    @property
    def names(self) -> tuple[sympy.Symbol, ...]:
        """Inputs and lines, in their order."""
        return (*self.inputs, *(line.symbol for line in self.lines))


def let_form(network: Network, order: int) -> LetForm:
    """Return value and derivatives up to an order as one let-form, every number with all its bits.

    Parameters
    ----------
    network : Network
        f.
    order : int
        Highest order.

    Returns
    -------
    LetForm
        Lines and results.
    """
    kind = _Named(network, order)
    inputs = tuple(map(sympy.Symbol, kind.inputs))
    results = tuple(jets(kind, network, np.array(inputs, dtype=object), order))
    results = tuple(kind.listed(result) for result in results)
    return LetForm(network, inputs, tuple(kind.lines), results, tuple(kind.renamed()))


class _Named(Symbols):
    """Symbols that put every intermediate value under a name."""

    def __init__(self, network: Network, order: int) -> None:
        self.network, self.order, self.place = network, order, 0
        self.lines: list[Let] = []
        self.stems = stems(network)
        identifiers = naming.safe((*network.input_names, *network.output_names))
        self.inputs, self.outputs = identifiers[: network.input_size], identifiers[network.input_size :]
        self._taken = set(identifiers)
        self._reserved = self._derivatives()
        self._final: dict[tuple[int, MultiIndex], sympy.Symbol] = {}
        self._units: Counter[tuple[int, str]] = Counter()

    def _derivatives(self) -> dict[tuple[int, MultiIndex], str]:
        """Return the names of all results: generated names give way to them."""
        names: dict[tuple[int, MultiIndex], str] = {(unit, ()): name for unit, name in enumerate(self.outputs)}
        for order in range(1, self.order + 1):
            keys = itertools.combinations_with_replacement(range(len(self.inputs)), order)
            for unit, key in itertools.product(range(len(self.outputs)), keys):
                names[unit, key] = self._free(self._derivative(self.outputs[unit], key))
        return names

    def renamed(self) -> Iterator[tuple[str, str, str]]:
        """Yield (name, identifier, what it is) of the inputs, outputs and derivatives that are renamed."""
        network = self.network
        yield from ((old, new, "input") for old, new in _differing(network.input_names, self.inputs))
        yield from ((old, new, "output") for old, new in _differing(network.output_names, self.outputs))
        for (unit, key), name in self._reserved.items():
            if key and name != self._derivative(self.outputs[unit], key):
                variables = ", ".join(self.inputs[i] for i in key)
                yield f"{self.outputs[unit]} by {variables}", name, "derivative of"

    def at(self, place: int) -> None:
        """Take notice of the node that is computed next."""
        self.place = place

    def keep(self, x: Value, label: str, keys: Sequence[MultiIndex] = ((),)) -> Value:
        """Return names for the entries of x, each with a line of its own; numbers and single names stay."""
        if not getattr(x, "shape", ()) or (label and self.order == 0 and not isinstance(self._layer, Maximum)):
            return x
        start = self._units[self.place, label]  # a function that comes again at this place, as in a round of maxima
        self._units[self.place, label] += x.shape[-1] if label else 0
        within = bool(label)
        label = "" if label == self._result_element() else label
        final = self.place == self.network.output and not label
        named = np.empty(x.shape, dtype=object)
        for at in np.ndindex(*x.shape):
            key = () if within else keys[at[0]]
            if final and key and x[at].is_number:  # listed at the end, with the zeros that have no array
                named[at] = x[at]
            else:  # x holds normalised coefficients, the lines hold derivatives
                scale = factorial(key)
                value = x[at] if scale == 1 else x[at] * scale
                name = self._result(value, at[-1], key) if final else self._between(value, label, start + at[-1], key)
                named[at] = name if scale == 1 else name / scale
        return named.view(Quick)

    def listed(self, result: np.ndarray) -> np.ndarray:
        """Return the names of a result (m, n, …); entries that have no line yet, such as zeros, get one."""
        self.place = self.network.output
        named = np.empty(result.shape, dtype=object)
        for unit, *key in np.ndindex(*result.shape):
            if key == sorted(key):
                name = self._result(result[(unit, *key)], unit, tuple(key))
                for index in itertools.permutations(key):
                    named[(unit, *index)] = name
        return named

    def _result_element(self) -> str:
        """Return the chain function that is the result of the node itself, as t of tanh; "" if there is none."""
        layer = self._layer
        row = layer.only.row if isinstance(layer, Elementwise) and layer.only else None
        return next((name for name in row.elements if row.is_element(name)), "") if row else ""

    @property
    def _layer(self) -> Layer | None:
        return self.network.nodes[self.place - 1].layer if self.place else None

    def _result(self, value: sympy.Expr, unit: int, key: MultiIndex) -> sympy.Symbol:
        """Return the name of an entry of the result, which has exactly one line."""
        if (unit, key) not in self._final:
            symbol = self._final[unit, key] = sympy.Symbol(self._reserved[unit, key])
            self.lines.append(Let(symbol, value, self.outputs[unit], "", key, unit))
        return self._final[unit, key]

    def _between(self, value: sympy.Expr, label: str, unit: int, key: MultiIndex) -> sympy.Expr:
        """Return a name for an intermediate value; numbers, names and short products stay."""
        if _is_plain(value) or (key and _is_short(value)):
            return value
        stem = label + self.stems[self.place][1:] if label else self.stems[self.place]
        symbol = sympy.Symbol(self._free(self._derivative(f"{stem}_{unit + 1}", key)))
        self.lines.append(Let(symbol, value, stem, str(unit + 1), key))
        return symbol

    def _derivative(self, base: str, key: MultiIndex) -> str:
        return naming.derivative(base, [self.inputs[i] for i in key])

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _is_plain(value: sympy.Expr) -> bool:
    """Return whether a value is a number, a name or a name with a minus."""
    negative = value.is_Mul and len(value.args) == 2 and value.args[0] == -1 and value.args[1].is_Atom
    return bool(value.is_Atom or negative or value.is_number)


def _is_short(value: sympy.Expr) -> bool:
    """Return whether a value is a number times at most three names: shorter than a line of its own."""
    return value.is_Mul and len(value.args) <= 4 and all(a.is_Atom for a in value.args)


def _differing(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((a, b) for a, b in zip(old, new, strict=True) if a != b)


def tree_sizes(form: LetForm) -> dict[Any, int]:
    """Return how many nodes each name has once everything is inlined; exact integers, nothing is built."""
    sizes: dict[Any, int] = {}
    for line in form.lines:
        sizes[line.symbol] = _tree_size(line.expression, sizes)
    return sizes


def _tree_size(expression: Any, sizes: Mapping[Any, int]) -> int:
    if not expression.args:
        return sizes.get(expression, 1)
    return 1 + sum(_tree_size(a, sizes) for a in expression.args)
