"""The folder of a run: a lock, the last two checkpoints, the best network so far.

A checkpoint is one line, ``neuralgebra checkpoint `` and the SHA-256 of all that follows, then a safetensors file: the
arrays, and in its metadata, under ``neuralgebra``, one JSON text::

    {"format": 1, "identity": {"data": "…", "seed": "7", "numpy": "2.4.6", …}, …}

Nothing in it is executed. It is written under another name, flushed and renamed, so that it is whole or not there; one
that was damaged later does not fit its hash, and the one before it is used.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from neuralgebra.errors import InputError, LoadError, OutputError, UsageError, shown
from neuralgebra.files import native
from neuralgebra.files.atomic import write_atomic
from neuralgebra.files.source import path_text, read_bytes
from neuralgebra.network.network import Network

__all__ = ["BEST", "Checkpoint", "Folder", "Vault", "fingerprint", "opened", "versions"]

FORMAT = 1
BEST = "best.safetensors"
_LOCK = "lock"
_FIRST_LINE = re.compile(rb"neuralgebra checkpoint ([0-9a-f]{64})\n")
_LINE_LENGTH = len("neuralgebra checkpoint \n") + 64
_KEY = "neuralgebra"
_CHECKPOINT = re.compile(r"checkpoint-([1-9][0-9]{0,17})", re.ASCII)
_TEMPORARY = re.compile(r"\.neuralgebra-[0-9a-f]{16}\.tmp", re.ASCII)


@dataclass(frozen=True)
class Folder:
    """Where a run is kept, for it alone, and how its checkpoints are told from those of other runs.

    Parameters
    ----------
    path : str or os.PathLike
        The folder; it is made if it is not there.
    data : str
        What the data are known by: `fingerprint` of them.
    about : mapping of str to object
        What else must be the same for a run to go on, as texts or numbers: structure, losses, weights of kinds.
    network : callable, optional
        (theta) -> the network that it stands for, which is saved as ``best.safetensors``.
    interval : float
        Seconds between checkpoints.
    """

    path: str | os.PathLike[str]
    data: str
    about: Mapping[str, object] = field(default_factory=dict)
    network: Callable[[np.ndarray], Network] | None = None
    interval: float = 60.0

    def __post_init__(self) -> None:
        path_text(self.path)
        if not self.interval > 0:
            raise UsageError(f"interval={shown(self.interval)} received; seconds, more than 0, expected.")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What one checkpoint holds.

    Parameters
    ----------
    head : mapping of str to object
        What is no array, as JSON has it.
    arrays : mapping of str to ndarray
        The rest.
    """

    head: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


def fingerprint(*parts: np.ndarray | str) -> str:
    """Return a hash of arrays and texts, by which they are known again.

    Parameters
    ----------
    *parts : ndarray or str
        In which order they come counts, and so do dtypes and shapes.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> fingerprint(np.arange(3), "x1") == fingerprint(np.arange(3), "x2")
    False
    """
    known = hashlib.sha256()
    for part in parts:
        text = isinstance(part, str)
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else np.asarray(part).tobytes()
        what = "text" if text else f"{np.asarray(part).dtype.str} {np.asarray(part).shape}"
        known.update(f"{what}, {len(data)} bytes: ".encode() + data)
    return known.hexdigest()


def versions() -> dict[str, str]:
    """Return the versions on which the bits of a fit depend."""
    try:
        own = importlib.metadata.version("neuralgebra")
    except importlib.metadata.PackageNotFoundError:
        own = "not installed"
    return {"neuralgebra": own, "numpy": np.__version__, "python": platform.python_version()}


@contextlib.contextmanager
def opened(folder: Folder, identity: Mapping[str, str]) -> Iterator[Vault]:
    """Give the folder of a run, which is this process's alone meanwhile.

    Parameters
    ----------
    folder : Folder
        Where it is.
    identity : mapping of str to str
        All that must be the same for a run to go on.

    Raises
    ------
    OutputError
        When another run uses the folder, or nothing can be written there.
    """
    path = os.path.abspath(path_text(folder.path))
    lock = _begun(path)
    try:
        vault = Vault(path, folder, dict(identity))
        vault.tidy()
        yield vault
    finally:
        os.close(lock)  # the file stays: who removes a lock may remove the next one's


