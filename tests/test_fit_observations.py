"""Observations: what a person knows becomes rows by operator, or is refused with the reason."""

import itertools
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facts import facts
from neuralgebra.errors import InputError, NeuralgebraError, ShapeError, UsageError
from neuralgebra.fitting import sites
from neuralgebra.fitting.groups import Group
from neuralgebra.fitting.observations import Observations
from neuralgebra.fitting.operators import VALUE, Operator, factors, operator_of

at, dense = Observations.at, Observations.dense
X = np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
Y = np.array([1.0, 2.0, 3.0])
NAN = np.nan


# Operators ----------------------------------------------------------------------------------------------------------

NAMED: list[tuple[Any, list[str], dict[Any, float], str]] = [
    ("value", ["x1", "x2"], {(): 1}, "value"),
    ("", ["x1", "x2"], {(): 1}, "value"),
    ("x2", ["x1", "x2"], {(1,): 1}, "x2"),
    ("x1 x2", ["x1", "x2"], {(0, 1): 1}, "x1 x2"),
    ("x2  x1", ["x1", "x2"], {(0, 1): 1}, "x1 x2"),
    (" x1^2 x2 ", ["x1", "x2"], {(0, 0, 1): 1}, "x1^2 x2"),
    ("x1 x1", ["x1", "x2"], {(0, 0): 1}, "x1^2"),
    ("laplacian", ["x1", "x2"], {(0, 0): 1, (1, 1): 1}, "laplacian"),
    ("laplacian", ["x"], {(0, 0): 1}, "x^2"),
    ((2, 0), ["x1", "x2"], {(0, 0): 1}, "x1^2"),
    ((0, 0), ["x1", "x2"], {(): 1}, "value"),
    ({"x1": 2}, ["x1", "x2"], {(0, 0): 1}, "x1^2"),
    ({"x2": 1, "x1": 1}, ["x1", "x2"], {(0, 1): 1}, "x1 x2"),
    ({"x1^2": 1, "x2": -3}, ["x1", "x2"], {(1,): -3, (0, 0): 1}, "-3*x2 + x1^2"),
    ({"x1": 1.0, "x2": -1.0}, ["x1", "x2"], {(0,): 1, (1,): -1}, "x1 - x2"),
    ({"laplacian": 1.0, "value": -2.0}, ["x1", "x2"], {(): -2, (0, 0): 1, (1, 1): 1}, "-2*f + x1^2 + x2^2"),
    ({"x2^2": 1.0, "x1^2": 1.0}, ["x1", "x2"], {(0, 0): 1, (1, 1): 1}, "laplacian"),
    # names are data
    ("x^2", ["x", "x^2"], {(1,): 1}, "x^2"),
    ("x^2^2", ["x", "x^2"], {(1, 1): 1}, "x^2^2"),
    ("body mass age", ["age", "body mass"], {(0, 1): 1}, "age body mass"),
    ("a b", ["a", "b", "a b"], {(2,): 1}, "a b"),
    ("a b c", ["a", "a b", "b c"], {(0, 2): 1}, "a b c"),
    ("value", ["value", "t"], {(0,): 1}, "value"),
    ("laplacian", ["laplacian", "t"], {(0,): 1}, "laplacian"),
    ("größe^3", ["größe"], {(0, 0, 0): 1}, "größe^3"),
    (" t", [" t", "t"], {(0,): 1}, " t"),
    (Operator((), 2), ["x"], {}, "along v^2"),
]


@pytest.mark.parametrize(("of", "inputs", "terms", "kind"), NAMED)
def test_operators_by_name(of: Any, inputs: list[str], terms: dict[Any, float], kind: str) -> None:
    operator = operator_of(of, inputs)
    assert dict(operator.terms) == terms
    assert operator.kind(inputs) == kind


def test_operators_that_are_equal_have_one_form() -> None:
    same = [operator_of(of, ["u", "v"]) for of in ("u v", "v u", (1, 1), {"u": 1, "v": 1}, {"u v": 1.0})]
    assert len(set(same)) == 1


