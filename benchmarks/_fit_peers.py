"""Other packages that fit networks, each as its own users would call it.

Every one is a function (problem, x, y, dydx, seed, options) -> f, with f(x) -> values, or None where it is missing.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from _fit_data import Problem

Predict = Callable[[np.ndarray], np.ndarray]


def missing(*modules: str) -> list[str]:
    """Return those of some packages that are not installed."""
    return [m for m in modules if find_spec(m) is None]


# Values and gradients ---------------------------------------------------------------------------------------------


def jenn(problem: Problem, x: np.ndarray, y: np.ndarray, dydx: np.ndarray, seed: int, **options: Any) -> Predict:
    """JENN: inputs by rows; its own normalisation, which it recommends."""
    import jenn

    net = jenn.NeuralNet(list(problem.sizes))
    net.fit(x.T, y[None], dydx.T[None], is_normalize=True, random_state=seed, **options)
    return lambda x: net.predict(x.T)[0]


def genn(problem: Problem, x: np.ndarray, y: np.ndarray, dydx: np.ndarray, seed: int, **options: Any) -> Predict:
    """SMT's GENN."""
    from smt.surrogate_models import GENN

    # Its starts are drawn from NumPy's global generator, whatever the seed.
    np.random.seed(seed)
    model = GENN(print_global=False, hidden_layer_sizes=list(problem.sizes[1:-1]), seed=seed, **options)
    model.load_data(x, y, dydx)
    model.train()
    return lambda x: model.predict_values(x)[:, 0]


# Jacobian-enhanced: the defaults of each, what SMT's documentation shows, and a long, careful run without decay.
WITH_GRADIENTS: dict[str, tuple[Callable[..., Predict], dict[str, Any], Callable[[dict[str, Any], float], dict]]] = {
    "JENN": (jenn, {}, lambda o, part: {**o, "max_iter": max(1, int(1000 * part))}),
    "JENN, 10 000 small steps": (
        jenn,
        {"alpha": 0.01, "max_iter": 10_000},
        lambda o, part: {**o, "max_iter": max(1, int(10_000 * part))},
    ),
    "GENN": (genn, {}, lambda o, part: {**o, "num_iterations": max(1, int(1000 * part))}),
    "GENN as documented": (
        genn,
        {"alpha": 0.1, "lambd": 0.1, "num_epochs": 20, "num_iterations": 100},
        lambda o, part: {**o, "num_epochs": 1, "num_iterations": max(1, int(2000 * part))},
    ),
}
"""By name: the fit, its options, and its options for a part of its time."""


# Values only, for a given time ------------------------------------------------------------------------------------


def sklearn_lbfgs(problem: Problem, x: np.ndarray, y: np.ndarray, seconds: float, seed: int) -> Predict:
    """scikit-learn's MLPRegressor by L-BFGS, goaled to the time by the rate of 50 iterations."""

    def fitted(iterations: int) -> tuple[Any, float]:
        start = time.perf_counter()
        net = _mlp(problem, seed, solver="lbfgs", max_iter=iterations, max_fun=10**9, tol=0.0, alpha=0.0)
        net.fit(inputs, targets)
        return net, time.perf_counter() - start

    inputs, targets, back = _scaled(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, rate = fitted(50)
        net, _ = fitted(max(1, int(50 * seconds / rate)))
    return lambda x: back(x, net.predict)


def sklearn_adam(problem: Problem, x: np.ndarray, y: np.ndarray, seconds: float, seed: int) -> Predict:
    """scikit-learn's MLPRegressor by Adam, epoch after epoch until the time is up."""
    inputs, targets, back = _scaled(x, y)
    net = _mlp(problem, seed, solver="adam", learning_rate_init=0.01, alpha=0.0)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        net.partial_fit(inputs, targets)
    return lambda x: back(x, net.predict)


def _mlp(problem: Problem, seed: int, **options: Any) -> Any:
    from sklearn.neural_network import MLPRegressor

    return MLPRegressor(hidden_layer_sizes=problem.sizes[1:-1], activation="tanh", random_state=seed, **options)


def torch_adam(problem: Problem, x: np.ndarray, y: np.ndarray, seconds: float, seed: int) -> Predict:
    """A loop of PyTorch's Adam on all rows, or minibatches of 512, the rate falling to 0 along a half cosine."""
    import torch

    torch.manual_seed(seed)
    inputs, targets, back = _scaled(x, y)
    inputs, targets = (torch.tensor(a, dtype=torch.float32) for a in (inputs, targets[:, None]))
    layers = [m for a, b in itertools.pairwise(problem.sizes) for m in (torch.nn.Linear(a, b), torch.nn.Tanh())][:-1]
    net = torch.nn.Sequential(*layers)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    start = now = time.perf_counter()
    while now < start + seconds:
        rate = 0.005 * (1 + np.cos(np.pi * (now - start) / seconds))
        for group in optimiser.param_groups:
            group["lr"] = rate
        at = slice(None) if len(x) <= 512 else torch.randint(len(x), (512,))
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(net(inputs[at]), targets[at]).backward()
        optimiser.step()
        now = time.perf_counter()

    def predict(z: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return net(torch.tensor(z, dtype=torch.float32))[:, 0].numpy().astype(float)

    return lambda x: back(x, predict)


def _scaled(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, Callable[..., np.ndarray]]:
    """Return inputs and values with mean 0 and deviation 1, and the way back."""
    a, s, c, d = x.mean(0), x.std(0), y.mean(), y.std()
    return (x - a) / s, (y - c) / d, lambda x, predict: c + d * predict((x - a) / s)


VALUES_ONLY = {
    "MLPRegressor, lbfgs": ("sklearn", sklearn_lbfgs),
    "MLPRegressor, adam": ("sklearn", sklearn_adam),
    "PyTorch, Adam": ("torch", torch_adam),
}
"""By name: the package it needs, and the fit."""
