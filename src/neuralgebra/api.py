"""The public names, by one table each: name -> module:function, imported at first use.

This is the only late binding of the package: `import neuralgebra` costs a millisecond, and what one may ask of a
network becomes a method without `network/` knowing of the storeys above it.
"""

from __future__ import annotations

import copyreg
import functools
import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FUNCTIONS", "METHODS", "TOOLS", "bind", "resolve", "restored"]

METHODS = {
    "__call__": "neuralgebra.calculus.derivatives:value",
    "jacobian": "neuralgebra.calculus.derivatives:jacobian",
    "hessian": "neuralgebra.calculus.derivatives:hessian",
    "derivatives": "neuralgebra.calculus.derivatives:derivatives",
    "hessian_diagonal": "neuralgebra.calculus.derivatives:hessian_diagonal",
    "laplacian": "neuralgebra.calculus.derivatives:laplacian",
    "biharmonic": "neuralgebra.calculus.derivatives:biharmonic",
    "operator": "neuralgebra.calculus.derivatives:operator",
    "jvp": "neuralgebra.calculus.products:jvp",
    "vjp": "neuralgebra.calculus.products:vjp",
    "hvp": "neuralgebra.calculus.products:hvp",
    "taylor": "neuralgebra.calculus.products:taylor",
    "derivative": "neuralgebra.calculus.products:derivative",
    "diff": "neuralgebra.calculus.differentiate:diff",
    "extended": "neuralgebra.calculus.domain:extended",
    "fit_report": "neuralgebra.fitting.fit:fit_report",
    "plan": "neuralgebra.calculus.plans:plan",
    "parameters": "neuralgebra.network.bound:parameters",
    "with_parameters": "neuralgebra.network.bound:with_parameters",
    "parameter_vjp": "neuralgebra.calculus.parameters:parameter_vjp",
    "parameter_jacobian": "neuralgebra.calculus.parameters:parameter_jacobian",
    "formula": "neuralgebra.formula.formula:formula",
    "explain": "neuralgebra.formula.explain:explain",
    "piece": "neuralgebra.formula.pieces:piece",
    "restricted": "neuralgebra.formula.simplify:restricted",
    "fold": "neuralgebra.network.fold:fold",
    "plain": "neuralgebra.algebra.plain:plain",
    "enclose": "neuralgebra.algebra.enclosure:enclose",
    "maximum": "neuralgebra.algebra.extrema:maximum",
    "minimum": "neuralgebra.algebra.extrema:minimum",
    "lipschitz": "neuralgebra.algebra.extrema:lipschitz",
    "certify": "neuralgebra.algebra.claims:certify",
    "antiderivative": "neuralgebra.algebra.integrals:antiderivative",
    "integrate": "neuralgebra.algebra.integrals:integrate",
    "integral": "neuralgebra.algebra.quadrature:integral",
    "normal_form": "neuralgebra.algebra.normal_form:normal_form",
    "same_function": "neuralgebra.algebra.comparison:same_function",
    "matches": "neuralgebra.rewrite.engine:matches",
    "apply": "neuralgebra.rewrite.engine:apply",
    "rewrite": "neuralgebra.rewrite.engine:rewrite",
    "to_additive": "neuralgebra.rewrite.engine:to_additive",
    "to_multiplicative": "neuralgebra.rewrite.engine:to_multiplicative",
    "draw": "neuralgebra.show.diagram:draw",
    "_repr_svg_": "neuralgebra.show.diagram:in_notebook",
    "code": "neuralgebra.code.emit:code",
    "check": "neuralgebra.files.check:check",
    "save": "neuralgebra.files.registry:save",
}

# What a network with weights of another library answers too: questions that reach weights through the kind alone.
NUMERIC = frozenset(
    {
        *("__call__", "jacobian", "hessian", "derivatives", "hessian_diagonal", "laplacian", "biharmonic", "operator"),
        *("jvp", "vjp", "hvp", "taylor", "derivative", "plan"),
        *("parameters", "with_parameters", "parameter_vjp", "parameter_jacobian"),
    }
)

STRUCTURAL = frozenset({"plan", "parameters", "with_parameters"})  # their answers are no arrays

FUNCTIONS = {
    "Activation": "neuralgebra.functions.activation:Activation",
    "Affine": "neuralgebra.network.layers:Affine",
    "Batched": "neuralgebra.network.composed:Batched",
    "BlockDiagonal": "neuralgebra.network.composed:BlockDiagonal",
    "Concatenate": "neuralgebra.network.layers:Concatenate",
    "Conjugate": "neuralgebra.functions.conjugate:Conjugate",
    "Convolution": "neuralgebra.network.convolution:Convolution",
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
    "Product": "neuralgebra.network.composed:Product",
    "Select": "neuralgebra.network.layers:Select",
    "Softmax": "neuralgebra.network.layers:Softmax",
    "Spread": "neuralgebra.network.linear:Spread",
    "Transposed": "neuralgebra.network.composed:Transposed",
    "activation": "neuralgebra.functions.activation:activation",
    "activations": "neuralgebra.functions.activation:registered",
    "conjugate": "neuralgebra.functions.conjugate:conjugate",
    "Adam": "neuralgebra.fitting.adam:Adam",
    "Evolution": "neuralgebra.fitting.evolution:Evolution",
    "LevenbergMarquardt": "neuralgebra.fitting.levenberg:LevenbergMarquardt",
    "Observations": "neuralgebra.fitting.observations:Observations",
    "QuasiNewton": "neuralgebra.fitting.lbfgs:QuasiNewton",
    "Swarm": "neuralgebra.fitting.swarm:Swarm",
    "Regressor": "neuralgebra.fitting.regressor:Regressor",
    "cross_validate": "neuralgebra.fitting.crossvalidation:cross_validate",
    "fit": "neuralgebra.fitting.fit:fit",
    "from_sklearn": "neuralgebra.files.sklearn:from_sklearn",
    "from_torch": "neuralgebra.files.torch:from_torch",
    "load": "neuralgebra.files.registry:load",
    "load_derivation": "neuralgebra.files.derivations:load_derivation",
    "save_derivation": "neuralgebra.files.derivations:save_derivation",
    "load_certificate": "neuralgebra.files.certificates:load_certificate",
    "median": "neuralgebra.algebra.sorting:median",
    "parallel": "neuralgebra.network.combine:parallel",
    "plot_conjugates": "neuralgebra.show.conjugates:plot_conjugates",
    "polynomial": "neuralgebra.algebra.polynomials:polynomial",
    "product": "neuralgebra.algebra.polynomials:product",
    "register": "neuralgebra.functions.custom:register_expression",
    "sorting": "neuralgebra.algebra.sorting:sorting",
    "save_certificate": "neuralgebra.files.certificates:save_certificate",
    "stack": "neuralgebra.network.combine:stack",
}