REFUSED_OPERATORS: list[tuple[Any, type[NeuralgebraError], str]] = [
    ("x3", InputError, "derivative 'x3' received; the inputs are x1, x2"),
    ("x1^0", InputError, "'x1^0'"),
    ("x1 y", InputError, "'x1 y'"),
    ("x1x2", InputError, "'x1x2'"),
    ("\x1b]8", InputError, r"x1b]8"),
    (" ".join(["x1"] * 5000), InputError, "the inputs are"),
    ((1, 0, 0), InputError, "for 2 inputs"),
    ((1, -1), UsageError, "(1, -1)"),
    ({"x3": 2}, InputError, "'x3'"),
    ({"x1": NAN}, UsageError, "nan"),
    ({"x1": "2"}, UsageError, "'2'"),
    ({}, InputError, "without terms"),
    ({"x1": 0.0}, InputError, "without terms"),
    ({"x1 x2": 1.0, "x2 x1": -1.0}, InputError, "without terms"),
    (3, UsageError, "of=3 received"),
]


@pytest.mark.parametrize(("of", "error", "words"), REFUSED_OPERATORS)
def test_operators_that_are_none(of: Any, error: type[NeuralgebraError], words: str) -> None:
    with pytest.raises(error) as caught:
        at(X, Y, of)
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


@settings(deadline=None)
@given(st.lists(st.text("ab^2 d", min_size=1, max_size=4), min_size=1, max_size=4, unique=True), st.data())
def test_factors_read_what_names_write(names: list[str], data: st.DataObject) -> None:
    orders = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=4))
    text = " ".join("d" + names[i] for i in orders)
    found = factors(text, names, sign="d")
    assert found is not None
    longest = max(map(len, names))
    if not any(set(name) & set(" ^d") for name in names) or longest == 1:
        assert found == tuple(sorted(orders))


# Points and values --------------------------------------------------------------------------------------------------


def test_values_at_points() -> None:
    found = at(X, [1.0, NAN, 3.0], "x2", weight=[1.0, NAN, 2.0], output="b", output_names=["a", "b"])
    assert facts(found) == [
        ((0.0, 1.0), "b", "x2", (), 1.0, 1.0, False, 0),
        ((4.0, 5.0), "b", "x2", (), 3.0, 2.0, False, 0),
    ]
    assert repr(found) == "<Observations of a, b by x1, x2: 2 × x2>"
    assert (found.rows, found.numbers, found.kinds) == (2, 2, {"x2": 2})
    assert found.points.tolist() == [[0, 1], [4, 5]]
    assert found.unknown_outputs() == ("a",)


def test_values_of_one_input_and_one_number_for_all() -> None:
    found = at([1.0, 2.0], 0, "laplacian", bound=-1, input_names=["t"], output="u")
    assert [fact[:5] for fact in facts(found)] == [((t,), "u", "t^2", (), 0.0) for t in (1.0, 2.0)]
    assert found.kinds == {"t^2, at most": 2}
    assert facts(at([[5]], [7]))[0][:2] == ((5.0,), "y1")


def test_deviations_are_weights() -> None:
    (group,) = at(X, np.stack((Y, Y), 1), sd=[[1.0, 2.0], [4.0, 0.5], [1.0, 1.0]]).groups
    assert group.weights.tolist() == [[1, 0.25], [0.0625, 4], [1, 1]]
    assert group.deviations
    assert at(X, Y, sd=0.1).groups[0].weights == pytest.approx(np.full((3, 1), 100.0))
    assert at(X, [1, NAN, 2], sd=[1, 0, 1]).groups[0].weights.tolist() == [[1], [1]]


def test_directions() -> None:
    found = at(X, Y, along=[[1, 0], [0, 2], [-1, 1]], order=2)
    assert found.groups[0].operator == Operator((), 2)
    assert [fact[3] for fact in facts(found)] == [(1, 0), (0, 2), (-1, 1)]
    assert at(X, Y, along=[0, 3]).groups[0].directions.tolist() == [[0, 3]] * 3  # type: ignore[union-attr]
    assert found.kinds == {"along v^2": 3}


