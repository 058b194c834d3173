"""The loss of a network on observations as a function of its numbers θ: gradients, normal equations, many θ at once.

    L(θ) = ½ Σ w |P(∂)f(x) - y|² + ½ λ |W|²

Every number comes from the rules of the calculus, run once on stand-ins for points and weights, then replayed.
A gradient of first derivatives in many inputs needs no jet in each of them: with the residuals e of ∂f/∂x_i, the
gradient of ½ Σ e_i² is that of the one derivative along v = Σ e_i u_i, held fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays
from neuralgebra.arithmetic.ensemble import ensemble
from neuralgebra.arithmetic.kind import Value
from neuralgebra.calculus.layer_sum import gradients
from neuralgebra.calculus.parameters import gradient_rows, linearised, target_values
from neuralgebra.calculus.run import added, evaluate
from neuralgebra.calculus.targets import Targets
from neuralgebra.fitting.layout import Layout
from neuralgebra.fitting.losses import LOSSES, Loss, residuals
from neuralgebra.fitting.rows import Rows

__all__ = ["Objective"]


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss of a network on rows, as solvers see it.

    Parameters
    ----------
    layout : Layout
        The network and what of it is sought.
    parts : tuple of Rows
        What it is compared with.
    decay : float
        λ, of the squares of all matrices.
    loss_name : {"squares", "cross_entropy"}
        How.
    limits : tuple of ndarray, optional
        The least and the greatest θ, (P,) each.
    count : float, optional
        For how many numbers the data count; by default for as many as there are.
    """

    layout: Layout
    parts: tuple[Rows, ...]
    decay: float = 0.0
    loss_name: str = "squares"
    limits: tuple[np.ndarray, np.ndarray] | None = None
    count: float | None = None
    passes: tuple[_Pass, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "passes", tuple(_Pass(self.layout, r, self.loss_name) for r in self.parts))

    @property
    def size(self) -> int:
        """Number P of numbers sought."""
        return self.layout.size

    @cached_property
    def rows(self) -> int:
        """How many numbers are compared with data."""
        return int(sum(np.count_nonzero(r.weights) for r in self.parts))

    @property
    def counted(self) -> float:
        """For how many numbers the data count."""
        return float(self.rows) if self.count is None else self.count

    @cached_property
    def points(self) -> int:
        """How many points there are in all passes."""
        return sum(len(r.points) for r in self.parts)

    @cached_property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the greatest θ, (P,) each."""
        return self.limits or (np.full(self.size, -np.inf), np.full(self.size, np.inf))

    @property
    def penalised(self) -> np.ndarray:
        """1 for each number of a matrix, 0 for those of biases, (P,)."""
        return self.layout.is_weight.astype(float)

    @property
    def squares(self) -> bool:
        """Whether the loss is a sum of squares."""
        return LOSSES[self.loss_name].squares

    def with_rows(self, rows: Sequence[Rows], decay: float | None = None) -> Objective:
        """Return the same on other rows."""
        return replace(self, parts=tuple(rows), decay=self.decay if decay is None else decay)

    def loss(self, theta: np.ndarray) -> float:
        """Return L(θ)."""
        return float(sum(p.loss(theta) for p in self.passes)) + self._penalty(theta)

    def gradient(self, theta: np.ndarray, chosen: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        """Return L(θ) and its gradient, (P,).

        Parameters
        ----------
        theta : ndarray, shape (P,)
            θ.
        chosen : ndarray of int, optional
            Places of some points among those of all passes; their share stands for all.
        """
        if chosen is not None:
            return self._batch(theta, np.sort(chosen))
        found = [p.gradient(theta) for p in self.passes]
        gradient = sum(g for _, g in found) + self.decay * self.layout.is_weight * theta
        return float(sum(loss for loss, _ in found)) + self._penalty(theta), gradient

    def _batch(self, theta: np.ndarray, chosen: np.ndarray) -> tuple[float, np.ndarray]:
        loss, gradient, start = 0.0, np.zeros(self.size), 0
        for p in self.passes:
            count = len(p.rows.points)
            low, high = np.searchsorted(chosen, [start, start + count])
            if high > low:
                part = p.gradient(theta, chosen[low:high] - start)
                loss, gradient = loss + part[0], gradient + part[1]
            start += count
        factor = self.points / max(1, len(chosen))
        penalty = self.decay * self.layout.is_weight * theta
        return factor * float(loss) + self._penalty(theta), factor * gradient + penalty

    def normal(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return L(θ), JᵀJ and Jᵀr of the residuals r, (P, P) and (P,)."""
        found = [p.normal(theta) for p in self.passes]
        squares = self.decay * self.layout.is_weight
        matrix, gradient = np.diag(squares), squares * theta
        for _, products, right in found:
            matrix, gradient = matrix + products, gradient + right
        return float(sum(loss for loss, _, _ in found)) + self._penalty(theta), matrix, gradient

    def jacobian(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the residuals, (R,), and their derivatives, (R, P), the penalty's after those of the data."""
        parts = [p.jacobian(theta) for p in self.passes]
        root = np.sqrt(self.decay) * self.layout.is_weight
        if self.decay:
            parts.append((root * theta, np.diag(root)))
        return np.concatenate([r for r, _ in parts]), np.concatenate([j for _, j in parts])

    def losses(self, thetas: np.ndarray) -> np.ndarray:
        """Return L of many θ, (S, P) -> (S,), in the dtype of θ."""
        total = sum(p.losses(thetas) for p in self.passes)
        if not self.decay:
            return np.asarray(total)
        penalty = (thetas * thetas) @ self.layout.is_weight.astype(thetas.dtype)
        return np.asarray(total + thetas.dtype.type(self.decay / 2) * penalty)

    def squares_of(self, theta: np.ndarray) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return the sums of squared residuals, not weighted, and their number, by group of observations, (m,) each."""
        found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for p in self.passes:
            sums, counts = p.squares(theta)
            for group, s, c in zip(p.rows.groups, sums, counts, strict=True):
                old = found.get(group, (0.0, 0))
                found[group] = old[0] + s, old[1] + c
        return found

    def _penalty(self, theta: np.ndarray) -> float:
        return self.decay / 2 * float(theta @ (self.layout.is_weight * theta)) if self.decay else 0.0


@dataclass(frozen=True, eq=False)
class _Pass:
    """The loss on one set of rows: everything it computes is one trace."""

    layout: Layout
    rows: Rows
    loss_name: str

    @property
    def _loss(self) -> Loss:
        return LOSSES[self.loss_name]

    # Traced: (kind, x, y, √w[, directions], weights …) -> results ------------------------------------------------

    def _given(self, k: Any, arrays: Sequence[Value]) -> tuple[Any, Value, Value, Value, Value | None]:
        """Return the kind in which weights have their values; points, data, roots of weights, directions."""
        count = len(self.rows.arrays)
        x, y, roots, *others = arrays[:count]
        return k.with_values(self.layout.values(arrays[count:])), x, y, roots, others[0] if others else None

    def _mixed(self, k: Any, t: Value) -> Value:
        return t if self.rows.plain else k.weight(self.rows.mixing) @ t

    def _unmixed(self, k: Any, w: Value) -> Value:
        return w if self.rows.plain else k.weight(self.rows.mixing.T.copy()) @ w

    def _values(self, k: Any, *arrays: Value) -> list[Value]:
        k, x, y, roots, along = self._given(k, arrays)
        t, _ = self._results(k, x, along)
        return [_total(k, self._loss.value(k, self._mixed(k, t), y, roots, self.rows.bounds)[0])]

    def _results(self, k: Any, x: Value, along: Value | None) -> tuple[Value, Callable[[Value], list[Value]]]:
        """Return the targets, (N, t₀, m), and the way from their adjoints to the gradient."""
        network, targets = self.layout.structure, self.rows.targets
        first = self._first_orders
        if first is None:
            return linearised(network, k, x, targets, along)
        jets, duals = gradients(k, network, x)
        output: Any = jets.jets[network.output]
        adjoint: Any = duals[0][0]
        value = output.value[0, 0, 0, ...]
        slopes = k.permute(adjoint[0, :, 0, ...], (1, 2, 0))  # (N, n, m)
        slopes = k.broadcast(slopes, (x.shape[0], *slopes.shape[1:]))
        results = k.take(k.concat([value[:, None, :], slopes], 1), first, 1)
        return results, lambda w: self._along(k, x, w, first)

    def _along(self, k: Any, x: Value, w: Value, first: np.ndarray) -> list[Value]:
        """Return the gradient of Σ w·T, with the derivatives of each output as one, along its adjoints."""
        network, m = self.layout.structure, self.layout.structure.output_size
        n, count = network.input_size, x.shape[0]
        spread = np.zeros((n + 1, len(first)))
        spread[first, np.arange(len(first))] = 1.0
        full = k.weight(spread) @ w  # (N, 1 + n, m)
        directions = k.permute(full[:, 1:, :], (0, 2, 1))
        targets = self._lines
        _, pull = linearised(network, k, x, targets, directions)
        ones = k.broadcast(k.weight(np.eye(m))[None, ...], (count, m, m))
        return pull(k.concat([full[:, :1, :], ones], 1))

    @cached_property
    def _lines(self) -> Targets:
        m = self.layout.structure.output_size
        return Targets((((),), *(((o,),) for o in range(m))), m)

    @cached_property
    def _first_orders(self) -> np.ndarray | None:
        """Places among value and partial derivatives, if there are only these, and more than outputs."""
        sums, m = self.rows.targets.sums, self.layout.structure.output_size
        simple = all(len(s) == 1 and len(s[0]) < 2 for s in sums) and self.rows.directions is None
        slopes = sum(len(s[0]) for s in sums)
        if not simple or slopes <= m + 1:
            return None
        return np.array([1 + s[0][0] if s[0] else 0 for s in sums])

    def _gradient(self, k: Any, *arrays: Value) -> list[Value]:
        k, x, y, roots, along = self._given(k, arrays)
        t, pull = self._results(k, x, along)
        value, slope = self._loss.value(k, self._mixed(k, t), y, roots, self.rows.bounds)
        found = pull(self._unmixed(k, slope))
        return [_total(k, value), *(found[i] for i in self.layout.places)]

    def _jacobian(self, k: Any, *arrays: Value) -> tuple[Any, Value, Value]:
        """Return the kind, residuals (N, t·m) and their derivatives, (N, t·m, P)."""
        k, x, y, roots, along = self._given(k, arrays)
        layout, rows, network = self.layout, self.rows, self.layout.structure
        t, parts = gradient_rows(network, k, x, rows.targets, along)
        r = residuals(k, self._mixed(k, t), y, roots, rows.bounds)
        count, seeds = x.shape[0], rows.targets.count * network.output_size
        flat = [
            k.broadcast(k.reshape(p, (*p.shape[:2], a.size)), (count, seeds, a.size))
            for p, a in zip([parts[i] for i in layout.places], layout.arrays, strict=True)
        ]
        j = k.concat(flat, -1) if len(flat) > 1 else flat[0]
        if not rows.plain:
            wide = k.reshape(j, (count, rows.targets.count, network.output_size * layout.size))
            j = k.weight(rows.mixing) @ wide
        size = len(rows.mixing) * network.output_size
        scale = roots if not rows.bounds.any() else np.where(r * r > 0, roots, roots * 0.0)
        j = k.reshape(j, (count, size, layout.size)) * k.reshape(scale, (count, size))[..., None]
        return k, k.reshape(r, (count, size)), j

    def _normal(self, k: Any, *arrays: Value) -> list[Value]:
        k, r, j = self._jacobian(k, *arrays)
        flat = k.reshape(j, (j.shape[0] * j.shape[1], j.shape[2]))
        column = k.reshape(r, (flat.shape[0], 1))
        turned = k.permute(flat, (1, 0))
        return [_total(k, r * r * 0.5), turned @ flat, turned @ column]

    def _rows(self, k: Any, *arrays: Value) -> list[Value]:
        return list(self._jacobian(k, *arrays)[1:])

    def _single(self, k: Any, *arrays: Value) -> list[Value]:
        k, x, _, _, along = self._given(k, arrays)
        return [self._mixed(k, self._results(k, x, along)[0])]

    def _ensemble(self, k: Any, *arrays: Value) -> list[Value]:
        """Return the losses of all members, (S,): they have an axis before that of points."""
        count = len(self.rows.arrays)
        x, y, roots, *others = arrays[:count]
        k = ensemble(k, self.layout.values(arrays[count:]), self.layout.members)
        t = target_values(self.layout.structure, k, x, self.rows.targets, others[0] if others else None)
        value, _ = self._loss.value(k, self._mixed(k, t), y, roots, self.rows.bounds)
        members = value.shape[0]
        return [k.total(k.reshape(value, (members, -1)), 1)]

    # Numbers ------------------------------------------------------------------------------------------------------

    def _run(self, what: Callable[..., list[Value]], theta: np.ndarray, chosen: Any = None) -> list[np.ndarray]:
        rows = self.rows.arrays if chosen is None else [a[chosen] for a in self.rows.arrays]
        weights = self.layout.unpack(np.ascontiguousarray(theta))
        return added(self.layout.template, _DOUBLE, what, *rows, key=(what.__name__, self), shared=weights)

    def loss(self, theta: np.ndarray) -> float:
        """Return the loss."""
        return float(self._run(self._values, theta)[0])

    def gradient(self, theta: np.ndarray, chosen: Any = None) -> tuple[float, np.ndarray]:
        """Return the loss and its gradient."""
        loss, *parts = self._run(self._gradient, theta, chosen)
        return float(loss), self.layout.pack(parts)

    def normal(self, theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the loss, JᵀJ and Jᵀr."""
        loss, matrix, gradient = self._run(self._normal, theta)
        return float(loss), matrix, gradient[:, 0]

    def jacobian(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return residuals, (R,), and their derivatives, (R, P)."""
        r, j = self._each(self._rows, theta, ("rows", self))
        return r.ravel(), j.reshape(-1, self.layout.size)

    def squares(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of squared residuals and their number, (t, m) each."""
        (t,) = self._each(self._single, theta, None)  # once in a fit: not worth a trace
        known = self.rows.weights > 0
        r = residuals(_DOUBLE, t, self.rows.values, known.astype(float), self.rows.bounds)
        return (r * r).sum(0), known.sum(0)

    def _each(self, what: Callable[..., list[Value]], theta: np.ndarray, key: Any) -> list[np.ndarray]:
        """Return results for each point; a key has the steps remembered."""
        x, *others = self.rows.arrays
        weights = self.layout.unpack(np.ascontiguousarray(theta))
        return evaluate(self.layout.template, _DOUBLE, x, what, *others, key=key, shared=weights)

    def losses(self, thetas: np.ndarray) -> np.ndarray:
        """Return the loss of many θ, (S,): as many at a time as stay in the cache."""
        rows, kind = (self.rows.arrays, _DOUBLE) if thetas.dtype == np.float64 else (self._single_precision, _SINGLE)
        most = max(1, _NUMBERS // (len(self.rows.points) * sum(self.layout.structure.sizes)))
        size = -(-len(thetas) // -(-len(thetas) // most))  # of parts that are all alike
        found = []
        for start in range(0, len(thetas), size):
            part = np.ascontiguousarray(thetas[start : start + size])
            weights, key = self.layout.unpack(part), ("ensemble", len(part), self)
            found += added(self.layout.template, kind, self._ensemble, *rows, key=key, shared=weights, shares=1)
        return np.concatenate(found)

    @cached_property
    def _single_precision(self) -> tuple[np.ndarray, ...]:
        return tuple(a.astype(np.float32) for a in self.rows.arrays)


_NUMBERS = 3 << 17  # at all nodes and points, of as many members of an ensemble as are computed at a time
_DOUBLE, _SINGLE = Arrays(np.zeros(1)), Arrays(np.zeros(1, np.float32))


def _total(k: Any, values: Value) -> Value:
    """Return the sum of all entries, shape ()."""
    return k.total(k.reshape(values, (-1,)), 0)
