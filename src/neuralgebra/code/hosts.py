"""Compilers and interpreters that are there, and programs run by them at points."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
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
    runner: Callable[[str, Language, Function, np.ndarray], Results]

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


def _expect_done(done: subprocess.CompletedProcess[str]) -> None:
    """Raise InputError with the first lines of what a tool said, unless it succeeded."""
    if done.returncode:
        said = "\n".join(done.stderr.splitlines()[:2])
        raise InputError(f"the program was not compiled or not run ({done.returncode}): {said}")


HOSTS: dict[str, tuple[tuple[str, ...], Callable[[str, Language, Function, np.ndarray], Results]]] = {
    "c": (("cc", "gcc", "clang"), _compiled_c),
}
