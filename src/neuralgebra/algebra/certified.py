"""Networks g that stand for functions f, and what is proven of their distance; what follows for combinations of them.

=============  =======================================================  =========================================
made of        about real numbers                                       an execution adds
=============  =======================================================  =========================================
c₁ g₁ + c₂ g₂  |c₁| δ₁ + |c₂| δ₂                                        γ (|c₁ y₁| + |c₂ y₂| + |b|), see `assembly`
g₁ g₂          |f₁| δ₂ + |f₂| δ₁ + δ₁ δ₂, with proven ranges of f       u |y₁ y₂|
g₁ ∘ g₂        δ₁ + |J f₁| δ₂, with J on all that g₂ may give           nothing: both have their own
plain layers   δ + the error of the layers                              what is proven of the layers
=============  =======================================================  =========================================

The same rules serve both kinds, each with bounds of its own kind. Sums of what is never negative are raised by more
than their rounding errors.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NoReturn

import numpy as np

from neuralgebra.algebra.assembly import beyond, raised
from neuralgebra.algebra.certificate import Certificate
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.enclosure import enclose, ranges
from neuralgebra.algebra.sensitivity import Range
from neuralgebra.errors import InputError, NotCertifiedError, ShapeError, UsageError, shown
from neuralgebra.network.box import Box
from neuralgebra.network.layers import Affine, Concatenate, Multiply
from neuralgebra.network.linear import identity
from neuralgebra.network.network import Network, pair

__all__ = ["Certified"]

Rule = Callable[[np.ndarray, np.ndarray, int], Any]
"""Bounds of both operands, and 0 or 1 for what an execution adds -> bounds of the result."""


@dataclass(frozen=True)
class Certified:
    """A network g with what is proven of its distance from a function f.

    Parameters
    ----------
    network : Network
        g.
    certificate : Certificate or None
        About the real numbers; None where no box was given.
    execution : Certificate or None
        About any execution in the dtype of the network.
    reference : Network
        f.

    Examples
    --------
    >>> x = Network.identity(1)
    >>> f = (x * x).plain("tanh", [(-1, 1)], 1e-6)
    >>> print(f * f + 1)
    |g - f| <= 9.82e-07 on the box, as real numbers
    |g - f| <= 9.83e-07 on the box, in any execution in float64 with activations within 4 ulp
    """

    network: Network
    certificate: Certificate | None
    execution: Certificate | None
    reference: Network

    __array_ufunc__ = None

    def __str__(self) -> str:
        if self.certificate is None:
            return "g = f, exactly"
        return f"{self.certificate}\n{self.execution}"

    def check_domain(self, x: Any) -> np.ndarray:
        """Return for each point whether the certificates speak of it.

        Parameters
        ----------
        x : array_like, shape (..., n)
            Points.

        Returns
        -------
        ndarray of bool, shape (...,)
            Whether it is in the box; always where there is no box.
        """
        points = np.asarray(x, dtype=float)
        if self.certificate is None:
            return np.ones(points.shape[:-1], dtype=bool)
        return self.certificate.contains(points)

    def __call__(self, x: Any) -> Any:
        """Return g(x)."""
        return self.network(x)

    def plain(self, activation: Any = None, tol: float | None = None, *more: Any, **options: Any) -> Certified:
        """Return plain layers for g; their distance from f is proven.

        Parameters
        ----------
        activation : str or Activation, optional
            As for `Network.plain`.
        tol : float
            What the layers may be off from g, on the box of the certificates.
        *more
            Nothing: there is no domain to be given.
        **options
            dtype and objective.

        Returns
        -------
        Certified
            The layers, which stand for f.
        """
        if more or not isinstance(tol, numbers.Real | None):
            raise UsageError("a domain received; plain(σ, tol) expected: the domain is the box of the certificates.")
        real, _ = _proven(self)
        made = self.network.plain(activation, real.box, tol, **options)
        first, second = _proven(made)
        bounds = [_up(np.add(real.bounds, c.bounds)) for c in (first, second)]
        return _certified(made.network, self.reference, real.box, bounds, second)

    # Algebra ----------------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Certified:
        return _sum(self, 1.0, other, 1.0)

    def __sub__(self, other: Any) -> Certified:
        return _sum(self, 1.0, other, -1.0)

    def __rsub__(self, other: Any) -> Certified:
        return _sum(self, -1.0, other, 1.0)

    def __neg__(self) -> Certified:
        return self * -1.0

    def __mul__(self, other: Any) -> Certified:
        if isinstance(other, Certified):
            return _product(self, other)
        return _affine(self, _constant(self, other), 0.0)

    def __matmul__(self, inner: Any) -> Certified:
        if not isinstance(inner, Certified):
            _refuse("@", inner)
        return _composed(self, inner)

    def __rmatmul__(self, outer: Any) -> Certified:
        _refuse("@", outer)

    def __truediv__(self, other: Any) -> Certified:
        if isinstance(other, Certified):
            _refuse("/", other)
        factor = _constant(self, other)
        if not factor or abs(math.frexp(factor)[0]) != 0.5:
            raise UsageError(f"division by {shown(other)} received, which rounds; multiply by a number of the dtype.")
        return self * (1 / factor)

    def __pow__(self, exponent: Any) -> Certified:
        if not isinstance(exponent, int) or isinstance(exponent, bool) or not 1 <= exponent <= _POWERS:
            raise UsageError(f"power {shown(exponent)} received; a whole number from 1 to {_POWERS} expected.")
        return functools.reduce(_product, [self] * exponent)

    __radd__ = __add__
    __rmul__ = __mul__


_POWERS = 32


def _refuse(operation: str, other: Any) -> NoReturn:
    raise UsageError(
        f"{shown(type(other).__name__)} received beside {operation}; another certified network expected.\n"
        "A network becomes one by .plain(activation, domain, tol), a constant by + and *."
    )


# Rules ------------------------------------------------------------------------------------------------------------


def _sum(f: Certified, left: float, other: Any, right: float) -> Certified:
    if not isinstance(other, Certified):
        return _affine(f, left, right * _constant(f, other))
    box = _common(f, other)
    size = max(f.network.output_size, other.network.output_size)

    def joined(g: Network, h: Network) -> Network:
        builder, *places = pair(g, h)
        layer = Affine(identity(size, 2, [left, right], np.result_type(g.dtype, h.dtype)))
        return g._close(builder, builder.add(layer, builder.add(Concatenate(), *places)))

    sizes = [abs(v) for v in (_reach(f.network, box), _reach(other.network, box))]

    def rule(ours: np.ndarray, theirs: np.ndarray, rounds: int) -> Any:
        unit, small = _units(f)
        total = sizes[0] + ours + sizes[1] + theirs
        off = ours + theirs
        return off + (4 * unit * total + 3 * small + beyond(total, f.network.dtype)) if rounds else off

    return _combined(f, other, box, joined, rule)


def _affine(f: Certified, factor: float, shift: float) -> Certified:
    """Return factor·f + shift, as a layer of its own."""
    real, executed = _proven(f)
    sizes = _reach(f.network, real.box)

    def mapped(g: Network) -> Network:
        weight = identity(g.output_size, 1, [factor], g.dtype)
        return g._then(Affine(weight, np.full(g.output_size, shift, g.dtype)))

    bounds = [_scaled(factor, np.array(c.bounds)) for c in (real, executed)]
    unit, small = _units(f)
    total = _scaled(factor, sizes + executed.bounds) + abs(shift)
    bounds[1] = bounds[1] + 4 * unit * total + 3 * small + beyond(total, f.network.dtype)
    return _certified(mapped(f.network), mapped(f.reference), real.box, [_up(b) for b in bounds], executed)


def _product(f: Certified, other: Certified) -> Certified:
    box = _common(f, other)
    sizes = [_reach(p.reference, box) for p in (f, other)]

    def joined(g: Network, h: Network) -> Network:
        builder, *places = pair(g, h)
        return g._close(builder, builder.add(Multiply(), *places))

    def rule(ours: np.ndarray, theirs: np.ndarray, rounds: int) -> Any:
        unit, small = _units(f)
        off = sizes[0] * theirs + sizes[1] * ours + ours * theirs
        off = np.where((off == 0) & ((sizes[0] * theirs != 0) | (ours > 0) | (theirs > 0)), 5e-324, off)
        total = sizes[0] * sizes[1] + off
        return off + (2 * unit * total + small + beyond(total, f.network.dtype)) if rounds else off

    return _combined(f, other, box, joined, rule)


def _scaled(factor: float, bounds: np.ndarray) -> np.ndarray:
    """Return |factor| times bounds; no product of numbers above 0 is 0, and what has no bound has none times 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.where((bounds > 0) & (factor != 0), np.maximum(abs(factor) * bounds, 5e-324), 0.0)
    return np.asarray(np.where(np.isinf(bounds), np.inf, found))


