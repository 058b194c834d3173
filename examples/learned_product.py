"""Compare a learned product h(f(x), g(x)), f and g frozen, with products that are written down.

The learned one is a tanh network h of two inputs, fitted by least squares to pairs (f(x), g(x)) and their products. The
constructed ones need no data: `f * g` has a product in it; four sigmoid neurons are a product up to a term of order h⁴,
by the second difference of sigmoid at b = -2.29243…, where its fourth derivative vanishes; `f.plain` makes plain tanh
layers and proves their error. Run `python examples/learned_product.py`.
"""

import itertools
import time

import numpy as np
from scipy.optimize import least_squares

import neuralgebra as na

BIAS, STEP = -2.29243166956, 2.0**-8
ROWS = "{:34s} {:>7s} {:>10s} {:>12s} {:>9s}"


def random_network(activation: str, *sizes: int, seed: int) -> na.Network:
    """Return a chain with random weights."""
    rng = np.random.default_rng(seed)
    pairs = [(rng.normal(size=(m, n)) / np.sqrt(n), rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(pairs, activation)


def learned(neurons: int, x: np.ndarray, y: np.ndarray) -> na.Network:
    """Return a tanh network with one hidden layer, fitted by least squares."""
    start = random_network("tanh", 2, neurons, 1, seed=0)
    shapes = {name: a.shape for name, a in start.parameters().items()}
    ends = np.cumsum([0, *map(np.prod, shapes.values())])

    def at(theta: np.ndarray) -> na.Network:
        parts = zip(shapes.items(), itertools.pairwise(ends), strict=True)
        return start.with_parameters({name: theta[i:j].reshape(shape) for (name, shape), (i, j) in parts})

    def jacobian(theta: np.ndarray) -> np.ndarray:
        return at(theta).parameter_jacobian(x)[:, 0, 0]

    theta = np.concatenate([a.ravel() for a in start.parameters().values()])
    found = least_squares(lambda t: at(t)(x)[:, 0] - y, theta, jacobian, x_scale="jac", xtol=1e-12, max_nfev=200)
    return at(found.x)


def gate() -> na.Network:
    """Return (u, v) ↦ u v by four sigmoid neurons: the second difference of sigmoid in u and v, divided by 4 h² σ''."""
    signs = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])
    s = 1 / (1 + np.exp(-BIAS))
    curvature = s * (1 - s) * (1 - 2 * s)
    factors = np.array([[1, 1, -1, -1]]) / (4 * STEP**2 * curvature)
    return na.Network.from_layers([(STEP * signs, np.full(4, BIAS)), (factors, None)], "sigmoid")


def main() -> None:
    """Fit, construct, measure, print."""
    f, g = random_network("tanh", 2, 8, 1, seed=1), random_network("tanh", 2, 8, 1, seed=2)
    box = [(-1.0, 1.0), (-1.0, 1.0)]
    x = np.random.default_rng(3).uniform(-1, 1, size=(400, 2))
    pairs = na.stack(f, g)
    inner = 16  # neurons of f and g
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 101)] * 2), -1).reshape(-1, 2)
    exact = (f(grid) * g(grid))[:, 0]
    print(ROWS.format("h(f(x), g(x))", "neurons", "parameters", "error", "seconds"))
    ways = {
        **{
            f"learned, tanh, {n} neurons": lambda n=n: learned(n, pairs(x), (f * g)(x)[:, 0]) @ pairs
            for n in (4, 8, 16)
        },
        "gate of four sigmoid neurons": lambda: gate() @ pairs,
        "f.plain, tanh, tol 1e-6 (proven)": lambda: (f * g).plain("tanh", box, 1e-6).network,
        "f * g": lambda: f * g,
    }
    for name, make in ways.items():
        start = time.perf_counter()
        product = make()
        seconds = time.perf_counter() - start
        error = abs(product(grid)[:, 0] - exact).max()
        sizes = product.sizes
        hidden = sum(sizes[i] for i, n in enumerate(product.nodes, 1) if isinstance(n.layer, na.Elementwise))
        own, count = hidden - inner, product.parameter_count - pairs.parameter_count
        print(ROWS.format(name, str(own), str(count), f"{error:.1e}", f"{seconds:.3f}"))
    print("neurons and parameters: those beyond f and g; error: the largest on a grid of the box")


if __name__ == "__main__":
    main()
