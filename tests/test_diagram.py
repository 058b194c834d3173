"""A network as a picture: every weight a line, every operation told apart, nothing over anything else."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import ResourceError, UsageError
from neuralgebra.show.boxes import _ports
from neuralgebra.show.diagram import Drawing, view_of
from neuralgebra.show.items import HIDDEN, items_of, style_of
from neuralgebra.show.layout import Box, columns_of, placed, spread
from neuralgebra.show.sketch import Names, Sketch
from neuralgebra.show.view import wire
from pictures import SVG, chain, collisions, groups, lines, outside, read, texts

PURPLE = "#9d4edd"


def one(layer, *sizes):
    return na.Network.from_layer(layer, *sizes)


def residual():
    f = chain(4, 6, 4, activation="gelu")
    x = na.Network.identity(4)
    return x + f @ x


WEIGHT = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
NETWORKS = {
    "additive": chain(3, 3, 3, 3),
    "multiplicative": chain(3, 3, 3, 3, kind="multiplicative"),
    "twin": chain(3, 3, 3, kind="multiplicative").to_additive(),
    "names": chain(4, 8, 5, output="softmax", input_names=["<script>&\"'", "x" * 50, "b", "c"]),
    "wide": chain(20, 30, 2, activation="leaky_relu"),
    "deep": chain(*[2] * 60),
    "mixing": na.Network(
        [
            na.Node(na.Mixing("exp", WEIGHT, [1, 2, 3]), (0,)),
            na.Node(na.Maximum([[0, 1], [1, 2]]), (1,)),
            na.Node(na.Select([1, 0, 1]), (2,)),
            na.Node(na.Softmax(log=True), (3,)),
        ],
        4,
        2,
    ),
    "blocks": one(na.Elementwise([(na.activation("tanh"), 2), (na.activation("softplus"), 3)]), 5),
    "residual": residual(),
    "product": chain(3, 4, 2) * chain(3, 2, seed=1),
    "matrices": one(na.Multiply((1, 2, 3, 2)), 6, 6),
    "joined": na.stack(chain(3, 2), chain(3, 1, seed=2)),
    "difference": chain(3, 4, 2) - chain(3, 4, 2, seed=3),
    "jacobian": chain(3, 5, 5, 1).diff(),
    "identity": na.Network.identity(3),
}
BRANCHING = ("residual", "product", "matrices", "joined", "difference", "jacobian")
both = pytest.mark.parametrize("level", ["neurons", "layers"])
every = pytest.mark.parametrize("name", NETWORKS)


@every
@both
def test_no_text_is_over_another_or_outside(name, level):
    scene = NETWORKS[name].draw(level=level).scene
    assert collisions(scene) == outside(scene) == []


@every
@both
def test_a_picture_is_valid_and_the_same_each_time(name, level):
    first = NETWORKS[name].draw(level=level).svg
    read(first)
    assert first == NETWORKS[name].draw(level=level).svg


@both
def test_pictures_without_equal_weights_may_be_equal(level):
    """Numbers of weights are not in a picture: only which are zero."""
    assert chain(3, 4, 2).draw(level=level).svg == chain(3, 4, 2, seed=7).draw(level=level).svg
    assert chain(3, 4, 2).draw(level=level).svg != chain(3, 4, 3).draw(level=level).svg


# Neurons -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_each_weight_is_a_line(kind):
    f = chain(3, 4, 2, kind=kind)
    assert len(lines(f.draw(level="neurons").svg, "edges")) == 3 * 4 + 4 * 2


def test_weights_that_are_zero_are_no_lines():
    weight = np.array([[1.0, 0, 0], [0, 0, 2], [0, 3, 4]])
    f = na.Network.from_layers([(weight, None), (np.diag([1.0, 2, 0]), None)])
    assert len(lines(f.draw(level="neurons").svg, "edges")) == 4 + 2


@pytest.mark.parametrize("weight", [na.Diagonal([1.0, 2, 3]), na.BlockDiagonal([na.Dense(WEIGHT), na.Dense([[1.0]])])])
def test_structured_weights_are_drawn_as_their_matrix(weight):
    svg = one(na.Affine(weight), weight.columns).draw(level="neurons").svg
    assert len(lines(svg, "edges")) == np.count_nonzero(weight.dense())


def test_lines_lead_where_the_matrix_says():
    """Input j and neuron i are joined if and only if entry (i, j) is not zero: read from the heights of the ends."""
    weight = np.array([[1.0, 0, 0], [0, 0, 2], [5.0, 3, 0], [0, 0, 1]])
    found = lines(one(na.Affine(weight), 3).draw(level="neurons").svg, "edges")
    ends = [sorted({float(line.get(y)) for line in found}) for y in ("y1", "y2")]
    there = {(ends[1].index(float(line.get("y2"))), ends[0].index(float(line.get("y1")))) for line in found}
    assert there == set(zip(*map(np.ndarray.tolist, np.nonzero(weight)), strict=True))


def test_selections_and_maxima_lead_where_they_say():
    assert len(lines(one(na.Maximum([[0, 1], [1, 2]]), 3).draw(level="neurons").svg, "edges")) == 4
    assert len(lines(one(na.Select([2, 0]), 3).draw(level="neurons").svg, "edges")) == 2


def test_of_many_neurons_some_are_shown():
    svg = chain(20, 30, 8, bias=False).draw(level="neurons").svg
    assert len(lines(svg, "edges")) == 6 * 6 + 6 * 8
    words = texts(svg)
    assert [w for w in words if w.startswith("x")] == ["x1", "x2", "x3", "x4", "x5", "x20"]
    assert [w for w in words if w.startswith("y")] == [f"y{i}" for i in range(1, 9)]


def test_products_differ_from_sums_in_colour_and_without_it():
    sums, products = (chain(2, 2, kind=kind).draw(level="neurons").svg for kind in ("additive", "multiplicative"))
    assert {(e.get("stroke"), e.get("stroke-dasharray")) for e in lines(sums, "edges")} == {("#000000", None)}
    assert {(e.get("stroke"), e.get("stroke-dasharray")) for e in lines(products, "edges")} == {(PURPLE, "5 2.5")}
    (plus,), (times,) = (groups(sums, "affine"), groups(products, "powerproduct"))

    def slanted(group):
        return {e.get("x1") != e.get("x2") and e.get("y1") != e.get("y2") for e in group.iter(f"{SVG}line")}

    assert (slanted(plus), slanted(times)) == ({False}, {True})


def test_mixings_have_a_style_of_their_own_and_the_name_of_the_function():
    svg = NETWORKS["mixing"].draw(level="neurons").svg
    (edges, *_), (nodes,) = groups(svg, "edges"), groups(svg, "mixing")
    style = style_of(NETWORKS["mixing"].nodes[0].layer)
    assert {e.get("stroke") for e in edges} == {style.stroke}
    assert style.stroke not in ("#000000", PURPLE)
    assert ["".join(t.itertext()) for t in nodes.iter(f"{SVG}text")][:3] == ["exp"] * 3


def test_each_coordinate_has_its_function():
    words = texts(NETWORKS["blocks"].draw(level="neurons").svg)
    assert (words.count("tanh"), words.count("softplus")) == (2, 3)


# Labels --------------------------------------------------------------------------------------------------------------


@both
def test_a_weight_keeps_its_label_through_a_rewriting(level):
    f = chain(2, 3, 2, kind="multiplicative")
    before, after = f.draw(level=level).svg, f.to_additive().draw(level=level).svg
    for svg in (before, after):
        assert [t for t in texts(svg) if t.startswith("W")] == ["W1", "W2"]
    assert [t for t in texts(before) if "b" in t and "W" not in t][:2] == ["× eb1", "× eb2"]
    assert [t for t in texts(after) if "b" in t][:2] == ["+ b1", "+ b2"]


def test_one_weight_in_two_places_has_one_label():
    shared, other = na.Dense(np.eye(2) + 1), na.Dense(np.eye(2) + 2)
    layers = [na.Affine(shared), na.Elementwise("tanh"), na.Affine(other), na.Elementwise("tanh"), na.Affine(shared)]
    f = na.Network([na.Node(layer, (i,)) for i, layer in enumerate(layers)], 5, 2)
    assert [t for t in texts(f.draw().svg) if t.startswith("W")] == ["W1", "W2", "W1"]


def test_biases_are_numbered_as_their_weights():
    shared = na.Dense(np.eye(2) + 1)
    pairs = [(shared, None), (np.eye(2) + 2, [1, 2]), (shared, [3, 4]), (shared, [5, 6])]
    words = texts(na.Network.from_layers(pairs).draw(level="layers").svg)
    assert [t for t in words if t.startswith("+")] == ["+ b2", "+ b1", "+ b1,2"]


@both
def test_long_functions_have_a_letter_and_a_legend(level):
    words = texts(NETWORKS["twin"].draw(level=level).svg)
    assert "σ′" in words
    assert "σ′ = log∘tanh∘exp" in words
    slopes = [na.activation("leaky_relu", slope=s) for s in (0.125, 0.25)]
    words = texts(na.Network.from_layers([(np.eye(2) + 1, None)] * 3, slopes).draw(level=level).svg)
    assert [t for t in words if "=" in t] == ["σ1 = leaky_relu(slope=0.125)", "σ2 = leaky_relu(slope=0.25)"]


@both
def test_names_are_cut_and_whole_in_a_title(level):
    svg = NETWORKS["names"].draw(level=level).svg
    assert not any("x" * 20 in t for t in texts(svg))
    assert any("x" * 50 in t.text for t in read(svg).iter(f"{SVG}title"))
    assert any(t.startswith("<script>") for t in texts(svg))


def test_wires_have_size_and_domain():
    words = texts(chain(2, 3, 1, activation="relu").draw(level="layers").svg)
    assert [t for t in words if t.startswith("ℝ")] == ["ℝ2", "ℝ3", "ℝ≥03", "ℝ"]
    words = texts(chain(2, 3, 1, kind="multiplicative").draw(level="layers", domains={0: "ℝ<7"}).svg)
    assert [t for t in words if t.startswith("ℝ")] == ["ℝ<72", "ℝ>03", "ℝ>03", "ℝ>0"]


def test_domains_of_a_logarithm_and_of_what_was_rewritten():
    f = chain(2, 2, kind="multiplicative")
    steps = f.rewrite("additive")
    graph = steps.graph(len(steps.records))
    assert Sketch.of(graph).domains[0] == Sketch.of(steps.result).domains[0] == "ℝ>0"
    assert [str(layer) for _, layer, _ in Sketch.of(graph).nodes] == ["log", "Affine 2→2", "exp"]


@pytest.mark.parametrize("domains", ["ℝ", [1], {"0": "ℝ>0"}, {7: "ℝ>0"}])
def test_domains_are_texts_by_place(domains):
    with pytest.raises(UsageError, match=r"texts by place expected, .* among 0 \(the input\) to 3"):
        chain(2, 3, 1).draw(domains=domains)


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("mixing", {"max", "groups of 2", "select", "2, 1, 2", "log softmax", "exp"}),
        ("matrices", {"A·B", "2×3, 3×2"}),
        ("blocks", {"tanh ×2", "softplus ×3"}),
        ("names", {"softmax"}),
    ],
)
def test_other_layers_have_their_symbols(name, symbols):
    assert symbols <= set(texts(NETWORKS[name].draw(level="layers").svg))


def test_a_sum_of_vectors_is_one_sign():
    svg = NETWORKS["residual"].draw().svg
    assert len(groups(svg, "affine")) == 3
    assert not groups(svg, "concatenate")
    assert [t for t in texts(svg) if t.startswith("W")] == ["W1", "W2"]
    assert len(groups(NETWORKS["joined"].draw().svg, "concatenate")) == 1


# Levels and lengths --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "level"), [(chain(8, 8, 8), "neurons"), (chain(8, 9, 1), "layers"), (residual(), "layers")]
)
def test_narrow_chains_are_shown_by_neurons(f, level):
    assert f.draw().svg == f.draw(level=level).svg != f.draw(level={"neurons": "layers"}.get(level, "neurons")).svg


def test_unknown_levels_are_refused():
    with pytest.raises(UsageError, match="'auto', 'neurons', 'layers' expected"):
        chain(2, 2).draw(level="units")


@both
def test_ten_thousand_layers_are_shortened_and_counted(level):
    f = chain(*[2] * 5001, bias=False)
    start = time.perf_counter()
    picture = f.draw(level=level)
    assert time.perf_counter() - start < 5
    shown = sum(len(groups(picture.svg, kind)) for kind in ("affine", "elementwise"))
    assert f"{len(f.nodes) - shown:,} layers" in texts(picture.svg)
    assert picture.scene.width < 2000
    words = texts(picture.svg)
    assert {"W1", "W5000", "x1", "y1"} <= set(words)


def test_deep_networks_that_branch_are_shortened_too():
    x = na.Network.identity(3)
    for i in range(60):
        x = x + na.Network.function("tanh", 3) @ chain(3, 3, seed=i) @ x
    picture = x.draw()
    assert len(groups(picture.svg, "dots")) == 1
    assert picture.scene.width < 4000


def test_what_dots_cannot_shorten_is_refused_and_a_notebook_shows_its_text():
    f = na.stack(*(chain(1, 1, 1, seed=i) for i in range(300)))
    with pytest.raises(ResourceError, match="500"):
        f.draw()
    assert f._repr_svg_() is None


def test_a_notebook_shows_the_picture():
    f = chain(3, 4, 1)
    assert f._repr_svg_() == f.draw().svg


def test_a_picture_is_saved_where_it_is_asked_for(tmp_path):
    path = tmp_path / "f.svg"
    picture = chain(2, 2).draw(path)
    assert path.read_text("utf-8") == picture.svg


# Places --------------------------------------------------------------------------------------------------------------


def drawing(name, level):
    sketch = Sketch.of(NETWORKS[name])
    return Drawing.of(view_of(sketch, Names([sketch]), level))


@every
@both
def test_layers_stand_apart_and_wires_run_forwards(name, level):
    found = drawing(name, level)
    boxes = [
        (x - b.width / 2, y - b.height / 2, x + b.width / 2, y + b.height / 2)
        for key, b in found.boxes.items()
        for x, y in [found.placement.centers[key]]
    ]
    for (l1, t1, r1, b1), (l2, t2, r2, b2) in itertools.combinations(boxes, 2):
        assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1
    for pieces in found.placement.routes.values():
        for piece in pieces:
            assert all(a[0] < b[0] for a, b in itertools.pairwise(piece))


def test_wires_start_and_end_at_their_layers():
    found = drawing("jacobian", "layers")
    for item in found.items:
        for position, source in enumerate(item.inputs):
            (path,) = found.placement.routes[item.key, position]
            for end, key, side in ((path[0], source, 1), (path[-1], item.key, -1)):
                x, y = found.placement.centers[key]
                assert end == pytest.approx((x + side * found.boxes[key].width / 2, y))


def crossings(boxes, centers):
    """Count crossings of straight wires between neighbouring columns, pair by pair."""
    wires = [(centers[s][0], centers[s][1], centers[b.key][1]) for b in boxes for s in b.inputs]
    return sum((a[1] - b[1]) * (a[2] - b[2]) < 0 for a, b in itertools.combinations(wires, 2) if a[0] == b[0])


def test_wires_that_need_not_cross_do_not():
    """Two layers fed in the wrong order: 1 → 4, 2 → 3."""
    boxes = [Box(k, i, 10, 10) for k, i in [(0, ()), (1, (0,)), (2, (0,)), (3, (2,)), (4, (1,)), (5, (3, 4))]]
    columns = columns_of(boxes)
    found = placed(boxes, columns, spread(boxes, columns))
    assert columns == {0: 0, 1: 1, 2: 1, 3: 2, 4: 2, 5: 3}
    assert crossings(boxes, found.centers) == 0


@pytest.mark.parametrize("seed", range(20))
def test_few_wires_cross_in_random_trees(seed):
    """A tree can be drawn without crossings, and is, whatever the order in which its nodes come."""
    random = np.random.default_rng(seed)
    depth = [0]
    boxes = [Box(0, (), 10, 10)]
    for key in range(1, 15):
        parent = int(random.choice([k for k in range(key) if depth[k] < 4]))
        depth.append(depth[parent] + 1)
        boxes.append(Box(key, (parent,), 10, 10))
    columns = columns_of(boxes)
    assert crossings(boxes, placed(boxes, columns, spread(boxes, columns)).centers) == 0


def test_dots_take_all_wires_that_pass():
    """What is right of the dots takes its wires from them, or from what is right of them."""
    found = drawing("deep", "layers")
    keys = [item.key for item in found.items]
    at = keys.index(HIDDEN)
    for item in found.items[at + 1 :]:
        assert set(item.inputs) <= set(keys[at:])
    assert sum(item.hidden for item in found.items) + len(keys) - 1 == len(items_of(found.view.sketch, merged=True))


def test_a_wire_goes_through_its_bends():
    """Straight along a height, bent between two: the corners are points of the Bézier curve."""
    corners = [(0, 0), (10, 0), (20, 8), (30, 8), (40, 0)]
    (path,) = wire(corners)
    assert path.curved
    assert list(path.points[::3]) == corners
    (line,) = wire([(0, 0), (10, 0), (20, 0)])
    assert (line.start, line.end) == ((0, 0), (20, 0))


def test_wires_of_a_product_arrive_in_the_order_of_their_heights_and_of_a_difference_in_their_own():
    def ports(name, *heights):
        found = drawing(name, "layers")
        (item,) = [i for i in found.items if len(i.inputs) == 2]
        return _ports(item, found.boxes[item.key], heights)

    low, high = ports("product", -3.0, 3.0)
    assert low == -high < 0
    assert ports("product", 3.0, -3.0) == [high, low]
    assert ports("difference", 3.0, -3.0)[0] < 0
    assert ports("joined", 3.0, -3.0)[0] < 0
