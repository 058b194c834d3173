"""Train multiplicative networks and their additive twins on handwritten digits, and compare all that is computed.

A multiplicative layer is x ↦ e^b ∏ x_j^W_ij. With x = e^t for pixels t, and the output read through ln, such a network
is the additive one with the same weights and σ′ = ln ∘ σ ∘ exp. Tables: are losses, gradients and weights the same
while both are trained; which one computes the gradient more accurately; what changes when c = e^b is trained; what sums
of products do. Run `python examples/multiplicative_digits.py [--quick] [--epochs 20] [--markdown]`, in about two
minutes. The images come with scikit-learn: `pip install scikit-learn`.
"""

import argparse
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from _gradient_truth import errors, naive_additive, naive_direct, truth

import neuralgebra as na

SIZES, BATCH, TRAINING = (64, 32, 10), 128, 1347
EPOCH = -(-TRAINING // BATCH)  # steps
SIGMAS = {"tanh": na.activation("tanh"), "max(x, 1)": na.activation("at_least", bound=1.0)}
Pairs = list[tuple[np.ndarray, np.ndarray]]  # weight and bias of each layer
Rule = Callable[[np.ndarray], np.ndarray]
Gradient = Callable[[Pairs, np.ndarray, np.ndarray], np.ndarray]


# Data and networks ----------------------------------------------------------------------------------------------------


@functools.cache
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


def direct(pairs: Pairs, sigma: str = "tanh") -> Model:
    """Return the network of products alone, read through ln."""
    products = na.Network.from_layers(pairs, SIGMAS[sigma], kind="multiplicative")
    return Model(na.Network.function("log", len(pairs[-1][0])) @ products, np.exp)


def twin(pairs: Pairs, sigma: str = "tanh") -> Model:
    """Return the additive network with the same weights."""
    products = na.Network.from_layers(pairs, SIGMAS[sigma], kind="multiplicative")
    return Model(products.to_additive(absorb=True), np.asarray)


def sums(pairs: Pairs, sigma: str) -> Model:
    """Return one layer of products, σ of them unless it is "none", and signed sums."""
    inner, outer = pairs
    products = na.Network.from_layers([inner], kind="multiplicative")
    bent = products if sigma == "none" else na.Network.function(SIGMAS[sigma], len(inner[0])) @ products
    return Model(na.Network.from_layers([outer]) @ bent, np.exp)


def additive(pairs: Pairs, sigma: str) -> Model:
    """Return the additive network with σ itself."""
    return Model(na.Network.from_layers(pairs, SIGMAS[sigma]), np.asarray)


# Training: one loop ---------------------------------------------------------------------------------------------------


def sgd(rate: float) -> Rule:
    """Return g ↦ -rate·g."""
    return lambda g: -rate * g


def adam(rate: float, memory: tuple[float, float] = (0.9, 0.999), least: float = 1e-8) -> Rule:
    """Return the step of Kingma and Ba, which keeps two means."""
    means: list[np.ndarray | float] = [0.0, 0.0]
    count = itertools.count(1)

    def step(g: np.ndarray) -> np.ndarray:
        n = next(count)
        means[:] = [beta * a + (1 - beta) * p for beta, a, p in zip(memory, means, (g, g * g), strict=True)]
        first, second = (a / (1 - beta**n) for beta, a in zip(memory, means, strict=True))
        return -rate * first / (np.sqrt(second) + least)

    return step


class Layout:
    """Arrays of a network as one vector θ, and where its biases are; with `factors` θ has c = e^b in their place."""

    def __init__(self, network: na.Network, factors: bool = False) -> None:
        self.shapes = {name: a.shape for name, a in network.parameters().items()}
        self.ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes.values())])
        self.biases = self.pack({name: np.full(s, name.endswith("bias")) for name, s in self.shapes.items()})
        self.factors = self.biases & factors

    def pack(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """Return arrays as one vector."""
        return np.concatenate([arrays[name].ravel() for name in self.shapes])

    def unpack(self, vector: np.ndarray) -> dict[str, np.ndarray]:
        """Return a vector as arrays."""
        parts = zip(self.shapes.items(), itertools.pairwise(self.ends), strict=True)
        return {name: vector[i:j].reshape(shape) for (name, shape), (i, j) in parts}

    def pairs(self, vector: np.ndarray) -> Pairs:
        """Return a vector as weight and bias of each layer."""
        arrays = list(self.unpack(vector).values())
        return list(zip(arrays[::2], arrays[1::2], strict=True))

    def theta(self, weights: np.ndarray) -> np.ndarray:
        """Return θ for weights and b."""
        return np.where(self.factors, np.exp(np.where(self.factors, weights, 0)), weights)

    def weights(self, theta: np.ndarray) -> np.ndarray:
        """Return weights and b."""
        return np.where(self.factors, np.log(np.where(self.factors, theta, 1)), theta)

    def gradient(self, by_weights: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Return the gradient by θ: dL/dc = dL/db e^-b."""
        return by_weights / np.where(self.factors, theta, 1)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the mean loss, and its gradient by the logits."""
    shifted = logits - logits.max(-1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    rows = np.arange(len(labels))
    loss, gradient = -logs[rows, labels].mean(), np.exp(logs)
    gradient[rows, labels] -= 1
    return loss, gradient / len(labels)


def slope(
    model: Model, layout: Layout, theta: np.ndarray, x: np.ndarray, labels: np.ndarray
) -> tuple[float, np.ndarray]:
    """Return the loss, and its gradient by θ."""
    f = model.network.with_parameters(layout.unpack(layout.weights(theta)))
    loss, w = cross_entropy(f(x), labels)
    return loss, layout.gradient(layout.pack(f.parameter_vjp(x, w)), theta)


def batches(epochs: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the rows of each step."""
    rng = np.random.default_rng([seed, 1])
    for _ in range(epochs):
        order = rng.permutation(TRAINING)
        yield from (order[i : i + BATCH] for i in range(0, TRAINING, BATCH))


@dataclass(frozen=True)
class Run:
    """What was computed: an entry for each step; accuracy on the other images for each epoch; why it ended early."""

    losses: np.ndarray
    gradients: np.ndarray
    weights: np.ndarray
    accuracy: np.ndarray
    guesses: np.ndarray
    layout: Layout
    ended: str

    @property
    def loss(self) -> float:
        """The mean of the last epoch."""
        return float(self.losses[-EPOCH:].mean())


def train(model: Model, rule: Rule, epochs: int, seed: int = 0, dtype: str = "float64", factors: bool = False) -> Run:
    """Train on the first images, test on the others."""
    pixels, labels = digits()
    x, layout = model.encode(pixels).astype(dtype), Layout(model.network, factors)
    theta = layout.theta(layout.pack(model.network.parameters()).astype(dtype))
    history, accuracy, ended = [], [], ""
    guesses = np.array([], dtype=int)
    for step, rows in enumerate(batches(epochs, seed), 1):
        loss, gradient = slope(model, layout, theta, x[rows], labels[rows])
        theta = theta + rule(gradient)
        ended = refusal(layout, theta)
        if ended:
            ended += f" at step {step}"
            break
        history.append((loss, gradient, layout.weights(theta)))
        if step % EPOCH == 0:
            guesses = model.network.with_parameters(layout.unpack(history[-1][2]))(x[TRAINING:]).argmax(-1)
            accuracy.append((guesses == labels[TRAINING:]).mean())
    losses, gradients, weights = map(np.array, zip(*history, strict=True))
    return Run(losses, gradients, weights, np.array(accuracy), guesses, layout, ended)


def refusal(layout: Layout, theta: np.ndarray) -> str:
    """Return why there is no next step, "" if there is."""
    if not np.isfinite(theta).all():
        return "not finite"
    return "c ≤ 0" if (theta[layout.factors] <= 0).any() else ""


FORMS: dict[str, Callable[[Pairs, str], Model]] = {f.__name__: f for f in (direct, twin, sums, additive)}
RULES: dict[str, Callable[[float], Rule]] = {"SGD": sgd, "Adam": adam}


@functools.cache
def run(
    form: str, sigma: str, rule: str, epochs: int, *,
    dtype: str = "float64", seed: int = 0, factors: bool = False, nudge: float = 0.0,
) -> Run:  # fmt: skip
    """Return what training gives; a rule is written "SGD 0.2"; `nudge` changes all weights relatively."""
    pairs = [(w * (1 + nudge), b) for w, b in initial(seed)]
    name, rate = rule.split()
    with np.errstate(all="ignore"):
        return train(FORMS[form](pairs, sigma), RULES[name](float(rate)), epochs, seed, dtype, factors)


def differences(a: Run, b: Run) -> dict[str, np.ndarray]:
    """Return the largest relative difference in each epoch, that of vectors by norm."""
    found = {"loss": abs(a.losses / b.losses - 1)}
    for name, p, q in (("gradient", a.gradients, b.gradients), ("weights", a.weights, b.weights)):
        found[name] = np.linalg.norm(p - q, axis=-1) / np.linalg.norm(q, axis=-1)
    return {name: d.reshape(-1, EPOCH).max(1) for name, d in found.items()}


# Accuracy of gradients ------------------------------------------------------------------------------------------------


def library(form: Callable[[Pairs], Model]) -> Gradient:
    """Return the gradient that the library computes for a form."""

    def gradient(pairs: Pairs, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        f = form(pairs).network
        return Layout(f).pack(f.parameter_vjp(x, w))

    return gradient


WAYS: dict[str, tuple[Gradient, bool]] = {
    "multiplicative": (library(direct), False),
    "additive": (library(twin), True),
    "multiplicative, 1 - tanh²": (naive_direct, False),
    "additive, ln(tanh(exp z))": (naive_additive, True),
}
"""Name: the gradient, and whether it is given t instead of x."""


def gradient_errors(pairs: Pairs, points: np.ndarray) -> dict[str, np.ndarray]:
    """Return the largest errors over some points t, for each way, each against the truth for what it is given."""
    rng, found = np.random.default_rng(1), dict[str, np.ndarray]()
    first, last = pairs[0][0].size, -pairs[-1][0].size - pairs[-1][1].size
    for t in points:
        w = rng.normal(size=len(pairs[-1][0]))
        given = {exact: t if exact else np.exp(t) for exact in (False, True)}
        true = {exact: truth(pairs, x, w, exact=exact) for exact, x in given.items()}
        for name, (gradient, exact) in WAYS.items():
            new = errors(gradient(pairs, given[exact], w), true[exact], first, last)
            found[name] = np.maximum(found.get(name, 0.0), new)
    return found


def shifted(pairs: Pairs, bias: float) -> Pairs:
    """Return the network with a number added to all biases but the last."""
    return [(w, b + bias) for w, b in pairs[:-1]] + pairs[-1:]


# Tables ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """How much is done."""

    epochs: int
    images: int
    seeds: range
    markdown: bool

    @property
    def shown(self) -> list[int]:
        """Epochs that have a column."""
        return sorted({n for n in (1, 2, 5, 10, 20) if n < self.epochs} | {self.epochs})

    def table(self, title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print a table."""
        lines = [list(header), *map(list, rows)]
        if self.markdown:
            lines.insert(1, ["---"] * len(header))
            print(f"**{title}**", "", *("| " + " | ".join(line) + " |" for line in lines), "", sep="\n")
            return
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        print(title, *("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines), "", sep="\n")


def small(values: Iterable[float]) -> list[str]:
    """Return errors and differences as texts."""
    return [f"{v:.1e}" if np.isfinite(v) else "not finite" for v in values]


def percent(value: float) -> str:
    """Return an accuracy as a text."""
    return f"{100 * value:.1f} %"


PLAIN_RULES, HOT_RULES = ("SGD 0.2", "Adam 0.005"), ("SGD 2", "Adam 0.2")
EPS = float(np.finfo(float).eps)


def twins(s: Settings) -> None:
    """Print how far the two forms are apart while both are trained."""
    apart, ends = [], []
    for sigma, rule, dtype in itertools.product(SIGMAS, PLAIN_RULES, ("float64", "float32")):
        a, b = (run(form, sigma, rule, s.epochs, dtype=dtype) for form in ("direct", "twin"))
        for name, d in differences(a, b).items():
            apart.append([sigma, rule, dtype, name, *small(d[n - 1] for n in s.shown)])
        last = [percent(r.accuracy[-1]) for r in (a, b)]
        ends.append([sigma, rule, dtype, f"{b.loss:.4f}", *last, str((a.guesses != b.guesses).sum())])
    header = ["σ", "rule", "dtype", "of", *(f"epoch {n}" for n in s.shown)]
    s.table("Multiplicative and additive: largest relative difference in an epoch", header, apart)
    header = ["σ", "rule", "dtype", "loss", "right, multiplicative", "right, additive", "told apart"]
    s.table("The same runs at their end", header, ends)


def separation(s: Settings) -> None:
    """Print where large rates bring the weights, of the two forms and of one form from neighbouring weights."""
    rows = []
    for rule in HOT_RULES:
        a, b, c = (
            run(form, "tanh", rule, s.epochs, nudge=n) for form, n in (("direct", 0), ("twin", 0), ("twin", EPS))
        )
        for name, other in (("multiplicative", a), ("additive, first weights (1 + ε)", c)):
            d = differences(other, b)["weights"]
            end = [f"{b.loss:.2f}", percent(other.accuracy[-1]), percent(b.accuracy[-1])]
            rows.append([rule, name, *small(d[n - 1] for n in s.shown), *end])
    header = ["rule", "compared with additive", *(f"epoch {n}" for n in s.shown), "loss", "right", "right, additive"]
    s.table("Large rates, tanh: relative difference of the weights", header, rows)


def accuracy(s: Settings) -> None:
    """Print errors of gradients."""
    trained = run("twin", "tanh", "Adam 0.005", s.epochs)
    end, points = trained.layout.pairs(trained.weights[-1]), digits()[0][: s.images]
    three = [(3 * w, b) for w, b in initial(0, (3, 3, 3, 3))]
    networks = {
        "at the start": (initial(0), points),
        "trained": (end, points),
        "trained, b + 3": (shifted(end, 3), points),
        "trained, b - 30": (shifted(end, -30), points),
        "trained, b - 750": (shifted(end, -750), points),
        "3-3-3-3, weights tripled": (three, np.random.default_rng(5).normal(size=(4 * s.images, 3))),
    }
    rows = []
    for name, (pairs, some) in networks.items():
        with np.errstate(all="ignore"):
            rows += [[name, way, *small(e)] for way, e in gradient_errors(pairs, some).items()]
    header = ["network, tanh", "computed as", "norm", "norm, W₁", "entry of W₁", "entry of W_L"]
    s.table("Largest relative errors of the gradient by the weights, float64", header, rows)


def factors(s: Settings) -> None:
    """Print what changes when c = e^b is trained."""
    rows = []
    for sigma, rule in itertools.product(SIGMAS, ("SGD 0.2", "SGD 1", "Adam 0.005", "Adam 0.2")):
        b, c = (run("direct", sigma, rule, s.epochs, factors=f) for f in (False, True))
        step = min(len(b.weights), len(c.weights)) - 1
        apart = np.linalg.norm(c.weights[step] - b.weights[step]) / np.linalg.norm(b.weights[step])
        smallest = np.exp(c.weights[:, c.layout.biases].min())
        ends = [f"{r.loss:.4f}, {percent(r.accuracy[-1])}" if not r.ended else r.ended for r in (b, c)]
        rows.append([sigma, rule, *ends, f"{apart:.1e}", f"{smallest:.3f}"])
    header = ["σ", "rule", "b trained: loss, right", "c trained", "weights apart", "least c"]
    s.table("Factors c = e^b trained in place of b, multiplicative form", header, rows)


def sums_of_products(s: Settings) -> None:
    """Print how sums of products compare."""
    kinds = {
        "products, tanh, products, ln": ("twin", "tanh"),
        "products, max(x, 1), products, ln": ("twin", "max(x, 1)"),
        "products, sums": ("sums", "none"),
        "products, tanh, sums": ("sums", "tanh"),
        "sums, tanh, sums": ("additive", "tanh"),
    }
    rows = []
    for (name, (form, sigma)), rule in itertools.product(kinds.items(), ("SGD 0.05", *PLAIN_RULES)):
        runs = [run(form, sigma, rule, s.epochs, seed=seed) for seed in s.seeds]
        good = [r for r in runs if not r.ended]
        right = [r.accuracy[-1] for r in good]
        range_ = f"{percent(min(right))} to {percent(max(right))}" if good else "-"
        mean = (f"{np.mean([r.loss for r in good]):.4f}", percent(float(np.mean(right)))) if good else ("-", "-")
        rows.append([name, rule, *mean, range_, "; ".join(r.ended for r in runs if r.ended) or "-"])
    header = ["layers", "rule", "loss", "right, mean", "right", "ended early"]
    s.table(f"Layers of other kinds, 2410 parameters, {len(s.seeds)} starts", header, rows)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, compare, print."""
    parser = argparse.ArgumentParser(description="Multiplicative networks and their additive twins on digits.")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="one epoch, one start, one image")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args(arguments)
    epochs, images, seeds = (1, 1, 1) if given.quick else (given.epochs, 3, 2)
    settings = Settings(epochs, images, range(seeds), given.markdown)
    for part in (twins, separation, accuracy, factors, sums_of_products):
        part(settings)


if __name__ == "__main__":
    main()
