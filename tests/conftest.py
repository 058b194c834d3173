"""Settings shared by all tests, and generators that start anew for each of them."""

import gc
import os
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("neuralgebra", deadline=None, max_examples=50, derandomize="CI" in os.environ)
settings.load_profile("neuralgebra")


def pytest_collection_finish() -> None:
    """Leave the modules that are loaded by now out of every later collection of garbage."""
    gc.collect()
    gc.freeze()


STARTS: dict[Any, Any] = {}


def pytest_itemcollected(item: pytest.Item) -> None:
    """Note the state of a module's RNG before any test has drawn from it."""
    module = getattr(item, "module", None)
    if hasattr(module, "RNG") and module not in STARTS:
        STARTS[module] = module.RNG.bit_generator.state


@pytest.fixture(autouse=True)
def _the_same_numbers(request: pytest.FixtureRequest) -> None:
    """Each test draws the same numbers, whichever ran before it."""
    if request.module in STARTS:
        request.module.RNG.bit_generator.state = STARTS[request.module]
