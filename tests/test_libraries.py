"""Every question on every library: types, dtypes, shapes of batches, and whose memory the answers are."""

from __future__ import annotations

import gc
import itertools
import weakref

import array_api_strict
import jax
import numpy as np
import pytest
import torch

import neuralgebra as na
from neuralgebra.arithmetic import libraries
from neuralgebra.arithmetic.arrays import to_numpy
from neuralgebra.errors import DtypeError, InputError
from questions import QUESTIONS, Vectors, ask, expected_shape
from strategies import after
from zoo import NETWORKS

jax.config.update("jax_enable_x64", True)

MAKERS = {"numpy": np.array, "torch": torch.tensor, "jax": jax.numpy.asarray, "strict": array_api_strict.asarray}


def mixed(dtype: type) -> na.Network:
    """Two inputs through a layer of most kinds."""
    rng = np.random.default_rng(3)

    def affine(rows: int, columns: int) -> na.Affine:
        return na.Affine(rng.normal(size=(rows, columns)).astype(dtype), rng.normal(size=rows).astype(dtype))

    inner = na.Network.from_layer(affine(4, 2), 2)
    a = after(inner, na.Elementwise((("tanh", 1), ("gelu", 2), ("relu", 1))))
    b = after(after(inner, na.Softmax()), na.PowerProduct(rng.normal(size=(4, 4)).astype(dtype)))
    return after(na.stack(a * b, after(inner, na.Maximum([[0, 1], [2, 3]]))), affine(3, 6))


def small(dtype: type) -> na.Network:
    """Two inputs, few operations: JAX compiles each of them."""
    rng = np.random.default_rng(3)
    shapes = ((3, 2), (2, 3))
    return na.Network.from_layers([(rng.normal(size=s).astype(dtype), None) for s in shapes], "sigmoid")


DOUBLE, SINGLE = mixed(np.float64), mixed(np.float32)
BATCHES = [(), (3,), (2, 0), (2, 3)]


def answer_point_by_point(name: str, f: na.Network, x: np.ndarray) -> np.ndarray:
    """Each point asked alone, on NumPy, in double precision."""
    batch = x.shape[:-1]
    answers = np.zeros(expected_shape(name, f, batch))
    ahead = (slice(None),) if name.startswith("taylor") else ()
    everything = Vectors(f, batch, np.asarray, np.float64)
    for at in np.ndindex(*batch):
        alone = Vectors(f, (), np.asarray, np.float64)
        for each in ("vs", "ws", "as"):
            setattr(alone, each, getattr(everything, each)[at])
        answers[(*ahead, *at)] = QUESTIONS[name][0](f, x[at].astype(np.float64), alone)
    return answers


