# Everything a newcomer or a contributor runs. `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# More than there are cores: some tests wait, and wait beside each other.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(3 * (os.cpu_count() or 2) // 2)')
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Bytecode is kept, whatever the environment says: without it, each process of the suite compiles everything anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help

help: ## This list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "EMR Steward needs Python 3.10 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name one: make PYTHON=python3.11 …"; exit 1; }
	@echo "Setting up $(VENV) with the pinned dependencies: once, half a minute or so."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

setup: $(STAMP) ## A virtual environment with the pinned dependencies

demo: $(STAMP) ## An alert, a timer and a webhook call, end to end against a fake cluster
	@$(BIN)/steward demo

test: $(STAMP) ## The whole test suite
	$(BIN)/python -m pytest -n $(WORKERS)

lint: $(STAMP) ## ruff: style and faults
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

coverage: $(STAMP) ## The whole test suite, with branch coverage of handler/
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n $(WORKERS) -p tests.measured
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

check: lint types test ## What CI runs first: lint, types, tests

bench: $(STAMP) ## The figures of docs/figures.md, warm
	$(BIN)/python -m benchmarks.warm

bench-cold: $(STAMP) ## The first event of an instance: time and memory, beside the usual handler and the floor
	$(BIN)/python -m benchmarks.cold_start

storm: $(STAMP) ## 10,000 deliveries about 500 dead processes, 8 workers, faults and kill -9, on both ledgers
	$(BIN)/python -m steward.chaos.storm

package: $(STAMP) ## build/function.zip, which the platform runs; LEDGER=redis packs the client for a Redis ledger
	@$(BIN)/python -m steward.package.build $(if $(LEDGER),--ledger $(LEDGER)) --config $(or $(CONFIG),steward.yml)

exhaustive: $(STAMP) ## What takes minutes: every order of three workers' steps, many random histories and examples
	STEWARD_TEST_PROFILE=exhaustive $(BIN)/python -m pytest -n $(WORKERS) -m "long or examples"

mutations: $(STAMP) ## Take each safeguard out of a copy: some test must fail
	$(BIN)/python -m tests.mutations

lock: ## Pin the dependencies anew (needs uv on PATH)
	@for name in function chat redis dev; do \
	  uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    --upgrade requirements/$$name.in -o requirements/$$name.txt; done

clean: ## Remove what the other targets made
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage*

.PHONY: help setup demo test lint types coverage check bench bench-cold storm package exhaustive mutations lock clean
