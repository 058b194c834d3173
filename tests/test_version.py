"""The version is written in two places; they agree."""

import tomllib
from pathlib import Path

import neuralgebra


def test_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert neuralgebra.__version__ == project["version"]
