"""`na.fit` as an estimator of scikit-learn. The one file of this storey that imports it."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralgebra.calculus.derivatives import hessian, jacobian, value
from neuralgebra.errors import MissingExtra, UsageError
from neuralgebra.fitting.fit import fit, fit_report
from neuralgebra.fitting.report import FitReport

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingExtra("na.Regressor needs scikit-learn, which is not installed: pip install scikit-learn") from error

__all__ = ["Regressor"]


class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A network that is fitted to values and derivatives, for pipelines and searches of scikit-learn.

    Parameters
    ----------
    hidden : sequence of int
        Sizes of the hidden layers.
    activation : str
        Between the layers.
    solver : str or Solver
        As for `fit`.
    decay : float or "auto"
        As for `fit`.
    iterations : int, optional
        Of the solver; its own number by default.
    validation : float
        Part of the points that is held back.
    restarts : int
        Number of random starts.
    random_state : int or None
        The seed; None is 0: a fit is a function of its data.
    solver_options : dict, optional
        Further options of the solver.

    Attributes
    ----------
    network_ : Network
        The function, after `fit`; everything of the package applies to it.
    report_ : FitReport
        How well it fits.

    Examples
    --------
    >>> x = np.linspace(0, 3, 20)[:, None]
    >>> estimator = Regressor(hidden=(8,)).fit(x, np.sin(x[:, 0]), dydx=np.cos(x))
    >>> estimator.predict_derivative([[0.5]]).round(3)
    array([[0.878]])
    """

    def __init__(
        self,
        hidden: Any = (20, 10),
        activation: Any = "tanh",
        solver: Any = "auto",
        decay: Any = "auto",
        iterations: int | None = None,
        validation: float = 0.0,
        restarts: int = 1,
        random_state: Any = None,
        solver_options: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.solver = solver
        self.decay = decay
        self.iterations = iterations
        self.validation = validation
        self.restarts = restarts
        self.random_state = random_state
        self.solver_options = solver_options

    def fit(self, X: Any, y: Any, dydx: Any = None, d2ydx2: Any = None, sample_weight: Any = None) -> Regressor:
        """Return the estimator, fitted.

        Parameters
        ----------
        X : array_like, shape (N, n)
            Points.
        y : array_like, shape (N,) or (N, m)
            Values; NaN where they are not known, if derivatives are given.
        dydx : array_like, shape (N, n) or (N, m, n), optional
            First derivatives; NaN where they are not known.
        d2ydx2 : array_like, shape (N, n, n) or (N, m, n, n), optional
            Second derivatives.
        sample_weight : array_like, shape (N,), optional
            Weight of each point.

        Returns
        -------
        Regressor
            Itself.
        """
        if dydx is None and d2ydx2 is None:
            X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        else:  # values may be missing
            X = validate_data(self, X, dtype=np.float64)
            y = np.asarray(y, dtype=np.float64)
        self._single = y.ndim == 1
        given = {**({} if self.iterations is None else {"iterations": self.iterations}), **(self.solver_options or {})}
        self.network_ = fit(
            X, y, dydx=dydx, d2ydx2=d2ydx2, sample_weight=sample_weight, hidden=self.hidden,
            activation=self.activation, solver=self.solver, decay=self.decay, validation=self.validation,
            restarts=self.restarts, seed=_seed(self.random_state), progress=False, **given,
        )  # fmt: skip
        self.report_: FitReport = fit_report(self.network_)
        self.n_iter_ = max(1, self.report_.rounds)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the values at points, (N,) or (N, m), as those that were fitted."""
        x = self._points(X)
        y = value(self.network_, x)
        return np.asarray(y[:, 0] if self._single else y)

    def predict_derivative(self, X: Any, order: int = 1) -> np.ndarray:
        """Return first or second derivatives at points.

        Parameters
        ----------
        X : array_like, shape (N, n)
            Points.
        order : {1, 2}
            Of the derivatives.

        Returns
        -------
        array, shape (N, n) or (N, m, n); (N, n, n) or (N, m, n, n)
            The derivatives, without the axis of outputs where y had none.
        """
        x = self._points(X)  # not fitted: said first
        if order not in (1, 2):
            raise UsageError(f"order={order!r} received; 1 or 2 expected. Ask network_.derivative for others.")
        found = (jacobian if order == 1 else hessian)(self.network_, x)
        return np.asarray(found[:, 0] if self._single else found)

    def _points(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(validate_data(self, X, dtype=np.float64, reset=False))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _seed(state: Any) -> int:
    if state is None:
        return 0
    return int(state) if isinstance(state, int | np.integer) else int(state.randint(np.iinfo(np.int32).max))
