"""Levenberg and Marquardt: least squares by damped normal equations.

    (JᵀJ + μ D) δ = -Jᵀr,    D = diag of the largest JᵀJ so far,

with the damping of Nielsen: μ falls by how well the model foretold the loss, and doubles its growth while steps fail.
Where the normal equations have lost what the residuals still tell, which squares the condition number, the step comes
from a QR factorisation of J itself.

With `evidence` the decay λ of the weights is found on the way, as the one under which the data are most likely: with
γ = P - λ tr (JᵀJ + λ)⁻¹ the number of weights that the data determine,

    λ = γ / |W|² · Σ r² / (N - γ).

Sources: D. Marquardt, J. SIAM 11 (1963); H. B. Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05;
D. MacKay, Neural Computation 4 (1992); F. D. Foresee, M. T. Hagan, ICNN 1997.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, qr, solve_triangular

from neuralgebra.errors import UsageError, shown
from neuralgebra.fitting.solver import State, state

__all__ = ["LevenbergMarquardt"]

_MOST_FAILURES = 12  # in a row, after which another factorisation is tried, or nothing is left to gain
_QR_NUMBERS = 1 << 25  # entries of J, beyond which it is not made
_LEAST = 1e-12  # of the largest entry of D: what no data tell is damped all the same


@dataclass(frozen=True)
class LevenbergMarquardt:
    """Least squares by damped normal equations, for networks of up to a few thousand numbers.

    Parameters
    ----------
    iterations : int
        At most.
    tolerance : float
        Relative decrease of the loss, over a round, below which the fit has converged.
    accuracy : float
        Root mean square of the residuals, in units of the data's own, at which the fit ends.
    damping : float
        μ at the start.
    per_round : int
        Iterations of a round.
    evidence : bool
        Whether the decay of the weights is found from the data; it starts from `decay`.
    decay : float
        λ at the start.
    """

    iterations: int = 500
    tolerance: float = 1e-4
    accuracy: float = 1e-6
    damping: float = 1e-2
    per_round: int = 10
    evidence: bool = False
    decay: float = 1e-3
    name = "lm"

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.per_round < 1:
            raise UsageError(f"iterations={shown(self.iterations)} received; a number of at least 1 expected.")
        if not (min(self.tolerance, self.accuracy) >= 0 and self.damping > 0):
            given = f"tolerance={shown(self.tolerance)}, accuracy={shown(self.accuracy)}, damping={shown(self.damping)}"
            raise UsageError(f"{given} received; numbers of at least 0 expected, and a damping above 0.")

    def start(self, problem: Any, theta: np.ndarray, rng: Any) -> State:
        """Return the state before the first round."""
        del rng
        decay, (loss, _, _) = self.decay if self.evidence else 0.0, problem.normal(theta)
        return state(
            theta, loss, iterations=0, damping=self.damping, growth=2.0, scale=np.zeros(problem.size),
            stalled=False, exact=False, gain=np.inf, decay=decay, determined=float(problem.size), met=np.inf,
            score=np.inf,
        )  # fmt: skip

    def step(self, problem: Any, known: State, rng: Any) -> State:
        """Return the state after a round."""
        del rng
        run = _Run(problem, known)
        before = run.loss
        for _ in range(min(self.per_round, self.iterations - int(known["iterations"]))):
            if not run.iterate():
                break
        gain = (before - run.loss) / before if before > 0 else 0.0
        if self.evidence:
            gain = max(gain, run.weigh())
        else:
            run.score = run.loss
        return run.state(known, gain)

    def finished(self, known: State) -> str | None:
        """Return why the fit ends, if it does."""
        if float(known["met"]) <= self.accuracy:
            return f"converged: the data are met to {self.accuracy:g} of their scale"
        if bool(known["stalled"]):
            return "converged: no step lowers the loss any more"
        if float(known["gain"]) < self.tolerance:
            return f"converged: a round lowers the loss by less than {self.tolerance:g} of itself"
        if int(known["iterations"]) >= self.iterations:
            return f"{self.iterations} iterations done"
        return None


class _Run:
    """The iterations of a round: numbers that change."""

    def __init__(self, problem: Any, known: Mapping[str, np.ndarray]) -> None:
        self.problem = problem
        self.decay = float(known["decay"])
        self.determined = float(known["determined"])
        self.penalised = problem.penalised if self.decay else np.zeros(problem.size)
        self.theta = np.array(known["theta"])
        self.damping, self.growth = float(known["damping"]), float(known["growth"])
        self.scale, self.exact = np.array(known["scale"]), bool(known["exact"])
        self.iterations = self.evaluations = 0
        self.stalled = False
        self.score = float(known["score"])
        self._take(self._normal(self.theta))

    def _take(self, found: tuple[float, np.ndarray, np.ndarray]) -> None:
        """Keep the normal equations of the present θ."""
        self.data, self.matrix, self.gradient = found
        self._add_decay()
        self.scale = np.maximum(self.scale, np.diag(self.matrix))
        self._root: tuple[np.ndarray, np.ndarray] | None = None

    def _normal(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        self.evaluations += 1
        return self.problem.normal(theta)  # type: ignore[no-any-return]

    def _add_decay(self) -> None:
        squares = self.decay * self.penalised
        self.matrix[np.diag_indices_from(self.matrix)] += squares
        self.gradient = self.gradient + squares * self.theta
        self.loss = self.data + float(self.theta @ (squares * self.theta)) / 2

    def weigh(self) -> float:
        """Move the decay to where the data make it most likely; return by how much it changed, relatively."""
        matrix, old, size, numbers = self.matrix.copy(), self.decay, len(self.theta), self.problem.counted
        matrix[np.diag_indices_from(matrix)] += 1e-12 * np.maximum(self.scale, _LEAST * self.scale.max())
        try:
            factor = cho_factor(matrix, lower=True, overwrite_a=True)
        except (LinAlgError, ValueError):
            self.score = min(self.score, self.loss)
            return 0.0
        trace = float(np.diag(cho_solve(factor, np.eye(size))) @ self.penalised)
        self.determined = float(np.clip(size - old * trace, 0.0, size))
        squares = max(float(self.theta @ (self.penalised * self.theta)), 1e-300)
        freedom = max(numbers - self.determined, 0.05 * numbers)
        noise = max(2 * self.data / freedom, 1e-300)  # the variance of one residual
        self.score = self._unlikeliness(noise, squares, 2 * float(np.log(np.diag(factor[0])).sum()))
        weights = max(1e-3, self.determined - (size - self.penalised.sum()))
        self.decay = float(np.clip(weights / squares * noise, 1e-14 * numbers, 10.0 * numbers))
        return abs(self.decay - old) / max(self.decay, old) * 1e-3

    def _unlikeliness(self, noise: float, squares: float, logarithm: float) -> float:
        """Return minus the logarithm of the evidence, but for constants: what points are compared by."""
        numbers, count = self.problem.counted, float(self.penalised.sum())
        misfit = (self.data + self.decay * squares / 2) / noise
        volume = logarithm - len(self.theta) * np.log(noise) - count * np.log(self.decay / noise)
        return float(misfit + (volume + numbers * np.log(noise)) / 2)

    def iterate(self) -> bool:
        """Take one step that lowers the loss; return whether there was one."""
        for _ in range(_MOST_FAILURES):
            step, foretold = self._step()
            if step is not None and self._accepted(step, foretold):
                self.iterations += 1
                return True
            self.damping, self.growth = min(self.damping * self.growth, 1e300), min(self.growth * 2, 1e15)
        if self.exact or self.matrix.shape[0] * self.problem.rows > _QR_NUMBERS:
            self.stalled = True
            return False
        self.exact, self.damping, self.growth = True, 1e-6, 2.0
        return self.iterate()

    def _step(self) -> tuple[np.ndarray | None, float]:
        """Return a step and the decrease that the model foretells."""
        diagonal = self.damping * np.maximum(self.scale, _LEAST * self.scale.max())
        try:
            step = self._by_qr(diagonal) if self.exact else self._by_cholesky(diagonal)
        except (LinAlgError, ValueError):
            return None, 0.0
        return step, float(step @ (diagonal * step) - self.gradient @ step) / 2

    def _by_cholesky(self, diagonal: np.ndarray) -> np.ndarray:
        matrix = self.matrix.copy()
        matrix[np.diag_indices_from(matrix)] += diagonal
        # Numbers that are not finite make a step that is not, which lowers no loss: nobody need look for them here.
        factor = cho_factor(matrix.T, lower=True, overwrite_a=True, check_finite=False)
        return -np.asarray(cho_solve(factor, self.gradient, check_finite=False))

    def _by_qr(self, diagonal: np.ndarray) -> np.ndarray:
        """Return the step by two factorisations: of J, once for each θ, and of its R with the damping."""
        if self._root is None:
            r, j = self.problem.jacobian(self.theta)
            root = np.sqrt(self.decay * self.penalised)
            r, j = np.concatenate([r, root * self.theta]), np.concatenate([j, np.diag(root)])
            q, upper = qr(j, mode="economic", overwrite_a=True)
            self._root = upper, q.T @ r
        upper, right = self._root
        stacked = np.concatenate([upper, np.diag(np.sqrt(diagonal))])
        q, small = qr(stacked, mode="economic", overwrite_a=True)
        target = q[: len(right)].T @ right
        return -np.asarray(solve_triangular(small, target))

    def _accepted(self, step: np.ndarray, foretold: float) -> bool:
        low, high = self.problem.bounds
        theta = np.clip(self.theta + step, low, high)
        found = self._normal(theta)  # most steps are good: the loss by itself would be computed in vain
        loss = found[0] + self.decay / 2 * float(theta @ (self.penalised * theta))
        if not loss < self.loss:
            return False
        quality = (self.loss - loss) / foretold if foretold > 0 else 1.0
        self.damping = max(self.damping * max(1 / 3, 1 - (2 * quality - 1) ** 3), 1e-18)
        self.growth, self.theta = 2.0, theta
        self._take(found)
        return True

    def state(self, known: State, gain: float) -> State:
        """Return the state after the round."""
        return state(
            self.theta, self.loss, known, evaluations=self.evaluations,
            iterations=int(known["iterations"]) + self.iterations, damping=self.damping, growth=self.growth,
            scale=self.scale, stalled=self.stalled, exact=self.exact, gain=gain, decay=self.decay, score=self.score,
            determined=self.determined, met=np.sqrt(2 * self.data / self.problem.counted),
        )  # fmt: skip
