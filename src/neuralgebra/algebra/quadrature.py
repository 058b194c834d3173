"""Integrals over boxes and largest values on boxes, proven: Taylor polynomials of balls on pieces that are halved."""

from __future__ import annotations

import contextlib
import math
import numbers
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import flint
import numpy as np

from neuralgebra.algebra.antiderivatives import ROUNDING
from neuralgebra.algebra.integrals import reduced
from neuralgebra.algebra.pieces import Form, Pieces, integral_of, range_of
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.arithmetic.rationals import above, exactly
from neuralgebra.errors import InputError, NotCertifiedError, UnsupportedError, shown
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.layers import Elementwise
from neuralgebra.network.network import Network

__all__ = ["Integral", "integral", "largest"]

_BITS = 160
_ROUNDS = 100
_MOST = 4000  # pieces of one integral
_FEW = 256  # pieces of one bound
_SHARE = 0.9


@dataclass(frozen=True)
class Integral:
    """An integral over a box with its proven error.

    Parameters
    ----------
    value : ndarray, shape (m,)
        The integral of each output.
    error : ndarray, shape (m,)
        What |value - exact integral| does not exceed.
    """

    value: np.ndarray
    error: np.ndarray


def integral(network: Network, box: Any, tol: float = 1e-12) -> Integral:
    """Return the integral over a box with a proven error.

    On pieces of the box the network is a Taylor polynomial plus a remainder in balls; those with the largest error are
    halved until the whole error is small. This proves integrals of any network of few inputs, of kinks too; the work
    grows steeply with the number of inputs.

    Parameters
    ----------
    network : Network
        f, with n inputs and m outputs.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input.
    tol : float
        What the error may come to, relative to the integral where that is above 1.

    Returns
    -------
    Integral
        `value` and `error`, both of shape (m,).

    Raises
    ------
    NotCertifiedError
        When the tolerance is not reached; the message says what is.
    InputError
        For a tolerance that is not positive, and a box that is none.

    Examples
    --------
    >>> import neuralgebra as na
    >>> found = na.Network.function("sin").integral([(0, 2)])
    >>> abs(found.value - (1 - np.cos(2))) <= found.error, found.error < 1e-12
    (array([ True]), array([ True]))
    """
    if isinstance(tol, bool) or not isinstance(tol, numbers.Real) or not tol > 0:
        raise InputError(f"tol={shown(repr(tol))} received; a number above 0 expected.")
    network, ranges = _reduced(network, box_of(network, box))
    k = Balls(_BITS)
    with k.precision():
        halving = _Halving(Pieces(network, k), ranges, integral_of)
        for _ in range(_ROUNDS):
            total = halving.sums.sum(axis=0)
            value = np.array([float(v.mid()) for v in total])
            error = np.array([_farthest(v, x) for v, x in zip(total, value, strict=True)])
            if np.all(error <= tol * np.maximum(1, abs(value))):
                return Integral(value, error)
            if not halving.halve(_worst(halving.sums)):
                break
    raise NotCertifiedError(
        f"an integral within tol={tol:g} asked for; an error of {error.max():.2g} is proven after {len(halving.low)} "
        "pieces.\nA larger tolerance, a smaller box or fewer inputs expected, and no pole or end of a domain in it."
    )


def _reduced(network: Network, box: Box) -> tuple[Network, Box]:
    """Return a function of fewer inputs with the same integral, as far as antiderivatives close without rounding."""
    place = network.input_size - 1
    while place >= 0 and network.input_size > 1:
        if _exact(network):
            with contextlib.suppress(UnsupportedError):
                network = reduced(network, place, box.low[place], box.high[place])
                box = Box(*(ends[:place] + ends[place + 1 :] for ends in (box.low, box.high)))
        place -= 1
    return network, box


def _exact(network: Network) -> bool:
    """Return whether no antiderivative of an activation in the network rounds a number."""
    layers = [node.layer for node in network.nodes if isinstance(node.layer, Elementwise)]
    functions = [function for layer in layers for function, _ in layer.activations]
    return not any(
        function.name in ROUNDING or any(isinstance(v, Fraction) for _, v in function.parameters)
        for function in functions
    )


def _farthest(ball: flint.arb, value: float) -> float:
    if not ball.is_finite() or not math.isfinite(value):
        return math.inf
    return above(exactly((abs(ball - flint.arb(value))).upper()))


def _worst(sums: np.ndarray) -> np.ndarray:
    """Return the pieces that make most of the error."""
    errors = np.array([max(float(v.rad()) if v.is_finite() else math.inf for v in row) for row in sums])
    if np.isinf(errors).any():
        return np.flatnonzero(np.isinf(errors))
    order = np.argsort(-errors)
    mass = np.cumsum(errors[order])
    return np.asarray(order[: int(np.searchsorted(mass, _SHARE * mass[-1])) + 1])


def largest(network: Network, box: Box, closeness: float = 0.1) -> np.ndarray:
    """Return what the absolute value of each output does not exceed on a box, proven.

    Parameters
    ----------
    network : Network
        The function.
    box : Box
        Where.
    closeness : float
        By what part of itself the largest bound may be above the largest value found, if the pieces suffice for that.

    Returns
    -------
    ndarray, shape (m,)
        The bounds; infinite where nothing is proven.
    """
    k = Balls(_BITS)
    with k.precision():
        halving = _Halving(Pieces(network, k), box, range_of, _FEW)
        while True:
            high = np.array(
                [[float(abs(v).upper()) if v.is_finite() else math.inf for v in row] for row in halving.sums]
            )
            low = max((float(abs(v).lower()) for v in halving.sums.flat if v.is_finite()), default=0.0)
            top = high.max(axis=1)
            chosen = np.flatnonzero(top > max(low * (1 + closeness), top.max() / 2 if np.isfinite(top.max()) else low))
            if not len(chosen) or not halving.halve(chosen):
                return np.asarray(np.nextafter(high.max(axis=0), np.inf))


@dataclass
class _Halving:
    """The pieces of a box, and what stands for the function on each."""

    pieces: Pieces
    box: Box
    form: Form
    most: int = _MOST
    low: np.ndarray = field(init=False)
    high: np.ndarray = field(init=False)
    sums: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        k = self.pieces.k
        self.low, self.high = (k.weight(np.array(end))[None] for end in (self.box.low, self.box.high))
        self.widths = self.high[0] - self.low[0]
        self.sums = self.pieces.sums(self.low, self.high, self.form)

    def halve(self, chosen: np.ndarray) -> bool:
        """Halve some pieces along their longest sides; return whether there were not too many."""
        if len(self.low) + len(chosen) > self.most:
            return False
        low, high = np.repeat(self.low[chosen], 2, axis=0), np.repeat(self.high[chosen], 2, axis=0)
        for i, piece in enumerate(chosen):
            widths = self.high[piece] - self.low[piece]
            shares = [float(v / w) if w > 0 else 0.0 for v, w in zip(widths, self.widths, strict=True)]
            side = int(np.argmax(shares))
            middle = (self.low[piece, side] + self.high[piece, side]) / 2
            high[2 * i, side] = low[2 * i + 1, side] = middle
        others = np.delete(np.arange(len(self.low)), chosen)
        self.sums = np.concatenate([self.sums[others], self.pieces.sums(low, high, self.form)])
        self.low, self.high = np.concatenate([self.low[others], low]), np.concatenate([self.high[others], high])
        return True
