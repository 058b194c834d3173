"""neuralgebra: the mathematics of a trained feed-forward network.

>>> import neuralgebra as na
>>> f = na.Network.from_layers([([[1, 1], [1, 1]], [1, 1]), ([[1, 1]], None)], "sigmoid")
>>> f.jacobian([1, 1]).round(7)
array([[0.0903533, 0.0903533]])
"""

from typing import Any

from neuralgebra import api, errors

__version__ = "0.1.0"
__all__ = ["errors", *api.FUNCTIONS]


def __getattr__(name: str) -> Any:
    if name in api.FUNCTIONS:
        return api.resolve(name)
    raise AttributeError(f"module 'neuralgebra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *api.FUNCTIONS})
