"""Train two networks on noisy data of a rising function, and ask of each whether it rises everywhere.

The dose-response data rise with the dose and with the time. One tanh network has weights without signs, squares of what
is fitted, so it rises by construction; the other one is free and follows the noise. `certify` proves the first and
refutes the second with two doses. Run `python examples/monotone.py`.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import least_squares

import neuralgebra as na

BOX = {"dose": (0.0, 1.0), "time": (0.0, 1.0)}
NEURONS, ROWS, NOISE = 6, 60, 0.1


def data() -> tuple[np.ndarray, np.ndarray]:
    """Return doses and times, and responses with noise."""
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 1, (ROWS, 2))
    return x, x[:, 0] / (0.2 + x[:, 0]) * (1 - np.exp(-2 * x[:, 1])) + NOISE * rng.normal(size=ROWS)


def network(theta: np.ndarray, weights: Callable[[np.ndarray], np.ndarray]) -> na.Network:
    """Return the network with these numbers, of which the weights go through a function."""
    first, bias, last = np.split(theta[:-1], [2 * NEURONS, 3 * NEURONS])
    pairs = [(weights(first.reshape(NEURONS, 2)), bias), (weights(last[None]), theta[-1:])]
    return na.Network.from_layers(pairs, "tanh", input_names=list(BOX), output_names=["response"])


def trained(weights: Callable[[np.ndarray], np.ndarray]) -> na.Network:
    """Return the network that fits the data best."""
    x, y = data()
    start = np.random.default_rng(0).normal(size=4 * NEURONS + 1)
    found = least_squares(lambda t: network(t, weights)(x)[:, 0] - y, start, max_nfev=60)
    return network(found.x, weights)


def main() -> None:
    x, y = data()
    for name, weights in (("weights without signs", np.square), ("free weights", np.asarray)):
        f = trained(weights)
        print(f"{name}: root mean square error {np.sqrt(np.mean((f(x)[:, 0] - y) ** 2)):.3f}")
        for claim in ("increasing in dose", "increasing in time", "bounded by 2"):
            print(f"  {f.certify(claim, BOX)}")
        top = f.maximum(BOX)
        print(f"  largest response on the box between {top.low:.6f} and {top.high:.6f}\n")


if __name__ == "__main__":
    main()
