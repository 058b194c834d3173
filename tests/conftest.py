"""Settings shared by all tests."""

import os

from hypothesis import settings

settings.register_profile("neuralgebra", deadline=None, max_examples=50, derandomize="CI" in os.environ)
settings.load_profile("neuralgebra")
