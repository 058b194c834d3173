"""Derivatives by the weights from difference quotients, and networks with other weights."""

from __future__ import annotations

import itertools

import numpy as np

import neuralgebra as na
from neuralgebra.calculus.parameters import linearised
from neuralgebra.calculus.run import accept
from neuralgebra.calculus.targets import wanted

__all__ = ["chain", "check_along", "differences", "flat", "moved", "values_of"]


def chain(*sizes, seed=0, function="tanh"):
    """Return a network of affine layers with random weights and one activation between them."""
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(pairs, function)


def moved(f, seed=1, size=0.5):
    """Return parameters at some distance from those of f."""
    rng = np.random.default_rng(seed)
    return {name: a + size * rng.normal(size=a.shape) for name, a in f.parameters().items()}


def flat(arrays):
    """Return all parameters as one vector."""
    return np.concatenate([np.asarray(a).ravel() for a in arrays.values()])


def differences(function, h=2e-4):
    """Return the derivative of a function of one number at 0, of order h⁶."""
    a, b, c = ((function(s * h) - function(-s * h)) / (2 * s * h) for s in (1, 2, 3))
    return 1.5 * a - 0.6 * b + 0.1 * c


def values_of(f, x, targets):
    """Return the derivative targets themselves."""
    k, x = accept(f, x)
    return linearised(f, k, x, wanted(f, targets))[0]


def check_along(f, x, targets, rtol=1e-6):
    """Compare the Jacobian by the weights with difference quotients along a random direction of all weights."""
    p, direction = f.parameters(), moved(f.with_parameters({n: 0 * a for n, a in f.parameters().items()}), 7, 1.0)
    found = f.parameter_jacobian(x, targets) @ flat(direction)
    quotient = differences(lambda h: values_of(f.with_parameters({n: p[n] + h * direction[n] for n in p}), x, targets))
    np.testing.assert_allclose(found, quotient, rtol=rtol, atol=rtol * max(1.0, abs(quotient).max()))
