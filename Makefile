# `make demo` and `make test` need only make and Python 3.10 or newer. PYTHON=python3.12 selects another interpreter.
PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
# Container images often switch bytecode off. The tests start thousands of processes, which would all compile again.
export PYTHONDONTWRITEBYTECODE :=
MADE := $(VENV)/.made-$(shell $(PYTHON) -c 'import platform; print(platform.python_version())')

.PHONY: demo help test test-fast check format docs chaos load bench package clean

# A comment with two hashes is the target's line in `make help`.

# pocketsphinx (English) is small; whisper (99 languages) installs about 600 MB more, its model included.
SPEECH ?= pocketsphinx
## Transcribe samples here, without an account (SPEECH=whisper)
demo: $(VENV)/.ready-$(if $(filter whisper,$(SPEECH)),whisper,demo)
	$(VENV)/bin/scribe demo$(if $(filter-out pocketsphinx,$(SPEECH)), --speech $(SPEECH))

## List the targets
help:
	@awk '/^## /{text = substr($$0, 4)} /^[a-z-]+:/{if (text) printf "  make %-11s%s\n", substr($$1, 1, length($$1) - 1), text; text = ""}' Makefile

# Tests mostly wait, so four processes help on two processors too. Checks the minimum coverage of shared/.
## Run every test and print the coverage of shared/
test: $(VENV)/.ready-dev
	$(RUN) -m pytest --numprocesses 4 --cov --cov-report=term

## Run the tests that start no process: unit tests, parsers, clients
test-fast: $(VENV)/.ready-dev
	$(RUN) -m pytest --numprocesses 2 -m "not process"

## Run the linters, the type checker and the spelling check
check: $(VENV)/.ready-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell

## Format the code
format: $(VENV)/.ready-dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# The catalogue has the Chinese texts of the command; docs/commands.zh.md shows some of them.
## Write settings(.zh).md, commands(.zh).md, Chinese texts
docs: $(VENV)/.ready-dev
	$(RUN) -m cli.settings_docs
	$(RUN) -m cli.catalogue
	$(RUN) -m tests.helpers.command_examples

UPLOADS ?= 1000
SEED ?= 1
## Inject faults during uploads, check the results (UPLOADS=, SEED=)
chaos: $(VENV)/.ready-dev
	$(RUN) -m tests.chaos --uploads $(UPLOADS) --seed $(SEED)

## Measure memory and time with 10,000 uploads
load: $(VENV)/.ready-dev
	$(RUN) -m tests.load --uploads 10000

BURST ?= 500
## Compare with other implementations; WRITE=1 writes the page (BURST=)
bench: $(VENV)/.ready-dev
	$(RUN) -m tests.bench --burst $(BURST) $(if $(filter 1,$(WRITE)),--write)

# Handlers, shared/, libraries, and bytecode for SCF's Python.
## Build the deployment package: build/package, build/package.zip
package: $(VENV)/.ready-demo
	$(RUN) -m cli.package build/package

# The stamp has the version of the interpreter: with another PYTHON the environment is created again.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Scribe needs Python 3.10 or newer; set PYTHON=python3.x")'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	@touch $@

# What pip says is long, and does not name the remedy. `COMMA` is for lists of extras, which `call` would split.
COMMA := ,
PIP_INSTALL := $(VENV)/bin/pip install --quiet --disable-pip-version-check --prefer-binary --editable
INSTALL = @echo "$(PIP_INSTALL) '.[$(1)]'"; $(PIP_INSTALL) '.[$(1)]' || { echo; \
	echo "The packages could not be installed. If pypi.org cannot be reached, name a mirror:"; \
	echo "依赖包安装失败。如果无法访问 pypi.org，请指定镜像："; \
	echo "  PIP_INDEX_URL=https://pypi.tuna.tsinghua.edu.cn/simple make $(MAKECMDGOALS) $(MAKEOVERRIDES)"; exit 1; }

# The demo needs a third of what the tests need, and starts sooner without it.
$(VENV)/.ready-demo: $(MADE) pyproject.toml
	$(call INSTALL,cli$(COMMA)local)
	@touch $@

$(VENV)/.ready-whisper: $(MADE) pyproject.toml
	$(call INSTALL,cli$(COMMA)local$(COMMA)whisper$(COMMA)whisper-model)
	@touch $@ $(VENV)/.ready-demo

$(VENV)/.ready-dev: $(MADE) pyproject.toml
	$(call INSTALL,dev)
	@touch $@ $(VENV)/.ready-demo

## Delete everything that was built or installed here
clean:
	rm -rf $(VENV) build scribe-demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
