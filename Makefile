# install, test, lint, demo and bench work on a fresh machine with Python 3.11+ and make alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install test lint types imports unit smoke docs demo bench lock clean

install: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

test: lint types imports unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

unit: install
	rm -f .coverage .coverage.*
	$(BIN)/python -m coverage run -m pytest
	$(BIN)/python -m coverage combine --quiet
	rm -f .coverage.*  # of processes that tests killed while these wrote
	$(BIN)/python -m coverage report

smoke: install
	$(BIN)/python -m pytest tests/test_smoke.py

docs: install
	$(BIN)/mkdocs build --strict

demo: install
	rm -rf demo-out
	NINEBRAINS_HOME="$(CURDIR)/demo-out/home" $(BIN)/ninebrains demo --folder demo-out/ninebrains-demo

bench: install
	$(BIN)/python -m benchmarks.run_all

lock: install
	$(BIN)/uv pip compile pyproject.toml --group dev --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-header --no-annotate --no-emit-index-url --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist site demo-out .coverage .coverage.*
