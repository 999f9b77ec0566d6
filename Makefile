# Portfolio Allocation System. `make` or `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install env install-service uninstall-service run serve api test test-fast test-full lint format types bench docs lock clean

# Where Python was told to keep no compiled modules, each of the many processes would compile all its libraries anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Of the tests; the long ones wait now and then, so that one more than there are processors may pay.
WORKERS ?= 2
# The newest Python among the supported ones that really starts (a shim may exist for one that is not installed).
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' >/dev/null 2>&1; then echo $$p; break; fi; done)

help: ## Show this list
	@echo "make TARGET [VARIABLE=value]"; echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'
	@echo; echo "  make run ONCE=1   ends after the job and its summary"
	@echo "  make run SESSIONS=3   that many sessions one after another"

$(STAMP): requirements.txt
	@if [ -z "$(PYTHON)" ]; then echo "error: no Python 3.11, 3.12 or 3.13 found; install one or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@echo "installing packages into $(VENV) ($$($(PYTHON) --version)); the first time takes a few minutes"
	@$(PYTHON) -m venv $(VENV)
	@# uv comes first, by its own hashed lines, because it installs the rest many times faster than pip
	@awk '/^uv==/{keep=1} /^[a-z]/&&!/^uv==/{keep=0} keep' requirements.txt > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --system-certs --require-hashes requirements.txt || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@printf '#!/bin/sh\nPYTHONPATH="%s$${PYTHONPATH:+:$$PYTHONPATH}" exec "%s" -m pas_lib.cli "$$@"\n' "$(CURDIR)" "$(CURDIR)/$(BIN)/python" > $(BIN)/pas
	@chmod +x $(BIN)/pas
	@touch $@

install: $(STAMP) ## Create the environment from the hash-locked requirements

run: $(STAMP) ## Run the whole job for the next session: collect, score, decide, trade, evaluate; then stay up
	@exec $(BIN)/python -m pas_lib.stack run $(if $(ONCE),--once) $(if $(SESSIONS),--sessions $(SESSIONS))

serve: $(STAMP) ## Start the programs and stay up; nothing is run but what the DAGs' own schedules ask for
	@exec $(BIN)/python -m pas_lib.stack serve

api: $(STAMP) ## Serve the REST API and the dashboard alone
	@exec $(BIN)/python -m api

env: $(STAMP) ## Write random secrets for docker-compose.yaml into .env; what is there stays
	@$(BIN)/python -m pas_lib.stack secrets

install-service: $(STAMP) ## Put the programs of the stack under systemd (user unit), now and at each log-in
	@$(BIN)/python -m pas_lib.stack install-service

uninstall-service: $(STAMP) ## Stop the service and take it away; data stays
	@$(BIN)/python -m pas_lib.stack uninstall-service

# In the order of their names (e2e, integration, unit) the longest files come first, so that no worker is idle at the end.
test: $(STAMP) ## Run the tests on real engines, in WORKERS processes (about a quarter of an hour on two processors)
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder --timeout 600

test-fast: $(STAMP) ## Run the tests that need no server (at most a minute)
	$(BIN)/python -m pytest tests/unit -m "not slow and not airflow" -q -n 2 --timeout 60

test-full: $(STAMP) ## Run all tests, the long fault and kill matrices included
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --timeout 1800

lint: $(STAMP) ## Check style, import rules and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(STAMP) ## Format the code
	$(BIN)/ruff check --fix-only --quiet . ; $(BIN)/ruff format .

bench: $(STAMP) ## Print the benchmark tables
	$(BIN)/python -m tests.benchmarks

docs: $(STAMP) ## Write docs/strategies and docs/reference from the code
	@$(BIN)/python -m pas_lib.docs docs/strategies
	@$(BIN)/python -m pas_lib.reference docs/reference
	@$(BIN)/python -m api.reference docs/reference

lock: $(STAMP) ## Write requirements.txt from requirements.in
	$(BIN)/uv pip compile --universal --generate-hashes --no-emit-index-url --no-strip-extras --no-header --quiet \
		--python-version 3.11 requirements.in -o requirements.txt

clean: ## Remove the environment and caches (data in var/ stays)
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dbt_project/target dbt_project/logs
