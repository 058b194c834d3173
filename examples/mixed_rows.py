"""Fit a network to rows of which some know y, some dy/dx1 and some dy/dx2: by least squares, and by a particle swarm.

A test set sometimes has [x1, x2] with y, and sometimes with dy/dx1 or dy/dx2, and a particle swarm trains the network:
can it, and what does least squares make of the same rows? Run `python examples/mixed_rows.py [--plot mixed_rows.png]`,
in about ten seconds; the plot needs matplotlib.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

import neuralgebra as na


def truth(x: np.ndarray) -> np.ndarray:
    """Return the function that is to be found."""
    return np.sin(2 * x[..., 0]) * np.cos(x[..., 1]) + x[..., 0] / 2


def slopes(x: np.ndarray) -> list[np.ndarray]:
    """Return its derivatives by x1 and by x2."""
    a, b = 2 * x[..., 0], x[..., 1]
    return [2 * np.cos(a) * np.cos(b) + 0.5, -np.sin(a) * np.sin(b)]


def rows(count: int = 240, seed: int = 0) -> na.Observations:
    """Return rows at random points, each of which knows one number."""
    x = np.random.default_rng(seed).uniform(-1.5, 1.5, (count, 2))
    a, b, c = (x[i::3] for i in range(3))
    at = na.Observations.at
    return at(a, truth(a)) + at(b, slopes(b)[0], "x1") + at(c, slopes(c)[1], "x2")


def errors(f: na.Network, side: int = 61) -> list[float]:
    """Return root mean square errors of y and its derivatives on a grid, over the deviation of each."""
    x = np.stack(np.meshgrid(*[np.linspace(-1.5, 1.5, side)] * 2), -1).reshape(-1, 2)
    found = [f(x)[:, 0], *f.jacobian(x)[:, 0].T]
    wanted = [truth(x), *slopes(x)]
    return [float(np.sqrt(np.mean((a - b) ** 2)) / b.std()) for a, b in zip(found, wanted, strict=True)]


def fits(known: na.Observations) -> dict[str, na.Network]:
    """Return the networks found by two methods."""
    return {
        "least squares": na.fit(known, hidden=(12, 8), progress=False),
        "swarm": na.fit(
            known, hidden=(6, 4), solver="swarm", particles=100, iterations=3000, patience=3000, progress=False
        ),
    }


def plot(found: dict[str, na.Network], path: Path) -> None:
    """Draw truth and fits: y and its two derivatives."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise SystemExit("The plot needs matplotlib: pip install matplotlib") from missing
    axis = np.linspace(-1.5, 1.5, 61)
    x = np.stack(np.meshgrid(axis, axis), -1)
    surfaces = {"truth": [truth(x), *slopes(x)]}
    for name, f in found.items():
        surfaces[name] = [f(x)[..., 0], *np.moveaxis(f.jacobian(x)[..., 0, :], -1, 0)]
    figure = Figure(figsize=(9, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(surfaces), 3, sharex=True, sharey=True)
    for line, (name, values) in zip(panels, surfaces.items(), strict=True):
        for panel, value, wanted, title in zip(line, values, surfaces["truth"], ("y", "∂y/∂x1", "∂y/∂x2"), strict=True):
            levels = np.linspace(wanted.min(), wanted.max(), 15)
            filled = panel.contourf(axis, axis, value, levels, extend="both", cmap="viridis")
            panel.contour(axis, axis, wanted, levels[::2], colors="white", linewidths=0.6)
            panel.set_title(f"{title}, {name}")
            figure.colorbar(filled, ax=panel)
    figure.savefig(path, dpi=120)


def main() -> None:
    """Fit, print the reports and the errors, and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", type=Path, help="picture to write, such as mixed_rows.png")
    given = parser.parse_args()
    known = rows()
    print(known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fits(known)
    for name, f in found.items():
        print(f"\n{name}\n{f.fit_report()}")
        y, by_first, by_second = errors(f)
        print(f"on a grid, relative: y {y:.1e}, dy/dx1 {by_first:.1e}, dy/dx2 {by_second:.1e}")
    if given.plot:
        plot(found, given.plot)


if __name__ == "__main__":
    main()
