"""Write docs/hosts.md: programs of several networks run in every host that is found, their errors in units of u·M."""

from __future__ import annotations

import itertools
import platform
import subprocess
from pathlib import Path

import numpy as np

import neuralgebra as na
from neuralgebra.code.certificate import Certified, certify_program
from neuralgebra.code.emit import LANGUAGES, written
from neuralgebra.code.hosts import HOSTS, host

PAGE = Path(__file__).parent / "hosts.md"
ORDER = 3
TEXT = """\
# Hosts

Made by `python docs/make_hosts.py`. {count} networks, each at {rows} points: chains with tanh, gelu, softplus, mish,
silu, relu, erf and a softmax at the end, the product and the quotient of two networks, a residual network, a maximum.
Each program is compiled or interpreted by its host; value, Jacobian, Hessian and third derivatives are compared with
200-bit balls. An error is in units of u·M, u the unit roundoff and M the [majorant](derivative-accuracy.md) of the
number; beside it stands how many roundings are counted for the program where it is largest, the bound that must hold.
On balls all programs overlap their networks, with radii below {radius}.

{table}

The rows are no independent witnesses. The last column says how many results have other bits than those of C: compilers
and interpreters of one machine call the same library for exp, tanh, erf, and mostly give the same bits. node has
functions of its own, Rust has no erf and computes it as written here. The largest errors, which alone stand in the
table, come from networks in which that hardly matters (relu, a maximum), so that rows can look alike where results
differ.

Written and not run here: Julia (in the tests a reader on tree-sitter's grammar runs its files, with the functions of
NumPy), Wolfram Language (its tests run where Mathics is installed), MATLAB itself (Octave runs its files), Abaqus and
CalculiX (drivers with their argument lists stand in for them). The workbook for Excel is recalculated by LibreOffice in
its tests.
"""


def networks() -> dict[str, na.Network]:
    """Return the networks."""
    rng = np.random.default_rng(5)

    def chain(*sizes: int, activation: str = "tanh", output: str = "identity") -> na.Network:
        layers = [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
        return na.Network.from_layers(layers, activation, output=output)

    f, g = chain(3, 4, 4, 2), chain(3, 5, 2, activation="sigmoid")
    pooled = na.Network.from_layer(na.Maximum([[0, 1], [2, 3]]), 4) @ chain(3, 4, 4)
    names = ("gelu", "softplus", "mish", "silu", "relu", "erf")
    return {
        "tanh": f,
        **{name: chain(3, 6, 4, 2, activation=name) for name in names},
        "softmax": chain(3, 4, 3, output="softmax"),
        "product": f * g,
        "quotient": f / (g * g + 1),
        "residual": f + na.Network.from_layers([(rng.normal(size=(2, 3)), None)]),
        "maximum": pooled,
    }


def main() -> None:
    """Run everything and write the page."""
    x = np.random.default_rng(7).uniform(-0.9, 0.9, size=(5, 3)).astype(np.float32).astype(np.float64)
    rows, radius, of_c = [], 0.0, bits("c", x)
    for key in (key for key in HOSTS if host(key)):
        found = {name: certify_program(f, key, x, ORDER) for name, f in networks().items()}
        wrong = [name for name, one in found.items() if not one.agrees]
        if wrong:
            raise ArithmeticError(f"{key}: {', '.join(wrong)} beyond the bound")
        radius = max(radius, *(one.radius for one in found.values()))
        others = int((bits(key, x) != of_c).sum())
        rows.append(row(key, list(found.values()), f"{others:,} of {of_c.size:,}"))
        print(rows[-1], flush=True)
    head = "| language | host | value | Jacobian | Hessian | third derivatives | other bits than C |"
    head += "\n|---|---|---:|---:|---:|---:|---:|"
    table = "\n".join([head, *rows])
    PAGE.write_text(TEXT.format(count=len(networks()), rows=len(x), radius=f"{radius:.0e}", table=table))


def bits(key: str, x: np.ndarray) -> np.ndarray:
    """Return all results of a host as integers of the same bits."""
    tool = host(key)
    if tool is None:
        raise SystemExit(f"{key} cannot be run here, with which the others are compared.")
    programs = [written(f, key, ORDER, f"n{i}") for i, f in enumerate(networks().values())]
    found = tool.run_all([(p, [(p.program.functions[ORDER], [x])]) for p in programs])
    return np.concatenate([np.ravel(array) for (results,) in found for array in results]).view(np.int64)


def row(key: str, found: list[Certified], others: str) -> str:
    """Return one line of the table."""
    cells = []
    for level in range(ORDER + 1):
        _, error, limit = max((one.errors[level] for one in found), key=lambda e: e[1])
        cells.append(f"{error:.2f} of {limit}")
    return f"| {LANGUAGES[key].title} | {version(key)} | {' | '.join(cells)} | {others} |"


def version(key: str) -> str:
    """Return what a host says it is."""
    found = host(key)
    assert found is not None
    if key == "python":
        return f"CPython {platform.python_version()}"
    said = subprocess.run([found.tool, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    words = [w for w in said.replace(",", " ").split() if any(c.isdigit() for c in w) and "(" not in w]
    return f"{found.name} {words[0].strip('()')}"


if __name__ == "__main__":
    main()
