"""The figure of σ beside σ′: panels, curves, files, refusals."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

import neuralgebra as na
from neuralgebra.errors import InputError, OutputError, UsageError


def texts(svg: str) -> str:
    return " ".join("".join(e.itertext()) for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text"))


def test_the_figure_has_four_panels(tmp_path: Path) -> None:
    picture = na.plot_conjugates(path=tmp_path / "figure.svg")
    shown = texts((tmp_path / "figure.svg").read_text())
    for title in ("(a) σ = tanh", "(b) σ = sigmoid", "(c) σ = relu", "(d) σ = max(x, 1)", "σ′ = identity", "σ′ = relu"):
        assert title in shown
    assert picture.svg == na.plot_conjugates().svg
    with pytest.raises(OutputError):
        na.plot_conjugates(path=tmp_path / "figure.svg")


def test_other_functions_and_reach() -> None:
    one = na.activation("at_least", bound=2)
    shown = texts(na.plot_conjugates([one, na.conjugate("softsign")], reach=2, columns=1).svg)
    assert "max(x, 2)" in shown
    assert "σ′ = logsigmoid" in shown
    assert "(b)" not in texts(na.plot_conjugates("tanh").svg)


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"sin\(x\) <= 0"):
        na.plot_conjugates(["sin"])
    for options in ({"reach": 0}, {"reach": "wide"}, {"columns": 0}):
        with pytest.raises(UsageError):
            na.plot_conjugates(**options)
    with pytest.raises(UsageError):
        na.plot_conjugates([])
