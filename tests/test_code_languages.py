"""Languages in their hosts: every function within its counted roundings of 200-bit balls, entry by entry."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy

import neuralgebra as na
from code_hosts import NONE, TESTED, computed, expect_host
from code_oracles import BITS, all_networks, exact, majorants, networks, packed, truth, units
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.code.bounds import roundings
from neuralgebra.code.emit import written
from neuralgebra.code.program import Function
from neuralgebra.errors import InputError

PRODUCTS = ("jvp", "vjp", "hvp")
LEVELS = ("y", "jac", "hess", "third")
OTHERS = [name for name in all_networks() if name not in networks()]
Found = dict[str, list[tuple[Function, list[np.ndarray]]]]


def arguments(name: str) -> dict[str, np.ndarray]:
    """Points of a network, directions and weights, in float32."""
    x, (m, n) = truth(name)[0], all_networks()[name].shape
    rng = np.random.default_rng(3)
    beside = {"v": rng.normal(size=(len(x), n)), "w": rng.normal(size=(len(x), m))}
    return {"x": x, **{key: a.astype(np.float32).astype(float) for key, a in beside.items()}}


@cache
def results(language: str, names: tuple[str, ...], order: int, dtype: str, pack: bool, products: bool = True) -> Found:
    """The results of all functions of some networks, from one run of a host."""
    jobs = []
    for i, name in enumerate(names):
        given = PRODUCTS if products else ()
        made = written(all_networks()[name], language, order, f"n{i}", packed=pack, dtype=dtype, products=given)
        calls = [(f, [arguments(name)[b.name] for b in f.inputs]) for f in made.program.functions]
        jobs.append((made, calls))
    found = computed(language, jobs)
    return {
        name: [(f, one) for (f, _), one in zip(calls, all_of_it, strict=True)]
        for name, (_, calls), all_of_it in zip(names, jobs, found, strict=True)
    }


@cache
def wanted(name: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each result is, as balls, and its majorant."""
    _, values, sizes = truth(name)
    found = {key: (a, np.broadcast_to(m, a.shape)) for key, a, m in zip(LEVELS, values, sizes, strict=True)}
    given = arguments(name)
    (jac, size), (hess, size2) = found["jac"], found["hess"]
    balls = Balls(BITS)
    with balls.precision():
        v, w = balls.weight(given["v"])[:, None, :], balls.weight(given["w"])[:, :, None]
        both = w[..., None] * v[:, None]
        exactly = (jac * v).sum(-1), (jac * w).sum(1), (hess * both).sum((1, 3))
    v, w = abs(given["v"])[:, None, :], abs(given["w"])[:, :, None]
    sizes_of = (size * v).sum(-1), (size * w).sum(1), (size2 * (w[..., None] * v[:, None])).sum((1, 3))
    found |= dict(zip(("jv", "jtw", "hv"), zip(exactly, sizes_of, strict=True), strict=True))
    return found


def expect_within(name: str, found: Found, dtype: str = "float64", pack: bool = False) -> None:
    for function, arrays in found[name]:
        for buffer, got, limit in zip(function.outputs, arrays, roundings(function), strict=True):
            value, size = wanted(name)[buffer.name]
            if pack:
                value, size = packed(value), packed(size)
            error = units(got, value, size, dtype)
            assert error <= max(1, limit), f"{function.suffix}: {buffer.name}: {error:.1f} u·M, {limit} counted"


@pytest.mark.parametrize("name", networks())
@pytest.mark.parametrize("language", TESTED)
def test_all_orders_and_products(language: str, name: str) -> None:
    expect_host(language)
    expect_within(name, results(language, tuple(networks()), 3, "float64", False))


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("language", TESTED)
def test_every_layer_and_every_activation(language: str, name: str) -> None:
    expect_host(language)
    expect_within(name, results(language, tuple(OTHERS), 2, "float64", False))


