"""L-BFGS by SciPy, in rounds: each begins with an empty memory of curvature, so that nothing but θ is remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from neuralgebra.errors import UsageError, shown
from neuralgebra.fitting.solver import State, state

__all__ = ["QuasiNewton"]


@dataclass(frozen=True)
class QuasiNewton:
    """Limited-memory quasi-Newton steps, for networks and data of any size.

    Parameters
    ----------
    iterations : int
        At most.
    tolerance : float
        Relative decrease of the loss, over a round, below which the fit has converged.
    memory : int
        Pairs of steps and changes of the gradient that are kept.
    per_round : int
        Iterations of a round.
    """

    iterations: int = 5000
    tolerance: float = 1e-7
    memory: int = 30
    per_round: int = 200
    name = "lbfgs"

    def __post_init__(self) -> None:
        if min(self.iterations, self.memory, self.per_round) < 1:
            raise UsageError(
                f"iterations={shown(self.iterations)}, memory={shown(self.memory)} received; at least 1 each expected."
            )

    def start(self, problem: Any, theta: np.ndarray, rng: Any) -> State:
        """Return the state before the first round."""
        del rng
        return state(theta, problem.loss(theta), iterations=0, gain=np.inf)

    def step(self, problem: Any, known: State, rng: Any) -> State:
        """Return the state after a round."""
        del rng
        before = float(known["loss"])
        count = min(self.per_round, self.iterations - int(known["iterations"]))
        options = {"maxiter": count, "maxcor": self.memory, "maxfun": 20 * count, "ftol": 0.0, "gtol": 0.0}
        low, high = problem.bounds
        bounds = None if np.isinf(low).all() and np.isinf(high).all() else list(zip(low, high, strict=True))
        found = minimize(problem.gradient, known["theta"], jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        better = bool(found.fun < before)
        theta, loss = (found.x, float(found.fun)) if better else (known["theta"], before)
        gain = (before - loss) / before if before > 0 else 0.0
        iterations = int(known["iterations"]) + max(1, int(found.nit))
        return state(theta, loss, known, evaluations=int(found.nfev), iterations=iterations, gain=gain)

    def finished(self, known: State) -> str | None:
        """Return why the fit ends, if it does."""
        if float(known["loss"]) == 0.0:
            return "converged: the data are met exactly"
        if float(known["gain"]) < self.tolerance:
            return f"converged: a round lowers the loss by less than {self.tolerance:g} of itself"
        if int(known["iterations"]) >= self.iterations:
            return f"{self.iterations} iterations done"
        return None
