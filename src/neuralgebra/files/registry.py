"""The table of file formats: which bytes and which names belong to whom, and what is refused unopened."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from neuralgebra.errors import LoadError, UnsupportedError, UsageError, shown
from neuralgebra.files import native, onnx_read, onnx_write
from neuralgebra.files.atomic import write_atomic
from neuralgebra.files.source import path_text, read_bytes
from neuralgebra.network.network import Network

__all__ = ["FORMATS", "Format", "load", "read_bytes", "save"]


@dataclass(frozen=True)
class Format:
    """One row of the table.

    Parameters
    ----------
    name : str
        Name of the format.
    extension : str
        End of a file's name, lower case.
    is_content : callable
        (bytes) -> whether a file certainly has this format.
    read : callable
        (bytes, name of the file) -> network.
    write : callable
        (network, dtype or None) -> bytes.
    """

    name: str
    extension: str
    is_content: Callable[[bytes], bool]
    read: Callable[[bytes, str], Network]
    write: Callable[[Network, Any], bytes]


def _is_safetensors(data: bytes) -> bool:
    return data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8


def _is_onnx(data: bytes) -> bool:
    """Return whether the first field is a version, as all known writers have it."""
    return data[:1] == b"\x08" and 0 < data[1] < 0x40 if len(data) > 1 else False


def _write_native(network: Network, dtype: Any) -> bytes:
    if dtype is not None:
        raise UsageError(
            f"dtype={shown(dtype)} received for a .safetensors file; it holds every number as it is.\n"
            "Leave dtype out, or save as .onnx."
        )
    return native.write(network)


FORMATS = (
    Format("safetensors", ".safetensors", _is_safetensors, native.read, _write_native),
    Format("ONNX", ".onnx", _is_onnx, onnx_read.read, onnx_write.write),
)
"""The formats that are read and written; content decides before the name."""

_PICKLE = (
    "holds a Python program (pickle), and is not opened.\n"
    "Load it with the library that wrote it; pass the live object to na.from_torch or na.from_sklearn, or export ONNX."
)
_KERAS = "is a Keras (HDF5) file, which is not read.\nExport it to ONNX: model.export('model.onnx', format='onnx')."
_ZIP = (
    "is a zip archive (PyTorch, Keras or NumPy), and is not opened.\n"
    "Pass the live object to na.from_torch or na.from_sklearn, or export ONNX."
)
_PACKED = "is compressed.\nUnpack it first."

REFUSED_NAMES = {
    **dict.fromkeys((".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".pt2", ".skops"), _PICKLE),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), _KERAS),
}
"""Extension -> why such a file is not opened."""

REFUSED_CONTENT = (
    (b"\x89HDF\r\n\x1a\n", _KERAS),
    (b"PK\x03\x04", _ZIP),
    (b"\x80\x02", _PICKLE),
    (b"\x80\x03", _PICKLE),
    (b"\x80\x04", _PICKLE),
    (b"\x80\x05", _PICKLE),
    (b"\x1f\x8b", _PACKED),
    (b"\xfd7zXZ\x00", _PACKED),
    (b"BZh", _PACKED),
    (b"\x28\xb5\x2f\xfd", _PACKED),
)
"""First bytes -> why such a file is not read."""

DAMAGED_CONTENT = (
    (b"version https://git-lfs", "is a pointer of Git LFS, not the file itself.\nRun 'git lfs pull' in its folder."),
    (b"<!doctype html", "is a web page, not a network.\nThe download gave an error or login page; download it again."),
    (b"<html", "is a web page, not a network.\nThe download gave an error or login page; download it again."),
)
"""First bytes, lower case -> what went wrong."""


def load(path: str | os.PathLike[str]) -> Network:
    """Return the network in a file.

    Parameters
    ----------
    path : str or os.PathLike
        An ONNX file, or one that `save` has written. Only this one file is opened, and nothing in it is executed.

    Returns
    -------
    Network
        The network.

    Raises
    ------
    LoadError
        When the file is missing, damaged or of an unknown format.
    UnsupportedError
        For formats and operators that are not covered; the message names them.
    ResourceError
        When the file is larger, or asks for more, than ``files.limits`` allows.

    Examples
    --------
    >>> import neuralgebra as na, pathlib, tempfile
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], [5, 6])])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "f.safetensors")
    ...     f.save(path)
    ...     na.load(path) == f
    True
    """
    name = path_text(path)
    _refuse(REFUSED_NAMES.get(_extension(name)), name, UnsupportedError)
    data = read_bytes(name)
    return _format(data, name).read(data, name)


def _extension(name: str) -> str:
    return os.path.splitext(name)[1].lower()


def _refuse(reason: str | None, name: str, error: type[Exception]) -> None:
    if reason is not None:
        raise error(f"{shown(name)} {reason}")


def _format(data: bytes, name: str) -> Format:
    """Return the format of a file, by content, or where that is not certain by its name."""
    for row in FORMATS:
        if row.is_content(data):
            return row
    _refuse(next((text for start, text in REFUSED_CONTENT if data.startswith(start)), None), name, UnsupportedError)
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    _refuse(next((text for start, text in DAMAGED_CONTENT if head.startswith(start)), None), name, LoadError)
    if _is_text(data):
        raise LoadError(f"{shown(name)}: a text file received; {_known()} expected.")
    for row in FORMATS:
        if _extension(name) == row.extension:
            return row
    raise LoadError(f"{shown(name)}: a file of an unknown format received; {_known()} expected.")


def _is_text(data: bytes) -> bool:
    """Return whether a file starts with 16 or more printable characters; fewer say nothing."""
    try:
        head = data[:256].decode("ascii")
    except UnicodeDecodeError:
        return False
    return len(head) >= 16 and all(c.isprintable() or c in "\t\r\n" for c in head)


def _known() -> str:
    return " or ".join(f"{row.name} ({row.extension})" for row in FORMATS)


def save(network: Network, path: str | os.PathLike[str], *, overwrite: bool = False, dtype: Any = None) -> None:
    """Write a network to a file, whole or not at all.

    Parameters
    ----------
    network : Network
        The network.
    path : str or os.PathLike
        Where to; the extension decides on the format: ".safetensors" keeps everything bit for bit, ".onnx" runs
        elsewhere.
    overwrite : bool
        Whether an existing file may be replaced.
    dtype : str or dtype, optional
        For ONNX: the type to compute with, "float32" or "float64"; that of the network by default.

    Raises
    ------
    UsageError
        For an unknown extension.
    OutputError
        When the file exists and `overwrite` is false, or cannot be written; nothing is changed then.
    UnsupportedError
        When the format cannot express the network.
    """
    name = path_text(path)
    for row in FORMATS:
        if _extension(name) == row.extension:
            write_atomic(name, row.write(network, dtype), overwrite)
            return
    raise UsageError(f"{shown(name)}: extension {shown(_extension(name))!r} received; {_known()} expected.")
