"""Tables in and out: every cell is a finite number, or the message says where it is not."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from neuralgebra.errors import InputError, LoadError, MissingExtra, NeuralgebraError, OutputError, UsageError
from neuralgebra.files import limits, table
from neuralgebra.files.table import read_table, write_table


def read(text: str | bytes, folder: Path, expected: list[str] | None = None) -> tuple[list[list[float]], list[str]]:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    numbers, names = read_table(path, expected)
    assert numbers.dtype == np.float64
    return numbers.tolist(), names


def refused(
    text: str | bytes, folder: Path, expected: list[str] | None = None, error: type[NeuralgebraError] = LoadError
) -> str:
    with pytest.raises(error) as caught:
        read(text, folder, expected)
    assert type(caught.value) is error
    assert caught.value.exit_code == 3
    assert "t.csv" in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 3
    assert "\x1b" not in str(caught.value)
    return str(caught.value)


AB = ([[1.0, 2.5], [-3e-5, 4.0]], ["a", "b"])


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2.5\n-3e-5,4\n",
        "a;b\n1;2.5\n-3e-5;4\n",
        "a\tb\r\n1\t2.5\r\n-3e-5\t4",
        "\ufeffa,b\n1,2.5\n-3e-5,4\n",
        '"a","b"\n"1","2.5"\n-3e-5,4\n',
        "\n a , b \n\n 1 , 2.5 \n   \n-3e-5,4\n\n",
    ],
)
def test_separators_marks_and_quotes(text: str, tmp_path: Path) -> None:
    assert read(text, tmp_path) == AB
    assert read(text, tmp_path, ["a", "b"]) == AB


def test_without_header_the_columns_go_by_position(tmp_path: Path) -> None:
    assert read("1.0,2\n3,4\n", tmp_path) == ([[1, 2], [3, 4]], ["x1", "x2"])
    assert read("5,2\n3,4\n", tmp_path, ["u", "v"]) == ([[5, 2], [3, 4]], ["u", "v"])
    assert read("7\n8\n", tmp_path, ["u"]) == ([[7], [8]], ["u"])
    assert read("0\n0.5\n", tmp_path, ["u"]) == ([[0], [0.5]], ["u"])
    assert read("1,2\n3,4\n", tmp_path, ["u", "v"]) == ([[1, 2], [3, 4]], ["u", "v"])


@pytest.mark.parametrize("wanted", [None, ["u", "v", "w"]])
@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("0,1,2", "column numbers"),
        ("0;1;2", "column numbers"),
        (",0,1", "column numbers"),
        ('"4","5",6', "quoted names"),
        ('"4","5","6"\n"7","8","9"', "quoted names"),
    ],
)
def test_a_header_of_numbers_is_no_row(header: str, kind: str, wanted: list[str] | None, tmp_path: Path) -> None:
    cells = "0.5;0.6;0.7" if ";" in header else "0.5,0.6,0.7"
    assert f"looks like {kind}; name the columns" in refused(f"{header}\n{cells}\n", tmp_path, wanted)


def test_a_header_of_quoted_numbers_over_plain_ones_is_one(tmp_path: Path) -> None:
    text = '"4","5"\n0.5,0.6\n'
    assert read(text, tmp_path) == ([[0.5, 0.6]], ["4", "5"])
    assert "u, v missing" in refused(text, tmp_path, ["u", "v"], InputError)
    assert read("0,1\n0.5,0.6\n", tmp_path, ["0", "1"]) == ([[0.5, 0.6]], ["0", "1"])


@pytest.mark.parametrize("text", ["1,5;2,5\n1;2\n", "1,5;2\n1;2\n", '"1,5","2,5"\n1,2\n', "1.234,5\t2\n1\t2\n"])
def test_a_first_row_with_decimal_commas_is_no_header(text: str, tmp_path: Path) -> None:
    assert "decimals with a point" in refused(text, tmp_path)
    assert "decimals with a point" in refused(text, tmp_path, ["u", "v"])


def test_numbers_separated_by_blanks_are_refused(tmp_path: Path) -> None:
    assert "separate the columns by comma" in refused("1 2 3\n", tmp_path)
    assert "separate the columns by comma" in refused("1.5  2\n3 4\n", tmp_path, ["u", "v"])


def test_with_header_the_columns_go_by_name(tmp_path: Path) -> None:
    text = "label,b,a\nred,1,2\nblue,3,4\n"
    assert read(text, tmp_path, ["a", "b"]) == ([[2, 1], [4, 3]], ["a", "b"])
    assert read("x,label\n5,\n", tmp_path, ["x"]) == ([[5]], ["x"])
    assert read("1,2\n5,6\n", tmp_path, ["2"]) == ([[6]], ["2"])


def test_names_with_separators(tmp_path: Path) -> None:
    assert read('"a,b";c\n1;2\n', tmp_path) == ([[1, 2]], ["a,b", "c"])
    assert read('"a;b",c\n1,2\n', tmp_path) == ([[1, 2]], ["a;b", "c"])
    assert read('"a\nb",c\n1,2\n', tmp_path) == ([[1, 2]], ["a\nb", "c"])
    assert read('c,"a;b"\n1,2\n', tmp_path) == ([[1, 2]], ["c", "a;b"])


def test_names_are_compared_as_they_stand_then_without_blanks(tmp_path: Path) -> None:
    assert read('" a",b\n1,2\n', tmp_path, [" a", "b"]) == ([[1, 2]], [" a", "b"])
    assert read('" a", b \n1,2\n', tmp_path, ["b", "a"]) == ([[2, 1]], ["b", "a"])
    assert read('" a",a\n1,2\n', tmp_path, ["a"]) == ([[2]], ["a"])
    assert read('" a",a\n1,2\n', tmp_path, ["a", " a"]) == ([[2, 1]], ["a", " a"])


def test_a_header_alone_gives_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n")
    assert read_table(tmp_path / "t.csv")[0].shape == (0, 2)
    assert read_table(tmp_path / "t.csv", ["b"])[0].shape == (0, 1)


def test_numbers_are_the_nearest_doubles(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=50) * 10.0 ** np.arange(-300, 300, 12)
    text = "".join(f"{v!r}\n" for v in values.tolist())
    assert [row[0] for row in read(text, tmp_path)[0]] == values.tolist()


@pytest.mark.parametrize(
    "cell", ["red", "nan", "inf", "-inf", "", "  ", "1_000", "1e999", "0x1p3", "1 000", "--1", "\x1b]"]
)
def test_a_bad_cell_is_named_by_line_and_column(cell: str, tmp_path: Path) -> None:
    message = refused(f"a,b\n1,2\n\n3,{cell}\n5,6\n", tmp_path)
    assert "line 4" in message
    assert "'b'" in message


def test_a_bad_cell_in_a_table_without_header(tmp_path: Path) -> None:
    message = refused("5,2\n3,red\n", tmp_path, ["u", "v"])
    assert "line 2" in message
    assert "'v'" in message


def test_decimal_commas_are_not_guessed(tmp_path: Path) -> None:
    assert "decimals with a point" in refused("a;b\n1,5;2,5\n", tmp_path)
    assert "decimals" in refused('a,b\n"1,234",5\n', tmp_path)


@pytest.mark.parametrize("row", ["1", "1,2,3", "1,2,", '"1,2"'])
def test_a_ragged_row_is_named(row: str, tmp_path: Path) -> None:
    message = refused(f"a,b\n1,2\n{row}\n", tmp_path)
    assert "line 3" in message
    assert "2 expected" in message


def test_missing_and_doubled_columns(tmp_path: Path) -> None:
    message = refused("a,b\n1,2\n", tmp_path, ["a", "c", "d"], InputError)
    assert "c, d missing" in message
    assert "a, b" in message
    assert "more than once" in refused("a,b,a\n1,2,3\n", tmp_path, ["a"], InputError)
    assert "more than once" in refused("a,b,a\n1,2,3\n", tmp_path, None, InputError)


def test_a_wrong_number_of_columns(tmp_path: Path) -> None:
    message = refused("7,2,3\n4,5,6\n", tmp_path, ["a", "b"], InputError)
    assert "3 columns" in message
    assert "2 expected" in message


def test_a_first_row_of_numbers_and_texts_is_neither(tmp_path: Path) -> None:
    assert "'red'" in refused("1,red\n2,3\n", tmp_path)


@pytest.mark.parametrize("text", ["\n", "  \n\n", "\ufeff\n"])
def test_no_rows_at_all(text: str, tmp_path: Path) -> None:
    assert "no rows" in refused(text, tmp_path)


def test_files_that_are_no_csv(tmp_path: Path) -> None:
    assert "empty" in refused(b"", tmp_path)
    assert "UTF-16" in refused("a,b\n1,2\n".encode("utf-16"), tmp_path)
    assert "binary" in refused(b"a,b\n1,\x002\n", tmp_path)
    assert "line 2 is no UTF-8" in refused("a,b\n1,2é\n".encode("latin-1"), tmp_path)
    assert "CSV expected" in refused('a,b\n1,"2\n', tmp_path)
    assert "CSV expected" in refused("a,b\n1," + "2" * 200_000 + "\n", tmp_path)
    refused("=cmd|'/c calc'!A0,b\n1,x\n", tmp_path)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def give(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    give(b"a,b\n1,2\n")
    assert read_table("-")[0].tolist() == [[1, 2]]
    give(b"a,b\n1,x\n")
    with pytest.raises(LoadError, match="standard input: line 2"):
        read_table("-")
    give(b"")
    with pytest.raises(LoadError, match="no rows"):
        read_table("-")
    give(b"3,4\n")
    monkeypatch.setattr(limits, "FILE_BYTES", 3)
    with pytest.raises(NeuralgebraError, match="at most 3"):
        read_table("-")


def test_a_name_like_the_mark_of_parquet(tmp_path: Path) -> None:
    assert read("PAR1,b\n1,2\n", tmp_path) == ([[1, 2]], ["PAR1", "b"])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no such file"):
        read_table(tmp_path / "no.csv")


# Parquet ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["pyarrow", "polars"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    pytest.importorskip(request.param)
    monkeypatch.setattr(table, "BACKENDS", (request.param,))
    return str(request.param)


def parquet(columns: dict[str, Any], folder: Path) -> Path:
    polars = pytest.importorskip("polars")
    path = folder / "t.parquet"
    polars.DataFrame(columns).write_parquet(path)
    return path


def test_parquet_by_name(backend: str, tmp_path: Path) -> None:
    path = parquet({"b": [1, 2], "label": ["u", "v"], "a": [0.1, 0.25]}, tmp_path)
    numbers, names = read_table(path, ["a", "b"])
    assert numbers.tolist() == [[0.1, 1], [0.25, 2]]
    assert names == ["a", "b"]
    assert numbers.dtype == np.float64
    path.rename(tmp_path / "t.csv")
    assert read_table(tmp_path / "t.csv", ["b"])[0].tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        (["u", "v"], ("'a'", "String")),
        ([True, False], ("'a'", "Boolean")),
        ([1.0, None], ("row 2", "'a'")),
        ([1.0, float("nan")], ("row 2", "'a'")),
        ([float("inf"), 1.0], ("row 1", "'a'")),
        ([None, 2], ("row 1", "'a'")),
    ],
)
def test_parquet_bad_columns(column: list[Any], words: tuple[str, ...], backend: str, tmp_path: Path) -> None:
    path = parquet({"a": column}, tmp_path)
    with pytest.raises(LoadError) as caught:
        read_table(path, ["a"])
    assert all(word in str(caught.value) for word in words)


def test_parquet_missing_columns_and_damage(backend: str, tmp_path: Path) -> None:
    path = parquet({"a": [1.0]}, tmp_path)
    with pytest.raises(InputError, match="b missing"):
        read_table(path, ["b"])
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(LoadError, match="cannot be read"):
        read_table(path)


LARGE = [2**53 + 1, 2**53 + 3, -(2**62) - 1]


def test_integers_that_float64_lacks_are_rounded_alike(backend: str, tmp_path: Path) -> None:
    expected = np.array(LARGE).astype(float).tolist()
    for kind in ("csv", "parquet"):
        write_table({"a": np.array(LARGE)}, tmp_path / kind, kind)
        assert read_table(tmp_path / kind)[0][:, 0].tolist() == expected
    path = parquet({"a": [2**64 - 1, 2**53 + 1]}, tmp_path)
    assert read_table(path)[0][:, 0].tolist() == [2.0**64, 2.0**53]


def test_a_parquet_column_that_cannot_be_converted_is_named(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet({"a": [1, 2]}, tmp_path)
    monkeypatch.setattr(table.nw.Series, "to_numpy", lambda _: ["x"])
    with pytest.raises(LoadError, match="column 'a'"):
        read_table(path)


def test_parquet_without_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet({"a": [1.0]}, tmp_path)
    monkeypatch.setattr(table, "BACKENDS", ("no_such_library",))
    with pytest.raises(MissingExtra, match=r"pip install pyarrow"):
        read_table(path)
    with pytest.raises(MissingExtra):
        write_table({"a": np.ones(2)}, tmp_path / "u.parquet", "parquet")
    assert not (tmp_path / "u.parquet").exists()


# Writing ------------------------------------------------------------------------------------------------------------

VALUES = np.array([0.1, -0.0, 1e-310, 1.7976931348623157e308, 1 / 3])


def test_csv_comes_back_bit_for_bit(tmp_path: Path) -> None:
    write_table({"y, 1": VALUES, "n": np.arange(5)}, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().splitlines()[:2] == ['"y, 1",n', "0.1,0"]
    numbers, names = read_table(tmp_path / "t.csv")
    assert names == ["y, 1", "n"]
    assert numbers[:, 0].tobytes() == VALUES.tobytes()


NAMES = [
    *(["1", "2"], ["0"], ["1"], ["1", "y"], ["nan", "inf"], [" a", "b ", "a"], ["a;b", "c"], ["c", "a;b"], ["a\tb"]),
    *(
        ['"', '""'],
        ["a\nb", "\r"],
        ["a,b", "1,5 or so"],
        [""],
        ["", "a"],
        [" "],
        ["\ufeffa", "ü"],
        ["PAR1"],
        ["a b", "#"],
    ),
]


@pytest.mark.parametrize("names", NAMES, ids=repr)
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_names_of_csv_come_back(names: list[str], rows: int, tmp_path: Path) -> None:
    columns = {name: np.arange(rows) + i for i, name in enumerate(names, 1)}
    write_table(columns, tmp_path / "t.csv")
    expected = np.column_stack(list(columns.values()))
    for wanted in (None, names, names[::-1]):
        numbers, found = read_table(tmp_path / "t.csv", wanted)
        assert found == (wanted or names)
        np.testing.assert_array_equal(numbers, expected[:, ::-1] if wanted == names[::-1] else expected)


@pytest.mark.parametrize("name", ["\udc80", "a\ud800", "a\0b"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_names_that_are_no_text_are_refused(name: str, kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column '.*\\") as caught:
        write_table({"b": VALUES, name: VALUES}, tmp_path / "t", kind)
    assert str(caught.value).isprintable() or "\n" in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    write_table({name: VALUES[:1]}, tmp_path / "t", "json")
    assert json.loads((tmp_path / "t").read_text()) == {name: [0.1]}


def test_parquet_comes_back_bit_for_bit(backend: str, tmp_path: Path) -> None:
    write_table({"y": VALUES}, tmp_path / "t.parquet", "parquet")
    numbers, names = read_table(tmp_path / "t.parquet")
    assert names == ["y"]
    assert numbers[:, 0].tobytes() == VALUES.tobytes()


def test_json_is_valid_json(tmp_path: Path) -> None:
    write_table({"y": [0.1, np.inf, -np.inf, np.nan], '"z"': np.arange(4)}, tmp_path / "t.json", "json")
    found = json.loads((tmp_path / "t.json").read_text(), parse_constant=lambda _: pytest.fail("a constant"))
    assert found == {"y": [0.1, "inf", "-inf", "nan"], '"z"': [0, 1, 2, 3]}


def test_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_table({"y": np.array([0.5])}, "-")
    assert capfdbinary.readouterr().out == b"y\n0.5\n"


def test_control_characters_do_not_reach_the_terminal(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_table({"\x1b[31m\x07": [0.5], "a\nb": [1.0], "\x9b\u202e": [2.0], "\udc80": [3.0], "ü b": [4.0]}, "-")
    header, row = capfdbinary.readouterr().out.decode().splitlines()
    assert header == r"\x1b[31m\x07,a\nb,\x9b\u202e,\udc80,ü b"
    assert row == "0.5,1.0,2.0,3.0,4.0"


def test_nothing_is_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("old")
    with pytest.raises(OutputError, match="exists"):
        write_table({"y": VALUES}, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "old"
    write_table({"y": VALUES}, tmp_path / "t.csv", overwrite=True)
    assert (tmp_path / "t.csv").read_text().startswith("y\n")


def test_wrong_calls(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="csv, json, parquet"):
        write_table({"y": VALUES}, tmp_path / "t", "xlsx")
    with pytest.raises(InputError, match="one length"):
        write_table({"y": VALUES, "z": VALUES[:2]}, tmp_path / "t")
    with pytest.raises(InputError, match="one length"):
        write_table({"y": np.ones((2, 2))}, tmp_path / "t")
    assert list(tmp_path.iterdir()) == []
