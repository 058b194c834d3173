"""Conjugates: log∘σ∘exp, the activation of the additive twin of a multiplicative network, and back, exp∘σ∘log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.intervals import Interval, Intervals
from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.errors import InputError, shown
from neuralgebra.functions import conjugate_names as names
from neuralgebra.functions.activation import Activation, activation, compose
from neuralgebra.functions.conjugates import CONJUGATES, LIMITS
from neuralgebra.functions.positivity import Positivity, positivity
from neuralgebra.functions.row import AFTER

__all__ = ["Conjugate", "conjugate"]

_REACH = 700.0  # below and above it exp(x) underflows and overflows


@dataclass(frozen=True)
class Conjugate:
    """log∘σ∘exp or exp∘σ∘log as an activation, and what is known of it.

    Parameters
    ----------
    source : Activation
        σ.
    direction : {"additive", "multiplicative"}
        Whether it is the one for an additive network, log∘σ∘exp, or for a multiplicative one, exp∘σ∘log.
    base : float
        Of logarithm and power.
    activation : Activation
        The function, to build layers with.
    known : bool
        Whether it is made of functions of the catalogue; otherwise its row is its own.
    stabilised : bool
        Whether floating-point accuracy has been taken care of over the whole line.
    positive : bool or None
        Whether σ is positive for all positive numbers; None where that is neither proven nor refuted, and for a
        multiplicative network, where it is not asked for.
    """

    source: Activation
    direction: str
    base: float
    activation: Activation
    known: bool
    stabilised: bool
    positive: bool | None

    @property
    def name(self) -> str:
        """Name and parameters of the function."""
        return str(self.activation)

    @property
    def formula(self) -> sympy.Expr:
        """The function as an expression in the real symbol x."""
        x = sympy.Symbol("x", real=True)
        expression: sympy.Expr = self.activation(Symbols(), np.array([x], dtype=object))[0]
        return sympy.powsimp(expression)

    def latex(self) -> str:
        """Return the formula in LaTeX."""
        return str(sympy.latex(self.formula))

    @property
    def domain(self) -> tuple[float, float]:
        """Ends of the interval of arguments."""
        low, high = self.activation.row.domain
        return (max(low, 0.0), high) if self.direction == "multiplicative" else (low, high)

    @property
    def limits(self) -> tuple[sympy.Expr, sympy.Expr]:
        """Values at both ends of the domain, exact where they are known in closed form; nan where there is none."""
        known = LIMITS.get(self.activation.name)
        if known is not None and self.activation.parameters == tuple(sorted(self.activation.row.parameters.items())):
            return known
        if any(part.row.fingerprint for part in self.activation.letters):
            low, high = map(self._limit, self.domain)
        else:
            low, high = (_exact(self._at(end)) for end in self.domain)
        return low, high

    def _limit(self, place: float) -> sympy.Expr:
        """Return the limit of the formula of a registered function, whose numbers may leave the floats before it."""
        formula = self.formula
        (x,) = formula.free_symbols or (sympy.Symbol("x"),)
        try:
            found = sympy.limit(formula, x, _exact(place), "-" if place > 0 else "+")
        except Exception:  # SymPy raises what it likes where it knows no limit
            return sympy.nan
        if not found.is_comparable and found not in (sympy.oo, -sympy.oo):
            return sympy.nan
        return found if self.direction == "additive" or found >= 0 else sympy.nan  # no power is below 0

    def _at(self, place: float) -> float:
        return float(self(np.array([place]))[0])

    @property
    def range(self) -> tuple[sympy.Expr, sympy.Expr]:
        """Ends of the interval of values: the limits where none lies beyond them, else of an enclosure."""
        ends = [limit for limit in self.limits if limit is not sympy.nan]
        low, high = self._hull()
        lows, highs = ([e for e in ends if _close(e, end, side)] for end, side in ((low, -1), (high, 1)))
        return min(lows) if lows else _exact(low), max(highs) if highs else _exact(high)

    def _hull(self) -> tuple[float, float]:
        """Return bounds of the values where exp does not overflow, function after function."""
        most = (1e-300, 1e300) if self.direction == "multiplicative" else (-_REACH, _REACH)
        value = Interval(*(np.array([end]) for end in np.clip(self.domain, *most)))
        for part in self.activation.parts or (self.activation,):
            value = part(Intervals(), value)
        return float(value.low[0]), float(value.high[0])

    def __call__(self, x: Any) -> Value:
        """Return values, shaped as x, in its dtype and of its library."""
        return self.derivative(x, 0)

    def derivative(self, x: Any, order: int = 1) -> Value:
        """Return the derivative of an order, shaped as x, in its dtype and of its library.

        Parameters
        ----------
        x : array_like
            Arguments of any shape.
        order : int
            0 to 32.

        Returns
        -------
        array
            Values.

        Examples
        --------
        >>> conjugate("tanh").derivative([-1000.0, 0.0, 1000.0])
        array([1.        , 0.55144113, 0.        ])
        """
        kind, x = Arrays.accept(x, np.dtype(np.float64))
        with quiet():
            return self.activation.differentiated(order).derivative(kind, x, 0)

    def __str__(self) -> str:
        return self.name


def _close(limit: sympy.Expr, bound: float, side: int) -> bool:
    """Return whether no value lies beyond a limit, given a bound of the values that is off by its rounding."""
    end = float(limit)
    return end == bound or (math.isfinite(bound) and side * (bound - end) <= 1e-9 * max(1.0, abs(bound)))


def _exact(value: float) -> sympy.Expr:
    """Return a float as an expression: whole numbers and infinities as they are."""
    if math.isnan(value):
        return sympy.nan
    if math.isinf(value):
        return sympy.oo if value > 0 else -sympy.oo
    return sympy.Integer(int(value)) if value == int(value) else sympy.Float(value, 17)


def conjugate(
    function: str | Activation, direction: str = "additive", base: float = math.e, **parameters: Any
) -> Conjugate:
    """Return the activation σ' of the additive twin of a multiplicative network with σ, or back.

    A multiplicative layer is exp after an affine layer after log, so that between two of them stands
    σ' = log_β ∘ σ ∘ β^·. Back it is β^· ∘ σ ∘ log_β.

    Parameters
    ----------
    function : str or Activation
        σ, by name or as an activation.
    direction : {"additive", "multiplicative"}
        "additive" for log∘σ∘exp, "multiplicative" for exp∘σ∘log.
    base : float
        β, positive and not 1.
    **parameters : float
        Parameters of σ, where it is given by name; `base` is always β.

    Returns
    -------
    Conjugate
        The function, with formula, limits and range.

    Raises
    ------
    InputError
        For another direction or base, and for a σ that is not positive: with an interval where it is not.
    UnsupportedError
        For a σ that is not in the catalogue.

    Examples
    --------
    >>> s = conjugate("softsign")
    >>> s.name, s.known, s.formula
    ('logsigmoid', True, -log(1 + exp(-x)))
    >>> conjugate("sigmoid").limits
    (-log(2), 0)
    >>> conjugate("relu", "multiplicative").name, conjugate("at_least", base=0.5).name
    ('at_least', 'at_most(bound=0)')
    """
    source = _given(function, parameters)
    if direction not in ("additive", "multiplicative"):
        raise InputError(f"direction={shown(repr(direction))} received; 'additive' or 'multiplicative' is expected.")
    if isinstance(base, bool) or not isinstance(base, int | float) or not 0 < base < math.inf or base == 1:
        raise InputError(f"base={shown(repr(base))} received; a positive number other than 1 is expected.")
    factor = 1.0 if base == math.e else math.log(base)
    made = _additive(source, factor) if direction == "additive" else _multiplicative(source, factor)
    return Conjugate(source, direction, base, *made)


def _given(function: str | Activation, parameters: Mapping[str, Any]) -> Activation:
    if not isinstance(function, Activation):
        return activation(function, **parameters)
    if parameters:
        raise InputError(f"parameters received beside the activation {shown(function)}, which has its own.")
    return function


Made = tuple[Activation, bool, bool, bool | None]


def _additive(source: Activation, factor: float) -> Made:
    word = names.additive(source)
    if word is not None:
        row_of_its_own = any(AFTER in f.name for f in word)
        return compose(names.scaled(_flat(word), 1 / factor)), not row_of_its_own, _steady(word), True
    if source.name in CONJUGATES and source.name != "hardsigmoid":
        own = activation(CONJUGATES[source.name].name, **dict(source.parameters))
        return compose(names.scaled((own,), 1 / factor)), False, True, True
    sign = positivity(source)
    if sign.holds is False:
        raise InputError(_refusal(source, sign))
    parts = (activation("log"), source, activation("exp"))
    return compose(names.scaled(parts, 1 / factor)), False, False, sign.holds


def _flat(word: names.Word) -> names.Word:
    return tuple(letter for function in word for letter in (function.letters if len(word) > 1 else (function,)))


def _steady(word: names.Word) -> bool:
    """Return whether a word is accurate: all are but log(b) + softplus(…), whose terms may cancel."""
    return [f.name for f in word[:2]] != ["affine", "softplus"]


def _refusal(source: Activation, sign: Positivity) -> str:
    how = "" if sign.proven else " at sampled points"
    return (
        f"{shown(source)} received: {source.name}(x) <= 0{how} for {sign.where()}, and log∘σ∘exp takes its logarithm.\n"
        "A function that is positive for x > 0 is expected."
    )


def _multiplicative(source: Activation, factor: float) -> Made:
    inner = names.scaled(source.letters, factor) if source.name != "identity" else ()
    one = compose(inner) if inner else activation("identity")
    word = names.multiplicative(one)
    if word is not None:
        return compose(word), True, all(f.row.stabilised for f in word), None
    bounded = all(map(math.isfinite, source.row.range))
    return compose((activation("exp"), one, activation("log"))), False, bounded, None
