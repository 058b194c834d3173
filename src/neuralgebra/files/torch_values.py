"""What the functions of PyTorch work on while a module is read, and the checks they share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuralgebra.errors import ShapeError, UnsupportedError, shown
from neuralgebra.files.tape import Tensor

__all__ = [
    "Batch",
    "axis_of",
    "check_eval",
    "check_numbers",
    "each",
    "image",
    "part",
    "per_channel",
    "refuse",
    "tensor",
]


class Batch(int):
    """The number of samples: it may shape a tensor, and nothing else, since a network has no such number."""


def tensor(value: Any) -> Tensor:
    """Return a value that must depend on the input of the network."""
    if not isinstance(value, Tensor):
        raise UnsupportedError(f"{shown(type(value).__name__)} received; a value that depends on the input expected.")
    return value


def axis_of(x: Tensor, dim: Any) -> int:
    """Return a position among the axes of a sample from one that counts the batch axis; that one is refused."""
    rank = len(x.shape) + 1
    if type(dim) is not int or not -rank <= dim < rank or dim % rank == 0:
        raise UnsupportedError(
            f"dim={shown(dim)} received for a batch of samples of shape {x.shape}; 1 to {rank - 1} expected."
        )
    return dim % rank - 1


def image(input: Any, rank: int) -> Tensor:
    """Return a tensor that must have channels and so many axes of space."""
    x = tensor(input)
    if len(x.shape) != rank + 1:
        raise ShapeError(
            f"a sample of shape {x.shape} received; channels and {rank} axes expected.\n"
            "Pass input_shape, the shape of one sample, to from_torch."
        )
    return x


def each(value: Any, rank: int) -> tuple[Any, ...]:
    """Return one value for each axis."""
    if not isinstance(value, tuple | list):
        return (value,) * rank
    return tuple(value) * (rank if len(value) == 1 else 1)


def part(axis: int, ends: Any, number: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return the action that takes one part of an array split along an axis."""
    return lambda array: np.split(array, ends, axis)[number]


def per_channel(values: np.ndarray, x: Tensor) -> np.ndarray:
    """Return one value for each coordinate, from one for each channel, the first axis."""
    if not x.shape or x.shape[0] != values.size:
        raise ShapeError(f"a sample of shape {x.shape} received; {values.size} channels expected.")
    return np.repeat(values, x.size // values.size)


def check_eval(what: str, training: bool) -> None:
    """Refuse what is in training mode."""
    if training:
        raise UnsupportedError(
            f"{what} in training mode received; its result is random or depends on the other samples.\n"
            "Call module.eval() first."
        )


def check_numbers(*values: Any) -> None:
    """Refuse arguments of arithmetic that are neither tensors nor numbers."""
    if any(isinstance(v, Batch) for v in values):
        raise UnsupportedError("arithmetic with the number of samples received; a network has no such number.")
    if any(not isinstance(v, Tensor | np.ndarray | int | float) for v in values):
        names = ", ".join(type(v).__name__ for v in values)
        raise UnsupportedError(f"arithmetic on {shown(names)} received; tensors and numbers expected.")


def refuse(**options: Any) -> None:
    """Refuse options that are set."""
    for name, given in options.items():
        if given:
            raise UnsupportedError(f"{name.replace('_False', '=False')} received; it is not covered.")
