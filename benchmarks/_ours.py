"""The questions as users of neuralgebra write them, on arrays of NumPy, PyTorch and JAX."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _workloads import BY_HAND, Workload

import neuralgebra as na

BLOCKS = (0, 256, 64)


def variants(peer: str, work: Workload) -> dict[str, Callable[[], Any]]:
    """Return the ways to answer: one call, under JAX also compiled, in blocks that fit the cache."""
    f = na.Network.from_layers(work.layers(), "tanh")
    arrays = [work.inputs(), *([work.directions()] if work.question == "taylor" else [])]
    ask = question(f, work)
    if "jax" in peer:
        return _on_jax(work, ask, arrays)
    if "torch" in peer:
        return {"": _on_torch(ask, arrays, "compile" in peer)}
    return {"": lambda: ask(*arrays)}


def question(f: na.Network, work: Workload) -> Callable[..., Any]:
    """Return the question as a function of arrays."""
    return {
        "value": f,
        "jacobian": f.jacobian,
        "hessian": f.hessian,
        "value+J+H": lambda x: tuple(f.derivatives(x, order=2)),
        "J+H": lambda x: tuple(f.derivatives(x, order=2))[1:],
        "laplacian": f.laplacian,
        BY_HAND: f.laplacian,
        "biharmonic": f.biharmonic,
        "taylor": lambda x, v: f.taylor(x, v, work.order)[..., 0].T,
    }[work.question]


def _on_torch(ask: Callable[..., Any], arrays: list[np.ndarray], compiled: bool) -> Callable[[], Any]:
    import torch

    warnings.filterwarnings("ignore")
    tensors = [torch.as_tensor(a) for a in arrays]
    asked = torch.compile(ask, fullgraph=True) if compiled else ask
    return lambda: asked(*tensors)


def _on_jax(work: Workload, ask: Callable[..., Any], arrays: list[np.ndarray]) -> dict[str, Callable[[], Any]]:
    import jax

    jax.config.update("jax_enable_x64", work.dtype == "float64")
    points = [jax.numpy.asarray(a) for a in arrays]
    blocks = BLOCKS if points[0].ndim > 1 and work.points > min(BLOCKS[1:]) else BLOCKS[:1]
    compiled = {f"jit, {b} points at a time" if b else "jit": _compiled(jax, ask, points, b) for b in blocks}
    return {"": lambda: jax.block_until_ready(ask(*points)), **compiled}


def _compiled(jax: Any, ask: Callable[..., Any], points: list[Any], block: int) -> Callable[[], Any]:
    def in_blocks(*points: Any) -> Any:
        return jax.lax.map(lambda one: ask(*one), points, batch_size=block)

    asked = jax.jit(in_blocks if block else ask)
    return lambda: jax.block_until_ready(asked(*points))
