"""Write docs/conjugates.md: log∘σ∘exp of the whole catalogue, how accurate, and where the plain formula fails."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import neuralgebra as na
from neuralgebra.errors import InputError
from neuralgebra.functions.activation import Activation

HERE = Path(__file__).parent
DENSITY = 300

HEAD = """\
# Conjugates: log∘σ∘exp

Made by `python docs/make_conjugates.py`.

A multiplicative layer, ∏ xⱼ^wᵢⱼ, is exp after an affine layer after log. So a multiplicative network with activation σ
is an additive one, with the same weights, whose activation is σ' = log∘σ∘exp. `na.conjugate` gives it:

```python
>>> import neuralgebra as na
>>> s = na.conjugate("tanh")
>>> s.formula, s.limits, s.stabilised
(log(tanh(exp(x))), (-oo, 0), True)
>>> s([-1000.0, 0.0, 3.0])                   # np.log(np.tanh(np.exp(x))) gives -inf, -0.272…, 0
array([-1.00000000e+03, -2.72341469e-01, -7.16068043e-18])
>>> na.conjugate("softsign").name, na.conjugate("softplus", "multiplicative").name       # and back: exp∘σ∘log
('logsigmoid', 'affine(offset=1)')

```

`s.activation` is what layers are made with; it has derivatives of every order, formulas, enclosures, files and code
like every activation. `base=` takes another base β: log_β∘σ∘β^· is σ'(x·ln β)/ln β. For β < 1 the sides change:
at_least becomes at_most.

σ has to be positive for x > 0. Where it is not, the refusal says on which interval. For a function of `na.register`
positivity is proven with intervals where that is possible (`s.positive` is True), refuted with an interval, or left
open (None); its conjugate is put together from its parts, and `s.stabilised` is False.

Three of these functions are easily taken for others. That of tanh is no flipped softplus: it differs from logsigmoid by
up to 0.4245, at x = 0.14. The exact flipped softplus, logsigmoid, belongs to softsign and to x/(1 + x). That of sigmoid
is no sigmoid: its values are between -log 2 and 0.

## The catalogue

Limits are those at both ends of the domain. Errors are the largest in condition-scaled ulp, error / (u·(|f| + |x f'|)),
of the value, the first and the second derivative, in NumPy, on [-1000, 1000], against ball arithmetic.

| σ | σ' | name | limits | range | float64 | float32 |
|---|---|---|---|---|---|---|
"""

NAIVE = """
## The plain formula

`np.log(sigma(np.exp(x)))` with σ as one writes it in NumPy or SciPy, at 199 points on [-1000, 1000] and on [-10, 10],
in float64: how many results are not finite although the exact one is a normal number, the largest relative error of the
finite ones (1 is all of it), and the x nearest to 0 on either side where it is off by more than 1e-6.

| σ | not finite | error | wrong from x = | on [-10, 10]: not finite | error | wrong from x = |
|---|---|---|---|---|---|---|
"""


def accuracy() -> ModuleType:
    """Return the benchmark of the accuracy of activations."""
    path = HERE.parent / "benchmarks" / "activation_accuracy.py"
    spec = importlib.util.spec_from_file_location("activation_accuracy", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


BENCHMARK = accuracy()


def errors(function: Activation, dtype: str) -> str:
    """Return the largest errors of value and two derivatives."""
    x = BENCHMARK.points(function, dtype, DENSITY)
    x = x[np.abs(x) <= BENCHMARK.REACH]
    library = {"numpy": (np.asarray, np.asarray)}
    return ", ".join(f"{error:.1f}" for _, _, error, _ in BENCHMARK.measure(function, x, library))


def row(name: str) -> str:
    """Return the line of one function."""
    try:
        s = na.conjugate(name)
    except InputError as error:
        return f"| {name} | {str(error).split(' received: ')[1].split(',')[0]} |  |  |  |  |  |"
    called = s.name if s.known else ""
    limits, values = (", ".join(map(str, pair)) for pair in (s.limits, s.range))
    cells = [name, f"`{s.formula}`", called, limits, values, *(errors(s.activation, d) for d in ("float64", "float32"))]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _softplus(u: Any) -> Any:
    return np.log(1 + np.exp(u))


def plain() -> dict[str, Any]:
    """Return the functions as one writes them."""
    from scipy import special

    return {
        "tanh": np.tanh,
        "sigmoid": lambda u: 1 / (1 + np.exp(-u)),
        "softplus": _softplus,
        "silu": lambda u: u / (1 + np.exp(-u)),
        "gelu": lambda u: u * special.ndtr(u),
        "mish": lambda u: u * np.tanh(_softplus(u)),
        "tanhshrink": lambda u: u - np.tanh(u),
        "lisht": lambda u: u * np.tanh(u),
        "sinh": np.sinh,
        "cosh": np.cosh,
        "asinh": np.arcsinh,
        "arctan": np.arctan,
        "erf": special.erf,
        "log1p": np.log1p,
        "expm1": np.expm1,
        "softsign": lambda u: u / (1 + np.abs(u)),
        "square": np.square,
        "reciprocal": np.reciprocal,
        "relu": lambda u: np.maximum(u, 0),
    }


def naive(name: str, sigma: Any) -> str:
    """Return the line of one function."""
    return f"| {name} | " + " | ".join(naive_within(name, sigma, reach) for reach in (1000, 10)) + " |"


def naive_within(name: str, sigma: Any, reach: float) -> str:
    """Return the cells of one function on one interval."""
    x = np.linspace(-reach, reach, 199)
    exact = na.conjugate(name)(x)  # within 4 ulp, by the table above
    normal = (np.abs(exact) > np.finfo(float).tiny) & np.isfinite(exact)
    with np.errstate(all="ignore"):
        result = np.log(sigma(np.exp(x)))
        lost = normal & ~np.isfinite(result)
        apart = np.where(normal & ~lost, np.abs(result - exact) / np.abs(exact), 0)
    wrong = x[lost | (apart > 1e-6)]
    nearest = wrong[wrong < 0].max(initial=-np.inf), wrong[wrong > 0].min(initial=np.inf)
    return f"{lost.sum()} | {apart.max():.1e} | {', '.join(f'{place:.4g}' for place in nearest if np.isfinite(place))}"


def main() -> None:
    """Measure and write."""
    table = "\n".join(map(row, na.activations()))
    failures = "\n".join(naive(name, sigma) for name, sigma in plain().items())
    (HERE / "conjugates.md").write_text(HEAD + table + "\n" + NAIVE + failures + "\n")


if __name__ == "__main__":
    main()
