# Two commands: `make up` takes a fresh machine to the tutorial with its traffic measured; `make test` proves it.
# Both need only python3 (3.11 or newer), make and root on Debian; they install the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: up test test-fast down bench soak soak-tests lint docs clean
.DEFAULT_GOAL := up

up: $(VENV)/installed
	@$(BIN)/weir quickstart --stack dev

down: $(VENV)/installed
	@$(BIN)/weir lab down

# All but what is for make soak-tests; pytest's own closing line is the last one. Of two workers one has the lab and what needs it, the other all the rest.
test: lint
	@$(BIN)/python -m pytest -n 2 --durations 30 --durations-min 10 tests/live tests/unit tests/components

# Without the lab: seconds, no root.
test-fast: lint
	@$(BIN)/python -m pytest -n auto -m "not live"

# One JSON document on stdout, all else on stderr; a lab of its own for part of it (BENCH=--no-lab leaves that out).
BENCH ?=
bench:
	@$(MAKE) --no-print-directory $(VENV)/installed-dev >&2
	@$(BIN)/python -m tests.bench $(BENCH)

# The life of a service under load, then random changes, then rollouts of good and bad versions, on a lab of its own (over an hour, 3 million
# requests); JSON on stdout. ROUNDS=1 MINUTES=5 ROLLOUTS=0 for less, ROUNDS=0 MINUTES=0 ROLLOUTS=200 for 200 bad and 200 good versions (2 h 40 min).
ROUNDS ?= 3
MINUTES ?= 50
ROLLOUTS ?= 20
soak: $(VENV)/installed-dev
	@$(BIN)/python -m tests.live.lossless.soak --rounds $(ROUNDS) --minutes $(MINUTES) --rollouts $(ROLLOUTS) $(if $(SEED),--seed $(SEED))

# The pitfalls one by one, every process killed at every moment of an update, and thousands of configs before real proxies: over two hours.
# All files of live tests that do more in it, or do it longer.
soak-tests: $(VENV)/installed-dev
	@WEIR_SOAK=1 $(BIN)/python -m pytest $$(grep -rl "lossless.conftest import" --include "test_*.py" tests/live | sort)

lint: $(VENV)/installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo 2>&1 | tail -n 4; $(BIN)/lint-imports > /dev/null

# What is made from the model: parts of docs/, and the arguments of the components; tests compare them.
docs: $(VENV)/installed-dev
	@$(BIN)/weir schema --format markdown > docs/reference/config.md.new && mv docs/reference/config.md.new docs/reference/config.md
	@$(BIN)/weir schema > docs/reference/stack.schema.json.new && mv docs/reference/stack.schema.json.new docs/reference/stack.schema.json
	@$(BIN)/weir schema --format python > components/args.new && mv components/args.new components/args.py && $(BIN)/ruff format --quiet components/args.py

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# The stamps stand for what the requirement files ask for; an edit installs again.
$(VENV)/installed: requirements.txt pyproject.toml | $(BIN)/pip
	@echo "installing Python packages into $(VENV)"
	@$(PIP) --require-hashes -r requirements.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	@echo "installing the tools of the tests into $(VENV)"
	@$(PIP) --require-hashes -r requirements-dev.txt
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "weir needs Python 3.11 or newer; $(PYTHON) is older. Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) > /dev/null 2>&1 \
	  || { echo "installing python3-venv, which Debian keeps apart from python3"; apt-get update -q > /dev/null; apt-get install -q -y python3-venv > /dev/null && $(PYTHON) -m venv --clear $(VENV); } \
	  || { echo "no virtual environment can be made: install python3-venv, then run make again" >&2; exit 1; }