def test_names_come_from_tables() -> None:
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    for library in (pandas, polars):
        x, y = library.DataFrame({"u": [1.0, 2.0], "v": [3, 4]}), library.Series(name="w", data=[5.0, None]) \
            if library is pandas else library.Series("w", [5.0, None])  # fmt: skip
        for found in (dense(x, y), at(x, y)):
            assert facts(found) == [((1.0, 3.0), "w", "value", (), 5.0, 1.0, False, 0)]
            assert found.input_names == ("u", "v")
    missing = pandas.DataFrame({"y": pandas.array([1, None], dtype="Int64")})
    assert facts(dense([[0.0], [1.0]], missing))[0][1] == "y"


@pytest.mark.parametrize(
    "values",
    [
        np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False]),
        np.ma.masked_array([1, 2, 3], [False, True, False]),
        [1, None, 3],
        np.array([1.0, NAN, 3.0], np.float32),
        np.array([[1, 2], [NAN, 5], [3, 0]])[:, 0],
    ],
)
def test_missing_values(values: Any) -> None:
    assert [(fact[0], fact[4]) for fact in facts(dense(X, values))] == [((0, 1), 1), ((4, 5), 3)]


def test_arrays_are_copied_and_read_only() -> None:
    x, y, v = X.copy(), Y.copy(), np.ones((3, 2))
    for found in (at(x, y, along=v), dense(x, y)):
        group = found.groups[0]
        x[:], y[:], v[:] = 7, 8, 9
        assert group.points[0, 0] == 0
        assert group.values[0, 0] == 1
        for array in (group.points, group.values, group.weights):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
        x[:], y[:] = X, Y


