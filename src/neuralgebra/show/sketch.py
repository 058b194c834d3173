"""What is drawn of a network: its wires, the layers that give them, and what they are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuralgebra.errors import UsageError, shown
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.row import AFTER
from neuralgebra.network.builder import Node
from neuralgebra.network.layers import Affine, Elementwise, Layer, Mixing, PowerProduct
from neuralgebra.network.linear import Kronecker
from neuralgebra.network.network import Network
from neuralgebra.rewrite.graph import Graph, natural_domain
from neuralgebra.rewrite.ranges import POSITIVE, REAL, Range, required, through
from neuralgebra.show.lettering import Label, cut, joined, plain, upper, variable, visible

__all__ = ["INPUT", "Names", "Sketch", "domain_label", "sign", "weighted"]

INPUT = 0
"""The wire that holds the input."""

_NOT_NEGATIVE = Range(0.0, POSITIVE.high, True, False)
_LONG = 9  # letters of a function that is shown by its name


@dataclass(frozen=True)
class Sketch:
    """A network, or the working form of one under rewriting, as it is drawn.

    Parameters
    ----------
    nodes : tuple of (int, Layer, tuple of int)
        For each layer the wire that it gives, the layer, and the wires that it takes; arguments come first. Wire 0 is
        the input.
    output : int
        The wire of the output.
    sizes : mapping of int to int
        Number of coordinates of each wire.
    input_names, output_names : tuple of str
        Names of the coordinates.
    domains : mapping of int to str
        Where the values of a wire are: "ℝ", "ℝ>0", or another short text; wires may be left out.

    Examples
    --------
    >>> f = Network.from_layers([([[1, 2], [3, 4]], None), ([[5, 6]], None)], "tanh", kind="multiplicative")
    >>> s = Sketch.of(f)
    >>> [(wire, str(layer), inputs) for wire, layer, inputs in s.nodes][:2]
    [(1, 'PowerProduct 2→2', (0,)), (2, 'tanh', (1,))]
    >>> s.domains[0], s.domains[1]
    ('ℝ>0', 'ℝ>0')
    """

    nodes: tuple[tuple[int, Layer, tuple[int, ...]], ...]
    output: int
    sizes: Mapping[int, int]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    domains: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network | Graph, domains: Mapping[int, str] | None = None) -> Sketch:
        """Return the sketch of a network, or of a graph under rewriting.

        Parameters
        ----------
        network : Network or Graph
            Wires are the places of a network, and the wires of a graph.
        domains : mapping of int to str, optional
            Texts that take the place of the domains that are found.

        Returns
        -------
        Sketch
            Of the layers that the output needs.
        """
        if isinstance(network, Graph):
            graph, network = network, network.network
            nodes = tuple((w, graph.nodes[w].layer, graph.nodes[w].inputs) for w in graph.live)
            output, sizes = graph.output, dict(graph.sizes)
            ranges = {**graph.ranges, INPUT: _asked(graph.ranges[INPUT], [Node(la, i) for _, la, i in nodes])}
        else:
            nodes = tuple((i, node.layer, node.inputs) for i, node in enumerate(network.nodes, 1))
            output, sizes, ranges = network.output, dict(enumerate(network.sizes)), dict(enumerate(_ranges(network)))
        found = {wire: _domain(ranges[wire]) for wire in (INPUT, *(wire for wire, _, _ in nodes))}
        texts = _texts({} if domains is None else domains, found)
        return cls(nodes, output, sizes, network.input_names, network.output_names, found | texts)

    @property
    def is_chain(self) -> bool:
        """Whether each layer is applied to the one before, and the last gives the output."""
        before = (INPUT, *(wire for wire, _, _ in self.nodes))
        return self.output == before[-1] and all(n[2] == (w,) for n, w in zip(self.nodes, before, strict=False))


def _texts(domains: Any, places: Mapping[int, str]) -> dict[int, str]:
    """Return the texts that a person passes for places."""
    strange = [w for w in domains if w not in places] if isinstance(domains, Mapping) else [domains]
    if strange:
        raise UsageError(
            f"domains with {shown(repr(strange[0]))} received; texts by place expected, such as {{0: 'ℝ>0'}}, "
            f"for places among 0 (the input) to {max(places)}."
        )
    return {wire: str(text) for wire, text in domains.items()}


def weighted(layer: Layer | None) -> Affine | PowerProduct | Mixing | None:
    """Return the layer if it has a matrix."""
    return layer if isinstance(layer, Affine | PowerProduct | Mixing) else None


def sign(layer: Layer | None) -> str:
    """Return "+" or "−" where a layer adds up, or subtracts, vectors that are laid side by side; "" for any other."""
    weight = layer.weight if isinstance(layer, Affine) and layer.bias is None else None
    if not isinstance(weight, Kronecker) or weight.before != 1 or len(weight.weight) != 1 or weight.weight.size < 2:
        return ""
    row = weight.weight[0]
    return "+" if np.all(row == 1) else "−" if np.array_equal(row, [1, -1]) else ""


def _ranges(network: Network) -> list[Range]:
    """Return what each place can hold, given that the first layers are defined on the input."""
    ranges = [_asked(natural_domain(network), network.nodes)]
    for node in network.nodes:
        ranges.append(through(node.layer, [ranges[i] for i in node.inputs]))
    return ranges


def _asked(domain: Range, nodes: Iterable[Node]) -> Range:
    """Return what the input holds, given what it is said to hold and the layers that take it."""
    for node in nodes:
        if INPUT in node.inputs:
            domain = domain.meet(required(node.layer))
    return domain


def _domain(values: Range) -> str:
    if values.low >= values.high:  # one number
        return "ℝ"
    known = {"ℝ>0": POSITIVE, "ℝ≥0": _NOT_NEGATIVE, "ℝ": REAL}
    return next((name for name, space in known.items() if values.within(space)), "ℝ")


class Names:
    """Labels of weights, biases and functions, by the very object: what stays in a rewriting keeps its label.

    Parameters
    ----------
    sketches : sequence of Sketch
        Everything that is drawn in one picture, in order.
    """

    def __init__(self, sketches: Sequence[Sketch]) -> None:
        self._numbers: dict[int, int] = {}
        self._biases: dict[int, str] = {}
        self._functions: dict[Activation, Label] = {}
        self._kept = tuple(sketches)  # a label is by the identity of an object, which must live as long
        for layer in self._layers():
            self._count(layer)
        self._abbreviate([f for layer in self._layers() for f in _functions(layer)])

    def _layers(self) -> Iterator[Layer]:
        return (layer for sketch in self._kept for _, layer, _ in sketch.nodes)

    def _count(self, layer: Layer) -> None:
        layer_with = weighted(layer)
        if layer_with is None or sign(layer):
            return
        number = self._numbers.setdefault(id(layer_with.weight), len(self._numbers) + 1)
        if layer_with.bias is not None and id(layer_with.bias) not in self._biases:
            same = sum(text.partition(",")[0] == str(number) for text in self._biases.values())
            self._biases[id(layer_with.bias)] = f"{number},{same + 1}" if same else str(number)

    def _abbreviate(self, functions: Iterable[Activation]) -> None:
        """Let long names be σ′ for a composition, σ for another function; numbered where there are several."""
        long = [f for f in dict.fromkeys(functions) if len(visible(str(f))) > _LONG]
        for number, function in enumerate(long, 1):
            index = str(number) if len(long) > 1 else ""
            prime = "′" if AFTER in function.name else ""
            self._functions[function] = joined(variable("σ"), prime, variable("", index)[1:])

    def weight(self, layer: Affine | PowerProduct | Mixing) -> Label:
        """Return W with its number; a sum or difference of vectors needs none."""
        if sign(layer):
            return joined(variable("u"), f" {sign(layer)} ", variable("v"))
        return variable("W", str(self._numbers[id(layer.weight)]))

    def bias(self, layer: Affine | PowerProduct | Mixing) -> Label:
        """Return what the bias adds: + b, or the factor e^b; nothing where there is none."""
        if layer.bias is None:
            return ()
        index = self._biases[id(layer.bias)]
        if isinstance(layer, PowerProduct):
            (b, below) = variable("b", index)
            raised = (b._replace(rise=0.38, scale=0.75), below._replace(rise=0.24, scale=0.55))
            return joined("× ", variable("e"), raised)
        return joined("+ ", variable("b", index))

    def function(self, function: Activation) -> Label:
        """Return the name of a function, or the letter that stands for a long one."""
        return self._functions.get(function) or plain(visible(str(function)))

    def legend(self, sketches: Iterable[Sketch]) -> list[tuple[Label, str]]:
        """Return a line for each letter that stands for a function in these sketches: the line, and all of it."""
        there = dict.fromkeys(f for s in sketches for _, layer, _ in s.nodes for f in _functions(layer))
        return [
            (joined(self._functions[f], " = ", plain(cut(str(f), 60))), str(f)) for f in there if f in self._functions
        ]


def _functions(layer: Layer) -> list[Activation]:
    if isinstance(layer, Elementwise):
        return [function for function, _ in layer.activations]
    return [layer.function] if isinstance(layer, Mixing) else []


def domain_label(domain: str, size: int) -> Label:
    """Return a space with its dimension: ℝ>0 and 3 give ℝ, lowered >0, raised 3."""
    base, below = (domain[:1], domain[1:]) if domain.startswith("ℝ") else (cut(domain, 16), "")
    low = tuple(run._replace(text=cut(run.text, 12)) for run in joined(plain(below)) if below)
    small = tuple(run._replace(rise=-0.2, scale=0.7) for run in low)
    high = tuple(run._replace(over=bool(small)) for run in upper(f"{size:,}" if size > 1 else ""))
    return joined(base, small, high)
