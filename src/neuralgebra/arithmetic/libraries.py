"""What PyTorch and JAX have of their own: accurate functions, stated derivatives, and what their transformations ask.

The one file of the core that imports them, and only where an array of theirs has come or they are there already.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import ModuleSpec
from typing import Any

import numpy as np

from neuralgebra.arithmetic.kind import Value

__all__ = [
    "accurate_functions",
    "custom_derivative",
    "declare_pytree",
    "declare_questions",
    "is_tracer",
    "returned",
    "shared",
]

Differentiable = Callable[[Value], Value]
Flatten = Callable[[Any], tuple[Iterable[tuple[str, Any]], Any]]
Unflatten = Callable[[Any, Iterable[Any]], Any]


@functools.cache
def accurate_functions(library: str) -> dict[str, Callable[..., Any]]:
    """Return functions that the array API lacks, or that not every library computes well."""
    if library == "torch":
        import torch

        return {"erf": torch.special.erf, "tanh": torch.tanh, "atanh": torch.atanh}  # sinh, cosh overflow early
    if library == "jax":
        import jax

        def log1p(x: Value) -> Value:
            """Return log(1 + x); XLA's has half of the digits near -0.41."""
            u = 1 + x
            return jax.numpy.where(x < -0.25, jax.numpy.log(u) * (x / (u - 1)), jax.numpy.log1p(x))

        own = {"sinh": jax.numpy.sinh, "cosh": jax.numpy.cosh, "log1p": log1p}
        return {"erf": jax.scipy.special.erf, **own}
    if library != "numpy":
        return {}
    import scipy.special

    numpys = {"tanh": np.tanh, "atanh": np.arctanh, "sinh": np.sinh, "cosh": np.cosh}
    return {"erf": scipy.special.erf, **numpys}


@functools.cache
def custom_derivative(library: str) -> Callable[[Differentiable, Differentiable, Value], Value] | None:
    """Return (function, slope, x) -> function(x) with that derivative, for libraries that differentiate."""
    if library == "jax":
        import jax

        def attach(function: Differentiable, slope: Differentiable, x: Value) -> Value:
            stated = jax.custom_jvp(function)
            stated.defjvp(lambda at, along: (stated(*at), slope(*at) * along[0]))
            return stated(x)

        return attach
    if library == "torch":
        import torch

        class Stated(torch.autograd.Function):  # type: ignore[misc]
            generate_vmap_rule = True

            @staticmethod
            def forward(x: Any, function: Any, slope: Any) -> Any:
                del slope
                return function(x)

            @staticmethod
            def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
                del output
                ctx.save_for_backward(inputs[0])
                ctx.save_for_forward(inputs[0])
                ctx.slope = inputs[2]

            @staticmethod
            def backward(ctx: Any, gradient: Any) -> Any:
                return gradient * ctx.slope(ctx.saved_tensors[0]), None, None

            @staticmethod
            def jvp(ctx: Any, along: Any, *_: Any) -> Any:
                ahead = torch.autograd.forward_ad
                with ahead._set_fwd_grad_enabled(True):  # an outer forward mode differentiates what this one computes
                    return ctx.slope(ahead.unpack_dual(ctx.saved_tensors[0]).primal) * along

        return lambda function, slope, x: Stated.apply(x, function, slope)
    return None


def is_tracer(library: str, x: Any) -> bool:
    """Return whether x is an array whose numbers are not known, under a transformation of its library."""
    if library == "torch":
        import torch

        return bool(torch._is_functional_tensor(x)) or isinstance(x, torch._subclasses.FakeTensor)
    if library == "jax":
        import jax

        return isinstance(x, jax.core.Tracer)
    return False


def shared(library: str, x: Any) -> np.ndarray | None:
    """Return the memory of an array as one of NumPy, if it is in that of the processor and stands for itself alone."""
    if library == "torch":
        import torch

        # Of subclasses, of tensors that are traced and of those with derivatives, numbers are not all that is wanted.
        plain = type(x) is torch.Tensor and x.device.type == "cpu" and not x.requires_grad
        traced = (
            torch._is_functional_tensor(x)
            or torch.jit.is_tracing()
            or torch.utils._python_dispatch.is_in_torch_dispatch_mode()
        )
        if not plain or traced or torch.autograd.forward_ad.unpack_dual(x).tangent is not None:
            return None
        try:
            return x.numpy()  # type: ignore[no-any-return]
        except RuntimeError:  # under torch.func
            return None
    if library == "jax" and not is_tracer(library, x) and [d.platform for d in x.sharding.device_set] == ["cpu"]:
        return np.asarray(x)
    return None


def returned(library: str, result: np.ndarray, device: Any) -> Any:
    """Return an array of NumPy that nobody else holds as one of another library, on a device."""
    if library == "torch":
        import torch

        return torch.from_numpy(result)
    import jax

    return jax.device_put(result, device)


# What their transformations ask ------------------------------------------------------------------------------------


class _Arrival:
    """Calls a function when a module has been imported, now or later: a finder that finds nothing itself.

    Parameters
    ----------
    module : str
        Its name.
    call : callable
        () -> None.
    """

    def __init__(self, module: str, call: Callable[[], None]) -> None:
        self.module, self.call = module, call
        if module in sys.modules:
            call()
        else:
            sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where the other finders find the module, with a loader that calls the function after loading."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def loaded(module: Any) -> None:
                load(module)
                self.call()

            spec.loader.exec_module = loaded  # type: ignore[method-assign]
        return spec


def declare_pytree(cls: type, flatten: Flatten, unflatten: Unflatten) -> None:
    """Make a class a pytree of JAX, as soon as JAX is there.

    Parameters
    ----------
    cls : type
        The class.
    flatten : callable
        object -> ((name, leaf) …), structure.
    unflatten : callable
        (structure, leaves) -> object.
    """

    def register() -> None:
        import jax

        def with_keys(thing: Any) -> tuple[Any, Any]:
            leaves, structure = flatten(thing)
            return [(jax.tree_util.DictKey(name), leaf) for name, leaf in leaves], structure

        jax.tree_util.register_pytree_with_keys(cls, with_keys, unflatten)

    _Arrival("jax", register)


def declare_questions(constant: type, bound: type, parts: Sequence[str], mark: Callable[..., None]) -> None:
    """Make questions steps of the graphs of torch.compile, traced by calling them, as soon as it is there.

    Parameters
    ----------
    constant : type
        A class of objects that are constants of such a graph.
    bound : type
        A class of objects that hold tensors.
    parts : sequence of str
        Attributes of these objects that are passed when they are made: constants, tensors, tuples of them.
    mark : callable
        (inside, outside) -> None, called with two decorators: for functions that are steps, and for those that give no
        tensors, where a graph ends.
    """

    def register() -> None:
        import torch

        tree, reason = torch.utils._pytree, "it gives no tensors: call it before the function that is compiled"
        tree.register_constant(constant)
        tree.register_pytree_node(
            bound, lambda thing: ([getattr(thing, part) for part in parts], None), lambda values, _: bound(*values)
        )
        mark(torch._dynamo.nonstrict_trace, functools.partial(torch.compiler.disable, reason=reason))

    _Arrival("torch._dynamo", register)
