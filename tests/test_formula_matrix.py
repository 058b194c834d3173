"""The matrix form is the network: every notation is read, multiplied out by NumPy and compared."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import formula_matrix_oracles as read
import neuralgebra as na
from formula_oracles import wolfram, wolfram_lists
from neuralgebra.errors import InputError, ResourceError, UnsupportedError
from strategies import after

X = np.array([0.3, -0.7, 0.4])
s = np.vectorize(lambda z: 1 / (1 + np.exp(-z)))
FUNCTIONS = {
    "sigmoid": s,
    "sigmoid_d1": lambda z: s(z) * (1 - s(z)),
    "sigmoid_d2": lambda z: s(z) * (1 - s(z)) * (1 - 2 * s(z)),
    "tanh": np.tanh,
    "tanh_d1": lambda z: 1 - np.tanh(z) ** 2,
    "tanh_d2": lambda z: -2 * np.tanh(z) * (1 - np.tanh(z) ** 2),
    "sin": np.sin,
    "sin_d1": np.cos,
    "sin_d2": lambda z: -np.sin(z),
    "exp": np.exp,
    "exp_d1": np.exp,
    "exp_d2": np.exp,
    "log": np.log,
    "log_d1": lambda z: 1 / z,
    "log_d2": lambda z: -1 / z**2,
    "relu": lambda z: np.maximum(z, 0),
    "relu_d1": lambda z: (z > 0) * 1.0,
}


def net(activation="tanh", output="identity", seed=0, sizes=(3, 4, 2, 2)):
    rng = np.random.default_rng(seed)
    pairs = itertools.pairwise(sizes)
    return na.Network.from_layers([(rng.normal(size=(m, n)), rng.normal(size=m)) for n, m in pairs], activation, output)


def cases():
    f, g = net("sigmoid"), net("tanh", seed=1)
    yield "chain", f
    yield "one output", net("sigmoid", sizes=(3, 4, 1))
    yield "curved output", net("tanh", "sigmoid")
    yield "curved output, one", net("tanh", "sigmoid", sizes=(3, 2, 1))
    yield "relu", net("relu")
    yield "affine", net(sizes=(3, 2))
    yield "no bias", na.Network.from_layers([(np.arange(6.0).reshape(2, 3) / 7, None), ([[1e-7, -2]], None)], "sin")
    yield "sum", f + g
    yield "product", f * g
    yield "product of one", net("sin", sizes=(3, 2, 1)) * net("tanh", sizes=(3, 2, 1))
    yield "product inside", after(f * g, na.Affine([[1.0, -2.0]]))
    yield "square of the input", na.Network.identity(3) * na.Network.identity(3)
    yield "stack", na.stack(f, g)
    yield "stack with the inputs", na.stack(f, na.Network.identity(3))
    yield "residual", net("tanh", sizes=(3, 4, 3)) + na.Network.identity(3)
    yield "deep residual", net("sin", sizes=(3, 2)) @ (net("tanh", sizes=(3, 4, 3)) + net("sin", sizes=(3, 3)))
    yield "composition", net("sin", sizes=(2, 2, 1)) @ f
    yield "mixed", after(net(sizes=(3, 3)), na.Elementwise((("tanh", 2), ("sin", 1))))
    yield (
        "mixed inside",
        after(after(net(sizes=(3, 3)), na.Elementwise((("tanh", 2), ("sin", 1)))), na.Affine([[1, 2, 3.0]])),
    )
    yield "two activations", after(f, na.Elementwise("sin"))
    yield "activation first", after(na.Network.function("sin", 3), na.Affine([[1.0, 2, 3]]))
    yield "power product", na.Network.from_layer(na.PowerProduct([[0.5, -1, 2.0], [1, 1, 1]], [0.1, 0.2]), 3)
    yield "select", f[[1, 0, 1]]


CASES = list(cases())


@pytest.mark.parametrize(("name", "f"), CASES, ids=[n for n, _ in CASES])
def test_every_notation_gives_value_jacobian_and_hessian(name, f):
    x = np.abs(X) if name == "power product" else X
    form, m = f.formula(2), f.output_size
    wanted = [f(x), f.jacobian(x), f.hessian(x)]
    found = wolfram_lists(form.matrix("mathematica"), x)
    close(found, wanted)
    y = {"text": "y", "latex": "y", "mathml": "y"}
    for notation, reader in (("text", read.read_text), ("latex", read.read_latex), ("mathml", read.read_mathml)):
        scope = reader(form.matrix(notation), x, FUNCTIONS, m)
        close([scope[y[notation]], scope["J"], scope["H"]], wanted)


def close(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.asarray(a, dtype=float).reshape(b.shape), b, rtol=1e-11, atol=1e-13)


def test_softmax_has_a_jacobian_and_no_hessian():
    f = after(net(sizes=(3, 4)), na.Softmax())
    close(wolfram_lists(f.formula(1).matrix("mathematica"), X), [f(X), f.jacobian(X)])
    for notation, reader in (("text", read.read_text), ("latex", read.read_latex), ("mathml", read.read_mathml)):
        scope = reader(f.formula(1).matrix(notation), X, FUNCTIONS, 4)
        close([scope["y"], scope["J"]], [f(X), f.jacobian(X)])
    with pytest.raises(UnsupportedError, match="Softmax: no Hessian"):
        f.formula(2).matrix()


def test_the_value_alone():
    f = net("sigmoid")
    assert np.allclose(wolfram(f.formula().matrix("mathematica"), X), f(X))
    text = f.formula().matrix()
    assert "y = W₃ sigmoid(W₂ sigmoid(W₁ x + b₁) + b₂) + b₃" in text
    assert "∂" not in text
    assert text.count("y = ") == 2
    assert (f * f).formula().matrix().count("y = ") == 1  # what is used twice is written once


@pytest.mark.parametrize("notation", ["text", "latex", "mathml", "mathematica"])
def test_every_number_stands_there_with_all_its_bits(notation):
    f = net(seed=5)
    text = f.formula().matrix(notation)
    digits = {repr(abs(v)) for a in f.arrays for v in a.ravel().tolist()}
    assert all(v in text for v in digits)
    short = f.formula(digits=2).matrix(notation)
    assert not any(v in short for v in digits)
    if notation == "text":
        found = read.numbers_of_text(short)
        for number, (weight, _) in enumerate(f.layers_list(), 1):
            assert np.array_equal(found[f"W{number}"], np.vectorize(lambda v: float(f"{v:.2g}"))(weight))


def test_functions_of_one_name_and_other_parameters_stay_apart():
    f = net(sizes=(3, 2))
    g = after(
        after(after(f, na.Elementwise(na.activation("leaky_relu", slope=0.2))), na.Affine(np.eye(2))),
        na.Elementwise(na.activation("leaky_relu", slope=0.5)),
    )
    text = g.formula(1).matrix()
    assert "leaky_relu₁(z₁)" in text
    assert "leaky_relu'₂(z) = Piecewise((1, z > 0), (0.5, True))" in text
    close(wolfram_lists(g.formula(1).matrix("mathematica"), X), [g(X), g.jacobian(X)])


def test_derivatives_of_derivatives_have_their_names():
    f = net("tanh", sizes=(3, 2, 1)).diff()
    text = f.formula(1).matrix()
    assert "tanh''(z₁)" in text
    close(wolfram_lists(f.formula(1).matrix("mathematica"), X), [f(X), f.jacobian(X)])


def test_names_of_inputs_are_data():
    f = net(sizes=(3, 1)).rename(inputs=["*) Quit[]; (*", "</mi><script>", r"\input{x}"])
    form = f.formula()
    assert "<script" not in form.matrix("mathml")
    assert r"\input" not in form.matrix("latex").split("$$")[1]
    code = re.sub(r"\(\*.*?\*\)", "", form.matrix("mathematica"))
    assert "Quit" not in code


def test_refusals_say_why():
    f = net()
    for network, why in (
        (na.Network.identity(2), "no layers"),
        (after(f, na.Maximum([[0, 1]])), r"place \d+ is Maximum"),
        (na.Network.function(na.activation("prelu", slope=[0.1, 0.2]), 2), "one parameter for each coordinate"),
    ):
        with pytest.raises(UnsupportedError, match=why):
            network.formula().matrix()
    with pytest.raises(UnsupportedError, match="order 3"):
        f.formula(3).matrix()
    with pytest.raises(InputError, match="notation"):
        f.formula().matrix("troff")
    wide = na.Network.from_layer(na.Affine(na.Diagonal(np.full(1001, 2.0))), 1001)
    with pytest.raises(ResourceError, match="1001×1001 with its zeros"):
        wide.formula().matrix()
