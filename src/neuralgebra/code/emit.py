"""The program of a network in a language, as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neuralgebra.code.c import C
from neuralgebra.code.casadi import Casadi
from neuralgebra.code.excel import Excel
from neuralgebra.code.fortran import Fixed, Free
from neuralgebra.code.frames import Calculix, Uhyper, Umat
from neuralgebra.code.interface import Hosted
from neuralgebra.code.javascript import JavaScript
from neuralgebra.code.julia import Julia
from neuralgebra.code.language import Language
from neuralgebra.code.mathematica import Mathematica
from neuralgebra.code.matlab import Matlab
from neuralgebra.code.program import program
from neuralgebra.code.python import Python
from neuralgebra.code.rust import Rust
from neuralgebra.code.selftest import checked
from neuralgebra.errors import InputError, UnsupportedError, UsageError, shown
from neuralgebra.network import names as naming
from neuralgebra.network.network import Network

__all__ = ["INTERFACES", "LANGUAGES", "code", "hosted", "with_check", "written"]

_TABLES: tuple[type[Language], ...] = (C, Free, Fixed, Mathematica, Excel, Python, Julia, Matlab, JavaScript, Rust)
LANGUAGES = {language.key: language for language in _TABLES}
_HOSTS: tuple[type[Hosted], ...] = (Casadi, Uhyper, Umat, Calculix)
INTERFACES = {table.host: table for table in _HOSTS}
HIGHEST = 3
PRODUCTS = ("jvp", "vjp", "hvp")


def code(
    network: Network,
    language: str | None = None,
    order: int = 2,
    *,
    name: str = "f",
    dtype: str | None = None,
    packed: bool = False,
    products: Sequence[str] = (),
    unroll: bool = False,
    interface: str | None = None,
    check: bool = True,
    points: Any = None,
) -> str | bytes:
    """Return the network and its derivatives as a program in another language.

    One function for each order: ``f`` gives the values, ``f_jacobian`` also the first derivatives, ``f_hessian`` also
    the second, ``f_third`` also the third. Arrays are flat and row-major.

    Parameters
    ----------
    network : Network
        f.
    language : str, optional
        "c", "fortran", …; an unknown name lists them. C by default, or the language of the interface.
    order : int
        Highest order of derivatives, 0 to 3.
    name : str
        Name of the functions; it becomes a safe identifier.
    dtype : {"float64", "float32"}, optional
        Type of the numbers; by default that of the network.
    packed : bool
        Whether only the entries i ≤ j of the Hessians, and i ≤ j ≤ k of third derivatives, are given: of each output
        row by row, n(n+1)/2 numbers.
    products : sequence of {"jvp", "vjp", "hvp"}
        Products with vectors, as functions ``f_jvp(x, v)``, ``f_vjp(x, w)``, ``f_hvp(x, v, w)``.
    unroll : bool
        Whether loops are written out and weights are literals: faster for networks of a few units, refused for large
        ones.
    interface : {"casadi", "uhyper", "umat", "calculix"}, optional
        A host, for which the functions are added that it calls, in its own language and in double precision; order,
        packed and products are what it needs. CasADi (and acados) load values, Jacobian and Hessians; "uhyper" is an
        energy U(I1, I2) or U(I1, I2, J) for Abaqus; "umat" and "calculix" are stresses by strains, or an energy.
    check : bool
        Whether a self-test is written beside it: points, what is to come out, and a function that compares.
    points : array_like, shape (P, n), optional
        Points of the self-test.

    Returns
    -------
    str or bytes
        The text of one file; for "excel" the bytes of a workbook (.xlsx), in which every number is a cell, and which
        computes the highest order, and with it the lower ones.

    Raises
    ------
    MissingExtra
        For "excel" without XlsxWriter.
    ResourceError
        When a workbook or unrolled code would be too large.
    UnsupportedError
        For a language that there is not, or a layer that it cannot express.
    UsageError
        For an order or a product that there is not.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[1, 2], [3, 4]], [5, 6])])
    >>> print(f.code("c", order=0, name="line", check=False))  # doctest: +ELLIPSIS
    /* line: R^2 -> R^2, written by neuralgebra.
    ...
    void line(const double x[restrict 2], double y[restrict 2]) {
    ...
    """
    if interface is not None:
        made = hosted(network, interface, name, language=language, dtype=dtype, unroll=unroll)
    else:
        word = "c" if language is None else language
        made = written(network, word, order, name, dtype=dtype, packed=packed, products=products, unroll=unroll)
    return (with_check(made, points) if check else made).content()


def written(
    network: Network,
    language: str,
    order: int,
    name: str = "f",
    *,
    dtype: str | None = None,
    packed: bool = False,
    products: Sequence[str] = (),
    unroll: bool = False,
) -> Language:
    """Return the program of a network in a language, ready to be printed; the arguments are those of `code`."""
    if language not in LANGUAGES:
        raise UnsupportedError(f"language {shown(repr(language))} received; one of {', '.join(LANGUAGES)} expected.")
    table = LANGUAGES[language]
    made = program(
        network,
        _order(order),
        packed=bool(packed),
        products=_products(products),
        dtype=_dtype(network, dtype, table.types),
        apart=table.apart,
        unroll=unroll,
    )
    return table(made, _name(name))


def hosted(
    network: Network,
    interface: str,
    name: str = "f",
    *,
    language: str | None = None,
    dtype: str | None = None,
    unroll: bool = False,
) -> Language:
    """Return the program of a network with the functions that a host calls; the arguments are those of `code`."""
    if interface not in INTERFACES:
        raise UnsupportedError(f"interface {shown(repr(interface))} received; one of {', '.join(INTERFACES)} expected.")
    table = INTERFACES[interface]
    if language not in (None, table.key):
        raise UnsupportedError(f"language {shown(repr(language))} received; {interface} is in {table.key!r}.")
    if dtype is not None and _dtype(network, dtype) != "float64":
        raise InputError(f"dtype {shown(dtype)} received; {interface} computes in float64.")
    asked = table.asked(network)
    made = program(
        network,
        asked.order,
        packed=asked.packed,
        products=asked.products,
        dtype="float64",
        apart=table.apart,
        unroll=unroll,
    )
    kept = tuple(f for f in made.functions if f.suffix in asked.functions)
    return table(replace(made, functions=kept), _name(name))


def with_check(written: Language, points: Any = None) -> Language:
    """Return a program with its self-test, at given points or at some random ones."""
    return type(written)(checked(written.program, points), written.name)


def _order(order: Any) -> int:
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or not 0 <= order <= HIGHEST:
        raise UsageError(f"order {shown(repr(order))} received; 0 to {HIGHEST} expected.")
    return int(order)


def _products(products: Any) -> tuple[str, ...]:
    given = (products,) if isinstance(products, str) else tuple(products)
    unknown = [p for p in given if p not in PRODUCTS]
    if unknown:
        raise UsageError(f"product {shown(repr(unknown[0]))} received; some of {', '.join(PRODUCTS)} expected.")
    return tuple(dict.fromkeys(given))


def _dtype(network: Network, dtype: Any, known: Collection[str] = ("float64", "float32")) -> str:
    """Return the dtype of a program: the one asked for, or that of the network where the language has it."""
    if dtype is None:
        return network.dtype.name if network.dtype.name in known else "float64"
    name = str(np.dtype(dtype))
    if name not in known:
        raise InputError(f"dtype {shown(name)} received; {' or '.join(known)} expected.")
    return name


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise InputError(f"name {shown(repr(name))} received; a text expected.")
    return naming.safe([name])[0]
