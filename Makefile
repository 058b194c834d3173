# make demo | test | test-long | check | bench | clean
# Variables: PYTHON (3.11 or later), TORCH (what pip installs for the tests), PYTEST_FLAGS.

PYTHON ?= python3
TORCH ?= torch==2.13.0
PYTEST_FLAGS ?= -n 2

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
# A stamp lives in the environment it speaks of, and is older than pyproject.toml when it must be renewed.
DEMO_READY := $(VENV)/.stamp-demo
TEST_READY := $(VENV)/.stamp-test
BENCH_READY := $(VENV)/.stamp-bench
BENCHMARKS := $(sort $(wildcard benchmarks/[!_]*.py))

.PHONY: demo test test-long check bench clean
.DELETE_ON_ERROR:

demo: $(DEMO_READY)
	$(BIN)/python examples/demo.py

test: $(TEST_READY)
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

test-long: $(TEST_READY)
	$(BIN)/python -m pytest $(PYTEST_FLAGS) -m ""

check: $(TEST_READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m numpydoc lint $$(find src -name '*.py' | sort)

bench: $(BENCH_READY)
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python "$$script"; done

clean:
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find src tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(DEMO_READY): pyproject.toml | $(BIN)/pip
	$(PIP) install -e '.[ort]'
	@touch $@

$(TEST_READY): pyproject.toml | $(BIN)/pip
	$(PIP) install '$(TORCH)'
	$(PIP) install -e '.[test]'
	@touch $@

$(BENCH_READY): pyproject.toml $(TEST_READY)
	$(PIP) install -e '.[bench]'
	@touch $@

$(BIN)/pip:
	@command -v $(PYTHON) >/dev/null || \
	  { echo "neuralgebra needs Python 3.11 or later, and '$(PYTHON)' was not found; try: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "neuralgebra needs Python 3.11 or later, and this is $$($(PYTHON) --version); try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "No virtual environment could be made; on Debian and Ubuntu first run: apt install python3-venv" >&2; exit 1; }
