"""Observations from tables: long, wide and dense say the same; what is no table of numbers is refused, by its place."""

import io
import itertools
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import neuralgebra as na
from facts import facts
from neuralgebra.errors import InputError, LoadError, NeuralgebraError, ShapeError, UsageError
from neuralgebra.files.table import write_table
from neuralgebra.fitting.observations import Observations
from neuralgebra.fitting.tables import read_observations

NAN = np.nan
Table = dict[str, list[Any]]


def read(text: str | bytes, folder: Path, **options: Any) -> Observations:
    path = folder / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_observations(path, **options)


def known(text: str | bytes, folder: Path, **options: Any) -> list[Any]:
    """Return point, output, kind and value of each number."""
    return [(*fact[:3], fact[4]) for fact in facts(read(text, folder, **options))]


# Three forms --------------------------------------------------------------------------------------------------------

INPUTS = st.sampled_from([["x1", "x2"], ["t"], ["body mass", "age", "größe^2"], ["x", "x^2"], ["a/b", "dy"]])
OUTPUTS = st.sampled_from([["y"], ["y", "2u"], ["u v", "a/c"]])


@st.composite
def parts(draw: st.DrawFn) -> tuple[list[str], list[str], np.ndarray, list[np.ndarray]]:
    """Names; points, some of which come again; values, first and second derivatives with gaps."""
    inputs, outputs = draw(INPUTS), draw(OUTPUTS)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, n, m = draw(st.integers(1, 6)), len(inputs), len(outputs)
    points = rng.normal(size=(count, n)) if draw(st.booleans()) else rng.integers(0, 2, (count, n)).astype(float)
    numbers = [rng.normal(size=(count, m, *(n,) * k)) for k in range(3)]
    numbers[2] = numbers[2] + np.swapaxes(numbers[2], 2, 3)
    for array in numbers:
        array[rng.random(array.shape) < 0.4] = NAN
    numbers[1][0] = numbers[0][0] = 1.0
    return inputs, outputs, points, numbers


def multi_indices(n: int) -> list[tuple[int, ...]]:
    return [alpha for k in range(3) for alpha in itertools.combinations_with_replacement(range(n), k)]


def column(numbers: list[np.ndarray], output: int, alpha: tuple[int, ...]) -> np.ndarray:
    one, other = (numbers[len(alpha)][(slice(None), output, *a)] for a in (alpha, alpha[::-1]))
    return np.where(np.isnan(one), other, one)


def long_table(inputs: list[str], outputs: list[str], points: np.ndarray, numbers: list[np.ndarray]) -> Table:
    rows: list[list[Any]] = []
    for r, (o, output), alpha in itertools.product(range(len(points)), enumerate(outputs), multi_indices(len(inputs))):
        name = " ".join(inputs[i] for i in alpha)
        rows.append([*points[r].tolist(), output, name, float(column(numbers, o, alpha)[r])])
    names = [*inputs, "output", "derivative", "value"]
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def wide_table(inputs: list[str], outputs: list[str], points: np.ndarray, numbers: list[np.ndarray]) -> Table:
    table = {name: points[:, i].tolist() for i, name in enumerate(inputs)}
    for (o, output), alpha in itertools.product(enumerate(outputs), multi_indices(len(inputs))):
        order = str(len(alpha)) if len(alpha) > 1 else ""
        by = " ".join("d" + inputs[i] for i in alpha)
        table[f"d{order}{output}/{by}" if alpha else output] = column(numbers, o, alpha).tolist()
    return table


def written(table: Table, delimiter: str, decimal: str) -> str:
    lines = [delimiter.join(f'"{name}"' for name in table)]
    for row in zip(*table.values(), strict=True):
        cells = [cell if isinstance(cell, str) else repr(cell).replace(".", decimal) for cell in row]
        lines.append(delimiter.join("" if cell == "nan" else cell for cell in cells))
    return "\n".join(lines)


