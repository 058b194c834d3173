"""Files of other languages: their self-tests notice errors, names stay data, and they are good neighbours."""

from __future__ import annotations

import keyword
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from code_hosts import NONE, TESTED, computed, expect_host, planted, run, self_tests
from code_oracles import all_networks, networks
from julia_reader import read
from neuralgebra.code.emit import LANGUAGES, code, written
from neuralgebra.errors import InputError

PRODUCTS = ["jvp", "vjp", "hvp"]
SENSITIVE = ("tanh", "gelu", "softplus", "product", "softmax output")


@cache
def texts(language: str) -> dict[str, str]:
    """Programs as they are, unrolled and packed, with one weight that is wrong, and with one that is no number."""
    found = {}
    for i, (name, f) in enumerate(networks().items()):
        found[f"n{i}"] = str(code(f, language, 3, name=f"n{i}", products=PRODUCTS))
        if name in SENSITIVE:
            wrong = str(code(f, language, 0, name=f"wrong{i}"))
            found[f"wrong{i}"] = planted(wrong, lambda number: repr(float(number) * (1 + 1e-9)))
            found[f"packed{i}"] = str(code(f, language, 2, name=f"packed{i}", packed=True))
            found[f"unrolled{i}"] = str(code(f, language, 1, name=f"unrolled{i}", unroll=True, products=PRODUCTS))
        if name in (*SENSITIVE, "relu", "maximum", "residual"):
            text = str(code(f, language, 1, name=f"none{i}"))
            found[f"none{i}"] = planted(text, lambda _: NONE[language]).replace(f"{NONE[language]}_f64", NONE[language])
    return found


@pytest.mark.parametrize("language", TESTED)
def test_self_tests_notice_what_is_wrong_and_nothing_else(language: str, tmp_path: Path) -> None:
    expect_host(language)
    found = self_tests(language, texts(language), tmp_path)
    assert len(found) == len(texts(language))
    for name, wrong in found.items():
        assert (wrong > 0) == name.startswith(("wrong", "none")), f"{name}: {wrong}"


SCRIPTS = {
    "python": ["python3 f.py"],
    "javascript": ["node f.js"],
    "rust": ["rustc --cfg neuralgebra_main -D warnings f.rs -o f", "./f"],
}


@pytest.mark.parametrize("language", SCRIPTS)
def test_files_are_programs_that_print_their_self_test(language: str, tmp_path: Path) -> None:
    expect_host(language)
    text = str(code(networks()["product"], language, 2, products=PRODUCTS))
    (tmp_path / f"f{LANGUAGES[language].suffix}").write_text(text)
    said = "".join(run(command, tmp_path) for command in SCRIPTS[language])
    assert said == "f: 0 of the results are wrong\n"


# Names --------------------------------------------------------------------------------------------------------------

HOSTILE = [
    'a; system("id"); //',
    "*/ import os",
    "`rm -rf`",
    "${x}",
    "</script>",
    "#{x}",
    "%d %{",
    "#= =#",
    "...",
    "ünï 漢字",
    '"""',
    "X1",
    "x1",
    "a\nb\r\u2028c",
]


@pytest.mark.parametrize("language", TESTED)
def test_names_from_files_are_data(language: str, tmp_path: Path) -> None:
    expect_host(language)
    weight = np.random.default_rng(0).normal(size=(len(HOSTILE), len(HOSTILE)))
    outputs = [f"{n} y" for n in HOSTILE]
    f = na.Network.from_layers([(weight, None)], input_names=HOSTILE, output_names=outputs)
    text = str(code(f, language, 1))
    plain = str(code(na.Network.from_layers([(weight, None)]), language, 1))
    comment = LANGUAGES[language].comment.format("").strip()
    assert text.isascii()
    lines, usual = ([line for line in t.splitlines() if not line.startswith(comment)] for t in (text, plain))
    assert lines == usual
    assert self_tests(language, {"f": text}, tmp_path) == {"f": 0}


WORDS = {
    "python": " ".join([*keyword.kwlist, *keyword.softkwlist, "range list float abs len math exp_ over_ tuple print"]),
    "javascript": """arguments await break case catch class const continue debugger default delete do else enum eval
        export extends false finally for function if implements import in instanceof interface let new null package
        private protected public return static super switch this throw true try typeof undefined var void while with
        yield async of module require exports math console number name length prototype""",
    "rust": """abstract as async await become box break const continue crate do dyn else enum extern false final fn for
        gen if impl in let loop macro match mod move mut override priv pub ref return self static struct super trait
        true try type typeof unsafe unsized use virtual where while yield union raw main f64 usize str box""",
    "matlab": """break case catch classdef continue else elseif end for function global if otherwise parfor persistent
        return spmd switch try while do until endfunction end_try_catch endif endwhile unwind_protect pick real
        constants made zeros double abs max min numel error ischar strcmp isempty isreal nargin nargout varargin what
        data d struct""",
    "julia": """baremodule begin break catch const continue do else elseif end export false finally for function global
        if import let local macro module quote return struct true try using while abstract mutable primitive type where
        in isa outer zeros length throw abs float64 int sign println pi im one""",
}
OWN = """x y v w jac hess third jv jtw hv wrong point i j s z1 a1 c1 w1 b1 q1 q10 sum1 table1 check_x f_ y_ tanh erf
hypot copysign isnan e k r"""


@pytest.mark.parametrize("language", TESTED)
def test_programs_may_have_any_name(language: str, tmp_path: Path) -> None:
    expect_host(language)
    found = {}
    for word in dict.fromkeys(f"{WORDS[language]} {OWN}".split()):
        text = str(code(networks()["softmax output"], language, 1, name=word, products=["jvp", "vjp"]))
        name = re.search(r"(\w+): R\^", text)
        assert name is not None
        found[name[1]] = text
    assert set(self_tests(language, found, tmp_path).values()) == {0}