Call = Callable[[], Observations]
REFUSED: list[tuple[Call, type[NeuralgebraError], str]] = [
    (lambda: at([[1, NAN], [2, 3]], Y[:2]), InputError, "points: nan received in row 1, column 2; finite numbers"),
    (lambda: at([[1, 2], [np.inf, 3]], Y[:2]), InputError, "points: inf received in row 2, column 1"),
    (lambda: at(np.zeros((0, 2)), []), ShapeError, "points of shape (0, 2) received; (N, n) expected, at least one"),
    (lambda: at(np.zeros((2, 0)), Y[:2]), ShapeError, "points of shape (2, 0)"),
    (lambda: at(np.zeros((2, 2, 2)), Y[:2]), ShapeError, "points of shape (2, 2, 2)"),
    (lambda: at(5.0, 3.0), ShapeError, "points of shape ()"),
    (lambda: at([["a", "b"]], [1.0]), InputError, "points that are no numbers"),
    (lambda: at([["1", "2"]], [1.0]), InputError, "points that are no numbers"),
    (lambda: at(np.array([["1"]], object), [1.0]), InputError, "points that are no numbers"),
    (lambda: at([[1j]], [1.0]), InputError, "points that are no numbers"),
    (lambda: at(np.array([["2020-01-01"]], "datetime64[ns]"), [1.0]), InputError, "points that are no numbers"),
    (lambda: at([[1, 2], [3]], [1.0, 2.0]), InputError, "points that are no numbers"),
    (lambda: at([[10**400]], [1.0]), InputError, "points that are no numbers"),
    (lambda: at(X, [1, np.inf, 2]), InputError, "values: inf received in row 2; finite numbers expected, NaN where"),
    (lambda: at(X, [1, 2j, 2]), InputError, "values that are no numbers"),
    (lambda: at(X, Y[:2]), ShapeError, "values of shape (2, 1) received for 3 points; (3,) or (3, m) expected"),
    (lambda: at(X, np.zeros((3, 1, 1))), ShapeError, "values of shape (3, 1, 1)"),
    (lambda: at(X, np.zeros((3, 0))), ShapeError, "values of shape (3, 0)"),
    (lambda: at(X, [NAN] * 3), InputError, "nothing is known"),
    (lambda: dense(X, [NAN] * 3), InputError, "nothing is known"),
    (lambda: dense(X, None, np.full((3, 2), NAN)), InputError, "nothing is known"),
    (lambda: dense(X), InputError, "y, dydx or d2ydx2"),
    (lambda: at(X, Y, weight=[1, -1, 1]), InputError, "weights: -1.0 received in row 2, column 1; numbers of at least"),
    (lambda: at(X, Y, weight=0), InputError, "weights received that are all zero"),
    (lambda: dense(X, [1, NAN, NAN], sample_weight=[0, 1, 1]), InputError, "weights received that are all zero"),
    (lambda: at(X, Y, weight=[1, NAN, 1]), InputError, "weights: nan received in row 2"),
    (lambda: at(X, Y, weight=[1, np.inf, 1]), InputError, "weights: inf received in row 2"),
    (lambda: at(X, Y, weight=[1, 2]), ShapeError, "weights of shape (2,) received; (3,) or (3, 1)"),
    (lambda: at(X, np.ones((3, 2)), weight=[1, 2]), ShapeError, "weights of shape (2,)"),
    (lambda: at(X, Y, sd=[1, 0, 1]), InputError, "sd: 0.0 received in row 2, column 1; numbers above 0"),
    (lambda: at(X, Y, sd=-1), InputError, "sd: -1.0 received in row 1"),
    (lambda: at(X, Y, sd=1e-200), InputError, "sd: 1e-200 received in row 1, column 1; numbers whose squares"),
    (lambda: at(X, Y, sd=1e200), InputError, "sd: 1e+200 received"),
    (lambda: at(X, Y, sd=1, weight=1), UsageError, "one of them expected"),
    (lambda: at(X, Y, along=[[1, 0], [0, 0], [1, 1]]), InputError, "directions: length: 0.0 received in row 2"),
    (lambda: at(X, Y, along=[1, NAN]), InputError, "directions: nan received"),
    (lambda: at(X, Y, along=[1, 0, 0]), ShapeError, "directions of shape (3,) received; (3, 2) or (2,)"),
    (lambda: at(X, Y, "x1", along=[1, 0]), UsageError, "one of them expected"),
    (lambda: at(X, Y, along=[1, 0], order=0), UsageError, "order=0 received"),
    (lambda: at(X, Y, along=[1, 0], order=True), UsageError, "order=True received"),
    (lambda: at(X, Y, "x1", order=2), UsageError, "without along="),
    (lambda: at(X, Y, bound=2), UsageError, "bound=2 received"),
    (lambda: at(X, Y, input_names=["a"]), ShapeError, "1 input names received; 2 expected"),
    (lambda: at(X, Y, input_names=["a", "a"]), InputError, "more than once"),
    (lambda: at(X, Y, output_names=["a", "b"]), ShapeError, "2 output names"),
    (lambda: at(X, Y, output="c", output_names=["a", "b"]), InputError, "output='c'"),
    (lambda: at(X, np.ones((3, 2)), output="a", output_names=["a", "b"]), InputError, "with 2 columns"),
    (lambda: dense(X, Y, np.ones((3, 3))), ShapeError, "dydx of shape (3, 3) received; (3, 2) or (3, 1, 2) expected"),
    (lambda: dense(X, np.ones((3, 2)), np.ones((3, 2))), ShapeError, "(3, 2, 2) expected, for 3 points with 2 outputs"),
    (lambda: dense(X, None, None, np.ones((3, 2))), ShapeError, "d2ydx2 of shape (3, 2)"),
    (lambda: dense(X, Y[:2]), ShapeError, "y of shape (2,)"),
    (lambda: dense(X, 1.0), ShapeError, "y of shape ()"),
    (lambda: dense(X, Y, [[1, 2], [3, 4], [np.inf, 5]]), InputError, "dydx: inf received in row 3, column 1"),
    (lambda: dense(X, Y, None, [[[0, 1], [2, 0]]] * 3), InputError, "d2ydx2[…, 0, 1]: 1.0 and 2.0 received for one"),
    (lambda: dense(X, None, np.ones((3, 2)), sd=1), UsageError, "without y"),
    (lambda: dense(X, Y, sd=1, sample_weight=Y), UsageError, "beside sample_weight"),
    (lambda: dense(X, Y, sample_weight=-Y), InputError, "weights: -1.0 received in row 1"),
    (lambda: at(X, Y) + at(X, Y, output="z"), InputError, "observations of z by x1, x2 received; of y1 by x1, x2"),
    (lambda: Observations(("x",), ("y",), ()), InputError, "nothing is known"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), REFUSED, ids=[f"{i}" for i in range(len(REFUSED))])
