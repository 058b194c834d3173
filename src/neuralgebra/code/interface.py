"""What a host that calls a program asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neuralgebra.code.language import Language
from neuralgebra.errors import UnsupportedError
from neuralgebra.network.network import Network

__all__ = ["Hosted", "Wanted"]


@dataclass(frozen=True)
class Wanted:
    """The functions that an interface calls.

    Parameters
    ----------
    order : int
        Highest order of derivatives.
    functions : tuple of str
        Their suffixes: "", "jacobian", …; others are left out.
    products : tuple of str
        Those of them that are products.
    packed : bool
        Whether Hessians and third derivatives are packed.
    """

    order: int
    functions: tuple[str, ...]
    products: tuple[str, ...] = ()
    packed: bool = False


class Hosted(Language):
    """A program with the functions that a host calls; hosts compute in double precision."""

    host: ClassVar[str]
    shapes: ClassVar[str]
    """Which networks it is for, in words."""

    @staticmethod
    def wanted(network: Network) -> Wanted | None:
        """Return what it asks of a network; None if the network does not fit."""
        raise NotImplementedError

    @classmethod
    def asked(cls, network: Network) -> Wanted:
        """Return what the interface asks of a network.

        Parameters
        ----------
        network : Network
            The network.

        Returns
        -------
        Wanted
            Functions.

        Raises
        ------
        UnsupportedError
            For a network of another shape.
        """
        found = cls.wanted(network)
        if found is None:
            m, n = network.shape
            raise UnsupportedError(f"a network R^{n} -> R^{m} received; interface {cls.host!r} expects {cls.shapes}.")
        return found
