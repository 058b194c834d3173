"""Accuracy of every activation and its first two derivatives, measured against balls.

The unit is the condition-scaled ulp: error / (u·(|f| + |x·f'|)), where f is the function or the derivative measured
and u is 2⁻⁵³ or 2⁻²⁴. Points are taken over all magnitudes, densely in [-50, 50], in the tails up to underflow and
beside every kink, turning point and end of the domain; a point counts where the exact result is zero or a normal
number. XLA, the compiler of JAX, flushes subnormal numbers to zero, so for JAX a point counts only where the argument,
the chain functions and the result, each divided by 4, are zero or normal numbers.

Limits: 4 ulp for values in float64 and 8 in float32; 16 for first and second derivatives; no warning, no NaN at
±inf where there is a limit, NaN for NaN. The exit code is 1 if one is exceeded.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.functions import catalogue, conjugates  # noqa: F401  (fill the table)
from neuralgebra.functions.activation import Activation, Chain, activation, registered
from neuralgebra.functions.row import AFTER
from neuralgebra.functions.turning import turning

PRECISIONS = (320, 2400, 9600)  # bits, tried in turn until a result is known to ENOUGH bits
ENOUGH = 100
LIMITS = {("float64", 0): 4.0, ("float32", 0): 8.0}
DERIVATIVE_LIMIT = 16.0
WITHOUT_LIMIT = {"sin", "cos", "tan"}  # these have no limit at ±inf
SWITCHES = (0.25, 0.5, 0.75, 1.0, 2.0, 3.75, 8.0, 9.0, 17.0, 20.0, 40.0, 88.0, 354.0, 709.0)

VARIANTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("power", {"p": 0.5}),
    ("power", {"p": 3}),
    ("power", {"p": -1.5}),
    ("elu", {"alpha": 0.3}),
    ("celu", {"alpha": 2.5}),
    ("hardsigmoid", {"slope": 0.2}),
    ("softshrink", {"width": 1.25}),
    ("affine", {"slope": -2, "offset": 0.75}),
    ("exp_base", {"base": 0.3}),
    ("log_base", {"base": 10}),
    ("hill", {"n": 2.5}),
    ("at_least", {"bound": -0.5}),
    ("at_most", {"bound": -0.5}),
    ("log∘hardsigmoid∘exp", {"slope": 0.25, "offset": 0.1}),
)
REACH = 1000.0  # of the arguments of log∘σ∘exp


def functions() -> list[Activation]:
    """Return every row of the tables, and some again with other parameters."""
    plain = [activation(name) for name in (*registered(), *(row.name for row in conjugates.ROWS))]
    return plain + [activation(name, **parameters) for name, parameters in VARIANTS]


# Points -----------------------------------------------------------------------------------------------------------


def points(function: Activation, dtype: str, density: int = 1000, seed: int = 0) -> np.ndarray:
    """Return arguments within the domain, ascending; `density` of them in [-50, 50]."""
    limits = np.finfo(dtype)
    rng = np.random.default_rng(seed)
    exponents = np.linspace(np.log10(limits.tiny), np.log10(limits.max) - 0.01, density // 4)
    magnitudes = 10 ** (exponents + rng.uniform(-0.01, 0.005, exponents.shape))
    tails = np.geomspace(50, 1500 if dtype == "float64" else 150, density // 4)
    positive = np.concatenate(
        [magnitudes, tails, rng.uniform(0, 50, density // 2), np.geomspace(1e-4, 50, density // 4)]
    )
    special = [point for centre in _centres(function) for point in _around(centre, dtype)]
    low, high = function.row.domain
    inner = rng.uniform(max(low, -2.0), min(high, 2.0), density // 2 if AFTER in function.name else density // 4)
    every = np.concatenate([positive, -positive, special, inner, [0.0]]).astype(dtype)
    within = (every > low) & (every < high)
    return np.unique(every[within & (np.abs(every) <= REACH)] if AFTER in function.name else every[within])


def _centres(function: Activation) -> list[float]:
    kinks = [float(np.max(at)) for at, _ in function.points(Arrays(np.zeros(1)))]
    ends = [end for end in function.row.domain if np.isfinite(end)]
    turns = turning(function, function.row.value)
    places = [low for low, *_ in turns.turns] if turns else []
    switches = [side * point for side in (-1, 1) for point in SWITCHES]
    return [*kinks, *ends, *places, *switches]


def _around(centre: float, dtype: str) -> Iterator[float]:
    centre = np.dtype(dtype).type(centre)
    yield centre
    for side in (-np.inf, np.inf):
        near = centre
        for _ in range(3):
            near = np.nextafter(near, side, dtype=dtype)
            yield near
        yield from (centre + np.copysign(10.0**-k, side) for k in range(1, 17))


# The exact results ------------------------------------------------------------------------------------------------


@dataclass
class Exact:
    """One order of one function at all points: what it is, the scale of its error, and where it counts."""

    value: np.ndarray
    scale: np.ndarray
    counts: np.ndarray
    flushed: np.ndarray


def exact(function: Activation, x: np.ndarray, orders: int = 3) -> list[Exact]:
    """Return the exact values of the first derivatives, from order 0."""
    values = np.empty((orders + 1, len(x)), dtype=object)
    smallest = np.full((orders, len(x)), np.inf)
    left = np.arange(len(x))
    for bits in PRECISIONS:
        kind = Balls(bits)
        with kind.precision():
            values[:, left], smallest[:, left] = _evaluate(function, kind, x[left], orders)
        left = left[~_known(values[:, left], x.dtype).all(axis=0)]
        if not len(left):
            break
    kinks = [float(at) for at, _ in function.points(Arrays(np.zeros(1)))]
    kinks += [0.0] if function.name == "cbrt" else []  # where its slope is infinite
    if not np.isin(x[left], kinks).all():
        raise ArithmeticError(f"{function} is not known to {ENOUGH} bits at {x[left][:5]}")
    with Balls(PRECISIONS[0]).precision():
        found = [_exact(values[n], values[n + 1], smallest[n], x) for n in range(orders)]
    for derivative in found[1:]:
        derivative.counts &= ~np.isin(x, kinks)  # which side a kink that is no floating-point number lies on is chance
    return found


def _evaluate(function: Activation, kind: Balls, x: np.ndarray, orders: int) -> tuple[np.ndarray, np.ndarray]:
    chain = Chain(kind, function, kind.weight(x))
    values = [chain.polynomial(function.row.derivative(n)) for n in range(orders + 1)]
    sizes = {name: _floats(abs(chain.variable(name) + 0 * chain.z)) for name in function.row.elements}
    used = [[sizes[name] for name in function.row.derivative(n).variables & sizes.keys()] for n in range(orders)]
    smallest = [np.min([_or_inf(s) for s in rows], axis=0) if rows else np.inf + 0 * x for rows in used]
    return np.array(values), np.array(smallest)


def _or_inf(sizes: np.ndarray) -> np.ndarray:
    return np.where(sizes == 0, np.inf, sizes)


def _floats(balls: np.ndarray) -> np.ndarray:
    return np.array([float(ball) for ball in balls])


def _known(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    tiny = flint.arb(float(np.finfo(dtype).tiny))

    def known(value: flint.arb) -> bool:
        return bool(value.rel_accuracy_bits() >= ENOUGH or value == 0 or abs(value) < tiny * 2.0**-400)

    return np.frompyfunc(known, 1, 1)(values).astype(bool)


def _exact(value: np.ndarray, slope: np.ndarray, smallest: np.ndarray, x: np.ndarray) -> Exact:
    limits = np.finfo(x.dtype)
    size = np.abs(_floats(value))
    zero = np.array([v == 0 for v in value])
    scale = np.array([abs(v) + abs(flint.arb(float(p)) * s) for v, s, p in zip(value, slope, x, strict=True)])
    decided = np.array([v.rel_accuracy_bits() >= ENOUGH for v in value])  # balls cannot decide at a kink
    counts = zero | (decided & (size >= limits.tiny) & (size <= limits.max))
    return Exact(value, scale, counts, np.min([smallest, _or_inf(size), _or_inf(np.abs(x))], axis=0) < 4 * limits.tiny)


# Measurement ------------------------------------------------------------------------------------------------------


def ulps(result: np.ndarray, reference: Exact, x: np.ndarray) -> np.ndarray:
    """Return the condition-scaled errors in ulp; 0 where a point does not count."""
    unit = float(np.finfo(x.dtype).eps) / 2

    def error(r: float, value: flint.arb, scale: flint.arb, counts: bool) -> float:
        if not counts or r == value:
            return 0.0
        return float(abs(flint.arb(r) - value) / (scale * unit)) if np.isfinite(r) and scale != 0 else np.inf

    with Balls(PRECISIONS[0]).precision():
        return np.frompyfunc(error, 4, 1)(
            result.astype(float), reference.value, reference.scale, reference.counts
        ).astype(float)


def libraries() -> dict[str, tuple[Callable[[np.ndarray], Any], Callable[[Any], np.ndarray]]]:
    """Return how an array enters and leaves each library."""
    import jax
    import torch

    jax.config.update("jax_enable_x64", True)
    return {
        "numpy": (np.asarray, np.asarray),
        "torch": (torch.asarray, lambda a: a.numpy()),
        "jax": (jax.numpy.asarray, np.asarray),
    }


def evaluate(function: Activation, x: np.ndarray, order: int, library: Any) -> np.ndarray:
    """Return one derivative computed by one library; a warning is an error."""
    enter, leave = library
    z = enter(x.copy())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = leave(function.derivative(Arrays(z), z, order))
    if result.dtype != x.dtype or result.shape != x.shape:
        raise AssertionError(f"{function}: {result.dtype} {result.shape} for {x.dtype} {x.shape}")
    return result


def at_infinity(function: Activation, dtype: str, library: Any) -> list[str]:
    """Return what is wrong at ±inf and NaN."""
    low, high = function.row.domain
    ends = [end for end in (low, high) if np.isinf(end)] if function.name not in WITHOUT_LIMIT else []
    wrong = []
    for order in range(3):
        result = evaluate(function, np.array([*ends, np.nan], dtype), order, library)
        wrong += [f"{function} order {order} at {e}: NaN" for e, r in zip(ends, result, strict=False) if np.isnan(r)]
        if order == 0 and not np.isnan(result[-1]):
            wrong.append(f"{function} at NaN: {result[-1]}")
    return wrong


def measure(function: Activation, x: np.ndarray, chosen: dict[str, Any]) -> Iterator[tuple[str, int, float, float]]:
    """Yield library, order, worst error and where it is."""
    for order, reference in enumerate(exact(function, x)):
        for name, library in chosen.items():
            errors = ulps(evaluate(function, x, order, library), reference, x)
            errors = np.where(reference.flushed, 0.0, errors) if name == "jax" else errors
            worst = int(np.argmax(errors))
            yield name, order, float(errors[worst]), float(x[worst])


def limit(dtype: str, order: int) -> float:
    """Return the largest error allowed, in condition-scaled ulp."""
    return LIMITS.get((dtype, order), DERIVATIVE_LIMIT)


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--density", type=int, default=1000, help="points in [-50, 50]")
    parser.add_argument("--seed", type=int, default=0, help="of the random points")
    parser.add_argument("--only", nargs="*", help="names of activations")
    options = parser.parse_args()
    chosen = libraries()
    columns = [(dtype, name, order) for dtype in ("float64", "float32") for name in chosen for order in range(3)]
    print(_line(["activation", *(f"{n[0]}{d[-2:]}{chr(39) * o}" for d, n, o in columns)], options.markdown))
    if options.markdown:
        print(_line(["---"] * (len(columns) + 1), True))
    wrong: list[str] = []
    for function in functions():
        if options.only and function.name not in options.only:
            continue
        errors = {}
        for dtype in ("float64", "float32"):
            for name, order, error, place in measure(
                function, points(function, dtype, options.density, options.seed), chosen
            ):
                errors[dtype, name, order] = error
                if error > limit(dtype, order):
                    wrong.append(f"{function} order {order}, {name} {dtype}: {error:.3g} ulp at {place!r}")
            for library in chosen.values():
                wrong += at_infinity(function, dtype, library)
        print(_line([str(function), *(f"{errors[c]:.1f}" for c in columns)], options.markdown), flush=True)
    print(
        "\n".join(["", *wrong]) if wrong else "\nall within the limits",
        file=sys.stderr if options.markdown else sys.stdout,
    )
    return bool(wrong)


def _line(cells: list[str], markdown: bool) -> str:
    if markdown:
        return "| " + " | ".join(cells) + " |"
    return f"{cells[0]:24s}" + "".join(f"{cell:>7s}" for cell in cells[1:])


if __name__ == "__main__":
    sys.exit(main())
