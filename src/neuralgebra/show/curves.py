"""Panels of curves, without a plotting package: axes, ticks, a legend, and lines cut off at the frame."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.errors import ShapeError, UsageError
from neuralgebra.show.lettering import cut, plain, width
from neuralgebra.show.picture import Picture
from neuralgebra.show.scene import BLACK, Group, Line, Part, Path, Point, Rectangle, Scene, Style, Text, shifted

__all__ = ["BLUE", "ORANGE", "Ticks", "curves"]

BLUE, ORANGE = "#1c6fb8", "#e8710a"
"""Colours that differ for the colour-blind, and in brightness."""

_WIDTH, _HEIGHT = 220.0, 160.0
_LEFT, _RIGHT, _TOP, _BOTTOM, _MARGIN = 40.0, 14.0, 44.0, 26.0, 8.0
_GREY, _FRAME = "#c8c8c8", Style("#555555", width=0.8)
_SIZE, _SMALL = 12.0, 10.0
Series = tuple[str, Any, Any, str, tuple[float, ...]]
Panel = tuple[Any, ...]


def curves(panels: Sequence[Panel], columns: int = 2) -> Picture:
    """Draw panels of curves.

    Parameters
    ----------
    panels : sequence of (title, series) or (title, series, (low, high))
        The series of a panel are tuples (label, x, y, color, dash): points of a curve, shape (n,) each, a colour such
        as "#1c6fb8", and lengths of dashes and gaps, () for a solid line. The curve is broken where a number is not
        finite, and cut off at the frame. The range of y is that of the points unless it is given.
    columns : int
        Panels side by side.

    Returns
    -------
    Picture
        The panels, row by row.

    Raises
    ------
    ShapeError
        When x and y of a series do not fit.
    UsageError
        When there is nothing to draw.

    Examples
    --------
    >>> x = np.linspace(-3, 3, 100)
    >>> curves([("(a)", [("tanh", x, np.tanh(x), BLUE, ())])])
    <Picture 290 x 246 pt: (a)>
    """
    if not panels or columns < 1:
        raise UsageError(f"{len(panels)} panels in {columns} columns received; at least one of each expected.")
    parts: list[Part] = []
    for i, panel in enumerate(panels):
        row, column = divmod(i, columns)
        x = _MARGIN + _LEFT + column * (_LEFT + _WIDTH + _RIGHT)
        y = _MARGIN + _TOP + row * (_TOP + _HEIGHT + _BOTTOM)
        inner = tuple(shifted(part, x, y) for part in _panel(*panel))
        parts.append(Group(inner, "panel", str(panel[0])))
    across, down = min(columns, len(panels)), math.ceil(len(panels) / columns)
    size = across * (_LEFT + _WIDTH + _RIGHT), down * (_TOP + _HEIGHT + _BOTTOM)
    titles = ", ".join(str(panel[0]) for panel in panels)
    words = "; ".join(f"{panel[0]}: {', '.join(str(s[0]) for s in panel[1])}" for panel in panels)
    return Picture(Scene(size[0] + 2 * _MARGIN, size[1] + 2 * _MARGIN, tuple(parts), titles, words))


@dataclass(frozen=True)
class Ticks:
    """An axis.

    Parameters
    ----------
    low, high : float
        Its ends.
    length : float
        How long it is drawn.
    """

    low: float
    high: float
    length: float

    @classmethod
    def of(cls, values: np.ndarray, length: float, room: float) -> Ticks:
        """Return an axis for numbers, with some room at the ends."""
        finite = values[np.isfinite(values)]
        if not finite.size:
            raise UsageError("a panel without finite numbers received; points of a curve expected.")
        low, high = float(finite.min()), float(finite.max())
        margin = room * (high - low) or 0.5 * max(abs(low), 1.0) * (room > 0 or low == high)
        return cls(low - margin, high + margin, length)

    def at(self, value: Any) -> Any:
        """Return where a number stands, from the low end."""
        return (value - self.low) / (self.high - self.low) * self.length

    @property
    def step(self) -> float:
        """1, 2 or 5 times a power of ten, so that there are about five ticks."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        return power * min((1, 2, 5, 10), key=lambda n: abs(math.log(n * power / rough)))

    @property
    def ticks(self) -> list[float]:
        """The multiples of the step on the axis."""
        first, last = math.ceil(self.low / self.step - 1e-9), math.floor(self.high / self.step + 1e-9)
        return [k * self.step for k in range(first, last + 1)]

    def text(self, tick: float) -> str:
        """Return a number with as many digits as the step needs, and a true minus."""
        digits = max(0, -math.floor(math.log10(self.step) + 1e-9))
        return f"{abs(tick) if abs(tick) < self.step / 2 else tick:.{digits}f}".replace("-", "−")


