"""Linear bounds of the values of a network, on many boxes at once.

Between two lines lies every activation on a range, and between two planes every product::

    a z + b ≤ σ(z) ≤ c z + d                        z in [low, high]
    |u v - (v₀ u + u₀ v - u₀ v₀)| ≤ r s             |u - u₀| ≤ r, |v - v₀| ≤ s

A linear form λ·y of the values at one place is followed back: through affine maps exactly, through an activation by the
upper line where its factor is positive and by the lower one where it is negative, until it is a form of the inputs. At
every stage its largest value on the ranges there is a bound, and the least of these counts (Zhang et al., "Efficient
neural network robustness certification with general activation functions", 2018; Singh et al., "An abstract domain for
certifying neural networks", 2019).

The bounds hold for real numbers although they are computed in floating point: sums of n products are off by at most
γ_n Σ |λ||W||z| in whatever order they are added up (Higham, "Accuracy and stability of numerical algorithms", 2002,
chapter 3), and by the least number above 0 for each product that is too small. Both are added.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralgebra.algebra.doubles import as_doubles
from neuralgebra.algebra.lines import Lines, affine, between, defined, planes, product, reach, straight
from neuralgebra.algebra.sensitivity import Range
from neuralgebra.arithmetic.arrays import quiet
from neuralgebra.network.layers import Affine, Concatenate, Elementwise, Multiply, Select
from neuralgebra.network.network import Network

__all__ = ["Bounds", "Relaxation"]

_UNIT = 2.0**-53
_SMALLEST = 5e-324
_MORE = 1 + 1e-9  # more than the rounding errors of sums of a million terms without negative ones


@dataclass(frozen=True)
class Bounds:
    """Upper bounds of linear forms of the values at one place.

    Parameters
    ----------
    upper : ndarray, shape (boxes, forms)
        What they do not exceed.
    slopes : ndarray, shape (boxes, forms, n)
        How the bound changes with each input.
    """

    upper: np.ndarray
    slopes: np.ndarray


class _Middle:
    """A range as middle and radius; the middle of an infinite one is 0."""

    def __init__(self, low: np.ndarray, high: np.ndarray) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            middle = low / 2 + high / 2
            self.middle = np.where(np.isfinite(middle), middle, 0.0)
            self.radius = np.nextafter(np.maximum(high - self.middle, self.middle - low), np.inf)
            self.size = np.nextafter(abs(self.middle) + self.radius, np.inf)


class Relaxation:
    """Proven ranges of an elementary network at all places, on a batch of boxes.

    Parameters
    ----------
    network : Network
        An elementary network.
    low, high : ndarray, shape (boxes, n)
        Ends of the boxes.
    """

    def __init__(self, network: Network, low: np.ndarray, high: np.ndarray) -> None:
        self.network, self.boxes = network, len(low)
        self.weights = _weights(network)
        longest = max(network.sizes + tuple(n for w, *_ in self.weights.values() for n in w.shape))
        terms = 2 * longest + 4 * len(network.nodes) + 8
        self.gamma = terms * _UNIT / (1 - terms * _UNIT) * _MORE
        self.tiny = terms * _SMALLEST
        self.lines: dict[int, Lines] = {}
        self.defined = np.ones(len(low), dtype=bool)
        """On which boxes every function is defined."""
        self.ranges: list[Range] = []
        self.middles: list[_Middle] = []
        with quiet():
            self._keep((low, high))
            for place in range(1, len(network.nodes) + 1):
                self._keep(self._image(place))
                self._line(place)
                self._tighten(place)

    def _keep(self, found: Range) -> None:
        self.ranges.append(found)
        self.middles.append(_Middle(*found))

    def _image(self, place: int) -> Range:
        """Return the range at a place, from those of its arguments alone."""
        node = self.network.nodes[place - 1]
        given = [self.ranges[i] for i in node.inputs]
        match node.layer:
            case Elementwise():
                return reach(node.layer, *given[0])
            case Multiply():
                return product(*given)
            case Select():
                return given[0][0][:, node.layer.indices], given[0][1][:, node.layer.indices]
            case Concatenate():
                low, high = (np.concatenate(ends, axis=1) for ends in zip(*given, strict=True))
                return low, high
        weight, bias, off = self.weights[place]
        low, high = affine(weight, bias, *given[0])
        if off is None:
            return low, high
        lost = self.middles[node.inputs[0]].size @ off.T
        return np.nextafter(low - lost, -np.inf), np.nextafter(high + lost, np.inf)

    def _line(self, place: int) -> None:
        node = self.network.nodes[place - 1]
        given = [self.ranges[i] for i in node.inputs]
        if isinstance(node.layer, Elementwise):
            self.lines[place] = between(node.layer, *given[0])
            self.defined &= defined(node.layer, *given[0], *self.ranges[place]).all(axis=1)
        elif isinstance(node.layer, Multiply):
            self.lines[place] = planes(*given)

    def _tighten(self, place: int) -> None:
        """Find a better range, of those values on which a function or a product is no line on some box."""
        low, high = (end.copy() for end in self.ranges[place])
        rows = np.flatnonzero(self._bent(place, low, high))
        if len(rows):
            upper = self._back(place, _both(rows, low.shape[1])).upper
            low[:, rows] = np.maximum(low[:, rows], -upper[:, len(rows) :])
            high[:, rows] = np.minimum(high[:, rows], upper[:, : len(rows)])
            self.ranges[place], self.middles[place] = (low, high), _Middle(low, high)

    def _bent(self, place: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return which values at a place a function takes that is no line there, or a product."""
        found = np.zeros(low.shape[1], dtype=bool)
        for node in self.network.nodes:
            if place in node.inputs and isinstance(node.layer, Multiply):
                found[:] = True
            elif place in node.inputs and isinstance(node.layer, Elementwise):
                found |= ~straight(node.layer, low, high).all(axis=0)
        return found

    # Forms followed back ----------------------------------------------------------------------------------------

    def bounds(self, forms: np.ndarray) -> Bounds:
        """Return upper bounds of linear forms of the outputs.

        Parameters
        ----------
        forms : ndarray, shape (forms, m)
            Factors, exact.

        Returns
        -------
        Bounds
            On each box; infinite where a function may leave its domain.
        """
        found = self._back(self.network.output, forms)
        upper = np.where(self.defined[:, None], np.minimum(found.upper, self._plainly(forms)), np.inf)
        return Bounds(upper, found.slopes)

    def _plainly(self, forms: np.ndarray) -> np.ndarray:
        """Return what forms do not exceed on the ranges of the outputs; of y and -y that is an end of a range."""
        low, high = self.ranges[self.network.output]
        if not (abs(forms).sum(axis=1) == 1).all():
            with quiet():
                return affine(forms, None, low, high)[1]
        units, signs = abs(forms).argmax(axis=1), forms.sum(axis=1)
        return np.where(signs > 0, high[:, units], -low[:, units])

    def _back(self, place: int, rows: np.ndarray) -> Bounds:
        """Follow forms of the values at a place back to the inputs."""
        trail = _Trail(self, place, np.broadcast_to(rows, (self.boxes, *rows.shape)))
        with quiet():
            for at in range(place, 0, -1):
                if at in trail.forms:
                    trail.step(at)
        return Bounds(trail.best, trail.forms.get(0, np.zeros((self.boxes, len(rows), self.network.input_size))))


