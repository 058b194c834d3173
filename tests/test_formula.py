"""Formulas are the network: what is printed is run and compared."""

from __future__ import annotations

import itertools
import re
import time

import flint
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.errors import InputError, ResourceError, UnsupportedError
from strategies import after, networks, points

HOST = {
    name: getattr(np, name) for name in ("exp", "log", "tanh", "sin", "cos", "sqrt", "cosh", "sinh", "pi", "floor")
} | {
    "atan": np.arctan,
    "asinh": np.arcsinh,
    "Abs": abs,
    "sign": np.sign,
    "Max": max,
    "Min": min,
    "erf": lambda v: float(sympy.erf(v)),
    "Piecewise": lambda *cases: next(value for value, condition in cases if condition),
}


def run(text: str, names: tuple[str, ...], x: np.ndarray) -> dict[str, float]:
    """Run the printed lines as Python: an oracle that knows nothing of the package."""
    scope = {**HOST, **dict(zip(names, map(np.float64, x), strict=True))}
    with np.errstate(all="ignore"):
        exec(text, scope)
    return scope


@settings(max_examples=30)
@given(st.data())
def test_the_printed_text_is_the_network_and_its_derivatives(data):
    f = data.draw(networks(inputs=2))
    x = data.draw(points(2, rows=1))[0]
    values = run(f.formula(2).text(), f.input_names, x)
    jacobian, hessian = f.jacobian(x), f.hessian(x)
    scale = max(1.0, np.abs(hessian).max(), np.abs(jacobian).max(), np.abs(f(x)).max())
    for i, y in enumerate(f.output_names):
        assert abs(values[y] - f(x)[i]) <= 1e-12 * scale
        for j, u in enumerate(f.input_names):
            assert abs(values[f"d{y}_d{u}"] - jacobian[i, j]) <= 1e-11 * scale
            for k in range(j, 2):
                assert abs(values[f"d2{y}_d{u}_d{f.input_names[k]}"] - hessian[i, j, k]) <= 1e-10 * scale


def net(activation="tanh", output="identity", seed=0, sizes=(2, 3, 2)):
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    return na.Network.from_layers([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairs], activation, output)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "softplus", "silu"])
def test_let_form_and_inlined_formula_are_one_function(activation):
    f = net(activation)
    x = [0.3, -0.7]
    for order, truth in enumerate((f(x), f.jacobian(x), f.hessian(x))):
        form = f.formula(order)
        lines, results = form.sympy()
        inline = form.sympy(inline=True)
        point = dict(zip(sympy.symbols("x1 x2"), x, strict=True))
        for symbol, expression in lines:
            point[symbol] = expression.subs(point).evalf()
        for at in np.ndindex(truth.shape):
            assert abs(float(results[order][at].subs(point)) - truth[at]) < 1e-12
            assert abs(float(inline[at].subs(point).evalf()) - truth[at]) < 1e-12


def test_numbers_read_back_to_the_same_bits():
    f = net(seed=3)
    printed = {float(number) for number in re.findall(r"\d[\d.]*(?:e[-+]?\d+)?", f.formula().text())}
    assert {abs(v) for a in f.arrays for v in a.ravel().tolist()} <= printed
    extremes = na.Network.from_layers([([[1e-300, -1e300]], [0.1 + 0.2])])
    assert extremes.formula().text() == "y1 = 1e-300*x1 - 1e+300*x2 + 0.30000000000000004"


def test_every_name_has_one_line_and_every_output_its_own():
    form = net("tanh", sizes=(3, 2, 2)).formula(2)
    names = [line.symbol.name for line in form.form.lines]
    assert len(names) == len(set(names)) == 3 * 2 + 2 + 2 * 3 + 2 * 6
    assert not any(name.endswith("_") for name in names)
    assert form.text().splitlines()[-1].startswith("d2y2_dx3_dx3 = ")


def test_digits_round_the_weights_and_nothing_else():
    f = net(seed=4)
    to_three = np.vectorize(lambda v: float(f"{v:.3g}"))
    g = na.Network.from_layers([(to_three(a), to_three(b)) for a, b in f.layers_list()], "tanh")
    assert f.formula(1, digits=3).sympy(inline=True) == g.formula(1).sympy(inline=True)
    assert f.formula(1, digits=3).text() != f.formula(1).text()


