"""The package obeys the laws of the house, and each law is seen to catch what it forbids."""

from pathlib import Path

import pytest

import architecture
from architecture import LAWS, House, Law

PACKAGE = Path(__file__).parents[1] / "src" / "neuralgebra"


@pytest.fixture(scope="module")
def package() -> House:
    return House(PACKAGE)


def test_the_package_is_found(package: House) -> None:
    assert "neuralgebra" in package.sources, f"no package in {PACKAGE}"


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_package_obeys(law: Law, package: House) -> None:
    breaches = law(package)
    assert not breaches, "\n".join([law.__doc__ or law.__name__, *breaches])


# The laws themselves, tried on small trees: files, and what the law must say of them (nothing: all is well).


def build(root: Path, files: dict[str, str]) -> House:
    for path, text in files.items():
        file = root / "neuralgebra" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return House(root / "neuralgebra")


LONG_BODY = "def f():\n" + "    x = 1\n" * 11
BROKEN = [
    # every file has a storey, and imports run one way
    ("storey_order", {"attic.py": ""}, "attic.py:1: 'attic' is no storey"),
    ("storey_order", {"attic/box.py": ""}, "attic/box.py:1: 'attic' is no storey"),
    (
        "storey_order",
        {"network/layers.py": "\nimport neuralgebra.calculus.jet as jet", "calculus/jet.py": ""},
        "network/layers.py:2: 'network' imports neuralgebra.calculus.jet from the later storey 'calculus'",
    ),
    ("storey_order", {"errors.py": "from neuralgebra import api", "api.py": ""}, "later storey 'api'"),
    ("storey_order", {"errors.py": "from .api import methods", "api.py": ""}, "later storey 'api'"),
    (
        "storey_order",
        {"fitting/adam.py": "from ..show import plot", "show/plot.py": "", "show/__init__.py": ""},
        "'show'",
    ),
    (
        "storey_order",
        {"fitting/__init__.py": "from .. import show", "show/__init__.py": ""},
        "later storey 'show'",
    ),
    (
        "storey_order",
        {"errors.py": "from . import __version__", "__init__.py": ""},
        "later storey '__init__'",
    ),
    ("storey_order", {"errors.py": "if TYPE_CHECKING:\n    from . import api", "api.py": ""}, "errors.py:2"),
    # cycles
    (
        "no_cycle",
        {
            "fitting/a.py": "from . import b",
            "fitting/b.py": "from .c import x",
            "fitting/c.py": "from neuralgebra.fitting import a",
        },
        "neuralgebra.fitting.a, neuralgebra.fitting.b, neuralgebra.fitting.c",
    ),
    (
        "no_cycle",
        {"fitting/__init__.py": "from .a import x", "fitting/a.py": "from . import x"},
        "neuralgebra.fitting, neuralgebra.fitting.a",
    ),
    # late imports
    (
        "no_late_import",
        {"fitting/a.py": "def f():\n    from .. import errors", "errors.py": ""},
        "fitting/a.py:2: late import",
    ),
    (
        "no_late_import",
        {"api.py": "def f():\n    from . import errors", "errors.py": ""},
        "api.py:2: late import",
    ),
    (
        "no_late_import",
        {"fitting/a.py": "import_module('neuralgebra.errors')"},
        "late import of neuralgebra.errors",
    ),
    ("no_late_import", {"fitting/a.py": "importlib.import_module(name)"}, "late import of a computed name"),
    ("no_late_import", {"fitting/a.py": "importlib.import_module('.errors', 'neuralgebra')"}, "a computed name"),
    ("no_late_import", {"fitting/a.py": "f = lambda: __import__('neuralgebra.errors')"}, "neuralgebra.errors"),
    # optional packages
    (
        "optional_packages",
        {"files/keras.py": "def f():\n    import h5py", "files/other.py": "from h5py import File"},
        "'files' imports h5py in 2 files: files/keras.py, files/other.py",
    ),
    (
        "optional_packages",
        {"fitting/a.py": "import sklearn.base", "fitting/b.py": "importlib.import_module('sklearn.base')"},
        "'fitting' imports sklearn in 2 files",
    ),
    # array libraries
    ("array_libraries", {"arithmetic/balls.py": "import torch"}, "arithmetic/balls.py:1: torch belongs in"),
    ("array_libraries", {"calculus/jet.py": "def f():\n    from jax import numpy"}, "calculus/jet.py:2: jax"),
    ("array_libraries", {"network/layers.py": "from array_api_compat import size"}, "array_api_compat"),
    # lengths
    ("file_length", {"errors.py": "\n" * 501}, "errors.py: 501 lines"),
    ("function_length", {"errors.py": LONG_BODY}, "errors.py:1: f: 11 lines"),
    ("function_length", {"errors.py": LONG_BODY + "def g(): ...\n" * 9}, "11 lines over 1 functions"),
    # annotations
    ("annotated", {"errors.py": "def f(x: int, y): ..."}, "errors.py:1: parameter 'y' of f"),
    ("annotated", {"errors.py": "class A:\n    def f(self, x): ..."}, "errors.py:2: parameter 'x' of f"),
    ("annotated", {"errors.py": "def f(x, /): ..."}, "parameter 'x'"),
    ("annotated", {"errors.py": "async def f(*args): ..."}, "parameter 'args'"),
    ("annotated", {"errors.py": "def f(*, key): ..."}, "parameter 'key'"),
    ("annotated", {"errors.py": "def f(**options): ..."}, "parameter 'options'"),
    # nothing is executed
    ("nothing_executed", {"errors.py": "x = 1\neval('1')"}, "errors.py:2: eval"),
    ("nothing_executed", {"errors.py": "run = exec"}, "exec"),
    ("nothing_executed", {"errors.py": "builtins.eval('1')"}, "eval"),
    ("nothing_executed", {"errors.py": "from builtins import exec as run"}, "exec"),
    ("nothing_executed", {"errors.py": "sympy.sympify('1')"}, "sympify"),
    ("nothing_executed", {"errors.py": "from sympy import lambdify"}, "lambdify"),
    ("nothing_executed", {"errors.py": "sympy.parsing.sympy_parser.parse_expr('1')"}, "parse_expr"),
    ("nothing_executed", {"errors.py": "import pickle\npickle.load(file)"}, "errors.py:1: pickle"),
    ("nothing_executed", {"errors.py": "from joblib import load"}, "joblib"),
    ("nothing_executed", {"errors.py": "numpy.load(path, allow_pickle=True)"}, "allow_pickle"),
]