class _Trail:
    """Forms on their way back: Σ λ·y over some places + constant, off by at most γ·size."""

    def __init__(self, relaxation: Relaxation, place: int, form: np.ndarray) -> None:
        self.relaxation = relaxation
        self.forms = {place: form}
        self.constant = np.zeros(form.shape[:2])
        self.size = np.zeros(form.shape[:2])
        self.best = np.full(form.shape[:2], np.inf)

    def step(self, place: int) -> None:
        """Replace a place by the arguments of its node; note what the forms do not exceed."""
        node, form = self.relaxation.network.nodes[place - 1], self.forms.pop(place)
        match node.layer:
            case Affine():
                self._affine(form, place, node.inputs[0])
            case Select():
                self._select(form, node.layer.indices, node.inputs[0])
            case Concatenate():
                cuts = np.cumsum([self.relaxation.network.sizes[i] for i in node.inputs])[:-1]
                for i, part in zip(node.inputs, np.split(form, cuts, axis=2), strict=True):
                    self._collect(i, part)
            case _:
                self._lines(form, place, node.inputs)
        self._largest()

    def _affine(self, form: np.ndarray, place: int, argument: int) -> None:
        weight, bias, off = self.relaxation.weights[place]
        middle = self.relaxation.middles[argument]
        sizes = middle.size @ abs(weight.T) + (0.0 if bias is None else abs(bias))
        if off is not None:
            sizes = sizes + middle.size @ off.T / self.relaxation.gamma
        self.size += _times(abs(form), sizes) + self._least(middle)
        if bias is not None:
            self.constant += form @ bias
        self._collect(argument, form @ weight)

    def _lines(self, form: np.ndarray, place: int, arguments: Sequence[int]) -> None:
        line, above = self.relaxation.lines[place], form > 0
        absolute = abs(form)
        offset = np.where(above, line.high[:, None], line.low[:, None])
        self.constant += np.where(form == 0, 0.0, form * offset).sum(axis=2)
        self.size += _times(absolute, np.maximum(abs(line.low), abs(line.high)))
        for i, low, high in zip(arguments, line.slope_low, line.slope_high, strict=True):
            middle = self.relaxation.middles[i]
            self.size += _times(absolute, np.maximum(abs(low), abs(high)) * middle.size) + self._least(middle)
            slope = low[:, None] if low is high else np.where(above, high[:, None], low[:, None])
            self._collect(i, form * slope)

    def _select(self, form: np.ndarray, indices: np.ndarray, argument: int) -> None:
        spread = np.zeros((self.relaxation.network.sizes[argument], *form.shape[:2]))
        np.add.at(spread, indices, form.transpose(2, 0, 1))
        self.size += _times(abs(form), self.relaxation.middles[argument].size[:, indices])
        self._collect(argument, spread.transpose(1, 2, 0))

    def _collect(self, place: int, form: np.ndarray) -> None:
        if place in self.forms:
            form = self.forms[place] + form
            self.size += _times(abs(form), self.relaxation.middles[place].size)
        self.forms[place] = form

    def _least(self, middle: _Middle) -> np.ndarray:
        """Return what products that are too small may have lost, in units of γ."""
        with np.errstate(over="ignore"):
            lost = self.relaxation.tiny / self.relaxation.gamma * (1 + middle.size.sum(axis=1, keepdims=True))
        return np.asarray(lost)

    def _largest(self) -> None:
        """Note the largest values of the forms on the ranges of the places where they stand."""
        value, size = self.constant.copy(), self.size.copy()
        for place, form in self.forms.items():
            middle, absolute = self.relaxation.middles[place], abs(form)
            value += _times(form, middle.middle) + _times(absolute, middle.radius)
            size += _times(absolute, middle.size)
        with np.errstate(invalid="ignore", over="ignore"):
            found = np.nextafter(value + (self.relaxation.gamma * size * _MORE + 1e-300), np.inf)
        self.best = np.fmin(self.best, np.where(np.isnan(found), np.inf, found))


def _times(form: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return Σ λ·v for each form, (boxes, forms, size) and (boxes, size); 0·∞ is 0."""
    if np.isfinite(values).all():
        return np.asarray(np.matmul(form, values[:, :, None])[:, :, 0])
    with np.errstate(invalid="ignore"):
        products = np.where(form == 0, 0.0, form * values[:, None])
    return np.asarray(products.sum(axis=2))


def _both(rows: np.ndarray, size: int) -> np.ndarray:
    """Return the forms y and -y of some values."""
    chosen = np.eye(size)[rows]
    return np.concatenate([chosen, -chosen])


_Weights = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


@functools.lru_cache(maxsize=32)
def _weights(network: Network) -> dict[int, _Weights]:
    """Return weight and bias of each affine map, as doubles, and how far the weight may be off; None if it is exact."""
    found = {}
    for place, node in enumerate(network.nodes, 1):
        if isinstance(node.layer, Affine):
            bias = node.layer.bias
            exact = None if bias is None else bias.astype(np.float64)
            weight, off = as_doubles(node.layer.weight)
            found[place] = (weight, exact, off)
    return found
