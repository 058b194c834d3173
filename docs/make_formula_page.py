"""Write docs/formula.html: every rendering of two networks on one page that needs nothing beside it."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import neuralgebra as na

PAGE = Path(__file__).parent / "formula.html"

HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Formulas of networks</title>
<style>
body { font: 16px/1.5 Georgia, "DejaVu Serif", serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff; }
h1, h2, h3 { font-weight: normal; line-height: 1.2; }
h2 { border-top: 1px solid #bbb; padding-top: 1.2rem; margin-top: 2.5rem; }
.math, pre { overflow-x: auto; padding: .6rem .8rem; background: #f6f6f3; border-left: 3px solid #b9b4a5; }
pre { font: 13px/1.45 "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.math { overflow-y: hidden; }
math { font-family: "STIX Two Math", "Latin Modern Math", "Cambria Math", "STIX Math", math; }
math[display="block"] { display: math; }
math > mtable > mtr > mtd { padding: .35em .25em; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1a; } .math, pre { background: #262624; } }
</style>
</head>
<body>
<h1>Formulas of networks</h1>
<p>Made by <code>python docs/make_formula_page.py</code>; <a href="formula.md">the page about formulas</a> explains it.
</p>
"""


def question() -> na.Network:
    """Return a network as in the question for an explicit definition: 3-2-2-2, sigmoids, linear outputs."""
    layers = [
        ([[-0.9, -2.2, 0.3], [1.3, -0.4, 1.2]], [0.15, -0.09]),
        ([[0.2, 1.8], [-0.9, 0.5]], [0.95, 0.74]),
        ([[-1.3, -0.7], [-0.9, -1.1]], [-1.1, -0.3]),
    ]
    return na.Network.from_layers(layers, "sigmoid")


def piecewise() -> na.Network:
    """Return a network with kinks, whose inputs have names that are no identifiers."""
    layers = [([[2.0, -1.0], [1e-7, 0.5]], [0.5, -1.0]), ([[3.0, -2.0]], None)]
    return na.Network.from_layers(layers, "relu", input_names=["speed [m/s]", "<temperature>"])


def deep() -> na.Network:
    """Return a network of the shape in the question about the chain rule: 52-20-10-1."""
    rng = np.random.default_rng(0)
    shapes = [(20, 52), (10, 20), (1, 10)]
    return na.Network.from_layers([(rng.normal(size=s), rng.normal(size=s[0])) for s in shapes])


def page() -> Iterator[str]:
    """Yield the parts of the page."""
    f, g, h = question(), piecewise(), deep()
    yield HEAD
    yield "<h2>Three inputs, two layers of two sigmoids, two outputs</h2>"
    yield "<h3>Value and Jacobian, line by line</h3>" + math(f.formula(1).mathml())
    yield "<h3>Value, Jacobian and Hessian of the first output, three digits</h3>"
    yield math(f[0].formula(2, digits=3).mathml())
    yield "<h3>In the inputs alone</h3>" + math(f.formula().inlined("mathml"))
    yield "<h3>In matrices</h3>" + math(f.formula(2).matrix("mathml"))
    yield "<h3>As text</h3>" + text(f.formula().text())
    yield "<h3>In the Wolfram Language</h3>" + text(f.formula(1).mathematica())
    yield "<h3>In LaTeX</h3>" + text(f.formula().latex())
    yield "<h2>A network with kinks</h2>" + math(g.formula(1).mathml()) + text(g.formula(1).text())
    yield "<h2>Other functions, and their first derivatives</h2>"
    for name in ("gelu", "softplus", "hardswish", "elu", "softsign", "mish"):
        yield math(na.Network.function(name, 1).formula(1).mathml())
    yield "<h2>The chain rule of a network 52-20-10-1</h2>"
    yield text(h.explain("jacobian").text()) + text(h.explain("hessian").text())
    yield "</body>\n</html>\n"


def math(element: str) -> str:
    """Return a formula, which scrolls where it is wide."""
    return f'<div class="math">{element}</div>'


def text(content: str) -> str:
    """Return a text as it is."""
    return f"<pre>{html.escape(content)}</pre>"


if __name__ == "__main__":
    PAGE.write_text("\n".join(page()), encoding="utf-8")
