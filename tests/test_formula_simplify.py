"""Networks on a box: what is removed, that nothing else changes, and that no error exceeds its proven bound."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from boxes import boxes, inside, net
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.calculus.derivatives import jets
from neuralgebra.errors import InputError, ResourceError, ShapeError
from neuralgebra.formula.simplify import box_of
from neuralgebra.network.box import box_of_text
from oracles_exact import evaluate, exact, linear_networks, places
from strategies import after, networks, points

# What is removed --------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.data())
def test_the_smaller_network_is_the_network_on_the_box_exactly(data):
    f = data.draw(linear_networks())
    box = data.draw(boxes(2))
    smaller = f.restricted(box).network
    for x in inside(box, 3):
        assert evaluate(smaller, exact(x)) == evaluate(f, exact(x))


@settings(max_examples=40)
@given(st.data())
def test_with_every_kind_of_layer_values_and_derivatives_are_the_same(data):
    f = data.draw(networks(inputs=2, depth=3))
    box = data.draw(boxes(2))
    found = f.restricted(box)
    x = inside(box, 5)[4:]
    for mine, theirs in zip(found.network.derivatives(x), f.derivatives(x), strict=True):
        scale = max(1.0, np.abs(theirs).max())
        assert np.allclose(mine, theirs, rtol=0, atol=1e-11 * scale)
    assert (found.network.input_names, found.network.output_names) == (f.input_names, f.output_names)


@settings(max_examples=40)
@given(st.data())
def test_of_one_layer_just_those_units_go_that_do_not_bend(data):
    """The range of an affine function on a box is that of its corners, so that here nothing is left to chance."""
    f = after(na.Network.identity(2), na.Affine(data.draw(st_weights(4)), data.draw(st_weights(4))[:, 0]))
    g = after(f, na.Elementwise("relu"))
    box = data.draw(boxes(2))
    corners = [evaluate(f, list(map(Fraction, c))) for c in itertools.product(*box)]
    bent = [min(z) <= 0 < max(z) for z in zip(*corners, strict=True)]
    found = g.restricted(box)
    assert {r.name for r in found.removed} == {f"a1_{i + 1}" for i, b in enumerate(bent) if not b}
    assert found.kept == sum(bent)


def st_weights(rows):
    return st.lists(st.integers(-8, 8), min_size=2 * rows, max_size=2 * rows).map(
        lambda v: np.array(v, dtype=float).reshape(rows, 2) / 4
    )


def test_every_reason_is_true():
    f = net(sizes=(2, 8, 8, 1))
    box = [(0.0, 0.5), (-0.25, 0.25)]
    found = f.restricted(box)
    assert len(found.removed) > 8
    values = np.array([[[float(v) for v in z] for z in places(f, exact(x))[1:4:2]] for x in inside(box, 50)])
    for removed in found.removed:
        layer, unit = (int(v) for v in removed.name[1:].split("_"))
        z = values[:, layer - 1, unit - 1]
        low, argument, high = removed.reason.split(" <= ")
        assert float(low) <= z.min() <= z.max() <= float(high)
        assert argument == f"z{layer}_{unit}"
        assert (removed.change == "= 0") == (float(high) <= 0)
        assert (removed.change == f"= z{layer}_{unit}") == (float(low) > 0)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_units_that_stay_pass_by_or_are_constant_may_stand_in_any_order(order):
    """Bent, linear and constant units with weights that tell them apart, before a dense and a diagonal layer."""
    weight, bias = np.ones((4, 1)), np.array([0.0, 3.0, -3.0, 0.25])[list(order)]
    for second in (np.array([[1.0, 10.0, 100.0, 1000.0]]), na.Diagonal(np.array([1.0, 10.0, 100.0, 1000.0]))):
        f = na.Network.from_layers([(weight, bias), (second, None)], "relu")
        found = f.restricted([(-1, 1)])
        assert found.kept == 2
        for x in (-1.0, -0.125, 0.5, 1.0):
            assert evaluate(found.network, [Fraction(x)]) == evaluate(f, [Fraction(x)])


def test_a_shift_before_a_layer_that_is_multiplied_out_is_counted():
    f = na.Network.from_layers([([[2.0]], [8.0]), ([[3.0]], [1.0]), ([[1.0]], None)], "relu")
    (node,) = f.restricted([(0, 1)]).network.nodes
    assert (node.layer.weight.dense().tolist(), node.layer.bias.tolist()) == ([[6.0]], [25.0])


def test_a_unit_at_its_kink_stays_where_a_derivative_would_change():
    f = na.Network.function("relu")
    assert f.restricted([(0, 1)]).kept == 1
    assert f.restricted([(-1, 0)]).kept == 0
    assert f.restricted([(5e-324, 1)]).kept == 0
    assert na.Network.function("elu").restricted([(0, 1)]).kept == 1
    assert na.Network.function("elu").restricted([(0.5, 1)]).kept == 0
    assert na.Network.function("hardswish").restricted([(-9, -4)]).kept == 0
    assert na.Network.function("hardswish").restricted([(-9, -2)]).kept == 1
    assert na.Network.function("sign").restricted([(0, 2)]).kept == 1
    assert str(na.Network.function("sign").restricted([(1, 2)]).removed[0]) == "a1_1 = 1, since 1 <= x1 <= 2"


def test_constants_that_are_not_zero_enter_the_bias_exactly():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(3, 4)), rng.normal(size=3)
    low, high = -0.7, 0.3
    f = na.Network.from_layers(
        [(np.eye(4, 1) + 0.25, [9.0, -9.0, 9.0, 0.0]), (weight, bias), (np.ones((1, 3)), None)],
        [na.activation("hardtanh", low=low, high=high), "tanh"],
    )
    found = f.restricted([(-0.5, 0.5)])
    assert [r.change for r in found.removed] == ["= 0.3", "= -0.7", "= 0.3", "= z1_4"]
    first = found.network.nodes[1].layer
    assert not any(isinstance(node.layer, na.Elementwise) and node.layer.only is None for node in found.network.nodes)
    inner = na.Network(found.network.nodes[:-2], len(found.network.nodes) - 2, 1)
    outer = na.Network(f.nodes[:3], 3, 1)
    assert isinstance(first, na.Affine)
    for x in (-0.5, 0.125, 0.5):
        z = [Fraction(v) for v in (high, low, high)] + [
            evaluate(outer[3], [Fraction(x)])[0] if False else Fraction(x) / 4
        ]
        truth = [Fraction(b) + sum(Fraction(w) * v for w, v in zip(row, z, strict=True))
                 for row, b in zip(weight.tolist(), bias.tolist(), strict=True)]  # fmt: skip
        assert evaluate(inner, [Fraction(x)]) == truth


def test_rivals_that_never_win_are_left_out_of_a_maximum():
    f = na.Network.from_layer(na.Maximum([[0, 1, 2], [1, 2, 2]]), 3)
    found = f.restricted([(0, 1), (2, 3), (2.5, 4)])
    assert [str(r) for r in found.removed] == ["m1_1 leaves x1 out, since x1 - x2 <= -1"]
    assert found.network.nodes[-1].layer.groups.tolist() == [[0, 1], [0, 1]]
    single = f.restricted([(0, 1), (2, 3), (4, 5)])
    assert (single.kept, single.network([0.5, 2.5, 4.5]).tolist()) == (0, [4.5, 4.5])
    tied = na.Network.from_layer(na.Maximum([[1, 0]]), 2).restricted([(0, 1), (1, 2)])
    assert [r.change for r in tied.removed] == ["leaves x1 out"]
    other = na.Network.from_layer(na.Maximum([[0, 1]]), 2).restricted([(0, 1), (1, 2)])
    assert other.removed == ()


def test_what_is_untouched_stays_as_it_is():
    f = net("tanh")
    assert f.restricted([(-1, 1)] * 2).network == f
    g = net("relu", seed=1)
    assert g.restricted([(-99, 99)] * 2).network == g
    rng = np.random.default_rng(0)
    weight = na.Convolution(rng.normal(size=(2, 2)), [[0, 1], [1, 2]], 3)
    conv = na.Network.from_layer(na.Affine(weight), 3)
    smaller = after(after(conv, na.Elementwise("relu")), na.Affine(weight_of(4, rng))).restricted([(1, 2)] * 3).network
    assert any(isinstance(n.layer, na.Affine) and isinstance(n.layer.weight, na.Convolution) for n in smaller.nodes)


def weight_of(columns, rng):
    return rng.normal(size=(1, columns))


def test_few_units_stay_that_never_bend():
    """Of deep networks, compared with what is seen to bend at points: never fewer, and hardly more."""
    kept, bent = [], []
    box = [(0.0, 0.5)] * 3
    for seed in range(6):
        f = net("relu", seed, sizes=(3, 12, 12, 12, 1), scale=0.6)
        z = [na.Network(f.nodes[:place], place, 3)(inside(box, 2000)) for place in (1, 3, 5)]
        bent.append(sum(int(((v > 0).any(axis=0) & (v <= 0).any(axis=0)).sum()) for v in z))
        kept.append(f.restricted(box).kept)
    assert all(k >= b for k, b in zip(kept, bent, strict=True))
    assert sum(kept) <= 1.3 * sum(bent)


def test_units_that_are_gone_take_their_weights_with_them():
    f = net("relu", sizes=(3, 16, 16, 1))
    found = f.restricted([(0, 0.1)] * 3)
    assert found.network.parameter_count < f.parameter_count / 2
    assert "constant" in found.summary()
    assert found.text().splitlines()[0] == "on 0.0 <= x1 <= 0.1, 0.0 <= x2 <= 0.1, 0.0 <= x3 <= 0.1:"
    assert len(str(found).splitlines()) == 2 + len(found.removed)


def test_affine_layers_that_become_neighbours_are_multiplied_out_where_that_is_exact():
    f = na.Network.from_layers([([[1.0, 2.0], [0.5, 1.0]], [8.0, 8.0]), ([[2.0, 4.0]], [1.0])], "relu")
    (node,) = f.restricted([(0, 1), (0, 1)]).network.nodes
    assert (node.layer.weight.dense().tolist(), node.layer.bias.tolist()) == ([[4.0, 8.0]], [49.0])
    third = na.Network.from_layers([([[1 / 3, 1 / 7]], [8.0]), ([[1 / 3]], [1.0])], "relu")
    assert len(third.restricted([(0, 1), (0, 1)]).network.nodes) == 2


def test_a_network_of_float32_stays_one():
    rng = np.random.default_rng(1)
    layers = [(rng.normal(size=(8, 2)).astype(np.float32), None), (rng.normal(size=(1, 8)).astype(np.float32), None)]
    f = na.Network.from_layers(layers, "relu6")
    smaller = f.restricted([(0.5, 1), (0.5, 1)]).network
    assert smaller.dtype == np.float32
    assert evaluate(smaller, exact([0.75, 0.6])) == evaluate(f, exact([0.75, 0.6]))


def test_constants_beyond_the_range_of_the_numbers_are_refused():
    f = na.Network.from_layers([([[1.0]], None), ([[1e308, 1e308]], None)][:1], "relu")
    clip = na.activation("hardtanh", low=-8.0, high=8.0)
    g = na.Network.from_layers([([[1e308]], None)]) @ after(f, na.Elementwise(clip))
    with pytest.raises(ResourceError, match="beyond the range of float64"):
        g.restricted([(9, 10)])


# Bad input --------------------------------------------------------------------------------------------------------

BAD = {
    "the low end first expected": [(1, -1), (0, 1)],
    "two finite numbers expected": [(0, np.inf), (0, 1)],
    "two finite numbers": [(0, np.nan), (0, 1)],
    "range \\(0,\\) of 'x1' received": [(0,), (0, 1)],
    "range None of 'x1'": [None, (0, 1)],
    "range 3 of 'x1'": [3, (0, 1)],
    "a box with unknown input 'z' received": {"x1": (0, 1), "x2": (0, 1), "z": (0, 1)},
    "no range of 'x2' received": {"x1": (0, 1)},
    "for each input, or a dict": 3.0,
    "for each input, or a dict, expected": "x1=0:1",
}


@pytest.mark.parametrize("message", BAD)
def test_a_bad_box_is_refused(message):
    for ask in (lambda f: f.restricted(BAD[message]), lambda f: f.formula(box=BAD[message])):
        with pytest.raises(InputError, match=message):
            ask(net())


def test_a_box_of_another_size_is_refused():
    with pytest.raises(ShapeError, match="a box of 3 ranges received; 2 expected, for x1, x2"):
        net().restricted([(0, 1)] * 3)


def test_a_box_by_name_by_position_and_as_array_is_one():
    f = net()
    pairs = [(-1.0, 1.0), (0.0, 2.0)]
    assert box_of(f, pairs) == box_of(f, np.array(pairs)) == box_of(f, {"x2": (0, 2), "x1": (-1, 1)})
    assert box_of_text(f, " x2=0:2, x1=-1:1") == box_of(f, pairs)
    odd = f.rename(inputs=["a,b=", "a"])
    assert box_of_text(odd, "a=0:2,a,b==-1:1") == box_of(odd, [(-1, 1), (0, 2)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x1=0:1", "no range of 'x2'"),
        ("x1=0:1,x2=1", "range '1' of 'x2' received; low:high expected"),
        ("x1=0:1,x1=0:1,x2=0:1", "two ranges of 'x1'"),
        ("x1=0:1,x2=a:1", "two finite numbers expected"),
        ("x1=0:1,x3=0:1,x2=0:1", "unknown input 'x3'"),
        ("x1=1:0,x2=0:1", "the low end first"),
    ],
)
def test_a_text_that_is_no_box_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        box_of_text(net(), text)


@given(points(2, rows=1))
def test_a_box_of_one_point_leaves_nothing_that_bends_of_a_piecewise_linear_network(x):
    f = net("relu", seed=1)
    box = [(v, v) for v in x[0].tolist()]
    found = f.restricted(box)
    assert found.kept == 0
    assert np.allclose(found.network(x), f(x), rtol=0, atol=1e-13)
    assert np.allclose(found.network.jacobian(x), f.piece(x[0]).weight, rtol=0, atol=1e-12)


def test_networks_without_layers_and_with_outputs_that_come_again():
    f = na.Network.identity(2)
    assert f.restricted([(0, 1)] * 2).network == f
    assert f.formula(box=[(0, 1)] * 2, tol=1e-3).text().splitlines()[3:] == ["y1 = x1", "y2 = x2"]
    twice = after(net("relu", sizes=(2, 3)), na.Select([0, 0, 2]))
    assert np.allclose(twice.restricted([(0, 1)] * 2).network([0.5, 0.5]), twice([0.5, 0.5]))


def test_products_of_matrices_are_not_rounded():
    """Some rows of a layer whose weight is kept as a product: written out, it would be another network."""
    rng = np.random.default_rng(0)
    weight = na.Product((na.Dense(rng.normal(size=(4, 3))), na.Dense(rng.normal(size=(3, 3)))))
    layer = na.Network.from_layer(na.Affine(weight, [3.0, 3.0, 0.0, -3.0]), 3)
    f = (na.Network.function("relu", 4) @ layer)[1:3]
    g = f.restricted([(-0.1, 0.1)] * 3).network
    kind, x = Balls(300), rng.uniform(-0.1, 0.1, (3, 3))
    with kind.precision():
        error = jets(kind, f, kind.weight(x), 0)[0] - jets(kind, g, kind.weight(x), 0)[0]
    assert max(float(abs(e)) for e in error.ravel()) < 1e-60