def expect_answer(name: str, f: na.Network, x: np.ndarray, answer: object) -> None:
    assert str(answer.dtype).endswith(f.dtype.name), name
    assert tuple(answer.shape) == expected_shape(name, f, x.shape[:-1]), name
    theirs = answer_point_by_point(name, f, x)
    tolerance = (1e-10 if f.dtype == np.float64 else 1e-4) * max(1.0, np.abs(theirs).max(initial=0))
    np.testing.assert_allclose(to_numpy(answer), theirs, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("f", [DOUBLE, SINGLE], ids=["float64", "float32"])
@pytest.mark.parametrize("batch", BATCHES, ids=str)
@pytest.mark.parametrize("library", ["numpy", "torch", "strict"])
def test_every_question_on_every_library_and_batch(library: str, batch: tuple[int, ...], f: na.Network) -> None:
    make = MAKERS[library]
    points = np.random.default_rng(4).normal(size=(*batch, 2)).astype(f.dtype)
    for name in QUESTIONS:
        answer = ask(name, f, make(points), make)
        assert type(answer) is type(make(points)), name
        expect_answer(name, f, points, answer)


@pytest.mark.parametrize(("batch", "dtype"), [((2, 3), np.float64), ((0,), np.float32)], ids=str)
def test_every_question_on_compiled_jax(batch: tuple[int, ...], dtype: type) -> None:
    f = small(dtype)
    points = np.random.default_rng(4).normal(size=(*batch, 2)).astype(dtype)
    given = Vectors(f, batch, MAKERS["jax"], dtype)
    for name, (question, _) in QUESTIONS.items():
        answer = jax.jit(lambda x, question=question: question(f, x, given))(points)
        expect_answer(name, f, points, answer)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("library", ["torch", "strict"])
def test_every_layer_answers_every_question_alike(library: str, name: str) -> None:
    f, make = NETWORKS[name], MAKERS[library]
    points = np.random.default_rng(6).normal(size=(2, 4))
    for question in QUESTIONS:
        theirs = ask(question, f, points)
        answer = to_numpy(ask(question, f, make(points), make))
        atol = 1e-11 * max(1.0, np.abs(theirs).max())
        np.testing.assert_allclose(answer, theirs, rtol=1e-11, atol=atol, err_msg=question)


IDENTITY = na.Network.identity(2)
PLAIN = {
    "mixed": DOUBLE,
    "input": IDENTITY,
    "function": after(IDENTITY, na.Elementwise("identity")),
    "selection": after(IDENTITY, na.Select([1])),
    "joined": na.stack(IDENTITY, IDENTITY),
    "linear": na.Network.from_layers([([[1.0, 2.0], [3.0, 4.0]], None)]),
    "constant": IDENTITY * 0 + 1,
    "relu": na.Network.from_layers([(np.eye(2), None), (np.ones((1, 2)), None)], "relu"),
    "square": IDENTITY * IDENTITY,
}


@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (30_000,)], ids=str)
@pytest.mark.parametrize(("library", "name"), [*itertools.product(["numpy", "torch"], PLAIN)])
def test_answers_own_their_memory(library: str, name: str, batch: tuple[int, ...]) -> None:
    """Writing into an answer changes one entry and no other number; writing into x changes no answer."""
    f, make = PLAIN[name], MAKERS[library]
    f.memory.clear()
    points = np.random.default_rng(7).normal(size=(*batch, 2))
    for question in QUESTIONS if len(batch) < 2 and batch != (30_000,) else ["value", "jacobian", "hessian", "vjp"]:
        x = make(points)
        first = ask(question, f, x, make)
        before = to_numpy(first).copy()
        first[(0,) * first.ndim] = 77.0
        assert (to_numpy(first) != before).sum() == 1, question
        first[...] = 77.0
        assert np.array_equal(to_numpy(x), points), question
        second = ask(question, f, x, make)
        assert np.array_equal(to_numpy(second), before), question
        x[...] = 88.0
        assert np.array_equal(to_numpy(second), before), question


# What is more than numbers is not read as numbers --------------------------------------------------------------------

SMOOTH = na.Network.from_layers([(np.array([[1.0, 2.0], [0.5, -1.0]]), [0.1, 0.2]), ([[1.0, -1.0]], None)], "tanh")
POINTS, OTHERS = np.array([[0.1, 0.2], [0.3, -0.4]]), np.array([[-0.5, 0.7], [0.2, 0.9]])


def test_tensors_with_tangents_keep_them() -> None:
    along = torch.tensor([[1.0, -2.0], [0.5, 0.25]], dtype=torch.float64)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(torch.tensor(POINTS), along)
        tangent = torch.autograd.forward_ad.unpack_dual(SMOOTH.jacobian(dual)).tangent
    np.testing.assert_allclose(tangent, SMOOTH.hvp(POINTS, along.numpy()), rtol=1e-13)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["make_fx", "jit", "vmap", "grad"])
