"""Networks, boxes and points in them, for the tests of what a network is on a box."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

import neuralgebra as na


def net(activation="relu", seed=0, sizes=(2, 6, 6, 2), scale=1.0):
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    layers = [(rng.normal(size=(m, n)) * scale, rng.normal(size=m)) for n, m in pairs]
    return na.Network.from_layers(layers, activation)


def boxes(size):
    """Boxes of short decimals, some of them flat."""
    end = st.integers(-16, 16).map(lambda v: v / 8)
    return st.lists(st.tuples(end, end).map(sorted).map(tuple), min_size=size, max_size=size)


def inside(box, count, seed=0):
    """Corners of a box, then random points of it."""
    corners = np.array(list(itertools.product(*box)))
    low, high = np.array(box).T
    return np.concatenate([corners, np.random.default_rng(seed).uniform(low, high, size=(count, len(box)))])
