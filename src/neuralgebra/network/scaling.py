"""Constants that multiply or divide the outputs of a network, put into its last layer where nothing is lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuralgebra.errors import InputError
from neuralgebra.network.layers import Affine
from neuralgebra.network.linear import Dense, Diagonal, Linear, identity

__all__ = ["Scale", "divisor", "kept", "scaled"]


@dataclass(frozen=True)
class Scale:
    """Multiplication, or division, of each output by its constant.

    Parameters
    ----------
    vector : ndarray, shape (m,)
        The constants.
    divide : bool
        Divide by them.
    """

    vector: np.ndarray
    divide: bool = False

    def of(self, array: np.ndarray, axes: int = 1) -> np.ndarray:
        """Return an array whose first axis counts the outputs (or any array, if all constants are equal), scaled."""
        by = self.vector.reshape(-1, *(1,) * (axes - 1)) if not self.uniform else self.vector[0]
        result: np.ndarray = array / by if self.divide else array * by
        return result

    @property
    def uniform(self) -> bool:
        """Whether all constants are equal."""
        return bool(np.all(self.vector == self.vector[0]))

    def matrix(self) -> Linear:
        """Return the scaling as a matrix, (m, m)."""
        entries = self.of(np.ones_like(self.vector))
        return identity(len(entries), 1, entries[:1], entries.dtype) if self.uniform else Diagonal(entries)


def scaled(last: Affine, scale: Scale | None, shift: np.ndarray | None) -> Affine | None:
    """Return the scaled and shifted layer, or None where that would lose structure, small or large weights."""
    weight, bias = last.weight, last.bias
    if scale is not None:
        if not (scale.uniform or isinstance(weight, Dense)):
            return None
        arrays = [*weight.arrays, *(() if bias is None else (bias,))]
        with np.errstate(all="ignore"):
            if not all(kept(a, scale.of(a, a.ndim)) for a in arrays):
                return None
            weight = weight.multiplied(lambda a: scale.of(a, a.ndim))
            bias = None if bias is None else scale.of(bias)
    if shift is not None:
        bias = shift if bias is None else bias + shift
    return Affine(weight, bias)


def kept(before: np.ndarray, after: np.ndarray) -> bool:
    """Return whether scaling lost nothing to underflow or overflow."""
    tiny = np.finfo(after.dtype).tiny
    return bool(np.all(np.isfinite(after) & ((np.abs(after) >= tiny) | (before == 0))))


def divisor(vector: np.ndarray) -> np.ndarray:
    """Return constants to divide by, none of them 0."""
    if not vector.all():
        raise InputError("division of a network by 0 received; a divisor other than 0 expected.")
    return vector
