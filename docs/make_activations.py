"""Write docs/activations.md: the catalogue, and how accurate it is (measured; about a minute)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import sympy

import neuralgebra as na
from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.functions.activation import resolved

HERE = Path(__file__).parent

HEAD = """\
# Activations

Made by `python docs/make_activations.py`.

An activation is one row of `src/neuralgebra/functions/catalogue.py`: a polynomial in z and a short *chain* of functions
whose derivatives are again polynomials in z and the chain. Everything else follows from the row: every derivative, the
Taylor recurrence, the formula, the enclosure by balls. [Extending](extending.md) shows how to add one.

`na.activation("leaky_relu", slope=0.2)` makes one with a parameter; a list of numbers gives one value per coordinate.
A derivative is an activation again, with the same chain: `"tanh'"`, `"tanh''"`, `"tanh^(3)"`, up to order 32.

## The catalogue

A *kink* is a point where a derivative jumps; the table gives its place, the order of the lowest derivative that jumps,
and the value that neuralgebra returns there: that of PyTorch, but for the second derivative of elu and celu, where it
is 1 and PyTorch has 0. A derivative that is piecewise constant does not pass NaN on.

| name | formula | parameters | kinks: place, order, value | inverse | ONNX |
|---|---|---|---|---|---|
"""

ACCURACY = """
## Accuracy

Largest error in condition-scaled ulp, error / (u·(|f| + |x f'|)) with u = 2⁻⁵³ (float64) or 2⁻²⁴ (float32), over all
magnitudes where the exact result is a normal number, measured against ball arithmetic by
`python benchmarks/activation_accuracy.py`. Columns: n, t, j for NumPy, PyTorch, JAX; 64 or 32 bits; ' and '' for the
first and second derivative. Limits: 4 (float64) and 8 (float32) for values, 16 for derivatives; no NaN at ±inf where a
limit exists. XLA, the compiler of JAX, flushes subnormal numbers to zero; points that need them do not count there.

"""


def row(name: str) -> str:
    """Return the line of one activation."""
    found, function = na.activations()[name], na.activation(name)
    formula = str(function(Symbols(), np.array([sympy.Symbol("z")], dtype=object))[0])
    parameters = ", ".join(f"{n} = {v}" for n, v in function.parameters)
    constants = function.constants(Arrays(np.zeros(1)))
    kinks = [[float(resolved(v, constants)) for v in (k.at, k.order, k.chosen)] for k in found.kinks]
    places = "; ".join(f"{at:g}, {order:g}, {chosen:.6g}" for at, order, chosen in kinks)
    cells = [
        name,
        f"`{formula}`",
        parameters,
        places,
        str(na.activation(name).inverse or ""),
        found.names.get("onnx", ""),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Measure and write."""
    script = HERE.parent / "benchmarks" / "activation_accuracy.py"
    table = subprocess.run([sys.executable, script, "--markdown"], capture_output=True, text=True, check=True).stdout
    text = HEAD + "\n".join(map(row, na.activations())) + "\n" + ACCURACY + table
    (HERE / "activations.md").write_text(text)


if __name__ == "__main__":
    main()
