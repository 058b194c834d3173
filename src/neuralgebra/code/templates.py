"""Templates that several languages share."""

from __future__ import annotations

__all__ = ["ARC", "KEYWORDS", "TERNARY", "applied", "words"]

ARC = {f"arc{name}": f"a{name}" for name in ("tan", "sin", "cos", "sinh", "cosh", "tanh")}
"""Inverse functions, by what most languages call them."""

# What is no number stays no number: a comparison with it is false.
TERNARY = {
    "maximum": "({0} < {1} ? {1} : {0})",
    "minimum": "({0} > {1} ? {1} : {0})",
    "select": "({0} ? {1} : {2})",
    "bitwise_or": "({0} || {1})",
    "bitwise_and": "({0} && {1})",
    "logical_not": "(!({0}))",
}
"""Decisions as C writes them."""


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


KEYWORDS = words(
    """
    abstract arguments async await baremodule become begin box break case catch class classdef const continue crate
    debugger default delete do dyn elif else elseif end end_try_catch end_unwind_protect endfor endfunction endif
    endswitch endwhile enum eval except export extends extern false final finally fn for function gen global if impl
    implements import in instanceof interface isa let local loop macro match mod module move mut mutable native new null
    of otherwise outer override package parfor persistent primitive priv private protected pub public quote raise raw
    ref return self spmd static struct super switch this throw trait true try type typeof union unless unsafe unsized
    until unwind_protect unwind_protect_cleanup use using var virtual void where while with yield
    """
)
"""Words that one language or another keeps for itself: a function has the same name in all, and it is none of them."""


def applied(form: str, names: str) -> dict[str, str]:
    """Return templates of functions of one number.

    Parameters
    ----------
    form : str
        How a language calls a function; {name} stands for what it is called there.
    names : str
        Names of functions, with spaces between them.

    Returns
    -------
    dict of str to str
        A template for each.

    Examples
    --------
    >>> applied("math.{name}({{0}})", "exp arctan")
    {'exp': 'math.exp({0})', 'arctan': 'math.atan({0})'}
    """
    return {name: form.format(name=ARC.get(name, name)) for name in names.split()}
