"""The laws of rewriting, on random diagrams and one by one; strategies; what is refused."""

import itertools
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import neuralgebra as na
from diagrams import after, diagrams, points
from neuralgebra.errors import InputError, NotCertifiedError, UsageError
from neuralgebra.functions.activation import compose
from neuralgebra.network.layers import Affine, Mixing, PowerProduct
from neuralgebra.rewrite.derivation import Derivation
from neuralgebra.rewrite.graph import Apply, Graph, natural_domain
from neuralgebra.rewrite.laws import RULES, law
from neuralgebra.rewrite.record import Record
from neuralgebra.rewrite.rules import Rule

RNG = np.random.default_rng(5)


def net(activation: Any = "tanh", kind: str = "additive", sizes: tuple[int, ...] = (3, 4, 2, 3), **options: Any) -> Any:
    layers = [(RNG.normal(size=(m, n)), RNG.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(layers, activation, kind=kind, **options)


def assert_equal(one: na.Network, other: na.Network, x: np.ndarray) -> None:
    a, b = one.extended()(x), other.extended()(x)
    assume(np.all(np.abs(a[np.isfinite(a)]) < 1e6))
    assume(not np.isinf(b[np.isfinite(a)]).any())  # products overflow where their logarithms do not
    np.testing.assert_allclose(b, a, rtol=1e-7, atol=1e-9)


# Every law --------------------------------------------------------------------------------------------------------


@given(diagrams())
@settings(max_examples=150)
def test_every_law_keeps_the_function(drawn: tuple[na.Network, str]) -> None:
    f, domain = drawn
    x = points(domain, f.input_size)
    for match in f.matches(domain=domain):
        if match.applies:
            assert_equal(f, f.apply(match.rule, match.at, domain=domain), x)
        else:
            assert match.reason


@given(diagrams(), st.sampled_from(["additive", "multiplicative", "simplified"]))
@settings(max_examples=100)
def test_strategies_keep_the_function_and_verify(drawn: tuple[na.Network, str], strategy: str) -> None:
    f, domain = drawn
    derivation = f.rewrite(strategy, domain=domain)
    assert_equal(f, derivation.result, points(domain, f.input_size))
    assert derivation.verify(2, symbols=False).steps == len(derivation)


@given(diagrams())
@settings(max_examples=60)
def test_additive_form_has_no_multiplicative_layer(drawn: tuple[na.Network, str]) -> None:
    f, domain = drawn
    assert not f.rewrite("additive", domain=domain).result.multiplicative


@given(diagrams())
@settings(max_examples=60)
def test_multiplicative_form_adds_nothing_but_for_minima(drawn: tuple[na.Network, str]) -> None:
    f, domain = drawn
    g = f.rewrite("multiplicative", domain=domain).result
    adding = [node.layer for node in g.nodes if isinstance(node.layer, Affine)]
    assert all(set(np.ravel(layer.weight.dense())) <= {0.0, 1.0, -1.0} for layer in adding)


W, B = [[1.0, 2.0], [3.0, -1.0]], [0.5, -0.25]
POSITIVE_INPUT = na.Network.function("exp", 2)
EXAMPLES = {
    "additive": after(POSITIVE_INPUT, na.PowerProduct(W, B)),
    "multiplied": after(na.Network.function("log", 2), na.Affine(W, B), na.Elementwise("exp")),
    "multiplicative": after(na.Network.identity(2), na.Affine(W, B)),
    "added": after(POSITIVE_INPUT, na.PowerProduct(W, B), na.Elementwise("log")),
    "unmixed": after(na.Network.identity(2), na.Mixing("sinh", W, B)),
    "mixed": after(na.Network.function("asinh", 2), na.Affine(W, B), na.Elementwise("sinh")),
    "compose": after(na.Network.function("tanh", 2), na.Elementwise("exp")),
    "split": na.Network.function("exp∘tanh", 2),
    "cancel": after(POSITIVE_INPUT, na.Elementwise("log")),
    "identity": after(POSITIVE_INPUT, na.Elementwise("relu")),
    "name": na.Network.function("log∘at_least∘exp", 2),
    "fuse": after(POSITIVE_INPUT, na.PowerProduct(W, B), na.PowerProduct(W, B)),
    "pool": after(na.Network.function("tanh", 2), na.Maximum([[0, 1]])),
    "unpool": after(na.Network.identity(2), na.Maximum([[0, 1]]), na.Elementwise("tanh")),
    "wiring": after(na.Network.identity(2), na.Select([1, 0, 1]), na.Elementwise("tanh")),
    "gather": after(na.Network.function("tanh", 2), na.Select([1, 0, 1])),
    "log-softmax": after(na.Network.identity(2), na.Softmax(), na.Elementwise("log")),
    "shares": after(POSITIVE_INPUT, na.Elementwise("log"), na.Softmax()),
    "softmax": after(na.Network.function("log", 2), na.Softmax()).apply("shares", domain="R>0") @ POSITIVE_INPUT,
    "log-sum-exp": after(POSITIVE_INPUT, na.Affine([[1, 2], [3, 0.5]], [0, 1]), na.Elementwise("log")),
}
_U, _V = (na.Network.function("exp") @ x for x in na.Network.identity(2))
EXAMPLES["product"] = _U * _V


def test_the_page_lists_every_law() -> None:
    page = (Path(__file__).parents[1] / "docs" / "rewriting.md").read_text()
    assert all(f"`{name}`" in page for name in RULES)


@pytest.mark.parametrize("name", RULES)
def test_each_law_has_an_example(name: str) -> None:
    f = EXAMPLES[name]
    g = f.apply(name)
    assert g != f
    x = points("R", f.input_size)
    x = np.exp(x) if name in ("multiplied",) else x
    np.testing.assert_allclose(g(x), f(x), rtol=1e-12)


@pytest.mark.parametrize("rule", [r for r in RULES.values() if r.converse in RULES], ids=lambda rule: rule.name)
def test_converse_laws_undo_each_other(rule: Rule) -> None:
    f = EXAMPLES[rule.name]
    assert f.apply(rule.name).apply(rule.converse) == f
    assert RULES[rule.converse].converse == rule.name


def test_weights_stay_the_same_objects() -> None:
    f = net(kind="multiplicative")
    g = f.to_additive()
    for before, behind in zip(f.nodes[::2], g.nodes[1::2], strict=True):
        assert behind.layer.weight is before.layer.weight
        assert behind.layer.bias is before.layer.bias
    assert {id(a) for a in f.arrays} == {id(a) for a in g.arrays}


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "softplus", "silu", "gelu"])
def test_there_and_back_is_the_same_network(activation: str) -> None:
    f = net(activation, "multiplicative")
    assert f.to_additive().to_multiplicative() == f
    assert f.to_additive(absorb=True).to_multiplicative(absorb=True) == f
    g = net(activation, "additive")
    assert g.to_multiplicative().to_additive() == g