# Neighbours ---------------------------------------------------------------------------------------------------------


def test_two_scripts_of_one_page_do_not_meet(tmp_path: Path) -> None:
    expect_host("javascript")
    for name in ("tanh", "gelu"):
        (tmp_path / f"{name}.js").write_text(str(code(networks()[name], "javascript", 1, name=f"{name}net")))
    page = (
        "const vm = require('vm'), fs = require('fs'), page = vm.createContext({});"
        "for (const name of ['tanh', 'gelu']) vm.runInContext(fs.readFileSync(`${name}.js`, 'utf8'), page);"
        "console.log(vm.runInContext('tanhnet_check() + gelunet_check()', page), Object.keys(page).join(' '));"
    )
    (tmp_path / "page.js").write_text(page)
    said = run("node page.js", tmp_path).split()
    assert said[0] == "0"
    assert set(said[1:]) == {f"{n}net{s}" for n in ("tanh", "gelu") for s in ("", "_jacobian", "_check")}


def test_large_arrays_of_rust_are_not_on_the_stack(tmp_path: Path) -> None:
    expect_host("rust")
    weights = np.random.default_rng(0).normal(size=(8, 40))
    f = na.Network.from_layers([(weights[:4], None), (weights[4:, :4], None)], "tanh")
    assert self_tests("rust", {"f": str(code(f, "rust", 3))}, tmp_path) == {"f": 0}


def test_python_takes_any_numbers_and_computes_in_double_precision() -> None:
    scope: dict = {}
    f = networks()["tanh"]
    exec(code(f, "python", 1, check=False), scope)
    x = np.array([0.1, -0.3, 0.7], np.float32)
    wanted = scope["f_jacobian"](list(map(float, x)))
    for given in (x, tuple(x), (float(v) for v in x), [str(v) for v in x.astype(float)]):
        assert scope["f_jacobian"](given) == wanted
    assert all(type(v) is float for v in scope["f"](x))
    np.testing.assert_allclose(wanted[0], f(x.astype(float)), rtol=1e-14)


def test_matlab_computes_in_real_numbers_of_double_precision(tmp_path: Path) -> None:
    expect_host("matlab")
    (tmp_path / "f.m").write_text(str(code(all_networks()["tanh"], "matlab", 1, products=["jvp"])))
    (tmp_path / "g.m").write_text(str(code(na.Network.from_layer(na.PowerProduct([[0.5, 1.5]]), 2), "matlab", 1)))
    script = """
        [y, jac] = f(single([0.1; -0.3; 0.7])); [z, k] = f(double(single([0.1 -0.3 0.7])));
        printf('%s %d %d ', class(y), isequal(y, z), isequal(jac, k)); printf('%d ', isequal(f(int8([1 2 3])), f(1:3)));
        [y, jac] = g([-1 2]); printf('%d %d %d ', isreal(y), isreal(jac), all(isnan([y; jac])));
        try, f([1 2 3], 'jpv', [1 2 3]), catch e, printf('%s', e.message), end
    """
    (tmp_path / "driver.m").write_text(script)
    assert run("octave-cli --no-history driver.m", tmp_path) == "double 1 1 1 1 1 1 no such product"


def test_a_module_of_julia_says_what_it_gives() -> None:
    expect_host("julia")
    text = str(code(networks()["gelu"], "julia", 2, name="energy"))
    assert "\nmodule EnergyNetwork\nexport energy, energy_jacobian, energy_hessian, energy_check\n" in text
    assert text.endswith("\nend\n")
    assert {"energy", "energy_jacobian", "energy_hessian", "energy_check"} <= set(read(text))


def test_a_language_is_a_table_of_less_than_a_hundred_lines() -> None:
    folder = Path(na.__file__).parent / "code"
    for name in TESTED:
        assert len((folder / f"{name}.py").read_text().splitlines()) < 100, name


@pytest.mark.parametrize("language", ["python", "javascript", "matlab"])
def test_single_precision_is_refused_where_there_is_none(language: str) -> None:
    with pytest.raises(InputError, match="float32"):
        code(networks()["tanh"], language, dtype="float32")


# What is no number --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["c", "python", "javascript", "rust", "matlab"])  # Julia raises an error
def test_what_is_no_number_stays_none_through_maxima(language: str) -> None:
    expect_host(language)
    logarithms = na.Network.function("log", 3)  # of -1 it is no number
    f = na.Network.from_layer(na.Maximum([[0, 1, 2], [2, 2, 1]]), 3) @ logarithms
    x = np.array([[-1.0, 1, 2], [1, -1, 2], [2, 1, -1], [3, 2, 1], [1, 1, 1]])
    made = [written(f, language, 1, "f", unroll=unroll) for unroll in (False, True)]
    for one in made:
        (function,) = [g for g in one.program.functions if len(g.outputs) == 2]
        ((y, jac),) = computed(language, [(one, [(function, [x])])])[0]
        np.testing.assert_allclose(y.reshape(-1, 2), f(x), rtol=1e-15)
        assert np.isnan(y.reshape(-1, 2)[:3]).any(axis=1).all()
        np.testing.assert_array_equal(jac.reshape(-1, 2, 3)[3:], f.jacobian(x[3:]))


def test_maxima_of_many_are_written_once() -> None:
    texts = [str(code(na.Network.from_layer(na.Maximum([list(range(n))]), n), "c", 0)) for n in (8, 16)]
    assert len(texts[1]) < 2.5 * len(texts[0])
