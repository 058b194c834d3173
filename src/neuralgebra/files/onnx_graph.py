"""An ONNX graph under construction, and formulas in it: numbers of one kind more."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

__all__ = ["Expressions", "Graph", "Term"]


class Graph:
    """Nodes and constants in the order of their making; equal constants are one.

    Parameters
    ----------
    dtype : dtype
        Floating dtype of the model.
    opset : int
        Version of the operator set.
    """

    def __init__(self, dtype: np.dtype, opset: int) -> None:
        self.dtype, self.opset = np.dtype(dtype), opset
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._count = 0

    def constant(self, values: Any) -> str:
        """Return the name of a constant; floating numbers take the dtype of the model, integers stay."""
        array = np.asarray(values)
        array = np.ascontiguousarray(array, np.int64 if array.dtype.kind in "iu" else self.dtype).reshape(array.shape)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = f"c{len(self._names) + 1}"
            self.constants[self._names[key]] = array
        return self._names[key]

    def number(self, value: Any) -> str:
        """Return the name of a floating constant."""
        return self.constant(np.asarray(value, float))

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output; return its name."""
        return self.split_node(op, 1, *inputs, **attributes)[0]

    def split_node(self, op: str, count: int, *inputs: str, **attributes: Any) -> list[str]:
        """Add a node with several outputs; return their names."""
        outputs = [f"v{self._count + i + 1}" for i in range(count)]
        self._count += count
        name = f"n{len(self.nodes) + 1}"
        self.nodes.append(helper.make_node(op, list(inputs), outputs, name=name, **attributes))
        return outputs

    def reshaped(self, x: str, *shape: int) -> str:
        """Return a tensor with samples of another shape."""
        return self.node("Reshape", x, self.constant(np.array([0, *shape])))

    def initializers(self) -> list[Any]:
        """Return the constants as messages."""
        return [numpy_helper.from_array(array, name) for name, array in self.constants.items()]


class Term:
    """A value in a graph with the operators of arithmetic.

    Parameters
    ----------
    graph : Graph
        The graph.
    name : str
        Name of the value in it.
    """

    shape = ("samples", "coordinates")

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph, self.name = graph, name

    def of(self, op: str, *others: Any, **attributes: Any) -> Term:
        """Return an operator of this term and others."""
        names = [self._name(other) for other in others]
        return Term(self.graph, self.graph.node(op, self.name, *names, **attributes))

    def _name(self, value: Any) -> str:
        return value.name if isinstance(value, Term) else self.graph.number(_number(value))

    def _after(self, op: str, other: Any) -> Term:
        return Term(self.graph, self._name(other)).of(op, self)

    def __add__(self, other: Any) -> Term:
        return self.of("Add", other)

    def __radd__(self, other: Any) -> Term:
        return self._after("Add", other)

    def __sub__(self, other: Any) -> Term:
        return self.of("Sub", other)

    def __rsub__(self, other: Any) -> Term:
        return self._after("Sub", other)

    def __mul__(self, other: Any) -> Term:
        return self.of("Mul", other)

    def __rmul__(self, other: Any) -> Term:
        return self._after("Mul", other)

    def __truediv__(self, other: Any) -> Term:
        return self.of("Div", other)

    def __rtruediv__(self, other: Any) -> Term:
        return self._after("Div", other)

    def __neg__(self) -> Term:
        return self.of("Neg")

    def __abs__(self) -> Term:
        return self.of("Abs")

    def __pow__(self, exponent: Any) -> Term:
        return self.of("Pow", exponent)

    def max(self, bound: Any) -> Term:
        """Return the larger of the term and a bound."""
        return self.of("Max", bound)

    def min(self, bound: Any) -> Term:
        """Return the smaller of the term and a bound."""
        return self.of("Min", bound)

    def clip(self, low: Any, high: Any) -> Term:
        """Return the term brought between two bounds, numbers or one for each coordinate."""
        if np.ndim(_number(low)) or np.ndim(_number(high)):
            return self.max(low).min(high)
        return self.of("Clip", low, high)

    def expm1(self) -> Term:
        """Return exp - 1 of a term that is not positive, without cancellation: 2t/(1 - t) with t = tanh(z/2)."""
        t = (self * 0.5).of("Tanh")
        return (t + t) / (1 - t)

    def log1p_of_exp(self) -> Term:
        """Return ln(1 + exp(z)) without overflow."""
        return self.max(0) + (-abs(self)).of("Exp").log1p()

    def log1p(self) -> Term:
        """Return ln(1 + z) for z up to 1, in which small z keep their digits."""
        return (1 + self).of("Log") + self.rounded_off()

    def rounded_off(self) -> Term:
        """Return what 1 + z loses of z by rounding; to first order it is what ln(1 + z) lacks where z <= 1."""
        return self - ((1 + self) - 1)

    def atanh(self) -> Term:
        """Return artanh(z) as (ln(1 + z) - ln(1 - z))/2, in which small z keep their digits."""
        return 0.5 * (self.log1p() - (-self).log1p())

    def logit(self) -> Term:
        """Return ln(z/(1 - z)): about 1/2 by artanh, and beside it what is left, which is 0 there."""
        middle = self.of("Clip", 0.25, 0.75)
        above = (1 - self).of("Log") - (1 - middle).of("Log")
        return 2 * (2 * middle - 1).atanh() + ((self.of("Log") - middle.of("Log")) - above)


