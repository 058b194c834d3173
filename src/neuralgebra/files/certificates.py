"""Certificates in files: one JSON text that holds all that its claims are about, and that needs nothing else.

The keys are format, version, certificates, network and reference. Each certificate is what `Certificate.to_json`
writes; the networks are as in `algebra.scalars`. `algebra/checker.py` proves the claims again from these numbers alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from neuralgebra.algebra.certificate import Certificate, parsed
from neuralgebra.algebra.certified import Certified
from neuralgebra.algebra.checker import BENT, FUNCTIONS, Verdict, check, network_of
from neuralgebra.algebra.scalars import difference, scalars
from neuralgebra.errors import InputError, LoadError, NotCertifiedError, UsageError, shown
from neuralgebra.files.atomic import write_atomic
from neuralgebra.files.source import read_bytes
from neuralgebra.network.network import Network

__all__ = ["MARGIN", "CertificateFile", "certificate_text", "load_certificate", "save_certificate"]

FORMAT = "neuralgebra certificate"
MARGIN = 0.05
_KEYS = ("format", "version", "certificates", "network", "reference")


@dataclass(frozen=True)
class CertificateFile:
    """What a certificate file says.

    Parameters
    ----------
    text : str
        The file.
    certificates : tuple of Certificate
        What it claims.
    network, reference : dict
        Both networks, number by number.
    """

    text: str
    certificates: tuple[Certificate, ...]
    network: dict[str, Any]
    reference: dict[str, Any]

    def expect(self, network: Network, part: str = "network") -> None:
        """Raise an error unless a network has the very numbers of this file.

        Parameters
        ----------
        network : Network
            A network.
        part : {"network", "reference"}
            Which of both it should be.

        Raises
        ------
        NotCertifiedError
            When any number differs; the message names the first.
        """
        if not isinstance(network, Network):
            raise UsageError(f"{shown(type(network).__name__)} received; a network expected: na.load(path).")
        found = difference(getattr(self, part), scalars(network))
        if found is not None:
            raise NotCertifiedError(
                f"another network than the {part} of the certificate received: {shown(found, 300)}.\n"
                "The certificate says nothing of it."
            )

    def verify(self, seconds: float = 60.0) -> list[Verdict]:
        """Return what the independent checker finds of each claim.

        Parameters
        ----------
        seconds : float
            For each claim, about.

        Returns
        -------
        list of Verdict
            With ``.state``: "verified", "refuted" or "not decided".

        Raises
        ------
        NotCertifiedError
            When a function is none that the checker knows.
        """
        functions = [v for part in (self.network, self.reference) for v in part["values"] if "function" in v]
        known = [*FUNCTIONS, *(name for name in BENT if not any(v["order"] for v in functions))]
        unknown = next((v["function"] for v in functions if v["function"] not in known), None)
        if unknown is not None:
            raise NotCertifiedError(f"not decided: {shown(unknown)}, or its derivative, is not known to the checker.")
        return check(self.text, seconds)


def certificate_text(proven: Certified, margin: float = MARGIN) -> str:
    """Return the text of a certificate file.

    Parameters
    ----------
    proven : Certified
        What `plain` returns, or what is made of such.
    margin : float
        By which part the bounds that are claimed are larger than those that are proven.

    Returns
    -------
    str
        The text.
    """
    if not isinstance(proven, Certified):
        raise UsageError(f"{shown(type(proven).__name__)} received; what plain(σ, domain, tol) returns expected.")
    if proven.certificate is None or proven.execution is None:
        raise UsageError("a network without certificates received; plain(σ, domain, tol) with a domain expected.")
    network, reference = scalars(proven.network), scalars(proven.reference)
    hashes = {"network": network["sha256"], "reference": reference["sha256"]}
    both = (replace(c, **hashes).weaker(margin) for c in (proven.certificate, proven.execution))
    parts = (FORMAT, 1, [json.loads(c.to_json()) for c in both], network, reference)
    return json.dumps(dict(zip(_KEYS, parts, strict=True)))


def save_certificate(
    proven: Certified, path: str | os.PathLike[str], *, margin: float = MARGIN, overwrite: bool = False
) -> None:
    """Write the certificates of a network, with the network and the function that it stands for, to one file.

    Parameters
    ----------
    proven : Certified
        What `plain` returns, or what is made of such.
    path : str or os.PathLike
        Where to write.
    margin : float
        By which part the bounds that are claimed are larger than those that are proven. A checker that knows nothing of
        how they were found needs some room where a bound is reached.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    UsageError
        When there are no certificates.
    OutputError
        When the file exists, or cannot be written.

    Examples
    --------
    >>> import neuralgebra as na, tempfile
    >>> x, y = na.Network.identity(2)
    >>> path = os.path.join(tempfile.mkdtemp(), "xy.json")
    >>> na.save_certificate((x * y).plain("gelu", [(-1, 1), (-1, 1)], 1e-3), path)
    >>> [verdict.state for verdict in na.load_certificate(path).verify()]
    ['verified', 'verified']
    """
    write_atomic(path, (certificate_text(proven, margin) + "\n").encode(), overwrite)


def load_certificate(path: str | os.PathLike[str]) -> CertificateFile:
    """Read a certificate file.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    CertificateFile
        With ``.certificates``, ``.expect(network)`` and ``.verify()``.

    Raises
    ------
    LoadError
        For a file that is missing or no certificate, and for numbers that are not those of their hash.
    """
    if not isinstance(path, str | bytes | os.PathLike):
        raise UsageError(f"{shown(type(path).__name__)} received; the path of a certificate file expected.")
    name = shown(os.fsdecode(path))
    try:
        text = read_bytes(path).decode()
        found = parsed(text, _KEYS)
        certificates = tuple(Certificate.from_json(json.dumps(c)) for c in found["certificates"])
        for part in ("network", "reference"):
            network_of(found[part])
        if found["format"] != FORMAT or not certificates:
            raise InputError(
                f"format {shown(repr(found['format']))} with {len(certificates)} certificates received; "
                f"{FORMAT!r} with at least one expected."
            )
        _expect_both(certificates, found)
    except LoadError:
        raise
    except UnicodeDecodeError:
        raise LoadError(
            f"{name}: no text received; a certificate, which is JSON, expected.\n"
            "If it is the model, exchange both: neuralgebra verify CERTIFICATE MODEL."
        ) from None
    except InputError as error:
        raise LoadError(f"{name}: {error}") from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise LoadError(f"{name}: {shown(error)}.\nA certificate as neuralgebra writes it expected.") from None
    return CertificateFile(text, certificates, found["network"], found["reference"])


def _expect_both(certificates: Sequence[Certificate], found: Mapping[str, Any]) -> None:
    """Raise an error unless there is one claim of each kind, on one box, about the networks of the file."""
    kinds = sorted(c.execution is not None for c in certificates)
    if kinds != [False, True] or len({c.box for c in certificates}) > 1:
        raise InputError("other claims than one about real numbers and one about executions, on one box, received.")
    wanted = tuple(found[part]["sha256"] for part in ("network", "reference"))
    if any((c.network, c.reference) != wanted for c in certificates):
        raise InputError("certificates about other networks than those of the file received; their hashes expected.")
