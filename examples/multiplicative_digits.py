"""Train multiplicative networks and their additive twins on handwritten digits, and compare all that is computed.

A multiplicative layer is x ↦ e^b ∏ x_j^W_ij. With x = e^t for pixels t, and the output read through ln, such a network is
the additive one with the same weights and σ′ = ln ∘ σ ∘ exp. Four tables: are losses, gradients and weights the same
while both are trained; which one computes the gradient more accurately; what changes when c = e^b is trained; what sums
of products do. Run `python examples/multiplicative_digits.py [--quick] [--epochs 20] [--markdown]`. The images come with
scikit-learn: `pip install scikit-learn`.
"""

import argparse
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import flint
import numpy as np

import neuralgebra as na

SIZES, BATCH, TRAINING = (64, 32, 10), 128, 1347
SIGMAS = {"tanh": na.activation("tanh"), "max(x, 1)": na.activation("at_least", bound=1.0)}
Pairs = list[tuple[np.ndarray, np.ndarray]]


# Data and networks ----------------------------------------------------------------------------------------------------


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return images, pixels scaled to -1 … 1, and their digits, in random order."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as missing:
        raise SystemExit("The images come with scikit-learn: pip install scikit-learn") from missing
    found = load_digits()
    order = np.random.default_rng(0).permutation(len(found.data))
    return found.data[order] / 8 - 1, found.target[order]


@dataclass(frozen=True)
class Model:
    """A network that gives logits, and what becomes of pixels before they enter it."""

    network: na.Network
    encode: Callable[[np.ndarray], np.ndarray]


def initial(seed: int, sizes: tuple[int, ...] = SIZES) -> Pairs:
    """Return weights of variance 1/n, and biases 0."""
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(m, n)) / np.sqrt(n), np.zeros(m)) for n, m in itertools.pairwise(sizes)]


def multiplicative(pairs: Pairs, sigma: na.Activation) -> na.Network:
    """Return the network of products alone."""
    return na.Network.from_layers(pairs, sigma, kind="multiplicative")


def direct(pairs: Pairs, sigma: na.Activation) -> Model:
    """Return products read through ln."""
    return Model(na.Network.function("log", len(pairs[-1][0])) @ multiplicative(pairs, sigma), np.exp)


def twin(pairs: Pairs, sigma: na.Activation) -> Model:
    """Return the additive network with the same weights."""
    return Model(multiplicative(pairs, sigma).to_additive(absorb=True), np.asarray)


def sums_of_products(pairs: Pairs, sigma: na.Activation | None) -> Model:
    """Return one layer of products, σ if there is one, and signed sums of them."""
    inner, outer = pairs
    products = na.Network.from_layers([inner], kind="multiplicative")
    bent = products if sigma is None else na.Network.function(sigma, len(inner[0])) @ products
    return Model(na.Network.from_layers([outer]) @ bent, np.exp)


# Training: one loop ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What was computed on the way: an entry for each step, and the accuracy on the other images for each epoch."""

    losses: np.ndarray
    gradients: np.ndarray
    weights: np.ndarray
    accuracy: np.ndarray
    predictions: np.ndarray
    factors: np.ndarray
    epochs: int

    @property
    def finished(self) -> bool:
        """Whether no factor became negative."""
        return len(self.accuracy) == self.epochs


Rule = Callable[[np.ndarray], np.ndarray]


def sgd(rate: float) -> Rule:
    """Return g ↦ -rate·g."""
    return lambda g: -rate * g


def adam(rate: float, memory: tuple[float, float] = (0.9, 0.999), least: float = 1e-8) -> Rule:
    """Return the step of Kingma and Ba, which keeps its two means."""
    means = [0.0, 0.0]
    count = itertools.count(1)

    def step(g: np.ndarray) -> np.ndarray:
        n = next(count)
        means[:] = [beta * a + (1 - beta) * p for beta, a, p in zip(memory, means, (g, g * g), strict=True)]
        first, second = (a / (1 - beta**n) for beta, a in zip(memory, means, strict=True))
        return -rate * first / (np.sqrt(second) + least)

    return step


RULES: dict[str, Callable[[], Rule]] = {"SGD": lambda: sgd(0.2), "Adam": lambda: adam(0.005)}


class Layout:
    """Arrays of a network as one vector, and where its biases are."""

    def __init__(self, network: na.Network) -> None:
        self.shapes = {name: a.shape for name, a in network.parameters().items()}
        self.ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes.values())])
        self.biases = self.pack({name: np.full(s, name.endswith("bias")) for name, s in self.shapes.items()})

    def pack(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Return the vector."""
        return np.concatenate([arrays[name].ravel() for name in self.shapes])

    def unpack(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Return the arrays."""
        parts = zip(self.shapes.items(), itertools.pairwise(self.ends), strict=True)
        return {name: vector[i:j].reshape(shape) for (name, shape), (i, j) in parts}


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean loss, and its gradient by the logits."""
    shifted = logits - logits.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    rows = np.arange(len(labels))
    loss, gradient = -logs[rows, labels].mean(), np.exp(logs)
    gradient[rows, labels] -= 1
    return loss, gradient / len(labels)


def loss_and_gradient(
    network: na.Network, layout: Layout, theta: np.ndarray, x: np.ndarray, labels: np.ndarray, factors: bool
) -> tuple[float, np.ndarray]:
    """Return the loss, and its gradient by θ: weights and b, or weights and c = e^b."""
    f = network.with_parameters(layout.unpack(biased(layout, theta, factors)))
    loss, w = cross_entropy(f(x), labels)
    gradient = layout.pack(f.parameter_vjp(x, w))
    return loss, np.where(layout.biases, gradient / theta, gradient) if factors else gradient


def biased(layout: Layout, theta: np.ndarray, factors: bool) -> np.ndarray:
    """Return weights and b where θ has c = e^b."""
    return np.where(layout.biases, np.log(np.where(layout.biases, theta, 1)), theta) if factors else theta


def batches(count: int, epochs: int, seed: int) -> Iterator[Iterator[np.ndarray]]:
    """Yield the batches of each epoch."""
    rng = np.random.default_rng([seed, 1])
    for _ in range(epochs):
        order = rng.permutation(count)
        yield (order[i : i + BATCH] for i in range(0, count, BATCH))


def train(
    model: Model, rule: Rule, epochs: int, *, seed: int = 0, dtype: str = "float64", factors: bool = False
) -> Run:
    """Train on the first images, test on the others; end early where a factor is no longer positive."""
    pixels, labels = digits()
    x, layout = model.encode(pixels).astype(dtype), Layout(model.network)
    theta = layout.pack(model.network.parameters()).astype(dtype)
    theta = np.where(layout.biases, np.exp(theta), theta) if factors else theta
    losses, gradients, weights, accuracy = [], [], [biased(layout, theta, factors)], []
    guesses = np.array([], dtype=int)
    for epoch in batches(TRAINING, epochs, seed):
        for rows in epoch:
            loss, gradient = loss_and_gradient(model.network, layout, theta, x[rows], labels[rows], factors)
            theta = theta + rule(gradient)
            losses.append(loss)
            gradients.append(gradient)
            if factors and (theta[layout.biases] <= 0).any():
                break
            weights.append(biased(layout, theta, factors))
        else:
            f = model.network.with_parameters(layout.unpack(weights[-1]))
            guesses = f(x[TRAINING:]).argmax(-1)
            accuracy.append((guesses == labels[TRAINING:]).mean())
            continue
        break
    found = map(np.array, (losses, gradients, weights, accuracy))
    return Run(*found, guesses, theta[layout.biases], epochs)
