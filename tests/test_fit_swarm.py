"""Solvers that move many points at once: particle swarm and differential evolution."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from neuralgebra.errors import UsageError
from neuralgebra.fitting.evolution import Evolution
from neuralgebra.fitting.solver import Solver, State, generator
from neuralgebra.fitting.swarm import Swarm


def quadratic(thetas: np.ndarray) -> np.ndarray:
    return ((thetas - 1) ** 2).sum(1)


def rosenbrock(thetas: np.ndarray) -> np.ndarray:
    return (100 * (thetas[:, 1:] - thetas[:, :-1] ** 2) ** 2 + (1 - thetas[:, :-1]) ** 2).sum(1)


def rastrigin(thetas: np.ndarray) -> np.ndarray:
    return (10 + thetas * thetas - 10 * np.cos(2 * np.pi * thetas)).sum(1)


def noise(thetas: np.ndarray) -> np.ndarray:
    return 10 + np.sin(1e6 * thetas).sum(1)


@dataclass
class Toy:
    """A problem that remembers what it was asked; only many points at once can be asked."""

    function: Callable[[np.ndarray], np.ndarray]
    size: int
    reach: float = np.inf
    rows: int = 1
    asked: list[np.ndarray] = field(default_factory=list)

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        return np.full(self.size, -self.reach), np.full(self.size, self.reach)

    def losses(self, thetas: np.ndarray) -> np.ndarray:
        self.asked.append(thetas.copy())
        return self.function(thetas)

    loss: Any = None
    gradient: Any = None
    normal: Any = None


def rounds(solver: Solver, problem: Toy, seed: int = 0, first: State | None = None) -> list[State]:
    """Return all states of a run, from the start or from a state on."""
    theta = np.linspace(-0.5, 0.5, problem.size)
    states = [first or solver.start(problem, theta, generator(seed, 0, 0))]
    while solver.finished(states[-1]) is None:
        number = int(states[-1]["rounds"]) + 1
        states.append(solver.step(problem, states[-1], generator(seed, 0, number)))
    return states


def through_bytes(state: State) -> State:
    return {k: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape) for k, a in state.items()}


def same(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and a[k].tobytes() == b[k].tobytes() for k in a)


SWARM = Swarm(particles=40, iterations=600, dtype="float64")
EVOLUTION = Evolution(population=40, generations=400)
SOLVERS: list[Any] = [
    SWARM,
    replace(SWARM, topology="ring", dtype="float32"),
    EVOLUTION,
    replace(EVOLUTION, dtype="float32"),
]


@pytest.mark.parametrize(
    ("solver", "function", "size", "reach", "loss"),
    [
        (SWARM, quadratic, 10, np.inf, 1e-6),
        (replace(SWARM, iterations=2000), rosenbrock, 4, np.inf, 1e-3),
        (replace(SWARM, topology="ring", spread=5, speed=1, iterations=1000), rastrigin, 4, np.inf, 1e-6),
        (replace(SWARM, dtype="float32"), quadratic, 10, 5, 1e-6),
        (EVOLUTION, quadratic, 10, 5, 1e-6),
        (EVOLUTION, rosenbrock, 4, 5, 1e-3),
        (replace(EVOLUTION, strategy="rand1bin"), rastrigin, 4, 5, 1e-3),
        (replace(EVOLUTION, dtype="float32", strategy="best1exp"), quadratic, 5, 5, 1e-6),
    ],
)
def test_finds_the_least_loss(
    solver: Any, function: Callable[[np.ndarray], np.ndarray], size: int, reach: float, loss: float
) -> None:
    reached = [float(rounds(solver, Toy(function, size, reach), seed)[-1]["loss"]) for seed in range(5)]
    assert np.median(reached) < loss


@pytest.mark.parametrize("solver", SOLVERS)
def test_states_are_plain_and_agree_with_themselves(solver: Any) -> None:
    problem = Toy(quadratic, 3, 2.0)
    states = rounds(solver, problem)
    for state in states:
        assert all(
            isinstance(a, np.ndarray) and str(a.dtype) in ("float64", "float32", "int64") for a in state.values()
        )
        assert state["theta"].dtype == np.float64 == state["loss"].dtype
        assert state["theta"].shape == (3,)
        expected = quadratic(state["theta"][None].astype(solver.dtype))[0]
        assert state["loss"] == pytest.approx(expected, rel=1e-12 if solver.dtype == "float64" else 1e-6)
    assert int(states[-1]["evaluations"]) == sum(map(len, problem.asked))
    assert {a.dtype for a in problem.asked} == {np.dtype(solver.dtype)}
    losses = [float(s["loss"]) for s in states]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_run_that_goes_on_from_saved_bytes_ends_with_the_same_bits(solver: Any) -> None:
    problem = Toy(rosenbrock, 3, 2.0)
    whole = rounds(solver, problem)
    middle = through_bytes(whole[len(whole) // 2])  # read-only arrays: a step that wrote into its state would fail
    assert 0 < int(middle["rounds"]) < int(whole[-1]["rounds"])
    assert same(rounds(solver, problem, first=middle)[-1], whole[-1])
    steps = [solver.step(problem, middle, generator(seed, 0, 1)) for seed in (0, 1)]
    assert not same(*steps)


def slow_move(swarm: Swarm, state: State, words: np.ndarray, function: Any, low: float, high: float) -> dict[str, Any]:
    """The definition, one number after the other."""
    x, v, p, losses = (state[name].copy() for name in ("positions", "velocities", "places", "losses"))
    count, size = x.shape
    r = words.view(np.uint16)[: 2 * count * size].reshape(2, count, size) / 65535
    chi, ring = swarm.constriction, swarm.topology == "ring"
    near = range(-swarm.neighbours, swarm.neighbours + 1)
    leaders = [
        min([(s + d) % count for d in near] if ring else range(count), key=losses.__getitem__) for s in range(count)
    ]
    for s in range(count):
        for i in range(size):
            pull = swarm.cognition * r[0, s, i] * (p[s, i] - x[s, i])
            pull += swarm.society * r[1, s, i] * (state["places"][leaders[s], i] - x[s, i])
            v[s, i] = chi * (v[s, i] + pull)
            v[s, i] = max(-swarm.speed * swarm.spread, min(swarm.speed * swarm.spread, v[s, i]))
            x[s, i] += v[s, i]
            if not low <= x[s, i] <= high:
                x[s, i], v[s, i] = (low if x[s, i] < low else high), 0.0
    for s, loss in enumerate(function(x)):
        if loss < losses[s]:
            p[s], losses[s] = x[s], loss
    return {"positions": x, "velocities": v, "places": p, "losses": losses}


@pytest.mark.parametrize("topology", ["global", "ring"])
def test_a_move_is_its_definition(topology: str) -> None:
    swarm = Swarm(
        particles=7,
        iterations=30,
        stride=1,
        topology=topology,
        neighbours=2,
        cognition=1.7,
        society=2.3,
        speed=0.2,
        dtype="float64",
    )
    problem = Toy(rosenbrock, 3, 0.6)
    stopped = limited = 0
    for state in rounds(swarm, problem)[:-1]:
        number = int(state["rounds"]) + 1
        words = generator(0, 0, number).integers(0, 2**64 - 1, -(-2 * 7 * 3 // 4), np.uint64, endpoint=True)
        expected = slow_move(swarm, state, words, rosenbrock, -0.6, 0.6)
        found = swarm.step(problem, state, generator(0, 0, number))
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-13)
        stopped += int((np.abs(found["positions"]) == 0.6).sum())
        limited += int((np.abs(found["velocities"]) == 0.2).sum())
    assert stopped > 0
    assert limited > 0


@pytest.mark.parametrize(
    "solver", [SWARM, replace(SWARM, dtype="float32"), EVOLUTION, replace(EVOLUTION, dtype="float32")]
)
def test_no_point_leaves_the_bounds(solver: Any) -> None:
    problem = Toy(quadratic, 4, 0.1)  # 0.1 lies below the float32 nearest to it; the least loss lies outside
    states = rounds(solver, problem)
    assert max(np.abs(a.astype(np.float64)).max() for a in problem.asked) <= 0.1
    assert np.abs(states[-1]["theta"]).max() <= 0.1
    np.testing.assert_allclose(states[-1]["theta"], 0.1, rtol=1e-4)


def test_particles_start_about_the_point_given() -> None:
    problem = Toy(quadratic, 50)
    theta = np.linspace(3, 4, 50)
    state = Swarm(particles=30, spread=0.25).start(problem, theta, generator(1, 0, 0))
    away = state["positions"] - theta.astype(np.float32)
    assert np.abs(away[0]).max() < 1e-6
    assert 0.2 < np.abs(away[1:]).max() <= 0.25 + 1e-6
    assert 0.1 < np.abs(state["velocities"]).max() <= 0.125
    goals = state["positions"] + 2 * Swarm(particles=30, spread=0.25, speed=9).start(
        problem, theta, generator(1, 0, 0)
    )["velocities"].astype(float)
    assert np.abs(goals - theta).max() <= 0.25 + 1e-6
    assert np.std(goals - theta) == pytest.approx(0.25 / np.sqrt(3), rel=0.05)


def test_a_population_starts_everywhere_and_where_the_search_begins() -> None:
    problem = Toy(quadratic, 20, 3.0)
    population = Evolution().start(problem, np.full(20, 0.25), generator(1, 0, 0))["population"]
    assert (population[0] == 0.25).all()
    assert population.min() < -2.9
    assert population.max() > 2.9


def test_evolution_mixes_as_it_is_told() -> None:
    problem = Toy(rosenbrock, 4, 2.0)
    few = Evolution(population=20, generations=10)
    others = [{"strategy": "rand1bin"}, {"strategy": "best1exp"}, {"mutation": 0.9}, {"recombination": 0.1}]
    ends = {rounds(replace(few, **other), problem)[-1]["theta"].tobytes() for other in [{}, *others]}
    assert len(ends) == 5


def test_the_best_point_is_never_lost_where_rounding_makes_it_worse() -> None:
    problem = Toy(quadratic, 4, 3.0)
    state = dict(Evolution(stride=1).start(problem, np.zeros(4), generator(0, 0, 0)))
    state |= {"theta": np.ones(4), "loss": np.zeros(())}  # better than the whole population
    after = Evolution(stride=1).step(problem, state, generator(0, 0, 1))
    assert (after["theta"] == 1).all()
    assert after["loss"] == 0


def test_a_ring_searches_more_widely_than_all_together() -> None:
    few = replace(SWARM, iterations=30, stride=30)
    extent = {t: rounds(replace(few, topology=t), Toy(quadratic, 5))[-1]["extent"] for t in ("global", "ring")}
    assert extent["ring"] > 2 * extent["global"]
    wide = rounds(replace(few, topology="ring", neighbours=19, particles=39), Toy(quadratic, 5))[-1]
    assert same(wide, rounds(replace(few, particles=39), Toy(quadratic, 5))[-1])


def flat(thetas: np.ndarray) -> np.ndarray:
    return np.ones_like(thetas[:, 0])


def nowhere(thetas: np.ndarray) -> np.ndarray:
    return np.full_like(thetas[:, 0], np.nan)


@pytest.mark.parametrize(
    ("solver", "function", "reason", "done"),
    [
        (replace(SWARM, iterations=70, stride=50), rosenbrock, "70 iterations done", 70),
        (replace(SWARM, patience=100, collapse=0), flat, "converged: no gain of more than 1e-06", 100),
        (replace(SWARM, patience=100, collapse=0), nowhere, "stopped: no particle met a finite loss", 100),
        (replace(SWARM, collapse=1e-3, patience=600), quadratic, "converged: all particles rest within", None),
        (replace(EVOLUTION, generations=70), rosenbrock, "70 generations done", 70),
        (
            replace(EVOLUTION, tolerance=0, patience=100),
            lambda t: np.floor(t[:, 0]),
            "converged: all losses agree",
            None,
        ),
        (replace(EVOLUTION, patience=50), noise, "converged: no gain of more", None),
        (replace(EVOLUTION, patience=100), nowhere, "stopped: no point had a finite loss", 100),
    ],
)
def test_the_search_ends_for_a_reason(solver: Any, function: Any, reason: str, done: int | None) -> None:
    last = rounds(solver, Toy(function, 4, 2.0))[-1]
    assert reason in (solver.finished(last) or "")
    count = int(last["iterations" if isinstance(solver, Swarm) else "generations"])
    assert count == done if done else 0 < count < 400


def holed(thetas: np.ndarray) -> np.ndarray:
    """A quadratic with a region of NaN, one of -∞ and one of overflow about its least loss."""
    losses = quadratic(thetas)
    losses[thetas[:, 0] > 1.2] = np.nan
    losses[thetas[:, 1] > 1.2] = -np.inf
    losses[thetas[:, 2] > 1.2] *= np.asarray(np.finfo(losses.dtype).max)
    return losses


@pytest.mark.parametrize("solver", SOLVERS)
def test_points_without_a_finite_loss_are_no_gain(solver: Any) -> None:
    last = rounds(solver, Toy(holed, 3, 3.0))[-1]
    np.testing.assert_allclose(last["theta"], 1.0, atol=1e-2)
    assert np.isfinite(last["loss"])


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Swarm, {"particles": 1}, "particles=1) received; a whole number of at least 2 expected"),
        (Swarm, {"particles": 10.0}, "particles=10.0"),
        (Swarm, {"iterations": True}, "iterations=True"),
        (Swarm, {"topology": "star"}, "'global' or 'ring' expected"),
        (Swarm, {"topology": "ring", "particles": 4, "neighbours": 2}, "ring of 4 particles"),
        (Swarm, {"constriction": 1.5}, "more than 0 and at most 1 expected"),
        (Swarm, {"society": -1}, "society=-1"),
        (Swarm, {"spread": float("nan")}, "spread=nan"),
        (Swarm, {"speed": "fast"}, "speed='fast'"),
        (Swarm, {"spread": float("inf")}, "spread=inf"),
        (Swarm, {"dtype": "float16"}, "'float32' or 'float64' expected"),
        (Evolution, {"population": 4}, "at least 5"),
        (Evolution, {"strategy": "best"}, "'best1bin' or"),
        (Evolution, {"mutation": (1.0, 0.5)}, "ascending pair"),
        (Evolution, {"mutation": 2.0}, "from 0 to below 2"),
        (Evolution, {"recombination": 1.1}, "at most 1"),
    ],
)
def test_options_that_make_no_sense_are_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        make(**options)
    assert message in str(refused.value)


def test_evolution_says_how_to_give_bounds() -> None:
    with pytest.raises(UsageError, match=r"2 of 2 numbers; evolution searches a box.\nGive bounds, such as bounds="):
        Evolution().start(Toy(quadratic, 2), np.zeros(2), generator(0, 0, 0))


def test_random_numbers_of_rounds_are_a_function_of_seed_restart_and_round() -> None:
    seen = {generator(*key).bytes(16) for key in [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (2**64 - 1, 0, 0)]}
    assert len(seen) == 5
    assert generator(3, 1, 4).bytes(16) == generator(3, 1, 4).bytes(16)
    for key in [(-1, 0, 0), (2**64, 0, 0), (0, 2**32, 0), (0, 0, 2**32)]:
        with pytest.raises(UsageError, match="a whole number from 0 to"):
            generator(*key)
