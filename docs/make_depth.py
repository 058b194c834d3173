"""Write docs/depth.md: products of two neurons as sums of neurons, the proven error against their number."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import neuralgebra as na
from neuralgebra.algebra.same_depth import product_as_sum

PAGE = Path(__file__).parent / "depth.md"
NAMES = ("sigmoid", "tanh", "softplus", "gelu", "silu", "relu")
PAIRS, RANGES, POINTS = (1, 2, 3, 4, 6, 8, 12), (1.0, 2.0), 200_000
TEXT = """\
# Products at unchanged depth

Made by `python docs/make_depth.py`. On a range [-z, z] of both arguments the product of two neurons is nearly a sum of
N neurons, σ(u) σ(v) ≈ d + Σ cᵢ σ(pᵢ u + qᵢ v + rᵢ), so that a product of networks needs no layer of its own. In each
column the error that is proven for the numbers as they are stored, in brackets the largest one seen at
{points} random points, and Σ|cᵢ|, by which roundings are magnified.

{tables}

`f.plain(σ, domain, tol, objective="depth")` takes the shortest of these sums that its tolerance allows, fitted to the
range that is proven of the arguments. Of networks with n and m neurons in their last layers the product has n·m·N
neurons there, up to 1,000 of them. Products of cos, sin and exp neurons are exact sums, and those of sigmoid and tanh
neurons with parallel arguments: [plain layers](plain.md). relu, which bends at one place only, is nearly hopeless here.
"""


def row(name: str, z: float) -> str:
    function = na.activation(name)
    x = np.random.default_rng(0).uniform(-z, z, (POINTS, 2))
    neurons = na.Network.function(name)
    product = neurons(x[:, :1]) * neurons(x[:, 1:])
    cells = []
    for pairs in PAIRS:
        found = product_as_sum(function, -z, z, pairs)
        seen = abs(found.network(function)(x) - product).max()
        cells.append(f"{found.error:.1e} ({seen:.1e}; {abs(found.outer).sum():.0f})")
    return f"| {name} | {' | '.join(cells)} |"


def table(z: float) -> str:
    head = f"| [-{z:g}, {z:g}] | {' | '.join(f'N = {2 * pairs}' for pairs in PAIRS)} |"
    return "\n".join([head, "|---" * (len(PAIRS) + 1) + "|", *(row(name, z) for name in NAMES)])


def main() -> None:
    text = TEXT.format(points=f"{POINTS:,}", tables="\n\n".join(map(table, RANGES)))
    PAGE.write_text(text)


if __name__ == "__main__":
    main()
