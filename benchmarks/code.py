"""One point at a time: our C code against CasADi's, both compiled by the same compiler, and against libraries.

Value, Jacobian and Hessian at one point, float64; onnxruntime, without derivatives, gives the value alone. Times of
compiled code are measured in C, those of libraries in Python, each the median of rounds; what takes longer to compile
than the limit is given up. Every result is compared with ours first.
Usage: python benchmarks/code.py [--markdown] [--only 3-2-2-2,4-32-32-2] [--limit 120]
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _report import number, table

import neuralgebra as na

SIZES = ((3, 2, 2, 2), (4, 32, 32, 2), (16, 64, 64, 1), (5, 50, 50, 50, 50, 50, 50, 5))
FLAGS = ["-std=c99", "-O3", "-march=native", "-shared", "-fPIC"]
ROUNDS, LEAST = 7, 0.02
UNROLLED = 100  # parameters, up to which code without loops is tried too
HEAD = ["network", "peer", "value", "value+J+H", "ours / its", "generate s", "source kB", "bytes a weight", "compile s"]

HARNESS = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + 1e-9*t.tv_nsec; }
typedef void (*ours)(const double *, double *, double *, double *);
typedef int (*theirs)(const double **, double **, long long *, double *, int);
typedef int (*work)(long long *, long long *, long long *, long long *);
static double x[1024], a[1 << 20], b[1 << 20], c[1 << 20];
int main(int count, char **v) {  /* library, function, "ours" or "casadi", inputs, seconds */
    void *library = dlopen(v[1], RTLD_NOW);
    if (!library) { fprintf(stderr, "%s\n", dlerror()); return 1; }
    void *f = dlsym(library, v[2]);
    int plain = !strcmp(v[3], "ours"), n = atoi(v[4]);
    long long sizes[4] = {0, 0, 0, 0}, *iw = 0;
    double *w = 0;
    const double *given[8] = {x};
    double *taken[8] = {a, b, c};
    if (!plain) {
        char name[256];
        snprintf(name, sizeof name, "%s_work", v[2]);
        ((work)dlsym(library, name))(sizes, sizes + 1, sizes + 2, sizes + 3);
        iw = calloc(sizes[2] + 1, sizeof *iw), w = calloc(sizes[3] + 1, sizeof *w);
    }
    for (int i = 0; i < n; i++) x[i] = 0.1*(i + 1)/n;
    long calls = 0;
    double start = now(), end = start;
    while ((end = now()) - start < atof(v[5]))
        for (int r = 0; r < 16; r++, calls++) {
            x[0] = 1e-9*(calls & 1023);
            if (plain) ((ours)f)(x, a, b, c); else ((theirs)f)(given, taken, iw, w, 0);
        }
    printf("%.17g\n", (end - start)/calls);
    (void)count;
    return 0;
}
"""


@dataclass
class Answer:
    """What one peer takes: seconds of a call, of generating and compiling, and the bytes of its source."""

    peer: str
    value: float | None = None
    everything: float | None = None
    generate: float | None = None
    source: int | None = None
    compile: float | None = None
    remark: str = ""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("--only", type=lambda s: s.split(","), help="networks, as in 3-2-2-2")
    parser.add_argument("--limit", type=float, default=120.0, help="seconds that a compilation may take")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        harness = build_harness(Path(folder))
        for sizes in SIZES:
            name = "-".join(map(str, sizes))
            if options.only and name not in options.only:
                continue
            answers = list(measured(sizes, Path(folder), harness, options.limit))
            rows += [row(name, sizes, answer, answers[0]) for answer in answers]
            print(*("  ".join(r) for r in rows[-len(answers) :]), sep="\n", file=sys.stderr, flush=True)
    print(table(HEAD, rows, options.markdown))


def row(name: str, sizes: tuple[int, ...], answer: Answer, ours: Answer) -> list[str]:
    """Return one line of the table."""
    weights = sum(n * m + m for n, m in itertools.pairwise(sizes))
    known = answer.everything if answer.everything is not None else answer.value
    same = ours.everything if answer.everything is not None else ours.value
    ratio = "" if known is None or same is None or answer is ours else number(known / same)
    return [
        name,
        answer.peer + (f" ({answer.remark})" if answer.remark else ""),
        *(span(t) for t in (answer.value, answer.everything)),
        ratio,
        *("" if t is None else f"{t:.2f}" for t in (answer.generate,)),
        "" if answer.source is None else number(answer.source / 1e3),
        "" if answer.source is None else number(answer.source / weights),
        "" if answer.compile is None else f"{answer.compile:.2f}",
    ]


