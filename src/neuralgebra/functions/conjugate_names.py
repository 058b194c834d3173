"""What log∘σ∘exp and exp∘σ∘log are, where they are functions of the catalogue or short compositions of them.

Each entry takes the parameters of σ and returns functions, outermost first; () is the identity, None is not known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from neuralgebra.errors import UnsupportedError, shown
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.functions.catalogue import SELU_SCALE

__all__ = ["Word", "additive", "multiplicative", "scaled"]

Word = tuple[Activation, ...]
Entry = Callable[[Mapping[str, Any]], Word | None]


def affine(slope: Any, offset: Any = 0) -> Word:
    """Return slope·z + offset as a word; nothing where it is the identity."""
    return () if (slope, offset) == (1, 0) else (activation("affine", slope=slope, offset=offset),)


def _bounded(name: str, **bounds: Any) -> Word:
    return (activation(name, **bounds),)


def _reciprocal(value: Any) -> Any:
    return Fraction(1) / value if isinstance(value, int | Fraction) else 1 / value


# log∘σ∘exp ------------------------------------------------------------------------------------------------------------


def _at_least(p: Mapping[str, Any]) -> Word:
    if p["bound"] <= 0:
        return ()
    return (activation("relu"),) if p["bound"] == 1 else _bounded("at_least", bound=math.log(p["bound"]))


def _at_most(p: Mapping[str, Any]) -> Word | None:
    return _bounded("at_most", bound=_log(p["bound"])) if p["bound"] > 0 else None


def _log(value: Any) -> Any:
    return 0 if value == 1 else math.log(value)


def _clip(p: Mapping[str, Any]) -> Word | None:
    if p["low"] > 0:
        return _bounded("hardtanh", low=_log(p["low"]), high=_log(p["high"]))
    return _at_most({"bound": p["high"]})


def _affine(p: Mapping[str, Any]) -> Word | None:
    """Return log(a·e^z + b) = log(b) + softplus(z + log(a/b))."""
    a, b = p["slope"], p["offset"]
    if a < 0 or b < 0 or a == b == 0:
        return None
    if a == 0 or b == 0:
        return affine(0, _log(b)) if a == 0 else affine(1, _log(a))
    return (*affine(1, _log(b)), activation("softplus"), *affine(1, _log(_ratio(a, b))))


def _ratio(a: Any, b: Any) -> Any:
    if not 0 < a / b < math.inf:
        raise OverflowError
    return a / b


def _hardsigmoid(p: Mapping[str, Any]) -> Word | None:
    a, b = p["slope"], p["offset"]
    if a < 0 or b < 0 or a == b == 0:
        return None
    if b >= 1 or a == 0:
        return affine(0, _log(min(b, 1)))
    if b == 0:
        return (*_bounded("at_most", bound=0), *affine(1, _log(a)))
    return (activation("log∘hardsigmoid∘exp", **p),)


def _hill(p: Mapping[str, Any]) -> Word:
    return (activation("logsigmoid"), *affine(p["n"]))


def _same(p: Mapping[str, Any]) -> Word:
    del p
    return ()


def _power(p: Mapping[str, Any]) -> Word:
    return affine(p["p"])


def _of(*names: str) -> Entry:
    """Return an entry that does not depend on parameters."""
    return lambda p: tuple(activation(name) for name in names)


_ADDITIVE: Mapping[str, Entry] = {
    **dict.fromkeys(("identity", "relu", "leaky_relu", "prelu", "elu", "celu", "abs"), _same),
    "selu": lambda p: affine(1, math.log(SELU_SCALE)),
    **dict.fromkeys(("square", "relu_squared"), lambda p: affine(2)),
    "sqrt": lambda p: affine(Fraction(1, 2)),
    "reciprocal": lambda p: affine(-1),
    "power": _power,
    "cube": lambda p: affine(3),
    "cbrt": lambda p: affine(Fraction(1, 3)),
    "affine": _affine,
    "at_least": _at_least,
    "at_most": _at_most,
    "hardtanh": _clip,
    "relu6": lambda p: _at_most({"bound": 6}),
    "softsign": _of("logsigmoid"),
    "hill": _hill,
    "exp": _of("exp"),
    "exp_base": lambda p: (*affine(math.log(p["base"])), activation("exp")),
    **dict.fromkeys(("step", "sign"), lambda p: affine(0)),
    "gaussian": lambda p: (*affine(-1), activation("exp"), *affine(2)),
    "hardsigmoid": _hardsigmoid,
}

# exp∘σ∘log ------------------------------------------------------------------------------------------------------------

_POWERS = {1: "identity", -1: "reciprocal", 2: "square", 3: "cube", Fraction(1, 2): "sqrt"}


def _monomial(p: Mapping[str, Any]) -> Word:
    """Return e^b·x^a."""
    a, b = p["slope"], p["offset"]
    if a == 0:
        return affine(0, math.exp(b))
    power = (activation(_POWERS[a]),) if a in _POWERS else (activation("power", p=a),)
    return (*affine(1 if b == 0 else math.exp(b)), *(f for f in power if f.name != "identity"))


def _exponential(*names: str) -> Callable[[Mapping[str, Any]], Word]:
    """Return an entry for bounds, which become their exponentials."""
    return lambda p: _bounded(names[0], **{n: _exp(p[n]) for n in names[1:]})


def _exp(value: Any) -> Any:
    return 1 if value == 0 else math.exp(value)


_MULTIPLICATIVE: Mapping[str, Entry] = {
    "identity": _same,
    "relu": lambda p: _bounded("at_least", bound=1),
    "relu6": lambda p: _bounded("hardtanh", low=1, high=math.exp(6)),
    "at_least": _exponential("at_least", "bound"),
    "at_most": _exponential("at_most", "bound"),
    "hardtanh": _exponential("hardtanh", "low", "high"),
    "softplus": lambda p: affine(1, 1),
    "logsigmoid": _of("hill"),
    "affine": _monomial,
    "exp": _of("exp"),
    "sigmoid": _of("exp", "hill"),
    "tanh": lambda p: (activation("exp"), *affine(2, -1), activation("hill", n=2)),
    "expm1": lambda p: (activation("exp"), *affine(1, -1)),
}


def _looked_up(table: Mapping[str, Entry], function: Activation) -> Word | None:
    """Return the entry of a function; parameters with one value for each coordinate are taken one by one."""
    entry, given = table.get(function.name), dict(function.parameters)
    if entry is None:
        return None
    sizes = {len(v) for v in given.values() if isinstance(v, tuple)}
    try:
        return entry(given) if not sizes or entry is _same else _merged(function, entry, given, max(sizes))
    except ArithmeticError:  # a constant of the known function would be beyond the floating-point numbers
        return None


def _merged(function: Activation, entry: Entry, given: Mapping[str, Any], size: int) -> Word | None:
    """Return one word whose parameters have one value for each coordinate."""
    rows = [{n: v[i] if isinstance(v, tuple) else v for n, v in given.items()} for i in range(size)]
    words = [entry(row) for row in rows]
    found = [word for word in words if word is not None]
    if len(found) < len(words):
        return None
    if len({tuple(f.name for f in word) for word in found}) > 1:
        raise UnsupportedError(
            f"{shown(function)} received: its conjugate is not one function for all coordinates.\n"
            "Conjugate a function with one value for each parameter."
        )
    return tuple(
        activation(one[0].name, **{n: tuple(dict(f.parameters)[n] for f in one) for n, _ in one[0].parameters})
        for one in zip(*found, strict=True)
    )


def additive(function: Activation) -> Word | None:
    """Return log∘σ∘exp as functions of the catalogue; None where it is not known, or σ is not positive.

    Parameters
    ----------
    function : Activation
        σ.

    Returns
    -------
    tuple of Activation or None
        Outermost first.

    Examples
    --------
    >>> [str(f) for f in additive(activation("affine", slope=2, offset=1))]
    ['softplus', 'affine(offset=0.693147)']
    """
    inner = _between(function, "exp", "log")
    return inner if inner is not None else _looked_up(_ADDITIVE, function)


def multiplicative(function: Activation) -> Word | None:
    """Return exp∘σ∘log as functions of the catalogue; None where it is not known.

    Parameters
    ----------
    function : Activation
        σ.

    Returns
    -------
    tuple of Activation or None
        Outermost first.

    Examples
    --------
    >>> [str(f) for f in multiplicative(activation("relu"))]
    ['at_least']
    """
    inner = _between(function, "log", "exp")
    return inner if inner is not None else _looked_up(_MULTIPLICATIVE, function)


def _between(function: Activation, first: str, last: str) -> Word | None:
    """Return the letters between two, with which the word of a function begins and ends."""
    word = function.letters
    ends = len(word) > 2 and word[0].name == first and word[-1].name == last
    return word[1:-1] if ends else None


# Another base ---------------------------------------------------------------------------------------------------------

_HOMOGENEOUS = frozenset({"identity", "relu", "leaky_relu", "prelu", "abs"})  # for positive factors
_OTHER = {"at_least": "at_most", "at_most": "at_least"}


def scaled(word: Word, factor: float) -> Word:
    """Return factor·f(z/factor) as a word, given that of f.

    Parameters
    ----------
    word : tuple of Activation
        f, outermost first.
    factor : float
        Not 0.

    Returns
    -------
    tuple of Activation
        Bounds are multiplied, and change their side where the factor is negative.

    Examples
    --------
    >>> [str(f) for f in scaled((activation("relu"),), -2.0)]
    ['at_most(bound=0)']
    """
    if len(word) == 1:
        known = _scaled_one(word[0], factor)
        if known is not None:
            return known
    return (*affine(factor), *word, *affine(1 / factor)) if word and factor != 1 else word


def _scaled_one(function: Activation, factor: float) -> Word | None:
    name, given = function.name, dict(function.parameters)
    if factor > 0 and name in _HOMOGENEOUS:
        return (function,)
    if any(isinstance(value, tuple) for value in given.values()):
        return None
    if name == "affine":
        return affine(given["slope"], _times(given["offset"], factor))
    if name in ("relu", *_OTHER):
        name, bound = ("at_least", 0) if name == "relu" else (name, _times(given["bound"], factor))
        return _bounded(name if factor > 0 else _OTHER[name], bound=bound)
    if name == "hardtanh":
        low, high = (_times(given[name], factor) for name in (("low", "high") if factor > 0 else ("high", "low")))
        return _bounded("hardtanh", low=low, high=high)
    return None


def _times(value: Any, factor: float) -> Any:
    return 0 if value == 0 else value * factor
