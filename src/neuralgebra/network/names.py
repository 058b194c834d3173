"""Names from outside are data; here they become safe, unique identifiers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from neuralgebra.errors import InputError, ShapeError, shown

__all__ = ["checked", "default", "derivative", "safe"]

# Words that some host reserves or predefines: safe names avoid them everywhere, so that a name is the same in all.
_RESERVED = frozenset(
    """
    and as assert async await auto break case catch char class const continue def default del do double elif else end
    enum eval exec export extern false final finally float fn for from function global goto if impl implicit import in
    inline int is lambda let long loop match mod mut namespace none nonlocal not null or pass pi private program public
    raise real register return self short signed sizeof static struct subroutine super switch this throw trait true try
    type typedef union unsigned use var void volatile where while with yield exp log sin cos tan tanh sqrt abs max min
    sign erf erfc cosh sinh atan asinh atanh acos acosh asin atan2 log1p expm1 floor ceil ceiling round pow mod
    e i j n oo nan inf s q o gamma beta zeta
    """.split()  # noqa: SIM905
)
_LIMIT = 30


def default(prefix: str, count: int) -> tuple[str, ...]:
    """Return prefix1, prefix2, …."""
    return tuple(f"{prefix}{i + 1}" for i in range(count))


def checked(names: Sequence[str] | None, prefix: str, count: int, what: str) -> tuple[str, ...]:
    """Return one distinct name for each coordinate, or the default names."""
    if names is None:
        return default(prefix, count)
    if isinstance(names, str):
        raise InputError(f"{what} names as one text received ({shown(names)!r}); a list of {count} texts expected.")
    result = tuple(str(name) for name in names)
    if len(result) != count:
        raise ShapeError(f"{len(result)} {what} names received; {count} expected.")
    doubles = [name for name, times in Counter(result).items() if times > 1]
    if doubles:
        raise InputError(f"{what} name {shown(min(doubles))!r} received more than once; distinct names expected.")
    return result


def derivative(base: str, inputs: Sequence[str]) -> str:
    """Return the name of a derivative, by the names of what it is differentiated by.

    Parameters
    ----------
    base : str
        Name of the function.
    inputs : sequence of str
        Names of the variables, one for each order.

    Returns
    -------
    str
        The name.

    Examples
    --------
    >>> derivative("y", ["x1"]), derivative("y", ["x1", "x2"])
    ('dy_dx1', 'd2y_dx1_dx2')
    """
    if not inputs:
        return base
    order = "" if len(inputs) == 1 else str(len(inputs))
    return f"d{order}{base}_" + "_".join(f"d{name}" for name in inputs)


def safe(names: Sequence[str]) -> tuple[str, ...]:
    """Return identifiers for arbitrary texts: lower-case ASCII letters, digits and _, unique, no reserved word.

    Parameters
    ----------
    names : sequence of str
        Texts; one that comes again gets an identifier of its own.

    Returns
    -------
    tuple of str
        Identifiers matching ``[a-z][a-z0-9_]{0,39}``; the first text that is such an identifier stays as it is.

    Examples
    --------
    >>> safe(["x1", "X1", "a; b", "class", "", "x1"])
    ('x1', 'x1_2', 'a_b', 'class_', 'v', 'x1_3')
    """
    taken = {name for name in names if _identifier(name) == name}
    free, result = set(taken), []
    for name in names:
        identifier = name if name in free else _unused(_identifier(name), taken)
        free.discard(name)
        taken.add(identifier)
        result.append(identifier)
    return tuple(result)


def _identifier(name: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "_", ascii_text).strip("_")[:_LIMIT].rstrip("_") or "v"
    word = word if word[0].isalpha() else f"v{word}"
    if re.fullmatch(r"[a-z][a-z0-9_]{0,29}", name) and name not in _RESERVED:
        return name
    return f"{word}_" if word in _RESERVED else word


def _unused(word: str, taken: set[str]) -> str:
    candidate, number = word, 1
    while candidate in taken:
        number += 1
        candidate = f"{word}_{number}"
    return candidate
