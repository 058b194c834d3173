"""Live PyTorch modules: what their forward() does to one sample, traced by torch.fx.

A tracer of PyTorch writes down which modules and functions a forward() calls; each is looked up in a table. Nothing is
guessed: what is not in the table is refused, and so is what a trace cannot see (hooks, operations in place on values
that are used again, training mode). The weights are copied.
"""

from __future__ import annotations

import contextlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, NeuralgebraError, UnsupportedError, UsageError, shown
from neuralgebra.files import limits
from neuralgebra.files.tape import Tape, Tensor
from neuralgebra.files.torch_calls import ALIASES, MODULES, call
from neuralgebra.files.torch_layers import ACTIVATIONS
from neuralgebra.files.torch_rounding import expectation
from neuralgebra.files.torch_values import Batch
from neuralgebra.network.network import Network

__all__ = ["from_torch"]

# Wrappers whose own forward() adds nothing -> the attribute that holds the module.
WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}
# Class -> the attribute that is the number of inputs, where the sample is one vector.
SIZED = {"Linear": "in_features", "BatchNorm1d": "num_features"}
KEEP_SIZE = frozenset([*ACTIVATIONS, "dropout", "identity", "flatten", "softmax", "log_softmax", "softmin"])
IN_PLACE = frozenset({"iadd", "isub", "imul", "itruediv"})
SHAPING = frozenset({"getitem", "reshape", "view"})  # what may use the number of samples
HOOKS = ("_forward_hooks", "_forward_pre_hooks")


