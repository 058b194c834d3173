"""The chain rule as it is written out is the derivative: its matrix form and its index form are read and computed."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import formula_matrix_oracles as read
import neuralgebra as na
from strategies import after

FUNCTIONS = {
    **{"tanh": np.tanh, "tanh_d1": lambda z: 1 - np.tanh(z) ** 2},
    "tanh_d2": lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2),
    **{"sin": np.sin, "sin_d1": np.cos, "sin_d2": lambda z: -np.sin(z)},
}


def net(activation="tanh", output="identity", seed=0, sizes=(4, 3, 2, 2)):
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    return na.Network.from_layers([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairs], activation, output)


NETWORKS = {
    "two hidden layers": net(),
    "one output": net(sizes=(4, 3, 2, 1)),
    "curved output": net(output="sin"),
    "curved output, one": net(output="sin", sizes=(4, 3, 1)),
    "two activations": after(net(output="sin"), na.Elementwise("tanh")),
    "two activations, one output": after(net(output="sin", sizes=(4, 3, 1)), na.Elementwise("tanh")),
    "two activations inside": after(after(net(output="sin"), na.Elementwise("tanh")), na.Affine([[0.5, -2.0]])),
    "two affine layers": after(after(net(), na.Affine(np.eye(2, 2) + 0.5)), na.Elementwise("sin")),
}
X = np.array([0.1, -0.2, 0.3, 0.4])


def scope_of(f):
    """W1, b1, … and the values, by the definitions that the text states."""
    affine = [node.layer for node in f.nodes if isinstance(node.layer, na.Affine)]
    scope = {**read.base(FUNCTIONS), "x": X, "flat": read.flat, "unit": np.eye(f.output_size)}
    for number, layer in enumerate(affine, 1):
        scope |= {f"W{number}": layer.weight.dense(), f"b{number}": layer.bias}
    scope["I"] = np.eye(f.output_size)
    return scope


def run_definitions(lines, scope):
    for line in lines:
        left, right = re.sub(r"   element by element", "", line).split(" = ")
        scope[left.strip().translate(read.SUBSCRIPTS)] = eval(read.python(right), scope)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("question", ["jacobian", "hessian"])
def test_definitions_are_the_network(name, question):
    f = NETWORKS[name]
    scope = scope_of(f)
    run_definitions(f.explain(question).text().split("\n\n")[0].splitlines(), scope)
    assert np.allclose(scope["y"], f(X), rtol=1e-13)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_matrix_form_of_the_hessian(name):
    f = NETWORKS[name]
    definitions, matrix, _ = f.explain("hessian").text().split("\n\n")
    scope = scope_of(f)
    run_definitions(definitions.splitlines(), scope)
    lines = [line for line in matrix.splitlines()[1:] if "[o] is row" not in line]
    total, head = [], ""
    for line, shapes in zip(lines[::2], lines[1::2], strict=True):
        *heads, right = re.split(r" = |^ +\+ ", line)
        head = heads[0].strip() or head
        code = re.sub(r" +", " ", right.strip())
        if head.startswith("∂²"):
            total.append(code)
        else:
            word = head.translate(read.SUBSCRIPTS)
            scope[word] = eval(read.python(code), scope)
            rows, columns = map(int, shapes.split()[0].split("×"))
            assert scope[word].shape == (rows, columns)
        check_shapes(code, shapes, scope, f.output_size)
    found = read.hessian(" + ".join(total), scope, f.output_size)
    np.testing.assert_allclose(found, f.hessian(X), rtol=1e-12, atol=1e-14)


def check_shapes(code, shapes, scope, outputs):
    """The shape under every factor is that of its value."""
    factors = code.split(" · ")
    for factor, shape in zip(factors, shapes.split()[-len(factors) :], strict=True):
        text = re.sub(r"diag\(flat\((\w+)\.T\)", r"diag(\1[0]", read.python(factor))
        value = eval(text, {**scope, "o": 0})
        assert value.shape == tuple(map(int, shape.split("×")))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_index_form_of_the_hessian(name):
    f = NETWORKS[name]
    definitions, _, index = f.explain("hessian").text().split("\n\n")
    scope = scope_of(f)
    run_definitions(definitions.splitlines(), scope)
    if f.output_size == 1 and isinstance(f.nodes[-1].layer, na.Affine):
        last = max(n for n in scope if re.fullmatch(r"W\d+", n))
        scope[last] = scope[last][0]
    lines = re.sub(r"\n +\+", " +", index).splitlines()[1:]
    for line in lines[:-1]:
        left, right = line.strip().split(" = ")
        word, names = re.fullmatch(r"(\w+)\[([\w,]+)\]", left.translate(read.SUBSCRIPTS)).groups()
        sizes = [sizes_of(f, word, n) for n in names.split(",")]
        values = [summed(right, scope, dict(zip(names.split(","), at, strict=True))) for at in np.ndindex(*sizes)]
        scope[word] = np.reshape(values, sizes)
    truth = f.hessian(X)
    right = lines[-1].split(" = ")[1]
    for o, k, l in np.ndindex(*truth.shape):  # noqa: E741
        assert np.isclose(summed(right, scope, {"o": o, "k": k, "l": l}), truth[o, k, l], rtol=1e-11, atol=1e-13)


def sizes_of(f, word, name):
    """The range of an index of J or Λ: inputs k, outputs o, the units of its layer i."""
    stem = word[1:]
    kinds = {"z": na.Affine, "a": na.Elementwise}
    places = [p for p, node in enumerate(f.nodes, 1) if isinstance(node.layer, kinds[stem[0]])]
    return {"k": f.input_size, "o": f.output_size, "1": 1}.get(name) or f.sizes[places[int(stem[1:]) - 1]]


def summed(text, scope, indices):
    """A sum of sums of products by its definition: each Σ reaches to the end of its term."""
    text = re.sub(r"\[1(?=[,\]])", "[0", text.translate(read.SUBSCRIPTS))
    text = re.sub(r"([A-Za-z]+)''", r"\1_d2", text)
    text = re.sub(r"([A-Za-z]+)'", r"\1_d1", text)
    return sum(nested(term.split(), scope, indices) for term in text.split(" + "))


def nested(tokens, scope, indices):
    if not tokens:
        return 1.0
    head, *rest = tokens
    if match := re.fullmatch(r"Σ_\{(\w+)=1\.\.(\d+)\}", head):
        return sum(nested(rest, scope, {**indices, match[1]: i}) for i in range(int(match[2])))
    return eval(head, {**scope, **indices}) * nested(rest, scope, indices)


def test_piecewise_linear_networks_say_why_their_hessian_is_zero():
    text = net("relu").explain("hessian").text()
    assert (
        "∂²y[o]/∂x² = 0   every activation is piecewise linear: its second derivative is 0 wherever it exists" in text
    )
    assert "&= 0" in net("relu").explain("hessian").latex()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("question", ["jacobian", "hessian"])
def test_latex_has_the_definitions_and_the_value_of_its_matrix_form(name, question):
    f = NETWORKS[name]
    text = f.explain(question).latex()
    assert text.count("{") == text.count("}")
    assert "z^{(1)} &= W^{(1)} x + b^{(1)}" in text
    text = re.sub(r"\\underbrace\{(.*?)\}_\{\d+\\times ?\d+\}(?= \\, |\\,| \\\\|\n|$)", r"\1", text).replace(
        "\\,", " \\, "
    )
    text = text.replace(" \\\\\n&\\quad +", " +").replace("  ", " ")
    scope = scope_of(f)
    lines = text.removesuffix("\n\\end{aligned}$$").split("\n", 1)[1].split(" \\\\\n")
    for line in [line for line in lines if "sum" not in line]:
        left, right = line.split(" &= ")
        code = read.latex_to_text(right.split(" = ")[-1].strip())
        if "partial^{2}" in left:
            np.testing.assert_allclose(read.hessian(code, scope, f.output_size), f.hessian(X), rtol=1e-12, atol=1e-14)
        elif "partial" in left:
            np.testing.assert_allclose(eval(read.python(code), scope), f.jacobian(X), rtol=1e-12)
        else:
            scope[read.latex_to_text(left)] = eval(read.python(code), scope)
    assert np.allclose(scope["y"], f(X))
