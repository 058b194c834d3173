"""Primitives and their renderings: valid XML whatever the text, the same bytes each time, files written whole."""

from __future__ import annotations

import io
import math
import sys

import numpy as np
import pytest

from neuralgebra.errors import MissingExtra, OutputError, ShapeError, UsageError
from neuralgebra.show.curves import BLUE, ORANGE, Ticks, curves
from neuralgebra.show.lettering import cut, joined, lower, plain, upper, variable, visible, width
from neuralgebra.show.picture import Picture
from neuralgebra.show.scene import (
    BLACK,
    Circle,
    Group,
    Line,
    Path,
    Rectangle,
    Scene,
    Style,
    Text,
    shifted,
)
from pictures import SVG, collisions, groups, outside, read, texts

NASTY = [
    "<script>alert(1)</script>",
    "a&b",
    "\"'",
    "]]>",
    "<!--",
    "\x00\x1b[31m",
    "\ud800",
    "\u202eabc",
    "名前",
    "$x^2$",
]
ALL = (
    Line((1, 2), (3, 4)),
    Path(((0, 0), (1, 0), (1, 1)), Style("#ff0000", "#00ff00", 2.0, (3, 1)), closed=True),
    Path(((0, 0), (1, 0), (1, 1), (2, 2)), curved=True),
    Circle((5, 5), 2),
    Rectangle((1, 1), 8, 4, 2),
    Text((5, 9), joined(variable("W", "1"), upper("2")), 12),
    Text((5, 9), plain("up"), upright=False),
    Group((Circle((1, 1), 1),), "kind", "title"),
)


@pytest.fixture
def no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)


def test_every_primitive_becomes_its_element():
    root = read(Scene(10, 10, ALL, "t", "d").svg())
    names = [e.tag.removeprefix(SVG) for e in root]
    assert names == ["title", "desc", "rect", "line", "path", "path", "circle", "rect", "text", "text", "g"]
    assert root.get("role") == "img"
    assert root.get("viewBox") == "0 0 10 10"
    closed, curved = (e.get("d") for e in root.findall(f"{SVG}path"))
    assert (closed, curved) == ("M0 0L1 0 1 1Z", "M0 0C1 0 1 1 2 2")


@pytest.mark.parametrize("name", NASTY)
def test_text_is_data_wherever_it_stands(name):
    parts = (Text((0, 0), plain(name)), Group((), "kind", name))
    svg = Scene(1, 1, parts, name, name).svg()
    svg.encode("utf-8")
    root = read(svg)
    assert texts(svg) == [visible(name)]
    assert [e.text for e in root.iter(f"{SVG}title")] == [visible(name)] * 2
    assert {e.tag.removeprefix(SVG) for e in root.iter()} == {"svg", "title", "desc", "rect", "text", "g"}


def test_what_cannot_be_seen_is_written_out():
    assert visible("a\x00b") == "a\\x00b"
    assert "\u202e" not in visible("\u202eabc")
    assert visible("名前 σ′") == "名前 σ′"
    assert cut("abcdef", 4) == "abc…"
    assert cut("abcd", 4) == "abcd"


def test_nothing_is_referred_to_and_nothing_runs():
    svg = Scene(10, 10, ALL, "t", "d").svg()
    assert all(word not in svg for word in ("href", "<script", "<style", "url(", "font-face", "onload"))
    assert {e.get("font-family") for e in read(svg).iter()} <= {None, "serif"}


def test_equal_pictures_have_equal_bytes():
    assert Scene(10, 10, ALL).svg() == Scene(10.0, 10.0, tuple(ALL)).svg()
    assert 'x1="-0"' not in Scene(1, 1, (Line((-1e-9, 0), (1, 1)),)).svg()


def test_an_exponent_may_stand_above_an_index():
    low, high = lower("22"), upper("3")
    over = (*low, high[0]._replace(over=True))
    assert width(over, 10) == width(low, 10) < width((*low, *high), 10)
    (back,) = [t.get("dx") for t in read(Scene(1, 1, (Text((0, 0), over),)).svg()).iter(f"{SVG}tspan") if t.get("dx")]
    assert float(back) == pytest.approx(-width(low, 12), abs=0.01)


def test_exponents_rise_and_indices_sink():
    (up,), (down,) = (read(Scene(1, 1, (Text((0, 0), f("2"), 10),)).svg()).iter(f"{SVG}tspan") for f in (upper, lower))
    assert float(up.get("dy")) < 0 < float(down.get("dy"))
    label = joined(upper("2"), plain("x"))
    back = [float(t.get("dy")) for t in read(Scene(1, 1, (Text((0, 0), label),)).svg()).iter(f"{SVG}tspan")]
    assert sum(back) == pytest.approx(0)


@pytest.mark.parametrize("part", ALL, ids=lambda p: type(p).__name__)
def test_shifting_moves_every_point(part):
    there = shifted(part, 3, -2)
    assert shifted(there, -3, 2) == part != there


def test_a_picture_is_saved_whole_and_never_over_another(tmp_path):
    picture = Picture(Scene(10, 10, ALL))
    path = tmp_path / "a.SVG"
    picture.save(path)
    assert path.read_text("utf-8") == picture.svg == picture._repr_svg_()
    path.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        picture.save(path)
    assert path.read_text() == "mine"
    picture.save(path, overwrite=True)
    assert path.read_text("utf-8") == picture.svg
    assert [p.name for p in tmp_path.iterdir()] == ["a.SVG"]


