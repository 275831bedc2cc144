# Everything runs in .venv, which the targets make and fill by themselves. Variables to set on the command line:
#   PYTHON       the Python to make .venv with, 3.11 or newer (python3)
#   ARGS         further arguments for `make demo` and `make test`
#   TORCH_INDEX  a package index with torch for CPUs, used where it answers; empty for none

PYTHON ?= python3
ARGS ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test soak loops lint proto wheel clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Import MovieLens-100K, build a generation, serve it and print feeds
	$(BIN)/recommender demo $(ARGS)

# Threads that wait for each other asleep instead of spinning, which costs a tenth of the time here and far more on a busy machine; and none
# for products of small matrices, whose waiting is a fifth of what builds in tests take. The processes keep two processors busy.
# Files are given out in the order of tests/conftest.py, long ones first.
test: $(INSTALLED) ## Run the tests, three at a time
	OMP_WAIT_POLICY=passive OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

soak: $(INSTALLED) ## Kill server, watcher and reindexer 200 times under load on each store; go through all that the tests take a part of
	FAULTS=200 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q -s tests/end_to_end/test_faults.py $(ARGS)
	EXHAUSTIVE=1 OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q -m sampled $(ARGS)

# Compiles what serving calls, and by a test that builds what building calls, before tests do so in several processes at a time.
loops: $(INSTALLED)
	$(BIN)/recommender serve --prepare
	OMP_WAIT_POLICY=passive $(BIN)/python -m pytest -q tests/engine/test_world.py

lint: $(INSTALLED) ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

proto: $(INSTALLED) ## Generate recommender/v1 anew from proto/
	$(BIN)/python proto/regenerate.py

wheel: $(INSTALLED) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

clean: ## Remove .venv, dist/ and the tools' caches; data stays
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find recommender indexing server eval tests proto -name __pycache__ -prune -exec rm -rf {} +

# The stamp is written last, so an install that was cut off is taken up again. Modules are compiled on all processors, where pip uses one;
# some are templates that are no Python.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v "$(PYTHON)" >/dev/null || { echo "make: no $(PYTHON) here: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "make: $(PYTHON) is Python " + sys.version.split()[0] + \
	  ", needed is 3.11 or newer; name one: make PYTHON=/path/to/python3")'
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "$(PYTHON) -m venv $(VENV)"; "$(PYTHON)" -m venv --clear $(VENV); }
	@index=$$("$(PYTHON)" .ci/torch_index.py "$(TORCH_INDEX)") && set -x && \
	  $(BIN)/python -m pip install --disable-pip-version-check --no-compile -c constraints.txt $$index -e '.[demo,evaluate,dev]'
	@$(BIN)/python -m compileall -qq -j 0 $(abspath $(VENV)/lib) || true
	@touch $@
