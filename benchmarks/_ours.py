"""The questions as users of neuralgebra write them, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from _workloads import BY_HAND, Workload

import neuralgebra as na


def variants(peer: str, work: Workload) -> dict[str, Callable[[], Any]]:
    """Return the one way to answer."""
    f, x = na.Network.from_layers(work.layers(), "tanh"), work.inputs()
    questions = {
        "value": lambda: f(x),
        "jacobian": lambda: f.jacobian(x),
        "hessian": lambda: f.hessian(x),
        "value+J+H": lambda: tuple(f.derivatives(x, order=2)),
        "J+H": lambda: tuple(f.derivatives(x, order=2))[1:],
        "laplacian": lambda: f.laplacian(x),
        BY_HAND: lambda: f.laplacian(x),
        "biharmonic": lambda: f.biharmonic(x),
    }
    if work.question == "taylor":
        v = work.directions()
        return {"": lambda: f.taylor(x, v, work.order)[..., 0].T}
    return {"": questions[work.question]}
