# Development commands. `make help` lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help setup run test coverage lint format bench lock

help: ## List these commands.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv and install the locked requirements.

$(STAMP): requirements/dev.txt requirements/setup.txt scripts/setup
	@scripts/setup $(PYTHON) $(VENV)
	@touch $@

run: $(STAMP) ## Start the whole service with live demo events; Ctrl-C stops it.
	@exec $(BIN)/python -m analytics_project.stack

test: $(STAMP) ## Run every test against the embedded services. ARGS="-k ledger" narrows.
	@$(BIN)/python -m pytest $(ARGS)

coverage: $(STAMP) ## The same, with the lines that no test reaches. ARGS as above.
	@$(BIN)/coverage run -m pytest $(ARGS) && $(BIN)/coverage report

lint: $(STAMP) ## Style, types, import directions and missing migrations.
	@scripts/lint

format: $(STAMP) ## Put the code into the layout that lint wants.
	@$(BIN)/ruff check --quiet --fix .; $(BIN)/ruff format .

bench: $(STAMP) ## Measure speed and memory on this machine.
	@$(BIN)/python -m benchmarks $(ARGS)

lock: $(STAMP) ## Resolve requirements/*.in again into *.txt. ARGS="--upgrade" takes newer versions.
	$(LOCK) $(ARGS) requirements/setup.in -o requirements/setup.txt
	$(LOCK) $(ARGS) requirements/base.in -o requirements/base.txt
	@# One version of everything: the other files are resolved within base's.
	$(LOCK) $(ARGS) -c requirements/base.txt requirements/embedded.in -o requirements/embedded.txt
	$(LOCK) $(ARGS) -c requirements/base.txt requirements/production.in -o requirements/production.txt
	$(LOCK) $(ARGS) -c requirements/base.txt -c requirements/embedded.txt requirements/dev.in -o requirements/dev.txt