def test_absorption_is_a_change_of_the_interface() -> None:
    f = net(kind="multiplicative")
    derivation = f.rewrite("additive", absorb=True)
    assert [step.rule for step in derivation if "absorb" in step.rule] == [
        "absorb inputs by log",
        "absorb outputs by exp",
    ]
    x = points("R>0", 3)
    np.testing.assert_allclose(derivation.result(np.log(x)), np.log(f(x)), rtol=1e-12, atol=1e-13)
    assert "log" not in [str(node.layer) for node in derivation.result.nodes]


def test_a_multiplicative_relu_network_is_one_product() -> None:
    f = net("relu", "multiplicative")
    derivation = f.rewrite("simplified")
    (node,) = derivation.result.nodes
    assert isinstance(node.layer, PowerProduct)
    weights = [n.layer.weight.dense() for n in f.nodes[::2]]
    np.testing.assert_allclose(node.layer.weight.dense(), weights[2] @ weights[1] @ weights[0], rtol=1e-14)
    assert {step.rule for step in derivation} == {"identity", "fuse"}
    x = points("R>0", 3)
    np.testing.assert_allclose(derivation.result(x), f(x), rtol=1e-11)


# Conversion of other layers -----------------------------------------------------------------------------------------


def both_ways(f: na.Network, x: np.ndarray) -> tuple[na.Network, na.Network]:
    additive, multiplicative = f.to_additive(domain="R>0"), f.to_multiplicative(domain="R>0")
    for g in (additive, multiplicative):
        np.testing.assert_allclose(g(x), f(x), rtol=1e-11)
    return additive, multiplicative


