"""Activations as Pfaffian functions.

A *chain* is a short list of functions c₁(z), c₂(z), … each of whose derivatives is a polynomial in z and the chain;
an activation is a polynomial in z and its chain. Example, tanh: t' = c, c' = -2tc with c = sech². One row of the
catalogue states this, and from it follow every derivative, the Taylor recurrence, the formula and the enclosure, for
every kind of number.

The chain is chosen so that the value and the first two derivatives are sums without cancellation beyond the
condition of the function itself: sech² is a chain function of its own, not 1 - tanh².
"""

from __future__ import annotations

import difflib
import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.arithmetic.kind import Value
from neuralgebra.errors import InputError, UnsupportedError, shown
from neuralgebra.functions.chain import Chain
from neuralgebra.functions.composition import composed, letters, parameter_names
from neuralgebra.functions.preimages import places
from neuralgebra.functions.row import AFTER, Definition, Element, Kink, Number, Row, parsed, resolved
from neuralgebra.functions.turning import hull

__all__ = [
    "Activation",
    "Chain",
    "Definition",
    "Element",
    "Kink",
    "Row",
    "activation",
    "compose",
    "found",
    "register",
    "registered",
    "resolved",
]

LONGEST = 12
"""Most functions in a composition."""

Parameter = Number | tuple[Number, ...]


