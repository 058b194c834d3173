"""The questions as users of JAX write them: plain transformations, jax.experimental.jet, and folx."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import folx
import jax
import jax.numpy as jnp
import numpy as np
from _workloads import BY_HAND, Workload
from folx.api import FwdJacobian, FwdLaplArray
from jax.experimental.jet import jet

CHUNK = 64


def mlp(weights: Any, v: Any) -> Any:
    """Return the network at one point; weights are held (in, out), the layout that XLA runs fastest."""
    for a, b in weights[:-1]:
        v = jnp.tanh(v @ a + b)
    a, b = weights[-1]
    return v @ a + b


def scalar(weights: Any, v: Any) -> Any:
    """Return the only output at one point."""
    return mlp(weights, v)[0]


def both(inner: Callable, outer: Callable, value: bool) -> Callable:
    """Return (value,) Jacobian and Hessian in one pass, by two transformations."""

    def first(v, f):
        y = f(v)
        return y, y

    def second(v, f):
        j, y = inner(first, has_aux=True)(v, f)
        return j, (y, j)

    def ask(f, v):
        h, (y, j) = outer(second, has_aux=True)(v, f)
        return (y, j, h) if value else (j, h)

    return ask


def forward_forward(f: Callable, v: Any) -> Any:
    """Return the Laplacian by two forward modes along each axis."""
    return jax.vmap(lambda e: _second_by_jvp(f, v, e))(jnp.eye(v.size, dtype=v.dtype)).sum()


def jet_laplacian(f: Callable, v: Any) -> Any:
    """Return the Laplacian by a 2-jet along each axis."""
    return jax.vmap(lambda e: _second_by_jet(f, v, e))(jnp.eye(v.size, dtype=v.dtype)).sum()


def folx_laplacian(f: Callable, v: Any, threshold: float = 0) -> Any:
    """Return the Laplacian by one forward pass of value, Jacobian and Laplacian."""
    return folx.forward_laplacian(f, threshold)(v).laplacian


def jet_series(f: Callable, v: Any, direction: Any, order: int) -> Any:
    """Return all derivatives along a direction by one jet."""
    rest = [jnp.zeros_like(v)] * (order - 1)
    value, series = jet(f, (v,), ((direction, *rest),))
    return jnp.stack([value, *series])


def polarised(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return directions and weights whose fourth derivatives make Δ²: all signs up to one, and the axes."""
    signs = np.array([(1, *s) for s in itertools.product((1, -1), repeat=n - 1)])
    return np.concatenate([signs, np.eye(n)]), np.array([1 / (3 * len(signs))] * len(signs) + [2 / 3] * n)


def jet_biharmonic(f: Callable, v: Any) -> Any:
    """Return Δ² by 4-jets along directions that polarise it."""
    directions, weights = (jnp.asarray(part, v.dtype) for part in polarised(v.size))

    def fourth(e):
        return jet(f, (v,), ((e, *[jnp.zeros_like(e)] * 3),))[1][3]

    return weights @ jax.vmap(fourth)(directions)


def nested(laplacian: Callable) -> Callable:
    """Return Δ² as the Laplacian of the Laplacian."""
    return lambda f, v: laplacian(lambda u: laplacian(f, u), v)


def gram_laplacian(weights: Any, points: Any) -> Any:
    """Return the Laplacian from the Hessian behind the first layer and the Gram matrix of its rows."""
    (a, b), *rest = weights
    hessians = jax.vmap(jax.hessian(lambda z: scalar(rest, jnp.tanh(z))))(points @ a + b)
    return jnp.einsum("pij,ij->p", hessians, a.T @ a)


def columns_laplacian(weights: Any, points: Any) -> Any:
    """Return the Laplacian by 2-jets, from the first layer on, along what each input moves there."""
    (a, b), *rest = weights

    def one(z):
        return jax.vmap(lambda e: _second_by_jet(lambda u: scalar(rest, jnp.tanh(u)), z, e))(a).sum()

    return jax.lax.map(one, points @ a + b)


def tail_laplacian(weights: Any, points: Any) -> Any:
    """Return the Laplacian by one forward pass that begins behind the first layer, whose Jacobian is known."""
    (a, b), *rest = weights
    tail = folx.forward_laplacian(lambda u: scalar(rest, jnp.tanh(u)))

    def one(z):
        return tail(FwdLaplArray(z, FwdJacobian.from_dense(a), jnp.zeros_like(z))).laplacian

    return jax.lax.map(one, points @ a + b)


