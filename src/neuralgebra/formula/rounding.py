"""Formulas with fewer digits and fewer terms, and a proven bound of how far they are from the network on a box.

With z = W a + b and z' = W' a' + b' one has z' - z = W'(a' - a) + (W' - W) a + (b' - b), so that

    |Δz| ≤ |W'| |Δa| + |W' - W| max|a| + |b' - b|,    |Δσ(z)| ≤ min(max|σ'| |Δz|, width of σ),

with the maximum of the slope, and the width, over the range of z widened by |Δz|. Ranges and slopes are enclosed by
exact arithmetic and balls; the sums of what is never negative are floats, raised by more than their rounding errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import Rationals, above, ends, fraction, nearest
from neuralgebra.errors import ResourceError, UnsupportedError
from neuralgebra.formula.ranges import Range, ball
from neuralgebra.formula.reduction import Reduction, Stage
from neuralgebra.formula.segments import jumps
from neuralgebra.network.forms import Form
from neuralgebra.network.layers import Elementwise, Maximum, Multiply, Softmax
from neuralgebra.network.units import functions_of

__all__ = ["EVERY", "Rounded", "bounds", "live", "rounded"]

EVERY = 17
"""So many digits tell every double from its neighbours."""

_K = Rationals()
_LONG = 10**9  # fractions with longer denominators are printed rounded


@dataclass(frozen=True)
class Rounded:
    """The numbers of one form as a formula shows them.

    Parameters
    ----------
    numbers : ndarray, shape (1 + variables, coordinates)
        Constants and factors, rounded.
    errors : ndarray, shape (1 + variables, coordinates)
        What the distances from the exact ones do not exceed.
    """

    numbers: np.ndarray
    errors: np.ndarray


def rounded(form: Form, digits: int) -> Rounded:
    """Return the numbers of a form with some significant digits.

    Parameters
    ----------
    form : Form
        Exact numbers.
    digits : int
        0 to 17; 0 leaves every number out, 17 gives the nearest doubles.

    Returns
    -------
    Rounded
        Numbers and errors: those of the doubles, and with fewer than 17 digits of the decimals that are printed, too.

    Raises
    ------
    ResourceError
        When a number is beyond the largest double.
    """
    pairs = [_rounded(value, digits) if value != 0 else (0.0, 0.0) for value in form.flat]
    numbers, errors = np.array(pairs, dtype=float).reshape(*form.shape, 2).transpose(2, 0, 1)
    if np.isinf(numbers).any():
        raise ResourceError("a product of weights is beyond the largest number of float64, 1.8e308.")
    return Rounded(numbers, errors)


def _rounded(value: flint.fmpq, digits: int) -> tuple[float, float]:
    number = nearest(value)
    if digits < EVERY:
        number = float(f"{number:.{digits}g}") if digits else 0.0
    if np.isinf(number):
        return number, np.inf
    # With every digit a decimal is the name of a double; with fewer it may be read as the decimal that it is.
    readings = [Fraction(number), *([Fraction(repr(number))] if digits < EVERY else [])]
    exact = fraction(value)
    return number, above(_K.scalar(max(abs(reading - exact) for reading in readings)))


# The bound --------------------------------------------------------------------------------------------------------


def bounds(reduction: Reduction, parts: Sequence[Rounded]) -> np.ndarray:
    """Return what the errors of the outputs do not exceed anywhere on the box, when forms are rounded.

    Parameters
    ----------
    reduction : Reduction
        The network on the box.
    parts : sequence of Rounded
        Its forms, rounded, in the order of `reduction.parts`.

    Returns
    -------
    ndarray, shape (m,)
        The bounds; infinite where nothing can be proven.

    Raises
    ------
    UnsupportedError
        For a layer of which the propagation of errors is not known.
    """
    errors, rest = np.zeros(reduction.inputs), iter(parts)
    sizes = reduction.ranges.sizes(len(reduction.ranges))
    for stage in reduction.stages:
        arguments = [_propagated(next(rest), errors, sizes) for _ in stage.arguments]
        errors = np.concatenate([errors, _behind(stage, arguments)])
    return _propagated(next(rest), errors, sizes)


def _propagated(part: Rounded, errors: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the errors of an affine form, given those of the variables and how large these are."""
    rows = len(part.numbers) - 1
    factors, before = abs(part.numbers[1:]), errors[:rows]
    off = (part.errors != 0).any(axis=0) | ((factors != 0) & (before[:, None] != 0)).any(axis=0)
    sums = _sum(factors, before) + _sum(part.errors, np.concatenate([[1.0], sizes[:rows]]))
    return np.asarray(_raised(sums, rows, off))


