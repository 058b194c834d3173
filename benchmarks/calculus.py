"""Derivatives of whole batches on NumPy arrays, against PyTorch, JAX, its jets and folx, all in one run.

Every peer is written as its own users would write it, in several ways where the best is not known beforehand; its
numbers are compared with ours before it is timed. Times are medians of rounds taken in turns, each library in a
process of its own; ratios above 1 mean that neuralgebra is faster. Memory is the growth of the resident set at its
peak during one call, its result included, inputs and compilation not.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib.metadata import version

from _process import OURS, OWN, measured, memory
from _report import head, mebibytes, notes, own_head, own_row, row, table
from _workloads import WORKLOADS, Workload

PEERS = ["torch", "torch.compile", "jax", "jet", "folx"]


def main() -> None:
    """Print the tables."""
    options = arguments()
    chosen = selected(options)
    peers = options.against or PEERS
    names = [*([] if options.peers else [OURS, *OWN]), *peers]
    print(machine(), end="\n\n")
    rows, own, remarks = [], [], []
    for work in [work.of(dtype) for work in chosen for dtype in options.dtype]:
        results = measured(work, names)
        rows.append(row(work, results))
        own.append(own_row(work, results))
        remarks += notes(work, results)
        print("  ".join([*rows[-1], *own[-1][2:]]), file=sys.stderr, flush=True)
    print(table(head(peers), rows, options.markdown))
    if OURS in names:
        print("", table(own_head(), own, options.markdown), sep="\n")
    print("", *remarks, sep="\n- " if options.markdown else "\n")
    if OURS in names:
        print("", table(*growth(chosen), options.markdown), sep="\n")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--only", type=lambda s: s.split(","), help="workloads, as in 4,6 or 8a")
    parser.add_argument("--dtype", type=lambda s: s.split(","), default=["float64", "float32"], help="as in float32")
    parser.add_argument("--peers", action="store_true", help="only the peers")
    parser.add_argument("--against", type=lambda s: s.split(","), help=f"some of {','.join(PEERS)}")
    return parser.parse_args()


def selected(options: argparse.Namespace) -> list[Workload]:
    """Return the workloads chosen by their keys, or by the number that a key begins with."""
    return [work for work in WORKLOADS if not options.only or {work.key, work.key.rstrip("abcd")} & set(options.only)]


def machine() -> str:
    """Return what the numbers depend on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "torch", "jax", "folx"))
    return f"Python {platform.python_version()}, {packages}; {platform.machine()}, {os.cpu_count()} cores"


def growth(chosen: list[Workload]) -> tuple[list[str], list[list[str]]]:
    """Return our peak less the result, in MiB, for 1, 4 and 16 times a quarter of the points."""
    rows = []
    for work in (work for work in chosen if work.points > 100):
        sizes = [work.at(factor * work.points // 4) for factor in (1, 4, 16)]
        rows.append([f"{work.key} {work.title}", work.dtype, *(mebibytes(_workspace(size)) for size in sizes)])
    return ["workload", "dtype", "N/4", "N", "4 N"], rows


def _workspace(work: Workload) -> float | None:
    peak = memory(OURS, work)
    return None if peak is None else max(0, peak - work.result_bytes)


if __name__ == "__main__":
    main()
