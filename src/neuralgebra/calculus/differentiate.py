"""Derivatives as networks: the rules of propagation and their adjoints, run on wires."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from neuralgebra.calculus.adjoint import adjoint
from neuralgebra.calculus.choice import multi_index
from neuralgebra.calculus.indices import IndexSet, MultiIndex
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.limits import checked_order
from neuralgebra.calculus.plans import planned
from neuralgebra.calculus.propagate import Jets, inner
from neuralgebra.calculus.wire import Wire
from neuralgebra.calculus.wires import Wires
from neuralgebra.errors import ResourceError, UnsupportedError, UsageError, shown
from neuralgebra.functions.row import HIGHEST
from neuralgebra.network import names as naming
from neuralgebra.network.arguments import positions
from neuralgebra.network.layers import Elementwise, Mixing, PowerProduct
from neuralgebra.network.network import Network

__all__ = ["diff"]

_WIDEST = 1 << 26


def diff(network: Network, *variables: Any) -> Network:
    """Return the Jacobian x ↦ ∂f_i/∂x_j as a network, or one partial derivative x ↦ ∂^α f_i.

    It is exact as a real function: no product of weights is rounded. What it shares with f is computed once in
    ``na.stack(f, f.diff())``.

    Parameters
    ----------
    network : Network
        f.
    *variables : str or int, or mapping of str to int, or sequence of int
        Nothing for the whole Jacobian; names or positions of inputs to differentiate by, one after another; or a
        multi-index, {"x1": 2, "x2": 1} or (2, 1).

    Returns
    -------
    Network
        n → m·n, row-major, with ``output_shape`` (m, n); or n → m. At a kink the derivatives are the chosen values of
        the catalogue.

    Raises
    ------
    InputError
        For an unknown name.
    UsageError
        For orders that are no orders, or not one for each input.
    UnsupportedError
        For an order above 32.
    ResourceError
        When the Jacobian would not fit into memory.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2]], None), ([[3]], None)], "tanh")
    >>> f.diff("x1")
    <Network 2 → 1: Affine 2→1 · tanh' · Affine 1→1; 3 parameters, float64>
    >>> f.diff().output_names
    ('dy1_dx1', 'dy1_dx2')
    >>> f.diff()([0, 0])
    array([3., 6.])
    """
    if not variables:
        return _once(network, None)
    for i in _index(network, variables):
        network = _once(network, i)
    return network


def _index(network: Network, variables: Sequence[Any]) -> MultiIndex:
    orders = variables[0] if len(variables) == 1 and isinstance(variables[0], Mapping | Sequence | np.ndarray) else None
    if isinstance(orders, list | tuple) and any(isinstance(order, str) for order in orders):
        raise UsageError(f"a list {shown(orders)} received; names one by one, f.diff(*names), or orders expected.")
    if orders is not None and not isinstance(orders, str):
        return multi_index(network, orders, _covered)
    index = tuple(sorted(positions(variables, network.input_names, "input")))
    _covered(network, len(index))
    return index


def _covered(network: Network, order: Any) -> int:
    """Return an order if the catalogue has derivatives of activations up to it."""
    given: int = checked_order(order)
    if given > HIGHEST:
        raise UnsupportedError(
            f"derivative of order {shown(order)} received; at most {HIGHEST} is covered as a network.\n"
            "taylor(x, v, order) and derivative(x, α) give numbers of any order."
        )
    return given


def _once(network: Network, variable: int | None) -> Network:
    """Return the Jacobian, or the derivative by one variable; remembered by the network."""
    key = ("diff", variable)
    if key not in network.memory:
        network.memory[key] = _jacobian(network) if variable is None else _partial(network, variable)
    return network.memory[key]  # type: ignore[no-any-return]


def _partial(network: Network, variable: int) -> Network:
    k = Wires(network)
    row = np.eye(1, network.input_size, variable)
    names = _named(network, [network.input_names[variable]])
    return _closed(network, k, _forward(k, network, row, 0), names, network.output_shape)


def _jacobian(network: Network) -> Network:
    (m, n), name = network.shape, planned(network, "jacobian").way.name
    _refuse_wide(network, n if name == "forward" else m)
    k = Wires(network)
    if name == "adjoint":
        wire = _adjoint(k, network)
    elif name == "forward":
        wire = k.permute(_forward(k, network, np.eye(n), 0), (1, 0))
    else:
        layer: Any = network.nodes[0].layer
        inner = k.permute(_forward(k, network, np.eye(layer.weight.rows), 1), (1, 0))
        wire = k.rlinear(layer.weight, inner)
    return _closed(network, k, wire, _named(network, network.input_names), (*(network.output_shape or (m,)), n))


def _refuse_wide(network: Network, directions: int) -> None:
    size = directions * max(network.sizes)
    if size > _WIDEST:
        raise ResourceError(
            f"the Jacobian of {network.output_size} outputs by {network.input_size} inputs needs layers of {size:,} "
            f"coordinates as a network; the limit is {_WIDEST:,}.\njacobian(x), jvp(x, v) and vjp(x, w) give numbers; "
            "f[i].diff() and f.diff(j) give a row and a column."
        )


def _jets(k: Wires, network: Network, order: int, lead: tuple[int, ...]) -> Jets:
    """Return the jets of all places, at each place the node itself as level 0."""
    jets = Jets(k, network, Jet(IndexSet.full(1, order), []))
    for place, jet in enumerate(jets.jets):
        jet.levels.append(k.wire(place, (*lead, network.sizes[place])))  # type: ignore[union-attr]
    for place, node in enumerate(network.nodes, 1):
        if isinstance(node.layer, PowerProduct | Mixing):  # f(W f⁻¹(x) + b), which f' may need: exp is its own slope
            function, _, _, v = inner(k, node.layer, 0, *jets.inputs(place))
            k.builder.equate(place, Elementwise(function), k.place(v.value))
    return jets


def _forward(k: Wires, network: Network, directions: np.ndarray, place: int) -> Wire:
    """Return the derivatives along directions given at a place, (K, m)."""
    jets = _jets(k, network, 1, (1,))
    jets.jets[place].levels.append(k.weight(directions))  # type: ignore[union-attr]
    level = jets.run(1).levels[1]
    shape = (len(directions), network.output_size)
    return k.zeros(shape) if level is None else k.broadcast(level, shape)


def _adjoint(k: Wires, network: Network) -> Wire:
    """Return the gradients of all outputs, (m, n)."""
    m, n = network.shape
    duals = adjoint(k, _jets(k, network, 0, (1, 1)), [k.weight(np.eye(m)[None])])
    level = duals[0][0] if 0 in duals else None
    return k.zeros((m, n)) if level is None else k.broadcast(level, (1, m, n))[0, ...]


def _closed(network: Network, k: Wires, wire: Wire, names: Sequence[str], shape: Any) -> Network:
    place = k.place(wire)
    return Network(
        k.builder.nodes,
        place,
        network.input_size,
        input_names=network.input_names,
        output_names=names,
        input_shape=network.input_shape,
        output_shape=shape,
    )


# Names --------------------------------------------------------------------------------------------------------------


def _named(network: Network, inputs: Sequence[str]) -> list[str]:
    """Return the names of the derivatives of each output by each input, distinct."""
    variables = frozenset(network.input_names)
    parts = [_parted(output, variables) for output in network.output_names]
    return _unique(naming.derivative(stem, [*known, i]) for stem, known in parts for i in inputs)


def _parted(name: str, inputs: frozenset[str]) -> tuple[str, list[str]]:
    """Return what a name is the derivative of, and by what: of a derivative, the next is of higher order."""
    base = name
    known: list[str] = []
    while (at := next((m.start() for m in re.finditer("_d", base) if base[m.end() :] in inputs), None)) is not None:
        base, known = base[:at], [base[at + 2 :], *known]
    stem = base.removeprefix(f"d{len(known)}" if len(known) > 1 else "d")
    return (stem, known) if known and stem and naming.derivative(stem, known) == name else (name, [])


def _unique(names: Iterable[str]) -> list[str]:
    taken: set[str] = set()
    result = []
    for name in names:
        while name in taken:
            name += "_"
        taken.add(name)
        result.append(name)
    return result
