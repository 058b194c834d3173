"""A network on a box: units that do not bend there are removed, and the rest is the same function on the box."""

from __future__ import annotations

import numbers
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from neuralgebra.arithmetic.rationals import Rationals
from neuralgebra.errors import InputError, UnsupportedError, shown
from neuralgebra.formula.emission import emitted
from neuralgebra.formula.rebuild import rebuilt
from neuralgebra.formula.reduction import Reduction, Removed, outward
from neuralgebra.formula.rounding import EVERY, Rounded, bounds, live, rounded
from neuralgebra.formula.shortest import shortest
from neuralgebra.network import names as naming
from neuralgebra.network.box import Box, box_of
from neuralgebra.network.network import Network

__all__ = ["Restriction", "Simplification", "restricted", "simplified"]

_K = Rationals()
_FEW = 20  # inputs whose ranges a formula repeats


@dataclass(frozen=True)
class Restriction:
    """A smaller network that equals another one on a box.

    Parameters
    ----------
    network : Network
        The smaller network.
    box : Box
        Where both are equal, in value and in every derivative.
    removed : tuple of Removed
        What was left out, each with what it is on the box and the proven range that allows it.
    kept : int
        How many units still bend somewhere on the box.
    """

    network: Network
    box: Box
    removed: tuple[Removed, ...]
    kept: int

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """Return what was removed, and why, one line each."""
        names = naming.safe((*self.network.input_names, *self.network.output_names))[: self.network.input_size]
        return "\n".join([f"on {self.box.text(names)}:", self.summary(), *map(str, self.removed)])

    def summary(self) -> str:
        """Return how much was removed, in one line."""
        kinds = Counter("constant" if _is_number(r.change) else "linear" for r in self.removed if r.change[0] == "=")
        left = sum(r.change[0] != "=" for r in self.removed)
        parts = [f"{n} {kind}" for kind, n in sorted(kinds.items())] + [f"{left} in maxima"] * bool(left)
        return f"{len(self.removed)} removed ({', '.join(parts) or 'none'}), {self.kept} kept"


def _is_number(change: str) -> bool:
    try:
        float(change[2:])
    except ValueError:
        return False
    return True


def restricted(network: Network, box: Any) -> Restriction:
    """Return the network without the units that do not bend on a box: equal to it there, exactly.

    A relu whose argument is never positive on the box is 0, one whose argument is always positive is its argument;
    rivals of a maximum that never win are left out. Ranges are proven, by exact arithmetic for affine layers and by
    balls for functions. They are not the tightest: a unit that stays may still never bend.

    Parameters
    ----------
    network : Network
        Any network.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input, in order or by name.

    Returns
    -------
    Restriction
        With ``.network``, ``.removed`` and ``.text()``.

    Raises
    ------
    InputError
        For an end that is no finite number, a low end above its high end, and names that are unknown or missing.

    Notes
    -----
    The smaller network has weights of the larger one; nothing is rounded. Affine layers that become neighbours are
    multiplied out only where the products are numbers of the dtype; formulas multiply them out in any case.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1.0], [1.0], [1.0]], [2.0, -2.0, 0.0]), ([[1.0, 1.0, 1.0]], None)], "relu")
    >>> r = f.restricted([(-1, 1)])
    >>> print(r)
    on -1.0 <= x1 <= 1.0:
    2 removed (1 constant, 1 linear), 1 kept
    a1_1 = z1_1, since 1 <= z1_1 <= 3
    a1_2 = 0, since -3 <= z1_2 <= -1
    >>> r.network([[-0.5], [0.5]]) == f([[-0.5], [0.5]])
    array([[ True],
           [ True]])
    """
    return _restriction(Reduction(network, box_of(network, box)))


def _restriction(found: Reduction) -> Restriction:
    kept = sum(stage.size for stage in found.stages)
    return Restriction(rebuilt(found), found.box, tuple(found.removed), kept)


# For formulas -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Simplification:
    """What a formula on a box is made of.

    Parameters
    ----------
    network : Network
        What is printed: affine layers multiplied out, numbers rounded.
    restriction : Restriction
        What was removed, and the network on the box with nothing rounded.
    bound : float or None
        What the error of an output does not exceed on the box, proven; None where no bound is known.
    remark : str
        How the numbers were rounded.
    """

    network: Network
    restriction: Restriction
    bound: float | None
    remark: str

    def notes(self, names: Sequence[str]) -> list[str]:
        """Return what a formula says of itself, one line each.

        Parameters
        ----------
        names : sequence of str
            Identifiers of the inputs.
        """
        box = self.restriction.box
        where = box.text(names) if len(names) <= _FEW else f"a box of {len(names)} inputs"
        lines = [f"on {where}", f"units: {self.restriction.summary()}"]
        if self.bound is None:
            return lines
        said = f"every error there is at most {outward(_K.scalar(self.bound))}, proven" if self.bound else "exact there"
        return [*lines, f"{said}; {self.remark}"]


def simplified(network: Network, order: int, box: Any, digits: int | None, tol: float | None) -> Simplification:
    """Return what a formula of a network on a box is made of.

    Parameters
    ----------
    network : Network
        The network.
    order : int
        Order of the derivatives that the formula shows.
    box : sequence of (float, float), or mapping of str to them
        Lowest and highest value of each input, in order or by name.
    digits : int or None
        Significant digits of the numbers, for order 0.
    tol : float or None
        Choose digits, and leave terms out, such that no error on the box exceeds this.

    Returns
    -------
    Simplification
        What was found.

    Raises
    ------
    NotCertifiedError
        When no formula is proven to be within the tolerance.
    """
    if tol is not None:
        _check(order, digits, tol)
    folded = Reduction(network, box_of(network, box))
    restriction = _restriction(folded)
    apart = Reduction(restriction.network, restriction.box, fold=False)
    found = folded if folded.count <= apart.count else apart
    if tol is not None:
        parts = shortest(found, float(tol))
    else:
        every = EVERY if order or digits is None else digits
        parts = live(found, [rounded(form, every) for form in found.parts])
    bound = None if order else _bound(found, parts, tol)
    return Simplification(emitted(found, parts), restriction, bound, _remark(found, parts))


def _check(order: int, digits: int | None, tol: float) -> None:
    if isinstance(tol, bool) or not isinstance(tol, numbers.Real) or not 0 < float(tol) < np.inf:
        raise InputError(f"tol={shown(repr(tol))} received; a positive number expected.")
    if digits is not None:
        raise InputError(f"tol={tol!r} and digits={digits} received; one of them expected: tol chooses the digits.")
    if order:
        raise UnsupportedError(
            f"tol={tol!r} with order {order} received: the bound is proven for values, not for derivatives.\n"
            "Use order 0, or digits= in place of tol=."
        )


def _bound(found: Reduction, parts: Sequence[Rounded], tol: float | None) -> float | None:
    try:
        bound = float(bounds(found, parts).max())
    except UnsupportedError:
        if tol is not None:
            raise
        return None
    return bound if np.isfinite(bound) else None


def _remark(found: Reduction, parts: Sequence[Rounded]) -> str:
    shown_numbers = [v for part in parts for v in part.numbers[part.numbers != 0].tolist()]
    most = max((_places(v) for v in shown_numbers), default=0)
    return (
        f"up to {most} digit{'s' * (most != 1)}, {found.count - len(shown_numbers)} of {found.count} numbers left out"
    )


def _places(number: float) -> int:
    """Return how many significant digits the shortest decimal of a double has."""
    return len(Decimal(repr(number)).normalize().as_tuple().digits)
