"""Tables, as text or as Markdown."""

from __future__ import annotations

from _workloads import Workload

MIB = 2**20
OWN_PEERS = {"torch": ("torch", "torch.compile"), "jax": ("jax", "jet")}


def table(head: list[str], rows: list[list[str]], markdown: bool) -> str:
    """Return a table; the first two columns are words, the rest numbers."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [_line(row, widths, markdown) for row in [head, *rows]]
    if markdown:
        lines.insert(1, "|" + "|".join("---" if i < 2 else "---:" for i in range(len(head))) + "|")
    return "\n".join(lines)


def _line(cells: list[str], widths: list[int], markdown: bool) -> str:
    padded = [c.ljust(w) if i < 2 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
    return f"| {' | '.join(padded)} |" if markdown else "  ".join(padded)


def number(value: float) -> str:
    """Return three digits that count."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def mebibytes(size: float | None) -> str:
    """Return a size in MiB."""
    return "–" if size is None else f"{size / MIB:.1f}" if size < 100 * MIB else f"{size / MIB:,.0f}"


def head(peers: list[str]) -> list[str]:
    """Return the columns of the comparison."""
    return [
        *("workload", "dtype", "neuralgebra", "best peer", "best / ours"),
        *peers,
        *("result MiB", "ours MiB", "best peer MiB"),
    ]


def row(work: Workload, results: dict[str, dict]) -> list[str]:
    """Return one line of the comparison."""
    ours = results.get("neuralgebra", {})
    peers = {name: result for name, result in results.items() if not name.startswith("neuralgebra")}
    timed = {name: result for name, result in peers.items() if "seconds" in result}
    best = min(timed, key=lambda name: timed[name]["seconds"], default="")
    ratio = timed[best]["seconds"] / ours["seconds"] if best and "seconds" in ours else None
    return [
        f"{work.key} {work.title}",
        work.dtype,
        cell(work, ours),
        f"{cell(work, timed[best])} ({best})" if best else "–",
        "–" if ratio is None else number(ratio),
        *(cell(work, result) for result in peers.values()),
        mebibytes(work.result_bytes),
        *map(mebibytes, (ours.get("memory"), timed[best].get("memory") if best else None)),
    ]


def own_head() -> list[str]:
    """Return the columns of the comparison on the arrays of other libraries."""
    return ["workload", "dtype", *(word for name in OWN_PEERS for word in (f"on {name}", "its own", "its own / ours"))]


def own_row(work: Workload, results: dict[str, dict]) -> list[str]:
    """Return one line of the comparison on the arrays of other libraries: our fastest way and theirs."""
    cells = []
    for name, peers in OWN_PEERS.items():
        ours = _fastest({n: r for n, r in results.items() if n.startswith(f"neuralgebra on {name}")})
        theirs = _fastest({n: r for n, r in results.items() if n in peers})
        both = "seconds" in ours and "seconds" in theirs
        cells += [cell(work, ours), cell(work, theirs), number(theirs["seconds"] / ours["seconds"]) if both else "–"]
    return [f"{work.key} {work.title}", work.dtype, *cells]


def _fastest(results: dict[str, dict]) -> dict:
    timed = [result for result in results.values() if "seconds" in result]
    return min(timed, key=lambda result: result["seconds"]) if timed else next(iter(results.values()), {})


def cell(work: Workload, result: dict) -> str:
    """Return a time with its unit, or a word for why there is none; ~ marks a time that is extrapolated."""
    if "seconds" in result:
        unit, factor = work.unit
        return f"{'~' if result['part'] < 1 else ''}{number(result['seconds'] * factor)} {unit}"
    error = result.get("error", "")
    if not error or "not offered" in error:
        return "–"
    return "too slow" if "more than" in error or "no answer" in error else "wrong" if "disagrees" in error else "fails"


def notes(work: Workload, results: dict[str, dict]) -> list[str]:
    """Return how each peer was written, what it failed with, and the ways that were slower."""
    lines = []
    for name, result in results.items():
        if "error" in result and "not offered" not in result["error"]:
            lines.append(f"{work.key} {work.dtype} {name}: {result['error']}")
        elif result.get("way"):
            slower = "; ".join(_tried(way, t, work) for way, t in result["tried"].items() if way != result["way"])
            lines.append(f"{work.key} {work.dtype} {name}: {result['way']}{f' (not: {slower})' if slower else ''}")
    return lines


def _tried(way: str, outcome: float | str, work: Workload) -> str:
    unit, factor = work.unit
    return f"{way}, {outcome if isinstance(outcome, str) else f'{number(outcome * factor)} {unit}'}"
