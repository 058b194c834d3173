"""MathML and Wolfram Language are the network: what is printed is read by independent readers and compared."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import warnings

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import TransformedTargetRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import formula_oracles as oracles
import neuralgebra as na
from neuralgebra.cli import run
from neuralgebra.errors import InputError, UnsupportedError
from neuralgebra.formula.wolfram import WolframWriter, wolfram_number
from strategies import after, networks, points

MATHICS = os.environ.get("NEURALGEBRA_MATHICS") or shutil.which("mathics")


def net(activation="tanh", output="identity", seed=0, sizes=(2, 3, 2)):
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    return na.Network.from_layers([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairs], activation, output)


def derivatives(f, x):
    return [f(x), f.jacobian(x), f.hessian(x)]


def values_of(text, f, x):
    """Value, Jacobian and Hessian by their rows of a MathML table."""
    inputs = {f"msub(x,{i + 1})": v for i, v in enumerate(x)} if f.input_names[0] == "x1" else {}
    scope = oracles.mathml(text, inputs)
    m, n = f.shape
    ys, xs = [f"msub(y,{i + 1})" for i in range(m)], [f"msub(x,{i + 1})" for i in range(n)]
    hessian = np.empty((m, n, n))
    for o, (j, k) in itertools.product(range(m), itertools.combinations_with_replacement(range(n), 2)):
        by = f"∂,msup({xs[j]},2)" if j == k else f"∂,{xs[j]},∂,{xs[k]}"
        hessian[o, j, k] = hessian[o, k, j] = scope[f"mfrac(mrow(msup(∂,2),{ys[o]}),mrow({by}))"]
    jacobian = [[scope[f"mfrac(mrow(∂,{y}),mrow(∂,{u}))"] for u in xs] for y in ys]
    return [np.array([scope[y] for y in ys]), np.array(jacobian), hessian]


def check(found, wanted):
    scale = max(1.0, *(np.abs(w).max() for w in wanted))
    for a, b in zip(found, wanted, strict=True):
        assert np.shape(a) == b.shape
        assert np.abs(np.asarray(a) - b).max() <= 1e-10 * scale


@settings(max_examples=25)
@given(st.data())
def test_both_notations_are_the_network_and_its_derivatives(data):
    f = data.draw(networks(inputs=2))
    x = data.draw(points(2, rows=1))[0]
    form, wanted = f.formula(2), derivatives(f, x)
    check(oracles.wolfram_lists(form.mathematica(), x), wanted)
    check(values_of(form.mathml(), f, x), wanted)


SMOOTH_AT = {"atanh": 0.3, "logit": 0.3}


@pytest.mark.parametrize("name", sorted(na.activations()))
def test_every_activation_in_every_notation(name):
    x = np.array([SMOOTH_AT.get(name, 1.3), 0.4])
    for f in (na.Network.function(name, 2), na.Network.from_layers([(np.diag([0.5, -2.0]), [0, 1])] * 2, name)):
        with np.errstate(all="ignore"):
            wanted = derivatives(f, x)
        if all(np.isfinite(w).all() for w in wanted):
            check(oracles.wolfram_lists(f.formula(2).mathematica(), x), wanted)
            check(values_of(f.formula(2).mathml(), f, x), wanted)
            inline = f.formula(2).inlined("mathematica")
            check(oracles.wolfram_lists(inline, x), wanted)
            check(values_of(f.formula(2).inlined("mathml"), f, x), wanted)


@pytest.mark.parametrize("point", [(-1.0, 0.0), (0.0, 0.0), (6.0, -3.0), (3.0, 1.0)])
@pytest.mark.parametrize("name", ["relu", "relu6", "hardswish", "hardsigmoid", "leaky_relu", "abs", "elu"])
def test_kinks_have_our_convention(name, point):
    f, x = na.Network.function(name, 2), np.array(point)
    form = f.formula(2)
    check(oracles.wolfram_lists(form.mathematica(), x), derivatives(f, x))
    check(values_of(form.mathml(), f, x), derivatives(f, x))
    for text in (form.text(), form.latex(), form.mathml(), form.mathematica(), form.inlined("mathematica")):
        assert "eaviside" not in text
        assert r"\theta" not in text


@pytest.mark.parametrize("layer", [na.Maximum([[0, 1, 2], [2, 1, 0]]), na.Softmax(), na.Softmax(log=True)], ids=str)
def test_maxima_and_softmax(layer):
    f = after(net(sizes=(2, 3)), layer)
    x = np.array([0.3, -0.4])
    check(oracles.wolfram_lists(f.formula(2).mathematica(), x), derivatives(f, x))
    check(values_of(f.formula(2).mathml(), f, x), derivatives(f, x))


def test_numbers_read_back_to_the_same_bits():
    f = net(seed=3, sizes=(3, 4, 2))
    extremes = na.Network.from_layers([([[1.2345678901234567e-5, -1e300, 5e-324]], [0.1 + 0.2])])
    for g in (f, extremes):
        weights = {abs(v) for a in g.arrays for v in a.ravel().tolist()}
        assert weights <= set(oracles.mathml_numbers(g.formula().mathml()))
        literals = re.findall(r"(?<![A-Za-z\d])\d[\d.]*`(?:\*\^-?\d+)?", g.formula().mathematica())
        assert weights == {oracles.number(text) for text in literals}
    assert extremes.formula().mathematica() == (
        "f[{x1_, x2_, x3_}] := {1.2345678901234568`*^-5*x1 - 1`*^300*x2 + 5`*^-324*x3 + 0.30000000000000004`}"
    )


@pytest.mark.parametrize("digits", [1, 3])
def test_digits_round_the_numbers_of_both(digits):
    form = net(seed=4).formula(1, digits=digits)
    shown = {abs(float(v)) for v in re.findall(r"(?<![\w.])\d[\d.]*(?:e[-+]?\d+)?", form.text())}
    assert set(oracles.mathml_numbers(form.mathml())) | {1.0, 2.0} == shown | {1.0, 2.0}
    assert {oracles.number(v) for v in re.findall(r"[\d.]+`(?:\*\^-?\d+)?", form.mathematica())} <= shown


def test_powers_of_derivatives_stand_in_brackets():
    f = net(sizes=(2, 2, 1, 1))
    latex, mathml = f.formula(2).latex(), f.formula(2).mathml()
    assert r"\left(\frac{\partial z^{(2)}_{1}}{\partial x_{1}}\right)^{2}" in latex
    assert not re.search(r"\\partial x_\{\d\}\}\^", latex)
    assert "<msup><mrow><mo>(</mo><mfrac>" in mathml
    assert "<msup><mfrac>" not in mathml


def test_cases_inside_of_sums_stand_in_brackets():
    text = net("relu", sizes=(2, 2, 1)).formula().inlined("mathml")
    assert text.count("<mo>(</mo><mrow><mo>{</mo>") == text.count("<mo>{</mo>") == 2


def test_derivatives_of_equal_names_stay_apart():
    names = ["a_b", "ab", "aB", "a__b", "x_1", "x1", "f", "f_", "n1", "x_n1"]
    f = na.Network.from_layers([(np.arange(1.0, 11.0)[None], None)], input_names=names, output_names=["f_2"])
    text = f.formula(1).mathematica()
    code = re.sub(r"\(\*.*?\*\)", "", text)
    assert "_" not in code.replace("_,", ",").replace("_}", "}")
    assert not re.search(r"\bf_", code)  # no argument is named like the function
    x = np.linspace(0.1, 1, 10)
    value, jacobian = oracles.wolfram_lists(text, x)
    assert np.isclose(value[0], f(x)[0])
    assert np.allclose(jacobian, f.jacobian(x))
    rows = oracles.mathml_rows(f.formula(1).mathml())
    assert len({oracles.key(name) for name, _ in rows}) == 11


MANY = (0.1, 1.2345678901234567, 0.30000000000000004, 1.2345678901234567e-5, 7.450580596923829e-9)
NASTY = [
    'a; system("id"); //',
    "</mtext><script>",
    "*) Quit[]; (*",
    "&amp;",
    "über",
    "class",
    "x1",
    "X1",
    "",
    "\\[Alpha]",
]
HOSTILE = "α\n\r\x1b\u2028\u202e\x85\ud800 ]]> <x>"


def test_names_are_data():
    names = [*NASTY, HOSTILE]
    f = na.Network.from_layers([(np.ones((1, 11)), None)], input_names=names, output_names=["<b>"])
    for form in (f.formula(1).mathml(), f.formula(1).inlined("mathml")):
        remarks = oracles.mathml_remarks(form)
        assert "uber stands for the input 'über'" in remarks
        assert any("</mtext><script>" in remark for remark in remarks)
        assert not re.search(r"<(script|x|b)\b", form)
        assert all(c.isprintable() or c == "\n" for c in form)
    for text in (f.formula(1).mathematica(), f.formula(1).inlined("mathematica")):
        assert text.isascii()
        comments = re.findall(r"\(\*.*?\*\)", text)
        code = text
        for comment in comments:
            code = code.replace(comment, "")
        assert "Quit" not in code
        assert not re.search(r'[";\\]', code.replace(";\n", ""))
        assert np.isclose(oracles.wolfram_lists(f.formula(1).mathematica(), np.ones(11))[0][0], 11)


def test_the_name_of_the_function_is_free():
    f = net(sizes=(1, 1))
    assert f.formula().mathematica("net").startswith("net[{x1_}] := {")
    for name in ("", "1a", "a_b", "a[", "f\n"):
        with pytest.raises(InputError, match="name"):
            f.formula().mathematica(name)


def test_unknown_notations_are_refused_with_the_known_ones():
    with pytest.raises(InputError, match="text, latex, mathml, mathematica expected"):
        net().formula().inlined("troff")


def test_on_a_box_both_say_what_was_removed():
    f = net("relu")
    form = f.formula(box=[(0, 1), (0, 1)], digits=3)
    assert oracles.mathml_remarks(form.mathml())[0].startswith("on 0.0 <= x1 <= 1.0")
    assert form.mathematica().startswith("(* on 0.0 <= x1 <= 1.0")


def test_scalers_that_are_folded_into_layers_are_named():
    rng = np.random.default_rng(0)
    x, y = 5 + 3 * rng.normal(size=(40, 2)), 100 + 20 * rng.normal(size=40)
    inner = make_pipeline(StandardScaler(), MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = TransformedTargetRegressor(inner, transformer=MinMaxScaler()).fit(x, y)
        alone = MLPRegressor(hidden_layer_sizes=(2,), max_iter=3, random_state=0).fit(x, y)
    form = na.from_sklearn(whole).formula()
    remarks = [
        "StandardScaler of the inputs: part of the first layer; the inputs are raw values",
        "MinMaxScaler of the targets: part of the last layer; the outputs are raw values",
    ]
    assert form.text().splitlines()[:2] == [f"# {remark}" for remark in remarks]
    assert form.latex().splitlines()[:2] == [f"% {remark}" for remark in remarks]
    assert form.mathematica().splitlines()[:2] == [f"(* {remark} *)" for remark in remarks]
    assert oracles.mathml_remarks(form.mathml()) == remarks
    assert form.matrix().splitlines()[:2] == [f"# {remark}" for remark in remarks]
    assert na.from_sklearn(alone).formula().text().startswith("z1_1 = ")
    found = oracles.wolfram(form.mathematica(), x[0])
    assert np.isclose(found[0], whole.predict(x[:1])[0])


def test_derivative_networks_print_in_every_notation():
    f = net("sigmoid", sizes=(2, 3, 1)).diff()
    x = np.array([0.3, -0.2])
    check(oracles.wolfram_lists(f.formula(1).mathematica(), x), [f(x), f.jacobian(x)])
    assert [len(f.formula().text()) > 0, len(oracles.mathml_rows(f.formula().mathml()))] == [True, len(f.formula())]


def test_inlined_exponents_keep_their_decimals():
    f = na.Network.from_layers([([[0.3]], [0.1]), ([[0.7]], None)], "sigmoid")
    assert f.formula().inlined() == "y1 = 0.7/(exp(-0.3*x1 - 0.1) + 1)"
    assert f.formula().inlined("mathematica") == "f[{x1_}] := {0.7`/(Exp[-0.3`*x1 - 0.1`] + 1)}"


def test_what_a_notation_cannot_name_is_refused():
    x = sympy.Symbol("x")
    with pytest.raises(UnsupportedError, match="zeta"):
        WolframWriter({x: "x"}).line(sympy.zeta(x))


@pytest.mark.parametrize("notation", ["text", "latex", "mathml", "mathematica"])
def test_the_command_line_has_every_notation(notation, tmp_path, capsys):
    f, model = net(sizes=(2, 2, 1)), str(tmp_path / "f.safetensors")
    f.save(model)
    form = f.formula(1)
    for option, wanted in (
        ([], form.written(notation)),
        (["--inline"], form.inlined(notation)),
        (["--matrix"], form.matrix(notation)),
    ):
        assert run(["formula", model, "--order", "1", "--notation", notation, *option]) == 0
        assert capsys.readouterr().out == wanted + "\n"
    assert run(["formula", model, "--matrix", "--inline"]) == 2


@pytest.mark.skipif(not MATHICS, reason="Mathics is not on the path, nor named by NEURALGEBRA_MATHICS")
def test_mathics_reads_the_same_numbers_and_finds_the_same_values(tmp_path):
    f = net("sigmoid", sizes=(3, 4, 2))
    named = f.rename(inputs=["*) Quit[]", "x_1", "\\[Alpha]"])
    x = np.array([0.3, -0.5, 0.7])
    point = ", ".join(f"{v}`" for v in x)
    script = f"{named.formula(2).mathematica()}\nPrint[Round[2^80*#]] & /@ Flatten[f[{{{point}}}]];\n"
    script += "".join(f"Print[Round[2^80*{wolfram_number(repr(v))}]];\n" for v in MANY)
    (tmp_path / "main.m").write_text(script)
    done = subprocess.run([MATHICS, "-f", str(tmp_path / "main.m")], capture_output=True, text=True, check=True)
    printed = [int(line) / 2**80 for line in done.stdout.split() if re.fullmatch(r"-?\d+", line)]
    wanted = np.concatenate([np.ravel(d) for d in derivatives(f, x)])
    np.testing.assert_allclose(printed[: len(wanted)], wanted, rtol=1e-13, atol=1e-15)
    assert printed[len(wanted) :] == [*MANY]


@pytest.mark.skipif(not MATHICS, reason="Mathics is not on the path, nor named by NEURALGEBRA_MATHICS")
@pytest.mark.parametrize("name", ["chain", "product", "stack", "softmax", "relu"])
def test_mathics_multiplies_the_matrices_out(name, tmp_path):
    f = net("sigmoid", "tanh", sizes=(3, 4, 2))
    networks = {
        **{"chain": f, "product": f * net("sin", sizes=(3, 2)), "stack": na.stack(f, net("sin", sizes=(3, 2)))},
        **{"softmax": after(f, na.Softmax()), "relu": net("relu", sizes=(3, 4, 1))},
    }
    g, x = networks[name], np.array([0.3, -0.5, 0.7])
    order = 1 if name == "softmax" else 2
    point = ", ".join(f"{v}`" for v in x)
    script = f"{g.formula(order).matrix('mathematica')}\nPrint[Round[2^80*#]] & /@ Flatten[f[{{{point}}}]];\n"
    (tmp_path / "main.m").write_text(script)
    done = subprocess.run([MATHICS, "-f", str(tmp_path / "main.m")], capture_output=True, text=True, check=True)
    printed = [int(line) / 2**80 for line in done.stdout.split() if re.fullmatch(r"-?\d+", line)]
    wanted = np.concatenate([np.ravel(d) for d in derivatives(g, x)[: order + 1]])
    np.testing.assert_allclose(printed, wanted, rtol=1e-13, atol=1e-15)
