"""The affine piece of a piecewise linear network around a point, and the polytope on which it holds, exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import flint
import numpy as np

from neuralgebra.arithmetic.rationals import Rationals, fraction
from neuralgebra.errors import InputError, ShapeError, UnsupportedError, shown
from neuralgebra.formula.formula import Formula, formula
from neuralgebra.formula.segments import Segment, obstacle, segments
from neuralgebra.network import names as naming
from neuralgebra.network.forms import Form, floats, forms, mapped
from neuralgebra.network.layers import Elementwise, Layer, Maximum
from neuralgebra.network.network import Network
from neuralgebra.network.notation import stems
from neuralgebra.network.units import functions_of

__all__ = ["Piece", "piece"]

_K = Rationals()


@dataclass(frozen=True)
class _Side:
    """One condition of the polytope, g·x ≤ c, and the unit that states it."""

    factors: Any
    limit: Any
    text: str


@dataclass(frozen=True, eq=False)
class Piece:
    """The affine map that a network is on a polytope around a point.

    Parameters
    ----------
    network_names : tuple of (tuple of str, tuple of str)
        Names of inputs and outputs.
    weight : ndarray, shape (m, n)
        The map is weight·x + bias.
    bias : ndarray, shape (m,)
        See weight.
    A : ndarray, shape (k, n)
        The polytope is {x : A x ≤ c}; one row for each side that some unit states, those of the first layers first.
    c : ndarray, shape (k,)
        See A.
    units : tuple of str
        What each row says, in the names of formulas: "z1_2 <= 0".

    Notes
    -----
    All arrays are exact numbers rounded once to the nearest double. `contains` decides by the exact ones, and
    `exact` gives them.
    """

    network_names: tuple[tuple[str, ...], tuple[str, ...]]
    weight: np.ndarray
    bias: np.ndarray
    A: np.ndarray
    c: np.ndarray
    units: tuple[str, ...]
    _form: Form = field(repr=False)
    _sides: tuple[_Side, ...] = field(repr=False)

    def __repr__(self) -> str:
        rows, columns = self.weight.shape
        return f"<Piece {columns} → {rows}: {len(self.c)} sides>"

    def __str__(self) -> str:
        return self.text()

    def exact(self) -> dict[str, np.ndarray]:
        """Return weight, bias, A and c as fractions, nothing rounded."""
        inputs = self.weight.shape[1]
        found = {
            "weight": self._form[1:].T,
            "bias": self._form[0],
            "A": _rows(self._sides, inputs),
            "c": np.array([side.limit for side in self._sides], dtype=object),
        }
        return {name: np.asarray(_K.each(fraction, a), dtype=object).reshape(a.shape) for name, a in found.items()}

    def contains(self, x: Any) -> np.ndarray:
        """Return whether points lie in the polytope, its sides included; decided exactly.

        Parameters
        ----------
        x : array_like, shape (..., n)
            Points; one with a NaN or an infinite coordinate lies outside.

        Returns
        -------
        ndarray of bool, shape (...)
            The answers.
        """
        points = _real(x)
        if points.ndim == 0 or points.shape[-1] != self.weight.shape[1]:
            raise ShapeError(f"x of shape {points.shape} received; (..., {self.weight.shape[1]}) expected.")
        flat = points.reshape(-1, points.shape[-1])
        return np.array([self._holds(point) for point in flat], dtype=bool).reshape(points.shape[:-1])

    def _holds(self, point: np.ndarray) -> bool:
        if not np.isfinite(point).all():
            return False
        with np.errstate(over="ignore", invalid="ignore"):
            slack = self.c - self.A @ point
            doubt = 4 * (len(point) + 4) * np.finfo(np.float64).eps * (abs(self.A) @ abs(point) + abs(self.c))
            doubt += np.finfo(np.float64).tiny * (len(point) + abs(point).sum())
        if (slack < -doubt).any():
            return False
        close = [side for side, clear in zip(self._sides, slack > doubt, strict=True) if not clear]
        x = _K.weight(point)
        return all(np.dot(side.factors, x) <= side.limit for side in close)

    def network(self) -> Network:
        """Return the affine map as a network, in float64."""
        inputs, outputs = self.network_names
        return Network.from_layers([(self.weight, self.bias)], input_names=inputs, output_names=outputs)

    def formula(self, *, digits: int | None = None) -> Formula:
        """Return the formula of the affine map.

        Parameters
        ----------
        digits : int, optional
            Significant digits of the numbers; all by default.
        """
        return formula(self.network(), digits=digits)

    def text(self, digits: int | None = None) -> str:
        """Return the affine map and the conditions under which it is the network, as text.

        Parameters
        ----------
        digits : int, optional
            Significant digits of the numbers; all by default.
        """
        inputs, outputs = self.network_names
        map_ = self.formula(digits=digits).text()
        if not self.units:
            return f"{map_}\neverywhere"
        names = _distinct(len(self.c), (*inputs, *outputs))
        left = Network.from_layers([(self.A, None)], input_names=inputs, output_names=names)
        lines = formula(left, digits=digits).text().splitlines()[-len(names) :]
        limits = formula(Network.from_layers([(self.A * 0, self.c)], output_names=names), digits=digits)
        right = limits.text().splitlines()[-len(names) :]
        sides = [f"  {_after(a)} <= {_after(b)}" for a, b in zip(lines, right, strict=True)]
        width = max(map(len, sides))
        return "\n".join([map_, "where", *(f"{s:{width}}    {u}" for s, u in zip(sides, self.units, strict=True))])


def _distinct(count: int, taken: Sequence[str]) -> list[str]:
    stem = "side_"
    while any(name.startswith(stem) for name in taken):
        stem += "_"
    return [f"{stem}{i}" for i in range(count)]


def _after(line: str) -> str:
    return line.split(" = ", 1)[1]


def piece(network: Network, x: Any) -> Piece:
    """Return the affine piece of a piecewise linear network at a point.

    Parameters
    ----------
    network : Network
        f, of affine layers, piecewise linear activations (relu, leaky_relu, relu6, hardtanh, abs, …) and maxima.
    x : array_like, shape (n,)
        The point.

    Returns
    -------
    Piece
        The map, the polytope {x : A x ≤ c} on which f is this map, and what states each of its sides.

    Raises
    ------
    UnsupportedError
        For a layer that is not piecewise linear; the message names it.
    InputError
        For what is no finite point.

    Notes
    -----
    Everything is decided and computed in rational arithmetic, of the network with exactly these weights. At a kink the
    piece is the one whose slope is the derivative chosen there, relu'(0) = 0, and at a tie that of the first maximum;
    abs'(0) = 0 belongs to neither neighbour, and the polytope is then flat. The weight is the Jacobian at x, which may
    be another where x is nearer to a kink than the rounding errors of float64.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1.0, 1.0], [1.0, -1.0]], [0.0, -0.5]), ([[2.0, 3.0]], [1.0])], "relu")
    >>> print(f.piece([1.0, 1.0]))
    y1 = 2.0*x1 + 2.0*x2 + 1
    where
      -x1 - x2 <= 0     z1_1 >= 0
      x1 - x2 <= 0.5    z1_2 <= 0
    """
    walk = _Walk(network, _point(network, x))
    form = forms(network, walk.other)[network.output]
    sides = tuple(_tightest(walk.sides))
    inputs = network.input_size
    return Piece(
        (network.input_names, network.output_names),
        floats(form[1:].T),
        floats(form[0]),
        floats(_rows(sides, inputs)),
        floats(np.array([side.limit for side in sides], dtype=object)),
        tuple(side.text for side in sides),
        form,
        sides,
    )


def _rows(sides: Sequence[_Side], inputs: int) -> np.ndarray:
    return np.array([side.factors for side in sides], dtype=object).reshape(len(sides), inputs)


def _point(network: Network, x: Any) -> np.ndarray:
    point = _real(x)
    if point.shape != (network.input_size,):
        raise ShapeError(f"x of shape {point.shape} received; one point of shape ({network.input_size},) expected.")
    if not np.isfinite(point).all():
        raise InputError(f"x = {shown(x)} received; finite numbers expected.")
    return np.asarray(_K.weight(point))


def _real(x: Any) -> np.ndarray:
    points = np.asarray(x)
    if points.dtype.kind not in "iuf":
        raise InputError(f"x = {shown(x)} received; real numbers expected.")
    return points.astype(np.float64)


class _Walk:
    """What happens at layers that are not affine: every unit takes the segment that its argument at the point is in."""

    def __init__(self, network: Network, point: np.ndarray) -> None:
        self.at = np.array([flint.fmpq(1), *point], dtype=object)
        self.stems = stems(network)
        self.inputs = naming.safe((*network.input_names, *network.output_names))
        self.network = network
        self.sides: list[_Side] = []

    def other(self, place: int, layer: Layer, arguments: list[Form]) -> Form:
        match layer:
            case Elementwise():
                return self._elementwise(place, layer, arguments[0])
            case Maximum():
                return self._maximum(place, layer, arguments[0])
        raise UnsupportedError(
            f"place {place}, {layer}, is not piecewise linear; affine layers, piecewise linear activations and "
            "maxima expected.\nf.taylor(x, v, order) and f.formula(…, tol=, box=) serve smooth networks."
        )

    def _values(self, form: Form) -> np.ndarray:
        values: np.ndarray = _K.product(self.at[None], form)[0]
        return values

    def _name(self, place: int, unit: int) -> str:
        """Return what formulas call an argument of the node at a place."""
        source = self.network.nodes[place - 1].inputs[0]
        return f"{self.stems[source]}_{unit + 1}" if source else self.inputs[unit]

    def _said(self, place: int, rival: int, winner: int) -> str:
        return f"{self._name(place, rival)} <= {self._name(place, winner)}"

    def _elementwise(self, place: int, layer: Elementwise, form: Form) -> Form:
        functions = list(functions_of(layer, form.shape[1]))
        for function in dict.fromkeys(functions):
            reason = obstacle(function)
            if reason:
                raise UnsupportedError(
                    f"place {place}, {function}, {reason}; piecewise linear activations expected.\n"
                    "f.taylor(x, v, order) and f.formula(…, tol=, box=) serve smooth networks."
                )
        found = [segments(f).at(z) for f, z in zip(functions, self._values(form), strict=True)]  # type: ignore[union-attr]
        for unit, segment in enumerate(found):
            self.sides += _ends(segment, form[:, unit], self._name(place, unit))
        return mapped(form, [s.slope for s in found], [s.offset for s in found])

    def _maximum(self, place: int, layer: Maximum, form: Form) -> Form:
        values = self._values(form)
        winners = []
        for group in layer.groups.tolist():
            best = max(values[i] for i in group)
            winner = next(i for i in group if values[i] == best)
            winners.append(winner)
            for rival in dict.fromkeys(group):
                over = form[:, rival] - form[:, winner]
                self.sides.append(_Side(over[1:], -over[0], self._said(place, rival, winner)))
        return form[:, winners]


def _ends(segment: Segment, form: np.ndarray, name: str) -> Iterator[_Side]:
    """Yield the sides on which a unit stays in its segment."""
    if segment.low is not None:
        yield _Side(-form[1:], form[0] - segment.low, f"{name} >= {_short(segment.low)}")
    if segment.high is not None:
        yield _Side(form[1:], segment.high - form[0], f"{name} <= {_short(segment.high)}")


def _short(end: flint.fmpq) -> str:
    return str(end) if abs(int(end.q)) < 1000 else repr(float(fraction(end)))


def _tightest(sides: Sequence[_Side]) -> list[_Side]:
    """Return one side for each direction, the tightest; a side without direction always holds."""
    best: dict[tuple[Any, ...], tuple[Any, _Side]] = {}
    for side in sides:
        scale = next((abs(v) for v in side.factors if v != 0), None)
        if scale is None:
            continue
        key = tuple(v / scale for v in side.factors)
        if key not in best or side.limit / scale < best[key][0]:
            best[key] = (side.limit / scale, side)
    return [side for _, side in best.values()]
