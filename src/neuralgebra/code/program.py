"""The intermediate program: functions made of loops over arrays, with the weights of the network beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from neuralgebra.calculus import strategies
from neuralgebra.calculus.indices import IndexSet
from neuralgebra.calculus.plans import planned
from neuralgebra.calculus.products import pulled, pushed
from neuralgebra.code.fuse import fused, reads
from neuralgebra.code.layout import arranged
from neuralgebra.code.lower import lowered
from neuralgebra.code.record import Primitive, Recording, recorded
from neuralgebra.code.statements import Access, Assignment, Buffer, Call, Loop, walk
from neuralgebra.code.unroll import unrolled
from neuralgebra.network.network import Network
from neuralgebra.network.notation import stems

__all__ = ["Function", "Program", "Result", "program"]

ORDERS = ("", "jacobian", "hessian", "third")


@dataclass(frozen=True)
class Result:
    """What a function of a program gives.

    Parameters
    ----------
    name : str
        Name of the argument.
    what : str
        What it is, in words.
    shape : tuple of int
        Its shape, row-major.
    entries : ndarray, optional
        Where packed entries stand in the full array, flat.
    """

    name: str
    what: str
    shape: tuple[int, ...]
    entries: np.ndarray | None = None

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape) if self.entries is None else len(self.entries)


@dataclass(frozen=True)
class Function:
    """One function of a program.

    Parameters
    ----------
    suffix : str
        What is appended to the name of the program: "", "jacobian", ….
    inputs : tuple of Buffer
        Arguments.
    outputs : tuple of Buffer
        Arrays that it fills.
    results : tuple of Result
        What these hold.
    loops : tuple of Loop
        Its body.
    compute : callable
        (kind, points, …) -> results: what it was written down from.
    """

    suffix: str
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    results: tuple[Result, ...]
    loops: tuple[Loop, ...]
    compute: Callable[..., Sequence[Any]] = field(repr=False)

    @cached_property
    def locals(self) -> tuple[Buffer, ...]:
        """Arrays of its own."""
        targets = (a.target for loop in self.loops for a in loop.body)
        return tuple({t.buffer: None for t in targets if isinstance(t, Access) and t.buffer.role == "local"})

    @cached_property
    def constants(self) -> tuple[Buffer, ...]:
        """Weights and tables that it reads, each once."""
        accesses = [x for loop in self.loops for a in loop.body for x in reads(a)]
        buffers = [b for x in accesses for b in (x.buffer, *([x.table.buffer] if x.table else []))]
        return tuple({b: None for b in buffers if b.values is not None})

    @cached_property
    def unused(self) -> tuple[Buffer, ...]:
        """Arguments that it does not need."""
        needed = {access.buffer for loop in self.loops for a in loop.body for access in reads(a)}
        return tuple(b for b in self.inputs if b not in needed)


@dataclass(frozen=True)
class Program:
    """Functions of one network.

    Parameters
    ----------
    network : Network
        The network.
    functions : tuple of Function
        Value, and derivatives.
    dtype : dtype
        That of all numbers.
    checks : tuple of Check
        The self-test: points, and what the functions give there.
    """

    network: Network
    functions: tuple[Function, ...]
    dtype: np.dtype
    checks: tuple[Any, ...] = ()

    @cached_property
    def constants(self) -> tuple[Buffer, ...]:
        """Weights and tables that the functions read, weights first, each once."""
        known = {b: None for function in self.functions for b in function.constants}
        return tuple(sorted(known, key=lambda b: b.role != "weight"))

    @cached_property
    def called(self) -> frozenset[Any]:
        """Operations, functions and chain functions that occur."""
        values = (e for a in self._assignments for e in a.expressions)
        found = {p.function for value in values for p in walk(value) if isinstance(p, Call)}
        return frozenset(found | {"largest"} if any(a.reduction == "max" for a in self._assignments) else found)

    @property
    def _assignments(self) -> Iterator[Assignment]:
        return (a for function in self.functions for loop in function.loops for a in loop.body)

    @cached_property
    def primitives(self) -> tuple[Primitive, ...]:
        """Chain functions that occur, by name."""
        found = [f for f in self.called if isinstance(f, Primitive)]
        return tuple(sorted(found, key=lambda p: (p.name, repr(p.key))))


@dataclass
class _Tables:
    """Constants that are no weights, each once."""

    known: dict[tuple[Any, ...], Buffer] = field(default_factory=dict)

    def __call__(self, array: np.ndarray) -> Buffer:
        key = (array.dtype.kind, array.tobytes())
        if key not in self.known:
            self.known[key] = Buffer(f"table{len(self.known) + 1}", array.size, "table", array.ravel())
        return self.known[key]


def _weights(network: Network, dtype: np.dtype) -> dict[int, Buffer]:
    """Return a buffer for each array of weights: w1 and b1 of the first affine layer, w2, …."""
    buffers: dict[int, Buffer] = {}
    number = 0
    for node in network.nodes:
        arrays = [a for a in node.layer.arrays if id(a) not in buffers]
        number += bool(node.layer.arrays)
        bias = getattr(node.layer, "bias", None)
        parts = sum(a is not bias for a in arrays)
        for i, array in enumerate(arrays):
            name = f"b{number}" if array is bias else f"w{number}" + ("" if parts == 1 else f"_{i + 1}")
            values = array.astype(dtype).ravel()
            buffers[id(array)] = Buffer(name, array.size, "weight", values)
    return buffers


def _up_to(network: Network, order: int) -> Callable[..., Sequence[Any]]:
    """Return the computation of value and derivatives up to an order."""
    if order in (1, 2):
        return partial(_by_plan, network, planned(network, ("jacobian", "hessian")[order - 1]).way)
    return lambda k, x: strategies.by_jets(k, network, x, order)


def _by_plan(network: Network, way: Any, k: Any, x: Any) -> Sequence[Any]:
    return way.compute(k, network, x)  # type: ignore[no-any-return]


def _results(network: Network, order: int, packed: bool) -> Iterator[Result]:
    m, n = network.shape
    yield Result("y", "values", (m,))
    for r in range(1, order + 1):
        name = ("", "jac", "hess", "third")[r]
        what = ("", "first", "second", "third")[r] + " derivatives"
        shape = (m, *(n,) * r)
        entries = None
        if packed and r > 1:
            entries = _packed(m, n, r)
        yield Result(name, what, shape, entries)


def _packed(m: int, n: int, order: int) -> np.ndarray:
    """Return the flat places of the entries i ≤ j ≤ … of each output."""
    keys = np.array(IndexSet.full(n, order).levels[order])
    places = np.ravel_multi_index(tuple(keys.T), (n,) * order)
    flat: np.ndarray = (np.arange(m)[:, None] * n**order + places).ravel()
    return flat


def program(
    network: Network,
    order: int = 0,
    *,
    packed: bool = False,
    products: Sequence[str] = (),
    dtype: Any = "float64",
    apart: bool = False,
    unroll: bool = False,
) -> Program:
    """Return the program of a network: value, Jacobian, … up to an order, and products.

    Parameters
    ----------
    network : Network
        f.
    order : int
        Highest order, 0 to 3.
    packed : bool
        Whether only the entries i ≤ j of Hessians, and i ≤ j ≤ k of third derivatives, are given.
    products : sequence of {"jvp", "vjp", "hvp", "curvature"}
        Products with vectors; the curvature is the Hessian of a weighted sum of outputs.
    dtype : str
        "float64" or "float32".
    apart : bool
        Whether sums stay in loops of their own, for compilers.
    unroll : bool
        Whether there are no loops at all.

    Returns
    -------
    Program
        Functions that share their constants.
    """
    kind, tables = np.dtype(dtype), _Tables()
    weights = _weights(network, kind)
    n = network.input_size
    functions = []
    for r in range(order + 1):
        results = tuple(_results(network, r, packed))
        functions.append(_function(network, ORDERS[r], _up_to(network, r), [("x", n)], results, weights, tables, kind))
    for name in products:
        functions.append(_product(network, name, weights, tables, kind))
    bodies = [fused(f.loops, apart and not unroll) for f in functions]
    if unroll:
        bodies = [unrolled(body) for body in bodies]
    elif apart:
        shapes = {weights[id(a)]: a.shape for a in network.arrays if a.ndim == 2}
        bodies = arranged(bodies, shapes)
    return Program(network, tuple(replace(f, loops=tuple(b)) for f, b in zip(functions, bodies, strict=True)), kind)


_PRODUCTS: dict[str, Callable[[int, int], Result]] = {
    "jvp": lambda m, n: Result("jv", "J v", (m,)),
    "vjp": lambda m, n: Result("jtw", "J^T w", (n,)),
    "hvp": lambda m, n: Result("hv", "(sum of w_i H_i) v", (n,)),
    "curvature": lambda m, n: Result("wh", "sum of w_i H_i", (n, n)),
}


def _product(network: Network, name: str, weights: dict[int, Buffer], tables: _Tables, kind: np.dtype) -> Function:
    """Return a product of a derivative with vectors."""
    m, n = network.shape
    beside = {"jvp": [("v", n)], "vjp": [("w", m)], "hvp": [("v", n), ("w", m)], "curvature": [("w", m)]}[name]
    given = [("x", n), *beside]
    if name == "jvp":
        compute: Callable[..., Sequence[Any]] = partial(pushed, network=network)
    elif name == "curvature":
        compute = partial(_curvature, network)
    else:
        compute = partial(pulled, network=network, along=name == "hvp", weighted=True)
    results = (_PRODUCTS[name](m, n),)
    return _function(network, name, compute, given, results, weights, tables, kind)


def _curvature(network: Network, k: Any, x: Any, w: Any) -> Sequence[Any]:
    return strategies.weighted_hessian(k, network, x, w)


def _function(
    network: Network,
    suffix: str,
    compute: Callable[..., Sequence[Any]],
    given: Sequence[tuple[str, int]],
    results: tuple[Result, ...],
    weights: dict[int, Buffer],
    tables: _Tables,
    kind: np.dtype,
) -> Function:
    inputs = tuple(Buffer(name, size, "input") for name, size in given)
    outputs = tuple(Buffer(r.name, r.size, "output") for r in results)
    recording: Recording = recorded(compute, network.arrays, [size for _, size in given], kind, (), stems(network))
    entries = [r.entries for r in results]
    loops = lowered(recording, inputs, weights, tables, list(zip(outputs, entries, strict=True)))
    return Function(suffix, inputs, outputs, results, tuple(loops), compute)
