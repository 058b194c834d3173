"""The let-form: every intermediate value under a name, each line short, the whole as long as the network is large."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.calculus.derivatives import jets
from neuralgebra.calculus.jet import MultiIndex, factorial
from neuralgebra.network import names as naming
from neuralgebra.network.layers import Affine, Elementwise, Maximum, Multiply, Softmax
from neuralgebra.network.network import Network

__all__ = ["Let", "LetForm", "let_form"]

_STEMS = {Affine: "z", Elementwise: "a", Multiply: "p", Maximum: "m", Softmax: "s"}


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
    """

    symbol: sympy.Symbol
    expression: sympy.Expr
    stem: str
    unit: str
    keys: MultiIndex


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
    safe : mapping of str to str
        Name of an input or output -> identifier that stands for it.
    """

    network: Network
    inputs: tuple[sympy.Symbol, ...]
    lines: tuple[Let, ...]
    results: tuple[np.ndarray, ...]
    safe: Mapping[str, str] = field(default_factory=dict)


def let_form(network: Network, order: int, digits: int | None) -> LetForm:
    """Return value and derivatives up to an order as one let-form.

    Parameters
    ----------
    network : Network
        f.
    order : int
        Highest order.
    digits : int or None
        Significant digits of the weights; None keeps all.

    Returns
    -------
    LetForm
        Lines and results.
    """
    safe = naming.safe(_distinct(network))
    inputs = tuple(sympy.Symbol(safe[name]) for name in network.input_names)
    kind = _Named(network, safe, order, digits)
    results = tuple(jets(kind, network, np.array(inputs, dtype=object), order))
    results = tuple(kind.listed(result) for result in results)
    return LetForm(network, inputs, tuple(kind.lines), results, {k: v for k, v in safe.items() if k != v})


def _distinct(network: Network) -> list[str]:
    """Return all names of inputs and outputs, once each; an output that is named as an input gets its own."""
    return list(dict.fromkeys((*network.input_names, *network.output_names)))


class _Named(Symbols):
    """Symbols that put every intermediate value under a name."""

    def __init__(self, network: Network, safe: Mapping[str, str], order: int, digits: int | None) -> None:
        super().__init__(digits)
        self.order = order
        self.lines: list[Let] = []
        self.inputs = [safe[name] for name in network.input_names]
        self.outputs = [safe[name] for name in network.output_names]
        self.network, self.place = network, 0
        self.stems = _stems(network)
        self._taken = set(self.inputs)
        self._final: set[sympy.Symbol] = set()

    def at(self, place: int) -> None:
        """Take notice of the node that is computed next."""
        self.place = place

    def keep(self, x: Value, label: str, keys: Sequence[MultiIndex] = ((),)) -> Value:
        """Return names for the entries of x, each with a line of its own; numbers and single names stay."""
        layer = self.network.nodes[self.place - 1].layer if self.place else None
        if label and self.order == 0 and not isinstance(layer, Maximum):
            return x
        label = "" if label == self._result_element() else label
        final = self.place == self.network.output and not label
        named = np.empty(x.shape, dtype=object)
        for at in np.ndindex(*x.shape):
            key = keys[at[0]]
            if final and key and x[at].is_number:  # listed at the end, with the zeros that have no array
                named[at] = x[at]
            elif (scale := factorial(key)) == 1:
                named[at] = self._named(x[at], label, at[-1], key, final)
            else:  # x holds normalised coefficients, the lines hold derivatives
                named[at] = self._named(x[at] * scale, label, at[-1], key, final) / scale
        return named

    def listed(self, result: np.ndarray) -> np.ndarray:
        """Return the names of a result (m, n, …); entries that have no line yet, such as zeros, get one."""
        self.place = self.network.output
        named = np.empty(result.shape, dtype=object)
        for unit, *key in np.ndindex(*result.shape):
            if key == sorted(key):
                name = self._named(result[(unit, *key)], "", unit, tuple(key), True)
                for index in itertools.permutations(key):
                    named[(unit, *index)] = name
        return named

    def _result_element(self) -> str:
        """Return the chain function that is the result of the node itself, as t of tanh; "" if there is none."""
        layer = self.network.nodes[self.place - 1].layer if self.place else None
        row = layer.only.row if isinstance(layer, Elementwise) and layer.only else None
        return next((name for name in row.elements if row.is_element(name)), "") if row else ""

    def _named(self, value: sympy.Expr, label: str, unit: int, key: MultiIndex, final: bool) -> sympy.Expr:
        if value in self._final or (not final and (_is_plain(value) or (key and _is_short(value)))):
            return value
        stem = label + self.stems[self.place][1:] if label else self.stems[self.place]
        base = self.outputs[unit] if final else f"{stem}_{unit + 1}"
        name = self._free(_derivative_name(base, [self.inputs[i] for i in key]))
        symbol = sympy.Symbol(name)
        self.lines.append(Let(symbol, value, base if final else stem, "" if final else str(unit + 1), key))
        if final:
            self._final.add(symbol)
        return symbol

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _is_plain(value: sympy.Expr) -> bool:
    """Return whether a value is a number, a name or a name with a minus."""
    return value.is_Atom or (value.is_Mul and len(value.args) == 2 and value.args[0] == -1 and value.args[1].is_Atom)


def _is_short(value: sympy.Expr) -> bool:
    """Return whether a value is a number times at most three names: shorter than a line of its own."""
    return value.is_Mul and len(value.args) <= 4 and all(a.is_Atom for a in value.args)


def _stems(network: Network) -> dict[int, str]:
    """Return a letter and a number for each place: z1, a1, z2, …."""
    count: Counter[str] = Counter()
    stems = {0: "x"}
    for place, node in enumerate(network.nodes, 1):
        letter = _STEMS.get(type(node.layer), "v")
        count[letter] += 1
        stems[place] = f"{letter}{count[letter]}"
    return stems


def _derivative_name(base: str, inputs: Sequence[str]) -> str:
    if not inputs:
        return base
    order = "" if len(inputs) == 1 else str(len(inputs))
    return f"d{order}{base}_" + "_".join(f"d{name}" for name in inputs)


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
