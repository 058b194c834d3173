"""The questions as users of PyTorch write them: torch.func, eager and through torch.compile."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from _workloads import BY_HAND, Workload
from torch.func import hessian, jacfwd, jacrev, jvp, vmap
from torch.fx.experimental.proxy_tensor import make_fx

CHUNK = 64
# All points at once would take more memory than there is.
SAMPLE = 256


def mlp(weights: Any, v: Any) -> Any:
    """Return the network at one point."""
    for a, b in weights[:-1]:
        v = torch.tanh(torch.nn.functional.linear(v, a, b))
    return torch.nn.functional.linear(v, *weights[-1])


def both(inner: Callable, outer: Callable, value: bool) -> Callable:
    """Return (value,) Jacobian and Hessian in one pass, by two transformations."""

    def ask(f, v):
        def first(u):
            y = f(u)
            return y, y

        def second(u):
            j, y = inner(first, has_aux=True)(u)
            return j, (y, j)

        h, (y, j) = outer(second, has_aux=True)(v)
        return (y, j, h) if value else (j, h)

    return ask


def trace_of(outer: Callable, inner: Callable) -> Callable:
    """Return the Laplacian as the trace of a Hessian by two transformations."""
    return lambda f, v: outer(inner(f))(v).diagonal(dim1=-2, dim2=-1).sum(-1)


def nested_series(f: Callable, v: Any, direction: Any, order: int) -> Any:
    """Return all derivatives along a direction by nested forward modes."""

    def derive(g):
        return lambda t: _tower(*jvp(g, (t,), (torch.ones_like(t),)))

    def along(t):
        return f(v + t * direction)[None]

    for _ in range(order):
        along = derive(along)
    return along(torch.zeros((), dtype=v.dtype))


def _tower(values: Any, slopes: Any) -> Any:
    return torch.cat([values, slopes[-1:]])


def reverse_series(f: Callable, v: Any, direction: Any, order: int) -> Any:
    """Return all derivatives along directions, of a whole batch, by repeated torch.autograd.grad along the line."""
    t = torch.zeros((len(v), 1), dtype=v.dtype, requires_grad=True)
    levels = [f(v + t * direction)[:, None]]
    for k in range(1, order + 1):
        (slope,) = torch.autograd.grad(levels[-1].sum(), t, create_graph=k < order)
        levels.append(slope)
    return torch.cat([level.detach() for level in levels], 1)


def forward_forward(f: Callable, v: Any) -> Any:
    """Return the Laplacian by two forward modes along each axis."""
    return vmap(lambda e: _second(f, v, e))(torch.eye(v.shape[-1], dtype=v.dtype)).sum(0)


def _second(f: Callable, v: Any, e: Any) -> Any:
    return jvp(lambda u: jvp(f, (u,), (e,))[1], (v,), (e,))[1]


def nested(laplacian: Callable) -> Callable:
    """Return Δ² as the Laplacian of the Laplacian."""
    return lambda f, v: laplacian(lambda u: laplacian(f, u), v)


def gram_laplacian(weights: Any, points: Any) -> Any:
    """Return the Laplacian from the Hessian behind the first layer and the Gram matrix of its rows."""
    (a, b), *rest = weights
    hessians = vmap(jacrev(jacrev(lambda z: mlp(rest, torch.tanh(z))[0])))(torch.nn.functional.linear(points, a, b))
    return (hessians * (a @ a.T)).sum((1, 2))


def _derivatives(pairs: dict[str, tuple[Callable, Callable]], value: bool) -> dict[str, Callable]:
    return {name: both(*pair, value) for name, pair in pairs.items()}


REVERSE = {"jacrev(jacrev)": (jacrev, jacrev)}
FORWARD = {"jacfwd(jacrev)": (jacrev, jacfwd)}
TABLE: dict[str, dict[str, Callable]] = {
    "value": {"value": lambda f, v: f(v)},
    "jacobian": {"jacrev": lambda f, v: jacrev(f)(v)},
    "hessian": {"hessian": lambda f, v: hessian(f)(v), "jacrev(jacrev)": lambda f, v: jacrev(jacrev(f))(v)},
    "value+J+H": _derivatives(REVERSE | FORWARD, True),
    "J+H": _derivatives(FORWARD, False),
    "laplacian": {"trace of jacrev(jacrev)": trace_of(jacrev, jacrev)},
    "biharmonic": {"Δ by jacrev(jacrev), twice": nested(trace_of(jacrev, jacrev))},
}
# One way each: compilation takes long. jacfwd over jacrev is traced first, since dynamo fails on some forms of it.
COMPILED = {
    "value": "value",
    "jacobian": "jacrev",
    "hessian": "jacrev(jacrev)",
    "value+J+H": "jacrev(jacrev)",
    "J+H": "jacfwd(jacrev)",
    "laplacian": "trace of jacrev(jacrev)",
    "biharmonic": "Δ by jvp(jvp), twice",
}
# Δ by jacrev, twice, takes more than 90 s to compile; eager, this one is the slower.
FASTER_COMPILED = {"Δ by jvp(jvp), twice": nested(forward_forward)}


def variants(peer: str, work: Workload) -> dict[str, Callable[[], Any]]:
    """Return the ways of a peer to answer."""
    warnings.filterwarnings("ignore")
    weights = [tuple(map(torch.as_tensor, pair)) for pair in work.layers()]
    x = torch.as_tensor(work.inputs())
    if work.question == BY_HAND:
        return {"hessian behind layer 1, Gram matrix": _asked(peer, "", gram_laplacian, weights, x)}
    if work.sizes[0] > 10_000:
        return _huge(peer, weights, x)
    if work.question == "taylor":
        return _series(peer, weights, x, torch.as_tensor(work.directions()), work.order)
    f = _function(weights, work.question in ("laplacian", "biharmonic"))
    ways = TABLE[work.question]
    if peer == "torch.compile":
        name = COMPILED[work.question]
        ways = {name: (ways | FASTER_COMPILED)[name]}
    return {name: _asked(peer, name, _mapped(way, f, x), x) for name, way in ways.items()}


def _function(weights: Any, scalar: bool) -> Callable:
    return (lambda v: mlp(weights, v)[..., 0]) if scalar else (lambda v: mlp(weights, v))


def _mapped(way: Callable, f: Callable, x: Any) -> Callable:
    return vmap(lambda v: way(f, v)) if x.ndim > 1 else (lambda v: way(f, v))


def _asked(peer: str, name: str, ask: Callable, *arguments: Any) -> Callable[[], Any]:
    if peer == "torch.compile":
        if "jacfwd(" in name:
            ask = make_fx(ask)(*arguments)
        ask = torch.compile(ask)
    return lambda: ask(*arguments)


def _series(peer: str, weights: Any, x: Any, directions: Any, order: int) -> dict[str, Callable[[], Any]]:
    f = _function(weights, True)
    if peer == "torch":

        def ask():
            return reverse_series(f, x[:SAMPLE], directions[:SAMPLE], order)

        ask.part = SAMPLE / len(x)
        return {f"repeated autograd.grad, measured on {SAMPLE} points": ask}
    ask = vmap(lambda v, d: nested_series(f, v, d, order))
    return {"nested jvp": _asked(peer, "nested jvp", ask, x, directions)}


def _huge(peer: str, weights: Any, x: Any) -> dict[str, Callable[[], Any]]:
    """Return the way that does not hold a matrix of all inputs by all inputs; `.part` says what share is done."""
    f, axes = _function(weights, True), torch.eye(CHUNK, x.shape[1], dtype=x.dtype)

    def laplacian(points):
        return vmap(lambda v: vmap(lambda e: _second(f, v, e))(axes).sum(0))(points)

    ask = _asked(peer, "", laplacian, x)
    ask.part = CHUNK / x.shape[1]
    return {f"jvp(jvp), {CHUNK} axes at a time": ask}