def test_pooling() -> None:
    x = points("R>0", 4)
    f = after(na.Network.identity(4), na.PowerProduct(RNG.normal(size=(4, 4))), na.Elementwise("tanh"),
              na.Maximum([[0, 1], [2, 3]]), na.PowerProduct(RNG.normal(size=(2, 2))))  # fmt: skip
    additive, _ = both_ways(f, x)
    assert [str(n.layer) for n in additive.nodes] == [
        "log", "Affine 4→4", "log∘tanh∘exp", "Maximum", "Affine 2→2", "exp",
    ]  # fmt: skip
    mean = np.array([[0.5, 0.5]])
    geometric = after(na.Network.identity(2), na.PowerProduct(mean))
    assert geometric([2.0, 8.0]) == pytest.approx([4.0])
    assert geometric.to_additive(absorb=True)([1.0, 3.0]) == pytest.approx([2.0])


def test_softmax_heads() -> None:
    x = points("R>0", 3)
    head = after(na.Network.identity(3), na.PowerProduct(RNG.normal(size=(3, 3))), na.Elementwise("log"), na.Softmax())
    additive, multiplicative = both_ways(head, x)
    assert [str(n.layer) for n in additive.nodes] == ["log", "Affine 3→3", "Softmax"]
    assert not any(isinstance(n.layer, na.Softmax) for n in multiplicative.nodes)
    additive_head = net("tanh", "additive", output="softmax")
    g = additive_head.to_multiplicative()
    assert not any(isinstance(n.layer, na.Softmax) for n in g.nodes)
    np.testing.assert_allclose(g(x), additive_head(x), rtol=1e-11)
    assert g.to_additive() == additive_head
    large = na.Network.from_layers([([[50.0], [49.0]], None)], output="softmax")
    z_over_sum = large.to_multiplicative()  # and not ln Π exp z, which overflows
    np.testing.assert_allclose(z_over_sum([[1.0]]), large([[1.0]]), rtol=1e-11)


def test_three_softmaxes_are_told_apart() -> None:
    """softmax ∘ ln is z/Σz; ln ∘ (z/Σz) ∘ exp is log-softmax; the exponential of shares is neither."""
    shares = after(na.Network.function("log", 3), na.Softmax()).apply("shares", domain="R>0")
    z = points("R>0", 3)
    np.testing.assert_allclose(shares(z), z / z.sum(axis=1, keepdims=True), rtol=1e-14)
    log_softmax = (na.Network.function("log", 3) @ shares @ na.Network.function("exp", 3)).rewrite("additive").result
    assert [str(n.layer) for n in log_softmax.nodes] == ["LogSoftmax"]
    literal = na.Network.function("exp", 3) @ shares @ na.Network.function("log", 3)
    assert not np.allclose(literal(z + 1), shares(z + 1))


