"""Questions that one may ask of a network, bound as methods by one table: name -> module:function.

The function is imported when it is first used, so that `import neuralgebra` stays quick.
"""

from __future__ import annotations

import importlib
from typing import Any

from neuralgebra.network.network import Network

__all__ = ["FUNCTIONS", "METHODS", "bind", "resolve"]

METHODS = {
    "__call__": "neuralgebra.calculus.derivatives:value",
    "jacobian": "neuralgebra.calculus.derivatives:jacobian",
    "hessian": "neuralgebra.calculus.derivatives:hessian",
    "formula": "neuralgebra.formula.formula:formula",
    "fold": "neuralgebra.network.fold:fold",
    "check": "neuralgebra.files.check:check",
    "save": "neuralgebra.files.registry:save",
}

FUNCTIONS = {
    "Activation": "neuralgebra.functions.activation:Activation",
    "Affine": "neuralgebra.network.layers:Affine",
    "BlockDiagonal": "neuralgebra.network.linear:BlockDiagonal",
    "Concatenate": "neuralgebra.network.layers:Concatenate",
    "Convolution": "neuralgebra.network.linear:Convolution",
    "Dense": "neuralgebra.network.linear:Dense",
    "Diagonal": "neuralgebra.network.linear:Diagonal",
    "Elementwise": "neuralgebra.network.layers:Elementwise",
    "Kronecker": "neuralgebra.network.linear:Kronecker",
    "Maximum": "neuralgebra.network.layers:Maximum",
    "Mixing": "neuralgebra.network.layers:Mixing",
    "Multiply": "neuralgebra.network.layers:Multiply",
    "Network": "neuralgebra.network.network:Network",
    "Node": "neuralgebra.network.builder:Node",
    "PowerProduct": "neuralgebra.network.layers:PowerProduct",
    "Select": "neuralgebra.network.layers:Select",
    "Softmax": "neuralgebra.network.layers:Softmax",
    "activation": "neuralgebra.functions.activation:activation",
    "activations": "neuralgebra.functions.activation:registered",
    "from_sklearn": "neuralgebra.files.sklearn:from_sklearn",
    "from_torch": "neuralgebra.files.torch:from_torch",
    "load": "neuralgebra.files.registry:load",
    "parallel": "neuralgebra.network.combine:parallel",
    "register": "neuralgebra.functions.custom:register_expression",
    "stack": "neuralgebra.network.combine:stack",
}


def resolve(target: str) -> Any:
    """Return the object that "module:name" stands for."""
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


class _Late:
    """A method that replaces itself by the function of the table when it is first looked up."""

    def __init__(self, name: str, target: str) -> None:
        self.name, self.target = name, target

    def __get__(self, instance: Any, owner: type) -> Any:
        function = resolve(self.target)
        setattr(owner, self.name, function)
        return getattr(owner if instance is None else instance, self.name)


def bind() -> None:
    """Make every question of the table a method of Network."""
    for name, target in METHODS.items():
        setattr(Network, name, _Late(name, target))