@settings(deadline=None)
@given(parts())
def test_long_wide_and_dense_say_the_same(data: Any) -> None:
    inputs, outputs, points, numbers = data
    expected = Observations.dense(points, *numbers, input_names=inputs, output_names=outputs)
    for table in (long_table(*data), wide_table(*data)):
        found = read_observations(table, inputs, outputs)
        assert facts(found) == facts(expected)
        assert (found.input_names, found.output_names) == (tuple(inputs), tuple(outputs))
    if "dy" not in inputs and "x^2" not in inputs:
        assert facts(read_observations(long_table(*data))) == facts(expected)
        assert facts(read_observations(wide_table(*data))) == facts(expected)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=parts(), look=st.sampled_from([(",", "."), (";", ","), (";", "."), ("\t", ",")]), long=st.booleans())
def test_files_and_frames_say_the_same(data: Any, look: tuple[str, str], long: bool, tmp_path: Path) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    inputs, outputs = data[:2]
    table = (long_table if long else wide_table)(*data)
    expected = facts(read_observations(table, inputs, outputs))
    assert facts(read(written(table, *look), tmp_path, inputs=inputs, outputs=outputs)) == expected
    gaps = {k: [None if c != c else c for c in v] for k, v in table.items()}
    for frame in (pandas.DataFrame(table), pandas.DataFrame(gaps), polars.DataFrame(table), polars.DataFrame(gaps)):
        assert facts(read_observations(frame, inputs, outputs)) == expected
    polars.DataFrame(gaps, strict=False).write_parquet(tmp_path / "t.parquet")
    assert facts(read_observations(tmp_path / "t.parquet", inputs, outputs)) == expected


def test_what_the_package_writes_is_read(tmp_path: Path) -> None:
    f = na.Network.from_layers(
        [([[1, 2], [0.5, -1]], [0.1, 0]), ([[2, 1]], None)], "tanh", input_names=["u", "v w"], output_names=["y"]
    )
    x = np.random.default_rng(0).normal(size=(5, 2))
    first, second = f.jacobian(x)[:, 0], f.hessian(x)[:, 0]
    columns = {"u": x[:, 0], "v w": x[:, 1], "y": f(x)[:, 0], "dy/du": first[:, 0], "dy/dv w": first[:, 1]}
    columns |= {"d2y/du du": second[:, 0, 0], "d2y/du dv w": second[:, 0, 1], "d2y/dv w dv w": second[:, 1, 1]}
    write_table(columns, tmp_path / "t.csv")
    expected = Observations.dense(x, f(x), first, second, input_names=["u", "v w"], output_names=["y"])
    assert facts(read_observations(tmp_path / "t.csv")) == facts(expected)


# Long tables --------------------------------------------------------------------------------------------------------


def test_a_long_table(tmp_path: Path) -> None:
    text = """
x1, x2, output, derivative, value, weight
0, 1, u, , 5, 1
0, 1, v, value, 6, 0.5
2, 3, u, x1, 7, 2
2, 3, u, x2 x1, 8, 0
2, 3, u, x1^2 x2, 9, 1
2, 3, v, laplacian, 1e1, 1
2, 3, v, laplacian, nan, 1
, , , x1, , 1
"""
    found = read(text, tmp_path)
    assert facts(found) == [
        ((0.0, 1.0), "u", "value", (), 5.0, 1.0, False, 0),
        ((0.0, 1.0), "v", "value", (), 6.0, 0.5, False, 0),
        ((2.0, 3.0), "u", "x1", (), 7.0, 2.0, False, 0),
        ((2.0, 3.0), "u", "x1 x2", (), 8.0, 0.0, False, 0),
        ((2.0, 3.0), "u", "x1^2 x2", (), 9.0, 1.0, False, 0),
        ((2.0, 3.0), "v", "laplacian", (), 10.0, 1.0, False, 0),
    ]
    assert found.notes == ("2 empty values left out",)
    assert found.rows == 5


