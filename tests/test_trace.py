"""Computations on NumPy arrays as lists of steps: the same numbers, in any blocks, on any threads."""

from __future__ import annotations

import contextlib
import gc
import operator
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.calculus import run
from neuralgebra.calculus.program import Program, traced
from neuralgebra.calculus.trace import POINTS, Unbounded
from questions import QUESTIONS, Vectors, ask
from strategies import after, networks, points
from zoo import NETWORKS, activation_networks

FEW = ["value", "jacobian", "hessian", "derivatives", "operators", "hvp", "taylor"]
ALL = {**NETWORKS, **activation_networks()}


def untraced() -> contextlib.AbstractContextManager[object]:
    """A context in which every computation runs as it is written."""
    return mock.patch.object(Program, "__call__", side_effect=Unbounded)


def expect_same_numbers(f: na.Network, x: np.ndarray, questions: list[str]) -> None:
    """The same but for the order of sums, which depends on where numbers lie in memory."""
    for question in questions:
        ours = ask(question, f, x)
        with untraced():
            theirs = ask(question, f, x)
        assert ours.dtype == theirs.dtype
        atol = 1e-14 * np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=atol, err_msg=question)


@settings(max_examples=25)
@given(st.data())
def test_random_networks(data: st.DataObject) -> None:
    f = data.draw(networks(inputs=2))
    expect_same_numbers(f, data.draw(points(2, rows=3)), list(QUESTIONS))


@pytest.mark.parametrize("name", ALL)
def test_every_layer_and_every_activation_is_traced(name: str) -> None:
    f = ALL[name]
    f.memory.clear()
    x = np.random.default_rng(1).uniform(-0.5, 0.5, size=(3, f.input_size))
    expect_same_numbers(f, x, FEW if name in activation_networks() else list(QUESTIONS))
    programs = f.memory["programs"].values()
    assert len(programs) >= len(FEW)
    assert all(isinstance(p, Program) for p in programs)


def wide() -> na.Network:
    """Arrays of this network are large enough to be written over."""
    rng = np.random.default_rng(2)
    inner = na.Network.from_layers([(rng.normal(size=(24, 3)), rng.normal(size=24))])
    functions = na.Elementwise((("gelu", 6), ("silu", 6), ("relu", 6), ("tanh", 6)))
    a, b = after(inner, functions), after(inner, na.Softmax(4))
    c = after(inner, na.Maximum(np.arange(24).reshape(12, 2)))
    d = after(after(inner, na.Elementwise("exp")), na.PowerProduct(rng.normal(size=(3, 24)) / 9))
    weight, bias = rng.normal(size=(2, 39)), rng.normal(size=2)
    return after(na.stack(a * b, c, d), na.Affine(weight, bias))


WIDE = wide()
FIRST = after(after(na.Network.identity(3), na.Elementwise("tanh")), na.Elementwise("exp"))
DEEP = na.Network.from_layers([(np.random.default_rng(n).normal(size=(16, 16)) / 4, None) for n in range(5)], "gelu")


@pytest.mark.parametrize("f", [WIDE, DEEP], ids=["wide", "deep"])
@pytest.mark.parametrize("rows", [700, 3000])
def test_arrays_that_are_written_over(f: na.Network, rows: int) -> None:
    x = np.random.default_rng(3).normal(size=(rows, f.input_size))
    slow = {"derivatives", "biharmonic"} if f is DEEP else set()
    expect_same_numbers(f, x, [q for q in QUESTIONS if q not in slow])


@pytest.mark.parametrize("rows", [3, 2000])
@pytest.mark.parametrize("f", [WIDE, FIRST], ids=["wide", "functions first"])
def test_nothing_that_was_passed_in_is_written_over(f: na.Network, rows: int) -> None:
    x = np.random.default_rng(4).normal(size=(rows, 3))
    given = Vectors(f, (rows,), np.asarray, np.float64)
    before = [x.copy(), *(np.copy(v) for v in vars(given).values())]
    weights = [w.copy() for w in f.arrays]
    for name, (question, _) in QUESTIONS.items():
        question(f, x, given)
        for now, then in zip([x, *vars(given).values(), *f.arrays], [*before, *weights], strict=True):
            np.testing.assert_array_equal(now, then, err_msg=name)


