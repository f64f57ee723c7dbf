# Each target does its own set-up. A machine needs only Python 3.11 or later, and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install -c constraints.txt
PYPROJECTS := core/pyproject.toml $(wildcard plugins/*/pyproject.toml) tests/engines/pyproject.toml
# The build backend is installed once, instead of once for each package in an isolated environment.
BUILD_TOOLS := hatchling editables
DEV_TOOLS := boto3-stubs build coverage distributed furo lmdb mypy myst-parser networkx pyarrow pytest pytest-xdist ruff sphinx trustme
# What a user may install beside the core, and the private package that starts engines for the tests.
PARTS := $(patsubst %,-e ./%,plugins/sqlite plugins/dynamodb plugins/mongodb plugins/migration plugins/conformance tests/engines)
# Tests wait for engines and for disks: one more worker than the least number of cores keeps those busy.
WORKERS ?= 3
# Only a run of everything may replace the results that the documentation shows.
REPORT = $(if $(ARGS),,--isthmus-report build/conformance.json)
# On the real engines the documentation needs only what tries capabilities. Where an engine is missing, the tables say
# that nothing was probed; where CI=true, that fails.
PROBING := test_every_capability_is_declared test_what_is_declared_works \
    test_what_is_not_declared_is_refused_before_any_io test_wide_numbers_are_as_wide_as_declared \
    test_what_was_acknowledged_is_there_after_reopening test_another_process_sees_and_makes_changes
PROBED := plugins/dynamodb/tests/test_conformance.py::TestDynamoDBLocal \
    plugins/mongodb/tests/test_conformance.py::TestReplicaSet plugins/mongodb/tests/test_conformance.py::TestStandalone
KIT_RUNS := plugins/conformance/tests/test_memory.py plugins/sqlite/tests/test_conformance.py \
    $(foreach suite,$(PROBED),$(addprefix $(suite)::,$(PROBING)))

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench docs differential isolation migration-data migration-kills mutants clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runtime ## load real data into SQLite, query it, copy it to a second store, verify
	@rm -rf build/demo && mkdir -p build/demo
	$(BIN)/isthmus demo --file build/demo/cities.db --copy build/demo/copy.db

test: $(VENV)/.dev ## run every test
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup $(REPORT) $(ARGS)

check: $(VENV)/.dev ## format, lint and type checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.dev ## format the code and apply safe lint fixes
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/.bench ## measure against the references; writes build/bench.json
	$(BIN)/python tests/bench/run.py $(ARGS)

docs: $(VENV)/.dev build/conformance.json ## build the documentation into build/docs
	$(BIN)/sphinx-build -W -b html docs build/docs

build/conformance.json: | $(VENV)/.dev
	@echo "running the conformance kit for the documentation"
	@$(BIN)/python -m pytest -q -n $(WORKERS) --isthmus-profile dev --isthmus-report $@ $(KIT_RUNS)

differential: $(VENV)/.dev ## compare 2,000 generated histories on memory, SQLite, DynamoDB Local and MongoDB
	$(BIN)/python -m pytest tests/differential -q -n $(WORKERS) --histories 2000 $(ARGS)

isolation: $(VENV)/.dev ## check concurrent histories on every store, 20 of each kind
	$(BIN)/python -m pytest tests/isolation -q -n $(WORKERS) --isolation-rounds 20 $(ARGS)

migration-data: $(VENV)/.dev ## move all 234,908 cities and 20,968 nodes through every store and back
	$(BIN)/python -m pytest tests/migration/real_data -q -n $(WORKERS) --full-data $(ARGS)

migration-kills: $(VENV)/.dev ## kill migrations at 20 moments each, and stop their target for 20 seconds
	MIGRATION_KILLS=20 MIGRATION_AWAY=20 $(BIN)/python -m pytest -q tests/migration/test_kills.py \
	    tests/migration/test_stops.py tests/migration/test_dask.py tests/migration/test_poison.py --durations=0 $(ARGS)

mutants: $(VENV)/.dev ## run the conformance kit on deliberately broken backends
	$(BIN)/python -m isthmus_conformance.mutants

clean: ## remove the environment and everything built
	rm -rf $(VENV) build dist

# An interrupted or refused creation must not leave half an environment that make would take for a whole one.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Isthmus needs Python 3.11 or later; '$(PYTHON)' is missing or older. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { \
	    echo "'$(PYTHON)' has no venv module. Install it (on Debian and Ubuntu: the package python3-venv)." >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.runtime: $(PYPROJECTS) constraints.txt | $(BIN)/python
	@echo "installing the run-time packages"
	@$(INSTALL) $(BUILD_TOOLS)
	@$(INSTALL) --no-build-isolation -e "./core[demo]" -e ./plugins/sqlite
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "installing the development tools"
	@$(INSTALL) --no-build-isolation $(DEV_TOOLS) -e "./core[all]" $(PARTS)
	@touch $@

# The libraries that Isthmus is measured against.
$(VENV)/.bench: $(VENV)/.dev tests/bench/requirements.txt
	@echo "installing what the benchmarks compare with"
	@$(INSTALL) -r tests/bench/requirements.txt
	@touch $@
