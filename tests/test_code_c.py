"""C: what is compiled gives values and derivatives within the counted roundings, and its self-test notices errors."""

from __future__ import annotations

import ctypes
import itertools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mpmath
import numpy as np
import pytest

import neuralgebra as na
from code_oracles import NAMES, all_networks, counted, networks, packed, points, truth, units
from neuralgebra.errors import InputError, ResourceError, ShapeError, UnsupportedError, UsageError

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
COMPILERS = [c for c in ("gcc", "clang") if shutil.which(c)] or ["cc"]
SANITIZED = ["-g", "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def library(folder: Path, sources: dict[str, str], compiler: str, *flags: str) -> ctypes.CDLL:
    """One library of several files."""
    for name, text in sources.items():
        (folder / f"{name}.c").write_text(text)
    files = [f"{name}.c" for name in sources]
    subprocess.run(
        [compiler, *STRICT, *flags, "-shared", "-fPIC", *files, "-o", "all.so", "-lm"], cwd=folder, check=True
    )
    return ctypes.CDLL(str(folder / "all.so"))


def call(function: Callable[..., object], given: list[np.ndarray], sizes: list[int], dtype: str) -> list[np.ndarray]:
    results = [np.full(size, np.nan, dtype) for size in sizes]
    arrays = [np.ascontiguousarray(a, dtype) for a in given] + results
    function(*(a.ctypes.data_as(ctypes.c_void_p) for a in arrays))
    return results


def expect_within(
    name: str, lib: ctypes.CDLL, word: str, order: int, dtype: str = "float64", pack: bool = False
) -> None:
    """Value and derivatives of one function of a library are within their counted roundings."""
    x, wanted, sizes = truth(name)
    wanted, sizes = wanted[: order + 1], sizes[: order + 1]
    if pack:
        wanted, sizes = [packed(a) for a in wanted], [packed(a) for a in sizes]
    function = getattr(lib, word + ("", "_jacobian", "_hessian", "_third")[order])
    for row in range(len(x)):
        got = call(function, [x[row]], [w[row].size for w in wanted], dtype)
        for level, result in enumerate(got):
            error = units(result, wanted[level][row], sizes[level][min(row, len(sizes[level]) - 1)], dtype)
            limit = counted(name, 3)[NAMES[level]]
            assert error <= max(limit, 4), f"{name}, {NAMES[level]} of order {order}: {error:.1f} u·M, {limit} counted"


def words() -> dict[str, str]:
    """A name in C for each network."""
    return {name: f"n{i}" for i, name in enumerate(all_networks())}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    texts = {word: all_networks()[name].code("c", 3, name=word) for name, word in words().items()}
    return library(tmp_path_factory.mktemp("c"), texts, COMPILERS[0], "-O1")


@pytest.mark.parametrize("name", all_networks())
def test_orders_up_to_three_are_within_their_roundings(compiled: ctypes.CDLL, name: str) -> None:
    for order in range(4):
        expect_within(name, compiled, words()[name], order)
    assert getattr(compiled, f"{words()[name]}_check")() == 0


@pytest.mark.parametrize("compiler", COMPILERS[1:])
def test_another_compiler(tmp_path: Path, compiler: str) -> None:
    texts = {words()[name]: f.code("c", 2, name=words()[name]) for name, f in networks().items()}
    lib = library(tmp_path, texts, compiler, "-O2")
    for name in networks():
        expect_within(name, lib, words()[name], 2)


@pytest.mark.parametrize("flags", [["-O3", "-march=native"], ["-O0"]], ids=["vectors", "plain"])
def test_wide_networks_in_blocks_are_the_same(tmp_path: Path, flags: list[str]) -> None:
    cases = ("wide", "tanh", "product", "softmax output", "residual")
    texts = {f"n{i}": networks()[name].code("c", 2, name=f"n{i}") for i, name in enumerate(cases)}
    lib = library(tmp_path, texts, COMPILERS[0], *flags)
    for i, name in enumerate(cases):
        expect_within(name, lib, f"n{i}", 2)


@pytest.mark.parametrize("way", ["packed", "float32", "unrolled"])
def test_other_forms(tmp_path: Path, way: str) -> None:
    options = {"packed": {"packed": True}, "float32": {"dtype": "float32"}, "unrolled": {"unroll": True}}[way]
    cases = ("tanh", "gelu", "relu", "product", "maximum", "erf", "softmax output")
    texts = {f"n{i}": networks()[name].code("c", 2, name=f"n{i}", **options) for i, name in enumerate(cases)}
    lib = library(tmp_path, texts, COMPILERS[0], "-O2")
    for i, name in enumerate(cases):
        expect_within(name, lib, f"n{i}", 2, "float32" if way == "float32" else "float64", way == "packed")
        assert getattr(lib, f"n{i}_check")() == 0


def test_products_with_vectors(tmp_path: Path) -> None:
    f = networks()["product"]
    lib = library(tmp_path, {"p": f.code("c", 0, name="p", products=["jvp", "vjp", "hvp"])}, COMPILERS[0], "-O2")
    x, rng = points(f, 1), np.random.default_rng(2)
    v, w = rng.normal(size=3), rng.normal(size=2)
    wanted = f.jvp(x[0], v), f.vjp(x[0], w), f.hvp(x[0], v, w)
    for name, given, result in zip(("jvp", "vjp", "hvp"), ([v], [w], [v, w]), wanted, strict=True):
        got = call(getattr(lib, f"p_{name}"), [x[0], *given], [result.size], "float64")[0]
        np.testing.assert_allclose(got, result, rtol=1e-13)
    assert lib.p_check() == 0


# End to end: networks of some size, compiled with sanitizers --------------------------------------------------------


def deep_relu() -> na.Network:
    """A network of the size of those for collision avoidance: 5-50×6-5."""
    rng = np.random.default_rng(11)
    sizes = [5, *[50] * 6, 5]
    layers = [(rng.normal(size=(m, n)) * (2 / n) ** 0.5, rng.normal(size=m) / 4) for n, m in itertools.pairwise(sizes)]
    return na.Network.from_layers(layers, "relu")


def residual() -> na.Network:
    """x + two blocks of tanh layers, each added to what it takes."""
    rng = np.random.default_rng(12)
    f = na.Network.identity(6)
    for _ in range(2):
        layers = [(rng.normal(size=(12, 6)) / 3, rng.normal(size=12)), (rng.normal(size=(6, 12)) / 3, None)]
        f = f + na.Network.from_layers(layers, "tanh") @ f
    return na.Network.from_layers([(rng.normal(size=(2, 6)), rng.normal(size=2))]) @ f


@pytest.mark.parametrize("make", [deep_relu, residual], ids=["5-50x6-5", "residual"])
def test_end_to_end_with_sanitizers(tmp_path: Path, make: Callable[[], na.Network]) -> None:
    source = tmp_path / "f.c"
    source.write_text(make().code("c", order=2))
    command = [COMPILERS[0], *STRICT, *SANITIZED, "-DNEURALGEBRA_MAIN", str(source), "-o", str(tmp_path / "f"), "-lm"]
    subprocess.run(command, check=True)
    done = subprocess.run([tmp_path / "f"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "f: 0 of the results are wrong\n", "")


def test_the_self_test_notices_a_wrong_weight(tmp_path: Path) -> None:
    text = networks()["tanh"].code("c", 2, name="g")
    first = re.search(r"w2\[16\] = \{\n\s*(-?[0-9.e-]+)", text)
    assert first is not None
    wrong = text.replace(first[1], repr(float(first[1]) * (1 + 1e-9)), 1)
    lib = library(tmp_path, {"right": networks()["tanh"].code("c", 2), "wrong": wrong}, COMPILERS[0])
    assert lib.f_check() == 0
    assert lib.g_check() > 0


@pytest.mark.parametrize("name", ["tanh", "gelu", "product", "softmax output", "residual", "quotient", "deep"])
def test_the_self_test_notices_results_that_are_zero(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    sizes = [3, *[30] * 6, 1]
    layers = [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    f = na.Network.from_layers(layers, "gelu") if name == "deep" else networks()[name]
    text = f.code("c", 1)
    start = text.index(") {", text.index("void f_jacobian(", text.index("void f_jacobian(") + 1))
    end = text.index("\n}\n", start)
    wrong = text[:end] + "\n    jac[0] = 0.0;" + text[end:]
    assert library(tmp_path, {"f": text}, COMPILERS[0]).f_check() == 0
    (tmp_path / "wrong").mkdir()
    assert library(tmp_path / "wrong", {"f": wrong}, COMPILERS[0]).f_check() > 0


def test_bounds_and_values_of_the_self_test_are_finite(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(4, 3)) * 1e100, None), (rng.normal(size=(2, 4)) * 1e100, None)]
    text = na.Network.from_layers(layers, "sin").code("c", 2)
    assert "inf" not in text
    assert library(tmp_path, {"f": text}, COMPILERS[0]).f_check() == 0
    with pytest.raises(InputError, match="not finite in float32"):
        na.Network.from_layers([([[1e30]], None), ([[1e30]], None)], "identity").code("c", 0, dtype="float32")


def test_fast_mathematics_of_compilers_does_no_harm(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(16, 3)), rng.normal(size=16)), (rng.normal(size=(2, 16)), rng.normal(size=2))]
    (tmp_path / "f.c").write_text(na.Network.from_layers(layers, "sigmoid").code("c", 2))
    # In a process of its own: what is compiled so turns subnormal numbers off for all.
    command = [COMPILERS[0], "-Ofast", "-march=native", "-DNEURALGEBRA_MAIN", "f.c", "-o", "f", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "f"], check=True)


