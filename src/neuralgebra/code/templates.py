"""Templates that several languages share."""

from __future__ import annotations

__all__ = ["ARC", "TERNARY", "applied"]

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
