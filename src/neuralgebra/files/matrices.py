"""What structured matrices consist of, for every format that writes them down field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from neuralgebra.files import limits
from neuralgebra.network.composed import Batched, BlockDiagonal, Product, Transposed
from neuralgebra.network.convolution import Convolution
from neuralgebra.network.linear import Dense, Diagonal, Kronecker, Linear, Spread

__all__ = ["MATRICES", "Part", "limited"]

Part = Literal["floats", "integers", "positive", "matrix", "matrices"]

MATRICES: Mapping[str, tuple[type[Linear], Mapping[str, Part]]] = {
    "Batched": (Batched, {"inner": "matrix", "copies": "positive"}),
    "BlockDiagonal": (BlockDiagonal, {"blocks": "matrices"}),
    "Convolution": (Convolution, {"kernel": "floats", "patches": "integers", "size": "positive"}),
    "Dense": (Dense, {"weight": "floats"}),
    "Diagonal": (Diagonal, {"entries": "floats"}),
    "Kronecker": (Kronecker, {"weight": "floats", "before": "positive", "after": "positive"}),
    "Product": (Product, {"factors": "matrices"}),
    "Spread": (Spread, {"weight": "floats"}),
    "Transposed": (Transposed, {"inner": "matrix"}),
}
"""Kind of matrix -> class, and its fields in the order of its arguments."""


def limited(matrix: Linear, what: str) -> Linear:
    """Return a matrix; refuse one that gives or takes too many coordinates, which a product may hide.

    Parameters
    ----------
    matrix : Linear
        The matrix.
    what : str
        Its place, for the message.

    Returns
    -------
    Linear
        The matrix.

    Raises
    ------
    ResourceError
        When it is larger than ``files.limits`` allows.
    """
    limits.check("COORDINATES", max(matrix.shape), f"{what}: coordinates")
    return matrix