# Methods of other classes, which become theirs when their module is there: class -> name -> module:function.
LATER = {
    "neuralgebra.rewrite.derivation:Derivation": {
        "draw": "neuralgebra.show.derivation:draw",
        "_repr_svg_": "neuralgebra.show.derivation:svg",
    },
}

# What the command line uses besides.
TOOLS = {
    "box_of_table": "neuralgebra.network.box:box_of_table",
    "box_of_text": "neuralgebra.network.box:box_of_text",
    "derivative_name": "neuralgebra.network.names:derivative",
    "languages": "neuralgebra.code.emit:LANGUAGES",
    "picture_ending": "neuralgebra.show.picture:ending",
    "read_bytes": "neuralgebra.files.registry:read_bytes",
    "FitWarning": "neuralgebra.errors:FitWarning",
    "read_observations": "neuralgebra.fitting.tables:read_observations",
    "read_table": "neuralgebra.files.table:read_table",
    "summary": "neuralgebra.show.summary:summary",
    "summary_text": "neuralgebra.show.summary:summary_text",
    "write_atomic": "neuralgebra.files.atomic:write_atomic",
    "write_table": "neuralgebra.files.table:write_table",
}


def resolve(name: str) -> Any:
    """Return the object of a public name or tool."""
    bind()
    return _target(FUNCTIONS.get(name) or TOOLS[name])


def _target(target: str) -> Any:
    module, name = target.split(":")
    found = getattr(importlib.import_module(module), name)
    for owner in [owner for owner in LATER if owner.split(":")[0] in sys.modules]:
        _complete(owner, LATER.pop(owner))
    return found


def _complete(owner: str, methods: Mapping[str, str]) -> None:
    """Give a class its methods of later storeys."""
    module, name = owner.split(":")
    for method, target in methods.items():
        setattr(getattr(sys.modules[module], name), method, _Foreign(target))


class _Foreign:
    """A method that is looked up where it stands when it is asked for."""

    def __init__(self, target: str) -> None:
        self.target = target

    def __get__(self, instance: Any, owner: type) -> Any:
        function = _target(self.target)
        return function if instance is None else functools.partial(function, instance)


@functools.cache
def bind() -> None:
    """Make every question of the table a method of Network."""
    network = _target(FUNCTIONS["Network"])
    bound = _target("neuralgebra.network.bound:Bound")
    for name in METHODS:
        setattr(network, name, _Late(name))
        if name in NUMERIC:
            setattr(bound, name, _Late(name))
    _target("neuralgebra.network.bound:declare")(_mark)
    copyreg.pickle(network, _reduced)


class _Late:
    """A method that replaces itself by one that asks the function of the table, when it is first looked up."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        setattr(owner, self.name, _method(self.name))
        return getattr(owner if instance is None else instance, self.name)


_ANSWERS: dict[str, Callable[..., Any]] = {}
_LOOKING: dict[str, Callable[..., Any]] = {}
"""Answers that depend on the numbers received: a compiler leaves them out of its graphs."""


def _answer(name: str) -> Callable[..., Any]:
    if name not in _ANSWERS:
        _ANSWERS[name] = _target(METHODS[name])
    return _ANSWERS[name]


def _method(name: str) -> Callable[..., Any]:
    """Return a method that asks whatever stands in the table when it is called."""
    if name not in NUMERIC:
        return _answer(name)

    @functools.wraps(_answer(name))
    def method(self: Any, *arguments: Any, **options: Any) -> Any:
        answers = _LOOKING if _LOOKING and options.get("kinks") == "raise" else _ANSWERS
        return answers[name](self, *arguments, **options)

    return method


def _mark(inside: Callable[..., Any], outside: Callable[..., Any]) -> None:
    """Mark the numeric questions for a compiler: those whose answers are arrays, and the others."""
    for name in NUMERIC:
        _LOOKING[name] = outside(_answer(name), reason='kinks="raise" looks at numbers')
        _ANSWERS[name] = (outside if name in STRUCTURAL else inside)(_answer(name))
        for owner in (FUNCTIONS["Network"], "neuralgebra.network.bound:Bound"):
            setattr(_target(owner), name, _method(name))


def _reduced(network: Any) -> tuple[Any, ...]:
    return restored, network.parts()


def restored(nodes: Any, output: int, size: int, remarks: dict[str, Any]) -> Any:
    """Return the network that was pickled from these parts."""
    return resolve("Network").restored(nodes, output, size, remarks)
