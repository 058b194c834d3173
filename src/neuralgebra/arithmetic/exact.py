"""Sums and products of floating-point numbers, given only where nothing is rounded.

Sources: Møller 1965 and Knuth for the error of a sum, Dekker 1971 for that of a product.
"""

from __future__ import annotations

import numpy as np

__all__ = ["exact_product", "exact_sum"]

_SPLITTER = 2.0**27 + 1
# Below it the error of a product may be too small to be a number, and would pass for 0.
_SMALLEST = 2.0**-960


def exact_sum(a: np.ndarray, b: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """Return a + b, or None where some entry of it is no number of the dtype.

    Parameters
    ----------
    a, b : ndarray of float64
        Terms.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray of float64 or None
        The sums.

    Examples
    --------
    >>> exact_sum(np.array([1.0]), np.array([0.5]), np.dtype("float64"))
    array([1.5])
    >>> exact_sum(np.array([1.0]), np.array([1e-30]), np.dtype("float64")) is None
    True
    """
    with np.errstate(all="ignore"):
        total = a + b
        part = total - a
        error = (a - (total - part)) + (b - part)
    return _fitting(total, error, dtype)


def exact_product(a: np.ndarray, b: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """Return a·b, or None where some entry of it is no number of the dtype.

    Parameters
    ----------
    a, b : ndarray of float64
        Factors.
    dtype : dtype
        float32 or float64.

    Returns
    -------
    ndarray of float64 or None
        The products.

    Examples
    --------
    >>> exact_product(np.array([3.0]), np.array([0.5]), np.dtype("float64"))
    array([1.5])
    >>> exact_product(np.array([0.1]), np.array([0.1]), np.dtype("float64")) is None
    True
    """
    with np.errstate(all="ignore"):
        product = a * b
        (high, low), (other_high, other_low) = _halves(a), _halves(b)
        error = low * other_low - (((product - high * other_high) - low * other_high) - high * other_low)
        plain = (np.abs(a) == 1) | (np.abs(b) == 1) | (a == 0) | (b == 0)
        error = np.where(plain, 0.0, np.where(np.abs(product) < _SMALLEST, np.nan, error))
    return _fitting(product, error, dtype)


def _halves(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaled = _SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def _fitting(result: np.ndarray, error: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    with np.errstate(all="ignore"):
        fits = np.all(error == 0) and np.all(np.isfinite(result)) and np.all(result.astype(dtype) == result)
    return result if fits else None
