"""Networks from data: `na.fit`.

Data are scaled, kinds of data balanced, a network is fitted by a solver, and the scales are folded into its weights.
"""

from __future__ import annotations

import signal
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import FitWarning, InputError, UsageError
from neuralgebra.fitting.driver import Outcome, run
from neuralgebra.fitting.observations import Observations
from neuralgebra.fitting.report import FitReport
from neuralgebra.fitting.tables import read_observations
from neuralgebra.fitting.task import Setting, Task
from neuralgebra.network.network import Network

__all__ = ["fit", "fit_report", "observed"]


def fit(
    data: Any,
    y: Any = None,
    *,
    dydx: Any = None,
    d2ydx2: Any = None,
    sample_weight: Any = None,
    hidden: Sequence[int] = (20, 10),
    activation: Any = "tanh",
    solver: Any = "auto",
    loss: str = "squares",
    decay: Any = "auto",
    balance: bool = True,
    scale: bool = True,
    seed: int = 0,
    restarts: int = 1,
    workers: int = 1,
    validation: float = 0.0,
    patience: int = 20,
    box: float | None = None,
    limit: float | None = None,
    folder: Any = None,
    callback: Any = None,
    progress: Any = "auto",
    held_back: Observations | None = None,
    signals: Sequence[int] = (signal.SIGINT,),
    **options: Any,
) -> Network:
    """Return a network fitted to values and derivatives.

    It minimises ½ Σ w |P(∂)f(x) - y|² + ½ λ |W|² over the weights, for operators P(∂) that are the value itself,
    partial derivatives, sums of them, or derivatives along directions, each at points of its own.

    Parameters
    ----------
    data : Observations, array_like (N, n), table or path
        What is known: observations; points x, with y and perhaps derivatives; a table, long or wide, of pandas or
        polars; a CSV or Parquet file.
    y : array_like, shape (N,) or (N, m), optional
        Values at the points; NaN where they are not known.
    dydx : array_like, shape (N, n) or (N, m, n), optional
        First derivatives; NaN where they are not known.
    d2ydx2 : array_like, shape (N, n, n) or (N, m, n, n), optional
        Second derivatives; NaN where they are not known.
    sample_weight : array_like, shape (N,), optional
        Weight of each point: one of weight 2 counts as two points.
    hidden : sequence of int
        Sizes of the hidden layers.
    activation : str or Activation or sequence of them
        Between the layers; one for all, or one for each.
    solver : {"auto", "lm", "lbfgs", "adam", "swarm", "evolution"} or a solver
        "lm" is least squares by normal equations, for up to a few thousand weights; "auto" takes it where it pays, and
        "lbfgs" elsewhere.
    loss : {"squares", "cross_entropy"}
        The second is for classes: y holds their numbers, or probabilities; the network ends with a softmax.
    decay : float or "auto"
        λ, in the scaled units of the fit; "auto" finds it with "lm" as the one that the data make most likely, and is 0
        with others.
    balance : bool
        Whether each kind of data (values, derivatives by x1, …) is divided by its root mean square.
    scale : bool
        Whether inputs and outputs are brought to mean 0 and deviation 1 for the fit.
    seed : int
        The same seed, data and versions give the same bits.
    restarts : int
        Number of random starts; the best fit is returned.
    workers : int
        Processes that share the restarts.
    validation : float
        Part of the points that is held back; the fit ends when their loss has not fallen for `patience` rounds.
    patience : int
        Rounds.
    box : float, optional
        Bound of every weight in the scaled units, for any solver; swarms and populations have one of 5 by default.
    limit : float, optional
        Seconds, after which the fit is stopped. What it then gives depends on the machine.
    folder : str or os.PathLike, optional
        Where checkpoints and the best network are kept; a fit that was stopped goes on from there.
    callback : callable, optional
        Called after rounds; returns True to stop.
    progress : bool or "auto"
        Whether progress is shown; by default on a terminal.
    held_back : Observations, optional
        Observations that are not fitted; the report says how well they are met.
    signals : sequence of int
        Signals after the first of which the round is ended, the run is saved, and the network so far is returned.
    **options
        Of the solver, such as iterations=500 or particles=100.

    Returns
    -------
    Network
        f, in the units of the data; `f.fit_report()` says how well it fits.

    Raises
    ------
    InputError
        For data that cannot be used.
    UsageError
        For options that do not exist.

    Warns
    -----
    FitWarning
        When there are fewer numbers than weights, and when data contradict each other.

    Examples
    --------
    >>> x = np.linspace(0, 3, 20)[:, None]
    >>> f = fit(x, np.sin(x[:, 0]), dydx=np.cos(x), hidden=(8,))
    >>> bool(abs(f([1.5])[0] - np.sin(1.5)) < 1e-4)
    True
    """
    setting = Setting(
        hidden, activation, solver, loss, decay, balance, scale, seed, restarts, workers, validation, patience, box
    )
    observations = observed(data, y, dydx=dydx, d2ydx2=d2ydx2, sample_weight=sample_weight)
    task = Task.of(observations, setting, options, held_back)
    for sentence in task.warnings:
        warnings.warn(sentence, FitWarning, stacklevel=2)
    outcome = run(
        task.objective, task.solver, task.starts, seed=int(seed), workers=workers, validation=task.held_back,
        patience=patience, seconds=limit, folder=task.folder(folder), callback=callback, progress=progress,
        signals=signals,
    )  # fmt: skip
    for sentence in outcome.warnings:
        warnings.warn(sentence, FitWarning, stacklevel=2)
    network = task.network(outcome.theta)
    network.memory["fit"] = _report(task, outcome)
    return network


def observed(data: Any, y: Any = None, **others: Any) -> Observations:
    """Return what a person passes as observations: themselves, points with y, a table or a file."""
    given = [name for name, value in {"y": y, **others}.items() if value is not None]
    if isinstance(data, Observations):
        if given:
            raise UsageError(f"{', '.join(given)} received beside observations; they hold all that is known.")
        return data
    if given:
        return Observations.dense(data, y, **others)
    if isinstance(data, np.ndarray | list | tuple):
        raise UsageError("points received without y, dydx or d2ydx2; something that is known at them expected.")
    return read_observations(data)


def _report(task: Task, outcome: Outcome) -> FitReport:
    decay = float(outcome.state["decay"]) if "decay" in outcome.state else task.objective.decay
    return FitReport(
        task.solver.name, outcome.reason, outcome.loss, outcome.round, outcome.evaluations, outcome.seconds,
        outcome.restart, task.objective.size, task.objective.rows, decay, task.kinds(outcome.theta),
        tuple(map(tuple, outcome.history.tolist())), task.observations.notes, (*task.warnings, *outcome.warnings),
        outcome.stopped, outcome.saved,
    )  # fmt: skip


def fit_report(network: Network) -> FitReport:
    """Return how a network was fitted, and how well.

    Parameters
    ----------
    network : Network
        f, returned by `fit` in this session.

    Returns
    -------
    FitReport
        Solver, why it ended, the kinds of data with their balance and errors, the history of the loss.

    Raises
    ------
    InputError
        When the network was not fitted here: files do not hold the report.

    Examples
    --------
    >>> f = fit([[0.0], [0.5], [1.0], [1.5]], [0.0, 0.25, 1.0, 2.25], hidden=(1,), iterations=50)
    >>> f.fit_report().weights, f.fit_report().kinds[0].count
    (4, 4)
    """
    if "fit" not in network.memory:
        raise InputError("a network received that was not fitted in this session; what na.fit returned expected.")
    return network.memory["fit"]  # type: ignore[no-any-return]
