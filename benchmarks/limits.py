"""The floors under the times of calculus.py on this machine: multiply-adds, activations and the writing of the result.

The count of multiply-adds is the least we know, product by product; one large product of as many is timed, and one of
the network's width, which a program can hope to reach. Latency has a floor of another kind: the same few NumPy calls
written by hand.
Usage: python benchmarks/limits.py [--markdown] [--only 4,6] [--dtype float64]
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from _report import number, table
from _workloads import BY_HAND, Workload
from calculus import arguments, selected
from threadpoolctl import threadpool_limits

THREADS = (1, 2)
BLOCK = 1 << 15
HEAD = [
    *("workload", "dtype", "GMAC"),
    *(f"{name} {threads} thr." for name in ("large product", "product at width", "tanh") for threads in THREADS),
    *("result, new memory", "result, old memory", "floor"),
]


def main() -> None:
    """Print the table, times in milliseconds."""
    options = arguments()
    works = [w.of(d) for w in selected(options) for d in options.dtype if w.question != BY_HAND]
    batches = [work for work in works if work.unit[0] == "ms"]
    print("Times in ms. GMAC: least known multiply-adds, in thousand millions.\n")
    print(table(HEAD, [row(work) for work in batches], options.markdown))
    print("\nOne point by hand in NumPy, µs\n")
    rows = [[work.title, work.dtype, number(1e6 * median(by_hand(work)))] for work in works if work not in batches]
    print(table(["workload", "dtype", "µs"], rows, options.markdown))


def row(work: Workload) -> list[str]:
    """Return the floors of one workload."""
    count = macs(work)
    large = [timed_with(threads, large_product(count, work.dtype)) for threads in THREADS]
    wide = [timed_with(threads, product_at_width(count, work)) for threads in THREADS]
    tanh = [median(activations(work, threads)) for threads in THREADS]
    new, old = writing(work)
    floor = min(*large, *wide) + min(tanh) + old
    times = (*large, *wide, *tanh, new, old, floor)
    return [f"{work.key} {work.title}", work.dtype, f"{count / 1e9:.3g}", *(number(1e3 * t) for t in times)]


def macs(work: Workload) -> int:
    """Return the least multiply-adds known for the matrix products of a workload."""
    products = [n * m for n, m in itertools.pairwise(work.sizes)]
    first, last, middle = products[0], products[-1], sum(products[1:-1])
    n, m, hidden = work.sizes[0], work.sizes[-1], sum(work.sizes[1:-1])
    pairs = n * (n + 1) // 2
    counts = {
        # The value, one adjoint for each output, the Jacobian of each layer, and Σ_l J_l^T diag J_l.
        "value+J+H": (first + middle + last) + m * (first + middle) + n * middle + m * hidden * pairs,
        "J+H": (first + middle + last) + m * (first + middle) + n * middle + m * hidden * pairs,
        # The value, one adjoint, the Jacobian of each layer; for many inputs with a Gram matrix instead, see below.
        "laplacian": (first + middle + last) + middle + n * middle,
        # The first layer moves the point and the direction only.
        "taylor": 2 * first + (work.order + 1) * (middle + last),
        # Value, gradient, Hessian, gradient of the Laplacian, Δ²: closed under composition; the first layer is linear.
        "biharmonic": first + (2 + 2 * n + pairs) * middle + last,
    }
    if work.question == "laplacian" and n > work.sizes[1]:
        width = work.sizes[1]
        return work.points * (first + 2 * middle + last + width * middle) + n * width * (width + 1) // 2
    return work.points * counts[work.question]


def large_product(count: int, dtype: str) -> Callable[[], object]:
    """Return one product of two square matrices with so many multiply-adds."""
    side = max(1, round(count ** (1 / 3)))
    a, out = np.full((side, side), 0.5, dtype), np.empty((side, side), dtype)
    return lambda: np.matmul(a, a, out=out)


def product_at_width(count: int, work: Workload) -> Callable[[], object]:
    """Return products, in blocks that fit the cache, of tall matrices with the widest square layer."""
    width = max(work.sizes[1:-1])
    rows, weight = max(1, count // width**2), np.full((width, width), 0.5, work.dtype)
    block = min(rows, max(1, BLOCK * 4 // width))
    tall, out = np.full((block, width), 0.5, work.dtype), np.empty((block, width), work.dtype)

    def multiply():
        for _ in range(round(rows / block)):
            np.matmul(tall, weight, out=out)

    return multiply


def activations(work: Workload, threads: int) -> Callable[[], object]:
    """Return the tanh of every unit at every point, block by block."""
    count = work.points * sum(work.sizes[1:-1])
    blocks = [np.random.default_rng(0).normal(size=min(count, BLOCK)).astype(work.dtype) for _ in range(threads)]
    share = max(1, round(count / len(blocks[0]) / threads))

    def part(block):
        out = np.empty_like(block)
        for _ in range(share):
            np.tanh(block, out=out)

    if threads == 1 or count < threads * BLOCK:
        return lambda: [part(block) for block in blocks[:1]]
    pool = ThreadPoolExecutor(threads)
    return lambda: list(pool.map(part, blocks))


def writing(work: Workload) -> tuple[float, float]:
    """Return the seconds to write the result into new memory, and into memory written before."""
    count = work.result_bytes // np.dtype(work.dtype).itemsize
    old = np.ones(count, work.dtype)
    return median(lambda: np.full(count, 1.0, work.dtype)), median(lambda: old.fill(1.0))


def timed_with(threads: int, ask: Callable[[], object]) -> float:
    """Return the median seconds with so many threads of BLAS."""
    with threadpool_limits(threads):
        return median(ask)


def median(ask: Callable[[], object]) -> float:
    """Return the median seconds of a call, of 3 to 200."""
    ask()
    times: list[float] = []
    while len(times) < 3 or (len(times) < 200 and sum(times) < 0.3):
        start = time.perf_counter()
        ask()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def by_hand(work: Workload) -> Callable[[], object]:
    """Return the answer at one point of a network with one hidden layer, in as few NumPy calls as it takes."""
    (a, b), (c, d) = work.layers()
    x, one, two = work.inputs(), np.asarray(1, work.dtype), np.asarray(-2, work.dtype)

    def value():
        return np.dot(c, np.tanh(np.dot(a, x) + b)) + d

    def jacobian():
        t = np.tanh(np.dot(a, x) + b)
        return np.dot(c * (one - t * t), a)

    def hessian():
        t = np.tanh(np.dot(a, x) + b)
        return np.dot(c[:, None] * (two * t * (one - t * t)) * a.T, a)

    return {"value": value, "jacobian": jacobian, "hessian": hessian}[work.question]


if __name__ == "__main__":
    main()
