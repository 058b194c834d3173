"""Limits on what a file may ask for; each is checked before memory is taken.

They are there for files that are damaged or hostile. A program that truly needs more sets the attribute, for example
``neuralgebra.files.limits.FILE_BYTES = 16 << 30``.
"""

from __future__ import annotations

import sys

from neuralgebra.errors import ResourceError

__all__ = ["check"]

FILE_BYTES = 4 << 30
"""Size of a file."""

HEADER_BYTES = 16 << 20
"""Size of the text that describes a network."""

NODES = 100_000
"""Layers of a network."""

COORDINATES = 10_000_000
"""Numbers that one layer gives."""

DEPTH = 32
"""Structured matrices inside one another."""

NAME_LENGTH = 1024
"""Letters of a name."""


def check(limit: str, value: int, what: str) -> None:
    """Raise ResourceError if a value exceeds a limit of this module.

    Parameters
    ----------
    limit : str
        Name of the limit, for example "NODES".
    value : int
        What was asked for.
    what : str
        What the value counts, for the message.

    Raises
    ------
    ResourceError
        When the value is larger than the limit; the message carries both.
    """
    allowed: int = getattr(sys.modules[__name__], limit)
    if value > allowed:
        raise ResourceError(
            f"{what}: {value} received; at most {allowed} allowed.\n"
            f"If this is meant, set neuralgebra.files.limits.{limit} to a higher value."
        )
