"""Certificates: what is proven of how far one network is from another on a box.

There are two kinds, which are never the same number. One is about the real numbers that both networks stand for, with
the weights as they are stored. The other is about any execution in floating point: a stated dtype, sums in any order,
activations within some units in the last place. The second contains the first.
"""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuralgebra.errors import InputError, ShapeError, shown
from neuralgebra.network.box import Box

__all__ = ["Certificate", "Execution", "parsed"]

_DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Execution:
    """What an execution in floating point may do.

    Parameters
    ----------
    dtype : str
        "float32" or "float64", of inputs, weights and every number on the way.
    ulps : int
        Activations are within so many units in the last place.
    """

    dtype: str
    ulps: int

    def __str__(self) -> str:
        return f"any execution in {self.dtype} with activations within {self.ulps} ulp"


@dataclass(frozen=True)
class Certificate:
    """A proven bound of the distance of a network g from a function f: |g(x) - f(x)| ≤ bound for all x of a box.

    Parameters
    ----------
    bounds : tuple of float
        One for each output.
    box : Box
        Where it holds.
    network : str
        Hash of g, whose stored numbers the bound is about.
    reference : str
        Hash of f, as real numbers.
    execution : Execution or None
        None: about the real numbers. Otherwise about what an execution of g gives.
    """

    bounds: tuple[float, ...]
    box: Box
    network: str
    reference: str
    execution: Execution | None = None

    @property
    def bound(self) -> float:
        """The largest of the bounds."""
        return max(self.bounds)

    def __str__(self) -> str:
        about = "as real numbers" if self.execution is None else f"in {self.execution}"
        return f"|g - f| <= {self.bound:.3g} on the box, {about}"

    def contains(self, x: Any) -> np.ndarray:
        """Return for each point whether it is in the box.

        Parameters
        ----------
        x : array_like, shape (..., n)
            Points.

        Returns
        -------
        ndarray of bool, shape (...,)
            Whether the bounds are about it.

        Raises
        ------
        ShapeError
            For points of another size.
        """
        points = np.asarray(x, dtype=float)
        if points.shape[-1:] != (len(self.box.low),):
            raise ShapeError(f"points of shape {points.shape} received; (..., {len(self.box.low)}) expected.")
        return np.asarray(((points >= self.box.low) & (points <= self.box.high)).all(axis=-1))

    def weaker(self, margin: float) -> Certificate:
        """Return the certificate of bounds that are larger by a part of them.

        Parameters
        ----------
        margin : float
            The part, 0 or above.

        Raises
        ------
        InputError
            For any other margin.
        """
        if not isinstance(margin, numbers.Real) or not 0 <= margin < math.inf:
            raise InputError(f"margin={shown(repr(margin))} received; a number from 0 expected.")
        if margin == 0:
            return self
        return replace(self, bounds=tuple(math.nextafter(b * (1 + margin), math.inf) for b in self.bounds))

    def to_json(self) -> str:
        """Return the certificate as JSON: its numbers in hexadecimal, exactly, and in decimals to read.

        Examples
        --------
        >>> Certificate((0.5,), Box((-1.0,), (1.0,)), "0a", "0b").to_json()[:72]
        '{"version": 1, "bounds": ["0x1.0000000000000p-1"], "decimal": [0.5], "bo'
        """
        box = {"low": _hexadecimal(self.box.low), "high": _hexadecimal(self.box.high)}
        execution = None if self.execution is None else {"dtype": self.execution.dtype, "ulps": self.execution.ulps}
        return json.dumps(
            {
                "version": 1,
                "bounds": _hexadecimal(self.bounds),
                "decimal": self.bounds,
                "box": box,
                "network": self.network,
                "reference": self.reference,
                "execution": execution,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Return the certificate that `to_json` wrote.

        Parameters
        ----------
        text : str
            The text.

        Raises
        ------
        InputError
            For any other text.
        """
        found = parsed(text, ("version", "bounds", "decimal", "box", "network", "reference", "execution"))
        bounds, decimal, box = _numbers(found["bounds"]), found["decimal"], found["box"]
        _expect(isinstance(box, dict) and box.keys() == {"low", "high"}, "a box of low and high")
        low, high = _numbers(box["low"]), _numbers(box["high"])
        _expect(len(low) == len(high) > 0 and all(a <= b for a, b in zip(low, high, strict=True)), "a box")
        _expect(bool(bounds) and all(b >= 0 for b in bounds), "bounds that are not negative")
        _expect(isinstance(decimal, list) and tuple(decimal) == bounds, "decimals that are the bounds")
        hashes = found["network"], found["reference"]
        _expect(all(isinstance(h, str) and h and set(h) <= set("0123456789abcdef") for h in hashes), "two hashes")
        return cls(bounds, Box(low, high), *hashes, _execution(found["execution"]))


def parsed(text: str, keys: Sequence[str]) -> dict[str, Any]:
    """Return what JSON of version 1 with exactly these keys says."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    _expect(isinstance(found, dict), "JSON of an object")
    _expect(set(found) == set(keys), f"the keys {', '.join(keys)}")
    _expect(type(found["version"]) is int and found["version"] == 1, "version 1")
    return dict(found)


def _expect(right: bool, what: str) -> None:
    if not right:
        raise InputError(f"a text that is no certificate received; {what} expected.")


def _hexadecimal(numbers: Sequence[float]) -> list[str]:
    return [float(v).hex() for v in numbers]


def _numbers(texts: Any) -> tuple[float, ...]:
    """Return the numbers of a list of texts as `float.hex` writes them."""
    _expect(isinstance(texts, list) and all(isinstance(t, str) for t in texts), "a list of hexadecimal numbers")
    try:
        found = tuple(map(float.fromhex, texts))
    except (ValueError, OverflowError):
        found = (math.nan,)
    _expect(bool(np.isfinite(found).all()) and _hexadecimal(found) == texts, "hexadecimal numbers")
    return found


def _execution(found: Any) -> Execution | None:
    if found is None:
        return None
    _expect(isinstance(found, dict) and found.keys() == {"dtype", "ulps"}, "an execution of dtype and ulps")
    _expect(found["dtype"] in _DTYPES, "float32 or float64")
    _expect(type(found["ulps"]) is int and found["ulps"] >= 0, "a whole number of ulps from 0")
    return Execution(found["dtype"], found["ulps"])
