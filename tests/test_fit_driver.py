"""A run: the best of all rounds and restarts, the same bits by any number of workers, and every way to end."""

import contextlib
import inspect
import io
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fit_toys import SIZE, Momentum, Rosenbrock, bits, kept, starts
from neuralgebra.errors import ShapeError, UsageError
from neuralgebra.fitting import progress
from neuralgebra.fitting.driver import Outcome, run
from neuralgebra.fitting.progress import Extent, Round


def fitted(**options: Any) -> Outcome:
    known: dict[str, Any] = {"problem": Rosenbrock(), "solver": Momentum(iterations=100), "starts": starts(2)}
    known |= {"seed": 3, "progress": False, **options}
    return run(known.pop("problem"), known.pop("solver"), known.pop("starts"), **known)


# What is found


def test_the_least_loss_is_found_and_its_history_told() -> None:
    found = fitted(solver=Momentum(noise=0.0, iterations=5000), starts=starts(2) / 10 + 1)
    assert np.allclose(found.theta, 1, atol=1e-3)
    assert found.loss == Rosenbrock().loss(found.theta) < 1e-6
    assert found.reason == "5000 iterations done"
    assert found.history[:, 0].tolist() == list(range(1001))
    assert (np.diff(found.history[:, 1]) > 0).all()
    assert found.loss == found.history[:, 2].min() == found.history[found.round, 2]
    assert np.isnan(found.history[:, 3]).all()
    assert math.isnan(found.validation)
    assert found.evaluations == 2 * (1 + 1000 * 6)
    assert (found.stopped, found.saved, found.warnings) == (False, False, ())
    assert not found.theta.flags.writeable
    assert not found.history.flags.writeable


def test_the_best_point_is_kept_though_later_ones_are_worse() -> None:
    found = fitted(solver=Momentum(noise=30.0, iterations=2000), starts=np.ones((1, SIZE)))
    assert found.loss == found.history[:, 2].min() < found.history[-1, 2]
    assert found.loss == Rosenbrock().loss(found.theta)


def test_the_best_restart_wins() -> None:
    found = fitted(starts=starts(5))
    losses = [ending.loss for ending in found.restarts]
    assert found.restart == np.argmin(losses)
    assert found.loss == min(losses) < max(losses)
    alone = fitted(starts=starts(5)[: found.restart + 1])
    assert alone.theta.tobytes() == found.theta.tobytes()


def test_of_equally_good_restarts_the_first_wins() -> None:
    solver = Momentum(noise=0.0, iterations=50)
    twins = starts(1)[[0, 0, 0]]
    assert fitted(solver=solver, starts=twins).restart == 0
    worse = np.concatenate([twins[:1] * 3, twins])
    assert fitted(solver=solver, starts=worse).restart == 1


