"""CasADi loads what is generated: values and derivatives are those of the network, and of CasADi's own expressions.

``pytest -s -k worst tests/test_code_casadi.py`` prints the largest errors of each order.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from code_oracles import BITS, NAMES, counted, networks, truth, units
from neuralgebra.arithmetic.balls import Balls
from neuralgebra.code.bounds import roundings
from neuralgebra.code.program import Function, program

casadi = pytest.importorskip("casadi", reason="CasADi is not installed")
COMPILER = next((c for c in ("gcc", "clang", "cc") if shutil.which(c)), "")
pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler is installed")

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SANITIZED = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
SOME = ("tanh", "gelu", "softplus", "product", "residual", "maximum", "softmax output", "relu", "one unit", "linear")


def external(folder: Path, f: na.Network, name: str = "f", **options: Any) -> Any:
    """A network as a function of CasADi; nothing may be differentiated by differences."""
    (folder / f"{name}.c").write_text(f.code(interface="casadi", name=name, **options))
    command = [COMPILER, *STRICT, "-O2", "-shared", "-fPIC", f"{name}.c", "-o", f"{name}.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    return casadi.external(name, str(folder / f"{name}.so"), {"enable_fd": False})


def dense(matrix: Any) -> np.ndarray:
    return np.array(casadi.DM(matrix).full())


def results(function: Any, x: np.ndarray) -> list[np.ndarray]:
    """Values, Jacobian and Hessians by what CasADi calls."""
    first = function.jacobian()
    second = first.jacobian()
    m, n = function.size1_out(0), function.size1_in(0)
    whole = dense(second(x, 0, 0)[0])  # ∂ of the Jacobian, its entries column by column
    hessian = whole.reshape(n, m, n).transpose(1, 0, 2)
    return [dense(function(x))[:, 0], dense(first(x, 0)), hessian]


@pytest.mark.parametrize("name", SOME)
def test_derivatives_are_within_their_roundings(tmp_path: Path, name: str) -> None:
    function = external(tmp_path, networks()[name])
    worst_errors(function, name)


def worst_errors(function: Any, name: str) -> list[float]:
    x, wanted, sizes = truth(name)
    worst = [0.0] * 3
    for row in range(len(x)):
        for level, got in enumerate(results(function, x[row])):
            size = sizes[level][min(row, len(sizes[level]) - 1)]
            assert got.shape == wanted[level][row].shape
            worst[level] = max(worst[level], units(got, wanted[level][row], size))
            assert worst[level] <= max(4, counted(name, 3)[NAMES[level]])
    return worst


@pytest.mark.parametrize("name", SOME)
def test_the_jacobian_of_the_gradient_is_within_its_roundings(tmp_path: Path, name: str) -> None:
    f = networks()[name]
    x, wanted, sizes = truth(name)
    w = np.random.default_rng(8).normal(size=f.output_size)
    gradient = external(tmp_path, f).reverse(1)
    found = [dense(a) for a in (gradient(x[0], 0, w), *gradient.jacobian()(x[0], 0, w, 0))]
    with Balls(BITS).precision():
        weights = Balls(BITS).weight(w)
        exact = [sum(a * b for a, b in zip(level[0], weights, strict=True)) for level in wanted[1:3]]
    size = [np.tensordot(np.abs(w), np.broadcast_to(a, (len(x), *a.shape[1:]))[0], 1) for a in sizes[1:3]]
    limits = {b.name: c for g in curved(f) for b, c in zip(g.outputs, roundings(g), strict=True)}
    assert units(found[0][:, 0], exact[0], size[0]) <= max(4, limits["jtw"])
    assert units(found[1], exact[1], size[1]) <= max(4, limits["wh"])
    assert not found[2].any()
    assert units(found[3].T, wanted[1][0], sizes[1][0]) <= max(4, counted(name, 3)["jac"])


def curved(f: na.Network) -> tuple[Function, ...]:
    return program(f, 0, products=("vjp", "curvature"), apart=True).functions


def test_worst_errors(tmp_path: Path) -> None:
    table = {n: worst_errors(external(tmp_path, networks()[n], f"n{i}"), n) for i, n in enumerate(SOME[:4])}
    for level, quantity in enumerate(NAMES[:3]):
        name = max(table, key=lambda n: table[n][level])
        limit = counted(name, 3)[quantity]
        print(f"casadi, order {level}: {table[name][level]:.2f} u·M ({name}; {limit} counted)")


def test_names_and_shapes_are_those_that_casadi_expects(tmp_path: Path) -> None:
    function, x = external(tmp_path, networks()["tanh"]), casadi.SX.sym("x", 3)
    own = casadi.Function("f", [x], [expression(networks()["tanh"], x)], ["x"], ["y"])
    pairs = [(function, own)]
    for ask in (lambda f: f.jacobian(), lambda f: f.reverse(1), lambda f: f.reverse(1).jacobian()):
        pairs.append((ask(function), ask(own)))
    pairs.append((function.jacobian().jacobian(), own.jacobian().jacobian()))
    for ours, theirs in pairs:
        assert ours.name() == theirs.name()
        assert (ours.name_in(), ours.name_out()) == (theirs.name_in(), theirs.name_out())
        assert [ours.size_in(i) for i in range(ours.n_in())] == [theirs.size_in(i) for i in range(theirs.n_in())]
        assert [ours.size_out(i) for i in range(ours.n_out())] == [theirs.size_out(i) for i in range(theirs.n_out())]
        assert ours.is_a("External")
        for i in range(ours.n_out()):  # what is empty here is empty there
            assert ours.nnz_out(i) or not theirs.nnz_out(i)


def expression(f: na.Network, x: Any) -> Any:
    """A chain of tanh layers as an expression of CasADi."""
    layers = f.layers_list()
    for weight, bias in layers[:-1]:
        x = casadi.tanh(weight @ x + bias)
    weight, bias = layers[-1]
    return casadi.DM(weight) @ x + bias


def problem(function: Any) -> tuple[Any, Any, Any]:
    """An objective that is curved, and constraints that are."""
    x = casadi.MX.sym("x", 3)
    y = function(x)
    objective = casadi.sumsqr(x - 0.3) + casadi.exp(y[0]) * y[1] + casadi.sumsqr(function(x**2))
    return x, objective, casadi.vertcat(y[0] * x[1], casadi.dot(y, y))


def functions(f: na.Network, folder: Path) -> tuple[Any, Any]:
    x = casadi.SX.sym("x", 3)
    return external(folder, f), casadi.Function("g", [x], [expression(f, x)])


def test_the_hessian_of_a_lagrangian_is_that_of_casadi(tmp_path: Path) -> None:
    found = []
    for function in functions(networks()["tanh"], tmp_path):
        x, objective, constraints = problem(function)
        multipliers = casadi.MX.sym("l", 2)
        lagrangian = objective + casadi.dot(multipliers, constraints)
        hessian, gradient = casadi.hessian(lagrangian, x)
        jacobian = casadi.jacobian(constraints, x)
        whole = casadi.Function("all", [x, multipliers], [lagrangian, gradient, hessian, jacobian])
        found.append([dense(a) for a in whole([0.3, -0.7, 1.1], [0.7, -1.3])])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def test_a_program_is_solved_in_the_same_steps(tmp_path: Path) -> None:
    solved = []
    for function in functions(networks()["tanh"], tmp_path):
        x, objective, constraints = problem(function)
        options = {"ipopt.print_level": 0, "print_time": False, "ipopt.sb": "yes"}
        solver = casadi.nlpsol("s", "ipopt", {"x": x, "f": objective, "g": constraints}, options)
        result = solver(x0=[0.3, -0.2, 0.5], lbg=[-0.5, 0.1], ubg=[0.5, 4.0])
        assert solver.stats()["success"]
        solved.append((dense(result["x"]), solver.stats()["iter_count"]))
    np.testing.assert_allclose(solved[0][0], solved[1][0], rtol=1e-9)
    assert solved[0][1] == solved[1][1]


def test_arguments_that_are_not_given_are_zero_and_results_may_be_left_out(tmp_path: Path) -> None:
    f = networks()["tanh"]
    external(tmp_path, f)
    library = ctypes.CDLL(str(tmp_path / "f.so"))
    pointers = ctypes.c_void_p * 4
    for name, size in (("f", 2), ("jac_f", 6), ("adj1_f", 3), ("jac_adj1_f", 9), ("jac_jac_f", 18)):
        got = np.full(size, np.nan)
        nothing = pointers(None, None, None, None)
        assert library[name](nothing, nothing, None, None, 0) == 0
        assert library[name](nothing, pointers(got.ctypes.data, None, None, None), None, None, 0) == 0
        assert np.isfinite(got).all()
        assert got.any() == (name not in ("adj1_f", "jac_adj1_f"))
    value = np.empty(2)
    library.f(pointers(None, None, None, None), pointers(value.ctypes.data, None, None, None), None, None, 0)
    np.testing.assert_allclose(value, f(np.zeros(3)), rtol=1e-14)


@pytest.mark.parametrize("name", ["product", "one unit"])
def test_the_self_test_is_clean_under_sanitizers(tmp_path: Path, name: str) -> None:
    text = networks()[name].code(interface="casadi", name="net")
    (tmp_path / "net.c").write_text(text)
    command = [COMPILER, *STRICT, *SANITIZED, "-DNEURALGEBRA_MAIN", "net.c", "-o", "net", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "net"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "net: 0 of the results are wrong\n", "")


def test_networks_of_float32_are_widened(tmp_path: Path) -> None:
    f = na.Network.from_layers([(np.float32([[0.1, 0.2]]), np.float32([0.3])), (np.float32([[2.0]]), None)], "tanh")
    function = external(tmp_path, f)
    x = np.array([0.5, -1.5])
    np.testing.assert_allclose(dense(function(x))[:, 0], f(x, dtype="float64"), rtol=1e-14)
