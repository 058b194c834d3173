"""Applying laws: where they match, one step, or a strategy to its end."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, ResourceError, UsageError, shown
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.layers import Mixing
from neuralgebra.network.network import Network
from neuralgebra.rewrite.derivation import Derivation
from neuralgebra.rewrite.graph import OUTPUT, Apply, Graph, natural_domain
from neuralgebra.rewrite.laws import RULES, law, strategy
from neuralgebra.rewrite.ranges import Range
from neuralgebra.rewrite.record import Record
from neuralgebra.rewrite.rules import Match, Rule

__all__ = ["apply", "matches", "rewrite", "to_additive", "to_multiplicative"]

_REACH = 3  # layers that a law looks back
_STEPS_PER_WIRE = 200  # far above what any strategy needs


def matches(network: Network, rules: Any = None, *, domain: Any = None) -> list[Match]:
    """Return where laws apply, and where they nearly do, with the reason why not.

    Parameters
    ----------
    network : Network
        f.
    rules : str or sequence of str, optional
        Names of laws; all by default.
    domain : str or tuple of float, optional
        What the input holds: "R", "R>0" or two ends; by default R, or what multiplicative layers ask for.

    Returns
    -------
    list of Match
        In the order of the wires; wire i is the value at place i, 0 the input.

    Raises
    ------
    UsageError
        For an unknown law.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.function("exp") @ na.Network.function("log")
    >>> print(*f.matches(["cancel"]), sep="\\n")
    cancel at wire 2 does not apply: exp∘log not cancelled: wire 0 is R, the rule needs x > 0
    >>> print(*f.matches(["cancel"], domain="R>0"), sep="\\n")
    cancel at wire 2
    """
    graph = _graph(network, domain)
    chosen = [law(name) for name in ([rules] if isinstance(rules, str) else RULES if rules is None else rules)]
    found: list[Match] = []
    for wire in [0, *graph.live]:
        for rule in chosen:
            what = rule.find(graph, wire) if wire or rule.at_input else None
            if what is not None:
                reason = what if isinstance(what, str) else ""
                found.append(Match(rule.name, wire, not reason, reason))
    return found


def apply(
    network: Network, rule: str, at: int | None = None, *, by: str | Activation | None = None, domain: Any = None
) -> Network:
    """Return the network after one law at one place.

    Parameters
    ----------
    network : Network
        f.
    rule : str
        Name of the law.
    at : int, optional
        The wire; by default the first where the law applies.
    by : str or Activation, optional
        The function that the law speaks of: "insert" puts f⁻¹ ∘ f on a wire, "mixing" makes an additive layer mix by f,
        "absorb inputs" and "absorb outputs" make a function part of what goes in or comes out.
    domain : str or tuple of float, optional
        What the input holds: "R", "R>0" or two ends; by default R, or what multiplicative layers ask for.

    Returns
    -------
    Network
        The same function, with the same weight objects; after an absorption g(t) = f(x) for the new input t, or
        g(x) = v for the new output v.

    Raises
    ------
    UsageError
        For an unknown law, or a wire that is none.
    InputError
        Where the law does not apply; the message says why.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[2.0]], None), ([[3.0]], None)], "relu", kind="multiplicative")
    >>> f.apply("identity", at=2).apply("fuse")
    <Network 1 → 1: PowerProduct 1→1; 1 parameters, float64>
    """
    graph, chosen = _graph(network, domain), law(rule, by)
    wires = [0, *graph.live] if at is None else [_wire(graph, at)]
    reasons: list[str] = []
    for wire in wires:
        found = chosen.find(graph, wire) if wire or chosen.at_input else None
        if isinstance(found, int | Apply):
            graph.replace(wire, found, chosen.interface)
            return graph.to_network()
        reasons += [found] if found else []
    where = "anywhere" if at is None else f"at wire {at}, {graph.layer(at) or 'the input'}"
    reason = f": {reasons[0]}" if reasons else f"; it is {chosen.statement}."
    raise InputError(f"rule {chosen.name} does not apply {where}{reason}")


def _wire(graph: Graph, at: Any) -> int:
    count = len(graph.network.nodes)
    if not isinstance(at, int | np.integer) or isinstance(at, bool) or not 0 <= at <= count:
        raise UsageError(f"wire {shown(repr(at))} received; 0 (the input) to {count} expected.")
    return int(at)


def _graph(network: Network, domain: Any) -> Graph:
    return Graph(network, natural_domain(network) if domain is None else Range.of(domain))


def rewrite(
    network: Network,
    to: str | Sequence[str] = "simplified",
    *,
    domain: Any = None,
    base: float | None = None,
    absorb: bool = False,
    seed: int | None = None,
) -> Derivation:
    """Return the derivation of another form of a network by laws applied in one direction, until none applies.

    Parameters
    ----------
    network : Network
        f.
    to : {"simplified", "additive", "multiplicative"} or sequence of str
        "additive" leaves no layer that multiplies powers: M_W = exp ∘ A_W ∘ ln, and what follows. "multiplicative"
        leaves no layer that adds, but for z / Σ z and minima: A_W = ln ∘ M_W ∘ exp. "simplified" composes, cancels and
        fuses neighbours. Or names of laws.
    domain : str or tuple of float, optional
        What the input holds: "R", "R>0" or two ends; by default R, or what multiplicative layers ask for.
    base : float, optional
        Of the exponentials and logarithms that "multiplicative" introduces; e by default.
    absorb : bool
        Whether logarithms at the inputs and exponentials at the outputs (in multiplicative form, the other way) become
        part of the interface: the result then takes ln x and gives ln y. This is no equation of functions; the
        steps say so.
    seed : int, optional
        Choose places at random, and laws within each phase of a strategy; the result is the same.

    Returns
    -------
    Derivation
        The steps; `.result` is the network.

    Raises
    ------
    UsageError
        For an unknown strategy or law, and for a law together with its converse.
    InputError
        For a base that is not positive or 1.
    ResourceError
        When there is no end.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], [5, 6]), ([[7, 8]], None)], "tanh", kind="multiplicative")
    >>> f.rewrite("additive", absorb=True).result
    <Network 2 → 1: Affine 2→2 · log∘tanh∘exp · Affine 2→1; 8 parameters, float64>
    """
    graph = _graph(network, domain)
    start, records = graph.ranges[0], _Records(graph)
    if base is not None and to != "multiplicative":
        raise UsageError(f'base={shown(base)} received with {shown(to)}; it belongs to "multiplicative".')
    chosen = strategy(to, network, base)
    chooser = None if seed is None else np.random.default_rng(seed)
    for phase in chosen.first:
        _exhaust(records, phase, chooser)
    _to_the_end(records, chosen.phases, chooser)
    if absorb:
        for end, functions in _ends(to, network, base).items():
            _absorb(records, end, functions)
        _to_the_end(records, chosen.phases, chooser)
    return Derivation(network, start, tuple(records.records))


class _Records:
    """A graph, and what was done to it."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.records = graph, list[Record]()
        self.limit = _STEPS_PER_WIRE * (len(graph.nodes) + 5)

    def step(self, rule: Rule, wire: int) -> bool:
        """Apply a law at a wire, if it does."""
        found = rule.find(self.graph, wire)
        if not isinstance(found, int | Apply):
            return False
        if len(self.records) >= self.limit:
            raise ResourceError(f"{self.limit} steps done, and there is no end; the last law was {rule.name}.")
        change = self.graph.replace(wire, found, rule.interface)
        self.records.append(Record(rule, wire, change))
        return True


