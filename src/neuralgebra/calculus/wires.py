"""Wires as a kind of number: what the rules of propagation and their adjoints ask of it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neuralgebra.arithmetic.exact import exact_product, exact_sum
from neuralgebra.calculus.jet import Jet
from neuralgebra.calculus.slopes import Blocks, Composition, constant, lowest
from neuralgebra.calculus.wire import Wire
from neuralgebra.calculus.wiring import Term, Wiring, exact_image, is_sum
from neuralgebra.functions.activation import Activation, activation
from neuralgebra.network.composed import Product, transpose
from neuralgebra.network.layers import Elementwise, Maximum, Softmax
from neuralgebra.network.linear import Dense, Diagonal, Linear
from neuralgebra.network.network import Network

__all__ = ["Wires"]

# So many numbers of a matrix are read off, to keep a product sparse.
_READ = 1 << 22


class Wires:
    """The kind of number of wires.

    Parameters
    ----------
    network : Network
        Its nodes stand at their own places; further ones are added.
    """

    floating = False
    in_loops = False
    huge = None

    def __init__(self, network: Network) -> None:
        self.wiring = Wiring(network)
        self.builder, self.dtype = self.wiring.builder, self.wiring.dtype
        self.blocks = Blocks(self.wiring, network)

    # Values -----------------------------------------------------------------------------------------------------

    def wire(self, place: int, shape: tuple[int, ...]) -> Wire:
        """Return all coordinates of a node in a shape."""
        return self._of(Term(1.0, place, np.arange(self.builder.sizes[place]).reshape(shape)))

    def _of(self, term: Term) -> Wire:
        return Wire(self, (term,), np.broadcast_to(0.0, term.entries.shape))

    def weight(self, array: np.ndarray) -> Wire:
        """Return constants."""
        return Wire(self, (), np.asarray(array, dtype=np.float64))

    def value(self, x: Any) -> Wire:
        """Return a wire, or a number or array as one."""
        return x if isinstance(x, Wire) else self.weight(x)

    def number(self, value: Any) -> Wire:
        """Return a number that is one of the dtype."""
        return self.weight(np.asarray(float(value)))

    def zeros(self, shape: tuple[int, ...]) -> Wire:
        """Return zeros."""
        return self.weight(np.broadcast_to(0.0, shape))

    def place(self, x: Wire) -> int:
        """Return the place of a node whose coordinates are the value, row-major."""
        if x.factors:
            return self.place(functools.reduce(self._scaled, x.factors, self._as_node(self.weight(x.shift))))
        return self.wiring.combined(sorted(x.terms, key=lambda t: t.place), x.shift)

    def single(self, x: Wire) -> Term:
        """Return the value as one term, written as a node where it is none."""
        if x.plain and x.terms:
            return x.terms[0]
        return Term(1.0, self.place(x), np.arange(x.shift.size).reshape(x.shape))

    # Structure --------------------------------------------------------------------------------------------------

    def moved(self, x: Wire, change: Callable[[np.ndarray], np.ndarray]) -> Wire:
        """Return the value with its coordinates somewhere else."""
        if x.constant:
            return Wire(self, (), change(x.shift), tuple(map(change, x.factors)))
        term = self.single(x)
        return self._of(self.wiring.resolved(term._replace(entries=change(term.entries))))

    def take(self, x: Wire, indices: np.ndarray, axis: int) -> Wire:
        """Return the entries of x at integer indices along one axis."""
        return self.moved(x, lambda a: np.take(a, indices, axis=axis))

    def broadcast(self, x: Wire, shape: tuple[int, ...]) -> Wire:
        """Return x repeated to a shape."""
        return x if x.shape == shape else self.moved(x, lambda a: np.broadcast_to(a, shape))

    def reshape(self, x: Wire, shape: tuple[int, ...]) -> Wire:
        """Return x in another shape, row-major."""
        return self.moved(x, lambda a: a.reshape(shape))

    def permute(self, x: Wire, axes: tuple[int, ...]) -> Wire:
        """Return x with its axes in another order."""
        return self.moved(x, lambda a: a.transpose(axes))

    def concat(self, parts: Sequence[Wire], axis: int) -> Wire:
        """Return the parts joined along one axis."""
        if all(p.numbers for p in parts):
            return self.weight(np.concatenate([p.shift for p in parts], axis))
        terms = [self._part(p) for p in parts]
        if len({(t.factor, t.place) for t in terms if (t.entries >= 0).any()}) > 1:
            terms = self._side_by_side(terms)
        known = next(t for t in terms if (t.entries >= 0).any())
        return self._of(known._replace(entries=np.concatenate([t.entries for t in terms], axis)))

    def _part(self, x: Wire) -> Term:
        return Term(1.0, 0, np.full(x.shape, -1)) if x.zero else self.single(x)

    def _side_by_side(self, terms: Sequence[Term]) -> list[Term]:
        """Return terms as coordinates of one node."""
        alive = [t.entries >= 0 for t in terms]
        filled = [self._of(t._replace(entries=t.entries[a])) for t, a in zip(terms, alive, strict=True)]
        place = self.wiring.joined([self.place(x) for x in filled if x.terms])
        numbers = np.cumsum(np.concatenate([a.ravel() for a in alive])) - 1
        cut = np.split(numbers, np.cumsum([a.size for a in alive])[:-1])
        return [Term(1.0, place, np.where(a, n.reshape(a.shape), -1)) for a, n in zip(alive, cut, strict=True)]

    def keep(self, x: Wire, label: str, keys: Sequence[tuple[int, ...]] = ((),)) -> Wire:
        """Return x."""
        del label, keys
        return x

    def at(self, place: int) -> None:
        """Do nothing."""

    # Arithmetic -------------------------------------------------------------------------------------------------

    def plus(self, x: Wire, y: Wire) -> Wire:
        """Return x + y, with broadcasting; nothing is written yet."""
        shape = np.broadcast_shapes(x.shape, y.shape)
        if x.zero or y.zero:
            return self.broadcast(y if x.zero else x, shape)
        x, y = (self._as_node(z) if z.factors else z for z in (x, y))
        shift = exact_sum(x.shift, y.shift, self.dtype)
        if shift is None:
            x, shift = self._as_node(x), y.shift
        whole = [*x.terms, *y.terms]
        terms: list[Term] = []
        for term in whole if len(whole) == 1 else [part for t in whole for part in self.wiring.parts(t)]:
            _add(terms, term._replace(entries=np.broadcast_to(term.entries, shape)), self.dtype)
        return Wire(self, tuple(terms), np.broadcast_to(shift, shape))

    def _as_node(self, x: Wire) -> Wire:
        return self.wire(self.place(x), x.shape)

    def total(self, x: Wire, axis: int) -> Wire:
        """Return the sum along one axis, which disappears."""
        if x.numbers:
            result = self.zeros(x[(slice(None),) * (axis % len(x.shape)) + (0,)].shape)
            for row in np.moveaxis(x.shift, axis, 0):
                result = result + self.weight(row)
            return result
        return self._of(self.wiring.summed(self.single(x), axis))

    def product(self, x: Wire, y: Wire) -> Wire:
        """Return x·y, with broadcasting."""
        if x.constant and y.constant:
            return self._constants(x, y)
        if x.constant or y.constant:
            x, y = (y, x) if x.constant else (x, y)
            return functools.reduce(self._scaled, (y.shift, *y.factors), x)
        u, v = (self.single(z) for z in (x, y))
        factor = _times(u.factor, v.factor, self.dtype)
        if factor is None:
            u, factor = self.single(self._as_node(x)), v.factor
        i, j = np.broadcast_arrays(u.entries, v.entries)
        if not ((i >= 0) & (j >= 0)).any():
            return self.zeros(i.shape)
        return self._of(self.wiring.multiplied(u._replace(entries=i), v._replace(entries=j), factor))

    def _constants(self, x: Wire, y: Wire) -> Wire:
        numbers, factors = exact_product(x.shift, y.shift, self.dtype), (*x.factors, *y.factors)
        if numbers is None:
            numbers, factors = x.shift, (*factors, y.shift)
        shape = np.broadcast_shapes(x.shape, y.shape)
        return Wire(self, (), np.broadcast_to(numbers, shape), tuple(np.broadcast_to(f, shape) for f in factors))

    def _scaled(self, x: Wire, factors: np.ndarray) -> Wire:
        """Return a value times constants: equal ones become a factor, and zeros are left out."""
        shape = np.broadcast_shapes(x.shape, factors.shape)
        if not factors.any():
            return self.zeros(shape)
        term, some = self.single(x), factors[factors != 0]
        factor = _times(term.factor, float(some[0]), self.dtype) if (some == some[0]).all() else None
        if factor is not None:
            return self._of(Term(factor, term.place, np.where(factors != 0, term.entries, -1)))
        return self._of(self.wiring.scaled(term, factors))

    def contraction(self, x: Wire, y: Wire) -> Wire:
        """Return the matrix products of the last two axes."""
        if x.constant or y.constant:
            return self.total(self.product(x[..., None], y[..., None, :, :]), -2)
        u, v = (self.single(z) for z in (x, y))
        factor = _times(u.factor, v.factor, self.dtype)
        if factor is None:
            u, factor = self.single(self._as_node(x)), v.factor
        return self._of(self.wiring.contracted(u, v, factor))

    # Maps -------------------------------------------------------------------------------------------------------

    def linear(self, weight: Linear, x: Wire) -> Wire:
        """Return the image of x under a structured matrix, (..., in) -> (..., out)."""
        if x.constant and isinstance(weight, Product):
            for factor in reversed(weight.factors):
                x = self.linear(factor, x)
            return x
        if x.constant and isinstance(weight, Diagonal):
            return self.product(x, self.weight(weight.entries))
        if x.numbers:
            images = exact_image(weight, x.shift.reshape(-1, weight.columns), self.dtype)
            if images is not None:
                return self.weight(images.reshape(*x.shape[:-1], weight.rows))
        if is_sum(weight) and not x.constant:
            return self._sum(weight, x)
        term = self.single(x)
        sparse = self._sparse(weight, term)
        return self._of(self.wiring.imaged(weight, term)) if sparse is None else sparse

    def _sum(self, weight: Any, x: Wire) -> Wire:
        n, factors = weight.after, weight.weight[0].astype(np.float64)
        terms: list[Wire] = [self._scaled(x[..., i * n : i * n + n], factors[i]) for i in range(len(factors))]
        return functools.reduce(self.plus, terms)

    def _sparse(self, weight: Linear, term: Term) -> Wire | None:
        """Return the images of rows of one coordinate each: columns of the matrix, times these."""
        rows = term.entries.reshape(-1, weight.columns)
        if weight.columns == 1 or ((rows >= 0).sum(1) > 1).any() or len(rows) * sum(weight.shape) > _READ:
            return None
        columns = exact_image(weight, (rows >= 0).astype(np.float64), self.dtype)
        if columns is None:
            return None
        alone = self._of(term._replace(entries=rows.max(1)))
        return self.reshape(self.permute(alone * columns.T, (1, 0)), (*term.entries.shape[:-1], weight.rows))

    def rlinear(self, weight: Linear, y: Wire) -> Wire:
        """Return the image of y under the transpose of a structured matrix, (..., out) -> (..., in)."""
        return self.linear(transpose(weight), y)

    def matvec(self, weight: np.ndarray, x: Wire) -> Wire:
        """Return ``x @ weight.T``: (out, in), (..., in) -> (..., out)."""
        return self.linear(Dense(weight), x)

    def rmatvec(self, weight: np.ndarray, y: Wire) -> Wire:
        """Return ``y @ weight``: (out, in), (..., out) -> (..., in)."""
        return self.rlinear(Dense(weight), y)

    # Functions --------------------------------------------------------------------------------------------------

    def apply(self, function: Activation, z: Wire) -> Wire:
        """Return σ∘z as one layer; a constant derivative stays a constant."""
        number = constant(function, self.dtype)
        if number is not None:
            return self.weight(np.broadcast_to(number, z.shape))
        block = self.blocks.get(function, self.single(z))
        layer, place, start = block or (Elementwise(lowest(function)), self.place(z), 0)
        index = start + np.arange(z.shift.size).reshape(z.shape)
        return self._of(Term(1.0, self.builder.add(layer, place), index))

    @staticmethod
    def composition(k: Wires, function: Activation, z: Jet) -> Composition:
        """Return the levels of functions with one chain along a jet."""
        del function
        return Composition(k, z)

    def softmaxes(self, z: Wire) -> tuple[Wire, Wire]:
        """Return the logarithm of softmax, and softmax, along the last axis."""
        place, group = self.place(z), None if z.shift.size == z.shape[-1] else z.shape[-1]
        log, plain = (self.builder.add(Softmax(group, log), place) for log in (True, False))
        return self.wire(log, z.shape), self.wire(plain, z.shape)

    def largest(self, a: Wire, b: Wire) -> Wire:
        """Return the larger of both, the first at a tie; a maximum on the same coordinates takes one more."""
        u, v = self.single(a), self.single(b)
        members = self._members(u, v)
        if members is None:
            both = self.concat([a[None, ...], b[None, ...]], 0)
            v = Term(1.0, self.place(both), np.arange(both.shift.size).reshape(both.shape))
            members, v = v.entries[0].reshape(-1, 1), v._replace(entries=v.entries[1])
        groups = np.concatenate([members, v.entries.reshape(-1, 1)], 1)
        return self.wire(self.builder.add(Maximum(groups), v.place), a.shape)

    def _members(self, u: Term, v: Term) -> np.ndarray | None:
        """Return the coordinates of a node that u is the maximum of, when v is of that node too, (..., members)."""
        if u.factor != 1 or v.factor != 1 or min(u.entries.min(), v.entries.min()) < 0:
            return None
        if u.place == v.place:
            return u.entries.reshape(-1, 1)
        node = self.builder.nodes[u.place - 1] if u.place else None
        if node is None or not isinstance(node.layer, Maximum) or node.inputs[0] != v.place:
            return None
        groups: np.ndarray = node.layer.groups[u.entries.ravel()]
        return groups

    def where_greater(self, a: Wire, b: Wire, yes: Wire, no: Wire) -> Wire:
        """Return `yes` where a > b, else `no`: no + H(a - b)·(yes - no), H(0) = 0."""
        change = yes - no
        return no if change.zero else no + self._above(a, b) * change

    def _above(self, a: Wire, b: Wire) -> Wire:
        """Return H(a - b), without what is known to be no larger: a member of a maximum."""
        u, v = self.single(a), self.single(b)
        members = self._members(v, u)
        step = self.apply(activation("step"), a - b)
        if members is None or not step.terms:
            return step
        known = (members == u.entries.reshape(-1, 1)).any(1).reshape(a.shape)
        return self.moved(step, lambda index: np.where(known, -1, index))


def _times(a: float, b: float, dtype: np.dtype) -> float | None:
    result = exact_product(np.asarray(a), np.asarray(b), dtype)
    return None if result is None else float(result)


def _add(terms: list[Term], new: Term, dtype: np.dtype) -> None:
    """Add a term to a list of them, to one of equal coordinates where that is exact."""
    for at, term in enumerate(terms):
        if term.place != new.place:
            continue
        factor = exact_sum(np.asarray(term.factor), np.asarray(new.factor), dtype)
        if factor is not None and np.array_equal(term.entries, new.entries):
            terms[at] = term._replace(factor=float(factor))
            if not factor:
                del terms[at]
            return
        if term.factor == new.factor and not ((term.entries >= 0) & (new.entries >= 0)).any():
            terms[at] = term._replace(entries=np.maximum(term.entries, new.entries))
            return
    terms.append(new)
