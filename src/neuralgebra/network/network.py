"""The network: an immutable let-form, and the exact operations that make new networks from old.

A network is a tuple of nodes, each a layer applied to earlier nodes. Formulas, programs and files are renderings of
this one graph. Questions that one may ask of a network live in their own storeys.
"""

from __future__ import annotations

import itertools
import math
import numbers
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, ShapeError, UnsupportedError, UsageError, shown
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network import names as naming
from neuralgebra.network.arguments import chain, positions, shape
from neuralgebra.network.builder import Builder, Node
from neuralgebra.network.layers import (
    Affine,
    Concatenate,
    Elementwise,
    Layer,
    Mixing,
    Multiply,
    PowerProduct,
    Select,
    Softmax,
)
from neuralgebra.network.linear import Dense, Diagonal, digest, frozen, identity
from neuralgebra.network.memory import Memory
from neuralgebra.network.questions import Questions
from neuralgebra.network.scaling import Scale, divisor, kept, scaled

_LARGEST_POWER = 1000

__all__ = ["Network", "check_inputs", "pair"]


class Network(Questions):
    """A feed-forward network as an immutable function R^n -> R^m.

    Parameters
    ----------
    nodes : sequence of Node
        Layers applied to earlier nodes; place 0 is the input, place i + 1 is node i.
    output : int
        Place of the output.
    input_size : int
        n.
    input_names, output_names : sequence of str, optional
        Names of the coordinates; x1, x2, … and y1, y2, … by default.
    input_shape, output_shape : tuple of int, optional
        Shapes that the vectors were flattened from, row-major; kept as a remark.

    Raises
    ------
    ShapeError
        When a layer does not fit its arguments.
    """

    checked = True
    """Whether numbers outside of the domain of a layer are refused; see `extended`."""

    # NumPy scalars and arrays leave the operators to us: np.float64(2) * f is a Network.
    __array_ufunc__ = None

    def __init__(
        self,
        nodes: Sequence[Node],
        output: int,
        input_size: int,
        *,
        input_names: Sequence[str] | None = None,
        output_names: Sequence[str] | None = None,
        input_shape: tuple[int, ...] | None = None,
        output_shape: tuple[int, ...] | None = None,
    ) -> None:
        if not isinstance(input_size, int | np.integer) or isinstance(input_size, bool) or input_size < 1:
            raise ShapeError(f"{shown(repr(input_size))} inputs received; a whole number, at least 1, expected.")
        builder = Builder(int(input_size))
        place = builder.append(nodes, output, 0)
        self.nodes, self.output = builder.pruned(place)
        self.input_size, self.output_size = int(input_size), builder.sizes[place]
        self.input_names = naming.checked(input_names, "x", self.input_size, "input")
        self.output_names = naming.checked(output_names, "y", self.output_size, "output")
        self.input_shape = shape(input_shape, self.input_size)
        self.output_shape = shape(output_shape, self.output_size)
        self._frozen = True

    def __setattr__(self, name: str, value: Any) -> None:
        if "_frozen" in self.__dict__:
            raise UsageError(f"a Network is immutable: {shown(name)} cannot be set; make a new network instead.")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        raise UsageError(f"a Network is immutable: {shown(name)} cannot be deleted.")

    def parts(self) -> tuple[tuple[Node, ...], int, int, dict[str, Any]]:
        """Return nodes, output, input size, and names and shapes: what the network is made of."""
        return self.nodes, self.output, self.input_size, self._remarks()

    def _remarks(self) -> dict[str, Any]:
        return {
            "input_names": self.input_names,
            "output_names": self.output_names,
            "input_shape": self.input_shape,
            "output_shape": self.output_shape,
        }

    # Making -----------------------------------------------------------------------------------------------------

    @classmethod
    def from_layers(
        cls,
        layers: Sequence[tuple[Any, Any]],
        activation: str | Activation | Sequence[str | Activation] = "tanh",
        output: str | Activation = "identity",
        kind: str = "additive",
        weights: str = "out,in",
        base: float | None = None,
        **names: Any,
    ) -> Network:
        """Return the chain of layers (A₁, b₁), …, (A_L, b_L) with an activation between them.

        y = A_L σ(… σ(A₁ x + b₁) …) + b_L, each A of shape (out, in), each b of shape (out,) or None.

        Parameters
        ----------
        layers : sequence of (array_like, array_like or None)
            The pairs.
        activation : str, Activation or sequence of them
            σ, or one for each hidden layer.
        output : str or Activation
            Function of the last layer; "softmax" is allowed.
        kind : {"additive", "multiplicative"}
            "multiplicative" makes layers x ↦ e^b ∏ x_j^{A_ij}.
        weights : {"out,in", "in,out"}
            "in,out" when each A multiplies from the right, x·A + b.
        base : float, optional
            What multiplicative layers have in place of e; positive, not 1.
        **names
            input_names, output_names, input_shape, output_shape.

        Returns
        -------
        Network
            The network.

        Raises
        ------
        ShapeError
            When two layers do not fit; the message names both shapes.

        Examples
        --------
        >>> f = Network.from_layers([([[1, 1], [1, 1]], [1, 1]), ([[1, 1]], None)], "sigmoid")
        >>> f.input_size, f.output_size
        (2, 1)
        """
        sequence = chain(layers, activation, output, kind, weights, base)
        builder = Builder(sequence[0].weight.columns)
        place = 0
        for layer in sequence:
            place = builder.add(layer, place)
        return cls(builder.nodes, place, builder.sizes[0], **names)

    @classmethod
    def from_layer(cls, layer: Layer, *sizes: int) -> Network:
        """Return the network of one layer on inputs of given sizes, laid side by side."""
        builder = Builder(sum(sizes))
        ends = np.cumsum([0, *sizes])
        parts = [builder.add(Select(np.arange(i, j)), 0) for i, j in itertools.pairwise(ends)]
        place = builder.add(layer, *parts)
        return cls(builder.nodes, place, builder.sizes[0])

    @classmethod
    def identity(cls, size: int, names: Sequence[str] | None = None) -> Network:
        """Return x ↦ x on vectors of a size."""
        return cls((), 0, size, input_names=names)

    @classmethod
    def function(cls, name: str | Activation, size: int = 1, **parameters: Any) -> Network:
        """Return an activation as a network, coordinate by coordinate."""
        if isinstance(name, Activation) and parameters:
            raise UsageError(f"{name} with further parameters received; give parameters with a name only.")
        function = name if isinstance(name, Activation) else activation(name, **parameters)
        return cls((Node(Elementwise(function), (0,)),), 1, size)

    def rename(self, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None) -> Network:
        """Return the same function with other names."""
        return self._with(
            input_names=self.input_names if inputs is None else inputs,
            output_names=self.output_names if outputs is None else outputs,
        )

    def _with(self, **changes: Any) -> Network:
        return Network(self.nodes, self.output, self.input_size, **{**self._remarks(), **changes})

    def altered(self, **changes: Any) -> Network:
        """Return a network with some attributes changed: nothing is checked, merged or left out, so places stay."""
        new = object.__new__(Network)
        kept = ("nodes", "output", "input_size", "output_size", *self._remarks(), "_frozen")
        new.__dict__.update({name: self.__dict__[name] for name in kept} | changes)
        return new

    @classmethod
    def restored(cls, nodes: tuple[Node, ...], output: int, input_size: int, remarks: dict[str, Any]) -> Network:
        """Return the network that has these `parts`, its nodes at the same places."""
        new = object.__new__(cls)
        new.__dict__.update(nodes=nodes, output=output, input_size=input_size, **remarks, _frozen=True)
        new.__dict__["output_size"] = new.sizes[output]
        return new

    # Looking ----------------------------------------------------------------------------------------------------

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of coordinates at each place."""
        sizes = [self.input_size]
        for node in self.nodes:
            sizes.append(node.layer.sizes([sizes[i] for i in node.inputs]))
        return tuple(sizes)

    @property
    def shape(self) -> tuple[int, int]:
        """Outputs and inputs, (m, n): the shape of the Jacobian."""
        return self.output_size, self.input_size

    @cached_property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """The distinct arrays of numbers, in the order of the nodes."""
        return tuple({id(a): a for node in self.nodes for a in node.layer.arrays}.values())

    @property
    def parameter_count(self) -> int:
        """How many numbers the layers hold."""
        return sum(a.size for a in self.arrays)

    @cached_property
    def dtype(self) -> np.dtype:
        """Floating dtype of the numbers; float64 where there are none."""
        return np.result_type(*(a.dtype for a in self.arrays)) if self.arrays else np.dtype(np.float64)

    @cached_property
    def memory(self) -> Memory:
        """What other storeys remember about this network; not part of it, never saved."""
        return Memory()

    @cached_property
    def multiplicative(self) -> bool:
        """Whether a layer multiplies powers, or mixes, and so is defined on a part of the numbers."""
        return any(isinstance(node.layer, PowerProduct | Mixing) for node in self.nodes)

    @property
    def is_chain(self) -> bool:
        """Whether each node is applied to the one before."""
        return all(node.inputs == (i,) for i, node in enumerate(self.nodes))

    def layers_list(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return the pairs (A₁, b₁), …, (A_L, b_L) of a chain, each A (out, in).

        Raises
        ------
        UnsupportedError
            When the network branches.
        """
        layers = [node.layer for node in self.nodes]
        strange = [x for x in layers if not isinstance(x, Affine | PowerProduct | Mixing | Elementwise | Softmax)]
        if not self.is_chain or strange:
            what = "branches" if not strange else f"contains {strange[0]}"
            raise UnsupportedError(f"this network {what}; layers_list() needs a chain of (A, b). See f.nodes.")
        return [(x.weight.dense(), x.bias) for x in layers if isinstance(x, Affine | PowerProduct | Mixing)]

    @cached_property
    def digest(self) -> bytes:
        """Hash of the content."""
        wiring = [node.inputs for node in self.nodes]
        remarks = tuple(self._remarks().values())
        return digest(self.input_size, self.output, wiring, remarks, *(node.layer.digest for node in self.nodes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Network) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        head = f"{self.input_size} → {self.output_size}"
        inner = " · ".join(str(node.layer) for node in self.nodes) if self.is_chain else f"{len(self.nodes)} nodes"
        return f"<Network {head}: {inner or 'identity'}; {self.parameter_count} parameters, {self.dtype}>"

    def __iter__(self) -> Iterator[Network]:
        return (self[i] for i in range(self.output_size))

    # Algebra: exact and lazy ------------------------------------------------------------------------------------

    def __getitem__(self, key: int | str | slice | Sequence[int | str]) -> Network:
        indices = positions(key, self.output_names)
        chosen = [self.output_names[i] for i in indices]
        builder, place = self._open()
        last = self.nodes[self.output - 1].layer if self.output else None
        if isinstance(last, Affine) and isinstance(last.weight, Dense):
            bias = None if last.bias is None else last.bias[indices]
            place = builder.add(Affine(last.weight.weight[indices], bias), *self.nodes[self.output - 1].inputs)
        else:
            place = builder.add(Select(np.array(indices)), place)
        distinct = len(set(chosen)) == len(chosen)
        return self._close(builder, place, output_names=chosen if distinct else None)

    def __matmul__(self, inner: Network) -> Network:
        if not isinstance(inner, Network):
            return NotImplemented
        if inner.output_size != self.input_size:
            raise ShapeError(
                f"f @ g is f after g: g of shape {inner.shape} gives {inner.output_size} values, "
                f"f of shape {self.shape} takes {self.input_size}."
            )
        builder, place = inner._open()
        place = builder.append(self.nodes, self.output, place)
        return inner._close(builder, place, output_names=self.output_names, output_shape=self.output_shape)

    def __neg__(self) -> Network:
        return self * -1.0

    def __add__(self, other: Any) -> Network:
        if isinstance(other, Network):
            return _sum(self, other, 1.0)
        return self._affine(None, _vector(other, self))

    def __sub__(self, other: Any) -> Network:
        if isinstance(other, Network):
            return _sum(self, other, -1.0)
        return self._affine(None, -_vector(other, self))

    def __rsub__(self, other: Any) -> Network:
        return (-self)._affine(None, _vector(other, self))

    def __mul__(self, other: Any) -> Network:
        if isinstance(other, Network):
            return _product(self, other)
        return self._affine(Scale(_vector(other, self)), None)

    def __truediv__(self, other: Any) -> Network:
        if isinstance(other, Network):
            return _product(self, other**-1)
        return self._affine(Scale(divisor(_vector(other, self)), divide=True), None)

    def __rtruediv__(self, other: Any) -> Network:
        return (self**-1)._affine(Scale(_vector(other, self)), None)

    def __rpow__(self, base: Any) -> Network:
        raise UsageError(
            f"{shown(base)} to the power of a network received; exp @ (log(base) * f) expected, "
            'with exp = na.Network.function("exp").'
        )

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, exponent: float) -> Network:
        if not isinstance(exponent, numbers.Real) or not math.isfinite(exponent):
            raise UsageError(
                f"exponent {shown(exponent)} received; a finite number expected. For a variable exponent g use "
                "exp @ (g * (log @ f))."
            )
        if abs(exponent) > _LARGEST_POWER:
            raise UsageError(f"exponent {shown(exponent)} received; at most {_LARGEST_POWER} expected.")
        if exponent != int(exponent):
            return self._then(Elementwise(activation("power", p=float(exponent))))
        if exponent < 0:
            return (self ** -int(exponent))._then(Elementwise("reciprocal"))
        return _integer_power(self, int(exponent))

    # Pieces of the algebra --------------------------------------------------------------------------------------

    def _open(self) -> tuple[Builder, int]:
        builder = Builder(self.input_size)
        return builder, builder.append(self.nodes, self.output, 0)

    def _close(self, builder: Builder, place: int, **changes: Any) -> Network:
        remarks = {**self._remarks(), "output_shape": None, **changes}
        if len(remarks["output_names"] or ()) != builder.sizes[place]:
            remarks["output_names"] = None
        return Network(builder.nodes, place, self.input_size, **remarks)

    def _then(self, layer: Layer) -> Network:
        builder, place = self._open()
        return self._close(builder, builder.add(layer, place), output_shape=self.output_shape)

    def _affine(self, scale: Scale | None, shift: np.ndarray | None) -> Network:
        """Return scale(f) + shift: put into the last layer when that is affine, else as a layer of its own."""
        last = self.nodes[self.output - 1].layer if self.output else None
        folded = scaled(last, scale, shift) if isinstance(last, Affine) else None
        if folded is None:
            weight = identity(self.output_size, dtype=self.dtype) if scale is None else scale.matrix()
            return self._then(Affine(weight, shift))
        builder, _ = self._open()
        place = builder.add(folded, *self.nodes[self.output - 1].inputs)
        return self._close(builder, place, output_shape=self.output_shape)