def _to_the_end(records: _Records, phases: Sequence[Sequence[Rule]], chooser: Any) -> None:
    """Exhaust phase after phase; after a change by one of them all begins anew, so that laws wait for those before."""
    place = 0
    while place < len(phases):
        count = len(records.records)
        _exhaust(records, phases[place], chooser)
        place = 0 if place and len(records.records) > count else place + 1


def _exhaust(records: _Records, rules: Sequence[Rule], chooser: Any) -> None:
    """Apply the laws of a phase until none applies."""
    _in_order(records, rules) if chooser is None else _at_random(records, rules, chooser)


def _in_order(records: _Records, rules: Sequence[Rule]) -> None:
    """Go on wire after wire; behind a change all is looked at again that may see it."""
    graph = records.graph
    waiting = deque(graph.live)
    queued = set(waiting)
    while waiting:
        wire = waiting.popleft()
        queued.discard(wire)
        for rule in rules:
            if graph.users[wire] and records.step(rule, wire):
                fresh = [w for w in _touched(graph, records.records[-1]) if w not in queued]
                waiting.extend(fresh)
                queued.update(fresh)


def _touched(graph: Graph, record: Record) -> list[int]:
    """Return new wires, and what follows them as far as laws look back."""
    found = dict.fromkeys([*(wire for wire, _ in record.change.added), record.change.new])
    edge = list(found)
    for _ in range(_REACH):
        edge = [user for wire in edge for user, _ in graph.users[wire] if user != OUTPUT and user not in found]
        found.update(dict.fromkeys(edge))
    return [wire for wire in found if wire]