@pytest.mark.parametrize("order", [0, 1, 2])
def test_predicted_size_is_the_true_size(order):
    form = net("tanh", sizes=(2, 2, 2, 1)).formula(order)
    lines, results = form.sympy()
    table = {}
    for symbol, expression in lines:
        table[symbol] = expression.xreplace(table)
    inlined = [entry.xreplace(table) for entry in np.array(results[-1].tolist(), dtype=object).ravel()]
    truth = sum(1 for e in inlined for _ in sympy.preorder_traversal(e))
    assert 0.9 * truth <= form.inlined_size() <= 1.5 * truth


def test_inlining_a_deep_network_is_refused_with_the_number():
    form = net("relu", sizes=(5, 20, 20, 20, 20, 5)).formula()
    with pytest.raises(ResourceError, match=r"[\d.]+e\+\d+ nodes; the limit is 100,000"):
        form.sympy(inline=True)
    small = net(sizes=(2, 2, 1)).formula()
    with pytest.raises(ResourceError, match="the limit is 5"):
        small.sympy(inline=True, limit=5)
    assert small.sympy(inline=True, limit=small.inlined_size()) is not None


def test_latex_names_derivatives_and_reads_as_a_whole():
    text = net("sigmoid").formula(2).latex()
    assert text.startswith("$$\\begin{aligned}\n")
    assert text.endswith("\n\\end{aligned}$$")
    assert r"\frac{\partial^{2} y_{1}}{\partial x_{1} \partial x_{2}} &=" in text
    assert text.count("{") == text.count("}")
    assert "1.0e" not in text
    assert r"&= 1 \cdot 10^{-300} x_{1}" in na.Network.from_layers([([[1e-300]], None)]).formula().latex()


NASTY = ['a; system("id"); //', "</script>", r"x}\input{/etc/passwd}{", "*/", "über", "class", "x1", "X1", "", "lambda"]


def test_names_are_data():
    f = na.Network.from_layers([(np.ones((10, 10)), None)], input_names=NASTY, output_names=[n + "!" for n in NASTY])
    form = f.formula(1)
    for text in (form.text(), form.inlined()):
        code = [line for line in text.splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r"\w+ = [\w.*+ -]+", line, re.ASCII) for line in code)
    for text in (form.latex(), form.inlined("latex")):
        assert set(re.findall(r"\\([A-Za-z]+)", text)) == {"begin", "end", "frac", "partial", "mathrm"} - (
            set() if "mathrm" in text else {"mathrm"}
        )
    identifiers = {line.symbol.name for line in form.form.lines} | {s.name for s in form.form.inputs}
    assert len(identifiers) == len(form.form.lines) + 10
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in identifiers)
    comments = [line for line in form.text().splitlines() if line.startswith("#")]
    assert all(line.isascii() for line in comments)
    assert any("system" in line for line in comments)


def test_relu_is_piecewise_with_our_convention():
    f = na.Network.function("relu", 1)
    value, slope = f.formula(0).sympy(inline=True)[0], f.formula(1).sympy(inline=True)[0, 0]
    x = sympy.Symbol("x1")
    assert [value.subs(x, v) for v in (-1, 0, 2)] == [0, 0, 2]
    assert [float(slope.subs(x, v)) for v in (-1, 0, 2)] == [0, 0, 1.0]
    assert not slope.has(sympy.Heaviside)


def test_networks_without_layers_and_constants():
    f = na.Network.identity(2, ["u", "v"])
    assert f.formula(1).text().splitlines()[:2] == ["y1 = u", "y2 = v"]
    assert run(f.formula(2).text(), ("u", "v"), np.array([3.0, 4.0]))["dy1_du"] == 1
    constant = f[0] ** 0
    assert run(constant.formula(1).text(), ("u", "v"), np.array([3.0, 4.0]))["y1"] == 1


def test_bad_questions():
    f = net()
    for order in (-1, 1.5, True, "2"):
        with pytest.raises(InputError, match="order"):
            f.formula(order)
    with pytest.raises(InputError, match="digits"):
        f.formula(digits=0)


def test_a_network_of_thousands_of_parameters_prints_in_seconds():
    f = net("relu", sizes=(5, 50, 50, 50, 5))
    start = time.perf_counter()
    assert len(f.formula().text().splitlines()) == 305
    assert time.perf_counter() - start < 20


