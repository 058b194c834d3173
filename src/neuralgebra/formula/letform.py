"""The let-form: every intermediate value under a name, each line short, the whole as long as the network is large."""

from __future__ import annotations

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
    if not network.output:
        kind.at(0)
        results = (kind.keep(results[0][None], "")[0], *results[1:])
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
        self.output, self.place = network.output, 0
        self.stems = _stems(network)
        self._taken = set(self.inputs)
        self._final: set[sympy.Symbol] = set()

    def at(self, place: int) -> None:
        """Take notice of the node that is computed next."""
        self.place = place

    def keep(self, x: Value, label: str, keys: Sequence[MultiIndex] = ((),)) -> Value:
        """Return names for the entries of x, each with a line of its own; numbers and single names stay."""
        final = self.place == self.output and not label
        if label and self.order == 0:
            return x
        named = np.empty(x.shape, dtype=object)
        for at in np.ndindex(*x.shape):
            key = keys[at[0]]
            named[at] = self._named(x[at], label, at[-1], key, final)
        return named

    def _named(self, value: sympy.Expr, label: str, unit: int, key: MultiIndex, final: bool) -> sympy.Expr:
        if _is_plain(value) and (not final or (key and value.is_number) or value in self._final):
            return value
        stem = label + self.stems[self.place][1:] if label else self.stems[self.place]
        base = self.outputs[unit] if final else f"{stem}_{unit + 1}"
        name = self._free(_derivative_name(base, [self.inputs[i] for i in key]))
        symbol, scale = sympy.Symbol(name), factorial(key)
        number = "" if final else str(unit + 1)
        self.lines.append(Let(symbol, value if scale == 1 else value * scale, base if final else stem, number, key))
        if final:
            self._final.add(symbol)
        return symbol if scale == 1 else symbol / scale

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _is_plain(value: sympy.Expr) -> bool:
    """Return whether a value is a number, a name or a name with a minus."""
    return value.is_Atom or (value.is_Mul and len(value.args) == 2 and value.args[0] == -1 and value.args[1].is_Atom)


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