def test_a_long_table_with_deviations(tmp_path: Path) -> None:
    text = "t;value;sd;comment\n1;2,5;0,5;a\n2;;;b\n"
    found = read(text, tmp_path, inputs=["t"])
    assert facts(found) == [((1.0,), "y1", "value", (), 2.5, 4.0, True, 0)]
    assert found.notes == (
        "columns separated by semicolons, decimal comma",
        "1 empty value left out",
        "columns left out: comment",
    )
    with pytest.raises(LoadError, match="line 2, column 'comment': 'a'"):
        read(text, tmp_path)


def test_columns_that_are_named_as_inputs_are_nothing_else(tmp_path: Path) -> None:
    text = "weight,value,output,sd\n1,2,3.5,0\n"
    found = read(text, tmp_path, inputs=["weight", "output", "sd"])
    assert facts(found) == [((1.0, 3.5, 0.0), "y1", "value", (), 2.0, 1.0, False, 0)]
    found = read(text.replace(",", ";").replace(".", ","), tmp_path, inputs=["output", "value"], outputs=["weight"])
    assert facts(found) == [((3.5, 2.0), "weight", "value", (), 1.0, 1.0, False, 0)]


def test_groups_with_the_same_points_share_them() -> None:
    x = np.random.default_rng(0).normal(size=(5, 1))
    data = (["x"], ["y"], x, [np.ones((5, 1, *(1,) * k)) for k in range(3)])
    table = long_table(*data)
    order = np.random.default_rng(1).permutation(len(table["x"]))
    shuffled = {name: [cells[i] for i in order] for name, cells in table.items()}
    for found in (read_observations(table), read_observations(shuffled)):
        assert len(found.groups) == 3
        assert len({id(g.points) for g in found.groups}) == 1


def test_repeated_rows_stay() -> None:
    table = {"x": [1, 1, 1, 1], "output": ["u", "v", "u", "u"], "value": [1, 2, 3, 1]}
    found = read_observations(table)
    assert [(fact[1], fact[4]) for fact in facts(found)] == [("u", 1), ("u", 1), ("u", 3), ("v", 2)]
    assert found.groups[0].values.tolist()[0] == [1, 2]
    assert found.contradictions()[0].values == (1, 3)


def test_outputs_of_a_long_table(tmp_path: Path) -> None:
    text = "x,output,value\n1,b,2\n1,a,3\n2,b ,4\n"
    assert read(text, tmp_path).output_names == ("b", "a")
    found = read(text, tmp_path, outputs=["a", "b", "c"])
    assert found.output_names == ("a", "b", "c")
    assert found.unknown_outputs() == ("c",)
    assert read("x,value\n1,2\n", tmp_path, outputs=["temperature"]).output_names == ("temperature",)


# Wide tables --------------------------------------------------------------------------------------------------------

