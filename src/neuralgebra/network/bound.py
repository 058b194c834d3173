"""Networks whose weights are arrays of another library, and networks as pytrees of JAX.

A bound network has the structure of a network and values of its own for the weights: tensors that need gradients,
arrays of JAX, tracers. Every number it gives can be differentiated in the points and in the weights.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import (
    Arrays,
    as_array,
    is_array,
    is_concrete,
    to_numpy,
)
from neuralgebra.arithmetic.kind import Value
from neuralgebra.arithmetic.libraries import declare_pytree, declare_questions
from neuralgebra.errors import DtypeError, InputError, UsageError, shown
from neuralgebra.network import parameters as named
from neuralgebra.network.arguments import positions
from neuralgebra.network.builder import Node
from neuralgebra.network.layers import Select
from neuralgebra.network.memory import Memory
from neuralgebra.network.network import Network
from neuralgebra.network.questions import Questions

__all__ = ["Bound", "declare", "parameters", "with_parameters"]

_DELEGATED = frozenset(
    {
        *("arrays", "multiplicative", "nodes", "output", "is_chain", "parameter_count", "shape", "sizes"),
        *("input_names", "input_shape", "input_size", "output_names", "output_shape", "output_size"),
    }
)


class Bound(Questions):
    """A network with weights of another library; made by ``f.with_parameters``, answers the numeric questions.

    Parameters
    ----------
    template : Network
        The structure.
    values : tuple of array
        A value for each array of the template, in their order.
    """

    def __init__(self, template: Network, values: tuple[Any, ...]) -> None:
        self.template, self.values = template, values

    def network(self) -> Network:
        """Return the network with the values copied to NumPy."""
        return named.exchanged(self.template, {name: to_numpy(v) for name, v in parameters(self).items()})

    @property
    def dtype(self) -> np.dtype:
        """Floating dtype of the values."""
        dtypes = {str(v.dtype).rsplit(".", 1)[-1] for v in self.values if is_array(v)}
        return np.dtype(np.float64 if "float64" in dtypes or not dtypes else np.float32)

    @property
    def checked(self) -> bool:
        """Whether numbers outside of the domain of a layer are refused."""
        return self.template.checked

    @property
    def memory(self) -> Memory:
        """What other storeys remember about the structure: never numbers."""
        known: Memory = self.template.memory.setdefault("bound", Memory())
        return known

    def accept(self, x: Any, dtype: Any = None) -> tuple[Arrays, Value]:
        """Return the kind of points in which the weights have these values, and x as points."""
        k, x = Arrays.accept(self._beside.points(x, self.dtype), self.dtype, dtype)
        return k.with_values(self.by_identity), x

    @cached_property
    def by_identity(self) -> dict[int, Any]:
        """The values by the identity of the arrays in `nodes`, which hold nothing but NaN."""
        return {id(a): v for a, v in zip(self.arrays, self.values, strict=True)}

    @cached_property
    def _beside(self) -> Arrays:
        """The kind of the values of another library than NumPy."""
        for name, value in parameters(self).items():
            _check(name, value, self.template)
        return Arrays(next(v for v in self.values if not isinstance(v, np.ndarray)))

    def __getitem__(self, key: Any) -> Bound:
        indices = tuple(positions(key, self.output_names))
        return Bound(self.memory.once("outputs", indices, lambda: _outputs(self.template, indices)), self.values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Bound, (self.template, self.values)

    def __getattr__(self, name: str) -> Any:
        if name in _DELEGATED:
            return getattr(named.hollow(self.template), name)
        if not name.startswith("_") and callable(getattr(Network, name, None)):
            return functools.partial(_refuse, name)
        raise AttributeError(f"a bound network has no attribute {name!r}")

    def __repr__(self) -> str:
        kinds = ", ".join(
            sorted({type(v).__module__.split(".")[0].removesuffix("lib") for v in self.values} - {"numpy"})
        )
        return f"{repr(self.template)[:-1]}; weights of {kinds}>"


def _outputs(f: Network, indices: tuple[int, ...]) -> Network:
    """Return a network of some outputs that holds all arrays."""
    node = Node(Select(np.array(indices)), (f.output,))
    names = tuple(f.output_names[i] for i in indices)
    end = {"output": len(f.nodes) + 1, "output_size": len(indices), "output_names": names, "output_shape": None}
    return f.altered(nodes=(*f.nodes, node), **end)


def _refuse(name: str, *_: Any, **__: Any) -> None:
    raise UsageError(
        f"{name} asked of a network with weights of another library; it answers numeric questions only.\n"
        "Pass NumPy arrays to with_parameters, or ask .network(), which copies the weights to NumPy."
    )


def parameters(network: Network | Bound) -> dict[str, Any]:
    """Return the arrays of numbers by name.

    A name is the place of the node and the role of the array: "1.weight", "1.bias". A matrix made of several arrays
    has them numbered: "2.weight.0", "2.weight.1". An array that occurs several times has the name of its first place.

    Parameters
    ----------
    network : Network
        f.

    Returns
    -------
    dict of str to array
        The distinct arrays in the order of the nodes: read-only NumPy arrays, or what a bound network received.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], [3]), ([[4]], None)])
    >>> f.parameters()
    {'1.weight': array([[1., 2.]]), '1.bias': array([3.]), '3.weight': array([[4.]])}
    """
    if isinstance(network, Bound):
        return dict(zip(named.names(network.template), network.values, strict=True))
    return named.by_name(network)


def with_parameters(network: Network | Bound, params: Mapping[str, Any]) -> Any:
    """Return the same structure with other numbers.

    Parameters
    ----------
    network : Network
        f.
    params : mapping of str to array_like
        Arrays by the names of `parameters`; those left out stay. An array used at several places changes at all.

    Returns
    -------
    Network or Bound
        A network for NumPy arrays and lists. For arrays of PyTorch or JAX a bound network: it answers the numeric
        questions, and what it gives can be differentiated in x and in these arrays.

    Raises
    ------
    InputError
        For an unknown name, for NaN and infinity, and for arrays of different libraries.
    ShapeError
        For an array of another shape.
    DtypeError
        For numbers that are not real.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], [3]), ([[4]], None)], "exp")
    >>> f.with_parameters({"1.bias": [0], "3.weight": [[5]]})([0, 0])
    array([5.])
    """
    template = network.template if isinstance(network, Bound) else network
    if not isinstance(params, Mapping):
        raise UsageError(f"{type(params).__name__} received as params; a mapping of names to arrays expected.")
    named.check_names(template, params)
    given = {name: as_array(v, named.by_name(template)[name].dtype) for name, v in params.items()}
    values = {**parameters(network), **given}
    foreign = [v for v in values.values() if not isinstance(v, np.ndarray)]
    if not foreign:
        return named.exchanged(template, values)
    for name, value in values.items():
        _check(name, value, template)
        if not isinstance(value, np.ndarray):
            Arrays(foreign[0]).expect_alike(value, "weights of")
    return Bound(template, tuple(values.values()))


def _check(name: str, value: Any, template: Network) -> None:
    """Raise an error unless a value can stand for an array."""
    if not is_array(value):
        kind = f"dtype {value.dtype}" if hasattr(value, "dtype") else f"type {type(value).__name__}"
        raise DtypeError(f"{name} of {shown(kind)} received; an array of real floating numbers expected.")
    named.check_shape(name, tuple(value.shape), named.by_name(template)[name])


# Pytrees of JAX: the leaves are the arrays, the structure is the rest -------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Structure:
    """A network without its numbers; equal wiring, layers, shapes, names and sharing are equal."""

    network: Network

    @cached_property
    def key(self) -> bytes:
        """Hash of the network whose first array is filled with 0, the next with 1, …."""
        known = self.network.memory
        if "structure" not in known:
            arrays = enumerate(named.by_name(self.network).items())
            filled = named.exchanged(self.network, {n: np.full(a.shape, float(i)) for i, (n, a) in arrays})
            known["structure"] = filled.digest
        return known["structure"]  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Structure) and (self.network is other.network or self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)


def _flatten(network: Network | Bound) -> tuple[Iterable[tuple[str, Any]], _Structure]:
    template = network.template if isinstance(network, Bound) else network
    return parameters(network).items(), _Structure(template)


def _network(structure: _Structure, leaves: Iterable[Any]) -> Network | Bound:
    """Return a network where the leaves are numbers that are known and finite, else a bound one."""
    values = tuple(leaves)
    if all(map(is_concrete, values)):
        arrays = dict(zip(named.names(structure.network), map(to_numpy, values), strict=True))
        try:
            return named.exchanged(structure.network, arrays)
        except InputError:
            pass
    return _bound(structure, values)


def _bound(structure: _Structure, leaves: Iterable[Any]) -> Bound:
    return Bound(structure.network, tuple(leaves))


declare_pytree(Network, _flatten, _network)
declare_pytree(Bound, _flatten, _bound)


def declare(mark: Callable[..., None]) -> None:
    """Let torch.compile take questions as steps of its graphs: `mark` gets decorators for those that are, or not."""
    declare_questions(Network, Bound, ("template", "values"), mark)
