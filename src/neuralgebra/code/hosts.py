"""Compilers and interpreters that are there, and programs run by them at points."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuralgebra.code.language import Language
from neuralgebra.code.program import Function
from neuralgebra.errors import InputError

__all__ = ["HOSTS", "Host", "host"]

Results = list[np.ndarray]
Runner = Callable[[str, Language, Function, np.ndarray], Results]


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
        (tool, program, function, points) -> one array for each result, first axis the points.
    """

    name: str
    tool: str
    runner: Runner

    def run(self, program: Language, function: Function, x: np.ndarray) -> Results:
        """Return the results of a function of a program at all points, one array (points, …) for each.

        Parameters
        ----------
        program : Language
            The program, ready to be printed.
        function : Function
            One of its functions, of points alone.
        x : ndarray, shape (points, n)
            The points.

        Returns
        -------
        list of ndarray
            Results.

        Raises
        ------
        InputError
            When the program cannot be compiled or run; the message has the first lines of what was said.
        """
        return self.runner(self.tool, program, function, np.ascontiguousarray(x, program.dtype))


def host(language: str) -> Host | None:
    """Return what runs a language on this machine; None if nothing does."""
    tools, runner = HOSTS.get(language, ((), None))
    found = next((path for path in map(shutil.which, tools) if path), None)
    return None if found is None or runner is None else Host(os.path.basename(found), found, runner)


def _compiled_c(tool: str, program: Language, function: Function, x: np.ndarray) -> Results:
    """Return the results of C, as a library of this process."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "f.c"), Path(folder, "f.so")
        source.write_text(program.text())
        done = [tool, "-std=c99", "-O1", "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
        _expect_done(subprocess.run(done, capture_output=True, text=True))
        call = getattr(ctypes.CDLL(str(library)), program.function(function))
    results = [np.zeros((len(x), b.size), program.dtype) for b in function.outputs]
    for row, point in enumerate(x):
        call(*(ctypes.c_void_p(a.ctypes.data) for a in (point, *(r[row] for r in results))))
    return results


def _expect_done(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a tool printed; raise InputError with the first lines of what it said unless it succeeded."""
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[:2])
        raise InputError(f"the program was not compiled or not run ({done.returncode}): {said}")
    return done.stdout


def _printing(driver: Callable[[Language, Function, np.ndarray], str], *commands: str, own: str = "") -> Runner:
    """Return what runs a program with lines that print its results, one line for each result at each point.

    The lines follow the program, or stand in a file of their own. Commands are words between spaces; {tool}, {file} and
    {folder} stand for what they say.
    """

    def run(tool: str, program: Language, function: Function, x: np.ndarray) -> Results:
        with tempfile.TemporaryDirectory() as folder:
            file, lines = Path(folder, f"{program.name}{program.suffix}"), driver(program, function, x)
            file.write_text(program.text() if own else f"{program.text()}\n{lines}\n")
            if own:
                Path(folder, own).write_text(lines)
            said = ""
            for command in commands:
                words = [word.format(tool=tool, file=file, folder=folder) for word in command.split()]
                said = _expect_done(subprocess.run(words, capture_output=True, text=True, cwd=folder))
        rows = [np.array(line.split(), dtype=program.dtype) for line in said.splitlines() if line.strip()]
        count = len(function.outputs)
        return [np.array(rows[i::count]) for i in range(count)]

    return run


def _points(x: np.ndarray) -> list[str]:
    """Return the numbers of each point, with commas between them."""
    return [", ".join(map(repr, row)) for row in x.tolist()]


def _python(program: Language, function: Function, x: np.ndarray) -> str:
    points = ", ".join(f"[{p}]" for p in _points(x))
    return "\n".join(
        [
            f"for point in [{points}]:",
            f"    found = {program.function(function)}(point)",
            "    for array in found if isinstance(found, tuple) else (found,):",
            "        print(*map(repr, array))",
        ]
    )


def _javascript(program: Language, function: Function, x: np.ndarray) -> str:
    points = ", ".join(f"[{p}]" for p in _points(x))
    names = ", ".join(f'"{program.buffer(b)}"' for b in function.outputs)
    call = f"{program.function(function)}(point)[name]"
    return f"for (const point of [{points}]) for (const name of [{names}]) console.log(Array.from({call}).join(' '));"


def _rust(program: Language, function: Function, x: np.ndarray) -> str:
    points = ", ".join(f"[{', '.join(map(program.number, row))}]" for row in x.tolist())
    names = [program.buffer(b) for b in function.outputs]
    shown = [
        f'println!("{{}}", {n}.iter().map(|v| format!("{{:?}}", v)).collect::<Vec<_>>().join(" "));' for n in names
    ]
    call = f"let ({', '.join(names)},) = {program.function(function)}(&point);"
    return f"fn main() {{ for point in [{points}] {{ {call} {' '.join(shown)} }} }}"


def _octave(program: Language, function: Function, x: np.ndarray) -> str:
    names = [program.buffer(b) for b in function.outputs]
    shown = " ".join(f"printf('%.17g ', {n}); printf('\\n');" for n in names)
    return "\n".join(f"[{', '.join(names)}] = {program.name}([{p}]); {shown}" for p in _points(x))


def _fortran(program: Language, function: Function, x: np.ndarray) -> str:
    given, names = function.inputs[0], [program.buffer(b) for b in function.outputs]
    sizes = [f"{n}(0:{b.size - 1})" for n, b in zip(names, function.outputs, strict=True)]
    lines = ["program driver", f"use {program.name}_module", "use, intrinsic :: iso_fortran_env, only: wp => real64"]
    lines += ["implicit none", f"real(wp) :: given(0:{given.size - 1}), {', '.join(sizes)}"]
    for row in x.tolist():
        lines += [f"given({i}) = {program.number(v)}" for i, v in enumerate(row)]
        lines.append(f"call {program.function(function)}({', '.join(['given', *names])})")
        lines += [f"print '(*(es26.17e3))', {n}" for n in names]
    return "\n".join([*lines, "end program"])


HOSTS: dict[str, tuple[tuple[str, ...], Runner]] = {
    "c": (("cc", "gcc", "clang"), _compiled_c),
    "fortran": (("gfortran",), _printing(_fortran, "{tool} -O1 {file} -o {folder}/f", "{folder}/f")),
    "python": ((sys.executable,), _printing(_python, "{tool} {file}")),
    "javascript": (("node",), _printing(_javascript, "{tool} {file}")),
    "rust": (("rustc",), _printing(_rust, "{tool} -O {file} -o {folder}/f", "{folder}/f")),
    "matlab": (("octave-cli", "octave"), _printing(_octave, "{tool} --no-history {folder}/run.m", own="run.m")),
}
