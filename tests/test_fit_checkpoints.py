"""The folder of a run: whatever happens to it or to the process, a run goes on with the same bits or is refused."""

import json
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from fit_toys import SIZE, Momentum, Rosenbrock, begun, bits, children, kept, line, opened_again, starts, waited_for
from neuralgebra.errors import InputError, LoadError, NeuralgebraError, OutputError, UsageError
from neuralgebra.files import atomic
from neuralgebra.fitting import checkpoints
from neuralgebra.fitting.checkpoints import BEST, Folder, Vault, fingerprint, opened, versions
from neuralgebra.fitting.driver import Outcome, run
from neuralgebra.fitting.progress import Round

IDENTITY = {"data": "the data", "seed": "7"}
ARRAYS = {
    "double": np.linspace(0, 1, 7),
    "single": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "count": np.array(2**62 + 1),
    "flag": np.array(True),
    "none": np.zeros((0, 3)),
    "special": np.array([np.nan, np.inf, -0.0, 5e-324]),
}


def fitted(path: Path, *, interval: float = 1e-9, data: str = "the data", **options: Any) -> Outcome:
    known: dict[str, Any] = {"problem": Rosenbrock(), "solver": Momentum(iterations=100), "starts": starts(2)}
    known |= {"seed": 3, "progress": False, "folder": kept(path, interval, data), **options}
    return run(known.pop("problem"), known.pop("solver"), known.pop("starts"), **known)


def stopping(at: int) -> Any:
    """A callback that stops when so many rounds have been seen."""
    seen: list[Round] = []
    return lambda now: (seen.append(now), len(seen) >= at)[1]


def written(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.partition("-")[2]))


def filled(folder: Path, count: int = 3) -> None:
    with opened(Folder(folder, "the data"), IDENTITY) as vault:
        for number in range(count):
            assert vault.save({"number": number}, ARRAYS)


def loaded(folder: Path, identity: dict[str, str] = IDENTITY) -> tuple[Any, list[str]]:
    with opened(Folder(folder, "the data"), identity) as vault:
        return vault.load(), vault.warnings


def refused(error: type[NeuralgebraError], call: Any, *words: str) -> str:
    with pytest.raises(error) as caught:
        call()
    text = str(caught.value)
    assert len(text.splitlines()) <= 3
    assert all(word in text for word in words), text
    return text


# One checkpoint


def test_arrays_come_back_bit_for_bit(tmp_path: Path) -> None:
    filled(tmp_path)
    found, warnings = loaded(tmp_path)
    assert found.head["number"] == 2
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        back = found.arrays[name]
        assert (back.dtype, back.shape, back.tobytes()) == (array.dtype, array.shape, array.tobytes())
        assert back.flags.writeable
    assert warnings == []


