"""Differential evolution, through SciPy: points of a box that are mixed with differences of each other.

A round hands the population to SciPy and takes it back some generations later. SciPy evaluates a population that it is
handed, so a round costs one generation more than it makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.optimize import differential_evolution

from neuralgebra.errors import UsageError, shown
from neuralgebra.fitting.population import DTYPES, box, choice, counts, draw, finite_or_inf, gained, number, whole
from neuralgebra.fitting.solver import Problem, State

__all__ = ["Evolution"]

_KINDS = ("best1", "best2", "rand1", "rand2", "randtobest1", "currenttobest1")
STRATEGIES = tuple(kind + crossing for kind in _KINDS for crossing in ("bin", "exp"))


@dataclass(frozen=True)
class Evolution:
    """Differential evolution in a box; a whole generation is evaluated at once.

    Parameters
    ----------
    population : int
        How many points there are, at least 5.
    generations : int
        How often they are mixed.
    strategy : str
        SciPy's name of how they are mixed, such as "best1bin" or "rand1exp".
    mutation : float or (float, float)
        How much of a difference is added, below 2; of a pair, a number between them is drawn for each generation.
    recombination : float
        How likely a number is taken from the mixture, at most 1.
    patience : int
        The search ends after so many generations without a gain.
    tolerance : float
        A gain is a loss that is less by more than this part of itself; the search also ends when the losses of all
        points differ by no more than this part of them.
    stride : int
        How many generations make a round.
    dtype : {"float32", "float64"}
        What losses are computed in.

    Examples
    --------
    >>> Evolution(population=60, mutation=0.7).name
    'evolution'
    """

    population: int = 100
    generations: int = 1000
    strategy: str = "best1bin"
    mutation: float | tuple[float, float] = (0.5, 1.0)
    recombination: float = 0.7
    patience: int = 200
    tolerance: float = 1e-6
    stride: int = 50
    dtype: str = "float64"

    name: ClassVar[str] = "evolution"

    def __post_init__(self) -> None:
        whole(self, "population", 5)
        whole(self, "generations patience stride", 1)
        number(self, "tolerance", zero=True)
        number(self, "recombination", zero=True, most=1)
        choice(self, "strategy", STRATEGIES)
        choice(self, "dtype", DTYPES)
        ends = self.mutation if isinstance(self.mutation, tuple) else (self.mutation, self.mutation)
        real = all(isinstance(end, int | float) and 0 <= end < 2 for end in ends)
        if len(ends) != 2 or not real or ends[0] > ends[1]:
            raise UsageError(
                f"Evolution(mutation={shown(repr(self.mutation))}) received; "
                "a number from 0 to below 2, or an ascending pair of them, expected."
            )

    def start(self, problem: Problem, theta: np.ndarray, rng: np.random.Generator) -> State:
        """Return points spread over the box of all bounds, the first one where the search begins."""
        low, high = _finite(problem)
        population = draw(rng, low, high, self.population)
        population[0] = np.clip(theta, low, high)
        with np.errstate(all="ignore"):
            losses = self._evaluator(problem, [])(population.T)
        theta = self._rounded(problem, population[losses.argmin()])
        state = _best(theta, losses.min(), population, losses)
        return {
            **state,
            **counts(evaluations=self.population, generations=0, rounds=0, stalled=0),
            "mark": state["loss"],
        }

    def step(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state some generations later."""
        before = int(state["generations"])
        evaluated: list[int] = []
        most = min(self.stride, self.generations - before)
        found = self._scipy(problem, state["population"], most, evaluated, rng)
        population = np.clip(found.population, *problem.bounds)
        theta, loss = self._rounded(problem, found.x), float(found.fun)
        if loss >= state["loss"]:  # SciPy's box is [0, 1]: what it hands back is rounded, and may be worse by that
            theta, loss = state["theta"], float(state["loss"])
        better = gained(float(state["mark"]), loss, self.tolerance)
        numbers = counts(
            evaluations=int(state["evaluations"]) + sum(evaluated),
            generations=before + found.nit,
            rounds=int(state["rounds"]) + 1,
            stalled=0 if better else int(state["stalled"]) + found.nit,
        )
        after = _best(theta, loss, population, found.population_energies)
        return {**after, **numbers, "mark": after["loss"] if better else state["mark"]}

    def _scipy(
        self, problem: Problem, population: np.ndarray, most: int, evaluated: list[int], rng: np.random.Generator
    ) -> Any:
        with np.errstate(all="ignore"):
            return differential_evolution(
                self._evaluator(problem, evaluated),
                np.stack(_finite(problem), 1),
                strategy=self.strategy,
                maxiter=most,
                tol=0,
                mutation=self.mutation,
                recombination=self.recombination,
                seed=rng,
                polish=False,
                init=population,
                updating="deferred",
                vectorized=True,
            )

    def _rounded(self, problem: Problem, theta: np.ndarray) -> np.ndarray:
        """Return the point whose loss is computed for a point of the population."""
        dtype = np.dtype(self.dtype)
        inside = np.clip(theta.astype(dtype), *box(problem, dtype))
        return np.asarray(np.clip(inside.astype(np.float64), *problem.bounds))

    def _evaluator(self, problem: Problem, evaluated: list[int]) -> Callable[[np.ndarray], np.ndarray]:
        """Return the losses of points in columns, (P, S), as a function that notes how many it was given."""
        dtype = np.dtype(self.dtype)
        low, high = box(problem, dtype)

        def losses(columns: np.ndarray) -> np.ndarray:
            evaluated.append(columns.shape[1])
            thetas = np.clip(np.ascontiguousarray(columns.T, dtype), low, high)
            return np.asarray(finite_or_inf(problem.losses(thetas)), np.float64)

        return losses

    def finished(self, state: State) -> str | None:
        """Return why the search ends, or None."""
        generations, stalled, losses = int(state["generations"]), int(state["stalled"]), state["losses"]
        finite = bool(np.isfinite(losses).all())
        if finite and float(np.std(losses)) <= self.tolerance * abs(float(np.mean(losses))):
            return f"converged: all losses agree to {self.tolerance:g} of them"
        if generations >= self.generations:
            return f"{generations} generations done"
        if stalled < self.patience:
            return None
        if not np.isfinite(state["loss"]):
            return f"stopped: no point had a finite loss in {generations} generations"
        return f"converged: no gain of more than {self.tolerance:g} of the loss in {stalled} generations"


def _finite(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds, which must be finite."""
    low, high = (np.asarray(b, np.float64) for b in problem.bounds)
    open_ends = int((~np.isfinite(high - low)).sum())
    if open_ends:
        raise UsageError(
            f"no finite bounds received for {open_ends} of {problem.size} numbers; evolution searches a box.\n"
            "Give bounds, such as bounds=(-3, 3) for all numbers, or choose another solver, such as swarm."
        )
    return low, high


def _best(theta: np.ndarray, loss: float, population: np.ndarray, losses: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "theta": theta.copy(),
        "loss": np.array(loss, np.float64),
        "population": population,
        "losses": losses,
    }
