"""Derivatives of activations as layers of a network: functions of the catalogue again, on the same argument."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.series import euler
from neuralgebra.calculus.wiring import Term, Wiring
from neuralgebra.functions.activation import Activation
from neuralgebra.network.layers import Elementwise
from neuralgebra.network.network import Network

__all__ = ["Blocks", "Composition", "constant", "lowest"]


class Composition:
    """Levels of functions along a jet of wires; each derivative of a function is a function of the catalogue.

    Parameters
    ----------
    k : Wires
        The kind of number.
    z : Jet
        The argument.
    """

    def __init__(self, k: Any, z: Jet) -> None:
        self.k, self.z = k, z

    def function(self, function: Activation, order: int) -> Value | None:
        """Return one level of σ∘z; None where it is zero."""
        if not function.row.value:
            return None
        if order == 0:
            return self.k.apply(function, self.z.value)
        return euler(self.k, self.z, order, lambda n: self.function(function.differentiated(), n))


class Blocks:
    """The layers of several functions of a network, whose derivatives are to be one layer again.

    Parameters
    ----------
    wiring : Wiring
        The network with room for further nodes.
    network : Network
        The network.
    """

    def __init__(self, wiring: Wiring, network: Network) -> None:
        self._known: dict[Any, tuple[Elementwise, int, int]] = {}
        for node in network.nodes:
            layer, (place, *_) = node.layer, node.inputs
            if isinstance(layer, Elementwise) and layer.only is None:
                for number, (function, i, j) in enumerate(layer.blocks):
                    z = wiring.resolved(Term(1.0, place, np.arange(i, int(j or 0))))
                    self._known.setdefault(_key(function, z), (layer, place, number))

    def get(self, function: Activation, z: Term) -> tuple[Elementwise, int, int] | None:
        """Return a layer whose block a derivative is, the place of its argument and the start of the block."""
        layer, place, number = self._known.get(_key(function, z), (None, 0, 0))
        if layer is None:
            return None
        own, start, _ = layer.blocks[number]
        order = function.row.order - own.row.order
        if order < 0:
            return None
        return Elementwise(tuple((lowest(f.differentiated(order)), n) for f, n in layer.activations)), place, start


def _key(function: Activation, z: Term) -> tuple[Any, ...]:
    """Return what tells a function on some coordinates from others."""
    return function.base, z.factor, z.place, z.entries.tobytes()


def lowest(function: Activation) -> Activation:
    """Return the derivative of lowest order that is the same function: exp for exp'."""
    base, value = function.base, function.row.value
    orders = range(function.row.order + 1)
    return base.differentiated(next(n for n in orders if base.row.derivative(n) == value))


def constant(function: Activation, dtype: np.dtype) -> float | None:
    """Return the value of a constant function, where that is a number of the dtype."""
    terms = dict(function.row.value)
    if set(terms) - {()}:
        return None
    exact = terms.get((), Fraction(0))
    return float(exact) if Fraction(float(dtype.type(float(exact)))) == exact else None
