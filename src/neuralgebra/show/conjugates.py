"""σ of multiplicative networks beside σ′ = ln ∘ σ ∘ exp of their additive twins, as curves."""

from __future__ import annotations

import os
import string
from collections.abc import Sequence

import numpy as np

from neuralgebra.arithmetic.arrays import Arrays, quiet
from neuralgebra.errors import UsageError, shown
from neuralgebra.functions.activation import Activation
from neuralgebra.functions.conjugate import Conjugate, conjugate
from neuralgebra.show.curves import BLUE, ORANGE, curves
from neuralgebra.show.picture import Picture

__all__ = ["plot_conjugates"]

_POINTS = 400


def plot_conjugates(
    functions: Sequence[str | Activation | Conjugate] = ("tanh", "sigmoid", "relu", "at_least"),
    path: str | os.PathLike[str] | None = None,
    *,
    reach: float = 4.0,
    columns: int = 2,
    overwrite: bool = False,
) -> Picture:
    """Draw activations of multiplicative networks beside those of their additive twins.

    σ is drawn where x > 0, σ′ = ln ∘ σ ∘ exp everywhere.

    Parameters
    ----------
    functions : sequence of str, Activation or Conjugate
        σ; by default tanh, sigmoid, relu and max(x, 1).
    path : str or path, optional
        Where to write it: .svg, .png or .pdf.
    reach : float
        The curves are drawn on [-reach, reach].
    columns : int
        Panels side by side.
    overwrite : bool
        Whether an existing file gives way.

    Returns
    -------
    Picture
        One panel for each function.

    Raises
    ------
    UsageError
        For no function, and a reach that is no positive number.
    InputError
        For a function that is not positive where x > 0; the message says where.

    Examples
    --------
    >>> import neuralgebra as na
    >>> na.plot_conjugates(["tanh"]).svg[:4]
    '<svg'
    """
    if isinstance(functions, str | Activation | Conjugate):
        functions = [functions]
    if not isinstance(reach, int | float) or not 0 < reach < np.inf:
        raise UsageError(f"reach={shown(repr(reach))} received; a positive number expected.")
    pairs = [f if isinstance(f, Conjugate) else conjugate(f) for f in functions]
    picture = curves([_panel(i, pair, float(reach)) for i, pair in enumerate(pairs)], columns)
    if path is not None:
        picture.save(path, overwrite=overwrite)
    return picture


def _panel(number: int, pair: Conjugate, reach: float) -> tuple[str, list[tuple[object, ...]]]:
    x = np.linspace(-reach, reach, _POINTS + 1)
    positive = x[x > 0]
    values = _values(pair.source, positive)
    title = f"({string.ascii_lowercase[number % 26]}) σ = {_named(pair.source)}"
    twin = f"σ′ = {pair.name}" if pair.known else "σ′ = ln∘σ∘exp"
    return title, [("σ, x > 0", positive, values, BLUE, ()), (twin, x, pair(x), ORANGE, (6.0, 3.0))]


def _values(function: Activation, x: np.ndarray) -> np.ndarray:
    with quiet():
        return np.asarray(function(Arrays(x), x))


def _named(function: Activation) -> str:
    """Return what a function is called: max(x, 1), min(x, 1), or its name."""
    bound = dict(function.parameters).get("bound")
    forms = {"at_least": f"max(x, {bound})", "at_most": f"min(x, {bound})"}
    return forms.get(function.name, str(function))
