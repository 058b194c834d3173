"""The kind of number that writes itself into an ONNX graph.

The accurate formulas of `neuralgebra.functions.special` run on it as they run on arrays, so a runtime computes what
the package computes. Operators that onnxruntime has for float32 only are left out of float64 graphs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.files.onnx_graph import Term

__all__ = ["NO_DOUBLE", "Expressions"]

NO_DOUBLE = frozenset(
    {
        "Acosh", "Asin", "Acos", "Asinh", "Atan", "Atanh", "Celu", "Cosh", "Elu", "Erf", "Gelu", "HardSigmoid",
        "HardSwish", "LeakyRelu", "Mish", "PRelu", "Selu", "Sinh", "Softplus", "Softsign", "Tan", "ThresholdedRelu",
    }
)  # fmt: skip
"""Operators without a float64 kernel in onnxruntime."""

_FUNCTIONS: Mapping[str, str] = {
    "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan", "cos": "Cos",
    "exp": "Exp", "log": "Log", "sign": "Sign", "sin": "Sin", "sqrt": "Sqrt",
}  # fmt: skip
_ACCURATE = {"erf": "Erf", "tanh": "Tanh"}


class Expressions:
    """Terms of a graph as a kind of number.

    Parameters
    ----------
    dtype : dtype
        Floating dtype of the graph.
    """

    floating = True
    in_loops = False
    huge = None
    complex = False
    numpy = False

    def __init__(self, dtype: Any = np.float64) -> None:
        self.double = np.dtype(dtype).itemsize == 8
        self.xp = self

    def number(self, value: int | float | Fraction) -> float:
        """Return a number."""
        return float(value)

    def weight(self, array: np.ndarray) -> np.ndarray:
        """Return one number for each coordinate."""
        return array

    def keep(self, x: Any, label: str) -> Any:
        """Return x."""
        del label
        return x

    def fill(self, like: Term, value: Any) -> Term:
        """Return a constant for every coordinate."""
        return like.clip(value, value)

    def bounded(self, x: Any) -> bool:
        """Return that arguments are taken to be finite."""
        del x
        return True

    def differentiable(self, function: Callable[[Any], Any], slope: Any, x: Any) -> Any:
        """Return function(x)."""
        del slope
        return function(x)

    def native(self, name: str) -> Callable[[Any], Any] | None:
        """Return a function that is one accurate operator, if the dtype has it."""
        op = _ACCURATE.get(name)
        return None if op is None or (self.double and op in NO_DOUBLE) else self._function(op, name)

    def times(self, x: Any, factor: Any) -> Any:
        """Return x·factor where a vanishing factor wins over an infinite x."""
        if not isinstance(factor, Term) and np.all(factor):
            return x * factor
        given = factor if isinstance(factor, Term) else Term(x.graph, x.graph.number(factor))
        return self.where(given.of("Equal", 0), 0, x * given)

    def power(self, x: Any, exponent: Any) -> Any:
        """Return a power."""
        return x**exponent

    def step(self, x: Any) -> Any:
        """Return 1 where x > 0, else 0."""
        return x.of("Sign").of("Relu") if isinstance(x, Term) else np.heaviside(x, 0)

    def maximum(self, a: Term, b: Any) -> Term:
        """Return the larger."""
        return a.max(b)

    def minimum(self, a: Term, b: Any) -> Term:
        """Return the smaller."""
        return a.min(b)

    def clip(self, z: Term, low: Any, high: Any) -> Term:
        """Return z brought between bounds."""
        return z.clip(low, high)

    def where(self, condition: Term, yes: Any, no: Any) -> Term:
        """Return `yes` where a condition holds, else `no`."""
        return condition.of("Where", yes, no)

    def where_greater(self, a: Any, b: Any, yes: Any, no: Any) -> Term:
        """Return one of two values; a or b is a term."""
        return self.where(a > b, yes, no)

    def band(self, z: Term, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Term:
        """Return one of three values."""
        return self.where(z > low, self.where(z < high, inside, above), below)

    def hypot(self, a: Term, b: float) -> Term:
        """Return sqrt(a² + b²) without overflow."""
        larger, smaller = abs(a).max(abs(b)), abs(a).min(abs(b))
        ratio = smaller / larger
        return larger * (1 + ratio * ratio).of("Sqrt")

    def expm1(self, z: Any) -> Any:
        """Return exp(z) - 1 as tanh(z/2)·(exp(z) + 1), without cancellation."""
        return math.expm1(z) if not isinstance(z, Term) else (z * 0.5).of("Tanh") * (z.of("Exp") + 1)

    def log1p(self, z: Any) -> Any:
        """Return ln(1 + z), in which small z keep their digits."""
        return math.log1p(z) if not isinstance(z, Term) else (1 + z).of("Log") + z.min(1).rounded_off()

    def sinh(self, z: Any) -> Any:
        """Return sinh(z) as tanh(z)·cosh(z)."""
        return np.sinh(z) if not isinstance(z, Term) else z.of("Tanh") * self.cosh(z)

    def cosh(self, z: Any) -> Any:
        """Return cosh(z)."""
        return np.cosh(z) if not isinstance(z, Term) else 0.5 * (z.of("Exp") + (-z).of("Exp"))

    def tan(self, z: Any) -> Any:
        """Return tan(z)."""
        return np.tan(z) if not isinstance(z, Term) else z.of("Sin") / z.of("Cos")

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        if name not in _FUNCTIONS:
            raise AttributeError(name)
        return self._function(_FUNCTIONS[name], name)

    def _function(self, op: str, name: str) -> Callable[[Any], Any]:
        return lambda z: z.of(op) if isinstance(z, Term) else getattr(np, name)(z)
