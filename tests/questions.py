"""Every numeric question one may ask of a network at points, with the shape of its answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import neuralgebra as na

ORDER = 3


class Vectors:
    """Directions, weights and matrices, the same for all points or one for each, made of any library."""

    def __init__(self, f: na.Network, batch: tuple[int, ...], make: Callable[[np.ndarray], Any], dtype: Any) -> None:
        rng = np.random.default_rng(7)
        shapes = {"v": (f.input_size,), "w": (f.output_size,), "a": (f.input_size, f.input_size)}
        for name, shape in shapes.items():
            one = rng.normal(size=shape)
            each = one + np.arange(int(np.prod(batch))).reshape(*batch, *(1,) * len(shape))
            setattr(self, name, make(one.astype(dtype)))
            setattr(self, name + "s", make(each.astype(dtype)))


Question = Callable[[na.Network, Any, Any], Any]
Suffix = Callable[[int, int], tuple[int, ...]]

QUESTIONS: dict[str, tuple[Question, Suffix]] = {
    "value": (lambda f, x, _: f(x), lambda m, n: (m,)),
    "jacobian": (lambda f, x, _: f.jacobian(x), lambda m, n: (m, n)),
    "hessian": (lambda f, x, _: f.hessian(x), lambda m, n: (m, n, n)),
    "some": (lambda f, x, _: f.hessian(x, outputs=-1, inputs=[1, 0]), lambda m, n: (1, 2, 2)),
    "derivatives": (lambda f, x, _: f.derivatives(x, ORDER)[ORDER], lambda m, n: (m, n, n, n)),
    "first of derivatives": (lambda f, x, _: f.derivatives(x, 1)[0], lambda m, n: (m,)),
    "hessian diagonal": (lambda f, x, _: f.hessian_diagonal(x), lambda m, n: (m, n)),
    "laplacian": (lambda f, x, _: f.laplacian(x), lambda m, n: (m,)),
    "biharmonic": (lambda f, x, _: f.biharmonic(x), lambda m, n: (m,)),
    "operator": (lambda f, x, g: f.operator(x, g.a), lambda m, n: (m,)),
    "operators": (lambda f, x, g: f.operator(x, getattr(g, "as")), lambda m, n: (m,)),
    "operator of orders": (
        lambda f, x, _: f.operator(x, {(0,) * f.input_size: 2.0, "x1": 3.0, (1, 1, *(0,) * (f.input_size - 2)): 0.5}),
        lambda m, n: (m,),
    ),
    "jvp": (lambda f, x, g: f.jvp(x, g.v), lambda m, n: (m,)),
    "jvps": (lambda f, x, g: f.jvp(x, g.vs), lambda m, n: (m,)),
    "vjp": (lambda f, x, g: f.vjp(x, g.w), lambda m, n: (n,)),
    "vjps": (lambda f, x, g: f.vjp(x, g.ws), lambda m, n: (n,)),
    "hvp": (lambda f, x, g: f.hvp(x, g.vs), lambda m, n: (m, n)),
    "hvp of a sum": (lambda f, x, g: f.hvp(x, g.v, g.ws), lambda m, n: (n,)),
    "taylor": (lambda f, x, g: f.taylor(x, g.vs, ORDER), lambda m, n: (m,)),
    "taylor of order 0": (lambda f, x, g: f.taylor(x, g.v, 0), lambda m, n: (m,)),
    "derivative": (lambda f, x, _: f.derivative(x, {"x1": 2, "x2": 1}), lambda m, n: (m,)),
    "one of many": (lambda f, x, _: next(iter(f.derivative(x, ["x2", "x1"]).values())), lambda m, n: (m,)),
}


def expected_shape(name: str, f: na.Network, batch: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of an answer."""
    shape = (*batch, *QUESTIONS[name][1](f.output_size, f.input_size))
    return (ORDER + 1, *shape) if name == "taylor" else (1, *shape) if name.startswith("taylor") else shape


def ask(name: str, f: na.Network, x: Any, make: Callable[[np.ndarray], Any] = np.asarray) -> Any:
    """The answer at points, with vectors of the same library and dtype."""
    dtype = str(x.dtype).rsplit(".", 1)[-1]
    return QUESTIONS[name][0](f, x, Vectors(f, tuple(x.shape[:-1]), make, dtype))