def from_torch(
    module: Any,
    *,
    input_shape: int | Sequence[int] | None = None,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> Network:
    """Return a live PyTorch module as a network.

    Parameters
    ----------
    module : torch.nn.Module
        A module in evaluation mode: ``Sequential``, nested modules, or one with its own forward() made of linear and
        convolutional layers, normalisation, pooling, the activations of the catalogue, arithmetic, ``cat`` and
        reshaping. Its parameters are float32 or float64, and stay so.
    input_shape : int or sequence of int, optional
        Shape of one sample, without the batch axis. It may be left out where the first layer tells it.
    input_names, output_names : sequence of str, optional
        Names of the coordinates.

    Returns
    -------
    Network
        The function x ↦ module(x) of one sample, flattened row-major. ``Softplus`` is the exact function, where
        PyTorch changes to the identity above its threshold: a difference of at most 2.1e-9; where the threshold is so
        low that it would be more, the module is refused.

    Raises
    ------
    UsageError
        For what is no module.
    UnsupportedError
        For a module in training mode, an unknown layer or function, a forward() that branches on values, or one whose
        results change from call to call; the message names it. The module is called twice, and traced twice.
    InputError
        For weights with NaN or infinity, shapes that do not fit, or an input shape that has to be given.

    Examples
    --------
    >>> import torch  # doctest: +SKIP
    >>> from_torch(torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh()))  # doctest: +SKIP
    <Network 3 → 5: Affine 3→5 · tanh; 20 parameters, float32>
    """
    module = _unwrapped(module)
    root, graph = _traced(module)
    nodes = list(graph.nodes)
    limits.check("NODES", len(nodes), "operations of the module")
    shape = _shape(nodes, root, input_shape)
    reading = _Reading(root, Tape(_size(shape), _dtype(module)), shape)
    output = reading.run(nodes)
    builder = reading.tape.builder
    network = Network(
        builder.nodes,
        output.place,
        builder.sizes[0],
        input_names=input_names,
        output_names=output_names,
        input_shape=shape if len(shape) > 1 else None,
        output_shape=output.shape if len(output.shape) > 1 else None,
    )
    _verify(module, network, shape, reading.tape)
    _check_same(module, root, graph)
    return network


def _unwrapped(module: Any) -> Any:
    while type(module).__name__ in WRAPPERS and _is_module(module):
        module = getattr(module, WRAPPERS[type(module).__name__])
    if not _is_module(module):
        raise UsageError(
            f"{shown(type(module).__name__)} received; a live torch.nn.Module expected.\n"
            "A state_dict or a file has no forward(): build the module and load the weights into it first."
        )
    return module


def _is_module(module: Any) -> bool:
    return any(c.__name__ == "Module" and c.__module__ == "torch.nn.modules.module" for c in type(module).__mro__)


# Tracing ------------------------------------------------------------------------------------------------------------


def _traced(module: Any) -> tuple[Any, Any]:
    """Return a root module and the graph of its operations; the module itself is its child "0"."""
    import torch
    import torch.fx

    root = torch.nn.Sequential(module)
    root.training = module.training
    try:
        return root, _tracer(torch.fx).trace(root)
    except Exception as error:  # it runs the user's forward()
        raise UnsupportedError(
            f"forward() of {shown(type(module).__name__)} cannot be traced: {shown(error, 200)}.\n"
            "One tensor in, one tensor out, and no branches that depend on values are expected."
        ) from error


def _tracer(fx: Any) -> Any:
    """Return a tracer that looks into every module but PyTorch's own layers.

    Its values record augmented assignment, which the usual ones mistake for plain arithmetic.
    """
    recorders = {f"__{name}__": _recorder(getattr(operator, name)) for name in IN_PLACE}
    proxy = type("Proxy", (fx.Proxy,), recorders)
    methods = {"proxy": lambda self, node: proxy(node, self), "is_leaf_module": lambda self, m, name: _is_leaf(m)}
    return type("Tracer", (fx.Tracer,), methods)()


def _recorder(target: Any) -> Callable[..., Any]:
    return lambda self, other: self.tracer.create_proxy("call_function", target, (self, other), {})


def _is_leaf(module: Any) -> bool:
    """Return whether a module is a layer of PyTorch itself, to be looked up and not into."""
    kind = type(module)
    return kind.__module__.startswith("torch.nn.modules.") and not kind.__module__.endswith(".container")


# Shapes -------------------------------------------------------------------------------------------------------------


def _shape(nodes: Sequence[Any], root: Any, given: Any) -> tuple[int, ...]:
    if given is None:
        return (_inferred(nodes[0], root),)
    shape = tuple(given) if isinstance(given, Iterable) else (given,)
    if not shape or not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
        raise InputError(f"input_shape={shown(given)} received; positive integers expected.")
    return tuple(int(n) for n in shape)


def _size(shape: tuple[int, ...]) -> int:
    size = int(np.prod(np.array(shape, dtype=object)))
    limits.check("COORDINATES", size, "input_shape: coordinates")
    return size


def _inferred(start: Any, root: Any) -> int:
    """Return the number of inputs that the first layer with a size states, if only functions that keep it precede."""
    front, seen = [start], {start}
    while front:
        for user in front.pop(0).users:
            module = root.get_submodule(user.target) if user.op == "call_module" else None
            kind = type(module).__name__
            if kind in SIZED:
                return int(getattr(module, SIZED[kind]))
            name = MODULES[kind][0] if kind in MODULES else _name(user.target)
            if name in KEEP_SIZE and user not in seen:
                seen.add(user)
                front.append(user)
    raise InputError(
        "the number of inputs does not follow from the module.\n"
        "Pass input_shape, the shape of one sample, such as input_shape=3 or input_shape=(1, 28, 28)."
    )


def _name(target: Any) -> str:
    return target if isinstance(target, str) else str(getattr(target, "__name__", target))


def _dtype(module: Any) -> Any:
    """Return the floating dtype of the parameters and buffers; float64 where there are none."""
    names = {str(t.dtype) for t in [*module.parameters(), *module.buffers()] if t.is_floating_point()}
    known = {"torch.float32": np.float32, "torch.float64": np.float64}
    if len(names) > 1:
        raise UnsupportedError(f"parameters of {', '.join(sorted(names))} received; one dtype expected.")
    return known.get(names.pop(), np.float64) if names else np.float64


# Reading ------------------------------------------------------------------------------------------------------------


class _Reading:
    """Follows the graph and draws each operation."""

    def __init__(self, root: Any, tape: Tape, shape: tuple[int, ...]) -> None:
        self.root, self.tape = root, tape
        self.input: Tensor | None = Tensor(0, shape)
        self.values: dict[Any, Any] = {}

    def run(self, nodes: Sequence[Any]) -> Tensor:
        for node in nodes:
            where = f"{shown(_name(node.target).removeprefix('0.'))} ({node.op})"
            try:
                self.values[node] = getattr(self, f"_{node.op}")(node)
            except NeuralgebraError as error:
                raise type(error)(f"{where}: {error}") from None
            except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
                raise UnsupportedError(f"{where}: {shown(error)}; such arguments are not covered.") from error
        result: Tensor = self.values[nodes[-1]]
        return result

    def _of(self, arguments: Any) -> Any:
        """Return arguments with the nodes in them replaced by their values."""
        if isinstance(arguments, tuple | list):
            return type(arguments)([self._of(a) for a in arguments])
        if isinstance(arguments, dict):
            return {name: self._of(a) for name, a in arguments.items()}
        if isinstance(arguments, slice):
            return slice(self._of(arguments.start), self._of(arguments.stop), self._of(arguments.step))
        return self.values.get(arguments, arguments) if hasattr(arguments, "users") else arguments

    def _placeholder(self, node: Any) -> Tensor:
        if self.input is None:
            raise UnsupportedError("a second input received; one tensor expected.")
        result, self.input = self.input, None
        return result

    def _get_attr(self, node: Any) -> Any:
        value = self.root
        for part in node.target.split("."):
            value = getattr(value, part)
        return value

    def _call_module(self, node: Any) -> Any:
        module = self.root.get_submodule(node.target)
        name, attributes = _module(module)
        if getattr(module, "inplace", False):
            _check_alone(node, self.root)
        given = {a: getattr(module, a) for a in attributes}
        return self._called(name, module, self._of(node.args), {**self._of(node.kwargs), **given})

    def _call_function(self, node: Any) -> Any:
        name, args, kwargs = _name(node.target), self._of(node.args), self._of(node.kwargs)
        origin = str(getattr(node.target, "__module__", None)).split(".")[0]
        if origin not in ("torch", "_operator", "builtins"):
            raise UnsupportedError(
                f"function {shown(name)} of {shown(origin)} received; functions of PyTorch expected."
            )
        if name in IN_PLACE or kwargs.get("inplace"):
            _check_alone(node, self.root)
        return self._called(name, node.target, args, kwargs)

    def _call_method(self, node: Any) -> Any:
        if node.target.endswith("_"):
            _check_alone(node, self.root)
        method = operator.methodcaller(node.target, *self._of(node.args[1:]), **self._of(node.kwargs))
        return self._called(node.target, method, self._of(node.args), self._of(node.kwargs))

    def _called(self, name: str, itself: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Return the result by the table; what does not depend on the input is left to PyTorch."""
        if name not in SHAPING and any(isinstance(a, Batch) for a in (*args, *kwargs.values())):
            raise UnsupportedError("arithmetic with the number of samples received; a network has no such number.")
        if not _depends((args, kwargs)):
            return itself(args[0]) if isinstance(itself, operator.methodcaller) else itself(*args, **kwargs)
        return call(name, self.tape, *_constants(args), **_constants(kwargs))

    def _output(self, node: Any) -> Tensor:
        result = self._of(node.args)[0]
        if not isinstance(result, Tensor):
            raise UnsupportedError(f"{shown(type(result).__name__)} returned; one tensor expected.")
        return result


def _depends(arguments: Any) -> bool:
    """Return whether some argument depends on the input of the network."""
    if isinstance(arguments, tuple | list):
        return any(map(_depends, arguments))
    return _depends(tuple(arguments.values())) if isinstance(arguments, dict) else isinstance(arguments, Tensor)


def _constants(arguments: Any) -> Any:
    """Return arguments with the tensors of PyTorch in them as NumPy arrays."""
    if isinstance(arguments, tuple | list):
        return type(arguments)([_constants(a) for a in arguments])
    if isinstance(arguments, dict):
        return {name: _constants(a) for name, a in arguments.items()}
    return _array(arguments) if hasattr(arguments, "detach") else arguments


def _module(module: Any) -> tuple[str, tuple[str, ...]]:
    """Return the row of the table for a layer; refuse one that was changed from outside."""
    kind = type(module).__name__
    if kind not in MODULES:
        raise UnsupportedError(f"layer {shown(kind)} received.\nLayers that are covered: {', '.join(sorted(MODULES))}.")
    if "forward" in vars(module) or any(getattr(module, hooks, None) for hooks in HOOKS):
        raise UnsupportedError(
            f"layer {shown(kind)} with hooks or a replaced forward() received; a trace does not see them.\n"
            "Remove them first (weight_norm and spectral_norm: torch.nn.utils.remove_weight_norm, …)."
        )
    return MODULES[kind]


def _check_alone(node: Any, root: Any) -> None:
    """Refuse an operation in place on a value, or the memory of one, that is used elsewhere too."""
    source = node.args[0]
    while hasattr(source, "users"):
        if len(source.users) > 1 or source.op == "get_attr":
            raise UnsupportedError(
                "an operation in place on a value that is used again received.\n"
                "Use inplace=False, and x = x + y for x += y."
            )
        if not _shares_memory(source, root):
            return
        source = source.args[0]


def _shares_memory(node: Any, root: Any) -> bool:
    """Return whether the result of an operation may be the memory of its argument."""
    if node.op == "call_module":
        module = root.get_submodule(node.target)
        name = MODULES.get(type(module).__name__, ("",))[0]
        return name in ALIASES or bool(getattr(module, "inplace", False))
    name = _name(node.target)
    in_place = name in IN_PLACE or name.endswith("_") or bool(node.kwargs.get("inplace"))
    return node.op in ("call_function", "call_method") and (name in ALIASES or in_place)


def _array(value: Any) -> np.ndarray:
    """Return a tensor of PyTorch as a NumPy array."""
    name = str(value.dtype)
    if value.is_meta or str(value.layout) != "torch.strided":
        raise UnsupportedError("a sparse tensor, or one without values (meta device), received.")
    if name in ("torch.float16", "torch.bfloat16"):
        raise UnsupportedError(f"weights of {name} received; float32 or float64 expected.\nCall module.float() first.")
    if name not in ("torch.float32", "torch.float64", "torch.int64", "torch.int32"):
        raise UnsupportedError(f"a tensor of {name} received; float32 or float64 expected.")
    array: np.ndarray = value.detach().cpu().numpy()
    return array


# Verifying ----------------------------------------------------------------------------------------------------------


def _verify(module: Any, network: Network, shape: tuple[int, ...], tape: Tape) -> None:
    """Refuse a module that gives other values than its trace, or another value at each call."""
    points = np.random.default_rng(0).normal(size=(3, network.input_size)).astype(tape.dtype)
    first, second = (_outputs(module, points.reshape(3, *shape)) for _ in range(2))
    if first.tobytes() != second.tobytes():
        raise _changing(module, "gives other values at each call")
    expected, tolerance = expectation(network, points, tape.thresholds)
    if first.size != expected.size or not _close(first.reshape(3, -1), expected, tolerance):
        raise _changing(module, "gives other values than its operations say, one by one")


def _outputs(module: Any, points: np.ndarray) -> np.ndarray:
    import torch

    sample = next(module.parameters(), torch.zeros(0))
    try:
        with torch.no_grad(), _full_precision(torch):
            output: np.ndarray = module(torch.asarray(points.copy(), device=sample.device)).cpu().numpy()
    except Exception as error:  # it runs the user's forward()
        raise UnsupportedError(
            f"{shown(type(module).__name__)} cannot be called on {len(points)} samples of shape {points.shape[1:]}: "
            f"{shown(error, 200)}.\nA forward() for any number of samples expected."
        ) from error
    return output


@contextlib.contextmanager
def _full_precision(torch: Any) -> Iterator[None]:
    """Switch off what a GPU may do to be quick: TF32, and sums in any order."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def _close(found: np.ndarray, expected: np.ndarray, tolerance: np.ndarray) -> bool:
    """Return whether values are the same up to rounding, where they are finite."""
    known = np.isfinite(expected) & np.isfinite(found) & np.isfinite(tolerance)
    return bool(np.all(np.abs(found[known] - expected[known]) <= tolerance[known]))


def _check_same(module: Any, root: Any, graph: Any) -> None:
    """Refuse a module that has another trace, or other constants in it, the second time."""
    root_again, again = _traced(module)
    constants = [node.target for node in graph.nodes if node.op == "get_attr"]
    if str(graph) != str(again) or not all(_is_same(root, root_again, target) for target in constants):
        raise _changing(module, "does other operations at each call")


def _is_same(a: Any, b: Any, target: str) -> bool:
    """Return whether an attribute of two modules is one object, or the same bits."""
    a, b = (operator.attrgetter(target)(root) for root in (a, b))
    return a is b or bool(a.dtype == b.dtype and a.cpu().numpy().tobytes() == b.cpu().numpy().tobytes())


def _changing(module: Any, does: str) -> UnsupportedError:
    return UnsupportedError(
        f"{shown(type(module).__name__)} {does}.\n"
        "It has a random part, a state that changes, or code that a trace does not see: rewrite its forward()."
    )