def test_a_program_writes_over_nothing_but_arrays_of_its_own_that_are_done_with() -> None:
    def compute(k: Arrays, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
        rate = k.exp(x * 2.0)
        turned = k.permute(rate, (1, 0))
        return [rate, turned + 0.0, (rate + 1.0) * y, y * 3.0]

    program = traced(compute, np.float64, [(3,), (3,)])
    assert isinstance(program, Program)
    x, y = np.random.default_rng(5).normal(size=(2, 5000, 3))
    given = x.copy(), y.copy()
    rate = np.exp(x * 2.0)
    expected = [rate, rate.T, (rate + 1.0) * y, y * 3.0]
    for out in (None, [np.empty_like(e) for e in expected]):
        for ours, theirs in zip(program((x, y), out), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal((x, y), given)


# Numbers that are not finite --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("name", ALL)
def test_numbers_that_are_not_finite_are_computed_as_written(name: str, value: float) -> None:
    f = ALL[name]
    x = np.random.default_rng(5).uniform(-0.5, 0.5, size=(3, f.input_size))
    x[1, 0] = value
    expect_same_numbers(f, x, ["value", "hessian", "taylor"])
    alone = f(x[[0, 2]])
    np.testing.assert_allclose(f(x)[[0, 2]], alone, rtol=1e-14, atol=1e-300)


def test_a_program_gives_way_where_its_finite_steps_would_be_wrong() -> None:
    """silu(-∞) = 0 as a limit; z·sigmoid(z) in plain products is -∞·0."""
    f = na.Network.function("silu")
    assert f([[1.0]])[0, 0] > 0.7
    (program,) = f.memory["programs"].values()
    assert np.array_equal(*program([np.array([[1.0], [2.0]])]), f([[1.0], [2.0]]))
    with pytest.raises(Unbounded):
        program([np.array([[1.0], [-np.inf]])])
    assert f(np.array([[1.0], [-np.inf]]))[1, 0] == 0


def test_one_block_that_is_not_finite_leaves_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_STEP_BYTES", 1 << 12)
    f = after(WIDE, na.Elementwise("silu"))
    x = np.random.default_rng(6).normal(size=(4000, 3))
    clean = f.jacobian(x)
    x[2000] = np.inf
    broken = f.jacobian(x)
    kept = np.arange(4000) != 2000
    np.testing.assert_allclose(broken[kept], clean[kept], rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(broken[2000], f.jacobian(x[2000]))


# Blocks and threads -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def blocks(count: int | None, threads: str) -> Iterator[None]:
    step, block = (run._STEP_BYTES, run._BLOCK_BYTES) if count is None else (count, 100 * count)
    sizes = mock.patch.multiple(run, _STEP_BYTES=step, _BLOCK_BYTES=block)
    with sizes, mock.patch.dict("os.environ", NEURALGEBRA_THREADS=threads):
        yield


@pytest.mark.parametrize("question", QUESTIONS)
def test_blocks_on_threads_are_one_block(question: str) -> None:
    x = np.random.default_rng(7).normal(size=(1001, 3))
    with blocks(1 << 40, "1"):
        whole = ask(question, WIDE, x)
    for size, threads in ((1 << 10, "1"), (1 << 12, "3"), (None, "2")):
        with blocks(size, threads):
            cut = ask(question, WIDE, x)
        atol = 1e-13 * np.abs(whole).max()
        np.testing.assert_allclose(cut, whole, rtol=1e-13, atol=atol)


@pytest.mark.parametrize(("threads", "expected"), [("1", 1), ("3", 3)])
def test_as_many_threads_as_asked_for(threads: str, expected: int) -> None:
    used, gate = set(), threading.Barrier(expected)

    def compute(k: Arrays, x: np.ndarray) -> list[np.ndarray]:
        used.add(threading.get_ident())
        gate.wait(timeout=30)
        return [x + 1]

    f = na.Network.identity(1 << 14)  # so wide that each point is a block
    x = np.zeros((3 * expected, 1 << 14))
    with blocks(None, threads):
        (result,) = run.evaluate(f, Arrays(x), x, compute)
    assert len(used) == expected
    assert (used == {threading.get_ident()}) == (expected == 1)
    assert (result == 1).all()


@pytest.mark.parametrize("question", ["jacobian", "hessian"])
def test_what_is_computed_for_no_point_is_not_cut_into_one_block_for_each(question: str) -> None:
    f = na.Network.from_layers([([[1.0, 2.0], [3.0, 4.0]], None)])
    ask(question, f, np.zeros((2, 2)))
    (program,) = f.memory["programs"].values()
    assert program.schedule.work == 0
    assert program.schedule.rows(run._STEP_BYTES, run._BLOCK_BYTES) > 100_000


@pytest.mark.parametrize("threads", ["0", "-1", "1.5", "two", " 2", "²"])
def test_a_bad_number_of_threads_is_refused(threads: str) -> None:
    with blocks(None, threads), pytest.raises(na.errors.UsageError, match=r"NEURALGEBRA_THREADS=.* at least 1"):
        WIDE(np.zeros((30_000, 3)))


def test_any_number_of_points_and_both_dtypes() -> None:
    f = na.Network.from_layers([(np.ones((3, 2), np.float32), None), (np.ones((1, 3), np.float32), None)])
    for count in (*range(20), 1, 5000, 3):
        x = np.random.default_rng(count).normal(size=(count, 2))
        for dtype in (np.float64, np.float32):
            ours = f.jacobian(x.astype(dtype))
            assert ours.dtype == dtype
            slope = 3 * (1 - np.tanh(x.sum(axis=1)) ** 2)
            expected = np.broadcast_to(slope[:, None, None], (count, 1, 2))
            np.testing.assert_allclose(ours, expected, rtol=1e-12 if dtype == np.float64 else 1e-4)


def test_what_cannot_be_traced_runs_as_it_is() -> None:
    def compute(k: Arrays, x: np.ndarray) -> list[np.ndarray]:
        return [np.sort(x)]

    assert traced(compute, np.float64, [(2,)]) is None


def test_a_layer_as_wide_as_the_stand_in_for_the_number_of_points() -> None:
    f = na.Network.from_layer(na.Affine(na.Spread(np.ones((POINTS, 1), np.float32)), np.ones(POINTS, np.float32)), 1)
    y = f(np.array([[1.0], [2.0], [3.0]], np.float32))
    assert y.shape == (3, POINTS)
    assert (y == [[2.0], [3.0], [4.0]]).all()


def test_entries_that_are_picked_are_computed_as_written() -> None:
    assert traced(lambda k, x: [x[:, np.array([2, 0])] * 1.0], np.float64, [(3,)]) is None
    assert traced(lambda k, x: [x[:, [2, 0]] * 1.0], np.float64, [(3,)]) is None


def test_what_is_remembered_for_many_operators_is_bounded() -> None:
    f = na.Network.from_layers([(np.ones((3, 2)), None), (np.ones((1, 3)), None)])
    for i in range(200):
        f.operator([0.0, 0.0], np.diag([1.0, float(i)]))
        f.operator([0.0, 0.0], {(1, 0): float(i), (2, 0): 1.0})
    assert all(len(known) <= 64 for known in f.memory.values() if isinstance(known, dict))


def test_a_network_and_what_it_remembers_go_at_once() -> None:
    """Without waiting for the collector of cycles: a fit makes a network at each step."""
    f = na.Network.from_layers([(np.ones((3, 2)), None), (np.ones((1, 3)), None)])
    x, given = np.zeros((5, 2)), Vectors(f, (5,), np.asarray, np.float64)
    for question, _ in QUESTIONS.values():
        question(f, x, given)
    f.parameter_vjp(x, [1.0], "laplacian")
    f.jacobian(x, outputs=0, inputs=[1])
    gc.disable()
    try:
        seen = weakref.ref(f)
        del f
        assert seen() is None
    finally:
        gc.enable()


# Processes and interrupts ---------------------------------------------------------------------------------------------


FORKS = """
import os, signal
import numpy as np, neuralgebra as na
from neuralgebra.calculus import run
f = na.Network.from_layers([(np.ones((64, 3)), None), (np.ones((2, 64)), None)], "silu")
x = np.random.default_rng(0).normal(size=(20000, 3))
expected = f.jacobian(x)
run._LIMIT.enter()
run._LIMIT.lock.acquire()
child = os.fork()
if not child:
    signal.alarm(30)
    os._exit(not np.allclose(f.jacobian(x), expected, rtol=1e-12) or run._LIMIT.users)
assert os.waitpid(child, 0)[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_of_a_process_that_computes_computes_too() -> None:
    environment = {**os.environ, "NEURALGEBRA_THREADS": "2"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKS], check=True, timeout=100, env=environment)


def test_after_an_interrupt_the_next_batch_has_threads_of_its_own() -> None:
    def interrupted(start: int) -> None:
        raise KeyboardInterrupt

    before = run._pool(3)
    with pytest.raises(KeyboardInterrupt):
        run._spread(3, interrupted, range(4))
    assert run._pool(3) is not before
    with pytest.raises(ValueError, match="no"):
        run._spread(3, refused, range(4))
    assert run._spread(3, operator.neg, range(4)) == [0, -1, -2, -3]


def refused(start: int) -> None:
    raise ValueError("no")
