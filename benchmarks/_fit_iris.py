"""Iris by particle swarms, 4-20-3, tanh, cross-entropy: ours and pyswarms with as many particles and iterations."""

from __future__ import annotations

import logging
import os

import numpy as np

import neuralgebra as na

PARTICLES, ITERATIONS, HIDDEN = 100, 1000, 20


def iris() -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and classes."""
    from sklearn.datasets import load_iris

    return load_iris(return_X_y=True)


def ours(x: np.ndarray, classes: np.ndarray, seed: int) -> int:
    """Return how many are right."""
    swarm = na.Swarm(particles=PARTICLES, iterations=ITERATIONS, patience=ITERATIONS)
    f = na.fit(x, np.eye(3)[classes], hidden=(HIDDEN,), loss="cross_entropy", solver=swarm, seed=seed, progress=False)
    return int((f(x).argmax(1) == classes).sum())


def by_loop(x: np.ndarray, classes: np.ndarray, seed: int) -> int:
    """Return how many are right with pyswarms as its documentation trains a network: one particle after another."""
    rows = range(len(x))

    def forward(p: np.ndarray) -> float:
        a, b, c, d = _split(p)
        logits = np.tanh(x.dot(a) + b).dot(c) + d
        scores = np.exp(logits)
        probabilities = scores / np.sum(scores, axis=1, keepdims=True)
        return np.sum(-np.log(probabilities[rows, classes])) / len(x)

    def losses(particles: np.ndarray) -> np.ndarray:
        return np.array([forward(p) for p in particles])

    best = _swarmed(losses, seed)
    return int((_logits(best, x).argmax(1) == classes).sum())


def by_loop_in_float32(x: np.ndarray, classes: np.ndarray, seed: int) -> int:
    """Return how many are right with pyswarms, one particle after another, as lean as float32 allows."""
    inputs, rows = x.astype(np.float32), np.arange(len(x))

    def forward(p: np.ndarray) -> float:
        powers = np.exp(_logits(p, inputs))
        return float(-np.log((powers / powers.sum(1, keepdims=True))[rows, classes]).mean())

    def losses(particles: np.ndarray) -> np.ndarray:
        return np.array([forward(p) for p in particles.astype(np.float32)])

    best = _swarmed(losses, seed)
    return int((_logits(best, x).argmax(1) == classes).sum())


def at_once(x: np.ndarray, classes: np.ndarray, seed: int) -> int:
    """Return how many are right with pyswarms, the losses of all particles as one batch in float32."""
    inputs = np.ascontiguousarray(x.T, np.float32)
    chosen = np.eye(3, dtype=np.float32)[classes].T

    def losses(particles: np.ndarray) -> np.ndarray:
        a, b, c, d = _split(particles.astype(np.float32))
        hidden = np.tanh(a.swapaxes(1, 2) @ inputs + b[:, :, None])
        logits = c.swapaxes(1, 2) @ hidden + d[:, :, None]
        top = logits.max(1, keepdims=True)
        sums = np.log(np.exp(logits - top).sum(1)) + top[:, 0]
        return (sums - (logits * chosen).sum(1)).mean(1)

    best = _swarmed(losses, seed)
    return int((_logits(best, x).argmax(1) == classes).sum())


def _split(p: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return W₁ (…, 4, 20), b₁, W₂ (…, 20, 3), b₂ of vectors (…, P)."""
    h, lead = HIDDEN, p.shape[:-1]
    a, b, c, d = np.split(p, [4 * h, 5 * h, 8 * h], axis=-1)
    return a.reshape(*lead, 4, h), b, c.reshape(*lead, h, 3), d


def _logits(p: np.ndarray, x: np.ndarray) -> np.ndarray:
    a, b, c, d = _split(p)
    return np.tanh(x @ a + b) @ c + d


def _swarmed(losses: object, seed: int) -> np.ndarray:
    """Return the best place, with the coefficients of the tutorial."""
    os.environ["LOGGING"] = "false"
    import pyswarms

    logging.disable(logging.INFO)
    np.random.seed(seed)
    options = {"c1": 0.5, "c2": 0.3, "w": 0.9}
    swarm = pyswarms.single.GlobalBestPSO(n_particles=PARTICLES, dimensions=8 * HIDDEN + 3, options=options)
    return swarm.optimize(losses, iters=ITERATIONS, verbose=False)[1]


SWARMS = {
    "neuralgebra": ours,
    "pyswarms, as documented": by_loop,
    "pyswarms, one by one in float32": by_loop_in_float32,
    "pyswarms, all at once in float32": at_once,
}
"""By name."""