@pytest.mark.parametrize("name", ["tanh", "product", "relu", "maximum", "softmax output"])
@pytest.mark.parametrize("language", TESTED)
def test_packed(language: str, name: str) -> None:
    expect_host(language)
    names = ("tanh", "product", "relu", "maximum", "softmax output")
    expect_within(name, results(language, names, 3, "float64", True, False), pack=True)


@pytest.mark.parametrize("name", ["tanh", "gelu", "erf", "softmax output", "product"])
@pytest.mark.parametrize("language", ["rust", "julia"])
def test_float32(language: str, name: str) -> None:
    expect_host(language)
    names = ("tanh", "gelu", "erf", "softmax output", "product")
    found = results(language, names, 2, "float32", False)
    assert all(a.dtype == np.float32 for _, arrays in found[name] for a in arrays)
    expect_within(name, found, "float32")


WIDE = np.array(
    [s * m * 10.0**k for k in (-300, -150, -20, -8, -3, -1, 0, 1, 2) for m in (1.7, 3.1, 6.3) for s in (1, -1)]
)


@cache
def wide(name: str) -> tuple[na.Network, np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """An activation, numbers of all sizes at which it and its derivative are finite, what these are, and majorants."""
    f, x = na.Network.function(name), WIDE[:, None]
    with np.errstate(all="ignore"):
        x = x[np.isfinite(f(x)).ravel() & np.isfinite(f.jacobian(x)).ravel()]
        values, sizes = exact(f, x, 1), majorants(f, x, 1)
    return f, x, values, [np.maximum(np.broadcast_to(m, v.shape), 1e-307) for m, v in zip(sizes, values, strict=True)]


def sharp(ball: Any) -> bool:
    """Whether a ball is small enough to measure errors by."""
    return bool(ball.rad() < 1e-20 * max(abs(ball.mid()), 1e-290))


@pytest.mark.parametrize("language", TESTED)
def test_functions_of_hosts_are_accurate_over_the_whole_range(language: str) -> None:
    expect_host(language)
    names = [name for name, row in na.activations().items() if not row.fingerprint and name != "prelu"]
    jobs = []
    for i, name in enumerate(names):
        f, x, _, _ = wide(name)
        made = written(f, language, 1, f"n{i}")
        jobs.append((made, [(made.program.functions[1], [x])]))
    for name, (_, calls), found in zip(names, jobs, computed(language, jobs), strict=True):
        _, x, values, sizes = wide(name)
        for got, value, size, limit in zip(found[0], values, sizes, roundings(calls[0][0]), strict=True):
            known = [sharp(b) and np.isfinite(m) for b, m in zip(value.ravel(), size.ravel(), strict=True)]
            assert sum(known) > len(x) - 12
            error = units(got.ravel()[known], value.ravel()[known], size.ravel()[known])
            assert error <= max(1, limit), f"{name}: {error:.1f} u·M, {limit} counted"


@cache
def custom() -> dict[str, na.Network]:
    """Functions that users bring, with all that SymPy knows and the languages have or lack."""
    x = sympy.Symbol("x")
    inner = (sympy.asin, sympy.acos, sympy.atan, sympy.asinh, sympy.atanh, sympy.sinh, sympy.cosh, sympy.erfc)
    formulas = {f"hosted_{f.__name__}": f(x / 3) for f in inner}
    formulas |= {"hosted_acosh": sympy.acosh(x + 3), "hosted_power": (x + 2) ** sympy.Rational(3, 2)}
    for name, formula in formulas.items():
        na.register(name, formula, x)
    return {name: na.Network.function(name) for name in formulas}


@pytest.mark.parametrize("language", TESTED)
def test_functions_of_users(language: str) -> None:
    expect_host(language)
    x = np.array([[-0.9], [-1e-3], [0.3], [0.8]])
    made = {name: written(f, language, 2, name) for name, f in custom().items()}
    found = computed(language, [(m, [(m.program.functions[2], [x])]) for m in made.values()])
    for (name, f), one in zip(custom().items(), found, strict=True):
        limits = roundings(made[name].program.functions[2])
        for got, value, size, limit in zip(one[0], exact(f, x, 2), majorants(f, x, 2), limits, strict=True):
            error = units(got, value, np.broadcast_to(size, value.shape))
            assert error <= limit, f"{name}: {error:.1f} u·M, {limit} counted"


def ties() -> dict[str, tuple[na.Network, np.ndarray]]:
    """Networks of whole numbers at their kinks, where every step is exact."""
    x = np.array([[0, 0], [1, 1], [-1, 2], [2, -1], [3, 3], [6, 0]], dtype=float)
    inner = na.Network.from_layers([([[1, -1], [1, 0], [0, 1]], [0, 0, 0])])
    steps = {name: na.Network.function(name, 3) @ inner for name in ("relu", "relu6", "hardtanh", "abs", "leaky_relu")}
    return {
        **{k: (f, x) for k, f in steps.items()},
        "maximum": (na.Network.from_layer(na.Maximum([[0, 1, 2]]), 3) @ inner, x),
    }


@pytest.mark.parametrize("language", TESTED)
def test_kinks_have_the_values_of_the_network(language: str) -> None:
    expect_host(language)
    jobs = []
    for i, (f, x) in enumerate(ties().values()):
        made = written(f, language, 2, f"n{i}")
        jobs.append((made, [(made.program.functions[2], [x])]))
    for (name, (f, x)), found in zip(ties().items(), computed(language, jobs), strict=True):
        for got, value in zip(found[0], (f(x), f.jacobian(x), f.hessian(x)), strict=True):
            assert got.tolist() == value.reshape(len(x), -1).tolist(), name


@pytest.mark.parametrize("language", ["c", *TESTED])
def test_what_is_no_number_stays_none(language: str) -> None:
    expect_host(language)
    names, jobs = ("relu", "relu6", "hardtanh", "elu", "leaky_relu", "softplus", "gelu", "tanh", "abs"), []
    for i, name in enumerate(names):
        made = written(na.Network.function(name), language, 1, f"n{i}")
        plain = made.number
        made.number = lambda v, usual=plain: NONE[language] if v != v else usual(v)  # type: ignore[method-assign]
        jobs.append((made, [(made.program.functions[1], [np.array([[np.nan]])])]))
    for name, found in zip(names, computed(language, jobs), strict=True):
        assert np.isnan(found[0][0]).all(), name


EXTREMES = {
    "float64": [
        5e-324,
        -5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        0.1,
        1 / 3,
        -1e22,
        1e23,
        2.0**-1074,
        9.0,
    ],
    "float32": [1e-45, -1e-45, 1.1754944e-38, 3.4028235e38, 0.1, 1 / 3, -1e10, 16777217.0, 8.0],
}


@pytest.mark.parametrize(
    ("language", "dtype"), [*((k, "float64") for k in TESTED), ("rust", "float32"), ("julia", "float32")]
)
def test_constants_read_back_to_the_same_bits(language: str, dtype: str) -> None:
    expect_host(language)
    weights = np.array(EXTREMES[dtype]).astype(dtype)
    f = na.Network.from_layers([(weights[:, None].astype(float), None)])
    made = written(f, language, 1, dtype=dtype)
    call = (made.program.functions[1], [np.ones((1, 1))])
    y, jac = computed(language, [(made, [call])])[0][0]
    assert y.tobytes() == jac.tobytes() == weights.tobytes()


@pytest.mark.parametrize("language", TESTED)
@pytest.mark.parametrize("size", [2, 4])
def test_arguments_of_another_size_are_refused(language: str, size: int) -> None:
    expect_host(language)
    made = written(networks()["tanh"], language, 1, products=["jvp"])
    for function, given in ((0, [size]), (1, [size]), (2, [3, size])):
        call = (made.program.functions[function], [np.ones((1, n)) for n in given])
        with pytest.raises((InputError, ValueError), match=r"3 numbers expected|left == right|not run"):
            computed(language, [(made, [call])])
