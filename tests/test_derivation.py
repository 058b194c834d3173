"""Derivations: replayed, verified, inverted, written and read; files that were tampered with."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from diagrams import diagrams
from neuralgebra.errors import LoadError, NotCertifiedError, OutputError, UsageError
from neuralgebra.rewrite.replay import repeated
from neuralgebra.rewrite.verification import Verification

RNG = np.random.default_rng(8)


def net(activation: str = "tanh", kind: str = "multiplicative") -> na.Network:
    layers = [(RNG.normal(size=(3, 3)), RNG.normal(size=3)) for _ in range(3)]
    return na.Network.from_layers(layers, activation, kind=kind)


@given(diagrams(), st.sampled_from(["additive", "multiplicative", "simplified"]))
@settings(max_examples=40)
def test_steps_lead_from_network_to_network(drawn: tuple[na.Network, str], strategy: str) -> None:
    f, domain = drawn
    derivation = f.rewrite(strategy, domain=domain)
    networks = [derivation.network(i) for i in range(len(derivation) + 1)]
    assert (networks[0], networks[-1]) == (f, derivation.result)
    assert [step.before for step in derivation] == networks[:-1]
    assert [step.after for step in derivation] == networks[1:]


@given(diagrams(), st.sampled_from(["additive", "multiplicative", "simplified"]))
@settings(max_examples=40)
def test_text_and_inverse(drawn: tuple[na.Network, str], strategy: str) -> None:
    f, domain = drawn
    derivation = f.rewrite(strategy, domain=domain)
    inverse = derivation.inverse()
    assert inverse.result == f
    assert inverse.network(0) == derivation.result
    assert inverse.inverse().result == derivation.result
    assert [step.place for step in inverse] == [step.record.change.new for step in reversed(derivation.steps)]
    for one in (derivation, inverse):
        again = repeated(one.to_json(), f)
        assert str(again) == str(one)
        assert again.result == one.result


def test_a_step_tells_rule_place_and_both_networks() -> None:
    f = net()
    first, *_, last = f.rewrite("additive")
    assert (first.rule, first.place, first.condition) == ("additive", 1, "x > 0, where M is defined")
    assert str(first) == "1. additive at wire 1: M_W = exp ∘ A_W ∘ ln, x > 0, where M is defined"
    assert [str(n.layer) for n in first.after.nodes[:4]] == ["log", "Affine 3→3", "exp", "tanh"]
    assert last.rule == "compose"
    assert first.before == f


def test_the_inverse_names_converse_laws() -> None:
    inverse = net().rewrite("additive").inverse()
    assert [step.rule for step in inverse] == ["split"] * 4 + ["multiplied"] * 3
    assert inverse[-1].statement == "exp ∘ A_W ∘ ln = M_W"
    assert inverse.verify(2).holds


def test_verification_says_what_it_did() -> None:
    checked = net().rewrite("additive").verify(3)
    assert (checked.steps, checked.points, checked.symbolic, checked.holds) == (7, 3, 7, True)
    assert str(checked) == "7 steps hold at 3 points each, 7 of them as formulas too"


def test_steps_without_numbers_are_told() -> None:
    """Where every point leaves the domain nothing has been tested."""
    f = na.Network.function("sqrt") @ na.Network.function("log") @ na.Network.function("tanh")
    checked = f.rewrite("simplified").verify()
    assert not checked.holds
    assert str(checked) == "1 step holds at 4 points each, 2 as formulas; no numbers at steps 2"


def test_steps_without_numbers_are_not_said_to_hold() -> None:
    assert (
        str(Verification(3, 4, 3, (2, 3))) == "1 step holds at 4 points each, 3 as formulas; no numbers at steps 2, 3"
    )
    assert str(Verification(900, 4, 0, tuple(range(1, 900)))).endswith("at steps 1, 2, 3, 4, 5, 6 and 893 more")


def test_latex() -> None:
    f = na.Network.from_layers([([[1.0, 2.0]], [3.0]), ([[4.0]], None)], "tanh", kind="multiplicative")
    assert f.rewrite("additive", absorb=True).latex().splitlines() == [
        r"\begin{aligned}",
        r"& M_{W_{2}}\circ \tanh\circ M_{W_{1},b_{1}}\\",
        r"={} & \exp\circ A_{W_{2}}\circ \ln\circ \tanh\circ \exp\circ A_{W_{1},b_{1}}\circ \ln && \text{additive}\\",
        r"={} & \exp\circ A_{W_{2}}\circ (\ln\circ\tanh\circ\exp)\circ A_{W_{1},b_{1}}\circ \ln && \text{compose}\\",
        r"\leadsto{} & \exp\circ A_{W_{2}}\circ (\ln\circ\tanh\circ\exp)\circ A_{W_{1},b_{1}}\circ \ln\circ \exp"
        r" && \text{absorb inputs by log}\\",
        r"\leadsto{} & \ln\circ \exp\circ A_{W_{2}}\circ (\ln\circ\tanh\circ\exp)\circ A_{W_{1},b_{1}}\circ \ln\circ "
        r"\exp && \text{absorb outputs by exp}\\",
        r"={} & A_{W_{2}}\circ (\ln\circ\tanh\circ\exp)\circ A_{W_{1},b_{1}} && \text{cancel}",
        r"\end{aligned}",
    ]  # fmt: skip
    x = na.Network.identity(2)
    branching = (x + na.Network.function("tanh", 2)).rewrite("multiplicative").latex()
    assert r"z_{1} &= \tanh(x)" in branching
    assert len(f.rewrite("additive").latex(every_step=True).splitlines()) == 7


# Files ------------------------------------------------------------------------------------------------------------


def test_files(tmp_path: Path) -> None:
    f = net()
    derivation = f.rewrite("additive", absorb=True)
    path = tmp_path / "steps.json"
    na.save_derivation(derivation, path)
    again = na.load_derivation(path, f)
    assert str(again) == str(derivation)
    assert again.result == derivation.result
    assert again.result.nodes[0].layer.weight is f.nodes[0].layer.weight
    with pytest.raises(OutputError, match="exists"):
        na.save_derivation(derivation, path)
    with pytest.raises(UsageError, match=r"what f\.rewrite"):
        na.save_derivation(f, tmp_path / "other.json")
    with pytest.raises(LoadError):
        na.load_derivation(tmp_path / "missing.json", f)


def test_another_network_is_refused(tmp_path: Path) -> None:
    f = net()
    na.save_derivation(f.rewrite("additive"), tmp_path / "d.json")
    with pytest.raises(NotCertifiedError, match="belongs to another network"):
        na.load_derivation(tmp_path / "d.json", net())
    with pytest.raises(UsageError, match="str received; the network at the start"):
        na.load_derivation(tmp_path / "d.json", "net")


TAMPERED = {
    "another rule": (lambda c: c["steps"][1].update(rule="fuse"), NotCertifiedError, "step 2, fuse at wire 3"),
    "another place": (lambda c: c["steps"][0].update(at=2), NotCertifiedError, "step 1, additive at wire 2, does not"),
    "a wire that is none": (lambda c: c["steps"][0].update(at=99), NotCertifiedError, "step 1, additive at wire 99"),
    "a step less": (lambda c: c["steps"].pop(), NotCertifiedError, "lead to another network"),
    "a step twice": (lambda c: c["steps"].append(c["steps"][-1]), NotCertifiedError, "step 8"),
    "another end": (lambda c: c.update(end="00" * 32), NotCertifiedError, "lead to another network"),
    "another start": (lambda c: c.update(start="00" * 32), NotCertifiedError, "belongs to another network"),
    "an unknown rule": (lambda c: c["steps"][0].update(rule="magic"), LoadError, "rule 'magic' received"),
    "no list": (lambda c: c.update(steps=3), LoadError, "without a list of steps"),
    "another version": (lambda c: c.update(version=7), LoadError, "version 7 received"),
    "a key more": (lambda c: c.update(more=1), LoadError, "text of a derivation expected"),
    "no domain": (lambda c: c.update(domain=[1]), LoadError, "two ends in hexadecimal"),
    "no number as end": (lambda c: c.update(domain=["nan", "inf", False, False]), LoadError, "ascending order"),
    "ends exchanged": (lambda c: c.update(domain=["0x1p1", "0x1p0", True, True]), LoadError, "in ascending order"),
    "an end beyond": (lambda c: c.update(domain=["0x1p0", "0x1p9999", True, True]), LoadError, "two ends"),
    "an end taken or not": (lambda c: c.update(domain=["0x1p0", "0x1p1", 2, ""]), LoadError, "in ascending order"),
    "a step that is none": (lambda c: c.update(steps=[5]), LoadError, "step 1 is 5"),
    "a function too much": (lambda c: c["steps"][0].update(by=["exp", []]), LoadError, "step 1: rule additive"),
    "no function": (lambda c: c["steps"][0].update(rule="insert"), LoadError, "step 1: rule insert"),
    "a strange function": (
        lambda c: c["steps"][0].update(rule="insert", by=7),
        LoadError,
        "step 1: by 7 received; the name of",
    ),
    "a name alone": (lambda c: c["steps"][0].update(rule="insert", by="exp"), LoadError, "step 1: by 'exp' received"),
}


@pytest.mark.parametrize(("change", "error", "message"), TAMPERED.values(), ids=TAMPERED)
def test_a_file_that_was_tampered_with(change: Any, error: type[Exception], message: str, tmp_path: Path) -> None:
    f = net()
    content = json.loads(f.rewrite("additive").to_json())
    change(content)
    (tmp_path / "d.json").write_text(json.dumps(content))
    with pytest.raises(error, match=message):
        na.load_derivation(tmp_path / "d.json", f)


def test_the_reason_names_the_file_once(tmp_path: Path) -> None:
    for name, content in (("missing", None), ("empty", b""), ("bytes", b"\xff\x00")):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(LoadError) as caught:
            na.load_derivation(path, net())
        assert str(caught.value).count(str(path)[:60]) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "null", '{"neuralgebra": "network"}'])
def test_what_is_no_derivation(text: str, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(LoadError):
        na.load_derivation(tmp_path / "d.json", net())