def _at_random(records: _Records, rules: Sequence[Rule], chooser: Any) -> None:
    while True:
        places = [(rule, wire) for wire in records.graph.live for rule in rules]
        chooser.shuffle(places)
        if not any(records.step(rule, wire) for rule, wire in places):
            return


def _ends(to: Any, network: Network, base: float | None) -> dict[str, list[Activation]]:
    """Return the functions that a strategy absorbs at either end: those that layers mix by, and their inverses."""
    if to not in ("additive", "multiplicative"):
        raise UsageError(f'absorb=True received with {shown(to)}; "additive" or "multiplicative" expected.')
    exponential = activation("exp") if base is None else activation("exp_base", base=base)
    mixing = [node.layer.function for node in network.nodes if isinstance(node.layer, Mixing)]
    outer = list(dict.fromkeys([exponential, *(mixing if to == "additive" else [])]))
    inner = [f.inverse for f in outer if f.inverse is not None]
    return dict(zip(("inputs", "outputs"), (inner, outer) if to == "additive" else (outer, inner), strict=True))


def _absorb(records: _Records, end: str, functions: Sequence[Activation]) -> None:
    """Absorb one of some functions at an end; where none of them is there the end stays as it is."""
    wire = 0 if end == "inputs" else records.graph.output
    any(records.step(law(f"absorb {end}", function), wire) for function in functions if function.name != "identity")


def to_additive(network: Network, *, domain: Any = None, absorb: bool = False) -> Network:
    """Return the network with additive layers in place of multiplicative and mixing ones, with the same weights.

    ∏ x_j^{W_ij} e^{b_i} = exp(Σ_j W_ij ln x_j + b_i), so that σ between two layers becomes σ′ = ln ∘ σ ∘ exp.

    Parameters
    ----------
    network : Network
        f.
    domain : str or tuple of float, optional
        What the input holds: "R", "R>0" or two ends; by default R, or what multiplicative layers ask for.
    absorb : bool
        Whether the result takes ln x and gives ln y; log_β for layers of base β, f⁻¹ for those that mix by f.

    Returns
    -------
    Network
        The same function, unless `absorb`; the same weight objects.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], [3]), ([[4]], None)], "silu", kind="multiplicative")
    >>> f.to_additive()
    <Network 2 → 1: log · Affine 2→1 · log∘silu∘exp · Affine 1→1 · exp; 4 parameters, float64>
    """
    return rewrite(network, "additive", domain=domain, absorb=absorb).result


def to_multiplicative(
    network: Network, *, domain: Any = None, base: float | None = None, absorb: bool = False
) -> Network:
    """Return the network with multiplicative layers in place of additive ones, with the same weights.

    Σ_j W_ij x_j + b_i = ln(e^{b_i} ∏ (e^{x_j})^{W_ij}), so that σ between two layers becomes exp ∘ σ ∘ ln.

    Parameters
    ----------
    network : Network
        f.
    domain : str or tuple of float, optional
        What the input holds: "R", "R>0" or two ends; by default R, or what multiplicative layers ask for.
    base : float, optional
        Of exponentials and logarithms; e by default.
    absorb : bool
        Whether the result takes e^x and gives e^y.

    Returns
    -------
    Network
        The same function, unless `absorb`; the same weight objects.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], [3]), ([[4]], None)], "tanh")
    >>> f.to_multiplicative()
    <Network 2 → 1: exp · PowerProduct 2→1 · exp∘tanh∘log · PowerProduct 1→1 · log; 4 parameters, float64>
    """
    return rewrite(network, "multiplicative", domain=domain, base=base, absorb=absorb).result
