"""Estimators of scikit-learn against the networks made of them."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import InputError, NeuralgebraError, UnsupportedError, UsageError

pytest.importorskip("sklearn")
pandas = pytest.importorskip("pandas")

from sklearn.compose import ColumnTransformer, TransformedTargetRegressor  # noqa: E402
from sklearn.linear_model import LinearRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import Pipeline, make_pipeline  # noqa: E402
from sklearn.preprocessing import (  # noqa: E402
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)) * [1, 100, 0.01] + [5, 1000, 0]
Y = (X - X.mean(0)) @ [1, 0.02, 300]
PAIRS = np.c_[Y, 1 - 2 * Y]
TWO = Y > 0
THREE = np.digitize(Y, [-1, 1])
FRAME = pandas.DataFrame(X, columns=["a", "b; drop", "c d"])


def regressor(**options: Any) -> Any:
    return MLPRegressor(hidden_layer_sizes=(5, 4), max_iter=8, random_state=0, **options)


def classifier(**options: Any) -> Any:
    return MLPClassifier(hidden_layer_sizes=(5,), max_iter=8, random_state=0, **options)


def fitted(estimator: Any, *data: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training stops early
        return estimator.fit(*data)


def agrees(estimator: Any, x: Any = X) -> na.Network:
    expected = estimator.predict_proba(x) if hasattr(estimator, "predict_proba") else estimator.predict(x)
    f = na.from_sklearn(estimator)
    found = f(np.asarray(x))
    np.testing.assert_allclose(found, expected.reshape(len(x), -1), rtol=1e-12, atol=1e-12 * np.abs(expected).max())
    return f


@pytest.mark.parametrize("name", ["identity", "logistic", "tanh", "relu"])
def test_each_activation(name: str) -> None:
    f = agrees(fitted(regressor(activation=name), X, Y))
    assert f.shape == (1, 3)
    agrees(fitted(classifier(activation=name), X / 1000, THREE), X / 1000)


def test_several_outputs() -> None:
    assert agrees(fitted(regressor(), X, PAIRS)).output_names == ("y1", "y2")


def test_the_weights_are_those_of_the_estimator() -> None:
    estimator = fitted(regressor(), X, Y)
    for (weight, bias), coefs, intercepts in zip(
        na.from_sklearn(estimator).layers_list(), estimator.coefs_, estimator.intercepts_, strict=True
    ):
        np.testing.assert_array_equal(weight, coefs.T)
        np.testing.assert_array_equal(bias, intercepts)


def test_the_poisson_loss() -> None:
    agrees(fitted(regressor(loss="poisson"), X / 1000, np.abs(Y)), X / 1000)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (TWO, ("p_False", "p_True")),
        (THREE, ("p_0", "p_1", "p_2")),
        (np.array(["a", "b b", "ü"])[THREE], ("p_a", "p_b b", "p_ü")),
        (np.c_[TWO, ~TWO, THREE > 1].astype(int), ("p_0", "p_1", "p_2")),
    ],
    ids=["two", "three", "texts", "several at once"],
)
def test_classifiers_give_probabilities(labels: np.ndarray, names: tuple[str, ...]) -> None:
    z = (X - X.mean(0)) / X.std(0)
    f = agrees(fitted(classifier(), z, labels), z)
    assert f.output_names == names
    assert 0.01 < f(z).min() < f(z).max() < 0.99


SCALERS = [
    *(StandardScaler(), StandardScaler(with_mean=False), StandardScaler(with_std=False)),
    *(MinMaxScaler(), MinMaxScaler((-1, 2)), MaxAbsScaler(), RobustScaler()),
    *(RobustScaler(with_centering=False), RobustScaler(with_scaling=False), "passthrough", FunctionTransformer()),
]


@pytest.mark.parametrize("scaler", SCALERS, ids=str)
def test_a_scaler_before_is_folded_in(scaler: Any) -> None:
    f = agrees(fitted(Pipeline([("scaler", scaler), ("mlp", regressor())]), X, Y))
    assert len(f.nodes) == 5
    assert [a.shape for a, _ in f.layers_list()] == [(5, 3), (4, 5), (1, 4)]


@pytest.mark.parametrize("scaler", SCALERS[:9], ids=str)
@pytest.mark.parametrize("targets", [Y, PAIRS], ids=["one", "two"])
def test_a_scaler_of_the_targets_is_folded_in(scaler: Any, targets: np.ndarray) -> None:
    f = agrees(fitted(TransformedTargetRegressor(regressor(), transformer=scaler), X, targets))
    assert len(f.nodes) == 5


def test_scalers_on_both_sides_in_several_steps() -> None:
    inner = make_pipeline(make_pipeline(StandardScaler(), None), MinMaxScaler(), regressor())
    outer = TransformedTargetRegressor(inner, transformer=make_pipeline(StandardScaler(), MinMaxScaler((2, 5))))
    assert len(agrees(fitted(outer, X, PAIRS)).nodes) == 5
    agrees(fitted(TransformedTargetRegressor(regressor()), X, Y))
    agrees(fitted(make_pipeline(StandardScaler(), classifier()), X, THREE))


@pytest.mark.parametrize("scaler", [*SCALERS[:3:2], MinMaxScaler(), RobustScaler()], ids=str)
@pytest.mark.parametrize("offset", [1.7e9, 1e12])
def test_large_offsets_cancel_no_digits(scaler: Any, offset: float) -> None:
    x = X + np.array([offset, 0, 0])
    estimator = fitted(make_pipeline(scaler, regressor()), x, Y)
    f = agrees(estimator, x)
    assert len(f.nodes) == 6
    assert isinstance(f.nodes[0].layer.weight, na.Diagonal)
    g = agrees(fitted(TransformedTargetRegressor(estimator, transformer=scaler), x, Y + offset), x)
    assert len(g.nodes) == 6


def test_large_offsets_in_several_steps() -> None:
    x = X + 1.7e9
    f = agrees(fitted(make_pipeline(StandardScaler(), MinMaxScaler(), classifier()), x, THREE), x)
    assert [type(node.layer).__name__ for node in f.nodes[:3]] == ["Affine", "Affine", "Elementwise"]


def test_feature_names_are_kept() -> None:
    for estimator in (
        regressor(),
        make_pipeline(StandardScaler(), regressor()),
        Pipeline([("nothing", "passthrough"), ("mlp", regressor())]),
        TransformedTargetRegressor(regressor(), transformer=StandardScaler()),
    ):
        assert agrees(fitted(estimator, FRAME, Y), FRAME).input_names == ("a", "b; drop", "c d")


def test_float32_stays_unless_a_float64_scaler_is_folded_in() -> None:
    x, y = X.astype(np.float32), Y.astype(np.float32)
    f = na.from_sklearn(fitted(regressor(), x, y))
    assert f.dtype == np.float32
    g = na.from_sklearn(fitted(make_pipeline(StandardScaler(), regressor()), x, y))
    assert g.dtype == np.float64


def of(estimator: Any, *data: Any) -> Callable[[], Any]:
    return lambda: fitted(estimator, *data)


class Twice(MLPRegressor):
    def predict(self, X: Any) -> Any:
        return 2 * super().predict(X)


REFUSED: dict[str, tuple[Callable[[], Any], type[NeuralgebraError], str]] = {
    "unfitted": (regressor, InputError, "not fitted"),
    "unfitted classifier": (classifier, InputError, "not fitted"),
    "unfitted pipeline": (
        lambda: make_pipeline(StandardScaler(), regressor()),
        InputError,
        "standardscaler.*not fitted",
    ),
    "unfitted target": (lambda: TransformedTargetRegressor(regressor()), InputError, "not fitted"),
    "one class": (of(classifier(), X, np.zeros(40, int)), UnsupportedError, "one class"),
    "a class": (lambda: MLPRegressor, UsageError, "MLPRegressor"),
    "a number": (lambda: 3, UsageError, "int"),
    "another estimator": (of(LinearRegression(), X, Y), UnsupportedError, "LinearRegression"),
    "a subclass": (of(Twice(max_iter=3), X, Y), UnsupportedError, "Twice"),
    "another step": (
        of(make_pipeline(PolynomialFeatures(), regressor()), X, Y),
        UnsupportedError,
        "polynomialfeatures",
    ),
    "columns": (
        of(make_pipeline(ColumnTransformer([("a", StandardScaler(), [0])]), regressor()), X, Y),
        UnsupportedError,
        "ColumnTransformer",
    ),
    "clipped": (of(make_pipeline(MinMaxScaler(clip=True), regressor()), X, Y), UnsupportedError, "clip=True"),
    "a function": (of(make_pipeline(FunctionTransformer(np.cbrt), regressor()), X, Y), UnsupportedError, "f @ g"),
    "targets by a function": (
        of(TransformedTargetRegressor(regressor(), func=np.cbrt, inverse_func=np.square), X, Y),
        UnsupportedError,
        "f @ g",
    ),
    "targets by another step": (
        of(TransformedTargetRegressor(regressor(), transformer=PowerTransformer()), X, Y),
        UnsupportedError,
        "PowerTransformer",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_cannot_be_read_is_refused_with_its_reason(name: str) -> None:
    make, error, word = REFUSED[name]
    with pytest.raises(error, match=word) as caught:
        na.from_sklearn(make())
    assert len(str(caught.value).splitlines()) <= 3


def test_weights_that_are_not_finite_are_refused() -> None:
    estimator = fitted(regressor(), X, Y)
    estimator.coefs_[0][0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        na.from_sklearn(estimator)


def test_sparse_weights_are_refused() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    estimator = fitted(regressor(), X, Y)
    estimator.coefs_[0] = sparse.csr_matrix(estimator.coefs_[0])
    with pytest.raises(NeuralgebraError, match="dtype object"):
        na.from_sklearn(estimator)
