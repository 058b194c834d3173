"""What the solvers share that move many points at once: their options, where they start, whether they still gain."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np

from neuralgebra.errors import UsageError, shown
from neuralgebra.fitting.solver import Problem

__all__ = ["DTYPES", "box", "choice", "counts", "draw", "finite_or_inf", "gained", "number", "whole"]

DTYPES = ("float32", "float64")


def whole(owner: object, names: str, least: int) -> None:
    """Refuse options that are not whole numbers from `least` on."""
    for name, value in _options(owner, names):
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
            raise _refused(owner, name, value, f"a whole number of at least {least}")


def number(owner: object, names: str, *, zero: bool = False, most: float = sys.float_info.max) -> None:
    """Refuse options that are not positive numbers up to `most`; `zero` allows 0."""
    for name, value in _options(owner, names):
        real = isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)
        if not real or not (value > 0 or (zero and value == 0)) or value > most:
            expected = f"a number, {'at least' if zero else 'more than'} 0 and at most {most:.3g}"
            raise _refused(owner, name, value, expected)


def choice(owner: object, name: str, allowed: tuple[str, ...]) -> None:
    """Refuse an option that is none of some words."""
    value = getattr(owner, name)
    if value not in allowed:
        raise _refused(owner, name, value, " or ".join(map(repr, allowed)))


def _options(owner: object, names: str) -> list[tuple[str, Any]]:
    return [(name, getattr(owner, name)) for name in names.split()]


def _refused(owner: object, name: str, value: Any, expected: str) -> UsageError:
    return UsageError(f"{type(owner).__name__}({name}={shown(repr(value))}) received; {expected} expected.")


def box(problem: Problem, dtype: np.dtype[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds in a dtype, rounded inwards, so that no number of that dtype leaves the bounds."""
    low, high = (np.asarray(b, dtype=np.float64) for b in problem.bounds)
    least, most = low.astype(dtype), high.astype(dtype)
    least = np.where(least < low, np.nextafter(least, dtype.type(np.inf)), least)
    return least, np.maximum(least, np.where(most > high, np.nextafter(most, dtype.type(-np.inf)), most))


def draw(rng: np.random.Generator, low: np.ndarray, high: np.ndarray, count: int) -> np.ndarray:
    """Return points of a box, (count, P), every one as likely as any other."""
    return np.asarray(low + (high - low) * rng.random((count, low.size)))


def finite_or_inf(losses: np.ndarray) -> np.ndarray:
    """Return losses with ∞ for whatever is no finite number: no such point is better than any other."""
    return np.where(np.isfinite(losses), losses, losses.dtype.type(np.inf))


def gained(before: float, loss: float, tolerance: float) -> bool:
    """Whether a loss is less than before by more than a part of itself."""
    return before - loss > tolerance * abs(loss) if math.isfinite(loss) else False


def counts(**numbers: int) -> dict[str, np.ndarray]:
    """Return whole numbers as a state holds them."""
    return {name: np.array(number, np.int64) for name, number in numbers.items()}
