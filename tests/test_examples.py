"""The parts of the examples do what their tables say."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import flint
import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def product() -> dict:
    return runpy.run_path(str(EXAMPLES / "learned_product.py"))


def test_four_sigmoid_neurons_are_a_product(product: dict) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(2000, 2))
    assert abs(product["gate"]()(x)[:, 0] - x[:, 0] * x[:, 1]).max() < 1e-10


def test_a_learned_product_comes_near(product: dict) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(200, 2))
    found = product["learned"](4, x, x[:, 0] * x[:, 1])
    assert 1e-9 < abs(found(x)[:, 0] - x[:, 0] * x[:, 1]).max() < 1e-2


def test_a_trained_monotone_network_is_proven_and_a_free_one_refuted() -> None:
    monotone = runpy.run_path(str(EXAMPLES / "monotone.py"))
    verdicts = [
        monotone["trained"](weights).certify("increasing in dose", monotone["BOX"]).verdict
        for weights in (np.square, np.asarray)
    ]
    assert verdicts == ["proven", "refuted"]


# Multiplicative networks on digits ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def multiplicative() -> dict:
    pytest.importorskip("sklearn")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES))
        return runpy.run_path(str(EXAMPLES / "multiplicative_digits.py"))


@pytest.mark.parametrize("rule", ["SGD 0.2", "Adam 0.005"])
@pytest.mark.parametrize("sigma", ["tanh", "max(x, 1)"])
def test_twins_take_the_same_steps(multiplicative: dict, sigma: str, rule: str) -> None:
    a, b = (multiplicative["run"](form, sigma, rule, 1) for form in ("direct", "twin"))
    assert abs(a.losses[0] / b.losses[0] - 1) < 1e-12
    assert np.linalg.norm(a.gradients[0] - b.gradients[0]) < 1e-12 * np.linalg.norm(b.gradients[0])
    assert all(d.shape == (1,) and d < 1e-9 for d in multiplicative["differences"](a, b).values())
    assert (a.guesses == b.guesses).all()
    assert a.accuracy[0] > 0.5
    assert np.linalg.norm(a.weights[-1] - a.weights[0]) > 0.1


def test_twins_take_the_same_steps_in_float32(multiplicative: dict) -> None:
    a, b = (multiplicative["run"](form, "tanh", "SGD 0.2", 1, dtype="float32") for form in ("direct", "twin"))
    assert a.weights.dtype == b.weights.dtype == a.gradients.dtype == np.float32
    assert all(0 < d < 1e-4 for d in multiplicative["differences"](a, b).values())


def test_neighbouring_weights_go_the_same_way_too(multiplicative: dict) -> None:
    a, b = (multiplicative["run"]("twin", "tanh", "SGD 0.2", 1, nudge=nudge) for nudge in (0.0, 2.0**-40))
    assert 1e-13 < multiplicative["differences"](a, b)["weights"][0] < 1e-9


def test_steps_go_down_the_slope(multiplicative: dict) -> None:
    g = np.array([1.0, -3.0, 0.0])
    assert np.array_equal(multiplicative["sgd"](0.5)(g), [-0.5, 1.5, 0.0])
    np.testing.assert_allclose(multiplicative["adam"](0.1)(1e-8 * g), [-0.05, 0.075, 0.0], rtol=1e-7)
    step = multiplicative["adam"](0.1)
    for _ in range(3):
        np.testing.assert_allclose(step(g), [-0.1, 0.1, 0.0], rtol=1e-7)
    m, v = 0.1 * 0.9 * (1 + 0.9 + 0.81) + 0.1 * 2, 0.001 * 0.999 * (1 + 0.999 + 0.999**2) + 0.001 * 4
    assert np.isclose(step(2 * g)[0], -0.1 * m / (1 - 0.9**4) / np.sqrt(v / (1 - 0.999**4)), rtol=1e-7)


def ln_y(pairs: list, logs: list, ways: tuple = ()) -> list:
    """Return ln y by the definition, in balls; one parameter may be changed: (layer, array, index, by)."""
    x = [flint.arb(float(t)).exp() for t in logs]
    for level, arrays in enumerate(pairs):
        weight, bias = ([flint.arb(float(v)) for v in a.ravel()] for a in arrays)
        if ways and ways[0] == level:
            (weight, bias)[ways[1]][ways[2]] += ways[3]
        x = [v.tanh() for v in x] if level else x
        rows = range(len(bias))
        x = [bias[i].exp() * math.prod(v ** weight[i * len(x) + j] for j, v in enumerate(x)) for i in rows]
    return [v.log() for v in x]


def test_truth_is_the_slope_of_the_definition(multiplicative: dict) -> None:
    pairs = multiplicative["shifted"](multiplicative["initial"](0, (3, 3, 3, 2)), 0.7)
    logs, w, h = np.array([0.3, -1.1, 0.8]), np.array([1.3, -0.4]), flint.arb(2) ** -300
    true = iter(multiplicative["truth"](pairs, logs, w, exact=True))
    with flint.ctx.workprec(2000):
        for level, arrays in enumerate(pairs):
            for which, index in [(n, i) for n, a in enumerate(arrays) for i in range(a.size)]:
                ends = [ln_y(pairs, logs, (level, which, index, d)) for d in (h, -h)]
                slope = sum(float(wi) * (p - q) for wi, p, q in zip(w, *ends, strict=True)) / (2 * h)
                assert abs(next(true) / slope - 1) < flint.arb(10) ** -55
    assert next(true, None) is None


def test_errors_are_those_of_one_entry(multiplicative: dict) -> None:
    true = [flint.arb(v) for v in (3.0, 4.0, 12.0, 84.0)]
    found = multiplicative["errors"](np.array([3.0, 4.5, 12.0, 63.0]), true, 2, -1)
    np.testing.assert_allclose(found, [np.hypot(0.5, 21) / 85, 0.1, 0.125, 0.25], rtol=1e-14)


def test_saturation_costs_the_direct_form_the_small_entries_of_the_last_gradient_only(multiplicative: dict) -> None:
    pairs = multiplicative["shifted"](multiplicative["initial"](0), 3)
    found = multiplicative["gradient_errors"](pairs, multiplicative["digits"]()[0][:1])
    assert found["additive"].max() < 2e-12
    assert found["multiplicative"][:3].max() < 2e-12
    assert found["multiplicative"][3] == 1.0
    assert found["multiplicative, 1 - tanh²"][2:].min() == found["additive, ln(tanh(exp z))"][2:].min() == 1.0
    assert all(e[0] < 1e-13 for e in found.values())


def test_only_the_additive_form_is_finite_where_products_underflow(multiplicative: dict) -> None:
    pairs = multiplicative["shifted"](multiplicative["initial"](0), -750)
    with np.errstate(all="ignore"):
        found = multiplicative["gradient_errors"](pairs, multiplicative["digits"]()[0][:1])
    assert {name for name, e in found.items() if np.isfinite(e).all()} == {"additive"}
    assert found["additive"].max() < 1e-13


def test_the_gradient_by_factors_is_the_slope_of_the_loss(multiplicative: dict) -> None:
    pixels, labels = multiplicative["digits"]()
    pairs = [(w, b + 0.1 * np.arange(len(b)) - 0.3) for w, b in multiplicative["initial"](0)]
    model = multiplicative["direct"](pairs)
    layout = multiplicative["Layout"](model.network, factors=True)
    theta = layout.theta(layout.pack(model.network.parameters()))
    x, h = model.encode(pixels[:20]), 1e-5
    _, gradient = multiplicative["slope"](model, layout, theta, x, labels[:20])
    for i in [0, 700, *np.flatnonzero(layout.biases)[::7]]:
        ends = [
            multiplicative["slope"](model, layout, theta + d * np.eye(len(theta))[i], x, labels[:20])[0]
            for d in (h, -h)
        ]
        assert np.isclose((ends[0] - ends[1]) / (2 * h), gradient[i], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(layout.weights(theta), layout.pack(model.network.parameters()), atol=1e-15)
    assert layout.factors.sum() == 42


def test_training_of_factors_ends_where_one_is_not_positive(multiplicative: dict) -> None:
    b, c = (multiplicative["run"]("direct", "max(x, 1)", "Adam 0.2", 1, factors=f) for f in (False, True))
    assert c.ended == f"c ≤ 0 at step {len(c.losses) + 1}"
    assert not b.ended
    assert np.isfinite(c.weights).all()


def test_sums_of_products_have_a_twin_with_exp(multiplicative: dict) -> None:
    model = multiplicative["sums"](multiplicative["initial"](0), "none")
    twin = model.network.to_additive(absorb=True)
    assert repr(twin) == "<Network 64 → 10: Affine 64→32 · exp · Affine 32→10; 2410 parameters, float64>"
    pixels = multiplicative["digits"]()[0]
    np.testing.assert_allclose(twin(pixels), model.network(model.encode(pixels)), rtol=1e-11, atol=1e-13)


def test_the_quick_script_prints_its_tables(multiplicative: dict, capsys: pytest.CaptureFixture[str]) -> None:
    multiplicative["main"](["--quick"])
    tables = [text.splitlines() for text in capsys.readouterr().out.strip().split("\n\n")]
    assert [len(lines) - 2 for lines in tables] == [24, 8, 4, 24, 8, 15]
    multiplicative["main"](["--quick", "--markdown"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 83 + 2 * 6
