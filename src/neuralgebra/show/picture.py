"""A finished picture: seen in a notebook, saved as SVG, PNG or PDF."""

from __future__ import annotations

import os
from dataclasses import dataclass

from neuralgebra.errors import UsageError, shown
from neuralgebra.files.atomic import write_atomic
from neuralgebra.files.source import path_text
from neuralgebra.show.canvas import painted
from neuralgebra.show.scene import Scene

__all__ = ["ENDINGS", "Picture", "ending"]

ENDINGS = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class Picture:
    """A picture.

    Parameters
    ----------
    scene : Scene
        What is drawn.
    """

    scene: Scene

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        return self.scene.svg()

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Picture {self.scene.width:.0f} x {self.scene.height:.0f} pt: {shown(self.scene.title)}>"

    def data(self, kind: str) -> bytes:
        """Return the picture as the bytes of a file whose name ends in ".svg", ".png" or ".pdf"."""
        return self.svg.encode() if kind == ".svg" else painted(self.scene, kind[1:])

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the picture to a file, whole or not at all.

        Parameters
        ----------
        path : str or os.PathLike
            Where to; the ending decides on the format: ".svg", ".png" or ".pdf".
        overwrite : bool
            Whether an existing file may be replaced.

        Raises
        ------
        UsageError
            For another ending.
        MissingExtra
            When PNG or PDF is asked for and matplotlib is not installed.
        OutputError
            When the file exists and `overwrite` is false, or cannot be written; nothing is changed then.
        """
        name = path_text(path)
        write_atomic(name, self.data(ending(name)), overwrite)


def ending(name: str) -> str:
    """Return the ending of the name of a picture, or raise UsageError."""
    found = os.path.splitext(name)[1]
    if found.lower() not in ENDINGS:
        raise UsageError(f"{shown(name)}: ending {shown(found)!r} received; {', '.join(ENDINGS)} expected.")
    return found.lower()
