"""What cannot be asked: refused with what was received, what was expected and what to do; empty batches."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import array_api_strict
import jax
import numpy as np
import pandas
import pytest
import torch

import neuralgebra as na
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.errors import DtypeError, InputError, ResourceError, ShapeError, UsageError
from oracles_calculus import products
from questions import QUESTIONS, ask, expected_shape
from strategies import after

F = na.Network.from_layers([(np.ones((3, 2)), None), (np.ones((2, 3)), None)], input_names=["a", "b"])
RELU = na.Network.from_layers([(np.ones((3, 2)), None), (np.ones((2, 3)), None)], "relu")
X = np.zeros((4, 2))
WIDE = na.Network.from_layers([(np.ones((3, 1000)), None), (np.ones((1, 3)), None)])


NO_ORDERS = [-1, 0.5, 2.0, True, "2", None, np.float64(1), np.nan]


@pytest.mark.parametrize("order", NO_ORDERS, ids=repr)
def test_what_is_no_order(order: object) -> None:
    for question in (
        lambda: F.derivatives(X, order),
        lambda: F.taylor(X, [1.0, 1.0], order),
        lambda: F.derivative(X, {"a": order}),
        lambda: F.operator(X, {(0, order): 1.0}),
    ):
        with pytest.raises(UsageError, match=r"order .* received; an integer, at least 0, expected"):
            question()


def test_integers_of_numpy_are_orders() -> None:
    assert len(F.derivatives(X, np.int32(2))) == 3
    assert F.taylor(X, [1.0, 1.0], np.int64(2)).shape == (3, 4, 2)
    assert F.derivative(X, np.array([1, 1])).shape == (4, 2)


@pytest.mark.parametrize("order", [10**6, 10**400], ids=["10**6", "10**400"])
def test_a_giant_order_is_refused_with_the_memory_it_needs(order: int) -> None:
    """Order² numbers of 8 bytes for each of 1 + 4 + 4 + 4 units."""
    amount = f"{8 * order**2 * 13 / 2**30:,.1f} GiB" if order == 10**6 else "more memory than there is"
    with pytest.raises(ResourceError, match=f"Coefficients and their products would need {amount} a point"):
        na.Network.from_layers([(np.ones((4, 1)), None), (np.ones((4, 4)), None)]).taylor([0.0], [1.0], order)
    with pytest.raises(ResourceError, match="need more memory than there is a point; the limit is 4 GiB"):
        F.derivatives(X, order)
    with pytest.raises(ResourceError, match="at most 170"):
        F.derivative(X, (order, 0))


def test_the_estimate_of_what_does_not_fit_and_the_way_out() -> None:
    """Σ_n≤4 C(1000, n) = C(1004, 4) coefficients of up to 1000 units, 8 bytes each."""
    size = 8 * (1004 * 1003 * 1002 * 1001 // 24) * 1000 / 2**30
    with pytest.raises(ResourceError) as refused:
        WIDE.derivatives(np.zeros(1000), 4)
    assert f"order 4 of 1000 inputs need {size:,.1f} GiB a point" in str(refused.value)
    assert "taylor(x, v, order)" in str(refused.value)
    assert WIDE.taylor(np.zeros(1000), np.ones(1000), 4).shape == (5, 1)


def test_the_array_of_the_result_is_part_of_the_estimate() -> None:
    """2·2³⁰ numbers of order 30 stand on 496 coefficients of each unit, and are what does not fit."""
    with pytest.raises(ResourceError, match=r"order 30 of 2 inputs need 16\.0 GiB a point"):
        F.derivatives(X, 30)
    assert F.derivatives(X[0], 12)[12].shape == (2,) * 13


def test_an_array_has_an_axis_for_each_order() -> None:
    f = na.Network.function("exp")
    assert f.derivatives(np.zeros((1, 1, 1, 1)), 60)[60].ndim == 64
    with pytest.raises(ResourceError, match=r"order 61 received; at most 60 expected[\s\S]*taylor"):
        f.derivatives(np.zeros(1), 61)
    assert f.taylor([0.0], [1.0], 61).shape == (62, 1)


def test_the_products_of_many_coefficients_are_part_of_the_estimate() -> None:
    """2²⁰ coefficients of few units would fit, but not 3²⁰ products of two, 128 bytes each."""
    f = na.Network.from_layers([(np.ones((1, 20)), None)], output="tanh")
    x, alpha = np.zeros(20), (1,) * 20
    for question in (lambda: f.derivative(x, alpha), lambda: f.operator(x, {alpha: 1.0})):
        with pytest.raises(ResourceError, match=r"1,048,576 Taylor.*3,486,784,401 products of two: 415\.7 GiB"):
            question()
    amount = f"{128 * math.comb(95, 5) / 2**30:.1f} GiB"
    with pytest.raises(ResourceError, match=f"order 5 of 45 inputs need {amount}"):
        na.Network.from_layers([(np.ones((1, 45)), None)]).derivatives(np.zeros(45), 5)
    assert products(IndexSet.full(3, 4)) == math.comb(2 * 3 + 4, 4)
    assert products(IndexSet.below([(0, 0, 1)])) == 6 * 3


def test_orders_whose_factorial_overflows() -> None:
    single, double = (na.Network.from_layers([(np.ones((1, 2), dtype), None)]) for dtype in (np.float32, np.float64))
    for f, x, most in ((double, np.zeros(2), 170), (single, np.zeros(2, np.float32), 34)):
        v, name = np.full_like(x, 0.125), f.input_names[0]
        assert np.isfinite(f.taylor(x, v, most)).all()
        for question in (
            lambda f=f, x=x, v=v, most=most: f.taylor(x, v, most + 1),
            lambda f=f, x=x, name=name, most=most: f.derivative(x, {name: most + 1}),
            lambda f=f, x=x, most=most: f.operator(x, {(most + 1, 0): 1.0}),
        ):
            with pytest.raises(ResourceError, match=rf"order {most + 1} received; at most {most} expected"):
                question()
    with pytest.raises(ResourceError, match="at most 170"):
        F.derivative(np.zeros(2), (100, 100))


REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "unknown name": (lambda: F.derivative(X, {"c": 1}), InputError, "input 'c' received; the inputs are a, b"),
    "unknown input": (lambda: F.jacobian(X, inputs=["a", "z"]), InputError, "input 'z' received"),
    "unknown output": (lambda: F.hessian(X, outputs="y9"), InputError, "output 'y9' received; the outputs are y1, y2"),
    "input out of range": (lambda: F.jacobian(X, inputs=2), InputError, "0 to 1 or a name"),
    "no inputs": (lambda: F.jacobian(X, inputs=[]), InputError, "at least one input"),
    "repeated names": (lambda: F.jacobian(X, inputs=["a", "a"]), InputError, "each at most once"),
    "repeated by place": (lambda: F.hessian(X, inputs=["a", 0]), InputError, "each at most once"),
    "multi-index too short": (lambda: F.derivative(X, (1,)), UsageError, r"\(1,\) received; 2 orders, one for each of"),
    "multi-index of many": (lambda: F.derivative(X, [(1, 0), (1, 0, 0)]), UsageError, "2 orders"),
    "no multi-index": (lambda: F.derivative(X, 3), UsageError, "a tuple, a mapping or an iterable"),
    "too many together": (
        lambda: WIDE.derivative(np.zeros(1000), [(1,) * 30 + (0,) * 970]),
        ResourceError,
        r"1,073,741,824 Taylor coefficients .* GiB a point\. taylor",
    ),
    "operator of nothing": (lambda: F.operator(X, {}), UsageError, "without terms"),
    "operator of short": (lambda: F.operator(X, {(1,): 1.0}), UsageError, "2 orders"),
    "factor of words": (lambda: F.operator(X, {"a": "2 a"}), InputError, "factor '2 a' received; a real number"),
    "complex factor": (lambda: F.operator(X, {"a": 1j}), InputError, "factor 1j received; a real number"),
    "infinite factor": (lambda: F.operator(X, {"a": np.inf}), InputError, "factor inf received; finite"),
    "matrix too large": (lambda: F.operator(X, np.eye(3)), ShapeError, r"\(3, 3\) received; \(2, 2\) or \(4, 2, 2\)"),
    "matrices of other points": (lambda: F.operator(X, np.ones((3, 2, 2))), ShapeError, r"\(3, 2, 2\) received"),
    "a vector for a matrix": (lambda: F.operator(X, np.ones(2)), ShapeError, r"\(2,\) received"),
    "matrix with NaN": (lambda: F.operator(X, [[np.nan, 0], [0, 1]]), InputError, "finite numbers expected"),
    "v too long": (
        lambda: F.jvp(X, np.ones(3)),
        ShapeError,
        r"v of shape \(3,\) received; \(2,\) or \(4, 2\) expected",
    ),
    "v of other points": (lambda: F.hvp(X, np.ones((3, 2))), ShapeError, r"v of shape \(3, 2\)"),
    "v of a taylor": (lambda: F.taylor(X, np.ones((4, 1)), 2), ShapeError, r"v of shape \(4, 1\)"),
    "v a number": (lambda: F.jvp(X, 1.0), ShapeError, r"v of shape \(\)"),
    "w too long": (
        lambda: F.vjp(X, np.ones(3)),
        ShapeError,
        r"w of shape \(3,\) received; \(2,\) or \(4, 2\) expected",
    ),
    "w of a hvp": (lambda: F.hvp(X, np.ones(2), np.ones((2, 4))), ShapeError, r"w of shape \(2, 4\)"),
    "v of words": (lambda: F.jvp(X, ["a", "b"]), DtypeError, "numbers are expected"),
    "v of truth values": (lambda: F.jvp(X, [True, False]), DtypeError, "bool"),
    "ragged v": (lambda: F.jvp(X, [[1.0], [1.0, 2.0]]), InputError, "different length"),
    "x too narrow": (lambda: F.laplacian(np.ones((4, 3))), ShapeError, r"\(4, 3\) received; \(\.\.\., 2\)"),
    "x a number": (lambda: F.biharmonic(1.0), ShapeError, r"\(\) received"),
    "complex x of relu": (lambda: RELU.jacobian(X + 1j), DtypeError, "relu .* Real input expected"),
    "complex x of a second derivative": (lambda: RELU.laplacian(X + 0j), DtypeError, "compared"),
    "complex x of a series": (lambda: RELU.taylor(torch.tensor(X + 0j), [1.0, 1.0], 3), DtypeError, "compared"),
    "x of halves": (lambda: F.vjp(X.astype(np.float16), [1.0, 1.0]), DtypeError, "float16"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str) -> None:
    question, error, message = REFUSED[case]
    with pytest.raises(error, match=message) as refused:
        question()
    assert type(refused.value) is error
    assert len(str(refused.value).splitlines()) <= 3


MAKERS = {"numpy": np.asarray, "torch": torch.tensor, "jax": jax.numpy.asarray, "strict": array_api_strict.asarray}


@pytest.mark.parametrize("theirs", ["torch", "jax", "strict"])
@pytest.mark.parametrize("ours", MAKERS)
def test_arrays_of_two_libraries_are_refused(ours: str, theirs: str) -> None:
    if ours == theirs:
        return
    f = na.Network.from_layers([(np.ones((2, 2), np.float32), None)])
    x, two = MAKERS[ours](np.ones((4, 2), np.float32)), MAKERS[theirs](np.ones((4, 2), np.float32))
    for question in (
        lambda: f.jvp(x, two),
        lambda: f.vjp(x, two),
        lambda: f.hvp(x, [1.0, 1.0], two),
        lambda: f.taylor(x, two, 2),
        lambda: f.operator(x, MAKERS[theirs](np.ones((4, 2, 2), np.float32))),
    ):
        with pytest.raises(InputError, match="one library and device expected"):
            question()


DEVICES = {
    "torch": [torch.ones(4, 2, dtype=torch.float64, device=d) for d in ("cpu", "meta")],
    "strict": [array_api_strict.ones((4, 2), device=array_api_strict.Device(d)) for d in ("device1", "device2")],
}


@pytest.mark.parametrize("library", DEVICES)
def test_arrays_on_two_devices_are_refused(library: str) -> None:
    f = na.Network.from_layers([(np.ones((2, 2)), None)])
    x, other = DEVICES[library]
    for question in (lambda: f.jvp(x, other), lambda: f.vjp(x, other), lambda: f.taylor(x, other, 2)):
        with pytest.raises(InputError, match=re.escape(f"{other.device} received beside")) as refused:
            question()
        assert f"on {x.device}; one library and device expected" in str(refused.value)


def test_lists_and_numpy_arrays_go_with_every_library() -> None:
    f = na.Network.from_layers([(np.ones((2, 2), np.float32), None)])
    for make in MAKERS.values():
        x = make(np.ones((4, 2), np.float32))
        assert type(f.jvp(x, [1, 2])) is type(f.vjp(x, np.ones(2))) is type(x)


NETWORKS = {
    "chain": F,
    "linear": na.Network.from_layers([(np.ones((3, 2)), None)]),
    "input": na.Network.identity(2),
    "function": after(na.Network.identity(2), na.Elementwise("gelu")),
    "relu": RELU,
}


@pytest.mark.parametrize("batch", [(0,), (2, 0), (0, 3)], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("library", ["numpy", "torch", "strict"])
def test_no_points_give_no_numbers_of_the_right_shape(library: str, name: str, batch: tuple[int, ...]) -> None:
    f, make = NETWORKS[name].rename(inputs=["x1", "x2"]), MAKERS[library]
    for question in QUESTIONS:
        answer = ask(question, f, make(np.zeros((*batch, 2))), make)
        assert tuple(answer.shape) == expected_shape(question, f, batch), question
        assert str(answer.dtype).endswith("float64"), question


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (lambda: F.operator(X, [[1.0], [1.0, 2.0]]), InputError, "rows of different length"),
        (lambda: F.operator(X, [["a", "b"], ["c", "d"]]), DtypeError, "numbers are expected"),
        (lambda: F.vjp(X, None), UsageError, r"no weights w .* jacobian\(x\)"),
        (lambda: F.hvp(X, None), UsageError, r"no direction v .* hessian\(x\)"),
        (lambda: F.plan(["hessian"]), UsageError, "one of jacobian, hessian"),
        (lambda: F(X + 1j, dtype="float64"), DtypeError, "complex128 input received with dtype=float64"),
        (lambda: F(X > 0, dtype="float64"), DtypeError, "bool input received with dtype=float64"),
        (
            lambda: F.rename(inputs=["value", "b"]).parameter_jacobian(X, "value"),
            UsageError,
            "also an input",
        ),
        (lambda: F.diff({"a": 40}), na.errors.UnsupportedError, "order 40 received; at most 32"),
        (lambda: F.diff((200, 0)), na.errors.UnsupportedError, "order 200 received; at most 32"),
    ],
)
def test_what_cannot_be_read(question: Callable[[], object], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        question()


def test_a_name_that_means_two_things_can_be_asked_for() -> None:
    f = F.rename(inputs=["value", "b"])
    ours, expected = f.parameter_jacobian(X, {"value": 1}), F.parameter_jacobian(X, "a")
    assert np.array_equal(ours, expected)


def test_complex_numbers_may_be_asked_for_in_single_precision() -> None:
    assert F(X + 1j, dtype="complex64").dtype == np.complex64


def test_the_biharmonic_operator_of_many_inputs_is_refused_with_its_memory() -> None:
    f = na.Network.from_layers([(np.ones((9000, 9000), np.float32), None), (np.ones((1, 9000), np.float32), None)])
    with pytest.raises(ResourceError, match=r"Taylor coefficients of each of .* GiB a point"):
        f.biharmonic(np.zeros(9000, np.float32))


def test_tables_and_series_are_matched_by_their_labels() -> None:
    f = na.Network.from_layers(
        [(np.random.default_rng(0).normal(size=(4, 3)), None), (np.ones((2, 4)), None)],
        input_names=["a", "b", "c"],
        output_names=["u", "v"],
    )
    x = pandas.DataFrame(np.random.default_rng(1).normal(size=(5, 3)), columns=["a", "b", "c"])
    other, w = x[["c", "a", "b"]], pandas.Series([2.0, 3.0], ["v", "u"])
    for question in (
        lambda x: f(x),
        lambda x: f.jacobian(x.iloc[0]),
        lambda x: f.jvp(x, x),
        lambda x: f.hvp(x, x.iloc[1]),
        lambda x: f.taylor(x.iloc[0], x.iloc[1], 2),
    ):
        np.testing.assert_array_equal(question(other), question(x))
    np.testing.assert_array_equal(f.vjp(x, w), f.vjp(x.to_numpy(), [3.0, 2.0]))
    np.testing.assert_array_equal(f(pandas.Series([1.0, 2.0, 3.0])), f([1.0, 2.0, 3.0]))
    with pytest.raises(InputError, match="labels a, b received; c missing"):
        f(x.iloc[0][["a", "b"]])
    with pytest.raises(InputError, match="labels a, b, c received; u, v missing"):
        f.vjp(x, x.iloc[0])


@pytest.mark.parametrize("make", [lambda: torch.tensor(0.3, requires_grad=True), lambda: np.ones(4)])
def test_factors_that_are_no_numbers_are_refused_with_the_way_out(make: Callable[[], object]) -> None:
    with pytest.raises(InputError, match=r"factor .* received(.|\n)*operator\(x, a\)"):
        F.operator(X, {(2, 0): make()})
    with pytest.raises(InputError, match=r"operator\(x, a\)"):
        jax.jit(lambda d: F.operator(X, {(2, 0): d}))(0.3)
    assert np.array_equal(F.operator(X, {(2, 0): torch.tensor(2.0)}), F.operator(X, {(2, 0): 2.0}))


def test_inputs_may_be_chosen_by_an_array_of_positions() -> None:
    assert np.array_equal(F.jacobian(X, inputs=np.array([1, 0])), F.jacobian(X, inputs=[1, 0]))


@pytest.mark.parametrize("params", [None, [np.ones((3, 2))]], ids=["none", "list"])
def test_parameters_come_by_name(params: object) -> None:
    with pytest.raises(UsageError, match="a mapping of names to arrays expected"):
        F.with_parameters(params)
