"""Claims, extrema and Lipschitz constants: verdicts that are known, witnesses checked with 60 digits."""

from __future__ import annotations

import itertools
from typing import Any

import flint
import mpmath
import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.algebra import claims, curvature, norms, proofs
from neuralgebra.arithmetic.intervals import Interval
from neuralgebra.errors import InputError, UsageError
from oracles import evaluate
from test_enclosure import net

UNIT = [(-1.0, 1.0)] * 2
X, Y = (na.Network.identity(2)[i] for i in (0, 1))


def positive(name: str, *sizes: int) -> na.Network:
    """A network without negative weights: its outputs rise with its inputs where the activation does."""
    rng = np.random.default_rng(0)
    pairs = itertools.pairwise(sizes)
    return na.Network.from_layers([(abs(rng.normal(size=(b, a))) / a, rng.normal(size=b)) for a, b in pairs], name)


def input_convex(name: str) -> na.Network:
    rng = np.random.default_rng(0)
    first = rng.normal(size=(8, 2)), rng.normal(size=8)
    later = [(abs(rng.normal(size=shape)) / 3, None) for shape in ((6, 8), (1, 6))]
    return na.Network.from_layers([first, *later], name)


def high(f: na.Network, point: tuple[float, ...]) -> mpmath.mpf:
    with mpmath.workdps(60):
        (value,) = evaluate(f, [mpmath.mpf(v) for v in point])
        return value


SADDLE = X * Y
STEP = na.Network.function("step") @ X
VERDICTS: list[tuple[str, na.Network, str, str]] = [
    *((f"{n} positive", positive(n, 2, 8, 8, 1), "increasing in x1", "proven") for n in ("relu", "tanh", "softplus")),
    *((f"{n} falls", -positive(n, 2, 8, 1), "monotone decreasing in x2", "proven") for n in ("relu", "sigmoid")),
    *((f"{n} any", net(n, 2, 8, 1, seed=2), "increasing in x1", "refuted") for n in ("relu", "tanh", "gelu")),
    *((f"{n} convex", input_convex(n), "convex", "proven") for n in ("relu", "softplus", "leaky_relu", "elu")),
    *((f"{n} concave", -input_convex(n), "concave", "proven") for n in ("relu", "softplus")),
    *((f"{n} not", -input_convex(n), "convex", "refuted") for n in ("relu", "softplus")),
    ("tanh bends both ways", net("tanh", 2, 8, 1), "convex", "refuted"),
    ("saddle", SADDLE, "convex", "refuted"),
    ("saddle on a bowl", X * X + Y * Y + SADDLE, "convex", "proven"),
    ("bowl", X * X + Y * Y, "non-negative", "proven"),
    ("bowl at 0", X * X + Y * Y, "positive", "refuted"),
    ("lifted", X * X + 0.5, "positive", "proven"),
    ("valley", X * X - 0.5, "<= 0.500001", "proven"),
    ("top is not below itself", X * X - 0.5, "< 0.5", "refuted"),
    ("valley below", X * X - 0.5, ">= -0.500001", "proven"),
    ("bounded", net("tanh", 2, 8, 1), "bounded by 5", "proven"),
    ("not bounded", net("tanh", 2, 8, 1), "bounded by 0.01", "refuted"),
    ("lipschitz", net("tanh", 2, 8, 1), "lipschitz <= 4", "proven"),
    ("steeper", net("tanh", 2, 8, 1), "lipschitz <= 0.1", "refuted"),
    ("linear", 2 * X, "lipschitz <= 2.0001", "proven"),
    ("a jump is not lipschitz", STEP, "lipschitz <= 5", "refuted"),
    ("a jump up", STEP, "increasing in x1", "undecided"),
    ("a jump down", -STEP, "increasing in x1", "refuted"),
    ("a jump down in another input", -STEP, "increasing in x2", "undecided"),
]


@pytest.mark.parametrize(("f", "claim", "verdict"), [v[1:] for v in VERDICTS], ids=[v[0] for v in VERDICTS])
def test_verdicts(f: na.Network, claim: str, verdict: str) -> None:
    found = f.certify(claim, UNIT, boxes=400)
    assert found.verdict == verdict
    assert bool(found) == (verdict == "proven")
    assert bool(found.remaining) == (verdict == "undecided")
    assert bool(found.witness) == (verdict == "refuted")
    assert str(found).startswith(f"{claim}: {verdict}")
    if verdict == "refuted":
        expect_refuted(f, claim, found.witness)