def test_a_sum_in_the_additive_form_is_a_product_in_the_multiplicative_one() -> None:
    x = na.Network.identity(2)
    f = x + na.Network.from_layers([([[1, 2], [3, 4]], [5, 6])], output="tanh")
    g = f.to_multiplicative()
    assert sum(isinstance(n.layer, PowerProduct) for n in g.nodes) == 2
    at = points("R", 2)
    np.testing.assert_allclose(g(at), f(at), rtol=1e-12)
    np.testing.assert_allclose(g.to_additive()(at), f(at), rtol=1e-12)


MIXING = {
    "sinh": na.activation("sinh"), "exp": na.activation("exp"), "cube": na.activation("cube"),
    "affine": na.activation("affine", slope=2, offset=1), "base 10": na.activation("exp_base", base=10),
}  # fmt: skip


@pytest.mark.parametrize("function", MIXING.values(), ids=MIXING)
def test_mixing_layers(function: na.Activation) -> None:
    layers = [na.Mixing(function, RNG.normal(size=(3, 3)) / 3, RNG.normal(size=3) / 3) for _ in range(2)]
    f = after(na.Network.identity(3), layers[0], na.Elementwise("softplus"), layers[1])
    g = f.to_additive()
    between = compose([function.inverse, na.activation("softplus"), function])
    assert [str(n.layer) for n in g.nodes] == [
        str(function.inverse), "Affine 3→3", str(between), "Affine 3→3", str(function),
    ]  # fmt: skip
    x = points("R>0", 3)
    np.testing.assert_allclose(g(x), f(x), rtol=1e-12)
    back = g.apply("split").rewrite(["split", "mixed"])
    assert sum(isinstance(n.layer, Mixing | PowerProduct) for n in back.result.nodes) == 2


@pytest.mark.parametrize(("base", "between"), [(10, "at_least"), (2.5, "at_least"), (0.5, "at_most")])
def test_any_base(base: float, between: str) -> None:
    """A base below 1 makes a minimum of a maximum."""
    f = net("relu")
    g = f.to_multiplicative(base=base)
    assert [n.layer.function.name for n in g.nodes if isinstance(n.layer, Mixing)] == ["exp_base"] * 3
    words = [n.layer.only.name for n in g.nodes if isinstance(n.layer, na.Elementwise)]
    assert words[0] == "exp_base"
    assert words[-1] == "log_base"
    x = points("R", 3)
    np.testing.assert_allclose(g(x), f(x), rtol=1e-10)
    assert g.to_additive() == f
    assert na.conjugate("relu", "multiplicative", base=base).activation.name == between
    made = na.Network.from_layers(f.layers_list(), "tanh", kind="multiplicative", base=base)
    natural = [(w, b * np.log(base)) for w, b in f.layers_list()]
    expected = na.Network.from_layers(natural, "tanh", kind="multiplicative")
    positive = np.exp(x)
    np.testing.assert_allclose(made(positive), expected(positive), rtol=1e-10)
    for (w, b), (v, c) in zip(made.layers_list(), f.layers_list(), strict=True):
        assert (np.array_equal(w, v), np.array_equal(b, c)) == (True, True)


@pytest.mark.parametrize("base", [1, 0, -2, np.nan, np.inf, "e", True])
def test_what_is_no_base(base: Any) -> None:
    for call in (
        lambda: net().to_multiplicative(base=base),
        lambda: na.Network.from_layers([([[1.0]], None)], kind="multiplicative", base=base),
        lambda: na.activation("exp_base", base=base),
        lambda: na.conjugate("tanh", base=base),
    ):
        with pytest.raises(InputError, match=r"base|finite numbers|number"):
            call()


def test_a_base_belongs_to_multiplicative_layers() -> None:
    with pytest.raises(UsageError, match="base=2 received with kind='additive'"):
        na.Network.from_layers([([[1.0]], None)], base=2)
    with pytest.raises(UsageError, match="base=2 received with additive"):
        net().rewrite("additive", base=2)


