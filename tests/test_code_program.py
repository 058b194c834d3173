"""The intermediate program: on balls it is the network, in every layer, activation and order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

import neuralgebra as na
from code_oracles import BITS, all_networks, exact, packed, points
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.code.fuse import fused, reads
from neuralgebra.code.interpret import interpreted
from neuralgebra.code.program import Program, program
from neuralgebra.code.statements import Access, Load, walk
from strategies import networks
from strategies import points as drawn_points

HIGHEST = 1e-45  # radius of the balls of what is not huge


def on_balls(made: Program, number: int, *given: np.ndarray) -> list[np.ndarray]:
    balls = Balls(BITS)
    with balls.precision():
        return interpreted(made, made.functions[number], balls, [balls.weight(g) for g in given])


def expect_overlap(ours: np.ndarray, theirs: np.ndarray, highest: float = HIGHEST) -> None:
    """Both are balls around one number, and small."""
    ours, theirs = np.ravel(ours), np.ravel(theirs)
    assert ours.shape == theirs.shape
    for a, b in zip(ours, theirs, strict=True):
        assert a.overlaps(b), f"{a} and {b}"
        assert float(a.rad()) < highest * max(1.0, abs(float(b.mid())))


@pytest.mark.parametrize("apart", [False, True], ids=["joined", "apart"])
@pytest.mark.parametrize("name", all_networks())
def test_programs_on_balls_are_the_network(name: str, apart: bool) -> None:
    f = all_networks()[name]
    x = points(f, 1)
    wanted = exact(f, x, 3)
    made = program(f, 3, apart=apart)
    for order, _ in enumerate(made.functions):
        for ours, theirs in zip(on_balls(made, order, x[0]), wanted, strict=False):
            expect_overlap(ours, theirs)


@given(f=networks(), data=drawn_points(1, 1))
@settings(max_examples=40)
def test_random_programs_on_balls_are_the_network(f: na.Network, data: np.ndarray) -> None:
    x = np.resize(data, (1, f.input_size)) * np.linspace(0.5, 1, f.input_size)
    wanted = exact(f, x, 2)
    if not all(bool(b.is_finite()) and float(b.rad()) < 1e-40 for level in wanted for b in level.flat):
        return
    made = program(f, 2, apart=True)
    # Balls do not decide between equal entries of a maximum: an adjoint then goes to one, to the other, or to both.
    highest = np.inf if any(isinstance(node.layer, na.Maximum) for node in f.nodes) else HIGHEST
    for ours, theirs in zip(on_balls(made, 2, x[0]), wanted, strict=True):
        expect_overlap(ours, theirs, highest)


@pytest.mark.parametrize("name", ["tanh", "relu", "product", "softmax output", "quotient"])
def test_packed_results_are_entries_of_the_full_ones(name: str) -> None:
    f = all_networks()[name]
    x = points(f, 1)
    wanted = exact(f, x, 3)
    made = program(f, 3, packed=True)
    for ours, theirs in zip(on_balls(made, 3, x[0]), wanted, strict=True):
        expect_overlap(ours, packed(theirs))


@pytest.mark.parametrize("name", ["tanh", "product", "residual", "maximum", "linear", "identity"])
def test_products_are_those_of_the_derivatives(name: str) -> None:
    f = all_networks()[name]
    x, rng = points(f, 1), np.random.default_rng(3)
    v, w = rng.normal(size=f.input_size), rng.normal(size=f.output_size)
    _, jacobian, hessian = exact(f, x, 2)
    made = program(f, 0, products=("jvp", "vjp", "hvp"))
    balls = Balls(BITS)
    with balls.precision():
        v_, w_ = balls.weight(v), balls.weight(w)
        expect_overlap(on_balls(made, 1, x[0], v)[0], jacobian[0] @ v_)
        expect_overlap(on_balls(made, 2, x[0], w)[0], w_ @ jacobian[0])
        curved = np.array([[w_ @ hessian[0][:, i, j] for j in range(f.input_size)] for i in range(f.input_size)])
        expect_overlap(on_balls(made, 3, x[0], v, w)[0], curved @ v_)


def test_weights_are_those_of_the_network_and_nothing_is_multiplied_out() -> None:
    f = all_networks()["tanh"]
    made = program(f, 2)
    weights = {b.name: b.values for b in made.constants if b.role == "weight"}
    assert set(weights) == {"w1", "b1", "w2", "b2", "w3", "b3"}
    for name, array in zip(weights, sorted(f.arrays, key=lambda a: 0), strict=False):
        assert array.size == weights[name].size
    np.testing.assert_array_equal(np.sort(weights["w2"]), np.sort(f.layers_list()[1][0].ravel()))
    tables = [b.values for b in made.constants if b.role == "table"]
    assert all(t.dtype.kind == "i" for t in tables)


def test_every_array_is_written_before_it_is_read() -> None:
    for name, f in all_networks().items():
        for function in program(f, 2, apart=True).functions:
            known = set(function.inputs)
            for loop in function.loops:
                for a in loop.body:
                    needed = {x.buffer for x in reads(a) if x.buffer.role in ("local", "output")}
                    assert needed <= known, f"{name}: {[b.name for b in needed - known]} read before it is written"
                    if isinstance(a.target, Access):
                        known.add(a.target.buffer)


def test_places_stay_inside_their_arrays() -> None:
    for f in all_networks().values():
        for function in program(f, 2, apart=True).functions:
            for loop in function.loops:
                for a in loop.body:
                    box = (*loop.extents, a.depth) if a.reduction else loop.extents
                    accesses = [p.access for p in walk(a.value) if isinstance(p, Load)]
                    accesses += [a.target] if isinstance(a.target, Access) else []
                    for access in accesses:
                        reach = [(0, s * (n - 1)) for s, n in zip(access.strides, box, strict=False)]
                        if access.table is not None:
                            values = access.table.buffer.values
                            assert values is not None
                            reach.append((access.step * int(values.min()), access.step * int(values.max())))
                        assert access.offset + sum(map(min, reach)) >= 0
                        assert access.offset + sum(map(max, reach)) < access.buffer.size


def test_loops_are_joined() -> None:
    f = all_networks()["tanh"]
    (value,) = program(f, 0).functions
    assert [loop.extents for loop in value.loops] == [(4,), (4,), (2,)]
    assert fused([], apart=False) == []
