"""A derivation as a strip of pictures."""

from __future__ import annotations

import os

from neuralgebra.errors import ResourceError
from neuralgebra.rewrite.derivation import Derivation
from neuralgebra.show.picture import Picture
from neuralgebra.show.strip import derived

__all__ = ["draw", "svg"]

_PANELS, _LAYERS = 200, 200


def draw(
    derivation: Derivation,
    path: str | os.PathLike[str] | None = None,
    *,
    level: str = "auto",
    every_step: bool = False,
    overwrite: bool = False,
) -> Picture:
    """Draw the networks of a derivation one below the other, with the changed part marked.

    Parameters
    ----------
    derivation : Derivation
        The steps.
    path : str or path, optional
        Where to write it: .svg, .png or .pdf.
    level : {"auto", "neurons", "layers"}
        How each network is drawn; "auto" is "neurons" if all are narrow chains.
    every_step : bool
        Whether steps by one law in a row have a picture each; by default one for all of them.
    overwrite : bool
        Whether an existing file gives way.

    Returns
    -------
    Picture
        With ``.svg`` and ``.save(path)``; shown by itself in a notebook.

    Raises
    ------
    ResourceError
        For more than 200 pictures of steps, and networks of more than 200 layers.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], None), ([[5, 6]], None)], "tanh", kind="multiplicative")
    >>> f.rewrite("additive").draw().svg[:4]
    '<svg'
    """
    layers = max(len(network.nodes) for network in (derivation.start, derivation.result))
    if layers > _LAYERS:
        raise ResourceError(
            f"networks of {layers:,} layers received; strips of at most {_LAYERS} are covered.\n"
            "Draw one of them, steps.result.draw(), which shortens it."
        )
    if every_step and len(derivation) >= _PANELS:
        raise ResourceError(f"{len(derivation) + 1} pictures would be needed; at most {_PANELS} are covered.")
    picture = derived(derivation, level=level, every_step=every_step)
    if path is not None:
        picture.save(path, overwrite=overwrite)
    return picture


def svg(derivation: Derivation) -> str | None:
    """Return the strip as SVG, for notebooks; None where it would be too large."""
    try:
        return draw(derivation).svg
    except ResourceError:
        return None
