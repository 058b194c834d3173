"""Laws keep to their side conditions: what is known of a wire, what functions do beyond their domain, what is said."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import InputError, NotCertifiedError, UsageError
from neuralgebra.functions.activation import activation
from neuralgebra.network.builder import Node
from neuralgebra.network.layers import Affine, Elementwise, Layer, Maximum, Mixing, PowerProduct, Softmax
from neuralgebra.rewrite.derivation import Derivation
from neuralgebra.rewrite.graph import Apply, Graph, natural_domain
from neuralgebra.rewrite.laws import law
from neuralgebra.rewrite.ranges import Range, through
from neuralgebra.rewrite.record import Record
from neuralgebra.rewrite.rules import Rule

POOL = Maximum([[0, 1]])
X = np.array([-3.0, -2.0, -0.5, 0.5, 2.0, 3.0])[:, None]


def chain(*layers: Layer | str, size: int = 1) -> na.Network:
    """Return layers, the first applied first; a name is that of a function."""
    given = [Elementwise(layer) if isinstance(layer, str) else layer for layer in layers]
    return na.Network([Node(layer, (i,)) for i, layer in enumerate(given)], len(given), size)


def function(name: str, **parameters: Any) -> Elementwise:
    return Elementwise(activation(name, **parameters))


@pytest.mark.parametrize(
    "layers",
    [
        ("square", "sqrt", "log"),
        ("square", "sqrt", "reciprocal"),
        ("log", "exp", "reciprocal"),
        (function("power", p=2), function("power", p=0.5), function("power", p=3)),
        ("tan", "arctan", "logit"),
        ("reciprocal", "relu"),
        (function("power", p=3), "relu"),
        ("hill", "relu"),
        ("log'", "relu"),
    ],
    ids=lambda layers: "-".join(str(layer) for layer in layers),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_functions_of_numbers_beyond_their_domain_stay(layers: tuple[Layer | str, ...]) -> None:
    """sqrt(x²) is no x for x < 0, though log takes x > 0; and 1/x, whose row states x > 0, is negative there."""
    f = chain(*layers)
    np.testing.assert_allclose(f.rewrite("simplified").result(X), f(X), rtol=1e-14)


def test_what_one_input_has_to_be_another_need_not() -> None:
    """A product of the first input asks nothing of the second, whose relu stays."""
    f = na.parallel(chain(PowerProduct([[2.0]])), chain("relu"))
    for form in ("simplified", "additive"):
        np.testing.assert_allclose(f.rewrite(form).result([[3.0, -1.0]]), [[9.0, 0.0]], rtol=1e-14)
    assert str(chain(PowerProduct([[2.0, 1.0]]), size=2).rewrite().domain) == "R>0"


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_who_else_takes_a_wire_does_not_say_what_it_holds() -> None:
    """log∘exp∘log is log, which says nothing of the x that relu takes."""
    f = na.stack(chain("log", "exp", "log"), chain("relu"))
    g = f.rewrite("simplified").result
    assert len(g.nodes) < len(f.nodes)
    np.testing.assert_array_equal(g(X), f(X))


def test_a_name_is_given_where_the_first_function_is_defined() -> None:
    """exp∘relu∘log of -2 is no number, and max(-2, 1) is one, which a product takes."""
    f = chain("log", "relu", "exp", PowerProduct([[2.0]])).extended()
    assert np.isnan(f.rewrite(["compose", "name"]).result.extended()([[-2.0]])).all()
    assert "at_least" in str(f.rewrite(["compose", "name"], domain="R>0").result)


def test_shares_are_of_positive_numbers() -> None:
    f = chain("log", Softmax(), size=2)
    with pytest.raises(InputError, match=r"what log takes at wire 1 is R, the rule needs z > 0"):
        f.apply("shares")
    np.testing.assert_allclose(f.apply("shares", domain="R>0")([[1.0, 3.0]]), [[0.25, 0.75]])


def test_mixing_by_what_takes_values_twice_is_not_fused() -> None:
    """The sum of the first layer is -3, its square 9, and the root of that 3."""
    f = chain(Mixing("square", [[1.0]], [-4.0]), Mixing("square", [[1.0]], [1.0]))
    f = f.extended()
    assert f([[1.0]]) == f.rewrite("simplified").result.extended()([[1.0]]) == 16
    with pytest.raises(InputError, match="does not map R one to one"):
        f.apply("fuse", 2)


def test_ends_are_not_rounded_to_the_dtype_of_the_weights() -> None:
    layer = Affine(np.array([[-(2.0**24), -1.0]], np.float32), np.array([2.0**24], np.float32))
    assert through(layer, [Range.of((0, 1))]).low <= -1


# Steps that end, and that are checked -----------------------------------------------------------------------------


def test_an_identity_among_other_functions_is_no_step() -> None:
    f = chain(Elementwise([("identity", 1), ("tanh", 1)]), size=2)
    for form in ("simplified", "additive", "multiplicative"):
        assert len(f.rewrite(form)) == 0
    assert f.matches("identity") == []


def test_a_name_that_is_spelled_as_before_is_no_step() -> None:
    layers = PowerProduct([[1.0]]), function("hardsigmoid", slope=0.3, offset=0.2), PowerProduct([[2.0]])
    result = chain(*layers).rewrite("additive").result
    assert "log∘hardsigmoid∘exp" in str(result)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("at_least", {"bound": 2}),
        ("at_most", {"bound": 0.5}),
        ("hardtanh", {"low": 0.5, "high": 2}),
        ("selu", {}),
    ],
)
def test_names_with_rounded_constants_are_verified(name: str, parameters: dict[str, Any]) -> None:
    """log 2 is rounded: the named function is the other one within that."""
    weight = np.array([[1.0, -0.5], [0.3, 0.2]])
    d = chain(PowerProduct(weight), function(name, **parameters), PowerProduct(weight), size=2).rewrite("additive")
    assert "name" in [step.rule for step in d]
    assert d.verify(8).holds


@pytest.mark.parametrize(
    ("layer", "form"),
    [
        (function("hardtanh", low=-1000, high=1000), "multiplicative"),
        (function("affine", slope=(2.0, 1.0)), "multiplicative"),
        (function("affine", slope=1e300, offset=1e-300), "additive"),
        (function("affine", slope=1e-300, offset=1e300), "additive"),
        (function("at_least", bound=(2.0, -1.0)), "additive"),
    ],
    ids=str,
)
def test_functions_without_a_name_keep_theirs(layer: Layer, form: str) -> None:
    """A constant that overflows, or a name for each unit, is no reason to give up."""
    kind = Affine if form == "multiplicative" else PowerProduct
    f = chain(kind(np.eye(2)), layer, kind(np.ones((1, 2))), size=2)
    x = np.array([[0.5, 2.0]])
    np.testing.assert_allclose(f.rewrite(form).result(x), f(x), rtol=1e-13)


def test_laws_say_what_they_do_and_do_not_undo_each_other() -> None:
    f = chain("asinh", Affine([[2.0]]), "sinh")
    with pytest.raises(InputError, match="multiplied does not apply"):
        f.apply("multiplied")
    assert isinstance(f.apply("mixed").nodes[0].layer, Mixing)
    g = chain("log", Affine([[2.0]]), "exp")
    assert isinstance(g.apply("multiplied").nodes[0].layer, PowerProduct)
    for laws in (["additive", "multiplicative"], ["mixed", "additive"]):
        with pytest.raises(UsageError, match="together they never end"):
            g.rewrite(laws)


@pytest.mark.parametrize(
    "layers", [(Affine(np.eye(2)), POOL, "relu"), (Affine(np.eye(2)), "cbrt", Affine(np.eye(2)), POOL)]
)
def test_maxima_of_a_base_below_1_are_minima(layers: tuple[Layer | str, ...]) -> None:
    """Minima of positive numbers are written without a layer that adds, which would be made one that multiplies."""
    f = chain(*layers, size=2)
    d = f.rewrite("multiplicative", base=0.5)
    assert d.verify().holds
    assert not any(isinstance(node.layer, Affine) for node in d.result.nodes)
    x = np.random.default_rng(0).normal(size=(5, 2))
    np.testing.assert_allclose(d.result(x), f(x), atol=1e-13)


def test_mixing_by_a_function_and_its_inverse_ends() -> None:
    f = chain(Mixing("cube", np.eye(2)), Affine(-np.eye(2)), POOL, Mixing("cbrt", [[2.0]]), size=2)
    x = np.random.default_rng(0).normal(size=(5, 2))
    for form in ("additive", "multiplicative"):
        np.testing.assert_allclose(f.rewrite(form).result(x), f(x), rtol=1e-12)


def test_what_goes_in_may_be_said_to_be_any_number() -> None:
    """Every t is ln of a positive x, whatever x was said to be."""
    f = chain(PowerProduct([[2.0]]))
    assert f.rewrite("additive", domain="R", absorb=True).verify().holds


def test_kinks_that_are_nowhere_are_no_obstacle() -> None:
    """0·x + 1/2 is never 0."""
    layers = Affine([[2.0]]), function("hardsigmoid", slope=0, offset=0.5), Affine([[2.0]])
    assert chain(*layers).rewrite("multiplicative").verify().holds


def test_a_step_that_loses_numbers_does_not_hold() -> None:
    """exp∘ln is no wire for x <= 0, though it is one at the other points."""
    insert = law("insert", "log")
    loose = dataclasses.replace(insert, find=lambda _, wire: Apply.to(Elementwise("exp"), Elementwise("log"), wire))
    with pytest.raises(NotCertifiedError, match=r"step 1, insert at wire 1 .* becomes no number at a point"):
        derived(chain("cube"), loose, 1).verify(16, symbols=False)


@pytest.mark.parametrize(("end", "by", "wrong", "at"), [("inputs", "exp", "asinh", 0), ("outputs", "exp", "cbrt", 1)])
def test_a_wrong_absorption_is_caught(end: str, by: str, wrong: str, at: int) -> None:
    right = law(f"absorb {end}", by)
    assert derived(chain("exp"), right, at).verify().holds
    planted = dataclasses.replace(right, find=lambda _, wire: Apply(Elementwise(wrong), (wire,)))
    with pytest.raises(NotCertifiedError, match=f"step 1, absorb {end} at wire {at} .* does not hold"):
        derived(chain("exp"), planted, at).verify()


def derived(f: na.Network, rule: Rule, at: int) -> Derivation:
    """Return the derivation of one step."""
    graph = Graph(f, domain := natural_domain(f))
    found = rule.find(graph, at)
    assert isinstance(found, int | Apply)
    return Derivation(f, domain, (Record(rule, at, graph.replace(at, found, rule.interface)),))


# Texts of derivations ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "domain",
    [
        ["nan", "nan", True, True],
        ["0x1p+2", "0x1p+0", True, True],
        ["inf", "inf", False, False],
        ["0x1p9999", "inf", 0, 0],
    ],
    ids=str,
)
def test_domains_without_numbers_are_refused(tmp_path: Any, domain: list[Any]) -> None:
    """On no numbers every law holds."""
    f = chain(PowerProduct([[2.0]]), "tanh")
    content = json.loads(f.rewrite("additive").to_json())
    path = tmp_path / "steps.json"
    path.write_text(json.dumps(content | {"domain": domain}))
    with pytest.raises(InputError, match="two ends in hexadecimal, in ascending order, expected"):
        na.load_derivation(path, f)


@pytest.mark.parametrize("by", [["nosuch", []], ["affine", [["slope", "1/0"]]], ["affine", [["slope", "0x1p9999"]]]])
def test_functions_that_are_none_are_bad_input(tmp_path: Any, by: list[Any]) -> None:
    f = chain("tanh")
    content = json.loads(f.rewrite("simplified").to_json())
    path = tmp_path / "steps.json"
    path.write_text(json.dumps(content | {"steps": [{"rule": "insert", "at": 1, "by": by}]}))
    with pytest.raises(InputError, match="step 1: "):
        na.load_derivation(path, f)