def expect_refuted(f: na.Network, claim: str, witness: tuple[tuple[float, ...], ...]) -> None:
    """The points refute the claim in 60 digits; they lie in the box."""
    assert all(-1 <= v <= 1 for point in witness for v in point)
    kind, *rest = claim.replace("monotone ", "").split()
    with mpmath.workdps(60):
        values = [high(f, point) for point in witness]
        if kind in ("increasing", "decreasing"):
            unit = int(rest[-1][1:]) - 1
            assert witness[0][unit] < witness[1][unit]
            assert all(a == b for i, (a, b) in enumerate(zip(*witness, strict=True)) if i != unit)
            assert (values[0] > values[1]) == (kind == "increasing")
        elif kind == "convex":
            ends = (mpmath.mpf(a) + mpmath.mpf(b) for a, b in zip(witness[0], witness[2], strict=True))
            assert [e / 2 for e in ends] == [mpmath.mpf(v) for v in witness[1]]
            assert 2 * values[1] > values[0] + values[2]
        elif kind == "lipschitz":
            length = mpmath.sqrt(sum((mpmath.mpf(a) - mpmath.mpf(b)) ** 2 for a, b in zip(*witness, strict=True)))
            assert abs(values[0] - values[1]) > mpmath.mpf(float(rest[-1])) * length
        else:
            refuted = {"positive": values[0] <= 0, "<": values[0] >= 0.5, "bounded": abs(values[0]) > 0.01}
            assert refuted[kind]


def test_of_several_outputs_one_may_be_named() -> None:
    weight = np.array([[1.0, 0.0], [-1.0, 0.0]])
    first, second = names = "up", "up and down"
    f = na.Network.from_layers([(weight, None)], input_names=["x1", "x2"], output_names=names)
    assert f.certify(f"{first} increasing in x1", UNIT)
    assert f.certify(f"{second} decreasing in x1", UNIT)
    assert f.certify("increasing in x1", UNIT).verdict == "refuted"


@pytest.mark.parametrize(
    "claim", ["", "convexish", "increasing", "increasing in z", "<= nan", "y1", "y7 convex", "<= 1 2"]
)
def test_other_claims_are_refused(claim: str) -> None:
    with pytest.raises(UsageError, match="received"):
        SADDLE.certify(claim, UNIT)


def test_an_undecided_claim_says_where() -> None:
    f = net("tanh", 2, 10, 10, 1)
    top = f.maximum(UNIT).low
    found = f.certify(f"<= {top + 1e-9!r}", UNIT, boxes=8)
    assert found.verdict == "undecided"
    assert all((np.array(box.low) >= -1).all() and (np.array(box.high) <= 1).all() for box in found.remaining)
    assert any(box.low[0] <= x <= box.high[0] for box in found.remaining for x in f.maximum(UNIT).point[:1])


# A wrong proof ----------------------------------------------------------------------------------------------------