@pytest.mark.parametrize("name", ["a", "a.jpg", "a.svg.gz"])
def test_other_endings_are_refused_with_those_that_are_possible(name, tmp_path):
    with pytest.raises(UsageError, match=r"\.svg, \.png, \.pdf expected"):
        Picture(Scene(10, 10, ALL)).save(tmp_path / name)


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_the_way_out_is_named(tmp_path):
    with pytest.raises(MissingExtra, match=r"pip install 'neuralgebra\[plot\]'"):
        Picture(Scene(10, 10, ALL)).save(tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("ending", "start"), [(".png", b"\x89PNG"), (".pdf", b"%PDF")])
def test_other_formats_are_the_same_bytes_each_time(ending, start):
    pytest.importorskip("matplotlib")
    words = tuple(Text((5, 5), plain(name)) for name in NASTY if name.isascii())
    picture = Picture(Scene(40, 30, (*ALL, *words, Text((1, 1), plain("W"), halo=True))))
    data = picture.data(ending)
    assert data.startswith(start)
    assert data == picture.data(ending)


def test_a_png_shows_the_shapes_where_the_svg_has_them():
    image = pytest.importorskip("matplotlib.image")
    scene = Scene(
        40, 20, (Rectangle((10, 5), 10, 10, 0, Style(None, "#ff0000")), Circle((30, 10), 4, Style(None, BLACK)))
    )
    pixels = image.imread(io.BytesIO(Picture(scene).data(".png")))[..., :3]
    assert pixels.shape[:2] == (40, 80)
    at = {(15, 10): (1, 0, 0), (5, 10): (1, 1, 1), (30, 10): (0, 0, 0), (30, 2): (1, 1, 1), (24, 10): (1, 1, 1)}
    for (x, y), color in at.items():
        np.testing.assert_allclose(pixels[2 * y, 2 * x], color, atol=0.01)


# Curves --------------------------------------------------------------------------------------------------------------

X = np.linspace(-4, 4, 201)


def paths(picture):
    return [p.points for g in picture.scene.parts for c in g.parts if isinstance(c, Group) for p in c.parts]


def test_four_panels_have_names_and_curves_and_no_text_in_the_way():
    panels = [(f"({c})", [("σ", X[X > 0], np.tanh(X[X > 0]), BLUE, ()), ("σ′", X, X, ORANGE, (6, 3))]) for c in "abcd"]
    picture = curves(panels)
    assert len(groups(picture.svg, "panel")) == 4
    assert len(groups(picture.svg, "curve")) == 8
    assert texts(picture.svg).count("σ′") == 4
    assert collisions(picture.scene) == outside(picture.scene) == []
    colors = {p.get("stroke") for g in groups(picture.svg, "curve") for p in g}
    assert colors == {BLUE, ORANGE}


def test_a_curve_goes_through_its_points():
    picture = curves([("", [("", [0, 1, 2], [0, 4, 0], BLUE, ())], (0, 4))])
    (points,) = paths(picture)
    (x0, y0), (x1, y1), (x2, y2) = points
    assert x1 - x0 == pytest.approx(x2 - x1)
    assert y0 == y2
    assert y0 - y1 == pytest.approx(160)


def test_a_curve_is_cut_off_at_the_frame_and_broken_where_it_is_not_finite():
    picture = curves([("", [("", X, X**3, BLUE, ())], (-1, 1))])
    (points,) = paths(picture)
    ys = [y for _, y in points]
    assert max(ys) - min(ys) == pytest.approx(160)
    scale = (points[-1][0] - points[0][0]) / 2
    assert scale == pytest.approx(220 / 8, rel=1e-2)
    with np.errstate(divide="ignore"):
        assert len(paths(curves([("", [("", X, np.where(X == 0, np.nan, 1 / X), BLUE, ())], (-9, 9))]))) == 2
    assert paths(curves([("", [("", X, X + 50, BLUE, ())], (-1, 1))])) == []


@pytest.mark.parametrize(("low", "high"), [(-4, 4), (0, 1), (-1e-3, 2e-3), (0, 7e6), (99.5, 100.5)])
def test_ticks_are_round_and_inside(low, high):
    axis = Ticks(low, high, 100.0)
    mantissa = axis.step / 10 ** math.floor(math.log10(axis.step) + 1e-9)
    assert round(mantissa, 9) in (1, 2, 5)
    assert 3 <= len(axis.ticks) <= 11
    assert all(low - 1e-9 * axis.step <= t <= high + 1e-9 * axis.step for t in axis.ticks)
    written = [float(axis.text(t).replace("−", "-")) for t in axis.ticks]
    assert written == pytest.approx(axis.ticks, rel=1e-12, abs=1e-9 * axis.step)


def test_constant_curves_have_an_axis():
    (points,) = paths(curves([("", [("", X, 0 * X, BLUE, ())])]))
    assert {y for _, y in points} == {points[0][1]}


def test_what_is_no_curve_is_refused():
    with pytest.raises(ShapeError, match=r"\(2,\) and y of shape \(3,\)"):
        curves([("", [("", [0, 1], [0, 1, 2], BLUE, ())])])
    with pytest.raises(UsageError, match="0 panels"):
        curves([])
    with pytest.raises(UsageError, match="without finite numbers"):
        curves([("", [("", [0, 1], [np.nan, np.inf], BLUE, ())])])
