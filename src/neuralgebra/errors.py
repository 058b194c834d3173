"""The exception tree; every error a user can cause is one of these.

::

    NeuralgebraError            exit code 1 (our fault)
    ├── UsageError              2   the call itself is wrong
    ├── InputError              3   values, shapes, dtypes, names (also ValueError)
    │   ├── ShapeError
    │   ├── DtypeError
    │   ├── KinkError               a derivative where it has a jump, and kinks="raise"
    │   └── LoadError               a file that cannot be read as what it claims to be
    ├── UnsupportedError        4   valid, but outside what the project covers
    │   └── MissingExtra            an optional package is not installed
    ├── NotCertifiedError       5   a proof was asked for and could not be given
    ├── ResourceError           6   the result would be too large; carries the estimate
    └── OutputError             7   the output cannot be written

A message has at most three lines: what was received, what was expected, what to do.
"""

from __future__ import annotations

__all__ = [
    "DtypeError",
    "FitWarning",
    "InputError",
    "KinkError",
    "LoadError",
    "MissingExtra",
    "NeuralgebraError",
    "NotCertifiedError",
    "OutputError",
    "PrecisionWarning",
    "ResourceError",
    "ShapeError",
    "UnsupportedError",
    "UsageError",
    "shown",
]


class NeuralgebraError(Exception):
    """Base of all errors of the package; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(NeuralgebraError, TypeError):
    """The call itself is wrong: an unknown option, a missing argument."""

    exit_code = 2


class InputError(NeuralgebraError, ValueError):
    """A value that cannot be accepted."""

    exit_code = 3


class KinkError(InputError):
    """A derivative at a point where it has a jump; the message names layer and unit."""


class ShapeError(InputError):
    """Shapes that do not fit together; the message names both."""


class DtypeError(InputError):
    """A dtype that cannot be computed with."""


class LoadError(InputError):
    """A file that is missing, damaged or not what it claims to be."""


class UnsupportedError(NeuralgebraError, NotImplementedError):
    """Valid input that the project does not cover; the message names it."""

    exit_code = 4


class MissingExtra(UnsupportedError, ImportError):
    """An optional package is not installed; the message is its install line."""


class NotCertifiedError(NeuralgebraError):
    """A proof was asked for and could not be given."""

    exit_code = 5


class ResourceError(NeuralgebraError):
    """The result would be too large; the message carries the estimate."""

    exit_code = 6


class OutputError(NeuralgebraError, OSError):
    """The output cannot be written; nothing was changed."""

    exit_code = 7


class FitWarning(UserWarning):
    """Data or a fit that may not mean what they seem to."""


class PrecisionWarning(UserWarning):
    """Weights were narrowed to the dtype of the input."""


def shown(text: object, limit: int = 80) -> str:
    """Text from outside, escaped and cut, fit for a message."""
    escaped = str(text).encode("unicode_escape").decode("ascii")
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"
