"""A fit that is ready to run: what is minimised, from where, and the way back to the units of the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuralgebra.errors import UsageError, shown
from neuralgebra.fitting.adam import Adam
from neuralgebra.fitting.checkpoints import Folder, fingerprint
from neuralgebra.fitting.diagnostics import alarms
from neuralgebra.fitting.evolution import Evolution
from neuralgebra.fitting.initial import network_of, start
from neuralgebra.fitting.layout import Layout
from neuralgebra.fitting.lbfgs import QuasiNewton
from neuralgebra.fitting.levenberg import LevenbergMarquardt
from neuralgebra.fitting.losses import LOSSES
from neuralgebra.fitting.objective import Objective
from neuralgebra.fitting.observations import Observations
from neuralgebra.fitting.operators import VALUE, Operator
from neuralgebra.fitting.report import Kind
from neuralgebra.fitting.rows import rows_of
from neuralgebra.fitting.scaling import Factors, Scaling, balance, balanced, counted
from neuralgebra.fitting.solver import SPLIT, STARTS, Solver, generator
from neuralgebra.fitting.swarm import Swarm
from neuralgebra.network.layers import Softmax
from neuralgebra.network.network import Network

__all__ = ["SOLVERS", "Setting", "Task"]

SOLVERS: Mapping[str, Any] = {s.name: s for s in (LevenbergMarquardt, QuasiNewton, Adam, Swarm, Evolution)}
"""By the names that people use."""

_LEAST_SQUARES = 3000  # weights, beyond which normal equations are too large
_WORK = 3e10  # multiplications for one JᵀJ, beyond which it is not worth its price
_BOX = 5.0  # of θ for particles and populations, unless told otherwise


@dataclass(frozen=True)
class Setting:
    """All that decides a fit besides the data.

    Parameters
    ----------
    hidden : sequence of int
        Sizes of the hidden layers.
    activation : str or Activation or sequence of them
        Between the layers.
    solver : str or Solver
        "auto", a name of `SOLVERS`, or a solver.
    loss : {"squares", "cross_entropy"}
        What is minimised.
    decay : float or "auto"
        λ of ½ λ |W|², in the scaled units of the fit.
    balance, scale : bool
        Whether kinds of data are balanced, and inputs and outputs scaled.
    seed : int
        Of the start and of all random numbers.
    restarts : int
        Number of starts, of which the best one is taken.
    workers : int
        Processes that share the starts.
    validation : float
        Part of the points that is held back.
    patience : int
        Rounds without a better loss on these points, after which the fit ends.
    box : float
        Bound of the absolute value of every θ for swarms and populations.
    """

    hidden: Sequence[int] = (20, 10)
    activation: Any = "tanh"
    solver: Any = "auto"
    loss: str = "squares"
    decay: Any = "auto"
    balance: bool = True
    scale: bool = True
    seed: int = 0
    restarts: int = 1
    workers: int = 1
    validation: float = 0.0
    patience: int = 20
    box: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise UsageError(
                f"validation={shown(self.validation)} received; a part of the points, 0 to below 1, expected."
            )
        if self.decay != "auto" and not (isinstance(self.decay, int | float) and self.decay >= 0):
            raise UsageError(f'decay={shown(self.decay)} received; "auto" or a number of at least 0 expected.')
        if self.loss not in LOSSES:
            raise UsageError(f"loss={shown(self.loss)} received; one of {', '.join(LOSSES)} expected.")
        for name in ("restarts", "workers", "patience"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise UsageError(
                    f"{name}={shown(getattr(self, name))} received; a whole number of at least 1 expected."
                )
        if not isinstance(self.seed, int | np.integer) or self.seed < 0:
            raise UsageError(f"seed={shown(self.seed)} received; a whole number of at least 0 expected.")


@dataclass(frozen=True, eq=False)
class Task:
    """A fit that is ready to run.

    Parameters
    ----------
    setting : Setting
        What decides it.
    observations : Observations
        In the units of the data.
    scaling : Scaling
        The units of the fit.
    objective : Objective
        What is minimised.
    solver : Solver
        How.
    held_back : Objective, optional
        The loss on the points that are held back.
    factors : mapping of Operator to ndarray, shape (m,)
        What balances the kinds of data, in the units of the fit.
    parts : tuple of Observations
        What is fitted, and what is not: points that tell when to stop, and the observations that were given to judge.
    warnings : tuple of str
        What may be wrong with the data.
    """

    setting: Setting
    observations: Observations
    scaling: Scaling
    objective: Objective
    solver: Solver
    held_back: Objective | None
    factors: Factors
    parts: tuple[Observations, ...]
    warnings: tuple[str, ...] = field(default=())

    @staticmethod
    def of(
        observations: Observations, setting: Setting, options: Mapping[str, Any], held_back: Observations | None = None
    ) -> Task:
        """Return the fit of observations under a setting; options are those of the solver."""
        n, m = len(observations.input_names), len(observations.output_names)
        scaling = Scaling.of(observations) if setting.scale else Scaling.none(n, m)
        if not LOSSES[setting.loss].squares:
            scaling = dataclasses.replace(scaling, middle=np.zeros(m), height=np.ones(m))
        scaled = scaling.scaled(observations)
        factors = balance(scaled) if setting.balance and LOSSES[setting.loss].squares else {}
        parts = [balanced(scaled, factors)]
        if setting.validation:
            parts = list(parts[0].split(setting.validation, generator(setting.seed, 0, SPLIT)))
        count = counted(scaled) * (1 - setting.validation)
        network = network_of(
            (n, *setting.hidden, m), setting.activation, (observations.input_names, observations.output_names)
        )
        layout = Layout(network)
        solver = _solver(setting, options, layout.size, parts[0])
        objective = _objective(layout, parts[0], setting, solver, count)
        rest = objective.with_rows(rows_of(parts[1]), 0.0) if len(parts) > 1 else None
        sentences = (*_contradictions(observations), *alarms(scaled), *_few(objective))
        if held_back is not None:
            parts.append(balanced(scaling.scaled(held_back), factors))
        return Task(setting, observations, scaling, objective, solver, rest, factors, tuple(parts), sentences)

    def folder(self, path: Any) -> Folder | None:
        """Return where the run is kept: with what it must agree with to go on from there."""
        if path is None:
            return None
        arrays = [a for g in self.observations.groups for a in (g.points, g.values, g.weights, g.directions)]
        texts = [
            *self.observations.input_names,
            *self.observations.output_names,
            *(f"{g.operator} {g.bound} {g.deviations}" for g in self.observations.groups),
        ]
        known = fingerprint(*(a for a in arrays if a is not None), *texts)
        left_out = ("solver", "seed", "restarts", "workers", "patience")
        about = {f.name: str(getattr(self.setting, f.name)) for f in dataclasses.fields(self.setting)}
        return Folder(path, known, {k: v for k, v in about.items() if k not in left_out}, self.network)

    @property
    def starts(self) -> np.ndarray:
        """Where each restart begins, (R, P)."""
        layout, seed = self.objective.layout, self.setting.seed
        return np.stack([start(layout, generator(seed, i, STARTS)) for i in range(self.setting.restarts)])

    def network(self, theta: np.ndarray) -> Network:
        """Return the network that θ stands for, in the units of the data."""
        found = self.scaling.unscaled(self.objective.layout.network(theta))
        if not self.objective.squares:
            found = Network.from_layer(Softmax(), found.output_size) @ found
        names = {"input_names": self.observations.input_names, "output_names": self.observations.output_names}
        return found.altered(**names)

    def kinds(self, theta: np.ndarray) -> tuple[Kind, ...]:
        """Return each kind of data of each output, and how well it is met."""
        errors = [self._errors(theta, part) for part in self.parts]
        found = []
        for operator in dict.fromkeys(g.operator for g in self.observations.groups if not g.bound):
            groups = [g for g in self.observations.groups if g.operator == operator and not g.bound]
            for o, output in enumerate(self.observations.output_names):
                known = np.concatenate([g.values[g.weights[:, o] > 0, o] for g in groups])
                if len(known):
                    rest = [float(e[operator][o]) if operator in e else np.nan for e in errors]
                    found.append(self._kind(operator, o, output, known, rest))
        return tuple(found)

    def _kind(self, operator: Operator, o: int, output: str, known: np.ndarray, rest: Sequence[float]) -> Kind:
        about = known.mean() if operator == VALUE else 0.0
        name = _name(operator, output, self.observations.input_names)
        weight = self.factors.get(self.scaling.operator(operator)[0], np.ones(o + 1))[o]
        rms = float(np.sqrt(np.mean((known - about) ** 2)))
        return Kind(name, len(known), float(weight), rms, rest[0], rest[-1] if len(rest) > 1 else None)

    def _errors(self, theta: np.ndarray, scaled: Observations) -> dict[Operator, np.ndarray]:
        """Return the root mean square residual of each operator and output in the units of the data."""
        back = {self.scaling.operator(g.operator)[0]: g.operator for g in self.observations.groups}
        sums: dict[Operator, Any] = {}
        for i, pair in self.objective.with_rows(rows_of(scaled), 0.0).squares_of(theta).items():
            operator = back[scaled.groups[i].operator]
            if not scaled.groups[i].bound:
                sums[operator] = [a + b for a, b in zip(sums.get(operator, (0.0, 0)), pair, strict=True)]
        with np.errstate(all="ignore"):
            return {
                op: np.sqrt(s / c) * self.scaling.height / self.scaling.operator(op)[1] for op, (s, c) in sums.items()
            }


def _contradictions(observations: Observations) -> list[str]:
    found = observations.contradictions()
    if not found:
        return []
    first, more = found[0], f", and {len(found) - 1} more" if len(found) > 1 else ""
    point = ", ".join(f"{v:g}" for v in first.point)
    values = ", ".join(f"{v:g}" for v in first.values[:3])
    return [f"{first.output} ({first.kind}) at ({point}) is {values}{more}: the fit takes what lies between"]


def _few(objective: Objective) -> list[str]:
    if objective.rows >= objective.size:
        return []
    return [
        f"{objective.rows} numbers for {objective.size} weights: many networks meet them. Fewer or smaller hidden "
        "layers, or more data, determine one."
    ]


def _name(operator: Operator, output: str, inputs: Sequence[str]) -> str:
    kind = operator.kind(inputs)
    return output if kind == "value" else f"{output}: {kind}"


def _objective(layout: Layout, scaled: Observations, setting: Setting, solver: Solver, count: float) -> Objective:
    decay = 0.0 if setting.decay == "auto" else float(setting.decay)
    box = setting.box if setting.box is not None else _BOX if solver.name in ("swarm", "evolution") else None
    limits = None if box is None else (np.full(layout.size, -float(box)), np.full(layout.size, float(box)))
    return Objective(layout, tuple(rows_of(scaled)), decay, setting.loss, limits, count)


def _solver(setting: Setting, options: Mapping[str, Any], size: int, scaled: Observations) -> Solver:
    """Return the solver that was asked for, with its options."""
    if not isinstance(setting.solver, str):
        if options:
            raise UsageError(f"{', '.join(options)} received beside a solver; give options to the solver itself.")
        return setting.solver  # type: ignore[no-any-return]
    name = setting.solver
    if name == "auto":
        small = size <= _LEAST_SQUARES and size**2 * scaled.numbers <= _WORK
        name = "lm" if small and LOSSES[setting.loss].squares else "lbfgs"
    if name not in SOLVERS:
        raise UsageError(f"solver={shown(name)!r} received; one of auto, {', '.join(SOLVERS)} expected.")
    if name == "lm" and not LOSSES[setting.loss].squares:
        raise UsageError(f'solver="lm" received with loss={setting.loss!r}; it is for squares: take "lbfgs".')
    kind = SOLVERS[name]
    known = [f.name for f in dataclasses.fields(kind)]
    strange = [o for o in options if o not in known]
    if strange:
        raise UsageError(f"{shown(strange[0])} received for solver {name}; one of {', '.join(known)} expected.")
    given = dict(options)
    if name == "lm" and setting.decay == "auto":
        given = {"evidence": True, **given}
    return kind(**given)  # type: ignore[no-any-return]
