"""Derivations in files: laws and places, with the hashes of the networks at both ends."""

from __future__ import annotations

import os

from neuralgebra.errors import InputError, LoadError, UsageError, shown
from neuralgebra.files.atomic import write_atomic
from neuralgebra.files.source import read_bytes
from neuralgebra.network.network import Network
from neuralgebra.rewrite.derivation import Derivation
from neuralgebra.rewrite.replay import repeated

__all__ = ["load_derivation", "save_derivation"]


def save_derivation(derivation: Derivation, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write the steps of a derivation to a JSON file.

    Parameters
    ----------
    derivation : Derivation
        What `Network.rewrite` returned.
    path : str or path
        The file.
    overwrite : bool
        Whether an existing file gives way.

    Raises
    ------
    OutputError
        When the file exists or cannot be written; nothing is changed then.

    Examples
    --------
    >>> import os, tempfile
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1.0, 2.0]], None)], kind="multiplicative")
    >>> path = os.path.join(tempfile.mkdtemp(), "steps.json")
    >>> na.save_derivation(f.rewrite("additive"), path)
    >>> print(na.load_derivation(path, f))
    1. additive at wire 1: M_W = exp ∘ A_W ∘ ln, x > 0, where M is defined
    """
    if not isinstance(derivation, Derivation):
        raise UsageError(f"{shown(type(derivation).__name__)} received; what f.rewrite(...) returns expected.")
    write_atomic(path, derivation.to_json().encode(), overwrite=overwrite)


def load_derivation(path: str | os.PathLike[str], network: Network) -> Derivation:
    """Return the derivation in a file, by applying its laws to the network that it belongs to.

    Parameters
    ----------
    path : str or path
        The file.
    network : Network
        The network at its start.

    Returns
    -------
    Derivation
        The steps.

    Raises
    ------
    LoadError
        For a file that is missing or no derivation.
    NotCertifiedError
        For another network, and for steps that do not apply or lead elsewhere.

    Examples
    --------
    See `save_derivation`.
    """
    data = read_bytes(path)
    try:
        return repeated(data.decode(), network)
    except UnicodeDecodeError:
        raise LoadError(f"{shown(path)}: no text received; a derivation, which is JSON, expected.") from None
    except InputError as error:
        raise LoadError(f"{shown(path)}: {error}") from None
