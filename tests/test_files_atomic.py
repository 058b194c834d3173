"""A file is old or new, never half, and never replaced unasked."""

import os
import stat
from pathlib import Path

import pytest

from neuralgebra.errors import OutputError, UsageError
from neuralgebra.files.atomic import write_atomic

STEPS = ["open", "fsync", "replace", "chmod", "fdopen"]


def refused(path: object, overwrite: bool = False, data: bytes = b"new") -> str:
    with pytest.raises(OutputError) as error:
        write_atomic(path, data, overwrite)
    assert error.value.exit_code == 7
    assert len(str(error.value).splitlines()) <= 3
    return str(error.value)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_data_and_the_usual_permissions(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "f", b"new")
    finally:
        os.umask(old)
    assert (tmp_path / "f").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
    assert names(tmp_path) == ["f"]


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    assert "exists" in refused(tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        (tmp_path / "f").write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", fsync)
    assert "exists" in refused(tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"theirs"
    assert names(tmp_path) == ["f"]


def test_without_hard_links_it_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    write_atomic(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"new"
    assert names(tmp_path) == ["f"]


def test_replacing_keeps_the_permissions(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "f").chmod(0o604)
    write_atomic(tmp_path / "f", b"new", overwrite=True)
    assert (tmp_path / "f").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o604


def test_what_replaces_a_private_file_is_private_from_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def fsync(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))

    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "f").chmod(0o600)
    monkeypatch.setattr(os, "fsync", fsync)
    write_atomic(tmp_path / "f", b"new", overwrite=True)
    assert modes[0] == 0o600


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_at_any_step_changes_nothing(
    step: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(os, step, fail)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_atomic(tmp_path / "f", b"new", overwrite=True)
    monkeypatch.undo()
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert "folder does not exist" in refused(tmp_path / "no" / "f")


def test_a_file_as_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"old")
    assert "folder" in refused(tmp_path / "f" / "g")


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    assert "a folder received" in refused(tmp_path, overwrite=True)


def test_a_device_or_pipe_is_no_target(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in refused(tmp_path / "pipe", overwrite=True)
    assert "not a regular file" in refused("/dev/null", overwrite=True)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", deny)
    assert "Permission denied" in refused(tmp_path / "f")


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "f").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there/f")
    assert "exists" in refused(tmp_path / "link")
    write_atomic(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "f").read_bytes() == b"new"


def test_a_dangling_link_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("f")
    write_atomic(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "f").read_bytes() == b"new"


def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    refused(tmp_path / "a", overwrite=True)
    assert names(tmp_path) == ["a", "b"]


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    refused(str(tmp_path / "a\0b"))
    refused(tmp_path / ("n" * 300))
    assert names(tmp_path) == []
    with pytest.raises(UsageError):
        write_atomic(3, b"new")
