"""Particle swarm: points that fly about the best places they and their neighbours know.

With the constriction coefficients of Clerc and Kennedy (2002, IEEE Trans. Evol. Comput. 6, 58-73) a particle at x with
velocity v, whose best place is p and whose neighbourhood's best place is g, moves by

    v ← χ (v + φ₁ r₁ (p - x) + φ₂ r₂ (g - x)),   x ← x + v,   r₁, r₂ uniform in [0, 1], new ones for each number.

A particle that would leave the bounds stops there: it is put on the bound, and its velocity across the bound becomes
zero. Many least losses lie on bounds (those of a classifier, whose weights would grow for ever); a particle that is
thrown back never stays there, one that stops does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neuralgebra.errors import UsageError
from neuralgebra.fitting.population import DTYPES, box, choice, counts, draw, finite_or_inf, gained, number, whole
from neuralgebra.fitting.solver import Problem, State

__all__ = ["Swarm"]


@dataclass(frozen=True)
class Swarm:
    """Particle swarm; all particles are evaluated at once.

    Parameters
    ----------
    particles : int
        How many there are, at least 2.
    iterations : int
        How often they move.
    topology : {"global", "ring"}
        Who a particle hears of: all others, or its neighbours on a ring, which is slower and searches more widely.
    neighbours : int
        How many on either side on the ring.
    constriction : float
        χ, at most 1.
    cognition : float
        φ₁, the pull of a particle's own best place.
    society : float
        φ₂, the pull of its neighbourhood's best place.
    spread : float
        The start: each number of each particle lies within this distance of where the search begins.
    speed : float
        The furthest that a number moves in one iteration, in units of `spread`; ``math.inf`` is allowed.
    patience : int
        The search ends after so many iterations without a gain.
    tolerance : float
        A gain is a loss that is less by more than this part of itself.
    collapse : float
        The search ends when all particles lie within this distance of each other and rest, in units of `spread`.
    stride : int
        How many iterations make a round.
    dtype : {"float32", "float64"}
        What particles and their losses are computed in.

    Examples
    --------
    >>> Swarm(particles=40, topology="ring").name
    'swarm'
    """

    particles: int = 100
    iterations: int = 1000
    topology: str = "global"
    neighbours: int = 1
    constriction: float = 0.7298
    cognition: float = 2.05
    society: float = 2.05
    spread: float = 1.0
    speed: float = 0.5
    patience: int = 200
    tolerance: float = 1e-6
    collapse: float = 1e-6
    stride: int = 50
    dtype: str = "float32"

    name: ClassVar[str] = "swarm"

    def __post_init__(self) -> None:
        whole(self, "particles", 2)
        whole(self, "iterations neighbours patience stride", 1)
        number(self, "spread")
        number(self, "speed", most=math.inf)
        number(self, "constriction", most=1)
        number(self, "cognition society tolerance collapse", zero=True)
        choice(self, "topology", ("global", "ring"))
        choice(self, "dtype", DTYPES)
        if self.topology == "ring" and 2 * self.neighbours + 1 > self.particles:
            raise UsageError(
                f"neighbours={self.neighbours} on either side received for a ring of {self.particles} particles.\n"
                'Fewer neighbours or more particles expected; topology="global" lets each hear of all others.'
            )

    def start(self, problem: Problem, theta: np.ndarray, rng: np.random.Generator) -> State:
        """Return particles about a point, the first one on it, flying towards other such places."""
        dtype = np.dtype(self.dtype)
        low, high = box(problem, dtype)
        theta = np.clip(theta, low, high)
        left, right = np.maximum(low, theta - self.spread), np.minimum(high, theta + self.spread)
        places, goals = (draw(rng, left, right, self.particles) for _ in range(2))
        places[0] = theta
        positions = np.clip(places.astype(dtype), low, high)
        fastest = self.spread * self.speed
        velocities = np.clip((goals - places) / 2, -fastest, fastest).astype(dtype)
        with np.errstate(all="ignore"):
            losses = finite_or_inf(problem.losses(positions))
        flock = _Flock(self, problem, positions, velocities, positions.copy(), losses)
        state = flock.state()
        return {**state, **counts(evaluations=self.particles, iterations=0, rounds=0, stalled=0), "mark": state["loss"]}

    def step(self, problem: Problem, state: State, rng: np.random.Generator) -> State:
        """Return the state some iterations later."""
        flock = _Flock(self, problem, *(state[name].copy() for name in _ARRAYS))
        before = int(state["iterations"])
        moves = min(self.stride, self.iterations - before)
        with np.errstate(all="ignore"):  # a loss that overflows is infinite to a swarm, and no reason to warn
            for _ in range(moves):
                flock.move(rng)
        after = flock.state()
        better = gained(float(state["mark"]), float(after["loss"]), self.tolerance)
        numbers = counts(
            evaluations=int(state["evaluations"]) + moves * self.particles,
            iterations=before + moves,
            rounds=int(state["rounds"]) + 1,
            stalled=0 if better else int(state["stalled"]) + moves,
        )
        return {**after, **numbers, "mark": after["loss"] if better else state["mark"]}

    def finished(self, state: State) -> str | None:
        """Return why the search ends, or None."""
        iterations, stalled = int(state["iterations"]), int(state["stalled"])
        if float(state["extent"]) <= self.collapse * self.spread:
            return f"converged: all particles rest within {float(state['extent']):.1e} of each other"
        if iterations >= self.iterations:
            return f"{iterations} iterations done"
        if stalled < self.patience:
            return None
        if not np.isfinite(state["loss"]):
            return f"stopped: no particle met a finite loss in {iterations} iterations"
        return f"converged: no gain of more than {self.tolerance:g} of the loss in {stalled} iterations"


_ARRAYS = ("positions", "velocities", "places", "losses")


class _Flock:
    """All particles for the length of a round; every move works in place."""

    def __init__(
        self,
        swarm: Swarm,
        problem: Problem,
        positions: np.ndarray,
        velocities: np.ndarray,
        places: np.ndarray,
        losses: np.ndarray,
    ) -> None:
        self.problem = problem
        self.positions, self.velocities, self.places, self.losses = positions, velocities, places, losses
        dtype = positions.dtype
        self.inertia = dtype.type(swarm.constriction)
        pulls = (swarm.cognition, swarm.society)
        self.pulls = [dtype.type(swarm.constriction * pull / _MOST) for pull in pulls]
        self.fastest = dtype.type(swarm.spread * swarm.speed)
        low, high = box(problem, dtype)
        self.box = (low, high) if np.isfinite(low).any() or np.isfinite(high).any() else None
        self.ring = _ring(swarm) if swarm.topology == "ring" else None
        self.random = np.empty((2, *positions.shape), dtype)
        self.work = np.empty_like(positions)

    def move(self, rng: np.random.Generator) -> None:
        """Move all particles once."""
        np.copyto(self.random, _random(rng, self.random.shape))
        self.velocities *= self.inertia
        self._pull(self.places, 0)
        self._pull(self._leaders(), 1)
        np.clip(self.velocities, -self.fastest, self.fastest, out=self.velocities)
        self.positions += self.velocities
        if self.box:
            self._stop(*self.box)
        self._remember(finite_or_inf(self.problem.losses(self.positions)))

    def _pull(self, goal: np.ndarray, kind: int) -> None:
        work = np.subtract(goal, self.positions, out=self.work)
        work *= self.random[kind]
        work *= self.pulls[kind]
        self.velocities += work

    def _leaders(self) -> np.ndarray:
        """Return the best place in each neighbourhood, (S, P), or the one of all, (P,)."""
        if self.ring is None:
            return np.asarray(self.places[self.losses.argmin()])
        nearest = self.losses[self.ring].argmin(1)
        return np.asarray(self.places[self.ring[np.arange(len(nearest)), nearest]])

    def _stop(self, low: np.ndarray, high: np.ndarray) -> None:
        inside = np.clip(self.positions, low, high, out=self.work)
        np.copyto(self.velocities, 0, where=inside != self.positions)
        self.positions, self.work = inside, self.positions

    def _remember(self, losses: np.ndarray) -> None:
        better = np.flatnonzero(losses < self.losses)
        self.places[better] = self.positions[better]
        self.losses[better] = losses[better]

    def state(self) -> dict[str, np.ndarray]:
        """Return what the flock knows."""
        best = self.losses.argmin()
        extent = max(np.ptp(self.positions, axis=0).max(), np.abs(self.velocities).max())
        return {
            "theta": np.clip(self.places[best].astype(np.float64), *self.problem.bounds),
            "loss": np.array(self.losses[best], np.float64),
            "extent": np.array(extent, np.float64),
            **{name: getattr(self, name) for name in _ARRAYS},
        }


_MOST = 2**16 - 1


def _random(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return whole numbers from 0 to 2¹⁶ - 1, all alike likely.

    Sixteen bits are plenty for coefficients: what they multiply has all its digits. Four of them come from one number
    of the generator, which makes them three times as fast as floats.
    """
    count = int(np.prod(shape))
    words = rng.integers(0, 2**64 - 1, -(-count // 4), np.uint64, endpoint=True)
    return words.view(np.uint16)[:count].reshape(shape)


def _ring(swarm: Swarm) -> np.ndarray:
    """Return the numbers of each particle and its neighbours, (S, 2k + 1)."""
    near = np.arange(-swarm.neighbours, swarm.neighbours + 1)
    return (np.arange(swarm.particles)[:, None] + near) % swarm.particles
