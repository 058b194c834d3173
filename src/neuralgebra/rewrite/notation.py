"""Networks and derivations in LaTeX: a chain as a composition of maps, what branches as one line for each wire.

A weight has one number throughout, W₁, W₂, …, in the order in which it is met at the start, so that one sees that it
stays what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Layer,
    Maximum,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.network.network import Network

__all__ = ["Labels", "composition", "derivation_latex"]

_LONGEST = 24  # maps in a composition that is written out

_KNOWN = {
    "exp": r"\exp",
    "log": r"\ln",
    "tanh": r"\tanh",
    "sin": r"\sin",
    "cos": r"\cos",
    "tan": r"\tan",
    "sinh": r"\sinh",
    "cosh": r"\cosh",
    "arctan": r"\arctan",
}
_PRIMITIVE: dict[type[Layer], str] = {
    Maximum: r"\max",
    Multiply: r"\odot",
    Concatenate: r"\mathrm{join}",
    Select: r"\mathrm{select}",
}


class Labels:
    """Numbers of weights: one for each weight object, in the order in which it is met.

    Parameters
    ----------
    networks : iterable of Network
        Where they are met.
    """

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self.numbers: dict[int, int] = {}
        self._kept: list[object] = []
        for network in networks:
            for node in network.nodes:
                self.of(node.layer)

    def of(self, layer: Layer) -> int | None:
        """Return the number of the weight of a layer; None for a layer without."""
        weight = getattr(layer, "weight", None)
        if weight is None:
            return None
        if id(weight) not in self.numbers:
            self.numbers[id(weight)] = len(self.numbers) + 1
            self._kept.append(weight)  # so that its identity is not given to another
        return self.numbers[id(weight)]


def function_latex(function: Activation) -> str:
    """Return the name of a function; an accent for σ′ = ln ∘ σ ∘ exp would hide which σ it is."""
    names = [_KNOWN.get(f.name, rf"\mathrm{{{_escaped(str(f))}}}") for f in function.letters]
    text = r"\circ".join(names)
    return rf"({text})" if len(names) > 1 else text


def _escaped(text: str) -> str:
    marks = {"_": r"\_", "'": r"{}'", "^": r"\hat{}", "#": r"\#", "%": r"\%", "&": r"\&", "$": r"\$"}
    return "".join(marks.get(c, c if c.isascii() and c not in "\\{}~" else "?") for c in text)


def layer_latex(layer: Layer, labels: Labels) -> str:
    """Return a layer as a map: A_{W_1}, M_{W_1}, \\tanh."""
    index = f"W_{{{labels.of(layer)}}}" + (
        f",b_{{{labels.of(layer)}}}" if getattr(layer, "bias", None) is not None else ""
    )
    match layer:
        case Affine():
            return f"A_{{{index}}}"
        case PowerProduct():
            return f"M_{{{index}}}"
        case Mixing():
            return rf"\mathrm{{Mix}}_{{{function_latex(layer.function)},{index}}}"
        case Softmax():
            return r"\ln\circ\mathrm{softmax}" if layer.log else r"\mathrm{softmax}"
        case Elementwise():
            return function_latex(layer.only) if layer.only else r"\varphi"
    return _PRIMITIVE[type(layer)]


def composition(network: Network, labels: Labels | None = None) -> str:
    """Return a network as a composition of maps, the last first; one line for each wire where it branches.

    Parameters
    ----------
    network : Network
        f.
    labels : Labels, optional
        Numbers of weights; its own by default.

    Returns
    -------
    str
        LaTeX, for mathematics mode.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], [3]), ([[4]], None)], "tanh", kind="multiplicative")
    >>> print(composition(f.to_additive()))
    \\exp\\circ A_{W_{2}}\\circ (\\ln\\circ\\tanh\\circ\\exp)\\circ A_{W_{1},b_{1}}\\circ \\ln
    """
    labels = Labels([network]) if labels is None else labels
    maps = [layer_latex(node.layer, labels) for node in network.nodes]
    if network.is_chain:
        return r"\circ ".join(_shortened(maps)[::-1]) or r"\mathrm{id}"
    lines = [
        rf"z_{{{place}}} &= {name}({', '.join(_wire(i) for i in node.inputs)})"
        for place, (name, node) in enumerate(zip(maps, network.nodes, strict=True), 1)
    ]
    return r"\begin{aligned}" + r"\\ ".join(_shortened(lines)) + r"\end{aligned}"


def _wire(place: int) -> str:
    return f"z_{{{place}}}" if place else "x"


def _shortened(parts: Sequence[str]) -> list[str]:
    half = _LONGEST // 2
    return [*parts] if len(parts) <= _LONGEST else [*parts[:half], r"\cdots", *parts[-half:]]


def derivation_latex(networks: Sequence[Network], reasons: Sequence[str]) -> str:
    """Return the networks of a derivation one below the other, each line with the law that leads to it."""
    labels = Labels(networks[:1])
    lines = [rf"& {composition(networks[0], labels)}"]
    for network, reason in zip(networks[1:], reasons, strict=True):
        sign = r"\leadsto" if reason.startswith("absorb") else "="
        lines.append(rf"{sign}{{}} & {composition(network, labels)} && \text{{{_escaped(reason)}}}")
    return r"\begin{aligned}" + "\n" + "\\\\\n".join(lines) + "\n" + r"\end{aligned}"
