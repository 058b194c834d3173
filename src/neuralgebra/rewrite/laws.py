"""The table of laws, and the strategies that apply them in one direction.

Each law says what a wire equals. A strategy has phases, and a law waits until no law of the phases before applies: laws
that compete for a place have an order, and those of one phase do not compete. No strategy moves a function both ways.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from neuralgebra.errors import UsageError, shown
from neuralgebra.functions.activation import activation
from neuralgebra.network.layers import Mixing
from neuralgebra.network.network import Network
from neuralgebra.rewrite import functions, interface, linear
from neuralgebra.rewrite.rules import Rule

__all__ = ["RULES", "STRATEGIES", "Strategy", "law", "strategy"]

_TABLE = (
    Rule("additive", "M_W = exp ∘ A_W ∘ ln", "x > 0, where M is defined", linear.additive, "multiplied"),
    Rule("multiplied", "exp ∘ A_W ∘ ln = M_W", "", linear.multiplied, "additive"),
    Rule("multiplicative", "A_W = ln ∘ M_W ∘ exp", "", linear.multiplicative, "added"),
    Rule("added", "ln ∘ M_W ∘ exp = A_W", "", linear.added, "multiplicative"),
    Rule("unmixed", "Mix_{f,W} = f ∘ A_W ∘ f⁻¹", "", linear.unmixed, "mixed"),
    Rule("mixed", "f ∘ A_W ∘ f⁻¹ = Mix_{f,W}", "f maps R one to one onto its values", linear.mixed, "unmixed"),
    Rule("compose", "g after f = g∘f", "", functions.composed, "split"),
    Rule("split", "g∘f = g after f", "", functions.split, "compose"),
    Rule("cancel", "f⁻¹ ∘ f = wire", "f is one to one on the wire", functions.cancel, "insert"),
    Rule("identity", "σ = wire", "σ is the identity on the wire", functions.identity),
    Rule("name", "ln ∘ σ ∘ exp = σ′", "σ maps R>0 into R>0", functions.named, rounds=True),
    Rule("fuse", "A_V ∘ A_W = A_{VW}, M_V ∘ M_W = M_{VW}", "dense or diagonal weights", linear.fused, rounds=True),
    Rule("pool", "max ∘ f = f ∘ max, or f ∘ min", "f rises, or falls", functions.pooled(), "unpool"),
    Rule("unpool", "f ∘ max = max ∘ f, or min ∘ f", "f rises, or falls", functions.unpooled(), "pool"),
    Rule("wiring", "f ∘ wiring = wiring ∘ f", "one f for all units", functions.passed(), "gather"),
    Rule("gather", "wiring ∘ f = f ∘ wiring", "one f for all units", functions.gather(), "wiring"),
    Rule("log-softmax", "ln ∘ softmax = log-softmax, exp ∘ log-softmax = softmax", "", functions.softmaxes),
    Rule("shares", "softmax ∘ ln = z / Σ z", "z > 0", linear.normalised),
    Rule("softmax", "(z / Σ z) ∘ exp = softmax", "", linear.of_exponentials),
    Rule("log-sum-exp", "ln Σ v exp(z) = LSE(z + ln v)", "v > 0", linear.log_sum_exp, rounds=True),
    Rule("product", "exp(u) · exp(v) = exp(u + v)", "", linear.product),
)
RULES: Mapping[str, Rule] = {rule.name: rule for rule in _TABLE}
"""All laws by name."""

_CIRCLES = (("additive", "multiplicative"), ("additive", "mixed"), ("unmixed", "multiplied"))
"""Laws that undo each other beside those that are converses: one makes A of M, the other M of A."""

STRATEGIES = ("additive", "multiplicative", "simplified")
"""Those of `strategy`."""


_BY = {
    "insert": lambda f: Rule(
        "insert", "wire = f⁻¹ ∘ f", "f is one to one on the wire", functions.inserted(f), "cancel", by=f
    ),
    "mixing": lambda f: Rule(
        "mixing",
        "A_W = f⁻¹ ∘ Mix_{f,W} ∘ f",
        "f maps R one to one onto its values",
        linear.mixed_by(f),
        "unmixed",
        by=f,
    ),
    "absorb inputs": lambda f: interface.absorbing("inputs", f),
    "absorb outputs": lambda f: interface.absorbing("outputs", f),
}
"""Laws that speak of one function of many."""


def law(name: Any, by: Any = None) -> Rule:
    """Return the law of a name.

    Parameters
    ----------
    name : str or Rule
        The name.
    by : str or Activation, optional
        The function that it speaks of.

    Returns
    -------
    Rule
        The law.

    Raises
    ------
    UsageError
        When there is none.
    """
    if isinstance(name, Rule):
        return name
    if not isinstance(name, str) or (name not in RULES and name not in _BY):
        raise UsageError(f"rule {shown(name)!r} received; one of {', '.join([*RULES, *_BY])} expected.")
    if (name in _BY) != (by is not None):
        expected = 'by="exp" or another function expected' if name in _BY else "the rule speaks of no one function"
        raise UsageError(f"rule {name} with by={shown(by)} received; {expected}.")
    return _BY[name](activation(by) if isinstance(by, str) else by) if name in _BY else RULES[name]


@dataclass(frozen=True)
class Strategy:
    """Laws in one direction.

    Parameters
    ----------
    first : list of list of Rule
        Those that make one kind of layer of another, phase after phase, once.
    phases : list of list of Rule
        Those that are applied then; a law waits until no law of the phases before applies.
    """

    first: list[list[Rule]]
    phases: list[list[Rule]]


def strategy(name: Any, network: Network, base: float | None = None) -> Strategy:
    """Return the phases of a strategy.

    Parameters
    ----------
    name : str or sequence of str
        "additive", "multiplicative", "simplified"; or laws of the table, which are one phase.
    network : Network
        Whose mixing functions are moved.
    base : float, optional
        Of the exponentials that "multiplicative" introduces.

    Returns
    -------
    Strategy
        The laws.

    Raises
    ------
    UsageError
        For an unknown name, and for a law with its converse, which would go on for ever.
    """
    if isinstance(name, list | tuple):
        return Strategy([], [_without_end([law(n) for n in name])])
    if name not in STRATEGIES:
        raise UsageError(
            f"strategy {shown(repr(name))} received; one of {', '.join(STRATEGIES)}, or a list of laws, expected."
        )
    outer, inner = _mixing_functions(network, base)
    return {"additive": _additive, "multiplicative": _multiplicative, "simplified": _simplified}[name](
        outer, inner, base
    )


def _without_end(rules: list[Rule]) -> list[Rule]:
    names = {rule.name for rule in rules}
    for one, other in [*((rule.name, rule.converse) for rule in rules), *_CIRCLES]:
        if {one, other} <= names:
            how = "its converse " if (one, other) not in _CIRCLES else ""
            raise UsageError(f"{one} and {how}{other} received; together they never end. Choose one of them.")
    return rules


def _mixing_functions(network: Network, base: float | None) -> tuple[list[str], list[str]]:
    """Return the names of exp and the other functions that layers mix by, and of inverses that are none of them."""
    mixing = [node.layer for node in network.nodes if isinstance(node.layer, Mixing)]
    pairs = {("exp", "log"), *((m.function.name, m.inverse.name) for m in mixing)}
    pairs |= {("exp_base", "log_base")} if base is not None else set()
    pairs = {(f, g) for f, g in pairs if f != g}
    outer = {f for f, _ in pairs}
    return sorted(outer), sorted({g for _, g in pairs} - outer)  # no function goes both ways, which would not end


def _moving(kind: str, letters: Sequence[str]) -> Rule:
    make = {
        "pool": functions.pooled,
        "unpool": functions.unpooled,
        "wiring": functions.passed,
        "gather": functions.gather,
    }
    rule = RULES[kind]
    return Rule(kind, rule.statement, rule.condition, make[kind](letters), rule.converse)


def _laws(*names: str) -> list[Rule]:
    return [RULES[name] for name in names]


def _words() -> list[list[Rule]]:
    """Return the phases that make words of functions as short as they get, and then one."""
    rule = RULES["compose"]
    compose = Rule(rule.name, rule.statement, rule.condition, functions.composed_from_inside, rule.converse)
    return [_laws("cancel", "identity"), [compose]]


def _additive(outer: Sequence[str], inner: Sequence[str], base: float | None) -> Strategy:
    del base
    phases = [
        *_words(),
        _laws("log-softmax", "softmax"),
        _laws("log-sum-exp", "product"),
        [_moving("wiring", inner), _moving("unpool", inner)],
        [_moving("pool", outer)],
        _laws("name"),
    ]
    return Strategy([_laws("additive", "unmixed")], phases)


def _multiplicative(outer: Sequence[str], inner: Sequence[str], base: float | None) -> Strategy:
    first = RULES["multiplicative"] if base is None else law("mixing", activation("exp_base", base=base))
    phases = [
        *_words(),
        _laws("shares"),
        [_moving("wiring", outer), _moving("unpool", outer)],
        [_moving("pool", inner)],
        _laws("name"),
    ]
    return Strategy([_laws("unmixed"), [first]], phases)


def _simplified(outer: Sequence[str], inner: Sequence[str], base: float | None) -> Strategy:
    del outer, inner, base
    return Strategy([], [*_words(), _laws("log-softmax", "softmax"), _laws("fuse"), _laws("name")])
