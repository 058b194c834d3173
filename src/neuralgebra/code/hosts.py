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

import numpy as np

from neuralgebra.code.language import Language
from neuralgebra.code.program import Function
from neuralgebra.errors import InputError

__all__ = ["HOSTS", "Host", "host"]

Results = list[np.ndarray]
Calls = Sequence[tuple[Function, Sequence[np.ndarray]]]
Runner = Callable[[str, Language, Calls], list[Results]]


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
        (tool, program, calls) -> for each call one array for each result, first axis the points.
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
        return self.run_all(program, [(function, given)])[0]

    def run_all(self, program: Language, calls: Calls) -> list[Results]:
        """Return the results of several functions, each with its arguments at all points, from one run of the program.

        Parameters
        ----------
        program : Language
            The program, ready to be printed.
        calls : sequence of (Function, sequence of ndarray)
            Functions and their arguments.

        Returns
        -------
        list of list of ndarray
            Results of each.

        Raises
        ------
        InputError
            As `run`.
        """
        plain = [(f, [np.ascontiguousarray(a, program.dtype) for a in given]) for f, given in calls]
        return self.runner(self.tool, program, plain)


def host(language: str) -> Host | None:
    """Return what runs a language on this machine; None if nothing does."""
    tools, runner = HOSTS.get(language, ((), None))
    found = next((path for path in map(shutil.which, tools) if path), None)
    return None if found is None or runner is None else Host(os.path.basename(found), found, runner)


def _compiled_c(tool: str, program: Language, calls: Calls) -> list[Results]:
    """Return the results of C, as a library of this process."""
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "f.c"), Path(folder, "f.so")
        source.write_text(program.text())
        done = [tool, "-std=c99", "-O1", "-shared", "-fPIC", str(source), "-o", str(library), "-lm"]
        _expect_done(subprocess.run(done, capture_output=True, text=True))
        loaded = ctypes.CDLL(str(library))
    found = []
    for function, given in calls:
        results = [np.zeros((len(given[0]), b.size), program.dtype) for b in function.outputs]
        for row in range(len(given[0])):
            arrays = [a[row] for a in (*given, *results)]
            getattr(loaded, program.function(function))(*(ctypes.c_void_p(a.ctypes.data) for a in arrays))
        found.append(results)
    return found


