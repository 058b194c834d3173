"""Piecewise linear networks in Python's fractions, with plain loops; nothing here knows forms, kinds or jets."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

import neuralgebra as na
from strategies import affines, after

Numbers = list[Fraction]

# Places of kinks, and the slopes before, between and behind them; the function goes through (anchor, value).
LINES: dict[str, tuple[list[Any], list[Any], Any, Any]] = {
    "identity": ([], [1], 0, 0),
    "relu": ([0], [0, 1], 0, 0),
    "leaky_relu": ([0], [Fraction(0.01), 1], 0, 0),
    "prelu": ([0], [Fraction(1, 4), 1], 0, 0),
    "abs": ([0], [-1, 1], 0, 0),
    "hardtanh": ([-1, 1], [0, 1, 0], 0, 0),
    "relu6": ([0, 6], [0, 1, 0], 0, 0),
    "softshrink": ([Fraction(-1, 2), Fraction(1, 2)], [1, 0, 1], 0, 0),
    "hardsigmoid": ([-3, 3], [0, Fraction(1, 6), 0], 0, Fraction(1, 2)),
}
LINEAR = tuple(name for name in LINES if name != "identity")


def line(name: str, z: Fraction) -> Fraction:
    """The value at z: slopes added up from the anchor, which lies in the middle segment or at the only kink."""
    kinks, slopes, anchor, value = LINES[name]
    low, high = min(z, Fraction(anchor)), max(z, Fraction(anchor))
    ends = [low, *(Fraction(k) for k in kinks if low < k < high), high]
    rise = Fraction(0)
    for a, b in itertools.pairwise(ends):
        rise += slopes[sum(k <= a for k in kinks)] * (b - a)
    return value + (rise if z > anchor else -rise)


def evaluate(f: na.Network, x: Numbers) -> Numbers:
    """The exact value of the network with exactly its weights."""
    return places(f, x)[f.output]


def places(f: na.Network, x: Numbers) -> list[Numbers]:
    """The exact values at all places."""
    values = [list(x)]
    for node in f.nodes:
        values.append(_layer(node.layer, [values[i] for i in node.inputs]))
    return values


def pattern(f: na.Network, x: Numbers) -> list[Any]:
    """The side of every kink that each unit is on, and all rivals that win, as an independent reading of a piece."""
    values, found = places(f, x), []
    for node in f.nodes:
        z = values[node.inputs[0]]
        if isinstance(node.layer, na.Elementwise):
            for name, v in zip(_names(node.layer, len(z)), z, strict=True):
                found.append(tuple((v > k) - (v < k) for k in LINES[name][0]))
        if isinstance(node.layer, na.Maximum):
            for group in node.layer.groups.tolist():
                best = max(z[i] for i in group)
                found.append(tuple(sorted({i for i in group if z[i] == best})))
    return found


def _names(layer: na.Elementwise, size: int) -> list[str]:
    return [a.name for a, n in layer.activations for _ in range(size if n is None else n)]


def _layer(layer: Any, inputs: list[Numbers]) -> Numbers:
    x = inputs[0]
    match layer:
        case na.Affine():
            bias = [Fraction(0)] * layer.weight.rows if layer.bias is None else list(map(Fraction, layer.bias.tolist()))
            rows = matrix(layer.weight)
            return [b + sum(w * v for w, v in zip(row, x, strict=True)) for row, b in zip(rows, bias, strict=True)]
        case na.Elementwise():
            return [line(name, v) for name, v in zip(_names(layer, len(x)), x, strict=True)]
        case na.Maximum():
            return [max(x[i] for i in group) for group in layer.groups.tolist()]
        case na.Concatenate():
            return [v for part in inputs for v in part]
        case na.Select():
            return [x[i] for i in layer.indices.tolist()]
    raise AssertionError(layer)


def matrix(weight: Any) -> list[Numbers]:
    """The exact entries of a structured matrix."""
    match weight:
        case na.Product():
            found = matrix(weight.factors[0])
            for factor in weight.factors[1:]:
                right = matrix(factor)
                found = [[sum(a * r[j] for a, r in zip(row, right, strict=True)) for j in range(len(right[0]))]
                         for row in found]  # fmt: skip
            return found
        case na.Transposed():
            return [list(column) for column in zip(*matrix(weight.inner), strict=True)]
        case na.BlockDiagonal():
            return _blocks([matrix(block) for block in weight.blocks])
        case na.Batched():
            return _blocks([matrix(weight.inner)] * weight.copies)
        case na.Convolution():
            found = [[Fraction(0)] * weight.size for _ in range(weight.rows)]
            positions = len(weight.patches)
            for channel, kernel in enumerate(weight.kernel.tolist()):
                for position, patch in enumerate(weight.patches.tolist()):
                    for entry, column in zip(kernel, patch, strict=True):
                        if column >= 0:
                            found[channel * positions + position][column] += Fraction(entry)
            return found
    return [list(map(Fraction, row)) for row in weight.dense().tolist()]


def _blocks(blocks: list[list[Numbers]]) -> list[Numbers]:
    width, start, found = sum(len(b[0]) for b in blocks), 0, []
    for block in blocks:
        for row in block:
            found.append([Fraction(0)] * start + list(row) + [Fraction(0)] * (width - start - len(row)))
        start += len(block[0])
    return found


def exact(x: Any) -> Numbers:
    """Numbers as fractions."""
    return [Fraction(v) for v in np.asarray(x, dtype=float).tolist()]


@st.composite
def linear_networks(draw: Callable, inputs: int = 2, depth: int = 3) -> na.Network:
    """Random piecewise linear networks that branch, with affine layers of every structure."""
    f = na.Network.identity(inputs)
    for _ in range(draw(st.integers(1, depth))):
        f = after(f, draw(affines(f.output_size)))
        kind = draw(st.sampled_from(["unit", "unit", "units", "maximum", "wire"]))
        size = f.output_size
        if kind == "unit":
            f = after(f, na.Elementwise(draw(st.sampled_from(LINEAR))))
        if kind == "units":
            f = after(f, na.Elementwise(tuple((draw(st.sampled_from(LINEAR)), 1) for _ in range(size))))
        if kind == "maximum":
            groups = draw(st.lists(st.lists(st.integers(0, size - 1), min_size=3, max_size=3), min_size=1, max_size=3))
            f = after(f, na.Maximum(groups))
        if kind == "wire":
            f = na.stack(after(f, na.Select(draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=2)))), f)
    return after(f, draw(affines(f.output_size)))
