"""Derivations from text: the laws are applied again, to the network that the text belongs to."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

from neuralgebra.errors import InputError, NotCertifiedError, UnsupportedError, UsageError, shown
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.network import Network
from neuralgebra.rewrite.derivation import VERSION, Derivation
from neuralgebra.rewrite.graph import Apply, Graph
from neuralgebra.rewrite.laws import law
from neuralgebra.rewrite.ranges import Range
from neuralgebra.rewrite.record import Record
from neuralgebra.rewrite.rules import Rule

__all__ = ["repeated"]

_KEYS = {"neuralgebra", "version", "start", "end", "domain", "reversed", "steps"}


def repeated(text: str, network: Network) -> Derivation:
    """Return the derivation that a text tells, by applying its laws to a network.

    Parameters
    ----------
    text : str
        What `Derivation.to_json` gave.
    network : Network
        The network at its start.

    Returns
    -------
    Derivation
        The steps.

    Raises
    ------
    InputError
        For a text that is no derivation.
    NotCertifiedError
        For another network, and where a step does not apply or the end is another than was written down.
    """
    if not isinstance(network, Network):
        raise UsageError(f"{shown(type(network).__name__)} received; the network at the start of the steps expected.")
    content = _content(text)
    if content["start"] != network.digest.hex():
        raise NotCertifiedError(
            "a derivation that belongs to another network received; its hash is not that of this one.\n"
            "Pass the network that it starts from, with the same weights and names."
        )
    graph = Graph(network, domain := _domain(content["domain"]))
    records = []
    for number, step in enumerate(content["steps"], 1):
        rule, at = _step(step, number)
        found = rule.find(graph, at) if graph.users.get(at) and (at or rule.at_input) else None
        if not isinstance(found, int | Apply):
            raise NotCertifiedError(f"step {number}, {rule.name} at wire {at}, does not apply{_because(found)}.")
        records.append(Record(rule, at, graph.replace(at, found, rule.interface)))
    if graph.to_network().digest.hex() != content["end"]:
        raise NotCertifiedError("the steps lead to another network than the one that was written down.")
    return Derivation(network, domain, tuple(records), content["reversed"])


def _because(found: Any) -> str:
    return f": {found}" if isinstance(found, str) else ""


def _content(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"no JSON received: {shown(text)}; the text of a derivation expected.") from None
    if not isinstance(content, dict) or content.keys() != _KEYS or content["neuralgebra"] != "derivation":
        raise InputError(f"{shown(text)} received; the text of a derivation expected, as Derivation.to_json gives it.")
    if content["version"] != VERSION:
        raise InputError(f"a derivation of version {shown(content['version'])} received; {VERSION} expected.")
    if not isinstance(content["steps"], list) or not isinstance(content["reversed"], bool):
        raise InputError("a derivation without a list of steps received.")
    return content


def _domain(given: Any) -> Range:
    try:
        low, high, with_low, with_high = given
        domain = Range(float.fromhex(low), float.fromhex(high), with_low, with_high)
    except (TypeError, ValueError, OverflowError):
        domain, with_low, with_high = Range(math.nan), False, False
    taken = type(with_low) is bool and type(with_high) is bool
    if not taken or not (domain.low < domain.high or (domain.low == domain.high and with_low and with_high)):
        raise InputError(f"domain {shown(given)} received; two ends in hexadecimal, in ascending order, expected.")
    return domain


def _step(step: Any, number: int) -> tuple[Rule, int]:
    if not isinstance(step, dict) or not step.keys() <= {"rule", "at", "by"} or type(step.get("at")) is not int:
        raise InputError(f"step {number} is {shown(step)}; a rule and a wire expected.")
    try:
        return law(step.get("rule"), _function(step.get("by"))), step["at"]
    except (InputError, UsageError, UnsupportedError, TypeError, ValueError, ArithmeticError) as error:
        raise InputError(f"step {number}: {error}") from None


def _function(by: Any) -> Activation | None:
    if by is None:
        return None
    if not isinstance(by, list) or len(by) != 2:
        raise InputError(f"by {shown(repr(by))} received; the name of a function and its parameters expected.")
    name, parameters = by
    return activation(name, **{n: _number(value) for n, value in parameters})


def _number(value: Any) -> Any:
    if isinstance(value, list):
        return [_number(v) for v in value]
    return float.fromhex(value) if "0x" in value else Fraction(value) if "/" in value else int(value)
