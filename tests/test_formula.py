"""Formulas are the network: what is printed is run and compared."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction

import flint
import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import neuralgebra as na
from neuralgebra.arithmetic.symbols import Symbols
from neuralgebra.errors import InputError, ResourceError, UnsupportedError
from strategies import after, networks, points

HOST = {
    name: getattr(np, name) for name in ("exp", "log", "tanh", "sin", "cos", "sqrt", "cosh", "sinh", "pi", "floor")
} | {
    "E": np.e,
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


def test_digits_of_the_value_are_those_of_the_weights():
    f = net(seed=4)
    to_three = np.vectorize(lambda v: float(f"{v:.3g}"))
    g = na.Network.from_layers([(to_three(a), to_three(b)) for a, b in f.layers_list()], "tanh")
    assert f.formula(digits=3).text() == g.formula().text()
    assert f.formula(digits=3).text() != f.formula().text()


@pytest.mark.parametrize("digits", [1, 3, 15])
def test_every_coefficient_of_a_derivative_is_rounded_once(digits):
    f = net(seed=4, sizes=(4, 6, 1))
    (first, _), (last, _) = f.layers_list()
    form = f.formula(1, digits=digits)
    lines = form.text().splitlines()[-4:]
    for column, line in enumerate(lines):
        exact = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(last[0], first[:, column], strict=True)]
        expected = {float(f"{abs(float(v)):.{digits}g}") for v in exact}
        right = line.split(" = ")[1]
        found = {float(number) for number in re.findall(r"(?<![\w.])\d[\d.]*(?:e[-+]?\d+)?", right)}
        assert found | {1.0} == expected | {1.0}


def test_rounded_expressions_are_short_in_sympy_too():
    f = na.Network.from_layers([([[1 / 3, 2 / 3]], [1 / 7]), ([[1 / 3]], None)], "tanh")
    assert str(f.formula(digits=3).sympy()[0][0][1]) == "0.333*x1 + 0.667*x2 + 0.143"
    assert str(f.formula(1, digits=3).sympy()[0][-1][1]) == "0.222*c1_1"
    assert str(f.formula(1, digits=3).sympy(inline=True)[0, 0]) == "0.111/cosh(0.333*x1 + 0.667*x2 + 0.143)**2"
    assert f.formula(1, digits=3).inlined().splitlines()[1].startswith("dy1_dx1 = 0.111/cosh(0.333*x1 + ")


@pytest.mark.parametrize("order", [0, 1, 2])
def test_predicted_size_is_the_true_size(order):
    form = net("tanh", sizes=(2, 2, 2, 1)).formula(order)
    lines, results = form.sympy()
    table = {}
    for symbol, expression in lines:
        table[symbol] = expression.xreplace(table)
    inlined = [e.xreplace(table) for result in results for e in np.array(result.tolist(), dtype=object).ravel()]
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
    assert r"\frac{\partial^{2} y_{1}}{\partial x_{1}^{2}} &=" in text
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
        code = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        assert set(re.findall(r"\\([A-Za-z]+)", code)) == {"begin", "end", "frac", "partial", "mathrm"}
    identifiers = {line.symbol.name for line in form.form.lines} | {s.name for s in form.form.inputs}
    assert len(identifiers) == len(form.form.lines) + 10
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in identifiers)
    comments = [line for line in form.text().splitlines() if line.startswith("#")]
    assert any("system" in line for line in comments)
    assert "# uber stands for the input 'über'" in comments


HOSTILE = "α\n\r\x1b\u2028\u202e\x85\ud800 $$\\input{x}$$ %"


def test_the_legend_shows_what_prints_and_escapes_what_does_not():
    f = na.Network.from_layers([(np.ones((1, 2)), None)], input_names=["α", HOSTILE])
    text, latex = f.formula().text(), f.formula().latex()
    assert "stands for the input 'α'" in text
    assert len(text.splitlines()) == 3
    assert all(character.isprintable() or character == "\n" for character in text)
    comments, code = latex.split("$$\\begin", 1)
    assert [line[:2] for line in comments.splitlines()] == ["% ", "% "]
    assert r"stands for the input '\u03b1'" in comments
    assert latex.isascii()
    assert "\\input" not in code
    assert f.formula()._repr_latex_() == "$$\\begin" + code
    assert f.formula().inlined("latex").startswith(comments)


def test_outputs_keep_their_names_and_generated_names_give_way():
    layers = [(np.ones((2, 2)), None), (np.ones((1, 2)), None)]
    f = na.Network.from_layers(layers, "tanh", output_names=["z1_1"])
    form = f.formula(1)
    assert form.form.safe == ()
    assert "z1_1 = a1_1 + a1_2" in form.text()
    assert np.isclose(run(form.text(), f.input_names, np.array([0.3, 0.4]))["z1_1"], f([0.3, 0.4])[0])
    both = na.Network.from_layers(layers, "tanh", input_names=["x1", "u"], output_names=["x1"]).formula(1)
    assert "# x1_2 stands for the output 'x1'" in both.text()
    assert "dx1_2_dx1 = " in both.text()
    odd = na.Network.from_layers(layers, "tanh", input_names=["dy_dv", "v"], output_names=["y"]).formula(1)
    assert "# dy_dv_ stands for the derivative of 'y by v'" in odd.text()
    left = [line.split(" = ")[0] for line in odd.text().splitlines() if not line.startswith("#")]
    assert len(left) == len(set(left))


@pytest.mark.parametrize("word", ["sign", "cosh", "erf", "asinh", "atan", "log1p", "floor", "tanh"])
def test_inputs_are_not_named_like_functions_of_the_text(word):
    f = na.Network.from_layers([([[1.5, -1]], [0.5])], output="sinh", input_names=[word, "b"])
    form = f.formula(1)
    assert form.form.inputs[0].name == word + "_"
    assert np.isclose(run(form.text(), (word + "_", "b"), np.array([0.5, 0.2]))["y1"], f([0.5, 0.2])[0])


def every_layer():
    f = na.Network.identity(3)
    weight = np.array([[0.5, -1, 0.25], [1, 2, 3]])
    layers = [na.Affine(weight, [1, 2]), na.PowerProduct(weight, [0.1, 0.2]), na.Mixing("exp", weight), na.Softmax()]
    layers += [na.Softmax(log=True), na.Maximum([[0, 1, 2], [2, 1, 0]]), na.Select([2, 0, 2])]
    layers += [na.Elementwise((("tanh", 1), ("sigmoid", 1), ("tanh", 1)))]
    for layer in layers:
        yield str(layer), after(f, layer)
        yield f"{layer} inside", after(after(f, layer), na.Affine(np.ones((2, after(f, layer).output_size))))
    yield "identity", f
    yield "product", f * after(f, na.Elementwise("tanh"))
    yield "stack", na.stack(f, after(f, na.Elementwise("exp")))
    yield (
        "clashes",
        na.Network.from_layers([(weight, None)], input_names=["x1", "x_1", "x1_"], output_names=["x1", "y"]),
    )
    yield (
        "digits",
        na.Network.from_layers([(weight, None)], input_names=["a1", "a_1", "a"], output_names=["a_", "a1_1"]),
    )


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize(("name", "f"), list(every_layer()), ids=lambda v: v if isinstance(v, str) else "")
def test_every_result_has_one_line_for_every_layer(name, f, order):
    check_lines(f, order)


@pytest.mark.parametrize("name", sorted(na.activations()))
def test_every_result_has_one_line_for_every_activation(name):
    for order in range(4):
        check_lines(na.Network.function(name, 2), order)
        check_lines(na.Network.from_layers([(np.eye(2), None)] * 2, name), order)


def check_lines(f, order):
    form = f.formula(order)
    outputs, inputs = form.form.lines, [s.name for s in form.form.inputs]
    expected = []
    values = [line.symbol.name for line in outputs if line.output is not None and not line.keys]
    for y, count in itertools.product(values, range(order + 1)):
        keys = itertools.combinations_with_replacement(inputs, count)
        start = f"d{count if count > 1 else ''}{y}_" if count else y
        expected += [start + "_".join(f"d{name}" for name in key) for key in keys]
    for text in (form.text(), form.inlined()):
        left = [line.split(" = ")[0] for line in text.splitlines() if not line.startswith("#")]
        assert len(left) == len(set(left))
        assert set(expected) <= set(left)
    for text in (form.latex(), form.inlined("latex")):
        code = [line for line in text.splitlines() if not line.startswith("%")]
        names = [line.split(" &= ")[0] for line in code if " &= " in line]
        symbols = names + [latex_names(form)[s] for s in form.form.inputs]
        assert len(symbols) == len(set(symbols))
        assert "\n".join(code).count("{") == "\n".join(code).count("}")
    assert len(names) == len(expected)


def latex_names(form):
    from neuralgebra.formula.printers import _latex_names

    return _latex_names(form.form)


def test_elements_of_one_value_per_coordinate():
    for name, parameter in (("celu", "alpha"), ("power", "p"), ("leaky_relu", "slope")):
        f = na.Network.function(na.activation(name, **{parameter: [0.5, 2.0]}), 2)
        values = run(f.formula(3).text(), f.input_names, np.array([0.7, 1.3]))
        assert np.isclose(values["d2y2_dx2_dx2"], f.hessian([0.7, 1.3])[1, 1, 1])


def test_inlined_prints_every_order():
    form = net(sizes=(2, 2, 1)).formula(2)
    left = [line.split(" = ")[0] for line in form.inlined().splitlines()]
    assert left == ["y1", "dy1_dx1", "dy1_dx2", "d2y1_dx1_dx1", "d2y1_dx1_dx2", "d2y1_dx2_dx2"]
    with pytest.raises(ResourceError, match="nodes"):
        form.inlined(limit=form.inlined_size() - 1)
    assert form.inlined(limit=form.inlined_size())


def test_factors_of_one_are_not_printed():
    f = na.Network.from_layers([([[2.0, -2.0]], None), ([[0.5]], None)], "tanh")
    assert f.formula(1).text().splitlines()[-2:] == ["dy1_dx1 = c1_1", "dy1_dx2 = -c1_1"]
    assert f.formula(1).latex().splitlines()[-2].endswith("&= - c^{(1)}_{1}")
    shrunk = na.Network.from_layers([([[0.9999, -0.9999]], [0.9999])])
    assert shrunk.formula(digits=2).text() == "y1 = x1 - x2 + 1"


def test_sums_are_those_of_sympy():
    names = np.array(sympy.symbols("x1 b a z10 z9 c"), dtype=object)
    rng = np.random.default_rng(0)
    k = Symbols()
    for repeated in (names, np.append(names[:4], names[:2])):
        weight, bias = rng.normal(size=(4, 6)), np.array([0.5, 0, 1, -2.5])
        weight[0, 1], weight[1, 2], weight[2] = 0, 1, 0
        found = k.matvec(weight, repeated) + k.weight(bias)
        for row, number, total in zip(k.weight(weight), k.weight(bias), found, strict=True):
            truth = sympy.Add(*[w * v for w, v in zip(row, repeated, strict=True)]) + number
            assert total == truth
            assert total.args == truth.args
            assert total.diff(names[0]) == truth.diff(names[0])


def test_sums_of_products_are_those_of_sympy():
    names = np.array(sympy.symbols("x1 b a z10 z9 c"), dtype=object)
    rng = np.random.default_rng(1)
    k = Symbols()
    products = np.array([a * b for a, b in zip(names, [*names[1:], names[0]], strict=True)], dtype=object)
    scaled = np.array([sympy.Float(v, 17) * p for v, p in zip(rng.normal(size=6), products, strict=True)], dtype=object)
    mixed = np.array([names[0], products[2], scaled[3], 2 * names[4], -products[0], scaled[1]], dtype=object)
    powers = np.array([names[0] ** 2, scaled[2], products[3], names[1], names[2] / 3, names[5]], dtype=object)
    for values in (products, scaled, mixed, powers, np.append(scaled[:3], scaled[:3])):
        weight = rng.normal(size=(5, 6))
        weight[0, 1], weight[1, 2], weight[2], weight[3, 0] = 0, 1, 0, -1
        found = k.matvec(weight, values)
        for row, total in zip(k.weight(weight), found, strict=True):
            truth = sympy.Add(*[w * v for w, v in zip(row, values, strict=True)])
            assert total == truth
            assert total.args == truth.args
            assert total.diff(names[0]) == truth.diff(names[0])


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


def test_a_network_of_thousands_of_parameters_prints():
    f = net("relu", sizes=(5, *[50] * 6, 5))
    form = f.formula()
    assert len(form.text().splitlines()) == 605
    assert len(form.latex().splitlines()) == 607


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


def test_explain_refuses_what_is_no_chain_and_names_the_obstacle():
    f = net()
    for network, obstacle in (
        (f * f, r"place \d+ takes two arguments"),
        (after(f, na.Softmax()), "place 4 is Softmax"),
        (na.Network.identity(2), "the network has no layers"),
        (na.Network.function("tanh", 2), "place 1 is tanh, before any affine layer"),
        (after(f, na.Elementwise((("tanh", 1), ("sin", 1)))), "place 4 is tanh ×1, sin ×1"),
        (na.stack(f, net("sin", seed=1)), "place 4 takes the inputs"),
    ):
        with pytest.raises(UnsupportedError, match=obstacle):
            network.explain()
    with pytest.raises(InputError, match='"jacobian" or "hessian" expected'):
        f.explain("gradient")


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
