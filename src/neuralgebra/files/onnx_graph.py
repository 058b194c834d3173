"""An ONNX graph under construction, and formulas in it: numbers of one kind more."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import helper, numpy_helper

__all__ = ["Graph", "Term"]


class Graph:
    """Nodes and constants in the order of their making; equal nodes are one, and so are equal constants.

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
        self._outputs: dict[str, list[str]] = {}
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
        """Add a node with several outputs, unless there is an equal one; return their names."""
        key = repr((op, count, inputs, sorted(attributes.items())))
        if key in self._outputs:
            return self._outputs[key]
        outputs = self._outputs[key] = [f"v{self._count + i + 1}" for i in range(count)]
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
    __array_ufunc__ = None
    """Products with arrays on the left are those of the term."""

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

    def __rpow__(self, base: Any) -> Term:
        return self._after("Pow", base)

    def __gt__(self, other: Any) -> Term:
        return self.of("Greater", other)

    def __lt__(self, other: Any) -> Term:
        return self.of("Less", other)

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