def test_known_functions_have_their_names() -> None:
    """max(x, 1) ↔ relu, 1 + x ↔ softplus, x/(1 + x) ↔ logsigmoid."""
    one = na.activation("affine", slope=1, offset=1)
    for sigma, twin in ((na.activation("at_least"), "relu"), (one, "softplus"), (na.activation("hill"), "logsigmoid")):
        f = net(sigma, "multiplicative")
        g = f.to_additive(absorb=True)
        assert [str(n.layer) for n in g.nodes[1::2]] == [twin, twin]
        assert g.to_multiplicative(absorb=True) == f


def test_equal_parameters_make_equal_networks() -> None:
    """1, 1.0, 1/1 and NumPy's 1 are one parameter, in whichever spelling a function was made first."""
    slopes = (1, 1.0, Fraction(1), np.float64(1))
    functions = [na.activation("affine", slope=a, offset=1 / 2) for a in slopes]
    assert len({na.Network.from_layers([([[2.0]], None)] * 2, f).digest for f in functions}) == 1
    other = na.activation("affine", slope=math.nextafter(1, 2), offset=1 / 2)
    assert na.Network.from_layers([([[2.0]], None)] * 2, other) != na.Network.from_layers(
        [([[2.0]], None)] * 2, functions[0]
    )


def test_sums_of_products() -> None:
    """ln Σ v_k ∏ x^{w_k} is a log-sum-exp of additive terms; two sums of different lengths, one with a constant."""
    w, v, c = RNG.normal(size=(3, 2)), np.array([[1.0, 2.0, 0.5], [0.0, 3.0, 0.0]]), np.array([0.0, 0.75])
    f = after(na.Network.identity(2), na.PowerProduct(w), na.Affine(v, c))
    g = f.rewrite("additive", domain="R>0").result
    assert any(isinstance(n.layer, PowerProduct) for n in f.nodes)
    assert not g.multiplicative
    h = after(f, na.Elementwise("log")).rewrite("additive")
    assert "log-sum-exp" in [step.rule for step in h]
    x = points("R>0", 2)
    np.testing.assert_allclose(h.result(x), np.log(f(x)), rtol=1e-12)
    assert h.verify(2).holds
    far = np.exp(np.array([[300.0, 300.0], [-300.0, 300.0]]))
    expected = [np.logaddexp.reduce(w @ np.log(p) + np.log(v[0])) for p in far]
    np.testing.assert_allclose(h.result(far)[:, 0], expected, rtol=1e-12)


def test_negative_factors_are_refused_with_their_place() -> None:
    f = after(na.Network.function("exp", 2), na.Affine([[1, 2], [3, -4]]), na.Elementwise("log"))
    (match,) = [m for m in f.matches(["log-sum-exp"]) if not m.applies]
    assert match.reason == "factor -4 of term 2 of sum 2 at wire 2; the rule needs v > 0"


def test_a_falling_function_makes_a_minimum_of_a_maximum() -> None:
    f = after(na.Network.function("exp", 2), na.Maximum([[0, 1]]), na.Elementwise("reciprocal"))
    g = f.apply("unpool")
    assert [str(n.layer) for n in g.nodes] == [
        "exp", "reciprocal", "Affine 2→2", "Maximum", "Affine 1→1",
    ]  # fmt: skip
    x = points("R", 2)
    np.testing.assert_allclose(g(x), 1 / np.exp(x).max(1, keepdims=True), rtol=1e-14)


# Refusals ---------------------------------------------------------------------------------------------------------


def test_exp_after_log_on_a_wire_of_all_numbers() -> None:
    f = after(
        na.Network.identity(2), na.Affine(W, B), na.Elementwise("tanh"), na.Elementwise("log"), na.Elementwise("exp")
    )
    with pytest.raises(InputError, match=r"wire 2 is \(-1, 1\), the rule needs x > 0"):
        f.apply("cancel")
    g = after(na.Network.identity(1), na.Elementwise("log"), na.Elementwise("exp"))
    with pytest.raises(InputError, match=r"exp∘log not cancelled: wire 0 is R, the rule needs x > 0"):
        g.apply("cancel", 2)
    assert g.apply("cancel", domain="R>0") == na.Network.identity(1)
    assert g.rewrite("simplified").result.nodes[0].layer == na.Elementwise("exp∘log")