def span(seconds: float | None) -> str:
    """Return a time in ns or µs."""
    if seconds is None:
        return ""
    return f"{number(1e9 * seconds)} ns" if seconds < 1e-6 else f"{number(1e6 * seconds)} µs"


def layers(sizes: tuple[int, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return random weights."""
    rng = np.random.default_rng(0)
    return [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]


def measured(sizes: tuple[int, ...], folder: Path, harness: Path, limit: float) -> Any:
    """Yield the answers of all, ours first."""
    name = "relu" if len(sizes) > 5 else "tanh"
    f = na.Network.from_layers(layers(sizes), name)
    x = 0.1 * (np.arange(sizes[0]) + 1) / sizes[0]
    wanted = [np.ravel(d) for d in f.derivatives(x, 2)]
    yield in_c(f, folder, harness, wanted, x, limit)
    if f.parameter_count < UNROLLED:
        yield in_c(f, folder, harness, wanted, x, limit, unroll=True)
    for kind in ("SX", "MX"):
        yield casadi_code(kind, sizes, name, folder, harness, wanted, x, limit)
    for peer in (with_jax, with_torch, with_onnxruntime):
        yield peer(f, sizes, name, wanted, x)


# Compiled code ----------------------------------------------------------------------------------------------------


def build_harness(folder: Path) -> Path:
    """Compile what calls compiled code."""
    (folder / "harness.c").write_text(HARNESS)
    subprocess.run([compiler(), "-O2", "harness.c", "-o", "harness", "-ldl"], cwd=folder, check=True)
    return folder / "harness"


def compiler() -> str:
    """Return the C compiler."""
    return os.environ.get("CC") or shutil.which("gcc") or "cc"


def compiled(source: Path, limit: float) -> tuple[Path, float]:
    """Return a compiled library and the seconds that this took."""
    library, start = source.with_suffix(".so"), time.perf_counter()
    subprocess.run([compiler(), *FLAGS, str(source), "-o", str(library), "-lm"], check=True, timeout=limit)
    return library, time.perf_counter() - start


def called(harness: Path, library: Path, function: str, way: str, n: int) -> float:
    """Return the seconds of one call, the median of rounds."""
    words = [str(harness), str(library), function, way, str(n), str(LEAST)]
    runs = [subprocess.run(words, capture_output=True, text=True, check=True).stdout for _ in range(ROUNDS)]
    return statistics.median(map(float, runs))


def in_c(
    f: na.Network,
    folder: Path,
    harness: Path,
    wanted: list[np.ndarray],
    x: np.ndarray,
    limit: float,
    unroll: bool = False,
) -> Answer:
    """Return our own times."""
    f.code("c", order=2)  # what is imported and planned once is not counted
    start = time.perf_counter()
    text = f.code("c", order=2, unroll=unroll)
    answer = Answer("neuralgebra" + ", unroll" * unroll, generate=time.perf_counter() - start, source=len(text))
    source = folder / f"ours_{f.parameter_count}_{unroll}.c"
    source.write_text(text)
    library, answer.compile = compiled(source, limit)
    results = [np.zeros(w.size) for w in wanted]
    pointers = [a.ctypes.data_as(ctypes.c_void_p) for a in (x, *results)]
    ctypes.CDLL(str(library)).f_hessian(*pointers)
    compare(results, wanted)
    answer.value = called(harness, library, "f", "ours", len(x))
    answer.everything = called(harness, library, "f_hessian", "ours", len(x))
    return answer


def casadi_code(
    kind: str,
    sizes: tuple[int, ...],
    activation: str,
    folder: Path,
    harness: Path,
    wanted: list[np.ndarray],
    x: np.ndarray,
    limit: float,
) -> Answer:
    """Return the times of the C code that CasADi writes."""
    import casadi

    symbol = getattr(casadi, kind).sym("x", sizes[0])
    start, a = time.perf_counter(), symbol
    for number_, (w, b) in enumerate(layers(sizes)):
        a = casadi.mtimes(casadi.DM(w), a) + casadi.DM(b)
        if number_ < len(sizes) - 2:
            a = casadi.tanh(a) if activation == "tanh" else casadi.fmax(a, 0)
    first = casadi.jacobian(a, symbol)
    second = casadi.vertcat(*(casadi.hessian(a[i], symbol)[0] for i in range(sizes[-1])))
    value = casadi.Function("value", [symbol], [a])
    everything = casadi.Function("everything", [symbol], [a, first, second])
    generator = casadi.CodeGenerator("theirs.c")
    generator.add(value)
    generator.add(everything)
    generator.generate(f"{folder}/")
    answer = Answer(f"CasADi {kind}", generate=time.perf_counter() - start)
    source = folder / "theirs.c"
    answer.source = source.stat().st_size
    results = [np.asarray(r).ravel() for r in everything(x)]
    compare(results, wanted)
    try:
        library, answer.compile = compiled(source, limit)
    except subprocess.TimeoutExpired:
        answer.remark = f"not compiled in {limit:.0f} s"
        return answer
    answer.value = called(harness, library, "value", "casadi", len(x))
    answer.everything = called(harness, library, "everything", "casadi", len(x))
    return answer


# Libraries --------------------------------------------------------------------------------------------------------


def with_jax(f: na.Network, sizes: tuple[int, ...], activation: str, wanted: list[np.ndarray], x: np.ndarray) -> Answer:
    """Return the times of jax.jit."""
    import jax

    jax.config.update("jax_enable_x64", True)
    weights = [(jax.numpy.asarray(w), jax.numpy.asarray(b)) for w, b in layers(sizes)]
    function = jax.numpy.tanh if activation == "tanh" else jax.nn.relu

    def value(x: Any) -> Any:
        for w, b in weights[:-1]:
            x = function(w @ x + b)
        return weights[-1][0] @ x + weights[-1][1]

    both = jax.jit(lambda x: (value(x), jax.jacrev(value)(x), jax.hessian(value)(x)))
    plain, point = jax.jit(value), jax.numpy.asarray(x)
    start = time.perf_counter()
    results = jax.block_until_ready(both(point))
    answer = Answer("jax.jit", compile=time.perf_counter() - start)
    compare(results, wanted)
    answer.value = timed(lambda: jax.block_until_ready(plain(point)))
    answer.everything = timed(lambda: jax.block_until_ready(both(point)))
    return answer


def with_torch(
    f: na.Network, sizes: tuple[int, ...], activation: str, wanted: list[np.ndarray], x: np.ndarray
) -> Answer:
    """Return the times of torch.func."""
    import torch

    weights = [(torch.as_tensor(w), torch.as_tensor(b)) for w, b in layers(sizes)]
    function = torch.tanh if activation == "tanh" else torch.relu

    def value(x: Any) -> Any:
        for w, b in weights[:-1]:
            x = function(w @ x + b)
        return weights[-1][0] @ x + weights[-1][1]

    point = torch.as_tensor(x)

    def both() -> Any:
        return value(point), torch.func.jacrev(value)(point), torch.func.hessian(value)(point)

    compare(both(), wanted)
    return Answer("torch.func", value=timed(lambda: value(point)), everything=timed(both))


def with_onnxruntime(
    f: na.Network, sizes: tuple[int, ...], activation: str, wanted: list[np.ndarray], x: np.ndarray
) -> Answer:
    """Return the time of a call into onnxruntime."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        f.save(f"{folder}/f.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(f"{folder}/f.onnx", options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: x[None, :]}
    compare([session.run(None, feed)[0]], wanted[:1])
    return Answer("onnxruntime", value=timed(lambda: session.run(None, feed)))


def timed(ask: Callable[[], Any]) -> float:
    """Return the seconds of one call, the median of rounds."""
    ask()
    rounds = []
    for _ in range(ROUNDS):
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < LEAST:
            ask()
            calls += 1
        rounds.append((time.perf_counter() - start) / calls)
    return statistics.median(rounds)


def compare(results: Any, wanted: list[np.ndarray]) -> None:
    """Raise where a result is not ours."""
    for result, ours in zip(results, wanted, strict=True):
        got = np.asarray(result, dtype=float).ravel()
        if not np.allclose(got, ours, rtol=1e-9, atol=1e-9 * max(1.0, float(np.abs(ours).max(initial=0)))):
            raise ArithmeticError(f"a peer disagrees: {np.abs(got - ours).max()}")


if __name__ == "__main__":
    main()
