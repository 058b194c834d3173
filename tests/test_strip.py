"""A derivation as a strip: what stays has one place, what goes and what comes is marked."""

from __future__ import annotations

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import UsageError
from neuralgebra.show.sketch import Sketch
from neuralgebra.show.strip import NEW, REPLACED, strip
from neuralgebra.show.strip import derived as drawn
from pictures import chain, collisions, groups, outside, parts_of, read, texts


def derived(f, **options):
    return drawn(f.rewrite("additive"), **options)


@pytest.fixture(scope="module")
def picture():
    return derived(chain(3, 3, 3, 3, kind="multiplicative"))


def test_each_step_is_a_panel_with_a_number_and_its_law(picture):
    words = texts(picture.svg)
    assert [w for w in words if w.startswith("(")] == [f"({i})" for i in range(1, 9)]
    assert [w for w in words if w.startswith("by ")] == ["by additive: MW = exp ∘ AW ∘ ln"] * 3 + [
        "by compose: g after f = g∘f"
    ] * 4
    assert words.count("=") == 7
    assert collisions(picture.scene) == outside(picture.scene) == []
    read(picture.svg)


@pytest.mark.parametrize("level", ["neurons", "layers"])
def test_what_stays_has_one_place_in_all_panels(level):
    """Weights carry their numbers: W₁ is at one place across, whether it multiplies or adds; so does each end."""
    scene = derived(chain(2, 3, 2, 2, kind="multiplicative"), level=level).scene
    places = {}
    for panel in parts_of(scene.parts, "panel"):
        for part in walk(panel):
            if hasattr(part, "label"):
                name = "".join(run.text for run in part.label)
                if name[0] in "Wxy":
                    places.setdefault(name, set()).add(round(part.at[0], 6))
    assert {"W1", "W2", "W3", "x1", "y1"} <= places.keys()
    wide = {name: max(xs) - min(xs) for name, xs in places.items()}
    assert all(shift <= 1e-6 for name, shift in wide.items() if level == "neurons" or name[0] != "W"), wide
    assert all(shift <= 5 for shift in wide.values()), wide  # boxes with a factor e^b are a little wider


def walk(part):
    yield part
    for inner in getattr(part, "parts", ()):
        yield from walk(inner)


def test_what_goes_is_dashed_and_what_comes_is_solid(picture):
    assert len(groups(picture.svg, "replaced")) == 7
    assert len(groups(picture.svg, "new")) == 7
    assert REPLACED.dash
    assert not NEW.dash
    panels = list(parts_of(picture.scene.parts, "panel"))
    kinds = [[g.kind for g in panel.parts if getattr(g, "kind", "") in ("new", "replaced")] for panel in panels]
    assert kinds[0] == ["replaced"]
    assert all(set(k) == {"new", "replaced"} for k in kinds[1:-1])
    assert kinds[-1] == ["new"]


def test_a_mark_is_around_what_is_marked():
    """The first step replaces the first product: its nodes and lines are inside of the mark, the second's are not."""
    scene = derived(chain(2, 2, 2, kind="multiplicative")).scene
    panel = next(parts_of(scene.parts, "panel"))
    (mark,) = next(parts_of((panel,), "replaced")).parts
    inside = []
    for group in parts_of((panel,), "powerproduct"):
        xs = [p.center[0] for p in walk(group) if hasattr(p, "center")]
        inside.append(all(mark.corner[0] < x < mark.corner[0] + mark.width for x in xs))
    assert inside == [True, False]


def test_given_marks_restrict_what_is_marked():
    f = chain(2, 2, kind="multiplicative")
    none = strip([(Sketch.of(f), ()), (Sketch.of(f.to_additive()), ())], [""])
    assert not groups(none.svg, "new")
    assert not groups(none.svg, "replaced")


def test_of_many_panels_the_middle_is_left_out_and_counted():
    f = chain(*[2] * 17, kind="multiplicative")
    count = len(f.rewrite("additive").records) + 1
    assert count > 40
    words = texts(derived(f).svg)
    assert len([w for w in words if w.startswith("(")]) == 40
    assert f"{count - 40} panels left out, then by compose: g after f = g∘f" in words
    assert "(1)" in words
    assert f"({count})" in words


def test_long_chains_are_shortened_where_nothing_happens():
    picture = derived(chain(*[2] * 60, kind="multiplicative"), most=4, level="layers")
    assert picture.scene.width < 2500
    assert len(groups(picture.svg, "dots")) == 4
    assert collisions(picture.scene) == []


def test_networks_that_branch_are_drawn_too():
    f, g = (chain(3, 2, 2, kind="multiplicative", seed=s) for s in (0, 1))
    picture = derived(f + g)
    assert collisions(picture.scene) == outside(picture.scene) == []
    assert len(groups(picture.svg, "panel")) > 2


def test_wires_that_change_places_are_drawn_each_for_itself():
    """Two panels in which 1 is before 2 and 2 before 1 have no columns in common."""
    a, b = na.Elementwise("tanh"), na.Elementwise("exp")
    sizes = {0: 2, 1: 2, 2: 2}
    names = (("x1", "x2"), ("y1", "y2"))
    one = Sketch(((1, a, (0,)), (2, b, (1,))), 2, sizes, *names)
    two = Sketch(((2, b, (0,)), (1, a, (2,))), 1, sizes, *names)
    words = texts(strip([(one, None), (two, None)], ["exchange"]).svg)
    assert [w for w in words if w in ("tanh", "exp")] == ["tanh"] * 2 + ["exp"] * 4 + ["tanh"] * 2


def test_captions_are_data_and_an_index_is_one():
    sketch = Sketch.of(chain(2, 2))
    picture = strip([(sketch, None)] * 3, ["<b>&", "M_W = exp ∘ A_W"])
    assert {"by <b>&", "by MW = exp ∘ AW"} <= set(texts(picture.svg))
    assert ("W", 0.7) in {(r.text, r.scale) for p in picture.scene.flat() for r in getattr(p, "label", ())}


def test_captions_must_fit():
    sketch = Sketch.of(chain(2, 2))
    with pytest.raises(UsageError, match="2 captions received for 2 panels"):
        strip([(sketch, None)] * 2, ["a", "b"])
    with pytest.raises(UsageError, match="at least 2 expected"):
        strip([(sketch, None)] * 2, ["a"], most=1)


def test_strips_are_the_same_each_time(picture):
    again = derived(chain(3, 3, 3, 3, kind="multiplicative"))
    assert again.svg == picture.svg
    assert again.svg == derived(chain(3, 3, 3, 3, kind="multiplicative", seed=5)).svg
    assert all(np.isfinite([*p.at]).all() for p in again.scene.flat() if hasattr(p, "at"))
    assert next(parts_of(again.scene.parts, "caption")).title == "additive: M_W = exp ∘ A_W ∘ ln"


def test_a_derivation_that_is_read_from_its_end_is_drawn_so():
    steps = chain(2, 2, kind="multiplicative").rewrite("additive")
    back = drawn(steps.inverse())
    kinds = [[g.kind for g in parts_of((panel,), "powerproduct")] for panel in parts_of(back.scene.parts, "panel")]
    assert kinds == [[], ["powerproduct"]]