class Vault:
    """The folder of a run while the lock is held."""

    def __init__(self, path: str, folder: Folder, identity: dict[str, str]) -> None:
        self.path, self.folder, self.identity = path, folder, identity
        self.warnings: list[str] = []
        self.good: list[int] = []
        self._best: object = None
        self._failed: set[str] = set()

    def tidy(self) -> None:
        """Remove what a run that was killed left half written."""
        for name in filter(_TEMPORARY.fullmatch, self._names()):
            self._remove(name)

    def load(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, or None if there is none at all.

        Returns
        -------
        Checkpoint or None
            What it holds.

        Raises
        ------
        InputError
            When it is one of another run, or of other versions.
        LoadError
            When there are checkpoints, and each is damaged.
        """
        numbers, damaged = self._numbers(), []
        for number in numbers:
            try:
                found = _decoded(read_bytes(self._at(number)), self._shown(number))
            except LoadError as error:
                damaged.append(str(error).splitlines()[0])
                continue
            self._expect(found, number)
            self.good = [number]
            self.warnings += [f"{text} The one before, checkpoint-{number}, is used." for text in damaged]
            return found
        if damaged:
            raise LoadError(f"{damaged[0]}\nNone is left to go on from: begin anew in another folder.")
        if os.path.lexists(os.path.join(self.path, BEST)):
            raise OutputError(
                f"{shown(self.path)}: {BEST} without any checkpoint of its run received.\n"
                "Nothing was changed; an empty or new folder expected."
            )
        return None

    def save(self, head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bool:
        """Write one more checkpoint and remove all but the last two; return whether that could be done."""
        number = max(self._numbers(), default=0) + 1
        whole = {"format": FORMAT, "identity": self.identity, **head}
        if not self._tried("a checkpoint", lambda: write_atomic(self._at(number), _encoded(whole, arrays))):
            return False
        self.good = [number, *self.good[:1]]
        for old in set(self._numbers()) - set(self.good):
            self._remove(f"checkpoint-{old}")
        return True

    def save_best(self, place: object, theta: np.ndarray) -> None:
        """Write the network of the best point, unless that of the same place was written last."""
        if self.folder.network is None or place == self._best:
            return
        data = native.write(self.folder.network(theta))
        if self._tried(BEST, lambda: write_atomic(os.path.join(self.path, BEST), data, overwrite=True)):
            self._best = place

    def _tried(self, what: str, write: Callable[[], None]) -> bool:
        """Write; a disk that is full for a while is a reason to say so, once, not one to lose the run."""
        try:
            write()
        except OutputError as error:
            if what not in self._failed:
                self._failed.add(what)
                self.warnings.append(str(error).splitlines()[0])
            return False
        return True

    def _numbers(self) -> list[int]:
        """Return the numbers of all checkpoints, the newest first."""
        found = map(_CHECKPOINT.fullmatch, self._names())
        return sorted((int(match[1]) for match in found if match), reverse=True)

    def _names(self) -> list[str]:
        """Return all names in the folder; none if it has gone, which writing there will tell."""
        with contextlib.suppress(OSError):
            return os.listdir(self.path)
        return []

    def _at(self, number: int) -> str:
        return os.path.join(self.path, f"checkpoint-{number}")

    def _shown(self, number: int) -> str:
        return shown(self._at(number), 300)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.path, name))

    def _expect(self, found: Checkpoint, number: int) -> None:
        """Raise an error that names all that differs, unless the checkpoint is one of this very run."""
        theirs = found.head["identity"]
        names = [*self.identity, *sorted(theirs.keys() - self.identity.keys())]
        differences = [
            f"{shown(name)} {_value(self.identity, name)} received, {_value(theirs, name)} expected"
            for name in names
            if self.identity.get(name) != theirs.get(name)
        ]
        if differences:
            raise InputError(
                f"{self._shown(number)} is of another run: {'; '.join(differences[:8])}.\n"
                "Give the same data, options and versions to go on with it, or another folder to begin anew."
            )


def _value(identity: Mapping[str, str], name: str) -> str:
    return shown(identity[name], 24) if name in identity else "nothing"


# Bytes ------------------------------------------------------------------------------------------------------------


def _encoded(head: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    text = json.dumps(head, sort_keys=True, allow_nan=False)
    body = safetensors.numpy.save({name: np.array(array, order="C") for name, array in arrays.items()}, {_KEY: text})
    return b"neuralgebra checkpoint " + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def _decoded(data: bytes, where: str) -> Checkpoint:
    line = _FIRST_LINE.fullmatch(data[:_LINE_LENGTH])
    body = data[_LINE_LENGTH:]
    if line is None or hashlib.sha256(body).hexdigest().encode() != line[1]:
        raise LoadError(f"{where}: no whole checkpoint; the file is damaged or cut off.")
    try:
        header = json.loads(body[8 : 8 + int.from_bytes(body[:8], "little")])
        head = json.loads(header["__metadata__"][_KEY])
        if head["format"] != FORMAT:
            raise InputError(
                f"{where}: a checkpoint of format {shown(head['format'])} received; {FORMAT} expected.\n"
                "Go on with the version of neuralgebra that wrote it, or begin anew in another folder."
            )
        if not all(isinstance(x, str) for pair in head["identity"].items() for x in pair):
            raise TypeError("identity")
        return Checkpoint(head, safetensors.numpy.load(body))
    except InputError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, safetensors.SafetensorError) as error:
        raise LoadError(f"{where}: no checkpoint ({shown(repr(error))}).") from None


# Lock -------------------------------------------------------------------------------------------------------------


def _begun(path: str) -> int:
    """Make the folder if need be and lock it; return the descriptor that holds the lock."""
    try:
        os.makedirs(path, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        lock = os.open(os.path.join(path, _LOCK), flags, 0o666)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(
            f"{shown(path)}: no run can be kept there ({shown(reason)}).\nChoose another place."
        ) from None
    try:
        _locked(lock, path)
    except BaseException:
        os.close(lock)
        raise
    return lock


def _locked(lock: int, path: str) -> None:
    """Lock an open file and write there who holds it; the system frees it when this process ends, however it ends."""
    try:
        _seize(lock)
    except (BlockingIOError, PermissionError):
        raise OutputError(
            f"{shown(path)}: in use by another run, {_holder(lock)}.\n"
            "Nothing was changed; wait until it has ended, or give another folder."
        ) from None
    except OSError as error:
        reason = shown(error.strerror)
        raise OutputError(f"{shown(path)}: cannot be locked ({reason}).\nChoose a folder on another disk.") from None
    text = os.read(lock, 256)
    if text and not text.startswith(b"neuralgebra "):
        raise OutputError(f"{shown(path)}: a file named {_LOCK} that is no lock of a run.\nChoose another folder.")
    os.ftruncate(lock, 0)
    os.lseek(lock, 0, os.SEEK_SET)
    os.write(lock, f"neuralgebra run of process {os.getpid()} on {socket.gethostname()}\n".encode())


def _holder(lock: int) -> str:
    found = re.search(rb"process ([0-9]+) on (.*)", os.read(lock, 256))
    return f"process {int(found[1])} on {shown(found[2].decode(errors='replace'))}" if found else "of unknown process"


if sys.platform == "win32":
    import msvcrt

    def _seize(lock: int) -> None:
        os.lseek(lock, 1 << 20, os.SEEK_SET)  # what is locked cannot be read, and the holder's name should be
        msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        os.lseek(lock, 0, os.SEEK_SET)

else:
    import fcntl

    def _seize(lock: int) -> None:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