def test_large_arrays_are_not_on_the_stack(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = [60, 300, 300, 60]
    layers = [(rng.normal(size=(m, n)) / n**0.5, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]
    text = na.Network.from_layers(layers).code("c", 2)
    assert "f_hessian keeps its arrays in static memory" in text
    assert "f keeps its arrays" not in text
    assert library(tmp_path, {"f": text}, COMPILERS[0], "-O1").f_check() == 0


def test_long_sums_and_maxima_without_loops(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    long = na.Network.from_layers([(rng.normal(size=(1, 500)), None)])
    softmax = na.Network.from_layers([(rng.normal(size=(20, 3)), None)], output="softmax")
    texts = {"a": long.code("c", 0, name="a", unroll=True), "b": softmax.code("c", 1, name="b", unroll=True)}
    assert len(texts["b"]) < 50_000
    lib = library(tmp_path, texts, COMPILERS[0])
    assert (lib.a_check(), lib.b_check()) == (0, 0)


def test_the_self_test_notices_nan(tmp_path: Path) -> None:
    text = networks()["tanh"].code("c", 0)
    wrong = re.sub(r"(b3\[2\] = \{\n\s*)[^,]+,", r"\1(0.0/0.0),", text)
    assert wrong != text
    assert library(tmp_path, {"f": wrong}, COMPILERS[0]).f_check() > 0


# Numbers and names --------------------------------------------------------------------------------------------------


def test_weights_read_back_to_the_same_bits(tmp_path: Path) -> None:
    numbers = np.array(
        [0.1, -1e-300, 5e-324, 1.7976931348623157e308, 1 / 3, 123456789.123456789, -0.0, 1e22, 2.0**-1074]
    )
    f = na.Network.from_layers([(np.eye(9), numbers)])
    text = f.code("c", 0, check=False) + "\nconst double *bias(void) { return b1; }\n"
    lib = library(tmp_path, {"f": text.replace("#include", "const double *bias(void);\n#include", 1)}, COMPILERS[0])
    lib.bias.restype = ctypes.POINTER(ctypes.c_double)
    got = np.array([lib.bias()[i] for i in range(9)])
    assert got.tobytes() == numbers.tobytes()


def test_exp_and_tanh_of_our_own_are_accurate(tmp_path: Path) -> None:
    f = na.Network.from_layers([(np.eye(8), None), (np.eye(8), None)], "tanh")
    text = f.code("c", 0, check=False)
    for name, function in (("e", "exp_"), ("t", "tanh_")):
        text += f"\ndouble {name}(double);\ndouble {name}(double x) {{ return {function}(x); }}\n"
    lib = library(tmp_path, {"f": text}, COMPILERS[0], "-O2", "-D__AVX2__")
    for function, oracle, limit in ((lib.e, mpmath.exp, 1.5), (lib.t, mpmath.tanh, 4)):
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
        rng = np.random.default_rng(0)
        grid = np.concatenate([rng.uniform(-708, 709, 2000), rng.normal(size=2000), 10 ** rng.uniform(-300, 0, 500)])
        for x in grid.tolist():
            wanted = oracle(mpmath.mpf(x))
            assert abs(function(x) - wanted) <= limit * np.spacing(abs(float(wanted))), x
    assert [lib.e(v) for v in (-np.inf, np.inf, 0.0, 710.0)] == [0.0, np.inf, 1.0, np.inf]
    assert lib.e(-745.0) == 5e-324
    assert np.isnan(lib.e(np.nan))
    assert [lib.t(v) for v in (-np.inf, np.inf, 0.0)] == [-1.0, 1.0, 0.0]


HOSTILE = [
    'a; system("id"); //',
    "*/ int main(void) {}",
    "\\input{x}",
    "</script>",
    "ünïcode 漢字",
    "for",
    "X1",
    "x1",
    "??/\n",
]


def test_names_from_files_are_data(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    f = na.Network.from_layers(
        [(rng.normal(size=(9, 9)), None)], input_names=HOSTILE, output_names=[f"{n} y" for n in HOSTILE]
    )
    text = f.code("c", 1, name='x"; system("id")')
    assert text.count("*/") == text.count("/*")
    assert all(c.isascii() for c in text)
    assert "system(" not in text
    assert library(tmp_path, {"f": text}, COMPILERS[0])
    assert "in_put" not in text
    for safe, name in (("a_system_id", "a? system??id?? ??"), ("x1_2 (X1)", "")):
        assert safe in text, name


@pytest.mark.parametrize("name", ["int", "exp", "main", "f f", "F", "_", "1", "é"])
def test_any_name_compiles(tmp_path: Path, name: str) -> None:
    text = networks()["tanh"].code("c", 1, name=name)
    assert library(tmp_path, {"f": text}, COMPILERS[0])


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"language": "cobol"}, UnsupportedError, "cobol"),
        ({"order": 4}, UsageError, "0 to 3"),
        ({"order": -1}, UsageError, "-1"),
        ({"order": 1.5}, UsageError, "1.5"),
        ({"order": True}, UsageError, "True"),
        ({"products": ["vhp"]}, UsageError, "vhp"),
        ({"dtype": "float16"}, InputError, "float16"),
        ({"name": ""}, InputError, "name"),
        ({"name": 3}, InputError, "name"),
        ({"points": [[1.0]]}, ShapeError, r"\(P, 3\)"),
        ({"points": [[1.0, np.nan, 0.0]]}, InputError, "finite"),
    ],
)
def test_bad_input(wrong: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        networks()["tanh"].code(**{"language": "c", **wrong})


def test_large_networks_are_not_unrolled() -> None:
    with pytest.raises(ResourceError, match="terms"):
        deep_relu().code("c", 2, unroll=True)