PAIRS = {"jacfwd(jacrev)": (jax.jacrev, jax.jacfwd)}
TABLE: dict[str, dict[str, dict[str, Callable]]] = {
    "jax": {
        "value": {"value": lambda f, v: f(v)},
        "jacobian": {"jacrev": lambda f, v: jax.jacrev(f)(v)},
        "hessian": {"hessian": lambda f, v: jax.hessian(f)(v)},
        "value+J+H": {name: both(*pair, True) for name, pair in PAIRS.items()},
        "J+H": {name: both(*pair, False) for name, pair in PAIRS.items()},
        "laplacian": {"jvp(jvp)": forward_forward},
        BY_HAND: {"hessian behind layer 1, Gram matrix": gram_laplacian},
        "biharmonic": {"Δ by jvp(jvp), twice": nested(forward_forward)},
    },
    "jet": {
        "laplacian": {"2-jets": jet_laplacian},
        BY_HAND: {"2-jets behind layer 1": columns_laplacian},
        "taylor": {"jet": jet_series},
        "biharmonic": {"4-jets, polarised": jet_biharmonic},
    },
    "folx": {
        "laplacian": {"forward_laplacian": folx_laplacian},
        BY_HAND: {"forward_laplacian behind layer 1": tail_laplacian},
        "biharmonic": {"forward_laplacian, twice": nested(folx_laplacian)},
    },
}


# Points at a time: all, or blocks that fit the cache, by jax.lax.map.
BLOCKS = (0, 256, 64)


def variants(peer: str, work: Workload) -> dict[str, Callable[[], Any]]:
    """Return the ways of a peer to answer: compiled calls that end when the numbers are there."""
    jax.config.update("jax_enable_x64", work.dtype == "float64")
    weights = [(jnp.asarray(np.ascontiguousarray(a.T)), jnp.asarray(b)) for a, b in work.layers()]
    x = work.inputs()
    ways = TABLE[peer].get(work.question, {})
    if x.ndim == 1:
        return {name: _single(way, weights, x) for name, way in ways.items()}
    if work.question == BY_HAND:
        return {name: _whole(way, weights, jnp.asarray(x)) for name, way in TABLE[peer].get(BY_HAND, {}).items()}
    if work.sizes[0] > 10_000:
        return _huge(peer, weights, jnp.asarray(x))
    f = scalar if work.question in ("laplacian", "biharmonic", "taylor") else mlp
    arguments = [jnp.asarray(x)]
    if work.question == "taylor":
        arguments.append(jnp.asarray(work.directions()))
        ways = {name: (lambda f, v, d, way=way: way(f, v, d, work.order)) for name, way in ways.items()}
    return {
        f"{name}, {block} points at a time" if block else name: _batch(f, way, weights, arguments, block)
        for (name, way), block in itertools.product(ways.items(), BLOCKS)
    }


def _batch(f: Callable, way: Callable, weights: Any, arguments: list, block: int) -> Callable[[], Any]:
    def answer(w, *points):
        def one(p):
            return way(lambda v: f(w, v), *p)

        return jax.lax.map(one, points, batch_size=block) if block else jax.vmap(lambda *p: one(p))(*points)

    ask = jax.jit(answer)
    return lambda: jax.block_until_ready(ask(weights, *arguments))


def _whole(way: Callable, weights: Any, x: Any) -> Callable[[], Any]:
    ask = jax.jit(way)
    return lambda: jax.block_until_ready(ask(weights, x))


def _single(way: Callable, weights: Any, x: np.ndarray) -> Callable[[], Any]:
    ask = jax.jit(lambda v: way(lambda u: mlp(weights, u), v))
    return lambda: ask(x).block_until_ready()


def _huge(peer: str, weights: Any, x: Any) -> dict[str, Callable[[], Any]]:
    """Return the ways that do not hold a matrix of all inputs by all inputs; `.part` says what share is done."""
    if peer == "folx":
        return {"forward_laplacian, sparse": _batch(scalar, _sparse, weights, [x], 0)}
    second = {"jax": _second_by_jvp, "jet": _second_by_jet}[peer]

    @jax.jit
    def chunk(w, points, start):
        axes = jax.nn.one_hot(start + jnp.arange(CHUNK), points.shape[1], dtype=points.dtype)
        return jax.vmap(lambda v: jax.vmap(lambda e: second(lambda u: scalar(w, u), v, e))(axes).sum())(points)

    def ask():
        return jax.block_until_ready(chunk(weights, x, 0))

    ask.part = CHUNK / x.shape[1]
    return {f"{CHUNK} axes at a time": ask}


def _second_by_jvp(f: Callable, v: Any, e: Any) -> Any:
    return jax.jvp(lambda u: jax.jvp(f, (u,), (e,))[1], (v,), (e,))[1]


def _second_by_jet(f: Callable, v: Any, e: Any) -> Any:
    return jet(f, (v,), ((e, jnp.zeros_like(e)),))[1][1]


def _sparse(f: Callable, v: Any) -> Any:
    return folx_laplacian(f, v, 0.6)
