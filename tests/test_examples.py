"""The parts of the examples do what their tables say."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(scope="module")
def product() -> dict:
    return runpy.run_path(str(EXAMPLES / "learned_product.py"))


def test_four_sigmoid_neurons_are_a_product(product: dict) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(2000, 2))
    assert abs(product["gate"]()(x)[:, 0] - x[:, 0] * x[:, 1]).max() < 1e-10


def test_a_learned_product_comes_near(product: dict) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(200, 2))
    found = product["learned"](4, x, x[:, 0] * x[:, 1])
    assert 1e-9 < abs(found(x)[:, 0] - x[:, 0] * x[:, 1]).max() < 1e-2


def test_a_trained_monotone_network_is_proven_and_a_free_one_refuted() -> None:
    monotone = runpy.run_path(str(EXAMPLES / "monotone.py"))
    verdicts = [
        monotone["trained"](weights).certify("increasing in dose", monotone["BOX"]).verdict
        for weights in (np.square, np.asarray)
    ]
    assert verdicts == ["proven", "refuted"]