def _sum(factors: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return Σ factor·value over the rows, where a factor of 0 wins over an infinite value."""
    with np.errstate(invalid="ignore", over="ignore"):
        products = np.where(factors == 0, 0.0, factors * values[:, None])
        total: np.ndarray = products.sum(axis=0)
    return total


def _raised(sums: Any, terms: int, off: Any) -> Any:
    """Return sums of so many products of what is not negative, raised by more than their rounding errors.

    `off` tells which of them are not exactly 0, for products that underflow.
    """
    with np.errstate(over="ignore"):
        tiny = np.where(off, terms * float(np.finfo(np.float64).tiny), 0.0)
        return sums * (1 + 4 * (terms + 4) * float(np.finfo(np.float64).eps)) + tiny


def _behind(stage: Stage, arguments: Sequence[np.ndarray]) -> np.ndarray:
    """Return the errors behind a stage, given those of its arguments."""
    layer, errors = stage.layer, arguments[0]
    match layer:
        case None:
            return errors
        case Elementwise():
            return _elementwise(layer, stage.ranges[0], errors)
        case Maximum():
            return np.asarray(errors[layer.groups].max(axis=1))
        case Softmax():
            return _softmax(layer, errors)
        case Multiply(shape=None):
            left, right = (r.sizes() for r in stage.ranges)
            return _product(arguments[0], arguments[1], left, right)
    raise UnsupportedError(
        f"{layer} has no bound of how errors pass it; affine layers, activations, maxima, softmax "
        "and products expected. Leave tol out."
    )


def _product(first: np.ndarray, second: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the errors of products, |Δ(u v)| ≤ |u| |Δv| + |v| |Δu| + |Δu| |Δv|."""
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.nan_to_num(left * second + right * first + first * second, nan=np.inf, posinf=np.inf)
    errors: np.ndarray = _raised(sums, 3, (first != 0) | (second != 0))
    return errors


def _softmax(layer: Softmax, errors: np.ndarray) -> np.ndarray:
    """Return the errors behind softmax: its slopes are at most 1/4, those of its logarithm 1 in all on either side."""
    grouped = errors.reshape(-1, layer.group or errors.size)
    off = (grouped != 0).any(axis=1, keepdims=True)
    if layer.log:
        return np.ravel(_raised(grouped + grouped.max(axis=1, keepdims=True), 2, off))
    sums = _raised(grouped.sum(axis=1, keepdims=True) / 4, grouped.shape[1], off)
    return np.ravel(np.minimum(np.broadcast_to(sums, grouped.shape), 1.0))


def _elementwise(layer: Elementwise, ranges: Range, errors: np.ndarray) -> np.ndarray:
    functions, bounds_of_z = functions_of(layer, len(errors)), (ranges.low, ranges.high, ranges.known)
    k = Balls()
    with k.precision():
        found = []
        for function, low, high, known, error in zip(functions, *bounds_of_z, errors, strict=True):
            found.append(_unit(k, function, (low, high), error) if known else np.inf)
    return np.array(found)


def _unit(k: Balls, function: Any, span: tuple[Any, Any], error: float) -> float:
    """Return the error behind one unit."""
    if any(isinstance(v, Fraction) and v.denominator >= _LONG for _, v in function.parameters):
        raise UnsupportedError(f"{function} has a parameter that is printed rounded; a short fraction expected.")
    if not np.isfinite(error):
        return float(np.inf)
    low, high = span[0] - _K.scalar(error), span[1] + _K.scalar(error)
    wide = np.array([ball(low, high)], dtype=object)
    value = function(k, wide)[0]
    slope = np.inf if jumps(function, low, high) else _upper(abs(function.derivative(k, wide, 1)[0]))
    width = _upper(value.upper() - value.lower()) if value.is_finite() else np.inf
    through = float(_raised(slope * error if error else 0.0, 1, error != 0))
    printed = 2 * float(np.finfo(np.float64).eps) * _upper(abs(value)) if function.base.name == "selu" else 0.0
    return min(through, width) + printed  # the two constants of selu are printed to 17 digits


def _upper(value: flint.arb) -> float:
    """Return a double that a ball does not exceed."""
    return ends(value)[1] if value.is_finite() else float(np.inf)


def live(reduction: Reduction, parts: Sequence[Rounded]) -> list[Rounded]:
    """Return the forms with 0 for every number of a unit that no output depends on.

    Parameters
    ----------
    reduction : Reduction
        The network on the box.
    parts : sequence of Rounded
        Its forms, rounded.
    """
    needed = np.zeros(len(reduction.ranges), dtype=bool)
    rest, found = [*parts], []

    def take(columns: np.ndarray) -> None:
        part = rest.pop()
        numbers = np.where(columns, part.numbers, 0.0)
        needed[: len(numbers) - 1] |= (numbers[1:] != 0).any(axis=1)
        found.append(Rounded(numbers, part.errors))

    take(np.ones(parts[-1].numbers.shape[1], dtype=bool))
    for stage in reversed(reduction.stages):
        columns = needed[stage.start - 1 : stage.start - 1 + stage.size]
        for argument in reversed(stage.arguments):
            by_unit = stage.layer is None or isinstance(stage.layer, Elementwise)
            take(columns if by_unit else np.full(argument.shape[1], columns.any()))
    return found[::-1]