def test_a_value_seen_above_the_level_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not refuted by balls must be proven by bounds."""
    monkeypatch.setattr(proofs, "values_of", lambda f, x, bits: np.array([flint.arb(0, 1e300)] * f.output_size))
    assert (X * X).certify("<= 0.25", UNIT, boxes=50).verdict == "undecided"


def test_kinks_count_for_convexity(monkeypatch: pytest.MonkeyPatch) -> None:
    f = -na.Network.function("abs") @ X
    assert f.certify("convex", UNIT).verdict == "refuted"
    monkeypatch.setattr(curvature, "_jump", lambda function, place: Interval(np.array(0.0)))
    monkeypatch.setattr(proofs, "_SAMPLES", 1)
    monkeypatch.setattr(proofs, "_most", lambda gap, *points: [])
    assert f.certify("convex", UNIT).verdict == "proven"  # the planted mistake: without the jump of the slope


# Extrema ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "sin"])
def test_extrema_lie_between_their_ends(name: str) -> None:
    f = net(name, 2, 10, 10, 1)
    seen = f(np.random.default_rng(0).uniform(-1, 1, (20000, 2)))
    top, bottom = f.maximum(UNIT, tol=1e-4), f.minimum(UNIT, tol=1e-4)
    assert top.low <= top.high <= top.low + 1e-4
    assert bottom.low <= bottom.high <= bottom.low + 1e-4
    assert top.high >= seen.max()
    assert bottom.low <= seen.min()
    assert abs(high(f, top.point) - top.low) < 1e-14
    assert high(f, top.point) >= top.low
    assert high(f, bottom.point) <= bottom.high


def test_extrema_of_known_functions() -> None:
    top = (X * X - SADDLE).maximum(UNIT, tol=1e-9)
    assert top.low <= 2 <= top.high
    assert top.point in ((1.0, -1.0), (-1.0, 1.0))


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("outputs", [1, 2])
def test_lipschitz_constants(norm: float, outputs: int) -> None:
    f = net("tanh", 2, 8, outputs)
    found = f.lipschitz(UNIT, norm)
    jacobians = f.jacobian(np.random.default_rng(0).uniform(-1, 1, (20000, 2)))
    seen = np.linalg.norm(jacobians, norm, axis=(1, 2)).max()
    assert 0.99 * seen <= found.low <= found.high <= 1.011 * found.low
    assert found.high >= seen


def test_what_is_chosen_at_a_kink_is_no_slope() -> None:
    """X - relu(X) + relu(-X) is 0, but its derivative at 0 is 1 by the values chosen there."""
    relu = na.Network.function("relu")
    found = (X - relu @ X + relu @ (-X)).lipschitz(UNIT)
    assert found.low <= 1e-12


def test_norms_and_eigenvalues_of_intervals() -> None:
    rng = np.random.default_rng(0)
    for shape, radius in itertools.product([(1, 3), (2, 3), (4, 4)], [0.0, 1e-8, 0.1]):
        middle = rng.normal(size=(3, *shape))
        inside = middle + radius * rng.uniform(-1, 1, (50, 3, *shape))
        box = Interval(middle - radius, middle + radius)
        for order in (1, 2, np.inf):
            largest = np.linalg.norm(inside, order, axis=(2, 3)).max(axis=0)
            assert (norms.norm(box, order) >= largest * (1 - 1e-15)).all()
    square = middle + middle.transpose(0, 2, 1)
    least = norms.least_eigenvalue(Interval(square - 0.01, square + 0.01))
    exact = np.linalg.eigvalsh(square)[:, 0]
    assert (least <= exact - 0.01 * 0.99).all()
    assert (least >= exact - 0.05).all()
    assert norms.least_eigenvalue(Interval(np.array([[[2.0, 0.0], [0.0, 0.0]]]))) == [0.0]


@pytest.mark.parametrize("tol", [0, -1, np.nan, "x", True])
def test_bad_tolerances_are_refused(tol: Any) -> None:
    with pytest.raises(InputError, match="positive number expected"):
        SADDLE.maximum(UNIT, tol=tol)


def test_which_output_must_be_said() -> None:
    f = na.stack(X, Y)
    with pytest.raises(UsageError, match="which of them"):
        f.maximum(UNIT)
    assert f.maximum(UNIT, 1).high == pytest.approx(1.0)
    with pytest.raises(InputError, match="norm=3"):
        f.lipschitz(UNIT, 3)


def test_the_number_of_boxes_is_kept() -> None:
    f = net("tanh", 2, 10, 10, 1)
    assert f.maximum(UNIT, tol=1e-12, boxes=10).boxes <= 10 + 64
    assert claims.certify(f, "<= 100", UNIT, boxes=1).verdict == "proven"


# What once was proven and is not true -----------------------------------------------------------------------------

ONE = na.Network.identity(1)


def constant(value: float) -> na.Network:
    return na.Network.from_layers([([[0.0]], [value])])


POLES: list[tuple[na.Network, str, list[tuple[float, float]]]] = [
    (1 / ONE, "decreasing in x1", [(-1e-9, 1.0)]),
    (1 / (ONE + 0.5), "decreasing in x1", [(-0.5001, 1000.0)]),
    (na.Network.function("log") @ ONE, "decreasing in x1", [(-3.0, -1.0)]),
    (na.Network.function("log") @ ONE, "concave", [(-1e-9, 1.0)]),
    (na.Network.function("sqrt") @ ONE, "<= 1.5", [(-1e-9, 1.0)]),
    (1 / ONE, "<= 1e400", [(-1.0, 1.0)]),
    (1 / ONE, "lipschitz <= 1e300", [(-1e-9, 1.0)]),
]


@pytest.mark.parametrize(("f", "claim", "box"), POLES)
def test_nothing_is_proven_where_a_function_ends(f: na.Network, claim: str, box: list[tuple[float, float]]) -> None:
    assert f.certify(claim, box, boxes=50).verdict != "proven"


def test_beside_a_pole_all_is_well() -> None:
    assert (1 / ONE).certify("decreasing in x1", [(-3.0, -0.5)])
    assert (na.Network.function("sqrt") @ ONE).certify("increasing in x1", [(0.25, 1.0)])
    assert (na.Network.function("sqrt") @ ONE).certify("<= 1.5", [(0.0, 1.0)])


NUMBERS = [
    (0.0, ">= 1e-400", "refuted"),
    (3.0, "< 3.00000000000000001", "proven"),
    (0.0, "> -1e-400", "proven"),
    (0.0, "< 2e-324", "proven"),
    (0.3, "< 0.3", "proven"),  # the double is below it
    (0.1, "<= 0.1", "refuted"),  # and this one above
    (3.0, "<= 3", "proven"),
    (3.0, "< 3", "refuted"),
]


@pytest.mark.parametrize(("value", "claim", "verdict"), NUMBERS)
def test_numbers_in_claims_are_exact(value: float, claim: str, verdict: str) -> None:
    assert constant(value).certify(claim, [(0, 1)], boxes=20).verdict == verdict


def test_witnesses_lie_in_the_box() -> None:
    a = na.Network.from_layers([([[-1.0, 0.0]], [0.1]), ([[1.0]], None)], "relu")
    s = na.Network.from_layers([([[0.0, 1.0]], None), ([[1.0]], None)], "square")
    assert (-(a * s)).certify("convex", [(0.1, 0.1), (-1, 1)], boxes=50).verdict != "refuted"


def test_fixed_inputs_do_not_count() -> None:
    f = na.Network.from_layers([([[3.0, 1.0]], None)])
    assert f.lipschitz([(0, 0), (0, 1)]).high == pytest.approx(1.0)
    assert f.lipschitz([(0, 0), (1, 1)]).high == 0
    assert f.certify("lipschitz <= 1.000001", [(0, 0), (0, 1)])
    assert f.certify("decreasing in x1", [(0, 0), (0, 1)])
    found = f.certify("decreasing in x2", [(0.5, 0.5), (0, 1)])
    assert found.verdict == "refuted"
    assert all(point[0] == 0.5 for point in found.witness)
    assert net("tanh", 1, 4, 1).certify("convex", [(0, 0)])


def test_a_name_may_not_change_what_is_claimed() -> None:
    f = na.Network.from_layers([([[3.0]], None)], output_names=["lipschitz"])
    with pytest.raises(UsageError, match="two meanings"):
        f.certify("lipschitz <= 2", [(0, 0.5)])
    g = na.Network.from_layers([([[3.0]], None)], output_names=["bounded"])
    assert g.certify("bounded by 2", [(0, 0.5)])
    assert g.certify("bounded <= 2", [(0, 0.5)])


def test_large_numbers() -> None:
    f = na.Network.from_layers([(1e160 * np.array([[1.0, 2.0], [3.0, -1.0]]), None)])
    found = f.lipschitz(UNIT)
    assert 0.99 * found.high < found.low <= found.high
    wide = [(-1.7e308, 1.7e308)] * 2
    assert (X + Y).certify("increasing in x1", wide)
    assert (X + Y).certify("convex", wide)
    with pytest.raises(UsageError, match="from 0 expected"):
        X.certify("lipschitz <= -1", UNIT)
    for norm in (True, 3, np.array([1, 2])):
        with pytest.raises(InputError, match="1, 2 or inf"):
            X.lipschitz(UNIT, norm)


def test_boxes_that_cannot_be_halved_are_left_alone() -> None:
    one_ulp = [(1.0, float(np.nextafter(1.0, 2.0)))]
    found = (na.Network.function("exp") @ ONE).certify("concave", one_ulp)
    assert found.verdict != "proven"
    assert found.boxes < 10


def test_single_precision_is_no_exception() -> None:
    a = np.array([[0.7037352323532104], [1.2654215097427368]], np.float32)
    b = np.array([[0.6232744455337524, 0.04132597893476486]], np.float32)
    smooth, kinked = (na.Network.from_layers([(a, None), (b, None)], name) for name in ("tanh", "relu"))
    assert smooth.certify("lipschitz <= 0.490914967", [(-1, 1.3)], boxes=100).verdict != "proven"
    found = kinked.lipschitz([(1, 2)])
    assert found.low <= found.high
