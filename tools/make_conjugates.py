"""Write src/neuralgebra/functions/conjugate_tables.py: log∘σ∘exp near 0 as polynomials.

Near z = 0 the error of log σ(u) is measured by log σ(1) alone, and that of u = exp(z) shows. There the function is its
interpolant in Chebyshev points of [-reach, reach], in powers of z; the points have 60 digits. The degree is the least
of which the error is below 2⁻⁵⁶ of the value at 0. Run: python tools/make_conjugates.py (seconds).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
from mpmath import mpf

PAGE = Path(__file__).parents[1] / "src" / "neuralgebra" / "functions" / "conjugate_tables.py"
HEAD = '''\
"""Polynomials of log∘σ∘exp near 0: numbers only, made by tools/make_conjugates.py."""

__all__ = ["NEAR"]

NEAR: dict[str, tuple[float, tuple[float, ...]]] = {
'''


def logistic(z: Any) -> Any:
    """Return 1 / (1 + e^-z)."""
    return 1 / (1 + mpmath.exp(-z))


def softplus(z: Any) -> Any:
    """Return log(1 + e^z)."""
    return mpmath.log(1 + mpmath.exp(z))


def inner(u: Any) -> Any:
    """Return the argument of the sigmoid in gelu_tanh."""
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (u + mpf("0.044715") * u**3)


def gelu_tanh_bend(u: Any) -> Any:
    """Return w'' - w'²·sigmoid(w) with w the argument of the sigmoid in gelu_tanh, where ' is u·d/du."""
    root, cube = 2 * mpmath.sqrt(2 / mpmath.pi), mpf("0.044715")
    slope, bend = (root * (u + 3**power * cube * u**3) for power in (1, 2))
    return bend - slope**2 * logistic(inner(u))


def mish_bend(u: Any) -> Any:
    """Return 1 + u·sigmoid(-u) - 2u·sigmoid(u)·coth(2·softplus(u))."""
    return 1 + u * logistic(-u) - 2 * u * logistic(u) * mpmath.coth(2 * softplus(u))


FUNCTIONS: dict[str, tuple[float, Callable[[Any], Any]]] = {
    "tanh": (0.5, lambda u: mpmath.log(mpmath.tanh(u))),
    "softplus": (1.0, lambda u: mpmath.log(softplus(u))),
    "ndtr": (0.5, lambda u: mpmath.log(mpmath.ncdf(u))),
    "gelu_tanh": (0.5, lambda u: mpmath.log(logistic(inner(u)))),
    "gelu_tanh_bend": (0.5, gelu_tanh_bend),
    "mish": (0.5, lambda u: mpmath.log(mpmath.tanh(softplus(u)))),
    "mish_bend": (0.5, mish_bend),
    "tanhshrink": (0.5, lambda u: mpmath.log(u - mpmath.tanh(u))),
    "asinh": (0.5, lambda u: mpmath.log(mpmath.asinh(u))),
    "arctan": (0.75, lambda u: mpmath.log(mpmath.atan(u))),
    "tan": (0.2, lambda u: mpmath.log(mpmath.tan(u))),
    "erf": (0.5, lambda u: mpmath.log(mpmath.erf(u))),
    "log1p": (1.0, lambda u: mpmath.log(mpmath.log(1 + u))),
    "expm1": (0.75, lambda u: mpmath.log(mpmath.expm1(u))),
}


def newton(nodes: list[Any], values: list[Any]) -> list[Any]:
    """Return the coefficients of the polynomial through points, by divided differences."""
    divided = list(values)
    for order in range(1, len(nodes)):
        for i in range(len(nodes) - 1, order - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (nodes[i] - nodes[i - order])
    result = [mpf(0)]
    for node, value in zip(reversed(nodes), reversed(divided), strict=True):
        shifted = [mpf(0), *result]
        result = [a - node * b for a, b in zip(shifted, [*result, mpf(0)], strict=True)]
        result[0] += value
    return result[: len(nodes)]


def table(reach: Any, function: Callable[[Any], Any]) -> list[Any]:
    """Return the coefficients of least degree that suffice."""
    checks = [reach * (mpf(i) / 50 - 1) for i in range(101)]
    exact = [function(mpmath.exp(x)) for x in checks]
    for degree in range(8, 60):
        nodes = [reach * mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * degree + 2)) for i in range(degree + 1)]
        found = newton(nodes, [function(mpmath.exp(x)) for x in nodes])
        errors = [abs(mpmath.polyval(found[::-1], x) - y) for x, y in zip(checks, exact, strict=True)]
        if max(errors) < abs(found[0]) * mpf(2) ** -56:
            return found
    raise ArithmeticError("no degree below 60 suffices")


def main() -> None:
    """Write the page."""
    lines = []
    with mpmath.workdps(60):
        for name, (reach, function) in FUNCTIONS.items():
            numbers = "".join(f"            {float(c)!r},\n" for c in table(mpf(reach), function))
            lines.append(f'    "{name}": (\n        {reach},\n        (\n{numbers}        ),\n    ),\n')
    PAGE.write_text(HEAD + "".join(lines) + "}\n")


if __name__ == "__main__":
    main()
