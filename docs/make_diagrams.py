"""Draw the pictures of docs/diagrams.md into docs/diagrams/."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

import neuralgebra as na
from neuralgebra.show.curves import BLUE, ORANGE, curves
from neuralgebra.show.picture import Picture
from neuralgebra.show.strip import derived

FOLDER = Path(__file__).parent / "diagrams"
FUNCTIONS = {
    "tanh": na.Network.function("tanh"),
    "sigmoid": na.Network.function("sigmoid"),
    "relu": na.Network.function("relu"),
    "max(x, 1)": na.Network.function("relu") @ (na.Network.identity(1) - 1) + 1,
}


def chain(*sizes: int, **options: str) -> na.Network:
    """Return a tanh network; which weights it has is not seen, only that none is zero."""
    pairs = [(np.ones((b, a)), np.ones(b)) for a, b in itertools.pairwise(sizes)]
    pairs = [(weight + i, bias + i) for i, (weight, bias) in enumerate(pairs)]
    return na.Network.from_layers(pairs, "tanh", **options)


def twins() -> Picture:
    """Draw σ, as a multiplicative network takes it, and σ′ = log∘σ∘exp of its additive twin."""
    x = np.linspace(-4, 4, 321)
    positive = x[x > 0]
    log, exp = na.Network.function("log"), na.Network.function("exp")
    panels = []
    for letter, (name, sigma) in zip("abcd", FUNCTIONS.items(), strict=True):
        twin = (log @ sigma @ exp)(x[:, None])[:, 0]
        series = [
            ("σ, x > 0", positive, sigma(positive[:, None])[:, 0], BLUE, ()),
            ("σ′ = log∘σ∘exp", x, twin, ORANGE, (6, 3)),
        ]
        panels.append((f"({letter}) σ = {name}", series))
    return curves(panels)


def residual() -> Picture:
    """Draw (x + f(x)) g(x)."""
    x = na.Network.identity(4)
    return ((x + chain(4, 6, 4)) * chain(4, 4)).draw()


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    multiplicative = chain(3, 3, 3, kind="multiplicative")
    pictures = {
        "multiplicative": multiplicative.draw(),
        "residual": residual(),
        "derivation": derived(multiplicative.rewrite("additive")),
        "twins": twins(),
    }
    for name, picture in pictures.items():
        picture.save(FOLDER / f"{name}.svg", overwrite=True)
