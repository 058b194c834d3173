"""Networks as plain layers (A₁, b₁), …, (A_L, b_L) with one activation between them.

What is exact is found first: functions that are sums of neurons of the activation, products of the cosine and
exponential families, values handed on by identity neurons. The rest is approximated by gates, on a box, within a
tolerance.
"""

from __future__ import annotations

import contextlib
import functools
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.algebra.assembly import ULPS, Assembled
from neuralgebra.algebra.certificate import Certificate, Execution
from neuralgebra.algebra.certified import Certified
from neuralgebra.algebra.compiler import Compiler
from neuralgebra.algebra.elementary import elementary
from neuralgebra.algebra.same_depth import sums_of
from neuralgebra.errors import DtypeError, InputError, NotCertifiedError, ResourceError, UsageError, shown
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.activation import activation as named
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.layers import Elementwise
from neuralgebra.network.network import Network

__all__ = ["Plain", "plain"]


@dataclass(frozen=True)
class Plain(Certified):
    """A plain network, affine layers with one activation between them, with what is proven of its distance from f.

    Parameters
    ----------
    network : Network
        The layers.
    certificate : Certificate or None
        About the real numbers; None where no box was given.
    execution : Certificate or None
        About any execution in the dtype of the network.
    reference : Network
        f, the network that it stands for.
    """

    def layers_list(self) -> list[tuple[np.ndarray, np.ndarray | None]]:
        """Return the pairs (A₁, b₁), …, (A_L, b_L), each A of shape (out, in)."""
        return self.network.layers_list()

    @property
    def neurons(self) -> int:
        """The number of hidden neurons."""
        return sum(len(weight) for weight, _ in self.layers_list()[:-1])

    @property
    def depth(self) -> int:
        """The number of hidden layers."""
        return len(self.layers_list()) - 1


def plain(
    network: Network,
    activation: str | Activation | None = None,
    domain: Any = None,
    tol: float | None = None,
    *,
    dtype: Any = None,
    objective: str = "parameters",
) -> Plain:
    """Return the network as plain layers with one activation between them.

    y = A_L σ(… σ(A₁ x + b₁) …) + b_L

    Parameters
    ----------
    network : Network
        f.
    activation : str or Activation, optional
        σ; by default the only one that f has.
    domain : sequence of (float, float), or mapping of str to them, optional
        Lowest and highest value of each input. Without it only what is exact everywhere is done.
    tol : float, optional
        What the error of no output may exceed anywhere in the domain, for any execution in the dtype.
    dtype : {"float32", "float64"}, optional
        Of the weights; by default that of f.
    objective : {"parameters", "neurons", "depth"}
        What products in relu are to have few of; a product alone has fewest, inside of networks it is a guide. With
        "depth" products of neurons are sums of neurons where the tolerance allows, in no layer of their own.

    Returns
    -------
    Plain
        With ``.network``, ``.layers_list()``, ``.certificate`` and ``.execution``.

    Raises
    ------
    InputError
        For a range without a width, and a tolerance that is no positive number.
    UnsupportedError
        When f has several activations and none is given, or when something is not exact and no domain is given.
    NotCertifiedError
        When the tolerance cannot be reached.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1.0]], [0.5]), ([[2.0]], None)], "cos")
    >>> (f * f).plain().layers_list()
    [(array([[2.]]), array([1.])), (array([[2.]]), array([2.]))]
    """
    box = None if domain is None else _domain(network, domain)
    _check_tolerance(tol, box)
    if objective not in _OBJECTIVES:
        raise UsageError(f"objective={shown(repr(objective))} received; one of {', '.join(_OBJECTIVES)} expected.")
    function = _activation(network, activation)
    number = _dtype(network, dtype)
    compile_ = functools.partial(Compiler, network, function, box, number, tol, objective)
    made = compile_().run() if objective != "depth" or tol is None else _shallow(compile_, network, function, box, tol)
    return _result(network, function, box, made, number)


def _shallow(
    compile_: Callable[..., Compiler], network: Network, function: Activation, box: Box | None, tol: float
) -> Assembled:
    """Return the layers in which products of neurons are sums of neurons, if the tolerance allows, else any."""
    assert box is not None
    for candidate in sums_of(elementary(network), function, box, tol):
        with contextlib.suppress(NotCertifiedError, ResourceError):
            return compile_(candidate).run()
    return compile_().run()


def _domain(network: Network, domain: Any) -> Box:
    """Return the box that is passed, each range of which has a width."""
    box = box_of(network, domain)
    for name, low, high in zip(network.input_names, box.low, box.high, strict=True):
        if low == high:
            raise InputError(
                f"range ({low!r}, {high!r}) of {shown(name)!r} received; a width above 0 expected.\n"
                "An input that never changes is a constant: put it into the network by f @ g."
            )
    return box


def _check_tolerance(tol: Any, box: Box | None) -> None:
    if tol is None:
        return
    if isinstance(tol, bool) or not isinstance(tol, numbers.Real) or not 0 < float(tol) < math.inf:
        raise InputError(f"tol={shown(repr(tol))} received; a positive number expected.")
    if box is None:
        raise UsageError(f"tol={tol!r} without a domain received; domain= expected, on which the error is bounded.")


def _dtype(network: Network, dtype: Any) -> np.dtype:
    try:
        found = np.dtype(network.dtype if dtype is None else dtype)
    except TypeError:
        found = np.dtype(object)
    if found not in (np.float32, np.float64):
        raise DtypeError(f"dtype={shown(repr(dtype))} received; float32 or float64 expected.")
    return found


_OBJECTIVES = ("parameters", "neurons", "depth")
_BESIDE = ("identity", "square")  # what powers of networks are made of


def _activation(network: Network, given: str | Activation | None) -> Activation:
    """Return the activation that is asked for, or the only one of a network."""
    if given is not None:
        if not isinstance(given, str | Activation):
            raise UsageError(f"activation={shown(repr(given))} received; a name or an Activation expected.")
        return named(given) if isinstance(given, str) else given
    layers = [node.layer for node in network.nodes]
    every = {f: None for layer in layers if isinstance(layer, Elementwise) for f, _ in layer.activations}
    found: list[Activation] = [f for f in every if f.name not in _BESIDE] or list(every)
    if {f.name for f in found} == {"sin", "cos"}:
        found = [f for f in found if f.name == "cos"]
    if len(found) != 1:
        have = f"the activations {shown(', '.join(map(str, found)))}" if found else "no activation"
        raise UsageError(
            f"a network with {have} received; which one the layers are to have must be said: activation=…."
        )
    return found[0]


def _result(network: Network, function: Activation, box: Box | None, made: Assembled, dtype: np.dtype) -> Plain:
    plain = Network.from_layers(
        made.layers,
        function,
        input_names=network.input_names,
        output_names=network.output_names,
        input_shape=network.input_shape,
        output_shape=network.output_shape,
    )
    if box is None:
        return Plain(plain, None, None, network)
    real, executed = (
        Certificate(_upwards(bounds), box, plain.digest.hex(), network.digest.hex(), execution)
        for bounds, execution in ((made.error, None), (made.executed, Execution(dtype.name, ULPS)))
    )
    return Plain(plain, real, executed, network)


def _upwards(bounds: np.ndarray) -> tuple[float, ...]:
    found = np.where(bounds == 0, 0.0, np.nextafter(bounds, np.inf))
    return tuple(np.where(np.isnan(found), np.inf, found).tolist())