def test_two_are_kept(tmp_path: Path) -> None:
    filled(tmp_path, 12)
    assert [path.name for path in written(tmp_path)] == ["checkpoint-11", "checkpoint-12"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-11", "checkpoint-12", "lock"]


def test_an_empty_folder_has_none(tmp_path: Path) -> None:
    assert loaded(tmp_path / "new" / "deep") == (None, [])


def damages(data: bytes) -> list[bytes]:
    random = np.random.default_rng(0)
    cut = [data[:length] for length in (0, 1, 20, 87, 88, 96, 200, len(data) // 2, len(data) - 1)]
    flipped = []
    for place in [0, 24, 30, 87, 88, 89, 96, 97, len(data) - 1, *random.integers(0, len(data), 40)]:
        changed = bytearray(data)
        changed[place] ^= 1 << int(random.integers(8))
        flipped.append(bytes(changed))
    return [*cut, *flipped, data + b"\0", b"\0" * len(data), b"neuralgebra checkpoint " + b"0" * 64 + b"\n"]


def test_a_damaged_checkpoint_is_passed_over_and_that_is_said(tmp_path: Path) -> None:
    filled(tmp_path)
    last = written(tmp_path)[-1]
    whole = last.read_bytes()
    for data in damages(whole):
        last.write_bytes(data)
        found, warnings = loaded(tmp_path)
        assert found.head["number"] == 1
        assert len(warnings) == 1
        assert "checkpoint-2, is used" in warnings[0]
        assert warnings[0].endswith("The one before, checkpoint-2, is used.")


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    filled(tmp_path)
    last = written(tmp_path)[-1]
    last.unlink()
    last.mkdir()
    assert loaded(tmp_path)[0].head["number"] == 1


def test_a_whole_file_that_is_no_checkpoint_is_passed_over(tmp_path: Path) -> None:
    filled(tmp_path)
    last = written(tmp_path)[-1]
    for head in ("[]", "{}", '{"format": 1}', '{"format": 1, "identity": {"data": 3}}', "nonsense", "[" * 100_000):
        body = checkpoints.safetensors.numpy.save({"x": np.zeros(1)}, {"neuralgebra": head})
        digest = checkpoints.hashlib.sha256(body).hexdigest().encode()
        last.write_bytes(b"neuralgebra checkpoint " + digest + b"\n" + body)
        found, warnings = loaded(tmp_path)
        assert found.head["number"] == 1
        assert len(warnings) == 1


def test_after_a_damaged_one_two_good_ones_are_kept(tmp_path: Path) -> None:
    filled(tmp_path)
    written(tmp_path)[-1].write_bytes(b"")
    with opened(Folder(tmp_path, "the data"), IDENTITY) as vault:
        vault.load()
        assert vault.save({"number": 3}, ARRAYS)
    assert [path.name for path in written(tmp_path)] == ["checkpoint-2", "checkpoint-4"]


def test_if_all_are_damaged_nothing_begins_anew_unasked(tmp_path: Path) -> None:
    filled(tmp_path)
    for path in written(tmp_path):
        path.write_bytes(path.read_bytes()[:-1])
    refused(LoadError, lambda: loaded(tmp_path), "checkpoint-3", "damaged", "another folder")
    assert len(written(tmp_path)) == 2


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as context:
        context.setattr(checkpoints, "FORMAT", 2)
        filled(tmp_path)
    refused(InputError, lambda: loaded(tmp_path), "format 2 received; 1 expected")


# Another run


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"data": "others"}, "data others received, the data expected"),
        ({"seed": 4}, "seed 4 received, 3 expected"),
        ({"solver": Momentum(iterations=101)}, "momentum.iterations 101 received, 100 expected"),
        ({"starts": starts(3)}, "restarts 3 received, 2 expected"),
        ({"starts": -starts(2)}, "starting points "),
        ({"problem": Rosenbrock(SIZE + 1), "starts": starts(2, SIZE + 1)}, "numbers sought 7 received, 6 expected"),
        ({"validation": Rosenbrock()}, "validation patience 20 received, no expected"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    first = fitted(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    refused(InputError, lambda: fitted(tmp_path, **options), words, "another folder")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert bits(fitted(tmp_path)) == bits(first)


@pytest.mark.parametrize("name", ["neuralgebra", "numpy", "python"])
def test_another_version_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(tmp_path)
    monkeypatch.setattr("neuralgebra.fitting.driver.versions", lambda: versions() | {name: "9.9"})
    refused(InputError, lambda: fitted(tmp_path), f"{name} 9.9 received, {versions()[name]} expected")


def test_another_structure_is_refused(tmp_path: Path) -> None:
    fitted(tmp_path)
    other = Folder(tmp_path, "the data", {"structure": "6-2", "decay": 0.1})
    text = refused(InputError, lambda: fitted(tmp_path, folder=other), "structure 6-2 received, 6-1 expected")
    assert "decay 0.1 received, nothing expected" in text


def test_words_of_a_checkpoint_are_shown_escaped(tmp_path: Path) -> None:
    with opened(Folder(tmp_path, "the data"), {"\x1b]8;;": "\x1b[31m\n" * 50}) as vault:
        vault.save({}, ARRAYS)
    text = refused(InputError, lambda: loaded(tmp_path), "received")
    assert "\x1b" not in text
    assert len(text) < 600


def test_a_state_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    fitted(tmp_path)
    with opened_again(tmp_path) as found:
        assert found is not None
    identity = found.head["identity"]
    for change in (
        {"0.theta": np.zeros(SIZE + 1)},
        {"0.state.theta": np.zeros(SIZE, np.float32)},
        {"0.loss": np.zeros(2)},
        {"0.history": np.zeros(3)},
        {"0.state.rounds": np.array(-1)},
        {"2.theta": np.zeros(SIZE)},
        {"x": np.zeros(SIZE)},
    ):
        with opened(kept(tmp_path), identity) as vault:
            assert vault.save(found.head, {**found.arrays, **change})
        refused(InputError, lambda: fitted(tmp_path), "received")


def test_fingerprints_tell_apart() -> None:
    x = np.arange(6.0)
    known = [(x,), (x, x), (x.reshape(2, 3),), (x.reshape(3, 2),), (x.astype(np.float32),), (x + 1e-16,), (-x,)]
    known += [("x1", "x2"), ("x1x2",), ("x2", "x1"), (x[:3], x[3:]), (x[:2], x[2:]), ()]  # type: ignore[list-item]
    assert len({fingerprint(*parts) for parts in known}) == len(known)
    assert fingerprint(x.reshape(2, 3).T) == fingerprint(np.ascontiguousarray(x.reshape(2, 3).T))


# The lock


def test_two_runs_on_one_folder(tmp_path: Path) -> None:
    with opened(kept(tmp_path), IDENTITY):
        refused(OutputError, lambda: fitted(tmp_path), f"in use by another run, process {os.getpid()} on ")
    assert fitted(tmp_path).saved


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_a_killed_run_leaves_neither_lock_nor_workers(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = begun("run", folder, 2, 3000, 1e-3)
    waited_for(folder / BEST)
    refused(OutputError, lambda: fitted(folder), f"process {process.pid} on ")
    workers = children(process.pid)
    process.kill()
    process.communicate()
    with opened_again(folder) as checkpoint:
        assert checkpoint is not None
    end = time.monotonic() + 60
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < end, "workers are left"
        time.sleep(0.05)
    assert len(workers) >= 2


def test_an_interrupt_from_a_terminal_saves(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = begun("run", folder, 1, 10**6, 1e-3)
    waited_for(folder / BEST)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    stopped, saved, reason = json.loads(out)
    assert (stopped, saved) == (True, True)
    assert re.fullmatch(r"interrupted by SIGINT after round \d+", reason)
    assert reason in err


def test_what_is_no_lock_stays(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("a diary")
    refused(OutputError, lambda: fitted(tmp_path), "no lock of a run")
    assert (tmp_path / "lock").read_text() == "a diary"
    (tmp_path / "lock").rename(tmp_path / "diary")
    (tmp_path / "lock").symlink_to("diary")
    refused(OutputError, lambda: fitted(tmp_path), "no run can be kept there")
    assert (tmp_path / "diary").read_text() == "a diary"


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    refused(OutputError, lambda: fitted(tmp_path / "file"), "no run can be kept there")
    refused(OutputError, lambda: fitted(tmp_path / "file" / "run"), "no run can be kept there")
    refused(OutputError, lambda: fitted(tmp_path / "a\0b"), "no run can be kept there")
    monkeypatch.setattr(os, "access", lambda *_: False)
    refused(OutputError, lambda: fitted(tmp_path / "run"), "Permission denied")


def test_a_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def seize(lock: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(checkpoints, "_seize", seize)
    refused(OutputError, lambda: fitted(tmp_path), "cannot be locked (No locks available)")


@pytest.mark.parametrize("interval", [0, -1, np.nan])
def test_an_interval_that_makes_no_sense(interval: float, tmp_path: Path) -> None:
    refused(UsageError, lambda: kept(tmp_path, interval), "interval=")


# Writing while a run goes on


def test_checkpoints_come_at_intervals_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    saves: list[float] = []
    save = Vault.save
    monkeypatch.setattr("neuralgebra.fitting.driver.time.monotonic", lambda: now[0])
    monkeypatch.setattr(Vault, "save", lambda *given: (saves.append(now[0]), save(*given))[1])

    def callback(_: Round) -> None:
        now[0] += 7.0

    fitted(tmp_path, interval=60.0, starts=starts(1), callback=callback, rounds=20)
    assert saves == [63.0, 126.0, 147.0]


def test_the_best_network_is_kept_and_replaced_only_by_a_better_one(tmp_path: Path) -> None:
    bests: list[float] = []
    files: list[bytes] = []
    times: set[int] = set()

    def callback(now: Round) -> None:
        bests.append(now.best)
        if now.round:  # written after the round before
            files.append((tmp_path / BEST).read_bytes())
            times.add((tmp_path / BEST).stat().st_mtime_ns)

    found = fitted(tmp_path, callback=callback, starts=starts(1) / 3, solver=Momentum(noise=1.0, iterations=300))
    assert na.load(tmp_path / BEST) == line(found.theta)
    files.append((tmp_path / BEST).read_bytes())
    assert 2 < len(set(bests)) == len(set(files)) == len(set(zip(bests, files, strict=True))) < len(files)
    assert len(set(files[:-1])) == len(times)  # not written again for nothing


def test_a_network_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / BEST).write_bytes(b"precious")
    refused(OutputError, lambda: fitted(tmp_path), BEST)
    assert (tmp_path / BEST).read_bytes() == b"precious"


def test_a_full_disk_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted(tmp_path / "whole")
    fitted(tmp_path / "run", callback=stopping(20))
    before = {path.name: path.read_bytes() for path in written(tmp_path / "run")}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(atomic.os, "fsync", full)
        found = fitted(tmp_path / "run")
    assert bits(found) == bits(whole)
    assert not found.saved
    assert len(found.warnings) == 2
    assert all("No space left on device" in text for text in found.warnings)
    assert {path.name: path.read_bytes() for path in written(tmp_path / "run")} == before
    assert not list((tmp_path / "run").glob(".neuralgebra-*"))
    again = fitted(tmp_path / "run")
    assert again.saved
    assert bits(again) == bits(whole)


def test_a_folder_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    def callback(now: Round) -> None:
        if now.round == 5 and now.restart == 0:
            shutil.rmtree(tmp_path / "run")

    found = fitted(tmp_path / "run", callback=callback)
    assert bits(found) == bits(fitted(tmp_path / "whole"))
    assert not found.saved
    assert len(found.warnings) == 2
    assert all("its folder does not exist" in text for text in found.warnings)


def test_what_a_killed_run_left_half_written_is_removed(tmp_path: Path) -> None:
    half, other = tmp_path / f".neuralgebra-{'0' * 16}.tmp", tmp_path / ".neuralgebra-notes.tmp"
    for path in (half, other):
        path.write_bytes(b"half")
    fitted(tmp_path)
    assert not half.exists()
    assert other.exists()


# Going on


@pytest.mark.parametrize("at", [1, 2, 3, 17, 40, 41])
@pytest.mark.parametrize("validation", [None, Rosenbrock(target=0.5)])
def test_a_run_that_goes_on_ends_with_the_same_bits(at: int, validation: Any, tmp_path: Path) -> None:
    options: dict[str, Any] = {"validation": validation, "patience": 9}
    whole = fitted(tmp_path / "whole", **options)
    part = fitted(tmp_path / "run", callback=stopping(at), **options)
    assert part.stopped
    assert part.saved
    with opened_again(tmp_path / "run") as checkpoint:
        assert checkpoint is not None
    seen: list[float] = []
    found = fitted(tmp_path / "run", callback=lambda now: seen.append(now.best), **options)
    assert bits(found) == bits(whole)
    assert found.seconds > checkpoint.head["seconds"] > 0
    assert (tmp_path / "run" / BEST).read_bytes() == (tmp_path / "whole" / BEST).read_bytes()
    assert len(seen) == sum(ending.rounds + 1 for ending in whole.restarts) - at
    assert min(seen) == (whole.loss if validation is None else whole.validation)


def test_a_run_that_has_ended_is_not_computed_again(tmp_path: Path) -> None:
    whole = fitted(tmp_path)
    files = {path.name: path.read_bytes() for path in written(tmp_path)}
    (tmp_path / BEST).unlink()
    seen: list[Round] = []
    assert bits(fitted(tmp_path, callback=seen.append)) == bits(whole)
    assert seen == []
    assert {path.name: path.read_bytes() for path in written(tmp_path)} == files
    assert na.load(tmp_path / BEST) == line(whole.theta)


def test_a_run_of_few_rounds_becomes_one_of_more(tmp_path: Path) -> None:
    fitted(tmp_path / "run", rounds=5)
    assert bits(fitted(tmp_path / "run", rounds=12)) == bits(fitted(tmp_path / "whole", rounds=12))


def test_seconds_count_from_the_first_beginning(tmp_path: Path) -> None:
    long = {"solver": Momentum(iterations=10**7), "seconds": 0.2}
    first = fitted(tmp_path, **long)
    again = fitted(tmp_path, **long)
    assert bits(again) == bits(first)
    assert fitted(tmp_path, **long | {"seconds": 0.4}).restarts[0].rounds > first.restarts[0].rounds


def test_another_number_of_workers_may_go_on(tmp_path: Path) -> None:
    options: dict[str, Any] = {"starts": starts(3)}
    fitted(tmp_path / "run", callback=stopping(40), **options)
    assert bits(fitted(tmp_path / "run", workers=2, **options)) == bits(fitted(tmp_path / "whole", **options))


def test_the_checkpoint_before_gives_the_same_bits(tmp_path: Path) -> None:
    whole = fitted(tmp_path / "whole")
    fitted(tmp_path / "run", callback=stopping(20))
    last = written(tmp_path / "run")[-1]
    last.write_bytes(last.read_bytes()[:-5])
    found = fitted(tmp_path / "run")
    assert bits(found) == bits(whole)
    assert "is used" in found.warnings[0]


def killed(folder: Path, rounds: int, seed: int) -> None:
    """Compare a run that is killed again and again with one that is left alone."""
    process = begun("kills", folder / "run", rounds, seed)
    out, err = process.communicate()
    assert process.returncode == 0, err
    lost = json.loads(out)
    assert len(lost) >= 3, "it was too quick to be killed"
    assert max(lost) < 1.0, "more than an interval was lost"
    options: dict[str, Any] = {"solver": Momentum(iterations=10**9), "seed": 7, "rounds": rounds, "starts": starts(3)}
    whole = fitted(folder / "whole", **options)
    assert bits(fitted(folder / "run", **options)) == bits(whole)
    assert (folder / "run" / BEST).read_bytes() == (folder / "whole" / BEST).read_bytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks what it kills")
def test_a_run_that_is_killed_at_any_moment_ends_with_the_same_bits(tmp_path: Path) -> None:
    killed(tmp_path, 200, 1)


@pytest.mark.long
def test_a_longer_run_that_is_killed_again_and_again(tmp_path: Path) -> None:
    for seed in range(10):
        killed(tmp_path / str(seed), 1000, seed)