def test_tensors_that_are_traced_are_not_taken_for_constants(how: str) -> None:
    x, others = torch.tensor(POINTS), torch.tensor(OTHERS)
    if how == "make_fx":
        found = torch.fx.experimental.proxy_tensor.make_fx(lambda x: SMOOTH.jacobian(x))(x)(others)
    elif how == "jit":
        found = torch.jit.trace(SMOOTH.jacobian, x, check_trace=False)(others)
    elif how == "vmap":
        found = torch.func.vmap(lambda v: SMOOTH.hvp(others, v), out_dims=-1)(torch.eye(2, dtype=torch.float64))[:, 0]
        np.testing.assert_allclose(found, SMOOTH.hessian(OTHERS)[:, 0], rtol=1e-13)
        return
    else:
        found = torch.func.grad(lambda x: SMOOTH(x).sum())(others)[:, None, :]
    np.testing.assert_allclose(found, SMOOTH.jacobian(OTHERS), rtol=1e-13)


@pytest.mark.parametrize("library", ["torch", "jax"])
def test_arrays_of_others_are_read_and_never_written(library: str) -> None:
    x = MAKERS[library](POINTS)
    for question in (SMOOTH, SMOOTH.jacobian, SMOOTH.hessian, na.Network.identity(2)):
        answer = question(x)
        assert type(answer) is type(x)
        assert (answer.dtype, answer.device) == (x.dtype, x.device)
        if library == "torch":
            answer += 1.0
        np.testing.assert_array_equal(x, POINTS)
        np.testing.assert_array_equal(question(x), question(POINTS))


class Doubled(np.ndarray):
    """Whose products are twice as large."""

    def __array_wrap__(self, array: np.ndarray, *_: object) -> np.ndarray:
        return 2 * np.asarray(array)


@pytest.mark.parametrize(
    "make", [lambda x: x.view(np.matrix), np.ma.masked_array, lambda x: x.view(Doubled), lambda x: x.astype(">f8")]
)
def test_other_arrays_of_numpy_are_read_as_plain_ones(make: object) -> None:
    for question in (SMOOTH, SMOOTH.hessian, SMOOTH.laplacian):
        answer = question(make(POINTS))
        assert type(answer) is np.ndarray
        assert answer.dtype == np.float64
        np.testing.assert_array_equal(answer, question(POINTS))


def test_masked_entries_are_no_numbers() -> None:
    with pytest.raises(InputError, match="masked entries received"):
        SMOOTH.jacobian(np.ma.masked_array(POINTS, mask=POINTS > 0.2))


@pytest.mark.parametrize("library", ["numpy", "torch", "strict"])
def test_directions_that_are_no_real_numbers_are_refused(library: str) -> None:
    x, make = MAKERS[library](POINTS), MAKERS[library]
    with pytest.raises(DtypeError, match=r"complex128 received beside real points"):
        SMOOTH.jvp(x, make(np.array([1.0, 1j])))
    with pytest.raises(DtypeError, match="bool"):
        SMOOTH.jvp(x, make(np.array([True, False])))


def test_functional_tensors_are_not_read() -> None:
    """PyTorch has no rule for stated derivatives there, and says so: an error, no numbers."""
    with pytest.raises(RuntimeError, match="Functionalize rule"):
        torch.func.functionalize(SMOOTH)(torch.tensor(POINTS))


def test_what_was_passed_in_is_not_kept_after_an_exception() -> None:
    f = na.Network.function("silu", 2)
    big = np.ones((1000, 2))
    big[5] = np.nan
    kept = weakref.ref(big)
    assert np.isnan(f(big[:100])[5]).all()
    del big
    gc.collect()
    assert kept() is None


def test_a_large_answer_is_handed_to_jax_without_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []

    def watched(library: str, result: np.ndarray, device: object) -> object:
        computed.append(result)
        return returned(library, result, device)

    returned = libraries.returned
    monkeypatch.setattr(libraries, "returned", watched)
    x = np.random.default_rng(0).normal(size=(20_000, 2))
    found = small(np.float64).hessian(jax.numpy.asarray(x))
    assert any(np.shares_memory(np.asarray(found), result) for result in computed)
    np.testing.assert_array_equal(found, small(np.float64).hessian(x))
