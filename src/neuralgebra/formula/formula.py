"""The formula of a network, and of its derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy

from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.calculus.derivatives import jets
from neuralgebra.errors import InputError, ResourceError, shown
from neuralgebra.formula.letform import LetForm, let_form, tree_sizes
from neuralgebra.formula.mathml import mathml
from neuralgebra.formula.matrix import matrix_written
from neuralgebra.formula.printers import latex_legend, latex_lines, text_legend, text_lines
from neuralgebra.formula.simplify import Simplification, simplified
from neuralgebra.formula.terms import settled
from neuralgebra.formula.wolfram import comment, definition, wolfram_legend
from neuralgebra.network.names import safe
from neuralgebra.network.network import Network

__all__ = ["Formula", "formula"]

_LIMIT = 100_000
_HIGHEST, _ENTRIES = 8, 1500  # orders of derivatives, and how many entries of orders above 2


class Formula:
    """A rendering of a network and its derivatives up to an order.

    Parameters
    ----------
    network : Network
        The function.
    order : int
        Highest order of its derivatives.
    digits : int or None
        Significant digits that numbers are rounded to when they leave; None keeps all.
    simplification : Simplification, optional
        What was removed on a box, and how far the rounded numbers are from the network there.
    """

    def __init__(
        self, network: Network, order: int, digits: int | None, simplification: Simplification | None = None
    ) -> None:
        self.network, self.order, self.digits = network, order, digits
        self.simplification = simplification

    @cached_property
    def form(self) -> LetForm:
        """Lines and results of the let-form, made when first asked for: matrices do without it."""
        return let_form(self.network, self.order)

    def __len__(self) -> int:
        return len(self.form.lines)

    @property
    def bound(self) -> float | None:
        """What the error of an output does not exceed on the box, proven; None without a box or where none is known."""
        return self.simplification.bound if self.simplification else None

    def _notes(self, mark: str) -> list[str]:
        """Return what the formula says of itself, as comments."""
        remarks = [f"{mark} {remark}" for remark in self.network.memory.get("remarks", ())]
        if self.simplification is None:
            return remarks
        names = safe((*self.network.input_names, *self.network.output_names))[: self.network.input_size]
        return [f"{mark} {line}" for line in self.simplification.notes(names)]

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"<Formula of order {self.order}: {len(self)} lines; inlined {self.inlined_size():.3g} nodes>"

    def _repr_latex_(self) -> str:
        return _aligned(latex_lines(self.form, self.digits))

    def text(self) -> str:
        """Return the let-form as text, one "name = expression" a line.

        Numbers are the shortest decimals that read back to the same bits. Names that were replaced by safe
        identifiers are listed first.
        """
        return self._text(self.form)

    def latex(self) -> str:
        r"""Return the let-form as a LaTeX ``aligned`` environment between ``$$``.

        Names that were replaced by safe identifiers are listed first, as comments.
        """
        return self._latex(self.form)

    def _text(self, form: LetForm) -> str:
        return "\n".join([*self._notes("#"), *text_legend(form), *text_lines(form, self.digits)])

    def _latex(self, form: LetForm) -> str:
        return "\n".join([*self._notes("%"), *latex_legend(form), _aligned(latex_lines(form, self.digits))])

    def mathml(self) -> str:
        """Return the let-form as a MathML element: a table with a row for each line.

        It is valid XML. Names that were replaced by safe identifiers are listed in its first rows, escaped.
        """
        return self._mathml(self.form)

    def _mathml(self, form: LetForm) -> str:
        remarks = [*self._notes(""), *text_legend(form)]
        return mathml(form, self.digits, [remark.removeprefix("#").strip() for remark in remarks])

    def mathematica(self, name: str = "f") -> str:
        """Return the let-form as the definition of a function of a list in the Wolfram Language.

        f[{x1, x2}] gives {y1, …}; from order 1 on {value, Jacobian, …}, nested lists. The arguments may be numbers or
        symbols. Decimals are the shortest that read back to the same bits, with a backquote: machine numbers.

        Parameters
        ----------
        name : str
            Name of the function: letters and digits.
        """
        return self._mathematica(self.form, name)

    def _mathematica(self, form: LetForm, name: str = "f") -> str:
        notes = [comment(note.strip()) for note in self._notes("")]
        return "\n".join([*notes, *wolfram_legend(form), definition(form, self.digits, name)])

    def matrix(self, notation: str = "text") -> str:
        """Return value and derivatives in matrices, y = W₂ σ(W₁ x + b₁) + b₂, then every number of W and b.

        Parameters
        ----------
        notation : {"text", "latex", "mathml", "mathematica"}
            The notation.

        Returns
        -------
        str
            Equations layer by layer, the functions in them, and the numbers with their shapes.

        Raises
        ------
        UnsupportedError
            For an order above 2, and where a layer has no matrix form.
        """
        self._written(notation)
        return matrix_written(let_form(self.network, 0), self.order, self.digits, notation, self._notes(""))

    def inlined_size(self) -> int:
        """Return how many nodes the inlined expressions of all orders have together; nothing is built."""
        return sum(self._sizes())

    def _sizes(self) -> list[int]:
        """Return how many nodes the inlined expressions of each order have."""
        sizes = tree_sizes(self.form)
        return [sum(sizes[name] for name in result.flat) for result in self.form.results]

    def inlined(self, notation: str = "text", limit: int = _LIMIT) -> str:
        """Return value and derivatives up to the order as expressions in the inputs alone, one line for each entry.

        Parameters
        ----------
        notation : {"text", "latex", "mathml", "mathematica"}
            The notation.
        limit : int
            Refuse beyond this many nodes in all.

        Returns
        -------
        str
            Lines "name = expression", a LaTeX aligned environment, a MathML table or a function.

        Raises
        ------
        InputError
            For another notation.
        ResourceError
            When the expressions would exceed the limit.
        """
        written = self._written(notation)
        results = self._inlined(self.inlined_size(), limit)
        outputs = sorted((line for line in self.form.lines if line.output is not None), key=lambda a: len(a.keys))
        lines = [replace(a, expression=results[len(a.keys)][(a.output, *a.keys)]) for a in outputs]
        form = replace(self.form, lines=tuple(lines))
        return written(form)

    def _written(self, notation: str) -> Callable[[LetForm], str]:
        """Return what writes a let-form in a notation."""
        known: dict[str, Callable[[LetForm], str]] = {
            "text": self._text,
            "latex": self._latex,
            "mathml": self._mathml,
            "mathematica": self._mathematica,
        }
        if notation not in known:
            raise InputError(f"notation {shown(notation)!r} received; {', '.join(known)} expected.")
        return known[notation]

    def written(self, notation: str) -> str:
        """Return the let-form in a notation.

        Parameters
        ----------
        notation : {"text", "latex", "mathml", "mathematica"}
            The notation.
        """
        return self._written(notation)(self.form)

    def _inlined(self, size: int, limit: int) -> list[np.ndarray]:
        """Return value, Jacobian, … in the inputs alone, unless their size exceeds the limit."""
        if size > limit:
            raise ResourceError(
                f"the inlined formula would have {size:.3g} nodes; the limit is {limit:,}.\n"
                "Use the let-form, sympy() or text(), or raise the limit: sympy(inline=True, limit=…)."
            )
        return jets(Symbols(), self.form.network, np.array(self.form.inputs, dtype=object), self.order)

    def sympy(self, inline: bool = False, limit: int = _LIMIT) -> Any:
        """Return SymPy objects.

        Parameters
        ----------
        inline : bool
            False: the let-form. True: the derivative of the highest order as expressions in the inputs alone.
        limit : int
            Refuse to inline beyond this many nodes.

        Returns
        -------
        (lines, results) or sympy.ImmutableDenseNDimArray
            Let-form: a list of (Symbol, Expr), and the results of order 0, 1, … in those symbols.
            Inlined: an array of shape (m,), (m, n) or (m, n, n).

        Raises
        ------
        ResourceError
            When the inlined expressions would exceed the limit; the message carries their size.
        """
        if inline:
            return _array(self._inlined(self._sizes()[-1], limit)[-1], self.digits)
        lines = [(line.symbol, _numbers(line.expression, self.digits)) for line in self.form.lines]
        return lines, [_array(result, self.digits) for result in self.form.results]


def _array(entries: np.ndarray, digits: int | None) -> sympy.ImmutableDenseNDimArray:
    return sympy.ImmutableDenseNDimArray(np.frompyfunc(lambda e: _numbers(e, digits), 1, 1)(entries).tolist())


def _numbers(expression: sympy.Expr, digits: int | None) -> sympy.Expr:
    """Return an expression with rounded numbers, where asked."""
    return expression if digits is None else settled(expression, digits)


def _aligned(lines: list[str]) -> str:
    return "$$\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}$$"


def formula(
    network: Network, order: int = 0, *, digits: int | None = None, box: Any = None, tol: float | None = None
) -> Formula:
    """Return the formula of f and of its derivatives up to an order.

    Parameters
    ----------
    network : Network
        f.
    order : int
        0: value; 1: and Jacobian; 2: and Hessian; ….
    digits : int, optional
        Round every decimal that is printed, a weight or a product of weights, once to this many significant digits;
        all are kept by default. Integers and fractions stay.
    box : sequence of (float, float), or mapping of str to them, optional
        Lowest and highest value of each input, in order or by name. Units that do not bend there are removed, and
        affine layers multiplied out; ``.bound`` tells the proven error there, ``.simplification`` what was removed.
    tol : float, optional
        With a box, for order 0: the shortest formula found whose error is proven to be at most this for every output.
        Digits are those of the weights; parameters of activations keep theirs.

    Returns
    -------
    Formula
        With ``.text()``, ``.latex()``, ``.mathml()``, ``.mathematica()``, ``.sympy()``.

    Raises
    ------
    InputError
        For an order, a number of digits, a box or a tolerance that makes no sense.
    NotCertifiedError
        When no formula is proven to be within the tolerance.
    ResourceError
        For orders above 2 with more than 1,500 entries, and above 8.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[2.0]], [1.0]), ([[0.5]], None)], "tanh")
    >>> print(f.formula(1).text())
    z1_1 = 2.0*x1 + 1
    a1_1 = tanh(z1_1)
    c1_1 = cosh(z1_1)**(-2)
    y1 = 0.5*a1_1
    dy1_dx1 = c1_1
    >>> print(f.formula(box=[(0, 1)], tol=0.01).text())
    # on 0.0 <= x1 <= 1.0
    # units: 0 removed (none), 1 kept
    # exact there; up to 1 digit, 0 of 3 numbers left out
    z1_1 = 2.0*x1 + 1
    a1_1 = tanh(z1_1)
    y1 = 0.5*a1_1
    """
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise InputError(f"order {shown(order)} received; 0, 1, 2, … expected.")
    _refuse_long(network, order)
    if digits is not None and (not isinstance(digits, int) or not 1 <= digits <= 17):
        raise InputError(f"digits={shown(digits)} received; 1 to 17, or None for all, expected.")
    if box is None:
        if tol is not None:
            raise InputError(f"tol={shown(tol)} without a box received; box= expected, on which the error is bounded.")
        return Formula(network, order, digits)
    found = simplified(network, order, box, digits, tol)
    return Formula(found.network, order, digits if order else None, found)


def _refuse_long(network: Network, order: int) -> None:
    """Refuse derivatives of orders above 2 that would have too many entries, or terms, to be written in a minute."""
    entries = network.output_size * math.comb(network.input_size + min(order, _HIGHEST), min(order, _HIGHEST))
    if order > _HIGHEST or (order > 2 and entries > _ENTRIES):
        raise ResourceError(
            f"a formula of order {shown(order)} for {network.input_size} inputs received; at most order {_HIGHEST}, "
            f"and above 2 at most {_ENTRIES:,} entries, are covered.\n"
            "taylor(x, v, order) and derivative(x, α) give numbers of any order, f.diff() networks."
        )
