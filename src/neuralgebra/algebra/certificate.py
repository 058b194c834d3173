"""Certificates: what is proven of how far one network is from another on a box.

There are two kinds, which are never the same number. One is about the real numbers that both networks stand for, with
the weights as they are stored. The other is about any execution in floating point: a stated dtype, sums in any order,
activations within some units in the last place. The second contains the first.
"""

from __future__ import annotations

from dataclasses import dataclass

from neuralgebra.network.box import Box

__all__ = ["Certificate", "Execution"]


@dataclass(frozen=True)
class Execution:
    """What an execution in floating point may do.

    Parameters
    ----------
    dtype : str
        "float32" or "float64", of inputs, weights and every number on the way.
    ulps : int
        Activations are within so many units in the last place.
    """

    dtype: str
    ulps: int

    def __str__(self) -> str:
        return f"any execution in {self.dtype} with activations within {self.ulps} ulp"


@dataclass(frozen=True)
class Certificate:
    """A proven bound of the distance of a network g from a function f: |g(x) - f(x)| ≤ bound for all x of a box.

    Parameters
    ----------
    bounds : tuple of float
        One for each output.
    box : Box
        Where it holds.
    network : str
        Hash of g, whose stored numbers the bound is about.
    reference : str
        Hash of f, as real numbers.
    execution : Execution or None
        None: about the real numbers. Otherwise about what an execution of g gives.
    """

    bounds: tuple[float, ...]
    box: Box
    network: str
    reference: str
    execution: Execution | None = None

    @property
    def bound(self) -> float:
        """The largest of the bounds."""
        return max(self.bounds)

    def __str__(self) -> str:
        about = "as real numbers" if self.execution is None else f"in {self.execution}"
        return f"|g - f| <= {self.bound:.3g} on the box, {about}"