WIDE: list[tuple[str, dict[str, Any], list[str], list[str], set[str]]] = [
    ("a,b,c", {}, ["a", "b"], ["c"], {"value"}),
    ("y,a", {"outputs": ["y"]}, ["a"], ["y"], {"value"}),
    ("y,a", {"inputs": ["a"]}, ["a"], ["y"], {"value"}),
    ("y,a,z", {"inputs": ["a"]}, ["a"], ["z"], {"value"}),
    (" x , y ,dy/dx", {}, ["x"], ["y"], {"value", "x"}),
    ("x1,x2,dy/dx1", {}, ["x1", "x2"], ["y"], {"x1"}),
    ("x1,y,dy/dx1,x2", {}, ["x1", "x2"], ["y"], {"value", "x1"}),
    ("x,d2y/dx^2", {}, ["x"], ["y"], {"x^2"}),
    ("x,d^2y/dx^2", {}, ["x"], ["y"], {"x^2"}),
    ("x,t,d3y/dx^2 dt", {}, ["x", "t"], ["y"], {"x^2 t"}),
    ("x,d2y/dx", {}, ["x"], ["2y"], {"x"}),
    ("x,t,d2y/dx dt,d2y/dt dx", {}, ["x", "t"], ["y"], {"x t"}),
    ("x,u,v,du/dx,dv/dx", {}, ["x"], ["u", "v"], {"value", "x"}),
    ("x,u,v,du/dx,dv/dx", {"outputs": ["v"]}, ["x"], ["v"], {"value", "x"}),
    ("x,t,dx/dt,y", {"inputs": ["x", "t", "dx/dt"]}, ["x", "t", "dx/dt"], ["y"], {"value"}),
    ("t,x,dx/dt", {}, ["t"], ["x"], {"value", "t"}),
    ("x,value,dvalue/dx", {}, ["x"], ["value"], {"value", "x"}),
    ("x,value", {"outputs": ["value"]}, ["x"], ["value"], {"value"}),
    ("weight,sd,power,price", {}, ["weight", "sd", "power"], ["price"], {"value"}),
    ("output,derivative,y", {}, ["output", "derivative"], ["y"], {"value"}),
    ("a/b,c,dc/da/b", {}, ["a/b"], ["c"], {"value", "a/b"}),
    ("x,b/dx,da/db/dx", {"inputs": ["x", "b/dx"]}, ["x", "b/dx"], ["a"], {"b/dx"}),
    ("x,b/dx,da/db/dx", {"inputs": ["x", "b/dx"], "outputs": ["a/db"]}, ["x", "b/dx"], ["a/db"], {"x"}),
]


@pytest.mark.parametrize(("header", "options", "inputs", "outputs", "kinds"), WIDE)
def test_what_columns_of_a_wide_table_are(
    header: str, options: dict[str, Any], inputs: list[str], outputs: list[str], kinds: set[str], tmp_path: Path
) -> None:
    cells = ",".join("1.5" for _ in header.split(","))
    found = read(f"{header}\n{cells}\n", tmp_path, **options)
    assert (list(found.input_names), list(found.output_names), set(found.kinds)) == (inputs, outputs, kinds)


def test_a_wide_table_with_gaps(tmp_path: Path) -> None:
    found = read("x,y,dy/dx,z\n1,2,,\n,,,7\n3,,4,\n5,NaN,nan,\n", tmp_path, inputs=["x"])
    assert [(*f[:3], f[4]) for f in facts(found)] == [((1.0,), "y", "value", 2.0), ((3.0,), "y", "x", 4.0)]
    assert found.notes == ("6 empty values left out", "columns left out: z")
    assert found.points.tolist() == [[1], [3]]


# CSV ----------------------------------------------------------------------------------------------------------------

XY = [((1.5,), "y", "value", 2.25), ((-0.5,), "y", "value", 1000.0)]


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("x,y\n1.5,2.25\n-.5,1e3\n", ()),
        ("x;y\n1,5;2,25\n-,5;1e3\n", ("columns separated by semicolons, decimal comma",)),
        ("x;y\r\n1.5;2.25\r\n-0.5;1000\r\n", ("columns separated by semicolons",)),
        (
            "\ufeffx\ty\n1,5\t2,25\n-0,5\t1,0E+3",
            ("columns separated by tabs, decimal comma", "byte order mark at the start"),
        ),
        ('"x";"y"\n"1,5";"2,25"\n"-0,5";"1000"\n', ("columns separated by semicolons, decimal comma",)),
        ("\n x , y \n\n 1.5 , 2.25 \n-0.5,1000\n\n", ()),
    ],
)  # fmt: skip
def test_looks_of_csv(text: str, notes: tuple[str, ...], tmp_path: Path) -> None:
    assert known(text, tmp_path) == sorted(XY)
    assert read(text, tmp_path).notes == notes


def test_decimal_commas_in_one_column_only(tmp_path: Path) -> None:
    assert known("x;y\n1;2,5\n2;3\n", tmp_path) == [((1.0,), "y", "value", 2.5), ((2.0,), "y", "value", 3.0)]


