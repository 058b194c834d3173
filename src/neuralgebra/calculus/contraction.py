"""The product of a `Multiply` layer as a bilinear map, with its two adjoints."""

from __future__ import annotations

import functools
import operator
from typing import Any

from neuralgebra.arithmetic.kind import Value
from neuralgebra.network.layers import Multiply

__all__ = ["left_adjoint", "product", "right_adjoint"]


def product(k: Any, layer: Multiply) -> Any:
    """Return (u, v) ↦ u·v."""
    return operator.mul if layer.shape is None else functools.partial(_product, k, layer.shape)


def left_adjoint(k: Any, layer: Multiply) -> Any:
    """Return (v, w) ↦ ū, the adjoint of u ↦ u·v."""
    return operator.mul if layer.shape is None else functools.partial(_left, k, layer.shape)


def right_adjoint(k: Any, layer: Multiply) -> Any:
    """Return (u, w) ↦ v̄, the adjoint of v ↦ u·v."""
    return operator.mul if layer.shape is None else functools.partial(_right, k, layer.shape)


Shape = tuple[int, int, int, int]


def _product(k: Any, shape: Shape, u: Value, v: Value) -> Value:
    batch, p, q, r = shape
    return _flat(k, _matrices(k, u, batch, p, q) @ _matrices(k, v, batch, q, r))


def _left(k: Any, shape: Shape, v: Value, w: Value) -> Value:
    batch, p, q, r = shape
    return _flat(k, _matrices(k, w, batch, p, r) @ _transposed(k, _matrices(k, v, batch, q, r)))


def _right(k: Any, shape: Shape, u: Value, w: Value) -> Value:
    batch, p, q, r = shape
    return _flat(k, _transposed(k, _matrices(k, u, batch, p, q)) @ _matrices(k, w, batch, p, r))


def _matrices(k: Any, x: Value, batch: int, rows: int, columns: int) -> Value:
    return k.reshape(x, (*x.shape[:-1], batch, rows, columns))


def _transposed(k: Any, x: Value) -> Value:
    axes = len(x.shape)
    return k.permute(x, (*range(axes - 2), axes - 1, axes - 2))


def _flat(k: Any, x: Value) -> Value:
    batch, rows, columns = x.shape[-3:]
    return k.reshape(x, (*x.shape[:-3], batch * rows * columns))
