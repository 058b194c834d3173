from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Operator:
    terms: tuple = ((),)
    along: int = 0

    def kind(self, inputs):
        return "value" if self.terms == (((), 1.0),) else " ".join(inputs[i] for i in self.terms[0][0])


@dataclass(frozen=True, eq=False)
class Group:
    operator: Operator
    points: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    directions: np.ndarray | None = None
    deviations: bool = False
    bound: int = 0


@dataclass(frozen=True, eq=False)
class Observations:
    input_names: tuple
    output_names: tuple
    groups: tuple

    @property
    def points(self):
        return np.concatenate([g.points for g in self.groups])

    @property
    def numbers(self):
        return int(sum(np.isfinite(g.values).sum() for g in self.groups))

    @property
    def rows(self):
        return sum(len(g.points) for g in self.groups)

    def __add__(self, o):
        return Observations(self.input_names, self.output_names, self.groups + o.groups)

    @classmethod
    def at(
        cls,
        x,
        values,
        of="value",
        *,
        along=None,
        order=1,
        output=None,
        weight=None,
        sd=None,
        bound=0,
        input_names=None,
        output_names=None,
    ):
        x = np.asarray(x, float)
        x = x[:, None] if x.ndim == 1 else x
        v = np.asarray(values, float)
        v = v[:, None] if v.ndim == 1 else v
        n = x.shape[1]
        names = input_names or tuple(f"x{i + 1}" for i in range(n))
        idx = () if of == "value" else tuple(names.index(p) for p in of.split())
        op = Operator(((idx, 1.0),)) if of != "laplacian" else Operator(tuple(((i, i), 1.0) for i in range(n)))
        return cls(names, output_names or ("y1",), (Group(op, x, v, np.ones(v.shape)),))

    @classmethod
    def dense(
        cls, X, y=None, dydx=None, d2ydx2=None, *, sample_weight=None, sd=None, input_names=None, output_names=None
    ):
        X = np.asarray(X, float)
        n = X.shape[1]
        names = input_names or tuple(f"x{i + 1}" for i in range(n))
        gs = []

        def add(idx, v):
            v = np.asarray(v, float)
            v = v[:, None] if v.ndim == 1 else v
            gs.append(Group(Operator(((idx, 1.0),)), X, v, np.where(np.isfinite(v), 1.0, 0)))

        if y is not None:
            add((), y)
        if dydx is not None:
            for i in range(n):
                add((i,), np.asarray(dydx)[..., i])
        return cls(names, output_names or tuple(f"y{i + 1}" for i in range(gs[0].values.shape[1])), tuple(gs))

    def split(self, fraction, rng):
        a, b = [], []
        P = {id(g.points): rng.permutation(len(g.points)) for g in self.groups}
        from dataclasses import replace

        for g in self.groups:
            p = P[id(g.points)]
            c = int(round(len(p) * (1 - fraction)))
            for out, ix in ((a, p[:c]), (b, p[c:])):
                out.append(replace(g, points=g.points[ix], values=g.values[ix], weights=g.weights[ix]))
        return [replace(self, groups=tuple(a)), replace(self, groups=tuple(b))]
