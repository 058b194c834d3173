"""Proven bounds of norms and eigenvalues of matrices whose entries are intervals, many at once."""

from __future__ import annotations

import numpy as np

from neuralgebra.arithmetic.intervals import Interval, Intervals

__all__ = ["least_eigenvalue", "norm"]

_K = Intervals()


def norm(matrices: Interval, order: float) -> np.ndarray:
    """Return what the operator norms of all matrices in intervals do not exceed.

    Parameters
    ----------
    matrices : Interval, shape (boxes, m, n)
        Matrices, entry by entry.
    order : {1, 2, inf}
        Which norm measures both sides.

    Returns
    -------
    ndarray, shape (boxes,)
        Upper bounds.
    """
    if matrices.shape[1:] == (1, 1):  # nothing is added, and nothing rounded
        return np.asarray(abs(matrices).high[:, 0, 0])
    if order == 2:
        return _spectral(matrices)
    return np.asarray(_K.total(abs(matrices), 2 if order == np.inf else 1).high.max(axis=1))


def _spectral(matrices: Interval) -> np.ndarray:
    """Return the Euclidean norm, or that of the middles and of the radii together, whichever is less."""
    scale = _scales(matrices)
    scaled = matrices * Interval(1 / scale)
    frobenius = _root(_frobenius(abs(scaled)))
    if 1 not in matrices.shape[1:] and scaled.finite:
        middle, radius = _centred(scaled)
        gram = Interval(middle.transpose(0, 2, 1)) @ Interval(middle)
        apart = _root(_largest_eigenvalue(gram)) + _root(_frobenius(radius))
        frobenius = np.fmin(frobenius, np.nextafter(apart, np.inf))
    return (Interval(frobenius) * Interval(scale[:, 0, 0])).high


def _scales(matrices: Interval) -> np.ndarray:
    """Return powers of 2 that bring the largest entry of each matrix near 1, (boxes, 1, 1)."""
    largest = np.maximum(abs(matrices.low), abs(matrices.high)).max(axis=(1, 2), keepdims=True)
    exponents = np.where(np.isfinite(largest), np.frexp(largest)[1], 0)
    return np.asarray(np.ldexp(1.0, np.clip(exponents, -1000, 1000)))


def least_eigenvalue(matrices: Interval) -> np.ndarray:
    """Return what no eigenvalue of a symmetric matrix in intervals is below.

    Parameters
    ----------
    matrices : Interval, shape (boxes, n, n)
        Matrices, entry by entry; of each the symmetric ones count.

    Returns
    -------
    ndarray, shape (boxes,)
        Lower bounds: by the discs of Gershgorin, or of the middle less the norm of the radius (Weyl).
    """
    turned = matrices.each(lambda a: a.transpose(0, 2, 1))
    symmetric = Interval(np.maximum(matrices.low, turned.low), np.minimum(matrices.high, turned.high))
    n = matrices.shape[1]
    beside = _K.where(np.eye(n, dtype=bool), np.zeros((n, n)), abs(symmetric))
    discs = (symmetric[:, np.arange(n), np.arange(n)] - _K.total(beside, 2)).low.min(axis=1)
    if n == 1 or not symmetric.finite:
        return np.asarray(discs)
    scale = _scales(symmetric)
    middle, radius = _centred(symmetric * Interval(1 / scale))
    inside = -(Interval(_largest_eigenvalue(Interval(-middle))) + _root(_frobenius(radius))).high
    return np.asarray(np.fmax(discs, (Interval(inside) * Interval(scale[:, 0, 0])).low))


def _centred(matrices: Interval) -> tuple[np.ndarray, Interval]:
    """Return middles, and how far the entries are from them."""
    middle = matrices.low / 2 + matrices.high / 2
    return middle, _K.maximum(matrices - middle, Interval(middle) - matrices)


def _frobenius(sizes: Interval) -> Interval:
    return _K.total(_K.total(sizes * sizes, 2), 1)


def _root(squares: Interval | np.ndarray) -> np.ndarray:
    """Return what square roots do not exceed."""
    high = squares.high if isinstance(squares, Interval) else squares
    return np.asarray(np.nextafter(np.sqrt(np.maximum(high, 0.0)), np.inf))


def _largest_eigenvalue(matrices: Interval) -> np.ndarray:
    """Return what no eigenvalue of nearly exact symmetric matrices exceeds.

    With numbers d and a matrix V near the eigenvectors, S = V diag(d) Vᵀ + R and λ ≤ max d + |max d| ‖V Vᵀ - 1‖ + ‖R‖.
    """
    d, v = np.linalg.eigh(matrices.low / 2 + matrices.high / 2)
    turned = Interval(v.transpose(0, 2, 1))
    rest = matrices - (Interval(v) * d[:, None]) @ turned
    near = Interval(v) @ turned - np.eye(v.shape[1])
    top = Interval(d.max(axis=1))
    return np.asarray((top + abs(top) * _root(_frobenius(abs(near))) + _root(_frobenius(abs(rest)))).high)
