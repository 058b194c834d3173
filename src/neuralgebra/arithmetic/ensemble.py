"""Arrays in which a weight has one value for each member of an ensemble: many networks of one structure at once.

A number of the ensemble has an axis of members before that of points, (..., S, N, n), or of length 1 where all members
have the same. The rules of the layers do not know.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Collection, Mapping
from typing import Any

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.kind import Value

__all__ = ["ensemble"]


class _Members(Arrays):
    """What changes in a kind of arrays when weights have members."""

    members: Collection[int]

    def weight(self, array: Any) -> Value:
        """Return a weight with its members: vectors (S, 1, n), matrices (S, out, in)."""
        value = super().weight(array)
        if id(array) not in self.members:
            return value
        return value[:, None, :] if len(value.shape) == 2 else value

    def matvec(self, weight: Any, x: Value) -> Value:
        """Return each member's matrix times x, (S, out, in), (..., S, N, in) -> (..., S, N, out).

        In memory points come last: there are more of them than numbers of a layer, and NumPy is fast along long rows.
        """
        matrix, turned = self.weight(weight), self._turned(x)
        if len(matrix.shape) < 3 or math.prod(x.shape[:-2]) > 1:
            return self._turned(matrix @ turned)
        members, rows, columns = matrix.shape  # one product, where all members have the same x
        product = self.reshape(matrix, (members * rows, columns)) @ self.reshape(turned, turned.shape[-2:])
        return self._turned(self.reshape(product, (*x.shape[:-3], members, rows, x.shape[-2])))

    def _turned(self, x: Value) -> Value:
        axes = len(x.shape)
        return self.permute(x, (*range(axes - 2), axes - 1, axes - 2))


@functools.cache
def _kind(base: Any) -> Any:
    return type("Ensemble", (_Members, base), {})


def ensemble(k: Arrays, values: Mapping[int, Any], members: Collection[int]) -> Any:
    """Return a kind of arrays in which some weights have members.

    Parameters
    ----------
    k : Arrays
        The kind of the points.
    values : mapping of int to array
        Weights by the identity of the arrays that they stand for.
    members : collection of int
        Which of them have one value for each member: matrices (S, out, in), vectors (S, n).

    Returns
    -------
    Arrays
        The kind.
    """
    base: Any = type(k)
    changed = object.__new__(_kind(base))
    changed.__dict__.update(k.__dict__, values=dict(values), members=frozenset(members))
    changed.follow_order()
    return changed
