"""Sorting as a network: comparators of two wires in stages, the same for all inputs.

Batcher's odd-even merge sort takes ⌈log₂ n⌉(⌈log₂ n⌉ + 1)/2 stages ("Sorting networks and their applications", 1968).
A stage is a layer of maxima: max(a, b), and min(a, b) = -max(-a, -b). Comparators on which no wanted place depends
are left out. Nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from neuralgebra.errors import InputError, ResourceError, shown
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Affine, Maximum, Select
from neuralgebra.network.linear import Diagonal, Spread
from neuralgebra.network.network import Network

__all__ = ["median", "sorting"]

_LARGEST = 10_000

Stage = list[tuple[int, int]]
"""Pairs of wires; the smaller value goes to the first."""


def sorting(size: int) -> Network:
    """Return the network that sorts its inputs, the smallest first.

    Parameters
    ----------
    size : int
        n, how many inputs, at least 1.

    Returns
    -------
    Network
        x ↦ (x₍₁₎, …, x₍ₙ₎), with maxima only; ``.plain("relu")`` makes relu neurons of it, exactly.

    Raises
    ------
    InputError
        For a number of inputs that is none.
    ResourceError
        For more than 10,000 inputs.

    Examples
    --------
    >>> import neuralgebra as na
    >>> na.sorting(4)([3.0, 1.0, 2.0, 1.0])
    array([1., 1., 2., 3.])
    """
    _expect_size(size)
    return _ordered(size, range(size))


def median(size: int) -> Network:
    """Return the network that gives the median of its inputs: the middle one, or the mean of the two in the middle.

    Parameters
    ----------
    size : int
        n, how many inputs, at least 1.

    Returns
    -------
    Network
        One output.

    Raises
    ------
    InputError
        For a number of inputs that is none.
    ResourceError
        For more than 10,000 inputs.

    Examples
    --------
    >>> import neuralgebra as na
    >>> na.median(4)([3.0, 1.0, 2.0, 1.0])
    array([1.5])
    """
    _expect_size(size)
    middle = sorted({(size - 1) // 2, size // 2})
    chosen = _ordered(size, middle)
    return chosen if len(middle) == 1 else Network.from_layers([([[0.5, 0.5]], None)]) @ chosen


def _expect_size(size: int) -> None:
    whole = isinstance(size, int | np.integer) and not isinstance(size, bool)
    if not whole or size < 1:
        raise InputError(f"size={shown(repr(size))} received; a whole number from 1 expected.")
    if size > _LARGEST:
        raise ResourceError(f"size={size} received; at most {_LARGEST:,} inputs are covered, with some 400,000 maxima.")


def _ordered(size: int, places: Sequence[int]) -> Network:
    """Return the inputs at some places of their order."""
    builder, place = Builder(size), 0
    for stage in _needed(list(_stages(size)), places):
        place = _compared(builder, place, stage)
    last = builder.add(Select(np.array(places)), place)
    return Network(builder.nodes, last, size)


def _stages(size: int) -> Iterator[Stage]:
    """Yield the comparators of Batcher's merge exchange (Knuth, "The art of computer programming", 5.2.2, M)."""
    top = 1 << max(0, (size - 1).bit_length() - 1)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            yield [(i, i + d) for i in range(size - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1


def _needed(stages: list[Stage], places: Sequence[int]) -> list[Stage]:
    """Return the stages with those comparators only on which some places depend."""
    wanted, kept = set(places), []
    for stage in reversed(stages):
        used = [pair for pair in stage if wanted & set(pair)]
        wanted.update(*used)
        kept.append(used)
    return [stage for stage in reversed(kept) if stage]


def _compared(builder: Builder, place: int, stage: Stage) -> int:
    """Add a stage: of the wires x and -x the larger of two, and the sign of those that went in as -x."""
    size = builder.sizes[place]
    groups, signs = np.stack([np.arange(size)] * 2, axis=1), np.ones(size)
    for low, high in stage:
        groups[high] = low, high
        groups[low] = size + low, size + high
        signs[low] = -1.0
    both = builder.add(Affine(Spread(np.repeat([[1.0], [-1.0]], size, axis=1))), place)
    return builder.add(Affine(Diagonal(signs)), builder.add(Maximum(groups), both))
