# install, test, lint, demo and bench work on a fresh machine with Python 3.11+ and make alone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := .venv-clients
MINIMAL := .venv-clients-minimal
CLUSTER := .venv-cluster
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r

.PHONY: install clients browser test lint types imports unit smoke docs demo bench protocols lock clean

install: $(VENV)/installed

$(VENV)/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Clients of other people that the tests ask our host with, and Ray that they run it on: some minutes
# and 2.3 GB, once.
clients: $(CLIENTS)/installed $(MINIMAL)/installed $(CLUSTER)/installed

$(CLIENTS)/installed: requirements-clients.lock
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python $(PIP_INSTALL) requirements-clients.lock
	touch $@

$(MINIMAL)/installed: requirements-clients-minimal.lock
	$(PYTHON) -m venv $(MINIMAL)
	$(MINIMAL)/bin/python $(PIP_INSTALL) requirements-clients-minimal.lock
	touch $@

$(CLUSTER)/installed: requirements-cluster.lock
	$(PYTHON) -m venv $(CLUSTER)
	$(CLUSTER)/bin/python $(PIP_INSTALL) requirements-cluster.lock
	touch $@

# Pages are tested in a real browser. Where there is none and it cannot be installed, these tests skip.
browser:
	@command -v chromium chromium-browser google-chrome >/dev/null \
	|| (test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null) \
	|| echo "no Chromium here: tests of pages will be skipped"

test: lint types imports unit

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

unit: install clients browser
	rm -f .coverage .coverage.*
	NINEBRAINS_TEST_CLIENTS=needed $(BIN)/python -m coverage run -m pytest --numprocesses 2 --dist loadfile --max-worker-restart 0
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

protocols: install
	$(BIN)/python -m tools.protocols

COMPILE := uv pip compile --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --no-emit-index-url

lock: install
	$(BIN)/$(COMPILE) pyproject.toml --group dev --output-file requirements.lock
	$(BIN)/$(COMPILE) pyproject.toml --extra serve --extra traces --output-file deploy/requirements.lock
	$(BIN)/$(COMPILE) --group build --output-file deploy/requirements-build.lock
	$(BIN)/$(COMPILE) --group clients --output-file requirements-clients.lock
	$(BIN)/$(COMPILE) --group clients-minimal --output-file requirements-clients-minimal.lock
	$(BIN)/$(COMPILE) pyproject.toml --extra serve --extra cluster --output-file requirements-cluster.lock

clean:
	rm -rf $(VENV) $(CLIENTS) $(MINIMAL) $(CLUSTER) build dist site demo-out .coverage .coverage.*