def test_what_follows_may_ask_for_positive_numbers() -> None:
    g = after(na.Network.identity(1), na.Elementwise("log"), na.Elementwise("exp"), na.PowerProduct([[2.0]]))
    assert g.apply("cancel", 2, domain="R") == after(na.Network.identity(1), na.PowerProduct([[2.0]]))


def test_square_and_its_root() -> None:
    f = after(na.Network.identity(1), na.Elementwise("square"), na.Elementwise("sqrt"))
    with pytest.raises(InputError, match="wire 0 is R, the rule needs x ≥ 0"):
        f.apply("cancel")
    assert f.apply("cancel", domain=(0, 3)) == na.Network.identity(1)


@pytest.mark.parametrize(("change", "message"), [
    (lambda f: f.apply("additive", 1), "rule additive does not apply at wire 1, Affine 3→4; it is M_W = exp ∘ A_W"),
    (lambda f: f.apply("fuse"), "rule fuse does not apply anywhere"),
    (lambda f: f.apply("compose", 99), "wire 99 received; 0 .* to 5 expected"),
    (lambda f: f.apply("magic"), "rule 'magic' received; one of additive, "),
    (lambda f: f.apply("insert"), "rule insert with by=None received"),
    (lambda f: f.apply("compose", by="exp"), "rule compose with by=exp received"),
    (lambda f: f.apply("insert", 1, by="log"), "wire 1 is R, log is one to one on R>0"),
    (lambda f: f.apply("mixing", 1, by="relu"), "relu received; a bijection of the real numbers"),
    (lambda f: f.apply("absorb inputs", by="log"), "the input is taken without log by wire 1"),
    (lambda f: f.rewrite("sideways"), "strategy 'sideways' received; one of additive, multiplicative, simplified"),
    (lambda f: f.rewrite(["additive", "multiplied"]), "additive and its converse multiplied received; together"),
    (lambda f: f.rewrite(["pool", "unpool"]), "together they never end"),
    (lambda f: f.rewrite(["additive", "multiplicative"]), "additive and multiplicative received; together"),
    (lambda f: f.rewrite(["mixed", "compose", "additive"]), "additive and mixed received; together they never end"),
    (lambda f: f.rewrite(["multiplied", "unmixed"]), "unmixed and multiplied received; together they never end"),
    (lambda f: f.rewrite(None), "strategy None received; one of additive, multiplicative, simplified, or a list"),
    (lambda f: f.rewrite(5), "strategy 5 received"),
    (lambda f: f.apply("compose", "2"), "wire '2' received; 0 .* to 5 expected"),
    (lambda f: f.apply("compose", True), "wire True received; 0 .* to 5 expected"),
    (lambda f: f.rewrite("simplified", absorb=True), "absorb=True received with simplified"),
    (lambda f: f.matches(domain="positive"), "domain positive received"),
    (lambda f: f.matches(domain=(2, 1)), r"domain \(2, 1\) received"),
])  # fmt: skip
def test_errors_say_what_is_wrong(change: Any, message: str) -> None:
    with pytest.raises((InputError, UsageError), match=message):
        change(net())


def test_insertion_is_the_converse_of_cancellation() -> None:
    f = net()
    g = f.apply("insert", 1, by="exp")
    assert [str(n.layer) for n in g.nodes[:4]] == ["Affine 3→4", "exp", "log", "tanh"]
    assert g.apply("cancel") == f
    h = f.apply("insert", 0, by="sinh")
    assert h.apply("cancel") == f


