# The commands for newcomers and contributors. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# More workers than cores, since some tests only wait.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 2) // 2)')
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Bytecode is kept, whatever the environment sets: without it, each process of the suite compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help

help: ## List these commands
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "EMR Steward needs Python 3.10 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name one: make PYTHON=python3.11 …"; exit 1; }
	@echo "Setting up $(VENV) with the pinned dependencies: once, half a minute or so."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

setup: $(STAMP) ## Make a virtual environment with the pinned dependencies

demo: $(STAMP) ## Handle an alert, a timer and a webhook call, end to end on a fake cluster
	@$(BIN)/steward demo

test: $(STAMP) ## Run the whole test suite
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(STAMP) ## Run ruff: format, style and likely mistakes
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP) ## Run mypy in strict mode
	$(BIN)/mypy

coverage: $(STAMP) ## Run the whole test suite with branch coverage of handler/
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n $(WORKERS) -p tests.measured
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

check: lint types test ## Run what CI runs first: lint, types, tests

bench: $(STAMP) ## Measure a warm function: the figures of docs/figures.md
	$(BIN)/python -m benchmarks.warm

bench-cold: $(STAMP) ## Measure the first event of an instance, beside two other handlers
	$(BIN)/python -m benchmarks.cold_start

storm: $(STAMP) ## Run 10,000 deliveries about 500 dead processes, 8 workers, faults and kill -9, on both ledgers
	$(BIN)/python -m steward.chaos.storm

package: $(STAMP) ## Build build/function.zip, which the platform runs; LEDGER=redis packs the Redis client
	@$(BIN)/python -m steward.package.build $(if $(LEDGER),--ledger $(LEDGER)) --config $(or $(CONFIG),steward.yml)

exhaustive: $(STAMP) ## Run the tests that take minutes: every order of the workers' steps in the model, many examples
	STEWARD_TEST_PROFILE=exhaustive $(BIN)/python -m pytest -n $(WORKERS) -m "long or examples"

mutations: $(STAMP) ## Remove each safeguard from a copy of the code, and check that a test fails
	$(BIN)/python -m tests.mutations

lock: ## Pin the newest versions of the dependencies (needs uv on PATH)
	@for name in function chat redis dev; do \
	  uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    --upgrade requirements/$$name.in -o requirements/$$name.txt; done

clean: ## Remove the files that the other commands made
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

.PHONY: help setup demo test lint types coverage check bench bench-cold storm package exhaustive mutations lock clean