def _expect_done(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a tool printed; raise InputError with the first lines of what it said unless it succeeded."""
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[:2])
        raise InputError(f"the program was not compiled or not run ({done.returncode}): {said}")
    return done.stdout


def _printing(driver: Callable[[Language, Calls], list[str]], *commands: str, own: str = "") -> Runner:
    """Return what runs a program with lines that print its results, one line for each result at each point.

    The lines follow the program, or stand in a file of their own. Commands are words between spaces; {tool}, {file} and
    {folder} stand for what they say.
    """

    def run(tool: str, program: Language, calls: Calls) -> list[Results]:
        with tempfile.TemporaryDirectory() as folder:
            file, lines = Path(folder, f"{program.name}{program.suffix}"), "\n".join(driver(program, calls))
            file.write_text(program.text() if own else f"{program.text()}\n{lines}\n")
            if own:
                Path(folder, own).write_text(lines)
            said = ""
            for command in commands:
                words = [word.format(tool=tool, file=file, folder=folder) for word in command.split()]
                said = _expect_done(subprocess.run(words, capture_output=True, text=True, cwd=folder))
        printed = [np.array(line.split(), dtype=program.dtype) for line in said.splitlines() if line.strip()]
        return list(_in_order(printed, calls))

    return run


def _in_order(printed: Sequence[np.ndarray], calls: Calls) -> Iterator[Results]:
    """Yield the results of each call, from one line for each result at each of its points."""
    start = 0
    for function, given in calls:
        count, points = len(function.outputs), len(given[0])
        lines = printed[start : start + count * points]
        start += count * points
        yield [np.array(lines[i::count]) for i in range(count)]


def _listed(program: Language, calls: Calls) -> Iterator[tuple[Function, list[str], list[str]]]:
    """Yield each function at each point: the numbers of each argument, with commas between them, and its results."""
    for function, given in calls:
        names = [program.buffer(b) for b in function.outputs]
        for row in zip(*(a.tolist() for a in given), strict=True):
            yield function, [", ".join(map(program.number, numbers)) for numbers in row], names


def _python(program: Language, calls: Calls) -> list[str]:
    lines = []
    for function, given, names in _listed(program, calls):
        call = f"{program.function(function)}({', '.join(f'[{a}]' for a in given)})"
        found = call if len(names) > 1 else f"[{call}]"
        lines += [f"for array in {found}:", "    print(*map(repr, array))"]
    return lines


def _javascript(program: Language, calls: Calls) -> list[str]:
    lines = ["const show = (found, names) => { for (const name of names) console.log(found[name].join(' ')); };"]
    for function, given, names in _listed(program, calls):
        call = f"module.exports.{program.function(function)}({', '.join(f'[{a}]' for a in given)})"
        lines.append(f"show({call}, {names});")
    return lines


def _rust(program: Language, calls: Calls) -> list[str]:
    kind = program.type
    lines = [f'fn show(a: &[{kind}]) {{ for v in a {{ print!("{{:?}} ", v); }} println!(); }}', "fn main() {"]
    for function, given, names in _listed(program, calls):
        call = f"{program.function(function)}({', '.join(f'&[{a}]' for a in given)})"
        shown = " ".join(f"show(&found.{i});" for i in range(len(names)))
        lines.append(f"    {{ let found = {call}; {shown} }}")
    return [*lines, "}"]


def _octave(program: Language, calls: Calls) -> list[str]:
    lines = []
    for function, given, names in _listed(program, calls):
        words = [f"[{a}]" for a in given]
        words[1:1] = [f"'{function.suffix}'"] if len(given) > 1 else []
        shown = " ".join(f"printf('%.17g ', {n}); printf('\\n');" for n in names)
        lines.append(f"[{', '.join(names)}] = {program.name}({', '.join(words)}); {shown}")
    return lines


def _fortran(program: Language, calls: Calls) -> list[str]:
    sizes = {program.buffer(b): b.size for function, _ in calls for b in (*function.inputs, *function.outputs)}
    declared = ", ".join(f"{name}(0:{size - 1})" for name, size in sizes.items())
    lines = ["program driver", f"use {program.name}_module", "use, intrinsic :: iso_fortran_env, only: wp => real64"]
    lines += ["implicit none", *(f"real(wp) :: {name}" for name in declared.split(", "))]
    for function, given, names in _listed(program, calls):
        inputs = [program.buffer(b) for b in function.inputs]
        for name, numbers in zip(inputs, given, strict=True):
            lines += [f"{name}({i}) = {number}" for i, number in enumerate(numbers.split(", "))]
        lines.append(f"call {program.function(function)}({', '.join([*inputs, *names])})")
        lines += [f"print '(*(es26.17e3))', {n}" for n in names]
    return [*lines, "end program"]


HOSTS: dict[str, tuple[tuple[str, ...], Runner]] = {
    "c": (("cc", "gcc", "clang"), _compiled_c),
    "fortran": (("gfortran",), _printing(_fortran, "{tool} -O1 {file} -o {folder}/f", "{folder}/f")),
    "python": ((sys.executable,), _printing(_python, "{tool} {file}")),
    "javascript": (("node",), _printing(_javascript, "{tool} {file}")),
    "rust": (("rustc",), _printing(_rust, "{tool} -O {file} -o {folder}/f", "{folder}/f")),
    "matlab": (("octave-cli", "octave"), _printing(_octave, "{tool} --no-history {folder}/run.m", own="run.m")),
}