@dataclass(frozen=True)
class Activation:
    """A scalar function σ with its parameters, applied coordinate by coordinate.

    Parameters
    ----------
    row : Row
        Its row of the catalogue.
    parameters : tuple of (str, float or tuple of float)
        Name and value of each parameter; a tuple holds one value per coordinate.
    """

    row: Row = field(repr=False)
    name: str = field(init=False)
    parameters: tuple[tuple[str, Parameter], ...] = ()

    def __post_init__(self) -> None:
        unknown = dict(self.parameters).keys() - self.row.parameters.keys()
        if unknown:
            raise InputError(
                f"parameter '{shown(min(unknown))}' received for {self.row.name}; "
                f"{sorted(self.row.parameters) or 'no parameters'} expected."
            )
        given = {**self.row.parameters, **dict(self.parameters)}
        wrong = None if self.row.fault is None else self.row.fault(given)
        if wrong is not None:
            raise InputError(wrong)
        object.__setattr__(self, "name", self.row.name)
        object.__setattr__(self, "parameters", tuple(sorted(given.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.name, self.parameters, self.row.fingerprint)

    def __str__(self) -> str:
        changed = [(n, v) for n, v in self.parameters if v != self.row.parameters[n]]
        return self.name + (f"({', '.join(f'{n}={_short(v)}' for n, v in changed)})" if changed else "")

    def constants(self, kind: Any) -> dict[str, Any]:
        """Return the parameters as numbers of a kind."""
        return {
            n: kind.weight(np.array(v, dtype=float)) if isinstance(v, tuple) else kind.number(v)
            for n, v in self.parameters
        }

    def __call__(self, kind: Any, z: Value) -> Value:
        """Return σ(z), coordinate by coordinate."""
        return self.derivative(kind, z, 0)

    def derivative(self, kind: Any, z: Value, order: int) -> Value:
        """Return the derivative of an order, σ⁽ⁿ⁾(z), coordinate by coordinate.

        Parameters
        ----------
        kind : Kind
            The kind of number that z is.
        z : array
            Arguments, any shape (..., n); n is the number of coordinates if a parameter has one value for each.
        order : int
            0 for the function itself.

        Returns
        -------
        array
            Values, shaped as z.

        Examples
        --------
        >>> from neuralgebra.arithmetic.symbols import Symbols
        >>> import numpy, sympy
        >>> z = numpy.array([sympy.Symbol("x")], dtype=object)
        >>> activation("relu").derivative(Symbols(), z, 1)[0]
        Piecewise((1, x > 0), (0, True))
        """
        with quiet():
            return hull(Chain(kind, self, z), self.row.derivative(order))

    @property
    def inverse(self) -> Activation | None:
        """The inverse function, on the values that this one takes; None where none is stated."""
        if self.row.inverse is None:
            return None
        try:
            stated = self.row.inverse(dict(self.parameters)) if callable(self.row.inverse) else (self.row.inverse, {})
            return None if stated is None else activation(stated[0], **stated[1])
        except (ArithmeticError, InputError):  # a slope or a power of 0, or so near to it that an inverse overflows
            return None

    @property
    def base(self) -> Activation:
        """The function of the catalogue that this one is a derivative of, or the function itself.

        Functions of equal base share one chain.
        """
        return self if self.row.base is None else Activation(self.row.base, self.parameters)

    def differentiated(self, order: int = 1) -> Activation:
        """Return the derivative of an order as a function of its own, with the same parameters.

        Parameters
        ----------
        order : int
            0 to 32, counted with the order that the function has already.

        Returns
        -------
        Activation
            Its values and derivatives are those that `derivative` gives, bit for bit.

        Raises
        ------
        InputError
            For what is no order.
        UnsupportedError
            For an order above 32.

        Examples
        --------
        >>> print(activation("elu", alpha=0.5).differentiated().differentiated(2))
        elu^(3)(alpha=0.5)
        """
        row = self.row.differentiated(order)
        return self if row is self.row else Activation(row, self.parameters)

    @property
    def parts(self) -> tuple[Activation, ...]:
        """The functions of a composition with their parameters, the one that is applied first before the others."""
        given = dict(self.parameters)
        return tuple(
            Activation(part.row, tuple((own, given[part.names[own]]) for own in part.row.parameters))
            for part in self.row.parts
        )

    @functools.cached_property
    def letters(self) -> tuple[Activation, ...]:
        """The functions that the name tells, outermost first: log, tanh and exp of log∘tanh∘exp."""
        if AFTER not in self.name or self.row.base is not None:
            return (self,)
        if self.name == AFTER.join(part.row.name for part in self.row.parts[::-1]):  # made of what the name tells
            return tuple(letter for part in reversed(self.parts) for letter in part.letters)
        rows = [_row(name) for name in letters(self.name)]
        given = dict(self.parameters)
        return tuple(
            Activation(row, tuple((own, given[whole]) for own, whole in names.items()))
            for row, names in zip(rows, parameter_names(rows), strict=True)
        )

    def points(self, kind: Any) -> list[tuple[Any, int]]:
        """Return place and order of each kink, as numbers of a kind."""
        if self.row.parts:
            return places(kind, self.parts)
        constants, given = self.constants(kind), dict(self.parameters)
        return [(resolved(kink.at, constants), resolved(kink.order, given)) for kink in self.row.kinks]


def compose(functions: Sequence[Activation]) -> Activation:
    """Return the composition of functions, outermost first, as one function.

    Parameters
    ----------
    functions : sequence of Activation
        f, g, h.

    Returns
    -------
    Activation
        f∘g∘h; the identity takes no part.

    Raises
    ------
    UnsupportedError
        Where a kink lies behind a function without an inverse, so that its place is not known, and for more than
        12 functions.

    Examples
    --------
    >>> import neuralgebra.functions.catalogue
    >>> print(compose([activation("log"), activation("leaky_relu", slope=0.2), activation("exp")]))
    log∘leaky_relu∘exp(slope=0.2)
    """
    return _composed_of(tuple(functions))


@functools.lru_cache(maxsize=4096)
def _composed_of(functions: tuple[Activation, ...]) -> Activation:
    singles = [f for function in functions for f in function.letters if f.name != "identity"]
    if len(singles) < 2:
        return singles[0] if singles else activation("identity")
    name = AFTER.join(f.name for f in singles)
    row = _row(name)
    names = parameter_names([f.row for f in singles])
    given = ((names[i][own], value) for i, f in enumerate(singles) for own, value in f.parameters)
    result = Activation(row, tuple(given))
    result.points(Arrays.of(np.zeros(1)))
    return result


def _short(value: Parameter) -> str:
    return f"[{len(value)} values]" if isinstance(value, tuple) else f"{float(value):g}"


_ROWS: dict[str, Row] = {}
# Names that stand for layers where an activation is expected.
_WORDS = frozenset({"softmax"})


def register(row: Row, *, replace: bool = False) -> Row:
    """Add a row to the catalogue under its name; with `replace` it may take the place of a registered one.

    The row of a composition, log∘tanh∘exp, takes the place of what would be put together from its parts.
    """
    known = _ROWS.get(row.name)
    if parsed(row.name)[1]:
        raise InputError(f"activation '{shown(row.name)}' received, the name of a derivative; register the function.")
    if row.name in _WORDS or (known and not (replace and known.fingerprint)):
        raise InputError(f"activation '{shown(row.name)}' is registered already; choose another name.")
    _ROWS[row.name] = row
    return row


def registered() -> Mapping[str, Row]:
    """Return all rows by name, without their derivatives and without compositions."""
    return {name: row for name, row in _ROWS.items() if AFTER not in name}


def found(name: str) -> Row | None:
    """Return the row of a name, which may say a derivative: "tanh'", "tanh^(3)"; None if there is none."""
    if name in _ROWS:
        return _ROWS[name]
    if len(names := letters(name)) > 1:
        return _composition(name, names)
    base, order = parsed(name)
    row = None if base == name else found(base)
    return None if row is None else row.differentiated(order)


def _composition(name: str, names: Sequence[str]) -> Row | None:
    """Return the row of a composition, put together from the longest registered parts; None if one is unknown."""
    if len(names) > LONGEST:
        raise UnsupportedError(f"a composition of {len(names)} functions received; at most {LONGEST} are covered.")
    rows: list[Row] = []
    while names:
        sizes = range(len(names), 0, -1)
        row, size = next(((r, n) for n in sizes if (r := _registered(AFTER.join(names[:n])))), (None, 0))
        if row is None:
            return None
        rows, names = [*rows, row], names[size:]
    return _composed(name, tuple(rows))


def _registered(name: str) -> Row | None:
    return _ROWS.get(name) if AFTER in name and len(letters(name)) > 1 else found(name)


_composed = functools.lru_cache(maxsize=1024)(composed)


def activation(name: str, **parameters: Any) -> Activation:
    """Return a function of the catalogue by name.

    Parameters
    ----------
    name : str
        A name of the catalogue, for example "tanh", or the derivative of one: "tanh'", "tanh''", "tanh^(3)".
    **parameters : float or sequence of float
        Its parameters; a sequence gives one value per coordinate.

    Returns
    -------
    Activation
        The function.

    Raises
    ------
    UnsupportedError
        For a name that is not in the catalogue, and for a derivative of an order above 32.
    InputError
        For a parameter that the function does not have.

    Examples
    --------
    >>> str(activation("leaky_relu", slope=0.2))
    'leaky_relu(slope=0.2)'
    >>> str(activation("tanh'''"))
    'tanh^(3)'
    """
    row = _row(str(name))
    given = {n: _parameter(n, v) for n, v in parameters.items()}
    return Activation(row, tuple(given.items()))


def _row(name: str) -> Row:
    row = found(name)
    if row is None:
        raise UnsupportedError(_unknown(name))
    return row


def _unknown(name: str) -> str:
    """Return what is said of a name that stands for no function."""
    base, order = parsed(name)
    near = difflib.get_close_matches(base, _ROWS, 3)
    hint = "na.activations() lists them; na.register adds one."
    if not order and any(mark in name for mark in "'^"):
        hint = "Derivatives are written tanh', tanh'', tanh^(3), …."
    elif near:
        hint = f"Did you mean {' or '.join(near)}?"
    return f"activation '{shown(name)}' received; the catalogue has no such function.\n{hint}"


def _parameter(name: str, value: Any) -> Parameter:
    values = value if isinstance(value, tuple) else (value,) if np.ndim(value) == 0 else tuple(value)
    try:
        numbers = tuple(v if type(v) in (int, Fraction) else float(v) for v in values)
    except (TypeError, ValueError):
        raise InputError(
            f"parameter '{shown(name)}' is {shown(repr(value))}; a number or one number per coordinate is expected."
        ) from None
    if not all(map(math.isfinite, numbers)):
        raise InputError(f"parameter '{shown(name)}' is {shown(repr(value))}; finite numbers are expected.")
    return numbers[0] if np.ndim(value) == 0 else numbers


def _restored(name: str, parameters: tuple[tuple[str, Parameter], ...], fingerprint: str = "") -> Activation:
    again = activation(name, **dict(parameters))
    if again.row.fingerprint != fingerprint:
        raise UnsupportedError(
            f"activation '{shown(name)}' was another function when this network was pickled; register that one."
        )
    return again