def _number(value: Any) -> Any:
    if isinstance(value, tuple):
        return np.array([float(v) for v in value])
    return value if isinstance(value, np.ndarray | Term) else float(value)


_FUNCTIONS: Mapping[str, str] = {
    "abs": "Abs", "asinh": "Asinh", "atan": "Atan", "atanh": "Atanh", "cos": "Cos", "cosh": "Cosh", "erf": "Erf",
    "exp": "Exp", "log": "Log", "sign": "Sign", "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "tan": "Tan",
    "tanh": "Tanh",
}  # fmt: skip


class Expressions:
    """The kind of number that writes itself into a graph.

    A function of the catalogue that has no operator of its own is written so, by its definition.
    """

    floating = False
    pi = math.pi

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
        return like.of("Mul", 0).of("Add", value)

    def bounded(self, x: Any) -> bool:
        """Return that arguments are taken to be finite."""
        del x
        return True

    def times(self, x: Any, factor: Any) -> Any:
        """Return a product."""
        return x * factor

    def power(self, x: Any, exponent: Any) -> Any:
        """Return a power."""
        return x.of("Pow", exponent) if isinstance(x, Term) else x**exponent

    def step(self, x: Term) -> Term:
        """Return 1 where x > 0, else 0."""
        return x.of("Sign").of("Relu")

    def maximum(self, a: Term, b: Any) -> Term:
        """Return the larger."""
        return a.max(b)

    def minimum(self, a: Term, b: Any) -> Term:
        """Return the smaller."""
        return a.min(b)

    def clip(self, z: Term, low: Any, high: Any) -> Term:
        """Return z brought between bounds."""
        return z.clip(low, high)

    def where_greater(self, a: Any, b: Any, yes: Any, no: Any) -> Term:
        """Return one of two values; a or b is a term."""
        term = a if isinstance(a, Term) else self._term(b, a)
        return term.of("Greater", b).of("Where", self._term(term, yes), self._term(term, no))

    def band(self, z: Term, low: Any, high: Any, below: Any, inside: Any, above: Any) -> Term:
        """Return one of three values."""
        middle = z.of("LessOrEqual", low).of("Where", self._term(z, below), self._term(z, inside))
        return z.of("GreaterOrEqual", high).of("Where", self._term(z, above), middle)

    def _term(self, like: Term, value: Any) -> Term:
        return value if isinstance(value, Term) else Term(like.graph, like._name(value))

    def expm1(self, z: Any) -> Any:
        """Return exp(z) - 1 as tanh(z/2)·(exp(z) + 1), without cancellation."""
        return math.expm1(z) if not isinstance(z, Term) else (z * 0.5).of("Tanh") * (z.of("Exp") + 1)

    def log1p(self, z: Any) -> Any:
        """Return ln(1 + z), in which small z keep their digits."""
        return math.log1p(z) if not isinstance(z, Term) else (1 + z).of("Log") + z.min(1).rounded_off()

    def ndtr(self, z: Term) -> Term:
        """Return the normal distribution function."""
        return (z.of("Mul", math.sqrt(0.5)).of("Erf") + 1) * 0.5

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        if name not in _FUNCTIONS:
            raise AttributeError(name)
        return lambda z: z.of(_FUNCTIONS[name]) if isinstance(z, Term) else getattr(np, name)(z)
