"""Workbooks: what LibreOffice computes is within the counted roundings, and the sheet "check" notices errors.

``pytest -s -k worst tests/test_code_excel.py`` prints the largest errors of each order.
"""

from __future__ import annotations

import builtins
import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from openpyxl.utils import get_column_letter

import neuralgebra as na
from code_oracles import NAMES, exact, majorants, networks, packed, points, units
from neuralgebra.cli import run
from neuralgebra.code.bounds import roundings
from neuralgebra.code.program import program
from neuralgebra.errors import InputError, MissingExtra, ResourceError
from zoo import NETWORKS, activation_networks

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
needs_office = pytest.mark.skipif(not SOFFICE, reason="LibreOffice (soffice) is not installed")
SHEETS = ("value", "Jacobian", "Hessian", "third derivatives")
SOME = ("tanh", "gelu", "softplus", "relu", "softmax output", "product", "maximum", "residual", "layer power product")
LAYERS = {"all layers": na.stack(*NETWORKS.values()), "all activations": na.stack(*activation_networks().values())}
CASES = networks() | LAYERS | {"layer power product": NETWORKS["power product"]}
FILES = {name: f"n{i}" for i, name in enumerate(CASES)}
ALWAYS = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""


def changed(data: bytes, change: Callable[[str], str], sheets: str = "") -> bytes:
    """A workbook with a change in the XML of its sheets, or of one."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.namelist():
            content = old.read(item)
            if item.startswith(sheets or "xl/worksheets/"):
                content = change(content.decode()).encode()
            new.writestr(item, content)
    return out.getvalue()


def forgetful(data: bytes) -> bytes:
    """A workbook without the numbers that formulas gave when it was written."""
    return changed(data, lambda xml: re.sub(r"(</f>)<v>[^<]*</v>", r"\1", xml))


def addresses(order: int, m: int, n: int) -> list[str]:
    """The cells of all results up to an order, one after another."""
    found = [f"value!{get_column_letter(2 + j)}9" for j in range(m)]
    for level in range(1, order + 1):
        rows, sheet = range(5, 5 + m * n ** (level - 1)), SHEETS[level]
        found += [f"'{sheet}'!{get_column_letter(1 + level + j)}{row}" for row in rows for j in range(n)]
    return found


def in_halves(data: bytes, order: int, m: int, n: int) -> bytes:
    """A workbook that also has each result in two parts: of a number LibreOffice writes 15 digits."""
    rows = "".join(
        f'<row r="{row}"><c r="A{row}"><f>TRUNC({cell}*2^24)</f></c>'
        f'<c r="B{row}"><f>({cell}*2^24-A{row})*2^24</f></c></row>'
        for row, cell in enumerate(addresses(order, m, n), 1001)
    )
    return changed(data, lambda xml: xml.replace("</sheetData>", f"{rows}</sheetData>"), "xl/worksheets/sheet1.xml")


def recalculated(folder: Path, books: dict[str, bytes]) -> dict[str, Any]:
    """Workbooks computed anew by LibreOffice."""
    assert SOFFICE
    (folder / "profile" / "user").mkdir(parents=True)
    (folder / "profile" / "user" / "registrymodifications.xcu").write_text(ALWAYS)
    (folder / "in").mkdir()
    for word, data in books.items():
        (folder / "in" / f"{word}.xlsx").write_bytes(forgetful(data))
    command = [SOFFICE, f"-env:UserInstallation={(folder / 'profile').as_uri()}", "--headless", "--convert-to", "xlsx"]
    command += ["--outdir", str(folder / "out"), *(str(folder / "in" / f"{word}.xlsx") for word in books)]
    subprocess.run(command, check=True, capture_output=True)
    return {word: openpyxl.load_workbook(folder / "out" / f"{word}.xlsx", data_only=True) for word in books}


def numbers(book: Any, order: int, m: int, n: int) -> list[np.ndarray]:
    """The results up to an order, from their parts if it has them."""
    cells = addresses(order, m, n)
    if book["value"]["A1001"].value is None:
        flat = [book[sheet.strip("'")][cell].value for sheet, cell in (c.split("!") for c in cells)]
    else:
        parts = [[book["value"].cell(1001 + i, column).value for column in (1, 2)] for i in range(len(cells))]
        flat = [(high + low / 2**24) / 2**24 for high, low in parts]
    shapes = [(m, *(n,) * level) for level in range(order + 1)]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [a.reshape(shape) for a, shape in zip(np.split(np.array(flat, float), ends[:-1]), shapes, strict=True)]


def errors(name: str, book: Any, order: int) -> list[float]:
    """The largest error of each result, in u·M."""
    _, wanted, sizes = truth(name)
    got = numbers(book, order, *wanted[1].shape[1:])
    return [units(g, w[0], s[0]) for g, w, s in zip(got, wanted, sizes, strict=False)]


@cache
def truth(name: str) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """A point of a network, its derivatives there as balls, and their majorants; of some networks to third order."""
    f, order = CASES[name], 3 if name in SOME else 2
    x = points(f, 1)
    return x, exact(f, x, order), majorants(f, x, order)


@cache
def counted(name: str) -> dict[str, int]:
    """How many units each result may be off."""
    made = program(CASES[name], 3 if name in SOME else 2)
    pairs = [zip(f.outputs, roundings(f), strict=True) for f in made.functions]
    return {buffer.name: count for pair in pairs for buffer, count in pair}


@cache
def book_of(name: str, order: int) -> bytes:
    data: bytes = CASES[name].code("excel", order, points=truth(name)[0])
    return data


def expect_within(name: str, book: Any, order: int) -> None:
    for level, error in enumerate(errors(name, book, order)):
        limit = counted(name)[NAMES[level]]
        assert error <= max(limit, 4), f"{name}, {NAMES[level]}: {error:.1f} u·M, {limit} counted"
    assert book["check"]["B3"].value == book["value"]["B3"].value == "OK"


def all_cells(book: Any) -> list[Any]:
    return [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = {FILES[name]: in_halves(book_of(name, 2), 2, *truth(name)[1][1].shape[1:]) for name in CASES}
    found = recalculated(tmp_path_factory.mktemp("excel"), data)
    return {name: found[FILES[name]] for name in CASES}


@needs_office
@pytest.mark.parametrize("name", CASES)
def test_orders_up_to_two_are_within_their_roundings(books: dict[str, Any], name: str) -> None:
    expect_within(name, books[name], 2)
    wrong = [c.coordinate for c in all_cells(books[name]) if str(c.value).startswith("#")]
    assert not wrong


@needs_office
def test_worst_errors(books: dict[str, Any]) -> None:
    table = {name: errors(name, books[name], 2) for name in CASES}
    for level, quantity in enumerate(NAMES[:3]):
        name = max(table, key=lambda n: table[n][level])
        limit = counted(name)[quantity]
        print(f"excel, order {level}: {table[name][level]:.2f} u·M ({name}; {limit} counted)")
        assert table[name][level] <= max(limit, 4)


@needs_office
@pytest.mark.parametrize("order", [0, 1, 3])
def test_other_orders(tmp_path: Path, order: int) -> None:
    shapes = {name: truth(name)[1][1].shape[1:] for name in SOME}
    found = recalculated(tmp_path, {FILES[n]: in_halves(book_of(n, order), order, *shapes[n]) for n in SOME})
    for name in SOME:
        expect_within(name, found[FILES[name]], order)
        assert all(sheet not in found[FILES[name]].sheetnames for sheet in SHEETS[order + 1 :])


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_that_are_shown_before_anything_is_computed(name: str) -> None:
    expect_within(name, openpyxl.load_workbook(io.BytesIO(book_of(name, 2)), data_only=True), 2)


@needs_office
def test_a_changed_input_and_products(tmp_path: Path) -> None:
    f = networks()["product"]
    x = points(f)
    data = f.code("excel", 1, points=x[:1], products=["jvp", "vjp", "hvp"])
    old, new = repr(float(x[0, 1])), repr(float(x[1, 1]))
    moved = changed(data, lambda xml: xml.replace(f"<v>{old}</v>", f"<v>{new}</v>"), "xl/worksheets/sheet1.xml")
    assert moved != data
    book = recalculated(tmp_path, {"f": moved})["f"]
    point = np.array([x[0, 0], x[1, 1], x[0, 2]])
    rows = {book["value"].cell(r, 1).value: r for r in range(1, 30)}
    v, w = ([book["value"].cell(rows[k], 2 + j).value for j in range(n)] for k, n in (("v", 3), ("w", 2)))
    got = [book["value"].cell(rows["y"], 2 + j).value for j in range(2)]
    np.testing.assert_allclose(got, f(point), rtol=1e-13)
    got = [[book["Jacobian"].cell(5 + i, 2 + j).value for j in range(3)] for i in range(2)]
    np.testing.assert_allclose(got, f.jacobian(point), rtol=1e-12)
    for sheet, wanted in (("J v", f.jvp(point, v)), ("w J", f.vjp(point, w)), ("w H v", f.hvp(point, v, w))):
        got = [book[sheet].cell(5, 2 + j).value for j in range(len(wanted))]
        np.testing.assert_allclose(got, wanted, rtol=1e-12)
    assert book["check"]["B3"].value == "OK"


@needs_office
def test_the_check_notices_a_wrong_weight_a_wrong_formula_and_no_number(tmp_path: Path) -> None:
    data = book_of("tanh", 2)
    weight = repr(float(networks()["tanh"].arrays[2].flat[0]))
    wrong = {
        "weight": changed(data, lambda xml: xml.replace(f"<v>{weight}</v>", f"<v>{float(weight) * (1 + 1e-9)!r}</v>")),
        "formula": changed(data, lambda xml: xml.replace("<f>TANH(C", "<f>-TANH(C")),
        "text": changed(data, lambda xml: xml.replace("<f>TANH(C", "<f>NA()+TANH(C")),
    }
    assert all(book != data for book in wrong.values())
    for book in recalculated(tmp_path, wrong).values():
        count = book["check"]["B3"].value
        assert isinstance(count, int | float)
        assert count > 0
        assert book["value"]["B3"].value == count


@needs_office
def test_other_forms(tmp_path: Path) -> None:
    x = truth("product")[0]
    options: dict[str, dict[str, Any]] = {"packed": {"packed": True}, "unrolled": {"unroll": True}, "plain": {}}
    f = networks()["product"]
    data = {word: f.code("excel", 2, points=x, **given) for word, given in options.items()}
    data["unchecked"] = f.code("excel", 2, check=False)
    found = recalculated(tmp_path, data)
    for word in ("plain", "unrolled"):
        assert found[word]["check"]["B3"].value == "OK"
    full = [[found["packed"]["Hessian"].cell(5 + i, 3 + j).value for j in range(3)] for i in range(6)]
    got = np.array(full, float).reshape(1, 2, 3, 3)
    assert np.isnan(got).sum() == 6
    np.testing.assert_allclose(packed(got), packed(f.hessian(x[:1])), rtol=1e-11)
    assert found["packed"]["check"]["B3"].value == "OK"
    assert "check" not in found["unchecked"].sheetnames


@needs_office
def test_far_out_nothing_overflows(tmp_path: Path) -> None:
    names = ("tanh", "gelu", "softplus", "mish", "silu", "softmax output", "product")
    networks_far = {n: networks()[n] @ na.Network.from_layers([(np.eye(3) * 1e5, None)]) for n in names}
    books = {FILES[n]: f.code("excel", 2, points=[[1, -1, 0.5], [-1, 1, 1]]) for n, f in networks_far.items()}
    for word, book in recalculated(tmp_path, books).items():
        assert book["check"]["B3"].value == "OK", word
        assert not [c for c in all_cells(book) if str(c.value).startswith("#")]


# Texts and numbers ----------------------------------------------------------------------------------------------------

HOSTILE = [
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("https://example.org")',
    "+1+1",
    "-2",
    "@SUM(1)",
    'a; system("id"); //',
    "</script>",
    "https://example.org",
    "ünïcode 漢字 ∂",
    "_x0041_",
    "\x01\n\t\ud800",
    "mailto:a@example.org",
    "1e5",
    "n" * 300,
    "",
]


def hostile() -> na.Network:
    count = len(HOSTILE)
    outputs = [f"{n} y" for n in HOSTILE]
    return na.Network.from_layers([(np.eye(count), None)], input_names=HOSTILE, output_names=outputs)


def test_names_from_files_are_texts() -> None:
    data = hostile().code("excel", 1, name="=1+1")
    formulas = openpyxl.load_workbook(io.BytesIO(data))
    head = [formulas["value"].cell(5, 2 + j) for j in range(len(HOSTILE))]
    for cell, name in zip(head, HOSTILE, strict=True):
        assert cell.data_type in ("s", "n")
        assert cell.quotePrefix or not name
        if name.isprintable():
            assert (cell.value or "") == name
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        sheets = [file.read(item).decode() for item in file.namelist() if item.startswith("xl/worksheets/")]
        assert not any("ink" in item for item in file.namelist() if "rels" in item and "worksheets" in item)
    written = "".join(sheets)
    assert "hyperlink" not in written
    functions = set(re.findall(r"[A-Z]{2,}(?=\()", "".join(re.findall(r"<f>(.*?)</f>", written))))
    assert functions <= {"SUMPRODUCT", "SUM", "IF", "ISNUMBER", "ABS"}


@needs_office
def test_names_from_files_are_texts_for_libreoffice(tmp_path: Path) -> None:
    book = recalculated(tmp_path, {"f": hostile().code("excel", 1)})["f"]
    assert book["check"]["B3"].value == "OK"
    for j, name in enumerate(HOSTILE):
        if name.isprintable():
            assert (book["value"].cell(5, 2 + j).value or "") == name


@pytest.mark.parametrize("name", ["tanh", "gelu", "erf", "product", "all layers", "all activations"])
def test_only_known_functions_and_numbers_of_fifteen_digits_stand_in_formulas(name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(book_of(name, 2))) as file:
        text = "".join(file.read(item).decode() for item in file.namelist() if item.startswith("xl/worksheets/"))
    found = re.findall(r"<f>(.*?)</f>", text)
    assert max(map(len, found)) < 8192
    known = ["SUMPRODUCT", "SUM", "MMULT", "EXP", "LN", "TANH", "SQRT", "IF", "MAX", "MIN", "ABS", "SIGN", "ISNUMBER"]
    known += ["SIN", "COS", "TAN", "ATAN", "ASINH", "SINH", "COSH", "POWER"]
    assert {word for formula in found for word in re.findall(r"[A-Z]{2,}(?=\()", formula)} <= set(known)
    for formula in found:
        for number in re.findall(r"(?<![A-Za-z0-9.])\d+(?:\.\d+)?(?:E[-+]\d+)?(?![\d(])", formula):
            assert len(number.split("E")[0].replace(".", "").strip("0")) <= 15, formula


def test_numbers_keep_their_bits() -> None:
    numbers = np.array([0.1, -1e-300, 1.7976931348623157e308, 1 / 3, 123456789.123456789, -0.0, 1e22, 2.0**-1000])
    data = na.Network.from_layers([(np.eye(8), numbers)]).code("excel", 0, check=False)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        sheet = file.read("xl/worksheets/sheet2.xml").decode()
    found = np.array([float(v) for v in re.findall(r'<c r="[A-Z]+\d+" s="\d+"><v>([^<]*)</v>', sheet)])
    at = next(i for i in range(len(found)) if found[i : i + 8].tobytes() == numbers.tobytes())
    assert at > 0


def test_a_workbook_is_the_same_each_time() -> None:
    assert networks()["tanh"].code("excel", 1) == networks()["tanh"].code("excel", 1)


def test_numbers_are_doubles() -> None:
    f = na.Network.from_layers([(np.eye(2, dtype=np.float32) / 3, None)])
    assert f.code("excel", 0)[:2] == b"PK"
    with pytest.raises(InputError, match="float32"):
        f.code("excel", 0, dtype="float32")


# Limits ---------------------------------------------------------------------------------------------------------------


def test_what_would_be_too_large_is_refused_with_its_size() -> None:
    rng = np.random.default_rng(0)
    layers = [(rng.normal(size=(90, 90)), None), (rng.normal(size=(90, 90)), None)]
    with pytest.raises(ResourceError, match=r"\d,\d{3},\d{3} cells"):
        na.Network.from_layers(layers, "tanh").code("excel", 2)
    with pytest.raises(ResourceError, match="columns"):
        na.Network.identity(20_000).code("excel", 0)


@needs_office
def test_long_sums_are_written_in_pieces(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    f = na.Network.from_layers(
        [(rng.normal(size=(3, 1500)), rng.normal(size=3)), (rng.normal(size=(2, 3)), None)], "tanh"
    )
    x = rng.normal(size=(1, 1500)) / 40
    data = f.code("excel", 1, points=x)
    book = recalculated(tmp_path, {"f": data})["f"]
    assert book["check"]["B3"].value == "OK"
    np.testing.assert_allclose(numbers(book, 0, 2, 1500)[0], f(x[0]), rtol=1e-11)
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        text = "".join(file.read(item).decode() for item in file.namelist() if item.startswith("xl/worksheets/"))
    assert max(map(len, re.findall(r"<f>(.*?)</f>", text))) < 8192


def test_without_the_package_its_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "xlsxwriter":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtra, match="pip install xlsxwriter"):
        networks()["tanh"].code("excel", 0)


def test_the_command_line_writes_a_workbook(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = str(Path(__file__).parents[1] / "examples" / "diabetes.onnx")
    target = tmp_path / "model.xlsx"
    assert run(["code", model, "--order", "1", "-o", str(target)]) == 0
    assert openpyxl.load_workbook(target).sheetnames[:2] == ["value", "Jacobian"]
    assert run(["code", model, "-l", "excel"]) == 2
    assert "-o" in capsys.readouterr().err