SOUND = {
    "__init__.py": "from . import api\nfrom .errors import Refusal",
    "errors.py": "class Refusal(Exception): ...",
    "arithmetic/__init__.py": "from .arrays import kind",
    "arithmetic/arrays.py": "def kind(x: object) -> str:\n    import torch\n    import array_api_compat",
    "network/__init__.py": "",
    "network/layers.py": "import numpy\nfrom ..arithmetic import kind\nfrom neuralgebra import errors",
    "network/network.py": "import re\nfrom . import layers\nfrom .layers import Affine",
    "files/torch.py": "from ..network import network\ndef read():\n    import torch\n    model.eval()",
    "api.py": "def method(self, name: str, *args: int):\n    return importlib.import_module(name)",
    "cli.py": "import neuralgebra as na\ntorch = importlib.import_module('torch')",
    "__main__.py": "from .cli import main",
}


@pytest.mark.parametrize(("law", "files", "message"), BROKEN)
def test_a_law_reports_its_breach(law: str, files: dict[str, str], message: str, tmp_path: Path) -> None:
    breaches = getattr(architecture, law)(build(tmp_path, files))
    assert len(breaches) == (2 if law == "function_length" else 1)  # a head, then the longest functions
    assert message in "\n".join(breaches)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_a_law_is_content_with_a_sound_house(law: Law, tmp_path: Path) -> None:
    assert law(build(tmp_path, SOUND)) == []


def test_each_law_is_tried() -> None:
    assert {law for law, _, _ in BROKEN} == {law.__name__ for law in LAWS}


def test_lengths_are_those_of_bodies_without_docstring(tmp_path: Path) -> None:
    text = 'def f():\n    """Doc."""\n    @g\n    def h():\n        return 1\n    return h\n'
    house = build(tmp_path, {"errors.py": text})
    assert architecture._body_lengths(house) == {"errors.py:1: f": 4, "errors.py:4: h": 1}


def test_data_tables_may_be_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(architecture, "DATA_TABLES", frozenset({"errors.py"}))
    assert architecture.file_length(build(tmp_path, {"errors.py": "\n" * 501})) == []
