"""Loading by content and name, and what is refused with its reason."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import LoadError, NeuralgebraError, OutputError, ResourceError, UnsupportedError, UsageError
from neuralgebra.files import limits
from neuralgebra.files.registry import FORMATS

F = na.Network.from_layers([([[1.0, 0.5], [0.25, -3.0]], [0.1, 0.2]), ([[1.0, 1.0]], None)])


def refusal(path: object, error: type[NeuralgebraError], code: int) -> str:
    with pytest.raises(error) as caught:
        na.load(path)
    assert caught.value.exit_code == code
    assert len(str(caught.value).splitlines()) <= 3
    assert "\x1b" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def make(name: str, data: bytes) -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return make


@pytest.mark.parametrize("extension", [row.extension for row in FORMATS])
def test_what_is_saved_is_loaded(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"f{extension}"
    F.save(path)
    np.testing.assert_allclose(na.load(str(path))([[0.3, 0.4]]), F([[0.3, 0.4]]), rtol=1e-15)
    with pytest.raises(OutputError):
        F.save(path)
    (2 * F).save(path, overwrite=True)
    np.testing.assert_allclose(na.load(path)([[0.3, 0.4]]), 2 * F([[0.3, 0.4]]), rtol=1e-15)


@pytest.mark.parametrize("extension", [row.extension for row in FORMATS])
@pytest.mark.parametrize("other", [".onnx", ".safetensors", ".bin", ""])
def test_content_decides_before_the_name(extension: str, other: str, tmp_path: Path) -> None:
    F.save(tmp_path / f"f{extension}")
    path = (tmp_path / f"f{extension}").rename(tmp_path / f"g{other}")
    assert na.load(path).shape == F.shape


def test_an_unknown_extension_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"safetensors.*onnx"):
        F.save(tmp_path / "f.xyz")
    assert list(tmp_path.iterdir()) == []


def test_the_native_format_takes_no_dtype(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dtype"):
        F.save(tmp_path / "f.safetensors", dtype="float32")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "no.onnx", LoadError, 3)
    assert "a folder received" in refusal(tmp_path, LoadError, 3)
    (tmp_path / "gone.onnx").symlink_to("nowhere")
    assert "no such file" in refusal(tmp_path / "gone.onnx", LoadError, 3)


def test_an_empty_file_and_one_byte(made: Callable[[str, bytes], Path]) -> None:
    assert "empty" in refusal(made("f.onnx", b""), LoadError, 3)
    for name in ("f.onnx", "f.safetensors", "f"):
        refusal(made(name, b"\x08"), LoadError, 3)


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.onnx")
    assert "a pipe received" in refusal(tmp_path / "pipe.onnx", LoadError, 3)
    assert "a device received" in refusal("/dev/zero", LoadError, 3)


def test_no_permission(made: Callable[[str, bytes], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = made("f.onnx", b"x")
    monkeypatch.setattr(os, "open", deny)
    assert "permission denied" in refusal(path, LoadError, 3)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with open(tmp_path / "f.onnx", "wb") as file:
        file.truncate(limits.FILE_BYTES + 1)
    assert "at most" in refusal(tmp_path / "f.onnx", ResourceError, 6)


def test_a_file_that_changes_while_it_is_read(
    made: Callable[[str, bytes], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fstat = made("f.onnx", b"12345678"), os.fstat

    def grow(descriptor: int) -> os.stat_result:
        status = fstat(descriptor)
        path.write_bytes(b"123456789")
        return status

    monkeypatch.setattr(os, "fstat", grow)
    assert "changed" in refusal(path, LoadError, 3)


@pytest.mark.parametrize("name", ["f.pt", "f.PTH", "f.pkl", "f.joblib", "f.h5", "f.keras"])
def test_some_formats_are_never_opened(name: str, tmp_path: Path) -> None:
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    (tmp_path / name).write_bytes(b"x")
    opened.clear()
    message = refusal(tmp_path / name, UnsupportedError, 4)
    assert "ONNX" in message
    assert not [path for path in opened if name in path]


@pytest.mark.parametrize(
    ("data", "error", "code", "word"),
    [
        (b"\x89HDF\r\n\x1a\n....", UnsupportedError, 4, "Keras"),
        (b"PK\x03\x04....", UnsupportedError, 4, "zip"),
        (b"\x80\x04\x95....", UnsupportedError, 4, "pickle"),
        (b"\x1f\x8b\x08....", UnsupportedError, 4, "compressed"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", LoadError, 3, "git lfs pull"),
        (b"<!DOCTYPE html><html><body>404</body></html>", LoadError, 3, "web page"),
        (b"  <html><body>Sign in</body></html>", LoadError, 3, "web page"),
        (b"weights: 1, 2, 3, and so on and on\n", LoadError, 3, "text file"),
        (b"\xff\xfe\x00\x01\x02\x03" * 9, LoadError, 3, ""),
    ],
)
@pytest.mark.parametrize("name", ["f.onnx", "f.safetensors", "f"])
def test_what_the_content_gives_away(
    data: bytes, error: type[NeuralgebraError], code: int, word: str, name: str, made: Callable[[str, bytes], Path]
) -> None:
    assert word in refusal(made(name, data), error, code)


@pytest.mark.parametrize("name", ["a\nb.onnx", "-rf.onnx", "😀.onnx", "\x1b]8;;x.onnx", "caf\udce9.onnx", "x" * 300])
def test_strange_names_are_shown_escaped(name: str, tmp_path: Path) -> None:
    refusal(tmp_path / name, LoadError, 3)


def test_names_that_no_file_can_have() -> None:
    refusal("a\0b.onnx", LoadError, 3)
    for path in (3, None, ["f.onnx"]):
        refusal(path, UsageError, 2)


@pytest.mark.parametrize("extension", [row.extension for row in FORMATS])
def test_a_truncated_file_is_refused(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"f{extension}"
    F.save(path)
    data = path.read_bytes()
    for percent in range(100):
        path.write_bytes(data[: max(1, len(data) * percent // 100)])
        with pytest.raises(NeuralgebraError):
            na.load(path)
