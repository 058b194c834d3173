"""Boxes: a range for each input of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, ShapeError, shown
from neuralgebra.network.network import Network

__all__ = ["Box", "box_of", "box_of_table", "box_of_text"]


@dataclass(frozen=True)
class Box:
    """A range for each input.

    Parameters
    ----------
    low, high : tuple of float
        Its ends.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def text(self, names: Sequence[str]) -> str:
        """Return the box as text, in one line.

        Parameters
        ----------
        names : sequence of str
            Names of the inputs.
        """
        ranges = zip(names, self.low, self.high, strict=True)
        return ", ".join(f"{low!r} <= {name} <= {high!r}" for name, low, high in ranges)


def box_of(network: Network, box: Any) -> Box:
    """Return the ranges that a person passes, checked.

    Parameters
    ----------
    network : Network
        The network whose inputs are meant.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input, in order or by name.

    Returns
    -------
    Box
        The ranges.

    Raises
    ------
    InputError
        For an end that is no finite number, a low end above its high end, and names that are unknown or missing.
    ShapeError
        For another number of ranges.
    """
    if isinstance(box, Box):
        return box
    names = network.input_names
    pairs = _by_name(names, box) if isinstance(box, Mapping) else _listed(names, box)
    ranges = [_range(name, pair) for name, pair in zip(names, pairs, strict=True)]
    return Box(tuple(low for low, _ in ranges), tuple(high for _, high in ranges))


def _listed(names: Sequence[str], box: Any) -> list[Any]:
    pairs = list(box) if isinstance(box, Sequence | np.ndarray) and not isinstance(box, str) else None
    if pairs is None:
        raise InputError(f"box={shown(repr(box))} received; a pair (low, high) for each input, or a dict, expected.")
    if len(pairs) != len(names):
        raise ShapeError(
            f"a box of {len(pairs)} ranges received; {len(names)} expected, for {shown(', '.join(names))}."
        )
    return pairs


def _by_name(names: Sequence[str], box: Mapping[Any, Any]) -> list[Any]:
    unknown = [name for name in box if name not in names]
    missing = [name for name in names if name not in box]
    if unknown or missing:
        found = f"unknown input {shown(unknown[0])!r}" if unknown else f"no range of {shown(missing[0])!r}"
        raise InputError(f"a box with {found} received; one range expected for each of {shown(', '.join(names))}.")
    return [box[name] for name in names]


def _range(name: str, pair: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in pair)
    except (TypeError, ValueError, OverflowError):
        low = high = np.nan
    if not np.isfinite([low, high]).all():
        raise InputError(f"range {shown(repr(pair))} of {shown(name)!r} received; two finite numbers expected.")
    if low > high:
        raise InputError(
            f"range ({low!r}, {high!r}) of {shown(name)!r} received; the low end first expected. Exchange the ends."
        )
    return low, high


def box_of_text(network: Network, text: str) -> Box:
    """Return the box that a text like "x1=-1:1,x2=0:2" says.

    Parameters
    ----------
    network : Network
        The network whose inputs are meant.
    text : str
        A range low:high for each name; a name may contain all but the text "=", or stand for itself with it.

    Returns
    -------
    Box
        The ranges.

    Raises
    ------
    InputError
        For a text that says something else.
    """
    found: dict[str, Any] = {}
    for name, low, high in _parts(network, text):
        if name in found:
            raise InputError(f"two ranges of {shown(name)!r} received; one expected.")
        found[name] = (low, high)
    return box_of(network, found)


def _parts(network: Network, text: str) -> list[tuple[str, str, str]]:
    """Return name, low and high of each range: names may contain commas, so ranges are found from their names on."""
    rest, parts = text, []
    while rest.strip():
        rest = rest.lstrip()
        known = [name for name in network.input_names if rest.startswith(name + "=")]
        name = max(known, key=len, default=rest.split("=")[0])
        span, _, rest = rest[len(name) + 1 :].partition(",")
        low, colon, high = span.partition(":")
        if not colon:
            raise InputError(
                f"range {shown(span)!r} of {shown(name)!r} received; low:high expected, as x1=-1:1,x2=0:2."
            )
        parts.append((name, low, high))
    return parts


def box_of_table(network: Network, rows: np.ndarray) -> Box:
    """Return the ranges of the columns of a table.

    Parameters
    ----------
    network : Network
        The network whose inputs the columns are.
    rows : ndarray, shape (rows, n)
        Numbers.

    Returns
    -------
    Box
        Least and greatest number of each column.

    Raises
    ------
    InputError
        For a table without rows.
    """
    if not len(rows):
        raise InputError("a table without rows received; at least one row expected, from which ranges are taken.")
    return box_of(network, list(zip(rows.min(axis=0).tolist(), rows.max(axis=0).tolist(), strict=True)))
