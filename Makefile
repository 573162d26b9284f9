# Each target does all its own set-up in .venv; the first time takes some minutes, later times none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-slow lint types docs check benchmark zoo format clean

demo: $(VENV)/.core  ## fit the bundled digits, open the seal once, say where the report is
	$(BIN)/handrail fit bundled:digits --target target --test

test: $(VENV)/.dev  ## all tests but the slow ones
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(VENV)/.dev  ## the tests that take minutes
	$(BIN)/python -m pytest -n 2 -m slow

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(BIN)/python

docs: $(VENV)/.dev  ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

check: test lint types docs  ## what has to pass before a change goes in

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(VENV)/.benchmark  ## side by side with others, into benchmarks/results/
	$(BIN)/python benchmarks/tables.py

zoo: $(VENV)/.core  ## fit the systems of the zoo, into docs/zoo.md
	$(BIN)/python benchmarks/zoo.py

$(VENV)/.core: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.core
	$(INSTALL) --editable '.[dev]'
	touch $@

$(VENV)/.benchmark: $(VENV)/.core
	$(INSTALL) --editable '.[benchmark]'
	touch $@

clean:
	rm -rf $(VENV) site .pytest_cache .ruff_cache .hypothesis
