"""Compilers and interpreters that are there, and programs run by them at points."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuralgebra.code.language import Language
from neuralgebra.code.program import Function
from neuralgebra.errors import InputError

__all__ = ["HOSTS", "Host", "host"]

Results = list[np.ndarray]
Calls = Sequence[tuple[Function, Sequence[np.ndarray]]]
Jobs = Sequence[tuple[Language, Calls]]
Runner = Callable[[str, Jobs], list[list[Results]]]


@dataclass(frozen=True)
class Host:
    """What runs the programs of one language.

    Parameters
    ----------
    name : str
        What it is called.
    tool : str
        The path of its compiler or interpreter.
    runner : callable
        (tool, programs with calls) -> for each call of each program one array for each result, first axis the points.
    """

    name: str
    tool: str
    runner: Runner

    def run(self, program: Language, function: Function, *given: np.ndarray) -> Results:
        """Return the results of a function of a program at all points, one array (points, …) for each.

        Parameters
        ----------
        program : Language
            The program, ready to be printed.
        function : Function
            One of its functions.
        *given : ndarray, shape (points, …)
            Its arguments.

        Returns
        -------
        list of ndarray
            Results.

        Raises
        ------
        InputError
            When the program cannot be compiled or run; the message has the first lines of what was said.
        """
        return self.run_all([(program, [(function, given)])])[0][0]

    def run_all(self, jobs: Jobs) -> list[list[Results]]:
        """Return the results of several programs, run together.

        Parameters
        ----------
        jobs : sequence of (Language, sequence of (Function, sequence of ndarray))
            Programs of different names, and for each some of its functions with their arguments at all points.

        Returns
        -------
        list of list of list of ndarray
            For each program, for each function, its results.

        Raises
        ------
        InputError
            As `run`.
        """
        plain = [
            (program, [(f, [np.ascontiguousarray(a, program.dtype) for a in given]) for f, given in calls])
            for program, calls in jobs
        ]
        return self.runner(self.tool, plain)


def host(language: str) -> Host | None:
    """Return what runs a language on this machine; None if nothing does."""
    tools, runner = HOSTS.get(language, ((), None))
    found = next((path for path in map(shutil.which, tools) if path), None)
    return None if found is None or runner is None else Host(os.path.basename(found), found, runner)


def _compiled_c(tool: str, jobs: Jobs) -> list[list[Results]]:
    """Return the results of C, as a library of this process."""
    with tempfile.TemporaryDirectory() as folder:
        sources, library = [], Path(folder, "all.so")
        for program, _ in jobs:
            sources.append(Path(folder, f"{program.name}.c"))
            sources[-1].write_text(program.text())
        done = [tool, "-std=c99", "-O1", "-shared", "-fPIC", *map(str, sources), "-o", str(library), "-lm"]
        _expect_done(subprocess.run(done, capture_output=True, text=True))
        loaded = ctypes.CDLL(str(library))
    return [[_called(getattr(loaded, p.function(f)), p, f, given) for f, given in calls] for p, calls in jobs]


def _called(call: Any, program: Language, function: Function, given: Sequence[np.ndarray]) -> Results:
    """Return the results of a function in C."""
    results = [np.zeros((len(given[0]), b.size), program.dtype) for b in function.outputs]
    for row in range(len(given[0])):
        call(*(ctypes.c_void_p(a[row].ctypes.data) for a in (*given, *results)))
    return results


def _expect_done(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a tool printed; raise InputError with the first lines of what it said unless it succeeded."""
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[:2])
        raise InputError(f"the program was not compiled or not run ({done.returncode}): {said}")
    return done.stdout


def _printing(driver: Callable[[Jobs], list[str]], suffix: str, *commands: str) -> Runner:
    """Return what runs programs with lines in a file `run` that print their results: one line each at each point.

    Commands are words between spaces; {tool} and {files} stand for the host and for all programs.
    """

    def run(tool: str, jobs: Jobs) -> list[list[Results]]:
        with tempfile.TemporaryDirectory() as folder:
            files = [f"{program.name}{program.suffix}" for program, _ in jobs]
            for file, (program, _) in zip(files, jobs, strict=True):
                Path(folder, file).write_text(program.text())
            Path(folder, f"run{suffix}").write_text("\n".join(driver(jobs)))
            said = ""
            for command in commands:
                words = [w.format(tool=tool) for w in command.replace("{files}", " ".join(files)).split()]
                said = _expect_done(subprocess.run(words, capture_output=True, text=True, cwd=folder))
        printed = iter(line.split() for line in said.splitlines() if line.strip())
        return [[_read(printed, p, f, len(given[0])) for f, given in calls] for p, calls in jobs]

    return run