def _panel(title: Any, series: Sequence[Series], limits: tuple[float, float] | None = None) -> Iterator[Part]:
    points = [_points(s) for s in series]
    if not points:
        raise UsageError(f"panel {title} without curves received; at least one expected.")
    across = Ticks.of(np.concatenate([x for x, _ in points]), _WIDTH, 0.0)
    if limits is None:
        up = Ticks.of(np.concatenate([y for _, y in points]), _HEIGHT, 0.06)
    else:
        up = Ticks(float(limits[0]), float(limits[1]), _HEIGHT)
    yield Text((0.0, -26.0), plain(cut(str(title), 40)), _SIZE, "start")
    yield from _axes(across, up)
    for (_, _, _, color, dash), (x, y) in zip(series, points, strict=True):
        pieces = _pieces(across.at(x), _HEIGHT - up.at(y))
        style = Style(color, width=1.8, dash=tuple(dash))
        yield Group(tuple(Path(piece, style) for piece in pieces), "curve")
    yield from _legend(series)


def _points(series: Series) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.asarray(values, dtype=float) for values in series[1:3])
    if x.shape != y.shape or x.ndim != 1:
        raise ShapeError(f"x of shape {x.shape} and y of shape {y.shape} received; (n,) both expected.")
    return x, y


def _axes(across: Ticks, up: Ticks) -> Iterator[Part]:
    grey = Style(_GREY, width=0.8)
    if across.low < 0 < across.high:
        yield Line((across.at(0.0), 0.0), (across.at(0.0), _HEIGHT), grey)
    if up.low < 0 < up.high:
        yield Line((0.0, _HEIGHT - up.at(0.0)), (_WIDTH, _HEIGHT - up.at(0.0)), grey)
    yield Rectangle((0.0, 0.0), _WIDTH, _HEIGHT, 0.0, _FRAME)
    for tick in across.ticks:
        x = across.at(tick)
        yield Line((x, _HEIGHT), (x, _HEIGHT + 4), _FRAME)
        yield Text((x, _HEIGHT + 15), plain(across.text(tick)), _SMALL)
    for tick in up.ticks:
        y = _HEIGHT - up.at(tick)
        yield Line((-4.0, y), (0.0, y), _FRAME)
        yield Text((-7.0, y + 3.4), plain(up.text(tick)), _SMALL, "end")


def _legend(series: Sequence[Series]) -> Iterator[Part]:
    """Yield the names of the curves, side by side under the title."""
    x = 0.0
    for name, _, _, color, dash in series:
        label = plain(cut(str(name), 30))
        yield Line((x, -10.0), (x + 18, -10.0), Style(color, width=1.8, dash=tuple(dash)))
        yield Text((x + 23, -6.5), label, _SMALL, "start", BLACK)
        x += 23 + width(label, _SMALL) + 14


def _pieces(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[Point, ...]]:
    """Yield the runs of a curve inside the frame, with the points where it enters and leaves."""
    run: list[Point] = []
    for a, b in itertools.pairwise(zip(x.tolist(), y.tolist(), strict=True)):
        part = _inside(a, b) if all(map(math.isfinite, (*a, *b))) else None
        if part is None or (run and run[-1] != part[0]):
            if len(run) > 1:
                yield tuple(run)
            run = []
        if part is not None:
            run = run or [part[0]]
            run += [part[1]] * (part[1] != run[-1])
    if len(run) > 1:
        yield tuple(run)


def _inside(a: Point, b: Point) -> tuple[Point, Point] | None:
    """Return the part of a segment in the frame (Liang and Barsky, 1984); None if there is none."""
    start, end = 0.0, 1.0
    dx, dy = b[0] - a[0], b[1] - a[1]
    for p, q in ((-dx, a[0]), (dx, _WIDTH - a[0]), (-dy, a[1]), (dy, _HEIGHT - a[1])):
        if p == 0:
            if q < 0:
                return None
        elif p < 0:
            start = max(start, q / p)
        else:
            end = min(end, q / p)
    if start > end:
        return None
    first = a if start == 0 else (a[0] + start * dx, a[1] + start * dy)
    return first, b if end == 1 else (a[0] + end * dx, a[1] + end * dy)