def _sum(f: Network, g: Network, sign: float) -> Network:
    size = max(f.output_size, g.output_size)
    layer = Affine(identity(size, 2, [1.0, sign], np.result_type(f.dtype, g.dtype)))
    builder, left, right = pair(f, g)
    return f._close(builder, builder.add(layer, builder.add(Concatenate(), left, right)))


def _product(f: Network, g: Network) -> Network:
    builder, left, right = pair(f, g)
    return f._close(builder, builder.add(Multiply(), left, right))


def _integer_power(f: Network, exponent: int) -> Network:
    """Return f^k by squaring: no logarithm, and ⌈log₂ k⌉ products at most follow each other."""
    if exponent == 0:
        return f._then(Affine(Diagonal(np.zeros(f.output_size, f.dtype)), np.ones(f.output_size, f.dtype)))
    rest: Network | None = None
    while exponent > 1:
        if exponent % 2:
            rest = f if rest is None else f * rest
        f, exponent = f._then(Elementwise("square")), exponent // 2
    return f if rest is None else f * rest


def check_inputs(networks: Sequence[Network]) -> None:
    """Raise ShapeError unless all networks have equally many inputs."""
    for g in networks[1:]:
        if g.input_size != networks[0].input_size:
            raise ShapeError(
                f"networks of shape {networks[0].shape} and {g.shape} (outputs, inputs) received; "
                "equally many inputs expected."
            )


