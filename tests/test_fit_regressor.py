"""The estimator of scikit-learn: its protocol, pipelines, searches, derivatives."""

import warnings

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import neuralgebra as na
from neuralgebra.errors import UsageError

X = np.random.default_rng(0).uniform(-1, 1, (60, 2))
Y = np.sin(2 * X[:, 0]) + X[:, 1]
SLOPES = np.stack([2 * np.cos(2 * X[:, 0]), np.ones(60)], 1)


@pytest.mark.filterwarnings("ignore")
def test_the_protocol_of_scikit_learn() -> None:
    """Every check of scikit-learn, sample weights as repeated rows among them."""
    found = check_estimator(na.Regressor(hidden=(5,), iterations=30), on_fail=None)
    assert [(check["check_name"], check["exception"]) for check in found if check["status"] == "failed"] == []
    assert len(found) > 40


def test_derivatives_are_fitted_and_predicted() -> None:
    fitted = na.Regressor(hidden=(8,)).fit(X, Y, dydx=SLOPES)
    np.testing.assert_allclose(fitted.predict(X), Y, atol=1e-3)
    np.testing.assert_allclose(fitted.predict_derivative(X), SLOPES, atol=1e-2)
    assert fitted.predict_derivative(X, order=2).shape == (60, 2, 2)
    two = na.Regressor(hidden=(6,)).fit(X, np.stack([Y, -Y], 1))
    assert two.predict(X).shape == (60, 2)
    assert two.predict_derivative(X).shape == (60, 2, 2)
    with pytest.raises(UsageError, match="order=3"):
        fitted.predict_derivative(X, order=3)


def test_values_may_be_missing_where_derivatives_are_known() -> None:
    y = np.where(np.arange(60) % 2, Y, np.nan)
    fitted = na.Regressor(hidden=(8,)).fit(X, y, dydx=SLOPES)
    np.testing.assert_allclose(fitted.predict(X), Y, atol=1e-2)


def test_pipelines_and_searches() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        steps = make_pipeline(StandardScaler(), na.Regressor(hidden=(4,), iterations=20))
        search = GridSearchCV(steps, {"regressor__hidden": [(1,), (6,)]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"regressor__hidden": (6,)}
    assert search.score(X, Y) > 0.99
