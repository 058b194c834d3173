"""The bytes of a file, or the reason why they cannot be had."""

from __future__ import annotations

import os
import stat
from typing import Any

from neuralgebra.errors import LoadError, UsageError, shown
from neuralgebra.files import limits

__all__ = ["path_text", "read_bytes"]

# Never wait for the other end of a pipe, never hand the descriptor to a child, never translate line ends.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def path_text(path: Any) -> str:
    """Return a path as text.

    Parameters
    ----------
    path : str or os.PathLike
        A path.

    Returns
    -------
    str
        The same, as text.

    Raises
    ------
    UsageError
        For anything else.
    """
    try:
        return os.fsdecode(path)
    except TypeError:
        raise UsageError(f"{shown(type(path).__name__)} received; a path (str or os.PathLike) expected.") from None


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    bytes
        All of it, at least one byte.

    Raises
    ------
    LoadError
        When the file is missing, empty, not a regular file, not readable, or changes while it is read.
    ResourceError
        When it is larger than ``limits.FILE_BYTES``.
    """
    name = path_text(path)
    try:
        with open(name, "rb", buffering=0, opener=_opened) as file:
            size = _size(name, os.fstat(file.fileno()))
            data = file.read(size + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, LoadError):
            raise
        raise LoadError(_reason(name, error)) from None
    if len(data) != size:
        raise LoadError(f"{shown(name)}: the file changed while it was read.\nTry again when it is complete.")
    return data


def _opened(name: str, _: int) -> int:
    return os.open(name, _FLAGS)


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{shown(name)}: no such file.\nCheck the path; the current folder is {shown(_here())}."
    if isinstance(error, PermissionError):
        return f"{shown(name)}: permission denied.\nA file that you may read is expected."
    if isinstance(error, IsADirectoryError):
        return _kind_message(name, "a folder")
    return f"{shown(name)}: cannot be read ({shown(getattr(error, 'strerror', None) or error)})."


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "gone"


def _size(name: str, status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        kind = next((text for test, text in _KINDS if test(status.st_mode)), "no regular file")
        raise LoadError(_kind_message(name, kind))
    limits.check("FILE_BYTES", status.st_size, f"{shown(name)}: bytes of the file")
    if not status.st_size:
        raise LoadError(f"{shown(name)}: the file is empty (0 bytes).\nA file with content is expected.")
    return status.st_size


def _kind_message(name: str, kind: str) -> str:
    return f"{shown(name)}: {kind} received; a regular file is expected."