def _read(printed: Iterator[list[str]], program: Language, function: Function, points: int) -> Results:
    """Return the results of a function from the lines that were printed."""
    count = len(function.outputs)
    lines = [np.array(next(printed), dtype=program.dtype) for _ in range(points * count)]
    return [np.array(lines[i::count]) for i in range(count)]


def _listed(program: Language, calls: Calls) -> Iterator[tuple[Function, list[str], list[str]]]:
    """Yield each function at each point: the numbers of each argument, with commas between them, and its results."""
    for function, given in calls:
        names = [program.buffer(b) for b in function.outputs]
        for row in zip(*(a.tolist() for a in given), strict=True):
            yield function, [", ".join(map(program.number, numbers)) for numbers in row], names


def _python(jobs: Jobs) -> list[str]:
    lines = [f"import {program.name}" for program, _ in jobs]
    for program, calls in jobs:
        for function, given, names in _listed(program, calls):
            call = f"{program.name}.{program.function(function)}({', '.join(f'[{a}]' for a in given)})"
            lines += [f"for array in {call if len(names) > 1 else f'[{call}]'}:", "    print(*map(repr, array))"]
    return lines


def _javascript(jobs: Jobs) -> list[str]:
    lines = ["const show = (found, names) => { for (const name of names) console.log(found[name].join(' ')); };"]
    for program, calls in jobs:
        lines.append(f"const {program.name} = require('./{program.name}.js');")
        for function, given, names in _listed(program, calls):
            call = f"{program.name}.{program.function(function)}({', '.join(f'[{a}]' for a in given)})"
            lines.append(f"show({call}, {names});")
    return lines


def _rust(jobs: Jobs) -> list[str]:
    lines = ['fn show<T: std::fmt::Debug>(a: &[T]) { for v in a { print!("{:?} ", v); } println!(); }']
    lines += [*(f"mod {program.name};" for program, _ in jobs), "fn main() {"]
    for program, calls in jobs:
        for function, given, names in _listed(program, calls):
            call = f"{program.name}::{program.function(function)}({', '.join(f'&[{a}]' for a in given)})"
            shown = " ".join(f"show(&found.{i});" for i in range(len(names)))
            lines.append(f"    {{ let found = {call}; {shown} }}")
    return [*lines, "}"]


def _octave(jobs: Jobs) -> list[str]:
    lines = []
    for program, calls in jobs:
        for function, given, names in _listed(program, calls):
            words = [f"[{a}]" for a in given]
            words[1:1] = [f"'{function.suffix}'"] if len(given) > 1 else []
            shown = " ".join(f"printf('%.17g ', {n}); printf('\\n');" for n in names)
            lines.append(f"[{', '.join(names)}] = {program.name}({', '.join(words)}); {shown}")
    return lines


def _fortran(jobs: Jobs) -> list[str]:
    lines = ["program driver", *(f"use {program.name}_module" for program, _ in jobs)]
    lines += ["use, intrinsic :: iso_fortran_env, only: wp => real64", "implicit none"]
    for program, calls in jobs:
        for function, given, names in _listed(program, calls):
            inputs = [program.buffer(b) for b in function.inputs]
            sizes = {program.buffer(b): b.size for b in (*function.inputs, *function.outputs)}
            lines += ["block", *(f"real(wp) :: {name}(0:{size - 1})" for name, size in sizes.items())]
            for name, numbers in zip(inputs, given, strict=True):
                lines += [f"{name}({i}) = {number}" for i, number in enumerate(numbers.split(", "))]
            lines.append(f"call {program.function(function)}({', '.join([*inputs, *names])})")
            lines += [*(f"print '(*(es26.17e3))', {n}" for n in names), "end block"]
    return [*lines, "end program"]


HOSTS: dict[str, tuple[tuple[str, ...], Runner]] = {
    "c": (("cc", "gcc", "clang"), _compiled_c),
    "fortran": (("gfortran",), _printing(_fortran, ".f90", "{tool} -O1 {files} run.f90 -o run", "./run")),
    "python": ((sys.executable,), _printing(_python, ".py", "{tool} run.py")),
    "javascript": (("node",), _printing(_javascript, ".js", "{tool} run.js")),
    "rust": (("rustc",), _printing(_rust, ".rs", "{tool} run.rs -o run", "./run")),
    "matlab": (("octave-cli", "octave"), _printing(_octave, ".m", "{tool} --no-history run.m")),
}