def test_a_companion_law_is_derived() -> None:
    """ln ∘ M ∘ exp = A from exp ∘ A ∘ ln = M: functions at all dangling ends, then cancellation, as in the seed."""
    m = after(na.Network.function("exp", 2), na.PowerProduct(W, B), na.Elementwise("log"))
    additive = m.apply("additive").apply("cancel", 2).apply("cancel")
    assert additive == after(na.Network.identity(2), na.Affine(W, B))


# Length -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1_000, pytest.param(5_000, marks=pytest.mark.long)])
def test_thousands_of_layers(depth: int) -> None:
    layers = [(RNG.normal(size=(3, 3)) / 3, None) for _ in range(depth)]
    f = na.Network.from_layers(layers, "tanh", kind="multiplicative")
    derivation = f.rewrite("additive")
    assert len(derivation) == depth + 2 * (depth - 1)
    assert [str(n.layer) for n in derivation.result.nodes[:4]] == ["log", "Affine 3→3", "log∘tanh∘exp", "Affine 3→3"]
    assert len(derivation.result.nodes) == 2 * depth + 1


# Planted mistakes -------------------------------------------------------------------------------------------------


def wrong(name: str, find: Any, **changes: Any) -> Rule:
    rule = RULES[name]
    return Rule(f"wrong {name}", rule.statement, rule.condition, find, **changes)


def _transposed(graph: Any, wire: int) -> Any:
    layer = graph.layer(wire)
    if not isinstance(layer, PowerProduct):
        return None
    return Apply.to(na.Elementwise("exp"), na.Affine(layer.weight.dense().T, layer.bias), na.Elementwise("log"),
                    graph.before(wire))  # fmt: skip


def _without_bias(graph: Any, wire: int) -> Any:
    layer = graph.layer(wire)
    if not isinstance(layer, PowerProduct):
        return None
    return Apply.to(na.Elementwise("exp"), na.Affine(layer.weight), na.Elementwise("log"), graph.before(wire))


def _other_order(graph: Any, wire: int) -> Any:
    outer = graph.layer(wire)
    inner = graph.layer(graph.before(wire)) if isinstance(outer, na.Elementwise) else None
    if not isinstance(inner, na.Elementwise):
        return None
    return Apply.to(inner, outer, graph.nodes[graph.before(wire)].inputs[0])


def _max_of_falling(graph: Any, wire: int) -> Any:
    node = graph.nodes[wire]
    inner = graph.nodes.get(node.inputs[0])
    if not isinstance(node.layer, na.Maximum) or inner is None or not isinstance(inner.layer, na.Elementwise):
        return None
    return Apply.to(inner.layer, node.layer, inner.inputs[0])


def _cancelled_anyway(graph: Any, wire: int) -> Any:
    outer = graph.layer(wire)
    inner = graph.layer(graph.before(wire)) if isinstance(outer, na.Elementwise) else None
    if not isinstance(inner, na.Elementwise) or str(outer) != "sqrt" or str(inner) != "square":
        return None
    return graph.nodes[graph.before(wire)].inputs[0]


def _ordinary_sum(graph: Any, wire: int) -> Any:
    node = graph.nodes[wire]
    return Apply.to(na.Softmax(), graph.before(wire)) if str(node.layer) == "LogSoftmax" else None


PLANTED = {
    "transposed weight": (net(kind="multiplicative", sizes=(3, 3, 3)), wrong("additive", _transposed)),
    "missing bias": (net(kind="multiplicative"), wrong("additive", _without_bias)),
    "functions in the other order": (after(net(), na.Elementwise("softplus"), na.Elementwise("tanh")),
                                     wrong("compose", _other_order)),
    "maximum of a falling function": (after(na.Network.function("exp", 2), na.Elementwise("reciprocal"),
                                            na.Maximum([[0, 1]])), wrong("pool", _max_of_falling)),
    "cancelled on all numbers": (after(net(), na.Elementwise("square"), na.Elementwise("sqrt")),
                                 wrong("cancel", _cancelled_anyway)),
    "no logarithm": (after(net(), na.Softmax(log=True)), wrong("log-softmax", _ordinary_sum)),
}  # fmt: skip


