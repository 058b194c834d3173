"""Functions one after another as words: log∘tanh∘exp is the word of log, tanh and exp, the outermost first."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence

from neuralgebra.errors import UnsupportedError
from neuralgebra.functions.activation import Activation, activation, compose
from neuralgebra.functions.conjugate_names import additive, multiplicative, scaled
from neuralgebra.network.layers import Elementwise
from neuralgebra.network.units import functions_of
from neuralgebra.rewrite.ranges import REAL, Range, after, defined_on, domain_of, is_identity_on

__all__ = ["Word", "cancelled", "inverse_pair", "known", "of_layer", "on_words", "one_to_one", "without_identity"]

Word = tuple[Activation, ...]
"""Functions, outermost first; none is a composition."""

Found = Word | str | None
"""What a word becomes; or why it does not; or nothing to say."""


def of_layer(layer: Elementwise, size: int) -> list[Word]:
    """Return the word of each unit; one for all where one function serves all."""
    if layer.only is not None:
        return [layer.only.letters]
    return [function.letters for function in functions_of(layer, size)]


def on_words(layers: Sequence[Elementwise], size: int, rule: Callable[[Word], Found]) -> Elementwise | str | None:
    """Return the layer that a rule makes of the words of layers, outermost first; or why it makes none.

    Units to which the rule does not apply stay as they are, if it applies to some.
    """
    single = all(layer.only is not None for layer in layers)
    parts = [of_layer(layer, size) if single else _each(layer, size) for layer in layers]
    words = [tuple(f for word in column for f in word) for column in zip(*parts, strict=True)]
    try:
        found = [rule(word) for word in words]
        if not any(isinstance(f, tuple) for f in found):
            return next((f for f in found if isinstance(f, str)), None)
        functions = [compose(f if isinstance(f, tuple) else w) for f, w in zip(found, words, strict=True)]
    except UnsupportedError as error:
        return str(error)
    return Elementwise(functions[0]) if single else Elementwise([(function, 1) for function in functions])


def _each(layer: Elementwise, size: int) -> list[Word]:
    return [function.letters for function in functions_of(layer, size)]


@functools.lru_cache(maxsize=4096)
def inverse_pair(outer: Activation, inner: Activation) -> bool:
    """Return whether outer∘inner is the identity on the values that inner takes, or outer is the inverse by its row."""
    return outer.inverse == inner or inner.inverse == outer


@functools.lru_cache(maxsize=4096)
def cancelled(word: Word, values: Range, wanted: Range = REAL) -> Found:
    """Return a word without the first pair of inverse functions that cancels; or why none does.

    Parameters
    ----------
    word : Word
        Functions, outermost first.
    values : Range
        Of the arguments.
    wanted : Range
        Where all that takes the word is defined.

    Returns
    -------
    Word, str or None
        The shorter word; why a pair does not cancel; None if there is no pair.
    """
    inward = word[::-1]
    ranges = after(values, inward)
    reason = None
    for i, (inner, outer) in enumerate(itertools.pairwise(inward)):
        if not inverse_pair(outer, inner):
            continue
        rest = inward[i + 2 :]
        known, needed = ranges[i], one_to_one(inner)
        if defined_on(inner).within(needed):  # where it has a value the pair gives its argument back
            known = known.meet(defined_on(rest[0]) if rest else wanted)
        if known.within(needed):
            return (*rest[::-1], *inward[:i][::-1])
        where = "the wire" if i == 0 else "its argument"
        reason = f"{outer}∘{inner} not cancelled: {where} is {known}, the rule needs {_condition(needed)}"
    return reason


def one_to_one(function: Activation) -> Range:
    """Return the numbers on which a function is defined and takes no value twice."""
    if function.name in ("square", "cosh"):
        return Range(0.0, domain_of(function).high, True)
    return domain_of(function)


def _condition(needed: Range) -> str:
    text = str(needed)
    return f"x {text[1]} 0" if text in ("R>0", "R≥0") else f"x in {text}"


@functools.lru_cache(maxsize=4096)
def without_identity(word: Word, values: Range) -> Found:
    """Return a word without a function that is the identity on what it is given; None if there is none."""
    inward = word[::-1]
    ranges = after(values, inward)
    for i, function in enumerate(inward):
        if function.name != "identity" and is_identity_on(function, ranges[i]):  # a unit that is a wire stays one
            return (*inward[i + 1 :][::-1], *inward[:i][::-1])
    return None


@functools.lru_cache(maxsize=4096)
def known(word: Word, values: Range) -> Found:
    """Return a word with a known function in place of several; None if there is none.

    The known function may be defined on more numbers than the functions it stands for, so that the first of these has
    to be defined on all that it is given. The table of names sees to the others.
    """
    inward = word[::-1]
    ranges = after(values, inward)
    reason = None
    for start in range(len(word) - 2):
        part = word[start : start + 3]
        function = name_of(part)
        if function is None:
            continue
        first = len(word) - start - 3
        if ranges[first].within(domain_of(part[-1])):
            return (*word[:start], *function.letters, *word[start + 3 :])
        reason = f"{compose(part)} is {function} where it is defined; its argument is {ranges[first]}"
    return reason


def name_of(word: Word) -> Activation | None:
    """Return the one known function that three functions are: log∘σ∘exp and exp∘σ∘log of the table of conjugates."""
    last, function, first = word
    table = {("log", "exp"): additive, ("exp", "log"): multiplicative}.get((last.name, first.name))
    found = _of_base(word) if table is None else table(function)
    name = compose(found) if found is not None and len(found) < 2 else None
    return None if name is None or name.letters == word else name


def _of_base(word: Word) -> Word | None:
    """Return log_β∘σ∘β^· and β^·∘σ∘log_β as known functions, where no parameter of them is rounded."""
    last, function, first = word
    if (last.name, first.name) not in (("log_base", "exp_base"), ("exp_base", "log_base")):
        return None
    base = dict(last.parameters)["base"]
    if isinstance(base, tuple) or base != dict(first.parameters)["base"]:
        return None
    power = math.log(base)
    inner = additive(function) if last.name == "log_base" else scaled((function,), power)
    if inner is None or len(inner) > 1:
        return None
    found = scaled(inner, 1 / power) if last.name == "log_base" else multiplicative(compose(inner))
    if found is None or not all(map(_exact, (*inner, *found))):
        return None
    return tuple(activation("relu") if f == activation("at_least", bound=0) else f for f in found)


def _exact(function: Activation) -> bool:
    """Return whether no parameter depends on the base: slopes and powers do not, nor bounds of 0 and 1."""
    given = dict(function.parameters)
    free = {"offset": (0,), "bound": (0, 1)}
    return all(name in ("slope", "p") or value in free.get(name, ()) for name, value in given.items())