MANY = "".join(f"{i};{i},5\n" for i in range(2000))
BAD_CSV: list[tuple[str | bytes, type[NeuralgebraError], list[str]]] = [
    ("x,y\n1,2\n\n3,red\n", LoadError, ["line 4", "'y'", "'red'; a finite number expected"]),
    ("x,y\n1,1_000\n", LoadError, ["line 2", "'y'", "1_000"]),
    ("x,y\n1,inf\n", LoadError, ["line 2", "'y'", "'inf'"]),
    ("x,y\n1,1e999\n", LoadError, ["line 2", "'y'", "1e999"]),
    ("x,y\n1,0x1p3\n", LoadError, ["line 2", "'y'"]),
    ("x,y\n1,=cmd|'/c calc'!A0\n", LoadError, ["line 2", "=cmd"]),
    ("x,y\n1,\x1b]8\n", LoadError, ["line 2", r"\x1b]8"]),
    ('x,y\n1,"2,5"\n', LoadError, ["line 2", "'2,5'", "decimals with a point."]),
    ("x;y\n1,5;1.234,5\n", LoadError, ["line 2", "'y'", "'1.234,5'", "none between thousands"]),
    ("x;y\n1,5;1.234\n", LoadError, ["line 2", "'y'", "'1.234'", "one decimal sign"]),
    ("x;y\n1;1,234,567\n", LoadError, ["line 2", "'y'", "'1,234,567'", "nothing between thousands"]),
    ("x;y\n1;1.5\n2;2,5\n", LoadError, ["line 3", "'y'", "'2,5'"]),
    ("x;y\n1;1,5\n2;2.5\n", LoadError, ["line 3", "'y'", "'2.5'"]),
    ("x;y\n1;1,5\n2;red\n", LoadError, ["line 3", "'y'", "'red'"]),
    ("x;y\n" + MANY + "7;7.5\n", LoadError, ["line 2002", "'y'", "'7.5'"]),
    ("x;y\n" + MANY + "7\n", LoadError, ["line 2002", "1 cells received; 2 expected"]),
    ("x,y\n1,2\n3\n", LoadError, ["line 3", "1 cells received; 2 expected"]),
    ("x,y\n1,2,\n", LoadError, ["line 2", "3 cells"]),
    ("x,y\n,2\n", LoadError, ["line 2", "'x'", "every point needs all its coordinates"]),
    ("x,y\n1,2\n".encode("utf-16"), LoadError, ["UTF-16"]),
    (b"x,y\n1,\x002\n", LoadError, ["binary"]),
    ("x,y\n1,2é\n".encode("latin-1"), LoadError, ["line 2 is no UTF-8"]),
    ('x,y\n1,"2\n', LoadError, ["CSV expected"]),
    (b"", LoadError, ["empty"]),
    ("\n\n", LoadError, ["no rows received"]),
    ("x,y\n", LoadError, ["a header without rows"]),
    ("1,2\n3,4\n", LoadError, ["the first row 1, 2 has numbers"]),
    ("1,5;2\n3;4\n", LoadError, ["has numbers"]),
    ("x,2.5\n3,4\n", LoadError, ["has numbers"]),
    ("x,x,y\n1,2,3\n", InputError, ["'x' received more than once"]),
    (",x,y\n0,2,3\n", InputError, ["a column without a name"]),
    ("x,y\n1,\n2,nan\n", InputError, ["nothing is known"]),
    ("x,y,dy/dz\n1,2,3\n", InputError, ["column 'dy/dz' received", "which are x"]),
    ("x,y,d2y/dx dz\n1,2,3\n", InputError, ["'d2y/dx dz'"]),
    ("x,y,d3y/dx^2\n1,2,3\n", InputError, ["'d3y/dx^2'"]),
    ("x,z,dz/dx,dy/dz\n1,2,3,4\n", InputError, ["'dy/dz'"]),
    ("y\n1\n", InputError, ["coordinates of points missing"]),
    ("x,t,d2y/dx dt,d2y/dt dx\n1,2,3,4\n", InputError, ["3.0 and 4.0 received for one derivative"]),
    # long ones
    ("x,derivative,value\n1,,2\n2,x3,3\n", LoadError, ["line 3", "'derivative'", "derivative 'x3' received"]),
    ("x,derivative,value\n1,nan,2\n", LoadError, ["line 2", "derivative 'nan'"]),
    ("x,output,value\n1,u,2\n2,,3\n", LoadError, ["line 3", "'output'", "''; one of u expected"]),
    ("x,value\n1,\n", InputError, ["nothing is known"]),
    ("x,value\n,3\n", LoadError, ["line 2", "'x'"]),
    ("value\n3\n", InputError, ["coordinates of points missing"]),
    ("x,value,weight\n1,2,-1\n", LoadError, ["line 2", "'weight'", "-1.0; a number at least 0 expected"]),
    ("x,value,weight\n1,,1\n1,2,\n", LoadError, ["line 3", "'weight'", "an empty cell"]),
    ("x,value,sd\n1,2,0\n", LoadError, ["line 2", "'sd'", "0.0; a number above 0"]),
    ("x,value,sd\n1,2,1e-200\n", LoadError, ["line 2", "'sd'", "1e-200"]),
    ("x,value,sd,weight\n1,2,1,1\n", InputError, ["'weight' and 'sd'"]),
    ("x,value,weight\n1,2,0\n1,,5\n", InputError, ["all zero"]),
    ("x,value,weight\n1,2,red\n", LoadError, ["line 2", "'weight'", "'red'"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "error", "words"), BAD_CSV, ids=[f"{i}" for i in range(len(BAD_CSV))])
def test_bad_files(text: str | bytes, error: type[NeuralgebraError], words: list[str], tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        read(text, tmp_path)
    message = str(caught.value)
    assert type(caught.value) is error
    assert [word for word in words if word not in message] == []
    assert len(message.splitlines()) <= 3
    assert "\x1b" not in message


def test_quoted_names_may_be_numbers_or_have_separators(tmp_path: Path) -> None:
    assert read('"1","a;b"\n1,2\n', tmp_path).input_names == ("1",)
    assert known('"a,b";y\n1,5;2\n', tmp_path) == [((1.5,), "y", "value", 2.0)]


def test_numbers_are_the_nearest_doubles(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=3000) * 10.0 ** np.linspace(-300, 300, 3000)
    for decimal in ".,":
        lines = "".join(f"{i};{v!r}\n".replace(".", decimal) for i, v in enumerate(values.tolist()))
        found = read("x;y\n" + lines, tmp_path)
        assert found.groups[0].values.ravel().tolist() == values.tolist()


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x,y\n1,2\n")))
    assert read_observations("-").numbers == 1
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x,y\n1,red\n")))
    with pytest.raises(LoadError, match="standard input: line 2"):
        read_observations("-")


def test_a_header_like_the_mark_of_parquet(tmp_path: Path) -> None:
    assert read("PAR1,y\n1,2\n", tmp_path).input_names == ("PAR1",)


# Frames and mappings ------------------------------------------------------------------------------------------------

BAD_TABLES: list[tuple[Any, type[NeuralgebraError], list[str]]] = [
    ({"x": [1, 2], "y": [1]}, InputError, ["1, 2 rows received"]),
    ({"x": [], "y": []}, InputError, ["0 rows"]),
    ({}, InputError, ["no rows"]),
    ({"x": [[1, 2]], "y": [1]}, ShapeError, ["'x' of shape (1, 2)"]),
    ({"x": [1, [2]], "y": [1, 2]}, InputError, ["'x' that is no array"]),
    ({"x": 1, "y": [1]}, ShapeError, ["'x' of shape ()"]),
    ({"x": [1], "y": ["2"]}, LoadError, ["a mapping: row 1, column 'y': '2'; a finite number"]),
    ({"x": [1], "y": [2j]}, LoadError, ["row 1, column 'y'"]),
    ({"x": [1, 2], "y": [1, np.inf]}, LoadError, ["row 2, column 'y': inf"]),
    ({"x": [1, 2], "y": [1, 10**400]}, LoadError, ["row 2, column 'y'"]),
    ({"x": np.array(["2020-01-01"], "datetime64[ns]"), "y": [1]}, LoadError, ["row 1, column 'x'"]),
    ({"x": [1, None], "y": [1, 2]}, LoadError, ["row 2, column 'x'"]),
    ({"x": [1], "x ": [2], "y": [1]}, InputError, ["'x' received more than once"]),
    (3, InputError, ["int received; a file, a data frame or a mapping"]),
    (np.ones((2, 2)), InputError, ["ndarray received"]),
]


@pytest.mark.parametrize(("table", "error", "words"), BAD_TABLES, ids=[f"{i}" for i in range(len(BAD_TABLES))])
def test_bad_tables(table: Any, error: type[NeuralgebraError], words: list[str]) -> None:
    with pytest.raises(error) as caught:
        read_observations(table)
    assert type(caught.value) is error
    assert [word for word in words if word not in str(caught.value)] == []


def test_frames_that_are_refused() -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    with pytest.raises(InputError, match="Collect a lazy frame first"):
        read_observations(polars.DataFrame({"x": [1], "y": [2]}).lazy())
    with pytest.raises(InputError, match="cannot be read"):
        read_observations(pandas.DataFrame([[1, 2, 3]], columns=["x", "x", "y"]))
    with pytest.raises(LoadError, match="a table: row 1, column 'y'"):
        read_observations(pandas.DataFrame({"x": [1.0], "y": ["a"]}))
    with pytest.raises(LoadError, match="row 2, column 'x': inf"):
        read_observations(polars.DataFrame({"x": [1.0, np.inf], "y": [1, 2]}))


def test_columns_of_many_kinds() -> None:
    pandas = pytest.importorskip("pandas")
    y = [1.0, NAN, 3.0]
    kinds: list[Any] = [
        np.ma.masked_array([1, 2, 3], [False, True, False]), [1, None, 3], [True, None, 3], np.array(y, np.float32),
        pandas.array([1, None, 3], dtype="Int64"), pandas.Series(y), np.array([1, None, 3], object), tuple(y),
        [1, pandas.NA, 3], pandas.Series([1, pandas.NA, 3], dtype=object),
    ]  # fmt: skip
    for cells in kinds:
        found = read_observations({" x": range(3), "y ": cells})
        assert [(*f[:2], f[4]) for f in facts(found)] == [((0.0,), "y", 1.0), ((2.0,), "y", 3.0)]
    frame = pandas.DataFrame({"x ": [1, 2], "derivative": ["x", None], "value": pandas.array([1, 2], dtype="Float64")})
    assert read_observations(frame).kinds == {"x": 1, "value": 1}
    coded = pandas.DataFrame({"x": [1, 2], "output": pandas.Categorical(["b", "a"]), "value": [1, 2]})
    assert read_observations(coded).output_names == ("b", "a")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"inputs": ["z"]}, InputError, "'z' missing"),
        ({"outputs": ["z"]}, InputError, "'z' missing"),
        ({"inputs": ["x"], "outputs": ["x"]}, InputError, "among inputs and outputs"),
        ({"inputs": "x"}, UsageError, "inputs='x' received"),
        ({"outputs": []}, UsageError, r"outputs=\[\] received"),
        ({"inputs": ["x", "x"]}, InputError, "more than once"),
        ({"outputs": ["y", "y"]}, InputError, "more than once"),
    ],
)
def test_names_that_are_asked_for(options: dict[str, Any], error: type[NeuralgebraError], words: str) -> None:
    with pytest.raises(error, match=words):
        read_observations({"x": [1.0], "y": [2.0]}, **options)


def test_several_outputs_of_a_long_table_need_their_column() -> None:
    with pytest.raises(InputError, match="without a column 'output'"):
        read_observations({"x": [1.0], "value": [2.0]}, outputs=["a", "b"])
