# `make demo` and `make test` need nothing but make and Python 3.10 or newer. PYTHON=python3.12 picks another one.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
MADE := $(VENV)/.made-$(shell $(PYTHON) -c 'import platform; print(platform.python_version())')

.PHONY: demo test test-fast check format package chaos load bench clean

demo: $(VENV)/.ready-demo
	$(VENV)/bin/scribe demo

# Tests mostly wait, so four processes help on two processors too. Prints the coverage of shared/ and checks its minimum.
test: $(VENV)/.ready-dev
	$(RUN) -m pytest --numprocesses 4 --cov --cov-report=term

# The tests that start no process: unit tests, parsers, clients.
test-fast: $(VENV)/.ready-dev
	$(RUN) -m pytest --numprocesses 2 -m "not process"

check: $(VENV)/.ready-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.ready-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# A storm of every fault at once, then: was anything lost, paid twice, wrong, forged or left open?
UPLOADS ?= 1000
SEED ?= 1
chaos: $(VENV)/.ready-dev
	$(RUN) -m tests.chaos --uploads $(UPLOADS) --seed $(SEED)

load: $(VENV)/.ready-dev
	$(RUN) -m tests.load --uploads 10000

# What it costs beside others that do the same, on this machine; writes docs/benchmarks.md.
BURST ?= 500
bench: $(VENV)/.ready-dev
	$(RUN) -m tests.bench --burst $(BURST)

# What is deployed, as a folder and as build/package.zip: handlers, shared/, libraries, and bytecode for SCF's Python.
package: $(VENV)/.ready-demo
	$(RUN) -m cli.package build/package

# The stamp bears the interpreter's version: with another PYTHON the environment is made anew.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Scribe needs Python 3.10 or newer; set PYTHON=python3.x")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

# The demo needs a third of what the tests need: nobody waits for a linter to hear a recording read.
$(VENV)/.ready-demo: $(MADE) pyproject.toml
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --prefer-binary --editable '.[cli,local]'
	@touch $@

$(VENV)/.ready-dev: $(MADE) pyproject.toml
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --prefer-binary --editable '.[dev]'
	@touch $@ $(VENV)/.ready-demo

clean:
	rm -rf $(VENV) build scribe-demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