@dataclass(frozen=True)
class Drawing(Momentum):
    """Each point is a random one."""

    name = "drawing"

    def step(self, problem: Any, state: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
        theta = rng.standard_normal(len(state["theta"]))
        return {**super().step(problem, state, rng), "theta": theta, "loss": np.array(problem.loss(theta))}


def test_each_round_restart_and_seed_draws_its_own_numbers() -> None:
    twins = starts(1)[[0, 0]]
    losses: list[float] = []
    fitted(starts=twins, solver=Drawing(iterations=100), callback=lambda now: losses.append(now.loss))
    assert len(set(losses)) == len(losses) == 2 * 21
    found = fitted(starts=twins)
    assert bits(found) == bits(fitted(starts=twins))
    assert bits(found) != bits(fitted(starts=twins, seed=4))


def test_the_bits_do_not_depend_on_the_number_of_workers() -> None:
    options: dict[str, Any] = {"starts": starts(4), "validation": Rosenbrock(target=0.7), "patience": 30}
    options |= {"solver": Momentum(iterations=600), "problem": Rosenbrock(pause=1e-4)}
    alone = fitted(**options)
    assert {ending.rounds for ending in alone.restarts} != {alone.restarts[0].rounds}
    assert bits(alone) == bits(fitted(workers=2, **options)) == bits(fitted(workers=3, **options))


# Ends


def test_a_limit_of_rounds() -> None:
    found = fitted(rounds=7)
    assert found.reason == "7 rounds done"
    assert found.history[:, 0].tolist() == list(range(8))


def test_a_validation_loss_decides_and_stops_early() -> None:
    held_back = Rosenbrock(target=0.5)
    found = fitted(solver=Momentum(noise=0.0, iterations=30_000), validation=held_back, patience=25)
    assert found.reason == f"stopped early: no better validation loss in 25 rounds, since round {found.round}"
    assert len(found.history) == found.round + 26
    assert found.validation == held_back.loss(found.theta) == found.history[:, 3].min()
    assert found.loss == Rosenbrock().loss(found.theta) > found.history[:, 2].min()
    assert found.validation == min(ending.validation for ending in found.restarts)


@dataclass(frozen=True)
class Failing(Momentum):
    """From the third round on, one array is something else."""

    name = "failing"
    array: str = "loss"
    value: float = math.nan

    def step(self, problem: Any, state: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
        after = super().step(problem, state, rng)
        if int(after["rounds"]) >= 3:
            after[self.array] = np.full(after.get(self.array, after["loss"]).shape, self.value)
        return after


@pytest.mark.parametrize(
    ("array", "value", "words"),
    [
        ("loss", math.nan, "the loss is not a number"),
        ("loss", math.inf, "the loss is infinite"),
        ("loss", 1e40, "the loss has grown to 1e+40"),
        ("current", math.nan, "the loss is not a number"),
        ("current", 1e40, "the loss has grown to 1e+40"),
        ("velocity", math.nan, "velocity holds what is not a number"),
    ],
)
def test_a_search_that_diverges_stops_and_says_where(array: str, value: float, words: str) -> None:
    found = fitted(solver=Failing(array=array, value=value))
    assert found.reason == f"diverged in round 3: {words}"
    assert len(found.history) == 4
    assert np.isfinite([found.loss, *found.theta]).all()
    assert found.loss == Rosenbrock().loss(found.theta)
    assert len(found.warnings) == 2
    assert "restart 1 diverged in round 3" in found.warnings[1]
    assert f"its best point, of round {found.round}, is kept" in found.warnings[found.restart]


def test_a_search_that_truly_diverges_does_so_without_warnings_of_arrays() -> None:
    found = fitted(solver=Momentum(rate=1.0))
    assert "diverged in round" in found.reason
    assert found.loss == found.history[0, 2]
    assert np.isfinite(found.theta).all()


def test_a_good_start_may_get_worse() -> None:
    found = fitted(starts=np.full((1, SIZE), 1 + 1e-9), solver=Failing(noise=0.0, value=1.0, iterations=50))
    assert found.history[0, 2] < 1e-15 < 1 == found.history[-1, 2]
    assert found.reason == "50 iterations done"


def test_a_restart_that_diverges_leaves_the_others_alone() -> None:
    far = starts(2)
    far[0] *= 1e3
    found = fitted(starts=far)
    assert found.restart == 1
    assert found.reason == "100 iterations done"
    assert "diverged" in found.restarts[0].reason
    assert len(found.warnings) == 1


def test_a_limit_of_seconds_is_shared_by_all_restarts_and_said() -> None:
    found = fitted(problem=Rosenbrock(pause=1e-3), solver=Momentum(iterations=10**6), starts=starts(3), seconds=0.3)
    assert found.reason.startswith("stopped after 0.3 s, in round ")
    assert found.warnings == ("a limit of seconds ended the run: the next one may end elsewhere",)
    rounds = [ending.rounds for ending in found.restarts]
    assert max(rounds) - min(rounds) <= 1
    assert not found.stopped


def test_a_callback_sees_every_round_and_stops_the_run() -> None:
    seen: list[Round] = []

    def callback(now: Round) -> bool:
        seen.append(now)
        return len(seen) == 9

    found = fitted(callback=callback)
    assert [(now.restart, now.round) for now in seen] == [(i % 2, i // 2) for i in range(9)]
    assert [now.best for now in seen] == np.minimum.accumulate([now.loss for now in seen]).tolist()
    assert found.stopped
    assert found.reason.startswith("interrupted by the callback after round ")
    with pytest.raises(AttributeError):
        seen[0].loss = 0.0  # type: ignore[misc]


def test_only_true_stops() -> None:
    assert not fitted(callback=lambda now: "a text").stopped
    assert fitted(callback=lambda now: np.float64(now.loss) > 0).stopped


# What goes wrong


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_round_comes_through(workers: int) -> None:
    with pytest.raises(ArithmeticError, match="the round that fails") as error:
        fitted(solver=Momentum(fault=2), workers=workers)
    assert any("In a worker process" in note for note in getattr(error.value, "__notes__", [])) == (workers > 1)


@dataclass(frozen=True)
class Dying(Momentum):
    name = "dying"

    def step(self, problem: Any, state: Any, rng: np.random.Generator) -> dict[str, np.ndarray]:
        os._exit(9)


def test_a_worker_that_dies_is_told(tmp_path: Path) -> None:
    module = "from fit_toys import *\n\n" + _source(Dying)
    (tmp_path / "dying_toy.py").write_text("import os\n" + module)
    script = "import dying_toy as d\nif __name__ == '__main__':\n    try:\n        " + (
        "d.run(d.Rosenbrock(), d.Dying(), d.starts(2), workers=2, progress=False)\n"
        "    except d.na.errors.ResourceError as error:\n        print(error)\n"
    )
    answer = _script(tmp_path, script)
    assert "a worker process ended (exit code 9) during restart" in answer.stdout
    assert len(answer.stdout.splitlines()) == 3


def _source(item: type) -> str:
    return inspect.getsource(item)


def _script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text)
    paths = [str(Path(__file__).parent), str(Path(progress.__file__).parents[2]), str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, str(folder / "script.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_a_script_without_guard_is_told_what_is_missing(tmp_path: Path) -> None:
    script = "from fit_toys import *\nrun(Rosenbrock(), Momentum(), starts(2), workers=2, progress=False)\n"
    answer = _script(tmp_path, script)
    assert answer.returncode == 1
    assert 'if __name__ == "__main__":' in answer.stderr.splitlines()[-2]


def test_what_cannot_be_sent_to_workers_is_refused() -> None:
    class Local(Rosenbrock):
        pass

    with pytest.raises(UsageError, match="workers=1"):
        fitted(problem=Local(), workers=2)
    assert fitted(problem=Local()).loss < 100


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"workers": True},
        {"rounds": 0},
        {"rounds": 1.5},
        {"patience": 0},
        {"seconds": 0},
        {"seconds": math.nan},
        {"progress": "loud"},
        {"seed": -1},
        {"seed": 1.0},
        {"seed": 2**64},
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="received") as error:
        fitted(**options)
    assert next(iter(options)) in str(error.value)


@pytest.mark.parametrize("bad", [np.zeros(SIZE), np.zeros((2, SIZE + 1)), np.zeros((0, SIZE))])
def test_starting_points_of_another_shape_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(ShapeError, match=rf"\(restarts, {SIZE}\) expected"):
        fitted(starts=bad)


# Signals


def interrupting(number: int, *, at: int, times: int = 1) -> Any:
    def callback(now: Round) -> None:
        if now.round == at and now.restart == 0:
            for _ in range(times):
                os.kill(os.getpid(), number)

    return callback


@contextlib.contextmanager
def handler(number: int, wanted: Any) -> Iterator[None]:
    before = signal.signal(number, wanted)
    try:
        yield
        assert signal.getsignal(number) == wanted
    finally:
        signal.signal(number, before)


def test_the_first_interrupt_finishes_the_round() -> None:
    with handler(signal.SIGINT, signal.default_int_handler):
        found = fitted(callback=interrupting(signal.SIGINT, at=4), starts=starts(1))
    assert found.stopped
    assert found.reason == "interrupted by SIGINT after round 4"
    assert len(found.history) == 5


def test_the_second_interrupt_stops_now() -> None:
    rounds: list[int] = []
    with handler(signal.SIGINT, signal.default_int_handler), pytest.raises(KeyboardInterrupt):
        fitted(callback=lambda now: (rounds.append(now.round), interrupting(signal.SIGINT, at=4, times=2)(now))[1])
    assert max(rounds) == 4


def test_an_interrupt_of_workers(capfd: pytest.CaptureFixture[str]) -> None:
    def callback(now: Round) -> None:
        if now.round == 4 and now.restart == 0:  # a terminal sends it to all
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with handler(signal.SIGINT, signal.default_int_handler):
        found = fitted(callback=callback, workers=2, solver=Momentum(iterations=10**7), starts=starts(3))
    assert found.stopped
    assert found.reason.startswith("interrupted by SIGINT")
    assert capfd.readouterr() == ("", "")
    assert not multiprocessing.active_children()


def test_workers_that_end_with_an_interrupt_do_not_spoil_it() -> None:
    def callback(now: Round) -> None:
        if now.round == 4:
            os.kill(os.getpid(), signal.SIGINT)
            for process in multiprocessing.active_children():
                process.kill()

    with handler(signal.SIGINT, signal.default_int_handler):
        found = fitted(callback=callback, workers=2, solver=Momentum(iterations=10**7), starts=starts(3))
    assert found.stopped


def test_a_daemon_has_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)  # type: ignore[attr-defined]
    assert bits(fitted(workers=2)) == bits(fitted())


def test_another_signal_if_it_is_asked_for() -> None:
    with handler(signal.SIGTERM, signal.SIG_DFL):
        found = fitted(callback=interrupting(signal.SIGTERM, at=2), signals=(signal.SIGINT, signal.SIGTERM))
    assert found.stopped
    assert "SIGTERM" in found.reason


def test_an_interrupt_that_is_ignored_stays_ignored() -> None:
    with handler(signal.SIGINT, signal.SIG_IGN):
        found = fitted(callback=interrupting(signal.SIGINT, at=2))
    assert not found.stopped
    assert found.reason == "100 iterations done"


def test_outside_of_the_main_thread_all_but_signals_works() -> None:
    found: list[Outcome] = []
    thread = threading.Thread(target=lambda: found.append(fitted()))
    thread.start()
    thread.join()
    assert bits(found[0]) == bits(fitted())


# What a person sees


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_plain_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINES", 0.0)
    fitted(progress="auto", rounds=3)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2 * 4 + 1
    assert lines[-2].startswith("round 3 of 3, restart 2 of 2: loss ")
    assert lines[-1].startswith("3 rounds done; best ")
    assert "\x1b" not in err


def test_lines_come_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    fitted(progress=True)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_silence(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINES", 0.0)
    fitted(progress=False)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)
    fitted(progress="auto")


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    fitted(rounds=5, progress="auto")
    text = terminal.getvalue()
    assert "\x1b[" in text
    assert "round 5 of 5, restart 2 of 2" in text
    assert "5 rounds done; best" in text
    assert capsys.readouterr().out == ""


def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "dumb")
    fitted(progress=True)
    assert len(terminal.getvalue().splitlines()) == 1


def test_a_log_that_is_closed_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    closed.isatty = lambda: False  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", closed)
    assert fitted(progress="auto").reason == "100 iterations done"


def test_how_much_is_left() -> None:
    assert Extent().done(5, 1.0) is None
    assert Extent(2, 10).done(5, 1.0) == 0.25
    assert Extent(2, 10, 2.0).done(5, 1.0) == 0.5
    assert Extent(1, 10).done(20, 1.0) == 1.0
    assert "validation 2.000e+00" in Extent().words(Round(1, 1.0, 1.0, 0.0, validation=2.0))


# An error leaves a checkpoint


def test_an_error_in_a_round_saves_what_was_reached(tmp_path: Path) -> None:
    with pytest.raises(ArithmeticError):
        fitted(solver=Momentum(iterations=100, fault=5), folder=kept(tmp_path / "run", 60.0))
    with pytest.raises(ValueError, match=r"momentum\.fault -1 received, 5 expected"):
        fitted(folder=kept(tmp_path / "run"))