# The chain rule, written out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["identity", "sigmoid"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_both_forms_of_the_chain_rule_give_the_jacobian(output, outputs):
    f = net("tanh", output, sizes=(4, 3, 2, outputs))
    x = np.array([0.1, -0.2, 0.3, 0.4])
    scope = layers_by_hand(f, x)
    *_, matrix, _, _, _, index = ascii_digits(f.explain("jacobian").text()).splitlines()
    factors = [eval(factor, {"diag": np.diag, **scope}) for factor in matrix.split("=")[1].split(" · ")]
    np.testing.assert_allclose(np.linalg.multi_dot(factors), f.jacobian(x), rtol=1e-13)
    if outputs == 1:  # the index form drops the only row of the last matrix
        scope["W3"] = scope["W3"][0]
    for o, k in itertools.product(range(outputs), range(4)):
        found = nested_sum(index.split("] = ")[1].split(), scope, {"o": o, "k": k})
        np.testing.assert_allclose(found, f.jacobian(x)[o, k], rtol=1e-13)


def layers_by_hand(f, x):
    """W1, z1, W2, … of a tanh network and the derivatives of its functions, under the names of the printed text."""
    scope, value = {}, x
    pairs = f.layers_list()
    for number, (weight, bias) in enumerate(pairs, 1):
        z = weight @ value + bias
        value = np.tanh(z)
        scope |= {f"W{number}": weight, f"z{number}": z}
    slopes = {"Dtanh": lambda z: 1 - np.tanh(z) ** 2, "Dsigmoid": lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2}
    return scope | slopes


def ascii_digits(text):
    text = text.translate(str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789"))
    return re.sub(r"(tanh|sigmoid)'", r"D\1", text)


def nested_sum(tokens, scope, indices):
    """The index form by its definition: a sum reaches to the end of the line."""
    if not tokens:
        return 1.0
    head, *rest = tokens
    if match := re.fullmatch(r"Σ_\{(\w+)=1\.\.(\d+)\}", head):
        name, count = match[1], int(match[2])
        return sum(nested_sum(rest, scope, {**indices, name: i}) for i in range(count))
    return np.squeeze(eval(head, {**scope, **indices})) * nested_sum(rest, scope, indices)


def test_explain_shows_a_shape_under_every_factor():
    f = net("tanh", sizes=(52, 20, 10, 1))
    text = f.explain().text()
    assert "1×52    1×10        10×10        10×20        20×20        20×52" in text
    assert f.jacobian(np.zeros(52)).shape == (1, 52)
    latex = f.explain().latex()
    assert r"_{10\times20}" in latex
    assert latex.count("{") == latex.count("}")


def test_explain_refuses_what_is_no_chain():
    f = net()
    with pytest.raises(UnsupportedError, match="chain"):
        (f * f).explain()
    with pytest.raises(UnsupportedError, match="Softmax"):
        after(f, na.Softmax()).explain()
    with pytest.raises(InputError, match="hessian"):
        f.explain("hessian")


def test_balls_evaluate_the_formula_too():
    """The let-form on 128-bit balls overlaps the network on balls: printed numbers are exact."""
    f = net("tanh", seed=8)
    lines, results = f.formula().sympy()
    with flint.ctx.workprec(128):
        scope = {"x1": flint.arb(0.3), "x2": flint.arb(-0.7)}
        for symbol, expression in lines:
            scope[symbol.name] = _ball(expression, scope)
        from neuralgebra.arithmetic.balls import Balls
        from neuralgebra.calculus.derivatives import jets

        k = Balls(128)
        truth = jets(k, f, k.weight(np.array([0.3, -0.7])), 0)[0]
        for name, exact in zip(results[0], truth, strict=True):
            assert scope[str(name)].overlaps(exact)
            assert exact.rad() < 1e-30


def _ball(expression, scope):
    if expression.is_Symbol:
        return scope[expression.name]
    if expression.is_number:
        return flint.arb(float(expression))
    arguments = [_ball(a, scope) for a in expression.args]
    if expression.is_Add:
        return sum(arguments, flint.arb(0))
    if expression.is_Mul:
        return arguments[0] * arguments[1]
    assert expression.func == sympy.tanh
    return arguments[0].tanh()