@pytest.mark.parametrize(("f", "rule"), PLANTED.values(), ids=PLANTED)
def test_a_wrong_law_is_caught_at_its_step(f: na.Network, rule: Rule) -> None:
    graph, records = Graph(f, natural_domain(f)), []
    for name, where in ((law("insert", "exp"), 1), (rule, None)):
        for wire in [where] if where else reversed(graph.live):
            found = name.find(graph, wire)
            if isinstance(found, int | Apply):
                records.append(Record(name, wire, graph.replace(wire, found)))
                break
    assert len(records) == 2
    with pytest.raises(NotCertifiedError, match=rf"step 2, wrong .* at wire {records[1].at} "):
        Derivation(f, natural_domain(f), tuple(records)).verify()


def test_a_wrong_rounding_is_caught() -> None:
    f = net("relu", "multiplicative")

    def slightly(graph: Any, wire: int) -> Any:
        term = RULES["fuse"].find(graph, wire)
        if not isinstance(term, Apply):
            return term
        return Apply(na.PowerProduct(term.layer.weight.dense() * (1 + 1e-9), term.layer.bias), term.inputs)

    rules = [RULES["identity"], wrong("fuse", slightly, rounds=True)]
    with pytest.raises(NotCertifiedError, match="wrong fuse"):
        f.rewrite(rules).verify()


# The network of the post ------------------------------------------------------------------------------------------


def test_losses_and_gradients_of_both_forms_are_equal() -> None:
    """3-3-3-3, loss |ln f(x) - t|²: the same gradients in W and b; in the inputs x ∂/∂x = ∂/∂ ln x."""
    f = net("tanh", "multiplicative", (3, 3, 3, 3))
    twin = f.to_additive(absorb=True)
    rng = np.random.default_rng(0)
    x, t = np.exp(rng.normal(size=(16, 3)) / 2), rng.normal(size=(16, 3))
    y, v = f(x), twin(np.log(x))
    np.testing.assert_allclose(((np.log(y) - t) ** 2).sum(), ((v - t) ** 2).sum(), rtol=1e-13)
    w = 2 * (v - t)
    ours, theirs = f.parameter_vjp(x, w / y), twin.parameter_vjp(np.log(x), w)
    for (name, one), other in zip(ours.items(), theirs.values(), strict=True):
        scale = abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * scale, err_msg=name)
    np.testing.assert_allclose(x * f.vjp(x, w / y), twin.vjp(np.log(x), w), rtol=1e-9, atol=1e-13)


# Side conditions that are easily forgotten ---------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "reason"), [("reciprocal", "rise or fall"), ("tan", "rise or fall"), ("log", "rise")])
def test_maxima_pass_only_where_a_function_is_defined(name: str, reason: str) -> None:
    """1/x falls on both sides of 0 and not across; the maximum of logarithms needs all of them."""
    before = after(na.Network.function(name, 2), na.Maximum([[0, 1]]))
    behind = after(na.Network.identity(2), na.Maximum([[0, 1]]), na.Elementwise(name))
    for f, law_name in ((before, "pool"), (behind, "unpool")):
        with pytest.raises(InputError, match=reason):
            f.apply(law_name)
        assert f.apply(law_name, domain=(0.1, 1.5)) != f


def test_mixing_by_what_takes_a_value_twice_is_refused() -> None:
    f = na.Network.from_layers([([[1.0]], None)])
    with pytest.raises(InputError, match="square received; a bijection of the real numbers"):
        f.apply("mixing", 1, by="square")
    for function in (na.activation("affine", slope=0), "relu", "cosh", "log"):
        with pytest.raises(InputError, match="a bijection of the real numbers"):
            f.apply("mixing", 1, by=function)
