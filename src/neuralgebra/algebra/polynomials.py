"""Polynomials and products of many factors as networks, built so that as plain layers they are small and accurate.

A polynomial is a combination of Chebyshev polynomials on the interval where it is used: there all of them are in
[-1, 1], while monomials cancel each other. With T_k T_m = (T_{m+k} + T_{m-k}) / 2 it is split at m = 4, 8, 16, …::

    Σ_{k<2m} c_k T_k = T_m · (c_m + 2 Σ_{k>0} c_{m+k} T_k)  +  Σ_{k<m} c_k T_k - Σ_{k>0} c_{m+k} T_{m-k}

and both parts again: degree n takes a quarter of n products, and log₂ n squares for T_{2m} = 2 T_m² - 1, of which
⌈log₂ n⌉ follow each other. For monomials this is the method of Paterson and Stockmeyer, "On the number of
nonscalar multiplications necessary to evaluate polynomials", SIAM J. Comput. 2 (1973).
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import flint
import numpy as np
from numpy.polynomial import Chebyshev, Polynomial

from neuralgebra.arithmetic.rationals import Rationals, nearest
from neuralgebra.errors import InputError, UsageError, shown
from neuralgebra.network.builder import Builder
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Multiply
from neuralgebra.network.network import Network

__all__ = ["polynomial", "product"]

_K = Rationals()
_LEAF = 4  # polynomials of lower degree are combinations of 1, T₁, T₂ and T₃
_HIGHEST = 1000


def product(*factors: Network) -> Network:
    """Return f₁ · f₂ ⋯ fₙ, multiplied in pairs, so that ⌈log₂ n⌉ products follow each other.

    Parameters
    ----------
    *factors : Network
        Networks with equally many inputs, and equally many outputs, or one output that serves all.

    Returns
    -------
    Network
        The product.

    Raises
    ------
    UsageError
        For no factors, and what is no network.
    ShapeError
        When inputs or outputs do not fit.

    Examples
    --------
    >>> import neuralgebra as na
    >>> na.product(*na.Network.identity(4))([1.0, 2.0, 3.0, 4.0])
    array([24.])
    """
    strange = next((f for f in factors if not isinstance(f, Network)), None)
    if not factors or strange is not None:
        received = "nothing" if not factors else shown(type(strange).__name__)
        raise UsageError(f"product() received {received}; networks expected.")
    left = list(factors)
    while len(left) > 1:
        pairs = [left[i] * left[i + 1] for i in range(0, len(left) - 1, 2)]
        left = pairs + left[2 * len(pairs) :]
    return left[0]


def polynomial(p: Any, domain: tuple[float, float] | None = None) -> Network:
    """Return a polynomial as a network of one input, p(x) = Σ cₖ Tₖ(t) with t in [-1, 1] where x is in the domain.

    Parameters
    ----------
    p : sequence of float, numpy.polynomial.Polynomial or numpy.polynomial.Chebyshev
        Coefficients of 1, x, x², …, or an object of NumPy. They are converted in rational numbers and rounded once.
    domain : (float, float), optional
        Where the polynomial is used; by default that of an object of NumPy, else (-1, 1).

    Returns
    -------
    Network
        It has about n / 4 products and log₂ n squares for degree n.

    Raises
    ------
    UsageError
        For other kinds of series.
    InputError
        For coefficients that are no finite numbers, a degree above 1,000, and a domain without a width.

    Examples
    --------
    >>> import neuralgebra as na
    >>> p = na.polynomial([1.0, 0.0, -3.0, 2.0])                            # 1 - 3 x² + 2 x³
    >>> p([0.5])
    array([0.5])
    >>> plain = p.plain("tanh", [(-1, 1)], 1e-6)
    >>> plain.neurons, plain.depth
    (9, 2)
    """
    series = p if isinstance(p, Chebyshev | Polynomial) else Polynomial(_coefficients(p))
    low, high = _ends(series.domain if domain is None else domain)
    # t = slope x + shift with floats, of which the coefficients are exact functions.
    slope, shift = nearest(2 / (high - low)), nearest((low + high) / (low - high))
    inner = flint.fmpq_poly([-_K.scalar(shift) / _K.scalar(slope), 1 / _K.scalar(slope)])
    coefficients = _in_chebyshev(_exact(series)(inner))
    splitting = _Splitting(slope, shift)
    place = splitting.sum(*splitting.terms(coefficients))
    return Network(splitting.builder.nodes, place, 1)


def _coefficients(p: Any) -> np.ndarray:
    """Return coefficients that are finite numbers."""
    if not isinstance(p, Sequence | np.ndarray) or isinstance(p, str):
        raise UsageError(
            f"polynomial of {shown(type(p).__name__)} received; a sequence of coefficients, or Polynomial or Chebyshev "
            "of numpy.polynomial expected."
        )
    found = np.asarray(p)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iuf":
        raise InputError(f"coefficients {shown(repr(p))} received; a sequence of real numbers expected.")
    return found


def _ends(domain: Any) -> tuple[flint.fmpq, flint.fmpq]:
    """Return the ends of an interval that has a width."""
    ends = tuple(domain) if isinstance(domain, Sequence | np.ndarray) else ()
    finite = len(ends) == 2 and all(isinstance(e, numbers.Real) and math.isfinite(e) for e in ends)
    if not finite or ends[0] >= ends[1]:
        raise InputError(f"domain {shown(repr(domain))} received; two finite numbers expected, the lower one first.")
    low, high = (_K.scalar(float(e)) for e in ends)
    return low, high


def _exact(series: Chebyshev | Polynomial) -> flint.fmpq_poly:
    """Return a series of NumPy as a polynomial in x with rational coefficients."""
    if not np.isfinite(series.coef).all() or len(series.coef) > _HIGHEST + 1:
        raise InputError(
            f"{len(series.coef):,} coefficients received; finite numbers expected, of a degree up to {_HIGHEST:,}."
        )
    (a, b), (c, d) = ([_K.scalar(float(e)) for e in ends] for ends in (series.domain, series.window))
    t = flint.fmpq_poly([(b * c - a * d) / (b - a), (d - c) / (b - a)])
    before, power, total = flint.fmpq_poly([0]), flint.fmpq_poly([1]), flint.fmpq_poly([0])
    for k, coefficient in enumerate(series.coef):
        total += power * _K.scalar(float(coefficient))
        twice = 2 if k and isinstance(series, Chebyshev) else 1
        before, power = power, t * power * twice - (before if isinstance(series, Chebyshev) else 0)
    return total


def _in_chebyshev(p: flint.fmpq_poly) -> list[flint.fmpq]:
    """Return c₀, c₁, … of p = Σ cₖ Tₖ."""
    found = [flint.fmpq(0)] * max(1, p.degree() + 1)
    while p.degree() >= 0:
        n = p.degree()
        basis = flint.fmpq_poly(flint.fmpz_poly.chebyshev_t(n))
        found[n] = p[n] / basis[n]
        p -= basis * found[n]
    return found


class _Splitting:
    """The nodes of a polynomial in the making, as sums of places with factors."""

    def __init__(self, slope: float, shift: float) -> None:
        self.builder = Builder(1)
        self.first = self.builder.add(Affine(np.array([[slope]]), np.array([shift]) if shift else None), 0)

    def terms(self, c: Sequence[flint.fmpq]) -> tuple[flint.fmpq, dict[int, flint.fmpq]]:
        """Return a constant, and the factor of each place, whose sum is Σ cₖ Tₖ."""
        if len(c) <= _LEAF:
            return c[0], {self.basis(k): c[k] for k in range(1, len(c)) if c[k]}
        m = _LEAF
        while 2 * m < len(c):
            m *= 2
        rest = list(c[:m])
        for k in range(1, len(c) - m):
            rest[m - k] -= c[m + k]
        constant, inner = self.terms([c[m], *(2 * v for v in c[m + 1 :])])
        result, outer = self.terms(rest)
        if inner:
            factor, place = flint.fmpq(1), self.builder.add(Multiply(), self.basis(m), self.sum(constant, inner))
        else:
            factor, place = constant, self.basis(m)
        outer[place] = outer.get(place, flint.fmpq(0)) + factor
        return result, outer

    def basis(self, k: int) -> int:
        """Return the place of T₁, T₃ or T₂, T₄, T₈, …."""
        if k == 1:
            return self.first
        if k == 3:
            both = self.builder.add(Multiply(), self.first, self.basis(2))
            return self.sum(flint.fmpq(0), {both: flint.fmpq(2), self.first: flint.fmpq(-1)})
        return self.sum(flint.fmpq(-1), {self.builder.add(Elementwise("square"), self.basis(k // 2)): flint.fmpq(2)})

    def sum(self, constant: flint.fmpq, factors: dict[int, flint.fmpq]) -> int:
        """Return the place of a constant and of other places with factors."""
        factors = factors or {self.first: flint.fmpq(0)}
        layer = Affine(np.array([[nearest(f) for f in factors.values()]]), np.array([nearest(constant)]))
        return self.builder.add(layer, self.builder.add(Concatenate(), *factors))