def test_what_is_refused(call: Call, error: type[NeuralgebraError], words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3


GOOD: dict[str, Any] = {"points": X, "values": Y[:, None], "weights": np.ones((3, 1))}
BAD_GROUPS: list[tuple[dict[str, Any], type[NeuralgebraError]]] = [
    ({"points": X[:2]}, ShapeError),
    ({"weights": np.ones((3, 2))}, ShapeError),
    ({"values": Y}, ShapeError),
    ({"weights": -np.ones((3, 1))}, InputError),
    ({"weights": np.full((3, 1), NAN)}, InputError),
    ({"points": X * NAN}, InputError),
    ({"values": np.full((3, 1), np.inf)}, InputError),
    ({"values": np.full((3, 1), NAN)}, InputError),  # of weight 1
    ({"operator": Operator((((2,), 1.0),))}, InputError),
    ({"operator": Operator((), 1)}, UsageError),
    ({"directions": X}, UsageError),
    ({"operator": Operator((), 1), "directions": X[:2]}, ShapeError),
    ({"operator": Operator((), 1), "directions": X * NAN}, InputError),
    ({"bound": 3}, UsageError),
]


@pytest.mark.parametrize(("change", "error"), BAD_GROUPS)
def test_groups_are_checked(change: dict[str, Any], error: type[NeuralgebraError]) -> None:
    assert Group(**{"operator": VALUE, **GOOD}).known.all()
    with pytest.raises(error) as caught:
        Group(**{"operator": VALUE, **GOOD, **change})
    assert type(caught.value) is error


def test_names_fit_the_groups() -> None:
    group = Group(VALUE, **GOOD)
    with pytest.raises(ShapeError, match="1 input names received; 2 expected"):
        Observations(("x",), ("y",), (group,))
    with pytest.raises(ShapeError, match="2 output names received; 1 expected"):
        Observations(("x", "t"), ("y", "z"), (group,))


# Dense arrays -------------------------------------------------------------------------------------------------------


@st.composite
def arrays(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """X on a coarse grid, so that points come again; y, dydx, d2ydx2 with gaps; weights."""
    count, n, m = draw(st.integers(1, 6)), draw(st.integers(1, 3)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    gaps = draw(st.sampled_from([0.0, 0.5, 0.95]))
    x = rng.integers(-1, 2, (count, n)).astype(float)
    parts = [rng.normal(size=(count, m, *(n,) * k)) for k in range(3)]
    parts[2] = parts[2] + np.swapaxes(parts[2], 2, 3)
    for part in parts:
        part[rng.random(part.shape) < gaps] = np.nan
    parts[0][0, 0] = 1.0
    weights = rng.uniform(0, 2, count).round(1)
    weights[0] = 1.5
    return x, *parts, weights


def by_loops(x: Any, y: Any, dydx: Any, d2ydx2: Any, weights: Any) -> list[Any]:
    found = []
    names = [f"x{i + 1}" for i in range(x.shape[1])]
    for r, o in itertools.product(range(len(x)), range(y.shape[1])):
        said = {"value": y[r, o]} | {names[i]: dydx[r, o, i] for i in range(len(names))}
        for i, j in itertools.combinations_with_replacement(range(len(names)), 2):
            first, second = d2ydx2[r, o, i, j], d2ydx2[r, o, j, i]
            said[f"{names[i]} {names[j]}" if i < j else f"{names[i]}^2"] = second if np.isnan(first) else first
        for kind, value in said.items():
            if not np.isnan(value):
                found.append((tuple(x[r]), f"y{o + 1}", kind, (), value, weights[r], False, 0))
    return sorted(found)


@settings(deadline=None)
@given(arrays())
def test_dense_arrays_against_loops(data: Any) -> None:
    x, y, dydx, d2ydx2, weights = data
    found = dense(x, y, dydx, d2ydx2, sample_weight=weights)
    assert [(*f[:2], f[2].replace("laplacian", "x1^2"), *f[3:]) for f in facts(found)] == by_loops(*data)
    assert len({id(g.points) for g in found.groups}) == 1
    assert all(g.known.any() for g in found.groups)
    assert np.any([g.known.any(1) for g in found.groups], 0).all()
    if y.shape[1] == 1:
        short = dense(x, y[:, 0], dydx[:, 0], d2ydx2[:, 0], sample_weight=weights)
        assert facts(short) == facts(found)


def test_deviations_of_dense_values_leave_derivatives_alone() -> None:
    value, slope = dense(X[:, :1], Y, np.ones((3, 1)), sd=[1, 2, 4]).groups
    assert value.deviations
    assert not slope.deviations
    assert value.weights.ravel().tolist() == [1, 0.25, 0.0625]
    assert slope.weights.ravel().tolist() == [1, 1, 1]


# Parts --------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(arrays(), st.integers(0, 99))
def test_parts_lose_nothing(data: Any, seed: int) -> None:
    whole = dense(*data[:4]) + at(data[0][:1], 3.0, along=[1.0] * data[0].shape[1], output="y1",
                                  output_names=[f"y{i + 1}" for i in range(data[1].shape[1])])  # fmt: skip
    size = len({tuple(point) for point in whole.points.tolist()})
    assert len(whole.sites) == size
    if size < 2:
        with pytest.raises(InputError, match="one distinct point"):
            whole.split(0.5, np.random.default_rng(seed))
        return
    folds = whole.folds(min(3, size), np.random.default_rng(seed))
    for fitted, held in [*folds, whole.split(0.3, np.random.default_rng(seed))]:
        assert sorted(facts(fitted) + facts(held)) == facts(whole)
        assert not {f[0] for f in facts(fitted)} & {f[0] for f in facts(held)}
        assert len(fitted.groups) == len(held.groups) == len(whole.groups)
        shared = [len({id(g.points) for g in part.groups}) for part in (whole, fitted, held)]
        assert len(set(shared)) == 1
    assert sorted(itertools.chain(*(facts(held) for _, held in folds))) == facts(whole)
    sizes = [len(held.sites) for _, held in folds]
    assert max(sizes) - min(sizes) <= 1


def test_parts_are_those_of_the_generator() -> None:
    whole = at(np.arange(40.0), np.arange(40.0))
    first, second, other = (whole.split(0.25, np.random.default_rng(seed))[1] for seed in (1, 1, 2))
    assert facts(first) == facts(second) != facts(other)
    assert len(first.sites) == 10
    chosen, again = (pickle.loads(pickle.dumps(whole)).folds(4, np.random.default_rng(1)) for _ in range(2))
    assert [facts(held) for _, held in chosen] == [facts(held) for _, held in again]


def test_observations_travel_to_other_processes_after_a_split() -> None:
    whole = dense(X, Y, np.ones((3, 2)))
    expected = [facts(part) for part in whole.split(0.4, np.random.default_rng(0))]
    moved = pickle.loads(pickle.dumps(whole))
    assert [facts(part) for part in moved.split(0.4, np.random.default_rng(0))] == expected
    assert len({id(g.points) for g in moved.groups}) == 1


def test_points_are_taken_by_place_or_by_mask() -> None:
    whole = at([3.0, 1.0, 3.0, 2.0], [1.0, 2.0, 3.0, 4.0])
    assert whole.sites.tolist() == [[3], [1], [2]]
    assert [f[4] for f in facts(whole.take([0]))] == [1, 3]
    assert [f[4] for f in facts(whole.take(np.array([False, True, True])))] == [2, 4]
    with pytest.raises(InputError, match="nothing is known"):
        whole.take([])
    for kept in ([3], [0.5], [True, False]):
        with pytest.raises(InputError, match="places of 3 distinct points"):
            whole.take(kept)


@pytest.mark.parametrize("count", [0, 1, -1, 2.5, True])
def test_numbers_of_folds(count: Any) -> None:
    with pytest.raises(UsageError, match="at least 2"):
        at(X, Y).folds(count, np.random.default_rng(0))


def test_more_folds_than_points() -> None:
    with pytest.raises(InputError, match="4 folds of 3 distinct points"):
        at(X, Y).folds(4, np.random.default_rng(0))


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2, NAN])
def test_fractions(fraction: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        at(X, Y).split(fraction, np.random.default_rng(0))


@pytest.mark.parametrize("collide", [False, True])
def test_distinct_points(collide: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if collide:
        monkeypatch.setattr(sites, "_hash", lambda rows: (rows[:, 0] > 0).astype(np.uint64))
    points = np.random.default_rng(0).integers(-2, 3, (200, 2)).astype(float) * np.array([1.0, -0.0 + 1e-300])
    points[0] = [-0.0, 0.0]
    first, places = sites.distinct(points)
    seen: dict[Any, int] = {}
    expected = [seen.setdefault(tuple(point), len(seen)) for point in points.tolist()]
    assert places.tolist() == expected
    assert first.tolist() == [expected.index(i) for i in range(len(seen))]


# What may be wrong --------------------------------------------------------------------------------------------------


def test_one_row_is_enough() -> None:
    found = at([[1.0, 2.0]], [3.0])
    assert found.numbers == 1
    assert found.constant_inputs() == ("x1", "x2")


def test_constant_inputs() -> None:
    found = at([[1.0, 2.0], [1.0, 3.0]], [1.0, 2.0]) + at([[1.0, 4.0]], 0.0, "x1")
    assert found.constant_inputs() == ("x1",)
    assert (found + at([[0.0, 0.0]], 0.0)).constant_inputs() == ()


def test_contradictions() -> None:
    x = [[0.0, 1.0], [-0.0, 1.0], [2.0, 2.0], [2.0, 2.0], [0.0, 1.0]]
    known = at(x, [1.0, 3.0, 5.0, 5.0, 1.0]) + at(x[:1], 2.0) + at(x, [1.0, 1.0, 7.0, NAN, 1.0], "x1")
    known += at(x, [1.0, 9.0, 1.0, 1.0, 1.0], bound=1)
    known += at(x, [1.0, 9.0, 1.0, 1.0, 1.0], "x2", bound=1)
    assert [(c.kind, c.output, c.point, c.values) for c in known.contradictions()] == [
        ("value", "y1", (0.0, 1.0), (1.0, 2.0, 3.0))
    ]
    assert known.numbers == 5 + 1 + 4 + 5 + 5


def test_contradictions_along_directions_and_by_output() -> None:
    x, v = np.zeros((3, 1)), [[1.0], [2.0], [1.0]]
    values = np.array([[1.0, 1.0], [2.0, 2.0], [1.0, 5.0]])
    (found,) = at(x, values, along=v).contradictions()
    assert (found.kind, found.output, found.point, found.values) == ("along v", "y2", (0.0,), (1.0, 5.0))


@settings(deadline=None)
@given(arrays())
def test_contradictions_against_loops(data: Any) -> None:
    known = dense(*data[:4])
    said: dict[Any, set[float]] = {}
    for point, output, kind, _, value, *_ in facts(known):
        said.setdefault((kind, output, point), set()).add(value)
    expected = {key: tuple(sorted(values)) for key, values in said.items() if len(values) > 1}
    assert {(c.kind, c.output, c.point): c.values for c in known.contradictions()} == expected