def _composed(f: Certified, inner: Certified) -> Certified:
    if f.network.input_size != inner.network.output_size:
        raise ShapeError(
            f"networks of shape {f.network.shape} @ {inner.network.shape} (outputs, inputs) received; the outer one is "
            "to have as many inputs as the inner one has outputs."
        )
    outside, inside = _proven(f), _proven(inner)
    _expect_alike(f, inner)
    box = inside[0].box
    low, high = _span(inner.reference, box)
    wide = _up(np.maximum(inside[0].bounds, inside[1].bounds))
    low, high = np.nextafter(low - wide, -np.inf), np.nextafter(high + wide, np.inf)
    reached = Box(tuple(low.tolist()), tuple(high.tolist()))
    if (low < outside[0].box.low).any() or (high > outside[0].box.high).any():
        names = f.network.input_names
        raise NotCertifiedError(
            f"values where {shown(reached.text(names))} are what is proven of the inner network; the outer one is "
            f"certified where {shown(outside[0].box.text(names))}.\nA smaller box inside, or a larger one outside."
        )
    found = enclose(f.reference, reached, 1)
    slopes = np.maximum(abs(found.low), abs(found.high))
    bounds = [_up(a.bounds + slopes @ np.array(b.bounds)) for a, b in zip(outside, inside, strict=True)]
    return _certified(f.network @ inner.network, f.reference @ inner.reference, box, bounds, inside[1])


