"""What is known of the numbers on a wire: an interval, and whether its ends are taken.

Side conditions of laws are about these: exp(ln x) is x where x > 0, and not merely where x ≥ 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.errors import InputError, shown
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Layer,
    Maximum,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)

__all__ = ["POSITIVE", "REAL", "Range", "after", "domain_of", "image", "required", "taken_by", "through"]

INF = math.inf
_SIZE = 1_000_000  # entries of a matrix, beyond which the range behind it is not asked for


@dataclass(frozen=True)
class Range:
    """An interval that holds all values of a wire.

    Parameters
    ----------
    low, high : float
        Its ends.
    with_low, with_high : bool
        Whether an end may be a value.
    """

    low: float = -INF
    high: float = INF
    with_low: bool = False
    with_high: bool = False

    def within(self, other: Range) -> bool:
        """Return whether every value of this one is one of the other."""
        low = self.low > other.low or (self.low == other.low and (other.with_low or not self.with_low))
        high = self.high < other.high or (self.high == other.high and (other.with_high or not self.with_high))
        return low and high

    def meet(self, other: Range) -> Range:
        """Return what both hold."""
        low = max((self.low, not self.with_low), (other.low, not other.with_low))
        high = min((self.high, self.with_high), (other.high, other.with_high))
        return Range(low[0], high[0], not low[1], high[1])

    def union(self, other: Range) -> Range:
        """Return the least interval that holds both."""
        low = min((self.low, not self.with_low), (other.low, not other.with_low))
        high = max((self.high, self.with_high), (other.high, other.with_high))
        return Range(low[0], high[0], not low[1], high[1])

    def __str__(self) -> str:
        known = {(-INF, INF): "R", (0.0, INF): "R≥0" if self.with_low else "R>0"}
        ends = f"{'[' if self.with_low else '('}{self.low:g}, {self.high:g}{']' if self.with_high else ')'}"
        return known.get((self.low, self.high), ends)

    @classmethod
    def of(cls, given: Any) -> Range:
        """Return what a person passes as a domain: a range, "R", "R>0" or two numbers, which may be taken."""
        words = {"R": REAL, "R>0": POSITIVE, "R≥0": Range(0.0, INF, True)}
        if isinstance(given, Range):
            return given
        if isinstance(given, str) and given in words:
            return words[given]
        try:
            low, high = (float(end) for end in given)
        except (TypeError, ValueError):
            low, high = math.nan, math.nan
        if not low <= high:
            raise InputError(f'domain {shown(given)} received; "R", "R>0" or two numbers in ascending order expected.')
        return cls(low, high, math.isfinite(low), math.isfinite(high))


REAL, POSITIVE = Range(), Range(0.0, INF)

# Strictly increasing, and strictly decreasing, wherever they are defined, for parameters that are positive.
_RISING = frozenset(
    {
        *(
            "tanh",
            "sigmoid",
            "softplus",
            "logsigmoid",
            "sinh",
            "asinh",
            "arctan",
            "tan",
            "atanh",
            "logit",
            "exp",
            "log",
        ),
        *("sqrt", "erf", "leaky_relu", "prelu", "elu", "selu", "celu", "softsign", "cube", "cbrt", "log1p", "expm1"),
        "hill",
    }
)
_FALLING = frozenset({"reciprocal"})
# Greater than 0 where the argument is.
_POSITIVE = frozenset(
    {
        *("gelu", "gelu_tanh", "silu", "mish", "tanhshrink", "lisht", "hardswish", "square", "relu_squared", "abs"),
        *(
            "hardsigmoid",
            "gaussian",
            "cosh",
            "power",
            "exp_base",
            "sigmoid",
            "softplus",
            "exp",
            "relu6",
            "step",
            "sign",
        ),
    }
)
# Greater than 0 everywhere.
_ALWAYS = frozenset({"gaussian", "cosh", "exp_base", "exp", "sigmoid", "softplus"})
# The identity from 0 on.
_IDENTITY = frozenset({"relu", "leaky_relu", "prelu", "elu", "celu", "abs"})


@functools.lru_cache(maxsize=4096)
def domain_of(function: Activation) -> Range:
    """Return where a function is defined; an end counts if its value there is a number."""
    low, high = function.row.domain
    ends = np.array([low, high])
    with quiet():
        known = np.isfinite(function(Arrays(ends), ends)) & np.isfinite(ends) if _plain(function) else [False, False]
    return Range(float(low), float(high), bool(known[0]), bool(known[1]))


@functools.lru_cache(maxsize=4096)
def taken_by(function: Activation) -> Range:
    """Return where a function gives numbers: 1/x and x^3 do beyond the domain that the catalogue states."""
    return REAL if _goes_on(function) else domain_of(function)


def _goes_on(function: Activation) -> bool:
    """Return whether a function gives numbers outside of its domain, or is not known to give none."""
    low, high = function.row.domain
    beyond = np.array([end for end in (low - 1.0, high + 1.0) if math.isfinite(end)])
    if not beyond.size:
        return False
    with quiet():
        return not _plain(function) or not np.isnan(function(Arrays(beyond), beyond)).all()


def _plain(function: Activation) -> bool:
    return not any(isinstance(value, tuple) for _, value in function.parameters)


def is_identity_on(function: Activation, values: Range) -> bool:
    """Return whether a function is known to be the identity on a range."""
    if function.name == "identity":
        return True
    given = dict(function.parameters)
    if function.name in _IDENTITY:
        return values.low >= 0
    if not _plain(function):
        return False
    limits = {
        "relu6": (0.0, 6.0),
        "hardtanh": (given.get("low"), given.get("high")),
        "at_least": (given.get("bound"), INF),
        "at_most": (-INF, given.get("bound")),
        "hardswish": (3.0, INF),
        "affine": (-INF, INF) if (given.get("slope"), given.get("offset")) == (1, 0) else None,
    }.get(function.name)
    return limits is not None and bool(limits[0] <= values.low and values.high <= limits[1])  # type: ignore[operator]


def direction(function: Activation, values: Range) -> int:
    """Return 1 or -1 if a function is known to rise or fall strictly on a range, and 0 otherwise."""
    sign = 1
    for letter in reversed(function.letters):
        sign *= _direction(letter, values)
        values = image(letter, values)
    return sign


@functools.lru_cache(maxsize=4096)
def _direction(function: Activation, values: Range) -> int:
    given = dict(function.parameters)
    if function.name == "identity" or is_identity_on(function, values):
        return 1
    if not _plain(function) or not values.within(domain_of(function)):
        return 0
    if function.name in _RISING:
        return 1 if all(v > 0 for v in given.values()) else 0  # type: ignore[operator]
    if function.name in _FALLING:
        return -1
    sign: Any = {
        "affine": given.get("slope"),
        "power": given.get("p"),
        "exp_base": given.get("base", 2) - 1,  # type: ignore[operator]
        "log_base": given.get("base", 2) - 1,  # type: ignore[operator]
        "square": 1 if values.low >= 0 else 0,
        "cosh": 1 if values.low >= 0 else 0,
    }.get(function.name, 0)
    return int(np.sign(float(sign)))


def image(function: Activation, values: Range) -> Range:
    """Return a range of the values of a function, given that of its arguments.

    Parameters
    ----------
    function : Activation
        The function; a composition is followed through its parts.
    values : Range
        Of the arguments.

    Returns
    -------
    Range
        Not wider than the range that the catalogue states.

    Examples
    --------
    >>> from neuralgebra.functions.activation import activation
    >>> import neuralgebra.functions.catalogue
    >>> [str(image(activation(name), POSITIVE)) for name in ("log", "tanh", "relu")]
    ['R', '(0, 1)', 'R>0']
    """
    for letter in reversed(function.letters):
        values = _image(letter, values)
    return values


@functools.lru_cache(maxsize=4096)
def _image(function: Activation, values: Range) -> Range:
    if is_identity_on(function, values):
        return values
    if not values.within(domain_of(function)) and _goes_on(function):
        return REAL
    values = values.meet(domain_of(function))
    if not values.low <= values.high or not _plain(function):
        return REAL
    rising = _direction(function, values)
    result = _hull(function, values, strict=bool(rising))
    if function.name in _ALWAYS or (function.name in _POSITIVE and values.within(POSITIVE)):
        result = result.meet(POSITIVE)
    return result


def _hull(function: Activation, values: Range, strict: bool) -> Range:
    """Return the interval of values; ends of strictly monotone functions are taken where those of arguments are."""
    ends = np.array([values.low, values.high])
    if strict:
        with quiet():
            at = function(Arrays(ends), ends).tolist()
        taken = [values.with_low, values.with_high]
        (low, with_low), (high, with_high) = sorted(zip(at, taken, strict=True))
        if not math.isnan(low) and not math.isnan(high):
            return Range(_outward(low, -INF), _outward(high, INF), with_low, with_high)
    kind = Intervals()
    with quiet():
        found = function(kind, Interval(ends[:1], ends[1:]))
    low, high = float(np.ravel(found.low)[0]), float(np.ravel(found.high)[0])
    if math.isnan(low) or math.isnan(high):
        return REAL
    return Range(low, high, math.isfinite(low), math.isfinite(high))


def _outward(value: float, towards: float) -> float:
    """Return a bound of a value that is known to a few units in the last place; 0 and ±1 are exact limits."""
    if value in (0.0, 1.0, -1.0) or math.isinf(value):
        return value
    for _ in range(8):
        value = math.nextafter(value, towards)
    return value


# Layers -----------------------------------------------------------------------------------------------------------


def through(layer: Layer, inputs: Sequence[Range]) -> Range:
    """Return a range of the values behind a layer, given those of its arguments."""
    match layer:
        case Affine():
            return _affine(layer, inputs[0])
        case Elementwise():
            images = [image(function, inputs[0]) for function, _ in layer.activations]
            return _union(images)
        case PowerProduct():
            return _mixed(layer, activation("exp"), activation("log"), inputs[0])
        case Mixing():
            return _mixed(layer, layer.function, layer.inverse, inputs[0])
        case Concatenate():
            return _union(inputs)
        case Select() | Maximum():
            return inputs[0]
        case Softmax():
            return Range(-INF, 0.0, False, True) if layer.log else Range(0.0, 1.0, False, True)
        case Multiply():
            return _product(*inputs)
    return REAL


def _union(ranges: Sequence[Range]) -> Range:
    result = ranges[0]
    for other in ranges[1:]:
        result = result.union(other)
    return result


def _product(u: Range, v: Range) -> Range:
    if u.within(POSITIVE) and v.within(POSITIVE):
        return POSITIVE
    return Range(0.0, INF, True) if min(u.low, v.low) >= 0 else REAL


def _mixed(layer: PowerProduct | Mixing, function: Activation, inverse: Activation, x: Range) -> Range:
    return image(function, _affine(layer, image(inverse, x)))


def _affine(layer: Affine | PowerProduct | Mixing, x: Range) -> Range:
    """Return the hull of the rows: ends by interval arithmetic, taken only where all that count are."""
    if layer.weight.rows * layer.weight.columns > _SIZE or (x.low == -INF and x.high == INF):
        return REAL
    w = layer.weight.dense()
    bias = np.zeros(layer.weight.rows) if layer.bias is None else layer.bias
    with np.errstate(all="ignore"):
        ends = [np.where(w == 0, 0.0, w * end) for end in (x.low, x.high)]
        terms = np.minimum(*ends), np.maximum(*ends)
        low, high = (t.sum(1) + bias for t in terms)
        room = [1e-12 * (np.abs(t).sum(1) + np.abs(bias)) for t in terms]  # of roundings; 0 where all terms are 0
        low, high = low - np.where(np.isfinite(low), room[0], 0), high + np.where(np.isfinite(high), room[1], 0)
    least, most = float(low.min()), float(high.max())
    constant = not w.any(axis=1).all()  # a row of zeros takes its value
    with_low = constant or not _all_open(w[low <= least], x)
    with_high = constant or not _all_open(-w[high >= most], x)
    return Range(least, most, with_low and math.isfinite(least), with_high and math.isfinite(most))


def _all_open(w: np.ndarray, x: Range) -> bool:
    """Return whether each row has a number for which the end that makes it small is not taken."""
    opened = ((w > 0) & (not x.with_low)) | ((w < 0) & (not x.with_high))
    return bool(opened.any(axis=1).all())


def required(layer: Layer, position: int = 0) -> Range:
    """Return the numbers that a layer is defined on."""
    del position
    match layer:
        case PowerProduct():
            return POSITIVE
        case Mixing():
            return domain_of(layer.inverse)
        case Elementwise():
            ranges = [taken_by(function.letters[-1]) for function, _ in layer.activations]
            return _union(ranges)
    return REAL


def after(ranges: Range, functions: Sequence[Activation]) -> list[Range]:
    """Return the ranges before each function of a word and behind the last, functions innermost first."""
    found = [ranges]
    for function in functions:
        found.append(_image(function, found[-1]))
    return found
