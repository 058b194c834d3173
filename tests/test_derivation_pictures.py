"""Derivations as strips of pictures: what is drawn, marked and written."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import OutputError, ResourceError

RNG = np.random.default_rng(3)


def net(width: int = 3, depth: int = 3) -> na.Network:
    layers = [(RNG.normal(size=(width, width)), RNG.normal(size=width)) for _ in range(depth)]
    return na.Network.from_layers(layers, "tanh", kind="multiplicative")


def texts(svg: str) -> str:
    return " ".join("".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text"))


def test_the_strip_has_one_picture_for_each_run_of_a_law(tmp_path: Path) -> None:
    steps = net().rewrite("additive", absorb=True)
    steps.draw(tmp_path / "proof.svg")
    shown = texts((tmp_path / "proof.svg").read_text())
    assert [f"({i})" in shown for i in range(1, 8)] == [True] * 6 + [False]
    for law in ("additive", "compose", "absorb inputs by log", "absorb outputs by exp", "cancel"):
        assert law in shown
    assert len(texts(steps.draw(every_step=True).svg)) > len(shown)


def test_notebooks_show_it_and_files_are_not_replaced(tmp_path: Path) -> None:
    steps = net().rewrite("additive")
    assert steps._repr_svg_() == steps.draw().svg
    steps.draw(tmp_path / "a.svg")
    with pytest.raises(OutputError):
        steps.draw(tmp_path / "a.svg")
    steps.draw(tmp_path / "a.svg", overwrite=True)


def test_the_inverse_is_the_strip_from_its_end() -> None:
    steps = net().rewrite("additive")
    forward, backward = texts(steps.draw().svg), texts(steps.inverse().draw().svg)
    assert forward.index("additive") < forward.index("compose")
    assert backward.index("split") < backward.index("multiplied")


def test_long_derivations_are_refused() -> None:
    with pytest.raises(ResourceError, match="at most 200"):
        net(1, 120).rewrite("additive").draw(every_step=True)
    deep = net(1, 150).rewrite("additive")
    with pytest.raises(ResourceError, match="networks of 301 layers"):
        deep.draw()
    assert deep._repr_svg_() is None


def test_captions_have_subscripts() -> None:
    f = na.Network.from_layer(na.Mixing("sinh", RNG.normal(size=(2, 2))), 2)
    assert "by unmixed: Mixf,W = f ∘ AW ∘ f⁻¹" in texts(f.rewrite("additive").draw().svg)


def test_equal_networks_have_one_domain() -> None:
    """A network that begins with a logarithm takes positive numbers, as what is made of it does."""
    shown = texts(net().to_additive().rewrite("multiplicative").draw().svg)
    assert shown.count("ℝ>03") == 6  # at both ends of three networks


def test_what_is_marked_holds_its_bias() -> None:
    """The label × e^b is wider than the node below it; in the letters of browsers it is about 28 wide."""
    f = na.Network.from_layers([(np.eye(2), [1, 2])], kind="multiplicative")
    svg = ElementTree.fromstring(f.rewrite("additive").draw().svg)
    frame = next(e for e in svg.iter() if e.get("class") == "replaced")[0]
    (bias,) = (e for e in svg.iter() if e.tag.endswith("text") and (e.text or "").startswith("×"))
    assert float(frame.get("x")) + float(frame.get("width")) >= float(bias.get("x")) + 28 / 2 + 2
