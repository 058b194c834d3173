"""Draw the pictures of docs/diagrams.md into docs/diagrams/."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

import neuralgebra as na
from neuralgebra.show.picture import Picture
from neuralgebra.show.strip import derived

FOLDER = Path(__file__).parent / "diagrams"


def chain(*sizes: int, **options: str) -> na.Network:
    """Return a tanh network; which weights it has is not seen, only that none is zero."""
    pairs = [(np.ones((b, a)), np.ones(b)) for a, b in itertools.pairwise(sizes)]
    pairs = [(weight + i, bias + i) for i, (weight, bias) in enumerate(pairs)]
    return na.Network.from_layers(pairs, "tanh", **options)


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
        "derivation": derived(multiplicative.rewrite("additive", absorb=True), every_step=False),
        "twins": na.plot_conjugates(),
    }
    for name, picture in pictures.items():
        picture.save(FOLDER / f"{name}.svg", overwrite=True)