def pair(f: Network, g: Network) -> tuple[Builder, int, int]:
    """Return a builder with two networks on one input, and the places of their outputs, broadcast to one size."""
    check_inputs((f, g))
    if f.output_size != g.output_size and 1 not in (f.output_size, g.output_size):
        raise ShapeError(
            f"networks of shape {f.shape} and {g.shape} (outputs, inputs) received; equally many outputs, or one "
            "output that serves all, expected."
        )
    builder, left = f._open()
    right = builder.append(g.nodes, g.output, 0)
    size = max(f.output_size, g.output_size)
    left, right = (builder.add(_spread(builder.sizes[p], size), p) for p in (left, right))
    return builder, left, right


def _spread(size: int, wanted: int) -> Layer:
    return Select(np.arange(wanted) if size == wanted else np.zeros(wanted, dtype=int))


def _vector(value: Any, f: Network) -> np.ndarray:
    """Return a scalar or a vector of constants as one number per output of f, in its dtype."""
    if isinstance(value, str) or not isinstance(value, numbers.Real | np.ndarray | list | tuple):
        raise UsageError(f"{shown(type(value).__name__)} received beside a Network; a network or numbers expected.")
    exact = frozen(value, "constants")
    with np.errstate(all="ignore"):
        vector = exact.astype(f.dtype)
    if not kept(exact, vector):
        raise InputError(f"constants {shown(value)} received; {f.dtype}, the dtype of the network, cannot hold them.")
    if vector.shape not in ((), (1,), (f.output_size,)):
        raise ShapeError(
            f"constants of shape {vector.shape} received for {f.output_size} outputs; one or all expected."
        )
    return np.broadcast_to(vector, (f.output_size,))
