"""Pictures as PNG and PDF, by way of matplotlib: the one file of the storey that knows it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

from neuralgebra.errors import MissingExtra
from neuralgebra.show.lettering import Run, ends, visible
from neuralgebra.show.scene import Circle, Line, Path, Point, Rectangle, Scene, Style, Text

__all__ = ["painted"]

_FONTS = ["DejaVu Serif", "DejaVu Sans"]  # which matplotlib brings with it
_METADATA: dict[str, dict[str, None]] = {"png": {"Software": None}, "pdf": {"CreationDate": None}}
_SETTINGS = {"pdf.fonttype": 42, "pdf.compression": 6, "text.usetex": False, "text.hinting": "none"}
_KAPPA = 0.5523  # how far the handles of a Bézier segment stand that is a quarter of a circle


def painted(scene: Scene, kind: str, dpi: float = 144) -> bytes:
    """Return a picture as a file, equal for equal pictures and one version of matplotlib.

    Parameters
    ----------
    scene : Scene
        The picture.
    kind : {"png", "pdf"}
        The format.
    dpi : float
        Pixels per inch of a PNG.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    MissingExtra
        When matplotlib is not installed.
    """
    mpl = _matplotlib()
    with mpl.rc_context(_SETTINGS):
        figure = mpl.figure.Figure(figsize=(scene.width / 72, scene.height / 72), facecolor="#ffffff")
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(0, scene.width), ylim=(scene.height, 0))
        axes.set_axis_off()
        for part in scene.flat():
            for artist in _artists(mpl, part):
                axes.add_artist(artist)
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return file.getvalue()


def _matplotlib() -> Any:
    try:
        import matplotlib as mpl
        import matplotlib.figure
        import matplotlib.lines
        import matplotlib.patches
        import matplotlib.path
        import matplotlib.patheffects
        import matplotlib.text
        import matplotlib.textpath
    except ImportError:
        raise MissingExtra(
            "PNG and PDF need matplotlib, which is missing: pip install 'neuralgebra[plot]'\nSVG needs nothing."
        ) from None
    return mpl


def _artists(mpl: Any, part: Line | Path | Circle | Rectangle | Text) -> Iterator[Any]:
    match part:
        case Text():
            yield from _letters(mpl, part)
        case Line(start, end, style):
            yield _patch(mpl, (start, end), style)
        case Path(points, style, curved, closed):
            yield _patch(mpl, points, style, curved, closed)
        case Circle(center, radius, style):
            yield mpl.patches.Circle(center, radius, **_look(style))
        case Rectangle():
            yield _patch(mpl, _rounded(part), part.style, curved=True, closed=True)


def _patch(mpl: Any, points: tuple[Point, ...], style: Style, curved: bool = False, closed: bool = False) -> Any:
    codes = [mpl.path.Path.MOVETO] + [mpl.path.Path.CURVE4 if curved else mpl.path.Path.LINETO] * (len(points) - 1)
    if closed:
        points, codes = (*points, points[0]), [*codes, mpl.path.Path.CLOSEPOLY]
    return mpl.patches.PathPatch(mpl.path.Path(points, codes), **_look(style))


def _rounded(box: Rectangle) -> tuple[Point, ...]:
    """Return the outline of a rectangle as Bézier segments."""
    (x, y), w, h, r = box.corner, box.width, box.height, min(box.radius, box.width / 2, box.height / 2)
    k = r * (1 - _KAPPA)
    right = [(x + r, y), (x + r, y), (x + w - r, y), (x + w - r, y), (x + w - k, y), (x + w, y + k), (x + w, y + r)]
    down = [(x + w, y + r), (x + w, y + h - r), (x + w, y + h - r)]
    down += [(x + w, y + h - k), (x + w - k, y + h), (x + w - r, y + h)]
    left = [(x + w - r, y + h), (x + r, y + h), (x + r, y + h), (x + k, y + h), (x, y + h - k), (x, y + h - r)]
    up = [(x, y + h - r), (x, y + r), (x, y + r), (x, y + k), (x + k, y), (x + r, y)]
    return (*right, *down, *left, *up)


def _look(style: Style) -> dict[str, Any]:
    dash = {} if not style.dash else {"linestyle": (0, tuple(d / style.width for d in style.dash))}
    ends = {"capstyle": "butt" if style.dash else "round", "joinstyle": "round"}
    stroke, fill = style.stroke or "none", style.fill or "none"
    return {"edgecolor": stroke, "facecolor": fill, "linewidth": style.width if style.stroke else 0, **dash, **ends}


def _letters(mpl: Any, text: Text) -> Iterator[Any]:
    """Yield one text for each run, from left to right: their widths are measured."""
    places = ends(text.label, lambda run: _measured(mpl, run, text.size))
    offset = -places[-1][1] * {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    place: Callable[[float, float], Point] = _upright(text.at) if text.upright else _turned(text.at)
    for run, (start, _) in zip(text.label, places, strict=False):
        yield mpl.text.Text(
            *place(offset + start, run.rise * text.size),
            visible(run.text),
            fontproperties=_font(mpl, run, text.size),
            color=text.color,
            rotation=0 if text.upright else 90,
            rotation_mode="anchor",
            parse_math=False,
            path_effects=[mpl.patheffects.withStroke(linewidth=3, foreground="#ffffff")] if text.halo else None,
        )


def _upright(at: Point) -> Callable[[float, float], Point]:
    return lambda along, rise: (at[0] + along, at[1] - rise)


def _turned(at: Point) -> Callable[[float, float], Point]:
    return lambda along, rise: (at[0] - rise, at[1] - along)


def _font(mpl: Any, run: Run, size: float) -> Any:
    style = "italic" if run.italic else "normal"
    return mpl.font_manager.FontProperties(family=_FONTS, style=style, size=run.scale * size)


def _measured(mpl: Any, run: Run, size: float) -> float:
    width, _, _ = mpl.textpath.text_to_path.get_text_width_height_descent(
        visible(run.text), _font(mpl, run, size), ismath=False
    )
    return float(width)