def _combined(
    f: Certified, other: Certified, box: Box, joined: Callable[[Network, Network], Network], rule: Rule
) -> Certified:
    """Return what a rule says of both kinds."""
    pairs = zip(_proven(f), _proven(other), strict=True)
    bounds = [_up(rule(np.array(a.bounds), np.array(b.bounds), i)) for i, (a, b) in enumerate(pairs)]
    network, reference = joined(f.network, other.network), joined(f.reference, other.reference)
    return _certified(network, reference, box, bounds, _proven(f)[1])


def _certified(g: Network, f: Network, box: Box, bounds: list[np.ndarray], executed: Certificate) -> Certified:
    if not np.isfinite(bounds).all():
        raise NotCertifiedError("values without a proven range received; a smaller box expected.")
    executions = (None, executed.execution)
    real, execution = (
        Certificate(tuple(b.tolist()), box, g.digest.hex(), f.digest.hex(), e)
        for b, e in zip(bounds, executions, strict=True)
    )
    return Certified(g, real, execution, f)


def _proven(f: Certified) -> tuple[Certificate, Certificate]:
    """Return both certificates."""
    if f.certificate is None or f.execution is None:
        raise UsageError("a network without certificates received; plain(σ, domain, tol) with a domain expected.")
    return f.certificate, f.execution


def _expect_alike(f: Certified, other: Certified) -> None:
    ours, theirs = _proven(f)[1].execution, _proven(other)[1].execution
    if ours != theirs:
        raise InputError(f"{ours} and {theirs} received; two networks of one dtype expected.")


def _common(f: Certified, other: Certified) -> Box:
    """Return the box on which both are certified."""
    _expect_alike(f, other)
    pair(f.network, other.network)
    ours, theirs = _proven(f)[0].box, _proven(other)[0].box
    low, high = np.maximum(ours.low, theirs.low), np.minimum(ours.high, theirs.high)
    if (low > high).any():
        names = f.network.input_names
        raise InputError(
            f"certificates where {shown(ours.text(names))} and where {shown(theirs.text(names))} received; boxes that "
            "meet expected."
        )
    return Box(tuple(low.tolist()), tuple(high.tolist()))


def _constant(f: Certified, value: Any) -> float:
    if not isinstance(value, numbers.Real):
        raise UsageError(f"{shown(type(value).__name__)} received beside certified layers; such or a number expected.")
    dtype = min(f.network.dtype, f.reference.dtype, key=lambda d: d.itemsize)
    try:
        with np.errstate(over="ignore"):
            narrow = float(np.asarray(float(value)).astype(dtype))
        whole = int(value) if isinstance(value, numbers.Integral) else float(value)
        exact = Fraction(narrow) == (value if isinstance(value, Fraction) else Fraction(whole))
    except (OverflowError, ValueError):
        exact = False
    if not exact:
        raise InputError(f"constant {shown(repr(value))} received; a number that {dtype} holds expected.")
    return float(value)


def _span(network: Network, box: Box) -> Range:
    """Return proven ends of the outputs."""
    simple = elementary(network)
    return ranges(simple, box)[0][simple.output]


def _reach(network: Network, box: Box) -> np.ndarray:
    """Return what the absolute values of outputs do not exceed."""
    return np.asarray(np.maximum(*map(abs, _span(network, box))))


def _units(f: Certified) -> tuple[float, float]:
    limits = np.finfo(f.network.dtype)
    return float(limits.eps) / 2, float(limits.smallest_subnormal)


def _up(bounds: np.ndarray) -> np.ndarray:
    return np.asarray(np.nextafter(raised(bounds), np.inf))
