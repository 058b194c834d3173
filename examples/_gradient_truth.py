"""The gradient of a multiplicative tanh network by its weights: in balls, by loops over the definition; and naively."""

from collections.abc import Sequence

import flint
import numpy as np

TINY = flint.arb(2) ** -1100  # below all doubles
Pairs = list[tuple[np.ndarray, np.ndarray]]


def truth(pairs: Pairs, given: np.ndarray, w: np.ndarray, digits: int = 60, exact: bool = False) -> list[flint.arb]:
    """Return the gradient of Σ w_i ln y_i by all W and b, in balls with so many digits right.

    The layers are y_i = e^b_i ∏ x_j^W_ij, with tanh between. `given` holds x, or t = ln x where `exact`. W, row by row,
    and b of one layer after another; the precision doubles until all entries are known or below all doubles.
    """
    for bits in (2**k for k in range(9, 18)):
        with flint.ctx.workprec(bits):
            x = [flint.arb(float(v)).exp() if exact else flint.arb(float(v)) for v in given]
            found = _gradient(pairs, x, [flint.arb(float(v)) for v in w])
            if all(abs(e) < TINY or e.rel_accuracy_bits() > digits * np.log2(10) for e in found):
                return found
    raise ArithmeticError(f"2^17 bits do not give {digits} digits.")


def _gradient(pairs: Pairs, x: list[flint.arb], w: list[flint.arb]) -> list[flint.arb]:
    """Return the gradient by loops over the definition; w becomes the derivative by ln y of each layer."""
    inputs, products = [x], []
    for matrix, bias in pairs:
        products.append([flint.arb(float(b)).exp() for b in bias])
        for i, j in np.ndindex(*matrix.shape):
            products[-1][i] *= inputs[-1][j] ** flint.arb(float(matrix[i, j]))
        inputs.append([u.tanh() for u in products[-1]])
    parts: list[flint.arb] = []
    for level in range(len(pairs) - 1, -1, -1):
        matrix, h = pairs[level][0], inputs[level]
        parts = [w[i] * h[j].log() for i, j in np.ndindex(*matrix.shape)] + w + parts
        if level:
            sums = [sum(w[i] * float(matrix[i, j]) for i in range(len(w))) for j in range(len(h))]
            u = products[level - 1]
            w = [s / (a * v.cosh() ** 2) * v for s, a, v in zip(sums, h, u, strict=True)]
    return parts


def naive_direct(pairs: Pairs, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the same gradient by powers, products and 1 - tanh², in NumPy."""
    inputs, products = [x], []
    for matrix, bias in pairs:
        products.append(np.exp(bias) * np.prod(inputs[-1] ** matrix, axis=-1))
        inputs.append(np.tanh(products[-1]))
    slope, parts = w / products[-1], list[np.ndarray]()
    for level in range(len(pairs) - 1, -1, -1):
        h, by_log = inputs[level], slope * products[level]
        parts = [np.outer(by_log, np.log(h)).ravel(), by_log, *parts]
        if level:
            slope = (by_log @ pairs[level][0]) / h * (1 - h**2)
    return np.concatenate(parts)


def naive_additive(pairs: Pairs, t: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return the same gradient of the twin, with ln(tanh(exp z)) and (1 - tanh²) e^z / tanh."""
    inputs, sums = [t], []
    for matrix, bias in pairs:
        sums.append(matrix @ inputs[-1] + bias)
        inputs.append(np.log(np.tanh(np.exp(sums[-1]))))
    parts: list[np.ndarray] = []
    for level in range(len(pairs) - 1, -1, -1):
        parts = [np.outer(w, inputs[level]).ravel(), w, *parts]
        if level:
            e = np.exp(sums[level - 1])
            w = (w @ pairs[level][0]) * (1 - np.tanh(e) ** 2) * e / np.tanh(e)
    return np.concatenate(parts)


def errors(found: np.ndarray, true: Sequence[flint.arb], first: int, last: int) -> tuple[float, ...]:
    """Return relative errors: norm-wise of all and of the first matrix, the largest of an entry of the first and last.

    Entries below the doubles do not count.
    """
    apart = [abs(flint.arb(float(a)) - b) for a, b in zip(found, true, strict=True)]
    single = [float(d / abs(b)) if abs(b) > 1e-300 else 0.0 for d, b in zip(apart, true, strict=True)]
    norms = [float((sum(d * d for d in apart[:n]) / sum(b * b for b in true[:n])).sqrt()) for n in (None, first)]
    return (*norms, float(np.max(single[:first])), float(np.max(single[last:])))
