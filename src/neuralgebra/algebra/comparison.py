"""Whether two networks are the same function: a proof, a point where they differ, or a bound of how far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra.normal_form import Form, form_of, reduce
from neuralgebra.algebra.pieces import values_of
from neuralgebra.algebra.quadrature import largest
from neuralgebra.algebra.symmetries import independent
from neuralgebra.arithmetic.rationals import ends
from neuralgebra.errors import ShapeError, UnsupportedError, UsageError, shown
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.network import Network

__all__ = ["Comparison", "same_function"]

_POINTS = 512
_TRIED = 8
_BITS = 200


@dataclass(frozen=True)
class Comparison:
    """What is proven of two networks as functions of real numbers.

    Parameters
    ----------
    verdict : {"equal", "different", "undecided"}
        "equal" everywhere, "different" somewhere, or neither proven.
    reason : str
        How it is proven.
    point : tuple of float or None
        Where they differ.
    difference : tuple of (float, float) or None
        Proven ends of f - g there, for the output that differs most.
    bound : float or None
        What |f - g| does not exceed on the box that was given; infinite where nothing is proven.
    """

    verdict: str
    reason: str
    point: tuple[float, ...] | None = None
    difference: tuple[float, float] | None = None
    bound: float | None = None


def same_function(network: Network, other: Network, box: Any = None) -> Comparison:
    """Return whether two networks are the same function of real numbers, with a proof.

    Equal normal forms in rational numbers prove "equal", at any depth. For one hidden layer of tanh, sigmoid, softplus,
    arctan or relu different normal forms prove "different" (Sussmann 1992 and what follows from it). A point at which
    balls of 200 bits do not meet proves "different" for any two networks.

    Parameters
    ----------
    network, other : Network
        f and g, with equally many inputs and outputs.
    box : sequence of (float, float), or mapping of str to them, optional
        Where points are looked for; then |f - g| is bounded there too, unless they are equal.

    Returns
    -------
    Comparison
        The verdict, and what proves it.

    Raises
    ------
    ShapeError
        When the numbers of inputs or outputs differ.
    UsageError
        For what is no network.

    Examples
    --------
    >>> f = Network.from_layers([([[2.0]], [1.0]), ([[3.0]], None)], "sigmoid")
    >>> g = Network.from_layers([([[-2.0]], [-1.0]), ([[-3.0]], [3.0])], "sigmoid")
    >>> same_function(f, g)
    Comparison(verdict='equal', reason='equal normal forms', point=None, difference=None, bound=None)
    >>> same_function(f, g + 1e-9, [(0, 1)]).verdict
    'different'
    """
    if not isinstance(other, Network):
        raise UsageError(f"{shown(type(other).__name__)} received; a network to compare with expected.")
    if network.shape != other.shape:
        raise ShapeError(f"networks of shape {network.shape} and {other.shape} received; one shape expected.")
    ranges = None if box is None else box_of(network, box)
    forms = [_form(f) for f in (network, other)]
    if network == other or (None not in forms and forms[0].key == forms[1].key):  # type: ignore[union-attr]
        return Comparison("equal", "equal normal forms")
    bound = None if ranges is None else float(largest(network - other, ranges).max())
    found = _point(network, other, ranges)
    if found is not None:
        return Comparison("different", f"values at a point, in balls of {_BITS} bits", *found, bound)
    if _decisive(forms):
        return Comparison("different", "different normal forms of one hidden layer", bound=bound)
    return Comparison("undecided", "different normal forms, but no point where values differ was found", bound=bound)


def _form(network: Network) -> Form | None:
    try:
        form = form_of(network)
    except UnsupportedError:
        return None
    reduce(form, linear=True)
    return form


def _decisive(forms: list[Form | None]) -> bool:
    """Return whether different normal forms are different functions."""
    functions = set()
    for form in forms:
        if form is None or len(form.hidden) > 1:
            return False
        for layer in form.hidden:
            if not all(any(row) for row in layer.weight):
                return False  # an irrational constant, which may be that of the other network
            functions |= set(layer.functions)
    return len(functions) <= 1 and all(map(independent, functions))


def _point(f: Network, g: Network, box: Box | None) -> tuple[tuple[float, ...], tuple[float, float]] | None:
    """Return a point where two networks are proven to differ, and the ends of the difference there."""
    rng = np.random.default_rng(0)
    shape = (_POINTS, f.input_size)
    x = rng.normal(size=shape) * 4 if box is None else rng.uniform(box.low, box.high, shape)
    with np.errstate(all="ignore"):
        apart = np.nan_to_num(abs(f(x) - g(x)).max(axis=-1))
    for place in np.argsort(-apart)[:_TRIED]:
        point = x[place].tolist()
        proven = [ends(v) for v in values_of(f - g, point, _BITS) if v.is_finite() and not v.contains(0)]
        if proven:
            return tuple(point), max(proven, key=lambda pair: min(map(abs, pair)))
    return None
