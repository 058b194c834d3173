"""Writing a file so that it is old or new, never half."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator

from neuralgebra.errors import OutputError, shown
from neuralgebra.files.source import path_text

__all__ = ["write_atomic"]


def write_atomic(path: str | os.PathLike[str], data: bytes, overwrite: bool = False) -> None:
    """Write a file by way of a temporary one in the same folder; on any failure nothing is changed.

    A symbolic link is followed: the file that it points to is written, and the link stays.

    Parameters
    ----------
    path : str or os.PathLike
        Where to write.
    data : bytes
        What to write.
    overwrite : bool
        Whether an existing file may be replaced; its permissions are kept.

    Raises
    ------
    OutputError
        When the file exists and `overwrite` is false, when the path is a folder or a device, when its folder is
        missing or not writable, or when the disk is full.
    """
    name = path_text(path)
    try:
        target = os.path.realpath(name)
        mode = _mode_of_existing(name, target, overwrite)
        with _temporary(target) as temporary:
            _fill(temporary, data, mode)
            _put(temporary, target, overwrite)
        _sync_folder(os.path.dirname(target))
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(_reason(name, error)) from None


def _reason(name: str, error: Exception) -> str:
    if isinstance(error, FileExistsError):
        return _exists(name)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{shown(name)}: cannot be written; its folder does not exist.\nMake the folder first."
    reason = getattr(error, "strerror", None) or error
    return f"{shown(name)}: cannot be written ({shown(reason)}).\nNothing was changed; choose another place."


def _exists(name: str) -> str:
    return f"{shown(name)}: the file exists.\nNothing was changed; pass overwrite=True (--force) to replace it."


def _mode_of_existing(name: str, target: str, overwrite: bool) -> int | None:
    """Return the permissions of the file to be replaced, or None if there is none."""
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{shown(name)}: a folder received; the name of a file is expected.")
    if not stat.S_ISREG(status.st_mode):
        raise OutputError(f"{shown(name)}: not a regular file; it is left as it is.\nA file or a new name is expected.")
    if not overwrite:
        raise OutputError(_exists(name))
    return stat.S_IMODE(status.st_mode)


@contextlib.contextmanager
def _temporary(target: str) -> Iterator[str]:
    """Give the name of an unused file beside the target; remove the file if it is still there at the end."""
    folder = os.path.dirname(target)
    name = os.path.join(folder, f".neuralgebra-{secrets.token_hex(8)}.tmp")
    try:
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
            os.unlink(name)


def _fill(name: str, data: bytes, mode: int | None) -> None:
    """Write and flush; what replaces a file is for its owner alone until it has the permissions of that file."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(name, flags, 0o666 if mode is None else 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        os.chmod(name, mode)


def _put(temporary: str, target: str, overwrite: bool) -> None:
    """Give the file its name; without `overwrite` in a way that fails if another program was quicker."""
    if overwrite:
        os.replace(temporary, target)
        return
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except (OSError, AttributeError, NotImplementedError):  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.rename(temporary, target)


def _sync_folder(folder: str) -> None:
    """Make the new name durable, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
