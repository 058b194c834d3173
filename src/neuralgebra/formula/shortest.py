"""The shortest formula of a network on a box whose proven error stays below a tolerance.

Every number gets as many digits as it needs, so that none contributes more than a common amount to the error of an
output, and is left out where it contributes less than that altogether. The largest such amount whose bound does not
exceed the tolerance is found by bisection: contributions are estimates, the bound is a proof.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.errors import NotCertifiedError
from neuralgebra.formula.reduction import Reduction, Stage
from neuralgebra.formula.rounding import EVERY, Rounded, bounds, live, rounded
from neuralgebra.network.layers import Elementwise

__all__ = ["shortest"]

_STEPS = 24  # of the bisection, in powers of two from the tolerance down to what float64 can tell
_HALVINGS = 60
_LARGEST = 1e300


def shortest(reduction: Reduction, tol: float) -> list[Rounded]:
    """Return the rounded forms with the fewest digits found whose bound does not exceed a tolerance.

    Parameters
    ----------
    reduction : Reduction
        The network on the box.
    tol : float
        The tolerance, for every output.

    Returns
    -------
    list of Rounded
        The forms.

    Raises
    ------
    NotCertifiedError
        When all digits are too few.
    """
    table = _Table(reduction)
    best = live(reduction, table.rounded(lambda a: np.full(a.shape, EVERY)))
    least = _worst(reduction, best)
    if not least <= tol:
        raise NotCertifiedError(
            f"tol={tol!r} received; with every digit the bound on this box is {least:.3g}.\n"
            "Give a larger tol or a smaller box."
        )
    low, high = -float(_HALVINGS), 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        parts = live(reduction, table.rounded(functools.partial(_digits, amount=tol * 2.0**middle)))
        if _worst(reduction, parts) <= tol:
            low, best = middle, parts
        else:
            high = middle
    return best


def _worst(reduction: Reduction, parts: Sequence[Rounded]) -> float:
    return float(bounds(reduction, parts).max())


def _digits(influences: np.ndarray, amount: float) -> np.ndarray:
    """Return how many digits numbers need to contribute at most an amount to the error; 0 leaves a number out."""
    with np.errstate(divide="ignore"):
        digits = np.ceil(1 + np.log10(influences) - np.log10(2 * amount))
    return np.where(influences <= amount, 0, np.clip(digits, 1, EVERY)).astype(int)


class _Table:
    """The forms of a reduction with every number of digits, each computed when first asked for."""

    def __init__(self, reduction: Reduction) -> None:
        self.exact = list(reduction.parts)
        self.known: dict[int, list[Rounded]] = {}
        self.influences = _influences(reduction, self._of(EVERY))

    def _of(self, digits: int) -> list[Rounded]:
        if digits not in self.known:
            self.known[digits] = [rounded(form, digits) for form in self.exact]
        return self.known[digits]

    def rounded(self, digits: Callable[[np.ndarray], np.ndarray]) -> list[Rounded]:
        """Return the forms, each number with the digits that its influence asks for."""
        return [self._mixed(i, digits(influence)) for i, influence in enumerate(self.influences)]

    def _mixed(self, index: int, digits: np.ndarray) -> Rounded:
        numbers, errors = np.zeros(digits.shape), np.zeros(digits.shape)
        for count in np.unique(digits).tolist():
            here, part = digits == count, self._of(count)[index]
            numbers[here], errors[here] = part.numbers[here], part.errors[here]
        return Rounded(numbers, errors)


# Estimates --------------------------------------------------------------------------------------------------------


def _influences(reduction: Reduction, parts: Sequence[Rounded]) -> list[np.ndarray]:
    """Return about how much each number may contribute to the outputs; nothing is proven by it."""
    sizes = np.minimum(reduction.ranges.sizes(len(reduction.ranges)), _LARGEST)
    gains, found = np.zeros(len(sizes)), []
    rest = [*parts]

    def take(gain: np.ndarray) -> None:
        numbers = abs(rest.pop().numbers)
        found.append(np.minimum(numbers * np.concatenate([[1.0], sizes[: len(numbers) - 1]])[:, None] * gain, _LARGEST))
        gains[: len(numbers) - 1] += np.minimum(numbers[1:] @ gain, _LARGEST)

    with np.errstate(over="ignore"):
        take(np.ones(parts[-1].numbers.shape[1]))
        for stage in reversed(reduction.stages):
            gain = gains[stage.start - 1 : stage.start - 1 + stage.size]
            for argument in reversed(stage.arguments):
                take(_gain(stage, gain, argument.shape[1]))
    return found[::-1]


def _gain(stage: Stage, gain: np.ndarray, size: int) -> np.ndarray:
    """Return about how much the arguments of a stage count, given how much its outputs do."""
    if stage.layer is None:
        return gain
    if not isinstance(stage.layer, Elementwise):
        return np.full(size, gain.max())
    k = Balls()
    with k.precision():
        z = stage.ranges[0].balls()
        slopes = [abs(f.derivative(k, z[i:j], 1)) for f, i, j in stage.layer.blocks]
        sizes = np.array([min(float(v.abs_upper()), 1e3) if v.is_finite() else 1e3 for v in np.concatenate(slopes)])
    return np.asarray(gain * sizes)
